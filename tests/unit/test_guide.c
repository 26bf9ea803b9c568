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
    each_file(guides, "edifact/*/*.guide", holds_together, 21);
    guides_free(&guides);
}

/* Each segment that a version describes can be had from any guide of it. */
static void has_segments(struct guides *guides, const char *path, const char *id)
{
    char any[64], line[256], tag[8];
    const struct guide *g = NULL;
    struct complaints c;
    unsigned n = 0;
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    complaints_init(&c);
    snprintf(any, sizeof(any), "%.*s/interchange", (int)(strrchr(id, '/') - id), id);
    if (guides_by_id(guides, slice_of(any), &c, &g, NULL) == ERR_MISSING) { /* a directory has messages only */
        snprintf(any, sizeof(any), "%.*s/ORDERS", (int)(strrchr(id, '/') - id), id);
        g = by_id(guides, any);
    }
    complaints_deinit(&c);
    assert_non_null(g);
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
    assert_true(n > 5);
}

static void test_segments(void **state)
{
    struct guides *guides = open_guides();

    (void)state;
    each_file(guides, "x12/*/segments.guide", has_segments, 2);
    each_file(guides, "edifact/*/segments.guide", has_segments, 3);
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

    snprintf(path, sizeof(path), "%s/x12/%s.guide", directory, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* A dictionary of one element, in a directory of its own, and one that stands on it. */
static void make_dictionary(char *directory, const char *elements, const char *upper)
{
    static const char *const folders[] = { "x12", "x12/004010", "x12/005010" };
    char path[200];

    assert_non_null(mkdtemp(directory));
    for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    write_file(directory, "004010/version", "version 004010\n");
    write_file(directory, "004010/segments", "segment ST \"Header\"\n  01 143 M\n");
    write_file(directory, "004010/elements", elements);
    write_file(directory, "004010/850", "guide x12/004010/850\n  ST M\n");
    write_file(directory, "004010/997", "guide x12/004010/997\n  ST M\n");
    write_file(directory, "005010/version", "version 005010 from 004010\n");
    write_file(directory, "005010/elements", upper);
    write_file(directory, "005010/850", "guide x12/005010/850\n  ST M\n");
}

static void remove_dictionary(const char *directory)
{
    static const char *const names[] = {
        "004010/version.guide", "004010/segments.guide", "004010/elements.guide", "004010/850.guide", "004010/997.guide",
        "005010/version.guide", "005010/elements.guide", "005010/850.guide", "004010", "005010", ".", NULL
    };
    char path[200];

    for (unsigned i = 0; names[i]; i++) {
        snprintf(path, sizeof(path), "%s/x12/%s", directory, names[i]);
        if (names[i][0] == '.')
            path[strlen(path) - 2] = 0;
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(remove(directory), 0);
}

/* A guide whose lists are not built yet. */
static const struct guide *fresh_by_id(struct guides *guides, const char *id)
{
    const struct guide *g = NULL;
    struct complaints c;

    complaints_init(&c);
    assert_int_equal(guides_by_id(guides, slice_of(id), &c, &g, NULL), 0);
    complaints_deinit(&c);
    return g;
}

/* A code is looked for in the dictionary's text before the list is built: both must find the same. */
static void test_asked_codes(void **state)
{
    static const struct {
        const char *elements, *upper;
    } dictionaries[] = {
        { "element 143 ID 1 8 \"850 \"\n"
        "  850 \"Purchase Order\"\n  # 997\n  856\n    900 \"855 856\"\n  \"AB\" quoted\n  +1 plus\n  - minus\n"
        "  857   \n  *\n  12345678 eight\n  C# mark # 811\n  A\"B quote",
          "element 143 ID 1 8 \"850 \"\n"
          "  + 811 more\n  - 856\n  -  AB\n  + *\n  +  997\n  - 997\n  855\n  +\n  + \"C\" c\n  +2 plus\n" },
        { "element 143 ID 1 8 \"850 \"\n  850 \"Purchase Order\" \\\n  856\n  857\n",
          "element 143 ID 1 8 \"850 \"\n  - 850\n  + 850 again\n" },
        { "element 143 ID 1 8 \"850 \"\r\n  850 \"Purchase Order\"\r\n  856\r\n  857\r\n",
          "element 143 ID 1 8 \"850 \"\n  850\n  - 850 not behind what is no difference\n" },
        { "element 143 ID 1 8 \"850 \"\n  850\n", "element 143 ID 1 8 \"850 \"\n  + \n" },
    };
    static const char *const asked[] = { "850", "856", "857", "900", "997", "855", "811", "AB", "\"AB\"", "+1", "1", "-",
                                         "+",   "*",   "#",   "",    "85",  "8500", "12345678", "123456789", "C#", "C",
                                         "A\"B", "A\"B q", "850 \"Pur", "\n", " ", "quoted", "+2", "2" };
    (void)state;
    for (unsigned i = 0; i < 2 * sizeof(dictionaries) / sizeof(dictionaries[0]); i++) {
        const char *id = i % 2 ? "x12/005010/850" : "x12/004010/850";
        char directory[] = "guide-XXXXXX";
        struct guides *built = NULL;
        struct element_use *all;
        const struct guide *g;

        make_dictionary(directory, dictionaries[i / 2].elements, dictionaries[i / 2].upper);
        assert_int_equal(guides_new(directory, &built, NULL), 0);
        g = by_id(built, id);
        all = first(g, "ST")->def->use;
        guide_codes(g, all);
        for (unsigned k = 0; k < sizeof(asked) / sizeof(asked[0]); k++) {
            struct slice code = slice_of(asked[k]);
            const bool there = code.n && code.n <= 8 && codes_has(all->codes, slice_key(code));
            struct guides *guides = NULL;
            struct element_use *use;
            const struct guide *fresh;

            assert_int_equal(guides_new(directory, &guides, NULL), 0);
            fresh = fresh_by_id(guides, id);
            use = first(fresh, "ST")->def->use;
            if (code.n && guide_has_code(fresh, use, code) != there)
                fail_msg("dictionary %u: \"%s\"", i, asked[k]);
            assert_true(!there || codes_has(use->list, slice_key(code)));
            assert_true(!code.n || there || use->codes->n == all->codes->n);
            if ((i == 0 && slice_is(code, "856")) || (i == 1 && (slice_is(code, "857") || slice_is(code, "811"))))
                assert_null(use->codes);
            guides_free(&guides);
        }
        guides_free(&built);
        remove_dictionary(directory);
    }
}

/* As many as a document has: the list is built when that is cheaper. */
static void test_many_codes(void **state)
{
    struct guides *guides = open_guides(), *built = open_guides();
    const struct guide *g = fresh_by_id(guides, "x12/004010/850"), *h = by_id(built, "x12/004010/850");
    unsigned lists = 0;

    (void)state;
    for (unsigned i = 1; i < g->n; i++)
        for (unsigned k = 0; g->node[i].def && k < g->node[i].def->n; k++) {
            struct element_use *use = &g->node[i].def->use[k];
            const struct codes *all = use->needs_codes ? guide_codes(h, &h->node[i].def->use[k]) : NULL;
            const unsigned step = all ? all->n / 12 + 1 : 1;
            if (use->codes)
                continue;
            for (unsigned c = 0; all && c < all->n; c += step)
                assert_int_equal(guide_has_code(g, use, all->line[c].code), 1);
            lists += all && use->codes;
        }
    assert_true(lists > 10);
    guides_free(&guides);
    guides_free(&built);
}

/* What was wrong the first time is wrong the second time. */
static void test_wrong_dictionary(void **state)
{
    char directory[] = "guide-XXXXXX";
    struct guides *guides = NULL;
    const struct guide *g = NULL;

    (void)state;
    make_dictionary(directory, "element 143 ID three 3 \"Set\"\n", "");
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
    remove_dictionary(directory);
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

/* ---- EDIFACT ---- */

/* A small library of guides in a folder of its own; removed when a test is done. */
static const struct {
    const char *name, *text;
} edifact_files[] = {
    { "syntax-3/version", "version syntax-3\n" },
    { "syntax-3/segments", "segment UNH \"Message header\"\n  01 0062 M\n  02 S009 M\n"
                           "segment UNT \"Message trailer\"\n  01 0074 M\n  02 0062 M\n" },
    { "syntax-3/elements", "composite S009 \"Message identifier\"\n  01 0065 M\n  02 0052 M\n"
                           "element 0062 an..14 \"Message reference number\"\nelement 0065 an..6 \"Message type\"\n"
                           "element 0052 an..3 \"Version\"\nelement 0074 n..6 \"Segments\"\n" },
    { "d96a/version", "version d96a from syntax-3\n" },
    { "d96a/segments", "segment BGM \"Beginning of message\"\n  01 C002 C\n  02 1004 C\n"
                       "segment DTM \"Date\"\n  01 C507 M\n"
                       "segment COM \"Communication\" qualifier 01-2\n  01 C076 M\n"
                       "segment LIN \"Line\"\n  01 1082 C\n  02 C212 C 5\n" },
    { "d96a/elements",
      "composite C002 \"Name\"\n  01 1001 C\n  02 1131 C\n  03 3055 C\n"
      "composite C507 \"Date\"\n  01 2005 M\n  02 2380 C\n"
      "composite C076 \"Communication\"\n  01 3148 M\n  02 3155 M\n"
      "composite C212 \"Item\"\n  01 7140 C\n  02 7143 C\n  03 3055 C\n"
      "element 1001 an..3 \"Name, coded\"\n  220 Order\n  221 \"Blanket order\"\n"
      "element 1004 an..35 \"Number\"\nelement 1082 n..6 \"Line number\"\nelement 1131 an..3 \"List\"\n"
      "element 2005 an..3 \"Qualifier\"\n  2 Delivery\n  137 Document\nelement 2380 an..35 \"Date\"\n"
      "element 3055 an..3 \"Agency\"\n  6 UN/ECE\n  9 EAN\nelement 3148 an..512 \"Number\"\n"
      "element 3155 a2 \"Channel\"\n  TE Telephone\n  FX Telefax\nelement 7140 an..35 \"Item\"\n"
      "element 7143 an..3 \"Type\"\n  EN EAN\n  SA Supplier\n" },
    { "d96a/ORDERS", "guide edifact/d96a/ORDERS \"Purchase order\"\n  heading\n  UNH M\n  BGM M\n  DTM M 35\n"
                     "  detail\n  group SG25 C 200000\n    LIN M\n    DTM C 5\n    group SG26 M 2\n      COM M\n"
                     "  summary\n  UNT M\n" },
    { "d96a-ean008/ORDERS", "guide edifact/d96a-ean008/ORDERS from edifact/d96a/ORDERS \"EANCOM\"\n"
                            "  BGM.1004 must\n  BGM.C002.1001 also 22E\n  SG25.DTM[2] must\n  COM[TE] max 1\n"
                            "  LIN.C212.7143 only EN\n  DTM[C507.2005=137].2380 length 8 8\n" },
    { "d96a-ean004/ORDERS", "guide edifact/d96a-ean004/ORDERS from edifact/d96a/ORDERS\n" },
    { "d96a-ean008/version", "version d96a-ean008 from d96a\n" },
    { "d96a-ean008/elements", "element 2005 an..3 \"Qualifier\"\n  + 43E \"Association's own\"\n" },
    { "d01b/version", "version d01b from d96a\n" },
    { "d01b/elements",
      "element 1001 an..3 \"Document name code\"\n  +\nelement 2005 an..3 \"Function\"\n  - 2\n  + 5 \"New\"\n" },
    { "d01b/ORDERS", "guide edifact/d01b/ORDERS\n  UNH M\n  BGM M\n  DTM M\n  UNT M\n" },
    { "1-911/version", "version 1-911 from d96a\n" },
    { "1-911/ORDERS", "guide edifact/1-911/ORDERS\n  UNH M\n  UNT M\n" },
    { "2-2/version", "version 2-2 from syntax-3\n" },
    { "2-2/CONTRL", "guide edifact/2-2/CONTRL\n  UNH M\n  UNT M\n" },
    { "4-1/version", "version 4-1 from syntax-3\n" },
    { "4-1/CONTRL", "guide edifact/4-1/CONTRL\n  UNH M\n  UNT M\n" },
    { "circle/version", "version circle from syntax-3\n" },
    { "circle/A", "guide edifact/circle/A from edifact/circle/B\n" },
    { "circle/B", "guide edifact/circle/B from edifact/circle/A\n" },
    { "wrong/version", "version wrong from d96a\n" },
    { "wrong/TYPE", "guide edifact/wrong/TYPE\n  QTY M\n" },
    { "wrong/TRIGGER", "guide edifact/wrong/TRIGGER\n  group SG1 C 5\n    LIN C\n" },
    { "wrong/OPTIONAL", "guide edifact/wrong/OPTIONAL\n  LIN O\n" },
    { "wrong/GROUP", "guide edifact/wrong/GROUP\n  group SG1 5\n    LIN M\n" },
    { "wrong/segments", "segment QTY \"Quantity\" qualifier 01-x\n  01 9999 X\n" },
    { "wrong/elements", "element 9999 x..3 \"Wrong\"\n" },
};

static char edifact_directory[] = "edifact-XXXXXX";

static int make_edifact(void **state)
{
    char path[200];

    (void)state;
    assert_non_null(mkdtemp(edifact_directory));
    snprintf(path, sizeof(path), "%s/edifact", edifact_directory);
    assert_int_equal(mkdir(path, 0700), 0);
    for (unsigned i = 0; i < sizeof(edifact_files) / sizeof(edifact_files[0]); i++) {
        const char *name = edifact_files[i].name;
        FILE *f;
        snprintf(path, sizeof(path), "%s/edifact/%.*s", edifact_directory, (int)strcspn(name, "/"), name);
        mkdir(path, 0700);
        snprintf(path, sizeof(path), "%s/edifact/%s.guide", edifact_directory, name);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(edifact_files[i].text, f) >= 0);
        assert_int_equal(fclose(f), 0);
    }
    return 0;
}

static int remove_edifact(void **state)
{
    char path[200];

    (void)state;
    for (unsigned i = sizeof(edifact_files) / sizeof(edifact_files[0]); i-- > 0;) {
        const char *name = edifact_files[i].name;
        snprintf(path, sizeof(path), "%s/edifact/%s.guide", edifact_directory, name);
        remove(path);
        snprintf(path, sizeof(path), "%s/edifact/%.*s", edifact_directory, (int)strcspn(name, "/"), name);
        remove(path);
    }
    snprintf(path, sizeof(path), "%s/edifact", edifact_directory);
    remove(path);
    remove(edifact_directory);
    return 0;
}

static struct guides *open_edifact(void)
{
    struct guides *guides = NULL;
    assert_int_equal(guides_new(edifact_directory, &guides, NULL), 0);
    return guides;
}

/* Notation, groups, composites, qualifiers, whose list a code is from. */
static void test_edifact(void **state)
{
    struct guides *guides = open_edifact();
    const struct guide *g = by_id(guides, "edifact/d96a/ORDERS");
    const struct guide_node *group = &g->node[first(g, "LIN")->parent], *inner = &g->node[first(g, "COM")->parent];
    const struct element *e;

    (void)state;
    assert_true(slice_is(g->version, "d96a") && slice_is(g->title, "Purchase order"));
    assert_true(group->loop && slice_is(group->tag, "SG25") && !group->required && group->max == 200000);
    assert_true(inner->required && first(g, "COM")->required && !first(g, "LIN")->required);
    assert_string_equal(guide_requirement(g, group), "C");
    assert_string_equal(guide_requirement(g, first(g, "LIN")), "M");
    assert_int_equal(first(g, "DTM")->max, 35);
    assert_int_equal(first(g, "UNT")->area, 's');

    assert_int_equal(first(g, "BGM")->def->qualifier, 0);
    assert_int_equal(first(g, "DTM")->def->qualifier, 1);
    assert_int_equal(first(g, "DTM")->def->qualifier_part, 0);
    assert_int_equal(first(g, "COM")->def->qualifier_part, 2);

    e = first(g, "BGM")->def->use[0].element;
    assert_true(e->type == TYPE_COMPOSITE && e->n_parts == 3);
    assert_int_equal(e->part[0].element->type, TYPE_ID);
    assert_true(slice_is(e->part[0].element->form, "an"));
    assert_int_equal(e->part[0].list_part, 2);
    assert_int_equal(e->part[0].agency_part, 3);
    assert_int_equal(e->part[1].agency_part, 3);
    e = first(g, "LIN")->def->use[1].element;
    assert_true(e->part[1].list_part == 0 && e->part[1].agency_part == 3);
    assert_int_equal(first(g, "LIN")->def->use[1].repeat, 5);
    e = first(g, "LIN")->def->use[0].element;
    assert_true(e->type == TYPE_R && e->min == 1 && e->max == 6);
    e = first(g, "COM")->def->use[0].element->part[1].element;
    assert_true(slice_is(e->form, "a") && e->type == TYPE_ID && e->min == 2 && e->max == 2);
    guides_free(&guides);
}

/* A directory that says of lists only what is new and gone, or that they are the same. */
static void test_lists(void **state)
{
    struct guides *guides = open_edifact();
    const struct guide *g = by_id(guides, "edifact/d01b/ORDERS");
    const struct codes *names = guide_codes(g, &first(g, "BGM")->def->use[0].element->part[0]);
    const struct codes *dates = guide_codes(g, &first(g, "DTM")->def->use[0].element->part[0]);

    (void)state;
    assert_true(slice_is(first(g, "BGM")->def->use[0].element->part[0].element->name, "Document name code"));
    assert_true(names->n == 2 && slice_is(codes_name(names, SLICE("220")), "Order"));
    assert_true(dates->n == 2 && codes_has(dates, slice_key(SLICE("5"))) && !codes_has(dates, slice_key(SLICE("2"))));
    guides_free(&guides);
}

static const struct guide_variant *only_variant(const struct guide *g, const char *tag)
{
    assert_non_null(variant_at(g, tag, 0));
    return variant_at(g, tag, 0);
}

/* An association's guide, with places named by numbers; and a partner's on top of it. */
static void test_association(void **state)
{
    static const char text[] = "guide a/ORDERS from edifact/d96a-ean008/ORDERS\n  BGM.1001 only 22E\n  COM[TE] must\n";
    struct guides *guides = open_edifact();
    const struct guide *g = by_id(guides, "edifact/d96a-ean008/ORDERS"), *own = NULL;
    const struct element *e = first(g, "BGM")->def->use[0].element;
    struct complaints c;

    (void)state;
    assert_true(slice_is(g->title, "EANCOM") && slice_is(g->base, "edifact/d96a/ORDERS") &&
                slice_is(g->version, "d96a"));
    assert_true(first(g, "BGM")->def->mandatory == 2);
    assert_true(codes_has(e->part[0].codes, slice_key(SLICE("22E"))));
    assert_true(codes_has(e->part[0].codes, slice_key(SLICE("220"))));
    assert_int_equal(variant_at(g, "DTM", 0)->def->use[0].element->part[1].min, 8);
    assert_true(
        codes_has(guide_codes(g, &variant_at(g, "DTM", 0)->def->use[0].element->part[0]), slice_key(SLICE("43E"))));
    assert_int_equal(variant_at(g, "DTM", 1)->requirement, REQ_MANDATORY);
    assert_int_equal(only_variant(g, "COM")->max, 1);
    assert_int_equal(guide_qualifier(g, (unsigned)__builtin_ctzll(only_variant(g, "COM")->own))->part, 2);
    assert_int_equal(first(g, "LIN")->def->use[1].element->part[1].codes->n, 1);
    assert_true(has_code(g, first(g, "DTM"), 1, "43E"));
    assert_false(
        has_code(by_id(guides, "edifact/d96a/ORDERS"), first(by_id(guides, "edifact/d96a/ORDERS"), "DTM"), 1, "43E"));

    complaints_init(&c);
    if (guides_read_delta(guides, SLICE("a.guide"), slice_of(text), &c, &own, NULL))
        fail_msg("%s", buf_text(&c.text));
    assert_true(slice_is(own->base, "edifact/d96a-ean008/ORDERS") && slice_is(own->version, "d96a"));
    assert_true(has_code(own, first(own, "DTM"), 1, "43E"));
    assert_int_equal(first(own, "BGM")->def->mandatory, 2);
    assert_int_equal(first(own, "BGM")->def->use[0].element->part[0].codes->n, 1);
    assert_true(only_variant(own, "COM")->max == 1 && only_variant(own, "COM")->requirement == REQ_MANDATORY);
    assert_int_equal(own->n_variants, g->n_variants);
    complains(guides, "guide b/ORDERS from a/ORDERS\n",
              "b.guide:1:21: a partner's guide stands on one of the standard");
    complains(guides, "guide b/ORDERS from edifact/d96a/ORDERS\n  BGM.2005 must\n",
              "b.guide:2:3: segment BGM has no element 2005");
    complains(guides, "guide b/ORDERS from edifact/d96a/ORDERS\n  DTM[1004=2] must\n",
              "segment DTM has no element 1004");
    complains(guides, "guide b/ORDERS from edifact/d96a/ORDERS\n  COM[ZZ] must\n", "\"ZZ\" is no code of element 3155");
    complains(guides, "guide b/ORDERS from edifact/d96a/ORDERS\n  BGM.1004 length 1 36\n",
              "element 1004 Number is an..35");
    complaints_deinit(&c);
    guides_free(&guides);
}

static void finds_message(struct guides *guides, const char *version, const char *release, const char *association,
                          const char *set, const char *expected)
{
    char room[GUIDE_DIRECTORY];
    struct slice directory = guide_directory(slice_of(version), slice_of(release), slice_of(association), room);
    const struct guide *g = NULL;
    struct complaints c;
    struct err err = { 0 };

    complaints_init(&c);
    assert_int_equal(guides_find(guides, SLICE("edifact"), directory, slice_of(set), &c, &g, &err),
                     expected ? 0 : ERR_MISSING);
    assert_int_equal(err.text[0] == 0, expected != NULL);
    if (expected && !slice_is(g->id, expected))
        fail_msg("%s:%s:%s: %.*s", version, release, association, SLICE_FMT(g->id));
    complaints_deinit(&c);
}

static void test_directories(void **state)
{
    static const char *const ordered[] = { "2-2",  "d-3",  "4-1",  "90-1", "1-911", "2-912", "d93a", "s93a",
                                           "d96a", "d96b", "d97a", "d99b", "d00a",  "d01a",  "d01b", "d10a" };
    const struct guide_words *words = guide_words(SLICE("edifact"));
    struct guides *guides = open_edifact();
    char room[GUIDE_DIRECTORY];

    (void)state;
    for (unsigned i = 0; i + 1 < sizeof(ordered) / sizeof(ordered[0]); i++)
        assert_true(guide_version_order(words, slice_of(ordered[i]), slice_of(ordered[i + 1])) < 0);
    assert_int_equal(guide_version_order(words, SLICE("d96a-ean008"), SLICE("d96a")), 0);
    assert_true(slice_is(guide_without_association(SLICE("2-2-ean002")), "2-2"));
    assert_true(slice_is(guide_without_association(SLICE("syntax-4")), "syntax-4"));
    assert_int_equal(guide_directory(SLICE("D"), SLICE("../"), SLICE(""), room).n, 0);
    assert_int_equal(guide_directory(SLICE(""), SLICE("96A"), SLICE(""), room).n, 0);
    assert_true(slice_is(guide_directory(SLICE("D"), SLICE("96A"), SLICE("../../"), room), "d96a"));

    finds_message(guides, "D", "96A", "", "ORDERS", "edifact/d96a/ORDERS");
    finds_message(guides, "D", "96A", "EAN008", "ORDERS", "edifact/d96a-ean008/ORDERS");
    finds_message(guides, "D", "96A", "EAN003", "ORDERS", "edifact/d96a-ean004/ORDERS");
    finds_message(guides, "D", "96A", "EAN007", "ORDERS", "edifact/d96a-ean004/ORDERS");
    finds_message(guides, "D", "96A", "EAN010", "ORDERS", "edifact/d96a-ean008/ORDERS");
    finds_message(guides, "D", "96A", "EAN", "ORDERS", "edifact/d96a/ORDERS");
    finds_message(guides, "D", "96A", "EAN8B", "ORDERS", "edifact/d96a/ORDERS");
    finds_message(guides, "D", "96A", "OD0008", "ORDERS", "edifact/d96a/ORDERS");
    finds_message(guides, "D", "96A", "008", "ORDERS", "edifact/d96a/ORDERS");
    finds_message(guides, "D", "96A", "EAN0089", "ORDERS", "edifact/d96a/ORDERS");
    finds_message(guides, "D", "99B", "EAN008", "ORDERS", "edifact/d96a/ORDERS");
    finds_message(guides, "D", "93A", "", "ORDERS", "edifact/1-911/ORDERS");
    finds_message(guides, "1", "911", "", "ORDERS", "edifact/1-911/ORDERS");
    finds_message(guides, "90", "1", "", "ORDERS", "edifact/1-911/ORDERS");
    finds_message(guides, "D", "13B", "", "ORDERS", "edifact/d01b/ORDERS");
    finds_message(guides, "D", "3", "", "CONTRL", "edifact/2-2/CONTRL");
    finds_message(guides, "4", "1", "EAN003", "CONTRL", "edifact/4-1/CONTRL");
    finds_message(guides, "D", "96A", "", "INVOIC", NULL);
    guides_free(&guides);
}

static uint32_t count_codes(const struct guide *g, const char *tag)
{
    return guide_codes(g, &first(g, tag)->def->use[0].element->part[0])->n;
}

/* The guides of the maps folder: which message gets which, and lists that stand on lists. */
static void test_edifact_maps(void **state)
{
    static const struct {
        const char *version, *release, *association, *set, *expected;
    } rows[] = {
        { "D", "96A", "EAN008", "ORDERS", "edifact/d96a-ean008/ORDERS" },
        { "D", "96A", "EAN005", "DESADV", "edifact/d96a-ean005/DESADV" },
        { "D", "96A", "EAN008", "DESADV", "edifact/d96a-ean005/DESADV" },
        { "D", "01B", "EAN010", "PRICAT", "edifact/d01b/PRICAT" },
        { "D", "96A", "EAN004", "INVRPT", "edifact/d96a-ean004/INVRPT" },
        { "D", "01B", "EAN007", "INVRPT", "edifact/d01b-ean007/INVRPT" },
        { "D", "03B", "EAN008", "ORDERS", "edifact/d01b/ORDERS" },
        { "D", "97A", "", "DESADV", "edifact/d96a/DESADV" },
        { "D", "93A", "", "PRICAT", "edifact/d96a/PRICAT" },
        { "2", "2", "EAN002", "CONTRL", "edifact/2-2/CONTRL" },
        { "D", "3", "2.0b", "CONTRL", "edifact/d-3/CONTRL" },
        { "4", "1", "", "CONTRL", "edifact/4-1/CONTRL" },
    };
    struct guides *guides = open_guides();
    const struct guide *own = by_id(guides, "edifact/d01b-ean010/ORDERS");

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        finds_message(guides, rows[i].version, rows[i].release, rows[i].association, rows[i].set, rows[i].expected);
    assert_int_equal(count_codes(by_id(guides, "edifact/d96a/ORDERS"), "BGM"), 335);
    assert_int_equal(count_codes(by_id(guides, "edifact/d01b/ORDERS"), "BGM"), 583);
    assert_true(count_codes(own, "BGM") > 583 && has_code(own, first(own, "BGM"), 1, "22E"));
    assert_int_equal(guide_segment(by_id(guides, "edifact/syntax-3/interchange"), SLICE("UNH"))->n, 4);
    assert_int_equal(guide_segment(by_id(guides, "edifact/syntax-4/interchange"), SLICE("UNH"))->n, 7);
    guides_free(&guides);
}

/* What is wrong in a guide or dictionary of EDIFACT is complained of in its own words. */
static void test_wrong_edifact(void **state)
{
    static const char *const wrong[][2] = {
        { "edifact/wrong/TYPE", "NOTATION such as an..35" },
        { "edifact/wrong/TYPE", "the requirement is M or C" },
        { "edifact/wrong/TYPE", "a component's position is expected behind \"-\"" },
        { "edifact/wrong/TRIGGER", "TRIGGER.guide:3:9: the first segment of a group is M and stands once" },
        { "edifact/wrong/OPTIONAL", "expected: SEGMENT M or C [MAX]" },
        { "edifact/wrong/GROUP", "expected: group NAME M or C [MAX]" },
        { "edifact/circle/A", "" },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct guides *guides = open_edifact();
        const struct guide *g = NULL;
        struct complaints c;
        complaints_init(&c);
        assert_int_equal(guides_by_id(guides, slice_of(wrong[i][0]), &c, &g, NULL), ERR_CONFIG);
        if (g || !strstr(buf_text(&c.text), wrong[i][1]))
            fail_msg("%s: %s", wrong[i][0], buf_text(&c.text));
        complaints_deinit(&c);
        guides_free(&guides);
    }
}

/* A code that only a later directory's list has, and one that none has. */
static int ask_later(void *arg)
{
    struct guides *guides = NULL;
    const struct guide *g = NULL;
    struct slice version = slice(NULL, 0), none = slice(NULL, 0);
    struct complaints c;
    struct element *e;
    int r = guides_new(edifact_directory, &guides, NULL);

    (void)arg;
    complaints_init(&c);
    if (r == 0)
        r = guides_find(guides, SLICE("edifact"), SLICE("d96a-ean008"), SLICE("ORDERS"), &c, &g, NULL);
    if (r == 0) {
        e = first(g, "DTM")->def->use[0].element->part[0].element;
        if (!guide_later_code(g, e, SLICE("5"), &version) || !guide_later_code(g, e, SLICE("43F"), &none))
            r = ERR_NOMEM;
        else
            assert_true(slice_is(version, "d01b") && !none.n);
    }
    complaints_deinit(&c);
    guides_free(&guides);
    return r;
}

static void test_later_codes(void **state)
{
    struct guides *guides = open_edifact();
    const struct guide *g = by_id(guides, "edifact/d01b/ORDERS");
    struct slice version;

    (void)state;
    assert_int_equal(ask_later(NULL), 0);
    assert_true(fail_each_allocation(ask_later, NULL) > 5);
    /* what an earlier one has does not count */
    assert_true(guide_later_code(g, first(g, "DTM")->def->use[0].element->part[0].element, SLICE("43E"), &version));
    assert_int_equal(version.n, 0);
    guides_free(&guides);
}

static int load_edifact(void *arg)
{
    static const char text[] = "guide a/ORDERS from edifact/d96a-ean008/ORDERS\n  BGM.1001 only 22E\n  COM[TE] must\n";
    struct guides *guides = NULL;
    const struct guide *g = NULL;
    struct complaints c;
    int r = guides_new(edifact_directory, &guides, NULL);

    (void)arg;
    complaints_init(&c);
    if (r == 0)
        r = guides_read_delta(guides, SLICE("a"), slice_of(text), &c, &g, NULL);
    if (r == 0 && !guide_check_codes(g, &c))
        r = ERR_NOMEM;
    complaints_deinit(&c);
    guides_free(&guides);
    return r;
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
    for (unsigned i = 0; r == 0 && i < 9; i++)
        r = guide_has_code(g, &first(g, "AK9")->def->use[0], slice("AEMPRWX12" + i, 1)) < 0 ? ERR_NOMEM : 0;
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
    assert_true(fail_each_allocation(load_edifact, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dictionaries),   cmocka_unit_test(test_segments),
        cmocka_unit_test(test_versions),       cmocka_unit_test(test_delta),
        cmocka_unit_test(test_wrong_deltas),   cmocka_unit_test(test_general_lines),
        cmocka_unit_test(test_levels),         cmocka_unit_test(test_words),
        cmocka_unit_test(test_delta_on_delta), cmocka_unit_test(test_wrong_dictionary),
        cmocka_unit_test(test_edifact), cmocka_unit_test(test_lists),        cmocka_unit_test(test_association),
        cmocka_unit_test(test_directories),    cmocka_unit_test(test_edifact_maps),
        cmocka_unit_test(test_wrong_edifact), cmocka_unit_test(test_later_codes),
        cmocka_unit_test(test_asked_codes), cmocka_unit_test(test_many_codes),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, make_edifact, remove_edifact);
}
