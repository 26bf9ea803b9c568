/*
 * run: the appliance as a whole: opened, run until it is idle, and told by people what to do with what it holds.
 */
#ifndef WAYBILL_FLOW_RUN_H
#define WAYBILL_FLOW_RUN_H

#include "flow/appliance.h"

struct run_options {
    const char *home; /* the folder */
    const char *maps; /* that Waybill brings */
    const char *who;  /* for events */
    bool write;       /* takes the lock; ERR_LIMIT: another process holds it, the words name it */
};

/* Complaints of waybill.conf and partner files are in c; wrong partner files do not keep it from opening. To read:
 * ERR_MISSING where there is no ledger yet. */
int appliance_open(const struct run_options *options, struct complaints *c, struct appliance **a_r, struct err *err);
void appliance_close(struct appliance **a);

/* All stages, again and again, until none has anything to do. Files that still rest are waited for, twice as long as
 * they should; one that goes on changing stays for the next time. */
int appliance_run(struct appliance *a, struct err *err);

/* What people decide. Each is one batch. Ids are those of store.h; ERR_MISSING: there is no such thing; ERR_USAGE: it
 * is in a state in which that cannot be done, the words say which. */
int appliance_hold(struct appliance *a, enum thing thing, store_id id, struct slice reason, struct err *err);
/* `to`: a document goes to that partner, whatever the partner files say; may be empty. */
int appliance_release(struct appliance *a, enum thing thing, store_id id, struct slice to, struct err *err);
int appliance_drop(struct appliance *a, enum thing thing, store_id id, struct slice reason, struct err *err);
/* Once more. A transmission that arrived is read again, as a new one with the same bytes, or with those of `fd` (>= 0:
 * mended by hand); what of it was recorded before goes again only with `all`, or when all of it was. One that left is
 * handed over again, byte for byte, with what it carries. A document's record goes its ways once more, or to `to`, also
 * when it was dead or dropped; a delivery's to the same partner, written anew. What was dead, refused or awaited in the
 * old one is dropped with that. *id_r: the new transmission or delivery, of a document itself; 0: it does not go
 * again. */
struct replay_options {
    int fd; /* -1: none */
    bool all;
    bool failed; /* neither a transmission of which all was recorded, nor a document that went to `to` already */
    struct slice to;
};
int appliance_replay(struct appliance *a, enum thing thing, store_id id, const struct replay_options *o, store_id *id_r,
                     struct err *err);

#endif
