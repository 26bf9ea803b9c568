/*
 * compile: from the lines of a map, a guide and a record kind to a plan (plan.h).
 *
 * What the partner's document and the record's schema do not have is found here, with the line and a hint, and so
 * is what could not be turned round: a field that two lines would write, a table with one word for two codes.
 * Plans live in the arena of their `maps`.
 */
#include "map/compile_inside.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINES_MEMORY = 64 << 20 };

struct claim {
    const struct record_field *field;
    const struct map_guard *guard;
    unsigned n_guards;
};

/* The takes of a scope while it is made. */
struct making {
    struct map_scope *scope;
    struct map_take **take;
    size_t n, room;
    struct claim *claim;        /* fields that lines write */
    size_t n_claims, room_claims;
};

/* ---- complaints ---- */

void compile_refuse(struct compiling *x, const struct place *at, const char *format, ...)
{
    char words[1000];
    va_list args;

    x->repeated = false;
    for (unsigned i = 0; i < x->n_told; i++)
        x->repeated |= x->told[i].file == at->file.p && x->told[i].line == at->line &&
                       x->told[i].column == at->column && x->told[i].format == format;
    if (x->repeated) {
        x->c->count++;
        return;
    }
    if (x->n_told < MOST_TOLD)
        x->told[x->n_told++] = (struct told){ at->file.p, format, at->line, at->column };
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    complain(x->c, at, "%s", words);
}

void compile_hint(struct compiling *x, const char *format, ...)
{
    char words[1000];
    va_list args;

    if (x->repeated)
        return;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    complain_hint(x->c, "%s", words);
}

void *compile_nomem(struct compiling *x)
{
    x->c->nomem = true;
    return NULL;
}

/* ---- keys and tables ---- */

/* `"name":"` with room behind it for copies of fixed size. `end` is what stands behind the colon. */
static bool make_key(struct compiling *x, struct slice name, const char *end, const char **key_r, size_t *n_r)
{
    size_t n = name.n + 3 + strlen(end);
    char *p = arena_alloc(x->arena, n + 32);
    if (!p)
        return compile_nomem(x) != NULL;
    *key_r = p;
    *n_r = n;
    *p++ = '"';
    memcpy(p, name.p, name.n);
    p += name.n;
    *p++ = '"';
    *p++ = ':';
    memcpy(p, end, strlen(end));
    return true;
}

bool compile_make_key(struct compiling *x, struct map_op *op, const struct record_field *field)
{
    size_t n;
    op->field = field;
    if (!make_key(x, field->name, "\"", &op->key, &n))
        return false;
    op->key_n = (uint8_t)n;
    return true;
}

const struct record_field *compile_find_field(struct compiling *x, const struct record_object *object,
                                              struct slice name, const struct place *at)
{
    struct slice best = { 0 };
    unsigned distance = 3;
    int i = record_field_find(object, name);
    if (i >= 0)
        return &object->field[i];
    compile_refuse(x, at, "the record has no field \"%.*s\" here", SLICE_FMT(name));
    for (unsigned k = 0; k < object->n; k++)
        suggest(name, object->field[k].name, &best, &distance);
    if (best.n)
        compile_hint(x, "did you mean \"%.*s\"?", SLICE_FMT(best));
    return NULL;
}

/* ---- places ---- */

/* What this guide lacks is an error only where no other guide of the map could have it. */
static bool only_guide(const struct compiling *x)
{
    for (const struct map *m = x->map; m; m = m->base)
        if (m->n_guides > 1)
            return false;
    return true;
}

/* Of loops of one tag that the guide tells apart by their qualifiers, the one that a step means. */
static const struct guide_node *selected_node(const struct guide *g, const struct guide_node *first,
                                              const struct path_step *step)
{
    if (!first->n_select && !step->n_selects)
        return first;
    for (const struct guide_node *n = first;; n = &g->node[n->next]) {
        bool same = slice_eq(n->tag, first->tag);
        for (unsigned i = 0; same && n->n_select && i < step->n_selects; i++)
            for (unsigned k = 0; k < n->n_select; k++)
                if (slice_eq(n->select_codes[k], step->select[i].value))
                    return n;
        if (same && !n->n_select && first->n_select)
            return n; /* the one for all others */
        if (n->next == NODE_NONE)
            return first;
    }
}

static const struct guide_node *resolve(struct compiling *x, const struct map_scope *s, const struct map_line *l)
{
    const struct guide *g = x->guide;
    const struct guide_node *found = NULL, *from = &g->node[s->node];
    struct slice tag[PATH_STEPS];

    for (unsigned i = 0; i < l->left.n_steps; i++) {
        tag[i] = l->left.step[i].tag;
        if (i + 1 < l->left.n_steps && l->left.step[i].n_selects) {
            compile_refuse(x, &l->at,
                           "only the last segment of a path can have a qualifier here; write a block for the loop");
            return NULL;
        }
    }
    if (!s->loop) {
        if (l->left.n_steps == 1 && slice_eq(tag[0], from->tag))
            found = from;
    } else {
        found = guide_node_at(g, from, tag, l->left.n_steps);
    }
    if (found && s->loop)
        found = selected_node(g, found, &l->left.step[l->left.n_steps - 1]);
    if (found)
        return found;
    if (only_guide(x)) {
        compile_refuse(x, &l->at, "%.*s has no %.*s here", SLICE_FMT(g->id), SLICE_FMT(tag[l->left.n_steps - 1]));
        if (!s->loop)
            compile_hint(x, "inside this block only %.*s itself can be named.", SLICE_FMT(from->tag));
    }
    return NULL;
}

static bool make_selects(struct compiling *x, const struct map_line *l, const struct guide_node *segment,
                         struct map_select *select, uint8_t *n_r)
{
    const struct path_step *step = &l->left.step[l->left.n_steps - 1];
    const struct segment_def *def = segment->def;
    unsigned unnamed = 0;

    *n_r = 0;
    for (unsigned i = 0; i < step->n_selects; i++) {
        struct path_select s = step->select[i];
        if (s.number) {
            if (!path_find_number(def, &l->left.number[s.number - 1], &s.element, &s.component))
                s.element = 0;
        } else if (!s.element && def->qualifier) { /* the default one, then what stands behind it */
            s.element = (uint8_t)(def->qualifier + unnamed);
            s.component = unnamed++ ? 0 : def->qualifier_part;
        }
        if (s.element == 0 || s.element > def->n || s.element > 64) {
            compile_refuse(x, &l->at, "the segment has no such qualifier; name the element: [02=CODE]");
            return false;
        }
        if (def->use[s.element - 1].element->type != TYPE_COMPOSITE)
            s.component = 0;
        else if (s.component == 0)
            s.component = 1;
        select[(*n_r)++] = (struct map_select){ s.element, s.component, slice_key(s.value), s.value };
    }
    return true;
}

/* What elements, or components, a take has. */
static bool claim(struct compiling *x, struct map_take *t, unsigned element, unsigned component)
{
    t->covered |= 1ull << (element - 1);
    if (component == 0)
        return true;
    if (!t->components)
        t->components = ARENA_ARRAY(x->arena, 64, uint32_t);
    if (!t->components)
        return compile_nomem(x) != NULL;
    if (component <= 32) {
        t->components[element - 1] |= 1u << (component - 1);
        t->partly |= 1ull << (element - 1);
    }
    return true;
}

static bool claim_selects(struct compiling *x, struct map_take *t)
{
    for (unsigned i = 0; i < t->n_select; i++)
        if (!claim(x, t, t->select[i].element, t->select[i].component))
            return false;
    return true;
}

/* Is there another of that number at this place? */
static bool follows(const struct element_use *use, unsigned n, unsigned at, struct slice id)
{
    return at < n && slice_eq(use[at].element->id, id);
}

/* Makes positions of the numbers in a line's path: of C212, of 3042 in whatever composite has it, and with `..` of all
 * that stand one behind the other. False: this guide has no such element, or memory is out. */
static bool settle_path(struct compiling *x, struct map_line *l, const struct segment_def *def)
{
    struct path *p = &l->left;
    struct path_element *e = NULL;
    const bool open = p->open && p->n_elements == 1;
    bool numbered = false;

    for (unsigned i = 0; i < p->n_elements; i++)
        numbered |= p->element[i].number != 0;
    if (!numbered && !open)
        return true;
    e = ARENA_ARRAY(&x->lines, open ? PATH_ELEMENTS : p->n_elements, struct path_element);
    if (!e)
        return compile_nomem(x) != NULL;
    memcpy(e, p->element, p->n_elements * sizeof(*e));
    p->element = e;
    for (unsigned i = 0; i < p->n_elements; i++) {
        const struct path_number *n;
        if (p->element[i].number == 0)
            continue;
        n = &p->number[p->element[i].number - 1];
        if (!path_find_number(def, n, &p->element[i].element, &p->element[i].component)) {
            if (only_guide(x))
                compile_refuse(x, &l->at, "%.*s has no element %.*s%s%.*s", SLICE_FMT(def->tag),
                               SLICE_FMT(n->composite), n->composite.n && n->element.n ? "." : "",
                               SLICE_FMT(n->element));
            return false;
        }
        p->element[i].number = 0;
    }
    if (!open || (!numbered && !e->component))
        return true;
    p->open = false;
    if (e->component) {
        const struct element *composite = e->element <= def->n ? def->use[e->element - 1].element : NULL;
        if (!composite || e->component > composite->n_parts) /* told where it is taken */
            return true;
        const struct slice id = composite->part[e->component - 1].element->id;
        for (l->parts = 1; follows(composite->part, composite->n_parts, e->component - 1u + l->parts, id);)
            l->parts++;
        return true;
    }
    p->range = true;
    for (unsigned at = e->element;
         p->n_elements < PATH_ELEMENTS && follows(def->use, def->n, at, def->use[at - 1].element->id);)
        p->element[p->n_elements++] = (struct path_element){ .element = (uint8_t)++at };
    return true;
}

bool compile_same_selects(const struct map_take *t, const struct map_select *select, uint8_t n)
{
    if (t->n_select != n)
        return false;
    for (unsigned i = 0; i < n; i++)
        if (t->select[i].element != select[i].element || t->select[i].component != select[i].component ||
            t->select[i].key != select[i].key)
            return false;
    return true;
}

const struct guide_node *compile_segment_of(const struct guide *g, const struct guide_node *n)
{
    while (n->loop && n->first != NODE_NONE)
        n = &g->node[n->first];
    return n;
}

/* ---- takes ---- */

static struct map_take *add_take(struct compiling *x, struct making *m, uint8_t kind, const struct guide_node *node,
                                 const struct map_line *l)
{
    struct map_take *t = ARENA_NEW(x->arena, struct map_take);
    m->take = arena_grow(x->arena, m->take, m->n, &m->room, sizeof(struct map_take *));
    if (!t || !m->take)
        return compile_nomem(x);
    m->take[m->n++] = t;
    t->kind = kind;
    t->direction = DIRECTION_BOTH;
    t->node = node->ordinal;
    t->segment = compile_segment_of(x->guide, node)->ordinal;
    t->line = l ? l->at.line : 0;
    return t;
}

static bool give_bit(struct compiling *x, struct making *m, struct map_take *t, const struct map_line *l)
{
    if (m->scope->bits == 63) {
        compile_refuse(x, &l->at, "too many single segments in one block");
        return false;
    }
    t->once = t->blocked = 1ull << m->scope->bits++;
    return true;
}

/* The take that gathers the fields of one segment with one qualifier. */
static struct map_take *segment_take(struct compiling *x, struct making *m, const struct guide_node *node,
                                     const struct map_select *select, uint8_t n_select, const struct map_line *l)
{
    const struct map_guard *guard;
    struct map_take *t;
    unsigned n_guards;

    if (!compile_make_guards(x, l, m->scope->object, false, &guard, &n_guards))
        return NULL;
    if (m->scope->owner && m->scope->owner->node == node->ordinal) {
        if (n_select && !compile_same_selects(m->scope->owner, select, n_select)) {
            if (l->left.n_elements != 1 || l->list)
                compile_refuse(x, &l->at, "inside its own block only a line for one element has another qualifier");
            memcpy(x->own, select, n_select * sizeof(*select));
            x->n_own = n_select;
        }
        if (n_guards)
            compile_refuse(x, &l->at, "\"%.*s\" is not known when this is read: nothing of the block stands before",
                           SLICE_FMT(guard[0].field->name));
        return m->scope->owner;
    }
    for (size_t i = 0; i < m->n; i++) {
        t = m->take[i];
        if (t->kind != TAKE_SEGMENT || t->node != node->ordinal || !compile_same_selects(t, select, n_select))
            continue;
        if (compile_same_guards(t->guard, t->n_guards, guard, n_guards))
            return t;
        if (!compile_apart(t->guard, t->n_guards, guard, n_guards))
            compile_refuse(x, &l->at, "all lines of a segment have the same conditions on other segments, or such that "
                                      "exclude each other");
    }
    t = add_take(x, m, TAKE_SEGMENT, node, l);
    if (!t)
        return NULL;
    t->guard = guard;
    t->n_guards = n_guards;
    for (unsigned i = 0; i < n_select; i++)
        t->select[i] = select[i];
    t->n_select = n_select;
    if (!claim_selects(x, t) || !give_bit(x, m, t, l))
        return NULL;
    return t;
}

/* The slot of a field of the root that others inherit, plus 1; 0: there are too many. */
static uint8_t inherited_slot(struct compiling *x, const struct record_field *field)
{
    for (unsigned i = 0; i < x->plan->n_inherited; i++)
        if (x->inherited[i] == field)
            return (uint8_t)(i + 1);
    if (!field || x->plan->n_inherited == MOST_INHERITED)
        return 0;
    x->inherited[x->plan->n_inherited++] = field;
    return (uint8_t)x->plan->n_inherited;
}

/* `below level = order`: of which kind the nodes are that are made for those who name them. False: refused. */
static bool set_made_kind(struct compiling *x, const struct map_line *l, const struct record_object *object,
                          struct slice text)
{
    const struct record_field *field;
    struct slice value;
    bool found;

    text = slice_trim(slice_cut(text, '=', &value, &found));
    value = slice_trim(value);
    if (!x->tree || x->tree != object || x->plan->kinds) {
        compile_refuse(x, &l->right_at,
                       "only nodes of a tree that are all of one line stand below others that are made for them");
        return false;
    }
    field = compile_find_field(x, object, text, &l->right_at);
    if (!field || !value.n)
        return false;
    if (x->plan->made_kind && (x->plan->made_kind != field || !slice_eq(x->plan->made_value, value))) {
        compile_refuse(x, &l->right_at, "another line says that other nodes are made");
        return false;
    }
    x->plan->made_kind = field;
    x->plan->made_value = value;
    return true;
}

/* A block's line asks for its table wherever the block is used. NULL: there is none, or memory is out. */
static const struct map_table *find_table(struct compiling *x, struct slice name)
{
    struct known_table *known = &x->table[((uintptr_t)name.p >> 3) % MOST_TABLES];

    if (known->name != name.p || !known->table)
        *known = (struct known_table){ name.p, maps_table(x->maps, x->map, x->guide->standard, name, x->c) };
    return known->table;
}

static bool settle_conversions(struct compiling *x, const struct map_line *l, struct map_op *op,
                               const struct record_object *object, uint32_t width)
{
    const enum record_type type = op->field ? (op->field->type == RECORD_ARRAY ? op->field->item : op->field->type)
                                            : RECORD_STRING;
    bool date = false, time = false, datetime = false, period = false;

    if (l->n_conversions || x->tree) { /* one more for a node: mark_node() */
        op->conversion = ARENA_ARRAY(x->arena, l->n_conversions + 1, struct conversion);
        if (!op->conversion)
            return compile_nomem(x) != NULL;
    }
    for (unsigned i = 0; i < l->n_conversions; i++) {
        struct conversion c = l->conversion[i];
        switch (c.kind) {
        case CONVERT_CODE:
            c.table = find_table(x, c.text);
            if (!c.table) {
                if (!x->c->nomem)
                    compile_refuse(x, &l->right_at, "there is no table \"%.*s\"", SLICE_FMT(c.text));
                return !x->c->nomem;
            }
            op->table = c.table;
            if (!c.table->one_to_one && op->direction == DIRECTION_BOTH && l->beside.n == 0) {
                compile_refuse(x, &l->right_at,
                               "table %.*s has one word for several codes: this cannot be written back",
                         SLICE_FMT(c.text));
                compile_hint(x, "keep the partner's code, too: code %.*s beside FIELD.", SLICE_FMT(c.text));
            }
            break;
        case CONVERT_DATE:
            date = true;
            break;
        case CONVERT_TIME:
            time = true;
            break;
        case CONVERT_DATETIME:
            datetime = true;
            break;
        case CONVERT_DEFAULT:
            op->fallback = c.text;
            break;
        case CONVERT_OR:
            op->absent = c.text;
            break;
        case CONVERT_PERIOD:
            period = true;
            break;
        case CONVERT_FOLD:
            if (c.number[0] == 0) /* as wide as the guide has it */
                c.number[0] = width;
            break;
        case CONVERT_INHERIT: {
            int i2 = record_field_find(x->map_record->root, c.text);
            if (i2 < 0)
                compile_refuse(x, &l->right_at, "the record has no field \"%.*s\" to inherit", SLICE_FMT(c.text));
            else
                c.field = &x->map_record->root->field[i2];
            x->plan->inherits = true;
            op->takes = inherited_slot(x, c.field);
            if (c.field && !op->takes)
                compile_refuse(x, &l->right_at, "too many fields are inherited");
            break;
        }
        case CONVERT_ABOVE:
            if (!x->tree || x->tree != object)
                compile_refuse(x, &l->right_at, "only nodes of a tree have something above them");
            op->above = true;
            continue;
        case CONVERT_BELOW:
            op->below = set_made_kind(x, l, object, c.text);
            continue;
        case CONVERT_MIDNIGHT:
            if (!datetime)
                compile_refuse(x, &l->right_at, "`midnight` belongs to `datetime`");
            op->midnight = true;
            continue;
        default:
            break;
        }
        op->conversion[op->n_conversions++] = c;
    }
    if (period && op->field && type != RECORD_DATE && type != RECORD_DATETIME)
        compile_refuse(x, &l->right_at, "this field is no date");
    date |= period && type == RECORD_DATE;
    datetime |= period && type == RECORD_DATETIME;
    if (op->field && (type == RECORD_DATE) != date)
        compile_refuse(x, &l->right_at,
                       date ? "this field is no date" : "this field is a date: write the conversion `date`");
    if (op->field && (type == RECORD_TIME) != time)
        compile_refuse(x, &l->right_at,
                       time ? "this field is no time" : "this field is a time: write the conversion `time`");
    if (op->field && (type == RECORD_DATETIME) != datetime)
        compile_refuse(x, &l->right_at,
                       datetime ? "this field is no date with time"
                                : "this field is a date with time: write the conversion `datetime`");
    if (l->beside.n && object) {
        struct slice name = l->beside, rest = name;
        bool found = true;
        size_t n;
        while (found) { /* totals.unit_code is unit_code inside totals */
            slice_cut(name, '.', &rest, &found);
            if (found)
                name = rest;
        }
        op->beside = compile_find_field(x, object, name, &l->right_at);
        if (!op->beside)
            return !x->c->nomem;
        if (!make_key(x, op->beside->name, "\"", &op->beside_key, &n))
            return false;
        op->beside_n = (uint8_t)n;
    }
    return !object || compile_make_guards(x, l, object, true, &op->guard, &op->n_guards);
}

/* Which of the checker's element definitions an op speaks of. NULL: complained. */
static const struct element *element_of(struct compiling *x, const struct map_line *l,
                                        const struct segment_def *def, const struct path_element *e)
{
    const struct element_use *use;
    if (e->element > def->n || e->element > 64) {
        if (only_guide(x))
            compile_refuse(x, &l->at, "%.*s has only %u elements", SLICE_FMT(def->tag), def->n);
        return NULL;
    }
    use = &def->use[e->element - 1];
    if (e->component == 0)
        return use->element;
    if (use->element->type != TYPE_COMPOSITE) {
        if (e->component == 1) /* a composite in a later version */
            return use->element;
        compile_refuse(x, &l->at, "element %02u of %.*s has no components", e->element, SLICE_FMT(def->tag));
        return NULL;
    }
    if (e->component > use->element->n_parts) {
        if (only_guide(x))
            compile_refuse(x, &l->at, "element %02u of %.*s has only %u components", e->element, SLICE_FMT(def->tag),
                     use->element->n_parts);
        return NULL;
    }
    return use->element->part[e->component - 1].element;
}

/* `sure`: the element is always there. */
static void choose_quick(struct map_op *op, const struct element *e, bool sure)
{
    const enum record_type type = !op->field ? RECORD_STRING : (op->field->type == RECORD_ARRAY ? op->field->item
                                                                                                : op->field->type);
    unsigned others = 0, dates = 0;
    for (unsigned i = 0; i < op->n_conversions; i++) {
        uint8_t k = op->conversion[i].kind;
        dates += k == CONVERT_DATE;
        others += k != CONVERT_DATE && k != CONVERT_CODE && k != CONVERT_DECIMAL && k != CONVERT_DEFAULT &&
                  k != CONVERT_INHERIT && k != CONVERT_FOLD && k != CONVERT_OR;
    }
    if (op->period)
        op->quick = QUICK_PERIOD;
    else if (op->span)
        op->quick = QUICK_FOLD;
    else if (op->n_conversions == 1 && op->conversion[0].kind == CONVERT_DATETIME)
        op->quick = QUICK_DATETIME;
    else if (op->n_conversions && (op->conversion[0].kind == CONVERT_NODE || op->conversion[0].kind == CONVERT_PARENT))
        op->quick = QUICK_NODE;
    else if (others || op->element[1] || (op->table && dates))
        op->quick = QUICK_SLOW;
    else if (dates)
        op->quick = QUICK_DATE;
    else if (op->table || op->fallback.n)
        op->quick = QUICK_CODE;
    else if (e && e->type == TYPE_N && e->decimals && op->field && op->field->type == RECORD_DECIMAL)
        op->quick = QUICK_IMPLIED;
    else if (type == RECORD_DECIMAL && e && e->form.n)
        op->quick = QUICK_MARKED, op->odd |= e->type == TYPE_R ? 0 : ODD_TEXT;
    else if (type == RECORD_DECIMAL && e && e->type != TYPE_N)
        op->quick = e->type == TYPE_R ? QUICK_DECIMAL : QUICK_SLOW;
    else
        op->quick = QUICK_TEXT;
    op->marked = e && e->form.n;
    op->decimals = e && e->type == TYPE_N ? e->decimals : 0;
    if (op->takes || (op->absent.n && !sure && op->quick < QUICK_DATETIME))
        op->quick = QUICK_SLOW;
    for (unsigned i = 0; i <= op->n_guards; i++)
        if ((i < op->n_guards ? op->guard[i].origin == GUARD_HERE : op->n_select > 0) && op->quick != QUICK_GUARDED) {
            op->inside = op->quick;
            op->quick = QUICK_GUARDED;
        }
    if (!(op->direction & DIRECTION_READ) || !op->field)
        op->quick = QUICK_NONE;
}

/* Two lines that write one field. */
static bool check_claim(struct compiling *x, struct making *m, const struct map_line *l, const struct map_op *op,
                        const struct record_field *field)
{
    if (!field || !(op->direction & DIRECTION_WRITE))
        return true;
    for (size_t i = 0; i < m->n_claims; i++)
        if (m->claim[i].field == field &&
            !compile_apart(op->guard, op->n_guards, m->claim[i].guard, m->claim[i].n_guards)) {
            compile_refuse(x, &l->right_at, "another line writes \"%.*s\" already, and nothing tells them apart",
                           SLICE_FMT(field->name));
            compile_hint(x, "tell them apart with `if FIELD = VALUE`, or write `->` where a line only reads.");
            break;
        }
    m->claim = arena_grow(&x->lines, m->claim, m->n_claims, &m->room_claims, sizeof(*m->claim));
    if (!m->claim)
        return compile_nomem(x) != NULL;
    m->claim[m->n_claims++] = (struct claim){ field, op->guard, op->n_guards };
    return true;
}

static bool check_claims(struct compiling *x, struct making *m, const struct map_line *l, const struct map_op *op)
{
    const struct map_period *p = op->period;
    return check_claim(x, m, l, op, op->field) && check_claim(x, m, l, op, op->beside) &&
           (!p || (check_claim(x, m, l, op, p->until.field) && check_claim(x, m, l, op, p->clock.field) &&
                   check_claim(x, m, l, op, p->other.field)));
}

/* Is an op for when another has nothing to write: `if not FIELD`? */
static bool stands_in(const struct map_op *op, const struct map_op *other)
{
    for (unsigned i = 0; i < op->n_guards; i++)
        if (op->guard[i].absent && !op->guard[i].value.n && op->guard[i].field == other->field && !other->beside &&
            !other->fallback.n && !other->absent.n)
            return true;
    return false;
}

/* Two lines of one segment that write one element. */
static void check_element(struct compiling *x, const struct map_take *t, const struct map_line *l,
                          const struct map_op *op)
{
    for (unsigned k = 0; k < t->n_ops; k++) {
        const struct map_op *o = &t->op[k];
        bool shared = false;
        if (op->element[0] != o->element[0] && !op->element[1] && !o->element[1])
            continue;
        if (!(o->direction & op->direction & DIRECTION_WRITE) ||
            compile_apart(op->guard, op->n_guards, o->guard, o->n_guards) || o->n_select ||
            stands_in(op, o) || stands_in(o, op))
            continue;
        for (unsigned i = 0; i < 3; i++)
            for (unsigned j = 0; j < 3; j++)
                shared |= op->element[i] && op->element[i] == o->element[j] &&
                          (i || j || op->component == o->component || !op->component || !o->component);
        if (shared) {
            compile_refuse(x, &l->at, "another line writes this element already, and nothing tells them apart");
            return;
        }
    }
}

/* A word of the table that the partner could send as a code of his own would come back as the code of its row. */
static void check_words(struct compiling *x, const struct map_line *l, const struct map_op *op, const struct element *e)
{
    const struct map_table *t = op->table;
    if (!t || t->refuse || l->beside.n || op->direction != DIRECTION_BOTH)
        return;
    for (unsigned i = 0; i < t->n; i++) {
        struct slice word = t->row[i].word;
        bool small = false; /* no code of X12 has small letters */
        if (word.n < e->min || word.n > e->max)
            continue;
        for (size_t k = 0; k < word.n; k++)
            small |= word.p[k] >= 'a' && word.p[k] <= 'z';
        if (small || map_table_code(t, slice_key(word)))
            continue;
        compile_refuse(x, &l->right_at,
                       "table %.*s has the word %.*s, which may be a code as well: this cannot be written back",
                       SLICE_FMT(t->name), SLICE_FMT(word));
        compile_hint(x, "keep the partner's code, too: code %.*s beside FIELD.", SLICE_FMT(t->name));
        return;
    }
}

/* Can the field hold what an element gives? */
static void check_type(struct compiling *x, const struct map_line *l, const struct map_op *op, const struct element *e)
{
    const struct record_field *field = op->field;
    bool decimal = false;
    for (unsigned i = 0; i < op->n_conversions; i++)
        decimal |= op->conversion[i].kind == CONVERT_DECIMAL || op->conversion[i].kind == CONVERT_IMPLIED ||
                   op->conversion[i].kind == CONVERT_LESS;
    if (field->type == RECORD_OBJECT || field->type == RECORD_ARRAY) {
        compile_refuse(x, &l->right_at, field->type == RECORD_ARRAY ? "\"%.*s\" is a list" : "\"%.*s\" is an object",
                       SLICE_FMT(field->name));
        compile_hint(x,
                     field->object ? "name one of its fields, or write a block for its segment." : "write it with [].");
    } else if (field->type == RECORD_INTEGER || field->type == RECORD_BOOLEAN) {
        compile_refuse(x, &l->right_at, "\"%.*s\" is %s: maps know texts, decimals, dates and times",
                       SLICE_FMT(field->name),
                       record_type_name((enum record_type)field->type));
    } else if (decimal && field->type != RECORD_DECIMAL && field->type != RECORD_STRING) {
        compile_refuse(x, &l->right_at, "this field is no decimal");
    } else if (!decimal && field->type == RECORD_DECIMAL && e->type != TYPE_N && e->type != TYPE_R) {
        compile_refuse(x, &l->right_at, "this field is a decimal, the element is not: write the conversion `decimal`");
    }
}

/* The line has its place in this guide. */
static void mark_found(const struct map_line *l)
{
    if (l->original)
        l->original->found = true;
}

/* What a node is called by, and its parent, are numbers made anew. */
static void mark_node(struct compiling *x, const struct map_line *l, struct map_op *op)
{
    bool id = slice_is(op->field->name, "id");

    if (!id && !slice_is(op->field->name, "parent"))
        return;
    if (op->n_conversions || op->n_guards || op->component || op->direction != DIRECTION_BOTH) {
        compile_refuse(x, &l->right_at, "`id` and `parent` of a tree are lines without conversions, written <->");
        return;
    }
    op->conversion[op->n_conversions++] = (struct conversion){ .kind = id ? CONVERT_NODE : CONVERT_PARENT,
                                                               .number = { x->any_order } };
    x->tree_lines |= id ? 1 : 2;
}

/* A further field of a line: `until FIELD`. False: memory. */
static bool name_field(struct compiling *x, const struct map_line *l, const struct record_object *object,
                       struct slice name, unsigned type, struct map_name *name_r)
{
    size_t n;

    if (!name.n)
        return true;
    name_r->field = compile_find_field(x, object, name, &l->right_at);
    if (!name_r->field)
        return !x->c->nomem;
    if (name_r->field->type != type)
        compile_refuse(x, &l->right_at, "\"%.*s\" is no %s", SLICE_FMT(name), record_type_name((enum record_type)type));
    if (!make_key(x, name_r->field->name, "\"", &name_r->key, &n))
        return false;
    name_r->key_n = (uint8_t)n;
    return true;
}

/* `period 2379 until FIELD time FIELD else FIELD`: where the form stands, and the other fields. False: memory. */
static bool make_period(struct compiling *x, const struct map_line *l, const struct segment_def *def,
                        const struct record_object *object, struct map_op *op, struct map_take *t)
{
    const struct conversion *c = NULL;
    struct map_period *p;

    for (unsigned i = 0; i < l->n_conversions; i++)
        if (l->conversion[i].kind == CONVERT_PERIOD)
            c = &l->conversion[i];
    if (!c) {
        if (l->until.n || l->otherwise.n)
            compile_refuse(x, &l->right_at, "`until` and `else` belong to `period`");
        return true;
    }
    p = ARENA_NEW(x->arena, struct map_period);
    if (!p)
        return compile_nomem(x) != NULL;
    if (op->n_conversions > 1 || !op->field || !object) {
        compile_refuse(x, &l->right_at, "`period` stands alone");
        return true;
    }
    if (!path_find_number(def, &(struct path_number){ .element = c->text }, &p->element, &p->component)) {
        compile_refuse(x, &l->right_at, "%.*s has no element %.*s", SLICE_FMT(def->tag), SLICE_FMT(c->text));
        return true;
    }
    if (l->clock.n && op->field->type != RECORD_DATE)
        compile_refuse(x, &l->right_at, "only a date leaves a time to another field");
    if (!name_field(x, l, object, l->until, op->field->type, &p->until) ||
        !name_field(x, l, object, l->clock, RECORD_TIME, &p->clock) ||
        !name_field(x, l, object, l->otherwise, RECORD_STRING, &p->other))
        return false;
    op->period = p;
    t->picky |= !p->other.field;
    t->wanted |= 1ull << (p->element - 1);
    return claim(x, t, p->element, p->component);
}

/* Adds an op to a take. `object` is what its field belongs to, `name` the field (empty: constants). */
static struct map_op *add_op(struct compiling *x, struct map_take *t, const struct map_line *l,
                             const struct path_element *elements, unsigned n_elements,
                             const struct record_object *object, struct slice name)
{
    const struct segment_def *def = x->guide->node[t->segment].def;
    const struct element *e;
    struct map_op *op;
    size_t n, room = 0;

    for (unsigned i = 1; i < n_elements; i++)
        if (!element_of(x, l, def, &elements[i]))
            return NULL;
    e = element_of(x, l, def, &elements[0]);
    if (!e)
        return NULL;
    mark_found(l);
    while (room < t->n_ops)
        room = room ? room * 2 : 8;
    t->op = arena_grow(&x->lines, t->op, t->n_ops, &room, sizeof(*t->op));
    if (!t->op)
        return compile_nomem(x);
    op = &t->op[t->n_ops];
    *op = (struct map_op){ .direction = l->direction, .line = l->at.line, .n_select = x->n_own };
    if (x->n_own) {
        op->select = (const struct map_select *)arena_copy(x->arena, slice((const char *)x->own, sizeof(x->own))).p;
        if (!op->select)
            return compile_nomem(x);
        for (unsigned i = 0; i < x->n_own; i++)
            if (!claim(x, t, x->own[i].element, x->own[i].component))
                return NULL;
        x->n_own = 0;
    }
    for (unsigned i = 0; i < n_elements && i < 3; i++)
        op->element[i] = (uint8_t)elements[i].element;
    op->component = (uint8_t)elements[0].component;
    op->odd = op->component > 1 ? ODD_LATER : 0;
    if (name.n) {
        op->field = compile_find_field(x, object, name, &l->right_at);
        if (!op->field)
            return NULL;
        if (!make_key(x, op->field->name, "\"", &op->key, &n))
            return NULL;
        op->key_n = (uint8_t)n;
    }
    if (l->parts > 1)
        for (unsigned i = 0; i < l->n_conversions; i++)
            op->span = l->conversion[i].kind == CONVERT_FOLD ? l->parts : op->span;
    if (!settle_conversions(x, l, op, object, e->max) || !make_period(x, l, def, object, op, t))
        return NULL;
    if (op->field && x->tree && x->tree == object)
        mark_node(x, l, op);
    if (op->field) {
        check_type(x, l, op, e);
        check_words(x, l, op, e);
    }
    check_element(x, t, l, op);
    for (unsigned i = 0; i < op->n_conversions; i++)
        t->picky |= op->conversion[i].kind == CONVERT_PREFIX && op->conversion[i].number[0];
    choose_quick(op, e, !elements[0].component && def->mandatory >> ((elements[0].element - 1) & 63) & 1);
    for (unsigned i = 0; i < n_elements; i++) {
        unsigned k = elements[i].element;
        if (k > 64)
            continue;
        t->wanted |= 1ull << (k - 1);
        for (unsigned part = 0; part < (i == 0 && l->parts ? l->parts : 1u); part++)
            if (!claim(x, t, k, elements[i].component ? elements[i].component + part : 0))
                return NULL;
    }
    t->n_ops++;
    return op;
}

/* ---- lines ---- */

static bool compile_scope(struct compiling *x, struct map_scope *s, struct map_line *lines);
static void mark_lists(struct compiling *x, const struct map_scope *s);

static struct map_scope *new_scope(struct compiling *x, struct map_scope *parent, const struct guide_node *node,
                                   const struct record_object *object, bool list)
{
    struct map_scope *s = ARENA_NEW(x->arena, struct map_scope);
    if (!s)
        return compile_nomem(x);
    if (x->plan->n_scopes == MOST_SCOPES) {
        struct place at = { .file = x->map->file };
        compile_refuse(x, &at, "the map has too many blocks");
        return NULL;
    }
    s->number = (uint16_t)x->plan->n_scopes;
    x->scopes[x->plan->n_scopes++] = s;
    s->parent = parent;
    s->object = object;
    s->node = node->ordinal;
    s->loop = node->loop;
    s->list = list;
    s->first = node->ordinal;
    s->end = node->loop ? node->end : (uint16_t)(node->ordinal + 1);
    s->keeps = record_field_find(object, SLICE("unmapped")) >= 0;
    return s;
}

static bool list_open(struct compiling *x, struct map_take *t, bool list)
{
    const char *p;
    size_t n;
    if (!make_key(x, t->field->name, list ? "[" : "", &p, &n))
        return false;
    t->open = slice(p, n);
    return true;
}

static bool is_tree_line(const struct map_line *l)
{
    return l->n_conversions && l->conversion[0].kind == CONVERT_TREE;
}

/* `HL <-> nodes[] tree`, and inside of it `LIN <-> nodes[] tree`: nodes below those. */
static bool begin_tree(struct compiling *x, const struct making *m, const struct map_line *l,
                       const struct record_field *field)
{
    const struct record_object *o = field->object;

    x->any_order = l->n_conversions == 2 && l->conversion[1].kind == CONVERT_ANY_ORDER;
    if (l->n_conversions != 1u + x->any_order || l->conversion[0].kind != CONVERT_TREE)
        compile_refuse(x, &l->right_at, "a block has no conversion but `tree` and `tree any-order`");
    else if (!l->list || (x->tree ? field != x->nodes : m->scope->parent != NULL))
        compile_refuse(x, &l->right_at, "a tree is one list at the top of the record");
    else if (m->scope->row)
        compile_refuse(x, &l->right_at, "no nodes stand below those that rows make");
    else if (record_field_find(o, SLICE("id")) < 0 || record_field_find(o, SLICE("parent")) < 0)
        compile_refuse(x, &l->right_at, "the items of a tree have fields `id` and `parent`; these have not");
    else
        x->nodes = field;
    x->tree = x->nodes == field ? o : x->tree;
    x->tree_lines = 0;
    return x->tree == o;
}

/* `CPS <-> nodes[] tree if level = pack`: nodes of one kind. False: memory. */
static bool begin_kind(struct compiling *x, struct making *m, const struct map_line *l, struct map_take *t)
{
    struct map_scope *s = t->scope;
    const struct guide_node *loop = &x->guide->node[t->node];
    const char *key;
    size_t n;
    char *p;

    if (x->n_kinds++ && x->plan->kinds != (l->n_guards > 0))
        compile_refuse(x, &l->right_at, "of several lines for one tree each has a condition: if FIELD = VALUE");
    x->plan->kinds = l->n_guards > 0;
    if (!l->n_guards) {
        if (l->itself || m->scope->tree)
            compile_refuse(x, &l->right_at, "nodes of several kinds are told apart by a condition: if FIELD = VALUE");
        return true;
    }
    if (l->n_guards > 1 || !l->guard[0].value.n) {
        compile_refuse(x, &l->right_at, "nodes of several kinds are told apart by one condition: if FIELD = VALUE");
        return true;
    }
    s->kind = s->odd_begin = s->odd_end = t->elsewhere = true;
    s->self = l->itself;
    s->kind_value = l->guard[0].value;
    s->kind_field = compile_find_field(x, s->object, l->guard[0].field, &l->right_at);
    if (!s->kind_field)
        return !x->c->nomem;
    if (s->kind_field->type != RECORD_STRING)
        compile_refuse(x, &l->right_at, "the field that tells nodes apart is a text");
    if (!l->itself && (!loop->loop || (m->scope->tree && !m->scope->self && loop->end != m->scope->end)))
        compile_refuse(x, &l->at, "nodes below another stand in a %s at its end", x->guide->words->loop);
    if (!make_key(x, s->kind_field->name, "\"", &key, &n))
        return false;
    p = arena_alloc(x->arena, n + l->guard[0].value.n + 2 + 32);
    if (!p)
        return compile_nomem(x) != NULL;
    s->lead = slice(p, n + l->guard[0].value.n + 2);
    memcpy(p, key, n);
    memcpy(p + n, l->guard[0].value.p, l->guard[0].value.n);
    memcpy(p + n + l->guard[0].value.n, "\",", 2);
    if (l->itself && (l->direction & DIRECTION_READ) && m->scope->document)
        compile_refuse(x, &l->at, "the document itself is one node");
    else if (l->itself && (l->direction & DIRECTION_READ))
        m->scope->document = t;
    return true;
}

/* The lines of a node are known: do they name it, and where does it end? */
static void end_kind(struct compiling *x, const struct map_line *l, struct map_take *t, unsigned lines)
{
    struct map_scope *s = t->scope;

    s->named = lines == 3;
    if (s->kind ? lines != 3 && lines != (s->self ? lines & 1 : 0) : lines != 3)
        compile_refuse(x, &l->right_at, "a tree has a line for `id` and one for `parent`");
    if (!s->self)
        return;
    t->segment = s->n_order ? s->order[0]->segment : (uint16_t)(x->guide->n - 1);
    for (unsigned i = 0; i < s->n_order; i++) /* what stands behind the nodes below belongs to the root */
        if (s->order[i]->kind == TAKE_SCOPE && s->order[i]->scope->kind)
            s->end = x->guide->node[s->order[i]->node].end;
}

/* `REF <-> references[]`, `N1[ST] <-> ship_to`: a block of its own. */
static bool compile_block(struct compiling *x, struct making *m, const struct map_line *l, struct map_line *inside,
                          const struct guide_node *node, bool implied)
{
    const struct guide_node *segment = compile_segment_of(x->guide, node);
    const bool below = is_tree_line(l) && x->tree && slice_eq(l->right, x->nodes->name);
    const struct record_field *field =
        below ? x->nodes : compile_find_field(x, m->scope->object, l->right, &l->right_at);
    const struct record_object *around = x->tree;
    const unsigned lines_around = x->tree_lines;
    const bool any_order = x->any_order;
    struct map_take *t;

    if (!field)
        return !x->c->nomem;
    if (!field->object || (field->type == RECORD_ARRAY) != l->list) {
        compile_refuse(x, &l->right_at, "\"%.*s\" is no %s", SLICE_FMT(field->name),
                 l->list ? "list of objects" : "object");
        if (field->object)
            compile_hint(x, l->list ? "write it without []." : "write it with [].");
        return true;
    }
    if (!segment->def)
        return true;
    mark_found(l);
    t = add_take(x, m, TAKE_SCOPE, node, l);
    if (!t || !make_selects(x, l, segment, t->select, &t->n_select))
        return !x->c->nomem;
    t->field = field;
    t->common = t->elsewhere = l->shared;
    if (!list_open(x, t, l->list))
        return false;
    if (!l->list && !give_bit(x, m, t, l))
        return !x->c->nomem;
    t->scope = new_scope(x, m->scope, node, field->object, l->list);
    if (!t->scope)
        return !x->c->nomem;
    t->direction = l->direction;
    for (struct map_line *k = inside; k; k = k->next) {
        if (k->direction && !(k->direction & l->direction)) {
            compile_refuse(x, &k->at,
                           l->direction == DIRECTION_READ
                               ? "this line only writes, the block that it is in only reads"
                               : "this line only reads, the block that it is in only writes");
            return true;
        }
        k->direction &= l->direction;
    }
    t->scope->implied = implied;
    t->scope->line = l->at.line;
    memcpy(t->scope->select, t->select, sizeof(t->select));
    t->scope->n_select = t->n_select;
    if (!claim_selects(x, t))
        return false;
    if (++x->depth > LIMIT_LOOP_DEPTH) {
        compile_refuse(x, &l->at, "blocks are nested too deep");
        x->depth--;
        return true;
    }
    if (l->n_conversions && !begin_tree(x, m, l, field)) {
        x->depth--;
        return true;
    }
    t->scope->tree = x->tree && x->tree == field->object;
    if (is_tree_line(l) && !begin_kind(x, m, l, t))
        return false;
    if (!compile_scope(x, t->scope, inside))
        return false;
    x->depth--;
    if (t->scope->tree)
        end_kind(x, l, t, x->tree_lines);
    if (l->n_conversions) {
        x->tree = around;
        x->tree_lines = lines_around;
        x->any_order = any_order;
    }
    if (t->scope->owner)
        t->covered |= t->scope->owner->covered;
    /* two lines onto one list are told apart by their qualifiers, or not at all */
    for (size_t i = 0; i + 1 < m->n && !l->list; i++) {
        const struct map_take *other = m->take[i];
        if (other->kind != TAKE_SCOPE || !(other->direction & l->direction))
            continue;
        if (other->field == field)
            compile_refuse(x, &l->right_at, "another line writes this object already");
        else if (!other->scope->list && other->node == t->node && compile_same_selects(other, t->select, t->n_select) &&
                 (other->direction & l->direction) == DIRECTION_BOTH)
            compile_refuse(x, &l->at, "another line takes this already: alone in a record, this object would come back "
                                      "as that one");
    }
    return true;
}

/* Several ranges. */
static bool has_gaps(const struct path *p)
{
    return p->range && p->n_elements < (unsigned)(p->element[p->n_elements - 1].element - p->element[0].element) + 1;
}

/* Where the items of a segment stand. False: memory. */
static bool make_slots(struct compiling *x, struct map_take *t, const struct map_line *l)
{
    const struct path *p = &l->left;
    const bool gaps = has_gaps(p);

    if (gaps) {
        t->slot = ARENA_ARRAY(x->arena, p->n_elements, uint8_t);
        if (!t->slot)
            return compile_nomem(x) != NULL;
    }
    for (unsigned i = 0; gaps && i + t->group <= p->n_elements; i += t->group) {
        const unsigned first = p->element[i].element, last = p->element[i + t->group - 1].element;
        if (last - first + 1 != t->group) {
            compile_refuse(x, &l->at,
                           "an item's elements stand one behind the other: each range is a multiple of the names");
            return true;
        }
        if (last > t->last || last > 64) /* another guide of the map has more */
            break;
        t->slot[t->n_slots++] = (uint8_t)first;
        for (unsigned k = first; k <= last; k++)
            t->range |= 1ull << (k - 1);
    }
    if (gaps)
        return true;
    t->n_slots = (uint8_t)((unsigned)(t->last - t->first + 1) / (t->group ? t->group : 1));
    for (unsigned k = t->first; k <= t->last && k <= 64; k++)
        t->range |= 1ull << (k - 1);
    return true;
}

/* Of pairs that are composites: does a line below speak of these? All others are shared. */
static bool is_paired(const struct map_take *t, const struct map_line *l, const struct map_line *inside)
{
    return l->n_group == 0 && inside->left.n_elements == 1 && inside->left.element[0].element == t->first;
}

/* `PIA.C212.. pairs <-> items[]`: the lines below that speak of the composite. */
static bool pair_composites(struct compiling *x, struct map_take *t, const struct map_line *l,
                            const struct guide_node *segment, const struct record_field *field)
{
    mark_found(l);
    for (struct map_line *inside = compile_children(x, l); inside; inside = inside->next) {
        inside->direction &= l->direction;
        if (inside->n_guards)
            compile_refuse(x, &inside->right_at, "what stands in pairs has no condition");
        inside->n_guards = 0;
        if (!settle_path(x, inside, segment->def) || !is_paired(t, l, inside))
            continue;
        if (inside->left.n_steps != 1 || !slice_eq(inside->left.step[0].tag, segment->tag) || inside->list)
            compile_refuse(x, &inside->at, "lines below pairs are of the same segment, and for single fields");
        else if (!add_op(x, t, inside, inside->left.element, 1, field->object, inside->right) && x->c->nomem)
            return false;
    }
    if (t->n_ops == 0 && only_guide(x))
        compile_refuse(x, &l->right_at, "lines for the components are missing below");
    return !x->c->nomem;
}

/* PO106..PO125 pairs <-> items[].(scheme id)   N3.(N301 N302).. <-> street[]   both list-like */
static bool compile_list(struct compiling *x, struct making *m, const struct map_line *l,
                         const struct guide_node *node)
{
    const struct guide_node *segment = compile_segment_of(x->guide, node);
    const struct record_field *field = compile_find_field(x, m->scope->object, l->right, &l->right_at);
    struct map_take *t, *host = NULL;

    if (!field)
        return !x->c->nomem;
    if (field->type != RECORD_ARRAY || (l->pairs && !field->object) || (!l->pairs && field->object)) {
        compile_refuse(x, &l->right_at, "\"%.*s\" is no list of %s", SLICE_FMT(field->name),
                 l->pairs ? "objects" : "texts");
        return true;
    }
    /* a segment that occurs once carries its list beside its other fields */
    if ((m->scope->owner && m->scope->owner->node == segment->ordinal) || segment->max == 1 || l->parts) {
        struct map_select select[MOST_SELECTS];
        uint8_t n_select;
        if (!make_selects(x, l, segment, select, &n_select))
            return true;
        host = segment_take(x, m, segment, select, n_select, l);
        if (!host)
            return !x->c->nomem;
        t = ARENA_NEW(x->arena, struct map_take);
        if (!t)
            return compile_nomem(x) != NULL;
        t->kind = l->pairs ? TAKE_PAIRS : TAKE_SPREAD;
        t->node = t->segment = segment->ordinal;
        t->line = l->at.line;
        struct map_take **link = &host->pairs;
        while (*link)
            link = &(*link)->pairs;
        *link = t;
        t->owner = true;
    } else {
        t = add_take(x, m, l->pairs ? TAKE_PAIRS : TAKE_SPREAD, segment, l);
        if (!t || !make_selects(x, l, segment, t->select, &t->n_select) || !claim_selects(x, t))
            return !x->c->nomem;
    }
    t->field = field;
    t->repeats = !host && (l->left.open || l->pairs || l->left.n_elements == 1);
    t->first = (uint8_t)l->left.element[0].element;
    t->last = (uint8_t)l->left.element[l->left.n_elements - 1].element;
    if (l->pairs && l->left.open && l->n_group && segment->def) { /* up to the segment's end */
        unsigned end = segment->def->n < 64 ? segment->def->n : 64;
        if (end >= t->first + l->n_group - 1)
            t->last = (uint8_t)(end - (end - t->first + 1) % l->n_group);
    }
    t->group = (uint8_t)(l->pairs && l->n_group ? l->n_group : 1);
    t->n_parts = l->parts;
    if (l->pairs && l->n_group == 0 && segment->def &&
        segment->def->use[t->first - 1].element->type != TYPE_COMPOSITE) {
        compile_refuse(x, &l->right_at,
                       "the names of a pair are missing: PO106..PO125 pairs <-> items[].(scheme id)");
        return true;
    }
    if (segment->def && t->last > segment->def->n) {
        if (only_guide(x))
            complain(x->c, &l->at, "%.*s has only %u elements", SLICE_FMT(segment->tag), segment->def->n);
        t->last = (uint8_t)segment->def->n; /* another guide of the map has more */
        if (t->group && t->last >= t->first && !has_gaps(&l->left))
            t->last = (uint8_t)(t->last - (unsigned)(t->last - t->first + 1) % t->group);
    }
    if (!list_open(x, t, true))
        return false;
    if (l->pairs && (has_gaps(&l->left) ? l->left.n_elements : (unsigned)(t->last - t->first + 1)) % t->group) {
        compile_refuse(x, &l->right_at,
                       "the elements must be a multiple of the names: PO106..PO125 pairs <-> items[].(scheme id)");
        return true;
    }
    if (l->pairs && l->n_group == 0 && !pair_composites(x, t, l, segment, field))
        return false;
    for (unsigned i = 0; i < t->group && !(l->pairs && l->n_group == 0); i++) {
        struct map_line one = *l;
        struct path_element e = { .element = (uint8_t)(t->first + i),
                                  .component = l->parts ? l->left.element[0].component : 0 };
        if (i) { /* conversions speak of the first */
            one.n_conversions = 0;
            one.beside = slice(NULL, 0);
        }
        if (l->pairs) {
            if (!add_op(x, t, &one, &e, 1, field->object, l->group[i]))
                return !x->c->nomem;
        } else {
            struct map_op *op = add_op(x, t, &one, &e, 1, NULL, slice(NULL, 0));
            if (!op)
                return !x->c->nomem;
            op->field = field;
            op->key = "\"                                ";
            op->key_n = 1;
            choose_quick(op, element_of(x, l, segment->def, &e), false);
        }
    }
    t->shared = t->n_ops;
    if (!make_slots(x, t, l))
        return false;
    if (l->parts)
        t->n_slots = l->parts;
    t->wanted |= t->range;
    t->covered |= t->range;
    for (unsigned k = t->first + 1u; t->components && !l->parts && k <= t->last; k++) { /* each like the first */
        t->components[k - 1] = t->components[t->first - 1];
        t->partly |= (t->partly >> (t->first - 1) & 1) << (k - 1);
    }
    if (l->pairs) {
        struct map_line *inside = compile_children(x, l);
        for (; inside; inside = inside->next) {
            inside->direction &= l->direction;
            if (inside->n_guards)
                compile_refuse(x, &inside->right_at, "what stands in pairs has no condition");
            inside->n_guards = 0;
            if (!settle_path(x, inside, segment->def) || is_paired(t, l, inside))
                continue;
            if (inside->left.n_steps != 1 || !slice_eq(inside->left.step[0].tag, segment->tag) ||
                inside->left.n_elements != 1 || inside->list) {
                compile_refuse(x, &inside->at, "what pairs share are other elements of the same segment");
                continue;
            }
            if (!add_op(x, t, inside, inside->left.element, 1, field->object, inside->right) && x->c->nomem)
                return false;
        }
    }
    for (unsigned i = 0; i < t->n_ops; i++)
        if (!compile_make_texts(x, &t->op[i]))
            return false;
    if (host) {
        host->covered |= t->covered;
        host->wanted |= t->wanted;
        for (unsigned k = 0; t->components && k < 64; k++)
            for (unsigned c = 0; c < 32; c++)
                if (t->components[k] >> c & 1 && !claim(x, host, k + 1, c + 1))
                    return false;
    }
    return true;
}

static bool compile_fold(struct compiling *x, struct making *m, const struct map_line *l,
                         const struct guide_node *node, uint32_t width)
{
    const struct guide_node *segment = compile_segment_of(x->guide, node);
    struct map_take *t = add_take(x, m, TAKE_FOLD, segment, l);
    struct map_op *op;
    if (!t || !make_selects(x, l, segment, t->select, &t->n_select) || !claim_selects(x, t))
        return !x->c->nomem;
    if (l->n_guards && l->direction & DIRECTION_READ)
        compile_refuse(x, &l->right_at, "a text over several segments has no condition where it is read");
    t->repeats = true;
    op = add_op(x, t, l, l->left.element, 1, m->scope->object, l->right);
    if (!op)
        return !x->c->nomem;
    t->fold = width;
    for (unsigned i = 0; i < op->n_conversions; i++)
        if (op->conversion[i].kind == CONVERT_FOLD)
            t->fold = op->conversion[i].number[0];
    t->field = op->field;
    t->open = slice(op->key, op->key_n);
    return check_claims(x, m, l, op);
}

static bool compile_check(struct compiling *x, struct making *m, const struct map_line *l,
                          const struct guide_node *node)
{
    struct map_take *t;
    struct map_op *op;
    const struct conversion *c = &l->conversion[0];
    struct map_select select[MOST_SELECTS];
    struct slice list, rest;
    uint8_t n_select;
    bool found;
    int i;

    if (l->n_conversions && c->kind == CONVERT_CHECK_CHILDREN) {
        if (!m->scope->tree) {
            compile_refuse(x, &l->at, "only nodes of a tree have children");
            return true;
        }
        t = segment_take(x, m, compile_segment_of(x->guide, node), NULL, 0, l);
        op = t ? add_op(x, t, l, l->left.element, 1, NULL, slice(NULL, 0)) : NULL;
        if (op)
            op->quick = QUICK_CHILDREN;
        return op || !x->c->nomem;
    }
    if (m->scope->parent || l->n_conversions == 0) {
        compile_refuse(x, &l->at, "a check stands at the top of the map");
        return true;
    }
    if (!make_selects(x, l, compile_segment_of(x->guide, node), select, &n_select))
        return true;
    t = segment_take(x, m, compile_segment_of(x->guide, node), select, n_select, l);
    if (!t)
        return !x->c->nomem;
    list = slice_cut(c->text, '.', &rest, &found);
    i = record_field_find(m->scope->object, list);
    if (i < 0 || m->scope->object->field[i].type != RECORD_ARRAY || (c->kind == CONVERT_CHECK_SUM) != found) {
        compile_refuse(x, &l->right_at, "expected: count LIST, or sum LIST.FIELD");
        return true;
    }
    op = add_op(x, t, l, l->left.element, 1, NULL, slice(NULL, 0));
    if (!op)
        return !x->c->nomem;
    op->quick = QUICK_SLOW;
    op->conversion[0].field = &m->scope->object->field[i];
    if (l->guard)
        op->conversion[0].text = l->guard[0].value; /* of a count: the nodes of one kind */
    else
        op->conversion[0].text = slice(NULL, 0); /* all items */
    if (found) {
        int k = m->scope->object->field[i].object ? record_field_find(m->scope->object->field[i].object, rest) : -1;
        if (k < 0)
            compile_refuse(x, &l->right_at, "the list's items have no such field");
        else
            op->beside = &m->scope->object->field[i].object->field[k];
    }
    x->plan->n_checks++;
    return true;
}

/* `CNT[1].6066 check total LIN.QTY.6060 or lines.quantity`, and with `->` before it. */
static bool compile_total(struct compiling *x, struct making *m, const struct map_line *l,
                          const struct guide_node *node)
{
    const struct guide_node *segment = compile_segment_of(x->guide, node), *values;
    struct map_total *total;
    struct slice tag[PATH_STEPS];
    const struct path *p = l->values;
    struct conversion *c = &l->conversion[0];
    struct slice list, rest;
    bool found;
    int i;

    if (m->scope->parent || x->plan->total) {
        compile_refuse(x, &l->at, m->scope->parent ? "a check stands at the top of the map" : "one total is enough");
        return true;
    }
    list = slice_cut(c->text, '.', &rest, &found);
    i = record_field_find(m->scope->object, list);
    if (!found || i < 0 || !m->scope->object->field[i].object || m->scope->object->field[i].type != RECORD_ARRAY ||
        record_field_find(m->scope->object->field[i].object, rest) < 0) {
        compile_refuse(x, &l->right_at, "the record has no such list, or its items no such field");
        return true;
    }
    total = ARENA_NEW(x->arena, struct map_total);
    if (!total)
        return compile_nomem(x) != NULL;
    total->list = &m->scope->object->field[i];
    total->field = &total->list->object->field[record_field_find(total->list->object, rest)];
    for (unsigned k = 0; k < p->n_steps; k++)
        tag[k] = p->step[k].tag;
    values = guide_node_at(x->guide, &x->guide->node[0], tag, p->n_steps);
    values = values ? compile_segment_of(x->guide, values) : NULL;
    if (values && p->n_elements == 1) {
        total->value_element = p->element[0].element;
        total->value_component = p->element[0].component;
    }
    if (!values || !values->def || p->n_elements != 1 ||
        (p->element[0].number && !path_find_number(values->def, &p->number[p->element[0].number - 1],
                                                   &total->value_element, &total->value_component))) {
        if (only_guide(x))
            compile_refuse(x, &l->at, "%.*s has no such element to add up", SLICE_FMT(x->guide->id));
        return true;
    }
    total->value_segment = values->ordinal;
    total->segment = segment->ordinal;
    total->element = l->left.element[0].element;
    total->component = l->left.element[0].component;
    if (!make_selects(x, l, segment, total->select, &total->n_select))
        return true;
    x->plan->total = total;
    total->stated = l->direction == DIRECTION_READ;
    if (total->stated) {
        mark_found(l);
        return true;
    }
    c->field = total->list;
    {
        struct map_take *t = segment_take(x, m, segment, total->select, total->n_select, l);
        struct map_op *op = t ? add_op(x, t, l, l->left.element, 1, NULL, slice(NULL, 0)) : NULL;
        if (op) {
            op->quick = QUICK_SLOW;
            op->conversion[0].field = total->list;
            x->plan->n_checks++;
        }
        return op || !x->c->nomem;
    }
}

/* Lines onto fields of an object in the object: `CTT03 <-> totals.weight`. They become a block of their own, at the
 * segment that all of them name or the loop that holds it. */
static bool compile_implied(struct compiling *x, struct making *m, struct map_line *l, struct slice prefix)
{
    const struct arena_mark mark = arena_mark(&x->lines);
    struct map_line *first = NULL, **link = &first, block = *l;
    const struct guide_node *home = NULL;
    bool done;
    struct path_step plain = { .n_selects = 0 };

    for (struct map_line *k = l; k; k = k->next) {
        const struct guide_node *node, *place;
        struct map_line *copy;
        struct slice rest, head;
        bool found;
        if (k->done || k->use)
            continue;
        head = slice_cut(k->right, '.', &rest, &found);
        if (!found || !slice_eq(head, prefix))
            continue;
        k->done = true;
        node = resolve(x, m->scope, k);
        if (!node) {
            if (x->c->nomem)
                return false;
            continue;
        }
        node = compile_segment_of(x->guide, node);
        place = node->trigger && node->parent != m->scope->node ? &x->guide->node[node->parent] : node;
        if (!home)
            home = place;
        while (home != place && home->ordinal && !(place->ordinal > home->ordinal && place->ordinal < home->end))
            home = &x->guide->node[home->parent];
        copy = ARENA_NEW(&x->lines, struct map_line);
        if (!copy)
            return compile_nomem(x) != NULL;
        *copy = *k;
        copy->next = NULL;
        copy->done = false;
        copy->right = rest;
        *link = copy;
        link = &copy->next;
    }
    if (!home)
        return true;
    if (home->ordinal == m->scope->node || home->ordinal == 0) {
        compile_refuse(x, &l->at, "the lines of \"%.*s\" come from segments that have no loop of their own",
                 SLICE_FMT(prefix));
        return true;
    }
    /* paths become relative to the loop; inside the one segment they name, they are its tag */
    for (struct map_line *k = first; k; k = k->next) {
        unsigned drop = 0;
        if (!home->loop)
            drop = k->left.n_steps - 1;
        else if (k->left.n_steps > 1 && (slice_eq(k->left.step[0].tag, home->tag) ||
                                         slice_eq(k->left.step[0].tag, compile_segment_of(x->guide, home)->tag)))
            drop = 1;
        k->left.step += drop;
        k->left.n_steps = (uint8_t)(k->left.n_steps - drop);
    }
    block.right = prefix;
    block.direction = DIRECTION_BOTH;
    block.list = false;
    block.n_conversions = 0;
    block.left.n_elements = 0;
    if (!home->loop && first->left.step[first->left.n_steps - 1].n_selects == 0) {
        plain.tag = block.left.step[block.left.n_steps - 1].tag;
        block.left.step = &plain;
        block.left.n_steps = 1;
    }
    done = compile_block(x, m, &block, first, home, true);
    arena_back_to(&x->lines, mark);
    return done;
}

static bool compile_line(struct compiling *x, struct making *m, struct map_line *l);

/* `QTY row` inside a list: what is below it are lines of the list's items, from inside that loop. */
static bool compile_row(struct compiling *x, struct making *m, const struct map_line *l, const struct guide_node *node)
{
    struct map_line *inside = compile_children(x, l);

    mark_found(l);
    if (!m->scope->list || !m->scope->loop || !node->loop || node->parent != m->scope->node || m->scope->row) {
        compile_refuse(x, &l->at, "a row is one loop directly inside the loop of a list");
        return true;
    }
    for (const struct map_scope *s = m->scope->parent; s; s = s->parent)
        if (s->row) {
            compile_refuse(x, &l->at, "there are rows around this list already");
            return true;
        }
    if (l->left.step[l->left.n_steps - 1].n_selects) {
        compile_refuse(x, &l->at, "a row has no qualifier: all occurrences of the loop make items");
        return true;
    }
    m->scope->row = node->ordinal;
    m->scope->odd_begin = true;
    for (struct map_line *k = inside; k; k = k->next) {
        struct path_step *step;
        if (k->left.n_steps == 0)
            continue;
        if (k->shared)
            compile_refuse(x, &k->at, "what stands in a row is that row's alone");
        k->shared = false;
        if (k->left.n_steps == PATH_STEPS) {
            compile_refuse(x, &k->at, "the path is too long");
            continue;
        }
        step = ARENA_ARRAY(&x->lines, k->left.n_steps + 1u, struct path_step);
        if (!step)
            return compile_nomem(x) != NULL;
        step[0] = l->left.step[0];
        memcpy(&step[1], k->left.step, k->left.n_steps * sizeof(*step));
        k->left.step = step;
        k->left.n_steps++;
    }
    compile_find_conditions(inside, slice(NULL, 0));
    for (struct map_line *k = inside; k; k = k->next)
        if (!compile_line(x, m, k))
            return false;
    return true;
}

static bool compile_line(struct compiling *x, struct making *m, struct map_line *l)
{
    const struct guide_node *node, *segment;
    struct map_select select[MOST_SELECTS];
    struct map_take *t;
    struct map_op *op;
    struct slice head, rest;
    uint8_t n_select;
    bool dotted, check = false;

    if (l->done || l->left.n_steps == 0)
        return true;
    l->done = true;
    x->n_own = 0;
    for (unsigned i = 0; i < l->n_conversions; i++)
        check |= l->conversion[i].kind >= CONVERT_CHECK_COUNT;
    head = slice_cut(l->right, '.', &rest, &dotted);
    if (l->shared && (dotted || l->pairs || (l->list && l->left.n_elements) || l->direction != DIRECTION_BOTH))
        compile_refuse(x, &l->right_at, "only a field, an object or a list of objects can be shared, both ways");
    if (dotted && !check) {
        l->done = false;
        return compile_implied(x, m, l, head);
    }
    if (l->itself) {
        if (!is_tree_line(l) || m->scope->parent || x->guide->bare) {
            compile_refuse(x, &l->at,
                           "`.` is the document itself, which may be a node: . <-> nodes[] tree if LEVEL = NAME");
            return true;
        }
        return compile_block(x, m, l, compile_children(x, l), &x->guide->node[0], false);
    }
    node = resolve(x, m->scope, l);
    if (!node)
        return !x->c->nomem;
    segment = compile_segment_of(x->guide, node);
    if (!segment->def || !settle_path(x, l, segment->def))
        return true;
    if (check)
        return l->values ? compile_total(x, m, l, node) : compile_check(x, m, l, node);
    if (l->always) {
        mark_found(l);
        t = add_take(x, m, TAKE_ALWAYS, segment, l);
        if (!t || !make_selects(x, l, segment, t->select, &t->n_select))
            return !x->c->nomem;
        return claim_selects(x, t);
    }
    if (l->row)
        return compile_row(x, m, l, node);
    if (l->n_guards && (l->left.n_elements == 0 || l->pairs || l->list) && !is_tree_line(l)) {
        compile_refuse(x, &l->right_at, "only a field has conditions, and nodes of a tree one");
        l->n_guards = 0;
    }
    if (l->left.n_elements == 0) {
        const struct arena_mark mark = arena_mark(&x->lines);
        const bool done = compile_block(x, m, l, compile_children(x, l), node, false);
        arena_back_to(&x->lines, mark);
        return done;
    }
    if (l->pairs || l->list)
        return compile_list(x, m, l, node);
    for (unsigned i = 0; i < l->n_conversions; i++)
        if (l->conversion[i].kind == CONVERT_FOLD || (l->shared && l->conversion[i].kind == CONVERT_INHERIT)) {
            if (l->shared)
                compile_refuse(x, &l->right_at, "what is shared is neither folded nor inherited");
        }
    for (unsigned i = 0; i < l->n_conversions; i++)
        if (l->conversion[i].kind == CONVERT_FOLD && !l->parts)
            return compile_fold(x, m, l, node, l->conversion[i].number[0]);
    if (!make_selects(x, l, segment, select, &n_select))
        return true;
    t = segment_take(x, m, segment, select, n_select, l);
    if (!t)
        return !x->c->nomem;
    if (t->owner && l->shared)
        compile_refuse(x, &l->at, "the list's own segment is shared by all rows, whatever is said here");
    else if (t->n_ops && t->common != l->shared)
        compile_refuse(x, &l->at, "what one segment says is shared as a whole, or not at all");
    t->common = t->elsewhere = l->shared && !t->owner;
    op = add_op(x, t, l, l->left.element, l->left.n_elements, m->scope->object, l->right);
    if (!op)
        return !x->c->nomem;
    return check_claims(x, m, l, op);
}

/* Is there something to share with, and does each segment go one way? */
static void check_common(struct compiling *x, struct making *m, const struct map_line *lines)
{
    struct map_scope *s = m->scope;
    for (size_t i = 0; i < m->n; i++) {
        const struct map_take *t = m->take[i];
        bool mixed = false;
        struct place at = { .file = x->map->file };
        if (!t->common)
            continue;
        s->common = s->odd_end = true;
        for (size_t k = 0; k < m->n; k++)
            mixed |= !m->take[k]->common && m->take[k]->segment == t->segment && t->kind == TAKE_SEGMENT &&
                     m->take[k]->kind == TAKE_SCOPE && m->take[k]->scope->implied &&
                     compile_same_selects(m->take[k], t->select, t->n_select);
        for (const struct map_line *l = lines; l; l = l->next)
            if (l->shared && l->at.line == t->line)
                at = l->at;
        if (!s->row)
            compile_refuse(x, &at, "only rows can share something: a list with a line `LOOP row`");
        else if (t->segment >= s->row && t->segment < x->guide->node[s->row].end)
            compile_refuse(x, &at, "what stands in a row is that row's alone");
        else if (mixed)
            compile_refuse(x, &at, "what one segment says is shared as a whole, or not at all");
    }
}

/* Where a take stands when writing. A list of loops stands behind what lines of its own scope have inside the first. */
static unsigned place_in_order(const struct compiling *x, const struct making *m, const struct map_take *t)
{
    const struct guide_node *loop = &x->guide->node[t->node];

    if (t->kind == TAKE_SCOPE && t->scope && t->scope->list && loop->loop && !t->scope->self)
        for (size_t i = 0; i < m->n; i++)
            if (m->take[i] != t && m->take[i]->segment > t->segment && m->take[i]->segment < loop->end)
                return loop->end * 2u - 1;
    return t->segment * 2u;
}

/* The ops of a scope's takes, now that all are there. False: memory. */
static bool keep_ops(struct compiling *x, const struct making *m)
{
    for (size_t i = 0; i < m->n; i++)
        for (struct map_take *t = m->take[i]; t; t = t->pairs) {
            if (!t->n_ops)
                continue;
            t->op = (struct map_op *)arena_copy(x->arena, slice((const char *)t->op, t->n_ops * sizeof(*t->op))).p;
            if (!t->op)
                return compile_nomem(x) != NULL;
        }
    return true;
}

static bool compile_scope(struct compiling *x, struct map_scope *s, struct map_line *lines)
{
    struct making m = { .scope = s };
    const struct guide_node *own = compile_segment_of(x->guide, &x->guide->node[s->node]);

    if (s->node) {
        s->owner = add_take(x, &m, TAKE_SEGMENT, own, NULL);
        if (!s->owner)
            return false;
        s->owner->owner = true;
        memcpy(s->owner->select, s->select, sizeof(s->select));
        s->owner->n_select = s->n_select;
        s->owner->line = s->line;
        if (!claim_selects(x, s->owner))
            return false;
    }
    compile_find_conditions(lines, s->node ? own->tag : slice(NULL, 0));
    for (struct map_line *l = lines; l; l = l->next)
        if (!compile_line(x, &m, l))
            return false;
    check_common(x, &m, lines);
    if (!compile_settle_guards(x, s, m.take, m.n, lines) || !keep_ops(x, &m))
        return false;
    /* writing: the guide's order, then the map's */
    for (size_t i = 0; i < m.n; i++)
        m.take[i]->place = place_in_order(x, &m, m.take[i]);
    for (size_t i = 1; i < m.n; i++)
        for (size_t k = i; k && m.take[k - 1]->place > m.take[k]->place; k--) {
            struct map_take *t = m.take[k];
            m.take[k] = m.take[k - 1];
            m.take[k - 1] = t;
        }
    s->order = m.take;
    s->n_order = (unsigned)m.n;
    s->leaf = !s->loop && s->owner && m.n == 1 && !s->owner->pairs && !s->implied;
    for (unsigned i = 0; s->leaf && i < s->owner->n_ops; i++)
        s->leaf = !s->owner->op[i].takes;
    s->program = ARENA_ARRAY(x->arena, (size_t)(s->end - s->first), struct map_take *);
    if (!s->program)
        return compile_nomem(x) != NULL;
    for (size_t i = 0; i < m.n; i++) {
        if (m.take[i]->kind == TAKE_SEGMENT && !compile_index_ops(x, m.take[i]))
            return false;
        m.take[i]->both = m.take[i]->n_ops > 0;
        for (unsigned k = 0; k < m.take[i]->n_ops; k++)
            m.take[i]->both &= m.take[i]->op[k].direction == DIRECTION_BOTH;
        for (struct map_take *t = m.take[i]; t; t = t->pairs)
            compile_measure(t);
        if (!(m.take[i]->direction & DIRECTION_READ) || (m.take[i]->kind == TAKE_SCOPE && m.take[i]->scope->self))
            continue;
        struct map_take **link = &s->program[m.take[i]->node - s->first];
        while (*link)
            link = &(*link)->next;
        *link = m.take[i];
    }
    compile_check_takes(x, s, lines);
    mark_lists(x, s);
    return true;
}

/* Marks a list that several lines fill with others between them: it stays open until the object's end. */
static void mark_gathering(struct compiling *x, const struct map_scope *s, struct map_take *t)
{
    for (unsigned i = 0; i < s->n_order; i++)
        for (struct map_take *other = s->order[i]; other; other = other->pairs) {
            const uint16_t from = t->segment < other->segment ? t->segment : other->segment;
            const uint16_t to = t->segment < other->segment ? other->segment : t->segment;
            bool between = false;
            if (other == t || other->field != t->field || !(other->direction & DIRECTION_READ))
                continue;
            for (unsigned k = 0; k < s->n_order; k++)
                between |= s->order[k]->segment > from && s->order[k]->segment < to &&
                           s->order[k]->direction & DIRECTION_READ;
            if (!between || t->gathers)
                continue;
            t->gathers = t->elsewhere = true;
            if (s->row) {
                struct place at = { .file = x->map->file, .line = t->line };
                compile_refuse(x, &at, "\"%.*s\" is a list of the item and of its rows: give one of them another field",
                               SLICE_FMT(t->field->name));
            }
        }
}

static void mark_lists(struct compiling *x, const struct map_scope *s)
{
    for (unsigned i = 0; i < s->n_order; i++)
        for (struct map_take *t = s->order[i]; t; t = t->pairs)
            if (t->field && t->field->type == RECORD_ARRAY && t->direction & DIRECTION_READ &&
                !(t->kind == TAKE_SCOPE && t->scope->kind))
                mark_gathering(x, s, t);
}

/* ---- what lines mean for others ---- */

/* Marks the lines of the root whose values are inherited. */
static bool mark_givers(struct compiling *x)
{
    for (unsigned i = 0; i < x->plan->n_inherited; i++) {
        bool found = false;
        for (unsigned k = 0; k < x->plan->root->n_order; k++) {
            struct map_take *t = x->plan->root->order[k];
            for (unsigned o = 0; t->kind == TAKE_SEGMENT && o < t->n_ops; o++)
                if (t->op[o].field == x->inherited[i] && t->op[o].direction & DIRECTION_READ) {
                    t->op[o].gives = (uint8_t)(i + 1);
                    *(t->op[o].quick == QUICK_GUARDED ? &t->op[o].inside : &t->op[o].quick) = QUICK_SLOW;
                    found = true;
                }
            if (found && t->kind == TAKE_SEGMENT && !compile_index_ops(x, t))
                return false;
        }
        if (!found) {
            struct place at = { .file = x->map->file };
            compile_refuse(x, &at, "no line at the top of the map writes \"%.*s\", which others inherit",
                     SLICE_FMT(x->inherited[i]->name));
        }
    }
    return true;
}

/* Marks the nodes of a kind that a check counts. */
static bool mark_kind(struct map_scope *s, const struct record_field *list, struct slice value, unsigned check)
{
    bool any = false;
    for (unsigned i = 0; i < s->n_order; i++) {
        struct map_take *t = s->order[i];
        if (t->kind != TAKE_SCOPE || !t->scope)
            continue;
        if (t->field == list && t->scope->kind && slice_eq(t->scope->kind_value, value))
            any = (t->scope->counted = (uint8_t)check) != 0;
        any |= mark_kind(t->scope, list, value, check);
    }
    return any;
}

/* Marks the ops of values that a total adds up, and of what is said of it by other lines. */
static void mark_total(const struct map_total *total, struct map_scope *s)
{
    for (unsigned i = 0; i < s->n_order; i++) {
        struct map_take *t = s->order[i];
        for (unsigned k = 0; k < t->n_ops; k++) {
            struct map_op *op = &t->op[k];
            const unsigned component = op->component ? op->component : 1;
            if (t->segment == total->value_segment && op->element[0] == total->value_element &&
                component == (total->value_component ? total->value_component : 1u))
                op->odd |= (uint8_t)(ODD_VALUE | (op->field == total->field ? ODD_FIELD : 0));
            if (total->stated && t->segment == total->segment && op->element[0] == total->element &&
                component == (total->component ? total->component : 1u))
                op->odd |= ODD_STATED;
        }
        if (t->kind == TAKE_SCOPE && t->scope)
            mark_total(total, t->scope);
    }
}

/* Marks the ops whose values a check adds up. */
static void mark_counted(struct map_plan *plan, struct map_scope *s, const struct record_field *field)
{
    (void)plan;
    for (unsigned i = 0; i < s->n_order; i++) {
        struct map_take *t = s->order[i];
        for (unsigned k = 0; k < t->n_ops; k++)
            if (t->op[k].field == field) {
                t->op[k].counted = true;
                t->op[k].odd |= ODD_COUNTED;
            }
        if (t->kind == TAKE_SCOPE && t->scope)
            mark_counted(plan, t->scope, field);
    }
}

int map_compile(struct maps *maps, struct arena *arena, const struct map *map, const struct guide *guide,
                struct complaints *c, const struct map_plan **plan_r, struct err *err)
{
    struct compiling x = { .maps = maps, .map = map, .guide = guide, .arena = arena, .c = c,
                           .map_record = map->record };
    unsigned before = c->count, kinds = 0;
    bool done;

    *plan_r = NULL;
    arena_init(&x.lines, LINES_MEMORY);
    x.plan = ARENA_NEW(arena, struct map_plan);
    if (!x.plan)
        return err_nomem(err);
    x.plan->guide = guide;
    x.plan->map = map;
    x.plan->root = new_scope(&x, NULL, &guide->node[0], map->record->root, false);
    done = x.plan->root && compile_scope(&x, x.plan->root, compile_all_lines(&x, map, 0));
    if (done && c->count == before)
        done = mark_givers(&x);
    if (done && c->count == before) {
        compile_check_musts(&x, map);
        for (unsigned i = 0; i < x.plan->root->n_order; i++) {
            const struct map_take *t = x.plan->root->order[i];
            for (unsigned k = 0; k < t->n_ops; k++) {
                struct conversion *v = t->op[k].n_conversions ? &t->op[k].conversion[0] : NULL;
                struct place at = { .file = map->file, .line = t->op[k].line };
                if (v && v->kind == CONVERT_CHECK_SUM)
                    mark_counted(x.plan, x.plan->root, t->op[k].beside);
                if (!v || v->kind != CONVERT_CHECK_COUNT || !v->text.n)
                    continue;
                v->number[0] = ++kinds;
                if (kinds > MOST_CHECKS || !mark_kind(x.plan->root, v->field, v->text, kinds))
                    compile_refuse(&x, &at, kinds > MOST_CHECKS ? "too many checks" : "no line makes such nodes");
            }
        }
        if (x.plan->total)
            mark_total(x.plan->total, x.plan->root);
        done = c->count == before;
    }
    arena_deinit(&x.lines);
    if (c->nomem)
        return err_nomem(err);
    if (c->count > before)
        return err_set(err, ERR_CONFIG, "the map is wrong");
    *plan_r = x.plan;
    return 0;
}
