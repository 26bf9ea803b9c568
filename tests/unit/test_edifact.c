/*
 * EDIFACT through the reader: delimiters with and without UNA, release characters, character sets, groups, packages,
 * and what the field does to all of them. The same bytes say the same however they arrive: at once, in pieces split
 * anywhere, or in runs that another reader reads.
 */
#include "edi/delimiters.h"
#include "edi/dialect.h"
#include "failing_malloc.h"
#include "reading.h"

/* --- What a reader says, as lines --------------------------------------------------------- */

struct trace {
    struct buf text;
    struct edi_reader *reader;
    const struct edi_interchange *interchange;
    bool envelopes;
    char *run;
    size_t run_room;
};

static void add(struct trace *t, const char *before, struct slice s)
{
    buf_add_text(&t->text, before);
    buf_add_safe(&t->text, s, 200);
}

static int on_interchange(void *ctx, const struct edi_interchange *i)
{
    struct trace *t = ctx;
    t->interchange = i;
    if (!t->envelopes)
        return 0;
    buf_printf(&t->text, "interchange at %llu version ", (unsigned long long)i->offset);
    add(t, "", i->version);
    add(t, " from ", i->sender_qualifier);
    add(t, ":", i->sender);
    add(t, " to ", i->receiver_qualifier);
    add(t, ":", i->receiver);
    add(t, " on ", i->date);
    add(t, " ", i->time);
    add(t, " control ", i->control);
    add(t, " ", i->usage);
    buf_printf(&t->text, " %s %s %c\n", i->dialect->name, charset_name(i->charset), i->decimal);
    return 0;
}

static int on_interchange_end(void *ctx, const struct edi_interchange *i)
{
    struct trace *t = ctx;
    if (t->envelopes)
        buf_printf(&t->text, "ends with %llu groups, %llu documents\n", (unsigned long long)i->groups,
                   (unsigned long long)i->documents);
    return 0;
}

static int on_group(void *ctx, const struct edi_group *g)
{
    struct trace *t = ctx;
    if (t->envelopes && !g->implied) {
        buf_printf(&t->text, "group %llu", (unsigned long long)g->ordinal);
        add(t, " ", g->code);
        add(t, " from ", g->sender);
        add(t, " to ", g->receiver);
        add(t, " control ", g->control);
        buf_add_char(&t->text, '\n');
    }
    return 0;
}

static int on_document(void *ctx, const struct edi_document *d)
{
    struct trace *t = ctx;
    t->interchange = d->interchange;
    add(t, "document ", d->set);
    add(t, " ", d->control);
    add(t, " ", d->version);
    add(t, " ", d->association);
    add(t, " by ", d->guide ? d->guide->id : SLICE("no guide"));
    buf_add_char(&t->text, '\n');
    return 0;
}

/* Elements apart by +, components by :, repetitions by *, and everything else as it is read. */
static int add_segment(struct trace *t, const struct segment *s, const char *before)
{
    const struct edi_syntax *x = &t->interchange->syntax;
    add(t, before, segment_tag(s));
    for (unsigned k = 1; k <= s->n; k++) {
        struct slice v = segment_element(s, k);
        buf_add_char(&t->text, '+');
        for (size_t i = 0; i < v.n; i++) {
            if (x->component && v.p[i] == segment_component_separator(s->flags, x))
                buf_add_text(&t->text, "|");
            else if (x->repetition && v.p[i] == segment_repetition_separator(s->flags, x))
                buf_add_text(&t->text, "^");
            else
                buf_add_char(&t->text, v.p[i]);
        }
    }
    buf_add_char(&t->text, '\n');
    return 0;
}

static int on_segment(void *ctx, const struct guide_node *node, const struct segment *s, uint64_t present)
{
    (void)node;
    (void)present;
    return add_segment(ctx, s, "  ");
}

static int on_stray(void *ctx, const struct segment *s)
{
    return add_segment(ctx, s, "  stray ");
}

static int on_envelope_segment(void *ctx, const struct segment *s)
{
    struct trace *t = ctx;
    return t->envelopes ? add_segment(t, s, " ") : 0;
}

static int note_finding(void *ctx, const struct finding *f)
{
    struct trace *t = ctx;
    enum finding_level level = finding_rows[f->code].level;
    if (!t->envelopes && (level < LEVEL_DOCUMENT || !f->place.document))
        return 0;
    buf_printf(&t->text, "! %s %llu:%llu ", finding_name(f->code, f->dialect), (unsigned long long)f->place.line,
               (unsigned long long)f->place.column);
    if (f->width)
        add(t, "[", slice(f->segment.p + f->at, f->width));
    buf_add_text(&t->text, f->width ? "] " : "");
    finding_message(f, &t->text);
    buf_add_char(&t->text, '\n');
    return 0;
}

static int on_run(void *ctx, const struct edi_reader *from, const struct edi_run *run)
{
    struct trace *t = ctx;
    struct edi_context *in;
    struct edi_run copy;
    int code;

    if (!run)
        return 0;
    copy = *run;
    in = malloc(sizeof(*in));

    assert_non_null(in);
    if (t->run_room < run->n + 64) {
        free(t->run);
        t->run_room = run->n + 64;
        t->run = malloc(t->run_room);
        assert_non_null(t->run);
    }
    if (run->n)
        memcpy(t->run, run->p, run->n);
    memset(t->run + run->n, '\'', 64);
    copy.p = t->run;
    edi_context_copy(in, edi_reader_context(from));
    code = edi_reader_run(t->reader, in, &copy, NULL);
    free(in);
    return code;
}

/* Reads in pieces of that size; in_runs: only what lies in documents is told. */
static char *traced(struct slice text, size_t piece, bool envelopes, bool in_runs)
{
    struct trace t = { .envelopes = envelopes };
    struct complaints complaints;
    struct edi_reader_options options = { .guides = guides, .complaints = &complaints };
    struct edi_sink sink = { &t,          on_interchange, on_interchange_end, on_group, NULL, on_document,
                             on_segment,  on_stray,       NULL,               on_envelope_segment,
                             note_finding };
    struct edi_reader *reader = NULL;
    struct err err = { 0 };
    char *copy;

    complaints_init(&complaints);
    buf_init(&t.text, 64 << 20);
    finding_policy_init(&options.policy);
    assert_int_equal(edi_reader_new(&options, &sink, &t.reader, &err), 0);
    options.run = on_run;
    options.run_ctx = &t;
    if (in_runs)
        assert_int_equal(edi_reader_new(&options, &sink, &reader, &err), 0);
    for (size_t at = 0; at < text.n; at += piece)
        assert_int_equal(edi_reader_feed(in_runs ? reader : t.reader,
                                         slice(text.p + at, text.n - at < piece ? text.n - at : piece), &err), 0);
    assert_int_equal(edi_reader_end(in_runs ? reader : t.reader, &err), 0);
    edi_reader_free(&reader);
    edi_reader_free(&t.reader);
    complaints_deinit(&complaints);
    free(t.run);
    copy = strdup(buf_text(&t.text));
    assert_non_null(copy);
    buf_deinit(&t.text);
    return copy;
}

static void reads_as(struct slice text, const char *expected)
{
    static const size_t pieces[] = { 1, 2, 3, 7, 16, 64, SIZE_MAX };
    char *first = traced(text, SIZE_MAX, false, false);

    for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        char *whole = traced(text, pieces[i] < text.n ? pieces[i] : text.n ? text.n : 1, true, false);
        char *runs = traced(text, pieces[i] < text.n ? pieces[i] : text.n ? text.n : 1, false, true);
        assert_string_equal(whole, expected);
        assert_string_equal(runs, first);
        free(whole);
        free(runs);
    }
    free(first);
}

#define READS_AS(text, expected) reads_as(slice(text, sizeof(text) - 1), expected)

#define UNB "UNB+UNOC:3+4012345000009:14+4098765000005:14+201126:0915+1'"
#define FROM_TO "version 3 from 14:4012345000009 to 14:4098765000005 on 201126 0915 control 1 P EDIFACT ISO 8859-1 .\n"
#define UNH "UNH+1+ORDERS:D:96A:UN:EAN008'"
#define ORDERS "document ORDERS 1 D.96A EAN008 by edifact/d96a-ean008/ORDERS\n  UNH+1+ORDERS|D|96A|UN|EAN008\n"
#define BODY "BGM+220+4711+9'DTM+137:20201126:102'NAD+BY+4012345000009::9'LIN+1++4000862141404:EN'UNS+S'"
#define READ "  BGM+220+4711+9\n  DTM+137|20201126|102\n  NAD+BY+4012345000009||9\n  LIN+1++4000862141404|EN\n  UNS+S\n"
#define END "UNT+7+1'"
#define ENDED "  UNT+7+1\n"

/* --- Delimiters ------------------------------------------------------------------------- */

static void test_usual(void **state)
{
    (void)state;
    READS_AS(UNB UNH BODY END "UNZ+1+1'",
             "interchange at 0 " FROM_TO ORDERS READ ENDED "ends with 0 groups, 1 documents\n");
    READS_AS("UNA:+.? '\r\n" UNB "\r\n" UNH BODY END "\r\nUNZ+1+1'\r\n",
             "interchange at 0 " FROM_TO ORDERS READ ENDED "ends with 0 groups, 1 documents\n");
}

/* Whoever cuts documents out counts them, too. */
static void test_counts_in_runs(void **state)
{
    static const char text[] = UNB UNH BODY END UNH BODY "UNT+7+1'" "UNZ+2+1'";
    char *said = traced(slice(text, sizeof(text) - 1), SIZE_MAX, true, true);
    (void)state;
    assert_null(strstr(said, "UCI-29"));
    assert_non_null(strstr(said, "ends with 0 groups, 2 documents"));
    free(said);
}

/* A UNA that does not speak of the UNB behind it. */
static void test_wrong_una(void **state)
{
    (void)state;
    READS_AS("UNA@.?  ~" UNB UNH BODY END "UNZ+1+1'",
             "interchange at 0 " FROM_TO "! UNA 1:10 UNB: the UNA before it has other separators (expected those of the segments "
             "that follow it)\n" ORDERS READ ENDED "ends with 0 groups, 1 documents\n");
}

static void test_delimiters(void **state)
{
    struct edi_syntax x;
    struct edi_una una;
    size_t length;
    static const struct {
        const char text[64];
        struct edi_syntax syntax;
        size_t length;
        char decimal;
        bool is_short;
    } cases[] = {
        { "UNB+UNOA:1+S+R+201126:0915+1'UNH+1+", { '+', '\'', ':', 0, '?' }, 0, 0, false },
        { "UNB+UNOA:4+S+R+201126:0915+1'UNH+1+", { '+', '\'', ':', '*', '?' }, 0, 0, false },
        { "UNA:+,? 'UNB+UNOA:1+S+R+201126:0915+1'UNH+1+", { '+', '\'', ':', 0, '?' }, 9, ',', false },
        { "UNA:+.  'UNB+UNOA:1+S+R+201126:0915+1'UNH+1+", { '+', '\'', ':', 0, 0 }, 9, '.', false },
        { "UNA:+.?*'UNB+UNOA:3+S+R+201126:0915+1'UNH+1+", { '+', '\'', ':', 0, '?' }, 9, '.', false },
        { "UNA:+.?*'UNB+UNOA:4+S+R+201126:0915+1'UNH+1+", { '+', '\'', ':', '*', '?' }, 9, '.', false },
        { "UNA=*.? ~\n\nUNB*UNOA=3*S*R*201126=0915*1~UNH*1*", { '*', '~', '=', 0, '?' }, 11, '.', false },
        { "UNA:+.?'\nUNB+UNOA:3+S+R+201126:0915+1'\nUNH+1+", { '+', '\'', ':', 0, '?' }, 9, '.', true },
        { "UNA:+.?'UNB+UNOA:3+S+R+201126:0915+1'UNH+1+", { '+', '\'', ':', 0, '?' }, 8, '.', true },
        { "UNA:+.? \nUNB+UNOA:3+S+R+201126:0915+1\nUNH+1+", { '+', '\n', ':', 0, '?' }, 9, '.', false },
        { "UNA:+.? \r\nUNB+UNOA:3+S+R+201126:0915+1\r\nUNH+1+", { '+', '\r', ':', 0, '?' }, 10, '.', false },
        { "UNB+UNOA:3+S+R+201126:0915+1\nUNH+1+", { '+', '\n', ':', 0, '?' }, 0, 0, false },
        { "UNB*UNOA=3*S*R*201126=0915*1~UNH*1*", { '*', '~', '=', 0, '?' }, 0, 0, false },
        { "UNB+UNOC\0" "3+S+R+201126:0915+1'UNH+1+", { '+', '\'', ':', 0, '?' }, 0, 0, false },
        { "UNB\x1dUNOB\x1f" "1\x1dS\x1dR\x1d" "1\x1cUNH\x1d" "1\x1d", { 0x1d, 0x1c, 0x1f, 0, 0 }, 0, 0, false },
        { "UNB+UNOA:3+S+R+201126:0915+1'\r\n    UNH+1+", { '+', '\'', ':', 0, '?' }, 0, 0, false },
        { "UNB+UNOA:3+S+R+201126:0915+1~ \t\n UNH+1+", { '+', '~', ':', 0, '?' }, 0, 0, false },
        { "UNB+UNOA:3+S+R+201126:0915+1 \n  UNH+1+", { '+', '\n', ':', 0, '?' }, 0, 0, false },
        { "UNH+1+ORDERS:D:96A:UN'BGM+220'", { '+', '\'', ':', 0, '?' }, 0, 0, false },
        { "una:+.? 'unb+UNOA:1+S+R+201126:0915+1'unh+1+", { '+', '\'', ':', 0, '?' }, 9, '.', false },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t n = sizeof(cases[i].text); /* a NUL may be in it */
        while (!cases[i].text[n - 1])
            n--;
        assert_int_equal(delimiters_of_unb(cases[i].text, n, true, &x, &una, &length), FOUND);
        assert_memory_equal(&x, &cases[i].syntax, sizeof(x));
        assert_int_equal(length, cases[i].length);
        assert_int_equal(una.decimal, cases[i].decimal);
        assert_int_equal(una.is_short, cases[i].is_short);
    }
    assert_int_equal(delimiters_of_unb("UNA++.? 'UNB+UNOA:1+S+R", 23, true, &x, &una, &length), NOT_FOUND);
    assert_int_equal(delimiters_of_unb("UNA:+.? AUNB+UNOA:1+S+R", 23, true, &x, &una, &length), NOT_FOUND);
    assert_int_equal(delimiters_of_unb("UNA:+.? 'DTM+UNOA:1+S+R", 23, true, &x, &una, &length), NOT_FOUND);
    assert_int_equal(delimiters_of_unb("UNB+UNOA:1+S", 12, false, &x, &una, &length), NEED_MORE);
}

static void test_una_of_the_field(void **state)
{
    (void)state;
    READS_AS("UNA:+.?'\n" UNB UNH BODY END "UNZ+1+1'\n",
             "interchange at 0 " FROM_TO
             "! UNA 2:1 UNB: the UNA before it has five characters (expected six: the fifth is a blank or the repetition "
             "separator, the last one the terminator)\n" ORDERS READ ENDED "ends with 0 groups, 1 documents\n");
    /* the terminator got lost, with the blank before it or alone */
    READS_AS("UNA:+.?\n" UNB "\n" UNH BODY END "UNZ+1+1'\n",
             "interchange at 0 " FROM_TO
             "! UNA 2:1 UNB: the UNA before it has other separators (expected those of the segments that follow it)\n"
             ORDERS READ ENDED "ends with 0 groups, 1 documents\n");
    READS_AS("UNA:+.? \n" UNB "\n" UNH BODY END "UNZ+1+1'\n",
             "interchange at 0 " FROM_TO
             "! UNA 2:1 UNB: the UNA before it has other separators (expected those of the segments that follow it)\n"
             ORDERS READ ENDED "ends with 0 groups, 1 documents\n");
    READS_AS("UNB+UNOA:1+A+B+201126:0915+1\nUNH+1+ORDERS:D:96A:UN\nBGM+220+1+9\nDTM+137:20201126:102\nLIN+1\nUNS+S\n"
             "UNT+6+1\nUNZ+1+1\n",
             "interchange at 0 version 1 from :A to :B on 201126 0915 control 1 P EDIFACT UNOA .\n"
             "! UNA 1:1 UNB: the segments end at line breaks (expected a terminator such as ')\n"
             "document ORDERS 1 D.96A  by edifact/d96a/ORDERS\n  UNH+1+ORDERS|D|96A|UN\n  BGM+220+1+9\n"
             "  DTM+137|20201126|102\n  LIN+1\n  UNS+S\n"
             "  UNT+6+1\nends with 0 groups, 1 documents\n");
}

/* --- Release characters and character sets ---------------------------------------------- */

/* What looks like the end of a document, behind a released terminator: whoever cuts documents out must not take it for one,
 * wherever it lies in a word. */
static void test_released_ends(void **state)
{
    static const char blanks[] = "XXXXXXXXXXXXXXXXX";
    char text[600], expected[600];
    (void)state;
    for (int n = 0; n < 17; n++) {
        snprintf(text, sizeof(text), "%s%sBGM+220+4711+9'DTM+137:20201126:102'FTX+AAI+++%.*sA?'UNT?+7?'ISA*?\?'LIN+1'IMD+F'%s",
                 UNB, UNH, n, blanks, "UNS+S'UNT+8+1'UNZ+1+1'");
        snprintf(expected, sizeof(expected), "interchange at 0 %s%s  BGM+220+4711+9\n  DTM+137|20201126|102\n"
                 "  FTX+AAI+++%.*sA'UNT+7'ISA*?\n  LIN+1\n  IMD+F\n  UNS+S\n  UNT+8+1\nends with 0 groups, 1 documents\n",
                 FROM_TO, ORDERS, n, blanks);
        reads_as(slice_of(text), expected);
    }
}

static void test_release(void **state)
{
    (void)state;
    READS_AS(UNB UNH "BGM+220+47?+11+9'DTM+137:20201126:102'FTX+AAI+++10?:30 WHAT?? IT?'S ?+??:x?:'LIN+1'UNS+S'UNT+7+1'"
             "UNZ+1+1'",
             "interchange at 0 " FROM_TO ORDERS
             "  BGM+220+47+11+9\n  DTM+137|20201126|102\n  FTX+AAI+++10:30 WHAT? IT'S +?|x:\n  LIN+1\n  UNS+S\n"
             "  UNT+7+1\nends with 0 groups, 1 documents\n");
    /* what is found is shown as it stands in the file */
    READS_AS(UNB UNH "BGM+220+4711+9'DTM+137?:x:20201126:102?+x'LIN+1'UNS+S'UNT+6+1'UNZ+1+1'",
             "interchange at 0 " FROM_TO ORDERS "  BGM+220+4711+9\n"
             "! EDIFACT-UCD-39 1:104 [137?:x] DTM01-1 Date/time/period qualifier: \"137:x\" has 5 characters (expected at "
             "most 3)\n"
             "! EDIFACT-UCD-39 1:104 [102?+x] DTM01-3 Date/time/period format qualifier: \"102+x\" has 5 characters "
             "(expected at most 3)\n"
             "  DTM+137:x|20201126|102+x\n  LIN+1\n  UNS+S\n  UNT+6+1\nends with 0 groups, 1 documents\n");
}

static void test_character_sets(void **state)
{
    (void)state;
    READS_AS(UNB UNH "BGM+220+J\xe4ger+9'DTM+137:20201126:102'FTX+AAI+++\xc4?:\xd6'LIN+1'UNS+S'UNT+7+1'UNZ+1+1'",
             "interchange at 0 " FROM_TO ORDERS
             "  BGM+220+Jäger+9\n  DTM+137|20201126|102\n  FTX+AAI+++Ä:Ö\n  LIN+1\n  UNS+S\n"
             "  UNT+7+1\nends with 0 groups, 1 documents\n");
    READS_AS("UNB+UNOE:3+A+B+201126:0915+1'UNH+1+ORDERS:D:96A:UN'BGM+220+\xbc\xde\xe1\xda\xd2\xd0+9'"
             "DTM+137:20201126:102'LIN+1'UNS+S'UNT+6+1'UNZ+1+1'",
             "interchange at 0 version 3 from :A to :B on 201126 0915 control 1 P EDIFACT ISO 8859-5 .\n"
             "document ORDERS 1 D.96A  by edifact/d96a/ORDERS\n  UNH+1+ORDERS|D|96A|UN\n  BGM+220+Москва+9\n"
             "  DTM+137|20201126|102\n  LIN+1\n  UNS+S\n"
             "  UNT+6+1\nends with 0 groups, 1 documents\n");
    READS_AS("UNB+UNOY:4+A+B+20201126:0915+1'UNH+1+ORDERS:D:96A:UN'BGM+220+Łódź+9'DTM+137:20201126:102'LIN+1'UNS+S'"
             "UNT+6+1'UNZ+1+1'",
             "interchange at 0 version 4 from :A to :B on 20201126 0915 control 1 P EDIFACT UTF-8 .\n"
             "document ORDERS 1 D.96A  by edifact/d96a/ORDERS\n  UNH+1+ORDERS|D|96A|UN\n  BGM+220+Łódź+9\n"
             "  DTM+137|20201126|102\n  LIN+1\n  UNS+S\n"
             "  UNT+6+1\nends with 0 groups, 1 documents\n");
}

/* --- Groups, packages, several interchanges --------------------------------------------- */

static void test_groups(void **state)
{
    (void)state;
    READS_AS(UNB "UNG+ORDERS+S:14+R:14+201126:0915+8+UN+D:96A'" UNH BODY END "UNE+1+8'"
                 "UNG+ORDERS+S:14+R:14+201126:0915+9+UN+D:96A'" UNH BODY END "UNE+2+7'UNZ+2+1'",
             "interchange at 0 " FROM_TO "group 1 ORDERS from S to R control 8\n" ORDERS READ ENDED
             "group 2 ORDERS from S to R control 9\n" ORDERS READ ENDED
             "! EDIFACT-UCF-29 1:410 [2] UNE01: \"2\" is not the number of messages (expected 1)\n"
             "! EDIFACT-UCF-28 1:410 [7] UNE02: \"7\" is not UNG05 (expected 9)\n"
             "ends with 2 groups, 0 documents\n");
}

static void test_package(void **state)
{
    (void)state;
    READS_AS("UNB+UNOC:4+A+B+20201126:0915+1'UNO+P1+1:4711+1+23'ab'UNZ+9+9'\0?+cd\xff\n'ef++UNP+23+P1'" UNH BODY END
             "UNZ+2+1'",
             "interchange at 0 version 4 from :A to :B on 20201126 0915 control 1 P EDIFACT ISO 8859-1 .\n"
             " UNO+P1+1|4711+1+23\n"
             "! PACKAGE 1:32 [P1] UNO01: \"P1\" names a package, whose object is passed over: no record holds it\n"
             " UNP+23+P1\n" ORDERS READ ENDED "ends with 0 groups, 2 documents\n");
    READS_AS("UNB+UNOC:4+A+B+20201126:0915+1'UNO+P1+1:4711+1+2'abUNP+2+P2'UNZ+1+1'",
             "interchange at 0 version 4 from :A to :B on 20201126 0915 control 1 P EDIFACT ISO 8859-1 .\n"
             " UNO+P1+1|4711+1+2\n"
             "! PACKAGE 1:32 [P1] UNO01: \"P1\" names a package, whose object is passed over: no record holds it\n"
             "! EDIFACT-UCI-28 1:52 [P2] UNP02: \"P2\" is not UNO01 (expected P1)\n"
             " UNP+2+P2\n"
             "ends with 0 groups, 1 documents\n");
    /* a length that leads nowhere */
    READS_AS("UNB+UNOC:4+A+B+20201126:0915+1'UNO+P1+1:4711+1+3'abcdefUNP+3+P1'UNZ+1+1'",
             "interchange at 0 version 4 from :A to :B on 20201126 0915 control 1 P EDIFACT ISO 8859-1 .\n"
             " UNO+P1+1|4711+1+3\n"
             "! PACKAGE 1:32 [P1] UNO01: \"P1\" names a package, whose object is passed over: no record holds it\n"
             "! BINARY-LENGTH 1:53 defUNP: the length in the UNO does not lead to a UNP (expected a UNP segment)\n"
             "! EDIFACT-UCI-33 1:53 defUNP: the segment stands outside a message (expected UNH, UNG or UNZ)\n"
             "ends with 0 groups, 1 documents\n");
    /* the file ends in it */
    READS_AS("UNB+UNOC:4+A+B+20201126:0915+1'UNO+P1+1:4711+1+999999999999'abcdef",
             "interchange at 0 version 4 from :A to :B on 20201126 0915 control 1 P EDIFACT ISO 8859-1 .\n"
             " UNO+P1+1|4711+1+999999999999\n"
             "! PACKAGE 1:32 [P1] UNO01: \"P1\" names a package, whose object is passed over: no record holds it\n"
             "! BINARY-LENGTH 1:67 the file ends inside binary data (expected the rest of it)\n"
             "! EDIFACT-UCI-13 1:67 UNZ: missing (expected a UNZ segment at the end of the interchange)\n"
             "ends with 0 groups, 1 documents\n");
}

#define ISA "ISA*00*          *00*          *ZZ*NORTHWIND      *ZZ*ACMECORP       *260115*0905*U*00401*000000042*0*P*>~"

static void test_several(void **state)
{
    (void)state;
    READS_AS(UNB UNH BODY END "UNZ+1+1'\r\nUNA:+.? '" "UNB+UNOC:3+4012345000009:14+4098765000005:14+201126:0915+2'" UNH BODY
                 END "UNZ+1+2'\n" ISA "IEA*0*000000042~\nUNB*UNOA=1*A*B*201126=0915*1~UNZ*0*1~",
             "interchange at 0 " FROM_TO ORDERS READ ENDED "ends with 0 groups, 1 documents\n"
             "interchange at 196 version 3 from 14:4012345000009 to 14:4098765000005 on 201126 0915 control 2 P EDIFACT "
             "ISO 8859-1 .\n" ORDERS READ ENDED "ends with 0 groups, 1 documents\n"
             "interchange at 400 version 00401 from ZZ:NORTHWIND to ZZ:ACMECORP on 260115 0905 control 000000042 P X12 "
             "UTF-8 .\nends with 0 groups, 0 documents\n"
             "interchange at 523 version 1 from :A to :B on 201126 0915 control 1 P EDIFACT UNOA .\n"
             "ends with 0 groups, 0 documents\n");
}

/* --- The field's habits ------------------------------------------------------------------ */

#define LINES "a line break stands inside the segment, and is left out (expected line breaks behind terminators only; is a " \
              "terminator missing?)\n"

/* Files that somebody has cut into lines wherever they were full. */
static void test_lines(void **state)
{
    (void)state;
    /* in a value, in a qualifier, in a tag, before and behind a separator; told once, and of the envelope once */
    READS_AS(UNB "\nUNH+1+ORDERS:D:96A:UN:EA\r\nN008'BGM+220\n+4711+9'DTM+13\r\n7:20201126:1\n02'NAD+\nBY+4012345000009::9'"
             "LIN+1++4000862141404:EN'U\nNS+S\n'U\r\nNT+7+1'UN\nZ+1+1'",
             "interchange at 0 " FROM_TO "! LINE-BREAK-IN-ELEMENT 2:1 UNH: " LINES ORDERS READ ENDED
             "! LINE-BREAK-IN-ELEMENT 10:8 UN\\x0aZ: " LINES "ends with 0 groups, 1 documents\n");
    /* for each document anew, as it is for whoever reads one alone; the interchange's own segments, and the next UNH */
    READS_AS("UNB+UNOC:3+4012345000009:14+40\n98765000005:14+201126:0915+1'" UNH "BGM+220+47\n11+9'DTM+137:20201126:102'"
             "NAD+BY+4012345000009::9'LIN+1++4000862141404:EN'UNS+S'" END "UN\nH+2+ORDERS:D:96A:UN:EAN008'"
             "BGM+220+4711+9'D\nTM+137:20201126:102'NAD+BY+4012345000009::9'LIN+1++4000862141404:EN'UNS+S'UNT+7+2'UNZ+2+1'",
             "! LINE-BREAK-IN-ELEMENT 1:1 UNB: " LINES "interchange at 0 " FROM_TO ORDERS
             "! LINE-BREAK-IN-ELEMENT 2:59 BGM: " LINES READ ENDED
             "! LINE-BREAK-IN-ELEMENT 3:89 UN\\x0aH: " LINES
             "document ORDERS 2 D.96A EAN008 by edifact/d96a-ean008/ORDERS\n  UNH+2+ORDERS|D|96A|UN|EAN008\n" READ
             "  UNT+7+2\nends with 0 groups, 2 documents\n");
    /* what is found in such a value is shown as it stands there */
    READS_AS(UNB UNH "BGM+220+4711+9'DTM+137:20201126:102'NAD+X\nYZ+40'UNS+S'UNT+6+1'UNZ+1+1'",
             "interchange at 0 " FROM_TO ORDERS "  BGM+220+4711+9\n  DTM+137|20201126|102\n"
             "! LINE-BREAK-IN-ELEMENT 1:125 NAD: " LINES
             "! EDIFACT-UCD-12 1:125 [X\\x0aYZ] NAD01 Party qualifier: \"XYZ\" is not in the code list (expected one of the 304 "
             "codes of element 3035)\n"
             "  NAD+XYZ+40\n  UNS+S\n  UNT+6+1\nends with 0 groups, 1 documents\n");
    /* a message without a guide is in no group of the one before */
    READS_AS(UNB UNH "BGM+220+4711+9'DTM+137:20201126:102'NAD+BY+4012345000009::9'LIN+1++4000862141404:EN'"
             "UNH+2+INVOIC:D:96A:UN'QTY+1:\n5'UNT+3+2'UNZ+2+1'",
             "interchange at 0 " FROM_TO ORDERS "  BGM+220+4711+9\n  DTM+137|20201126|102\n  NAD+BY+4012345000009||9\n"
             "  LIN+1++4000862141404|EN\n"
             "! EDIFACT-UCM-13 1:173 UNT: missing (expected a UNT segment at the end of the message)\n"
             "document INVOIC 2 D.96A  by no guide\n"
             "! EDIFACT-UCM-14 1:173 [INVOIC] UNH02-1: \"INVOIC\" has no guide (expected a message that there is a guide "
             "for)\n"
             "  stray UNH+2+INVOIC|D|96A|UN\n"
             "! LINE-BREAK-IN-ELEMENT 1:195 QTY: " LINES "  stray QTY+1|5\n"
             "  stray UNT+3+2\nends with 0 groups, 2 documents\n");
}

static void test_trailers(void **state)
{
    (void)state;
    /* no UNT, no UNZ, and another interchange */
    READS_AS(UNB UNH BODY UNB UNH BODY "UNT+9+2'",
             "interchange at 0 " FROM_TO ORDERS READ
             "! EDIFACT-UCM-13 1:179 UNT: missing (expected a UNT segment at the end of the message)\n"
             "! EDIFACT-UCI-13 1:179 UNZ: missing (expected a UNZ segment at the end of the interchange)\n"
             "ends with 0 groups, 1 documents\n"
             "interchange at 178 " FROM_TO
             "! EDIFACT-UCI-26 1:179 [1] UNB05: \"1\" was used before in this file by the same sender (expected a number of "
             "its own for each interchange)\n" ORDERS READ "  UNT+9+2\n"
             "! EDIFACT-UCM-29 1:357 [9] UNT01: \"9\" is not the number of segments (expected 7)\n"
             "! EDIFACT-UCM-28 1:357 [2] UNT02: \"2\" is not UNH01 (expected 1)\n"
             "! EDIFACT-UCI-13 1:365 UNZ: missing (expected a UNZ segment at the end of the interchange)\n"
             "ends with 0 groups, 1 documents\n");
}

static void test_last_terminator(void **state)
{
    (void)state;
    READS_AS(UNB UNH BODY END "UNZ+1+1\r\n",
             "interchange at 0 " FROM_TO ORDERS READ ENDED
             "! NO-LAST-TERMINATOR 1:187 the last segment is not terminated (expected the segment terminator)\n"
             "ends with 0 groups, 1 documents\n");
    READS_AS(UNB UNH BODY "UNT+7+1",
             "interchange at 0 " FROM_TO ORDERS READ
             "! NO-LAST-TERMINATOR 1:179 the last segment is not terminated (expected the segment terminator)\n"
             ENDED
             "! EDIFACT-UCI-13 1:186 UNZ: missing (expected a UNZ segment at the end of the interchange)\n"
             "ends with 0 groups, 1 documents\n");
    READS_AS(UNB UNH BODY "UNZ+1+1",
             "interchange at 0 " FROM_TO ORDERS READ
             "! EDIFACT-UCM-13 1:179 UNT: missing (expected a UNT segment at the end of the message)\n"
             "! NO-LAST-TERMINATOR 1:179 the last segment is not terminated (expected the segment terminator)\n"
             "ends with 0 groups, 1 documents\n");
    READS_AS(UNB "UNG+ORDERS+S:14+R:14+201126:0915+8+UN+D:96A'" UNH BODY END "UNE+1+8",
             "interchange at 0 " FROM_TO "group 1 ORDERS from S to R control 8\n"
             ORDERS READ ENDED
             "! NO-LAST-TERMINATOR 1:231 the last segment is not terminated (expected the segment terminator)\n"
             "! EDIFACT-UCI-13 1:238 UNZ: missing (expected a UNZ segment at the end of the interchange)\n"
             "ends with 1 groups, 0 documents\n");
    READS_AS(UNB UNH BODY "UNS+S",
             "interchange at 0 " FROM_TO ORDERS READ
             "! TRUNCATED 1:179 the last 5 bytes are no whole segment (expected a segment terminator)\n"
             "! EDIFACT-UCM-13 1:184 UNT: missing (expected a UNT segment at the end of the message)\n"
             "! EDIFACT-UCI-13 1:184 UNZ: missing (expected a UNZ segment at the end of the interchange)\n"
             "ends with 0 groups, 1 documents\n");
}

static void test_tags(void **state)
{
    (void)state;
    READS_AS("unb+UNOC:3+4012345000009:14+4098765000005:14+201126:0915+1'" UNH
             "bgm+220+4711+9'DTM+137:20201126:102'NAD+BY+4012345000009::9'LIN:1+1++4000862141404:EN'UNS+S'" END "UNZ+1+1'",
             "! TAG-CASE 1:1 unb: the tag is written in small letters (expected capital letters)\n"
             "interchange at 0 " FROM_TO ORDERS
             "! TAG-CASE 1:89 bgm: the tag is written in small letters (expected capital letters)\n"
             "  BGM+220+4711+9\n  DTM+137|20201126|102\n  NAD+BY+4012345000009||9\n"
             "! TAG-NESTING 1:149 LIN:1: the tag is followed by the numbers of its nesting (expected a tag alone; the "
             "numbers are ignored)\n  LIN+1++4000862141404|EN\n  UNS+S\n" ENDED "ends with 0 groups, 1 documents\n");
    READS_AS("unb+UNOC:3+4012345000009:14+4098765000005:14+201126:0915+1'unh+1+ORDERS:D:96A:UN:EAN008'" BODY
             "unt:1+7+1'unz+1+1'",
             "! TAG-CASE 1:1 unb: the tag is written in small letters (expected capital letters)\n"
             "interchange at 0 " FROM_TO
             "! TAG-CASE 1:60 unh: the tag is written in small letters (expected capital letters)\n"
             ORDERS READ
             "! TAG-NESTING 1:179 unt:1: the tag is followed by the numbers of its nesting (expected a tag alone; "
             "the numbers are ignored)\n" ENDED "ends with 0 groups, 1 documents\n");
    /* in each document once, and once in the envelopes */
    READS_AS(UNB "UNH+1+NONE:D:96A'uci'uci'UNT+4+1'unh+2+NONE:D:96A'uci'UNT+3+2'UNZ+2+1'",
             "interchange at 0 " FROM_TO "document NONE 1 D.96A  by no guide\n"
             "! EDIFACT-UCM-12 1:60 [NONE] UNH02-1: \"NONE\" is not a message's identifier (expected a message type of "
             "six letters, such as ORDERS)\n"
             "  stray UNH+1+NONE|D|96A\n"
             "! TAG-CASE 1:77 uci: the tag is written in small letters (expected capital letters)\n"
             "  stray UCI\n"
             "  stray UCI\n"
             "  stray UNT+4+1\n"
             "! TAG-CASE 1:93 unh: the tag is written in small letters (expected capital letters)\n"
             "document NONE 2 D.96A  by no guide\n"
             "! EDIFACT-UCM-12 1:93 [NONE] UNH02-1: \"NONE\" is not a message's identifier (expected a message type of "
             "six letters, such as ORDERS)\n"
             "  stray UNH+2+NONE|D|96A\n"
             "  stray UCI\n"
             "  stray UNT+3+2\n"
             "ends with 0 groups, 2 documents\n");
}

static void test_outside(void **state)
{
    (void)state;
    READS_AS("UNH+1+ORDERS:D:96A:UN:EAN008'" BODY END,
             "interchange at 0 version  from : to : on   control   EDIFACT UTF-8 .\n"
             "document ORDERS 1 D.96A EAN008 by edifact/d96a-ean008/ORDERS\n"
             "! SET-OUTSIDE-GROUP 1:1 UNH: the message stands outside an interchange (expected a UNB segment first)\n"
             "  UNH+1+ORDERS|D|96A|UN|EAN008\n" READ ENDED "ends with 0 groups, 1 documents\n");
    /* an interchange inside a message, at the end of its line */
    READS_AS(UNB UNH "BGM+220+4711+9'DTM+137:20201126:102'\nNAD+BY+4012345000009::9'UNB:3'\nLIN+1'UNS+S'" END "UNZ+1+1'",
             "interchange at 0 " FROM_TO ORDERS "  BGM+220+4711+9\n  DTM+137|20201126|102\n  NAD+BY+4012345000009||9\n"
             "! EDIFACT-UCM-13 2:25 UNT: missing (expected a UNT segment at the end of the message)\n"
             "! EDIFACT-UCI-13 2:25 UNZ: missing (expected a UNZ segment at the end of the interchange)\n"
             "ends with 0 groups, 1 documents\n"
             "! EDIFACT-UCI-22 2:25 there are no usable delimiters (expected a UNA with six different ones and a UNB "
             "behind it, or a UNB with the usual ones)\n"
             "! NOT-EDI 2:25 these bytes belong to no interchange: UNB:3'\\x0aLIN+1'UNS (expected an interchange that "
             "begins with ISA, UNA or UNB)\n");
}

/* Latin-1, released characters, a group: all that needs memory of its own. */
static int read_whole(void *arg)
{
    static const char text[] = UNB UNH "BGM+220+J\xe4ger?++9'DTM+137:20201126:102'FTX+AAI+++\xc4?:\xd6'LIN+1'UNS+S'UNT+7+1'"
                                       "UNZ+1+1'";
    struct trace t = { 0 };
    struct complaints complaints;
    struct edi_reader_options options = { .guides = guides, .complaints = &complaints };
    struct edi_sink sink = { .ctx = &t };
    struct err err = { 0 };
    int code;

    (void)arg;
    complaints_init(&complaints);
    finding_policy_init(&options.policy);
    code = edi_reader_new(&options, &sink, &t.reader, &err);
    if (code == 0)
        code = edi_reader_feed(t.reader, slice(text, sizeof(text) - 1), &err);
    if (code == 0)
        code = edi_reader_end(t.reader, &err);
    edi_reader_free(&t.reader);
    complaints_deinit(&complaints);
    return code;
}

static void test_memory(void **state)
{
    (void)state;
    assert_int_equal(read_whole(NULL), 0);
    assert_true(fail_each_allocation(read_whole, NULL) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual),          cmocka_unit_test(test_delimiters),
        cmocka_unit_test(test_counts_in_runs), cmocka_unit_test(test_wrong_una),
        cmocka_unit_test(test_una_of_the_field), cmocka_unit_test(test_release),
        cmocka_unit_test(test_released_ends),
        cmocka_unit_test(test_character_sets), cmocka_unit_test(test_groups),
        cmocka_unit_test(test_package),        cmocka_unit_test(test_several),
        cmocka_unit_test(test_trailers),       cmocka_unit_test(test_last_terminator),
        cmocka_unit_test(test_tags),             cmocka_unit_test(test_lines),
        cmocka_unit_test(test_outside),        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("edifact", tests, set_up, tear_down);
}
