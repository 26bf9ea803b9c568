/*
 * compile_lines: which lines a map has: those of the blocks it uses in their place, and a partner's over those of the
 * map his is made from.
 *
 * Lines are copied, because a block may be used in several places: the copies lie in `lines` and go with it. Nothing
 * here knows the guide or the record.
 */
#include "map/compile_inside.h"

static const struct map_block *find_block(const struct map *map, struct slice name)
{
    const struct map_block *b;
    for (; map; map = map->base) {
        for (b = map->block; b; b = b->next)
            if (slice_eq(b->name, name))
                return b;
        for (unsigned i = 0; i < map->n_blocks; i++)
            for (b = map->blocks[i] ? map->blocks[i]->block : NULL; b; b = b->next)
                if (slice_eq(b->name, name))
                    return b;
    }
    return NULL;
}

/* Copies of the lines of one level, with the blocks they use in their place. */
static bool flatten(struct compiling *x, const struct map_line *line, unsigned depth, struct map_line ***link)
{
    for (; line; line = line->next) {
        if (line->use) {
            const struct map_block *b = find_block(x->map, line->name);
            if (!b || depth > 16)
                compile_refuse(x, &line->at,
                               b ? "blocks use each other in a circle" : "there is no block of this name");
            else if (!flatten(x, b->line, depth + 1, link))
                return false;
            continue;
        }
        struct map_line *copy =
            (struct map_line *)arena_copy(&x->lines, slice((const char *)line, sizeof(*line))).p;
        if (!copy)
            return compile_nomem(x) != NULL;
        copy->next = NULL;
        copy->original = line->original ? line->original : (struct map_line *)line;
        if (copy->n_guards) {
            copy->guard = ARENA_ARRAY(&x->lines, copy->n_guards, struct map_condition);
            if (!copy->guard)
                return compile_nomem(x) != NULL;
            memcpy(copy->guard, line->guard, copy->n_guards * sizeof(*copy->guard));
        }
        **link = copy;
        *link = &copy->next;
    }
    return true;
}

struct map_line *compile_children(struct compiling *x, const struct map_line *line)
{
    struct map_line *first = NULL, **link = &first;
    if (line->name.n) {
        const struct map_block *b = find_block(x->map, line->name);
        if (!b)
            compile_refuse(x, &line->at, "there is no block of the name that this line uses");
        else if (!flatten(x, b->line, 0, &link))
            return NULL;
    }
    return flatten(x, line->child, 0, &link) ? first : NULL;
}

static bool same_number(const struct path *a, unsigned i, const struct path *b, unsigned k)
{
    return (i == 0) == (k == 0) && (i == 0 || (slice_eq(a->number[i - 1].composite, b->number[k - 1].composite) &&
                                               slice_eq(a->number[i - 1].element, b->number[k - 1].element)));
}

static bool same_path(const struct path *a, const struct path *b)
{
    if (a->n_steps != b->n_steps || a->n_elements != b->n_elements)
        return false;
    for (unsigned i = 0; i < a->n_steps; i++) {
        if (!slice_eq(a->step[i].tag, b->step[i].tag) || a->step[i].n_selects != b->step[i].n_selects)
            return false;
        for (unsigned k = 0; k < a->step[i].n_selects; k++)
            if (!slice_eq(a->step[i].select[k].value, b->step[i].select[k].value) ||
                !same_number(a, a->step[i].select[k].number, b, b->step[i].select[k].number))
                return false;
    }
    for (unsigned i = 0; i < a->n_elements; i++)
        if (a->element[i].element != b->element[i].element || a->element[i].component != b->element[i].component ||
            !same_number(a, a->element[i].number, b, b->element[i].number))
            return false;
    return true;
}

/* Could `a`, standing first, take what `b` is for? */
static bool claims(const struct path *a, const struct path *b)
{
    if (a->n_steps != b->n_steps || a->n_steps == 0)
        return false;
    for (unsigned i = 0; i < a->n_steps; i++)
        if (!slice_eq(a->step[i].tag, b->step[i].tag))
            return false;
    return a->step[a->n_steps - 1].n_selects == 0 && a->n_elements == 0;
}

/* The next line of the base with the left side of a line of the partner's. */
static struct map_line **find_same(struct map_line **link, const struct map_line *d)
{
    while (*link && ((*link)->newer || !same_path(&(*link)->left, &d->left)))
        link = &(*link)->next;
    return link;
}

/* A partner's lines over those of the base: replaced, dropped, or added before what would take their segment. What the
 * base has of one left side for several cases (`if`) is replaced as a whole. */
static struct map_line *merge(struct compiling *x, struct map_line *base, struct map_line *delta, unsigned depth)
{
    struct map_line *next;
    for (struct map_line *l = base; l; l = l->next)
        l->newer = false;
    for (struct map_line *d = delta; d; d = next) {
        struct map_line **link = &base;
        next = d->next;
        if (d->left.n_steps == 0) /* its syntax was complained of */
            continue;
        d->newer = true;
        link = find_same(link, d);
        if (*link && d->drop) {
            for (; *link; link = find_same(link, d))
                *link = (*link)->next;
        } else if (d->drop) {
            compile_refuse(x, &d->at, "there is no such line to drop in the map this one is made from");
        } else if (*link && (d->child || d->name.n) && ((*link)->child || (*link)->name.n) &&
                   slice_eq((*link)->right, d->right) && depth < 16) {
            struct map_line *old = *link;
            struct map_line *inside = merge(x, compile_children(x, old), compile_children(x, d), depth + 1);
            old->name = slice(NULL, 0);
            old->child = inside;
            old->original = d->original; /* whether the partner's own line is found matters */
        } else if (*link) {
            d->next = (*link)->next;
            *link = d;
            for (link = find_same(&d->next, d); *link; link = find_same(link, d))
                *link = (*link)->next;
        } else {
            for (link = &base; *link && !claims(&(*link)->left, &d->left);)
                link = &(*link)->next;
            d->next = *link;
            *link = d;
        }
    }
    return base;
}

struct map_line *compile_all_lines(struct compiling *x, const struct map *map, unsigned depth)
{
    struct map_line *own = NULL, **link = &own;
    if (!flatten(x, map->line, 0, &link))
        return NULL;
    if (!map->base || depth > 16)
        return own;
    return merge(x, compile_all_lines(x, map->base, depth + 1), own, 0);
}
