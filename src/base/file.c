/* file: see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

struct kept_file {
    struct kept_file *next;
    struct buf text;
};

int file_read(const char *path, struct buf *b, struct err *err)
{
    struct stat st;
    int r = 0, fd;

    buf_clear(b);
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        r = err_system(err, "%s", path);
        return errno == ENOENT || errno == ENOTDIR ? ERR_MISSING : r;
    }
    if (fstat(fd, &st) < 0) {
        r = err_system(err, "%s", path);
    } else if (S_ISDIR(st.st_mode)) {
        r = err_set(err, ERR_USAGE, "%s: is a directory", path);
    } else if ((uint64_t)st.st_size > b->ceiling) {
        r = err_set(err, ERR_LIMIT, "%s: is larger than %zu bytes", path, b->ceiling);
    }
    while (r == 0) {
        /* the file's size is a hint only: a pipe has none */
        size_t want = st.st_size > 0 && (size_t)st.st_size >= b->n ? (size_t)st.st_size - b->n + 1 : 65536;
        char *to = buf_reserve(b, want < b->ceiling - b->n ? want : b->ceiling - b->n + (b->n == b->ceiling));
        ssize_t n;
        if (!to) {
            r = b->failed == ERR_NOMEM ? err_nomem(err)
                                       : err_set(err, ERR_LIMIT, "%s: is larger than %zu bytes", path, b->ceiling);
            break;
        }
        n = read(fd, to, b->room - b->n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = err_system(err, "%s", path);
        if (n <= 0)
            break;
        b->n += (size_t)n;
    }
    close(fd);
    return r;
}

int file_keep(struct kept_file **list, struct arena *arena, const char *path, size_t ceiling, struct slice *text_r,
              struct slice *name_r, struct err *err)
{
    struct kept_file *f = calloc(1, sizeof(*f));
    int r;

    if (!f)
        return err_nomem(err);
    buf_init(&f->text, ceiling);
    r = file_read(path, &f->text, err);
    if (r == 0) {
        *name_r = arena_copy(arena, slice_of(path));
        if (!name_r->p)
            r = err_nomem(err);
    }
    if (r < 0) {
        buf_deinit(&f->text);
        free(f);
        return r;
    }
    f->next = *list;
    *list = f;
    *text_r = buf_slice(&f->text);
    return 0;
}

void file_free_kept(struct kept_file **list)
{
    for (struct kept_file *f = *list, *next; f; f = next) {
        next = f->next;
        buf_deinit(&f->text);
        free(f);
    }
    *list = NULL;
}

int file_temporary(const char *directory, int *fd_r, struct err *err)
{
    char name[4096];
    int n;

    if (!directory)
        directory = secure_getenv("TMPDIR");
    if (!directory || !*directory)
        directory = "/var/tmp";
    *fd_r = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (*fd_r < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        /* a file system without unnamed files */
        n = snprintf(name, sizeof(name), "%s/waybill-XXXXXX", directory);
        if (n < 0 || (size_t)n >= sizeof(name))
            return err_set(err, ERR_IO, "%s: the name of the directory is too long", directory);
        *fd_r = mkostemp(name, O_CLOEXEC);
        if (*fd_r >= 0)
            unlink(name);
    }
    if (*fd_r < 0)
        return err_system(err, "%s: a temporary file for a large record cannot be made", directory);
    return 0;
}

int file_scratch(uint64_t size, int *fd_r, struct err *err)
{
    if (size > FILE_IN_MEMORY)
        return file_temporary(NULL, fd_r, err);
    *fd_r = memfd_create("waybill", MFD_CLOEXEC);
    return *fd_r < 0 ? err_system(err, "a file in memory cannot be made") : 0;
}

int file_write_all(int fd, const void *p, size_t n, struct err *err)
{
    const char *at = p;
    while (n) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_system(err, "writing failed");
        at += done;
        n -= (size_t)done;
    }
    return 0;
}
