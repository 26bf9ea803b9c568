/* folder: see folder.h. */
#include "flow/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"

static int open_at(int at, const char *path, int flags)
{
    int fd;
    do
        fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int folder_open(int at, const char *path, int *fd_r, struct err *err)
{
    *fd_r = open_at(at, path, 0);
    return *fd_r < 0 ? err_system(err, "the folder %s cannot be opened", path) : 0;
}

/* One level of it. */
static int descend(int at, const char *name, bool make, int *fd_r, struct err *err)
{
    int rc = 0;

    *fd_r = open_at(at, name, O_NOFOLLOW);
    if (*fd_r >= 0)
        return 0;
    if (errno == ENOENT && !make)
        return err_set(err, ERR_MISSING, "there is no folder %s", name);
    if (errno == ENOENT) {
        if (mkdirat(at, name, 0750) < 0 && errno != EEXIST)
            return err_system(err, "the folder %s of the spool cannot be made", name);
        rc = folder_sync(at, err);
        if (rc < 0)
            return rc;
        *fd_r = open_at(at, name, O_NOFOLLOW);
    }
    return *fd_r < 0 ? err_system(err, "the folder %s of the spool cannot be opened", name) : 0;
}

int folder_of_partner(int spool, const char *side, struct slice partner, bool make, int *fd_r, struct err *err)
{
    char name[FOLDER_NAME];
    int above, rc;

    *fd_r = -1;
    if (!folder_takes_name(partner))
        return err_set(err, ERR_USAGE, "no folder can have this partner's name");
    snprintf(name, sizeof(name), "%.*s", SLICE_FMT(partner));
    rc = descend(spool, side, make, &above, err);
    if (rc < 0)
        return rc;
    rc = descend(above, name, make, fd_r, err);
    close(above);
    return rc;
}

bool folder_takes_name(struct slice name)
{
    return name.n > 0 && name.n < FOLDER_NAME && !memchr(name.p, '/', name.n) && !memchr(name.p, 0, name.n) &&
           !slice_is(name, ".") && !slice_is(name, "..");
}

static int create(int folder, const char *hidden, mode_t mode, int *fd_r, struct err *err)
{
    if (unlinkat(folder, hidden, 0) < 0 && errno != ENOENT)
        return err_system(err, "%s cannot be removed", hidden);
    do
        *fd_r = openat(folder, hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    while (*fd_r < 0 && errno == EINTR);
    return *fd_r < 0 ? err_system(err, "no file can be made in the folder") : 0;
}

int folder_create(int folder, const char *hidden, int *fd_r, struct err *err)
{
    return create(folder, hidden, 0640, fd_r, err);
}

/* Where there is no rename that never replaces: a second name for the file, and then away with the first. */
static int place_by_link(int from, const char *hidden, int to, const char *name)
{
    struct stat st;

    if (linkat(from, hidden, to, name, 0) == 0) {
        unlinkat(from, hidden, 0);
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
        return -1;
    /* Nor links: then it is looked for before, and somebody who comes in between loses. */
    if (fstatat(to, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return errno == ENOENT ? renameat(from, hidden, to, name) : -1;
}

int folder_place(int from, const char *hidden, int to, const char *name, struct err *err)
{
    struct stat own, other;
    int rc = renameat2(from, hidden, to, name, RENAME_NOREPLACE);

    if (rc < 0 && (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP))
        rc = place_by_link(from, hidden, to, name);
    if (rc == 0)
        return FOLDER_PLACED;
    if (errno == ENOENT)
        return FOLDER_GONE;
    if (errno == EXDEV)
        return FOLDER_ELSEWHERE;
    if (errno != EEXIST)
        return err_system(err, "%s cannot get its name", name);
    /* broken off between the second name and the first */
    if (fstatat(from, hidden, &own, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(to, name, &other, AT_SYMLINK_NOFOLLOW) == 0 &&
        own.st_dev == other.st_dev && own.st_ino == other.st_ino) {
        unlinkat(from, hidden, 0);
        return FOLDER_PLACED;
    }
    return FOLDER_TAKEN;
}

int folder_sync(int folder, struct err *err)
{
    return fsync(folder) < 0 ? err_system(err, "the folder cannot be synced") : 0;
}

int folder_write_file(int folder, const char *name, mode_t mode, struct slice text, struct err *err)
{
    char hidden[FOLDER_NAME + 8];
    int fd, rc, placed = FOLDER_TAKEN;

    snprintf(hidden, sizeof(hidden), ".%s.part", name);
    rc = create(folder, hidden, mode, &fd, err);
    if (rc < 0)
        return rc;
    rc = file_write_all(fd, text.p, text.n, err);
    if (rc == 0 && fsync(fd) < 0)
        rc = err_system(err, "%s cannot be synced", name);
    close(fd);
    if (rc == 0)
        rc = placed = folder_place(folder, hidden, folder, name, err);
    if (rc != FOLDER_PLACED)
        unlinkat(folder, hidden, 0);
    else
        rc = folder_sync(folder, err);
    return rc < 0 ? rc : placed;
}

enum { SYNCERS = 16, WORTH = 4 };       /* threads, and files from which on they are worth it */

struct syncer {
    const int *fd;
    unsigned from, n;           /* this one, and every SYNCERS-th after it */
    int *error;
};

static void *sync_some(void *arg)
{
    const struct syncer *s = arg;

    for (unsigned i = s->from; i < s->n; i += SYNCERS)
        s->error[i] = fsync(s->fd[i]) < 0 ? errno : 0;
    return NULL;
}

void folder_sync_files(const int *fd, unsigned n, int *error_r)
{
    struct syncer part[SYNCERS];
    pthread_t thread[SYNCERS];
    bool runs[SYNCERS] = { false };

    /* so that their blocks have a place by the time the first one asks for the journal */
    for (unsigned i = 0; i < n && n > 1; i++)
        sync_file_range(fd[i], 0, 0, SYNC_FILE_RANGE_WRITE);
    for (unsigned i = 0; i < SYNCERS; i++)
        part[i] = (struct syncer){ fd, i, n, error_r };
    for (unsigned i = 1; i < SYNCERS && i < n && n >= WORTH; i++)
        runs[i] = pthread_create(&thread[i], NULL, sync_some, &part[i]) == 0;
    for (unsigned i = 0; i < SYNCERS; i++)
        if (!runs[i])           /* the first part, and what no thread could be made for */
            sync_some(&part[i]);
    for (unsigned i = 0; i < SYNCERS; i++)
        if (runs[i])
            pthread_join(thread[i], NULL);
}

int64_t folder_mtime(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

struct slice folder_words(const struct err *why, struct buf *room)
{
    buf_clear(room);
    buf_add_safe(room, slice_of(why->text), sizeof(why->text));
    return buf_slice(room);
}
