/* carry_coverage: which fields of the source no line of a map between records takes, and which of the target none
 * makes. */
#include "map/carry_inside.h"

#include "base/err.h"

enum { DEPTH = 12, PATH = 4000 };

struct covering {
    const struct carry_plan *plan;
    carry_gap_fn *function;
    void *ctx;
    struct carry_coverage *n;
    struct buf path;
};

static int tell(struct covering *x, bool made, bool object)
{
    const struct carry_gap gap = { .path = buf_slice(&x->path), .made = made, .object = object };

    return x->function ? x->function(x->ctx, &gap) : 0;
}

static size_t add_name(struct covering *x, struct slice name)
{
    size_t at = x->path.n;

    if (at)
        buf_add_char(&x->path, '.');
    buf_add_slice(&x->path, name);
    return at;
}

/* What is taken with all that is in it counts once. */
static int cover_source(struct covering *x, const struct record_object *type, unsigned depth)
{
    int rc = 0;

    for (unsigned i = 0; rc >= 0 && i < type->n; i++) {
        const struct record_field *f = &type->field[i];
        size_t at;
        bool one;
        if (slice_is(f->name, "unmapped") || (depth == 0 && carry_is_envelope(f->name)))
            continue;
        at = add_name(x, f->name);
        one = !f->object || carry_is_taken_whole(x->plan, buf_slice(&x->path));
        x->n->fields += one;
        if (carry_is_dropped(x->plan, buf_slice(&x->path))) {
            x->n->dropped += one;
        } else if (!carry_is_taken(x->plan, buf_slice(&x->path))) {
            rc = tell(x, false, f->object != NULL);
        } else if (one) {
            x->n->taken++;
        } else if (depth < DEPTH) {
            rc = cover_source(x, f->object, depth + 1);
        }
        x->path.n = at;
    }
    return rc;
}

static int cover_target(struct covering *x, const struct carry_object *o, bool copied, unsigned depth)
{
    int rc = 0;

    for (unsigned i = 0; rc >= 0 && i < o->type->n; i++) {
        const struct record_field *f = &o->type->field[i];
        const struct carry_member *m = o->member[i];
        size_t at;
        if (slice_is(f->name, "unmapped") || (depth == 0 && carry_is_envelope(f->name)) || (!m && copied))
            continue;
        at = add_name(x, f->name);
        x->n->others++;
        x->n->made += m != NULL;
        if (!m)
            rc = tell(x, true, f->object != NULL);
        else if (m->object)
            rc = cover_target(x, m->object, false, depth + 1);
        else if (m->maker->item && !m->maker->next && !m->maker->below && depth < DEPTH)
            rc = cover_target(x, m->maker->item, m->maker->copy, depth + 1);
        x->path.n = at;
    }
    return rc;
}

int carry_coverage(const struct carry_plan *plan, carry_gap_fn *function, void *ctx, struct carry_coverage *n,
                   struct err *err)
{
    struct covering x = { .plan = plan, .function = function, .ctx = ctx, .n = n };
    int rc;

    *n = (struct carry_coverage){ .fields = 0 };
    buf_init(&x.path, PATH);
    rc = cover_source(&x, plan->from->root, 0);
    if (rc >= 0)
        rc = cover_target(&x, plan->root, false, 0);
    if (rc >= 0 && x.path.failed)
        rc = err_nomem(err);
    buf_deinit(&x.path);
    return rc;
}
