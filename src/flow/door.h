/*
 * door: where partners put files: spool/in/PARTNER/, and folders of lines `pick up folder PATH`.
 *
 * door_take() and door_recover() are in appliance.h. A file is taken only when whole: its name says so, it rests,
 * nobody writes it, and it did not change while it was copied. What is not taken is told by door_look(), with the
 * reason.
 */
#ifndef WAYBILL_FLOW_DOOR_H
#define WAYBILL_FLOW_DOOR_H

#include "flow/home.h"
#include "spool/store.h"

/* What lies at a door. */
struct door_file {
    struct slice partner;       /* whose door it is */
    struct slice folder;        /* "in/northwind", or a whole path */
    struct slice name;          /* made clean, to be shown; empty: the folder itself */
    uint64_t size;
    store_time changed;
    store_time until;           /* it rests until then; 0: that is not what it waits for */
    struct slice why;           /* it is not taken; empty: it will be */
};

/* What lies at the doors of a partner, or of all when `partner` is empty; then also what lies in folders of partners
 * that are none. Files that stay because `then keep` says so are not told. Changes nothing. Callbacks: 0 goes on,
 * negative stops and is given back. */
int door_look(struct home *home, struct store *store, int spool, struct slice partner,
              int (*row)(void *ctx, const struct door_file *f), void *ctx, struct err *err);

/* What door_take() remembers from look to look. */
struct door_looks;
void door_forget(struct door_looks **looks);

#endif
