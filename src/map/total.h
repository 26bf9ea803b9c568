/*
 * total: values added up as they pass, for what a document says of their sum: CTT02, CNT.
 */
#ifndef WAYBILL_MAP_TOTAL_H
#define WAYBILL_MAP_TOTAL_H

#include "base/slice.h"

struct total {
    uint64_t digits;            /* of all values, without sign and decimal mark */
    int64_t sum;                /* in millionths */
    bool overflow;              /* the sum is too large for that, or too small a part of it */
    bool unknown;               /* a value was no number */
};

/* Either decimal mark. */
void total_add(struct total *total, struct slice v);
/* Is the sum known, and is it the same? */
static inline bool total_equals(const struct total *a, const struct total *b)
{
    return !a->overflow && !a->unknown && !b->overflow && !b->unknown && a->sum == b->sum;
}
/* The sum as a decimal in `room`; empty where it is not known. */
enum { TOTAL_ROOM = 32 };
struct slice total_text(const struct total *total, char mark, char room[TOTAL_ROOM]);

#endif
