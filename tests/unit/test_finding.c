/* finding: the table, what may be allowed, and the words for a person, a program and the acknowledgment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "edi/finding.h"
#include "failing_malloc.h"

/* The example of the manual. */
static struct finding bad_quantity(void)
{
    struct finding f = {
        .code = FINDING_ELEMENT_CHARACTER,
        .severity = SEVERITY_ERROR,
        .place = { .offset = 812, .line = 14, .column = 1, .interchange = 1, .group = 1, .document = 2,
                   .segment = 8, .element = 2 },
        .set = SLICE("850"),
        .control = SLICE("0002"),
        .tag = SLICE("PO1"),
        .loop = SLICE("PO1"),
        .segment = SLICE("PO1*1*ten*EA*9.50"),
        .at = 6,
        .width = 3,
        .element_id = SLICE("330"),
        .element_name = SLICE("Quantity Ordered"),
        .value = SLICE("ten"),
        .found = "is not a number",
        .expected = "R 1/15",
        .terminator = '~',
    };
    return f;
}

static void text_is(const struct finding *f, const char *expected)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    finding_text(f, SLICE("850.edi"), false, &b);
    assert_string_equal(buf_text(&b), expected);
    buf_deinit(&b);
}

static void message_is(const struct finding *f, const char *expected)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    finding_message(f, &b);
    assert_string_equal(buf_text(&b), expected);
    buf_deinit(&b);
}

static void acknowledgment_is(const struct finding *f, const char *expected)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    finding_acknowledgment(f, &b);
    assert_string_equal(buf_text(&b), expected);
    buf_deinit(&b);
}

static void json_is(const struct finding *f, const char *expected)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    finding_json(f, SLICE("850.edi"), &b);
    assert_string_equal(buf_text(&b), expected);
    buf_deinit(&b);
}

static void test_table_is_sound(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FINDING_CODES; i++) {
        const struct finding_row *row = &finding_rows[i];
        assert_true(row->name && *row->name);
        assert_true(row->words && *row->words);
        assert_true(row->severity == SEVERITY_WARNING || row->severity == SEVERITY_ERROR);
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(row->name, finding_rows[k].name);
        for (unsigned k = 0; row->allow && k < FINDING_CODES; k++)
            assert_string_not_equal(row->allow, finding_rows[k].name);
    }
}

static void test_policy(void **state)
{
    struct finding_policy p;

    (void)state;
    finding_policy_init(&p);
    assert_int_equal(p.severity[FINDING_ELEMENT_CHARACTER], SEVERITY_ERROR);
    assert_int_equal(p.severity[FINDING_SET_COUNT], SEVERITY_WARNING);

    /* one name stands for all rows that carry it */
    assert_true(finding_policy_allow(&p, SLICE("over-max")));
    assert_int_equal(p.severity[FINDING_LOOP_OVER_MAX], SEVERITY_WARNING);
    assert_int_equal(p.severity[FINDING_SEGMENT_OVER_MAX], SEVERITY_WARNING);
    assert_int_equal(p.severity[FINDING_SEGMENT_UNKNOWN], SEVERITY_ERROR);

    /* a code stands for itself */
    assert_true(finding_policy_refuse(&p, SLICE("X12-AK3-4")));
    assert_int_equal(p.severity[FINDING_LOOP_OVER_MAX], SEVERITY_ERROR);
    assert_int_equal(p.severity[FINDING_SEGMENT_OVER_MAX], SEVERITY_WARNING);
    assert_true(finding_policy_allow(&p, SLICE("X12-AK3-4")));
    assert_int_equal(p.severity[FINDING_LOOP_OVER_MAX], SEVERITY_WARNING);

    /* what cannot be allowed is not, by no name */
    assert_false(finding_policy_allow(&p, SLICE("X12-AK4-6")));
    assert_int_equal(p.severity[FINDING_ELEMENT_CHARACTER], SEVERITY_ERROR);
    assert_false(finding_policy_allow(&p, SLICE("over-maximum")));
    assert_false(finding_policy_allow(&p, SLICE("")));
    assert_false(finding_policy_refuse(&p, SLICE("")));

    assert_true(finding_policy_refuse(&p, SLICE("all")));
    for (unsigned i = 0; i < FINDING_CODES; i++)
        assert_int_equal(p.severity[i], SEVERITY_ERROR);
}

static void test_text_as_in_the_manual(void **state)
{
    struct finding f = bad_quantity();

    (void)state;
    text_is(&f, "850.edi: document 2 (850, control 0002), segment 8, line 14: PO1*1*ten*EA*9.50~\n"
                "                                                                   ^~~\n"
                "error X12-AK4-6: PO102 Quantity Ordered: \"ten\" is not a number (R 1/15)\n"
                "the 997 will say: AK3*PO1*8*PO1*8  AK4*2*330*6*ten\n");
}

static void test_colour_does_not_move_the_caret(void **state)
{
    struct finding f = bad_quantity();
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 16);
    finding_text(&f, SLICE("850.edi"), true, &b);
    assert_non_null(strstr(buf_text(&b), "9.50~\n                                                       "
                                         "            \033[1;32m^~~\033[0m\n"
                                         "\033[1;31merror X12-AK4-6\033[0m: PO102"));
    buf_deinit(&b);
}

static void test_column_when_all_is_one_line(void **state)
{
    struct finding f = bad_quantity();

    (void)state;
    f.place.line = 1;
    f.place.column = 813;
    f.severity = SEVERITY_WARNING;
    text_is(&f, "850.edi: document 2 (850, control 0002), segment 8, line 1, column 813: PO1*1*ten*EA*9.50~\n"
                "                                                                              ^~~\n"
                "warning X12-AK4-6: PO102 Quantity Ordered: \"ten\" is not a number (R 1/15)\n"
                "the 997 will say: AK3*PO1*8*PO1*8  AK4*2*330*6*ten\n");
}

/* The column, counted in characters, at which `c` first stands in the line of `text` numbered `line` from 0. */
static size_t column_of(const char *text, unsigned line, char c)
{
    size_t column = 0;
    while (line) {
        text = strchr(text, '\n');
        assert_non_null(text);
        text++, line--;
    }
    for (; *text && *text != c; text++) {
        assert_true(*text != '\n');
        column += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return column;
}

static void caret_is_under(const struct finding *f, char c)
{
    struct buf b;
    unsigned line;

    buf_init(&b, 1 << 16);
    finding_text(f, SLICE("850.edi"), false, &b);
    /* a long segment has a line of its own */
    line = strchr(buf_text(&b), '\n')[-1] == ':';
    assert_int_equal(column_of(buf_text(&b), line + 1, '^'), column_of(buf_text(&b), line, c));
    buf_deinit(&b);
}

static void test_caret_with_other_than_ascii(void **state)
{
    struct finding f = bad_quantity();

    (void)state;
    /* two bytes, one column; one byte that is no UTF-8, shown as four; ESC, shown as four */
    f.segment = SLICE("N1*ST*M\xc3\xbcller \xff \033*9?*x");
    f.at = 19;
    f.width = 1;
    assert_int_equal(f.segment.p[f.at], '?');
    caret_is_under(&f, '?');
    /* inside of a character: it falls apart, nothing else does */
    f.at = 8;
    f.width = 1;
    text_is(&f, "850.edi: document 2 (850, control 0002), segment 8, line 14: N1*ST*M\\xc3\\xbcller \\xff \\x1b*9?*x~\n"
                "                                                                        ^~~~\n"
                "error X12-AK4-6: PO102 Quantity Ordered: \"ten\" is not a number (R 1/15)\n"
                "the 997 will say: AK3*PO1*8*PO1*8  AK4*2*330*6*ten\n");
    /* characters as wide as two */
    f.segment = SLICE("N1*ST*\xe6\x97\xa5\xe6\x9c\xac*?");
    f.at = 13;
    text_is(&f, "850.edi: document 2 (850, control 0002), segment 8, line 14: N1*ST*\xe6\x97\xa5\xe6\x9c\xac*?~\n"
                "                                                                        ^\n"
                "error X12-AK4-6: PO102 Quantity Ordered: \"ten\" is not a number (R 1/15)\n"
                "the 997 will say: AK3*PO1*8*PO1*8  AK4*2*330*6*ten\n");
}

static void test_long_segments_are_cut_around_the_caret(void **state)
{
    struct finding f = bad_quantity();
    char text[5001];
    struct buf b;

    (void)state;
    /* every offset, so that every way of cutting a character in two is met */
    for (unsigned at = 0; at < 5000; at += at < 300 || at > 4700 ? 1 : 37) {
        for (unsigned i = 0; i + 1 < 5000; i += 2)
            memcpy(text + i, "\xc3\xbc", 2);
        text[at & ~1u] = '?';
        text[at | 1u] = '!';
        f.segment = slice(text, 5000);
        f.at = at & ~1u;
        f.width = 1;
        caret_is_under(&f, '?');
        buf_init(&b, 1 << 16);
        finding_text(&f, SLICE("850.edi"), false, &b);
        assert_true(strchr(buf_text(&b), '\n') - buf_text(&b) < 320);
        assert_null(strstr(buf_text(&b), "\\x"));
        buf_deinit(&b);
    }
    /* what is marked may itself be long */
    memset(text, 'x', 5000);
    f.at = 10;
    f.width = 4000;
    buf_init(&b, 1 << 16);
    finding_text(&f, SLICE("850.edi"), false, &b);
    assert_int_equal(column_of(buf_text(&b), 2, '^'), 4 + 10);
    assert_true(b.n < 600);
    buf_deinit(&b);
}

static void test_what_is_missing(void **state)
{
    struct finding f = bad_quantity();

    (void)state;
    /* an element: one caret where it should be */
    f.code = FINDING_ELEMENT_MISSING;
    f.tag = SLICE("BEG");
    f.loop = SLICE("");
    f.segment = SLICE("BEG*00*SA**R1*20260115");
    f.at = 10;
    f.width = 0;
    f.place.element = 3;
    f.place.segment = 2;
    f.element_id = SLICE("324");
    f.element_name = SLICE("Purchase Order Number");
    f.value = SLICE("");
    f.found = "missing";
    f.expected = "AN 1/22";
    f.missing = true;
    text_is(&f, "850.edi: document 2 (850, control 0002), segment 2, line 14: BEG*00*SA**R1*20260115~\n"
                "                                                                       ^\n"
                "error X12-AK4-1: BEG03 Purchase Order Number: missing (AN 1/22)\n"
                "the 997 will say: AK3*BEG*2**8  AK4*3*324*1\n");

    /* a segment: no caret */
    f.code = FINDING_SEGMENT_MISSING;
    f.place.element = 0;
    f.tag = SLICE("PO1");
    f.loop = SLICE("PO1");
    f.segment = SLICE("CTT*0");
    f.found = "";
    f.expected = "PO1 before CTT";
    f.at = 0;
    text_is(&f, "850.edi: document 2 (850, control 0002), segment 2, line 14: CTT*0~\n"
                "error X12-AK3-3: PO1 in loop PO1: a mandatory segment is missing (expected PO1 before CTT)\n"
                "the 997 will say: AK3*PO1*2*PO1*3\n");
}

static void test_messages(void **state)
{
    struct finding f = bad_quantity();

    (void)state;
    f.place.component = 2;
    f.place.repetition = 3;
    message_is(&f, "PO102-2 Quantity Ordered, repetition 3: \"ten\" is not a number (R 1/15)");
    acknowledgment_is(&f, "AK3*PO1*8*PO1*8  AK4*2:2:3*330*6*ten");
    f.place.component = 0;
    acknowledgment_is(&f, "AK3*PO1*8*PO1*8  AK4*2::3*330*6*ten");
    f.place.repetition = 0;
    f.expected = "";
    f.found = NULL;
    message_is(&f, "PO102 Quantity Ordered: an element holds a character it may not hold: \"ten\"");
    f.found = "\"ten\" again";
    message_is(&f, "PO102 Quantity Ordered: \"ten\" again");
    f.expected = "R 1/15 or so";
    message_is(&f, "PO102 Quantity Ordered: \"ten\" again (expected R 1/15 or so)");
    f.tag = SLICE("");
    f.place.element = 0;
    f.expected = NULL;
    message_is(&f, "\"ten\" again");
}

static void test_levels_of_the_envelope(void **state)
{
    struct finding f = {
        .code = FINDING_SET_COUNT,
        .severity = SEVERITY_ERROR,
        .place = { .offset = 900, .line = 20, .column = 1, .interchange = 1, .group = 1, .document = 1,
                   .segment = 12, .element = 1 },
        .set = SLICE("850"),
        .control = SLICE("0001"),
        .tag = SLICE("SE"),
        .segment = SLICE("SE*14*0001"),
        .at = 3,
        .width = 2,
        .element_id = SLICE("96"),
        .element_name = SLICE("Number of Included Segments"),
        .value = SLICE("14"),
        .found = "segments are claimed",
        .expected = "12 as counted",
    };

    (void)state;
    text_is(&f, "850.edi: document 1 (850, control 0001), segment 12, line 20: SE*14*0001\n"
                "                                                                 ^~\n"
                "error X12-AK5-4: SE01 Number of Included Segments: \"14\" segments are claimed (expected 12 as counted)\n"
                "the 997 will say: AK5*R*4\n");

    f.code = FINDING_GROUP_COUNT;
    f.place.document = f.place.segment = 0;
    f.control = SLICE("17");
    f.tag = SLICE("GE");
    f.segment = SLICE("GE*2*17");
    f.at = 3;
    f.width = 1;
    f.set = f.value = SLICE("");
    f.element_name = SLICE("");
    f.found = "2 claimed";
    f.expected = "1";
    text_is(&f, "850.edi: interchange 1, group 1 (control 17), line 20: GE*2*17\n"
                "                                                          ^\n"
                "error X12-AK9-5: GE01: 2 claimed (expected 1)\n"
                "the 997 will say: AK9*R*…*…*…*5\n");

    f.code = FINDING_INTERCHANGE_TRAILER;
    f.control = SLICE("000000905");
    f.tag = f.segment = SLICE("");
    f.place.element = 0;
    f.found = f.expected = NULL;
    text_is(&f, "850.edi: interchange 1 (control 000000905), line 20\n"
                "error X12-TA1-023: the file ends before the IEA or UNZ segment\n"
                "the TA1 will say: TA1*000000905*…*…*R*023\n");

    f.code = FINDING_FILE_BOM;
    f.severity = SEVERITY_WARNING;
    f.place = (struct edi_place){ .line = 1, .column = 1 };
    text_is(&f, "850.edi: line 1\nwarning BYTE-ORDER-MARK: a byte order mark before the interchange\n");
    acknowledgment_is(&f, "");
}

static void test_json(void **state)
{
    struct finding f = bad_quantity();

    (void)state;
    json_is(&f, "{\"code\":\"X12-AK4-6\",\"severity\":\"error\",\"file\":\"850.edi\",\"offset\":818,\"line\":14,"
                "\"column\":7,\"interchange\":1,\"group\":1,\"document\":2,\"set\":\"850\",\"control\":\"0002\","
                "\"segment\":8,\"tag\":\"PO1\",\"loop\":\"PO1\",\"element\":2,\"element_id\":\"330\","
                "\"element_name\":\"Quantity Ordered\",\"value\":\"ten\",\"found\":\"is not a number\","
                "\"expected\":\"R 1/15\",\"acknowledgment\":\"AK3*PO1*8*PO1*8  AK4*2*330*6*ten\","
                "\"message\":\"PO102 Quantity Ordered: \\\"ten\\\" is not a number (R 1/15)\"}\n");
    /* a line break inside of the segment */
    f = (struct finding){
        .code = FINDING_FILE_LINE_BREAK,
        .severity = SEVERITY_WARNING,
        .place = { .offset = 100, .line = 3, .column = 5 },
        .segment = SLICE("MSG*a\r\nb\"c"),
        .at = 7,
        .width = 3,
        .value = SLICE("b\"c"),
    };
    json_is(&f, "{\"code\":\"LINE-BREAK-IN-ELEMENT\",\"severity\":\"warning\",\"file\":\"850.edi\",\"offset\":107,"
                "\"line\":4,\"column\":1,\"value\":\"b\\\"c\",\"found\":\"a line break inside an element\","
                "\"allow\":\"stray-blanks\",\"message\":\"a line break inside an element: \\\"b\\\"c\\\"\"}\n");
}

static int write_all_forms(void *arg)
{
    struct finding f = bad_quantity();
    struct buf b;
    int rc;

    (void)arg;
    buf_init(&b, 1 << 16);
    finding_text(&f, SLICE("850.edi"), true, &b);
    finding_json(&f, SLICE("850.edi"), &b);
    rc = b.failed;
    buf_deinit(&b);
    return rc;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(write_all_forms, NULL) > 3);
}

static void test_ceiling(void **state)
{
    struct finding f = bad_quantity();
    struct buf b;

    (void)state;
    for (size_t ceiling = 64; ceiling <= 512; ceiling *= 2) {
        buf_init(&b, ceiling);
        finding_text(&f, SLICE("850.edi"), true, &b);
        assert_true(b.n <= ceiling);
        buf_deinit(&b);
        buf_init(&b, ceiling);
        finding_json(&f, SLICE("850.edi"), &b);
        assert_true(b.n <= ceiling);
        buf_deinit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_sound),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_text_as_in_the_manual),
        cmocka_unit_test(test_colour_does_not_move_the_caret),
        cmocka_unit_test(test_column_when_all_is_one_line),
        cmocka_unit_test(test_caret_with_other_than_ascii),
        cmocka_unit_test(test_long_segments_are_cut_around_the_caret),
        cmocka_unit_test(test_what_is_missing),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_levels_of_the_envelope),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
