/*
 * settle: what becomes of each document of a transmission: recorded and routed, refused, held, or recognised as one
 * that came before; see receive.h and spool/README.md.
 */
#include "flow/receive.h"

#include <stdio.h>
#include <unistd.h>

#include "flow/route.h"

enum { SHOWN = 4, REASON = 400, TEXTS = 256 << 20 };

struct settling {
    struct receiving *r;
    struct arena arena; /* of the record at hand */
    store_id id;        /* its document */
    const struct facts *facts;
    const struct record *ahead; /* read last; it may be that of a later document */
    unsigned findings;
    struct buf words;
};

/* --- Numbers ------------------------------------------------------------------------------ */

static int on_number(void *ctx, struct slice field, struct slice value, struct err *err)
{
    struct settling *s = ctx;
    return store_number(s->r->a->store, s->id, s->facts->kind, field, value, err);
}

/* --- Who gets it --------------------------------------------------------------------------- */

/* Does a partner take what is marked as a test? */
static bool takes_tests(const struct partner *p, struct slice set)
{
    if (p->takes_tests)
        return true;
    for (unsigned i = 0; i < p->n_identities; i++) {
        const struct partner_identity *x = &p->identity[i];
        for (unsigned k = 0; k < x->n_groups; k++) {
            if (!partner_group_is_for(&x->group[k], set))
                continue;
            if (x->group[k].usage == 'T')
                return true;
            /* of several groups one may be for tests; of lines `message` the first one counts */
            if (!x->dialect->groups)
                break;
        }
    }
    return false;
}

/* One delivery, in the state that it can be in. */
static int deliver_to(struct settling *s, struct slice name, unsigned priority, const struct json_tape *tape,
                      struct err *err)
{
    struct receiving *r = s->r;
    const struct partner *to = home_partner(r->a->home, name);
    struct store_delivery d = {
        .partner = name, .document = s->id, .kind = s->facts->kind, .priority = priority
    };
    struct way way = { .route = 0 };
    struct buf route;
    struct err own = { 0 };
    store_id id;
    int found = 0, rc;

    buf_clear(&s->words);
    buf_init(&route, 8192);
    if (!to)
        buf_printf(&s->words, "there is no partner %.*s, or its file is wrong", SLICE_FMT(name));
    else if (to->off)
        buf_printf(&s->words, "%.*s is switched off", SLICE_FMT(name));
    else
        found = route_out(r->a->home, to, s->facts->kind, tape, &s->arena, &way, &s->words, &own);
    if (found == ERR_CONFIG || found == ERR_MISSING) {
        buf_clear(&s->words);
        buf_add_text(&s->words, own.text);
        found = 0;
    }
    if (found < 0) {
        buf_deinit(&route);
        return err_set(err, found, "%s", own.text);
    }
    if (found) {
        route_words(&to->route[way.route], &route);
        d.set = to->route[way.route].document;
        if (to->route[way.route].priority < priority)
            d.priority = to->route[way.route].priority;
    }
    d.route = buf_slice(&route);
    rc = route.failed ? err_nomem(err) : store_route(r->a->store, &d, &id, err);
    buf_deinit(&route);
    if (rc == 0 && !found)
        return store_hold(r->a->store, DELIVERY, id, HELD_CONFIG, buf_slice(&s->words), err);
    if (rc == 0 && s->facts->test && !takes_tests(to, d.set))
        return store_hold(r->a->store, DELIVERY, id, HELD_TEST,
                          SLICE("it is a test, and this partner's file does not say that he takes tests"), err);
    return rc;
}

/* --- Origin -------------------------------------------------------------------------------- */

/* Whoever sent what this record answers: a record of his with one of our numbers went to the partner that this one came
 * from. */
struct origin {
    struct settling *s;
    struct slice partner;
    bool several;
    struct slice value;
    struct err *err;
};

static int on_handed_over(void *ctx, const struct store_delivery *d)
{
    bool *found = ctx;
    (void)d;
    *found = true;
    return 0;
}

static int on_candidate(void *ctx, const struct store_document *d)
{
    struct origin *o = ctx;
    struct receiving *r = o->s->r;
    const struct store_query went = { .document = d->id, .partner = r->t->partner, .limit = 1 };
    bool found = false;
    int rc;

    if (d->direction != STORE_IN || slice_eq(d->partner, r->t->partner) || slice_eq(d->partner, o->partner))
        return 0;
    rc = store_deliveries(r->a->store, &went, on_handed_over, &found, o->err);
    if (rc < 0 || !found)
        return rc;
    o->several = o->several || o->partner.n;
    o->partner = arena_copy(&o->s->arena, d->partner);
    return o->partner.p ? 0 : err_nomem(o->err);
}

static int on_answered_number(void *ctx, struct slice field, struct slice value, struct err *err)
{
    struct origin *o = ctx;
    (void)field;
    o->err = err;
    return store_find_number(o->s->r->a->store, slice(NULL, 0), SLICE("number"), value, on_candidate, o, err);
}

static int deliver_to_origin(struct settling *s, const struct record *record, const struct record_kind *kind,
                             unsigned priority, struct err *err)
{
    struct origin o = { .s = s, .err = err };
    int rc = facts_numbers(record, kind, &s->arena, on_answered_number, &o, err);

    if (rc < 0)
        return rc;
    if (o.partner.n && !o.several)
        return deliver_to(s, o.partner, priority, record->tape, err);
    return store_hold(
        s->r->a->store, DOCUMENT, s->id, HELD_RECALL,
        o.several
            ? SLICE("it answers documents of several partners, and it cannot be said which of them gets it")
            : SLICE("nothing that went to this partner has one of its numbers, so it cannot be said whom it goes to"),
        err);
}

/* --- Documents ------------------------------------------------------------------------------ */

/* What the partner's lines say of it; false in *any_r: no line is about it. */
static int route_record(struct settling *s, const struct received *d, const struct record *record,
                        const struct record_kind *kind, bool *any_r, struct err *err)
{
    const struct partner *p = s->r->partner;
    bool origin = false;

    *any_r = false;
    for (unsigned i = 0; i < p->n_routes; i++) {
        const struct partner_route *route = &p->route[i];
        bool meets;
        int rc;

        if (route->out || (s->r->json ? route->document.n || !slice_eq(route->record, s->facts->kind)
                                      : !slice_eq(route->document, d->set)))
            continue;
        rc = route_meets(route, record->tape, &s->arena, &meets, err);
        if (rc < 0)
            return rc;
        if (!meets)
            continue;
        for (unsigned k = 0; k < route->n_to; k++) {
            *any_r = true;
            if (slice_is(route->to[k], "origin")) {
                if (origin)
                    continue;
                origin = true;
                rc = deliver_to_origin(s, record, kind, route->priority, err);
            } else {
                rc = deliver_to(s, route->to[k], route->priority, record->tape, err);
            }
            if (rc < 0)
                return rc;
        }
        if (!route->n_to && s->facts->partner.n && !slice_eq(s->facts->partner, p->name)) {
            *any_r = true;
            rc = deliver_to(s, s->facts->partner, route->priority, record->tape, err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

/* Is a number that comes again, with other content, a change? */
static bool takes_change(const struct settling *s, const struct received *d)
{
    const struct partner *p = s->r->partner;

    for (unsigned i = 0; i < p->n_routes; i++) {
        const struct partner_route *route = &p->route[i];
        if (!route->out && route->change &&
            (s->r->json ? slice_eq(route->record, s->facts->kind) : slice_eq(route->document, d->set)))
            return true;
    }
    return false;
}

/* The transmission that a replay goes back to. */
static int origin_of(struct appliance *a, store_id id, struct arena *arena, store_id *origin_r, struct err *err)
{
    struct store_transmission t = { .replays = id };
    int rc = 1;

    for (*origin_r = id; rc > 0 && t.replays; *origin_r = id) {
        id = t.replays;
        rc = store_get_transmission(a->store, id, arena, &t, err);
    }
    return rc < 0 ? rc : 0;
}

/* What somebody dropped stays dropped when its transmission is read again. */
static int find_dropped(struct settling *s, struct store_document *before, struct err *err)
{
    const struct store_transmission *t = s->r->t;
    store_id family, other = 0;
    int rc = origin_of(s->r->a, t->id, &s->arena, &family, err);

    *before = (struct store_document){ .id = 0 };
    do {
        if (rc == 0)
            rc = store_find_dropped(s->r->a->store, s->facts->key, s->facts->content, before->id, before, err);
        if (rc == 0 && before->id)
            rc = origin_of(s->r->a, before->transmission, &s->arena, &other, err);
    } while (rc == 0 && before->id && other != family);
    return rc;
}

/* Recorded, unless it came before. */
static int choose_state(struct settling *s, const struct received *d, struct store_document *row, struct err *err)
{
    static const uint8_t none[STORE_KEY];
    struct store_document before = { .id = 0 };
    int rc = 0;

    row->state = DOCUMENT_RECORDED;
    if (memcmp(s->facts->key, none, sizeof(none)) == 0 || slice_is(s->facts->kind, "acknowledgment"))
        return 0;
    if (s->r->t->replays && !(s->r->t->passes & PASS_DROPPED)) {
        rc = find_dropped(s, &before, err);
        if (rc == 0 && before.id) {
            row->state = DOCUMENT_REPEATED;
            row->same = before.id;
            buf_printf(&s->words, "the same was dropped, as D%llu; `waybill replay D%llu` brings it back",
                       (unsigned long long)before.id, (unsigned long long)before.id);
            row->reason = buf_slice(&s->words);
        }
        if (rc < 0 || before.id)
            return rc;
    }
    if (s->r->t->passes & PASS_AGAIN)
        return 0;
    rc = store_find_key(s->r->a->store, s->facts->key, 0, &before, err);
    if (rc < 0 || !before.id || (s->r->t->passes & HELD_NUMBER))
        return rc;
    if (memcmp(before.content, s->facts->content, STORE_KEY) == 0) {
        row->state = DOCUMENT_REPEATED;
        row->same = before.id;
        buf_printf(&s->words, "the same came before, as D%llu in T%llu", (unsigned long long)before.id,
                   (unsigned long long)before.transmission);
    } else if (!s->r->t->replays && !takes_change(s, d)) {
        row->state = DOCUMENT_HELD;
        row->held = HELD_NUMBER;
        row->same = before.id;
        buf_printf(&s->words, "%.*s ", SLICE_FMT(s->facts->kind));
        buf_add_safe(&s->words, s->facts->number, 40);
        buf_printf(&s->words, " came before with other content, as D%llu in T%llu", (unsigned long long)before.id,
                   (unsigned long long)before.transmission);
    }
    row->reason = buf_slice(&s->words);
    return s->words.failed ? err_nomem(err) : 0;
}

static void begin_row(const struct settling *s, const struct received *d, size_t ordinal, struct store_document *row)
{
    *row = (struct store_document){ .transmission = s->r->t->id,
                                    .direction = STORE_IN,
                                    .partner = s->r->t->partner,
                                    .ordinal = (uint32_t)ordinal,
                                    .set = d->set,
                                    .version = d->version,
                                    .sender = d->sender,
                                    .receiver = d->receiver,
                                    .interchange = d->interchange,
                                    .group = d->group,
                                    .control = d->control,
                                    .test = d->test,
                                    .errors = d->errors,
                                    .warnings = d->warnings };
}

/* With what can be read of it, so that it is found by its numbers all the same; it goes nowhere. */
static int refuse(struct settling *s, const struct received *d, size_t ordinal, struct slice reason,
                  const struct record *record, const struct record_kind *kind, struct err *err)
{
    struct store_document row;
    struct facts facts;
    struct err own = { 0 };
    bool told = false;
    int rc = 0;

    begin_row(s, d, ordinal, &row);
    row.state = DOCUMENT_REFUSED;
    row.reason = reason;
    if (record && kind)
        rc = facts_of(record, s->r->t->partner, &s->arena, &facts, &own);
    if (rc == ERR_NOMEM)
        return err_nomem(err);
    if (record && kind && rc == 0) {
        told = true;
        row.kind = facts.kind;
        row.number = facts.number;
        row.release = facts.release;
        row.purpose = facts.purpose;
    }
    rc = store_document(s->r->a->store, &row, &s->id, err);
    if (rc < 0 || !told)
        return rc;
    s->facts = &facts;
    return facts_numbers(record, kind, &s->arena, on_number, s, err);
}

/* A record that was read: it is put down, found by its numbers, and goes its ways. */
static int settle_record(struct settling *s, struct received *d, size_t ordinal, const struct record *record,
                         const struct record_kind *kind, struct err *err)
{
    struct store *store = s->r->a->store;
    struct store_document row;
    struct facts facts;
    bool any = false;
    struct err own = { 0 };
    int rc = facts_of(record, s->r->t->partner, &s->arena, &facts, &own);

    if (rc == ERR_DATA)
        return refuse(s, d, ordinal, slice_of(own.text), NULL, NULL, err);
    if (rc < 0)
        return err_set(err, rc, "%s", own.text);
    s->facts = &facts;
    buf_clear(&s->words);
    begin_row(s, d, ordinal, &row);
    row.kind = facts.kind;
    row.number = facts.number;
    row.release = facts.release;
    row.purpose = facts.purpose;
    row.test = row.test || facts.test;
    row.record_at = d->at;
    row.record_size = d->size;
    memcpy(row.key, facts.key, sizeof(row.key));
    memcpy(row.content, facts.content, sizeof(row.content));
    rc = choose_state(s, d, &row, err);
    if (rc == 0)
        rc = store_document(store, &row, &s->id, err);
    if (rc == 0)
        rc = facts_numbers(record, kind, &s->arena, on_number, s, err);
    if (rc < 0 || row.state != DOCUMENT_RECORDED)
        return rc;
    if (slice_is(facts.kind, "acknowledgment")) {
        rc = take_answer(s->r, s->id, record->tape, &any, err);
        return rc == 0 && !any ? store_bury(store, DOCUMENT, s->id,
                                            SLICE("it acknowledges nothing that was sent to this partner"), err)
                               : rc;
    }
    rc = route_record(s, d, record, kind, &any, err);
    if (rc < 0 || any)
        return rc;
    buf_clear(&s->words);
    buf_printf(&s->words, "no line of %.*s.conf says who gets ", SLICE_FMT(s->r->partner->name));
    buf_add_safe(&s->words, s->r->json ? facts.kind : d->set, 40);
    if (s->r->json && !facts.partner.n)
        buf_add_text(&s->words, ", nor does the record: it has no partner");
    return store_bury(store, DOCUMENT, s->id, buf_slice(&s->words), err);
}

static int on_record_finding(void *ctx, const struct record_finding *f)
{
    struct settling *s = ctx;

    if (s->findings++ < SHOWN) {
        buf_add_text(&s->words, s->words.n ? "; " : "");
        buf_add_slice(&s->words, f->path);
        buf_printf(&s->words, ": %s, expected %s", f->words, f->expected);
    }
    return 0;
}

/* A record of a system of ours is held against its kind; those we made were. */
static int check_record(struct settling *s, const struct record *record, const struct record_kind **kind_r,
                        struct err *err)
{
    struct complaints c;
    struct slice name;
    int rc = record_text(record->tape, SLICE("record"), &s->arena, &name, err);

    if (rc < 0)
        return rc;
    complaints_init(&c);
    *kind_r = name.n ? maps_newest_record(home_maps(s->r->a->home), name, &c) : NULL;
    complaints_deinit(&c);
    if (!*kind_r) {
        buf_add_text(&s->words, name.n ? "there is no kind of record called " : "it says no kind of record");
        buf_add_safe(&s->words, name, 40);
        return ERR_DATA;
    }
    if (!s->r->json)
        return 0;
    s->findings = 0;
    rc = record_check_whole(*kind_r, record, on_record_finding, s, err);
    if (s->findings > SHOWN)
        buf_printf(&s->words, "; and %u more", s->findings - SHOWN);
    return rc > 0 || s->words.n ? ERR_DATA : rc;
}

/* The record that begins there; NULL: none can be read. */
static int find_record(struct settling *s, struct record_reader *reader, uint64_t at, const struct record **record_r,
                       struct err *err)
{
    int rc = 1;

    while (rc == ERR_DATA || (rc > 0 && (!s->ahead || s->ahead->offset < at))) {
        s->ahead = NULL;
        rc = record_reader_next(reader, &s->ahead, err);
    }
    *record_r = rc > 0 && s->ahead->offset == at ? s->ahead : NULL;
    return rc < 0 ? rc : 0;
}

static int settle_next(struct settling *s, size_t i, struct record_reader *reader, struct err *err)
{
    struct received *d = &s->r->document[i];
    const struct record_kind *kind = NULL;
    const struct record *record = NULL;
    struct err own = { 0 };
    int rc = 0;

    arena_reset(&s->arena);
    buf_clear(&s->words);
    if (d->errors) {
        if (d->refused && reader)
            rc = find_record(s, reader, d->at, &record, &own);
        if (rc == 0 && record)
            rc = check_record(s, record, &kind, &own);
        return rc == ERR_NOMEM ? err_nomem(err) : refuse(s, d, i + 1, d->reason, record, kind, err);
    }
    if (!d->size) {
        struct store_document row;
        begin_row(s, d, i + 1, &row);
        row.state = DOCUMENT_DEAD;
        row.reason = SLICE("there is no map for it, so that it gives no record");
        return store_document(s->r->a->store, &row, &s->id, err);
    }
    rc = find_record(s, reader, d->at, &record, &own);
    if (!record)
        return err_set(err, rc < 0 ? rc : ERR_INTERNAL, "the record of document %zu cannot be read again: %s", i + 1,
                       own.text);
    d->size = record->size;
    rc = check_record(s, record, &kind, err);
    if (rc == ERR_DATA)
        return refuse(s, d, i + 1, buf_slice(&s->words), record, kind, err);
    return rc == 0 ? settle_record(s, d, i + 1, record, kind, err) : rc;
}

int settle(struct receiving *r, struct err *err)
{
    struct store_transmission t = { .format = r->json ? SLICE("json") : slice_of(r->standard),
                                    .records = r->records,
                                    .findings = r->findings,
                                    .documents = (uint32_t)r->n };
    struct settling s = { .r = r };
    struct record_reader *reader = NULL;
    int fd = -1, rc = store_translate(r->a->store, r->t->id, &t, err);

    if (rc == 0 && r->n == 0)
        return rc;
    if (rc == 0 && r->records.size)
        rc = object_read(r->a->objects, &r->records, &fd, err);
    if (rc == 0 && fd >= 0)
        rc = record_reader_new(fd, NULL, &reader, err);
    arena_init(&s.arena, TEXTS);
    buf_init(&s.words, REASON + 8192);
    for (size_t i = 0; rc == 0 && i < r->n; i++)
        rc = settle_next(&s, i, reader, err);
    if (rc == ERR_NOMEM && s.arena.full)
        rc = err_set(err, ERR_LIMIT, "a record holds more than can be worked on at once");
    buf_deinit(&s.words);
    arena_deinit(&s.arena);
    record_reader_free(&reader);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* --- Once more ------------------------------------------------------------------------------- */

static int route_again(struct settling *s, const struct store_document *row, const struct record *record,
                       struct slice to, struct err *err)
{
    struct received d = { .set = row->set, .test = row->test };
    const struct record_kind *kind;
    struct facts facts;
    bool any = true;
    int rc = check_record(s, record, &kind, err);

    if (rc == 0)
        rc = facts_of(record, row->partner, &s->arena, &facts, err);
    if (rc < 0)
        return rc;
    facts.test = facts.test || row->test;
    s->facts = &facts;
    s->id = row->id;
    rc = to.n ? deliver_to(s, to, 1, record->tape, err) : route_record(s, &d, record, kind, &any, err);
    return rc < 0 || any ? rc
                         : err_set(err, ERR_USAGE, "no line of %.*s.conf says who gets it; --receiver PARTNER does",
                                   SLICE_FMT(row->partner));
}

int settle_again(struct appliance *a, const struct store_document *row, const struct store_transmission *t,
                 struct slice to, struct err *err)
{
    struct receiving r = { .a = a, .t = t, .partner = home_partner(a->home, t->partner), .json = !row->set.n };
    struct settling s = { .r = &r, .words = { 0 } };
    struct record_reader *reader = NULL;
    const struct record *record;
    int fd = -1, rc;

    if (!r.partner)
        return err_set(err, ERR_USAGE, "there is no partner %.*s any more, or its file is wrong",
                       SLICE_FMT(t->partner));
    rc = appliance_record(a, &t->records, row->record_at, row->record_size, &fd, err);
    if (rc == 0)
        rc = record_reader_new(fd, NULL, &reader, err);
    arena_init(&r.arena, TEXTS);
    arena_init(&s.arena, TEXTS);
    buf_init(&s.words, REASON + 8192);
    if (rc == 0 && (rc = record_reader_next(reader, &record, err)) > 0)
        rc = route_again(&s, row, record, to, err);
    buf_deinit(&s.words);
    arena_deinit(&s.arena);
    arena_deinit(&r.arena);
    record_reader_free(&reader);
    if (fd >= 0)
        close(fd);
    return rc;
}
