/* door_whole: which folders are doors, and which files in them are whole. See door_inside.h. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "flow/door_inside.h"

enum {
    LOOKS = 100000,             /* files from the future that are remembered */
    LITTLE = 1 << 20            /* bytes for which there is room, or nothing goes at all */
};

/* --- Doors ------------------------------------------------------------------------------ */

bool door_path(char to[FOLDER_PATH], struct slice path)
{
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    if (path.n == 0 || path.n >= FOLDER_PATH - FOLDER_NAME || memchr(path.p, 0, path.n))
        return false;
    memcpy(to, path.p, path.n);
    to[path.n] = 0;
    return true;
}

bool door_at(const struct partner *p, unsigned i, struct door *d, bool *end_r)
{
    const struct partner_pick_up *pick = i ? &p->pick_up[i - 1] : NULL;
    struct slice path, name = { NULL, 0 };

    *end_r = i > p->n_pick_ups;
    if (*end_r)
        return false;
    *d = (struct door){ .then = THEN_DELETE, .own = !pick, .fd = -1, .move_fd = -1 };
    if (!pick)
        return snprintf(d->path, sizeof(d->path), "in/%.*s", SLICE_FMT(p->name)) < FOLDER_NAME + 3;
    path = pick->path;
    if (!slice_is(pick->way, "folder") || path.n == 0 || path.p[0] != '/')
        return false;
    for (size_t n = path.n; n > 0 && !name.p; n--)
        if (path.p[n - 1] == '/')
            name = slice_from(path, n);
    if (name.n && name.n < FOLDER_NAME &&
        (memchr(name.p, '*', name.n) || memchr(name.p, '?', name.n) || memchr(name.p, '[', name.n))) {
        memcpy(d->pattern, name.p, name.n);
        path.n -= name.n;
    }
    d->then = slice_is(pick->then, "delete") ? THEN_DELETE : slice_is(pick->then, "move") ? THEN_MOVE : THEN_KEEP;
    if (d->then == THEN_MOVE && !door_path(d->move, pick->then_path))
        d->then = THEN_KEEP;
    return door_path(d->path, path);
}

bool door_takes_name(const struct door *d, const char *name)
{
    return !d->pattern[0] || fnmatch(d->pattern, name, FNM_PERIOD) == 0;
}

int door_open(struct door *d, int spool, struct slice partner, bool make, struct err *err)
{
    return d->own ? folder_of_partner(spool, "in", partner, make, &d->fd, err)
                  : folder_open(spool, d->path, &d->fd, err);
}

void door_close(struct door *d)
{
    if (d->fd >= 0)
        close(d->fd);
    if (d->move_fd >= 0)
        close(d->move_fd);
    d->fd = d->move_fd = -1;
}

DIR *door_read(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

/* --- Looking ---------------------------------------------------------------------------- */

/* A file with a time to come: the clock was set back since, or is another machine's. */
struct look {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
    store_time first;
};

void door_forget(struct door_looks **looks)
{
    if (!*looks)
        return;
    free((*looks)->before);
    free((*looks)->now);
    free(*looks);
    *looks = NULL;
}

static int compare_looks(const void *a, const void *b)
{
    const struct look *x = a, *y = b;
    int c = (x->device > y->device) - (x->device < y->device);
    return c ? c : (x->inode > y->inode) - (x->inode < y->inode);
}

void door_looks_turn(struct door_looks *l)
{
    free(l->before);
    l->before = l->now;
    l->n_before = l->n;
    l->now = NULL;
    l->n = l->room = 0;
    if (l->n_before)
        qsort(l->before, l->n_before, sizeof(*l->before), compare_looks);
}

/* When this file was first seen as it is now. */
static store_time first_look(struct door_looks *l, const struct stat *st, store_time now)
{
    struct look look = { st->st_dev, st->st_ino, st->st_size, st->st_ctim, now };
    const struct look *before =
        l->n_before ? bsearch(&look, l->before, l->n_before, sizeof(look), compare_looks) : NULL;

    if (before && before->size == look.size && before->changed.tv_sec == look.changed.tv_sec &&
        before->changed.tv_nsec == look.changed.tv_nsec && before->first <= now)
        look.first = before->first;
    if (l->n == l->room && l->room < LOOKS) {
        size_t room = l->room ? l->room * 2 : 64;
        struct look *grown = realloc(l->now, room * sizeof(*grown));
        if (grown) {
            l->now = grown;
            l->room = room;
        }
    }
    if (l->n < l->room)         /* otherwise it is seen for the first time once more, and waits longer */
        l->now[l->n++] = look;
    return look.first;
}

store_time door_milliseconds(struct timespec t)
{
    return (store_time)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Since when it has been as it is. The user can set the one time, but never the other. */
static store_time changed_at(const struct stat *st, store_time now)
{
    store_time written = door_milliseconds(st->st_mtim), changed = door_milliseconds(st->st_ctim);
    return written > changed && written <= now ? written : changed;
}

static bool is_unfinished(const char *name, const char **ending_r)
{
    static const char *const endings[] = { ".tmp", ".part", ".partial", ".filepart", ".writing", ".crdownload" };
    size_t n = strlen(name);

    for (unsigned i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t k = strlen(endings[i]);
        *ending_r = endings[i];
        if (n >= k && strcasecmp(name + n - k, endings[i]) == 0)
            return true;
    }
    return false;
}

/* What the spool has room for: a file, and as much again for what is made of it. */
static uint64_t room_for_files(int spool)
{
    struct statvfs fs;
    struct rlimit most;
    uint64_t room = UINT64_MAX;

    if (fstatvfs(spool, &fs) == 0)
        room = (uint64_t)fs.f_bavail * fs.f_frsize / 2;
    if (getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur != RLIM_INFINITY && most.rlim_cur < room)
        room = most.rlim_cur;
    return room;
}

bool door_judge(const struct door_judge *j, const char *name, const struct stat *st, store_time *until_r,
                struct err *why)
{
    const char *ending = NULL;
    const char *kind = S_ISREG(st->st_mode)    ? NULL
                       : S_ISDIR(st->st_mode)  ? "a folder"
                       : S_ISLNK(st->st_mode)  ? "a symbolic link"
                       : S_ISFIFO(st->st_mode) ? "a FIFO"
                       : S_ISSOCK(st->st_mode) ? "a socket"
                                               : "a device";
    store_time changed, first;

    *until_r = 0;
    if (kind) {
        err_set(why, ERR_USAGE, "it is %s; only files are taken", kind);
        return false;
    }
    if (name[0] == '.') {
        err_set(why, ERR_USAGE, "its name begins with a dot: whoever writes it has not given it its own yet");
        return false;
    }
    if (is_unfinished(name, &ending)) {
        err_set(why, ERR_USAGE, "its name ends in %s: whoever writes it has not given it its own yet", ending);
        return false;
    }
    if (st->st_size > LITTLE && (uint64_t)st->st_size > room_for_files(j->spool)) {
        err_set(why, ERR_LIMIT, "it has %llu bytes, and there is not so much room for it and what is made of it",
                (unsigned long long)st->st_size);
        return false;
    }
    changed = changed_at(st, j->now);
    if (changed <= j->now) {
        if ((uint64_t)(j->now - changed) >= j->settle)
            return true;
        *until_r = changed + (store_time)j->settle;
        err_set(why, ERR_USAGE, "it was changed a moment ago");
        return false;
    }
    first = j->looks ? first_look(j->looks, st, j->now) : j->now;
    if (j->looks && (uint64_t)(j->now - first) >= j->settle)
        return true;
    *until_r = first + (store_time)j->settle;
    err_set(why, ERR_USAGE, "its time is yet to come: it is taken when it was seen twice, and had not changed");
    return false;
}

int door_open_file(int folder, const char *name, int *fd_r, struct stat *st_r, struct err *why)
{
    do
        *fd_r = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    while (*fd_r < 0 && errno == EINTR);
    if (*fd_r < 0 && errno == ENOENT)
        return ERR_MISSING;
    if (*fd_r < 0 || fstat(*fd_r, st_r) < 0) {
        err_system(why, "it cannot be read");
        return 0;
    }
    if (!S_ISREG(st_r->st_mode)) {
        err_set(why, ERR_USAGE, "it is no file any more");
        return 0;
    }
    return 1;
}

/* A lease on reading is given only while nobody has it open to write. */
bool door_is_being_written(int fd)
{
    if (fcntl(fd, F_SETSIG, SIGURG) < 0)        /* the usual one would kill us if somebody opened it right now */
        return false;
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        fcntl(fd, F_SETLEASE, F_UNLCK);
        return false;
    }
    return errno == EAGAIN;
}

/* A file system that cannot tell says that there are none. Asking moves where the file is read next. */
bool door_has_holes(int fd, const struct stat *st)
{
    off_t hole = lseek(fd, 0, SEEK_HOLE);
    return lseek(fd, 0, SEEK_SET) == 0 && hole >= 0 && hole < st->st_size;
}

struct slice door_source_path(struct arena *arena, const struct door *d, const char *name)
{
    size_t n = strlen(d->path), m = strlen(name);
    char *p = arena_alloc(arena, n + m + 2);

    if (!p)
        return slice(NULL, 0);
    memcpy(p, d->path, n);
    p[n] = '/';
    memcpy(p + n + 1, name, m);
    return slice(p, n + 1 + m);
}

void door_source_of(const struct stat *st, struct slice path, struct store_source *source_r)
{
    *source_r = (struct store_source){ path, st->st_dev, st->st_ino, (uint64_t)st->st_size, folder_mtime(st) };
}
