/*
 * carry_compile: the lines of a map between records, held against both schemas and made into makers.
 *
 * Lines of a block may serve in several places, so what is looked up is written into copies. All of it lies in the
 * arena of the maps and stays; nothing of the record is known here.
 */
#include <stdio.h>

#include "map/carry_inside.h"
#include "map/compile.h"

enum { NAMES = 32, COPY_DEPTH = 6, LINES = 5000 };

struct named {
    struct slice name;
    unsigned frame;
};

/* Whether one object has all that another has, to some depth. */
struct compared {
    struct compared *next;
    const struct record_object *from, *to;
    unsigned depth;
    bool all;
};

struct compiling_carry {
    struct maps *maps;
    struct arena *arena;
    const struct map *map;
    struct complaints *c;
    struct carry_plan *plan;
    struct carry_fate **fate_link;
    const struct record_object *type[CARRY_FRAMES];     /* of each frame */
    struct slice pattern[CARRY_FRAMES];                 /* p is NULL in what is recalled */
    struct named named[NAMES];
    unsigned n_named;
    unsigned n_lines;                                   /* with those of blocks, wherever they are used */
    struct compared *compared;
};

/* What the lines of one level work on. */
struct level {
    unsigned frame;
    struct carry_object *object;            /* what they make */
    struct carry_recall **recall;           /* where recalls are added */
    const struct record_field *tree;        /* this level is a node of that list; NULL: of none */
    struct carry_maker **below;             /* where the nodes below it are added */
};

#define REFUSE(x, at, ...) complain((x)->c, at, __VA_ARGS__)

static void *nomem(struct compiling_carry *x)
{
    x->c->nomem = true;
    return NULL;
}

bool carry_is_envelope(struct slice name)
{
    static const char *const names[] = { "record", "version", "id", "transmission", "partner", "source", "rejected" };
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_is(name, names[i]))
            return true;
    return false;
}

/* Is `path` in `pattern`? */
static bool is_inside(struct slice path, struct slice pattern)
{
    return path.n > pattern.n && slice_starts(path, pattern) && path.p[pattern.n] == '.';
}

bool carry_is_dropped(const struct carry_plan *plan, struct slice pattern)
{
    for (const struct carry_fate *f = plan->fate; f; f = f->next)
        if (f->dropped && (slice_eq(pattern, f->pattern) || is_inside(pattern, f->pattern)))
            return true;
    return false;
}

bool carry_is_taken_whole(const struct carry_plan *plan, struct slice path)
{
    for (const struct carry_fate *f = plan->fate; f; f = f->next)
        if (f->whole && (slice_eq(f->pattern, path) || is_inside(path, f->pattern)))
            return true;
    return false;
}

bool carry_is_taken(const struct carry_plan *plan, struct slice path)
{
    for (const struct carry_fate *f = plan->fate; f; f = f->next)
        if (!f->dropped && (slice_eq(f->pattern, path) || is_inside(f->pattern, path)))
            return true;
    return carry_is_taken_whole(plan, path);
}

bool carry_drops_inside(const struct carry_plan *plan, struct slice pattern)
{
    for (const struct carry_fate *f = plan->fate; f; f = f->next)
        if (f->dropped && is_inside(f->pattern, pattern))
            return true;
    return false;
}

/* ---- fields ---- */

static const struct record_field *find_field(struct compiling_carry *x, const struct record_object *type,
                                             struct slice name, const struct place *at)
{
    int i = record_field_find(type, name);
    struct slice best = { 0 };
    unsigned distance = 3;

    if (i >= 0)
        return &type->field[i];
    REFUSE(x, at, "there is no field \"%.*s\" here", SLICE_FMT(name));
    for (unsigned k = 0; k < type->n; k++)
        suggest(name, type->field[k].name, &best, &distance);
    if (best.n)
        complain_hint(x->c, "did you mean \"%.*s\"?", SLICE_FMT(best));
    return NULL;
}

static struct slice join(struct compiling_carry *x, struct slice pattern, struct slice name)
{
    size_t n = pattern.n + (pattern.n > 0) + name.n;
    char *text = arena_alloc(x->arena, n + 1);

    if (!text) {
        nomem(x);
        return slice(NULL, 0);
    }
    if (pattern.n) {
        memcpy(text, pattern.p, pattern.n);
        text[pattern.n] = '.';
    }
    memcpy(text + n - name.n, name.p, name.n);
    return slice(text, n);
}

static struct carry_fate *add_fate(struct compiling_carry *x, struct slice pattern, bool dropped)
{
    struct carry_fate *f;

    for (f = x->plan->fate; f; f = f->next)
        if (f->dropped == dropped && slice_eq(f->pattern, pattern))
            return f;
    f = ARENA_NEW(x->arena, struct carry_fate);
    if (!f)
        return nomem(x);
    f->pattern = pattern;
    f->dropped = dropped;
    *x->fate_link = f;
    x->fate_link = &f->next;
    return f;
}

/* Types hold each other by many ways, so each pair is looked at once a depth. */
static bool has_all(struct compiling_carry *x, const struct record_object *from, const struct record_object *to,
                    unsigned depth)
{
    struct compared *p;
    bool all = true;

    if (depth > COPY_DEPTH)
        return true;
    for (p = x->compared; p; p = p->next)
        if (p->from == from && p->to == to && p->depth == depth)
            return p->all;
    for (unsigned i = 0; i < from->n && all; i++) {
        const struct record_object *inner = from->field[i].object;
        int k;
        if (slice_is(from->field[i].name, "unmapped"))
            continue;
        k = record_field_find(to, from->field[i].name);
        all = k >= 0 && (!inner || !to->field[k].object || has_all(x, inner, to->field[k].object, depth + 1));
    }
    p = ARENA_NEW(x->arena, struct compared);
    if (!p)
        nomem(x);
    else
        *p = (struct compared){ x->compared, from, to, depth, all };
    x->compared = p ? p : x->compared;
    return all;
}

/* What two objects have in common is taken. How much that is. */
static unsigned add_common(struct compiling_carry *x, struct slice pattern, const struct record_object *from,
                           const struct record_object *to, unsigned depth)
{
    unsigned common = 0;

    for (unsigned i = 0; i < from->n; i++) {
        int k = record_field_find(to, from->field[i].name);
        struct slice inner;
        if (k < 0 || slice_is(from->field[i].name, "unmapped"))
            continue;
        common++;
        if (!pattern.p)
            continue;
        inner = join(x, pattern, from->field[i].name);
        if (!inner.p)
            return common;
        if (from->field[i].object && to->field[k].object && depth < COPY_DEPTH &&
            !has_all(x, from->field[i].object, to->field[k].object, depth + 1)) {
            add_common(x, inner, from->field[i].object, to->field[k].object, depth + 1);
        } else {
            struct carry_fate *f = add_fate(x, inner, false);
            if (f)
                f->whole = true;
        }
    }
    return common;
}

/* ---- paths of the source ---- */

static bool is_scalar(const struct record_field *f)
{
    return f->type != RECORD_OBJECT && f->type != RECORD_ARRAY;
}

static bool check_wheres(struct compiling_carry *x, const struct carry_path *p, const struct carry_step *s,
                         const struct record_object *type, struct slice pattern)
{
    for (unsigned i = 0; i < s->n_wheres; i++) {
        const struct record_field *f = type ? find_field(x, type, s->where[i].name, &p->at) : NULL;
        struct slice inner;
        if (!type)
            REFUSE(x, &p->at, "the items of %.*s are no objects", SLICE_FMT(s->name));
        else if (f && s->where[i].compares && !is_scalar(f))
            REFUSE(x, &p->at, "%.*s is no single value", SLICE_FMT(s->where[i].name));
        if (!f || (s->where[i].compares && !is_scalar(f)))
            return false;
        if (!pattern.p || !s->where[i].compares)
            continue;
        inner = join(x, pattern, s->where[i].name);
        if (!inner.p || !add_fate(x, inner, false))
            return false;
    }
    return true;
}

/* Looks up a path seen from a frame. `many`: it may stand for several values or objects. */
static bool resolve(struct compiling_carry *x, struct carry_path *p, unsigned frame, bool many)
{
    const struct record_object *type = x->type[frame];
    struct slice pattern = x->pattern[frame];
    unsigned i = 0;

    p->frame = frame;
    p->first = 0;
    p->field = NULL;
    p->object = type;
    if (p->n && !p->step[0].list && record_field_find(type, p->step[0].name) < 0) {
        for (unsigned k = x->n_named; k-- > 0;)
            if (slice_eq(x->named[k].name, p->step[0].name)) {
                p->frame = x->named[k].frame;
                p->first = i = 1;
                p->object = type = x->type[p->frame];
                pattern = x->pattern[p->frame];
                break;
            }
    }
    for (; i < p->n; i++) {
        const struct carry_step *s = &p->step[i];
        const struct record_field *f;

        if (!type) {
            REFUSE(x, &p->at, "there is nothing in %.*s", SLICE_FMT(p->step[i - 1].name));
            return false;
        }
        f = find_field(x, type, s->name, &p->at);
        if (!f)
            return false;
        if (s->list != (f->type == RECORD_ARRAY)) {
            REFUSE(x, &p->at, s->list ? "%.*s is no list" : "%.*s is a list", SLICE_FMT(s->name));
            if (!s->list)
                complain_hint(x->c, "write %.*s[1], or a condition: %.*s[kind=department].", SLICE_FMT(s->name),
                              SLICE_FMT(s->name));
            return false;
        }
        if (s->list && !many && !s->nth && !s->n_wheres) {
            REFUSE(x, &p->at, "one value is wanted here, and %.*s has many", SLICE_FMT(s->name));
            complain_hint(x->c, "[1] is the first one, [kind=department] the first of its kind.");
            return false;
        }
        if (pattern.p)
            pattern = join(x, pattern, s->name);
        type = f->object;
        p->field = f;
        p->object = type;
        if (!check_wheres(x, p, s, type, pattern))
            return false;
        if (s->list && !type && i + 1 < p->n) {
            REFUSE(x, &p->at, "the items of %.*s are no objects", SLICE_FMT(s->name));
            return false;
        }
    }
    if (pattern.p && p->field && !p->object && !add_fate(x, pattern, false))
        return false;
    return !x->c->nomem;
}

/* ---- what lines say of values ---- */

static bool copy_operands(struct compiling_carry *x, const struct carry_line *l, unsigned frame, struct carry_maker *m)
{
    bool divided = false, rounded = false;

    m->left = ARENA_ARRAY(x->arena, l->n_left, struct carry_operand);
    if (!m->left)
        return nomem(x) != NULL;
    m->n_left = l->n_left;
    for (unsigned i = 0; i < l->n_left; i++) {
        struct carry_operand *o = &m->left[i];
        *o = l->left[i];
        divided |= o->before == CARRY_DIVIDE;
        if (o->kind == CARRY_TEXT)
            continue;
        if (o->kind == CARRY_ORDINAL) {
            o->path.frame = frame;
            continue;
        }
        if (!resolve(x, &o->path, frame, o->kind != CARRY_PATH))
            return false;
        if (o->kind != CARRY_COUNT && (!o->path.field || !(is_scalar(o->path.field) || !o->path.object))) {
            REFUSE(x, &o->path.at, "%.*s is no single value", SLICE_FMT(o->path.text));
            return false;
        }
    }
    for (unsigned i = 0; i < l->n_conversions; i++)
        rounded |= l->conversion[i].kind == CARRY_ROUND;
    if (divided && !rounded) {
        REFUSE(x, &l->at, "a quotient may have no end: say to how many places with \"round\"");
        return false;
    }
    return true;
}

static bool copy_conversions(struct compiling_carry *x, const struct carry_line *l, unsigned frame,
                             struct carry_maker *m)
{
    m->conversion = ARENA_ARRAY(x->arena, l->n_conversions + 1, struct carry_conversion);
    if (!m->conversion)
        return nomem(x) != NULL;
    m->n_conversions = l->n_conversions;
    for (unsigned i = 0; i < l->n_conversions; i++) {
        struct carry_conversion *c = &m->conversion[i];
        struct slice key[LOOKUP_KEYS];
        unsigned before = x->c->count;

        *c = l->conversion[i];
        for (unsigned k = 0; k < c->n_withs; k++)
            if (!resolve(x, &c->with[k].path, frame, false))
                return false;
        if (c->kind == CARRY_CODE) {
            c->table = maps_table(x->maps, x->map, slice(NULL, 0), c->text, x->c);
            if (!c->table && x->c->count == before)
                REFUSE(x, &c->at, "there is no table \"%.*s\"", SLICE_FMT(c->text));
        } else if (c->kind == CARRY_LOOKUP) {
            key[0] = c->key;
            for (unsigned k = 0; k < c->n_withs; k++)
                key[k + 1] = c->with[k].column;
            c->lookup = maps_lookup(x->maps, x->map, c->text, key, c->n_withs + 1, c->value, &c->at, x->c);
        }
        if (x->c->count > before)
            return false;
    }
    return true;
}

static bool copy_conditions(struct compiling_carry *x, const struct carry_line *l, unsigned frame,
                            struct carry_maker *m)
{
    m->condition = ARENA_ARRAY(x->arena, l->n_conditions + 1, struct carry_condition);
    if (!m->condition)
        return nomem(x) != NULL;
    m->n_conditions = l->n_conditions;
    for (unsigned i = 0; i < l->n_conditions; i++) {
        m->condition[i] = l->condition[i];
        if (!resolve(x, &m->condition[i].path, frame, !l->condition[i].compares))
            return false;
        if (l->condition[i].compares && (!m->condition[i].path.field || !is_scalar(m->condition[i].path.field))) {
            REFUSE(x, &m->condition[i].path.at, "one value is wanted here");
            return false;
        }
    }
    return true;
}

/* Can what one field holds be another's? What only the value itself can tell is checked when it is made. */
static bool fits(uint8_t from, uint8_t to)
{
    if (from == to || from == RECORD_ANY || to == RECORD_ANY)
        return true;
    if (to == RECORD_INTEGER || to == RECORD_BOOLEAN || from == RECORD_BOOLEAN)
        return false;
    return to == RECORD_STRING || from == RECORD_STRING || (from == RECORD_DATE && to == RECORD_DATETIME) ||
           (from == RECORD_INTEGER && to == RECORD_DECIMAL);
}

static bool check_types(struct compiling_carry *x, const struct carry_line *l, const struct carry_maker *m,
                        const struct record_field *field)
{
    const struct carry_operand *o = &m->left[0];
    uint8_t to = field->type == RECORD_ARRAY ? field->item : field->type, from;

    if (m->n_left > 1 || m->n_conversions || o->kind != CARRY_PATH)
        return true;
    from = o->path.field->type == RECORD_ARRAY ? o->path.field->item : o->path.field->type;
    if (fits(from, to))
        return true;
    REFUSE(x, &l->right_at, "the field is %s, and %.*s is %s", record_type_name((enum record_type)to),
           SLICE_FMT(o->path.text), record_type_name((enum record_type)from));
    if (from == RECORD_DATETIME && (to == RECORD_DATE || to == RECORD_TIME))
        complain_hint(x->c, "write \"%s\" behind the field for that part of it.", to == RECORD_DATE ? "date" : "time");
    return false;
}

/* ---- objects ---- */

static struct carry_object *new_object(struct compiling_carry *x, const struct record_object *type)
{
    struct carry_object *o = ARENA_NEW(x->arena, struct carry_object);

    if (!o || !(o->member = ARENA_ARRAY(x->arena, type->n + 1u, struct carry_member *)))
        return nomem(x);
    o->type = type;
    return o;
}

static struct carry_member *member_of(struct compiling_carry *x, struct carry_object *o,
                                      const struct record_field *field)
{
    struct carry_member **m = &o->member[field->index];

    if (!*m)
        *m = ARENA_NEW(x->arena, struct carry_member);
    return *m ? *m : nomem(x);
}

static bool compile_lines(struct compiling_carry *x, const struct carry_line *line, const struct level *v);

/* A new frame for items of `path`, or for what was recalled. False: there are too many. */
static bool new_frame(struct compiling_carry *x, const struct record_object *type, struct slice pattern,
                      const struct place *at, unsigned *frame_r)
{
    if (x->plan->n_frames == CARRY_FRAMES) {
        REFUSE(x, at, "a map may have %d lists and recalls, and no more", CARRY_FRAMES - 1);
        return false;
    }
    *frame_r = x->plan->n_frames++;
    x->type[*frame_r] = type;
    x->pattern[*frame_r] = pattern;
    return true;
}

/* The names of a path alone, from the record on. */
static struct slice pattern_of(struct compiling_carry *x, const struct carry_path *p)
{
    struct slice pattern = x->pattern[p->frame];

    for (unsigned i = p->first; i < p->n && pattern.p; i++)
        pattern = join(x, pattern, p->step[i].name);
    return pattern;
}

/* Fields that must be there and that nothing makes. */
static void check_required(struct compiling_carry *x, const struct carry_object *o, const struct record_object *copied,
                           const struct place *at, const struct carry_line *l)
{
    for (unsigned i = 0; i < o->type->n; i++) {
        const struct record_field *f = &o->type->field[i];
        bool made = o->member[i] || !f->required;

        made = made || (copied && record_field_find(copied, f->name) >= 0);
        made = made || (l && (slice_eq(l->tree_id, f->name) || slice_eq(l->tree_parent, f->name)));
        if (!made && !(at->line == 1 && !l && carry_is_envelope(f->name)))
            REFUSE(x, at, "no line makes the field \"%.*s\", which must be there", SLICE_FMT(f->name));
    }
}

static const struct record_field *tree_field(struct compiling_carry *x, const struct carry_line *l,
                                             const struct record_object *type, struct slice name)
{
    const struct record_field *f = find_field(x, type, name, &l->right_at);

    if (f && f->type != RECORD_STRING) {
        REFUSE(x, &l->right_at, "%.*s is no text, and cannot name a node", SLICE_FMT(name));
        return NULL;
    }
    return f;
}

/* `LEFT -> FIELD` or `LEFT -> LIST[]`, where FIELD or the items are objects. */
static bool compile_object(struct compiling_carry *x, const struct carry_line *l, const struct record_field *field,
                           const struct level *v, struct carry_maker *m)
{
    struct carry_path *p = &m->left[0].path;
    unsigned names = x->n_named;
    struct level in = { .recall = &m->recall, .below = &m->below, .tree = l->tree_id.n ? field : NULL };

    if (l->n_left != 1 || m->left[0].kind != CARRY_PATH || l->n_conversions) {
        REFUSE(x, &l->at,
               "an object is made of an object, of the items of a list, or of \".\", the one around the line");
        return false;
    }
    if (!resolve(x, p, v->frame, l->list))
        return false;
    if (!p->object) {
        REFUSE(x, &p->at, "%.*s is no object", SLICE_FMT(p->text));
        return false;
    }
    if (!new_frame(x, p->object, pattern_of(x, p), &l->at, &m->frame))
        return false;
    m->copy = l->copy || !l->child;
    if (m->copy && add_common(x, x->pattern[m->frame], p->object, field->object, 0) == 0) {
        REFUSE(x, &l->right_at, "the two have no field in common");
        return false;
    }
    if (l->tree_id.n) {
        m->tree_id = tree_field(x, l, field->object, l->tree_id);
        m->tree_parent = tree_field(x, l, field->object, l->tree_parent);
        if (!m->tree_id || !m->tree_parent)
            return false;
    }
    m->item = in.object = new_object(x, field->object);
    in.frame = m->frame;
    if (!m->item)
        return false;
    if (l->name.n) {
        if (x->n_named == NAMES) {
            REFUSE(x, &l->at, "there are too many names inside each other");
            return false;
        }
        x->named[x->n_named++] = (struct named){ l->name, m->frame };
    }
    if (!compile_lines(x, l->child, &in))
        return false;
    x->n_named = names;
    check_required(x, m->item, m->copy ? p->object : NULL, &l->at, l);
    return true;
}

static bool compile_values(struct compiling_carry *x, const struct carry_line *l, const struct record_field *field,
                           const struct level *v, struct carry_maker *m)
{
    if (l->child || l->copy) {
        REFUSE(x, &l->at, "%s", l->child ? "nothing stands below such a line: its field is no object"
                                         : "only objects are copied");
        return false;
    }
    if (l->list && (l->n_left > 1 || l->left[0].kind != CARRY_PATH))
        return copy_operands(x, l, v->frame, m) && copy_conversions(x, l, v->frame, m);
    if (l->list) {
        if (!resolve(x, &m->left[0].path, v->frame, true))
            return false;
        if (!m->left[0].path.field || m->left[0].path.object) {
            REFUSE(x, &l->at, "%.*s has no values of its own", SLICE_FMT(m->left[0].path.text));
            return false;
        }
    } else if (!copy_operands(x, l, v->frame, m)) {
        return false;
    }
    return copy_conversions(x, l, v->frame, m) && check_types(x, l, m, field);
}

/* Goes to the object of a dotted right side, making what is on the way; *field_r is its last name's. */
static struct carry_object *walk_right(struct compiling_carry *x, const struct carry_line *l, struct carry_object *o,
                                       const struct record_field **field_r)
{
    struct slice rest = l->right;
    bool more;

    for (;;) {
        struct slice name = slice_cut(rest, '.', &rest, &more);
        const struct record_field *f = find_field(x, o->type, name, &l->right_at);
        struct carry_member *m;
        if (!f)
            return NULL;
        if (o == x->plan->root && carry_is_envelope(name)) {
            REFUSE(x, &l->right_at, "%.*s is made for every record by itself", SLICE_FMT(name));
            return NULL;
        }
        *field_r = f;
        if (!more)
            return o;
        if (f->type != RECORD_OBJECT) {
            REFUSE(x, &l->right_at, "%.*s is no object", SLICE_FMT(name));
            return NULL;
        }
        m = member_of(x, o, f);
        if (m && m->maker) {
            REFUSE(x, &l->right_at, "another line makes all of %.*s", SLICE_FMT(name));
            complain_hint(x->c, "put this line below that one, with \"copy\" behind its field.");
            return NULL;
        }
        if (m && !m->object)
            m->object = new_object(x, f->object);
        if (!m || !m->object)
            return NULL;
        o = m->object;
    }
}

static bool compile_line(struct compiling_carry *x, const struct carry_line *l, const struct level *v)
{
    struct carry_maker *m = ARENA_NEW(x->arena, struct carry_maker), **link;
    const struct record_field *field;
    struct carry_member *member;
    struct carry_object *o;

    if (!m || !(m->left = ARENA_ARRAY(x->arena, l->n_left, struct carry_operand)))
        return nomem(x) != NULL;
    memcpy(m->left, l->left, l->n_left * sizeof(*l->left));
    m->n_left = l->n_left;
    /* a line for nodes below this one */
    if (v->tree && l->tree_id.n && slice_eq(l->right, v->tree->name)) {
        if (!copy_conditions(x, l, v->frame, m) || !compile_object(x, l, v->tree, v, m))
            return false;
        for (link = v->below; *link; link = &(*link)->next)
            ;
        *link = m;
        return true;
    }
    o = walk_right(x, l, v->object, &field);
    if (!o)
        return false;
    if (l->list != (field->type == RECORD_ARRAY)) {
        REFUSE(x, &l->right_at, l->list ? "%.*s is no list" : "%.*s is a list: write %.*s[]", SLICE_FMT(field->name),
               SLICE_FMT(field->name));
        return false;
    }
    member = member_of(x, o, field);
    if (!member)
        return false;
    if (member->object) {
        REFUSE(x, &l->right_at, "other lines make parts of %.*s", SLICE_FMT(field->name));
        return false;
    }
    if (l->tree_id.n && !(l->list && field->object)) {
        REFUSE(x, &l->right_at, "only a list of objects can be a tree");
        return false;
    }
    for (link = &member->maker; *link; link = &(*link)->next)
        ;
    *link = m;
    return copy_conditions(x, l, v->frame, m) && (field->object ? compile_object(x, l, field, v, m)
                                                                : compile_values(x, l, field, v, m));
}

/* ---- recall ---- */

static bool has_list(const struct carry_path *p)
{
    for (unsigned i = 0; i < p->n; i++)
        if (p->step[i].list)
            return true;
    return false;
}

static bool compile_recall(struct compiling_carry *x, const struct carry_line *l, const struct level *v)
{
    struct carry_recall *r = ARENA_NEW(x->arena, struct carry_recall), **link;
    const struct record_object *type;

    if (!r)
        return nomem(x) != NULL;
    *r = (struct carry_recall){ .number = x->plan->n_recalls++, .list = l->from, .optional = l->optional,
                                .name = l->name, .n_keys = l->n_keys };
    if (l->from.n > 1 || l->from.step[0].list) {
        if (!resolve(x, &r->list, v->frame, true))
            return false;
        if (!r->list.field || r->list.field->type != RECORD_ARRAY || !r->list.object) {
            REFUSE(x, &r->list.at, "a list of objects is expected here, such as o.lines[]");
            return false;
        }
        if (x->pattern[r->list.frame].p) {
            REFUSE(x, &r->list.at, "only a list of what was recalled can be looked in");
            return false;
        }
        type = r->list.object;
    } else {
        if (v->object != x->plan->root) {
            REFUSE(x, &l->at, "a record is recalled at the top of the map");
            return false;
        }
        r->kind = maps_newest_record(x->maps, l->recalled, x->c);
        if (!r->kind) {
            if (!x->c->nomem)
                REFUSE(x, &r->list.at, "there is no record kind \"%.*s\"", SLICE_FMT(l->recalled));
            return false;
        }
        type = r->kind->root;
    }
    if (x->n_named == NAMES || !new_frame(x, type, slice(NULL, 0), &l->at, &r->frame)) {
        if (x->n_named == NAMES)
            REFUSE(x, &l->at, "there are too many names inside each other");
        return false;
    }
    for (unsigned i = 0; i < l->n_keys; i++) {
        struct carry_key *k = &r->key[i];
        *k = l->key[i];
        if (!resolve(x, &k->ours, v->frame, !r->kind) || !resolve(x, &k->theirs, r->frame, !r->kind))
            return false;
        if (!k->ours.field || k->ours.object || !k->theirs.field || k->theirs.object) {
            REFUSE(x, &k->ours.at, "what is recalled is known by a single value");
            return false;
        }
        if (k->theirs.frame != r->frame || (r->kind && has_list(&k->theirs))) {
            REFUSE(x, &k->theirs.at, "a field of %.*s is expected here%s", SLICE_FMT(l->recalled),
                   r->kind ? ", and none of a list" : "");
            return false;
        }
    }
    x->named[x->n_named++] = (struct named){ l->name, r->frame };
    for (link = v->recall; *link; link = &(*link)->next)
        ;
    *link = r;
    return true;
}

/* ---- lines ---- */

static const struct map_block *find_block(const struct map *map, struct slice name)
{
    for (; map; map = map->base)
        for (const struct map_block *b = map->block; b; b = b->next)
            if (slice_eq(b->name, name))
                return b;
    return NULL;
}

static bool compile_drop(struct compiling_carry *x, const struct carry_line *l, unsigned frame)
{
    struct slice rest = l->right, pattern = x->pattern[frame];
    const struct record_object *type = x->type[frame];
    bool more = rest.n > 0;

    while (more) {
        struct slice name = slice_cut(rest, '.', &rest, &more);
        const struct record_field *f;
        if (name.n > 2 && slice_is(slice_from(name, name.n - 2), "[]"))
            name.n -= 2;
        if (!type) {
            REFUSE(x, &l->at, "there is nothing in it");
            return false;
        }
        f = find_field(x, type, name, &l->at);
        if (!f)
            return false;
        type = f->object;
        if (pattern.p)
            pattern = join(x, pattern, name);
    }
    return !pattern.n || add_fate(x, pattern, l->kind == CARRY_DROP) != NULL;
}

/* Every line is compiled, also behind a wrong one: all errors are told at once. */
static bool compile_lines(struct compiling_carry *x, const struct carry_line *line, const struct level *v)
{
    for (; line && !x->c->nomem; line = line->next) {
        switch (line->kind) {
        case CARRY_LINE:
            compile_line(x, line, v);
            break;
        case CARRY_RECALL:
            compile_recall(x, line, v);
            break;
        case CARRY_DROP:
            compile_drop(x, line, v->frame);
            break;
        default: /* USE and WITHOUT were taken care of, MUST comes last */
            break;
        }
    }
    return !x->c->nomem;
}

static bool same_left(const struct carry_line *a, const struct carry_line *b)
{
    return a->n_left == 1 && b->n_left == 1 && a->left[0].kind == CARRY_PATH && b->left[0].kind == CARRY_PATH &&
           slice_eq(a->left[0].path.text, b->left[0].path.text);
}

static struct carry_line *copy_line(struct compiling_carry *x, const struct carry_line *l, struct carry_line ***link)
{
    struct carry_line *copy = ARENA_NEW(x->arena, struct carry_line);

    if (!copy)
        return nomem(x);
    *copy = *l;
    copy->next = NULL;
    **link = copy;
    *link = &copy->next;
    return copy;
}

/* A partner's lines and those of the map his is made from: his come first where both make the same field, and stand
 * below the same line where both have lines below it. What he recalls under the same name is recalled his way. */
static struct carry_line *merge(struct compiling_carry *x, struct carry_line *own, const struct carry_line *base)
{
    struct carry_line *first = NULL, **link = &first, *copy, *o;

    for (o = own; o && !x->c->nomem; o = o->next)
        if (o->kind != CARRY_LINE)
            copy_line(x, o, &link);
    for (; base && !x->c->nomem; base = base->next) {
        struct carry_line *below = NULL;
        bool without = false;
        for (o = own; o; o = o->next) {
            without |= o->kind == CARRY_WITHOUT && base->kind == CARRY_LINE && slice_eq(o->right, base->right);
            without |= o->kind == CARRY_RECALL && base->kind == CARRY_RECALL && slice_eq(o->name, base->name);
            if (o->placed || o->kind != CARRY_LINE || base->kind != CARRY_LINE || !slice_eq(o->right, base->right))
                continue;
            o->placed = true;
            if (!below && same_left(o, base) && o->child && base->child)
                below = o;
            else
                copy_line(x, o, &link);
        }
        if (without)
            continue;
        copy = copy_line(x, base, &link);
        if (copy && below)
            copy->child = merge(x, below->child, base->child);
    }
    for (o = own; o && !x->c->nomem; o = o->next)
        if (!o->placed && o->kind == CARRY_LINE)
            copy_line(x, o, &link);
    return first;
}

/* Copies, with the lines of blocks in the place of what uses them. */
static void expand(struct compiling_carry *x, const struct carry_line *line, unsigned depth, struct carry_line ***link)
{
    for (; line && !x->c->nomem && x->n_lines <= LINES; line = line->next) {
        const struct map_block *b;
        if (++x->n_lines > LINES) {
            REFUSE(x, &line->at, "with its blocks the map has more than %d lines", LINES);
            return;
        }
        if (line->kind != CARRY_USE) {
            struct carry_line *copy = copy_line(x, line, link), *first = NULL, **below = &first;
            if (!copy)
                return;
            expand(x, line->child, depth, &below);
            copy->child = first;
            continue;
        }
        b = find_block(x->map, line->name);
        if (!b || depth == CARRY_BLOCKS_DEPTH)
            REFUSE(x, &line->at, b ? "blocks use each other in a circle" : "there is no block of this name");
        else
            expand(x, b->carry, depth + 1, link);
    }
}

static struct carry_line *lines_of(struct compiling_carry *x, const struct map *map)
{
    struct carry_line *first = NULL, **link = &first;

    expand(x, map->carry_line, 0, &link);
    return map->base ? merge(x, first, lines_of(x, map->base)) : first;
}

static void compile_split(struct compiling_carry *x)
{
    const struct map *map = x->map;
    const struct record_field *f;

    while (map && !map->split.n)
        map = map->base;
    if (!map)
        return;
    f = find_field(x, x->type[0], map->split, &map->split_at);
    if (!f)
        return;
    if (f->type != RECORD_ARRAY || !f->object) {
        REFUSE(x, &map->split_at, "a list of objects is expected here");
        return;
    }
    x->plan->split = map->split;
    x->plan->split_by = map->split_by;
    /* the path is relative to an item: a frame for it */
    unsigned frame;
    if (!new_frame(x, f->object, join(x, slice("", 0), map->split), &map->split_at, &frame) ||
        !resolve(x, &x->plan->split_by, frame, false))
        return;
    if (!x->plan->split_by.field || !is_scalar(x->plan->split_by.field) || x->plan->split_by.frame != frame)
        REFUSE(x, &x->plan->split_by.at, "one value is wanted here");
}

static void check_must(struct compiling_carry *x, const struct carry_line *line)
{
    for (; line; line = line->next) {
        if (line->kind != CARRY_MUST)
            continue;
        if (!carry_is_taken(x->plan, line->right))
            REFUSE(x, &line->at, "no line takes %.*s, which must be mapped", SLICE_FMT(line->right));
    }
}

int carry_compile(struct maps *maps, struct arena *arena, const struct map *map, struct complaints *c,
                  struct carry_plan **plan_r, struct err *err)
{
    struct compiling_carry *x = ARENA_NEW(arena, struct compiling_carry);
    struct carry_plan *plan = ARENA_NEW(arena, struct carry_plan);
    const struct carry_line *lines;
    const struct place at = { .file = map->file, .line = 1 };
    unsigned before = c->count;
    struct level top = { .frame = 0 };

    *plan_r = NULL;
    if (!x || !plan)
        return err_nomem(err);
    *x = (struct compiling_carry){ .maps = maps, .arena = arena, .map = map, .c = c, .plan = plan,
                                   .fate_link = &plan->fate };
    plan->map = map;
    plan->from = map->from_record;
    plan->to = map->record;
    plan->n_frames = 1;
    x->type[0] = plan->from->root;
    x->pattern[0] = slice("", 0);
    x->named[x->n_named++] = (struct named){ plan->from->name, 0 };
    plan->root = new_object(x, plan->to->root);
    top.object = plan->root;
    top.recall = &plan->recall;
    lines = lines_of(x, map);
    if (plan->root && !c->nomem) {
        compile_split(x);
        compile_lines(x, lines, &top);
        if (c->count == before) {
            check_required(x, plan->root, NULL, &at, NULL);
            check_must(x, lines);
        }
    }
    if (c->nomem)
        return err_nomem(err);
    if (c->count > before)
        return err_set(err, ERR_CONFIG, "the map is wrong");
    *plan_r = plan;
    return 0;
}
