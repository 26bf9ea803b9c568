/*
 * unpack: bundles of all forms, made here; names that lead elsewhere, what is no file, what is encrypted, what was damaged at any
 * byte, and bombs.
 */
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "failing_malloc.h"
#include "flow/unpack.h"

/* --- Making bundles ----------------------------------------------------------------------------------------------- */

enum form { ZIP, SEVEN, TAR, TAR_GZ, TAR_BZ2, TAR_XZ, GZ, BZ2, XZ, FORMS };

static const struct {
    const char *name;           /* as unpack_format() says */
    int format, filter;
} forms[FORMS] = {
    [ZIP] = { "zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE },
    [SEVEN] = { "7z", ARCHIVE_FORMAT_7ZIP, ARCHIVE_FILTER_NONE },
    [TAR] = { "tar", ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, ARCHIVE_FILTER_NONE },
    [TAR_GZ] = { "gz", ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, ARCHIVE_FILTER_GZIP },
    [TAR_BZ2] = { "bz2", ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, ARCHIVE_FILTER_BZIP2 },
    [TAR_XZ] = { "xz", ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, ARCHIVE_FILTER_XZ },
    [GZ] = { "gz", ARCHIVE_FORMAT_RAW, ARCHIVE_FILTER_GZIP },
    [BZ2] = { "bz2", ARCHIVE_FORMAT_RAW, ARCHIVE_FILTER_BZIP2 },
    [XZ] = { "xz", ARCHIVE_FORMAT_RAW, ARCHIVE_FILTER_XZ },
};

struct bundle {
    struct buf bytes;
    struct archive *a;
};

static la_ssize_t append(struct archive *a, void *ctx, const void *bytes, size_t n)
{
    (void)a;
    buf_add(ctx, bytes, n);
    return (la_ssize_t)n;
}

static void start_with(struct bundle *b, enum form form, const char *options)
{
    buf_init(&b->bytes, 64 << 20);
    b->a = archive_write_new();
    assert_int_equal(archive_write_set_format(b->a, forms[form].format), ARCHIVE_OK);
    assert_int_equal(archive_write_add_filter(b->a, forms[form].filter), ARCHIVE_OK);
    archive_write_set_bytes_in_last_block(b->a, 1);
    if (options && archive_write_set_options(b->a, options) != ARCHIVE_OK)
        fail_msg("%s", archive_error_string(b->a));
    assert_int_equal(archive_write_open(b->a, &b->bytes, NULL, append, NULL), ARCHIVE_OK);
}

static void start(struct bundle *b, enum form form)
{
    start_with(b, form, NULL);
}

static void put_entry(struct bundle *b, const char *path, unsigned type, const char *link, struct slice bytes)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, path);
    archive_entry_set_filetype(e, type);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_size(e, (la_int64_t)bytes.n);
    if (link && type == AE_IFLNK)
        archive_entry_set_symlink(e, link);
    else if (link)
        archive_entry_set_hardlink(e, link);
    if (archive_write_header(b->a, e) < ARCHIVE_WARN)
        fail_msg("%s: %s", path, archive_error_string(b->a));
    if (bytes.n && archive_write_data(b->a, bytes.p, bytes.n) != (la_ssize_t)bytes.n)
        fail_msg("%s: %s", path, archive_error_string(b->a));
    archive_entry_free(e);
}

static void put(struct bundle *b, const char *path, struct slice bytes)
{
    put_entry(b, path, AE_IFREG, NULL, bytes);
}

static void finish(struct bundle *b)
{
    assert_int_equal(archive_write_close(b->a), ARCHIVE_OK);
    archive_write_free(b->a);
    b->a = NULL;
}

/* --- Taking them apart -------------------------------------------------------------------------------------------- */

struct taken {
    struct buf text;            /* "path=bytes;" of each member, "path!words;" of each that is refused */
    uint64_t bytes;
    bool open;
    bool no_refusing;
    int stop;                   /* begin, data or end gives this back: 1, 2, 3 */
    bool counting;              /* bytes are not kept */
    struct slice expected;      /* in each member, if there is something */
    size_t member;              /* where its bytes begin in text */
    unsigned wrong;
};

static int begin(void *ctx, struct slice path, struct err *err)
{
    struct taken *t = ctx;
    assert_false(t->open);
    t->open = true;
    buf_add_slice(&t->text, path);
    buf_add_char(&t->text, '=');
    t->member = t->text.n;
    return t->stop == 1 ? err_set(err, ERR_STOP, "begin") : 0;
}

static int data(void *ctx, struct slice bytes, struct err *err)
{
    struct taken *t = ctx;
    assert_true(t->open);
    assert_true(bytes.n > 0);
    t->bytes += bytes.n;
    if (!t->counting)
        buf_add_slice(&t->text, bytes);
    return t->stop == 2 ? err_set(err, ERR_STOP, "data") : 0;
}

static int end(void *ctx, struct err *err)
{
    struct taken *t = ctx;
    assert_true(t->open);
    t->open = false;
    if (t->expected.n && !slice_eq(slice_from(buf_slice(&t->text), t->member), t->expected))
        t->wrong++;
    buf_add_char(&t->text, ';');
    return t->stop == 3 ? err_set(err, ERR_STOP, "end") : 0;
}

static int refused(void *ctx, struct slice path, struct slice words, struct err *err)
{
    struct taken *t = ctx;
    (void)err;
    assert_false(t->open);
    buf_add_slice(&t->text, path);
    buf_add_char(&t->text, '!');
    buf_add_slice(&t->text, words);
    buf_add_char(&t->text, ';');
    return 0;
}

static int file_of(struct slice bytes)
{
    int fd = memfd_create("bundle", MFD_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t at = 0; at < bytes.n;) {
        ssize_t n = write(fd, bytes.p + at, bytes.n - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
    return fd;
}

static int take_limited(struct slice bytes, const char *name, const struct unpack_limits *limits, struct taken *t,
                        uint32_t *members_r, struct err *err)
{
    const struct unpack_sink sink = { begin, data, end, t->no_refusing ? NULL : refused, t };
    int r, fd = file_of(bytes);

    buf_init(&t->text, 64 << 20);
    r = unpack(fd, slice_of(name), limits, &sink, members_r, err);
    close(fd);
    return r;
}

static int take(struct slice bytes, const char *name, struct taken *t, struct err *err)
{
    struct unpack_limits limits = unpack_limits();
    uint32_t members;
    int r = take_limited(bytes, name, &limits, t, &members, err);
    assert_true(r < 0 || members <= limits.members);
    return r;
}

static void gives(struct slice bytes, const char *name, const char *expected)
{
    struct taken t = { 0 };
    struct err err;
    if (take(bytes, name, &t, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    assert_string_equal(buf_text(&t.text), expected);
    buf_deinit(&t.text);
}

static void fails(struct slice bytes, int code, const char *words)
{
    struct taken t = { .no_refusing = true };
    struct err err = { 0 };
    assert_int_equal(take(bytes, "bundle", &t, &err), code);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    buf_deinit(&t.text);
}

/* --- Tests -------------------------------------------------------------------------------------------------------- */

static void test_all_forms(void **state)
{
    (void)state;
    for (enum form f = ZIP; f <= TAR_XZ; f++) {
        struct bundle b;
        start(&b, f);
        put(&b, "order.edi", SLICE("ISA*00"));
        put_entry(&b, "empty", AE_IFDIR, NULL, slice(NULL, 0));
        put(&b, "in/a b.xml", SLICE("<a/>"));
        put(&b, "none", slice(NULL, 0));
        put(&b, "order.edi", SLICE("again"));
        finish(&b);
        assert_string_equal(unpack_format(buf_slice(&b.bytes)), forms[f].name);
        if (f == SEVEN) /* there, what is empty comes last */
            gives(buf_slice(&b.bytes), "x", "order.edi=ISA*00;in/a b.xml=<a/>;order.edi=again;none=;");
        else
            gives(buf_slice(&b.bytes), "x", "order.edi=ISA*00;in/a b.xml=<a/>;none=;order.edi=again;");
        buf_deinit(&b.bytes);
    }
}

static void test_bundles_without_members(void **state)
{
    (void)state;
    for (enum form f = ZIP; f <= TAR_XZ; f++) {
        struct bundle b;
        start(&b, f);
        put_entry(&b, "empty", AE_IFDIR, NULL, slice(NULL, 0));
        finish(&b);
        gives(buf_slice(&b.bytes), "x", "");
        buf_deinit(&b.bytes);
    }
    for (enum form f = ZIP; f <= SEVEN; f++) {
        struct bundle b;
        start(&b, f);
        finish(&b);
        if (f == ZIP)
            assert_string_equal(unpack_format(buf_slice(&b.bytes)), "zip");
        gives(buf_slice(&b.bytes), "x", "");
        buf_deinit(&b.bytes);
    }
}

static void test_one_compressed_file(void **state)
{
    static const char *const names[] = { "850.edi.gz", "850.edi.bz2", "850.edi.xz" };
    (void)state;
    for (enum form f = GZ; f <= XZ; f++) {
        struct bundle b;
        start(&b, f);
        put(&b, "data", SLICE("ISA*00*          *00"));
        finish(&b);
        assert_string_equal(unpack_format(buf_slice(&b.bytes)), forms[f].name);
        gives(buf_slice(&b.bytes), names[f - GZ], "850.edi=ISA*00*          *00;");
        gives(buf_slice(&b.bytes), "in/../x", "x=ISA*00*          *00;");
        gives(buf_slice(&b.bytes), "", "unnamed=ISA*00*          *00;");
        gives(buf_slice(&b.bytes), names[f - GZ] + 7, f == GZ ? ".gz=ISA*00*          *00;" : f == BZ2 ?
              ".bz2=ISA*00*          *00;" : ".xz=ISA*00*          *00;");
        buf_deinit(&b.bytes);
        start(&b, f);
        put(&b, "data", slice(NULL, 0));
        finish(&b);
        gives(buf_slice(&b.bytes), "A.GZ", f == GZ ? "A=;" : "A.GZ=;");
        buf_deinit(&b.bytes);
    }
}

static void test_gzip_headers_and_parts(void **state)
{
    static const char named[] = "\x1f\x8b\x08\x08\0\0\0\0\0\x03../d\\e\xfc.edi\0\x01\x03\0\xfc\xff" "abc"
                                "\xc2\x41\x24\x35\x03\0\0\0";
    struct bundle b;
    struct buf whole;
    size_t once;

    (void)state;
    gives(slice(named, sizeof(named) - 1), "x.gz", "e\\xfc.edi=abc;");
    start(&b, GZ);
    put(&b, "data", SLICE("one"));
    finish(&b);
    once = b.bytes.n;
    buf_init(&whole, 1000);
    buf_add_slice(&whole, buf_slice(&b.bytes));
    buf_add_slice(&whole, buf_slice(&b.bytes));
    gives(buf_slice(&whole), "x.gz", "x=oneone;");
    buf_add(&whole, "\0\0\0\0\0", 5);
    gives(buf_slice(&whole), "x.gz", "x=oneone;");
    buf_add(&whole, "!", 1);
    fails(buf_slice(&whole), ERR_DATA, "the gz is damaged");
    for (size_t n = once + 1; n < 2 * once; n++)
        fails(slice(whole.p, n), ERR_DATA, "the gz is damaged: it ends too early");
    buf_deinit(&whole);
    buf_deinit(&b.bytes);
}

static void test_parts_of_others(void **state)
{
    (void)state;
    for (enum form f = BZ2; f <= XZ; f++) {
        struct bundle b;
        struct buf whole;
        size_t once;
        start(&b, f);
        put(&b, "data", SLICE("one"));
        finish(&b);
        once = b.bytes.n;
        buf_init(&whole, 1000);
        buf_add_slice(&whole, buf_slice(&b.bytes));
        buf_add_slice(&whole, buf_slice(&b.bytes));
        gives(buf_slice(&whole), "x", "x=oneone;");
        for (size_t n = once + 1; n < 2 * once; n++)
            fails(slice(whole.p, n), ERR_DATA, "is damaged: ");
        buf_add(&whole, "\0\0\0\0", 4);
        gives(buf_slice(&whole), "x", "x=oneone;");
        buf_add(&whole, "!", 1);
        fails(buf_slice(&whole), ERR_DATA, "is damaged: ");
        buf_deinit(&whole);
        buf_deinit(&b.bytes);
    }
}

static void test_names_are_labels(void **state)
{
    static const char *const names[][2] = {
        { "/etc/passwd", "etc/passwd" },
        { "../../../etc/cron.d/x", "etc/cron.d/x" },
        { "a/./b/../c", "a/b/c" },
        { "C:\\orders\\850.edi", "orders/850.edi" },
        { "..", "unnamed" },
        { "a//b", "a/b" },
        { "line\nbreak\033[2J", "line\\x0abreak\\x1b[2J" },
        { "M\xc3\xbcller \xe6\x9d\xb1.edi", "M\xc3\xbcller \xe6\x9d\xb1.edi" },
        { "...", "..." },
    };
    (void)state;
    for (enum form f = ZIP; f <= TAR; f++) {
        struct bundle b;
        struct buf expected;
        locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before;
        buf_init(&expected, 10000);
        if (utf8) /* for the writer */
            before = uselocale(utf8);
        start(&b, f);
        for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            put(&b, names[i][0], SLICE("x"));
            buf_printf(&expected, "%s=x;", names[i][1]);
        }
        finish(&b);
        if (utf8) {
            uselocale(before);
            freelocale(utf8);
        }
        gives(buf_slice(&b.bytes), "names", buf_text(&expected));
        buf_deinit(&b.bytes);
        buf_deinit(&expected);
    }
}

static void test_names_that_are_not_utf8(void **state)
{
    struct bundle b;
    (void)state;
    start_with(&b, TAR, "hdrcharset=BINARY");
    put(&b, "M\xfcller", SLICE("x"));
    finish(&b);
    gives(buf_slice(&b.bytes), "names", "M\\xfcller=x;");
    buf_deinit(&b.bytes);
}

static void test_long_names(void **state)
{
    char name[LIMIT_BUNDLE_NAME + 2];
    struct bundle b;
    struct taken t = { 0 };
    struct err err;

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    start(&b, TAR);
    put(&b, name, SLICE("too long"));
    put(&b, name + 1, SLICE("long"));
    finish(&b);
    if (take(buf_slice(&b.bytes), "x", &t, &err) < 0)
        fail_msg("%s", err.text);
    assert_non_null(strstr(buf_text(&t.text), "nnn!has a name of 1001 bytes;nnn"));
    assert_non_null(strstr(buf_text(&t.text), "nnn=long;"));
    buf_deinit(&t.text);
    buf_deinit(&b.bytes);
    /* all of it escaped */
    memset(name, 1, sizeof(name) - 1);
    start(&b, ZIP);
    put(&b, name + 1, SLICE("long"));
    finish(&b);
    if (take(buf_slice(&b.bytes), "x", &t, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(t.text.n, 4 * LIMIT_BUNDLE_NAME + 6);
    buf_deinit(&t.text);
    buf_deinit(&b.bytes);
}

static void test_what_is_no_file(void **state)
{
    struct bundle b;
    (void)state;
    start(&b, TAR);
    put(&b, "a", SLICE("1"));
    put_entry(&b, "l", AE_IFLNK, "/etc/passwd", slice(NULL, 0));
    put_entry(&b, "h", AE_IFREG, "a", slice(NULL, 0));
    put_entry(&b, "c", AE_IFCHR, NULL, slice(NULL, 0));
    put_entry(&b, "d", AE_IFBLK, NULL, slice(NULL, 0));
    put_entry(&b, "../p", AE_IFIFO, NULL, slice(NULL, 0));
    put(&b, "b", SLICE("2"));
    finish(&b);
    gives(buf_slice(&b.bytes), "x",
          "a=1;l!is a symbolic link;h!is a link to another member;c!is a device;d!is a device;p!is a pipe;b=2;");
    fails(buf_slice(&b.bytes), ERR_DATA, "in the tar, \"l\" is a symbolic link");
    buf_deinit(&b.bytes);
    start(&b, ZIP);
    put_entry(&b, "l", AE_IFLNK, "/etc/passwd", slice(NULL, 0));
    put(&b, "b", SLICE("2"));
    finish(&b);
    gives(buf_slice(&b.bytes), "x", "l!is a symbolic link;b=2;");
    buf_deinit(&b.bytes);
    start(&b, SEVEN);
    put_entry(&b, "l", AE_IFLNK, "/etc/passwd", slice(NULL, 0));
    put(&b, "b", SLICE("2"));
    finish(&b);
    gives(buf_slice(&b.bytes), "x", "l!is a symbolic link;b=2;");
    buf_deinit(&b.bytes);
}

static void test_encrypted_members(void **state)
{
    static const char *const ways[] = { "encryption=traditional", "encryption=aes256" };
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct bundle b;
        buf_init(&b.bytes, 1 << 20);
        b.a = archive_write_new();
        archive_write_set_format_zip(b.a);
        archive_write_set_bytes_in_last_block(b.a, 1);
        if (archive_write_set_options(b.a, ways[i]) != ARCHIVE_OK ||
            archive_write_set_passphrase(b.a, "4711") != ARCHIVE_OK) {
            archive_write_free(b.a);
            return; /* not skip(): that counts as failed */
        }
        assert_int_equal(archive_write_open(b.a, &b.bytes, NULL, append, NULL), ARCHIVE_OK);
        put(&b, "secret", SLICE("ISA*00"));
        finish(&b);
        gives(buf_slice(&b.bytes), "x", "secret!is encrypted;");
        fails(buf_slice(&b.bytes), ERR_DATA, "in the zip, \"secret\" is encrypted");
        buf_deinit(&b.bytes);
    }
}

static void test_a_member_with_holes(void **state)
{
    enum { HOLES = 500000 };
    struct bundle b;
    struct taken t = { .counting = true };
    struct archive_entry *e = archive_entry_new();
    char *bytes = calloc(1, HOLES);
    struct err err;

    (void)state;
    start(&b, TAR);
    archive_entry_set_pathname(e, "holes");
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_size(e, HOLES);
    archive_entry_sparse_add_entry(e, 100000, 3);
    assert_int_equal(archive_write_header(b.a, e), ARCHIVE_OK);
    assert_int_equal(archive_write_data(b.a, bytes, HOLES), HOLES);
    archive_entry_free(e);
    free(bytes);
    finish(&b);
    if (take(buf_slice(&b.bytes), "x", &t, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(t.bytes, HOLES);
    assert_true(b.bytes.n < 10000);
    buf_deinit(&t.text);
    buf_deinit(&b.bytes);
}

static void test_what_is_no_bundle(void **state)
{
    static const char *const texts[] = { "", "I", "ISA*00*", "{}", "PK", "PK\3", "BZh9 is no bzip2", "7z", "\x1f\x8b", "<?xml" };
    char zeros[1024] = { 0 };
    struct unpack_limits limits = unpack_limits();
    struct unpack_sink sink = { begin, data, end, NULL, NULL };
    struct err err;
    uint32_t members;
    int ends[2];

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_null(unpack_format(slice_of(texts[i])));
        fails(slice_of(texts[i]), ERR_DATA, "it is no bundle");
    }
    fails(slice(zeros, sizeof(zeros)), ERR_DATA, "it is no bundle");
    memset(zeros, '0', sizeof(zeros));
    assert_null(unpack_format(slice(zeros, sizeof(zeros))));
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(unpack(ends[0], SLICE("x"), &limits, &sink, &members, &err), ERR_USAGE);
    assert_int_equal(unpack(-1, SLICE("x"), &limits, &sink, &members, &err), ERR_IO);
    close(ends[0]);
    close(ends[1]);
}

static void test_damage_at_each_byte(void **state)
{
    struct slice content = SLICE("ISA*00*          *00*          *ZZ*NORTHWIND      *ZZ*WAYBILL");
    (void)state;
    for (enum form f = ZIP; f < FORMS; f++) {
        struct bundle b;
        unsigned found = 0;
        if (f == TAR) /* has no checksum of its members */
            continue;
        start(&b, f);
        put(&b, "a", content);
        if (f < GZ)
            put(&b, "b", content);
        finish(&b);
        for (size_t i = 0; i < b.bytes.n; i++)
            for (unsigned bit = i % 4; bit < 8; bit += 4) {
                struct taken t = { .expected = content };
                struct err err = { 0 };
                int r;
                b.bytes.p[i] ^= (char)(1 << bit);
                r = take(buf_slice(&b.bytes), "x", &t, &err);
                if (r == 0 && t.wrong)
                    fail_msg("%s (%u): bit %u of byte %zu of %zu changed: nothing was said: %s", forms[f].name, f, bit, i,
                             b.bytes.n, buf_text(&t.text));
                assert_true(r == 0 || r == ERR_DATA || r == ERR_LIMIT);
                assert_true(r == 0 || err.text[0]);
                found += r < 0;
                buf_deinit(&t.text);
                b.bytes.p[i] ^= (char)(1 << bit);
            }
        assert_true(found > b.bytes.n);
        for (size_t n = 0; n < b.bytes.n; n++) {
            struct taken t = { 0 };
            struct err err = { 0 };
            int r = take(slice(b.bytes.p, n), "x", &t, &err);
            if (r != ERR_DATA)
                fail_msg("%s (%u): cut at %zu of %zu bytes: %d", forms[f].name, f, n, b.bytes.n, r);
            buf_deinit(&t.text);
        }
        buf_deinit(&b.bytes);
    }
}

/* --- Too much ----------------------------------------------------------------------------------------------------- */

static int take_big(struct slice bytes, const struct unpack_limits *limits, struct taken *t, const char *words)
{
    struct err err = { 0 };
    uint32_t members;
    int r;
    memset(t, 0, sizeof(*t));
    t->counting = true;
    r = take_limited(bytes, "x", limits, t, &members, &err);
    if (r < 0 && !strstr(err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    buf_deinit(&t->text);
    return r;
}

static void test_bombs(void **state)
{
    enum { MEGABYTES = 40 };
    char *zeros = calloc(MEGABYTES, 1 << 20);
    struct unpack_limits limits = unpack_limits();
    struct taken t;

    (void)state;
    for (enum form f = ZIP; f < FORMS; f++) {
        struct bundle b;
        start(&b, f);
        put(&b, "zeros", slice(zeros, MEGABYTES << 20));
        finish(&b);
        if (f != TAR) {
            limits = unpack_limits();
            assert_int_equal(take_big(buf_slice(&b.bytes), &limits, &t, "to more than 250 times its size"), ERR_LIMIT);
            assert_true(t.bytes < b.bytes.n * 250 + LIMIT_BUNDLE_FREE + (128 << 10));
            limits.ratio = UINT32_MAX;
            assert_int_equal(take_big(buf_slice(&b.bytes), &limits, &t, ""), 0);
            assert_int_equal(t.bytes, MEGABYTES << 20);
        }
        limits.total = 10 << 20;
        assert_int_equal(take_big(buf_slice(&b.bytes), &limits, &t, "holds more than 10485760 bytes"), ERR_LIMIT);
        assert_true(t.bytes <= (10 << 20) + (64 << 10));
        limits.total = MEGABYTES << 20;
        if (f == ZIP || f == SEVEN || f >= GZ)
            assert_int_equal(take_big(buf_slice(&b.bytes), &limits, &t, ""), 0);
        buf_deinit(&b.bytes);
    }
    free(zeros);
}

static void test_folders_and_links_count(void **state)
{
    struct unpack_limits limits = unpack_limits();
    (void)state;
    limits.members = 9;
    for (enum form f = ZIP; f <= TAR_XZ; f++) {
        struct bundle b;
        struct taken t;
        start(&b, f);
        for (unsigned i = 0; i < 10; i++)
            put_entry(&b, (char[]){ (char)('a' + i), 0 }, i % 2 ? AE_IFDIR : AE_IFREG, NULL, slice(NULL, 0));
        finish(&b);
        assert_int_equal(take_big(buf_slice(&b.bytes), &limits, &t, "holds more than 9 members"), ERR_LIMIT);
        buf_deinit(&b.bytes);
    }
}

/* Many rows of the table of contents that all name the same member. */
static void test_a_zip_whose_members_overlap(void **state)
{
    enum { ROWS = 5000 };
    char *zeros = calloc(1, 1 << 20);
    struct unpack_limits limits = unpack_limits();
    struct bundle b;
    struct buf many;
    struct taken t;
    size_t row, end;
    uint32_t size;
    int r;

    (void)state;
    start(&b, ZIP);
    put(&b, "zeros", slice(zeros, 1 << 20));
    finish(&b);
    row = (size_t)((char *)memmem(b.bytes.p, b.bytes.n, "PK\1\2", 4) - b.bytes.p);
    end = (size_t)((char *)memmem(b.bytes.p, b.bytes.n, "PK\5\6", 4) - b.bytes.p);
    buf_init(&many, 10 << 20);
    buf_add(&many, b.bytes.p, row);
    for (unsigned i = 0; i < ROWS; i++)
        buf_add(&many, b.bytes.p + row, end - row);
    size = (uint32_t)(many.n - row);
    buf_add(&many, b.bytes.p + end, b.bytes.n - end);
    for (unsigned i = 0; i < 4; i++)
        many.p[many.n - 10 + i] = (char)(size >> 8 * i);
    many.p[many.n - 12] = many.p[many.n - 14] = (char)(ROWS & 255);
    many.p[many.n - 11] = many.p[many.n - 13] = (char)(ROWS >> 8);
    r = take_big(buf_slice(&many), &limits, &t, "");
    assert_int_equal(r, t.bytes <= 1 << 20 ? 0 : ERR_LIMIT); /* libarchive may take them for one */
    assert_true(t.bytes <= many.n * 250);
    buf_deinit(&many);
    buf_deinit(&b.bytes);
    free(zeros);
}

static void test_a_table_of_contents_too_large(void **state)
{
    struct unpack_limits limits = unpack_limits();
    struct bundle b;
    struct taken t;
    char name[900];

    (void)state;
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = 0;
    start(&b, ZIP);
    for (unsigned i = 0; i < 20000; i++)
        put(&b, name, slice(NULL, 0));
    finish(&b);
    limits.members = 1000000;
    assert_int_equal(take_big(buf_slice(&b.bytes), &limits, &t, "table of contents of more than"), ERR_LIMIT);
    assert_int_equal(t.bytes, 0);
    buf_deinit(&b.bytes);
}

static void add_number(struct buf *b, uint64_t n, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_add_char(b, (char)(n >> 8 * i));
}

/* A hundred million members, one bit each: libarchive would take 8 GB for them. A process with a limit refuses them. */
static void test_a_7z_that_asks_for_gigabytes(void **state)
{
    enum { MEMBERS = 100000000 };
    struct buf header, b, last;
    pid_t child;
    int status;

    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    return; /* not skip(): that counts as failed */
#endif
    buf_init(&header, 20 << 20);
    buf_add(&header, "\1\5\xf0", 3);
    add_number(&header, MEMBERS, 4);
    buf_add(&header, "\x0e\xf0", 2);
    add_number(&header, MEMBERS / 8, 4);
    memset(buf_reserve(&header, MEMBERS / 8), 0xff, MEMBERS / 8);
    header.n += MEMBERS / 8;
    buf_add(&header, "\0\0", 2);
    buf_init(&last, 100);
    add_number(&last, 0, 8);
    add_number(&last, header.n, 8);
    add_number(&last, crc32(0, (const unsigned char *)header.p, (unsigned)header.n), 4);
    buf_init(&b, 20 << 20);
    buf_add(&b, "7z\xbc\xaf\x27\x1c\0\4", 8);
    add_number(&b, crc32(0, (const unsigned char *)last.p, (unsigned)last.n), 4);
    buf_add_slice(&b, buf_slice(&last));
    buf_add_slice(&b, buf_slice(&header));
    fflush(NULL);
    child = fork();
    if (child == 0) {
        const struct rlimit limit = { 512 << 20, 512 << 20 };
        struct taken t = { 0 };
        struct err err;
        int r = setrlimit(RLIMIT_DATA, &limit) < 0 ? 1 : take(buf_slice(&b), "x", &t, &err);
        _exit(r == ERR_DATA || r == ERR_LIMIT ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    buf_deinit(&header);
    buf_deinit(&last);
    buf_deinit(&b);
}

/* A compressed file of a compressed file is taken apart once. */
static void test_twice_compressed(void **state)
{
    (void)state;
    for (enum form f = GZ; f <= XZ; f++) {
        struct bundle inner, outer;
        struct taken t = { 0 };
        struct err err;
        char name[20];
        start(&inner, f);
        put(&inner, "data", SLICE("ISA"));
        finish(&inner);
        start(&outer, f);
        put(&outer, "data", buf_slice(&inner.bytes));
        finish(&outer);
        snprintf(name, sizeof(name), "x.%s.%s", forms[f].name, forms[f].name);
        assert_int_equal(take(buf_slice(&outer.bytes), name, &t, &err), 0);
        assert_int_equal(t.bytes, inner.bytes.n);
        assert_memory_equal(buf_text(&t.text), name, strlen(forms[f].name) + 2);
        assert_memory_equal(t.text.p + 3 + strlen(forms[f].name), inner.bytes.p, inner.bytes.n);
        buf_deinit(&t.text);
        buf_deinit(&inner.bytes);
        buf_deinit(&outer.bytes);
    }
}

static void test_the_caller_can_stop(void **state)
{
    static const char *const words[] = { "", "begin", "data", "end" };
    (void)state;
    for (enum form f = ZIP; f < FORMS; f++) {
        struct bundle b;
        start(&b, f);
        put(&b, "a", SLICE("1"));
        finish(&b);
        for (int stop = 1; stop <= 3; stop++) {
            struct taken t = { .stop = stop };
            struct err err;
            assert_int_equal(take(buf_slice(&b.bytes), "x", &t, &err), ERR_STOP);
            assert_string_equal(err.text, words[stop]);
            buf_deinit(&t.text);
        }
        buf_deinit(&b.bytes);
    }
}

static int nothing(void *ctx, struct slice s, struct err *err)
{
    (void)ctx, (void)s, (void)err;
    return 0;
}

static int no_end(void *ctx, struct err *err)
{
    (void)ctx, (void)err;
    return 0;
}

static int unpack_all(void *arg)
{
    const struct unpack_sink sink = { nothing, nothing, no_end, NULL, NULL };
    struct unpack_limits limits = unpack_limits();
    uint32_t members;
    int *fd = arg;
    return unpack(*fd, SLICE("x"), &limits, &sink, &members, NULL);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    for (enum form f = ZIP; f < FORMS; f++) {
        struct bundle b;
        int fd;
        start(&b, f);
        put(&b, "a", SLICE("1"));
        finish(&b);
        fd = file_of(buf_slice(&b.bytes));
        assert_true(fail_each_allocation(unpack_all, &fd) >= 2);
        close(fd);
        buf_deinit(&b.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_forms),
        cmocka_unit_test(test_bundles_without_members),
        cmocka_unit_test(test_one_compressed_file),
        cmocka_unit_test(test_gzip_headers_and_parts),
        cmocka_unit_test(test_parts_of_others),
        cmocka_unit_test(test_names_are_labels),
        cmocka_unit_test(test_names_that_are_not_utf8),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_what_is_no_file),
        cmocka_unit_test(test_encrypted_members),
        cmocka_unit_test(test_a_member_with_holes),
        cmocka_unit_test(test_what_is_no_bundle),
        cmocka_unit_test(test_damage_at_each_byte),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_folders_and_links_count),
        cmocka_unit_test(test_a_zip_whose_members_overlap),
        cmocka_unit_test(test_a_table_of_contents_too_large),
        cmocka_unit_test(test_a_7z_that_asks_for_gigabytes),
        cmocka_unit_test(test_twice_compressed),
        cmocka_unit_test(test_the_caller_can_stop),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
