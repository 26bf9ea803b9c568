/* guide_document: see guide_document.h. One walk over the guide serves both formats; `sheet` knows how each looks. */
#include "edi/guide_document.h"

#include <stdio.h>

#include "edi/explain.h"
#include "edi/guide_example.h"
#include "edi/sheet.h"

enum {
    CODES_SHOWN = 6,            /* of a long list */
    NEARLY_ALL = 10,            /* a list of that many is not cut */
    OWN_CODES_SHOWN = 40,       /* nor one of the partner's own of that many */
    FEW = 20,                   /* codes named in a sentence */
    SCRATCH_CEILING = 1 << 20
};

struct document {
    struct sheet sheet;
    const struct guide *g, *base;
    bool codes;
};

/* --- What differs from the base ------------------------------------------------------- */

static const char *requirement_words(const struct document *d, unsigned requirement)
{
    const char *const names[] = { [REQ_OPTIONAL] = d->g->words->optional,
                                  [REQ_MANDATORY] = "mandatory",
                                  [REQ_CONDITIONAL] = "conditional",
                                  [REQ_NOT_USED] = "not used" };
    return names[requirement];
}

static const char *node_requirement(const struct document *d, const struct guide_node *node)
{
    char letter = *guide_requirement(d->g, node);
    return letter == 'M' ? "mandatory" : letter == '-' ? "not used" : d->g->words->optional;
}

/* Is the same said of both? */
static bool same_use(const struct element_use *a, const struct element_use *b)
{
    bool same = a->requirement == b->requirement && a->min == b->min && a->max == b->max &&
                a->element->n_parts == b->element->n_parts &&
                (a->codes == b->codes || (a->codes && b->codes && a->codes->n == b->codes->n));

    for (uint32_t i = 0; same && a->codes != b->codes && i < a->codes->n; i++)
        same = slice_eq(a->codes->line[i].code, b->codes->line[i].code);
    for (unsigned i = 0; same && a->element != b->element && i < a->element->n_parts; i++)
        same = same_use(&a->element->part[i], &b->element->part[i]);
    return same;
}

static bool def_changed(const struct segment_def *def)
{
    for (unsigned k = 0; def->base && k < def->n; k++)
        if (guide_use_changed(&def->use[k], &def->base->use[k]))
            return true;
    return false;
}

/* The node as it was; NULL: there is no base, or it is another guide than we know. */
static const struct guide_node *base_node(const struct document *d, const struct guide_node *node)
{
    const struct guide_node *before = d->base && node->ordinal < d->base->n ? &d->base->node[node->ordinal] : NULL;
    return before && slice_eq(before->tag, node->tag) ? before : NULL;
}

static bool node_changed(const struct document *d, const struct guide_node *node)
{
    const struct guide_node *before = base_node(d, node);
    return before && (before->not_used != node->not_used || before->required != node->required ||
                      before->max != node->max);
}

/* "Loop " or "Group " */
static void add_loop(struct document *d, bool loop)
{
    if (loop)
        buf_printf(d->sheet.out, "%c%s ", d->g->words->loop[0] - 'a' + 'A', d->g->words->loop + 1);
}

static void add_max(struct document *d, uint32_t max)
{
    if (max == UINT32_MAX)
        sheet_raw(&d->sheet, "any number");
    else
        sheet_number(&d->sheet, max);
}

static void add_length(struct document *d, const struct element_use *use)
{
    if (use->element->type == TYPE_COMPOSITE)
        return;
    if (use->min == use->max)
        sheet_number(&d->sheet, use->min);
    else
        buf_printf(d->sheet.out, "%u to %u", use->min, use->max);
}

static uint32_t count_codes(const struct document *d, const struct element_use *use)
{
    struct element_use copy = *use;
    const struct codes *codes = use->codes ? use->codes : use->needs_codes ? guide_codes(d->g, &copy) : NULL;
    return codes ? codes->n : 0;
}

static void mark(struct document *d)
{
    if (d->sheet.html)
        sheet_raw(&d->sheet, "<strong class=\"mark\">changed</strong> ");
    else
        sheet_raw(&d->sheet, "**changed** ");
}

/* "was optional, was 2 to 80 long, was any of 1,312 codes" */
static void add_before(struct document *d, const struct element_use *use, const struct element_use *before)
{
    bool any = false;

    if (use->requirement != before->requirement) {
        buf_printf(d->sheet.out, "was %s", requirement_words(d, before->requirement));
        any = true;
    }
    if ((use->min != before->min || use->max != before->max) && use->element->type != TYPE_COMPOSITE) {
        sheet_raw(&d->sheet, any ? ", was " : "was ");
        add_length(d, before);
        sheet_raw(&d->sheet, " long");
        any = true;
    }
    if (guide_other_codes(use, before)) {
        uint32_t n = count_codes(d, before);
        sheet_raw(&d->sheet, any ? ", was " : "was ");
        if (n)
            buf_printf(d->sheet.out, "any of %u code%s", n, n == 1 ? "" : "s");
        else
            sheet_raw(&d->sheet, "any code");
    }
}

/* --- Codes ---------------------------------------------------------------------------- */

/* As many as are shown, then how many more; `own`: the list is the partner's, so that more are shown. */
static void add_codes(struct document *d, struct element_use *use, bool own)
{
    const struct codes *codes = use->needs_codes || use->codes ? guide_codes(d->g, use) : NULL;
    uint32_t n, shown;

    if (!codes || !codes->n)
        return;
    n = codes->n;
    shown = d->codes || n <= NEARLY_ALL || (own && n <= OWN_CODES_SHOWN) ? n : CODES_SHOWN;
    for (uint32_t i = 0; i < shown; i++) {
        struct slice name = codes->line[i].name;
        if (i)
            sheet_raw(&d->sheet, d->sheet.html ? "<br>" : "; ");
        sheet_code(&d->sheet, codes->line[i].code);
        if (name.n) {
            sheet_raw(&d->sheet, " ");
            sheet_text(&d->sheet, name);
        }
    }
    if (shown < n)
        buf_printf(d->sheet.out, "%s\xe2\x80\xa6 and %u more, %u in all", d->sheet.html ? "<br>" : "; ", n - shown, n);
}

/* --- The head -------------------------------------------------------------------------- */

static void fact(struct document *d, const char *name, struct slice value)
{
    if (!value.n)
        return;
    sheet_begin_row(&d->sheet, false);
    sheet_cell(&d->sheet, slice_of(name));
    sheet_cell(&d->sheet, value);
    sheet_end_row(&d->sheet);
}

static void add_facts(struct document *d)
{
    static const char *const columns[] = { "This guide", "", NULL };
    const struct guide_words *words = d->g->words;
    struct slice standard = slice_is(d->g->standard, words->standard) ? slice_of(words->name) : d->g->standard;

    if (d->sheet.html)
        sheet_raw(&d->sheet, "<table class=\"facts\">\n<caption>This guide</caption>\n<tbody>\n");
    else
        sheet_begin_table(&d->sheet, "facts", "", columns);
    fact(d, "Guide", d->g->id);
    fact(d, "Standard", standard);
    fact(d, "Version", d->g->version);
    fact(d, words->document, d->g->set);
    fact(d, "Functional group", d->g->group);
    fact(d, "Made from", d->g->base);
    sheet_end_table(&d->sheet);
    for (unsigned i = 0; i < d->g->n_remarks; i++)
        if (d->g->remark[i].node == 0) {
            sheet_begin_paragraph(&d->sheet);
            sheet_text(&d->sheet, d->g->remark[i].text);
            sheet_end_paragraph(&d->sheet);
        }
}

/* --- What is different ------------------------------------------------------------------ */

/* "REF01 IA Internal Vendor Number" */
static void add_qualifier(struct document *d, const struct guide_qualifier *q, const char *is)
{
    const struct guide_node *node = &d->g->node[q->node];
    struct element_use *use = &node->def->use[q->element - 1];
    struct slice name;
    const struct codes *codes;

    if (q->part && q->part <= use->element->n_parts)
        use = &use->element->part[q->part - 1];
    codes = use->needs_codes || use->codes ? guide_codes(d->g, use) : NULL;
    name = codes ? codes_name(codes, q->code) : slice(NULL, 0);
    sheet_text(&d->sheet, node->tag);
    buf_printf(d->sheet.out, q->part ? "%02u-%u%s " : "%02u%.0u%s ", q->element, q->part, is);
    sheet_code(&d->sheet, q->code);
    if (name.n) {
        sheet_raw(&d->sheet, " ");
        sheet_text(&d->sheet, name);
    }
}

/* "REF with REF01 IA Internal Vendor Number where HL03 is O Order" */
static void add_variant(struct document *d, const struct guide_variant *v)
{
    const char *before = " with ";

    sheet_text(&d->sheet, d->g->node[v->node].tag);
    for (uint64_t bits = v->own; bits; bits &= bits - 1, before = " and ") {
        sheet_raw(&d->sheet, before);
        add_qualifier(d, guide_qualifier(d->g, (unsigned)__builtin_ctzll(bits)), "");
    }
    before = " where ";
    for (uint64_t bits = v->needs & ~v->own; bits; bits &= bits - 1, before = " and ") {
        sheet_raw(&d->sheet, before);
        add_qualifier(d, guide_qualifier(d->g, (unsigned)__builtin_ctzll(bits)), " is");
    }
}

/* The code that a variant fixes in an element; empty: it does not. */
static struct slice fixed_code(const struct document *d, const struct guide_variant *v, unsigned element)
{
    for (uint64_t bits = v ? v->own : 0; bits; bits &= bits - 1) {
        const struct guide_qualifier *q = guide_qualifier(d->g, (unsigned)__builtin_ctzll(bits));
        if (q->element == element)
            return q->code;
    }
    return slice(NULL, 0);
}

/* The first element that a variant fixes; 0: none. */
static unsigned fixed_element(const struct document *d, const struct guide_variant *v)
{
    return v->own ? guide_qualifier(d->g, (unsigned)__builtin_ctzll(v->own))->element : 0;
}

/* Between two things said in one cell. */
static void part(struct document *d, bool *said)
{
    if (*said)
        sheet_raw(&d->sheet, d->sheet.html ? "<br>" : "; ");
    *said = true;
}

/* What the guide tells people of a place. */
static void add_remarks(struct document *d, unsigned node, uint64_t needs, unsigned element, unsigned component,
                        bool *said)
{
    for (unsigned i = 0; i < d->g->n_remarks; i++) {
        const struct guide_remark *r = &d->g->remark[i];
        if (r->node != node || r->needs != needs || r->element != element || r->component != component)
            continue;
        part(d, said);
        sheet_text(&d->sheet, r->text);
    }
}

/* In which loop, when that is not clear. */
static void add_where(struct document *d, const struct guide_node *node)
{
    const struct guide_node *loop = &d->g->node[node->parent];

    if (node->trigger && loop->depth)
        loop = &d->g->node[loop->parent];
    if (!loop->depth)
        return;
    buf_printf(d->sheet.out, " (in %s ", d->g->words->loop);
    sheet_text(&d->sheet, loop->tag);
    sheet_raw(&d->sheet, ")");
}

/* Which codes are allowed, or which are new among many. */
static void add_code_changes(struct document *d, const struct element_use *use, const struct element_use *before)
{
    struct element_use copy = *before;
    const struct codes *old = before->codes ? before->codes : before->needs_codes ? guide_codes(d->g, &copy) : NULL;
    bool also = old && use->codes->n > old->n;
    uint32_t named = 0, n = also ? use->codes->n - old->n : use->codes->n;

    if (n > FEW) {
        buf_printf(d->sheet.out, "%u codes; ", use->codes->n);
        return;
    }
    sheet_raw(&d->sheet, also ? "also " : "only ");
    for (uint32_t i = 0; i < use->codes->n; i++) {
        if (also && codes_has(old, slice_key(use->codes->line[i].code)))
            continue;
        if (named++)
            sheet_raw(&d->sheet, named < n ? ", " : also ? " and " : " or ");
        sheet_code(&d->sheet, use->codes->line[i].code);
    }
    sheet_raw(&d->sheet, "; ");
}

static void add_use_changes(struct document *d, struct slice tag, unsigned element, unsigned component,
                            struct element_use *use, const struct element_use *before, const struct guide_variant *v,
                            const struct guide_node *node)
{
    if (use->element->type == TYPE_COMPOSITE && !component && use->element != before->element)
        for (unsigned i = 0; i < use->element->n_parts && i < before->element->n_parts; i++)
            add_use_changes(d, tag, element, i + 1, &use->element->part[i], &before->element->part[i], v, node);
    if (use->requirement == before->requirement && use->min == before->min && use->max == before->max &&
        !guide_other_codes(use, before))
        return;
    sheet_begin_item(&d->sheet);
    if (v) {
        add_variant(d, v);
        sheet_raw(&d->sheet, ": ");
    }
    sheet_text(&d->sheet, tag);
    buf_printf(d->sheet.out, component ? "%02u-%u " : "%02u ", element, component);
    sheet_text(&d->sheet, use->element->name);
    if (!v)
        add_where(d, node);
    sheet_raw(&d->sheet, ": ");
    if (use->requirement != before->requirement)
        buf_printf(d->sheet.out, "%s; ", requirement_words(d, use->requirement));
    if ((use->min != before->min || use->max != before->max) && use->element->type != TYPE_COMPOSITE) {
        add_length(d, use);
        sheet_raw(&d->sheet, use->min == 1 && use->max == 1 ? " character long; " : " characters long; ");
    }
    if (guide_other_codes(use, before))
        add_code_changes(d, use, before);
    add_before(d, use, before);
    sheet_end_item(&d->sheet);
}

static void add_node_changes(struct document *d, const struct guide_node *node)
{
    const struct guide_node *before = base_node(d, node);
    bool loop = node->loop;

    /* a loop says the same as the segment that opens it */
    if (!before || !node_changed(d, node) || (node->trigger && node->depth > 1 && node->max == before->max))
        return;
    sheet_begin_item(&d->sheet);
    add_loop(d, loop);
    sheet_text(&d->sheet, node->tag);
    if (!loop) {
        sheet_raw(&d->sheet, " ");
        sheet_text(&d->sheet, node->def->name);
    }
    add_where(d, node);
    sheet_raw(&d->sheet, ": ");
    if (before->not_used != node->not_used || before->required != node->required) {
        sheet_raw(&d->sheet, node_requirement(d, node));
        if (before->max != node->max)
            sheet_raw(&d->sheet, ", ");
    }
    if (before->max != node->max) {
        sheet_raw(&d->sheet, "at most ");
        add_max(d, node->max);
    }
    sheet_raw(&d->sheet, "; was ");
    if (before->not_used != node->not_used || before->required != node->required) {
        sheet_raw(&d->sheet, node_requirement(d, before));
        if (before->max != node->max)
            sheet_raw(&d->sheet, ", ");
    }
    if (before->max != node->max) {
        sheet_raw(&d->sheet, "at most ");
        add_max(d, before->max);
    }
    sheet_end_item(&d->sheet);
}

static bool has_rule(const struct guide_variant *v)
{
    return v->requirement == REQ_NOT_USED || v->counts;
}

static void add_variant_rule(struct document *d, const struct guide_variant *v)
{
    const struct guide_node *loop = guide_around(d->g, &d->g->node[v->node]);

    if (v->requirement == REQ_NOT_USED) {
        sheet_raw(&d->sheet, "not used");
        return;
    }
    if (v->requirement == REQ_MANDATORY)
        sheet_raw(&d->sheet, "must be there");
    if (v->max != UINT32_MAX) {
        sheet_raw(&d->sheet, v->requirement == REQ_MANDATORY ? ", at most " : "at most ");
        add_max(d, v->max);
    }
    if (!loop->depth) {
        sheet_raw(&d->sheet, " in every document");
        return;
    }
    buf_printf(d->sheet.out, v->needs & ~v->own ? " in every such %s " : " in every %s ", d->g->words->loop);
    sheet_text(&d->sheet, loop->tag);
}

static void add_changes(struct document *d)
{
    size_t before;

    if (!d->base)
        return;
    sheet_begin_heading(&d->sheet, 2, 0);
    sheet_raw(&d->sheet, "What is different from ");
    sheet_text(&d->sheet, d->base->id);
    sheet_end_heading(&d->sheet, 2);
    sheet_begin_list(&d->sheet);
    before = d->sheet.out->n;
    for (unsigned i = 1; i < d->g->n; i++) {
        const struct guide_node *node = &d->g->node[i];
        add_node_changes(d, node);
        for (unsigned k = 0; node->def && node->def->base && k < node->def->n; k++)
            add_use_changes(d, node->tag, k + 1, 0, &node->def->use[k], &node->def->base->use[k], NULL, node);
        for (unsigned k = 0; k < d->g->n_variants; k++) {
            const struct guide_variant *v = &d->g->variant[k];
            if (v->node != i || v->implied)
                continue;
            if (has_rule(v)) {
                sheet_begin_item(&d->sheet);
                add_variant(d, v);
                sheet_raw(&d->sheet, ": ");
                add_variant_rule(d, v);
                sheet_end_item(&d->sheet);
            }
            for (unsigned e = 0; v->needs && v->def->base && e < v->def->n; e++)
                if (!same_use(&v->def->use[e], &node->def->use[e]))
                    add_use_changes(d, node->tag, e + 1, 0, &v->def->use[e], &v->def->base->use[e], v, node);
        }
    }
    if (d->sheet.out->n == before) {
        sheet_begin_item(&d->sheet);
        sheet_raw(&d->sheet, "Nothing.");
        sheet_end_item(&d->sheet);
    }
    sheet_end_list(&d->sheet);
}

static void add_legend(struct document *d)
{
    static const struct legend {
        const char *what, *means;
    } x12[] = {
        { "mandatory", "has to be there; within an optional loop, whenever the loop is there" },
        { "optional", "may be left out" },
        { "conditional", "depends on other elements, as the rules below the table say" },
        { "not used", "must not be sent" },
        { "AN", "text" },
        { "ID", "a code" },
        { "N0, N2 \xe2\x80\xa6", "a whole number; the digit tells how many places are implied: 1250 of N2 is 12.50" },
        { "R", "a number, with a decimal point where it has places" },
        { "DT", "a date, CCYYMMDD (8) or YYMMDD (6)" },
        { "TM", "a time, HHMM with seconds where there are any" },
        { "B", "binary data" },
    }, edifact[] = {
        { "mandatory", "has to be there; within a conditional group, whenever the group is there" },
        { "conditional", "may be left out where nothing else was agreed" },
        { "not used", "must not be sent" },
        { "an", "text or a code" },
        { "a", "letters" },
        { "n", "a number, with a decimal mark where it has places" },
        { "an..35, an3", "at most 35 characters, exactly 3" },
    };
    const struct legend *rows = d->g->words->notation ? edifact : x12;
    size_t n = d->g->words->notation ? sizeof(edifact) / sizeof(*edifact) : sizeof(x12) / sizeof(*x12);

    sheet_heading(&d->sheet, 2, "How to read it");
    sheet_begin_list(&d->sheet);
    for (size_t i = 0; i < n; i++) {
        sheet_begin_item(&d->sheet);
        sheet_strong(&d->sheet, rows[i].what);
        sheet_raw(&d->sheet, ": ");
        sheet_words(&d->sheet, rows[i].means);
        sheet_end_item(&d->sheet);
    }
    sheet_end_list(&d->sheet);
    sheet_begin_paragraph(&d->sheet);
    if (d->g->words->notation)
        sheet_words(
            &d->sheet,
            "A group holds segments that may be repeated together; its first segment opens it. "
            "Lengths are in characters; a sign and a decimal mark do not count. In examples + parts elements, : "
            "components, and ' ends a segment.");
    else
        sheet_words(
            &d->sheet,
            "A loop is a group of segments that may be repeated; its first segment opens it. "
            "Lengths are in characters; a sign and a decimal point do not count. In examples * parts elements, > "
            "components, and ~ ends a segment.");
    sheet_end_paragraph(&d->sheet);
}

/* --- The table of segments --------------------------------------------------------------- */

/* Is a node, or a loop around it, not used? */
static bool left_out(const struct guide *g, const struct guide_node *node)
{
    for (; node->depth; node = &g->node[node->parent])
        if (node->not_used)
            return true;
    return false;
}

/* The number of the section that tells of a node's segment: the first node that has it. 0: none does. */
static unsigned section_of(const struct guide *g, unsigned i)
{
    for (unsigned k = 1; k <= i; k++)
        if (!g->node[k].loop && g->node[k].def == g->node[i].def && !left_out(g, &g->node[k]))
            return k;
    return 0;
}

static void add_segment_row(struct document *d, unsigned i)
{
    const struct guide_node *node = &d->g->node[i], *before = base_node(d, node);
    unsigned indent = node->depth ? node->depth - 1u : 0;
    bool changed = node_changed(d, node), elements = node->def && def_changed(node->def), said = false;
    unsigned section = node->loop || left_out(d->g, node) ? 0 : section_of(d->g, i);

    sheet_begin_row(&d->sheet, changed || elements);
    sheet_begin_cell(&d->sheet, indent);
    add_loop(d, node->loop);
    if (section)
        buf_printf(d->sheet.out, d->sheet.html ? "<a href=\"#s%u\">" : "[", section);
    sheet_text(&d->sheet, node->tag);
    if (section && d->sheet.html)
        sheet_raw(&d->sheet, "</a>");
    else if (section)
        buf_printf(d->sheet.out, "](#s%u)", section);
    for (unsigned k = 0; k < node->n_select; k++) {
        sheet_raw(&d->sheet, k ? " or " : " ");
        sheet_code(&d->sheet, node->select_codes[k]);
    }
    sheet_end_cell(&d->sheet);
    sheet_begin_cell(&d->sheet, 0);
    if (node->def)
        sheet_text(&d->sheet, node->def->name);
    sheet_end_cell(&d->sheet);
    sheet_cell(&d->sheet, slice_of(left_out(d->g, node) ? "not used" : node_requirement(d, node)));
    sheet_begin_cell(&d->sheet, 0);
    add_max(d, node->max);
    sheet_end_cell(&d->sheet);
    sheet_begin_cell(&d->sheet, 0);
    if (changed) {
        part(d, &said);
        mark(d);
        sheet_raw(&d->sheet, "was ");
        sheet_raw(&d->sheet, node_requirement(d, before));
        if (before->max != node->max) {
            sheet_raw(&d->sheet, ", at most ");
            add_max(d, before->max);
        }
    } else if (elements) {
        part(d, &said);
        mark(d);
        sheet_raw(&d->sheet, "elements");
    }
    if (!node->loop)
        add_remarks(d, i, 0, 0, 0, &said);
    sheet_end_cell(&d->sheet);
    sheet_end_row(&d->sheet);
    for (unsigned k = 0; k < d->g->n_variants; k++) {
        const struct guide_variant *v = &d->g->variant[k];
        if (v->node != i || v->implied)
            continue;
        sheet_begin_row(&d->sheet, true);
        sheet_begin_cell(&d->sheet, indent + 1);
        sheet_text(&d->sheet, node->tag);
        for (uint64_t bits = v->own; bits; bits &= bits - 1) {
            sheet_raw(&d->sheet, " ");
            sheet_code(&d->sheet, guide_qualifier(d->g, (unsigned)__builtin_ctzll(bits))->code);
        }
        sheet_end_cell(&d->sheet);
        sheet_begin_cell(&d->sheet, 0);
        add_variant(d, v);
        sheet_end_cell(&d->sheet);
        sheet_cell(&d->sheet, v->requirement != REQ_OPTIONAL ? slice_of(requirement_words(d, v->requirement))
                              : v->own                       ? slice_of(d->g->words->optional)
                                                             : slice_of(node_requirement(d, node)));
        sheet_begin_cell(&d->sheet, 0);
        if (v->max != UINT32_MAX)
            add_max(d, v->max);
        sheet_end_cell(&d->sheet);
        said = false;
        sheet_begin_cell(&d->sheet, 0);
        if (has_rule(v) || (v->needs && def_changed(v->def))) {
            part(d, &said);
            mark(d);
            if (has_rule(v))
                add_variant_rule(d, v);
            else
                sheet_raw(&d->sheet, "elements");
        }
        add_remarks(d, i, v->needs, 0, 0, &said);
        sheet_end_cell(&d->sheet);
        sheet_end_row(&d->sheet);
    }
}

static void add_segments(struct document *d)
{
    static const char *const columns[] = { "Segment", "Name", "Requirement", "Max use", "Note", NULL };
    static const struct {
        char area;
        const char *name;
    } areas[] = { { 'h', "heading" }, { 'd', "detail" }, { 's', "summary" } };
    char area = 0;

    sheet_heading(&d->sheet, 2, "Segments");
    sheet_begin_table(&d->sheet, "segments",
                      d->g->words->notation ? "Segments and groups in their order; what stands in a group is indented"
                                            : "Segments and loops in their order; what stands in a loop is indented",
                      columns);
    for (unsigned i = 1; i < d->g->n; i++) {
        const struct guide_node *node = &d->g->node[i];
        for (unsigned k = 0; node->depth == 1 && node->area != area && k < 3; k++)
            if (areas[k].area == node->area)
                sheet_group_row(&d->sheet, areas[k].name, 5);
        if (node->depth == 1)
            area = node->area;
        add_segment_row(d, i);
    }
    sheet_end_table(&d->sheet);
}

/* --- Each segment ------------------------------------------------------------------------ */

/* `v` may be NULL: the segment whatever its qualifier. */
static void add_use_row(struct document *d, struct slice tag, unsigned element, unsigned component,
                        struct element_use *use, const struct element_use *before, unsigned node,
                        const struct guide_variant *v)
{
    bool changed = before && guide_use_changed(use, before), composite = use->element->type == TYPE_COMPOSITE,
         said = false;
    struct buf type;

    sheet_begin_row(&d->sheet, changed);
    sheet_begin_cell(&d->sheet, component ? 1 : 0);
    sheet_text(&d->sheet, tag);
    buf_printf(d->sheet.out, component ? "%02u-%u" : "%02u", element, component);
    sheet_end_cell(&d->sheet);
    sheet_cell(&d->sheet, use->element->name);
    sheet_cell(&d->sheet, use->element->id);
    sheet_cell(&d->sheet, slice_of(requirement_words(d, use->requirement)));
    buf_init(&type, 64);
    explain_type(use, &type);
    sheet_begin_cell(&d->sheet, 0);
    if (composite)
        sheet_raw(&d->sheet, "composite");
    else
        sheet_text(&d->sheet, slice_trim(slice(type.p, type.n && memchr(type.p, ' ', type.n)
                                                           ? (size_t)((char *)memchr(type.p, ' ', type.n) - type.p)
                                                           : type.n)));
    if (type.failed)
        d->sheet.out->failed = type.failed;
    buf_deinit(&type);
    sheet_end_cell(&d->sheet);
    sheet_begin_cell(&d->sheet, 0);
    add_length(d, use);
    sheet_end_cell(&d->sheet);
    sheet_begin_cell(&d->sheet, 0);
    if (changed) {
        part(d, &said);
        mark(d);
        add_before(d, use, before);
    }
    if (use->repeat > 1) {
        part(d, &said);
        sheet_raw(&d->sheet, "may repeat, ");
        if (use->repeat == UINT16_MAX)
            sheet_raw(&d->sheet, "any number");
        else
            buf_printf(d->sheet.out, "%u in all", use->repeat);
    }
    if (use->element->external.n) {
        part(d, &said);
        sheet_raw(&d->sheet, "codes of ");
        sheet_text(&d->sheet, use->element->external);
    }
    if (fixed_code(d, v, element).n) {
        part(d, &said);
        sheet_raw(&d->sheet, "here only ");
        sheet_code(&d->sheet, fixed_code(d, v, element));
    } else if (element == 1 && slice_is(tag, "ST") && !component) {
        part(d, &said);
        sheet_raw(&d->sheet, "always ");
        sheet_code(&d->sheet, d->g->set);
    } else if (use->requirement != REQ_NOT_USED && count_codes(d, use)) {
        part(d, &said);
        add_codes(d, use, before && guide_other_codes(use, before));
    }
    add_remarks(d, node, v ? v->needs : 0, element, component, &said);
    sheet_end_cell(&d->sheet);
    sheet_end_row(&d->sheet);
    for (unsigned i = 0; composite && !component && use->requirement != REQ_NOT_USED && i < use->element->n_parts; i++)
        add_use_row(d, tag, element, i + 1, &use->element->part[i],
                    before && before->element->n_parts > i ? &before->element->part[i] : NULL, node, v);
}

static void add_notes(struct document *d, const struct note *note, unsigned n, struct slice tag, bool components)
{
    struct buf said;

    buf_init(&said, SCRATCH_CEILING);
    for (unsigned i = 0; i < n; i++) {
        buf_clear(&said);
        explain_note(&note[i], tag, components, &said);
        if (said.failed && !d->sheet.out->failed)
            d->sheet.out->failed = said.failed;
        sheet_begin_item(&d->sheet);
        sheet_text(&d->sheet, buf_slice(&said));
        sheet_end_item(&d->sheet);
    }
    buf_deinit(&said);
}

static unsigned count_notes(const struct segment_def *def)
{
    unsigned n = def->n_notes;
    for (unsigned k = 0; k < def->n; k++)
        n += def->use[k].element->n_notes;
    return n;
}

static void add_elements(struct document *d, const struct segment_def *def, unsigned node,
                         const struct guide_variant *v)
{
    static const char *const columns[] = { "Place", "Name", "Element", "Requirement", "Type", "Length",
                                           "Codes and notes", NULL };
    char caption[64];

    snprintf(caption, sizeof(caption), "Elements of %.*s", SLICE_FMT(def->tag));
    sheet_begin_table(&d->sheet, "elements", caption, columns);
    for (unsigned k = 0; k < def->n; k++)
        add_use_row(d, def->tag, k + 1, 0, &def->use[k], def->base ? &def->base->use[k] : NULL, node, v);
    sheet_end_table(&d->sheet);
    if (count_notes(def)) {
        sheet_begin_list(&d->sheet);
        add_notes(d, def->note, def->n_notes, def->tag, false);
        for (unsigned k = 0; k < def->n; k++) {
            char name[32];
            int n = snprintf(name, sizeof(name), "%.*s%02u", SLICE_FMT(def->tag), k + 1);
            add_notes(d, def->use[k].element->note, def->use[k].element->n_notes,
                      slice(name, n > 0 && (size_t)n < sizeof(name) ? (size_t)n : 0), true);
        }
        sheet_end_list(&d->sheet);
    }
}

static void add_example(struct document *d, const struct segment_def *def, unsigned qualifier, struct slice value)
{
    struct buf line;

    buf_init(&line, SCRATCH_CEILING);
    guide_example(d->g, def, qualifier, value, &line);
    if (line.failed)
        d->sheet.out->failed = line.failed;
    sheet_raw(&d->sheet, d->sheet.html ? "<p>For example:</p>\n<pre>" : "For example:\n\n    ");
    if (d->sheet.html)
        sheet_text(&d->sheet, buf_slice(&line));
    else
        buf_add_safe(d->sheet.out, buf_slice(&line), SIZE_MAX);
    sheet_raw(&d->sheet, d->sheet.html ? "</pre>\n" : "\n\n");
    buf_deinit(&line);
}

/* Is something told of elements there? */
static bool has_remarks(const struct document *d, unsigned node, uint64_t needs)
{
    for (unsigned i = 0; i < d->g->n_remarks; i++)
        if (d->g->remark[i].node == node && d->g->remark[i].needs == needs && d->g->remark[i].element)
            return true;
    return false;
}

static void add_segment(struct document *d, unsigned i, const struct guide_variant *v)
{
    const struct guide_node *node = &d->g->node[i];
    const struct segment_def *def = v ? v->def : node->def;

    sheet_begin_heading(&d->sheet, v ? 4 : 3, v ? 0 : i);
    if (v) {
        add_variant(d, v);
    } else {
        sheet_text(&d->sheet, def->tag);
        sheet_raw(&d->sheet, " ");
        sheet_text(&d->sheet, def->name);
        if (def->base)
            add_where(d, node);
    }
    sheet_end_heading(&d->sheet, v ? 4 : 3);
    if (v && has_rule(v)) {
        sheet_begin_paragraph(&d->sheet);
        mark(d);
        add_variant_rule(d, v);
        sheet_raw(&d->sheet, ".");
        sheet_end_paragraph(&d->sheet);
    }
    if (v && v->requirement == REQ_NOT_USED)
        return;
    if (!v || (v->needs && (def_changed(def) || has_remarks(d, i, v->needs))))
        add_elements(d, def, i, v);
    add_example(d, def, v ? fixed_element(d, v) : node->n_select ? node->select : 0,
                v ? fixed_code(d, v, fixed_element(d, v)) : node->n_select ? node->select_codes[0] : slice(NULL, 0));
}

void guide_document_write(const struct guide *guide, const struct guide_document_options *options, struct buf *out)
{
    struct document d = { .g = guide, .base = options->base, .codes = options->codes };

    sheet_init(&d.sheet, out, options->html);
    sheet_begin_page(&d.sheet, guide->title, guide->id);
    sheet_text(&d.sheet, guide->set);
    sheet_raw(&d.sheet, " ");
    sheet_text(&d.sheet, guide->title);
    sheet_end_title(&d.sheet);
    add_facts(&d);
    add_changes(&d);
    add_legend(&d);
    add_segments(&d);
    sheet_heading(&d.sheet, 2, "Elements");
    for (unsigned i = 1; i < guide->n && !out->failed; i++) {
        if (guide->node[i].loop || left_out(guide, &guide->node[i]))
            continue;
        if (section_of(guide, i) == i)
            add_segment(&d, i, NULL);
        for (unsigned k = 0; k < guide->n_variants; k++)
            if (guide->variant[k].node == i && !guide->variant[k].implied && guide->variant[k].needs)
                add_segment(&d, i, &guide->variant[k]);
    }
    sheet_end_page(&d.sheet);
    sheet_deinit(&d.sheet);
}
