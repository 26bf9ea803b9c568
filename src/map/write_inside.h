/*
 * write_inside: what the files that write records share: write.c (values, cells, works, segments), write_left.c
 * (`unmapped`), write_kind.c (a record against its schema), write_findings.c (what is said, and of which field),
 * write_record.c (a record from ST to SE, and the writer itself). Nobody else includes it.
 *
 * The writer owns its arenas, buffers and frames; map_writer_free() frees them. What a cell holds is borrowed, from the
 * record's text, the plan, `room` or segment_arena, until the next write_begin_segment().
 */
#ifndef WAYBILL_MAP_WRITE_INSIDE_H
#define WAYBILL_MAP_WRITE_INSIDE_H

#include "edi/check.h"
#include "map/total.h"
#include "map/tree.h"
#include "map/write.h"
#include "map/writing.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD __attribute__((noinline, cold))

enum {
    MOST_PARTS = 256,           /* components in one segment */
    MOST_BEGUN = 4,
    ROOM = 4096,                /* for what conversions make, before memory is asked for */
    DRY_BYTES = 32 << 10,       /* written for nothing before they are taken back */
    NOTES_MOST = 64 << 20       /* memory for what is noted of nodes */
};

/* An object of the record that is being written. */
struct frame {
    const struct frame *up;
    const struct scope_work *scope;
    const struct json_tape *tape;
    const struct record_field *name;        /* that it is the value of, or an item of */
    uint32_t node;
    bool listed;
    uint64_t index;
    uint64_t present[FIELD_WORDS];
    uint64_t pending[WORK_WORDS];
    uint64_t hit[FIELD_WORDS];              /* fields whose guard let them through */
    struct {
        uint16_t field;
        uint32_t n;                         /* items that are written */
    } begun[MOST_BEGUN];                    /* lists that go on in another segment */
    unsigned n_begun;
    struct left *left;                      /* its `unmapped`, not written yet */
    uint32_t at[RECORD_FIELDS];
};

/* What checks have counted and added up. */
struct tally {
    uint64_t count[MOST_CHECKS], sum[MOST_CHECKS];
    struct total total[2];
};

struct cell {
    struct slice text;
    const struct action *from;              /* NULL: a qualifier, or unmapped */
    const struct frame *frame;
    uint32_t item;                          /* of from->list */
};

struct part {
    struct cell cell;
    uint8_t element;
    uint16_t component;                     /* PART() */
};

/* A component, of the first repetition as it is; the others only stand in `unmapped`. */
#define PART(repetition, component) (unsigned)((((repetition) - 1) << 8) + (component))
static inline unsigned part_component(unsigned part)
{
    return part & 0xff;
}
static inline unsigned part_repetition(unsigned part)
{
    return (part >> 8) + 1;
}

/* A segment of an object's `unmapped`. */
struct left {
    struct left *next;
    const struct guide_node *node;
    uint32_t order;                         /* the node that says where it is written */
    struct slice path;
    struct slice select;                    /* what stood in [ ] */
    struct slice stray;                     /* a segment that the guide has not in this place: it stands behind the node */
    uint32_t occurrence;
    uint32_t seen;                          /* segments of that node written so far */
    uint64_t index;
    uint32_t first, n;                      /* the items of the list that speak of it: node of the first, how many */
    bool apart;                             /* in a loop that no line of the map takes: joins no other segment */
    bool trigger;                           /* opens its loop or is the object's own: its path has no qualifier */
    bool whole;                             /* says its qualifier itself */
    bool done;
};

/* Why something is left out: the first error in it. */
struct loss {
    bool any;
    bool whole;             /* its path is told as it is */
    bool missing;           /* only for want of what is not there */
    char path[200], words[300];
};

struct map_writer {
    const struct map_plan *plan;
    struct writing writing;
    struct map_write_options options;
    char later[6];                      /* options.later */
    struct finding_policy policy;
    struct arena arena;                     /* of the layout */
    struct arena record_arena;              /* of one record */
    struct arena item_arena;                /* of one item of the root's lists: `unmapped` */
    struct arena segment_arena;             /* of one segment, where `room` does not do */
    bool nomem;                             /* while an object was looked at */
    bool verified;                          /* the record was held against its kind as a whole */
    bool item_verified;                     /* the streamed item was */
    const struct record_field *streaming;   /* the list that is, NULL: none */
    uint64_t stream_index;
    const struct json_tape *stream_tape;
    uint32_t stream_node;
    struct tree tree;                       /* the nodes of the record at hand */
    struct buf notes;                       /* struct node_note of each, where they are of several kinds */
    struct buf steps;                       /* struct step of each, where they are written in another order */
    bool ordered;                           /* and so they are */
    uint64_t at_step;                       /* the one at hand */
    uint32_t n_made;                        /* of the steps: nodes that the record has not, behind all others */
    struct tree heads;                      /* what such a node says, and so who stands below it */
    struct buf makers;                      /* struct maker of each */
    struct buf made;                        /* the text of one, */
    struct json_tape made_tape;             /* and its tape */
    const struct above *above;              /* what stands above the node at hand; NULL: nothing */
    struct total total[2];                  /* plan->total: of all its values, and of those of its field */
    bool no_totals;                         /* there are more items than their count can say */
    bool some_left;                         /* some object's `unmapped` is to be written */
    bool may_lose;                          /* what cannot be written may be left out, and is told (`allow loss`) */
    bool crossing;                          /* map_writer_crossing() */
    const struct action *dropped;           /* crossing: of the segment at hand, what must be there and has no code here */
    struct slice dropped_word;
    struct loss *loss;                      /* of what is being written and may be left out; NULL: nothing may */
    struct frame *frame;
    unsigned top;                           /* frames in use */
    /* the segment at hand */
    uint64_t filled;                        /* cells, bit 0 is element 01 */
    uint64_t composite;                     /* those that are parts */
    uint64_t refused;                       /* the writer would not have them */
    bool substance;
    unsigned n_parts;
    size_t room_used;
    const struct work *work;
    const struct frame *of;
    struct frame *member[MOST_MEMBERS];     /* objects of `of` that have fields in it, too */
    unsigned n_members;
    /* the record at hand */
    const struct record *record;
    struct edi_writer *out;
    struct edi_mark mark;
    bool dry;                               /* nothing of what is written stays */
    bool goes_on;                           /* a text too long for its segment may go on in another one */
    size_t fold_from, fold_rest;            /* of it: where this segment's part begins, and the next one's; 0: at the start,
                                               there is none */
    struct edi_syntax syntax;
    char decimal;                           /* the mark of decimals */
    struct checker checker;
    uint64_t segments;
    uint64_t body_from, body_to;            /* edi_writer_offset() */
    uint64_t errors;
    int stopped;                            /* by the callback */
    map_write_finding_fn *finding;
    void *ctx;
    struct err *err;
    struct buf path;
    struct buf row, last_row;               /* what the items of a list share with rows: this one, the one before */
    struct {                                /* the moment before what stands behind a row, which the next row may follow */
        bool set;
        struct edi_mark mark;
        struct checker checker;
        uint64_t segments;
        struct tally tally;
    } behind;
    struct buf text;                        /* one that is folded */
    struct cell cell[64];
    struct part part[MOST_PARTS];
    char room[ROOM];
};

/* What nodes hand to those below them. */
struct above {
    struct slice value[MOST_ABOVE];
};

static inline struct slice above_of(const struct map_writer *w, const struct action *a)
{
    return a->above && w->above ? w->above->value[a->above - 1] : slice(NULL, 0);
}

static inline bool has(const struct frame *f, unsigned field)
{
    return bit_of(f->present, field);
}

/* ---- write.c: values ---- */

/* A value that is not a plain string. */
COLD int write_odd_text(struct map_writer *w, const struct json_tape *tape, uint32_t node, struct slice *v_r);

static ALWAYS_INLINE int write_node_text(struct map_writer *w, const struct json_tape *tape, uint32_t node,
                                         struct slice *v_r)
{
    if (LIKELY(!(node & 0x80000000u))) {
        const struct json_node *n = &tape->node[node];
        if (LIKELY(n->type == JSON_STRING && !(n->flags & JSON_ESCAPED))) {
            *v_r = slice(tape->text.p + n->at, n->n);
            return 0;
        }
    }
    return write_odd_text(w, tape, node, v_r);
}

/* Adds the digits of a value to a hash total. */
void write_add_hash(struct check_work *check, struct slice v);

/* ---- write.c: segments ---- */

/* Begins a segment: from now on it is the one at hand, and empty. */
void write_begin_segment(struct map_writer *w, const struct work *k, const struct frame *f);
/* Puts a component in its place; an action of NULL is `unmapped`'s. */
int write_set_part(struct map_writer *w, const struct action *a, unsigned element, unsigned component,
                   const struct frame *f, uint32_t item, struct slice text, bool constant);
/* Writes the segment at hand if it holds something. 1: it was written. */
int write_end_segment(struct map_writer *w, bool always);

/* ---- write.c: objects and lists ---- */

/* Goes through an object's members: where they stand and what they give reason for. */
int write_collect(struct map_writer *w, struct frame *f, const struct scope_work *s, const struct json_tape *tape,
                  uint32_t node);
/* Everything of an object but its own segment. */
int write_run_inner(struct map_writer *w, struct frame *f);
/* Begins an item's own segment, with all that the item has for it. */
int write_begin_item(struct map_writer *w, struct frame *item, const struct scope_work *s,
                     const struct json_tape *tape, uint32_t node);
/* An item of a list is written: checks count it. */
void write_count_item(struct map_writer *w, const struct work *k, struct slice kind);
/* A number, in the place of an action. */
int write_set_number(struct map_writer *w, const struct frame *f, const struct action *a, uint64_t n);
/* What was written behind the last row of a list stays. */
void write_stay_behind(struct map_writer *w);

/* The items of a list, on a tape or streamed. */
struct items {
    bool streamed;
    bool ordered;               /* the nodes of a tree, parents first */
    bool apart;                 /* either: they do not stand on the tape one behind the other */
    const struct json_tape *tape;
    uint32_t next, end;
    uint64_t index;             /* of the item given last, from 0 */
    struct record_items it;
    uint64_t node;              /* ordered: the node given last, from 1 */
    uint32_t number;            /* how many were given */
};

/* The items of the list that a field of an object is. */
void write_items_begin(struct map_writer *w, const struct frame *f, unsigned field, struct items *i_r);

/* ---- write_order.c ---- */

/* Notes who is a parent in a tree, all of whose nodes have their names. With ORDER_PARENTS they are put in order where
 * a parent stands behind one of its children, with ORDER_MADE those are made that the map wants above others
 * (`below`). */
enum { ORDER_PARENTS = 1, ORDER_MADE = 2 };
int write_order_tree(struct map_writer *w, struct frame *root, unsigned how);
/* The next item in that order. */
COLD int write_items_ordered(struct map_writer *w, struct items *i, uint32_t *node_r);
/* Of such nodes: the one written behind a node, behind 0 the first; 0: none. */
uint64_t write_node_behind(const struct map_writer *w, uint64_t node);
/* The node above, 0: none. */
uint64_t write_node_above(const struct map_writer *w, uint64_t node);
/* Its place among those written so far, from 1; 0: it is not yet. */
uint64_t write_node_number(const struct map_writer *w, uint64_t node);
bool write_node_is_parent(const struct map_writer *w, uint64_t node);
/* What a node says that was made for it needs no saying again: the works of that at an item. */
COLD void write_leave_to_made(const struct map_writer *w, struct frame *item);

static ALWAYS_INLINE int write_items_next(struct map_writer *w, struct items *i, uint32_t *node_r)
{
    if (UNLIKELY(i->apart)) {
        int code;
        if (UNLIKELY(i->ordered))
            return write_items_ordered(w, i, node_r);
        code = record_items_next(&i->it, &i->tape, node_r, w->err);
        i->index++;
        w->stream_index = i->index;
        w->stream_tape = i->tape;
        w->stream_node = code > 0 ? *node_r : 0;
        w->item_verified = false;
        if (code <= 0)
            w->streaming = NULL;
        return code;
    }
    if (i->next >= i->end)
        return 0;
    *node_r = i->next;
    i->next = json_next(i->tape, i->next);
    i->index++;
    return 1;
}

/* The member of an object that is a certain field; 0: absent. */
static inline uint32_t write_member_of(const struct record_object *object, const struct json_tape *tape, uint32_t node,
                                       const struct record_field *field)
{
    for (uint32_t c = json_first(node); c < json_end(tape, node); c = json_next(tape, c))
        if (record_field_of(object, tape, c) == field->index)
            return c;
    return 0;
}

/* ---- write_tree.c ---- */

/* All nodes of a tree: what they are called by, which have others below them, of which kind they are. */
int write_see_tree(struct map_writer *w, struct frame *root);
/* The number that the document calls a node by, or the node above it that it names: 0, none. */
uint64_t write_group_of(const struct map_writer *w, uint64_t node);
/* Nodes of several kinds. */
int write_nodes(struct map_writer *w, struct frame *f, const struct work *k);

/* ---- write_findings.c ---- */

/* Where a field of an object (or of an item of its list) stands. NULL as field: the object itself. */
struct slice write_path(struct map_writer *w, const struct frame *f, const struct record_field *list,
                        uint64_t item, const struct record_field *field);
/* Hands a finding to the caller and counts it. */
void write_report(struct map_writer *w, const struct map_write_finding *f);
/* "PO103 Unit or Basis for Measurement Code" */
struct slice write_place_name(const struct map_writer *w, struct slice tag, unsigned element, unsigned component,
                              char *text, size_t size);
/* The field that an element of the segment at hand comes from, or would come from. */
const struct action *write_action_for(const struct work *k, unsigned element, unsigned component);
/* What the checker has to say, in the record's terms. */
COLD int write_remark(void *ctx, const struct segment *s, const struct remark *r);
/* A value that cannot be written as it is. */
COLD void write_refuse_value(struct map_writer *w, const struct action *a, const struct frame *f, uint32_t item,
                             struct slice value, const char *found, const char *expected);
/* Something that is not written: a warning. */
COLD /* An error in what may be left out: it is. The path is that of the object, or list, that the value stands in. */
void write_report_left_out(struct map_writer *w, const struct loss *loss, bool list);
void write_report_loss(struct map_writer *w, struct slice path, struct slice value, const char *found);
/* A field that no line of the map takes: told once a record. */
COLD void write_report_lost(struct map_writer *w, struct frame *f, unsigned i);
/* Fields whose lines all have a guard, and none let them through. */
COLD void write_report_unguarded(struct map_writer *w, struct frame *f);
/* A second value for a place that has another. */
COLD void write_set_twice(struct map_writer *w, const struct action *a, const struct frame *f, uint32_t item,
                          struct slice text, struct slice old);
/* A word that its table has not. */
COLD void write_refuse_word(struct map_writer *w, const struct action *a, const struct frame *f, uint32_t item,
                            struct slice word, struct slice beside);
/* An item for which a segment has no elements left. */
COLD void write_too_many(struct map_writer *w, const struct spread *p, const struct frame *f, uint64_t index,
                         unsigned most);
/* The writer would not have a value. */
COLD int write_refused_cell(struct map_writer *w, const struct cell *c, unsigned element, unsigned component);
/* A segment that would be read in another loop. */
COLD void write_misplaced(struct map_writer *w, const struct guide_node *node);
/* Passes on what the edi_writer says: memory, a ceiling, the output. */
COLD int write_failed(struct map_writer *w);

/* ---- write_kind.c ---- */

/* Something is strange, or may be: now it is looked at thoroughly, the whole record or the item that is streamed. */
COLD int write_hold_against_kind(struct map_writer *w);
/* Is a value right beyond doubt? False is for record_check to judge. */
bool write_is_right(const struct record_field *f, uint8_t type, const struct json_tape *tape, uint32_t node);

/* ---- write_left.c ---- */

/* Goes through an object's `unmapped`: what may be written back is kept for its place, all else is a loss. */
void write_left_read(struct map_writer *w, struct frame *f, uint32_t list);
/* Adds what `unmapped` has of the segment at hand. */
int write_left_merge(struct map_writer *w);
/* The segment at hand was written: occurrences are counted. */
void write_left_count(struct map_writer *w);
/* Segments of which nothing else is in the record, those that stand before a node; and those that have no place, as
 * soon as what they stood behind is written. */
int write_left_before(struct map_writer *w, struct frame *f, unsigned before);

#endif
