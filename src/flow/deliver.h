/*
 * deliver: what was made is handed over; deliver_work(), deliver_recover() and clock_work() are in appliance.h.
 *
 * What waits goes by priority, then age; bulk keeps a share of its own. A failure is tried again later, each time
 * later than before, until the partner's `retry TIME for TIME` is over. After five in a row the way to a partner is
 * closed for a while, and only one thing then tries whether it is open again; other partners do not notice.
 */
#ifndef WAYBILL_FLOW_DELIVER_H
#define WAYBILL_FLOW_DELIVER_H

#include "spool/store.h"

enum {
    DELIVER_FAILURES = 5,               /* in a row close the way */
    DELIVER_SLOWEST = 4 * 3600,         /* seconds: waits are no longer, unless the partner file says so */
    DELIVER_FUTURE = 8 * 24 * 3600      /* what is due later than that is due: the clock was set back since */
};

/* Milliseconds to wait after the n-th failure, from 1: `first` seconds, then twice as long each time; a fifth more or
 * less, by `seed`, so that not all come back at once. */
store_time deliver_wait(uint64_t first, unsigned n, uint64_t seed);

#endif
