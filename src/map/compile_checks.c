/*
 * compile_checks: what can only be seen when all lines of a block, or of the map, are there: conditions whose field
 * comes too late, lines for which nothing is left, places that must be mapped and are not.
 *
 * Nothing here changes a plan or makes anything: it only complains.
 */
#include "map/compile_inside.h"

/* ---- a block ---- */

struct place compile_place_of(const struct compiling *x, const struct map_line *lines, uint32_t number)
{
    struct place at = { .file = x->map->file, .line = number };
    for (; lines; lines = lines->next)
        if (lines->at.line == number)
            return lines->at;
    return at;
}

static bool reads(const struct map_take *t)
{
    for (unsigned i = 0; i < t->n_ops; i++)
        if (t->op[i].direction & DIRECTION_READ)
            return true;
    return t->kind == TAKE_SCOPE;
}

/* Does `e` leave nothing for `t`? A list behind single fields is for what a partner sends beyond the guide. */
static bool takes_all(const struct guide *guide, const struct map_take *e, const struct map_take *t)
{
    if (e->n_guards)
        return false;
    if (e->kind == TAKE_SCOPE && e->scope->list)
        return true;
    return guide->node[t->node].max == 1 && (e->kind == TAKE_SCOPE || e->kind == TAKE_SEGMENT) &&
           (t->kind == TAKE_SEGMENT || (t->kind == TAKE_SCOPE && !t->scope->list));
}

/* A component that a list of components leaves. */
static bool beside_parts(const struct map_take *list, const struct map_op *op)
{
    const unsigned first = list->n_parts ? list->op[0].component : 0;
    return first && op->component && (op->component < first || op->component >= first + list->n_parts);
}

void compile_check_takes(struct compiling *x, const struct map_scope *s, const struct map_line *lines)
{
    for (unsigned i = 0; i < s->n_order; i++) {
        const struct map_take *t = s->order[i];
        for (unsigned k = 0; k < t->n_ops; k++) {
            const struct map_op *op = &t->op[k];
            struct place at = compile_place_of(x, lines, op->line);
            for (const struct map_take *p = t->pairs; p; p = p->pairs)
                if (op->element[0] && p->range >> (op->element[0] - 1) & 1 && (op->direction & DIRECTION_WRITE) &&
                    !beside_parts(p, op))
                    compile_refuse(x, &at, "the pairs of this segment take this element already");
        }
        if (t->owner || !reads(t))
            continue;
        for (const struct map_take *e = s->program[t->node - s->first]; e && e != t; e = e->next)
            if (takes_all(x->guide, e, t) && (e->n_select == 0 || compile_same_selects(e, t->select, t->n_select))) {
                struct place at = compile_place_of(x, lines, t->line);
                compile_refuse(x, &at, "nothing is left for this line: one above takes every %.*s",
                               SLICE_FMT(x->guide->node[t->segment].tag));
                compile_hint(x, e->kind == TAKE_SCOPE && e->scope->list
                                    ? "a list that takes the rest stands behind the lines for single ones."
                                    : "what one segment holds goes to one object.");
                break;
            }
    }
}

/* ---- what must be mapped ---- */

/* Is there a take for that segment (in this scope or one inside) that covers the element? */
static bool is_mapped(const struct map_scope *s, uint16_t segment, unsigned element)
{
    for (unsigned i = 0; i < s->n_order; i++) {
        const struct map_take *t = s->order[i];
        if (t->segment == segment && t->kind != TAKE_SCOPE && (element == 0 || t->covered >> (element - 1) & 1))
            return true;
        if (t->kind == TAKE_SCOPE && t->scope && is_mapped(t->scope, segment, element))
            return true;
    }
    return false;
}

void compile_check_musts(struct compiling *x, const struct map *map)
{
    if (map->base)
        compile_check_musts(x, map->base);
    for (unsigned i = 0; i < map->n_must; i++) {
        const struct path *p = &map->must[i].path;
        const struct guide_node *node;
        struct slice tag[PATH_STEPS];
        for (unsigned k = 0; k < p->n_steps; k++)
            tag[k] = p->step[k].tag;
        node = guide_node_at(x->guide, &x->guide->node[0], tag, p->n_steps);
        /* PO1.PO102: the element's own tag is the loop's first segment */
        if (!node && p->n_steps > 1 && slice_eq(tag[p->n_steps - 1], tag[p->n_steps - 2]))
            node = guide_node_at(x->guide, &x->guide->node[0], tag, p->n_steps - 1);
        if (!node) {
            compile_refuse(x, &map->must[i].at, "the guide has no such place");
            continue;
        }
        node = compile_segment_of(x->guide, node);
        uint8_t element = p->n_elements ? p->element[0].element : 0, component;
        if (p->n_elements && p->element[0].number && node->def &&
            !path_find_number(node->def, &p->number[p->element[0].number - 1], &element, &component)) {
            compile_refuse(x, &map->must[i].at, "the segment has no such element");
            continue;
        }
        if (!is_mapped(x->plan->root, node->ordinal, element))
            compile_refuse(x, &map->must[i].at, "this must be mapped, and no line maps it");
    }
}
