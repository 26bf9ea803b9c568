/*
 * write_tree: the nodes of a hierarchy on their way out: what they are called by in the document, and, where a tree has
 * nodes of several kinds, which line of the map writes each of them, and below what.
 *
 * Before anything is written all nodes are looked at once: the document's numbers go to those that it names (CPS), and
 * a parent may stand behind its children. All else stands below the nearest node above it that has a number; where
 * another was opened meanwhile, that place is opened again, by a number that says nothing but where it is. What nodes
 * hand to those below (`above`) is copied into the record's memory. Nothing here is freed: notes belong to the writer.
 */
#include "map/write_inside.h"

struct node_note {
    uint32_t parent; /* the node above, 0: none */
    uint32_t number; /* by which the document calls it, or the place that is opened again for it; 0: neither */
    uint8_t kind;    /* of writing.kind */
    bool full;       /* self: there is something to write behind its name */
    bool bare;       /* named, but its segment says nothing more: alone it would be read as the document itself */
    const struct above *above; /* for the nodes below */
};

static struct node_note *note_of(const struct map_writer *w, uint64_t node)
{
    return (struct node_note *)w->notes.p + (node - 1);
}

static inline uint64_t notes(const struct map_writer *w)
{
    return w->notes.n / sizeof(struct node_note);
}

static bool is_named(const struct map_writer *w, const struct node_note *n)
{
    const struct node_kind *kind = &w->writing.kind[n->kind];
    return n->number && (kind->group || kind->self);
}

uint64_t write_group_of(const struct map_writer *w, uint64_t node)
{
    while (node && node <= notes(w)) {
        const struct node_note *n = note_of(w, node);
        if (is_named(w, n))
            return n->number;
        node = n->parent < node || w->ordered ? n->parent : 0;
    }
    return 0;
}

/* What says of which kind a node is; empty: nothing. */
static int level_of(struct map_writer *w, const struct json_tape *tape, uint32_t node, struct slice *v_r)
{
    const struct record_field *field = w->writing.kind[0].take->scope->kind_field;
    uint32_t c = write_member_of(w->writing.tree->object, tape, node, field);
    *v_r = slice(NULL, 0);
    return c ? write_node_text(w, tape, c, v_r) : 0;
}

/* The line that writes such nodes. What no line speaks of goes to the last one for any. */
static const struct node_kind *kind_of(const struct map_writer *w, struct slice level)
{
    for (unsigned i = 0; i < w->writing.n_kinds; i++)
        if (slice_eq(w->writing.kind[i].take->scope->kind_value, level))
            return &w->writing.kind[i];
    return w->writing.other ? w->writing.other : &w->writing.kind[0];
}

/* What a node is called by, its parent, its kind. */
static bool is_name(const struct map_writer *w, unsigned field)
{
    const struct record_field *f = &w->writing.tree->object->field[field];
    return slice_is(f->name, "id") || slice_is(f->name, "parent") || f == w->writing.kind[0].take->scope->kind_field;
}

static int take_note(struct map_writer *w, const struct json_tape *tape, uint32_t node, uint64_t parent)
{
    struct node_note *note = (struct node_note *)(void *)buf_reserve(&w->notes, sizeof(*note));
    const struct node_kind *kind;
    struct slice level;
    bool says = false;
    int code = level_of(w, tape, node, &level);

    if (code)
        return code;
    if (!note || parent > UINT32_MAX)
        return err_set(w->err, w->notes.failed ? w->notes.failed : ERR_LIMIT, "too many nodes");
    kind = kind_of(w, level);
    *note = (struct node_note){ .parent = (uint32_t)parent, .kind = (uint8_t)(kind - w->writing.kind) };
    for (uint32_t c = json_first(node); kind->self && c < json_end(tape, node); c = json_next(tape, c)) {
        int field = record_field_of(w->writing.tree->object, tape, c);
        note->full |= field >= 0 && bit_of(kind->inside, (unsigned)field);
        says |= field >= 0 && !is_name(w, (unsigned)field);
    }
    note->bare = kind->group && !kind->take->n_select;
    for (uint32_t c = json_first(node); note->bare && c < json_end(tape, node); c = json_next(tape, c)) {
        int field = record_field_of(w->writing.tree->object, tape, c);
        for (unsigned i = 0; field >= 0 && i < kind->scope->owner.n_actions; i++) {
            const struct action *a = &kind->scope->owner.action[i];
            note->bare &= a->kind == ACTION_NODE || (a->field != field && a->beside != field);
        }
    }
    note->full |= kind->self && !says; /* of which nothing else is known: its name alone shows that it is there */
    w->notes.n += sizeof(*note);
    return 0;
}

/* The node written behind another, behind 0 the first; 0: none. */
static uint64_t next_node(const struct map_writer *w, uint64_t node)
{
    if (UNLIKELY(w->ordered))
        return write_node_behind(w, node);
    return node < notes(w) ? node + 1 : 0;
}

/* Gives out the numbers, in the order in which they will be written. */
static void number_nodes(struct map_writer *w)
{
    const uint32_t loose = UINT32_MAX; /* below nothing that has a number */
    const uint64_t begin = next_node(w, 0);
    uint32_t last = 0, open = 0;
    uint64_t first = begin;

    while (first && !w->writing.kind[note_of(w, first)->kind].group)
        first = next_node(w, first);
    for (uint64_t i = begin; i; i = next_node(w, i)) {
        struct node_note *n = note_of(w, i);
        const struct node_kind *kind = &w->writing.kind[n->kind];
        if (kind->group ||
            (kind->self && i == begin &&
             (n->full || tree_is_parent(&w->tree, i) || (first && note_of(w, first)->bare)))) {
            n->number = open = ++last;
        } else if (!kind->self && !kind->silent) {
            uint32_t place = (uint32_t)write_group_of(w, n->parent);
            place = place ? place : loose;
            if (place != open)
                n->number = ++last;
            open = place;
        }
    }
}

int write_see_tree(struct map_writer *w, struct frame *root)
{
    const struct record_field *list = w->writing.tree;
    const struct record_object *o = list->object;
    const struct record_field *id = &o->field[record_field_find(o, SLICE("id"))];
    const struct record_field *parent = &o->field[record_field_find(o, SLICE("parent"))];
    struct items items;
    unsigned how = w->crossing && w->writing.n_made && w->plan->made_kind ? ORDER_MADE : 0;
    bool ahead = false;
    uint32_t node;
    int code;

    tree_clear(&w->tree);
    buf_clear(&w->notes);
    if (!has(root, list->index))
        return 0;
    write_items_begin(w, root, list->index, &items);
    while ((code = write_items_next(w, &items, &node)) > 0) {
        struct slice name = slice(NULL, 0), up = name;
        uint32_t c = write_member_of(o, items.tape, node, id);
        uint64_t above;
        w->room_used = 0;
        if (c && (code = write_node_text(w, items.tape, c, &name)) < 0)
            return code;
        c = write_member_of(o, items.tape, node, parent);
        if (c && (code = write_node_text(w, items.tape, c, &up)) < 0)
            return code;
        above = up.n ? tree_find(&w->tree, up) : 0;
        code = tree_add(&w->tree, name);
        if (code > 0) {
            struct map_write_finding r = { .code = "RECORD-TREE",
                                           .severity = SEVERITY_ERROR,
                                           .value = name,
                                           .found = "is the id of a node before this one, too",
                                           .expected = "" };
            r.path = write_path(w, root, list, items.index, id);
            write_report(w, &r);
        }
        if (code >= 0 && above)
            code = tree_set_parent(&w->tree, above);
        if (code < 0)
            return err_set(w->err, code,
                           code == ERR_NOMEM ? "out of memory" : "too many nodes have names of their own");
        if (w->writing.n_kinds && (code = take_note(w, items.tape, node, above)) < 0)
            return code;
        if (UNLIKELY(up.n && !above)) {
            ahead = true;
            if (w->writing.n_kinds ? !w->writing.kind[note_of(w, items.index + 1)->kind].any_order
                                   : w->writing.parents_first)
                how |= ORDER_PARENTS;
        }
    }
    if (code == 0 && UNLIKELY(ahead || how))
        code = write_order_tree(w, root, how);
    if (UNLIKELY(w->ordered))
        for (uint64_t i = 1; i <= notes(w); i++)
            note_of(w, i)->parent = (uint32_t)write_node_above(w, i);
    if (code == 0 && w->writing.n_kinds)
        number_nodes(w);
    return code;
}

/* What a node takes from above belongs to the first of these fields: one that has that itself takes nothing. */
static bool stands_alone(const struct map_writer *w, const struct frame *f)
{
    return w->writing.n_above && has(f, w->writing.above[0]);
}

/* What the nodes below take from this one and those above it. */
static int hand_down(struct map_writer *w, const struct frame *f, const struct node_kind *kind, struct node_note *note)
{
    struct above *own = NULL;

    note->above = w->above;
    for (unsigned i = 0; i < w->writing.n_above; i++) {
        const uint16_t field = w->writing.above[i];
        struct slice v;
        int code;
        if (!bit_of(kind->hands, field) || !has(f, field))
            continue;
        code = write_node_text(w, f->tape, f->at[field], &v);
        if (code)
            return code;
        if (!own) {
            own = ARENA_NEW(&w->record_arena, struct above);
            if (!own)
                return err_nomem(w->err);
            if (w->above && !stands_alone(w, f))
                *own = *w->above;
            note->above = own;
        }
        own->value[i] = arena_copy(&w->record_arena, v);
        if (v.n && !own->value[i].p)
            return err_nomem(w->err);
    }
    return 0;
}

/* A place that was left for another is opened again: a name, and what it is below. */
static int open_again(struct map_writer *w, struct frame *f, const struct node_note *note)
{
    const struct node_kind *kind = w->writing.other;
    const uint64_t below = write_group_of(w, note->parent);
    const struct work *own;
    int code = 0;

    if (!kind)
        return 0;
    own = &kind->scope->owner;
    write_begin_segment(w, own, f);
    for (unsigned i = 0; i < own->n_actions && code >= 0; i++) {
        const struct action *a = &own->action[i];
        if (a->kind == ACTION_NODE)
            code = write_set_number(w, f, a, note->number);
        else if (a->kind == ACTION_PARENT && below)
            code = write_set_number(w, f, a, below);
    }
    return code < 0 ? code : write_end_segment(w, true);
}

/* The document itself: its name is written where there is something behind it, or a node below. */
static int write_self(struct map_writer *w, struct frame *f, const struct node_kind *kind, const struct node_note *note,
                      const struct json_tape *tape, uint32_t node)
{
    int code = write_collect(w, f, kind->scope, tape, node);

    if (code < 0)
        return code;
    if (f->index + 1 != next_node(w, 0)) {
        struct map_write_finding r = {
            .code = "RECORD-TREE",
            .severity = SEVERITY_ERROR,
            .value = kind->take->scope->kind_value,
            .found = "stands behind other nodes; the document has one of its kind, at its beginning",
            .expected = ""
        };
        r.path = write_path(w, f, NULL, 0, kind->take->scope->kind_field);
        write_report(w, &r);
        return 0;
    }
    if (kind->naming >= 0) {
        f->pending[kind->naming / 64] &= ~(1ull << (kind->naming % 64));
        if (note->number)
            set_bit(f->pending, (unsigned)kind->naming);
    }
    code = hand_down(w, f, kind, note_of(w, f->index + 1));
    return code < 0 ? code : write_run_inner(w, f);
}

static int write_one(struct map_writer *w, struct frame *f, const struct json_tape *tape, uint32_t node)
{
    struct node_note *note = note_of(w, f->index + 1);
    const struct node_kind *kind = &w->writing.kind[note->kind];
    int code;

    w->above = note->parent ? note_of(w, note->parent)->above : NULL;
    if (kind->self)
        return write_self(w, f, kind, note, tape, node);
    if (kind->silent) {
        code = write_collect(w, f, kind->scope, tape, node);
        return code < 0 ? code : hand_down(w, f, kind, note);
    }
    if (!kind->group && note->number) {
        code = open_again(w, f, note);
        if (code < 0)
            return code;
    }
    code = write_begin_item(w, f, kind->scope, tape, node);
    if (code >= 0)
        code = hand_down(w, f, kind, note);
    if (code >= 0 && stands_alone(w, f))
        w->above = NULL;
    for (unsigned i = 0; w->above && i < kind->scope->n_words; i++)
        f->pending[i] |= kind->takes[i];
    if (code >= 0)
        code = write_end_segment(w, true);
    return code < 0 ? code : write_run_inner(w, f);
}

int write_nodes(struct map_writer *w, struct frame *f, const struct work *k)
{
    const struct record_field *level = w->writing.kind[0].take->scope->kind_field;
    struct items items;
    uint32_t node;
    int code;

    write_items_begin(w, f, k->field, &items);
    while ((code = write_items_next(w, &items, &node)) > 0) {
        struct frame *item = &w->frame[w->top];
        struct slice v;
        if (UNLIKELY(items.tape->node[node].type != JSON_OBJECT)) {
            code = write_hold_against_kind(w);
            if (code < 0)
                return code;
            continue;
        }
        item->up = f;
        item->name = w->writing.tree;
        item->listed = true;
        item->index = items.index;
        w->top++;
        if (UNLIKELY(w->some_left) && !f->up)
            arena_reset(&w->item_arena);
        code = write_one(w, item, items.tape, node);
        w->above = NULL;
        if (code >= 0)
            code = level_of(w, items.tape, node, &v);
        if (code >= 0 && v.n &&
            !slice_eq(v, w->writing.kind[note_of(w, items.index + 1)->kind].take->scope->kind_value))
            write_report_loss(w, write_path(w, item, NULL, 0, level), v,
                              "is not written: no line of the map has such nodes");
        if (code >= 0 && k->check)
            write_count_item(w, k, w->writing.kind[note_of(w, items.index + 1)->kind].take->scope->kind_value);
        w->top--;
        if (UNLIKELY(f->left) && code >= 0)
            code = write_left_before(w, f, k->segment);
        if (code < 0)
            return code;
    }
    return code;
}
