/*
 * compare: two trees of what documents say, and what is different in them.
 *
 * A tree is made of objects (members by name), lists (items) and values. It knows nothing of EDI or JSON: whoever
 * makes it (flow/comparable.h) says what a value means, which lists have an order, and which values tell what an
 * item is.
 *
 * Items of a list without an order are paired by what only they share: equal ones first, then those that have in
 * common what few others have (an item's number, a name, a code that tells what it is), then neighbours of pairs
 * that are alike. So an item put in between is one difference, and not one for every item behind it.
 *
 * Trees lie in an arena of the caller's; text borrows from wherever it came from. Nothing is printed.
 */
#ifndef WAYBILL_FLOW_COMPARE_H
#define WAYBILL_FLOW_COMPARE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum compare_type { COMPARE_VALUE, COMPARE_OBJECT, COMPARE_LIST };

enum compare_flag {
    COMPARE_RAW = 1,        /* a value that JSON writes without quotes */
    COMPARE_ORDERED = 2,    /* a list whose order means something; lists of values always have one */
    COMPARE_SINGLE = 4,     /* a list that has one item at most: two of them are a pair, however different */
    COMPARE_SILENT = 8,     /* an object that a path passes without naming it */
    COMPARE_KEY = 16,       /* a value that tells what its object is: a qualifier */
    COMPARE_ID = 32,        /* a number that means nothing but what others of the list refer to: HL01 */
    COMPARE_REFERENCE = 64, /* which refers to it: HL02 */
    COMPARE_SLASH = 128     /* stands behind a slash in a path, as segments and loops do */
};

struct compare_node {
    uint8_t type;               /* enum compare_type */
    uint8_t flags;              /* enum compare_flag */
    struct slice name;          /* of an object's member: as paths show it */
    struct slice label;         /* of a list's item: what stands in a path in place of its index; empty: "[2]" */
    struct slice words;         /* what it is, for people; may be empty */
    struct slice value;         /* of a value: as it was written */
    struct slice meaning;       /* and what counts: two spellings of one number have the same */
    struct compare_node *first, *last, *next;
    uint32_t n;                 /* members or items */
    uint32_t index;             /* in its list, from 0 */
    uint64_t hash;              /* of what it means; compare_finish() */
};

/* A node, put behind the others of its parent (NULL: a root). NULL: no memory. */
struct compare_node *compare_add(struct arena *arena, struct compare_node *parent, enum compare_type type,
                                 struct slice name);
/* A value; `meaning` may be the same slice. */
struct compare_node *compare_add_value(struct arena *arena, struct compare_node *parent, struct slice name,
                                       struct slice value, struct slice meaning);
/* When the tree is whole, before it is compared. */
void compare_finish(struct compare_node *root);

enum { COMPARE_DEPTH = 96 };    /* objects and lists inside each other; what is deeper is not compared: ERR_LIMIT */

enum difference_kind { DIFFERENCE_CHANGED, DIFFERENCE_ADDED, DIFFERENCE_REMOVED, DIFFERENCE_RENUMBERED };

/* One difference. RENUMBERED: a member that only counts the items of its list, in `items` pairs; the first pair is
 * shown. */
struct difference {
    enum difference_kind kind;
    const struct compare_node *a, *b;           /* NULL: not there */
    const struct compare_node *const *path_a;   /* from below the root to a; NULL where there is none */
    const struct compare_node *const *path_b;
    unsigned depth;
    uint64_t items;
};

/* Negative stops; it is then what compare_trees() returns. */
typedef int difference_fn(void *ctx, const struct difference *d);

/* Calls for every difference, in the order of a and, for what was added, of b. Returns 0, the function's negative code,
 * ERR_NOMEM or ERR_LIMIT. */
int compare_trees(const struct compare_node *a, const struct compare_node *b, difference_fn *function, void *ctx);

/* Pairs the items of two lists as compare_trees() would: partner[i] is the item of b for item i of a, or -1. */
int compare_pair(const struct compare_node *a, const struct compare_node *b, struct arena *scratch, int64_t *partner);

/* "lines[2].quantity"; where both sides differ in it "lines[2→3].quantity". */
void difference_path(const struct difference *d, struct buf *out);
/* As one side has it; false and nothing when it has none. */
bool difference_path_a(const struct difference *d, struct buf *out);
bool difference_path_b(const struct difference *d, struct buf *out);
/* A tree as JSON. */
void compare_json(const struct compare_node *node, struct buf *out);

#endif
