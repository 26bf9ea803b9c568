/*
 * guide_document: the example of every segment of every guide is right by that guide, nothing of a guide's file reaches
 * the page unescaped, and memory may run out at any moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edi/check.h"
#include "edi/guide_document.h"
#include "edi/guide_example.h"
#include "failing_malloc.h"

static const char *directory;

static int on_remark(void *ctx, const struct segment *s, const struct remark *r)
{
    struct slice bytes = segment_bytes(s);
    print_error("%.*s: element %u: %s, %s (expected %s)\n", SLICE_FMT(bytes), r->element,
                finding_rows[r->code].words, r->found, r->expected);
    ++*(unsigned *)ctx;
    return 0;
}

/* Checks what guide_example() made. */
static void check_example(const struct guide *g, const struct segment_def *def, unsigned *wrong)
{
    const struct edi_syntax syntax = { .element = '*', .terminator = '~', .component = '>' };
    struct checker c = { .syntax = &syntax, .remark = on_remark, .ctx = wrong };
    uint32_t at[LIMIT_ELEMENTS + 2];
    struct segment s = { .at = at };
    struct buf text;
    unsigned n = 0;

    buf_init(&text, 1 << 16);
    guide_example(g, def, 0, slice(NULL, 0), &text);
    assert_int_equal(text.failed, 0);
    assert_int_equal(text.p[text.n - 1], '~');
    /* what is read ahead of the end */
    for (unsigned i = 0; i < 64; i++)
        buf_add_char(&text, 0);
    for (uint32_t i = 0; i < text.n - 64; i++)
        if (text.p[i] == '*' || text.p[i] == '~')
            at[n++] = i;
    s.base = text.p;
    s.n = n - 1;
    s.flags = memchr(text.p, '>', text.n) ? SEGMENT_PARTS : 0;
    /* it says something, and does not end in an empty element */
    if (s.n == 0 || at[s.n] == at[s.n - 1] + 1) {
        print_error("%.*s\n", (int)text.n - 64, text.p);
        ++*wrong;
    }
    check_begin(&c, g);
    check_elements(&c, &s, def);
    buf_deinit(&text);
}

static void test_examples_are_right(void **state)
{
    static const char *const ids[] = { "x12/004010/846", "x12/004010/850", "x12/004010/856", "x12/004010/940",
                                       "x12/004010/945", "x12/004010/997", "x12/005010/850", "x12/005010/856",
                                       "x12/005010/997" };
    unsigned wrong = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct complaints complaints;
        struct guides *guides = NULL;
        const struct guide *g;
        complaints_init(&complaints);
        assert_int_equal(guides_new(directory, &guides, NULL), 0);
        assert_int_equal(guides_by_id(guides, slice_of(ids[i]), &complaints, &g, NULL), 0);
        assert_true(guide_check_codes(g, &complaints));
        for (unsigned k = 1; k < g->n; k++)
            if (!g->node[k].loop)
                check_example(g, g->node[k].def, &wrong);
        guides_free(&guides);
        complaints_deinit(&complaints);
    }
    assert_int_equal(wrong, 0);
}

struct writing {
    const char *text;
    bool html;
    struct buf out;
};

static int write_delta(void *arg)
{
    struct writing *w = arg;
    struct guide_document_options o = { .html = w->html };
    struct complaints complaints;
    struct guides *guides = NULL;
    const struct guide *g;
    struct err err;
    int r = guides_new(directory, &guides, &err);

    complaints_init(&complaints);
    buf_init(&w->out, 1 << 22);
    if (r == 0)
        r = guides_read_delta(guides, SLICE("delta"), slice_of(w->text), &complaints, &g, &err);
    if (r == 0)
        r = guides_by_id(guides, g->base, &complaints, &o.base, &err);
    if (r == 0 && !(guide_check_codes(g, &complaints) && guide_check_codes(o.base, &complaints)))
        r = ERR_NOMEM;
    if (r == 0) {
        guide_document_write(g, &o, &w->out);
        r = w->out.failed;
    }
    if (r)
        buf_deinit(&w->out);
    guides_free(&guides);
    complaints_deinit(&complaints);
    return r;
}

static void test_nothing_reaches_the_page_unescaped(void **state)
{
    struct writing w = { .text = "guide a<b/997 from x12/004010/997 \"<script>alert('x')</script> &\"\n"
                                 "  AK5.AK501 also < &\n", .html = true };

    (void)state;
    assert_int_equal(write_delta(&w), 0);
    assert_null(strstr(buf_text(&w.out), "<script"));
    assert_non_null(strstr(buf_text(&w.out), "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp;"));
    assert_non_null(strstr(buf_text(&w.out), "also <code>&lt;</code> and <code>&amp;</code>; was any of 6 codes"));
    buf_deinit(&w.out);

    w.html = false;
    assert_int_equal(write_delta(&w), 0);
    assert_null(strstr(buf_text(&w.out), "# 997 <script"));
    assert_non_null(strstr(buf_text(&w.out), "\\<script\\>"));
    buf_deinit(&w.out);
}

static void test_a_delta_that_changes_nothing(void **state)
{
    struct writing w = { .text = "guide northwind/997 from x12/004010/997\n" };

    (void)state;
    assert_int_equal(write_delta(&w), 0);
    assert_non_null(strstr(buf_text(&w.out), "- Nothing.\n"));
    assert_null(strstr(buf_text(&w.out), "**changed**"));
    buf_deinit(&w.out);
}

/* What holds at one level, and what people are told. */
static void test_levels_and_notes(void **state)
{
    struct writing w = { .text = "guide northwind/856 from x12/004010/856\n"
                                 "  note \"Edition of <May>.\"\n"
                                 "  HL[P]/MAN must\n"
                                 "  HL[P]/MAN[GM] max 1\n"
                                 "  HL[P]/MAN note \"One label on each.\"\n"
                                 "  HL/PRF.PRF01 note \"Ours.\"\n"
                                 "  HL[I]/MAN not used\n" };
    static const char *const said[] = {
        "\nEdition of \\<May\\>.\n",
        "- MAN where HL03 is `P` Pack: must be there in every such loop HL\n",
        "- MAN with MAN01 `GM` SSCC-18 and Application Identifier where HL03 is `P` Pack: at most 1 in every such loop HL\n",
        "- MAN where HL03 is `I` Item: not used\n",
        "| \xc2\xb7 \xc2\xb7 MAN | MAN where HL03 is `P` Pack | mandatory |  | **changed** must be there in every such loop HL; "
        "One label on each. |",
        "| PRF01 | Purchase Order Number | 324 | mandatory | AN | 1 to 22 | Ours. |",
    };

    (void)state;
    assert_int_equal(write_delta(&w), 0);
    for (unsigned i = 0; i < sizeof(said) / sizeof(said[0]); i++)
        if (!strstr(buf_text(&w.out), said[i]))
            fail_msg("not there: %s\n%s", said[i], buf_text(&w.out));
    assert_null(strstr(buf_text(&w.out), "`GM` SSCC-18 and Application Identifier where HL03 is `I`"));
    buf_deinit(&w.out);
}

static int write_and_free(void *arg)
{
    struct writing *w = arg;
    int r = write_delta(w);
    if (r == 0)
        buf_deinit(&w->out);
    return r;
}

static void test_memory_may_run_out(void **state)
{
    struct writing w = { .text = "guide northwind/997 from x12/004010/997\n  AK5.AK501 only A R\n  AK9[A] must\n"
                                 "  AK2/AK3[N1]/AK4 must\n  AK2/AK3[N1]/AK4[03=1].AK402 length 1 2\n  AK2/AK3/AK4.AK401-1 length 1 1\n"
                                 "  AK2 not used\n  AK2[850] may\n  note \"a\"\n  AK2[850]/AK5 note \"b\"\n" };

    (void)state;
    assert_true(fail_each_allocation(write_and_free, &w) > 10);
    w.html = true;
    assert_true(fail_each_allocation(write_and_free, &w) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_are_right),
        cmocka_unit_test(test_nothing_reaches_the_page_unescaped),
        cmocka_unit_test(test_a_delta_that_changes_nothing),
        cmocka_unit_test(test_levels_and_notes),
        cmocka_unit_test(test_memory_may_run_out),
    };

    directory = getenv("WAYBILL_MAPS_DIR");
    directory = directory ? directory : "maps";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
