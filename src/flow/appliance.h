/*
 * appliance: what the stages of the flow work with. Each stage is a function that does all that can be done now, in
 * batches:
 *
 *     door_take()         files at the doors are accepted, and removed there
 *     receive_work()      what arrived is unpacked, or translated, acknowledged, recognised and routed
 *     make_work()         records that wait become documents, or files of records
 *     deliver_work()      what was made is handed over, or tried again later
 *     clock_work()        what is overdue is found
 *     archive_work()      what is through and older than its partner's `keep` goes to the archive; when all else is idle
 *     garbage_work()      payloads that nothing names are removed; as above
 *
 * Each returns 0 and in *done_r how many things it moved; the appliance is idle when none moved any. A thing that
 * cannot be worked on is buried, held or put off, with the reason, and never stops the others. Negative: the machine
 * itself fails (disk, memory), and the batch at hand was rolled back: all is as before it.
 *
 * The ledger's states are those of spool/README.md, and the verbs of spool/store.h draw its arrows.
 */
#ifndef WAYBILL_FLOW_APPLIANCE_H
#define WAYBILL_FLOW_APPLIANCE_H

#include "flow/door.h"
#include "flow/home.h"
#include "spool/store.h"

struct appliance {
    struct home *home;
    struct store *store;
    struct objects *objects;
    int spool; /* a descriptor of the spool's folder */
    /* Says a line to whoever watches; NULL: nobody does. */
    void (*say)(void *ctx, const char *words);
    void *ctx;
    bool (*stop)(void *ctx);  /* asked between batches; NULL: never */
    store_time wait;          /* door_take: when the next file that still rests could be taken; 0: none */
    store_time latest;        /* deliver_work: the time of its last run; a clock before that was set back */
    unsigned complaints;                /* of partner files: those are left out */
    /* receive_work: what came so far of the bundles in the bundle `root`, at any depth */
    struct {
        store_id root;
        uint64_t members, bytes;
    } unpacked;
    struct door_looks *looks; /* door_take: what it saw at its last look; door_forget() frees it */
};

int door_take(struct appliance *a, uint32_t *done_r, struct err *err);
int receive_work(struct appliance *a, uint32_t *done_r, struct err *err);
int make_work(struct appliance *a, uint32_t *done_r, struct err *err);
int deliver_work(struct appliance *a, uint32_t *done_r, struct err *err);
int clock_work(struct appliance *a, uint32_t *done_r, struct err *err);
int archive_work(struct appliance *a, uint32_t *done_r, struct err *err);
int garbage_work(struct appliance *a, uint32_t *done_r, struct err *err);
/* At a start, before anything else: what the last one left half done. */
int door_recover(struct appliance *a, struct err *err);
int deliver_recover(struct appliance *a, struct err *err);

#endif
