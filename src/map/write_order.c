/*
 * write_order: the nodes of a hierarchy in another order than the record's. A document that names a parent by a node
 * before it (HL02) cannot begin with the children, as records of one whose nodes come in any order (CPS) may. Then the
 * nodes are walked through from the roots down, those below one node in the record's order. A record whose parents
 * stand before their children keeps its own order, and costs nothing here.
 *
 * And nodes that the record has not: in a DESADV each item says its order, in an 856 the order is a node above (`below`
 * in the map). One is made above the highest nodes of whose items all say the same.
 *
 * Of each node 32 bytes are kept: where it lies, on the tape or in the file of a record that is streamed, and who its
 * relations are. Nothing is written here and nothing is freed: all that belongs to the writer.
 */
#include "map/write_inside.h"

struct step {
    uint64_t place;  /* where its item lies; of one that is made, that of who says what it does */
    uint32_t parent; /* the node above, 0: none */
    uint32_t below;  /* the first node below, 0: none */
    uint32_t next;   /* the next one below the same */
    uint32_t number; /* its place in the order of writing; 0: it has not come yet */
    uint32_t head;   /* of w->heads: what it says itself; 0: nothing */
    uint32_t all;    /* that of all that stand at the ends below it, who say it or the nearest above them; 0: not known yet */
};

enum { SAYS_NOTHING = UINT32_MAX - 1, SAYS_SEVERAL = UINT32_MAX };

/* Of what one of w->heads says. */
struct maker {
    uint32_t node; /* the first that says it */
    uint32_t made; /* the node made for it last, 0: none yet */
    uint32_t last; /* the last one below that */
};

/* That of the node 0 is what stands above the roots. */
static inline struct step *step_of(const struct map_writer *w, uint64_t node)
{
    return (struct step *)(void *)w->steps.p + node;
}

static inline struct maker *maker_of(const struct map_writer *w, uint32_t head)
{
    return (struct maker *)(void *)w->makers.p + (head - 1);
}

static inline uint32_t last_step(const struct map_writer *w)
{
    return (uint32_t)(w->steps.n / sizeof(struct step) - 1);
}

/* The nodes of the record: those that are made stand behind them. */
static inline uint32_t nodes_of(const struct map_writer *w)
{
    return last_step(w) - w->n_made;
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

/* ---- nodes that are made ---- */

/* What the node at hand says of those fields, as a number of w->heads; 0: nothing. */
static int head_of(struct map_writer *w, const struct json_tape *tape, uint32_t node, uint32_t *head_r)
{
    const struct record_object *o = w->writing.tree->object;
    uint64_t head;

    *head_r = 0;
    buf_clear(&w->made);
    for (unsigned i = 0; i < w->writing.n_made; i++) {
        const uint32_t c = write_member_of(o, tape, node, w->writing.made[i]);
        if (i == 0 && (!c || !tape->node[c].n))
            return 0;
        if (c)
            buf_add_slice(&w->made, json_raw(tape, c));
        buf_add_char(&w->made, '\n');
    }
    head = tree_find(&w->heads, buf_slice(&w->made));
    if (!head) {
        struct maker *m = (struct maker *)(void *)buf_reserve(&w->makers, sizeof(*m));
        const int code = w->made.failed ? w->made.failed
                         : m            ? tree_add(&w->heads, buf_slice(&w->made))
                                        : w->makers.failed;
        if (code < 0)
            return err_set(w->err, code, code == ERR_NOMEM ? "out of memory" : "too many nodes would have to be made");
        *m = (struct maker){ .node = nodes_of(w) + 1 };
        w->makers.n += sizeof(*m);
        head = w->heads.n;
    }
    *head_r = (uint32_t)head;
    return 0;
}

/* What is said by all that stand at the ends below each node: what they say themselves, or the nearest one above that
 * does. */
static void settle_heads(struct map_writer *w)
{
    uint32_t k = step_of(w, 0)->below;

    while (k) {
        struct step *s = step_of(w, k);
        uint32_t says = k;
        if (s->below) {
            k = s->below;
            continue;
        }
        while (says && !step_of(w, says)->head)
            says = step_of(w, says)->parent;
        s->all = says ? step_of(w, says)->head : SAYS_NOTHING;
        for (; k; k = s->parent, s = step_of(w, k)) {
            struct step *up = step_of(w, s->parent);
            up->all = !up->all || up->all == s->all ? s->all : SAYS_SEVERAL;
            if (s->next)
                break;
        }
        k = s->next;
    }
}

/* Puts a node behind the others below one. */
static void put_below(struct map_writer *w, uint32_t parent, uint32_t *last, uint32_t node)
{
    if (*last)
        step_of(w, *last)->next = node;
    else
        step_of(w, parent)->below = node;
    step_of(w, node)->parent = parent;
    *last = node;
}

/* Nodes below one whose ends all say the same go below a node that says it, each such node once. */
static int make_nodes(struct map_writer *w, uint32_t parent)
{
    uint32_t c = step_of(w, parent)->below, last = 0, next;
    int code = 0;

    step_of(w, parent)->below = 0;
    for (; c; c = next) {
        const uint32_t head = step_of(w, c)->all;
        struct maker *m = head < SAYS_NOTHING ? maker_of(w, head) : NULL;
        next = step_of(w, c)->next;
        step_of(w, c)->next = 0;
        if (!m) {
            put_below(w, parent, &last, c);
            continue;
        }
        if (!m->made || step_of(w, m->made)->parent != parent) {
            code = add_step(w, step_of(w, m->node)->place, 0);
            if (code < 0)
                break;
            w->n_made++;
            m->made = last_step(w);
            m->last = 0;
            step_of(w, m->made)->head = head;
            put_below(w, parent, &last, m->made);
        }
        put_below(w, m->made, &m->last, c);
    }
    return code;
}

/* Below the roots, and wherever the ends below a node say several things. */
static int make_all_nodes(struct map_writer *w)
{
    const uint32_t n = nodes_of(w);
    int code = 0;

    settle_heads(w);
    for (uint32_t i = 1; i <= n && code == 0; i++)
        if (step_of(w, i)->below && (!step_of(w, i)->parent || step_of(w, i)->all == SAYS_SEVERAL))
            code = make_nodes(w, i);
    for (unsigned i = 0; i < w->writing.n_checks; i++) {
        struct check_work *check = &w->writing.check[i];
        if (check->ahead && check->kind == ACTION_COUNT && check->list_field == w->writing.tree->index)
            check->count += w->n_made;
    }
    return code;
}

/* Is it said of a node by one that was made for it? */
static bool is_said(const struct map_writer *w, uint64_t node)
{
    const uint32_t n = nodes_of(w);
    const struct step *s = step_of(w, node);

    if (node > n || !s->head)
        return false;
    if (!s->parent)
        return s->below > n && s->all == s->head;
    for (uint32_t up = s->parent; up; up = step_of(w, up)->parent)
        if (up > n || (step_of(w, up)->head && step_of(w, up)->head != s->head))
            return step_of(w, up)->head == s->head;
    return false;
}

void write_leave_to_made(const struct map_writer *w, struct frame *item)
{
    const struct scope_work *s = item->scope;

    if (!is_said(w, w->at_step))
        return;
    for (unsigned i = 0; i < s->n_works; i++) {
        const struct work *k = &s->work[i];
        bool more = k->n_spreads || k->n_members;
        for (unsigned n = 0; n < k->n_actions; n++)
            more |= !k->action[n].below && (has(item, k->action[n].field) || has(item, k->action[n].beside));
        if (k->below && !more)
            item->pending[i / 64] &= ~(1ull << (i % 64));
    }
}

/* The node at hand is made: its tape. */
static int make_tape(struct map_writer *w, const struct json_tape *tape, uint32_t node)
{
    const struct record_object *o = w->writing.tree->object;
    int code;

    buf_clear(&w->made);
    buf_add_text(&w->made, "{\"");
    buf_add_slice(&w->made, w->plan->made_kind->name);
    buf_add_text(&w->made, "\":\"");
    buf_add_json(&w->made, w->plan->made_value);
    for (unsigned i = 0; i < w->writing.n_made; i++) {
        const uint32_t c = write_member_of(o, tape, node, w->writing.made[i]);
        if (!c || tape->node[c].type != JSON_STRING)
            continue;
        buf_add_text(&w->made, "\",\"");
        buf_add_slice(&w->made, w->writing.made[i]->name);
        buf_add_text(&w->made, "\":\"");
        buf_add_slice(&w->made, json_raw(tape, c));
    }
    buf_add_text(&w->made, "\"}");
    code = w->made.failed;
    if (code == 0)
        code = json_parse(&w->made_tape, buf_slice(&w->made), w->err);
    else
        err_set(w->err, code, "%s", err_name(code));
    return code;
}

/* ---- the order ---- */

int write_order_tree(struct map_writer *w, struct frame *root, unsigned how)
{
    const struct record_field *list = w->writing.tree;
    const struct record_object *o = list->object;
    const struct record_field *parent = &o->field[record_field_find(o, SLICE("parent"))];
    struct items items;
    bool ahead = false;
    uint32_t node;
    int code;

    buf_clear(&w->steps);
    buf_clear(&w->makers);
    tree_clear(&w->heads);
    code = how ? add_step(w, 0, 0) : 0;
    write_items_begin(w, root, list->index, &items);
    for (;;) {
        const uint64_t place = items.streamed ? record_items_place(&items.it) : items.next;
        struct slice v = slice(NULL, 0);
        uint32_t c, head = 0;
        uint64_t above;
        if (code < 0 || (code = write_items_next(w, &items, &node)) <= 0)
            break;
        w->room_used = 0;
        c = write_member_of(o, items.tape, node, parent);
        if (c && (code = write_node_text(w, items.tape, c, &v)) < 0)
            break;
        above = v.n ? tree_find(&w->tree, v) : 0;
        above = above == items.index + 1 ? 0 : above;
        ahead |= above > items.index;
        if (how & ORDER_MADE && (c = write_member_of(o, items.tape, node, w->plan->made_kind)) &&
            slice_eq(json_raw(items.tape, c), w->plan->made_value))
            how &= ~(unsigned)ORDER_MADE; /* the record has such nodes itself */
        if (how & ORDER_MADE)
            code = head_of(w, items.tape, node, &head);
        if (how && code >= 0 && (code = add_step(w, place, above)) == 0)
            step_of(w, items.index + 1)->head = head;
        if (code >= 0 && above && tree_set_parent(&w->tree, above) < 0)
            code = err_nomem(w->err);
    }
    if (code < 0)
        return code;
    how &= w->heads.n ? ~0u : ~(unsigned)ORDER_MADE;
    w->ordered = how & ORDER_MADE || (ahead && how);
    if (w->ordered) {
        cut_circles(w);
        join_nodes(w);
    }
    code = how & ORDER_MADE ? make_all_nodes(w) : 0;
    w->ordered &= ahead || w->n_made;
    return code;
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

bool write_node_is_parent(const struct map_writer *w, uint64_t node)
{
    return step_of(w, node)->below != 0;
}

int write_items_ordered(struct map_writer *w, struct items *i, uint32_t *node_r)
{
    const uint64_t node = write_node_behind(w, i->node);
    struct step *s = step_of(w, node);
    const bool made = node > nodes_of(w);
    int code = 1;

    w->at_step = i->node = node;
    if (!node) {
        if (i->streamed)
            w->streaming = NULL;
        return 0;
    }
    i->index = (made ? maker_of(w, s->head)->node : node) - 1;
    i->tape = w->frame[0].tape;
    *node_r = (uint32_t)s->place;
    s->number = ++i->number;
    if (i->streamed) {
        record_items_go(&i->it, s->place);
        code = record_items_next(&i->it, &i->tape, node_r, w->err);
    }
    if (code > 0 && made) {
        code = make_tape(w, i->tape, *node_r);
        code = code < 0 ? code : 1;
        i->tape = &w->made_tape;
        *node_r = 0;
    }
    if (i->streamed) {
        w->stream_index = i->index;
        w->stream_tape = i->tape;
        w->stream_node = *node_r;
        w->item_verified = false;
        if (code <= 0)
            w->streaming = NULL;
    }
    return code;
}
