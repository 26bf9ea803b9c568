/*
 * compare: see compare.h.
 *
 * Pairing costs time in proportion to the values of the two lists (and a sort of them), never to the product of their
 * lengths: a value that many items have is no evidence and is passed over.
 */
#include "flow/compare.h"

#include <stdlib.h>

enum {
    MOST_COMBINATIONS = 64,     /* of items that share a value; beyond, it tells nothing */
    MOST_ALIKE = 8,             /* items of one list that may share what is taken for their own */
    WEIGHT_MOST = 12,           /* bytes of a value that count */
    WEIGHT_UNIT = 64,
    KEY_WEIGHT = 3,
    SCRATCH_CEILING = 1 << 30
};

struct compare_node *compare_add(struct arena *arena, struct compare_node *parent, enum compare_type type,
                                 struct slice name)
{
    struct compare_node *node = ARENA_NEW(arena, struct compare_node);

    if (!node)
        return NULL;
    node->type = (uint8_t)type;
    node->name = name;
    if (parent) {
        node->index = parent->n++;
        if (parent->last)
            parent->last->next = node;
        else
            parent->first = node;
        parent->last = node;
    }
    return node;
}

struct compare_node *compare_add_value(struct arena *arena, struct compare_node *parent, struct slice name,
                                       struct slice value, struct slice meaning)
{
    struct compare_node *node = compare_add(arena, parent, COMPARE_VALUE, name);

    if (node) {
        node->value = value;
        node->meaning = meaning;
    }
    return node;
}

/* --- Hashes ------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t with)
{
    h = (h ^ with) * 0x9E3779B97F4A7C15ull;
    return h ^ h >> 32;
}

static bool is_ordered(const struct compare_node *list)
{
    return (list->flags & COMPARE_ORDERED) || (list->first && list->first->type == COMPARE_VALUE);
}

void compare_finish(struct compare_node *node)
{
    uint64_t sum = 0;

    if (node->type == COMPARE_VALUE) {
        /* numbers that mean nothing by themselves make no two items different */
        node->hash = node->flags & (COMPARE_ID | COMPARE_REFERENCE) ? 1 : mix(2, slice_hash(node->meaning));
        return;
    }
    for (struct compare_node *c = node->first; c; c = c->next) {
        compare_finish(c);
        if (node->type == COMPARE_LIST && is_ordered(node))
            sum = mix(sum, c->hash);
        else
            sum += mix(c->hash, node->type == COMPARE_OBJECT ? slice_hash(c->name) : 3);
    }
    node->hash = mix(sum, (uint64_t)node->n << 2 | node->type);
}

/* --- Pairing ------------------------------------------------------------------------ */

struct leaf {
    uint64_t hash;          /* of the value and its path in the item */
    uint32_t item;
    uint16_t weight;
    bool second;            /* of b */
};

struct leaves {
    struct arena *arena;
    struct leaf *leaf;
    size_t n, room;
};

struct vote {
    uint32_t a, b;
    uint64_t weight;
};

static bool add_leaves(struct leaves *l, const struct compare_node *node, uint64_t path, uint32_t item, bool second)
{
    if (node->type == COMPARE_VALUE) {
        unsigned weight = node->meaning.n < WEIGHT_MOST ? (unsigned)node->meaning.n : WEIGHT_MOST;
        if (node->flags & (COMPARE_ID | COMPARE_REFERENCE))
            return true;
        l->leaf = arena_grow(l->arena, l->leaf, l->n, &l->room, sizeof(*l->leaf));
        if (!l->leaf)
            return false;
        if (node->flags & COMPARE_KEY)
            weight *= KEY_WEIGHT;
        l->leaf[l->n++] = (struct leaf){ mix(path, node->hash), item, (uint16_t)(weight + 1), second };
        return true;
    }
    for (const struct compare_node *c = node->first; c; c = c->next)
        if (!add_leaves(l, c, mix(path, slice_hash(c->name)), item, second))
            return false;
    return true;
}

static int leaf_order(const void *x, const void *y)
{
    const struct leaf *a = x, *b = y;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->second != b->second)
        return a->second - b->second;
    return (a->item > b->item) - (a->item < b->item);
}

static int vote_place(const void *x, const void *y)
{
    const struct vote *a = x, *b = y;
    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    return (a->b > b->b) - (a->b < b->b);
}

static uint32_t apart(const struct vote *v)
{
    return v->a > v->b ? v->a - v->b : v->b - v->a;
}

static int vote_order(const void *x, const void *y)
{
    const struct vote *a = x, *b = y;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    if (apart(a) != apart(b))
        return apart(a) < apart(b) ? -1 : 1;
    return vote_place(x, y);
}

struct pairing {
    struct arena *arena;
    const struct compare_node **a, **b;     /* the items */
    uint32_t n_a, n_b;
    int64_t *partner;                       /* of a's items */
    int64_t *partner_b;
};

static void pair(struct pairing *p, uint32_t a, uint32_t b)
{
    p->partner[a] = b;
    p->partner_b[b] = a;
}

struct whole {
    uint64_t hash;
    uint32_t item;
};

static int whole_order(const void *x, const void *y)
{
    const struct whole *a = x, *b = y;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->item > b->item) - (a->item < b->item);
}

/* Items that say the same; of several in their order. */
static bool pair_equal(struct pairing *p)
{
    struct whole *a = ARENA_ARRAY(p->arena, p->n_a, struct whole), *b = ARENA_ARRAY(p->arena, p->n_b, struct whole);
    uint32_t i, k;

    if (!a || !b)
        return false;
    for (i = 0; i < p->n_a; i++)
        a[i] = (struct whole){ p->a[i]->hash, i };
    for (k = 0; k < p->n_b; k++)
        b[k] = (struct whole){ p->b[k]->hash, k };
    qsort(a, p->n_a, sizeof(*a), whole_order);
    qsort(b, p->n_b, sizeof(*b), whole_order);
    for (i = k = 0; i < p->n_a && k < p->n_b;) {
        if (a[i].hash == b[k].hash)
            pair(p, a[i++].item, b[k++].item);
        else if (a[i].hash < b[k].hash)
            i++;
        else
            k++;
    }
    return true;
}

/* By what only they share. */
static bool pair_by_evidence(struct pairing *p)
{
    struct leaves l = { .arena = p->arena };
    struct vote *vote = NULL;
    size_t n = 0, room = 0, kept = 0;
    uint64_t *own_a = ARENA_ARRAY(p->arena, p->n_a, uint64_t), *own_b = ARENA_ARRAY(p->arena, p->n_b, uint64_t);

    if (!own_a || !own_b)
        return false;
    for (uint32_t i = 0; i < p->n_a; i++)
        if (p->partner[i] < 0 && !add_leaves(&l, p->a[i], 0, i, false))
            return false;
    for (uint32_t k = 0; k < p->n_b; k++)
        if (p->partner_b[k] < 0 && !add_leaves(&l, p->b[k], 0, k, true))
            return false;
    if (l.n)
        qsort(l.leaf, l.n, sizeof(*l.leaf), leaf_order);
    for (size_t from = 0, end; from < l.n; from = end) {
        size_t middle = from;
        uint64_t n_a, n_b;
        while (middle < l.n && l.leaf[middle].hash == l.leaf[from].hash && !l.leaf[middle].second)
            middle++;
        for (end = middle; end < l.n && l.leaf[end].hash == l.leaf[from].hash; end++)
            ;
        n_a = middle - from;
        n_b = end - middle;
        for (size_t i = from; i < end; i++) {
            const struct leaf *leaf = &l.leaf[i];
            uint64_t alike = leaf->second ? n_b : n_a;
            if (alike <= MOST_ALIKE)
                (leaf->second ? own_b : own_a)[leaf->item] += leaf->weight * (uint64_t)WEIGHT_UNIT / alike;
        }
        if (n_a * n_b > MOST_COMBINATIONS)
            continue;
        for (size_t i = from; i < middle; i++)
            for (size_t k = middle; k < end; k++) {
                vote = arena_grow(p->arena, vote, n, &room, sizeof(*vote));
                if (!vote)
                    return false;
                vote[n++] = (struct vote){ l.leaf[i].item, l.leaf[k].item,
                                           l.leaf[i].weight * (uint64_t)WEIGHT_UNIT / (n_a * n_b) };
            }
    }
    if (!n)
        return true;
    qsort(vote, n, sizeof(*vote), vote_place);
    for (size_t i = 0; i < n; i++) {
        if (kept && vote[kept - 1].a == vote[i].a && vote[kept - 1].b == vote[i].b)
            vote[kept - 1].weight += vote[i].weight;
        else
            vote[kept++] = vote[i];
    }
    qsort(vote, kept, sizeof(*vote), vote_order);
    for (size_t i = 0; i < kept; i++) {
        const struct vote *v = &vote[i];
        uint64_t own = own_a[v->a] < own_b[v->b] ? own_a[v->a] : own_b[v->b];
        if (p->partner[v->a] < 0 && p->partner_b[v->b] < 0 && v->weight * 5 >= own)
            pair(p, v->a, v->b);
    }
    return true;
}

/* Do the values that tell what two items are speak of different things? */
static bool other_keys(const struct compare_node *a, const struct compare_node *b)
{
    for (const struct compare_node *c = a->first; c; c = c->next)
        for (const struct compare_node *d = b->first; c->flags & COMPARE_KEY && d; d = d->next)
            if (slice_eq(c->name, d->name) && c->hash != d->hash)
                return true;
    return false;
}

/* A quarter of what the smaller one says, at least. 1, 0 or negative. */
static int alike(struct pairing *p, const struct compare_node *a, const struct compare_node *b)
{
    struct leaves l = { .arena = p->arena };
    size_t n_a, n_b, same = 0;

    if (other_keys(a, b))
        return 0;
    if (!add_leaves(&l, a, 0, 0, false))
        return ERR_NOMEM;
    n_a = l.n;
    if (!add_leaves(&l, b, 0, 0, true))
        return ERR_NOMEM;
    n_b = l.n - n_a;
    if (l.n)
        qsort(l.leaf, l.n, sizeof(*l.leaf), leaf_order);
    for (size_t i = 1; i < l.n; i++)
        same += l.leaf[i].hash == l.leaf[i - 1].hash && l.leaf[i].second && !l.leaf[i - 1].second;
    return same > 0 && same * 4 >= (n_a < n_b ? n_a : n_b);
}

/* What is left over beside a pair, or at an end, when it is alike. */
static int pair_neighbours(struct pairing *p)
{
    int r;

    for (uint32_t i = 0; i < p->n_a; i++) {
        int64_t k = i == 0 ? 0 : p->partner[i - 1] < 0 ? -1 : p->partner[i - 1] + 1;
        if (p->partner[i] >= 0 || k < 0 || k >= p->n_b || p->partner_b[k] >= 0)
            continue;
        if ((r = alike(p, p->a[i], p->b[k])) < 0)
            return r;
        if (r)
            pair(p, i, (uint32_t)k);
    }
    for (uint32_t i = p->n_a; i-- > 0;) {
        int64_t k = i + 1 == p->n_a ? (int64_t)p->n_b - 1 : p->partner[i + 1] < 0 ? -1 : p->partner[i + 1] - 1;
        if (p->partner[i] >= 0 || k < 0 || p->partner_b[k] >= 0)
            continue;
        if ((r = alike(p, p->a[i], p->b[k])) < 0)
            return r;
        if (r)
            pair(p, i, (uint32_t)k);
    }
    return 0;
}

/* Where order means something: what is the same at the beginning and at the end, then one by one. */
static void pair_in_order(struct pairing *p)
{
    uint32_t from = 0, end_a = p->n_a, end_b = p->n_b;

    while (from < end_a && from < end_b && p->a[from]->hash == p->b[from]->hash) {
        pair(p, from, from);
        from++;
    }
    while (end_a > from && end_b > from && p->a[end_a - 1]->hash == p->b[end_b - 1]->hash) {
        end_a--;
        end_b--;
        pair(p, end_a, end_b);
    }
    for (; from < end_a && from < end_b; from++)
        pair(p, from, from);
}

static const struct compare_node **items_of(struct arena *arena, const struct compare_node *list)
{
    const struct compare_node **item = arena_array(arena, list->n, sizeof(*item));
    uint32_t n = 0;

    for (const struct compare_node *c = list->first; item && c; c = c->next)
        item[n++] = c;
    return item;
}

/* p->arena is set. */
static int pair_items(struct pairing *p, const struct compare_node *a, const struct compare_node *b)
{
    p->n_a = a->n;
    p->n_b = b->n;
    p->a = items_of(p->arena, a);
    p->b = items_of(p->arena, b);
    if (!p->partner)
        p->partner = ARENA_ARRAY(p->arena, a->n, int64_t);
    p->partner_b = ARENA_ARRAY(p->arena, b->n, int64_t);
    if (!p->a || !p->b || !p->partner || !p->partner_b)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < p->n_a; i++)
        p->partner[i] = -1;
    for (uint32_t k = 0; k < p->n_b; k++)
        p->partner_b[k] = -1;
    if (p->n_a == 1 && p->n_b == 1 && a->flags & b->flags & COMPARE_SINGLE) {
        pair(p, 0, 0);
        return 0;
    }
    if (is_ordered(a) || is_ordered(b)) {
        pair_in_order(p);
        return 0;
    }
    return pair_equal(p) && pair_by_evidence(p) ? pair_neighbours(p) : ERR_NOMEM;
}

int compare_pair(const struct compare_node *a, const struct compare_node *b, struct arena *scratch, int64_t *partner)
{
    struct pairing p = { .arena = scratch, .partner = partner };
    return pair_items(&p, a, b);
}

/* --- Comparing ---------------------------------------------------------------------- */

/* A list under way, for numbers of its items that mean nothing by themselves. */
struct list_at_hand {
    const struct pairing *pairing;
    struct {
        uint64_t hash;
        uint32_t item;
    } *id;                          /* of a's items, in the order of the hashes */
    uint32_t n_ids;
    struct slice counted;           /* the member found to count the items */
    bool counts, decided;
    uint64_t renumbered;
    struct difference first;        /* the first of them */
    const struct compare_node *path_a[2], *path_b[2];
};

struct comparing {
    difference_fn *function;
    void *ctx;
    struct arena scratch;
    const struct compare_node *path_a[COMPARE_DEPTH], *path_b[COMPARE_DEPTH];
    unsigned depth;
};

static int tell(struct comparing *x, enum difference_kind kind, const struct compare_node *a,
                const struct compare_node *b, uint64_t items)
{
    struct difference d = { .kind = kind, .a = a, .b = b, .path_a = a ? x->path_a : NULL,
                            .path_b = b ? x->path_b : NULL, .depth = x->depth, .items = items };
    return x->function(x->ctx, &d);
}

static int compare_nodes(struct comparing *x, const struct compare_node *a, const struct compare_node *b,
                         struct list_at_hand *list);

static int step(struct comparing *x, const struct compare_node *a, const struct compare_node *b,
                struct list_at_hand *list)
{
    int r;

    if (x->depth == COMPARE_DEPTH)
        return ERR_LIMIT;
    x->path_a[x->depth] = a;
    x->path_b[x->depth] = b;
    x->depth++;
    if (a && b)
        r = compare_nodes(x, a, b, list);
    else
        r = tell(x, a ? DIFFERENCE_REMOVED : DIFFERENCE_ADDED, a, b, 0);
    x->depth--;
    return r;
}

static const struct compare_node *member(const struct compare_node *object, struct slice name)
{
    for (const struct compare_node *c = object->first; c; c = c->next)
        if (slice_eq(c->name, name))
            return c;
    return NULL;
}

/* A list that is there on one side only is as good as an empty one on the other. */
static int compare_list(struct comparing *x, const struct compare_node *a, const struct compare_node *b);

static int compare_members(struct comparing *x, const struct compare_node *a, const struct compare_node *b,
                           struct list_at_hand *list)
{
    static const struct compare_node empty = { .type = COMPARE_LIST };
    const struct compare_node *guess = b->first;
    int r = 0;

    for (const struct compare_node *c = a->first; c && r == 0; c = c->next) {
        /* nearly always both have the same members in the same order */
        const struct compare_node *d = guess && slice_eq(guess->name, c->name) ? guess : member(b, c->name);
        if (d)
            guess = d->next;
        r = step(x, c, d ? d : c->type == COMPARE_LIST ? &empty : NULL, list);
    }
    guess = a->first;
    for (const struct compare_node *d = b->first; d && r == 0; d = d->next) {
        const struct compare_node *c = guess && slice_eq(guess->name, d->name) ? guess : member(a, d->name);
        if (c)
            guess = c->next;
        else
            r = step(x, d->type == COMPARE_LIST ? &empty : NULL, d, list);
    }
    return r;
}

static int id_order(const void *x, const void *y)
{
    const uint64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

static const struct compare_node *flagged(const struct compare_node *item, unsigned flag)
{
    for (const struct compare_node *c = item->first; c; c = c->next)
        if (c->type == COMPARE_VALUE && c->flags & flag)
            return c;
    return NULL;
}

/* Do two references lead to items that are a pair? */
static bool same_reference(const struct list_at_hand *l, const struct compare_node *a, const struct compare_node *b)
{
    uint64_t hash = slice_hash(a->meaning);
    uint32_t from = 0, end = l->n_ids;
    bool found = false;

    while (from < end) {
        uint32_t middle = from + (end - from) / 2;
        if (l->id[middle].hash < hash)
            from = middle + 1;
        else
            end = middle;
    }
    for (; from < l->n_ids && l->id[from].hash == hash; from++) {
        const struct compare_node *id = flagged(l->pairing->a[l->id[from].item], COMPARE_ID);
        int64_t partner = l->pairing->partner[l->id[from].item];
        const struct compare_node *other = partner >= 0 ? flagged(l->pairing->b[partner], COMPARE_ID) : NULL;
        if (!slice_eq(id->meaning, a->meaning))
            continue;
        if (other && slice_eq(other->meaning, b->meaning))
            return true;
        found = true;
    }
    /* one that leads nowhere is as good as any other value */
    return !found && slice_eq(a->meaning, b->meaning);
}

static bool is_place(struct slice s, uint64_t place)
{
    uint64_t number;
    return slice_number(s, UINT32_MAX, &number) && number == place + 1;
}

/* Does the member of this name just count the items, in both lists? */
static bool only_counts(struct list_at_hand *l, struct slice name)
{
    if (l->decided && slice_eq(l->counted, name))
        return l->counts;
    l->decided = true;
    l->counted = name;
    l->counts = l->pairing->n_a > 1 || l->pairing->n_b > 1;
    for (uint32_t side = 0; side < 2; side++)
        for (uint32_t i = 0; l->counts && i < (side ? l->pairing->n_b : l->pairing->n_a); i++) {
            const struct compare_node *m = member(side ? l->pairing->b[i] : l->pairing->a[i], name);
            l->counts = m && m->type == COMPARE_VALUE && is_place(m->meaning, i);
        }
    return l->counts;
}

static int compare_values(struct comparing *x, const struct compare_node *a, const struct compare_node *b,
                          struct list_at_hand *l)
{
    if (l && a->flags & b->flags & COMPARE_ID)
        return 0;
    if (l && a->flags & b->flags & COMPARE_REFERENCE)
        return same_reference(l, a, b) ? 0 : tell(x, DIFFERENCE_CHANGED, a, b, 0);
    if (slice_eq(a->meaning, b->meaning))
        return 0;
    if (l && only_counts(l, a->name)) {
        if (!l->renumbered++) {
            l->path_a[0] = x->path_a[x->depth - 2];
            l->path_b[0] = x->path_b[x->depth - 2];
            l->path_a[1] = a;
            l->path_b[1] = b;
        }
        return 0;
    }
    return tell(x, DIFFERENCE_CHANGED, a, b, 0);
}

static int find_ids(struct comparing *x, struct list_at_hand *l)
{
    l->id = arena_array(&x->scratch, l->pairing->n_a, sizeof(*l->id));
    if (!l->id)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < l->pairing->n_a; i++) {
        const struct compare_node *id = flagged(l->pairing->a[i], COMPARE_ID);
        if (id) {
            l->id[l->n_ids].hash = slice_hash(id->meaning);
            l->id[l->n_ids++].item = i;
        }
    }
    if (l->n_ids)
        qsort(l->id, l->n_ids, sizeof(*l->id), id_order);
    return 0;
}

static int compare_list(struct comparing *x, const struct compare_node *a, const struct compare_node *b)
{
    struct pairing p = { .arena = &x->scratch };
    struct list_at_hand l = { .pairing = &p };
    int r = pair_items(&p, a, b);

    if (r == 0)
        r = find_ids(x, &l);
    for (uint32_t i = 0; r == 0 && i < p.n_a; i++)
        r = step(x, p.a[i], p.partner[i] < 0 ? NULL : p.b[p.partner[i]], &l);
    for (uint32_t k = 0; r == 0 && k < p.n_b; k++)
        if (p.partner_b[k] < 0)
            r = step(x, NULL, p.b[k], &l);
    if (r == 0 && l.renumbered) {
        if (x->depth + 2 > COMPARE_DEPTH)
            return ERR_LIMIT;
        memcpy(&x->path_a[x->depth], l.path_a, sizeof(l.path_a));
        memcpy(&x->path_b[x->depth], l.path_b, sizeof(l.path_b));
        x->depth += 2;
        r = tell(x, DIFFERENCE_RENUMBERED, l.path_a[1], l.path_b[1], l.renumbered);
        x->depth -= 2;
    }
    return r;
}

/* `list` is the one that a, an item or a member of an item, belongs to; NULL: none. */
static int compare_nodes(struct comparing *x, const struct compare_node *a, const struct compare_node *b,
                         struct list_at_hand *list)
{
    bool item = x->depth >= 2 && x->path_a[x->depth - 2] && x->path_a[x->depth - 2]->type == COMPARE_LIST;

    if (a->type != b->type)
        return tell(x, DIFFERENCE_CHANGED, a, b, 0);
    switch (a->type) {
    case COMPARE_OBJECT: return compare_members(x, a, b, item ? list : NULL);
    case COMPARE_LIST: return compare_list(x, a, b);
    default: return compare_values(x, a, b, item ? NULL : list);
    }
}

int compare_trees(const struct compare_node *a, const struct compare_node *b, difference_fn *function, void *ctx)
{
    struct comparing x = { .function = function, .ctx = ctx };
    int r;

    arena_init(&x.scratch, SCRATCH_CEILING);
    r = a->type == COMPARE_LIST && b->type == COMPARE_LIST ? compare_list(&x, a, b)
                                                           : compare_nodes(&x, a, b, NULL);
    arena_deinit(&x.scratch);
    return r;
}

/* --- Paths and trees in words ------------------------------------------------------- */

static void add_index(struct buf *out, const struct compare_node *a, const struct compare_node *b)
{
    if (!a || !b)
        buf_printf(out, "[%u]", a ? a->index : b->index);
    else if (a->index == b->index)
        buf_printf(out, "[%u]", a->index);
    else
        buf_printf(out, "[%u\xe2\x86\x92%u]", a->index, b->index);
}

/* What two labels begin with alike is said once. */
static void add_label(struct buf *out, struct slice a, struct slice b)
{
    buf_add_safe(out, a, SIZE_MAX);
    if (b.n && !slice_eq(a, b)) {
        size_t same = 0;
        while (same < a.n && same < b.n && a.p[same] == b.p[same] && a.p[same] != '#')
            same++;
        buf_add_text(out, "\xe2\x86\x92");
        buf_add_safe(out, same < b.n && b.p[same] == '#' ? slice_from(b, same) : b, SIZE_MAX);
    }
}

static void add_path(struct buf *out, const struct compare_node *const *a, const struct compare_node *const *b,
                     unsigned depth)
{
    bool any = false;

    for (unsigned i = 0; i < depth; i++) {
        const struct compare_node *na = a ? a[i] : NULL, *nb = b ? b[i] : NULL, *one = na && na->name.n ? na : nb;
        const struct compare_node *list = !i ? NULL : a && a[i - 1] ? a[i - 1] : b ? b[i - 1] : NULL;
        if (!one)
            one = na;
        if (!one)
            continue;
        if (list && list->type == COMPARE_LIST) {
            const struct compare_node *labelled = na ? na : nb;
            if (labelled->label.n || labelled->flags & COMPARE_SILENT)
                add_label(out, labelled->label, na && nb ? nb->label : slice(NULL, 0));
            else
                add_index(out, na, nb);
            continue;
        }
        if (one->flags & COMPARE_SILENT && i + 1 < depth)
            continue;
        if (any)
            buf_add_char(out, one->flags & COMPARE_SLASH ? '/' : '.');
        buf_add_safe(out, one->name, SIZE_MAX);
        any = true;
    }
}

void difference_path(const struct difference *d, struct buf *out)
{
    add_path(out, d->path_a, d->path_b, d->depth);
}

bool difference_path_a(const struct difference *d, struct buf *out)
{
    if (!d->a)
        return false;
    add_path(out, d->path_a, NULL, d->depth);
    return true;
}

bool difference_path_b(const struct difference *d, struct buf *out)
{
    if (!d->b)
        return false;
    add_path(out, NULL, d->path_b, d->depth);
    return true;
}

void compare_json(const struct compare_node *node, struct buf *out)
{
    bool object = node->type == COMPARE_OBJECT, raw = node->flags & COMPARE_RAW;

    if (node->type == COMPARE_VALUE) {
        buf_add_text(out, raw ? "" : "\"");
        buf_add_json(out, node->value);
        buf_add_text(out, raw ? "" : "\"");
        return;
    }
    buf_add_char(out, object ? '{' : '[');
    for (const struct compare_node *c = node->first; c; c = c->next) {
        if (c != node->first)
            buf_add_char(out, ',');
        if (object) {
            buf_add_char(out, '"');
            buf_add_json(out, c->name);
            buf_add_text(out, "\":");
        }
        compare_json(c, out);
    }
    buf_add_char(out, object ? '}' : ']');
}
