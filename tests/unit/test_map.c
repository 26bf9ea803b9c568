/*
 * map: the language of maps: every refusal with its words and place, and what each kind of line does, from document
 * to record and back. Maps, tables and a small record kind are written into a temporary folder; the guides are ours.
 *
 * `goes` reads a document and requires the record, then writes the record and requires the document. `reads` and
 * `writes` do one of these. `refused` requires the complaints of the compiler, word by word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_malloc.h"
#include "map/coverage.h"
#include "map/period.h"
#include "map/read.h"
#include "map/write.h"

static const char schema[] =
    "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"type\": \"object\",\n"
    " \"required\": [\"record\", \"version\"], \"additionalProperties\": false,\n"
    " \"properties\": {\n"
    "  \"record\": {\"type\": \"string\", \"const\": \"small\"},\n"
    "  \"version\": {\"type\": \"integer\", \"const\": 1},\n"
    "  \"id\": {\"type\": \"string\"},\n"
    "  \"source\": {\"type\": \"object\"},\n"
    "  \"number\": {\"type\": \"string\"},\n"
    "  \"purpose\": {\"type\": \"string\"},\n"
    "  \"purpose_code\": {\"type\": \"string\"},\n"
    "  \"type\": {\"type\": \"string\"},\n"
    "  \"ordered_on\": {\"type\": \"string\", \"format\": \"date\"},\n"
    "  \"ship_at\": {\"type\": \"string\", \"format\": \"partial-datetime\"},\n"
    "  \"cancel_at\": {\"type\": \"string\", \"format\": \"partial-datetime\"},\n"
    "  \"time\": {\"type\": \"string\", \"format\": \"time\"},\n"
    "  \"amount\": {\"type\": \"string\", \"format\": \"decimal\"},\n"
    "  \"charge\": {\"type\": \"string\", \"format\": \"decimal\"},\n"
    "  \"kind\": {\"type\": \"string\"},\n"
    "  \"currency\": {\"type\": \"string\"},\n"
    "  \"vendor\": {\"type\": \"string\"},\n"
    "  \"vendor_name\": {\"type\": \"string\"},\n"
    "  \"department\": {\"type\": \"string\"},\n"
    "  \"text\": {\"type\": \"string\"},\n"
    "  \"weight\": {\"type\": \"string\", \"format\": \"decimal\"},\n"
    "  \"references\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/reference\"}},\n"
    "  \"ship_to\": {\"$ref\": \"#/$defs/party\"},\n"
    "  \"parties\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/party\"}},\n"
    "  \"lines\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/line\"}},\n"
    "  \"totals\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n"
    "   \"weight\": {\"type\": \"string\", \"format\": \"decimal\"}, \"text\": {\"type\": \"string\"},\n"
    "   \"kind\": {\"type\": \"string\"}, \"amount\": {\"type\": \"string\", \"format\": \"decimal\"}}},\n"
    "  \"sums\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n"
    "   \"weight\": {\"type\": \"string\", \"format\": \"decimal\"}, \"text\": {\"type\": \"string\"},\n"
    "   \"unmapped\": {\"$ref\": \"#/$defs/unmapped\"}}},\n"
    "  \"rejected\": {\"type\": \"array\", \"items\": {\"type\": \"object\"}},\n"
    "  \"unmapped\": {\"$ref\": \"#/$defs/unmapped\"}},\n"
    " \"$defs\": {\n"
    "  \"unmapped\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"properties\": {\n"
    "   \"path\": {\"type\": \"string\"}, \"value\": {\"type\": \"string\"}}}},\n"
    "  \"reference\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n"
    "   \"kind\": {\"type\": \"string\"}, \"kind_code\": {\"type\": \"string\"}, \"value\": {\"type\": \"string\"},\n"
    "   \"text\": {\"type\": \"string\"},\n"
    "   \"related_kind\": {\"type\": \"string\"}, \"related_value\": {\"type\": \"string\"},\n"
    "   \"unmapped\": {\"$ref\": \"#/$defs/unmapped\"}}},\n"
    "  \"party\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n"
    "   \"role\": {\"type\": \"string\"}, \"name\": {\"type\": \"string\"}, \"id\": {\"type\": \"string\"},\n"
    "   \"city\": {\"type\": \"string\"}, \"street\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}},\n"
    "   \"references\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/reference\"}},\n"
    "   \"unmapped\": {\"$ref\": \"#/$defs/unmapped\"}}},\n"
    "  \"line\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n"
    "   \"number\": {\"type\": \"string\"},\n"
    "   \"quantity\": {\"type\": \"string\", \"format\": \"decimal\"},\n"
    "   \"unit\": {\"type\": \"string\"}, \"unit_code\": {\"type\": \"string\"},\n"
    "   \"price\": {\"type\": \"string\", \"format\": \"decimal\"},\n"
    "   \"currency\": {\"type\": \"string\"},\n"
    "   \"items\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"additionalProperties\": false, "
    "\"properties\": {\n"
    "    \"scheme\": {\"type\": \"string\"}, \"scheme_code\": {\"type\": \"string\"}, \"id\": {\"type\": "
    "\"string\"}}}},\n"
    "   \"allocations\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"additionalProperties\": false,\n"
    "    \"properties\": {\"location\": {\"type\": \"string\"}, \"unit\": {\"type\": \"string\"},\n"
    "    \"quantity\": {\"type\": \"string\", \"format\": \"decimal\"}}}},\n"
    "   \"size\": {\"type\": \"string\", \"format\": \"decimal\"},\n"
    "   \"weight\": {\"type\": \"string\", \"format\": \"decimal\"},\n"
    "   \"text\": {\"type\": \"string\"},\n"
    "   \"ship_to\": {\"$ref\": \"#/$defs/party\"},\n"
    "   \"references\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/reference\"}},\n"
    "   \"unmapped\": {\"$ref\": \"#/$defs/unmapped\"}}}}}\n";

static char folder[64];
static struct guides *guides;

static void write_file(const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static const char *const folders[] = { "records", "tables", "x12", "x12/test" };
static const char *const files[] = { "records/small.1.schema.json", "tables/unit.table", "tables/wrong.table",
                                     "x12/test/test.map", "partner.map", "record.json" };

static int set_up(void **state)
{
    struct err err;
    const char *directory = getenv("WAYBILL_MAPS_DIR");
    char path[256];

    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/waybill-test-map-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, folders[i]);
        if (mkdir(path, 0700) < 0)
            return -1;
    }
    write_file("records/small.1.schema.json", schema);
    write_file("tables/unit.table", "table unit\n  EA  piece\n  PC  piece\n  CA  case\n  *   keep\n");
    return guides_new(directory ? directory : "maps", &guides, &err);
}

static int tear_down(void **state)
{
    char path[256];

    (void)state;
    guides_free(&guides);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        unlink(path);
    }
    for (size_t i = sizeof(folders) / sizeof(folders[0]); i-- > 0;) {
        snprintf(path, sizeof(path), "%s/%s", folder, folders[i]);
        rmdir(path);
    }
    return rmdir(folder);
}

/* ---- maps ---- */

#define HEAD "map x12/test\n  between guide x12/004010/850 and record small 1\n"

struct setting {
    struct maps *maps;
    struct complaints complaints;
    const struct map *map;
    const struct guide *guide;
    const struct map_plan *plan;
    struct err err;
};

/* 0, or a negative code; the complaints tell why. `partner` may be NULL. */
static int compile(struct setting *s, const char *text, const char *partner)
{
    char path[256];
    int r;

    *s = (struct setting){ .maps = NULL };
    complaints_init(&s->complaints);
    write_file("x12/test/test.map", text);
    if (partner)
        write_file("partner.map", partner);
    r = maps_new(folder, &s->maps, &s->err);
    if (r == 0)
        r = guides_by_id(guides, SLICE("x12/004010/850"), &s->complaints, &s->guide, &s->err);
    snprintf(path, sizeof(path), "%s/partner.map", folder);
    if (r == 0)
        r = partner ? maps_by_file(s->maps, path, &s->complaints, &s->map, &s->err)
                    : maps_by_name(s->maps, SLICE("x12/test"), &s->complaints, &s->map, &s->err);
    if (r == 0)
        r = map_plan_for(s->maps, s->map, s->guide, &s->complaints, &s->plan, &s->err);
    return r;
}

static void clean_up(struct setting *s)
{
    maps_free(&s->maps);
    complaints_deinit(&s->complaints);
}

static void compile_well(struct setting *s, const char *text, const char *partner)
{
    if (compile(s, text, partner) < 0)
        fail_msg("%s\n%s", s->err.text, buf_text(&s->complaints.text));
    assert_int_equal(s->complaints.count, 0);
}

/* What was complained of: LINE:COLUMN: WORDS, and hints; without file names and what is shown of the line. */
static void plain(struct buf *from, struct buf *to)
{
    char *text = strdup(buf_text(from)), *next;
    assert_non_null(text);
    for (char *line = text; line && *line; line = next) {
        const char *words;
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        if (line[0] == ' ')
            continue;
        words = strncmp(line, folder, strlen(folder)) == 0 ? strchr(line, ':') : NULL;
        buf_add_text(to, words ? words + 1 : line);
        buf_add_char(to, '\n');
    }
    free(text);
}

static void refused_by(const char *text, const char *partner, const char *expected)
{
    struct setting s;
    struct buf found;
    int code = compile(&s, text, partner);

    buf_init(&found, 1 << 20);
    plain(&s.complaints.text, &found);
    assert_string_equal(buf_text(&found), expected);
    assert_int_equal(code, ERR_CONFIG);
    assert_null(s.plan);
    buf_deinit(&found);
    clean_up(&s);
}

static void refused(const char *text, const char *expected)
{
    refused_by(text, NULL, expected);
}

/* ---- documents ---- */

struct reading {
    const struct map_plan *plan;
    struct buf out, findings;
};

static int choose(void *ctx, const struct edi_document *d, const struct map_plan **plan_r)
{
    struct reading *r = ctx;
    (void)d;
    *plan_r = r->plan;
    return 0;
}

static int on_write(void *ctx, const char *p, size_t n)
{
    struct reading *r = ctx;
    buf_add(&r->out, p, n);
    return r->out.failed;
}

static int on_finding(void *ctx, const struct finding *f)
{
    struct reading *r = ctx;
    buf_add_text(&r->findings, finding_rows[f->code].name);
    buf_add_text(&r->findings, " ");
    finding_message(f, &r->findings);
    buf_add_text(&r->findings, "\n");
    return r->findings.failed;
}

/* The document around some segments. */
static void add_document(struct buf *to, const char *body)
{
    unsigned n = 2;
    for (const char *p = body; *p; p++)
        n += *p == '~';
    buf_add_text(to, "ISA*00*          *00*          *ZZ*NORTHWIND      *ZZ*ACMECORP       *260115*0905*U*00401*"
                     "000000042*0*P*>~GS*PO*NORTH*ACME*20260115*0905*7*X*004010~ST*850*0001~");
    buf_add_text(to, body);
    buf_printf(to, "SE*%u*0001~GE*1*7~IEA*1*000000042~", n);
}

static int read_document(struct reading *r, const char *body, struct err *err)
{
    struct map_read_options options = { .choose = choose, .write = on_write, .finding = on_finding, .ctx = r };
    struct edi_reader_options how = { .guides = guides };
    struct map_reader *map = NULL;
    struct edi_reader *reader = NULL;
    struct complaints complaints;
    struct edi_sink sink;
    struct buf text;
    int code;

    complaints_init(&complaints);
    buf_init(&text, 1 << 20);
    add_document(&text, body);
    how.complaints = &complaints;
    finding_policy_init(&how.policy);
    code = text.failed ? text.failed : map_reader_new(&options, &map, err);
    if (code == 0) {
        map_reader_sink(map, &sink);
        code = edi_reader_new(&how, &sink, &reader, err);
    }
    if (code == 0) {
        map_reader_attach(map, reader);
        code = edi_reader_feed(reader, buf_slice(&text), err);
    }
    if (code == 0)
        code = edi_reader_end(reader, err);
    edi_reader_free(&reader);
    map_reader_free(&map);
    buf_deinit(&text);
    complaints_deinit(&complaints);
    if (code == 0 && complaints.nomem)
        code = ERR_NOMEM;
    return code;
}

static void reading_init(struct reading *r, const struct map_plan *plan)
{
    r->plan = plan;
    buf_init(&r->out, 1 << 20);
    buf_init(&r->findings, 1 << 20);
}

static void reading_deinit(struct reading *r)
{
    buf_deinit(&r->out);
    buf_deinit(&r->findings);
}

/* Without what the envelope says: record to source. */
static void strip(struct buf *record)
{
    const char *text = buf_text(record), *from = strstr(text, "\"source\":{"), *end;
    assert_non_null(from);
    end = strchr(from, '}');
    assert_non_null(end);
    end += end[1] == ',' ? 2 : 1;
    buf_drop(record, (size_t)(end - text) - 1);
    record->p[0] = '{';
    if (record->n && record->p[record->n - 1] == '\n')
        record->n--;
}

static void reads_with(const struct setting *s, const char *body, const char *json, const char *findings)
{
    struct reading r;
    struct err err = { 0 };

    reading_init(&r, s->plan);
    if (read_document(&r, body, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf_text(&r.findings), findings);
    strip(&r.out);
    assert_string_equal(buf_text(&r.out), json);
    reading_deinit(&r);
}

/* ---- records ---- */

static int on_write_finding(void *ctx, const struct map_write_finding *f)
{
    struct buf *findings = ctx;
    buf_add_text(findings, f->code);
    buf_add_char(findings, ' ');
    map_write_finding_text(f, findings);
    buf_add_char(findings, '\n');
    return findings->failed;
}

static int write_document(const struct map_plan *plan, const char *json, bool unmapped, struct buf *out,
                          struct buf *findings, struct err *err)
{
    struct edi_envelope envelope = { .at = { 2026, 1, 15, 9, 5, -1 }, .sender = SLICE("NORTHWIND"),
                                     .receiver = SLICE("ACMECORP"), .interchange_control = SLICE("42"),
                                     .group = SLICE("PO"), .group_control = SLICE("7"), .version = SLICE("004010") };
    struct map_write_options options = { .write_unmapped = unmapped };
    struct edi_write_options how;
    struct record_reader *records = NULL;
    struct map_writer *map = NULL;
    struct edi_writer *w = NULL;
    const struct record *record;
    char path[256];
    FILE *f;
    int code;

    snprintf(path, sizeof(path), "%s/record.json", folder);
    f = fopen(path, "w+");
    assert_non_null(f);
    fprintf(f, "{\"record\":\"small\",\"version\":1%s%s\n", json[1] == '}' ? "" : ",", json + 1);
    assert_int_equal(fflush(f), 0);
    rewind(f);
    edi_write_options_init(&how);
    code = edi_writer_new(&how, &w, err);
    if (code == 0)
        code = map_writer_new(plan, &options, &map, err);
    if (code == 0)
        code = record_reader_new(fileno(f), NULL, &records, err);
    if (code == 0) {
        code = record_reader_next(records, &record, err);
        code = code == 1 ? 0 : code ? code : ERR_INTERNAL;
    }
    if (code == 0 && (edi_write_interchange(w, &envelope) < 0 || edi_write_group(w, &envelope) < 0)) {
        *err = *edi_writer_error(w);
        code = err->code;
    }
    if (code == 0)
        code = map_write_record(map, record, w, SLICE("0001"), SLICE(""), on_write_finding, findings, err);
    if (code == 0) {
        struct slice text = edi_writer_output(w);
        const char *from = text.n ? memmem(text.p, text.n, "ST*850*0001~", 12) : NULL;
        const char *end = from ? memmem(from, (size_t)(text.p + text.n - from), "~SE*", 4) : NULL;
        if (end)
            buf_add(out, from + 12, (size_t)(end + 1 - from) - 12);
        code = out->failed;
    }
    record_reader_free(&records);
    map_writer_free(&map);
    edi_writer_free(&w);
    fclose(f);
    return code;
}

static void writes_with(const struct setting *s, const char *json, const char *body, const char *findings)
{
    struct buf out, said;
    struct err err = { 0 };
    int code;

    buf_init(&out, 1 << 20);
    buf_init(&said, 1 << 20);
    code = write_document(s->plan, json, true, &out, &said, &err);
    assert_string_equal(buf_text(&said), findings);
    if (code < 0 && !findings[0])
        fail_msg("%s", err.text);
    assert_string_equal(buf_text(&out), body);
    buf_deinit(&out);
    buf_deinit(&said);
}

/* ---- one map, one document, one record ---- */

static void reads(const char *map, const char *body, const char *json)
{
    struct setting s;
    compile_well(&s, map, NULL);
    reads_with(&s, body, json, "");
    clean_up(&s);
}

static void writes(const char *map, const char *json, const char *body)
{
    struct setting s;
    compile_well(&s, map, NULL);
    writes_with(&s, json, body, "");
    clean_up(&s);
}

static void goes(const char *map, const char *body, const char *json)
{
    struct setting s;
    compile_well(&s, map, NULL);
    reads_with(&s, body, json, "");
    writes_with(&s, json, body, "");
    clean_up(&s);
}

#define BEG "BEG*00*SA*4711**20260115~"
#define PO1 "PO1*1*5*EA*9.5**UP*123456789012~"
/* Lines that take BEG and PO1 whole, so that nothing of them is unmapped. */
#define BEG_LINES "  BEG01 <-> purpose\n  BEG02 <-> type\n  BEG03 <-> number\n  BEG05 <-> ordered_on date\n"
#define PO1_LINES "  PO1 <-> lines[]\n    PO101 <-> number\n    PO102 <-> quantity decimal\n    PO103 <-> unit\n" \
                  "    PO104 <-> price decimal\n    PO106..PO125 pairs <-> items[].(scheme id)\n"
#define BEG_JSON "\"purpose\":\"00\",\"type\":\"SA\",\"number\":\"4711\",\"ordered_on\":\"2026-01-15\""
#define LINE_JSON "\"number\":\"1\",\"quantity\":\"5\",\"unit\":\"EA\",\"price\":\"9.5\"," \
                  "\"items\":[{\"scheme\":\"UP\",\"id\":\"123456789012\"}]"
#define LINES_JSON "\"lines\":[{" LINE_JSON "}]"

/* --- Refusals --- */

static void test_names(void **state)
{
    (void)state;
    refused(HEAD "  BEG03 <-> nubmer\n",
            "3:13: the record has no field \"nubmer\" here\nhint: did you mean \"number\"?\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO102 <-> quantty decimal\n",
            "4:15: the record has no field \"quantty\" here\nhint: did you mean \"quantity\"?\n");
    refused(HEAD "  BEG03 <-> something_else_entirely\n",
            "3:13: the record has no field \"something_else_entirely\" here\n");
    refused(HEAD "  BEX03 <-> number\n", "3:3: x12/004010/850 has no BEX here\n");
    refused(HEAD "  PO1 <-> lines[]\n    BEG03 <-> number\n", "4:5: x12/004010/850 has no BEG here\n");
    refused(HEAD "  REF <-> references[]\n    BEG03 <-> value\n",
            "4:5: x12/004010/850 has no BEG here\nhint: inside this block only REF itself can be named.\n");
    refused(HEAD "  BEG13 <-> number\n", "3:3: BEG has only 12 elements\n");
    refused(HEAD "  BEG03-2 <-> number\n", "3:3: element 03 of BEG has no components\n");
    refused(HEAD "  REF <-> references[]\n    REF04-7 <-> value\n", "4:5: element 04 of REF has only 6 components\n");
    refused(HEAD "  BEG01 <-> purpose code prupose\n", "3:13: there is no table \"prupose\"\n");
    refused(HEAD "  BEG01 <-> purpose code unit beside pupose_code\n",
            "3:13: the record has no field \"pupose_code\" here\nhint: did you mean \"purpose_code\"?\n");
    refused(HEAD "  REF[IA].REF02 <-> vendor if knd = x\n",
            "3:21: the record has no field \"knd\" here\nhint: did you mean \"kind\"?\n");
    refused(HEAD "  PO1 <-> lines[]\n    CUR02 <-> currency inherit curency\n",
            "4:15: the record has no field \"curency\" to inherit\n");
}

static void test_shapes(void **state)
{
    (void)state;
    refused(HEAD "  REF <-> references\n",
            "3:11: \"references\" is no object\nhint: write it with [].\n");
    refused(HEAD "  N1[ST] <-> ship_to[]\n",
            "3:14: \"ship_to\" is no list of objects\nhint: write it without [].\n");
    refused(HEAD "  REF <-> number\n", "3:11: \"number\" is no object\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO106..PO125 pairs <-> number[].(scheme id)\n",
            "4:28: \"number\" is no list of objects\n");
    refused(HEAD "  N1 <-> parties[]\n    N3.(N301 N302).. <-> references[]\n",
            "4:26: \"references\" is no list of texts\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO106..PO124 pairs <-> items[].(scheme id)\n",
            "4:28: the elements must be a multiple of the names: PO106..PO125 pairs <-> items[].(scheme id)\n");
    refused(HEAD "  PO1 <-> lines[]\n    SDQ03..SDQ22 pairs <-> allocations[].(location quantity)\n"
                 "      PO103 <-> unit\n",
            "5:7: what pairs share are other elements of the same segment\n");
    refused(HEAD "  CTT01 check count number\n", "3:21: expected: count LIST, or sum LIST.FIELD\n");
    refused(HEAD "  CTT02 check sum lines\n", "3:19: expected: count LIST, or sum LIST.FIELD\n");
    refused(HEAD "  CTT02 check sum lines.quantty\n", "3:19: the list's items have no such field\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO101 check count lines\n", "4:5: a check stands at the top of the map\n");
}

static void test_conversions_that_do_not_fit(void **state)
{
    (void)state;
    refused(HEAD "  BEG05 <-> ordered_on\n", "3:13: this field is a date: write the conversion `date`\n");
    refused(HEAD "  BEG03 <-> number date\n", "3:13: this field is no date\n");
    refused(HEAD "  DTM[010].DTM02 <-> ship_at\n",
            "3:22: this field is a date with time: write the conversion `datetime`\n");
    refused(HEAD "  BEG03 <-> number datetime\n", "3:13: this field is no date with time\n");
    refused(HEAD "  DTM[010].DTM03 <-> time\n", "3:22: this field is a time: write the conversion `time`\n");
    refused(HEAD "  BEG03 <-> number time\n", "3:13: this field is no time\n");
    refused(HEAD "  BEG03 <-> number uper\n",
            "3:20: there is no conversion \"uper\"\nhint: did you mean \"upper\"?\n");
    refused(HEAD "  BEG03 <-> number pad\n", "3:23: a number from 1 to 100000 is expected here\n3:23: a value is expected here\n");
    refused(HEAD "  CTT03 <-> weight implied 300\n", "3:28: a number from 1 to 30 is expected here\n");
    refused(HEAD "  BEG03 <-> number less\n", "3:24: a number from 1 to 1000 is expected here\n");
    refused(HEAD "  CTT03 <-> weight decimal decimal\n", "3:28: this conversion stands on the line already\n");
    refused(HEAD "  BEG07 <-> kind const AC\n",
            "3:18: a constant is only written\nhint: write <- instead: what is read may be something else.\n");
    refused(HEAD "  BEG07 -> kind const AC\n",
            "3:17: a constant is only written\nhint: write <- instead: what is read may be something else.\n");
    refused(HEAD "  BEG03 <-> number code\n", "3:24: a value is expected here\n");
    refused(HEAD "  BEG03 <-> number if\n", "3:20: expected: if FIELD = VALUE, if FIELD or if not FIELD, and more behind `and`\n");
    refused(HEAD "  BEG03 <-> number if kind =\n",
            "3:20: expected: if FIELD = VALUE, if FIELD or if not FIELD, and more behind `and`\n");
    refused(HEAD "  BEG03 <-> number if not kind and\n",
            "3:20: expected: if FIELD = VALUE, if FIELD or if not FIELD, and more behind `and`\n");
    refused(HEAD "  BEG03 <-> number if kind is x\n", "3:28: there is no conversion \"is\"\n");
    refused(HEAD "  BEG03 number\n", "3:9: expected <->, ->, <-, check, always or row\n");
    refused(HEAD "  BEG03 <->\n", "3:12: a field of the record is expected here\n");
    refused(HEAD "  REF <-> references[x]\n", "3:11: a list is written NAME[]\n");
    refused(HEAD "  CTT01 check count lines\n    CTT02 -> kind\n", "4:5: nothing stands below a line of one field\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO106..PO125 pairs <-> items[]x\n",
            "4:28: expected: NAME[] or NAME[].(FIRST SECOND)\n");
}

static void test_what_cannot_be_turned_round(void **state)
{
    (void)state;
    refused(HEAD "  REF[IA].REF02 <-> vendor\n  REF[VR].REF02 <-> vendor\n",
            "4:21: another line writes \"vendor\" already, and nothing tells them apart\n"
            "hint: tell them apart with `if FIELD = VALUE`, or write `->` where a line only reads.\n");
    refused(HEAD "  BEG01 <-> purpose code unit\n",
            "3:13: table unit has one word for several codes: this cannot be written back\n"
            "hint: keep the partner's code, too: code unit beside FIELD.\n");
    refused(HEAD "  BEG01 <-> purpose code own\ntable own\n  00 original\n  06 original\n",
            "3:13: table own has one word for several codes: this cannot be written back\n"
            "hint: keep the partner's code, too: code own beside FIELD.\n");
    refused(HEAD "  BEG01 <-> purpose code own\ntable own\n  00 05\n",
            "3:13: table own has the word 05, which may be a code as well: this cannot be written back\n"
            "hint: keep the partner's code, too: code own beside FIELD.\n");
    refused(HEAD "  N1[ST] <-> ship_to\n    N102 <-> name\n  PO1/N1[ST] <-> ship_to\n    N102 <-> name\n",
            "5:18: another line writes this object already\n");
}

static void test_lines_that_clash(void **state)
{
    (void)state;
    /* conditions must exclude each other, and be known when reading */
    refused(HEAD "  SAC01 <-> kind\n  SAC05 <-> amount decimal if kind = A\n  SAC08 <-> amount decimal if kind = A\n",
            "5:13: another line writes \"amount\" already, and nothing tells them apart\n"
            "hint: tell them apart with `if FIELD = VALUE`, or write `->` where a line only reads.\n");
    refused(HEAD "  SAC01 <-> kind\n  SAC05 <-> amount decimal\n  SAC08 <-> amount decimal if kind = A\n",
            "5:13: another line writes \"amount\" already, and nothing tells them apart\n"
            "hint: tell them apart with `if FIELD = VALUE`, or write `->` where a line only reads.\n");
    refused(HEAD "  SAC05 <-> amount decimal if kind = A\n",
            "3:3: \"kind\" is not known when this is read\n"
            "hint: a condition's field comes from the same segment, or one before it, by a line without such conditions; "
            "or the line's own qualifier says it.\n");
    refused(HEAD "  SAC01 <-> kind\n  CUR02 <-> currency if kind = A\n",
            "4:3: \"kind\" is not known when this is read\n"
            "hint: a condition's field comes from the same segment, or one before it, by a line without such conditions; "
            "or the line's own qualifier says it.\n");
    /* one element, two fields */
    refused(HEAD "  SAC05 <-> amount decimal\n  SAC05 <-> charge decimal\n",
            "4:3: another line writes this element already, and nothing tells them apart\n");
    refused(HEAD "  CUR02 <-> currency\n  CUR02 <- const USD if not kind\n",
            "4:3: another line writes this element already, and nothing tells them apart\n");
    refused(HEAD "  CUR02 <-> currency\n  CUR02 <- const USD\n",
            "4:3: another line writes this element already, and nothing tells them apart\n");
    refused(HEAD "  N1 <-> ship_to\n    N102 <-> name\n  N1 <-> totals\n    N103 <-> kind\n",
            "5:3: another line takes this already: alone in a record, this object would come back as that one\n");
    refused(HEAD "  REF <-> references[]\n    REF04-1 <-> related_kind\n    REF04 <-> value\n",
            "5:5: another line writes this element already, and nothing tells them apart\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO108 <-> number\n    PO106..PO125 pairs <-> items[].(scheme id)\n",
            "4:5: the pairs of this segment take this element already\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO106..PO127 pairs <-> items[].(scheme id)\n",
            "4:5: PO1 has only 25 elements\n");
    refused(HEAD "  (DTM02 DTM07) <-> ship_at datetime\n", "3:3: DTM has only 6 elements\n");
    /* the field beside is written, too */
    refused(HEAD "  BEG03 <-> purpose_code\n  BEG01 <-> purpose code unit beside purpose_code\n",
            "4:13: another line writes \"purpose_code\" already, and nothing tells them apart\n"
            "hint: tell them apart with `if FIELD = VALUE`, or write `->` where a line only reads.\n");
    refused(HEAD "  N1[ST] <-> ship_to\n    N102 <-> name\n  N1[SF] <-> ship_to\n    N102 <-> name\n",
            "5:14: another line writes this object already\n");
    /* what stands behind a list that takes all */
    refused(HEAD "  REF <-> references[]\n    REF02 <-> value\n  REF[IA].REF02 <-> vendor\n",
            "5:3: nothing is left for this line: one above takes every REF\n"
            "hint: a list that takes the rest stands behind the lines for single ones.\n");
    refused(HEAD "  N1 <-> parties[]\n    N102 <-> name\n  N1[ST] <-> ship_to\n    N102 <-> name\n",
            "5:3: nothing is left for this line: one above takes every N1\n"
            "hint: a list that takes the rest stands behind the lines for single ones.\n");
    /* of one segment, what one line makes a field of this object another cannot put into one of its own */
    refused(HEAD "  BEG03 <-> purpose_code\n  BEG01 <-> totals.kind\n",
            "4:3: nothing is left for this line: one above takes every BEG\n"
            "hint: what one segment holds goes to one object.\n");
    refused(HEAD "  BEG01 <-> totals.kind\n  BEG03 <-> purpose_code\n",
            "4:3: nothing is left for this line: one above takes every BEG\n"
            "hint: what one segment holds goes to one object.\n");
}

static void test_conditions_that_clash(void **state)
{
    (void)state;
    /* what is not apart */
    refused(HEAD "  CUR01 <-> kind\n  REF[IA].REF02 <-> vendor if kind\n  REF[VR].REF02 <-> vendor if kind = A\n",
            "5:21: another line writes \"vendor\" already, and nothing tells them apart\n"
            "hint: tell them apart with `if FIELD = VALUE`, or write `->` where a line only reads.\n");
    refused(HEAD "  CUR01 <-> kind\n  REF[IA].REF02 <-> vendor if kind = A and not type\n"
                 "  REF[VR].REF02 <-> vendor if kind = A and not number\n",
            "5:21: another line writes \"vendor\" already, and nothing tells them apart\n"
            "hint: tell them apart with `if FIELD = VALUE`, or write `->` where a line only reads.\n");
    /* of one segment some lines have a condition on another */
    refused(HEAD "  CUR01 <-> kind\n  REF[IA].REF02 <-> vendor if kind = A\n  REF[IA].REF03 <-> vendor_name\n",
            "5:3: all lines of a segment have the same conditions on other segments, or such that exclude each other\n");
    /* one field, said by the qualifiers of two segments that may both be there */
    refused(HEAD "  REF[IA].REF02 <-> vendor if kind = A\n  REF[VR].REF02 <-> department if kind = B\n",
            "4:3: another line says \"kind\" already, by the qualifier of another segment\n");
    refused(HEAD "  REF[IA].REF02 <-> vendor if kind\n",
            "3:3: \"kind\" is not known when this is read\n"
            "hint: a condition's field comes from the same segment, or one before it, by a line without such conditions; "
            "or the line's own qualifier says it.\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO101 <-> number\n    PO102 <-> quantity decimal if text = A\n",
            "5:5: \"text\" is not known when this is read: nothing of the block stands before\n");
    /* where conditions have no place */
    refused(HEAD "  REF[IA] <-> references[] if kind = A\n    REF02 <-> value\n",
            "3:15: only a field has conditions, and nodes of a tree one\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO106..PO125 pairs <-> items[].(scheme id) if number = A\n",
            "4:28: only a field has conditions, and nodes of a tree one\n");
    refused(HEAD "  PO1 <-> lines[]\n    MSG01.. <-> text fold 264 if number = 1\n",
            "4:17: a text over several segments has no condition where it is read\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO102 <-> quantity decimal if number and txt = A\n",
            "4:15: the record has no field \"txt\" here\nhint: did you mean \"text\"?\n");
    refused(HEAD "  BEG03 <-> number if lines\n", "3:13: a condition speaks of one value, which \"lines\" is not\n");
    refused(HEAD "  BEG03 <-> number if kind = 1 and type = 2 and text = 3 and vendor = 4 and not amount\n",
            "3:20: a line has four conditions at most\n");
}

static void test_fields_that_cannot_hold_it(void **state)
{
    (void)state;
    refused(HEAD "  BEG03 <-> ship_to\n",
            "3:13: \"ship_to\" is an object\nhint: name one of its fields, or write a block for its segment.\n");
    refused(HEAD "  BEG03 <-> lines\n",
            "3:13: \"lines\" is a list\nhint: name one of its fields, or write a block for its segment.\n");
    refused(HEAD "  BEG03 <-> version\n",
            "3:13: \"version\" is a whole number: maps know texts, decimals, dates and times\n");
    refused(HEAD "  BEG03 <-> amount\n",
            "3:13: this field is a decimal, the element is not: write the conversion `decimal`\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO101 <-> size\n",
            "4:15: this field is a decimal, the element is not: write the conversion `decimal`\n");
}

static void test_blocks_refused(void **state)
{
    (void)state;
    refused(HEAD "  use refernce\n", "3:3: there is no block of this name\n");
    refused(HEAD "  REF <-> references[] use refernce\n", "3:3: there is no block of the name that this line uses\n");
    refused(HEAD "  use a\nblock a\n  use b\nblock b\n  use a\n", "5:3: blocks use each other in a circle\n");
    refused(HEAD "  PO1 <-> lines[]\n    REF[IA].REF02 <-> number\n    N1.N9/REF.REF02 <-> unit\n",
            "5:5: x12/004010/850 has no REF here\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO1[x].PO102 <-> quantity decimal\n",
            "4:5: the segment has no such qualifier; name the element: [02=CODE]\n"
            );
}

static void test_must_map(void **state)
{
    (void)state;
    refused("map x12/test\n  between guide x12/004010/850 and record small 1\n  must map BEG03 PO1.PO102 XYZ01\n"
            "  BEG01 <-> purpose\n",
            "3:12: this must be mapped, and no line maps it\n3:18: this must be mapped, and no line maps it\n"
            "3:28: the guide has no such place\n");
    refused("map x12/test\n  between guide x12/004010/850 and record small 1\n  must map PO1.PO102\n"
            "  PO1 <-> lines[]\n    PO101 <-> number\n",
            "3:12: this must be mapped, and no line maps it\n");
}

static void test_headings_refused(void **state)
{
    (void)state;
    refused("map x12/test\n  BEG03 <-> number\n",
            "1: the map does not say what it is between\n"
            "hint: write: between guide x12/004010/850 and record order 1.\n");
    refused("mpa x12/test\n", "1:1: a map begins with: map NAME, or: map NAME from BASE\n");
    refused("map x12/test\n  between guide x12/004010/850 and record small\n",
            "2:3: expected: between guide STANDARD/VERSION/SET and record KIND VERSION, or: between record KIND VERSION and "
            "record KIND VERSION\n");
    refused("map x12/test\n  between guide x12/004010/850 and record smal 1\n",
            "1: there is no record kind smal of version 1\n");
    refused("map x12/test from x12/nowhere\n", "1:19: there is no such map\n");
    refused(HEAD "  BEG03 <-> number\nbloc a\n  BEG01 <-> purpose\n",
            "4:1: expected \"block NAME\" or \"table NAME\"\n");
}

static void test_tables_refused(void **state)
{
    (void)state;
    refused(HEAD "  BEG01 <-> purpose code own\ntable own\n  00 original\n  00 copy\n",
            "4: the table has the code 00 twice\n");
    refused(HEAD "  BEG01 <-> purpose code own\ntable own\n  00\n",
            "5:5: expected: CODE WORD; a word with blanks stands in quotes\n");
    refused(HEAD "  BEG01 <-> purpose code own\ntable own\n  00 a replacement\n",
            "5:8: expected: CODE WORD; a word with blanks stands in quotes\n");
    refused(HEAD "  BEG01 <-> purpose code own\ntable own\n  00 a also b\n  01 b\n",
            "4: \"b\" has a row of its own in the table\n");
    refused(HEAD "  BEG01 <-> purpose code own\ntable own\n  00 a\n  * maybe\n",
            "6:5: expected \"keep\", \"drop\" or \"refuse\"\n");
    refused(HEAD "  BEG03 <-> number\ntable own\n  00 original also *\n  06 confirmation also other *\n",
            "6:30: the table has a code for all other words already\n");
    refused(HEAD "  BEG01 <-> purpose code own\ntable own\n  123456789 a\n", "5:3: a code has 1 to 8 characters\n");
    write_file("tables/wrong.table", "table other\n  00 a\n");
    refused(HEAD "  BEG01 <-> purpose code wrong\n",
            "1: expected: table wrong\n3:13: there is no table \"wrong\"\n");
}

/* --- Elements, tables, conversions --- */

static void test_elements(void **state)
{
    (void)state;
    goes(HEAD BEG_LINES PO1_LINES, BEG PO1, "{" BEG_JSON "," LINES_JSON "}");
    /* what is empty is not there */
    goes(HEAD BEG_LINES "  BEG04 <-> vendor\n" PO1_LINES, BEG PO1, "{" BEG_JSON "," LINES_JSON "}");
    /* the document's order, whatever the map's; the guide's order, whatever the record's */
    writes(HEAD PO1_LINES BEG_LINES, "{" LINES_JSON "," BEG_JSON "}", BEG PO1);
}

/* One list of two lines, with others between them, is one list. */
static void test_list_of_two(void **state)
{
    static const char map[] = HEAD BEG_LINES PO1_LINES
        "    REF <-> references[]\n      REF01 <-> kind\n      REF02 <-> value\n    TD5.TD505 <-> text\n"
        "    SDQ03..SDQ22 pairs <-> allocations[].(location quantity)\n"
        "    N9 -> references[]\n      N901 -> kind\n      N902 -> value\n";
    struct setting s;

    (void)state;
    compile_well(&s, map, NULL);
    reads_with(&s, BEG PO1 "REF*CO*1~REF*LI*2~SDQ*EA**01*5~TD5*****Truck~N9*L1*3~N9*L1*4~" PO1,
               "{" BEG_JSON ",\"lines\":[{" LINE_JSON ",\"allocations\":[{\"location\":\"01\",\"quantity\":\"5\"}],"
               "\"text\":\"Truck\",\"references\":[{\"kind\":\"CO\",\"value\":\"1\"},{\"kind\":\"LI\",\"value\":\"2\"},"
               "{\"kind\":\"L1\",\"value\":\"3\"},{\"kind\":\"L1\",\"value\":\"4\"}],"
               "\"unmapped\":[{\"path\":\"SDQ.SDQ01\",\"value\":\"EA\"}]},{" LINE_JSON "}]}", "");
    clean_up(&s);
}

static void test_tables(void **state)
{
    static const char map[] = HEAD "  BEG01 <-> purpose code own\n  BEG02 <-> type\n  BEG03 <-> number\n"
                                   "  BEG05 <-> ordered_on date\n" PO1_LINES
                                   "table own\n  00 original\n  05 \"a replacement\"\n  * keep\n";
    struct setting s;

    (void)state;
    goes(map, BEG PO1, "{\"purpose\":\"original\",\"type\":\"SA\",\"number\":\"4711\",\"ordered_on\":\"2026-01-15\","
                       LINES_JSON "}");
    goes(map, "BEG*05*SA*4711**20260115~" PO1,
         "{\"purpose\":\"a replacement\",\"type\":\"SA\",\"number\":\"4711\",\"ordered_on\":\"2026-01-15\"," LINES_JSON
         "}");
    goes(map, "BEG*01*SA*4711**20260115~" PO1,
         "{\"purpose\":\"01\",\"type\":\"SA\",\"number\":\"4711\",\"ordered_on\":\"2026-01-15\"," LINES_JSON "}");
    /* a table that refuses */
    compile_well(&s, HEAD "  BEG01 <-> purpose code own\n  BEG02 <-> type\n  BEG03 <-> number\n"
                          "  BEG05 <-> ordered_on date\n" PO1_LINES "table own\n  00 original\n  * refuse\n", NULL);
    reads_with(&s, "BEG*01*SA*4711**20260115~" PO1,
               "{\"purpose\":\"01\",\"type\":\"SA\",\"number\":\"4711\",\"ordered_on\":\"2026-01-15\"," LINES_JSON
               ",\"rejected\":[{\"code\":\"MAP-VALUE\",\"segment\":2,\"text\":\"BEG01 Transaction Set Purpose Code: "
               "\\\"01\\\" has no row in the table (expected a code of the table)\"}]}",
               "MAP-VALUE BEG01 Transaction Set Purpose Code: \"01\" has no row in the table (expected a code of the "
               "table)\n");
    clean_up(&s);
}

static void test_beside(void **state)
{
    struct setting s;
    static const char map[] =
        HEAD BEG_LINES "  PO1 <-> lines[]\n    PO101 <-> number\n    PO102 <-> quantity decimal\n"
             "    PO103 <-> unit code unit beside unit_code\n    PO104 <-> price decimal\n"
             "    PO106..PO125 pairs <-> items[].(scheme id) code own beside scheme_code\n"
             "table own\n  UP gtin\n  EN gtin\n  VN vendor\n";
    (void)state;
    goes(map, BEG "PO1*1*5*EA*1**UP*1*EN*2*VN*3*MG*4~PO1*2*5*PC~PO1*3*1*CA~PO1*4*1*LB~",
         "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"quantity\":\"5\",\"unit\":\"piece\",\"unit_code\":\"EA\","
         "\"price\":\"1\",\"items\":[{\"scheme\":\"gtin\",\"scheme_code\":\"UP\",\"id\":\"1\"},"
         "{\"scheme\":\"gtin\",\"scheme_code\":\"EN\",\"id\":\"2\"},{\"scheme\":\"vendor\",\"scheme_code\":\"VN\","
         "\"id\":\"3\"},"
         "{\"scheme\":\"MG\",\"id\":\"4\"}]},"
         "{\"number\":\"2\",\"quantity\":\"5\",\"unit\":\"piece\",\"unit_code\":\"PC\"},"
         "{\"number\":\"3\",\"quantity\":\"1\",\"unit\":\"case\",\"unit_code\":\"CA\"},"
         "{\"number\":\"4\",\"quantity\":\"1\",\"unit\":\"LB\"}]}");
    /* the word alone gives its first code; the code beside only where it means the same */
    compile_well(&s, map, NULL);
    writes_with(&s, "{" BEG_JSON ",\"lines\":[{\"quantity\":\"5\",\"unit\":\"piece\"},"
                    "{\"quantity\":\"6\",\"unit\":\"piece\",\"unit_code\":\"PC\"},"
                    "{\"quantity\":\"7\",\"unit\":\"case\",\"unit_code\":\"PC\"}]}",
                BEG "PO1**5*EA~PO1**6*PC~PO1**7*CA~",
                "MAP-LOSS lines[2].unit_code: \"PC\" is not written: it stands for something else\n");
    clean_up(&s);
}

static void test_dates(void **state)
{
#define DATES HEAD BEG_LINES "  DTM[010].(DTM02 DTM03 DTM04) <-> ship_at datetime\n" \
                             "  DTM[001].(DTM02 DTM03 DTM04) <-> cancel_at datetime\n" PO1_LINES
#define AT(value) "{" BEG_JSON ",\"ship_at\":\"" value "\"," LINES_JSON "}"
    (void)state;
    goes(DATES, BEG "DTM*010*20260203~" PO1, AT("2026-02-03"));
    goes(DATES, BEG "DTM*010*20260203*1230~" PO1, AT("2026-02-03T12:30"));
    goes(DATES, BEG "DTM*010*20260203*123059~" PO1, AT("2026-02-03T12:30:59"));
    goes(DATES, BEG "DTM*010*20260203*1230*UT~" PO1, AT("2026-02-03T12:30Z"));
    goes(DATES, BEG "DTM*010*20260203*1230*ET~" PO1, AT("2026-02-03T12:30[ET]"));
    goes(DATES, BEG "DTM*010*20260203*1230*GM~" PO1, AT("2026-02-03T12:30[GM]"));
    /* any order is read; the map's is written */
    reads(DATES, BEG "DTM*001*20260203~DTM*010*20260204~" PO1,
          "{" BEG_JSON ",\"cancel_at\":\"2026-02-03\",\"ship_at\":\"2026-02-04\"," LINES_JSON "}");
    writes(DATES, "{" BEG_JSON ",\"cancel_at\":\"2026-02-03\",\"ship_at\":\"2026-02-04\"," LINES_JSON "}",
           BEG "DTM*010*20260204~DTM*001*20260203~" PO1);
    goes(DATES, BEG "DTM*010*20260203*1230*20~" PO1, AT("2026-02-03T12:30-05:00"));
    goes(DATES, BEG "DTM*010*20260203*1230*02~" PO1, AT("2026-02-03T12:30+02:00"));
    goes(DATES, BEG "DTM*010*20260203*1230*12~" PO1, AT("2026-02-03T12:30+12:00"));
    goes(DATES, BEG "DTM*010*20260203*1230*13~" PO1, AT("2026-02-03T12:30-12:00"));
    goes(DATES, BEG "DTM*010*20260203*1230*24~" PO1, AT("2026-02-03T12:30-01:00"));
#undef AT
#undef DATES
}

static void test_decimals(void **state)
{
    static const char map[] = HEAD BEG_LINES "  SAC[02=D240].SAC05 <-> charge decimal\n  SAC[02=D240].SAC01 <-> kind\n"
                                             PO1_LINES "  CTT01 check count lines\n  CTT03 <-> weight decimal\n"
                                             "  CTT04 <-> currency\n";
    (void)state;
    goes(map, BEG "SAC*C*D240***1500~" PO1 "CTT*1**12.50*LB~",
         "{" BEG_JSON ",\"charge\":\"15.00\",\"kind\":\"C\"," LINES_JSON ",\"weight\":\"12.50\",\"currency\":\"LB\"}");
    reads(map, BEG "SAC*C*D240***5~" PO1, "{" BEG_JSON ",\"charge\":\"0.05\",\"kind\":\"C\"," LINES_JSON "}");
    reads(map, BEG "SAC*C*D240***-1234~" PO1, "{" BEG_JSON ",\"charge\":\"-12.34\",\"kind\":\"C\"," LINES_JSON "}");
    writes(map, "{" BEG_JSON ",\"kind\":\"C\",\"charge\":\"15\"," LINES_JSON "}",
           BEG "SAC*C*D240***1500~" PO1 "CTT*1~");
    writes(map, "{" BEG_JSON ",\"kind\":\"C\",\"charge\":\"-0.05\"," LINES_JSON "}",
           BEG "SAC*C*D240***-5~" PO1 "CTT*1~");
}

/* X12 allows exponents in type R; records have none. What is no decimal at all never gets into a field of decimals. */
static void test_exponents(void **state)
{
    static const struct {
        const char *sent, *record;
    } rows[] = {
        { "1E5", "100000" },       { "1E-2", "0.01" },        { "1.5E3", "1500" },      { "-15E-1", "-1.5" },
        { "0.001E2", "0.1" },      { "0E5", "0" },            { "-1.2345E2", "-123.45" }, { "12345678E1", "123456780" },
        { "1.2345678E-3", "0.0012345678" }, { "5.", "5." },   { "-.5", "-.5" },         { "5.E1", "50" },
        { ".5E1", "5" },           { "1E40", "10000000000000000000000000000000000000000" },
    };
    static const char map[] = HEAD BEG_LINES PO1_LINES "  REF[IA].REF02 <-> amount decimal\n";
    char sent[200], record[400];
    struct setting s;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(sent, sizeof(sent), BEG "PO1*1*%s*EA*9.5**UP*123456789012~", rows[i].sent);
        snprintf(record, sizeof(record), "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"quantity\":\"%s\","
                 "\"unit\":\"EA\",\"price\":\"9.5\",\"items\":[{\"scheme\":\"UP\",\"id\":\"123456789012\"}]}]}",
                 rows[i].record);
        reads(map, sent, record);
        assert_true(record_is_decimal(slice_of(rows[i].record)));
    }
    compile_well(&s, map, NULL);
    reads_with(&s, BEG "PO1*1*1E60*EA~",
               "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"quantity\":\"1E60\",\"unit\":\"EA\"}],\"rejected\":[{"
               "\"code\":\"MAP-VALUE\",\"segment\":3,\"text\":\"PO102 Quantity Ordered: \\\"1E60\\\" cannot be converted "
               "(expected a decimal of 44 digits at most)\"}]}",
               "MAP-VALUE PO102 Quantity Ordered: \"1E60\" cannot be converted (expected a decimal of 44 digits at "
               "most)\n");
    reads_with(&s, BEG "REF*IA*ten~" PO1,
               "{" BEG_JSON ",\"amount\":\"ten\"," LINES_JSON ",\"rejected\":[{"
               "\"code\":\"MAP-VALUE\",\"segment\":3,\"text\":\"REF02 Reference Identification: \\\"ten\\\" cannot be "
               "converted (expected a decimal)\"}]}",
               "MAP-VALUE REF02 Reference Identification: \"ten\" cannot be converted (expected a decimal)\n");
    clean_up(&s);
    goes(map, BEG "REF*IA*12.5~" PO1, "{" BEG_JSON ",\"amount\":\"12.5\"," LINES_JSON "}");
}

static void test_other_conversions(void **state)
{
    (void)state;
    goes(HEAD BEG_LINES "  REF[IA].REF02 <-> vendor pad 7 \"0\"\n" PO1_LINES, BEG "REF*IA*0000123~" PO1,
         "{" BEG_JSON ",\"vendor\":\"123\"," LINES_JSON "}");
    goes(HEAD BEG_LINES "  REF[IA].REF02 <-> vendor prefix \"V-\"\n" PO1_LINES, BEG "REF*IA*V-123~" PO1,
         "{" BEG_JSON ",\"vendor\":\"123\"," LINES_JSON "}");
    goes(HEAD BEG_LINES "  REF[IA].REF02 <-> vendor implied 3\n" PO1_LINES, BEG "REF*IA*1234~" PO1,
         "{" BEG_JSON ",\"vendor\":\"1.234\"," LINES_JSON "}");
    goes(HEAD BEG_LINES "  REF[IA].REF02 <-> vendor less 1\n" PO1_LINES, BEG "REF*IA*12~" PO1,
         "{" BEG_JSON ",\"vendor\":\"11\"," LINES_JSON "}");
    reads(HEAD BEG_LINES "  REF[IA].REF02 <-> vendor trim upper\n" PO1_LINES, BEG "REF*IA* ab c~" PO1,
          "{" BEG_JSON ",\"vendor\":\"AB C\"," LINES_JSON "}");
    /* what one conversion makes is read by the next, wherever the buffer has moved to meanwhile */
    reads(HEAD BEG_LINES "  REF[IA].REF02 <-> vendor trim upper trim upper prefix \"A\" trim implied 2\n" PO1_LINES,
          BEG "REF*IA*a12345678901234567890123456789~" PO1,
          "{" BEG_JSON ",\"vendor\":\"123456789012345678901234567.89\"," LINES_JSON "}");
    writes(HEAD BEG_LINES "  REF[IA].REF02 <-> vendor upper\n" PO1_LINES,
           "{" BEG_JSON ",\"vendor\":\"ab c\"," LINES_JSON "}", BEG "REF*IA*AB C~" PO1);
}

/* A map may make much of little: what a segment becomes is measured by the map as well. */
static void test_long_texts(void **state)
{
    enum { LENGTH = 40000 };
    struct buf map, json, word;

    (void)state;
    buf_init(&map, 1 << 20);
    buf_init(&json, 1 << 20);
    buf_init(&word, 1 << 20);
    for (unsigned i = 0; i < LENGTH; i++)
        buf_add_char(&word, (char)('a' + i % 26));
    buf_clear(&json);
    buf_printf(&json, "{" BEG_JSON ",\"vendor\":\"%s\"," LINES_JSON "}", buf_text(&word));
    buf_clear(&map);
    buf_printf(&map, HEAD BEG_LINES "  REF[IA].REF02 <-> vendor code long\n" PO1_LINES "table long\n  A %s\n", buf_text(&word));
    goes(buf_text(&map), BEG "REF*IA*A~" PO1, buf_text(&json));
    buf_deinit(&map);
    buf_deinit(&json);
    buf_deinit(&word);
}

static void test_default_and_const(void **state)
{
    static const char map[] = HEAD BEG_LINES "  CUR02 <-> currency\n  CUR01 <-> kind code own default buyer\n" PO1_LINES
                                             "table own\n  BY buyer\n  SE seller\n";
    (void)state;
    /* the default is written, and not told when read */
    goes(map, BEG "CUR*BY*USD~" PO1, "{" BEG_JSON ",\"currency\":\"USD\"," LINES_JSON "}");
    goes(map, BEG "CUR*SE*USD~" PO1, "{" BEG_JSON ",\"currency\":\"USD\",\"kind\":\"seller\"," LINES_JSON "}");
    /* alone it makes no segment */
    goes(map, BEG PO1, "{" BEG_JSON "," LINES_JSON "}");
    writes(HEAD BEG_LINES "  CUR02 <-> currency\n  CUR01 <- const BY\n" PO1_LINES,
           "{" BEG_JSON ",\"currency\":\"USD\"," LINES_JSON "}", BEG "CUR*BY*USD~" PO1);
    writes(HEAD BEG_LINES "  CUR02 <-> currency\n  CUR01 <- const BY\n" PO1_LINES, "{" BEG_JSON "," LINES_JSON "}",
           BEG PO1);
    /* read: a constant is nothing to keep */
    reads(HEAD BEG_LINES "  CUR02 <-> currency\n  CUR01 <- const BY\n" PO1_LINES, BEG "CUR*BY*USD~" PO1,
          "{" BEG_JSON ",\"currency\":\"USD\"," LINES_JSON "}");
}

static void test_guards(void **state)
{
    static const char map[] =
        HEAD BEG_LINES "  SAC01 <-> kind\n  SAC02 <-> department\n  SAC05 <-> amount decimal if kind = A\n"
                       "  SAC05 <-> charge decimal if kind = C\n" PO1_LINES;
    (void)state;
    goes(map, BEG "SAC*A*D240***1000~" PO1,
         "{" BEG_JSON ",\"kind\":\"A\",\"department\":\"D240\",\"amount\":\"10.00\"," LINES_JSON "}");
    goes(map, BEG "SAC*C*D240***1000~" PO1,
         "{" BEG_JSON ",\"kind\":\"C\",\"department\":\"D240\",\"charge\":\"10.00\"," LINES_JSON "}");
}

/* Conditions on fields of segments before. */
static void test_guards_across(void **state)
{
    static const char map[] =
        HEAD BEG_LINES "  CUR01 <-> kind\n  CUR02 <-> currency\n  REF[IA].REF02 <-> vendor if kind = BY\n"
                       "  REF[VR].REF02 <-> vendor if kind = SE\n  REF <-> references[]\n    REF01 <-> kind\n"
                       "    REF02 <-> value\n" PO1_LINES;
    (void)state;
    goes(map, BEG "CUR*BY*USD~REF*IA*1~" PO1,
         "{" BEG_JSON ",\"kind\":\"BY\",\"currency\":\"USD\",\"vendor\":\"1\"," LINES_JSON "}");
    goes(map, BEG "CUR*SE*USD~REF*VR*1~" PO1,
         "{" BEG_JSON ",\"kind\":\"SE\",\"currency\":\"USD\",\"vendor\":\"1\"," LINES_JSON "}");
    /* what is for other cases goes to the list, which is behind */
    goes(map, BEG "CUR*BY*USD~REF*IA*1~REF*VR*2~" PO1,
         "{" BEG_JSON ",\"kind\":\"BY\",\"currency\":\"USD\",\"vendor\":\"1\",\"references\":[{\"kind\":\"VR\","
         "\"value\":\"2\"}]," LINES_JSON "}");
    goes(map, BEG "REF*VR*2~" PO1,
         "{" BEG_JSON ",\"references\":[{\"kind\":\"VR\",\"value\":\"2\"}]," LINES_JSON "}");
}

/* A field that nothing gives but the qualifier: the partner's choice of one comes back. */
static void test_guards_said(void **state)
{
    static const char map[] =
        HEAD BEG_LINES "  REF[IA].REF02 <-> vendor if not purpose_code\n  REF[IA].REF03 <-> vendor_name if not purpose_code\n"
                       "  REF[VR].REF02 <-> vendor if purpose_code = VR\n"
                       "  REF <-> references[]\n    REF01 <-> kind\n    REF02 <-> value\n    REF03 <-> text\n" PO1_LINES;
    struct setting s;
    (void)state;
    goes(map, BEG "REF*IA*1*A~" PO1, "{" BEG_JSON ",\"vendor\":\"1\",\"vendor_name\":\"A\"," LINES_JSON "}");
    goes(map, BEG "REF*VR*1~" PO1, "{" BEG_JSON ",\"vendor\":\"1\",\"purpose_code\":\"VR\"," LINES_JSON "}");
    /* one field, one segment */
    goes(map, BEG "REF*IA*1~REF*VR*2~" PO1,
         "{" BEG_JSON ",\"vendor\":\"1\",\"references\":[{\"kind\":\"VR\",\"value\":\"2\"}]," LINES_JSON "}");
    goes(map, BEG "REF*VR*2~REF*IA*1~" PO1,
         "{" BEG_JSON ",\"vendor\":\"2\",\"purpose_code\":\"VR\",\"references\":[{\"kind\":\"IA\",\"value\":\"1\"}],"
         LINES_JSON "}");
    /* more than the lines with that qualifier take */
    goes(map, BEG "REF*VR*2*TEXT~" PO1,
         "{" BEG_JSON ",\"references\":[{\"kind\":\"VR\",\"value\":\"2\",\"text\":\"TEXT\"}]," LINES_JSON "}");
    compile_well(&s, map, NULL);
    writes_with(&s, "{" BEG_JSON ",\"vendor\":\"1\",\"purpose_code\":\"XX\"," LINES_JSON "}", BEG PO1,
                "MAP-LOSS purpose_code: is not written: the lines that take it are for other cases\n"
                "MAP-LOSS vendor: is not written: the lines that take it are for other cases\n");
    writes_with(&s, "{" BEG_JSON ",\"purpose_code\":\"VR\"," LINES_JSON "}", BEG PO1,
                "MAP-LOSS purpose_code: is not written: the lines that take it are for other cases\n");
    clean_up(&s);
}

/* Several segments for one field: the first that has it gives it, the others go to lines behind. */
static void test_first_of_several(void **state)
{
    static const char map[] =
        HEAD BEG_LINES "  REF[IA].REF02 <-> vendor\n  REF[IA].REF03 <-> vendor_name\n  REF[VR].REF02 -> vendor\n"
                       "  REF[ZZ].REF02 -> vendor\n  REF <-> references[]\n    REF01 <-> kind\n    REF02 <-> value\n"
                       PO1_LINES "    REF[LI].REF02 -> number\n";
    (void)state;
    goes(map, BEG "REF*IA*1*A~" PO1, "{" BEG_JSON ",\"vendor\":\"1\",\"vendor_name\":\"A\"," LINES_JSON "}");
    reads(map, BEG "REF*ZZ*3~" PO1, "{" BEG_JSON ",\"vendor\":\"3\"," LINES_JSON "}");
    reads(map, BEG "REF*IA*1*A~REF*VR*2~" PO1,
          "{" BEG_JSON ",\"vendor\":\"1\",\"vendor_name\":\"A\",\"references\":[{\"kind\":\"VR\",\"value\":\"2\"}]," LINES_JSON "}");
    reads(map, BEG "REF*VR*2~REF*ZZ*3~REF*IA*1~" PO1,
          "{" BEG_JSON ",\"vendor\":\"2\",\"references\":[{\"kind\":\"ZZ\",\"value\":\"3\"},{\"kind\":\"IA\","
          "\"value\":\"1\"}]," LINES_JSON "}");
    /* a segment that does not have it leaves it to others */
    reads(map, BEG "REF*IA**A~REF*VR*2~" PO1, "{" BEG_JSON ",\"vendor_name\":\"A\",\"vendor\":\"2\"," LINES_JSON "}");
    /* in each line by itself, of which the first segment is one of them */
    reads(map, BEG "PO1**1*EA~REF*LI*7~PO1*2*1*EA~REF*LI*8~",
          "{" BEG_JSON ",\"lines\":[{\"quantity\":\"1\",\"unit\":\"EA\",\"number\":\"7\"},"
          "{\"number\":\"2\",\"quantity\":\"1\",\"unit\":\"EA\",\"unmapped\":[{\"path\":\"REF.REF01\",\"value\":\"LI\"},"
          "{\"path\":\"REF.REF02\",\"value\":\"8\"}]}]}");
    /* a condition goes by the one that gave it */
    reads(HEAD BEG_LINES "  CUR[BY].CUR02 <-> vendor\n  CUR[SE].CUR02 -> vendor\n  REF[IA].REF02 <-> department if vendor = USD\n" PO1_LINES,
          BEG "CUR*SE*USD~REF*IA*1~" PO1, "{" BEG_JSON ",\"vendor\":\"USD\",\"department\":\"1\"," LINES_JSON "}");
    /* elements of one segment are no segments */
    refused(HEAD "  BEG03 -> number\n  BEG04 -> number\n",
            "4:3: another line reads \"number\" from this segment already, and nothing tells them apart\n"
            "hint: tell them apart with `if FIELD = VALUE`.\n");
}

/* Is there a value, or none. */
static void test_guards_by_presence(void **state)
{
    static const char map[] =
        HEAD BEG_LINES "  SAC01 <-> kind\n  SAC02 <-> department\n  SAC05 <-> amount decimal\n"
                       "  SAC15 <-> text if amount\n  SAC15 <-> vendor if not amount\n" PO1_LINES;
    (void)state;
    goes(map, BEG "SAC*A*D240***1000**********T~" PO1,
         "{" BEG_JSON ",\"kind\":\"A\",\"department\":\"D240\",\"amount\":\"10.00\",\"text\":\"T\"," LINES_JSON "}");
    goes(map, BEG "SAC*A*D240*************T~" PO1,
         "{" BEG_JSON ",\"kind\":\"A\",\"department\":\"D240\",\"vendor\":\"T\"," LINES_JSON "}");
    /* a constant stands in for a value that there is none of */
    writes(HEAD BEG_LINES "  SAC01 <-> kind\n  SAC02 <-> department\n  SAC02 <- const F050 if not department\n"
                          "  SAC05 <-> amount decimal\n" PO1_LINES,
           "{" BEG_JSON ",\"kind\":\"A\",\"amount\":\"10.00\"," LINES_JSON "}", BEG "SAC*A*F050***1000~" PO1);
    writes(HEAD BEG_LINES "  SAC01 <-> kind\n  SAC02 <-> department\n  SAC02 <- const F050 if not department\n"
                          "  SAC05 <-> amount decimal\n" PO1_LINES,
           "{" BEG_JSON ",\"kind\":\"A\",\"department\":\"D240\",\"amount\":\"10.00\"," LINES_JSON "}",
           BEG "SAC*A*D240***1000~" PO1);
    /* what is for no case is kept */
    goes(HEAD BEG_LINES "  SAC01 <-> kind\n  SAC02 <-> department\n  SAC15 <-> text if kind = C\n" PO1_LINES,
         BEG "SAC*A*D240*************T~" PO1,
         "{" BEG_JSON ",\"kind\":\"A\",\"department\":\"D240\"," LINES_JSON
         ",\"unmapped\":[{\"path\":\"SAC/SAC.SAC15\",\"value\":\"T\"}]}");
    /* a code with the partner's own beside it */
    goes(HEAD BEG_LINES "  SAC01 <-> kind\n  SAC02 <-> department\n  SAC10 <-> amount decimal\n"
                        "  SAC09 <-> currency code unit beside vendor if kind = A\n  SAC09 <-> text if not kind\n" PO1_LINES,
         BEG "SAC*A*D240*******PC*1~" PO1,
         "{" BEG_JSON ",\"kind\":\"A\",\"department\":\"D240\",\"amount\":\"1\",\"currency\":\"piece\",\"vendor\":\"PC\","
         LINES_JSON "}");
}

/* In its own block a segment has a qualifier for one line. */
static void test_own_qualifier(void **state)
{
    static const char map[] =
        HEAD BEG_LINES "  REF <-> references[]\n    REF[01=ZZ].REF02 <-> related_value if not text\n"
                       "    REF01 <-> kind\n    REF02 <-> value\n    REF03 <-> text\n" PO1_LINES;
    struct setting s;
    (void)state;
    goes(map, BEG "REF*CO*1~REF*ZZ*2~REF*ZZ*3*T~" PO1,
         "{" BEG_JSON ",\"references\":[{\"kind\":\"CO\",\"value\":\"1\"},{\"related_value\":\"2\"},"
         "{\"kind\":\"ZZ\",\"value\":\"3\",\"text\":\"T\"}]," LINES_JSON "}");
    /* without the element there is nothing to take */
    goes(map, BEG "REF*ZZ**T~" PO1,
         "{" BEG_JSON ",\"references\":[{\"kind\":\"ZZ\",\"text\":\"T\"}]," LINES_JSON "}");
    compile_well(&s, map, NULL);
    writes_with(&s, "{" BEG_JSON ",\"references\":[{\"kind\":\"CO\",\"related_value\":\"2\"}]," LINES_JSON "}", "",
                "MAP-VALUE references[0].kind: \"CO\" does not fit, expected what stands for ZZ there (REF01 Reference "
                "Identification Qualifier)\n");
    clean_up(&s);
    refused(HEAD "  REF <-> references[]\n    REF[01=ZZ].(REF02 REF03) <-> value\n",
            "4:5: inside its own block only a line for one element has another qualifier\n");
}

/* The value that a condition names, or any other, or none. */
static void test_guards_other(void **state)
{
    static const char map[] =
        HEAD BEG_LINES "  CUR01 <-> kind\n  CUR02 <-> currency\n  REF[IA].REF02 <-> vendor if kind = BY\n"
                       "  REF[VR].REF02 <-> vendor if kind != BY\n" PO1_LINES;
    (void)state;
    goes(map, BEG "CUR*BY*USD~REF*IA*1~" PO1,
         "{" BEG_JSON ",\"kind\":\"BY\",\"currency\":\"USD\",\"vendor\":\"1\"," LINES_JSON "}");
    goes(map, BEG "CUR*SE*USD~REF*VR*1~" PO1,
         "{" BEG_JSON ",\"kind\":\"SE\",\"currency\":\"USD\",\"vendor\":\"1\"," LINES_JSON "}");
    goes(map, BEG "REF*VR*1~" PO1, "{" BEG_JSON ",\"vendor\":\"1\"," LINES_JSON "}");
}

static void test_inherit(void **state)
{
    static const char map[] = HEAD BEG_LINES "  CUR02 <-> currency\n  CUR01 <- const BY\n  PO1 <-> lines[]\n"
                                             "    PO102 <-> quantity decimal\n    CUR02 <-> currency inherit currency\n"
                                             "    CUR01 <- const BY\n";
    (void)state;
    reads(map, BEG "CUR*BY*USD~PO1**1~PO1**2~CUR*BY*CAD~",
          "{" BEG_JSON ",\"currency\":\"USD\",\"lines\":[{\"quantity\":\"1\",\"currency\":\"USD\"},"
          "{\"quantity\":\"2\",\"currency\":\"CAD\"}]}");
    writes(map, "{" BEG_JSON ",\"currency\":\"USD\",\"lines\":[{\"quantity\":\"1\",\"currency\":\"USD\"},"
                "{\"quantity\":\"2\",\"currency\":\"CAD\"}]}",
           BEG "CUR*BY*USD~PO1**1~PO1**2~CUR*BY*CAD~");
}

/* --- Qualifiers and lists --- */

static void test_qualifiers(void **state)
{
    static const char map[] =
        HEAD BEG_LINES "  REF[IA].REF02 <-> vendor\n  REF[IA].REF03 <-> vendor_name\n  REF <-> references[]\n"
                       "    REF01 <-> kind\n    REF02 <-> value\n    REF03 <-> text\n" PO1_LINES;
    (void)state;
    goes(map, BEG "REF*IA*99*North~" PO1, "{" BEG_JSON ",\"vendor\":\"99\",\"vendor_name\":\"North\"," LINES_JSON "}");
    /* the first is taken, the rest falls to the list, which keeps its order */
    reads(map, BEG "REF*DP*1~REF*IA*99~REF*IA*98~REF*CO*5~" PO1,
          "{" BEG_JSON ",\"references\":[{\"kind\":\"DP\",\"value\":\"1\"},{\"kind\":\"IA\",\"value\":\"98\"},"
          "{\"kind\":\"CO\",\"value\":\"5\"}],\"vendor\":\"99\"," LINES_JSON "}");
    writes(map, "{" BEG_JSON ",\"references\":[{\"kind\":\"DP\",\"value\":\"1\"},{\"kind\":\"IA\",\"value\":\"98\"},"
                "{\"kind\":\"CO\",\"value\":\"5\"}],\"vendor\":\"99\"," LINES_JSON "}",
           BEG "REF*IA*99~REF*DP*1~REF*IA*98~REF*CO*5~" PO1);
    /* what a named line would leave over goes to the list, whole */
    goes(HEAD BEG_LINES "  REF[IA].REF02 <-> vendor\n  REF <-> references[]\n    REF01 <-> kind\n    REF02 <-> value\n"
                        "    REF03 <-> text\n" PO1_LINES, BEG "REF*IA*99*North~" PO1,
         "{" BEG_JSON ",\"references\":[{\"kind\":\"IA\",\"value\":\"99\",\"text\":\"North\"}]," LINES_JSON "}");
    /* a qualifier alone makes no segment */
    writes(map, "{" BEG_JSON "," LINES_JSON "}", BEG PO1);
}

static void test_several_qualifiers(void **state)
{
    static const char map[] = HEAD BEG_LINES PO1_LINES "    MEA[01=PD 02=WD].MEA03 <-> size decimal\n"
                                                       "    MEA[01=PD 02=WT].MEA03 <-> weight decimal\n";
    (void)state;
    goes(map, BEG PO1 "MEA*PD*WD*3.5~MEA*PD*WT*8~",
         "{" BEG_JSON ",\"lines\":[{" LINE_JSON ",\"size\":\"3.5\",\"weight\":\"8\"}]}");
    goes(map, BEG PO1 "MEA*PD*WT*8~", "{" BEG_JSON ",\"lines\":[{" LINE_JSON ",\"weight\":\"8\"}]}");
}

static void test_objects_and_loops(void **state)
{
    static const char map[] = HEAD BEG_LINES
        "  N1[ST] <-> ship_to use party\n  N1 <-> parties[]\n    N101 <-> role\n    use party\n" PO1_LINES
        "block party\n  N102 <-> name\n  N104 <-> id\n  N3.(N301 N302).. <-> street[]\n  N401 <-> city\n"
        "  REF <-> references[]\n    REF01 <-> kind\n    REF02 <-> value\n";
    (void)state;
    goes(map, BEG "N1*ST*Store 7~N3*High Street 1*Dock 4~N3*Back door~N4*Springfield~N1*BY*North~REF*DP*22~" PO1,
         "{" BEG_JSON ",\"ship_to\":{\"name\":\"Store 7\",\"street\":[\"High Street 1\",\"Dock 4\",\"Back door\"],"
         "\"city\":\"Springfield\"},\"parties\":[{\"role\":\"BY\",\"name\":\"North\","
         "\"references\":[{\"kind\":\"DP\",\"value\":\"22\"}]}]," LINES_JSON "}");
    /* the second of a qualifier falls to the list */
    goes(map, BEG "N1*ST*One~N1*ST*Two~" PO1,
         "{" BEG_JSON ",\"ship_to\":{\"name\":\"One\"},\"parties\":[{\"role\":\"ST\",\"name\":\"Two\"}]," LINES_JSON
         "}");
    /* an item between the one object: the list goes on */
    reads(map, BEG "N1*BY*B~N1*ST*One~N1*VN*V~" PO1,
          "{" BEG_JSON ",\"parties\":[{\"role\":\"BY\",\"name\":\"B\"},{\"role\":\"VN\",\"name\":\"V\"}],"
          "\"ship_to\":{\"name\":\"One\"}," LINES_JSON "}");
}

static void test_components(void **state)
{
    static const char map[] = HEAD BEG_LINES "  REF <-> references[]\n    REF01 <-> kind\n    REF02 <-> value\n"
                                             "    REF04-1 <-> related_kind\n    REF04-2 <-> related_value\n" PO1_LINES;
    (void)state;
    goes(map, BEG "REF*CO*1**DP>22~" PO1,
         "{" BEG_JSON ",\"references\":[{\"kind\":\"CO\",\"value\":\"1\",\"related_kind\":\"DP\",\"related_value\":"
                      "\"22\"}]," LINES_JSON "}");
    /* components that no line names are kept, by path */
    goes(map, BEG "REF*CO*1**DP>22>IA>9~" PO1,
         "{" BEG_JSON
         ",\"references\":[{\"kind\":\"CO\",\"value\":\"1\",\"related_kind\":\"DP\",\"related_value\":\"22\","
         "\"unmapped\":[{\"path\":\"REF.REF04-3\",\"value\":\"IA\"},{\"path\":\"REF.REF04-4\",\"value\":\"9\"}]}]"
         "," LINES_JSON "}");
}

static void test_dotted_names(void **state)
{
    static const char map[] = HEAD BEG_LINES PO1_LINES
        "  CTT01 check count lines\n  CTT03 <-> totals.weight decimal\n  CTT07 <-> totals.text\n"
        "  CTT/AMT.AMT02 <-> totals.amount decimal\n"
        "  CTT/AMT.AMT01 <-> totals.kind\n";
    (void)state;
    goes(map, BEG PO1 "CTT*1**12*LB~AMT*TT*47.5~",
         "{" BEG_JSON "," LINES_JSON ",\"totals\":{\"weight\":\"12\",\"amount\":\"47.5\",\"kind\":\"TT\"},"
         "\"unmapped\":[{\"path\":\"CTT/CTT.CTT04\",\"value\":\"LB\"}]}");
    goes(map, BEG PO1 "CTT*1~AMT*TT*47.5~",
         "{" BEG_JSON "," LINES_JSON ",\"totals\":{\"amount\":\"47.5\",\"kind\":\"TT\"}}");
    /* an object that would be empty is not made */
    reads(map, BEG PO1, "{" BEG_JSON "," LINES_JSON "}");
}

/* Lines of one segment inside a loop that has no other line. */
static void test_dotted_names_of_one_segment(void **state)
{
    static const char map[] = HEAD BEG_LINES PO1_LINES "  CTT/AMT.AMT01 <-> totals.kind\n"
                                                       "  CTT/AMT.AMT02 <-> totals.amount decimal\n";
    (void)state;
    goes(map, BEG PO1 "CTT*1~AMT*TT*47.5~",
         "{" BEG_JSON "," LINES_JSON ",\"totals\":{\"kind\":\"TT\",\"amount\":\"47.5\"},"
         "\"unmapped\":[{\"path\":\"CTT/CTT.CTT01\",\"value\":\"1\"}]}");
}

/* A block that only reads is not written, whatever its lines say; and the other way. */
static void test_direction_of_blocks(void **state)
{
    static const char reading[] = HEAD BEG_LINES "  REF -> references[]\n    REF01 <-> kind\n    REF02 <-> value\n" PO1_LINES;
    static const char writing[] = HEAD BEG_LINES "  REF <- references[]\n    REF01 <-> kind\n    REF02 <-> value\n" PO1_LINES;
#define REF_JSON "\"references\":[{\"kind\":\"IA\",\"value\":\"1\"}]"
    struct setting s;
    (void)state;
    reads(reading, BEG "REF*IA*1~" PO1, "{" BEG_JSON "," REF_JSON "," LINES_JSON "}");
    compile_well(&s, reading, NULL);
    writes_with(&s, "{" BEG_JSON "," REF_JSON "," LINES_JSON "}", BEG PO1,
                "MAP-LOSS references: is not written: no line of the map takes it\n");
    clean_up(&s);
    writes(writing, "{" BEG_JSON "," REF_JSON "," LINES_JSON "}", BEG "REF*IA*1~" PO1);
    reads(writing, BEG "REF*IA*1~" PO1,
          "{" BEG_JSON "," LINES_JSON ",\"unmapped\":[{\"path\":\"REF.REF01\",\"value\":\"IA\"},"
          "{\"path\":\"REF.REF02\",\"value\":\"1\"}]}");
    refused(HEAD "  REF -> references[]\n    REF01 <- kind\n",
            "4:5: this line only writes, the block that it is in only reads\n");
#undef REF_JSON
}

/* --- Rows --- */

#define ROW_LINES                                                                                        \
    "  PO1 <-> lines[]\n    PO101 <-> number\n    PO106..PO125 pairs <-> items[].(scheme id)\n"         \
    "    REF[CO].REF02 <-> text\n    QTY row\n      QTY01 <-> unit\n      QTY02 <-> quantity decimal\n" \
    "    N1[ST].N102 <-> currency\n  CTT01 check count lines\n"
#define ITEM(number, id) "\"number\":\"" number "\",\"items\":[{\"scheme\":\"UP\",\"id\":\"" id "\"}]"
#define ROW(unit, quantity) ",\"unit\":\"" unit "\",\"quantity\":\"" quantity "\""

/* Each quantity is an item of the list; what PO1 itself says is repeated, and written once. */
static void test_rows(void **state)
{
    static const char map[] = HEAD BEG_LINES ROW_LINES;
    struct setting s;

    (void)state;
    goes(map, BEG "PO1*1*****UP*7~QTY*17*5~QTY*33*3~PO1*2*****UP*8~QTY*17*1~CTT*2~",
         "{" BEG_JSON ",\"lines\":[{" ITEM("1", "7") ROW("17", "5") "},{" ITEM("1", "7") ROW("33", "3") "},{"
         ITEM("2", "8") ROW("17", "1") "}]}");
    goes(map, BEG "PO1*1*****UP*7~CTT*1~", "{" BEG_JSON ",\"lines\":[{" ITEM("1", "7") "}]}");
    /* what stands before the rows belongs to the first, what stands behind one to that one */
    goes(map, BEG "PO1*1*****UP*7~REF*CO*T~QTY*17*5~QTY*33*3~N1*ST*X1~CTT*1~",
         "{" BEG_JSON ",\"lines\":[{" ITEM("1", "7") ",\"text\":\"T\"" ROW("17", "5") "},{" ITEM("1", "7")
         ROW("33", "3") ",\"currency\":\"X1\"}]}");
    /* so these cannot share a PO1 */
    goes(map, BEG "PO1*1*****UP*7~QTY*17*5~N1*ST*X1~PO1*1*****UP*7~QTY*33*3~PO1*1*****UP*7~REF*CO*T~QTY*33*4~CTT*3~",
         "{" BEG_JSON ",\"lines\":[{" ITEM("1", "7") ROW("17", "5") ",\"currency\":\"X1\"},{" ITEM("1", "7")
         ROW("33", "3") "},{" ITEM("1", "7") ",\"text\":\"T\"" ROW("33", "4") "}]}");
    /* an item without a row does not join, and none joins it */
    goes(map, BEG "PO1*1*****UP*7~PO1*1*****UP*7~QTY*33*3~CTT*2~",
         "{" BEG_JSON ",\"lines\":[{" ITEM("1", "7") "},{" ITEM("1", "7") ROW("33", "3") "}]}");
    goes(map, BEG "PO1*1*****UP*7~QTY*33*3~PO1*1*****UP*7~CTT*2~",
         "{" BEG_JSON ",\"lines\":[{" ITEM("1", "7") ROW("33", "3") "},{" ITEM("1", "7") "}]}");
    /* what no line takes stays with its row */
    goes(map, BEG "PO1*1*****UP*7~QTY*17*5*EA~QTY*33*3*CA~CTT*1~",
         "{" BEG_JSON ",\"lines\":[{" ITEM("1", "7") ROW("17", "5")
         ",\"unmapped\":[{\"path\":\"QTY/QTY.QTY03\",\"value\":\"EA\"}]},{" ITEM("1", "7") ROW("33", "3")
         ",\"unmapped\":[{\"path\":\"QTY/QTY.QTY03\",\"value\":\"CA\"}]}]}");
    /* a field that the item's own segment has given is given in each row */
    reads(HEAD BEG_LINES "  PO1 <-> lines[]\n    PO101 <-> number\n    PO106..PO125 pairs <-> items[].(scheme id)\n"
          "    QTY row\n      QTY01 <-> unit\n      QTY02 <-> quantity decimal\n    N1[BY].N102 -> number\n",
          BEG "PO1*1*****UP*7~QTY*17*5~QTY*33*3~N1*BY*X1~PO1******UP*7~QTY*17*5~QTY*33*3~N1*BY*X2~",
          "{" BEG_JSON ",\"lines\":[{" ITEM("1", "7") ROW("17", "5") "},{" ITEM("1", "7") ROW("33", "3")
          ",\"unmapped\":[{\"path\":\"N1/N1.N101\",\"value\":\"BY\"},{\"path\":\"N1/N1.N102\",\"value\":\"X1\"}]},"
          "{\"items\":[{\"scheme\":\"UP\",\"id\":\"7\"}]" ROW("17", "5") "},"
          "{\"items\":[{\"scheme\":\"UP\",\"id\":\"7\"}]" ROW("33", "3") ",\"number\":\"X2\"}]}");
    /* keys in another order */
    writes(map, "{" BEG_JSON ",\"lines\":[{" ITEM("1", "7") ROW("17", "5") "},{\"quantity\":\"3\",\"unit\":\"33\","
           ITEM("1", "7") "}]}", BEG "PO1*1*****UP*7~QTY*17*5~QTY*33*3~CTT*1~");
    compile_well(&s, map, NULL);
    clean_up(&s);
    refused(HEAD "  QTY row\n    QTY01 <-> kind\n", "3:3: x12/004010/850 has no QTY here\n");
    refused(HEAD "  PO1 row\n    PO101 <-> number\n", "3:3: a row is one loop directly inside the loop of a list\n");
    refused(HEAD "  PO1 <-> lines[]\n    QTY[17] row\n      QTY02 <-> quantity decimal\n",
            "4:5: a row has no qualifier: all occurrences of the loop make items\n");
}

/* What all rows of an item share is in each of them, wherever it stands, and written once. */
static void test_shared_rows(void **state)
{
    static const char map[] = HEAD BEG_LINES
        "  PO1 <-> lines[]\n    PO101 <-> number\n    PO106..PO125 pairs <-> items[].(scheme id)\n"
        "    REF[CO].REF02 <-> text shared\n    REF <-> references[] shared\n      REF01 <-> kind\n      REF02 <-> value\n"
        "    QTY row\n      QTY01 <-> unit\n      QTY02 <-> quantity decimal\n"
        "    N1[ST] <-> ship_to shared\n      N102 <-> name\n      N104 <-> id\n    N1[BY].N102 <-> currency\n"
        "  CTT01 check count lines\n";
#define SHARED ",\"text\":\"T\",\"ship_to\":{\"name\":\"X1\"},\"references\":[{\"kind\":\"IA\",\"value\":\"3\"}]"
    struct setting s;

    (void)state;
    goes(map, BEG "PO1*1*****UP*7~REF*CO*T~REF*IA*3~QTY*17*5~QTY*33*3~N1*ST*X1~PO1*2*****UP*8~QTY*17*1~CTT*2~",
         "{" BEG_JSON ",\"lines\":[{" ITEM("1", "7") ROW("17", "5") SHARED "},{" ITEM("1", "7") ROW("33", "3") SHARED "},{"
         ITEM("2", "8") ROW("17", "1") "}]}");
    /* an item without a row has it all the same */
    goes(map, BEG "PO1*1*****UP*7~REF*CO*T~REF*IA*3~N1*ST*X1~CTT*1~",
         "{" BEG_JSON ",\"lines\":[{" ITEM("1", "7") SHARED "}]}");
    /* what is not shared keeps items apart, and so does what they have not alike */
    goes(map, BEG "PO1*1*****UP*7~QTY*17*5~N1*ST*X1~N1*BY*Q~PO1*1*****UP*7~QTY*33*3~N1*ST*X1~PO1*1*****UP*7~REF*CO*T~QTY*33*4~"
              "PO1*1*****UP*7~QTY*33*5~CTT*4~",
         "{" BEG_JSON ",\"lines\":[{" ITEM("1", "7") ROW("17", "5") ",\"currency\":\"Q\",\"ship_to\":{\"name\":\"X1\"}},{"
         ITEM("1", "7") ROW("33", "3") ",\"ship_to\":{\"name\":\"X1\"}},{" ITEM("1", "7") ROW("33", "4") ",\"text\":\"T\"},{"
         ITEM("1", "7") ROW("33", "5") "}]}");
    /* what no line takes is in the object, or with the row at hand */
    goes(map, BEG "PO1*1*****UP*7~REF*CO*T**BM>9~QTY*17*5~QTY*33*3~N1*ST*X1***01~CTT*1~",
         "{" BEG_JSON ",\"lines\":[{" ITEM("1", "7") ROW("17", "5") ",\"unmapped\":[{\"path\":\"REF[CO].REF04-1\","
         "\"value\":\"BM\"},{\"path\":\"REF[CO].REF04-2\",\"value\":\"9\"}],\"text\":\"T\",\"ship_to\":{\"name\":\"X1\","
         "\"unmapped\":[{\"path\":\"N1.N105\",\"value\":\"01\"}]}},{" ITEM("1", "7") ROW("33", "3") ",\"text\":\"T\",\"ship_to\":"
         "{\"name\":\"X1\",\"unmapped\":[{\"path\":\"N1.N105\",\"value\":\"01\"}]}}]}");
    compile_well(&s, map, NULL);
    clean_up(&s);
    refused(HEAD "  REF <-> references[] shared\n    REF01 <-> kind\n",
            "3:3: only rows can share something: a list with a line `LOOP row`\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO101 <-> number shared\n    QTY row\n      QTY02 <-> quantity decimal\n",
            "4:5: the list's own segment is shared by all rows, whatever is said here\n");
    refused(HEAD "  PO1 <-> lines[]\n    QTY row\n      QTY02 <-> quantity decimal shared\n",
            "5:7: what stands in a row is that row's alone\n");
    refused(HEAD "  PO1 <-> lines[]\n    QTY/QTY.QTY01 <-> unit shared\n    QTY row\n      QTY02 <-> quantity decimal\n",
            "6:7: what one segment says is shared as a whole, or not at all\n");
    refused(HEAD "  PO1 <-> lines[]\n    REF[CO].REF02 <-> text shared\n    REF[CO].REF03 <-> unit\n    QTY row\n"
                 "      QTY02 <-> quantity decimal\n",
            "5:5: what one segment says is shared as a whole, or not at all\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO106.. pairs <-> items[].(scheme id) shared\n    QTY row\n"
                 "      QTY02 <-> quantity decimal\n",
            "4:23: only a field, an object or a list of objects can be shared, both ways\n");
    refused(HEAD "  PO1 <-> lines[]\n    REF[CO].REF02 <-> text shared shared\n", "4:35: this word stands on the line already\n");
#undef SHARED
}

/* --- Pairs, folded text, counts --- */

static void test_pairs(void **state)
{
    static const char map[] = HEAD BEG_LINES PO1_LINES;
    (void)state;
    goes(map, BEG "PO1*1*5*EA*9.5**UP*1*VN*2*UP*1~",
         "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"quantity\":\"5\",\"unit\":\"EA\",\"price\":\"9.5\",\"items\":["
         "{\"scheme\":\"UP\",\"id\":\"1\"},{\"scheme\":\"VN\",\"id\":\"2\"},{\"scheme\":\"UP\",\"id\":\"1\"}]}]}");
    /* up to the segment's end */
    goes(HEAD BEG_LINES "  PO1 <-> lines[]\n    PO101 <-> number\n    PO106.. pairs <-> items[].(scheme id)\n",
         BEG "PO1*1*****UP*1*VN*2***************UP*9~",
         "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"items\":["
         "{\"scheme\":\"UP\",\"id\":\"1\"},{\"scheme\":\"VN\",\"id\":\"2\"},{},{},{},{},{},{},{},"
         "{\"scheme\":\"UP\",\"id\":\"9\"}]}]}");
    /* a gap is an empty object */
    goes(map, BEG "PO1*1*5*EA*9.5**UP*1***VN*2~",
         "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"quantity\":\"5\",\"unit\":\"EA\",\"price\":\"9.5\",\"items\":["
         "{\"scheme\":\"UP\",\"id\":\"1\"},{},{\"scheme\":\"VN\",\"id\":\"2\"}]}]}");
    goes(map, BEG "PO1*1*5*EA*9.5****VN*2~",
         "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"quantity\":\"5\",\"unit\":\"EA\",\"price\":\"9.5\",\"items\":["
         "{},{\"scheme\":\"VN\",\"id\":\"2\"}]}]}");
}

/* One list, where other elements stand between. */
static void test_pairs_in_ranges(void **state)
{
    static const char map[] = HEAD BEG_LINES "  PO1 <-> lines[]\n    PO101 <-> number\n    PO110 <-> text\n"
        "    PO106..PO109 PO112..PO113 PO116..PO117 pairs <-> items[].(scheme id)\n    PO111 <-> unit\n";
    (void)state;
    goes(map, BEG "PO1*1*****UP*1*VN*2*IN*9*UK*3***EN*4~",
         "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"text\":\"IN\",\"unit\":\"9\",\"items\":[{\"scheme\":\"UP\",\"id\":\"1\"},"
         "{\"scheme\":\"VN\",\"id\":\"2\"},{\"scheme\":\"UK\",\"id\":\"3\"},{\"scheme\":\"EN\",\"id\":\"4\"}]}]}");
    /* gaps, and an end before the last range */
    goes(map, BEG "PO1*1*****UP*1*********EN*4~",
         "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"items\":[{\"scheme\":\"UP\",\"id\":\"1\"},{},{},"
         "{\"scheme\":\"EN\",\"id\":\"4\"}]}]}");
    goes(map, BEG "PO1*1*****UP*1***IN*9~",
         "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"text\":\"IN\",\"unit\":\"9\",\"items\":[{\"scheme\":\"UP\",\"id\":\"1\"}]}]}");
    /* what stands between other pairs is nobody's */
    goes(map, BEG "PO1*1*****UP*1*******VN*5~",
         "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"items\":[{\"scheme\":\"UP\",\"id\":\"1\"}],\"unmapped\":["
         "{\"path\":\"PO1.PO114\",\"value\":\"VN\"},{\"path\":\"PO1.PO115\",\"value\":\"5\"}]}]}");
    refused(HEAD "  PO1 <-> lines[]\n    PO106..PO108 PO110..PO110 pairs <-> items[].(scheme id)\n",
            "4:5: an item's elements stand one behind the other: each range is a multiple of the names\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO108..PO109 PO106..PO107 pairs <-> items[].(scheme id)\n",
            "4:18: a further range is of later elements of the same segment\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO106..PO109 PID08..PID09 pairs <-> items[].(scheme id)\n",
            "4:18: a further range is of later elements of the same segment\n");
    refused(HEAD "  PO1 <-> lines[]\n    PO106..PO109 PO112..PO113 pairs <-> items[].(scheme id)\n    PO112 <-> text\n",
            "5:5: the pairs of this segment take this element already\n");
}

static void test_pairs_that_share(void **state)
{
    static const char map[] = HEAD BEG_LINES PO1_LINES
        "    SDQ03..SDQ22 pairs <-> allocations[].(location quantity)\n      SDQ01 <-> unit\n";
    (void)state;
    goes(map, BEG PO1 "SDQ*EA**01*10*02*20~",
         "{" BEG_JSON ",\"lines\":[{" LINE_JSON
         ",\"allocations\":[{\"location\":\"01\",\"quantity\":\"10\",\"unit\":\"EA\"},"
         "{\"location\":\"02\",\"quantity\":\"20\",\"unit\":\"EA\"}]}]}");
    /* neighbours that share are packed, ten a segment; others begin one of their own */
    goes(map, BEG PO1 "SDQ*EA**01*1*02*2*03*3*04*4*05*5*06*6*07*7*08*8*09*9*10*10~SDQ*EA**11*11~SDQ*CA**12*12~",
         "{" BEG_JSON ",\"lines\":[{" LINE_JSON ",\"allocations\":["
         "{\"location\":\"01\",\"quantity\":\"1\",\"unit\":\"EA\"},{\"location\":\"02\",\"quantity\":\"2\",\"unit\":"
         "\"EA\"},"
         "{\"location\":\"03\",\"quantity\":\"3\",\"unit\":\"EA\"},{\"location\":\"04\",\"quantity\":\"4\",\"unit\":"
         "\"EA\"},"
         "{\"location\":\"05\",\"quantity\":\"5\",\"unit\":\"EA\"},{\"location\":\"06\",\"quantity\":\"6\",\"unit\":"
         "\"EA\"},"
         "{\"location\":\"07\",\"quantity\":\"7\",\"unit\":\"EA\"},{\"location\":\"08\",\"quantity\":\"8\",\"unit\":"
         "\"EA\"},"
         "{\"location\":\"09\",\"quantity\":\"9\",\"unit\":\"EA\"},{\"location\":\"10\",\"quantity\":\"10\",\"unit\":"
         "\"EA\"},"
         "{\"location\":\"11\",\"quantity\":\"11\",\"unit\":\"EA\"},{\"location\":\"12\",\"quantity\":\"12\",\"unit\":"
         "\"CA\"}"
         "]}]}");
}

static void test_fold(void **state)
{
    static const char map[] = HEAD BEG_LINES PO1_LINES "    MSG01.. <-> text fold 10\n";
    (void)state;
    goes(map, BEG PO1 "MSG*1234567890~MSG*12345~",
         "{" BEG_JSON ",\"lines\":[{" LINE_JSON ",\"text\":\"123456789012345\"}]}");
    /* a piece that is short ends a line */
    goes(map, BEG PO1 "MSG*short~MSG*1234567890~MSG*end~",
         "{" BEG_JSON ",\"lines\":[{" LINE_JSON ",\"text\":\"short\\n1234567890end\"}]}");
    writes(map, "{" BEG_JSON ",\"lines\":[{" LINE_JSON ",\"text\":\"one two three four\"}]}",
           BEG PO1 "MSG*one two th~MSG*ree four~");
}

static void test_counts(void **state)
{
    static const char map[] =
        HEAD BEG_LINES PO1_LINES "  CTT01 check count lines\n  CTT02 check sum lines.quantity\n";
    static const char two[] = "{" BEG_JSON ",\"lines\":[{\"quantity\":\"5.5\"},{\"quantity\":\"-12\"}]}";
    struct setting s;

    (void)state;
    /* a hash total: no signs, no decimal marks; when read, the sum of the values is as good */
    goes(map, BEG "PO1**5.5~PO1**-12~CTT*2*67~", two);
    compile_well(&s, map, NULL);
    reads_with(&s, BEG "PO1**5.5~PO1**-12~CTT*2*-6.5~", two, "");
    reads_with(&s, BEG "PO1**5.5~PO1**-12~CTT*3*67~", two,
               "WRONG-COUNT CTT01 Number of Line Items: \"3\" is not the number of items (expected 2)\n");
    reads_with(&s, BEG "PO1**5.5~PO1**-12~CTT*2*66~", two,
               "WRONG-COUNT CTT02 Hash Total: \"66\" is not the hash total of the quantities (expected 67)\n");
    reads_with(&s, BEG "PO1**5.5~PO1**-12~", two, "");
    writes_with(&s, "{" BEG_JSON ",\"lines\":[{\"quantity\":\"1\"}]}", BEG "PO1**1~CTT*1*1~", "");
    clean_up(&s);
}

static void test_truncated_total(void **state)
{
    static const char map[] =
        HEAD BEG_LINES PO1_LINES "  CTT01 check count lines\n  CTT02 check sum lines.quantity\n";
    (void)state;
    goes(map, BEG "PO1**999999999~PO1**9999999990~CTT*2*999999989~",
         "{" BEG_JSON ",\"lines\":[{\"quantity\":\"999999999\"},{\"quantity\":\"9999999990\"}]}");
}

static void test_always(void **state)
{
    (void)state;
    writes(HEAD BEG_LINES PO1_LINES "    TD3 always\n", "{" BEG_JSON "," LINES_JSON "}", BEG PO1 "TD3~");
    reads(HEAD BEG_LINES PO1_LINES "    TD3 always\n", BEG PO1 "TD3~", "{" BEG_JSON "," LINES_JSON "}");
}

/* --- What no line takes --- */

static void test_unmapped(void **state)
{
    (void)state;
    /* the root keeps what it has no line for: elements, segments, loops */
    goes(HEAD "  BEG03 <-> number\n" PO1_LINES, BEG "REF*IA*1~REF*IA*2*x~N1*ST*Store~N3*Street*Dock~" PO1,
         "{\"number\":\"4711\"," LINES_JSON ",\"unmapped\":["
         "{\"path\":\"BEG.BEG01\",\"value\":\"00\"},{\"path\":\"BEG.BEG02\",\"value\":\"SA\"},"
         "{\"path\":\"BEG.BEG05\",\"value\":\"20260115\"},{\"path\":\"REF.REF01\",\"value\":\"IA\"},"
         "{\"path\":\"REF.REF02\",\"value\":\"1\"},{\"path\":\"REF#2.REF01\",\"value\":\"IA\"},"
         "{\"path\":\"REF#2.REF02\",\"value\":\"2\"},{\"path\":\"REF#2.REF03\",\"value\":\"x\"},"
         "{\"path\":\"N1/N1.N101\",\"value\":\"ST\"},{\"path\":\"N1/N1.N102\",\"value\":\"Store\"},"
         "{\"path\":\"N1/N3.N301\",\"value\":\"Street\"},{\"path\":\"N1/N3.N302\",\"value\":\"Dock\"}]}");
    /* the nearest object keeps what is in it */
    goes(HEAD BEG_LINES PO1_LINES, BEG "PO1*1*5*EA*9.5*PE*UP*123456789012~PID*F****Blue~",
         "{" BEG_JSON ",\"lines\":[{" LINE_JSON ",\"unmapped\":[{\"path\":\"PO1.PO105\",\"value\":\"PE\"},"
         "{\"path\":\"PID/PID.PID01\",\"value\":\"F\"},{\"path\":\"PID/PID.PID05\",\"value\":\"Blue\"}]}]}");
    /* what a qualified line leaves */
    goes(HEAD BEG_LINES "  REF[IA].REF02 <-> vendor\n" PO1_LINES, BEG "REF*IA*1*x~" PO1,
         "{" BEG_JSON ",\"vendor\":\"1\"," LINES_JSON ",\"unmapped\":[{\"path\":\"REF[IA].REF03\",\"value\":\"x\"}]}");
}

/* What is left over of a segment goes into the segment that the lines of others write, whoever keeps it. */
static void test_unmapped_joins(void **state)
{
    static const char map[] = HEAD BEG_LINES PO1_LINES "  CTT01 check count lines\n  CTT03 <-> sums.weight decimal\n"
                                                       "  CTT07 <-> sums.text\n";
    (void)state;
    goes(map, BEG PO1 "CTT*1**12*LB~",
         "{" BEG_JSON "," LINES_JSON ",\"sums\":{\"weight\":\"12\",\"unmapped\":["
         "{\"path\":\"CTT.CTT04\",\"value\":\"LB\"}]}}");
    goes(map, BEG PO1 "CTT*1*5~",
         "{" BEG_JSON "," LINES_JSON ",\"sums\":{\"unmapped\":[{\"path\":\"CTT.CTT02\",\"value\":\"5\"}]}}");
    goes(map, BEG PO1 "CTT*1*5***2*CF~AMT*TT*3~",
         "{" BEG_JSON "," LINES_JSON ",\"sums\":{\"unmapped\":[{\"path\":\"CTT.CTT02\",\"value\":\"5\"},"
         "{\"path\":\"CTT.CTT05\",\"value\":\"2\"},{\"path\":\"CTT.CTT06\",\"value\":\"CF\"},"
         "{\"path\":\"AMT.AMT01\",\"value\":\"TT\"},{\"path\":\"AMT.AMT02\",\"value\":\"3\"}]}}");
    /* nothing but what is left over */
    goes(HEAD BEG_LINES PO1_LINES "  CTT03 <-> sums.weight decimal\n", BEG PO1 "CTT*1~",
         "{" BEG_JSON "," LINES_JSON ",\"sums\":{\"unmapped\":[{\"path\":\"CTT.CTT01\",\"value\":\"1\"}]}}");
}

/* --- Partners --- */

#define BASE HEAD BEG_LINES "  REF[IA].REF02 <-> vendor\n  REF <-> references[]\n    REF01 <-> kind\n" \
                            "    REF02 <-> value\n    REF03 <-> text\n" PO1_LINES
#define FROM "map partner/850 from x12/test\n"

static void partner(const char *delta, const char *body, const char *json)
{
    struct setting s;
    compile_well(&s, BASE, delta);
    reads_with(&s, body, json, "");
    writes_with(&s, json, body, "");
    clean_up(&s);
}

static void test_partner(void **state)
{
    (void)state;
    /* nothing else: the same */
    partner(FROM, BEG "REF*IA*9~" PO1, "{" BEG_JSON ",\"vendor\":\"9\"," LINES_JSON "}");
    /* replaced */
    partner(FROM "  REF[IA].REF02 <-> department\n", BEG "REF*IA*9~" PO1,
            "{" BEG_JSON ",\"department\":\"9\"," LINES_JSON "}");
    /* added, before the list that would take it */
    partner(FROM "  REF[DP].REF02 <-> department\n", BEG "REF*IA*9~REF*DP*7~REF*CO*1~" PO1,
            "{" BEG_JSON ",\"vendor\":\"9\",\"department\":\"7\",\"references\":[{\"kind\":\"CO\",\"value\":\"1\"}],"
            LINES_JSON "}");
    /* dropped: falls to the list */
    partner(FROM "  drop REF[IA].REF02\n", BEG "REF*IA*9~" PO1,
            "{" BEG_JSON ",\"references\":[{\"kind\":\"IA\",\"value\":\"9\"}]," LINES_JSON "}");
    /* inside a block: the other lines stay */
    partner(FROM "  PO1 <-> lines[]\n    PO103 <-> unit code unit beside unit_code\n    drop PO104\n",
            BEG "PO1*1*5*EA~",
            "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"quantity\":\"5\",\"unit\":\"piece\",\"unit_code\":\"EA\"}]}");
    /* blocks and tables of its own come first */
    partner(FROM "  BEG01 <-> purpose code own\ntable own\n  00 first\n", BEG PO1,
            "{\"purpose\":\"first\",\"type\":\"SA\",\"number\":\"4711\",\"ordered_on\":\"2026-01-15\"," LINES_JSON "}");
}

/* What the base has for several cases is replaced, or dropped, as a whole. */
static void test_partner_cases(void **state)
{
    static const char base[] = HEAD BEG_LINES "  CUR01 <-> kind\n  CUR02 <-> currency if kind = BY\n"
                                              "  CUR02 <-> vendor if kind = SE\n" PO1_LINES;
    struct setting s;
    (void)state;
    compile_well(&s, base, FROM "  CUR02 <-> department\n");
    reads_with(&s, BEG "CUR*SE*USD~" PO1, "{" BEG_JSON ",\"kind\":\"SE\",\"department\":\"USD\"," LINES_JSON "}", "");
    clean_up(&s);
    compile_well(&s, base, FROM "  CUR02 <-> department if kind = SE\n  CUR02 <-> vendor if kind = BY\n");
    reads_with(&s, BEG "CUR*SE*USD~" PO1, "{" BEG_JSON ",\"kind\":\"SE\",\"department\":\"USD\"," LINES_JSON "}", "");
    reads_with(&s, BEG "CUR*BY*USD~" PO1, "{" BEG_JSON ",\"kind\":\"BY\",\"vendor\":\"USD\"," LINES_JSON "}", "");
    clean_up(&s);
    compile_well(&s, base, FROM "  drop CUR02\n");
    reads_with(&s, BEG "CUR*SE*USD~" PO1,
               "{" BEG_JSON ",\"kind\":\"SE\"," LINES_JSON ",\"unmapped\":[{\"path\":\"CUR.CUR02\",\"value\":\"USD\"}]}", "");
    clean_up(&s);
}

static void test_partner_refused(void **state)
{
    (void)state;
    refused_by(BASE, FROM "  drop REF[ZZ].REF02\n",
               "2:3: there is no such line to drop in the map this one is made from\n");
    refused_by(BASE, FROM "  REF[ZZ].REF02 <-> vendor\n",
               "2:21: another line writes \"vendor\" already, and nothing tells them apart\n"
               "hint: tell them apart with `if FIELD = VALUE`, or write `->` where a line only reads.\n");
    refused_by(BASE, FROM "  drop BEG03 x\n", "2:14: nothing more is expected here\n");
}

/* --- Directions --- */

static void test_one_way(void **state)
{
    struct setting s;
    (void)state;
    reads(HEAD BEG_LINES "  REF[IA].REF02 -> vendor\n  REF[VR].REF02 -> vendor_name\n" PO1_LINES, BEG "REF*IA*9~" PO1,
          "{" BEG_JSON ",\"vendor\":\"9\"," LINES_JSON "}");
    compile_well(&s, HEAD BEG_LINES "  REF[IA].REF02 -> vendor\n" PO1_LINES, NULL);
    writes_with(&s, "{" BEG_JSON ",\"vendor\":\"9\"," LINES_JSON "}", BEG PO1,
                "MAP-LOSS vendor: is not written: no line of the map takes it\n");
    clean_up(&s);
    writes(HEAD BEG_LINES "  REF[IA].REF02 <- vendor\n" PO1_LINES, "{" BEG_JSON ",\"vendor\":\"9\"," LINES_JSON "}",
           BEG "REF*IA*9~" PO1);
}

/* --- Coverage --- */

static int add_gap(void *ctx, const struct coverage_gap *gap)
{
    struct buf *b = ctx;
    buf_printf(b, "%d %.*s%s%s %u %.*s\n", (int)gap->kind, SLICE_FMT(gap->path), gap->in ? " in" : "",
               gap->out ? " out" : "", gap->elements, SLICE_FMT(gap->name));
    return b->failed;
}

static void test_coverage(void **state)
{
    struct setting s;
    struct coverage n;
    struct buf b;
    struct err err;

    (void)state;
    compile_well(&s, HEAD BEG_LINES "  BEG06 -> vendor\n  BEG07 <- department\n  REF[IA].REF02 <-> vendor_name\n"
                                    "  N1[ST] <-> ship_to\n    N102 <-> name\n"
                                    "    REF <-> references[]\n      REF01 <-> kind\n      REF02 <-> value\n"
                                    "      REF04-1 <-> related_kind\n" PO1_LINES, NULL);
    buf_init(&b, 1 << 20);
    assert_int_equal(map_coverage(s.plan, add_gap, &b, &n, &err), 0);
    buf_add_char(&b, '\n');
#define HAS(line) if (!strstr(buf_text(&b), line "\n")) fail_msg("no line \"%s\"", line)
    HAS("0 BEG04 in out 1 Release Number");
    HAS("0 BEG06 out 1 Contract Number");
    HAS("0 BEG07 in 1 Acknowledgment Type");
    HAS("0 BEG08..BEG12 in out 5 ");
    HAS("3 REF in out 2 with qualifiers other than IA, or further ones");
    HAS("0 REF03..REF04 in out 2 ");
    HAS("2 SAC in out 37 ");
    HAS("3 N1 in out 108 with qualifiers other than ST, or further ones");
    HAS("0 N1[ST].N103..N106 in out 4 ");
    HAS("1 N1[ST]/N2 in out 2 Additional Name Information");
    HAS("0 N1[ST]/REF.REF03 in out 1 Description");
    HAS("0 N1[ST]/REF.REF04-2..REF04-6 in out 5 ");
    HAS("4 vendor out 0 ");
    HAS("4 department in 0 ");
    HAS("4 ship_to.id in out 0 ");
    HAS("4 ship_to.references.related_value in out 0 ");
    HAS("5 parties in out 0 ");
    HAS("5 totals in out 0 ");
    HAS("4 lines.items.scheme_code in out 0 ");
#undef HAS
    assert_null(strstr(buf_text(&b), " source "));
    assert_null(strstr(buf_text(&b), " number "));
    /* BEG, REF, N1 and its REF (of those nothing, with other qualifiers they are lost), PO1 */
    assert_int_equal(n.read, 4 + 1 + 24);
    assert_int_equal(n.written, 4 + 1 + 24);
    assert_int_equal(n.elements, 1649);
    buf_deinit(&b);
    clean_up(&s);
}

static void test_lines_that_no_guide_has(void **state)
{
    struct setting s;
    struct buf found;

    (void)state;
    compile_well(&s, "map x12/test\n  between guide x12/004010/850 and record small 1\n  also for x12/005010/850\n"
                     BEG_LINES PO1_LINES "    SDQ03..SDQ22 pairs <-> allocations[].(location quantity)\n"
                     "      SDQ01 <-> unit\n  XYZ01 <-> vendor\n  use a\nblock a\n  ABC02 <-> department\n", NULL);
    assert_false(map_lines_found(s.map, &s.complaints));
    buf_init(&found, 1 << 20);
    plain(&s.complaints.text, &found);
    assert_string_equal(buf_text(&found), "16:3: none of the map's guides has this here\n"
                                          "19:3: none of the map's guides has this here\n");
    buf_deinit(&found);
    clean_up(&s);
}

/* --- Memory --- */

static const char everything[] = HEAD
    "  must map BEG03\n  BEG01 <-> purpose code own\n  BEG02 <-> type\n  BEG03 <-> number\n  BEG05 <-> ordered_on "
    "date\n"
    "  CUR02 <-> currency\n  CUR01 <-> kind code role default buyer\n  REF[IA].REF02 <-> vendor\n"
    "  REF <-> references[] use reference\n  DTM[010].(DTM02 DTM03 DTM04) <-> ship_at datetime\n"
    "  N1[ST] <-> ship_to use party\n  N1 <-> parties[]\n    N101 <-> role\n    use party\n" PO1_LINES
    "    SDQ03..SDQ22 pairs <-> allocations[].(location quantity)\n      SDQ01 <-> unit\n    MSG01.. <-> text fold 10\n"
    "  CTT01 check count lines\n  CTT02 check sum lines.quantity\n  CTT03 <-> totals.weight decimal\n"
    "block reference\n  REF01 <-> kind\n  REF02 <-> value\n  REF04-1 <-> related_kind\n"
    "block party\n  N102 <-> name\n  N3.(N301 N302).. <-> street[]\n  REF <-> references[] use reference\n"
    "table own\n  00 original\n  * keep\ntable role\n  BY buyer\n";
static const char everything_partner[] = FROM "  REF[DP].REF02 <-> department\n  drop BEG02\n  BEG02 -> type\n"
                                              "  PO1 <-> lines[]\n    PO103 <-> unit code unit beside unit_code\n";
static const char all_of_it[] =
    "BEG*00*SA*4711**20260115~CUR*BY*USD~REF*IA*1*left~REF*DP*2~REF*CO*3**AB>4>CD>5~DTM*010*20260203*1230*ET~"
    "N1*ST*Store 7~N3*High Street*Dock~REF*ZZ*9~N1*BY*North~PO1*1*5*EA*9.5**UP*1***VN*2~SDQ*EA**01*10*02*20~"
    "MSG*1234567890~MSG*end~PO1*2*7.5*CA*1~CTT*2*80*3*LB~";

static int attempt_compile(void *arg)
{
    struct setting s;
    int code;

    (void)arg;
    code = compile(&s, everything, everything_partner);
    if (code == 0) {
        struct coverage n;
        code = map_coverage(s.plan, NULL, NULL, &n, &s.err);
        if (code == 0)
            code = map_coverage_between(s.plan, s.plan, NULL, NULL, &n, &s.err);
    }
    clean_up(&s);
    return code;
}

/* Reads with the n-th allocation failing. The reader does without what it only remembers numbers in: then all the
 * same the record must be whole. */
static void read_without_memory(const struct map_plan *plan, const char *whole, enum failing_malloc_mode mode)
{
    for (size_t n = 1;; n++) {
        struct failing_malloc_result result;
        struct reading r;
        struct err err = { 0 };
        bool same;
        int code;

        failing_malloc_start(n, mode);
        reading_init(&r, plan);
        code = read_document(&r, all_of_it, &err);
        result = failing_malloc_stop();
        same = r.out.n == strlen(whole) && memcmp(r.out.p, whole, r.out.n) == 0;
        if (code == 0 && !same)
            fail_msg("allocation %zu failing: success, and of the record:\n%.*s", n,
                     SLICE_FMT(slice_from(buf_slice(&r.out), r.out.n > 600 ? r.out.n - 600 : 0)));
        if (result.live - (r.out.p != NULL) - (r.findings.p != NULL))
            fail_msg("allocation %zu failing: %zu blocks left", n, result.live);
        reading_deinit(&r);
        if (!result.failed) {
            assert_int_equal(code, 0);
            assert_true(n > 5);
            return;
        }
    }
}

static void test_no_memory(void **state)
{
    struct setting s;
    struct reading r;
    struct err err = { 0 };
    struct coverage n;

    (void)state;
    /* guides read their files when first asked */
    compile_well(&s, everything, everything_partner);
    assert_int_equal(map_coverage(s.plan, NULL, NULL, &n, &err), 0);
    /* what a line reads only is lost even to the same map */
    assert_int_equal(map_coverage_between(s.plan, s.plan, NULL, NULL, &n, &err), 0);
    assert_int_equal(n.fields, n.given + 1);
    reading_init(&r, s.plan);
    assert_int_equal(read_document(&r, all_of_it, &err), 0);
    assert_string_equal(buf_text(&r.findings), "");
    read_without_memory(s.plan, buf_text(&r.out), FAIL_ONCE);
    read_without_memory(s.plan, buf_text(&r.out), FAIL_FROM_THEN_ON);
    reading_deinit(&r);
    clean_up(&s);
    assert_true(fail_each_allocation(attempt_compile, NULL) > 10);
}

/* A partner's own blocks and tables lie beside his map, and go before those of the maps folder. */
static void test_beside_the_partners_map(void **state)
{
    struct setting s;

    (void)state;
    write_file("shared.blocks", "block line\n  PO102 <-> quantity decimal\n  PO103 <-> unit code own\n");
    write_file("own.table", "table own\n  EA  each\n");
    compile_well(&s, HEAD, "map a/850 from x12/test\n  blocks a/shared\n  PO1 <-> lines[] use line\n");
    clean_up(&s);
    /* the shared one knows no `each`: the partner's is read */
    write_file("unit.table", "table unit\n  EA  piece\n  XX  piece\n  XX  case\n");
    assert_true(compile(&s, HEAD, "map a/850 from x12/test\n  PO1 <-> lines[]\n    PO103 <-> unit code unit\n") < 0);
    assert_non_null(strstr(buf_text(&s.complaints.text), "/unit.table:1: the table has the code XX twice"));
    clean_up(&s);
    compile_well(&s, HEAD "  PO1 <-> lines[]\n    PO103 -> unit code unit\n", NULL);
    clean_up(&s);
    static const char *const wrong[] = { "b/shared", "a/../shared", "../shared", "a/./shared", "/tmp/shared", "a//shared",
                                         "a/", "a/b/shared" };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), "map a/850 from x12/test\n  blocks %s\n  PO1 <-> lines[] use line\n", wrong[i]);
        assert_true(compile(&s, HEAD, text) < 0);
        if (!strstr(buf_text(&s.complaints.text), "there is no file of blocks of this name"))
            fail_msg("%s: %s", wrong[i], buf_text(&s.complaints.text));
        clean_up(&s);
    }
    assert_true(compile(&s, HEAD, "map a/850 from x12/test\n  PO1 <-> lines[]\n    PO103 <-> unit code ../own\n") < 0);
    clean_up(&s);
    static const char *const made[] = { "shared.blocks", "own.table", "unit.table" };
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", folder, made[i]);
        assert_int_equal(unlink(path), 0);
    }
}

/* A qualifier that is a component. What holds more goes to the list behind, if that has a place for it. */
static void test_component_qualifiers(void **state)
{
    static const char map[] = HEAD BEG_LINES "  REF[01=ZZ 04-1=CO].REF02 <-> vendor_name\n"
                                   "  REF[01=ZZ 04-1=CO].REF04-2 <-> vendor\n  REF <-> references[]\n"
                                   "    REF01 <-> kind\n    REF02 <-> value\n    REF04-1 <-> related_kind\n"
                                   "    REF04-2 <-> related_value\n" PO1_LINES;

    (void)state;
    goes(map, BEG "REF*ZZ*1**CO>77~REF*ZZ*2**PO>78~" PO1,
         "{" BEG_JSON ",\"vendor_name\":\"1\",\"vendor\":\"77\",\"references\":[{\"kind\":\"ZZ\",\"value\":\"2\","
         "\"related_kind\":\"PO\",\"related_value\":\"78\"}]," LINES_JSON "}");
    goes(map, BEG "REF*ZZ*1**CO>77>DP>9~" PO1,
         "{" BEG_JSON ",\"vendor_name\":\"1\",\"vendor\":\"77\"," LINES_JSON ",\"unmapped\":["
         "{\"path\":\"REF[01=ZZ 04-1=CO].REF04-3\",\"value\":\"DP\"},"
         "{\"path\":\"REF[01=ZZ 04-1=CO].REF04-4\",\"value\":\"9\"}]}");
    /* without names: the segment's qualifier and what stands behind it */
    goes(HEAD BEG_LINES "  MEA[PD LN].MEA03 <-> weight decimal\n" PO1_LINES, BEG "MEA*PD*LN*2.5~" PO1,
         "{" BEG_JSON ",\"weight\":\"2.5\"," LINES_JSON "}");
}

/* What is missing, either way. */
static void test_or(void **state)
{
    static const char map[] = HEAD BEG_LINES "  BEG04 <-> vendor or NONE\n" PO1_LINES;

    (void)state;
    reads(map, BEG PO1, "{" BEG_JSON ",\"vendor\":\"NONE\"," LINES_JSON "}");
    writes(map, "{" BEG_JSON "," LINES_JSON "}", "BEG*00*SA*4711*NONE*20260115~" PO1);
    goes(map, "BEG*00*SA*4711*7*20260115~" PO1,
         "{\"purpose\":\"00\",\"type\":\"SA\",\"number\":\"4711\",\"ordered_on\":\"2026-01-15\",\"vendor\":\"7\","
         LINES_JSON "}");
}

/* A list whose items stand in two segments. */
static void test_shared_list(void **state)
{
    static const char map[] = HEAD BEG_LINES "  PO1 <-> lines[]\n    PO101 <-> number\n    PO102 <-> quantity decimal\n"
                                   "    PO103 <-> unit\n    PO104 <-> price decimal\n"
                                   "    PO106..PO107 pairs <-> items[].(scheme id)\n"
                                   "    LIN02..LIN31 pairs <-> items[].(scheme id)\n";

    (void)state;
    goes(map, BEG PO1 "LIN**VP*A*BP*B~",
         "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"quantity\":\"5\",\"unit\":\"EA\",\"price\":\"9.5\",\"items\":["
         "{\"scheme\":\"UP\",\"id\":\"123456789012\"},{\"scheme\":\"VP\",\"id\":\"A\"},"
         "{\"scheme\":\"BP\",\"id\":\"B\"}]}]}");
    goes(map, BEG PO1, "{" BEG_JSON "," LINES_JSON "}");
}

/* A standard's own table goes before the one for all. */
static void test_table_of_a_standard(void **state)
{
    char path[256];

    (void)state;
    snprintf(path, sizeof(path), "%s/tables/x12", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("tables/x12/unit.table", "table unit\n  EA  each\n");
    goes(HEAD BEG_LINES "  PO1 <-> lines[]\n    PO101 <-> number\n    PO102 <-> quantity decimal\n"
              "    PO103 <-> unit code unit\n    PO104 <-> price decimal\n"
              "    PO106..PO125 pairs <-> items[].(scheme id)\n",
         BEG PO1,
         "{" BEG_JSON ",\"lines\":[{\"number\":\"1\",\"quantity\":\"5\",\"unit\":\"each\",\"price\":\"9.5\","
         "\"items\":[{\"scheme\":\"UP\",\"id\":\"123456789012\"}]}]}");
    snprintf(path, sizeof(path), "%s/tables/x12/unit.table", folder);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/tables/x12", folder);
    assert_int_equal(rmdir(path), 0);
}

/* The first segment of a loop that a field takes whole is no item of the list as well. */
static void test_field_or_list(void **state)
{
    static const char map[] = HEAD BEG_LINES "  N1[VN].N103 <-> vendor_name\n  N1[VN].N104 <-> vendor\n"
                                   "  N1 <-> parties[]\n    N101 <-> role\n    N102 <-> name\n    N103 <-> city\n"
                                   "    N104 <-> id\n" PO1_LINES;

    (void)state;
    goes(map, BEG "N1*VN**92*77~N1*ST*Store*92*99~" PO1,
         "{" BEG_JSON ",\"vendor_name\":\"92\",\"vendor\":\"77\",\"parties\":[{\"role\":\"ST\",\"name\":\"Store\","
         "\"city\":\"92\",\"id\":\"99\"}]," LINES_JSON "}");
    goes(map, BEG "N1*VN*Vendor*92*77~" PO1,
         "{" BEG_JSON ",\"parties\":[{\"role\":\"VN\",\"name\":\"Vendor\",\"city\":\"92\",\"id\":\"77\"}],"
         LINES_JSON "}");
}

/* ---- dates with their form ---- */

static void reads_period(const char *value, const char *form, const char *from, const char *until, bool plain)
{
    struct period p;
    char to[PERIOD_ROOM];
    struct slice written;
    const char *why;
    size_t n;

    assert_int_equal(period_read(slice_of(value), slice_of(form), &p), 1);
    assert_true(slice_is(p.from, from));
    assert_true(slice_is(p.until, until));
    assert_int_equal(p.plain, plain);
    n = period_write(p.from, p.until, slice_of(plain ? "" : form), to, &written, &why);
    assert_true(slice_is(written, form));
    assert_true(n == strlen(value) && memcmp(to, value, n) == 0);
}

static void test_periods(void **state)
{
    static const struct {
        const char *value, *form;
        int expected;
    } none[] = { { "20261301", "102", -1 }, { "2026011", "102", -1 }, { "202601152460", "203", -1 }, { "30", "804", 0 },
                 { "202603", "610", 0 },    { "20260115", "999", 0 }, { "2026011520260", "718", -1 }, { "x", "", 0 } };
    struct period p;
    char to[PERIOD_ROOM];
    struct slice form;
    const char *why;

    (void)state;
    reads_period("20260115", "102", "2026-01-15", "", true);
    reads_period("202601151230", "203", "2026-01-15T12:30", "", true);
    reads_period("20260115123045", "204", "2026-01-15T12:30:45", "", true);
    reads_period("202601151230UTC", "303", "2026-01-15T12:30Z", "", true);
    reads_period("20260115123045EST", "304", "2026-01-15T12:30:45[EST]", "", true);
    reads_period("202601151230+0200", "205", "2026-01-15T12:30+02:00", "", true);
    reads_period("2026011520260131", "718", "2026-01-15", "2026-01-31", true);
    reads_period("202601150800202601151200", "719", "2026-01-15T08:00", "2026-01-15T12:00", true);
    reads_period("150126", "2", "2026-01-15", "", false);
    reads_period("260115", "101", "2026-01-15", "", false);
    reads_period("2601151230", "201", "2026-01-15T12:30", "", false);
    reads_period("26011508002601151200", "713", "2026-01-15T08:00", "2026-01-15T12:00", false);
    /* with the hyphen of the list, too, and without a form where the length tells it */
    assert_int_equal(period_read(SLICE("20260115-20260131"), SLICE("718"), &p), 1);
    assert_true(slice_is(p.until, "2026-01-31") && !p.plain);
    assert_int_equal(period_read(SLICE("202601151230"), SLICE(""), &p), 1);
    assert_true(slice_is(p.from, "2026-01-15T12:30"));
    /* with or without a time, whatever the form says */
    assert_int_equal(period_read(SLICE("20260115"), SLICE("203"), &p), 1);
    assert_true(slice_is(p.from, "2026-01-15") && p.plain);
    assert_int_equal(period_read(SLICE("202601151230"), SLICE("102"), &p), 1);
    assert_true(slice_is(p.from, "2026-01-15T12:30") && p.plain);
    assert_int_equal(period_read(SLICE("20260115123045"), SLICE("203"), &p), 1);
    assert_true(slice_is(p.from, "2026-01-15T12:30:45") && p.plain);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(period_read(slice_of(none[i].value), slice_of(none[i].form), &p), none[i].expected);
    /* the form that is wanted, where it says all */
    assert_int_equal(period_write(SLICE("2026-01-15T12:30"), SLICE(""), SLICE("101"), to, &form, &why), 12);
    assert_true(slice_is(form, "203"));
    assert_int_equal(period_write(SLICE("2026-01-15T12:30[ET]"), SLICE(""), SLICE(""), to, &form, &why), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_component_qualifiers),
        cmocka_unit_test(test_or),
        cmocka_unit_test(test_shared_list),
        cmocka_unit_test(test_table_of_a_standard),
        cmocka_unit_test(test_field_or_list),
        cmocka_unit_test(test_periods),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_beside_the_partners_map),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_conversions_that_do_not_fit),
        cmocka_unit_test(test_what_cannot_be_turned_round),
        cmocka_unit_test(test_lines_that_clash),
        cmocka_unit_test(test_conditions_that_clash),
        cmocka_unit_test(test_fields_that_cannot_hold_it),
        cmocka_unit_test(test_blocks_refused),
        cmocka_unit_test(test_must_map),
        cmocka_unit_test(test_headings_refused),
        cmocka_unit_test(test_tables_refused),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_list_of_two), cmocka_unit_test(test_tables),
        cmocka_unit_test(test_beside),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_exponents),
        cmocka_unit_test(test_other_conversions),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_default_and_const),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_guards_across),
        cmocka_unit_test(test_guards_said),
        cmocka_unit_test(test_first_of_several),
        cmocka_unit_test(test_guards_by_presence),
        cmocka_unit_test(test_guards_other),
        cmocka_unit_test(test_own_qualifier),
        cmocka_unit_test(test_inherit),
        cmocka_unit_test(test_qualifiers),
        cmocka_unit_test(test_several_qualifiers),
        cmocka_unit_test(test_objects_and_loops),
        cmocka_unit_test(test_components),
        cmocka_unit_test(test_dotted_names),
        cmocka_unit_test(test_dotted_names_of_one_segment),
        cmocka_unit_test(test_direction_of_blocks),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_shared_rows),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_pairs_in_ranges),
        cmocka_unit_test(test_pairs_that_share),
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_truncated_total),
        cmocka_unit_test(test_always),
        cmocka_unit_test(test_unmapped),
        cmocka_unit_test(test_unmapped_joins),
        cmocka_unit_test(test_partner),
        cmocka_unit_test(test_partner_cases),
        cmocka_unit_test(test_partner_refused),
        cmocka_unit_test(test_one_way),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_lines_that_no_guide_has),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
