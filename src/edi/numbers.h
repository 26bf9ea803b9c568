/* numbers: which control numbers were used, kept as ranges: a million numbers in a row cost as much as one. */
#ifndef WAYBILL_EDI_NUMBERS_H
#define WAYBILL_EDI_NUMBERS_H

#include "base/slice.h"

struct number_range {
    uint64_t from, to;      /* both used */
};

struct numbers {
    struct number_range *range;     /* ascending */
    size_t n, room;
    uint64_t last;                  /* the number added last */
    bool added;
    bool nomem;                     /* memory was out: what was added is not remembered */
};

void numbers_init(struct numbers *s);
void numbers_deinit(struct numbers *s);
void numbers_clear(struct numbers *s);
/* False when it was there before. Text that is no number counts by its hash. When memory (see nomem) or the
 * ceiling of 65,536 ranges is out, new ranges are no longer remembered and the answer is true. */
bool numbers_add(struct numbers *s, struct slice number);
/* Takes back the last numbers_add() that returned true. */
void numbers_forget(struct numbers *s);

#endif
