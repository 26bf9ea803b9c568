/*
 * writing: a plan once more, laid out for the direction from record to document. Only for src/map/write*.c.
 *
 * Where the plan goes by the guide's nodes, this goes by the record's fields: for each object a table says which
 * works a field gives reason for, so an object costs its members and what they make, not all that it might hold.
 */
#ifndef WAYBILL_MAP_WRITING_H
#define WAYBILL_MAP_WRITING_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "map/plan.h"

enum {
    FIELD_WORDS = RECORD_FIELDS / 64 + 1,   /* one more, for NO_FIELD */
    NO_FIELD = RECORD_FIELDS,
    WORK_WORDS = 8,                         /* works of one scope, 64 a word */
    MOST_MEMBERS = 4,                       /* dotted objects whose fields lie in one segment */
    MOST_KINDS = 16,                        /* kinds of nodes in a tree */
    MOST_ABOVE = 16,                        /* fields that a node takes from those above it */
    MOST_MADE = 4                           /* fields of a node that is made for those that name it */
};

enum action_kind {
    ACTION_TEXT,
    ACTION_CODE,
    ACTION_DATE,
    ACTION_PLACES,      /* implied decimals */
    ACTION_TIME,
    ACTION_DATETIME,
    ACTION_MARK,        /* a decimal: its mark is the interchange's */
    ACTION_FOLD,        /* a text in pieces, each a component */
    ACTION_SLOW,        /* several conversions, or rare ones */
    ACTION_CONSTANT,
    ACTION_PERIOD,      /* a date with its form, a range, or what is none */
    ACTION_COUNT, ACTION_SUM, ACTION_TOTAL,
    ACTION_NODE, ACTION_PARENT, ACTION_CHILDREN     /* of a tree */
};

/* Our words to the partner's codes: a hash of what record_key_words() says of a word. */
struct word_slot {
    uint64_t head, tail;
    uint64_t n;
    const struct map_table_row *row;    /* NULL: empty */
};

struct words {
    struct words *next;
    const struct map_table *table;
    struct word_slot *slot;
    unsigned shift;
    uint32_t mask;
};

enum { ADDS_TOTAL = UINT8_MAX };

/* One value on its way out. */
struct action {
    uint8_t kind;
    uint8_t element;            /* from 1 */
    uint8_t component;          /* 0: the element itself */
    uint8_t places;
    bool guarded;               /* op->guard */
    bool odd;                   /* guard, inheritance, default, beside: a second look is needed */
    bool free;                  /* neither guard nor inheritance */
    uint8_t adds;               /* 1 + number of the check that adds it up; ADDS_TOTAL: plan->total does */
    uint8_t check;              /* ACTION_COUNT, ACTION_SUM, ACTION_TOTAL */
    uint8_t above;              /* 1 + number of the field that a node takes from those above it; 0: it does not */
    bool below;                 /* a node that is made for it may say it instead */
    uint16_t field, beside, inherits;
    uint16_t only, unless;      /* ACTION_CONSTANT: of its conditions two that are quickly seen, or NO_FIELD */
    const struct map_op *op;
    const struct words *words;
    const struct element_use *use;      /* of the element or component; NULL where the guide has none */
    struct slice constant;      /* ACTION_CONSTANT; otherwise what stands there when the field is absent */
    const struct record_field *list;    /* it belongs to the items of a list: for the path */
};

/* A list inside a segment. */
struct spread {
    const struct map_take *take;
    struct action *action;
    unsigned n_actions;
    struct action **odd;        /* of the pairs' own */
    unsigned n_odd;
    unsigned shared;            /* actions from here on are shared */
    uint16_t field;
    struct scope_work *item;    /* of pairs: what an item may hold; NULL: scalars */
    uint16_t shared_field[16];  /* the fields those actions read */
    unsigned n_shared_fields;
    uint8_t check;              /* 1 + the first check that counts the list; 0 */
    bool begins;                /* another one behind it goes on with what does not fit here */
    bool goes_on;               /* another one before it has begun */
};

enum work_kind { WORK_SEGMENT, WORK_LIST, WORK_PAIRS, WORK_FOLD, WORK_ALWAYS, WORK_NODES };

struct work {
    uint8_t kind;
    bool rival;                 /* another work before it writes the same list: only what fits its qualifier */
    bool states;                /* what it says of plan->total is held against the sum */
    bool opens;                 /* the first segment of a loop that is no object of its own */
    bool below;                 /* has such actions */
    uint64_t inside[WORK_WORDS];    /* and the works inside of that loop */
    const struct map_take *take;
    struct slice tag;
    uint16_t segment;           /* its node */
    const struct map_select *select;
    unsigned n_select;
    struct action *action;      /* of the scope's own fields */
    unsigned n_actions;
    uint64_t mask[FIELD_WORDS]; /* fields whose one action is in here and plain: scope_work.plain */
    struct action **odd;        /* all others */
    unsigned n_odd;
    struct spread *spread;      /* lists inside the segment; WORK_PAIRS: just one */
    unsigned n_spreads;
    uint16_t field;             /* WORK_LIST, WORK_FOLD */
    struct scope_work *scope;   /* WORK_LIST */
    struct scope_work *member[MOST_MEMBERS];    /* objects that have fields in this segment, or begin with it */
    uint16_t member_field[MOST_MEMBERS];
    const struct record_field *member_name[MOST_MEMBERS];
    unsigned n_members;
    uint8_t check;              /* 1 + the first check that counts the list; 0 */
};

/* A field's name, as it is compared with what probably comes next. */
struct field_name {
    uint64_t head, tail, head_mask, tail_mask;
    uint32_t n;
    uint8_t type;               /* enum json_type that its values have */
    bool careful;               /* there is more to hold against the kind */
    bool lost;                  /* no line writes it */
    uint8_t element;            /* of the own segment (of pairs: the first) where it goes as it is; 0: elsewhere */
    bool settled;               /* with collect_own() there is nothing more to do for it */
    uint16_t follows, followed; /* the fields that stood behind this one the last times */
};

struct scope_work {
    const struct map_scope *scope;      /* NULL: of the items of pairs */
    const struct record_object *object;
    struct field_name *name;            /* [object->n + 1]: the last is the object's beginning */
    struct action **plain;              /* [object->n]: the one action of a field, NULL: none, several, or odd ones */
    uint64_t direct[FIELD_WORDS];       /* fields whose plain action is of the own segment, or of the pairs */
    unsigned present_words;
    uint64_t required[FIELD_WORDS];
    struct work owner;                  /* its own segment; tag empty: none */
    struct work *work;
    unsigned n_works;
    unsigned n_words;                   /* of the sets of works */
    uint64_t *gives;                    /* [object->n * n_words]: works that a field gives reason for */
    uint64_t always[WORK_WORDS];
    uint64_t written[FIELD_WORDS];      /* fields that some line writes */
    uint64_t guarded[FIELD_WORDS];      /* of these: only if another field says so */
    bool any_guarded;
    bool any_opens;
    bool any_below;
    /* an item that differs from the one before in its row alone joins its segment */
    uint16_t row;                       /* the row's loop, 0: none */
    uint16_t row_from, row_to;          /* nodes of the row: works before and behind it keep an item apart */
    uint64_t shared[FIELD_WORDS];       /* fields that it must have alike: of the own segment, and what rows share */
    uint64_t before[WORK_WORDS], behind[WORK_WORDS];    /* what rows do not share */
    uint64_t common[WORK_WORDS], common_behind[WORK_WORDS];     /* what they share, and of it what stands behind them */
    uint16_t unmapped;                  /* the field of that name, or NO_FIELD */
    uint64_t reported[FIELD_WORDS];     /* losses told of in this record */
    struct scope_work *next;            /* all of them */
};

struct check_work {
    uint8_t kind;               /* ACTION_COUNT, ACTION_SUM, ACTION_TOTAL */
    const struct record_field *list;
    uint16_t list_field;        /* of the root */
    uint16_t item_field;        /* ACTION_SUM */
    const struct record_object *item;
    struct slice only;          /* ACTION_COUNT: nodes of this kind; empty: all items */
    bool ahead;                 /* its segment stands before the list */
    uint64_t modulus;           /* ACTION_SUM: what fits the element */
    /* of the record at hand */
    uint64_t count, sum;
};

/* A field of the root that a list's items leave out when they have the same value. */
struct inheritance {
    uint16_t field;             /* of the root */
    bool written;               /* some line writes it at the root */
    struct inherit_place {
        struct inherit_place *next;
        const struct record_field *field;   /* in the item */
        unsigned depth;
        const struct record_field *way[LIMIT_LOOP_DEPTH];   /* from the root down to the object that has it */
    } *place;
    /* of the record at hand */
    char *value;                /* all items agree on it; borrowed from the writer's arena of the record */
    size_t n;
    bool agreed, differ;
};

/* Nodes of one kind, of several that a tree has. */
struct node_kind {
    const struct map_take *take;
    struct scope_work *scope;
    bool self;                  /* the document itself */
    bool silent;                /* no line writes anything of it: what is below belongs to what is above */
    bool group;                 /* the document names it, and others below it: CPS */
    bool any_order;             /* its parent may stand behind it */
    uint64_t inside[FIELD_WORDS];   /* self: fields that are written behind its name, in the loop that has it */
    int naming;                 /* self: the work that writes its name, -1: none */
    uint64_t takes[WORK_WORDS]; /* works that take something from above */
    uint64_t hands[FIELD_WORDS];    /* fields that go to the nodes below */
};

struct writing {
    const struct map_plan *plan;
    struct scope_work *root;
    struct scope_work *all;
    struct words *words;
    struct check_work check[MOST_CHECKS];
    unsigned n_checks;
    struct inheritance *inherit;
    unsigned n_inherits;
    const struct record_field *tree;    /* the list of the root that is a tree, NULL: none */
    bool parents_first;                 /* and its nodes, all of one kind, stand behind their parents */
    struct node_kind kind[MOST_KINDS];
    unsigned n_kinds;                   /* 0: its nodes are all of one kind */
    const struct node_kind *other;      /* the kind of nodes that no line speaks of */
    uint16_t above[MOST_ABOVE];         /* fields */
    unsigned n_above;
    const struct record_field *made[MOST_MADE];     /* `below`: the first says which nodes belong together */
    unsigned n_made;
    unsigned frames;            /* objects open at once, at most */
};

/* Lays out a plan. ERR_NOMEM, ERR_CONFIG: a map too large for this. */
int writing_make(const struct map_plan *plan, struct arena *arena, struct writing *w_r, struct err *err);

static inline uint32_t word_hash(const struct words *w, uint64_t head, uint64_t tail, uint64_t n)
{
    return (uint32_t)(((head ^ (tail << 23 | tail >> 41) ^ n << 57) * 0x9E3779B97F4A7C15ull) >> w->shift);
}

/* The first row with that word, NULL: none. */
static inline const struct map_table_row *words_find(const struct words *w, struct slice word)
{
    uint64_t head, tail;
    uint32_t i;

    record_key_words(word, &head, &tail);
    for (i = word_hash(w, head, tail, word.n); w->slot[i].row; i = (i + 1) & w->mask)
        if (w->slot[i].head == head && w->slot[i].tail == tail && w->slot[i].n == word.n &&
            (word.n <= 16 || slice_eq(w->slot[i].row->word, word)))
            return w->slot[i].row;
    return NULL;
}

static inline bool bit_of(const uint64_t *set, unsigned i)
{
    return set[i / 64] >> (i % 64) & 1;
}

static inline void set_bit(uint64_t *set, unsigned i)
{
    set[i / 64] |= 1ull << (i % 64);
}

#endif
