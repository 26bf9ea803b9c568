/*
 * lexer: blocks of chance and blocks made to hurt, at every alignment and every length: each way to index them gives
 * what plain C gives; and what plain C gives is what lexer.h says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "edi/lexer.h"
#include "failing_malloc.h"

static const enum lexer_kind kinds[] = { LEXER_PLAIN, LEXER_SSE2, LEXER_AVX2, LEXER_NEON, LEXER_BEST };
static const struct edi_syntax usual = { '*', '~', '>', 0, 0 };

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void index_with(enum lexer_kind kind, struct lexer_index *x, const char *block, size_t n, const struct edi_syntax *syntax)
{
    lexer_function *f = lexer_choose(kind);
    assert_non_null(f);
    f(x, block, n, syntax);
}

static void same_as_plain(const char *block, size_t n, const struct edi_syntax *syntax)
{
    struct lexer_index plain, other;

    assert_int_equal(lexer_index_init(&plain, n, NULL), 0);
    assert_int_equal(lexer_index_init(&other, n, NULL), 0);
    index_with(LEXER_PLAIN, &plain, block, n, syntax);
    for (unsigned i = 1; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!lexer_choose(kinds[i]))
            continue;
        index_with(kinds[i], &other, block, n, syntax);
        assert_int_equal(other.n_delimiters, plain.n_delimiters);
        assert_int_equal(other.n_segments, plain.n_segments);
        assert_int_equal(other.open_flags, plain.open_flags);
        if (plain.n_delimiters)
            assert_memory_equal(other.delimiter, plain.delimiter, plain.n_delimiters * sizeof(*plain.delimiter));
        if (plain.n_segments)
            assert_memory_equal(other.end, plain.end, plain.n_segments * sizeof(*plain.end));
        assert_int_equal(other.has_parts, plain.has_parts);
        if (plain.has_parts && plain.n_delimiters) {
            assert_memory_equal(other.rank, plain.rank, plain.n_delimiters * sizeof(*plain.rank));
            assert_memory_equal(other.part, plain.part, (plain.rank[plain.n_delimiters - 1] + 1) * sizeof(*plain.part));
        }
    }
    lexer_index_deinit(&plain);
    lexer_index_deinit(&other);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(lexer_name(lexer_choose(LEXER_PLAIN)), "plain C");
    assert_non_null(lexer_choose(LEXER_BEST));
    assert_string_equal(lexer_name(NULL), "none");
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (lexer_choose(kinds[i]))
            assert_true(strcmp(lexer_name(lexer_choose(kinds[i])), "none") != 0);
}

/* What lies behind the block is never taken for a part of it. */
static void test_every_length_and_alignment(void **state)
{
    static const char alphabet[] = "***~~>^\n\rAB1 \"\\\x80\x7f\x01";
    char room[64 + 300 + 64];
    uint64_t random = 42;

    (void)state;
    for (size_t i = 0; i < sizeof(room); i++)
        room[i] = alphabet[next_random(&random) % (sizeof(alphabet) - 1)];
    for (size_t shift = 0; shift < 64; shift += shift < 4 ? 1 : 7)
        for (size_t n = 0; n <= 300; n++)
            same_as_plain(room + shift, n, &usual);
}

static void test_chance(void **state)
{
    static const struct edi_syntax syntaxes[] = {
        { '*', '~', '>', 0, 0 },      { '*', '\n', ':', '^', 0 }, { '|', '\r', 0, 0, 0 }, { 0x1d, 0x1e, 0x1f, 0x1c, 0 },
        { '+', '\'', ':', '*', '?' }, { '*', (char)0x85, (char)0xff, 0, 0 }, { ' ', '"', '\\', 0x7f, 0 }, { 1, 2, 0, 0, 0 },
        { '+', '\'', ':', 0, '\\' },
    };
    enum { ROOM = 5000 };
    char *room = malloc(ROOM + 64);
    uint64_t random = 7;

    (void)state;
    assert_non_null(room);
    for (unsigned round = 0; round < 400; round++) {
        const struct edi_syntax *x = &syntaxes[round % (sizeof(syntaxes) / sizeof(syntaxes[0]))];
        unsigned density = (unsigned)next_random(&random) % 64 + 1;
        size_t n = next_random(&random) % ROOM;
        for (size_t i = 0; i < ROOM + 64; i++) {
            uint64_t v = next_random(&random);
            const char special[] = { x->element, x->terminator, x->component, x->repetition, '\n', '\r', '"', x->element,
                                     x->release, x->release };
            room[i] = v % density == 0 ? special[(v >> 8) % sizeof(special)] : (char)(v >> 16);
        }
        same_as_plain(room, n, x);
    }
    free(room);
}

/* Runs of release characters of every length up to 140, at every place of a word, before each kind of delimiter: what
 * follows an odd run is text. */
static void test_release(void **state)
{
    static const struct edi_syntax syntax = { '+', '\'', ':', '*', '?' };
    static const char delimiters[] = "+':*";
    struct lexer_index x;
    char block[64 + 140 + 8 + 64];

    (void)state;
    assert_int_equal(lexer_index_init(&x, sizeof(block), NULL), 0);
    for (unsigned kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++)
        for (unsigned at = 3; at < 68 && lexer_choose(kinds[kind]); at++)
            for (unsigned run = 0; run < 140; run += run < 5 ? 1 : 17)
                for (unsigned d = 0; d < 4; d++) {
                    unsigned n = at + run, flags = run ? SEGMENT_RELEASE : 0;
                    bool text = run % 2;
                    memset(block, 'x', sizeof(block));
                    memcpy(block, "AA+", 3);
                    memset(block + at, '?', run);
                    memcpy(block + n, (char[]){ delimiters[d], 'y', '\'' }, 3);
                    index_with(kinds[kind], &x, block, n + 3, &syntax);
                    if (!text && d >= 2)
                        flags |= SEGMENT_PARTS;
                    assert_int_equal(x.n_segments, !text && delimiters[d] == '\'' ? 2 : 1);
                    assert_int_equal(x.n_delimiters, !text && d < 2 ? 3 : 2);
                    assert_int_equal(x.end[0] & 7, flags);
                    if (x.n_segments == 2)
                        assert_int_equal(x.end[1] & 7, 0);
                }
    memcpy(block, "A+??", 4);
    index_with(LEXER_PLAIN, &x, block, 4, &syntax);
    assert_int_equal(x.open_flags, SEGMENT_RELEASE);
    lexer_index_deinit(&x);
}

/* Components of a segment as it stands, and of a copy without release characters. */
static void test_parts(void **state)
{
    static const struct edi_syntax syntax = { '+', '\'', ':', '*', '?' };
    static const char text[] = "AAA+b:c*d:e+f+:g'", copy[] = "AAA+b:\xff" "c*\xfe" "d+e'";
    const uint32_t at[] = { 3, 11, 13, 16 }, at_copy[] = { 3, 11, 13 };
    struct segment s = { text, at, 0, 3, SEGMENT_PARTS, NULL, NULL };
    struct segment r = { copy, at_copy, 0, 2, SEGMENT_PARTS | SEGMENT_REWRITTEN, NULL, NULL };

    (void)state;
    assert_true(slice_is(segment_part(&s, &syntax, 1, 0), "b:c*d:e"));
    assert_true(slice_is(segment_part(&s, &syntax, 1, 1), "b"));
    assert_true(slice_is(segment_part(&s, &syntax, 1, 2), "c"));
    assert_true(slice_is(segment_part(&s, &syntax, 1, 3), ""));
    assert_true(slice_is(segment_part(&s, &syntax, 2, 1), "f"));
    assert_true(slice_is(segment_part(&s, &syntax, 3, 1), ""));
    assert_true(slice_is(segment_part(&s, &syntax, 3, 2), "g"));
    assert_true(slice_is(segment_part(&s, &syntax, 4, 1), ""));
    assert_true(slice_is(segment_part(&r, &syntax, 1, 1), "b:"));
    assert_true(slice_is(segment_part(&r, &syntax, 1, 2), "c*"));
    assert_true(slice_is(segment_part(&r, &syntax, 2, 1), "e"));
    s.flags = 0;
    assert_true(slice_is(segment_part(&s, &syntax, 2, 1), "f"));
    assert_true(slice_is(segment_part(&s, &syntax, 2, 2), ""));
}

/* Components that were found once are those that are looked for one by one. */
static void test_find_parts(void **state)
{
    static const struct edi_syntax syntax = { '+', '\'', ':', 0, '?' }, repeats = { '+', '\'', ':', '*', '?' };
    enum { MOST = 700 };
    char text[MOST + 16];
    uint32_t at[MOST + 1];
    struct segment_parts parts;
    uint32_t chance = 1;

    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        const unsigned size = round % 40 == 0 ? MOST : 4 + round % 60, often = 2 + round % 7;
        struct segment s = { text, at, 0, 0, SEGMENT_PARTS | (round % 3 ? 0 : SEGMENT_REWRITTEN), NULL, NULL };
        const char separator = segment_component_separator(s.flags, &syntax);
        unsigned found = 0;
        memcpy(text, "AAA+", 4);
        at[0] = 3;
        for (unsigned i = 4; i < size; i++) {
            chance = chance * 1103515245u + 12345u;
            const unsigned kind = chance >> 16 & 15;
            text[i] = kind < often ? separator : kind == 15 ? '+' : (char)('a' + kind);
            if (kind == 15)
                at[++s.n] = i;
        }
        at[++s.n] = size;
        memset(text + size, separator, 16);
        for (unsigned i = 4; i < size; i++)
            found += text[i] == separator || text[i] == '+';
        if (!segment_find_parts(&s, &syntax, &parts)) {
            assert_true(s.n > SEGMENT_ELEMENTS_MOST || found >= SEGMENT_PARTS_MOST - SEGMENT_ELEMENTS_MOST);
            continue;
        }
        for (unsigned k = 1; k <= s.n + 1; k++)
            for (unsigned part = 0; part < 12; part++) {
                struct slice looked = segment_look_for_part(&s, &syntax, k, part);
                struct slice quick = segment_part(&s, &syntax, k, part);
                assert_true(slice_eq(looked, quick) && (!looked.n || looked.p == quick.p));
            }
    }
    memcpy(text, "AAA+a:b*c", 9);
    at[1] = 9;
    struct segment s = { text, at, 0, 1, SEGMENT_PARTS, NULL, NULL };
    assert_false(segment_find_parts(&s, &repeats, &parts));
    at[1] = 7;
    assert_true(segment_find_parts(&s, &repeats, &parts));
}

/* And so are those of the index. */
static void test_index_parts(void **state)
{
    static const struct edi_syntax syntax = { '+', '\'', ':', 0, '?' };
    static const char alphabet[] = "+++:::'?abcdef";
    enum { MOST = 4000 };
    static char text[MOST + 64];
    struct lexer_index x;
    uint64_t random = 3;

    (void)state;
    assert_int_equal(lexer_index_init(&x, MOST, NULL), 0);
    for (unsigned round = 0; round < 300; round++) {
        const unsigned kinds_of = 6 + round % 9;
        uint32_t d = 0;
        for (unsigned i = 0; i < MOST; i++)
            text[i] = alphabet[next_random(&random) % kinds_of];
        index_with(LEXER_BEST, &x, text, MOST, &syntax);
        assert_true(x.has_parts);
        for (uint32_t i = 0; i < x.n_segments; i++) {
            const uint32_t last = x.end[i] >> SEGMENT_FLAG_BITS, flags = x.end[i] & ((1u << SEGMENT_FLAG_BITS) - 1);
            struct segment s = { text, x.delimiter + d, d ? x.delimiter[d - 1] + 1 : 0, last - d, flags, x.part, x.rank + d };
            struct segment slow = s;
            slow.part = NULL;
            d = last + 1;
            if (flags & SEGMENT_RELEASE) /* what is released is no text of its own for the slow way */
                continue;
            for (unsigned k = 1; k <= s.n; k++)
                for (unsigned part = 1; part < 8; part++) {
                    const struct slice quick = segment_part(&s, &syntax, k, part), looked = segment_part(&slow, &syntax, k, part);
                    assert_true(slice_eq(looked, quick) && (!looked.n || looked.p == quick.p));
                }
        }
    }
    lexer_index_deinit(&x);
}

/* Every byte value, with every flag that it may set. */
static void test_flags(void **state)
{
    struct lexer_index x;
    char block[64 + 64];

    (void)state;
    assert_int_equal(lexer_index_init(&x, 64, NULL), 0);
    for (unsigned kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++)
        for (unsigned c = 0; c < 256 && lexer_choose(kinds[kind]); c++) {
            unsigned expected = c == '>' ? SEGMENT_PARTS : c < 0x20 || c >= 0x7f || c == '"' || c == '\\' ? SEGMENT_ESCAPE : 0;
            memset(block, 'x', sizeof(block));
            memcpy(block, "AA*b?c~DD*e~", 12);
            block[4] = (char)c;
            index_with(kinds[kind], &x, block, 12, &usual);
            if (c == '~') {
                assert_int_equal(x.n_segments, 3);
                continue;
            }
            assert_int_equal(x.n_segments, 2);
            assert_int_equal(x.end[0] & 7, expected);
            assert_int_equal(x.end[1] & 7, 0);
        }
    lexer_index_deinit(&x);
}

/* One or two control characters behind a terminator are layout; a third is data. At every place of a block. */
static void test_line_breaks(void **state)
{
    char block[300 + 64];

    (void)state;
    for (unsigned breaks = 0; breaks <= 3; breaks++)
        for (size_t at = 1; at < 200; at++) {
            struct lexer_index x;
            size_t n = at;
            memset(block, 'a', sizeof(block));
            block[n++] = '~';
            for (unsigned i = 0; i < breaks; i++)
                block[n++] = i % 2 ? '\n' : '\r';
            n += 5;
            block[n++] = '~';
            assert_int_equal(lexer_index_init(&x, n, NULL), 0);
            for (unsigned kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
                if (!lexer_choose(kinds[kind]))
                    continue;
                index_with(kinds[kind], &x, block, n, &usual);
                assert_int_equal(x.n_segments, 2);
                assert_int_equal(x.end[1] & 7, breaks > 2 ? SEGMENT_ESCAPE : 0);
            }
            lexer_index_deinit(&x);
        }
}

/* What is open at the end carries its flags. */
static void test_open(void **state)
{
    struct lexer_index x;
    char block[128] = "A*b~C*d>e\"";

    (void)state;
    assert_int_equal(lexer_index_init(&x, 64, NULL), 0);
    index_with(LEXER_BEST, &x, block, 8, &usual);
    assert_int_equal(x.open_flags, SEGMENT_PARTS);
    index_with(LEXER_BEST, &x, block, 10, &usual);
    assert_int_equal(x.open_flags, SEGMENT_PARTS | SEGMENT_ESCAPE);
    assert_int_equal(x.n_segments, 1);
    lexer_index_deinit(&x);
}

static void test_elements(void **state)
{
    char block[128] = "PO1*1**EA*~";
    uint32_t at[] = { 3, 5, 6, 9, 10 };
    struct segment s = { block, at, 0, 4, 0, NULL, NULL };

    (void)state;
    assert_true(slice_is(segment_tag(&s), "PO1"));
    assert_true(slice_is(segment_element(&s, 1), "1"));
    assert_int_equal(segment_element(&s, 2).n, 0);
    assert_true(slice_is(segment_element(&s, 3), "EA"));
    assert_int_equal(segment_element(&s, 4).n, 0);
    assert_int_equal(segment_element(&s, 5).n, 0);
    assert_true(slice_is(segment_bytes(&s), "PO1*1**EA*"));
}

static int init(void *arg)
{
    struct lexer_index x;
    int code = lexer_index_init(&x, 1000, NULL);

    (void)arg;
    if (code == 0)
        lexer_index_deinit(&x);
    return code;
}

static void test_memory(void **state)
{
    struct lexer_index x;
    struct err err;

    (void)state;
    assert_int_equal(lexer_index_init(&x, (size_t)1 << 29, &err), ERR_LIMIT);
    assert_int_equal(fail_each_allocation(init, NULL), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),       cmocka_unit_test(test_every_length_and_alignment),
        cmocka_unit_test(test_chance),      cmocka_unit_test(test_flags),
        cmocka_unit_test(test_line_breaks), cmocka_unit_test(test_open),
        cmocka_unit_test(test_elements),    cmocka_unit_test(test_memory),
        cmocka_unit_test(test_release),     cmocka_unit_test(test_parts),
        cmocka_unit_test(test_find_parts),
        cmocka_unit_test(test_index_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
