/*
 * carry: see carry.h.
 *
 * Makers run in the order of the target's schema and write JSON as they go; an object or list that stays empty is taken
 * back. What was read of the source is marked, node by node, and in the end what has no mark is told as lost: so a guard
 * or a selection that left something behind is found out, too.
 */
#include "map/carry.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "map/carry_inside.h"
#include "map/carry_value.h"

enum { SCRATCH = 64 << 20, STREAMS = 64, LOST = 256, PATH = 4000, NEST = 64, GROUPS = 100000 };

struct marks {
    uint64_t *bit;
    size_t room;                    /* words */
};

/* A value or object of some record. */
struct spot {
    const struct record *record;
    const struct json_tape *tape;
    uint32_t node;
    struct marks *marks;            /* NULL: what is taken of it is not watched */
    uint64_t base;                  /* of the tape's nodes among the marks */
};

struct frame_at {
    struct spot spot;
    bool there;
    const struct carry_path *path;  /* which led to it; NULL: a record */
    uint32_t index[CARRY_STEPS];    /* of its lists, from 0 */
    uint64_t ordinal;               /* which of the items that its line takes, from 1 */
};

struct value {
    struct slice text;
    bool there;
    bool literal;                   /* a number, true or false: no quotes */
};

/* A key of an item that can be recalled. */
struct entry {
    struct slice text;
    uint32_t key;                   /* which of the recall's */
    uint32_t item;                  /* which of the list's */
    uint32_t node;
    uint32_t next;                  /* plus 1, in the order of the list */
};

struct recalled {
    bool indexed;
    const struct record *record;
    struct entry *entry;
    size_t n, room;
    uint32_t *slot, *last;          /* plus 1 */
    uint32_t mask;
    uint8_t *taken;                 /* by item */
};

struct lost {
    struct slice pattern;
    uint64_t count;
};

struct carry {
    const struct carry_plan *plan;
    struct carry_options options;
    const struct record *source;
    struct frame_at *frame;                 /* [n_frames] */
    struct recalled *recalled;              /* [n_recalls] */
    struct arena arena;                     /* for the record at hand */
    struct arena scratch;                   /* for one value */
    struct buf text;                        /* for lookups */
    struct marks main, stream[STREAMS];
    uint32_t stream_node[STREAMS];
    unsigned n_streams;
    bool streaming;                         /* a streamed list has a current item */
    uint32_t index[CARRY_STEPS];            /* of the walk at hand */
    /* what is made */
    struct buf out;
    uint64_t spilled;                       /* bytes of it that are in the file */
    int file;                               /* -1: there is none yet */
    uint64_t nodes;                         /* of the tree at hand */
    const struct record_field *making[NEST];
    unsigned depth;
    /* split */
    bool split;
    struct value group;
    /* what is said */
    struct buf path, place;
    struct lost lost[LOST];
    unsigned n_lost;
    uint64_t errors;
    int stopped;
    struct slice ids[CARRY_FRAMES];         /* of the records that were recalled, as JSON */
    unsigned n_ids;
};

/* ---- making and freeing ---- */

int carry_new(const struct carry_plan *plan, const struct carry_options *options, struct carry **carry_r,
              struct err *err)
{
    struct carry *c = calloc(1, sizeof(*c));

    *carry_r = NULL;
    if (!c)
        return err_nomem(err);
    c->plan = plan;
    c->options = *options;
    if (!c->options.memory)
        c->options.memory = LIMIT_RECORD_MEMORY;
    c->file = -1;
    arena_init(&c->arena, SCRATCH);
    arena_init(&c->scratch, SCRATCH);
    buf_init(&c->text, LIMIT_ITEM);
    buf_init(&c->out, LIMIT_ITEM + c->options.memory);
    buf_init(&c->path, PATH);
    buf_init(&c->place, PATH);
    c->frame = calloc(plan->n_frames, sizeof(*c->frame));
    c->recalled = calloc(plan->n_recalls + 1, sizeof(*c->recalled));
    if (!c->frame || !c->recalled) {
        carry_free(&c);
        return err_nomem(err);
    }
    *carry_r = c;
    return 0;
}

static void recalled_clear(struct recalled *r)
{
    free(r->entry);
    free(r->slot);
    free(r->last);
    free(r->taken);
    *r = (struct recalled){ .indexed = false };
}

void carry_free(struct carry **carry)
{
    struct carry *c = *carry;

    if (!c)
        return;
    for (unsigned i = 0; c->recalled && i < c->plan->n_recalls; i++)
        recalled_clear(&c->recalled[i]);
    for (unsigned i = 0; i < STREAMS; i++)
        free(c->stream[i].bit);
    free(c->main.bit);
    free(c->frame);
    free(c->recalled);
    if (c->file >= 0)
        close(c->file);
    arena_deinit(&c->arena);
    arena_deinit(&c->scratch);
    buf_deinit(&c->text);
    buf_deinit(&c->out);
    buf_deinit(&c->path);
    buf_deinit(&c->place);
    free(c);
    *carry = NULL;
}

/* ---- marks ---- */

static int mark(const struct spot *s, uint32_t node, struct err *err)
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

static bool is_marked(const struct spot *s, uint32_t node)
{
    uint64_t i = s->base + node;

    return i / 64 < s->marks->room && (s->marks->bit[i / 64] >> (i % 64) & 1);
}

static void clear_marks(struct carry *c)
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

static struct slice path_text(struct carry *c, const struct carry_path *p)
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

static void say(struct carry *c, const struct map_write_finding *f)
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

static void refuse(struct carry *c, const char *code, struct slice path, struct slice value, const char *found,
                   const char *expected)
{
    const struct map_write_finding f = {
        .code = code, .severity = SEVERITY_ERROR, .path = path, .value = value, .found = found,
        .expected = expected, .place = place_text(c), .missing = value.n == 0,
    };
    say(c, &f);
}

/* The path of the first operand that has one: what a finding about a value is about. */
static struct slice path_of(struct carry *c, const struct carry_maker *m)
{
    for (unsigned i = 0; i < m->n_left; i++)
        if (m->left[i].kind != CARRY_TEXT && m->left[i].kind != CARRY_ORDINAL)
            return path_text(c, &m->left[i].path);
    return slice("", 0);
}

/* ---- walking the source ---- */

/* 0 goes on, 1 stops the walk, negative is an error. */
typedef int visit_fn(struct carry *c, const struct spot *s, void *ctx, struct err *err);

static int read_value(struct carry *c, const struct spot *s, struct value *v, struct err *err)
{
    const struct json_node *n = &s->tape->node[s->node];

    *v = (struct value){ .there = true };
    switch (n->type) {
    case JSON_STRING:
        if (json_string(s->tape, s->node, &c->scratch, &v->text) < 0)
            return err_nomem(err);
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
    return mark(s, s->node, err);
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
    rc = read_value(c, &member, &v, err);
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
        int code = node ? mark(s, node, err) : 0;
        if (code < 0)
            return code;
    }
    return rc;
}

static int walk(struct carry *c, const struct carry_path *p, unsigned i, const struct spot *s, visit_fn *visit,
                void *ctx, struct err *err);

static int take_first(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    int rc;

    (void)err;
    rc = read_value(c, s, ctx, err);
    return rc < 0 ? rc : ((struct value *)ctx)->there;
}

/* Is this item of the list that is split in the group at hand? */
static int in_group(struct carry *c, const struct spot *item, struct err *err)
{
    struct value v = { .there = false };
    int rc = walk(c, &c->plan->split_by, 0, item, take_first, &v, err);

    if (rc < 0)
        return rc;
    return v.there == c->group.there && (!v.there || slice_eq(v.text, c->group.text));
}

static bool is_split(const struct carry *c, const struct carry_path *p, unsigned i, const struct spot *s)
{
    return c->split && i == p->first && s->record == c->source && s->tape == c->source->tape && s->node == 0 &&
           slice_eq(p->step[i].name, c->plan->split);
}

/* The items of a list, on its tape or streamed. */
struct list_items {
    struct spot list;
    struct record_items it;
    bool streamed, begun;
};

static int items_begin(struct carry *c, const struct spot *list, struct list_items *l, struct spot *item, struct err *err)
{
    l->list = *item = *list;
    l->streamed = list->tape->node[list->node].type == JSON_STREAMED;
    l->begun = false;
    if (!l->streamed)
        return 0;
    item->marks = stream_marks(c, list->node, err);
    if (!item->marks)
        return ERR_LIMIT;
    item->base = 0;
    record_items_begin(list->record, list->node, &l->it);
    return 0;
}

/* 1: *item is the next one; 0: there is none. */
static int items_next(struct list_items *l, struct spot *item, struct err *err)
{
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

static int walk_list(struct carry *c, const struct carry_path *p, unsigned i, const struct spot *list, visit_fn *visit,
                     void *ctx, struct err *err)
{
    const struct carry_step *step = &p->step[i];
    struct list_items items;
    struct spot up = *list, item;
    uint32_t seen = 0;
    bool split;
    int rc;

    up.node = 0;
    split = is_split(c, p, i, &up);
    rc = items_begin(c, list, &items, &item, err);
    if (rc == 0 && items.streamed && c->streaming)
        rc = err_set(err, ERR_LIMIT, "the record is so large that only one of its lists can be read at a time, and the map "
                                     "needs two at once");
    if (rc < 0)
        return rc;
    c->streaming |= items.streamed;
    for (uint32_t index = 0; rc == 0 && (rc = items_next(&items, &item, err)) > 0; index++) {
        int take = split ? in_group(c, &item, err) : 1;
        if (take > 0)
            take = chosen(c, step, &item, err);
        rc = take < 0 ? take : 0;
        if (take > 0 && (!step->nth || ++seen == step->nth)) {
            c->index[i] = index;
            rc = walk(c, p, i + 1, &item, visit, ctx, err);
            if (rc == 0 && step->nth)
                break;
        }
    }
    if (items.streamed)
        c->streaming = false;
    return rc;
}

/* What the steps from i on lead to, one after the other. */
static int walk(struct carry *c, const struct carry_path *p, unsigned i, const struct spot *s, visit_fn *visit,
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
        return walk_list(c, p, i, &next, visit, ctx, err);
    return walk(c, p, i + 1, &next, visit, ctx, err);
}

static int walk_path(struct carry *c, const struct carry_path *p, visit_fn *visit, void *ctx, struct err *err)
{
    const struct frame_at *f = &c->frame[p->frame];

    return f->there ? walk(c, p, p->first, &f->spot, visit, ctx, err) : 0;
}

static int path_value(struct carry *c, const struct carry_path *p, struct value *v, struct err *err)
{
    int rc;

    *v = (struct value){ .there = false };
    rc = walk_path(c, p, take_first, v, err);
    return rc < 0 ? rc : 0;
}

/* ---- values ---- */

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
    int rc = read_value(c, s, &v, err);

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
        return path_value(c, &o->path, v, err);
    if (o->kind == CARRY_ORDINAL) {
        sum.sum.digits = (wide)c->frame[o->path.frame].ordinal;
        v->there = true;
        v->text = decimal_text(&sum.sum, &c->scratch);
        return v->text.p ? 0 : err_nomem(err);
    }
    rc = walk_path(c, &o->path, o->kind == CARRY_SUM ? sum_up : count_up, &sum, err);
    if (rc < 0)
        return rc;
    if (sum.failed) {
        refuse(c, "MAP-VALUE", path_text(c, &o->path), slice(NULL, 0), "cannot be added up",
               "decimals with 36 digits at most");
        return 0;
    }
    if (o->kind == CARRY_COUNT)
        sum.sum.digits = (wide)sum.count;
    v->there = o->kind == CARRY_COUNT || sum.count;
    v->text = decimal_text(&sum.sum, &c->scratch);
    return v->text.p ? 0 : err_nomem(err);
}

static int join_texts(struct carry *c, struct slice a, struct slice b, struct slice *text_r, struct err *err)
{
    char *text = arena_alloc(&c->scratch, a.n + b.n + 1);

    if (!text)
        return err_nomem(err);
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
        refuse(c, "MAP-VALUE", path_of(c, m), decimal_read(v->text, &a) ? with->text : v->text,
               "cannot be computed with", "a decimal with 36 digits at most");
        v->there = false;
        return 0;
    }
    if (operator == CARRY_DIVIDE && b.digits == 0) {
        refuse(c, "MAP-VALUE", path_of(c, m), with->text, "is nought, and nothing can be divided by it", "");
        v->there = false;
        return 0;
    }
    good = operator == CARRY_TIMES    ? decimal_times(&a, &b, &d)
           : operator == CARRY_DIVIDE ? decimal_divide(&a, &b, places_of(m), &d)
                                      : decimal_add(&a, &b, operator == CARRY_SUBTRACT, &d);
    if (!good) {
        refuse(c, "MAP-VALUE", path_of(c, m), v->text, "gives a result of more than 36 digits", "");
        v->there = false;
        return 0;
    }
    v->text = decimal_text(&d, &c->scratch);
    return v->text.p ? 0 : err_nomem(err);
}

static unsigned rank(uint8_t operator)
{
    return operator >= CARRY_TIMES ? 4 : operator >= CARRY_ADD ? 3 : operator;
}

/* Operands from *i on, as long as operators bind at least so tightly. */
static int compute(struct carry *c, const struct carry_maker *m, unsigned *i, unsigned least, struct value *v,
                   struct err *err)
{
    int rc = operand_value(c, &m->left[(*i)++], v, err);

    while (rc == 0 && *i < m->n_left && rank(m->left[*i].before) >= least) {
        uint8_t operator = m->left[*i].before;
        struct value with;
        rc = compute(c, m, i, rank(operator) + 1, &with, err);
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
        int rc = path_value(c, &k->with[i].path, &with, err);
        if (rc < 0)
            return rc;
        key[i + 1] = with.there ? with.text : slice("", 0);
    }
    if (lookup_find(k->lookup, key, &c->text, &found)) {
        v->text = arena_copy(&c->scratch, found);
        v->literal = false;
        v->there = found.n > 0;
        return v->text.p ? 0 : err_nomem(err);
    }
    if (c->text.failed)
        return err_nomem(err);
    if (k->otherwise == CARRY_ELSE_KEEP)
        return 0;
    v->there = k->otherwise == CARRY_ELSE_TEXT;
    if (k->otherwise == CARRY_ELSE_TEXT)
        v->text = k->otherwise_text;
    if (k->otherwise != CARRY_ELSE_REFUSE)
        return 0;
    snprintf(expected, sizeof(expected), "a value of the column %.*s", (int)(k->key.n < 200 ? k->key.n : 200), k->key.p);
    snprintf(where, sizeof(where), "has no row in the table %.*s", (int)(k->text.n < 300 ? k->text.n : 300), k->text.p);
    refuse(c, "MAP-LOOKUP", path_of(c, m), v->text, where, expected);
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
            refuse(c, "MAP-VALUE", path_of(c, m), v->text, "has no row in the table, which refuses others", "");
        return 0;
    case CARRY_LOOKUP:
        return lookup_value(c, m, k, v, err);
    case CARRY_DATE:
        if (v->text.n > 10)
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
            refuse(c, "MAP-VALUE", path_of(c, m), v->text, "cannot be rounded", "a decimal with 36 digits at most");
            return 0;
        }
        decimal_round(&d, k->number);
        v->text = decimal_text(&d, &c->scratch);
        return v->text.p ? 0 : err_nomem(err);
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
            return err_nomem(err);
        for (size_t i = 0; i < v->text.n; i++)
            if (upper[i] >= 'a' && upper[i] <= 'z')
                upper[i] = (char)(upper[i] - 'a' + 'A');
        v->text.p = upper;
        return 0;
    default:
        return 0;
    }
}

static int convert_all(struct carry *c, const struct carry_maker *m, struct value *v, struct err *err)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < m->n_conversions; i++)
        rc = convert(c, m, &m->conversion[i], v, err);
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

static int holds(struct carry *c, const struct carry_maker *m, struct err *err)
{
    for (unsigned i = 0; i < m->n_conditions; i++) {
        const struct carry_condition *k = &m->condition[i];
        struct value v;
        int rc;
        if (k->compares) {
            rc = path_value(c, &k->path, &v, err);
            if (rc == 0)
                rc = v.there && slice_eq(v.text, k->value);
        } else {
            rc = walk_path(c, &k->path, is_there, NULL, err);
        }
        if (rc < 0)
            return rc;
        if ((rc > 0) == k->negated)
            return 0;
    }
    return 1;
}

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

static int spill(struct carry *c, struct err *err)
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

static void put_value(struct carry *c, const struct value *v, uint8_t type)
{
    /* a word of a field that is no text is taken as it is; the check of what was made has the last say */
    if (v->literal || ((type == RECORD_INTEGER || type == RECORD_BOOLEAN) && record_is_decimal(v->text)))
        buf_add_slice(&c->out, v->text);
    else
        put_string(c, v->text);
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

static bool is_scalar_node(const struct json_node *n)
{
    return n->type == JSON_STRING || n->type == JSON_NUMBER || n->type == JSON_TRUE || n->type == JSON_FALSE;
}

/* A value as it is. 1: something was written. */
static int copy_value(struct carry *c, const struct spot *s, const struct record_object *type, struct err *err)
{
    const struct json_node *n = &s->tape->node[s->node];
    uint64_t at = here(c);
    bool any = false;
    int rc = 0;

    if (is_scalar_node(n)) {
        bool quoted = n->type == JSON_STRING;
        if (quoted)
            buf_add_char(&c->out, '"');
        buf_add_slice(&c->out, json_raw(s->tape, s->node));
        if (quoted)
            buf_add_char(&c->out, '"');
        rc = mark(s, s->node, err);
        return rc < 0 ? rc : 1;
    }
    if (n->type == JSON_OBJECT && type) {
        buf_add_char(&c->out, '{');
        rc = copy_object(c, s, type, &any, err);
        buf_add_char(&c->out, '}');
    } else if (n->type == JSON_ARRAY) {
        struct spot item = *s;
        buf_add_char(&c->out, '[');
        for (item.node = json_first(s->node); rc >= 0 && item.node < json_end(s->tape, s->node);
             item.node = json_next(s->tape, item.node)) {
            uint64_t before = here(c);
            if (any)
                buf_add_char(&c->out, ',');
            rc = copy_value(c, &item, type, err);
            if (rc == 0)
                back_to(c, before);
            any |= rc > 0;
        }
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
    rc = copy_value(c, &s, f->object, err);
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

/* ---- recall ---- */

/* 0012 and 12 are the same number. */
static struct slice plain_key(struct slice s)
{
    size_t i = 0;

    for (size_t k = 0; k < s.n; k++)
        if (!is_digit(s.p[k]))
            return s;
    while (i + 1 < s.n && s.p[i] == '0')
        i++;
    return slice_from(s, i);
}

struct indexing {
    struct recalled *r;
    const struct carry_recall *how;
    struct spot item;
    uint32_t key, number;
};

static int add_entry(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    struct indexing *x = ctx;
    struct recalled *r = x->r;
    struct value v;
    int rc = read_value(c, s, &v, err);

    if (rc < 0 || !v.there)
        return rc;
    if (r->n == r->room) {
        size_t room = r->room ? r->room * 2 : 64;
        struct entry *grown = room > UINT32_MAX / 4 ? NULL : realloc(r->entry, room * sizeof(*grown));
        if (!grown)
            return err_nomem(err);
        r->entry = grown;
        r->room = room;
    }
    v.text = arena_copy(&c->arena, plain_key(v.text));
    if (!v.text.p)
        return err_nomem(err);
    r->entry[r->n++] = (struct entry){ .text = v.text, .key = x->key, .item = x->number, .node = x->item.node };
    return 0;
}

static int index_item(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    struct indexing *x = ctx;
    int rc = 0;

    x->item = *s;
    for (x->key = 0; rc >= 0 && x->key < x->how->n_keys; x->key++)
        rc = walk(c, &x->how->key[x->key].theirs, x->how->key[x->key].theirs.first, s, add_entry, x, err);
    x->number++;
    return rc < 0 ? rc : 0;
}

static uint32_t slot_of(const struct recalled *r, uint32_t key, struct slice text)
{
    uint32_t i = (uint32_t)(slice_hash(text) + key * 0x9E3779B9u) & r->mask;

    while (r->slot[i] && !(r->entry[r->slot[i] - 1].key == key && slice_eq(r->entry[r->slot[i] - 1].text, text)))
        i = (i + 1) & r->mask;
    return i;
}

static int index_list(struct carry *c, const struct carry_recall *how, struct recalled *r, struct err *err)
{
    struct indexing x = { .r = r, .how = how };
    size_t slots = 16;
    int rc = walk_path(c, &how->list, index_item, &x, err);

    if (rc < 0)
        return rc;
    while (slots < r->n * 2)
        slots *= 2;
    r->slot = calloc(slots, sizeof(*r->slot));
    r->last = calloc(slots, sizeof(*r->last));
    r->taken = calloc(x.number + 1u, 1);
    if (!r->slot || !r->last || !r->taken)
        return err_nomem(err);
    r->mask = (uint32_t)(slots - 1);
    for (uint32_t e = 0; e < r->n; e++) {
        uint32_t i = slot_of(r, r->entry[e].key, r->entry[e].text);
        if (r->slot[i])
            r->entry[r->last[i] - 1].next = e + 1;
        else
            r->slot[i] = e + 1;
        r->last[i] = e + 1;
    }
    r->indexed = true;
    return 0;
}

struct finding_item {
    struct recalled *r;
    uint32_t key;
    const struct entry *found;
    struct slice wanted;            /* the first value asked for, for words, and by which key */
    uint32_t wanted_key;
};

/* Of several that match, the first that nothing has taken yet. */
static int find_entry(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    struct finding_item *x = ctx;
    struct value v;
    uint32_t e;
    int rc = read_value(c, s, &v, err);

    if (rc < 0 || !v.there)
        return rc;
    if (!x->wanted.p) {
        x->wanted = v.text;
        x->wanted_key = x->key;
    }
    e = x->r->slot[slot_of(x->r, x->key, plain_key(v.text))];
    if (!e)
        return 0;
    x->found = &x->r->entry[e - 1];
    for (; e; e = x->r->entry[e - 1].next)
        if (!x->r->taken[x->r->entry[e - 1].item]) {
            x->found = &x->r->entry[e - 1];
            break;
        }
    return 1;
}

static void miss(struct carry *c, const struct carry_recall *how, uint32_t key, struct slice wanted)
{
    char found[300];

    if (how->optional)
        return;
    if (how->kind)
        snprintf(found, sizeof(found), "is of no %.*s that could be recalled", (int)how->kind->name.n, how->kind->name.p);
    else
        snprintf(found, sizeof(found), "is in none of %.*s", (int)(how->list.text.n < 200 ? how->list.text.n : 200),
                 how->list.text.p);
    if (!wanted.n)
        snprintf(found, sizeof(found), "is missing, and it says what is to be recalled as %.*s",
                 (int)(how->name.n < 100 ? how->name.n : 100), how->name.p);
    refuse(c, "MAP-RECALL", path_text(c, &how->key[key].ours), wanted, found, "");
}

static int recall_item(struct carry *c, const struct carry_recall *how, struct err *err)
{
    struct recalled *r = &c->recalled[how->number];
    const struct frame_at *list = &c->frame[how->list.frame];
    struct finding_item x = { .r = r };
    struct frame_at *f = &c->frame[how->frame];
    int rc = 0;

    f->there = false;
    if (!list->there) /* then that was told, or is optional */
        return 0;
    if (!r->indexed)
        rc = index_list(c, how, r, err);
    for (x.key = 0; rc == 0 && !x.found && x.key < how->n_keys; x.key++) {
        rc = walk_path(c, &how->key[x.key].ours, find_entry, &x, err);
        if (rc > 0)
            rc = 0;
    }
    if (rc < 0)
        return rc;
    if (!x.found) {
        miss(c, how, x.wanted_key, x.wanted);
        return 0;
    }
    r->taken[x.found->item] = 1;
    *f = (struct frame_at){ .there = true, .path = NULL, .spot = list->spot };
    f->spot.node = x.found->node;
    return 0;
}

static int keep_id(struct carry *c, const struct record *record)
{
    uint32_t node = json_member(record->tape, 0, SLICE("id"));

    if (node && record->tape->node[node].type == JSON_STRING && c->n_ids < CARRY_FRAMES)
        c->ids[c->n_ids++] = json_raw(record->tape, node);
    return 0;
}

static int ignore_finding(void *ctx, const struct record_finding *f)
{
    (void)ctx;
    (void)f;
    return 0;
}

static int recall_record(struct carry *c, const struct carry_recall *how, struct err *err)
{
    struct frame_at *f = &c->frame[how->frame];
    const struct record *record = NULL;
    struct slice wanted = { NULL, 0 };
    uint32_t key = 0;
    int rc = 0;

    f->there = false;
    for (unsigned k = 0; rc == 0 && !record && k < how->n_keys; k++) {
        struct value v;
        rc = path_value(c, &how->key[k].ours, &v, err);
        if (rc < 0 || !v.there || !v.text.n)
            continue;
        if (!wanted.p) {
            wanted = v.text;
            key = k;
        }
        if (c->options.recall)
            rc = c->options.recall(c->options.ctx, how->kind, how->key[k].theirs.text, v.text, &record, err);
    }
    if (rc < 0)
        return rc;
    if (!record) {
        miss(c, how, key, wanted);
        return 0;
    }
    if (record_check(how->kind, record->tape, 0, ignore_finding, NULL) != 0) {
        refuse(c, "MAP-RECALL", path_text(c, &how->key[key].ours), wanted, "was recalled, and is no right record", "");
        return 0;
    }
    *f = (struct frame_at){ .there = true, .spot = { .record = record, .tape = record->tape } };
    return keep_id(c, record);
}

static int recall_all(struct carry *c, const struct carry_recall *how, struct err *err)
{
    int rc = 0;

    for (; rc == 0 && how; how = how->next) {
        arena_reset(&c->scratch);
        rc = how->kind ? recall_record(c, how, err) : recall_item(c, how, err);
    }
    return rc;
}

/* ---- makers ---- */

struct node_name {
    const struct carry_maker *maker;    /* whose tree_id and tree_parent these are; NULL: no tree */
    uint64_t number, parent;            /* 0: no parent */
};

static int make_members(struct carry *c, const struct carry_object *o, const struct spot *copied,
                        const struct node_name *name, bool *any, struct err *err);

/* One value for a field. 1: it was written. */
static int make_value(struct carry *c, const struct carry_maker *m, const struct record_field *f, bool *any,
                      struct err *err)
{
    struct value v;
    unsigned i = 0;
    int rc;

    arena_reset(&c->scratch);
    rc = holds(c, m, err);
    if (rc <= 0)
        return rc;
    rc = compute(c, m, &i, 0, &v, err);
    if (rc == 0)
        rc = convert_all(c, m, &v, err);
    if (rc < 0 || !v.there)
        return rc;
    put_key(c, f, any);
    put_value(c, &v, scalar_type(f));
    return 1;
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
    int rc = read_value(c, s, &v, err);

    if (rc == 0)
        rc = convert_all(c, x->maker, &v, err);
    if (rc < 0 || !v.there)
        return rc;
    if (*x->any)
        buf_add_char(&c->out, ',');
    *x->any = true;
    put_value(c, &v, scalar_type(x->field));
    return spill(c, err);
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
    rc = recall_all(c, m->recall, err);
    if (rc < 0)
        return rc;
    if (!x->one && *x->any)
        buf_add_char(&c->out, ',');
    *x->any = true;
    buf_add_char(&c->out, '{');
    rc = make_members(c, m->item, m->copy ? s : NULL, &name, &any, err);
    buf_add_char(&c->out, '}');
    /* an empty one is nothing, but in a list of copies it is a gap */
    if (rc == 0 && !any && !(m->copy && s->tape->node[s->node].count == 0)) {
        back_to(c, at);
        *x->any = before;
    }
    if (rc == 0 && !x->one)
        rc = spill(c, err);
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
    int rc;

    arena_reset(&c->scratch);
    rc = holds(c, m, err);
    if (rc <= 0)
        return rc;
    if (m->item)
        return walk_path(c, x.path, take_object, &x, err);
    if (m->n_left == 1 && m->left[0].kind == CARRY_PATH)
        return walk_path(c, x.path, take_value_item, &x, err);
    /* a computed value is a list of one */
    struct value v;
    unsigned i = 0;
    rc = compute(c, m, &i, 0, &v, err);
    if (rc == 0)
        rc = convert_all(c, m, &v, err);
    if (rc < 0 || !v.there)
        return rc;
    if (*any)
        buf_add_char(&c->out, ',');
    *any = true;
    put_value(c, &v, scalar_type(f));
    return 0;
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
    rc = make_members(c, m->object, NULL, NULL, &inner, err);
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

static int make_members(struct carry *c, const struct carry_object *o, const struct spot *copied,
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

/* ---- one record ---- */

/* A text as it stands in another record, perhaps with more behind it. */
static void put_raw(struct carry *c, const char *name, struct slice raw, const char *behind)
{
    if (!raw.n)
        return;
    buf_printf(&c->out, ",\"%s\":\"", name);
    buf_add_slice(&c->out, raw);
    buf_add_text(&c->out, behind);
    buf_add_char(&c->out, '"');
}

static struct slice raw_member(const struct record *r, uint32_t object, const char *name)
{
    uint32_t node = json_member(r->tape, object, slice_of(name));

    return node && r->tape->node[node].type == JSON_STRING ? json_raw(r->tape, node) : slice(NULL, 0);
}

/* record, version, id, transmission, partner, source. `number`: which of several, from 1; 0: it is the only one. */
static void put_envelope(struct carry *c, uint64_t number)
{
    const struct record *r = c->source;
    uint32_t source = json_member(r->tape, 0, SLICE("source"));
    struct slice id = raw_member(r, 0, "id");
    char behind[160];
    int n = snprintf(behind, sizeof(behind), "/%.*s", (int)(c->plan->to->name.n < 100 ? c->plan->to->name.n : 100),
                     c->plan->to->name.p);

    if (number && n > 0)
        snprintf(behind + n, sizeof(behind) - (size_t)n, "/%llu", (unsigned long long)number);
    buf_printf(&c->out, "{\"record\":\"%.*s\",\"version\":%u", SLICE_FMT(c->plan->to->name), c->plan->to->version);
    put_raw(c, "id", id, behind);
    put_raw(c, "transmission", raw_member(r, 0, "transmission"), "");
    put_raw(c, "partner", raw_member(r, 0, "partner"), "");
    buf_printf(&c->out, ",\"source\":{\"standard\":\"record\",\"set\":\"%.*s\"", SLICE_FMT(c->plan->from->name));
    if (source)
        put_raw(c, "usage", raw_member(r, source, "usage"), "");
    put_raw(c, "id", id, "");
    for (unsigned i = 0; i < c->n_ids; i++) {
        buf_add_text(&c->out, i ? ",\"" : ",\"recalled\":[\"");
        buf_add_slice(&c->out, c->ids[i]);
        buf_add_text(&c->out, i + 1 == c->n_ids ? "\"]" : "\"");
    }
    buf_add_char(&c->out, '}');
}

static int make_record(struct carry *c, uint64_t number, struct err *err)
{
    bool any = true;
    int rc;

    for (unsigned i = 0; i < c->plan->n_recalls; i++)
        recalled_clear(&c->recalled[i]);
    c->n_ids = 0;
    c->depth = 0;
    rc = recall_all(c, c->plan->recall, err);
    if (rc < 0)
        return rc;
    put_envelope(c, number);
    rc = make_members(c, c->plan->root, NULL, NULL, &any, err);
    buf_add_text(&c->out, "}\n");
    if (rc == 0)
        rc = spill(c, err);
    return rc;
}

/* ---- split ---- */

struct groups {
    struct value *value;
    size_t n, room;
    bool none;                          /* some item has no value: a group of its own, the last */
};

static int add_group(struct carry *c, const struct spot *item, void *ctx, struct err *err)
{
    struct groups *g = ctx;
    struct value v = { .there = false };
    int rc = walk(c, &c->plan->split_by, 0, item, take_first, &v, err);

    if (rc < 0)
        return rc;
    if (!v.there) {
        g->none = true;
        return 0;
    }
    for (size_t i = 0; i < g->n; i++)
        if (slice_eq(g->value[i].text, v.text))
            return 0;
    if (g->n == GROUPS)
        return err_set(err, ERR_LIMIT, "the record would be split into more than %d", GROUPS);
    g->value = arena_grow(&c->arena, g->value, g->n, &g->room, sizeof(*g->value));
    v.text = arena_copy(&c->arena, v.text);
    if (!g->value || !v.text.p)
        return err_nomem(err);
    g->value[g->n++] = v;
    arena_reset(&c->scratch);
    return 0;
}

static int make_records(struct carry *c, uint64_t *made_r, struct err *err)
{
    struct groups g = { .n = 0 };
    struct carry_path list = { .n = 1 };
    size_t all;
    int rc;

    *made_r = 1;
    c->split = false;
    if (!c->plan->split.n)
        return make_record(c, 0, err);
    list.step[0] = (struct carry_step){ .name = c->plan->split, .list = true };
    rc = walk_path(c, &list, add_group, &g, err);
    if (rc < 0)
        return rc;
    all = g.n + g.none;
    if (all < 2)
        return make_record(c, 0, err);
    c->split = true;
    for (size_t i = 0; rc == 0 && i < all; i++) {
        c->group = i < g.n ? g.value[i] : (struct value){ .there = false };
        rc = make_record(c, i + 1, err);
    }
    c->split = false;
    *made_r = all;
    return rc;
}

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

    if (is_scalar_node(&s->tape->node[s->node]))
        return is_marked(s, s->node);
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
    int rc = items_begin(c, s, &items, &item, err);

    while (rc == 0 && (rc = items_next(&items, &item, err)) > 0)
        rc = find_lost(c, &item, err);
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
    if (n->type == JSON_OBJECT || !is_marked(s, s->node))
        lose(c, buf_slice(&c->path));
    return 0;
}

static int tell_lost(struct carry *c, struct err *err)
{
    int rc;

    buf_clear(&c->path);
    c->depth = 0;
    rc = find_lost(c, &c->frame[0].spot, err);
    if (rc == 0 && c->path.failed == ERR_NOMEM)
        rc = err_nomem(err);
    for (unsigned i = 0; rc == 0 && i < c->n_lost; i++) {
        char found[200];
        int n = snprintf(found, sizeof(found), "is not carried into the %.*s", SLICE_FMT(c->plan->to->name));
        if (c->lost[i].count > 1 && n > 0 && (size_t)n < sizeof(found))
            snprintf(found + n, sizeof(found) - (size_t)n, ", in %llu places", (unsigned long long)c->lost[i].count);
        const struct map_write_finding f = {
            .code = "MAP-LOSS", .severity = SEVERITY_WARNING, .path = c->lost[i].pattern, .found = found,
            .expected = "", .loss = true,
        };
        say(c, &f);
    }
    return rc;
}

/* ---- checks ---- */

struct checking_made {
    struct carry *c;
    bool made;
};

static int tell_check(void *ctx, const struct record_finding *r)
{
    struct checking_made *k = ctx;
    struct carry *c = k->c;
    bool quoted = r->found.n > 1 && r->found.p[0] == '"';
    const struct map_write_finding f = {
        .code = r->name, .severity = SEVERITY_ERROR, .path = r->path,
        .value = quoted ? slice(r->found.p + 1, r->found.n - 2) : r->found, .found = r->words,
        .expected = r->expected, .place = k->made ? c->plan->to->name : slice(NULL, 0), .missing = r->missing,
    };
    say(c, &f);
    return c->stopped;
}

/* What was made lies in memory, or in the file as well. */
static int check_made(struct carry *c, struct err *err)
{
    struct checking_made k = { c, true };
    struct slice rest = buf_slice(&c->out);
    struct json_tape tape;
    int rc = 0;

    if (!c->spilled) {
        json_tape_init(&tape, LIMIT_ITEM * 4u);
        while (rc == 0 && rest.n) {
            size_t n;
            rc = json_parse_first(&tape, rest, &n, err);
            if (rc < 0)
                break;
            rc = record_check(c->plan->to, &tape, 0, tell_check, &k);
            rc = rc < 0 ? rc : 0;
            rest = slice_from(rest, n + 1);
        }
        json_tape_deinit(&tape);
    } else {
        struct record_reader *reader = NULL;
        const struct record *record;
        if (c->out.n)
            rc = file_write_all(c->file, c->out.p, c->out.n, err);
        c->spilled += c->out.n;
        buf_clear(&c->out);
        if (rc == 0 && lseek(c->file, 0, SEEK_SET) < 0)
            rc = err_system(err, "a temporary file");
        if (rc == 0)
            rc = record_reader_new(c->file, &(struct record_reader_options){ .directory = c->options.directory }, &reader,
                                   err);
        while (rc == 0 && (rc = record_reader_next(reader, &record, err)) > 0) {
            rc = record_check_whole(c->plan->to, record, tell_check, &k, err);
            rc = rc < 0 ? rc : 0;
        }
        record_reader_free(&reader);
    }
    if (rc == ERR_DATA)
        return err_set(err, ERR_INTERNAL, "what was made is no JSON");
    return rc;
}

static int give(struct carry *c, struct err *err)
{
    char piece[64 << 10];
    int rc = 0;

    if (!c->spilled)
        return c->options.write(c->options.ctx, c->out.p, c->out.n, err);
    if (lseek(c->file, 0, SEEK_SET) < 0)
        return err_system(err, "a temporary file");
    while (rc == 0 && c->spilled) {
        ssize_t n = read(c->file, piece, c->spilled < sizeof(piece) ? c->spilled : sizeof(piece));
        if (n <= 0)
            return n < 0 ? err_system(err, "a temporary file")
                         : err_set(err, ERR_IO, "a temporary file has become shorter");
        c->spilled -= (uint64_t)n;
        rc = c->options.write(c->options.ctx, piece, (size_t)n, err);
    }
    return rc;
}

int carry_record(struct carry *c, const struct record *record, struct err *err)
{
    struct checking_made k = { c, false };
    uint64_t made = 0;
    int rc = 0;

    c->source = record;
    c->errors = 0;
    c->stopped = 0;
    c->n_lost = 0;
    c->depth = 0;
    c->streaming = false;
    arena_reset(&c->arena);
    arena_reset(&c->scratch);
    buf_clear(&c->out);
    clear_marks(c);
    c->spilled = 0;
    if (c->file >= 0 && (ftruncate(c->file, 0) < 0 || lseek(c->file, 0, SEEK_SET) < 0))
        return err_system(err, "a temporary file");
    for (unsigned i = 0; i < c->plan->n_frames; i++)
        c->frame[i].there = false;
    c->frame[0] = (struct frame_at){ .there = true,
                                     .spot = { .record = record, .tape = record->tape, .marks = &c->main } };
    if (json_member(record->tape, 0, SLICE("rejected")))
        refuse(c, "RECORD-REJECTED", SLICE("rejected"), slice(NULL, 0),
               "says that the record was refused when it was read", "");
    if (!c->errors)
        rc = record_check_whole(c->plan->from, record, tell_check, &k, err);
    if (rc >= 0 && !c->errors)
        rc = make_records(c, &made, err);
    if (rc >= 0 && !c->errors)
        rc = check_made(c, err);
    if (rc >= 0 && !c->errors)
        rc = tell_lost(c, err);
    if (c->stopped)
        return err_set(err, c->stopped, "stopped");
    if (rc >= 0 && c->errors)
        return err_set(err, ERR_DATA, "the record is refused");
    if (rc >= 0)
        rc = give(c, err);
    return rc < 0 ? rc : (int)made;
}

const struct record_kind *carry_plan_from(const struct carry_plan *plan)
{
    return plan->from;
}

const struct record_kind *carry_plan_to(const struct carry_plan *plan)
{
    return plan->to;
}
