/*
 * check: what is wrong in a document, found at its place and said in the acknowledgment's words. Each case is an order
 * with a few segments of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "edi/check.h"
#include "edi/reader.h"

static struct guides *guides;

static int set_up(void **state)
{
    const char *directory = getenv("WAYBILL_MAPS_DIR");

    (void)state;
    return guides_new(directory ? directory : "maps", &guides, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    guides_free(&guides);
    return 0;
}

static int on_finding(void *ctx, const struct finding *f)
{
    struct buf *b = ctx;

    if (finding_rows[f->code].level < LEVEL_SEGMENT)
        return 0;
    buf_printf(b, "%s ", finding_rows[f->code].name);
    finding_message(f, b);
    buf_add_text(b, " | ");
    finding_acknowledgment(f, b);
    buf_add_char(b, '\n');
    return b->failed;
}

struct check_case {
    const char *version, *head, *line;   /* segments behind BEG and behind the first PO1 */
    const char *expected;
};

static void run_case(const struct check_case *k, const struct guide *partner)
{
    struct complaints complaints;
    struct edi_reader_options options = { .guides = guides, .partner = &partner, .n_partner = partner != NULL,
                                          .complaints = &complaints };
    struct buf out, text;
    struct edi_sink sink = { .ctx = &out, .finding = on_finding };
    struct edi_reader *reader = NULL;
    bool five = strcmp(k->version, "005010") == 0;

    complaints_init(&complaints);
    buf_init(&out, 1 << 20);
    buf_init(&text, 1 << 20);
    finding_policy_init(&options.policy);
    buf_printf(&text, "ISA*00*          *00*          *ZZ*NORTH          *ZZ*ACME           *260115*0905*%s*000000042*0*P*>~"
               "GS*PO*NORTH*ACME*20260115*0905*7*X*%s~ST*850*0001~", five ? "^*00501" : "U*00401", k->version);
    if (strncmp(k->head, "BEG", 3) != 0)
        buf_add_text(&text, "BEG*00*SA*4711**20260115~");
    buf_printf(&text, "%sPO1*1*5*EA*9.5~%sSE*0*0001~GE*1*7~IEA*1*000000042~", k->head, k->line);
    assert_int_equal(edi_reader_new(&options, &sink, &reader, NULL), 0);
    assert_int_equal(edi_reader_feed(reader, buf_slice(&text), NULL), 0);
    assert_int_equal(edi_reader_end(reader, NULL), 0);
    if (strcmp(buf_text(&out), k->expected) != 0)
        fail_msg("%s%s:\n%s\nexpected:\n%s", k->head, k->line, buf_text(&out), k->expected);
    edi_reader_free(&reader);
    buf_deinit(&text);
    buf_deinit(&out);
    complaints_deinit(&complaints);
}

static const struct check_case cases[] = {
    { "004010", "", "CTT*1~",
      "" },
    { "004010", "BEG**SA*4711**20260115~", "CTT*1~",
      "X12-AK4-1 BEG01 Transaction Set Purpose Code: missing (ID 2/2) | AK3*BEG*2**8  AK4*1*353*1\n" },
    { "004010", "BEG*00*SA*4711**20260230~", "CTT*1~",
      "X12-AK4-8 BEG05 Date: \"20260230\" is not a date (expected a date, CCYYMMDD) | AK3*BEG*2**8  AK4*5*373*8*20260230\n" },
    { "004010", "BEG*00*SA*4711**260115~", "CTT*1~",
      "X12-AK4-4 BEG05 Date: \"260115\" has 6 characters (expected exactly 8) | AK3*BEG*2**8  AK4*5*373*4*260115\n" },
    { "004010", "BEG*00*SA*~", "CTT*1~",
      "X12-AK4-1 BEG03 Purchase Order Number: missing (AN 1/22) | AK3*BEG*2**8  AK4*3*324*1\n"
      "X12-AK4-1 BEG05 Date: missing (DT 8/8) | AK3*BEG*2**8  AK4*5*373*1\n"
      "TRAILING-EMPTY BEG03: the last element is empty (expected nothing behind the last element that holds something) | \n" },
    { "004010", "BEG*99X*SA*4711**20260115~", "CTT*1~",
      "X12-AK4-5 BEG01 Transaction Set Purpose Code: \"99X\" has 3 characters (expected exactly 2) | AK3*BEG*2**8  AK4*1*353*5*99X\n" },
    { "004010", "BEG*00*S?*4711**20260115~", "CTT*1~",
      "X12-AK4-7 BEG02 Purchase Order Type Code: \"S?\" is not in the code list (expected one of the 69 codes of element 92) | AK3*BEG*2**8  AK4*2*92*7*S?\n" },
    { "004010", "BEG*00*SA*12345678901234567890123**20260115~", "CTT*1~",
      "X12-AK4-5 BEG03 Purchase Order Number: \"12345678901234567890123\" has 23 characters (expected at most 22) | AK3*BEG*2**8  AK4*3*324*5*12345678901234567890123\n" },
    { "004010", "", "PO1*2*ten*EA*1~CTT*1~",
      "X12-AK4-6 PO102 Quantity Ordered: \"ten\" is not a number (R 1/15) | AK3*PO1*4*PO1*8  AK4*2*330*6*ten\n" },
    { "004010", "", "PO1*2*1.2.3*EA*1~CTT*1~",
      "X12-AK4-6 PO102 Quantity Ordered: \"1.2.3\" is not a number (R 1/15) | AK3*PO1*4*PO1*8  AK4*2*330*6*1.2.3\n" },
    { "004010", "", "PO1*2*1E3*EA*-.5~CTT*1~",
      "" },
    { "004010", "", "PO1*2*1234567890*EA*1~CTT*1~",
      "" },
    { "004010", "", "PO1*2*-5*EA*1**UP~CTT*1~",
      "X12-AK4-2 PO107 Product/Service ID: missing (expected all or none of PO106, PO107: note P0607) | AK3*PO1*4*PO1*8  AK4*7*234*2\n" },
    { "004010", "", "PO1*2*5*EA*1***X~CTT*1~",
      "X12-AK4-2 PO106 Product/Service ID Qualifier: missing (expected all or none of PO106, PO107: note P0607) | AK3*PO1*4*PO1*8  AK4*6*235*2\n" },
    { "004010", "DTM*002~", "CTT*1~",
      "X12-AK4-2 DTM02 Date: missing (expected at least one of DTM02, DTM03, DTM05: note R020305) | AK3*DTM*3**8  AK4*2*373*2\n" },
    { "004010", "DTM*002**2460~", "CTT*1~",
      "X12-AK4-9 DTM03 Time: \"2460\" is not a time (expected a time, HHMM, HHMMSS or with decimals of a second) | AK3*DTM*3**8  AK4*3*337*9*2460\n" },
    { "004010", "DTM*002*20260115*2359*ET~", "CTT*1~",
      "" },
    { "004010", "DTM*002***ET~", "CTT*1~",
      "X12-AK4-2 DTM02 Date: missing (expected at least one of DTM02, DTM03, DTM05: note R020305) | AK3*DTM*3**8  AK4*2*373*2\n"
      "X12-AK4-2 DTM03 Time: missing (expected DTM04 needs DTM03: note C0403) | AK3*DTM*3**8  AK4*3*337*2\n" },
    { "004010", "REF*IA~", "CTT*1~",
      "X12-AK4-2 REF02 Reference Identification: missing (expected at least one of REF02, REF03: note R0203) | AK3*REF*3**8  AK4*2*127*2\n" },
    { "004010", "REF*IA*1***5~", "CTT*1~",
      "X12-AK4-3 REF05: \"5\" is past the last element (expected at most 4) | AK3*REF*3**8  AK4*5**3*5\n" },
    { "004010", "CUR*BY*USD~CUR*BY*USD~", "CTT*1~",
      "X12-AK3-5 CUR: occurs at least 2 times (expected at most 1) | AK3*CUR*4**5\n" },
    { "004010", "PER*OC*A*TE~", "CTT*1~",
      "X12-AK4-2 PER04 Communication Number: missing (expected all or none of PER03, PER04: note P0304) | AK3*PER*3**8  AK4*4*364*2\n" },
    { "004010", "SAC*A~", "CTT*1~",
      "X12-AK4-2 SAC02 Service, Promotion, Allowance, or Charge Code: missing (expected at least one of SAC02, SAC03: note R0203) | AK3*SAC*3*SAC*8  AK4*2*1300*2\n" },
    { "004010", "TAX*1*SP*~", "CTT*1~",
      "X12-AK4-2 TAX03 Location Identifier: missing (expected all or none of TAX02, TAX03: note P0203) | AK3*TAX*3**8  AK4*3*310*2\n"
      "TRAILING-EMPTY TAX03: the last element is empty (expected nothing behind the last element that holds something) | \n" },
    { "004010", "ZZZ*1~", "CTT*1~",
      "X12-AK3-1 ZZZ: no guide of version 004010 has this segment | AK3*ZZZ*3**1\n" },
    { "004010", "HL*1**S~", "CTT*1~",
      "X12-AK3-6 HL: the Hierarchical Level is not used in the 850 | AK3*HL*3**6\n" },
    { "004010", "N3*street~", "CTT*1~",
      "X12-AK3-7 N3: cannot follow BEG | AK3*N3*3**7\n" },
    { "004010", "", "CUR*BY*USD~CTT*1~",
      "" },
    { "004010", "REF*IA*a\x01" "b~", "CTT*1~",
      "CHARACTER-SET REF02 Reference Identification: \"a\\x01b\" holds the byte 01 (expected printable characters) | AK3*REF*3**8  AK4*2*127*6*a\\x01b\n" },
    { "004010", "REF*IA*a\nb~", "CTT*1~",
      "LINE-BREAK-IN-ELEMENT REF02 Reference Identification: \"a\\x0ab\" holds a line break (expected text without line breaks; is a segment terminator missing?) | \n" },
    { "004010", "REF*IA*a\xe9" "b~", "CTT*1~",
      "CHARACTER-SET REF02 Reference Identification: \"a\\xe9b\" holds the byte E9 (expected UTF-8; it is read as Latin-1) | AK3*REF*3**8  AK4*2*127*6*a\\xe9b\n" },
    { "004010", "REF*IA*a>b~", "CTT*1~",
      "X12-AK4-13 REF02 Reference Identification: \"a>b\" holds the component separator (expected an element without components) | AK3*REF*3**8  AK4*2*127*3*a b\n" },
    { "004010", "", "MEA**WT*1*LB>1>2>3>4>5>6>7>8>9>10>11>12>13>14>15>16~CTT*1~",
      "X12-AK4-4 MEA04-4 Unit or Basis for Measurement Code: \"3\" has 1 character (expected exactly 2) | AK3*MEA*4*PO1*8  AK4*4:4*355*4*3\n"
      "X12-AK4-4 MEA04-7 Unit or Basis for Measurement Code: \"6\" has 1 character (expected exactly 2) | AK3*MEA*4*PO1*8  AK4*4:7*355*4*6\n"
      "X12-AK4-4 MEA04-10 Unit or Basis for Measurement Code: \"9\" has 1 character (expected exactly 2) | AK3*MEA*4*PO1*8  AK4*4:10*355*4*9\n"
      "X12-AK4-13 MEA04-16 Composite Unit of Measure: \"15\" there is a component 16 (expected at most 15 components) | AK3*MEA*4*PO1*8  AK4*4:16*C001*3*15\n" },
    { "004010", "", "MEA**WT*1*LB>x~CTT*1~",
      "X12-AK4-6 MEA04-2 Exponent: \"x\" is not a number (R 1/15) | AK3*MEA*4*PO1*8  AK4*4:2*1018*6*x\n" },
    { "004010", "", "CTT*2~",
      "" },
    { "004010", "", "",
      "" },
    { "005010", "REF*IA*1^2~", "CTT*1~",
      "X12-AK4-12 REF02 Reference Identification, repetition 2: \"2\" repeats (expected at most 1 time) | AK3*REF*3**8  AK4*2::2*127*3*2\n" },
    { "005010", "", "MEA**WT*1*LB>1~CTT*1~",
      "" },
    { "004010", "N1*ST*B*92~", "CTT*1~",
      "X12-AK4-2 N104 Identification Code: missing (expected all or none of N103, N104: note P0304) | AK3*N1*3*N1*8  AK4*4*67*2\n" },
    { "004010", "ITD*01*3*2**30**31*100**5**X*Y*101~", "CTT*1~",
      "X12-AK4-6 ITD13 Day of Month: \"Y\" is not a whole number (N0 1/2) | AK3*ITD*3**8  AK4*13*765*6*Y\n"
      "X12-AK4-5 ITD14 Payment Method Code: \"101\" has 3 characters (expected at most 2) | AK3*ITD*3**8  AK4*14*107*5*101\n" },
};

static void test_cases(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        run_case(&cases[i], NULL);
}

static const struct check_case partner_cases[] = {
    { "004010", "REF*IA*1~", "CTT*1~",
      "X12-AK4-I10 BEG05 Date: \"20260115\" the partner's guide does not use it | AK3*BEG*2**8  AK4*5*373*10*20260115\n" },
    { "004010", "BEG*00*RL*4711~REF*IA*1~", "CTT*1~",
      "X12-AK4-7 BEG02 Purchase Order Type Code: \"RL\" is not in the code list (expected one of SA DS) | AK3*BEG*2**8  AK4*2*92*7*RL\n" },
    { "004010", "BEG*00*SA*4711~CUR*BY*USD~REF*IA*1~", "CTT*1~",
      "X12-AK3-I6 CUR: the partner's guide does not use it | AK3*CUR*3**2\n" },
    { "004010", "BEG*00*SA*4711~", "CTT*1~",
      "X12-AK3-3 REF: missing (expected REF with IA in element 01, as the partner's guide demands) | AK3*REF*5**3\n" },
    { "004010", "BEG*00*SA*4711~REF*IA*1~REF*DP*2~", "CTT*1~",
      "X12-AK3-I6 REF: the partner's guide does not use it with DP in element 01 | AK3*REF*4**2\n" },
    { "004010", "BEG*00*SA*4711~REF*IA*1~N1*ST*B*92*123~N1*BT*B*92*123~", "CTT*1~",
      "X12-AK4-4 N104 Identification Code: \"123\" has 3 characters (expected exactly 13) | AK3*N1*4*N1*8  AK4*4*67*4*123\n" },
};

static void test_partner(void **state)
{
    static const char text[] = "guide a/850 from x12/004010/850\n"
                               "  BEG02 only SA DS\n"
                               "  CUR not used\n"
                               "  REF[IA] must\n"
                               "  REF[DP] not used\n"
                               "  N1[ST].N104 length 13 13\n"
                               "  BEG05 not used\n";
    const struct guide *g = NULL;
    struct complaints c;

    (void)state;
    complaints_init(&c);
    assert_int_equal(guides_read_delta(guides, SLICE("a"), slice_of(text), &c, &g, NULL), 0);
    for (unsigned i = 0; i < sizeof(partner_cases) / sizeof(partner_cases[0]); i++)
        run_case(&partner_cases[i], g);
    complaints_deinit(&c);
}

/* Ship notices: of one level of the hierarchy, of one party. */
static const struct {
    const char *body, *expected;    /* segments behind BSN */
} level_cases[] = {
    { "HL*1**S~TD5*B*2*ABCD~N1*ST*A~N3*1 MAIN ST~HL*2*1*O~PRF*1~HL*3*2*P~MAN*GM*00000850000001010016~HL*4*3*I~SN1**1*EA~", "" },
    /* the level lacks it; other levels need not have it */
    { "HL*1**S~TD5*B*2*ABCD~HL*2*1*O~PRF*1~HL*3*2*P~HL*4*3*I~SN1**1*EA~HL*5*3*I~",
      "X12-AK3-3 MAN in loop HL: missing (expected MAN where HL03 is P, as the partner's guide demands) | AK3*MAN*8*HL*3\n"
      "X12-AK3-3 SN1 in loop HL: missing (expected SN1 where HL03 is I, as the partner's guide demands) | AK3*SN1*11*HL*3\n" },
    { "HL*1**S~TD5*B*2*ABCD~HL*2*1*O~PRF*1~MAN*CP*4711~HL*3*2*P~MAN*CP*4711~MAN*GM*00000850000001010016~",
      "X12-AK4-7 MAN01 Marks and Numbers Qualifier: \"CP\" is not in the code list (expected one of GM) | AK3*MAN*9*HL*8  AK4*1*88*7*CP\n" },
    /* both lines about one segment: its length from the one, its code from the other */
    { "HL*1**S~TD5*B*2*ABCD~MAN*GM*4~HL*2*1*P~MAN*GM*5~MAN*GM*00000850000001010016~",
      "X12-AK4-4 MAN02 Marks and Numbers: \"4\" has 1 character (expected exactly 20) | AK3*MAN*5*HL*8  AK4*2*87*4*4\n"
      "X12-AK4-4 MAN02 Marks and Numbers: \"5\" has 1 character (expected exactly 20) | AK3*MAN*7*HL*8  AK4*2*87*4*5\n"
      "X12-AK3-5 MAN in loop HL: occurs at least 2 times (expected at most 1 with GM in element 01, as the partner's guide "
      "demands) | AK3*MAN*8*HL*5\n" },
    /* once in each loop */
    { "HL*1**S~TD5*B*2*ABCD~HL*2*1*P~MAN*GM*00000850000001010016~HL*3*1*P~MAN*GM*00000850000001010023~", "" },
    /* one party has it, another need not */
    { "HL*1**S~TD5*B*2*ABCD~N1*ST*A~N1*SF*B~HL*2*1*O~PRF*1~N1*ST*A~HL*3*2*I~SN1**1*EA~N1*ST*A~",
      "X12-AK3-3 N3 in loop N1: missing (expected N3 where HL03 is S and N101 is ST, as the partner's guide demands) | AK3*N3*6*N1*3\n" },
    { "HL*1**S~TD5*B*2*ABCD~N1*ST*A~N3*1 MAIN ST~N1*ST*C~N3*1 MAIN ST~N1*ST*D~",
      "X12-AK3-4 N1 in loop N1: the loop occurs at least 2 times (expected at most 1 with ST in element 01 where HL03 is S, as "
      "the partner's guide demands) | AK3*N1*7*N1*4\n"
      "X12-AK3-3 N3 in loop N1: missing (expected N3 where HL03 is S and N101 is ST, as the partner's guide demands) | AK3*N3*10*N1*3\n" },
    /* general, but for one level */
    { "HL*1**S~TD5*B*2*ABCD~HL*2*1*O~PRF*1~REF*IA*1~HL*3*2*I~SN1**1*EA~PRF*1~",
      "X12-AK3-I6 PRF in loop HL: the partner's guide does not use it where HL03 is I | AK3*PRF*10*HL*2\n" },
};

static void test_levels(void **state)
{
    static const char text[] = "guide a/856 from x12/004010/856\n"
                               "  HL/MAN[GM].MAN02 length 20 20\n"
                               "  HL/MAN[GM] max 1\n"
                               "  HL[P]/MAN must\n"
                               "  HL[P]/MAN01 only GM\n"
                               "  HL[S]/TD5 must\n"
                               "  HL[I]/SN1 must\n"
                               "  HL[S]/N1[ST]/N3 must\n"
                               "  HL[S]/N1[ST] max 1\n"
                               "  HL/PRF may\n"
                               "  HL[I]/PRF not used\n"
                               "  CTT must\n";
    const struct guide *g = NULL;
    struct complaints c;

    (void)state;
    complaints_init(&c);
    if (guides_read_delta(guides, SLICE("a"), slice_of(text), &c, &g, NULL))
        fail_msg("%s", buf_text(&c.text));
    for (unsigned i = 0; i < sizeof(level_cases) / sizeof(level_cases[0]); i++) {
        struct edi_reader_options options = { .guides = guides, .partner = &g, .n_partner = 1, .complaints = &c };
        struct buf out, document;
        struct edi_sink sink = { .ctx = &out, .finding = on_finding };
        struct edi_reader *reader = NULL;

        buf_init(&out, 1 << 20);
        buf_init(&document, 1 << 20);
        finding_policy_init(&options.policy);
        buf_printf(&document,
                   "ISA*00*          *00*          *ZZ*NORTH          *ZZ*ACME           *260115*0905*U*00401*000000042*0*P*>~"
                   "GS*SH*NORTH*ACME*20260115*0905*7*X*004010~ST*856*0001~BSN*00*4711*20260115*1200~%sCTT*1~SE*0*0001~GE*1*7~"
                   "IEA*1*000000042~", level_cases[i].body);
        assert_int_equal(edi_reader_new(&options, &sink, &reader, NULL), 0);
        assert_int_equal(edi_reader_feed(reader, buf_slice(&document), NULL), 0);
        assert_int_equal(edi_reader_end(reader, NULL), 0);
        if (strcmp(buf_text(&out), level_cases[i].expected) != 0)
            fail_msg("%s:\n%s\nexpected:\n%s", level_cases[i].body, buf_text(&out), level_cases[i].expected);
        edi_reader_free(&reader);
        buf_deinit(&out);
        buf_deinit(&document);
    }
    complaints_deinit(&c);
}

static void test_dates(void **state)
{
    static const char *const right[] = { "20260115", "20240229", "20000229", "991231", "00010101", "240229" };
    static const char *const wrong[] = { "20260230", "20250229", "21000229", "20261301", "20260100", "20260132", "2026011", "2026-1-1",
                                         "", "202601150", "20260431", "00000000", "250229", "2026011 " };

    (void)state;
    for (unsigned i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        if (!check_is_date(slice_of(right[i])))
            fail_msg("%s", right[i]);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (check_is_date(slice_of(wrong[i])))
            fail_msg("%s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_partner),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
