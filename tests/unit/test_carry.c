/*
 * map/carry: records made of records, with kinds of their own in a folder of maps made for this: what each line of a map
 * makes, what is said when it cannot, and that a record read piece by piece gives the same as one in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/limits.h"
#include "failing_malloc.h"
#include "map/carry.h"
#include "map/decimal.h"
#include "map/lookup.h"
#include "tree/csv.h"

static char folder[64];
static const char *const folders[] = { "", "/records", "/records/src-dst", "/records/one-two", "/records/two-one", "/tables" };
enum { FOLDERS = sizeof(folders) / sizeof(folders[0]) };

static const char *const files[][2] = {
    { "records/src.1.schema.json",
      "{\"title\":\"Source\",\"type\":\"object\",\"required\":[\"record\",\"version\",\"number\"],\"additionalProperties\":false,"
      "\"properties\":{\"record\":{\"type\":\"string\",\"const\":\"src\"},\"version\":{\"type\":\"integer\",\"const\":1},\"id\":{\"type\":\"string\"},"
      "\"transmission\":{\"type\":\"string\"},\"partner\":{\"type\":\"string\"},"
      "\"source\":{\"type\":\"object\",\"properties\":{\"usage\":{\"type\":\"string\"},\"sent_at\":{\"type\":\"string\","
      "\"format\":\"partial-datetime\"}}},"
      "\"number\":{\"type\":\"string\"},\"whole\":{\"type\":\"integer\"},\"test\":{\"type\":\"boolean\"},\"at\":{\"type\":\"string\",\"format\":\"partial-datetime\"},"
      "\"gross\":{\"type\":\"string\",\"format\":\"decimal\"},\"net\":{\"type\":\"string\",\"format\":\"decimal\"},"
      "\"text\":{\"type\":\"string\"},\"place\":{\"$ref\":\"#/$defs/place\"},\"tags\":{\"type\":\"array\","
      "\"items\":{\"type\":\"string\"}},\"lines\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/line\"}},"
      "\"unmapped\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"additionalProperties\":true}},"
      "\"rejected\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"additionalProperties\":true}}},"
      "\"$defs\":{\"place\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"name\":{\"type\":\"string\"},"
      "\"city\":{\"type\":\"string\"},\"secret\":{\"type\":\"string\"}}},"
      "\"item\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"scheme\":{\"type\":\"string\"},"
      "\"id\":{\"type\":\"string\"}}},"
      "\"line\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"number\":{\"type\":\"string\"},"
      "\"quantity\":{\"type\":\"string\",\"format\":\"decimal\"},\"location\":{\"type\":\"string\"},"
      "\"items\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/item\"}},"
      "\"lines\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/line\"}}}}}}" },
    { "records/dst.1.schema.json",
      "{\"title\":\"Target\",\"type\":\"object\",\"required\":[\"record\",\"version\"],\"additionalProperties\":false,"
      "\"properties\":{\"record\":{\"type\":\"string\",\"const\":\"dst\"},\"version\":{\"type\":\"integer\",\"const\":1},\"id\":{\"type\":\"string\"},"
      "\"transmission\":{\"type\":\"string\"},\"partner\":{\"type\":\"string\"},"
      "\"source\":{\"type\":\"object\",\"properties\":{\"usage\":{\"type\":\"string\"}}},"
      "\"whole\":{\"type\":\"integer\"},\"test\":{\"type\":\"boolean\"},\"all\":{\"$ref\":\"#/$defs/all\"},"
      "\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"string\"},\"amount\":{\"type\":\"string\",\"format\":\"decimal\"},"
      "\"day\":{\"type\":\"string\",\"format\":\"date\"},\"hour\":{\"type\":\"string\",\"format\":\"time\"},"
      "\"place\":{\"$ref\":\"#/$defs/place\"},\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
      "\"nodes\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/node\"}}},"
      "\"$defs\":{\"all\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"number\":{\"type\":\"string\"},"
      "\"lines\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/node\"}}}},"
      "\"place\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"role\":{\"type\":\"string\"},"
      "\"name\":{\"type\":\"string\"},\"city\":{\"type\":\"string\"}}},"
      "\"item\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"scheme\":{\"type\":\"string\"},"
      "\"id\":{\"type\":\"string\"}}},"
      "\"node\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"id\":{\"type\":\"string\"},"
      "\"parent\":{\"type\":\"string\"},\"level\":{\"type\":\"string\"},\"number\":{\"type\":\"string\"},"
      "\"quantity\":{\"type\":\"string\",\"format\":\"decimal\"},"
      "\"items\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/item\"}}}}}}" },
    { "tables/stores.csv", "store;partner;warehouse\r\n0042;north;\"EAST; 1\"\r\n0042;south;WEST\r\n\"00\"\"7\";north;Q\r\n" },
    { "tables/semicolons.csv", "\n\r\nnumber;word\n7;seven\n" },
    { "tables/bad.csv", "word;color\nr\351d;1\n\"open" },
    { "records/src-dst/src-dst.map", "map records/src-dst\n  between record src 1 and record dst 1\n  tags[] -> tags[]\n" },
    { "records/one-two/one-two.map", "map records/one-two from records/two-one\n" },
    { "records/two-one/two-one.map", "map records/two-one from records/one-two\n" },
    { "tables/color.table", "table color\n  R  red\n  G  green\n  *  refuse\n" },
};

static int set_up(void **state)
{
    char path[200];

    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/waybill-carry-XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 1; i < FOLDERS; i++) {
        snprintf(path, sizeof(path), "%s%s", folder, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        FILE *f;
        snprintf(path, sizeof(path), "%s/%s", folder, files[i][0]);
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(files[i][1], f);
        fclose(f);
    }
    return 0;
}

static int tear_down(void **state)
{
    char path[200];

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i][0]);
        unlink(path);
    }
    for (size_t i = FOLDERS; i-- > 0;) {
        snprintf(path, sizeof(path), "%s%s", folder, folders[i]);
        rmdir(path);
    }
    return 0;
}

/* ---- running ---- */

struct run {
    const char *lines;              /* of the map, below `between`; or all of it, from `map` on */
    const char *record;             /* the source */
    const char *recalled;           /* NULL: there is none */
    bool streamed;
    size_t memory;                  /* for what is made; 0: the default */
    size_t most;                    /* of what is made; 0: 4 MiB */
    struct record_kept kept;
    struct buf out, said;
    struct err err;
};

static int on_write(void *ctx, const char *p, size_t n, struct err *err)
{
    (void)err;
    buf_add(&((struct run *)ctx)->out, p, n);
    return 0;
}

static int on_finding(void *ctx, const struct map_write_finding *f)
{
    struct run *r = ctx;

    buf_add_text(&r->said, f->code);
    buf_add_char(&r->said, ' ');
    map_write_finding_text(f, &r->said);
    buf_add_char(&r->said, '\n');
    return 0;
}

static int on_recall(void *ctx, const struct record_kind *kind, struct slice path, struct slice value,
                     const struct record **record_r, struct err *err)
{
    struct run *r = ctx;
    uint32_t node;

    (void)kind;
    (void)err;
    *record_r = NULL;
    if (!r->recalled)
        return 0;
    node = json_member(r->kept.record.tape, 0, path);
    if (node && slice_eq(json_raw(r->kept.record.tape, node), value))
        *record_r = &r->kept.record;
    return 0;
}

static int open_text(const char *text)
{
    struct err err;
    int fd;

    assert_int_equal(file_temporary("/tmp", &fd, &err), 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static int keep_recalled(struct run *r)
{
    struct record_reader *reader = NULL;
    const struct record *record;
    int fd = open_text(r->recalled);
    int rc = record_reader_new(fd, &(struct record_reader_options){ .memory = LIMIT_ITEM }, &reader, &r->err);

    if (rc == 0)
        rc = record_reader_next(reader, &record, &r->err);
    if (rc > 0)
        rc = record_reader_keep(reader, &r->kept, &r->err);
    record_reader_free(&reader);
    close(fd);
    return rc;
}

static int carry_text(struct run *r, const struct carry_plan *plan)
{
    const struct carry_options options = { .recall = on_recall, .write = on_write, .finding = on_finding, .ctx = r,
                                           .directory = "/tmp", .memory = r->memory };
    const struct record_reader_options reading = { .memory = r->streamed ? 400 : 0, .small = 1, .directory = "/tmp" };
    struct record_reader *reader = NULL;
    const struct record *record;
    struct carry *c = NULL;
    int fd = open_text(r->record), rc = record_reader_new(fd, &reading, &reader, &r->err);

    if (rc == 0)
        rc = carry_new(plan, &options, &c, &r->err);
    while (rc >= 0 && (rc = record_reader_next(reader, &record, &r->err)) > 0) {
        if (r->streamed)
            assert_true(record->streamed);
        rc = carry_record(c, record, &r->err);
        if (rc == ERR_DATA)
            rc = 0;
    }
    carry_free(&c);
    record_reader_free(&reader);
    close(fd);
    return rc;
}

/* Compiles and runs. What is wrong with the map stands in r->said. */
static int run(void *arg)
{
    struct run *r = arg;
    const struct carry_plan *plan;
    const struct map *map;
    struct maps *maps = NULL;
    struct complaints c;
    char path[32], text[6000];
    int fd, rc;

    buf_init(&r->out, r->most ? r->most : 4 << 20);
    buf_init(&r->said, 1 << 20);
    memset(&r->kept, 0, sizeof(r->kept));
    complaints_init(&c);
    snprintf(text, sizeof(text), "%s%s",
             slice_starts(slice_of(r->lines), SLICE("map ")) ? "" : "map m\n  between record src 1 and record dst 1\n", r->lines);
    snprintf(path, sizeof(path), "/tmp/waybill-carry-map-XXXXXX");
    fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    rc = r->recalled ? keep_recalled(r) : 0;
    if (rc == 0)
        rc = maps_new(folder, &maps, &r->err);
    if (rc == 0)
        rc = maps_by_file(maps, path, &c, &map, &r->err);
    if (rc == 0)
        rc = carry_plan_for(maps, map, &c, &plan, &r->err);
    unlink(path);
    if (rc == ERR_CONFIG) {
        struct slice rest = buf_slice(&c.text), line;
        bool more = true;
        while (more) { /* without the file's name, and without the lines shown */
            line = slice_cut(rest, '\n', &rest, &more);
            if (slice_starts(line, SLICE("/tmp/"))) {
                slice_cut(line, ':', &line, &(bool){ false });
                buf_add_slice(&r->said, line);
                buf_add_char(&r->said, '\n');
            }
        }
    } else if (rc == 0) {
        rc = carry_text(r, plan);
    }
    maps_free(&maps);
    complaints_deinit(&c);
    record_kept_deinit(&r->kept);
    if (rc >= 0)
        rc = r->out.failed || r->said.failed ? ERR_NOMEM : 0;
    return rc;
}

static void run_end(struct run *r)
{
    buf_deinit(&r->out);
    buf_deinit(&r->said);
}

#define SRC "{\"record\":\"src\",\"version\":1,\"number\":\"7\""
#define DST "{\"record\":\"dst\",\"version\":1,\"source\":{\"standard\":\"record\",\"set\":\"src\"}"

/* What is made of a source, and what is said. */
struct row {
    const char *lines;
    const char *record;         /* behind SRC */
    const char *out;            /* behind DST; NULL: nothing */
    const char *said;
};

static void check_rows(const struct row *row, size_t n, const char *recalled)
{
    for (size_t i = 0; i < n; i++) {
        struct run r = { .lines = row[i].lines, .recalled = recalled };
        char record[3000], wanted[3000] = "";
        int rc;
        snprintf(record, sizeof(record), SRC "%s}", row[i].record);
        if (row[i].out)
            snprintf(wanted, sizeof(wanted), DST "%s}\n", row[i].out);
        r.record = record;
        rc = run(&r);
        if (rc < 0 && rc != ERR_CONFIG)
            fail_msg("row %zu: %s", i, r.err.text);
        assert_string_equal(buf_text(&r.said), row[i].said);
        assert_string_equal(buf_text(&r.out), wanted);
        run_end(&r);
    }
}
#define CHECK_ROWS(rows, recalled) check_rows(rows, sizeof(rows) / sizeof(rows[0]), recalled)

static void values(void **state)
{
    static const struct row rows[] = {
        { "  number -> a\n  \"x y\" -> b\n", "", ",\"a\":\"7\",\"b\":\"x y\"", "" },
        /* the first that there is; both parts or nothing */
        { "  text or number -> a\n  \"no \" & number -> b\n", "", ",\"a\":\"7\",\"b\":\"no 7\"", "" },
        { "  number & text -> a\n  number -> b\n", "", ",\"b\":\"7\"", "" },
        /* escapes come through, in copies and in what is put together */
        { "  text -> a\n  \"<\" & text -> b\n  drop number\n", ",\"text\":\"\\\"\\u00e9\\\\\"",
          ",\"a\":\"\\\"\xc3\xa9\\\\\",\"b\":\"<\\\"\xc3\xa9\\\\\"", "" },
        /* exact decimals: products before sums */
        { "  gross - net * 2 -> amount\n  number -> a\n", ",\"gross\":\"10.50\",\"net\":\"0.1\"", ",\"a\":\"7\",\"amount\":\"10.30\"",
          "" },
        { "  gross / net -> amount round 2\n  number -> a\n", ",\"gross\":\"2\",\"net\":\"3\"", ",\"a\":\"7\",\"amount\":\"0.67\"", "" },
        { "  gross / net -> amount round 2\n  number -> a\n", ",\"gross\":\"-1\",\"net\":\"8\"", ",\"a\":\"7\",\"amount\":\"-0.13\"", "" },
        { "  gross / net -> amount round 2\n  number -> a\n", ",\"gross\":\"2\",\"net\":\"0\"", NULL,
          "MAP-VALUE gross: \"0\" is nought, and nothing can be divided by it (dst amount)\n" },
        { "  gross * net -> amount\n  number -> a\n", ",\"gross\":\"999999999999999999999\",\"net\":\"999999999999999999999\"", NULL,
          "MAP-VALUE gross: \"999999999999999999999\" gives a result of more than 36 digits (dst amount)\n" },
        { "  text + 1 -> amount\n  number -> a\n", ",\"text\":\"many\"", NULL,
          "MAP-VALUE text: \"many\" cannot be computed with, expected a decimal with 36 digits at most (dst amount)\n" },
        { "  sum lines[].quantity -> amount\n  count lines[] -> a\n  drop number\n",
          ",\"lines\":[{\"quantity\":\"1.5\"},{},{\"quantity\":\"-3\"}]", ",\"a\":\"3\",\"amount\":\"-1.5\"", "" },
        /* parts of a time */
        { "  at -> day date\n  at -> hour time\n  number -> a\n", ",\"at\":\"2026-01-02T03:04-05:00\"",
          ",\"a\":\"7\",\"day\":\"2026-01-02\",\"hour\":\"03:04\"", "" },
        { "  at -> hour time\n  at -> day date\n  number -> a\n", ",\"at\":\"2026-01-02\"", ",\"a\":\"7\",\"day\":\"2026-01-02\"", "" },
        { "  number -> a pad 3 \"0\" prefix \"N\"\n  text -> b trim upper\n", ",\"text\":\" ab \"", ",\"a\":\"N007\",\"b\":\"AB\"", "" },
        { "  number -> a strip \"7\"\n  text -> b strip \"x\" default none\n", "", ",\"a\":\"7\",\"b\":\"none\"", "" },
        { "  text -> a code color\n  number -> b\n", ",\"text\":\"R\"", ",\"a\":\"red\",\"b\":\"7\"", "" },
        { "  text -> a code color\n  number -> b\n", ",\"text\":\"B\"", NULL,
          "MAP-VALUE text: \"B\" has no row in the table, which refuses others (dst a)\n" },
        { "  text -> day date\n  at -> a date\n  text -> b date\n  drop number\n", ",\"text\":\"2026-01-02 is a day\",\"at\":\"2026-01-02T03:04\"",
          ",\"a\":\"2026-01-02\",\"b\":\"2026-01-02\",\"day\":\"2026-01-02\"", "" },
        { "  text -> b date\n  drop number\n", ",\"text\":\"123456789\u00e9 no day\"", ",\"b\":\"123456789\xc3\xa9 no day\"", "" },
        /* numbers and words without quotes, where the field has none */
        { "  text -> whole trim\n  test -> test\n  test & \"!\" -> a\n  whole -> b\n  drop number\n",
          ",\"text\":\"007\",\"whole\":12,\"test\":true", ",\"whole\":7,\"test\":true,\"a\":\"true!\",\"b\":\"12\"", "" },
        { "  text -> test trim\n  number -> a\n", ",\"text\":\"true\"", ",\"test\":true,\"a\":\"7\"", "" },
        { "  test -> test upper\n  number -> a\n", ",\"test\":true", NULL,
          "RECORD-TYPE test: \"TRUE\" is of the wrong type, expected true or false (dst)\n" },
        { "  whole -> whole prefix 0x\n  number -> a\n", ",\"whole\":12", NULL,
          "RECORD-TYPE whole: \"0x12\" is of the wrong type, expected a whole number (dst)\n" },
        { "  text -> whole trim\n  number -> a\n", ",\"text\":\".5\"", NULL,
          "RECORD-TYPE whole: \"0.5\" is of the wrong type, expected a whole number (dst)\n" },
        /* what was made is held against its kind */
        { "  text -> amount\n  number -> a\n", ",\"text\":\"ten\"", NULL,
          "RECORD-DECIMAL amount: \"ten\" is not a decimal, expected a decimal in a string, such as \"12.50\" (dst)\n" },
        /* and so is the source */
        { "  number -> a\n", ",\"gross\":\"ten\"", NULL,
          "RECORD-DECIMAL gross: \"ten\" is not a decimal, expected a decimal in a string, such as \"12.50\"\n" },
    };
    (void)state;
    CHECK_ROWS(rows, NULL);
}

static void conditions_and_lists(void **state)
{
    static const struct row rows[] = {
        /* the first line that makes something */
        { "  \"one\" -> a if number = 1\n  \"seven\" -> a if number = 7\n  \"other\" -> a\n", "", ",\"a\":\"seven\"", "" },
        { "  \"x\" -> a if text and number != 8\n  \"y\" -> b if not text\n  drop number\n", "", ",\"b\":\"y\"", "" },
        { "  tags[] -> tags[]\n  number -> tags[] prefix \"n\"\n", ",\"tags\":[\"a\",\"b\"]", ",\"tags\":[\"a\",\"b\",\"n7\"]", "" },
        { "  tags[2] -> a\n  number -> b\n", ",\"tags\":[\"a\",\"b\"]", ",\"a\":\"b\",\"b\":\"7\"",
          "MAP-LOSS tags: is not carried into the dst\n" },
        { "  lines[number=2].items[scheme=gtin].id -> a\n  lines[location].quantity -> b\n  drop number\n",
          ",\"lines\":[{\"number\":\"2\",\"items\":[{\"scheme\":\"x\",\"id\":\"1\"},{\"scheme\":\"gtin\",\"id\":\"2\"}]},"
          "{\"location\":\"L\",\"quantity\":\"5\"}]",
          ",\"a\":\"2\",\"b\":\"5\"",
          "MAP-LOSS lines.items: is not carried into the dst\nMAP-LOSS lines.location: is not carried into the dst\n" },
        /* objects as they are, in part, and with something of our own */
        { "  place -> place\n  number -> a\n", ",\"place\":{\"city\":\"Ulm\",\"secret\":\"s\"}", ",\"a\":\"7\",\"place\":{\"city\":\"Ulm\"}",
          "MAP-LOSS place.secret: is not carried into the dst\n" },
        { "  place -> place copy\n    \"st\" -> role\n    \"N\" & name -> name\n  number -> a\n  drop place.secret\n",
          ",\"place\":{\"city\":\"Ulm\",\"secret\":\"s\",\"name\":\"x\"}",
          ",\"a\":\"7\",\"place\":{\"role\":\"st\",\"name\":\"Nx\",\"city\":\"Ulm\"}", "" },
        { "  place.city -> place.name\n  number -> a\n", ",\"place\":{\"city\":\"Ulm\"}", ",\"a\":\"7\",\"place\":{\"name\":\"Ulm\"}", "" },
        /* an object of nothing is none */
        { "  place -> place\n    city -> city\n  number -> a\n", ",\"place\":{}", ",\"a\":\"7\"", "" },
        { "  lines[] -> nodes[] as l\n    ordinal -> id\n    items[] -> items[]\n    l.number -> number\n    src.number -> level\n",
          ",\"lines\":[{\"number\":\"x\"},{\"items\":[{},{\"id\":\"1\"}]}]",
          ",\"nodes\":[{\"id\":\"1\",\"level\":\"7\",\"number\":\"x\"},{\"id\":\"2\",\"level\":\"7\",\"items\":[{},{\"id\":\"1\"}]}]", "" },
        /* a hierarchy */
        { "  . -> nodes[] tree id parent\n    \"top\" -> level\n    lines[quantity!=0] -> nodes[] tree id parent\n      \"in\" -> level\n"
          "      quantity -> quantity\n      items[] -> nodes[] tree id parent\n        id -> number\n  drop number lines\n",
          ",\"lines\":[{\"quantity\":\"0\"},{\"quantity\":\"2\",\"items\":[{\"id\":\"a\"},{\"id\":\"b\"}]},{\"quantity\":\"3\"}]",
          ",\"nodes\":[{\"id\":\"1\",\"level\":\"top\"},{\"id\":\"2\",\"parent\":\"1\",\"level\":\"in\",\"quantity\":\"2\"},"
          "{\"id\":\"3\",\"parent\":\"2\",\"number\":\"a\"},{\"id\":\"4\",\"parent\":\"2\",\"number\":\"b\"},"
          "{\"id\":\"5\",\"parent\":\"1\",\"level\":\"in\",\"quantity\":\"3\"}]",
          "" },
        /* what is lost is told, once for each field; what no map took before, too */
        { "  number -> a\n", ",\"text\":\"t\",\"lines\":[{\"quantity\":\"1\",\"number\":\"1\"},{\"quantity\":\"2\"}],\"unmapped\":[{\"path\":\"X\"}]",
          ",\"a\":\"7\"",
          "MAP-LOSS text: is not carried into the dst\nMAP-LOSS lines: is not carried into the dst, in 2 places\n"
          "MAP-LOSS unmapped: is not carried into the dst\n" },
        { "  number -> a\n", ",\"rejected\":[{}]", NULL, "RECORD-REJECTED rejected: says that the record was refused when it was read (dst)\n" },
        /* who made it, and of what */
        { "  number -> a\n", ",\"id\":\"I\\u0041\",\"transmission\":\"T\",\"partner\":\"p\",\"source\":{\"usage\":\"test\"}", NULL, "" },
    };
    struct run r = { .lines = "  number -> a\n",
                     .record = SRC ",\"id\":\"I\\\"1\",\"transmission\":\"T\",\"partner\":\"p\",\"source\":{\"usage\":\"test\"}}" };
    (void)state;
    check_rows(rows, sizeof(rows) / sizeof(rows[0]) - 1, NULL);
    assert_int_equal(run(&r), 0);
    assert_string_equal(buf_text(&r.out),
                        "{\"record\":\"dst\",\"version\":1,\"id\":\"I\\\"1/dst\",\"transmission\":\"T\",\"partner\":\"p\",\"source\":"
                        "{\"standard\":\"record\",\"set\":\"src\",\"usage\":\"test\",\"id\":\"I\\\"1\"},\"a\":\"7\"}\n");
    run_end(&r);
}

static void splitting(void **state)
{
    struct run r = { .lines = "  split lines by location\n  number -> a\n  lines[] -> nodes[]\n    ordinal -> id\n"
                              "    quantity -> quantity\n  sum lines[].quantity -> amount\n",
                     .record = SRC ",\"id\":\"I\",\"lines\":[{\"location\":\"E\",\"quantity\":\"1\"},{\"quantity\":\"2\"},"
                                   "{\"location\":\"W\",\"quantity\":\"3\"},{\"location\":\"E\",\"quantity\":\"4\"}]}" };
#define MADE(n, rest) \
    "{\"record\":\"dst\",\"version\":1,\"id\":\"I/dst/" n "\",\"source\":{\"standard\":\"record\",\"set\":\"src\",\"id\":\"I\"},\"a\":\"7\"," rest "}\n"
    (void)state;
    assert_int_equal(run(&r), 0);
    assert_string_equal(buf_text(&r.said), "");
    assert_string_equal(buf_text(&r.out),
                        MADE("1", "\"amount\":\"5\",\"nodes\":[{\"id\":\"1\",\"quantity\":\"1\"},{\"id\":\"2\",\"quantity\":\"4\"}]")
                        MADE("2", "\"amount\":\"3\",\"nodes\":[{\"id\":\"1\",\"quantity\":\"3\"}]")
                        MADE("3", "\"amount\":\"2\",\"nodes\":[{\"id\":\"1\",\"quantity\":\"2\"}]"));
    run_end(&r);
    /* one group is no split; and of several either all or none are made */
    r.record = SRC ",\"lines\":[{\"location\":\"E\",\"quantity\":\"1\"}]}";
    assert_int_equal(run(&r), 0);
    assert_string_equal(buf_text(&r.out), DST ",\"a\":\"7\",\"amount\":\"1\",\"nodes\":[{\"id\":\"1\",\"quantity\":\"1\"}]}\n");
    run_end(&r);
    r.lines = "  split lines by location\n  number -> a\n  lines[] -> nodes[]\n    number -> quantity\n    drop quantity\n";
    r.record = SRC ",\"lines\":[{\"location\":\"E\",\"number\":\"1\"},{\"location\":\"W\",\"number\":\"x\"}]}";
    assert_int_equal(run(&r), 0);
    assert_string_equal(buf_text(&r.out), "");
    assert_non_null(strstr(buf_text(&r.said), "RECORD-DECIMAL nodes[0].quantity: \"x\""));
    run_end(&r);
    /* lists of that name elsewhere are not split */
    r.lines = "  split lines by location\n  number -> a\n  lines[] -> nodes[]\n    count lines[] -> number\n";
    r.record = SRC ",\"id\":\"I\",\"lines\":[{\"location\":\"E\",\"lines\":[{\"location\":\"E\"},{},{\"location\":\"W\"}]},"
                   "{\"location\":\"W\"}]}";
    assert_int_equal(run(&r), 0);
    assert_string_equal(buf_text(&r.out), MADE("1", "\"nodes\":[{\"number\":\"3\"}]") MADE("2", "\"nodes\":[{\"number\":\"0\"}]"));
    run_end(&r);
}

static void recalling(void **state)
{
    static const char recalled[] = SRC ",\"id\":\"old\",\"text\":\"dep\",\"lines\":[{\"number\":\"001\",\"items\":[{\"id\":\"A\"}]},"
                                       "{\"number\":\"002\",\"items\":[{\"id\":\"B\",\"scheme\":\"2b\"},{\"id\":\"C\",\"scheme\":\"2c\"},"
                                       "{\"id\":\"B\",\"scheme\":\"2b again\"}]},"
                                       "{\"number\":\"003\",\"items\":[{\"id\":\"B\",\"scheme\":\"3b\"}]}]}";
#define FOUND ",\"id\":\"I\"" 
    static const struct row rows[] = {
        { "  recall src by number as o\n  o.text -> a\n  drop number\n", "", ",\"a\":\"dep\"", "" },
        { "  recall src by number = text as o\n  o.text -> a\n  number -> b\n", ",\"text\":\"8\"", NULL,
          "MAP-RECALL text: \"8\" is of no src that could be recalled (dst)\n" },
        { "  recall src by number = text as o\n  o.text -> a\n  number -> b\n", "", NULL,
          "MAP-RECALL text: is missing, and it says what is to be recalled as o (dst)\n" },
        { "  recall src by number = text or number as o optional\n  o.text or \"?\" -> a\n  drop text\n", ",\"text\":\"8\"",
          ",\"a\":\"dep\"", "" },
        { "  recall src by number = text as o optional\n  o.text or \"?\" -> a\n  number -> b\n", ",\"text\":\"8\"",
          ",\"a\":\"?\",\"b\":\"7\"", "" },
        /* items: by their number, zeros before it or not; else by an identifier; two alike are taken one after the other */
        { "  recall src by number as o\n  lines[] -> nodes[]\n    recall o.lines[] by number or items[].id = items[].id as p\n"
          "    p.number -> number\n    items[] -> items[]\n  drop number lines.number\n",
          ",\"lines\":[{\"number\":\"1\"},{\"items\":[{\"id\":\"B\"}]},{\"items\":[{\"id\":\"B\"}]},{\"items\":[{\"id\":\"C\"}]}]",
          ",\"nodes\":[{\"number\":\"001\"},{\"number\":\"002\",\"items\":[{\"id\":\"B\"}]},{\"number\":\"003\",\"items\":[{\"id\":\"B\"}]},"
          "{\"number\":\"002\",\"items\":[{\"id\":\"C\"}]}]",
          "" },
        /* lists of several items that were recalled, in turn */
        { "  recall src by number as o\n  lines[] -> nodes[]\n    recall o.lines[] by number as p\n    p.number -> number\n"
          "    items[] -> items[]\n      recall p.items[] by id = id as q\n      q.scheme -> scheme\n  drop number lines.items.id\n",
          ",\"lines\":[{\"number\":\"2\",\"items\":[{\"id\":\"B\"}]},{\"number\":\"3\",\"items\":[{\"id\":\"B\"}]},"
          "{\"number\":\"2\",\"items\":[{\"id\":\"B\"},{\"id\":\"C\"}]}]",
          ",\"nodes\":[{\"number\":\"002\",\"items\":[{\"scheme\":\"2b\"}]},{\"number\":\"003\",\"items\":[{\"scheme\":\"3b\"}]},"
          "{\"number\":\"002\",\"items\":[{\"scheme\":\"2b again\"},{\"scheme\":\"2c\"}]}]",
          "" },
        { "  recall src by number as o\n  lines[] -> nodes[]\n    recall o.lines[] by number as p\n    p.number -> number\n  drop number\n",
          ",\"lines\":[{\"number\":\"9\"}]", NULL,
          "MAP-RECALL lines[0].number: \"9\" is in none of o.lines[] (dst nodes)\n" },
    };
    char wanted[1000];
    (void)state;
    /* the id of what was recalled is in `source` */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct run r = { .lines = rows[i].lines, .recalled = recalled };
        char record[3000];
        snprintf(record, sizeof(record), SRC "%s}", rows[i].record);
        r.record = record;
        assert_int_equal(run(&r), 0);
        assert_string_equal(buf_text(&r.said), rows[i].said);
        snprintf(wanted, sizeof(wanted), "{\"record\":\"dst\",\"version\":1,\"source\":{\"standard\":\"record\",\"set\":\"src\"%s}%s}\n",
                 i == 4 ? "" : ",\"recalled\":[\"old\"]", rows[i].out ? rows[i].out : "");
        assert_string_equal(buf_text(&r.out), rows[i].out ? wanted : "");
        run_end(&r);
    }
}

static void lookups(void **state)
{
    static const struct row rows[] = {
        { "  number -> b\n  text -> a lookup stores store warehouse with partner = place.name\n",
          ",\"text\":\"0042\",\"place\":{\"name\":\"north\"}", ",\"a\":\"EAST; 1\",\"b\":\"7\"", "" },
        { "  number -> b\n  text -> a lookup stores store warehouse with partner = place.name\n",
          ",\"text\":\"00\\\"7\",\"place\":{\"name\":\"north\"}", ",\"a\":\"Q\",\"b\":\"7\"", "" },
        { "  number -> b\n  text -> a lookup stores store warehouse with partner = place.name\n  drop place\n",
          ",\"text\":\"42\",\"place\":{\"name\":\"north\"}", NULL,
          "MAP-LOOKUP text: \"42\" has no row in the table stores, expected a value of the column store (dst a)\n" },
        { "  number -> a lookup semicolons number word\n", "", ",\"a\":\"seven\"", "" },
        { "  number -> a lookup stores warehouse store else keep\n", "", ",\"a\":\"7\"", "" },
        { "  number -> a lookup stores warehouse store else nothing\n  \"x\" -> b\n", "", ",\"b\":\"x\"", "" },
        { "  number -> a lookup stores warehouse store else \"E 1\"\n", "", ",\"a\":\"E 1\"", "" },
        /* a key of two values */
        { "  number -> a lookup stores store warehouse\n", "", NULL, "3: what is looked for stands in an earlier row, with another value\n" },
        { "  number -> a lookup stores stor warehouse\n", "", NULL, "3:15: the table has no column \"stor\"\n" },
        { "  number -> a lookup bad word color\n", "", NULL, "3: a quote is opened and not closed\n" },
        { "  number -> a lookup shops store warehouse\n", "", NULL, "3:15: there is no table shops.csv, neither beside the map nor in tables/\n" },
        { "  number -> a lookup ../stores store warehouse\n", "", NULL,
          "3:15: there is no table ../stores.csv, neither beside the map nor in tables/\n" },
    };
    (void)state;
    CHECK_ROWS(rows, NULL);
    /* a table in UTF-16 */
    struct slice columns[] = { SLICE("a"), SLICE("b") };
    struct lookup *l = NULL;
    struct complaints c;
    complaints_init(&c);
    assert_int_equal(lookup_new(SLICE("t.csv"), slice("a\0,\0b\0\n\0", 8), columns, 1, columns[1], &(struct place){ .line = 1 }, &c, &l),
                     ERR_CONFIG);
    assert_null(l);
    assert_non_null(strstr(buf_text(&c.text), "t.csv:1: the table holds bytes 0x00"));
    complaints_deinit(&c);
}

static void wrong_maps(void **state)
{
    static const struct row rows[] = {
        { "  numbr -> a\n", "", NULL, "3:3: there is no field \"numbr\" here\n" },
        { "  number -> c\n", "", NULL, "3:13: there is no field \"c\" here\n" },
        { "  number <-> a\n", "", NULL, "3:10: a map between records goes one way: ->\n" },
        { "  number a\n", "", NULL, "3:10: expected ->, or one of + - * / & or between two values\n" },
        { "  lines[] -> a\n", "", NULL, "3:3: one value is wanted here, and lines has many\n" },
        { "  lines.number -> a\n", "", NULL, "3:3: lines is a list\n" },
        { "  number[] -> a\n", "", NULL, "3:3: number is no list\n" },
        { "  number -> place\n", "", NULL, "3:3: number is no object\n" },
        { "  number -> tags\n", "", NULL, "3:13: tags is a list: write tags[]\n" },
        { "  number -> a[]\n", "", NULL, "3:13: a is no list\n" },
        { "  gross -> day\n", "", NULL, "3:12: the field is a date in a string, such as \"2026-01-15\", and gross is a decimal in a string, such as \"12.50\"\n" },
        { "  gross / 3 -> amount\n", "", NULL, "3:3: a quotient may have no end: say to how many places with \"round\"\n" },
        { "  must map text\n  number -> a\n", "", NULL, "3:12: no line takes text, which must be mapped\n" },
        { "  recall ord by number as o\n", "", NULL, "3:10: there is no record kind \"ord\"\n" },
        { "  use x\n", "", NULL, "3:3: there is no block of this name\n" },
        { "  use x\nblock x\n  use x\n", "", NULL, "5:3: blocks use each other in a circle\n" },
        { "  number -> id\n", "", NULL, "3:13: id is made for every record by itself\n" },
        { "  place -> place\n  number -> place.name\n", "", NULL, "4:13: another line makes all of place\n" },
        { "  split tags by x\n  number -> a\n", "", NULL, "3:9: a list of objects is expected here\n" },
        { "  split lines by src.number\n  number -> a\n", "", NULL, "3:18: one value is wanted here\n" },
        { "  \"x\" -> source.usage\n", "", NULL, "3:10: source is made for every record by itself\n" },
        { "  recall src by lines[1].number = number as o\n  number -> a\n", "", NULL,
          "3:17: a field of src is expected here, and none of a list\n" },
        { "  recall src by src.number = number as o\n  number -> a\n", "", NULL,
          "3:17: a field of src is expected here, and none of a list\n" },
        { "  recall src by number as o\n  lines[] -> nodes[]\n    recall o.lines[] by src.number = number as p\n    number -> number\n", "",
          NULL, "5:25: a field of o.lines[] is expected here\n" },
        { "  number -> a if\n", "", NULL, "3:17: a field of the record is expected here\n" },
        { "  lines[] -> nodes[] tree id\n", "", NULL,
          "3:22: expected: tree ID PARENT, the fields that say how nodes are called and below which they are\n" },
    };
    (void)state;
    CHECK_ROWS(rows, NULL);
}

/* Maps made from others: in a circle; with more lines than any number that was thought enough. And blocks that use others
 * again and again. */
static void made_from_another(void **state)
{
    struct run r = { .lines = "map m from records/one-two\n  drop number\n", .record = SRC ",\"tags\":[\"t\"]}" };
    struct buf map;
    unsigned n = 0;
    (void)state;
    assert_int_equal(run(&r), ERR_CONFIG);
    assert_string_equal(buf_text(&r.said), "1:26: maps are made from each other in a circle, or more than 8 deep\n");
    run_end(&r);
    buf_init(&map, 1 << 20);
    buf_add_text(&map, "map m from records/src-dst\n  between record src 1 and record dst 1\n  drop number\n");
    for (int i = 0; i < 300; i++)
        buf_add_text(&map, "  \"k\" -> tags[]\n");
    r.lines = buf_text(&map);
    assert_int_equal(run(&r), 0);
    for (size_t i = 0; i < r.out.n; i++)
        n += r.out.p[i] == 'k';
    assert_int_equal(n, 300);
    assert_non_null(strstr(buf_text(&r.out), ",\"t\"]}"));
    run_end(&r);
    buf_clear(&map);
    buf_add_text(&map, "  number -> a\n  use b0\n");
    for (int i = 0; i < 15; i++)
        buf_printf(&map, "block b%d\n  use b%d\n  use b%d\n  use b%d\n  use b%d\n", i, i + 1, i + 1, i + 1, i + 1);
    buf_add_text(&map, "block b15\n  drop text\n");
    r.lines = buf_text(&map);
    assert_int_equal(run(&r), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&r.said), "with its blocks the map has more than 5000 lines"));
    run_end(&r);
    buf_deinit(&map);
}

/* A large record, in memory and read piece by piece, what is made gathered in memory and in a file. */
static void large_records(void **state)
{
    struct run whole = { .lines = "  number -> a\n  lines[quantity!=0] -> nodes[]\n    ordinal -> id\n    number -> number\n"
                                  "    quantity -> quantity\n    items[] -> items[]\n  sum lines[].quantity -> amount\n"
                                  "  count lines[] -> b\n" };
    struct run streamed;
    struct buf record;
    (void)state;
    buf_init(&record, 1 << 22);
    buf_add_text(&record, SRC ",\"lines\":[");
    for (int i = 0; i < 20000; i++)
        buf_printf(&record, "%s{\"number\":\"%d\",\"quantity\":\"%d.5\",\"items\":[{\"scheme\":\"x\",\"id\":\"%d\"}]}", i ? "," : "", i,
                   i % 7, i * 3);
    buf_add_text(&record, ",{\"number\":\"last\",\"quantity\":\"0\",\"location\":\"lost\"}]}");
    whole.record = buf_text(&record);
    streamed = whole;
    streamed.streamed = true;
    streamed.memory = 1000;
    assert_int_equal(run(&whole), 0);
    assert_int_equal(run(&streamed), 0);
    assert_true(whole.out.n > 1000000);
    assert_true(whole.out.n == streamed.out.n && memcmp(whole.out.p, streamed.out.p, whole.out.n) == 0);
    assert_string_equal(buf_text(&whole.said), buf_text(&streamed.said));
    assert_string_equal(buf_text(&whole.said), "MAP-LOSS lines.number: is not carried into the dst\n"
                                               "MAP-LOSS lines.location: is not carried into the dst\n");
    run_end(&whole);
    run_end(&streamed);
    /* two lists at once cannot be had of a streamed one: told, not wrong */
    streamed.lines = "  number -> a\n  lines[] -> nodes[]\n    count src.lines[] -> number\n";
    streamed.record = buf_text(&record);
    assert_int_equal(run(&streamed), ERR_LIMIT);
    run_end(&streamed);
    buf_deinit(&record);
}

/* A list whose last items make nothing, with what is made just at the ceiling of memory: nothing of them is in the file. */
static void empty_items_behind_a_full_buffer(void **state)
{
    struct run r = { .lines = "  lines[] -> nodes[]\n    number -> number\n    items[] -> items[]\n      id -> id\n"
                              "  drop number lines.items.scheme\n",
                     .record = SRC ",\"lines\":[{\"number\":\"1\"},{\"items\":[{\"scheme\":\"x\"}]},{\"number\":\"3\"}]}" };
    (void)state;
    for (r.memory = 1; r.memory < 200; r.memory++) {
        assert_int_equal(run(&r), 0);
        assert_string_equal(buf_text(&r.out), DST ",\"nodes\":[{\"number\":\"1\"},{\"number\":\"3\"}]}\n");
        run_end(&r);
    }
}

/* `.` with all of its lists, one of them streamed; and of the one that is split the group at hand. */
static void copies_of_lists(void **state)
{
    struct run whole = { .lines = "  . -> all\n  drop lines.location\n" }, streamed;
    struct buf record;
    (void)state;
    buf_init(&record, 1 << 20);
    buf_add_text(&record, SRC ",\"lines\":[");
    for (int i = 0; i < 1000; i++)
        buf_printf(&record, "%s{\"number\":\"%d\",\"quantity\":\"%d.5\",\"location\":\"%d\"}", i ? "," : "", i, i % 7, i % 2);
    buf_add_text(&record, "]}");
    whole.record = buf_text(&record);
    for (int i = 0; i < 2; i++) {
        streamed = whole;
        streamed.streamed = true;
        streamed.memory = 100;
        assert_int_equal(run(&whole), 0);
        assert_int_equal(run(&streamed), 0);
        assert_true(whole.out.n > 30000 && whole.out.n < 50000);
        assert_true(whole.out.n == streamed.out.n && memcmp(whole.out.p, streamed.out.p, whole.out.n) == 0);
        assert_string_equal(buf_text(&whole.said), "");
        assert_string_equal(buf_text(&streamed.said), "");
        run_end(&whole);
        run_end(&streamed);
        whole.lines = "  split lines by location\n  . -> all\n  drop lines.location\n";
    }
    buf_deinit(&record);
}

/* What is put together of a value that is almost too large is: the record is refused, memory is not out. */
static void values_without_end(void **state)
{
    enum { LONG = 33 << 20 };
    struct run r = { .lines = "  text & text -> a\n", .most = 80 << 20 };
    struct buf record;
    (void)state;
    buf_init(&record, LONG + 200);
    buf_add_text(&record, SRC ",\"text\":\"");
    memset(buf_reserve(&record, LONG), 'x', LONG);
    record.n += LONG;
    buf_add_text(&record, "\"}");
    r.record = buf_text(&record);
    assert_int_equal(run(&r), ERR_LIMIT);
    run_end(&r);
    buf_deinit(&record);
}

/* All lines have one identifier: each takes the next that nothing has taken. In groups, too, the order is looked through
 * once, and of the record itself only the group's lines. */
static void many_alike(void **state)
{
    enum { LINES_ALIKE = 200000, STORES = 900 };
    struct run r = { .lines = "  recall src by number as o\n  split lines by location\n  lines[] -> nodes[]\n"
                              "    recall o.lines[] by items[].id = items[].id as p\n    p.number -> number\n"
                              "  drop lines.location\n" };
    struct buf record, recalled, *both[] = { &record, &recalled };
    struct slice rest;
    uint64_t n = 0;
    (void)state;
    alarm(60); /* when each goes through all before it, it takes minutes */
    buf_init(&record, 32 << 20);
    buf_init(&recalled, 32 << 20);
    for (int k = 0; k < 2; k++) {
        buf_add_text(both[k], SRC ",\"lines\":[");
        for (int i = 0; i < LINES_ALIKE; i++)
            buf_printf(both[k], "%s{\"number\":\"%d\",\"items\":[{\"id\":\"A\"}]%s}", i ? "," : "", i, k ? "" : ",\"location\":\"E\"");
        buf_add_text(both[k], "]}");
    }
    r.record = buf_text(&record);
    r.recalled = buf_text(&recalled);
    r.most = 32 << 20;
    assert_int_equal(run(&r), 0);
    rest = buf_slice(&r.out);
    slice_cut(rest, '[', &rest, &(bool){ false });
    for (bool more = true; n < LINES_ALIKE; n++) {
        char wanted[40];
        snprintf(wanted, sizeof(wanted), "{\"number\":\"%llu\"}", (unsigned long long)n);
        assert_true(slice_starts(rest, slice_of(wanted)) && more);
        slice_cut(rest, ',', &rest, &more);
    }
    run_end(&r);
    buf_clear(&record);
    buf_add_text(&record, SRC ",\"lines\":[");
    for (int i = 0; i < LINES_ALIKE; i++)
        buf_printf(&record, "%s{\"items\":[{\"id\":\"A\"}],\"location\":\"%d\"}", i ? "," : "", i % STORES);
    buf_add_text(&record, "]}");
    r.record = buf_text(&record);
    assert_int_equal(run(&r), 0);
    assert_string_equal(buf_text(&r.said), "");
    n = 0;
    for (size_t i = 0; i < r.out.n; i++)
        n += r.out.p[i] == '\n';
    assert_int_equal(n, STORES);
    run_end(&r);
    alarm(0);
    buf_deinit(&record);
    buf_deinit(&recalled);
}

static int run_whole(void *arg)
{
    int rc = run(arg);

    run_end(arg);
    return rc;
}

static void no_memory(void **state)
{
    struct run r = { .lines = "  recall src by number as o\n  split lines by location\n  number & o.text -> a pad 4 \"0\"\n"
                              "  text -> b lookup stores store warehouse with partner = place.name\n"
                              "  lines[] -> nodes[]\n    recall o.lines[] by number as p optional\n    p.number -> number\n"
                              "    quantity * 2 -> quantity\n    items[] -> items[]\n  place -> place\n",
                     .record = SRC ",\"text\":\"0042\",\"place\":{\"name\":\"north\"},\"lines\":[{\"number\":\"1\",\"location\":\"x\","
                                   "\"quantity\":\"1\",\"items\":[{\"id\":\"\\u0041\"}]},{\"location\":\"y\"}]}",
                     .recalled = SRC ",\"text\":\"t\",\"lines\":[{\"number\":\"1\"}]}" };
    (void)state;
    assert_int_equal(run(&r), 0);
    assert_int_not_equal(r.out.n, 0);
    run_end(&r);
    assert_true(fail_each_allocation(run_whole, &r) > 20);
}

/* ---- tables and numbers ---- */

static void rows_of_fields(void **state)
{
    static const char text[] = "\xEF\xBB\xBF" "a,\"b,\"\"c\"\r\n\r\n1,\"x\ny\"\r,\n\"bad\"x,1\n2,3\n\"open,\n";
    struct csv c;
    struct buf to;
    (void)state;
    buf_init(&to, 1000);
    csv_init(&c, slice(text, sizeof(text) - 1), 0);
    assert_int_equal(c.delimiter, ',');
    assert_int_equal(csv_next(&c), 1);
    assert_int_equal(c.n, 2);
    assert_true(slice_is(csv_text(&c.field[1], &to), "b,\"c"));
    assert_int_equal(csv_next(&c), 1);
    assert_int_equal(c.line, 3);
    assert_true(slice_is(c.field[1].raw, "x\ny"));
    assert_int_equal(csv_next(&c), 1);
    assert_int_equal(c.n, 2);
    assert_int_equal(c.field[0].raw.n + c.field[1].raw.n, 0);
    assert_int_equal(csv_next(&c), -1);
    assert_int_equal(c.line, 6);
    assert_int_equal(csv_next(&c), 1);
    assert_true(slice_is(c.field[1].raw, "3"));
    assert_int_equal(csv_next(&c), -1);
    assert_int_equal(csv_next(&c), 0);
    csv_init(&c, SLICE("a\tb;c\n"), 0);
    assert_int_equal(csv_next(&c), 1);
    assert_int_equal(c.n, 2);
    csv_init(&c, SLICE(""), 0);
    assert_int_equal(csv_next(&c), 0);
    buf_deinit(&to);
}

static void numbers(void **state)
{
    static const struct {
        const char *text;
        unsigned places;
        const char *rounded;
    } rows[] = {
        { "2.5", 0, "3" },     { "-2.5", 0, "-3" },  { "2.49", 0, "2" }, { "0.005", 2, "0.01" }, { ".5", 3, "0.5" },
        { "-0.004", 2, "0.00" }, { "100", 0, "100" }, { "007.10", 1, "7.1" },
    };
    struct decimal d;
    struct arena arena;
    (void)state;
    arena_init(&arena, 10000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(decimal_read(slice_of(rows[i].text), &d));
        decimal_round(&d, rows[i].places);
        assert_true(slice_is(decimal_text(&d, &arena), rows[i].rounded));
    }
    assert_false(decimal_read(SLICE(""), &d));
    assert_false(decimal_read(SLICE("-"), &d));
    assert_false(decimal_read(SLICE("."), &d));
    assert_false(decimal_read(SLICE("1e3"), &d));
    assert_false(decimal_read(SLICE("1234567890123456789012345678901234567"), &d));
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(conditions_and_lists),
        cmocka_unit_test(splitting),
        cmocka_unit_test(recalling),
        cmocka_unit_test(lookups),
        cmocka_unit_test(wrong_maps),
        cmocka_unit_test(large_records),
        cmocka_unit_test(empty_items_behind_a_full_buffer),
        cmocka_unit_test(copies_of_lists),
        cmocka_unit_test(values_without_end),
        cmocka_unit_test(many_alike),
        cmocka_unit_test(made_from_another),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(rows_of_fields),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
