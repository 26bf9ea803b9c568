/*
 * baseline: the yardstick of the benchmarks: splits an X12 file into segments and elements with the plainest loop
 * there is, byte by byte, and with memchr, the way most programs do. It checks nothing and keeps nothing.
 *
 *     baseline [--memchr] [FILE]
 *
 * Prints one line: name, bytes, segments, elements, bytes in elements, nanoseconds spent splitting (the time of
 * reading is left out; the whole process is timed by `measure`). Element separator and terminator are taken from
 * the ISA, as everybody does.
 *
 * Two static blocks of main() are all its memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 128 << 10, ISA_LENGTH = 106, ISA_ELEMENT = 3, ISA_TERMINATOR = 105 };

/* What was counted. The length of each element is found, so that the loop does a tokeniser's work. */
struct count {
    uint64_t segments, elements, element_bytes;
};

/* Both return how many bytes make up whole segments. */
static size_t split_bytes(const char *block, size_t n, char element, char terminator, struct count *count)
{
    size_t start = 0, whole = 0;
    bool tag = true;
    struct count c = *count;
    struct count done = c;

    for (size_t i = 0; i < n; i++) {
        char b = block[i];
        if (b != element && b != terminator)
            continue;
        if (!tag) {
            c.elements++;
            c.element_bytes += i - start;
        }
        tag = false;
        start = i + 1;
        if (b == terminator) {
            c.segments++;
            tag = true;
            whole = start;
            done = c;
        }
    }
    *count = done;
    return whole;
}

static size_t split_memchr(const char *block, size_t n, char element, char terminator, struct count *count)
{
    const char *p = block, *end = block + n;

    for (;;) {
        const char *stop = memchr(p, terminator, (size_t)(end - p));
        if (!stop)
            return (size_t)(p - block);
        count->segments++;
        const char *at = memchr(p, element, (size_t)(stop - p));
        while (at) {
            const char *next = memchr(at + 1, element, (size_t)(stop - at - 1));
            count->elements++;
            count->element_bytes += (uint64_t)((next ? next : stop) - at - 1);
            at = next;
        }
        p = stop + 1;
    }
}

static uint64_t now_nsec(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
    static char block[BLOCK];
    struct count count = { 0, 0, 0 };
    uint64_t bytes = 0, spent_nsec = 0;
    size_t n = 0;
    bool use_memchr = false, known = false;
    char element = '*', terminator = '~';
    int fd = STDIN_FILENO, result = 0;

    if (argc > 1 && strcmp(argv[1], "--memchr") == 0) {
        use_memchr = true;
        argc--, argv++;
    }
    if (argc > 2 || (argc == 2 && argv[1][0] == '-' && argv[1][1])) {
        fputs("usage: baseline [--memchr] [FILE]\n", stderr);
        return 64;
    }
    if (argc == 2 && strcmp(argv[1], "-") != 0 && (fd = open(argv[1], O_RDONLY | O_CLOEXEC)) < 0) {
        perror(argv[1]);
        return 69;
    }

    for (;;) {
        ssize_t got = read(fd, block + n, BLOCK - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            perror("baseline: cannot read");
            result = 69;
            break;
        }
        if (got == 0)
            break;
        bytes += (uint64_t)got;
        n += (size_t)got;
        if (!known && n >= ISA_LENGTH) {
            element = block[ISA_ELEMENT];
            terminator = block[ISA_TERMINATOR];
            known = true;
        }
        uint64_t start = now_nsec();
        size_t whole = (use_memchr ? split_memchr : split_bytes)(block, n, element, terminator, &count);
        spent_nsec += now_nsec() - start;
        if (whole == 0 && n == BLOCK) {
            fputs("baseline: no terminator in a whole block\n", stderr);
            result = 65;
            break;
        }
        memmove(block, block + whole, n - whole);
        n -= whole;
    }
    if (fd != STDIN_FILENO)
        close(fd);
    if (result == 0)
        printf("%s %llu %llu %llu %llu %llu\n", use_memchr ? "memchr" : "byte-loop", (unsigned long long)bytes,
               (unsigned long long)count.segments, (unsigned long long)count.elements,
               (unsigned long long)count.element_bytes, (unsigned long long)spent_nsec);
    return result;
}
