/*
 * write_order: the nodes of a hierarchy in another order than the record's. A document that names a parent by a node before
 * it (HL02) cannot begin with the children, as records of one whose nodes come in any order (CPS) may. Then the nodes
 * are walked through from the roots down, those below one node in the record's order. A record whose parents stand
 * before their children keeps its own order, and costs nothing here.
 *
 * Of each node 24 bytes are kept: where it lies, on the tape or in the file of a record that is streamed, and who its
 * relations are. Nothing is written here and nothing is freed: the steps belong to the writer.
 */
#include "map/write_inside.h"

struct step {
    uint64_t place;  /* where its item lies */
    uint32_t parent; /* the node above, 0: none */
    uint32_t below;  /* the first node below, 0: none */
    uint32_t next;   /* the next one below the same */
    uint32_t number; /* its place in the order of writing; 0: it has not come yet */
};

/* That of the node 0 is what stands above the roots. */
static inline struct step *step_of(const struct map_writer *w, uint64_t node)
{
    return (struct step *)(void *)w->steps.p + node;
}

static inline uint32_t nodes_of(const struct map_writer *w)
{
    return (uint32_t)(w->steps.n / sizeof(struct step) - 1);
}

static int add_step(struct map_writer *w, uint64_t place, uint64_t parent)
{
    struct step *s = (struct step *)(void *)buf_reserve(&w->steps, sizeof(*s));

    if (!s || parent > UINT32_MAX)
        return err_set(w->err, w->steps.failed ? w->steps.failed : ERR_LIMIT, "too many nodes");
    *s = (struct step){ .place = place, .parent = (uint32_t)parent };
    w->steps.n += sizeof(*s);
    return 0;
}

/* A node that stands below itself becomes a root, so that each node is somewhere. */
static void cut_circles(struct map_writer *w)
{
    for (uint32_t i = 1; i <= nodes_of(w); i++) {
        uint32_t k = i;
        for (; k && !step_of(w, k)->number; k = step_of(w, k)->parent)
            step_of(w, k)->number = i;
        if (k && step_of(w, k)->number == i)
            step_of(w, k)->parent = 0;
    }
}

static void join_nodes(struct map_writer *w)
{
    for (uint32_t i = nodes_of(w); i; i--) {
        struct step *s = step_of(w, i), *up = step_of(w, s->parent);
        s->next = up->below;
        up->below = i;
        s->number = 0;
    }
}

int write_order_tree(struct map_writer *w, struct frame *root, bool parents_first)
{
    const struct record_field *list = w->writing.tree;
    const struct record_object *o = list->object;
    const struct record_field *parent = &o->field[record_field_find(o, SLICE("parent"))];
    struct items items;
    bool ahead = false;
    uint32_t node;
    int code;

    buf_clear(&w->steps);
    code = parents_first ? add_step(w, 0, 0) : 0;
    write_items_begin(w, root, list->index, &items);
    for (;;) {
        const uint64_t place = items.streamed ? record_items_place(&items.it) : items.next;
        struct slice up = slice(NULL, 0);
        uint64_t above;
        uint32_t c;
        if (code < 0 || (code = write_items_next(w, &items, &node)) <= 0)
            break;
        w->room_used = 0;
        c = write_member_of(o, items.tape, node, parent);
        if (c && (code = write_node_text(w, items.tape, c, &up)) < 0)
            break;
        above = up.n ? tree_find(&w->tree, up) : 0;
        above = above == items.index + 1 ? 0 : above;
        ahead |= above > items.index;
        code = parents_first ? add_step(w, place, above) : 0;
        if (code == 0 && above && tree_set_parent(&w->tree, above) < 0)
            code = err_nomem(w->err);
    }
    if (code < 0)
        return code;
    w->ordered = ahead && parents_first;
    if (w->ordered) {
        cut_circles(w);
        join_nodes(w);
    }
    return 0;
}

uint64_t write_node_behind(const struct map_writer *w, uint64_t node)
{
    if (step_of(w, node)->below)
        return step_of(w, node)->below;
    while (node && !step_of(w, node)->next)
        node = step_of(w, node)->parent;
    return node ? step_of(w, node)->next : 0;
}

uint64_t write_node_above(const struct map_writer *w, uint64_t node)
{
    return step_of(w, node)->parent;
}

uint64_t write_node_number(const struct map_writer *w, uint64_t node)
{
    return step_of(w, node)->number;
}

int write_items_ordered(struct map_writer *w, struct items *i, uint32_t *node_r)
{
    const uint64_t node = write_node_behind(w, i->node);
    struct step *s = step_of(w, node);
    int code = node ? 1 : 0;

    i->node = node;
    i->index = node - 1;
    if (node)
        s->number = ++i->number;
    if (node && i->streamed) {
        record_items_go(&i->it, s->place);
        code = record_items_next(&i->it, &i->tape, node_r, w->err);
        w->stream_index = i->index;
        w->stream_tape = i->tape;
        w->stream_node = code > 0 ? *node_r : 0;
        w->item_verified = false;
    } else if (node) {
        *node_r = (uint32_t)s->place;
    }
    if (code <= 0 && i->streamed)
        w->streaming = NULL;
    return code;
}
