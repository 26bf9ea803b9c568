/*
 * fuzz_lexer: every way to index a block gives what plain C gives, and what a loop over the bytes gives.
 *
 * The first four bytes are the delimiters (element, terminator, component, repetition; 0: none), the fifth how far
 * the block is moved in memory, the rest is the block.
 */
#include <stdio.h>
#include <stdlib.h>

#include "edi/lexer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define require(right) ((right) ? (void)0 : broken(#right))

static void broken(const char *what)
{
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

/* The meaning of lexer.h, byte by byte. */
static void check(const struct lexer_index *x, const char *p, size_t n, const struct edi_syntax *syntax)
{
    uint32_t d = 0, s = 0;
    unsigned flags = 0;
    bool layout = true, second = false, released = false;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        bool first = layout, text = released;
        layout = false;
        released = syntax->release && !released && p[i] == syntax->release;
        if (!text && (p[i] == syntax->terminator || p[i] == syntax->element)) {
            require(d < x->n_delimiters && x->delimiter[d] == i);
            if (p[i] == syntax->terminator) {
                require(s < x->n_segments && x->end[s] == (d << SEGMENT_FLAG_BITS | flags));
                s++;
                flags = 0;
                layout = true;
            }
            d++;
            second = false;
            continue;
        }
        if (syntax->release && p[i] == syntax->release)
            flags |= SEGMENT_RELEASE;
        if (!text && ((syntax->component && p[i] == syntax->component) || (syntax->repetition && p[i] == syntax->repetition)))
            flags |= SEGMENT_PARTS;
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            /* up to two such bytes behind a terminator are its line break */
            if (!first && !second)
                flags |= SEGMENT_ESCAPE;
            second = first;
        } else {
            second = false;
        }
    }
    require(d == x->n_delimiters && s == x->n_segments && flags == x->open_flags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const enum lexer_kind kinds[] = { LEXER_SSE2, LEXER_AVX2, LEXER_NEON, LEXER_BEST };
    struct lexer_index plain, other;
    struct edi_syntax syntax;
    size_t shift;
    char *room;

    if (n < 6)
        return 0;
    syntax = (struct edi_syntax){ (char)data[0], (char)data[1], (char)data[2], (char)data[3], (char)data[4] };
    shift = data[5] % 64;
    data += 6;
    n -= 6;
    if (syntax.element == syntax.terminator || (syntax.release && (syntax.release == syntax.element ||
                                                                   syntax.release == syntax.terminator)))
        return 0;
    room = malloc(shift + n + 64);
    require(room && lexer_index_init(&plain, n, NULL) == 0 && lexer_index_init(&other, n, NULL) == 0);
    memcpy(room + shift, data, n);
    memset(room + shift + n, syntax.terminator, 64); /* what lies behind does not matter */
    lexer_choose(LEXER_PLAIN)(&plain, room + shift, n, &syntax);
    check(&plain, room + shift, n, &syntax);
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        lexer_function *f = lexer_choose(kinds[i]);
        if (!f)
            continue;
        f(&other, room + shift, n, &syntax);
        require(other.n_delimiters == plain.n_delimiters && other.n_segments == plain.n_segments);
        require(other.open_flags == plain.open_flags);
        require(plain.n_delimiters == 0 ||
                memcmp(other.delimiter, plain.delimiter, plain.n_delimiters * sizeof(*plain.delimiter)) == 0);
        require(plain.n_segments == 0 || memcmp(other.end, plain.end, plain.n_segments * sizeof(*plain.end)) == 0);
    }
    lexer_index_deinit(&plain);
    lexer_index_deinit(&other);
    free(room);
    return 0;
}
