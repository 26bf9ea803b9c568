/*
 * coverage: what a map leaves out of its guide and of its record, by name and in both directions.
 *
 *     map_coverage(plan, take_gap, ctx, &count, &err);
 *
 * An element counts for each of its places in the guide. It is read when every segment of that place has it read,
 * whatever its qualifier and however often it occurs; so a map with nothing but a line for REF[IA] reads REF02 only
 * partly. Qualifiers, constants and computed values count as read and written, and ST and SE, the envelope's, do
 * not count at all. A field counts for each object of the record that some line makes.
 *
 * Works on a plan without changing it; keeps nothing.
 */
#ifndef WAYBILL_MAP_COVERAGE_H
#define WAYBILL_MAP_COVERAGE_H

#include "map/map.h"

enum gap_kind {
    GAP_ELEMENT,        /* an element or component, or neighbours */
    GAP_SEGMENT,        /* no element of the segment is taken */
    GAP_LOOP,           /* nothing in the loop is taken */
    GAP_QUALIFIERS,     /* segments or loops with other qualifiers than those that lines name, or further ones */
    GAP_FIELD,          /* a field */
    GAP_OBJECT          /* an object or list of objects: nothing in it */
};

/* Slices are valid during the call only. */
struct coverage_gap {
    enum gap_kind kind;
    struct slice path;          /* PO1/MEA.MEA04-2..MEA04-15, CUR07..CUR21, N1[BY]/N4; lines.items.id */
    struct slice name;          /* in words, may be empty */
    bool in;                    /* reading: the element is not read, the field is not filled */
    bool out;                   /* writing: the element is not written, the field is not written */
    unsigned elements;          /* of the guide: how many these are */
};

struct coverage {
    unsigned elements, read, written;   /* of the guide */
    unsigned fields, filled, given;     /* of the record: filled when reading, written when writing */
};

/* Negative stops; map_coverage() then returns that. */
typedef int coverage_gap_fn(void *ctx, const struct coverage_gap *gap);

/* Tells of every gap, the guide's in its order, then the record's in the schema's; function may be NULL. */
int map_coverage(const struct map_plan *plan, coverage_gap_fn *function, void *ctx, struct coverage *coverage_r,
                 struct err *err);

/* Of two maps of one kind of record: tells of every field that `from` fills and `to` does not write, in the schema's
 * order. coverage_r->fields are those that `from` fills; given: which of these `to` writes. */
int map_coverage_between(const struct map_plan *from, const struct map_plan *to, coverage_gap_fn *function, void *ctx,
                         struct coverage *coverage_r, struct err *err);

/* After the map was compiled for all guides that it names: complains of each line whose left side none of them
 * has. False when there was one. Of a map made from another only its own lines are looked at. */
bool map_lines_found(const struct map *map, struct complaints *c);

#endif
