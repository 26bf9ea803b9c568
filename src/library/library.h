/*
 * library: what the files of this room share: the folder of guides and maps behind `struct waybill`, errors, and the
 * values that options have in common. Nobody else includes it.
 */
#ifndef WAYBILL_LIBRARY_LIBRARY_H
#define WAYBILL_LIBRARY_LIBRARY_H

#include <pthread.h>

#include "waybill.h"

#include "edi/finding.h"
#include "edi/guide.h"
#include "edi/write.h"
#include "map/map.h"

enum { LIBRARY_FILES = 32 };    /* maps, and guides, that one reader or writer is given */

struct kept_guide;

/* Guides have a lock of their own; `lock` is for everything else. */
struct waybill {
    pthread_mutex_t lock;
    struct guides *guides;
    struct maps *maps;
    struct kept_guide *guide;   /* read from files that callers named */
};

/* What readers and writers are told to use in place of the folder's own. */
struct library_choice {
    const struct map *map[LIBRARY_FILES];
    unsigned n_maps;
    const struct guide *guide[LIBRARY_FILES];
    unsigned n_guides;
};

int library_add_map(struct waybill *w, struct library_choice *choice, const char *name, bool is_file,
                    struct complaints *c, struct err *err);
int library_add_guide(struct waybill *w, struct library_choice *choice, const char *path, struct complaints *c,
                      struct err *err);
/* The map for a set, with its plan for a guide. Without one *plan_r is NULL and the result 0. */
int library_plan_to_read(struct waybill *w, const struct library_choice *choice, struct slice set,
                         const struct guide *guide, struct complaints *c, const struct map_plan **plan_r,
                         struct err *err);
/* The map that makes such documents of a kind of record, its guide in that version, as its folder is called (empty: the
 * map's own), and the plan. */
int library_plan_to_write(struct waybill *w, const struct library_choice *choice, const struct dialect *dialect,
                          struct slice kind, struct slice version, struct complaints *c, const struct guide **guide_r,
                          const struct map_plan **plan_r, struct err *err);

/* Tells the caller and returns code. For ERR_CONFIG the words are the first complaint's, where there is one. */
int library_fail(struct waybill_error *error, int code, const struct err *err, struct complaints *c);
/* An option that is not there; `names` ends in NULL. */
int library_unknown(const char *name, const char *const *names, struct err *err);

/* Values of options. False: it is none. */
bool library_time(struct slice value, struct edi_time *time_r);
bool library_switch(struct slice value, bool *on_r);
bool library_line_end(struct slice value, const char **end_r);
/* "short-isa, wrong-counts" */
int library_allow(struct finding_policy *policy, struct slice value, bool refuse, struct err *err);

/* A text that ends in a NUL, in the arena; NULL when memory is out. */
const char *library_text(struct arena *arena, struct slice text);

/* ---- a record as values to walk: value.c ---- */

struct library_values {
    struct buf text;            /* the JSON once more, with its strings decoded and ended in place */
    struct json_tape tape;
    struct waybill_value *value;
    size_t room;
};

void library_values_init(struct library_values *values, size_t ceiling);
void library_values_deinit(struct library_values *values);
/* `json` is borrowed until the next call. */
int library_values_make(struct library_values *values, struct slice json, const struct waybill_value **record_r,
                        struct err *err);

#endif
