/* lookup: see lookup.h. */
#include "map/lookup.h"

#include <stdlib.h>

#include "base/limits.h"
#include "tree/csv.h"

struct lookup {
    struct slice file, text;
    unsigned key[LOOKUP_KEYS], n_keys, value;   /* columns */
    uint32_t *slot;             /* where a row starts, plus 1; 0: free */
    uint32_t mask;
    unsigned columns;
    char delimiter;
};

static uint64_t hash_keys(const struct slice *key, unsigned n)
{
    uint64_t h = 0;
    for (unsigned i = 0; i < n; i++)
        h = (h ^ slice_hash(key[i])) * 0x9E3779B97F4A7C15ull;
    return h ^ h >> 32;
}

/* Are these the keys of the row that c holds? */
static bool is_row(const struct lookup *l, const struct csv *c, const struct slice *key, struct buf *to)
{
    for (unsigned i = 0; i < l->n_keys; i++)
        if (!slice_eq(csv_text(&c->field[l->key[i]], to), key[i]))
            return false;
    return true;
}

static void read_row(uint32_t row, struct csv *c)
{
    csv_seek(c, row);
    csv_next(c);
}

static int find_column(struct csv *c, struct slice name, const struct place *at, struct buf *to, struct complaints *x,
                       unsigned *column_r)
{
    struct slice best = { 0 };
    unsigned distance = 3;

    for (unsigned i = 0; i < c->n; i++)
        if (slice_eq(csv_text(&c->field[i], to), name)) {
            *column_r = i;
            return 0;
        }
    complain(x, at, "the table has no column \"%.*s\"", SLICE_FMT(name));
    for (unsigned i = 0; i < c->n; i++)
        suggest(name, c->field[i].raw, &best, &distance);
    if (best.n && utf8_characters(best) == best.n)
        complain_hint(x, "did you mean \"%.*s\"?", SLICE_FMT(best));
    return ERR_CONFIG;
}

static uint64_t count_rows(const struct lookup *l)
{
    uint64_t n = 0;
    struct csv c;

    csv_init(&c, l->text, l->delimiter);
    while (csv_next(&c))
        n++;
    return n;
}

static void complain_row(const struct lookup *l, const struct csv *c, struct complaints *x, const char *what)
{
    const struct place at = { .file = l->file, .line = (uint32_t)c->line };
    complain(x, &at, "%s", what);
}

/* Puts the row that c holds into its slot. */
static void add_row(struct lookup *l, const struct csv *c, struct csv *other, struct buf texts[2], struct complaints *x)
{
    struct slice key[LOOKUP_KEYS];
    struct buf own[LOOKUP_KEYS];
    uint32_t i;

    for (unsigned k = 0; k < l->n_keys; k++) {
        buf_init(&own[k], LIMIT_ITEM);
        key[k] = csv_text(&c->field[l->key[k]], &own[k]);
        x->nomem |= own[k].failed != 0;
    }
    for (i = (uint32_t)hash_keys(key, l->n_keys) & l->mask; l->slot[i]; i = (i + 1) & l->mask) {
        read_row(l->slot[i] - 1, other);
        if (!is_row(l, other, key, &texts[0]))
            continue;
        if (!slice_eq(csv_text(&other->field[l->value], &texts[0]), csv_text(&c->field[l->value], &texts[1])))
            complain_row(l, c, x, "what is looked for stands in an earlier row, with another value");
        break;
    }
    if (!l->slot[i])
        l->slot[i] = (uint32_t)c->row + 1;
    for (unsigned k = 0; k < l->n_keys; k++)
        buf_deinit(&own[k]);
}

static int fill(struct lookup *l, const struct slice *key, struct slice value, const struct place *at,
                struct complaints *x, struct csv *c, struct csv *other, struct buf texts[2])
{
    unsigned before = x->count;
    uint64_t slots = 16, rows;
    int r;

    csv_init(c, l->text, 0);
    l->delimiter = c->delimiter;
    csv_init(other, l->text, l->delimiter);
    r = csv_next(c);
    if (r <= 0) {
        struct place place = { .file = l->file, .line = 1 };
        complain(x, &place, "%s", r < 0 ? c->error : "a row with the names of the columns is expected here");
        return ERR_CONFIG;
    }
    if (memchr(l->text.p, 0, l->text.n)) {
        struct place place = { .file = l->file, .line = 1 };
        complain(x, &place, "the table holds bytes 0x00: it is no text, or one in UTF-16");
        complain_hint(x, "save it as UTF-8.");
        return ERR_CONFIG;
    }
    l->columns = c->n;
    for (unsigned i = 0; i < l->n_keys; i++)
        find_column(c, key[i], at, &texts[0], x, &l->key[i]);
    find_column(c, value, at, &texts[0], x, &l->value);
    if (x->count > before)
        return ERR_CONFIG;
    for (rows = count_rows(l); slots < rows * 2;)
        slots *= 2;
    l->slot = calloc(slots, sizeof(*l->slot));
    if (!l->slot)
        return ERR_NOMEM;
    l->mask = (uint32_t)(slots - 1);
    while ((r = csv_next(c)) != 0 && !x->nomem) {
        if (r < 0)
            complain_row(l, c, x, c->error);
        else if (c->n != l->columns)
            complain_row(l, c, x, "the row has not as many fields as the first one");
        else
            add_row(l, c, other, texts, x);
    }
    if (x->nomem || texts[0].failed || texts[1].failed)
        return ERR_NOMEM;
    return x->count > before ? ERR_CONFIG : 0;
}

int lookup_new(struct slice file, struct slice text, const struct slice *key, unsigned n_keys, struct slice value,
               const struct place *at, struct complaints *x, struct lookup **lookup_r)
{
    struct lookup *l = calloc(1, sizeof(*l));
    struct csv *c = malloc(2 * sizeof(*c));
    struct buf texts[2];
    int r = ERR_NOMEM;

    *lookup_r = NULL;
    buf_init(&texts[0], LIMIT_ITEM);
    buf_init(&texts[1], LIMIT_ITEM);
    if (l && c) {
        *l = (struct lookup){ .file = file, .text = text, .n_keys = n_keys };
        r = fill(l, key, value, at, x, c, c + 1, texts);
    }
    buf_deinit(&texts[0]);
    buf_deinit(&texts[1]);
    free(c);
    if (r < 0)
        lookup_free(&l);
    if (r == ERR_NOMEM)
        x->nomem = true;
    *lookup_r = l;
    return r;
}

void lookup_free(struct lookup **lookup)
{
    if (*lookup)
        free((*lookup)->slot);
    free(*lookup);
    *lookup = NULL;
}

struct slice lookup_file(const struct lookup *l)
{
    return l->file;
}

bool lookup_find(const struct lookup *l, const struct slice *key, struct buf *to, struct slice *value_r)
{
    struct csv c;

    csv_init(&c, l->text, l->delimiter);
    for (uint32_t i = (uint32_t)hash_keys(key, l->n_keys) & l->mask; l->slot[i]; i = (i + 1) & l->mask) {
        read_row(l->slot[i] - 1, &c);
        if (is_row(l, &c, key, to)) {
            *value_r = csv_text(&c.field[l->value], to);
            return true;
        }
    }
    return false;
}
