/*
 * write, for EDIFACT: envelopes, the service string advice, control references, what is released, and in each character
 * set: whatever is written reads as it was, and a checker is shown the same as a reader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "edi/dialect.h"
#include "edi/reader.h"
#include "edi/write.h"
#include "failing_malloc.h"

static struct guides *guides;

static int set_up(void **state)
{
    const char *directory = getenv("WAYBILL_MAPS_DIR");
    struct err err;

    (void)state;
    return guides_new(directory ? directory : "maps", &guides, &err);
}

static int tear_down(void **state)
{
    (void)state;
    guides_free(&guides);
    return 0;
}

static struct edi_writer *writer_with(const struct edi_write_options *o)
{
    struct edi_writer *w;
    struct err err = { 0 };

    if (edi_writer_new(o, &w, &err))
        fail_msg("%s", err.text);
    return w;
}

static struct edi_envelope envelope(void)
{
    return (struct edi_envelope){
        .at = { 2026, 11, 20, 9, 5, -1 },
        .sender_qualifier = SLICE("14"),
        .sender = SLICE("4012345000009"),
        .receiver_qualifier = SLICE("14"),
        .receiver = SLICE("4098765000005"),
        .interchange_control = SLICE("42"),
        .message = { SLICE("D"), SLICE("01B"), SLICE("UN"), SLICE("EAN010") },
    };
}

static void output_is(struct edi_writer *w, const char *expected)
{
    struct slice s = edi_writer_output(w);
    char *text = calloc(1, s.n + 1);

    assert_non_null(text);
    if (s.n)
        memcpy(text, s.p, s.n);
    assert_string_equal(text, expected);
    free(text);
}

static void error_is(struct edi_writer *w, int code, int expected, const char *words)
{
    assert_int_equal(code, expected);
    assert_string_equal(edi_writer_error(w)->text, words);
}

/* --- Envelopes --- */

static void test_a_whole_interchange(void **state)
{
    struct edi_write_options o;
    struct edi_writer *w;
    struct edi_envelope e = envelope();

    (void)state;
    edi_write_options_edifact(&o);
    w = writer_with(&o);
    assert_int_equal(edi_write_interchange(w, &e), 0);
    assert_int_equal(edi_write_document(w, SLICE("ORDERS"), SLICE("1"), SLICE("not looked at")), 0);
    edi_write_begin(w, SLICE("BGM"));
    edi_write_component(w, 1, 1, SLICE("220"));
    edi_write_component(w, 1, 4, SLICE(""));
    edi_write_element(w, 2, SLICE("A?+B"));
    edi_write_element(w, 3, SLICE(""));
    assert_int_equal(edi_write_end(w, false, NULL), 1);
    assert_int_equal(edi_write_document_end(w), 0);
    assert_int_equal(edi_write_document(w, SLICE("ORDERS"), SLICE("M/2"), SLICE("")), 0);
    assert_int_equal(edi_write_document_end(w), 0);
    assert_int_equal(edi_write_interchange_end(w), 0);
    output_is(
        w, "UNA:+.? 'UNB+UNOC:3+4012345000009:14+4098765000005:14+261120:0905+42'"
           "UNH+1+ORDERS:D:01B:UN:EAN010'BGM+220+A?\??+B'UNT+3+1'UNH+M/2+ORDERS:D:01B:UN:EAN010'UNT+2+M/2'UNZ+2+42'");
    edi_writer_free(&w);
}

/* One interchange without messages; what is refused leaves nothing, not even the UNA. */
static void opens_as(const struct edi_write_options *o, const struct edi_envelope *e, const char *expected)
{
    struct edi_writer *w = writer_with(o);
    int code = edi_write_interchange(w, e);

    if (expected[0] == '!') {
        error_is(w, code, ERR_DATA, expected + 1);
        output_is(w, "");
        /* and the next one is none the worse */
        assert_int_equal(edi_write_interchange(w, &(struct edi_envelope){ .at = envelope().at,
                                                                          .sender = SLICE("S"),
                                                                          .receiver = SLICE("R"),
                                                                          .interchange_control = SLICE("1") }),
                         0);
    } else {
        assert_int_equal(code, 0);
        output_is(w, expected);
    }
    edi_writer_free(&w);
}

static void test_interchange_headers(void **state)
{
    struct edi_write_options o;
    struct edi_envelope e = envelope();

    (void)state;
    edi_write_options_edifact(&o);
    o.una = false;
    opens_as(&o, &e, "UNB+UNOC:3+4012345000009:14+4098765000005:14+261120:0905+42'");
    e.interchange_version = SLICE("4");
    opens_as(&o, &e, "UNB+UNOC:4+4012345000009:14+4098765000005:14+20261120:0905+42'");
    o.una = true;
    o.line_end = "\r\n";
    o.charset = CHARSET_UTF8;
    e.character_set = SLICE("UNOY");
    e.sender_qualifier = slice(NULL, 0);
    e.receiver_routing = SLICE("DEPOT 7");
    e.security = SLICE("PASS");
    e.security_qualifier = SLICE("AA");
    e.application = SLICE("ORDERS");
    e.acknowledgment = true;
    e.agreement = SLICE("EANCOM");
    e.usage = 'T';
    opens_as(&o, &e,
             "UNA:+.?*'\r\nUNB+UNOY:4+4012345000009+4098765000005:14:DEPOT "
             "7+20261120:0905+42+PASS:AA+ORDERS++1+EANCOM+1'\r\n");
    edi_write_options_edifact(&o);
    o.una = false;
    o.decimal = ',';
    o.charset = CHARSET_UNOA;
    e = envelope();
    e.interchange_version = SLICE("1");
    e.interchange_control = SLICE("A+'B:C?D-123.4");
    opens_as(&o, &e, "UNA:+,? 'UNB+UNOA:1+4012345000009:14+4098765000005:14+261120:0905+A?+?'B?:C?\?D-123.4'");
    o.syntax = (struct edi_syntax){ .element = 0x1d, .terminator = 0x1c, .component = 0x1f };
    o.charset = CHARSET_UNOB;
    o.decimal = 0;
    opens_as(&o, &e,
             "UNA\x1f\x1d.  \x1cUNB\x1dUNOB\x1f"
             "1\x1d"
             "4012345000009\x1f"
             "14\x1d"
             "4098765000005\x1f"
             "14\x1d"
             "261120\x1f"
             "0905\x1d"
             "A+'B:C?D-123.4\x1c");
}

static void test_headers_that_cannot_be(void **state)
{
    struct edi_write_options o;
    struct edi_envelope e = envelope();

    (void)state;
    edi_write_options_edifact(&o);
    e.interchange_control = SLICE("123456789012345");
    opens_as(&o, &e, "!UNB05: the value has 15 characters and may have 14");
    e.interchange_control = SLICE("");
    opens_as(&o, &e, "!UNB05: the interchange control reference is missing");
    e = envelope();
    e.sender = SLICE("");
    opens_as(&o, &e, "!UNB02-1: the sender's id is missing");
    e = envelope();
    e.receiver = SLICE("Łódź");
    opens_as(&o, &e, "!UNB03-1: the character \"Ł\" (U+0141) is not in the ISO 8859-1 character set");
    e = envelope();
    e.at.month = 13;
    opens_as(&o, &e, "!UNB04: 2026-13-20 09:05 is not a date and time");
    e = envelope();
    e.interchange_version = SLICE("5");
    opens_as(&o, &e, "!UNB01-2: \"5\" is not a syntax version: 1, 2, 3 or 4");
    e = envelope();
    e.character_set = SLICE("UNOA");
    opens_as(&o, &e, "!UNB01-1: \"UNOA\" is not a name of the ISO 8859-1 character set");
    e = envelope();
    e.usage = 'X';
    opens_as(&o, &e, "!UNB11: the usage is P, T or I");
    e = envelope();
    e.message.release = SLICE("0123456789012345678");
    opens_as(&o, &e, "!0054: \"0123456789012345678\" is too long");
}

static void test_groups(void **state)
{
    struct edi_write_options o;
    struct edi_writer *w;
    struct edi_envelope e = envelope();
    struct edi_mark mark;

    (void)state;
    edi_write_options_edifact(&o);
    o.una = false;
    w = writer_with(&o);
    e.group = SLICE("ORDERS");
    e.group_sender = SLICE("US");
    e.group_sender_qualifier = SLICE("ZZ");
    e.group_control = SLICE("7");
    assert_int_equal(edi_write_interchange(w, &e), 0);
    edi_writer_taken(w);
    assert_int_equal(edi_write_group(w, &e), 0);
    assert_int_equal(edi_write_document(w, SLICE("ORDERS"), SLICE("1"), SLICE("")), 0);
    assert_int_equal(edi_write_document_end(w), 0);
    assert_int_equal(edi_write_group_end(w), 0);
    /* what is taken back counts for nothing */
    assert_int_equal(edi_writer_mark(w, &mark), 0);
    assert_int_equal(edi_write_group(w, &e), 0);
    assert_int_equal(edi_write_document(w, SLICE("ORDERS"), SLICE("9"), SLICE("")), 0);
    edi_writer_rewind(w, &mark);
    assert_int_equal(edi_write_interchange_end(w), 0);
    output_is(w, "UNG+ORDERS+US:ZZ+4098765000005+261120:0905+7+UN+D:01B:EAN010'"
                 "UNH+1+ORDERS:D:01B:UN:EAN010'UNT+2+1'UNE+1+7'UNZ+1+42'");
    /* another interchange, without: messages of several kinds */
    edi_writer_clear(w);
    assert_int_equal(edi_write_interchange(w, &e), 0);
    edi_writer_taken(w);
    assert_int_equal(edi_write_document(w, SLICE("ORDERS"), SLICE("1"), SLICE("")), 0);
    assert_int_equal(edi_write_document_end(w), 0);
    assert_int_equal(edi_writer_message(w, &(struct edi_message_type){ .version = SLICE("4"), .release = SLICE("1") }),
                     0);
    assert_int_equal(edi_write_document(w, SLICE("CONTRL"), SLICE("2"), SLICE("")), 0);
    assert_int_equal(edi_write_document_end(w), 0);
    error_is(w, edi_write_group(w, &e), ERR_USAGE, "documents of an interchange stand in groups, or none does");
    edi_writer_clear(w);
    assert_int_equal(edi_write_interchange(w, &e), 0);
    edi_writer_taken(w);
    assert_int_equal(edi_write_group(w, &e), 0);
    assert_int_equal(edi_write_group_end(w), 0);
    error_is(w, edi_write_document(w, SLICE("ORDERS"), SLICE("1"), SLICE("")), ERR_USAGE,
             "documents of an interchange stand in groups, or none does");
    edi_writer_clear(w);
    e.message = (struct edi_message_type){ .version = SLICE("2"), .release = SLICE("2") };
    assert_int_equal(edi_write_interchange(w, &e), 0);
    edi_writer_taken(w);
    error_is(w, edi_write_document(w, SLICE("ORDERS7"), SLICE("1"), SLICE("")), ERR_DATA,
             "UNH02-1: the value has 7 characters and may have 6");
    assert_int_equal(edi_write_document(w, SLICE("CONTRL"), SLICE("2"), SLICE("")), 0);
    assert_int_equal(edi_write_document_end(w), 0);
    assert_int_equal(edi_write_interchange_end(w), 0);
    output_is(w, "UNH+2+CONTRL:2:2:UN'UNT+2+2'UNZ+1+42'");
    edi_writer_free(&w);
}

static void cannot_be(const struct edi_write_options *o, const char *words)
{
    struct edi_writer *w;
    struct err err = { 0 };

    assert_int_equal(edi_writer_new(o, &w, &err), ERR_USAGE);
    assert_null(w);
    assert_string_equal(err.text, words);
}

static void test_options(void **state)
{
    struct edi_write_options o, x12;
    struct edi_writer *w;
    struct edi_envelope e = envelope();

    (void)state;
    edi_write_options_edifact(&o);
    o.charset = CHARSET_EXTENDED;
    cannot_be(&o, "EDIFACT has no name for the extended character set");
    edi_write_options_edifact(&o);
    o.decimal = '\'';
    cannot_be(&o, "the decimal mark is a point or a comma");
    o.decimal = ',';
    o.syntax.component = ',';
    cannot_be(&o, "the decimal mark cannot separate as well");
    edi_write_options_edifact(&o);
    o.syntax.release = ':';
    cannot_be(&o, "component separator and release character are the same (0x3A)");
    o.syntax.release = (char)0xa7;
    cannot_be(&o, "the release character cannot be 0xA7 where text is ISO 8859-1");

    /* one writer, two dialects */
    edi_write_options_init(&x12);
    w = writer_with(&x12);
    assert_ptr_equal(edi_writer_dialect(w), &dialect_x12);
    assert_int_equal(edi_writer_decimal(w), '.');
    edi_write_options_edifact(&o);
    o.decimal = ',';
    assert_int_equal(edi_writer_options(w, &o), 0);
    assert_ptr_equal(edi_writer_dialect(w), &dialect_edifact);
    assert_int_equal(edi_writer_decimal(w), ',');
    assert_int_equal(edi_write_interchange(w, &e), 0);
    assert_int_equal(edi_writer_options(w, &x12), ERR_USAGE);
    assert_int_equal(edi_write_interchange_end(w), 0);
    assert_int_equal(edi_writer_options(w, &x12), 0);
    e.version = SLICE("004010");
    edi_writer_taken(w);
    assert_int_equal(edi_write_interchange(w, &e), 0);
    output_is(
        w,
        "ISA*00*          *00*          *14*4012345000009  *14*4098765000005  *261120*0905*U*00401*000000042*0*P*>~");
    edi_writer_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_interchange),
        cmocka_unit_test(test_interchange_headers),
        cmocka_unit_test(test_headers_that_cannot_be),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
