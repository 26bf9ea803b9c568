/*
 * store_schema: the tables of the ledger, and how one of an earlier form gets its present one.
 *
 * Step i leads from version i to i + 1 and is never changed once somebody may have a ledger of that version: what comes
 * later is a step of its own. A new ledger takes them all. States stand in here as numbers, as they do in the ledger.
 *
 * Nothing is ordered by time: `at` says when, ids say before and after. `hour` holds which ids the things of an hour
 * have, so that a time can be looked for without an index on it, and a clock that was set does no harm.
 */
#include <stdio.h>

#include "spool/store_inside.h"

enum { APPLICATION = 0x57617962 }; /* "Wayb" */

#define STATE_IS(name, number) _Static_assert(name == number, "a state's number stays")
STATE_IS(TRANSMISSION_ARRIVED, 1);
STATE_IS(TRANSMISSION_MADE, 5);
STATE_IS(TRANSMISSION_LAID, 6);
STATE_IS(DOCUMENT_RECORDED, 1);
STATE_IS(DOCUMENT_AWAITED, 5);
STATE_IS(DOCUMENT_HELD, 9);
STATE_IS(DOCUMENT_DROPPED, 11);
STATE_IS(DELIVERY_WAITING, 1);
STATE_IS(STORE_OUT, 2);
STATE_IS(TRANSMISSION_UNPACKED, 2);
STATE_IS(TRANSMISSION_TRANSLATED, 3);
STATE_IS(TRANSMISSION_REPEATED, 4);
STATE_IS(TRANSMISSION_SENT, 7);
STATE_IS(TRANSMISSION_HELD, 8);
STATE_IS(TRANSMISSION_DEAD, 9);
STATE_IS(TRANSMISSION_DROPPED, 10);

static const char first[] =
    /* partner 0: none; in `count` all together */
    "CREATE TABLE partner (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, events INTEGER NOT NULL DEFAULT 0,"
    " failures INTEGER NOT NULL DEFAULT 0, until INTEGER NOT NULL DEFAULT 0, reason TEXT) STRICT;"
    "INSERT INTO partner (id, name) VALUES (0, '');"

    "CREATE TABLE transmission (id INTEGER PRIMARY KEY AUTOINCREMENT, direction INTEGER NOT NULL, state INTEGER"
    " NOT NULL,"
    " partner INTEGER NOT NULL, name TEXT, way TEXT, format TEXT, payload BLOB NOT NULL, records BLOB, findings BLOB,"
    " forgotten INTEGER, source BLOB, device INTEGER, inode INTEGER, size INTEGER, mtime INTEGER, target BLOB,"
    " hidden BLOB,"
    " parent INTEGER, same INTEGER, replays INTEGER, answers INTEGER, passes INTEGER NOT NULL, held INTEGER NOT NULL,"
    " priority INTEGER NOT NULL, documents INTEGER NOT NULL, attempts INTEGER NOT NULL, at INTEGER NOT NULL,"
    " first INTEGER NOT NULL, due INTEGER NOT NULL, done INTEGER NOT NULL, reason TEXT) STRICT;"
    "CREATE INDEX transmission_state ON transmission (state);"
    "CREATE INDEX transmission_partner ON transmission (partner, state);"
    "CREATE INDEX transmission_due ON transmission (priority, due) WHERE state IN (5, 6);"
    "CREATE INDEX transmission_partner_due ON transmission (partner, priority, due) WHERE state IN (5, 6);"
    "CREATE INDEX transmission_same ON transmission (partner, payload) WHERE direction = 1 AND replays IS NULL;"
    "CREATE INDEX transmission_source ON transmission (id) WHERE source IS NOT NULL;"
    "CREATE INDEX transmission_parent ON transmission (parent) WHERE parent IS NOT NULL;"
    "CREATE INDEX transmission_replays ON transmission (replays) WHERE replays IS NOT NULL;"
    "CREATE INDEX transmission_answers ON transmission (answers) WHERE answers IS NOT NULL;"

    "CREATE TABLE document (id INTEGER PRIMARY KEY AUTOINCREMENT, transmission INTEGER NOT NULL, state INTEGER"
    " NOT NULL,"
    " direction INTEGER NOT NULL, partner INTEGER NOT NULL, ordinal INTEGER NOT NULL, type TEXT, version TEXT,"
    " kind TEXT,"
    " sender TEXT, receiver TEXT, interchange TEXT, \"group\" TEXT, control TEXT, test INTEGER NOT NULL, number TEXT,"
    " release TEXT, purpose TEXT, key BLOB, content BLOB, record_at INTEGER NOT NULL, record_size INTEGER NOT NULL,"
    " same INTEGER, made_of INTEGER, delivery INTEGER, answer INTEGER, answered TEXT, passes INTEGER NOT NULL,"
    " held INTEGER NOT NULL, errors INTEGER NOT NULL, warnings INTEGER NOT NULL, within INTEGER NOT NULL,"
    " due INTEGER, at INTEGER NOT NULL, done INTEGER NOT NULL, reason TEXT) STRICT;"
    "CREATE INDEX document_transmission ON document (transmission);"
    "CREATE INDEX document_state ON document (state);"
    "CREATE INDEX document_partner ON document (partner, state);"
    "CREATE INDEX document_due ON document (due) WHERE state = 5 AND due IS NOT NULL;"
    "CREATE INDEX document_key ON document (key) WHERE key IS NOT NULL AND state IN (1, 9);"
    "CREATE INDEX document_group ON document (partner, \"group\", control) WHERE direction = 2 AND \"group\" IS"
    " NOT NULL;"
    "CREATE INDEX document_interchange ON document (partner, interchange, control) WHERE direction = 2;"
    "CREATE INDEX document_made_of ON document (made_of) WHERE made_of IS NOT NULL;"
    "CREATE INDEX document_delivery ON document (delivery) WHERE delivery IS NOT NULL;"

    /* along: held with its document or transmission, and released with it */
    "CREATE TABLE delivery (id INTEGER PRIMARY KEY AUTOINCREMENT, state INTEGER NOT NULL, partner INTEGER NOT NULL,"
    " document INTEGER, transmission INTEGER, route TEXT, kind TEXT, type TEXT, priority INTEGER NOT NULL,"
    " passes INTEGER NOT NULL, held INTEGER NOT NULL, along INTEGER NOT NULL DEFAULT 0, at INTEGER NOT NULL,"
    " due INTEGER NOT NULL, done INTEGER NOT NULL, reason TEXT) STRICT;"
    "CREATE INDEX delivery_state ON delivery (state);"
    "CREATE INDEX delivery_partner ON delivery (partner, state);"
    "CREATE INDEX delivery_due ON delivery (priority, due) WHERE state = 1;"
    "CREATE INDEX delivery_partner_due ON delivery (partner, priority, due) WHERE state = 1;"
    "CREATE INDEX delivery_document ON delivery (document) WHERE document IS NOT NULL;"
    "CREATE INDEX delivery_transmission ON delivery (transmission) WHERE transmission IS NOT NULL;"

    "CREATE TABLE event (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, partner INTEGER NOT NULL,"
    " of_partner INTEGER NOT NULL, what TEXT NOT NULL, who TEXT, transmission INTEGER, document INTEGER,"
    " delivery INTEGER,"
    " words TEXT) STRICT;"
    "CREATE INDEX event_partner ON event (partner);"
    "CREATE INDEX event_transmission ON event (transmission) WHERE transmission IS NOT NULL;"
    "CREATE INDEX event_document ON event (document) WHERE document IS NOT NULL;"
    "CREATE INDEX event_delivery ON event (delivery) WHERE delivery IS NOT NULL;"

    "CREATE TABLE count (partner INTEGER NOT NULL, what INTEGER NOT NULL, direction INTEGER NOT NULL, state"
    " INTEGER NOT NULL,"
    " n INTEGER NOT NULL, PRIMARY KEY (partner, what, direction, state)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE hour (thing INTEGER NOT NULL, hour INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " PRIMARY KEY (thing, hour)) STRICT, WITHOUT ROWID;"

    /* refs: rows that name it */
    "CREATE TABLE payload (hash BLOB PRIMARY KEY, size INTEGER NOT NULL, segment INTEGER NOT NULL, \"offset\""
    " INTEGER NOT NULL,"
    " refs INTEGER NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX payload_unnamed ON payload (at) WHERE refs = 0;"
    "CREATE TABLE segment (number INTEGER PRIMARY KEY, payloads INTEGER NOT NULL) STRICT;"
    "CREATE INDEX segment_empty ON segment (number) WHERE payloads = 0;"
    "CREATE TABLE kept (path BLOB PRIMARY KEY, device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,"
    " mtime INTEGER NOT NULL, transmission INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

    /* a number by which a document can be found */
    "CREATE TABLE field (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (kind, name)) STRICT;"
    "CREATE TABLE number (value TEXT NOT NULL, document INTEGER NOT NULL, field INTEGER NOT NULL,"
    " PRIMARY KEY (value, document, field)) STRICT, WITHOUT ROWID;"
    /* the last control number that was given */
    "CREATE TABLE control (partner INTEGER NOT NULL, version TEXT NOT NULL, level TEXT NOT NULL, number INTEGER"
    " NOT NULL,"
    " most INTEGER NOT NULL, PRIMARY KEY (partner, version, level)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE envelope (partner INTEGER NOT NULL, control TEXT NOT NULL, level TEXT NOT NULL, sender TEXT"
    " NOT NULL,"
    " receiver TEXT NOT NULL, transmission INTEGER NOT NULL,"
    " PRIMARY KEY (partner, control, level, sender, receiver, transmission)) STRICT, WITHOUT ROWID;";

/* The archive. aged: of a transmission: its payloads went there, or will when the last that names them goes; of a
 * payload: by how many rows that went it is named. archive: the file of the archive that it lies in, 0: it is at hand;
 * `offset` is then in there. */
static const char second[] =
    "ALTER TABLE transmission ADD COLUMN aged INTEGER;"
    "CREATE INDEX transmission_at_hand ON transmission (partner, done) WHERE aged IS NULL AND forgotten IS NULL AND"
    " state IN (2, 3, 4, 7, 9, 10);"
    "ALTER TABLE payload ADD COLUMN archive INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE payload ADD COLUMN aged INTEGER NOT NULL DEFAULT 0;"
    /* path: below archive/; at: when it was whole, NULL until then */
    "CREATE TABLE archive (number INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, payloads INTEGER"
    " NOT NULL, at INTEGER) STRICT;";

/* What somebody dropped is not brought back by a replay of its transmission. */
static const char third[] = "CREATE INDEX document_dropped ON document (key) WHERE key IS NOT NULL AND state = 11;";

/* The same index: for a list of more than two states SQLite makes two tables whenever a state is written. */
static const char fourth[] =
    "DROP INDEX transmission_at_hand;"
    "CREATE INDEX transmission_at_hand ON transmission (partner, done) WHERE aged IS NULL AND forgotten IS NULL AND"
    " state <> 1 AND state <> 5 AND state <> 6 AND state <> 8;";

const char *const store_steps[] = { first, second, third, fourth };
const unsigned store_n_steps = sizeof(store_steps) / sizeof(store_steps[0]);

static int number_of(struct store *s, const char *pragma, int64_t *n_r, struct err *err)
{
    struct sql *q = sql_begin(s, pragma, err);
    int r = q ? sql_step(s, q, err) : err ? err->code : ERR_INTERNAL;
    *n_r = r > 0 ? sql_get(q) : 0;
    sql_end(&q);
    return r < 0 ? r : 0;
}

/* Of what version it is. 0: it is empty. */
static int look(struct store *s, unsigned most, int64_t *version_r, struct err *err)
{
    int64_t application = 0, tables = 0;
    int r = number_of(s, "PRAGMA user_version", version_r, err);
    if (r == 0)
        r = number_of(s, "PRAGMA application_id", &application, err);
    if (r == 0)
        r = number_of(s, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (r < 0)
        return r;
    if (application != APPLICATION && (application || *version_r || tables))
        return err_set(err, ERR_CONFIG, "%s: is no ledger of Waybill", s->path);
    if (*version_r > most || *version_r < 0)
        return err_set(err, ERR_CONFIG, "%s: has form %lld; this Waybill knows forms up to %u. A later one wrote it",
                       s->path, (long long)*version_r, most);
    return 0;
}

int store_version(struct store *s, unsigned n, struct err *err)
{
    int64_t version;
    int r = look(s, n, &version, err);
    if (r < 0)
        return r;
    if (version == 0)
        return err_set(err, ERR_MISSING, "%s: there is no ledger yet", s->path);
    if (version < n)
        return err_set(err, ERR_CONFIG, "%s: has form %lld, and not yet form %u: run waybill once, which writes it",
                       s->path, (long long)version, n);
    return 0;
}

/* One step, one transaction. */
static int take_step(struct store *s, const char *step, unsigned to, struct err *err)
{
    char text[120];
    int rc;

    snprintf(text, sizeof(text), "PRAGMA application_id=%d; PRAGMA user_version=%u; COMMIT", APPLICATION, to);
    rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, step, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return 0;
    rc = sql_failed(s, rc, err);
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

int store_upgrade(struct store *s, const char *const *steps, unsigned n, struct err *err)
{
    int64_t version;
    int r = look(s, n, &version, err);
    for (unsigned i = (unsigned)version; r == 0 && i < n; i++)
        r = take_step(s, steps[i], i + 1, err);
    return r;
}
