/*
 * states: what a transmission, a document and a delivery can be, and which arrow leads from where to where.
 *
 * The same as the tables of README.md beside this; `tests/check-states` compares them. A row of ARROWS is
 * X(THING, ARROW, FROM, TO), where FROM is a set of states. A state's number is in the ledger: new ones come last.
 */
#ifndef WAYBILL_SPOOL_STATES_H
#define WAYBILL_SPOOL_STATES_H

#include <stdbool.h>
#include <stdint.h>

#define TRANSMISSION_STATES(X) \
    X(TRANSMISSION, ARRIVED, "arrived") \
    X(TRANSMISSION, UNPACKED, "unpacked") \
    X(TRANSMISSION, TRANSLATED, "translated") \
    X(TRANSMISSION, REPEATED, "repeated") \
    X(TRANSMISSION, MADE, "made") \
    X(TRANSMISSION, LAID, "laid") \
    X(TRANSMISSION, SENT, "sent") \
    X(TRANSMISSION, HELD, "held") \
    X(TRANSMISSION, DEAD, "dead") \
    X(TRANSMISSION, DROPPED, "dropped")

#define DOCUMENT_STATES(X) \
    X(DOCUMENT, RECORDED, "recorded") \
    X(DOCUMENT, REFUSED, "refused") \
    X(DOCUMENT, REPEATED, "repeated") \
    X(DOCUMENT, WRITTEN, "written") \
    X(DOCUMENT, AWAITED, "awaited") \
    X(DOCUMENT, OVERDUE, "overdue") \
    X(DOCUMENT, ACCEPTED, "accepted") \
    X(DOCUMENT, REJECTED, "rejected") \
    X(DOCUMENT, HELD, "held") \
    X(DOCUMENT, DEAD, "dead") \
    X(DOCUMENT, DROPPED, "dropped")

#define DELIVERY_STATES(X) \
    X(DELIVERY, WAITING, "waiting") \
    X(DELIVERY, MADE, "made") \
    X(DELIVERY, DELIVERED, "delivered") \
    X(DELIVERY, HELD, "held") \
    X(DELIVERY, DEAD, "dead") \
    X(DELIVERY, DROPPED, "dropped")

#define STATE_NAME(thing, name, words) thing##_##name,
enum transmission_state { TRANSMISSION_NONE, TRANSMISSION_STATES(STATE_NAME) TRANSMISSION_STATE_END };
enum document_state { DOCUMENT_NONE, DOCUMENT_STATES(STATE_NAME) DOCUMENT_STATE_END };
enum delivery_state { DELIVERY_NONE, DELIVERY_STATES(STATE_NAME) DELIVERY_STATE_END };
#undef STATE_NAME

#define FROM(thing, name) (1u << thing##_##name)

#define ARROWS(X) \
    X(TRANSMISSION, accept, FROM(TRANSMISSION, NONE), ARRIVED) \
    X(TRANSMISSION, clear, FROM(TRANSMISSION, ARRIVED), ARRIVED) \
    X(TRANSMISSION, unpack, FROM(TRANSMISSION, ARRIVED), UNPACKED) \
    X(TRANSMISSION, translate, FROM(TRANSMISSION, ARRIVED), TRANSLATED) \
    X(TRANSMISSION, repeat, FROM(TRANSMISSION, ARRIVED), REPEATED) \
    X(TRANSMISSION, make, FROM(TRANSMISSION, NONE), MADE) \
    X(TRANSMISSION, lay, FROM(TRANSMISSION, MADE), LAID) \
    X(TRANSMISSION, place, FROM(TRANSMISSION, LAID), SENT) \
    X(TRANSMISSION, retry, FROM(TRANSMISSION, MADE) | FROM(TRANSMISSION, LAID), MADE) \
    X(TRANSMISSION, hold, FROM(TRANSMISSION, ARRIVED) | FROM(TRANSMISSION, MADE), HELD) \
    X(TRANSMISSION, bury, FROM(TRANSMISSION, ARRIVED) | FROM(TRANSMISSION, MADE) | FROM(TRANSMISSION, LAID), DEAD) \
    X(TRANSMISSION, release, FROM(TRANSMISSION, HELD), NONE /* ARRIVED or MADE, by its direction */) \
    X(TRANSMISSION, drop, FROM(TRANSMISSION, HELD) | FROM(TRANSMISSION, DEAD), DROPPED) \
    X(TRANSMISSION, replay, FROM(TRANSMISSION, NONE), NONE /* as the one replayed: ARRIVED or MADE */) \
    X(DOCUMENT, record, FROM(DOCUMENT, NONE), RECORDED) \
    X(DOCUMENT, refuse, FROM(DOCUMENT, NONE), REFUSED) \
    X(DOCUMENT, recognise, FROM(DOCUMENT, NONE), REPEATED) \
    X(DOCUMENT, withhold, FROM(DOCUMENT, NONE), HELD) \
    X(DOCUMENT, strand, FROM(DOCUMENT, NONE), DEAD) \
    X(DOCUMENT, write, FROM(DOCUMENT, NONE), WRITTEN /* or AWAITED */) \
    X(DOCUMENT, accepted, FROM(DOCUMENT, WRITTEN) | FROM(DOCUMENT, AWAITED) | FROM(DOCUMENT, OVERDUE), ACCEPTED) \
    X(DOCUMENT, rejected, FROM(DOCUMENT, WRITTEN) | FROM(DOCUMENT, AWAITED) | FROM(DOCUMENT, OVERDUE), REJECTED) \
    X(DOCUMENT, overdue, FROM(DOCUMENT, AWAITED), OVERDUE) \
    X(DOCUMENT, hold, FROM(DOCUMENT, RECORDED), HELD) \
    X(DOCUMENT, release, FROM(DOCUMENT, HELD), RECORDED) \
    X(DOCUMENT, drop, FROM(DOCUMENT, HELD) | FROM(DOCUMENT, DEAD) | FROM(DOCUMENT, REFUSED), DROPPED) \
    X(DELIVERY, route, FROM(DELIVERY, NONE), WAITING) \
    X(DELIVERY, make, FROM(DELIVERY, WAITING), MADE) \
    X(DELIVERY, deliver, FROM(DELIVERY, MADE), DELIVERED) \
    X(DELIVERY, hold, FROM(DELIVERY, WAITING), HELD) \
    X(DELIVERY, bury, FROM(DELIVERY, WAITING) | FROM(DELIVERY, MADE), DEAD) \
    X(DELIVERY, release, FROM(DELIVERY, HELD), WAITING) \
    X(DELIVERY, drop, FROM(DELIVERY, HELD) | FROM(DELIVERY, DEAD), DROPPED)

#define ARROW_NAME(thing, name, from, to) thing##_##name,
enum arrow { ARROWS(ARROW_NAME) ARROW_END };
#undef ARROW_NAME

enum thing { TRANSMISSION, DOCUMENT, DELIVERY };

struct arrow_row {
    enum thing thing;
    const char *name;           /* "accept": what the event is called */
    uint32_t from;              /* a set of states; bit 0: it did not exist */
    uint8_t to;
};
extern const struct arrow_row arrows[ARROW_END];

/* "arrived"; "" for a number that is none. */
const char *state_name(enum thing thing, unsigned state);
/* False: there is no state of that name. */
bool state_of(enum thing thing, const char *name, unsigned *state_r);

#endif
