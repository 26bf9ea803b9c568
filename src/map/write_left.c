/*
 * write_left: `unmapped` on its way back. What no line of the map took when the document was read stands in the record
 * by its path; here it goes back to its place, where the caller wants that (`write_unmapped`).
 *
 * Items of one path make a `struct left`: a segment of its own, or the rest of one that lines of the map write. What
 * cannot be written back is told as a loss, and the record goes on. Nothing here decides which segments the map writes.
 * All memory is of the writer's arenas: item_arena for items of the root's lists, record_arena for all else.
 */
#include "map/write_inside.h"

#include <stdio.h>

#include "edi/path.h"

/* `#2` and `[IA]` behind a name. */
static struct slice step_of(struct slice *rest, uint32_t *occurrence_r, struct slice *select_r)
{
    struct slice tag = *rest;
    size_t n = 0;
    uint64_t number = 1;

    *select_r = slice(NULL, 0);
    while (n < rest->n && rest->p[n] != '/' && rest->p[n] != '#' && rest->p[n] != '[' && rest->p[n] != '.')
        n++;
    tag.n = n;
    *rest = slice_from(*rest, n);
    if (rest->n && rest->p[0] == '[') {
        const char *end = memchr(rest->p, ']', rest->n);
        if (end) {
            *select_r = slice(rest->p + 1, (size_t)(end - rest->p) - 1);
            *rest = slice_from(*rest, select_r->n + 2);
        }
    }
    if (rest->n && rest->p[0] == '#') {
        for (n = 1; n < rest->n && is_digit(rest->p[n]); n++)
            ;
        if (!slice_number(slice(rest->p + 1, n - 1), UINT32_MAX, &number))
            number = 1;
        *rest = slice_from(*rest, n);
    }
    *occurrence_r = (uint32_t)number;
    return tag;
}

/* An item of `unmapped`: its path up to the segment, element, component and value. False: not to be understood. */
static bool left_item(struct map_writer *w, const struct json_tape *tape, uint32_t node, struct arena *arena,
                      struct slice *path_r, unsigned *element_r, unsigned *component_r, struct slice *value_r)
{
    uint32_t path = json_member(tape, node, SLICE("path")), value = json_member(tape, node, SLICE("value"));
    struct slice text, name, tag, number;
    size_t dot;
    bool found;
    uint64_t component = 0, repetition = 1;
    const char *bracket;

    *element_r = *component_r = 0;
    if (!path || tape->node[path].type != JSON_STRING || json_string(tape, path, arena, &text) < 0)
        return false;
    *value_r = slice(NULL, 0);
    if (value && json_string(tape, value, arena, value_r) < 0)
        return false;
    (void)w;
    bracket = text.n ? memchr(text.p, ']', text.n) : NULL;
    for (dot = bracket ? (size_t)(bracket - text.p) : 0; dot < text.n && text.p[dot] != '.'; dot++)
        ;
    *path_r = slice(text.p, dot);
    name = slice_from(text, dot + 1);
    if (name.n == 0)
        return text.n > 0;
    name = slice_cut(name, '-', &number, &found);
    if (found && (!slice_number(number, 64, &component) || component == 0))
        return false;
    name = slice_cut(name, '#', &number, &found);
    if (found && (!slice_number(number, 255, &repetition) || repetition < 2 || component == 0))
        return false;
    *component_r = PART(repetition, component);
    return path_split_element(name, &tag, element_r) && *element_r && *element_r <= 64;
}

/* Do lines of the map write something in that loop? By single fields, or by objects that keep what they do not take. */
static void see_loop(const struct scope_work *s, const struct guide_node *loop, bool *fields_r, bool *unclear_r)
{
    *fields_r = *unclear_r = false;
    for (unsigned i = 0; i < s->n_works; i++) {
        const struct work *k = &s->work[i];
        if (k->segment <= loop->ordinal || k->segment >= loop->end)
            continue;
        if (k->kind == WORK_LIST)
            *unclear_r |= k->scope->unmapped == NO_FIELD;
        else if (k->n_members == 0)
            *fields_r = true;
        for (unsigned n = 0; n < k->n_members; n++) {
            *unclear_r |= k->member[n]->unmapped == NO_FIELD;
            *fields_r |= k->n_actions > 0 || k->member[n]->scope->implied;
        }
    }
}

static bool is_tag(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'A' && s.p[i] <= 'Z') && !(i && is_digit(s.p[i])))
            return false;
    return s.n == 2 || s.n == 3;
}

/* The component that qualifies a segment, 0: its element does. */
static unsigned qualifier_part(const struct segment_def *def)
{
    if (!def->qualifier || def->use[def->qualifier - 1].element->type != TYPE_COMPOSITE)
        return 0;
    return def->qualifier_part ? def->qualifier_part : 1;
}

static bool is_qualifier(const struct segment_def *def, unsigned element, unsigned component)
{
    unsigned part = element && element == def->qualifier ? qualifier_part(def) : 0;
    return element && element == def->qualifier && (part == 0 || component == 0 || part_component(component) == part);
}

/* Finds where a left-over segment belongs. False: it cannot be written back. */
static bool resolve_left(const struct map_writer *w, const struct frame *f, struct left *l)
{
    const struct guide *g = w->plan->guide;
    const struct guide_node *scope = &g->node[f->scope->scope->node], *node, *top;
    struct slice tag[PATH_STEPS], rest = l->path;
    uint32_t occurrence[PATH_STEPS];
    bool fields, unclear;
    uint32_t repeated;
    unsigned n = 0;

    while (rest.n) {
        if (rest.p[0] == '?') {
            rest = slice_from(rest, 1);
            l->stray = step_of(&rest, &repeated, &l->select);
            if (rest.n || !is_tag(l->stray))
                return false;
            break;
        }
        if (n == PATH_STEPS)
            return false;
        tag[n] = step_of(&rest, &occurrence[n], &l->select);
        n++;
        if (rest.n && rest.p[0] != '/')
            return false;
        rest = slice_from(rest, 1);
    }
    if (n == 0 && !l->stray.n)
        return false;
    l->apart = l->stray.n > 0;
    l->occurrence = n ? occurrence[n - 1] : 1;
    if (n == 0) { /* behind the object's own segment */
        l->node = scope->loop && scope->first != NODE_NONE ? &g->node[scope->first] : scope;
        l->order = scope->ordinal ? l->node->ordinal : 0;
        return true;
    }
    if (!scope->loop) {
        l->node = scope;
        l->order = scope->ordinal;
        l->trigger = true;
        return n == 1 && slice_eq(tag[0], scope->tag);
    }
    top = scope->first != NODE_NONE ? &g->node[scope->first] : NULL;
    if (n == 1 && top && scope->ordinal && slice_eq(top->tag, tag[0])) {
        l->node = top; /* its own segment */
        l->order = top->ordinal;
        l->trigger = true;
        return true;
    }
    node = guide_node_at(g, scope, tag, n);
    top = guide_node_at(g, scope, tag, 1);
    if (!node || !top)
        return false;
    while (node->loop && node->first != NODE_NONE)
        node = &g->node[node->first];
    l->node = node;
    l->order = node->ordinal;
    if (!node->def)
        return false;
    if (!top->loop)
        return true;
    see_loop(f->scope, top, &fields, &unclear);
    if (fields && occurrence[0] == 1) {
        l->trigger = node->trigger && n == 2;
        return true;
    }
    /* a loop that nothing else is taken from: in the order of the list, behind those that are */
    while (top->loop && top->first != NODE_NONE)
        top = &g->node[top->first];
    l->order = top->ordinal;
    l->apart = true;
    return !unclear;
}

static COLD void lose_left(struct map_writer *w, const struct frame *f, uint32_t node, uint64_t index,
                           const char *found)
{
    char place[200];
    uint32_t path = json_member(f->tape, node, SLICE("path")), value = json_member(f->tape, node, SLICE("value"));
    struct map_write_finding r = { .code = "MAP-LOSS", .severity = SEVERITY_WARNING, .expected = "", .loss = true,
                                   .found = found };
    struct slice name = path ? json_raw(f->tape, path) : slice(NULL, 0);

    if (value)
        r.value = json_raw(f->tape, value);
    snprintf(place, sizeof(place), "%.*s", (int)(name.n < 180 ? name.n : 180), name.n ? name.p : "");
    r.place = slice_of(place);
    r.path = write_path(w, f, &f->scope->object->field[f->scope->unmapped], index, NULL);
    write_report(w, &r);
}

void write_left_read(struct map_writer *w, struct frame *f, uint32_t list)
{
    const struct json_tape *tape = f->tape;
    struct arena *arena = f->up ? &w->item_arena : &w->record_arena;
    struct left **link = &f->left, *last = NULL;
    uint64_t index = 0;

    for (uint32_t c = json_first(list); c < json_end(tape, list); c = json_next(tape, c), index++) {
        struct slice path, value;
        unsigned element, component;
        struct left *l;
        if (!w->options.write_unmapped || !f->scope->scope || tape->node[list].type != JSON_ARRAY ||
            tape->node[c].type != JSON_OBJECT ||
            !left_item(w, tape, c, arena, &path, &element, &component, &value)) {
            lose_left(w, f, c, index, "is not written: no line of the map takes it");
            last = NULL;
            continue;
        }
        if (last && slice_eq(last->path, path)) {
            last->n++;
            last->whole |= is_qualifier(last->node->def, element, component);
            continue;
        }
        l = ARENA_NEW(arena, struct left);
        if (!l) {
            w->nomem = true;
            return;
        }
        *l = (struct left){ .path = path, .first = c, .index = index, .n = 1 };
        if (!resolve_left(w, f, l)) {
            lose_left(w, f, c, index, "is not written: no line of the map takes it");
            last = NULL;
            continue;
        }
        l->whole = is_qualifier(l->node->def, element, component);
        last = *link = l;
        link = &l->next;
        w->some_left = true;
        for (unsigned i = 0; i < f->scope->n_works && !l->stray.n; i++) /* a segment of which nothing else is there */
            if (f->scope->work[i].kind == WORK_SEGMENT && f->scope->work[i].segment == l->node->ordinal &&
                f->scope->work[i].n_members == 0)
                set_bit(f->pending, i);
    }
}

/* The values of a left-over segment into the cells of the segment at hand. */
static int fill_left(struct map_writer *w, const struct frame *f, const struct left *l)
{
    const struct json_tape *tape = f->tape;
    uint32_t c = l->first;

    for (uint32_t i = 0; i < l->n; i++, c = json_next(tape, c)) {
        struct slice path, value;
        unsigned element, component;
        uint64_t bit;
        int code = 0;
        if (!left_item(w, tape, c, &w->segment_arena, &path, &element, &component, &value))
            return err_nomem(w->err);
        if (value.n == 0)
            continue;
        bit = element ? 1ull << (element - 1) : 0;
        if (element == 0 || (w->filled & bit && !(component && w->composite & bit))) {
            if (element == 0 || component || !slice_eq(w->cell[element - 1].text, value))
                lose_left(w, f, c, l->index + i, "is not written: there is something else");
            continue;
        }
        if (component && (!(w->filled & bit) || w->composite & bit)) {
            code = write_set_part(w, NULL, element, component, f, 0, value, false);
        } else {
            w->cell[element - 1] = (struct cell){ .text = value, .frame = f };
            w->filled |= bit;
            w->substance = true;
        }
        if (code < 0)
            return code;
    }
    return 0;
}

/* The object that keeps what no line takes of the segment at hand. */
static const struct frame *keeper(const struct map_writer *w)
{
    const struct frame *f = w->of;
    while (f->up && f->scope->unmapped == NO_FIELD)
        f = f->up;
    return f;
}

/* Is a left-over segment the rest of the one at hand? */
static bool joins(const struct work *k, const struct left *l)
{
    if (l->done || l->apart || l->node->ordinal != k->segment)
        return false;
    if (l->select.n)
        return k->n_select == 1 ? slice_eq(k->select[0].text, l->select) : k->n_select > 1;
    return l->seen + 1 == l->occurrence && (k->n_select == 0 || (l->trigger && !l->whole));
}

static int merge_left_of(struct map_writer *w, const struct frame *f)
{
    int code = 0;
    for (struct left *l = f->left; l && !code; l = l->next)
        if (joins(w->work, l)) {
            l->done = true;
            code = fill_left(w, f, l);
        }
    return code;
}

int write_left_merge(struct map_writer *w)
{
    int code = w->work->take ? merge_left_of(w, keeper(w)) : 0;
    for (unsigned i = 0; w->work->take && i < w->n_members && !code; i++)
        if (w->member[i] != keeper(w))
            code = merge_left_of(w, w->member[i]);
    return code;
}

static void count_left_of(const struct map_writer *w, const struct frame *f)
{
    for (struct left *l = f->left; l; l = l->next)
        l->seen += l->node->ordinal == w->work->segment;
}

void write_left_count(struct map_writer *w)
{
    if (!slice_eq(w->work->tag, w->plan->guide->node[w->work->segment].tag)) /* one that has no place */
        return;
    count_left_of(w, keeper(w));
    for (const struct frame *f = keeper(w)->up; f; f = f->up)
        for (struct left *l = f->left; l; l = l->next)
            l->seen += l->stray.n && l->node->ordinal == w->work->segment;
    for (unsigned i = 0; i < w->n_members; i++)
        if (w->member[i] != keeper(w))
            count_left_of(w, w->member[i]);
}

/* Does the policy let a segment through that has no place in the guide? */
static bool is_allowed(const struct map_writer *w, struct slice tag)
{
    bool known = guide_segment(w->plan->guide, tag) != NULL;
    if (w->options.later.n)
        return w->policy.severity[FINDING_VERSION_LATER] != SEVERITY_ERROR;
    return w->policy.severity[known ? FINDING_SEGMENT_NOT_IN_SET : FINDING_SEGMENT_UNKNOWN] != SEVERITY_ERROR;
}

int write_left_before(struct map_writer *w, struct frame *f, unsigned before)
{
    for (struct left *l = f->left; l; l = l->next) {
        struct work k = { .kind = WORK_SEGMENT, .tag = l->node->tag, .segment = l->node->ordinal, .field = NO_FIELD };
        struct map_select select;
        int code;
        if (l->done || (l->order >= before && !(l->stray.n && l->seen && l->seen >= l->occurrence)))
            continue;
        l->done = true;
        if (l->stray.n) {
            k.tag = l->stray;
            if (!is_allowed(w, l->stray)) {
                lose_left(w, f, l->first, l->index, "is not written: the guide has no such segment here");
                continue;
            }
        }
        write_begin_segment(w, &k, f);
        code = fill_left(w, f, l);
        if (l->select.n && l->select.n <= 8 && l->node->def->qualifier && l->node->def->qualifier <= 64 &&
            !memchr(l->select.p, '=', l->select.n)) {
            select = (struct map_select){ (uint8_t)l->node->def->qualifier, (uint8_t)qualifier_part(l->node->def),
                                          slice_key(l->select), l->select };
            k.select = &select;
            k.n_select = 1;
        }
        if (code >= 0)
            code = write_end_segment(w, l->stray.n > 0);
        w->work = NULL;
        if (code < 0)
            return code;
    }
    return 0;
}
