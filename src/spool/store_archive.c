/* store_archive: which payloads may go to the archive, and which lie there. See store.h. */
#include "base/limits.h"
#include "spool/store_inside.h"

/* --- What may go ------------------------------------------------------------------------------------------------- */

/* The names one at a time, so that no statement is open while the callback runs. */
int store_partners(struct store *s, int (*row)(void *ctx, struct slice partner), void *ctx, struct err *err)
{
    struct buf name;
    int64_t last = -1;
    int r;

    buf_init(&name, LIMIT_CONFIG_FILE);
    do {
        struct slice found = { NULL, 0 };
        struct sql *q = sql_begin(s, "SELECT id, name FROM partner WHERE id > ?1 ORDER BY id LIMIT 1", err);
        if (!q) {
            r = not_begun(err);
            break;
        }
        sql_int(q, last);
        r = sql_step(s, q, err);
        if (r > 0 && sql_keep(q, &name, err) < 0)
            r = name.failed;
        if (r > 0) {
            last = sql_get(q);
            found = sql_get_text(q);
        }
        sql_end(&q);
        if (r > 0) {
            r = row(ctx, found);
            r = r < 0 ? r : 1;
        }
    } while (r > 0);
    buf_deinit(&name);
    return r;
}

int store_aged(struct store *s, struct slice partner, store_time before, store_id *id_r, uint32_t n, uint32_t *n_r,
               struct err *err)
{
    int64_t id;
    struct sql *q;
    int r;

    _Static_assert(DELIVERY_WAITING == 1 && DELIVERY_MADE == 2 && DELIVERY_HELD == 4 && DOCUMENT_AWAITED == 5 &&
                       DOCUMENT_OVERDUE == 6 && DOCUMENT_HELD == 9,
                   "as below");
    *n_r = 0;
    r = store_partner(s, partner, false, &id, err);
    if (r < 0 || id < 0)
        return r;
    q = sql_begin(s,
                  "SELECT t.id FROM transmission t INDEXED BY transmission_at_hand WHERE t.partner = ?1 AND t.aged IS"
                  " NULL AND t.forgotten IS NULL AND t.state <> 1 AND t.state <> 5 AND t.state <> 6 AND t.state <> 8"
                  " AND t.done < ?2"
                  " AND NOT EXISTS (SELECT 1 FROM delivery v WHERE v.transmission = t.id AND v.state IN (1, 2, 4))"
                  " AND NOT EXISTS (SELECT 1 FROM document d WHERE d.transmission = t.id AND d.state IN (5, 6, 9))"
                  " AND NOT EXISTS (SELECT 1 FROM document d CROSS JOIN delivery v ON v.document = d.id"
                  " WHERE d.transmission = t.id AND v.state IN (1, 2, 4)) ORDER BY t.done LIMIT ?3",
                  err);
    if (!q)
        return not_begun(err);
    sql_int(q, id);
    sql_int(q, before);
    sql_int(q, n);
    while (*n_r < n && (r = sql_step(s, q, err)) > 0)
        id_r[(*n_r)++] = (store_id)sql_get(q);
    sql_end(&q);
    return r < 0 ? r : 0;
}

static int name_again(struct store *s, const uint8_t *hash, struct payload *p, bool *goes_r, struct err *err)
{
    struct sql *q = sql_begin(s,
                              "UPDATE payload SET aged = aged + 1 WHERE hash = ?1"
                              " RETURNING aged >= refs, hash, size, segment, archive, \"offset\"",
                              err);
    int r;

    *goes_r = false;
    if (!q)
        return not_begun(err);
    sql_blob(q, hash, OBJECT_HASH);
    r = sql_step(s, q, err);
    if (r > 0) {
        *goes_r = sql_get(q) != 0;
        sql_get_payload(q, p);
        *goes_r = *goes_r && p->archive == 0;
    }
    sql_end(&q);
    return r < 0 ? r : 0;
}

int store_age(struct store *s, store_id transmission, struct payload payload_r[3], unsigned *n_r, struct err *err)
{
    uint8_t hash[3][OBJECT_HASH];
    unsigned n = 0;
    struct sql *q;
    int r = store_in_batch(s, err);

    *n_r = 0;
    if (r < 0)
        return r;
    q = sql_begin(s,
                  "UPDATE transmission SET aged = 1 WHERE id = ?1 AND aged IS NULL AND forgotten IS NULL"
                  " RETURNING payload, records, findings",
                  err);
    if (!q)
        return not_begun(err);
    sql_id(q, transmission);
    r = sql_step(s, q, err);
    for (unsigned i = 0; i < 3 && r > 0; i++) {
        struct slice h = sql_get_text(q);
        if (h.n == OBJECT_HASH)
            memcpy(hash[n++], h.p, OBJECT_HASH);
    }
    sql_end(&q);
    r = r < 0 ? r : 0;
    for (unsigned i = 0; i < n && r == 0; i++) {
        bool goes;
        r = name_again(s, hash[i], &payload_r[*n_r], &goes, err);
        *n_r += r == 0 && goes;
    }
    return r < 0 ? store_spoil(s, r, err) : 0;
}

int store_archived(struct store *s, const struct payload *p, uint32_t archive, uint64_t offset, struct err *err)
{
    struct payload there = *p;
    struct sql *q;
    int r = store_in_batch(s, err);

    if (r < 0)
        return r;
    if (p->archive || !archive)
        return err_set(err, ERR_INTERNAL, "%s: a payload that goes from archive %u to %u", s->path, p->archive,
                       archive);
    there.archive = archive;
    there.segment = 0;
    q = sql_begin(s, "UPDATE payload SET segment = 0, archive = ?2, \"offset\" = ?3 WHERE hash = ?1 AND archive = 0",
                  err);
    if (!q)
        return store_spoil(s, not_begun(err), err);
    sql_blob(q, p->hash, OBJECT_HASH);
    sql_int(q, archive);
    sql_int(q, (int64_t)offset);
    r = sql_run(s, q, err);
    if (r == 0)
        r = store_payload_count(s, p, -1, err);
    if (r == 0)
        r = store_payload_count(s, &there, 1, err);
    return r < 0 ? store_spoil(s, r, err) : 0;
}

/* --- Its files --------------------------------------------------------------------------------------------------- */

int store_archive_begin(struct store *s, struct slice path, uint32_t *number_r, bool *again_r, struct err *err)
{
    bool whole = false;
    struct sql *q;
    int r = store_in_batch(s, err);

    *number_r = 0;
    *again_r = false;
    if (r < 0)
        return r;
    q = sql_begin(s, "SELECT number, at FROM archive WHERE path = ?1", err);
    if (!q)
        return not_begun(err);
    sql_text(q, path);
    r = sql_step(s, q, err);
    if (r > 0) {
        *number_r = (uint32_t)sql_get(q);
        whole = sql_get(q) != 0;
        *again_r = true;
    }
    sql_end(&q);
    if (r != 0)
        return r < 0 ? r : whole ? err_set(err, ERR_LIMIT, "archive/%.*s: is there already", SLICE_FMT(path)) : 0;
    q = sql_begin(s, "INSERT INTO archive (path, payloads) VALUES (?1, 0)", err);
    if (!q)
        return store_spoil(s, not_begun(err), err);
    sql_text(q, path);
    r = sql_run(s, q, err);
    *number_r = (uint32_t)sqlite3_last_insert_rowid(s->db);
    return r < 0 ? store_spoil(s, r, err) : 0;
}

int store_archive_end(struct store *s, uint32_t number, uint32_t payloads, struct slice partner, struct slice words,
                      struct err *err)
{
    struct sql *q;
    int r = store_in_batch(s, err);

    if (r < 0)
        return r;
    q = sql_begin(s, "UPDATE archive SET payloads = ?2, at = ?3 WHERE number = ?1", err);
    if (!q)
        return store_spoil(s, not_begun(err), err);
    sql_int(q, number);
    sql_int(q, payloads);
    sql_int(q, s->moment);
    r = sql_run(s, q, err);
    return r < 0 ? store_spoil(s, r, err) : store_say(s, partner, SLICE("archive"), words, err);
}

int store_archive_path(struct store *s, uint32_t number, struct buf *path_r, struct err *err)
{
    struct sql *q = sql_begin(s, "SELECT path FROM archive WHERE number = ?1", err);
    int r;

    if (!q)
        return not_begun(err);
    sql_int(q, number);
    r = sql_step(s, q, err);
    if (r > 0)
        buf_add_slice(path_r, sql_get_text(q));
    sql_end(&q);
    if (r == 0)
        return err_set(err, ERR_MISSING, "there is no file %u of the archive", number);
    if (r > 0 && path_r->failed)
        return err_set(err, path_r->failed, "%s", err_name(path_r->failed));
    return r < 0 ? r : 0;
}

/* --- All payloads ------------------------------------------------------------------------------------------------ */

int store_payloads(struct store *s, int (*row)(void *ctx, const struct payload *p), void *ctx, struct err *err)
{
    struct payload p[128];
    uint8_t last[OBJECT_HASH];
    unsigned n, last_n = 0;
    int r = 0;

    do {
        struct sql *q = sql_begin(s,
                                  "SELECT hash, size, segment, archive, \"offset\" FROM payload WHERE hash > ?1 AND"
                                  " refs > 0 ORDER BY hash LIMIT 128",
                                  err);
        if (!q)
            return not_begun(err);
        sql_blob(q, last, last_n);
        for (n = 0; n < 128 && (r = sql_step(s, q, err)) > 0; n++)
            sql_get_payload(q, &p[n]);
        sql_end(&q);
        r = r > 0 ? 0 : r;
        if (n && r == 0) {
            memcpy(last, p[n - 1].hash, OBJECT_HASH);
            last_n = OBJECT_HASH;
        }
        for (unsigned i = 0; i < n && r == 0; i++)
            r = row(ctx, &p[i]);
    } while (n == 128 && r == 0);
    return r;
}
