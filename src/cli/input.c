/* input: see input.h. */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int input_open(const char *path, struct input *in, struct err *err)
{
    struct stat st;
    int rc;

    *in = (struct input){ .name = path, .fd = -1 };
    if (slice_is(slice_of(path), "-")) {
        in->name = "standard input";
        in->fd = dup(STDIN_FILENO);
    } else {
        do
            in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        while (in->fd < 0 && errno == EINTR);
    }
    if (in->fd < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        rc = err_system(err, "%s", in->name);
        return missing ? ERR_MISSING : rc;
    }
    if (fstat(in->fd, &st) < 0)
        rc = err_system(err, "%s", in->name);
    else if (S_ISDIR(st.st_mode))
        rc = err_set(err, ERR_IO, "%s: is a folder; name the files in it", in->name);
    else
        rc = 0;
    if (rc) {
        input_close(in);
        return rc;
    }
    if (S_ISREG(st.st_mode)) {
        in->size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
        /* a hint only */
        (void)posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return 0;
}

ssize_t input_read(struct input *in, char *to, size_t n, struct err *err)
{
    ssize_t got;

    do
        got = read(in->fd, to, n);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_system(err, "%s", in->name);
    if (in->n_first < INPUT_FIRST) {
        size_t more = INPUT_FIRST - in->n_first;
        if (more > (size_t)got)
            more = (size_t)got;
        memcpy(in->first + in->n_first, to, more);
        in->n_first += more;
    }
    in->done += (uint64_t)got;
    return got;
}

void input_peek(struct input *in)
{
    ssize_t n = pread(in->fd, in->first, sizeof(in->first), 0);
    int copy[2];

    if (n < 0 && errno == ESPIPE && pipe2(copy, O_CLOEXEC) == 0) {
        do
            n = tee(in->fd, copy[1], sizeof(in->first), 0);
        while (n < 0 && errno == EINTR);
        close(copy[1]);
        if (n > 0)
            n = read(copy[0], in->first, sizeof(in->first));
        close(copy[0]);
    }
    in->n_first = n > 0 ? (size_t)n : 0;
}

static struct slice first_bytes(const struct input *in)
{
    struct slice s = slice(in->first, in->n_first);

    if (slice_starts(s, SLICE("\xef\xbb\xbf")))
        s = slice_from(s, 3);
    while (s.n && (*s.p == ' ' || *s.p == '\t' || *s.p == '\r' || *s.p == '\n'))
        s = slice_from(s, 1);
    return s;
}

char input_starts(const struct input *in)
{
    struct slice s = first_bytes(in);
    return s.n ? *s.p : 0;
}

void input_close(struct input *in)
{
    if (in->fd >= 0)
        close(in->fd);
    in->fd = -1;
}

int input_feed(struct input *in, struct edi_reader *reader, struct progress *progress, struct err *err)
{
    int rc;

    progress_start(progress, in->name, in->size);
    for (;;) {
        size_t room;
        char *to = edi_reader_space(reader, &room);
        ssize_t n = input_read(in, to, room, err);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        if ((rc = edi_reader_filled(reader, (size_t)n, err)) < 0)
            return rc;
        progress_update(progress, in->done);
    }
    rc = edi_reader_end(reader, err);
    progress_clear(progress);
    return rc;
}

const char *input_looks_like(const struct input *in)
{
    static const struct {
        struct slice start;
        const char *words;
    } kinds[] = {
        { SLICE("U\0N\0"), "EDIFACT in UTF-16" },
        { SLICE("<?xml"), "XML" },
        { SLICE("<"), "XML or HTML" },
        { SLICE("{"), "JSON" },
        { SLICE("["), "JSON" },
        { SLICE("PK\003\004"), "a zip archive" },
        { SLICE("\037\213"), "a gzip file" },
        { SLICE("%PDF"), "PDF" },
        { SLICE("\376\377"), "UTF-16 text" },
        { SLICE("\377\376"), "UTF-16 text" },
        { SLICE("I\0S\0A\0"), "X12 in UTF-16" },
        { SLICE("MIME-Version:"), "a mail" },
        { SLICE("Content-Type:"), "a mail" },
        { SLICE("-----BEGIN"), "a certificate or key" },
        { SLICE("\x7f" "ELF"), "a program" },
        { SLICE("GS*"), "X12 without its ISA" },
        { SLICE("ST*"), "X12 without its ISA and GS" },
    };
    struct slice s = first_bytes(in);

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (slice_starts(s, kinds[i].start))
            return kinds[i].words;
    return NULL;
}
