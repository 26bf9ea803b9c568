/*
 * period: dates, times and ranges of them in the forms that EDIFACT's element 2379 names, to those of a record and
 * back. Only for src/map.
 */
#ifndef WAYBILL_MAP_PERIOD_H
#define WAYBILL_MAP_PERIOD_H

#include "base/slice.h"

/* A date of C507: what it says, as a record has it. */
struct period {
    struct slice from, until; /* both in `text`; until is empty where it is no range */
    bool zone;
    bool plain;      /* period_write() would choose the same form */
    const char *why; /* what was expected */
    char text[80];
};

/* 1: done. 0: this form is no date, or none that is known here. Negative: it should be one, and is not. */
int period_read(struct slice v, struct slice form, struct period *p);

enum { PERIOD_ROOM = 48 };
/* The way back: the value at `to`, and the form that it has: the one wanted, where it says all that is to be said,
 * otherwise the usual one of that precision. 0: no form says that, *why_r says what can be said. */
size_t period_write(struct slice from, struct slice until, struct slice wanted, char to[PERIOD_ROOM],
                    struct slice *form_r, const char **why_r);

#endif
