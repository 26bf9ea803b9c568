/*
 * compile_guards: the conditions of lines, `if FIELD = VALUE`: which lines can never both hold, and where the reader
 * knows a condition's field from: another line of the same segment, a segment that stands before, or the line's own
 * qualifier, which then says it.
 *
 * What it makes lies in the plan's arena. It adds two kinds of op to takes: those that say a field, and those that note
 * which conditions of segments behind theirs hold.
 */
#include "map/compile_inside.h"

/* ---- which lines a line speaks of ---- */

/* Do two lines speak of the same segment, with the same qualifiers? In its own block a segment is the same whatever
 * qualifiers single lines have. */
static bool same_place(const struct map_line *a, const struct map_line *b, struct slice own)
{
    if (a->left.n_steps != b->left.n_steps)
        return false;
    if (a->left.n_steps == 1 && slice_eq(a->left.step[0].tag, own) && slice_eq(b->left.step[0].tag, own))
        return true;
    for (unsigned i = 0; i < a->left.n_steps; i++) {
        const struct path_step *s = &a->left.step[i], *t = &b->left.step[i];
        if (!slice_eq(s->tag, t->tag) || s->n_selects != t->n_selects)
            return false;
        for (unsigned k = 0; k < s->n_selects; k++)
            if (!slice_eq(s->select[k].value, t->select[k].value) || s->select[k].element != t->select[k].element ||
                s->select[k].component != t->select[k].component)
                return false;
    }
    return true;
}

static bool has_here(const struct map_line *l)
{
    for (unsigned i = 0; i < l->n_guards; i++)
        if (l->guard[i].here)
            return true;
    return false;
}

void compile_find_conditions(struct map_line *lines, struct slice own)
{
    /* given by lines without conditions, then by those with conditions on other segments alone */
    for (int pass = 0; pass < 2; pass++)
        for (struct map_line *l = lines; l; l = l->next)
            for (unsigned i = 0; i < l->n_guards; i++) {
                bool here = !(l->direction & DIRECTION_READ);
                for (const struct map_line *k = lines; k && !here; k = k->next)
                    here = k != l && slice_eq(k->right, l->guard[i].field) && !k->list && !k->pairs &&
                           k->direction & DIRECTION_READ && (pass ? !has_here(k) : !k->n_guards) &&
                           same_place(k, l, own);
                l->guard[i].here |= here;
            }
}

/* ---- conditions ---- */

bool compile_make_guards(struct compiling *x, const struct map_line *l, const struct record_object *object, bool all,
                         const struct map_guard **guard_r, unsigned *n_r)
{
    struct map_guard *g;

    *guard_r = NULL;
    *n_r = 0;
    if (!l->n_guards)
        return true;
    g = ARENA_ARRAY(x->arena, l->n_guards, struct map_guard);
    if (!g)
        return compile_nomem(x) != NULL;
    for (unsigned i = 0; i < l->n_guards; i++) {
        const struct map_condition *c = &l->guard[i];
        const struct record_field *field;
        if (c->here && !all)
            continue;
        field = compile_find_field(x, object, c->field, &l->right_at);
        if (!field) {
            *n_r = 0;
            return !x->c->nomem;
        }
        if (field->type == RECORD_OBJECT || field->type == RECORD_ARRAY) {
            compile_refuse(x, &l->right_at, "a condition speaks of one value, which \"%.*s\" is not",
                           SLICE_FMT(field->name));
            *n_r = 0;
            return true;
        }
        g[(*n_r)++] = (struct map_guard){ .field = field, .value = c->value, .absent = c->absent,
                                         .origin = c->here ? GUARD_HERE : GUARD_BEFORE };
    }
    *guard_r = g;
    return true;
}

/* Can two conditions on one field never both hold? */
static bool exclude(const struct map_guard *a, const struct map_guard *b)
{
    const bool same = slice_eq(a->value, b->value);

    if (a->absent && b->absent)
        return false;
    if (!a->absent && !b->absent)
        return a->value.n && b->value.n && !same;
    return same || !(a->absent ? a : b)->value.n; /* = A and != A, or nothing at all */
}

bool compile_apart(const struct map_guard *a, unsigned n, const struct map_guard *b, unsigned m)
{
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < m; k++)
            if (a[i].field == b[k].field && exclude(&a[i], &b[k]))
                return true;
    return false;
}

bool compile_same_guards(const struct map_guard *a, unsigned n, const struct map_guard *b, unsigned m)
{
    bool same = n == m;
    for (unsigned i = 0; i < n && same; i++)
        same = a[i].field == b[i].field && a[i].absent == b[i].absent && slice_eq(a[i].value, b[i].value);
    return same;
}

/* ---- where the reader knows them from ---- */

static bool reads(const struct map_take *t)
{
    for (unsigned i = 0; i < t->n_ops; i++)
        if (t->op[i].direction & DIRECTION_READ)
            return true;
    return false;
}

/* Does an op give a field, as one value that can be compared? */
static bool tells(const struct map_op *op, const struct record_field *field)
{
    if (op->field != field || !(op->direction & DIRECTION_READ) || op->quick == QUICK_GUARDED || op->element[1] ||
        op->period || op->span)
        return false;
    for (unsigned i = 0; i < op->n_conversions; i++)
        if (op->conversion[i].kind != CONVERT_CODE && op->conversion[i].kind != CONVERT_DECIMAL &&
            op->conversion[i].kind != CONVERT_DEFAULT && op->conversion[i].kind != CONVERT_OR)
            return false;
    return true;
}

/* All that give a field before a take that asks for it tell it. False: there are none. */
static bool find_tellers(struct map_take **take, size_t n, const struct map_take *asks,
                         const struct record_field *field)
{
    bool any = false;
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; take[i]->kind == TAKE_SEGMENT && !take[i]->n_guards && k < take[i]->n_ops; k++)
            if (tells(&take[i]->op[k], field) && (take[i]->owner || take[i]->segment < asks->segment))
                any = take[i]->tells = true;
    return any;
}

/* Is there a line that gives the field, wherever it stands? */
static bool is_given(struct map_take **take, size_t n, const struct record_field *field)
{
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < take[i]->n_ops; k++)
            if (take[i]->op[k].field == field && take[i]->op[k].direction & DIRECTION_READ)
                return true;
    return false;
}

/* One more op, of the element that the last one is of. False: memory. */
static struct map_op *add_op(struct compiling *x, struct map_take *t, uint8_t quick)
{
    struct map_op *op = ARENA_ARRAY(&x->lines, t->n_ops + 1u, struct map_op);
    if (!op)
        return compile_nomem(x);
    if (t->n_ops)
        memcpy(op, t->op, t->n_ops * sizeof(*op));
    t->op = op;
    op += t->n_ops++;
    *op = (struct map_op){ .quick = quick, .direction = DIRECTION_BOTH, .line = t->line };
    op->element[0] = t->n_ops > 1 ? t->op[t->n_ops - 2].element[0] : 1;
    return op;
}

/* The bit of a condition on a field that a segment before gives; 0: refused. */
static uint32_t watch(struct compiling *x, struct map_scope *s, const struct map_guard *g, const struct place *at)
{
    unsigned i = 0;

    while (i < s->n_watch && (s->watch[i].field != g->field || !slice_eq(s->watch[i].value, g->value)))
        i++;
    if (i == MOST_WATCHED) {
        compile_refuse(x, at, "too many conditions in one block");
        return 0;
    }
    if (i == s->n_watch)
        s->watch[s->n_watch++] = (struct map_guard){ .field = g->field, .value = g->value };
    return 1u << i;
}

static void settle(struct compiling *x, struct map_scope *s, struct map_take **take, size_t n, struct map_take *t,
                   const struct place *at)
{
    struct map_guard *guards = (struct map_guard *)t->guard;

    for (unsigned i = 0; i < t->n_guards; i++) {
        struct map_guard *g = &guards[i];
        const bool told = find_tellers(take, n, t, g->field), given = told || is_given(take, n, g->field);

        if (told) {
            uint32_t bit = watch(x, s, g, at);
            *(g->absent ? &t->fails : &t->holds) |= bit;
        } else if (!given && g->absent) {
            g->origin = GUARD_NOBODY;
        } else if (!given && g->value.n && !g->absent && t->n_select) {
            g->origin = GUARD_SAID;
        } else {
            compile_refuse(x, at, "\"%.*s\" is not known when this is read", SLICE_FMT(g->field->name));
            compile_hint(x, "a condition's field comes from the same segment, or one before it, by a line without such "
                            "conditions; or the line's own qualifier says it.");
        }
    }
}

/* ---- fields that several lines fill ---- */

/* The fields that reading an op may fill. */
static unsigned names_of(const struct map_op *op, struct map_name name[5])
{
    const struct map_period *p = op->period;
    unsigned n = 0;

    if (!(op->direction & DIRECTION_READ) || !op->field)
        return 0;
    name[n++] = (struct map_name){ op->field, op->key, op->key_n };
    if (op->beside)
        name[n++] = (struct map_name){ op->beside, op->beside_key, op->beside_n };
    if (p && p->until.field)
        name[n++] = p->until;
    if (p && p->clock.field)
        name[n++] = p->clock;
    if (p && p->other.field)
        name[n++] = p->other;
    return n;
}

static bool share_field(const struct map_take *a, const struct map_take *b)
{
    for (unsigned i = 0; i < a->n_ops; i++)
        for (unsigned k = 0; k < b->n_ops; k++)
            if (a->op[i].field && a->op[i].field == b->op[k].field &&
                a->op[i].direction & b->op[k].direction & DIRECTION_READ)
                return true;
    return false;
}

/* Can two lines of one segment never both be read, by their conditions or their own qualifiers? */
static bool read_apart(const struct map_op *a, const struct map_op *b)
{
    for (unsigned i = 0; i < a->n_select; i++)
        for (unsigned k = 0; k < b->n_select; k++)
            if (a->select[i].element == b->select[k].element && a->select[i].component == b->select[k].component &&
                a->select[i].key != b->select[k].key)
                return true;
    return compile_apart(a->guard, a->n_guards, b->guard, b->n_guards);
}

static void check_same_segment(struct compiling *x, const struct map_take *t, const struct map_line *lines)
{
    for (unsigned i = 1; i < t->n_ops; i++)
        for (unsigned k = 0; k < i; k++) {
            const struct map_op *a = &t->op[i], *b = &t->op[k];
            struct place at;
            if (!a->field || a->field != b->field || (a->direction & b->direction) != DIRECTION_READ ||
                read_apart(a, b))
                continue;
            at = compile_place_of(x, lines, a->line);
            compile_refuse(x, &at,
                           "another line reads \"%.*s\" from this segment already, and nothing tells them apart",
                           SLICE_FMT(a->field->name));
            compile_hint(x, "tell them apart with `if FIELD = VALUE`.");
            return;
        }
}

/* It is noted of a field whether it has a value. False: memory. */
static bool note_field(struct compiling *x, struct map_scope *s, struct map_take *t, const struct map_name *name,
                       uint64_t *bit, const struct map_line *lines)
{
    struct map_noted *noted;

    for (unsigned i = 0; i < t->n_noted; i++)
        if (t->noted[i].field == name->field) {
            *bit = t->noted[i].bit;
            return true;
        }
    if (!*bit && s->bits == 63) {
        const struct place at = compile_place_of(x, lines, t->line);
        compile_refuse(x, &at, "too many single segments in one block");
        return true;
    }
    if (!*bit)
        *bit = 1ull << s->bits++;
    noted = ARENA_ARRAY(x->arena, t->n_noted + 1u, struct map_noted);
    if (!noted)
        return compile_nomem(x) != NULL;
    if (t->n_noted)
        memcpy(noted, t->noted, t->n_noted * sizeof(*noted));
    noted[t->n_noted++] = (struct map_noted){ name->field, name->key, name->key_n, *bit };
    t->noted = noted;
    return true;
}

/* Does a take fill any of these? */
static bool fills_any(const struct map_take *t, const uint64_t *fields)
{
    struct map_name name[5];
    for (unsigned k = 0; t->kind == TAKE_SEGMENT && k < t->n_ops; k++)
        for (unsigned m = names_of(&t->op[k], name); m--;)
            if (fields[name[m].field->index / 64] >> (name[m].field->index % 64) & 1)
                return true;
    return false;
}

/* Of lines with conditions one takes its segment, with all that it says besides. Otherwise the first segment that has a
 * value for what both fill. False: memory. */
static bool block_each_other(struct compiling *x, struct map_scope *s, struct map_take *a, struct map_take *b,
                             uint64_t *bit, const struct map_line *lines)
{
    struct map_name one[5], other[5];

    if ((a->n_guards || b->n_guards) && share_field(a, b)) {
        a->blocked |= b->once;
        b->blocked |= a->once;
        return true;
    }
    for (unsigned i = 0; i < a->n_ops; i++)
        for (unsigned k = 0; k < b->n_ops; k++) {
            const unsigned n = names_of(&a->op[i], one), m = names_of(&b->op[k], other);
            for (unsigned j = 0; j < n * m; j++) {
                const struct map_name *mine = &one[j / m], *its = &other[j % m];
                if (mine->field != its->field)
                    continue;
                if (!note_field(x, s, a, mine, &bit[mine->field->index], lines) ||
                    !note_field(x, s, b, its, &bit[mine->field->index], lines))
                    return false;
                a->blocked |= bit[mine->field->index];
                b->blocked |= bit[mine->field->index];
            }
        }
    return true;
}

/* A field that several segments fill has the value of the first of them that the document has. False: memory. */
static bool share_fields(struct compiling *x, struct map_scope *s, struct map_take **take, size_t n,
                         const struct map_line *lines)
{
    uint64_t seen[RECORD_FIELDS / 64 + 1] = { 0 }, twice[RECORD_FIELDS / 64 + 1] = { 0 }, bit[RECORD_FIELDS];
    struct map_name name[5];
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        uint64_t mine[RECORD_FIELDS / 64 + 1] = { 0 };
        bool again = false;
        if (take[i]->kind != TAKE_SEGMENT)
            continue;
        for (unsigned k = 0; k < take[i]->n_ops; k++) {
            const struct map_op *op = &take[i]->op[k];
            if (!op->field || !(op->direction & DIRECTION_READ))
                continue;
            again |= mine[op->field->index / 64] >> (op->field->index % 64) & 1;
            if (!op->beside && !op->period) { /* mostly that is all */
                mine[op->field->index / 64] |= 1ull << (op->field->index % 64);
                continue;
            }
            for (unsigned m = names_of(op, name); m--;)
                mine[name[m].field->index / 64] |= 1ull << (name[m].field->index % 64);
        }
        if (again)
            check_same_segment(x, take[i], lines);
        for (unsigned k = 0; k < sizeof(mine) / sizeof(mine[0]); k++) {
            twice[k] |= seen[k] & mine[k];
            seen[k] |= mine[k];
            any |= twice[k] != 0;
        }
    }
    if (!any)
        return true;
    memset(bit, 0, sizeof(bit));
    for (size_t i = 0; i < n; i++)
        if (fills_any(take[i], twice)) {
            take[i]->shares = true;
            for (size_t k = 0; k < i; k++)
                if (take[k]->shares && !block_each_other(x, s, take[i], take[k], bit, lines))
                    return false;
        }
    return true;
}

/* Does each document give a field by this line, if its guide has nothing against it? */
static bool is_sure(const struct compiling *x, const struct map_take *t, const struct map_op *op)
{
    const struct guide_node *node = &x->guide->node[t->segment];
    const unsigned element = op->element[0];

    return node->required && node->depth == 1 && !t->n_select && !t->n_guards && !op->n_guards && !op->n_select &&
           !op->period &&
           (op->absent.n || (!op->component && element && element <= node->def->n && !op->fallback.n &&
                             node->def->use[element - 1].requirement == REQ_MANDATORY));
}

/* Fields of the root that its kind demands and not every document has. False: memory. */
static bool find_needs(struct compiling *x, struct map_scope *s, struct map_take **take, size_t n,
                       const struct map_line *lines)
{
    const struct record_object *o = s->object;

    s->needs = ARENA_ARRAY(x->arena, o->n, struct map_noted);
    if (!s->needs)
        return compile_nomem(x) != NULL;
    for (unsigned f = 0; f < o->n; f++) {
        const struct record_field *field = &o->field[f];
        struct map_name name[5];
        bool given = false, sure = false;
        uint64_t bit = 0, bits = 0; /* one, or several where lines have conditions */
        if (!field->required)
            continue;
        for (size_t i = 0; i < n && field->type == RECORD_ARRAY; i++)
            given |= take[i]->kind == TAKE_SCOPE && take[i]->field == field && take[i]->direction & DIRECTION_READ;
        for (int pass = 0; pass < 2 && field->type != RECORD_ARRAY && !sure; pass++)
            for (size_t i = 0; i < n; i++)
                for (unsigned k = 0; take[i]->kind == TAKE_SEGMENT && k < take[i]->n_ops; k++)
                    for (unsigned m = names_of(&take[i]->op[k], name); m--;) {
                        if (name[m].field != field)
                            continue;
                        given = true;
                        sure |= is_sure(x, take[i], &take[i]->op[k]);
                        if (pass && !note_field(x, s, take[i], &name[m], &bit, lines))
                            return false;
                        bits |= bit;
                    }
        if (given && !sure)
            s->needs[s->n_needs++] = (struct map_noted){ .field = field, .bit = bits };
    }
    return true;
}

/* What its qualifier says. False: memory. */
static bool say(struct compiling *x, struct map_take **take, size_t n, struct map_take *t, const struct place *at)
{
    for (unsigned i = 0; i < t->n_guards; i++) {
        const struct map_guard *g = &t->guard[i];
        struct map_op *op;
        if (g->origin != GUARD_SAID)
            continue;
        for (size_t k = 0; k < n; k++)
            for (unsigned m = 0; take[k] != t && m < take[k]->n_ops; m++)
                if (take[k]->op[m].quick == QUICK_SAID && take[k]->op[m].field == g->field &&
                    !share_field(take[k], t)) {
                    compile_refuse(x, at, "another line says \"%.*s\" already, by the qualifier of another segment",
                                   SLICE_FMT(g->field->name));
                    return true;
                }
        op = add_op(x, t, QUICK_SAID);
        if (!op || !compile_make_key(x, op, g->field))
            return false;
        op->guard = g;
        t->saying = true;
    }
    return true;
}

/* What stands behind a line with a qualifier of its own reads what that one leaves. */
static void find_behind(struct map_take *t)
{
    for (unsigned i = 1; i < t->n_ops; i++)
        for (unsigned k = 0; k < i; k++) {
            struct map_op *op = &t->op[i];
            if (!t->op[k].n_select || !map_op_shares(&t->op[k], op) || op->quick == QUICK_NONE || op->behind)
                continue;
            op->behind = true;
            if (op->quick != QUICK_GUARDED) {
                op->inside = op->quick;
                op->quick = QUICK_GUARDED;
            }
        }
}

bool compile_settle_guards(struct compiling *x, struct map_scope *s, struct map_take **take, size_t n,
                           const struct map_line *lines)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        any |= take[i]->n_guards > 0;
        find_behind(take[i]);
    }
    if (!any)
        return share_fields(x, s, take, n, lines) && (s->parent || find_needs(x, s, take, n, lines));
    s->watch = ARENA_ARRAY(x->arena, MOST_WATCHED, struct map_guard);
    if (!s->watch)
        return compile_nomem(x) != NULL;
    for (size_t i = 0; i < n; i++) {
        struct place at = compile_place_of(x, lines, take[i]->line);
        take[i]->picky |= take[i]->n_guards > 0;
        if (take[i]->n_guards && reads(take[i]))
            settle(x, s, take, n, take[i], &at);
    }
    for (size_t i = 0; i < n; i++) {
        struct place at = compile_place_of(x, lines, take[i]->line);
        if (!say(x, take, n, take[i], &at) || (take[i]->tells && !add_op(x, take[i], QUICK_TELL)))
            return false;
    }
    s->odd_begin |= s->n_watch > 0;
    return share_fields(x, s, take, n, lines) && (s->parent || find_needs(x, s, take, n, lines));
}
