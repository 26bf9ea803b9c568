/* express: a record's dates, times and numbers as a document has them. The way back of convert. Only for src/map. */
#ifndef WAYBILL_MAP_EXPRESS_H
#define WAYBILL_MAP_EXPRESS_H

#include "base/slice.h"

/* Each writes at `to` and returns how many bytes; -1: it cannot be done, *why_r says what the place can hold. */

/* "2026-01-15" with eight digits, or six where no more than six fit (then for 1950 to 2049 only). 8 bytes at most. */
int express_date(struct slice v, unsigned most, char *to, const char **why_r);
/* "12:30:45.5" as 1230455. 8 bytes at most. */
int express_time(struct slice v, char *to, const char **why_r);
/* "2026-01-15T12:30[ET]" as date, time and zone of element 623, each empty when there is none. `to` has room for
 * v.n + 16 bytes; the parts borrow from there or are literals. 0, or -1. */
int express_datetime(struct slice v, unsigned most, char *to, struct slice part_r[3], const char **why_r);
/* "15.5" with two implied places as 1550. At least `least` digits. `to` has room for v.n + places + least + 2 bytes. */
int express_places(struct slice v, unsigned places, unsigned least, char *to, const char **why_r);

#endif
