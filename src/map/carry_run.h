/*
 * carry_run: what the parts of carry share while they run: the record at hand, where lines stand in it, what was made.
 *
 * carry.c        one record: envelope, split, checks
 * carry_walk.c   paths through the source, and the marks of what was taken
 * carry_values.c values, conversions, conditions
 * carry_make.c   objects and lists of the target
 * carry_recall.c earlier records
 * carry_lost.c   what was left behind
 */
#ifndef WAYBILL_MAP_CARRY_RUN_H
#define WAYBILL_MAP_CARRY_RUN_H

#include "base/hash.h"
#include "map/carry_inside.h"

enum { STREAMS = 64, LOST = 256, NEST = 64 };

struct marks {
    uint64_t *bit;
    size_t room;                    /* words */
};

/* A value or object of some record. */
struct spot {
    const struct record *record;
    const struct json_tape *tape;
    uint32_t node;
    struct marks *marks;            /* NULL: what is taken of it is not watched */
    uint64_t base;                  /* of the tape's nodes among the marks */
};

struct frame_at {
    struct spot spot;
    bool there;
    const struct carry_path *path;  /* which led to it; NULL: a record */
    uint32_t index[CARRY_STEPS];    /* of its lists, from 0 */
    uint64_t ordinal;               /* which of the items that its line takes, from 1 */
};

struct value {
    struct slice text;
    bool there;
    bool literal;                   /* a number, true or false: no quotes */
};

/* A key of an item that can be recalled. */
struct entry {
    struct slice text;
    uint32_t list;                  /* the node that its list is seen from */
    uint32_t key;                   /* which of the recall's */
    uint32_t item;                  /* which of all that are in the index */
    uint32_t node;
    uint32_t next;                  /* with the same text, plus 1, in the order of the list */
};

/* What one recall has found: a record, or the items of lists of `record`, a list when it is first looked in. */
struct recalled {
    const struct record *record;
    struct entry *entry;
    size_t n, room;
    struct hash_key hash;           /* of texts: partners choose them */
    uint32_t *slot;                 /* the first with a text, plus 1 */
    uint32_t *untaken;              /* by slot: none before it is still to be had; plus 1 */
    uint32_t mask;
    uint8_t *taken;                 /* by item */
    uint32_t items;
};

/* An item of the list that the record is split by. */
struct split_item {
    uint64_t place;                 /* where it lies: a node, or in the file */
    uint32_t base;                  /* of its nodes among the marks */
    uint32_t next;                  /* of the same group, plus 1; 0: it is the last */
};

struct lost {
    struct slice pattern;
    uint64_t count;
};

struct carry {
    const struct carry_plan *plan;
    struct carry_options options;
    const struct record *source;
    struct frame_at *frame;                 /* [n_frames] */
    struct recalled *recalled;              /* [n_recalls] */
    struct arena arena;                     /* for the record at hand */
    struct arena scratch;                   /* for one value, then taken back */
    struct buf text;                        /* for lookups */
    struct marks main, stream[STREAMS];
    uint32_t stream_node[STREAMS];
    unsigned n_streams;
    bool streaming;                         /* a streamed list has a current item */
    uint32_t index[CARRY_STEPS];            /* of the walk at hand */
    /* what is made */
    struct buf out;
    uint64_t spilled;                       /* bytes of it that are in the file */
    int file;                               /* -1: there is none yet */
    uint64_t nodes;                         /* of the tree at hand */
    const struct record_field *making[NEST];
    unsigned depth;
    /* split */
    bool split;
    struct split_item *item;                /* of the list that is split, all of them */
    size_t n_items, item_room;
    uint32_t group;                         /* the first item of the group at hand, plus 1 */
    /* what is said */
    struct buf path, place;
    struct lost lost[LOST];
    unsigned n_lost;
    uint64_t errors;
    int stopped;
    struct slice ids[CARRY_FRAMES];         /* of the records that were recalled, as JSON */
    unsigned n_ids;
};

/* The items of a list, on its tape or streamed. */
struct list_items {
    struct spot list;
    struct record_items it;
    bool split;                     /* only those of the group at hand */
    bool streamed, begun;
    uint32_t index;                 /* of the current item, from 0 */
};

/* A node of a tree that is being made. */
struct node_name {
    const struct carry_maker *maker;    /* whose tree_id and tree_parent these are; NULL: no tree */
    uint64_t number, parent;            /* 0: no parent */
};

/* Gets each value or object that a walk comes to. 0 goes on, 1 stops the walk, negative is an error. */
typedef int visit_fn(struct carry *c, const struct spot *s, void *ctx, struct err *err);

/* --- carry_walk.c --- */

/* Notes that a node was taken. */
int carry_mark(const struct spot *s, uint32_t node, struct err *err);
bool carry_is_marked(const struct spot *s, uint32_t node);
void carry_clear_marks(struct carry *c);
bool carry_is_scalar_node(const struct json_node *n);
/* Is the list of this name in an object the one that the record is split by? Then only items of the group at hand
 * count. */
bool carry_is_split(const struct carry *c, const struct spot *object, struct slice name);
/* The items of a list. Of a streamed record one list at a time: ERR_LIMIT for another. carry_items_end() follows in any
 * case. */
int carry_items_begin(struct carry *c, const struct spot *list, bool split, struct list_items *l, struct spot *item,
                      struct err *err);
/* 1: *item is the next one; 0: there is none. */
int carry_items_next(struct carry *c, struct list_items *l, struct spot *item, struct err *err);
/* Where next will find an item. */
uint64_t carry_items_place(const struct list_items *l);
void carry_items_end(struct carry *c, const struct list_items *l);
/* What the steps of p from i on lead to, seen from s; or all of a path, from its frame. */
int carry_walk(struct carry *c, const struct carry_path *p, unsigned i, const struct spot *s, visit_fn *visit, void *ctx,
               struct err *err);
int carry_walk_path(struct carry *c, const struct carry_path *p, visit_fn *visit, void *ctx, struct err *err);
/* The value at a spot, which is then taken; of a path the first. Texts lie in the source or in `scratch`. */
int carry_read_value(struct carry *c, const struct spot *s, struct value *v, struct err *err);
int carry_path_value(struct carry *c, const struct carry_path *p, struct value *v, struct err *err);
/* A visit_fn: the first value; ctx is a struct value. */
int carry_take_first(struct carry *c, const struct spot *s, void *ctx, struct err *err);
/* "lines[3].quantity"; valid until the next. */
struct slice carry_path_text(struct carry *c, const struct carry_path *p);
void carry_say(struct carry *c, const struct map_write_finding *f);
/* An error about the source's field at `path`, found while the field at hand was made. */
void carry_refuse(struct carry *c, const char *code, struct slice path, struct slice value, const char *found,
                  const char *expected);

/* The error when an arena has given nothing: memory is out, or one of ours is as large as it may be. */
int carry_no_room(const struct carry *c, struct err *err);

/* --- carry_values.c --- */

/* Operands of m from *i on, as long as operators bind at least so tightly. */
int carry_compute(struct carry *c, const struct carry_maker *m, unsigned *i, unsigned least, struct value *v,
                  struct err *err);
int carry_convert_all(struct carry *c, const struct carry_maker *m, struct value *v, struct err *err);
/* Are all conditions true? 1, 0 or negative. */
int carry_holds(struct carry *c, const struct carry_maker *m, struct err *err);

/* --- carry_make.c --- */

/* What is in memory goes to the temporary file when it is much. */
int carry_spill(struct carry *c, struct err *err);
/* The members of an object; `copied`: what nothing makes is taken over from there, or NULL. *any: was there one before,
 * and after. */
int carry_make_members(struct carry *c, const struct carry_object *o, const struct spot *copied,
                       const struct node_name *name, bool *any, struct err *err);

/* --- carry_recall.c --- */

int carry_recall_all(struct carry *c, const struct carry_recall *how, struct err *err);
void carry_recalled_clear(struct recalled *r);
/* Nothing is taken any more. */
void carry_recalled_again(struct recalled *r);

/* --- carry_lost.c --- */

int carry_tell_lost(struct carry *c, struct err *err);

#endif
