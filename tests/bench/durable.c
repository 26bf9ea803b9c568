/*
 * durable: the yardstick of the appliance's benchmark: files written so that a loss of power does not take them.
 *
 *     durable FOLDER FILES SIZE
 *
 * Each file in turn is written under another name, synced, renamed, and the folder synced: what a program must do at
 * least that takes files one at a time and keeps nothing but them. FOLDER must be there; the files stay in it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int write_one(int folder, unsigned long number, const char *bytes, size_t n)
{
    char name[32];
    int fd = openat(folder, "new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), rc = -1;
    snprintf(name, sizeof(name), "%lu", number);
    if (fd >= 0 && write(fd, bytes, n) == (ssize_t)n && fsync(fd) == 0 && renameat(folder, "new", folder, name) == 0)
        rc = fsync(folder);
    if (fd >= 0)
        close(fd);
    return rc;
}

int main(int argc, char **argv)
{
    unsigned long files = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    size_t n = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    char *bytes = n ? malloc(n) : NULL;
    int folder, status = 0;

    if (!files || !bytes) {
        fprintf(stderr, "usage: durable FOLDER FILES SIZE\n");
        free(bytes);
        return 64;
    }
    memset(bytes, 'x', n);
    folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned long i = 0; i < files && !status; i++)
        if (folder < 0 || write_one(folder, i, bytes, n) != 0) {
            perror(argv[1]);
            status = 1;
        }
    free(bytes);
    return status;
}
