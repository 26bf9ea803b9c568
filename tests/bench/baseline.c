/*
 * baseline: the yardstick of the benchmarks: splits an X12 file into segments and elements with the plainest loop
 * there is, byte by byte, and with memchr, the way most programs do. It checks nothing and keeps nothing.
 *
 *     baseline [--memchr] [FILE]
 *
 * Prints one line: name, bytes, segments, elements, bytes in elements, nanoseconds spent splitting (the time of
 * reading is left out; the whole process is timed by `measure`). Element separator and terminator are taken from
 * the ISA, as everybody does, or from UNA.
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

enum { BLOCK = 128 << 10, ISA_LENGTH = 106, ISA_ELEMENT = 3, ISA_TERMINATOR = 105, UNA_ELEMENT = 4, UNA_RELEASE = 6, UNA_TERMINATOR = 8 };

/* release: EDIFACT's, or 0. */
struct syntax {
    char element, terminator, release;
};

/* What was counted. The length of each element is found, so that the loop does a tokeniser's work. */
struct count {
    uint64_t segments, elements, element_bytes;
};

/* All return how many bytes make up whole segments. */
static inline __attribute__((always_inline)) size_t split(const char *block, size_t n, struct syntax syntax,
                                                          struct count *count, bool releases)
{
    const char element = syntax.element, terminator = syntax.terminator, release = syntax.release;
    size_t start = 0, whole = 0;
    bool tag = true;
    struct count c = *count;
    struct count done = c;

    for (size_t i = 0; i < n; i++) {
        char b = block[i];
        if (releases && b == release)
            i++;
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

static size_t split_bytes(const char *block, size_t n, struct syntax syntax, struct count *count)
{
    return syntax.release ? split(block, n, syntax, count, true) : split(block, n, syntax, count, false);
}

/* The next such byte that is not released; NULL: none. */
static inline const char *find(const char *block, const char *p, const char *end, char c, char release)
{
    for (; (p = memchr(p, c, (size_t)(end - p))) != NULL && release; p++) {
        size_t before = 0;
        while (p - before > block && *(p - before - 1) == release)
            before++;
        if (before % 2 == 0)
            break;
    }
    return p;
}

static size_t split_memchr(const char *block, size_t n, struct syntax syntax, struct count *count)
{
    const char *p = block, *end = block + n;

    for (;;) {
        const char *stop = find(block, p, end, syntax.terminator, syntax.release);
        if (!stop)
            return (size_t)(p - block);
        count->segments++;
        const char *at = find(block, p, stop, syntax.element, syntax.release);
        while (at) {
            const char *next = find(block, at + 1, stop, syntax.element, syntax.release);
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
    struct syntax syntax = { '*', '~', 0 };
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
            if (memcmp(block, "UNA", 3) == 0)
                syntax = (struct syntax){ block[UNA_ELEMENT], block[UNA_TERMINATOR], block[UNA_RELEASE] };
            else
                syntax = (struct syntax){ block[ISA_ELEMENT], block[ISA_TERMINATOR], 0 };
            known = true;
        }
        uint64_t start = now_nsec();
        size_t whole = (use_memchr ? split_memchr : split_bytes)(block, n, syntax, &count);
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
