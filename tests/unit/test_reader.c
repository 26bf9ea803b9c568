/*
 * reader: envelopes of every shape, what the field does to them, and that the same bytes give the same events and
 * findings however they arrive: at once, in two pieces split anywhere, byte by byte, or in runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "edi/reader.h"
#include "failing_malloc.h"

static struct guides *guides;

static const char *maps_directory(void)
{
    const char *directory = getenv("WAYBILL_MAPS_DIR");
    return directory ? directory : "maps";
}

static int set_up(void **state)
{
    struct err err;

    (void)state;
    return guides_new(maps_directory(), &guides, &err);
}

static int tear_down(void **state)
{
    (void)state;
    guides_free(&guides);
    return 0;
}

/* --- What a reader says, as lines --------------------------------------------------------- */

enum { EVENTS = 1, SEGMENTS = 2 };

struct trace {
    struct buf text;
    struct slice input;
    struct edi_reader *reader;              /* at work */
    struct edi_reader *whole, *of_runs;     /* in runs: the one that cuts and the one that reads them */
    unsigned what;
    int stop_at;            /* the event that returns ERR_STOP, from 1; 0: none */
    int events;
    uint64_t handed_over;   /* documents in runs */
    char *run;
    size_t run_room;
};

static int event(struct trace *t)
{
    if (t->text.failed)
        return t->text.failed;
    return ++t->events == t->stop_at ? ERR_STOP : 0;
}

static void add_element(struct trace *t, struct slice s)
{
    buf_add_char(&t->text, ' ');
    buf_add_safe(&t->text, slice_trim(s), 40);
}

static int on_interchange(void *ctx, const struct edi_interchange *i)
{
    struct trace *t = ctx;
    if (t->what & EVENTS) {
        buf_printf(&t->text, "interchange %llu at %llu", (unsigned long long)i->ordinal, (unsigned long long)i->offset);
        add_element(t, i->element[6]);
        add_element(t, i->control);
        buf_add_char(&t->text, '\n');
    }
    return event(t);
}

static int on_interchange_end(void *ctx, const struct edi_interchange *i)
{
    struct trace *t = ctx;
    if (t->what & EVENTS)
        buf_printf(&t->text, "interchange ends: %llu groups, ta1 %s\n", (unsigned long long)i->groups, i->ta1);
    return event(t);
}

static int on_group(void *ctx, const struct edi_group *g)
{
    struct trace *t = ctx;
    if (t->what & EVENTS) {
        buf_printf(&t->text, " group %llu", (unsigned long long)g->ordinal);
        add_element(t, g->element[1]);
        add_element(t, g->control);
        add_element(t, g->version);
        buf_add_text(&t->text, g->implied ? " implied\n" : "\n");
    }
    return event(t);
}

static int on_group_end(void *ctx, const struct edi_group *g)
{
    struct trace *t = ctx;
    if (t->what & EVENTS)
        buf_printf(&t->text, " group ends: %llu documents, %llu accepted\n", (unsigned long long)g->documents,
                   (unsigned long long)g->accepted);
    return event(t);
}

static int on_document(void *ctx, const struct edi_document *d)
{
    struct trace *t = ctx;
    if (t->what & EVENTS) {
        buf_printf(&t->text, "  document %llu", (unsigned long long)d->ordinal);
        add_element(t, d->set);
        add_element(t, d->control);
        buf_add_char(&t->text, '\n');
    }
    return event(t);
}

static int on_document_end(void *ctx, const struct edi_document *d)
{
    struct trace *t = ctx;
    if (t->what & EVENTS)
        buf_printf(&t->text, "  document ends: %llu segments, %u errors, %u warnings\n", (unsigned long long)d->segments,
                   d->errors, d->warnings);
    return event(t);
}

static int on_segment(void *ctx, const struct guide_node *node, const struct segment *s, uint64_t present)
{
    struct trace *t = ctx;
    if (t->what & SEGMENTS) {
        struct edi_place place;
        edi_reader_place(t->reader, &place);
        buf_printf(&t->text, "   %llu:%llu%*s", (unsigned long long)place.line, (unsigned long long)place.column,
                   (int)node->depth, "");
        buf_add_safe(&t->text, segment_bytes(s), 60);
        buf_printf(&t->text, " %llx\n", (unsigned long long)present);
    }
    return event(t);
}

static int on_stray(void *ctx, const struct segment *s)
{
    struct trace *t = ctx;
    if (t->what & SEGMENTS) {
        buf_add_text(&t->text, "   stray ");
        buf_add_safe(&t->text, segment_bytes(s), 60);
        buf_add_char(&t->text, '\n');
    }
    return event(t);
}

static int on_envelope_segment(void *ctx, const struct segment *s)
{
    struct trace *t = ctx;
    if (t->what & EVENTS) {
        buf_add_text(&t->text, "  outside ");
        buf_add_safe(&t->text, segment_bytes(s), 60);
        buf_add_char(&t->text, '\n');
    }
    return event(t);
}

/* "X12-AK5-4 i1 g1 d1 s5 2:1 @106" and, from what is meant, the element. */
static int on_finding(void *ctx, const struct finding *f)
{
    struct trace *t = ctx;
    struct buf *b = &t->text;

    /* the place is where the segment stands */
    if (f->segment.n && t->input.n &&
        !slice_eq(f->segment, slice(slice_from(t->input, f->place.offset).p, f->segment.n)))
        fail_msg("%s is not at %llu", finding_rows[f->code].name, (unsigned long long)f->place.offset);
    buf_printf(b, "! %s%s", finding_rows[f->code].name, f->severity == SEVERITY_ERROR ? " error" : "");
    if (f->place.interchange)
        buf_printf(b, " i%llu", (unsigned long long)f->place.interchange);
    if (f->place.group)
        buf_printf(b, " g%llu", (unsigned long long)f->place.group);
    if (f->place.document)
        buf_printf(b, " d%llu", (unsigned long long)f->place.document);
    if (f->place.segment)
        buf_printf(b, " s%llu", (unsigned long long)f->place.segment);
    buf_printf(b, " %llu:%llu @%llu", (unsigned long long)f->place.line, (unsigned long long)f->place.column,
               (unsigned long long)f->place.offset);
    if (f->tag.n)
        add_element(t, f->tag);
    if (f->place.element)
        buf_printf(b, "%02u", f->place.element);
    if (f->value.n) {
        buf_add_text(b, " \"");
        buf_add_safe(b, f->value, 40);
        buf_add_char(b, '"');
    }
    buf_add_char(b, '\n');
    return event(t);
}

static struct edi_sink sink_of(struct trace *t)
{
    return (struct edi_sink){ t,          on_interchange,  on_interchange_end, on_group,   on_group_end,       on_document,
                              on_segment, on_stray,        on_document_end,    on_envelope_segment, on_finding };
}

/* Pieces: 0 at once; > 0 split there; -1 byte by byte. */
static int read_with(struct trace *t, struct guides *with, struct slice text, long split, struct err *err)
{
    struct complaints complaints;
    struct edi_reader_options options = { .guides = with, .complaints = &complaints };
    struct edi_sink sink = sink_of(t);
    int code;

    complaints_init(&complaints);
    finding_policy_init(&options.policy);
    code = edi_reader_new(&options, &sink, &t->reader, err);
    if (code == 0 && split >= 0) {
        code = edi_reader_feed(t->reader, slice(text.p, (size_t)split), err);
        if (code == 0)
            code = edi_reader_feed(t->reader, slice_from(text, (size_t)split), err);
    }
    for (size_t i = 0; code == 0 && split < 0 && i < text.n; i++)
        code = edi_reader_feed(t->reader, slice(text.p + i, 1), err);
    if (code == 0)
        code = edi_reader_end(t->reader, err);
    edi_reader_free(&t->reader);
    complaints_deinit(&complaints);
    return code;
}

static char *traced(struct slice text, unsigned what, long split)
{
    struct trace t = { .what = what, .input = text };
    struct err err = { 0 };
    char *copy;

    buf_init(&t.text, 64 << 20);
    if (read_with(&t, guides, text, split, &err))
        fail_msg("%s", err.text);
    copy = strdup(buf_text(&t.text));
    assert_non_null(copy);
    buf_deinit(&t.text);
    return copy;
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
    t->handed_over += run->documents;
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
    memset(t->run + run->n, '~', 64);
    copy.p = t->run;
    edi_context_copy(in, edi_reader_context(from));
    t->reader = t->of_runs;
    code = edi_reader_run(t->reader, in, &copy, NULL);
    t->reader = t->whole;
    free(in);
    return code;
}

/* The same in runs that another reader reads; only what both can know is traced. */
static char *traced_in_runs_of(struct slice text, size_t piece, uint64_t *handed_over_r)
{
    struct trace t = { .what = SEGMENTS };
    struct complaints complaints;
    struct edi_reader_options options = { .guides = guides, .complaints = &complaints };
    struct edi_sink sink = sink_of(&t);
    struct err err = { 0 };
    char *copy;

    complaints_init(&complaints);
    buf_init(&t.text, 64 << 20);
    finding_policy_init(&options.policy);
    assert_int_equal(edi_reader_new(&options, &sink, &t.of_runs, &err), 0);
    options.run = on_run;
    options.run_ctx = &t;
    assert_int_equal(edi_reader_new(&options, &sink, &t.whole, &err), 0);
    t.reader = t.whole;
    for (size_t at = 0; at < text.n; at += piece)
        assert_int_equal(edi_reader_feed(t.whole, slice(text.p + at, text.n - at < piece ? text.n - at : piece), &err), 0);
    assert_int_equal(edi_reader_end(t.whole, &err), 0);
    edi_reader_free(&t.whole);
    edi_reader_free(&t.of_runs);
    complaints_deinit(&complaints);
    free(t.run);
    copy = strdup(buf_text(&t.text));
    assert_non_null(copy);
    buf_deinit(&t.text);
    if (handed_over_r)
        *handed_over_r = t.handed_over;
    return copy;
}

static char *traced_in_runs(struct slice text, size_t piece)
{
    return traced_in_runs_of(text, piece, NULL);
}

static void same(const char *got, const char *expected, const char *how, long at)
{
    if (strcmp(got, expected) != 0) {
        fprintf(stderr, "got:\n%s\nexpected:\n%s\n", got, expected);
        fail_msg("%s %ld", how, at);
    }
}

/* However the bytes arrive. */
static void same_in_pieces(struct slice text)
{
    char *whole = traced(text, EVENTS | SEGMENTS, 0), *segments = traced(text, SEGMENTS, 0), *other;

    for (size_t i = 1; i < text.n; i++) {
        other = traced(text, EVENTS | SEGMENTS, (long)i);
        same(other, whole, "split at", (long)i);
        free(other);
    }
    other = traced(text, EVENTS | SEGMENTS, -1);
    same(other, whole, "byte by byte, of", (long)text.n);
    free(other);
    for (size_t piece = 1; piece < text.n; piece = piece * 3 + 1) {
        other = traced_in_runs(text, piece);
        same(other, segments, "in runs, pieces of", (long)piece);
        free(other);
    }
    free(whole);
    free(segments);
}

static void reads_slice(struct slice text, const char *expected)
{
    char *got = traced(text, EVENTS, 0);
    same(got, expected, "at once, of", (long)text.n);
    free(got);
    same_in_pieces(text);
}

static void reads(const char *text, const char *expected)
{
    reads_slice(slice_of(text), expected);
}

#define ISA_OF(control) "ISA*00*          *00*          *ZZ*NORTH          *ZZ*ACME           *260115*0905*U*00401*" control "*0*P*>~"
#define ISA ISA_OF("000000042")
#define GS "GS*PO*NORTH*ACME*20260115*0905*7*X*004010~"
#define GS8 "GS*PO*NORTH*ACME*20260115*0905*8*X*004010~"
#define ORDER(control) "ST*850*" control "~BEG*00*SA*4711**20260115~PO1*1*5*EA*9.5~CTT*1~SE*5*" control "~"
#define END "GE*1*7~IEA*1*000000042~"

/* --- Envelopes ------------------------------------------------------------------------------ */

static void test_one(void **state)
{
    (void)state;
    reads(ISA GS ORDER("0001") END,
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

static void test_groups_and_interchanges(void **state)
{
    (void)state;
    reads(ISA GS ORDER("0001") ORDER("0002") "GE*2*7~" GS8 ORDER("0001") "GE*1*8~IEA*2*000000042~"
              ISA_OF("000000043") GS ORDER("0001") "GE*1*7~IEA*1*000000043~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          "  document 2 850 0002\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 2 documents, 2 accepted\n"
          " group 2 PO 8 004010\n"
          "  document 3 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 2 groups, ta1 000\n"
          "interchange 2 at 424 NORTH 000000043\n"
          " group 1 PO 7 004010\n"
          "  document 4 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

/* Three interchanges, each with delimiters of its own; one's delimiters are data in another. */
static void test_delimiters(void **state)
{
    (void)state;
    reads(ISA GS "ST*850*0001~BEG*00*SA*4711|12**20260115~PO1*1*5*EA*9.5~CTT*1~SE*5*0001~" END
          "ISA|00|          |00|          |ZZ|NORTH          |ZZ|ACME           |260115|0905|U|00401|000000043|0|P|^!\r\n"
          "GS|PO|NORTH|ACME|20260115|0905|8|X|004010!\r\nST|850|0002!\r\nBEG|00|SA|47~11||20260115!\r\n"
          "PO1|1|5|EA|9.5!\r\nCTT|1!\r\nSE|5|0002!\r\nGE|1|8!\r\nIEA|1|000000043!\r\n"
          "ISA\x1d" "00\x1d          \x1d" "00\x1d          \x1dZZ\x1dNORTH          \x1dZZ\x1d" "ACME           \x1d"
          "260115\x1d" "0905\x1dU\x1d" "00401\x1d" "000000044\x1d" "0\x1dP\x1d\x1f\x1e"
          "GS\x1dPO\x1dNORTH\x1d" "ACME\x1d" "20260115\x1d" "0905\x1d" "9\x1dX\x1d" "004010\x1e"
          "ST\x1d" "850\x1d" "0003\x1e" "BEG\x1d" "00\x1dSA\x1d" "4711\x1d\x1d" "20260115\x1ePO1\x1d" "1\x1d" "5\x1d" "EA\x1d"
          "9.5\x1e" "CTT\x1d" "1\x1eSE\x1d" "5\x1d" "0003\x1eGE\x1d" "1\x1d" "9\x1eIEA\x1d" "1\x1d" "000000044\x1e",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n"
          "interchange 2 at 242 NORTH 000000043\n"
          " group 1 PO 8 004010\n"
          "  document 2 850 0002\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n"
          "interchange 3 at 500 NORTH 000000044\n"
          " group 1 PO 9 004010\n"
          "  document 3 850 0003\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

static void test_ta1_anywhere(void **state)
{
    (void)state;
    reads(ISA "TA1*000000007*260115*0905*A*000~" GS ORDER("0001") "TA1*000000008*260115*0905*A*000~GE*1*7~"
              "TA1*000000009*260115*0905*A*000~IEA*1*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          "  document 1 TA1 \n"
          "  document ends: 1 segments, 0 errors, 0 warnings\n"
          " group 1 PO 7 004010\n"
          "  document 2 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          "  document 3 TA1 \n"
          "  document ends: 1 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "  document 4 TA1 \n"
          "  document ends: 1 segments, 0 errors, 0 warnings\n"
          "interchange ends: 1 groups, ta1 000\n");
    reads(ISA "TA1*000000007*260115*0905*A*000~IEA*0*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          "  document 1 TA1 \n"
          "  document ends: 1 segments, 0 errors, 0 warnings\n"
          "interchange ends: 0 groups, ta1 000\n");
}

/* What is wrong in it is a finding of a document, and other sets are not read with its guide. */
static void test_ta1_is_a_document(void **state)
{
    (void)state;
    reads(ISA "TA1*7*260115*0905*Q*000*X~" GS "ST*TA1*0001~TA1*000000007*260115*0905*A*000~SE*3*0001~GE*1*7~IEA*1*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          "  document 1 TA1 \n"
          "! X12-AK4-4 error i1 d1 s1 1:107 @106 TA101 \"7\"\n"
          "! X12-AK4-7 error i1 d1 s1 1:107 @106 TA104 \"Q\"\n"
          "! X12-AK4-3 error i1 d1 s1 1:107 @106 TA106 \"X\"\n"
          "  document ends: 1 segments, 3 errors, 0 warnings\n"
          " group 1 PO 7 004010\n"
          "  document 2 TA1 0001\n"
          "! X12-AK5-1 error i1 g1 d2 1:175 @174 ST01 \"TA1\"\n"
          "  document ends: 3 segments, 1 errors, 0 warnings\n"
          " group ends: 1 documents, 0 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
    /* other interchange segments have no guide */
    reads(ISA "ISB*1~IEA*0*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          "  outside ISB*1\n"
          "interchange ends: 0 groups, ta1 000\n");
}

/* Before the first ISA: what it answers is told all the same. */
static void test_ta1_without_isa(void **state)
{
    (void)state;
    reads("TA1*000000009*261101*0800*A*000~\n" ISA GS ORDER("0001") END,
          "interchange 1 at 0  \n"
          "! X12-TA1-022 error i1 1:1 @0 TA1\n"
          "  document 1 TA1 \n"
          "  document ends: 1 segments, 0 errors, 0 warnings\n"
          "interchange ends: 0 groups, ta1 022\n"
          "interchange 2 at 33 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 2 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

/* What was told to be missing is not told once more where it stands. */
static void test_out_of_sequence(void **state)
{
    (void)state;
    reads(ISA GS "ST*850*0001~REF*IA*1~BEG*00*SA*4711**20260115~CTT*1~PO1*1*5*EA*9.5~SE*6*0001~" ORDER("0002") "GE*2*7~"
          "IEA*1*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! X12-AK3-3 error i1 g1 d1 s2 1:161 @160 BEG\n"
          "! X12-AK3-3 error i1 g1 d1 s4 1:195 @194 PO1\n"
          "  document ends: 6 segments, 2 errors, 0 warnings\n"
          "  document 2 850 0002\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 2 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

static void test_missing_trailers(void **state)
{
    (void)state;
    reads(ISA GS ORDER("0001"),
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          "! X12-AK9-3 i1 g1 1:217 @216 GE\n"
          " group ends: 1 documents, 1 accepted\n"
          "! X12-TA1-023 i1 1:217 @216 IEA\n"
          "interchange ends: 1 groups, ta1 000\n");
    reads(ISA GS "ST*850*0001~BEG*00*SA*4711**20260115~PO1*1*5*EA*9.5~CTT*1~" ORDER("0002") "GE*2*7~IEA*1*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! X12-AK5-2 error i1 g1 d1 s4 1:207 @206 SE\n"
          "  document ends: 4 segments, 1 errors, 0 warnings\n"
          "  document 2 850 0002\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 2 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
    reads(ISA GS "ST*850*0001~BEG*00*SA*4711**20260115~PO1*1*5*EA*9.5~CTT*1~" ISA_OF("000000043") "IEA*0*000000043~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! X12-AK5-2 error i1 g1 d1 s4 1:207 @206 SE\n"
          "  document ends: 4 segments, 1 errors, 0 warnings\n"
          "! X12-AK9-3 i1 g1 1:207 @206 GE\n"
          " group ends: 1 documents, 0 accepted\n"
          "! X12-TA1-023 i1 1:207 @206 IEA\n"
          "interchange ends: 1 groups, ta1 000\n"
          "interchange 2 at 206 NORTH 000000043\n"
          "interchange ends: 0 groups, ta1 000\n");
    reads(ISA GS "ST*850*0001~BEG*00*SA*4711**20260115~PO1*1*5*EA*9.5~CTT*1~" END,
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! X12-AK5-2 error i1 g1 d1 s4 1:207 @206 SE\n"
          "  document ends: 4 segments, 1 errors, 0 warnings\n"
          " group ends: 1 documents, 0 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

static void test_wrong_counts(void **state)
{
    (void)state;
    reads(ISA GS "ST*850*0001~BEG*00*SA*4711**20260115~PO1*1*5*EA*9.5~CTT*1~SE*6*0009~GE*2*8~IEA*3*000000041~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! X12-AK5-4 i1 g1 d1 s5 1:207 @206 SE01 \"6\"\n"
          "! X12-AK5-3 i1 g1 d1 s5 1:207 @206 SE02 \"0009\"\n"
          "  document ends: 5 segments, 0 errors, 2 warnings\n"
          "! X12-AK9-5 i1 g1 1:217 @216 GE01 \"2\"\n"
          "! X12-AK9-4 i1 g1 1:217 @216 GE02 \"8\"\n"
          " group ends: 1 documents, 1 accepted\n"
          "! X12-TA1-021 i1 1:224 @223 IEA01 \"3\"\n"
          "! X12-TA1-001 i1 1:224 @223 IEA02 \"000000041\"\n"
          "interchange ends: 1 groups, ta1 000\n");
}

static void test_outside(void **state)
{
    (void)state;
    /* ST without GS */
    reads(ISA ORDER("0001") "IEA*0*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1   00401 implied\n"
          "  document 1 850 0001\n"
          "! SET-OUTSIDE-GROUP i1 g1 d1 1:107 @106 ST\n"
          "  document ends: 5 segments, 0 errors, 1 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 0 groups, ta1 000\n");
    /* GS without ISA */
    reads(GS ORDER("0001") "GE*1*7~",
          "interchange 1 at 0  \n"
          "! GROUP-OUTSIDE-INTERCHANGE i1 1:1 @0 GS\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
    /* nothing but a document */
    reads(ORDER("0001"),
          "interchange 1 at 0  \n"
          " group 1    implied\n"
          "  document 1 850 0001\n"
          "! SET-OUTSIDE-GROUP i1 g1 d1 1:1 @0 ST\n"
          "  document ends: 5 segments, 0 errors, 1 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 0 groups, ta1 000\n");
    /* trailers without headers, and a segment where none belongs */
    reads(ISA "SE*1*0001~GE*1*7~REF*IA*1~IEA*0*000000042~IEA*0*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          "! X12-TA1-022 error i1 1:107 @106 SE\n"
          "! X12-TA1-022 error i1 1:117 @116 GE\n"
          "! X12-TA1-022 error i1 1:124 @123 REF\n"
          "interchange ends: 0 groups, ta1 022\n"
          "! NOT-EDI error 1:149 @148\n");
}

static void test_duplicates(void **state)
{
    (void)state;
    reads(ISA GS ORDER("0001") ORDER("0003") ORDER("0002") ORDER("0001") ORDER("0004") ORDER("3") "GE*6*7~"
              GS8 ORDER("0001") "GE*1*8~IEA*2*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          "  document 2 850 0003\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          "  document 3 850 0002\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          "  document 4 850 0001\n"
          "! X12-AK5-23 i1 g1 d4 1:353 @352 ST02 \"0001\"\n"
          "  document ends: 5 segments, 0 errors, 1 warnings\n"
          "  document 5 850 0004\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          "  document 6 850 3\n"
          "! X12-AK5-23 i1 g1 d6 1:489 @488 ST02 \"3\"\n"
          "! X12-AK4-4 error i1 g1 d6 s1 1:489 @488 ST02 \"3\"\n"
          "! X12-AK4-4 error i1 g1 d6 s5 1:544 @543 SE02 \"3\"\n"
          "  document ends: 5 segments, 2 errors, 1 warnings\n"
          " group ends: 6 documents, 5 accepted\n"
          " group 2 PO 8 004010\n"
          "  document 7 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 2 groups, ta1 000\n");
}

/* The same interchange and the same group number again are told, other numbers are not. */
static void test_duplicate_envelopes(void **state)
{
    (void)state;
    reads(ISA GS ORDER("0001") "GE*1*7~" GS ORDER("0002") "GE*1*7~IEA*2*000000042~" ISA_OF("000000042") GS8 ORDER("0003")
              "GE*1*8~IEA*1*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "! GROUP-DUPLICATE i1 g2 1:224 @223 GS06 \"7\"\n"
          " group 2 PO 7 004010\n"
          "  document 2 850 0002\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 2 groups, ta1 000\n"
          "interchange 2 at 356 NORTH 000000042\n"
          "! X12-TA1-025 i2 1:357 @356 ISA13 \"000000042\"\n"
          " group 1 PO 8 004010\n"
          "  document 3 850 0003\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

/* The substitution is said once for each set of a group. */
static void test_versions(void **state)
{
    (void)state;
    reads(ISA "GS*PO*NORTH*ACME*20260115*0905*7*X*004030~" ORDER("0001") ORDER("0002") "ST*997*0003~AK1*PO*1~AK9*A*1*1*1~SE*4*0003~"
              ORDER("0004") "GE*4*7~GS*PO*NORTH*ACME*20260115*0905*8*X*004010VICS~" ORDER("0001") "GE*1*8~IEA*2*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004030\n"
          "  document 1 850 0001\n"
          "! VERSION-SUBSTITUTED i1 g1 d1 1:149 @148 ST\n"
          "  document ends: 5 segments, 0 errors, 1 warnings\n"
          "  document 2 850 0002\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          "  document 3 997 0003\n"
          "! VERSION-SUBSTITUTED i1 g1 d3 1:285 @284 ST\n"
          "! X12-AK5-I1 i1 g1 d3 1:285 @284 ST01 \"997\"\n"
          "  document ends: 4 segments, 0 errors, 2 warnings\n"
          "  document 4 850 0004\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 4 documents, 4 accepted\n"
          " group 2 PO 8 004010VICS\n"
          "  document 5 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 2 groups, ta1 000\n");
}

static void test_sets_without_guide(void **state)
{
    (void)state;
    reads(ISA GS "ST*811*0001~BIG*x~SE*3*0001~ST**0002~SE*2*0002~ST*85?*~SE*2*~GE*3*7~IEA*1*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 811 0001\n"
          "! X12-AK5-1 error i1 g1 d1 1:149 @148 ST01 \"811\"\n"
          "  document ends: 3 segments, 1 errors, 0 warnings\n"
          "  document 2  0002\n"
          "! X12-AK5-6 error i1 g1 d2 1:177 @176 ST01\n"
          "  document ends: 2 segments, 1 errors, 0 warnings\n"
          "  document 3 85? \n"
          "! X12-AK5-1 error i1 g1 d3 1:196 @195 ST01 \"85?\"\n"
          "! X12-AK5-7 i1 g1 d3 1:196 @195 ST02\n"
          "  document ends: 2 segments, 1 errors, 1 warnings\n"
          " group ends: 3 documents, 0 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

/* --- What the field does ------------------------------------------------------------------------ */

static const char clean[] = "interchange 1 at 0 NORTH 000000042\n"
                            " group 1 PO 7 004010\n"
                            "  document 1 850 0001\n"
                            "  document ends: 5 segments, 0 errors, 0 warnings\n"
                            " group ends: 1 documents, 1 accepted\n"
                            "interchange ends: 1 groups, ta1 000\n";

/* Replaces each `from` of a text. */
static struct slice replaced(const char *text, const char *from, const char *to, struct buf *out)
{
    buf_init(out, 1 << 20);
    while (*text) {
        if (strncmp(text, from, strlen(from)) == 0) {
            buf_add_text(out, to);
            text += strlen(from);
        } else {
            buf_add_char(out, *text++);
        }
    }
    assert_int_equal(out->failed, 0);
    return buf_slice(out);
}

static void test_line_breaks(void **state)
{
    static const char *const breaks[] = { "~\n", "~\r\n", "~\n\n", "~\r\n\r\n", "\n", "\r\n", "\r", "\x85" };
    struct buf b;

    (void)state;
    for (unsigned i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
        struct slice text = replaced(ISA GS ORDER("0001") END, "~", breaks[i], &b);
        char *got = traced(text, EVENTS, 0);
        if (strcmp(got, clean) != 0)
            fail_msg("line break %u:\n%s", i, got);
        free(got);
        same_in_pieces(text);
        buf_deinit(&b);
    }
}

static void test_blanks(void **state)
{
    (void)state;
    reads(ISA "  " GS "\t" ORDER("0001") " \n GE*1*7~ \n IEA*1*000000042~ \n ",
          "interchange 1 at 0 NORTH 000000042\n"
          "! STRAY-BLANKS i1 1:109 @108 GS\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
    reads(ISA GS "ST*850*0001~ BEG*00*SA*4711**20260115~~ PO1*1*5*EA*9.5~CTT*1~SE*5*0001~" ORDER("0002") " " ORDER("0003")
              "~ GE*3*7~IEA*1*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! STRAY-BLANKS i1 g1 d1 s1 1:162 @161 BEG\n"
          "! EMPTY-SEGMENT i1 g1 d1 s2 1:187 @186\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          "  document 2 850 0002\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          "  document 3 850 0003\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 3 documents, 3 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

/* A line break in the place of a terminator ends the segment where a trailer follows, or what the document may hold. */
static void test_lost_terminators(void **state)
{
    (void)state;
    reads(ISA GS "ST*850*0001~BEG*00*SA*4711**20260115~PO1*1*5*EA*9.5~CTT*1\nSE*5*0001\nGE*1*7\r\nIEA*1*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! NO-TERMINATOR i1 g1 d1 s4 1:201 @200 CTT\n"
          "! NO-TERMINATOR i1 g1 d1 s5 2:1 @206 SE\n"
          "  document ends: 5 segments, 0 errors, 2 warnings\n"
          "! NO-TERMINATOR i1 g1 3:1 @216 GE\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
    /* no SE at all */
    reads(ISA GS "ST*850*0001~BEG*00*SA*4711**20260115\nPO1*1*5*EA*9.5\nCTT*1\n GE*1*7~IEA*1*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! NO-TERMINATOR i1 g1 d1 s2 1:161 @160 BEG\n"
          "! NO-TERMINATOR i1 g1 d1 s3 2:1 @185 PO1\n"
          "! NO-TERMINATOR i1 g1 d1 s4 3:1 @200 CTT\n"
          "! X12-AK5-2 error i1 g1 d1 s4 4:2 @207 SE\n"
          "  document ends: 4 segments, 1 errors, 3 warnings\n"
          " group ends: 1 documents, 0 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
    /* an SE of no document, and one line that is nothing else but a tag */
    reads(ISA GS ORDER("0001") "SE*5*0001\nGE*1*7~IEA*1*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          "! NO-TERMINATOR i1 g1 1:217 @216 SE\n"
          "! X12-TA1-022 error i1 g1 1:217 @216 SE\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 022\n");
    reads(ISA GS "ST*850*0001~BEG*00*SA*4711**20260115~PO1*1*5*EA*9.5~CTT*1~SE\nGE*1*7~IEA*1*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! X12-AK3-1 error i1 g1 d1 s5 1:207 @206 SE\\x0aGE\n"
          "! X12-AK5-2 error i1 g1 d1 s5 2:8 @216 SE\n"
          "  document ends: 5 segments, 2 errors, 0 warnings\n"
          "! X12-AK9-3 i1 g1 2:8 @216 GE\n"
          " group ends: 1 documents, 0 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

/* Blanks before a segment that ends the document before it are not that document's. */
static void test_blanks_behind_missing_trailers(void **state)
{
    (void)state;
    reads(ISA GS "ST*850*0001~BEG*00*SA*4711**20260115~PO1*1*5*EA*9.5~CTT*1~ " ORDER("0002") "GE*2*7~IEA*1*000000042~",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! X12-AK5-2 error i1 g1 d1 s4 1:208 @207 SE\n"
          "  document ends: 4 segments, 1 errors, 0 warnings\n"
          "! STRAY-BLANKS i1 g1 1:208 @207 ST\n"
          "  document 2 850 0002\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 2 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

static void test_byte_order_mark(void **state)
{
    (void)state;
    reads("\xef\xbb\xbf" ISA GS ORDER("0001") END,
          "! BYTE-ORDER-MARK 1:1 @0\n"
          "interchange 1 at 3 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

static void test_isa_length(void **state)
{
    (void)state;
    /* without padding */
    reads("ISA*00**00**ZZ*NORTH*ZZ*ACME*260115*0905*U*00401*000000042*0*P*>~" GS ORDER("0001") END,
          "interchange 1 at 0 NORTH 000000042\n"
          "! ISA-SHORT i1 1:1 @0 ISA\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
    /* too much of it */
    reads("ISA*00*          *00*          *ZZ*NORTH            *ZZ*ACME           *260115*0905*U*00401*000000042*0*P*>~"
          GS ORDER("0001") END,
          "interchange 1 at 0 NORTH 000000042\n"
          "! ISA-LONG i1 1:1 @0 ISA\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
    /* ISA16 lost */
    reads("ISA*00*          *00*          *ZZ*NORTH          *ZZ*ACME           *260115*0905*U*00401*000000042*0*P*~\n"
          GS "\nST*850*0001~\nBEG*00*SA*4711**20260115~\nPO1*1*5*EA*9.5~\nCTT*1~\nSE*5*0001~\nGE*1*7~\nIEA*1*000000042~\n",
          "interchange 1 at 0 NORTH 000000042\n"
          "! ISA-SHORT i1 1:1 @0 ISA\n"
          "! X12-TA1-027 i1 1:1 @0 ISA16\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

static void test_last_terminator(void **state)
{
    (void)state;
    reads(ISA GS ORDER("0001") "GE*1*7~IEA*1*000000042",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "! NO-LAST-TERMINATOR i1 1:224 @223\n"
          "interchange ends: 1 groups, ta1 000\n");
    reads(ISA GS "ST*850*0001~BEG*00*SA*4711**20260115~PO1*1*5*EA*9.5~CTT*1~SE*5*0001 \n",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! NO-LAST-TERMINATOR i1 g1 d1 s4 1:207 @206\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          "! X12-AK9-3 i1 g1 2:1 @217 GE\n"
          " group ends: 1 documents, 1 accepted\n"
          "! X12-TA1-023 i1 2:1 @217 IEA\n"
          "interchange ends: 1 groups, ta1 000\n");
    reads(ISA GS "ST*850*0001~BEG*00*SA*4711**20260115~PO1*1*5*EA*9.5~CTT*1~GE*1*7",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! X12-AK5-2 error i1 g1 d1 s4 1:207 @206 SE\n"
          "  document ends: 4 segments, 1 errors, 0 warnings\n"
          "! NO-LAST-TERMINATOR i1 g1 1:207 @206\n"
          " group ends: 1 documents, 0 accepted\n"
          "! X12-TA1-023 i1 1:213 @212 IEA\n"
          "interchange ends: 1 groups, ta1 000\n");
}

static void test_truncated(void **state)
{
    (void)state;
    reads(ISA GS "ST*850*0001~BEG*00*SA*4711**20260115~PO1*1*5*E",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! TRUNCATED error i1 g1 d1 s2 1:186 @185\n"
          "! X12-AK5-2 error i1 g1 d1 s2 1:195 @194 SE\n"
          "  document ends: 2 segments, 2 errors, 0 warnings\n"
          "! X12-AK9-3 i1 g1 1:195 @194 GE\n"
          " group ends: 1 documents, 0 accepted\n"
          "! X12-TA1-023 i1 1:195 @194 IEA\n"
          "interchange ends: 1 groups, ta1 000\n");
    reads(ISA "GS*PO*NOR",
          "interchange 1 at 0 NORTH 000000042\n"
          "! TRUNCATED error i1 1:107 @106\n"
          "! X12-TA1-023 i1 1:116 @115 IEA\n"
          "interchange ends: 0 groups, ta1 000\n");
}

/* Wherever a file breaks off, it is said, and no document is accepted that has no SE. */
static void test_truncated_anywhere(void **state)
{
    const char text[] = ISA GS ORDER("0001") END;
    const size_t se = strstr(text, "~GE") - text, whole = sizeof(text) - 2;

    (void)state;
    for (size_t n = 0; n < whole; n++) {
        char *got = traced(slice(text, n), EVENTS, 0), *runs = traced_in_runs(slice(text, n), 40),
             *segments = traced(slice(text, n), SEGMENTS, 0);
        if (!strchr(got, '!'))
            fail_msg("cut at %zu: in silence:\n%s", n, got);
        if (n < se - 9 && strstr(got, "1 accepted"))
            fail_msg("cut at %zu: accepted:\n%s", n, got);
        same(runs, segments, "in runs, cut at", (long)n);
        free(got);
        free(runs);
        free(segments);
    }
}

static void test_isa_in_data(void **state)
{
    (void)state;
    reads(ISA GS "ST*850*0001~BEG*00*SA*ISA**20260115~N9*L1*ISA~MSG*ISA*00~PO1*1*5*EA*9.5~CTT*1~SE*7*0001~" END,
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! X12-AK4-7 error i1 g1 d1 s4 1:195 @194 MSG02 \"00\"\n"
          "  document ends: 7 segments, 1 errors, 0 warnings\n"
          " group ends: 1 documents, 0 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
}

static void test_garbage(void **state)
{
    (void)state;
    reads("Subject: orders\n\n" ISA GS ORDER("0001") END,
          "! NOT-EDI error 1:1 @0\n"
          "interchange 1 at 17 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
    reads(ISA GS ORDER("0001") END "and now:" ISA_OF("000000043") "IEA*0*000000043~the end",
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "  document ends: 5 segments, 0 errors, 0 warnings\n"
          " group ends: 1 documents, 1 accepted\n"
          "interchange ends: 1 groups, ta1 000\n"
          "! NOT-EDI error 1:240 @239\n"
          "interchange 2 at 247 NORTH 000000043\n"
          "interchange ends: 0 groups, ta1 000\n"
          "! NOT-EDI error 1:370 @369\n");
    reads("", "! NO-INTERCHANGE error 1:1 @0\n");
    reads(" \r\n\t", "! NO-INTERCHANGE error 2:2 @4\n");
    reads("{\"record\":\"order\"}", "! NOT-EDI error 1:1 @0\n");
    reads("I", "! NO-INTERCHANGE error 1:2 @1\n");
    reads("ISA", "! NO-INTERCHANGE error 1:4 @3\n");
    reads("ISA*00*    ", "! X12-TA1-026 error 1:1 @0\n! NOT-EDI error 1:1 @0\n");
}

/* --- Binary segments ------------------------------------------------------------------------------ */

#define BIN_DOCUMENT(bin, count) "ST*850*0001~BEG*00*SA*4711**20260115~" bin "PO1*1*5*EA*9.5~CTT*1~SE*" count "*0001~"

/* Delimiters in the data are data. BIN has no place in an 850: the segment is a stray one, the rest is not hurt. */
static void test_binary(void **state)
{
    char *got;

    (void)state;
    reads(ISA GS BIN_DOCUMENT("BIN*20*ab~SE*1*0001~GE*1*~c~", "6") END,
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! X12-AK3-1 error i1 g1 d1 s3 1:186 @185 BIN\n"
          "  document ends: 6 segments, 1 errors, 0 warnings\n"
          " group ends: 1 documents, 0 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
    reads(ISA GS BIN_DOCUMENT("BDS*ASC*9*~~*\n~ISA*~", "6") END,
          "interchange 1 at 0 NORTH 000000042\n"
          " group 1 PO 7 004010\n"
          "  document 1 850 0001\n"
          "! X12-AK3-1 error i1 g1 d1 s3 1:186 @185 BDS\n"
          "  document ends: 6 segments, 1 errors, 0 warnings\n"
          " group ends: 1 documents, 0 accepted\n"
          "interchange ends: 1 groups, ta1 000\n");
    /* a wrong length is said, and the segment ends at the next terminator */
    got = traced(SLICE(ISA GS BIN_DOCUMENT("BIN*4*abcde~", "6") END), EVENTS, 0);
    assert_non_null(strstr(got, "! BINARY-LENGTH error i1 g1 d1"));
    assert_non_null(strstr(got, "document ends: 6 segments"));
    free(got);
    same_in_pieces(SLICE(ISA GS BIN_DOCUMENT("BIN*4*abcde~", "6") END));
    same_in_pieces(SLICE(ISA GS BIN_DOCUMENT("BIN*x*abcde~", "6") END));
    same_in_pieces(SLICE(ISA GS BIN_DOCUMENT("BIN*~", "6") END));
    same_in_pieces(SLICE(ISA GS BIN_DOCUMENT("BIN~", "6") END));
    /* more than the file has */
    got = traced(SLICE(ISA GS BIN_DOCUMENT("BIN*5000*abcde~", "6") END), EVENTS, 0);
    assert_non_null(strstr(got, "! BINARY-LENGTH error"));
    free(got);
    same_in_pieces(SLICE(ISA GS BIN_DOCUMENT("BIN*5000*abcde~", "6") END));
    same_in_pieces(SLICE(ISA GS BIN_DOCUMENT("BIN*5000000*abcde~", "6") END));
    same_in_pieces(SLICE(ISA GS BIN_DOCUMENT("BIN*99999999999999999*abcde~", "6") END));
}

/* Data larger than the reader keeps pass by; what is behind them is read. */
static void test_large_binary(void **state)
{
    static const size_t sizes[] = { 100000, 400000, LIMIT_SEGMENT - 1, LIMIT_SEGMENT, 6 << 20 };

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct buf b;
        char *whole, *runs;

        buf_init(&b, 16 << 20);
        buf_printf(&b, "%sST*850*0001~BEG*00*SA*4711**20260115~BIN*%zu*", ISA GS, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k += 8)
            buf_add(&b, "~ISA*SE*", sizes[i] - k < 8 ? sizes[i] - k : 8);
        buf_add_text(&b, "~PO1*1*5*EA*9.5~CTT*1~SE*6*0001~" END);
        assert_int_equal(b.failed, 0);
        whole = traced(buf_slice(&b), SEGMENTS, 0);
        if (!strstr(whole, "PO1*1*5*EA*9.5 f"))
            fail_msg("%zu bytes:\n%s", sizes[i], whole);
        assert_null(strstr(whole, "WRONG"));
        assert_null(strstr(whole, "X12-AK5"));
        runs = traced_in_runs(buf_slice(&b), 70000);
        same(runs, whole, "binary data in runs, bytes", (long)sizes[i]);
        free(runs);
        free(whole);
        buf_deinit(&b);
    }
}

/* --- Large things ----------------------------------------------------------------------------------- */

static void add_lines(struct buf *b, unsigned n)
{
    for (unsigned i = 1; i <= n; i++)
        buf_printf(b, "PO1*%u*5*EA*9.5**UP*012345678905~", i);
}

/* Documents go to other readers where there is no doubt where they end. */
static void test_handed_over(void **state)
{
    static const char *const inside[] = { "BIN*3*a~b~", "se*5*0001~", "ISA*00*~", "UNA:+.? '~", "UNB+UNOC:3+A+B~",
                                          "GE*1*7~", "N1*ST\nSE*5*0001~", "TD5*O\nN9*ZZ~" };
    const struct {
        const char *text;
        uint64_t handed_over;
    } cases[] = {
        { ISA GS ORDER("0001") ORDER("0002") ORDER("0003") "GE*3*7~IEA*1*000000042~", 3 },
        { ISA GS "\n" ORDER("0001") "\r\n" ORDER("0002") " \n" ORDER("0003") "~GE*3*7~IEA*1*000000042~", 3 },
        { ISA GS ORDER("0001") ORDER("0001") ORDER("0003") "GE*3*7~" GS8 ORDER("0001") "GE*1*8~IEA*2*000000042~", 4 },
        { ORDER("0001") ORDER("0002"), 2 },
        { ISA GS ORDER("0001") "ST*850*0002~BEG*00*SA*4711**20260115~" ORDER("0003") "GE*3*7~IEA*1*000000042~", 2 },
        { ISA GS ORDER("0001") "ST*850*0002~BEG*00*SA*4711**20260115~CTT*0~", 1 },
        { ISA GS ORDER("0001") "ST*850*0002~BEG*00*SA*4711**20260115~SE*3*0002", 1 },
    };
    uint64_t handed_over;
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        free(traced_in_runs_of(slice_of(cases[i].text), SIZE_MAX, &handed_over));
        assert_int_equal(handed_over, cases[i].handed_over);
    }
    for (unsigned i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
        char text[1000];
        snprintf(text, sizeof(text), "%s%s%s%s%s%s", ISA GS, ORDER("0001"), "ST*850*0002~BEG*00*SA*4711**20260115~",
                 inside[i], "CTT*0~SE*5*0002~" ORDER("0003"), "GE*3*7~IEA*1*000000042~");
        free(traced_in_runs_of(slice_of(text), SIZE_MAX, &handed_over));
        if (handed_over < 1 || handed_over > 2)
            fail_msg("with %s %llu documents were handed over", inside[i], (unsigned long long)handed_over);
    }
}

/* Long ones, too, up to what a run holds. */
static void test_longest_handed_over(void **state)
{
    (void)state;
    for (unsigned lines = 15500; lines <= 16500; lines += 1000) {
        struct buf b;
        uint64_t handed_over;
        char *whole, *runs;

        buf_init(&b, 16 << 20);
        buf_add_text(&b, ISA GS ORDER("0001") "ST*850*0002~BEG*00*SA*4711**20260115~");
        const size_t before = b.n;
        add_lines(&b, lines);
        buf_printf(&b, "CTT*%u~SE*%u*0002~" ORDER("0003") "GE*3*7~IEA*1*000000042~", lines, lines + 4);
        whole = traced(buf_slice(&b), SEGMENTS, 0);
        runs = traced_in_runs_of(buf_slice(&b), LIMIT_CHUNK, &handed_over);
        same(runs, whole, "lines", (long)lines);
        assert_int_equal(handed_over, b.n - before < EDI_MOST_RUN ? 3 : 2);
        free(whole);
        free(runs);
        buf_deinit(&b);
    }
}

/* A document over many chunks, ended in every way that it can be. */
static void test_large_documents(void **state)
{
    static const char *const ends[] = { "CTT*9000~SE*9004*0001~" END, "CTT*9000~SE*9004*0001~", "CTT*9000~", "", END,
                                        "PO1*1*", "ST*850*0002~BEG*00*SA*4712**20260115~PO1*1*5*EA*9.5~CTT*1~SE*5*0002~" END,
                                        "IEA*1*000000042", "CTT*9000~SE*9004*0001" };

    (void)state;
    for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        /* the end of what is there falls on every place of a chunk's last segment and beyond */
        for (unsigned pad = 0; pad < 40; pad += i ? 13 : 1) {
            struct buf b;
            char *whole, *runs;

            buf_init(&b, 16 << 20);
            buf_printf(&b, "%sST*850*0001~BEG*00*SA*%.*s4711**20260115~", ISA GS, (int)(pad % 18), "xxxxxxxxxxxxxxxxxx");
            add_lines(&b, 9000);
            buf_add_text(&b, ends[i]);
            whole = traced(buf_slice(&b), SEGMENTS, (long)(1000 + pad));
            runs = traced_in_runs(buf_slice(&b), 65536 + pad * 7);
            same(runs, whole, "large document in runs, end", (long)i);
            free(whole);
            free(runs);
            buf_deinit(&b);
        }
}

/* The chunk ends exactly between a large document and its trailer or the end of the file. */
static void test_chunk_ends_document(void **state)
{
    static const char *const ends[] = { "", "GE*1*7~IEA*1*000000042~", "SE*9003*0001~" };

    (void)state;
    for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct buf b;
        char *whole, *runs;
        size_t n;

        buf_init(&b, 16 << 20);
        buf_add_text(&b, ISA GS "ST*850*0001~BEG*00*SA*4711**20260115~");
        add_lines(&b, 9000);
        n = b.n;
        buf_add_text(&b, ends[i]);
        whole = traced(buf_slice(&b), SEGMENTS, 0);
        runs = traced_in_runs(buf_slice(&b), n);
        same(runs, whole, "the chunk ends the document, end", (long)i);
        free(whole);
        free(runs);
        buf_deinit(&b);
    }
}

/* A segment larger than the index has room for, of text; one of nothing but elements is not taken. */
static void test_segments_beyond_the_index(void **state)
{
    static const char *const heads[] = { "MSG*", "MSG" };
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        struct buf b;
        char *got, *runs, *whole;
        buf_init(&b, 8 << 20);
        buf_add_text(&b, ISA GS "ST*850*0001~BEG*00*SA*4711**20260115~N9*L1*x~");
        buf_add_text(&b, heads[k]);
        for (unsigned i = 0; i < 400000; i++)
            buf_add_char(&b, k ? '*' : 'x');
        buf_add_text(&b, "~PO1*1*5*EA*9.5~CTT*1~SE*7*0001~" END);
        assert_int_equal(b.failed, 0);
        got = traced(buf_slice(&b), EVENTS, 0);
        assert_non_null(strstr(got, k ? "! SEGMENT-TOO-LARGE error" : "  document ends: 7 segments, 1 errors, 0 warnings\n"));
        whole = traced(buf_slice(&b), SEGMENTS, 0);
        runs = traced_in_runs(buf_slice(&b), 10000);
        if (!k)
            same(runs, whole, "in runs", 0);
        free(got);
        free(whole);
        free(runs);
        buf_deinit(&b);
    }
}

static void test_long_segments(void **state)
{
    static const size_t sizes[] = { 140000, 300000, 3 << 20, 9 << 20 };

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct buf b;
        char *whole, *runs;

        buf_init(&b, 32 << 20);
        buf_add_text(&b, ISA GS "ST*850*0001~BEG*00*SA*");
        for (size_t k = 0; k < sizes[i]; k++)
            buf_add_char(&b, 'x');
        buf_add_text(&b, "**20260115~PO1*1*5*EA*9.5~CTT*1~SE*5*0001~" END);
        whole = traced(buf_slice(&b), SEGMENTS, 0);
        assert_non_null(strstr(whole, sizes[i] > LIMIT_SEGMENT ? "SEGMENT-TOO-LARGE error" : "X12-AK4-5 error"));
        if (sizes[i] < LIMIT_SEGMENT) {
            runs = traced_in_runs(buf_slice(&b), 70000);
            same(runs, whole, "long segment in runs, bytes", (long)sizes[i]);
            free(runs);
        }
        free(whole);
        buf_deinit(&b);
    }
}

/* The second interchange has other delimiters, and the first one's terminator never comes again. */
static void test_other_delimiters_later(void **state)
{
    struct buf b;
    char *got;

    (void)state;
    buf_init(&b, 32 << 20);
    buf_add_text(&b, ISA GS ORDER("0001") END
                 "ISA|00|          |00|          |ZZ|NORTH          |ZZ|ACME           |260115|0905|U|00401|000000043|0|P|^!"
                 "GS|PO|NORTH|ACME|20260115|0905|8|X|004010!");
    for (unsigned i = 0; i < 120000; i++)
        buf_printf(&b, "ST|850|%04u!BEG|00|SA|4711||20260115!PO1|1|5|EA|9.5!CTT|1!SE|5|%04u!", i, i);
    buf_add_text(&b, "GE|120000|8!IEA|1|000000043!");
    got = traced(buf_slice(&b), 0, 0);
    assert_string_equal(got, "");
    free(got);
    buf_deinit(&b);
}

/* --- Places ------------------------------------------------------------------------------------------- */

static void test_places(void **state)
{
    char *got;

    (void)state;
    got = traced(SLICE(ISA "\n" GS "\nST*850*0001~\n\nBEG*00*SA*4711**20260115~PO1*1*ten*EA*9.5~\r\n CTT*1~\nSE*5*0001~\n" END),
                 SEGMENTS, 0);
    assert_string_equal(got, "   3:1 ST*850*0001 3\n"
                             "   5:1 BEG*00*SA*4711**20260115 17\n"
                             "! X12-AK4-6 error i1 g1 d1 s3 5:26 @189 PO102 \"ten\"\n"
                             "   5:26  PO1*1*ten*EA*9.5 f\n"
                             "! STRAY-BLANKS i1 g1 d1 s3 6:2 @209 CTT\n"
                             "   6:2  CTT*1 1\n"
                             "   7:1 SE*5*0001 3\n");
    free(got);
}

/* --- Stopping and want of memory ----------------------------------------------------------------------- */

static const char busy[] = ISA "TA1*000000007*260115*0905*A*000~" GS
                           "ST*850*0001~BEG*00*SA*4711**20260115~ZZZ*1~PO1*1*ten*QQ*9.5~CTT*2~SE*9*0001~" ORDER("0001")
                           "GE*9*7~GS*PO*NORTH*ACME*20260115*0905*8*X*005010~" ORDER("0001") "GE*1*8~IEA*7*000000042~";

static void test_stop(void **state)
{
    struct trace t = { .what = 0 };
    int events;

    (void)state;
    buf_init(&t.text, 1 << 20);
    assert_int_equal(read_with(&t, guides, slice_of(busy), 0, NULL), 0);
    events = t.events;
    assert_true(events > 30);
    for (int i = 1; i <= events; i++) {
        t = (struct trace){ .text = t.text, .stop_at = i };
        assert_int_equal(read_with(&t, guides, slice_of(busy), 0, NULL), ERR_STOP);
        assert_int_equal(t.events, i);
    }
    buf_deinit(&t.text);
}

static int read_all(void *arg)
{
    struct trace t = { .what = EVENTS | SEGMENTS };
    struct guides *own = NULL;
    struct err err = { 0 };
    int code;

    (void)arg;
    buf_init(&t.text, 1 << 20);
    code = guides_new(maps_directory(), &own, &err);
    if (code == 0)
        code = read_with(&t, own, slice_of(busy), 150, &err);
    if (code == 0)
        code = t.text.failed;
    guides_free(&own);
    buf_deinit(&t.text);
    return code;
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(read_all, NULL) > 10);
}

static int read_long(void *arg)
{
    struct trace t = { .what = 0 };
    struct slice *text = arg;
    int code;

    buf_init(&t.text, 1 << 20);
    code = read_with(&t, guides, *text, 0, NULL);
    if (code == 0)
        code = t.text.failed;
    buf_deinit(&t.text);
    return code;
}

static void test_no_memory_to_grow(void **state)
{
    struct buf b;
    struct slice text;

    (void)state;
    buf_init(&b, 32 << 20);
    buf_add_text(&b, ISA GS "ST*850*0001~BEG*00*SA*");
    for (unsigned k = 0; k < 600000; k++)
        buf_add_char(&b, 'x');
    text = buf_slice(&b);
    assert_true(fail_each_allocation(read_long, &text) > 3);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_groups_and_interchanges),
        cmocka_unit_test(test_delimiters),
        cmocka_unit_test(test_ta1_anywhere),
        cmocka_unit_test(test_ta1_is_a_document),
        cmocka_unit_test(test_ta1_without_isa),
        cmocka_unit_test(test_out_of_sequence),
        cmocka_unit_test(test_missing_trailers),
        cmocka_unit_test(test_wrong_counts),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_duplicate_envelopes),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_sets_without_guide),
        cmocka_unit_test(test_line_breaks),
        cmocka_unit_test(test_blanks),
        cmocka_unit_test(test_lost_terminators),
        cmocka_unit_test(test_blanks_behind_missing_trailers),
        cmocka_unit_test(test_byte_order_mark),
        cmocka_unit_test(test_isa_length),
        cmocka_unit_test(test_last_terminator),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_truncated_anywhere),
        cmocka_unit_test(test_isa_in_data),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_large_binary),
        cmocka_unit_test(test_handed_over),
        cmocka_unit_test(test_longest_handed_over),
        cmocka_unit_test(test_large_documents),
        cmocka_unit_test(test_chunk_ends_document),
        cmocka_unit_test(test_long_segments),
        cmocka_unit_test(test_segments_beyond_the_index),
        cmocka_unit_test(test_other_delimiters_later),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_no_memory_to_grow),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
