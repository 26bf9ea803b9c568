/*
 * appliance_home: a home with partners and a spool in a folder of its own, for tests of the appliance's stages; a clock
 * that the test sets; and the process killed before a call that changes something on disk.
 *
 * The calls come to the functions below, those of the libraries as well, because a program's own come before the C
 * library's.
 */
#ifndef WAYBILL_TESTS_APPLIANCE_HOME_H
#define WAYBILL_TESTS_APPLIANCE_HOME_H

#include <dirent.h>
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "flow/appliance.h"

/* --- Calls ---------------------------------------------------------------------------------------- */

static struct {
    unsigned made, kill;                        /* before this call; 0: never */
    bool counting;
    int fail_rename, fail_unlink, fail_fsync, fail_write;   /* with this errno; 0: never */
    unsigned good_syncs;                        /* before they fail */
    dev_t folder;                               /* only of this folder's file system and number; 0: any */
    ino_t folder_number;
} faults;

static inline void before_call(void)
{
    if (faults.counting && ++faults.made == faults.kill)
        kill(getpid(), SIGKILL);
}

static inline bool concerns(int fd)
{
    struct stat st;
    return !faults.folder_number ||
           (fstat(fd, &st) == 0 && st.st_dev == faults.folder && st.st_ino == faults.folder_number);
}

/* for the libraries, too */
#define SEEN __attribute__((visibility("default")))

SEEN ssize_t write(int fd, const void *p, size_t n)
{
    before_call();
    if (faults.fail_write) {
        errno = faults.fail_write;
        return -1;
    }
    return syscall(SYS_write, fd, p, n);
}

SEEN ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    before_call();
    return syscall(SYS_pwrite64, fd, p, n, at);
}

SEEN int fsync(int fd)
{
    before_call();
    if (faults.fail_fsync && concerns(fd) && faults.good_syncs-- == 0) {
        faults.good_syncs = 0;
        errno = faults.fail_fsync;
        return -1;
    }
    return 0;                           /* the tests need no disk */
}

SEEN int fdatasync(int fd)
{
    (void)fd;
    before_call();
    return 0;
}

SEEN int renameat2(int from, const char *name, int to, const char *other, unsigned flags)
{
    before_call();
    if (faults.fail_rename && concerns(from)) {
        errno = faults.fail_rename;
        return -1;
    }
    return (int)syscall(SYS_renameat2, from, name, to, other, flags);
}

SEEN int linkat(int from, const char *name, int to, const char *other, int flags)
{
    before_call();
    return (int)syscall(SYS_linkat, from, name, to, other, flags);
}

SEEN int unlinkat(int folder, const char *name, int flags)
{
    before_call();
    if (faults.fail_unlink && concerns(folder)) {
        errno = faults.fail_unlink;
        return -1;
    }
    return (int)syscall(SYS_unlinkat, folder, name, flags);
}

/* --- A home ----------------------------------------------------------------------------------------- */

struct place_of_test {
    char home[64], spool[80];
    struct appliance a;
    store_time clock;                   /* 0: the real one */
};

static inline store_time clock_of_test(void *ctx)
{
    struct place_of_test *t = ctx;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return t->clock ? t->clock : (store_time)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline store_time real_time(void)
{
    struct place_of_test t = { .clock = 0 };
    return clock_of_test(&t);
}

/* A file below the home, or anywhere. */
static inline void put_bytes(const struct place_of_test *t, const char *path, const void *p, size_t n)
{
    char whole[4400];
    FILE *f;

    snprintf(whole, sizeof(whole), "%s%s%s", path[0] == '/' ? "" : t->home, path[0] == '/' ? "" : "/", path);
    f = fopen(whole, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline void put_text(const struct place_of_test *t, const char *path, const char *text)
{
    put_bytes(t, path, text, strlen(text));
}

static inline void make_folder(const struct place_of_test *t, const char *path)
{
    char whole[4400];

    snprintf(whole, sizeof(whole), "%s/%s", t->home, path);
    assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
}

static inline bool is_there(const struct place_of_test *t, const char *path)
{
    char whole[4400];
    struct stat st;

    snprintf(whole, sizeof(whole), "%s/%s", t->home, path);
    return lstat(whole, &st) == 0;
}

/* Everything opened, as at a start. */
static inline void place_open(struct place_of_test *t)
{
    struct store_options options = { .write = true, .who = "test", .now = clock_of_test, .ctx = t };
    struct complaints c;
    struct err err = { 0 };

    t->a = (struct appliance){ .spool = -1 };
    complaints_init(&c);
    if (home_open(t->home, "maps", &c, &t->a.home, &err) < 0 || c.count)
        fail_msg("%s%.*s", err.text, SLICE_FMT(buf_slice(&c.text)));
    complaints_deinit(&c);
    if (objects_make(t->spool, &err) < 0 || store_open(t->spool, &options, &t->a.store, &err) < 0 ||
        objects_open(t->spool, true, &t->a.objects, &err) < 0)
        fail_msg("%s", err.text);
    t->a.spool = open(t->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(t->a.spool >= 0);
}

static inline void place_close(struct place_of_test *t)
{
    door_forget(&t->a.looks);
    objects_close(&t->a.objects);
    store_close(&t->a.store);
    home_close(&t->a.home);
    if (t->a.spool >= 0)
        close(t->a.spool);
    t->a.spool = -1;
}

/* A new home; `settle` in seconds. Partners come from put_partner(), then place_open(). */
static inline void place_new(struct place_of_test *t, const char *settle)
{
    char text[64];

    *t = (struct place_of_test){ .a = { .spool = -1 } };
    snprintf(t->home, sizeof(t->home), "/tmp/waybill-test-XXXXXX");
    assert_non_null(mkdtemp(t->home));
    snprintf(t->spool, sizeof(t->spool), "%s/spool", t->home);
    make_folder(t, "partners");
    make_folder(t, "spool");
    snprintf(text, sizeof(text), "settle %s\n", settle);
    put_text(t, "waybill.conf", text);
}

/* @ in the text is the home's folder. */
static inline void put_partner(const struct place_of_test *t, const char *name, const char *text)
{
    char path[300], all[8192];
    size_t n = (size_t)snprintf(all, sizeof(all), "partner %s \"%s\"\n", name, name);

    for (; *text && n < sizeof(all) - sizeof(t->home); text++)
        if (*text == '@')
            n += (size_t)snprintf(all + n, sizeof(all) - n, "%s", t->home);
        else
            all[n++] = *text;
    all[n] = 0;
    snprintf(path, sizeof(path), "partners/%s.conf", name);
    put_text(t, path, all);
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    (void)st, (void)f;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

static inline void place_free(struct place_of_test *t)
{
    place_close(t);
    memset(&faults, 0, sizeof(faults));
    nftw(t->home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- Asking ----------------------------------------------------------------------------------------- */

struct asked {
    unsigned n;
    struct store_transmission last;
    char names[4000], reason[1200];     /* each name with a blank behind */
    char content[100];                  /* of the last */
};

static inline int ask_row(void *ctx, const struct store_transmission *x)
{
    struct asked *k = ctx;
    size_t n = strlen(k->names);

    k->n++;
    k->last = *x;
    if (n + x->name.n + 2 < sizeof(k->names))
        snprintf(k->names + n, sizeof(k->names) - n, "%.*s ", SLICE_FMT(x->name));
    snprintf(k->reason, sizeof(k->reason), "%.*s", SLICE_FMT(x->reason));
    return 0;
}

static inline void ask(const struct place_of_test *t, const struct store_query *q, struct asked *k)
{
    struct err err = { 0 };

    *k = (struct asked){ 0 };
    if (store_transmissions(t->a.store, q, ask_row, k, &err) < 0)
        fail_msg("%s", err.text);
}

static inline unsigned count(const struct place_of_test *t, enum store_direction direction,
                             enum transmission_state state)
{
    struct store_query q = { .direction = direction, .states = state ? 1u << state : 0 };
    struct asked k;

    ask(t, &q, &k);
    return k.n;
}

/* --- Killing ---------------------------------------------------------------------------------------- */

/* Runs `work` in a process of its own that opens everything for itself, killed before call n. False: it was through
 * before. */
static inline bool killed_at(struct place_of_test *t, unsigned n, int (*work)(struct place_of_test *t))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        place_open(t);
        faults.made = 0;
        faults.kill = n;
        faults.counting = true;
        _exit(work(t) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status);
}

#endif
