/*
 * archive: what both remove payloads and copy all of them have to agree on. The stages archive_work() and
 * garbage_work() are described in appliance.h, what lies in the archive in spool/README.md.
 */
#ifndef WAYBILL_FLOW_ARCHIVE_H
#define WAYBILL_FLOW_ARCHIVE_H

#include <stdbool.h>

#include "base/err.h"

/* While payloads are removed nobody copies all of them, and the other way round: a lock of the folder spool/objects,
 * apart from that of the spool. `alone`: to remove, and *fd_r is -1 when somebody copies; else it is waited for.
 * Closing the descriptor ends it. */
int archive_lock(int spool, bool alone, int *fd_r, struct err *err);

#endif
