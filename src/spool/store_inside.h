/*
 * store_inside: what the files of the ledger share, and nobody else. See store.h.
 *
 *     store_sqlite.c   the file, batches, statements, backup
 *     store_schema.c   tables, and how a ledger of an earlier form gets its present one
 *     store_arrows.c   the one place where a state changes, and the verbs that change it
 *     store_keep.c     what stands beside: partners, counts, payloads, numbers, envelopes
 *     store_archive.c  which payloads lie in the archive
 *     store_query.c    asking
 */
#ifndef WAYBILL_SPOOL_STORE_INSIDE_H
#define WAYBILL_SPOOL_STORE_INSIDE_H

#include <sqlite3.h>

#include "base/buf.h"
#include "spool/store.h"

enum {
    SQL_SLOTS = 192,            /* statements that are kept; further ones are made each time */
    PENDING = 64,               /* counts that wait for the end of the batch */
    TOLD = 32,                  /* partners whose events do */
    EVENT = DELIVERY + 1,       /* as a thing, where hours are kept */
    WAL_PAGES = 4096            /* after so many the writer carries its log over: 16 MB */
};

/* One statement in use. Values are bound and read in their order; the first failure stays. */
struct sql {
    struct store *store;
    const char *text;
    sqlite3_stmt *st;
    int at;                     /* last bound, or next to read */
    int failed;                 /* SQLite's code */
    bool busy, spare;           /* spare: not of the kept ones */
    struct buf *kept;           /* texts are copied there */
};

struct store {
    sqlite3 *db;
    char *path;                 /* of the ledger */
    char *who;
    store_time (*now)(void *ctx);
    void *ctx;
    bool write, batch, marked;
    unsigned in_use;            /* statements */
    bool alone;                 /* read as a file that nobody writes: there is no log beside it */
    int wal, tried;             /* pages in the log: after the last commit; when it was last carried over */
    store_time moment;          /* of the verb that is at work: all that it writes has one time */
    struct buf reason;          /* of the way that was asked for last */
    int broken;                 /* a verb of this batch failed with this; why */
    struct err why;
    struct gathered {           /* what a batch writes once, at its end, however often it changes: store_flush() */
        struct pending {
            int64_t of, n;      /* partner, or number of a segment */
            uint8_t what, direction, state;
        } pending[PENDING];
        unsigned n_pending;
        struct told {
            int64_t partner, last;  /* running number of its last event */
            bool changed;
        } told[TOLD];
        unsigned n_told;
        struct hour {
            int64_t hour;
            store_id first, last;   /* 0: none */
        } hour[EVENT + 1];
    } gathered, at_mark;        /* at_mark: as it was there; what is written behind a mark goes with it */
    struct sql sql[SQL_SLOTS];
};

/* --- Statements: store_sqlite.c ---------------------------------------------------------------------------------- */

/* `text` is a literal: it is known by its address. NULL: see err. Give it back with sql_end(). */
struct sql *sql_begin(struct store *s, const char *text, struct err *err);
/* What a function returns then. */
static inline int not_begun(const struct err *err)
{
    return err && err->code < 0 ? err->code : ERR_INTERNAL;
}
void sql_id(struct sql *q, uint64_t n);             /* 0 is NULL */
void sql_int(struct sql *q, int64_t n);
void sql_text(struct sql *q, struct slice text);    /* empty is NULL */
void sql_empty(struct sql *q, struct slice text);   /* empty is '' */
void sql_path(struct sql *q, struct slice bytes);   /* empty is NULL */
void sql_blob(struct sql *q, const void *p, size_t n);
/* 1: there is a row; 0: there is none (left); negative. */
int sql_step(struct store *s, struct sql *q, struct err *err);
/* To be bound anew, with what was bound forgotten. */
void sql_again(struct sql *q);
void sql_end(struct sql **q);
/* All of it: binds are done, there are no rows to read. */
int sql_run(struct store *s, struct sql *q, struct err *err);
int64_t sql_get(struct sql *q);
struct slice sql_get_text(struct sql *q);
/* What is read of this row lies in b from now on (emptied), so that the statement can end. */
int sql_keep(struct sql *q, struct buf *b, struct err *err);
void sql_get_blob(struct sql *q, uint8_t *p, size_t n);     /* zeros when it is not of that size */
/* hash, size, segment, archive, offset. */
void sql_get_payload(struct sql *q, struct payload *p);
/* What SQLite last said, as ours. */
int sql_failed(struct store *s, int code, struct err *err);

/* Before a question: a file that was read as one that nobody writes may be written by now. */
int store_look_again(struct store *s, struct err *err);
/* A verb failed after it may have changed something: nothing of the batch can be committed. Returns `code`. */
int store_spoil(struct store *s, int code, const struct err *err);
/* 0: a batch is open and sound. What every verb begins with. */
int store_in_batch(struct store *s, struct err *err);

/* --- Form: store_schema.c ---------------------------------------------------------------------------------------- */

extern const char *const store_steps[];     /* SQL that leads from version i to i + 1 */
extern const unsigned store_n_steps;

/* Brings the ledger to the version n. */
int store_upgrade(struct store *s, const char *const *steps, unsigned n, struct err *err);
/* 0: it is of the version n. */
int store_version(struct store *s, unsigned n, struct err *err);
/* As store_open(), of a form of one's own: for tests. */
int store_open_steps(const char *spool, const struct store_options *options, const char *const *steps, unsigned n,
                     struct store **store_r, struct err *err);

/* --- Beside: store_keep.c ---------------------------------------------------------------------------------------- */

/* The partner's number in the ledger; 0 for the empty name. make: given when it has none. *id_r -1: there is none. */
int store_partner(struct store *s, struct slice name, bool make, int64_t *id_r, struct err *err);
enum store_counted { COUNT_TRANSMISSION, COUNT_DOCUMENT, COUNT_DELIVERY, COUNT_PAYLOADS, COUNT_BYTES,
                     COUNT_ARCHIVED, COUNT_ARCHIVED_BYTES, COUNT_SEGMENT };
/* Of the partner, and of all (partner 0); COUNT_SEGMENT: of that segment. */
int store_count_add(struct store *s, enum store_counted what, int64_t of, unsigned direction, unsigned state,
                    int64_t n, struct err *err);
/* A thing of this time was given this id: that ids can be found by time. */
int store_hour_add(struct store *s, unsigned thing, store_time at, store_id id, struct err *err);
/* Writes what was gathered of both, and of events. */
int store_flush(struct store *s, struct err *err);
/* The ids between which all things of from <= at < to are. */
int store_hours(struct store *s, unsigned thing, store_time from, store_time to, store_id *low_r, store_id *high_r,
                struct err *err);
/* A row names it: one more, made if there is none. */
int store_payload_refer(struct store *s, const struct payload *p, store_time at, struct err *err);

/* So many more of it (or less) are where it is. */
int store_payload_count(struct store *s, const struct payload *p, int64_t n, struct err *err);

struct store_words {            /* an event */
    int64_t partner;
    const char *what;
    store_id transmission, document, delivery;
    struct slice words;
};
int store_event(struct store *s, const struct store_words *e, struct err *err);

/* --- Changing states: store_arrows.c ----------------------------------------------------------------------------- */

/* What an arrow is drawn for. */
struct subject {
    enum thing thing;
    store_id id;
    unsigned state, direction;
    int64_t partner;
    store_id transmission, document;    /* of a document, a delivery */
    uint32_t held;
};
/* ERR_MISSING in words. */
int store_subject(struct store *s, enum thing thing, store_id id, struct subject *x_r, struct err *err);

/* --- Asking: store_query.c --------------------------------------------------------------------------------------- */

/* The texts that look for ids, for the test that looks at their plans: "" for a gap, NULL behind the last. */
const char *store_query_text(unsigned i);
const char *store_find_text(unsigned i);

#endif
