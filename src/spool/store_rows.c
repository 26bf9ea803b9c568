/* store_rows: rows that stay when the query that gave them is over. See store.h. */
#include "spool/store.h"

static int keep(struct arena *arena, struct slice *const text[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        *text[i] = arena_copy(arena, *text[i]);
        if (!text[i]->p)
            return ERR_NOMEM;
    }
    return 0;
}

#define KEEP(arena, ...)                                                                                               \
    keep(arena, (struct slice *const[]){ __VA_ARGS__ },                                                                \
         sizeof((struct slice *[]){ __VA_ARGS__ }) / sizeof(struct slice *))

int store_keep_transmission(struct arena *arena, const struct store_transmission *t, struct store_transmission *k)
{
    *k = *t;
    return KEEP(arena, &k->partner, &k->name, &k->way, &k->format, &k->source.path, &k->target, &k->hidden, &k->reason);
}

int store_keep_document(struct arena *arena, const struct store_document *d, struct store_document *k)
{
    *k = *d;
    return KEEP(arena, &k->partner, &k->set, &k->version, &k->kind, &k->sender, &k->receiver, &k->interchange,
                &k->group, &k->control, &k->number, &k->release, &k->purpose, &k->answered, &k->reason);
}

int store_keep_delivery(struct arena *arena, const struct store_delivery *d, struct store_delivery *k)
{
    *k = *d;
    return KEEP(arena, &k->partner, &k->route, &k->kind, &k->set, &k->reason);
}

/* --- One by its id ------------------------------------------------------------------------- */

struct getting {
    struct arena *arena;
    void *row;
    bool found;
};

#define GET(thing)                                                                                                     \
    static int get_##thing(void *ctx, const struct store_##thing *row)                                                 \
    {                                                                                                                  \
        struct getting *g = ctx;                                                                                       \
        g->found = true;                                                                                               \
        return store_keep_##thing(g->arena, row, g->row);                                                              \
    }                                                                                                                  \
    int store_get_##thing(struct store *s, store_id id, struct arena *arena, struct store_##thing *row_r,              \
                          struct err *err)                                                                             \
    {                                                                                                                  \
        const struct store_query q = { .id = id, .limit = 1 };                                                         \
        struct getting g = { .arena = arena, .row = row_r };                                                           \
        int rc = id ? store_##thing##s(s, &q, get_##thing, &g, err) : 0;                                               \
        if (rc == ERR_NOMEM)                                                                                           \
            err_nomem(err);                                                                                            \
        return rc < 0 ? rc : g.found;                                                                                  \
    }

#define store_deliverys store_deliveries
GET(transmission)
GET(document)
GET(delivery)
