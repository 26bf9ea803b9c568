/*
 * steps FOLDER: makes calls of many kinds below FOLDER, which is empty; some of them by way of SQLite and libarchive. For
 * tests/system/crash-preload, which counts them. What is interrupted or cut short is done again; anything else that fails is
 * named, and the status is 1. Prints what time it is, in seconds, for itself and for SQLite.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define TRY(call) \
    do { \
        long r_; \
        do \
            r_ = (long)(call); \
        while (r_ < 0 && errno == EINTR); \
        if (r_ < 0) { \
            perror(#call); \
            return 1; \
        } \
    } while (0)

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

static int calls(void)
{
    char text[] = "twelve bytes";
    const struct iovec pieces[] = { { text, 6 }, { text + 6, 6 } };
    int fd, memory;

    TRY(mkdir("a", 0700));
    TRY(fd = open("a/one", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    TRY(write_all(fd, text, 12));
    TRY(pwrite(fd, text, 6, 12));
    TRY(writev(fd, pieces, 2));
    TRY(ftruncate(fd, 6));
    TRY(fsync(fd));
    TRY(fdatasync(fd));
    TRY(close(fd));
    TRY(link("a/one", "a/two"));
    TRY(rename("a/two", "three"));
    TRY(unlink("a/one"));
    TRY(rmdir("a"));
    TRY(symlink("three", "four"));
    /* not counted: nothing of it is on a disk */
    TRY(memory = memfd_create("memory", MFD_CLOEXEC));
    TRY(write_all(memory, text, 12));
    TRY(close(memory));
    TRY(fd = open("three", O_RDONLY | O_CLOEXEC));
    TRY(close(fd));
    return 0;
}

static int say_time(void *ctx, int n, char **value, char **name)
{
    (void)ctx, (void)n, (void)name;
    printf("%s\n", value[0]);
    return 0;
}

static int ledger(void)
{
    sqlite3 *db = NULL;
    int r = sqlite3_open("ledger", &db);

    r = r ? r : sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    r = r ? r : sqlite3_exec(db, "CREATE TABLE t (x)", NULL, NULL, NULL);
    r = r ? r : sqlite3_exec(db, "INSERT INTO t VALUES (1)", NULL, NULL, NULL);
    r = r ? r : sqlite3_exec(db, "SELECT strftime('%s', 'now')", say_time, NULL, NULL);
    if (r)
        fprintf(stderr, "ledger: %s\n", sqlite3_errmsg(db));
    sqlite3_close(db);
    return r ? 1 : 0;
}

static int bundle(void)
{
    struct archive *a = archive_write_new();
    struct archive_entry *e = archive_entry_new();
    int fd, r;

    /* libarchive's own opening gives up when it is interrupted */
    TRY(fd = open("bundle.zip", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    archive_write_set_format_zip(a);
    archive_entry_set_pathname(e, "member");
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_size(e, 3);
    r = archive_write_open_fd(a, fd);
    r = r ? r : archive_write_header(a, e);
    r = r ? r : archive_write_data(a, "abc", 3) != 3;
    r = r ? r : archive_write_close(a);
    if (r)
        fprintf(stderr, "bundle: %s\n", archive_error_string(a));
    archive_entry_free(e);
    archive_write_free(a);
    TRY(close(fd));
    return r ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc != 2 || chdir(argv[1]) < 0) {
        fprintf(stderr, "usage: steps FOLDER\n");
        return 64;
    }
    printf("%lld\n", (long long)time(NULL));
    return calls() || ledger() || bundle();
}
