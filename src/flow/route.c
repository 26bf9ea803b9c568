/* route: see route.h. */
#include "flow/route.h"

#include "edi/dialect.h"

int route_meets(const struct partner_route *route, const struct json_tape *tape, struct arena *arena, bool *meets_r,
                struct err *err)
{
    struct slice text;
    int rc;

    *meets_r = true;
    if (!route->when.n)
        return 0;
    rc = record_text(tape, route->when, arena, &text, err);
    *meets_r = slice_eq(text, route->value) != route->when_not;
    return rc;
}

/* The kind of record that a line takes; empty: whatever comes. */
static int kind_of(struct home *h, const struct partner *p, unsigned i, struct slice *kind_r, struct err *err)
{
    const struct partner_route *route = &p->route[i];
    const struct map *map = NULL;
    struct agreement *agreement;
    struct complaints c;
    int rc;

    *kind_r = route->record;
    if (route->record.n || !route->document.n)
        return 0;
    rc = home_agreement(h, p, &agreement, err);
    if (rc < 0)
        return rc;
    map = agreement_map(agreement, i);
    if (!map) {
        complaints_init(&c);
        rc = maps_by_set(home_maps(h), slice_of(dialect_of_set(route->document)->standard), route->document, &c, &map,
                         err);
        complaints_deinit(&c);
    }
    if (rc == 0 && map)
        *kind_r = map_kind(map)->name;
    return rc == ERR_MISSING ? 0 : rc;
}

/* Looks at one line. 1: the record can go by it; with `carries`, by way of another map. */
static int try_line(struct home *h, const struct partner *p, unsigned i, struct slice kind, bool carries,
                    const struct json_tape *tape, struct arena *arena, struct way *way, struct err *err)
{
    const struct partner_route *route = &p->route[i];
    struct slice taken;
    bool meets = true;
    int rc = 0;

    if (!route->out)
        return 0;
    rc = kind_of(h, p, i, &taken, err);
    if (rc < 0)
        return rc;
    *way = (struct way){ .route = i };
    if (!carries && taken.n && !slice_eq(taken, kind))
        return 0;
    if (carries) {
        if (!taken.n || slice_eq(taken, kind))
            return 0;
        rc = home_carry(h, p, kind, taken, &way->carry, err);
        if (rc < 0 || !way->carry)
            return rc;
    }
    /* the condition is about the record that is sent, which is not made yet where another map comes first */
    if (tape && !carries)
        rc = route_meets(route, tape, arena, &meets, err);
    return rc < 0 ? rc : meets;
}

int route_out(struct home *h, const struct partner *to, struct slice kind, const struct json_tape *tape,
              struct arena *arena, struct way *way, struct buf *why, struct err *err)
{
    for (unsigned carries = 0; carries < 2; carries++)
        for (unsigned i = 0; i < to->n_routes; i++) {
            int rc = try_line(h, to, i, kind, carries, tape, arena, way, err);
            if (rc != 0)
                return rc;
        }
    buf_printf(why, "no line of %.*s.conf says how he gets ", SLICE_FMT(to->name));
    buf_add_safe(why, kind, 64);
    buf_add_text(why, " records");
    return 0;
}

void route_words(const struct partner_route *route, struct buf *words)
{
    buf_add_text(words, route->send ? "send" : "receive");
    if (route->document.n) {
        buf_add_char(words, ' ');
        buf_add_slice(words, route->document);
    }
    if (route->record.n) {
        buf_add_text(words, !route->document.n ? " " : route->send ? " from " : " as ");
        buf_add_slice(words, route->record);
    }
    if (route->when.n) {
        buf_printf(words, " when %.*s %s ", SLICE_FMT(route->when), route->when_not ? "!=" : "=");
        buf_add_slice(words, route->value);
    }
    if (route->way.n && route->out) {
        buf_add_text(words, " by ");
        buf_add_slice(words, route->way);
        if (route->path.n) {
            buf_add_char(words, ' ');
            buf_add_slice(words, route->path);
        }
    }
}

int route_find(const struct partner *p, struct slice words)
{
    struct buf line;
    int found = -1;

    buf_init(&line, 8192);
    for (unsigned i = 0; found < 0 && i < p->n_routes; i++) {
        buf_clear(&line);
        route_words(&p->route[i], &line);
        if (!line.failed && slice_eq(buf_slice(&line), words))
            found = (int)i;
    }
    buf_deinit(&line);
    return found;
}
