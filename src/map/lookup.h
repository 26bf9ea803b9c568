/*
 * lookup: a CSV table as a function: from the values of one to four of its columns to that of another.
 *
 * The first row names the columns. A key that stands in two rows must give the same value in both. Rows are found by
 * hash, four bytes a slot; the text stays as it was read and belongs to the caller, who must let it live.
 * Made once, then only read; any number of threads may use it, each with a buffer of its own.
 */
#ifndef WAYBILL_MAP_LOOKUP_H
#define WAYBILL_MAP_LOOKUP_H

#include "base/complain.h"
#include "base/err.h"

enum { LOOKUP_KEYS = 4 };

struct lookup;

/* Complaints tell what is wrong, at `at` when it is a column's name, else in `file`. 0, ERR_CONFIG, ERR_NOMEM. */
int lookup_new(struct slice file, struct slice text, const struct slice *key, unsigned n_keys, struct slice value,
               const struct place *at, struct complaints *c, struct lookup **lookup_r);
void lookup_free(struct lookup **lookup);
/* The file that it was made of. */
struct slice lookup_file(const struct lookup *l);
/* The value of the row with these keys; false: there is none. `to` is used where quotes have to be undone. */
bool lookup_find(const struct lookup *l, const struct slice *key, struct buf *to, struct slice *value_r);

#endif
