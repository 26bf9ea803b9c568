/*
 * guide: each guide of the maps folder and its version's segments load and hold together, versions are substituted,
 * and partners' deltas do what each verb says, or are complained of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <glob.h>
#include <string.h>

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

/* Calls for each file of the maps folder that fits: its name without the folder and ".guide". */
static void each_file(struct guides *guides, const char *pattern, void call(struct guides *, const char *path, const char *id),
                      unsigned least)
{
    char path[4096], id[64];
    glob_t found;

    assert_true(snprintf(path, sizeof(path), "%s/%s", maps_directory(), pattern) < (int)sizeof(path));
    assert_int_equal(glob(path, 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= least);
    for (size_t n = 0; n < found.gl_pathc; n++) {
        const char *name = found.gl_pathv[n] + strlen(maps_directory()) + 1;
        assert_true(snprintf(id, sizeof(id), "%.*s", (int)(strlen(name) - strlen(".guide")), name) < (int)sizeof(id));
        call(guides, found.gl_pathv[n], id);
    }
    globfree(&found);
}

/* Every place leads where its tag says. */
static void holds_together(struct guides *guides, const char *path, const char *id)
{
    const char *name = strrchr(id, '/') + 1;

    (void)path;
    if (strcmp(name, "version") != 0 && strcmp(name, "segments") != 0 && strcmp(name, "elements") != 0) {
        const struct guide *g = by_id(guides, id);
        assert_true(slice_is(g->id, id));
        assert_true(g->n > (g->bare ? 1 : 2) && g->node[0].end == g->n);
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
}

static void test_dictionaries(void **state)
{
    struct guides *guides = open_guides();

    (void)state;
    each_file(guides, "x12/*/*.guide", holds_together, 21);
    guides_free(&guides);
}

/* Each segment that a version describes can be had from any guide of it. */
static void has_segments(struct guides *guides, const char *path, const char *id)
{
    char interchange[64], line[256], tag[8];
    const struct guide *g;
    unsigned n = 0;
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    snprintf(interchange, sizeof(interchange), "%.*s/interchange", (int)(strrchr(id, '/') - id), id);
    g = by_id(guides, interchange);
    while (fgets(line, sizeof(line), f)) {
        const struct segment_def *def;
        if (sscanf(line, "segment %7s", tag) != 1)
            continue;
        n++;
        def = guide_segment(g, slice_of(tag));
        if (!def || !slice_is(def->tag, tag) || def->n == 0)
            fail_msg("%s: %s", path, tag);
        for (unsigned k = 0; k < def->n; k++)
            assert_non_null(def->use[k].element);
    }
    assert_int_equal(fclose(f), 0);
    assert_true(n > 10);
}

static void test_segments(void **state)
{
    struct guides *guides = open_guides();

    (void)state;
    each_file(guides, "x12/*/segments.guide", has_segments, 2);
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
    finds(guides, "005010X231A1", "999", "x12/005010/999");
    finds(guides, "004010", "999", "x12/005010/999");
    finds(guides, "004030", "846", "x12/004010/846");
    finds(guides, "004060", "856", "x12/004010/856");
    finds(guides, "004010UCS", "940", "x12/004010/940");
    finds(guides, "005040", "945", "x12/005010/945");
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
    assert_true(g->variant[0].requirement == REQ_MANDATORY && g->variant[0].def->not_used == 4);
    assert_int_equal(g->variant[1].requirement, REQ_NOT_USED);
    assert_true(has_code(g, first(g, "PO1"), 3, "Q9") && has_code(g, first(g, "PO1"), 3, "EA"));
    assert_false(has_code(g, first(g, "PO1"), 6, "UP"));
    assert_int_equal(g->node[first(g, "PO1")->parent].max, 50);
    complaints_deinit(&c);
    guides_free(&guides);
}

/* What is said in general holds with every qualifier, whichever line comes first. */
static void test_general_lines(void **state)
{
    static const char text[] = "guide a/850 from x12/004010/850\n  REF[IA].REF03 not used\n  REF02 must\n  REF[DP] must\n";
    struct guides *guides = open_guides();
    const struct guide *g = NULL;
    struct complaints c;

    (void)state;
    complaints_init(&c);
    assert_int_equal(guides_read_delta(guides, SLICE("a.guide"), slice_of(text), &c, &g, NULL), 0);
    assert_int_equal(g->n_variants, 2);
    assert_true(g->variant[0].def->not_used == 4 && g->variant[0].def->mandatory >> 1 & 1);
    assert_true(g->variant[1].def->not_used == 0 && g->variant[1].def->mandatory >> 1 & 1);
    assert_true(first(g, "REF")->def->mandatory >> 1 & 1);
    complaints_deinit(&c);
    guides_free(&guides);
}

static const struct guide_variant *variant_at(const struct guide *g, const char *tag, unsigned index)
{
    for (unsigned i = 0; i < g->n_variants; i++)
        if (slice_is(g->node[g->variant[i].node].tag, tag) && index-- == 0)
            return &g->variant[i];
    return NULL;
}

/* Lines for one level, for one party: where two of them can meet there is a variant that both were said of, and of
 * those that fit a segment the last one has it all. */
static void test_levels(void **state)
{
    static const char text[] = "guide a/856 from x12/004010/856\n"
                               "  HL/MAN[GM].MAN02 length 20 20\n"
                               "  HL[P]/MAN must\n"
                               "  HL[P]/MAN.MAN01 only GM\n"
                               "  HL/MAN.MAN03 not used\n"
                               "  HL[I]/SN1 must\n"
                               "  HL[S]/N1[ST]/N3 must\n"
                               "  HL[S]/N1[ST]/N3 note \"The dock.\"\n"
                               "  note \"Edition of May.\"\n"
                               "  HL/TD1 must\n"
                               "  HL[I]/TD1 not used\n";
    struct guides *guides = open_guides();
    const struct guide *g = NULL;
    const struct guide_variant *v;
    struct complaints c;

    (void)state;
    complaints_init(&c);
    if (guides_read_delta(guides, SLICE("a.guide"), slice_of(text), &c, &g, NULL))
        fail_msg("%s", buf_text(&c.text));
    assert_int_equal(g->n_qualifiers, 5); /* GM; P, I, S; ST */
    v = variant_at(g, "MAN", 2);
    assert_true(v && v->implied && v->def->use[1].min == 20 && v->def->not_used == 4 && v->def->use[0].codes->n == 1);
    assert_null(variant_at(g, "MAN", 3));
    v = variant_at(g, "N3", 0);
    assert_true(v && !v->own && __builtin_popcountll(v->needs) == 2 && v->requirement == REQ_MANDATORY);
    assert_true(g->node[g->node[v->node].parent].counted == 1ull << v->bit);
    /* what holds in general gives way to what is said of one level */
    v = variant_at(g, "TD1", 0);
    assert_true(v && v->needs == 0 && v->requirement == REQ_MANDATORY && !g->node[v->node].required);
    v = variant_at(g, "TD1", 1);
    assert_true(v && v->requirement == REQ_NOT_USED);
    assert_int_equal(g->n_remarks, 2);
    complaints_deinit(&c);
    guides_free(&guides);
}

static void complains(struct guides *guides, const char *text, const char *expected)
{
    const struct guide *g = NULL;
    struct complaints c;

    complaints_init(&c);
    assert_int_equal(guides_read_delta(guides, SLICE("b.guide"), slice_of(text), &c, &g, NULL), ERR_CONFIG);
    if (!strstr(buf_text(&c.text), expected))
        fail_msg("%sexpected:\n%s", buf_text(&c.text), expected);
    complaints_deinit(&c);
}

#define DELTA "guide b/850 from x12/004010/850\n  "

/* The words say what to do. */
static void test_words(void **state)
{
    struct guides *guides = open_guides();

    (void)state;
    complains(guides, DELTA "BEG02 only SA YY\n", "\"YY\" is no code of element 92 Purchase Order Type Code\n"
              "    BEG02 only SA YY\n                  ^~\nhint: a code that the partner adds");
    complains(guides, DELTA "BEG02 also ZZZZ\n", "\"ZZZZ\" has 4 characters; element 92 Purchase Order Type Code is ID 2/2\n");
    complains(guides, DELTA "N1[ST4].N104 must\n", "\"ST4\" is no code of element 98");
    complains(guides, DELTA "N1[ST].N104 length 1 99\n", "element 67 Identification Code is AN 2/80: a partner's lengths lie within\n");
    complains(guides, DELTA "N1[ST].N104 length 13 7\n", "13 is more than 7: the smaller length comes first\n");
    complains(guides, DELTA "REF[IA] mut\n", "hint: did you mean \"must\"?\n");
    complains(guides, DELTA "CUR notused\n", "hint: did you mean \"not used\"?\n");
    complains(guides, DELTA "BEGG02 must\n", "hint: did you mean \"BEG02\"?\n");
    complains(guides, DELTA "PO1/PIDD[F] must\n", "hint: did you mean \"PO1/PID[F]\"?\n");
    complains(guides, DELTA "MEA04 only EA\n", "element C001 is a composite: name the component that is meant, such as MEA04-1\n");
    complains(guides, "gide x\n", "b.guide:1:1: a guide begins with: guide NAME from STANDARD/VERSION/SET\n    gide x\n    ^~~~\n");
    guides_free(&guides);
}

/* A delta stands on the standard's guide only, also where a partner's has the same name. */
static void test_delta_on_delta(void **state)
{
    struct guides *guides = open_guides();
    const struct guide *base = by_id(guides, "x12/004010/850"), *g = NULL;
    struct complaints c;

    (void)state;
    complaints_init(&c);
    assert_int_equal(guides_read_delta(guides, SLICE("a"), SLICE("guide a/850 from x12/004010/850\n  REF[IA] must\n  BEG02 only SA\n"),
                                       &c, &g, NULL), 0);
    complains(guides, "guide b/850 from a/850\n  BEG02 only DS\n", "b.guide:1:18: a partner's guide stands on one of the standard");
    assert_int_equal(guides_read_delta(guides, SLICE("a"), SLICE("guide x12/004010/850 from x12/004010/850\n  CUR not used\n"),
                                       &c, &g, NULL), 0);
    assert_ptr_equal(by_id(guides, "x12/004010/850"), base);
    assert_int_equal(guides_read_delta(guides, SLICE("a"), SLICE("guide x12/004010/999 from x12/004010/850\n  CUR not used\n"),
                                       &c, &g, NULL), 0);
    complains(guides, "guide b/850 from x12/004010/999\n  BEG02 only DS\n", "b.guide:1:18: a partner's guide stands on one of the standard");
    complaints_deinit(&c);
    guides_free(&guides);
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[200];
    FILE *f;

    snprintf(path, sizeof(path), "%s/x12/004010/%s.guide", directory, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* What was wrong the first time is wrong the second time. */
static void test_wrong_dictionary(void **state)
{
    static const char *const names[] = { "version", "segments", "elements", "850", "997" };
    char directory[] = "guide-XXXXXX", path[200];
    struct guides *guides = NULL;
    const struct guide *g = NULL;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/x12", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/x12/004010", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file(directory, "version", "version 004010\n");
    write_file(directory, "segments", "segment ST \"Header\"\n  01 143 M\n");
    write_file(directory, "elements", "element 143 ID three 3 \"Set\"\n");
    write_file(directory, "850", "guide x12/004010/850\n  ST M\n");
    write_file(directory, "997", "guide x12/004010/997\n  ST M\n");
    assert_int_equal(guides_new(directory, &guides, NULL), 0);
    for (unsigned i = 0; i < 4; i++) {
        struct complaints c;
        complaints_init(&c);
        assert_int_equal(guides_find(guides, SLICE("x12"), SLICE("004010"), i % 2 ? SLICE("997") : SLICE("850"), &c, &g, NULL),
                         ERR_CONFIG);
        assert_true(!g && c.count == 1);
        assert_non_null(strstr(buf_text(&c.text), i == 0   ? "expected: element NUMBER TYPE"
                                                  : i == 1 ? "997.guide:2:3: the definition of this segment has errors"
                                                           : ".guide: the guide has errors; it was read before"));
        complaints_deinit(&c);
    }
    guides_free(&guides);
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/x12/004010/%s.guide", directory, names[i]);
        remove(path);
    }
    snprintf(path, sizeof(path), "%s/x12/004010", directory);
    remove(path);
    snprintf(path, sizeof(path), "%s/x12", directory);
    remove(path);
    remove(directory);
}

/* What is wrong is complained of, each with its line; nothing is taken. */
static void test_wrong_deltas(void **state)
{
    static const char *const lines[] = { "XYZ must", "BEG99 must", "BEG02 only", "BEG02 only TOOLONGCODE", "BEG02 perhaps",
                                         "BEG02 length 3 2", "BEG02 length x y", "BEG02", "REF max 0", "REF[IA] perhaps",
                                         "REF[IA DP] must", "BEG02-1 must", "REF[IA must", "CUR not", "N1[ST].N199 must",
                                         "N1[ST]/N9 must", "PO1/N1[ST]/N4.N499 must", "REF[IA]/N1 must", "N1[QQQQ]/N3 must",
                                         "drop DTM[064]", "not used CUR", "must REF[IA]", "REF note", "REF note two words",
                                         "N3[ST] must" };
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
        cmocka_unit_test(test_dictionaries), cmocka_unit_test(test_segments), cmocka_unit_test(test_versions),
        cmocka_unit_test(test_delta), cmocka_unit_test(test_wrong_deltas), cmocka_unit_test(test_general_lines), cmocka_unit_test(test_levels),
        cmocka_unit_test(test_words), cmocka_unit_test(test_delta_on_delta), cmocka_unit_test(test_wrong_dictionary),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
