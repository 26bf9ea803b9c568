/* compile: see compile.c. Only for src/map. */
#ifndef WAYBILL_MAP_COMPILE_H
#define WAYBILL_MAP_COMPILE_H

#include "map/lookup.h"
#include "map/map.h"
#include "map/syntax.h"

enum { MOST_SCOPES = 2000 };

/* ERR_CONFIG, ERR_NOMEM. map->record must be set. */
int map_compile(struct maps *maps, struct arena *arena, const struct map *map, const struct guide *guide,
                struct complaints *c, const struct map_plan **plan_r, struct err *err);
/* A table of the map, of those it is made from, or of the maps directory. NULL: none, or complained. */
const struct map_table *maps_table(struct maps *m, const struct map *map, struct slice standard, struct slice name,
                                   struct complaints *c);
/* A record kind by its version; maps_newest_record() gives the newest. NULL: none, or complained. */
const struct record_kind *maps_record(struct maps *m, struct slice name, unsigned version, struct complaints *c);
/* The CSV table NAME.csv, beside the map or in the maps directory, by these columns. NULL: complained. */
const struct lookup *maps_lookup(struct maps *m, const struct map *map, struct slice name, const struct slice *key,
                                 unsigned n_keys, struct slice value, const struct place *at, struct complaints *c);

#endif
