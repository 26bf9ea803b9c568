/*
 * CONTRL: what it says of every finding there is in EDIFACT, at which place, in all three versions; its envelopes;
 * what is not answered. Every answer is read again and must be without a finding.
 */
#include "edi/acknowledge.h"
#include "edi/contrl.h"
#include "edi/dialect.h"
#include "failing_malloc.h"
#include "reading.h"

static int read_text(struct slice text, const struct edi_sink *sink, const char *refuse, struct err *err)
{
    static const struct edi_parties us = { { "14", 2 }, { "A", 1 }, { "14", 2 }, { "B", 1 }, &dialect_edifact };
    struct edi_reader_options options = { .guides = NULL };

    finding_policy_init(&options.policy);
    if (refuse && strcmp(refuse, "between") == 0) {
        options.between = &us;
        options.n_between = 1;
    } else if (refuse) {
        assert_true(finding_policy_refuse(&options.policy, slice_of(refuse)));
    }
    return read_with(&options, text, sink, err);
}

static struct acknowledge_options defaults(void)
{
    return (struct acknowledge_options){ .at = { 2026, 11, 21, 18, 30, 5 }, .control = 71 };
}

/* The answer to a text; `seen` (may be NULL) gets what was found in it. */
static void answers_with(const struct acknowledge_options *how, const char *refuse, const char *text, size_t n,
                         const char *expected, struct findings *seen)
{
    struct acknowledge_options options = *how;
    struct edi_sink sink = { .ctx = seen, .finding = on_finding };
    struct acknowledge *a = NULL;
    struct err err = { 0 };
    struct slice out;

    if (seen)
        options.next = &sink;
    assert_int_equal(acknowledge_new(&options, &a, &err), 0);
    if (read_text(slice(text, n), acknowledge_sink(a), refuse, &err))
        fail_msg("%s", err.text);
    if (acknowledge_finish(a, &err))
        fail_msg("%s", err.text);
    out = acknowledge_output(a);
    if (getenv("SHOW"))
        printf("%.*s\n", SLICE_FMT(out));
    else if (!slice_is(out, expected))
        fail_msg("%s\nis answered with\n%.*s\nnot with\n%s", text, SLICE_FMT(out), expected);
    if (out.n)
        is_clean(out);
    acknowledge_free(&a);
    assert_null(a);
}

static void answers(const char *text, const char *expected)
{
    struct acknowledge_options options = defaults();
    answers_with(&options, NULL, text, strlen(text), expected, NULL);
}

#define UNB  "UNB+UNOC:3+A:14+B:14+261120:0905+42'"
#define UNB4 "UNB+UNOC:4+A:14+B:14+20261120:0905+42'"
#define ORDER(reference)                                                                                               \
    "UNH+" reference "+ORDERS:D:96A:UN'BGM+220+4711+9'DTM+137:20261126:102'LIN+1++4000862141404:EN'QTY+21:10'UNS+S'"   \
    "UNT+7+" reference "'"
#define HEAD    "UNA:+.? 'UNB+UNOC:3+B:14+A:14+261121:1830+71'UNH+1+CONTRL:D:3:UN'UCI+42+A:14+B:14"
#define HEAD4   "UNA:+.?*'UNB+UNOC:4+B:14+A:14+20261121:1830+71'UNH+1+CONTRL:4:1:UN'UCI+42+A:14+B:14"
#define TAIL(n) "UNT+" n "+1'UNZ+1+71'"
#define TYPE    "ORDERS:D:96A:UN"

/* --- Envelopes --- */

static void test_accepted(void **state)
{
    (void)state;
    answers(UNB ORDER("1") ORDER("2") "UNZ+2+42'", HEAD "+7'" TAIL("3"));
}

static void test_versions(void **state)
{
    struct acknowledge_options options = defaults();
    const char *text = UNB ORDER("1") "UNZ+2+42'", *text_4 = UNB4 ORDER("1") "UNZ+2+42'";

    (void)state;
    answers(text, HEAD "+7+29+UNZ+2'" TAIL("3"));
    answers(text_4, HEAD4 "+7+29+UNZ+2'" TAIL("3"));
    options.contrl_2_2 = true;
    answers_with(
        &options, NULL, text, strlen(text),
        "UNA:+.? 'UNB+UNOC:3+B:14+A:14+261121:1830+71'UNH+1+CONTRL:2:2:UN'UCI+42+A:14+B:14+7+29+UNZ+2'" TAIL("3"),
        NULL);
    answers_with(&options, NULL, text_4, strlen(text_4), HEAD4 "+7+29+UNZ+2'" TAIL("3"), NULL);
}

/* --- Every finding --- */

/* What is wrong, and the segments between UCI's parties and UNT. A text that begins with 4: is of syntax version 4. */
static const struct {
    enum finding_code code;
    const char *text;
    const char *said;
    const char *refuse;
} cases[] = {
#define BODY(body, n)  UNB "UNH+1+" TYPE "'" body "UNT+" n "+1'UNZ+1+42'"
#define BODY4(body, n) UNB4 "UNH+1+" TYPE "'" body "UNT+" n "+1'UNZ+1+42'"
#define BGM            "BGM+220+4711+9'DTM+137:20261126:102'"
#define LIN            "LIN+1++4000862141404:EN'QTY+21:10'UNS+S'"
#define UCM            "+7'UCM+1+" TYPE "+4"
    { FINDING_ELEMENT_MISSING, BODY(BGM "LIN+1'QTY+:10'UNS+S'", "7"), UCM "'UCS+5'UCD+13+2:1'", NULL },
    { FINDING_ELEMENT_TOO_MANY, BODY("BGM+220+4711+9+AB+X'DTM+137:20261126:102'" LIN, "7"), UCM "'UCS+2'UCD+16+6'",
      NULL },
    { FINDING_ELEMENT_SHORT, UNB "UNH+1+ORDERS:D:01B:UN'" BGM "LIN+1'QTY+21:10'DGS+ADR++12'UNS+S'UNT+8+1'UNZ+1+42'",
      "+7'UCM+1+ORDERS:D:01B:UN+4'UCS+6'UCD+40+4:1'", NULL },
    { FINDING_ELEMENT_LONG, BODY("BGM+220+4711901234567890123456789012345678901+9'DTM+137:20261126:102'" LIN, "7"),
      UCM "'UCS+2'UCD+39+3'", NULL },
    { FINDING_ELEMENT_CHARACTER, BODY(BGM "LIN+1++4000862141404:EN'QTY+21:ten'UNS+S'", "7"), UCM "'UCS+5'UCD+37+2:2'",
      NULL },
    { FINDING_ELEMENT_CODE, BODY(BGM "LIN+1++4000862141404:EN'QTY+XYZ:10'UNS+S'", "7"), UCM "'UCS+5'UCD+12+2:1'",
      NULL },
    { FINDING_ELEMENT_REPEATS, BODY4("BGM+220+4711*4712+9'DTM+137:20261126:102'" LIN, "7"), UCM "'UCS+2'UCD+35+3::2'",
      NULL },
    { FINDING_ELEMENT_COMPONENTS, BODY(BGM "LIN+1'QTY+21:10:PCE:X'UNS+S'", "7"), UCM "'UCS+5'UCD+16+2:4'", NULL },
    { FINDING_ELEMENT_CHARSET,
      "UNB+UNOA:3+A:14+B:14+261120:0905+42'UNH+1+" TYPE "'BGM+220+A\2B+9'DTM+137:20261126:102'" LIN "UNT+7+1'UNZ+1+42'",
      "+7'UCM+1+" TYPE "+7'UCS+2'UCD+21+3'", NULL },
    { FINDING_ELEMENT_DATE, BODY("BGM+220+4711+9'DTM+137:20261326:102'" LIN, "7"), UCM "'UCS+3'UCD+12+2:2'", NULL },
    { FINDING_ELEMENT_DATE_FORM, BODY("BGM+220+4711+9'DTM+137:20261126:203'" LIN, "7"),
      "+7'UCM+1+" TYPE "+7'UCS+3'UCD+12+2:2'", NULL },
    { FINDING_DECIMAL_MARK, BODY(BGM "LIN+1'QTY+21:1,5'UNS+S'", "7"), "+7'UCM+1+" TYPE "+7'UCS+5'UCD+19+2:2'", NULL },
    { FINDING_ELEMENT_TRAILING, BODY("BGM+220+4711+9+'DTM+137:20261126:102'" LIN, "7"), "+7'", NULL },
    { FINDING_ELEMENT_TRAILING, BODY4("BGM+220+4711+9+'DTM+137:20261126:102'" LIN, "7"),
      "+7'UCM+1+" TYPE "+7'UCS+2+45'", NULL },
    { FINDING_SEGMENT_UNKNOWN, BODY(BGM "XYZ+1'" LIN, "8"), UCM "'UCS+4+15'", NULL },
    { FINDING_SEGMENT_NOT_IN_SET, BODY(BGM "CPS+1'" LIN, "8"), UCM "'UCS+4+15'", NULL },
    { FINDING_SEGMENT_SEQUENCE, BODY(BGM LIN "CUX+2:EUR:9'", "8"), UCM "'UCS+7+15'", NULL },
    { FINDING_SEGMENT_MISSING, BODY("DTM+137:20261126:102'" LIN, "6"), UCM "'UCS+1+13'", NULL },
    { FINDING_SEGMENT_MISSING, BODY(BGM "LIN+1'QTY+21:10'", "6"), UCM "'UCS+5+13'", NULL },
    { FINDING_SEGMENT_OVER_MAX, BODY("BGM+220+4711+9'" BGM LIN, "8"), UCM "'UCS+3+35'", NULL },
    { FINDING_SET_UNSUPPORTED, UNB "UNH+1+ABCDEF:D:96A:UN'UNT+2+1'UNZ+1+42'", "+7'UCM+1+ABCDEF:D:96A:UN+4+14+UNH+3:1'",
      NULL },
    { FINDING_SET_ID, UNB "UNH+1+ABC:D:96A:UN'UNT+2+1'UNZ+1+42'", "+7'UCM+1+ABC:D:96A:UN+4+12+UNH+3:1'", NULL },
    { FINDING_SET_NUMBER, UNB4 "UNH++" TYPE "'" BGM LIN "UNT+7'UNZ+1+42'", "+7'UCM++" TYPE "+4+13+UNH+2'", NULL },
    { FINDING_SET_NUMBER, UNB "UNH++" TYPE "'" BGM LIN "UNT+7'UNZ+1+42'", "+7'UCM+0+" TYPE "+4+13+UNH+2'", NULL },
    { FINDING_SET_TRAILER, UNB "UNH+1+" TYPE "'" BGM LIN "UNZ+1+42'", UCM "+13+UNT'", NULL },
    { FINDING_SET_COUNT, BODY(BGM LIN, "8"), "+7'UCM+1+" TYPE "+7+29+UNT+2'", NULL },
    { FINDING_SET_COUNT, BODY(BGM LIN, "8"), UCM "+29+UNT+2'", "wrong-counts" },
    { FINDING_SET_CONTROL, UNB "UNH+1+" TYPE "'" BGM LIN "UNT+7+2'UNZ+1+42'", "+7'UCM+1+" TYPE "+7+28+UNT+3'", NULL },
    { FINDING_SET_DUPLICATE, UNB ORDER("1") ORDER("1") "UNZ+2+42'", "+7'UCM+1+" TYPE "+7+26+UNH+2'", NULL },
    { FINDING_INTERCHANGE_TRAILER, UNB ORDER("1"), "+7+13+UNZ'", NULL },
    { FINDING_INTERCHANGE_CONTROL, UNB ORDER("1") "UNZ+1+43'", "+7+28+UNZ+3'", NULL },
    { FINDING_INTERCHANGE_COUNT, UNB ORDER("1") "UNZ+3+42'", "+7+29+UNZ+2'", NULL },
    { FINDING_INTERCHANGE_COUNT, UNB ORDER("1") "UNZ+3+42'", "+7+29+UNZ+2'", "wrong-counts" },
    { FINDING_INTERCHANGE_SENDER, "UNB+UNOC:3+C:14+B:14+261120:0905+42'" ORDER("1") "UNZ+1+42'", "+4+23+UNB+3:1'",
      "between" },
    { FINDING_INTERCHANGE_RECEIVER, "UNB+UNOC:3+A:14+C:14+261120:0905+42'" ORDER("1") "UNZ+1+42'", "+4+7+UNB+4:1'",
      "between" },
    { FINDING_INTERCHANGE_CONTENT, "UNB+UNOC:3+A:14+B:14+261120:09051+42'" ORDER("1") "UNZ+1+42'", "+7+39+UNB+5:2'",
      NULL },
    { FINDING_INTERCHANGE_CONTENT, "UNB+UNOC:3+A:14+B:14++42'" ORDER("1") "UNZ+1+42'", "+7+13+UNB+5'", NULL },
    { FINDING_INTERCHANGE_STRUCTURE, UNB "FTX+AAI'" ORDER("1") "UNZ+1+42'", "+7+33'", NULL },
    { FINDING_INTERCHANGE_STRUCTURE, UNB "UNT+1+1'UNZ+0+42'", "+4+33'", NULL },
    { FINDING_UNA, "UNA:+.?'" UNB ORDER("1") "UNZ+1+42'", "+7+22+UNA'", NULL },
    { FINDING_SYNTAX_VERSION, "UNB+UNOC:7+A:14+B:14+261120:0905+42'" ORDER("1") "UNZ+1+42'", "+7+2+UNB+2:2'", NULL },
    { FINDING_CHARSET_UNKNOWN, "UNB+IATB:1+A:14+B:14+261120:0905+42'" ORDER("1") "UNZ+1+42'", "+7+2+UNB+2:1'", NULL },
    { FINDING_CHARSET_UNKNOWN, "UNB+IATB:4+A:14+B:14+20261120:0905+42'" ORDER("1") "UNZ+1+42'", "+7+46+UNB+2:1'",
      NULL },
    { FINDING_CHARSET_OTHER, BODY("BGM+220+4711+9'DTM+137:20261126:102'FTX+AAI+++M\xc3\xbcller'" LIN, "8"), "+7+21'",
      NULL },
    { FINDING_TAG_CASE, BODY("bgm+220+4711+9'DTM+137:20261126:102'" LIN, "7"), "+7'UCM+1+" TYPE "+7'UCS+2+21'", NULL },
    { FINDING_TAG_NESTING, BODY("BGM+220+4711+9'DTM:1+137:20261126:102'" LIN, "7"), "+7'UCM+1+" TYPE "+7'UCS+3+34'",
      NULL },
    { FINDING_BINARY_LENGTH, UNB4 "UNO+1+X:1+:::+x:0'UNP+0+1'UNZ+1+42'", "+4+29'", NULL },
#define UNG "UNG+ORDERS+A:14+B:14+261120:0905+8+UN+D:96A'"
#define UCF "+7'UCF+8+A:14+B:14+7"
    { FINDING_SET_GROUP, UNB "UNG+DESADV+A:14+B:14+261120:0905+8+UN+D:96A'" ORDER("1") "UNE+1+8'UNZ+1+42'",
      UCF "'UCM+1+" TYPE "+7+31+UNH+3:1'", NULL },
    { FINDING_SET_OUTSIDE, UNB UNG ORDER("1") "UNE+1+8'" ORDER("2") "UNZ+1+42'", "+7'UCM+2+" TYPE "+7+30+UNH'", NULL },
    { FINDING_GROUP_TRAILER, UNB UNG ORDER("1") "UNZ+1+42'", UCF "+13+UNE'", NULL },
    { FINDING_GROUP_CONTROL, UNB UNG ORDER("1") "UNE+1+9'UNZ+1+42'", UCF "+28+UNE+3'", NULL },
    { FINDING_GROUP_COUNT, UNB UNG ORDER("1") "UNE+2+8'UNZ+1+42'", UCF "+29+UNE+2'", NULL },
    { FINDING_GROUP_DUPLICATE, UNB UNG ORDER("1") "UNE+1+8'" UNG ORDER("1") "UNE+1+8'UNZ+2+42'", UCF "+26+UNG+6'",
      NULL },
    { FINDING_GROUP_SYNTAX, UNB "UNG+ORDERS+A:14+B:14+261120:09055+8+UN+D:96A'" ORDER("1") "UNE+1+8'UNZ+1+42'",
      UCF "+39+UNG+5:2'", NULL },
};

/* Those that no text of EDIFACT provokes: of partners' guides, of maps, of X12, or of what cannot be answered. */
static bool comes_otherwise(enum finding_code code)
{
    switch (code) {
    case FINDING_ELEMENT_CONDITION:
    case FINDING_ELEMENT_EXCLUSION:
    case FINDING_ELEMENT_NOT_USED:
    case FINDING_SEGMENT_NOT_USED:
    case FINDING_SEGMENT_UNEXPECTED:
    case FINDING_LOOP_OVER_MAX:
    case FINDING_NODE_TWICE:
    case FINDING_NODE_PARENT:
    case FINDING_ELEMENT_TIME:
    case FINDING_GROUP_OUTSIDE:
    case FINDING_INTERCHANGE_DUPLICATE:
    case FINDING_INTERCHANGE_ELEMENT_SEPARATOR:
    case FINDING_INTERCHANGE_COMPONENT_SEPARATOR: return true;
    default: return false;
    }
}

static void test_every_finding(void **state)
{
    struct acknowledge_options options = defaults();
    bool seen[FINDING_CODES] = { false };
    unsigned failed = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *text = cases[i].text;
        struct findings found = { .n = 0 };
        struct slice out;
        struct acknowledge *a = NULL;
        struct edi_sink sink = { .ctx = &found, .finding = on_finding };
        struct err err = { 0 };
        const char *from, *to;

        buf_init(&found.text, 1 << 20);
        options.next = &sink;
        assert_int_equal(acknowledge_new(&options, &a, &err), 0);
        assert_int_equal(read_text(slice_of(text), acknowledge_sink(a), cases[i].refuse, &err), 0);
        if (acknowledge_finish(a, &err))
            fail_msg("%s: %s", text, err.text);
        out = acknowledge_output(a);
        from = memmem(out.p, out.n, "UCI+42+", 7);
        from = from ? memchr(from + 10, '+', 40) : NULL;
        from = from ? memchr(from + 1, '+', 40) : NULL;
        to = out.p + out.n;
        while (to > out.p + 5 && memcmp(to - 5, "'UNT+", 5) != 0)
            to--;
        to -= 4;
        if (!from || !slice_is(slice(from, (size_t)(to - from)), cases[i].said) || !found.seen[cases[i].code])
            failed++, print_error("%s\nis answered with\n%.*s\nnot with\n%s\n%s\n", text, SLICE_FMT(out), cases[i].said,
                                  buf_text(&found.text));
        is_clean(out);
        seen[cases[i].code] = true;
        acknowledge_free(&a);
        buf_deinit(&found.text);
    }
    assert_int_equal(failed, 0);
    for (unsigned code = 0; code < FINDING_CODES; code++)
        if (finding_rows[code].contrl && !seen[code] && !comes_otherwise(code))
            fail_msg("%s: no case", finding_name(code, &dialect_edifact));
}

/* Those, as they would come. */
static void test_other_findings(void **state)
{
    static const struct {
        enum finding_code code;
        unsigned element;
        const char *tag, *before_4, *from_4;
        enum finding_level level;
    } others[] = {
        { FINDING_ELEMENT_CONDITION, 2, "BGM", "13", "48", LEVEL_ELEMENT },
        { FINDING_ELEMENT_EXCLUSION, 2, "BGM", "15", "48", LEVEL_ELEMENT },
        { FINDING_ELEMENT_NOT_USED, 2, "BGM", "15", "15", LEVEL_ELEMENT },
        { FINDING_ELEMENT_REPEATS, 2, "BGM", "16", "35", LEVEL_ELEMENT },
        { FINDING_ELEMENT_TIME, 2, "BGM", "12", "12", LEVEL_ELEMENT },
        { FINDING_NODE_TWICE, 1, "CPS", "12", "12", LEVEL_ELEMENT },
        { FINDING_NODE_PARENT, 0, "UNT", "12", "12", LEVEL_DOCUMENT },
        { FINDING_ELEMENT_LONG, 1, "UNT", "39", "39", LEVEL_DOCUMENT },
        { FINDING_SEGMENT_NOT_USED, 0, "BGM", "15", "15", LEVEL_SEGMENT },
        { FINDING_SEGMENT_UNEXPECTED, 0, "BGM", "15", "15", LEVEL_SEGMENT },
        { FINDING_LOOP_OVER_MAX, 0, "NAD", "36", "36", LEVEL_SEGMENT },
        { FINDING_MAP_VALUE, 2, "BGM", NULL, NULL, LEVEL_ELEMENT },
        { FINDING_SEGMENT_COUNT, 0, "CNT", NULL, NULL, LEVEL_SEGMENT },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct finding f = { .code = others[i].code, .tag = slice_of(others[i].tag) };
        struct contrl_note n;

        f.place = (struct edi_place){ .interchange = 1, .document = 1, .segment = 7, .element = others[i].element };
        for (unsigned version_4 = 0; version_4 < 2; version_4++) {
            const char *code = version_4 ? others[i].from_4 : others[i].before_4;
            assert_int_equal(contrl_note(&f, version_4, &n), code != NULL);
            if (!code)
                continue;
            assert_string_equal(n.code, code);
            assert_int_equal(n.level, others[i].level);
            assert_int_equal(n.segment, 7);
            assert_int_equal(n.element, others[i].element && n.level != LEVEL_SEGMENT ? others[i].element + 1 : 0);
            assert_int_equal(n.service.n, others[i].level == LEVEL_DOCUMENT && others[i].element ? 3 : 0);
        }
    }
}

/* The same number twice in a file: each is answered, the second with what is odd about it. */
static void test_duplicate(void **state)
{
    (void)state;
    answers(UNB ORDER("1") "UNZ+1+42'" UNB ORDER("1") "UNZ+1+42'",
            HEAD "+7'" TAIL("3") "UNA:+.? 'UNB+UNOC:3+B:14+A:14+261121:1830+72'UNH+1+CONTRL:D:3:UN'"
                                 "UCI+42+A:14+B:14+7+26+UNB+6'UNT+3+1'UNZ+1+72'");
}

/* --- What is copied, and what is not answered --- */

static void test_parties_and_test_indicator(void **state)
{
    (void)state;
    answers(
        "UNA:+,? 'UNB+UNOA:2+A:14:BACK+B:14:IN+261120:0905+42+PASS+ORDERS+A+1+AGREED+1'" ORDER("1") "UNZ+1+42'",
        "UNA:+,? 'UNB+UNOA:2+B:14+A:14:BACK+261121:1830+71++++++1'UNH+1+CONTRL:D:3:UN'UCI+42+A:14:BACK+B:14:IN+7'" TAIL(
            "3"));
    /* no qualifiers */
    answers("UNB+UNOC:3+A+B+261120:0905+42'" ORDER("1") "UNZ+1+42'",
            "UNA:+.? 'UNB+UNOC:3+B+A+261121:1830+71'UNH+1+CONTRL:D:3:UN'UCI+42+A+B+7'" TAIL("3"));
}

/* Separators of its own, release characters and another character set come back as they were. */
static void test_text_comes_back(void **state)
{
    (void)state;
    answers("UNA|*.! ~UNB*UNOC|3*A!*B|14*M\xfcller!!*261120|0905*4!|2~UNH*1!~*ORDERS|D|96A|UN~UNT*2*1!~~UNZ*1*4!|2~",
            "UNA|*.! ~UNB*UNOC|3*M\xfcller!!*A!*B|14*261121|1830*71~UNH*1*CONTRL|D|3|UN~UCI*4!|2*A!*B|14*M\xfcller!!*7~"
            "UCM*1!~*ORDERS|D|96A|UN*4~UCS*1*13~UCS*1*13~UCS*1*13~UNT*7*1~UNZ*1*71~");
    /* a line break is no terminator */
    answers("UNA:+.? \nUNB+UNOC:3+A+B+261120:0905+4\nUNZ+0+4\n",
            "UNA:+.? 'UNB+UNOC:3+B+A+261121:1830+71'UNH+1+CONTRL:D:3:UN'UCI+4+A+B+7+22+UNA'" TAIL("3"));
    /* a repetition separator is released in version 4 only */
    answers("UNB+UNOC:4+A*?*B:14+B+20261120:0905+4'UNZ+0+4'",
            "UNA:+.?*'UNB+UNOC:4+B+A+20261121:1830+71'UNH+1+CONTRL:4:1:UN'UCI+4+A+B+7+35+UNB+3::2'" TAIL("3"));
    answers("UNB+UNOC:3+A*B:14+B+261120:0905+4'" ORDER("1") "UNZ+1+4'",
            "UNA:+.? 'UNB+UNOC:3+B+A*B:14+261121:1830+71'UNH+1+CONTRL:D:3:UN'UCI+4+A*B:14+B+7'" TAIL("3"));
    /* small letters where UNOA has none, and another set's */
    answers("UNB+UNOA:1+a:14+B:14+261120:0905+x'" ORDER("1") "UNZ+1+x'",
            "UNA:+.? 'UNB+UNOB:1+B:14+a:14+261121:1830+71'UNH+1+CONTRL:D:3:UN'UCI+x+a:14+B:14+7'" TAIL("3"));
    answers("UNB+UNOY:4+\xc5\x81:14+B:14+20261120:0905+1'" ORDER("1") "UNZ+1+1'",
            "UNA:+.?*'UNB+UNOY:4+B:14+\xc5\x81:14+20261121:1830+71'UNH+1+CONTRL:4:1:UN'UCI+1+\xc5\x81:14+B:14+7'" TAIL(
                "3"));
}

/* Places count what is written: released characters, groups, composites, repetitions. */
static void test_places(void **state)
{
    (void)state;
    answers(UNB "UNH+1+" TYPE "'" BGM
                "FTX+AAI+++?+?':B:C'NAD+BY+X?+Y:1?:60::9'LIN+1++4:EN'QTY+21:?+'UNS+S'UNT+9+1'UNZ+1+42'",
            HEAD "+7'UCM+1+" TYPE "+4'UCS+5'UCD+39+3:2'UCD+16+3:4'UCS+7'UCD+37+2:2'" TAIL("9"));
    answers(UNB "UNG+ORDERS+S:ZZZ+R:ZZZ+261120:0905+8+UN+D:96A'" ORDER(
                "1") "UNH+2+" TYPE "'" BGM
                     "LIN+1'QTY+21:ten'UNS+S'UNT+7+2'UNE+2+8'UNG+ORDERS+S+R+261120:0905+9+UN+D:96A'" ORDER(
                         "1") "UNE+1+9'UNZ+2+42'",
            HEAD "+7'UCF+8+S:ZZZ+R:ZZZ+7'UCM+2+" TYPE "+4'UCS+5'UCD+37+2:2'" TAIL("7"));
    answers(UNB4 "UNH+1+" TYPE "'" BGM "LIN+1'QTY+21:10*21:20:XYZ'UNS+S'UNT+7+1'UNZ+1+42'",
            HEAD4 "+7'UCM+1+" TYPE "+4'UCS+5'UCD+35+2::2'" TAIL("6"));
}

static void test_contrl_is_not_answered(void **state)
{
    (void)state;
    answers(UNB "UNH+1+CONTRL:D:3:UN'UCI+1+B+A+99+77'UNT+3+1'UNZ+2+42'", "");
    answers(UNB "UNH+1+CONTRL:D:3:UN'UCI+1+B+A+99+77'UNT+3+1'" ORDER("2") "UNZ+2+42'", HEAD "+7'" TAIL("3"));
    answers(UNB "UNZ+0+42'", HEAD "+7'" TAIL("3"));
}

static void is_unanswered(const char *text, const char *words)
{
    struct acknowledge_options options = defaults();
    struct acknowledge *a = NULL;
    struct err err = { 0 };

    assert_int_equal(acknowledge_new(&options, &a, &err), 0);
    assert_int_equal(read_text(slice_of(text), acknowledge_sink(a), NULL, &err), 0);
    assert_int_equal(acknowledge_finish(a, &err), ERR_DATA);
    assert_string_equal(err.text, words);
    assert_int_equal(acknowledge_output(a).n, 0);
    assert_int_equal(acknowledge_totals(a)->unanswered, 1);
    acknowledge_free(&a);
}

static void test_what_cannot_be_answered(void **state)
{
    (void)state;
    is_unanswered(ORDER("1"), "interchange cannot be answered: it has no UNB");
    is_unanswered("UNG+ORDERS+S+R+261120:0905+9+UN+D:96A'" ORDER("1") "UNE+1+9'",
                  "interchange cannot be answered: it has no UNB");
    is_unanswered("UNB+UNOC:3+A+B+261120:0905'" ORDER("1") "UNZ+1'",
                  "interchange cannot be answered: it has no reference in UNB05, which a CONTRL would name");
    is_unanswered("UNB+UNOC:3+A++261120:0905+42'" ORDER("1") "UNZ+1+42'",
                  "interchange 42 cannot be answered: its UNB does not say who sent it to whom");
}

/* Of a message's type all is copied that the version has a place for. */
static void test_types(void **state)
{
    (void)state;
    answers(UNB4 "UNH+1+ORDERS:D:01B:UN:EAN010:1:2'BGM+220+1+9'UNT+3+1'UNZ+1+42'",
            HEAD4 "+7'UCM+1+ORDERS:D:01B:UN:EAN010:1:2+4'UCS+2+13'UCS+2+13'" TAIL("6"));
    answers(UNB "UNG+ORDERS+S+R+261120:0905+8+UN+D:96A:EAN008'UNH+1+ORDERS'BGM+220+1+9'UNT+3+1'UNE+1+8'UNZ+1+42'",
            HEAD "+7'UCF+8+S+R+7'UCM+1+ORDERS:D:96A:UN+4+13+UNH+3:2'UCS+2+13'UCS+2+13'" TAIL("7"));
}

/* What names no version, no agency, no reference is answered all the same. */
static void test_headers_with_holes(void **state)
{
    (void)state;
    answers(UNB "UNH+1+ORDERS'UNT+2+1'UNH+2+" TYPE "+++'UNT+2+2'UNZ+2+42'",
            HEAD "+7'UCM+1+ORDERS:0:0:UN+4+13+UNH+3:2'UCS+1+13'UCS+1+13'UCS+1+13'UCM+2+" TYPE
                 "+4'UCS+1+13'UCS+1+13'UCS+1+13'" TAIL("11"));
}

#define ISA "ISA*00*          *00*          *01*123456789      *ZZ*ACMECORP       *260115*0905*U*00401*000000042*0*P*>~"
#define GROUP                                                                                                          \
    "GS*PO*NORTH*ACME*20260115*0905*7*X*004010~ST*850*0001~BEG*00*SA*4711**20260115~PO1*1*5*EA*9.5~CTT*1~SE*5*0001~"   \
    "GE*1*7~"
#define OURS                                                                                                           \
    "ISA*00*          *00*          *ZZ*ACMECORP       *01*123456789      *261121*1830*U*00401*0000000%s*0*P*>~"       \
    "GS*FA*ACME*NORTH*20261121*183005*71*X*004010~ST*997*0001~AK1*PO*7~AK2*850*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~GE*1*" \
    "71~"                                                                                                              \
    "IEA*1*0000000%s~"

/* Interchanges of both kinds in one file; or of one kind only. */
static void test_both_kinds(void **state)
{
    const char *text = UNB ORDER("1") "UNZ+1+42'" ISA GROUP
                                      "IEA*1*000000042~UNB+UNOC:3+A:14+B:14+261120:0905+43'" ORDER("1") "UNZ+1+43'";
    struct acknowledge_options options = defaults();
    char expected[1200], x12[600];

    (void)state;
    snprintf(x12, sizeof(x12), OURS, "72", "72");
    snprintf(expected, sizeof(expected),
             HEAD "+7'" TAIL(
                 "3") "%s"
                      "UNA:+.? "
                      "'UNB+UNOC:3+B:14+A:14+261121:1830+73'UNH+1+CONTRL:D:3:UN'UCI+43+A:14+B:14+7'UNT+3+1'UNZ+1+73'",
             x12);
    answers(text, expected);
    options.only = &dialect_x12;
    snprintf(x12, sizeof(x12), OURS, "71", "71");
    answers_with(&options, NULL, text, strlen(text), x12, NULL);
    options.only = &dialect_edifact;
    snprintf(expected, sizeof(expected),
             HEAD "+7'" TAIL(
                 "3") "UNA:+.? "
                      "'UNB+UNOC:3+B:14+A:14+261121:1830+72'UNH+1+CONTRL:D:3:UN'UCI+43+A:14+B:14+7'UNT+3+1'UNZ+1+72'");
    answers_with(&options, NULL, text, strlen(text), expected, NULL);
}

/* More errors than a CONTRL has room for: 999 segments of a message, 99 elements of a segment. */
static void test_ceilings(void **state)
{
    struct acknowledge_options options = defaults();
    struct acknowledge *a = NULL;
    struct err err = { 0 };
    struct buf text;
    struct slice out;
    unsigned segments = 0;

    (void)state;
    buf_init(&text, 1 << 20);
    buf_add_text(&text, UNB "UNH+1+" TYPE "'" BGM);
    for (unsigned i = 0; i < 1500; i++)
        buf_add_text(&text, "LIN+1'QTY+21:ten'");
    buf_add_text(&text, "UNS+S'UNT+3005+1'UNZ+1+42'");
    assert_int_equal(acknowledge_new(&options, &a, &err), 0);
    assert_int_equal(read_text(buf_slice(&text), acknowledge_sink(a), NULL, &err), 0);
    assert_int_equal(acknowledge_finish(a, &err), 0);
    out = acknowledge_output(a);
    for (const char *p = out.p; (p = memmem(p, (size_t)(out.p + out.n - p), "UCS+", 4)) != NULL; p++)
        segments++;
    assert_int_equal(segments, 999);
    is_clean(out);
    acknowledge_free(&a);
    buf_deinit(&text);
}

static int attempt(void *arg)
{
    static const char text[] =
        UNB "UNG+ORDERS+S+R+261120:0905+8+UN+D:96A'" ORDER("1") "UNH+2+" TYPE "'" BGM
                                                                "LIN+1'QTY+21:ten'UNS+S'UNT+9+2'UNE+2+8'UNZ+1+42'" UNB4
                                                                "UNH+1+ABCDEF:D:96A:UN'UNT+2+1'UNZ+1+42'";
    struct acknowledge_options options = defaults();
    struct acknowledge *a = NULL;
    struct err err = { 0 };
    int code = acknowledge_new(&options, &a, &err), finished;

    (void)arg;
    if (!code) {
        code = read_text(slice_of(text), acknowledge_sink(a), NULL, &err);
        finished = acknowledge_finish(a, &err);
        code = code ? code : finished;
    }
    acknowledge_free(&a);
    return code;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(attempt(NULL), 0); /* the guides are read */
    fail_each_allocation(attempt, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_every_finding),
        cmocka_unit_test(test_other_findings),
        cmocka_unit_test(test_duplicate),
        cmocka_unit_test(test_parties_and_test_indicator),
        cmocka_unit_test(test_text_comes_back),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_contrl_is_not_answered),
        cmocka_unit_test(test_what_cannot_be_answered),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_headers_with_holes),
        cmocka_unit_test(test_both_kinds),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
