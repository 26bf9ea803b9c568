/*
 * library: what waybill.h promises, through waybill.h alone: reading in pieces of any size, records as values and as
 * JSON, findings, acknowledgments, writing, options and their errors, several threads, and memory running out at any
 * moment.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_malloc.h"
#include "waybill.h"

#define ISA "ISA*00*          *00*          *ZZ*NORTHWIND      *ZZ*ACMECORP       *260115*1230*U*00401*000000905*0*T*>~\n"
#define GS "GS*PO*NWPO*ACME*20260115*1230*17*X*004010~\n"
#define ORDER(control, number, quantity) \
    "ST*850*" control "~\nBEG*00*SA*" number "**20260115~\nREF*IA*\"V\\7\"~\n" \
    "PO1*1*" quantity "*EA*9.50**UP*012345678905*VN*B-2~\nPID*F****SOAP~\nPO1*2*3*CA*100~\nCTT*2~\nSE*8*" control "~\n"
#define END(n) "GE*" n "*17~\nIEA*1*000000905~\n"

static const char one[] = ISA GS ORDER("0001", "PO-1001", "10") END("1");
static const char two[] = ISA GS ORDER("0001", "PO-1001", "10") ORDER("0002", "PO-1002", "ten") END("2");

static struct waybill *waybill;

static const char *maps(void)
{
    const char *directory = getenv("WAYBILL_MAPS_DIR");
    return directory ? directory : "maps";
}

static int set_up(void **state)
{
    (void)state;
    return waybill_new(maps(), &waybill, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    waybill_free(&waybill);
    return waybill != NULL;
}

/* Bytes that are gathered. */
struct gathered {
    char p[16384];
    size_t n;
    unsigned calls;
};

static int gather(void *ctx, const char *p, size_t n)
{
    struct gathered *g = ctx;

    if (n > sizeof(g->p) - 1 - g->n)
        return 1;
    memcpy(g->p + g->n, p, n);
    g->n += n;
    g->p[g->n] = 0;
    g->calls++;
    return 0;
}

static void ok(int rc, const struct waybill_error *error)
{
    if (rc)
        fail_msg("%d: %s", rc, error->text);
}

static void starts_with(const char *text, const char *start)
{
    if (strncmp(text, start, strlen(start)) != 0)
        fail_msg("\"%.300s\" does not start with \"%s\"", text, start);
}

static struct waybill_reader *reader_new(void)
{
    struct waybill_reader *reader;
    struct waybill_error error;

    ok(waybill_reader_new(waybill, &reader, &error), &error);
    return reader;
}

static void read_all(struct waybill_reader *reader, const char *text, size_t piece)
{
    struct waybill_error error;
    size_t n = strlen(text);

    while (n) {
        size_t part = n < piece ? n : piece;
        ok(waybill_reader_feed(reader, text, part, &error), &error);
        text += part;
        n -= part;
    }
    ok(waybill_reader_end(reader, &error), &error);
}

/* ---- records ---- */

static int look_at_order(void *ctx, const struct waybill_value *order)
{
    const struct waybill_value *line, *item;
    const char *json;
    int64_t number;
    int places;
    size_t n;

    ++*(unsigned *)ctx;
    assert_int_equal(waybill_type_of(order), WAYBILL_OBJECT);
    assert_null(waybill_key(order));
    assert_null(waybill_text(order, NULL));
    assert_string_equal(waybill_text(order, "record"), "order");
    assert_string_equal(waybill_text(order, "version"), "1");
    assert_int_equal(waybill_type_of(waybill_get(order, "version")), WAYBILL_NUMBER);
    assert_string_equal(waybill_text(order, "number"), "PO-1001");
    assert_string_equal(waybill_text(order, "ordered_on"), "2026-01-15");
    assert_string_equal(waybill_text(order, "source.usage"), "test");
    assert_string_equal(waybill_text(order, "vendor_number"), "\"V\\7\"");
    assert_int_equal(waybill_length(waybill_get(order, "vendor_number")), 5);
    assert_string_equal(waybill_key(waybill_get(order, "source.sender")), "sender");
    /* lists */
    assert_int_equal(waybill_items(order, "lines"), 2);
    assert_string_equal(waybill_text(order, "lines[0].quantity"), "10");
    assert_string_equal(waybill_text(order, "lines[0].descriptions[0].text"), "SOAP");
    assert_string_equal(waybill_text(order, "lines[0].items[1].id"), "B-2");
    assert_string_equal(waybill_text(order, "lines[1].unit_price"), "100");
    line = waybill_first(order, "lines");
    assert_int_equal(waybill_type_of(line), WAYBILL_OBJECT);
    assert_ptr_equal(line, waybill_get(order, "lines[0]"));
    assert_string_equal(waybill_text(line, "unit_price"), "9.50");
    item = waybill_first(line, "items");
    assert_string_equal(waybill_text(item, "id"), "012345678905");
    assert_null(waybill_next(waybill_next(item)));
    assert_ptr_equal(waybill_next(line), waybill_get(order, "lines[1]"));
    assert_null(waybill_next(waybill_next(line)));
    /* members, in their order */
    assert_string_equal(waybill_key(waybill_first(order, NULL)), "record");
    assert_string_equal(waybill_key(waybill_next(waybill_first(order, ""))), "version");
    /* what is not there */
    assert_null(waybill_get(order, "lines[2]"));
    assert_null(waybill_get(order, "lines[99999999999999999999]"));
    assert_null(waybill_get(order, "lines[x]"));
    assert_null(waybill_get(order, "lines[0"));
    assert_null(waybill_get(order, "lines."));
    assert_null(waybill_get(order, ".lines"));
    assert_null(waybill_get(order, "numbe"));
    assert_null(waybill_get(order, "numbers"));
    assert_null(waybill_get(order, "number.x"));
    assert_null(waybill_get(order, "number[0]"));
    assert_null(waybill_get(order, "[0]"));
    assert_null(waybill_text(NULL, "lines"));
    assert_null(waybill_first(NULL, NULL));
    assert_null(waybill_next(NULL));
    assert_null(waybill_key(NULL));
    assert_int_equal(waybill_items(NULL, NULL), 0);
    assert_int_equal(waybill_length(NULL), 0);
    assert_int_equal(waybill_type_of(NULL), WAYBILL_NOTHING);
    /* decimals */
    assert_int_equal(waybill_decimal(line, "unit_price", &number, &places), 0);
    assert_int_equal(number, 950);
    assert_int_equal(places, 2);
    assert_int_equal(waybill_decimal(order, "version", &number, &places), 0);
    assert_int_equal(number, 1);
    assert_int_equal(places, 0);
    assert_int_equal(waybill_decimal(order, "number", &number, &places), WAYBILL_DATA);
    assert_int_equal(waybill_decimal(order, "lines", &number, &places), WAYBILL_DATA);
    assert_int_equal(waybill_decimal(order, "nothing", &number, &places), WAYBILL_MISSING);
    /* JSON */
    json = waybill_json(waybill_get(order, "lines[0].unit_price"), &n);
    assert_int_equal(n, 6);
    assert_memory_equal(json, "\"9.50\"", n);
    json = waybill_json(waybill_get(order, "vendor_number"), &n);
    assert_int_equal(n, 10);
    assert_memory_equal(json, "\"\\\"V\\\\7\\\"\"", n);
    json = waybill_json(order, &n);
    assert_memory_equal(json, "{\"record\":\"order\"", 17);
    assert_int_equal(json[n - 1], '}');
    return 0;
}

static void test_records(void **state)
{
    static const size_t pieces[] = { 1, 2, 7, 100, sizeof(one) };

    (void)state;
    for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct waybill_reader *reader = reader_new();
        unsigned orders = 0;
        waybill_reader_on_record(reader, look_at_order, &orders);
        read_all(reader, one, pieces[i]);
        assert_int_equal(orders, 1);
        assert_int_equal(waybill_reader_count(reader, WAYBILL_RECORDS), 1);
        assert_int_equal(waybill_reader_count(reader, WAYBILL_DOCUMENTS), 1);
        assert_int_equal(waybill_reader_count(reader, WAYBILL_REFUSED), 0);
        assert_int_equal(waybill_reader_count(reader, WAYBILL_ERRORS), 0);
        assert_int_equal(waybill_reader_count(reader, WAYBILL_WARNINGS), 0);
        waybill_reader_free(&reader);
        assert_null(reader);
    }
}

static int take_decimal(void *ctx, const struct waybill_value *order)
{
    int64_t number = 0;
    int places = 0, rc = waybill_decimal(order, "lines[0].quantity", &number, &places);

    snprintf(ctx, 64, "%d %lld %d", rc, (long long)number, places);
    return 0;
}

static void test_decimals(void **state)
{
    static const struct {
        const char *written, *read;
    } cases[] = {
        { "0", "0 0 0" },       { "0.5", "0 5 1" },     { ".5", "0 5 1" },      { "-12.250", "0 -12250 3" },
        { "12.", "0 12 0" },    { "000123", "0 123 0" }, { "999999999999999", "0 999999999999999 0" },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct waybill_reader *reader = reader_new();
        char text[1024], read[64] = "";
        snprintf(text, sizeof(text), ISA GS "ST*850*0001~BEG*00*SA*1**20260115~PO1*1*%s*EA*1~CTT*1~SE*5*0001~" END("1"),
                 cases[i].written);
        waybill_reader_on_record(reader, take_decimal, read);
        read_all(reader, text, sizeof(text));
        assert_string_equal(read, cases[i].read);
        waybill_reader_free(&reader);
    }
}

static int look_at_nul(void *ctx, const struct waybill_value *order)
{
    ++*(unsigned *)ctx;
    assert_string_equal(waybill_text(order, "vendor_number"), "A\xef\xbf\xbd\\u0000B");
    return 0;
}

static void test_a_nul_of_the_partners(void **state)
{
    static const char text[] = ISA GS "ST*850*0001~BEG*00*SA*1**20260115~REF*IA*A\0\\u0000B~PO1*1*1*EA*1~CTT*1~SE*6*0001~"
                                      END("1");
    struct waybill_reader *reader = reader_new();
    unsigned orders = 0;

    (void)state;
    waybill_reader_on_record(reader, look_at_nul, &orders);
    assert_int_equal(waybill_reader_feed(reader, text, sizeof(text) - 1, NULL), 0);
    assert_int_equal(waybill_reader_end(reader, NULL), 0);
    assert_int_equal(orders, 1);
    waybill_reader_free(&reader);
}

static int copy_json(void *ctx, const struct waybill_value *record)
{
    size_t n;
    const char *json = waybill_json(record, &n);

    gather(ctx, json, n);
    return gather(ctx, "\n", 1);
}

static void test_json_is_the_record(void **state)
{
    struct gathered json = { .n = 0 }, record = { .n = 0 };
    struct waybill_reader *reader = reader_new();

    (void)state;
    waybill_reader_on_json(reader, gather, &json);
    waybill_reader_on_record(reader, copy_json, &record);
    assert_int_equal(waybill_reader_set(reader, "transmission", "T-17", NULL), 0);
    assert_int_equal(waybill_reader_set(reader, "partner", "northwind", NULL), 0);
    read_all(reader, two, 50);
    assert_string_equal(json.p, record.p);
    assert_non_null(strstr(json.p, "\"transmission\":\"T-17\""));
    assert_non_null(strstr(json.p, "\"partner\":\"northwind\""));
    assert_non_null(strstr(json.p, "\"rejected\":[{\"code\":\"X12-AK4-6\""));
    assert_int_equal(waybill_reader_count(reader, WAYBILL_RECORDS), 2);
    assert_int_equal(waybill_reader_count(reader, WAYBILL_REFUSED), 1);
    waybill_reader_free(&reader);
}

static void test_a_record_over_its_ceiling(void **state)
{
    struct waybill_reader *reader = reader_new();
    struct waybill_error error = { 0, "" };
    static char text[65536];
    unsigned orders = 0;
    size_t n;

    (void)state;
    n = (size_t)snprintf(text, sizeof(text), ISA GS "ST*850*0001~BEG*00*SA*1**20260115~");
    for (unsigned i = 1; i <= 200; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "PO1*%u*1*EA*1~", i);
    snprintf(text + n, sizeof(text) - n, "CTT*200~SE*204*0001~" END("1"));
    assert_int_equal(waybill_reader_set(reader, "ceiling", "4096", &error), 0);
    waybill_reader_on_record(reader, look_at_order, &orders);
    assert_int_equal(waybill_reader_feed(reader, text, strlen(text), &error), WAYBILL_LIMIT);
    assert_non_null(strstr(error.text, "4096"));
    assert_int_equal(orders, 0);
    waybill_reader_free(&reader);
}

/* ---- findings, documents, acknowledgments ---- */

static int look_at_finding(void *ctx, const struct waybill_finding *f)
{
    ++*(unsigned *)ctx;
    assert_string_equal(f->code, "X12-AK4-6");
    assert_int_equal(f->severity, WAYBILL_ERROR);
    assert_string_equal(f->message, "PO102 Quantity Ordered: \"ten\" is not a number (R 1/15)");
    assert_non_null(strstr(f->acknowledgment, "AK4*2*330*6*ten"));
    assert_int_equal(f->document, 2);
    assert_int_equal(f->segment, 4);
    assert_int_equal(f->element, 2);
    assert_int_equal(f->line, 14);
    assert_int_equal(f->column, 1);
    assert_memory_equal(two + f->offset, "PO1*1*ten", 9);
    assert_string_equal(f->set, "850");
    assert_string_equal(f->control, "0002");
    assert_string_equal(f->tag, "PO1");
    assert_string_equal(f->element_id, "330");
    assert_string_equal(f->element_name, "Quantity Ordered");
    assert_string_equal(f->found, "is not a number");
    assert_string_equal(f->expected, "R 1/15");
    assert_int_equal(f->value_length, 3);
    assert_memory_equal(f->value, "ten", 3);
    assert_memory_equal(f->segment_bytes + f->at, "ten", f->width);
    assert_int_equal(f->missing, 0);
    starts_with(waybill_finding_text(f, "two.edi"), "two.edi: document 2 (850, control 0002), segment 4, line 14");
    assert_int_equal(*waybill_finding_json(f, "two.edi"), '{');
    return 0;
}

static int look_at_document(void *ctx, const struct waybill_document *d)
{
    unsigned n = ++*(unsigned *)ctx;

    assert_string_equal(d->set, "850");
    assert_string_equal(d->control, n == 1 ? "0001" : "0002");
    assert_string_equal(d->version, "004010");
    assert_string_equal(d->group_control, "17");
    assert_string_equal(d->interchange_control, "000000905");
    assert_string_equal(d->sender, "ZZ:NORTHWIND");
    assert_string_equal(d->receiver, "ZZ:ACMECORP");
    assert_int_equal(d->test, 1);
    assert_int_equal(d->ordinal, n);
    assert_int_equal(d->segments, 8);
    assert_int_equal(d->errors, n - 1);
    return 0;
}

static void test_checking_only(void **state)
{
    struct waybill_reader *reader = reader_new();
    unsigned findings = 0, documents = 0;

    (void)state;
    waybill_reader_on_finding(reader, look_at_finding, &findings);
    waybill_reader_on_document(reader, look_at_document, &documents);
    read_all(reader, two, 11);
    assert_int_equal(findings, 1);
    assert_int_equal(documents, 2);
    assert_int_equal(waybill_reader_count(reader, WAYBILL_RECORDS), 0);
    assert_int_equal(waybill_reader_count(reader, WAYBILL_REFUSED), 1);
    waybill_reader_free(&reader);
}

static void test_acknowledgment(void **state)
{
    struct waybill_reader *reader = reader_new();
    struct waybill_error error;
    struct gathered answer = { .n = 0 };

    (void)state;
    waybill_reader_on_acknowledgment(reader, gather, &answer);
    ok(waybill_reader_set(reader, "at", "2026-11-20T18:30:05", &error), &error);
    ok(waybill_reader_set(reader, "control", "71", &error), &error);
    read_all(reader, two, 13);
    assert_string_equal(answer.p,
                        "ISA*00*          *00*          *ZZ*ACMECORP       *ZZ*NORTHWIND      *261120*1830*U*00401*000000071*0*T*>~"
                        "GS*FA*ACME*NWPO*20261120*183005*71*X*004010~ST*997*0001~AK1*PO*17~AK2*850*0001~AK5*A~"
                        "AK2*850*0002~AK3*PO1*4*PO1*8~AK4*2*330*6*ten~AK5*R*5~AK9*P*2*2*1~SE*10*0001~GE*1*71~IEA*1*000000071~");
    waybill_reader_free(&reader);

    reader = reader_new();
    answer.n = 0;
    waybill_reader_on_acknowledgment(reader, gather, &answer);
    ok(waybill_reader_set(reader, "at", "2026-11-20T18:30:05", &error), &error);
    read_all(reader,
             "UNB+UNOC:3+A:14+B:14+261120:0905+42'UNH+1+ORDERS:D:96A:UN'BGM+220+4711+9'DTM+137:20261126:102'"
             "LIN+1++4000862141404:EN'QTY+21:ten'UNS+S'UNT+7+1'UNZ+1+42'",
             13);
    assert_string_equal(answer.p, "UNA:+.? 'UNB+UNOC:3+B:14+A:14+261120:1830+1'UNH+1+CONTRL:D:3:UN'UCI+42+A:14+B:14+7'"
                                  "UCM+1+ORDERS:D:96A:UN+4'UCS+5'UCD+37+2:2'UNT+6+1'UNZ+1+1'");
    waybill_reader_free(&reader);

    reader = reader_new();
    waybill_reader_on_acknowledgment(reader, gather, &answer);
    assert_int_equal(waybill_reader_feed(reader, one, 10, &error), WAYBILL_USAGE);
    assert_non_null(strstr(error.text, "\"at\""));
    waybill_reader_free(&reader);
}

static int count_finding(void *ctx, const struct waybill_finding *f)
{
    if (f->severity == WAYBILL_ERROR)
        ++*(unsigned *)ctx;
    return 0;
}

static void test_allow_and_refuse(void **state)
{
    static const char wrong[] = ISA GS "ST*850*0001~BEG*00*SA*1**20260115~PO1*1*1*EA*1~CTT*1~SE*9*0001~" END("1");
    static const struct {
        const char *option, *value;
        unsigned errors;
    } cases[] = { { "allow", "wrong-counts", 0 },
                  { "allow", "short-isa, wrong-counts", 0 },
                  { "refuse", "wrong-counts", 1 },
                  { "refuse", "all", 1 } };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct waybill_reader *reader = reader_new();
        unsigned errors = 0;
        assert_int_equal(waybill_reader_set(reader, cases[i].option, cases[i].value, NULL), 0);
        waybill_reader_on_finding(reader, count_finding, &errors);
        read_all(reader, wrong, sizeof(wrong));
        assert_int_equal(errors, cases[i].errors);
        assert_int_equal(waybill_reader_count(reader, WAYBILL_ERRORS), cases[i].errors);
        waybill_reader_free(&reader);
    }
}

/* ---- errors of the caller's ---- */

static void test_options_are_held_to_their_values(void **state)
{
    static const struct {
        const char *name, *value;
        int code;
        const char *words;
    } cases[] = {
        { "alow", "x", WAYBILL_USAGE, "did you mean \"allow\"" },
        { "allow", "short-isa,nonsense", WAYBILL_USAGE, "nonsense" },
        { "ceiling", "12", WAYBILL_USAGE, "ceiling" },
        { "ceiling", "many", WAYBILL_USAGE, "ceiling" },
        { "at", "20 November", WAYBILL_USAGE, "at:" },
        { "at", "2026-13-20T18:30", WAYBILL_USAGE, "at:" },
        { "control", "0", WAYBILL_USAGE, "control" },
        { "ta1", "maybe", WAYBILL_USAGE, "ta1" },
        { "line-end", "cr", WAYBILL_USAGE, "line-end" },
        { "map", "x12/999-nothing", WAYBILL_MISSING, "" },
        { "map-file", "/nonexistent/map", WAYBILL_MISSING, "" },
        { "guide-file", "/nonexistent/guide", WAYBILL_MISSING, "" },
    };
    struct waybill_reader *reader = reader_new();

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct waybill_error error = { 0, "" };
        assert_int_equal(waybill_reader_set(reader, cases[i].name, cases[i].value, &error), cases[i].code);
        assert_int_equal(error.code, cases[i].code);
        assert_int_not_equal(error.text[0], 0);
        if (!strstr(error.text, cases[i].words))
            fail_msg("%s: %s", cases[i].name, error.text);
    }
    assert_int_equal(waybill_reader_set(reader, NULL, "x", NULL), WAYBILL_USAGE);
    assert_int_equal(waybill_reader_set(reader, "map", NULL, NULL), WAYBILL_USAGE);
    /* they do no harm, and are too late once bytes were fed */
    read_all(reader, one, 10);
    assert_int_equal(waybill_reader_set(reader, "allow", "short-isa", NULL), WAYBILL_USAGE);
    assert_int_equal(waybill_reader_feed(reader, one, 1, NULL), WAYBILL_USAGE);
    assert_int_equal(waybill_reader_end(reader, NULL), WAYBILL_USAGE);
    waybill_reader_free(&reader);
}

static void test_a_wrong_map_file(void **state)
{
    char path[] = "/tmp/waybill-test-XXXXXX";
    struct waybill_reader *reader = reader_new();
    struct waybill_error error;
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    (void)state;
    assert_non_null(file);
    fputs("map northwind/850 from x12/850-order\n  BEG99 <-> nothing_of_the_kind nonsense\n  what\n", file);
    fclose(file);
    assert_string_equal(waybill_reader_complaints(reader), "");
    assert_int_equal(waybill_reader_set(reader, "map-file", path, &error), WAYBILL_CONFIG);
    assert_memory_equal(error.text, path, strlen(path));
    assert_memory_equal(waybill_reader_complaints(reader), path, strlen(path));
    remove(path);
    waybill_reader_free(&reader);
}

static int stop_it(void *ctx, const struct waybill_value *record)
{
    (void)record;
    ++*(unsigned *)ctx;
    return 7;
}

static int stop_bytes(void *ctx, const char *p, size_t n)
{
    (void)p;
    (void)n;
    ++*(unsigned *)ctx;
    return -1;
}

static int stop_finding(void *ctx, const struct waybill_finding *finding)
{
    (void)finding;
    ++*(unsigned *)ctx;
    return 1;
}

static int stop_document(void *ctx, const struct waybill_document *document)
{
    (void)document;
    ++*(unsigned *)ctx;
    return 1;
}

static void test_stopping(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        struct waybill_reader *reader = reader_new();
        struct waybill_error error = { 0, "" };
        unsigned calls = 0;
        int rc;
        assert_int_equal(waybill_reader_set(reader, "at", "2026-11-20T18:30", NULL), 0);
        if (i == 0)
            waybill_reader_on_record(reader, stop_it, &calls);
        else if (i == 1)
            waybill_reader_on_json(reader, stop_bytes, &calls);
        else if (i == 2)
            waybill_reader_on_finding(reader, stop_finding, &calls);
        else if (i == 3)
            waybill_reader_on_document(reader, stop_document, &calls);
        else
            waybill_reader_on_acknowledgment(reader, stop_bytes, &calls);
        rc = waybill_reader_feed(reader, two, strlen(two), &error);
        if (rc == 0)
            rc = waybill_reader_end(reader, &error);
        assert_int_equal(rc, WAYBILL_STOP);
        assert_int_equal(error.code, WAYBILL_STOP);
        assert_string_equal(error.text, "stopped by the caller's function");
        assert_int_equal(calls, 1);
        /* it stays so */
        assert_int_equal(waybill_reader_feed(reader, two, 1, &error), WAYBILL_STOP);
        assert_int_equal(waybill_reader_end(reader, NULL), WAYBILL_STOP);
        assert_int_equal(calls, 1);
        waybill_reader_free(&reader);
    }
}

static void test_folder(void **state)
{
    struct waybill *w = waybill;
    struct waybill_error error = { 0, "" };
    struct waybill_reader *reader = NULL;
    struct waybill_writer *writer = NULL;

    (void)state;
    assert_int_equal(waybill_new("/nonexistent/maps", &w, &error), WAYBILL_MISSING);
    assert_null(w);
    assert_int_equal(error.code, WAYBILL_MISSING);
    assert_non_null(strstr(error.text, "/nonexistent/maps"));
    assert_int_equal(waybill_new("", &w, &error), WAYBILL_USAGE);
    assert_int_equal(waybill_new(NULL, &w, NULL), WAYBILL_USAGE);
    /* nothing to free */
    waybill_free(&w);
    waybill_free(NULL);
    waybill_reader_free(&reader);
    waybill_reader_free(NULL);
    waybill_writer_free(&writer);
    waybill_writer_free(NULL);
}

static void test_words_of_codes(void **state)
{
    (void)state;
    for (int code = 0; code >= WAYBILL_INTERNAL - 1; code--) {
        assert_non_null(waybill_strerror(code));
        assert_int_not_equal(waybill_strerror(code)[0], 0);
        for (int other = code + 1; other <= 0; other++)
            assert_string_not_equal(waybill_strerror(code), waybill_strerror(other));
    }
    assert_non_null(waybill_version());
}

/* ---- writing ---- */

static struct waybill_writer *writer_new(struct gathered *bytes)
{
    struct waybill_writer *writer;
    struct waybill_error error;

    ok(waybill_writer_new(waybill, gather, bytes, &writer, &error), &error);
    ok(waybill_writer_set(writer, "at", "2026-11-20T18:30", &error), &error);
    ok(waybill_writer_set(writer, "ISA06", "ACMECORP", &error), &error);
    ok(waybill_writer_set(writer, "ISA08", "NORTHWIND", &error), &error);
    return writer;
}

/* The lines of JSON that a text gives, each ended. */
static void records_of(const char *text, struct gathered *json)
{
    struct waybill_reader *reader = reader_new();

    waybill_reader_on_json(reader, gather, json);
    read_all(reader, text, 1000);
    waybill_reader_free(&reader);
}

static void write_lines(struct waybill_writer *writer, const char *json)
{
    struct waybill_error error;

    for (const char *end; (end = strchr(json, '\n')) != NULL; json = end + 1)
        ok(waybill_writer_record(writer, json, (size_t)(end - json), &error), &error);
}

static void test_writing(void **state)
{
    struct gathered json = { .n = 0 }, again = { .n = 0 }, bytes = { .n = 0 };
    struct waybill_writer *writer = writer_new(&bytes);
    struct waybill_error error;

    (void)state;
    records_of(ISA GS ORDER("0001", "PO-1001", "10") ORDER("0002", "PO-1002", "11") END("2"), &json);
    ok(waybill_writer_set(writer, "ISA13", "42", &error), &error);
    ok(waybill_writer_set(writer, "GS06", "7", &error), &error);
    ok(waybill_writer_set(writer, "ISA15", "T", &error), &error);
    ok(waybill_writer_set(writer, "GS02", "ACME", &error), &error);
    ok(waybill_writer_set(writer, "ST02", "31", &error), &error);
    ok(waybill_writer_set(writer, "line-end", "newline", &error), &error);
    write_lines(writer, json.p);
    ok(waybill_writer_end(writer, &error), &error);
    starts_with(bytes.p,
                "ISA*00*          *00*          *ZZ*ACMECORP       *ZZ*NORTHWIND      *261120*1830*U*00401*000000042*0*T*>~\n"
                "GS*PO*ACME*NORTHWIND*20261120*1830*7*X*004010~\nST*850*0031~\nBEG*00*SA*PO-1001**20260115~\n");
    assert_non_null(strstr(bytes.p, "ST*850*0032~\nBEG*00*SA*PO-1002**20260115~\n"));
    assert_non_null(strstr(bytes.p, "GE*2*7~\nIEA*1*000000042~\n"));

    /* the next interchange counts on; nothing new is to be had from an end */
    ok(waybill_writer_end(writer, &error), &error);
    again = bytes;
    bytes.n = 0;
    write_lines(writer, json.p);
    ok(waybill_writer_end(writer, &error), &error);
    assert_non_null(strstr(bytes.p, "*000000043*0*T*>~\nGS*PO*ACME*NORTHWIND*20261120*1830*8*X*004010~\nST*850*0001~\n"));
    waybill_writer_free(&writer);
    assert_null(writer);

    /* and gives the same orders */
    json.n = 0;
    records_of(again.p, &json);
    assert_non_null(strstr(json.p, "\"number\":\"PO-1001\""));
    assert_non_null(strstr(json.p, "\"number\":\"PO-1002\""));
    assert_null(strstr(json.p, "rejected"));
}

static void test_separators_and_versions(void **state)
{
    struct gathered json = { .n = 0 }, bytes = { .n = 0 };
    struct waybill_writer *writer = writer_new(&bytes);
    struct waybill_error error;

    (void)state;
    records_of(one, &json);
    ok(waybill_writer_set(writer, "separators", "|:'", &error), &error);
    ok(waybill_writer_set(writer, "GS08", "005010", &error), &error);
    ok(waybill_writer_set(writer, "ISA05", "01", &error), &error);
    ok(waybill_writer_set(writer, "ISA14", "1", &error), &error);
    write_lines(writer, json.p);
    ok(waybill_writer_end(writer, &error), &error);
    starts_with(bytes.p, "ISA|00|          |00|          |01|ACMECORP       |ZZ|NORTHWIND      |261120|1830|");
    assert_non_null(strstr(bytes.p, "|00501|000000001|1|P|:'GS|PO|ACMECORP|NORTHWIND|20261120|1830|1|X|005010'ST|850|0001'"));
    assert_int_equal(waybill_writer_set(writer, "separators", "*>~", &error), WAYBILL_USAGE);
    waybill_writer_free(&writer);
}

#define UNB "UNB+UNOC:3+4012345000009:14+4098765000005:14+260115:0905+905'"
#define ORDERS(number, quantity) \
    "UNH+1+ORDERS:D:96A:UN'BGM+220+" number "+9'DTM+137:20260115:102'LIN+1++4000862141404:EN'QTY+21:" quantity \
    "'UNS+S'CNT+2:1'UNT+8+1'"

static void test_writing_edifact(void **state)
{
    static const char bad[] = "{\"record\":\"order\",\"version\":1,\"number\":17}";
    static const char *const wrong[][2] = {
        { "standard", "tradacoms" },
        { "UNA", ":+" },
        { "UNB01", "UNOZ:3" },
        { "UNB01", "UNOC:9" },
        { "UNB01", "UNOC" },
        { "UNH02", "D" },
        { "UNH02", "D:96A:UN:EAN008:x" },
        { "UNH02", "D:1996:UN" },
        { "UNB05", "A1" },
        { "UNB09", "yes" },
        { "UNB11", "" },
        { "UNB07", "fifteen letters" },
    };
    struct gathered json = { .n = 0 }, bytes = { .n = 0 };
    struct waybill_writer *writer;
    struct waybill_error error;

    (void)state;
    records_of(UNB ORDERS("PO-1001", "10") ORDERS("PO?+1002", "11.5") "UNZ+2+905'", &json);
    ok(waybill_writer_new(waybill, gather, &bytes, &writer, &error), &error);
    ok(waybill_writer_set(writer, "standard", "edifact", &error), &error);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (waybill_writer_set(writer, wrong[i][0], wrong[i][1], &error) != WAYBILL_USAGE)
            fail_msg("%s %s", wrong[i][0], wrong[i][1]);
        assert_non_null(strstr(error.text, wrong[i][0]));
    }
    ok(waybill_writer_set(writer, "at", "2026-11-20T18:30", &error), &error);
    assert_int_equal(waybill_writer_record(writer, json.p, strcspn(json.p, "\n"), &error), WAYBILL_USAGE);
    assert_non_null(strstr(error.text, "\"UNB02\""));
    ok(waybill_writer_set(writer, "UNA", ":+,? '", &error), &error);
    ok(waybill_writer_set(writer, "UNB01", "UNOA:2", &error), &error);
    ok(waybill_writer_set(writer, "transliterate", "yes", &error), &error);
    ok(waybill_writer_set(writer, "line-end", "newline", &error), &error);
    ok(waybill_writer_set(writer, "UNB02", "4012345000009:14", &error), &error);
    ok(waybill_writer_set(writer, "UNB03", "4098765000005:14:DEPOT", &error), &error);
    ok(waybill_writer_set(writer, "UNB05", "42", &error), &error);
    ok(waybill_writer_set(writer, "UNB07", "ORDERS", &error), &error);
    ok(waybill_writer_set(writer, "UNB09", "1", &error), &error);
    ok(waybill_writer_set(writer, "UNB11", "1", &error), &error);
    ok(waybill_writer_set(writer, "UNH02", "D:96A:UN:EAN008", &error), &error);
    assert_int_equal(waybill_writer_record(writer, bad, sizeof(bad) - 1, NULL), WAYBILL_DATA);
    write_lines(writer, json.p);
    assert_int_equal(waybill_writer_record(writer, bad, sizeof(bad) - 1, NULL), WAYBILL_DATA);
    assert_int_equal(waybill_writer_set(writer, "UNB01", "UNOC:3", &error), WAYBILL_USAGE);
    ok(waybill_writer_end(writer, &error), &error);
    starts_with(bytes.p, "UNA:+,? '\nUNB+UNOA:2+4012345000009:14+4098765000005:14:DEPOT+261120:1830+42++ORDERS++1++1'\n"
                         "UNH+1+ORDERS:D:96A:UN:EAN008'\nBGM+220+PO-1001+9'\n");
    assert_non_null(strstr(bytes.p, "'\nUNH+2+ORDERS:D:96A:UN:EAN008'\nBGM+220+PO?+1002+9'\n"));
    assert_non_null(strstr(bytes.p, "11,5"));
    assert_non_null(strstr(bytes.p, "'\nUNZ+2+42'\n"));

    /* the next interchange counts on, its messages from 1; the map's own version where none is set */
    bytes.n = 0;
    ok(waybill_writer_set(writer, "UNH02", "", &error), &error);
    write_lines(writer, json.p);
    ok(waybill_writer_end(writer, &error), &error);
    assert_non_null(strstr(bytes.p, "+43++ORDERS++1++1'\nUNH+1+ORDERS:D:96A:UN'\n"));
    waybill_writer_free(&writer);

    /* and gives the same orders */
    json.n = 0;
    bytes.p[bytes.n] = 0;
    records_of(bytes.p, &json);
    assert_non_null(strstr(json.p, "\"number\":\"PO-1001\""));
    assert_non_null(strstr(json.p, "\"number\":\"PO+1002\""));
    assert_non_null(strstr(json.p, "\"11.5\""));
    assert_null(strstr(json.p, "rejected"));
}

/* A record of the other standard is written as the command line writes it. */
static void test_writing_across(void **state)
{
    struct gathered json = { .n = 0 }, bytes = { .n = 0 };
    struct waybill_writer *writer = writer_new(&bytes);
    struct waybill_error error;

    (void)state;
    records_of(UNB "UNH+1+DESADV:D:96A:UN'BGM+351+LS-1+9'DTM+137:202601151230:203'CPS+1'LIN+1++4000862141404:EN'QTY+12:3:PCE'"
                   "RFF+ON:4711'UNT+8+1'UNZ+1+905'", &json);
    write_lines(writer, json.p);
    ok(waybill_writer_end(writer, &error), &error);
    assert_non_null(strstr(bytes.p, "HL*1**S*1~HL*2*1*O*1~PRF*4711~HL*3*2*I*0~LIN*1*EN*4000862141404~SN1**3*PC~CTT*3*3~"));
    waybill_writer_free(&writer);
}

/* An envelope is opened for a record, and taken back with it. */
static void test_refused_records_leave_no_envelope(void **state)
{
    static const char bad[] = "{\"record\":\"order\",\"version\":1,\"number\":17}";
    struct gathered json = { .n = 0 }, bytes = { .n = 0 };
    struct waybill_writer *writer = writer_new(&bytes);
    struct waybill_error error;

    (void)state;
    records_of(one, &json);
    assert_int_equal(waybill_writer_record(writer, bad, sizeof(bad) - 1, NULL), WAYBILL_DATA);
    write_lines(writer, json.p);
    ok(waybill_writer_set(writer, "GS08", "005010", &error), &error);
    assert_int_equal(waybill_writer_record(writer, bad, sizeof(bad) - 1, NULL), WAYBILL_DATA);
    ok(waybill_writer_set(writer, "GS08", "", &error), &error);
    write_lines(writer, json.p);
    ok(waybill_writer_set(writer, "GS08", "005010", &error), &error);
    ok(waybill_writer_set(writer, "GS03", "OTHER", &error), &error);
    write_lines(writer, json.p);
    ok(waybill_writer_end(writer, &error), &error);
    starts_with(bytes.p,
                "ISA*00*          *00*          *ZZ*ACMECORP       *ZZ*NORTHWIND      *261120*1830*U*00401*000000001*0*P*>~"
                "GS*PO*ACMECORP*NORTHWIND*20261120*1830*1*X*004010~ST*850*0001~");
    assert_non_null(strstr(bytes.p, "GE*2*1~GS*PO*ACMECORP*OTHER*20261120*1830*2*X*005010~ST*850*0001~"));
    assert_non_null(strstr(bytes.p, "GE*1*2~IEA*2*000000001~"));
    waybill_writer_free(&writer);
}

struct refusals {
    unsigned n, errors;
    char path[100], message[1000];
};

static int take_refusal(void *ctx, const struct waybill_refusal *r)
{
    struct refusals *all = ctx;

    all->n++;
    all->errors += r->severity == WAYBILL_ERROR;
    snprintf(all->path, sizeof(all->path), "%s", r->path);
    snprintf(all->message, sizeof(all->message), "%s", r->message);
    assert_non_null(r->code);
    assert_non_null(r->found);
    assert_non_null(r->expected);
    assert_non_null(r->place);
    return 0;
}

#define RECORD(fields) "{\"record\":\"order\",\"version\":1," fields "}"

static void test_refusals(void **state)
{
    static const struct {
        const char *json;
        int code;
        const char *path;
    } cases[] = {
        { "{\"record\":", WAYBILL_DATA, NULL },
        { "17", WAYBILL_DATA, "" },
        { "{}", WAYBILL_DATA, "" },
        { "{\"record\":17}", WAYBILL_DATA, "" },
        { "{\"record\":\"nothing\",\"version\":1}", WAYBILL_MISSING, NULL },
        { RECORD("\"number\":17"), WAYBILL_DATA, NULL },
        { RECORD("\"id\":\"1\",\"purpose\":\"original\",\"type\":\"stand_alone\",\"number\":\"" "12345678901234567890123"
                 "\",\"ordered_on\":\"2026-01-15\",\"lines\":[{\"quantity\":\"1\",\"unit\":\"EA\"}]"), WAYBILL_DATA, "number" },
    };
    struct gathered bytes = { .n = 0 }, json = { .n = 0 };
    struct waybill_writer *writer = writer_new(&bytes);
    struct waybill_error error;

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct refusals refusals = { .n = 0 };
        waybill_writer_on_refusal(writer, take_refusal, &refusals);
        assert_int_equal(waybill_writer_record(writer, cases[i].json, strlen(cases[i].json), &error), cases[i].code);
        assert_int_equal(error.code, cases[i].code);
        assert_int_not_equal(error.text[0], 0);
        if (cases[i].path) {
            assert_int_not_equal(refusals.errors, 0);
            assert_string_equal(refusals.path, cases[i].path);
        }
    }
    waybill_writer_on_refusal(writer, NULL, NULL);
    /* nothing was written at all */
    ok(waybill_writer_end(writer, &error), &error);
    assert_int_equal(bytes.n, 0);
    /* a good one goes out even so, and a bad one beside it leaves no trace */
    records_of(one, &json);
    write_lines(writer, json.p);
    assert_int_equal(waybill_writer_record(writer, cases[6].json, strlen(cases[6].json), NULL), WAYBILL_DATA);
    ok(waybill_writer_end(writer, &error), &error);
    assert_non_null(strstr(bytes.p, "GE*1*"));
    assert_null(strstr(bytes.p, "1234567890123"));
    waybill_writer_free(&writer);
}

/* A document without ST, SE and group. */
static void test_writing_ta1(void **state)
{
    static const char refused[] = "{\"record\":\"acknowledgment\",\"version\":1,\"status\":\"accepted\"}\n";
    struct gathered bytes = { .n = 0 }, json = { .n = 0 };
    struct waybill_writer *writer = writer_new(&bytes);
    struct waybill_error error;

    (void)state;
    records_of(ISA "TA1*000000007*260115*0905*R*023~TA1*000000008*260115*0906*A*000~IEA*0*000000042~", &json);
    ok(waybill_writer_set(writer, "map", "x12/TA1-acknowledgment", &error), &error);
    assert_int_equal(waybill_writer_record(writer, refused, sizeof(refused) - 1, &error), WAYBILL_DATA);
    write_lines(writer, json.p);
    assert_int_equal(waybill_writer_record(writer, refused, sizeof(refused) - 1, &error), WAYBILL_DATA);
    ok(waybill_writer_end(writer, &error), &error);
    waybill_writer_free(&writer);
    bytes.p[bytes.n] = 0;
    assert_string_equal(strstr(bytes.p, "TA1"), "TA1*000000007*260115*0905*R*023~TA1*000000008*260115*0906*A*000~IEA*0*000000001~");
}

static void test_writer_options(void **state)
{
    static const char *const wrong[][2] = {
        { "ISA99", "1" },         { "ISA13", "0" },        { "ISA13", "1234567890" }, { "ISA13", "x" },
        { "ISA15", "X" },         { "ISA14", "yes" },      { "ISA06", "sixteen letters!" }, { "at", "now" },
        { "separators", "*>" },   { "line-end", "lf" },    { "charset", "ebcdic" },   { "transliterate", "1" },
        { "allow", "nonsense" },
    };
    struct gathered bytes = { .n = 0 }, json = { .n = 0 };
    struct waybill_writer *writer;
    struct waybill_error error = { 0, "" };

    (void)state;
    assert_int_equal(waybill_writer_new(waybill, NULL, NULL, &writer, &error), WAYBILL_USAGE);
    assert_null(writer);
    assert_int_equal(waybill_writer_new(waybill, gather, &bytes, &writer, NULL), 0);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (waybill_writer_set(writer, wrong[i][0], wrong[i][1], &error) != WAYBILL_USAGE)
            fail_msg("%s", wrong[i][0]);
        assert_non_null(strstr(error.text, wrong[i][0]));
    }
    records_of(one, &json);
    assert_int_equal(waybill_writer_record(writer, json.p, json.n, &error), WAYBILL_USAGE);
    assert_non_null(strstr(error.text, "\"at\""));
    waybill_writer_free(&writer);

    writer = writer_new(&bytes);
    assert_int_equal(waybill_writer_set(writer, "charset", "basic", NULL), 0);
    assert_int_equal(waybill_writer_set(writer, "transliterate", "yes", NULL), 0);
    assert_int_equal(waybill_writer_set(writer, "unmapped", "no", NULL), 0);
    assert_int_equal(waybill_writer_set(writer, "separators", "AA~", NULL), 0);
    /* letters cannot separate anything; whoever writes says so */
    assert_int_equal(waybill_writer_record(writer, json.p, json.n, &error), WAYBILL_USAGE);
    waybill_writer_free(&writer);
}

/* ---- several threads ---- */

static void *read_on_a_thread(void *arg)
{
    struct waybill_reader *reader = NULL;
    int *failed = arg;

    for (unsigned i = 0; i < 20 && !*failed; i++) {
        struct gathered *json = calloc(1, sizeof(*json));
        *failed = !json || waybill_reader_new(waybill, &reader, NULL) != 0;
        if (!*failed) {
            waybill_reader_on_json(reader, gather, json);
            *failed = waybill_reader_feed(reader, two, strlen(two), NULL) || waybill_reader_end(reader, NULL) ||
                      waybill_reader_count(reader, WAYBILL_RECORDS) != 2 ||
                      waybill_reader_count(reader, WAYBILL_ERRORS) != 1;
        }
        waybill_reader_free(&reader);
        free(json);
    }
    return NULL;
}

static void test_threads_share_the_folder(void **state)
{
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    int failed[THREADS] = { 0 };

    (void)state;
    /* nothing has been read of it yet */
    waybill_free(&waybill);
    assert_int_equal(waybill_new(maps(), &waybill, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, read_on_a_thread, &failed[i]), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(failed[i], 0);
    }
}

/* ---- memory ---- */

/* What a run gave; two runs of the same work must give the same. */
struct outcome {
    struct gathered json, answer;
    uint64_t records, findings, documents;
    struct waybill *waybill;        /* NULL: one of the run's own, for which everything is read anew */
};

static int count_record(void *ctx, const struct waybill_value *record)
{
    struct outcome *o = ctx;

    o->records++;
    return waybill_text(record, "lines[0].quantity") == NULL;
}

static int count_document(void *ctx, const struct waybill_document *document)
{
    struct outcome *o = ctx;

    o->documents++;
    return document->set[0] == 0;
}

static int count_and_show(void *ctx, const struct waybill_finding *finding)
{
    struct outcome *o = ctx;

    o->findings++;
    /* NULL: memory is out */
    return !waybill_finding_text(finding, "file") || !waybill_finding_json(finding, "file");
}

static int read_everything(struct outcome *o)
{
    struct waybill *own = NULL;
    struct waybill_reader *reader = NULL;
    int rc = waybill_new(maps(), &own, NULL);

    if (rc == 0)
        rc = waybill_reader_new(own, &reader, NULL);
    if (rc == 0) {
        waybill_reader_on_record(reader, count_record, o);
        waybill_reader_on_json(reader, gather, &o->json);
        waybill_reader_on_document(reader, count_document, o);
        waybill_reader_on_finding(reader, count_and_show, o);
        waybill_reader_on_acknowledgment(reader, gather, &o->answer);
        rc = waybill_reader_set(reader, "at", "2026-11-20T18:30", NULL);
    }
    if (rc == 0)
        rc = waybill_reader_set(reader, "transmission", "T-1", NULL);
    if (rc == 0)
        rc = waybill_reader_set(reader, "map", "x12/850-order", NULL);
    if (rc == 0)
        rc = waybill_reader_feed(reader, two, strlen(two), NULL);
    if (rc == 0)
        rc = waybill_reader_end(reader, NULL);
    waybill_reader_free(&reader);
    waybill_free(&own);
    return rc;
}

static const char refused_record[] = RECORD("\"number\":17");
static struct gathered good_record;

static int count_refusal(void *ctx, const struct waybill_refusal *refusal)
{
    struct outcome *o = ctx;

    o->findings += refusal->message[0] != 0;
    return 0;
}

static int write_everything(struct outcome *o)
{
    struct waybill_writer *writer = NULL;
    int rc = waybill_writer_new(o->waybill, gather, &o->answer, &writer, NULL);

    if (rc == 0) {
        waybill_writer_on_refusal(writer, count_refusal, o);
        waybill_writer_set(writer, "at", "2026-11-20T18:30", NULL);
        waybill_writer_set(writer, "ISA06", "ACMECORP", NULL);
        waybill_writer_set(writer, "ISA08", "NORTHWIND", NULL);
        rc = waybill_writer_record(writer, good_record.p, good_record.n, NULL);
    }
    if (rc == 0) {
        rc = waybill_writer_record(writer, refused_record, sizeof(refused_record) - 1, NULL);
        rc = rc == WAYBILL_DATA ? 0 : rc ? rc : WAYBILL_INTERNAL;
    }
    if (rc == 0)
        rc = waybill_writer_end(writer, NULL);
    waybill_writer_free(&writer);
    return rc;
}

/* Fails every allocation in turn, alone and with all behind it. Nothing may be left behind, and a run that does not say
 * that it failed must have given all that the others give. Returns how many allocations there are. */
static size_t fail_each(int (*work)(struct outcome *o), struct waybill *with)
{
    struct outcome *all = calloc(1, sizeof(*all)), *some = calloc(1, sizeof(*some));
    struct failing_malloc_result result = { 0 };
    size_t n = 0;
    int rc;

    assert_non_null(all);
    assert_non_null(some);
    all->waybill = with;
    rc = work(all);
    assert_int_equal(rc, 0);
    do {
        n++;
        for (unsigned mode = 0; mode < 2; mode++) {
            memset(some, 0, sizeof(*some));
            some->waybill = with;
            failing_malloc_start(n, mode ? FAIL_FROM_THEN_ON : FAIL_ONCE);
            rc = work(some);
            result = failing_malloc_stop();
            if (result.live)
                fail_msg("allocation %zu: %zu blocks are left", n, result.live);
            if (rc == 0 && memcmp(all, some, sizeof(*all)) != 0)
                fail_msg("allocation %zu: something is missing, and nobody says so", n);
            /* WAYBILL_CONFIG: a schema that cannot be read; WAYBILL_STOP: a finding that cannot be shown */
            if (rc != 0 && rc != WAYBILL_NOMEM && rc != WAYBILL_CONFIG && rc != WAYBILL_STOP)
                fail_msg("allocation %zu: %d: %s", n, rc, waybill_strerror(rc));
        }
    } while (result.failed);
    free(all);
    free(some);
    return n;
}

static void test_reading_without_memory(void **state)
{
    (void)state;
    assert_true(fail_each(read_everything, NULL) > 50);
}

static void test_writing_without_memory(void **state)
{
    (void)state;
    good_record.n = 0;
    records_of(one, &good_record);
    assert_true(fail_each(write_everything, waybill) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_a_nul_of_the_partners),
        cmocka_unit_test(test_json_is_the_record),
        cmocka_unit_test(test_a_record_over_its_ceiling),
        cmocka_unit_test(test_checking_only),
        cmocka_unit_test(test_acknowledgment),
        cmocka_unit_test(test_allow_and_refuse),
        cmocka_unit_test(test_options_are_held_to_their_values),
        cmocka_unit_test(test_a_wrong_map_file),
        cmocka_unit_test(test_stopping),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_words_of_codes),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_writing_edifact),
        cmocka_unit_test(test_writing_across),
        cmocka_unit_test(test_separators_and_versions),
        cmocka_unit_test(test_refused_records_leave_no_envelope),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_writing_ta1),
        cmocka_unit_test(test_writer_options),
        cmocka_unit_test(test_threads_share_the_folder),
        cmocka_unit_test(test_reading_without_memory),
        cmocka_unit_test(test_writing_without_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
