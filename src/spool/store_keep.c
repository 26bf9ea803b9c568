/*
 * store_keep: what the ledger keeps beside things and their states: partners, events, counts, hours, payloads, numbers,
 * envelopes, files at the door. See store.h and store_inside.h.
 */
#include "base/buf.h"
#include "base/limits.h"
#include "spool/store_inside.h"

enum { HOUR = 3600 * 1000 };

/* --- Partners and events ----------------------------------------------------------------------------------------- */

int store_partner(struct store *s, struct slice name, bool make, int64_t *id_r, struct err *err)
{
    struct sql *q;
    int r;

    *id_r = 0;
    if (name.n == 0)
        return 0;
    q = sql_begin(s, "SELECT id FROM partner WHERE name = ?1", err);
    if (!q)
        return not_begun(err);
    sql_text(q, name);
    r = sql_step(s, q, err);
    *id_r = r > 0 ? sql_get(q) : -1;
    sql_end(&q);
    if (r != 0 || !make)
        return r < 0 ? r : 0;
    q = sql_begin(s, "INSERT INTO partner (name) VALUES (?1)", err);
    if (!q)
        return not_begun(err);
    sql_text(q, name);
    r = sql_run(s, q, err);
    *id_r = sqlite3_last_insert_rowid(s->db);
    return r;
}

static int write_told(struct store *s, struct err *err)
{
    struct gathered *g = &s->gathered;

    for (unsigned i = 0; i < g->n_told; i++) {
        struct sql *q;
        int r;
        if (!g->told[i].changed)
            continue;
        q = sql_begin(s, "UPDATE partner SET events = ?2 WHERE id = ?1", err);
        if (!q)
            return not_begun(err);
        sql_int(q, g->told[i].partner);
        sql_int(q, g->told[i].last);
        r = sql_run(s, q, err);
        if (r < 0)
            return r;
    }
    g->n_told = 0;
    return 0;
}

/* The next running number among a partner's events. */
static int next_told(struct store *s, int64_t partner, int64_t *number_r, struct err *err)
{
    struct gathered *g = &s->gathered;
    unsigned i = 0;
    int r;

    while (i < g->n_told && g->told[i].partner != partner)
        i++;
    if (i == g->n_told) {
        struct sql *q;
        if (i == TOLD) {
            r = write_told(s, err);
            if (r < 0)
                return r;
            i = 0;
        }
        q = sql_begin(s, "SELECT events FROM partner WHERE id = ?1", err);
        if (!q)
            return not_begun(err);
        sql_int(q, partner);
        r = sql_step(s, q, err);
        g->told[i] = (struct told){ .partner = partner, .last = r > 0 ? sql_get(q) : 0 };
        sql_end(&q);
        if (r < 0)
            return r;
        g->n_told = i + 1;
    }
    g->told[i].changed = true;
    *number_r = ++g->told[i].last;
    return 0;
}

int store_event(struct store *s, const struct store_words *e, struct err *err)
{
    int64_t of_partner;
    struct sql *q;
    int r = next_told(s, e->partner, &of_partner, err);

    if (r < 0)
        return r;
    q = sql_begin(s,
                  "INSERT INTO event (at, partner, of_partner, what, who, transmission, document, delivery, words)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                  err);
    if (!q)
        return not_begun(err);
    sql_int(q, s->moment);
    sql_int(q, e->partner);
    sql_int(q, of_partner);
    sql_text(q, slice_of(e->what));
    sql_text(q, slice_of(s->who));
    sql_id(q, e->transmission);
    sql_id(q, e->document);
    sql_id(q, e->delivery);
    sql_text(q, e->words);
    r = sql_run(s, q, err);
    return r < 0 ? r : store_hour_add(s, EVENT, s->moment, (store_id)sqlite3_last_insert_rowid(s->db), err);
}

int store_say(struct store *s, struct slice partner, struct slice what, struct slice words, struct err *err)
{
    char name[64];
    struct store_words e = { .what = name, .words = words };
    int r = store_in_batch(s, err);

    if (r < 0)
        return r;
    if (what.n == 0 || what.n >= sizeof(name))
        return err_set(err, ERR_INTERNAL, "%s: no name for an event", s->path);
    memcpy(name, what.p, what.n);
    name[what.n] = 0;
    r = store_partner(s, partner, true, &e.partner, err);
    if (r == 0)
        r = store_event(s, &e, err);
    return r < 0 ? store_spoil(s, r, err) : 0;
}

int store_breaker_set(struct store *s, struct slice partner, const struct store_breaker *b, struct err *err)
{
    int64_t id;
    struct sql *q;
    int r = store_in_batch(s, err);

    if (r < 0)
        return r;
    r = store_partner(s, partner, true, &id, err);
    if (r < 0)
        return store_spoil(s, r, err);
    q = sql_begin(s, "UPDATE partner SET failures = ?2, until = ?3, reason = ?4 WHERE id = ?1", err);
    if (!q)
        return store_spoil(s, not_begun(err), err);
    sql_int(q, id);
    sql_int(q, b->failures);
    sql_int(q, b->until);
    sql_text(q, b->reason);
    r = sql_run(s, q, err);
    return r < 0 ? store_spoil(s, r, err) : 0;
}

/* --- Counts and hours -------------------------------------------------------------------------------------------- */

static int write_count(struct store *s, const struct pending *p, int64_t partner, struct err *err)
{
    struct sql *q = sql_begin(s,
                              "INSERT INTO count (partner, what, direction, state, n) VALUES (?1, ?2, ?3, ?4, ?5)"
                              " ON CONFLICT DO UPDATE SET n = n + excluded.n",
                              err);
    if (!q)
        return not_begun(err);
    sql_int(q, partner);
    sql_int(q, p->what);
    sql_int(q, p->direction);
    sql_int(q, p->state);
    sql_int(q, p->n);
    return sql_run(s, q, err);
}

static int write_segment(struct store *s, const struct pending *p, struct err *err)
{
    struct sql *q = sql_begin(s,
                              "INSERT INTO segment (number, payloads) VALUES (?1, ?2)"
                              " ON CONFLICT DO UPDATE SET payloads = payloads + excluded.payloads",
                              err);
    if (!q)
        return not_begun(err);
    sql_int(q, p->of);
    sql_int(q, p->n);
    return sql_run(s, q, err);
}

static int write_pending(struct store *s, struct err *err)
{
    struct gathered *g = &s->gathered;

    for (unsigned i = 0; i < g->n_pending; i++) {
        const struct pending *p = &g->pending[i];
        int r = 0;
        if (p->n == 0)
            continue;
        r = p->what == COUNT_SEGMENT ? write_segment(s, p, err) : write_count(s, p, p->of, err);
        if (r == 0 && p->what != COUNT_SEGMENT && p->of)
            r = write_count(s, p, 0, err);
        if (r < 0)
            return r;
    }
    g->n_pending = 0;
    return 0;
}

int store_count_add(struct store *s, enum store_counted what, int64_t of, unsigned direction, unsigned state,
                    int64_t n, struct err *err)
{
    struct gathered *g = &s->gathered;
    struct pending *p = g->pending;
    unsigned i = 0;

    while (i < g->n_pending &&
           (p[i].of != of || p[i].what != what || p[i].direction != direction || p[i].state != state))
        i++;
    if (i == g->n_pending) {
        if (i == PENDING) {
            int r = write_pending(s, err);
            if (r < 0)
                return r;
            i = 0;
        }
        p[i] = (struct pending){ of, 0, (uint8_t)what, (uint8_t)direction, (uint8_t)state };
        g->n_pending = i + 1;
    }
    p[i].n += n;
    return 0;
}

static int write_hour(struct store *s, unsigned thing, struct err *err)
{
    struct hour *h = &s->gathered.hour[thing];
    struct sql *q;

    if (!h->first)
        return 0;
    q = sql_begin(s,
                  "INSERT INTO hour (thing, hour, first, last) VALUES (?1, ?2, ?3, ?4)"
                  " ON CONFLICT DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last)",
                  err);
    if (!q)
        return not_begun(err);
    sql_int(q, thing);
    sql_int(q, h->hour);
    sql_id(q, h->first);
    sql_id(q, h->last);
    h->first = 0;
    return sql_run(s, q, err);
}

static int64_t hour_of(store_time at)
{
    return at >= 0 ? at / HOUR : (at + 1) / HOUR - 1;
}

int store_hour_add(struct store *s, unsigned thing, store_time at, store_id id, struct err *err)
{
    struct hour *h = &s->gathered.hour[thing];
    if (h->first && h->hour != hour_of(at)) {
        int r = write_hour(s, thing, err);
        if (r < 0)
            return r;
    }
    if (!h->first)
        h->first = id;
    h->hour = hour_of(at);
    h->last = id;
    return 0;
}

int store_flush(struct store *s, struct err *err)
{
    int r = write_pending(s, err);
    if (r == 0)
        r = write_told(s, err);
    for (unsigned i = 0; i <= EVENT && r == 0; i++)
        r = write_hour(s, i, err);
    return r;
}

int store_hours(struct store *s, unsigned thing, store_time from, store_time to, store_id *low_r, store_id *high_r,
                struct err *err)
{
    struct sql *q;
    int r = s->batch ? store_flush(s, err) : 0;

    *low_r = 1, *high_r = 0;
    if (r < 0)
        return store_spoil(s, r, err);
    q = sql_begin(s, "SELECT min(first), max(last) FROM hour WHERE thing = ?1 AND hour BETWEEN ?2 AND ?3", err);
    if (!q)
        return not_begun(err);
    sql_int(q, thing);
    sql_int(q, from ? hour_of(from) : INT64_MIN);
    sql_int(q, to ? hour_of(to) : INT64_MAX);
    r = sql_step(s, q, err);
    if (r > 0) {
        store_id low = (store_id)sql_get(q), high = (store_id)sql_get(q);
        if (low)
            *low_r = low, *high_r = high;
    }
    sql_end(&q);
    return r < 0 ? r : 0;
}

int store_count(struct store *s, struct slice partner, struct store_counts *counts_r, struct err *err)
{
    int64_t id;
    struct sql *q;
    int r = s->batch ? store_flush(s, err) : 0;

    memset(counts_r, 0, sizeof(*counts_r));
    if (r < 0)
        return store_spoil(s, r, err);
    r = store_partner(s, partner, false, &id, err);
    if (r < 0 || id < 0)
        return r;
    q = sql_begin(s, "SELECT what, direction, state, n FROM count WHERE partner = ?1", err);
    if (!q)
        return not_begun(err);
    sql_int(q, id);
    while ((r = sql_step(s, q, err)) > 0) {
        int64_t what = sql_get(q), direction = sql_get(q), state = sql_get(q);
        uint64_t n = (uint64_t)sql_get(q);
        bool known = direction >= 0 && direction <= STORE_OUT && state >= 0;
        if (what == COUNT_TRANSMISSION && known && direction && state < TRANSMISSION_STATE_END)
            counts_r->transmission[direction - 1][state] = n;
        else if (what == COUNT_DOCUMENT && known && direction && state < DOCUMENT_STATE_END)
            counts_r->document[direction - 1][state] = n;
        else if (what == COUNT_DELIVERY && known && state < DELIVERY_STATE_END)
            counts_r->delivery[state] = n;
        else if (what == COUNT_PAYLOADS)
            counts_r->payloads = n;
        else if (what == COUNT_BYTES)
            counts_r->bytes = n;
        else if (what == COUNT_ARCHIVED)
            counts_r->archived = n;
        else if (what == COUNT_ARCHIVED_BYTES)
            counts_r->archived_bytes = n;
    }
    sql_end(&q);
    return r;
}

static int count_one(struct store *s, const char *text, int64_t partner, unsigned state, uint64_t *n_r, struct err *err)
{
    struct sql *q = sql_begin(s, text, err);
    int r;

    if (!q)
        return not_begun(err);
    sql_id(q, (uint64_t)partner);
    sql_int(q, state);
    r = sql_step(s, q, err);
    *n_r = r > 0 ? (uint64_t)sql_get(q) : 0;
    sql_end(&q);
    return r < 0 ? r : 0;
}

int store_trouble(struct store *s, struct slice partner, struct store_trouble *trouble_r, struct err *err)
{
    static const char delayed[] = "SELECT count(*) FROM transmission INDEXED BY transmission_state"
                                  " WHERE (?1 IS NULL OR partner = ?1) AND state = ?2 AND attempts > 0";
    static const char alone[] = "SELECT count(*) FROM delivery INDEXED BY delivery_state WHERE (?1 IS NULL OR"
                                " partner = ?1) AND state = ?2 AND transmission IS NULL AND along = 0";
    struct store_counts n;
    uint64_t dead = 0, held = 0;
    int64_t id;
    int r = store_count(s, partner, &n, err);

    memset(trouble_r, 0, sizeof(*trouble_r));
    if (r == 0)
        r = store_partner(s, partner, false, &id, err);
    if (r < 0 || id < 0)
        return r;
    r = count_one(s, delayed, id, TRANSMISSION_MADE, &trouble_r->delayed, err);
    if (r == 0 && n.delivery[DELIVERY_DEAD])
        r = count_one(s, alone, id, DELIVERY_DEAD, &dead, err);
    if (r == 0 && n.delivery[DELIVERY_HELD])
        r = count_one(s, alone, id, DELIVERY_HELD, &held, err);
    trouble_r->dead = n.transmission[0][TRANSMISSION_DEAD] + n.transmission[1][TRANSMISSION_DEAD] +
                      n.document[0][DOCUMENT_DEAD] + dead;
    trouble_r->held = n.transmission[0][TRANSMISSION_HELD] + n.transmission[1][TRANSMISSION_HELD] +
                      n.document[0][DOCUMENT_HELD] + held;
    trouble_r->refused = n.document[0][DOCUMENT_REFUSED];
    trouble_r->rejected = n.document[1][DOCUMENT_REJECTED];
    trouble_r->overdue = n.document[1][DOCUMENT_OVERDUE];
    return r;
}

/* --- Payloads ---------------------------------------------------------------------------------------------------- */

int store_payload_count(struct store *s, const struct payload *p, int64_t n, struct err *err)
{
    enum store_counted payloads = p->archive ? COUNT_ARCHIVED : COUNT_PAYLOADS;
    enum store_counted bytes = p->archive ? COUNT_ARCHIVED_BYTES : COUNT_BYTES;
    int r = p->segment ? store_count_add(s, COUNT_SEGMENT, p->segment, 0, 0, n, err) : 0;
    if (r == 0)
        r = store_count_add(s, payloads, 0, 0, 0, n, err);
    if (r == 0)
        r = store_count_add(s, bytes, 0, 0, 0, n * (int64_t)p->size, err);
    return r;
}

int store_payload_refer(struct store *s, const struct payload *p, store_time at, struct err *err)
{
    /* most are new */
    struct sql *q = sql_begin(s,
                              "INSERT OR IGNORE INTO payload (hash, size, segment, \"offset\", refs, at)"
                              " VALUES (?1, ?2, ?3, ?4, 1, ?5)",
                              err);
    int r;

    if (!q)
        return not_begun(err);
    sql_blob(q, p->hash, OBJECT_HASH);
    sql_int(q, (int64_t)p->size);
    sql_int(q, p->segment);
    sql_int(q, (int64_t)p->offset);
    sql_int(q, at);
    r = sql_run(s, q, err);
    if (r < 0)
        return r;
    if (sqlite3_changes(s->db) > 0)
        return store_payload_count(s, p, 1, err);
    q = sql_begin(s, "UPDATE payload SET refs = refs + 1 WHERE hash = ?1 AND size = ?2", err);
    if (!q)
        return not_begun(err);
    sql_blob(q, p->hash, OBJECT_HASH);
    sql_int(q, (int64_t)p->size);
    r = sql_run(s, q, err);
    if (r == 0 && sqlite3_changes(s->db) == 0)
        r = err_set(err, ERR_INTERNAL, "%s: two payloads of one name and different sizes", s->path);
    return r;
}

int store_payload_find(struct store *s, const uint8_t hash[OBJECT_HASH], struct payload *payload_r, struct err *err)
{
    struct sql *q = sql_begin(s, "SELECT hash, size, segment, archive, \"offset\" FROM payload WHERE hash = ?1", err);
    int r;

    memset(payload_r, 0, sizeof(*payload_r));
    if (!q)
        return not_begun(err);
    sql_blob(q, hash, OBJECT_HASH);
    r = sql_step(s, q, err);
    if (r > 0)
        sql_get_payload(q, payload_r);
    sql_end(&q);
    return r;
}

static int condemn(struct store *s, const struct payload *p, struct err *err)
{
    struct sql *q = sql_begin(s, "DELETE FROM payload WHERE hash = ?1", err);
    int r;
    if (!q)
        return not_begun(err);
    sql_blob(q, p->hash, OBJECT_HASH);
    r = sql_run(s, q, err);
    return r < 0 ? r : store_payload_count(s, p, -1, err);
}

int store_payload_condemn(struct store *s, store_time before, struct payload *payload_r, uint32_t n, uint32_t *n_r,
                          struct err *err)
{
    struct sql *q;
    int r = store_in_batch(s, err);

    *n_r = 0;
    if (r < 0)
        return r;
    q = sql_begin(s,
                  "SELECT hash, size, segment, archive, \"offset\" FROM payload INDEXED BY payload_unnamed"
                  " WHERE refs = 0 AND at < ?1 LIMIT ?2",
                  err);
    if (!q)
        return not_begun(err);
    sql_int(q, before);
    sql_int(q, n);
    while (*n_r < n && (r = sql_step(s, q, err)) > 0)
        sql_get_payload(q, &payload_r[(*n_r)++]);
    sql_end(&q);
    if (r < 0)
        return r;
    r = 0;
    for (uint32_t i = 0; i < *n_r && r == 0; i++)
        r = condemn(s, &payload_r[i], err);
    if (r < 0)
        *n_r = 0;
    return r < 0 ? store_spoil(s, r, err) : 0;
}

int store_segments_empty(struct store *s, uint32_t *segment_r, uint32_t n, uint32_t *n_r, struct err *err)
{
    struct sql *q;
    int r = store_in_batch(s, err);

    *n_r = 0;
    if (r == 0)
        r = store_flush(s, err);
    if (r < 0)
        return r;
    /* the newest may be the one that is written just now */
    q = sql_begin(s,
                  "SELECT number FROM segment INDEXED BY segment_empty"
                  " WHERE payloads = 0 AND number < (SELECT max(number) FROM segment) LIMIT ?1",
                  err);
    if (!q)
        return not_begun(err);
    sql_int(q, n);
    while (*n_r < n && (r = sql_step(s, q, err)) > 0)
        segment_r[(*n_r)++] = (uint32_t)sql_get(q);
    sql_end(&q);
    if (r < 0)
        return r;
    r = 0;
    for (uint32_t i = 0; i < *n_r && r == 0; i++) {
        q = sql_begin(s, "DELETE FROM segment WHERE number = ?1", err);
        if (!q) {
            r = not_begun(err);
            break;
        }
        sql_int(q, segment_r[i]);
        r = sql_run(s, q, err);
    }
    if (r < 0)
        *n_r = 0;
    return r < 0 ? store_spoil(s, r, err) : 0;
}

int store_segment_highest(struct store *s, uint32_t *segment_r, struct err *err)
{
    struct sql *q = sql_begin(s, "SELECT max(number) FROM segment", err);
    int r;

    *segment_r = 0;
    if (!q)
        return not_begun(err);
    r = sql_step(s, q, err);
    if (r > 0)
        *segment_r = (uint32_t)sql_get(q);
    sql_end(&q);
    return r < 0 ? r : 0;
}

bool store_payload_known(struct store *s, const uint8_t *hash, uint32_t segment)
{
    struct sql *q;
    bool known;

    if (s->batch && store_flush(s, NULL) < 0) {
        store_spoil(s, ERR_IO, NULL);
        return true;
    }
    q = sql_begin(s,
                  hash ? "SELECT 1 FROM payload WHERE hash = ?1 AND segment = 0 AND archive = 0"
                       : "SELECT 1 FROM segment WHERE number = ?1 AND payloads > 0",
                  NULL);
    if (!q)
        return true;
    if (hash)
        sql_blob(q, hash, OBJECT_HASH);
    else
        sql_int(q, segment);
    known = sql_step(s, q, NULL) != 0;
    sql_end(&q);
    return known;
}

static int unname(struct store *s, const uint8_t *hash, bool aged, struct err *err)
{
    struct sql *q = sql_begin(s, "UPDATE payload SET refs = refs - 1, aged = aged - ?2 WHERE hash = ?1", err);
    if (!q)
        return not_begun(err);
    sql_blob(q, hash, OBJECT_HASH);
    sql_int(q, aged);
    return sql_run(s, q, err);
}

/* Whether something of it is still to be done: records that are to go somewhere are in its payloads. */
static int under_way(struct store *s, store_id transmission, struct err *err)
{
    struct sql *q = sql_begin(s,
                              "SELECT 1 FROM document d INDEXED BY document_transmission"
                              " CROSS JOIN delivery v INDEXED BY delivery_document ON v.document = d.id"
                              " WHERE d.transmission = ?1 AND v.state IN (1, 4) LIMIT 1",
                              err);
    int r;
    _Static_assert(DELIVERY_WAITING == 1 && DELIVERY_HELD == 4, "as above");
    if (!q)
        return not_begun(err);
    sql_id(q, transmission);
    r = sql_step(s, q, err);
    sql_end(&q);
    return r;
}

int store_forget(struct store *s, store_id transmission, struct err *err)
{
    const unsigned open_states = STATE(TRANSMISSION, ARRIVED) | STATE(TRANSMISSION, MADE) | STATE(TRANSMISSION, LAID) |
                                 STATE(TRANSMISSION, HELD);
    uint8_t hash[3][OBJECT_HASH];
    bool there[3], aged;
    struct subject x;
    struct sql *q;
    int r = store_in_batch(s, err);

    if (r == 0)
        r = store_subject(s, TRANSMISSION, transmission, &x, err);
    if (r == 0)
        r = under_way(s, transmission, err);
    if (r < 0)
        return r;
    if (r > 0 || (open_states & 1u << x.state))
        return err_set(err, ERR_USAGE, "transmission %llu is %s%s: its payloads are needed",
                       (unsigned long long)transmission, state_name(TRANSMISSION, x.state),
                       r > 0 ? ", and what came of it is to be delivered" : "");
    q = sql_begin(s,
                  "UPDATE transmission SET forgotten = 1 WHERE id = ?1 AND forgotten IS NULL"
                  " RETURNING aged, payload, records, findings",
                  err);
    if (!q)
        return not_begun(err);
    sql_id(q, transmission);
    r = sql_step(s, q, err);
    aged = r > 0 && sql_get(q) != 0;
    for (unsigned i = 0; i < 3 && r > 0; i++) {
        struct slice h = sql_get_text(q);
        there[i] = h.n == OBJECT_HASH;
        if (there[i])
            memcpy(hash[i], h.p, OBJECT_HASH);
    }
    sql_end(&q);
    if (r <= 0) /* forgotten before, or nothing could be changed */
        return r < 0 ? store_spoil(s, r, err) : 0;
    r = 0;
    for (unsigned i = 0; i < 3 && r == 0; i++)
        if (there[i])
            r = unname(s, hash[i], aged, err);
    if (r == 0)
        r = store_event(
            s, &(struct store_words){ .partner = x.partner, .what = "forget", .transmission = transmission }, err);
    return r < 0 ? store_spoil(s, r, err) : 0;
}

/* --- Numbers and envelopes --------------------------------------------------------------------------------------- */

static int field_of(struct store *s, struct slice kind, struct slice name, int64_t *id_r, struct err *err)
{
    struct sql *q = sql_begin(s, "SELECT id FROM field WHERE kind = ?1 AND name = ?2", err);
    int r;

    if (!q)
        return not_begun(err);
    sql_empty(q, kind);
    sql_empty(q, name);
    r = sql_step(s, q, err);
    *id_r = r > 0 ? sql_get(q) : 0;
    sql_end(&q);
    if (r != 0)
        return r < 0 ? r : 0;
    q = sql_begin(s, "INSERT INTO field (kind, name) VALUES (?1, ?2)", err);
    if (!q)
        return not_begun(err);
    sql_empty(q, kind);
    sql_empty(q, name);
    r = sql_run(s, q, err);
    *id_r = sqlite3_last_insert_rowid(s->db);
    return r;
}

int store_number(struct store *s, store_id document, struct slice kind, struct slice field, struct slice value,
                 struct err *err)
{
    int64_t id;
    struct sql *q;
    int r = store_in_batch(s, err);

    if (r < 0 || value.n == 0)
        return r;
    r = field_of(s, kind, field, &id, err);
    if (r < 0)
        return store_spoil(s, r, err);
    q = sql_begin(s, "INSERT OR IGNORE INTO number (value, document, field) VALUES (?1, ?2, ?3)", err);
    if (!q)
        return store_spoil(s, not_begun(err), err);
    sql_text(q, value);
    sql_id(q, document);
    sql_int(q, id);
    r = sql_run(s, q, err);
    return r < 0 ? store_spoil(s, r, err) : 0;
}

int store_control(struct store *s, struct slice partner, struct slice version, struct slice level, uint64_t most,
                  uint64_t *number_r, struct err *err)
{
    uint64_t number;
    int64_t id;
    struct sql *q;
    int r = store_in_batch(s, err);

    *number_r = 0;
    if (r < 0)
        return r;
    if (most == 0 || most > INT64_MAX / 2)
        return err_set(err, ERR_INTERNAL, "%s: control numbers up to nothing", s->path);
    r = store_partner(s, partner, true, &id, err);
    if (r < 0)
        return store_spoil(s, r, err);
    q = sql_begin(s, "SELECT number FROM control WHERE partner = ?1 AND version = ?2 AND level = ?3", err);
    if (!q)
        return store_spoil(s, not_begun(err), err);
    sql_int(q, id);
    sql_empty(q, version);
    sql_empty(q, level);
    r = sql_step(s, q, err);
    number = r > 0 ? (uint64_t)sql_get(q) : 0;
    sql_end(&q);
    if (r < 0)
        return store_spoil(s, r, err);
    number = number < most ? number + 1 : 1;
    q = sql_begin(s,
                  "INSERT INTO control (partner, version, level, number, most) VALUES (?1, ?2, ?3, ?4, ?5)"
                  " ON CONFLICT DO UPDATE SET number = excluded.number, most = excluded.most",
                  err);
    if (!q)
        return store_spoil(s, not_begun(err), err);
    sql_int(q, id);
    sql_empty(q, version);
    sql_empty(q, level);
    sql_int(q, (int64_t)number);
    sql_int(q, (int64_t)most);
    r = sql_run(s, q, err);
    if (r < 0)
        return store_spoil(s, r, err);
    *number_r = number;
    return 0;
}

int store_skip(struct store *s, uint32_t by, struct err *err)
{
    static const char *const texts[] = {
        "UPDATE control SET number = (number + ?1 - 1) % most + 1",
        "UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name IN ('transmission', 'document', 'delivery', 'event')",
        "UPDATE partner SET events = events + ?1",
    };
    int r = store_in_batch(s, err);
    if (r == 0)
        r = store_flush(s, err);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct sql *q = sql_begin(s, texts[i], err);
        if (!q)
            return store_spoil(s, not_begun(err), err);
        sql_int(q, by);
        r = sql_run(s, q, err);
        if (r < 0)
            return store_spoil(s, r, err);
    }
    return 0;
}

static void bind_envelope(struct sql *q, int64_t partner, const struct store_envelope *e)
{
    sql_int(q, partner);
    sql_empty(q, e->control);
    sql_empty(q, e->level);
    sql_empty(q, e->sender);
    sql_empty(q, e->receiver);
    sql_int(q, (int64_t)e->transmission);
}

int store_envelope(struct store *s, const struct store_envelope *e, struct err *err)
{
    int64_t id;
    struct sql *q;
    int r = store_in_batch(s, err);

    if (r < 0)
        return r;
    r = store_partner(s, e->partner, true, &id, err);
    if (r < 0)
        return store_spoil(s, r, err);
    q = sql_begin(s,
                  "INSERT OR IGNORE INTO envelope (partner, control, level, sender, receiver, transmission)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                  err);
    if (!q)
        return store_spoil(s, not_begun(err), err);
    bind_envelope(q, id, e);
    r = sql_run(s, q, err);
    return r < 0 ? store_spoil(s, r, err) : 0;
}

int store_find_envelope(struct store *s, const struct store_envelope *e, store_id *id_r, struct err *err)
{
    int64_t id;
    struct sql *q;
    int r;

    *id_r = 0;
    r = store_partner(s, e->partner, false, &id, err);
    if (r < 0 || id < 0)
        return r;
    q = sql_begin(s,
                  "SELECT transmission FROM envelope WHERE partner = ?1 AND control = ?2 AND level = ?3 AND"
                  " sender = ?4"
                  " AND receiver = ?5 AND transmission <> ?6 ORDER BY transmission DESC LIMIT 1",
                  err);
    if (!q)
        return not_begun(err);
    bind_envelope(q, id, e);
    r = sql_step(s, q, err);
    if (r > 0)
        *id_r = (store_id)sql_get(q);
    sql_end(&q);
    return r < 0 ? r : 0;
}

int store_breaker_get(struct store *s, struct slice partner, struct store_breaker *b_r, struct err *err)
{
    struct sql *q = sql_begin(s, "SELECT failures, until, reason FROM partner WHERE name = ?1", err);
    int r;

    memset(b_r, 0, sizeof(*b_r));
    if (!q)
        return not_begun(err);
    sql_empty(q, partner);
    r = sql_step(s, q, err);
    if (r > 0) {
        b_r->failures = (unsigned)sql_get(q);
        b_r->until = sql_get(q);
        buf_clear(&s->reason);
        buf_add_slice(&s->reason, sql_get_text(q));
        if (s->reason.failed)
            r = err_set(err, s->reason.failed, "%s", err_name(s->reason.failed));
        b_r->reason = buf_slice(&s->reason);
    }
    sql_end(&q);
    return r > 0 ? b_r->failures > 0 || b_r->until : r;
}

/* --- Files that stay at a door ----------------------------------------------------------------------------------- */

int store_keep(struct store *s, const struct store_source *source, store_id id, struct err *err)
{
    struct sql *q;
    int r = store_in_batch(s, err);

    if (r < 0)
        return r;
    if (id)
        q = sql_begin(s,
                      "INSERT OR REPLACE INTO kept (path, device, inode, size, mtime, transmission)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                      err);
    else
        q = sql_begin(s, "DELETE FROM kept WHERE path = ?1", err);
    if (!q)
        return store_spoil(s, not_begun(err), err);
    sql_blob(q, source->path.n ? source->path.p : "", source->path.n);
    if (id) {
        sql_int(q, (int64_t)source->device);
        sql_int(q, (int64_t)source->inode);
        sql_int(q, (int64_t)source->size);
        sql_int(q, source->mtime);
        sql_id(q, id);
    }
    r = sql_run(s, q, err);
    return r < 0 ? store_spoil(s, r, err) : 0;
}

int store_kept(struct store *s, const struct store_source *source, store_id *id_r, struct err *err)
{
    struct sql *q =
        sql_begin(s, "SELECT transmission FROM kept WHERE path = ?1 AND inode = ?2 AND size = ?3 AND mtime = ?4", err);
    int r;

    *id_r = 0;
    if (!q)
        return not_begun(err);
    sql_blob(q, source->path.n ? source->path.p : "", source->path.n);
    sql_int(q, (int64_t)source->inode);
    sql_int(q, (int64_t)source->size);
    sql_int(q, source->mtime);
    r = sql_step(s, q, err);
    if (r > 0)
        *id_r = (store_id)sql_get(q);
    sql_end(&q);
    return r < 0 ? r : 0;
}

int store_kept_files(struct store *s, int (*row)(void *ctx, store_id id, const struct store_source *source), void *ctx,
                     struct err *err)
{
    struct buf text, last;      /* a row at a time, each by the path before it: the callback may change them */
    int r;

    buf_init(&text, LIMIT_CONFIG_FILE);
    buf_init(&last, LIMIT_CONFIG_FILE);
    do {
        struct store_source source;
        store_id id = 0;
        struct sql *q = sql_begin(s,
                                  "SELECT path, device, inode, size, mtime, transmission FROM kept WHERE path > ?1"
                                  " ORDER BY path LIMIT 1",
                                  err);
        if (!q) {
            r = not_begun(err);
            break;
        }
        sql_blob(q, last.n ? last.p : "", last.n);
        r = sql_step(s, q, err);
        if (r > 0 && sql_keep(q, &text, err) < 0)
            r = text.failed;
        if (r > 0) {
            source.path = sql_get_text(q);
            source.device = (uint64_t)sql_get(q);
            source.inode = (uint64_t)sql_get(q);
            source.size = (uint64_t)sql_get(q);
            source.mtime = sql_get(q);
            id = (store_id)sql_get(q);
        }
        sql_end(&q);
        if (r > 0) {
            buf_clear(&last);
            buf_add_slice(&last, source.path);
            r = last.failed ? err_set(err, last.failed, "%s", err_name(last.failed)) : row(ctx, id, &source);
            r = r < 0 ? r : 1;
        }
    } while (r > 0);
    buf_deinit(&text);
    buf_deinit(&last);
    return r;
}
