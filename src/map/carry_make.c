/* carry_make: the objects and lists of the target, written as JSON in the order of its schema. What stays empty is
 * taken back. */
#include "map/carry_run.h"

#include "base/file.h"
#include "map/decimal.h"

/* ---- what goes out ---- */

static uint64_t here(const struct carry *c)
{
    return c->spilled + c->out.n;
}

/* Takes back what was written since; nothing of it is in the file yet. */
static void back_to(struct carry *c, uint64_t at)
{
    c->out.n = (size_t)(at - c->spilled);
}

int carry_spill(struct carry *c, struct err *err)
{
    int rc = 0;

    if (c->out.failed)
        return c->out.failed == ERR_NOMEM ? err_nomem(err)
                                          : err_set(err, ERR_LIMIT, "an item of what is made is too large");
    if (c->out.n < c->options.memory)
        return 0;
    if (c->file < 0)
        rc = file_temporary(c->options.directory, &c->file, err);
    if (rc == 0)
        rc = file_write_all(c->file, c->out.p, c->out.n, err);
    if (rc < 0)
        return rc;
    c->spilled += c->out.n;
    buf_clear(&c->out);
    return 0;
}

static void put_key(struct carry *c, const struct record_field *f, bool *any)
{
    if (*any)
        buf_add_char(&c->out, ',');
    *any = true;
    buf_add_char(&c->out, '"');
    buf_add_slice(&c->out, f->name);
    buf_add_text(&c->out, "\":");
}

static void put_string(struct carry *c, struct slice text)
{
    buf_add_char(&c->out, '"');
    buf_add_json(&c->out, text);
    buf_add_char(&c->out, '"');
}

/* Without quotes where the field is no text and the value can be written so; what cannot is found when it is
 * checked. */
static int put_value(struct carry *c, const struct value *v, uint8_t type, struct err *err)
{
    struct decimal d;
    struct slice text = v->text;

    if (type == RECORD_INTEGER && !v->literal && decimal_read(text, &d)) {
        text = decimal_text(&d, &c->scratch); /* 007 is no JSON */
        if (!text.p)
            return carry_no_room(c, err);
        buf_add_slice(&c->out, text);
    } else if ((v->literal && (type == RECORD_INTEGER || type == RECORD_BOOLEAN || type == RECORD_ANY)) ||
               (type == RECORD_BOOLEAN && (slice_is(text, "true") || slice_is(text, "false")))) {
        buf_add_slice(&c->out, text);
    } else {
        put_string(c, text);
    }
    return 0;
}

static uint8_t scalar_type(const struct record_field *f)
{
    return f->type == RECORD_ARRAY ? f->item : f->type;
}

static void enter(struct carry *c, const struct record_field *f)
{
    if (c->depth < NEST)
        c->making[c->depth] = f;
    c->depth++;
}

static void leave(struct carry *c)
{
    c->depth--;
}

/* ---- copies ---- */

static int copy_object(struct carry *c, const struct spot *s, const struct record_object *type, bool *any,
                       struct err *err);
static int copy_value(struct carry *c, const struct spot *s, const struct record_object *type, bool split,
                      struct err *err);

static int copy_items(struct carry *c, const struct spot *list, const struct record_object *type, bool split, bool *any,
                      struct err *err)
{
    struct list_items items;
    struct spot item;
    int rc = carry_items_begin(c, list, split, &items, &item, err);

    while (rc == 0 && (rc = carry_items_next(c, &items, &item, err)) > 0) {
        uint64_t before = here(c);
        if (*any)
            buf_add_char(&c->out, ',');
        rc = copy_value(c, &item, type, false, err);
        if (rc == 0) {
            back_to(c, before);
        } else if (rc > 0) {
            *any = true;
            rc = carry_spill(c, err);
        }
    }
    carry_items_end(c, &items);
    return rc;
}

/* A value as it is; of the list that the record is `split` by, the group at hand. 1: something was written. */
static int copy_value(struct carry *c, const struct spot *s, const struct record_object *type, bool split,
                      struct err *err)
{
    const struct json_node *n = &s->tape->node[s->node];
    uint64_t at = here(c);
    bool any = false;
    int rc = 0;

    if (carry_is_scalar_node(n)) {
        bool quoted = n->type == JSON_STRING;
        if (quoted)
            buf_add_char(&c->out, '"');
        buf_add_slice(&c->out, json_raw(s->tape, s->node));
        if (quoted)
            buf_add_char(&c->out, '"');
        rc = carry_mark(s, s->node, err);
        return rc < 0 ? rc : 1;
    }
    if (n->type == JSON_OBJECT && type) {
        buf_add_char(&c->out, '{');
        rc = copy_object(c, s, type, &any, err);
        buf_add_char(&c->out, '}');
    } else if (n->type == JSON_ARRAY || n->type == JSON_STREAMED) {
        buf_add_char(&c->out, '[');
        rc = copy_items(c, s, type, split, &any, err);
        buf_add_char(&c->out, ']');
    }
    if (rc < 0)
        return rc;
    /* an empty object stays in a list of them: it is a gap */
    if (!any && !(n->type == JSON_OBJECT && n->count == 0))
        back_to(c, at);
    return any || (n->type == JSON_OBJECT && n->count == 0);
}

static int copy_member(struct carry *c, const struct spot *object, const struct record_field *f, bool *any,
                       struct err *err)
{
    struct spot s = *object;
    uint64_t at = here(c);
    bool before = *any;
    int rc;

    s.node = json_member(s.tape, object->node, f->name);
    if (!s.node || s.tape->node[s.node].type == JSON_NULL || slice_is(f->name, "unmapped"))
        return 0;
    put_key(c, f, any);
    enter(c, f);
    rc = copy_value(c, &s, f->object, carry_is_split(c, object, f->name), err);
    leave(c);
    if (rc == 0) {
        back_to(c, at);
        *any = before;
    }
    return rc < 0 ? rc : 0;
}

static int copy_object(struct carry *c, const struct spot *s, const struct record_object *type, bool *any,
                       struct err *err)
{
    int rc = 0;

    if (s->tape->node[s->node].type != JSON_OBJECT)
        return 0;
    for (unsigned i = 0; rc == 0 && i < type->n; i++)
        rc = copy_member(c, s, &type->field[i], any, err);
    return rc;
}

/* ---- makers ---- */

/* What a line makes of the values it names, if it applies. */
static int line_value(struct carry *c, const struct carry_maker *m, struct value *v, struct err *err)
{
    unsigned i = 0;
    int rc = carry_holds(c, m, err);

    v->there = false;
    if (rc <= 0)
        return rc;
    rc = carry_compute(c, m, &i, 0, v, err);
    return rc < 0 ? rc : carry_convert_all(c, m, v, err);
}

/* One value for a field. 1: it was written. */
static int make_value(struct carry *c, const struct carry_maker *m, const struct record_field *f, bool *any,
                      struct err *err)
{
    struct arena_mark mark = arena_mark(&c->scratch);
    struct value v;
    int rc = line_value(c, m, &v, err);

    if (rc == 0 && v.there) {
        put_key(c, f, any);
        rc = put_value(c, &v, scalar_type(f), err);
        rc = rc < 0 ? rc : 1;
    }
    arena_back_to(&c->scratch, mark);
    return rc;
}

struct items {
    const struct carry_maker *maker;
    const struct record_field *field;
    const struct carry_path *path;
    uint64_t parent;                    /* of a tree */
    uint64_t count;                     /* items so far */
    bool *any;
    bool one;                           /* an object, not a list */
};

static int make_below(struct carry *c, const struct carry_maker *m, const struct record_field *f, uint64_t parent,
                      bool *any, struct err *err);

static int take_value_item(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    struct items *x = ctx;
    struct value v;
    int rc = carry_read_value(c, s, &v, err);

    if (rc == 0)
        rc = carry_convert_all(c, x->maker, &v, err);
    if (rc < 0 || !v.there)
        return rc;
    if (*x->any)
        buf_add_char(&c->out, ',');
    *x->any = true;
    rc = put_value(c, &v, scalar_type(x->field), err);
    return rc < 0 ? rc : carry_spill(c, err);
}

/* An object made of what the walk came to. */
static int take_object(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    struct items *x = ctx;
    const struct carry_maker *m = x->maker;
    struct frame_at *f = &c->frame[m->frame];
    struct node_name name = { .maker = m->tree_id ? m : NULL, .parent = x->parent };
    uint64_t at = here(c);
    bool before = *x->any, any = false;
    int rc;

    *f = (struct frame_at){ .spot = *s, .there = true, .path = x->path, .ordinal = ++x->count };
    memcpy(f->index, c->index, sizeof(f->index));
    if (name.maker)
        name.number = ++c->nodes;
    rc = carry_recall_all(c, m->recall, err);
    if (rc < 0)
        return rc;
    if (!x->one && *x->any)
        buf_add_char(&c->out, ',');
    *x->any = true;
    buf_add_char(&c->out, '{');
    rc = carry_make_members(c, m->item, m->copy ? s : NULL, &name, &any, err);
    buf_add_char(&c->out, '}');
    /* an empty one is nothing, but in a list of copies it is a gap; what is taken back must not be in the file yet */
    if (rc == 0 && !any && !(m->copy && s->tape->node[s->node].count == 0)) {
        back_to(c, at);
        *x->any = before;
    } else if (rc == 0 && !x->one) {
        rc = carry_spill(c, err);
    }
    if (rc == 0 && m->below)
        rc = make_below(c, m->below, x->field, name.number, x->any, err);
    memcpy(c->index, f->index, sizeof(f->index));
    return rc < 0 ? rc : x->one;
}

/* What a line's LEFT stands for: items, an object, or the object around the line. */
static int make_items(struct carry *c, const struct carry_maker *m, const struct record_field *f, uint64_t parent,
                      bool one, bool *any, struct err *err)
{
    struct items x = { .maker = m, .field = f, .path = &m->left[0].path, .parent = parent, .any = any, .one = one };
    struct arena_mark mark = arena_mark(&c->scratch);
    struct value v;
    int rc;

    if (m->item || (m->n_left == 1 && m->left[0].kind == CARRY_PATH)) {
        rc = carry_holds(c, m, err);
        arena_back_to(&c->scratch, mark);
        return rc <= 0 ? rc : carry_walk_path(c, x.path, m->item ? take_object : take_value_item, &x, err);
    }
    /* a computed value is a list of one */
    rc = line_value(c, m, &v, err);
    if (rc == 0 && v.there) {
        if (*any)
            buf_add_char(&c->out, ',');
        *any = true;
        rc = put_value(c, &v, scalar_type(f), err);
    }
    arena_back_to(&c->scratch, mark);
    return rc;
}

static int make_below(struct carry *c, const struct carry_maker *m, const struct record_field *f, uint64_t parent,
                      bool *any, struct err *err)
{
    int rc = 0;

    for (; rc >= 0 && m; m = m->next)
        rc = make_items(c, m, f, parent, false, any, err);
    return rc < 0 ? rc : 0;
}

static int make_list(struct carry *c, const struct carry_maker *m, const struct record_field *f, bool *any,
                     struct err *err)
{
    uint64_t at = here(c);
    bool before = *any, items = false;
    int rc;

    if (m->tree_id)
        c->nodes = 0;
    put_key(c, f, any);
    buf_add_char(&c->out, '[');
    rc = make_below(c, m, f, 0, &items, err);
    if (rc == 0 && !items) {
        back_to(c, at);
        *any = before;
        return 0;
    }
    buf_add_char(&c->out, ']');
    return rc;
}

/* The first of the lines that makes something. */
static int make_one(struct carry *c, const struct carry_maker *m, const struct record_field *f, bool *any,
                    struct err *err)
{
    int rc = 0;

    for (; rc == 0 && m; m = m->next) {
        uint64_t at = here(c);
        bool before = *any, made = false;
        if (!m->item) {
            rc = make_value(c, m, f, any, err);
            continue;
        }
        put_key(c, f, any);
        rc = make_items(c, m, f, 0, true, &made, err);
        if (rc >= 0 && !made) {
            back_to(c, at);
            *any = before;
        }
        if (rc >= 0)
            rc = made;
    }
    return rc < 0 ? rc : 0;
}

static int make_member(struct carry *c, const struct carry_member *m, const struct record_field *f, bool *any,
                       struct err *err)
{
    uint64_t at = here(c);
    bool before = *any, inner = false;
    int rc;

    if (m->maker)
        return f->type == RECORD_ARRAY ? make_list(c, m->maker, f, any, err) : make_one(c, m->maker, f, any, err);
    if (!m->object)
        return 0;
    put_key(c, f, any);
    buf_add_char(&c->out, '{');
    rc = carry_make_members(c, m->object, NULL, NULL, &inner, err);
    buf_add_char(&c->out, '}');
    if (rc == 0 && !inner) {
        back_to(c, at);
        *any = before;
    }
    return rc;
}

static void put_node(struct carry *c, const struct record_field *f, uint64_t number, bool *any)
{
    put_key(c, f, any);
    buf_printf(&c->out, "\"%llu\"", (unsigned long long)number);
}

int carry_make_members(struct carry *c, const struct carry_object *o, const struct spot *copied,
                        const struct node_name *name, bool *any, struct err *err)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < o->type->n; i++) {
        const struct record_field *f = &o->type->field[i];
        if (name && name->maker && f == name->maker->tree_id) {
            put_node(c, f, name->number, any);
        } else if (name && name->maker && f == name->maker->tree_parent) {
            if (name->parent)
                put_node(c, f, name->parent, any);
        } else if (o->member[i]) {
            enter(c, f);
            rc = make_member(c, o->member[i], f, any, err);
            leave(c);
        } else if (copied) {
            rc = copy_member(c, copied, f, any, err);
        }
    }
    return rc;
}
