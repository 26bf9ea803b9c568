/* store: every arrow, what is refused, batches, crashes, counts, questions and their plans, upgrades, readers. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_malloc.h"
#include "spool/store_inside.h"

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        struct err *e_ = &err;                                                                                         \
        int r_ = (call);                                                                                               \
        if (r_ < 0)                                                                                                    \
            fail_msg("%s: %s", #call, e_->text);                                                                       \
    } while (0)

static struct err err;

/* --- A spool for each test --------------------------------------------------------------------------------------- */

struct world {
    char spool[64];
    struct store *s;
    store_time now;
};

static store_time test_now(void *ctx)
{
    return ((struct world *)ctx)->now;
}

static int open_world(struct world *w, bool write)
{
    struct store_options o = { .write = write, .who = "test", .now = test_now, .ctx = w };
    return store_open(w->spool, &o, &w->s, &err);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    const char *tmp = getenv("TMPDIR");
    assert_non_null(w);
    snprintf(w->spool, sizeof(w->spool), "%s/test_store.XXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
    assert_non_null(mkdtemp(w->spool));
    w->now = 1700000000000;
    OK(open_world(w, true));
    *state = w;
    return 0;
}

static void remove_ledger(const char *spool, const char *name)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    for (unsigned i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s%s", spool, name, ends[i]);
        unlink(path);
    }
}

static void look_at_plans(struct world *w);

static int tear_down(void **state)
{
    struct world *w = *state;
    if (w->s)
        look_at_plans(w);
    store_close(&w->s);
    remove_ledger(w->spool, "ledger");
    remove_ledger(w->spool, "copy");
    rmdir(w->spool);
    free(w);
    return 0;
}

static struct payload payload(unsigned n)
{
    struct payload p = { .size = 100 + n, .segment = 1 + n / 100, .offset = 4096 * n };
    memset(p.hash, (int)(n & 0xff), sizeof(p.hash));
    p.hash[1] = (uint8_t)(n >> 8);
    p.hash[31] = 1;
    return p;
}

static struct store_transmission arrived(const char *partner, unsigned n)
{
    return (struct store_transmission){ .partner = slice_of(partner),
                                        .name = SLICE("orders.edi"),
                                        .way = SLICE("folder"),
                                        .payload = payload(n),
                                        .source = { SLICE("in/acme/a\nb.edi"), 1, UINT64_MAX - n, 3, 4 } };
}

static struct store_transmission leaving(const char *partner, unsigned n)
{
    return (struct store_transmission){ .partner = slice_of(partner),
                                        .name = SLICE("out.edi"),
                                        .way = SLICE("folder"),
                                        .format = SLICE("x12"),
                                        .target = SLICE("out/acme"),
                                        .payload = payload(n),
                                        .priority = 1,
                                        .due = 5 };
}

static store_id accept_one(struct world *w, const char *partner, unsigned n)
{
    struct store_transmission t = arrived(partner, n);
    store_id id;
    OK(store_accept(w->s, &t, &id, &err));
    return id;
}

static store_id make_one(struct world *w, const char *partner, unsigned n)
{
    struct store_transmission t = leaving(partner, n);
    store_id id;
    OK(store_make(w->s, &t, &id, &err));
    return id;
}

static store_id translated(struct world *w, const char *partner, unsigned n)
{
    struct store_transmission t = {
        .format = SLICE("x12"), .records = payload(n + 1), .findings = payload(n + 2), .documents = 1
    };
    store_id id = accept_one(w, partner, n);
    OK(store_translate(w->s, id, &t, &err));
    return id;
}

static store_id document_in(struct world *w, store_id transmission, enum document_state state)
{
    struct store_document d = { .transmission = transmission,
                                .state = state,
                                .ordinal = 1,
                                .set = SLICE("850"),
                                .version = SLICE("004010"),
                                .kind = SLICE("order"),
                                .sender = SLICE("ZZ:ACME"),
                                .receiver = SLICE("ZZ:US"),
                                .interchange = SLICE("000000007"),
                                .group = SLICE("8"),
                                .control = SLICE("0001"),
                                .number = SLICE("4711"),
                                .key = { 1, 2, 3 },
                                .content = { 4 },
                                .record_at = 10,
                                .record_size = 20,
                                .held = HELD_NUMBER,
                                .reason = SLICE(""),
                                .within = 1000 };
    store_id id;
    OK(store_document(w->s, &d, &id, &err));
    return id;
}

static store_id route_one(struct world *w, const char *partner, store_id document, store_id transmission)
{
    struct store_delivery d = { .partner = slice_of(partner),
                                .document = document,
                                .transmission = transmission,
                                .route = SLICE("send 850 from order"),
                                .kind = SLICE("order"),
                                .set = SLICE("850"),
                                .priority = 1 };
    store_id id;
    OK(store_route(w->s, &d, &id, &err));
    return id;
}

/* --- What is there ----------------------------------------------------------------------------------------------- */

struct seen {
    unsigned n;
    store_id id[3000];
    unsigned state[3000];
    struct store_transmission t;
    struct store_document d;
    struct store_delivery v;
    char text[400]; /* of events: "accept open …" */
    char reason[200];
};

static int see_transmission(void *ctx, const struct store_transmission *t)
{
    struct seen *x = ctx;
    assert_true(x->n < 3000);
    x->id[x->n] = t->id;
    x->state[x->n++] = t->state;
    x->t = *t;
    snprintf(x->reason, sizeof(x->reason), "%.*s", SLICE_FMT(t->reason));
    return 0;
}

static int see_document(void *ctx, const struct store_document *d)
{
    struct seen *x = ctx;
    assert_true(x->n < 3000);
    x->id[x->n] = d->id;
    x->state[x->n++] = d->state;
    x->d = *d;
    snprintf(x->reason, sizeof(x->reason), "%.*s", SLICE_FMT(d->reason));
    return 0;
}

static int see_delivery(void *ctx, const struct store_delivery *d)
{
    struct seen *x = ctx;
    assert_true(x->n < 3000);
    x->id[x->n] = d->id;
    x->state[x->n++] = d->state;
    x->v = *d;
    snprintf(x->reason, sizeof(x->reason), "%.*s", SLICE_FMT(d->reason));
    return 0;
}

static int see_event(void *ctx, const struct store_event *e)
{
    struct seen *x = ctx;
    size_t n = strlen(x->text);
    assert_true(slice_is(e->who, "test"));
    snprintf(x->text + n, sizeof(x->text) - n, "%s%.*s", n ? " " : "", SLICE_FMT(e->what));
    x->n++;
    return 0;
}

static struct seen look(struct world *w, enum thing thing, struct store_query q)
{
    struct seen x = { .n = 0 };
    if (thing == TRANSMISSION)
        OK(store_transmissions(w->s, &q, see_transmission, &x, &err));
    else if (thing == DOCUMENT)
        OK(store_documents(w->s, &q, see_document, &x, &err));
    else
        OK(store_deliveries(w->s, &q, see_delivery, &x, &err));
    return x;
}

static struct seen one(struct world *w, enum thing thing, store_id id)
{
    struct seen x = look(w, thing, (struct store_query){ .id = id });
    assert_int_equal(x.n, 1);
    assert_int_equal(x.id[0], id);
    return x;
}

static unsigned state_is(struct world *w, enum thing thing, store_id id)
{
    return one(w, thing, id).state[0];
}

/* The counts are those of the rows, for each partner and for all. */
static void counts_hold(struct world *w)
{
    static const char *const partners[] = { "", "acme", "erp", "nobody" };
    for (unsigned p = 0; p < 4; p++) {
        struct store_counts c;
        struct store_query q = { .partner = slice_of(partners[p]) };
        OK(store_count(w->s, q.partner, &c, &err));
        for (unsigned direction = STORE_IN; direction <= STORE_OUT; direction++) {
            q.direction = direction;
            for (unsigned i = 1; i < TRANSMISSION_STATE_END; i++) {
                q.states = 1u << i;
                assert_int_equal(look(w, TRANSMISSION, q).n, c.transmission[direction - 1][i]);
            }
            for (unsigned i = 1; i < DOCUMENT_STATE_END; i++) {
                q.states = 1u << i;
                assert_int_equal(look(w, DOCUMENT, q).n, c.document[direction - 1][i]);
            }
        }
        q.direction = 0;
        for (unsigned i = 1; i < DELIVERY_STATE_END; i++) {
            q.states = 1u << i;
            assert_int_equal(look(w, DELIVERY, q).n, c.delivery[i]);
        }
    }
}

static const char *events_of(struct world *w, struct store_query q, struct seen *x)
{
    memset(x, 0, sizeof(*x));
    OK(store_events(w->s, &q, see_event, x, &err));
    return x->text;
}

/* --- Arrows ------------------------------------------------------------------------------------------------------ */

static void test_what_arrives(void **state)
{
    struct world *w = *state;
    struct seen x;
    store_id a, b, c, d, e;

    OK(store_begin(w->s, &err));
    a = accept_one(w, "acme", 1);
    b = accept_one(w, "acme", 2);
    c = accept_one(w, "acme", 1);
    d = accept_one(w, "erp", 3);
    OK(store_commit(w->s, &err));
    assert_int_equal(a, 1);
    assert_int_equal(look(w, TRANSMISSION, (struct store_query){ .source = true }).n, 4);
    x = one(w, TRANSMISSION, a);
    assert_true(x.t.source.inode == UINT64_MAX - 1);
    assert_int_equal(x.t.at, w->now);

    w->now += 10;
    OK(store_begin(w->s, &err));
    OK(store_clear(w->s, a, &err));
    OK(store_unpack(w->s, b, SLICE("zip"), 3, &err));
    OK(store_translate(
        w->s, a, &(struct store_transmission){ .format = SLICE("x12"), .records = payload(9), .documents = 7 }, &err));
    OK(store_repeat(w->s, c, SLICE("x12"), a, &err));
    OK(store_hold(w->s, TRANSMISSION, d, HELD_PARTNER, SLICE("names somebody else"), &err));
    OK(store_commit(w->s, &err));
    x = one(w, TRANSMISSION, a);
    assert_int_equal(x.state[0], TRANSMISSION_TRANSLATED);
    assert_int_equal(x.t.documents, 7);
    assert_int_equal(x.t.records.size, payload(9).size);
    assert_int_equal(x.t.findings.size, 0);
    assert_int_equal(x.t.done, w->now);
    assert_int_equal(x.t.source.path.n, 0);
    assert_int_equal(state_is(w, TRANSMISSION, b), TRANSMISSION_UNPACKED);
    x = one(w, TRANSMISSION, c);
    assert_int_equal(x.t.same, a);
    x = one(w, TRANSMISSION, d);
    assert_int_equal(x.state[0], TRANSMISSION_HELD);
    assert_int_equal(x.t.held, HELD_PARTNER);
    assert_string_equal(x.reason, "names somebody else");

    OK(store_begin(w->s, &err));
    OK(store_release(w->s, TRANSMISSION, d, &err));
    OK(store_commit(w->s, &err));
    x = one(w, TRANSMISSION, d);
    assert_int_equal(x.state[0], TRANSMISSION_ARRIVED);
    assert_int_equal(x.t.passes, HELD_PARTNER);
    assert_int_equal(x.t.held, 0);
    assert_string_equal(x.reason, "");

    OK(store_begin(w->s, &err));
    OK(store_bury(w->s, TRANSMISSION, d, SLICE("nothing in it"), &err));
    OK(store_drop(w->s, TRANSMISSION, d, SLICE("was a mistake"), &err));
    e = accept_one(w, "erp", 5);
    OK(store_hold(w->s, TRANSMISSION, e, HELD_BY_HAND, SLICE("wait"), &err));
    OK(store_drop(w->s, TRANSMISSION, e, SLICE("no"), &err));
    {
        struct store_transmission t = arrived("acme", 1);
        t.replays = a;
        t.passes = HELD_CONTROL;
        OK(store_accept(w->s, &t, &e, &err));
    }
    OK(store_commit(w->s, &err));
    assert_string_equal(events_of(w, (struct store_query){ .transmission = d }, &x), "accept hold release bury drop");
    assert_string_equal(events_of(w, (struct store_query){ .transmission = e }, &x), "replay");
    assert_string_equal(events_of(w, (struct store_query){ .partner = SLICE("erp") }, &x),
                        "accept hold release bury drop accept hold drop");
    assert_int_equal(look(w, TRANSMISSION, (struct store_query){ .replays = a }).id[0], e);
    counts_hold(w);
}

static void test_what_leaves(void **state)
{
    struct world *w = *state;
    struct seen x;
    store_id in, doc, t, v, u, written, a, b;
    uint32_t n;

    OK(store_begin(w->s, &err));
    in = translated(w, "acme", 1);
    doc = document_in(w, in, DOCUMENT_RECORDED);
    v = route_one(w, "erp", doc, 0);
    u = route_one(w, "erp", doc, 0);
    OK(store_commit(w->s, &err));
    assert_int_equal(state_is(w, DELIVERY, v), DELIVERY_WAITING);

    OK(store_begin(w->s, &err));
    t = make_one(w, "erp", 10);
    OK(store_make_delivery(w->s, v, t, &err));
    OK(store_make_delivery(w->s, u, t, &err));
    a = document_in(w, t, DOCUMENT_AWAITED);
    b = document_in(w, t, DOCUMENT_AWAITED);
    written = document_in(w, t, DOCUMENT_WRITTEN);
    OK(store_commit(w->s, &err));
    assert_int_equal(state_is(w, DELIVERY, v), DELIVERY_MADE);
    x = one(w, TRANSMISSION, t);
    assert_int_equal(x.t.documents, 3);
    assert_int_equal(x.t.due, 5);
    assert_int_equal(one(w, DOCUMENT, a).d.due, 0);

    w->now += 100;
    OK(store_begin(w->s, &err));
    OK(store_retry(w->s, t, w->now + 1000, SLICE("no such folder"), &err));
    OK(store_lay(w->s, t, SLICE(".hidden\xff"), SLICE("850-1.edi"), &err));
    OK(store_retry(w->s, t, w->now + 2000, SLICE("disk full"), &err));
    OK(store_commit(w->s, &err));
    x = one(w, TRANSMISSION, t);
    assert_int_equal(x.state[0], TRANSMISSION_MADE);
    assert_int_equal(x.t.attempts, 2);
    assert_int_equal(x.t.first, w->now);
    assert_int_equal(x.t.due, w->now + 2000);
    assert_string_equal(x.reason, "disk full");

    w->now += 100;
    OK(store_begin(w->s, &err));
    OK(store_lay(w->s, t, SLICE(".hidden\xff"), SLICE("850-1.edi"), &err));
    OK(store_place(w->s, t, &err));
    OK(store_overdue(w->s, &n, &err));
    assert_int_equal(n, 0);
    OK(store_commit(w->s, &err));
    x = one(w, TRANSMISSION, t);
    assert_int_equal(x.state[0], TRANSMISSION_SENT);
    assert_int_equal(x.t.attempts, 3);
    assert_int_equal(x.t.first, w->now - 100);
    assert_string_equal(x.reason, "");
    assert_int_equal(state_is(w, DELIVERY, v), DELIVERY_DELIVERED);
    assert_int_equal(state_is(w, DELIVERY, u), DELIVERY_DELIVERED);
    assert_int_equal(one(w, DOCUMENT, a).d.due, w->now + 1000);
    assert_int_equal(one(w, DOCUMENT, written).d.due, 0);
    assert_int_equal(look(w, DOCUMENT, (struct store_query){ .states = 1u << DOCUMENT_AWAITED, .due = w->now }).n, 0);

    w->now += 1000;
    assert_int_equal(look(w, DOCUMENT, (struct store_query){ .states = 1u << DOCUMENT_AWAITED, .due = w->now }).n, 2);
    OK(store_begin(w->s, &err));
    OK(store_answer(w->s, b, true, 77, SLICE(""), &err));
    OK(store_overdue(w->s, &n, &err));
    assert_int_equal(n, 1);
    OK(store_overdue(w->s, &n, &err));
    assert_int_equal(n, 0);
    OK(store_answer(w->s, written, true, 0, SLICE("with a note"), &err));
    OK(store_commit(w->s, &err));
    assert_int_equal(state_is(w, DOCUMENT, a), DOCUMENT_OVERDUE);
    assert_int_equal(one(w, DOCUMENT, b).d.answer, 77);
    OK(store_begin(w->s, &err));
    OK(store_answer(w->s, a, false, 78, SLICE("PO1 is wrong"), &err));
    OK(store_commit(w->s, &err));
    assert_int_equal(state_is(w, DOCUMENT, a), DOCUMENT_REJECTED);
    assert_string_equal(events_of(w, (struct store_query){ .delivery = v }, &x), "route make deliver");
    assert_string_equal(events_of(w, (struct store_query){ .document = a }, &x), "write overdue rejected");
    counts_hold(w);
}

/* A transmission that leaves, and what it carries: held, released, dead, dropped together. */
static void test_what_goes_along_with_a_transmission(void **state)
{
    struct world *w = *state;
    store_id in, doc, t, v[70], late;

    OK(store_begin(w->s, &err));
    in = translated(w, "acme", 1);
    doc = document_in(w, in, DOCUMENT_RECORDED);
    t = make_one(w, "erp", 10);
    for (unsigned i = 0; i < 70; i++)
        v[i] = route_one(w, "erp", doc, t);
    assert_int_equal(state_is(w, DELIVERY, v[69]), DELIVERY_MADE);
    OK(store_hold(w->s, TRANSMISSION, t, HELD_TRANSPORT, SLICE("no way"), &err));
    for (unsigned i = 0; i < 70; i++)
        assert_int_equal(state_is(w, DELIVERY, v[i]), DELIVERY_HELD);
    /* one by itself is refused, and so is a further one */
    assert_int_equal(store_release(w->s, DELIVERY, v[3], &err), ERR_USAGE);
    assert_int_equal(store_drop(w->s, DELIVERY, v[3], SLICE("x"), &err), ERR_USAGE);
    assert_non_null(strstr(err.text, "stands in T2"));
    assert_int_equal(
        store_route(w->s, &(struct store_delivery){ .partner = SLICE("erp"), .transmission = t }, &late, &err),
        ERR_INTERNAL);
    OK(store_release(w->s, TRANSMISSION, t, &err));
    assert_int_equal(state_is(w, DELIVERY, v[69]), DELIVERY_MADE);
    assert_int_equal(one(w, DELIVERY, v[0]).v.passes, HELD_TRANSPORT);
    assert_int_equal(state_is(w, TRANSMISSION, t), TRANSMISSION_MADE);
    assert_int_equal(store_hold(w->s, DELIVERY, v[3], 1, SLICE("x"), &err), ERR_USAGE);
    OK(store_lay(w->s, t, SLICE(".h"), SLICE("n"), &err));
    OK(store_bury(w->s, TRANSMISSION, t, SLICE("its time is up"), &err));
    assert_int_equal(state_is(w, DELIVERY, v[69]), DELIVERY_DEAD);
    assert_string_equal(one(w, DELIVERY, v[0]).reason, "its time is up");
    OK(store_drop(w->s, DELIVERY, v[0], SLICE("x"), &err));
    OK(store_drop(w->s, TRANSMISSION, t, SLICE("never mind"), &err));
    assert_int_equal(state_is(w, DELIVERY, v[69]), DELIVERY_DROPPED);
    OK(store_commit(w->s, &err));
    counts_hold(w);
}

static void test_what_goes_along_with_a_document(void **state)
{
    struct world *w = *state;
    store_id in, doc, t, waiting, made, held, dead;

    OK(store_begin(w->s, &err));
    in = translated(w, "acme", 1);
    doc = document_in(w, in, DOCUMENT_RECORDED);
    waiting = route_one(w, "erp", doc, 0);
    t = make_one(w, "erp", 10);
    made = route_one(w, "erp", doc, t);
    held = route_one(w, "erp", doc, 0);
    dead = route_one(w, "erp", doc, 0);
    OK(store_hold(w->s, DELIVERY, held, HELD_TEST, SLICE("a test"), &err));
    OK(store_bury(w->s, DELIVERY, dead, SLICE("no map"), &err));
    OK(store_hold(w->s, DOCUMENT, doc, HELD_BY_HAND, SLICE("wait"), &err));
    assert_int_equal(state_is(w, DELIVERY, waiting), DELIVERY_HELD);
    assert_int_equal(state_is(w, DELIVERY, made), DELIVERY_MADE);
    assert_int_equal(store_release(w->s, DELIVERY, waiting, &err), ERR_USAGE);
    OK(store_release(w->s, DOCUMENT, doc, &err));
    assert_int_equal(state_is(w, DELIVERY, waiting), DELIVERY_WAITING);
    assert_int_equal(one(w, DELIVERY, waiting).v.passes, HELD_BY_HAND);
    assert_int_equal(state_is(w, DELIVERY, held), DELIVERY_HELD); /* for a reason of its own */
    assert_int_equal(state_is(w, DOCUMENT, doc), DOCUMENT_RECORDED);
    OK(store_release(w->s, DELIVERY, held, &err));
    assert_int_equal(one(w, DELIVERY, held).v.passes, HELD_TEST);
    OK(store_hold(w->s, DELIVERY, held, HELD_RECALL, SLICE("what does it answer?"), &err));
    OK(store_hold(w->s, DOCUMENT, doc, HELD_BY_HAND, SLICE("wait"), &err));
    OK(store_drop(w->s, DOCUMENT, doc, SLICE("wrong"), &err));
    assert_int_equal(state_is(w, DELIVERY, waiting), DELIVERY_DROPPED);
    assert_int_equal(state_is(w, DELIVERY, held), DELIVERY_DROPPED);
    assert_int_equal(state_is(w, DELIVERY, dead), DELIVERY_DROPPED);
    assert_int_equal(state_is(w, DELIVERY, made), DELIVERY_MADE);
    OK(store_commit(w->s, &err));
    counts_hold(w);
}

static void test_documents_that_begin(void **state)
{
    struct world *w = *state;
    static const enum document_state in_states[] = { DOCUMENT_RECORDED, DOCUMENT_REFUSED, DOCUMENT_REPEATED,
                                                     DOCUMENT_HELD, DOCUMENT_DEAD };
    static const char *const events[] = { "record", "refuse", "recognise", "withhold", "strand" };
    struct store_document d = { .state = DOCUMENT_WRITTEN };
    struct seen x;
    store_id in, out, id;

    OK(store_begin(w->s, &err));
    in = translated(w, "acme", 1);
    out = make_one(w, "erp", 10);
    for (unsigned i = 0; i < 5; i++) {
        id = document_in(w, in, in_states[i]);
        assert_int_equal(state_is(w, DOCUMENT, id), in_states[i]);
        assert_string_equal(events_of(w, (struct store_query){ .document = id }, &x), events[i]);
        assert_int_equal(one(w, DOCUMENT, id).d.held, in_states[i] == DOCUMENT_HELD ? HELD_NUMBER : 0);
        if (in_states[i] == DOCUMENT_HELD) {
            OK(store_release(w->s, DOCUMENT, id, &err));
            assert_int_equal(one(w, DOCUMENT, id).d.passes, HELD_NUMBER);
        } else if (in_states[i] == DOCUMENT_REFUSED || in_states[i] == DOCUMENT_DEAD) {
            OK(store_drop(w->s, DOCUMENT, id, SLICE("no"), &err));
        }
    }
    /* ways that the table lacks */
    d.transmission = in;
    assert_int_equal(store_document(w->s, &d, &id, &err), ERR_INTERNAL);
    d.transmission = out;
    d.state = DOCUMENT_RECORDED;
    assert_int_equal(store_document(w->s, &d, &id, &err), ERR_INTERNAL);
    d.state = DOCUMENT_ACCEPTED;
    assert_int_equal(store_document(w->s, &d, &id, &err), ERR_INTERNAL);
    assert_non_null(strstr(err.text, "accepted"));
    d.transmission = 99;
    assert_int_equal(store_document(w->s, &d, &id, &err), ERR_MISSING);
    OK(store_commit(w->s, &err));
    counts_hold(w);
}

/* Brings a thing into each state, and draws each arrow there: it goes where the table says, or is refused and nothing
 * changes. */
static store_id thing_in(struct world *w, enum thing thing, unsigned state, enum store_direction direction)
{
    static unsigned n = 1000;
    store_id id = 0, t;

    n += 10;
    if (thing == TRANSMISSION && direction == STORE_IN) {
        id = accept_one(w, "acme", n);
        switch (state) {
        case TRANSMISSION_ARRIVED: break;
        case TRANSMISSION_UNPACKED: OK(store_unpack(w->s, id, SLICE("zip"), 1, &err)); break;
        case TRANSMISSION_TRANSLATED:
            OK(store_translate(w->s, id, &(struct store_transmission){ .documents = 0 }, &err));
            break;
        case TRANSMISSION_REPEATED: OK(store_repeat(w->s, id, SLICE(""), 1, &err)); break;
        case TRANSMISSION_HELD: OK(store_hold(w->s, thing, id, 1, SLICE("r"), &err)); break;
        case TRANSMISSION_DROPPED:
        case TRANSMISSION_DEAD:
            OK(store_bury(w->s, thing, id, SLICE("r"), &err));
            if (state == TRANSMISSION_DROPPED)
                OK(store_drop(w->s, thing, id, SLICE("r"), &err));
            break;
        default: return 0;
        }
        return id;
    }
    t = make_one(w, "acme", n);
    if (thing == TRANSMISSION) {
        if (state == TRANSMISSION_LAID || state == TRANSMISSION_SENT)
            OK(store_lay(w->s, t, SLICE(".h"), SLICE("n"), &err));
        switch (state) {
        case TRANSMISSION_MADE:
        case TRANSMISSION_LAID: break;
        case TRANSMISSION_SENT: OK(store_place(w->s, t, &err)); break;
        case TRANSMISSION_HELD: OK(store_hold(w->s, thing, t, 1, SLICE("r"), &err)); break;
        case TRANSMISSION_DROPPED:
        case TRANSMISSION_DEAD:
            OK(store_bury(w->s, thing, t, SLICE("r"), &err));
            if (state == TRANSMISSION_DROPPED)
                OK(store_drop(w->s, thing, t, SLICE("r"), &err));
            break;
        default: return 0;
        }
        return t;
    }
    if (thing == DOCUMENT) {
        unsigned ours = STATE(DOCUMENT, WRITTEN) | STATE(DOCUMENT, AWAITED) | STATE(DOCUMENT, OVERDUE) |
                        STATE(DOCUMENT, ACCEPTED) | STATE(DOCUMENT, REJECTED);
        if (!(ours & 1u << state)) {
            t = translated(w, "acme", n + 1);
            id = document_in(w, t, state == DOCUMENT_DROPPED ? DOCUMENT_DEAD : state);
            if (state == DOCUMENT_DROPPED)
                OK(store_drop(w->s, thing, id, SLICE("r"), &err));
            return id;
        }
        id = document_in(w, t, state == DOCUMENT_WRITTEN ? DOCUMENT_WRITTEN : DOCUMENT_AWAITED);
        if (state == DOCUMENT_ACCEPTED || state == DOCUMENT_REJECTED)
            OK(store_answer(w->s, id, state == DOCUMENT_ACCEPTED, 0, SLICE(""), &err));
        if (state == DOCUMENT_OVERDUE) {
            uint32_t late;
            OK(store_lay(w->s, t, SLICE(".h"), SLICE("n"), &err));
            OK(store_place(w->s, t, &err));
            w->now += 2000;
            OK(store_overdue(w->s, &late, &err));
            assert_int_equal(late, 1);
        }
        return id;
    }
    id = route_one(w, "erp", 0, state == DELIVERY_MADE || state == DELIVERY_DELIVERED ? t : 0);
    switch (state) {
    case DELIVERY_DELIVERED:
        OK(store_lay(w->s, t, SLICE(".h"), SLICE("n"), &err));
        OK(store_place(w->s, t, &err));
        break;
    case DELIVERY_HELD: OK(store_hold(w->s, thing, id, 1, SLICE("r"), &err)); break;
    case DELIVERY_DROPPED:
    case DELIVERY_DEAD:
        OK(store_bury(w->s, thing, id, SLICE("r"), &err));
        if (state == DELIVERY_DROPPED)
            OK(store_drop(w->s, thing, id, SLICE("r"), &err));
        break;
    default: break;
    }
    return id;
}

static int draw_arrow(struct world *w, unsigned arrow, store_id id, store_id carrier)
{
    enum thing thing = arrows[arrow].thing;
    const char *name = arrows[arrow].name;
    struct slice r = SLICE("r");

    switch (arrow) {
    case TRANSMISSION_clear: return store_clear(w->s, id, &err);
    case TRANSMISSION_unpack: return store_unpack(w->s, id, SLICE("zip"), 1, &err);
    case TRANSMISSION_translate: return store_translate(w->s, id, &(struct store_transmission){ .documents = 0 }, &err);
    case TRANSMISSION_repeat: return store_repeat(w->s, id, r, 1, &err);
    case TRANSMISSION_lay: return store_lay(w->s, id, r, r, &err);
    case TRANSMISSION_place: return store_place(w->s, id, &err);
    case TRANSMISSION_retry: return store_retry(w->s, id, 1, r, &err);
    case DOCUMENT_replay: return store_replay(w->s, id, &err);
    case DOCUMENT_accepted: return store_answer(w->s, id, true, 1, r, &err);
    case DOCUMENT_rejected: return store_answer(w->s, id, false, 1, r, &err);
    case DELIVERY_make: return store_make_delivery(w->s, id, carrier, &err);
    default: break;
    }
    if (strcmp(name, "hold") == 0)
        return store_hold(w->s, thing, id, 1, r, &err);
    if (strcmp(name, "bury") == 0)
        return store_bury(w->s, thing, id, r, &err);
    if (strcmp(name, "release") == 0)
        return store_release(w->s, thing, id, &err);
    if (strcmp(name, "drop") == 0)
        return store_drop(w->s, thing, id, r, &err);
    return 1; /* it begins a thing, or is drawn along with another: elsewhere */
}

static void test_every_arrow_from_every_state(void **state)
{
    static const unsigned ends[] = { TRANSMISSION_STATE_END, DOCUMENT_STATE_END, DELIVERY_STATE_END };
    struct world *w = *state;
    unsigned drawn = 0, refused = 0;

    OK(store_begin(w->s, &err));
    for (unsigned arrow = 0; arrow < ARROW_END; arrow++)
        for (unsigned from = 1; from < ends[arrows[arrow].thing]; from++)
            for (unsigned direction = STORE_IN; direction <= STORE_OUT; direction++) {
                enum thing thing = arrows[arrow].thing;
                store_id id, carrier = make_one(w, "erp", 999);
                unsigned after;
                int r;
                if (thing != TRANSMISSION && direction == STORE_OUT)
                    continue;
                id = thing_in(w, thing, from, direction);
                if (!id)
                    continue;
                r = draw_arrow(w, arrow, id, carrier);
                if (r == 1)
                    continue;
                after = state_is(w, thing, id);
                if (thing == DELIVERY && r == ERR_USAGE) { /* in a transmission */
                    assert_int_equal(after, from);
                    continue;
                }
                if (!(arrows[arrow].from & 1u << from)) {
                    if (r != ERR_INTERNAL || after != from)
                        fail_msg("%s of %s: %d", arrows[arrow].name, state_name(thing, from), r);
                    assert_non_null(strstr(err.text, state_name(thing, from)));
                    refused++;
                    continue;
                }
                if (r != 0 || !(arrows[arrow].to & 1u << after))
                    fail_msg("%s of %s: %s", arrows[arrow].name, state_name(thing, from), err.text);
                drawn++;
            }
    OK(store_commit(w->s, &err));
    counts_hold(w);
    assert_true(drawn >= 35);
    assert_true(refused >= 100);
}

/* What a file carries is dead and dropped with it, and counted once; time on hold begins its attempts anew. */
static void test_documents_go_with_their_file(void **state)
{
    struct world *w = *state;
    struct store_trouble t;
    struct seen x;
    store_id file, document, delivery, alone, held;

    OK(store_begin(w->s, &err));
    file = make_one(w, "acme", 10);
    document = document_in(w, file, DOCUMENT_AWAITED);
    delivery = route_one(w, "acme", 0, file);
    alone = route_one(w, "erp", 0, 0);
    OK(store_retry(w->s, file, w->now + 5000, SLICE("no such folder"), &err));
    OK(store_commit(w->s, &err));
    OK(store_trouble(w->s, SLICE("acme"), &t, &err));
    assert_int_equal(t.delayed, 1);
    OK(store_begin(w->s, &err));
    OK(store_hold(w->s, TRANSMISSION, file, HELD_BY_HAND, SLICE("wait"), &err));
    OK(store_commit(w->s, &err));
    OK(store_trouble(w->s, SLICE(""), &t, &err));
    assert_int_equal(t.held, 1);
    assert_int_equal(t.delayed, 0);
    w->now += 100000;
    OK(store_begin(w->s, &err));
    OK(store_release(w->s, TRANSMISSION, file, &err));
    OK(store_commit(w->s, &err));
    x = one(w, TRANSMISSION, file);
    assert_int_equal(x.t.first, 0);
    assert_int_equal(x.t.attempts, 0);
    assert_int_equal(x.t.due, w->now);
    OK(store_begin(w->s, &err));
    OK(store_bury(w->s, TRANSMISSION, file, SLICE("given up"), &err));
    OK(store_bury(w->s, DELIVERY, alone, SLICE("cannot be written"), &err));
    OK(store_commit(w->s, &err));
    assert_int_equal(state_is(w, DOCUMENT, document), DOCUMENT_DEAD);
    assert_int_equal(state_is(w, DELIVERY, delivery), DELIVERY_DEAD);
    OK(store_trouble(w->s, SLICE(""), &t, &err));
    assert_int_equal(t.dead, 2);
    OK(store_trouble(w->s, SLICE("erp"), &t, &err));
    assert_int_equal(t.dead, 1);
    OK(store_begin(w->s, &err));
    assert_int_equal(store_replay(w->s, document, &err), ERR_USAGE);
    OK(store_drop(w->s, TRANSMISSION, file, SLICE("enough"), &err));
    held = document_in(w, translated(w, "acme", 30), DOCUMENT_DEAD);
    OK(store_commit(w->s, &err));
    assert_int_equal(state_is(w, DOCUMENT, document), DOCUMENT_DROPPED);
    assert_int_equal(look(w, DELIVERY, (struct store_query){ .states = 1u << DELIVERY_DEAD, .alone = true }).n, 1);
    OK(store_begin(w->s, &err));
    OK(store_replay(w->s, held, &err));
    OK(store_commit(w->s, &err));
    assert_int_equal(state_is(w, DOCUMENT, held), DOCUMENT_RECORDED);
    counts_hold(w);
}

/* What a person dropped is found by its key and content; what was dropped because it goes again is not. */
static void test_what_was_dropped_is_found(void **state)
{
    static const uint8_t key[STORE_KEY] = { 1, 2, 3 };
    struct world *w = *state;
    struct store_document found;
    struct seen x;
    store_id by_hand, again;

    OK(store_begin(w->s, &err));
    by_hand = document_in(w, translated(w, "acme", 10), DOCUMENT_DEAD);
    again = document_in(w, translated(w, "acme", 20), DOCUMENT_DEAD);
    OK(store_drop(w->s, DOCUMENT, by_hand, SLICE("not ours"), &err));
    OK(store_supersede(w->s, again, SLICE("goes again as T9"), &err));
    OK(store_commit(w->s, &err));
    x = one(w, DOCUMENT, by_hand);
    OK(store_find_dropped(w->s, key, x.d.content, 0, &found, &err));
    assert_int_equal(found.id, by_hand);
    OK(store_find_dropped(w->s, key, x.d.content, by_hand, &found, &err));
    assert_int_equal(found.id, 0);
    assert_int_equal(state_is(w, DOCUMENT, again), DOCUMENT_DROPPED);
}

static void test_refused_without_a_batch(void **state)
{
    struct world *w = *state;
    struct store_transmission t = arrived("acme", 1);
    store_id id;

    assert_int_equal(store_accept(w->s, &t, &id, &err), ERR_INTERNAL);
    OK(store_begin(w->s, &err));
    assert_int_equal(store_begin(w->s, &err), ERR_INTERNAL);
    assert_int_equal(store_bury(w->s, DOCUMENT, 1, SLICE("x"), &err), ERR_MISSING);
    t.priority = 3;
    assert_int_equal(store_accept(w->s, &t, &id, &err), ERR_INTERNAL);
    id = accept_one(w, "acme", 1);
    OK(store_commit(w->s, &err));
    assert_int_equal(store_commit(w->s, &err), ERR_INTERNAL);
    assert_int_equal(state_is(w, TRANSMISSION, id), TRANSMISSION_ARRIVED);
    store_close(&w->s);
    OK(open_world(w, false));
    assert_int_equal(store_begin(w->s, &err), ERR_INTERNAL);
}

/* --- Batches ----------------------------------------------------------------------------------------------------- */

static void test_a_batch_that_came_to_nothing(void **state)
{
    struct world *w = *state;
    struct store_counts c;
    struct seen x;
    store_id a, b;

    OK(store_begin(w->s, &err));
    a = accept_one(w, "acme", 1);
    store_rollback(w->s);
    assert_int_equal(look(w, TRANSMISSION, (struct store_query){ .id = 0 }).n, 0);
    OK(store_count(w->s, slice(NULL, 0), &c, &err));
    assert_int_equal(c.payloads, 0);
    OK(store_begin(w->s, &err));
    b = accept_one(w, "acme", 1);
    assert_int_equal(a, b);
    OK(store_count(w->s, slice(NULL, 0), &c, &err));
    assert_int_equal(c.payloads, 1);
    assert_int_equal(c.bytes, payload(1).size);

    /* a part of it undone */
    OK(store_mark(w->s, &err));
    assert_int_equal(store_mark(w->s, &err), ERR_INTERNAL);
    accept_one(w, "nobody", 2);
    assert_int_equal(store_commit(w->s, &err), ERR_INTERNAL);
    OK(store_begin(w->s, &err));
    b = accept_one(w, "acme", 1);
    OK(store_mark(w->s, &err));
    accept_one(w, "nobody", 2);
    OK(store_unmark(w->s, true, &err));
    OK(store_mark(w->s, &err));
    accept_one(w, "erp", 3);
    OK(store_unmark(w->s, false, &err));
    OK(store_commit(w->s, &err));
    counts_hold(w);
    assert_int_equal(look(w, TRANSMISSION, (struct store_query){ .id = 0 }).n, 2);
    assert_string_equal(events_of(w, (struct store_query){ .id = 0 }, &x), "accept accept");
    OK(store_count(w->s, slice(NULL, 0), &c, &err));
    assert_int_equal(c.payloads, 2);
}

struct numbered {
    uint64_t last;
    unsigned n;
};

static int see_number(void *ctx, const struct store_event *e)
{
    struct numbered *x = ctx;
    assert_int_equal(e->of_partner, x->last + 1);
    x->last = e->of_partner;
    x->n++;
    return 0;
}

/* Counts and running numbers are written at the end of a batch, however many there are and whatever is undone. */
static void test_more_than_is_gathered(void **state)
{
    enum { PARTNERS = 3 * PENDING, ROUNDS = 4 };
    struct world *w = *state;
    struct store_counts c;
    char name[16];

    OK(store_begin(w->s, &err));
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < PARTNERS; i++) {
            bool undo = (i + round) % 3 == 0;
            snprintf(name, sizeof(name), "p%u", i);
            accept_one(w, name, 2 * i);
            OK(store_mark(w->s, &err));
            make_one(w, name, 2 * i + 1);
            if (i % 5 == 0)
                OK(store_count(w->s, slice_of(name), &c, &err)); /* writes what was gathered */
            OK(store_unmark(w->s, undo, &err));
        }
    OK(store_commit(w->s, &err));
    for (unsigned i = 0; i < PARTNERS; i++) {
        struct store_query q;
        struct numbered x = { .n = 0 };
        unsigned made = 0;
        for (unsigned round = 0; round < ROUNDS; round++)
            made += (i + round) % 3 != 0;
        snprintf(name, sizeof(name), "p%u", i);
        q = (struct store_query){ .partner = slice_of(name) };
        OK(store_events(w->s, &q, see_number, &x, &err));
        assert_int_equal(x.n, ROUNDS + made);
        OK(store_count(w->s, slice_of(name), &c, &err));
        assert_int_equal(c.transmission[0][TRANSMISSION_ARRIVED], ROUNDS);
        assert_int_equal(c.transmission[1][TRANSMISSION_MADE], made);
    }
    OK(store_count(w->s, slice(NULL, 0), &c, &err));
    assert_int_equal(c.transmission[0][TRANSMISSION_ARRIVED], ROUNDS * PARTNERS);
    assert_int_equal(c.payloads, 2 * PARTNERS);
}

static void test_reopened_and_never_the_same_id(void **state)
{
    struct world *w = *state;
    struct sql *q;
    store_id id;

    OK(store_begin(w->s, &err));
    accept_one(w, "acme", 1);
    accept_one(w, "acme", 2);
    OK(store_commit(w->s, &err));
    store_close(&w->s);
    OK(open_world(w, true));
    assert_int_equal(look(w, TRANSMISSION, (struct store_query){ .id = 0 }).n, 2);
    OK(store_begin(w->s, &err));
    q = sql_begin(w->s, "DELETE FROM transmission", &err);
    OK(sql_run(w->s, q, &err));
    OK(store_commit(w->s, &err));
    OK(store_begin(w->s, &err));
    id = accept_one(w, "acme", 3);
    assert_int_equal(id, 3);
    OK(store_skip(w->s, 100, &err));
    assert_int_equal(accept_one(w, "acme", 3), 104);
    OK(store_commit(w->s, &err));
}

/* Killed in mid-batch, and right behind a commit. */
static void test_killed(void **state)
{
    struct world *w = *state;
    store_close(&w->s);
    for (unsigned i = 0; i < 4; i++) {
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            store_id id;
            struct store_transmission t = arrived("acme", i);
            if (open_world(w, true) < 0 || store_begin(w->s, &err) < 0 || store_accept(w->s, &t, &id, &err) < 0)
                _exit(1);
            if (i % 2 && store_commit(w->s, &err) < 0)
                _exit(1);
            kill(getpid(), SIGKILL);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        OK(open_world(w, true));
        assert_int_equal(look(w, TRANSMISSION, (struct store_query){ .id = 0 }).n, (i + 1) / 2);
        counts_hold(w);
        store_close(&w->s);
    }
    OK(open_world(w, true));
}

/* No room on the disk: a limit on the size of files. */
static void test_a_commit_that_fails(void **state)
{
    struct world *w = *state;
    struct rlimit small, before;
    char name[60000];
    struct store_transmission t = arrived("acme", 7);
    store_id id;
    int r;

    memset(name, 'x', sizeof(name));
    OK(store_begin(w->s, &err));
    accept_one(w, "acme", 1);
    OK(store_commit(w->s, &err));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 300 << 10;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    t.name = slice(name, sizeof(name));
    for (unsigned i = 0; i < 20; i++) {
        r = store_begin(w->s, &err);
        assert_int_equal(r, 0);
        r = store_accept(w->s, &t, &id, &err);
        if (r == 0)
            r = store_commit(w->s, &err);
        else
            store_rollback(w->s);
        if (r < 0)
            break;
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(r, ERR_IO);
    assert_non_null(strstr(err.text, "/ledger: "));
    counts_hold(w);
    OK(store_begin(w->s, &err));
    accept_one(w, "erp", 2);
    OK(store_commit(w->s, &err));
    counts_hold(w);
    assert_int_equal(look(w, TRANSMISSION, (struct store_query){ .partner = SLICE("erp") }).n, 1);
}

/* --- Asking ------------------------------------------------------------------------------------------------------ */

static void test_lists(void **state)
{
    struct world *w = *state;
    struct seen x;
    store_id before;

    for (unsigned i = 0; i < 300; i++) {
        w->now = 1700000000000 + (store_time)i * 60000; /* a minute */
        if (i == 200)
            w->now -= 86400000; /* the clock was wrong for a moment */
        OK(store_begin(w->s, &err));
        before = accept_one(w, i % 3 ? "acme" : "erp", i);
        if (i % 5 == 0)
            OK(store_hold(w->s, TRANSMISSION, before, 1, SLICE("r"), &err));
        if (i % 7 == 0)
            make_one(w, "erp", i);
        OK(store_commit(w->s, &err));
    }
    x = look(w, TRANSMISSION, (struct store_query){ .id = 0 });
    assert_int_equal(x.n, 343);
    for (unsigned i = 1; i < x.n; i++)
        assert_true(x.id[i] > x.id[i - 1]);
    x = look(w, TRANSMISSION, (struct store_query){ .newest = true, .limit = 50 });
    assert_int_equal(x.n, 50);
    assert_int_equal(x.id[0], 343);
    assert_int_equal(x.id[49], 294);
    x = look(w, TRANSMISSION, (struct store_query){ .newest = true, .limit = 50, .after = 294 });
    assert_int_equal(x.id[0], 293);
    x = look(w, TRANSMISSION, (struct store_query){ .after = 340 });
    assert_int_equal(x.n, 3);
    x = look(w, TRANSMISSION, (struct store_query){ .newest = true, .direction = STORE_OUT });
    assert_int_equal(x.n, 43);
    assert_true(x.id[0] > x.id[1]);
    x = look(w, TRANSMISSION,
             (struct store_query){ .partner = SLICE("erp"),
                                   .direction = STORE_IN,
                                   .states = STATE(TRANSMISSION, ARRIVED) | STATE(TRANSMISSION, HELD) });
    assert_int_equal(x.n, 100);
    for (unsigned i = 1; i < x.n; i++)
        assert_true(x.id[i] > x.id[i - 1]);
    x = look(w, TRANSMISSION,
             (struct store_query){
                 .partner = SLICE("erp"), .newest = true, .limit = 7, .states = STATE(TRANSMISSION, HELD) });
    assert_int_equal(x.n, 7);
    assert_int_equal(
        look(w, TRANSMISSION, (struct store_query){ .direction = STORE_OUT, .states = 1u << TRANSMISSION_ARRIVED }).n,
        0);
    assert_int_equal(look(w, TRANSMISSION, (struct store_query){ .partner = SLICE("who") }).n, 0);
    /* by time */
    x = look(w, TRANSMISSION,
             (struct store_query){
                 .direction = STORE_IN, .from = 1700000000000 + 60 * 60000, .to = 1700000000000 + 120 * 60000 });
    assert_int_equal(x.n, 60);
    assert_int_equal(look(w, TRANSMISSION, (struct store_query){ .direction = STORE_IN, .from = 1700000000000 }).n,
                     299);
    assert_int_equal(look(w, TRANSMISSION, (struct store_query){ .to = 1700000000000 }).n, 1);
    assert_int_equal(look(w, TRANSMISSION, (struct store_query){ .from = 1800000000000 }).n, 0);
    memset(&x, 0, sizeof(x));
    OK(store_events(w->s, &(struct store_query){ .from = 1700000000000 + 299 * 60000, .newest = true }, see_event, &x,
                    &err));
    assert_int_equal(x.n, 1);
}

struct due {
    struct world *w;
    unsigned n;
    store_id id[400];
};

/* Makes each delivery as it is shown: the queue changes below the question. */
static int make_due(void *ctx, const struct store_delivery *v)
{
    struct due *d = ctx;
    store_id t;
    d->id[d->n++] = v->id;
    OK(store_begin(d->w->s, &err));
    t = make_one(d->w, "erp", 5000 + d->n);
    OK(store_make_delivery(d->w->s, v->id, t, &err));
    OK(store_commit(d->w->s, &err));
    return 0;
}

static void test_queues(void **state)
{
    struct world *w = *state;
    struct due d = { w, 0, { 0 } };
    struct seen x;
    store_id in, doc;

    OK(store_begin(w->s, &err));
    in = translated(w, "acme", 1);
    doc = document_in(w, in, DOCUMENT_RECORDED);
    for (unsigned i = 0; i < 300; i++) {
        struct store_delivery v = { .partner = i % 2 ? SLICE("erp") : SLICE("acme"),
                                    .document = doc,
                                    .priority = 2 - i % 3,
                                    .due = i == 299 ? w->now + 1 : 1000 - i };
        store_id id;
        OK(store_route(w->s, &v, &id, &err));
    }
    OK(store_commit(w->s, &err));
    x = look(w, DELIVERY, (struct store_query){ .due = w->now, .states = 1u << DELIVERY_WAITING });
    assert_int_equal(x.n, 299);
    assert_int_equal(x.id[0], 297); /* i 296: priority 0, due first */
    assert_int_equal(x.id[298], 1);
    x = look(
        w, DELIVERY,
        (struct store_query){ .due = w->now, .states = 1u << DELIVERY_WAITING, .partner = SLICE("erp"), .limit = 3 });
    assert_int_equal(x.n, 3);
    assert_int_equal(x.id[0], 294);
    x = look(w, DELIVERY,
             (struct store_query){ .due = w->now, .states = 1u << DELIVERY_WAITING, .priorities = 1 << 0 | 1 << 2 });
    assert_int_equal(x.n, 199);
    OK(store_deliveries(w->s, &(struct store_query){ .due = w->now, .states = 1u << DELIVERY_WAITING }, make_due, &d,
                        &err));
    assert_int_equal(d.n, 299);
    assert_int_equal(look(w, DELIVERY, (struct store_query){ .states = 1u << DELIVERY_WAITING }).n, 1);
    assert_int_equal(look(w, TRANSMISSION, (struct store_query){ .due = w->now, .states = 1u << TRANSMISSION_MADE }).n,
                     299);
    assert_int_equal(look(w, TRANSMISSION, (struct store_query){ .due = 4, .states = 1u << TRANSMISSION_MADE }).n, 0);
    assert_int_equal(look(w, DELIVERY, (struct store_query){ .document = doc }).n, 300);
    assert_int_equal(look(w, DELIVERY, (struct store_query){ .transmission = in }).n, 0);
    counts_hold(w);
}

static int stop(void *ctx, const struct store_document *d)
{
    (void)d;
    ++*(unsigned *)ctx;
    return ERR_STOP;
}

static void test_finding(void **state)
{
    struct world *w = *state;
    struct store_document d = { .set = SLICE("850"), .group = SLICE("8") }, found;
    struct store_envelope e = {
        SLICE("acme"), SLICE("interchange"), SLICE("ZZ:A"), SLICE("ZZ:B"), SLICE("000000001"), 0
    };
    struct store_breaker b;
    struct payload p;
    struct seen x = { .n = 0 };
    store_id a, again, doc, other, t, u, id, last = 0;
    uint64_t number;
    unsigned calls = 0;

    OK(store_begin(w->s, &err));
    a = translated(w, "acme", 1);
    doc = document_in(w, a, DOCUMENT_RECORDED);
    again = accept_one(w, "acme", 1);
    OK(store_find_same(w->s, SLICE("acme"), payload(1).hash, again, &id, &err));
    assert_int_equal(id, a);
    OK(store_find_same(w->s, SLICE("acme"), payload(1).hash, a, &id, &err));
    assert_int_equal(id, 0);
    OK(store_find_same(w->s, SLICE("erp"), payload(1).hash, 0, &id, &err));
    assert_int_equal(id, 0);

    e.transmission = a;
    OK(store_envelope(w->s, &e, &err));
    OK(store_find_envelope(w->s, &e, &id, &err));
    assert_int_equal(id, 0);
    e.transmission = 0;
    OK(store_find_envelope(w->s, &e, &id, &err));
    assert_int_equal(id, a);
    e.control = SLICE("000000002");
    OK(store_find_envelope(w->s, &e, &id, &err));
    assert_int_equal(id, 0);

    OK(store_find_key(w->s, (uint8_t[STORE_KEY]){ 1, 2, 3 }, 0, &found, &err));
    assert_int_equal(found.id, doc);
    assert_int_equal(found.content[0], 4);
    assert_int_equal(found.state, DOCUMENT_RECORDED);
    OK(store_find_key(w->s, (uint8_t[STORE_KEY]){ 1, 2, 3 }, a, &found, &err));
    assert_int_equal(found.id, 0);
    OK(store_find_key(w->s, (uint8_t[STORE_KEY]){ 1, 2 }, 0, &found, &err));
    assert_int_equal(found.id, 0);

    /* ours, twice with the same numbers: the last counts */
    for (unsigned round = 0; round < 2; round++) {
        t = make_one(w, "erp", 20 + round);
        for (unsigned i = 0; i < 200; i++) {
            char control[8];
            d.transmission = t;
            d.state = DOCUMENT_WRITTEN;
            d.interchange = SLICE("000000003");
            d.group = i < 150 ? SLICE("8") : SLICE("9");
            snprintf(control, sizeof(control), "%04u", i);
            d.control = slice_of(control);
            OK(store_document(w->s, &d, &last, &err));
        }
    }
    OK(store_find_sent(w->s, SLICE("erp"), SLICE(""), SLICE("9"), SLICE("850"), SLICE("0199"), see_document, &x, &err));
    assert_int_equal(x.n, 1);
    assert_int_equal(x.id[0], last);
    OK(store_find_sent(w->s, SLICE("erp"), SLICE("000000003"), SLICE(""), SLICE(""), SLICE("0199"), see_document, &x,
                       &err));
    assert_int_equal(x.n, 2);
    OK(store_find_sent(w->s, SLICE("erp"), SLICE("000000003"), SLICE(""), SLICE("810"), SLICE("0199"), see_document, &x,
                       &err));
    OK(store_find_sent(w->s, SLICE("acme"), SLICE("000000003"), SLICE(""), SLICE(""), SLICE("0199"), see_document, &x,
                       &err));
    assert_int_equal(x.n, 2);
    x.n = 0;
    OK(store_find_sent(w->s, SLICE("erp"), SLICE(""), SLICE("8"), SLICE(""), SLICE(""), see_document, &x, &err));
    assert_int_equal(x.n, 150);
    assert_int_equal(x.id[149], last - 50);
    x.n = 0;
    OK(store_find_sent(w->s, SLICE("erp"), SLICE("000000003"), SLICE(""), SLICE(""), SLICE(""), see_document, &x,
                       &err));
    assert_int_equal(x.n, 200);

    /* numbers */
    u = translated(w, "erp", 50);
    other = document_in(w, u, DOCUMENT_RECORDED);
    OK(store_number(w->s, doc, SLICE("order"), SLICE("number"), SLICE("4711"), &err));
    for (unsigned i = 0; i < 300; i++) {
        char field[16];
        snprintf(field, sizeof(field), "nodes.%u", i);
        OK(store_number(w->s, other, SLICE("shipment"), slice_of(field), SLICE("4711"), &err));
        OK(store_number(w->s, other, SLICE("shipment"), slice_of(field), SLICE("4711"), &err));
    }
    x.n = 0;
    OK(store_find_number(w->s, SLICE(""), SLICE(""), SLICE("4711"), see_document, &x, &err));
    assert_int_equal(x.n, 2);
    assert_int_equal(x.id[0], other);
    assert_int_equal(x.id[1], doc);
    x.n = 0;
    OK(store_find_number(w->s, SLICE("shipment"), SLICE("nodes.0"), SLICE("4711"), see_document, &x, &err));
    assert_int_equal(x.n, 1);
    OK(store_find_number(w->s, SLICE("order"), SLICE("nodes.0"), SLICE("4711"), see_document, &x, &err));
    OK(store_find_number(w->s, SLICE(""), SLICE(""), SLICE("471"), see_document, &x, &err));
    assert_int_equal(x.n, 1);
    assert_int_equal(store_find_number(w->s, SLICE(""), SLICE(""), SLICE("4711"), stop, &calls, &err), ERR_STOP);
    assert_int_equal(calls, 1);

    /* control numbers */
    for (unsigned i = 1; i <= 4; i++) {
        OK(store_control(w->s, SLICE("erp"), SLICE("004010"), SLICE("group"), 3, &number, &err));
        assert_int_equal(number, i == 4 ? 1 : i);
    }
    OK(store_control(w->s, SLICE("erp"), SLICE(""), SLICE("interchange"), 999999999, &number, &err));
    assert_int_equal(number, 1);
    OK(store_skip(w->s, 1000, &err));
    OK(store_control(w->s, SLICE("erp"), SLICE(""), SLICE("interchange"), 999999999, &number, &err));
    assert_int_equal(number, 1002);

    /* ways */
    assert_int_equal(store_breaker_get(w->s, SLICE("zeta"), &b, &err), 0);
    OK(store_breaker_set(w->s, SLICE("zeta"), &(struct store_breaker){ 3, 99, SLICE("refused") }, &err));
    assert_int_equal(store_breaker_get(w->s, SLICE("zeta"), &b, &err), 1);
    assert_int_equal(b.failures, 3);
    assert_int_equal(b.until, 99);
    assert_true(slice_is(b.reason, "refused"));
    OK(store_breaker_set(w->s, SLICE("zeta"), &(struct store_breaker){ .failures = 0 }, &err));
    assert_int_equal(store_breaker_get(w->s, SLICE("zeta"), &b, &err), 0);

    assert_int_equal(store_payload_find(w->s, payload(1).hash, &p, &err), 1);
    assert_int_equal(p.offset, payload(1).offset);
    assert_int_equal(store_payload_find(w->s, payload(88).hash, &p, &err), 0);
    OK(store_say(w->s, SLICE(""), SLICE("start"), SLICE("version 1"), &err));
    OK(store_commit(w->s, &err));
    assert_string_equal(events_of(w, (struct store_query){ .newest = true, .limit = 1 }, &x), "start");
    counts_hold(w);
}

static int kept_row(void *ctx, store_id id, const struct store_source *source)
{
    char *text = ctx;
    size_t n = strlen(text);
    snprintf(text + n, 200 - n, "%u=%.*s ", (unsigned)id, SLICE_FMT(source->path));
    return 0;
}

static void test_files_that_stay(void **state)
{
    struct world *w = *state;
    struct store_source f = { SLICE("in/a\xff"), 1, 2, 3, -4 }, g = { SLICE("in/b"), 1, 2, 3, 4 }, h = f;
    char text[200] = "";
    store_id id;

    OK(store_begin(w->s, &err));
    OK(store_keep(w->s, &f, 7, &err));
    OK(store_keep(w->s, &g, 8, &err));
    OK(store_kept(w->s, &f, &id, &err));
    assert_int_equal(id, 7);
    h.mtime = 5;
    OK(store_kept(w->s, &h, &id, &err));
    assert_int_equal(id, 0);
    OK(store_keep(w->s, &h, 9, &err));
    OK(store_kept(w->s, &f, &id, &err));
    assert_int_equal(id, 0);
    OK(store_kept_files(w->s, kept_row, text, &err));
    assert_string_equal(text, "9=in/a\xff 8=in/b ");
    OK(store_keep(w->s, &g, 0, &err));
    OK(store_kept(w->s, &g, &id, &err));
    assert_int_equal(id, 0);
    OK(store_commit(w->s, &err));
}

/* --- Payloads ---------------------------------------------------------------------------------------------------- */

static void test_payloads_go(void **state)
{
    struct world *w = *state;
    struct payload p[10];
    struct store_counts c;
    uint32_t n, segment[4];
    store_id a, b, doc, v;

    OK(store_begin(w->s, &err));
    a = translated(w, "acme", 1); /* 1, 2, 3: segment 1 */
    b = accept_one(w, "acme", 1);
    doc = document_in(w, a, DOCUMENT_RECORDED);
    v = route_one(w, "erp", doc, 0);
    accept_one(w, "acme", 250); /* segment 3 */
    assert_int_equal(store_forget(w->s, b, &err), ERR_USAGE);
    assert_int_equal(store_forget(w->s, a, &err), ERR_USAGE);
    assert_int_equal(store_forget(w->s, 77, &err), ERR_MISSING);
    OK(store_bury(w->s, DELIVERY, v, SLICE("x"), &err));
    OK(store_forget(w->s, a, &err));
    OK(store_forget(w->s, a, &err));
    OK(store_payload_condemn(w->s, w->now, p, 10, &n, &err));
    assert_int_equal(n, 0);
    OK(store_payload_condemn(w->s, w->now + 1, p, 10, &n, &err));
    assert_int_equal(n, 2); /* 1 is b's as well */
    assert_int_equal(p[0].segment, 1);
    OK(store_count(w->s, slice(NULL, 0), &c, &err));
    assert_int_equal(c.payloads, 2);
    assert_int_equal(c.bytes, payload(1).size + payload(250).size);
    OK(store_segments_empty(w->s, segment, 4, &n, &err));
    assert_int_equal(n, 0);
    assert_true(store_payload_known(w->s, NULL, 1));
    OK(store_bury(w->s, TRANSMISSION, b, SLICE("x"), &err));
    OK(store_forget(w->s, b, &err));
    OK(store_payload_condemn(w->s, w->now + 1, p, 10, &n, &err));
    assert_int_equal(n, 1);
    assert_false(store_payload_known(w->s, NULL, 1));
    assert_false(store_payload_known(w->s, payload(1).hash, 0));
    assert_true(store_payload_known(w->s, NULL, 3));
    OK(store_segments_empty(w->s, segment, 4, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(segment[0], 1);
    OK(store_segments_empty(w->s, segment, 4, &n, &err));
    assert_int_equal(n, 0);
    OK(store_commit(w->s, &err));
    assert_int_equal(one(w, TRANSMISSION, a).t.payload.hash[31], 1);
    assert_int_equal(one(w, TRANSMISSION, a).t.payload.size, 0);
}

/* --- Plans ------------------------------------------------------------------------------------------------------- */

/* No question walks a table: SEARCH by an index, but for lists without a condition, which have no other way. */
static void look_at_plan(struct world *w, const char *text)
{
    char explain[2000];
    sqlite3_stmt *st;
    snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", text);
    if (sqlite3_prepare_v2(w->s->db, explain, -1, &st, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(w->s->db));
    while (sqlite3_step(st) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(st, 3);
        bool group = strstr(text, "FROM document INDEXED BY document_group") || strstr(text, "document_interchange");
        bool sorted = strcmp(line, "USE TEMP B-TREE FOR ORDER BY") == 0 && group;
        bool last = strncmp(line, "SCALAR SUBQUERY", 15) == 0 || strncmp(line, "CORRELATED SCALAR SUBQUERY", 26) == 0;
        if (strncmp(line, "SEARCH ", 7) != 0 && !sorted && !last)
            fail_msg("%s: %s", text, line);
        /* a state may be that of a million: only who asks for a state looks by it */
        if (strstr(line, "_state (") && !strstr(text, "_state WHERE state = ?4"))
            fail_msg("%s: %s", text, line);
    }
    sqlite3_finalize(st);
}

/* What the verbs do is looked at where they have been called: see tear_down(). */
static void look_at_plans(struct world *w)
{
    for (unsigned i = 0; i < SQL_SLOTS; i++) {
        const char *text = w->s->sql[i].text;
        if (text && strncmp(text, "PRAGMA", 6) != 0 && !strstr(text, "sqlite_") && !strstr(text, "DELETE FROM transmission") &&
            !strstr(text, "+ ?1") && !strstr(text, "count(*)"))
            look_at_plan(w, text);
    }
}

static void test_no_question_walks_a_table(void **state)
{
    struct world *w = *state;
    unsigned n = 0;
    const char *text;

    for (unsigned i = 0; (text = store_query_text(i)) != NULL; i++)
        if (*text)
            look_at_plan(w, text), n++;
    for (unsigned i = 0; (text = store_find_text(i)) != NULL; i++)
        look_at_plan(w, text), n++;
    assert_true(n > 50);
}

static int see_opcode(void *ctx, int n, char **value, char **name)
{
    (void)ctx, (void)n, (void)name;
    assert_string_not_equal(value[1], "OpenEphemeral");
    return 0;
}

/* A state is written without a table of its own: an index on a list of states would need one. */
static void test_a_state_is_written_straight(void **state)
{
    static const char *const tables[] = { "transmission", "document", "delivery" };
    struct world *w = *state;
    char text[100];

    for (unsigned i = 0; i < 3; i++) {
        snprintf(text, sizeof(text), "EXPLAIN UPDATE %s SET state = 2, done = 3, reason = 4 WHERE id = 1", tables[i]);
        assert_int_equal(sqlite3_exec(w->s->db, text, see_opcode, NULL, NULL), SQLITE_OK);
    }
}

/* --- Forms ------------------------------------------------------------------------------------------------------- */

static int open_steps(struct world *w, bool write, const char *const *steps, unsigned n)
{
    struct store_options o = { .write = write, .who = "test" };
    return store_open_steps(w->spool, &o, steps, n, &w->s, &err);
}

static void test_upgrade(void **state)
{
    struct world *w = *state;
    const char *steps[16], *broken[16];
    const unsigned n = store_n_steps;
    char form[16];
    struct sql *q;

    memcpy(steps, store_steps, n * sizeof(*steps));
    memcpy(broken, store_steps, n * sizeof(*broken));
    steps[n] = "ALTER TABLE transmission ADD COLUMN more TEXT; UPDATE transmission SET more = name";
    steps[n + 1] = "CREATE TABLE further (id INTEGER PRIMARY KEY) STRICT";
    broken[n] = "CREATE TABLE x (id INTEGER) STRICT; CREATE TABLE nonsense";
    snprintf(form, sizeof(form), "form %u", n + 2);
    OK(store_begin(w->s, &err));
    accept_one(w, "acme", 1);
    OK(store_commit(w->s, &err));
    store_close(&w->s);
    /* a reader cannot, a step that fails leaves all as it was */
    assert_int_equal(open_steps(w, false, steps, n + 2), ERR_CONFIG);
    assert_non_null(strstr(err.text, "not yet"));
    assert_true(open_steps(w, true, broken, n + 1) < 0);
    assert_null(w->s);
    OK(open_steps(w, true, steps, n + 2));
    q = sql_begin(w->s, "SELECT more FROM transmission CROSS JOIN (SELECT count(*) FROM further)", &err);
    assert_non_null(q);
    assert_int_equal(sql_step(w->s, q, &err), 1);
    assert_true(slice_is(sql_get_text(q), "orders.edi"));
    sql_end(&q);
    store_close(&w->s);
    OK(open_steps(w, true, steps, n + 2));
    store_close(&w->s);
    /* and now the program of before */
    assert_int_equal(open_world(w, true), ERR_CONFIG);
    assert_non_null(strstr(err.text, form));
    assert_int_equal(open_world(w, false), ERR_CONFIG);
}

/* A ledger of form 1, as the text of its first step has it, is opened by whatever is the present form. */
static void test_upgrade_from_the_first_form(void **state)
{
    static const char of_form_1[] =
        "INSERT INTO partner (id, name) VALUES (1, 'acme');"
        "INSERT INTO transmission (direction, state, partner, payload, passes, held, priority, documents, attempts, at, first,"
        " due, done) VALUES (1, 9, 1, zeroblob(32), 0, 0, 1, 0, 0, 1, 0, 0, 1);"
        "INSERT INTO payload VALUES (zeroblob(32), 101, 1, 77, 1, 1); INSERT INTO segment VALUES (1, 1);"
        "INSERT INTO count VALUES (0, 3, 0, 0, 1), (0, 4, 0, 0, 101), (0, 0, 1, 9, 1), (1, 0, 1, 9, 1)";
    struct world *w = *state;
    struct payload p[3];
    unsigned parts;
    uint32_t n, archive;
    store_id id[4];
    struct seen x;
    bool again;
    store_close(&w->s);
    remove_ledger(w->spool, "ledger");
    OK(open_steps(w, true, store_steps, 1));
    assert_int_equal(sqlite3_exec(w->s->db, of_form_1, NULL, NULL, NULL), SQLITE_OK);
    store_close(&w->s);
    assert_int_equal(open_world(w, false), ERR_CONFIG);
    OK(open_world(w, true));
    x = one(w, TRANSMISSION, 1);
    assert_int_equal(x.state[0], TRANSMISSION_DEAD);
    assert_int_equal(x.t.payload.size, 101);
    assert_int_equal(x.t.payload.segment, 1);
    assert_int_equal(x.t.payload.offset, 77);
    assert_int_equal(x.t.payload.archive, 0);
    OK(store_aged(w->s, SLICE("acme"), w->now, id, 4, &n, &err));
    assert_int_equal(n, 1);
    OK(store_begin(w->s, &err));
    OK(store_archive_begin(w->s, SLICE("2023-11/acme.zip"), &archive, &again, &err));
    assert_false(again);
    OK(store_age(w->s, 1, p, &parts, &err));
    assert_int_equal(parts, 1);
    OK(store_archived(w->s, &p[0], archive, 5, &err));
    OK(store_archive_end(w->s, archive, 1, SLICE("acme"), SLICE("x"), &err));
    accept_one(w, "acme", 2);
    OK(store_commit(w->s, &err));
    x = one(w, TRANSMISSION, 1);
    assert_int_equal(x.t.payload.archive, archive);
    assert_int_equal(x.t.payload.offset, 5);
    assert_int_equal(x.t.payload.segment, 0);
    assert_false(store_payload_known(w->s, x.t.payload.hash, 0));
    counts_hold(w);
}

static void test_what_is_no_ledger(void **state)
{
    struct world *w = *state;
    char path[100];
    sqlite3 *db;
    int fd;

    store_close(&w->s);
    remove_ledger(w->spool, "ledger");
    assert_int_equal(open_world(w, false), ERR_MISSING);
    snprintf(path, sizeof(path), "%s/ledger", w->spool);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(write(fd, "this is a text, and no ledger at all", 36), 36);
    close(fd);
    assert_int_equal(open_world(w, true), ERR_CONFIG);
    assert_int_equal(open_world(w, false), ERR_CONFIG);
    unlink(path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db, "CREATE TABLE other (id INTEGER)", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_int_equal(open_world(w, true), ERR_CONFIG);
    remove_ledger(w->spool, "ledger");
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_int_equal(open_world(w, true), ERR_CONFIG);
    unlink(path);
}

/* --- Beside each other ------------------------------------------------------------------------------------------- */

static unsigned modes_are(struct world *w, unsigned mode)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    unsigned n = 0;
    for (unsigned i = 0; i < 3; i++) {
        char path[128];
        struct stat st;
        snprintf(path, sizeof(path), "%s/ledger%s", w->spool, ends[i]);
        if (lstat(path, &st) == 0 && (st.st_mode & 07777) == mode)
            n++;
    }
    return n;
}

static void test_reader_beside_writer(void **state)
{
    struct world *w = *state, r = *w;

    assert_int_equal(modes_are(w, 0600), 3);
    OK(open_world(&r, false));
    OK(store_begin(w->s, &err));
    accept_one(w, "acme", 1);
    assert_int_equal(look(&r, TRANSMISSION, (struct store_query){ .id = 0 }).n, 0);
    OK(store_commit(w->s, &err));
    assert_int_equal(look(&r, TRANSMISSION, (struct store_query){ .id = 0 }).n, 1);
    OK(store_begin(w->s, &err));
    accept_one(w, "acme", 2);
    OK(store_commit(w->s, &err));
    store_close(&w->s);
    assert_int_equal(modes_are(w, 0600), 3); /* log and index stay for readers */
    assert_int_equal(look(&r, TRANSMISSION, (struct store_query){ .id = 0 }).n, 2);
    OK(open_world(w, true));
    OK(store_begin(w->s, &err));
    accept_one(w, "acme", 3);
    OK(store_commit(w->s, &err));
    assert_int_equal(look(&r, TRANSMISSION, (struct store_query){ .id = 0 }).n, 3);
    store_close(&r.s);
}

/* As somebody who may read the files and write nothing: exits with how many rows there are. */
static int as_nobody(struct world *w, int *written, int *go)
{
    struct world r = *w;
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct seen x = { .n = 0 };
        char c;
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(100);
        if (open_world(&r, false) < 0) {
            fprintf(stderr, "# %s\n", err.text);
            _exit(101);
        }
        if (written && (store_transmissions(r.s, &(struct store_query){ .id = 0 }, see_transmission, &x, &err) < 0 ||
                        write(written[1], "r", 1) != 1 || read(go[0], &c, 1) != 1))
            _exit(102);
        x.n = 0;
        if (store_transmissions(r.s, &(struct store_query){ .id = 0 }, see_transmission, &x, &err) < 0) {
            fprintf(stderr, "# %s\n", err.text);
            _exit(103);
        }
        store_close(&r.s);
        _exit((int)x.n);
    }
    if (written) {
        char c;
        assert_int_equal(read(written[0], &c, 1), 1);
        OK(open_world(w, true));
        OK(store_begin(w->s, &err));
        accept_one(w, "acme", 9);
        OK(store_commit(w->s, &err));
        assert_int_equal(write(go[1], "g", 1), 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void let_read(struct world *w)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    for (unsigned i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/ledger%s", w->spool, ends[i]);
        chmod(path, 0644);
    }
    chmod(w->spool, 0755);
}

static void test_reader_without_write_access(void **state)
{
    struct world *w = *state;
    int a[2], b[2];
    char path[128];

    if (geteuid() != 0) {
        print_message("# only root can become somebody else\n");
        return; /* not skip(): that counts as failed */
    }
    OK(store_begin(w->s, &err));
    accept_one(w, "acme", 1);
    OK(store_commit(w->s, &err));
    let_read(w);
    assert_int_equal(as_nobody(w, NULL, NULL), 1); /* while somebody writes */
    {
        /* while the writer is in the middle of a batch */
        OK(store_begin(w->s, &err));
        accept_one(w, "acme", 2);
        assert_int_equal(as_nobody(w, NULL, NULL), 1);
        OK(store_commit(w->s, &err));
        assert_int_equal(as_nobody(w, NULL, NULL), 2);
    }
    store_close(&w->s);
    assert_int_equal(as_nobody(w, NULL, NULL), 2); /* nobody writes */
    {
        /* one was killed */
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            store_id id;
            struct store_transmission t = arrived("acme", 3);
            if (open_world(w, true) < 0 || store_begin(w->s, &err) < 0 || store_accept(w->s, &t, &id, &err) < 0 ||
                store_commit(w->s, &err) < 0)
                _exit(1);
            kill(getpid(), SIGKILL);
        }
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(as_nobody(w, NULL, NULL), 3);
    }
    OK(open_world(w, true));
    store_close(&w->s);
    /* a copy of the ledger alone; and a writer that comes while it is read */
    snprintf(path, sizeof(path), "%s/ledger-wal", w->spool);
    unlink(path);
    snprintf(path, sizeof(path), "%s/ledger-shm", w->spool);
    unlink(path);
    assert_int_equal(as_nobody(w, NULL, NULL), 3);
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    assert_int_equal(as_nobody(w, a, b), 4);
    close(a[0]), close(a[1]), close(b[0]), close(b[1]);
}

static void test_backup_while_somebody_writes(void **state)
{
    struct world *w = *state, r = *w, copy = *w;
    char path[100];
    pid_t pid;
    int status;

    OK(store_begin(w->s, &err));
    for (unsigned i = 0; i < 200; i++)
        accept_one(w, "acme", i);
    OK(store_commit(w->s, &err));
    store_close(&w->s);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        unsigned i = 1000;
        if (open_world(w, true) < 0)
            _exit(1);
        for (;;) {
            struct store_transmission t = arrived("acme", i++);
            store_id id;
            if (store_begin(w->s, &err) < 0 || store_accept(w->s, &t, &id, &err) < 0 || store_commit(w->s, &err) < 0)
                _exit(1);
        }
    }
    OK(open_world(&r, false));
    snprintf(path, sizeof(path), "%s/copy", w->spool);
    usleep(20000);
    OK(store_backup(r.s, path, &err));
    assert_int_equal(store_backup(r.s, path, &err), ERR_IO); /* it is there */
    store_close(&r.s);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    /* the copy as a ledger */
    remove_ledger(w->spool, "ledger");
    {
        char ledger[100];
        snprintf(ledger, sizeof(ledger), "%s/ledger", w->spool);
        assert_int_equal(rename(path, ledger), 0);
    }
    OK(open_world(&copy, true));
    {
        struct store_counts c;
        OK(store_count(copy.s, slice(NULL, 0), &c, &err));
        assert_true(c.transmission[0][TRANSMISSION_ARRIVED] >= 200);
        OK(store_begin(copy.s, &err));
        accept_one(&copy, "acme", 5000);
        OK(store_commit(copy.s, &err));
    }
    store_close(&copy.s);
    w->s = NULL;
}

/* --- Memory ------------------------------------------------------------------------------------------------------ */

static int count_document(void *ctx, const struct store_document *d)
{
    (void)d;
    ++*(unsigned *)ctx;
    return 0;
}

static int nested(void *ctx, const struct store_transmission *t)
{
    struct world *w = ctx;
    unsigned n = 0;
    return store_documents(w->s, &(struct store_query){ .transmission = t->id }, count_document, &n, &err);
}

static int short_of_memory(void *arg)
{
    struct world *w = arg;
    struct store_breaker b;
    store_id id;
    struct store_transmission t = arrived("acme", 1);
    struct err e = { 0 };
    int r = open_world(w, true);

    if (r == 0)
        r = store_begin(w->s, &e);
    if (r == 0)
        r = store_accept(w->s, &t, &id, &e);
    if (r == 0)
        r = store_keep(w->s, &t.source, 1, &e);
    if (r == 0)
        r = store_breaker_set(w->s, SLICE("acme"), &(struct store_breaker){ 1, 1, SLICE("why") }, &e);
    if (r == 0)
        r = store_breaker_get(w->s, SLICE("acme"), &b, &e);
    if (r >= 0)
        r = store_transmissions(w->s, &(struct store_query){ .newest = true, .limit = 3 }, nested, w, &e);
    if (r >= 0) {
        char text[200] = "";
        r = store_kept_files(w->s, kept_row, text, &e);
    }
    if (r >= 0)
        r = store_commit(w->s, &e);
    store_close(&w->s);
    return r < 0 ? r : 0;
}

static void test_short_of_memory(void **state)
{
    struct world *w = *state;
    store_close(&w->s);
    fail_each_allocation(short_of_memory, w);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_what_arrives),
        TEST(test_what_leaves),
        TEST(test_what_goes_along_with_a_transmission),
        TEST(test_what_goes_along_with_a_document),
        TEST(test_documents_that_begin),
        TEST(test_every_arrow_from_every_state),
        TEST(test_documents_go_with_their_file),
        TEST(test_what_was_dropped_is_found),
        TEST(test_refused_without_a_batch),
        TEST(test_a_batch_that_came_to_nothing),
        TEST(test_more_than_is_gathered),
        TEST(test_reopened_and_never_the_same_id),
        TEST(test_killed),
        TEST(test_a_commit_that_fails),
        TEST(test_lists),
        TEST(test_queues),
        TEST(test_finding),
        TEST(test_files_that_stay),
        TEST(test_payloads_go),
        TEST(test_no_question_walks_a_table),
        TEST(test_a_state_is_written_straight),
        TEST(test_upgrade),
        TEST(test_upgrade_from_the_first_form),
        TEST(test_what_is_no_ledger),
        TEST(test_reader_beside_writer),
        TEST(test_reader_without_write_access),
        TEST(test_backup_while_somebody_writes),
        TEST(test_short_of_memory),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
