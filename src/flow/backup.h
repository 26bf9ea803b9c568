/*
 * backup: a copy of an appliance while it works, and an appliance made of such a copy.
 *
 *     backup                  what it is: a text, written last; without it the copy is not whole
 *     waybill.conf partners/ maps/ keys/      keys only when asked for
 *     spool/ledger objects/ segments/ archive/
 *
 * A folder, or all of it in a tar. What lies at the doors (in/, out/) is no part of it: what was accepted is in the
 * ledger, and what was not is still its sender's.
 */
#ifndef WAYBILL_FLOW_BACKUP_H
#define WAYBILL_FLOW_BACKUP_H

#include "flow/appliance.h"

struct backup_options {
    const char *path; /* a folder that is not there yet or empty; "….tar": a file that is not there yet */
    bool keys;
    void (*say)(void *ctx, const char *words); /* of payloads that cannot be read */
    void *ctx;
};

struct backup_told {
    uint64_t payloads, bytes;
    uint64_t damaged; /* of them: say() told which */
    uint64_t held;    /* restored: transmissions and deliveries that wait for somebody */
};

/* The appliance is open to read. */
int backup_make(struct appliance *a, const struct backup_options *o, struct backup_told *told_r, struct err *err);

enum { RESTORE_SKIP = 1000 };

struct restore_options {
    const char *path, *home; /* the backup; a folder that is not there yet or empty, which becomes a home */
    uint32_t skip;           /* so much higher go control numbers on */
    const char *who;
    void (*say)(void *ctx, const char *words);
    void *ctx;
};

/* waybill.conf comes last: before it is there the folder is no home. Whatever had not left when the copy was made is
 * held (HELD_RESTORED), for it may have left since. Each payload is read and compared; what is damaged is told of, and
 * stays. */
int backup_restore(const struct restore_options *o, struct backup_told *told_r, struct err *err);

#endif
