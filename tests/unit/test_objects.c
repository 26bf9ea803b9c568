/*
 * objects: payloads added, synced, read, damaged, swept; with calls that fail, are cut short or interrupted, a full disk, and
 * the process killed before and after each call that changes something on disk.
 *
 * The calls that objects.c makes come to the functions below, because a program's own come before the C library's.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "failing_malloc.h"
#include "spool/objects.h"

/* --- Calls that fail --------------------------------------------------------------------------------------------- */

enum call { CALL_WRITE, CALL_FSYNC, CALL_FDATASYNC, CALL_RENAME, CALL_MKDIR, CALL_UNLINK, CALL_END };

static struct {
    unsigned fail[CALL_END];    /* the n-th fails from now on, 1 being the next; 0: none */
    int number;                 /* with this errno */
    unsigned left;              /* bytes that may be written; with `full` */
    bool full;
    bool pieces;                /* writes are short, and interrupted */
    unsigned made;              /* calls of all kinds, with `counting` */
    bool counting;
    unsigned kill_before, kill_after;
} faults;

static bool fails(enum call call)
{
    if (faults.counting && ++faults.made == faults.kill_before)
        kill(getpid(), SIGKILL);
    if (faults.fail[call] == 0 || --faults.fail[call] > 0)
        return false;
    errno = faults.number;
    return true;
}

static long done(long r)
{
    if (faults.counting && faults.made == faults.kill_after)
        kill(getpid(), SIGKILL);
    return r;
}

ssize_t write(int fd, const void *p, size_t n)
{
    if (fails(CALL_WRITE))
        return -1;
    if (faults.full) {
        if (faults.left == 0) {
            errno = ENOSPC;
            return -1;
        }
        n = n < faults.left ? n : faults.left;
        faults.left -= (unsigned)n;
    }
    if (faults.pieces) {
        static unsigned turn;
        if (++turn % 3 == 0) {
            errno = EINTR;
            return -1;
        }
        n = n < 1000 ? n : n / 2;
    }
    return done(syscall(SYS_write, fd, p, n));
}

int fsync(int fd)
{
    return fails(CALL_FSYNC) ? -1 : (int)done(syscall(SYS_fsync, fd));
}

int fdatasync(int fd)
{
    return fails(CALL_FDATASYNC) ? -1 : (int)done(syscall(SYS_fdatasync, fd));
}

int renameat(int from, const char *old, int to, const char *name)
{
    return fails(CALL_RENAME) ? -1 : (int)done(syscall(SYS_renameat2, from, old, to, name, 0));
}

int mkdirat(int folder, const char *name, mode_t mode)
{
    return fails(CALL_MKDIR) ? -1 : (int)done(syscall(SYS_mkdirat, folder, name, mode));
}

int unlinkat(int folder, const char *name, int flags)
{
    return fails(CALL_UNLINK) ? -1 : (int)done(syscall(SYS_unlinkat, folder, name, flags));
}

/* --- A spool for each test ---------------------------------------------------------------------------------------- */

enum { LARGE = 300000 };

static char spool[256];
static char large_bytes[LARGE];

static struct slice large(void)
{
    for (unsigned i = 0; i < LARGE; i++)
        large_bytes[i] = (char)(i * 2654435761u >> 24);
    return slice(large_bytes, LARGE);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static int set_up(void **state)
{
    const char *folder = getenv("TMPDIR");
    struct err err;

    (void)state;
    memset(&faults, 0, sizeof(faults));
    snprintf(spool, sizeof(spool), "%s/waybill-objects-XXXXXX", folder ? folder : "/tmp");
    return mkdtemp(spool) ? objects_make(spool, &err) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    memset(&faults, 0, sizeof(faults));
    return nftw(spool, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *in_spool(const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", spool, name);
    return path;
}

static struct objects *open_spool(bool write)
{
    struct objects *o;
    struct err err = { 0 };
    if (objects_open(spool, write, &o, &err) < 0)
        fail_msg("%s", err.text);
    return o;
}

static struct payload add(struct objects *o, struct slice bytes)
{
    struct payload p;
    struct err err;
    if (object_add(o, bytes, &p, &err) < 0)
        fail_msg("%s", err.text);
    return p;
}

static void sync_all(struct objects *o)
{
    struct err err;
    if (objects_sync(o, &err) < 0)
        fail_msg("%s", err.text);
}

/* All three ways of reading give these bytes. */
static void holds(struct objects *o, const struct payload *p, struct slice bytes)
{
    struct err err = { 0 };
    struct buf b;
    struct stat st;
    char *read_back;
    int fd;

    buf_init(&b, 1 << 20);
    if (object_load(o, p, &b, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(slice_eq(buf_slice(&b), bytes));
    buf_deinit(&b);
    assert_int_equal(object_verify(o, p, &err), 0);
    assert_int_equal(object_read(o, p, &fd, &err), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, bytes.n);
    read_back = malloc(bytes.n + 1);
    assert_int_equal(read(fd, read_back, bytes.n + 1), bytes.n);
    assert_memory_equal(read_back, bytes.p, bytes.n);
    free(read_back);
    close(fd);
}

static int loads(struct objects *o, const struct payload *p, struct err *err)
{
    struct buf b;
    int r;
    buf_init(&b, 1 << 20);
    r = object_load(o, p, &b, err);
    buf_deinit(&b);
    return r;
}

static unsigned files;

static int count_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path, (void)st, (void)at;
    files += type == FTW_F;
    return 0;
}

static unsigned files_in(const char *name)
{
    files = 0;
    nftw(in_spool(name), count_file, 16, FTW_PHYS);
    return files;
}

static off_t size_of(const char *name)
{
    struct stat st;
    return stat(in_spool(name), &st) < 0 ? -1 : st.st_size;
}

/* --- Tests -------------------------------------------------------------------------------------------------------- */

static void test_names(void **state)
{
    struct objects *o = open_spool(true);
    struct payload p = add(o, SLICE("abc"));
    char name[2 * OBJECT_HASH + 1];

    (void)state;
    object_name(p.hash, name);
    assert_string_equal(name, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    p = add(o, slice(NULL, 0));
    object_name(p.hash, name);
    assert_string_equal(name, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    objects_close(&o);
    assert_null(o);
    objects_close(&o);
}

static void test_folders(void **state)
{
    struct stat st;
    struct objects *o;
    struct err err;

    (void)state;
    assert_int_equal(objects_make(spool, &err), 0);
    assert_int_equal(stat(in_spool("objects"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(in_spool("in"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(objects_make("/dev/null", &err), ERR_IO);
    assert_int_equal(objects_open("/nowhere/at/all", false, &o, &err), ERR_MISSING);
    assert_int_equal(objects_open(in_spool("in"), false, &o, &err), ERR_MISSING);
    assert_null(o);
    close(open(in_spool("tmp/7"), O_CREAT | O_WRONLY, 0600));
    close(open(in_spool("tmp/left over"), O_CREAT | O_WRONLY, 0600));
    o = open_spool(false);
    assert_int_equal(files_in("tmp"), 2);
    objects_close(&o);
    o = open_spool(true);
    assert_int_equal(files_in("tmp"), 0);
    objects_close(&o);
}

static void test_sizes(void **state)
{
    const size_t sizes[] = { 0, 1, 1000, OBJECT_SMALL - 1, OBJECT_SMALL, OBJECT_SMALL + 1, LARGE };
    struct payload p[7];
    struct objects *o = open_spool(true), *reader;

    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        p[i] = add(o, slice(large().p, sizes[i]));
        assert_int_equal(p[i].size, sizes[i]);
        assert_int_equal(p[i].segment, sizes[i] < OBJECT_SMALL ? 1 : 0);
    }
    assert_int_equal(p[3].offset, 1001);
    sync_all(o);
    for (unsigned i = 0; i < 7; i++)
        holds(o, &p[i], slice(large().p, sizes[i]));
    assert_int_equal(files_in("objects"), 3);
    assert_int_equal(files_in("tmp"), 0);
    objects_close(&o);
    reader = open_spool(false);
    for (unsigned i = 0; i < 7; i++)
        holds(reader, &p[i], slice(large().p, sizes[i]));
    objects_close(&reader);
}

static void test_in_parts(void **state)
{
    const size_t total[] = { 0, 5, OBJECT_SMALL - 1, OBJECT_SMALL, LARGE };
    struct objects *o = open_spool(true);
    struct err err;

    (void)state;
    for (unsigned t = 0; t < 5; t++)
        for (size_t step = 997; step < LARGE * 2; step *= 20) {
            struct object_writer *w;
            struct payload p, whole;
            assert_int_equal(object_begin(o, &w, &err), 0);
            for (size_t at = 0; at < total[t]; at += step)
                assert_int_equal(
                    object_write(w, slice(large().p + at, total[t] - at < step ? total[t] - at : step), &err), 0);
            assert_int_equal(object_end(&w, &p, &err), 0);
            assert_null(w);
            holds(o, &p, slice(large().p, total[t]));
            whole = add(o, slice(large().p, total[t]));
            assert_memory_equal(&whole, &p, sizeof(p));
        }
    sync_all(o);
    assert_int_equal(files_in("objects"), 2);
    assert_int_equal(files_in("tmp"), 0);
    objects_close(&o);
}

static void test_abandoned(void **state)
{
    struct objects *o = open_spool(true);
    struct object_writer *w = NULL, *other = NULL;
    struct payload p;
    struct err err;

    (void)state;
    object_abandon(&w);
    assert_int_equal(object_begin(o, &w, &err), 0);
    assert_int_equal(object_begin(o, &other, &err), 0);
    assert_int_equal(object_write(w, large(), &err), 0);
    assert_int_equal(object_write(other, slice(large().p, LARGE - 1), &err), 0);
    assert_int_equal(files_in("tmp"), 2);
    object_abandon(&w);
    assert_null(w);
    assert_int_equal(files_in("tmp"), 1);
    assert_int_equal(object_end(&other, &p, &err), 0);
    assert_int_equal(files_in("tmp"), 0);
    assert_int_equal(files_in("objects"), 1);
    objects_close(&o);
}

static void test_a_start_opens_a_segment_and_none_is_cut(void **state)
{
    struct objects *o;
    struct payload first, second;

    (void)state;
    o = open_spool(true);
    first = add(o, SLICE("first"));
    sync_all(o);
    add(o, SLICE("never synced"));
    objects_close(&o);
    o = open_spool(true);
    assert_int_equal(files_in("segments"), 1);
    second = add(o, SLICE("second"));
    assert_int_equal(second.segment, 2);
    assert_int_equal(second.offset, 0);
    sync_all(o);
    assert_int_equal(size_of("segments/000001"), 17);
    holds(o, &first, SLICE("first"));
    holds(o, &second, SLICE("second"));
    objects_close(&o);
    close(open(in_spool("segments/1234567"), O_CREAT | O_WRONLY, 0600));
    close(open(in_spool("segments/000001234567"), O_CREAT | O_WRONLY, 0600));
    close(open(in_spool("segments/note"), O_CREAT | O_WRONLY, 0600));
    o = open_spool(true);
    assert_int_equal(add(o, SLICE("third")).segment, 1234568);
    objects_close(&o);
}

/* The file of a segment is lost; what the ledger says of it is not said of another. */
static void test_a_lost_segment_is_not_begun_anew(void **state)
{
    struct objects *o;

    (void)state;
    o = open_spool(true);
    assert_int_equal(add(o, SLICE("first")).segment, 1);
    sync_all(o);
    objects_close(&o);
    assert_int_equal(unlink(in_spool("segments/000001")), 0);
    o = open_spool(true);
    objects_segments_up_to(o, 1);
    assert_int_equal(add(o, SLICE("second")).segment, 2);
    objects_close(&o);
    o = open_spool(true);
    objects_segments_up_to(o, 1);
    assert_int_equal(add(o, SLICE("third")).segment, 3);
    objects_close(&o);
}

static void test_twice_in_a_batch_is_once_on_disk(void **state)
{
    struct objects *o = open_spool(true);
    struct payload a, b;

    (void)state;
    a = add(o, SLICE("the same"));
    b = add(o, SLICE("the same"));
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(size_of("segments/000001"), 8);
    sync_all(o);
    b = add(o, SLICE("the same")); /* the ledger is to be asked */
    assert_int_equal(b.offset, 8);
    a = add(o, large());
    b = add(o, large());
    assert_memory_equal(&a, &b, sizeof(a));
    sync_all(o);
    b = add(o, large());
    assert_memory_equal(&a, &b, sizeof(a));
    sync_all(o);
    holds(o, &b, large());
    assert_int_equal(files_in("objects"), 1);
    objects_close(&o);
}

static void test_a_long_segment_is_left(void **state)
{
    struct objects *o = open_spool(true);
    struct payload p;

    (void)state;
    for (unsigned i = 0; i < LIMIT_SPOOL_SEGMENT / (OBJECT_SMALL - 1) + 1; i++) {
        large_bytes[0] = (char)i;
        large_bytes[1] = (char)(i >> 8);
        p = add(o, slice(large_bytes, OBJECT_SMALL - 1));
        assert_int_equal(p.segment, 1);
    }
    sync_all(o);
    assert_int_equal(add(o, SLICE("another")).segment, 2);
    sync_all(o);
    assert_int_equal(object_verify(o, &p, NULL), 0);
    objects_close(&o);
}

static void test_a_failed_sync_of_a_segment(void **state)
{
    struct objects *o = open_spool(true);
    struct payload before, lost, again;
    struct err err;

    (void)state;
    before = add(o, SLICE("before"));
    sync_all(o);
    lost = add(o, SLICE("lost"));
    faults.fail[CALL_FDATASYNC] = 1;
    faults.number = EIO;
    assert_int_equal(objects_sync(o, &err), ERR_IO);
    assert_non_null(strstr(err.text, "segments/000001: cannot be synced"));
    assert_int_equal(objects_sync(o, &err), 0); /* nothing was added since */
    again = add(o, SLICE("lost"));
    assert_int_equal(lost.segment, 1);
    assert_int_equal(again.segment, 2);
    sync_all(o);
    holds(o, &before, SLICE("before"));
    holds(o, &again, SLICE("lost"));
    /* so does the folder's */
    objects_close(&o);
    o = open_spool(true);
    add(o, SLICE("in a new file"));
    faults.fail[CALL_FSYNC] = 1;
    assert_int_equal(objects_sync(o, &err), ERR_IO);
    assert_non_null(strstr(err.text, "segments: cannot be synced"));
    assert_int_equal(add(o, SLICE("in a new file")).segment, 4);
    sync_all(o);
    objects_close(&o);
}

static void test_a_failed_sync_of_a_file(void **state)
{
    struct objects *o = open_spool(true);
    struct payload p;
    struct err err;

    (void)state;
    faults.number = EIO;
    faults.fail[CALL_FSYNC] = 1; /* of the file */
    assert_int_equal(object_add(o, large(), &p, &err), ERR_IO);
    assert_non_null(strstr(err.text, "tmp/1: cannot be synced"));
    assert_int_equal(files_in("tmp"), 0);
    assert_int_equal(files_in("objects"), 0);
    faults.fail[CALL_FSYNC] = 2; /* of objects/, which has a new folder */
    assert_int_equal(object_add(o, large(), &p, &err), ERR_IO);
    assert_non_null(strstr(err.text, "objects: cannot be synced"));
    assert_int_equal(files_in("tmp"), 0);
    add(o, large());
    faults.fail[CALL_FSYNC] = 1; /* of that folder */
    assert_int_equal(objects_sync(o, &err), ERR_IO);
    p = add(o, large());
    faults.made = 0;
    faults.counting = true;
    sync_all(o);
    assert_int_equal(faults.made, 1);
    holds(o, &p, large());
    objects_close(&o);
    faults.fail[CALL_FSYNC] = 1;
    assert_int_equal(objects_open(spool, true, &o, &err), ERR_IO);
}

static void test_short_and_interrupted_writes(void **state)
{
    struct objects *o = open_spool(true);
    struct payload small, whole;

    (void)state;
    faults.pieces = true;
    small = add(o, slice(large().p, 60000));
    whole = add(o, large());
    faults.number = EINTR;
    faults.fail[CALL_FSYNC] = faults.fail[CALL_FDATASYNC] = 1;
    sync_all(o);
    holds(o, &small, slice(large().p, 60000));
    holds(o, &whole, large());
    objects_close(&o);
}

static void test_a_full_disk(void **state)
{
    struct objects *o = open_spool(true);
    struct payload before, p, after;
    struct err err;

    (void)state;
    before = add(o, SLICE("before"));
    faults.full = true;
    faults.left = 1000;
    assert_int_equal(object_add(o, slice(large().p, 60000), &p, &err), ERR_IO);
    assert_non_null(strstr(err.text, "No space left"));
    assert_int_equal(object_add(o, large(), &p, &err), ERR_IO);
    assert_int_equal(files_in("tmp"), 0);
    faults.full = false;
    sync_all(o);
    after = add(o, slice(large().p, 60000));
    assert_int_equal(after.segment, before.segment);
    assert_int_equal(after.offset, 1006);
    p = add(o, large());
    sync_all(o);
    holds(o, &before, SLICE("before"));
    holds(o, &after, slice(large().p, 60000));
    holds(o, &p, large());
    objects_close(&o);
}

static void test_files_that_may_not_grow(void **state)
{
    struct rlimit old, little;
    struct objects *o = open_spool(true);
    struct object_writer *w;
    struct payload p;
    struct err err;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    little = old;
    little.rlim_cur = 100000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_int_equal(object_begin(o, &w, &err), 0);
    assert_int_equal(object_write(w, large(), &err), ERR_IO);
    assert_int_equal(object_write(w, SLICE("more"), &err), ERR_IO);
    assert_int_equal(object_end(&w, &p, &err), ERR_IO);
    assert_null(w);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(files_in("tmp"), 0);
    assert_int_equal(files_in("objects"), 0);
    p = add(o, large());
    sync_all(o);
    holds(o, &p, large());
    objects_close(&o);
}

static void test_no_name_to_be_had(void **state)
{
    const enum call calls[] = { CALL_RENAME, CALL_MKDIR };
    struct objects *o = open_spool(true);
    struct payload p;
    struct err err;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        faults.number = EDQUOT;
        faults.fail[calls[i]] = 1;
        assert_int_equal(object_add(o, large(), &p, &err), ERR_IO);
        assert_int_equal(files_in("tmp"), 0);
        assert_int_equal(files_in("objects"), 0);
    }
    p = add(o, large());
    sync_all(o);
    holds(o, &p, large());
    objects_close(&o);
}

/* Changes one byte of a file of the spool. */
static void change(const char *name, off_t at)
{
    int fd = open(in_spool(name), O_RDWR);
    char c;
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

static const char *file_of(const struct payload *p)
{
    static char path[100];
    char name[2 * OBJECT_HASH + 1];
    object_name(p->hash, name);
    snprintf(path, sizeof(path), "objects/%.2s/%s", name, name + 2);
    return path;
}

static void test_damage(void **state)
{
    struct objects *o = open_spool(true);
    struct payload small, other, whole, beyond;
    struct err err;
    char path[100];
    int fd;

    (void)state;
    small = add(o, SLICE("small"));
    other = add(o, SLICE("other"));
    whole = add(o, large());
    sync_all(o);
    snprintf(path, sizeof(path), "%s", file_of(&whole));
    change("segments/000001", 2);
    assert_int_equal(loads(o, &small, &err), ERR_DATA);
    assert_non_null(strstr(err.text, "segments/000001 at byte 0: payload "));
    assert_non_null(strstr(err.text, " is damaged: its bytes are others"));
    assert_int_equal(object_verify(o, &small, &err), ERR_DATA);
    assert_int_equal(object_read(o, &small, &fd, &err), ERR_DATA);
    assert_int_equal(fd, -1);
    holds(o, &other, SLICE("other"));
    change(path, LARGE - 1);
    assert_int_equal(loads(o, &whole, &err), ERR_DATA);
    assert_int_equal(object_verify(o, &whole, &err), ERR_DATA);
    change(path, LARGE - 1);
    holds(o, &whole, large());

    assert_int_equal(truncate(in_spool(path), LARGE - 1), 0);
    assert_int_equal(object_read(o, &whole, &fd, &err), ERR_DATA);
    assert_non_null(strstr(err.text, "another size"));
    assert_int_equal(truncate(in_spool(path), LARGE + 1), 0);
    assert_int_equal(object_verify(o, &whole, &err), ERR_DATA);
    assert_int_equal(unlink(in_spool(path)), 0);
    assert_int_equal(object_read(o, &whole, &fd, &err), ERR_MISSING);
    assert_int_equal(err.code, ERR_MISSING);
    assert_int_equal(mkfifo(in_spool(path), 0600), 0);
    assert_int_equal(object_read(o, &whole, &fd, &err), ERR_DATA);
    assert_int_equal(unlink(in_spool(path)), 0);
    assert_int_equal(symlink("/dev/null", in_spool(path)), 0);
    assert_int_equal(object_read(o, &whole, &fd, &err), ERR_IO);

    beyond = other;
    beyond.offset = UINT64_MAX - 2;
    assert_int_equal(loads(o, &beyond, &err), ERR_DATA);
    beyond.segment = 77;
    assert_int_equal(loads(o, &beyond, &err), ERR_MISSING);
    beyond.size = 2 << 20;
    assert_int_equal(loads(o, &beyond, &err), ERR_LIMIT);

    /* what is damaged is mended by coming again */
    whole = add(o, large());
    sync_all(o);
    holds(o, &whole, large());
    objects_close(&o);
}

static void test_removing(void **state)
{
    struct objects *o = open_spool(true);
    struct payload a, b, whole;
    struct err err;
    int fd;

    (void)state;
    a = add(o, SLICE("a"));
    whole = add(o, large());
    assert_int_equal(object_remove_segment(o, 1, &err), ERR_USAGE);
    sync_all(o);
    assert_int_equal(object_read(o, &whole, &fd, &err), 0);
    assert_int_equal(object_remove(o, &whole, &err), 0);
    assert_int_equal(object_remove(o, &whole, &err), 0);
    assert_int_equal(read(fd, large_bytes, 10), 10); /* who has it open can go on */
    close(fd);
    assert_int_equal(loads(o, &whole, &err), ERR_MISSING);
    assert_int_equal(object_remove(o, &a, &err), 0);
    holds(o, &a, SLICE("a"));
    assert_int_equal(object_remove_segment(o, 1, &err), 0);
    assert_int_equal(object_remove_segment(o, 1, &err), 0);
    assert_int_equal(files_in("segments"), 0);
    b = add(o, SLICE("b"));
    assert_int_equal(b.segment, 2);
    whole = add(o, large());
    sync_all(o);
    holds(o, &b, SLICE("b"));
    holds(o, &whole, large());
    faults.number = EACCES;
    faults.fail[CALL_UNLINK] = 1;
    assert_int_equal(object_remove(o, &whole, &err), ERR_IO);
    objects_close(&o);
}

struct knowledge {
    struct payload payload[4];
    unsigned n;
};

static bool knows(void *ctx, const uint8_t *hash, uint32_t segment)
{
    const struct knowledge *k = ctx;
    assert_true((hash != NULL) != (segment != 0));
    for (unsigned i = 0; i < k->n; i++)
        if (hash ? k->payload[i].segment == 0 && memcmp(k->payload[i].hash, hash, OBJECT_HASH) == 0
                 : k->payload[i].segment == segment)
            return true;
    return false;
}

static void test_sweeping(void **state)
{
    struct knowledge k = { .n = 2 };
    struct objects *o = open_spool(true);
    struct err err;
    uint64_t removed;

    (void)state;
    add(o, SLICE("litter"));
    add(o, slice(large().p, LARGE - 1));
    add(o, slice(large().p, LARGE - 2));
    k.payload[0] = add(o, large());
    sync_all(o);
    objects_close(&o);
    o = open_spool(true);
    k.payload[1] = add(o, SLICE("known"));
    sync_all(o);
    assert_int_equal(objects_sweep(o, knows, &k, &removed, &err), ERR_USAGE);
    objects_close(&o);
    /* what is not ours stays */
    close(open(in_spool("objects/note"), O_CREAT | O_WRONLY, 0600));
    close(open(in_spool("segments/note"), O_CREAT | O_WRONLY, 0600));
    mkdir(in_spool("objects/00"), 0700);
    close(open(in_spool("objects/00/note"), O_CREAT | O_WRONLY, 0600));
    o = open_spool(true);
    assert_int_equal(objects_sweep(o, knows, &k, &removed, &err), 0);
    assert_int_equal(removed, 3);
    assert_int_equal(files_in("objects"), 3);
    assert_int_equal(files_in("segments"), 2);
    holds(o, &k.payload[0], large());
    holds(o, &k.payload[1], SLICE("known"));
    assert_int_equal(objects_sweep(o, knows, &k, &removed, &err), 0);
    assert_int_equal(removed, 0);
    objects_close(&o);
    o = open_spool(false);
    assert_int_equal(objects_sweep(o, knows, &k, &removed, &err), ERR_USAGE);
    objects_close(&o);
}

static void test_readers_do_not_write(void **state)
{
    struct objects *o = open_spool(false);
    struct object_writer *w;
    struct payload p;
    struct err err;

    (void)state;
    assert_int_equal(object_add(o, SLICE("x"), &p, &err), ERR_USAGE);
    assert_int_equal(object_begin(o, &w, &err), ERR_USAGE);
    assert_int_equal(objects_sync(o, &err), 0);
    objects_close(&o);
}

/* --- Killed ------------------------------------------------------------------------------------------------------- */

/* What a writer does that is killed: payloads, synced, named in the pipe as the ledger would. */
static void write_and_tell(int pipe)
{
    struct objects *o = open_spool(true);
    for (unsigned batch = 0; batch < 2; batch++) {
        struct payload p[3];
        p[0] = add(o, slice(large().p, 100 + batch));
        p[1] = add(o, slice(large().p, LARGE - batch));
        p[2] = add(o, slice(large().p, OBJECT_SMALL - 1 - batch));
        sync_all(o);
        if (syscall(SYS_write, pipe, p, sizeof(p)) != sizeof(p))
            _exit(2);
        if (batch == 0 && object_remove(o, &p[1], NULL) < 0)
            _exit(3);
    }
    objects_close(&o);
}

static void test_killed_before_and_after_each_call(void **state)
{
    unsigned stops = 0;
    bool killed = true;

    for (unsigned n = 1; killed; n++)
        for (unsigned after = 0; after < 2; after++) {
            struct payload p[6];
            struct knowledge k = { .n = 0 };
            struct objects *o;
            struct err err;
            uint64_t removed;
            ssize_t got;
            int ends[2], status;
            pid_t child;

            assert_int_equal(pipe(ends), 0);
            fflush(NULL);
            child = fork();
            if (child == 0) {
                faults.counting = true;
                faults.made = 0;
                *(after ? &faults.kill_after : &faults.kill_before) = n;
                write_and_tell(ends[1]);
                _exit(0);
            }
            close(ends[1]);
            got = read(ends[0], p, sizeof(p[0]) * 3);
            if (got > 0)
                got += read(ends[0], p + 3, sizeof(p[0]) * 3);
            close(ends[0]);
            assert_int_equal(waitpid(child, &status, 0), child);
            killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
            assert_true(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
            stops += killed;

            o = open_spool(true);
            assert_int_equal(files_in("tmp"), 0);
            for (unsigned i = 0; i < (size_t)got / sizeof(p[0]); i++) {
                if (i == 1) /* condemned */
                    continue;
                assert_int_equal(object_verify(o, &p[i], &err), 0);
                k.payload[k.n++] = p[i];
                if (k.n == 4)
                    break;
            }
            assert_int_equal(objects_sweep(o, knows, &k, &removed, &err), 0);
            for (unsigned i = 0; i < k.n; i++)
                assert_int_equal(object_verify(o, &k.payload[i], &err), 0);
            assert_int_equal(files_in("objects"), got == sizeof(p) ? 1 : 0);
            add(o, large());
            sync_all(o);
            objects_close(&o);
            tear_down(state);
            set_up(state);
        }
    assert_true(stops > 40);
}

/* --- Memory ------------------------------------------------------------------------------------------------------- */

static int whole_life(void *arg)
{
    struct objects *o = NULL;
    struct object_writer *w = NULL;
    struct payload small, whole;
    struct buf b;
    int r, fd = -1;

    (void)arg;
    buf_init(&b, 1 << 20);
    r = objects_open(spool, true, &o, NULL);
    r = r < 0 ? r : object_add(o, SLICE("small"), &small, NULL);
    r = r < 0 ? r : object_begin(o, &w, NULL);
    r = r < 0 ? r : object_write(w, slice(large().p, 1000), NULL);
    r = r < 0 ? r : object_write(w, slice(large().p, LARGE), NULL);
    r = r < 0 ? r : object_end(&w, &whole, NULL);
    r = r < 0 ? r : object_add(o, large(), &whole, NULL);
    r = r < 0 ? r : objects_sync(o, NULL);
    r = r < 0 ? r : object_load(o, &small, &b, NULL);
    r = r < 0 ? r : object_load(o, &whole, &b, NULL);
    r = r < 0 ? r : object_verify(o, &whole, NULL);
    r = r < 0 ? r : object_read(o, &small, &fd, NULL);
    if (fd >= 0)
        close(fd);
    object_abandon(&w);
    objects_close(&o);
    buf_deinit(&b);
    return r;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(whole_life, NULL) > 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names),
        TEST(test_folders),
        TEST(test_sizes),
        TEST(test_in_parts),
        TEST(test_abandoned),
        TEST(test_a_start_opens_a_segment_and_none_is_cut),
        TEST(test_a_lost_segment_is_not_begun_anew),
        TEST(test_twice_in_a_batch_is_once_on_disk),
        TEST(test_a_long_segment_is_left),
        TEST(test_a_failed_sync_of_a_segment),
        TEST(test_a_failed_sync_of_a_file),
        TEST(test_short_and_interrupted_writes),
        TEST(test_a_full_disk),
        TEST(test_files_that_may_not_grow),
        TEST(test_no_name_to_be_had),
        TEST(test_damage),
        TEST(test_removing),
        TEST(test_sweeping),
        TEST(test_readers_do_not_write),
        TEST(test_killed_before_and_after_each_call),
        TEST(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
