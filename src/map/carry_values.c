/* carry_values: what a line makes of the values it names: arithmetic, conversions, and whether it applies at all. */
#include "map/carry_run.h"

#include <stdio.h>

#include "map/decimal.h"

/* ---- values ---- */

/* The path of the first operand that has one: what a finding about a value is about. */
static struct slice path_of(struct carry *c, const struct carry_maker *m)
{
    for (unsigned i = 0; i < m->n_left; i++)
        if (m->left[i].kind != CARRY_TEXT && m->left[i].kind != CARRY_ORDINAL)
            return carry_path_text(c, &m->left[i].path);
    return slice("", 0);
}

struct summing {
    struct decimal sum;
    uint64_t count;
    bool failed;
};

static int sum_up(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    struct summing *sum = ctx;
    struct decimal d;
    struct value v;
    int rc = carry_read_value(c, s, &v, err);

    if (rc < 0 || !v.there)
        return rc;
    sum->count++;
    sum->failed |= !decimal_read(v.text, &d) || !decimal_add(&sum->sum, &d, false, &sum->sum);
    return 0;
}

static int count_up(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    (void)c;
    (void)s;
    (void)err;
    ((struct summing *)ctx)->count++;
    return 0;
}

static int operand_value(struct carry *c, const struct carry_operand *o, struct value *v, struct err *err)
{
    struct summing sum = { .count = 0 };
    int rc;

    *v = (struct value){ .there = false };
    if (o->kind == CARRY_TEXT) {
        *v = (struct value){ .there = true, .text = o->text };
        return 0;
    }
    if (o->kind == CARRY_PATH)
        return carry_path_value(c, &o->path, v, err);
    if (o->kind == CARRY_ORDINAL) {
        sum.sum.digits = (wide)c->frame[o->path.frame].ordinal;
        v->there = true;
        v->text = decimal_text(&sum.sum, &c->scratch);
        return v->text.p ? 0 : carry_no_room(c, err);
    }
    rc = carry_walk_path(c, &o->path, o->kind == CARRY_SUM ? sum_up : count_up, &sum, err);
    if (rc < 0)
        return rc;
    if (sum.failed) {
        carry_refuse(c, "MAP-VALUE", carry_path_text(c, &o->path), slice(NULL, 0), "cannot be added up",
               "decimals with 36 digits at most");
        return 0;
    }
    if (o->kind == CARRY_COUNT)
        sum.sum.digits = (wide)sum.count;
    v->there = o->kind == CARRY_COUNT || sum.count;
    v->text = decimal_text(&sum.sum, &c->scratch);
    return v->text.p ? 0 : carry_no_room(c, err);
}

static int join_texts(struct carry *c, struct slice a, struct slice b, struct slice *text_r, struct err *err)
{
    char *text = arena_alloc(&c->scratch, a.n + b.n + 1);

    if (!text)
        return carry_no_room(c, err);
    if (a.n)
        memcpy(text, a.p, a.n);
    if (b.n)
        memcpy(text + a.n, b.p, b.n);
    *text_r = slice(text, a.n + b.n);
    return 0;
}

static unsigned places_of(const struct carry_maker *m)
{
    for (unsigned i = 0; i < m->n_conversions; i++)
        if (m->conversion[i].kind == CARRY_ROUND)
            return m->conversion[i].number;
    return 0;
}

static int combine(struct carry *c, const struct carry_maker *m, uint8_t operator, struct value *v,
                   const struct value *with, struct err *err)
{
    struct decimal a, b, d;
    bool good;

    if (operator == CARRY_OR) {
        if (!v->there)
            *v = *with;
        return 0;
    }
    if (!v->there || !with->there) {
        v->there = false;
        return 0;
    }
    v->literal = false;
    if (operator == CARRY_JOIN)
        return join_texts(c, v->text, with->text, &v->text, err);
    if (!decimal_read(v->text, &a) || !decimal_read(with->text, &b)) {
        carry_refuse(c, "MAP-VALUE", path_of(c, m), decimal_read(v->text, &a) ? with->text : v->text,
               "cannot be computed with", "a decimal with 36 digits at most");
        v->there = false;
        return 0;
    }
    if (operator == CARRY_DIVIDE && b.digits == 0) {
        carry_refuse(c, "MAP-VALUE", path_of(c, m), with->text, "is nought, and nothing can be divided by it", "");
        v->there = false;
        return 0;
    }
    good = operator == CARRY_TIMES    ? decimal_times(&a, &b, &d)
           : operator == CARRY_DIVIDE ? decimal_divide(&a, &b, places_of(m), &d)
                                      : decimal_add(&a, &b, operator == CARRY_SUBTRACT, &d);
    if (!good) {
        carry_refuse(c, "MAP-VALUE", path_of(c, m), v->text, "gives a result of more than 36 digits", "");
        v->there = false;
        return 0;
    }
    v->text = decimal_text(&d, &c->scratch);
    return v->text.p ? 0 : carry_no_room(c, err);
}

static unsigned rank(uint8_t operator)
{
    return operator >= CARRY_TIMES ? 4 : operator >= CARRY_ADD ? 3 : operator;
}

/* Operands from *i on, as long as operators bind at least so tightly. */
int carry_compute(struct carry *c, const struct carry_maker *m, unsigned *i, unsigned least, struct value *v,
                   struct err *err)
{
    int rc = operand_value(c, &m->left[(*i)++], v, err);

    while (rc == 0 && *i < m->n_left && rank(m->left[*i].before) >= least) {
        uint8_t operator = m->left[*i].before;
        struct value with;
        rc = carry_compute(c, m, i, rank(operator) + 1, &with, err);
        if (rc == 0)
            rc = combine(c, m, operator, v, &with, err);
    }
    return rc;
}

/* ---- conversions ---- */

static int lookup_value(struct carry *c, const struct carry_maker *m, const struct carry_conversion *k,
                        struct value *v, struct err *err)
{
    struct slice key[LOOKUP_KEYS], found;
    char expected[300], where[400];

    key[0] = v->text;
    for (unsigned i = 0; i < k->n_withs; i++) {
        struct value with;
        int rc = carry_path_value(c, &k->with[i].path, &with, err);
        if (rc < 0)
            return rc;
        key[i + 1] = with.there ? with.text : slice("", 0);
    }
    buf_clear(&c->text);
    v->there = lookup_find(k->lookup, key, &c->text, &found);
    if (c->text.failed)
        return carry_no_room(c, err);
    if (v->there) {
        v->text = arena_copy(&c->scratch, found);
        v->there = found.n > 0;
        return v->text.p ? 0 : carry_no_room(c, err);
    }
    v->there = k->otherwise == CARRY_ELSE_KEEP;
    if (v->there)
        return 0;
    v->there = k->otherwise == CARRY_ELSE_TEXT;
    if (k->otherwise == CARRY_ELSE_TEXT)
        v->text = k->otherwise_text;
    if (k->otherwise != CARRY_ELSE_REFUSE)
        return 0;
    snprintf(expected, sizeof(expected), "a value of the column %.*s", (int)(k->key.n < 200 ? k->key.n : 200),
             k->key.p);
    snprintf(where, sizeof(where), "has no row in the table %.*s", (int)(k->text.n < 300 ? k->text.n : 300), k->text.p);
    carry_refuse(c, "MAP-LOOKUP", path_of(c, m), v->text, where, expected);
    return 0;
}

static int pad_value(struct carry *c, const struct carry_conversion *k, struct value *v, struct err *err)
{
    size_t have = utf8_characters(v->text);
    int rc = 0;

    while (rc == 0 && have < k->number && k->text.n) {
        rc = join_texts(c, k->text, v->text, &v->text, err);
        have += utf8_characters(k->text);
    }
    return rc;
}

static int convert(struct carry *c, const struct carry_maker *m, const struct carry_conversion *k, struct value *v,
                   struct err *err)
{
    const struct map_table_row *row;
    struct decimal d;
    const char *t;
    char *upper;

    if (!v->there) {
        if (k->kind == CARRY_DEFAULT)
            *v = (struct value){ .there = true, .text = k->text };
        return 0;
    }
    switch (k->kind) {
    case CARRY_CODE:
        row = map_table_code(k->table, slice_key(v->text));
        if (row && slice_eq(row->code, v->text))
            v->text = row->word;
        else if (k->table->refuse)
            carry_refuse(c, "MAP-VALUE", path_of(c, m), v->text, "has no row in the table, which refuses others", "");
        return 0;
    case CARRY_LOOKUP:
        return lookup_value(c, m, k, v, err);
    case CARRY_DATE:
        if (v->text.n > 10 && record_is_date(slice(v->text.p, 10)))
            v->text.n = 10;
        return 0;
    case CARRY_TIME:
        t = v->text.n ? memchr(v->text.p, 'T', v->text.n) : NULL;
        v->there = t != NULL;
        if (t) {
            size_t n = 0;
            v->text = slice_from(v->text, (size_t)(t - v->text.p) + 1);
            while (n < v->text.n && (is_digit(v->text.p[n]) || v->text.p[n] == ':' || v->text.p[n] == '.'))
                n++;
            v->text.n = n;
        }
        return 0;
    case CARRY_ROUND:
        if (!decimal_read(v->text, &d)) {
            carry_refuse(c, "MAP-VALUE", path_of(c, m), v->text, "cannot be rounded",
                         "a decimal with 36 digits at most");
            return 0;
        }
        decimal_round(&d, k->number);
        v->text = decimal_text(&d, &c->scratch);
        return v->text.p ? 0 : carry_no_room(c, err);
    case CARRY_PAD:
        return pad_value(c, k, v, err);
    case CARRY_PREFIX:
        return join_texts(c, k->text, v->text, &v->text, err);
    case CARRY_STRIP:
        if (slice_starts(v->text, k->text) && v->text.n > k->text.n)
            v->text = slice_from(v->text, k->text.n);
        return 0;
    case CARRY_TRIM:
        v->text = slice_trim(v->text);
        v->there = v->text.n > 0;
        return 0;
    case CARRY_UPPER:
        upper = (char *)arena_copy(&c->scratch, v->text).p;
        if (!upper)
            return carry_no_room(c, err);
        for (size_t i = 0; i < v->text.n; i++)
            if (upper[i] >= 'a' && upper[i] <= 'z')
                upper[i] = (char)(upper[i] - 'a' + 'A');
        v->text.p = upper;
        return 0;
    default:
        return 0;
    }
}

int carry_convert_all(struct carry *c, const struct carry_maker *m, struct value *v, struct err *err)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < m->n_conversions; i++) {
        v->literal = v->literal && m->conversion[i].kind == CARRY_DEFAULT;
        rc = convert(c, m, &m->conversion[i], v, err);
    }
    return rc;
}

/* ---- conditions ---- */

static int is_there(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    (void)c;
    (void)err;
    (void)ctx;
    (void)s;
    return 1;
}

int carry_holds(struct carry *c, const struct carry_maker *m, struct err *err)
{
    for (unsigned i = 0; i < m->n_conditions; i++) {
        const struct carry_condition *k = &m->condition[i];
        struct value v;
        int rc;
        if (k->compares) {
            rc = carry_path_value(c, &k->path, &v, err);
            if (rc == 0)
                rc = v.there && slice_eq(v.text, k->value);
        } else {
            rc = carry_walk_path(c, &k->path, is_there, NULL, err);
        }
        if (rc < 0)
            return rc;
        if ((rc > 0) == k->negated)
            return 0;
    }
    return 1;
}
