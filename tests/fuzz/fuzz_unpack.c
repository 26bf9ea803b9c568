/* Fuzzer of unpack: any bytes as a bundle. Members come one after the other, their paths are clean labels, and no more comes out
 * than the limits allow. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "flow/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMBERS = 100, TOTAL = 4 << 20, NAME = 200 };

struct seen {
    uint64_t bytes;
    uint32_t members;
    bool open;
};

static void check(bool promise)
{
    if (!promise)
        abort();
}

static void check_path(struct slice path)
{
    bool found = true;
    check(path.n > 0 && path.n <= 4 * NAME + 3 && path.p[0] != '/');
    for (size_t i = 0; i < path.n; i++)
        check((unsigned char)path.p[i] >= ' ' && path.p[i] != 0x7f);
    for (struct slice rest = path; found;) {
        struct slice part = slice_cut(rest, '/', &rest, &found);
        check(part.n > 0 && !slice_is(part, ".") && !slice_is(part, ".."));
    }
}

static int begin(void *ctx, struct slice path, struct err *err)
{
    struct seen *s = ctx;
    (void)err;
    check(!s->open);
    check_path(path);
    s->open = true;
    return 0;
}

static int take(void *ctx, struct slice bytes, struct err *err)
{
    struct seen *s = ctx;
    volatile char last;
    (void)err;
    check(s->open && bytes.n > 0);
    last = bytes.p[bytes.n - 1];
    (void)last;
    s->bytes += bytes.n;
    return 0;
}

static int end(void *ctx, struct err *err)
{
    struct seen *s = ctx;
    (void)err;
    check(s->open);
    s->open = false;
    s->members++;
    return 0;
}

static int refused(void *ctx, struct slice path, struct slice words, struct err *err)
{
    struct seen *s = ctx;
    (void)err;
    check(!s->open && words.n > 0);
    check_path(path);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct unpack_limits limits = { .members = MEMBERS, .total = TOTAL, .ratio = 100, .name = NAME };
    struct seen seen = { 0 };
    const struct unpack_sink sink = { begin, take, end, size % 2 ? refused : NULL, &seen };
    const char *format = unpack_format(slice((const char *)data, size < UNPACK_FIRST ? size : UNPACK_FIRST));
    struct err err = { 0 };
    uint32_t members;
    int r, fd = memfd_create("bundle", MFD_CLOEXEC);

    if (fd < 0 || (size && write(fd, data, size) != (ssize_t)size))
        abort();
    r = unpack(fd, SLICE("in/name.gz"), &limits, &sink, &members, &err);
    close(fd);
    check(r <= 0 && seen.bytes <= TOTAL && seen.members <= MEMBERS);
    if (r == 0)
        check(format && members == seen.members && !seen.open);
    else
        check(err.code == r && err.text[0] && (format || r == ERR_DATA));
    return 0;
}
