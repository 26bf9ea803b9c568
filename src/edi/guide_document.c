/* guide_document: see guide_document.h. One walk over the guide serves both formats; `sheet` knows how each looks. */
#include "edi/guide_document.h"

#include <stdio.h>

#include "edi/explain.h"

enum {
    CODES_SHOWN = 6,            /* of a long list */
    NEARLY_ALL = 10,            /* a list of that many is not cut */
    OWN_CODES_SHOWN = 40,       /* nor one of the partner's own of that many */
    FEW = 20,                   /* codes named in a sentence */
    DIGITS_SHOWN = 8,           /* of an example */
    LETTERS_SHOWN = 30,
    DEEPEST_INDENT = 6,
    SCRATCH_CEILING = 1 << 20
};

struct sheet {
    struct buf *out;
    struct buf scratch;
    const struct guide *g, *base;
    bool html, codes;
    bool first_cell;
    bool rows;          /* of the table at hand */
};

/* --- Writing either format ------------------------------------------------------------ */

static void raw(struct sheet *s, const char *text)
{
    buf_add_text(s->out, text);
}

/* Escapes what is in the scratch, which is clean UTF-8 already. */
static void escape(struct sheet *s, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (s->html && strchr("&<>\"'", c))
            raw(s, c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : "&#39;");
        else if (!s->html && strchr("\\`*_[]<>|&~#", c))
            buf_printf(s->out, "\\%c", c);
        else
            buf_add_char(s->out, c);
    }
}

static void text(struct sheet *s, struct slice words)
{
    buf_clear(&s->scratch);
    buf_add_safe(&s->scratch, words, SIZE_MAX);
    if (s->scratch.failed && !s->out->failed)
        s->out->failed = s->scratch.failed;
    escape(s, buf_slice(&s->scratch));
}

static void words(struct sheet *s, const char *plain)
{
    text(s, slice_of(plain));
}

static void number(struct sheet *s, uint64_t n)
{
    buf_printf(s->out, "%llu", (unsigned long long)n);
}

static void code(struct sheet *s, struct slice value)
{
    if (s->html) {
        raw(s, "<code>");
        text(s, value);
        raw(s, "</code>");
    } else if (value.n && !memchr(value.p, '`', value.n) && !memchr(value.p, '|', value.n)) {
        buf_add_char(s->out, '`');
        buf_add_safe(s->out, value, SIZE_MAX);
        buf_add_char(s->out, '`');
    } else {
        text(s, value);
    }
}

static void strong(struct sheet *s, const char *plain)
{
    raw(s, s->html ? "<strong>" : "**");
    words(s, plain);
    raw(s, s->html ? "</strong>" : "**");
}

/* `id` makes a heading that links lead to; 0: none. */
static void begin_heading(struct sheet *s, unsigned level, unsigned id)
{
    if (!s->html) {
        buf_printf(s->out, "\n%.*s ", (int)level, "######");
        if (id)
            buf_printf(s->out, "<a id=\"s%u\"></a>", id);
    } else if (id) {
        buf_printf(s->out, "<h%u id=\"s%u\">", level, id);
    } else {
        buf_printf(s->out, "<h%u>", level);
    }
}

static void end_heading(struct sheet *s, unsigned level)
{
    if (s->html)
        buf_printf(s->out, "</h%u>\n", level);
    else
        raw(s, "\n\n");
}

static void heading(struct sheet *s, unsigned level, const char *plain)
{
    begin_heading(s, level, 0);
    words(s, plain);
    end_heading(s, level);
}

static void begin_paragraph(struct sheet *s)
{
    raw(s, s->html ? "<p>" : "");
}

static void end_paragraph(struct sheet *s)
{
    raw(s, s->html ? "</p>\n" : "\n\n");
}

static void begin_list(struct sheet *s)
{
    raw(s, s->html ? "<ul>\n" : "");
}

static void end_list(struct sheet *s)
{
    raw(s, s->html ? "</ul>\n" : "\n");
}

static void begin_item(struct sheet *s)
{
    raw(s, s->html ? "<li>" : "- ");
}

static void end_item(struct sheet *s)
{
    raw(s, s->html ? "</li>\n" : "\n");
}

static void begin_table(struct sheet *s, const char *class, const char *caption, const char *const *columns)
{
    if (!s->html) {
        raw(s, "|");
        for (unsigned i = 0; columns[i]; i++)
            buf_printf(s->out, " %s |", columns[i]);
        raw(s, "\n|");
        for (unsigned i = 0; columns[i]; i++)
            raw(s, " --- |");
        raw(s, "\n");
        return;
    }
    buf_printf(s->out, "<table class=\"%s\">\n<caption>", class);
    text(s, slice_of(caption));
    raw(s, "</caption>\n<thead><tr>");
    for (unsigned i = 0; columns[i]; i++)
        buf_printf(s->out, "<th scope=\"col\">%s</th>", columns[i]);
    raw(s, "</tr></thead>\n<tbody>\n");
    s->rows = false;
}

static void end_table(struct sheet *s)
{
    raw(s, s->html ? "</tbody>\n</table>\n" : "\n");
}

static void begin_row(struct sheet *s, bool changed)
{
    raw(s, !s->html ? "|" : changed ? "<tr class=\"changed\">" : "<tr>");
    s->first_cell = s->rows = true;
}

static void end_row(struct sheet *s)
{
    raw(s, s->html ? "</tr>\n" : "\n");
}

/* The first cell of a row is its heading. */
static void begin_cell(struct sheet *s, unsigned indent)
{
    if (indent > DEEPEST_INDENT)
        indent = DEEPEST_INDENT;
    if (!s->html) {
        raw(s, " ");
        for (; indent; indent--)
            raw(s, "\xc2\xb7 ");
    } else if (!s->first_cell) {
        raw(s, "<td>");
    } else if (indent) {
        buf_printf(s->out, "<th scope=\"row\" class=\"in%u\">", indent);
    } else {
        raw(s, "<th scope=\"row\">");
    }
}

static void end_cell(struct sheet *s)
{
    raw(s, !s->html ? " |" : s->first_cell ? "</th>" : "</td>");
    s->first_cell = false;
}

static void cell(struct sheet *s, struct slice value)
{
    begin_cell(s, 0);
    text(s, value);
    end_cell(s);
}

/* A row that names those below it. */
static void group_row(struct sheet *s, const char *plain, unsigned columns)
{
    if (s->html) {
        /* right behind the head there is no row yet */
        if (s->rows)
            raw(s, "</tbody>\n<tbody>\n");
        buf_printf(s->out, "<tr class=\"area\"><th scope=\"rowgroup\" colspan=\"%u\">%s</th></tr>\n",
                   columns, plain);
        return;
    }
    buf_printf(s->out, "| **%s** |", plain);
    while (--columns)
        raw(s, "  |");
    raw(s, "\n");
}

/* --- What differs from the base ------------------------------------------------------- */

static const char *requirement_words(unsigned requirement)
{
    static const char *const names[] = { [REQ_OPTIONAL] = "optional", [REQ_MANDATORY] = "mandatory",
                                         [REQ_CONDITIONAL] = "conditional", [REQ_NOT_USED] = "not used" };
    return names[requirement];
}

static const char *node_requirement(const struct guide_node *node)
{
    return node->not_used ? "not used" : node->required ? "mandatory" : "optional";
}

static bool other_codes(const struct element_use *use, const struct element_use *before)
{
    return use->codes != before->codes && use->codes && (use->codes != use->element->codes);
}

static bool use_changed(const struct element_use *use, const struct element_use *before)
{
    bool changed = use->requirement != before->requirement || use->min != before->min || use->max != before->max ||
                   other_codes(use, before);

    if (use->element != before->element && use->element->n_parts == before->element->n_parts)
        for (unsigned i = 0; i < use->element->n_parts && !changed; i++)
            changed = use_changed(&use->element->part[i], &before->element->part[i]);
    return changed;
}

/* Is the same said of both? */
static bool same_use(const struct element_use *a, const struct element_use *b)
{
    bool same = a->requirement == b->requirement && a->min == b->min && a->max == b->max &&
                a->element->n_parts == b->element->n_parts &&
                (a->codes == b->codes || (a->codes && b->codes && a->codes->n == b->codes->n));

    for (uint32_t i = 0; same && a->codes != b->codes && i < a->codes->n; i++)
        same = slice_eq(a->codes->codes[i], b->codes->codes[i]);
    for (unsigned i = 0; same && a->element != b->element && i < a->element->n_parts; i++)
        same = same_use(&a->element->part[i], &b->element->part[i]);
    return same;
}

static bool def_changed(const struct segment_def *def)
{
    for (unsigned k = 0; def->base && k < def->n; k++)
        if (use_changed(&def->use[k], &def->base->use[k]))
            return true;
    return false;
}

/* The node as it was; NULL: there is no base, or it is another guide than we know. */
static const struct guide_node *base_node(const struct sheet *s, const struct guide_node *node)
{
    const struct guide_node *before = s->base && node->ordinal < s->base->n ? &s->base->node[node->ordinal] : NULL;
    return before && slice_eq(before->tag, node->tag) ? before : NULL;
}

static bool node_changed(const struct sheet *s, const struct guide_node *node)
{
    const struct guide_node *before = base_node(s, node);
    return before && (before->not_used != node->not_used || before->required != node->required ||
                      before->max != node->max);
}

static void add_max(struct sheet *s, uint32_t max)
{
    if (max == UINT32_MAX)
        raw(s, "any number");
    else
        number(s, max);
}

static void add_length(struct sheet *s, const struct element_use *use)
{
    if (use->element->type == TYPE_COMPOSITE)
        return;
    if (use->min == use->max)
        number(s, use->min);
    else
        buf_printf(s->out, "%u to %u", use->min, use->max);
}

static uint32_t count_codes(const struct sheet *s, const struct element_use *use)
{
    struct element_use copy = *use;
    const struct codes *codes = use->codes ? use->codes : use->needs_codes ? guide_codes(s->g, &copy) : NULL;
    return codes ? codes->n : 0;
}

static void mark(struct sheet *s)
{
    if (s->html)
        raw(s, "<strong class=\"mark\">changed</strong> ");
    else
        raw(s, "**changed** ");
}

/* "was optional, was 2 to 80 long, was any of 1,312 codes" */
static void add_before(struct sheet *s, const struct element_use *use, const struct element_use *before)
{
    bool any = false;

    if (use->requirement != before->requirement) {
        buf_printf(s->out, "was %s", requirement_words(before->requirement));
        any = true;
    }
    if ((use->min != before->min || use->max != before->max) && use->element->type != TYPE_COMPOSITE) {
        raw(s, any ? ", was " : "was ");
        add_length(s, before);
        raw(s, " long");
        any = true;
    }
    if (other_codes(use, before)) {
        uint32_t n = count_codes(s, before);
        raw(s, any ? ", was " : "was ");
        if (n)
            buf_printf(s->out, "any of %u code%s", n, n == 1 ? "" : "s");
        else
            raw(s, "any code");
    }
}

/* --- Codes ---------------------------------------------------------------------------- */

/* As many as are shown, then how many more; `own`: the list is the partner's, so that more are shown. */
static void add_codes(struct sheet *s, struct element_use *use, bool own)
{
    const struct codes *codes = use->needs_codes || use->codes ? guide_codes(s->g, use) : NULL;
    uint32_t n, shown;

    if (!codes || !codes->n)
        return;
    n = codes->n;
    shown = s->codes || n <= NEARLY_ALL || (own && n <= OWN_CODES_SHOWN) ? n : CODES_SHOWN;
    for (uint32_t i = 0; i < shown; i++) {
        struct slice name = codes_name(codes, codes->codes[i]);
        if (i)
            raw(s, s->html ? "<br>" : "; ");
        code(s, codes->codes[i]);
        if (name.n) {
            raw(s, " ");
            text(s, name);
        }
    }
    if (shown < n)
        buf_printf(s->out, "%s\xe2\x80\xa6 and %u more, %u in all", s->html ? "<br>" : "; ", n - shown, n);
}

/* --- An example ------------------------------------------------------------------------ */

/* The elements that an example has. */
static uint64_t example_elements(const struct segment_def *def, unsigned qualifier)
{
    uint64_t has = def->mandatory, before;

    if (qualifier && qualifier <= 64)
        has |= UINT64_C(1) << (qualifier - 1);
    /* what a partner's guide speaks of is what he looks for */
    for (unsigned k = 0; def->base && k < def->n && k < 64; k++)
        if (use_changed(&def->use[k], &def->base->use[k]))
            has |= UINT64_C(1) << k;
    has &= ~def->not_used;
    /* a segment says something */
    for (unsigned k = 0; k < def->n && k < 64 && __builtin_popcountll(has) < (has & def->mandatory ? 1 : 2); k++)
        if (def->use[k].requirement != REQ_NOT_USED && def->use[k].element->type != TYPE_COMPOSITE)
            has |= UINT64_C(1) << k;
    do {
        before = has;
        for (unsigned i = 0; i < def->n_notes; i++) {
            const struct note *note = &def->note[i];
            uint64_t can = note->mask & ~def->not_used, first = UINT64_C(1) << (note->first - 1);
            if (note->kind == 'P' && has & note->mask)
                has |= can;
            else if (note->kind == 'R' && !(has & note->mask))
                has |= can & (~can + 1);
            else if (note->kind == 'C' && has & first)
                has |= note->others & ~def->not_used;
            else if (note->kind == 'L' && has & first && !(has & note->others))
                has |= (note->others & ~def->not_used) & (~(note->others & ~def->not_used) + 1);
        }
    } while (has != before);
    return has;
}

/* A text as the element's name suggests: digits for numbers and codes, otherwise its own words. */
static void add_sample_text(const struct element_use *use, struct buf *out)
{
    static const char *const numbers[] = { "Number", "Identif", "Code", "ID", "Reference", "Qualifier" };
    size_t most = use->max < LETTERS_SHOWN ? use->max : LETTERS_SHOWN, mark = out->n;
    struct slice name = use->element->name;
    bool digits = false;

    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        digits |= name.n && memmem(name.p, name.n, numbers[i], strlen(numbers[i]));
    if (digits)
        most = use->max < DIGITS_SHOWN ? use->max : use->min > DIGITS_SHOWN ? use->min : DIGITS_SHOWN;
    for (size_t i = 0; i < most && (digits || i < name.n); i++) {
        char c = digits ? (char)('0' + (i + 1) % 10) : name.p[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        buf_add_char(out, (c >= 'A' && c <= 'Z') || is_digit(c) ? c : ' ');
    }
    while (out->n > mark && out->p[out->n - 1] == ' ')
        out->n--;
    while (out->n - mark < use->min && !out->failed)
        buf_add_char(out, 'X');
}

static void add_sample(const struct guide *g, struct element_use *use, struct buf *out)
{
    const struct codes *codes = use->needs_codes || use->codes ? guide_codes(g, use) : NULL;
    size_t mark = out->n;
    uint64_t has = 0;

    if (codes && codes->n) {
        /* the first that fits */
        for (uint32_t i = 0; i < codes->n; i++)
            if (codes->codes[i].n >= use->min && codes->codes[i].n <= use->max) {
                buf_add_slice(out, codes->codes[i]);
                return;
            }
    }
    switch (use->element->type) {
    case TYPE_DT: buf_add_text(out, use->max >= 8 ? "20260115" : "260115"); break;
    case TYPE_TM: buf_add_text(out, "1230"); break;
    case TYPE_R:
    case TYPE_N:
        while (out->n - mark + 2 < use->min && !out->failed)
            buf_add_char(out, '0');
        buf_add_text(out, use->max > 1 ? "10" : "1");
        break;
    case TYPE_COMPOSITE:
        for (unsigned i = 0; i < use->element->n_parts && i < 64; i++)
            if (use->element->part[i].requirement == REQ_MANDATORY)
                has |= UINT64_C(1) << i;
        if (!has)
            has = 1;
        for (unsigned i = 0; i < use->element->n_parts && i < 64 && has >> i; i++) {
            if (i)
                buf_add_char(out, '>');
            if (has >> i & 1)
                add_sample(g, &use->element->part[i], out);
        }
        break;
    case TYPE_AN:
    case TYPE_ID:
    case TYPE_B: add_sample_text(use, out); break;
    }
}

/* Where the document tells which one it is. */
static bool is_set_number(struct slice tag, unsigned element)
{
    return element == 1 && slice_is(tag, "ST");
}

void guide_document_example(const struct guide *guide, const struct segment_def *def, unsigned qualifier,
                            struct slice value, struct buf *out)
{
    uint64_t has = example_elements(def, qualifier);

    buf_add_slice(out, def->tag);
    for (unsigned k = 1; k <= def->n && k <= 64 && has >> (k - 1); k++) {
        buf_add_char(out, '*');
        if (!(has >> (k - 1) & 1))
            continue;
        if (k == qualifier && value.n)
            buf_add_slice(out, value);
        else if (is_set_number(def->tag, k))
            buf_add_slice(out, guide->set);
        else
            add_sample(guide, &def->use[k - 1], out);
    }
    buf_add_char(out, '~');
}

/* --- The head -------------------------------------------------------------------------- */

static const char style[] =
    ":root{color-scheme:light}\n"
    "body{font:16px/1.45 system-ui,sans-serif;color:#1a1a1a;background:#fff;max-width:62rem;margin:2rem auto;"
    "padding:0 1rem}\n"
    "h1,h2,h3{line-height:1.2}h2{margin-top:2.5rem;border-bottom:2px solid #444;padding-bottom:.2rem}"
    "h3{margin-top:2rem}\n"
    "table{border-collapse:collapse;width:100%;margin:.8rem 0}"
    "caption{text-align:left;font-style:italic;padding:.2rem 0}\n"
    "th,td{border:1px solid #b5b5b5;padding:.25rem .5rem;text-align:left;vertical-align:top}"
    ".facts{width:auto}.segments td:nth-child(3),.segments td:nth-child(4){white-space:nowrap}"
    "thead th{background:#e9ecef}th[scope=row]{font-weight:600;white-space:nowrap}\n"
    ".area th{background:#f4f4f4;text-transform:capitalize}"
    ".in1{padding-left:1.6rem}.in2{padding-left:2.8rem}.in3{padding-left:4rem}.in4{padding-left:5.2rem}"
    ".in5{padding-left:6.4rem}.in6{padding-left:7.6rem}\n"
    ".changed th,.changed td{background:#fff6d6}.mark{color:#7a3b00}code,pre{font-family:ui-monospace,monospace;"
    "font-size:.95em}pre{background:#f4f4f4;padding:.5rem .7rem;white-space:pre-wrap;overflow-wrap:anywhere}"
    "a{color:#0b4f9e}\n"
    "@media print{body{font-size:10pt;max-width:none;margin:0}a{color:inherit;text-decoration:none}"
    "thead{display:table-header-group}tr,pre{break-inside:avoid}h2,h3,caption{break-after:avoid}"
    "th,td,pre{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\n"
    "@page{margin:18mm 15mm}\n";

static void begin_page(struct sheet *s)
{
    if (s->html) {
        raw(s, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
        text(s, s->g->title);
        raw(s, " (");
        text(s, s->g->id);
        raw(s, ")</title>\n<style>\n");
        raw(s, style);
        raw(s, "</style>\n</head>\n<body>\n<main>\n<h1>");
    } else {
        raw(s, "# ");
    }
    text(s, s->g->set);
    raw(s, " ");
    text(s, s->g->title);
    raw(s, s->html ? "</h1>\n" : "\n\n");
}

static void fact(struct sheet *s, const char *name, struct slice value)
{
    if (!value.n)
        return;
    begin_row(s, false);
    cell(s, slice_of(name));
    cell(s, value);
    end_row(s);
}

static void add_facts(struct sheet *s)
{
    static const char *const columns[] = { "This guide", "", NULL };
    struct slice standard = slice_is(s->g->standard, "x12") ? SLICE("ANSI ASC X12") : s->g->standard;

    if (s->html)
        raw(s, "<table class=\"facts\">\n<caption>This guide</caption>\n<tbody>\n");
    else
        begin_table(s, "facts", "", columns);
    fact(s, "Guide", s->g->id);
    fact(s, "Standard", standard);
    fact(s, "Version", s->g->version);
    fact(s, "Transaction set", s->g->set);
    fact(s, "Functional group", s->g->group);
    fact(s, "Made from", s->g->base);
    end_table(s);
    for (unsigned i = 0; i < s->g->n_remarks; i++)
        if (s->g->remark[i].node == 0) {
            begin_paragraph(s);
            text(s, s->g->remark[i].text);
            end_paragraph(s);
        }
}

/* --- What is different ------------------------------------------------------------------ */

/* "REF01 IA Internal Vendor Number" */
static void add_qualifier(struct sheet *s, const struct guide_qualifier *q, const char *is)
{
    const struct guide_node *node = &s->g->node[q->node];
    struct element_use *use = &node->def->use[q->element - 1];
    const struct codes *codes = use->needs_codes || use->codes ? guide_codes(s->g, use) : NULL;
    struct slice name = codes ? codes_name(codes, q->code) : slice(NULL, 0);

    text(s, node->tag);
    buf_printf(s->out, "%02u%s ", q->element, is);
    code(s, q->code);
    if (name.n) {
        raw(s, " ");
        text(s, name);
    }
}

/* "REF with REF01 IA Internal Vendor Number where HL03 is O Order" */
static void add_variant(struct sheet *s, const struct guide_variant *v)
{
    const char *before = " with ";

    text(s, s->g->node[v->node].tag);
    for (uint64_t bits = v->own; bits; bits &= bits - 1, before = " and ") {
        raw(s, before);
        add_qualifier(s, guide_qualifier(s->g, (unsigned)__builtin_ctzll(bits)), "");
    }
    before = " where ";
    for (uint64_t bits = v->needs & ~v->own; bits; bits &= bits - 1, before = " and ") {
        raw(s, before);
        add_qualifier(s, guide_qualifier(s->g, (unsigned)__builtin_ctzll(bits)), " is");
    }
}

/* The code that a variant fixes in an element; empty: it does not. */
static struct slice fixed_code(const struct sheet *s, const struct guide_variant *v, unsigned element)
{
    for (uint64_t bits = v ? v->own : 0; bits; bits &= bits - 1) {
        const struct guide_qualifier *q = guide_qualifier(s->g, (unsigned)__builtin_ctzll(bits));
        if (q->element == element)
            return q->code;
    }
    return slice(NULL, 0);
}

/* The first element that a variant fixes; 0: none. */
static unsigned fixed_element(const struct sheet *s, const struct guide_variant *v)
{
    return v->own ? guide_qualifier(s->g, (unsigned)__builtin_ctzll(v->own))->element : 0;
}

/* Between two things said in one cell. */
static void part(struct sheet *s, bool *said)
{
    if (*said)
        raw(s, s->html ? "<br>" : "; ");
    *said = true;
}

/* What the guide tells people of a place. */
static void add_remarks(struct sheet *s, unsigned node, uint64_t needs, unsigned element, unsigned component, bool *said)
{
    for (unsigned i = 0; i < s->g->n_remarks; i++) {
        const struct guide_remark *r = &s->g->remark[i];
        if (r->node != node || r->needs != needs || r->element != element || r->component != component)
            continue;
        part(s, said);
        text(s, r->text);
    }
}

/* In which loop, when that is not clear. */
static void add_where(struct sheet *s, const struct guide_node *node)
{
    const struct guide_node *loop = &s->g->node[node->parent];

    if (node->trigger && loop->depth)
        loop = &s->g->node[loop->parent];
    if (!loop->depth)
        return;
    raw(s, " (in loop ");
    text(s, loop->tag);
    raw(s, ")");
}

/* Which codes are allowed, or which are new among many. */
static void add_code_changes(struct sheet *s, const struct element_use *use, const struct element_use *before)
{
    struct element_use copy = *before;
    const struct codes *old = before->codes ? before->codes : before->needs_codes ? guide_codes(s->g, &copy) : NULL;
    bool also = old && use->codes->n > old->n;
    uint32_t named = 0, n = also ? use->codes->n - old->n : use->codes->n;

    if (n > FEW) {
        buf_printf(s->out, "%u codes; ", use->codes->n);
        return;
    }
    raw(s, also ? "also " : "only ");
    for (uint32_t i = 0; i < use->codes->n; i++) {
        if (also && codes_has(old, slice_key(use->codes->codes[i])))
            continue;
        if (named++)
            raw(s, named < n ? ", " : also ? " and " : " or ");
        code(s, use->codes->codes[i]);
    }
    raw(s, "; ");
}

static void add_use_changes(struct sheet *s, struct slice tag, unsigned element, unsigned component,
                            struct element_use *use, const struct element_use *before, const struct guide_variant *v,
                            const struct guide_node *node)
{
    if (use->element->type == TYPE_COMPOSITE && !component && use->element != before->element)
        for (unsigned i = 0; i < use->element->n_parts && i < before->element->n_parts; i++)
            add_use_changes(s, tag, element, i + 1, &use->element->part[i], &before->element->part[i], v, node);
    if (use->requirement == before->requirement && use->min == before->min && use->max == before->max &&
        !other_codes(use, before))
        return;
    begin_item(s);
    if (v) {
        add_variant(s, v);
        raw(s, ": ");
    }
    text(s, tag);
    buf_printf(s->out, component ? "%02u-%u " : "%02u ", element, component);
    text(s, use->element->name);
    if (!v)
        add_where(s, node);
    raw(s, ": ");
    if (use->requirement != before->requirement)
        buf_printf(s->out, "%s; ", requirement_words(use->requirement));
    if ((use->min != before->min || use->max != before->max) && use->element->type != TYPE_COMPOSITE) {
        add_length(s, use);
        raw(s, use->min == 1 && use->max == 1 ? " character long; " : " characters long; ");
    }
    if (other_codes(use, before))
        add_code_changes(s, use, before);
    add_before(s, use, before);
    end_item(s);
}

static void add_node_changes(struct sheet *s, const struct guide_node *node)
{
    const struct guide_node *before = base_node(s, node);
    bool loop = node->loop;

    /* a loop says the same as the segment that opens it */
    if (!before || !node_changed(s, node) || (node->trigger && node->depth > 1 && node->max == before->max))
        return;
    begin_item(s);
    raw(s, loop ? "Loop " : "");
    text(s, node->tag);
    if (!loop) {
        raw(s, " ");
        text(s, node->def->name);
    }
    add_where(s, node);
    raw(s, ": ");
    if (before->not_used != node->not_used || before->required != node->required) {
        raw(s, node_requirement(node));
        if (before->max != node->max)
            raw(s, ", ");
    }
    if (before->max != node->max) {
        raw(s, "at most ");
        add_max(s, node->max);
    }
    raw(s, "; was ");
    if (before->not_used != node->not_used || before->required != node->required) {
        raw(s, node_requirement(before));
        if (before->max != node->max)
            raw(s, ", ");
    }
    if (before->max != node->max) {
        raw(s, "at most ");
        add_max(s, before->max);
    }
    end_item(s);
}

static bool has_rule(const struct guide_variant *v)
{
    return v->requirement == REQ_NOT_USED || v->counts;
}

static void add_variant_rule(struct sheet *s, const struct guide_variant *v)
{
    const struct guide_node *loop = guide_around(s->g, &s->g->node[v->node]);

    if (v->requirement == REQ_NOT_USED) {
        raw(s, "not used");
        return;
    }
    if (v->requirement == REQ_MANDATORY)
        raw(s, "must be there");
    if (v->max != UINT32_MAX) {
        raw(s, v->requirement == REQ_MANDATORY ? ", at most " : "at most ");
        add_max(s, v->max);
    }
    if (!loop->depth) {
        raw(s, " in every document");
        return;
    }
    raw(s, v->needs & ~v->own ? " in every such loop " : " in every loop ");
    text(s, loop->tag);
}

static void add_changes(struct sheet *s)
{
    size_t before;

    if (!s->base)
        return;
    begin_heading(s, 2, 0);
    raw(s, "What is different from ");
    text(s, s->base->id);
    end_heading(s, 2);
    begin_list(s);
    before = s->out->n;
    for (unsigned i = 1; i < s->g->n; i++) {
        const struct guide_node *node = &s->g->node[i];
        add_node_changes(s, node);
        for (unsigned k = 0; node->def && node->def->base && k < node->def->n; k++)
            add_use_changes(s, node->tag, k + 1, 0, &node->def->use[k], &node->def->base->use[k], NULL, node);
        for (unsigned k = 0; k < s->g->n_variants; k++) {
            const struct guide_variant *v = &s->g->variant[k];
            if (v->node != i || v->implied)
                continue;
            if (has_rule(v)) {
                begin_item(s);
                add_variant(s, v);
                raw(s, ": ");
                add_variant_rule(s, v);
                end_item(s);
            }
            for (unsigned e = 0; v->needs && v->def->base && e < v->def->n; e++)
                if (!same_use(&v->def->use[e], &node->def->use[e]))
                    add_use_changes(s, node->tag, e + 1, 0, &v->def->use[e], &v->def->base->use[e], v, node);
        }
    }
    if (s->out->n == before) {
        begin_item(s);
        raw(s, "Nothing.");
        end_item(s);
    }
    end_list(s);
}

static void add_legend(struct sheet *s)
{
    static const struct {
        const char *what, *means;
    } rows[] = {
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
    };

    heading(s, 2, "How to read it");
    begin_list(s);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_item(s);
        strong(s, rows[i].what);
        raw(s, ": ");
        words(s, rows[i].means);
        end_item(s);
    }
    end_list(s);
    begin_paragraph(s);
    words(s, "A loop is a group of segments that may be repeated; its first segment opens it. "
             "Lengths are in characters; a sign and a decimal point do not count. In examples * parts elements, > "
             "components, and ~ ends a segment.");
    end_paragraph(s);
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

static void add_segment_row(struct sheet *s, unsigned i)
{
    const struct guide_node *node = &s->g->node[i], *before = base_node(s, node);
    unsigned indent = node->depth ? node->depth - 1u : 0;
    bool changed = node_changed(s, node), elements = node->def && def_changed(node->def), said = false;
    unsigned section = node->loop || left_out(s->g, node) ? 0 : section_of(s->g, i);

    begin_row(s, changed || elements);
    begin_cell(s, indent);
    if (node->loop)
        raw(s, "Loop ");
    if (section)
        buf_printf(s->out, s->html ? "<a href=\"#s%u\">" : "[", section);
    text(s, node->tag);
    if (section && s->html)
        raw(s, "</a>");
    else if (section)
        buf_printf(s->out, "](#s%u)", section);
    for (unsigned k = 0; k < node->n_select; k++) {
        raw(s, k ? " or " : " ");
        code(s, node->select_codes[k]);
    }
    end_cell(s);
    begin_cell(s, 0);
    if (node->def)
        text(s, node->def->name);
    end_cell(s);
    cell(s, slice_of(left_out(s->g, node) ? "not used" : node_requirement(node)));
    begin_cell(s, 0);
    add_max(s, node->max);
    end_cell(s);
    begin_cell(s, 0);
    if (changed) {
        part(s, &said);
        mark(s);
        raw(s, "was ");
        raw(s, node_requirement(before));
        if (before->max != node->max) {
            raw(s, ", at most ");
            add_max(s, before->max);
        }
    } else if (elements) {
        part(s, &said);
        mark(s);
        raw(s, "elements");
    }
    if (!node->loop)
        add_remarks(s, i, 0, 0, 0, &said);
    end_cell(s);
    end_row(s);
    for (unsigned k = 0; k < s->g->n_variants; k++) {
        const struct guide_variant *v = &s->g->variant[k];
        if (v->node != i || v->implied)
            continue;
        begin_row(s, true);
        begin_cell(s, indent + 1);
        text(s, node->tag);
        for (uint64_t bits = v->own; bits; bits &= bits - 1) {
            raw(s, " ");
            code(s, guide_qualifier(s->g, (unsigned)__builtin_ctzll(bits))->code);
        }
        end_cell(s);
        begin_cell(s, 0);
        add_variant(s, v);
        end_cell(s);
        cell(s, v->requirement != REQ_OPTIONAL ? slice_of(requirement_words(v->requirement))
                : v->own                       ? SLICE("optional")
                                               : slice_of(node_requirement(node)));
        begin_cell(s, 0);
        if (v->max != UINT32_MAX)
            add_max(s, v->max);
        end_cell(s);
        said = false;
        begin_cell(s, 0);
        if (has_rule(v) || (v->needs && def_changed(v->def))) {
            part(s, &said);
            mark(s);
            if (has_rule(v))
                add_variant_rule(s, v);
            else
                raw(s, "elements");
        }
        add_remarks(s, i, v->needs, 0, 0, &said);
        end_cell(s);
        end_row(s);
    }
}

static void add_segments(struct sheet *s)
{
    static const char *const columns[] = { "Segment", "Name", "Requirement", "Max use", "Note", NULL };
    static const struct {
        char area;
        const char *name;
    } areas[] = { { 'h', "heading" }, { 'd', "detail" }, { 's', "summary" } };
    char area = 0;

    heading(s, 2, "Segments");
    begin_table(s, "segments", "Segments and loops in their order; what stands in a loop is indented", columns);
    for (unsigned i = 1; i < s->g->n; i++) {
        const struct guide_node *node = &s->g->node[i];
        for (unsigned k = 0; node->depth == 1 && node->area != area && k < 3; k++)
            if (areas[k].area == node->area)
                group_row(s, areas[k].name, 5);
        if (node->depth == 1)
            area = node->area;
        add_segment_row(s, i);
    }
    end_table(s);
}

/* --- Each segment ------------------------------------------------------------------------ */

/* `v` may be NULL: the segment whatever its qualifier. */
static void add_use_row(struct sheet *s, struct slice tag, unsigned element, unsigned component,
                        struct element_use *use, const struct element_use *before, unsigned node,
                        const struct guide_variant *v)
{
    bool changed = before && use_changed(use, before), composite = use->element->type == TYPE_COMPOSITE, said = false;
    struct buf type;

    begin_row(s, changed);
    begin_cell(s, component ? 1 : 0);
    text(s, tag);
    buf_printf(s->out, component ? "%02u-%u" : "%02u", element, component);
    end_cell(s);
    cell(s, use->element->name);
    cell(s, use->element->id);
    cell(s, slice_of(requirement_words(use->requirement)));
    buf_init(&type, 64);
    explain_type(use, &type);
    begin_cell(s, 0);
    if (composite)
        raw(s, "composite");
    else
        text(s, slice_trim(slice(type.p, type.n && memchr(type.p, ' ', type.n)
                                             ? (size_t)((char *)memchr(type.p, ' ', type.n) - type.p) : type.n)));
    if (type.failed)
        s->out->failed = type.failed;
    buf_deinit(&type);
    end_cell(s);
    begin_cell(s, 0);
    add_length(s, use);
    end_cell(s);
    begin_cell(s, 0);
    if (changed) {
        part(s, &said);
        mark(s);
        add_before(s, use, before);
    }
    if (use->repeat > 1) {
        part(s, &said);
        raw(s, "may repeat, ");
        if (use->repeat == UINT16_MAX)
            raw(s, "any number");
        else
            buf_printf(s->out, "%u in all", use->repeat);
    }
    if (use->element->external.n) {
        part(s, &said);
        raw(s, "codes of ");
        text(s, use->element->external);
    }
    if (fixed_code(s, v, element).n) {
        part(s, &said);
        raw(s, "here only ");
        code(s, fixed_code(s, v, element));
    } else if (is_set_number(tag, element) && !component) {
        part(s, &said);
        raw(s, "always ");
        code(s, s->g->set);
    } else if (use->requirement != REQ_NOT_USED && count_codes(s, use)) {
        part(s, &said);
        add_codes(s, use, before && other_codes(use, before));
    }
    add_remarks(s, node, v ? v->needs : 0, element, component, &said);
    end_cell(s);
    end_row(s);
    for (unsigned i = 0; composite && !component && use->requirement != REQ_NOT_USED && i < use->element->n_parts; i++)
        add_use_row(s, tag, element, i + 1, &use->element->part[i],
                    before && before->element->n_parts > i ? &before->element->part[i] : NULL, node, v);
}

static void add_notes(struct sheet *s, const struct note *note, unsigned n, struct slice tag, bool components)
{
    struct buf said;

    buf_init(&said, SCRATCH_CEILING);
    for (unsigned i = 0; i < n; i++) {
        buf_clear(&said);
        explain_note(&note[i], tag, components, &said);
        if (said.failed && !s->out->failed)
            s->out->failed = said.failed;
        begin_item(s);
        text(s, buf_slice(&said));
        end_item(s);
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

static void add_elements(struct sheet *s, const struct segment_def *def, unsigned node, const struct guide_variant *v)
{
    static const char *const columns[] = { "Place", "Name", "Element", "Requirement", "Type", "Length",
                                           "Codes and notes", NULL };
    char caption[64];

    snprintf(caption, sizeof(caption), "Elements of %.*s", SLICE_FMT(def->tag));
    begin_table(s, "elements", caption, columns);
    for (unsigned k = 0; k < def->n; k++)
        add_use_row(s, def->tag, k + 1, 0, &def->use[k], def->base ? &def->base->use[k] : NULL, node, v);
    end_table(s);
    if (count_notes(def)) {
        begin_list(s);
        add_notes(s, def->note, def->n_notes, def->tag, false);
        for (unsigned k = 0; k < def->n; k++) {
            char name[32];
            int n = snprintf(name, sizeof(name), "%.*s%02u", SLICE_FMT(def->tag), k + 1);
            add_notes(s, def->use[k].element->note, def->use[k].element->n_notes,
                      slice(name, n > 0 && (size_t)n < sizeof(name) ? (size_t)n : 0), true);
        }
        end_list(s);
    }
}

static void add_example(struct sheet *s, const struct segment_def *def, unsigned qualifier, struct slice value)
{
    struct buf line;

    buf_init(&line, SCRATCH_CEILING);
    guide_document_example(s->g, def, qualifier, value, &line);
    if (line.failed)
        s->out->failed = line.failed;
    raw(s, s->html ? "<p>For example:</p>\n<pre>" : "For example:\n\n    ");
    if (s->html)
        text(s, buf_slice(&line));
    else
        buf_add_safe(s->out, buf_slice(&line), SIZE_MAX);
    raw(s, s->html ? "</pre>\n" : "\n\n");
    buf_deinit(&line);
}

/* Is something told of elements there? */
static bool has_remarks(const struct sheet *s, unsigned node, uint64_t needs)
{
    for (unsigned i = 0; i < s->g->n_remarks; i++)
        if (s->g->remark[i].node == node && s->g->remark[i].needs == needs && s->g->remark[i].element)
            return true;
    return false;
}

static void add_segment(struct sheet *s, unsigned i, const struct guide_variant *v)
{
    const struct guide_node *node = &s->g->node[i];
    const struct segment_def *def = v ? v->def : node->def;

    begin_heading(s, v ? 4 : 3, v ? 0 : i);
    if (v) {
        add_variant(s, v);
    } else {
        text(s, def->tag);
        raw(s, " ");
        text(s, def->name);
        if (def->base)
            add_where(s, node);
    }
    end_heading(s, v ? 4 : 3);
    if (v && has_rule(v)) {
        begin_paragraph(s);
        mark(s);
        add_variant_rule(s, v);
        raw(s, ".");
        end_paragraph(s);
    }
    if (v && v->requirement == REQ_NOT_USED)
        return;
    if (!v || (v->needs && (def_changed(def) || has_remarks(s, i, v->needs))))
        add_elements(s, def, i, v);
    add_example(s, def, v ? fixed_element(s, v) : node->n_select ? node->select : 0,
                v ? fixed_code(s, v, fixed_element(s, v)) : node->n_select ? node->select_codes[0] : slice(NULL, 0));
}

void guide_document_write(const struct guide *guide, const struct guide_document_options *options, struct buf *out)
{
    struct sheet s = { .out = out, .g = guide, .base = options->base, .html = options->html, .codes = options->codes };

    buf_init(&s.scratch, SCRATCH_CEILING);
    begin_page(&s);
    add_facts(&s);
    add_changes(&s);
    add_legend(&s);
    add_segments(&s);
    heading(&s, 2, "Elements");
    for (unsigned i = 1; i < guide->n && !out->failed; i++) {
        if (guide->node[i].loop || left_out(guide, &guide->node[i]))
            continue;
        if (section_of(guide, i) == i)
            add_segment(&s, i, NULL);
        for (unsigned k = 0; k < guide->n_variants; k++)
            if (guide->variant[k].node == i && !guide->variant[k].implied && guide->variant[k].needs)
                add_segment(&s, i, &guide->variant[k]);
    }
    if (s.html)
        raw(&s, "</main>\n</body>\n</html>\n");
    buf_deinit(&s.scratch);
}
