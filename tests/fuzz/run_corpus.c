/*
 * A fuzzer as a plain test: runs LLVMFuzzerTestOneInput over the empty input
 * and over each file of its corpus, and prints TAP, one line for each.
 *
 * The corpus of fuzz_NAME is the folder tests/fuzz/corpus/NAME below
 * $top_srcdir; other files and folders may be given as arguments. A crash is
 * the failure: the harness sees the program break off before its plan.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_INPUT = 16 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned count;

static void report(int ok, const char *name)
{
    printf("%s %u - %s\n", ok ? "ok" : "not ok", ++count, name);
    fflush(stdout);
}

static void run_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    uint8_t *data = NULL;
    size_t n = 0, room = 0, got;
    FILE *f;

    /* Said before it runs, so that the log of a crash names its input. */
    printf("# %s\n", path);
    fflush(stdout);
    f = fopen(path, "rb");
    if (!f) {
        report(0, path);
        return;
    }
    do {
        if (n == room) {
            uint8_t *more = room < MOST_INPUT ? realloc(data, room ? room * 2 : 4096) : NULL;
            if (!more) {
                fclose(f);
                free(data);
                report(0, "larger than the fuzzers' inputs may be");
                return;
            }
            data = more;
            room = room ? room * 2 : 4096;
        }
        got = fread(data + n, 1, room - n, f);
        n += got;
    } while (got > 0);
    fclose(f);
    /* A block of exactly n bytes, so that AddressSanitizer sees a read past its end. */
    if (n > 0 && n < room) {
        uint8_t *exact = realloc(data, n);
        if (exact)
            data = exact;
    }
    LLVMFuzzerTestOneInput(data, n);
    free(data);
    report(1, slash ? slash + 1 : path);
}

static void run_path(const char *path)
{
    struct dirent **entries = NULL;
    int i, n = scandir(path, &entries, NULL, alphasort);

    if (n < 0) {
        if (errno == ENOTDIR)
            run_file(path);
        else
            report(0, path);
        return;
    }
    for (i = 0; i < n; i++) {
        size_t room = strlen(path) + strlen(entries[i]->d_name) + 2;
        char *inner = entries[i]->d_name[0] == '.' ? NULL : malloc(room);
        if (inner) {
            snprintf(inner, room, "%s/%s", path, entries[i]->d_name);
            run_path(inner);
        }
        free(inner);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    const char *top = getenv("top_srcdir");
    const char *name = strrchr(argv[0], '/');
    int i;

    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    report(1, "empty input");
    for (i = 1; i < argc; i++)
        run_path(argv[i]);
    name = name ? name + 1 : argv[0];
    if (argc == 1 && strncmp(name, "fuzz_", 5) == 0) {
        char path[4096];
        DIR *dir;
        snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", top ? top : ".", name + 5);
        dir = opendir(path);
        if (dir) {
            closedir(dir);
            run_path(path);
        }
    }
    printf("1..%u\n", count);
    return 0;
}
