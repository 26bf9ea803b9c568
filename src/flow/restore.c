/*
 * restore: see backup.h. This file makes a home of a backup.
 *
 * All files are copied, but for waybill.conf; payloads are compared; the ledger is told; waybill.conf comes last. So
 * what is broken off is no home, and nothing ever runs on it.
 */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "flow/backup_inside.h"
#include "flow/folder.h"

enum { PATH = 4096, DEPTH = 20, BLOCK = 64 << 10, PAGE = 500 };

/* Where bytes come from: a file, or a member of a tar. */
struct from {
    int fd;
    struct archive *tar;
};

struct restoring {
    const struct restore_options *o;
    struct backup_told *told;
    struct err *err;
    int home;
    struct buf manifest, conf;
    bool has_conf;
    char made[40], hash[2 * OBJECT_HASH + 1];
    char spool[PATH];
    struct store *store;
    struct objects *objects;
    char reason[200];
    struct {
        store_id id;
        enum transmission_state state;
        bool source;
    } page[PAGE];
    unsigned n;
    char block[BLOCK];
};

/* --- Files ---------------------------------------------------------------------------------------- */

static ssize_t take(struct restoring *r, struct from *f)
{
    ssize_t n;

    if (f->tar)
        return archive_read_data(f->tar, r->block, BLOCK);
    do
        n = read(f->fd, r->block, BLOCK);
    while (n < 0 && errno == EINTR);
    return n;
}

static int take_failed(struct from *f, const char *name, struct err *err)
{
    if (!f->tar)
        return err_system(err, "%s", name);
    if (archive_errno(f->tar) == ENOMEM)
        return err_nomem(err);
    return err_set(err, ERR_DATA, "%s: the backup is damaged: %s", name,
                   archive_error_string(f->tar) ? archive_error_string(f->tar) : "libarchive does not say how");
}

static int take_text(struct restoring *r, struct from *f, const char *name, struct buf *b, struct err *err)
{
    ssize_t n;

    buf_clear(b);
    while ((n = take(r, f)) > 0)
        buf_add(b, r->block, (size_t)n);
    if (n < 0)
        return take_failed(f, name, err);
    return b->failed == ERR_LIMIT ? err_set(err, ERR_DATA, "%s: is too large", name) : b->failed ? err_nomem(err) : 0;
}

/* Nothing comes to lie anywhere but below the home, in the folders that a backup has. */
static bool is_ours(const char *name)
{
    static const char *const folders[] = { "spool/objects/", "spool/segments/", "spool/archive/",
                                           "partners/",      "maps/",           "keys/" };

    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.') || n > 255)
            return false;
        p += n;
        if (*p == '/' && !*++p)
            return false;
    }
    for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        if (strncmp(name, folders[i], strlen(folders[i])) == 0)
            return true;
    return strcmp(name, "spool/ledger") == 0;
}

static int take_file(struct restoring *r, struct from *f, const char *name, struct err *err)
{
    bool config = strncmp(name, "partners/", 9) == 0 || strncmp(name, "maps/", 5) == 0;
    int fd, rc;
    ssize_t n = 0;

    if (strcmp(name, "backup") == 0)
        return take_text(r, f, name, &r->manifest, err);
    if (strcmp(name, "waybill.conf") == 0) {
        r->has_conf = true;
        return take_text(r, f, name, &r->conf, err);
    }
    if (!is_ours(name))
        return err_set(err, ERR_DATA, "%.300s: is no part of a backup", name);
    rc = backup_open_file(r->home, name, config ? 0640 : 0600, &fd, err);
    while (rc == 0 && (n = take(r, f)) > 0)
        rc = file_write_all(fd, r->block, (size_t)n, err);
    if (rc == 0 && n < 0)
        rc = take_failed(f, name, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int take_tree(struct restoring *r, int at, const char *folder, const char *as, unsigned depth, struct err *err)
{
    int rc = 0, fd = openat(at, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (!d) {
        rc = err_system(err, "%s", folder);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (rc == 0 && (errno = 0, e = readdir(d)) != NULL) {
        struct from f = { .fd = -1 };
        char name[PATH];
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if ((size_t)snprintf(name, sizeof(name), "%s%s%s", as, *as ? "/" : "", e->d_name) >= sizeof(name) ||
            depth == DEPTH)
            rc = err_set(err, ERR_DATA, "%s: folders in folders are too deep", as);
        else if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            rc = err_system(err, "%s", name);
        else if (S_ISDIR(st.st_mode))
            rc = take_tree(r, dirfd(d), e->d_name, name, depth + 1, err);
        else if (!S_ISREG(st.st_mode))
            rc = err_set(err, ERR_DATA, "%s: is no part of a backup", name);
        else if ((f.fd = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
            rc = err_system(err, "%s", name);
        else
            rc = take_file(r, &f, name, err);
        if (f.fd >= 0)
            close(f.fd);
    }
    closedir(d);
    return rc;
}

static int take_tar(struct restoring *r, struct err *err)
{
    struct from f = { .fd = -1, .tar = archive_read_new() };
    struct archive_entry *e;
    int rc = 0, got = ARCHIVE_EOF;

    if (!f.tar)
        return err_nomem(err);
    archive_read_support_format_tar(f.tar);
    /* by name: "all" would start other programs, too */
    archive_read_support_filter_gzip(f.tar);
    archive_read_support_filter_bzip2(f.tar);
    archive_read_support_filter_xz(f.tar);
    archive_read_support_filter_zstd(f.tar);
    if (archive_read_open_filename(f.tar, r->o->path, BLOCK) != ARCHIVE_OK)
        rc = take_failed(&f, r->o->path, err);
    while (rc == 0 && (got = archive_read_next_header(f.tar, &e)) == ARCHIVE_OK) {
        const char *name = archive_entry_pathname(e);
        if (archive_entry_filetype(e) == AE_IFDIR)
            continue;
        if (!name || archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e))
            rc = err_set(err, ERR_DATA, "%.300s: is no part of a backup", name ? name : r->o->path);
        else
            rc = take_file(r, &f, name, err);
    }
    if (rc == 0 && got != ARCHIVE_EOF)
        rc = take_failed(&f, r->o->path, err);
    archive_read_free(f.tar);
    return rc;
}

static int no_manifest(const struct restoring *r, struct err *err)
{
    return err_set(err, ERR_DATA, "%s: is no backup, or one that was broken off: the file `backup` is missing",
                   r->o->path);
}

/* What `backup` says: it must be there, and of a form that we know. */
static int read_manifest(struct restoring *r, struct err *err)
{
    struct slice rest = buf_slice(&r->manifest), line;
    bool more = rest.n > 0, known = false;

    while (more) {
        line = slice_cut(rest, '\n', &rest, &more);
        if (slice_is(line, "waybill-backup 1"))
            known = true;
        if (slice_starts(line, SLICE("made ")) && line.n - 5 < sizeof(r->made))
            snprintf(r->made, sizeof(r->made), "%.*s", SLICE_FMT(slice_from(line, 5)));
        if (slice_starts(line, SLICE("ledger ")) && line.n - 7 < sizeof(r->hash))
            snprintf(r->hash, sizeof(r->hash), "%.*s", SLICE_FMT(slice_from(line, 7)));
    }
    if (!r->manifest.n)
        return no_manifest(r, err);
    if (!known || !r->made[0])
        return err_set(err, ERR_DATA, "%s: is a backup of a form that this Waybill does not know", r->o->path);
    return r->has_conf ? 0 : err_set(err, ERR_DATA, "%s: waybill.conf is missing", r->o->path);
}

static int take_all(struct restoring *r, struct err *err)
{
    char hash[2 * OBJECT_HASH + 1], path[PATH + 20];
    struct stat st;
    int rc;

    if (stat(r->o->path, &st) < 0)
        return err_system(err, "%s", r->o->path);
    snprintf(path, sizeof(path), "%s/backup", r->o->path);
    if (S_ISDIR(st.st_mode) && access(path, F_OK) < 0)
        return no_manifest(r, err); /* and what is there may be litter */
    rc = S_ISDIR(st.st_mode) ? take_tree(r, AT_FDCWD, r->o->path, "", 0, err) : take_tar(r, err);
    if (rc == 0)
        rc = read_manifest(r, err);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof(path), "%s/ledger", r->spool);
    rc = backup_hash_file(path, hash, err);
    if (rc == 0 && strcmp(hash, r->hash) != 0)
        rc = err_set(err, ERR_DATA, "%s: the ledger is damaged: its bytes are others", r->o->path);
    return rc;
}

/* --- Payloads ------------------------------------------------------------------------------------- */

static int path_of_archive(void *ctx, uint32_t archive, struct buf *path, struct err *err)
{
    return store_archive_path(ctx, archive, path, err);
}

static int on_payload(void *ctx, const struct payload *p)
{
    struct restoring *r = ctx;
    struct err why = { 0 };
    int rc = object_verify(r->objects, p, &why);

    r->told->payloads++;
    r->told->bytes += p->size;
    if (rc == 0)
        return 0;
    if (rc != ERR_DATA && rc != ERR_MISSING)
        return err_set(r->err, rc, "%s", why.text);
    r->told->damaged++;
    if (r->o->say)
        r->o->say(r->o->ctx, why.text);
    return 0;
}

static int compare_payloads(struct restoring *r, struct err *err)
{
    int rc = objects_open(r->spool, false, &r->objects, err);

    if (rc == 0) {
        objects_archives(r->objects, path_of_archive, r->store);
        rc = store_payloads(r->store, on_payload, r, err);
    }
    objects_close(&r->objects);
    return rc;
}

/* --- The ledger ------------------------------------------------------------------------------------- */

static int on_transmission(void *ctx, const struct store_transmission *t)
{
    struct restoring *r = ctx;

    r->page[r->n].id = t->id;
    r->page[r->n].source = t->source.path.n > 0;
    r->page[r->n++].state = t->state;
    return 0;
}

static int on_delivery(void *ctx, const struct store_delivery *d)
{
    struct restoring *r = ctx;

    r->page[r->n++].id = d->id;
    return 0;
}

/* One that had not been read, or had not left. */
static int hold_transmission(struct restoring *r, unsigned i, struct err *err)
{
    store_id id = r->page[i].id;
    int rc = 0;

    if (r->page[i].state == TRANSMISSION_ARRIVED && r->page[i].source)
        rc = store_clear(r->store, id, err);
    if (r->page[i].state == TRANSMISSION_LAID)
        rc = store_retry(r->store, id, 0, slice_of(r->reason), err);
    return rc == 0 ? store_hold(r->store, TRANSMISSION, id, HELD_RESTORED, slice_of(r->reason), err) : rc;
}

/* A page at a time, each a batch; what is held is no more among what is asked for. */
static int hold_all(struct restoring *r, enum thing thing, uint32_t states, struct err *err)
{
    const struct store_query q = { .states = states, .limit = PAGE };
    int rc;

    do {
        r->n = 0;
        rc = thing == TRANSMISSION ? store_transmissions(r->store, &q, on_transmission, r, err)
                                   : store_deliveries(r->store, &q, on_delivery, r, err);
        if (rc == 0)
            rc = store_begin(r->store, err);
        for (unsigned i = 0; rc == 0 && i < r->n; i++)
            rc = thing == TRANSMISSION
                     ? hold_transmission(r, i, err)
                     : store_hold(r->store, DELIVERY, r->page[i].id, HELD_RESTORED, slice_of(r->reason), err);
        if (rc == 0)
            rc = store_commit(r->store, err);
        store_rollback(r->store);
        r->told->held += rc == 0 ? r->n : 0;
    } while (rc == 0 && r->n == PAGE);
    return rc;
}

static int tell_ledger(struct restoring *r, struct err *err)
{
    char words[200];
    int rc;

    snprintf(r->reason, sizeof(r->reason), "restored from the backup of %s; it may have been done since", r->made);
    rc = hold_all(r, TRANSMISSION, STATE(TRANSMISSION, ARRIVED) | STATE(TRANSMISSION, MADE) | STATE(TRANSMISSION, LAID),
                  err);
    if (rc == 0)
        rc = hold_all(r, DELIVERY, STATE(DELIVERY, WAITING), err);
    if (rc == 0)
        rc = store_begin(r->store, err);
    if (rc == 0)
        rc = store_skip(r->store, r->o->skip, err);
    snprintf(words, sizeof(words), "from the backup of %s; numbers go on higher by %u; %llu held", r->made, r->o->skip,
             (unsigned long long)r->told->held);
    if (rc == 0)
        rc = store_say(r->store, slice(NULL, 0), SLICE("restore"), slice_of(words), err);
    if (rc == 0)
        rc = store_commit(r->store, err);
    store_rollback(r->store);
    return rc;
}

/* --- The home ----------------------------------------------------------------------------------------- */

static int make_folders(struct restoring *r, struct err *err)
{
    static const struct {
        const char *name;
        mode_t mode;
    } folders[] = { { "partners", 0750 }, { "maps", 0750 }, { "keys", 0700 } };
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < sizeof(folders) / sizeof(folders[0]); i++)
        if (mkdirat(r->home, folders[i].name, folders[i].mode) < 0 && errno != EEXIST)
            rc = err_system(err, "%s/%s: cannot be made", r->o->home, folders[i].name);
    return rc == 0 ? objects_make(r->spool, err) : rc;
}

/* What it says of other folders is no longer so: all lies in this one. */
static bool names_folder(struct slice line)
{
    static const char *const keywords[] = { "partners", "keys", "spool" };

    while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
        line = slice_from(line, 1);
    for (unsigned i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        size_t n = strlen(keywords[i]);
        if (slice_starts(line, slice_of(keywords[i])) && (line.n == n || line.p[n] == ' ' || line.p[n] == '\t'))
            return true;
    }
    return false;
}

static int write_conf(struct restoring *r, struct err *err)
{
    struct slice rest = buf_slice(&r->conf), line;
    struct buf text;
    bool more = true;
    int rc;

    buf_init(&text, 2 * LIMIT_CONFIG_FILE);
    while (more) {
        line = slice_cut(rest, '\n', &rest, &more);
        if (names_folder(line))
            buf_add_text(&text, "# before it was restored: ");
        buf_add_slice(&text, line);
        if (more)
            buf_add_char(&text, '\n');
    }
    rc = text.failed ? err_nomem(err) : folder_write_file(r->home, "waybill.conf", 0640, buf_slice(&text), err);
    if (rc > 0)
        rc = err_set(err, ERR_IO, "%s/waybill.conf: is there already", r->o->home);
    buf_deinit(&text);
    return rc;
}

static int restore(struct restoring *r, struct err *err)
{
    const struct store_options options = { .write = true, .who = r->o->who };
    int rc = backup_empty_folder(r->o->home, err);

    if (rc == ERR_USAGE)
        return err_set(err, rc,
                       "%s: is not empty; what a restore that was broken off left there has to be removed first",
                       r->o->home);
    if (rc == 0 && (size_t)snprintf(r->spool, sizeof(r->spool), "%s/spool", r->o->home) >= sizeof(r->spool))
        rc = err_set(err, ERR_USAGE, "%s: the name is too long", r->o->home);
    if (rc == 0 && (r->home = open(r->o->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        rc = err_system(err, "%s", r->o->home);
    if (rc == 0)
        rc = take_all(r, err);
    if (rc == 0)
        rc = make_folders(r, err);
    if (rc == 0)
        rc = store_open(r->spool, &options, &r->store, err);
    if (rc == 0)
        rc = compare_payloads(r, err);
    if (rc == 0)
        rc = tell_ledger(r, err);
    store_close(&r->store);
    if (rc == 0 && syncfs(r->home) < 0)
        rc = err_system(err, "%s: cannot be synced", r->o->home);
    return rc == 0 ? write_conf(r, err) : rc;
}

int backup_restore(const struct restore_options *o, struct backup_told *told_r, struct err *err)
{
    struct restoring *r = calloc(1, sizeof(*r));
    int rc;

    *told_r = (struct backup_told){ 0 };
    if (!r)
        return err_nomem(err);
    r->o = o;
    r->told = told_r;
    r->err = err;
    r->home = -1;
    buf_init(&r->manifest, 1 << 20);
    buf_init(&r->conf, LIMIT_CONFIG_FILE);
    rc = restore(r, err);
    if (r->home >= 0)
        close(r->home);
    buf_deinit(&r->manifest);
    buf_deinit(&r->conf);
    free(r);
    return rc;
}
