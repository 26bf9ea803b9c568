/*
 * lexer_bench: how fast the lexer (src/edi/lexer.h) is by itself: a file is read block by block, each block indexed,
 * and every segment and element visited. The time of reading is left out. It checks nothing but that all kinds of
 * lexer count the same.
 *
 *     lexer_bench FILE [KIND …]        KIND: plain sse2 avx2 neon; without any, all that this machine can run
 *
 * Prints one line for each kind: name, bytes, segments, elements, bytes in elements, nanoseconds of indexing,
 * nanoseconds of indexing and visiting.
 *
 * main() owns the block and the index, and frees them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "edi/lexer.h"

enum { PADDING = 64, ISA_LENGTH = 106, ISA_ELEMENT = 3, ISA_COMPONENT = 104, ISA_TERMINATOR = 105 };

struct count {
    uint64_t bytes, segments, elements, element_bytes;
    uint64_t index_nsec, all_nsec;
};

static const struct {
    const char *name;
    enum lexer_kind kind;
} kinds[] = {
    { "plain", LEXER_PLAIN },
    { "sse2", LEXER_SSE2 },
    { "avx2", LEXER_AVX2 },
    { "neon", LEXER_NEON },
};

static uint64_t now_nsec(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Visits every segment and element, as a reader does. Returns the length of all whole segments. */
static size_t visit(const struct lexer_index *x, const char *block, struct count *count)
{
    uint32_t start = 0, first = 0;

    for (uint32_t i = 0; i < x->n_segments; i++) {
        uint32_t last = x->end[i] >> SEGMENT_FLAG_BITS;
        struct segment s = {
            .base = block,
            .at = x->delimiter + first,
            .start = start,
            .n = last - first,
            .flags = x->end[i] & ((1u << SEGMENT_FLAG_BITS) - 1),
        };
        for (unsigned k = 1; k <= s.n; k++)
            count->element_bytes += segment_element(&s, k).n;
        count->elements += s.n;
        start = x->delimiter[last] + 1;
        first = last + 1;
    }
    count->segments += x->n_segments;
    return start;
}

static int run(const char *path, lexer_function *lex, char *block, struct lexer_index *x, struct count *count_r)
{
    struct edi_syntax syntax = { .element = '*', .terminator = '~', .component = '>' };
    struct count count = { .bytes = 0 };
    size_t n = 0;
    bool known = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC), result = -1;

    if (fd < 0) {
        perror(path);
        return -1;
    }
    for (;;) {
        ssize_t got = read(fd, block + n, LIMIT_CHUNK - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            perror(path);
            goto out;
        }
        if (got == 0)
            break;
        count.bytes += (uint64_t)got;
        n += (size_t)got;
        if (!known && n >= ISA_LENGTH) {
            if (memcmp(block, "UNA", 3) == 0)
                syntax = (struct edi_syntax){ .element = block[4], .terminator = block[8], .component = block[3],
                                              .release = block[6] };
            else
                syntax = (struct edi_syntax){ .element = block[ISA_ELEMENT], .terminator = block[ISA_TERMINATOR],
                                              .component = block[ISA_COMPONENT] };
            known = true;
        }
        uint64_t start = now_nsec();
        lex(x, block, n, &syntax);
        uint64_t indexed = now_nsec();
        size_t whole = visit(x, block, &count);
        uint64_t visited = now_nsec();
        count.index_nsec += indexed - start;
        count.all_nsec += visited - start;
        if (whole == 0 && n == LIMIT_CHUNK) {
            fprintf(stderr, "%s: no terminator in a whole block\n", path);
            goto out;
        }
        memmove(block, block + whole, n - whole);
        n -= whole;
    }
    *count_r = count;
    result = 0;

out:
    close(fd);
    return result;
}

static bool wanted(int argc, char **argv, const char *name)
{
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc <= 2;
}

int main(int argc, char **argv)
{
    struct lexer_index x = { .room = 0 };
    struct count first = { .bytes = 0 };
    struct err err = { .code = 0 };
    char *block = NULL;
    int result = 70;
    bool have_first = false;

    if (argc < 2) {
        fputs("usage: lexer_bench FILE [plain|sse2|avx2|neon …]\n", stderr);
        return 64;
    }
    block = calloc(1, LIMIT_CHUNK + PADDING);
    if (!block) {
        fputs("lexer_bench: no memory\n", stderr);
        goto out;
    }
    if (lexer_index_init(&x, LIMIT_CHUNK, &err) < 0) {
        fprintf(stderr, "lexer_bench: %s\n", err.text);
        goto out;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        lexer_function *lex = lexer_choose(kinds[i].kind);
        struct count c;
        if (!lex || !wanted(argc, argv, kinds[i].name))
            continue;
        if (run(argv[1], lex, block, &x, &c) < 0)
            goto out;
        if (!have_first) {
            first = c;
            have_first = true;
        } else if (c.segments != first.segments || c.elements != first.elements ||
                   c.element_bytes != first.element_bytes) {
            fprintf(stderr, "lexer_bench: %s counts otherwise than the first kind\n", lexer_name(lex));
            goto out;
        }
        printf("%s %llu %llu %llu %llu %llu %llu\n", kinds[i].name, (unsigned long long)c.bytes,
               (unsigned long long)c.segments, (unsigned long long)c.elements, (unsigned long long)c.element_bytes,
               (unsigned long long)c.index_nsec, (unsigned long long)c.all_nsec);
    }
    result = 0;

out:
    lexer_index_deinit(&x);
    free(block);
    return result;
}
