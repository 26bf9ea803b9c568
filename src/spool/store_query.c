/*
 * store_query: asking the ledger. See store.h.
 *
 * A question is answered in two steps. First an index gives ids, a page at a time: the narrowest condition chooses
 * the index (`sources`), and several states, or priorities, are several looks into it. Then each row is fetched by its
 * id, held against all conditions, and copied. So no statement is open while a callback runs, whatever it does and
 * however long it takes, and nothing walks a table; but for a list without a condition, which is the table.
 *
 * Time is no index: hours give the ids between which the rows of a time must lie (see store_schema.c).
 */
#include <stdlib.h>

#include "base/limits.h"
#include "spool/store_inside.h"

enum { PAGE = 128, MOST_STATES = DOCUMENT_STATE_END };

_Static_assert((int)TRANSMISSION_STATE_END <= MOST_STATES && (int)DELIVERY_STATE_END <= MOST_STATES, "the largest");

/* --- Where ids come from ----------------------------------------------------------------------------------------- */

/* Ids that lie between ?1 and ?2, at most ?3; ?4 and ?5 as the condition says. */
struct source {
    const char *up, *down;
};
#define SOURCE(table, index, condition) \
    { "SELECT id FROM " table " " index " WHERE " condition "id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3", \
      "SELECT id FROM " table " " index " WHERE " condition "id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT ?3" }

enum from { FROM_ALL, FROM_STATE, FROM_PARTNER, FROM_1, FROM_2, FROM_3, FROM_4, FROM_END };

static const struct source sources[EVENT + 1][FROM_END] = {
    [TRANSMISSION] = {
        [FROM_ALL] = SOURCE("transmission", "NOT INDEXED", ""),
        [FROM_STATE] = SOURCE("transmission", "INDEXED BY transmission_state", "state = ?4 AND "),
        [FROM_PARTNER] = SOURCE("transmission", "INDEXED BY transmission_partner", "partner = ?5 AND state = ?4 AND "),
        [FROM_1] = SOURCE("transmission", "INDEXED BY transmission_parent", "parent = ?4 AND "),
        [FROM_2] = SOURCE("transmission", "INDEXED BY transmission_replays", "replays = ?4 AND "),
        [FROM_3] = SOURCE("transmission", "INDEXED BY transmission_answers", "answers = ?4 AND "),
        [FROM_4] = SOURCE("transmission", "INDEXED BY transmission_source", "source IS NOT NULL AND "),
    },
    [DOCUMENT] = {
        [FROM_ALL] = SOURCE("document", "NOT INDEXED", ""),
        [FROM_STATE] = SOURCE("document", "INDEXED BY document_state", "state = ?4 AND "),
        [FROM_PARTNER] = SOURCE("document", "INDEXED BY document_partner", "partner = ?5 AND state = ?4 AND "),
        [FROM_1] = SOURCE("document", "INDEXED BY document_transmission", "transmission = ?4 AND "),
        [FROM_2] = SOURCE("document", "INDEXED BY document_made_of", "made_of = ?4 AND "),
        [FROM_3] = SOURCE("document", "INDEXED BY document_delivery", "delivery = ?4 AND "),
    },
    [DELIVERY] = {
        [FROM_ALL] = SOURCE("delivery", "NOT INDEXED", ""),
        [FROM_STATE] = SOURCE("delivery", "INDEXED BY delivery_state", "state = ?4 AND "),
        [FROM_PARTNER] = SOURCE("delivery", "INDEXED BY delivery_partner", "partner = ?5 AND state = ?4 AND "),
        [FROM_1] = SOURCE("delivery", "INDEXED BY delivery_document", "document = ?4 AND "),
        [FROM_2] = SOURCE("delivery", "INDEXED BY delivery_transmission", "transmission = ?4 AND "),
    },
    [EVENT] = {
        [FROM_ALL] = SOURCE("event", "NOT INDEXED", ""),
        [FROM_PARTNER] = SOURCE("event", "INDEXED BY event_partner", "partner = ?5 AND "),
        [FROM_1] = SOURCE("event", "INDEXED BY event_delivery", "delivery = ?4 AND "),
        [FROM_2] = SOURCE("event", "INDEXED BY event_document", "document = ?4 AND "),
        [FROM_3] = SOURCE("event", "INDEXED BY event_transmission", "transmission = ?4 AND "),
    },
};

/* What is due, by `due` and id: ?1 the priority, ?2 due by then, ?3 and ?4 the last one, ?5 at most, ?6 the partner. */
#define DUE(table, index, condition) \
    "SELECT id, due FROM " table " INDEXED BY " index " WHERE " condition " AND due <= ?2" \
    " AND (due, id) > (?3, ?4) ORDER BY due, id LIMIT ?5"
static const char *const dues[][2] = {
    [TRANSMISSION] = { DUE("transmission", "transmission_due", "state IN (5, 6) AND priority = ?1"),
                       DUE("transmission", "transmission_partner_due",
                           "state IN (5, 6) AND partner = ?6 AND priority = ?1") },
    [DOCUMENT] = { DUE("document", "document_due", "state = 5 AND due IS NOT NULL AND ?1 = 0"), NULL },
    [DELIVERY] = { DUE("delivery", "delivery_due", "state = 1 AND priority = ?1"),
                   DUE("delivery", "delivery_partner_due", "state = 1 AND partner = ?6 AND priority = ?1") },
};
static const uint32_t due_states[] = {
    [TRANSMISSION] = STATE(TRANSMISSION, MADE) | STATE(TRANSMISSION, LAID),
    [DOCUMENT] = STATE(DOCUMENT, AWAITED),
    [DELIVERY] = STATE(DELIVERY, WAITING),
};

/* For the test that holds each against its plan. */
const char *store_query_text(unsigned i)
{
    const unsigned per = FROM_END * 2, of_sources = (EVENT + 1) * per;
    const char *text;
    if (i < of_sources) {
        const struct source *from = &sources[i / per][i % per / 2];
        text = i % 2 ? from->down : from->up;
        return text ? text : "";
    }
    i -= of_sources;
    if (i >= 2 * (DELIVERY + 1))
        return NULL;
    text = dues[i / 2][i % 2];
    return text ? text : "";
}

/* --- Rows -------------------------------------------------------------------------------------------------------- */

union row {
    struct store_transmission t;
    struct store_document d;
    struct store_delivery v;
    struct store_event e;
};

static const char *const rows[] = {
    [TRANSMISSION] =
        "SELECT t.id, t.direction, t.state, p.name, t.name, t.way, t.format, t.payload, a.size, a.segment,"
        " a.archive, a.\"offset\", t.records, b.size, b.segment, b.archive, b.\"offset\", t.findings, c.size,"
        " c.segment, c.archive, c.\"offset\", t.source,"
        " t.device, t.inode,"
        " t.size, t.mtime, t.target, t.hidden, t.parent, t.same, t.replays, t.answers, t.passes, t.held, t.priority,"
        " t.documents, t.attempts, t.at, t.first, t.due, t.done, t.reason"
        " FROM transmission t LEFT JOIN partner p ON p.id = t.partner LEFT JOIN payload a ON a.hash = t.payload"
        " LEFT JOIN payload b ON b.hash = t.records LEFT JOIN payload c ON c.hash = t.findings WHERE t.id = ?1",
    [DOCUMENT] =
        "SELECT d.id, d.transmission, d.state, d.direction, p.name, d.ordinal, d.type, d.version, d.kind, d.sender,"
        " d.receiver, d.interchange, d.\"group\", d.control, d.test, d.number, d.release, d.purpose, d.key, d.content,"
        " d.record_at, d.record_size, d.same, d.made_of, d.delivery, d.answer, d.answered, d.passes, d.held, d.errors,"
        " d.warnings, d.within, d.due, d.at, d.done, d.reason"
        " FROM document d LEFT JOIN partner p ON p.id = d.partner WHERE d.id = ?1",
    [DELIVERY] =
        "SELECT v.id, v.state, p.name, v.document, v.transmission, v.route, v.kind, v.type, v.priority,"
        " v.passes, v.held, v.along,"
        " v.at, v.due, v.done, v.reason"
        " FROM delivery v LEFT JOIN partner p ON p.id = v.partner WHERE v.id = ?1",
    [EVENT] =
        "SELECT e.id, e.at, p.name, e.of_partner, e.what, e.who, e.transmission, e.document, e.delivery,"
        " e.words FROM event e LEFT JOIN partner p ON p.id = e.partner WHERE e.id = ?1",
};

static void get_transmission(struct sql *q, struct store_transmission *t)
{
    t->id = (store_id)sql_get(q);
    t->direction = (enum store_direction)sql_get(q);
    t->state = (enum transmission_state)sql_get(q);
    t->partner = sql_get_text(q);
    t->name = sql_get_text(q);
    t->way = sql_get_text(q);
    t->format = sql_get_text(q);
    sql_get_payload(q, &t->payload);
    sql_get_payload(q, &t->records);
    sql_get_payload(q, &t->findings);
    t->source.path = sql_get_text(q);
    t->source.device = (uint64_t)sql_get(q);
    t->source.inode = (uint64_t)sql_get(q);
    t->source.size = (uint64_t)sql_get(q);
    t->source.mtime = sql_get(q);
    t->target = sql_get_text(q);
    t->hidden = sql_get_text(q);
    t->parent = (store_id)sql_get(q);
    t->same = (store_id)sql_get(q);
    t->replays = (store_id)sql_get(q);
    t->answers = (store_id)sql_get(q);
    t->passes = (uint32_t)sql_get(q);
    t->held = (uint32_t)sql_get(q);
    t->priority = (unsigned)sql_get(q);
    t->documents = (uint32_t)sql_get(q);
    t->attempts = (unsigned)sql_get(q);
    t->at = sql_get(q);
    t->first = sql_get(q);
    t->due = sql_get(q);
    t->done = sql_get(q);
    t->reason = sql_get_text(q);
}

static void get_document(struct sql *q, struct store_document *d)
{
    d->id = (store_id)sql_get(q);
    d->transmission = (store_id)sql_get(q);
    d->state = (enum document_state)sql_get(q);
    d->direction = (enum store_direction)sql_get(q);
    d->partner = sql_get_text(q);
    d->ordinal = (uint32_t)sql_get(q);
    d->set = sql_get_text(q);
    d->version = sql_get_text(q);
    d->kind = sql_get_text(q);
    d->sender = sql_get_text(q);
    d->receiver = sql_get_text(q);
    d->interchange = sql_get_text(q);
    d->group = sql_get_text(q);
    d->control = sql_get_text(q);
    d->test = sql_get(q) != 0;
    d->number = sql_get_text(q);
    d->release = sql_get_text(q);
    d->purpose = sql_get_text(q);
    sql_get_blob(q, d->key, STORE_KEY);
    sql_get_blob(q, d->content, STORE_KEY);
    d->record_at = (uint64_t)sql_get(q);
    d->record_size = (uint64_t)sql_get(q);
    d->same = (store_id)sql_get(q);
    d->made_of = (store_id)sql_get(q);
    d->delivery = (store_id)sql_get(q);
    d->answer = (store_id)sql_get(q);
    d->answered = sql_get_text(q);
    d->passes = (uint32_t)sql_get(q);
    d->held = (uint32_t)sql_get(q);
    d->errors = (uint32_t)sql_get(q);
    d->warnings = (uint32_t)sql_get(q);
    d->within = sql_get(q);
    d->due = sql_get(q);
    d->at = sql_get(q);
    d->done = sql_get(q);
    d->reason = sql_get_text(q);
}

static void get_delivery(struct sql *q, struct store_delivery *v)
{
    v->id = (store_id)sql_get(q);
    v->state = (enum delivery_state)sql_get(q);
    v->partner = sql_get_text(q);
    v->document = (store_id)sql_get(q);
    v->transmission = (store_id)sql_get(q);
    v->route = sql_get_text(q);
    v->kind = sql_get_text(q);
    v->set = sql_get_text(q);
    v->priority = (unsigned)sql_get(q);
    v->passes = (uint32_t)sql_get(q);
    v->held = (uint32_t)sql_get(q);
    v->along = sql_get(q) != 0;
    v->at = sql_get(q);
    v->due = sql_get(q);
    v->done = sql_get(q);
    v->reason = sql_get_text(q);
}

static void get_event(struct sql *q, struct store_event *e)
{
    e->id = (store_id)sql_get(q);
    e->at = sql_get(q);
    e->partner = sql_get_text(q);
    e->of_partner = (uint64_t)sql_get(q);
    e->what = sql_get_text(q);
    e->who = sql_get_text(q);
    e->transmission = (store_id)sql_get(q);
    e->document = (store_id)sql_get(q);
    e->delivery = (store_id)sql_get(q);
    e->words = sql_get_text(q);
}

/* --- Conditions -------------------------------------------------------------------------------------------------- */

static bool in_time(const struct store_query *q, store_time at)
{
    return (!q->from || at >= q->from) && (!q->to || at < q->to);
}

static bool in_states(const struct store_query *q, unsigned state)
{
    return !q->states || (q->states & 1u << state);
}

static bool in_priorities(const struct store_query *q, unsigned priority)
{
    return !q->priorities || (priority < 32 && (q->priorities & 1u << priority));
}

static bool is(store_id wanted, store_id id)
{
    return !wanted || wanted == id;
}

static bool is_partner(const struct store_query *q, struct slice partner)
{
    return !q->partner.n || slice_eq(q->partner, partner);
}

static bool matches(const struct store_query *q, unsigned thing, const union row *r)
{
    const struct store_transmission *t = &r->t;
    const struct store_document *d = &r->d;
    const struct store_delivery *v = &r->v;
    const struct store_event *e = &r->e;

    switch (thing) {
    case TRANSMISSION:
        return in_states(q, t->state) && (!q->direction || t->direction == q->direction) && is_partner(q, t->partner) &&
               in_time(q, t->at) && in_priorities(q, t->priority) && (!q->due || t->due <= q->due) &&
               is(q->parent, t->parent) && is(q->replays, t->replays) && is(q->answers, t->answers) &&
               (!q->source || t->source.path.n) && (!q->delayed || (t->state == TRANSMISSION_MADE && t->attempts));
    case DOCUMENT:
        return in_states(q, d->state) && (!q->direction || d->direction == q->direction) && is_partner(q, d->partner) &&
               in_time(q, d->at) && (!q->due || (d->due && d->due <= q->due)) && is(q->transmission, d->transmission) &&
               is(q->made_of, d->made_of) && is(q->delivery, d->delivery);
    case DELIVERY:
        return in_states(q, v->state) && is_partner(q, v->partner) && in_time(q, v->at) &&
               in_priorities(q, v->priority) && (!q->due || v->due <= q->due) && is(q->transmission, v->transmission) &&
               is(q->document, v->document) && (!q->alone || (!v->transmission && !v->along));
    default:
        return is_partner(q, e->partner) && in_time(q, e->at) && is(q->transmission, e->transmission) &&
               is(q->document, e->document) && is(q->delivery, e->delivery);
    }
}

/* --- One row ----------------------------------------------------------------------------------------------------- */

typedef int row_function(void *ctx, const void *row);

struct asking {
    struct store *s;
    const struct store_query *q;
    unsigned thing;
    row_function *row;
    void *ctx;
    uint32_t left; /* rows that are still wanted */
    bool endless;  /* all of them are */
    struct err *err;
    struct buf text;            /* of the row that is shown */
};

/* 1: another one, please. */
static int show(struct asking *a, store_id id)
{
    union row row;
    struct sql *q = sql_begin(a->s, rows[a->thing], a->err);
    int r;

    if (!q)
        return not_begun(a->err);
    sql_id(q, id);
    r = sql_step(a->s, q, a->err);
    if (r > 0) {
        r = sql_keep(q, &a->text, a->err);
        if (r < 0) {
            sql_end(&q);
            return r;
        }
        if (a->thing == TRANSMISSION)
            get_transmission(q, &row.t);
        else if (a->thing == DOCUMENT)
            get_document(q, &row.d);
        else if (a->thing == DELIVERY)
            get_delivery(q, &row.v);
        else
            get_event(q, &row.e);
        r = matches(a->q, a->thing, &row);
    }
    sql_end(&q);
    if (r == 0)
        return 1; /* gone meanwhile, or not one of these */
    if (r > 0)
        r = a->row(a->ctx, &row);
    if (r < 0)
        return r;
    return !a->endless && --a->left == 0 ? 0 : 1;
}

/* --- By id ------------------------------------------------------------------------------------------------------- */

struct ids {
    enum from from;
    store_id what;   /* ?4, but for states */
    int64_t partner; /* ?5 */
    uint32_t states; /* 0: not by state */
    store_id low, high;
};

static uint32_t all_states(unsigned thing, enum store_direction direction)
{
    const uint32_t in = STATE(TRANSMISSION, ARRIVED) | STATE(TRANSMISSION, UNPACKED) | STATE(TRANSMISSION, TRANSLATED) |
                        STATE(TRANSMISSION, REPEATED);
    const uint32_t out = STATE(TRANSMISSION, MADE) | STATE(TRANSMISSION, LAID) | STATE(TRANSMISSION, SENT);
    const uint32_t ours = STATE(DOCUMENT, WRITTEN) | STATE(DOCUMENT, AWAITED) | STATE(DOCUMENT, OVERDUE) |
                          STATE(DOCUMENT, ACCEPTED) | STATE(DOCUMENT, REJECTED);
    switch (thing) {
    case TRANSMISSION:
        return ((1u << TRANSMISSION_STATE_END) - 2) & ~(direction == STORE_IN ? out : direction == STORE_OUT ? in : 0);
    case DOCUMENT:
        return direction == STORE_OUT ? ours | STATE(DOCUMENT, DEAD) | STATE(DOCUMENT, DROPPED)
                                      : ((1u << DOCUMENT_STATE_END) - 2) & ~(direction == STORE_IN ? ours : 0);
    case DELIVERY: return (1u << DELIVERY_STATE_END) - 2;
    default: return 0;
    }
}

static void choose(const struct store_query *q, unsigned thing, struct ids *ids)
{
    const store_id of[EVENT + 1][3] = {
        [TRANSMISSION] = { q->parent, q->replays, q->answers },
        [DOCUMENT] = { q->transmission, q->made_of, q->delivery },
        [DELIVERY] = { q->document, q->transmission, 0 },
        [EVENT] = { q->delivery, q->document, q->transmission },
    };
    for (unsigned i = 0; i < 3; i++)
        if (of[thing][i]) {
            ids->from = FROM_1 + i;
            ids->what = of[thing][i];
            return;
        }
    if (thing == TRANSMISSION && q->source) {
        ids->from = FROM_4;
        return;
    }
    if (thing == EVENT) {
        ids->from = q->partner.n ? FROM_PARTNER : FROM_ALL;
        return;
    }
    if (!q->partner.n && !q->states && !q->direction) {
        ids->from = FROM_ALL;
        return;
    }
    ids->from = q->partner.n ? FROM_PARTNER : FROM_STATE;
    ids->states = all_states(thing, q->direction) & (q->states ? q->states : UINT32_MAX);
    if (!ids->states)
        ids->high = 0; /* nothing can be in such a state */
}

static int by_number(const void *a, const void *b)
{
    store_id x = *(const store_id *)a, y = *(const store_id *)b;
    return (x > y) - (x < y);
}

/* Adds up to `most` ids of one state (or whatever ?4 is). */
static int some_ids(struct asking *a, const struct ids *ids, store_id what, unsigned most, store_id *id, unsigned *n,
                    struct err *err)
{
    const struct source *from = &sources[a->thing][ids->from];
    struct sql *q = sql_begin(a->s, a->q->newest ? from->down : from->up, err);
    unsigned got = 0;
    int r = 0;

    if (!q)
        return not_begun(err);
    sql_int(q, (int64_t)ids->low);
    sql_int(q, (int64_t)ids->high);
    sql_int(q, most);
    if (ids->what || ids->states)
        sql_id(q, what);
    if (ids->from == FROM_PARTNER) {
        if (a->thing == EVENT)
            q->at++;
        sql_int(q, ids->partner);
    }
    while (got < most && (r = sql_step(a->s, q, err)) > 0)
        id[(*n)++] = (store_id)sql_get(q), got++;
    sql_end(&q);
    return r < 0 ? r : 0;
}

/* The next page of ids, in order. */
static int page_of_ids(struct asking *a, const struct ids *ids, unsigned most, store_id *id, unsigned *n_r)
{
    unsigned n = 0;
    int r = 0;

    *n_r = 0;
    if (!ids->states)
        r = some_ids(a, ids, ids->what, most, id, &n, a->err);
    for (unsigned state = 1; state < MOST_STATES && r == 0; state++)
        if (ids->states & 1u << state)
            r = some_ids(a, ids, state, most, id, &n, a->err);
    if (r < 0)
        return r;
    if (ids->states) {
        qsort(id, n, sizeof(id[0]), by_number);
        for (unsigned i = 0; a->q->newest && i < n / 2; i++) {
            store_id x = id[i];
            id[i] = id[n - 1 - i];
            id[n - 1 - i] = x;
        }
    }
    *n_r = n < most ? n : most;
    return 0;
}

static int ask_by_id(struct asking *a, struct ids *ids)
{
    store_id id[MOST_STATES * PAGE];
    /* a short list needs no long page, at first */
    unsigned n, most = a->q->limit && a->q->limit < PAGE ? a->q->limit : PAGE;
    int r;

    do {
        r = page_of_ids(a, ids, most, id, &n);
        if (r < 0)
            return r;
        for (unsigned i = 0; i < n; i++) {
            r = show(a, id[i]);
            if (r <= 0)
                return r;
        }
        if (n < most)
            break;
        if (a->q->newest)
            ids->high = id[n - 1] - 1;
        else
            ids->low = id[n - 1] + 1;
        most = PAGE;
    } while (ids->low <= ids->high);
    return 0;
}

/* --- By what is due ---------------------------------------------------------------------------------------------- */

static int page_of_due(struct asking *a, int64_t partner, unsigned priority, int64_t last[2], store_id *id,
                       unsigned *n_r)
{
    bool of_partner = partner > 0 && dues[a->thing][1];
    struct sql *q = sql_begin(a->s, dues[a->thing][of_partner], a->err);
    int r = 0;

    *n_r = 0;
    if (!q)
        return not_begun(a->err);
    sql_int(q, priority);
    sql_int(q, a->q->due);
    sql_int(q, last[0]);
    sql_int(q, last[1]);
    sql_int(q, PAGE);
    if (of_partner)
        sql_int(q, partner);
    while (*n_r < PAGE && (r = sql_step(a->s, q, a->err)) > 0) {
        last[1] = sql_get(q);
        last[0] = sql_get(q);
        id[(*n_r)++] = (store_id)last[1];
    }
    sql_end(&q);
    return r < 0 ? r : 0;
}

static int ask_due(struct asking *a, int64_t partner)
{
    store_id id[PAGE];
    unsigned n;

    for (unsigned priority = 0; priority < 3; priority++) {
        int64_t last[2] = { INT64_MIN, 0 };
        if (a->thing != DOCUMENT && !in_priorities(a->q, priority))
            continue;
        do {
            int r = page_of_due(a, partner, priority, last, id, &n);
            for (unsigned i = 0; i < n && r >= 0; i++) {
                r = show(a, id[i]);
                if (r == 0)
                    return 0;
            }
            if (r < 0)
                return r;
        } while (n == PAGE);
    }
    return 0;
}

/* --- Questions --------------------------------------------------------------------------------------------------- */

static int ask_within(struct asking *a, struct ids *ids)
{
    const struct store_query *q = a->q;
    int r = 0;

    if (q->from || q->to)
        r = store_hours(a->s, a->thing, q->from, q->to, &ids->low, &ids->high, a->err);
    if (r < 0)
        return r;
    if (q->after && q->newest && q->after <= ids->high)
        ids->high = q->after - 1;
    else if (q->after && !q->newest && q->after >= ids->low)
        ids->low = q->after + 1;
    if (q->id) {
        r = q->id < ids->low || q->id > ids->high ? 0 : show(a, q->id);
        return r < 0 ? r : 0;
    }
    if (q->due && a->thing != EVENT && q->states && (q->states & ~due_states[a->thing]) == 0)
        return ask_due(a, ids->partner);
    choose(q, a->thing, ids);
    return ids->low <= ids->high ? ask_by_id(a, ids) : 0;
}

static void asking_init(struct asking *a, struct store *s, unsigned thing, const struct store_query *q,
                        row_function *row, void *ctx, struct err *err)
{
    *a = (struct asking){ s, q, thing, row, ctx, q->limit, q->limit == 0, err, { .n = 0 } };
    buf_init(&a->text, LIMIT_CONFIG_FILE);
}

static int ask(struct store *s, unsigned thing, const struct store_query *q, row_function *row, void *ctx,
               struct err *err)
{
    struct asking a;
    struct ids ids = { .low = 1, .high = INT64_MAX };
    int r = store_look_again(s, err);

    if (r == 0 && q->partner.n)
        r = store_partner(s, q->partner, false, &ids.partner, err);
    if (r < 0 || ids.partner < 0)
        return r;
    asking_init(&a, s, thing, q, row, ctx, err);
    r = ask_within(&a, &ids);
    buf_deinit(&a.text);
    return r;
}

struct transmissions {
    int (*row)(void *ctx, const struct store_transmission *t);
    void *ctx;
};
struct documents {
    int (*row)(void *ctx, const struct store_document *d);
    void *ctx;
};
struct deliveries {
    int (*row)(void *ctx, const struct store_delivery *v);
    void *ctx;
};
struct events {
    int (*row)(void *ctx, const struct store_event *e);
    void *ctx;
};

static int transmission_row(void *ctx, const void *row)
{
    struct transmissions *to = ctx;
    return to->row(to->ctx, row);
}

static int document_row(void *ctx, const void *row)
{
    struct documents *to = ctx;
    return to->row(to->ctx, row);
}

static int delivery_row(void *ctx, const void *row)
{
    struct deliveries *to = ctx;
    return to->row(to->ctx, row);
}

static int event_row(void *ctx, const void *row)
{
    struct events *to = ctx;
    return to->row(to->ctx, row);
}

int store_transmissions(struct store *s, const struct store_query *q,
                        int (*row)(void *ctx, const struct store_transmission *t), void *ctx, struct err *err)
{
    return ask(s, TRANSMISSION, q, transmission_row, &(struct transmissions){ row, ctx }, err);
}

int store_documents(struct store *s, const struct store_query *q, int (*row)(void *ctx, const struct store_document *d),
                    void *ctx, struct err *err)
{
    return ask(s, DOCUMENT, q, document_row, &(struct documents){ row, ctx }, err);
}

int store_deliveries(struct store *s, const struct store_query *q,
                     int (*row)(void *ctx, const struct store_delivery *d), void *ctx, struct err *err)
{
    return ask(s, DELIVERY, q, delivery_row, &(struct deliveries){ row, ctx }, err);
}

int store_events(struct store *s, const struct store_query *q, int (*row)(void *ctx, const struct store_event *e),
                 void *ctx, struct err *err)
{
    return ask(s, EVENT, q, event_row, &(struct events){ row, ctx }, err);
}

/* --- Finding ----------------------------------------------------------------------------------------------------- */

_Static_assert(TRANSMISSION_TRANSLATED == 3 && TRANSMISSION_HELD == 8 && STORE_IN == 1, "as below");
_Static_assert(DOCUMENT_RECORDED == 1 && DOCUMENT_HELD == 9 && STORE_OUT == 2, "as below");
static const char find_same[] =
    "SELECT id FROM transmission INDEXED BY transmission_same WHERE partner = ?1 AND payload = ?2"
    " AND direction = 1 AND replays IS NULL AND state IN (3, 8) AND id < ?3 ORDER BY id LIMIT 1";
static const char find_key[] =
    "SELECT id, state, content, transmission FROM document INDEXED BY document_key WHERE key = ?1"
    " AND key IS NOT NULL AND state IN (1, 9) AND transmission <> ?2 ORDER BY id DESC LIMIT 1";
_Static_assert(DOCUMENT_DROPPED == 11, "as below");
static const char find_dropped[] =
    "SELECT id, transmission FROM document INDEXED BY document_dropped WHERE key = ?1 AND key IS NOT NULL"
    " AND state = 11 AND content = ?2 AND id < ?3 ORDER BY id DESC LIMIT 1";
static const char find_in_group[] =
    "SELECT id, transmission, interchange, \"group\" FROM document INDEXED BY document_group WHERE direction ="
    " 2 AND partner = ?1"
    " AND \"group\" = ?3 AND control = ?5 AND (?2 IS NULL OR interchange = ?2) AND (?4 IS NULL OR type = ?4)"
    " ORDER BY id DESC LIMIT 1";
static const char find_in_interchange[] =
    "SELECT id, transmission, interchange, \"group\" FROM document INDEXED BY document_interchange WHERE direction = 2"
    " AND partner = ?1 AND interchange = ?2 AND control = ?5 AND ?3 IS NULL AND (?4 IS NULL OR type = ?4)"
    " ORDER BY id DESC LIMIT 1";
static const char find_group[] =
    "SELECT id, transmission, interchange, \"group\" FROM document INDEXED BY document_group WHERE direction ="
    " 2 AND partner = ?1"
    " AND \"group\" = ?3 AND (?2 IS NULL OR interchange = ?2) AND (?4 IS NULL OR type = ?4) ORDER BY id DESC LIMIT 1";
static const char find_interchange[] =
    "SELECT id, transmission, interchange, \"group\" FROM document INDEXED BY document_interchange WHERE direction = 2"
    " AND partner = ?1 AND interchange = ?2 AND ?3 IS NULL AND (?4 IS NULL OR type = ?4) ORDER BY id DESC LIMIT 1";
static const char find_rest[] =
    "SELECT id FROM document INDEXED BY document_transmission WHERE transmission = ?1 AND id > ?2"
    " AND (?3 IS NULL OR interchange = ?3) AND (?4 IS NULL OR \"group\" = ?4) AND (?5 IS NULL OR type = ?5)"
    " ORDER BY id LIMIT ?6";
static const char find_value[] =
    "SELECT n.document, n.field, f.kind, f.name FROM number n LEFT JOIN field f ON f.id = n.field"
    " WHERE n.value = ?1 AND (n.document, n.field) < (?2, ?3)"
    " ORDER BY n.document DESC, n.field DESC LIMIT ?4";

const char *store_find_text(unsigned i)
{
    static const char *const texts[] = { find_same,  find_key,         find_in_group, find_in_interchange,
                                         find_group, find_interchange, find_rest,     find_value, find_dropped };
    return i < sizeof(texts) / sizeof(texts[0]) ? texts[i] : NULL;
}

int store_find_same(struct store *s, struct slice partner, const uint8_t hash[OBJECT_HASH], store_id before,
                    store_id *id_r, struct err *err)
{
    int64_t id;
    struct sql *q;
    int r;

    *id_r = 0;
    r = store_partner(s, partner, false, &id, err);
    if (r < 0 || id < 0)
        return r;
    q = sql_begin(s, find_same, err);
    if (!q)
        return not_begun(err);
    sql_int(q, id);
    sql_blob(q, hash, OBJECT_HASH);
    sql_int(q, before ? (int64_t)before : INT64_MAX);
    r = sql_step(s, q, err);
    if (r > 0)
        *id_r = (store_id)sql_get(q);
    sql_end(&q);
    return r < 0 ? r : 0;
}

int store_find_key(struct store *s, const uint8_t key[STORE_KEY], store_id but, struct store_document *found_r,
                   struct err *err)
{
    struct sql *q = sql_begin(s, find_key, err);
    int r;

    memset(found_r, 0, sizeof(*found_r));
    if (!q)
        return not_begun(err);
    sql_blob(q, key, STORE_KEY);
    sql_int(q, (int64_t)but);
    r = sql_step(s, q, err);
    if (r > 0) {
        found_r->id = (store_id)sql_get(q);
        found_r->state = (enum document_state)sql_get(q);
        sql_get_blob(q, found_r->content, STORE_KEY);
        found_r->transmission = (store_id)sql_get(q);
    }
    sql_end(&q);
    return r < 0 ? r : 0;
}

int store_find_dropped(struct store *s, const uint8_t key[STORE_KEY], const uint8_t content[STORE_KEY],
                       store_id before, struct store_document *found_r, struct err *err)
{
    struct sql *q = sql_begin(s, find_dropped, err);
    int r;

    memset(found_r, 0, sizeof(*found_r));
    if (!q)
        return not_begun(err);
    sql_blob(q, key, STORE_KEY);
    sql_blob(q, content, STORE_KEY);
    sql_int(q, before ? (int64_t)before : INT64_MAX);
    r = sql_step(s, q, err);
    if (r > 0) {
        found_r->id = (store_id)sql_get(q);
        found_r->transmission = (store_id)sql_get(q);
    }
    sql_end(&q);
    return r < 0 ? r : 0;
}

/* The ids of all documents of `type` in the group, or interchange, that the given one stands in. */
static int show_rest(struct asking *a, store_id transmission, struct slice interchange, struct slice group,
                     struct slice type)
{
    store_id id[PAGE], last = 0;
    unsigned n;
    int r;

    do {
        struct sql *q = sql_begin(a->s, find_rest, a->err);
        if (!q)
            return not_begun(a->err);
        sql_id(q, transmission);
        sql_int(q, (int64_t)last);
        sql_text(q, interchange);
        sql_text(q, group);
        sql_text(q, type);
        sql_int(q, PAGE);
        for (n = 0; n < PAGE && (r = sql_step(a->s, q, a->err)) > 0; n++)
            id[n] = (store_id)sql_get(q);
        if (n == PAGE)
            r = 1;
        sql_end(&q);
        for (unsigned i = 0; i < n && r >= 0; i++)
            r = show(a, last = id[i]);
        if (r < 0)
            return r;
    } while (n == PAGE);
    return 0;
}

int store_find_sent(struct store *s, struct slice partner, struct slice interchange, struct slice group,
                    struct slice set, struct slice control, int (*row)(void *ctx, const struct store_document *d),
                    void *ctx, struct err *err)
{
    static const struct store_query any;
    struct documents to = { row, ctx };
    struct asking a;
    int64_t partner_id;
    store_id id = 0, transmission = 0;
    struct sql *q;
    int r;

    if (!interchange.n && !group.n)
        return 0;
    r = store_partner(s, partner, false, &partner_id, err);
    if (r < 0 || partner_id < 0)
        return r;
    q = sql_begin(s,
                  group.n     ? control.n ? find_in_group : find_group
                  : control.n ? find_in_interchange
                              : find_interchange,
                  err);
    if (!q)
        return not_begun(err);
    sql_int(q, partner_id);
    sql_text(q, interchange);
    sql_text(q, group);
    sql_text(q, set);
    if (control.n)
        sql_text(q, control);
    r = sql_step(s, q, err);
    if (r > 0) {
        id = (store_id)sql_get(q);
        transmission = (store_id)sql_get(q);
    }
    sql_end(&q);
    if (r <= 0)
        return r;
    asking_init(&a, s, DOCUMENT, &any, document_row, &to, err);
    r = control.n ? show(&a, id) : show_rest(&a, transmission, interchange, group, set);
    buf_deinit(&a.text);
    return r < 0 ? r : 0;
}

/* A page of documents with the number: those behind (document, field), which move on. More: there may be another. */
static int page_of_numbers(struct asking *a, struct slice kind, struct slice field, struct slice value,
                           int64_t behind[2], store_id *shown, store_id *id, unsigned *n_r, bool *more_r)
{
    struct sql *q = sql_begin(a->s, find_value, a->err);
    unsigned found = 0;
    int r = 0;

    *n_r = 0;
    if (!q)
        return not_begun(a->err);
    sql_empty(q, value);
    sql_int(q, behind[0]);
    sql_int(q, behind[1]);
    sql_int(q, PAGE);
    for (; found < PAGE && (r = sql_step(a->s, q, a->err)) > 0; found++) {
        struct slice of_kind, name;
        behind[0] = sql_get(q);
        behind[1] = sql_get(q);
        of_kind = sql_get_text(q);
        name = sql_get_text(q);
        if ((kind.n && !slice_eq(kind, of_kind)) || (field.n && !slice_eq(field, name)) ||
            (store_id)behind[0] == *shown)
            continue;
        id[(*n_r)++] = *shown = (store_id)behind[0];
    }
    sql_end(&q);
    *more_r = found == PAGE;
    return r < 0 ? r : 0;
}

int store_find_number(struct store *s, struct slice kind, struct slice field, struct slice value,
                      int (*row)(void *ctx, const struct store_document *d), void *ctx, struct err *err)
{
    static const struct store_query any;
    struct documents to = { row, ctx };
    struct asking a;
    store_id id[PAGE], shown = 0;
    int64_t behind[2] = { INT64_MAX, INT64_MAX };
    bool more = true;
    int r = store_look_again(s, err);

    asking_init(&a, s, DOCUMENT, &any, document_row, &to, err);
    while (r >= 0 && more) {
        unsigned n = 0;
        r = page_of_numbers(&a, kind, field, value, behind, &shown, id, &n, &more);
        for (unsigned i = 0; i < n && r >= 0; i++)
            r = show(&a, id[i]);
    }
    buf_deinit(&a.text);
    return r < 0 ? r : 0;
}
