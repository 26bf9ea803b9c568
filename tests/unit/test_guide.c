/*
 * guide: both dictionaries load and hold together, versions are substituted, and partners' deltas do what each verb
 * says, or are complained of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "edi/guide.h"
#include "failing_malloc.h"

static const char *maps_directory(void)
{
    const char *directory = getenv("WAYBILL_MAPS_DIR");
    return directory ? directory : "maps";
}

static struct guides *open_guides(void)
{
    struct guides *guides = NULL;
    assert_int_equal(guides_new(maps_directory(), &guides, NULL), 0);
    return guides;
}

static const struct guide *by_id(struct guides *guides, const char *id)
{
    const struct guide *g = NULL;
    struct complaints c;

    complaints_init(&c);
    assert_int_equal(guides_by_id(guides, slice_of(id), &c, &g, NULL), 0);
    assert_true(guide_check_codes(g, &c));
    assert_int_equal(c.count, 0);
    complaints_deinit(&c);
    return g;
}

/* Every place leads where its tag says. */
static void test_dictionaries(void **state)
{
    static const char *const ids[] = { "x12/004010/850", "x12/005010/850", "x12/004010/997", "x12/005010/997",
                                       "x12/004010/interchange", "x12/005010/interchange" };
    struct guides *guides = open_guides();

    (void)state;
    for (unsigned n = 0; n < sizeof(ids) / sizeof(ids[0]); n++) {
        const struct guide *g = by_id(guides, ids[n]);
        assert_true(g->n > 2 && g->node[0].end == g->n);
        for (unsigned i = 1; i < g->n; i++) {
            const struct guide_node *node = &g->node[i];
            assert_int_equal(node->ordinal, i);
            assert_int_equal(node->depth, g->node[node->parent].depth + 1);
            if (node->loop) {
                assert_true(g->node[node->first].trigger);
                continue;
            }
            assert_int_equal(guide_tag(g, node->def->key), node->local);
            assert_ptr_equal(guide_segment(g, node->tag)->key ? node->def : NULL, node->def);
            for (unsigned k = 0; k < node->def->n; k++)
                assert_non_null(node->def->use[k].element);
        }
    }
    guides_free(&guides);
}

static void finds(struct guides *guides, const char *version, const char *set, const char *expected)
{
    const struct guide *g = NULL;
    struct complaints c;
    int r;

    complaints_init(&c);
    r = guides_find(guides, SLICE("x12"), slice_of(version), slice_of(set), &c, &g, NULL);
    assert_int_equal(r, expected ? 0 : ERR_MISSING);
    if (expected)
        assert_true(slice_is(g->id, expected));
    complaints_deinit(&c);
}

static void test_versions(void **state)
{
    struct guides *guides = open_guides();

    (void)state;
    finds(guides, "004010", "850", "x12/004010/850");
    finds(guides, "004010VICS", "850", "x12/004010/850");
    finds(guides, "00401", "850", "x12/004010/850");
    finds(guides, "004060", "850", "x12/004010/850");
    finds(guides, "005010X230", "997", "x12/005010/997");
    finds(guides, "008060", "850", "x12/005010/850");
    finds(guides, "003040", "850", "x12/004010/850");
    finds(guides, "004010", "811", NULL);
    finds(guides, "../..", "850", "x12/004010/850");
    finds(guides, "004010", "../850", NULL);
    guides_free(&guides);
}

static const struct guide_node *first(const struct guide *g, const char *tag)
{
    for (unsigned i = 1; i < g->n; i++)
        if (!g->node[i].loop && slice_is(g->node[i].tag, tag))
            return &g->node[i];
    fail_msg("no %s", tag);
    return NULL;
}

static bool has_code(const struct guide *g, const struct guide_node *node, unsigned element, const char *code)
{
    struct codes *codes = guide_codes(g, &node->def->use[element - 1]);
    assert_non_null(codes);
    return codes_has(codes, slice_key(slice_of(code)));
}

static void test_delta(void **state)
{
    static const char text[] = "guide a/850 from x12/004010/850 \"A's order\"\n"
                               "  BEG02 only SA DS\n"
                               "  BEG04 must\n"
                               "  BEG03 length 3 10\n"
                               "  CUR not used\n"
                               "  FOB must\n"
                               "  REF[IA] must\n"
                               "  REF[DP] not used\n"
                               "  REF[IA].REF03 not used\n"
                               "  PO1.PO103 also Q9\n"
                               "  PO1.PO106 without UP\n"
                               "  PO1 max 50\n"
                               "  CTT may\n";
    struct guides *guides = open_guides();
    const struct guide *base = by_id(guides, "x12/004010/850"), *g = NULL;
    struct complaints c;

    (void)state;
    complaints_init(&c);
    if (guides_read_delta(guides, SLICE("a.guide"), slice_of(text), &c, &g, NULL))
        fail_msg("%s", buf_text(&c.text));
    assert_true(slice_is(g->id, "a/850") && slice_is(g->base, "x12/004010/850") && slice_is(g->title, "A's order"));
    assert_true(has_code(g, first(g, "BEG"), 2, "DS"));
    assert_false(has_code(g, first(g, "BEG"), 2, "RL"));
    assert_true(has_code(base, first(base, "BEG"), 2, "RL"));
    assert_true(first(g, "BEG")->def->mandatory >> 3 & 1);
    assert_int_equal(first(g, "BEG")->def->use[2].min, 3);
    assert_int_equal(first(g, "BEG")->def->use[2].max, 10);
    assert_int_equal(first(base, "BEG")->def->use[2].max, 22);
    assert_true(first(g, "CUR")->not_used && !first(base, "CUR")->not_used);
    assert_true(first(g, "FOB")->required && !first(base, "FOB")->required);
    assert_int_equal(g->n_variants, 2);
    assert_true(g->variant[0].must && g->variant[1].not_used && g->variant[0].def->not_used == 4);
    assert_true(has_code(g, first(g, "PO1"), 3, "Q9") && has_code(g, first(g, "PO1"), 3, "EA"));
    assert_false(has_code(g, first(g, "PO1"), 6, "UP"));
    assert_int_equal(g->node[first(g, "PO1")->parent].max, 50);
    complaints_deinit(&c);
    guides_free(&guides);
}

/* What is wrong is complained of, each with its line; nothing is taken. */
static void test_wrong_deltas(void **state)
{
    static const char *const lines[] = { "XYZ must", "BEG99 must", "BEG02 only", "BEG02 only TOOLONGCODE", "BEG02 perhaps",
                                         "BEG02 length 3 2", "BEG02 length x y", "BEG02", "REF max 0", "REF[IA] may",
                                         "REF[IA DP] must", "BEG02-1 must", "REF[IA must", "CUR not", "N1[ST].N199 must" };
    static const char *const wholes[] = { "", "map x", "guide", "guide a/850 from x12/004010/999", "guide a/850 from nothing",
                                          "guide x12/004010/850\n", "guide x12/004010/850\n  QQQ M\n", "guide x12/004010/850\n  ST X\n",
                                          "guide x12/004010/850\n  loop\n", "guide x12/004010/850 \"open\n  ST M\n" };

    (void)state;
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]) + sizeof(wholes) / sizeof(wholes[0]); i++) {
        struct guides *guides = open_guides();
        const struct guide *g = NULL;
        struct complaints c;
        char text[200];
        bool line = i < sizeof(lines) / sizeof(lines[0]);

        snprintf(text, sizeof(text), "%s%s", line ? "guide a/850 from x12/004010/850\n  " : "",
                 line ? lines[i] : wholes[i - sizeof(lines) / sizeof(lines[0])]);
        complaints_init(&c);
        if (guides_read_delta(guides, SLICE("a.guide"), slice_of(text), &c, &g, NULL) != ERR_CONFIG || g || !c.count)
            fail_msg("taken: %s", text);
        if (line && !strstr(buf_text(&c.text), "a.guide:2:"))
            fail_msg("%s: %s", text, buf_text(&c.text));
        complaints_deinit(&c);
        guides_free(&guides);
    }
}

static int load(void *arg)
{
    struct guides *guides = NULL;
    const struct guide *g = NULL;
    struct complaints c;
    int r = guides_new(maps_directory(), &guides, NULL);

    (void)arg;
    complaints_init(&c);
    if (r == 0)
        r = guides_read_delta(guides, SLICE("a"), SLICE("guide a/997 from x12/004010/997\n  AK1.AK101 only PO\n  AK2 must\n"), &c, &g,
                              NULL);
    if (r == 0 && !guide_check_codes(g, &c))
        r = ERR_NOMEM;
    complaints_deinit(&c);
    guides_free(&guides);
    return r;
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(load, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dictionaries), cmocka_unit_test(test_versions),  cmocka_unit_test(test_delta),
        cmocka_unit_test(test_wrong_deltas), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
