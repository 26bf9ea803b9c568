/* json: what is JSON and what is not, on every path, wherever in a block it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "failing_malloc.h"
#include "tree/json.h"

enum { CEILING = 64 << 20 };

static const enum json_path paths[] = { JSON_PLAIN, JSON_SSE2, JSON_AVX2, JSON_NEON, JSON_BEST };

enum { PATHS = sizeof(paths) / sizeof(paths[0]) };

/* Parses a copy that ends where the allocation ends, so that a byte read behind it is seen. */
static int parse_exactly(struct json_tape *tape, struct slice text, struct err *err)
{
    char *copy = malloc(text.n ? text.n : 1);
    int r;

    assert_non_null(copy);
    memcpy(copy, text.p, text.n);
    r = json_parse(tape, slice(text.n ? copy : NULL, text.n), err);
    free(copy);
    return r;
}

/* --- what is JSON --- */

static const char *const valid[] = {
    "0", "-0", "12", "-12.5", "1e5", "1E+5", "1e-5", "0.5", "0e0", "12.50e10", "true", "false", "null", "\"\"", "\"a\"",
    "[]", "{}", "[ ]", "{ }", " [] ", "\t\r\n{}\n", "[1,2]", "[1 , 2 ]", "[[],[[]],{}]", "{\"a\":1}",
    "{\"a\":1,\"b\":[true,false,null]}", "{\"\":\"\"}", "{\"a\":{\"a\":{\"a\":{}}}}", "{ \"a\" : \"b\" , \"c\" : \"d\" }",
    "{\"a\":\"b\",\"c\":\"d\"}", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0001\\u00e9\\u20AC\\uD83D\\uDE00\"",
    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"\x7f\"", "[\"a\",\"b\\\\\",\"c\"]", "\"\\\\\\\\\"", "\"\\\\\\\"\"",
    "{\"a\\\"b\":\"c\"}", "{\"a\":1,\"a\":2}", "[1.0,-1,10]", "[0,-0]", "\"\xef\xbf\xbf\xee\x80\x80\xed\x9f\xbf\"",
};

static void test_valid(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PATHS; p++) {
        struct json_tape tape;
        json_tape_init(&tape, CEILING);
        if (!json_tape_path(&tape, paths[p]))
            continue;
        for (unsigned i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
            struct err err = { 0 };
            if (parse_exactly(&tape, slice_of(valid[i]), &err) != 0)
                fail_msg("path %d: %s: %s", paths[p], valid[i], err.text);
            assert_true(tape.n > 0);
            assert_int_equal(tape.node[0].next, tape.n);
        }
        json_tape_deinit(&tape);
    }
}

static const struct {
    const char *text;
    const char *words;      /* what the error must say */
    bool incomplete;
} invalid[] = {
    { "", "expected a value, found the end of the text", true },
    { "  \n ", "line 2, column 2 (byte 4): expected a value", true },
    { "[", "expected a value or ']', found the end", true },
    { "{", "expected a key in quotes or '}', found the end", true },
    { "[1", "expected ',' or ']', found the end", true },
    { "[1,", "expected a value, found the end", true },
    { "[1,]", "line 1, column 4 (byte 3): expected a value, found ']'", false },
    { "[,1]", "expected a value, found ','", false },
    { "[1 2]", "expected ',' or ']', found '2'", false },
    { "[1}", "expected ',' or ']', found '}'", false },
    { "{\"a\"", "expected ':' behind the key, found the end", true },
    { "{\"a\"}", "expected ':' behind the key, found '}'", false },
    { "{\"a\":}", "expected a value, found '}'", false },
    { "{\"a\":1,}", "expected a key in quotes, found '}'", false },
    { "{\"a\":1]", "expected ',' or '}', found ']'", false },
    { "{a:1}", "expected a key in quotes or '}', found 'a'", false },
    { "{1:1}", "expected a key in quotes or '}', found '1'", false },
    { "{\"a\" \"b\"}", "expected ':' behind the key, found '\"'", false },
    { "{\"a\":\"b\" \"c\":1}", "expected ',' or '}', found '\"'", false },
    { "{\"a\":\"b\",}", "expected a key in quotes, found '}'", false },
    { "{\"a\":\"b\"", "expected ',' or '}', found the end", true },
    { "{\"a\":\"b\",", "expected a key in quotes, found the end", true },
    { "{} {}", "expected nothing behind the value, found '{'", false },
    { "1 2", "expected nothing behind the value, found '2'", false },
    { "]", "expected a value, found ']'", false },
    { "01", "expected nothing behind the value, found '1'", false },
    { "-", "expected a digit, found the end", true },
    { "-a", "expected a digit, found 'a'", false },
    { "+1", "expected a value, found '+'", false },
    { ".5", "expected a value, found '.'", false },
    { "1.", "expected a digit behind the point, found the end", true },
    { "[1.]", "expected a digit behind the point, found ']'", false },
    { "1e", "expected a digit of the exponent, found the end", true },
    { "[1e+]", "expected a digit of the exponent, found ']'", false },
    { "0x1", "expected nothing behind the value, found 'x'", false },
    { "NaN", "expected a value, found 'N'", false },
    { "tru", "expected true, false or null, found the end", true },
    { "trux", "expected true, false or null, found 'x'", false },
    { "[nul]", "expected true, false or null, found ']'", false },
    { "truee", "expected nothing behind the value, found 'e'", false },
    { "'a'", "expected a value, found \"'\"", false },
    { "\"", "the text ends inside a string", true },
    { "\"a", "the text ends inside a string", true },
    { "\"a\\", "the text ends inside a string", true },
    { "\"a\\\"", "the text ends inside a string", true },
    { "\"\\u12", "the text ends inside a string", true },
    { "\"\\ud83d", "the text ends inside a string", true },
    { "\"\\ud83d\\", "the text ends inside a string", true },
    { "\"\\ud83d\\ude", "the text ends inside a string", true },
    { "\"\xc3", "the text ends inside a string", true },
    { "\"\xe2\x82", "the text ends inside a string", true },
    { "\"\xf0\x9f\x98", "the text ends inside a string", true },
    { "\"\\a\"", "line 1, column 3 (byte 2): expected one of \" \\ / b f n r t u behind a backslash, found 'a'", false },
    { "\"\\u12g4\"", "expected four hexadecimal digits behind \\u", false },
    { "\"\\u12\"", "expected four hexadecimal digits behind \\u", false },
    { "\"\\u0000\"", "expected text without NUL", false },
    { "\"\\ud83d\"", "expected the second half of a surrogate pair, found '\"'", false },
    { "\"\\ud83dx\"", "expected the second half of a surrogate pair, found 'x'", false },
    { "\"\\ud83d\\n\"", "expected the second half of a surrogate pair", false },
    { "\"\\ud83d\\ud83d\"", "expected the second half of a surrogate pair", false },
    { "\"\\ude00\"", "expected the first half of a surrogate pair before its second", false },
    { "\"a\nb\"", "line 1, column 3 (byte 2): expected a string without control characters, its end or an escape such as \\n, "
                  "found the end of the line", false },
    { "\"a\tb\"", "found the byte 0x09", false },
    { "{\"a\n\":1}", "expected a string without control characters", false },
    { "\"\x80\"", "expected text in UTF-8, found the byte 0x80", false },
    { "\"\xc0\xaf\"", "expected text in UTF-8", false },
    { "\"\xed\xa0\x80\"", "expected text in UTF-8", false },
    { "\"\xf4\x90\x80\x80\"", "expected text in UTF-8", false },
    { "\"\xe2\x82\"", "expected text in UTF-8", false },
    { "[\xc3\xa9]", "expected a value, found the byte 0xc3", false },
    { "[1]\xc3", "expected nothing behind the value, found the byte 0xc3", false },
    { "{\"a\":1,\f\"b\":2}", "expected a key in quotes, found the byte 0x0c", false },
    { "\\\"\"", "expected a value, found '\\'", false },
    { "[\"a\"\\\"]", "expected ',' or ']', found '\\'", false },
    { "{\"a\":\"b\\\",\"c\":1}", "expected ',' or '}', found 'c'", false },
    { "/* a */ 1", "expected a value, found '/'", false },
    { "\xef\xbb\xbf{}", "expected a value, found the byte 0xef", false },
};

static void test_invalid(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PATHS; p++) {
        struct json_tape tape;
        json_tape_init(&tape, CEILING);
        if (!json_tape_path(&tape, paths[p]))
            continue;
        for (unsigned i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
            struct err err = { 0 };
            int r = parse_exactly(&tape, slice_of(invalid[i].text), &err);
            if (r != ERR_DATA || !strstr(err.text, invalid[i].words) || tape.incomplete != invalid[i].incomplete)
                fail_msg("path %d: %s: %d %s", paths[p], invalid[i].text, r, err.text);
            assert_int_equal(tape.n, 0);
        }
        json_tape_deinit(&tape);
    }
}

static void test_nul_is_no_end(void **state)
{
    struct json_tape tape;
    struct err err;

    (void)state;
    json_tape_init(&tape, CEILING);
    assert_int_equal(json_parse(&tape, slice("{}\0", 3), &err), ERR_DATA);
    assert_int_equal(json_parse(&tape, slice("\"a\0b\"", 5), &err), ERR_DATA);
    assert_int_equal(tape.error_at, 2);
    json_tape_deinit(&tape);
}

/* --- the tape --- */

static void test_tape(void **state)
{
    static const char text[] = "{\"a\":[1,-2.5,\"x\\ny\"], \"k\\u0065y\" : {\"b\":\"c\",\"d\":\"e\"},\"t\":true,\"f\":false,\"n\":null}";
    struct json_tape tape;
    struct arena arena;
    struct slice s;
    struct err err;
    uint32_t c;

    (void)state;
    json_tape_init(&tape, CEILING);
    arena_init(&arena, 1 << 20);
    assert_int_equal(json_parse(&tape, slice_of(text), &err), 0);
    assert_int_equal(tape.n, 11);
    assert_int_equal(tape.node[0].type, JSON_OBJECT);
    assert_int_equal(tape.node[0].count, 5);
    assert_int_equal(tape.node[0].n, sizeof(text) - 1);
    assert_int_equal(tape.node[0].flags & JSON_KEYED, 0);
    c = json_first(0);
    assert_int_equal(tape.node[c].type, JSON_ARRAY);
    assert_int_equal(tape.node[c].count, 3);
    assert_true(slice_is(json_raw_key(&tape, c), "a"));
    assert_true(slice_is(json_raw(&tape, c), "[1,-2.5,\"x\\ny\"]"));
    assert_int_equal(tape.node[c + 1].flags, JSON_INTEGER);
    assert_int_equal(tape.node[c + 2].flags, 0);
    assert_true(slice_is(json_raw(&tape, c + 2), "-2.5"));
    assert_int_equal(tape.node[c + 3].flags, JSON_ESCAPED);
    assert_true(slice_is(json_raw(&tape, c + 3), "x\\ny"));
    assert_int_equal(json_string(&tape, c + 3, &arena, &s), 0);
    assert_true(slice_is(s, "x\ny"));
    c = json_next(&tape, c);
    assert_int_equal(tape.node[c].type, JSON_OBJECT);
    assert_int_equal(tape.node[c].flags, JSON_KEYED | JSON_KEY_ESCAPED);
    assert_int_equal(json_key(&tape, c, &arena, &s), 0);
    assert_true(slice_is(s, "key"));
    assert_int_equal(json_member(&tape, 0, SLICE("key")), c);
    assert_int_equal(tape.node[json_member(&tape, c, SLICE("d"))].flags, JSON_KEYED);
    assert_true(slice_is(json_raw(&tape, json_member(&tape, c, SLICE("d"))), "e"));
    assert_int_equal(json_member(&tape, c, SLICE("x")), 0);
    assert_int_equal(json_member(&tape, c + 1, SLICE("x")), 0);
    assert_int_equal(tape.node[json_member(&tape, 0, SLICE("t"))].type, JSON_TRUE);
    assert_int_equal(tape.node[json_member(&tape, 0, SLICE("f"))].type, JSON_FALSE);
    c = json_member(&tape, 0, SLICE("n"));
    assert_int_equal(tape.node[c].type, JSON_NULL);
    assert_int_equal(json_next(&tape, c), json_end(&tape, 0));
    arena_deinit(&arena);
    json_tape_deinit(&tape);
}

static void test_decode(void **state)
{
    static const struct {
        const char *raw, *decoded;
    } rows[] = {
        { "", "" },
        { "plain", "plain" },
        { "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t" },
        { "a\\u0041b", "aAb" },
        { "\\u00e9\\u20aC\\uD83d\\uDe00", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
        { "\\u07ff\\u0800\\uffff\\ud800\\udc00\\udbff\\udfff", "\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
    };
    char to[200];

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_true(slice_is(slice(to, json_decode(slice_of(rows[i].raw), to)), rows[i].decoded));
}

static void test_duplicate_keys(void **state)
{
    struct json_tape tape;
    struct err err;
    struct buf b;

    (void)state;
    json_tape_init(&tape, CEILING);
    buf_init(&b, 1 << 24);
    assert_int_equal(json_parse(&tape, SLICE("{\"a\":1,\"b\":2}"), &err), 0);
    assert_int_equal(json_duplicate(&tape, 0), 0);
    assert_int_equal(json_parse(&tape, SLICE("{\"a\":1,\"b\":2,\"a\":3}"), &err), 0);
    assert_int_equal(json_duplicate(&tape, 0), 3);
    assert_int_equal(json_parse(&tape, SLICE("{\"a\":1,\"\\u0061\":3}"), &err), 0);
    assert_int_equal(json_duplicate(&tape, 0), 2);
    assert_int_equal(json_parse(&tape, SLICE("{\"\xc3\xa9\":1,\"\\u00e9x\":2,\"\\u00e9\":3}"), &err), 0);
    assert_int_equal(json_duplicate(&tape, 0), 3);
    assert_int_equal(json_parse(&tape, SLICE("[1,1]"), &err), 0);
    assert_int_equal(json_duplicate(&tape, 0), 0);
    for (unsigned n = 1; n < 20000; n = n * 3 + 1) {
        for (unsigned twice = 0; twice < 2; twice++) {
            buf_clear(&b);
            buf_add_char(&b, '{');
            for (unsigned i = 0; i < n; i++)
                buf_printf(&b, "\"%x\":0,", i * 7919);
            buf_printf(&b, "\"%s%x\":0}", twice ? "" : "_", n / 2 * 7919);
            assert_int_equal(json_parse(&tape, buf_slice(&b), &err), 0);
            assert_int_equal(json_duplicate(&tape, 0), twice ? n + 1 : 0);
        }
    }
    buf_deinit(&b);
    json_tape_deinit(&tape);
}

static void test_first_value(void **state)
{
    static const char text[] = " {\"a\":1} [2]\"x\"true 12 \xff";
    static const size_t ends[] = { 8, 4, 3, 4, 3 };
    struct json_tape tape;
    struct err err;
    struct slice rest = slice_of(text);
    size_t n;

    (void)state;
    json_tape_init(&tape, CEILING);
    for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        assert_int_equal(json_parse_first(&tape, rest, &n, &err), 0);
        assert_int_equal(n, ends[i]);
        rest = slice_from(rest, n);
    }
    assert_int_equal(json_parse_first(&tape, rest, &n, &err), ERR_DATA);
    assert_false(tape.incomplete);
    assert_int_equal(json_parse_first(&tape, SLICE("12"), &n, &err), ERR_DATA);
    assert_true(tape.incomplete);
    json_tape_deinit(&tape);
}

static void test_place_in_the_input(void **state)
{
    struct json_tape tape;
    struct err err;

    (void)state;
    json_tape_init(&tape, CEILING);
    tape.offset = 1000;
    tape.line = 9;
    tape.column = 4;
    assert_int_equal(json_parse(&tape, SLICE("[1,x]"), &err), ERR_DATA);
    assert_non_null(strstr(err.text, "line 10, column 8 (byte 1003): "));
    assert_int_equal(json_parse(&tape, SLICE("[1,\n x]"), &err), ERR_DATA);
    assert_non_null(strstr(err.text, "line 11, column 2 (byte 1005): "));
    assert_int_equal(tape.error_at, 5);
    json_tape_deinit(&tape);
}

/* --- limits --- */

static void test_depth(void **state)
{
    struct json_tape tape;
    struct err err;
    struct buf b;

    (void)state;
    json_tape_init(&tape, CEILING);
    buf_init(&b, 1 << 20);
    for (unsigned depth = LIMIT_RECORD_DEPTH; depth <= LIMIT_RECORD_DEPTH + 1; depth++) {
        buf_clear(&b);
        for (unsigned i = 0; i < depth; i++)
            buf_add_text(&b, i % 2 ? "{\"a\":" : "[");
        buf_add_text(&b, "1");
        for (unsigned i = depth; i-- > 0;)
            buf_add_text(&b, i % 2 ? "}" : "]");
        assert_int_equal(json_parse(&tape, buf_slice(&b), &err), depth > LIMIT_RECORD_DEPTH ? ERR_LIMIT : 0);
    }
    buf_deinit(&b);
    json_tape_deinit(&tape);
}

static void test_ceiling_of_nodes(void **state)
{
    struct json_tape tape;
    struct err err;
    struct buf b;

    (void)state;
    json_tape_init(&tape, 100 * sizeof(struct json_node));
    buf_init(&b, 1 << 20);
    for (unsigned n = 99; n <= 100; n++) {
        buf_clear(&b);
        for (unsigned i = 0; i < n; i++)
            buf_add_text(&b, i ? ",1" : "[1");
        buf_add_text(&b, "]");
        assert_int_equal(json_parse(&tape, buf_slice(&b), &err), n == 99 ? 0 : ERR_LIMIT);
        assert_int_equal(tape.full, n != 99);
        buf_clear(&b);
        for (unsigned i = 0; i < n; i++)
            buf_printf(&b, "%c\"%u\":\"\"", i ? ',' : '{', i);
        buf_add_text(&b, "}");
        assert_int_equal(json_parse(&tape, buf_slice(&b), &err), n == 99 ? 0 : ERR_LIMIT);
    }
    buf_deinit(&b);
    json_tape_deinit(&tape);
}

static void test_longest_key(void **state)
{
    struct json_tape tape;
    struct err err;
    struct buf b;

    (void)state;
    json_tape_init(&tape, CEILING);
    buf_init(&b, 1 << 20);
    for (size_t n = 65535; n <= 65536; n++) {
        for (int more = 0; more < 2; more++) {
            buf_clear(&b);
            buf_add_text(&b, more ? "{\"a\":\"b\",\"" : "{\"");
            memset(buf_reserve(&b, n), 'k', n);
            b.n += n;
            buf_add_text(&b, "\":\"v\"}");
            assert_int_equal(json_parse(&tape, buf_slice(&b), &err), n > 65535 ? ERR_LIMIT : 0);
            if (n <= 65535)
                assert_int_equal(tape.node[more + 1].key_n, n);
        }
    }
    buf_deinit(&b);
    json_tape_deinit(&tape);
}

/* --- blocks and windows --- */

/* The same text behind 0 to 2200 blanks and inside a string: every place in a block and across a window's end. */
static void test_every_place_in_a_block(void **state)
{
    static const char *const good[] = { "\\\"", "\\\\", "\\\\\\\"", "\\u00e9", "\\ud83d\\ude00", "\xc3\xa9",
                                        "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\\\\\\\\", "\\n" };
    static const char *const bad[] = { "\\x", "\n", "\x01", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\\ud83d",
                                       "\\ude00", "\xed\xa0\x80", "\\u0000" };
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    for (unsigned p = 0; p < PATHS; p++) {
        struct json_tape tape;
        struct err err;
        json_tape_init(&tape, CEILING);
        if (!json_tape_path(&tape, paths[p]))
            continue;
        for (unsigned at = 0; at < 2200; at += at < 140 || (at > 1980 && at < 2120) ? 1 : 61) {
            for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]) + sizeof(bad) / sizeof(bad[0]); i++) {
                bool right = i < sizeof(good) / sizeof(good[0]);
                const char *piece = right ? good[i] : bad[i - sizeof(good) / sizeof(good[0])];
                buf_clear(&b);
                buf_add_text(&b, "[\"");
                memset(buf_reserve(&b, at), 'a', at);
                b.n += at;
                buf_add_text(&b, piece);
                buf_add_text(&b, "\",\"next\"]");
                if (json_parse(&tape, buf_slice(&b), &err) != (right ? 0 : ERR_DATA))
                    fail_msg("path %d at %u: %s", paths[p], at, piece);
                if (right) {
                    assert_int_equal(tape.n, 3);
                    assert_int_equal(tape.node[1].n, at + strlen(piece));
                    assert_int_equal(tape.node[1].flags, *piece == '\\' ? JSON_ESCAPED : 0);
                    assert_true(slice_is(json_raw(&tape, 2), "next"));
                } else {
                    assert_true(tape.error_at >= at + 2 && tape.error_at <= at + 2 + strlen(piece));
                }
            }
        }
        json_tape_deinit(&tape);
    }
    buf_deinit(&b);
}

/* --- against a plain reading of the RFC --- */

struct plain {
    const unsigned char *p, *end;
    unsigned depth;
    unsigned nodes;
};

static void plain_blanks(struct plain *t)
{
    while (t->p < t->end && (*t->p == ' ' || *t->p == '\n' || *t->p == '\r' || *t->p == '\t'))
        t->p++;
}

static int plain_hex(struct plain *t)
{
    char digits[5] = { 0 }, *end;
    long value;

    if (t->end - t->p < 4)
        return -1;
    memcpy(digits, t->p, 4);
    if (strspn(digits, "0123456789abcdefABCDEF") != 4)
        return -1;
    value = strtol(digits, &end, 16);
    t->p += 4;
    return (int)value;
}

static bool plain_string(struct plain *t)
{
    if (t->p == t->end || *t->p++ != '"')
        return false;
    while (t->p < t->end && *t->p != '"') {
        unsigned n = utf8_length(slice((const char *)t->p, (size_t)(t->end - t->p)));
        if (n == 0 || *t->p < 0x20)
            return false;
        if (*t->p == '\\') {
            t->p++;
            if (t->p == t->end || !*t->p || !strchr("\"\\/bfnrtu", *t->p))
                return false;
            if (*t->p++ == 'u') {
                int value = plain_hex(t);
                if (value <= 0 || (value >= 0xdc00 && value <= 0xdfff))
                    return false;
                if (value >= 0xd800 && value <= 0xdbff) {
                    if (t->end - t->p < 2 || t->p[0] != '\\' || t->p[1] != 'u')
                        return false;
                    t->p += 2;
                    value = plain_hex(t);
                    if (value < 0xdc00 || value > 0xdfff)
                        return false;
                }
            }
        } else {
            t->p += n;
        }
    }
    return t->p++ < t->end;
}

static bool plain_digits(struct plain *t)
{
    const unsigned char *start = t->p;
    while (t->p < t->end && is_digit((char)*t->p))
        t->p++;
    return t->p > start;
}

static bool plain_number(struct plain *t)
{
    if (t->p < t->end && *t->p == '-')
        t->p++;
    if (t->p < t->end && *t->p == '0')
        t->p++;
    else if (!plain_digits(t))
        return false;
    if (t->p < t->end && *t->p == '.') {
        t->p++;
        if (!plain_digits(t))
            return false;
    }
    if (t->p < t->end && (*t->p == 'e' || *t->p == 'E')) {
        t->p++;
        if (t->p < t->end && (*t->p == '+' || *t->p == '-'))
            t->p++;
        return plain_digits(t);
    }
    return true;
}

static bool plain_value(struct plain *t)
{
    static const char *const words[] = { "true", "false", "null" };

    t->nodes++;
    plain_blanks(t);
    if (t->p == t->end)
        return false;
    if (*t->p == '"')
        return plain_string(t);
    if (*t->p == '-' || is_digit((char)*t->p))
        return plain_number(t);
    for (unsigned i = 0; i < 3; i++) {
        if ((size_t)(t->end - t->p) >= strlen(words[i]) && memcmp(t->p, words[i], strlen(words[i])) == 0) {
            t->p += strlen(words[i]);
            return true;
        }
    }
    if (*t->p == '[' || *t->p == '{') {
        bool object = *t->p++ == '{';
        unsigned char last = object ? '}' : ']';
        if (t->depth++ == LIMIT_RECORD_DEPTH)
            return false;
        plain_blanks(t);
        if (t->p < t->end && *t->p == last) {
            t->p++;
            t->depth--;
            return true;
        }
        for (;;) {
            if (object) {
                plain_blanks(t);
                if (!plain_string(t))
                    return false;
                plain_blanks(t);
                if (t->p == t->end || *t->p++ != ':')
                    return false;
            }
            if (!plain_value(t))
                return false;
            plain_blanks(t);
            if (t->p == t->end)
                return false;
            if (*t->p == last)
                break;
            if (*t->p++ != ',')
                return false;
        }
        t->p++;
        t->depth--;
        return true;
    }
    return false;
}

static uint64_t random_state = 88172645463325252u;

static unsigned random_below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % n;
}

static void random_blanks(struct buf *b)
{
    if (random_below(4) == 0)
        for (unsigned n = random_below(random_below(8) ? 3 : 40); n > 0; n--)
            buf_add_char(b, " \n\t\r    "[random_below(8)]);
}

static void random_string(struct buf *b)
{
    static const char *const pieces[] = { "\\n", "\\\\", "\\\"", "\\u00e9", "\\ud83d\\ude00", "\xc3\xa9",
                                          "\xe2\x82\xac", "\xf0\x9f\x98\x80", "{", "}", ":", ",", "[", "]" };
    buf_add_char(b, '"');
    for (unsigned n = random_below(random_below(10) ? 12 : 200); n > 0; n--) {
        if (random_below(6) == 0)
            buf_add_text(b, pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))]);
        else
            buf_add_char(b, (char)('a' + random_below(26)));
    }
    buf_add_char(b, '"');
}

static void random_value(struct buf *b, unsigned depth)
{
    static const char *const scalars[] = { "0", "-1", "12.5", "1e9", "true", "false", "null", "123456789" };
    unsigned choice = random_below(depth > 5 ? 6 : 10);

    random_blanks(b);
    if (choice < 5) {
        random_string(b);
    } else if (choice < 6) {
        buf_add_text(b, scalars[random_below(8)]);
    } else {
        bool object = choice < 9;
        unsigned n = random_below(8);
        buf_add_char(b, object ? '{' : '[');
        for (unsigned i = 0; i < n; i++) {
            if (i)
                buf_add_char(b, ',');
            if (object) {
                random_blanks(b);
                random_string(b);
                random_blanks(b);
                buf_add_char(b, ':');
            }
            random_value(b, depth + 1);
            random_blanks(b);
        }
        buf_add_char(b, object ? '}' : ']');
    }
    random_blanks(b);
}

/* Random texts, most of them damaged: all paths agree with each other, and with the plain reading. */
static void test_random_texts(void **state)
{
    static const char damage[] = "\"\\{}[],:0\n\x01\x80\xc3 \xf0tn-.e";
    struct json_tape tape[PATHS];
    unsigned right = 0, wrong = 0;
    struct buf b;

    (void)state;
    for (unsigned p = 0; p < PATHS; p++) {
        json_tape_init(&tape[p], CEILING);
        (void)json_tape_path(&tape[p], paths[p]);
    }
    buf_init(&b, 1 << 24);
    for (unsigned round = 0; round < 30000; round++) {
        struct err first = { 0 };
        struct plain plain;
        bool expected;
        buf_clear(&b);
        random_value(&b, 0);
        if (round % 4) {
            for (unsigned n = random_below(3); n > 0; n--)
                b.p[random_below((unsigned)b.n)] = damage[random_below(sizeof(damage) - 1)];
            if (random_below(4) == 0)
                b.n = random_below((unsigned)b.n + 1);
        }
        plain = (struct plain){ (const unsigned char *)b.p, (const unsigned char *)b.p + b.n, 0, 0 };
        expected = plain_value(&plain);
        plain_blanks(&plain);
        expected = expected && plain.p == plain.end;
        right += expected;
        wrong += !expected;
        for (unsigned p = 0; p < PATHS; p++) {
            struct err err = { 0 };
            int r = json_parse(&tape[p], buf_slice(&b), &err);
            if (r != (expected ? 0 : ERR_DATA))
                fail_msg("round %u, path %d: %d %s: %.*s", round, paths[p], r, err.text, (int)b.n, b.p);
            if (expected)
                assert_int_equal(tape[p].n, plain.nodes);
            if (p == 0) {
                first = err;
                continue;
            }
            assert_string_equal(err.text, first.text);
            assert_int_equal(tape[p].n, tape[0].n);
            assert_int_equal(tape[p].error_at, tape[0].error_at);
            assert_int_equal(tape[p].incomplete, tape[0].incomplete);
            assert_memory_equal(tape[p].node, tape[0].node, tape[0].n * sizeof(struct json_node));
        }
    }
    assert_true(right > 5000 && wrong > 5000);
    buf_deinit(&b);
    for (unsigned p = 0; p < PATHS; p++)
        json_tape_deinit(&tape[p]);
}

static void test_every_truncation(void **state)
{
    static const char text[] = "{\"a\":[1,-2.5e3,true,null,\"x\\u00e9\xc3\xa9\\ud83d\\ude00\"], \"b\\n\" : {\"c\":\"d\",\"e\":\"f\"},\n\"g\":[]}";
    struct json_tape tape;
    struct err err;
    size_t end;

    (void)state;
    json_tape_init(&tape, CEILING);
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        assert_int_equal(parse_exactly(&tape, slice(text, n), &err), ERR_DATA);
        if (!tape.incomplete)
            fail_msg("cut at %zu: %s", n, err.text);
        assert_int_equal(json_parse_first(&tape, slice(text, n), &end, &err), ERR_DATA);
        assert_true(tape.incomplete);
    }
    assert_int_equal(parse_exactly(&tape, slice(text, sizeof(text) - 1), &err), 0);
    json_tape_deinit(&tape);
}

/* --- memory --- */

static int parse_much(void *arg)
{
    struct json_tape tape;
    struct arena arena;
    struct slice s;
    struct err err;
    int r;

    json_tape_init(&tape, CEILING);
    arena_init(&arena, 1 << 20);
    r = json_parse(&tape, *(struct slice *)arg, &err);
    if (r == 0)
        r = json_string(&tape, 1, &arena, &s);
    arena_deinit(&arena);
    json_tape_deinit(&tape);
    return r;
}

static void test_no_memory(void **state)
{
    struct slice text;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 24);
    buf_add_text(&b, "[\"\\n\"");
    for (unsigned i = 0; i < 5000; i++)
        buf_add_text(&b, ",1");
    buf_add_char(&b, ']');
    text = buf_slice(&b);
    assert_true(fail_each_allocation(parse_much, &text) >= 3);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_nul_is_no_end),
        cmocka_unit_test(test_tape),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_duplicate_keys),
        cmocka_unit_test(test_first_value),
        cmocka_unit_test(test_place_in_the_input),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_ceiling_of_nodes),
        cmocka_unit_test(test_longest_key),
        cmocka_unit_test(test_every_place_in_a_block),
        cmocka_unit_test(test_random_texts),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
