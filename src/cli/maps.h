/* maps: where the folder of guides, maps and record schemas is, and which guides and maps lie in it. */
#ifndef WAYBILL_CLI_MAPS_H
#define WAYBILL_CLI_MAPS_H

#include "base/buf.h"
#include "base/err.h"

/* The folder: `option` (--maps) when it is not NULL; else WAYBILL_MAPS of the environment; else maps/ beside the folder
 * of this executable, as in a source tree built in build/; else share/waybill/maps/ of the prefix that it lies in; else
 * the one fixed when it was built. The path is put in *path_r, terminated. ERR_CONFIG: none of them is there. */
int maps_find(const char *option, struct buf *path_r, struct err *err);

/* A sorted list of names. */
struct maps_list {
    char **name;
    size_t n, room;
};

/* All files below `folder` whose names end in `suffix`, as paths relative to it without the suffix
 * ("x12/004010/850" for .guide). */
int maps_list_read(const char *folder, const char *suffix, struct maps_list *list_r, struct err *err);
void maps_list_free(struct maps_list *list);
/* "850" or "004010/850" for the newest guide whose id ends so. False: none. */
bool maps_complete_guide(const struct maps_list *list, struct slice given, struct slice *id_r);
/* Whether a file of a version's folder is a guide, and not the version's segments and elements. */
bool maps_is_guide(const char *name);
/* A map lies in a folder of its own name: x12/850-order for x12/850-order/850-order. Borrows from `name`; empty: it
 * does not lie so. */
struct slice maps_map_name(const char *name);

#endif
