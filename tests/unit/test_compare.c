/* compare: trees and what differs in them; comparable: what files hold, as trees, and which documents answer which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_malloc.h"
#include "flow/comparable.h"

/* --- Trees --------------------------------------------------------------------------- */

static int add_difference(void *ctx, const struct difference *d)
{
    static const char *const marks[] = { "~", "+", "-", "#" };
    struct buf *out = ctx;

    buf_printf(out, "%s ", marks[d->kind]);
    difference_path(d, out);
    for (unsigned side = 0; side < 2; side++) {
        const struct compare_node *node = side ? d->b : d->a;
        if (!node)
            continue;
        buf_add_char(out, ' ');
        compare_json(node, out);
    }
    buf_add_char(out, '\n');
    return out->failed;
}

static struct compare_node *value(struct arena *a, struct compare_node *parent, const char *name, const char *v)
{
    return compare_add_value(a, parent, slice_of(name), slice_of(v), slice_of(v));
}

/* A list of levels: "1//S 2/1/O …" with id, parent and what the level says. */
static struct compare_node *levels(struct arena *a, const char *text)
{
    struct slice rest = slice_of(text);
    struct compare_node *root = compare_add(a, NULL, COMPARE_OBJECT, SLICE("")), *list;
    bool more = true;

    assert_non_null(root);
    list = compare_add(a, root, COMPARE_LIST, SLICE("nodes"));
    while (more) {
        struct slice one = slice_cut(rest, ' ', &rest, &more), id, parent;
        struct compare_node *item = compare_add(a, list, COMPARE_OBJECT, SLICE("")), *v;
        bool found;
        id = slice_cut(one, '/', &one, &found);
        parent = slice_cut(one, '/', &one, &found);
        v = compare_add_value(a, item, SLICE("id"), id, id);
        v->flags = COMPARE_ID;
        if (parent.n) {
            v = compare_add_value(a, item, SLICE("parent"), parent, parent);
            v->flags = COMPARE_REFERENCE;
        }
        compare_add_value(a, item, SLICE("says"), one, one);
    }
    compare_finish(root);
    return root;
}

static void expect_levels(const char *a, const char *b, const char *expected)
{
    struct arena arena;
    struct buf out;

    arena_init(&arena, 1 << 20);
    buf_init(&out, 1 << 20);
    assert_int_equal(compare_trees(levels(&arena, a), levels(&arena, b), add_difference, &out), 0);
    assert_string_equal(buf_text(&out), expected);
    buf_deinit(&out);
    arena_deinit(&arena);
}

static void test_numbers_of_levels_mean_nothing(void **state)
{
    (void)state;
    expect_levels("1//ship 2/1/order 3/2/pack", "10//ship 20/10/order 30/20/pack", "");
    expect_levels("1//ship 2/1/order 3/2/pack", "1//ship 2/1/order 3/2/new 4/2/pack",
                  "+ nodes[2] {\"id\":\"3\",\"parent\":\"2\",\"says\":\"new\"}\n");
    /* the pack went from one order to the other */
    expect_levels("1//ship 2/1/order1 3/1/order2 4/2/pack", "1//ship 2/1/order1 3/1/order2 4/3/pack",
                  "~ nodes[3].parent \"2\" \"3\"\n");
    /* the same numbers, but they are others */
    expect_levels("1//ship 2/1/order1 3/1/order2 4/2/pack", "1//ship 3/1/order1 2/1/order2 4/2/pack",
                  "~ nodes[3].parent \"2\" \"2\"\n");
}

static void test_deep_trees_are_refused(void **state)
{
    struct compare_node *root[2];
    struct arena arena;
    struct buf out;

    (void)state;
    arena_init(&arena, 1 << 20);
    buf_init(&out, 1 << 20);
    for (unsigned i = 0; i < 2; i++) {
        struct compare_node *node = root[i] = compare_add(&arena, NULL, COMPARE_OBJECT, SLICE(""));
        for (unsigned k = 0; k < COMPARE_DEPTH + 1; k++)
            node = compare_add(&arena, node, COMPARE_OBJECT, SLICE("in"));
        value(&arena, node, "leaf", i ? "a" : "b");
        compare_finish(root[i]);
    }
    assert_int_equal(compare_trees(root[0], root[1], add_difference, &out), ERR_LIMIT);
    buf_deinit(&out);
    arena_deinit(&arena);
}

static int stop(void *ctx, const struct difference *d)
{
    (void)d;
    ++*(unsigned *)ctx;
    return ERR_STOP;
}

static void test_the_function_stops(void **state)
{
    struct arena arena;
    unsigned calls = 0;

    (void)state;
    arena_init(&arena, 1 << 20);
    assert_int_equal(compare_trees(levels(&arena, "1//a 2//b 3//c"), levels(&arena, "1//x 2//y 3//z"), stop, &calls),
                     ERR_STOP);
    assert_int_equal(calls, 1);
    arena_deinit(&arena);
}

/* --- Files ---------------------------------------------------------------------------- */

static const char *directory;

struct files {
    const char *text[2];
    bool by_guide;
    bool numbers;
    struct buf out;
    unsigned bad;
};

static int on_bad(void *ctx, uint64_t line, const struct err *err)
{
    struct files *f = ctx;
    (void)err;
    assert_true(line > 0);
    f->bad++;
    return 0;
}

static int on_finding(void *ctx, const struct finding *f)
{
    struct files *files = ctx;
    files->bad += f->severity == SEVERITY_ERROR;
    return 0;
}

static int read_text(struct comparable *c, const char *text)
{
    struct err err;
    int r;

    if (*text == '{') {
        char name[] = "/tmp/waybill-test-XXXXXX";
        int fd = mkstemp(name);
        assert_true(fd >= 0);
        unlink(name);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        r = comparable_read_records(c, fd, &err);
        close(fd);
        return r;
    }
    r = edi_reader_feed(comparable_reader(c), slice_of(text), &err);
    if (r == 0)
        r = edi_reader_end(comparable_reader(c), &err);
    return r ? r : comparable_end(c, &err);
}

static int compare_pair_of(struct files *f, struct comparable *const *c, size_t i, size_t k, struct err *err)
{
    struct comparable_tree a, b;
    struct arena arena;
    int r;

    arena_init(&arena, 64 << 20);
    r = comparable_tree(c[0], i, &arena, &a, err);
    if (r == 0)
        r = comparable_tree(c[1], k, &arena, &b, err);
    if (r == 0)
        r = compare_trees(a.content, b.content, add_difference, &f->out);
    if (r == 0 && a.envelope && b.envelope)
        r = compare_trees(a.envelope, b.envelope, add_difference, &f->out);
    if (r == 0 && f->numbers && a.numbers && b.numbers)
        r = compare_trees(a.numbers, b.numbers, add_difference, &f->out);
    arena_deinit(&arena);
    return r;
}

static int attempt(void *arg)
{
    struct files *f = arg;
    struct comparable *c[2] = { NULL, NULL };
    struct guides *guides = NULL;
    struct maps *maps = NULL;
    struct complaints complaints;
    int64_t partner[16];
    struct err err = { 0 };
    int r;

    f->bad = 0;
    buf_init(&f->out, 1 << 20);
    complaints_init(&complaints);
    r = guides_new(directory, &guides, &err);
    if (r == 0)
        r = maps_new(directory, &maps, &err);
    for (unsigned i = 0; i < 2 && r == 0; i++) {
        struct comparable_options o = { .reader = { .guides = guides, .complaints = &complaints }, .maps = maps,
                                        .directory = directory, .by_guide = f->by_guide, .finding = on_finding,
                                        .bad_record = on_bad, .ctx = f };
        finding_policy_init(&o.reader.policy);
        r = comparable_new(&o, &c[i], &err);
        if (r == 0)
            r = read_text(c[i], f->text[i]);
    }
    if (r == 0) {
        assert_true(comparable_count(c[0]) <= 16);
        r = comparable_pair(c[0], c[1], partner);
    }
    for (size_t i = 0; r == 0 && i < comparable_count(c[0]); i++) {
        if (comparable_count(c[0]) > 1)
            buf_printf(&f->out, "%.*s: %d\n", SLICE_FMT(comparable_at(c[0], i)->number), (int)partner[i]);
        if (partner[i] >= 0)
            r = compare_pair_of(f, c, i, (size_t)partner[i], &err);
    }
    if (r == 0)
        r = f->out.failed;
    comparable_free(&c[0]);
    comparable_free(&c[1]);
    maps_free(&maps);
    guides_free(&guides);
    complaints_deinit(&complaints);
    if (r)
        buf_deinit(&f->out);
    return r;
}

static void expect(const char *a, const char *b, bool by_guide, const char *expected)
{
    struct files f = { .text = { a, b }, .by_guide = by_guide };

    assert_int_equal(attempt(&f), 0);
    assert_string_equal(buf_text(&f.out), expected);
    assert_int_equal(f.bad, 0);
    buf_deinit(&f.out);
}

#define ISA(component, end) \
    "ISA*00*          *00*          *ZZ*NORTHWIND      *ZZ*ACMECORP       *260115*1230*U*00401*000000905*0*T*" \
    component end "GS*PO*NWPO*ACME*20260115*1230*17*X*004010" end
#define HEAD(number) "BEG*00*SA*" number "**20260115~REF*DP*7~REF*IA*000123~"
#define LINES "PO1*1*10*EA*9.50**UP*012345678905~PO1*2*24*EA*1.25**UP*012345678912~PID*F*08***BLUE~"
#define TAIL "CTT*2~"
#define ORDER(body) ISA(">", "~") "ST*850*0001~" body "SE*9*0001~GE*1*17~IEA*1*000000905~"

static const char order[] = ORDER(HEAD("PO-1") LINES TAIL);

static void test_spelling_does_not_count(void **state)
{
    /* other separators and line ends, other order of references, trailing empties, numbers written otherwise */
    static const char same[] =
        "ISA|00|          |00|          |ZZ|NORTHWIND      |ZZ|ACMECORP       |260115|1230|U|00401|000000905|0|T|:\r\n"
        "GS|PO|NWPO|ACME|20260115|1230|17|X|004010\r\nST|850|0001\r\nBEG|00|SA|PO-1||20260115|||\r\n"
        "REF|IA|000123|\r\nREF|DP|7\r\n"
        "PO1|1|10.0|EA|9.5||UP|012345678905||\r\nPO1|2|024|EA|1.250||UP|012345678912\r\nPID|F|08|||BLUE\r\n"
        "CTT|02\r\nSE|9|0001\r\nGE|1|17\r\nIEA|1|000000905\r\n";

    (void)state;
    expect(order, same, false, "");
    expect(order, same, true, "");
}

static void test_what_differs_is_named(void **state)
{
    static const char other[] =
        ORDER(HEAD("PO-1") "PO1*1*12*EA*9.50**UP*012345678905~PO1*2*24*EA*1.25**UP*012345678912~PID*F*08***RED~" TAIL);

    (void)state;
    expect(order, other, false,
           "~ lines[0].quantity \"10\" \"12\"\n~ lines[1].descriptions[0].text \"BLUE\" \"RED\"\n");
    expect(order, other, true, "~ PO1.PO102 \"10\" \"12\"\n~ PO1#2/PID[F].PID05 \"BLUE\" \"RED\"\n");
}

static void test_a_line_in_between_is_one_difference(void **state)
{
    static const char longer[] =
        ORDER(HEAD("PO-1") "PO1*1*10*EA*9.50**UP*012345678905~PO1*2*5*EA*3.10**UP*012345678929~"
                           "PO1*3*24*EA*1.25**UP*012345678912~PID*F*08***BLUE~CTT*3~");

    (void)state;
    expect(order, longer, false,
           "+ lines[1] {\"number\":\"2\",\"quantity\":\"5\",\"unit\":\"EA\",\"unit_price\":\"3.10\",\"items\":"
           "[{\"scheme\":\"gtin-12\",\"scheme_code\":\"UP\",\"id\":\"012345678929\"}]}\n"
           "# lines[1\xe2\x86\x92" "2].number \"2\" \"3\"\n");
    expect(longer, order, true,
           "- PO1#2 {\"PO101\":\"2\",\"PO102\":\"5\",\"PO103\":\"EA\",\"PO104\":\"3.10\",\"PO106\":\"UP\","
           "\"PO107\":\"012345678929\"}\n"
           "# PO1#3\xe2\x86\x92#2.PO101 \"3\" \"2\"\n"
           "~ CTT.CTT01 \"3\" \"2\"\n");
}

static void test_a_line_with_another_item_stays_the_line(void **state)
{
    static const char other[] = ORDER(HEAD("PO-1") "PO1*1*10*EA*9.50**UP*012345678905~"
                                                   "PO1*2*24*EA*1.25**UP*099999999993~PID*F*08***BLUE~" TAIL);

    (void)state;
    expect(order, other, false, "~ lines[1].items[0].id \"012345678912\" \"099999999993\"\n");
}

static void test_things_are_paired_by_what_they_are(void **state)
{
    /* a vendor number is no department, even where both stand alone in their place */
    static const char a[] = ORDER("BEG*00*SA*PO-1**20260115~REF*MR*1~REF*PD*2~" LINES TAIL),
                      b[] = ORDER("BEG*00*SA*PO-1**20260115~REF*PD*3~REF*CO*4~" LINES TAIL);

    (void)state;
    expect(a, b, true,
           "- REF[MR] {\"REF01\":\"MR\",\"REF02\":\"1\"}\n"
           "~ REF[PD].REF02 \"2\" \"3\"\n"
           "+ REF[CO] {\"REF01\":\"CO\",\"REF02\":\"4\"}\n");
}

static void test_order_counts_where_it_means_something(void **state)
{
    static const char a[] = ORDER(HEAD("PO-1") "N9*L1*A~MSG*first~MSG*second~" LINES TAIL),
                      b[] = ORDER(HEAD("PO-1") "N9*L1*A~MSG*second~MSG*first~" LINES TAIL);

    (void)state;
    expect(a, b, true, "~ N9[L1]/MSG.MSG01 \"first\" \"second\"\n~ N9[L1]/MSG#2.MSG01 \"second\" \"first\"\n");
}

static void test_envelopes(void **state)
{
    static const char later[] =
        "ISA*00*          *00*          *ZZ*NORTHWIND      *ZZ*ACMECORP       *260116*1230*U*00401*000000906*0*P*>~"
        "GS*PO*NWPO*ACME*20260116*1230*18*X*004010~ST*850*0002~" HEAD("PO-1") LINES TAIL
        "SE*9*0002~GE*1*18~IEA*1*000000906~";
    struct files f = { .text = { order, later }, .numbers = true };

    (void)state;
    expect(order, later, false, "~ source.usage \"test\" \"production\"\n");
    expect(order, later, true, "~ source.usage \"T\" \"P\"\n");
    assert_int_equal(attempt(&f), 0);
    assert_non_null(strstr(buf_text(&f.out), "source.interchange \"000000905\" \"000000906\""));
    assert_non_null(strstr(buf_text(&f.out), "source.document \"0001\" \"0002\""));
    buf_deinit(&f.out);
}

static void test_records(void **state)
{
    static const char record[] =
        "{\"version\":1,\"lines\":[{\"items\":[{\"id\":\"012345678905\",\"scheme_code\":\"UP\",\"scheme\":"
        "\"gtin-12\"}],\"unit\":\"EA\",\"quantity\":\"10.00\",\"unit_price\":\"9.5\",\"number\":\"1\"},{\"number\":"
        "\"2\",\"quantity\":\"24\",\"unit\":\"EA\",\"unit_price\":\"1.25\",\"items\":[{\"scheme\":\"gtin-12\","
        "\"scheme_code\":\"UP\",\"id\":\"012345678912\"}],\"descriptions\":[{\"form\":\"text\",\"kind\":\"product\","
        "\"text\":\"BLUE\"}]}],\"record\":\"order\",\"number\":\"PO-1\",\"purpose\":\"original\",\"type\":"
        "\"stand_alone\",\"ordered_on\":\"2026-01-15\",\"department\":\"7\",\"vendor_number\":\"000123\","
        "\"release\":\"\",\"references\":[]}\n";

    (void)state;
    /* keys in another order, decimals written otherwise, empty values; no envelope to compare */
    expect(record, order, false, "");
    expect(order, record, false, "");
    /* of a kind that nobody knows: compared as they stand */
    expect("{\"record\":\"thing\",\"number\":\"1\",\"a\":{\"b\":[1,2,3]}}\n",
           "{\"record\":\"thing\",\"number\":\"1\",\"a\":{\"b\":[1,3]}}\n", false,
           "- a.b[1] 2\n");
}

static void test_bad_records_are_told(void **state)
{
    struct files f = { .text = { "{\"record\":\"order\",\n{\"record\":\"order\",\"number\":\"1\"}\n",
                                 "{\"record\":\"order\",\"number\":\"1\"}\n" } };

    (void)state;
    assert_int_equal(attempt(&f), 0);
    assert_int_equal(f.bad, 1);
    assert_string_equal(buf_text(&f.out), "");
    buf_deinit(&f.out);
}

#define SET(control, number) "ST*850*" control "~" HEAD(number) LINES TAIL "SE*9*" control "~"

static void test_documents_find_each_other(void **state)
{
    static const char three[] = ISA(">", "~") SET("0001", "A") SET("0002", "B") SET("0003", "C")
                                "GE*3*17~IEA*1*000000905~",
                      two[] = ISA(">", "~") SET("0001", "C") SET("0002", "A") "GE*2*17~IEA*1*000000905~",
                      others[] = ISA(">", "~") SET("0001", "X") SET("0002", "Y") "GE*2*17~IEA*1*000000905~";

    (void)state;
    expect(three, two, false, "A: 1\nB: -1\nC: 0\n");
    expect(three, two, true, "A: 1\nB: -1\nC: 0\n");
    /* no number in common: by their order */
    expect(two, others, false, "C: 0\n~ number \"C\" \"X\"\nA: 1\n~ number \"A\" \"Y\"\n");
}

static void test_what_has_no_map_is_compared_by_its_guide(void **state)
{
    static const char a[] = "ISA*00*          *00*          *ZZ*NORTHWIND      *ZZ*ACMECORP       *260115*1230*U*00401*"
                            "000000905*0*T*>~GS*ZZ*A*B*20260115*1230*17*X*004010~ST*999*0001~ABC*1*x>y~SE*3*0001~"
                            "GE*1*17~IEA*1*000000905~";
    struct files f = { .text = { a, a } };

    (void)state;
    /* not even a guide: segments by their tags */
    assert_int_equal(attempt(&f), 0);
    assert_string_equal(buf_text(&f.out), "");
    buf_deinit(&f.out);
}

static int attempt_and_free(void *arg)
{
    struct files *f = arg;
    int r = attempt(f);
    if (r == 0)
        buf_deinit(&f->out);
    return r;
}

static void test_each_allocation_may_fail(void **state)
{
    static const char other[] =
        ORDER("BEG*00*SA*PO-1**20260115~REF*MR*1~N9*L1*A~MSG*x~PO1*1*12*EA*9.50**UP*012345678905~" TAIL);
    struct files f = { .text = { order, other } };

    (void)state;
    assert_true(fail_each_allocation(attempt_and_free, &f) > 20);
    f.by_guide = true;
    assert_true(fail_each_allocation(attempt_and_free, &f) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_of_levels_mean_nothing),
        cmocka_unit_test(test_deep_trees_are_refused),
        cmocka_unit_test(test_the_function_stops),
        cmocka_unit_test(test_spelling_does_not_count),
        cmocka_unit_test(test_what_differs_is_named),
        cmocka_unit_test(test_a_line_in_between_is_one_difference),
        cmocka_unit_test(test_a_line_with_another_item_stays_the_line),
        cmocka_unit_test(test_things_are_paired_by_what_they_are),
        cmocka_unit_test(test_order_counts_where_it_means_something),
        cmocka_unit_test(test_envelopes),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_bad_records_are_told),
        cmocka_unit_test(test_documents_find_each_other),
        cmocka_unit_test(test_what_has_no_map_is_compared_by_its_guide),
        cmocka_unit_test(test_each_allocation_may_fail),
    };

    directory = getenv("WAYBILL_MAPS_DIR");
    directory = directory ? directory : "maps";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
