/*
 * write, for EDIFACT: envelopes, the service string advice, control references, what is released, and in each character
 * set: whatever is written reads as it was, and a checker is shown the same as a reader.
 */
#include "edi/dialect.h"
#include "failing_malloc.h"
#include "reading.h"
#include "writing.h"

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

/* --- What is written is read --- */

enum { SEGMENTS = 40, ELEMENTS = 6, REPETITIONS = 2, PARTS = 4, LONGEST = 24 };

static uint64_t seed = 1;

static unsigned any_of(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

struct value {
    char text[LONGEST * 4];
    size_t n;
};

struct written {
    struct value value[ELEMENTS][REPETITIONS][PARTS];
    char shown[8 << 10]; /* to a checker */
    size_t shown_n;
    unsigned flags;
};

struct reading {
    const struct written *written;
    unsigned n, at;
    struct edi_syntax syntax;
};

/* A value of characters of the set; delimiters come more often than chance would have it, where they can be released. */
static void any_value(const struct edi_write_options *o, struct value *v)
{
    const char delimiters[] = { o->syntax.element, o->syntax.component, o->syntax.terminator, o->syntax.release, '*' };
    unsigned length = any_of(4) ? any_of(LONGEST) : 0;
    uint16_t page[CHARSET_PAGE];
    bool has_page = charset_page(o->charset, page);

    v->n = 0;
    while (length) {
        uint32_t c = ' ' + any_of(95);
        if (o->syntax.release && any_of(5) == 0)
            c = (unsigned char)delimiters[any_of(sizeof(delimiters))];
        else if (has_page && any_of(3) == 0)
            c = page[any_of(CHARSET_PAGE)];
        else if (o->charset == CHARSET_UTF8 && any_of(3) == 0)
            c = any_of(2) ? 0xa0 + any_of(0x2000 - 0xa0) : 0x10000 + any_of(0x10000);
        if (!c || !charset_has(o->charset, c))
            continue;
        v->n += utf8_put(c, v->text + v->n);
        length--;
    }
}

/* What is between the separators, at place n from 0; 0: there is no separator. */
static struct slice cut(struct slice s, char separator, unsigned n)
{
    struct slice one, rest = s;
    bool more = true;

    if (!separator)
        return n ? slice(NULL, 0) : s;
    do {
        if (!more)
            return slice(NULL, 0);
        one = slice_cut(rest, separator, &rest, &more);
    } while (n--);
    return one;
}

static int on_interchange(void *ctx, const struct edi_interchange *i)
{
    struct reading *r = ctx;
    r->syntax = i->syntax;
    return 0;
}

static int on_segment(void *ctx, const struct segment *s)
{
    struct reading *r = ctx;
    const struct written *x = &r->written[r->at];
    const char component = segment_component_separator(s->flags, &r->syntax);
    const char repetition = segment_repetition_separator(s->flags, &r->syntax);

    if (!slice_is(segment_tag(s), "FTX"))
        return 0;
    assert_true(r->at++ < r->n);
    assert_true(slice_eq(segment_bytes(s), slice(x->shown, x->shown_n)));
    assert_int_equal(s->flags & SEGMENT_REWRITTEN, x->flags & SEGMENT_REWRITTEN);
    for (unsigned e = 0; e < ELEMENTS; e++)
        for (unsigned k = 0; k < REPETITIONS; k++)
            for (unsigned p = 0; p < PARTS; p++)
                assert_true(slice_eq(cut(cut(segment_element(s, e + 1), repetition, k), component, p),
                                     slice(x->value[e][k][p].text, x->value[e][k][p].n)));
    return 0;
}

static int note_finding(void *ctx, const struct finding *f)
{
    const struct reading *r = ctx;
    /* all that may be said: there is no guide for such a message, and line breaks end the segments where they do */
    if (f->code != FINDING_SET_UNSUPPORTED && !(f->code == FINDING_UNA && r->syntax.terminator == '\n'))
        fail_msg("%s", finding_name(f->code, f->dialect));
    return 0;
}

static unsigned at_once, one_by_one;

/* A segment with all its values at once where that can be, else one by one. */
static void write_any(struct edi_writer *w, const struct edi_write_options *o, bool repeats, struct written *x)
{
    struct edi_value value[ELEMENTS * REPETITIONS * PARTS];
    const bool plain = any_of(3) == 0; /* nothing that must be released, and of ASCII */
    struct segment s;
    unsigned n = 0;

    memset(x, 0, sizeof(*x));
    assert_int_equal(edi_write_begin(w, SLICE("FTX")), 0);
    for (unsigned e = 0; e < ELEMENTS; e++) {
        const unsigned repetitions = repeats && any_of(3) == 0 ? REPETITIONS : 1, parts = any_of(2) ? PARTS : 1;
        for (unsigned k = 0; k < repetitions; k++)
            for (unsigned p = 0; p < parts; p++) {
                struct value *v = &x->value[e][k][p];
                if (plain)
                    v->n = any_of(3) ? (size_t)snprintf(v->text, sizeof(v->text), "A%u", any_of(1000)) : 0;
                else
                    any_value(o, v);
                /* bytes of Latin-1 that are UTF-8 by chance would be taken for it, but for one that cannot be */
                if (!plain && e == 0 && k == 0 && p == 0 && charset_has(o->charset, 0xe9))
                    v->n = (size_t)snprintf(v->text, sizeof(v->text), "%s",
                                            any_of(2) ? "caf\xc3\xa9" : "\xc3\xa9t\xc3\xa9");
                if (v->n)
                    value[n++] = (struct edi_value){ slice(v->text, v->n), (uint8_t)(e + 1),
                                                     (uint8_t)(parts > 1 || repetitions > 1 ? k + 1 : 0),
                                                     (uint8_t)(parts > 1 || repetitions > 1 ? p + 1 : 0) };
            }
    }
    if (edi_write_values(w, value, n) == 0) {
        at_once++;
    } else {
        one_by_one++;
        /* separators that the set has not are looked at more closely, too */
        assert_false(plain && !repeats && charset_has(o->charset, (unsigned char)o->syntax.element) &&
                     charset_has(o->charset, (unsigned char)o->syntax.component));
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(value[i].component ? edi_write_part(w, value[i].element, value[i].repetition,
                                                                 value[i].component, value[i].text)
                                                : edi_write_element(w, value[i].element, value[i].text),
                             0);
    }
    assert_int_equal(edi_write_end(w, true, &s), 1);
    x->shown_n = segment_bytes(&s).n;
    x->flags = s.flags;
    assert_true(x->shown_n <= sizeof(x->shown));
    memcpy(x->shown, segment_bytes(&s).p, x->shown_n);
}

static void reads_as_written(const struct edi_write_options *o, const char *version)
{
    struct written *x = calloc(SEGMENTS, sizeof(*x));
    struct reading r = { .written = x, .n = SEGMENTS };
    struct complaints complaints;
    struct edi_reader_options options = { .guides = guides, .complaints = &complaints };
    struct edi_sink sink = { .ctx = &r, .interchange = on_interchange, .stray = on_segment, .finding = note_finding };
    struct edi_writer *w = writer_with(o);
    struct edi_reader *reader;
    struct edi_envelope e = envelope();
    struct err err = { 0 };
    struct slice text;
    /* where the asterisk separates elements, and no other was named, nothing is repeated */
    const bool repeats = version[0] == '4' && (o->syntax.repetition || o->syntax.element != '*');

    assert_non_null(x);
    e.interchange_version = slice_of(version);
    e.interchange_control = o->syntax.release ? SLICE("A'+:?B") : SLICE("AB");
    assert_int_equal(edi_write_interchange(w, &e), 0);
    assert_int_equal(edi_write_document(w, SLICE("ZZZZZZ"), e.interchange_control, SLICE("")), 0);
    for (unsigned i = 0; i < SEGMENTS; i++)
        write_any(w, o, repeats, &x[i]);
    assert_int_equal(edi_write_document_end(w), 0);
    assert_int_equal(edi_write_interchange_end(w), 0);

    complaints_init(&complaints);
    finding_policy_init(&options.policy);
    assert_int_equal(edi_reader_new(&options, &sink, &reader, &err), 0);
    text = edi_writer_output(w);
    assert_int_equal(edi_reader_feed(reader, text, &err), 0);
    assert_int_equal(edi_reader_end(reader, &err), 0);
    assert_int_equal(r.at, SEGMENTS);
    edi_reader_free(&reader);
    complaints_deinit(&complaints);
    edi_writer_free(&w);
    free(x);
}

static void test_all_is_read_as_it_was_written(void **state)
{
    static const struct edi_syntax syntaxes[] = {
        { '+', '\'', ':', 0, '?' }, { '*', '~', '>', 0, '\\' },   { '|', '\n', '^', 0, '?' },
        { 0x1d, 0x1c, 0x1f, 0, 0 }, { '+', '\'', ':', '!', '?' },
    };

    (void)state;
    for (int set = 0; set < CHARSETS; set++)
        for (unsigned i = 0; charset_syntax(set) && i < sizeof(syntaxes) / sizeof(syntaxes[0]); i++)
            for (const char *version = "34"; *version; version++) {
                const char one[] = { *version, 0 };
                struct edi_write_options o;
                edi_write_options_edifact(&o);
                o.syntax = syntaxes[i];
                o.charset = (enum edi_charset)set;
                o.line_end = i % 2 ? "\r\n" : "";
                /* an asterisk separates repetitions then, and cannot be released */
                if (*version == '4' && !o.syntax.release)
                    continue;
                reads_as_written(&o, one);
            }
    assert_true(at_once > 500 && one_by_one > 500);
}

/* What a set lacks is named, or written with others. */
static void writes(enum edi_charset set, bool transliterate, const char *value, const char *expected)
{
    struct edi_write_options o;
    struct edi_writer *w;
    int code;

    edi_write_options_edifact(&o);
    o.charset = set;
    o.transliterate = transliterate;
    w = writer_with(&o);
    edi_write_begin(w, SLICE("NAD"));
    code = edi_write_component(w, 4, 2, slice_of(value));
    if (*expected == '!') {
        error_is(w, code, ERR_DATA, expected + 1);
    } else {
        struct slice out;
        assert_int_equal(code, 0);
        assert_int_equal(edi_write_end(w, false, NULL), 1);
        out = edi_writer_output(w);
        assert_true(slice_is(slice(out.p + 8, out.n - 9), expected));
    }
    edi_writer_free(&w);
}

static void test_character_sets(void **state)
{
    (void)state;
    writes(CHARSET_UNOA, false, "ACME 100% <A>", "ACME 100% <A>");
    writes(CHARSET_UNOA, false, "Acme", "!NAD04-2: the character \"c\" (U+0063) is not in the UNOA character set");
    writes(CHARSET_UNOA, true, "Acme & Söhne <#1>", "ACME & SOEHNE <NO.1>");
    writes(CHARSET_UNOB, false, "Acme 100%", "Acme 100%");
    writes(CHARSET_UNOB, false, "a@b", "!NAD04-2: the character \"@\" (U+0040) is not in the UNOB character set");
    writes(CHARSET_UNOB, true, "Söhne_1@b", "Soehne-1(AT)b");
    writes(CHARSET_LATIN1, false, "Łódź",
           "!NAD04-2: the character \"Ł\" (U+0141) is not in the ISO 8859-1 character set");
    writes(CHARSET_LATIN1, true, "Łódź: 5 €",
           "L\xf3"
           "dz?: 5 EUR");
    writes(CHARSET_8859_2, false, "Łódź",
           "\xa3\xf3"
           "d\xbc");
    writes(CHARSET_8859_5, false, "Москва", "\xbc\xde\xe1\xda\xd2\xd0");
    writes(CHARSET_8859_7, false, "Αθήνα", "\xc1\xe8\xde\xed\xe1");
    writes(CHARSET_8859_5, true, "Łódź", "Lodz");
    writes(CHARSET_8859_5, true, "Αθ",
           "!NAD04-2: the character \"Α\" (U+0391) is not in the ISO 8859-5 character set, and nothing "
           "stands for it");
    writes(CHARSET_LATIN9, false, "5 €", "5 \xa4");
    writes(CHARSET_UTF8, false, "Łódź: 5 €", "Łódź?: 5 €");
}

static int write_something(void *arg)
{
    struct edi_write_options o;
    struct edi_writer *w = NULL;
    struct edi_envelope e = envelope();
    struct segment s;
    struct err err;
    int code;

    (void)arg;
    edi_write_options_edifact(&o);
    code = edi_writer_new(&o, &w, &err);
    if (!code)
        code = edi_write_interchange(w, &e);
    if (!code)
        code = edi_write_document(w, SLICE("ORDERS"), SLICE("1"), SLICE(""));
    for (unsigned i = 1; i < 1000 && code >= 0; i += 90) {
        char text[1000];
        memset(text, '+', i + 1);
        memcpy(text, "\xc3\xbc", 2);
        code = edi_write_begin(w, SLICE("FTX"));
        if (!code)
            code = edi_write_component(w, 4, 2, slice(text, i + 1));
        if (!code)
            code = edi_write_end(w, false, &s);
    }
    if (code >= 0)
        code = edi_write_document_end(w);
    edi_writer_free(&w);
    return code < 0 ? code : 0;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(write_something, NULL) > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_interchange),
        cmocka_unit_test(test_interchange_headers),
        cmocka_unit_test(test_headers_that_cannot_be),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_all_is_read_as_it_was_written),
        cmocka_unit_test(test_character_sets),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
