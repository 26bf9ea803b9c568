/* zip: see zip.h. Read and written by libarchive, which is never given a path, only bytes. */
#include "spool/zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { BLOCK = 64 << 10, NAME = 2 * OBJECT_HASH + 1 };

/* --- Writing --------------------------------------------------------------------------------------------------- */

struct zip_writer {
    struct archive *zip;
    int fd;
    int failed; /* in a callback of libarchive's */
    struct err why;
    uint64_t written; /* gathered bytes included */
    size_t gathered;
    char out[BLOCK], in[BLOCK];
};

static int flush(struct zip_writer *w)
{
    int r = file_write_all(w->fd, w->out, w->gathered, &w->why);
    w->gathered = 0;
    return r;
}

/* libarchive forgets memory of its own when it is told that a write failed: so it is not, and whoever called it
 * asks. */
static la_ssize_t take(struct archive *zip, void *ctx, const void *p, size_t n)
{
    struct zip_writer *w = ctx;
    size_t left = n;
    const char *from = p;

    (void)zip;
    while (left && !w->failed) {
        size_t part = left < BLOCK - w->gathered ? left : BLOCK - w->gathered;
        memcpy(w->out + w->gathered, from, part);
        w->gathered += part;
        from += part;
        left -= part;
        if (w->gathered == BLOCK)
            w->failed = flush(w);
    }
    w->written += n;
    return (la_ssize_t)n;
}

/* What libarchive says, or what failed below it. */
static int write_failed(struct zip_writer *w, struct err *err)
{
    if (w->failed)
        return err_set(err, w->failed, "a file of the archive cannot be written: %s", w->why.text);
    if (archive_errno(w->zip) == ENOMEM)
        return w->failed = err_nomem(err);
    w->failed = ERR_IO;
    return err_set(err, ERR_IO, "a file of the archive cannot be written: %s",
                   archive_error_string(w->zip) ? archive_error_string(w->zip) : "libarchive does not say why");
}

int zip_begin(int folder, const char *name, struct zip_writer **w_r, struct err *err)
{
    struct zip_writer *w = calloc(1, sizeof(*w));
    int r = 0;

    *w_r = NULL;
    if (!w)
        return err_nomem(err);
    w->fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (w->fd < 0)
        r = err_system(err, "%s: cannot be made", name);
    else if (!(w->zip = archive_write_new()))
        r = err_nomem(err);
    /* nothing is held back below us, so that we know where each member begins */
    else if (archive_write_set_format_zip(w->zip) != ARCHIVE_OK ||
             archive_write_set_bytes_per_block(w->zip, 0) != ARCHIVE_OK ||
             archive_write_open(w->zip, w, NULL, take, NULL) != ARCHIVE_OK)
        r = write_failed(w, err);
    if (r < 0) {
        zip_abandon(&w);
        return r;
    }
    *w_r = w;
    return 0;
}

static int begin_member(struct zip_writer *w, const char *name, uint64_t size, int64_t seconds, struct err *err)
{
    struct archive_entry *e = archive_entry_new();
    int r = 0;

    if (!e)
        return err_nomem(err);
    archive_entry_set_pathname(e, name);
    archive_entry_set_size(e, (la_int64_t)size);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0600);
    archive_entry_set_mtime(e, seconds, 0);
    if (archive_write_header(w->zip, e) != ARCHIVE_OK || w->failed)
        r = write_failed(w, err);
    archive_entry_free(e);
    return r;
}

static int add_bytes(struct zip_writer *w, const void *p, size_t n, struct err *err)
{
    if (n && (archive_write_data(w->zip, p, n) != (la_ssize_t)n || w->failed))
        return write_failed(w, err);
    return 0;
}

static int end_member(struct zip_writer *w, struct err *err)
{
    return archive_write_finish_entry(w->zip) == ARCHIVE_OK && !w->failed ? 0 : write_failed(w, err);
}

int zip_add(struct zip_writer *w, const char *name, uint64_t size, int64_t seconds, int from, uint64_t *offset_r,
            struct err *err)
{
    int r;

    *offset_r = w->written;
    r = begin_member(w, name, size, seconds, err);
    while (r == 0 && size) {
        ssize_t n = read(from, w->in, size < BLOCK ? (size_t)size : BLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            r = n < 0 ? err_system(err, "%s: cannot be read", name)
                      : err_set(err, ERR_DATA, "%s: is shorter than it was", name);
        else
            r = add_bytes(w, w->in, (size_t)n, err);
        size -= n > 0 ? (size_t)n : 0;
    }
    return r < 0 ? r : end_member(w, err);
}

int zip_add_text(struct zip_writer *w, const char *name, struct slice text, int64_t seconds, struct err *err)
{
    int r = begin_member(w, name, text.n, seconds, err);
    if (r == 0)
        r = add_bytes(w, text.p, text.n, err);
    return r < 0 ? r : end_member(w, err);
}

int zip_end(struct zip_writer **writer, struct err *err)
{
    struct zip_writer *w = *writer;
    int r = 0;

    if (w->failed || archive_write_close(w->zip) != ARCHIVE_OK || w->failed)
        r = write_failed(w, err);
    if (r == 0 && (w->failed = flush(w)) < 0)
        r = write_failed(w, err);
    if (r == 0 && fsync(w->fd) < 0)
        r = err_system(err, "a file of the archive cannot be synced");
    zip_abandon(writer);
    return r;
}

void zip_abandon(struct zip_writer **writer)
{
    struct zip_writer *w = *writer;

    *writer = NULL;
    if (!w)
        return;
    if (w->zip) {
        w->failed = w->failed ? w->failed : ERR_IO; /* nothing is written any more */
        archive_write_free(w->zip);
    }
    if (w->fd >= 0)
        close(w->fd);
    free(w);
}

/* --- Reading --------------------------------------------------------------------------------------------------- */

struct reading {
    struct archive *zip;
    int fd;
    uint64_t at;
    int failed; /* errno of a read */
    char in[BLOCK];
};

static la_ssize_t give(struct archive *zip, void *ctx, const void **p_r)
{
    struct reading *g = ctx;
    ssize_t n;

    do
        n = pread(g->fd, g->in, BLOCK, (off_t)g->at);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        g->failed = errno;
        archive_set_error(zip, errno, "cannot be read");
        return -1;
    }
    g->at += (uint64_t)n;
    *p_r = g->in;
    return n;
}

static la_int64_t skip(struct archive *zip, void *ctx, la_int64_t n)
{
    (void)zip;
    ((struct reading *)ctx)->at += (uint64_t)n;
    return n;
}

static la_int64_t seek(struct archive *zip, void *ctx, la_int64_t to, int whence)
{
    struct reading *g = ctx;
    struct stat st;

    if (whence == SEEK_CUR)
        to += (la_int64_t)g->at;
    if (whence == SEEK_END && fstat(g->fd, &st) == 0)
        to += st.st_size;
    if (to < 0) {
        archive_set_error(zip, EINVAL, "a place before the file");
        return ARCHIVE_FATAL;
    }
    g->at = (uint64_t)to;
    return to;
}

static int read_failed(struct reading *g, struct err *err)
{
    if (g->failed) {
        errno = g->failed;
        return err_system(err, "a file of the archive cannot be read");
    }
    if (archive_errno(g->zip) == ENOMEM)
        return err_nomem(err);
    return err_set(err, ERR_DATA, "a file of the archive is damaged: %s",
                   archive_error_string(g->zip) ? archive_error_string(g->zip) : "libarchive does not say how");
}

/* From a member on, or the whole by its table of contents. */
static int open_reading(struct reading *g, int fd, uint64_t at, bool whole, struct err *err)
{
    g->fd = fd;
    g->at = at;
    g->failed = 0;
    g->zip = archive_read_new();
    if (!g->zip)
        return err_nomem(err);
    if ((whole ? archive_read_support_format_zip_seekable(g->zip)
               : archive_read_support_format_zip_streamable(g->zip)) != ARCHIVE_OK ||
        archive_read_set_read_callback(g->zip, give) != ARCHIVE_OK ||
        archive_read_set_skip_callback(g->zip, skip) != ARCHIVE_OK ||
        (whole && archive_read_set_seek_callback(g->zip, seek) != ARCHIVE_OK) ||
        archive_read_set_callback_data(g->zip, g) != ARCHIVE_OK || archive_read_open1(g->zip) != ARCHIVE_OK)
        return read_failed(g, err);
    return 0;
}

/* 1: a member, its name in *name_r until the next; 0: there is none left. */
static int next_member(struct reading *g, const char **name_r, struct err *err)
{
    struct archive_entry *e;
    int r = archive_read_next_header(g->zip, &e);

    if (r == ARCHIVE_EOF)
        return 0;
    if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
        return read_failed(g, err);
    *name_r = archive_entry_pathname(e);
    if (!*name_r)
        *name_r = "";
    return 1;
}

static int hand_over(struct reading *g, int (*bytes)(void *ctx, struct slice bytes, struct err *err), void *ctx,
                     struct err *err)
{
    for (;;) {
        const void *p;
        size_t n;
        la_int64_t at;
        int r = archive_read_data_block(g->zip, &p, &n, &at);
        if (r == ARCHIVE_EOF)
            return 0;
        if (r != ARCHIVE_OK)
            return read_failed(g, err);
        r = n ? bytes(ctx, slice(p, n), err) : 0;
        if (r < 0)
            return r;
    }
}

int zip_get(int fd, const uint8_t hash[OBJECT_HASH], uint64_t offset,
            int (*bytes)(void *ctx, struct slice bytes, struct err *err), void *ctx, struct err *err)
{
    struct reading *g = calloc(1, sizeof(*g));
    char name[NAME];
    const char *found = "";
    int r;

    if (!g)
        return err_nomem(err);
    object_name(hash, name);
    r = open_reading(g, fd, offset, false, NULL);
    if (r == 0)
        r = next_member(g, &found, NULL);
    if (r != 1 || strcmp(found, name) != 0) {
        archive_read_free(g->zip);
        r = open_reading(g, fd, 0, true, err);
        while (r == 0 && (r = next_member(g, &found, err)) == 1 && strcmp(found, name) != 0)
            r = 0;
        if (r == 0)
            r = err_set(err, ERR_MISSING, "payload %s is not in it", name);
    }
    if (r == 1)
        r = hand_over(g, bytes, ctx, err);
    archive_read_free(g->zip);
    free(g);
    return r;
}

static int digest_bytes(void *ctx, struct slice bytes, struct err *err)
{
    return EVP_DigestUpdate(ctx, bytes.p, bytes.n) ? 0 : err_set(err, ERR_INTERNAL, "SHA-256 failed");
}

static int verify_member(struct reading *g, const char *name, EVP_MD_CTX *digest, uint64_t *members, struct err *err)
{
    uint8_t hash[OBJECT_HASH];
    char found[NAME], promised[NAME];
    int r;

    if (strlen(name) != NAME - 1 || strspn(name, "0123456789abcdef") != NAME - 1)
        return 0;
    memcpy(promised, name, NAME);
    if (!EVP_DigestInit_ex2(digest, EVP_sha256(), NULL))
        return err_nomem(err);
    r = hand_over(g, digest_bytes, digest, err);
    if (r < 0)
        return r;
    if (!EVP_DigestFinal_ex(digest, hash, NULL))
        return err_set(err, ERR_INTERNAL, "SHA-256 failed");
    object_name(hash, found);
    if (strcmp(found, promised) != 0)
        return err_set(err, ERR_DATA, "payload %s is damaged: its bytes are others", promised);
    ++*members;
    return 0;
}

int zip_verify(int fd, uint64_t *members_r, struct err *err)
{
    struct reading *g = calloc(1, sizeof(*g));
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    const char *name;
    int r = g && digest ? open_reading(g, fd, 0, true, err) : err_nomem(err);

    *members_r = 0;
    while (r == 0 && (r = next_member(g, &name, err)) == 1)
        r = verify_member(g, name, digest, members_r, err);
    if (g)
        archive_read_free(g->zip);
    EVP_MD_CTX_free(digest);
    free(g);
    return r;
}
