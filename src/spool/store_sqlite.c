/*
 * store_sqlite: the ledger's file, its batches and its statements. See store.h and store_inside.h.
 *
 * The file is in WAL mode, synchronous=FULL: a commit is one write and one fsync of the log. The writer alone carries
 * the log over into the file (sqlite3_wal_checkpoint), between batches, and only as far as no reader is in the way. It
 * leaves ledger-wal and ledger-shm behind when it closes: beside them a reader needs not write anything. SQLite makes
 * them with the mode of the ledger, so who may read the one may read all.
 *
 * A reader holds no snapshot while a callback runs: however slow it is, the log does not grow for its sake. If there is
 * no log and none can be made (a copy on a medium that cannot be written), the file is read as one that nobody writes.
 *
 * Never opens and closes the ledger by other means than SQLite's while it may be open: the locks of a file end when any
 * of a process's descriptors of it is closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "spool/store_inside.h"

enum { BUSY_MSEC = 10000, LOG_BYTES = 64 << 20, BACKUP_PAGES = 1024, PATH_BYTES = 4096 };

/* --- Words ------------------------------------------------------------------------------------------------------- */

int sql_failed(struct store *s, int code, struct err *err)
{
    int kind = ERR_INTERNAL, extended = s->db ? sqlite3_extended_errcode(s->db) : code;
    int number = s->db ? sqlite3_system_errno(s->db) : 0;
    const char *words = s->db && (extended & 0xff) == (code & 0xff) ? sqlite3_errmsg(s->db) : sqlite3_errstr(code);

    switch (code & 0xff) {
    case SQLITE_NOMEM: return err_nomem(err);
    case SQLITE_FULL: return err_set(err, ERR_IO, "%s: cannot be written: the disk is full", s->path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if ((extended & 0xff) == SQLITE_IOERR && (extended >> 8) == (SQLITE_IOERR_NOMEM >> 8))
            return err_nomem(err);
        if (number)
            return err_set(err, ERR_IO, "%s: %s: %s", s->path, words, strerror(number));
        kind = ERR_IO;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return err_set(err, ERR_IO, "%s: another program has locked it", s->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: kind = ERR_IO; break;
    /* not ERR_DATA: that is a partner's document that is wrong, and would be refused for it */
    case SQLITE_CORRUPT: return err_set(err, ERR_IO, "%s: is damaged (%s)", s->path, words);
    case SQLITE_NOTADB: return err_set(err, ERR_CONFIG, "%s: is no ledger", s->path);
    case SQLITE_TOOBIG: kind = ERR_LIMIT; break;
    default: break;
    }
    return err_set(err, kind, "%s: %s", s->path, words);
}

/* --- Statements -------------------------------------------------------------------------------------------------- */

static int prepare(struct store *s, const char *text, sqlite3_stmt **st_r, struct err *err)
{
    int rc = sqlite3_prepare_v3(s->db, text, -1, SQLITE_PREPARE_PERSISTENT, st_r, NULL);
    return rc == SQLITE_OK ? 0 : sql_failed(s, rc, err);
}

struct sql *sql_begin(struct store *s, const char *text, struct err *err)
{
    size_t i = ((uintptr_t)text >> 3) % SQL_SLOTS;
    struct sql *q = NULL;

    for (size_t n = 0; n < 8 && !q; n++, i = (i + 1) % SQL_SLOTS)
        if (!s->sql[i].text || (s->sql[i].text == text && !s->sql[i].busy))
            q = &s->sql[i];
    if (!q) {
        q = calloc(1, sizeof(*q));
        if (!q) {
            err_nomem(err);
            return NULL;
        }
        q->spare = true;
    }
    if (!q->st && prepare(s, text, &q->st, err) < 0) {
        if (q->spare)
            free(q);
        return NULL;
    }
    s->in_use++;
    q->store = s;
    q->text = text;
    q->busy = true;
    q->at = 0;
    q->failed = SQLITE_OK;
    q->kept = NULL;
    return q;
}

static void bound(struct sql *q, int rc)
{
    if (q->failed == SQLITE_OK)
        q->failed = rc;
}

void sql_int(struct sql *q, int64_t n)
{
    bound(q, sqlite3_bind_int64(q->st, ++q->at, n));
}

void sql_id(struct sql *q, uint64_t n)
{
    q->at++;
    bound(q, n ? sqlite3_bind_int64(q->st, q->at, (int64_t)n) : sqlite3_bind_null(q->st, q->at));
}

void sql_empty(struct sql *q, struct slice text)
{
    bound(q, sqlite3_bind_text64(q->st, ++q->at, text.n ? text.p : "", text.n, SQLITE_STATIC, SQLITE_UTF8));
}

void sql_text(struct sql *q, struct slice text)
{
    if (text.n)
        sql_empty(q, text);
    else
        sql_id(q, 0);
}

void sql_blob(struct sql *q, const void *p, size_t n)
{
    bound(q, sqlite3_bind_blob64(q->st, ++q->at, p, n, SQLITE_STATIC));
}

void sql_path(struct sql *q, struct slice bytes)
{
    if (bytes.n)
        sql_blob(q, bytes.p, bytes.n);
    else
        sql_id(q, 0);
}

int sql_step(struct store *s, struct sql *q, struct err *err)
{
    int rc = q->failed == SQLITE_OK ? sqlite3_step(q->st) : q->failed;
    q->at = 0;
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : sql_failed(s, rc, err);
}

void sql_again(struct sql *q)
{
    sqlite3_reset(q->st);
    sqlite3_clear_bindings(q->st);
    q->at = 0;
    q->failed = SQLITE_OK;
}

void sql_end(struct sql **at)
{
    struct sql *q = *at;
    *at = NULL;
    if (!q)
        return;
    q->store->in_use--;
    if (q->spare) {
        sqlite3_finalize(q->st);
        free(q);
        return;
    }
    sql_again(q);
    q->busy = false;
}

int sql_run(struct store *s, struct sql *q, struct err *err)
{
    int r = sql_step(s, q, err);
    sql_end(&q);
    return r < 0 ? r : 0;
}

int64_t sql_get(struct sql *q)
{
    return sqlite3_column_int64(q->st, q->at++);
}

struct slice sql_get_text(struct sql *q)
{
    const char *p = sqlite3_column_blob(q->st, q->at);
    int n = sqlite3_column_bytes(q->st, q->at++);
    struct slice s = slice(p, p && n > 0 ? (size_t)n : 0);
    if (q->kept && s.n) {
        buf_add_slice(q->kept, s);
        s.p = q->kept->p + q->kept->n - s.n;
    }
    return s;
}

int sql_keep(struct sql *q, struct buf *b, struct err *err)
{
    size_t n = 0;
    for (int i = 0; i < sqlite3_column_count(q->st); i++) {
        int type = sqlite3_column_type(q->st, i);
        if (type == SQLITE_TEXT || type == SQLITE_BLOB)
            n += (size_t)sqlite3_column_bytes(q->st, i);
    }
    buf_clear(b);
    if (!buf_reserve(b, n)) /* all at once: what was given does not move */
        return err_set(err, b->failed, "%s", err_name(b->failed));
    q->kept = b;
    return 0;
}

void sql_get_blob(struct sql *q, uint8_t *p, size_t n)
{
    struct slice s = sql_get_text(q);
    if (s.n == n)
        memcpy(p, s.p, n);
    else
        memset(p, 0, n);
}

void sql_get_payload(struct sql *q, struct payload *p)
{
    sql_get_blob(q, p->hash, OBJECT_HASH);
    p->size = (uint64_t)sql_get(q);
    p->segment = (uint32_t)sql_get(q);
    p->archive = (uint32_t)sql_get(q);
    p->offset = (uint64_t)sql_get(q);
}

static int run_text(struct store *s, const char *text, struct err *err)
{
    int rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : sql_failed(s, rc, err);
}

/* --- Opening ----------------------------------------------------------------------------------------------------- */

static store_time clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (store_time)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

store_time store_now(struct store *s)
{
    return s->now ? s->now(s->ctx) : clock_now();
}

/* The folder, so that the name of a new file is safe. */
static int sync_folder(const char *spool, struct err *err)
{
    int r = 0, fd = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_system(err, "%s", spool);
    if (fsync(fd) < 0)
        r = err_system(err, "%s: cannot be synced", spool);
    close(fd);
    return r;
}

/* A new, empty file is made by ourselves: SQLite gives the log its mode. One that is there is not opened here. */
static int make_file(const char *spool, const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return 0;
    if (fd < 0)
        return err_system(err, "%s: cannot be made", path);
    close(fd);
    return sync_folder(spool, err);
}

static int look_at_file(const char *path, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) < 0) {
        if (errno == ENOENT)
            return err_set(err, ERR_MISSING, "%s: there is no ledger", path);
        return err_system(err, "%s", path);
    }
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_CONFIG, "%s: is no regular file", path);
    return 0;
}

static int count_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    ((struct store *)ctx)->wal = pages;
    return SQLITE_OK;
}

/* SQLite says what it came to, and no error. */
static int set_log(struct store *s, struct err *err)
{
    struct sql *q = sql_begin(s, "PRAGMA journal_mode=WAL", err);
    int r = q ? sql_step(s, q, err) : not_begun(err);
    if (r > 0 && !slice_is(sql_get_text(q), "wal"))
        r = err_set(err, ERR_IO, "%s: cannot be kept on this file system: it has no shared memory or locks", s->path);
    sql_end(&q);
    return r < 0 ? r : 0;
}

static int open_writer(struct store *s, struct err *err)
{
    int on = 1, rc = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    int r;
    if (rc != SQLITE_OK)
        return sql_failed(s, rc, err);
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, BUSY_MSEC);
    sqlite3_file_control(s->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &on);
    r = set_log(s, err);
    if (r == 0)
        r = run_text(s,
                     "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-16384;"
                     "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF",
                     err);
    if (r == 0) {
        char text[64];
        snprintf(text, sizeof(text), "PRAGMA journal_size_limit=%d", LOG_BYTES);
        r = run_text(s, text, err);
    }
    sqlite3_wal_hook(s->db, count_pages, s);
    return r;
}

/* "file:…?immutable=1" of a path with any bytes. */
static int open_alone(struct store *s, struct err *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
    struct buf b;
    int rc;

    buf_init(&b, 4 * PATH_BYTES);
    buf_add_text(&b, s->path[0] == '/' ? "file://" : "file:");
    for (const char *p = s->path; *p; p++)
        if (strchr(plain, *p))
            buf_add_char(&b, *p);
        else
            buf_printf(&b, "%%%02X", (unsigned char)*p);
    buf_add_text(&b, "?immutable=1");
    buf_add_char(&b, 0);
    if (b.failed) {
        rc = err_set(err, b.failed, b.failed == ERR_NOMEM ? "out of memory" : "%s: the name is too long", s->path);
        buf_deinit(&b);
        return rc;
    }
    rc = sqlite3_open_v2(b.p, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
    buf_deinit(&b);
    s->alone = true;
    return rc == SQLITE_OK ? 0 : sql_failed(s, rc, err);
}

/* True: there is no log, or nothing in it, so that all there is stands in the ledger itself. */
static bool log_empty(struct store *s)
{
    char path[PATH_BYTES];
    struct stat st;
    int n = snprintf(path, sizeof(path), "%s-wal", s->path);
    if (n < 0 || (size_t)n >= sizeof(path))
        return false;
    return lstat(path, &st) < 0 ? errno == ENOENT : st.st_size == 0;
}

/* SQLite's code. What cannot be read at all shows here. */
static int set_reader(struct store *s)
{
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, BUSY_MSEC);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return sqlite3_exec(
        s->db,
        "PRAGMA query_only=1; PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;"
        "SELECT 1 FROM sqlite_schema",
        NULL, NULL, NULL);
}

static int open_reader(struct store *s, struct err *err)
{
    int rc = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = set_reader(s);
    if (rc == SQLITE_OK)
        return 0;
    if (((rc & 0xff) != SQLITE_CANTOPEN && (rc & 0xff) != SQLITE_READONLY) || !log_empty(s))
        return sql_failed(s, rc, err);
    sqlite3_close(s->db);
    s->db = NULL;
    rc = open_alone(s, err);
    if (rc < 0)
        return rc;
    rc = set_reader(s);
    return rc == SQLITE_OK ? 0 : sql_failed(s, rc, err);
}

static void finalize(struct store *s)
{
    for (unsigned i = 0; i < SQL_SLOTS; i++)
        sqlite3_finalize(s->sql[i].st);
    memset(s->sql, 0, sizeof(s->sql));
}

int store_look_again(struct store *s, struct err *err)
{
    if (!s->alone || s->in_use || log_empty(s))
        return 0;
    finalize(s);
    sqlite3_close(s->db);
    s->db = NULL;
    s->alone = false;
    return open_reader(s, err);
}

int store_open_steps(const char *spool, const struct store_options *options, const char *const *steps, unsigned n,
                     struct store **store_r, struct err *err)
{
    struct store *s = calloc(1, sizeof(*s));
    size_t length = strlen(spool) + sizeof("/ledger");
    int r;

    *store_r = NULL;
    if (!s)
        return err_nomem(err);
    s->write = options->write;
    s->now = options->now;
    s->ctx = options->ctx;
    buf_init(&s->reason, LIMIT_CONFIG_FILE);
    s->path = malloc(length);
    s->who = strdup(options->who ? options->who : "");
    if (!s->path || !s->who) {
        store_close(&s);
        return err_nomem(err);
    }
    snprintf(s->path, length, "%s/ledger", spool);
    r = s->write ? make_file(spool, s->path, err) : 0;
    if (r == 0)
        r = look_at_file(s->path, err);
    if (r == 0)
        r = s->write ? open_writer(s, err) : open_reader(s, err);
    if (r == 0)
        r = s->write ? store_upgrade(s, steps, n, err) : store_version(s, n, err);
    if (r < 0) {
        store_close(&s);
        return r;
    }
    *store_r = s;
    return 0;
}

int store_open(const char *spool, const struct store_options *options, struct store **store_r, struct err *err)
{
    return store_open_steps(spool, options, store_steps, store_n_steps, store_r, err);
}

void store_close(struct store **store)
{
    struct store *s = *store;
    *store = NULL;
    if (!s)
        return;
    store_rollback(s);
    finalize(s);
    sqlite3_close(s->db);
    buf_deinit(&s->reason);
    free(s->path);
    free(s->who);
    free(s);
}

/* --- Batches ----------------------------------------------------------------------------------------------------- */

static void forget_pending(struct store *s)
{
    memset(&s->gathered, 0, sizeof(s->gathered));
}

static void sound(struct store *s)
{
    s->broken = 0;
    s->why.code = 0;
    s->why.text[0] = 0;
}

int store_spoil(struct store *s, int code, const struct err *err)
{
    if (!s->broken) {
        s->broken = code;
        if (err)
            s->why = *err;
    }
    return code;
}

int store_in_batch(struct store *s, struct err *err)
{
    if (!s->batch)
        return err_set(err, ERR_INTERNAL, "%s: a change outside of a batch", s->path);
    if (s->broken)
        return err_set(err, s->broken, "%s", s->why.text[0] ? s->why.text : err_name(s->broken));
    s->moment = store_now(s);
    return 0;
}

int store_begin(struct store *s, struct err *err)
{
    int r;
    if (!s->write)
        return err_set(err, ERR_INTERNAL, "%s: it was opened for reading", s->path);
    if (s->batch)
        return err_set(err, ERR_INTERNAL, "%s: a batch in a batch", s->path);
    r = run_text(s, "BEGIN IMMEDIATE", err);
    if (r < 0)
        return r;
    s->batch = true;
    s->marked = false;
    sound(s);
    forget_pending(s);
    return 0;
}

void store_rollback(struct store *s)
{
    if (!s->batch)
        return;
    s->batch = s->marked = false;
    forget_pending(s);
    sound(s);
    /* after some errors SQLite has done so by itself */
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

/* What is in the log goes into the ledger, as far as no reader stands in the way: then it is tried again only when as
 * much has come again. If it fails the log is longer, nothing else. */
static void carry_over(struct store *s)
{
    if (s->wal < s->tried)
        s->tried = 0; /* the log began anew */
    if (s->wal - s->tried < WAL_PAGES)
        return;
    s->tried = s->wal;
    sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

int store_commit(struct store *s, struct err *err)
{
    int r = store_in_batch(s, err);
    if (r == 0 && s->marked)
        r = err_set(err, ERR_INTERNAL, "%s: a mark is left in the batch", s->path);
    if (r == 0)
        r = store_flush(s, err);
    if (r == 0)
        r = run_text(s, "COMMIT", err);
    if (r < 0) {
        store_rollback(s);
        return r;
    }
    s->batch = false;
    carry_over(s);
    return 0;
}

int store_mark(struct store *s, struct err *err)
{
    int r = store_in_batch(s, err);
    if (r == 0 && s->marked)
        r = err_set(err, ERR_INTERNAL, "%s: a mark in a mark", s->path);
    if (r == 0)
        r = run_text(s, "SAVEPOINT mark", err);
    if (r < 0)
        return r;
    s->at_mark = s->gathered;
    s->marked = true;
    return 0;
}

int store_unmark(struct store *s, bool undo, struct err *err)
{
    int r;
    if (!s->batch || !s->marked)
        return err_set(err, ERR_INTERNAL, "%s: there is no mark", s->path);
    s->marked = false;
    if (!undo) {
        r = store_in_batch(s, err);
        return r < 0 ? r : run_text(s, "RELEASE mark", err);
    }
    s->gathered = s->at_mark;
    if (sqlite3_get_autocommit(s->db)) {
        r = store_in_batch(s, err);
        return r < 0 ? r : store_spoil(s, err_set(err, ERR_IO, "%s: the batch is lost", s->path), err);
    }
    r = run_text(s, "ROLLBACK TO mark; RELEASE mark", err);
    if (r < 0)
        return store_spoil(s, r, err);
    sound(s);
    return 0;
}

/* --- Backup ------------------------------------------------------------------------------------------------------ */

static int copy_pages(struct store *s, sqlite3 *to, const char *path, struct err *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", s->db, "main");
    int rc;

    if (!b)
        return err_set(err, ERR_INTERNAL, "%s: %s", path, sqlite3_errmsg(to));
    do
        rc = sqlite3_backup_step(b, BACKUP_PAGES);
    while (rc == SQLITE_OK);
    sqlite3_backup_finish(b);
    if (rc == SQLITE_DONE)
        return 0;
    if (rc == SQLITE_NOMEM)
        return err_nomem(err);
    return err_set(err, ERR_IO, "%s: the ledger cannot be copied there: %s", path, sqlite3_errstr(rc));
}

static int sync_file(const char *path, struct err *err)
{
    int r = 0, fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_system(err, "%s", path);
    if (fsync(fd) < 0)
        r = err_system(err, "%s: cannot be synced", path);
    close(fd);
    return r;
}

/* One state of the ledger is held for as long as it takes, so that it need not begin anew whenever somebody writes. */
int store_backup(struct store *s, const char *path, struct err *err)
{
    sqlite3 *to = NULL;
    int r, rc, fd;

    if (s->batch)
        return err_set(err, ERR_INTERNAL, "%s: no backup inside a batch", s->path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_system(err, "%s", path);
    close(fd);
    r = run_text(s, "BEGIN; SELECT 1 FROM sqlite_schema", err);
    if (r == 0) {
        rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(to, "PRAGMA journal_mode=OFF; PRAGMA cache_size=-4096", NULL, NULL, NULL);
        r = rc == SQLITE_OK ? copy_pages(s, to, path, err) : err_set(err, ERR_IO, "%s: %s", path, sqlite3_errstr(rc));
    }
    sqlite3_close(to);
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    if (r == 0)
        r = sync_file(path, err);
    if (r < 0)
        unlink(path);
    return r;
}
