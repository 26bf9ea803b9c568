/* run: see run.h. */
#include "flow/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "flow/door.h"
#include "flow/receive.h"

/* The appliance with what only this file knows of it. */
struct running {
    struct appliance a;
    int lock;
    bool unclean; /* whoever wrote last did not come to its end */
    bool failed;  /* nor do we: the next start has to look more closely */
};

/* --- The lock ---------------------------------------------------------------------------- */

/* Its text says who holds it, and is empty when the last one ended well. It is synced, or a start after the power went
 * would not know. */
static int write_lock(struct running *r, const char *text, bool made)
{
    size_t n = strlen(text);

    if (ftruncate(r->lock, 0) < 0 || pwrite(r->lock, text, n, 0) != (ssize_t)n)
        return -1;
    return fsync(r->lock) < 0 || (made && fsync(r->a.spool) < 0) ? -1 : 0;
}

static int take_lock(struct running *r, const char *who, struct err *err)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    char text[200], host[65] = "";
    bool made = false;
    ssize_t n;

    r->lock = openat(r->a.spool, "lock", flags);
    if (r->lock < 0 && errno == ENOENT) {
        made = true;
        r->lock = openat(r->a.spool, "lock", flags | O_CREAT, 0600);
    }
    if (r->lock < 0)
        return err_system(err, "the spool's lock");
    n = pread(r->lock, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    for (ssize_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = i + 1 == n ? '\0' : ' ';
    if (flock(r->lock, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return err_system(err, "the spool's lock");
        return err_set(err, ERR_LIMIT, "another process works on this spool: %s",
                       n > 0 ? text : "it does not say which");
    }
    r->unclean = n > 0;
    gethostname(host, sizeof(host) - 1);
    snprintf(text, sizeof(text), "process %ld on %s, started by %.40s\n", (long)getpid(), host, who);
    return write_lock(r, text, made) < 0 ? err_system(err, "the spool's lock") : 0;
}

static void leave_lock(struct running *r)
{
    /* a lock that cannot be emptied only makes the next start look more closely */
    if (r->lock >= 0 && !r->failed && ftruncate(r->lock, 0) < 0)
        r->unclean = true;
    if (r->lock >= 0)
        close(r->lock);
}

/* --- Opening ------------------------------------------------------------------------------- */

static bool is_known(void *ctx, const uint8_t *hash, uint32_t segment)
{
    return store_payload_known(ctx, hash, segment);
}

static int path_of_archive(void *ctx, uint32_t archive, struct buf *path, struct err *err)
{
    return store_archive_path(ctx, archive, path, err);
}

/* What the last one left half done. */
static int recover(struct running *r, struct err *err)
{
    uint64_t removed = 0;
    int rc = 0;

    if (r->unclean)
        rc = objects_sweep(r->a.objects, is_known, r->a.store, &removed, err);
    if (rc == 0)
        rc = door_recover(&r->a, err);
    if (rc == 0)
        rc = deliver_recover(&r->a, err);
    return rc;
}

int appliance_open(const struct run_options *o, struct complaints *c, struct appliance **a_r, struct err *err)
{
    struct running *r = calloc(1, sizeof(*r));
    struct store_options store = { .write = o->write, .who = o->who };
    uint32_t segment = 0;
    const char *spool;
    int rc;

    *a_r = NULL;
    if (!r)
        return err_nomem(err);
    r->lock = r->a.spool = -1;
    rc = home_open(o->home, o->maps, c, &r->a.home, err);
    if (rc < 0) {
        free(r);
        return rc;
    }
    spool = home_settings(r->a.home)->spool;
    *a_r = &r->a;
    r->a.complaints = c->count;
    if (o->write)
        rc = objects_make(spool, err);
    if (rc == 0) {
        r->a.spool = open(spool, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        rc = r->a.spool < 0 ? err_system(err, "%s", spool) : 0;
    }
    if (rc == 0 && o->write)
        rc = take_lock(r, o->who, err);
    if (rc == 0)
        rc = store_open(spool, &store, &r->a.store, err);
    if (rc == 0)
        rc = objects_open(spool, o->write, &r->a.objects, err);
    if (rc == 0)
        objects_archives(r->a.objects, path_of_archive, r->a.store);
    if (rc == 0 && o->write)
        rc = store_segment_highest(r->a.store, &segment, err);
    if (rc == 0 && o->write)
        objects_segments_up_to(r->a.objects, segment);
    if (rc == 0 && o->write)
        rc = recover(r, err);
    if (rc < 0) {
        r->failed = true; /* the lock may be another's, and what is unclean stays so */
        appliance_close(a_r);
    }
    return rc;
}

void appliance_close(struct appliance **a)
{
    struct running *r = (struct running *)*a;

    if (!r)
        return;
    r->failed = r->failed || (r->a.objects && objects_untidy(r->a.objects));
    door_forget(&r->a.looks);
    objects_close(&r->a.objects);
    store_close(&r->a.store);
    leave_lock(r);
    if (r->a.spool >= 0)
        close(r->a.spool);
    home_close(&r->a.home);
    free(r);
    *a = NULL;
}

/* --- Running --------------------------------------------------------------------------------- */

static bool is_stopped(const struct appliance *a)
{
    return a->stop && a->stop(a->ctx);
}

/* Waits a moment for files that rest. False: it has been long enough; they change again and again. */
static bool rest(const struct appliance *a, unsigned *rests)
{
    enum { MOMENT = 100 };
    struct timespec t = { .tv_nsec = MOMENT * 1000000 };

    if (++*rests * (uint64_t)MOMENT > (2 * home_settings(a->home)->settle + 1) * 1000)
        return false;
    nanosleep(&t, NULL);
    return true;
}

typedef int stage(struct appliance *a, uint32_t *done_r, struct err *err);

static int run_stages(struct appliance *a, stage *const *stages, unsigned n, bool *busy_r, struct err *err)
{
    *busy_r = false;
    for (unsigned i = 0; i < n && !is_stopped(a); i++) {
        uint32_t done = 0;
        /* all that arrived is read before anything is made of it, so that numbers are given in one order, however often
         * a bundle is in a bundle, and wherever a start before this one ended */
        do {
            int rc = stages[i](a, &done, err);
            if (rc < 0) {
                ((struct running *)a)->failed = true;
                return rc;
            }
            *busy_r = *busy_r || done > 0;
        } while (stages[i] == receive_work && done && !is_stopped(a));
    }
    return 0;
}

int appliance_run(struct appliance *a, struct err *err)
{
    static stage *const stages[] = { door_take, receive_work, make_work, deliver_work, clock_work };
    static stage *const idle[] = { archive_work, garbage_work };
    unsigned rests = 0;
    bool busy = true;
    int rc;

    while (busy && !is_stopped(a)) {
        a->wait = 0;
        rc = run_stages(a, stages, sizeof(stages) / sizeof(stages[0]), &busy, err);
        if (rc == 0 && !busy)
            rc = run_stages(a, idle, sizeof(idle) / sizeof(idle[0]), &busy, err);
        if (rc < 0)
            return rc;
        if (busy)
            rests = 0;
        else if (a->wait)
            busy = rest(a, &rests);
    }
    return 0;
}

/* --- What people decide ----------------------------------------------------------------------- */

static int end_batch(struct appliance *a, int rc, struct err *err)
{
    if (rc == 0)
        rc = store_commit(a->store, err);
    if (rc < 0)
        store_rollback(a->store);
    return rc;
}

/* The state that a thing is in; ERR_MISSING: there is none of that id. */
struct looked_up {
    unsigned state;
    struct store_transmission t;
    struct store_document d;
    struct store_delivery v;
};

static int look_up(struct appliance *a, enum thing thing, store_id id, struct arena *arena, struct looked_up *l,
                   struct err *err)
{
    int rc = thing == TRANSMISSION ? store_get_transmission(a->store, id, arena, &l->t, err)
             : thing == DOCUMENT   ? store_get_document(a->store, id, arena, &l->d, err)
                                   : store_get_delivery(a->store, id, arena, &l->v, err);

    if (rc == 0)
        return err_set(err, ERR_MISSING, "there is no %c%llu", "TDV"[thing], (unsigned long long)id);
    if (rc > 0)
        l->state = thing == TRANSMISSION ? l->t.state : thing == DOCUMENT ? l->d.state : l->v.state;
    return rc < 0 ? rc : 0;
}

/* Whether the arrow leads out of the state that the thing is in, or `first` would make it so: then that is said. */
static int may(struct appliance *a, enum arrow arrow, store_id id, const char *words, enum arrow first, struct err *err)
{
    enum thing thing = arrows[arrow].thing;
    struct looked_up l;
    struct arena arena;
    int rc;

    arena_init(&arena, 1 << 20);
    rc = look_up(a, thing, id, &arena, &l, err);
    arena_deinit(&arena);
    if (rc == 0 && !(arrows[arrow].from & 1u << l.state))
        return err_set(err, ERR_USAGE, "it is %s, and cannot be %s%s", state_name(thing, l.state), words,
                       first != arrow && arrows[first].from & 1u << l.state ? "; hold it first" : "");
    return rc;
}

struct on_its_way {
    store_id waiting, handed_over, made, carrier; /* a delivery in such a state; what carries the made one */
};

static int on_way(void *ctx, const struct store_delivery *d)
{
    struct on_its_way *w = ctx;

    if (d->state == DELIVERY_WAITING) {
        w->waiting = d->id;
    } else if (d->state == DELIVERY_MADE) {
        w->made = d->id;
        w->carrier = d->transmission;
    } else if (d->state == DELIVERY_DELIVERED) {
        w->handed_over = d->id;
    }
    return 0;
}

/* A document is held by what of it waits. What stands in a file already goes with that, and would go on though the
 * document says it is held. */
static int may_hold_document(struct appliance *a, store_id id, struct err *err)
{
    const struct store_query q = { .document = id };
    struct on_its_way w = { .waiting = 0 };
    int rc = store_deliveries(a->store, &q, on_way, &w, err);

    if (rc < 0)
        return rc;
    if (w.made)
        return err_set(err, ERR_USAGE, "it stands in T%llu already, as V%llu; hold T%llu",
                       (unsigned long long)w.carrier, (unsigned long long)w.made, (unsigned long long)w.carrier);
    if (w.waiting)
        return 0;
    if (w.handed_over)
        return err_set(err, ERR_USAGE, "it was handed over already, as V%llu", (unsigned long long)w.handed_over);
    return err_set(err, ERR_USAGE, "nothing of it is on its way");
}

/* Of what leaves a file tells: its documents go with it. By itself one is dropped whose acknowledgment nobody waits for
 * any more. */
static int may_drop_document(struct appliance *a, store_id id, struct err *err)
{
    struct looked_up l;
    struct arena arena;
    int rc;

    arena_init(&arena, 1 << 20);
    rc = look_up(a, DOCUMENT, id, &arena, &l, err);
    if (rc == 0 && l.d.direction == STORE_OUT &&
        (l.state == DOCUMENT_WRITTEN || l.state == DOCUMENT_DEAD || (l.state == DOCUMENT_AWAITED && !l.d.due)))
        rc = err_set(err, ERR_USAGE, "it stands in T%llu, and shares what becomes of it",
                     (unsigned long long)l.d.transmission);
    arena_deinit(&arena);
    return rc;
}

static const enum arrow holds[] = { TRANSMISSION_hold, DOCUMENT_hold, DELIVERY_hold };

int appliance_hold(struct appliance *a, enum thing thing, store_id id, struct slice reason, struct err *err)
{
    int rc = may(a, holds[thing], id, "held", holds[thing], err);

    if (rc == 0 && thing == DOCUMENT)
        rc = may_hold_document(a, id, err);
    if (rc == 0)
        rc = store_begin(a->store, err);
    if (rc == 0)
        rc = end_batch(a, store_hold(a->store, thing, id, HELD_BY_HAND, reason, err), err);
    return rc;
}

int appliance_drop(struct appliance *a, enum thing thing, store_id id, struct slice reason, struct err *err)
{
    static const enum arrow drops[] = { TRANSMISSION_drop, DOCUMENT_drop, DELIVERY_drop };
    int rc = may(a, drops[thing], id, "dropped", holds[thing], err);

    if (rc == 0 && thing == DOCUMENT)
        rc = may_drop_document(a, id, err);
    if (rc == 0)
        rc = store_begin(a->store, err);
    if (rc == 0)
        rc = end_batch(a, store_drop(a->store, thing, id, reason, err), err);
    return rc;
}

static int on_delivery(void *ctx, const struct store_delivery *d)
{
    (void)d;
    *(bool *)ctx = true;
    return 0;
}

/* What was held before anybody knew where it goes, goes now. */
static int release_document(struct appliance *a, store_id id, struct slice to, struct err *err)
{
    struct looked_up document, transmission;
    const struct store_query q = { .document = id, .limit = 1 };
    bool any = false;
    struct arena arena;
    int rc;

    arena_init(&arena, 1 << 20);
    rc = look_up(a, DOCUMENT, id, &arena, &document, err);
    if (rc == 0)
        rc = look_up(a, TRANSMISSION, document.d.transmission, &arena, &transmission, err);
    if (rc == 0)
        rc = store_release(a->store, DOCUMENT, id, err);
    if (rc == 0)
        rc = store_deliveries(a->store, &q, on_delivery, &any, err);
    if (rc == 0 && (!any || to.n))
        rc = settle_again(a, &document.d, &transmission.t, to, err);
    arena_deinit(&arena);
    return rc;
}

int appliance_release(struct appliance *a, enum thing thing, store_id id, struct slice to, struct err *err)
{
    static const enum arrow releases[] = { TRANSMISSION_release, DOCUMENT_release, DELIVERY_release };
    int rc = may(a, releases[thing], id, "released", releases[thing], err);

    if (rc == 0 && to.n && thing != DOCUMENT)
        rc = err_set(err, ERR_USAGE, "only a document can be sent to somebody else");
    if (rc == 0)
        rc = store_begin(a->store, err);
    if (rc == 0)
        rc = end_batch(
            a, thing == DOCUMENT ? release_document(a, id, to, err) : store_release(a->store, thing, id, err), err);
    return rc;
}

/* --- Once more --------------------------------------------------------------------------------- */

static int add_payload(struct appliance *a, int fd, struct payload *payload_r, struct err *err)
{
    struct object_writer *w = NULL;
    char block[16 << 10];
    ssize_t n = 0;
    int rc = object_begin(a->objects, &w, err);

    while (rc == 0 && (n = read(fd, block, sizeof(block))) > 0)
        rc = object_write(w, slice(block, (size_t)n), err);
    if (rc == 0 && n < 0)
        rc = err_system(err, "the mended file");
    if (rc == 0)
        rc = object_end(&w, payload_r, err);
    object_abandon(&w);
    return rc == 0 ? objects_sync(a->objects, err) : rc;
}

struct fates {
    bool open, recorded, dropped; /* there is one that failed or is held; that went through; that was dropped */
};

static int on_fate(void *ctx, const struct store_document *d)
{
    struct fates *f = ctx;

    if (d->state == DOCUMENT_REFUSED || d->state == DOCUMENT_DEAD || d->state == DOCUMENT_HELD)
        f->open = true;
    else if (d->state == DOCUMENT_DROPPED)
        f->dropped = true;
    else
        f->recorded = true;
    return f->open ? ERR_STOP : 0;
}

static int replay_arrived(struct appliance *a, const struct store_transmission *t, const struct replay_options *o,
                          store_id *id_r, struct err *err)
{
    /* of a whole day what waits for somebody goes on waiting, and what somebody decided stays decided */
    const uint32_t decided = o->failed ? 1u << DOCUMENT_REFUSED | 1u << DOCUMENT_DEAD : 0;
    const struct store_query q = { .transmission = t->id, .states = decided };
    struct store_transmission again = { .direction = STORE_IN,
                                        .partner = t->partner,
                                        .name = t->name,
                                        .way = t->way,
                                        .payload = t->payload,
                                        .parent = t->parent,
                                        .replays = t->id,
                                        .passes = t->passes & ~(uint32_t)(PASS_AGAIN | PASS_DROPPED) };
    struct fates fates = { .open = t->state != TRANSMISSION_TRANSLATED };
    int rc = 0;

    if (!fates.open)
        rc = store_documents(a->store, &q, on_fate, &fates, err);
    if (rc < 0 && rc != ERR_STOP)
        return rc;
    if (o->failed && !fates.open)
        return 0;
    if (o->all)
        again.passes |= PASS_AGAIN | PASS_DROPPED;
    else if (o->fd < 0 && !fates.open && fates.recorded && fates.dropped)
        return err_set(err, ERR_USAGE,
                       "what of it was not dropped was recorded: `waybill replay` of a document brings "
                       "that one back, --all hands all of it over again");
    else if (o->fd < 0 && !fates.open)
        again.passes |= fates.dropped ? PASS_DROPPED : PASS_AGAIN;
    rc = o->fd >= 0 ? add_payload(a, o->fd, &again.payload, err) : 0;
    return rc == 0 ? store_accept(a->store, &again, id_r, err) : rc;
}

/* What a file carries, which the same file carries once more. */
struct carried_again {
    struct appliance *a;
    struct arena *arena;
    store_id again; /* the new one */
    struct pair {
        store_id old, now;
    } * delivery;
    size_t n, room;
    struct err *err;
};

static int carry_delivery(void *ctx, const struct store_delivery *d)
{
    struct carried_again *c = ctx;
    struct store_delivery again = { .partner = d->partner,
                                    .document = d->document,
                                    .transmission = c->again,
                                    .route = d->route,
                                    .kind = d->kind,
                                    .set = d->set,
                                    .priority = d->priority,
                                    .passes = d->passes };
    struct pair *grown = arena_grow(c->arena, c->delivery, c->n, &c->room, sizeof(*grown));

    if (!grown)
        return err_nomem(c->err);
    c->delivery = grown;
    c->delivery[c->n].old = d->id;
    return store_route(c->a->store, &again, &c->delivery[c->n++].now, c->err);
}

static int carry_document(void *ctx, const struct store_document *d)
{
    struct carried_again *c = ctx;
    struct store_document again = *d;
    size_t low = 0, high = c->n;
    store_id ignored;

    while (low < high) { /* they came by id */
        size_t middle = low + (high - low) / 2;
        if (c->delivery[middle].old < d->delivery)
            low = middle + 1;
        else
            high = middle;
    }
    again.delivery = low < c->n && c->delivery[low].old == d->delivery ? c->delivery[low].now : 0;
    again.transmission = c->again;
    again.state = d->within ? DOCUMENT_AWAITED : DOCUMENT_WRITTEN;
    again.reason = slice(NULL, 0);
    return store_document(c->a->store, &again, &ignored, c->err);
}

/* A file that left, as it was: the same bytes under the same name, with what it carries. */
static int replay_sent(struct appliance *a, const struct store_transmission *t, struct arena *arena, store_id *id_r,
                       struct err *err)
{
    const struct store_query q = { .transmission = t->id };
    struct store_transmission again = { .direction = STORE_OUT,
                                        .partner = t->partner,
                                        .name = t->name,
                                        .way = t->way,
                                        .target = t->target,
                                        .format = t->format,
                                        .payload = t->payload,
                                        .answers = t->answers,
                                        .replays = t->id,
                                        .priority = t->priority };
    struct carried_again c = { .a = a, .arena = arena, .err = err };
    int rc;

    if (t->state == TRANSMISSION_MADE || t->state == TRANSMISSION_LAID)
        return err_set(err, ERR_USAGE, "it is made, and goes with the next `waybill run`; it would come twice");
    rc = store_make(a->store, &again, id_r, err);
    c.again = *id_r;
    if (rc == 0)
        rc = store_deliveries(a->store, &q, carry_delivery, &c, err);
    return rc == 0 ? store_documents(a->store, &q, carry_document, &c, err) : rc;
}

static int on_went(void *ctx, const struct store_delivery *d)
{
    if (d->state != DELIVERY_DROPPED && d->state != DELIVERY_DEAD)
        *(bool *)ctx = true;
    return 0;
}

/* The record of a document that arrived goes its ways, or to somebody. */
static int replay_document(struct appliance *a, const struct store_document *d, struct arena *arena,
                           const struct replay_options *o, store_id *id_r, struct err *err)
{
    const struct store_query to_him = { .document = d->id, .partner = o->to };
    const bool back = d->state == DOCUMENT_DEAD || d->state == DOCUMENT_DROPPED;
    bool went = false;
    struct looked_up t;
    int rc;

    if (d->direction == STORE_IN && d->state == DOCUMENT_HELD)
        return err_set(err, ERR_USAGE, "it is held, and would come twice; release it, or drop it first");
    if (d->direction != STORE_IN || !d->record_size || (d->state != DOCUMENT_RECORDED && !back) ||
        slice_is(d->kind, "acknowledgment"))
        return err_set(err, ERR_USAGE, "it is %s%s; replay its transmission, T%llu", state_name(DOCUMENT, d->state),
                       d->direction == STORE_IN && !d->record_size ? ", and there is no record of it" : "",
                       (unsigned long long)d->transmission);
    if (o->failed) {
        rc = store_deliveries(a->store, &to_him, on_went, &went, err);
        if (rc < 0 || went)
            return rc;
    }
    rc = look_up(a, TRANSMISSION, d->transmission, arena, &t, err);
    if (rc == 0 && back)
        rc = store_replay(a->store, d->id, err);
    if (rc == 0)
        rc = settle_again(a, d, &t.t, o->to, err);
    *id_r = rc == 0 ? d->id : 0;
    return rc;
}

static int replay(struct appliance *a, enum thing thing, struct looked_up *l, struct arena *arena,
                  const struct replay_options *o, store_id *id_r, struct err *err)
{
    if (thing == TRANSMISSION && l->t.direction == STORE_IN)
        return replay_arrived(a, &l->t, o, id_r, err);
    if (thing == TRANSMISSION)
        return replay_sent(a, &l->t, arena, id_r, err);
    if (thing == DELIVERY) {
        struct store_delivery again = { .partner = l->v.partner,
                                        .document = l->v.document,
                                        .route = l->v.route,
                                        .kind = l->v.kind,
                                        .set = l->v.set,
                                        .priority = l->v.priority,
                                        .passes = l->v.passes };
        if (l->state == DELIVERY_WAITING || l->state == DELIVERY_MADE)
            return err_set(err, ERR_USAGE, "it is %s, and goes with the next `waybill run`; it would come twice",
                           state_name(DELIVERY, l->state));
        if (l->state == DELIVERY_HELD)
            return err_set(err, ERR_USAGE, "it is held, and would come twice; release it, or drop it first");
        if (!l->v.document)
            return err_set(err, ERR_USAGE, "it carries no record; replay the transmission T%llu",
                           (unsigned long long)l->v.transmission);
        return store_route(a->store, &again, id_r, err);
    }
    return replay_document(a, &l->d, arena, o, id_r, err);
}

struct failed_ones {
    struct arena *arena;
    bool arrived;
    store_id *id;
    size_t n, room;
};

static int gather_document(void *ctx, const struct store_document *d)
{
    struct failed_ones *f = ctx;
    store_id *grown = arena_grow(f->arena, f->id, f->n, &f->room, sizeof(*grown));

    if (!grown)
        return ERR_NOMEM;
    f->id = grown;
    f->id[f->n++] = d->id;
    return 0;
}

/* Documents of a transmission that arrived, gave nothing, and are read again now; those of one that left, or of a
 * delivery in one, for which an acknowledgment is awaited no more, but for those that go in their place. */
static int drop_documents(struct appliance *a, enum thing thing, store_id id, bool arrived, struct arena *arena,
                          struct slice reason, struct err *err)
{
    const uint32_t gave_nothing = 1u << DOCUMENT_REFUSED | 1u << DOCUMENT_DEAD,
                   unanswered = 1u << DOCUMENT_AWAITED | 1u << DOCUMENT_OVERDUE | 1u << DOCUMENT_REJECTED;
    const struct store_query q = { .transmission = thing == TRANSMISSION ? id : 0,
                                   .delivery = thing == DELIVERY ? id : 0,
                                   .states = arrived ? gave_nothing : unanswered };
    struct failed_ones f = { .arena = arena, .arrived = arrived };
    int rc = store_documents(a->store, &q, gather_document, &f, err);

    if (rc == ERR_NOMEM)
        err_nomem(err);
    for (size_t i = 0; rc == 0 && i < f.n; i++)
        rc = f.arrived ? store_supersede(a->store, f.id[i], reason, err)
                       : store_drop(a->store, DOCUMENT, f.id[i], reason, err);
    return rc;
}

/* A delivery that died; and its file, when nothing else was in it. */
static int drop_delivery(struct appliance *a, const struct store_delivery *v, struct slice reason, struct err *err)
{
    const struct store_query q = { .transmission = v->transmission, .states = 1u << DELIVERY_DEAD, .limit = 1 };
    bool others = false;
    int rc = store_drop(a->store, DELIVERY, v->id, reason, err);

    if (rc == 0 && v->transmission)
        rc = store_deliveries(a->store, &q, on_delivery, &others, err);
    return rc == 0 && v->transmission && !others ? store_drop(a->store, TRANSMISSION, v->transmission, reason, err)
                                                 : rc;
}

/* What was dead or refused is so no more: it goes again, and nobody shall do that twice. */
static int supersede(struct appliance *a, enum thing thing, const struct looked_up *l, store_id now,
                     struct arena *arena, struct err *err)
{
    char text[48];
    struct slice reason;

    snprintf(text, sizeof(text), "goes again as %c%llu", "TDV"[thing], (unsigned long long)now);
    reason = slice_of(text);
    if (thing == TRANSMISSION && l->state == TRANSMISSION_DEAD)
        return store_drop(a->store, TRANSMISSION, l->t.id, reason, err);
    if (thing == TRANSMISSION && (l->state == TRANSMISSION_TRANSLATED || l->state == TRANSMISSION_SENT))
        return drop_documents(a, thing, l->t.id, l->state == TRANSMISSION_TRANSLATED, arena, reason, err);
    if (thing == DELIVERY && l->state == DELIVERY_DEAD)
        return drop_delivery(a, &l->v, reason, err);
    if (thing == DELIVERY && l->state == DELIVERY_DELIVERED)
        return drop_documents(a, thing, l->v.id, false, arena, reason, err);
    return 0;
}

int appliance_replay(struct appliance *a, enum thing thing, store_id id, const struct replay_options *o, store_id *id_r,
                     struct err *err)
{
    struct looked_up l;
    struct arena arena;
    int rc;

    *id_r = 0;
    arena_init(&arena, 64 << 20);
    rc = look_up(a, thing, id, &arena, &l, err);
    if (rc == 0 && o->fd >= 0 && (thing != TRANSMISSION || l.t.direction != STORE_IN))
        rc = err_set(err, ERR_USAGE, "mended bytes stand in for those of a transmission that arrived");
    if (rc == 0 && o->to.n && thing != DOCUMENT)
        rc = err_set(err, ERR_USAGE, "only a document can be sent to somebody else");
    if (rc == 0 && thing == TRANSMISSION && l.state == TRANSMISSION_HELD)
        rc = err_set(err, ERR_USAGE, "it is held, and would come twice; release it, or drop it first");
    if (rc == 0)
        rc = store_begin(a->store, err);
    if (rc == 0) {
        rc = replay(a, thing, &l, &arena, o, id_r, err);
        if (rc == 0 && *id_r)
            rc = supersede(a, thing, &l, *id_r, &arena, err);
        rc = end_batch(a, rc, err);
    }
    arena_deinit(&arena);
    return rc;
}
