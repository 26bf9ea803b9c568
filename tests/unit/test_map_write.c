/*
 * map/write: records as documents. Most cases are rows: what the record holds, the segments it must become or what
 * must be said of it. The samples beside the base map are written, whole and streamed, and must be what they were
 * read from, byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "failing_malloc.h"
#include "map/express.h"
#include "map/write.h"

static const char *directory;
static struct guides *guides;
static struct maps *maps;

static int set_up(void **state)
{
    struct err err;
    (void)state;
    directory = getenv("WAYBILL_MAPS_DIR");
    if (!directory)
        directory = "maps";
    return guides_new(directory, &guides, &err) || maps_new(directory, &maps, &err);
}

static int tear_down(void **state)
{
    (void)state;
    maps_free(&maps);
    guides_free(&guides);
    return 0;
}

/* A file with that content, in `name` (room for 32). */
static int temporary(char *name, const char *text, size_t n)
{
    int fd;
    snprintf(name, 32, "/tmp/waybill-test-XXXXXX");
    fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), (ssize_t)n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static const struct map_plan *plan_from(struct maps *m, const char *text, const char *guide_id)
{
    struct complaints c;
    struct err err = { 0 };
    const struct guide *guide;
    const struct map *map;
    const struct map_plan *plan = NULL;
    char name[32];
    int code;

    complaints_init(&c);
    code = guides_by_id(guides, slice_of(guide_id), &c, &guide, &err);
    if (!code && text) {
        close(temporary(name, text, strlen(text)));
        code = maps_by_file(m, name, &c, &map, &err);
        unlink(name);
    } else if (!code) {
        code = maps_by_name(m, SLICE("x12/850-order"), &c, &map, &err);
    }
    if (!code)
        code = map_plan_for(m, map, guide, &c, &plan, &err);
    if (code)
        fail_msg("%s\n%s", err.text, buf_text(&c.text));
    complaints_deinit(&c);
    return plan;
}

/* ---- writing ---- */

struct said {
    struct buf text;
    unsigned errors, warnings;
    int stop_with;
};

static int on_finding(void *ctx, const struct map_write_finding *f)
{
    struct said *said = ctx;
    *(f->severity == SEVERITY_ERROR ? &said->errors : &said->warnings) += 1;
    buf_add_text(&said->text, f->code);
    buf_add_char(&said->text, ' ');
    map_write_finding_text(f, &said->text);
    buf_add_char(&said->text, '\n');
    return said->stop_with;
}

struct run {
    const struct map_plan *plan;
    struct map_write_options options;
    struct edi_write_options edi;
    size_t streamed;            /* in memory up to here; 0: whole */
    bool crossing;              /* the record is from a document of another standard */
    struct said said;
    struct buf out;             /* the segments between ST and SE, a newline behind each */
    unsigned refused;
    struct err err;
};

static void run_init(struct run *r, const struct map_plan *plan)
{
    *r = (struct run){ .plan = plan };
    edi_write_options_init(&r->edi);
    r->edi.syntax.terminator = '\n';
    buf_init(&r->said.text, 1 << 20);
    buf_init(&r->out, 1 << 20);
}

static void run_deinit(struct run *r)
{
    buf_deinit(&r->said.text);
    buf_deinit(&r->out);
}

static int write_records(struct run *r, struct edi_writer *edi, struct map_writer *w, int fd)
{
    struct record_reader_options options = { 0 };
    struct record_reader *reader = NULL;
    const struct record *record;
    int code;

    if (r->streamed)
        options = (struct record_reader_options){ .memory = r->streamed, .small = 1, .chunk = 64 };
    code = record_reader_new(fd, &options, &reader, &r->err);
    while (!code && (code = record_reader_next(reader, &record, &r->err)) > 0) {
        if (r->streamed)
            assert_true(record->streamed);
        code = map_write_record(w, record, edi, SLICE("0001"), SLICE(""), on_finding, &r->said, &r->err);
        if (code == ERR_DATA) {
            r->refused++;
            code = 0;
        }
    }
    record_reader_free(&reader);
    return code;
}

/* Records (as JSON) to r->out. */
static int run_text(struct run *r, const char *json, size_t n)
{
    const struct edi_envelope e = { .at = { 2026, 11, 20, 12, 0, -1 }, .sender = SLICE("ACMECORP"),
                                    .receiver = SLICE("NORTHWIND"), .interchange_control = SLICE("1"),
                                    .group = SLICE("PO"), .group_control = SLICE("1"), .version = SLICE("004010") };
    struct edi_writer *edi = NULL;
    struct map_writer *w = NULL;
    char name[32];
    int fd = temporary(name, json, n), code;

    unlink(name);
    code = edi_writer_new(&r->edi, &edi, &r->err);
    if (!code)
        code = map_writer_new(r->plan, &r->options, &w, &r->err);
    if (!code)
        map_writer_crossing(w, r->crossing);
    if (!code)
        code = edi_write_interchange(edi, &e);
    if (!code)
        code = edi_write_group(edi, &e);
    if (!code)
        code = write_records(r, edi, w, fd);
    if (!code)
        code = edi_write_group_end(edi);
    if (!code) {
        struct slice rest = edi_writer_output(edi), line;
        bool more = true;
        buf_clear(&r->out);
        while (more) {
            line = slice_cut(rest, '\n', &rest, &more);
            if (line.n && !slice_starts(line, SLICE("ISA")) && !slice_starts(line, SLICE("GS*")) &&
                !slice_starts(line, SLICE("GE*")) && !slice_starts(line, SLICE("ST*")) &&
                !slice_starts(line, SLICE("SE*"))) {
                buf_add_slice(&r->out, line);
                buf_add_char(&r->out, '\n');
            }
        }
        code = r->out.failed;
    }
    map_writer_free(&w);
    edi_writer_free(&edi);
    close(fd);
    return code;
}

static void run_ok(struct run *r, const char *json)
{
    if (run_text(r, json, strlen(json)))
        fail_msg("%s", r->err.text);
}

/* ---- rows ---- */

#define HEAD \
    "{\"record\":\"order\",\"version\":1,\"source\":{\"standard\":\"x12\",\"version\":\"004010\",\"set\":\"850\"," \
    "\"sender\":\"ZZ:A\",\"receiver\":\"ZZ:B\",\"interchange\":\"1\",\"group\":\"1\",\"document\":\"1\"," \
    "\"usage\":\"test\"},"
#define BEG "\"purpose\":\"original\",\"type\":\"stand_alone\",\"number\":\"77\",\"ordered_on\":\"2026-01-02\""
#define ITEM "\"items\":[{\"scheme\":\"gtin-12\",\"id\":\"012345678905\"}]"
#define LINE "{\"quantity\":\"10\",\"unit\":\"LBR\",\"unit_price\":\"1.5\"," ITEM "}"
#define LINES "\"lines\":[" LINE "]"
#define UNIT(unit) BEG ",\"lines\":[{\"quantity\":\"1\"," unit "," ITEM "}]"

#define BEG_OUT "BEG*00*SA*77**20260102\n"
#define PO1_OUT "PO1**10*LB*1.5**UP*012345678905\n"
#define CTT_OUT "CTT*1*10\n"

/* What is written, and what is said (each finding a line). Refused when `out` is NULL. */
struct row {
    const char *record;
    const char *out;
    const char *said;
};

static void check_rows_by(const struct map_plan *plan, const struct finding_policy *policy, const struct row *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct run r;
        char json[8000];
        run_init(&r, plan);
        r.options.policy = policy;
        snprintf(json, sizeof(json), HEAD "%s}", row[i].record);
        run_ok(&r, json);
        assert_string_equal(buf_text(&r.said.text), row[i].said);
        assert_string_equal(buf_text(&r.out), row[i].out ? row[i].out : "");
        assert_int_equal(r.refused, row[i].out == NULL);
        assert_true(r.said.errors > 0 || row[i].out != NULL);
        run_deinit(&r);
    }
}
static void check_rows(const struct map_plan *plan, const struct row *row, size_t n)
{
    check_rows_by(plan, NULL, row, n);
}
#define CHECK_ROWS(plan, rows) check_rows(plan, rows, sizeof(rows) / sizeof(rows[0]))

static void plain_orders(void **state)
{
    static const struct row rows[] = {
        { BEG "," LINES, BEG_OUT PO1_OUT CTT_OUT, "" },
        /* the order of keys does not count */
        { LINES "," BEG, BEG_OUT PO1_OUT CTT_OUT, "" },
        /* nothing empty makes a segment */
        { BEG ",\"release\":\"\",\"references\":[],\"dates\":[{}]," LINES, BEG_OUT PO1_OUT CTT_OUT, "" },
        /* escapes */
        { "\"purpose\":\"original\",\"type\":\"stand\\u005falone\",\"n\\u0075mber\":\"\\u00377\","
          "\"ordered_on\":\"2026-01-02\"," LINES, BEG_OUT PO1_OUT CTT_OUT, "" },
        /* a default goes with something else only */
        { BEG ",\"currency\":\"EUR\"," LINES, BEG_OUT "CUR*BY*EUR\n" PO1_OUT CTT_OUT, "" },
        /* dotted fields share the segment of others; a loop begins even if only its inside holds something */
        { BEG "," LINES ",\"totals\":{\"weight\":\"12\",\"weight_unit\":\"LBR\",\"amount\":\"3\","
          "\"amount_kind\":\"total\"}",
          BEG_OUT PO1_OUT "CTT*1*10*12*LB\nAMT*TT*3\n", "" },
        { BEG "," LINES ",\"totals\":{\"amount\":\"3\",\"amount_kind\":\"total\"}",
          BEG_OUT PO1_OUT CTT_OUT "AMT*TT*3\n",
          "" },
        /* named parties first, then the list */
        { BEG ",\"parties\":[{\"role\":\"ship_to\",\"name\":\"C\"}],\"ship_to\":{\"name\":\"B\",\"city\":\"XY\"}"
          "," LINES,
          BEG_OUT "N1*ST*B\nN4*XY\nN1*ST*C\n" PO1_OUT CTT_OUT, "" },
        /* hash total: no marks, no signs */
        { BEG ",\"lines\":[{\"quantity\":\"10.5\",\"unit\":\"LBR\"," ITEM "},{\"quantity\":\"-2\","
          "\"unit\":\"LBR\"," ITEM "}]",
          BEG_OUT "PO1**10.5*LB***UP*012345678905\nPO1**-2*LB***UP*012345678905\nCTT*2*107\n", "" },
    };
    (void)state;
    CHECK_ROWS(plan_from(maps, NULL, "x12/004010/850"), rows);
}

static void values(void **state)
{
    static const struct row rows[] = {
        /* the partner's own code, if it still stands for the word */
        { BEG ",\"lines\":[{\"quantity\":\"1\",\"unit\":\"LBR\",\"unit_code\":\"LB\"," ITEM "},"
          "{\"quantity\":\"2\",\"unit_code\":\"CA\"," ITEM "},"
          "{\"quantity\":\"4\",\"unit\":\"LBR\",\"unit_code\":\"CA\"," ITEM "}]",
          BEG_OUT "PO1**1*LB***UP*012345678905\nPO1**2*CA***UP*012345678905\n"
                  "PO1**4*LB***UP*012345678905\nCTT*3*7\n",
          "MAP-LOSS lines[2].unit_code: \"CA\" is not written: it stands for something else\n" },
        /* implied places */
        { BEG ",\"allowances\":[{\"kind\":\"charge\",\"service\":\"freight\",\"amount\":\"-15.5\","
          "\"settlement\":\"off_invoice\"},"
          "{\"kind\":\"charge\",\"service\":\"freight\",\"amount\":\"0.05\",\"settlement\":\"off_invoice\"}]," LINES,
          BEG_OUT "SAC*C*D240***-1550*******02\nSAC*C*D240***5*******02\n" PO1_OUT CTT_OUT, "" },
        { BEG ",\"allowances\":[{\"kind\":\"charge\",\"service\":\"freight\",\"amount\":\"15.005\","
          "\"settlement\":\"off_invoice\"}]," LINES,
          NULL,
          "MAP-VALUE allowances[0].amount: \"15.005\" has too many decimals, expected no more decimals than the "
          "place has"
          " (SAC05 Amount)\n" },
        /* dates, times, zones */
        { BEG ",\"requested_ship_at\":\"2026-01-02T12:30+02:00\","
          "\"requested_delivery_at\":\"2026-01-02T12:30:15[ET]\","
          "\"ship_not_before_at\":\"2026-01-02T12:30-05:00\",\"ship_not_after_at\":\"2026-01-02T12:30-05:00[ES]\","
          "\"cancel_after_at\":\"2026-01-02T12:30Z\"," LINES,
          BEG_OUT "DTM*010*20260102*1230*02\nDTM*002*20260102*123015*ET\nDTM*037*20260102*1230*20\n"
                  "DTM*038*20260102*1230*ES\nDTM*001*20260102*1230*UT\n" PO1_OUT CTT_OUT,
          "" },
        { BEG ",\"requested_ship_at\":\"2026-01-02T12:30+05:30\"," LINES, NULL,
          "MAP-VALUE requested_ship_at: \"2026-01-02T12:30+05:30\" cannot be written, expected a zone in full "
          "hours, at most"
          " twelve from Greenwich, or a code of element 623 in brackets (DTM02 Date)\n" },
        /* what cannot be data */
        { BEG ",\"vendor_name\":\"A*B\",\"vendor_number\":\"1\"," LINES, NULL,
          "MAP-CHARACTER vendor_name: \"A*B\" the value holds \"*\", which is the element separator (REF03 "
          "Description)\n" },
    };
    (void)state;
    CHECK_ROWS(plan_from(maps, NULL, "x12/004010/850"), rows);
}

/* `allow loss`: what the standard has no word or place for is left out, and told; what the document is about is not. */
static void left_out(void **state)
{
    static const struct row rows[] = {
        { BEG "," LINES ",\"references\":[{\"kind\":\"wibble\",\"value\":\"9\"}]", BEG_OUT "REF*ZZ*9\n" PO1_OUT CTT_OUT,
          "MAP-LOSS references[0].kind: \"wibble\" has no code in table reference-kind: ZZ is written\n" },
        { BEG "," LINES ",\"contacts\":[{\"role\":\"wibble\",\"name\":\"A\"},{\"role\":\"buyer\",\"name\":\"B\"}]",
          BEG_OUT "PER*BD*B\n" PO1_OUT CTT_OUT, "MAP-LOSS contacts[0]: is left out: contacts[0].role: \"wibble\" is no word of table contact-role and no code "
          "(PER01 Contact Function Code)\n" },
        { "\"purpose\":\"original\",\"type\":\"wibble\",\"number\":\"77\",\"ordered_on\":\"2026-01-02\"," LINES,
          BEG_OUT PO1_OUT CTT_OUT, "MAP-LOSS type: \"wibble\" has no code in table order-type: SA is written\n" },
        { BEG "," LINES ",\"paperwork\":[{\"transmission\":\"FX\"},{\"kind\":\"CI\",\"transmission\":\"FX\"}]",
          BEG_OUT "PWK*CI*FX\n" PO1_OUT CTT_OUT, "MAP-LOSS paperwork[0]: is left out: paperwork[0].kind: missing, expected ID 2/2 (PWK01 Report Type Code)\n" },
        /* a text alone has a place: what N9 must have stands there */
        { BEG "," LINES ",\"notes\":[{\"text\":\"one\"},{\"subject\":\"DOCK\",\"text\":\"two\"}]",
          BEG_OUT "N9*L1*NOTE\nMSG*one\nN9*L1**DOCK\nMSG*two\n" PO1_OUT CTT_OUT, "" },
        { BEG "," LINES ",\"ship_to\":{\"name\":\"A*B\"}", NULL, "MAP-CHARACTER ship_to.name: \"A*B\" the value holds \"*\", which is the element separator (N102 Name)\n" },
        { UNIT("\"unit\":\"foo\""), NULL, "X12-AK4-5 lines[0].unit: \"foo\" is no word of table unit and no code (PO103 Unit or Basis for Measurement "
          "Code)\n" },
        { BEG ",\"lines\":[{\"quantity\":\"1234567890123456\",\"unit\":\"LBR\"," ITEM "}]", NULL, "X12-AK4-5 lines[0].quantity: \"1234567890123456\" has 16 characters, expected at most 15 (PO102 Quantity "
          "Ordered)\n" },
    };
    struct finding_policy policy;

    (void)state;
    finding_policy_init(&policy);
    assert_true(finding_policy_allow(&policy, SLICE("loss")));
    check_rows_by(plan_from(maps, NULL, "x12/004010/850"), &policy, rows, sizeof(rows) / sizeof(rows[0]));
}

/* A partner's code where a word belongs would come back as another word. */
static void codes_for_words(void **state)
{
    static const struct row rows[] = {
        { UNIT("\"unit\":\"LB\""), NULL,
          "MAP-VALUE lines[0].unit: \"LB\" is no word of table unit (LBR is) "
          "(PO103 Unit or Basis for Measurement Code)\n" },
        { UNIT("\"unit\":\"ST\""), NULL,
          "MAP-VALUE lines[0].unit: \"ST\" is no word of table unit (SET is) "
          "(PO103 Unit or Basis for Measurement Code)\n" },
        { UNIT("\"unit\":\"foo\",\"unit_code\":\"CA\""), NULL,
          "MAP-VALUE lines[0].unit: \"foo\" is no word of table unit, expected XCS, as unit_code says "
          "(PO103 Unit or Basis for Measurement Code)\n" },
        { UNIT("\"unit\":\"foo\",\"unit_code\":\"Q9\""), NULL,
          "MAP-LOSS lines[0].unit_code: \"Q9\" is not written: it stands for something else\n"
          "X12-AK4-5 lines[0].unit: \"foo\" is no word of table unit and no code (PO103 Unit or Basis for Measurement "
          "Code)\n" },
        { "\"purpose\":\"00\",\"type\":\"SA\",\"number\":\"77\",\"ordered_on\":\"2026-01-02\"," LINES, NULL,
          "MAP-VALUE purpose: \"00\" is no word of table order-purpose (original is) "
          "(BEG01 Transaction Set Purpose Code)\n"
          "MAP-VALUE type: \"SA\" is no word of table order-type (stand_alone is) (BEG02 Purchase Order Type Code)\n" },
        { UNIT("\"unit\":\"LBR\"") ",\"amounts\":[{\"kind\":\"wibble\",\"amount\":\"1\"}]", NULL,
          "X12-AK4-5 amounts[0].kind: \"wibble\" is no word of table amount-kind and no code "
          "(AMT01 Amount Qualifier Code)\n" },
        /* what is neither a word nor a code of the table is kept: EA is the same in both */
        { UNIT("\"unit\":\"EA\""), BEG_OUT "PO1**1*EA***UP*012345678905\nCTT*1*1\n", "" },
        { UNIT("\"unit\":\"EA\",\"unit_code\":\"EA\""), BEG_OUT "PO1**1*EA***UP*012345678905\nCTT*1*1\n", "" },
    };
    (void)state;
    CHECK_ROWS(plan_from(maps, NULL, "x12/004010/850"), rows);
}

static void lists(void **state)
{
    static const struct row rows[] = {
        /* pairs with gaps */
        { BEG ",\"lines\":[{\"quantity\":\"10\",\"unit\":\"LBR\",\"items\":[{},{\"scheme\":\"gtin-12\","
          "\"id\":\"012345678905\"},"
          "{},{\"scheme\":\"vendor\",\"id\":\"9\"},{}]}]",
          BEG_OUT "PO1**10*LB*****UP*012345678905***VN*9\n" CTT_OUT, "" },
        { BEG ",\"lines\":[{\"quantity\":\"10\",\"unit\":\"LBR\",\"items\":[{},{},{},{},{},{},{},{},{},{},"
          "{\"scheme\":\"vendor\",\"id\":\"9\"}]}]", NULL,
          "MAP-LIST lines[0].items[10]: has no place: the list has more items than the segment can hold, "
          "expected at most 10"
          " (PO106 Product/Service ID Qualifier)\n" },
        /* pairs that share fields: neighbours that agree, ten at most */
        { BEG ",\"lines\":[{\"quantity\":\"10\",\"unit\":\"LBR\"," ITEM ",\"allocations\":["
          "{\"location\":\"L1\",\"quantity\":\"1\",\"unit\":\"LBR\"},{},{\"location\":\"L2\",\"quantity\":\"2\","
          "\"unit\":\"LBR\"},"
          "{\"location\":\"L3\",\"quantity\":\"3\",\"unit\":\"CMQ\",\"scheme\":\"assigned_by_buyer\"},"
          "{\"location\":\"L4\",\"quantity\":\"4\",\"unit\":\"CMQ\",\"scheme\":\"assigned_by_buyer\"}]}]",
          BEG_OUT "PO1**10*LB***UP*012345678905\nSDQ*LB**L1*1***L2*2\nSDQ*CC*92*L3*3*L4*4\n" CTT_OUT, "" },
        { BEG ",\"lines\":[{\"quantity\":\"10\",\"unit\":\"LBR\"," ITEM ",\"allocations\":["
          "{\"location\":\"L1\",\"quantity\":\"1\",\"unit\":\"LBR\"},{\"location\":\"L2\",\"quantity\":\"2\","
          "\"unit\":\"LBR\"},"
          "{\"location\":\"L3\",\"quantity\":\"3\",\"unit\":\"LBR\"},{\"location\":\"L4\",\"quantity\":\"4\","
          "\"unit\":\"LBR\"},"
          "{\"location\":\"L5\",\"quantity\":\"5\",\"unit\":\"LBR\"},{\"location\":\"L6\",\"quantity\":\"6\","
          "\"unit\":\"LBR\"},"
          "{\"location\":\"L7\",\"quantity\":\"7\",\"unit\":\"LBR\"},{\"location\":\"L8\",\"quantity\":\"8\","
          "\"unit\":\"LBR\"},"
          "{\"location\":\"L9\",\"quantity\":\"9\",\"unit\":\"LBR\"},{\"location\":\"LA\",\"quantity\":\"1\","
          "\"unit\":\"LBR\"},"
          "{\"location\":\"LB\",\"quantity\":\"2\",\"unit\":\"LBR\"}]}]",
          BEG_OUT "PO1**10*LB***UP*012345678905\nSDQ*LB**L1*1*L2*2*L3*3*L4*4*L5*5*L6*6*L7*7*L8*8*L9*9*LA*1\n"
                  "SDQ*LB**LB*2\n"
                  CTT_OUT, "" },
        /* scalars over elements and segments */
        { BEG ",\"buyer\":{\"name\":\"A\",\"street\":[\"a\",\"b\",\"c\"]},"
          LINES, BEG_OUT "N1*BY*A\nN3*a*b\nN3*c\n" PO1_OUT CTT_OUT,
          "" },
        /* a text in pieces */
        { BEG ",\"notes\":[{\"kind\":\"lot\",\"value\":\"1\",\"text\":\"one\\r\\ntwo\"}]," LINES,
          BEG_OUT "N9*LT*1\nMSG*one\nMSG*two\n" PO1_OUT CTT_OUT, "" },
        { BEG ",\"notes\":[{\"kind\":\"lot\",\"value\":\"1\",\"text\":\"one\\n\\ntwo\"}]," LINES,
          BEG_OUT "N9*LT*1\nMSG*one\nMSG*two\n" PO1_OUT CTT_OUT,
          "MAP-LOSS notes[0].text: \"one\\x0a\\x0atwo\" loses a line break: behind an empty or a full line "
          "nothing stands for it\n" },
    };
    (void)state;
    CHECK_ROWS(plan_from(maps, NULL, "x12/004010/850"), rows);
}

static void wrong_records(void **state)
{
    static const struct row rows[] = {
        { BEG, NULL, "RECORD-MISSING lines: missing, expected an array\n" },
        { BEG ",\"number\":\"2\"," LINES, NULL, "RECORD-KEY-TWICE number: \"2\" stands twice in one object, "
          "expected it once\n" },
        { BEG ",\"foo\":1," LINES, NULL,
          "RECORD-KEY-UNKNOWN foo: \"1\" the record has no field of this name, expected a field of the schema\n" },
        { BEG ",\"lines\":[{\"quantity\":\"ten\"},{\"quantity\":5,\"items\":[7]}]", NULL,
          "RECORD-DECIMAL lines[0].quantity: \"ten\" is not a decimal, expected a decimal in a string, such as "
          "\"12.50\"\n"
          "RECORD-TYPE lines[1].quantity: \"5\" is of the wrong type, expected a decimal in a string, such as "
          "\"12.50\"\n"
          "RECORD-TYPE lines[1].items[0]: \"7\" is of the wrong type, expected an object\n" },
        { BEG ",\"buyer\":{\"name\":null}," LINES, NULL,
          "RECORD-TYPE buyer.name: \"null\" is of the wrong type, expected a string\n" },
        { BEG ",\"buyer\":{\"street\":[\"x\",{}]}," LINES, NULL,
          "RECORD-TYPE buyer.street[1]: \"{\" is of the wrong type, expected a string\n" },
        /* what the guide says, in the record's terms */
        { BEG ",\"ship_to\":{\"name\":\"B\",\"street\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}," LINES, NULL,
          "X12-AK3-5 ship_to.street: occurs at least 3 times, expected at most 2 (N3 Address Information)\n" },
        { BEG ",\"contacts\":[{\"name\":\"X\"}]," LINES, NULL,
          "X12-AK4-1 contacts[0].role: missing, expected ID 2/2 (PER01 Contact Function Code)\n" },
        { BEG ",\"lines\":[{\"quantity\":\"1\",\"unit\":\"LBR\",\"items\":[{\"scheme\":\"vendor\"}]}]", NULL,
          "X12-AK4-2 lines[0].items[0].id: missing, expected all or none of PO106, PO107: note P0607 (PO107 "
          "Product/Service"
          " ID)\n" },
        { BEG ",\"lines\":[{\"quantity\":\"1\",\"unit\":\"LBR\"," ITEM ",\"allocations\":[{\"location\":\"1\","
          "\"quantity\":\"1\","
          "\"unit\":\"LBR\"}]}]", NULL,
          "X12-AK4-4 lines[0].allocations[0].location: \"1\" has 1 character, expected at least 2 (SDQ03 "
          "Identification Code)\n" },
    };
    (void)state;
    CHECK_ROWS(plan_from(maps, NULL, "x12/004010/850"), rows);
}

/* ---- maps of their own ---- */

#define MAP "map test/small\n  between guide x12/004010/850 and record order 1\n"
#define MAP_LINES \
    "  BEG01 <-> purpose  code order-purpose\n" \
    "  BEG02 <-> type  code order-type\n" \
    "  BEG03 <-> number\n" \
    "  BEG05 <-> ordered_on  date\n"
#define MAP_PO1 \
    "  PO1 <-> lines[]\n" \
    "    PO101 <-> number\n" \
    "    PO102 <-> quantity  decimal\n" \
    "    PO103 <-> unit  code unit  beside unit_code\n" \
    "    PO106..PO107 pairs <-> items[].(scheme id)  code item-scheme  beside scheme_code\n"

static void conversions(void **state)
{
    static const char text[] = MAP MAP_LINES
        "  REF[IA].REF02 <-> vendor_number  pad 7 \"0\"\n"
        "  REF[IA].REF03 <-> vendor_name  trim upper\n"
        "  REF[DP].REF02 <-> department  prefix \"00\"\n"
        "  REF[DP].REF03 <-> department_name  code dept\n"
        "  BEG07 <- const \"AC\"\n"
        "  CUR02 <-> currency\n"
        "  CUR01 <- const \"BY\"\n"
        MAP_PO1
        "table dept\n  A eins\n  B zwei\n  * refuse\n";
    static const struct row rows[] = {
        { BEG ",\"vendor_number\":\"66120\",\"vendor_name\":\" Acme é \"," LINES, NULL,
          "MAP-CHARACTER vendor_name: \"ACME é\" the character \"é\" (U+00E9) is not in the extended character "
          "set (REF03"
          " Description)\nMAP-LOSS lines[0].unit_price: is not written: no line of the map takes it\n" },
        { BEG ",\"vendor_number\":\"66120\",\"vendor_name\":\" Acme \",\"department\":\"38\","
          "\"department_name\":\"zwei\"," LINES,
          "BEG*00*SA*77**20260102**AC\nREF*IA*0066120*ACME\nREF*DP*0038*B\nPO1**10*LB***UP*012345678905\n",
          "MAP-LOSS lines[0].unit_price: is not written: no line of the map takes it\n" },
        { BEG ",\"department_name\":\"drei\"," LINES, NULL,
          "MAP-VALUE department_name: \"drei\" is no word of table dept (REF03 Description)\n"
          "MAP-LOSS lines[0].unit_price: is not written: no line of the map takes it\n" },
        { BEG ",\"currency\":\"EUR\"," LINES,
          "BEG*00*SA*77**20260102**AC\nCUR*BY*EUR\nPO1**10*LB***UP*012345678905\n",
          "MAP-LOSS lines[0].unit_price: is not written: no line of the map takes it\n" },
    };
    struct maps *own;
    struct err err;
    (void)state;
    assert_int_equal(maps_new(directory, &own, &err), 0);
    CHECK_ROWS(plan_from(own, text, "x12/004010/850"), rows);
    maps_free(&own);
}

static void inherited(void **state)
{
    static const char text[] = MAP MAP_LINES
        "  DTM[002].(DTM02 DTM03 DTM04) <-> requested_delivery_at  datetime\n" MAP_PO1
        "    DTM[002].(DTM02 DTM03 DTM04) <-> requested_delivery_at  datetime  inherit requested_delivery_at\n";
#define ON(day) "{\"quantity\":\"1\",\"unit\":\"LBR\"," ITEM ",\"requested_delivery_at\":\"2026-02-" day "\"}"
#define NO_DAY "{\"quantity\":\"1\",\"unit\":\"LBR\"," ITEM "}"
#define P "PO1**1*LB***UP*012345678905\n"
    static const struct row rows[] = {
        { BEG ",\"requested_delivery_at\":\"2026-02-03\",\"lines\":[" ON("03") "," ON("04") "]",
          BEG_OUT "DTM*002*20260203\n" P P "DTM*002*20260204\n", "" },
        { BEG ",\"lines\":[" ON("03") "," ON("03") "]", BEG_OUT "DTM*002*20260203\n" P P, "" },
        { BEG ",\"lines\":[" ON("03") "," ON("04") "]", BEG_OUT P "DTM*002*20260203\n" P "DTM*002*20260204\n", "" },
        { BEG ",\"lines\":[" ON("03") "," NO_DAY "]", BEG_OUT P "DTM*002*20260203\n" P, "" },
    };
    struct maps *own;
    struct err err;
    struct run r;
    const struct map_plan *plan;
    (void)state;
    assert_int_equal(maps_new(directory, &own, &err), 0);
    plan = plan_from(own, text, "x12/004010/850");
    CHECK_ROWS(plan, rows);
    run_init(&r, plan); /* the first look at the lines, when they are streamed */
    r.streamed = 500;
    run_ok(&r, HEAD BEG ",\"lines\":[" ON("03") "," ON("03") "," ON("03") "]}");
    assert_string_equal(buf_text(&r.out), BEG_OUT "DTM*002*20260203\n" P P P);
    run_deinit(&r);
    maps_free(&own);
}

static void told_apart(void **state)
{
    /* by guards, and by what a list's items say themselves */
    static const char text[] = MAP MAP_LINES
        "  REF <-> references[]\n    REF01 <-> kind\n    REF02 <-> value  if kind = CO\n"
        "    REF03 <-> value  if kind = PO\n"
        "  DTM[010] <-> dates[]\n    DTM01 <-> kind  code date-kind\n    (DTM02 DTM03 DTM04) <-> at  datetime\n"
        MAP_PO1
        "    DTM[002] <-> dates[]\n      DTM01 <-> kind  code date-kind\n      (DTM02 DTM03 DTM04) <-> at  datetime\n"
        "    DTM <-> dates[]\n      DTM01 <-> kind  code date-kind\n      (DTM02 DTM03 DTM04) <-> at  datetime\n"
        "      DTM05 <-> period_format\n      DTM06 <-> period\n";
    static const struct row rows[] = {
        { BEG ",\"references\":[{\"kind\":\"CO\",\"value\":\"1\"},{\"kind\":\"PO\",\"value\":\"2\"}],"
          "\"lines\":[" NO_DAY "]",
          BEG_OUT "REF*CO*1\nREF*PO**2\n" P, "" },
        { BEG ",\"references\":[{\"kind\":\"VN\",\"value\":\"3\"}],\"lines\":[" NO_DAY "]", NULL,
          "X12-AK4-2 references[0].value: missing, expected at least one of REF02, REF03: note R0203 (REF02 Reference"
          " Identification)\n"
          "MAP-LOSS references[0].value: is not written: the lines that take it are for other cases\n" },
        { BEG ",\"dates\":[{\"kind\":\"delivery_requested\",\"at\":\"2026-02-03\"}],\"lines\":[" NO_DAY "]", NULL,
          "MAP-VALUE dates[0].kind: \"002\" does not fit, expected what stands for 010 there (DTM01 Date/Time "
          "Qualifier)\n" },
        { BEG ",\"lines\":[{\"quantity\":\"1\",\"unit\":\"LBR\"," ITEM ",\"dates\":[{\"kind\":\"ship_requested\","
          "\"at\":\"2026-02-03\"},"
          "{\"kind\":\"delivery_requested\",\"at\":\"2026-02-04\"}]}]",
          BEG_OUT P "DTM*002*20260204\nDTM*010*20260203\n", "" },
    };
    struct maps *own;
    struct err err;
    (void)state;
    assert_int_equal(maps_new(directory, &own, &err), 0);
    CHECK_ROWS(plan_from(own, text, "x12/004010/850"), rows);
    maps_free(&own);
}

/* A loop's first segment that may be empty is written for what stands behind it. */
static void openers(void **state)
{
    static const char text[] = MAP MAP_LINES
        "  PO1 <-> lines[]\n    PO102 <-> quantity  decimal\n    PO103 <-> unit\n"
        "    CTP.CTP02 <-> price_basis\n    CTP/CUR[BY].CUR02 <-> currency\n    MEA <-> measurements[]\n"
        "      MEA02 <-> property\n      MEA03 <-> value  decimal\n";
    static const struct row rows[] = {
        { BEG ",\"lines\":[{\"quantity\":\"1\",\"unit\":\"EA\",\"currency\":\"USD\"},"
          "{\"quantity\":\"2\",\"unit\":\"EA\",\"price_basis\":\"RTL\",\"currency\":\"USD\"},"
          "{\"quantity\":\"3\",\"unit\":\"EA\",\"price_basis\":\"RTL\"}]",
          BEG_OUT "PO1**1*EA\nCTP\nCUR*BY*USD\nPO1**2*EA\nCTP**RTL\nCUR*BY*USD\nPO1**3*EA\nCTP**RTL\n", "" },
        { BEG ",\"lines\":[{\"quantity\":\"1\",\"unit\":\"EA\"}]", BEG_OUT "PO1**1*EA\n", "" },
    };
    /* it may have something of its own for that */
    static const char other[] = MAP MAP_LINES
        "  PO1 <-> lines[]\n    PO102 <-> quantity  decimal\n    PO103 <-> unit\n"
        "    N1.N101 <-> currency_party  or ST\n    N1/N4.N401 <-> currency\n";
    static const struct row other_rows[] = {
        { BEG ",\"lines\":[{\"quantity\":\"1\",\"unit\":\"EA\",\"currency\":\"Bend\"}]", NULL,
          "X12-AK4-2 lines[0]: missing, expected at least one of N102, N103: note R0203 (N102 Name)\n" },
    };
    struct maps *own;
    struct err err;
    (void)state;
    assert_int_equal(maps_new(directory, &own, &err), 0);
    CHECK_ROWS(plan_from(own, text, "x12/004010/850"), rows);
    CHECK_ROWS(plan_from(own, other, "x12/004010/850"), other_rows);
    maps_free(&own);
}

/* A segment that would be read elsewhere is no way to write it. */
static void misread(void **state)
{
    static const char text[] = MAP MAP_LINES MAP_PO1
        "  CTT/AMT <-> amounts[]\n    AMT01 <-> kind\n    AMT02 <-> amount  decimal\n";
    static const struct row rows[] = {
        { BEG ",\"lines\":[" NO_DAY "],\"amounts\":[{\"amount\":\"3\",\"kind\":\"TT\"}]", NULL,
          "MAP-PLACE amounts[0]: would be read as part of loop AMT, expected a segment before it that leads to "
          "loop CTT"
          " (AMT Monetary Amount)\n" },
    };
    struct maps *own;
    struct err err;
    (void)state;
    assert_int_equal(maps_new(directory, &own, &err), 0);
    CHECK_ROWS(plan_from(own, text, "x12/004010/850"), rows);
    maps_free(&own);
}

/* ---- leftovers ---- */

#define LEFT(path, value) "{\"path\":\"" path "\",\"value\":\"" value "\"}"

static void leftovers(void **state)
{
    static const char text[] = MAP MAP_LINES
        "  REF[IA].REF02 <-> vendor_number\n  N1[ST] <-> ship_to\n    N102 <-> name\n" MAP_PO1
        "    PID[F].PID05 <-> text\n  CTT01 check count lines\n";
    static const char record[] = HEAD BEG ",\"vendor_number\":\"685492\",\"ship_to\":{\"name\":\"WEST\","
          "\"unmapped\":["
        LEFT("N1.N103", "92") "," LEFT("N1.N104", "4054") "," LEFT("N3.N301", "172") "]},"
          "\"lines\":[{\"number\":\"1\","
        "\"quantity\":\"50\",\"unit\":\"LBR\"," ITEM ",\"text\":\"LOW\",\"unmapped\":[" LEFT("PO1.PO104", "15.27") ","
        LEFT("PO1.PO109", "2261996") "," LEFT("PO1.PO108", "IN") "," LEFT("CTP/CTP.CTP02", "RTL") ","
        LEFT("CTP/CTP.CTP03", "39.01") "," LEFT("PID/PID.PID02", "08") "," LEFT("PID#2/PID.PID01", "F") ","
        LEFT("PID#2/PID.PID02", "75") "," LEFT("PID#2/PID.PID05", "HIGH") "," LEFT("REF.REF01", "CO") ","
        LEFT("REF.REF02", "9") "," LEFT("REF.REF04-1", "BM") "," LEFT("REF.REF04-2", "7") "]}],\"unmapped\":["
        LEFT("BEG.BEG04", "R2") "," LEFT("REF[IA].REF03", "DESC") "," LEFT("REF#2.REF01", "DP") ","
        LEFT("REF#2.REF02", "850") "," LEFT("N1#2/N1.N101", "BY") "," LEFT("N1#2/N1.N102", "OTHER") ","
        LEFT("N1#2/N3.N301", "X") "," LEFT("CTT/CTT.CTT02", "100") "," LEFT("CTT/AMT.AMT01", "TT") ","
        LEFT("CTT/AMT.AMT02", "3") "]}";
    struct maps *own;
    struct err err;
    struct run r;
    (void)state;
    assert_int_equal(maps_new(directory, &own, &err), 0);
    for (int streamed = 0; streamed < 2; streamed++) {
        run_init(&r, plan_from(own, text, "x12/004010/850"));
        r.options.write_unmapped = true;
        run_ok(&r, record);
        assert_string_equal(buf_text(&r.said.text), "");
        assert_string_equal(buf_text(&r.out),
                            "BEG*00*SA*77*R2*20260102\nREF*IA*685492*DESC\nREF*DP*850\nN1*ST*WEST*92*4054\nN3*172\n"
                            "N1*BY*OTHER\nN3*X\nPO1*1*50*LB*15.27**UP*012345678905*IN*2261996\nCTP**RTL*39.01\n"
                            "PID*F*08***LOW\nPID*F*75***HIGH\nREF*CO*9**BM>7\nCTT*1*100\nAMT*TT*3\n");
        run_deinit(&r);
    }
    run_init(&r, plan_from(own, text, "x12/004010/850"));
    run_ok(&r, record);
    assert_int_equal(r.refused, 0);
    assert_int_equal(r.said.warnings, 26);
    assert_string_equal(buf_text(&r.out), "BEG*00*SA*77**20260102\nREF*IA*685492\nN1*ST*WEST\n"
                                          "PO1*1*50*LB***UP*012345678905\nPID*F****LOW\nCTT*1\n");
    run_deinit(&r);
    /* nonsense is a loss, too */
    run_init(&r, plan_from(own, text, "x12/004010/850"));
    r.options.write_unmapped = true;
    run_ok(&r, HEAD BEG ",\"lines\":[" NO_DAY "],\"unmapped\":[" LEFT("", "x") "," LEFT("FOO.FOO01", "x") ","
               LEFT("BEG.BEG", "x") "," LEFT("BEG", "x") "," LEFT("A/B/C/D/E/F/G/H/I/J.J01", "x") ","
               LEFT("BEG[.BEG03", "x") ","
               LEFT("BEG.BEG03", "other") "]}");
    assert_int_equal(r.said.errors, 0);
    assert_int_equal(r.said.warnings, 7);
    assert_string_equal(buf_text(&r.out), BEG_OUT P "CTT*1\n");
    run_deinit(&r);
    maps_free(&own);
}

/* ---- the whole ---- */

static void read_sample(const char *name, const char *ending, struct buf *out)
{
    char path[500];
    FILE *f;
    int c;
    snprintf(path, sizeof(path), "%s/x12/850-order/%s%s", directory, name, ending);
    f = fopen(path, "r");
    if (!f)
        fail_msg("%s cannot be opened", path);
    while ((c = getc(f)) != EOF)
        buf_add_char(out, (char)c);
    fclose(f);
}

/* A word that a table has only for writing. */
static void further_words(void **state)
{
    static const char text[] = MAP "  BEG01 <-> purpose  code own\n  BEG02 <-> type  code own  trim\n  BEG03 <-> number\n"
        "  BEG05 <-> ordered_on  date\n" MAP_PO1 "table own\n  00 original also copy \"second copy\"\n  SA stand_alone\n";
    static const struct row rows[] = {
        { "\"purpose\":\"original\",\"type\":\"stand_alone\",\"number\":\"77\",\"ordered_on\":\"2026-01-02\",\"lines\":[" NO_DAY "]",
          BEG_OUT P, "" },
        { "\"purpose\":\"second copy\",\"type\":\"stand_alone\",\"number\":\"77\",\"ordered_on\":\"2026-01-02\",\"lines\":[" NO_DAY "]",
          BEG_OUT P, "MAP-LOSS purpose: \"second copy\" is written as 00, original\n" },
    };
    struct maps *own;
    struct err err;
    (void)state;
    assert_int_equal(maps_new(directory, &own, &err), 0);
    CHECK_ROWS(plan_from(own, text, "x12/004010/850"), rows);
    maps_free(&own);
}

#define SHIPMENT \
    "{\"record\":\"shipment\",\"version\":1,\"source\":{\"standard\":\"x12\"},\"purpose\":\"00\",\"number\":\"77\"," \
    "\"created_at\":\"2026-01-02T10:00\",\"nodes\":[%s]}"

static const struct map_plan *plan_of_tree(struct maps *m, bool any_order)
{
    static const char map[] = "map t \"t\"\n  between guide x12/004010/856 and record shipment 1\n  must map HL01\n"
                              "  BSN01 <-> purpose\n  BSN02 <-> number\n  BSN.(BSN03 BSN04) <-> created_at datetime\n"
                              "  HL <-> nodes[] tree%s\n    HL01 <-> id\n    HL02 <-> parent\n    HL03 <-> level\n"
                              "    HL04 check children\n    PRF01 <-> order_number\n";
    char text[sizeof(map) + 20];

    snprintf(text, sizeof(text), map, any_order ? " any-order" : "");
    return plan_from(m, text, "x12/004010/856");
}

/* Nodes of a tree: each is written, whatever else it holds. A parent may stand behind its children; then it is written before
 * them, unless the map says that their order is free. */
static void hierarchies(void **state)
{
    static const struct {
        const char *nodes;
        struct {
            const char *out, *said;
        } expected[2]; /* in order; any-order */
    } rows[] = {
        { "{\"id\":\"1\",\"level\":\"S\"},{\"id\":\"2\",\"parent\":\"1\",\"level\":\"O\"}",
          { { "HL*1**S*1\nHL*2*1*O*0\n", "" }, { "HL*1**S*1\nHL*2*1*O*0\n", "" } } },
        { "{\"id\":\"a\",\"parent\":\"b\",\"level\":\"O\"},{\"id\":\"b\",\"level\":\"S\"}",
          { { "HL*1**S*1\nHL*2*1*O*0\n", "" }, { "HL*1*2*O*0\nHL*2**S*1\n", "" } } },
        /* parents first in the record: its order stays, as long as they are */
        { "{\"id\":\"1\",\"level\":\"S\"},{\"id\":\"2\",\"parent\":\"1\",\"level\":\"O\"},{\"id\":\"3\",\"parent\":\"1\",\"level\":\"O\"},"
          "{\"id\":\"4\",\"parent\":\"2\",\"level\":\"I\"}",
          { { "HL*1**S*1\nHL*2*1*O*1\nHL*3*1*O*0\nHL*4*2*I*0\n", "" }, { "HL*1**S*1\nHL*2*1*O*1\nHL*3*1*O*0\nHL*4*2*I*0\n", "" } } },
        { "{\"id\":\"1\",\"level\":\"S\"},{\"id\":\"2\",\"parent\":\"1\",\"level\":\"O\"},{\"id\":\"3\",\"parent\":\"5\",\"level\":\"P\"},"
          "{\"id\":\"4\",\"parent\":\"2\",\"level\":\"I\"},{\"id\":\"5\",\"parent\":\"1\",\"level\":\"O\"}",
          { { "HL*1**S*1\nHL*2*1*O*1\nHL*3*2*I*0\nHL*4*1*O*1\nHL*5*4*P*0\n", "" },
            { "HL*1**S*1\nHL*2*1*O*1\nHL*3*5*P*0\nHL*4*2*I*0\nHL*5*1*O*1\n", "" } } },
        { "{\"id\":\"a\",\"parent\":\"a\",\"level\":\"O\"}",
          { { "HL*1**O*0\n", "MAP-LOSS nodes[0].parent: \"a\" is not written: it is the id of the node itself, which so stands below none\n" },
            { "HL*1*1*O*0\n", "" } } },
        { "{\"id\":\"a\",\"parent\":\"c\",\"level\":\"O\"}",
          { { NULL, "nodes[0].parent: \"c\" is the id of no node" }, { NULL, "nodes[0].parent: \"c\" is the id of no node" } } },
        { "{\"id\":\"s\",\"level\":\"S\"},{\"id\":\"a\",\"parent\":\"b\",\"level\":\"O\"},{\"id\":\"b\",\"parent\":\"c\",\"level\":\"P\"},"
          "{\"id\":\"c\",\"parent\":\"b\",\"level\":\"P\"}",
          { { NULL, "MAP-VALUE nodes[2].parent: \"c\" is the id of a node that itself stands below this one (HL02 Hierarchical Parent ID Number)\n" },
            { "HL*1**S*0\nHL*2*3*O*0\nHL*3*4*P*1\nHL*4*3*P*1\n", "" } } },
        { "{\"id\":\"1\"},{\"id\":\"2\",\"parent\":\"1\",\"level\":\"O\"}",
          { { NULL, "nodes[0].level: missing" }, { NULL, "nodes[0].level: missing" } } },
    };
    struct maps *own;
    struct err err;
    char json[1000];

    (void)state;
    for (unsigned any = 0; any < 2; any++) {
        const struct map_plan *plan;
        assert_int_equal(maps_new(directory, &own, &err), 0);
        plan = plan_of_tree(own, any);
        for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
            for (unsigned streamed = 0; streamed < 2; streamed++) {
                const char *out = rows[i].expected[any].out, *said = rows[i].expected[any].said;
                struct run r;
                run_init(&r, plan);
                r.streamed = streamed ? 140 : 0;
                snprintf(json, sizeof(json), SHIPMENT, rows[i].nodes);
                run_ok(&r, json);
                assert_int_equal(r.refused, out == NULL);
                if (out) {
                    assert_string_equal(buf_text(&r.said.text), said);
                    assert_string_equal(strchr(buf_text(&r.out), '\n') + 1, out);
                } else if (!strstr(buf_text(&r.said.text), said)) {
                    fail_msg("%s\n%s", said, buf_text(&r.said.text));
                }
                run_deinit(&r);
            }
        maps_free(&own);
    }
}

/* Trees whose nodes come in any order, called by numbers, names, or nothing like a running number: what is written has each
 * node once, below its parent, and those below one node in the record's order. */
static void shuffled(void **state)
{
    enum { MOST = 40 };
    struct maps *own;
    struct err err;
    const struct map_plan *plan;
    uint64_t seed = 7;

    (void)state;
    assert_int_equal(maps_new(directory, &own, &err), 0);
    plan = plan_of_tree(own, false);
    for (unsigned round = 0; round < 200; round++) {
        unsigned parent[MOST], place[MOST], at[MOST + 1], n = 2 + round % (MOST - 1), open[MOST], depth = 0, last[MOST] = { 0 };
        struct buf json, nodes;
        struct slice rest, line;
        bool more = true, ahead = false; /* a parent stands behind a child */
        struct run r;
        unsigned seen = 0, number = 0, up = 0;

        buf_init(&json, 1 << 20);
        buf_init(&nodes, 1 << 20);
        for (unsigned i = 0; i < n; i++) { /* node i is below one made before it, and stands at place[i] of the record */
            unsigned other;
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            parent[i] = i && seed >> 60 ? (unsigned)(seed >> 33) % i : i;
            other = (unsigned)(seed >> 40) % (i + 1);
            place[i] = other == i ? i : place[other];
            place[other] = i;
        }
        for (unsigned i = 0; i < n; i++) {
            at[place[i]] = i;
            ahead |= place[parent[i]] > place[i];
        }
        for (unsigned k = 0; k < n; k++) {
            static const char *const before[] = { "", "node ", "7" }, *const behind[] = { "", " of a very long name", "" };
            const unsigned style = round % 3, i = at[k];
            buf_printf(&nodes, "%s{\"id\":\"%s%u%s\",", k ? "," : "", before[style], (style ? i : k) + 1, behind[style]);
            if (parent[i] != i)
                buf_printf(&nodes, "\"parent\":\"%s%u%s\",", before[style], (style ? parent[i] : place[parent[i]]) + 1,
                           behind[style]);
            buf_printf(&nodes, "\"level\":\"O\",\"order_number\":\"%u\"}", i);
        }
        buf_printf(&json, SHIPMENT, buf_text(&nodes));
        run_init(&r, plan);
        r.streamed = round & 1 ? 140 : 0;
        run_ok(&r, buf_text(&json));
        assert_string_equal(buf_text(&r.said.text), "");
        for (rest = buf_slice(&r.out); more;) {
            unsigned i;
            line = slice_cut(rest, '\n', &rest, &more);
            if (slice_starts(line, SLICE("HL*"))) {
                char *end;
                number = (unsigned)strtoul(line.p + 3, &end, 10);
                up = (unsigned)strtoul(end + 1, NULL, 10);
                assert_int_equal(number, ++seen);
            } else if (slice_starts(line, SLICE("PRF*"))) {
                i = (unsigned)strtoul(line.p + 4, NULL, 10);
                at[number] = i;
                assert_int_equal(up ? at[up] : i, parent[i]);
                assert_true(up < number);
                while (depth && open[depth - 1] != up) /* nothing stands between them but what is below that one, too */
                    depth--;
                assert_true(!up || depth || !ahead);
                assert_true(!up || last[parent[i]] <= place[i]);
                if (up)
                    last[parent[i]] = place[i] + 1;
                if (ahead)
                    open[depth++] = number;
            }
        }
        assert_int_equal(seen, n);
        run_deinit(&r);
        buf_deinit(&json);
        buf_deinit(&nodes);
    }
    maps_free(&own);
}

static const struct map_plan *plan_with_orders(struct maps *m)
{
    return plan_from(m, "map t \"t\"\n  between guide x12/004010/856 and record shipment 1\n  must map HL01\n"
                        "  BSN01 <-> purpose\n  BSN02 <-> number\n  BSN.(BSN03 BSN04) <-> created_at datetime\n"
                        "  HL <-> nodes[] tree\n    HL01 <-> id\n    HL02 <-> parent\n    HL03 <-> level  code own\n"
                        "    HL04 check children\n    PRF01 <-> order_number  below level = order\n"
                        "    PRF04 <-> ordered_on  date below level = order\n    PRF05 <-> order_line\n"
                        "    REF[VN].REF02 <-> vendor_number\n"
                        "  CTT01 check count nodes\ntable own\n  S shipment\n  O order\n  P pack\n  I item\n", "x12/004010/856");
}

#define NODE(id, up, level, more) "{\"id\":\"" id "\",\"parent\":\"" up "\",\"level\":\"" level "\"" more "}"
#define ORDER(number) ",\"order_number\":\"" number "\""
#define TOP "{\"id\":\"s\",\"level\":\"shipment\"}"

/* Items of another standard's record that say their order: it is a node above them. */
static void made_nodes(void **state)
{
    static const struct {
        const char *nodes, *out;
    } rows[] = {
        /* one order */
        { TOP "," NODE("p", "s", "pack", "") "," NODE("1", "p", "item", ORDER("A")) "," NODE("2", "p", "item", ORDER("A")),
          "HL*1**S*1\nHL*2*1*O*1\nPRF*A\nHL*3*2*P*1\nHL*4*3*I*0\nHL*5*3*I*0\nCTT*5\n" },
        /* two, by turns, and one of two dates */
        { TOP "," NODE("1", "s", "item", ORDER("A")) "," NODE("2", "s", "item", ORDER("B")) "," NODE("3", "s", "item", ORDER("A"))
          "," NODE("4", "s", "item", ORDER("A") ",\"ordered_on\":\"2026-01-02\"") "," NODE("5", "s", "item", ""),
          "HL*1**S*1\nHL*2*1*O*1\nPRF*A\nHL*3*2*I*0\nHL*4*2*I*0\nHL*5*1*O*1\nPRF*B\nHL*6*5*I*0\nHL*7*1*O*1\n"
          "PRF*A***20260102\nHL*8*7*I*0\nHL*9*1*I*0\nCTT*9\n" },
        /* a pack with items of two, behind them */
        { TOP "," NODE("1", "p", "item", ORDER("A")) "," NODE("2", "p", "item", ORDER("B")) "," NODE("p", "s", "pack", "")
          "," NODE("q", "s", "pack", "") "," NODE("3", "q", "item", ORDER("B")),
          "HL*1**S*1\nHL*2*1*P*1\nHL*3*2*O*1\nPRF*A\nHL*4*3*I*0\nHL*5*2*O*1\nPRF*B\nHL*6*5*I*0\nHL*7*1*O*1\nPRF*B\nHL*8*7*P*1\n"
          "HL*9*8*I*0\nCTT*9\n" },
        /* the shipment says it for all; an item says more of it */
        { "{\"id\":\"s\",\"level\":\"shipment\",\"vendor_number\":\"v\"" ORDER("A \\u0041\\\"") "},"
          NODE("1", "s", "item", "") "," NODE("2", "s", "item", ORDER("A \\u0041\\\"") ",\"order_line\":\"7\""),
          "HL*1**S*1\nREF*VN*v\nHL*2*1*O*1\nPRF*A A\"\nHL*3*2*I*0\nHL*4*2*I*0\nPRF*A A\"****7\nCTT*4\n" },
        /* what stands between says another */
        { TOP "," NODE("p", "s", "pack", ORDER("A")) "," NODE("1", "p", "item", ORDER("B")) "," NODE("2", "p", "item", ORDER("B")),
          "HL*1**S*1\nHL*2*1*O*1\nPRF*B\nHL*3*2*P*1\nPRF*A\nHL*4*3*I*0\nPRF*B\nHL*5*3*I*0\nPRF*B\nCTT*5\n" },
        /* nothing below, nothing said, or the record has its own */
        { "{\"id\":\"s\",\"level\":\"shipment\"" ORDER("A") "}", "HL*1**S*0\nPRF*A\nCTT*1\n" },
        { TOP "," NODE("1", "s", "item", ""), "HL*1**S*1\nHL*2*1*I*0\nCTT*2\n" },
        { TOP "," NODE("o", "s", "order", ORDER("A")) "," NODE("1", "o", "item", ORDER("B")),
          "HL*1**S*1\nHL*2*1*O*1\nPRF*A\nHL*3*2*I*0\nPRF*B\nCTT*3\n" },
    };
    const struct map_plan *plan;
    struct maps *own;
    struct err err;
    char json[1000];

    (void)state;
    assert_int_equal(maps_new(directory, &own, &err), 0);
    plan = plan_with_orders(own);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned streamed = 0; streamed < 2; streamed++) {
            struct run r;
            run_init(&r, plan);
            r.crossing = true;
            r.streamed = streamed ? 140 : 0;
            snprintf(json, sizeof(json), SHIPMENT, rows[i].nodes);
            run_ok(&r, json);
            assert_string_equal(buf_text(&r.said.text), "");
            assert_string_equal(strchr(buf_text(&r.out), '\n') + 1, rows[i].out);
            run_deinit(&r);
        }
    maps_free(&own);
}

static int attempt_tree(void *arg)
{
    struct run r;
    char json[1000];
    int code;

    run_init(&r, arg);
    r.crossing = true;
    code = snprintf(json, sizeof(json), SHIPMENT, NODE("1", "p", "item", ORDER("A")) "," NODE("2", "p", "item", ORDER("B")) ","
                    NODE("p", "s", "pack", "") "," TOP);
    code = run_text(&r, json, (size_t)code);
    if (!code && (r.refused || r.said.text.failed))
        code = ERR_NOMEM;
    run_deinit(&r);
    return code;
}

static void samples(void **state)
{
    static const char *const names[] = { "minimal", "retail", "fashion", "dropship", "grocery", "everything" };
    (void)state;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct buf json, edi, body;
        struct slice rest, line;
        bool more = true, in_set = false, five;
        buf_init(&json, 1 << 20);
        buf_init(&edi, 1 << 20);
        buf_init(&body, 1 << 20);
        read_sample(names[i], ".json", &json);
        read_sample(names[i], ".edi", &edi);
        for (rest = buf_slice(&edi); more;) {
            line = slice_trim(slice_cut(rest, '~', &rest, &more));
            in_set &= !slice_starts(line, SLICE("SE*"));
            if (in_set) {
                buf_add_slice(&body, line);
                buf_add_char(&body, '\n');
            }
            in_set |= slice_starts(line, SLICE("ST*"));
        }
        five = strstr(buf_text(&edi), "*005010") != NULL;
        for (int streamed = 0; streamed < 3; streamed++) {
            struct run r;
            run_init(&r, plan_from(maps, NULL, five ? "x12/005010/850" : "x12/004010/850"));
            r.streamed = streamed && json.n > 8000 ? 6000 : 0;
            r.options.discard = streamed == 2;
            run_ok(&r, buf_text(&json));
            assert_string_equal(buf_text(&r.said.text), "");
            assert_string_equal(buf_text(&r.out), buf_text(&body));
            run_deinit(&r);
        }
        buf_deinit(&json);
        buf_deinit(&edi);
        buf_deinit(&body);
    }
}

/* A refused record leaves nothing behind, and the next one is written. */
static void refusals(void **state)
{
    static const char records[] =
        HEAD BEG "," LINES "}\n"
        HEAD BEG ",\"lines\":[{\"quantity\":\"1\",\"items\":[{\"scheme\":\"vendor\"}]}]}\n"
        HEAD BEG "," LINES ",\"foo\":1}\n"
        HEAD "\"purpose\":\"original\",\"type\":\"stand_alone\",\"number\":\"78\",\"ordered_on\":\"2026-01-02\","
          LINES "}\n";
    struct run r;
    (void)state;
    run_init(&r, plan_from(maps, NULL, "x12/004010/850"));
    run_ok(&r, records);
    assert_int_equal(r.refused, 2);
    assert_string_equal(buf_text(&r.out), BEG_OUT PO1_OUT CTT_OUT "BEG*00*SA*78**20260102\n" PO1_OUT CTT_OUT);
    run_deinit(&r);

    run_init(&r, plan_from(maps, NULL, "x12/004010/850"));
    r.said.stop_with = ERR_STOP;
    assert_int_equal(run_text(&r, records, sizeof(records) - 1), ERR_STOP);
    assert_int_equal(r.said.errors, 1);
    run_deinit(&r);

    /* the same of records too large to be held: here of 1,000 lines, the last one without a scheme */
    for (int good = 0; good < 2; good++) {
        struct buf json;
        buf_init(&json, 1 << 20);
        buf_add_text(&json, HEAD BEG ",\"lines\":[");
        for (unsigned i = 0; i < 1000; i++)
            buf_add_text(&json, LINE ",");
        buf_add_text(&json, good ? LINE "]}" : "{\"quantity\":\"1\",\"unit\":\"LBR\",\"items\":[{\"id\":\"9\"}]}]}");
        run_init(&r, plan_from(maps, NULL, "x12/004010/850"));
        r.streamed = 1000;
        assert_int_equal(run_text(&r, buf_text(&json), json.n), 0);
        assert_int_equal(r.refused, !good);
        assert_int_equal(r.said.errors, !good);
        assert_int_equal(r.out.n, good ? strlen(BEG_OUT) + 1001 * strlen(PO1_OUT) + strlen("CTT*1001*10010\n") : 0);
        run_deinit(&r);
        buf_deinit(&json);
    }

    /* a ceiling of the output */
    run_init(&r, plan_from(maps, NULL, "x12/004010/850"));
    r.edi.ceiling = 1300;
    assert_true(run_text(&r, records, sizeof(records) - 1) < 0);
    run_deinit(&r);
}

static int attempt(void *arg)
{
    static const char record[] = HEAD BEG ",\"unmapped\":[" LEFT("BEG.BEG04", "R2") "],\"vendor_name\":\"q\\u0061\","
        "\"vendor_number\":\"1\",\"notes\":[{\"kind\":\"lot\",\"value\":\"1\",\"text\":\"one\\ntwo\"}],"
        "\"totals\":{\"amount\":\"3\",\"amount_kind\":\"total\"}," LINES "}";
    struct run r;
    int code;
    run_init(&r, arg);
    r.options.write_unmapped = true;
    code = run_text(&r, record, sizeof(record) - 1);
    if (!code && (r.refused || r.said.text.failed))
        code = ERR_NOMEM;
    run_deinit(&r);
    return code;
}

static void memory(void **state)
{
    const struct map_plan *plan = plan_from(maps, NULL, "x12/004010/850");
    (void)state;
    assert_int_equal(attempt((void *)(uintptr_t)plan), 0);
    assert_true(fail_each_allocation(attempt, (void *)(uintptr_t)plan) > 10);
    plan = plan_with_orders(maps);
    assert_int_equal(attempt_tree((void *)(uintptr_t)plan), 0);
    assert_true(fail_each_allocation(attempt_tree, (void *)(uintptr_t)plan) > 10);
}

static void expressions(void **state)
{
    static const struct {
        const char *in;
        unsigned places, least;
        const char *out;
    } places[] = {
        { "15", 2, 1, "1500" }, { "15.5", 2, 1, "1550" }, { "0.05", 2, 1, "5" },  { "0", 2, 1, "0" },
        { "0.00", 2, 1, "0" },  { "-.5", 2, 1, "-50" },   { "007", 0, 1, "007" }, { "7.000", 0, 1, "7" },
        { "7.5", 0, 1, NULL },  { "1.005", 2, 1, NULL },  { "1.500", 2, 1, "150" }, { "5", 0, 3, "005" },
        { "-0.07", 2, 3, "-007" }, { "00.70", 2, 1, "70" },
    };
    static const struct {
        const char *in, *out;
    } times[] = {
        { "12:30", "1230" }, { "12:30:45", "123045" }, { "12:30:45.5", "1230455" }, { "12:30:45.50", "12304550" },
        { "12:30:45.0000", "12304500" }, { "12:30:45.125", NULL }, { "1230", NULL },
    };
    char room[64];
    const char *why;
    (void)state;
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int n = express_places(slice_of(places[i].in), places[i].places, places[i].least, room, &why);
        if (!places[i].out) {
            assert_int_equal(n, -1);
            continue;
        }
        assert_int_equal(n, strlen(places[i].out));
        assert_memory_equal(room, places[i].out, (size_t)n);
    }
    for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int n = express_time(slice_of(times[i].in), room, &why);
        if (!times[i].out) {
            assert_int_equal(n, -1);
            continue;
        }
        assert_int_equal(n, strlen(times[i].out));
        assert_memory_equal(room, times[i].out, (size_t)n);
    }
    assert_int_equal(express_date(SLICE("2026-01-02"), 8, room, &why), 8);
    assert_int_equal(express_date(SLICE("1999-12-31"), 6, room, &why), 6);
    assert_memory_equal(room, "991231", 6);
    assert_int_equal(express_date(SLICE("1949-12-31"), 6, room, &why), -1);
    assert_int_equal(express_date(SLICE("2050-12-31"), 6, room, &why), -1);
    assert_int_equal(express_date(SLICE("20260102"), 8, room, &why), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_orders),  cmocka_unit_test(values),      cmocka_unit_test(lists),
        cmocka_unit_test(codes_for_words), cmocka_unit_test(left_out),
        cmocka_unit_test(wrong_records), cmocka_unit_test(conversions), cmocka_unit_test(inherited),
        cmocka_unit_test(hierarchies), cmocka_unit_test(shuffled), cmocka_unit_test(made_nodes), cmocka_unit_test(further_words), cmocka_unit_test(openers),
        cmocka_unit_test(told_apart),    cmocka_unit_test(misread),     cmocka_unit_test(leftovers),
        cmocka_unit_test(samples),       cmocka_unit_test(refusals),    cmocka_unit_test(memory),
        cmocka_unit_test(expressions),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
