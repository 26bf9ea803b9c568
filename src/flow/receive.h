/*
 * receive: what a transmission holds, while it is worked on. Private to the stage: receive.c reads, settle.c decides
 * what becomes of each document, answers.c takes acknowledgments of what we sent.
 */
#ifndef WAYBILL_FLOW_RECEIVE_H
#define WAYBILL_FLOW_RECEIVE_H

#include "edi/dialect.h"
#include "flow/appliance.h"
#include "flow/facts.h"

/* A document as it was read. Texts are in the arena. */
struct received {
    const struct dialect *dialect;
    struct slice set, version, sender, receiver, interchange, group, control;
    struct slice group_sender, group_receiver, group_code; /* GS02, GS03, GS01 */
    struct slice reason;                                   /* its first error */
    uint32_t errors, warnings;
    uint64_t at, size; /* of its record among the records; size 0: there is none */
    uint64_t refused;  /* size of that of a document that is refused: it only tells what the document is about */
    bool test;
};

struct receiving {
    struct appliance *a;
    const struct store_transmission *t;
    const struct partner *partner;
    struct agreement *agreement;
    struct arena arena;
    struct received *document;
    size_t n, room;
    struct payload records, findings; /* size 0: none */
    const char *standard;             /* of its first interchange */
    bool json;                        /* records came as records: `records` is what arrived */
};

/* Documents, deliveries, answers: everything that follows from the records. The store's batch is open. */
int settle(struct receiving *r, struct err *err);
/* An acknowledgment, as a record: what it says of our documents. `document` is its own. *known_r: something of ours was
 * meant. */
int take_answer(struct receiving *r, store_id document, const struct json_tape *tape, bool *known_r, struct err *err);

/* A document that was recorded before goes its ways, as the partner files say now; with `to`, to that partner. The
 * batch is open. */
int settle_again(struct appliance *a, const struct store_document *d, const struct store_transmission *t,
                 struct slice to, struct err *err);

/* Date and time where we are. */
struct edi_time appliance_time(store_time at);
/* Goes through the interchanges of a payload of ours that left, for its structure only: elements are not checked. */
int appliance_read_sent(struct appliance *a, const struct payload *payload, const struct edi_sink *sink, struct err *err);
/* The bytes of a record of a document that arrived, in an unnamed file that stands at its beginning. */
int appliance_record(struct appliance *a, const struct payload *records, uint64_t at, uint64_t size, int *fd_r,
                     struct err *err);

#endif
