/*
 * acknowledge: what the 997 says of every kind of fault, the envelopes it comes in, and TA1s. Most cases go through
 * the reader, and each answer is read again and must be without a finding. What the reader does not make with our
 * guides is handed to the sink as it would be.
 */
#include "edi/acknowledge.h"
#include "edi/dialect.h"
#include "failing_malloc.h"
#include "reading.h"

/* Reads a text with a sink. */
static int read_text(struct slice text, const struct edi_sink *sink, const char *allow, struct err *err)
{
    struct edi_reader_options options = { .guides = NULL };

    finding_policy_init(&options.policy);
    if (allow)
        assert_true(finding_policy_allow(&options.policy, slice_of(allow)));
    return read_with(&options, text, sink, err);
}

static struct acknowledge_options defaults(void)
{
    return (struct acknowledge_options){ .at = { 2026, 11, 20, 18, 30, 5 }, .control = 71 };
}

static void same(struct slice text, const char *expected)
{
    char *copy = calloc(1, text.n + 1);

    assert_non_null(copy);
    if (text.n)
        memcpy(copy, text.p, text.n);
    assert_string_equal(copy, expected);
    free(copy);
}

static void answers_with(const struct acknowledge_options *options, const char *allow, const char *text,
                         const char *expected)
{
    struct acknowledge *a = NULL;
    struct err err = { 0 };

    assert_int_equal(acknowledge_new(options, &a, &err), 0);
    if (read_text(slice_of(text), acknowledge_sink(a), allow, &err))
        fail_msg("%s", err.text);
    if (acknowledge_finish(a, &err))
        fail_msg("%s", err.text);
    same(acknowledge_output(a), expected);
    if (acknowledge_output(a).n)
        is_clean(acknowledge_output(a));
    acknowledge_free(&a);
    assert_null(a);
}

static void answers(const char *text, const char *expected)
{
    struct acknowledge_options options = defaults();
    answers_with(&options, NULL, text, expected);
}

#define ISA "ISA*00*          *00*          *01*123456789      *ZZ*ACMECORP       *260115*0905*U*00401*000000042*0*P*>~"
#define GS "GS*PO*NORTH*ACME*20260115*0905*7*X*004010~"
#define ORDER(control) "ST*850*" control "~BEG*00*SA*4711**20260115~PO1*1*5*EA*9.5~CTT*1~SE*5*" control "~"

#define OUR_ISA "ISA*00*          *00*          *ZZ*ACMECORP       *01*123456789      *261120*1830*U*00401*000000071*0*P*>~"
#define OUR_GS "GS*FA*ACME*NORTH*20261120*183005*71*X*004010~ST*997*0001~AK1*PO*7~"

/* --- Envelopes --- */

static void test_accepted(void **state)
{
    (void)state;
    answers(ISA GS ORDER("0001") ORDER("0002") "GE*2*7~IEA*1*000000042~",
            OUR_ISA OUR_GS "AK2*850*0001~AK5*A~AK2*850*0002~AK5*A~AK9*A*2*2*2~SE*8*0001~GE*1*71~IEA*1*000000071~");
}

static void test_5010_names_versions(void **state)
{
    (void)state;
    answers("ISA*00*          *00*          *01*123456789      *ZZ*ACMECORP       *260115*0905*^*00501*000000042*0*T*>~"
            "GS*PO*NORTH*ACME*20260115*0905*7*X*005010~ST*850*0001*005010~BEG*00*SA*4711**20260115~PO1*1*5*EA*9.5~"
            "CTT*1~SE*5*0001~GE*1*7~IEA*1*000000042~",
            "ISA*00*          *00*          *ZZ*ACMECORP       *01*123456789      *261120*1830*^*00501*000000071*0*T*>~"
            "GS*FA*ACME*NORTH*20261120*183005*71*X*005010~ST*997*0001~AK1*PO*7*005010~AK2*850*0001*005010~AK5*A~"
            "AK9*A*1*1*1~SE*6*0001~GE*1*71~IEA*1*000000071~");
}

/* A 999 has its own version and tags, and needs a separator of repetitions, whatever came. */
static void test_implementation(void **state)
{
    struct acknowledge_options options = defaults();

    (void)state;
    options.implementation = true;
    answers_with(&options, NULL,
                 "ISA*00*          *00*          *ZZ*NORTH          *ZZ*ACME           *260115*0905*U*00401*000000042*0*P*>~"
                 "GS*PO*NO*AC*20260115*0905*7*X*004010~ST*850*0001~BEG*00*SA*4711**20260115~"
                 "PO1*1*five*EA*9.5**UP*123456789012~SE*4*0001~GE*1*7~IEA*1*000000042~",
                 "ISA*00*          *00*          *ZZ*ACME           *ZZ*NORTH          *261120*1830*^*00501*000000071*0*P*>~"
                 "GS*FA*AC*NO*20261120*183005*71*X*005010X231A1~ST*999*0001*005010X231A1~AK1*PO*7*004010~AK2*850*0001~"
                 "IK3*PO1*3*PO1*8~IK4*2*330*6*five~IK5*R*5~AK9*R*1*1*0~SE*8*0001~GE*1*71~IEA*1*000000071~");
}

static void test_each_group_and_interchange_is_answered(void **state)
{
    (void)state;
    answers(ISA GS ORDER("0001") "GE*1*7~GS*PO*N2*A2*20260115*0905*8*X*004010VICS~" ORDER("0001") "GE*1*8~IEA*2*000000042~"
            "ISA|00|          |00|          |ZZ|OTHER          |ZZ|ACMECORP       |260115|0905|U|00401|000000043|0|P|:'"
            "GS|PO|OTHER|ACME|20260115|0905|9|X|004010'ST|850|0001'BEG|00|SA|1||20260115'PO1|1|5|EA'CTT|1'SE|5|0001'"
            "GE|1|9'IEA|1|000000043'",
            OUR_ISA OUR_GS "AK2*850*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~GE*1*71~"
            "GS*FA*A2*N2*20261120*183005*72*X*004010VICS~ST*997*0001~AK1*PO*8~AK2*850*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~"
            "GE*1*72~IEA*2*000000071~"
            "ISA|00|          |00|          |ZZ|ACMECORP       |ZZ|OTHER          |261120|1830|U|00401|000000072|0|P|:'"
            "GS|FA|ACME|OTHER|20261120|183005|73|X|004010'ST|997|0001'AK1|PO|9'AK2|850|0001'AK5|A'AK9|A|1|1|1'SE|6|0001'"
            "GE|1|73'IEA|1|000000072'");
}

static void test_acknowledgments_are_not_answered(void **state)
{
    (void)state;
    answers(ISA "GS*FA*NORTH*ACME*20260115*0905*7*X*004010~ST*997*0001~AK1*PO*1~AK9*A*1*1*1~SE*4*0001~GE*1*7~"
                "IEA*1*000000042~",
            "");
    answers(ISA "GS*FA*NORTH*ACME*20260115*0905*7*X*004010~ST*997*0001~AK1*PO*1~AK9*A*1*1*1~SE*4*0001~GE*1*7~"
                "GS*PO*NORTH*ACME*20260115*0905*8*X*004010~" ORDER("0001") "GE*1*8~IEA*2*000000042~",
            OUR_ISA "GS*FA*ACME*NORTH*20261120*183005*71*X*004010~ST*997*0001~AK1*PO*8~AK2*850*0001~AK5*A~AK9*A*1*1*1~"
                    "SE*6*0001~GE*1*71~IEA*1*000000071~");
}

static void test_line_ends_and_other_delimiters(void **state)
{
    struct acknowledge_options options = defaults();
    struct edi_syntax syntax = { '|', '\n', ':', '^', 0 };

    (void)state;
    options.syntax = &syntax;
    options.line_end = "\n";
    answers_with(&options, NULL, ISA GS ORDER("0001") "GE*1*7~IEA*1*000000042~",
                 "ISA|00|          |00|          |ZZ|ACMECORP       |01|123456789      |261120|1830|U|00401|000000071|0|P|:\n"
                 "GS|FA|ACME|NORTH|20261120|183005|71|X|004010\nST|997|0001\nAK1|PO|7\nAK2|850|0001\nAK5|A\n"
                 "AK9|A|1|1|1\nSE|6|0001\nGE|1|71\nIEA|1|000000071\n");
}

static void test_a_short_isa_is_answered_with_a_whole_one(void **state)
{
    (void)state;
    answers("ISA*00**00**01*123456789*ZZ*ACMECORP*260115*0905*U*00401*42*0*P*>~" GS ORDER("0001") "GE*1*7~IEA*1*42~",
            OUR_ISA OUR_GS "AK2*850*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~GE*1*71~IEA*1*000000071~");
}

static void test_who_cannot_be_answered(void **state)
{
    struct acknowledge_options options = defaults();
    struct acknowledge *a = NULL;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(acknowledge_new(&options, &a, &err), 0);
    assert_int_equal(read_text(slice_of("ISA*00*          *00*          *ZZ*               *ZZ*ACMECORP       *260115*"
                                        "0905*U*00401*000000042*0*P*>~" GS ORDER("0001") "GE*1*7~IEA*1*000000042~"
                                        ISA GS ORDER("0001") "GE*1*7~IEA*1*000000042~"),
                               acknowledge_sink(a), NULL, &err), 0);
    assert_int_equal(acknowledge_finish(a, &err), ERR_DATA);
    assert_string_equal(err.text, "interchange 000000042 cannot be answered: ISA08: the receiver's id is missing");
    /* the other is */
    assert_int_equal(acknowledge_totals(a)->interchanges, 1);
    assert_int_equal(acknowledge_totals(a)->unanswered, 1);
    assert_int_equal(acknowledge_totals(a)->accepted, 1);
    is_clean(acknowledge_output(a));
    acknowledge_free(&a);
}

static int next_number(void *ctx, enum acknowledge_level level, uint64_t *number_r)
{
    uint64_t *numbers = ctx;
    *number_r = numbers[level]++;
    return *number_r > 1000 ? ERR_LIMIT : 0;
}

static void test_control_numbers_of_the_caller(void **state)
{
    struct acknowledge_options options = defaults();
    uint64_t numbers[] = { 500, 900 };

    (void)state;
    options.next_control = next_number;
    options.control_ctx = numbers;
    answers_with(&options, NULL, ISA GS ORDER("0001") "GE*1*7~IEA*1*000000042~",
                 "ISA*00*          *00*          *ZZ*ACMECORP       *01*123456789      *261120*1830*U*00401*000000500*0*P*>~"
                 "GS*FA*ACME*NORTH*20261120*183005*900*X*004010~ST*997*0001~AK1*PO*7~AK2*850*0001~AK5*A~AK9*A*1*1*1~"
                 "SE*6*0001~GE*1*900~IEA*1*000000500~");
    assert_int_equal(numbers[0], 501);
    assert_int_equal(numbers[1], 901);
}

/* --- Faults --- */

/* Segments between ST and SE, and what stands between AK2 and AK9. */
static void says(const char *body, const char *expected)
{
    char text[4000], answer[4000];
    unsigned segments = 2, lines = 7;

    for (const char *p = body; *p; p++)
        segments += *p == '~';
    for (const char *p = expected; *p; p++)
        lines += *p == '~';
    snprintf(text, sizeof(text), ISA GS "ST*850*0001~%sSE*%u*0001~GE*1*7~IEA*1*000000042~", body, segments);
    snprintf(answer, sizeof(answer), OUR_ISA OUR_GS "AK2*850*0001~%sAK9*%s~SE*%u*0001~GE*1*71~IEA*1*000000071~",
             expected, strstr(expected, "AK5*R") ? "R*1*1*0" : strstr(expected, "AK5*E") ? "E*1*1*1" : "A*1*1*1",
             lines - 2);
    answers(text, answer);
}

#define BEG "BEG*00*SA*4711**20260115~"
#define PO1 "PO1*1*5*EA*9.5~CTT*1~"

static void test_elements(void **state)
{
    (void)state;
    /* 1 mandatory, 2 conditional, 3 too many, 4 short, 5 long */
    says("BEG*00**4711**20260115~" PO1, "AK3*BEG*2**8~AK4*2*92*1~AK5*R*5~");
    says(BEG "PO1*1*5*EA*9.5**UP~CTT*1~", "AK3*PO1*3*PO1*8~AK4*7*234*2~AK5*R*5~");
    says(BEG "N1*ST*Acme~N2*a*b*c~" PO1, "AK3*N2*4*N1*8~AK4*3**3*c~AK5*R*5~");
    says(BEG "CUR*BY*US~" PO1, "AK3*CUR*3**8~AK4*2*100*4*US~AK5*R*5~");
    says("BEG*00*SA*47110815471108154711081~" PO1,
         "AK3*BEG*2**8~AK4*3*324*5*47110815471108154711081~AK4*5*373*1~AK5*R*5~");
    /* 7 code, 8 date, 9 time, 10 exclusion */
    says("BEG*99*SA*4711**20260115~" PO1, "AK3*BEG*2**8~AK4*1*353*7*99~AK5*R*5~");
    says("BEG*00*SA*4711**20260230~DTM*002*20260115*2561~" PO1,
         "AK3*BEG*2**8~AK4*5*373*8*20260230~AK3*DTM*3**8~AK4*3*337*9*2561~AK5*R*5~");
    says(BEG "PO1*1*5*EA*9.5~QTY*38*5**many~CTT*1~", "AK3*QTY*4*QTY*8~AK4*4*61*10*many~AK5*R*5~");
}

static void test_a_component(void **state)
{
    (void)state;
    says(BEG "REF*IA*1**ZZ~" PO1, "AK3*REF*3**8~AK4*4>2*127*1~AK5*R*5~");
    says(BEG "REF*IA*1**QQQ>1~" PO1, "AK3*REF*3**8~AK4*4>1*128*7*QQQ~AK5*R*5~");
}

static void test_segments(void **state)
{
    char text[2000] = BEG;

    (void)state;
    /* 1 unknown, 3 missing, 5 over its maximum, 6 of another set, 7 out of sequence */
    says(BEG "ZZ9*1~" PO1, "AK3*ZZ9*3**1~AK5*R*5~");
    says("CUR*BY*USD~" PO1, "AK3*BEG*2**3~AK5*R*5~");
    says(BEG "CUR*BY*USD~CUR*BY*USD~" PO1, "AK3*CUR*4**5~AK5*R*5~");
    says(BEG "AK1*PO*1~" PO1, "AK3*AK1*3**6~AK5*R*5~");
    says(BEG "DTM*002*20260115~REF*IA*1~" PO1, "AK3*REF*4**7~AK5*R*5~");
    /* 4 loop over its maximum */
    for (int i = 0; i < 26; i++)
        strncat(text, "SAC*A*C310***100~", sizeof(text) - strlen(text) - 1);
    strncat(text, PO1, sizeof(text) - strlen(text) - 1);
    says(text, "AK3*SAC*28*SAC*4~AK5*R*5~");
}

static void test_tags_that_are_none(void **state)
{
    (void)state;
    says(BEG "X*1~" PO1, "AK3*X?*3**1~AK5*R*5~");
    says(BEG "TOOLONG*1~" PO1, "AK3*TOO*3**1~AK5*R*5~");
}

static void test_loops_are_named(void **state)
{
    (void)state;
    /* AK303 names the loop of the guide that the segment stands in, in the heading nothing */
    says(BEG "PO1*1*5x*EA~LS*LDT~LDT*AF*6x*DA~LE*LDT~N1*QQ9*a~CTT*1~",
         "AK3*PO1*3*PO1*8~AK4*2*330*6*5x~AK3*LDT*5*LDT*8~AK4*2*380*6*6x~AK3*N1*7*N1*8~AK4*1*98*7*QQ9~AK5*R*5~");
}

static void test_bad_data_are_copied_clean(void **state)
{
    (void)state;
    says(BEG "N1*ST*Acme~N4*Z\xc3\xbcrich*M\xc3\xbcnchen*\x01  ~" PO1,
         "AK3*N4*4*N1*8~AK4*2*156*5*Muenchen~AK4*3*116*6~AK5*R*5~");
}

static void test_transaction_sets(void **state)
{
    (void)state;
    /* 1 no guide, 2 no SE, 3 SE02, 4 SE01, 23 number twice */
    answers(ISA GS "ST*811*0001~BCT*PC~SE*3*0001~" "ST*850*0002~" BEG PO1 "ST*850*0003~" BEG PO1 "SE*5*0004~"
            "ST*850*0005~" BEG PO1 "SE*99*0005~" ORDER("0005") "GE*5*7~IEA*1*000000042~",
            OUR_ISA OUR_GS "AK2*811*0001~AK5*R*1~AK2*850*0002~AK5*R*2~AK2*850*0003~AK5*E*3~AK2*850*0005~AK5*E*4~"
            "AK2*850*0005~AK5*E*23~AK9*P*5*5*3~SE*14*0001~GE*1*71~IEA*1*000000071~");
}

static void test_groups(void **state)
{
    (void)state;
    /* 3 no GE, 4 GE02, 5 GE01 */
    answers(ISA GS ORDER("0001") "GE*9*8~" "GS*PO*NORTH*ACME*20260115*0905*9*X*004010~" ORDER("0001") "IEA*2*000000042~",
            OUR_ISA OUR_GS "AK2*850*0001~AK5*A~AK9*E*9*1*1*5*4~SE*6*0001~GE*1*71~"
            "GS*FA*ACME*NORTH*20261120*183005*72*X*004010~ST*997*0001~AK1*PO*9~AK2*850*0001~AK5*A~AK9*E*1*1*1*3~"
            "SE*6*0001~GE*1*72~IEA*2*000000071~");
}

static void test_a_group_is_judged_by_its_own_version(void **state)
{
    (void)state;
    answers("ISA*00*          *00*          *01*123456789      *ZZ*ACMECORP       *260115*0905*U*00501*000000042*0*P*>~"
            "GS*PO*NORTH*ACME*20261315*0905*7*X*005010~" ORDER("0001") "GE*1*7~"
            "GS*PO*NORTH*ACME*20261315*0905*8*X*004010~" ORDER("0001") "GE*1*8~IEA*2*000000042~",
            "ISA*00*          *00*          *ZZ*ACMECORP       *01*123456789      *261120*1830*U*00501*000000071*0*P*>~"
            "GS*FA*ACME*NORTH*20261120*183005*71*X*005010~ST*997*0001~AK1*PO*7*005010~AK2*850*0001~AK5*A~AK9*E*1*1*1*30~"
            "SE*6*0001~GE*1*71~"
            "GS*FA*ACME*NORTH*20261120*183005*72*X*004010~ST*997*0001~AK1*PO*8~AK2*850*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~"
            "GE*1*72~IEA*2*000000071~");
}

static void test_an_allowed_fault_is_noted(void **state)
{
    struct acknowledge_options options = defaults();

    (void)state;
    answers_with(&options, "unknown-codes", ISA GS "ST*850*0001~BEG*99*SA*4711**20260115~" PO1 "SE*5*0001~GE*1*7~"
                 "IEA*1*000000042~",
                 OUR_ISA OUR_GS "AK2*850*0001~AK3*BEG*2**8~AK4*1*353*7*99~AK5*E*5~AK9*E*1*1*1~SE*8*0001~GE*1*71~"
                 "IEA*1*000000071~");
}

/* --- TA1 --- */

static void test_ta1(void **state)
{
    struct acknowledge_options options = defaults();

    (void)state;
    options.ta1 = true;
    answers_with(&options, NULL, ISA GS ORDER("0001") "GE*1*7~IEA*1*000000042~",
                 OUR_ISA OUR_GS "AK2*850*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~GE*1*71~IEA*1*000000071~");
    answers_with(&options, NULL, "ISA*00*          *00*          *01*123456789      *ZZ*ACMECORP       *260115*0905*U*"
                 "00401*000000042*1*P*>~" GS ORDER("0001") "GE*1*7~IEA*3*000000042~",
                 OUR_ISA OUR_GS "AK2*850*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~GE*1*71~IEA*1*000000071~"
                 "ISA*00*          *00*          *ZZ*ACMECORP       *01*123456789      *261120*1830*U*00401*000000072*0*P*>~"
                 "TA1*000000042*260115*0905*E*021~IEA*0*000000072~");
}

#define TA1_ISA "ISA*00*          *00*          *ZZ*ACMECORP       *01*123456789      *261120*1830*U*00401*000000071*0*P*>~"

static void test_ta1_alone(void **state)
{
    struct acknowledge_options options = defaults();

    (void)state;
    options.ta1 = true;
    /* nothing in it: the sender must hear of it */
    answers_with(&options, NULL, ISA, TA1_ISA "TA1*000000042*260115*0905*E*023~IEA*0*000000071~");
    /* an answer is never answered */
    answers_with(&options, NULL, ISA "TA1*000000001*260115*0905*A*000~IEA*1*000000042~", "");
}

static void test_odd_envelopes_are_answered_with_sound_ones(void **state)
{
    (void)state;
    answers("ISA*00*          *00*          *01*123456789      *ZZ*ACMECORP       *260115*0905*-*00406*000000042*0*X*>~"
            GS ORDER("0001") "GE*1*7~IEA*1*000000042~",
            "ISA*00*          *00*          *ZZ*ACMECORP       *01*123456789      *261120*1830*U*00406*000000071*0*P*>~"
            OUR_GS "AK2*850*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~GE*1*71~IEA*1*000000071~");
    answers("ISA*00*          *00*          *01*123456789      *ZZ*ACMECORP       *260115*0905*U*00040*000000042*0*P*>~"
            GS ORDER("0001") "GE*1*7~IEA*1*000000042~",
            OUR_ISA OUR_GS "AK2*850*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~GE*1*71~IEA*1*000000071~");
}

/* --- By hand --- */

struct by_hand {
    struct acknowledge *a;
    struct edi_interchange interchange;
    struct edi_group group;
    struct edi_document document;
};

static int begin_by_hand(struct by_hand *h, const struct acknowledge_options *options, const char *version)
{
    static const char *const isa[] = { "", "00", "          ", "00", "          ", "ZZ", "NORTHWIND      ", "ZZ",
                                       "ACMECORP       ", "260115", "0905", "U", "00501", "000000042", "0", "P", ">" };
    static const char *const gs[] = { "", "PO", "NORTH", "ACME", "20260115", "0905", "7", "X", "" };
    struct err err;
    const struct edi_sink *sink;
    int code;

    memset(h, 0, sizeof(*h));
    code = acknowledge_new(options, &h->a, &err);
    if (code)
        return code;
    sink = acknowledge_sink(h->a);
    for (unsigned i = 1; i <= ENVELOPE_ELEMENTS; i++)
        h->interchange.element[i] = slice_of(isa[i]);
    for (unsigned i = 1; i <= GROUP_ELEMENTS; i++)
        h->group.element[i] = slice_of(gs[i]);
    h->interchange.control = h->interchange.element[13];
    h->interchange.dialect = &dialect_x12;
    h->interchange.syntax = (struct edi_syntax){ '*', '~', '>', '^', 0 };
    h->group.control = h->group.element[6];
    h->group.version = h->group.element[8] = slice_of(version);
    h->group.claimed = 1;
    h->document = (struct edi_document){ .set = SLICE("850"), .control = SLICE("0001"), .ordinal = 1, .in_group = 1,
                                         .interchange = &h->interchange, .group = &h->group };
    code = sink->interchange(sink->ctx, &h->interchange);
    if (!code)
        code = sink->group(sink->ctx, &h->group);
    if (!code)
        code = sink->document(sink->ctx, &h->document);
    return code;
}

static int find_by_hand(struct by_hand *h, struct finding f)
{
    const struct edi_sink *sink = acknowledge_sink(h->a);

    f.severity = SEVERITY_ERROR;
    f.place.document = 1;
    if (!f.place.segment)
        f.place.segment = 3;
    h->document.errors++;
    return sink->finding(sink->ctx, &f);
}

static int end_by_hand(struct by_hand *h)
{
    const struct edi_sink *sink = acknowledge_sink(h->a);
    struct err err;
    int code = sink->document_end(sink->ctx, &h->document);

    if (!code)
        code = sink->group_end(sink->ctx, &h->group);
    if (!code)
        code = sink->interchange_end(sink->ctx, &h->interchange);
    if (!code)
        code = acknowledge_finish(h->a, &err);
    return code;
}

/* What stands between AK2 and SE. */
static void notes_are(struct by_hand *h, const char *expected)
{
    struct slice s = acknowledge_output(h->a);
    const char *from = memmem(s.p, s.n, "AK2", 3), *to = memmem(s.p, s.n, "SE*", 3);

    assert_non_null(from);
    assert_non_null(to);
    same(slice(from, (size_t)(to - from)), expected);
}

static void test_codes_of_versions(void **state)
{
    static const struct {
        const char *version, *expected;
    } cases[] = {
        { "004010", "AK2*850*0001~AK3*REF*3**8~AK4*4>2*127*3*abc~AK4*4*1234*3*a b~AK5*R*5*6~AK9*R*1*1*0*6~" },
        { "005010", "AK2*850*0001~AK3*REF*3**8~AK4*4>2>3*127*12*abc~AK4*4*1234*13*a b~AK3*REF*3**10~AK5*R*5*18~"
                    "AK9*R*1*1*0*6*8~" },
    };

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct acknowledge_options options = defaults();
        struct by_hand h;
        const struct edi_sink *sink;
        struct finding group = { .code = FINDING_GROUP_SYNTAX, .severity = SEVERITY_WARNING, .place.element = 6 };
        assert_int_equal(begin_by_hand(&h, &options, cases[i].version), 0);
        find_by_hand(&h, (struct finding){ .code = FINDING_ELEMENT_REPEATS, .place = { .element = 4, .component = 2,
                                           .repetition = 3 }, .tag = SLICE("REF"), .element_id = SLICE("127"),
                                           .value = SLICE("abc") });
        find_by_hand(&h, (struct finding){ .code = FINDING_ELEMENT_COMPONENTS, .place.element = 4, .tag = SLICE("REF"),
                                           .element_id = SLICE("1234"), .value = SLICE("a>b") });
        find_by_hand(&h, (struct finding){ .code = FINDING_ELEMENT_TRAILING, .place.element = 5, .tag = SLICE("REF") });
        find_by_hand(&h, (struct finding){ .code = FINDING_SET_GROUP });
        sink = acknowledge_sink(h.a);
        sink->finding(sink->ctx, &group);
        group.place.element = 3;
        sink->finding(sink->ctx, &group);
        assert_int_equal(end_by_hand(&h), 0);
        notes_are(&h, cases[i].expected);
        acknowledge_free(&h.a);
    }
}

static void test_copies_of_bad_data(void **state)
{
    static const struct {
        const char *value, *expected;
    } cases[] = {
        { "a*b~c>d^e", "*a b c d e" },
        { "   ", "" },
        { "\x01\x02", "" },
        { "x\xff", "*xy" },         /* Latin-1 */
        { "漢", "*?" },
        { "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234",
          "*012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678" },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct acknowledge_options options = defaults();
        struct by_hand h;
        char expected[200];
        assert_int_equal(begin_by_hand(&h, &options, "004010"), 0);
        find_by_hand(&h, (struct finding){ .code = FINDING_ELEMENT_LONG, .place.element = 1, .tag = SLICE("MSG"),
                                           .element_id = SLICE("C001"), .value = slice_of(cases[i].value) });
        assert_int_equal(end_by_hand(&h), 0);
        snprintf(expected, sizeof(expected), "AK2*850*0001~AK3*MSG*3**8~AK4*1**5%s~AK5*R*5~AK9*R*1*1*0~",
                 cases[i].expected);
        notes_are(&h, expected);
        acknowledge_free(&h.a);
    }
}

static void test_at_most_99_elements_under_one_segment(void **state)
{
    struct acknowledge_options options = defaults();
    struct by_hand h;
    struct slice s;
    unsigned segments = 0, elements = 0;

    (void)state;
    assert_int_equal(begin_by_hand(&h, &options, "004010"), 0);
    for (unsigned i = 0; i < 20000; i++)
        find_by_hand(&h, (struct finding){ .code = FINDING_ELEMENT_MISSING, .place = { .element = 1 + i % 20 },
                                           .tag = SLICE("MSG"), .missing = true });
    assert_int_equal(end_by_hand(&h), 0);
    s = acknowledge_output(h.a);
    for (size_t i = 0; i + 4 < s.n; i++) {
        segments += memcmp(s.p + i, "AK3*", 4) == 0;
        elements += memcmp(s.p + i, "AK4*", 4) == 0;
    }
    assert_int_equal(segments, 100);
    assert_int_equal(elements, 9900);
    is_clean(s);
    acknowledge_free(&h.a);
}

static void test_a_refused_set_without_a_code(void **state)
{
    struct acknowledge_options options = defaults();
    struct by_hand h;

    (void)state;
    assert_int_equal(begin_by_hand(&h, &options, "004010"), 0);
    find_by_hand(&h, (struct finding){ .code = FINDING_MAP_VALUE, .place.element = 1, .tag = SLICE("BEG") });
    assert_int_equal(end_by_hand(&h), 0);
    notes_are(&h, "AK2*850*0001~AK5*R*5~AK9*R*1*1*0~");
    acknowledge_free(&h.a);
}

static void test_a_group_with_an_error_is_rejected(void **state)
{
    struct acknowledge_options options = defaults();
    struct by_hand h;
    const struct edi_sink *sink;
    struct finding f = { .code = FINDING_GROUP_COUNT, .severity = SEVERITY_ERROR };

    (void)state;
    assert_int_equal(begin_by_hand(&h, &options, "004010"), 0);
    sink = acknowledge_sink(h.a);
    sink->finding(sink->ctx, &f);
    assert_int_equal(end_by_hand(&h), 0);
    notes_are(&h, "AK2*850*0001~AK5*A~AK9*R*1*1*0*5~");
    acknowledge_free(&h.a);
}

/* --- Sinks behind it, faults of our own --- */

struct calls {
    unsigned n;
    int stop_at;
};

#define COUNTING(name, ...) \
    static int name(void *ctx, __VA_ARGS__) \
    { \
        struct calls *k = ctx; \
        return (int)++k->n == k->stop_at ? ERR_STOP : 0; \
    }
COUNTING(count_interchange, const struct edi_interchange *i __attribute__((unused)))
COUNTING(count_group, const struct edi_group *g __attribute__((unused)))
COUNTING(count_document, const struct edi_document *d __attribute__((unused)))
COUNTING(count_finding, const struct finding *f __attribute__((unused)))
COUNTING(count_one, const struct segment *s __attribute__((unused)))
COUNTING(count_segment, const struct guide_node *node __attribute__((unused)),
         const struct segment *s __attribute__((unused)), uint64_t present __attribute__((unused)))

static void test_a_sink_behind_it(void **state)
{
    static const char text[] = ISA "TA1*000000001*260115*0905*A*000~" GS ORDER("0001")
        "ST*850*0002~" BEG "ZZ9*1~" PO1 "SE*6*0002~GE*2*7~IEA*1*000000042~";
    struct calls calls = { .stop_at = -1 };
    struct edi_sink sink = { &calls, count_interchange, count_interchange, count_group, count_group, count_document,
                             count_segment, count_one, count_document, count_one, count_finding };
    unsigned all = 0;

    (void)state;
    for (int stop_at = -1; stop_at <= (int)all; stop_at = stop_at < 0 ? 1 : stop_at + 1) {
        struct acknowledge_options options = defaults();
        struct acknowledge *a = NULL;
        struct err err = { 0 };
        int code;
        calls.n = 0;
        calls.stop_at = stop_at;
        options.next = &sink;
        assert_int_equal(acknowledge_new(&options, &a, &err), 0);
        code = read_text(slice_of(text), acknowledge_sink(a), NULL, &err);
        if (stop_at < 0) {
            all = calls.n;
            /* 2 for each envelope and document, the TA1 among them, 12 segments (one of them stray), a finding */
            assert_int_equal(all, 2 + 2 + 6 + 12 + 1);
            assert_int_equal(code, 0);
        } else {
            assert_int_equal(code, ERR_STOP);
            /* the segment of a finding may still be told of */
            assert_in_range(calls.n, stop_at, stop_at + 1);
        }
        acknowledge_free(&a);
    }
}

static int broken(void *ctx, const char *p, size_t n, struct err *err)
{
    (void)ctx;
    (void)p;
    (void)n;
    return err_set(err, ERR_IO, "the disk is full");
}

static void test_output_that_fails(void **state)
{
    struct acknowledge_options options = defaults();
    struct acknowledge *a = NULL;
    struct err err = { 0 };

    (void)state;
    options.write = broken;
    assert_int_equal(acknowledge_new(&options, &a, &err), 0);
    assert_int_equal(read_text(slice_of(ISA GS ORDER("0001") "GE*1*7~IEA*1*000000042~"), acknowledge_sink(a), NULL, &err),
                     0);
    assert_int_equal(acknowledge_finish(a, &err), ERR_IO);
    assert_string_equal(err.text, "the disk is full");
    acknowledge_free(&a);
}

static void test_control_numbers_that_run_out(void **state)
{
    struct acknowledge_options options = defaults();
    struct acknowledge *a = NULL;
    struct err err = { 0 };
    uint64_t numbers[] = { 1001, 1 };

    (void)state;
    options.next_control = next_number;
    options.control_ctx = numbers;
    assert_int_equal(acknowledge_new(&options, &a, &err), 0);
    assert_int_equal(read_text(slice_of(ISA GS ORDER("0001") "GE*1*7~IEA*1*000000042~"), acknowledge_sink(a), NULL, &err),
                     ERR_LIMIT);
    assert_int_equal(acknowledge_finish(a, &err), ERR_LIMIT);
    assert_string_equal(err.text, "no control number could be had");
    acknowledge_free(&a);
}

static int answer_by_hand(void *arg)
{
    struct acknowledge_options options = defaults();
    struct by_hand h;
    int code;

    (void)arg;
    code = begin_by_hand(&h, &options, "005010");
    for (unsigned i = 0; i < 500 && !code; i++)
        code = find_by_hand(&h, (struct finding){ .code = FINDING_ELEMENT_LONG, .place = { .element = 1, .segment = i + 2 },
                                                  .tag = SLICE("MSG"), .value = SLICE("Zürich") });
    if (!code)
        code = end_by_hand(&h);
    acknowledge_free(&h.a);
    return code;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(answer_by_hand, NULL) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_5010_names_versions),
        cmocka_unit_test(test_implementation),
        cmocka_unit_test(test_each_group_and_interchange_is_answered),
        cmocka_unit_test(test_acknowledgments_are_not_answered),
        cmocka_unit_test(test_line_ends_and_other_delimiters),
        cmocka_unit_test(test_a_short_isa_is_answered_with_a_whole_one),
        cmocka_unit_test(test_who_cannot_be_answered),
        cmocka_unit_test(test_control_numbers_of_the_caller),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_a_component),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_tags_that_are_none),
        cmocka_unit_test(test_loops_are_named),
        cmocka_unit_test(test_bad_data_are_copied_clean),
        cmocka_unit_test(test_transaction_sets),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_a_group_is_judged_by_its_own_version),
        cmocka_unit_test(test_an_allowed_fault_is_noted),
        cmocka_unit_test(test_ta1),
        cmocka_unit_test(test_ta1_alone),
        cmocka_unit_test(test_odd_envelopes_are_answered_with_sound_ones),
        cmocka_unit_test(test_codes_of_versions),
        cmocka_unit_test(test_copies_of_bad_data),
        cmocka_unit_test(test_at_most_99_elements_under_one_segment),
        cmocka_unit_test(test_a_refused_set_without_a_code),
        cmocka_unit_test(test_a_group_with_an_error_is_rejected),
        cmocka_unit_test(test_a_sink_behind_it),
        cmocka_unit_test(test_output_that_fails),
        cmocka_unit_test(test_control_numbers_that_run_out),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
