/*
 * objects: payloads on disk. See objects.h.
 *
 * A large one is written to tmp/, synced there and then renamed to its name, so nothing in objects/ is ever half
 * written, and what a failed fsync leaves has no name and is forgotten. A small one is appended to the segment that
 * this writer opened. Until objects_sync() nobody has been promised anything: when it fails, the segment is left as it
 * is, never written again, and the next small payload opens another.
 *
 * Folders below objects/ are made when first needed and synced into objects/ before anything is put into them.
 * Never truncates, never writes over: bytes that a failed write left in a segment stay there, named by nobody.
 *
 * The ledger's lock keeps other writers out, not this. Not for several threads at once.
 */
#include "spool/objects.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "spool/zip.h"

enum {
    PATH = 4096,
    RECENT = 1024,              /* payloads remembered until the next sync; what falls out is written twice, no more */
    NAME = 2 * OBJECT_HASH + 1,
    PIECE = 256 << 10,          /* read at a time */
    LISTED = 64 << 10           /* files remembered until objects_tidy() */
};

struct objects {
    char *path;                 /* of the spool, for words only */
    int spool, objects, segments, tmp;  /* folders; tmp: -1 for readers */
    EVP_MD *sha256;
    EVP_MD_CTX *digest;         /* for what is read */
    uint32_t highest;           /* segment there is or was */
    bool looked;                /* at those there are */
    uint32_t segment;           /* open for appending; 0: none */
    int segment_fd;
    uint64_t end;               /* of it */
    bool new_segment;           /* segments/ has to be synced */
    bool unsynced;              /* the segment has to be */
    bool added;                 /* something was, since it was opened */
    uint64_t folders[4];        /* of objects/, to be synced: one bit each */
    uint64_t temporary;         /* names given in tmp/ */
    uint8_t (*listed)[OBJECT_HASH];     /* files that were added, since objects_tidy() */
    size_t n_listed;
    bool unlisted;              /* some are not there */
    int (*archive_path)(void *ctx, uint32_t archive, struct buf *path_r, struct err *err);
    void *archive_ctx;
    struct payload recent[];    /* of a writer: RECENT, by hash; size UINT64_MAX: free */
};

struct object_writer {
    struct objects *o;
    EVP_MD_CTX *digest;
    uint64_t size;
    struct buf small;           /* all of it, as long as it is small */
    int fd;                     /* in tmp/, when it is not; -1 */
    char name[24];              /* there */
    int failed;
};

void object_name(const uint8_t hash[OBJECT_HASH], char name_r[NAME])
{
    static const char digit[] = "0123456789abcdef";
    for (unsigned i = 0; i < OBJECT_HASH; i++) {
        name_r[2 * i] = digit[hash[i] >> 4];
        name_r[2 * i + 1] = digit[hash[i] & 15];
    }
    name_r[2 * OBJECT_HASH] = 0;
}

/* "ab/cdef…": below objects/. */
static void name_of_file(const uint8_t hash[OBJECT_HASH], char name_r[NAME + 1])
{
    char name[NAME];
    object_name(hash, name);
    snprintf(name_r, NAME + 1, "%.2s/%s", name, name + 2);
}

static bool hash_of(const char *folder, const char *name, uint8_t hash_r[OBJECT_HASH])
{
    for (unsigned i = 0; i < 2 * OBJECT_HASH; i++) {
        char c = i < 2 ? folder[i] : name[i - 2];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else
            return false;
        hash_r[i / 2] = (uint8_t)(i % 2 ? hash_r[i / 2] | digit : digit << 4);
    }
    return folder[2] == 0 && name[2 * OBJECT_HASH - 2] == 0;
}

static bool segment_of(const char *name, uint32_t *segment_r)
{
    uint64_t n;
    if (strlen(name) < 6 || !slice_number(slice_of(name), UINT32_MAX, &n) || n == 0 ||
        (name[0] == '0' && strlen(name) > 6))
        return false;
    *segment_r = (uint32_t)n;
    return true;
}

/* --- Calls that are interrupted -------------------------------------------------------------------------------- */

static int open_at(int folder, const char *name, int flags, mode_t mode)
{
    int fd;
    do
        fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* Being interrupted says nothing of the bytes; all else is final, for the kernel forgets what it could not write. */
static int sync_file(int fd, bool data_only)
{
    int r;
    do
        r = data_only ? fdatasync(fd) : fsync(fd);
    while (r < 0 && errno == EINTR);
    return r;
}

/* Writes all of it, or says with errno why not. */
static int put(int fd, struct slice s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC;
        if (n <= 0)
            return -1;
        s = slice_from(s, (size_t)n);
    }
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* --- Folders --------------------------------------------------------------------------------------------------- */

static int make_folder(int spool, const char *path, const char *name, mode_t mode, struct err *err)
{
    int fd, r = 0;
    bool made = mkdirat(spool, name, mode) == 0;

    if (!made && errno != EEXIST)
        return err_system(err, "%s/%s: cannot be made", path, name);
    fd = open_at(spool, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return err_system(err, "%s/%s: is no folder to work with", path, name);
    if (made && fchmod(fd, mode) < 0) /* whatever the umask took away */
        r = err_system(err, "%s/%s", path, name);
    close(fd);
    return r;
}

int objects_make(const char *spool, struct err *err)
{
    static const struct {
        const char *name;
        mode_t mode;
    } folders[] = {
        { "objects", 0700 }, { "segments", 0700 }, { "tmp", 0700 },
        { "archive", 0700 }, { "in", 0750 },       { "out", 0750 },
    };
    int fd, above, r = 0;

    if (mkdir(spool, 0700) < 0 && errno != EEXIST)
        return err_system(err, "%s: cannot be made", spool);
    fd = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_system(err, "%s", spool);
    for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]) && r == 0; i++)
        r = make_folder(fd, spool, folders[i].name, folders[i].mode, err);
    above = r == 0 ? open_at(fd, "..", O_RDONLY | O_DIRECTORY, 0) : -1;
    /* a folder above that we may enter but not read cannot be synced, and is not ours to care for */
    if (r == 0 && (sync_file(fd, false) < 0 || (above >= 0 && sync_file(above, false) < 0)))
        r = err_system(err, "%s: cannot be synced", spool);
    close_fd(&above);
    close(fd);
    return r;
}

/* Calls back for each name in a folder below `at` but "." and "..". A negative answer ends it and is returned. */
static int each_name(int at, const char *name, int (*each)(void *ctx, int folder, const char *name), void *ctx,
                     struct err *err)
{
    int r = 0, fd = open_at(at, name, O_RDONLY | O_DIRECTORY, 0);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (!d) {
        r = err_system(err, "%s: cannot be listed", name);
        close_fd(&fd);
        return r;
    }
    while (r == 0) {
        struct dirent *e;
        errno = 0;
        e = readdir(d);
        if (!e) {
            if (errno)
                r = err_system(err, "%s: cannot be listed", name);
            break;
        }
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            r = each(ctx, dirfd(d), e->d_name);
    }
    closedir(d);
    return r;
}

/* Folders that somebody put there stay: they are not ours. */
static int discard(int folder, const char *name)
{
    return unlinkat(folder, name, 0) == 0 || errno == ENOENT || errno == EISDIR || errno == EPERM ? 0 : -1;
}

static int discard_name(void *ctx, int folder, const char *name)
{
    if (discard(folder, name) < 0)
        return err_system(ctx, "tmp/%s: cannot be removed", name);
    return 0;
}

/* --- Opening --------------------------------------------------------------------------------------------------- */

static int open_folder(struct objects *o, const char *name, int *fd_r, struct err *err)
{
    *fd_r = open_at(o->spool, name, O_RDONLY | O_DIRECTORY, 0);
    if (*fd_r >= 0)
        return 0;
    if (errno == ENOENT)
        return err_set(err, ERR_MISSING, "%s: is no spool: %s is missing", o->path, name);
    return err_system(err, "%s/%s", o->path, name);
}

static void forget_recent(struct objects *o)
{
    for (unsigned i = 0; i < RECENT; i++)
        o->recent[i].size = UINT64_MAX;
}

int objects_open(const char *spool, bool write, struct objects **objects_r, struct err *err)
{
    struct objects *o = calloc(1, sizeof(*o) + (write ? RECENT * sizeof(o->recent[0]) : 0));
    int r = 0;

    *objects_r = NULL;
    if (!o)
        return err_nomem(err);
    o->spool = o->objects = o->segments = o->tmp = o->segment_fd = -1;
    o->path = strdup(spool);
    o->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    o->digest = EVP_MD_CTX_new();
    if (write)
        o->listed = malloc(LISTED * sizeof(*o->listed));    /* takes memory only where it is used */
    if (!o->path || !o->digest || (write && !o->listed)) {
        r = err_nomem(err);
    } else if (!o->sha256) {
        r = err_set(err, ERR_IO, "OpenSSL has no SHA-256 here");
    } else if ((o->spool = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        r = errno == ENOENT ? err_set(err, ERR_MISSING, "%s: there is no spool", spool) : err_system(err, "%s", spool);
    } else {
        r = open_folder(o, "objects", &o->objects, err);
        r = r < 0 ? r : open_folder(o, "segments", &o->segments, err);
    }
    if (r == 0 && write) {
        forget_recent(o);
        r = open_folder(o, "tmp", &o->tmp, err);
        r = r < 0 ? r : each_name(o->spool, "tmp", discard_name, err, err);
        /* the last writer may have been killed between making a folder and syncing the one above */
        if (r == 0 && (sync_file(o->spool, false) < 0 || sync_file(o->objects, false) < 0))
            r = err_system(err, "%s: cannot be synced", spool);
    }
    if (r < 0) {
        objects_close(&o);
        return r;
    }
    *objects_r = o;
    return 0;
}

void objects_close(struct objects **objects)
{
    struct objects *o = *objects;
    if (!o)
        return;
    close_fd(&o->segment_fd);
    close_fd(&o->tmp);
    close_fd(&o->segments);
    close_fd(&o->objects);
    close_fd(&o->spool);
    EVP_MD_CTX_free(o->digest);
    EVP_MD_free(o->sha256);
    free(o->listed);
    free(o->path);
    free(o);
    *objects = NULL;
}

void objects_segments_up_to(struct objects *o, uint32_t segment)
{
    o->highest = segment;
}

void objects_archives(struct objects *o, int (*path)(void *ctx, uint32_t archive, struct buf *path_r, struct err *err),
                      void *ctx)
{
    o->archive_path = path;
    o->archive_ctx = ctx;
}

/* --- Adding ---------------------------------------------------------------------------------------------------- */

static struct payload *recent_of(struct objects *o, const uint8_t hash[OBJECT_HASH])
{
    return &o->recent[(hash[0] | (unsigned)hash[1] << 8) % RECENT];
}

/* Whether it was added since the last sync. */
static bool is_recent(struct objects *o, const uint8_t hash[OBJECT_HASH], struct payload *payload_r)
{
    const struct payload *p = recent_of(o, hash);
    if (p->size == UINT64_MAX || memcmp(p->hash, hash, OBJECT_HASH) != 0)
        return false;
    *payload_r = *p;
    return true;
}

static int highest_segment(void *ctx, int folder, const char *name)
{
    uint32_t *highest = ctx, segment;
    (void)folder;
    if (segment_of(name, &segment) && segment > *highest)
        *highest = segment;
    return 0;
}

static int open_segment(struct objects *o, struct err *err)
{
    char name[16];
    int r;

    if (!o->looked && (r = each_name(o->spool, "segments", highest_segment, &o->highest, err)) < 0)
        return r;
    o->looked = true;
    if (o->highest == UINT32_MAX)
        return err_set(err, ERR_LIMIT, "%s/segments: there are no more numbers", o->path);
    snprintf(name, sizeof(name), "%06u", o->highest + 1);
    o->segment_fd = open_at(o->segments, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (o->segment_fd < 0)
        return err_system(err, "%s/segments/%s: cannot be made", o->path, name);
    o->segment = ++o->highest;
    o->end = 0;
    o->new_segment = true;
    return 0;
}

static void leave_segment(struct objects *o)
{
    close_fd(&o->segment_fd);
    o->segment = 0;
    o->new_segment = o->unsynced = false;
}

static int add_small(struct objects *o, struct slice bytes, struct payload *p, struct err *err)
{
    int r;

    if (o->segment == 0 && (r = open_segment(o, err)) < 0)
        return r;
    p->segment = o->segment;
    p->offset = o->end;
    o->unsynced = o->added = true;
    if (put(o->segment_fd, bytes) < 0) {
        off_t end;
        r = err_system(err, "%s/segments/%06u: cannot be written", o->path, o->segment);
        /* part of it may stand there: what comes next comes behind it */
        end = lseek(o->segment_fd, 0, SEEK_CUR);
        if (end >= 0)
            o->end = (uint64_t)end;
        return r;
    }
    o->end += bytes.n;
    *recent_of(o, p->hash) = *p;
    return 0;
}

int object_add(struct objects *o, struct slice bytes, struct payload *payload_r, struct err *err)
{
    struct object_writer *w;
    struct payload p = { .size = bytes.n };
    int r;

    if (o->tmp < 0)
        return err_set(err, ERR_USAGE, "%s: is open to be read only", o->path);
    if (bytes.n < OBJECT_SMALL) {
        if (!EVP_Digest(bytes.p ? bytes.p : "", bytes.n, p.hash, NULL, o->sha256, NULL))
            return err_nomem(err);
        if (is_recent(o, p.hash, payload_r))
            return 0;
        r = add_small(o, bytes, &p, err);
        if (r == 0)
            *payload_r = p;
        return r;
    }
    r = object_begin(o, &w, err);
    if (r < 0)
        return r;
    r = object_write(w, bytes, err);
    if (r < 0) {
        object_abandon(&w);
        return r;
    }
    return object_end(&w, payload_r, err);
}

int object_begin(struct objects *o, struct object_writer **writer_r, struct err *err)
{
    struct object_writer *w;

    *writer_r = NULL;
    if (o->tmp < 0)
        return err_set(err, ERR_USAGE, "%s: is open to be read only", o->path);
    w = calloc(1, sizeof(*w));
    if (!w)
        return err_nomem(err);
    w->o = o;
    w->fd = -1;
    buf_init(&w->small, OBJECT_SMALL);
    w->digest = EVP_MD_CTX_new();
    if (!w->digest || !EVP_DigestInit_ex2(w->digest, o->sha256, NULL)) {
        object_abandon(&w);
        return err_nomem(err);
    }
    *writer_r = w;
    return 0;
}

static int write_large(struct object_writer *w, struct slice bytes, struct err *err)
{
    struct objects *o = w->o;

    if (w->fd < 0) {
        snprintf(w->name, sizeof(w->name), "%llu", (unsigned long long)++o->temporary);
        w->fd = open_at(o->tmp, w->name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (w->fd < 0)
            return err_system(err, "%s/tmp/%s: cannot be made", o->path, w->name);
    }
    if (put(w->fd, buf_slice(&w->small)) < 0 || put(w->fd, bytes) < 0)
        return err_system(err, "%s/tmp/%s: cannot be written", o->path, w->name);
    buf_deinit(&w->small);
    return 0;
}

int object_write(struct object_writer *w, struct slice bytes, struct err *err)
{
    if (w->failed)
        return err_set(err, w->failed, "a payload that could not be written is written to");
    if (bytes.n == 0)
        return 0;
    if (!EVP_DigestUpdate(w->digest, bytes.p, bytes.n))
        return w->failed = err_set(err, ERR_INTERNAL, "SHA-256 failed");
    if (w->fd < 0 && w->size + bytes.n < OBJECT_SMALL) {
        buf_add_slice(&w->small, bytes);
        if (w->small.failed)
            return w->failed = err_nomem(err);
    } else {
        w->failed = write_large(w, bytes, err);
    }
    w->size += bytes.n;
    return w->failed;
}

static void list_added(struct objects *o, const uint8_t hash[OBJECT_HASH])
{
    if (o->n_listed < LISTED)
        memcpy(o->listed[o->n_listed++], hash, OBJECT_HASH);
    else
        o->unlisted = true;
}

/* Gives the synced file in tmp/ its name. If that is taken, by what the ledger does not know, the new file takes its
 * place: the old one may not be whole on the disk. */
static int place_file(struct object_writer *w, const uint8_t hash[OBJECT_HASH], struct err *err)
{
    struct objects *o = w->o;
    char name[NAME + 1], folder[3];
    int r;

    name_of_file(hash, name);
    memcpy(folder, name, 2);
    folder[2] = 0;
    r = renameat(o->tmp, w->name, o->objects, name);
    if (r < 0 && errno == ENOENT) {
        if (mkdirat(o->objects, folder, 0700) < 0 && errno != EEXIST)
            return err_system(err, "%s/objects/%s: cannot be made", o->path, folder);
        if (sync_file(o->objects, false) < 0) {
            r = err_system(err, "%s/objects: cannot be synced", o->path);
            unlinkat(o->objects, folder, AT_REMOVEDIR);     /* so that the next one makes it and syncs it anew */
            return r;
        }
        r = renameat(o->tmp, w->name, o->objects, name);
    }
    if (r < 0)
        return err_system(err, "%s/objects/%s: cannot get its name", o->path, name);
    close_fd(&w->fd);
    o->folders[hash[0] / 64] |= UINT64_C(1) << hash[0] % 64;
    o->added = true;
    list_added(o, hash);
    return 0;
}

int object_end(struct object_writer **writer, struct payload *payload_r, struct err *err)
{
    struct object_writer *w = *writer;
    struct objects *o = w->o;
    struct payload p = { .size = w->size };
    int r = w->failed;

    if (r < 0)
        err_set(err, r, "a payload that could not be written is ended");
    else if (!EVP_DigestFinal_ex(w->digest, p.hash, NULL))
        r = err_set(err, ERR_INTERNAL, "SHA-256 failed");
    else if (is_recent(o, p.hash, &p))
        r = 0;
    else if (w->fd < 0)
        r = add_small(o, buf_slice(&w->small), &p, err);
    else if (sync_file(w->fd, false) < 0)
        r = err_system(err, "%s/tmp/%s: cannot be synced", o->path, w->name);
    else if ((r = place_file(w, p.hash, err)) == 0)
        *recent_of(o, p.hash) = p;
    if (r == 0)
        *payload_r = p;
    object_abandon(writer);
    return r;
}

void object_abandon(struct object_writer **writer)
{
    struct object_writer *w = *writer;
    if (!w)
        return;
    if (w->fd >= 0)
        discard(w->o->tmp, w->name);    /* else the next start does */
    close_fd(&w->fd);
    buf_deinit(&w->small);
    EVP_MD_CTX_free(w->digest);
    free(w);
    *writer = NULL;
}

static int sync_folders(struct objects *o, struct err *err)
{
    for (unsigned i = 0; i < 256; i++) {
        char name[3];
        int fd, r = 0;
        if (!(o->folders[i / 64] >> i % 64 & 1))
            continue;
        snprintf(name, sizeof(name), "%02x", i);
        fd = open_at(o->objects, name, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0 || sync_file(fd, false) < 0)
            r = err_system(err, "%s/objects/%s: cannot be synced", o->path, name);
        close_fd(&fd);
        if (r < 0)
            return r;
    }
    return 0;
}

int objects_sync(struct objects *o, struct err *err)
{
    int r = 0;

    if (o->tmp < 0)
        return 0;
    if (o->unsynced && sync_file(o->segment_fd, true) < 0)
        r = err_system(err, "%s/segments/%06u: cannot be synced", o->path, o->segment);
    else if (o->new_segment && sync_file(o->segments, false) < 0)
        r = err_system(err, "%s/segments: cannot be synced", o->path);
    else
        r = sync_folders(o, err);
    o->new_segment = o->unsynced = false;
    memset(o->folders, 0, sizeof(o->folders));
    forget_recent(o);
    if (r < 0 || o->end >= LIMIT_SPOOL_SEGMENT)
        leave_segment(o);
    return r;
}

/* --- Reading --------------------------------------------------------------------------------------------------- */

static int damaged(struct objects *o, const struct payload *p, const char *how, struct err *err)
{
    char name[NAME];
    object_name(p->hash, name);
    if (p->archive)
        return err_set(err, ERR_DATA, "%s/archive: payload %s is damaged: %s", o->path, name, how);
    if (p->segment)
        return err_set(err, ERR_DATA, "%s/segments/%06u at byte %llu: payload %s is damaged: %s", o->path, p->segment,
                       (unsigned long long)p->offset, name, how);
    return err_set(err, ERR_DATA, "%s/objects: payload %s is damaged: %s", o->path, name, how);
}

/* The file that it is, or is in. */
static int open_payload(struct objects *o, const struct payload *p, int *fd_r, struct err *err)
{
    char name[NAME + 1];
    struct stat st;
    int r = 0;

    if (p->segment)
        snprintf(name, sizeof(name), "%06u", p->segment);
    else
        name_of_file(p->hash, name);
    *fd_r = open_at(p->segment ? o->segments : o->objects, name, O_RDONLY | O_NONBLOCK, 0);
    if (*fd_r < 0) {
        if (errno == ENOENT)
            return err_set(err, ERR_MISSING, "%s/%s/%s: is not there", o->path, p->segment ? "segments" : "objects",
                           name);
        return err_system(err, "%s/%s/%s", o->path, p->segment ? "segments" : "objects", name);
    }
    if (fstat(*fd_r, &st) < 0)
        r = err_system(err, "%s/%s/%s", o->path, p->segment ? "segments" : "objects", name);
    else if (!S_ISREG(st.st_mode))
        r = damaged(o, p, "there is something else than a file", err);
    else if (p->segment ? (uint64_t)st.st_size < p->offset || (uint64_t)st.st_size - p->offset < p->size
                        : (uint64_t)st.st_size != p->size)
        r = damaged(o, p, "its file has another size", err);
    if (r < 0)
        close_fd(fd_r);
    return r;
}

/* Reads n bytes at `at`. */
static int get(struct objects *o, const struct payload *p, int fd, char *to, size_t n, uint64_t at, struct err *err)
{
    while (n) {
        ssize_t done = pread(fd, to, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_system(err, "%s: a payload cannot be read", o->path);
        if (done == 0)
            return damaged(o, p, "its file has another size", err);
        to += done;
        n -= (size_t)done;
        at += (uint64_t)done;
    }
    return 0;
}

static int compare(struct objects *o, const struct payload *p, EVP_MD_CTX *digest, struct err *err)
{
    uint8_t hash[OBJECT_HASH];
    if (!EVP_DigestFinal_ex(digest, hash, NULL))
        return err_set(err, ERR_INTERNAL, "SHA-256 failed");
    return memcmp(hash, p->hash, OBJECT_HASH) == 0 ? 0 : damaged(o, p, "its bytes are others", err);
}

/* Reads it in pieces of at most `room` bytes and compares. */
static int read_and_compare(struct objects *o, const struct payload *p, int fd, char *to, size_t room, bool keep,
                            struct err *err)
{
    uint64_t at = 0;
    int r;

    if (!EVP_DigestInit_ex2(o->digest, o->sha256, NULL))
        return err_nomem(err);
    while (at < p->size) {
        size_t n = p->size - at < room ? (size_t)(p->size - at) : room;
        r = get(o, p, fd, to, n, p->offset + at, err);
        if (r < 0)
            return r;
        if (!EVP_DigestUpdate(o->digest, to, n))
            return err_set(err, ERR_INTERNAL, "SHA-256 failed");
        to += keep ? n : 0;
        at += n;
    }
    return compare(o, p, o->digest, err);
}

/* --- In the archive -------------------------------------------------------------------------------------------- */

/* Where the bytes of a member go: to one of the two, or nowhere. */
struct member {
    struct objects *o;
    const struct payload *p;
    uint64_t n;
    struct buf *buf;
    int fd;
};

static int on_member(void *ctx, struct slice bytes, struct err *err)
{
    struct member *m = ctx;

    m->n += bytes.n;
    if (m->n > m->p->size)
        return damaged(m->o, m->p, "it has another size", err);
    if (!EVP_DigestUpdate(m->o->digest, bytes.p, bytes.n))
        return err_set(err, ERR_INTERNAL, "SHA-256 failed");
    if (m->buf) {
        buf_add_slice(m->buf, bytes);
        return m->buf->failed ? err_nomem(err) : 0;
    }
    return m->fd >= 0 ? file_write_all(m->fd, bytes.p, bytes.n, err) : 0;
}

static int from_archive(struct objects *o, const struct payload *p, struct buf *buf, int to, struct err *err)
{
    struct member m = { .o = o, .p = p, .buf = buf, .fd = to };
    struct err own = { 0 };
    struct buf path;
    int r, fd = -1;

    if (!o->archive_path)
        return err_set(err, ERR_INTERNAL, "%s: nobody knows the files of the archive", o->path);
    buf_init(&path, PATH);
    buf_add_text(&path, "archive/");
    r = o->archive_path(o->archive_ctx, p->archive, &path, err);
    if (r == 0 && (!*buf_text(&path) || path.failed))
        r = err_nomem(err);
    if (r == 0 && (fd = open_at(o->spool, path.p, O_RDONLY | O_NONBLOCK, 0)) < 0)
        r = errno == ENOENT ? err_set(err, ERR_MISSING, "%s/%s: is not there", o->path, path.p)
                            : err_system(err, "%s/%s", o->path, path.p);
    if (r == 0 && !EVP_DigestInit_ex2(o->digest, o->sha256, NULL))
        r = err_nomem(err);
    if (r == 0 && (r = zip_get(fd, p->hash, p->offset, on_member, &m, &own)) < 0)
        r = r == ERR_NOMEM ? err_nomem(err) : err_set(err, r, "%s/%s: %s", o->path, path.p, own.text);
    if (r == 0 && m.n != p->size)
        r = damaged(o, p, "it has another size", err);
    if (r == 0)
        r = compare(o, p, o->digest, err);
    close_fd(&fd);
    buf_deinit(&path);
    return r;
}

int object_load(struct objects *o, const struct payload *p, struct buf *b, struct err *err)
{
    int r, fd;
    char *to;

    buf_clear(b);
    if (p->size > b->ceiling)
        return err_set(err, ERR_LIMIT, "a payload of %llu bytes is larger than %zu bytes", (unsigned long long)p->size,
                       b->ceiling);
    if (p->archive)
        return from_archive(o, p, b, -1, err);
    r = open_payload(o, p, &fd, err);
    if (r < 0)
        return r;
    to = buf_reserve(b, (size_t)p->size);
    if (!to && p->size)
        r = err_nomem(err);
    else
        r = read_and_compare(o, p, fd, to, PIECE, true, err);
    if (r == 0)
        b->n = (size_t)p->size;
    close(fd);
    return r;
}

int object_verify(struct objects *o, const struct payload *p, struct err *err)
{
    char *piece;
    int r, fd;

    if (p->archive)
        return from_archive(o, p, NULL, -1, err);
    r = open_payload(o, p, &fd, err);
    if (r < 0)
        return r;
    piece = malloc(PIECE);
    r = piece ? read_and_compare(o, p, fd, piece, PIECE, false, err) : err_nomem(err);
    free(piece);
    close(fd);
    return r;
}

/* A file in memory that holds b, read from its first byte. */
static int unnamed(const struct buf *b, int *fd_r, struct err *err)
{
    int r = file_scratch(b->n, fd_r, err);

    if (r < 0)
        return r;
    if (put(*fd_r, buf_slice(b)) < 0 || lseek(*fd_r, 0, SEEK_SET) < 0) {
        r = err_system(err, "a file in memory cannot be written");
        close_fd(fd_r);
        return r;
    }
    return 0;
}

/* A copy without a name of what lies in the archive. */
static int unpack_member(struct objects *o, const struct payload *p, int *fd_r, struct err *err)
{
    int r = file_scratch(p->size, fd_r, err);

    if (r == 0)
        r = from_archive(o, p, NULL, *fd_r, err);
    if (r == 0 && lseek(*fd_r, 0, SEEK_SET) < 0)
        r = err_system(err, "a payload from the archive");
    if (r < 0)
        close_fd(fd_r);
    return r;
}

int object_read(struct objects *o, const struct payload *p, int *fd_r, struct err *err)
{
    struct buf b;
    int r;

    *fd_r = -1;
    if (p->archive)
        return unpack_member(o, p, fd_r, err);
    if (p->segment == 0)
        return open_payload(o, p, fd_r, err);
    buf_init(&b, OBJECT_SMALL);
    r = object_load(o, p, &b, err);
    if (r == 0)
        r = unnamed(&b, fd_r, err);
    buf_deinit(&b);
    return r;
}

/* --- Removing -------------------------------------------------------------------------------------------------- */

int object_remove(struct objects *o, const struct payload *p, struct err *err)
{
    char name[NAME + 1];

    if (p->segment || p->archive) /* goes with the segment; stays in the archive */
        return 0;
    name_of_file(p->hash, name);
    if (unlinkat(o->objects, name, 0) < 0 && errno != ENOENT)
        return err_system(err, "%s/objects/%s: cannot be removed", o->path, name);
    if (o->tmp >= 0)
        recent_of(o, p->hash)->size = UINT64_MAX;
    return 0;
}

int object_remove_segment(struct objects *o, uint32_t segment, struct err *err)
{
    char name[16];

    if (segment == o->segment && segment != 0) {
        if (o->unsynced)
            return err_set(err, ERR_USAGE, "%s/segments/%06u: is being written", o->path, segment);
        leave_segment(o);
    }
    snprintf(name, sizeof(name), "%06u", segment);
    if (unlinkat(o->segments, name, 0) < 0 && errno != ENOENT)
        return err_system(err, "%s/segments/%s: cannot be removed", o->path, name);
    return 0;
}

struct sweep {
    struct objects *o;
    bool (*known)(void *ctx, const uint8_t *hash, uint32_t segment);
    void *ctx;
    const char *folder;         /* NULL: segments/ */
    uint64_t removed;
    struct err *err;
};

/* What has no name of ours is not ours. */
static int sweep_name(void *ctx, int folder, const char *name)
{
    struct sweep *s = ctx;
    uint8_t hash[OBJECT_HASH];
    uint32_t segment;

    if (s->folder ? !hash_of(s->folder, name, hash) || s->known(s->ctx, hash, 0)
                  : !segment_of(name, &segment) || s->known(s->ctx, NULL, segment))
        return 0;
    if (discard(folder, name) < 0)
        return err_system(s->err, "%s/%s: cannot be removed", s->folder ? s->folder : "segments", name);
    s->removed++;
    return 0;
}

static int sweep_folder(void *ctx, int folder, const char *name)
{
    struct sweep *s = ctx;
    struct stat st;

    if (strlen(name) != 2 || strspn(name, "0123456789abcdef") != 2)
        return 0;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
        return 0;
    s->folder = name;
    return each_name(s->o->objects, name, sweep_name, s, s->err);
}

int objects_sweep(struct objects *o, bool (*known)(void *ctx, const uint8_t *hash, uint32_t segment), void *ctx,
                  uint64_t *removed_r, struct err *err)
{
    struct sweep s = { .o = o, .known = known, .ctx = ctx, .err = err };
    int r;

    *removed_r = 0;
    if (o->tmp < 0 || o->added)
        return err_set(err, ERR_USAGE, "%s: is swept by a writer before it adds anything", o->path);
    r = each_name(o->spool, "segments", sweep_name, &s, err);
    r = r < 0 ? r : each_name(o->spool, "objects", sweep_folder, &s, err);
    *removed_r = s.removed;
    return r;
}

int objects_tidy(struct objects *o, bool (*known)(void *ctx, const uint8_t *hash, uint32_t segment), void *ctx,
                 uint64_t *removed_r, struct err *err)
{
    int r = 0;

    *removed_r = 0;
    for (size_t i = 0; i < o->n_listed && r == 0; i++) {
        struct payload p = { .size = 0 };
        if (known(ctx, o->listed[i], 0))
            continue;
        memcpy(p.hash, o->listed[i], OBJECT_HASH);
        r = object_remove(o, &p, err);
        *removed_r += r == 0;
    }
    if (r == 0)
        o->n_listed = 0;
    if (r == 0 && o->segment && !o->unsynced && !known(ctx, NULL, o->segment)) {
        r = object_remove_segment(o, o->segment, err);
        *removed_r += r == 0;
    }
    return r;
}

bool objects_untidy(const struct objects *o)
{
    return o->unlisted;
}
