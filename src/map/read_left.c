/*
 * read_left: `unmapped`: what of a document no line of the map takes.
 *
 * It stands in the nearest open object that has such a list, by its path from that object's place down to the element;
 * values that lines name but could not take belong to it as well. Only segments that leave something over come here.
 * Gathered in the object's `kept`; nothing is freed here.
 */
#include "map/read_inside.h"

#include <stdio.h>

/* The instance that keeps it, and the path from its scope down to the segment. */
static struct instance *keeper(struct map_reader *r)
{
    for (unsigned d = r->depth; d-- > 0;)
        if (r->stack[d].scope->keeps)
            return &r->stack[d];
    return NULL;
}

static void add_step(struct map_reader *r, const struct guide_node *node, uint32_t occurrence)
{
    if (r->path.n)
        buf_add_char(&r->path, '/');
    buf_add_slice(&r->path, node->tag);
    if (occurrence > 1)
        buf_printf(&r->path, "#%u", occurrence);
}

static void make_path(struct map_reader *r, const struct instance *home, const struct guide_node *node,
                      const struct map_take *t)
{
    const struct guide *g = r->plan->guide;
    const struct guide_node *chain[LIMIT_LOOP_DEPTH + 2];
    unsigned n = 0;
    buf_clear(&r->path);
    for (const struct guide_node *l = &g->node[node->parent];
         home->scope->node != node->ordinal && l->ordinal != 0 && l->ordinal != home->scope->node &&
         n < LIMIT_LOOP_DEPTH;
         l = &g->node[l->parent])
        chain[n++] = l;
    while (n-- > 0)
        add_step(r, chain[n],
                 chain[n]->ordinal == home->scope->row ? 1 : edi_reader_occurrence(r->reader, chain[n]));
    if (home->scope->node == node->ordinal || node->trigger) {
        add_step(r, node, 1);
    } else if (t && t->n_select) {
        add_step(r, node, 1);
        buf_add_char(&r->path, '[');
        for (unsigned i = 0; i < t->n_select; i++) {
            if (i)
                buf_add_char(&r->path, ' ');
            if (t->n_select > 1 || t->select[i].element != node->def->qualifier ||
                (t->select[i].component > 1 && t->select[i].component != node->def->qualifier_part)) {
                buf_printf(&r->path, "%02u", t->select[i].element);
                if (t->select[i].component)
                    buf_printf(&r->path, "-%u", t->select[i].component);
                buf_add_char(&r->path, '=');
            }
            buf_add_slice(&r->path, t->select[i].text);
        }
        buf_add_char(&r->path, ']');
    } else {
        add_step(r, node, edi_reader_occurrence(r->reader, node));
    }
}

static void keep_value(struct map_reader *r, struct instance *home, const struct segment *s, unsigned element,
                       unsigned repetition, unsigned component, struct slice v)
{
    struct kept *k = read_failed(r, &r->path) < 0 ? NULL : read_find_kept(r, home, NULL, SLICE("\"unmapped\":["));
    struct buf *b;
    if (!k)
        return;
    b = &k->content;
    buf_add_text(b, "{\"path\":\"");
    buf_add_json(b, buf_slice(&r->path));
    if (element) {
        buf_add_char(b, '.');
        buf_add_json(b, segment_tag(s));
        buf_printf(b, "%02u", element);
        if (repetition > 1)
            buf_printf(b, "#%u", repetition);
        if (component)
            buf_printf(b, "-%u", component);
    }
    buf_add_text(b, "\",\"value\":\"");
    buf_add_json(b, v);
    buf_add_text(b, "\"},");
}

/* The components of a composite that `named` has no bit for, and all of its repetitions behind the first. */
static bool keep_parts(struct map_reader *r, struct instance *home, const struct segment *s, unsigned element,
                       uint32_t named)
{
    const struct edi_syntax *x = &r->document.interchange->syntax;
    const char separator = segment_component_separator(s->flags, x);
    const char repetition = segment_repetition_separator(s->flags, x);
    struct slice others = segment_element(s, element), rest;
    bool again = true, any = false;

    for (unsigned n = 1; again; n++) {
        struct slice value = others;
        bool more = true;
        again = false;
        if (repetition)
            value = slice_cut(others, repetition, &others, &again);
        for (unsigned c = 1; more; c++) {
            struct slice part = value;
            more = false;
            if (separator) {
                part = slice_cut(value, separator, &rest, &more);
                value = rest;
            }
            if (part.n && (n > 1 || c > 32 || !(named >> (c - 1) & 1))) {
                keep_value(r, home, s, element, n, c, part);
                any = true;
            }
        }
    }
    return any;
}

void read_left_rest(struct map_reader *r, const struct guide_node *node, const struct segment *s, uint64_t left,
                    uint64_t present, const struct map_take *taken)
{
    struct instance *home = keeper(r);
    bool any = false;
    if (!home)
        return;
    make_path(r, home, node, taken && !taken->owner ? taken : NULL);
    for (unsigned k = 1; k <= s->n && k <= 64; k++) {
        struct slice v = segment_element(s, k);
        bool whole = left >> (k - 1) & 1;
        uint32_t named = taken && taken->components && !whole ? taken->components[k - 1] : 0;
        bool parts = (s->flags & SEGMENT_PARTS) && k <= node->def->n &&
                     node->def->use[k - 1].element->type == TYPE_COMPOSITE;
        if (!(present >> (k - 1) & 1) || (!whole && !named))
            continue;
        any |= whole;
        if (!parts) {
            if (whole)
                keep_value(r, home, s, k, 0, 0, v);
            continue;
        }
        any |= keep_parts(r, home, s, k, named);
    }
    if (!any && !taken)
        keep_value(r, home, s, 0, 0, 0, slice(NULL, 0));
}

int read_left_stray(void *ctx, const struct segment *s)
{
    struct map_reader *r = ctx;
    struct instance *home = r->depth ? keeper(r) : NULL;
    const char separator = r->plan ? segment_component_separator(s->flags, &r->document.interchange->syntax) : 0;
    bool any = false;

    if (!r->plan || r->stopped || !home)
        return r->stopped;
    if (r->last && home->scope->node != r->last->ordinal &&
        !(r->last->trigger && r->last->parent == home->scope->node)) {
        make_path(r, home, r->last, NULL);
        buf_add_char(&r->path, '/');
    } else {
        buf_clear(&r->path);
    }
    buf_add_char(&r->path, '?');
    buf_add_slice(&r->path, segment_tag(s));
    if (r->stray.n == 0 || !slice_is(segment_tag(s), r->stray.tag)) {
        r->stray.n = 0;
        snprintf(r->stray.tag, sizeof(r->stray.tag), "%.*s", SLICE_FMT(segment_tag(s)));
    }
    if (++r->stray.n > 1)
        buf_printf(&r->path, "#%u", r->stray.n);
    for (unsigned k = 1; k <= s->n; k++) {
        struct slice v = segment_element(s, k);
        any |= v.n > 0;
        if (v.n && separator && memchr(v.p, separator, v.n))
            keep_parts(r, home, s, k, 0);
        else if (v.n)
            keep_value(r, home, s, k, 0, 0, v);
    }
    if (!any)
        keep_value(r, home, s, 0, 0, 0, slice(NULL, 0));
    return r->stopped;
}
