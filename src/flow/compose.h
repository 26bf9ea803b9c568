/*
 * compose: one record on its way to a document: the map, the guide and the envelope it gets, and what will stand
 * between ST and SE.
 *
 * Nothing here depends on the records before it: no control number is taken, nothing goes out. So records are
 * composed side by side, each composer on a thread of its own, and put in order afterwards (produce.h).
 *
 * A composer belongs to one thread; it borrows the producer's options. What it makes belongs to the caller and serves
 * again for the next record. Never prints. Opens nothing but one temporary file without a name, for the body of a
 * streamed record.
 */
#ifndef WAYBILL_FLOW_COMPOSE_H
#define WAYBILL_FLOW_COMPOSE_H

#include <pthread.h>

#include "base/arena.h"
#include "flow/produce.h"

enum { ENVELOPE_TEXT_MOST = 40 };

/* What ISA and GS, or UNB and UNG, say of a record, by value: envelopes are compared as they are. */
enum envelope_text {
    SENDER_QUALIFIER,
    SENDER,
    RECEIVER_QUALIFIER,
    RECEIVER,
    SYNTAX,                 /* of EDIFACT: "UNOC:3" */
    SENDER_ROUTING,
    RECEIVER_ROUTING,
    APPLICATION,
    PRIORITY,
    AGREEMENT,
    INTERCHANGE_CONTROL,    /* of the record's source; empty where it is not written back */
    INTERCHANGE_TEXTS,
    GROUP_SENDER = INTERCHANGE_TEXTS,
    GROUP_RECEIVER,
    GROUP_SENDER_QUALIFIER,     /* of EDIFACT */
    GROUP_RECEIVER_QUALIFIER,
    GROUP_CONTROL,
    GROUP_CODE,
    VERSION,                /* of X12: what the group's documents are of */
    ENVELOPE_TEXTS
};

struct envelope {
    char text[ENVELOPE_TEXTS][ENVELOPE_TEXT_MOST];
    struct edi_time at, group_at;
    char usage;
    bool acknowledgment;
};

/* A finding that waits to be told. */
struct told {
    struct told *next;
    const struct guide *once;           /* said once for each guide and version; NULL: always */
    struct map_write_finding finding;
};

struct told_list {
    struct told *first, **end;
};

/* What became of a record. */
struct composed {
    int code;                   /* 0; ERR_DATA: it is refused, the findings tell why; else `err` does */
    struct err err;
    bool addressed;             /* output and envelope are known; if not, it is refused */
    bool bare;                  /* without group, ST and SE: the body is all there is */
    bool grouped;               /* in a group */
    const struct dialect *dialect;
    unsigned output;            /* which identity of the partner file, from 0; 0 without one */
    struct envelope envelope;
    struct slice set;           /* ST01; the guide's */
    struct slice document;      /* ST02, where it is the record's own */
    struct slice implementation;        /* ST03, may be empty */
    struct slice version, association;  /* of EDIFACT: "D.96A", and "EAN008" or nothing */
    uint64_t ordinal;           /* the last part of the record's id: which document of its group (a bare one: of its
                                   interchange) it was; 0: not known */
    struct buf body;            /* between ST and SE, or the bare document */
    int file;                   /* the composer's temporary file where it is too large for that: there it lies */
    uint64_t from, to;
    uint64_t segments;          /* in it */
    struct told_list before, findings;  /* told before the envelope is opened, and behind */
    struct arena arena;         /* of the findings and texts */
};

void composed_init(struct composed *m);
void composed_deinit(struct composed *m);

struct composer;

/* `lock` is held while maps and guides are looked for; NULL: nobody else does. */
int composer_new(const struct produce_options *options, pthread_mutex_t *lock, struct composer **composer_r,
                 struct err *err);
void composer_free(struct composer **composer);

/* How interchanges are written by an identity of the partner file. Without a partner file: for all documents of that
 * dialect, in the character set that `syntax` names. */
void compose_write_options(const struct produce_options *options, unsigned output, const struct dialect *dialect,
                           struct slice syntax, struct edi_write_options *write_r);
/* The same of a composed document; what its UNH says of its type, and its UNB of character set and syntax version. */
void compose_options_of(const struct produce_options *options, const struct composed *m, struct edi_write_options *write_r);
struct edi_message_type compose_type_of(const struct composed *m);
void compose_syntax_of(const struct envelope *e, struct edi_envelope *to);
unsigned compose_outputs(const struct produce_options *options);
/* The line itself; NULL without a partner file. */
const struct partner_identity *compose_identity(const struct produce_options *options, unsigned output);

/* Everything of a record that is not streamed. */
void compose(struct composer *c, const struct record *record, struct composed *m);
/* A streamed one in two steps: first all but the body, */
void compose_envelope(struct composer *c, const struct record *record, struct composed *m);
/* then the body, into a temporary file that serves again for the next record; findings go to the caller at once. As
 * map_write_record(). */
int compose_file(struct composer *c, const struct record *record, struct composed *m, struct slice control,
                 map_write_finding_fn *finding, void *ctx, struct err *err);

#endif
