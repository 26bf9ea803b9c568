/* carry_walk: paths through the source: which values and objects a path leads to, and the marks of those that were
 * taken. */
#include "map/carry_run.h"

#include <stdlib.h>

/* ---- marks ---- */

int carry_mark(const struct spot *s, uint32_t node, struct err *err)
{
    uint64_t i = s->base + node;
    struct marks *m = s->marks;

    if (!m)
        return 0;
    if (i / 64 >= m->room) {
        size_t room = m->room ? m->room : 64;
        uint64_t *grown;
        while (room <= i / 64)
            room *= 2;
        grown = room * 8 > LIMIT_ITEM ? NULL : realloc(m->bit, room * 8);
        if (!grown)
            return room * 8 > LIMIT_ITEM ? err_set(err, ERR_LIMIT, "the record has too many values") : err_nomem(err);
        memset(grown + m->room, 0, (room - m->room) * 8);
        m->bit = grown;
        m->room = room;
    }
    m->bit[i / 64] |= 1ull << (i % 64);
    return 0;
}

bool carry_is_marked(const struct spot *s, uint32_t node)
{
    uint64_t i = s->base + node;

    return i / 64 < s->marks->room && (s->marks->bit[i / 64] >> (i % 64) & 1);
}

void carry_clear_marks(struct carry *c)
{
    if (c->main.bit)
        memset(c->main.bit, 0, c->main.room * 8);
    for (unsigned i = 0; i < c->n_streams; i++)
        if (c->stream[i].bit)
            memset(c->stream[i].bit, 0, c->stream[i].room * 8);
    c->n_streams = 0;
}

static struct marks *stream_marks(struct carry *c, uint32_t node, struct err *err)
{
    for (unsigned i = 0; i < c->n_streams; i++)
        if (c->stream_node[i] == node)
            return &c->stream[i];
    if (c->n_streams == STREAMS) {
        err_set(err, ERR_LIMIT, "the record has more than %d large lists", STREAMS);
        return NULL;
    }
    c->stream_node[c->n_streams] = node;
    return &c->stream[c->n_streams++];
}

/* ---- what is said ---- */

/* The path of a frame in its record, lists with their places. */
static void add_frame_path(struct carry *c, const struct frame_at *f)
{
    const struct carry_path *p = f->path;

    if (!p)
        return;
    add_frame_path(c, &c->frame[p->frame]);
    for (unsigned i = p->first; i < p->n; i++) {
        if (c->path.n)
            buf_add_char(&c->path, '.');
        buf_add_slice(&c->path, p->step[i].name);
        if (p->step[i].list)
            buf_printf(&c->path, "[%u]", f->index[i]);
    }
}

struct slice carry_path_text(struct carry *c, const struct carry_path *p)
{
    buf_clear(&c->path);
    add_frame_path(c, &c->frame[p->frame]);
    for (unsigned i = p->first; i < p->n; i++) {
        if (c->path.n)
            buf_add_char(&c->path, '.');
        buf_add_slice(&c->path, p->step[i].name);
        if (p->step[i].nth)
            buf_printf(&c->path, "[%u]", p->step[i].nth - 1);
        else if (p->step[i].list)
            buf_add_text(&c->path, "[]");
    }
    return buf_slice(&c->path);
}

/* The field that is being made. */
static struct slice place_text(struct carry *c)
{
    buf_clear(&c->place);
    buf_add_slice(&c->place, c->plan->to->name);
    for (unsigned i = 0; i < c->depth && i < NEST; i++) {
        buf_add_char(&c->place, i ? '.' : ' ');
        buf_add_slice(&c->place, c->making[i]->name);
    }
    return buf_slice(&c->place);
}

void carry_say(struct carry *c, const struct map_write_finding *f)
{
    int answer;

    if (f->severity == SEVERITY_ERROR)
        c->errors++;
    if (!c->options.finding || c->stopped || c->errors > LIMIT_FINDINGS)
        return;
    answer = c->options.finding(c->options.ctx, f);
    if (answer < 0)
        c->stopped = answer;
}

void carry_refuse(struct carry *c, const char *code, struct slice path, struct slice value, const char *found,
                   const char *expected)
{
    const struct map_write_finding f = {
        .code = code, .severity = SEVERITY_ERROR, .path = path, .value = value, .found = found,
        .expected = expected, .place = place_text(c), .missing = value.n == 0,
    };
    carry_say(c, &f);
}

int carry_no_room(const struct carry *c, struct err *err)
{
    return c->scratch.full || c->arena.full || c->text.failed == ERR_LIMIT
               ? err_set(err, ERR_LIMIT, "the record's values are too large")
               : err_nomem(err);
}

/* ---- walking the source ---- */

int carry_read_value(struct carry *c, const struct spot *s, struct value *v, struct err *err)
{
    const struct json_node *n = &s->tape->node[s->node];

    *v = (struct value){ .there = true };
    switch (n->type) {
    case JSON_STRING:
        if (json_string(s->tape, s->node, &c->scratch, &v->text) < 0)
            return carry_no_room(c, err);
        break;
    case JSON_NUMBER:
    case JSON_TRUE:
    case JSON_FALSE:
        v->text = json_raw(s->tape, s->node);
        v->literal = true;
        break;
    default:
        v->there = false;
        return 0;
    }
    return carry_mark(s, s->node, err);
}

/* Is this member of an object that value, or there at all? Not marked: its item may be lost all the same. */
static int member_is(struct carry *c, const struct spot *s, struct slice name, bool compares, struct slice wanted,
                     struct err *err)
{
    struct spot member = *s;
    struct value v = { .there = false };
    int rc;

    member.marks = NULL;
    member.node = s->tape->node[s->node].type == JSON_OBJECT ? json_member(s->tape, s->node, name) : 0;
    if (!member.node || s->tape->node[member.node].type == JSON_NULL)
        return 0;
    if (!compares)
        return 1;
    rc = carry_read_value(c, &member, &v, err);
    return rc < 0 ? rc : v.there && slice_eq(v.text, wanted);
}

/* Is the item the one that the brackets ask for? What was compared with is then taken. */
static int chosen(struct carry *c, const struct carry_step *step, const struct spot *s, struct err *err)
{
    int rc = 1;

    for (unsigned i = 0; rc > 0 && i < step->n_wheres; i++) {
        rc = member_is(c, s, step->where[i].name, step->where[i].compares, step->where[i].value, err);
        if (rc >= 0 && step->where[i].negated)
            rc = !rc;
    }
    for (unsigned i = 0; rc > 0 && i < step->n_wheres; i++) {
        uint32_t node = step->where[i].compares && !step->where[i].negated
                            ? json_member(s->tape, s->node, step->where[i].name)
                            : 0;
        int code = node ? carry_mark(s, node, err) : 0;
        if (code < 0)
            return code;
    }
    return rc;
}

int carry_take_first(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    int rc;

    (void)err;
    rc = carry_read_value(c, s, ctx, err);
    return rc < 0 ? rc : ((struct value *)ctx)->there;
}

bool carry_is_split(const struct carry *c, const struct spot *object, struct slice name)
{
    return c->split && object->tape == c->source->tape && object->node == 0 && slice_eq(name, c->plan->split);
}

int carry_items_begin(struct carry *c, const struct spot *list, bool split, struct list_items *l, struct spot *item,
                      struct err *err)
{
    *l = (struct list_items){ .list = *list, .split = split };
    *item = *list;
    if (list->tape->node[list->node].type != JSON_STREAMED)
        return 0;
    if (c->streaming)
        return err_set(err, ERR_LIMIT,
                       "the record is so large that only one of its lists can be read at a time, and the "
                       "map needs two at once");
    item->marks = stream_marks(c, list->node, err);
    if (!item->marks)
        return ERR_LIMIT;
    item->base = 0;
    l->streamed = c->streaming = true;
    record_items_begin(list->record, list->node, &l->it);
    return 0;
}

/* Of the group at hand. */
static int next_of_group(struct carry *c, struct list_items *l, struct spot *item, struct err *err)
{
    uint32_t next = l->begun ? c->item[l->index].next : c->group;
    const struct split_item *i = &c->item[next - 1];

    l->begun = true;
    if (!next)
        return 0;
    l->index = next - 1;
    if (l->streamed) {
        item->base = i->base;
        record_items_go(&l->it, i->place);
        return record_items_next(&l->it, &item->tape, &item->node, err);
    }
    item->node = (uint32_t)i->place;
    return 1;
}

int carry_items_next(struct carry *c, struct list_items *l, struct spot *item, struct err *err)
{
    if (l->split)
        return next_of_group(c, l, item, err);
    l->index += l->begun;
    if (l->streamed) {
        if (l->begun)
            item->base += item->tape->n;
        l->begun = true;
        return record_items_next(&l->it, &item->tape, &item->node, err);
    }
    item->node = l->begun ? json_next(item->tape, item->node) : json_first(l->list.node);
    l->begun = true;
    return item->node < json_end(item->tape, l->list.node);
}

uint64_t carry_items_place(const struct list_items *l)
{
    return l->streamed ? record_items_place(&l->it) : 0;
}

void carry_items_end(struct carry *c, const struct list_items *l)
{
    if (l->streamed)
        c->streaming = false;
}

static int walk_list(struct carry *c, const struct carry_path *p, unsigned i, const struct spot *list, bool split,
                     visit_fn *visit, void *ctx, struct err *err)
{
    const struct carry_step *step = &p->step[i];
    struct list_items items;
    struct spot item;
    uint32_t seen = 0;
    int rc = carry_items_begin(c, list, split, &items, &item, err);

    while (rc == 0 && (rc = carry_items_next(c, &items, &item, err)) > 0) {
        struct arena_mark mark = arena_mark(&c->scratch);
        rc = chosen(c, step, &item, err);
        if (rc > 0 && (!step->nth || ++seen == step->nth)) {
            c->index[i] = items.index;
            rc = carry_walk(c, p, i + 1, &item, visit, ctx, err);
            if (rc == 0 && step->nth)
                break;
        } else if (rc > 0) {
            rc = 0;
        }
        if (rc == 0) /* where the walk stops, what it came to may lie there */
            arena_back_to(&c->scratch, mark);
    }
    carry_items_end(c, &items);
    return rc;
}

/* What the steps from i on lead to, one after the other. */
int carry_walk(struct carry *c, const struct carry_path *p, unsigned i, const struct spot *s, visit_fn *visit,
                void *ctx, struct err *err)
{
    struct spot next = *s;

    if (i == p->n)
        return visit(c, s, ctx, err);
    if (s->tape->node[s->node].type != JSON_OBJECT)
        return 0;
    next.node = json_member(s->tape, s->node, p->step[i].name);
    if (!next.node || s->tape->node[next.node].type == JSON_NULL)
        return 0;
    if (p->step[i].list)
        return walk_list(c, p, i, &next, carry_is_split(c, s, p->step[i].name), visit, ctx, err);
    return carry_walk(c, p, i + 1, &next, visit, ctx, err);
}

int carry_walk_path(struct carry *c, const struct carry_path *p, visit_fn *visit, void *ctx, struct err *err)
{
    const struct frame_at *f = &c->frame[p->frame];

    return f->there ? carry_walk(c, p, p->first, &f->spot, visit, ctx, err) : 0;
}

int carry_path_value(struct carry *c, const struct carry_path *p, struct value *v, struct err *err)
{
    int rc;

    *v = (struct value){ .there = false };
    rc = carry_walk_path(c, p, carry_take_first, v, err);
    return rc < 0 ? rc : 0;
}

bool carry_is_scalar_node(const struct json_node *n)
{
    return n->type == JSON_STRING || n->type == JSON_NUMBER || n->type == JSON_TRUE || n->type == JSON_FALSE;
}
