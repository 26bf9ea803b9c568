/*
 * translate: one, two and three threads give the same records and findings, whatever is wrong with the documents;
 * functions that stop it do so, on every thread count, without a thread that waits for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flow/translate.h"

static struct guides *guides;
static struct maps *maps;

static int set_up(void **state)
{
    const char *directory = getenv("WAYBILL_MAPS_DIR");

    (void)state;
    directory = directory ? directory : "maps";
    return guides_new(directory, &guides, NULL) || maps_new(directory, &maps, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    maps_free(&maps);
    guides_free(&guides);
    return 0;
}

struct run {
    struct buf records, findings;
    struct translate_counts counts;
    int stop_records, stop_findings;    /* the call that returns ERR_STOP, from 1; 0: none */
    int n_records, n_findings;
};

static void render(void *ctx, const struct finding *f, struct buf *to)
{
    (void)ctx;
    finding_json(f, SLICE("file"), to);
}

static int on_records(void *ctx, const char *p, size_t n)
{
    struct run *r = ctx;
    buf_add(&r->records, p, n);
    return ++r->n_records == r->stop_records ? ERR_STOP : r->records.failed;
}

static int on_findings(void *ctx, const char *p, size_t n)
{
    struct run *r = ctx;
    buf_add(&r->findings, p, n);
    return ++r->n_findings == r->stop_findings ? ERR_STOP : r->findings.failed;
}

static int translate_text(struct slice text, unsigned threads, bool with_maps, struct run *run)
{
    struct complaints complaints;
    struct translate_options o = { .guides = guides, .maps = with_maps ? maps : NULL, .threads = threads, .render = render,
                                   .records = on_records, .findings = on_findings, .ctx = run,
                                   .complaints = &complaints };
    struct translate *t = NULL;
    struct err err = { 0 };
    int code, ended;

    complaints_init(&complaints);
    buf_init(&run->records, 256 << 20);
    buf_init(&run->findings, 256 << 20);
    finding_policy_init(&o.policy);
    code = translate_new(&o, &t, &err);
    assert_int_equal(code, 0);
    code = edi_reader_feed(translate_reader(t), text, &err);
    if (code == 0)
        code = edi_reader_end(translate_reader(t), &err);
    ended = translate_end(t, &run->counts, &err);
    translate_free(&t);
    assert_null(t);
    assert_int_equal(complaints.count, 0);
    complaints_deinit(&complaints);
    return code ? code : ended;
}

static void run_free(struct run *r)
{
    buf_deinit(&r->records);
    buf_deinit(&r->findings);
}

static void same_bytes(const struct buf *a, const struct buf *b, const char *what, unsigned threads)
{
    size_t n = a->n < b->n ? a->n : b->n, i = 0;

    while (i < n && a->p[i] == b->p[i])
        i++;
    if (i < n || a->n != b->n) {
        size_t from = i > 200 ? i - 200 : 0;
        fail_msg("%s of %u threads differ at byte %zu of %zu and %zu:\n%.300s\nand\n%.300s", what, threads, i, a->n, b->n,
                 a->p + from, b->p + from);
    }
}

static struct translate_counts same_on_all(struct slice text)
{
    struct run one = { .n_records = 0 };
    struct translate_counts counts;

    assert_int_equal(translate_text(text, 1, true, &one), 0);
    for (unsigned threads = 2; threads <= 3; threads++) {
        struct run more = { .n_records = 0 };
        assert_int_equal(translate_text(text, threads, true, &more), 0);
        same_bytes(&one.findings, &more.findings, "findings", threads);
        same_bytes(&one.records, &more.records, "records", threads);
        assert_int_equal(one.counts.documents, more.counts.documents);
        assert_int_equal(one.counts.refused, more.counts.refused);
        assert_int_equal(one.counts.records, more.counts.records);
        assert_int_equal(one.counts.errors, more.counts.errors);
        assert_int_equal(one.counts.warnings, more.counts.warnings);
        run_free(&more);
    }
    counts = one.counts;
    run_free(&one);
    return counts;
}

#define ISA "ISA*00*          *00*          *ZZ*NORTH          *ZZ*ACME           *260115*0905*U*00401*000000042*0*P*>~"
#define GS "GS*PO*NORTH*ACME*20260115*0905*7*X*004010~"

static void add_document(struct buf *b, unsigned number, unsigned lines, const char *extra, const char *trailer)
{
    buf_printf(b, "ST*850*%04u~BEG*00*SA*PO-%u**20260115~REF*IA*%u~", number, number, number);
    for (unsigned i = 1; i <= lines; i++)
        buf_printf(b, "PO1*%u*%u*EA*9.5**UP*012345678905~PID*F****line %u of %u~", i, i % 7 + 1, i, number);
    buf_add_text(b, extra);
    if (*trailer)
        buf_printf(b, "CTT*%u~SE*%u*%04u~", lines, lines * 2 + 5, number);
}

/* Many documents; every seventh has something wrong with it. */
static void add_documents(struct buf *b, unsigned n)
{
    static const char *const wrong[] = { "PO1*1*ten*EA*9.5~", "ZZZ*1~", "PO1*1*1*QQ*1~", " N9*L1*x~MSG*a\"b\\~", "DTM*010*20260230~",
                                         "PID*F****\xe9t\xe9~", "BIN*7*~SE*1*~~" };
    for (unsigned i = 1; i <= n; i++)
        add_document(b, i % 50 ? i : i - 1, i % 9 + 1, i % 7 ? "" : wrong[i / 7 % 7], "SE");
}

static void test_many_documents(void **state)
{
    struct translate_counts counts;
    struct buf b;

    (void)state;
    buf_init(&b, 64 << 20);
    buf_add_text(&b, ISA GS);
    add_documents(&b, 3000);
    buf_add_text(&b, "GE*3000*7~GS*PO*NORTH*ACME*20260115*0905*8*X*004030~");
    add_documents(&b, 2000);
    buf_add_text(&b, "GE*2000*8~IEA*2*000000042~" ISA GS);
    add_documents(&b, 500);
    buf_add_text(&b, "GE*9*7~IEA*1*000000042~");
    counts = same_on_all(buf_slice(&b));
    assert_int_equal(counts.documents, 5500);
    assert_int_equal(counts.records, 5500);
    assert_true(counts.refused > 300 && counts.warnings > 100);
    buf_deinit(&b);
}

/* Over many chunks; before, between and behind small ones; with and without its end. */
static void test_huge_documents(void **state)
{
    static const char *const trailers[] = { "SE", "" };

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct translate_counts counts;
        struct buf b;

        buf_init(&b, 64 << 20);
        buf_add_text(&b, ISA GS);
        add_documents(&b, 20);
        add_document(&b, 100, 20000, "PO1*1*ten*EA*9.5~", trailers[i]);
        add_documents(&b, 20);
        add_document(&b, 200, 15000, "", trailers[i]);
        buf_add_text(&b, "GE*42*7~IEA*1*000000042~");
        counts = same_on_all(buf_slice(&b));
        assert_int_equal(counts.documents, 42);
        buf_deinit(&b);
    }
}

static void test_ends(void **state)
{
    static const char *const ends[] = { "", "GE*1500*7~", "GE*1500*7~IEA*1*000000042", "ST*850*9~BEG*00*SA", "ST*850*9~BEG*00*SA*1**20260115~",
                                        "garbage", "SE*1*1", "GE*1500*7~IEA*1*000000042~garbage" };

    (void)state;
    for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct buf b;

        buf_init(&b, 64 << 20);
        buf_add_text(&b, ISA GS);
        add_documents(&b, 1500);
        buf_add_text(&b, ends[i]);
        same_on_all(buf_slice(&b));
        buf_deinit(&b);
    }
}

static void test_long_segment(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 64 << 20);
    buf_add_text(&b, ISA GS);
    add_documents(&b, 500);
    buf_add_text(&b, "ST*850*9001~BEG*00*SA*");
    for (unsigned i = 0; i < 700000; i++)
        buf_add_char(&b, (char)('a' + i % 26));
    buf_add_text(&b, "**20260115~PO1*1*1*EA*1~CTT*1~SE*5*9001~");
    add_documents(&b, 500);
    buf_add_text(&b, "GE*1001*7~IEA*1*000000042~");
    assert_int_equal(same_on_all(buf_slice(&b)).documents, 1001);
    buf_deinit(&b);
}

static void test_checks_only(void **state)
{
    struct run one = { .n_records = 0 }, two = { .n_records = 0 };
    struct buf b;

    (void)state;
    buf_init(&b, 64 << 20);
    buf_add_text(&b, ISA GS);
    add_documents(&b, 2000);
    buf_add_text(&b, "GE*2000*7~IEA*1*000000042~");
    assert_int_equal(translate_text(buf_slice(&b), 1, false, &one), 0);
    assert_int_equal(translate_text(buf_slice(&b), 2, false, &two), 0);
    assert_int_equal(one.records.n, 0);
    same_bytes(&one.findings, &two.findings, "findings", 2);
    run_free(&one);
    run_free(&two);
    buf_deinit(&b);
}

/* A function that says stop is not called again, and nobody waits for ever. */
static void test_stop(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 64 << 20);
    buf_add_text(&b, ISA GS);
    add_documents(&b, 3000);
    buf_add_text(&b, "GE*9*9~IEA*1*000000042~");
    for (unsigned threads = 1; threads <= 3; threads++)
        for (int at = 1; at <= 5; at++) {
            struct run run = { .stop_records = at };
            assert_int_equal(translate_text(buf_slice(&b), threads, true, &run), ERR_STOP);
            assert_int_equal(run.n_records, at);
            run_free(&run);
            run = (struct run){ .stop_findings = at };
            assert_int_equal(translate_text(buf_slice(&b), threads, true, &run), ERR_STOP);
            assert_int_equal(run.n_findings, at);
            run_free(&run);
        }
    buf_deinit(&b);
}

/* Thrown away in the middle of the work. */
static void test_free_early(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 64 << 20);
    buf_add_text(&b, ISA GS);
    add_documents(&b, 3000);
    for (unsigned threads = 1; threads <= 3; threads++)
        for (size_t n = 0; n < b.n; n += b.n / 5 + 1) {
            struct run run = { .n_records = 0 };
            struct complaints complaints;
            struct translate_options o = { .guides = guides, .maps = maps, .threads = threads, .render = render,
                                           .records = on_records, .findings = on_findings, .ctx = &run,
                                           .complaints = &complaints };
            struct translate *t = NULL;

            complaints_init(&complaints);
            buf_init(&run.records, 256 << 20);
            buf_init(&run.findings, 256 << 20);
            finding_policy_init(&o.policy);
            assert_int_equal(translate_new(&o, &t, NULL), 0);
            assert_int_equal(edi_reader_feed(translate_reader(t), slice(b.p, n), NULL), 0);
            translate_free(&t);
            complaints_deinit(&complaints);
            run_free(&run);
        }
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_documents), cmocka_unit_test(test_huge_documents), cmocka_unit_test(test_ends),
        cmocka_unit_test(test_long_segment),   cmocka_unit_test(test_checks_only),    cmocka_unit_test(test_stop),
        cmocka_unit_test(test_free_early),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
