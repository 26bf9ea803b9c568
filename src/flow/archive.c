/*
 * archive: payloads that are long through go into compressed files, one for each partner and month; those that nothing
 * names are removed. See appliance.h and spool/README.md.
 *
 * An archive's path is in the ledger before its file is there, so that a file without its end is known as ours and
 * written anew. The file is written to tmp/, synced, named, its folder synced, and read back from the disk; then one
 * commit says that the payloads lie in it; then the places that they had are removed. What is killed in between is done
 * again, and the sweep of the next start removes places that nobody knows.
 *
 * A partner's payloads go when one of them is a little older than `keep`; then all go that are older than that: so
 * there are a few files a month, and not one for each run.
 */
#include "flow/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "flow/appliance.h"
#include "spool/zip.h"

enum {
    BATCH = 2000,    /* transmissions in one file */
    PARTS = 3,       /* payloads of each, at most */
    LITTLE = 32,     /* a 32nd of `keep` is a little */
    GRACE = 3600,    /* seconds that a payload stays that nothing names any more */
    CONDEMNED = 256, /* payloads at a time */
    FILES = 1000000  /* of one partner and month, at most */
};
#define BATCH_BYTES (256ull << 20) /* and about so much */
#define KEEP        7776000u       /* seconds, of whom there is no partner file: 90 days */
#define UNDER_WAY   "archive.zip"  /* in tmp/ */

struct archiving {
    struct appliance *a;
    uint32_t done;
    struct err *err;
    store_id id[BATCH];
    uint32_t n, taken; /* of them; that go now, in front */
    uint64_t bytes;
    char month[16]; /* of those that go: "2026-11" */
    struct slice partner;
    struct buf index;
    struct payload moved[BATCH * PARTS];
    uint64_t offset[BATCH * PARTS];
    uint32_t n_moved;
};

int archive_lock(int spool, bool alone, int *fd_r, struct err *err)
{
    int fd = openat(spool, "objects", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;

    *fd_r = -1;
    if (fd < 0)
        return err_system(err, "the spool's folder objects");
    do
        r = flock(fd, alone ? LOCK_EX | LOCK_NB : LOCK_SH);
    while (r < 0 && errno == EINTR);
    if (r < 0 && !(alone && errno == EWOULDBLOCK)) {
        r = err_system(err, "the spool's folder objects cannot be locked");
        close(fd);
        return r;
    }
    if (r < 0)
        close(fd);
    else
        *fd_r = fd;
    return 0;
}

static void say(struct appliance *a, const char *words)
{
    if (a->say)
        a->say(a->ctx, words);
}

/* --- What goes ----------------------------------------------------------------------------- */

static void index_line(struct archiving *k, const struct store_transmission *t, const char *what,
                       const struct payload *p)
{
    time_t seconds = (time_t)(t->at / 1000);
    char name[2 * OBJECT_HASH + 1], time[32];
    struct tm tm = { 0 };

    if (p != &t->payload && p->size == 0)
        return;
    gmtime_r(&seconds, &tm);
    strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%SZ", &tm);
    object_name(p->hash, name);
    buf_printf(&k->index, "%s\t%s\tT%llu\t%s\t", name, what, (unsigned long long)t->id,
               t->direction == STORE_IN ? "in" : "out");
    buf_add_safe(&k->index, t->partner, 200);
    buf_printf(&k->index, "\t%s\t%llu\t", time, (unsigned long long)p->size);
    buf_add_safe(&k->index, t->name, 1000);
    buf_add_char(&k->index, '\n');
}

/* One more that goes, when it is of the month of the first. */
static int on_transmission(void *ctx, const struct store_transmission *t)
{
    struct archiving *k = ctx;
    time_t seconds = (time_t)(t->at / 1000);
    char month[16];
    struct tm tm = { 0 };

    gmtime_r(&seconds, &tm);
    if (strftime(month, sizeof(month), "%Y-%m", &tm) == 0)
        return err_set(k->err, ERR_INTERNAL, "T%llu is of no year", (unsigned long long)t->id);
    if (!k->taken)
        memcpy(k->month, month, sizeof(month));
    if (strcmp(month, k->month) != 0)
        return 0;
    k->id[k->taken++] = t->id;
    k->bytes += t->payload.size + t->records.size + t->findings.size;
    index_line(k, t, "payload", &t->payload);
    index_line(k, t, "records", &t->records);
    index_line(k, t, "findings", &t->findings);
    return k->index.failed ? err_nomem(k->err) : 0;
}

static int choose(struct archiving *k)
{
    int rc = 0;

    k->taken = 0;
    k->bytes = 0;
    buf_clear(&k->index);
    buf_add_text(&k->index, "sha256\twhat\ttransmission\tdirection\tpartner\ttime\tbytes\tname\n");
    for (uint32_t i = 0; rc == 0 && i < k->n && k->bytes < BATCH_BYTES; i++) {
        const struct store_query q = { .id = k->id[i], .limit = 1 };
        rc = store_transmissions(k->a->store, &q, on_transmission, k, k->err);
    }
    return rc;
}

/* --- The file ------------------------------------------------------------------------------- */

/* A path below archive/ under which nothing lies yet but what we began; it is in the ledger then. */
static int begin_file(struct archiving *k, char *path, size_t room, uint32_t *number, struct err *err)
{
    struct store *s = k->a->store;
    char whole[400];
    struct stat st;

    for (unsigned i = 1; i < FILES; i++) {
        bool again;
        int rc, n = i == 1 ? snprintf(path, room, "%s/%.*s.zip", k->month, SLICE_FMT(k->partner))
                           : snprintf(path, room, "%s/%.*s.%u.zip", k->month, SLICE_FMT(k->partner), i);
        if (n < 0 || (size_t)n >= room)
            return err_set(err, ERR_LIMIT, "the name of partner %.*s is too long for a file", SLICE_FMT(k->partner));
        snprintf(whole, sizeof(whole), "archive/%s", path);
        rc = store_begin(s, err);
        if (rc < 0)
            return rc;
        rc = store_archive_begin(s, slice_of(path), number, &again, err);
        if (rc == 0 && (again || fstatat(k->a->spool, whole, &st, AT_SYMLINK_NOFOLLOW) < 0))
            return store_commit(s, err);
        store_rollback(s);
        if (rc < 0 && rc != ERR_LIMIT)
            return rc;
    }
    return err_set(err, ERR_LIMIT, "archive/%s has too many files of %.*s", k->month, SLICE_FMT(k->partner));
}

/* What cannot be read any more stays where it is, and is told of. */
static int add_member(struct archiving *k, struct zip_writer *w, const struct payload *p, struct err *err)
{
    char name[2 * OBJECT_HASH + 1], words[sizeof(((struct err *)NULL)->text) + 40];
    struct err why = { 0 };
    int fd = -1, rc = p->size >= OBJECT_SMALL ? object_verify(k->a->objects, p, &why) : 0;

    if (rc == 0)
        rc = object_read(k->a->objects, p, &fd, &why);
    if (rc == ERR_DATA || rc == ERR_MISSING) {
        snprintf(words, sizeof(words), "cannot go to the archive: %s", why.text);
        say(k->a, words);
        return store_say(k->a->store, k->partner, SLICE("archive"), slice_of(words), err);
    }
    if (rc < 0)
        return err_set(err, rc, "%s", why.text);
    object_name(p->hash, name);
    rc = zip_add(w, name, p->size, store_now(k->a->store) / 1000, fd, &k->offset[k->n_moved], err);
    if (rc == 0)
        k->moved[k->n_moved++] = *p;
    close(fd);
    return rc;
}

/* In tmp/, synced. */
static int write_file(struct archiving *k, struct err *err)
{
    uint32_t n = k->n_moved;
    struct zip_writer *w = NULL;
    int rc, tmp = openat(k->a->spool, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (tmp < 0)
        return err_system(err, "the spool's folder tmp");
    unlinkat(tmp, UNDER_WAY, 0);
    rc = zip_begin(tmp, UNDER_WAY, &w, err);
    if (rc == 0)
        rc = zip_add_text(w, "index.tsv", buf_slice(&k->index), store_now(k->a->store) / 1000, err);
    k->n_moved = 0;
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        const struct payload p = k->moved[i];
        rc = add_member(k, w, &p, err);
    }
    if (rc == 0)
        rc = zip_end(&w, err);
    zip_abandon(&w);
    if (rc < 0)
        unlinkat(tmp, UNDER_WAY, 0);
    close(tmp);
    return rc;
}

/* The folder of the month, made and safe. */
static int open_month(struct archiving *k, int *fd_r, struct err *err)
{
    int archive = openat(k->a->spool, "archive", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc = 0;

    *fd_r = -1;
    if (archive < 0)
        return err_system(err, "the spool's folder archive");
    if (mkdirat(archive, k->month, 0700) < 0 && errno != EEXIST)
        rc = err_system(err, "archive/%s: cannot be made", k->month);
    else if (fsync(archive) < 0)
        rc = err_system(err, "archive: cannot be synced");
    else if ((*fd_r = openat(archive, k->month, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
        rc = err_system(err, "archive/%s", k->month);
    close(archive);
    return rc;
}

/* What the disk gives back, and not what memory still knows of it. */
static int read_back(struct archiving *k, int folder, const char *name, struct err *err)
{
    uint64_t members;
    int rc, fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return err_system(err, "archive/%s/%s", k->month, name);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    rc = zip_verify(fd, &members, err);
    close(fd);
    if (rc == 0 && members != k->n_moved)
        rc = err_set(err, ERR_DATA, "archive/%s/%s: %llu payloads are in it, not %u", k->month, name,
                     (unsigned long long)members, k->n_moved);
    return rc;
}

static int place_file(struct archiving *k, const char *path, struct err *err)
{
    const char *name = path + strlen(k->month) + 1;
    int folder, rc = open_month(k, &folder, err);
    char from[40];

    if (rc < 0)
        return rc;
    snprintf(from, sizeof(from), "tmp/%s", UNDER_WAY);
    if (renameat(k->a->spool, from, folder, name) < 0)
        rc = err_system(err, "archive/%s: cannot get its name", path);
    else if (fsync(folder) < 0)
        rc = err_system(err, "archive/%s: cannot be synced", k->month);
    else
        rc = read_back(k, folder, name, err);
    close(folder);
    return rc;
}

/* --- A batch --------------------------------------------------------------------------------- */

/* Those that are done with; which of their payloads go. */
static int age_all(struct archiving *k, struct err *err)
{
    int rc = 0;

    k->n_moved = 0;
    for (uint32_t i = 0; rc == 0 && i < k->taken; i++) {
        unsigned n;
        rc = store_age(k->a->store, k->id[i], &k->moved[k->n_moved], &n, err);
        k->n_moved += rc == 0 ? n : 0;
    }
    return rc;
}

static int tell_ledger(struct archiving *k, uint32_t number, const char *path, struct err *err)
{
    char words[500];
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < k->n_moved; i++)
        rc = store_archived(k->a->store, &k->moved[i], number, k->offset[i], err);
    snprintf(words, sizeof(words), "%u payloads of %u transmissions: archive/%s", k->n_moved, k->taken, path);
    if (rc == 0)
        rc = store_archive_end(k->a->store, number, k->n_moved, k->partner, slice_of(words), err);
    if (rc == 0)
        say(k->a, words);
    return rc;
}

static int remove_segments(struct appliance *a, uint32_t *n_r, struct err *err)
{
    uint32_t segment[CONDEMNED], n = 0;
    int rc = store_begin(a->store, err);

    *n_r = 0;
    if (rc == 0)
        rc = store_segments_empty(a->store, segment, CONDEMNED, &n, err);
    if (rc == 0)
        rc = store_commit(a->store, err);
    store_rollback(a->store);
    for (uint32_t i = 0; rc == 0 && i < n; i++)
        rc = object_remove_segment(a->objects, segment[i], err);
    *n_r = rc == 0 ? n : 0;
    return rc;
}

static int move_batch(struct archiving *k, struct err *err)
{
    uint32_t number = 0, ignored;
    char path[300] = "";
    int rc = begin_file(k, path, sizeof(path), &number, err);

    if (rc == 0)
        rc = store_begin(k->a->store, err);
    if (rc == 0)
        rc = age_all(k, err);
    if (rc == 0 && k->n_moved)
        rc = write_file(k, err);
    if (rc == 0 && k->n_moved)
        rc = place_file(k, path, err);
    if (rc == 0 && k->n_moved)
        rc = tell_ledger(k, number, path, err);
    if (rc == 0)
        rc = store_commit(k->a->store, err);
    store_rollback(k->a->store);
    for (uint32_t i = 0; rc == 0 && i < k->n_moved; i++)
        rc = object_remove(k->a->objects, &k->moved[i], err);
    return rc == 0 ? remove_segments(k->a, &ignored, err) : rc;
}

/* --- The stages ------------------------------------------------------------------------------- */

static int on_partner(void *ctx, struct slice name)
{
    struct archiving *k = ctx;
    const struct partner *p = home_partner(k->a->home, name);
    uint64_t keep = p ? p->keep : KEEP;
    store_time now = store_now(k->a->store), before;
    int rc;

    if (k->a->stop && k->a->stop(k->a->ctx))
        return 0;
    if (keep > (uint64_t)now / 1000)
        return 0;
    before = now - (store_time)keep * 1000;
    rc = store_aged(k->a->store, name, before - (store_time)keep * 1000 / LITTLE, k->id, 1, &k->n, k->err);
    if (rc < 0 || k->n == 0)
        return rc;
    rc = store_aged(k->a->store, name, before, k->id, BATCH, &k->n, k->err);
    k->partner = name.n ? name : SLICE("nobody");
    if (rc == 0)
        rc = choose(k);
    if (rc == 0 && k->taken)
        rc = move_batch(k, k->err);
    if (rc == 0)
        k->done += k->taken;
    return rc;
}

int archive_work(struct appliance *a, uint32_t *done_r, struct err *err)
{
    struct archiving *k = NULL;
    int fd, rc = archive_lock(a->spool, true, &fd, err);

    *done_r = 0;
    if (rc < 0 || fd < 0)
        return rc;
    k = calloc(1, sizeof(*k));
    if (!k) {
        close(fd);
        return err_nomem(err);
    }
    k->a = a;
    k->err = err;
    buf_init(&k->index, 64 << 20);
    rc = store_partners(a->store, on_partner, k, err);
    *done_r = k->done;
    buf_deinit(&k->index);
    free(k);
    close(fd);
    return rc;
}

static int condemn(struct appliance *a, uint32_t *n_r, struct err *err)
{
    struct payload p[CONDEMNED];
    uint32_t n = 0;
    int rc = store_begin(a->store, err);

    *n_r = 0;
    if (rc == 0)
        rc = store_payload_condemn(a->store, store_now(a->store) - (store_time)GRACE * 1000, p, CONDEMNED, &n, err);
    if (rc == 0)
        rc = store_commit(a->store, err);
    store_rollback(a->store);
    for (uint32_t i = 0; rc == 0 && i < n; i++)
        rc = object_remove(a->objects, &p[i], err);
    *n_r = rc == 0 ? n : 0;
    return rc;
}

static bool is_known(void *ctx, const uint8_t *hash, uint32_t segment)
{
    return store_payload_known(ctx, hash, segment);
}

int garbage_work(struct appliance *a, uint32_t *done_r, struct err *err)
{
    uint32_t payloads = 0, segments = 0;
    uint64_t files = 0;
    char words[100];
    int fd, rc = archive_lock(a->spool, true, &fd, err);

    *done_r = 0;
    if (rc < 0 || fd < 0)
        return rc;
    rc = condemn(a, &payloads, err);
    if (rc == 0)
        rc = remove_segments(a, &segments, err);
    if (rc == 0)
        rc = objects_tidy(a->objects, is_known, a->store, &files, err);
    close(fd);
    *done_r = payloads + segments;
    if (rc == 0 && (payloads || segments || files)) {
        snprintf(words, sizeof(words), "removed what nothing names: %llu payloads, %u segments",
                 (unsigned long long)payloads + files, segments);
        say(a, words);
    }
    return rc;
}
