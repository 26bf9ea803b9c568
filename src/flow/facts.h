/*
 * facts: what a record says of itself that the appliance goes by: its kind and number, what makes two records the same,
 * and the numbers that people will look for it by.
 *
 * Two records have the same key when sender, kind, number, release and purpose are equal; and the same content when all
 * members but `id`, `transmission`, `partner` and `source` are equal, byte for byte. Both are the first half of a
 * SHA-256.
 */
#ifndef WAYBILL_FLOW_FACTS_H
#define WAYBILL_FLOW_FACTS_H

#include "record/reader.h"
#include "spool/store.h"

enum { FACTS_TEXT = 1000 }; /* bytes of each text below, and of a number to look for, at most */

struct facts {
    struct slice kind, number, release, purpose; /* empty: it does not say */
    struct slice partner;                        /* its member of that name */
    bool test;                                   /* source.usage is test */
    uint8_t key[STORE_KEY];                      /* zero: it has no number */
    uint8_t content[STORE_KEY];
};

/* `sender` is the partner's name. Texts borrow from the record or from the arena. ERR_DATA: one is too long to be kept
 * in the ledger. */
int facts_of(const struct record *record, struct slice sender, struct arena *arena, struct facts *facts_r,
             struct err *err);
/* The fields that the schema marks as traced ("nodes.order_number"), with their values; equal ones once in a row, and
 * none that is longer than FACTS_TEXT. Negative stops. */
int facts_numbers(const struct record *record, const struct record_kind *kind, struct arena *arena,
                  int (*number)(void *ctx, struct slice field, struct slice value, struct err *err), void *ctx,
                  struct err *err);

#endif
