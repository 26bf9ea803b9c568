/*
 * unpack: see unpack.h.
 *
 * A compressed file is a stream of bytes, read through zlib (libarchive does not look at gzip's checksums) or through
 * libarchive; what comes out of it is a tar, which is read from the stream in turn, or a single file. zip and 7z have a
 * table of contents behind their members and are read from the file itself.
 *
 * Three things keep a hostile bundle small: members and their bytes are counted as they come, against the bundle's own
 * size as well; so is what comes out of a stream, members or not; and only so much is read before the first member, for
 * libarchive keeps tables of contents in memory. libarchive's own memory is not bounded here (a 7z of some kilobytes
 * can ask for 8 GB): a limit of the process has to do that, RLIMIT_DATA, and then such a bundle is refused.
 *
 * Names are converted with a locale that has UTF-8, set for this thread and put back.
 */
#include "flow/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/limits.h"

enum { BLOCK = 64 << 10, WORDS = 300 };

enum format { FORMAT_NONE, FORMAT_ZIP, FORMAT_7Z, FORMAT_GZ, FORMAT_BZ2, FORMAT_XZ, FORMAT_TAR, FORMAT_END };

static const struct {
    const char *name;
    struct slice magic;
} formats[FORMAT_END] = {
    [FORMAT_ZIP] = { "zip", { "PK\3\4", 4 } },
    [FORMAT_7Z] = { "7z", { "7z\xbc\xaf\x27\x1c", 6 } },
    [FORMAT_GZ] = { "gz", { "\x1f\x8b\x08", 3 } },
    [FORMAT_BZ2] = { "bz2", { "BZh", 3 } },
    [FORMAT_XZ] = { "xz", { "\xfd\x37zXZ\0", 6 } },
    [FORMAT_TAR] = { "tar", { "", 0 } },
};

/* What comes out of a compressed file, or a plain one. */
struct stream {
    struct unpacking *u;
    uint64_t given;             /* bytes */
    z_stream z;
    gz_header head;
    char head_name[256];
    bool z_open, z_between;     /* between two parts, each with a header of its own */
    struct archive *archive;    /* bz2, xz */
    char out[BLOCK];
    size_t ahead;               /* bytes in out that were looked at and not taken */
    bool end;
};

struct unpacking {
    int fd;
    uint64_t at, size;          /* in the file, of it */
    struct slice name;
    const struct unpack_limits *limits;
    const struct unpack_sink *sink;
    enum format format;
    uint32_t seen, given;       /* members, folders and what was refused included; files */
    uint64_t total;             /* bytes of members */
    uint64_t contents;          /* bytes read before the first member */
    int failed;                 /* in a callback of libarchive's; the words are in err */
    struct err *err;
    struct stream stream;
    struct buf path, words;
    char in[BLOCK];             /* of the file */
    char member[BLOCK];
};

/* --- What it is ------------------------------------------------------------------------------------------------ */

/* The sum of a tar's header, its own field counted as blanks, stands in that field. */
static bool is_tar(struct slice s)
{
    uint64_t sum = 0, given = 0;
    unsigned i, digits = 0;

    if (s.n < 512)
        return false;
    for (i = 0; i < 512; i++)
        sum += i >= 148 && i < 156 ? ' ' : (unsigned char)s.p[i];
    for (i = 148; i < 156 && s.p[i] == ' '; i++)
        ;
    for (; i < 156 && s.p[i] >= '0' && s.p[i] <= '7'; i++, digits++)
        given = given * 8 + (uint64_t)(s.p[i] - '0');
    return digits && given == sum && s.p[0];
}

static enum format format_of(struct slice first)
{
    for (enum format f = FORMAT_ZIP; f < FORMAT_TAR; f++)
        if (slice_starts(first, formats[f].magic)) {
            if (f == FORMAT_BZ2 && (first.n < 10 || first.p[3] < '1' || first.p[3] > '9' ||
                                    (memcmp(first.p + 4, "\x31\x41\x59\x26\x53\x59", 6) != 0 &&
                                     memcmp(first.p + 4, "\x17\x72\x45\x38\x50\x90", 6) != 0)))
                return FORMAT_NONE;
            return f;
        }
    if (slice_starts(first, slice("PK\5\6", 4)) || slice_starts(first, slice("PK\7\10PK\3\4", 8))) /* empty; once split */
        return FORMAT_ZIP;
    return is_tar(first) ? FORMAT_TAR : FORMAT_NONE;
}

const char *unpack_format(struct slice first)
{
    return formats[format_of(first)].name;
}

struct unpack_limits unpack_limits(void)
{
    return (struct unpack_limits){ .members = LIMIT_BUNDLE_MEMBERS,
                                   .total = LIMIT_BUNDLE_TOTAL,
                                   .ratio = LIMIT_BUNDLE_RATIO,
                                   .name = LIMIT_BUNDLE_NAME };
}

/* --- Errors ---------------------------------------------------------------------------------------------------- */

static int damaged(struct unpacking *u, const char *how)
{
    return err_set(u->err, ERR_DATA, "the %s is damaged: %s", formats[u->format].name, how);
}

/* What libarchive says; it may quote the bundle. */
static int archive_failed(struct unpacking *u, struct archive *a)
{
    const char *words = archive_error_string(a);
    if (u->failed)
        return u->failed;
    if (archive_errno(a) == ENOMEM)
        return err_set(u->err, ERR_LIMIT, "the %s needs more memory than there is", formats[u->format].name);
    buf_clear(&u->words);
    buf_add_safe(&u->words, slice_of(words ? words : "it ends too early"), WORDS);
    return damaged(u, buf_text(&u->words));
}

/* Whether so many bytes may come out of it. */
static int check_total(struct unpacking *u, uint64_t total)
{
    if (total > u->limits->total)
        return err_set(u->err, ERR_LIMIT, "the %s holds more than %llu bytes", formats[u->format].name,
                       (unsigned long long)u->limits->total);
    if (total > LIMIT_BUNDLE_FREE && total / u->limits->ratio > u->size)
        return err_set(u->err, ERR_LIMIT, "the %s unpacks to more than %u times its size", formats[u->format].name,
                       u->limits->ratio);
    return 0;
}

/* --- Bytes ----------------------------------------------------------------------------------------------------- */

/* Reads a piece of the file into u->in. 0 bytes: it is at its end. */
static int read_file(struct unpacking *u, size_t *n_r)
{
    ssize_t got;

    *n_r = 0;
    if (u->seen == 0 && u->contents > LIMIT_BUNDLE_CONTENTS)
        return err_set(u->err, ERR_LIMIT, "the %s has a table of contents of more than %u bytes",
                       formats[u->format].name, LIMIT_BUNDLE_CONTENTS);
    do
        got = pread(u->fd, u->in, sizeof(u->in), (off_t)u->at);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_system(u->err, "the %s cannot be read", formats[u->format].name);
    u->at += (uint64_t)got;
    u->contents += (uint64_t)got;
    *n_r = (size_t)got;
    return 0;
}

static int inflate_piece(struct stream *s, size_t *n_r)
{
    struct unpacking *u = s->u;

    s->z.next_out = (unsigned char *)s->out;
    s->z.avail_out = sizeof(s->out);
    while (s->z.avail_out) {
        int r;
        if (s->z.avail_in == 0) {
            size_t n;
            r = read_file(u, &n);
            if (r < 0)
                return r;
            if (n == 0 && !s->z_between)
                return damaged(u, "it ends too early");
            if (n == 0)
                break;
            s->z.next_in = (unsigned char *)u->in;
            s->z.avail_in = (unsigned)n;
        }
        if (s->z_between) {
            if (*s->z.next_in == 0) { /* filled up with zeros, as on a tape */
                s->z.next_in++;
                s->z.avail_in--;
                continue;
            }
            inflateReset(&s->z);
            s->z_between = false;
        }
        r = inflate(&s->z, Z_NO_FLUSH);
        if (r == Z_MEM_ERROR)
            return err_nomem(u->err);
        if (r == Z_STREAM_END)
            s->z_between = true;
        else if (r != Z_OK && r != Z_BUF_ERROR)
            return damaged(u, s->z.msg ? s->z.msg : "it makes no sense");
    }
    *n_r = sizeof(s->out) - s->z.avail_out;
    return 0;
}

/* libarchive passes over what it does not know behind the end of a bz2: the beginning of another part, cut off, as
 * well. */
static int check_rest(struct unpacking *u, struct archive *a)
{
    size_t n = 0;
    int r;

    for (u->at = (uint64_t)archive_filter_bytes(a, -1); u->at < u->size;) {
        r = read_file(u, &n);
        if (r < 0 || n == 0)
            return r;
        for (size_t i = 0; i < n; i++)
            if (u->in[i])
                return damaged(u, "something stands behind its end");
    }
    return 0;
}

/* The next piece, which is valid until the one after it. Empty: it is at its end. */
static int stream_next(struct stream *s, struct slice *piece_r)
{
    struct unpacking *u = s->u;
    ssize_t got;
    size_t n = 0;
    int r = 0;

    *piece_r = slice(s->out, s->ahead);
    if (s->ahead) {
        s->ahead = 0;
        return 0;
    }
    if (s->end)
        return 0;
    if (s->z_open) {
        r = inflate_piece(s, &n);
    } else if (s->archive) {
        got = archive_read_data(s->archive, s->out, sizeof(s->out));
        n = got < 0 ? 0 : (size_t)got;
        r = got < 0 ? archive_failed(u, s->archive) : got == 0 ? check_rest(u, s->archive) : 0;
    } else {
        r = read_file(u, &n);
        *piece_r = slice(u->in, n);
        return r;
    }
    s->given += n;
    s->end = n == 0;
    if (r == 0)
        r = check_total(u, s->given);
    *piece_r = slice(s->out, n);
    return r;
}

/* What it begins with; it will come once more. */
static int stream_first(struct stream *s, struct slice *first_r)
{
    struct slice piece;
    int r = stream_next(s, &piece);

    s->ahead = piece.n; /* a whole block, if there is so much */
    *first_r = piece;
    return r;
}

/* --- What libarchive asks for ------------------------------------------------------------------------------------ */

static la_ssize_t archive_reads_file(struct archive *a, void *ctx, const void **bytes_r)
{
    struct unpacking *u = ctx;
    size_t n;
    u->failed = read_file(u, &n);
    if (u->failed) {
        archive_set_error(a, EIO, "reading failed");
        return -1;
    }
    *bytes_r = u->in;
    return (la_ssize_t)n;
}

static la_int64_t archive_seeks_file(struct archive *a, void *ctx, la_int64_t offset, int whence)
{
    struct unpacking *u = ctx;
    int64_t from = whence == SEEK_SET ? 0 : (int64_t)(whence == SEEK_CUR ? u->at : u->size), to;
    if (__builtin_add_overflow(from, offset, &to) || to < 0 || (uint64_t)to > u->size) {
        archive_set_error(a, EINVAL, "it names a place that it does not have");
        return ARCHIVE_FATAL;
    }
    u->at = (uint64_t)to;
    return to;
}

static la_ssize_t archive_reads_stream(struct archive *a, void *ctx, const void **bytes_r)
{
    struct unpacking *u = ctx;
    struct slice piece;
    u->failed = stream_next(&u->stream, &piece);
    if (u->failed) {
        archive_set_error(a, EIO, "reading failed");
        return -1;
    }
    *bytes_r = piece.p;
    return (la_ssize_t)piece.n;
}

static int stream_open(struct stream *s, struct unpacking *u)
{
    struct archive_entry *entry;
    int r;

    s->u = u;
    if (u->format == FORMAT_GZ) {
        s->head.name = (unsigned char *)s->head_name;
        s->head.name_max = sizeof(s->head_name) - 1;
        if (inflateInit2(&s->z, 15 + 16) != Z_OK)
            return err_nomem(u->err);
        s->z_open = true;
        inflateGetHeader(&s->z, &s->head);
    } else if (u->format != FORMAT_TAR) {
        s->archive = archive_read_new();
        /* this filter, once: one that is found by looking would be taken off as often as it is there */
        if (!s->archive ||
            archive_read_append_filter(s->archive, u->format == FORMAT_BZ2 ? ARCHIVE_FILTER_BZIP2
                                                                           : ARCHIVE_FILTER_XZ) != ARCHIVE_OK ||
            archive_read_support_format_raw(s->archive) != ARCHIVE_OK ||
            archive_read_support_format_empty(s->archive) != ARCHIVE_OK)
            return err_nomem(u->err);
        /* what cannot be read looks empty but for the error */
        if (archive_read_open2(s->archive, u, NULL, archive_reads_file, NULL, NULL) != ARCHIVE_OK ||
            archive_errno(s->archive) != 0)
            return archive_failed(u, s->archive);
        r = archive_read_next_header(s->archive, &entry);
        if (r < ARCHIVE_WARN)
            return archive_failed(u, s->archive);
        if (r == ARCHIVE_EOF) {
            s->end = true;
            return check_rest(u, s->archive);
        }
    }
    return 0;
}

static void stream_close(struct stream *s)
{
    if (s->z_open)
        inflateEnd(&s->z);
    archive_read_free(s->archive);
}

/* --- Members --------------------------------------------------------------------------------------------------- */

/* A label: its parts without "." and "..", drive and leading slash. At most `most` bytes of a part are shown. */
static int clean_path(struct unpacking *u, struct slice path)
{
    buf_clear(&u->path);
    while (path.n) {
        size_t n = 0;
        struct slice part;
        while (n < path.n && path.p[n] != '/' && path.p[n] != '\\')
            n++;
        part = slice(path.p, n);
        path = slice_from(path, n + 1);
        if (part.n == 0 || slice_is(part, ".") || slice_is(part, "..") || (part.n == 2 && part.p[1] == ':'))
            continue;
        if (u->path.n)
            buf_add_char(&u->path, '/');
        buf_add_safe(&u->path, part, u->limits->name);
    }
    if (u->path.n == 0)
        buf_add_text(&u->path, "unnamed");
    return u->path.failed ? err_nomem(u->err) : 0;
}

static int refuse(struct unpacking *u, const char *why)
{
    if (u->sink->refused)
        return u->sink->refused(u->sink->ctx, buf_slice(&u->path), slice_of(why), u->err);
    return err_set(u->err, ERR_DATA, "in the %s, \"%.200s\" %s", formats[u->format].name, buf_text(&u->path), why);
}

static const char *why_not(struct archive_entry *e)
{
    switch (archive_entry_filetype(e)) {
    case AE_IFLNK: return "is a symbolic link";
    case AE_IFCHR:
    case AE_IFBLK: return "is a device";
    case AE_IFIFO: return "is a pipe";
    case AE_IFSOCK: return "is a socket";
    }
    if (archive_entry_hardlink(e))
        return "is a link to another member";
    if (archive_entry_filetype(e) != AE_IFREG)
        return "is no file";
    if (archive_entry_is_encrypted(e))
        return "is encrypted";
    return NULL;
}

static int give(struct unpacking *u, struct slice bytes)
{
    int r = check_total(u, u->total += bytes.n);
    return r < 0 ? r : u->sink->data(u->sink->ctx, bytes, u->err);
}

static int give_member(struct unpacking *u, struct archive *a)
{
    int r = u->sink->begin(u->sink->ctx, buf_slice(&u->path), u->err);

    while (r == 0) {
        la_ssize_t n = archive_read_data(a, u->member, sizeof(u->member));
        if (n < 0)
            return archive_failed(u, a);
        if (n == 0)
            break;
        r = give(u, slice(u->member, (size_t)n));
    }
    if (r == 0)
        r = u->sink->end(u->sink->ctx, u->err);
    u->given++;
    return r;
}

static int take_member(struct unpacking *u, struct archive *a, struct archive_entry *e)
{
    const char *path = archive_entry_pathname_utf8(e), *why = why_not(e);
    la_int64_t size = archive_entry_size_is_set(e) ? archive_entry_size(e) : 0;
    bool folder = archive_entry_filetype(e) == AE_IFDIR;
    char words[60];
    int r;

    if (++u->seen > u->limits->members)
        return err_set(u->err, ERR_LIMIT, "the %s holds more than %u members", formats[u->format].name,
                       u->limits->members);
    /* what it says of its size, before anything of it is read or skipped */
    if (size < 0)
        return damaged(u, "a member has less than no bytes");
    if (__builtin_add_overflow(u->total, (uint64_t)size, &u->total))
        u->total = UINT64_MAX;
    r = check_total(u, u->total);
    if (r < 0 || folder)
        return r;
    path = path ? path : archive_entry_pathname(e);
    if (path && strlen(path) > u->limits->name) {
        snprintf(words, sizeof(words), "has a name of %zu bytes", strlen(path));
        why = words;
        r = clean_path(u, slice(path, u->limits->name));
    } else {
        r = clean_path(u, slice_of(path));
    }
    if (r < 0 || why)
        return r < 0 ? r : refuse(u, why);
    u->total -= (uint64_t)size; /* it is counted as it comes */
    return give_member(u, a);
}

static int take_members(struct unpacking *u, struct archive *a)
{
    struct archive_entry *e;
    int r, got;

    for (unsigned retries = 0; retries < 100;) {
        got = archive_read_next_header(a, &e);
        if (got == ARCHIVE_EOF)
            return 0;
        if (got == ARCHIVE_RETRY) {
            retries++;
            continue;
        }
        if (got < ARCHIVE_WARN) {
            if (archive_read_has_encrypted_entries(a) > 0)
                return err_set(u->err, ERR_DATA, "the %s is encrypted", formats[u->format].name);
            return archive_failed(u, a);
        }
        r = take_member(u, a, e);
        if (r < 0)
            return r;
    }
    return damaged(u, "no end of it can be found");
}

/* An empty zip has nothing but an end, and libarchive does not know it. */
static bool is_end_of_zip(const struct unpacking *u, struct slice s)
{
    static const char end[20] = "PK\5\6";
    return s.n >= 22 && memcmp(s.p, end, sizeof(end)) == 0 &&
           u->size == 22 + ((unsigned char)s.p[20] | (uint64_t)(unsigned char)s.p[21] << 8);
}

static int unpack_archive(struct unpacking *u, enum format format)
{
    struct archive *a = archive_read_new();
    int r;

    /* of zip, only what its table of contents names: what lies between may be something else */
    if (!a || (format == FORMAT_ZIP  ? archive_read_support_format_zip_seekable(a)
               : format == FORMAT_7Z ? archive_read_support_format_7zip(a)
                                     : archive_read_support_format_tar(a)) != ARCHIVE_OK)
        r = err_nomem(u->err);
    else if (format != FORMAT_TAR && archive_read_set_seek_callback(a, archive_seeks_file) != ARCHIVE_OK)
        r = err_nomem(u->err);
    else if (archive_read_open2(a, u, NULL, format == FORMAT_TAR ? archive_reads_stream : archive_reads_file, NULL,
                                NULL) != ARCHIVE_OK)
        r = archive_failed(u, a);
    else
        r = take_members(u, a);
    archive_read_free(a);
    return r;
}

/* --- One compressed file ----------------------------------------------------------------------------------------- */

static struct slice last_part(struct slice path)
{
    size_t n = path.n;
    while (n && path.p[n - 1] != '/' && path.p[n - 1] != '\\')
        n--;
    return slice_from(path, n);
}

/* Its own name, if it has one; else the bundle's without ".gz". */
static int name_single(struct unpacking *u)
{
    struct stream *s = &u->stream;
    struct slice name = last_part(u->name);
    size_t n = strlen(formats[u->format].name) + 1;

    if (u->format == FORMAT_GZ && s->head.done == 1 && s->head_name[0])
        return clean_path(u, last_part(slice(s->head_name, strnlen(s->head_name, sizeof(s->head_name)))));
    if (name.n > n && name.p[name.n - n] == '.' &&
        strncasecmp(name.p + name.n - n + 1, formats[u->format].name, n - 1) == 0)
        name.n -= n;
    return clean_path(u, name);
}

static int unpack_single(struct unpacking *u)
{
    struct slice piece;
    int r = name_single(u);

    u->seen = 1;
    r = r < 0 ? r : u->sink->begin(u->sink->ctx, buf_slice(&u->path), u->err);
    while (r == 0) {
        r = stream_next(&u->stream, &piece);
        if (r < 0 || piece.n == 0)
            break;
        r = give(u, piece);
    }
    if (r == 0)
        r = u->sink->end(u->sink->ctx, u->err);
    u->given++;
    return r;
}

static int unpack_stream(struct unpacking *u)
{
    struct slice first, rest;
    int r = stream_open(&u->stream, u);

    r = r < 0 ? r : u->format == FORMAT_TAR ? 0 : stream_first(&u->stream, &first);
    if (r < 0)
        return r;
    if (u->format != FORMAT_TAR && !is_tar(first))
        return unpack_single(u);
    r = unpack_archive(u, FORMAT_TAR);
    /* to the end of the stream, where its checksum is */
    if (r == 0 && u->format != FORMAT_TAR)
        do
            r = stream_next(&u->stream, &rest);
        while (r == 0 && rest.n);
    return r;
}

int unpack(int fd, struct slice name, const struct unpack_limits *limits, const struct unpack_sink *sink,
           uint32_t *members_r, struct err *err)
{
    struct unpacking *u = calloc(1, sizeof(*u));
    locale_t utf8, before = (locale_t)0;
    struct stat st;
    size_t n;
    int r;

    *members_r = 0;
    if (!u)
        return err_nomem(err);
    u->fd = fd;
    u->name = name;
    u->limits = limits;
    u->sink = sink;
    u->err = err;
    buf_init(&u->path, 5 * (size_t)limits->name + 64);  /* a byte becomes four at most */
    buf_init(&u->words, 5 * WORDS);
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (utf8)
        before = uselocale(utf8);
    if (fstat(fd, &st) < 0) {
        r = err_system(err, "a bundle cannot be read");
    } else if (!S_ISREG(st.st_mode)) {
        r = err_set(err, ERR_USAGE, "only a regular file can be unpacked");
    } else {
        u->size = (uint64_t)st.st_size;
        r = read_file(u, &n);
        u->format = r < 0 ? FORMAT_NONE : format_of(slice(u->in, n));
        u->at = u->contents = 0;
        if (r == 0 && u->format == FORMAT_NONE)
            r = err_set(err, ERR_DATA, "it is no bundle");
        else if (r == 0 && !(u->format == FORMAT_ZIP && is_end_of_zip(u, slice(u->in, n))))
            r = u->format == FORMAT_ZIP || u->format == FORMAT_7Z ? unpack_archive(u, u->format) : unpack_stream(u);
        stream_close(&u->stream);
    }
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    *members_r = u->given;
    buf_deinit(&u->path);
    buf_deinit(&u->words);
    free(u);
    return r;
}
