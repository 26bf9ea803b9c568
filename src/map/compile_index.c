/*
 * compile_index: what makes reading a segment quick: which op stands for which element, how much they can write, and
 * what each row of a table becomes, ready to be copied.
 *
 * It works on takes whose ops are all there, and changes no op's meaning. A take may be indexed again when an op of it
 * has changed. All that is made here lies in the plan's arena.
 */
#include "map/compile_inside.h"

#include <stdio.h>

struct row_texts {
    struct row_texts *next;
    const struct map_table *table;
    struct slice key, beside, fallback;
    const struct slice *text;
};

bool compile_make_texts(struct compiling *x, struct map_op *op)
{
    const struct slice key = slice(op->key, op->key_n), beside_key = slice(op->beside_key, op->beside_n);
    struct row_texts *known;
    struct slice *texts;
    size_t total = 64; /* behind the last one, too */
    char *p;

    if (op->quick != QUICK_CODE || !op->table || op->texts)
        return true;
    for (known = x->texts; known; known = known->next)
        if (known->table == op->table && slice_eq(known->key, key) && slice_eq(known->beside, beside_key) &&
            slice_eq(known->fallback, op->fallback)) {
            op->texts = known->text;
            op->kept = !op->table->refuse && !op->fallback.n;
            return true;
        }
    known = ARENA_NEW(x->arena, struct row_texts);
    texts = ARENA_ARRAY(x->arena, op->table->n + 1, struct slice);
    if (!known || !texts)
        return compile_nomem(x) != NULL;
    for (unsigned i = 0; i < op->table->n; i++)
        total += op->key_n + op->beside_n + op->table->row[i].json.n + op->table->row[i].code.n + 4;
    p = arena_alloc(x->arena, total);
    if (!p)
        return compile_nomem(x) != NULL;
    for (unsigned i = 0; i < op->table->n; i++) {
        const struct map_table_row *row = &op->table->row[i];
        bool beside = op->beside && !row->same;
        texts[i].p = p;
        if (op->fallback.n && slice_eq(row->word, op->fallback))
            continue; /* left out */
        memcpy(p, op->key, op->key_n);
        p += op->key_n;
        if (row->json.n)
            memcpy(p, row->json.p, row->json.n);
        p += row->json.n;
        *p++ = '"';
        *p++ = ',';
        if (beside) {
            if (!json_is_plain(row->code)) /* the slow way writes it */
                return true;
            memcpy(p, op->beside_key, op->beside_n);
            p += op->beside_n;
            memcpy(p, row->code.p, row->code.n);
            p += row->code.n;
            *p++ = '"';
            *p++ = ',';
        }
        texts[i].n = (size_t)(p - texts[i].p);
    }
    *known = (struct row_texts){ x->texts, op->table, key, beside_key, op->fallback, texts };
    x->texts = known;
    op->texts = texts;
    op->kept = !op->table->refuse && !op->fallback.n;
    return true;
}

static bool is_late(const struct map_op *op)
{
    return op->quick >= QUICK_DATETIME && op->quick != QUICK_NONE;
}

void compile_measure(struct map_take *t)
{
    uint8_t times[UINT8_MAX + 1] = { 0 };

    t->copies = 1;
    t->fixed = 512;
    for (unsigned i = 0; i < t->n_ops; i++) {
        const struct map_op *op = &t->op[i];
        if (op->quick == QUICK_NONE)
            continue;
        t->fixed += (size_t)op->key_n + op->beside_n + 64;
        for (unsigned k = 0; k < op->n_conversions; k++) {
            const struct conversion *c = &op->conversion[k];
            t->fixed += (c->table ? c->table->longest * 6 : 0) + (c->kind == CONVERT_IMPLIED ? c->number[0] : 0);
        }
        t->fixed += op->span * 2u;
        t->fixed += op->quick == QUICK_SAID ? op->guard->value.n * 6 : 0;
        if (op->period)
            t->fixed += 256u + op->period->until.key_n + op->period->clock.key_n + op->period->other.key_n;
        for (unsigned e = 0; e < 3; e++) {
            uint8_t *n = &times[op->element[e]];
            *n = *n < UINT8_MAX - 1 ? (uint8_t)(*n + (op->beside ? 2 : 1)) : UINT8_MAX;
            if (op->element[e] && *n > t->copies)
                t->copies = *n;
        }
    }
}

bool compile_index_ops(struct compiling *x, struct map_take *t)
{
    if (t->n_ops > 250) {
        struct place at = { .file = x->map->file, .line = t->line };
        compile_refuse(x, &at, "too many lines for one segment");
        return true;
    }
    t->by_element = arena_alloc(x->arena, 64);
    t->late = arena_alloc(x->arena, t->n_ops + 1);
    if (!t->by_element || !t->late)
        return compile_nomem(x) != NULL;
    memset(t->by_element, 0, 64);
    t->quick = t->slow = 0;
    t->n_late = 0;
    t->mixed = false;
    for (unsigned i = 1; i < t->n_ops; i++) {
        const struct map_op *a = &t->op[i - 1], *b = &t->op[i];
        t->mixed |= a->element[0] > b->element[0] || (is_late(a) && !is_late(b) && b->quick != QUICK_NONE);
    }
    for (unsigned i = t->n_ops; i-- > 0;) {
        struct map_op *op = &t->op[i];
        unsigned k = op->element[0] - 1u;
        op->needs = 0;
        if (op->quick == QUICK_NONE || k > 63)
            continue;
        for (unsigned e = 0; e < 3; e++)
            op->needs |= op->element[e] ? 1ull << (op->element[e] - 1) : 0;
        if (op->period)
            op->needs |= 1ull << (op->period->element - 1);
        /* whatever is there; one that is quick though it has a word for nothing reads an element that is mandatory */
        if (op->quick == QUICK_NODE || op->quick == QUICK_TELL || (op->absent.n && is_late(op)))
            op->needs = UINT64_MAX;
        op->next = 0;
        if (is_late(op)) {
            t->slow |= op->needs;
            continue;
        }
        op->next = t->by_element[k];
        t->by_element[k] = (uint8_t)(i + 1);
        t->quick |= 1ull << k;
    }
    for (unsigned i = 0; i < t->n_ops; i++)
        if (!compile_make_texts(x, &t->op[i]))
            return false;
    for (unsigned i = 0; i < t->n_ops; i++) {
        struct map_guard *guard = (struct map_guard *)t->op[i].guard;
        if (is_late(&t->op[i]))
            t->late[t->n_late++] = (uint8_t)i;
        for (unsigned k = 0; k < t->op[i].n_guards; k++) {
            const struct map_op *giver = map_giver(t, guard[k].field);
            guard[k].op = giver ? (uint8_t)(giver - t->op + 1) : 0;
        }
    }
    return true;
}
