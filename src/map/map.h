/*
 * map: two-way definitions between a document type and a record kind, read from map files and compiled for a guide.
 *
 * `maps` holds what was read: maps, tables and record kinds, from one directory (maps/x12/850-order/850-order.map,
 * maps/tables/NAME.table, maps/records/KIND.VERSION.schema.json) and from partners' files. It must outlive all
 * plans made from it; the guides that plans were compiled for must live as long. Reading changes it, so one
 * thread reads; a finished plan is only read and may be shared.
 */
#ifndef WAYBILL_MAP_MAP_H
#define WAYBILL_MAP_MAP_H

#include "edi/guide.h"
#include "record/schema.h"

struct maps;
struct map;
struct map_plan;

int maps_new(const char *directory, struct maps **maps_r, struct err *err);
void maps_free(struct maps **maps);

/* A map by its name ("x12/850-order"); by its file; or the standard's own for a set ("850") or for a record kind and
 * standard ("order", "x12"). ERR_MISSING: there is none. ERR_CONFIG: it is wrong, complaints say how; *map_r is then
 * NULL, or a map that serves only to find more errors, by map_plan_for(). */
int maps_by_name(struct maps *m, struct slice name, struct complaints *c, const struct map **map_r, struct err *err);
int maps_by_file(struct maps *m, const char *path, struct complaints *c, const struct map **map_r, struct err *err);
int maps_by_set(struct maps *m, struct slice standard, struct slice set, struct complaints *c,
                const struct map **map_r, struct err *err);
int maps_by_record(struct maps *m, struct slice standard, struct slice kind, struct complaints *c,
                   const struct map **map_r, struct err *err);

/* A kind of record, its newest version. NULL: none, or complained. */
const struct record_kind *maps_newest_record(struct maps *m, struct slice name, struct complaints *c);
/* The kind of record whose name is like that; empty: there is none. Valid as long as the maps are. */
struct slice maps_like_record(struct maps *m, struct slice name);

struct slice map_name(const struct map *map);
struct slice map_title(const struct map *map);
/* "x12/004010/850": the first of its guides; i counts from 0; empty when there is none. */
struct slice map_guide(const struct map *map, unsigned i);
/* The set in that name, "850". */
struct slice map_set(const struct map *map);
const struct record_kind *map_kind(const struct map *map);
/* Is it between two kinds of record? Then it has no guide, map_kind() is what it makes, map_from_kind() what it is made
 * of, and map/carry.h runs it. */
bool map_between_records(const struct map *map);
const struct record_kind *map_from_kind(const struct map *map);

/* Compiles the map for a guide (kept for the next time). Complaints tell what is not invertible, unknown, claimed
 * twice, or must be mapped and is not. */
int map_plan_for(struct maps *m, const struct map *map, const struct guide *guide, struct complaints *c,
                 const struct map_plan **plan_r, struct err *err);

#endif
