/* guide_example: see guide_example.h. */
#include "edi/guide_example.h"

enum { DIGITS_SHOWN = 8, LETTERS_SHOWN = 30 };

/* The elements that an example has. */
static uint64_t example_elements(const struct segment_def *def, unsigned qualifier)
{
    uint64_t has = def->mandatory, before;

    if (qualifier && qualifier <= 64)
        has |= UINT64_C(1) << (qualifier - 1);
    /* what a partner's guide speaks of is what he looks for */
    for (unsigned k = 0; def->base && k < def->n && k < 64; k++)
        if (guide_use_changed(&def->use[k], &def->base->use[k]))
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
            if (codes->line[i].code.n >= use->min && codes->line[i].code.n <= use->max) {
                buf_add_slice(out, codes->line[i].code);
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
                buf_add_char(out, g->words->example[1]);
            if (has >> i & 1)
                add_sample(g, &use->element->part[i], out);
        }
        break;
    case TYPE_AN:
    case TYPE_ID:
    case TYPE_A:
    case TYPE_B: add_sample_text(use, out); break;
    }
}

/* Where the document tells which one it is: ST01, UNH02. */
static bool is_set_number(const struct guide *g, struct slice tag, unsigned element)
{
    return g->words->directories ? element == 2 && slice_is(tag, "UNH") : element == 1 && slice_is(tag, "ST");
}

/* 850, ORDERS:D:96A:UN */
static void add_set(const struct guide *g, struct buf *out)
{
    struct slice version = g->version, release;
    bool hyphen;

    buf_add_slice(out, g->set);
    if (!g->words->directories)
        return;
    version = slice_cut(version, '-', &release, &hyphen); /* 4-1 */
    if (!hyphen && version.n) { /* d96a */
        release = slice_from(version, 1);
        version.n = 1;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct slice part = i ? release : version;
        buf_add_char(out, g->words->example[1]);
        for (size_t k = 0; k < part.n; k++)
            buf_add_char(out, part.p[k] >= 'a' && part.p[k] <= 'z' ? (char)(part.p[k] - 'a' + 'A') : part.p[k]);
    }
    buf_add_char(out, g->words->example[1]);
    buf_add_text(out, "UN");
}

void guide_example(const struct guide *guide, const struct segment_def *def, unsigned qualifier, struct slice value,
                   struct buf *out)
{
    uint64_t has = example_elements(def, qualifier);

    buf_add_slice(out, def->tag);
    for (unsigned k = 1; k <= def->n && k <= 64 && has >> (k - 1); k++) {
        buf_add_char(out, guide->words->example[0]);
        if (!(has >> (k - 1) & 1))
            continue;
        if (k == qualifier && value.n)
            buf_add_slice(out, value);
        else if (is_set_number(guide, def->tag, k))
            add_set(guide, out);
        else
            add_sample(guide, &def->use[k - 1], out);
    }
    buf_add_char(out, guide->words->example[2]);
}
