/* reader: records in every form and every piece of a stream, bad ones among them, and records larger than memory. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_malloc.h"
#include "record/reader.h"

enum { CEILING = 64 << 20 };

/* --- inputs --- */

static int file_of(struct slice text)
{
    char name[] = "/tmp/waybill-test-XXXXXX";
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(write(fd, text.p, text.n), text.n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* A stream that hands out exactly these pieces: `first` bytes, then `then` at a time. */
static int stream_of(struct slice text, size_t first, size_t then)
{
    int fd[2], room = 4 << 20;
    size_t n = first;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd), 0);
    assert_int_equal(setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
    while (text.n) {
        if (n > text.n)
            n = text.n;
        if (n)
            assert_int_equal(write(fd[1], text.p, n), n);
        text = slice_from(text, n);
        n = then;
    }
    close(fd[1]);
    return fd[0];
}

/* A pipe; the text must fit into it. */
static int pipe_of(struct slice text)
{
    int fd[2];

    assert_int_equal(pipe(fd), 0);
    assert_int_equal(write(fd[1], text.p, text.n), text.n);
    close(fd[1]);
    return fd[0];
}

/* --- what was read, as text --- */

static int describe(const struct record *record, struct buf *out, struct err *err)
{
    const struct json_tape *t = record->tape;
    int r;

    for (uint32_t c = json_first(0); c < json_end(t, 0); c = json_next(t, c)) {
        struct record_items it;
        const struct json_tape *tape;
        uint32_t node;
        buf_add_char(out, c == json_first(0) ? '{' : ' ');
        buf_add_slice(out, json_raw_key(t, c));
        buf_add_char(out, '=');
        if (t->node[c].type != JSON_ARRAY && t->node[c].type != JSON_STREAMED) {
            buf_add_slice(out, json_raw(t, c));
            continue;
        }
        buf_printf(out, "%u[", t->node[c].count);
        record_items_begin(record, c, &it);
        while ((r = record_items_next(&it, &tape, &node, err)) > 0) {
            buf_add_slice(out, json_raw(tape, node));
            buf_add_char(out, ';');
        }
        if (r < 0)
            return r;
        buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
    return 0;
}

/* Reads all of fd and closes it. Each record becomes a line; a bad one "bad N line L: words". */
static int read_all(int fd, const struct record_reader_options *options, struct buf *out, unsigned *streamed_r)
{
    struct record_reader *reader;
    const struct record *record;
    struct err err;
    int r = record_reader_new(fd, options, &reader, &err);
    unsigned calls = 0;

    *streamed_r = 0;
    while (r == 0 && (r = record_reader_next(reader, &record, &err)) != 0) {
        if (++calls > 100000)
            fail_msg("it does not end");
        if (r > 0) {
            *streamed_r += record->streamed;
            buf_printf(out, "%u line %u: ", (unsigned)record->number, (unsigned)record->line);
            r = describe(record, out, &err);
            if (r < 0)
                break;
            buf_add_char(out, '\n');
        } else if (r == ERR_DATA || r == ERR_LIMIT) {
            uint64_t number, line, offset;
            record_reader_place(reader, &number, &line, &offset);
            buf_printf(out, "bad %u line %u: %s\n", (unsigned)number, (unsigned)line, err.text);
            r = 0;
        } else {
            break;
        }
    }
    if (r == 0 && record_reader_next(reader, &record, &err) != 0)
        fail_msg("after the end there is more");
    record_reader_free(&reader);
    close(fd);
    return r;
}

static const char *read_text(int fd, const struct record_reader_options *options, struct buf *out)
{
    unsigned streamed;
    buf_clear(out);
    assert_int_equal(read_all(fd, options, out, &streamed), 0);
    return buf_text(out);
}

/* --- forms --- */

static const struct {
    const char *name;
    const char *text;
    const char *read;
} forms[] = {
    { "empty", "", "" },
    { "blank", " \n\r\n\t", "" },
    { "lines", "{\"a\":1}\n{\"b\":[1,2]}\n", "1 line 1: {a=1}\n2 line 2: {b=2[1;2;]}\n" },
    { "no last line end", "{\"a\":1}\n{\"a\":2}", "1 line 1: {a=1}\n2 line 2: {a=2}\n" },
    { "CR LF, empty lines", "{\"a\":1}\r\n\r\n\n{\"a\":2}\r\n", "1 line 1: {a=1}\n2 line 4: {a=2}\n" },
    { "byte order mark", "\xef\xbb\xbf{\"a\":1}\n", "1 line 1: {a=1}\n" },
    { "one behind the other", "{\"a\":1}{\"a\":2} {\"a\":3}", "1 line 1: {a=1}\n2 line 1: {a=2}\n3 line 1: {a=3}\n" },
    { "several lines", "{\n  \"a\": [\n    {\"b\": 1\n    }\n  ],\n  \"c\": 2\n}\n{\n  \"a\": 1\n}\n",
      "1 line 1: {a=1[{\"b\": 1\n    };] c=2}\n2 line 8: {a=1}\n" },
    { "array", "[{\"a\":1},{\"a\":2}]", "1 line 1: {a=1}\n2 line 1: {a=2}\n" },
    { "array over lines", "[\n  {\"a\": 1},\n  {\n    \"a\": 2\n  }\n]\n", "1 line 2: {a=1}\n2 line 3: {a=2}\n" },
    { "empty array", "[]\n[ ]", "" },
    { "array, then lines", "[{\"a\":1}]\n{\"a\":2}\n", "1 line 1: {a=1}\n2 line 2: {a=2}\n" },
    { "empty record", "{}\n", "1 line 1: }\n" },
    { "garbage", "hello\n{\"a\":1}\n",
      "bad 1 line 1: record 1: line 1, column 1 (byte 0): expected a record, which begins with '{', found 'h'\n2 line 2: {a=1}\n" },
    { "two lines of garbage", "hello\nworld\n{\"a\":1}\n",
      "bad 1 line 1: record 1: line 1, column 1 (byte 0): expected a record, which begins with '{', found 'h'\n"
      "bad 2 line 2: record 2: line 2, column 1 (byte 6): expected a record, which begins with '{', found 'w'\n3 line 3: {a=1}\n" },
    { "a number", "12\n{\"a\":1}\n",
      "bad 1 line 1: record 1: line 1, column 1 (byte 0): expected a record, which begins with '{', found '1'\n2 line 2: {a=1}\n" },
    { "bad line", "{\"a\":1}\n{\"a\":x}\n{\"a\":3}\n",
      "1 line 1: {a=1}\nbad 2 line 2: record 2: line 2, column 6 (byte 13): expected a value, found 'x'\n3 line 3: {a=3}\n" },
    { "line without end", "{\"a\":[1\n{\"a\":2}\n{\"a\":3}\n",
      "bad 1 line 1: record 1: line 2, column 1 (byte 8): expected ',' or ']', found '{'\n2 line 2: {a=2}\n3 line 3: {a=3}\n" },
    { "line without value", "{\"a\":\n{\"a\":2}\n{\"a\":3}\n",
      "bad 1 line 1: record 1: line 3, column 1 (byte 14): expected ',' or '}', found '{'\n2 line 2: {a=2}\n3 line 3: {a=3}\n" },
    { "string without end", "{\"a\":\"b\n{\"a\":2}\n",
      "bad 1 line 1: record 1: line 1, column 8 (byte 7): expected a string without control characters, its end or an escape such "
      "as \\n, found the end of the line\n2 line 2: {a=2}\n" },
    { "cut", "{\"a\":1}\n{\"a\":", "1 line 1: {a=1}\nbad 2 line 2: record 2: line 2, column 6 (byte 13): expected a value, found the end of the text\n" },
    { "cut string", "{\"a\":1}\n{\"a\":\"b", "1 line 1: {a=1}\nbad 2 line 2: record 2: line 2, column 8 (byte 15): the text ends inside a string\n" },
    { "bad over lines", "{\n  \"a\": 1\n  \"b\": {\n  }\n}\n{\n  \"a\": 2\n}\n",
      "bad 1 line 1: record 1: line 3, column 3 (byte 13): expected ',' or '}', found '\"'\n2 line 6: {a=2}\n" },
    { "bad in array", "[{\"a\":x},\n{\"a\":2},\n{\"a\":}\n,{\"a\":4}]\n",
      "bad 1 line 1: record 1: line 1, column 7 (byte 6): expected a value, found 'x'\n2 line 2: {a=2}\n"
      "bad 3 line 3: record 3: line 3, column 6 (byte 24): expected a value, found '}'\n4 line 4: {a=4}\n" },
    { "bad in indented array", "[\n  {\n    \"a\": {\n      \"b\": x\n    }\n  },\n  {\n    \"a\": 2\n  }\n]\n{\"a\":3}\n",
      "bad 1 line 2: record 1: line 4, column 12 (byte 28): expected a value, found 'x'\n2 line 7: {a=2}\n3 line 11: {a=3}\n" },
    { "bad, next on its last line", "[\n  {\n    \"a\": x\n  }, {\n    \"a\": 2\n  }\n]\n",
      "bad 1 line 2: record 1: line 3, column 10 (byte 15): expected a value, found 'x'\n2 line 4: {a=2}\n" },
    { "last bad in array", "[\n  {\"a\":1},\n  {\"a\":x}\n]\n{\"a\":3}\n",
      "1 line 2: {a=1}\nbad 2 line 3: record 2: line 3, column 8 (byte 20): expected a value, found 'x'\n3 line 5: {a=3}\n" },
    { "array without comma", "[{\"a\":1} {\"a\":2}]\n{\"a\":3}\n",
      "1 line 1: {a=1}\nbad 2 line 1: record 2: line 1, column 10 (byte 9): expected ',' or ']' behind a record, found '{'\n3 line 2: {a=3}\n" },
    { "array with comma at its end", "[{\"a\":1},]\n",
      "1 line 1: {a=1}\nbad 2 line 1: record 2: line 1, column 10 (byte 9): expected a record, which begins with '{', found ']'\n" },
    { "array without end", "[{\"a\":1},{\"a\":2}\n",
      "1 line 1: {a=1}\n2 line 1: {a=2}\nbad 3 line 2: record 3: line 2, column 1 (byte 17): expected ']' at the end of the array, found the end of the input\n" },
    { "array in array", "[[{\"a\":1}]]\n",
      "bad 1 line 1: record 1: line 1, column 2 (byte 1): expected a record, which begins with '{', found '['\n" },
    { "comma outside", "{\"a\":1},\n{\"a\":2}\n",
      "1 line 1: {a=1}\nbad 2 line 1: record 2: line 1, column 8 (byte 7): expected a record, which begins with '{', found ','\n3 line 2: {a=2}\n" },
};

enum { FORMS = sizeof(forms) / sizeof(forms[0]) };

static void test_forms(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, CEILING);
    for (unsigned i = 0; i < FORMS; i++) {
        const char *read = read_text(file_of(slice_of(forms[i].text)), NULL, &out);
        if (strcmp(read, forms[i].read) != 0)
            fail_msg("%s:\n%s", forms[i].name, read);
    }
    buf_deinit(&out);
}

static void test_every_split(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, CEILING);
    for (unsigned i = 0; i < FORMS; i++) {
        struct slice text = slice_of(forms[i].text);
        for (size_t split = 0; split <= text.n; split++) {
            const char *read = read_text(stream_of(text, split, text.n), NULL, &out);
            if (strcmp(read, forms[i].read) != 0)
                fail_msg("%s, split at %zu:\n%s", forms[i].name, split, read);
        }
        for (size_t n = 1; n < 8; n++) {
            const char *read = read_text(stream_of(text, n, n), NULL, &out);
            if (strcmp(read, forms[i].read) != 0)
                fail_msg("%s, by %zu:\n%s", forms[i].name, n, read);
        }
    }
    buf_deinit(&out);
}

/* A window of 64 bytes over all forms together, moved byte by byte. */
static void test_small_window(void **state)
{
    struct record_reader_options options = { .chunk = 64 };
    struct buf text, expected, out;

    (void)state;
    buf_init(&text, CEILING);
    buf_init(&expected, CEILING);
    buf_init(&out, CEILING);
    for (unsigned shift = 0; shift < 64; shift++) {
        buf_clear(&text);
        for (unsigned i = 0; i < shift; i++)
            buf_add_char(&text, ' ');
        for (unsigned i = 0; i < 200; i++)
            buf_printf(&text, "{\"number\":\"%u\",\"lines\":[{\"a\":\"%0*u\"}]%s}%s", i, (int)(i % 90), i, i % 7 ? "" : ",,",
                       i % 5 ? "\n" : "\n\n");
        read_text(file_of(buf_slice(&text)), NULL, &expected);
        assert_string_equal(read_text(file_of(buf_slice(&text)), &options, &out), buf_text(&expected));
    }
    buf_deinit(&text);
    buf_deinit(&expected);
    buf_deinit(&out);
}

/* Records that stay: each is what it was when it was read, after the reader has gone on, and their memory serves again. */
static void test_records_that_are_kept(void **state)
{
    enum { KEPT = 7 };
    struct record_kept kept[KEPT] = { 0 };
    struct record_reader_options options = { .chunk = 64 };
    struct buf text, expected[KEPT], out;
    struct record_reader *reader;
    const struct record *record;
    struct err err;
    unsigned n = 0;
    int fd, r;

    (void)state;
    buf_init(&text, CEILING);
    buf_init(&out, CEILING);
    for (unsigned i = 0; i < KEPT; i++)
        buf_init(&expected[i], CEILING);
    for (unsigned i = 0; i < 100; i++)
        buf_printf(&text, "%s{\"number\":\"%u\",\"lines\":[{\"a\":\"%0*u\"}]}", i % 3 ? "\n" : "", i, (int)(i * 7 % 90), i);
    fd = file_of(buf_slice(&text));
    assert_int_equal(record_reader_new(fd, &options, &reader, &err), 0);
    while ((r = record_reader_next(reader, &record, &err)) > 0) {
        unsigned i = n++ % KEPT;
        uint64_t line = record->line, number = record->number;
        buf_clear(&expected[i]);
        assert_int_equal(describe(record, &expected[i], &err), 0);
        assert_int_equal(record_reader_keep(reader, &kept[i], &err), 0);
        assert_int_equal(kept[i].record.line, line);
        assert_int_equal(kept[i].record.number, number);
        for (unsigned k = 0; k < KEPT && k < n; k++) {
            buf_clear(&out);
            assert_int_equal(describe(&kept[k].record, &out, &err), 0);
            assert_string_equal(buf_text(&out), buf_text(&expected[k]));
        }
    }
    assert_int_equal(r, 0);
    assert_int_equal(n, 100);
    record_reader_free(&reader);
    close(fd);
    for (unsigned i = 0; i < KEPT; i++) {
        record_kept_deinit(&kept[i]);
        buf_deinit(&expected[i]);
    }
    buf_deinit(&text);
    buf_deinit(&out);
}

static void test_starts_where_the_descriptor_stands(void **state)
{
    struct record_reader_options options = { .memory = 256, .small = 64, .chunk = 64 };
    struct buf text, out;
    unsigned streamed;
    int fd;

    (void)state;
    buf_init(&text, CEILING);
    buf_init(&out, CEILING);
    buf_add_text(&text, "not ours\n{\"a\":[0");
    for (unsigned i = 1; i < 200; i++)
        buf_printf(&text, ",%u", i);
    buf_add_text(&text, "]}\n");
    fd = file_of(buf_slice(&text));
    assert_int_equal(lseek(fd, 9, SEEK_SET), 9);
    assert_int_equal(read_all(fd, &options, &out, &streamed), 0);
    assert_int_equal(streamed, 1);
    assert_non_null(strstr(buf_text(&out), "1 line 1: {a=200[0;1;2;"));
    assert_non_null(strstr(buf_text(&out), ";198;199;]}"));
    buf_deinit(&text);
    buf_deinit(&out);
}

/* A record that is ready must be handed out although the writer goes on holding the pipe. */
static void test_does_not_wait_for_more(void **state)
{
    struct record_reader *reader;
    const struct record *record;
    struct err err;
    int fd[2];

    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(record_reader_new(fd[0], NULL, &reader, &err), 0);
    for (unsigned i = 0; i < 3; i++) {
        static const char first[] = "{\"a\":[1,\n2,{\"b\":\"a long value that makes", rest[] = " half of it\"}]\n}\n";
        assert_int_equal(write(fd[1], first, sizeof(first) - 1), sizeof(first) - 1);
        assert_int_equal(write(fd[1], rest, sizeof(rest) - 1), sizeof(rest) - 1);
        assert_int_equal(record_reader_next(reader, &record, &err), 1);
        assert_int_equal(record->line, 1 + 3 * i);
    }
    close(fd[1]);
    assert_int_equal(record_reader_next(reader, &record, &err), 0);
    record_reader_free(&reader);
    close(fd[0]);
}

/* --- large records --- */

/* Arrays of every size among scalars, in an order that is nobody's. */
static void large_record(struct buf *b, unsigned items)
{
    buf_add_text(b, "{\"tail\":\"x\\\"]}\",\"lines\":[");
    for (unsigned i = 0; i < items; i++)
        buf_printf(b, "%s{\"quantity\":\"%u\",\"text\":\"[{,]}\\\\ %0*u\",\"lines\":[{\"quantity\":\"1\"},[]]}", i ? "," : "", i,
                   (int)(i % 50), i);
    buf_add_text(b, "],\"record\":\"order\",\"few\":[1,2,3],\"numbers\":[");
    for (unsigned i = 0; i < items * 4; i++)
        buf_printf(b, "%s%u", i ? ", " : " ", i);
    buf_add_text(b, "],\"none\":[],\"words\":[");
    for (unsigned i = 0; i < items * 2; i++)
        buf_printf(b, "%s\"w\\n%u\"", i ? " ,\n" : "", i);
    buf_add_text(b, " ] , \"object\":{\"a\":[1,{\"b\":2}]},\"number\":\"4711\"}\n");
}

static void test_large_as_small(void **state)
{
    struct buf text, expected, out;

    (void)state;
    buf_init(&text, CEILING);
    buf_init(&expected, CEILING);
    buf_init(&out, CEILING);
    for (unsigned items = 10; items < 3000; items *= 5) {
        unsigned streamed;
        buf_clear(&text);
        buf_clear(&expected);
        for (unsigned i = 0; i < 3; i++) {
            buf_add_text(&text, "{\"small\":1}\n");
            large_record(&text, items + i);
        }
        assert_int_equal(read_all(file_of(buf_slice(&text)), NULL, &expected, &streamed), 0);
        assert_int_equal(streamed, 0);
        for (unsigned i = 0; i < 12; i++) {
            struct record_reader_options options = { .memory = 512, .small = i % 2 ? 1 : 256, .chunk = i % 3 ? 64 : 500,
                                                     .copy = i % 4 < 2, .item = 512 };
            buf_clear(&out);
            assert_int_equal(read_all(i < 8 || text.n > 50000 ? file_of(buf_slice(&text)) : pipe_of(buf_slice(&text)),
                                      &options, &out, &streamed),
                             0);
            assert_int_equal(streamed, 3);
            if (strcmp(buf_text(&out), buf_text(&expected)) != 0)
                fail_msg("%u items, options %u:\n%.2000s\n%.2000s", items, i, buf_text(&out), buf_text(&expected));
        }
    }
    buf_deinit(&text);
    buf_deinit(&expected);
    buf_deinit(&out);
}

static void test_many_nodes_are_large_too(void **state)
{
    struct record_reader_options options = { .memory = 20000 };
    struct buf text, out;
    unsigned streamed;

    (void)state;
    buf_init(&text, CEILING);
    buf_init(&out, CEILING);
    buf_add_text(&text, "{\"a\":[0");
    for (unsigned i = 0; i < 9000; i++)
        buf_add_text(&text, ",1");
    buf_add_text(&text, "]}\n{\"b\":1}\n");
    options.small = 100;
    assert_int_equal(read_all(file_of(buf_slice(&text)), &options, &out, &streamed), 0);
    assert_int_equal(streamed, 1);
    assert_non_null(strstr(buf_text(&out), "1 line 1: {a=9001[0;1;"));
    assert_non_null(strstr(buf_text(&out), "\n2 line 2: {b=1}\n"));
    buf_deinit(&text);
    buf_deinit(&out);
}

/* Two passes, two arrays at a time, and a pass that is given up. */
static void test_passes(void **state)
{
    struct record_reader_options options = { .memory = 512, .small = 100, .chunk = 64, .copy = true };
    struct record_reader *reader;
    const struct record *record;
    const struct json_tape *tape;
    struct record_items lines, numbers;
    struct buf text;
    struct err err;
    uint32_t lines_node, numbers_node, node;
    uint64_t place[100];
    char number[20];
    int fd;

    (void)state;
    buf_init(&text, CEILING);
    large_record(&text, 100);
    fd = file_of(buf_slice(&text));
    assert_int_equal(record_reader_new(fd, &options, &reader, &err), 0);
    assert_int_equal(record_reader_next(reader, &record, &err), 1);
    lines_node = json_member(record->tape, 0, SLICE("lines"));
    numbers_node = json_member(record->tape, 0, SLICE("numbers"));
    assert_int_equal(record->tape->node[lines_node].type, JSON_STREAMED);
    assert_int_equal(record->tape->node[lines_node].count, 100);
    assert_int_equal(record->size, text.n - 1);
    for (unsigned pass = 0; pass < 3; pass++) {
        record_items_begin(record, lines_node, &lines);
        for (unsigned i = 0; i < (pass == 1 ? 7 : 100); i++) {
            assert_int_equal(record_items_next(&lines, &tape, &node, &err), 1);
            snprintf(number, sizeof(number), "%u", i);
            assert_true(slice_is(json_raw(tape, json_member(tape, node, SLICE("quantity"))), number));
        }
        if (pass != 1) {
            assert_int_equal(record_items_next(&lines, &tape, &node, &err), 0);
            assert_int_equal(record_items_next(&lines, &tape, &node, &err), 0);
        }
    }
    record_items_begin(record, lines_node, &lines);
    record_items_begin(record, numbers_node, &numbers);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(number, sizeof(number), "%u", i);
        assert_int_equal(record_items_next(&lines, &tape, &node, &err), 1);
        assert_true(slice_is(json_raw(tape, json_member(tape, node, SLICE("quantity"))), number));
        assert_int_equal(record_items_next(&numbers, &tape, &node, &err), 1);
        assert_true(slice_is(json_raw(tape, node), number));
    }
    /* going to items, a few further on, and back */
    record_items_begin(record, lines_node, &lines);
    for (unsigned i = 0; i < 100; i++) {
        place[i] = record_items_place(&lines);
        assert_int_equal(record_items_next(&lines, &tape, &node, &err), 1);
    }
    for (unsigned step = 1; step < 100; step += 7) {
        for (unsigned i = step; i > 0; i = (i + step) % 100) {
            snprintf(number, sizeof(number), "%u", i);
            record_items_go(&lines, place[i]);
            assert_int_equal(record_items_next(&lines, &tape, &node, &err), 1);
            assert_true(slice_is(json_raw(tape, json_member(tape, node, SLICE("quantity"))), number));
        }
    }
    record_reader_free(&reader);
    close(fd);
    buf_deinit(&text);
}

static void test_bad_large_records(void **state)
{
    static const struct {
        const char *end;            /* of the record, behind an item */
        const char *words;
        unsigned good;              /* of the two records that follow */
    } rows[] = {
        { "\n", "expected ',' or ']', found '{'", 2 },
        { ",\n", "expected ',' or ']', found '{'", 1 },
        { "]\n", "expected ',' or '}', found '{'", 2 },
        { "],\n", "expected a key in quotes, found '{'", 2 },
        { "],\"x\"\n", "expected ':' behind the key, found '{'", 2 },
        { ",{\"a\":\"b\n", "expected a string without control characters", 2 },
        { "}\n", "expected ',' or ']', found '}'", 2 },
        { ",x]}\n", "expected a value, found 'x'", 2 },
        { "],\"x\":tru}\n", "expected true, false or null, found '}'", 2 },
        { "],\"\xff\":1}\n", "expected text in UTF-8", 2 },
    };
    struct buf text, out;

    (void)state;
    buf_init(&text, CEILING);
    buf_init(&out, CEILING);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned copy = 0; copy < 2; copy++) {
            struct record_reader_options options = { .memory = 512, .small = 100, .chunk = 64, .copy = copy };
            const char *read;
            buf_clear(&text);
            buf_add_text(&text, "{\"lines\":[1");
            for (unsigned k = 0; k < 500; k++)
                buf_printf(&text, ",{\"a\":%u}", k);
            buf_add_text(&text, rows[i].end);
            buf_add_text(&text, "{\"a\":1}\n{\"a\":2}\n");
            read = read_text(file_of(buf_slice(&text)), &options, &out);
            if (strncmp(read, "bad 1 line 1: record 1: line ", 29) != 0 || !strstr(read, rows[i].words) ||
                !strstr(read, "{a=2}\n") || (rows[i].good == 2 && !strstr(read, "{a=1}\n")))
                fail_msg("%s: %s", rows[i].end, read);
        }
    }
    buf_deinit(&text);
    buf_deinit(&out);
}

static void test_limits(void **state)
{
    static const struct {
        const char *key;
        unsigned repeat;
        struct record_reader_options options;
        const char *words;
    } rows[] = {
        { "\"a\":[1,\"%*u\"]", 3000, { .memory = 512, .small = 100, .item = 1000, .chunk = 64 }, "line 1: an item is larger than 1000 bytes" },
        { "\"a\":\"%*u\"", 3000, { .memory = 512, .small = 100, .item = 1000, .chunk = 64 }, "a value that is not an array is larger than 512 bytes" },
        { "\"a\":\"%*u\",\"b\":\"and some more, so that all of it does not fit the first window, but this value alone does\"", 950,
          { .memory = 512, .small = 100, .item = 1000, .chunk = 1024 }, "what is not in arrays is larger than 512 bytes" },
        { "\"%*u\":1", 3000, { .memory = 512, .small = 100, .item = 1000, .chunk = 64 }, "a key is larger than 512 bytes" },
        { "\"a\":[1,\"%*u\"]", 3000, { .memory = 512, .small = 100, .item = 9000, .file = 2000, .chunk = 64 }, "the record is larger than 2000 bytes" },
    };
    struct buf text, out;

    (void)state;
    buf_init(&text, CEILING);
    buf_init(&out, CEILING);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *read;
        char member[5000];
        snprintf(member, sizeof(member), "%.*s%0*u%s", (int)(strstr(rows[i].key, "%*u") - rows[i].key), rows[i].key,
                 (int)rows[i].repeat, 7u, strstr(rows[i].key, "%*u") + 3);
        buf_clear(&text);
        buf_printf(&text, "{\"first\":1,%s,\"last\":2}\n{\"a\":2}\n", member);
        read = read_text(file_of(buf_slice(&text)), &rows[i].options, &out);
        if (!strstr(read, rows[i].words) || !strstr(read, "\n2 line 2: {a=2}\n"))
            fail_msg("%u: %s", i, read);
    }
    buf_deinit(&text);
    buf_deinit(&out);
}

/* Cut anywhere, a record is bad, and said to be. */
static void test_every_truncation(void **state)
{
    struct record_reader_options options[2] = { { .memory = 0 }, { .memory = 300, .small = 50, .chunk = 64, .copy = true } };
    struct buf text, out;

    (void)state;
    buf_init(&text, CEILING);
    buf_init(&out, CEILING);
    large_record(&text, 8);
    for (unsigned i = 0; i < 2; i++) {
        for (size_t n = 1; n < text.n - 1; n++) {
            const char *read = read_text(file_of(slice(text.p, n)), &options[i], &out);
            if (strncmp(read, "bad 1 line 1: record 1: line ", 29) != 0)
                fail_msg("cut at %zu: %s", n, read);
        }
        assert_int_equal(strncmp(read_text(file_of(slice(text.p, text.n - 1)), &options[i], &out), "1 line 1: ", 10), 0);
    }
    buf_deinit(&text);
    buf_deinit(&out);
}

/* --- what the operating system refuses --- */

static void test_descriptor_that_cannot_be_read(void **state)
{
    struct record_reader *reader;
    const struct record *record;
    struct err err;
    int fd = open("/tmp", O_RDONLY | O_DIRECTORY);

    (void)state;
    assert_int_equal(record_reader_new(fd, NULL, &reader, &err), 0);
    assert_int_equal(record_reader_next(reader, &record, &err), ERR_IO);
    assert_non_null(strstr(err.text, "records cannot be read: "));
    assert_int_equal(record_reader_next(reader, &record, &err), ERR_IO);
    record_reader_free(&reader);
    close(fd);
}

static void test_no_place_for_the_temporary_file(void **state)
{
    struct record_reader_options options = { .memory = 512, .small = 100, .chunk = 64, .copy = true,
                                             .directory = "/nonexistent" };
    struct buf text, out;
    unsigned streamed;

    (void)state;
    buf_init(&text, CEILING);
    buf_init(&out, CEILING);
    large_record(&text, 100);
    assert_int_equal(read_all(file_of(buf_slice(&text)), &options, &out, &streamed), ERR_IO);
    options.temporary = open("/dev/full", O_RDWR);
    assert_int_equal(read_all(file_of(buf_slice(&text)), &options, &out, &streamed), ERR_IO);
    close(options.temporary);
    options.temporary = file_of(SLICE("what was in it"));
    assert_int_equal(read_all(file_of(buf_slice(&text)), &options, &out, &streamed), 0);
    assert_int_equal(streamed, 1);
    close(options.temporary);
    buf_deinit(&text);
    buf_deinit(&out);
}

static void test_file_that_becomes_shorter(void **state)
{
    struct record_reader_options options = { .memory = 512, .small = 100, .chunk = 64 };
    struct record_reader *reader;
    const struct record *record;
    const struct json_tape *tape;
    struct record_items it;
    struct buf text;
    struct err err;
    uint32_t node;
    int fd, r;

    (void)state;
    buf_init(&text, CEILING);
    large_record(&text, 100);
    fd = file_of(buf_slice(&text));
    assert_int_equal(record_reader_new(fd, &options, &reader, &err), 0);
    assert_int_equal(record_reader_next(reader, &record, &err), 1);
    assert_int_equal(ftruncate(fd, 3000), 0);
    record_items_begin(record, json_member(record->tape, 0, SLICE("lines")), &it);
    while ((r = record_items_next(&it, &tape, &node, &err)) > 0)
        ;
    assert_int_equal(r, ERR_IO);
    assert_int_equal(pwrite(fd, "]]]]]]]]", 8, 1500), 8);
    record_items_begin(record, json_member(record->tape, 0, SLICE("lines")), &it);
    while ((r = record_items_next(&it, &tape, &node, &err)) > 0)
        ;
    assert_int_equal(r, ERR_IO);
    record_reader_free(&reader);
    close(fd);
    buf_deinit(&text);
}

/* --- the check of whole records --- */

static int gather(void *context, const struct record_finding *finding)
{
    record_finding_text(finding, context);
    buf_add_char(context, '\n');
    return 0;
}

static void test_check_of_streamed_items(void **state)
{
    static const char schema[] =
        "{\"type\":\"object\",\"required\":[\"record\",\"gone\"],\"additionalProperties\":false,\"properties\":{"
        "\"record\":{\"type\":\"string\",\"const\":\"order\"},\"version\":{\"type\":\"integer\",\"const\":1},"
        "\"gone\":{\"type\":\"string\"},"
        "\"lines\":{\"type\":\"array\",\"maxItems\":100,\"items\":{\"type\":\"object\",\"additionalProperties\":false,"
        "\"properties\":{\"quantity\":{\"type\":\"string\",\"format\":\"decimal\"}}}}}}";
    struct record_reader_options options = { .memory = 512, .small = 100, .chunk = 64 };
    struct record_kind *kind;
    struct complaints c;
    struct buf text, expected, out;
    struct err err;

    (void)state;
    complaints_init(&c);
    assert_int_equal(record_kind_new(&kind, SLICE("x"), slice_of(schema), &c), 0);
    buf_init(&text, CEILING);
    buf_init(&expected, CEILING);
    buf_init(&out, CEILING);
    buf_add_text(&text, "{\"record\":\"order\",\"lines\":[{\"quantity\":\"1\"}");
    for (unsigned i = 1; i < 300; i++)
        buf_printf(&text, ",{\"%s\":\"%s\"}", i == 250 ? "quantiy" : "quantity", i % 100 == 17 ? "ten" : "2");
    buf_add_text(&text, "]}\n");
    for (unsigned large = 0; large < 2; large++) {
        struct buf *to = large ? &out : &expected;
        struct record_reader *reader;
        const struct record *record;
        int fd = file_of(buf_slice(&text));
        assert_int_equal(record_reader_new(fd, large ? &options : NULL, &reader, &err), 0);
        assert_int_equal(record_reader_next(reader, &record, &err), 1);
        assert_int_equal(record->streamed, large);
        assert_int_equal(record_check_whole(kind, record, gather, to, &err), 6);
        record_reader_free(&reader);
        close(fd);
    }
    assert_non_null(strstr(buf_text(&out), "\nlines[217].quantity: \"ten\" is not a decimal, expected"));
    assert_non_null(strstr(buf_text(&out), "lines[250].quantiy: the record has no field of this name"));
    assert_non_null(strstr(buf_text(&out), "lines: has too few or too many items, expected at most 100 items, not 300"));
    assert_non_null(strstr(buf_text(&out), "gone: missing"));
    assert_int_equal(out.n, expected.n);
    record_kind_free(&kind);
    complaints_deinit(&c);
    buf_deinit(&text);
    buf_deinit(&expected);
    buf_deinit(&out);
}

/* --- memory --- */

static struct slice memory_text;

static int read_with_little(void *arg)
{
    struct record_reader_options options = { .memory = 512, .small = 100, .chunk = 64, .copy = true };
    struct record_reader *reader;
    const struct record *record;
    struct err err;
    int fd = *(int *)arg, r;

    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    r = record_reader_new(fd, &options, &reader, &err);
    while (r == 0 && (r = record_reader_next(reader, &record, &err)) > 0) {
        for (uint32_t c = json_first(0); r >= 0 && c < json_end(record->tape, 0); c = json_next(record->tape, c)) {
            const struct json_tape *tape;
            struct record_items it;
            uint32_t node;
            if (record->tape->node[c].type != JSON_STREAMED)
                continue;
            record_items_begin(record, c, &it);
            while ((r = record_items_next(&it, &tape, &node, &err)) > 0)
                ;
        }
        r = r < 0 ? r : 0;
    }
    record_reader_free(&reader);
    return r;
}

static void test_no_memory(void **state)
{
    struct buf text;
    int fd;

    (void)state;
    buf_init(&text, CEILING);
    buf_add_text(&text, "{\"a\":\"a record that is small, but larger than the first window of all\"}\n");
    large_record(&text, 30);
    memory_text = buf_slice(&text);
    fd = file_of(memory_text);
    assert_true(fail_each_allocation(read_with_little, &fd) >= 8);
    close(fd);
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_small_window),
        cmocka_unit_test(test_records_that_are_kept),
        cmocka_unit_test(test_starts_where_the_descriptor_stands),
        cmocka_unit_test(test_does_not_wait_for_more),
        cmocka_unit_test(test_large_as_small),
        cmocka_unit_test(test_many_nodes_are_large_too),
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_bad_large_records),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_descriptor_that_cannot_be_read),
        cmocka_unit_test(test_no_place_for_the_temporary_file),
        cmocka_unit_test(test_file_that_becomes_shorter),
        cmocka_unit_test(test_check_of_streamed_items),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
