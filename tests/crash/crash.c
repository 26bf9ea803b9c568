/*
 * crash: a library to be preloaded, for tests only. It counts the calls that change something on disk, with one counter for all of
 * them, in whatever library they are made; kills the process before, inside or after one of them, lets them fail, lists
 * them, sets the clock wrong, and is a disk that forgets what was not synced. README.md beside this says how.
 *
 * Counted are calls on files and folders: not on pipes, terminals, sockets and files in memory. What stdio writes to a file is
 * not seen, for the C library does not call itself by name. Children of fork() share the counter.
 *
 * Of its own it makes system calls only, so that nothing of it is counted, and nothing of AddressSanitizer's gets in its way.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* May be short; may find the disk full; may be interrupted. Syncs of files on a local disk are not, and SQLite counts on it. */
enum { WRITES = 1, GROWS = 2, INTERRUPTIBLE = 4 };

static struct {
    unsigned long *made; /* calls so far; NULL: nothing is asked for */
    unsigned long at, inside, after;
    int fault; /* errno; 0: none */
    bool short_writes;
    unsigned long fault_at, fault_from, fault_until, fault_every;
    const char *fault_calls; /* names between commas; NULL: all */
    const char *fault_name;
    const char *under;
    size_t under_length;
    int report;
    long clock_seconds;
    unsigned long clock_from;
    bool counts;
    int pins; /* the folder for what forgetting needs; -1: nothing is forgotten */
    bool forgets_names, forgets_bytes;
    const char *unsynced; /* a pattern of paths whose syncs do nothing; NULL: none */
} settings = { .report = -1, .pins = -1 };

struct counted {
    unsigned long number; /* 0: not counted */
    bool fails, dies;
};

/* --- Settings ----------------------------------------------------------------------------------------------------- */

static void complain(const char *words, const char *value)
{
    char line[300];
    int n = snprintf(line, sizeof(line), "crash.so: %s: %s\n", value, words);
    syscall(SYS_write, 2, line, n);
    syscall(SYS_exit_group, 99);
}

static unsigned long number_of(const char *name)
{
    const char *value = getenv(name);
    char *end;
    unsigned long n;
    if (!value || !*value)
        return 0;
    n = strtoul(value, &end, 10);
    if (*end || n == 0)
        complain("is no number from 1", value);
    settings.counts = true;
    return n;
}

static void read_forgetting(void);

__attribute__((constructor)) static void read_settings(void)
{
    static const struct {
        const char *name;
        int number;
    } faults[] = { { "ENOSPC", ENOSPC }, { "EDQUOT", EDQUOT }, { "EIO", EIO },       { "EINTR", EINTR },
                   { "EMFILE", EMFILE }, { "EACCES", EACCES }, { "ENOMEM", ENOMEM }, { "EROFS", EROFS } };
    const char *value;

    settings.at = number_of("WAYBILL_CRASH_AT");
    settings.inside = number_of("WAYBILL_CRASH_INSIDE");
    settings.after = number_of("WAYBILL_CRASH_AFTER");
    settings.fault_at = number_of("WAYBILL_FAULT_AT");
    settings.fault_from = number_of("WAYBILL_FAULT_FROM");
    settings.fault_until = number_of("WAYBILL_FAULT_UNTIL");
    settings.fault_every = number_of("WAYBILL_FAULT_EVERY");
    settings.clock_from = number_of("WAYBILL_CLOCK_FROM");
    settings.fault_calls = getenv("WAYBILL_FAULT_CALLS");
    settings.under = getenv("WAYBILL_CRASH_UNDER");
    settings.under_length = settings.under ? strlen(settings.under) : 0;
    value = getenv("WAYBILL_CLOCK");
    if (value && *value) {
        char *end;
        settings.clock_seconds = strtol(value, &end, 10);
        if (*end)
            complain("is no number of seconds", value);
    }
    settings.fault_name = value = getenv("WAYBILL_FAULT");
    if (value && *value) {
        settings.counts = true;
        settings.short_writes = strcmp(value, "SHORT") == 0;
        for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
            if (strcmp(value, faults[i].name) == 0)
                settings.fault = faults[i].number;
        if (!settings.fault && !settings.short_writes)
            complain("is no fault that is known", value);
    }
    value = getenv("WAYBILL_CRASH_REPORT");
    if (value && *value) {
        settings.counts = true;
        /* far from the numbers that tests and programs may count on */
        int fd = (int)syscall(SYS_openat, AT_FDCWD, value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        settings.report = fd < 0 ? -1 : (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 200);
        syscall(SYS_close, fd);
        if (settings.report < 0)
            complain("cannot be written", value);
    }
    value = getenv("WAYBILL_CRASH_FORGETS");
    settings.counts = settings.counts || (value && *value);
    if (settings.counts) {
        void *p = mmap(NULL, sizeof(*settings.made), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            complain("no memory", "counter");
        settings.made = p;
    }
    read_forgetting();
}

/* --- What a call is about ----------------------------------------------------------------------------------------- */

enum { PATH = 4200 };

/* The name of what fd is; "" if it has none. */
static void name_fd(int fd, char name_r[PATH])
{
    char link[40];
    long n;
    if (fd == AT_FDCWD)
        snprintf(link, sizeof(link), "/proc/self/cwd");
    else
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = syscall(SYS_readlinkat, AT_FDCWD, link, name_r, PATH - 1);
    name_r[n < 0 ? 0 : n] = 0;
}

static void name_path(int folder, const char *path, char name_r[PATH])
{
    size_t n;
    name_r[0] = 0;
    if (path[0] != '/') {
        name_fd(folder, name_r);
        strncat(name_r, "/", PATH - strlen(name_r) - 1);
    }
    n = strlen(name_r);
    snprintf(name_r + n, PATH - n, "%s", path);
}

static bool is_under(const char *name)
{
    return strncmp(name, settings.under, settings.under_length) == 0 &&
           (name[settings.under_length] == '/' || name[settings.under_length] == 0);
}

/* Whether calls on it are counted. */
static bool is_ours(int fd, const char *name)
{
    struct stat st;
    if (settings.under)
        return is_under(name);
    if (fd < 0)
        return true;
    return fd > 2 && name[0] == '/' && strncmp(name, "/memfd:", 7) != 0 && fstat(fd, &st) == 0 &&
           (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

static void report(unsigned long number, const char *call, const char *name, const char *other, const char *what)
{
    char line[2 * PATH + 100];
    int n;
    if (settings.report < 0)
        return;
    n = snprintf(line, sizeof(line), "%lu %s %s%s%s%s%s", number, call, name, *other ? " " : "", other,
                 *what ? " " : "", what);
    for (int i = 0; i < n; i++)
        if ((unsigned char)line[i] < ' ')
            line[i] = '?';
    line[n] = '\n';
    syscall(SYS_write, settings.report, line, n + 1);
}

/* --- A disk that forgets ------------------------------------------------------------------------------------------ */

/*
 * What is safe is kept in memory: the bytes of a file as they were at its last sync, the names in a folder as they were at its last sync;
 * of what lay there at the start, all. A file is known by its inode, and keeps it, for programs look at that; so that no other
 * gets it, a file that loses a name gets one in the folder of pins. At the end, whichever it is, everything below `under` is
 * taken apart, and built anew of what is safe. A file whose name was synced and whose bytes never were is empty then.
 */
enum { FILES = 20000, NAMES = 100000, ROOM = 64 << 20 };

struct safe_file {
    ino_t inode; /* 0: nothing is safe */
    char *bytes;
    size_t size, room;
    struct timespec modified;
};

struct safe_name {
    ino_t folder; /* 0: no name any more */
    ino_t inode;
    mode_t mode;
    const char *name;
};

static struct {
    pthread_mutex_t lock;
    bool forgotten;
    struct safe_file *file;
    struct safe_name *name;
    unsigned files, names;
    char *room;
    size_t used;
} safe = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *pages(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        complain("no memory", "forgetting");
    return p;
}

static int open_as_it_is(int folder, const char *path, int flags)
{
    return (int)syscall(SYS_openat, folder, path, flags | O_CLOEXEC | O_NOFOLLOW, 0);
}

static bool stat_at(int folder, const char *path, struct stat *st_r)
{
    return fstatat(folder, path, st_r, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Calls back for all names in a folder. */
static void each_name(int folder, void (*each)(void *ctx, int folder, const char *name, const struct stat *st),
                      void *ctx)
{
    struct {
        uint64_t inode;
        int64_t next;
        unsigned short size;
        unsigned char type;
        char name[];
    } * e;
    int fd = open_as_it_is(folder, ".", O_RDONLY | O_DIRECTORY);
    char block[32 << 10] __attribute__((aligned(8)));
    struct stat st;
    long n;

    if (fd < 0)
        complain("cannot be listed", "a folder");
    while ((n = syscall(SYS_getdents64, fd, block, sizeof(block))) > 0)
        for (long at = 0; at < n; at += e->size) {
            e = (void *)(block + at);
            if (strcmp(e->name, ".") != 0 && strcmp(e->name, "..") != 0 && stat_at(fd, e->name, &st))
                each(ctx, fd, e->name, &st);
        }
    syscall(SYS_close, fd);
}

static struct safe_file *safe_file(ino_t inode, bool make)
{
    for (unsigned i = 0; i < safe.files; i++)
        if (safe.file[i].inode == inode)
            return &safe.file[i];
    if (!make)
        return NULL;
    if (safe.files == FILES)
        complain("too many files", "forgetting");
    safe.file[safe.files].inode = inode;
    return &safe.file[safe.files++];
}

static void keep_bytes(int fd, const struct stat *st)
{
    struct safe_file *f = safe_file(st->st_ino, true);
    int from = fd;
    long n;

    if (f->room < (size_t)st->st_size) {
        if (f->bytes)
            munmap(f->bytes, f->room);
        f->room = (size_t)st->st_size + (64 << 10);
        f->bytes = pages(f->room);
    }
    f->size = 0;
    f->modified = st->st_mtim;
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) {
        char path[40];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        from = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    }
    while (f->size < (size_t)st->st_size &&
           (n = syscall(SYS_pread64, from, f->bytes + f->size, st->st_size - f->size, f->size)) > 0)
        f->size += (size_t)n;
    if (from != fd)
        syscall(SYS_close, from);
}

static void keep_name(void *ctx, int folder, const char *name, const struct stat *st)
{
    size_t n = strlen(name) + 1;
    (void)folder;
    if (safe.names == NAMES || safe.used + n > ROOM)
        complain("too many names", "forgetting");
    memcpy(safe.room + safe.used, name, n);
    safe.name[safe.names++] = (struct safe_name){ *(ino_t *)ctx, st->st_ino, st->st_mode, safe.room + safe.used };
    safe.used += n;
}

static void keep_names(int folder, const struct stat *st)
{
    ino_t inode = st->st_ino;
    for (unsigned i = 0; i < safe.names; i++)
        if (safe.name[i].folder == inode)
            safe.name[i--] = safe.name[--safe.names];
    each_name(folder, keep_name, &inode);
}

static void keep_tree(void *ctx, int folder, const char *name, const struct stat *st)
{
    int fd = S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) ? open_as_it_is(folder, name, O_RDONLY) : -1;
    if (fd >= 0 && S_ISDIR(st->st_mode)) {
        keep_names(fd, st);
        each_name(fd, keep_tree, ctx);
    } else if (fd >= 0) {
        keep_bytes(fd, st);
    }
    syscall(SYS_close, fd);
}

/* Everything as it lies there, now. */
static void keep_all(void)
{
    int error = errno;
    struct stat st;
    if (settings.pins < 0)
        return;
    pthread_mutex_lock(&safe.lock);
    if (!safe.forgotten && stat_at(AT_FDCWD, settings.under, &st))
        keep_tree(NULL, AT_FDCWD, settings.under, &st);
    pthread_mutex_unlock(&safe.lock);
    errno = error;
}

/* What was synced. */
static void keep(int fd)
{
    int error = errno;
    char name[PATH];
    struct stat st;
    if (settings.pins < 0 || fstat(fd, &st) < 0)
        return;
    name_fd(fd, name);
    if (settings.unsynced && fnmatch(settings.unsynced, name + settings.under_length, 0) == 0)
        return;
    pthread_mutex_lock(&safe.lock);
    if (safe.forgotten)
        ;
    else if (S_ISDIR(st.st_mode))
        keep_names(fd, &st);
    else
        keep_bytes(fd, &st);
    pthread_mutex_unlock(&safe.lock);
    errno = error;
}

static void name_pin(ino_t inode, char name_r[24])
{
    snprintf(name_r, 24, "%llu", (unsigned long long)inode);
}

/* One name more for what has this one, if it is a file. */
static void pin(int folder, const char *path)
{
    struct stat st;
    char name[24];
    if (!stat_at(folder, path, &st) || S_ISDIR(st.st_mode))
        return;
    name_pin(st.st_ino, name);
    syscall(SYS_linkat, folder, path, settings.pins, name, 0);
}

static void take_apart(void *ctx, int folder, const char *name, const struct stat *st)
{
    int fd;
    if (S_ISDIR(st->st_mode) && (fd = open_as_it_is(folder, name, O_RDONLY | O_DIRECTORY)) >= 0) {
        each_name(fd, take_apart, ctx);
        syscall(SYS_close, fd);
    } else {
        pin(folder, name);
    }
    if (syscall(SYS_unlinkat, folder, name, S_ISDIR(st->st_mode) ? AT_REMOVEDIR : 0) < 0)
        complain("cannot be removed", name);
}

static void forget_bytes(void *ctx, int folder, const char *name, const struct stat *st)
{
    const struct safe_file *f = safe_file(st->st_ino, false);
    const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, f ? f->modified : st->st_mtim };
    int fd = S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)
                 ? open_as_it_is(folder, name, S_ISDIR(st->st_mode) ? O_RDONLY : O_RDWR)
                 : -1;
    long n;

    if (fd < 0)
        return;
    if (S_ISDIR(st->st_mode)) {
        each_name(fd, forget_bytes, ctx);
    } else {
        syscall(SYS_ftruncate, fd, f ? f->size : 0);
        for (size_t at = 0; f && at < f->size; at += (size_t)n)
            if ((n = syscall(SYS_pwrite64, fd, f->bytes + at, f->size - at, at)) <= 0)
                complain("cannot be written", name);
        syscall(SYS_utimensat, fd, NULL, times, 0);
    }
    syscall(SYS_close, fd);
}

static void build(int folder, ino_t inode)
{
    for (unsigned i = 0; i < safe.names; i++) {
        const struct safe_name *n = &safe.name[i];
        char pinned[24];
        int fd;
        if (n->folder != inode)
            continue;
        if (!S_ISDIR(n->mode)) {
            name_pin(n->inode, pinned);
            if (syscall(SYS_linkat, settings.pins, pinned, folder, n->name, 0) < 0)
                complain("cannot get its name again", n->name);
            continue;
        }
        syscall(SYS_mkdirat, folder, n->name, 0700);
        fd = open_as_it_is(folder, n->name, O_RDONLY | O_DIRECTORY);
        if (fd < 0 || syscall(SYS_fchmod, fd, n->mode & 07777) < 0)
            complain("cannot be made again", n->name);
        build(fd, n->inode);
        syscall(SYS_close, fd);
    }
}

/* The end: from now on nothing is kept any more, and no other thread comes past a sync before all is done. */
static void forget(void)
{
    struct stat st;
    int fd;
    if (settings.pins < 0)
        return;
    pthread_mutex_lock(&safe.lock);
    safe.forgotten = true;
    fd = open_as_it_is(AT_FDCWD, settings.under, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || fstat(fd, &st) < 0)
        complain("cannot be opened", settings.under);
    if (settings.forgets_names) {
        each_name(fd, take_apart, NULL);
        build(fd, st.st_ino);
    }
    if (settings.forgets_bytes)
        each_name(fd, forget_bytes, NULL);
    syscall(SYS_close, fd);
    pthread_mutex_unlock(&safe.lock);
}

/* A process that ends by itself has synced no more than one that is killed. */
__attribute__((destructor)) static void end(void)
{
    forget();
}

static void read_forgetting(void)
{
    const char *what = getenv("WAYBILL_CRASH_FORGETS"), *folder = getenv("WAYBILL_CRASH_PINS");
    if (!what || !*what)
        return;
    settings.unsynced = getenv("WAYBILL_CRASH_UNSYNCED");
    settings.forgets_names = strcmp(what, "bytes") != 0;
    settings.forgets_bytes = strcmp(what, "names") != 0;
    if (strcmp(what, "all") != 0 && settings.forgets_names && settings.forgets_bytes)
        complain("is neither all nor names nor bytes", what);
    if (!folder || !settings.under)
        complain("needs WAYBILL_CRASH_PINS and WAYBILL_CRASH_UNDER", "WAYBILL_CRASH_FORGETS");
    safe.file = pages(FILES * sizeof(*safe.file));
    safe.name = pages(NAMES * sizeof(*safe.name));
    safe.room = pages(ROOM);
    settings.pins = (int)syscall(SYS_openat, AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (settings.pins >= 0)
        settings.pins = (int)syscall(SYS_fcntl, settings.pins, F_DUPFD_CLOEXEC, 200);
    if (settings.pins < 0)
        complain("cannot be opened", folder);
    keep_all();
}

/* --- Counting ----------------------------------------------------------------------------------------------------- */

static bool is_named(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, n) == 0 && (at[n] == ',' || at[n] == 0))
            return true;
    }
    return false;
}

static bool is_faulty(unsigned long n, const char *name, unsigned kind)
{
    if (settings.fault_calls && !is_named(settings.fault_calls, name))
        return false;
    if (settings.fault_until && n >= settings.fault_until)
        return false;
    if (settings.short_writes                                  ? !(kind & WRITES)
        : settings.fault == EINTR                              ? !(kind & INTERRUPTIBLE) && !settings.fault_calls
        : settings.fault == ENOSPC || settings.fault == EDQUOT ? !(kind & GROWS)
                                                               : false)
        return false;
    if (settings.fault_at && n == settings.fault_at)
        return true;
    if (settings.fault_from && n >= settings.fault_from)
        return settings.fault != EINTR || n % 2 == settings.fault_from % 2; /* or nothing would ever go on */
    return settings.fault_every && n % settings.fault_every == 0;
}

static void die(void)
{
    forget();
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;)
        pause();
}

/* Before a call. bytes_r: how many it wants to write, made fewer for a short one. `folder` is where a path starts, or the descriptor
 * itself where there is no path. */
static struct counted before(const char *call, unsigned kind, int folder, const char *path, int other_folder,
                             const char *other, size_t *bytes_r)
{
    struct counted c = { 0 };
    char name[PATH], other_name[PATH] = "";
    int error = errno;
    bool cut;

    if (!settings.made)
        return c;
    if (path)
        name_path(folder, path, name);
    else
        name_fd(folder, name);
    if (other)
        name_path(other_folder, other, other_name);
    errno = error;
    if (!is_ours(path ? -1 : folder, name) && !(other && settings.under && is_under(other_name))) {
        errno = error;
        return c;
    }
    errno = error;
    c.number = __atomic_add_fetch(settings.made, 1, __ATOMIC_SEQ_CST);
    if (c.number == settings.at) {
        report(c.number, call, name, other_name, "killed before");
        die();
    }
    c.dies = c.number == settings.after || c.number == settings.inside;
    c.fails = (settings.fault || settings.short_writes) && is_faulty(c.number, call, kind);
    cut = bytes_r && *bytes_r > 1 && ((c.fails && settings.short_writes) || c.number == settings.inside);
    if (cut)
        *bytes_r /= 2;
    report(c.number, call, name, other_name,
           c.dies    ? cut ? "killed inside" : "killed after"
           : c.fails ? settings.fault_name
                     : "");
    if (settings.short_writes)
        c.fails = false;
    if (settings.pins >= 0 && !c.fails && path) /* by this call it may lose its last name */
        pin(other ? other_folder : folder, other ? other : path);
    errno = c.fails ? settings.fault : error;
    return c;
}

/* After it, or where it was to fail. */
static long after(struct counted c, long result)
{
    if (c.dies)
        die();
    return result;
}

#define REAL(name)                                                                                                     \
    ({                                                                                                                 \
        static __typeof__(&name) real_;                                                                                \
        if (!real_)                                                                                                    \
            real_ = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                                                        \
        real_;                                                                                                         \
    })
#define DO(c, name, ...) (__typeof__(name(__VA_ARGS__)))after((c), (c).fails ? -1 : (long)REAL(name)(__VA_ARGS__))

#define ON_FD(name, kind, fd, ...)                                                                                     \
    do {                                                                                                               \
        struct counted c_ = before(#name, (kind), (fd), NULL, -1, NULL, NULL);                                         \
        return DO(c_, name, __VA_ARGS__);                                                                              \
    } while (0)
#define ON_PATH(name, kind, folder, path, ...)                                                                         \
    do {                                                                                                               \
        struct counted c_ = before(#name, (kind), (folder), (path), -1, NULL, NULL);                                   \
        return DO(c_, name, __VA_ARGS__);                                                                              \
    } while (0)
#define ON_PATHS(name, kind, folder, path, other_folder, other, ...)                                                   \
    do {                                                                                                               \
        struct counted c_ = before(#name, (kind), (folder), (path), (other_folder), (other), NULL);                    \
        return DO(c_, name, __VA_ARGS__);                                                                              \
    } while (0)
#define ON_BYTES(name, fd, n, ...)                                                                                     \
    do {                                                                                                               \
        struct counted c_ = before(#name, WRITES | GROWS | INTERRUPTIBLE, (fd), NULL, -1, NULL, &(n));                 \
        return DO(c_, name, __VA_ARGS__);                                                                              \
    } while (0)

/* --- Bytes -------------------------------------------------------------------------------------------------------- */

ssize_t write(int fd, const void *p, size_t n)
{
    ON_BYTES(write, fd, n, fd, p, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    ON_BYTES(pwrite, fd, n, fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    ON_BYTES(pwrite64, fd, n, fd, p, n, at);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags)
{
    ON_BYTES(copy_file_range, to, n, from, from_at, to, to_at, n, flags);
}

ssize_t sendfile(int to, int from, off_t *at, size_t n)
{
    ON_BYTES(sendfile, to, n, to, from, at, n);
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t n)
{
    ON_BYTES(sendfile64, to, n, to, from, at, n);
}

ssize_t splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags)
{
    ON_BYTES(splice, to, n, from, from_at, to, to_at, n, flags);
}

/* A short one writes half of what it has first. */
#define ON_PIECES(name, fd, pieces, count, ...)                                                                        \
    do {                                                                                                               \
        size_t all_ = 0, n_;                                                                                           \
        struct iovec first_;                                                                                           \
        struct counted c_;                                                                                             \
        for (int i_ = 0; i_ < (count); i_++)                                                                           \
            all_ += (pieces)[i_].iov_len;                                                                              \
        n_ = all_;                                                                                                     \
        c_ = before(#name, WRITES | GROWS | INTERRUPTIBLE, (fd), NULL, -1, NULL, &n_);                                 \
        if (n_ < all_) {                                                                                               \
            first_ = (pieces)[0];                                                                                      \
            first_.iov_len = first_.iov_len < n_ ? first_.iov_len : n_;                                                \
            (pieces) = &first_;                                                                                        \
            (count) = 1;                                                                                               \
        }                                                                                                              \
        return DO(c_, name, __VA_ARGS__);                                                                              \
    } while (0)

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    ON_PIECES(writev, fd, pieces, count, fd, pieces, count);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at)
{
    ON_PIECES(pwritev, fd, pieces, count, fd, pieces, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t at)
{
    ON_PIECES(pwritev64, fd, pieces, count, fd, pieces, count, at);
}

ssize_t pwritev2(int fd, const struct iovec *pieces, int count, off_t at, int flags)
{
    ON_PIECES(pwritev2, fd, pieces, count, fd, pieces, count, at, flags);
}

ssize_t pwritev64v2(int fd, const struct iovec *pieces, int count, off64_t at, int flags)
{
    ON_PIECES(pwritev64v2, fd, pieces, count, fd, pieces, count, at, flags);
}

int ftruncate(int fd, off_t n)
{
    ON_FD(ftruncate, GROWS | INTERRUPTIBLE, fd, fd, n);
}

int ftruncate64(int fd, off64_t n)
{
    ON_FD(ftruncate64, GROWS | INTERRUPTIBLE, fd, fd, n);
}

int truncate(const char *path, off_t n)
{
    ON_PATH(truncate, GROWS | INTERRUPTIBLE, AT_FDCWD, path, path, n);
}

int truncate64(const char *path, off64_t n)
{
    ON_PATH(truncate64, GROWS | INTERRUPTIBLE, AT_FDCWD, path, path, n);
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    ON_FD(fallocate, GROWS | INTERRUPTIBLE, fd, fd, mode, at, n);
}

int fallocate64(int fd, int mode, off64_t at, off64_t n)
{
    ON_FD(fallocate64, GROWS | INTERRUPTIBLE, fd, fd, mode, at, n);
}

/* These two give back what others leave in errno. */
int posix_fallocate(int fd, off_t at, off_t n)
{
    struct counted c = before("posix_fallocate", GROWS | INTERRUPTIBLE, fd, NULL, -1, NULL, NULL);
    return (int)after(c, c.fails ? errno : REAL(posix_fallocate)(fd, at, n));
}

int posix_fallocate64(int fd, off64_t at, off64_t n)
{
    struct counted c = before("posix_fallocate64", GROWS | INTERRUPTIBLE, fd, NULL, -1, NULL, NULL);
    return (int)after(c, c.fails ? errno : REAL(posix_fallocate64)(fd, at, n));
}

/* --- Made durable -------------------------------------------------------------------------------------------------- */

#define ON_SYNC(name, fd, keeps)                                                                                       \
    do {                                                                                                               \
        struct counted c_ = before(#name, 0, (fd), NULL, -1, NULL, NULL);                                              \
        long r_ = c_.fails ? -1 : (long)REAL(name)(fd);                                                                \
        if (r_ == 0 && c_.number)                                                                                      \
            keeps;                                                                                                     \
        return (int)after(c_, r_);                                                                                     \
    } while (0)

int fsync(int fd)
{
    ON_SYNC(fsync, fd, keep(fd));
}

int fdatasync(int fd)
{
    ON_SYNC(fdatasync, fd, keep(fd));
}

int syncfs(int fd)
{
    ON_SYNC(syncfs, fd, keep_all());
}

int sync_file_range(int fd, off64_t at, off64_t n, unsigned flags)
{
    ON_FD(sync_file_range, 0, fd, fd, at, n, flags);
}

/* --- Names --------------------------------------------------------------------------------------------------------- */

int link(const char *old, const char *path)
{
    ON_PATHS(link, GROWS, AT_FDCWD, old, AT_FDCWD, path, old, path);
}

int linkat(int from, const char *old, int to, const char *path, int flags)
{
    ON_PATHS(linkat, GROWS, from, old, to, path, from, old, to, path, flags);
}

int symlink(const char *text, const char *path)
{
    ON_PATH(symlink, GROWS, AT_FDCWD, path, text, path);
}

int symlinkat(const char *text, int to, const char *path)
{
    ON_PATH(symlinkat, GROWS, to, path, text, to, path);
}

int rename(const char *old, const char *path)
{
    ON_PATHS(rename, GROWS, AT_FDCWD, old, AT_FDCWD, path, old, path);
}

int renameat(int from, const char *old, int to, const char *path)
{
    ON_PATHS(renameat, GROWS, from, old, to, path, from, old, to, path);
}

int renameat2(int from, const char *old, int to, const char *path, unsigned flags)
{
    ON_PATHS(renameat2, GROWS, from, old, to, path, from, old, to, path, flags);
}

int unlink(const char *path)
{
    ON_PATH(unlink, 0, AT_FDCWD, path, path);
}

int unlinkat(int folder, const char *path, int flags)
{
    ON_PATH(unlinkat, 0, folder, path, folder, path, flags);
}

int remove(const char *path)
{
    ON_PATH(remove, 0, AT_FDCWD, path, path);
}

int rmdir(const char *path)
{
    ON_PATH(rmdir, 0, AT_FDCWD, path, path);
}

int mkdir(const char *path, mode_t mode)
{
    ON_PATH(mkdir, GROWS, AT_FDCWD, path, path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode)
{
    ON_PATH(mkdirat, GROWS, folder, path, folder, path, mode);
}

int chmod(const char *path, mode_t mode)
{
    ON_PATH(chmod, 0, AT_FDCWD, path, path, mode);
}

int fchmod(int fd, mode_t mode)
{
    ON_FD(fchmod, 0, fd, fd, mode);
}

int fchmodat(int folder, const char *path, mode_t mode, int flags)
{
    ON_PATH(fchmodat, 0, folder, path, folder, path, mode, flags);
}

int futimens(int fd, const struct timespec times[2])
{
    ON_FD(futimens, 0, fd, fd, times);
}

int utimensat(int folder, const char *path, const struct timespec times[2], int flags)
{
    struct counted c = before("utimensat", 0, folder, path, -1, NULL, NULL);
    return DO(c, utimensat, folder, path, times, flags);
}

/* --- Opening, where it makes or empties a file ----------------------------------------------------------------------- */

static bool changes(int flags)
{
    return flags & (O_CREAT | O_TRUNC) || (flags & O_TMPFILE) == O_TMPFILE;
}

static mode_t mode_of(int flags, va_list args)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
}

#define OPEN(name, folder, path, flags, ...)                                                                           \
    do {                                                                                                               \
        struct counted c_ = { 0 };                                                                                     \
        mode_t mode;                                                                                                   \
        va_list args_;                                                                                                 \
        va_start(args_, flags);                                                                                        \
        mode = mode_of(flags, args_);                                                                                  \
        va_end(args_);                                                                                                 \
        if (changes(flags))                                                                                            \
            c_ = before(#name, GROWS | INTERRUPTIBLE, (folder), (path), -1, NULL, NULL);                               \
        return DO(c_, name, __VA_ARGS__);                                                                              \
    } while (0)

int open(const char *path, int flags, ...)
{
    OPEN(open, AT_FDCWD, path, flags, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    OPEN(open64, AT_FDCWD, path, flags, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    OPEN(openat, folder, path, flags, folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    OPEN(openat64, folder, path, flags, folder, path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
    ON_PATH(creat, GROWS | INTERRUPTIBLE, AT_FDCWD, path, path, mode);
}

int creat64(const char *path, mode_t mode)
{
    ON_PATH(creat64, GROWS | INTERRUPTIBLE, AT_FDCWD, path, path, mode);
}

int mkstemp(char *path)
{
    ON_PATH(mkstemp, GROWS, AT_FDCWD, path, path);
}

int mkstemp64(char *path)
{
    ON_PATH(mkstemp64, GROWS, AT_FDCWD, path, path);
}

int mkostemp(char *path, int flags)
{
    ON_PATH(mkostemp, GROWS, AT_FDCWD, path, path, flags);
}

int mkostemp64(char *path, int flags)
{
    ON_PATH(mkostemp64, GROWS, AT_FDCWD, path, path, flags);
}

char *mkdtemp(char *path)
{
    struct counted c = before("mkdtemp", GROWS, AT_FDCWD, path, -1, NULL, NULL);
    return (char *)after(c, c.fails ? 0 : (long)REAL(mkdtemp)(path));
}

FILE *fopen(const char *path, const char *mode)
{
    struct counted c = { 0 };
    if (mode[0] != 'r')
        c = before("fopen", GROWS | INTERRUPTIBLE, AT_FDCWD, path, -1, NULL, NULL);
    return (FILE *)after(c, c.fails ? 0 : (long)REAL(fopen)(path, mode));
}

FILE *fopen64(const char *path, const char *mode)
{
    struct counted c = { 0 };
    if (mode[0] != 'r')
        c = before("fopen64", GROWS | INTERRUPTIBLE, AT_FDCWD, path, -1, NULL, NULL);
    return (FILE *)after(c, c.fails ? 0 : (long)REAL(fopen64)(path, mode));
}

/* --- The clock on the wall ------------------------------------------------------------------------------------------- */

static long wrong_by(void)
{
    return settings.clock_from && *settings.made < settings.clock_from ? 0 : settings.clock_seconds;
}

int clock_gettime(clockid_t clock, struct timespec *now_r)
{
    int r = (int)syscall(SYS_clock_gettime, clock, now_r);
    if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI))
        now_r->tv_sec += wrong_by();
    return r;
}

int gettimeofday(struct timeval *restrict now_r, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    now_r->tv_sec = now.tv_sec;
    now_r->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now_r)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now_r)
        *now_r = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *now_r, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now_r) == 0 ? base : 0;
}
