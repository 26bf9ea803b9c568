/*
 * deliver: see deliver.h.
 *
 * Things go in batches. First all payloads of a batch are written under hidden names; then all are synced, and their
 * folders; one commit says that they are laid. Then all get their names, the folders are synced, and one commit says
 * that they are sent. What fails on the way gets its next time in the same commits. Only then hidden files that are
 * of no use any more are removed: one that is gone while the ledger says laid would count as sent.
 */
#include "flow/deliver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "flow/appliance.h"
#include "flow/folder.h"

enum {
    CLASSES = 3,                /* of priority */
    WAITING = 500,              /* of each class and partner that go in one go */
    BATCH = 128,                /* laid in one commit */
    BATCH_BYTES = 16 << 20,     /* or so many bytes */
    PIECE = 128 << 10,
    HIDDEN = 40
};

/* The way to a partner. */
struct route_state {
    const struct partner *partner;
    struct store_breaker breaker;
    bool known;                 /* what the ledger says of it */
    bool changed;
    bool probed;                /* the one that tries whether it is open again is under way */
};

struct waiting {
    store_id id;
    store_time due;
};

enum fate {
    FATE_LAY,                   /* its hidden file is written */
    FATE_LAID,
    FATE_PLACED,
    FATE_RETRY,                 /* why; the way to the partner failed */
    FATE_NAME,                  /* why; only this one failed */
    FATE_BURY,
    FATE_HOLD,
    FATE_STAY                   /* nothing is noted of it: not its turn, or not known what became of it */
};

struct target {
    const char *path;           /* empty: the partner's folder of ours */
    uint32_t route;
    int fd;
    bool changed, failed;
    bool unsynced, counted;     /* it failed for all of a batch at once, which is one failure of the way */
    struct err why;
};

struct parcel {
    store_id id;
    uint32_t route;
    enum fate fate;
    struct payload payload;
    struct slice way;
    const char *path, *name;    /* in the arena; the target's folder, its own name */
    char hidden[HIDDEN];
    unsigned attempts;
    store_time first, at;       /* the first attempt that failed, if one did; when it was made */
    struct target *target;
    int fd;                     /* of the hidden file, while it is written */
    bool litter;                /* the hidden file is there and shall go after the commit */
    struct err why;
};

struct delivering {
    struct appliance *a;
    store_time now;
    struct route_state *route;  /* by home_partner_at() */
    unsigned n_routes;
    struct waiting *waiting[CLASSES];
    size_t n_waiting[CLASSES], room[CLASSES];
    struct parcel parcel[BATCH];
    unsigned n;
    struct target target[BATCH];
    unsigned n_targets;
    struct arena arena;         /* of the batch */
    struct buf small, words;
    bool nomem;
    uint32_t done;
    char piece[PIECE];
};

/* --- Waiting ------------------------------------------------------------------------------ */

store_time deliver_wait(uint64_t first, unsigned n, uint64_t seed)
{
    uint64_t slowest = first > DELIVER_SLOWEST ? first : DELIVER_SLOWEST, seconds = first;

    for (unsigned i = 1; i < n && seconds < slowest; i++)
        seconds *= 2;
    if (seconds > slowest)
        seconds = slowest;
    seed = slice_hash(slice((const char *)&seed, sizeof(seed)));
    return (store_time)(seconds * 800 + seed % (seconds * 400 + 1));
}

/* Whether a time has come. */
static bool is_due(store_time due, store_time now)
{
    return due <= now || due > now + (store_time)DELIVER_FUTURE * 1000;
}

static void delivering_free(struct delivering **delivering)
{
    struct delivering *d = *delivering;

    if (!d)
        return;
    for (unsigned i = 0; i < CLASSES; i++)
        free(d->waiting[i]);
    free(d->route);
    arena_deinit(&d->arena);
    buf_deinit(&d->small);
    buf_deinit(&d->words);
    free(d);
    *delivering = NULL;
}

static int delivering_new(struct appliance *a, struct delivering **d_r, struct err *err)
{
    struct delivering *d = calloc(1, sizeof(*d));
    bool good = d != NULL;

    *d_r = d;
    if (!d)
        return err_nomem(err);
    d->a = a;
    d->now = store_now(a->store);
    arena_init(&d->arena, 16 << 20);
    buf_init(&d->small, OBJECT_SMALL);
    buf_init(&d->words, 8192);
    d->n_routes = home_partners(a->home);
    d->route = calloc(d->n_routes + 1, sizeof(*d->route));
    good = d->route != NULL;
    if (!good) {
        delivering_free(d_r);
        return err_nomem(err);
    }
    for (unsigned i = 0; i < d->n_routes; i++)
        d->route[i].partner = home_partner_at(a->home, i);
    return 0;
}

static bool stopped(const struct appliance *a)
{
    return a->stop && a->stop(a->ctx);
}

/* Partners are in the order of their names. */
static bool find_route(const struct delivering *d, struct slice name, uint32_t *route_r)
{
    uint32_t low = 0, high = d->n_routes;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int c = slice_cmp(d->route[middle].partner->name, name);
        if (c == 0) {
            *route_r = middle;
            return !d->route[middle].partner->off;
        }
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* --- The way to a partner ------------------------------------------------------------------- */

static int learn_route(struct delivering *d, struct route_state *r, struct err *err)
{
    struct store_breaker *b = &r->breaker;
    int rc;

    if (r->known)
        return 0;
    *b = (struct store_breaker){ 0 };
    rc = store_breaker_get(d->a->store, r->partner->name, b, err);
    b->reason = slice(NULL, 0);
    r->known = rc >= 0;
    return rc < 0 ? rc : 0;
}

static bool is_closed(const struct delivering *d, const struct route_state *r)
{
    return r->breaker.failures >= DELIVER_FAILURES && (r->probed || !is_due(r->breaker.until, d->now));
}

static void way_failed(struct delivering *d, struct route_state *r, uint64_t seed)
{
    struct store_breaker *b = &r->breaker;

    if (b->failures < 1000000)
        b->failures++;
    if (b->failures >= DELIVER_FAILURES)
        b->until = d->now + deliver_wait(r->partner->retry, b->failures - DELIVER_FAILURES + 1, seed);
    r->changed = true;
}

static void way_works(struct route_state *r)
{
    if (!r->breaker.failures)
        return;
    r->breaker = (struct store_breaker){ 0 };
    r->changed = true;
    r->probed = false;
}

/* --- What waits ----------------------------------------------------------------------------- */

static int notice(void *ctx, const struct store_transmission *t)
{
    struct delivering *d = ctx;
    unsigned class = t->priority < CLASSES ? t->priority : CLASSES - 1;

    if (d->n_waiting[class] == d->room[class]) {
        size_t room = d->room[class] ? d->room[class] * 2 : 64;
        struct waiting *grown = realloc(d->waiting[class], room * sizeof(*grown));
        if (!grown)
            return ERR_NOMEM;
        d->waiting[class] = grown;
        d->room[class] = room;
    }
    d->waiting[class][d->n_waiting[class]++] = (struct waiting){ t->id, t->due };
    return 0;
}

static int compare_waiting(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    int c = (x->due > y->due) - (x->due < y->due);
    return c ? c : (x->id > y->id) - (x->id < y->id);
}

/* Of each partner so many of each class: one who gets much keeps no other waiting, nor does one whose way is closed. */
static int look_what_waits(struct delivering *d, struct err *err)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < d->n_routes; i++) {
        struct route_state *r = &d->route[i];
        rc = learn_route(d, r, err);
        for (unsigned c = 0; rc == 0 && c < CLASSES && !r->partner->off && !is_closed(d, r); c++) {
            struct store_query q = { .direction = STORE_OUT, .states = 1u << TRANSMISSION_MADE,
                                     .partner = r->partner->name, .due = d->now, .priorities = 1u << c,
                                     .limit = WAITING };
            rc = store_transmissions(d->a->store, &q, notice, d, err);
        }
    }
    for (unsigned c = 0; rc == 0 && c < CLASSES; c++)
        if (d->n_waiting[c])
            qsort(d->waiting[c], d->n_waiting[c], sizeof(*d->waiting[c]), compare_waiting);
    return rc == ERR_NOMEM ? err_nomem(err) : rc;
}

/* The next to leave. False: nothing waits. */
static bool next_waiting(const struct delivering *d, size_t at[CLASSES], unsigned *turn, store_id *id_r)
{
    /* of ten turns each class has its own; when it has nothing, it is the first one's that has */
    static const unsigned char turns[] = { 0, 0, 0, 1, 0, 0, 1, 0, 0, 2 };
    unsigned c = turns[(*turn)++ % sizeof(turns)];

    for (unsigned first = 0; at[c] >= d->n_waiting[c]; c = first++)
        if (first == CLASSES)
            return false;
    *id_r = d->waiting[c][at[c]++].id;
    return true;
}

/* --- A batch -------------------------------------------------------------------------------- */

static const char *terminated(struct delivering *d, struct slice s)
{
    char *p = arena_alloc(&d->arena, s.n + 1);
    if (!p)
        d->nomem = true;
    else if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

/* What the ledger says of it today. */
static int load(void *ctx, const struct store_transmission *t)
{
    struct delivering *d = ctx;
    struct parcel *p = &d->parcel[d->n];

    if (!find_route(d, t->partner, &p->route))
        return 0;
    p->id = t->id;
    p->payload = t->payload;
    p->way = arena_copy(&d->arena, t->way);
    p->path = terminated(d, t->target);
    p->name = terminated(d, t->name);
    p->attempts = t->attempts;
    p->first = t->first;
    p->at = t->at;
    p->fd = -1;
    if (t->hidden.n && t->hidden.n < HIDDEN)
        snprintf(p->hidden, HIDDEN, "%.*s", SLICE_FMT(t->hidden));
    else
        snprintf(p->hidden, HIDDEN, ".waybill-T%llu", (unsigned long long)t->id);
    if (!p->way.p || !folder_takes_name(t->name) || slice_starts(t->name, SLICE(".waybill-"))) {
        p->fate = FATE_BURY;
        err_set(&p->why, ERR_DATA, "no file can have this name");
    }
    d->nomem = d->nomem || !p->way.p;
    d->n++;
    return 0;
}

static int add_parcel(struct delivering *d, store_id id, enum transmission_state state, struct err *err)
{
    struct store_query q = { .id = id, .states = 1u << state, .direction = STORE_OUT };
    int rc;

    d->parcel[d->n] = (struct parcel){ .fd = -1 };
    rc = store_transmissions(d->a->store, &q, load, d, err);
    return d->nomem ? err_nomem(err) : rc;
}

/* The folder a parcel goes to, open; the same one once only in a batch. */
static int find_target(struct delivering *d, struct parcel *p)
{
    struct target *t;
    struct buf path;

    for (unsigned i = 0; i < d->n_targets; i++) {
        t = &d->target[i];
        if (strcmp(t->path, p->path) == 0 && (*p->path || t->route == p->route)) {
            p->target = t;
            if (t->failed)
                p->why = t->why;
            return t->failed ? ERR_IO : 0;
        }
    }
    t = &d->target[d->n_targets++];
    *t = (struct target){ .path = p->path, .route = p->route, .fd = -1 };
    p->target = t;
    if (!*p->path) {
        t->failed = folder_of_partner(d->a->spool, "out", d->route[p->route].partner->name, true, &t->fd, &t->why) < 0;
    } else if (*p->path == '/') {
        t->failed = folder_open(AT_FDCWD, p->path, &t->fd, &t->why) < 0;
    } else {
        buf_init(&path, 2 * FOLDER_PATH);
        buf_printf(&path, "%s/%s", home_settings(d->a->home)->folder, p->path);
        buf_text(&path);
        d->nomem = d->nomem || path.failed == ERR_NOMEM;
        if (path.failed)
            t->failed = err_set(&t->why, ERR_LIMIT, "the path of the folder is too long") < 0;
        else
            t->failed = folder_open(AT_FDCWD, path.p, &t->fd, &t->why) < 0;
        buf_deinit(&path);
    }
    if (t->failed)
        p->why = t->why;
    return t->failed ? ERR_IO : 0;
}

static void close_targets(struct delivering *d)
{
    for (unsigned i = 0; i < d->n_targets; i++)
        if (d->target[i].fd >= 0)
            close(d->target[i].fd);
    d->n_targets = 0;
}

static void end_batch(struct delivering *d)
{
    for (unsigned i = 0; i < d->n; i++)
        if (d->parcel[i].fd >= 0)
            close(d->parcel[i].fd);
    close_targets(d);
    arena_reset(&d->arena);
    d->n = 0;
}

static void count_failure(struct delivering *d, const struct parcel *p)
{
    struct target *t = p->target;

    if (t && t->unsynced && t->counted)
        return;
    if (t)
        t->counted = t->unsynced;
    way_failed(d, &d->route[p->route], p->id);
}

static void fail(struct delivering *d, struct parcel *p)
{
    p->fate = FATE_RETRY;
    count_failure(d, p);
}

/* From the payload's first byte to its last. Negative: memory, or our own machine; else p->fate. */
static int copy_payload(struct delivering *d, struct parcel *p, struct err *err)
{
    struct err own = { 0 };
    int from = -1, rc;

    buf_clear(&d->small);
    if (p->payload.size < OBJECT_SMALL) {
        rc = object_load(d->a->objects, &p->payload, &d->small, &own);
    } else {
        rc = object_read(d->a->objects, &p->payload, &from, &own);
    }
    if (rc == ERR_MISSING || rc == ERR_DATA) {
        p->fate = FATE_BURY;
        err_set(&p->why, rc, "our own copy of it is damaged: %s", own.text);
        return 0;
    }
    if (rc < 0)
        return err_set(err, rc, "%s", own.text);
    if (from < 0 && file_write_all(p->fd, d->small.p, d->small.n, &p->why) < 0)
        fail(d, p);
    while (from >= 0 && p->fate == FATE_LAY) {
        ssize_t n = read(from, d->piece, sizeof(d->piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = err_system(err, "a payload cannot be read");
            break;
        }
        if (n == 0)
            break;
        if (file_write_all(p->fd, d->piece, (size_t)n, &p->why) < 0)
            fail(d, p);
    }
    if (from >= 0)
        close(from);
    return rc;
}

/* Writes the hidden file, if it is to be. */
static int write_parcel(struct delivering *d, struct parcel *p, struct err *err)
{
    struct route_state *r = &d->route[p->route];
    struct stat st;
    int rc;

    if (p->fate == FATE_BURY)
        return 0;
    if (p->way.n && !slice_is(p->way, "folder")) {
        p->fate = FATE_HOLD;
        err_set(&p->why, ERR_USAGE, "this version of Waybill cannot hand over by %.*s", SLICE_FMT(p->way));
        return 0;
    }
    if (is_closed(d, r)) {
        p->fate = FATE_STAY;
        return 0;
    }
    r->probed = r->breaker.failures >= DELIVER_FAILURES;
    if (find_target(d, p) < 0) {
        fail(d, p);
        return d->nomem ? err_nomem(err) : 0;
    }
    if (fstatat(p->target->fd, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        p->fate = FATE_NAME;
        err_set(&p->why, ERR_USAGE, "a file of this name lies there already");
        return 0;
    }
    if (folder_create(p->target->fd, p->hidden, &p->fd, &p->why) < 0) {
        fail(d, p);
        return 0;
    }
    p->target->changed = true;
    p->litter = true;
    rc = copy_payload(d, p, err);
    return rc;
}

/* What cannot be synced is written anew another time. */
static void sync_parcels(struct delivering *d)
{
    struct parcel *laid[BATCH];
    int fd[BATCH] = { 0 }, error[BATCH];
    unsigned n = 0;

    for (unsigned i = 0; i < d->n; i++)
        if (d->parcel[i].fate == FATE_LAY) {
            laid[n] = &d->parcel[i];
            fd[n++] = d->parcel[i].fd;
        }
    folder_sync_files(fd, n, error);
    for (unsigned i = 0; i < n; i++)
        if (error[i]) {
            errno = error[i];
            err_system(&laid[i]->why, "the file cannot be synced");
            fail(d, laid[i]);
        }
    for (unsigned i = 0; i < d->n; i++) {
        if (d->parcel[i].fd >= 0)
            close(d->parcel[i].fd);
        d->parcel[i].fd = -1;
    }
}

static void sync_targets(struct delivering *d)
{
    for (unsigned i = 0; i < d->n_targets; i++) {
        struct target *t = &d->target[i];
        if (!t->failed && t->changed && folder_sync(t->fd, &t->why) < 0)
            t->failed = t->unsynced = true;
        t->changed = false;
    }
}

static int put_off(struct delivering *d, const struct parcel *p, struct err *err)
{
    const struct partner *partner = d->route[p->route].partner;
    store_time first = p->first && p->first <= d->now ? p->first : d->now;
    store_time end = first + (store_time)partner->retry_for * 1000;
    store_time due = d->now + deliver_wait(partner->retry, p->attempts + 1, p->id * 64 + p->attempts);
    struct err last;

    if (d->now < end)           /* the last attempt is made when the time is over, not long before */
        return store_retry(d->a->store, p->id, due < end ? due : end, folder_words(&p->why, &d->words), err);
    err_set(&last, p->why.code, "given up after %u attempts: %.900s", p->attempts + 1, p->why.text);
    return store_bury(d->a->store, TRANSMISSION, p->id, folder_words(&last, &d->words), err);
}

static int note_parcel(struct delivering *d, const struct parcel *p, struct err *err)
{
    struct store *s = d->a->store;

    switch (p->fate) {
    case FATE_LAY: return store_lay(s, p->id, slice_of(p->hidden), slice_of(p->name), err);
    case FATE_PLACED: return store_place(s, p->id, err);
    case FATE_RETRY:
    case FATE_NAME: return put_off(d, p, err);
    case FATE_BURY: return store_bury(s, TRANSMISSION, p->id, folder_words(&p->why, &d->words), err);
    case FATE_HOLD:
        return store_hold(s, TRANSMISSION, p->id, HELD_TRANSPORT, folder_words(&p->why, &d->words), err);
    case FATE_LAID:
    case FATE_STAY: break;
    }
    return 0;
}

/* One commit for all of it. What is laid goes on; everything else is done with. */
static int note_parcels(struct delivering *d, struct err *err)
{
    bool something = false;
    int rc;

    for (unsigned i = 0; i < d->n; i++)
        something = something || (d->parcel[i].fate != FATE_STAY && d->parcel[i].fate != FATE_LAID) ||
                    d->route[d->parcel[i].route].changed;
    if (!something)
        return 0;
    rc = store_begin(d->a->store, err);
    if (rc < 0)
        return rc;
    for (unsigned i = 0; rc == 0 && i < d->n; i++)
        rc = note_parcel(d, &d->parcel[i], err);
    for (unsigned i = 0; rc == 0 && i < d->n; i++) {
        struct parcel *p = &d->parcel[i];
        struct route_state *r = &d->route[p->route];
        if (!r->changed)
            continue;
        if (r->breaker.failures && (p->fate == FATE_NAME || !p->why.text[0]))
            continue;           /* another one of this partner tells the reason */
        if (r->breaker.failures)
            r->breaker.reason = folder_words(&p->why, &d->words);
        rc = store_breaker_set(d->a->store, r->partner->name, &r->breaker, err);
        r->breaker.reason = slice(NULL, 0);
        r->changed = false;
    }
    if (rc < 0) {
        store_rollback(d->a->store);
        return rc;
    }
    rc = store_commit(d->a->store, err);
    for (unsigned i = 0; rc == 0 && i < d->n; i++) {
        struct parcel *p = &d->parcel[i];
        if (p->fate == FATE_LAY) {
            p->fate = FATE_LAID;
            continue;
        }
        d->done += p->fate != FATE_STAY && p->fate != FATE_LAID;
        if (p->litter && p->fate != FATE_PLACED && p->fate != FATE_STAY)
            unlinkat(p->target->fd, p->hidden, 0);
        p->fate = FATE_STAY;
    }
    return rc;
}

/* `again`: at a start it is not known whether it has its name already; one whose hidden file is gone has. */
static void place_parcel(struct delivering *d, struct parcel *p, bool again)
{
    int rc = folder_place(p->target->fd, p->hidden, p->target->fd, p->name, &p->why);

    p->target->changed = true;
    if (rc == FOLDER_PLACED || (rc == FOLDER_GONE && again)) {
        p->fate = FATE_PLACED;
    } else if (rc == FOLDER_TAKEN) {
        p->fate = FATE_NAME;
        err_set(&p->why, ERR_USAGE, "a file of this name lies there already");
    } else {
        if (rc >= 0)
            err_set(&p->why, ERR_IO, "its hidden file was removed before it had its name");
        fail(d, p);
    }
}

static int place_parcels(struct delivering *d, bool again, struct err *err)
{
    for (unsigned i = 0; i < d->n; i++)
        if (d->parcel[i].fate == FATE_LAID)
            place_parcel(d, &d->parcel[i], again);
    sync_targets(d);
    for (unsigned i = 0; i < d->n; i++) {
        struct parcel *p = &d->parcel[i];
        if (p->fate != FATE_PLACED)
            continue;
        if (!p->target->failed) {
            way_works(&d->route[p->route]);
        } else {
            /* it has its name, but perhaps not for long: it is looked at once more */
            p->fate = FATE_STAY;
            p->why = p->target->why;
            count_failure(d, p);
        }
    }
    return note_parcels(d, err);
}

static int hand_over(struct delivering *d, struct err *err)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < d->n; i++)
        rc = write_parcel(d, &d->parcel[i], err);
    if (rc == 0) {
        sync_parcels(d);
        sync_targets(d);
        for (unsigned i = 0; i < d->n; i++) {
            struct parcel *p = &d->parcel[i];
            if (p->fate == FATE_LAY && p->target->failed) {
                p->why = p->target->why;
                fail(d, p);
            }
        }
        rc = note_parcels(d, err);
    }
    return rc == 0 ? place_parcels(d, false, err) : rc;
}

static void say_done(struct delivering *d, uint32_t before)
{
    char line[64];

    if (!d->a->say || d->done == before)
        return;
    snprintf(line, sizeof(line), "deliver: %u done", d->done - before);
    d->a->say(d->a->ctx, line);
}

/* --- Recovering ----------------------------------------------------------------------------- */

struct laid {
    store_id id[BATCH];
    unsigned n;
};

static int remember_laid(void *ctx, const struct store_transmission *t)
{
    struct laid *l = ctx;
    l->id[l->n++] = t->id;
    return l->n == BATCH ? ERR_STOP : 0;
}

/* One that is laid already. */
static void look_again(struct delivering *d, struct parcel *p)
{
    const struct partner *partner = d->route[p->route].partner;
    struct target *t;

    if (p->fate == FATE_BURY)
        return;
    p->fate = FATE_STAY;
    if (is_closed(d, &d->route[p->route]))
        return;
    d->route[p->route].probed = d->route[p->route].breaker.failures >= DELIVER_FAILURES;
    if (find_target(d, p) == 0) {
        t = p->target;
        p->litter = true;
        p->fate = t->failed ? FATE_STAY : FATE_LAID;
        return;
    }
    /* whether it was placed can only be said when the folder is there */
    way_failed(d, &d->route[p->route], p->id);
    if (d->now - (p->first ? p->first : p->at) > (store_time)partner->retry_for * 1000) {
        p->fate = FATE_BURY;
        p->target = NULL;
    }
}

/* Those that were laid when the last run, or the last batch, ended. */
static int place_laid(struct delivering *d, struct err *err)
{
    struct store_query q = { .direction = STORE_OUT, .states = 1u << TRANSMISSION_LAID };
    struct laid l;
    int rc = 0;

    do {
        l.n = 0;
        rc = store_transmissions(d->a->store, &q, remember_laid, &l, err);
        rc = rc == ERR_STOP ? 0 : rc;
        for (unsigned i = 0; rc == 0 && i < l.n; i++) {
            q.after = l.id[i];
            rc = add_parcel(d, l.id[i], TRANSMISSION_LAID, err);
        }
        for (unsigned i = 0; rc == 0 && i < d->n; i++) {
            rc = learn_route(d, &d->route[d->parcel[i].route], err);
            if (rc == 0)
                look_again(d, &d->parcel[i]);
        }
        if (rc == 0 && d->n)
            rc = place_parcels(d, true, err);
        end_batch(d);
    } while (rc == 0 && l.n == BATCH);
    return rc;
}

static int is_laid(void *ctx, const struct store_transmission *t)
{
    (void)t;
    *(bool *)ctx = true;
    return 0;
}

/* Hidden files in a partner's folder of ours that belong to nothing that is laid. */
static int remove_litter(struct delivering *d, const struct partner *partner, struct err *err)
{
    struct dirent *entry;
    struct err why;
    int fd, rc = 0, again;
    DIR *folder;

    if (folder_of_partner(d->a->spool, "out", partner->name, false, &fd, &why) < 0)
        return 0;
    again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    folder = again >= 0 ? fdopendir(again) : NULL;
    while (rc == 0 && folder && (entry = readdir(folder)) != NULL) {
        struct slice name = slice_of(entry->d_name);
        struct store_query q = { .direction = STORE_OUT, .states = 1u << TRANSMISSION_LAID };
        bool laid = false;

        if (!slice_starts(name, SLICE(".waybill-T")) || !slice_number(slice_from(name, 10), INT64_MAX, &q.id))
            continue;
        if (q.id)
            rc = store_transmissions(d->a->store, &q, is_laid, &laid, err);
        if (rc == 0 && !laid)
            unlinkat(fd, entry->d_name, 0);
    }
    if (folder)
        closedir(folder);
    else if (again >= 0)
        close(again);
    close(fd);
    return rc;
}

static int remember_far(void *ctx, const struct store_transmission *t)
{
    struct delivering *d = ctx;
    return t->due > d->now && is_due(t->due, d->now) ? notice(d, t) : 0;
}

/* The clock was set back: what was put off to then is due at once. */
static int look_far_ahead(struct delivering *d, struct err *err)
{
    struct store_query q = { .direction = STORE_OUT, .states = 1u << TRANSMISSION_MADE };
    int rc = store_transmissions(d->a->store, &q, remember_far, d, err);

    rc = rc == ERR_NOMEM ? err_nomem(err) : rc;
    for (unsigned c = 0; c < CLASSES; c++) {
        for (size_t i = 0; rc == 0 && i < d->n_waiting[c];) {
            rc = store_begin(d->a->store, err);
            if (rc < 0)
                break;
            for (unsigned k = 0; rc == 0 && k < BATCH && i < d->n_waiting[c]; k++, i++)
                rc = store_retry(d->a->store, d->waiting[c][i].id, d->now, SLICE("the clock was set back"), err);
            if (rc == 0)
                rc = store_commit(d->a->store, err);
            else
                store_rollback(d->a->store);
        }
        d->n_waiting[c] = 0;
    }
    if (rc == 0)
        d->a->latest = d->now;
    return rc;
}

int deliver_recover(struct appliance *a, struct err *err)
{
    struct delivering *d;
    int rc = delivering_new(a, &d, err);

    if (rc == 0)
        rc = place_laid(d, err);
    if (rc == 0)
        rc = look_far_ahead(d, err);
    for (unsigned i = 0; rc == 0 && i < home_partners(a->home); i++)
        rc = remove_litter(d, home_partner_at(a->home, i), err);
    delivering_free(&d);
    return rc;
}

/* --- Stages --------------------------------------------------------------------------------- */

static int deliver_all(struct delivering *d, struct err *err)
{
    size_t at[CLASSES] = { 0 };
    unsigned turn = 0;
    store_id id;
    bool more = true;
    int rc = 0;

    while (rc == 0 && more && !stopped(d->a)) {
        uint32_t before = d->done;
        uint64_t bytes = 0;
        while (rc == 0 && d->n < BATCH && bytes < BATCH_BYTES && (more = next_waiting(d, at, &turn, &id))) {
            unsigned had = d->n;
            rc = add_parcel(d, id, TRANSMISSION_MADE, err);
            if (rc == 0 && d->n > had)
                bytes += d->parcel[had].payload.size;
        }
        if (rc == 0)
            rc = hand_over(d, err);
        end_batch(d);
        say_done(d, before);
    }
    return rc;
}

int deliver_work(struct appliance *a, uint32_t *done_r, struct err *err)
{
    struct delivering *d = NULL;
    int rc = delivering_new(a, &d, err);

    *done_r = 0;
    if (rc == 0)
        rc = place_laid(d, err);        /* of a batch that failed */
    if (rc == 0 && d->now < a->latest)
        rc = look_far_ahead(d, err);
    if (rc == 0)
        rc = look_what_waits(d, err);
    if (rc == 0)
        rc = deliver_all(d, err);
    if (d) {
        *done_r = d->done;
        a->latest = rc == 0 ? d->now : a->latest;
    }
    delivering_free(&d);
    return rc;
}

int clock_work(struct appliance *a, uint32_t *done_r, struct err *err)
{
    int rc = store_begin(a->store, err);

    *done_r = 0;
    if (rc < 0)
        return rc;
    rc = store_overdue(a->store, done_r, err);
    if (rc == 0)
        return store_commit(a->store, err);
    store_rollback(a->store);
    return rc;
}
