/*
 * complain: errors in files that people write, like a good compiler's.
 *
 *     partners/acme.conf:4:3: unknown keyword "recieve"
 *         recieve 850 as order
 *         ^~~~~~~
 *     hint: did you mean "receive"?
 *
 * All errors of a file are gathered, not just the first; text is what a person is shown.
 */
#ifndef WAYBILL_BASE_COMPLAIN_H
#define WAYBILL_BASE_COMPLAIN_H

#include "base/buf.h"

struct complaints {
    struct buf text;
    unsigned count;     /* errors so far, also those past the limit that are not in text */
    bool nomem;
};

/* Where something stands in a file. The slices borrow from whoever holds the file's text. */
struct place {
    struct slice file;
    uint32_t line;          /* from 1; 0: the file as a whole */
    uint32_t column;        /* in bytes, from 1 */
    uint32_t width;         /* bytes under the caret */
    struct slice text;      /* the whole line */
};

void complaints_init(struct complaints *c);
void complaints_deinit(struct complaints *c);
/* One error. */
void complain(struct complaints *c, const struct place *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A hint for the last error, a whole sentence. */
void complain_hint(struct complaints *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Suggestions: offers a word that exists; the closest to `wrong` is kept when it is close enough.
 * Start with *best_r empty and *distance 3. */
void suggest(struct slice wrong, struct slice offer, struct slice *best, unsigned *distance);

#endif
