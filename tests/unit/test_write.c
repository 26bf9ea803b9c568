/* write: segments, what is left out, what is refused, envelopes and their counts, marks, output. */
#include "base/limits.h"
#include "failing_malloc.h"
#include "writing.h"

static struct edi_writer *writer(void)
{
    struct edi_write_options o;
    edi_write_options_init(&o);
    return writer_with(&o);
}

static struct edi_envelope envelope(void)
{
    return (struct edi_envelope){
        .at = { 2026, 1, 15, 9, 5, -1 },
        .sender = SLICE("ACMECORP"),
        .receiver_qualifier = SLICE("01"),
        .receiver = SLICE("123456789"),
        .interchange_control = SLICE("42"),
        .group = SLICE("PO"),
        .group_control = SLICE("7"),
        .version = SLICE("004010"),
    };
}

/* --- Segments --- */

static void test_elements_gaps_and_ends(void **state)
{
    struct edi_writer *w = writer();
    struct segment s;

    (void)state;
    edi_write_begin(w, SLICE("PO1"));
    edi_write_element(w, 1, SLICE("1"));
    edi_write_element(w, 2, SLICE(""));
    edi_write_element(w, 4, SLICE("9.50"));
    edi_write_element(w, 5, SLICE(""));
    edi_write_element(w, 9, SLICE(""));
    assert_int_equal(edi_write_end(w, false, &s), 1);
    output_is(w, "PO1*1***9.50~");
    assert_int_equal(s.n, 4);
    assert_true(slice_is(segment_tag(&s), "PO1"));
    assert_true(slice_is(segment_bytes(&s), "PO1*1***9.50"));
    assert_true(slice_is(segment_element(&s, 1), "1"));
    assert_true(slice_is(segment_element(&s, 2), ""));
    assert_true(slice_is(segment_element(&s, 4), "9.50"));
    assert_int_equal(s.flags, 0);
    edi_writer_free(&w);
    assert_null(w);
}

static void test_components_and_repetitions(void **state)
{
    struct edi_writer *w = writer();
    struct edi_envelope e = envelope();
    struct segment s;

    (void)state;
    e.version = SLICE("005010");
    assert_int_equal(edi_write_interchange(w, &e), 0);
    edi_writer_taken(w);
    edi_write_begin(w, SLICE("REF"));
    edi_write_element(w, 1, SLICE("IA"));
    edi_write_component(w, 4, 1, SLICE("ZZ"));
    edi_write_component(w, 4, 3, SLICE("x"));
    edi_write_component(w, 4, 5, SLICE(""));
    edi_write_part(w, 5, 2, 2, SLICE("b"));
    edi_write_part(w, 5, 3, 1, SLICE("c"));
    edi_write_part(w, 5, 4, 1, SLICE(""));
    edi_write_repeat(w, 6, 1, SLICE("\"r\""));
    edi_write_element(w, 8, SLICE("t"));
    assert_int_equal(edi_write_end(w, false, &s), 1);
    output_is(w, "REF*IA***ZZ>>x*^>b^c*\"r\"**t~");
    assert_int_equal(s.flags, SEGMENT_PARTS | SEGMENT_ESCAPE);
    assert_true(slice_is(segment_element(&s, 5), "^>b^c"));
    edi_writer_free(&w);
}

static void test_empty_segments(void **state)
{
    struct edi_writer *w = writer();
    struct segment s;

    (void)state;
    edi_write_begin(w, SLICE("N3"));
    edi_write_element(w, 1, SLICE(""));
    assert_int_equal(edi_write_end(w, false, &s), 0);
    assert_null(s.base);
    /* a qualifier alone is nothing */
    edi_write_begin(w, SLICE("REF"));
    edi_write_constant(w, 1, SLICE("IA"));
    assert_int_equal(edi_write_end(w, false, NULL), 0);
    edi_write_begin(w, SLICE("N1"));
    edi_write_element(w, 2, SLICE("x"));
    edi_write_cancel(w);
    output_is(w, "");
    edi_write_begin(w, SLICE("UNS"));
    assert_int_equal(edi_write_end(w, true, NULL), 1);
    edi_write_begin(w, SLICE("REF"));
    edi_write_constant(w, 1, SLICE("IA"));
    edi_write_element(w, 2, SLICE("x"));
    assert_int_equal(edi_write_end(w, false, NULL), 1);
    output_is(w, "UNS~REF*IA*x~");
    edi_writer_free(&w);
}

/* Values of every length, in memory of exactly their size. */
static void test_every_length(void **state)
{
    struct edi_writer *w = writer();

    (void)state;
    for (size_t n = 1; n < 200; n++) {
        char *p = malloc(n);
        struct segment s;
        assert_non_null(p);
        for (size_t i = 0; i < n; i++)
            p[i] = (char)('!' + (i * 7 + n) % 9);
        edi_write_begin(w, SLICE("MSG"));
        assert_int_equal(edi_write_element(w, 1, slice(p, n)), 0);
        assert_int_equal(edi_write_end(w, false, &s), 1);
        assert_true(slice_eq(segment_element(&s, 1), slice(p, n)));
        /* and one wrong byte wherever it stands */
        for (size_t i = 0; i < n; i++) {
            static const char wrong[] = "*~>\n\x7f\x1f\xff";
            char kept = p[i];
            p[i] = wrong[(i + n) % 7];
            edi_write_begin(w, SLICE("MSG"));
            assert_int_equal(edi_write_element(w, 1, slice(p, n)), ERR_DATA);
            assert_int_equal(edi_write_end(w, false, NULL), 0);
            p[i] = kept;
        }
        free(p);
    }
    edi_writer_free(&w);
}

static void test_misuse_is_an_error_that_stays(void **state)
{
    struct edi_writer *w = writer();

    (void)state;
    assert_int_equal(edi_write_element(w, 1, SLICE("x")), ERR_USAGE);
    assert_int_equal(edi_write_begin(w, SLICE("REF")), ERR_USAGE);
    edi_writer_clear(w);
    edi_write_begin(w, SLICE("REF"));
    edi_write_element(w, 2, SLICE("x"));
    assert_int_equal(edi_write_element(w, 2, SLICE("y")), ERR_USAGE);
    assert_int_equal(edi_write_end(w, false, NULL), ERR_USAGE);
    edi_writer_clear(w);
    edi_write_begin(w, SLICE("REF"));
    edi_write_component(w, 2, 2, SLICE("x"));
    assert_int_equal(edi_write_component(w, 2, 2, SLICE("y")), ERR_USAGE);
    edi_writer_clear(w);
    edi_write_begin(w, SLICE("REF"));
    assert_int_equal(edi_write_element(w, LIMIT_ELEMENTS + 1, SLICE("y")), ERR_LIMIT);
    edi_writer_clear(w);
    assert_int_equal(edi_write_begin(w, SLICE("LONG")), ERR_USAGE);
    edi_writer_clear(w);
    assert_int_equal(edi_write_document_end(w), ERR_USAGE);
    edi_writer_clear(w);
    assert_int_equal(edi_write_end(w, false, NULL), ERR_USAGE);
    edi_writer_clear(w);
    output_is(w, "");
    edi_writer_free(&w);
}

/* --- What data may hold --- */

static void writes(enum edi_charset set, bool transliterate, bool replace, const char *value, const char *expected)
{
    struct edi_write_options o;
    struct edi_writer *w;
    int code;

    edi_write_options_init(&o);
    o.charset = set;
    o.transliterate = transliterate;
    o.replace = replace;
    w = writer_with(&o);
    edi_write_begin(w, SLICE("N1"));
    edi_write_element(w, 1, SLICE("ST"));
    code = edi_write_element(w, 2, slice_of(value));
    if (*expected == '!') {
        error_is(w, code, ERR_DATA, expected + 1);
    } else {
        char text[200];
        assert_int_equal(code, 0);
        edi_write_end(w, false, NULL);
        snprintf(text, sizeof(text), "N1*ST*%s~", expected);
        output_is(w, text);
    }
    edi_writer_free(&w);
}

static void test_charsets(void **state)
{
    (void)state;
    writes(CHARSET_EXTENDED, false, false, "Acme #1", "Acme #1");
    writes(CHARSET_EXTENDED, false, false, "Müller",
           "!N102: the character \"ü\" (U+00FC) is not in the extended character set");
    writes(CHARSET_EXTENDED, true, false, "Müller", "Mueller");
    writes(CHARSET_EXTENDED, true, false, "Ωmega",
           "!N102: the character \"Ω\" (U+03A9) is not in the extended character set, and nothing stands for it");
    writes(CHARSET_BASIC, false, false, "ACME", "ACME");
    writes(CHARSET_BASIC, false, false, "Acme",
           "!N102: the character \"c\" (U+0063) is not in the basic character set");
    writes(CHARSET_BASIC, true, false, "Acme & Söhne", "ACME & SOEHNE");
    writes(CHARSET_LATIN1, false, false, "Müller", "M\xfcller");
    writes(CHARSET_LATIN1, false, false, "10 €",
           "!N102: the character \"€\" (U+20AC) is not in the ISO 8859-1 character set");
    writes(CHARSET_LATIN1, true, false, "10 €", "10 EUR");
    writes(CHARSET_UTF8, false, false, "10 €", "10 €");
    writes(CHARSET_UTF8, false, false, "a\xff", "!N102: the value is not UTF-8: it holds the byte 0xFF");
}

static void test_delimiters_and_control_characters_in_data(void **state)
{
    (void)state;
    writes(CHARSET_EXTENDED, false, false, "a*b", "!N102: the value holds \"*\", which is the element separator");
    writes(CHARSET_EXTENDED, false, false, "a~b", "!N102: the value holds \"~\", which is the segment terminator");
    writes(CHARSET_EXTENDED, false, false, "a>b", "!N102: the value holds \">\", which is the component separator");
    writes(CHARSET_EXTENDED, false, true, "a*b~c>d", "a b c d");
    writes(CHARSET_EXTENDED, false, false, "a\nb", "!N102: the value holds a line break (U+000A)");
    writes(CHARSET_EXTENDED, false, false, "a\033b", "!N102: the value holds a control character (U+001B)");
    writes(CHARSET_UTF8, false, false, "a\xc2\x85" "b", "!N102: the value holds a control character (U+0085)");
    writes(CHARSET_EXTENDED, false, true, "a\r\nb", "a  b");
    /* what a character is written with may be a delimiter, too */
    writes(CHARSET_EXTENDED, true, false, "a\xe2\x89\xa5" "b",
           "!N102: the value holds \">\", which is the component separator");
}

static void test_repetition_separator_counts_where_the_version_has_one(void **state)
{
    struct edi_writer *w = writer();
    struct edi_envelope e = envelope();

    (void)state;
    edi_write_interchange(w, &e);
    edi_writer_taken(w);
    edi_write_begin(w, SLICE("N9"));
    assert_int_equal(edi_write_element(w, 1, SLICE("a^b")), 0);
    error_is(w, edi_write_repeat(w, 3, 2, SLICE("x")), ERR_DATA,
             "N903, repetition 2: this interchange has no repetition separator");
    edi_write_end(w, false, NULL);
    output_is(w, "N9*a^b~");
    edi_writer_clear(w);
    e.version = SLICE("005010");
    edi_write_interchange(w, &e);
    edi_write_begin(w, SLICE("N9"));
    error_is(w, edi_write_element(w, 1, SLICE("a^b")), ERR_DATA,
             "N901: the value holds \"^\", which is the repetition separator");
    error_is(w, edi_write_component(w, 2, 3, SLICE("a^b")), ERR_DATA,
             "N902-3: the value holds \"^\", which is the repetition separator");
    edi_writer_free(&w);
}

static void test_a_release_character(void **state)
{
    struct edi_write_options o;
    struct edi_writer *w;

    (void)state;
    edi_write_options_init(&o);
    o.syntax = (struct edi_syntax){ .element = '+', .terminator = '\'', .component = ':', .release = '?' };
    w = writer_with(&o);
    edi_write_begin(w, SLICE("FTX"));
    assert_int_equal(edi_write_element(w, 4, SLICE("what? 1+1 o'clock")), 0);
    edi_write_end(w, false, NULL);
    edi_write_begin(w, SLICE("FTX"));
    assert_int_equal(edi_write_element(w, 4, SLICE("what?")), 0);
    edi_write_end(w, false, NULL);
    output_is(w, "FTX++++what?\? 1?+1 o?'clock'FTX++++what?\?'");
    edi_writer_free(&w);
}

static void test_a_line_break_as_terminator(void **state)
{
    struct edi_write_options o;
    struct edi_writer *w;

    (void)state;
    edi_write_options_init(&o);
    o.syntax.terminator = '\n';
    o.line_end = "\r\n";
    w = writer_with(&o);
    edi_write_begin(w, SLICE("MSG"));
    error_is(w, edi_write_element(w, 1, SLICE("a\nb")), ERR_DATA,
             "MSG01: the value holds the character 0x0A, which is the segment terminator");
    edi_write_element(w, 1, SLICE("a"));
    edi_write_end(w, false, NULL);
    /* and no empty lines where a line end was asked for, too */
    output_is(w, "MSG*a\n");
    edi_writer_free(&w);
}

static void test_delimiters_that_cannot_serve(void **state)
{
    static const struct {
        struct edi_syntax syntax;
        enum edi_charset charset;
        const char *words;
    } cases[] = {
        { { '*', '~', '*', '^', 0 }, CHARSET_EXTENDED,
          "element separator and component separator are the same (0x2A)" },
        { { 'A', '~', '>', 0, 0 }, CHARSET_EXTENDED, "the element separator cannot be \"A\": data are full of it" },
        { { '*', '.', '>', 0, 0 }, CHARSET_EXTENDED, "the segment terminator cannot be \".\": data are full of it" },
        { { '*', 0, '>', 0, 0 }, CHARSET_EXTENDED, "an element separator and a segment terminator are needed" },
        { { '*', '\x85', '>', 0, 0 }, CHARSET_UTF8, "the segment terminator cannot be 0x85 where text is UTF-8" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct edi_write_options o;
        struct edi_writer *w = NULL;
        struct err err;
        edi_write_options_init(&o);
        o.syntax = cases[i].syntax;
        o.charset = cases[i].charset;
        assert_int_equal(edi_writer_new(&o, &w, &err), ERR_USAGE);
        assert_string_equal(err.text, cases[i].words);
        assert_null(w);
    }
}

/* --- Envelopes --- */

static void test_a_whole_interchange(void **state)
{
    struct edi_write_options o;
    struct edi_writer *w;
    struct edi_envelope e = envelope();

    (void)state;
    edi_write_options_init(&o);
    o.line_end = "\n";
    w = writer_with(&o);
    assert_int_equal(edi_write_interchange(w, &e), 0);
    assert_int_equal(edi_write_group(w, &e), 0);
    for (int i = 1; i < 3; i++) {
        const char *control = i == 1 ? "1" : "2";
        assert_int_equal(edi_write_document(w, SLICE("850"), slice_of(control), SLICE("")), 0);
        edi_write_begin(w, SLICE("BEG"));
        edi_write_element(w, 1, SLICE("00"));
        edi_write_end(w, false, NULL);
        assert_int_equal(edi_write_document_end(w), 0);
    }
    assert_int_equal(edi_write_group_end(w), 0);
    e.group = SLICE("PC");
    e.group_control = SLICE("0008");
    e.group_sender = SLICE("GRP");
    e.version = SLICE("005010X1");
    e.at.second = 7;
    assert_int_equal(edi_write_group(w, &e), 0);
    assert_int_equal(edi_write_document(w, SLICE("860"), SLICE("AB01"), SLICE("005010X1")), 0);
    assert_int_equal(edi_write_document_end(w), 0);
    assert_int_equal(edi_write_group_end(w), 0);
    assert_int_equal(edi_write_interchange_end(w), 0);
    output_is(w, "ISA*00*          *00*          *ZZ*ACMECORP       *01*123456789      *260115*0905*U*00401"
                 "*000000042*0*P*>~\n"
                 "GS*PO*ACMECORP*123456789*20260115*0905*7*X*004010~\n"
                 "ST*850*0001~\nBEG*00~\nSE*3*0001~\n"
                 "ST*850*0002~\nBEG*00~\nSE*3*0002~\n"
                 "GE*2*7~\n"
                 "GS*PC*GRP*123456789*20260115*090507*0008*X*005010X1~\n"
                 "ST*860*AB01*005010X1~\nSE*2*AB01~\n"
                 "GE*1*0008~\n"
                 "IEA*2*000000042~\n");
    edi_writer_free(&w);
}

static void test_versions_of_the_envelope(void **state)
{
    struct edi_writer *w = writer();
    struct edi_envelope e = envelope();

    (void)state;
    e.version = SLICE("005010");
    e.usage = 'T';
    e.acknowledgment = true;
    e.authorization_qualifier = SLICE("03");
    e.authorization = SLICE("AUTH");
    edi_write_interchange(w, &e);
    output_is(w, "ISA*03*AUTH      *00*          *ZZ*ACMECORP       *01*123456789      *260115*0905*^*00501"
                 "*000000042*1*T*>~");
    edi_writer_clear(w);
    /* before 004010 a date has no century */
    e = envelope();
    e.version = SLICE("003040");
    e.interchange_version = SLICE("00300");
    edi_write_interchange(w, &e);
    edi_writer_taken(w);
    edi_write_group(w, &e);
    output_is(w, "GS*PO*ACMECORP*123456789*260115*0905*7*X*003040~");
    edi_writer_free(&w);
    /* whatever the ISA's version */
    w = writer();
    e.interchange_version = SLICE("00401");
    edi_write_interchange(w, &e);
    edi_writer_taken(w);
    edi_write_group(w, &e);
    output_is(w, "GS*PO*ACMECORP*123456789*260115*0905*7*X*003040~");
    edi_writer_free(&w);
}

static void envelope_refused(struct edi_envelope e, const char *words)
{
    struct edi_writer *w = writer();
    int code = edi_write_interchange(w, &e);

    if (!code) {
        edi_writer_taken(w);
        code = edi_write_group(w, &e);
    }
    error_is(w, code, ERR_DATA, words);
    output_is(w, "");
    /* and nothing is lost by it */
    e = envelope();
    if (edi_write_group(w, &e)) {
        edi_writer_clear(w);
        assert_int_equal(edi_write_interchange(w, &e), 0);
    }
    edi_writer_free(&w);
}

static void test_envelopes_that_do_not_fit(void **state)
{
    struct edi_envelope e;

    (void)state;
    e = envelope();
    e.sender = SLICE("SIXTEEN-LETTERS-");
    envelope_refused(e, "ISA06: the sender's id has 16 characters and must have 1 to 15");
    e = envelope();
    e.receiver = SLICE("");
    envelope_refused(e, "ISA08: the receiver's id is missing");
    e = envelope();
    e.receiver_qualifier = SLICE("1");
    envelope_refused(e, "ISA07: the receiver's qualifier has 1 characters and not 2");
    e = envelope();
    e.sender = SLICE("A*B");
    envelope_refused(e, "ISA06: the value holds \"*\", which is the element separator");
    e = envelope();
    e.interchange_control = SLICE("1234567890");
    envelope_refused(e, "ISA13: the interchange control number must be a number of at most nine digits");
    e = envelope();
    e.interchange_control = SLICE("");
    envelope_refused(e, "ISA13: the interchange control number must be a number of at most nine digits");
    e = envelope();
    e.at.month = 2;
    e.at.day = 29;
    envelope_refused(e, "ISA09: 2026-02-29 09:05 is not a date and time");
    e = envelope();
    e.version = SLICE("VICS");
    envelope_refused(e, "ISA12: the version \"VICS\" does not begin with five digits");
    e = envelope();
    e.usage = 'X';
    envelope_refused(e, "ISA15: the usage is P, T or I");
    e = envelope();
    e.group_control = SLICE("A1");
    envelope_refused(e, "GS06: the group control number must be a number of at most nine digits");
    e = envelope();
    e.group = SLICE("PURCHASE");
    envelope_refused(e, "GS01: the functional identifier code has 8 characters and not 2");
    e = envelope();
    e.group_receiver = SLICE("SIXTEEN-LETTERS-");
    envelope_refused(e, "GS03: the receiver's code has 16 characters and must have 1 to 15");
}

static void test_a_refused_value_refuses_the_document(void **state)
{
    struct edi_writer *w = writer();
    struct edi_envelope e = envelope();
    struct edi_mark mark;

    (void)state;
    edi_write_interchange(w, &e);
    edi_write_group(w, &e);
    edi_writer_taken(w);
    assert_int_equal(edi_writer_mark(w, &mark), 0);
    edi_write_document(w, SLICE("850"), SLICE("1"), SLICE(""));
    edi_write_begin(w, SLICE("MSG"));
    assert_int_equal(edi_write_element(w, 1, SLICE("a*b")), ERR_DATA);
    assert_int_equal(edi_write_element(w, 1, SLICE("fine")), 0);
    edi_write_end(w, false, NULL);
    error_is(w, edi_write_document_end(w), ERR_DATA, "1 value of the document cannot be written");
    edi_writer_rewind(w, &mark);
    output_is(w, "");
    assert_int_equal(edi_writer_mark(w, &mark), 0);
    edi_write_document(w, SLICE("850"), SLICE("2"), SLICE(""));
    assert_int_equal(edi_write_document_end(w), 0);
    edi_writer_release(w);
    edi_write_group_end(w);
    output_is(w, "ST*850*0002~SE*2*0002~GE*1*7~");
    edi_writer_free(&w);
}

static void test_delimiters_change_between_interchanges(void **state)
{
    struct edi_writer *w = writer();
    struct edi_envelope e = envelope();
    struct edi_syntax syntax = { '|', '\n', ':', '!', 0 };

    (void)state;
    edi_write_interchange(w, &e);
    assert_int_equal(edi_writer_syntax(w, &syntax), ERR_USAGE);
    edi_write_interchange_end(w);
    edi_writer_taken(w);
    assert_int_equal(edi_writer_syntax(w, &syntax), 0);
    e.version = SLICE("005010");
    edi_write_interchange(w, &e);
    edi_write_interchange_end(w);
    output_is(w, "ISA|00|          |00|          |ZZ|ACMECORP       |01|123456789      |260115|0905|!|00501"
                 "|000000042|0|P|:\nIEA|0|000000042\n");
    edi_writer_free(&w);
}

/* --- Output --- */

struct gathered {
    size_t n, calls, fail_at;
};

static int gather(void *ctx, const char *p, size_t n, struct err *err)
{
    struct gathered *g = ctx;

    (void)p;
    if (++g->calls == g->fail_at)
        return err_set(err, ERR_IO, "the disk is full");
    g->n += n;
    return 0;
}

static int fill(struct edi_writer *w, size_t segments)
{
    int code = 0;

    for (size_t i = 0; i < segments && code >= 0; i++) {
        code = edi_write_begin(w, SLICE("MSG"));
        if (!code)
            code = edi_write_element(w, 1, SLICE("0123456789012345678901234567890123456789"));
        if (!code)
            code = edi_write_end(w, false, NULL);
    }
    return code < 0 ? code : 0;
}

static void test_output_goes_out_in_pieces(void **state)
{
    struct gathered g = { 0 };
    struct edi_write_options o;
    struct edi_writer *w;
    struct edi_mark mark;

    (void)state;
    edi_write_options_init(&o);
    o.write = gather;
    o.ctx = &g;
    w = writer_with(&o);
    assert_int_equal(fill(w, 10000), 0);
    assert_in_range(g.calls, 5, 7);
    assert_int_equal(edi_writer_flush(w), 0);
    assert_int_equal(g.n, 450000);
    /* what a mark holds stays */
    g.calls = 0;
    assert_int_equal(edi_writer_mark(w, &mark), 0);
    assert_int_equal(fill(w, 10000), 0);
    assert_int_equal(g.calls, 0);
    edi_writer_rewind(w, &mark);
    assert_int_equal(edi_writer_flush(w), 0);
    assert_int_equal(g.calls, 0);
    edi_writer_mark(w, &mark);
    fill(w, 10000);
    edi_writer_release(w);
    edi_writer_flush(w);
    assert_int_equal(g.n, 900000);
    edi_writer_free(&w);
}

static void test_output_that_fails(void **state)
{
    struct gathered g = { .fail_at = 2 };
    struct edi_write_options o;
    struct edi_writer *w;

    (void)state;
    edi_write_options_init(&o);
    o.write = gather;
    o.ctx = &g;
    w = writer_with(&o);
    error_is(w, fill(w, 10000), ERR_IO, "the disk is full");
    assert_int_equal(edi_write_begin(w, SLICE("MSG")), ERR_IO);
    edi_writer_free(&w);
}

static void test_a_ceiling(void **state)
{
    struct edi_write_options o;
    struct edi_writer *w;
    struct edi_mark mark;

    (void)state;
    edi_write_options_init(&o);
    o.ceiling = 100000;
    w = writer_with(&o);
    fill(w, 10);
    edi_writer_mark(w, &mark);
    error_is(w, fill(w, 10000), ERR_LIMIT, "a document takes more memory than it may");
    edi_writer_rewind(w, &mark);
    assert_int_equal(edi_writer_output(w).n, 450);
    assert_int_equal(fill(w, 10), 0);
    assert_int_equal(edi_writer_output(w).n, 900);
    edi_writer_free(&w);
}

static int write_something(void *arg)
{
    struct edi_write_options o;
    struct edi_writer *w = NULL;
    struct edi_envelope e = envelope();
    struct err err;
    int code;

    (void)arg;
    edi_write_options_init(&o);
    o.transliterate = true;
    code = edi_writer_new(&o, &w, &err);
    if (!code)
        code = edi_write_interchange(w, &e);
    if (!code)
        code = edi_write_group(w, &e);
    if (!code)
        code = edi_write_document(w, SLICE("850"), SLICE("1"), SLICE(""));
    if (!code)
        code = edi_write_begin(w, SLICE("MSG"));
    if (!code)
        code = edi_write_component(w, 1, 2, SLICE("Müllermüllermüllermüllermüllermüllermüllermüllermüllermüllermüller"));
    if (!code)
        code = edi_write_end(w, false, NULL);
    if (code >= 0)
        code = fill(w, 500);
    if (!code)
        code = edi_write_document_end(w);
    edi_writer_free(&w);
    return code < 0 ? code : 0;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(write_something, NULL) > 3);
}

/* Elements written at once are those written one by one, or it says so. */
static void test_elements_at_once(void **state)
{
    static const char *const words[] = { "A", "BC", "123", "1234", "12345678", "O'BRIEN & SONS 12", "quote\" here",
                                         "back\\slash", "0123456789012345678901234567890123", "st*r", "til~de",
                                         "co>lon", "tab\there", "\xc3\x9c", "" };
    enum { WORDS = sizeof(words) / sizeof(words[0]), PLAIN = 9, ELEMENTS = 40 };
    struct cell {
        int before;
        struct slice value;
    } cell[ELEMENTS];
    uint64_t seed = 1, plain = 0, odd = 0;

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        struct edi_writer *at_once = writer(), *one_by_one = writer();
        struct segment a, b;
        uint64_t mask = 0;
        bool expected = true;
        int code;

        for (unsigned i = 0; i < ELEMENTS; i++) {
            unsigned word;
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            word = (unsigned)(seed >> 33) % (round % 2 ? PLAIN : WORDS);
            cell[i].value = slice_of(words[word]);
            if ((seed >> 40) % (1 + round % 7) == 0 && (seed >> 50) % 3 == 0) {
                mask |= 1ull << i;
                expected &= word < PLAIN;
            }
        }
        edi_write_begin(at_once, SLICE("PO1"));
        edi_write_begin(one_by_one, SLICE("PO1"));
        code = edi_write_elements(at_once, mask, &cell[0].value, sizeof(cell[0]));
        assert_int_equal(code, mask == 0 || expected ? 0 : 1);
        if (code) {
            odd++;
            edi_write_cancel(at_once);
        } else {
            plain++;
            for (unsigned i = 0; i < ELEMENTS; i++)
                if (mask >> i & 1)
                    assert_int_equal(edi_write_element(one_by_one, i + 1, cell[i].value), 0);
            assert_int_equal(edi_write_end(at_once, false, &a), edi_write_end(one_by_one, false, &b));
            assert_true(slice_eq(edi_writer_output(at_once), edi_writer_output(one_by_one)));
            assert_int_equal(a.n, b.n);
            assert_int_equal(a.flags, b.flags);
            for (unsigned i = 0; a.base && i <= a.n; i++)
                assert_int_equal(a.at[i], b.at[i]);
        }
        edi_writer_free(&at_once);
        edi_writer_free(&one_by_one);
    }
    assert_true(plain > 500 && odd > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements_gaps_and_ends),
        cmocka_unit_test(test_components_and_repetitions),
        cmocka_unit_test(test_empty_segments),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_misuse_is_an_error_that_stays),
        cmocka_unit_test(test_charsets),
        cmocka_unit_test(test_delimiters_and_control_characters_in_data),
        cmocka_unit_test(test_repetition_separator_counts_where_the_version_has_one),
        cmocka_unit_test(test_a_release_character),
        cmocka_unit_test(test_a_line_break_as_terminator),
        cmocka_unit_test(test_delimiters_that_cannot_serve),
        cmocka_unit_test(test_a_whole_interchange),
        cmocka_unit_test(test_versions_of_the_envelope),
        cmocka_unit_test(test_envelopes_that_do_not_fit),
        cmocka_unit_test(test_a_refused_value_refuses_the_document),
        cmocka_unit_test(test_elements_at_once),
        cmocka_unit_test(test_delimiters_change_between_interchanges),
        cmocka_unit_test(test_output_goes_out_in_pieces),
        cmocka_unit_test(test_output_that_fails),
        cmocka_unit_test(test_a_ceiling),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
