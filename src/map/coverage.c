/* coverage: see coverage.h. What it makes lies in an arena of its own until it returns. */
#include "map/coverage.h"

#include "base/limits.h"
#include "map/plan.h"
#include "map/syntax.h"

enum { MEMORY = 16 << 20, PATH_CEILING = 4096, MOST_ELEMENTS = 64 };
enum { SEEN_IN = 1, MISSED_IN = 2, SEEN_OUT = 4, MISSED_OUT = 8, MISSED = MISSED_IN | MISSED_OUT };

struct covering {
    const struct map_plan *plan;
    const struct guide *guide;
    coverage_gap_fn *function;
    void *ctx;
    struct arena arena;
    struct buf path;
    uint8_t (*state)[MOST_ELEMENTS];    /* of each node's elements */
    uint16_t header, trailer;           /* ST and SE; 0: there are none */
    struct coverage count;
    int failed;
};

/* Which elements of one segment something speaks of; of composites, which components. */
struct elements {
    uint64_t whole;
    uint32_t part[MOST_ELEMENTS];
};

/* The same for both directions. */
struct taken {
    struct elements in, out;
};

static int stop(struct covering *x, int code)
{
    if (!x->failed)
        x->failed = code;
    return x->failed;
}

static void tell(struct covering *x, enum gap_kind kind, struct slice name, bool in, bool out, unsigned elements)
{
    struct coverage_gap gap = { .kind = kind, .path = buf_slice(&x->path), .name = name, .in = in, .out = out,
                                .elements = elements };
    int r;
    if (x->path.failed)
        stop(x, x->path.failed);
    if (x->failed || !x->function)
        return;
    r = x->function(x->ctx, &gap);
    if (r < 0)
        stop(x, r);
}

/* ---- the guide ---- */

static bool is_used(const struct segment_def *def, unsigned k)
{
    return def->use[k].requirement != REQ_NOT_USED && !(def->not_used >> k & 1);
}

static unsigned count_of(const struct segment_def *def)
{
    return def->n < MOST_ELEMENTS ? def->n : MOST_ELEMENTS;
}

/* Marks all elements of the nodes [first, end); returns how many these are. */
static unsigned mark(struct covering *x, uint16_t first, uint16_t end, uint8_t bits)
{
    const struct guide *g = x->guide;
    unsigned n = 0;
    for (uint16_t i = first; i < end; i++) {
        const struct guide_node *node = &g->node[i];
        if (node->not_used && node->loop && node->end > i) {
            i = (uint16_t)(node->end - 1);
            continue;
        }
        if (node->loop || node->not_used || !node->def || i == x->header || i == x->trailer)
            continue;
        for (unsigned k = 0; k < count_of(node->def); k++)
            if (is_used(node->def, k)) {
                x->state[i][k] |= bits;
                n++;
            }
    }
    return n;
}

static void add_element(struct elements *e, unsigned element, unsigned component)
{
    unsigned k = element - 1u;
    if (k >= MOST_ELEMENTS)
        return;
    if (component && component <= 32)
        e->part[k] |= 1u << (component - 1);
    else
        e->whole |= 1ull << k;
}

static void add_op(struct elements *e, const struct map_op *op)
{
    for (unsigned i = 0; i < 3; i++)
        for (unsigned n = 0; n < (i == 0 && op->span ? op->span : 1u); n++)
            add_element(e, op->element[i], i == 0 && op->component ? op->component + n : 0);
    if (op->period)
        add_element(e, op->period->element, op->period->component);
}

static void add_take(struct taken *taken, const struct map_take *t)
{
    uint64_t list = 0;
    for (unsigned i = 0; i < t->n_select; i++) {
        add_element(&taken->in, t->select[i].element, t->select[i].component);
        add_element(&taken->out, t->select[i].element, t->select[i].component);
    }
    if (t->kind == TAKE_PAIRS || t->kind == TAKE_SPREAD)
        list = t->range;
    for (unsigned i = 0; i < t->n_ops; i++) {
        const struct map_op *op = &t->op[i];
        if (list && op->component && (t->kind == TAKE_SPREAD || i < t->shared)) { /* a component of each */
            for (unsigned k = t->first; k <= t->last; k++)
                for (unsigned n = 0; n < (t->n_parts ? t->n_parts : 1u) && t->range >> (k - 1) & 1; n++) {
                    if (op->direction & DIRECTION_READ)
                        add_element(&taken->in, k, op->component + n);
                    if (op->direction & DIRECTION_WRITE)
                        add_element(&taken->out, k, op->component + n);
                }
            continue;
        }
        if (list && (t->kind == TAKE_SPREAD || i < t->shared)) { /* one of each group */
            if (op->direction & DIRECTION_READ)
                taken->in.whole |= list;
            if (op->direction & DIRECTION_WRITE)
                taken->out.whole |= list;
            continue;
        }
        if ((op->direction & DIRECTION_READ) || !op->field) /* constants */
            add_op(&taken->in, op);
        if (op->direction & DIRECTION_WRITE)
            add_op(&taken->out, op);
    }
    for (const struct map_take *k = t->pairs; k; k = k->pairs)
        add_take(taken, k);
    if (t->kind == TAKE_SCOPE && t->scope && t->scope->owner)
        add_take(taken, t->scope->owner);
}

/* How often a node may occur in one object of the scope. */
static uint64_t most(const struct guide *g, const struct map_scope *s, const struct guide_node *node)
{
    uint64_t n = 1;
    for (; node->ordinal != s->node && node->ordinal != 0; node = &g->node[node->parent]) {
        if (node->trigger || node->ordinal == s->row) /* once in its loop; each row is an item of its own */
            continue;
        n *= node->max ? node->max : 1;
        if (n > UINT32_MAX)
            return UINT32_MAX;
    }
    return n;
}

/* Does this take get every occurrence, but for its qualifiers? */
static bool takes_all(const struct covering *x, const struct map_scope *s, const struct map_take *t)
{
    return t->owner || !t->once || most(x->guide, s, &x->guide->node[t->node]) == 1;
}

/* One of the chain has this qualifier. */
static bool has_code(const struct covering *x, const struct map_scope *s, const struct map_take *t, unsigned element,
                     struct slice code)
{
    for (; t; t = t->next)
        if (t->n_select == 1 && t->select[0].element == element && takes_all(x, s, t) &&
            slice_eq(t->select[0].text, code))
            return true;
    return false;
}

/* Do the takes of a node, each with one qualifier, have all that the guide allows there? */
static bool all_codes(const struct covering *x, const struct map_scope *s, const struct map_take *chain,
                      const struct guide_node *node, const struct segment_def *def)
{
    const struct codes *codes;
    unsigned element = 0;
    for (const struct map_take *t = chain; t && !element; t = t->next)
        if (t->n_select == 1)
            element = t->select[0].element;
    if (!element || element > def->n)
        return false;
    if (node->select == element && node->n_select) {
        for (unsigned i = 0; i < node->n_select; i++)
            if (!has_code(x, s, chain, element, node->select_codes[i]))
                return false;
        return true;
    }
    codes = def->use[element - 1].codes;
    if (!codes || !codes->n || codes->n > 32)
        return false;
    for (uint32_t i = 0; i < codes->n; i++)
        if (!has_code(x, s, chain, element, codes->line[i].code))
            return false;
    return true;
}

/* The qualifiers that lines name, for people: "other than IA, DP". */
static struct slice others(struct covering *x, const struct map_take *chain, uint8_t kind)
{
    struct buf b;
    char *p;
    unsigned n = 0;
    struct slice s = slice(NULL, 0);

    buf_init(&b, PATH_CEILING);
    for (const struct map_take *t = chain; t; t = t->next) {
        if ((t->kind == TAKE_SCOPE) != (kind == TAKE_SCOPE) || !t->n_select)
            continue;
        buf_add_text(&b, n++ ? ", " : "with qualifiers other than ");
        for (unsigned i = 0; i < t->n_select; i++) {
            if (i)
                buf_add_char(&b, ' ');
            buf_add_slice(&b, t->select[i].text);
        }
    }
    buf_add_text(&b, n ? ", or further ones" : "all but the first");
    p = b.failed ? NULL : arena_alloc(&x->arena, b.n);
    if (p) {
        memcpy(p, b.p, b.n);
        s = slice(p, b.n);
    } else {
        stop(x, ERR_NOMEM);
    }
    buf_deinit(&b);
    return s;
}

static void add_place(struct covering *x, const struct guide_node *node, unsigned element, unsigned component)
{
    if (!node->trigger) {
        if (x->path.n)
            buf_add_char(&x->path, '/');
        buf_add_slice(&x->path, node->tag);
    }
    if (!element)
        return;
    /* BEG03 alone says all; PO1/MEA.MEA04 */
    if (x->path.n == node->tag.n && !node->trigger)
        buf_clear(&x->path);
    else
        buf_add_char(&x->path, '.');
    buf_add_slice(&x->path, node->tag);
    buf_printf(&x->path, "%02u", element);
    if (component)
        buf_printf(&x->path, "-%u", component);
}

static uint32_t all_parts(const struct element *e)
{
    return e->n_parts >= 32 ? UINT32_MAX : (1u << e->n_parts) - 1;
}

static bool is_whole(const struct elements *e, unsigned k, const struct element *element)
{
    if (e->whole >> k & 1)
        return true;
    if (element->type != TYPE_COMPOSITE) /* its first component may be named, for versions where it is one */
        return e->part[k] & 1;
    return (e->part[k] & all_parts(element)) == all_parts(element);
}

/* Neighbours that are missing in the same way, told in one line: CUR07..CUR21, MEA04-2..MEA04-15. */
struct run {
    unsigned element, component;    /* the first; element 0: none is open */
    unsigned last;                  /* element, or component where there is one */
    bool in, out;
    struct slice name;
};

static void end_run(struct covering *x, const struct guide_node *node, struct run *run)
{
    size_t before = x->path.n;
    unsigned first = run->component ? run->component : run->element;

    if (!run->element)
        return;
    add_place(x, node, run->element, run->component);
    if (run->last > first) {
        buf_add_text(&x->path, "..");
        buf_add_slice(&x->path, node->tag);
        buf_printf(&x->path, "%02u", run->component ? run->element : run->last);
        if (run->component)
            buf_printf(&x->path, "-%u", run->last);
    }
    tell(x, GAP_ELEMENT, run->last > first ? slice(NULL, 0) : run->name, run->in, run->out, run->last - first + 1);
    x->path.n = before;
    run->element = 0;
}

static void add_to_run(struct covering *x, const struct guide_node *node, struct run *run, unsigned element,
                       unsigned component, bool in, bool out, struct slice name)
{
    bool follows = component ? run->element == element && run->component && run->last + 1 == component
                             : run->element && !run->component && run->last + 1 == element;
    if (!follows || run->in != in || run->out != out) {
        end_run(x, node, run);
        *run = (struct run){ .element = element, .component = component, .in = in, .out = out, .name = name };
    }
    run->last = component ? component : element;
}

static void cover_element(struct covering *x, const struct guide_node *node, unsigned k, const struct taken *taken,
                          struct run *run)
{
    const struct element *e = node->def->use[k].element;
    bool in = is_whole(&taken->in, k, e), out = is_whole(&taken->out, k, e);

    x->state[node->ordinal][k] |= (uint8_t)((in ? SEEN_IN : MISSED_IN) | (out ? SEEN_OUT : MISSED_OUT));
    if (in && out)
        return;
    if (e->type != TYPE_COMPOSITE || (!taken->in.part[k] && !taken->out.part[k])) {
        add_to_run(x, node, run, k + 1, 0, !in, !out, e->name);
        return;
    }
    for (unsigned c = 0; c < e->n_parts && c < 32; c++) {
        bool part_in = in || taken->in.part[k] >> c & 1, part_out = out || taken->out.part[k] >> c & 1;
        if (!part_in || !part_out)
            add_to_run(x, node, run, k + 1, c + 1, !part_in, !part_out, e->part[c].element->name);
    }
}

static void cover_segment(struct covering *x, const struct map_scope *s, const struct guide_node *node)
{
    const struct map_take *chain[2] = { s->program[node->ordinal - s->first], NULL };
    const struct map_scope *scope[2] = { s, s->parent };
    const struct segment_def *def = node->def;
    struct taken all = { .in = { 0 }, .out = { 0 } }, some = all;
    struct run run = { .element = 0 };
    bool any = false, general = false;
    size_t before = x->path.n;
    unsigned left = 0;

    if (!def || node->not_used || node->ordinal == x->header || node->ordinal == x->trailer)
        return;
    /* a loop's first segment may be taken by lines outside of the block, too */
    if (node->trigger && s->parent && s->node == node->parent && s->parent->loop && node->ordinal >= s->parent->first &&
        node->ordinal < s->parent->end)
        chain[1] = s->parent->program[node->ordinal - s->parent->first];
    if (s->document && node->ordinal < s->document->scope->end) { /* what is not the root's is the node's */
        scope[1] = s->document->scope;
        chain[1] = scope[1]->program[node->ordinal];
    }
    for (unsigned i = 0; i < 2; i++)
        for (const struct map_take *t = chain[i]; t; t = t->next) {
            if (t->kind == TAKE_SCOPE && x->guide->node[t->node].loop)
                continue;
            any = true;
            add_take(&some, t);
            /* the block's own qualifiers are what opened it */
            if (takes_all(x, scope[i], t) && (t->n_select == 0 || t->owner)) {
                general = true;
                add_take(&all, t);
            }
        }
    if (!any && !node->trigger) {
        left = mark(x, node->ordinal, (uint16_t)(node->ordinal + 1), MISSED);
        add_place(x, node, 0, 0);
        tell(x, GAP_SEGMENT, def->name, true, true, left);
        x->path.n = before;
        return;
    }
    if (any && !general) {
        if (!all_codes(x, s, chain[0], node, def)) {
            for (unsigned k = 0; k < count_of(def); k++)
                left += is_used(def, k) && (some.in.whole >> k & 1 || some.in.part[k]);
            mark(x, node->ordinal, (uint16_t)(node->ordinal + 1), MISSED);
            add_place(x, node, 0, 0);
            tell(x, GAP_QUALIFIERS, others(x, chain[0], TAKE_SEGMENT), true, true, left);
            x->path.n = before;
        }
        all = some;
    }
    for (unsigned k = 0; k < count_of(def) && !x->failed; k++)
        if (is_used(def, k))
            cover_element(x, node, k, &all, &run);
    end_run(x, node, &run);
}

static void add_tag(struct covering *x, const struct guide_node *loop, const struct map_take *t)
{
    const struct guide_node *first = loop->first != NODE_NONE ? &x->guide->node[loop->first] : loop;
    if (x->path.n)
        buf_add_char(&x->path, '/');
    buf_add_slice(&x->path, loop->tag);
    if (!t || !t->n_select)
        return;
    buf_add_char(&x->path, '[');
    for (unsigned i = 0; i < t->n_select; i++) {
        if (i)
            buf_add_char(&x->path, ' ');
        if (t->n_select > 1 || !first->def || t->select[i].element != first->def->qualifier)
            buf_printf(&x->path, "%02u=", t->select[i].element);
        buf_add_slice(&x->path, t->select[i].text);
    }
    buf_add_char(&x->path, ']');
}

static void cover_loop(struct covering *x, const struct map_scope *around, const struct guide_node *loop,
                       unsigned depth)
{
    const struct guide *g = x->guide;
    const struct map_scope *s = around;

    for (uint16_t c = loop->first; c != NODE_NONE && !x->failed; c = g->node[c].next) {
        const struct guide_node *node = &g->node[c];
        const struct guide_node *first;
        const struct map_take *chain;
        size_t before = x->path.n;
        bool scopes = false, general = false, touched = false;

        if (!node->loop) {
            cover_segment(x, around, node);
            continue;
        }
        if (node->not_used || depth == 0)
            continue;
        s = around;
        for (uint16_t i = node->ordinal; i < node->end; i++)
            touched |= s->program[i - s->first] != NULL;
        if (!touched && s->document && node->ordinal < s->document->scope->end) {
            s = s->document->scope;
            for (uint16_t i = node->ordinal; i < node->end; i++)
                touched |= s->program[i] != NULL;
        }
        if (!touched) {
            add_tag(x, node, NULL);
            tell(x, GAP_LOOP, slice(NULL, 0), true, true, mark(x, node->ordinal, node->end, MISSED));
            x->path.n = before;
            continue;
        }
        chain = s->program[node->ordinal - s->first];
        for (const struct map_take *t = chain; t && !x->failed; t = t->next) {
            if (t->kind != TAKE_SCOPE || !t->scope)
                continue;
            scopes = true;
            general |= t->n_select == 0 && takes_all(x, s, t);
            add_tag(x, node, t);
            cover_loop(x, t->scope, node, depth - 1);
            x->path.n = before;
        }
        if (!scopes) {
            add_tag(x, node, NULL);
            cover_loop(x, s, node, depth - 1);
            x->path.n = before;
            continue;
        }
        first = node->first != NODE_NONE ? &g->node[node->first] : NULL;
        if (!general && !(first && first->def && all_codes(x, s, chain, node, first->def))) {
            add_tag(x, node, NULL);
            tell(x, GAP_QUALIFIERS, others(x, chain, TAKE_SCOPE), true, true,
                 mark(x, node->ordinal, node->end, MISSED));
            x->path.n = before;
        }
    }
}

static void count_elements(struct covering *x)
{
    const struct guide *g = x->guide;
    x->count.elements = mark(x, 1, (uint16_t)g->n, 0);
    for (unsigned i = 1; i < g->n; i++)
        for (unsigned k = 0; k < MOST_ELEMENTS; k++) {
            uint8_t state = x->state[i][k];
            x->count.read += (state & SEEN_IN) && !(state & MISSED_IN);
            x->count.written += (state & SEEN_OUT) && !(state & MISSED_OUT);
        }
}

/* ---- the record ---- */

/* What makes an object: a block, or pairs. */
struct source {
    const struct map_scope *scope;
    const struct map_take *pairs;
};

struct sources {
    struct source *source;
    size_t n, room;
};

static void add_source(struct covering *x, struct sources *s, const struct map_scope *scope,
                       const struct map_take *pairs)
{
    s->source = arena_grow(&x->arena, s->source, s->n, &s->room, sizeof(*s->source));
    if (s->source)
        s->source[s->n++] = (struct source){ scope, pairs };
    else
        stop(x, ERR_NOMEM);
    /* nodes below others are items of the same list */
    for (unsigned i = 0; !x->failed && scope && scope->kind && i < scope->n_order; i++)
        if (scope->order[i]->kind == TAKE_SCOPE && scope->order[i]->scope && scope->order[i]->scope->kind)
            add_source(x, s, scope->order[i]->scope, NULL);
}

static bool is_period_field(const struct map_op *op, const struct record_field *field)
{
    const struct map_period *p = op->period;
    return p && (p->until.field == field || p->clock.field == field || p->other.field == field);
}

/* What a take does with a field. */
static unsigned look(struct covering *x, const struct map_take *t, const struct record_field *field,
                     struct sources *inside)
{
    unsigned directions = 0;
    if (t->kind == TAKE_SCOPE) {
        if (t->field == field && t->scope) {
            add_source(x, inside, t->scope, NULL);
            directions = DIRECTION_BOTH;
        }
        return directions;
    }
    if (t->kind == TAKE_PAIRS && t->field == field) {
        add_source(x, inside, NULL, t);
        return DIRECTION_BOTH;
    }
    if (t->kind != TAKE_PAIRS)
        for (unsigned i = 0; i < t->n_ops; i++)
            if (t->op[i].field == field || t->op[i].beside == field || is_period_field(&t->op[i], field))
                directions |= t->op[i].direction;
    for (const struct map_take *k = t->pairs; k; k = k->pairs)
        directions |= look(x, k, field, inside);
    return directions;
}

static bool is_envelope(struct slice name, bool root)
{
    static const char *const names[] = { "record", "version", "id", "transmission", "partner", "source", "rejected" };
    if (slice_is(name, "unmapped"))
        return true;
    for (unsigned i = 0; root && i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_is(name, names[i]))
            return true;
    return false;
}

/* What makes or writes a field; what is inside of it goes to `inside`. */
static unsigned look_all(struct covering *x, const struct sources *sources, const struct record_field *field,
                         struct sources *inside)
{
    unsigned directions = 0;

    for (size_t i = 0; i < sources->n; i++) {
        const struct source *s = &sources->source[i];
        if (s->scope && s->scope->kind && (field == s->scope->kind_field || slice_is(field->name, "id") ||
                                           slice_is(field->name, "parent")))
            directions = DIRECTION_BOTH;
        if (s->scope)
            for (unsigned k = 0; k < s->scope->n_order; k++)
                directions |= look(x, s->scope->order[k], field, inside);
        else
            for (unsigned k = 0; k < s->pairs->n_ops; k++)
                if (s->pairs->op[k].field == field || s->pairs->op[k].beside == field)
                    directions |= s->pairs->op[k].direction;
    }
    return directions;
}

static void cover_object(struct covering *x, const struct record_object *object, const struct sources *sources,
                         unsigned depth)
{
    size_t before = x->path.n;
    for (unsigned f = 0; f < object->n && !x->failed; f++) {
        const struct record_field *field = &object->field[f];
        struct sources inside = { .n = 0 };
        unsigned directions;

        if (is_envelope(field->name, before == 0))
            continue;
        directions = look_all(x, sources, field, &inside);
        if (before)
            buf_add_char(&x->path, '.');
        buf_add_slice(&x->path, field->name);
        if (inside.n && field->object && depth) {
            cover_object(x, field->object, &inside, depth - 1);
        } else {
            x->count.fields++;
            x->count.filled += (directions & DIRECTION_READ) != 0;
            x->count.given += (directions & DIRECTION_WRITE) != 0;
            if (directions != DIRECTION_BOTH)
                tell(x, field->object ? GAP_OBJECT : GAP_FIELD, field->description, !(directions & DIRECTION_READ),
                     !(directions & DIRECTION_WRITE), 0);
        }
        x->path.n = before;
    }
}

/* The same object, as one map makes it and as another writes it. */
static void compare_object(struct covering *x, const struct record_object *object, const struct sources *from,
                           const struct sources *to, unsigned depth)
{
    size_t before = x->path.n;

    for (unsigned f = 0; f < object->n && !x->failed; f++) {
        const struct record_field *field = &object->field[f];
        struct sources made = { .n = 0 }, written = { .n = 0 };
        bool given;

        if (is_envelope(field->name, before == 0) || !(look_all(x, from, field, &made) & DIRECTION_READ))
            continue;
        given = look_all(x, to, field, &written) & DIRECTION_WRITE;
        if (before)
            buf_add_char(&x->path, '.');
        buf_add_slice(&x->path, field->name);
        if (made.n && written.n && field->object && depth) {
            compare_object(x, field->object, &made, &written, depth - 1);
        } else {
            x->count.fields++;
            x->count.given += given;
            if (!given)
                tell(x, field->object ? GAP_OBJECT : GAP_FIELD, field->description, false, true, 0);
        }
        x->path.n = before;
    }
}

int map_coverage_between(const struct map_plan *from, const struct map_plan *to, coverage_gap_fn *function, void *ctx,
                         struct coverage *coverage_r, struct err *err)
{
    struct covering x = { .plan = from, .guide = from->guide, .function = function, .ctx = ctx };
    struct sources made = { .n = 0 }, written = { .n = 0 };

    *coverage_r = (struct coverage){ 0 };
    if (from->root->object != to->root->object)
        return err_set(err, ERR_USAGE, "the maps are of different kinds of record");
    arena_init(&x.arena, MEMORY);
    buf_init(&x.path, PATH_CEILING);
    if (!buf_reserve(&x.path, 256))
        stop(&x, ERR_NOMEM);
    add_source(&x, &made, from->root, NULL);
    add_source(&x, &written, to->root, NULL);
    if (!x.failed)
        compare_object(&x, from->root->object, &made, &written, LIMIT_LOOP_DEPTH);
    buf_deinit(&x.path);
    arena_deinit(&x.arena);
    *coverage_r = x.count;
    return x.failed == ERR_NOMEM ? err_nomem(err) : x.failed;
}

int map_coverage(const struct map_plan *plan, coverage_gap_fn *function, void *ctx, struct coverage *coverage_r,
                 struct err *err)
{
    struct covering x = { .plan = plan, .guide = plan->guide, .function = function, .ctx = ctx };
    struct sources root = { .n = 0 };

    *coverage_r = (struct coverage){ 0 };
    arena_init(&x.arena, MEMORY);
    buf_init(&x.path, PATH_CEILING);
    x.state = arena_array(&x.arena, x.guide->n, sizeof(*x.state));
    if (!x.state || !buf_reserve(&x.path, 256)) {
        stop(&x, ERR_NOMEM);
    } else {
        for (uint16_t c = x.guide->node[0].first; c != NODE_NONE && !x.guide->bare; c = x.guide->node[c].next) {
            x.header = 1;
            x.trailer = c;
        }
        cover_loop(&x, plan->root, &x.guide->node[0], LIMIT_LOOP_DEPTH);
        count_elements(&x);
        add_source(&x, &root, plan->root, NULL);
        if (!x.failed)
            cover_object(&x, plan->root->object, &root, LIMIT_LOOP_DEPTH);
    }
    buf_deinit(&x.path);
    arena_deinit(&x.arena);
    *coverage_r = x.count;
    if (x.failed == ERR_NOMEM)
        return err_nomem(err);
    return x.failed;
}

/* ---- lines that no guide has ---- */

static bool look_for(const struct map *map, const struct map_line *line, unsigned depth, struct complaints *c)
{
    bool all = true;
    for (; line; line = line->next) {
        if (line->name.n && depth)
            for (const struct map_block *b = map->block; b; b = b->next)
                if (slice_eq(b->name, line->name))
                    all &= look_for(map, b->line, depth - 1, c);
        if (line->use || line->drop)
            continue;
        if (!line->found && line->left.n_steps) {
            /* said once, though several lines may use its block */
            ((struct map_line *)line)->found = true;
            complain(c, &line->at, "none of the map's guides has this here");
            all = false;
            continue;
        }
        if (!line->pairs) /* what pairs share is of their own segment */
            all &= look_for(map, line->child, depth, c);
    }
    return all;
}

bool map_lines_found(const struct map *map, struct complaints *c)
{
    return look_for(map, map->line, 16, c);
}
