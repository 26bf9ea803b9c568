/*
 * carry_inside: a map between records, compiled; shared by what compiles it, what runs it and what says what it leaves
 * out.
 *
 * A frame is a place of the source, or of a recalled record, that lines are relative to: frame 0 is the record itself,
 * a list has one for its items, a recall one for what it found. A maker makes the value or the items of one field.
 */
#ifndef WAYBILL_MAP_CARRY_INSIDE_H
#define WAYBILL_MAP_CARRY_INSIDE_H

#include "map/carry.h"
#include "map/carry_syntax.h"
#include "map/lookup.h"
#include "map/syntax.h"

enum { CARRY_FRAMES = 64, CARRY_BLOCKS_DEPTH = 16 };

struct carry_recall {
    struct carry_recall *next;
    unsigned number;                        /* which of the plan's, from 0 */
    unsigned frame;
    const struct record_kind *kind;         /* of a record; NULL: an item of `list` */
    struct carry_path list;
    struct carry_key key[CARRY_KEYS];
    unsigned n_keys;
    bool optional;
    struct slice name;
};

struct carry_maker {
    struct carry_maker *next;               /* fields: used when those before made nothing; lists: its items follow */
    struct carry_operand *left;
    unsigned n_left;
    struct carry_conversion *conversion;
    unsigned n_conversions;
    struct carry_condition *condition;
    unsigned n_conditions;
    /* of objects */
    unsigned frame;                         /* of the object or item at hand */
    struct carry_object *item;              /* what is made of it; NULL: values */
    struct carry_recall *recall;            /* for each */
    bool copy;                              /* members that nothing makes are taken as they are */
    const struct record_field *tree_id, *tree_parent;
    struct carry_maker *below;              /* of a tree: what makes the nodes below this one */
};

struct carry_member {
    struct carry_object *object;            /* FIELD.INNER: made of parts; NULL: of the makers */
    struct carry_maker *maker;
};

struct carry_object {
    const struct record_object *type;
    struct carry_member **member;           /* [type->n], by field; NULL: no line makes it */
};

/* A field of the source by its names alone, "lines.items.id", and what becomes of it. */
struct carry_fate {
    struct carry_fate *next;
    struct slice pattern;
    bool dropped;                           /* with all that is in it */
    bool whole;                             /* taken with all that is in it, as far as the other record has it */
};

struct carry_plan {
    const struct map *map;
    const struct record_kind *from, *to;
    struct carry_object *root;
    struct carry_recall *recall;            /* once for each record */
    unsigned n_frames, n_recalls;
    struct carry_fate *fate;
    struct slice split;                     /* a list of the source; empty: none */
    struct carry_path split_by;
};

/* Compiles map, whose kinds are set. Complains of all that is wrong. ERR_CONFIG, ERR_NOMEM. */
int carry_compile(struct maps *maps, struct arena *arena, const struct map *map, struct complaints *c,
                  struct carry_plan **plan_r, struct err *err);
/* Does a line take this field of the source, or anything in it? */
bool carry_is_taken(const struct carry_plan *plan, struct slice path);
/* Does a line take it with all that is in it, or is it in what is taken so? */
bool carry_is_taken_whole(const struct carry_plan *plan, struct slice path);
/* Is the field `pattern`, or one that it is in, dropped on purpose? */
bool carry_is_dropped(const struct carry_plan *plan, struct slice pattern);
/* Is something in it? */
bool carry_drops_inside(const struct carry_plan *plan, struct slice pattern);
/* What is the machine's own in every record, and never a line's: record, version, id, ... */
bool carry_is_envelope(struct slice name);

#endif
