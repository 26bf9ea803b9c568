/*
 * guide_delta: partners' guides, which say only what differs from another guide. See guide.h.
 *
 * A delta copies the nodes of its base, and of its segments those that it changes; the base stays as it is.
 */
#include "edi/guide_inside.h"

#include <stdio.h>

#include "edi/path.h"

enum { MOST_VARIANTS = 64 };

static bool copy_nodes(const struct guide_context *x, const struct guide *base, struct guide *g)
{
    *g = *base;
    g->variant = NULL;
    g->n_variants = 0;
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
    static const char *const names[] = { "AN", "ID", "N", "R", "DT", "TM", "B", "" };
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
        complain(lines->complaints, &at, "\"%.*s\" has %zu characters; element %.*s %.*s is %s", SLICE_FMT(code), code.n,
                 SLICE_FMT(e->id), SLICE_FMT(e->name), type_name(e, type, sizeof(type)).p);
    } else if (codes && !codes_has(codes, slice_key(code))) {
        complain(lines->complaints, &at, "\"%.*s\" is no code of element %.*s %.*s", SLICE_FMT(code), SLICE_FMT(e->id),
                 SLICE_FMT(e->name));
        return false;
    }
    return true;
}

/* A delta may speak of a segment in general (variant NULL) or with a qualifier. */
static struct guide_variant *variant_of(const struct guide_context *x, struct guide *g, struct guide_node *node,
                                        const struct path_step *step, size_t *room, const struct lines *lines,
                                        const struct line *line)
{
    unsigned element = step->select[0].element ? step->select[0].element : node->def->qualifier;
    struct guide_variant *v;
    struct element_use *use;
    const struct codes *codes;
    if (step->n_selects != 1 || element == 0) {
        guide_complain(lines, line, 0,
                       element ? "one qualifier is expected here" : "this segment has no qualifier; write [NN=CODE]");
        return NULL;
    }
    if (element > node->def->n) {
        guide_complain(lines, line, 0, "the segment has no such element");
        return NULL;
    }
    use = &node->def->use[element - 1];
    if (use->element->type == TYPE_COMPOSITE && use->element->n_parts)
        use = &use->element->part[0];
    codes = guide_codes(g, use);
    if (!codes && use->needs_codes)
        return guide_nomem(x);
    check_code(lines, line, 0, step->select[0].value, codes, use->element);
    for (unsigned i = 0; i < g->n_variants; i++)
        if (g->variant[i].node == node->ordinal && g->variant[i].element == element &&
            slice_eq(g->variant[i].code_text, step->select[0].value))
            return &g->variant[i];
    if (g->n_variants == MOST_VARIANTS) {
        guide_complain(lines, line, 0, "too many segments with qualifiers");
        return NULL;
    }
    g->variant = arena_grow(&x->g->arena, g->variant, g->n_variants, room, sizeof(*g->variant));
    if (!g->variant)
        return guide_nomem(x);
    v = &g->variant[g->n_variants];
    *v = (struct guide_variant){ .node = node->ordinal, .element = element, .code = slice_key(step->select[0].value),
                                 .code_text = step->select[0].value, .bit = (uint8_t)g->n_variants };
    v->def = own_segment(x, node->def);
    if (!v->def)
        return NULL;
    g->n_variants++;
    node->has_variants = true;
    return v;
}

static bool own_codes(const struct guide_context *x, const struct guide *g, const struct lines *lines,
                      const struct line *line, unsigned word, struct element_use *use)
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
                dropped |= slice_eq(line->word[k].s, old->codes[i]);
            if (!dropped &&
                !codes_add(&x->g->arena, &list, &n, &room, (struct code_line){ old->codes[i], old->names[i] }))
                return guide_nomem(x);
        }
    for (unsigned k = word + 1; !slice_is(verb, "without") && k < line->n; k++) {
        struct slice code = line->word[k].s;
        if (!check_code(lines, line, k, code, slice_is(verb, "only") ? old : NULL, use->element))
            complain_hint(x->complaints, "a code that the partner adds comes first, in a line of its own: also %.*s",
                          SLICE_FMT(code));
        else if (code.n <= 8 && !codes_add(&x->g->arena, &list, &n, &room, (struct code_line){ code, codes_name(old, code) }))
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
                       uint64_t bit)
{
    struct slice verb = line->word[word].s;
    struct place at = lines_place(lines, line, word);
    bool value = slice_is(verb, "only") || slice_is(verb, "also") || slice_is(verb, "without") || slice_is(verb, "length");
    uint64_t min, max;
    if (value && use->element->type == TYPE_COMPOSITE) {
        complain(lines->complaints, &at, "element %.*s is a composite: name the component that is meant, such as %.*s-1",
                 SLICE_FMT(use->element->id), SLICE_FMT(line->word[word - 1].s));
    } else if (slice_is(verb, "must") && word + 1 == line->n) {
        use->requirement = REQ_MANDATORY;
        s->mandatory |= bit;
    } else if (slice_is(verb, "may") && word + 1 == line->n) {
        use->requirement = REQ_OPTIONAL;
        s->mandatory &= ~bit;
    } else if (slice_is(verb, "not") && word + 2 == line->n && slice_is(line->word[word + 1].s, "used")) {
        use->requirement = REQ_NOT_USED;
        s->mandatory &= ~bit;
        s->not_used |= bit;
    } else if (value && !slice_is(verb, "length")) {
        return own_codes(x, g, lines, line, word, use);
    } else if (value && word + 3 == line->n && slice_number(line->word[word + 1].s, UINT32_MAX, &min) &&
               slice_number(line->word[word + 2].s, UINT32_MAX, &max)) {
        char type[40];
        at = lines_place(lines, line, word + 1);
        if (min > max)
            complain(lines->complaints, &at, "%llu is more than %llu: the smaller length comes first",
                     (unsigned long long)min, (unsigned long long)max);
        else if (min < use->element->min || max > use->element->max)
            complain(lines->complaints, &at, "element %.*s %.*s is %s: a partner's lengths lie within",
                     SLICE_FMT(use->element->id), SLICE_FMT(use->element->name),
                     type_name(use->element, type, sizeof(type)).p);
        use->min = (uint32_t)min;
        use->max = (uint32_t)max;
    } else {
        static const char *const verbs[] = { "must", "may", "not used", "only", "also", "without", "length" };
        guide_complain(lines, line, word,
                       "expected: must | may | not used | only CODES | also CODES | without CODES | length MIN MAX");
        hint_verb(x, verb, verbs, sizeof(verbs) / sizeof(verbs[0]));
    }
    return true;
}

static bool change_node(const struct guide_context *x, struct guide *g, const struct lines *lines, const struct line *line, unsigned word,
                        struct guide_node *node, struct guide_variant *variant)
{
    struct slice verb = line->word[word].s;
    struct guide_node *loop = node->trigger ? &g->node[node->parent] : node;
    if (slice_is(verb, "must") && word + 1 == line->n) {
        if (variant) {
            struct guide_node *around = &g->node[(node->trigger ? loop : node)->parent];
            variant->must = true;
            around->musts |= 1ull << variant->bit;
        } else {
            loop->required = node->required = true;
        }
    } else if (slice_is(verb, "may") && word + 1 == line->n && !variant) {
        loop->required = node->required = false;
    } else if (slice_is(verb, "not") && word + 2 == line->n && slice_is(line->word[word + 1].s, "used")) {
        if (variant)
            variant->not_used = true;
        else
            loop->not_used = node->not_used = true;
    } else if (slice_is(verb, "max") && word + 2 == line->n && !variant &&
               guide_read_max(line->word[word + 1].s, &loop->max)) {
        /* done */
    } else {
        static const char *const verbs[] = { "must", "not used", "may", "max" };
        guide_complain(lines, line, word,
                       variant ? "expected: must | not used" : "expected: must | may | not used | max N");
        hint_verb(x, verb, verbs, variant ? 2 : 4);
    }
    return true;
}

/* What a line says of a segment's elements. */
static bool change_elements(const struct guide_context *x, const struct guide *g, const struct lines *lines,
                            const struct line *line, unsigned word, const struct path *path, struct segment_def *s)
{
    for (unsigned i = 0; i < path->n_elements; i++) {
        unsigned k = path->element[i].element, c = path->element[i].component;
        struct element_use *use;
        if (k > s->n || (c && (s->use[k - 1].element->type != TYPE_COMPOSITE || c > s->use[k - 1].element->n_parts))) {
            guide_complain(lines, line, path->first_word, "the segment has no such element");
            continue;
        }
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
        if (!change_use(x, g, lines, line, word, s, use, c || k > 64 ? 0 : 1ull << (k - 1)))
            return false;
        dictionary_settle(use);
        if (c) {
            s->use[k - 1].codes = NULL;
            dictionary_settle(&s->use[k - 1]);
        }
    }
    return true;
}

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

static bool read_change(const struct guide_context *x, struct guide *g, const struct lines *lines,
                        const struct line *line, size_t *room)
{
    struct slice tags[PATH_STEPS];
    const struct guide_node *found = NULL;
    struct guide_node *node;
    struct guide_variant *variant = NULL;
    const struct path_step *last;
    struct path path;
    unsigned word = 0, before;

    if (!path_read(lines, line, &word, &path))
        return !x->complaints->nomem;
    if (word >= line->n) {
        guide_complain(lines, line, word, "what is different? expected: must, may, not used, …");
        return true;
    }
    for (unsigned i = 0; i < path.n_steps; i++) {
        tags[i] = path.step[i].tag;
        if (i + 1 < path.n_steps && path.step[i].n_selects) {
            guide_complain(lines, line, 0,
                           "only the last segment of a path can have a qualifier here; this would hold for every loop");
            return true;
        }
    }
    /* from the top; else, for a single name, the first place where it stands */
    found = guide_node_at(g, &g->node[0], tags, path.n_steps);
    for (unsigned i = 1; !found && path.n_steps == 1 && i < g->n; i++)
        if (slice_eq(g->node[i].tag, tags[0]))
            found = &g->node[i];
    if (!found) {
        guide_complain(lines, line, 0, "the guide has no such segment or loop there");
        hint_place(x, g, &path, line->word[0].s);
        return true;
    }
    node = &g->node[found->ordinal];
    while (node->loop && node->first != NODE_NONE)
        node = &g->node[node->first];
    last = &path.step[path.n_steps - 1];
    if (!node->def)
        return true;
    if (last->n_selects) {
        variant = variant_of(x, g, node, last, room, lines, line);
        if (!variant)
            return !x->complaints->nomem;
    }
    if (path.n_elements == 0)
        return change_node(x, g, lines, line, word, node, variant);
    if (!variant && !node->def->base) {
        node->def = own_segment(x, node->def);
        if (!node->def)
            return false;
    }
    before = x->complaints->count;
    if (!change_elements(x, g, lines, line, word, &path, (struct segment_def *)(variant ? variant->def : node->def)))
        return false;
    /* what is said of the segment in general holds with every qualifier that was named before, too */
    for (unsigned i = 0; !variant && i < g->n_variants && x->complaints->count == before; i++)
        if (g->variant[i].node == node->ordinal &&
            !change_elements(x, g, lines, line, word, &path, (struct segment_def *)g->variant[i].def))
            return false;
    return true;
}

static int read_delta(struct guides *guides, struct slice file, struct slice text, struct complaints *complaints,
                      const struct guide **guide_r, struct err *err)
{
    struct guide_context x = { guides, complaints, err };
    unsigned before = complaints->count;
    struct lines lines;
    struct line line;
    struct guide *g = NULL;
    const struct guide *base;
    size_t room = 0;
    int r;

    *guide_r = NULL;
    lines_init(&lines, file, text, &guides->arena, complaints);
    if (!guide_begins(&lines, &line, "guide NAME from STANDARD/VERSION/SET"))
        return guide_result(&x, before, "the guide");
    if (line.n < 4 || !slice_is(line.word[2].s, "from")) {
        r = guide_read_whole(&x, &lines, &line, &g);
        if (r == 0)
            r = guide_result(&x, before, "the guide");
    } else {
        struct slice id = line.word[1].s, title = line.n > 4 && line.word[4].quoted ? line.word[4].s : slice(NULL, 0);
        r = guides_by_id(guides, line.word[3].s, complaints, &base, err);
        if (r == ERR_MISSING) {
            guide_complain(&lines, &line, 3, "there is no such guide");
            r = guide_result(&x, before, "the guide");
        }
        if (r < 0)
            return r;
        if (base->base.n) {
            guide_complain(&lines, &line, 3, "a partner's guide stands on one of the standard, not on another partner's");
            return guide_result(&x, before, "the guide");
        }
        g = ARENA_NEW(&guides->arena, struct guide);
        if (!g || !copy_nodes(&x, base, g))
            return err_nomem(err);
        g->id = id;
        g->base = base->id;
        if (title.n)
            g->title = title;
        while (lines_next(&lines, &line))
            if (!read_change(&x, g, &lines, &line, &room))
                break;
        /* steps depend on what is mandatory and not used */
        g->n_tags = 0;
        r = guide_finish(&x, g, before, "the guide");
    }
    if (r == 0)
        r = guide_keep(&x, g, file, true);
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
