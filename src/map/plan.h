/*
 * plan: a map compiled for one guide: what the runner does at each node when it reads, and in which order it
 * writes. Only src/map looks in here.
 *
 * A scope is one block of the map at one place of the guide: it stands for one object of the record and for one
 * loop (or one segment) of the document. A take is what a scope does with one segment, or with a loop inside.
 * Both directions walk the same scopes and takes.
 */
#ifndef WAYBILL_MAP_PLAN_H
#define WAYBILL_MAP_PLAN_H

#include "edi/guide.h"
#include "map/table.h"
#include "record/schema.h"

enum conversion_kind {
    CONVERT_CODE,       /* table */
    CONVERT_DATE,
    CONVERT_TIME,
    CONVERT_DATETIME,   /* of up to three elements: date, time, zone */
    CONVERT_DECIMAL,
    CONVERT_IMPLIED,    /* number[0] places */
    CONVERT_LESS,       /* a whole number, in the record number[0] less than in the document */
    CONVERT_FOLD,       /* number[0] characters a piece */
    CONVERT_TRIM,
    CONVERT_UPPER,
    CONVERT_PAD,        /* number[0] characters, on the left with text */
    CONVERT_PREFIX,     /* text; number[0]: only with so many characters in the document, 0: with any */
    CONVERT_DEFAULT,    /* text */
    CONVERT_CONST,      /* text; writes only */
    CONVERT_OR,         /* text: written where the field is absent */
    CONVERT_PERIOD,     /* text: the element that says the form of the date */
    CONVERT_INHERIT,    /* field: of the root */
    CONVERT_TREE,       /* of a list: its items are nodes of a hierarchy */
    CONVERT_ANY_ORDER,  /* of a tree: a parent may stand behind its children */
    CONVERT_MIDNIGHT,   /* of CONVERT_DATETIME: a date without a time is written with 0000 */
    CONVERT_ABOVE,      /* in a node: when writing, what it has not itself is that of the nearest node above */
    CONVERT_BELOW,      /* in a node: text FIELD = VALUE: nodes that have it stand below such a node, which has it */
    CONVERT_NODE,       /* a node's name: its number in the record; the compiler's own, for the field `id` of a tree */
    CONVERT_PARENT,     /* the name of a node before it, for `parent` */
    CONVERT_CHECK_COUNT,
    CONVERT_CHECK_SUM,
    CONVERT_CHECK_TOTAL,        /* an algebraic total: map_plan.total */
    CONVERT_CHECK_CHILDREN      /* 1 or 0: are there nodes below */
};

struct conversion {
    uint8_t kind;
    uint32_t number[2];
    struct slice text;
    const struct map_table *table;
    const struct record_field *field;
};

/* A field, and `"name":"` as in map_op. */
struct map_name {
    const struct record_field *field;   /* NULL: there is none */
    const char *key;
    uint8_t key_n;
};

/* CONVERT_PERIOD: where the form of the date stands, and what else is made of it. */
struct map_period {
    uint8_t element, component;
    struct map_name until;              /* the end of a range */
    struct map_name clock;              /* the time of the day, where the op's field is a date */
    struct map_name other;              /* what is no date, as it stands */
};

struct map_select {
    uint8_t element;
    uint8_t component;          /* 0: the element itself */
    uint64_t key;
    struct slice text;
};

/* A condition of a line. */
struct map_guard {
    const struct record_field *field;
    struct slice value;                 /* empty: any, or with `absent` none */
    bool absent;                        /* with a value: another, or none */
    uint8_t origin;                     /* enum guard_origin */
    uint8_t op;                         /* GUARD_HERE: number of the take's op that gives the field, plus 1; 0: none */
};

/* Where the reader knows a condition's field from. */
enum guard_origin {
    GUARD_HERE,         /* another op of the take */
    GUARD_BEFORE,       /* a segment that stands before: map_scope.watch */
    GUARD_SAID,         /* this line's qualifier says it */
    GUARD_NOBODY        /* `absent`, and nothing gives the field */
};
enum { MOST_WATCHED = 32 };

/* One value: an element (or several, for a date with its time) and a field. */
struct map_op {
    uint8_t quick;              /* enum quick_op, for reading */
    uint8_t element[3];         /* from 1; further ones are 0 */
    uint8_t component;          /* 0: the element itself */
    uint8_t direction;          /* DIRECTION_… */
    uint8_t decimals;           /* QUICK_IMPLIED */
    uint8_t key_n;              /* bytes of key */
    uint8_t beside_n;
    uint8_t next;               /* the next op of the same element, plus 1 */
    uint8_t gives;              /* of the root: others inherit its value, from slot gives - 1; 0: none does */
    uint8_t takes;              /* inherits from slot takes - 1 when it has no value of its own */
    bool marked;                /* the element is EDIFACT's: a decimal's mark may be a comma */
    bool counted;               /* its values are added up: check sum */
    uint8_t odd;                /* ODD_…, for reading */
    bool above;                 /* CONVERT_ABOVE */
    bool below;                 /* CONVERT_BELOW */
    bool midnight;              /* CONVERT_MIDNIGHT */
    bool kept;                  /* QUICK_CODE: a code without a row is written as it is, its word beside nothing */
    uint64_t needs;             /* elements without which reading it does nothing */
    const char *key;            /* "name":" and 32 readable bytes; "" for items of a list of scalars: just the quote */
    const char *beside_key;
    const struct record_field *field;
    const struct record_field *beside;
    struct conversion *conversion;
    unsigned n_conversions;
    const struct map_table *table;      /* of CONVERT_CODE, NULL: none */
    const struct slice *texts;          /* QUICK_CODE: by row, all that reading it writes; 64 readable bytes each */
    struct slice fallback;              /* CONVERT_DEFAULT: the canonical word; empty: none */
    struct slice absent;                /* CONVERT_OR: the canonical word; empty: none */
    const struct map_period *period;    /* QUICK_PERIOD */
    uint8_t span;                       /* QUICK_FOLD: how many components, from `component` on, make the text */
    const struct map_guard *guard;      /* if FIELD = VALUE and … */
    unsigned n_guards;
    uint8_t inside;             /* QUICK_GUARDED: how it is run where its conditions hold */
    const struct map_select *select;    /* of a block's own segment: a qualifier that only this line has */
    uint8_t n_select;
    bool behind;                /* an op before it that has one may take its element */
    uint32_t line;
};

/* Is the element of an op the one of another, `own`, or its qualifier? */
static inline bool map_op_shares(const struct map_op *own, const struct map_op *op)
{
    bool same = op->element[0] == own->element[0] && op->component == own->component;
    for (unsigned i = 0; i < own->n_select; i++)
        same |= op->element[0] == own->select[i].element && op->component == own->select[i].component;
    return same;
}

enum quick_op {
    QUICK_TEXT,
    QUICK_DECIMAL,      /* of an element of type R: may have an exponent */
    QUICK_DATE,
    QUICK_CODE,
    QUICK_IMPLIED,
    QUICK_MARKED,       /* a decimal of EDIFACT: its mark may be a comma */
    QUICK_DATETIME,
    QUICK_PERIOD,
    QUICK_FOLD,
    QUICK_NODE,         /* CONVERT_NODE or CONVERT_PARENT */
    QUICK_CHILDREN,
    QUICK_GUARDED,      /* with conditions on the same segment */
    QUICK_SAID,         /* the qualifier says `field`: guard[0].value */
    QUICK_TELL,         /* notes which conditions of other segments hold */
    QUICK_SLOW,
    QUICK_NONE          /* writes only */
};
/* For reading, of an op: it is `counted`; a component that is not the first; of plan->total: one of its values, of its
 * field, or what is said of them; QUICK_MARKED of an element that may hold other text, too */
enum { ODD_COUNTED = 1, ODD_LATER = 2, ODD_VALUE = 4, ODD_FIELD = 8, ODD_STATED = 16, ODD_TEXT = 32 };
enum { ODD_TOTAL = ODD_VALUE | ODD_STATED };
enum { DIRECTION_READ = 1, DIRECTION_WRITE = 2, DIRECTION_BOTH = 3 };

enum { MOST_SELECTS = 4, MOST_INHERITED = 16 };

enum take_kind {
    TAKE_SEGMENT,       /* its ops: fields of the scope's object */
    TAKE_SCOPE,         /* a scope of its own for each occurrence: item of a list, or the one object */
    TAKE_PAIRS,         /* each group of elements an item of a list */
    TAKE_SPREAD,        /* each element an item of a list of scalars */
    TAKE_FOLD,          /* pieces of one text */
    TAKE_CHECK,         /* computed */
    TAKE_ALWAYS         /* written though it carries nothing */
};

/* A field, as map_op's, and its bit in the instance. */
struct map_noted {
    const struct record_field *field;
    const char *key;
    uint8_t key_n;
    uint64_t bit;
};

/* What takes part in writing a list or object into the record's text. */
struct map_take {
    struct map_take *next;          /* of the same node, in the map's order */
    uint16_t node;                  /* segment, or for TAKE_SCOPE the loop */
    uint16_t segment;               /* the segment node: node, or the loop's first */
    uint32_t place;                 /* what it is sorted by for writing */
    uint8_t kind;
    uint8_t n_select;
    uint64_t once;                  /* bit in the instance: takes one occurrence only; 0: all */
    uint64_t blocked;               /* bits in the instance that keep it from taking any: that one, and those of fields that
                                       another take fills, too */
    struct map_noted *noted;        /* TAKE_SEGMENT: fields of which it is noted that they have a value */
    unsigned n_noted;
    bool owner;                     /* the scope's own segment; pairs and spreads: part of a TAKE_SEGMENT */
    bool constants_only;            /* writes nothing of the record */
    uint8_t direction;              /* TAKE_SCOPE: DIRECTION_… */
    struct map_select select[MOST_SELECTS];
    struct map_op *op;
    unsigned n_ops;
    uint64_t wanted;                /* elements that ops name */
    uint64_t covered;               /* and those that qualifiers name */
    uint64_t quick;                 /* elements whose ops are run one by one: by_element */
    uint64_t slow;                  /* elements of ops that need several elements, or none: `late` of them */
    uint8_t *by_element;            /* [64] number of the first op of an element, plus 1 */
    uint8_t *late;                  /* numbers of the ops of `slow`, in the map's order */
    unsigned n_late;
    bool mixed;                     /* running by element would not give the map's order of fields */
    uint32_t *components;           /* [element - 1]: bits of the components that ops and qualifiers name, where they
                                       name any; NULL: none are named */
    uint64_t partly;                /* elements of which `components` names any */
    /* the most that its ops write of one segment, or pairs and spreads of one group: six times the segment's bytes
     * (as JSON may have to escape them) for each of `copies`, and `fixed` bytes */
    size_t copies, fixed;
    /* lists */
    const struct record_field *field;   /* of a list, object or folded text; NULL otherwise */
    struct slice open;              /* `"lines":[` or `"ship_to":` */
    struct map_scope *scope;
    uint8_t first, last, group;     /* pairs and spread: elements, and how many make an item */
    uint8_t n_slots;                /* items in a segment */
    uint8_t *slot;                  /* the first element of each, where they do not stand one behind the other; or NULL */
    uint64_t range;                 /* all their elements */
    uint8_t n_parts;                /* TAKE_SPREAD: of so many components of the one element; 0: of elements */
    bool both;                      /* TAKE_SEGMENT: all its ops go both ways */
    bool picky;                     /* TAKE_SEGMENT: has dates that it takes only in forms it can keep, or conditions */
    const struct map_guard *guard;  /* TAKE_SEGMENT: of all its ops, on fields of other segments */
    unsigned n_guards;
    uint32_t holds, fails;          /* bits of map_scope.watch that must be set, and must not */
    bool tells, saying;             /* has an op QUICK_TELL, QUICK_SAID */
    bool shares;                    /* fills a field that another take fills, too */
    bool common;                    /* `shared`: all items that the rows of its scope make have what it writes */
    bool elsewhere;                 /* what it writes goes to no open list: it is common, nodes of a kind, or gathers */
    bool repeats;                   /* spread, fold: over several segments */
    bool gathers;                   /* reading: other lines stand between this one and another of its list */
    uint32_t fold;
    struct map_take *pairs;         /* of a TAKE_SEGMENT: its pairs and spreads, one after the other by `pairs` */
    unsigned shared;                /* TAKE_PAIRS: ops from this one on are shared by all items of a segment */
    uint32_t line;
};

/* The op that gives a field to conditions; NULL: there is none. */
static inline const struct map_op *map_giver(const struct map_take *t, const struct record_field *field)
{
    for (unsigned i = 0; i < t->n_ops; i++)
        if (t->op[i].field == field && t->op[i].quick != QUICK_GUARDED && t->op[i].direction & DIRECTION_READ)
            return &t->op[i];
    return NULL;
}

/* How far the elements of item k are from those of the first. */
static inline unsigned map_shift(const struct map_take *t, unsigned k)
{
    return __builtin_expect(t->slot != NULL, 0) ? (unsigned)(t->slot[k] - t->first) : k * t->group;
}

struct map_scope {
    uint16_t number;
    struct map_scope *parent;
    const struct record_object *object;
    uint16_t node;                  /* loop or segment */
    bool loop;
    bool list;                      /* an item of a list, otherwise the one object */
    bool implied;                   /* made for a dotted name: left out when empty */
    uint16_t first, end;            /* nodes it may speak of: [first, end) */
    uint16_t row;                   /* the loop inside of which each occurrence makes an item; 0: none */
    bool common;                    /* some of its takes are */
    uint8_t bits;                   /* used of an instance's `once` */
    struct map_take **program;      /* [end - first] reading: the chain of a node */
    struct map_take **order;        /* writing */
    unsigned n_order;
    struct map_take *owner;         /* what it does with its own segment; NULL for the root */
    struct map_select select[MOST_SELECTS];     /* constants of its own segment, from the line that opens it */
    uint8_t n_select;
    struct map_guard *watch;        /* conditions that lines have on fields of segments before theirs, each once */
    uint8_t n_watch;
    bool tree;                      /* its items are nodes: fields `id` and `parent` */
    /* of a tree with nodes of several kinds */
    bool kind;                      /* its items are nodes of one kind, told by a field: kind_field = kind_value */
    bool self;                      /* `.`: the document itself is the node */
    bool named;                     /* the document names its nodes: it has lines for `id` and `parent` */
    const struct record_field *kind_field;
    struct slice kind_value;
    struct slice lead;              /* `"level":"item",` and 32 readable bytes */
    struct map_take *document;      /* of the root: the node that the document itself is; NULL */
    struct map_noted *needs;        /* of the root: fields that the record must have and a document may lack; of lists the
                                       bit is 0 */
    unsigned n_needs;
    bool odd_begin, odd_end;        /* there is more to do where an object begins, or ends */
    bool keeps;                     /* its object has a field `unmapped` */
    bool leaf;                      /* one segment, whose fields are all there is to its object */
    uint8_t counted;                /* of a kind: 1 + number of the check that counts its nodes; 0: none does */
    uint32_t line;
};

enum { MOST_CHECKS = 16 };

/* `CNT[1].6066 check total LIN.QTY.6060 or lines.quantity`: what a document says of the sum of values. */
struct map_total {
    uint16_t segment;                   /* where it is said */
    uint8_t element, component;
    struct map_select select[MOST_SELECTS];
    uint8_t n_select;
    bool stated;                        /* written `->`: it is compared, and is a matter of other lines */
    uint16_t value_segment;             /* where the values are */
    uint8_t value_element, value_component;
    const struct record_field *list, *field;    /* many add up this field alone */
};

struct map_plan {
    struct map_plan *next;
    const struct guide *guide;
    struct map_scope *root;
    unsigned n_scopes;
    unsigned n_checks;
    bool inherits;
    bool kinds;                     /* its tree has nodes of several kinds */
    const struct record_field *made_kind;   /* CONVERT_BELOW: what makes a node one of those, and the value; NULL: none */
    struct slice made_value;
    unsigned n_inherited;           /* slots */
    struct map_total *total;        /* NULL: there is none */
    const struct map *map;
};

#endif
