/*
 * fuzz_record: the JSON reader, the reader of schemas, records held against a kind, and records read as a stream.
 *
 * The first byte says what the rest is: an even one a text that is parsed on all paths, which must agree, and held
 * against a kind; an odd one an input of records, read once with and once without room for them, which must give
 * the same number of records; 's' a schema.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char schema[] =
    "{\"type\":\"object\",\"required\":[\"record\",\"lines\"],\"additionalProperties\":false,\"properties\":{"
    "\"record\":{\"type\":\"string\",\"const\":\"order\"},\"version\":{\"type\":\"integer\",\"const\":1},"
    "\"on\":{\"type\":\"string\",\"format\":\"date\"},\"at\":{\"type\":\"string\",\"format\":\"time\"},"
    "\"ship_at\":{\"type\":\"string\",\"format\":\"partial-datetime\"},\"test\":{\"type\":\"boolean\"},"
    "\"purpose\":{\"type\":\"string\",\"enum\":[\"original\",\"change\"]},\"any\":true,"
    "\"notes\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":3}},"
    "\"unmapped\":{\"type\":\"object\"},\"lines\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/line\"}}},"
    "\"$defs\":{\"line\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"quantity\"],\"properties\":{"
    "\"quantity\":{\"type\":\"string\",\"format\":\"decimal\"},\"lines\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/line\"}}}}}}";

static void require(bool right)
{
    if (!right)
        abort();
}

static int look(void *context, const struct record_finding *finding)
{
    struct buf b;

    (void)context;
    buf_init(&b, 1 << 20);
    record_finding_text(finding, &b);
    require(utf8_length(buf_slice(&b)) > 0);
    buf_deinit(&b);
    return 0;
}

static void fuzz_text(const struct record_kind *kind, struct slice text)
{
    static const enum json_path paths[] = { JSON_SSE2, JSON_AVX2, JSON_NEON };
    struct json_tape plain, other;
    struct arena arena;
    struct slice s;
    int r;

    json_tape_init(&plain, 1 << 24);
    (void)json_tape_path(&plain, JSON_PLAIN);
    r = json_parse(&plain, text, NULL);
    for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        json_tape_init(&other, 1 << 24);
        if (json_tape_path(&other, paths[i])) {
            require(json_parse(&other, text, NULL) == r);
            require(other.n == plain.n && other.error_at == plain.error_at && other.incomplete == plain.incomplete);
            require(plain.n == 0 || memcmp(other.node, plain.node, plain.n * sizeof(*plain.node)) == 0);
        }
        json_tape_deinit(&other);
    }
    if (r == 0) {
        arena_init(&arena, 1 << 24);
        for (uint32_t i = 0; i < plain.n; i++) {
            if (plain.node[i].type == JSON_STRING)
                require(json_string(&plain, i, &arena, &s) == 0);
            while (plain.node[i].type == JSON_STRING && s.n) {
                unsigned length = utf8_length(s);
                require(length > 0 && *s.p != 0);
                s = slice_from(s, length);
            }
        }
        arena_deinit(&arena);
        record_check(kind, &plain, 0, look, NULL);
    }
    json_tape_deinit(&plain);
}

/* Returns how many records there were, and in *bytes_r how large their items are together. */
static unsigned read_records(const struct record_kind *kind, int fd, const struct record_reader_options *options,
                             size_t *bytes_r, unsigned *bad_r)
{
    struct record_reader *reader;
    const struct record *record;
    struct record_kept kept = { 0 };
    unsigned n = 0;
    int r;

    *bytes_r = *bad_r = 0;
    lseek(fd, 0, SEEK_SET);
    require(record_reader_new(fd, options, &reader, NULL) == 0);
    while ((r = record_reader_next(reader, &record, NULL)) != 0) {
        require(r == 1 || r == ERR_DATA || r == ERR_LIMIT);
        *bad_r += r < 0;
        if (r < 0)
            continue;
        n++;
        for (uint32_t c = json_first(0); c < json_end(record->tape, 0); c = json_next(record->tape, c)) {
            const struct json_tape *tape;
            struct record_items it;
            uint32_t node;
            if (record->tape->node[c].type != JSON_ARRAY && record->tape->node[c].type != JSON_STREAMED)
                continue;
            record_items_begin(record, c, &it);
            while ((r = record_items_next(&it, &tape, &node, NULL)) > 0)
                *bytes_r += tape->node[node].n;
            require(r == 0);
        }
        r = record_check_whole(kind, record, look, NULL, NULL);
        require(r >= 0);
        if (!record->streamed) { /* taken over it is the same */
            uint32_t nodes = record->tape->n;
            require(record_reader_keep(reader, &kept, NULL) == 0);
            require(kept.tape.n == nodes && record_check_whole(kind, &kept.record, look, NULL, NULL) == r);
        }
    }
    record_kept_deinit(&kept);
    record_reader_free(&reader);
    return n;
}

static void fuzz_stream(const struct record_kind *kind, struct slice text)
{
    struct record_reader_options small = { .memory = 256, .small = 32, .item = 1 << 20, .chunk = 64 };
    unsigned large_n, small_n, large_bad, small_bad;
    size_t large_bytes, small_bytes;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    require(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
    large_n = read_records(kind, fd, NULL, &large_bytes, &large_bad);
    small_n = read_records(kind, fd, &small, &small_bytes, &small_bad);
    /* where a record is bad, or too large for so little room, they may go on in different places */
    if (large_bad == 0 && small_bad == 0)
        require(large_n == small_n && large_bytes == small_bytes);
    require(large_bad == 0 || small_bad > 0);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct record_kind *kind;
    struct complaints c;
    struct slice text;

    if (n == 0)
        return 0;
    text = slice((const char *)data + 1, n - 1);
    complaints_init(&c);
    if (*data == 's') {
        (void)record_kind_new(&kind, SLICE("fuzz"), text, &c);
        for (unsigned i = 0; kind && i < kind->root->n; i++)
            require(record_field_find(kind->root, kind->root->field[i].name) == (int)i);
        record_kind_free(&kind);
    } else {
        require(record_kind_new(&kind, SLICE("fuzz"), slice_of(schema), &c) == 0);
        if (*data % 2)
            fuzz_stream(kind, text);
        else
            fuzz_text(kind, text);
        record_kind_free(&kind);
    }
    complaints_deinit(&c);
    return 0;
}
