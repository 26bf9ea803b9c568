/*
 * backup: see backup.h. This file makes one.
 *
 * In this order: payloads are kept from being removed (archive_lock), the ledger is copied, then what that copy names;
 * last of all `backup`. Segments grow meanwhile: what they are longer by is named by nobody. Files of the archive are
 * copied as they are.
 */
#include "flow/backup.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "flow/archive.h"
#include "flow/backup_inside.h"
#include "flow/folder.h"

enum { PATH = 4096, DEPTH = 16, BLOCK = 64 << 10, NUMBERS = 64 << 20 };

/* Where it goes: a folder, or a tar. */
struct copying {
    struct appliance *a;
    const struct backup_options *o;
    struct backup_told *told;
    struct err *err;
    int folder; /* -1: a tar */
    struct archive *tar;
    int fd;            /* of the tar */
    char part[PATH];   /* its name until it is whole */
    char ledger[PATH]; /* the folder with the copy of the ledger */
    bool ledger_apart; /* it is to be removed */
    struct store *copy;
    struct buf segments, archives;  /* sets: a bit each */
    int failed;                     /* what writing the tar failed with */
    struct err why;
    char hash[2 * OBJECT_HASH + 1]; /* of the ledger's copy */
    char block[BLOCK];
};

static bool is_tar(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".tar") == 0;
}

/* --- Where it goes ------------------------------------------------------------------------------ */

int backup_open_file(int folder, const char *name, mode_t mode, int *fd_r, struct err *err)
{
    char path[PATH];

    *fd_r = -1;
    if (strlen(name) >= sizeof(path))
        return err_set(err, ERR_LIMIT, "%s: the name is too long", name);
    memcpy(path, name, strlen(name) + 1);
    for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        if (mkdirat(folder, path, mode & 0040 ? 0750 : 0700) < 0 && errno != EEXIST)
            return err_system(err, "%s: cannot be made", path);
        *p = '/';
    }
    *fd_r = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    return *fd_r < 0 ? err_system(err, "%s: cannot be made", name) : 0;
}

/* libarchive forgets memory of its own when it is told that a write failed: so it is not, and whoever called it
 * asks. */
static la_ssize_t take(struct archive *tar, void *ctx, const void *p, size_t n)
{
    struct copying *k = ctx;

    (void)tar;
    if (!k->failed)
        k->failed = file_write_all(k->fd, p, n, &k->why);
    return (la_ssize_t)n;
}

static int tar_failed(struct copying *k, struct err *err)
{
    if (k->failed)
        return err_set(err, k->failed, "%s cannot be written: %s", k->o->path, k->why.text);
    if (archive_errno(k->tar) == ENOMEM)
        return err_nomem(err);
    return err_set(err, ERR_IO, "%s cannot be written: %s", k->o->path,
                   archive_error_string(k->tar) ? archive_error_string(k->tar) : "libarchive does not say why");
}

static int tar_header(struct copying *k, const char *name, uint64_t size, int64_t seconds, struct err *err)
{
    struct archive_entry *e = archive_entry_new();
    int rc;

    if (!e)
        return err_nomem(err);
    archive_entry_set_pathname(e, name);
    archive_entry_set_size(e, (la_int64_t)size);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0600);
    archive_entry_set_mtime(e, seconds, 0);
    rc = archive_write_header(k->tar, e) == ARCHIVE_OK && !k->failed ? 0 : tar_failed(k, err);
    archive_entry_free(e);
    return rc;
}

/* `size` bytes that `from` gives, from where it stands. */
static int put_file(struct copying *k, const char *name, int from, uint64_t size, struct err *err)
{
    struct timespec now;
    int to = -1, rc;

    clock_gettime(CLOCK_REALTIME, &now);
    rc = k->tar ? tar_header(k, name, size, now.tv_sec, err) : backup_open_file(k->folder, name, 0600, &to, err);
    while (rc == 0 && size) {
        ssize_t n = read(from, k->block, size < BLOCK ? (size_t)size : BLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            rc = n < 0 ? err_system(err, "%s: cannot be read", name) : err_set(err, ERR_IO, "%s: became shorter", name);
        else if (!k->tar)
            rc = file_write_all(to, k->block, (size_t)n, err);
        else if (archive_write_data(k->tar, k->block, (size_t)n) != n || k->failed)
            rc = tar_failed(k, err);
        size -= n > 0 ? (size_t)n : 0;
    }
    if (to >= 0)
        close(to);
    return rc;
}

static int put_text(struct copying *k, const char *name, struct slice text, struct err *err)
{
    struct timespec now;
    int rc;

    if (!k->tar) {
        rc = folder_write_file(k->folder, name, 0600, text, err);
        return rc > 0 ? err_set(err, ERR_IO, "%s/%s: is there already", k->o->path, name) : rc;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    rc = tar_header(k, name, text.n, now.tv_sec, err);
    if (rc == 0 && (archive_write_data(k->tar, text.p, text.n) != (la_ssize_t)text.n || k->failed))
        rc = tar_failed(k, err);
    return rc;
}

/* A file of the spool, or anywhere: as long as it is now. */
static int put_path(struct copying *k, int folder, const char *path, const char *name, struct err *err)
{
    int rc, fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return err_system(err, "%s", path);
    if (fstat(fd, &st) < 0)
        rc = err_system(err, "%s", path);
    else
        rc = S_ISREG(st.st_mode) ? put_file(k, name, fd, (uint64_t)st.st_size, err)
                                 : err_set(err, ERR_IO, "%s: is no file", path);
    close(fd);
    return rc;
}

int backup_empty_folder(const char *path, struct err *err)
{
    struct dirent *e = NULL;
    DIR *d;

    if (mkdir(path, 0700) == 0)
        return 0;
    if (errno != EEXIST || !(d = opendir(path)))
        return err_system(err, "%s", path);
    while ((e = readdir(d)) && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0))
        ;
    closedir(d);
    return e ? err_set(err, ERR_USAGE, "%s: is not empty", path) : 0;
}

static int begin_tar(struct copying *k, struct err *err)
{
    if (access(k->o->path, F_OK) == 0)
        return err_set(err, ERR_USAGE, "%s: is there already", k->o->path);
    if ((size_t)snprintf(k->part, sizeof(k->part), "%s.part", k->o->path) >= sizeof(k->part) ||
        (size_t)snprintf(k->ledger, sizeof(k->ledger), "%s.XXXXXX", k->o->path) >= sizeof(k->ledger))
        return err_set(err, ERR_USAGE, "%s: the name is too long", k->o->path);
    k->fd = open(k->part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (k->fd < 0)
        return err_system(err, "%s: cannot be made", k->part);
    if (!mkdtemp(k->ledger)) {
        k->ledger[0] = 0;
        return err_system(err, "a folder beside %s cannot be made", k->o->path);
    }
    k->ledger_apart = true;
    k->tar = archive_write_new();
    if (!k->tar)
        return err_nomem(err);
    if (archive_write_set_format_gnutar(k->tar) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(k->tar, 1) != ARCHIVE_OK || /* as for any file: no more than it needs */
        archive_write_open(k->tar, k, NULL, take, NULL) != ARCHIVE_OK)
        return tar_failed(k, err);
    return 0;
}

static int begin_folder(struct copying *k, struct err *err)
{
    int rc = backup_empty_folder(k->o->path, err);

    if (rc < 0)
        return rc;
    if ((size_t)snprintf(k->ledger, sizeof(k->ledger), "%s/spool", k->o->path) >= sizeof(k->ledger))
        return err_set(err, ERR_USAGE, "%s: the name is too long", k->o->path);
    k->folder = open(k->o->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (k->folder < 0)
        return err_system(err, "%s", k->o->path);
    return mkdir(k->ledger, 0700) < 0 ? err_system(err, "%s", k->ledger) : 0;
}

/* The folder that a file is in. */
static int sync_folder_of(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char above[PATH] = ".";
    int fd, rc;

    if (slash)
        snprintf(above, sizeof(above), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    rc = folder_open(AT_FDCWD, above, &fd, err);
    if (rc == 0) {
        rc = folder_sync(fd, err);
        close(fd);
    }
    return rc;
}

/* Nothing of it is there before all of it is. */
static int end(struct copying *k, struct slice manifest, struct err *err)
{
    int rc;

    if (k->folder >= 0 && syncfs(k->folder) < 0)
        return err_system(err, "%s: cannot be synced", k->o->path);
    rc = put_text(k, "backup", manifest, err);
    if (rc < 0 || !k->tar)
        return rc;
    if (archive_write_close(k->tar) != ARCHIVE_OK || k->failed)
        return tar_failed(k, err);
    if (fsync(k->fd) < 0)
        return err_system(err, "%s: cannot be synced", k->part);
    if (rename(k->part, k->o->path) < 0)
        return err_system(err, "%s: cannot get its name", k->o->path);
    k->part[0] = 0;
    return sync_folder_of(k->o->path, err);
}

/* --- What goes ------------------------------------------------------------------------------------ */

static bool add_number(struct buf *set, uint32_t n)
{
    size_t at = n / 8;

    if (at >= set->n) {
        char *p = buf_reserve(set, at + 1 - set->n);
        if (!p)
            return false;
        memset(p, 0, at + 1 - set->n);
        set->n = at + 1;
    }
    set->p[at] = (char)((unsigned char)set->p[at] | 1u << n % 8);
    return true;
}

static void tell(struct copying *k, const char *words)
{
    k->told->damaged++;
    if (k->o->say)
        k->o->say(k->o->ctx, words);
}

static int on_payload(void *ctx, const struct payload *p)
{
    struct copying *k = ctx;
    char name[2 * OBJECT_HASH + 1], path[2 * OBJECT_HASH + 20];
    struct err why = { 0 };
    int fd, rc;

    k->told->payloads++;
    k->told->bytes += p->size;
    if (p->archive || p->segment)
        return add_number(p->archive ? &k->archives : &k->segments, p->archive ? p->archive : p->segment)
                   ? 0
                   : err_nomem(k->err);
    rc = object_read(k->a->objects, p, &fd, &why);
    if (rc == ERR_MISSING || rc == ERR_DATA) {
        tell(k, why.text);
        return 0;
    }
    if (rc < 0)
        return err_set(k->err, rc, "%s", why.text);
    object_name(p->hash, name);
    snprintf(path, sizeof(path), "spool/objects/%.2s/%s", name, name + 2);
    rc = put_file(k, path, fd, p->size, k->err);
    close(fd);
    return rc;
}

/* Each number of a set. */
static int put_numbered(struct copying *k, const struct buf *set, bool segments, struct err *err)
{
    struct buf path;
    int rc = 0;

    buf_init(&path, PATH);
    for (size_t i = 0; rc == 0 && i < set->n * 8; i++) {
        if (!((unsigned char)set->p[i / 8] >> i % 8 & 1))
            continue;
        buf_clear(&path);
        buf_add_text(&path, segments ? "spool/segments/" : "spool/archive/");
        if (segments)
            buf_printf(&path, "%06zu", i);
        else
            rc = store_archive_path(k->copy, (uint32_t)i, &path, err);
        if (rc == 0 && (!*buf_text(&path) || path.failed))
            rc = err_nomem(err);
        if (rc == 0 && faccessat(k->a->spool, path.p + strlen("spool/"), F_OK, 0) < 0 && errno == ENOENT) {
            buf_add_text(&path, ": is not there");
            tell(k, buf_text(&path));
        } else if (rc == 0) {
            rc = put_path(k, k->a->spool, path.p + strlen("spool/"), path.p, err);
        }
    }
    buf_deinit(&path);
    return rc;
}

/* All files below a folder; one that is not there is none. */
static int put_tree(struct copying *k, int at, const char *folder, const char *as, unsigned depth, struct err *err)
{
    int rc = 0, fd = openat(at, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (!d) {
        rc = errno == ENOENT && depth == 0 ? 0 : err_system(err, "%s", folder);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (rc == 0 && (errno = 0, e = readdir(d)) != NULL) {
        char name[PATH];
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if ((size_t)snprintf(name, sizeof(name), "%s/%s", as, e->d_name) >= sizeof(name) || depth == DEPTH)
            rc = err_set(err, ERR_LIMIT, "%s: folders in folders are too deep", as);
        else if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            rc = err_system(err, "%s", name);
        else if (S_ISDIR(st.st_mode))
            rc = put_tree(k, dirfd(d), e->d_name, name, depth + 1, err);
        else if (S_ISREG(st.st_mode))
            rc = put_path(k, dirfd(d), e->d_name, name, err);
    }
    closedir(d);
    return rc;
}

static int put_home(struct copying *k, struct err *err)
{
    const struct home_settings *s = home_settings(k->a->home);
    char path[PATH];
    int rc = put_tree(k, AT_FDCWD, s->partners, "partners", 0, err);

    if (rc == 0 && (size_t)snprintf(path, sizeof(path), "%s/maps", s->folder) < sizeof(path))
        rc = put_tree(k, AT_FDCWD, path, "maps", 0, err);
    if (rc == 0 && k->o->keys)
        rc = put_tree(k, AT_FDCWD, s->keys, "keys", 0, err);
    if (rc == 0 && (size_t)snprintf(path, sizeof(path), "%s/waybill.conf", s->folder) < sizeof(path))
        rc = put_path(k, AT_FDCWD, path, "waybill.conf", err);
    return rc;
}

int backup_hash_file(const char *path, char hash_r[2 * OBJECT_HASH + 1], struct err *err)
{
    int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    uint8_t hash[OBJECT_HASH];
    char block[BLOCK];
    ssize_t n = 0;

    if (fd < 0)
        rc = err_system(err, "%s", path);
    else if (!digest || !EVP_DigestInit_ex2(digest, EVP_sha256(), NULL))
        rc = err_nomem(err);
    while (rc == 0 && (n = read(fd, block, sizeof(block))) > 0)
        if (!EVP_DigestUpdate(digest, block, (size_t)n))
            rc = err_set(err, ERR_INTERNAL, "SHA-256 failed");
    if (rc == 0 && n < 0)
        rc = err_system(err, "%s", path);
    if (rc == 0 && !EVP_DigestFinal_ex(digest, hash, NULL))
        rc = err_set(err, ERR_INTERNAL, "SHA-256 failed");
    if (rc == 0)
        object_name(hash, hash_r);
    EVP_MD_CTX_free(digest);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* What SQLite leaves beside a ledger that was read. With it the folder would be no backup. */
static int remove_beside(const char *folder, struct err *err)
{
    static const char *const names[] = { "ledger-wal", "ledger-shm", "ledger-journal" };
    char path[PATH + 20];

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        if (unlink(path) < 0 && errno != ENOENT)
            return err_system(err, "%s", path);
    }
    return 0;
}

static int copy_all(struct copying *k, struct err *err)
{
    char path[PATH + 20];
    struct err why;
    int rc, left;

    snprintf(path, sizeof(path), "%s/ledger", k->ledger);
    rc = store_backup(k->a->store, path, err);
    if (rc == 0)
        rc = backup_hash_file(path, k->hash, err);
    if (rc == 0)
        rc = store_open(k->ledger, &(struct store_options){ .write = false }, &k->copy, err);
    if (rc == 0)
        rc = store_payloads(k->copy, on_payload, k, err);
    if (rc == 0)
        rc = put_numbered(k, &k->segments, true, err);
    if (rc == 0)
        rc = put_numbered(k, &k->archives, false, err);
    store_close(&k->copy);
    left = remove_beside(k->ledger, rc == 0 ? err : &why);
    rc = rc == 0 ? left : rc;
    if (rc == 0 && k->tar)
        rc = put_path(k, AT_FDCWD, path, "spool/ledger", err);
    return rc == 0 ? put_home(k, err) : rc;
}

static int write_manifest(struct copying *k, struct err *err)
{
    struct timespec now;
    struct buf text;
    struct tm tm = { 0 };
    char time[32];
    int rc;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%SZ", &tm);
    buf_init(&text, LIMIT_CONFIG_FILE);
    buf_printf(&text, "waybill-backup 1\nmade %s\nledger %s\nhome %s\n", time, k->hash,
               home_settings(k->a->home)->folder);
    rc = text.failed ? err_nomem(err) : end(k, buf_slice(&text), err);
    buf_deinit(&text);
    return rc;
}

static void leave(struct copying *k)
{
    char path[PATH + 20];

    if (k->tar)
        archive_write_free(k->tar);
    if (k->fd >= 0)
        close(k->fd);
    if (k->part[0])
        unlink(k->part);
    if (k->ledger_apart) {
        snprintf(path, sizeof(path), "%s/ledger", k->ledger);
        unlink(path);
        rmdir(k->ledger);
    }
    if (k->folder >= 0)
        close(k->folder);
    buf_deinit(&k->segments);
    buf_deinit(&k->archives);
    free(k);
}

int backup_make(struct appliance *a, const struct backup_options *o, struct backup_told *told_r, struct err *err)
{
    struct copying *k = calloc(1, sizeof(*k));
    int lock = -1, rc;

    *told_r = (struct backup_told){ 0 };
    if (!k)
        return err_nomem(err);
    k->a = a;
    k->o = o;
    k->told = told_r;
    k->err = err;
    k->folder = k->fd = -1;
    buf_init(&k->segments, NUMBERS);
    buf_init(&k->archives, NUMBERS);
    rc = archive_lock(a->spool, false, &lock, err);
    if (rc == 0)
        rc = is_tar(o->path) ? begin_tar(k, err) : begin_folder(k, err);
    if (rc == 0)
        rc = copy_all(k, err);
    if (rc == 0)
        rc = write_manifest(k, err);
    leave(k);
    if (lock >= 0)
        close(lock);
    return rc;
}
