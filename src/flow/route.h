/*
 * route: which lines of partner files a record goes by: in, by those of the partner it came from; out, by those of the
 * partner it goes to.
 */
#ifndef WAYBILL_FLOW_ROUTE_H
#define WAYBILL_FLOW_ROUTE_H

#include "flow/appliance.h"
#include "flow/facts.h"

/* How a record gets to a partner. */
struct way {
    unsigned route;                 /* of the partner's lines */
    const struct carry_plan *carry; /* makes the kind of record that the line is for; NULL: it is of that kind */
};

/* Is the line's condition true of the record? */
int route_meets(const struct partner_route *route, const struct json_tape *tape, struct arena *arena, bool *meets_r,
                struct err *err);
/* The first line of a partner by which a record of that kind can go out, without another map if there is such a line.
 * 1; 0: there is none, and `why` says so. ERR_CONFIG and so on. `tape` NULL: conditions are not looked at. */
int route_out(struct home *h, const struct partner *to, struct slice kind, const struct json_tape *tape,
              struct arena *arena, struct way *way_r, struct buf *why, struct err *err);
/* "send 856 from shipment": the line, as deliveries name it; and back: -1: there is none (any more). */
void route_words(const struct partner_route *route, struct buf *words);
int route_find(const struct partner *p, struct slice words);

#endif
