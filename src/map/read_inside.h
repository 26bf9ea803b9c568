/*
 * read_inside: what the files that read documents into records share: read.c (values, objects, segments, documents),
 * read_left.c (what no line takes), read_head.c (what every record begins with). Nobody else includes it.
 *
 * The reader owns all buffers; map_reader_free() frees them. The plan belongs to its `maps`, slices of the document to
 * the edi_reader.
 */
#ifndef WAYBILL_MAP_READ_INSIDE_H
#define WAYBILL_MAP_READ_INSIDE_H

#include "base/limits.h"
#include "map/plan.h"
#include "map/read.h"
#include "map/total.h"
#include "map/tree.h"

enum { MOST_COMMON = 16, LEVELS = LIMIT_LOOP_DEPTH + 4, MOST_KEPT = 24, FLUSH = 64 << 10, MOST_REJECTED = 100, KEEP_BEHIND = 256 };

/* A list or text that is gathered until its object ends. */
struct kept {
    const struct record_field *field;   /* NULL: `unmapped` */
    struct slice open;
    bool text;                          /* one folded text */
    uint32_t last;                      /* characters of its last piece */
    struct buf content;
};

struct level {
    struct buf side;
    struct kept kept[MOST_KEPT];
    unsigned n_kept;
    struct buf name;                    /* of a node that was named before it came: what it is called by */
};

struct instance {
    const struct map_scope *scope;
    struct buf *to;                     /* where the object is written */
    uint64_t once;                      /* single segments that were taken */
    uint64_t closed[4];                 /* lists that were written and ended, by field index */
    const struct map_take *list;        /* the list that is open, NULL: none */
    size_t start;                       /* where an implied object's key stands */
    uint32_t rows;                      /* occurrences of the scope's row so far */
    uint64_t own_closed[4];             /* of `closed`: lists of its own segment */
    uint32_t own;                       /* slots of inherited fields that have a value of their own */
    uint32_t holds;                     /* conditions of its scope's `watch` that do; only where it has some */
    /* nodes of several kinds */
    uint64_t node;                      /* its number */
    bool ended;                         /* its object: nodes below it came */
};

struct head_key {
    const struct map_plan *plan;
    uint64_t interchange, group;
};

struct map_reader {
    struct map_read_options options;
    struct edi_reader *reader;
    const struct map_plan *plan;
    struct buf out;
    struct instance stack[LEVELS];
    unsigned depth;                     /* instances open */
    struct level level[LEVELS];
    uint64_t counts[RECORD_FIELDS];     /* items of the root's lists */
    uint64_t kinds[MOST_CHECKS];        /* nodes of a kind: map_scope.counted */
    uint64_t left;                      /* elements of the segment at hand that a line names but did not take */
    const struct map_take *taken;       /* what took it; NULL: nothing, or objects that it fills alone */
    bool has_node;                      /* the document itself is a node: plan->root->document */
    struct tree tree;                   /* its nodes so far */
    struct tree ahead;                  /* names of parents that had not come when they were named, behind a '@': so those
                                           nodes are called in the record; a parent of that tree: it came */
    uint64_t ahead_open;                /* how many of them have not come */
    uint64_t named;                     /* of several kinds: those that the document names */
    uint64_t renamed;                   /* those not called by their number */
    bool disordered;                    /* a node is called as another, or has no parent: all else follows from that */
    bool denied;                        /* a node below one that denies it was told of */
    char children[8];                   /* the element where nodes say whether they have children: HL04 */
    struct total total;                 /* of the values that a check adds up */
    struct total stated[2];             /* plan->total: of all its values, and of those of its field */
    struct buf rejected;
    unsigned n_rejected;
    struct buf scratch, path;
    struct buf shared;                  /* what an item's own segment wrote, for the further rows of it */
    uint64_t shared_once;               /* and which fields it gave */
    struct {                            /* what all rows of an item share, gathered until its segments end */
        struct buf text;                /* fields and objects */
        struct kept list[MOST_COMMON];
        unsigned n_lists;
        struct buf ends;                /* size_t: where the object of each row ends in what it is written to */
    } common;
    struct buf inherited[MOST_INHERITED];   /* values of the root, by slot */
    struct buf head;                    /* how the records of a group begin: see make_head() */
    size_t head_cut[2];
    struct head_key head_of;
    char head_set[16];
    char head_version[24];
    struct edi_document document;       /* as it began */
    uint64_t records, n_refused;
    uint16_t header, trailer;           /* nodes of the first and the last segment, ST and SE; 0: there are none */
    const struct guide_node *last;      /* where the last segment that had a place stands; NULL: none had */
    struct {
        char tag[8];
        uint32_t n;
    } stray;                            /* the segment without a place behind it, and how many of that name in a row */
    int stopped;
};

/* ---- read.c ---- */

/* Ends all reading with that code, unless another came before. */
int read_stop(struct map_reader *r, int code);

/* Stops when a buffer could not be written. Negative: stopped. */
static inline int read_failed(struct map_reader *r, const struct buf *b)
{
    return b->failed ? read_stop(r, b->failed) : r->stopped;
}

static inline void read_put_char(struct buf *b, char c)
{
    if (__builtin_expect(b->n < b->room && !b->failed, 1))
        b->p[b->n++] = c;
    else
        buf_add_char(b, c);
}

/* A comma at the end becomes the bracket. */
static inline void read_close_bracket(struct buf *b, char bracket)
{
    if (__builtin_expect(b->n && b->p[b->n - 1] == ',', 1))
        b->p[b->n - 1] = bracket;
    else
        read_put_char(b, bracket);
    read_put_char(b, ',');
}

/* What an object gathers of a list or text until its end, begun when there is none yet. NULL: stopped. */
struct kept *read_find_kept(struct map_reader *r, struct instance *i, const struct record_field *field,
                            struct slice open);
/* A date in its form in JSON at p, or as it is when it is none. What is behind it. */
char *read_run_date(char *p, const char *v, size_t n, unsigned flags);

/* ---- read_left.c ---- */

/* What of a segment is left over: the elements of `left`, and components that no op names. */
void read_left_rest(struct map_reader *r, const struct guide_node *node, const struct segment *s, uint64_t left,
                    uint64_t present, const struct map_take *taken);
/* A segment without a place is kept by its tag, in the object that the last segment belongs to, and behind that. */
int read_left_stray(void *ctx, const struct segment *s);

/* ---- read_head.c ---- */

/* Writes what stands before the first field of the map. */
int read_head(struct map_reader *r, const struct edi_document *d);

#endif
