/* carry_lost: what of the source nothing took, and nothing drops on purpose. */
#include "map/carry_run.h"

#include <stdio.h>

/* ---- what was left behind ---- */

static void lose(struct carry *c, struct slice pattern)
{
    if (carry_is_dropped(c->plan, pattern))
        return;
    for (unsigned i = 0; i < c->n_lost; i++)
        if (slice_eq(c->lost[i].pattern, pattern)) {
            c->lost[i].count++;
            return;
        }
    if (c->n_lost == LOST)
        return;
    pattern = arena_copy(&c->arena, pattern);
    if (!pattern.p)
        c->path.failed = ERR_NOMEM;
    else
        c->lost[c->n_lost++] = (struct lost){ pattern, 1 };
}

/* Was anything of it taken? */
static bool is_touched(const struct spot *s)
{
    struct spot item = *s;

    if (carry_is_scalar_node(&s->tape->node[s->node]))
        return carry_is_marked(s, s->node);
    for (item.node = json_first(s->node); item.node < json_end(s->tape, s->node);
         item.node = json_next(s->tape, item.node))
        if (is_touched(&item))
            return true;
    return false;
}

static int find_lost(struct carry *c, const struct spot *s, struct err *err);

static int find_lost_members(struct carry *c, const struct spot *s, struct err *err)
{
    struct spot member = *s;
    int rc = 0;

    for (member.node = json_first(s->node); rc == 0 && member.node < json_end(s->tape, s->node);
         member.node = json_next(s->tape, member.node)) {
        size_t at = c->path.n;
        struct slice name = json_raw_key(s->tape, member.node);
        if (at == 0 && carry_is_envelope(name))
            continue;
        if (at)
            buf_add_char(&c->path, '.');
        buf_add_slice(&c->path, name);
        if (slice_is(name, "unmapped"))
            lose(c, buf_slice(&c->path));
        else
            rc = find_lost(c, &member, err);
        c->path.n = at;
    }
    return rc;
}

static int find_lost_items(struct carry *c, const struct spot *s, struct err *err)
{
    struct list_items items;
    struct spot item;
    int rc = carry_items_begin(c, s, false, &items, &item, err);

    while (rc == 0 && (rc = carry_items_next(c, &items, &item, err)) > 0)
        rc = find_lost(c, &item, err);
    carry_items_end(c, &items);
    return rc;
}

/* An object of which nothing was taken is told as one. */
static int find_lost(struct carry *c, const struct spot *s, struct err *err)
{
    const struct json_node *n = &s->tape->node[s->node];

    if (n->type == JSON_STREAMED || n->type == JSON_ARRAY)
        return find_lost_items(c, s, err);
    if (n->type == JSON_NULL || (n->type == JSON_OBJECT && n->count == 0))
        return 0;
    if (n->type == JSON_OBJECT &&
        (c->path.n == 0 || is_touched(s) || carry_drops_inside(c->plan, buf_slice(&c->path))))
        return find_lost_members(c, s, err);
    if (n->type == JSON_OBJECT || !carry_is_marked(s, s->node))
        lose(c, buf_slice(&c->path));
    return 0;
}

int carry_tell_lost(struct carry *c, struct err *err)
{
    int rc;

    buf_clear(&c->path);
    c->depth = 0;
    rc = find_lost(c, &c->frame[0].spot, err);
    if (rc == 0 && c->path.failed == ERR_NOMEM)
        rc = carry_no_room(c, err);
    for (unsigned i = 0; rc == 0 && i < c->n_lost; i++) {
        char found[200];
        int n = snprintf(found, sizeof(found), "is not carried into the %.*s", SLICE_FMT(c->plan->to->name));
        if (c->lost[i].count > 1 && n > 0 && (size_t)n < sizeof(found))
            snprintf(found + n, sizeof(found) - (size_t)n, ", in %llu places", (unsigned long long)c->lost[i].count);
        const struct map_write_finding f = {
            .code = "MAP-LOSS", .severity = SEVERITY_WARNING, .path = c->lost[i].pattern, .found = found,
            .expected = "", .loss = true,
        };
        carry_say(c, &f);
    }
    return rc;
}
