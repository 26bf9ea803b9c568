/*
 * rejection: what a partner's acknowledgment complains of, at the element of our own document.
 *
 * The acknowledgment is the record of a document that arrived, ours the bytes of a transmission that left. Nothing is
 * kept: both are read again.
 */
#ifndef WAYBILL_FLOW_REJECTION_H
#define WAYBILL_FLOW_REJECTION_H

#include "flow/appliance.h"

struct rejection {
    struct slice segment; /* ours, as it was sent; empty: there is no segment of that number */
    uint64_t position;    /* in the document, ST being 1 */
    uint32_t at, width;   /* of the element in it; width 0: the segment as a whole */
    unsigned element;     /* its number; 0: the segment as a whole */
    unsigned component;   /* of it; 0: the element as a whole */
    struct slice value;   /* what the partner says he found; may be empty */
    struct slice words;   /* "invalid_code" */
};

/* Everything that the document `answer` (its id) says of ours. Callbacks: 0 goes on, negative stops and is given
 * back. */
int rejection_show(struct appliance *a, const struct store_document *ours, store_id answer,
                   int (*row)(void *ctx, const struct rejection *r), void *ctx, struct err *err);

#endif
