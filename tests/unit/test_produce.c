/*
 * produce: records become interchanges again, also when they come one by one and some are refused; what cannot be
 * addressed, numbered or mapped; and every allocation may fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "failing_malloc.h"
#include "flow/produce.h"

static struct guides *guides;
static struct maps *maps;
static struct complaints complaints;

static int set_up(void **state)
{
    const char *directory = getenv("WAYBILL_MAPS_DIR");
    struct err err;
    int rc;

    (void)state;
    complaints_init(&complaints);
    rc = guides_new(directory ? directory : "maps", &guides, &err);
    return rc < 0 ? rc : maps_new(directory ? directory : "maps", &maps, &err);
}

static int tear_down(void **state)
{
    (void)state;
    maps_free(&maps);
    guides_free(&guides);
    complaints_deinit(&complaints);
    return 0;
}

/* An order between ZZ:A and ZZ:B with these control numbers. */
static void add_order(struct buf *b, const char *number, const char *interchange, const char *group,
                      const char *document)
{
    buf_printf(b,
               "{\"record\":\"order\",\"version\":1,\"id\":\"x\",\"source\":{\"standard\":\"x12\",\"version\":\"004010\","
               "\"set\":\"850\",\"sender\":\"ZZ:A\",\"receiver\":\"ZZ:B\",\"interchange\":\"%s\",\"group\":\"%s\","
               "\"document\":\"%s\",\"sent_at\":\"2026-11-02T09:15\"},\"purpose\":\"original\",\"type\":\"stand_alone\","
               "\"number\":\"%s\",\"ordered_on\":\"2026-11-02\",\"lines\":[{\"quantity\":\"1\",\"unit\":\"EA\","
               "\"items\":[{\"scheme\":\"gtin-12\",\"id\":\"850000000124\"}]}]}\n",
               interchange, group, document, number);
}

struct run {
    struct produce_options options;
    struct buf in, out, findings;
    struct produce_counts counts;
    int finding_answer, write_answer;
    struct err err;
};

static int on_write(void *ctx, const char *p, size_t n, struct err *err)
{
    struct run *r = ctx;

    if (r->write_answer)
        return err_set(err, r->write_answer, "no");
    buf_add(&r->out, p, n);
    return r->out.failed;
}

static int on_finding(void *ctx, const struct produce_place *at, const struct map_write_finding *f)
{
    struct run *r = ctx;

    buf_printf(&r->findings, "%llu:%llu: %s ", (unsigned long long)at->record, (unsigned long long)at->line, f->code);
    map_write_finding_text(f, &r->findings);
    buf_add_char(&r->findings, '\n');
    return r->finding_answer;
}

static void run_init(struct run *r)
{
    memset(r, 0, sizeof(*r));
    buf_init(&r->in, 1 << 20);
    buf_init(&r->out, 1 << 20);
    buf_init(&r->findings, 1 << 20);
    produce_options_init(&r->options);
    r->options.guides = guides;
    r->options.maps = maps;
    r->options.complaints = &complaints;
    r->options.now = (struct edi_time){ 2026, 11, 20, 15, 30, -1 };
    r->options.write.write = on_write;
    r->options.write.ctx = r;
    r->options.finding = on_finding;
    r->options.ctx = r;
}

static void run_deinit(struct run *r)
{
    buf_deinit(&r->in);
    buf_deinit(&r->out);
    buf_deinit(&r->findings);
}

/* All of `in`. */
static int run(struct run *r)
{
    char name[] = "/tmp/test_produce.XXXXXX";
    struct produce *p = NULL;
    int fd = mkstemp(name), rc, ended;

    if (fd < 0)
        return ERR_IO;
    unlink(name);
    rc = write(fd, r->in.p, r->in.n) == (ssize_t)r->in.n && lseek(fd, 0, SEEK_SET) == 0 ? 0 : ERR_IO;
    if (rc == 0)
        rc = produce_new(&r->options, &p, &r->err);
    if (rc == 0) {
        rc = produce_records(p, fd, SLICE("in"), &r->err);
        ended = produce_end(p, rc < 0 ? NULL : &r->err);
        if (rc == 0)
            rc = ended;
        r->counts = *produce_counts(p);
    }
    produce_free(&p);
    close(fd);
    return rc;
}

/* The tags of a document, and numbers where envelopes have them. */
static void outline(struct slice text, struct buf *to)
{
    while (text.n) {
        bool found;
        struct slice line = slice_cut(text, '\n', &text, &found), rest;
        struct slice tag = slice_cut(line, '*', &rest, &found);
        if (to->n)
            buf_add_char(to, ' ');
        buf_add_slice(to, tag);
        if (slice_is(tag, "ISA"))
            buf_printf(to, "%.9s", line.p + 90);
        if (slice_is(tag, "GE") || slice_is(tag, "IEA") || slice_is(tag, "SE") || slice_is(tag, "BEG"))
            buf_printf(to, "*%.*s", (int)(rest.n - 1), rest.p);
    }
}

static void is_outline(const struct run *r, const char *expected)
{
    struct buf found;

    buf_init(&found, 1 << 20);
    outline(buf_slice(&r->out), &found);
    assert_string_equal(buf_text(&found), expected);
    buf_deinit(&found);
}

static void test_envelopes(void **state)
{
    struct run r;

    (void)state;
    run_init(&r);
    add_order(&r.in, "P1", "5", "6", "0001");
    add_order(&r.in, "P2", "5", "6", "2");
    add_order(&r.in, "P3", "5", "7", "0001");
    add_order(&r.in, "P4", "8", "7", "0001");
    assert_int_equal(run(&r), 0);
    assert_string_equal(buf_text(&r.findings), "");
    is_outline(&r, "ISA000000005 GS ST BEG*00*SA*P1**20261102 PO1 CTT SE*5*0001 ST BEG*00*SA*P2**20261102 PO1 CTT "
                   "SE*5*0002 GE*2*6 GS ST BEG*00*SA*P3**20261102 PO1 CTT SE*5*0001 GE*1*7 IEA*2*000000005 "
                   "ISA000000008 GS ST BEG*00*SA*P4**20261102 PO1 CTT SE*5*0001 GE*1*7 IEA*1*000000008");
    assert_int_equal(r.counts.interchanges, 2);
    assert_int_equal(r.counts.groups, 3);
    assert_int_equal(r.counts.documents, 4);
    assert_int_equal(r.counts.records, 4);
    assert_int_equal(r.counts.refused, 0);
    run_deinit(&r);
}

static void test_refused(void **state)
{
    struct run r;

    (void)state;
    run_init(&r);
    add_order(&r.in, "N*1", "5", "6", "0001");
    add_order(&r.in, "P1", "5", "6", "0001");
    add_order(&r.in, "N*2", "5", "7", "0001");
    add_order(&r.in, "N*3", "8", "7", "0001");
    add_order(&r.in, "P2", "5", "6", "0002");
    buf_add_text(&r.in, "{\"record\":\n");
    add_order(&r.in, "P3", "9", "1", "0001");
    add_order(&r.in, "N*4", "10", "1", "0001");
    assert_int_equal(run(&r), 0);
    is_outline(&r, "ISA000000005 GS ST BEG*00*SA*P1**20261102 PO1 CTT SE*5*0001 ST BEG*00*SA*P2**20261102 PO1 CTT "
                   "SE*5*0002 GE*2*6 IEA*1*000000005 "
                   "ISA000000009 GS ST BEG*00*SA*P3**20261102 PO1 CTT SE*5*0001 GE*1*1 IEA*1*000000009");
    assert_int_equal(r.counts.interchanges, 2);
    assert_int_equal(r.counts.documents, 3);
    assert_int_equal(r.counts.refused, 5);
    assert_int_equal(r.counts.errors, 5);
    assert_non_null(strstr(buf_text(&r.findings), "6:6: RECORD-SYNTAX "));
    run_deinit(&r);

    /* control numbers are not used up by what is refused */
    run_init(&r);
    r.options.interchange = 40;
    r.options.document = 700;
    add_order(&r.in, "N*1", "5", "6", "0001");
    add_order(&r.in, "P1", "6", "6", "0001");
    add_order(&r.in, "N*1", "6", "6", "0001");
    add_order(&r.in, "P2", "6", "6", "0001");
    add_order(&r.in, "P3", "7", "6", "0001");
    assert_int_equal(run(&r), 0);
    is_outline(&r, "ISA000000040 GS ST BEG*00*SA*P1**20261102 PO1 CTT SE*5*0700 ST BEG*00*SA*P2**20261102 PO1 CTT "
                   "SE*5*0701 GE*2*40 IEA*1*000000040 "
                   "ISA000000041 GS ST BEG*00*SA*P3**20261102 PO1 CTT SE*5*0702 GE*1*41 IEA*1*000000041");
    run_deinit(&r);
}

/* A record with some text replaced, and the one finding it gives. */
static void refuses(const char *from, const char *to, const char *expected)
{
    struct run r;
    struct buf order;
    const char *at;

    run_init(&r);
    buf_init(&order, 1 << 16);
    add_order(&order, "P1", "5", "6", "0001");
    at = strstr(buf_text(&order), from);
    assert_non_null(at);
    buf_add(&r.in, order.p, (size_t)(at - order.p));
    buf_add_text(&r.in, to);
    buf_add_text(&r.in, at + strlen(from));
    assert_int_equal(run(&r), 0);
    assert_int_equal(r.counts.refused, 1);
    assert_int_equal(r.out.n, 0);
    if (!strstr(buf_text(&r.findings), expected))
        fail_msg("found: %s\nexpected: %s", r.findings.p, expected);
    buf_deinit(&order);
    run_deinit(&r);
}

static void test_errors(void **state)
{
    (void)state;
    refuses("\"record\":\"order\",", "", "1:1: RECORD-MISSING record: is missing");
    refuses("\"record\":\"order\"", "\"record\":\"ordre\"", "NO-MAP record: \"ordre\" is a kind of record without");
    refuses("\"version\":1", "\"version\":2", "version: ");
    refuses("\"ZZ:A\"", "\"A\"", "ENVELOPE source.sender: \"A\" is not a qualifier and an id");
    refuses("\"ZZ:A\"", "\"ZZ:1234567890123456\"",
            "ENVELOPE source.sender: the sender's id has 16 characters and must have 1 to 15 (ISA06)");
    refuses("\"receiver\":\"ZZ:B\",", "", "ENVELOPE source.receiver: is missing");
    refuses("\"interchange\":\"5\",", "", "CONTROL-NUMBER source.interchange: is missing");
    refuses("\"interchange\":\"5\"", "\"interchange\":\"5x\"", "ENVELOPE source.interchange: ");
    refuses("\"group\":\"6\"", "\"group\":\"1234567890\"", "ENVELOPE source.group: ");
    refuses("\"version\":\"004010\"", "\"version\":\"four\"", "source.version: ");
    refuses("\"number\"", "\"rejected\":[],\"number\"", "RECORD-REJECTED rejected: ");
    refuses("\"source\":{\"standard\"", "\"source\":7,\"x\":{\"standard\"", "ENVELOPE source.sender: is missing");
}

static void test_callers_answers(void **state)
{
    struct run r;

    (void)state;
    run_init(&r);
    r.finding_answer = ERR_STOP;
    add_order(&r.in, "N*1", "5", "6", "0001");
    add_order(&r.in, "P1", "5", "6", "0001");
    assert_int_equal(run(&r), ERR_STOP);
    assert_int_equal(r.out.n, 0);
    run_deinit(&r);

    run_init(&r);
    r.write_answer = ERR_IO;
    add_order(&r.in, "P1", "5", "6", "0001");
    assert_int_equal(run(&r), ERR_IO);
    run_deinit(&r);

    run_init(&r);
    assert_int_equal(run(&r), 0);
    assert_int_equal(r.out.n, 0);
    run_deinit(&r);

    run_init(&r);
    r.options.write.syntax.component = '*';
    assert_int_equal(run(&r), ERR_USAGE);
    run_deinit(&r);
}

static void test_many_versions(void **state)
{
    struct run r;

    (void)state;
    run_init(&r);
    r.options.interchange = 1;
    for (unsigned i = 0; i < 40; i++) {
        struct buf order;
        char version[8];
        buf_init(&order, 1 << 16);
        add_order(&order, "P1", "1", "1", "0001");
        snprintf(version, sizeof(version), "0040%02u", 10 + i % 20);
        memcpy(strstr(buf_text(&order), "004010"), version, 6);
        buf_add_slice(&r.in, buf_slice(&order));
        buf_deinit(&order);
    }
    assert_int_equal(run(&r), 0);
    assert_int_equal(r.counts.documents, 40);
    run_deinit(&r);
}

static void test_time(void **state)
{
    struct edi_time t;

    (void)state;
    assert_true(produce_time(SLICE("2026-11-20"), &t));
    assert_true(t.year == 2026 && t.month == 11 && t.day == 20 && t.hour == 0 && t.second == -1);
    assert_true(produce_time(SLICE("2024-02-29T23:59:58"), &t));
    assert_true(t.hour == 23 && t.minute == 59 && t.second == 58);
    assert_false(produce_time(SLICE("2026-02-29"), &t));
    assert_false(produce_time(SLICE("2026-11-20T15"), &t));
    assert_false(produce_time(SLICE("2026-11-20T24:00"), &t));
    assert_false(produce_time(SLICE("2026-11-20T15:30Z"), &t));
    assert_false(produce_time(SLICE(""), &t));
}

static int run_once(void *arg)
{
    struct run r;
    int rc;

    (void)arg;
    run_init(&r);
    add_order(&r.in, "P1", "5", "6", "0001");
    add_order(&r.in, "P2", "5", "7", "1234567890");
    add_order(&r.in, "P3", "5", "7", "0001");
    buf_add_text(&r.in, "{\"record\":\"order\",\"rejected\":[]}\n");
    rc = run(&r);
    if (rc == 0)
        rc = r.in.failed ? r.in.failed : r.out.failed;
    if (rc == 0)
        rc = r.findings.failed;
    if (rc == 0 && complaints.nomem)
        rc = ERR_NOMEM;
    /* a lack of memory in the midst of a record must not look like a fault of the record */
    if (rc == 0 && r.counts.documents != 2)
        rc = ERR_INTERNAL;
    complaints_deinit(&complaints);
    complaints_init(&complaints);
    run_deinit(&r);
    return rc;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    /* guides and maps are read once and stay */
    assert_int_equal(run_once(NULL), 0);
    assert_true(fail_each_allocation(run_once, NULL) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelopes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_callers_answers),
        cmocka_unit_test(test_many_versions),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("produce", tests, set_up, tear_down);
}
