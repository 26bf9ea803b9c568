/* schema: what a record kind is made of, every error of a schema, and records held against a kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_malloc.h"
#include "record/schema.h"

static const char schema[] =
    "{\n"
    "  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
    "  \"title\": \"A small order\",\n"
    "  \"description\": \"For tests.\",\n"
    "  \"type\": \"object\",\n"
    "  \"required\": [\"record\", \"version\", \"number\", \"lines\"],\n"
    "  \"additionalProperties\": false,\n"
    "  \"properties\": {\n"
    "    \"record\": {\"type\": \"string\", \"const\": \"order\"},\n"
    "    \"version\": {\"type\": \"integer\", \"const\": 1},\n"
    "    \"number\": {\"type\": \"string\", \"minLength\": 1, \"maxLength\": 5, \"description\": \"The number.\"},\n"
    "    \"purpose\": {\"type\": \"string\", \"enum\": [\"original\", \"change\", \"caf\\u00e9\"]},\n"
    "    \"type\": {\"type\": \"string\", \"x-codes\": \"order-type\"},\n"
    "    \"ordered_on\": {\"type\": \"string\", \"format\": \"date\"},\n"
    "    \"at\": {\"type\": \"string\", \"format\": \"time\"},\n"
    "    \"ship_at\": {\"$ref\": \"#/$defs/moment\", \"description\": \"When to ship.\"},\n"
    "    \"test\": {\"type\": \"boolean\"},\n"
    "    \"days\": {\"type\": \"integer\", \"enum\": [1, 2, 30]},\n"
    "    \"ship_to\": {\"$ref\": \"#/$defs/party\"},\n"
    "    \"notes\": {\"type\": \"array\", \"items\": {\"type\": \"string\", \"maxLength\": 3}, \"maxItems\": 2},\n"
    "    \"lines\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/line\"}, \"minItems\": 1},\n"
    "    \"anything\": true,\n"
    "    \"names\": {\"type\": \"object\", \"additionalProperties\": {\"type\": \"string\", \"format\": \"decimal\"}},\n"
    "    \"unmapped\": {\"type\": \"object\"},\n"
    "    \"a_name_that_is_longer_than_16\": {\"type\": \"string\"},\n"
    "    \"a_name_which_is_longer_than_16\": {\"type\": \"string\"},\n"
    "    \"a_name_thus__is_longer_than_16\": {\"type\": \"string\", \"pattern\": \"^x\"}\n"
    "  },\n"
    "  \"$defs\": {\n"
    "    \"moment\": {\"type\": \"string\", \"format\": \"partial-datetime\", \"description\": \"A moment.\"},\n"
    "    \"party\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n"
    "      \"name\": {\"type\": \"string\"}, \"id\": {\"type\": \"string\"}}},\n"
    "    \"line\": {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"quantity\"], \"properties\": {\n"
    "      \"quantity\": {\"type\": \"string\", \"format\": \"decimal\"},\n"
    "      \"unit\": {\"type\": \"string\"},\n"
    "      \"lines\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/line\"}}}}\n"
    "  }\n"
    "}\n";

static struct record_kind *small_order(void)
{
    struct record_kind *kind;
    struct complaints c;

    complaints_init(&c);
    if (record_kind_new(&kind, SLICE("order.1.schema.json"), slice_of(schema), &c) != 0)
        fail_msg("%s", buf_text(&c.text));
    complaints_deinit(&c);
    return kind;
}

static const struct record_field *field_at(const struct record_kind *kind, const char *path)
{
    const struct record_field *f = record_field_at(kind, slice_of(path));
    if (!f)
        fail_msg("no %s", path);
    return f;
}

static void test_kind(void **state)
{
    struct record_kind *kind = small_order();
    const struct record_field *f;

    (void)state;
    assert_true(slice_is(kind->name, "order"));
    assert_int_equal(kind->version, 1);
    assert_true(slice_is(kind->title, "A small order"));
    assert_int_equal(kind->root->n, 19);
    assert_false(kind->root->open);
    for (unsigned i = 0; i < kind->root->n; i++) {
        assert_int_equal(kind->root->field[i].index, i);
        assert_int_equal(record_field_find(kind->root, kind->root->field[i].name), i);
    }
    f = field_at(kind, "number");
    assert_int_equal(f->type, RECORD_STRING);
    assert_true(f->required);
    assert_int_equal(f->min_length, 1);
    assert_int_equal(f->max_length, 5);
    assert_true(slice_is(f->description, "The number."));
    f = field_at(kind, "purpose");
    assert_int_equal(f->n_values, 3);
    assert_true(slice_is(f->values[2], "caf\xc3\xa9"));
    assert_false(f->required);
    assert_true(slice_is(field_at(kind, "type")->codes, "order-type"));
    assert_int_equal(field_at(kind, "ordered_on")->type, RECORD_DATE);
    assert_int_equal(field_at(kind, "at")->type, RECORD_TIME);
    assert_int_equal(field_at(kind, "ship_at")->type, RECORD_DATETIME);
    assert_true(slice_is(field_at(kind, "ship_at")->description, "When to ship."));
    assert_int_equal(field_at(kind, "test")->type, RECORD_BOOLEAN);
    assert_int_equal(field_at(kind, "days")->type, RECORD_INTEGER);
    assert_int_equal(field_at(kind, "ship_to")->type, RECORD_OBJECT);
    assert_int_equal(field_at(kind, "ship_to.id")->type, RECORD_STRING);
    f = field_at(kind, "notes");
    assert_int_equal(f->type, RECORD_ARRAY);
    assert_int_equal(f->item, RECORD_STRING);
    assert_int_equal(f->max_length, 3);
    assert_int_equal(f->max_items, 2);
    f = field_at(kind, "lines");
    assert_int_equal(f->type, RECORD_ARRAY);
    assert_int_equal(f->item, RECORD_OBJECT);
    assert_int_equal(f->min_items, 1);
    assert_int_equal(field_at(kind, "lines.quantity")->type, RECORD_DECIMAL);
    assert_true(field_at(kind, "lines[].quantity")->required);
    assert_ptr_equal(field_at(kind, "lines.lines")->object, f->object);
    assert_int_equal(field_at(kind, "lines[].lines[].lines[].unit")->type, RECORD_STRING);
    assert_int_equal(field_at(kind, "anything")->type, RECORD_ANY);
    assert_int_equal(field_at(kind, "names")->object->other->type, RECORD_DECIMAL);
    assert_true(field_at(kind, "unmapped")->object->open);
    assert_true(slice_is(field_at(kind, "a_name_thus__is_longer_than_16")->pattern, "^x"));
    assert_null(record_field_at(kind, SLICE("lines.x")));
    assert_null(record_field_at(kind, SLICE("number.x")));
    assert_null(record_field_at(kind, SLICE("")));
    record_kind_free(&kind);
    assert_null(kind);
    record_kind_free(&kind);
}

static void test_names_that_do_not_exist(void **state)
{
    static const char *const names[] = { "", "n", "Number", "numbe", "number ", "numbers", "recor", "ship_t", "ship_to ",
                                         "a_name_that_is_longer_than_17", "a_name_whose_is_longer_than_16",
                                         "a_name_that_is_longer_than_16_by_far" };
    struct record_kind *kind = small_order();

    (void)state;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(record_field_find(kind->root, slice_of(names[i])), -1);
    record_kind_free(&kind);
}

/* Objects of every size, with names that resemble each other: the hash is perfect for all. */
static void test_many_fields(void **state)
{
    struct complaints c;
    struct buf b;

    (void)state;
    complaints_init(&c);
    buf_init(&b, 1 << 20);
    for (unsigned n = 2; n <= RECORD_FIELDS + 1; n += n < 20 ? 1 : n < 250 ? 23 : 1) {
        struct record_kind *kind;
        int r;
        buf_clear(&b);
        buf_add_text(&b, "{\"type\":\"object\",\"properties\":{\"record\":{\"type\":\"string\",\"const\":\"x\"},"
                         "\"version\":{\"type\":\"integer\",\"const\":1}");
        for (unsigned i = 2; i < n; i++)
            buf_printf(&b, ",\"field_%0*u\":{\"type\":\"string\"}", (int)(i % 40), i);
        buf_add_text(&b, "}}");
        r = record_kind_new(&kind, SLICE("x"), buf_slice(&b), &c);
        assert_int_equal(r, n > RECORD_FIELDS ? ERR_CONFIG : 0);
        for (unsigned i = 0; r == 0 && i < n; i++)
            assert_int_equal(record_field_find(kind->root, kind->root->field[i].name), i);
        record_kind_free(&kind);
    }
    buf_deinit(&b);
    complaints_deinit(&c);
}

/* --- schemas that are wrong --- */

#define KIND "\"record\":{\"type\":\"string\",\"const\":\"x\"},\"version\":{\"type\":\"integer\",\"const\":1}"

static const struct {
    const char *text;
    const char *words;
} wrong[] = {
    { "", "x.json:1:1: expected a value, found the end of the text" },
    { "{\"type\":\"object\",\n \"properties\":{]}", "x.json:2:16: expected a key in quotes or '}', found ']'" },
    { "[]", "expected a schema, which is an object" },
    { "{\"type\":\"string\"}", "a record is an object" },
    { "{\"type\":\"object\",\"properties\":{}}", "the property \"record\" must be a string with the kind's name" },
    { "{\"type\":\"object\",\"properties\":{\"record\":{\"type\":\"string\",\"const\":\"x\"}}}", "the property \"version\"" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":\"number\"}}}", "numbers are inexact" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":\"text\"}}}", "the type must be object, array" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":[\"string\",\"null\"]}}}", "\"type\" must be the name of one type, not an array" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":\"string\",\"format\":\"datum\"}}}", "the format must be decimal" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":\"string\",\"formt\":\"date\"}}}", "did you mean \"format\"?" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":\"string\",\"oneOf\":[]}}}", "\"oneOf\" is no word of JSON Schema that Waybill checks" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"$ref\":\"#/$defs/b\"}},\"$defs\":{\"bb\":{}}}", "there is no \"b\" in $defs" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"$ref\":\"other.json\"}}}", "a reference must look like" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"$ref\":\"#/$defs/a\"}},\"$defs\":{\"a\":{\"$ref\":\"#/$defs/a\"}}}", "refer to themselves" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":\"array\",\"items\":{\"type\":\"array\"}}}}", "the items of an array cannot be arrays" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":\"string\",\"items\":{}}}}", "\"items\" says nothing about a string" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":\"integer\",\"maxLength\":3}}}", "\"maxLength\" says nothing about a whole number" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":\"string\",\"maxLength\":-3}}}", "expected a whole number from 0" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":\"string\",\"minLength\":3,\"maxLength\":2}}}", "the least is more than the most" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":\"string\",\"enum\":[]}}}", "an enum has 1 to" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":\"string\",\"enum\":[1]}}}", "expected a string, as its type says" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":{\"type\":\"string\"},\"a\":{\"type\":\"string\"}}}", "the property \"a\" stands here twice" },
    { "{\"type\":\"object\",\"type\":\"object\",\"properties\":{" KIND "}}", "\"type\" stands here twice" },
    { "{\"type\":\"object\",\"required\":[\"recrd\"],\"properties\":{" KIND "}}", "what is required must be a property" },
    { "{\"type\":\"object\",\"required\":[\"recrd\"],\"properties\":{" KIND "}}", "did you mean \"record\"?" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"a\":false}}", "expected a schema, which is an object" },
    { "{\"type\":\"object\",\"properties\":{" KIND ",\"\":{}}}", "a property's name has 1 to" },
    { "{\"type\":\"object\",\"properties\":{" KIND "},\"$defs\":{\"unused\":{\"type\":\"txt\"}}}", "the type must be" },
    { "{\"type\":\"object\",\"properties\":{" KIND "},\"additionalProperties\":1}", "\"additionalProperties\" must be false, true or a schema, not a number" },
};

static void test_wrong_schemas(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct record_kind *kind;
        struct complaints c;
        complaints_init(&c);
        assert_int_equal(record_kind_new(&kind, SLICE("x.json"), slice_of(wrong[i].text), &c), ERR_CONFIG);
        assert_null(kind);
        if (!strstr(buf_text(&c.text), wrong[i].words))
            fail_msg("%s\n%s", wrong[i].text, buf_text(&c.text));
        complaints_deinit(&c);
    }
}

static void test_all_errors_at_once(void **state)
{
    static const char text[] = "{\n \"type\": \"object\",\n \"properties\": {\n  " KIND ",\n"
                               "  \"a\": {\"type\": \"strin\"},\n"
                               "  \"b\": {\"$ref\": \"#/$defs/c\"},\n"
                               "  \"d\": {\"$ref\": \"#/$defs/c\"}\n"
                               " },\n \"$defs\": {\n  \"c\": {\"type\": \"string\", \"format\": \"dat\"}\n }\n}\n";
    struct record_kind *kind;
    struct complaints c;

    (void)state;
    complaints_init(&c);
    assert_int_equal(record_kind_new(&kind, SLICE("x.json"), slice_of(text), &c), ERR_CONFIG);
    assert_string_equal(buf_text(&c.text),
                        "x.json:5:17: the type must be object, array, string, integer or boolean\n"
                        "    \"a\": {\"type\": \"strin\"},\n"
                        "                  ^~~~~~~\n"
                        "x.json:10:37: the format must be decimal, date, time or partial-datetime\n"
                        "    \"c\": {\"type\": \"string\", \"format\": \"dat\"}\n"
                        "                                      ^~~~~\n"
                        "hint: did you mean \"date\"?\n");
    assert_int_equal(c.count, 2);
    complaints_deinit(&c);
}

static void test_file_name(void **state)
{
    char folder[] = "/tmp/waybill-test-XXXXXX", path[100];
    static const struct {
        const char *name;
        int r;
    } rows[] = { { "order.1.schema.json", 0 }, { "order.2.schema.json", ERR_CONFIG }, { "small.json", 0 } };

    (void)state;
    assert_non_null(mkdtemp(folder));
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct record_kind *kind;
        struct complaints c;
        FILE *f;
        snprintf(path, sizeof(path), "%s/%s", folder, rows[i].name);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fputs(schema, f) >= 0, 1);
        fclose(f);
        complaints_init(&c);
        assert_int_equal(record_kind_load(&kind, path, &c), rows[i].r);
        if (rows[i].r)
            assert_non_null(strstr(buf_text(&c.text), "the file's name says order 2, the schema order 1"));
        record_kind_free(&kind);
        remove(path);
        assert_int_equal(record_kind_load(&kind, path, &c), ERR_MISSING);
        complaints_deinit(&c);
    }
    remove(folder);
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[100];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
}

/* What several kinds share lies in a schema beside them. */
/* Each of thirty objects holds the next by three fields, and the last the first: what is inside them is known without
 * going down each of the ways. */
static void test_traced_by_many_ways(void **state)
{
    static const char *const ends[] = { "\"x-trace\": true", "\"minLength\": 1" };
    (void)state;
    for (unsigned traced = 0; traced < 2; traced++) {
        struct record_kind *kind;
        struct complaints c;
        struct buf b;
        const struct record_field *field;
        buf_init(&b, 100000);
        buf_add_text(
            &b, "{\"type\": \"object\", \"properties\": {\"record\": {\"type\": \"string\", \"const\": \"x\"}, "
                "\"version\": {\"type\": \"integer\", \"const\": 1}, \"in\": {\"$ref\": \"#/$defs/o0\"}, "
                "\"beside\": {\"type\": \"object\", \"properties\": {\"n\": {\"type\": \"string\"}}}}, \"$defs\": {");
        for (unsigned i = 0; i < 30; i++) {
            unsigned next = (i + 1) % 30;
            buf_printf(&b, "%s\"o%u\": {\"type\": \"object\", \"properties\": {", i ? ", " : "", i);
            for (char k = 'a'; k <= 'c'; k++)
                buf_printf(&b, "\"%c\": {\"$ref\": \"#/$defs/o%u\"}, ", k, next);
            buf_printf(&b, "\"id\": {\"type\": \"string\", %s}}}", i == 29 ? ends[traced] : ends[1]);
        }
        buf_add_text(&b, "}}");
        complaints_init(&c);
        assert_int_equal(record_kind_new(&kind, SLICE("x.json"), buf_slice(&b), &c), 0);
        complaints_deinit(&c);
        buf_deinit(&b);
        assert_int_equal(kind->root->traced, !traced);
        field = record_field_at(kind, SLICE("in.a.b.c"));
        assert_non_null(field);
        assert_int_equal(field->object->traced, !traced);
        field = record_field_at(kind, SLICE("beside"));
        assert_false(field->object->traced);
        record_kind_free(&kind);
    }
}

static void test_references_beside(void **state)
{
    static const char head[] =
        "{\"type\": \"object\", \"properties\": {\"record\": {\"type\": \"string\", \"const\": \"small\"},"
        " \"version\": {\"type\": \"integer\", \"const\": 1}, \"a\": {\"$ref\": \"%s\"}, \"b\": {\"$ref\": \"%s\"}}}";
    static const struct {
        const char *a, *b, *words;
    } rows[] = {
        { "common.1.schema.json#/$defs/party", "common.1.schema.json#/$defs/party", NULL },
        { "common.1.schema.json#/$defs/partie", "#/$defs/x", "did you mean \"common.1.schema.json#/$defs/party\"?" },
        { "nowhere.schema.json#/$defs/party", "nowhere.schema.json#/$defs/party", "nowhere.schema.json: No such file" },
        { "../common.1.schema.json#/$defs/party", "common.1.schema.json", "a reference must look like" },
        { "bad.schema.json#/$defs/party", "bad.schema.json#/$defs/party", "bad.schema.json:1:" },
    };
    char folder[] = "/tmp/waybill-test-XXXXXX", path[100], text[1000];

    (void)state;
    assert_non_null(mkdtemp(folder));
    write_file(folder, "common.1.schema.json",
               "{\"$defs\": {\"party\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\":"
               " {\"name\": {\"$ref\": \"#/$defs/text\"}}}, \"text\": {\"type\": \"string\"}}}");
    write_file(folder, "bad.schema.json", "{\"$defs\": ");
    snprintf(path, sizeof(path), "%s/small.1.schema.json", folder);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct record_kind *kind;
        struct complaints c;

        snprintf(text, sizeof(text), head, rows[i].a, rows[i].b);
        write_file(folder, "small.1.schema.json", text);
        complaints_init(&c);
        assert_int_equal(record_kind_load(&kind, path, &c), rows[i].words ? ERR_CONFIG : 0);
        if (rows[i].words && !strstr(buf_text(&c.text), rows[i].words))
            fail_msg("%s", buf_text(&c.text));
        if (!rows[i].words) {
            const struct record_field *f = record_field_at(kind, SLICE("b.name"));
            assert_non_null(f);
            assert_int_equal(f->type, RECORD_STRING);
            /* one object, however many refer to it */
            assert_ptr_equal(record_field_at(kind, SLICE("a"))->object, record_field_at(kind, SLICE("b"))->object);
        }
        record_kind_free(&kind);
        complaints_deinit(&c);
    }
    remove(path);
    write_file(folder, "common.1.schema.json", "");
    snprintf(path, sizeof(path), "%s/common.1.schema.json", folder);
    remove(path);
    snprintf(path, sizeof(path), "%s/bad.schema.json", folder);
    remove(path);
    assert_int_equal(remove(folder), 0);
}

/* --- formats --- */

static void test_decimals(void **state)
{
    static const char *const right[] = { "0", "12.50", "-3", ".5", "-.5", "007", "5.", "123456789012345678901234567890.1" };
    static const char *const bad[] = { "", "-", ".", "-.", "+1", "1e5", "1,5", " 1", "1 ", "1.2.3", "ten", "--1", "1-" };

    (void)state;
    for (unsigned i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_true(record_is_decimal(slice_of(right[i])));
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(record_is_decimal(slice_of(bad[i])));
}

static void test_dates_and_times(void **state)
{
    static const char *const dates[] = { "2026-01-15", "2024-02-29", "2000-02-29", "0001-12-31", "9999-12-31" };
    static const char *const no_dates[] = { "", "2026-1-15", "2026-13-01", "2026-00-01", "2026-01-00", "2026-01-32",
                                            "2026-04-31", "2026-02-29", "1900-02-29", "0000-01-01", "20260115",
                                            "2026-01-15 ", "2026/01/15", "2026-01-1x" };
    static const char *const times[] = { "00:00", "23:59", "12:30:45", "12:30:60", "12:30:45.5", "12:30:45.123456" };
    static const char *const no_times[] = { "", "24:00", "12:60", "12:30:61", "12:30:", "12:30:45.", "1230", "12:3", "12:30Z",
                                            "12:30:4", "12:30.5" };
    static const char *const moments[] = { "2026-01-15", "2026-01-15T12:30", "2026-01-15T12:30:45Z", "2026-01-15T12:30[ET]",
                                           "2026-01-15T12:30-05:00", "2026-01-15T12:30-05:00[ES]", "2026-01-15T12:30:45.25+02:00",
                                           "2026-01-15Z", "2026-01-15[ET]", "2026-01-15+02:00" };
    static const char *const no_moments[] = { "", "2026-01-15T", "2026-01-15 12:30", "2026-02-30T12:30", "2026-01-15T25:30",
                                              "2026-01-15T12:30z", "2026-01-15T12:30+2", "2026-01-15T12:30+02:60",
                                              "2026-01-15T12:30[]", "2026-01-15T12:30[ET", "2026-01-15T12:30[E T]",
                                              "2026-01-15T12:30ET", "2026-01-15T12:30[ET]Z", "2026-01", "12:30" };

    (void)state;
    for (unsigned i = 0; i < sizeof(dates) / sizeof(dates[0]); i++)
        assert_true(record_is_date(slice_of(dates[i])));
    for (unsigned i = 0; i < sizeof(no_dates) / sizeof(no_dates[0]); i++)
        assert_false(record_is_date(slice_of(no_dates[i])));
    for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        assert_true(record_is_time(slice_of(times[i])));
    for (unsigned i = 0; i < sizeof(no_times) / sizeof(no_times[0]); i++)
        assert_false(record_is_time(slice_of(no_times[i])));
    for (unsigned i = 0; i < sizeof(moments) / sizeof(moments[0]); i++)
        if (!record_is_datetime(slice_of(moments[i])))
            fail_msg("%s", moments[i]);
    for (unsigned i = 0; i < sizeof(no_moments) / sizeof(no_moments[0]); i++)
        if (record_is_datetime(slice_of(no_moments[i])))
            fail_msg("%s", no_moments[i]);
}

/* --- records against a kind --- */

#define START "{\"record\":\"order\",\"version\":1,\"number\":\"1\",\"lines\":[{\"quantity\":\"1\"}]"

static const struct {
    const char *record;
    const char *findings;       /* one a line */
} checks[] = {
    { START "}", "" },
    { "{\"lines\":[{\"quantity\":\"1\",\"lines\":[{\"quantity\":\"2\"}]}],\"number\":\"12345\",\"version\":1,\"record\":\"order\","
      "\"purpose\":\"change\",\"type\":\"x\",\"ordered_on\":\"2026-01-15\",\"at\":\"12:30\",\"ship_at\":\"2026-01-15\","
      "\"test\":true,\"days\":30,\"ship_to\":{\"name\":\"n\",\"id\":\"i\"},\"notes\":[\"abc\",\"d\"],\"anything\":[1,{\"a\":null}],"
      "\"names\":{\"x\":\"1.5\"},\"unmapped\":{\"a\":{\"b\":[]}},\"a_name_that_is_longer_than_16\":\"\"}", "" },
    { START ",\"p\\u0075rpose\":\"\\u0063hange\",\"ordered_on\":\"2026\\u002d01-15\"}", "" },
    { START ",\"purpose\":\"caf\\u00e9\"}", "" },
    { "[]", "the record: is of the wrong type, expected an object" },
    { "{}", "record: missing, expected a string\n"
            "version: missing, expected a whole number\n"
            "number: missing, expected a string\n"
            "lines: missing, expected an array" },
    { "{\"record\":\"invoice\",\"x\":1}", "record: \"invoice\" is of another kind or version, expected \"order\"" },
    { "{\"record\":\"order\",\"version\":2}", "version: 2 is of another kind or version, expected 1" },
    { START ",\"purpos\":\"change\"}", "purpos: the record has no field of this name, expected a field of the schema; did you mean \"purpose\"?" },
    { START ",\"zzz\":{\"a\":1}}", "zzz: the record has no field of this name, expected a field of the schema" },
    { START ",\"number\":\"2\"}", "number: stands twice in one object, expected it once" },
    { START ",\"numb\\u0065r\":\"2\"}", "numb\\u0065r: stands twice in one object, expected it once" },
    { START ",\"purpose\":\"chnge\"}", "purpose: \"chnge\" is not one of the values allowed, expected one of \"original\", \"change\", \"caf\xc3\xa9\"; did you mean \"change\"?" },
    { START ",\"purpose\":5}", "purpose: 5 is of the wrong type, expected a string" },
    { START ",\"purpose\":null}", "purpose: null is of the wrong type, expected a string" },
    { START ",\"ordered_on\":\"2026-02-30\"}", "ordered_on: \"2026-02-30\" is not a date, expected a date in a string, such as \"2026-01-15\"" },
    { START ",\"at\":\"1230\"}", "at: \"1230\" is not a time, expected a time in a string, such as \"12:30\"" },
    { START ",\"ship_at\":\"now\"}", "ship_at: \"now\" is not a date with a time, expected a date, perhaps with time and zone, in a string, such as \"2026-01-15T12:30Z\"" },
    { START ",\"test\":\"yes\"}", "test: \"yes\" is of the wrong type, expected true or false" },
    { START ",\"days\":3}", "days: 3 is not one of the values allowed, expected one of 1, 2, 30" },
    { START ",\"days\":1.0}", "days: 1.0 is of the wrong type, expected a whole number" },
    { START ",\"ship_to\":\"x\"}", "ship_to: \"x\" is of the wrong type, expected an object" },
    { START ",\"ship_to\":{\"nam\":\"x\"}}", "ship_to.nam: the record has no field of this name, expected a field of the schema; did you mean \"name\"?" },
    { START ",\"notes\":\"x\"}", "notes: \"x\" is of the wrong type, expected an array" },
    { START ",\"notes\":[\"\xc3\xa9\xc3\xa9\xc3\xa9\",\"\\u00e9\\ud83d\\ude00a\"]}", "" },
    { START ",\"notes\":[\"abcd\"]}", "notes[0]: \"abcd\" is too short or too long, expected at most 3 characters, not 4" },
    { START ",\"notes\":[\"a\",\"b\",\"c\"]}", "notes: has too few or too many items, expected at most 2 items, not 3" },
    { "{\"record\":\"order\",\"version\":1,\"number\":\"\",\"lines\":[]}",
      "number: \"\" is too short or too long, expected at least 1 characters, not 0\n"
      "lines: has too few or too many items, expected at least 1 items, not 0" },
    { "{\"record\":\"order\",\"version\":1,\"number\":\"1\",\"lines\":[{\"quantity\":\"1\"},{\"quantity\":\"ten\"},{\"unit\":\"EA\"},5,"
      "{\"quantity\":\"1\",\"lines\":[{\"quantity\":2}]}]}",
      "lines[1].quantity: \"ten\" is not a decimal, expected a decimal in a string, such as \"12.50\"\n"
      "lines[2].quantity: missing, expected a decimal in a string, such as \"12.50\"\n"
      "lines[3]: 5 is of the wrong type, expected an object\n"
      "lines[4].lines[0].quantity: 2 is of the wrong type, expected a decimal in a string, such as \"12.50\"" },
    { START ",\"names\":{\"x\":\"y\"}}", "names.x: \"y\" is not a decimal, expected a decimal in a string, such as \"12.50\"" },
    { START ",\"names\":{\"x\":\"1\",\"x\":\"2\"}}", "names.x: stands twice in one object, expected it once" },
    { START ",\"anything\":[0,{\"a\":{\"b\":1,\"b\":2}}]}", "anything[1].a.b: stands twice in one object, expected it once" },
    { START ",\"unmapped\":{\"a\":{\"b\":1,\"\\u0062\":2}}}", "unmapped.a.\\u0062: stands twice in one object, expected it once" },
};

static int gather(void *context, const struct record_finding *finding)
{
    struct buf *b = context;
    if (b->n)
        buf_add_char(b, '\n');
    record_finding_text(finding, b);
    assert_true(finding->missing == (finding->code == RECORD_MISSING_FINDING));
    return 0;
}

static void test_checks(void **state)
{
    struct record_kind *kind = small_order();

    (void)state;
    for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        struct json_tape tape;
        struct err err;
        struct buf b;
        unsigned lines = 0;
        int r;
        json_tape_init(&tape, 1 << 20);
        buf_init(&b, 1 << 20);
        assert_int_equal(json_parse(&tape, slice_of(checks[i].record), &err), 0);
        r = record_check(kind, &tape, 0, gather, &b);
        if (strcmp(buf_text(&b), checks[i].findings) != 0)
            fail_msg("%s\n%s", checks[i].record, buf_text(&b));
        for (size_t k = 0; k < b.n; k++)
            lines += b.p[k] == '\n';
        assert_int_equal(r, b.n ? lines + 1 : 0);
        buf_deinit(&b);
        json_tape_deinit(&tape);
    }
    record_kind_free(&kind);
}

static int stop(void *context, const struct record_finding *finding)
{
    (void)finding;
    return *(int *)context;
}

static void test_callback_stops(void **state)
{
    struct record_kind *kind = small_order();
    struct json_tape tape;
    struct err err;
    int answer = -77;

    (void)state;
    json_tape_init(&tape, 1 << 20);
    assert_int_equal(json_parse(&tape, SLICE("{}"), &err), 0);
    assert_int_equal(record_check(kind, &tape, 0, stop, &answer), -77);
    answer = 1;
    assert_int_equal(record_check(kind, &tape, 0, stop, &answer), ERR_STOP);
    json_tape_deinit(&tape);
    record_kind_free(&kind);
}

static void test_check_allocates_nothing(void **state)
{
    struct record_kind *kind = small_order();
    struct failing_malloc_result result;
    struct json_tape tape;
    struct err err;
    int answer = 0;

    (void)state;
    json_tape_init(&tape, 1 << 20);
    for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        assert_int_equal(json_parse(&tape, slice_of(checks[i].record), &err), 0);
        failing_malloc_start(1, FAIL_FROM_THEN_ON);
        record_check(kind, &tape, 0, stop, &answer);
        result = failing_malloc_stop();
        assert_int_equal(result.allocations, 0);
    }
    json_tape_deinit(&tape);
    record_kind_free(&kind);
}

/* --- memory --- */

static int make_kind(void *arg)
{
    struct record_kind *kind;
    struct complaints c;
    int r;

    (void)arg;
    complaints_init(&c);
    r = record_kind_new(&kind, SLICE("x"), slice_of(schema), &c);
    record_kind_free(&kind);
    complaints_deinit(&c);
    return r;
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(make_kind, NULL) >= 4);
}

/* A schema cut anywhere is an error, never a crash. */
static void test_every_truncation(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(schema) - 3; n++) {
        struct record_kind *kind;
        struct complaints c;
        complaints_init(&c);
        assert_int_equal(record_kind_new(&kind, SLICE("x"), slice(schema, n), &c), ERR_CONFIG);
        complaints_deinit(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kind),
        cmocka_unit_test(test_names_that_do_not_exist),
        cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_wrong_schemas),
        cmocka_unit_test(test_all_errors_at_once),
        cmocka_unit_test(test_file_name), cmocka_unit_test(test_references_beside),
        cmocka_unit_test(test_traced_by_many_ways),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_dates_and_times),
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_callback_stops),
        cmocka_unit_test(test_check_allocates_nothing),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_every_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
