/*
 * store_arrows: the verbs that make things and change their states, and draw(), the one place where a state changes:
 * it holds an arrow against the table of states.h, writes the state, the event and the counts. See store.h.
 *
 * A verb looks first and changes then. What it refuses by its first look leaves the batch as it was; any failure after
 * that spoils it (store_spoil).
 */
#include "spool/store_inside.h"

enum { PAGE = 64 }; /* deliveries that go along, at a time */

static const char *const thing_name[] = { "transmission", "document", "delivery" };

/* The end of a verb that has changed something. */
static int done(struct store *s, int r, struct err *err)
{
    return r < 0 ? store_spoil(s, r, err) : 0;
}

/* --- What it is about -------------------------------------------------------------------------------------------- */

int store_subject(struct store *s, enum thing thing, store_id id, struct subject *x_r, struct err *err)
{
    static const char *const texts[] = {
        "SELECT state, direction, partner, id, NULL, held FROM transmission WHERE id = ?1",
        "SELECT state, direction, partner, transmission, id, held FROM document WHERE id = ?1",
        "SELECT state, 0, partner, transmission, document, held FROM delivery WHERE id = ?1",
    };
    struct sql *q = sql_begin(s, texts[thing], err);
    int r;

    if (!q)
        return not_begun(err);
    sql_id(q, id);
    r = sql_step(s, q, err);
    *x_r = (struct subject){ .thing = thing, .id = id };
    if (r > 0) {
        x_r->state = (unsigned)sql_get(q);
        x_r->direction = (unsigned)sql_get(q);
        x_r->partner = sql_get(q);
        x_r->transmission = (store_id)sql_get(q);
        x_r->document = (store_id)sql_get(q);
        x_r->held = (uint32_t)sql_get(q);
    }
    sql_end(&q);
    if (r == 0)
        return err_set(err, ERR_MISSING, "there is no %s %llu", thing_name[thing], (unsigned long long)id);
    return r < 0 ? r : 0;
}

/* A batch, and the thing. */
static int look(struct store *s, enum thing thing, store_id id, struct subject *x_r, struct err *err)
{
    int r = store_in_batch(s, err);
    return r < 0 ? r : store_subject(s, thing, id, x_r, err);
}

/* Whether the table has this arrow. */
static int allowed(enum arrow a, const struct subject *x, unsigned to, struct err *err)
{
    const struct arrow_row *row = &arrows[a];
    if (row->thing == x->thing && (row->from & 1u << x->state) && (row->to & 1u << to))
        return 0;
    if (x->state == 0)
        return err_set(err, ERR_INTERNAL, "no %s begins as %s by %s", thing_name[x->thing], state_name(x->thing, to),
                       row->name);
    return err_set(err, ERR_INTERNAL, "%s %llu is %s: no arrow %s leads from there%s%s", thing_name[x->thing],
                   (unsigned long long)x->id, state_name(x->thing, x->state), row->name,
                   row->from & 1u << x->state ? " to " : "",
                   row->from & 1u << x->state ? state_name(x->thing, to) : "");
}

/* Arrows whose words are the reason for the new state. */
static bool gives_reason(enum arrow a)
{
    switch (a) {
    case TRANSMISSION_hold:
    case TRANSMISSION_bury:
    case TRANSMISSION_drop:
    case TRANSMISSION_retry:
    case DOCUMENT_hold:
    case DOCUMENT_bury:
    case DOCUMENT_drop:
    case DELIVERY_hold:
    case DELIVERY_bury:
    case DELIVERY_drop: return true;
    default: return false;
    }
}

static int write_state(struct store *s, const struct subject *x, unsigned to, struct slice reason, struct err *err)
{
    static const char *const texts[] = {
        "UPDATE transmission SET state = ?2, done = ?3, reason = ?4 WHERE id = ?1",
        "UPDATE document SET state = ?2, done = ?3, reason = ?4 WHERE id = ?1",
        "UPDATE delivery SET state = ?2, done = ?3, reason = ?4 WHERE id = ?1",
    };
    struct sql *q = sql_begin(s, texts[x->thing], err);
    if (!q)
        return not_begun(err);
    sql_id(q, x->id);
    sql_int(q, to);
    sql_int(q, s->moment);
    sql_text(q, reason);
    return sql_run(s, q, err);
}

/* Draws an arrow: the only way into a state. A new thing's row has been written, with that state in it. */
static int draw(struct store *s, enum arrow a, struct subject *x, unsigned to, struct slice words, struct err *err)
{
    static const enum store_counted counted[] = { COUNT_TRANSMISSION, COUNT_DOCUMENT, COUNT_DELIVERY };
    int r = allowed(a, x, to, err);

    if (r == 0 && x->state == 0)
        r = store_hour_add(s, x->thing, s->moment, x->id, err);
    else if (r == 0 && a != TRANSMISSION_clear)
        r = write_state(s, x, to, gives_reason(a) ? words : slice(NULL, 0), err);
    if (r == 0 && x->state != to) {
        if (x->state)
            r = store_count_add(s, counted[x->thing], x->partner, x->direction, x->state, -1, err);
        if (r == 0)
            r = store_count_add(s, counted[x->thing], x->partner, x->direction, to, 1, err);
    }
    x->state = to;
    if (r < 0)
        return r;
    return store_event(s,
                       &(struct store_words){ .partner = x->partner,
                                              .what = arrows[a].name,
                                              .words = words,
                                              .transmission = x->thing == TRANSMISSION ? x->id : x->transmission,
                                              .document = x->thing == DOCUMENT ? x->id : x->document,
                                              .delivery = x->thing == DELIVERY ? x->id : 0 },
                       err);
}

/* --- What goes along --------------------------------------------------------------------------------------------- */

static int set_held(struct store *s, const struct subject *x, uint32_t why, bool along, struct err *err)
{
    static const char *const texts[] = {
        "UPDATE transmission SET held = ?2 WHERE id = ?1",
        "UPDATE document SET held = ?2 WHERE id = ?1",
        "UPDATE delivery SET held = ?2, along = ?3 WHERE id = ?1",
    };
    struct sql *q = sql_begin(s, texts[x->thing], err);
    if (!q)
        return not_begun(err);
    sql_id(q, x->id);
    sql_int(q, why);
    if (x->thing == DELIVERY)
        sql_int(q, along);
    return sql_run(s, q, err);
}

static int set_passes(struct store *s, const struct subject *x, struct err *err)
{
    static const char *const texts[] = {
        "UPDATE transmission SET passes = passes | held, held = 0 WHERE id = ?1",
        "UPDATE document SET passes = passes | held, held = 0 WHERE id = ?1",
        "UPDATE delivery SET passes = passes | held, held = 0, along = 0 WHERE id = ?1",
    };
    struct sql *q = sql_begin(s, texts[x->thing], err);
    if (!q)
        return not_begun(err);
    sql_id(q, x->id);
    return sql_run(s, q, err);
}

_Static_assert(DOCUMENT_WRITTEN == 4 && DOCUMENT_AWAITED == 5 && DOCUMENT_DEAD == 10 && STORE_OUT == 2, "as below");
static const char documents_open[] = "SELECT id FROM document INDEXED BY document_transmission WHERE transmission = ?1"
                                     " AND id > ?2 AND direction = 2 AND state IN (4, 5) ORDER BY id LIMIT 64";
static const char documents_not_sent[] =
    "SELECT id FROM document INDEXED BY document_transmission WHERE transmission = ?1"
    " AND id > ?2 AND direction = 2 AND state IN (4, 5, 10) ORDER BY id LIMIT 64";
static const char documents_of_delivery[] = "SELECT id FROM document INDEXED BY document_delivery WHERE delivery = ?1"
                                            " AND id > ?2 AND state = 10 ORDER BY id LIMIT 64";

/* One document that goes along with the transmission, or delivery, that it leaves by. */
static int take_document(struct store *s, store_id id, enum arrow a, struct slice reason, struct err *err)
{
    struct subject x;
    int r = store_subject(s, DOCUMENT, id, &x, err);
    return r < 0 ? r : draw(s, a, &x, a == DOCUMENT_bury ? DOCUMENT_DEAD : DOCUMENT_DROPPED, reason, err);
}

/* One delivery that goes along with what it stands in, or with its document. */
static int take_along(struct store *s, store_id id, enum arrow a, uint32_t why, struct slice reason, struct err *err)
{
    struct subject x;
    int r = store_subject(s, DELIVERY, id, &x, err);
    if (r < 0)
        return r;
    switch (a) {
    case DELIVERY_hold:
        r = draw(s, a, &x, DELIVERY_HELD, reason, err);
        return r < 0 ? r : set_held(s, &x, why, true, err);
    case DELIVERY_release:
        r = draw(s, a, &x, x.transmission ? DELIVERY_MADE : DELIVERY_WAITING, reason, err);
        return r < 0 ? r : set_passes(s, &x, err);
    case DELIVERY_bury: return draw(s, a, &x, DELIVERY_DEAD, reason, err);
    case DELIVERY_drop: return draw(s, a, &x, DELIVERY_DROPPED, reason, err);
    default: return draw(s, a, &x, DELIVERY_DELIVERED, reason, err);
    }
}

/* All that `text` finds of what has the id `of`. */
static int along(struct store *s, const char *text, store_id of, enum arrow a, uint32_t why, struct slice reason,
                 struct err *err)
{
    store_id id[PAGE], last = 0;
    unsigned n;

    do {
        struct sql *q = sql_begin(s, text, err);
        int r;
        if (!q)
            return not_begun(err);
        sql_id(q, of);
        sql_int(q, (int64_t)last);
        for (n = 0; n < PAGE && (r = sql_step(s, q, err)) > 0; n++)
            id[n] = (store_id)sql_get(q);
        if (n == PAGE)
            r = 0;
        sql_end(&q);
        for (unsigned i = 0; i < n && r == 0; i++)
            r = arrows[a].thing == DOCUMENT ? take_document(s, id[i], a, reason, err)
                                            : take_along(s, id[i], a, why, reason, err);
        if (r < 0)
            return r;
        if (n)
            last = id[n - 1];
    } while (n == PAGE);
    return 0;
}

_Static_assert(DELIVERY_WAITING == 1 && DELIVERY_MADE == 2 && DELIVERY_HELD == 4 && DELIVERY_DEAD == 5, "as below");
static const char in_transmission_made[] = "SELECT id FROM delivery INDEXED BY delivery_transmission"
                                           " WHERE transmission = ?1 AND id > ?2 AND state = 2 ORDER BY id LIMIT 64";
static const char in_transmission_held[] = "SELECT id FROM delivery INDEXED BY delivery_transmission"
                                           " WHERE transmission = ?1 AND id > ?2 AND state = 4 ORDER BY id LIMIT 64";
static const char in_transmission_open[] =
    "SELECT id FROM delivery INDEXED BY delivery_transmission"
    " WHERE transmission = ?1 AND id > ?2 AND state IN (4, 5) ORDER BY id LIMIT 64";
static const char of_document_waiting[] = "SELECT id FROM delivery INDEXED BY delivery_document"
                                          " WHERE document = ?1 AND id > ?2 AND state = 1 ORDER BY id LIMIT 64";
static const char of_document_held[] =
    "SELECT id FROM delivery INDEXED BY delivery_document"
    " WHERE document = ?1 AND id > ?2 AND state = 4 AND along AND transmission IS NULL"
    " ORDER BY id LIMIT 64";
static const char of_document_open[] =
    "SELECT id FROM delivery INDEXED BY delivery_document"
    " WHERE document = ?1 AND id > ?2 AND (state = 5 OR state = 4 AND transmission IS NULL)"
    " ORDER BY id LIMIT 64";

/* --- Transmissions ----------------------------------------------------------------------------------------------- */

static void bind_hash(struct sql *q, const struct payload *p)
{
    if (p->size)
        sql_blob(q, p->hash, OBJECT_HASH);
    else
        sql_id(q, 0);
}

static int insert_transmission(struct store *s, const struct store_transmission *t, const struct subject *x,
                               unsigned to, store_id *id_r, struct err *err)
{
    static const char text[] =
        "INSERT INTO transmission (direction, state, partner, name, way, format, payload, source, device,"
        " inode, size, mtime,"
        " target, parent, replays, answers, passes, held, priority, documents, attempts, at, first, due, done)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, 0, ?18, 0, 0,"
        " ?19, 0, ?20, ?19)";
    bool in = x->direction == STORE_IN;
    struct sql *q = sql_begin(s, text, err);
    store_time now = s->moment;
    int r;

    if (!q)
        return not_begun(err);
    sql_int(q, x->direction);
    sql_int(q, to);
    sql_int(q, x->partner);
    sql_text(q, t->name);
    sql_text(q, t->way);
    sql_text(q, t->format);
    sql_blob(q, t->payload.hash, OBJECT_HASH);
    sql_path(q, in ? t->source.path : slice(NULL, 0));
    sql_id(q, t->source.device);
    sql_id(q, t->source.inode);
    sql_id(q, t->source.size);
    sql_id(q, (uint64_t)t->source.mtime);
    sql_path(q, in ? slice(NULL, 0) : t->target);
    sql_id(q, in ? t->parent : 0);
    sql_id(q, t->replays);
    sql_id(q, in ? 0 : t->answers);
    sql_int(q, t->passes);
    sql_int(q, t->priority);
    sql_int(q, now);
    sql_int(q, in ? 0 : t->due);
    r = sql_run(s, q, err);
    *id_r = (store_id)sqlite3_last_insert_rowid(s->db);
    return r < 0 ? r : store_payload_refer(s, &t->payload, now, err);
}

static int begin_transmission(struct store *s, const struct store_transmission *t, enum store_direction direction,
                              store_id *id_r, struct err *err)
{
    struct subject x = { .thing = TRANSMISSION, .direction = direction };
    unsigned to = direction == STORE_IN ? TRANSMISSION_ARRIVED : TRANSMISSION_MADE;
    enum arrow a = t->replays ? TRANSMISSION_replay : direction == STORE_IN ? TRANSMISSION_accept : TRANSMISSION_make;
    int r = store_in_batch(s, err);

    *id_r = 0;
    if (r == 0)
        r = allowed(a, &x, to, err);
    if (r < 0)
        return r;
    if (t->priority > 2)
        return err_set(err, ERR_INTERNAL, "there is no priority %u", t->priority);
    r = store_partner(s, t->partner, true, &x.partner, err);
    if (r == 0)
        r = insert_transmission(s, t, &x, to, &x.id, err);
    if (r == 0)
        r = draw(s, a, &x, to, t->name, err);
    if (r == 0)
        *id_r = x.id;
    return done(s, r, err);
}

int store_accept(struct store *s, const struct store_transmission *t, store_id *id_r, struct err *err)
{
    return begin_transmission(s, t, STORE_IN, id_r, err);
}

int store_make(struct store *s, const struct store_transmission *t, store_id *id_r, struct err *err)
{
    return begin_transmission(s, t, STORE_OUT, id_r, err);
}

/* An arrow of a transmission that is there. */
static int look_and_draw(struct store *s, enum arrow a, store_id id, unsigned to, struct slice words, struct err *err)
{
    struct subject x;
    int r = look(s, TRANSMISSION, id, &x, err);
    if (r == 0)
        r = allowed(a, &x, to, err);
    return r < 0 ? r : done(s, draw(s, a, &x, to, words, err), err);
}

int store_clear(struct store *s, store_id id, struct err *err)
{
    struct sql *q;
    int r = look_and_draw(s, TRANSMISSION_clear, id, TRANSMISSION_ARRIVED, slice(NULL, 0), err);
    if (r < 0)
        return r;
    q = sql_begin(s, "UPDATE transmission SET source = NULL WHERE id = ?1", err);
    if (!q)
        return done(s, not_begun(err), err);
    sql_id(q, id);
    return done(s, sql_run(s, q, err), err);
}

static int set_format(struct store *s, store_id id, struct slice format, uint32_t documents, store_id same,
                      struct err *err)
{
    struct sql *q = sql_begin(s, "UPDATE transmission SET format = ?2, documents = ?3, same = ?4 WHERE id = ?1", err);
    if (!q)
        return not_begun(err);
    sql_id(q, id);
    sql_text(q, format);
    sql_int(q, documents);
    sql_id(q, same);
    return sql_run(s, q, err);
}

int store_unpack(struct store *s, store_id id, struct slice format, uint32_t members, struct err *err)
{
    int r = look_and_draw(s, TRANSMISSION_unpack, id, TRANSMISSION_UNPACKED, format, err);
    return r < 0 ? r : done(s, set_format(s, id, format, members, 0, err), err);
}

int store_repeat(struct store *s, store_id id, struct slice format, store_id same, struct err *err)
{
    int r = look_and_draw(s, TRANSMISSION_repeat, id, TRANSMISSION_REPEATED, slice(NULL, 0), err);
    return r < 0 ? r : done(s, set_format(s, id, format, 0, same, err), err);
}

int store_translate(struct store *s, store_id id, const struct store_transmission *t, struct err *err)
{
    struct sql *q;
    int r = look_and_draw(s, TRANSMISSION_translate, id, TRANSMISSION_TRANSLATED, t->format, err);

    if (r < 0)
        return r;
    r = set_format(s, id, t->format, t->documents, 0, err);
    if (r == 0 && t->records.size)
        r = store_payload_refer(s, &t->records, s->moment, err);
    if (r == 0 && t->findings.size)
        r = store_payload_refer(s, &t->findings, s->moment, err);
    if (r < 0)
        return done(s, r, err);
    q = sql_begin(s, "UPDATE transmission SET records = ?2, findings = ?3 WHERE id = ?1", err);
    if (!q)
        return done(s, not_begun(err), err);
    sql_id(q, id);
    bind_hash(q, &t->records);
    bind_hash(q, &t->findings);
    return done(s, sql_run(s, q, err), err);
}

int store_lay(struct store *s, store_id id, struct slice hidden, struct slice name, struct err *err)
{
    struct sql *q;
    int r = look_and_draw(s, TRANSMISSION_lay, id, TRANSMISSION_LAID, name, err);
    if (r < 0)
        return r;
    q = sql_begin(s, "UPDATE transmission SET hidden = ?2, name = ?3 WHERE id = ?1", err);
    if (!q)
        return done(s, not_begun(err), err);
    sql_id(q, id);
    sql_path(q, hidden);
    sql_text(q, name);
    return done(s, sql_run(s, q, err), err);
}

/* An attempt has ended. */
static int attempted(struct store *s, store_id id, store_time due, struct err *err)
{
    struct sql *q = sql_begin(s,
                              "UPDATE transmission SET attempts = attempts + 1, first = iif(first, first, ?2),"
                              " due = ?3"
                              " WHERE id = ?1",
                              err);
    if (!q)
        return not_begun(err);
    sql_id(q, id);
    sql_int(q, s->moment);
    sql_int(q, due);
    return sql_run(s, q, err);
}

int store_place(struct store *s, store_id id, struct err *err)
{
    struct sql *q;
    int r = look_and_draw(s, TRANSMISSION_place, id, TRANSMISSION_SENT, slice(NULL, 0), err);

    if (r < 0)
        return r;
    r = attempted(s, id, 0, err);
    if (r == 0)
        r = along(s, in_transmission_made, id, DELIVERY_deliver, 0, slice(NULL, 0), err);
    if (r < 0)
        return done(s, r, err);
    _Static_assert(DOCUMENT_AWAITED == 5, "as below");
    /* by what it carries, not by what is awaited: that may be many */
    q = sql_begin(s,
                  "UPDATE document INDEXED BY document_transmission SET due = ?2 + within"
                  " WHERE transmission = ?1 AND state = 5",
                  err);
    if (!q)
        return done(s, not_begun(err), err);
    sql_id(q, id);
    sql_int(q, s->moment);
    return done(s, sql_run(s, q, err), err);
}

int store_retry(struct store *s, store_id id, store_time due, struct slice reason, struct err *err)
{
    int r = look_and_draw(s, TRANSMISSION_retry, id, TRANSMISSION_MADE, reason, err);
    return r < 0 ? r : done(s, attempted(s, id, due, err), err);
}

/* --- Of any thing ------------------------------------------------------------------------------------------------ */

/* A delivery that stands in a transmission, or is held with its document, is not decided on by itself. */
static int by_itself(struct store *s, enum arrow a, const struct subject *x, struct err *err)
{
    struct sql *q;
    int r;

    if (x->thing != DELIVERY || (a == DELIVERY_drop && x->state == DELIVERY_DEAD))
        return 0;
    if (x->transmission)
        return err_set(err, ERR_USAGE, "V%llu stands in T%llu, and shares what becomes of it",
                       (unsigned long long)x->id, (unsigned long long)x->transmission);
    if (a != DELIVERY_release)
        return 0;
    q = sql_begin(s, "SELECT along FROM delivery WHERE id = ?1", err);
    if (!q)
        return not_begun(err);
    sql_id(q, x->id);
    r = sql_step(s, q, err);
    if (r > 0 && sql_get(q))
        r = err_set(err, ERR_USAGE, "V%llu is held with D%llu, and is released with it", (unsigned long long)x->id,
                    (unsigned long long)x->document);
    sql_end(&q);
    return r < 0 ? r : 0;
}

/* What waited for somebody did not fail meanwhile: it has all of its time again, and goes at once. */
static int begin_anew(struct store *s, store_id transmission, struct err *err)
{
    struct sql *q = sql_begin(s, "UPDATE transmission SET attempts = 0, first = 0, due = ?2 WHERE id = ?1", err);
    if (!q)
        return not_begun(err);
    sql_id(q, transmission);
    sql_int(q, s->moment);
    return sql_run(s, q, err);
}

/* What goes along with an arrow that is drawn for a thing by itself: all that the text finds. */
static const struct companions {
    enum arrow with;
    const char *text;
    enum arrow arrow;
} companions[] = {
    { TRANSMISSION_hold, in_transmission_made, DELIVERY_hold },
    { DOCUMENT_hold, of_document_waiting, DELIVERY_hold },
    { TRANSMISSION_bury, in_transmission_made, DELIVERY_bury },
    { TRANSMISSION_bury, documents_open, DOCUMENT_bury },
    { TRANSMISSION_release, in_transmission_held, DELIVERY_release },
    { DOCUMENT_release, of_document_held, DELIVERY_release },
    { TRANSMISSION_drop, in_transmission_open, DELIVERY_drop },
    { TRANSMISSION_drop, documents_not_sent, DOCUMENT_drop },
    { DELIVERY_drop, documents_of_delivery, DOCUMENT_drop },
    { DOCUMENT_drop, of_document_open, DELIVERY_drop },
};

/* The state that an arrow leads to; from `held` to where it came from. */
static unsigned leads_to(enum arrow a, const struct subject *x)
{
    switch (a) {
    case TRANSMISSION_release: return x->direction == STORE_OUT ? TRANSMISSION_MADE : TRANSMISSION_ARRIVED;
    case DELIVERY_release: return DELIVERY_WAITING; /* one that stands in a transmission is released with it */
    default: return (unsigned)__builtin_ctz(arrows[a].to);
    }
}

/* What is written of a thing that is held, and of one that is released. */
static int write_hold(struct store *s, enum arrow a, const struct subject *x, uint32_t why, struct err *err)
{
    int r;

    switch (a) {
    case TRANSMISSION_hold:
    case DOCUMENT_hold:
    case DELIVERY_hold: return set_held(s, x, why, false, err);
    case TRANSMISSION_release:
        r = x->direction == STORE_OUT ? begin_anew(s, x->id, err) : 0;
        return r < 0 ? r : set_passes(s, x, err);
    case DOCUMENT_release:
    case DELIVERY_release: return set_passes(s, x, err);
    default: return 0;
    }
}

static int decide(struct store *s, enum arrow a, store_id id, uint32_t why, struct slice reason, struct err *err)
{
    struct subject x;
    unsigned to;
    int r = look(s, arrows[a].thing, id, &x, err);

    if (r < 0)
        return r;
    to = leads_to(a, &x);
    r = allowed(a, &x, to, err);
    if (r == 0)
        r = by_itself(s, a, &x, err);
    if (r < 0)
        return r;
    r = draw(s, a, &x, to, reason, err);
    if (r == 0)
        r = write_hold(s, a, &x, why, err);
    for (unsigned i = 0; r == 0 && i < sizeof(companions) / sizeof(companions[0]); i++)
        if (companions[i].with == a)
            r = along(s, companions[i].text, id, companions[i].arrow, why, reason, err);
    return done(s, r, err);
}

int store_hold(struct store *s, enum thing thing, store_id id, unsigned why, struct slice reason, struct err *err)
{
    static const enum arrow a[] = { TRANSMISSION_hold, DOCUMENT_hold, DELIVERY_hold };
    return decide(s, a[thing], id, why, reason, err);
}

int store_bury(struct store *s, enum thing thing, store_id id, struct slice reason, struct err *err)
{
    static const enum arrow a[] = { TRANSMISSION_bury, DOCUMENT_bury, DELIVERY_bury };
    return decide(s, a[thing], id, 0, reason, err);
}

int store_release(struct store *s, enum thing thing, store_id id, struct err *err)
{
    static const enum arrow a[] = { TRANSMISSION_release, DOCUMENT_release, DELIVERY_release };
    return decide(s, a[thing], id, 0, slice(NULL, 0), err);
}

int store_drop(struct store *s, enum thing thing, store_id id, struct slice reason, struct err *err)
{
    static const enum arrow a[] = { TRANSMISSION_drop, DOCUMENT_drop, DELIVERY_drop };
    return decide(s, a[thing], id, 0, reason, err);
}

int store_supersede(struct store *s, store_id document, struct slice words, struct err *err)
{
    struct sql *q;
    int r = store_drop(s, DOCUMENT, document, words, err);

    if (r < 0)
        return r;
    q = sql_begin(s, "UPDATE document SET key = NULL WHERE id = ?1", err);
    if (!q)
        return done(s, not_begun(err), err);
    sql_id(q, document);
    return done(s, sql_run(s, q, err), err);
}

/* --- Documents --------------------------------------------------------------------------------------------------- */

static enum arrow begins_as(enum document_state state)
{
    switch (state) {
    case DOCUMENT_RECORDED: return DOCUMENT_record;
    case DOCUMENT_REFUSED: return DOCUMENT_refuse;
    case DOCUMENT_REPEATED: return DOCUMENT_recognise;
    case DOCUMENT_HELD: return DOCUMENT_withhold;
    case DOCUMENT_DEAD: return DOCUMENT_strand;
    default: return DOCUMENT_write; /* the table refuses all but written and awaited */
    }
}

static void bind_key(struct sql *q, const uint8_t key[STORE_KEY])
{
    static const uint8_t none[STORE_KEY];
    if (memcmp(key, none, STORE_KEY) == 0)
        sql_id(q, 0);
    else
        sql_blob(q, key, STORE_KEY);
}

static int insert_document(struct store *s, const struct store_document *d, const struct subject *t, store_id *id_r,
                           struct err *err)
{
    static const char text[] =
        "INSERT INTO document (transmission, state, direction, partner, ordinal, type, version, kind, sender,"
        " receiver,"
        " interchange, \"group\", control, test, number, release, purpose, key, content, record_at,"
        " record_size, same, made_of,"
        " delivery, passes, held, errors, warnings, within, at, done, reason)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,"
        " ?21, ?22, ?23,"
        " ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?30, ?31)";
    struct sql *q = sql_begin(s, text, err);
    int r;

    if (!q)
        return not_begun(err);
    sql_id(q, t->id);
    sql_int(q, d->state);
    sql_int(q, t->direction);
    sql_int(q, t->partner);
    sql_int(q, d->ordinal);
    sql_text(q, d->set);
    sql_text(q, d->version);
    sql_text(q, d->kind);
    sql_text(q, d->sender);
    sql_text(q, d->receiver);
    sql_text(q, d->interchange);
    sql_text(q, d->group);
    sql_text(q, d->control);
    sql_int(q, d->test);
    sql_text(q, d->number);
    sql_text(q, d->release);
    sql_text(q, d->purpose);
    bind_key(q, d->key);
    bind_key(q, d->content);
    sql_int(q, (int64_t)d->record_at);
    sql_int(q, (int64_t)d->record_size);
    sql_id(q, d->same);
    sql_id(q, d->made_of);
    sql_id(q, d->delivery);
    sql_int(q, d->passes);
    sql_int(q, d->state == DOCUMENT_HELD ? d->held : 0);
    sql_int(q, d->errors);
    sql_int(q, d->warnings);
    sql_int(q, d->within);
    sql_int(q, s->moment);
    sql_text(q, d->reason);
    r = sql_run(s, q, err);
    *id_r = (store_id)sqlite3_last_insert_rowid(s->db);
    return r;
}

static int one_document_more(struct store *s, store_id transmission, struct err *err)
{
    struct sql *q = sql_begin(s, "UPDATE transmission SET documents = documents + 1 WHERE id = ?1", err);
    if (!q)
        return not_begun(err);
    sql_id(q, transmission);
    return sql_run(s, q, err);
}

int store_document(struct store *s, const struct store_document *d, store_id *id_r, struct err *err)
{
    enum arrow a = begins_as(d->state);
    struct subject t, x = { .thing = DOCUMENT };
    int r = look(s, TRANSMISSION, d->transmission, &t, err);

    *id_r = 0;
    if (r == 0)
        r = allowed(a, &x, d->state, err);
    if (r < 0)
        return r;
    if ((t.direction == STORE_OUT) != (a == DOCUMENT_write))
        return err_set(err, ERR_INTERNAL, "no document that %s begins as %s",
                       t.direction == STORE_OUT ? "leaves" : "arrived", state_name(DOCUMENT, d->state));
    x.direction = t.direction;
    x.partner = t.partner;
    x.transmission = t.id;
    r = insert_document(s, d, &t, &x.id, err);
    if (r == 0 && t.direction == STORE_OUT)
        r = one_document_more(s, t.id, err);
    if (r == 0)
        r = draw(s, a, &x, d->state, d->reason.n ? d->reason : d->number, err);
    if (r == 0)
        *id_r = x.id;
    return done(s, r, err);
}

int store_replay(struct store *s, store_id document, struct err *err)
{
    struct subject x;
    int r = look(s, DOCUMENT, document, &x, err);

    if (r == 0)
        r = allowed(DOCUMENT_replay, &x, DOCUMENT_RECORDED, err);
    if (r == 0 && x.direction != STORE_IN)
        r = err_set(err, ERR_USAGE, "D%llu is one that leaves", (unsigned long long)document);
    return r < 0 ? r : done(s, draw(s, DOCUMENT_replay, &x, DOCUMENT_RECORDED, slice(NULL, 0), err), err);
}

int store_answer(struct store *s, store_id document, bool accepted, store_id answer, struct slice words,
                 struct err *err)
{
    enum arrow a = accepted ? DOCUMENT_accepted : DOCUMENT_rejected;
    unsigned to = accepted ? DOCUMENT_ACCEPTED : DOCUMENT_REJECTED;
    struct subject x;
    struct sql *q;
    int r = look(s, DOCUMENT, document, &x, err);

    if (r == 0)
        r = allowed(a, &x, to, err);
    if (r < 0)
        return r;
    r = draw(s, a, &x, to, words, err);
    if (r < 0)
        return done(s, r, err);
    q = sql_begin(s, "UPDATE document SET answer = ?2, answered = ?3 WHERE id = ?1", err);
    if (!q)
        return done(s, not_begun(err), err);
    sql_id(q, document);
    sql_id(q, answer);
    sql_text(q, words);
    return done(s, sql_run(s, q, err), err);
}

int store_overdue(struct store *s, uint32_t *n_r, struct err *err)
{
    store_id id[PAGE];
    unsigned n;
    int r = store_in_batch(s, err);

    *n_r = 0;
    if (r < 0)
        return r;
    do {
        struct sql *q = sql_begin(s,
                                  "SELECT id FROM document INDEXED BY document_due"
                                  " WHERE state = 5 AND due IS NOT NULL AND due <= ?1 ORDER BY due LIMIT 64",
                                  err);
        if (!q)
            return done(s, not_begun(err), err);
        sql_int(q, s->moment);
        for (n = 0; n < PAGE && (r = sql_step(s, q, err)) > 0; n++)
            id[n] = (store_id)sql_get(q);
        sql_end(&q);
        for (unsigned i = 0; i < n && r >= 0; i++) {
            struct subject x;
            r = store_subject(s, DOCUMENT, id[i], &x, err);
            if (r == 0)
                r = draw(s, DOCUMENT_overdue, &x, DOCUMENT_OVERDUE, slice(NULL, 0), err);
            *n_r += r == 0;
        }
    } while (r >= 0 && n == PAGE);
    return done(s, r, err);
}

/* --- Deliveries -------------------------------------------------------------------------------------------------- */

static int insert_delivery(struct store *s, const struct store_delivery *d, const struct subject *x, unsigned to,
                           store_id *id_r, struct err *err)
{
    struct sql *q =
        sql_begin(s,
                  "INSERT INTO delivery (state, partner, document, transmission, route, kind, type, priority, passes,"
                  " held, at, due, done) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?11, ?10)",
                  err);
    int r;
    if (!q)
        return not_begun(err);
    sql_int(q, to);
    sql_int(q, x->partner);
    sql_id(q, d->document);
    sql_id(q, d->transmission);
    sql_text(q, d->route);
    sql_text(q, d->kind);
    sql_text(q, d->set);
    sql_int(q, d->priority);
    sql_int(q, d->passes);
    sql_int(q, s->moment);
    sql_int(q, d->due);
    r = sql_run(s, q, err);
    *id_r = (store_id)sqlite3_last_insert_rowid(s->db);
    return r;
}

/* The transmission that is to carry a delivery: it is made. */
static int look_at_carrier(struct store *s, store_id transmission, struct err *err)
{
    struct subject t;
    int r = store_subject(s, TRANSMISSION, transmission, &t, err);
    if (r == 0 && t.state != TRANSMISSION_MADE)
        r = err_set(err, ERR_INTERNAL, "transmission %llu is %s: it takes no delivery",
                    (unsigned long long)transmission, state_name(TRANSMISSION, t.state));
    return r;
}

int store_route(struct store *s, const struct store_delivery *d, store_id *id_r, struct err *err)
{
    struct subject x = { .thing = DELIVERY, .transmission = d->transmission, .document = d->document };
    unsigned to = d->transmission ? DELIVERY_MADE : DELIVERY_WAITING;
    int r = store_in_batch(s, err);

    *id_r = 0;
    if (r == 0)
        r = allowed(DELIVERY_route, &x, to, err);
    if (r == 0 && d->transmission)
        r = look_at_carrier(s, d->transmission, err);
    if (r < 0)
        return r;
    if (d->priority > 2)
        return err_set(err, ERR_INTERNAL, "there is no priority %u", d->priority);
    r = store_partner(s, d->partner, true, &x.partner, err);
    if (r == 0)
        r = insert_delivery(s, d, &x, to, &x.id, err);
    if (r == 0)
        r = draw(s, DELIVERY_route, &x, to, d->route, err);
    if (r == 0)
        *id_r = x.id;
    return done(s, r, err);
}

int store_make_delivery(struct store *s, store_id id, store_id transmission, struct err *err)
{
    struct subject x;
    struct sql *q;
    int r = look(s, DELIVERY, id, &x, err);

    if (r == 0)
        r = allowed(DELIVERY_make, &x, DELIVERY_MADE, err);
    if (r == 0)
        r = look_at_carrier(s, transmission, err);
    if (r < 0)
        return r;
    x.transmission = transmission;
    r = draw(s, DELIVERY_make, &x, DELIVERY_MADE, slice(NULL, 0), err);
    if (r < 0)
        return done(s, r, err);
    q = sql_begin(s, "UPDATE delivery SET transmission = ?2 WHERE id = ?1", err);
    if (!q)
        return done(s, not_begun(err), err);
    sql_id(q, id);
    sql_id(q, transmission);
    return done(s, sql_run(s, q, err), err);
}
