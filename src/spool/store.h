/*
 * store: the ledger: what there is, in which state, and what happened to it.
 *
 * Its verbs are the arrows of README.md. They take part in a batch: store_begin(), verbs, store_commit(); all of it is true or
 * nothing. A verb puts its event into the same batch, and refuses (ERR_INTERNAL) an arrow that does not lead out of the
 * state a thing is in, before it changes anything: the batch may go on. After any other error of a verb the batch cannot be
 * committed. An id is given for good with its batch's commit, and then never again; one of a batch that came to nothing is
 * given anew.
 *
 * One process writes, and holds the spool's lock; any number read beside it, without needing to write anything. What a query gives
 * is valid until its callback returns; the callback may ask and call verbs, also begin and commit. Texts are UTF-8, made clean by
 * whoever stores them; they are shown as they are. Paths (source, target, hidden) are any bytes.
 *
 * Backend: SQLite (store_sqlite.c). Nothing of it is seen here. A store belongs to one thread.
 */
#ifndef WAYBILL_SPOOL_STORE_H
#define WAYBILL_SPOOL_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "spool/objects.h"
#include "spool/states.h"

struct store;
typedef int64_t store_time;             /* milliseconds since 1970, UTC; 0: none */
typedef uint64_t store_id;              /* from 1, by thing; 0: none */

struct store_options {
    bool write;
    const char *who;                    /* for events: a user's name, or "run" */
    store_time (*now)(void *ctx);       /* NULL: the clock */
    void *ctx;
};

/* The ledger of a spool. To write: made if it is not there, its form brought up to date. To read: ERR_MISSING when there is
 * none, ERR_CONFIG when it has the form of a later Waybill, or of an earlier one that nobody has brought up to date yet. */
int store_open(const char *spool, const struct store_options *options, struct store **store_r, struct err *err);
void store_close(struct store **store);
/* The time as verbs write it. */
store_time store_now(struct store *s);

int store_begin(struct store *s, struct err *err);
/* On error nothing of the batch is true, and the next one may succeed. Only if the process dies before a later commit has succeeded
 * can it come out that the batch is true after all, as with a commit that a crash breaks off. */
int store_commit(struct store *s, struct err *err);
void store_rollback(struct store *s);
/* Inside a batch: what the verbs since the mark did can be undone by itself, also when one of them failed. Not nested. */
int store_mark(struct store *s, struct err *err);
int store_unmark(struct store *s, bool undo, struct err *err);

/* --- Transmissions ------------------------------------------------------------------------------------------- */

enum store_direction { STORE_IN = 1, STORE_OUT = 2 };

/* Why something is held: what `release` shall not hold again. A set. */
enum store_hold {
    HELD_BY_HAND = 1,
    HELD_PARTNER = 2,           /* the envelope names somebody else */
    HELD_CONTROL = 4,           /* an interchange or group of that number came before, with other bytes */
    HELD_NUMBER = 8,            /* a document of that number came before, with other content */
    HELD_TEST = 16,             /* a test, and the receiver is a live system */
    HELD_RECALL = 32,           /* it cannot be said what it answers */
    HELD_RESTORED = 64,         /* restored from a backup: it may have left already */
    HELD_TRANSPORT = 128,       /* there is no way to hand it over yet */
    HELD_CONFIG = 256,          /* a partner file, guide or map is missing or wrong */
    PASS_AGAIN = 512,           /* of a replay: what was recorded before goes again; only in `passes` */
    PASS_DROPPED = 1024         /* of a replay: what was dropped before goes again; only in `passes` */
};

/* A file at the door, to know it again. */
struct store_source {
    struct slice path;          /* below the spool, or absolute; empty: there is none (any more) */
    uint64_t device, inode, size;
    int64_t mtime;              /* nanoseconds */
};

struct store_transmission {
    store_id id;
    enum store_direction direction;
    enum transmission_state state;
    struct slice partner;
    struct slice name;          /* the file's own name; of a bundle's member its path in there; of what leaves, the name it will have */
    struct slice way;           /* "folder" and so on: by what it came or goes */
    struct slice format;        /* "x12", "json", "zip", …; empty: not known yet */
    struct payload payload;     /* what arrived, or leaves */
    struct payload records;     /* size 0: none. One JSON line each, in the order of the documents */
    struct payload findings;    /* size 0: none. One JSON line each */
    struct store_source source;
    struct slice target;        /* of what leaves: the folder; and once it is laid, the hidden name in it */
    struct slice hidden;
    store_id parent;            /* the bundle it was in */
    store_id same;              /* repeated: what came before */
    store_id replays;           /* the transmission it is another run of */
    store_id answers;           /* an acknowledgment: the transmission it is for */
    uint32_t passes;            /* enum store_hold: not held for these again */
    uint32_t held;              /* why it is */
    unsigned priority;          /* 0 high, 1 normal, 2 bulk */
    uint32_t documents;         /* in it */
    unsigned attempts;
    store_time at;              /* accepted or made */
    store_time first, due;      /* of what leaves: the first attempt, the next one */
    store_time done;            /* when it came into the state it is in */
    struct slice reason;
};

/* accept: partner, name, way, payload, source, parent, replays, passes are read. A parent's members are accepted in the batch
 * that unpacks it. */
int store_accept(struct store *s, const struct store_transmission *t, store_id *id_r, struct err *err);
int store_clear(struct store *s, store_id id, struct err *err);
int store_unpack(struct store *s, store_id id, struct slice format, uint32_t members, struct err *err);
/* format, records, findings, documents are read. Its documents, deliveries and so on come in the same batch. */
int store_translate(struct store *s, store_id id, const struct store_transmission *t, struct err *err);
int store_repeat(struct store *s, store_id id, struct slice format, store_id same, struct err *err);
/* Something that leaves: partner, name, way, target, format, payload, answers, replays, priority, due are read. */
int store_make(struct store *s, const struct store_transmission *t, store_id *id_r, struct err *err);
int store_lay(struct store *s, store_id id, struct slice hidden, struct slice name, struct err *err);
/* Its deliveries are delivered; documents in it that await an acknowledgment do so from now on, for as long as their `within`
 * said at store_document(). */
int store_place(struct store *s, store_id id, struct err *err);
int store_retry(struct store *s, store_id id, store_time due, struct slice reason, struct err *err);

/* Files that stay at a door after they were taken: `then keep`, or they cannot be removed. They are known by path: what was kept under it
 * before is forgotten; id 0 forgets. No arrow, no event; a transmission may go, and its file stays known. */
int store_keep(struct store *s, const struct store_source *source, store_id id, struct err *err);
/* The transmission that this very file became (path, inode, size and mtime are the same); 0: none. */
int store_kept(struct store *s, const struct store_source *source, store_id *id_r, struct err *err);
/* All of them. */
int store_kept_files(struct store *s, int (*row)(void *ctx, store_id id, const struct store_source *source), void *ctx,
                     struct err *err);

/* Of any thing. hold: `why` is of enum store_hold; release: it passes these from now on. What a transmission that leaves carries
 * (its deliveries) goes with it: held, released, dead or dropped, and documents in it dead or dropped; so a delivery that stands in one is refused by itself
 * (ERR_USAGE), but to drop what is dead. Deliveries of a document go with it: those waiting are held with it, those held with
 * it are released with it, those held or dead are dropped with it. */
int store_hold(struct store *s, enum thing thing, store_id id, unsigned why, struct slice reason, struct err *err);
int store_bury(struct store *s, enum thing thing, store_id id, struct slice reason, struct err *err);
int store_release(struct store *s, enum thing thing, store_id id, struct err *err);
int store_drop(struct store *s, enum thing thing, store_id id, struct slice reason, struct err *err);
/* Drops a document that arrived, for it goes again with a transmission: store_find_dropped() does not find it. */
int store_supersede(struct store *s, store_id document, struct slice words, struct err *err);

/* --- Documents ----------------------------------------------------------------------------------------------- */

enum { STORE_KEY = 16 };

struct store_document {
    store_id id;
    store_id transmission;
    enum document_state state;
    enum store_direction direction;     /* its transmission's */
    struct slice partner;               /* its transmission's */
    uint32_t ordinal;                   /* in the transmission, from 1 */
    struct slice set, version;          /* "850", "004010"; of a record that travels as a record empty */
    struct slice kind;                  /* of its record; empty: there is none */
    struct slice sender, receiver;      /* the interchange's: "ZZ:NORTHWIND" */
    struct slice interchange, group, control;   /* control numbers */
    bool test;
    struct slice number, release, purpose;      /* of the record */
    uint8_t key[STORE_KEY];             /* of sender, kind, number, release, purpose; zero: it has no number */
    uint8_t content[STORE_KEY];         /* of what the record says, whatever envelope it came in; zero: none */
    uint64_t record_at, record_size;    /* in the transmission's `records` */
    store_id same;                      /* repeated, held: what came before */
    store_id made_of;                   /* of one that leaves: the document whose record it carries */
    store_id delivery;                  /* that it leaves by */
    store_id answer;                    /* the document that acknowledged it */
    struct slice answered;              /* what that said, in words; empty: nothing to complain of */
    uint32_t passes, held;
    uint32_t errors, warnings;
    store_time within;                  /* an acknowledgment is awaited for so long after it is sent; 0: none is */
    store_time due;                     /* when it has to be there */
    store_time at;                      /* recorded, or written */
    store_time done;                    /* when it came into the state it is in */
    struct slice reason;
};

/* A document in the state that it says: recorded, refused, repeated, held or dead; written or awaited. */
int store_document(struct store *s, const struct store_document *d, store_id *id_r, struct err *err);
/* One that arrived, with a record, and is dead or dropped: it is recorded, and its deliveries come in the same batch. */
int store_replay(struct store *s, store_id document, struct err *err);
/* A number by which a document can be found: `field` is its path in the record ("number", "nodes.order_number"). */
int store_number(struct store *s, store_id document, struct slice kind, struct slice field, struct slice value, struct err *err);
/* What a partner's acknowledgment says of a document of ours. */
int store_answer(struct store *s, store_id document, bool accepted, store_id answer, struct slice words, struct err *err);
/* Those whose time is up; how many. */
int store_overdue(struct store *s, uint32_t *n_r, struct err *err);

/* --- Deliveries ---------------------------------------------------------------------------------------------- */

struct store_delivery {
    store_id id;
    enum delivery_state state;
    struct slice partner;               /* whom it goes to */
    store_id document;                  /* whose record it is; 0: an acknowledgment, or a file sent again */
    store_id transmission;              /* that carries it, once it is made */
    struct slice route;                 /* "send 856 from shipment": the line of the partner's file */
    struct slice kind, set;             /* what goes: the record's kind, the document type; may be empty */
    unsigned priority;
    uint32_t passes, held;
    bool along;                         /* held with its document or transmission, and released with it */
    store_time at, due, done;
    struct slice reason;
};

/* partner, document, route, kind, set, priority, due, passes are read; with a `transmission` it is made already. */
int store_route(struct store *s, const struct store_delivery *d, store_id *id_r, struct err *err);
int store_make_delivery(struct store *s, store_id id, store_id transmission, struct err *err);

/* --- Numbers ------------------------------------------------------------------------------------------------- */

/* Takes the next control number of a partner: `level` is "interchange", "group", "document", `version` what it is counted by (may be
 * empty). From 1 to `most`, then 1 again. */
int store_control(struct store *s, struct slice partner, struct slice version, struct slice level, uint64_t most,
                  uint64_t *number_r, struct err *err);
/* After a restore: control numbers and ids go on so much higher, for what was given since the backup must not be given again. */
int store_skip(struct store *s, uint32_t by, struct err *err);
/* An envelope that arrived. */
struct store_envelope {
    struct slice partner, level;        /* "interchange", "group" */
    struct slice sender, receiver, control;
    store_id transmission;
};
int store_envelope(struct store *s, const struct store_envelope *e, struct err *err);

/* The way to a partner: failures in a row, and until when it is not tried. */
struct store_breaker {
    unsigned failures;
    store_time until;
    struct slice reason;
};
int store_breaker_set(struct store *s, struct slice partner, const struct store_breaker *b, struct err *err);

/* --- Payloads ------------------------------------------------------------------------------------------------ */

/* What a commit names must have been synced. Known ones are given back as they are kept, so that bytes that came again are
 * not kept twice: ask before adding a large one, and for all of them after. */
int store_payload_find(struct store *s, const uint8_t hash[OBJECT_HASH], struct payload *payload_r, struct err *err);    /* 1, 0 */
/* Nothing needs the payloads of this transmission any more: it is through, and so is what came of it (else ERR_USAGE). Its row
 * keeps their names, their size is 0 once they are condemned. */
int store_forget(struct store *s, store_id transmission, struct err *err);
/* Condemns, in one batch, payloads that nothing names and whose rows are older than `before`; at most `n`. Remove them after the
 * commit. */
int store_payload_condemn(struct store *s, store_time before, struct payload *payload_r, uint32_t n, uint32_t *n_r,
                          struct err *err);
/* Segments in which no payload is left, the newest excepted. The ledger forgets them with the batch: remove them after the commit. */
int store_segments_empty(struct store *s, uint32_t *segment_r, uint32_t n, uint32_t *n_r, struct err *err);
/* The highest segment that it names, 0: none. */
int store_segment_highest(struct store *s, uint32_t *segment_r, struct err *err);
/* hash NULL: the segment. True as well when the ledger cannot be read: nothing is litter then. */
bool store_payload_known(struct store *s, const uint8_t *hash, uint32_t segment);
/* All that something names, by hash. */
int store_payloads(struct store *s, int (*row)(void *ctx, const struct payload *p), void *ctx, struct err *err);

/* --- The archive --------------------------------------------------------------------------------------------- */

/* Partners that there is something of, "" among them. */
int store_partners(struct store *s, int (*row)(void *ctx, struct slice partner), void *ctx, struct err *err);
/* At most n transmissions of a partner that came into their state before then, and whose payloads may go to the archive: they are
 * through, nothing that came of them is on its way or held, and no acknowledgment is awaited. Longest first. */
int store_aged(struct store *s, struct slice partner, store_time before, store_id *id_r, uint32_t n, uint32_t *n_r,
               struct err *err);
/* A file of the archive is to be written under this path, below archive/. *again_r: it was begun before, and never
 * ended; what may lie there is ours. ERR_LIMIT: it is there, and is never written again; the batch may go on. */
int store_archive_begin(struct store *s, struct slice path, uint32_t *number_r, bool *again_r, struct err *err);
/* It is there, synced and read back, and so many payloads lie in it. */
int store_archive_end(struct store *s, uint32_t number, uint32_t payloads, struct slice partner, struct slice words,
                      struct err *err);
/* Its path behind what is in path_r. ERR_MISSING: there is none of that number. */
int store_archive_path(struct store *s, uint32_t number, struct buf *path_r, struct err *err);
/* A transmission that store_aged() gave is done with. Gives its payloads that go to the archive, which are those that nothing younger
 * names, as they are kept; at most 3. */
int store_age(struct store *s, store_id transmission, struct payload payload_r[3], unsigned *n_r, struct err *err);
/* One of those lies there now: the place that it had is condemned. Remove it after the commit. */
int store_archived(struct store *s, const struct payload *p, uint32_t archive, uint64_t offset, struct err *err);

/* --- Asking -------------------------------------------------------------------------------------------------- */

struct store_query {                    /* zero: no condition */
    store_id id;
    uint32_t states;                    /* a set: 1 << state */
    enum store_direction direction;
    struct slice partner;
    store_time from, to;                /* of `at`: from <= at < to */
    store_time due;                     /* due by then; by priority, then by `due`, of what is waiting, made, laid or awaited */
    uint32_t priorities;                /* a set: 1 << priority */
    store_id transmission;              /* documents, deliveries, events of it; events of its documents as well */
    store_id document;                  /* deliveries, events of it; events of its deliveries as well */
    store_id delivery;                  /* documents, events of it */
    store_id parent, replays, answers, made_of;
    bool source;                        /* only those whose file may still be at the door */
    bool alone;                         /* deliveries that are decided on by themselves: they stand in no transmission, and are not held
                                         * with their document */
    bool delayed;                       /* transmissions that leave and could not be handed over at the last attempt */
    store_id after;                     /* ids above; with `newest` below */
    bool newest;                        /* last first */
    uint32_t limit;                     /* 0: all */
};

/* By id. Callbacks: 0 goes on, negative stops and is given back. */
int store_transmissions(struct store *s, const struct store_query *q,
                        int (*row)(void *ctx, const struct store_transmission *t), void *ctx, struct err *err);
int store_documents(struct store *s, const struct store_query *q, int (*row)(void *ctx, const struct store_document *d),
                    void *ctx, struct err *err);
int store_deliveries(struct store *s, const struct store_query *q, int (*row)(void *ctx, const struct store_delivery *d),
                     void *ctx, struct err *err);

/* The first transmission of the same bytes from a partner that was translated or is held, before `before`; 0: none. Replays are
 * not counted. */
int store_find_same(struct store *s, struct slice partner, const uint8_t hash[OBJECT_HASH], store_id before, store_id *id_r,
                    struct err *err);
/* The last transmission that an envelope of that number came in, other than e->transmission; 0: none. */
int store_find_envelope(struct store *s, const struct store_envelope *e, store_id *id_r, struct err *err);
/* The last document of that key that was recorded or is held, in a transmission other than `but`; id 0: none. Only id, state, content and
 * transmission are set. */
int store_find_key(struct store *s, const uint8_t key[STORE_KEY], store_id but, struct store_document *found_r, struct err *err);
/* The last document of that key and content that somebody dropped, below `before`; id 0: none. Only id and transmission are set. */
int store_find_dropped(struct store *s, const uint8_t key[STORE_KEY], const uint8_t content[STORE_KEY], store_id before,
                       struct store_document *found_r, struct err *err);
/* Ours that a partner acknowledges: the last one sent with these numbers; `control` empty: all of the group, or of the interchange.
 * Interchange (X12) or group (EDIFACT) may be empty, but not both; set may be. */
int store_find_sent(struct store *s, struct slice partner, struct slice interchange, struct slice group, struct slice set,
                    struct slice control, int (*row)(void *ctx, const struct store_document *d), void *ctx, struct err *err);
/* Documents with such a number, in any field when `field` is empty; newest first. */
int store_find_number(struct store *s, struct slice kind, struct slice field, struct slice value,
                      int (*row)(void *ctx, const struct store_document *d), void *ctx, struct err *err);
/* The reason is valid until it is asked again. */
int store_breaker_get(struct store *s, struct slice partner, struct store_breaker *b_r, struct err *err);  /* 1, 0 */

/* What a callback is given goes when it returns: these keep a row and its texts, in the arena. ERR_NOMEM. */
int store_keep_transmission(struct arena *arena, const struct store_transmission *t, struct store_transmission *kept_r);
int store_keep_document(struct arena *arena, const struct store_document *d, struct store_document *kept_r);
int store_keep_delivery(struct arena *arena, const struct store_delivery *d, struct store_delivery *kept_r);
/* One by its id, kept. 1; 0: there is none. */
int store_get_transmission(struct store *s, store_id id, struct arena *arena, struct store_transmission *t_r, struct err *err);
int store_get_document(struct store *s, store_id id, struct arena *arena, struct store_document *d_r, struct err *err);
int store_get_delivery(struct store *s, store_id id, struct arena *arena, struct store_delivery *d_r, struct err *err);

struct store_event {
    store_id id;
    store_time at;
    struct slice partner;
    uint64_t of_partner;                /* its running number among the partner's */
    struct slice what;                  /* "accept": the arrow */
    struct slice who;
    store_id transmission, document, delivery;
    struct slice words;
};
int store_events(struct store *s, const struct store_query *q, int (*row)(void *ctx, const struct store_event *e), void *ctx,
                 struct err *err);
/* An event that is no arrow: "start", "stop", "backup". */
int store_say(struct store *s, struct slice partner, struct slice what, struct slice words, struct err *err);

struct store_counts {                   /* by state */
    uint64_t transmission[2][TRANSMISSION_STATE_END];       /* [0] in, [1] out */
    uint64_t document[2][DOCUMENT_STATE_END];
    uint64_t delivery[DELIVERY_STATE_END];
    uint64_t payloads, bytes;               /* at hand */
    uint64_t archived, archived_bytes;      /* in the archive; their own size, not that in there */
};
/* Kept up to date by the verbs, so that a million rows cost nothing. An empty partner: all together; only then payloads and bytes,
 * which belong to nobody. */
int store_count(struct store *s, struct slice partner, struct store_counts *counts_r, struct err *err);

/* What somebody has to look at, each thing once: what goes along with another is not counted beside it. */
struct store_trouble {
    uint64_t dead, held, refused, rejected, overdue;
    uint64_t delayed;                   /* made, and tried again */
};
int store_trouble(struct store *s, struct slice partner, struct store_trouble *trouble_r, struct err *err);

/* A copy of the ledger, while others write. */
int store_backup(struct store *s, const char *path, struct err *err);

#endif
