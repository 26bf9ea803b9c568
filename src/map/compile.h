/* compile: see compile.c. Only for src/map. */
#ifndef WAYBILL_MAP_COMPILE_H
#define WAYBILL_MAP_COMPILE_H

#include "map/map.h"
#include "map/syntax.h"

enum { MOST_SCOPES = 2000 };

/* ERR_CONFIG, ERR_NOMEM. map->record must be set. */
int map_compile(struct maps *maps, struct arena *arena, const struct map *map, const struct guide *guide,
                struct complaints *c, const struct map_plan **plan_r, struct err *err);
/* A table of the map, of those it is made from, or of the maps directory. NULL: none, or complained. */
const struct map_table *maps_table(struct maps *m, const struct map *map, struct slice name, struct complaints *c);

#endif
