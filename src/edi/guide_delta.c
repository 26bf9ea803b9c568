/*
 * guide_delta: guides of partners and associations, which say only what differs from another guide. See guide.h.
 *
 * A delta copies the nodes of its base, and of its segments those that it changes; the base stays as it is. A partner's
 * delta may stand on an association's, which is itself one: then the lines of both are read, one file after the other,
 * on the nodes of the standard's guide.
 *
 * What lines say of segments with qualifiers, their own or those of the loops around them, is gathered in variants. A
 * line holds for each variant that needs all of its qualifiers, and of two lines the later one counts: when a variant
 * is made, the lines before are said again of it. Where two variants can both fit a segment a third is made that needs
 * the qualifiers of both, so that of those that fit there is always one that all lines have been said of.
 */
#include "edi/guide_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "edi/path.h"

enum { MOST_QUALIFIERS = 64, MOST_VARIANTS = 1000 };

/* A line that was read: what it speaks of, and the words. */
struct change {
    struct change *next;
    struct line line;           /* its words are a copy */
    unsigned word;              /* the first behind the path */
    struct path path;
    uint16_t node;
    uint64_t needs, own;        /* as guide_variant */
};

struct delta {
    const struct guide_context *x;
    struct guide *g;
    const struct guide *base; /* no delta itself */
    struct lines *lines;
    struct change *change, **last;
    size_t room_qualifiers, room_variants, room_remarks;
};

static bool copy_nodes(const struct guide_context *x, const struct guide *base, struct guide *g)
{
    *g = *base;
    g->node = ARENA_ARRAY(&x->g->arena, base->n, struct guide_node);
    if (!g->node)
        return guide_nomem(x);
    memcpy(g->node, base->node, base->n * sizeof(*g->node));
    return true;
}

static struct segment_def *own_segment(const struct guide_context *x, const struct segment_def *def)
{
    struct segment_def *s = ARENA_NEW(&x->g->arena, struct segment_def);
    if (!s)
        return guide_nomem(x);
    *s = *def;
    s->base = def->base ? def->base : def;
    s->use = ARENA_ARRAY(&x->g->arena, def->n, struct element_use);
    if (!s->use)
        return guide_nomem(x);
    memcpy(s->use, def->use, def->n * sizeof(*s->use));
    return s;
}

static struct slice type_name(const struct element *e, char *room, size_t n)
{
    static const char *const names[] = { "AN", "ID", "N", "R", "DT", "TM", "B", "", "A" };
    if (e->form.n)
        snprintf(room, n, "%.*s%s%u", SLICE_FMT(e->form), e->min < e->max ? ".." : "", e->max);
    else
        snprintf(room, n, "%s %u/%u", names[e->type], e->min, e->max);
    return slice_of(room);
}

/* Is it a code that the element may have? */
static bool check_code(const struct lines *lines, const struct line *line, unsigned word, struct slice code,
                       const struct codes *codes, const struct element *e)
{
    struct place at = lines_place(lines, line, word);
    char type[40];
    if (code.n > 8) {
        complain(lines->complaints, &at, "a code has at most 8 characters");
    } else if (code.n < e->min || code.n > e->max) {
        complain(lines->complaints, &at, "\"%.*s\" has %zu characters; element %.*s %.*s is %s", SLICE_FMT(code),
                 code.n, SLICE_FMT(e->id), SLICE_FMT(e->name), type_name(e, type, sizeof(type)).p);
    } else if (codes && !codes_has(codes, slice_key(code))) {
        complain(lines->complaints, &at, "\"%.*s\" is no code of element %.*s %.*s", SLICE_FMT(code), SLICE_FMT(e->id),
                 SLICE_FMT(e->name));
        return false;
    }
    return true;
}

/* ---- qualifiers ---- */

static struct guide_node *first_segment(struct guide *g, struct guide_node *node)
{
    while (node->loop && node->first != NODE_NONE)
        node = &g->node[node->first];
    return node;
}

/* The use that a qualifier's code stands in. */
static struct element_use *qualifying_use(const struct segment_def *def, unsigned element, unsigned part)
{
    struct element_use *use = &def->use[element - 1];
    const struct element *e = use->element;
    return e->type == TYPE_COMPOSITE && part <= e->n_parts && e->n_parts ? &e->part[part ? part - 1 : 0] : use;
}

/* The bit of a qualifier of a segment; -1: complained, or memory is out. */
static int qualifier_bit(struct delta *d, const struct guide_node *node, const struct path_select *select,
                         const struct line *line)
{
    struct guide *g = d->g;
    unsigned element = select->element ? select->element : node->def->qualifier;
    uint8_t part = select->element ? select->component : node->def->qualifier_part;
    struct element_use *use;
    const struct codes *codes;

    if (element == 0 || element > node->def->n) {
        guide_complain(d->lines, line, 0, element ? "the segment has no such element"
                                                  : "this segment has no qualifier; write [NN=CODE]");
        return -1;
    }
    for (unsigned i = 0; i < g->n_qualifiers; i++)
        if (g->qualifier[i].node == node->ordinal && g->qualifier[i].element == element &&
            g->qualifier[i].part == part && slice_eq(g->qualifier[i].code, select->value))
            return g->qualifier[i].bit;
    use = qualifying_use(node->def, element, part);
    codes = guide_codes(g, use);
    if (!codes && use->needs_codes) {
        guide_nomem(d->x);
        return -1;
    }
    check_code(d->lines, line, 0, select->value, codes, use->element);
    if (g->n_qualifiers == MOST_QUALIFIERS) {
        guide_complain(d->lines, line, 0, "too many different qualifiers");
        return -1;
    }
    g->qualifier =
        arena_grow(&d->x->g->arena, g->qualifier, g->n_qualifiers, &d->room_qualifiers, sizeof(*g->qualifier));
    if (!g->qualifier) {
        guide_nomem(d->x);
        return -1;
    }
    g->qualifier[g->n_qualifiers] = (struct guide_qualifier){ .node = node->ordinal,
                                                              .element = (uint8_t)element,
                                                              .part = part,
                                                              .bit = (uint8_t)g->n_qualifiers,
                                                              .code = select->value };
    return (int)g->n_qualifiers++;
}

/* Can a segment have all of these? Not two codes in one element. Qualifiers lie by their bits until guide_delta is
 * done. */
static bool agree(const struct guide *g, uint64_t needs)
{
    for (unsigned i = 0; i < g->n_qualifiers; i++)
        for (unsigned k = i + 1; k < g->n_qualifiers; k++)
            if (needs >> i & needs >> k & 1 && g->qualifier[i].node == g->qualifier[k].node &&
                g->qualifier[i].element == g->qualifier[k].element && g->qualifier[i].part == g->qualifier[k].part)
                return false;
    return true;
}

/* ---- what a line says of a segment's elements ---- */

/* `again`: the line was checked already, when it was said of something more general. */
static bool own_codes(const struct guide_context *x, const struct guide *g, const struct lines *lines,
                      const struct line *line, unsigned word, struct element_use *use, bool again)
{
    struct slice verb = line->word[word].s;
    struct codes *old = guide_codes(g, use), *made;
    struct code_line *list = NULL;
    size_t n = 0, room = 0;

    if (!old && use->needs_codes)
        return guide_nomem(x);
    if (word + 1 >= line->n) {
        guide_complain(lines, line, word + 1, "codes are expected here");
        return true;
    }
    if (!slice_is(verb, "only"))
        for (uint32_t i = 0; old && i < old->n; i++) {
            bool dropped = false;
            for (unsigned k = word + 1; slice_is(verb, "without") && k < line->n; k++)
                dropped |= slice_eq(line->word[k].s, old->line[i].code);
            if (!dropped && !codes_add(&x->g->arena, &list, &n, &room, old->line[i]))
                return guide_nomem(x);
        }
    for (unsigned k = word + 1; !slice_is(verb, "without") && k < line->n; k++) {
        struct slice code = line->word[k].s;
        if (!again && !check_code(lines, line, k, code, slice_is(verb, "only") ? old : NULL, use->element))
            complain_hint(x->complaints, "a code that the partner adds comes first, in a line of its own: also %.*s",
                          SLICE_FMT(code));
        else if (code.n <= 8 &&
                 !codes_add(&x->g->arena, &list, &n, &room, (struct code_line){ code, codes_name(old, code) }))
            return guide_nomem(x);
    }
    if (!codes_build(&x->g->arena, list, n, &made))
        return guide_nomem(x);
    use->codes = made;
    use->list = made;
    use->needs_codes = true;
    return true;
}

static void hint_verb(const struct guide_context *x, struct slice word, const char *const *verbs, unsigned n)
{
    struct slice best = slice(NULL, 0);
    unsigned distance = 3;
    for (unsigned i = 0; i < n; i++)
        suggest(word, slice_of(verbs[i]), &best, &distance);
    if (best.n && distance)
        complain_hint(x->complaints, "did you mean \"%.*s\"?", SLICE_FMT(best));
}

/* The words behind an element's path. */
static bool change_use(const struct guide_context *x, const struct guide *g, const struct lines *lines,
                       const struct line *line, unsigned word, struct segment_def *s, struct element_use *use,
                       uint64_t bit, bool again)
{
    struct slice verb = line->word[word].s;
    struct place at = lines_place(lines, line, word);
    bool value =
        slice_is(verb, "only") || slice_is(verb, "also") || slice_is(verb, "without") || slice_is(verb, "length");
    uint64_t min, max;
    if (value && use->element->type == TYPE_COMPOSITE) {
        complain(lines->complaints, &at,
                 "element %.*s is a composite: name the component that is meant, such as %.*s-1",
                 SLICE_FMT(use->element->id), SLICE_FMT(line->word[word - 1].s));
    } else if (slice_is(verb, "must") && word + 1 == line->n) {
        use->requirement = REQ_MANDATORY;
        s->mandatory |= bit;
        s->not_used &= ~bit;
    } else if (slice_is(verb, "may") && word + 1 == line->n) {
        use->requirement = REQ_OPTIONAL;
        s->mandatory &= ~bit;
        s->not_used &= ~bit;
    } else if (slice_is(verb, "not") && word + 2 == line->n && slice_is(line->word[word + 1].s, "used")) {
        use->requirement = REQ_NOT_USED;
        s->mandatory &= ~bit;
        s->not_used |= bit;
    } else if (value && !slice_is(verb, "length")) {
        return own_codes(x, g, lines, line, word, use, again);
    } else if (value && word + 3 == line->n && slice_number(line->word[word + 1].s, UINT32_MAX, &min) &&
               slice_number(line->word[word + 2].s, UINT32_MAX, &max)) {
        char type[40];
        at = lines_place(lines, line, word + 1);
        if (again)
            ; /* was looked at */
        else if (min > max)
            complain(lines->complaints, &at, "%llu is more than %llu: the smaller length comes first",
                     (unsigned long long)min, (unsigned long long)max);
        else if (min < use->element->min || max > use->element->max)
            complain(lines->complaints, &at, "element %.*s %.*s is %s: a partner's lengths lie within",
                     SLICE_FMT(use->element->id), SLICE_FMT(use->element->name),
                     type_name(use->element, type, sizeof(type)).p);
        use->min = (uint32_t)min;
        use->max = (uint32_t)max;
    } else {
        static const char *const verbs[] = { "must", "may", "not used", "only", "also", "without", "length", "note" };
        guide_complain(lines, line, word,
                       "expected: must | may | not used | only CODES | also CODES | without CODES | length MIN MAX | "
                       "note TEXT");
        hint_verb(x, verb, verbs, sizeof(verbs) / sizeof(verbs[0]));
    }
    return true;
}

static bool change_elements(const struct guide_context *x, const struct guide *g, const struct lines *lines,
                            const struct line *line, unsigned word, const struct path *path, struct segment_def *s,
                            bool again)
{
    for (unsigned i = 0; i < path->n_elements; i++) {
        unsigned k = path->element[i].element, c = path->element[i].component;
        struct element_use *use;
        use = &s->use[k - 1];
        if (c) {
            struct element *e = ARENA_NEW(&x->g->arena, struct element);
            struct element_use *parts = ARENA_ARRAY(&x->g->arena, use->element->n_parts, struct element_use);
            if (!e || !parts)
                return guide_nomem(x);
            *e = *use->element;
            memcpy(parts, e->part, e->n_parts * sizeof(*parts));
            e->part = parts;
            use->element = e;
            use = &parts[c - 1];
        }
        if (!change_use(x, g, lines, line, word, s, use, c || k > 64 ? 0 : 1ull << (k - 1), again))
            return false;
        dictionary_settle(use);
        if (c) {
            s->use[k - 1].codes = NULL;
            dictionary_settle(&s->use[k - 1]);
        }
    }
    return true;
}

/* ---- what a line says of a segment or loop ---- */

enum verb { VERB_MUST, VERB_MAY, VERB_NOT_USED, VERB_MAX };

static bool read_verb(const struct delta *d, const struct line *line, unsigned word, enum verb *verb_r, uint32_t *max_r)
{
    static const char *const verbs[] = { "must", "may", "not used", "max", "note" };
    struct slice w = line->word[word].s;
    bool last = word + 1 == line->n, two = word + 2 == line->n;

    if (last && slice_is(w, "must"))
        *verb_r = VERB_MUST;
    else if (last && slice_is(w, "may"))
        *verb_r = VERB_MAY;
    else if (two && slice_is(w, "not") && slice_is(line->word[word + 1].s, "used"))
        *verb_r = VERB_NOT_USED;
    else if (two && slice_is(w, "max") && guide_read_max(line->word[word + 1].s, max_r))
        *verb_r = VERB_MAX;
    else {
        guide_complain(d->lines, line, word, "expected: must | may | not used | max N | note TEXT");
        hint_verb(d->x, w, verbs, sizeof(verbs) / sizeof(verbs[0]));
        return false;
    }
    return true;
}

static void change_node(struct guide *g, struct guide_node *node, enum verb verb, uint32_t max)
{
    struct guide_node *loop = node->trigger ? &g->node[node->parent] : node;
    if (verb == VERB_MAX) {
        loop->max = max;
        return;
    }
    loop->required = node->required = verb == VERB_MUST;
    loop->not_used = node->not_used = verb == VERB_NOT_USED;
}

/* `own` is what the line names of the segment's own qualifiers: that one of a kind is there says nothing of those of a
 * nearer kind, that none may be does. */
static void change_variant(struct guide_variant *v, uint64_t own, enum verb verb, uint32_t max)
{
    if (verb == VERB_NOT_USED)
        v->requirement = REQ_NOT_USED;
    else if (v->own != own)
        return;
    else if (verb == VERB_MAX)
        v->max = max;
    else
        v->requirement = verb == VERB_MUST ? REQ_MANDATORY : REQ_OPTIONAL;
}

/* Says a line of a variant. */
static bool apply(const struct delta *d, const struct change *c, struct guide_variant *v, bool again)
{
    enum verb verb;
    uint32_t max = 0;
    if (c->path.n_elements)
        return change_elements(d->x, d->g, d->lines, &c->line, c->word, &c->path, (struct segment_def *)v->def, again);
    if (read_verb(d, &c->line, c->word, &verb, &max))
        change_variant(v, c->own, verb, max);
    return true;
}

/* ---- variants ---- */

static struct guide_variant *variant_with(const struct guide *g, uint16_t node, uint64_t needs)
{
    for (unsigned i = 0; i < g->n_variants; i++)
        if (g->variant[i].node == node && g->variant[i].needs == needs)
            return &g->variant[i];
    return NULL;
}

static struct guide_variant *new_variant(struct delta *d, struct guide_node *node, uint64_t needs,
                                         const struct line *line)
{
    struct guide *g = d->g;
    struct guide_variant *v;
    if (g->n_variants == MOST_VARIANTS) {
        guide_complain(d->lines, line, 0, "too many segments with qualifiers");
        return NULL;
    }
    g->variant = arena_grow(&d->x->g->arena, g->variant, g->n_variants, &d->room_variants, sizeof(*g->variant));
    if (!g->variant)
        return guide_nomem(d->x);
    v = &g->variant[g->n_variants++];
    *v = (struct guide_variant){ .node = node->ordinal, .needs = needs, .max = UINT32_MAX };
    for (unsigned i = 0; i < g->n_qualifiers; i++)
        if (needs >> i & 1 && g->qualifier[i].node == node->ordinal)
            v->own |= 1ull << i;
    v->requirement = v->own == 0 && d->base->node[node->ordinal].required ? REQ_MANDATORY : REQ_OPTIONAL;
    return v;
}

/* Makes the variant of a node that needs these qualifiers unless there is one, and those where it meets others. */
static bool make_variant(struct delta *d, struct guide_node *node, uint64_t needs, bool implied,
                         const struct line *line)
{
    struct guide *g = d->g;
    struct guide_variant *v = variant_with(g, node->ordinal, needs);
    if (v) {
        v->implied &= implied;
        return true;
    }
    v = new_variant(d, node, needs, line);
    if (!v)
        return false;
    v->implied = implied;
    v->def = own_segment(d->x, node->def->base ? node->def->base : node->def);
    if (!v->def)
        return false;
    for (const struct change *c = d->change; c; c = c->next)
        if (c->node == node->ordinal && !(c->needs & ~needs) && !apply(d, c, v, true))
            return false;
    for (unsigned i = 0; i < g->n_variants; i++) {
        uint64_t both = g->variant[i].needs | needs;
        if (g->variant[i].node == node->ordinal && agree(g, both) && !make_variant(d, node, both, true, line))
            return false;
    }
    return true;
}

/* The loop's own number of occurrences, or the segment's. */
static uint32_t *max_of(struct guide *g, struct guide_node *node)
{
    return node->trigger ? &g->node[node->parent].max : &node->max;
}

/* What is said of a node in general is looked at with its steps, unless something else is said of it in loops with
 * certain qualifiers: then a variant without qualifiers says it, and the steps let it pass. */
static bool settle_node(struct delta *d, struct guide_node *node)
{
    struct guide *g = d->g;
    const struct guide_node *before = &d->base->node[node->ordinal];
    uint32_t *max = max_of(g, node);
    uint8_t general = node->not_used ? REQ_NOT_USED : node->required ? REQ_MANDATORY : REQ_OPTIONAL;
    bool other_max = false, other = false;
    struct guide_variant *v;

    for (unsigned i = 0; i < g->n_variants; i++) {
        v = &g->variant[i];
        if (v->node != node->ordinal)
            continue;
        other |= general == REQ_NOT_USED ? v->requirement != general
                                         : general == REQ_MANDATORY && !v->own && v->requirement != general;
        other_max |= !v->own && v->max != UINT32_MAX && v->max > *max;
    }
    for (unsigned i = 0; i < g->n_variants; i++) {
        v = &g->variant[i];
        if (v->node != node->ordinal)
            continue;
        if (!other && v->requirement == general && (!v->own || general == REQ_NOT_USED))
            v->requirement = REQ_OPTIONAL;
        if (!other_max && !v->own && v->max == *max)
            v->max = UINT32_MAX;
    }
    if (!other && !other_max)
        return true;
    v = new_variant(d, node, 0, NULL);
    if (!v)
        return false;
    v->def = node->def;
    v->requirement = other ? general : REQ_OPTIONAL;
    if (other)
        change_node(g, node, VERB_MAY, 0);
    if (other_max) {
        v->max = *max;
        *max = *max_of((struct guide *)d->base, (struct guide_node *)before);
    }
    return true;
}

static int by_node(const void *a, const void *b)
{
    const struct guide_variant *v = a, *w = b;
    if (v->node != w->node)
        return v->node < w->node ? -1 : 1;
    return __builtin_popcountll(v->needs) - __builtin_popcountll(w->needs);
}

/* Does a variant say no more of the segment as a whole than those that need less, which stand before it? */
static bool inherits(const struct guide *g, unsigned i)
{
    const struct guide_variant *v = &g->variant[i];
    bool some = false;
    while (i-- > 0 && g->variant[i].node == v->node) {
        const struct guide_variant *w = &g->variant[i];
        if (w->inherits || w->own != v->own || w->needs & ~v->needs)
            continue;
        if (w->requirement != v->requirement || w->max != v->max)
            return false;
        some = true;
    }
    return some;
}

/* All lines are there: variants and qualifiers go to their nodes. */
static bool settle(struct delta *d)
{
    struct guide *g = d->g;
    unsigned bit = 0;

    for (unsigned i = 1; i < g->n; i++)
        if (g->node[i].has_variants && !g->node[i].loop && !settle_node(d, &g->node[i]))
            return false;
    if (g->n_variants)
        qsort(g->variant, g->n_variants, sizeof(*g->variant), by_node);
    for (unsigned i = 0; i < g->n_variants; i++) {
        struct guide_variant *v = &g->variant[i];
        struct guide_node *node = &g->node[v->node];
        struct guide_node *around = &g->node[guide_around(g, node)->ordinal];
        if (node->n_variants++ == 0)
            node->variant = (uint16_t)i;
        v->inherits = inherits(g, i);
        v->counts = !v->inherits && (v->requirement == REQ_MANDATORY || v->max != UINT32_MAX);
        if (!v->counts)
            continue;
        if (bit == GUIDE_VARIANTS_COUNTED) {
            struct place at = { .file = d->lines->file };
            complain(d->x->complaints, &at, "at most %u segments with qualifiers can have must or max", bit);
            return false;
        }
        v->bit = (uint8_t)bit;
        around->counted |= 1ull << bit++;
    }
    for (unsigned i = 0; i < g->n_qualifiers; i++) {
        struct guide_node *node = &g->node[g->qualifier[i].node];
        if (node->trigger)
            g->node[node->parent].opened |= 1ull << g->qualifier[i].bit;
    }
    /* by node, in the order of their bits */
    for (unsigned i = 1; i < g->n_qualifiers; i++)
        for (unsigned k = i; k && g->qualifier[k - 1].node > g->qualifier[k].node; k--) {
            struct guide_qualifier q = g->qualifier[k];
            g->qualifier[k] = g->qualifier[k - 1];
            g->qualifier[k - 1] = q;
        }
    for (unsigned i = g->n_qualifiers; i-- > 0;) {
        g->node[g->qualifier[i].node].qualifier = (uint16_t)i;
        g->node[g->qualifier[i].node].n_qualifiers++;
    }
    return true;
}

/* ---- lines ---- */

/* The segment or loop whose name is nearest. */
static void hint_place(const struct guide_context *x, const struct guide *g, const struct path *path, struct slice word)
{
    struct slice wrong = path->step[path->n_steps - 1].tag, best = slice(NULL, 0), front, rest;
    unsigned distance = 2;
    if (wrong.p < word.p || wrong.p + wrong.n > word.p + word.n)
        return;
    if (wrong.n > 4 && is_digit(wrong.p[wrong.n - 1]) && is_digit(wrong.p[wrong.n - 2]))
        wrong.n -= 2;
    for (unsigned i = 1; i < g->n; i++)
        suggest(wrong, g->node[i].tag, &best, &distance);
    if (!best.n || !distance)
        return;
    front = slice(word.p, (size_t)(wrong.p - word.p));
    rest = slice_from(word, front.n + wrong.n);
    complain_hint(x->complaints, "did you mean \"%.*s%.*s%.*s\"?", SLICE_FMT(front), SLICE_FMT(best), SLICE_FMT(rest));
}

/* May a node be the one that a step names? */
static bool is_meant(struct guide *g, struct guide_node *node, const struct path_step *step)
{
    const struct guide_node *first = first_segment(g, node);
    if (!slice_eq(node->tag, step->tag))
        return false;
    for (unsigned i = 0; i < step->n_selects && first->n_select; i++) {
        unsigned element = step->select[i].element ? step->select[i].element : first->def ? first->def->qualifier : 0;
        bool one = element != first->select;
        for (unsigned k = 0; k < first->n_select && !one; k++)
            one = slice_eq(first->select_codes[k], step->select[i].value);
        if (!one)
            return false;
    }
    return true;
}

/* The node that the steps lead to, the first of them to `node` itself. */
static struct guide_node *follow(struct guide *g, struct guide_node *node, const struct path_step *step, unsigned n)
{
    if (!is_meant(g, node, step))
        return NULL;
    if (n == 1)
        return node;
    for (uint16_t c = node->first; node->loop && c != NODE_NONE; c = g->node[c].next) {
        struct guide_node *found = follow(g, &g->node[c], step + 1, n - 1);
        if (found)
            return found;
    }
    return NULL;
}

/* From the top; else the first place anywhere. */
static struct guide_node *place_of(struct guide *g, const struct path *path)
{
    struct guide_node *found = NULL;
    for (uint16_t c = g->node[0].first; !found && c != NODE_NONE; c = g->node[c].next)
        found = follow(g, &g->node[c], path->step, path->n_steps);
    for (unsigned i = 1; !found && i < g->n; i++)
        found = follow(g, &g->node[i], path->step, path->n_steps);
    return found;
}

/* `drop DTM[064]`, `not used CUR`: other languages begin with the verb. */
static bool begins_with_verb(const struct delta *d, const struct line *line)
{
    static const char *const verbs[] = { "drop", "remove", "delete", "without", "no",   "not",
                                         "must", "may",    "max",    "only",    "also", "length" };
    struct slice verb = line->word[0].s;
    for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (slice_is(verb, verbs[i]) && line->n > 1) {
            unsigned at = i == 5 && slice_is(line->word[1].s, "used") && line->n > 2 ? 2 : 1;
            guide_complain(d->lines, line, 0, "a line begins with the place; what is said of it stands behind");
            if (i < 6)
                complain_hint(d->x->complaints, "a segment, loop or element that is not to be sent: %.*s not used",
                              SLICE_FMT(line->word[at].s));
            else if (i < 8)
                complain_hint(d->x->complaints, "%.*s %.*s", SLICE_FMT(line->word[1].s), SLICE_FMT(verb));
            return true;
        }
    return false;
}

static bool add_remark(struct delta *d, const struct line *line, unsigned word, const struct change *c)
{
    struct guide *g = d->g;
    struct guide_remark r = { .node = c ? c->node : 0, .needs = c ? c->needs : 0 };
    if (word + 1 != line->n) {
        guide_complain(d->lines, line, word, "expected: note \"TEXT\"");
        return true;
    }
    r.text = line->word[word].s;
    if (c && c->path.n_elements) {
        r.element = c->path.element[0].element;
        r.component = c->path.element[0].component;
    }
    g->remark = arena_grow(&d->x->g->arena, g->remark, g->n_remarks, &d->room_remarks, sizeof(*g->remark));
    if (!g->remark)
        return guide_nomem(d->x);
    g->remark[g->n_remarks++] = r;
    return true;
}

/* What a line speaks of. False: complained, or memory is out. */
static bool find_place(struct delta *d, const struct line *line, struct change *c)
{
    struct guide *g = d->g;
    struct guide_node *found = place_of(g, &c->path), *node;

    if (!found) {
        if (begins_with_verb(d, line))
            return false;
        guide_complain(d->lines, line, 0, "the guide has no such segment or loop there");
        hint_place(d->x, g, &c->path, line->word[0].s);
        return false;
    }
    node = first_segment(g, found);
    if (!node->def)
        return false;
    c->node = node->ordinal;
    if (!path_resolve(d->lines, line, &c->path, node->def))
        return false;
    for (unsigned i = c->path.n_steps; i-- > 0; found = &g->node[found->parent]) {
        const struct guide_node *segment = first_segment(g, found);
        for (unsigned k = 0; k < c->path.step[i].n_selects; k++) {
            int bit = -1;
            if (segment->def &&
                !path_resolve_select(d->lines, line, &c->path, &c->path.step[i].select[k], segment->def))
                return false;
            bit = segment->def ? qualifier_bit(d, segment, &c->path.step[i].select[k], line) : -1;
            if (bit < 0)
                return false;
            c->needs |= 1ull << bit;
            if (segment == node)
                c->own |= 1ull << bit;
        }
    }
    for (unsigned i = 0; i < c->path.n_elements; i++) {
        unsigned k = c->path.element[i].element, part = c->path.element[i].component;
        const struct element *e = k && k <= node->def->n ? node->def->use[k - 1].element : NULL;
        if (!e || (part && (e->type != TYPE_COMPOSITE || part > e->n_parts))) {
            guide_complain(d->lines, line, c->path.first_word, "the segment has no such element");
            return false;
        }
    }
    return true;
}

/* The segment at this place is not that of others any more. */
static bool own_place(struct delta *d, uint16_t node)
{
    struct guide_node *n = &d->g->node[node];
    if (!n->def->base)
        n->def = own_segment(d->x, n->def);
    return n->def != NULL;
}

/* A line of a general kind is said of its node, and then of every variant that it holds for. */
static bool change_general(struct delta *d, const struct change *c)
{
    struct guide_node *node = &d->g->node[c->node];
    enum verb verb;
    uint32_t max = 0;
    if (!c->path.n_elements) {
        if (read_verb(d, &c->line, c->word, &verb, &max))
            change_node(d->g, node, verb, max);
        return true;
    }
    return own_place(d, c->node) &&
           change_elements(d->x, d->g, d->lines, &c->line, c->word, &c->path, (struct segment_def *)node->def, false);
}

/* Keeps a line for variants that are made later. */
static bool keep_change(struct delta *d, const struct change *c)
{
    struct change *kept = ARENA_NEW(&d->x->g->arena, struct change);
    struct word *word = ARENA_ARRAY(&d->x->g->arena, c->line.n, struct word);
    if (!kept || !word)
        return guide_nomem(d->x);
    memcpy(word, c->line.word, c->line.n * sizeof(*word));
    *kept = *c;
    kept->line.word = word;
    kept->next = NULL;
    *d->last = kept;
    d->last = &kept->next;
    return true;
}

static bool read_change(struct delta *d, const struct line *line)
{
    struct guide *g = d->g;
    struct complaints *complaints = d->x->complaints;
    struct change c = { .line = *line };
    struct guide_variant *v = NULL;
    unsigned before = complaints->count;
    bool note;

    if (slice_is(line->word[0].s, "note") && line->n > 1 && line->word[1].quoted)
        return add_remark(d, line, 1, NULL);
    if (!path_read(d->lines, line, &c.word, &c.path))
        return !complaints->nomem;
    if (c.word >= line->n) {
        guide_complain(d->lines, line, c.word, "what is different? expected: must, may, not used, …");
        return true;
    }
    if (!find_place(d, line, &c))
        return !complaints->nomem;
    if (complaints->count > before)
        return true;
    note = slice_is(line->word[c.word].s, "note");
    if (c.needs) {
        if (!agree(g, c.needs)) {
            guide_complain(d->lines, line, 0, "an element cannot have two codes at once");
            return true;
        }
        if (!make_variant(d, &g->node[c.node], c.needs, false, line))
            return !complaints->nomem;
        g->node[c.node].has_variants = true;
        for (unsigned i = 0; i < g->n_qualifiers; i++)
            if (c.needs >> i & 1)
                g->node[g->qualifier[i].node].has_variants = true;
        v = variant_with(g, c.node, c.needs);
    }
    if (note)
        return (v || !c.path.n_elements || own_place(d, c.node)) && add_remark(d, line, c.word + 1, &c);
    if (!(v ? apply(d, &c, v, false) : change_general(d, &c)))
        return false;
    for (unsigned i = 0; i < g->n_variants && complaints->count == before; i++)
        if (&g->variant[i] != v && g->variant[i].node == c.node && !(c.needs & ~g->variant[i].needs) &&
            !apply(d, &c, &g->variant[i], true))
            return false;
    return complaints->count > before || keep_change(d, &c);
}

/* ---- what a delta changed ---- */

bool guide_other_codes(const struct element_use *use, const struct element_use *before)
{
    return use->element->type != TYPE_COMPOSITE && use->codes != before->codes && use->codes &&
           use->codes != use->element->codes;
}

bool guide_use_changed(const struct element_use *use, const struct element_use *before)
{
    bool changed = use->requirement != before->requirement || use->min != before->min || use->max != before->max ||
                   guide_other_codes(use, before);

    if (use->element != before->element && use->element->n_parts == before->element->n_parts)
        for (unsigned i = 0; i < use->element->n_parts && !changed; i++)
            changed = guide_use_changed(&use->element->part[i], &before->element->part[i]);
    return changed;
}

/* ---- files ---- */

/* An association's folder may have a dictionary of its own, standing on the directory's: its codes, most of all. Then
 * the segments are those of that one. */
static int own_dictionary(struct delta *d, struct slice id)
{
    const struct guide_context *x = d->x;
    struct guide *g = d->g;
    struct slice standard, folder, set;
    struct guide_version *v;
    int r;

    if (!guide_split_id(id, &standard, &folder, &set) || !guide_has_version(x->g, standard, folder))
        return 0;
    r = dictionary_load(x, standard, folder, 0, &v);
    if (r < 0)
        return r;
    g->directory = v;
    for (unsigned i = 1; i < g->n; i++) {
        const struct segment_def *def = g->node[i].def ? dictionary_segment(x, v, g->node[i].tag) : NULL;
        if (x->complaints->nomem)
            return err_nomem(x->err);
        if (def)
            g->node[i].def = def;
    }
    return 0;
}

/* The nodes that the lines change: those of a guide that is no delta. */
static int begin_on(struct delta *d, const struct guide *base)
{
    d->base = base;
    return copy_nodes(d->x, base, d->g) ? 0 : err_nomem(d->x->err);
}

/* The lines of a delta's file, behind its heading. */
static void read_changes(struct delta *d, struct lines *lines)
{
    struct line line;
    d->lines = lines;
    while (lines_next(lines, &line))
        if (!read_change(d, &line))
            break;
}

/* Those of the delta that this one stands on, and before them of what that stands on. They were read before, and found
 * to be right. */
static int read_lower(struct delta *d, const struct guide *lower)
{
    const struct loaded_guide *kept = guide_kept(d->x->g, lower);
    const struct guide *further = NULL;
    struct lines lines;
    struct line line;
    int r;

    if (!lower->base.n)
        return begin_on(d, lower);
    r = guides_by_id(d->x->g, lower->base, d->x->complaints, &further, d->x->err);
    if (r == 0)
        r = read_lower(d, further);
    if (r == 0)
        r = own_dictionary(d, lower->id);
    if (r < 0)
        return r;
    lines_init(&lines, kept->file, kept->text, &d->x->g->arena, d->x->complaints);
    if (lines_next(&lines, &line))
        read_changes(d, &lines);
    return d->x->complaints->nomem ? err_nomem(d->x->err) : 0;
}

int guide_read_either(const struct guide_context *x, struct lines *lines, const struct line *heading, bool partner,
                      struct guide **guide_r)
{
    enum { MOST_DEPTH = 20 };
    struct slice id = heading->word[1].s, title = slice(NULL, 0);
    unsigned before = x->complaints->count;
    const struct guide *base;
    struct delta d = { .x = x };
    struct guide *g;
    int r;

    if (heading->n < 4 || !slice_is(heading->word[2].s, "from"))
        return guide_read_whole(x, lines, heading, guide_r);
    if (heading->n > 4 && heading->word[4].quoted)
        title = heading->word[4].s;
    if (x->g->depth == MOST_DEPTH)
        return err_set(x->err, ERR_CONFIG, "guides stand on each other in a circle");
    x->g->depth++;
    r = guides_by_id(x->g, heading->word[3].s, x->complaints, &base, x->err);
    x->g->depth--;
    if (r == ERR_MISSING) {
        guide_complain(lines, heading, 3, "there is no such guide");
        r = guide_result(x, before, "the guide");
    }
    if (r < 0)
        return r;
    if (base->base.n && guide_kept(x->g, base)->partner) {
        guide_complain(lines, heading, 3, "a partner's guide stands on one of the standard, not on another partner's");
        return guide_result(x, before, "the guide");
    }
    d.last = &d.change;
    d.g = g = ARENA_NEW(&x->g->arena, struct guide);
    if (!g)
        return err_nomem(x->err);
    r = read_lower(&d, base);
    if (r == 0 && !partner)
        r = own_dictionary(&d, id);
    if (r < 0)
        return r;
    g->id = id;
    g->base = base->id;
    g->title = title.n ? title : base->title;
    read_changes(&d, lines);
    if (x->complaints->count == before && !x->complaints->nomem)
        settle(&d);
    /* steps depend on what is mandatory and not used */
    g->n_tags = 0;
    r = guide_finish(x, g, before, "the guide");
    if (r == 0)
        *guide_r = g;
    return r;
}

static int read_delta(struct guides *guides, struct slice file, struct slice text, struct complaints *complaints,
                      const struct guide **guide_r, struct err *err)
{
    struct guide_context x = { guides, complaints, err };
    unsigned before = complaints->count;
    struct lines lines;
    struct line line;
    struct guide *g = NULL;
    int r;

    *guide_r = NULL;
    lines_init(&lines, file, text, &guides->arena, complaints);
    if (!guide_begins(&lines, &line, "guide NAME from STANDARD/VERSION/SET"))
        return guide_result(&x, before, "the guide");
    r = guide_read_either(&x, &lines, &line, true, &g);
    if (r == 0)
        r = guide_result(&x, before, "the guide");
    if (r == 0)
        r = guide_keep(&x, g, file, text, true);
    if (r == 0)
        *guide_r = g;
    return r;
}

int guides_read_delta(struct guides *g, struct slice file, struct slice text, struct complaints *complaints,
                      const struct guide **guide_r, struct err *err)
{
    int r;
    pthread_mutex_lock(&g->lock);
    r = read_delta(g, file, text, complaints, guide_r, err);
    pthread_mutex_unlock(&g->lock);
    return r;
}
