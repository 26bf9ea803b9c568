/*
 * carry_syntax: the lines of a map between two kinds of record, as they were read, before anything is looked up.
 *
 *     LEFT -> RIGHT [as NAME] [conversions] [if CONDITION]
 *       lines of the object that is made
 *     recall KIND by FIELD [= PATH] [or …] as NAME [optional]
 *     drop FIELD …     without FIELD …     must map FIELD …     use BLOCK
 *
 * doc/waybill-map.5, "MAPS BETWEEN RECORDS", says what they mean. Slices borrow from the file; all else is in the
 * arena of the maps.
 */
#ifndef WAYBILL_MAP_CARRY_SYNTAX_H
#define WAYBILL_MAP_CARRY_SYNTAX_H

#include "base/complain.h"
#include "record/schema.h"

enum { CARRY_STEPS = 8, CARRY_WHERES = 3 };

/* One name of a path: `items`, `items[]`, `items[2]`, `items[scheme=gtin-13]`, `groups[marks,!pallet]`. */
struct carry_step {
    struct slice name;
    bool list;                      /* it stands before [ ] */
    uint32_t nth;                   /* from 1; 0: any */
    struct {
        struct slice name, value;
        bool compares;              /* with value; otherwise it only has to be there */
        bool negated;               /* != and ! */
    } where[CARRY_WHERES];
    unsigned n_wheres;
};

struct carry_path {
    struct carry_step step[CARRY_STEPS];
    unsigned n;                     /* 0: the object around the line itself, written "." */
    struct slice text;              /* as written */
    struct place at;
    /* looked up by carry_compile.c */
    unsigned frame;                 /* where it starts */
    unsigned first;                 /* its first step; the one before it was a name for that frame */
    const struct record_field *field;   /* where it ends; NULL: at an object, see object */
    const struct record_object *object; /* of the object, or of the list's items, where it ends; NULL: neither */
};

enum carry_operator { CARRY_START, CARRY_OR, CARRY_JOIN, CARRY_ADD, CARRY_SUBTRACT, CARRY_TIMES, CARRY_DIVIDE };
enum carry_operand_kind { CARRY_PATH, CARRY_TEXT, CARRY_SUM, CARRY_COUNT, CARRY_ORDINAL };

struct carry_operand {
    uint8_t before;                 /* enum carry_operator: between the last operand and this one */
    uint8_t kind;                   /* enum carry_operand_kind */
    struct slice text;
    struct carry_path path;
};

struct carry_condition {
    struct carry_path path;
    struct slice value;
    bool compares;                  /* with value; otherwise whether there is one */
    bool negated;
};

enum carry_conversion_kind {
    CARRY_CODE,         /* text: the table's name */
    CARRY_LOOKUP,       /* text, key, value, with */
    CARRY_DATE,
    CARRY_TIME,
    CARRY_ROUND,        /* number: places */
    CARRY_PAD,          /* number characters, on the left with text */
    CARRY_PREFIX,
    CARRY_STRIP,        /* the opposite of prefix */
    CARRY_TRIM,
    CARRY_UPPER,
    CARRY_DEFAULT
};

enum carry_otherwise { CARRY_ELSE_REFUSE, CARRY_ELSE_KEEP, CARRY_ELSE_NOTHING, CARRY_ELSE_TEXT };
enum { CARRY_WITHS = 3 };

struct carry_conversion {
    uint8_t kind;
    uint8_t otherwise;              /* LOOKUP: when no row has it */
    uint32_t number;
    struct slice text;
    struct slice key, value, otherwise_text;
    struct {
        struct slice column;
        struct carry_path path;
    } with[CARRY_WITHS];
    unsigned n_withs;
    struct place at;
    const struct map_table *table;      /* looked up */
    const struct lookup *lookup;
};

struct carry_key {
    struct carry_path theirs;       /* in what is recalled */
    struct carry_path ours;
};

enum carry_line_kind { CARRY_LINE, CARRY_RECALL, CARRY_DROP, CARRY_WITHOUT, CARRY_MUST, CARRY_USE };
enum { CARRY_KEYS = 4 };

struct carry_line {
    struct carry_line *next, *child;
    uint8_t kind;                   /* enum carry_line_kind */
    struct carry_operand *left;
    unsigned n_left;
    struct slice right;             /* dotted, without []; of DROP, WITHOUT and MUST the field */
    bool list;                      /* RIGHT ends in [] */
    bool copy;                      /* what the lines below do not make is taken as it is */
    bool placed;                    /* of a partner's line: before or at one of the map that his is made from */
    struct slice name;              /* as NAME; the block of USE */
    struct slice tree_id, tree_parent;  /* tree ID PARENT: empty, or fields of the nodes */
    struct carry_conversion *conversion;
    unsigned n_conversions;
    struct carry_condition *condition;
    unsigned n_conditions;
    /* recall */
    struct slice recalled;          /* a kind of record, or the path of a list of one that was recalled */
    struct carry_path from;         /* that path */
    struct carry_key *key;          /* [n_keys] */
    unsigned n_keys;
    bool optional;
    struct place at, right_at;
};

#endif
