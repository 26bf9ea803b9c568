/*
 * decimal: the arithmetic of maps between records: exact decimals of up to 38 digits, and rounding as in commerce.
 */
#ifndef WAYBILL_MAP_DECIMAL_H
#define WAYBILL_MAP_DECIMAL_H

#include "base/arena.h"

__extension__ typedef __int128 wide;

struct decimal {
    wide digits;                /* with its sign */
    unsigned scale;             /* how many of them stand behind the point */
};

/* False: it is no decimal ("12.50", "-3", ".5"), or has too many digits to be computed with. */
bool decimal_read(struct slice text, struct decimal *d_r);
/* All return false when the result has too many digits; dividing also by nought. */
bool decimal_add(const struct decimal *a, const struct decimal *b, bool subtract, struct decimal *d_r);
bool decimal_times(const struct decimal *a, const struct decimal *b, struct decimal *d_r);
/* Cut off a few digits behind `places`, so that rounding to these is right. */
bool decimal_divide(const struct decimal *a, const struct decimal *b, unsigned places, struct decimal *d_r);
/* A half goes away from nought: 2.5 is 3, -2.5 is -3. Never adds digits. */
void decimal_round(struct decimal *d, unsigned places);
/* As text in the arena; p is NULL when memory is out. */
struct slice decimal_text(const struct decimal *d, struct arena *arena);

#endif
