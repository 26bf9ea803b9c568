/* explain: see explain.h. Failure is that of the buf. */
#include "edi/explain.h"

#include <stdio.h>

#include "edi/check.h"

enum { VALUE_SHOWN = 72, NAME_COLUMNS = 46, PLACE_COLUMNS = 8, BINARY_SHOWN = 16 };

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define CYAN "\033[36m"
#define PLAIN "\033[0m"

static void paint(struct buf *out, bool colour, const char *sequence)
{
    if (colour)
        buf_add_text(out, sequence);
}

static void blanks(struct buf *out, size_t n)
{
    for (; n; n--)
        buf_add_char(out, ' ');
}

/* Text in a column of its own; always at least one blank behind it. */
static void column(struct buf *out, struct slice text, size_t width)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    buf_add_safe(out, text, SIZE_MAX);
    blanks(out, n < width ? width - n : 1);
}

void explain_take(const struct segment *s, struct explain_segment *segment)
{
    segment->tag = segment_tag(s);
    segment->flags = s->flags;
    segment->n = s->n < LIMIT_ELEMENTS ? s->n : LIMIT_ELEMENTS;
    for (unsigned k = 1; k <= segment->n; k++)
        segment->element[k] = segment_element(s, k);
}

/* --- Values ------------------------------------------------------------------------ */

void explain_value(const struct element *e, struct slice v, struct buf *out)
{
    bool negative = v.n > 0 && *v.p == '-';
    struct slice digits = slice_from(v, negative);

    for (size_t i = 0; i < digits.n; i++)
        if (!is_digit(digits.p[i]))
            return;
    switch (e->type) {
    case TYPE_DT:
        if (!check_is_date(v))
            break;
        if (v.n == 8)
            buf_printf(out, "%.4s-%.2s-%.2s", v.p, v.p + 4, v.p + 6);
        else
            buf_printf(out, "%s%.2s-%.2s-%.2s", v.p[0] < '7' ? "20" : "19", v.p, v.p + 2, v.p + 4);
        break;
    case TYPE_TM:
        if (negative || v.n < 4)
            break;
        buf_printf(out, "%.2s:%.2s", v.p, v.p + 2);
        if (v.n >= 6)
            buf_printf(out, ":%.2s", v.p + 4);
        if (v.n > 6)
            buf_printf(out, ".%.*s", (int)(v.n - 6), v.p + 6);
        break;
    case TYPE_N:
        if (!e->decimals || !digits.n)
            break;
        buf_add_text(out, negative ? "-" : "");
        while (digits.n > e->decimals + 1u && *digits.p == '0')
            digits = slice_from(digits, 1);
        if (digits.n <= e->decimals) {
            buf_add_text(out, "0.");
            for (size_t i = digits.n; i < e->decimals; i++)
                buf_add_char(out, '0');
            buf_add_slice(out, digits);
        } else {
            buf_add(out, digits.p, digits.n - e->decimals);
            buf_add_char(out, '.');
            buf_add(out, digits.p + digits.n - e->decimals, e->decimals);
        }
        break;
    case TYPE_AN:
    case TYPE_ID:
    case TYPE_R:
    case TYPE_A:
    case TYPE_B:
    case TYPE_COMPOSITE: break;
    }
}

static void add_value(const struct explain_options *o, struct element_use *use, struct slice value, struct buf *out)
{
    bool binary = use && use->element->type == TYPE_B;
    struct slice meaning = { NULL, 0 };
    size_t mark;

    /* the ISA pads its elements */
    while (!binary && value.n && value.p[value.n - 1] == ' ')
        value.n--;
    if (!value.n) {
        buf_add_text(out, "(blank)\n");
        return;
    }
    paint(out, o->colour, CYAN);
    buf_add_safe(out, value, binary ? BINARY_SHOWN : VALUE_SHOWN);
    paint(out, o->colour, PLAIN);
    if (value.n > (binary ? BINARY_SHOWN : VALUE_SHOWN))
        buf_printf(out, " (%zu bytes)", value.n);
    if (use && use->element->has_codes && o->guide)
        meaning = codes_name(guide_codes(o->guide, use), value);
    if (meaning.n) {
        buf_add_text(out, "  ");
        buf_add_safe(out, meaning, SIZE_MAX);
    } else if (use) {
        mark = out->n;
        buf_add_text(out, "  ");
        explain_value(use->element, value, out);
        if (out->n == mark + 2 && !out->failed)
            out->n = mark;
    }
    buf_add_char(out, '\n');
}

/* One line: where the value stands, what it is called, and what it says. */
static void add_line(const struct explain_segment *s, const struct explain_options *o, unsigned element,
                     unsigned component, unsigned repetition, struct element_use *use, struct slice value,
                     struct buf *out)
{
    char place[24];
    int n = snprintf(place, sizeof(place), "%02u", element);

    if (component && n > 0)
        n += snprintf(place + n, sizeof(place) - (size_t)n, "-%u", component);
    if (repetition && n > 0)
        n += snprintf(place + n, sizeof(place) - (size_t)n, "[%u]", repetition);
    blanks(out, o->indent + 4);
    paint(out, o->colour, DIM);
    buf_add_safe(out, s->tag, SIZE_MAX);
    column(out, slice(place, (size_t)n), s->tag.n + (size_t)n < PLACE_COLUMNS ? PLACE_COLUMNS - s->tag.n : 0);
    paint(out, o->colour, PLAIN);
    if (use)
        column(out, use->element->name, NAME_COLUMNS);
    else
        column(out, o->def ? SLICE("(not in the guide)") : SLICE(""), o->def ? NAME_COLUMNS : 1);
    add_value(o, use, value, out);
}

static char component_of(const struct explain_segment *s, const struct explain_options *o)
{
    return o->syntax ? segment_component_separator(s->flags, o->syntax) : 0;
}

/* A composite, or what looks like one. */
static void add_parts(const struct explain_segment *s, const struct explain_options *o, unsigned element,
                      unsigned repetition, struct element_use *use, struct slice value, struct buf *out)
{
    bool more = true;

    for (unsigned k = 1; more; k++) {
        struct slice part = slice_cut(value, component_of(s, o), &value, &more);
        struct element_use *part_use = use && k <= use->element->n_parts ? &use->element->part[k - 1] : NULL;
        if (part.n)
            add_line(s, o, element, k, repetition, part_use, part, out);
    }
}

static void add_element(const struct explain_segment *s, const struct explain_options *o, unsigned element,
                        struct element_use *use, struct slice value, struct buf *out)
{
    bool composite = use && use->element->type == TYPE_COMPOSITE;
    const char component = component_of(s, o);
    char repeat = o->syntax && (!use || use->repeat > 1) ? segment_repetition_separator(s->flags, o->syntax) : 0;
    bool binary = use && use->element->type == TYPE_B;
    bool more = true;

    if (binary || (repeat && !memchr(value.p, repeat, value.n)))
        repeat = 0;
    for (unsigned k = 1; more; k++) {
        struct slice one = value;
        if (repeat)
            one = slice_cut(value, repeat, &value, &more);
        else
            more = false;
        if (!one.n)
            continue;
        if (component && !binary && (composite || (!use && memchr(one.p, component, one.n))))
            add_parts(s, o, element, repeat ? k : 0, use, one, out);
        else
            add_line(s, o, element, 0, repeat ? k : 0, use, one, out);
    }
}

void explain_segment(const struct explain_segment *s, const struct explain_options *o, struct buf *out)
{
    blanks(out, o->indent);
    paint(out, o->colour, BOLD);
    column(out, s->tag, 4);
    if (o->def)
        buf_add_safe(out, o->def->name, SIZE_MAX);
    else
        buf_add_text(out, "(a segment that the guide does not know)");
    paint(out, o->colour, PLAIN);
    if (o->remark && *o->remark) {
        paint(out, o->colour, DIM);
        buf_printf(out, "  (%s)", o->remark);
        paint(out, o->colour, PLAIN);
    }
    buf_add_char(out, '\n');
    for (unsigned k = 1; k <= s->n; k++) {
        struct element_use *use = o->def && k <= o->def->n ? &o->def->use[k - 1] : NULL;
        if (s->element[k].n)
            add_element(s, o, k, use, s->element[k], out);
    }
}

/* --- Guides ------------------------------------------------------------------------ */

void explain_type(const struct element_use *use, struct buf *out)
{
    static const char *const names[] = {
        [TYPE_AN] = "AN", [TYPE_ID] = "ID", [TYPE_N] = "N", [TYPE_R] = "R",
        [TYPE_DT] = "DT", [TYPE_TM] = "TM", [TYPE_B] = "B", [TYPE_COMPOSITE] = "composite",
        [TYPE_A] = "A"
    };
    if (use->element->form.n) {
        buf_add_slice(out, use->element->form);
        if (use->min > 1 && use->min < use->max)
            buf_printf(out, "%u", use->min);
        buf_printf(out, use->min < use->max ? "..%u" : "%u", use->max);
        return;
    }
    buf_add_text(out, names[use->element->type]);
    if (use->element->type == TYPE_COMPOSITE)
        return;
    if (use->element->type == TYPE_N)
        buf_printf(out, "%u", use->element->decimals);
    buf_printf(out, " %u/%u", use->min, use->max);
}

static void note_element(struct buf *out, struct slice tag, bool components, unsigned k)
{
    buf_add_safe(out, tag, SIZE_MAX);
    buf_printf(out, components ? "-%u" : "%02u", k);
}

/* "PO103, PO104 or PO105" */
static void note_elements(struct buf *out, struct slice tag, bool components, uint64_t mask, const char *last)
{
    bool first = true;

    for (unsigned k = 1; k <= 64; k++) {
        if (!(mask >> (k - 1) & 1))
            continue;
        mask &= ~(UINT64_C(1) << (k - 1));
        if (!first)
            buf_add_text(out, mask ? ", " : last);
        note_element(out, tag, components, k);
        first = false;
    }
}

void explain_note(const struct note *note, struct slice tag, bool components, struct buf *out)
{
    buf_add_safe(out, note->text, SIZE_MAX);
    buf_add_text(out, ": ");
    switch (note->kind) {
    case 'P':
        note_elements(out, tag, components, note->mask, " and ");
        buf_add_text(out, " come together or not at all");
        break;
    case 'R':
        buf_add_text(out, "at least one of ");
        note_elements(out, tag, components, note->mask, " and ");
        break;
    case 'E':
        buf_add_text(out, "at most one of ");
        note_elements(out, tag, components, note->mask, " and ");
        break;
    case 'C':
    case 'L':
        buf_add_text(out, "with ");
        note_element(out, tag, components, note->first);
        buf_add_text(out, note->kind == 'C' ? " comes " : " comes at least one of ");
        note_elements(out, tag, components, note->others, " and ");
        break;
    default: break;
    }
}
