/*
 * writing: see writing.h. Everything lives in the writer's arena.
 */
#include "map/writing.h"

#include "base/buf.h"

struct layout {
    struct writing *w;
    struct arena *arena;
    const struct guide *guide;
    struct scope_work *root;
    const struct record_field *way[LIMIT_LOOP_DEPTH];   /* to the scope at hand */
    unsigned depth;
    struct inherit_place **link[64];
    int failed;
    struct err *err;
};

static void *nomem(struct layout *x)
{
    if (!x->failed)
        x->failed = err_nomem(x->err);
    return NULL;
}

static bool too_large(struct layout *x, const char *what)
{
    if (!x->failed)
        x->failed = err_set(x->err, ERR_CONFIG, "the map has %s", what);
    return false;
}

/* ---- words ---- */

static const struct words *find_words(struct layout *x, const struct map_table *t)
{
    struct words *w;
    unsigned bits = 3;

    for (w = x->w->words; w; w = w->next)
        if (w->table == t)
            return w;
    w = ARENA_NEW(x->arena, struct words);
    if (!w)
        return nomem(x);
    while ((1u << bits) < (t->n + t->n_also) * 3 + 1)
        bits++;
    w->table = t;
    w->shift = 64 - bits;
    w->mask = (1u << bits) - 1;
    w->slot = ARENA_ARRAY(x->arena, (size_t)1 << bits, struct word_slot);
    if (!w->slot)
        return nomem(x);
    for (unsigned k = 0; k < t->n + t->n_also; k++) {
        const struct map_table_row *row = k < t->n ? &t->row[k] : &t->also[k - t->n];
        struct word_slot s = { .n = row->word.n, .row = row };
        uint32_t i;
        if (words_find(w, row->word))
            continue;
        record_key_words(row->word, &s.head, &s.tail);
        for (i = word_hash(w, s.head, s.tail, s.n); w->slot[i].row;)
            i = (i + 1) & w->mask;
        w->slot[i] = s;
    }
    w->next = x->w->words;
    x->w->words = w;
    return w;
}

/* ---- actions ---- */

static bool add_inheritance(struct layout *x, struct action *a, const struct record_field *root)
{
    struct writing *w = x->w;
    struct inherit_place *place;
    unsigned i = 0;

    while (i < w->n_inherits && w->inherit[i].field != root->index)
        i++;
    if (i == 64)
        return too_large(x, "too many inherited fields");
    if (i == w->n_inherits) {
        w->inherit[i] = (struct inheritance){ .field = root->index };
        x->link[i] = &w->inherit[i].place;
        w->n_inherits++;
    }
    place = ARENA_NEW(x->arena, struct inherit_place);
    if (!place)
        return nomem(x) != NULL;
    place->field = a->op->field;
    place->depth = x->depth;
    memcpy(place->way, x->way, x->depth * sizeof(x->way[0]));
    *x->link[i] = place;
    x->link[i] = &place->next;
    a->inherits = root->index;
    return true;
}

static bool add_check(struct layout *x, struct action *a, const struct conversion *c)
{
    struct writing *w = x->w;
    struct check_work *check;
    uint32_t digits = a->use && a->use->max < 18 ? a->use->max : 18;

    if (w->n_checks == MOST_CHECKS)
        return too_large(x, "too many checks");
    a->check = (uint8_t)w->n_checks;
    check = &w->check[w->n_checks++];
    *check = (struct check_work){ .kind = a->kind, .list = c->field, .list_field = c->field->index, .modulus = 1 };
    if (a->kind == ACTION_COUNT)
        check->only = c->text;
    while (digits--)
        check->modulus *= 10;
    if (a->op->beside) {
        check->item_field = a->op->beside->index;
        check->item = c->field->object;
    }
    return true;
}

/* The number of a field that nodes take from those above, plus 1; 0: there are too many. */
static uint8_t number_above(struct layout *x, uint16_t field)
{
    struct writing *w = x->w;
    unsigned i = 0;

    while (i < w->n_above && w->above[i] != field)
        i++;
    if (i == MOST_ABOVE) {
        too_large(x, "too many fields that nodes take from those above");
        return 0;
    }
    w->above[i] = field;
    w->n_above += i == w->n_above;
    return (uint8_t)(i + 1);
}

/* A field of nodes that are made for others. False: there are too many. */
static bool add_made(struct layout *x, const struct record_field *field)
{
    struct writing *w = x->w;
    for (unsigned i = 0; i < w->n_made; i++)
        if (w->made[i] == field)
            return true;
    if (w->n_made == MOST_MADE)
        return too_large(x, "too many fields are written below");
    w->made[w->n_made++] = field;
    return true;
}

/* False: memory. *kept_r tells whether the op writes at all. */
static bool make_action(struct layout *x, const struct map_take *t, const struct map_op *op, struct action *a,
                        bool *kept_r)
{
    const struct segment_def *def = x->guide->node[t->segment].def;
    unsigned real = 0;
    uint8_t kind = ACTION_TEXT;

    *kept_r = false;
    if (!(op->direction & DIRECTION_WRITE))
        return true;
    *a = (struct action){ .element = op->element[0], .component = op->component, .op = op, .field = NO_FIELD,
                          .beside = NO_FIELD, .inherits = NO_FIELD, .only = NO_FIELD, .unless = NO_FIELD,
                          .guarded = op->n_guards || op->n_select };
    if (op->quick == QUICK_SAID)
        return true;
    if (op->above && op->field && !(a->above = number_above(x, op->field->index)))
        return false;
    if (op->below && op->field && !(a->below = add_made(x, op->field)))
        return false;
    if (def && a->element <= def->n) {
        a->use = &def->use[a->element - 1];
        if (a->use->element->type != TYPE_COMPOSITE && a->component == 1)
            a->component = 0; /* a composite in a later version */
        if (a->use->element->type == TYPE_COMPOSITE && a->use->element->n_parts >= a->component &&
            a->use->element->n_parts)
            a->use = &a->use->element->part[a->component ? a->component - 1 : 0];
    }
    for (unsigned i = 0; i < op->n_conversions; i++) {
        const struct conversion *c = &op->conversion[i];
        switch (c->kind) {
        case CONVERT_DECIMAL:
        case CONVERT_DEFAULT:
        case CONVERT_OR:
            continue;
        case CONVERT_FOLD:
            if (!op->span)
                continue;
            kind = ACTION_FOLD;
            break;
        case CONVERT_PERIOD:
            a->kind = ACTION_PERIOD;
            a->field = op->field->index;
            a->beside = op->beside ? op->beside->index : NO_FIELD;
            a->odd = true;
            *kept_r = true;
            return true;
        case CONVERT_INHERIT:
            if (x->depth && c->field && op->field && !add_inheritance(x, a, c->field))
                return false;
            continue;
        case CONVERT_CHECK_COUNT:
        case CONVERT_CHECK_SUM:
        case CONVERT_CHECK_TOTAL:
            a->kind = c->kind == CONVERT_CHECK_COUNT ? ACTION_COUNT
                      : c->kind == CONVERT_CHECK_SUM ? ACTION_SUM
                                                     : ACTION_TOTAL;
            a->odd = true;
            *kept_r = true;
            return add_check(x, a, c);
        case CONVERT_NODE:
        case CONVERT_PARENT:
            a->kind = c->kind == CONVERT_NODE ? ACTION_NODE : ACTION_PARENT;
            a->field = op->field->index;
            a->odd = true;
            *kept_r = true;
            return true;
        case CONVERT_CHECK_CHILDREN:
            a->kind = ACTION_CHILDREN;
            a->odd = true;
            *kept_r = true;
            return true;
        case CONVERT_CONST:
            for (unsigned g = 0; g < op->n_guards; g++)
                if (!op->guard[g].absent)
                    a->only = op->guard[g].field->index;
                else if (!op->guard[g].value.n)
                    a->unless = op->guard[g].field->index;
            a->kind = ACTION_CONSTANT;
            a->constant = c->text;
            a->odd = true;
            *kept_r = c->text.n > 0;
            return true;
        case CONVERT_CODE:
            kind = ACTION_CODE;
            break;
        case CONVERT_DATE:
            kind = ACTION_DATE;
            break;
        case CONVERT_TIME:
            kind = ACTION_TIME;
            break;
        case CONVERT_DATETIME:
            kind = ACTION_DATETIME;
            break;
        case CONVERT_IMPLIED:
            kind = ACTION_PLACES;
            a->places = (uint8_t)c->number[0];
            break;
        default:
            kind = ACTION_SLOW;
        }
        real++;
    }
    if (!op->field)
        return true;
    if (real > 1)
        kind = ACTION_SLOW;
    if (real == 0 && a->use && a->use->element->type == TYPE_N &&
        (op->field->type == RECORD_DECIMAL || (op->field->type == RECORD_ARRAY && op->field->item == RECORD_DECIMAL))) {
        kind = ACTION_PLACES;
        a->places = a->use->element->decimals;
    }
    if (real == 0 && a->use && a->use->element->type == TYPE_R && a->use->element->form.n)
        kind = ACTION_MARK;
    a->kind = kind;
    a->field = op->field->index;
    if (op->table && !(a->words = find_words(x, op->table)))
        return false;
    if (op->beside)
        a->beside = op->beside->index;
    if (op->fallback.n) {
        const struct map_table_row *row = op->table ? map_table_word(op->table, op->fallback) : NULL;
        a->constant = row ? row->code : op->fallback;
    }
    if (op->absent.n) {
        const struct map_table_row *row = op->table ? map_table_word(op->table, op->absent) : NULL;
        a->constant = row ? row->code : op->absent;
    }
    a->free = !a->guarded && a->inherits == NO_FIELD;
    a->odd = op->beside || a->guarded || a->constant.n || a->inherits != NO_FIELD || a->above;
    *kept_r = true;
    return true;
}

static bool make_actions(struct layout *x, const struct map_take *t, unsigned from, unsigned to,
                         struct action **action_r, unsigned *n_r)
{
    *n_r = 0;
    *action_r = ARENA_ARRAY(x->arena, to - from + 1, struct action);
    if (!*action_r)
        return nomem(x) != NULL;
    for (unsigned i = from; i < to; i++) {
        bool kept;
        if (!make_action(x, t, &t->op[i], &(*action_r)[*n_r], &kept))
            return false;
        *n_r += kept;
    }
    return true;
}

/* The further fields of a date. */
static void period_fields(const struct action *a, uint16_t field[3])
{
    const struct map_period *p = a->op ? a->op->period : NULL;

    field[0] = p && p->until.field ? p->until.field->index : NO_FIELD;
    field[1] = p && p->clock.field ? p->clock.field->index : NO_FIELD;
    field[2] = p && p->other.field ? p->other.field->index : NO_FIELD;
}

static void note_written(struct scope_work *s, const struct map_take *t, const struct action *a, unsigned n)
{
    uint16_t more[3];

    for (unsigned i = 0; i < t->n_guards; i++) /* the qualifier says it */
        if (t->guard[i].origin == GUARD_SAID)
            set_bit(s->written, t->guard[i].field->index);
    for (; n--; a++) {
        if (a->field != NO_FIELD)
            set_bit(s->written, a->field);
        if (a->beside != NO_FIELD)
            set_bit(s->written, a->beside);
        period_fields(a, more);
        for (unsigned i = 0; i < 3; i++)
            if (more[i] != NO_FIELD)
                set_bit(s->written, more[i]);
    }
}

/* ---- works ---- */

static void name_field(struct scope_work *s, unsigned i)
{
    const struct record_field *f = &s->object->field[i];
    struct field_name *name = &s->name[i];
    uint64_t words[2] = { 0, 0 }, masks[2] = { 0, 0 };

    memcpy(words, f->name.p, f->name.n < 16 ? f->name.n : 16);
    memset(masks, 0xff, f->name.n < 16 ? f->name.n : 16);
    *name = (struct field_name){ .head = words[0], .tail = words[1], .head_mask = masks[0], .tail_mask = masks[1],
                                 .n = (uint32_t)f->name.n, .type = JSON_STRING, .careful = true,
                                 .follows = (uint16_t)(i + 1 < s->object->n ? i + 1 : i) };
    if (f->required)
        set_bit(s->required, i);
    switch (f->type) {
    case RECORD_OBJECT:
        name->type = JSON_OBJECT;
        break;
    case RECORD_ARRAY:
        name->type = JSON_ARRAY;
        break;
    case RECORD_INTEGER:
        name->type = JSON_NUMBER;
        break;
    case RECORD_STRING:
        name->careful = f->n_values || f->min_length || f->max_length != SIZE_MAX;
        break;
    default:
        break;
    }
}

/* Which actions are plain: run when their field is there, and nothing else to think of. */
static bool sort_actions(struct layout *x, struct scope_work *s, struct action *action, unsigned n, uint64_t *mask,
                         struct action ***odd_r, unsigned *n_r)
{
    *n_r = 0;
    *odd_r = ARENA_ARRAY(x->arena, n + 1u, struct action *);
    if (!*odd_r)
        return nomem(x) != NULL;
    for (unsigned i = 0; i < n; i++) {
        if (action[i].odd || action[i].field == NO_FIELD || s->plain[action[i].field]) {
            (*odd_r)[(*n_r)++] = &action[i];
            continue;
        }
        s->plain[action[i].field] = &action[i];
        set_bit(mask, action[i].field);
    }
    return true;
}

/* What is left to hold against the kind once all lines are known. */
static void finish_names(struct scope_work *s)
{
    for (unsigned i = 0; i < s->object->n; i++) {
        const struct record_field *f = &s->object->field[i];
        s->name[i].lost = !bit_of(s->written, i);
        if (f->type == RECORD_OBJECT)
            s->name[i].careful = s->name[i].lost;
        if (f->type == RECORD_ARRAY && f->object)
            s->name[i].careful = s->name[i].lost || f->min_items || f->max_items != UINT32_MAX;
    }
    s->name[s->object->n].follows = 0;
}

/* Fields that need nothing but to be put in their place. */
static void settle_names(struct scope_work *s)
{
    for (unsigned i = 0; i < s->object->n; i++) {
        const struct action *a = bit_of(s->direct, i) ? s->plain[i] : NULL;
        bool gives = false;
        for (unsigned k = 0; k < s->n_words; k++)
            gives |= s->gives[i * s->n_words + k] != 0;
        s->name[i].settled = a && !gives;
        if (a && a->kind == ACTION_TEXT && a->component == 0 && a->adds == 0)
            s->name[i].element = a->element;
    }
}

static struct scope_work *new_scope(struct layout *x, const struct map_scope *scope, const struct record_object *object)
{
    struct scope_work *s = ARENA_NEW(x->arena, struct scope_work);
    int i = record_field_find(object, SLICE("unmapped"));
    if (!s)
        return nomem(x);
    s->scope = scope;
    s->object = object;
    s->unmapped = i < 0 ? NO_FIELD : (uint16_t)i;
    s->present_words = (object->n + 63u) / 64;
    s->plain = ARENA_ARRAY(x->arena, object->n + 1u, struct action *);
    s->name = ARENA_ARRAY(x->arena, object->n + 1u, struct field_name);
    if (!s->plain || !s->name)
        return nomem(x);
    for (unsigned k = 0; k < object->n; k++)
        name_field(s, k);
    s->next = x->w->all;
    x->w->all = s;
    return s;
}

static bool make_spread(struct layout *x, struct scope_work *s, const struct map_take *t, struct spread *p)
{
    unsigned kept;
    struct action *shared;

    *p = (struct spread){ .take = t, .field = t->field->index };
    /* two runs, so that `shared` counts what is kept */
    if (!make_actions(x, t, 0, t->shared ? t->shared : t->n_ops, &p->action, &p->shared))
        return false;
    p->n_actions = p->shared;
    if (t->kind == TAKE_PAIRS) {
        if (!make_actions(x, t, t->shared, t->n_ops, &shared, &kept))
            return false;
        if (kept) {
            struct action *all = ARENA_ARRAY(x->arena, p->shared + kept, struct action);
            if (!all)
                return nomem(x) != NULL;
            memcpy(all, p->action, p->shared * sizeof(*all));
            memcpy(all + p->shared, shared, kept * sizeof(*all));
            p->action = all;
            p->n_actions += kept;
        }
        p->item = new_scope(x, NULL, t->field->object);
        if (!p->item)
            return false;
        note_written(p->item, t, p->action, p->n_actions);
        if (!sort_actions(x, p->item, p->action, p->shared, p->item->direct, &p->odd, &p->n_odd))
            return false;
        finish_names(p->item);
        for (unsigned i = p->shared; i < p->n_actions && p->n_shared_fields + 2 <= 16; i++) {
            if (p->action[i].field != NO_FIELD)
                p->shared_field[p->n_shared_fields++] = p->action[i].field;
            if (p->action[i].beside != NO_FIELD)
                p->shared_field[p->n_shared_fields++] = p->action[i].beside;
        }
        if (p->n_shared_fields > 14)
            return too_large(x, "too many fields that pairs share");
    }
    if (p->n_actions == 0) { /* only read */
        p->field = NO_FIELD;
        return true;
    }
    if (t->n_parts > 1) { /* one for each component */
        struct action *all = ARENA_ARRAY(x->arena, t->n_parts, struct action);
        if (!all)
            return nomem(x) != NULL;
        for (unsigned i = 0; i < t->n_parts; i++) {
            all[i] = p->action[0];
            all[i].component = (uint8_t)(all[i].component + i);
        }
        p->action = all;
        p->n_actions = p->shared = t->n_parts;
    }
    for (unsigned i = 0; i < p->n_actions; i++)
        p->action[i].list = t->field;
    set_bit(s->written, p->field);
    return true;
}

static bool own_segment(struct layout *x, struct scope_work *s, const struct map_take *t, struct work *k)
{
    if (!make_actions(x, t, 0, t->n_ops, &k->action, &k->n_actions))
        return false;
    for (unsigned i = 0; i < k->n_actions; i++)
        k->states |= (k->action[i].op->odd & ODD_STATED) != 0;
    for (const struct map_take *p = t->pairs; p; p = p->pairs)
        k->n_spreads++;
    if (k->n_spreads) {
        unsigned n = 0;
        k->spread = ARENA_ARRAY(x->arena, k->n_spreads, struct spread);
        if (!k->spread)
            return nomem(x) != NULL;
        for (const struct map_take *p = t->pairs; p; p = p->pairs)
            if (!make_spread(x, s, p, &k->spread[n++]))
                return false;
    }
    note_written(s, t, k->action, k->n_actions);
    return sort_actions(x, s, k->action, k->n_actions, k->mask, &k->odd, &k->n_odd);
}

static bool same_segment(const struct work *k, const struct map_take *t)
{
    if (k->kind != WORK_SEGMENT || k->segment != t->segment || k->n_select != t->n_select || t->n_guards ||
        k->take->n_guards)
        return false;
    for (unsigned i = 0; i < k->n_select; i++)
        if (k->select[i].element != t->select[i].element || k->select[i].component != t->select[i].component ||
            k->select[i].key != t->select[i].key)
            return false;
    return true;
}

static struct scope_work *make_scope(struct layout *x, const struct map_scope *scope);

static struct scope_work *inner_scope(struct layout *x, const struct map_take *t)
{
    struct scope_work *s;
    if (x->depth == LIMIT_LOOP_DEPTH) {
        too_large(x, "blocks nested too deep");
        return NULL;
    }
    x->way[x->depth++] = t->field;
    s = make_scope(x, t->scope);
    x->depth--;
    return s;
}

/* A line that makes nodes of one kind. The same line may stand in several places: below whatever nodes its own may
 * be. */
static bool make_kind(struct layout *x, const struct map_take *t)
{
    struct writing *w = x->w;
    const struct map_scope *scope = t->scope;
    const unsigned depth = x->depth;
    struct node_kind *kind;

    for (unsigned i = 0; i < w->n_kinds; i++) {
        const struct map_take *o = w->kind[i].take;
        bool same = o->node == t->node && o->n_select == t->n_select &&
                    slice_eq(o->scope->kind_value, scope->kind_value);
        for (unsigned k = 0; same && k < t->n_select; k++)
            same = o->select[k].element == t->select[k].element && o->select[k].component == t->select[k].component &&
                   o->select[k].key == t->select[k].key;
        if (same)
            return true;
    }
    if (w->n_kinds == MOST_KINDS)
        return too_large(x, "too many kinds of nodes");
    kind = &w->kind[w->n_kinds++];
    *kind = (struct node_kind){ .take = t, .self = scope->self && scope->n_order, .group = scope->named, .naming = -1,
                                .silent = scope->self && !scope->n_order };
    w->tree = t->field;
    x->depth = 0;
    kind->scope = inner_scope(x, t);
    x->depth = depth;
    return kind->scope != NULL;
}

static bool make_work(struct layout *x, struct scope_work *s, const struct map_take *t)
{
    struct work *k = NULL;
    bool joins = t->kind == TAKE_SEGMENT || (t->kind == TAKE_SCOPE && t->scope->implied);

    if (!(t->direction & DIRECTION_WRITE))
        return true;
    if (t->kind == TAKE_SCOPE && t->scope->kind) { /* all nodes are written by one work of the root */
        for (unsigned i = 0; i < s->n_works; i++)
            if (s->work[i].kind == WORK_NODES)
                return make_kind(x, t);
        if (s == x->root) {
            k = &s->work[s->n_works++];
            *k = (struct work){ .kind = WORK_NODES, .take = t, .segment = t->segment, .field = t->field->index };
            set_bit(s->written, t->field->index);
        }
        return make_kind(x, t);
    }
    /* fields of a segment and of dotted objects in it make one segment */
    for (unsigned i = 0; joins && i < s->n_works; i++)
        if (same_segment(&s->work[i], t) && s->work[i].n_members < MOST_MEMBERS &&
            (t->kind == TAKE_SEGMENT || s->work[i].take->kind == TAKE_SEGMENT || s->work[i].take->scope->implied))
            k = &s->work[i];
    if (!k) {
        k = &s->work[s->n_works++];
        *k = (struct work){ .take = t, .segment = t->segment, .tag = x->guide->node[t->segment].tag,
                            .select = t->select, .n_select = t->n_select, .field = NO_FIELD };
    }
    switch (t->kind) {
    case TAKE_SEGMENT:
    case TAKE_CHECK:
        k->kind = WORK_SEGMENT;
        return own_segment(x, s, t, k);
    case TAKE_SCOPE: {
        struct scope_work *inner = inner_scope(x, t);
        if (!inner)
            return false;
        set_bit(s->written, t->field->index);
        if (!t->scope->list) {
            k->kind = WORK_SEGMENT;
            k->member[k->n_members] = inner;
            k->member_name[k->n_members] = t->field;
            k->member_field[k->n_members++] = t->field->index;
            return true;
        }
        k->kind = WORK_LIST;
        k->scope = inner;
        k->field = t->field->index;
        if (t->scope->tree)
            x->w->tree = t->field;
        for (unsigned i = 0; i + 1 < s->n_works; i++)
            if (s->work[i].kind == WORK_LIST && s->work[i].field == k->field)
                s->work[i].rival = k->rival = true;
        return true;
    }
    case TAKE_PAIRS:
    case TAKE_SPREAD:
        k->kind = WORK_PAIRS;
        k->n_spreads = 1;
        k->spread = ARENA_NEW(x->arena, struct spread);
        if (!k->spread)
            return nomem(x) != NULL;
        return make_spread(x, s, t, k->spread);
    case TAKE_FOLD:
        k->kind = WORK_FOLD;
        if (!make_actions(x, t, 0, t->n_ops, &k->action, &k->n_actions))
            return false;
        if (k->n_actions == 0) { /* only read */
            s->n_works--;
            return true;
        }
        k->field = t->field->index;
        note_written(s, t, k->action, k->n_actions);
        return true;
    default:
        k->kind = WORK_ALWAYS;
        return true;
    }
}

static void give(struct scope_work *s, unsigned field, unsigned work)
{
    if (field < s->object->n)
        s->gives[field * s->n_words + work / 64] |= 1ull << (work % 64);
}

static bool make_gives(struct layout *x, struct scope_work *s)
{
    s->n_words = (s->n_works + 63) / 64;
    if (s->n_words == 0)
        return true;
    s->gives = ARENA_ARRAY(x->arena, (size_t)s->object->n * s->n_words, uint64_t);
    if (!s->gives)
        return nomem(x) != NULL;
    for (unsigned i = 0; i < s->n_works; i++) {
        const struct work *k = &s->work[i];
        for (unsigned n = 0; n < k->n_actions; n++) {
            uint16_t more[3];
            period_fields(&k->action[n], more);
            for (unsigned m = 0; m < 3; m++)
                give(s, more[m], i);
            give(s, k->action[n].field, i);
            give(s, k->action[n].beside, i);
            if (k->action[n].kind >= ACTION_COUNT && k->action[n].kind <= ACTION_TOTAL)
                give(s, x->w->check[k->action[n].check].list_field, i);
        }
        for (unsigned n = 0; n < k->n_spreads; n++)
            give(s, k->spread[n].field, i);
        for (unsigned n = 0; n < k->n_members; n++)
            give(s, k->member_field[n], i);
        give(s, k->field, i);
        if (k->kind == WORK_ALWAYS)
            set_bit(s->always, i);
    }
    return true;
}

/* Lists that several segments share: what does not fit the first goes to the next. */
static void find_shared_lists(struct scope_work *s)
{
    struct spread *last[RECORD_FIELDS] = { NULL };

    for (unsigned i = 0; i <= s->n_works; i++) {
        struct work *k = i ? &s->work[i - 1] : &s->owner;
        for (unsigned n = 0; n < k->n_spreads; n++) {
            struct spread *p = &k->spread[n];
            if (p->field >= RECORD_FIELDS || !p->item)
                continue;
            if (last[p->field])
                last[p->field]->begins = p->goes_on = true;
            last[p->field] = p;
        }
    }
}

/* May a segment stand there with nothing of the record in it? What must be there stands there by itself. */
static bool may_be_empty(const struct work *k, const struct segment_def *def)
{
    uint64_t needed = def->mandatory;
    for (unsigned i = 0; i < k->n_actions; i++)
        if (k->action[i].constant.n)
            needed &= ~(1ull << (k->action[i].element - 1));
    return needed == 0;
}

/* Loops that are no objects of their own: their first segment is there when something inside of them is. */
static void find_openers(struct layout *x, struct scope_work *s)
{
    for (unsigned i = 0; i < s->n_works; i++) {
        struct work *k = &s->work[i];
        const struct guide_node *node = &x->guide->node[k->segment];
        const uint16_t end = x->guide->node[node->parent].end;
        if (k->kind != WORK_SEGMENT || !node->trigger || node->parent == s->scope->node || !k->take ||
            k->take->kind != TAKE_SEGMENT)
            continue;
        k->opens = node->def && may_be_empty(k, node->def);
        for (unsigned n = 0; n < s->n_works; n++) {
            const struct work *o = &s->work[n];
            if (n != i && o->kind != WORK_LIST && o->segment == k->segment)
                k->opens = false; /* which of them is not known */
            if (o->segment > k->segment && o->segment < end)
                set_bit(k->inside, n);
        }
        s->any_opens |= k->opens;
    }
}

/* Fields that are written only if another one says so. */
static void find_guarded(struct scope_work *s)
{
    uint64_t free_of[FIELD_WORDS] = { 0 };
    for (unsigned i = 0; i <= s->n_works; i++) {
        const struct work *k = i < s->n_works ? &s->work[i] : &s->owner;
        for (unsigned n = 0; n < k->n_actions; n++)
            if (k->action[n].field != NO_FIELD) {
                set_bit(k->action[n].guarded ? s->guarded : free_of, k->action[n].field);
                s->any_guarded |= k->action[n].guarded;
            }
        for (unsigned n = 0; k->take && n < k->take->n_guards; n++)
            if (k->take->guard[n].origin == GUARD_SAID)
                set_bit(s->guarded, k->take->guard[n].field->index);
    }
    for (unsigned i = 0; i < FIELD_WORDS; i++)
        s->guarded[i] &= ~free_of[i];
}

/* What tells whether an item goes on with the segment of the one before. */
static void make_row(struct scope_work *s, const struct guide_node *loop)
{
    const struct work *own = &s->owner;

    s->row = s->row_from = loop->ordinal;
    s->row_to = loop->end;
    for (unsigned i = 0; i < own->n_actions; i++) {
        if (own->action[i].field != NO_FIELD)
            set_bit(s->shared, own->action[i].field);
        if (own->action[i].beside != NO_FIELD)
            set_bit(s->shared, own->action[i].beside);
    }
    for (unsigned i = 0; i < own->n_spreads; i++)
        if (own->spread[i].field != NO_FIELD)
            set_bit(s->shared, own->spread[i].field);
    for (unsigned i = 0; i < s->n_works; i++) {
        const bool before = s->work[i].segment < s->row_from, behind = s->work[i].segment >= s->row_to;
        if (s->work[i].take->common) {
            set_bit(s->common, i);
            if (behind)
                set_bit(s->common_behind, i);
        } else if (before || behind) {
            set_bit(before ? s->before : s->behind, i);
        }
    }
    for (unsigned f = 0; f < s->object->n; f++)
        for (unsigned i = 0; i < s->n_words; i++)
            if (s->gives[(size_t)f * s->n_words + i] & s->common[i])
                set_bit(s->shared, f);
}

static struct scope_work *make_scope(struct layout *x, const struct map_scope *scope)
{
    struct scope_work *s = new_scope(x, scope, scope->object);
    if (!s)
        return NULL;
    if (!x->root)
        x->root = s;
    s->work = ARENA_ARRAY(x->arena, scope->n_order + 1, struct work);
    if (!s->work)
        return nomem(x);
    s->owner.field = NO_FIELD;
    for (unsigned i = 0; i < scope->n_order; i++) {
        const struct map_take *t = scope->order[i];
        if (t == scope->owner) {
            s->owner = (struct work){ .take = t, .segment = t->segment, .tag = x->guide->node[t->segment].tag,
                                      .select = t->select, .n_select = t->n_select, .field = NO_FIELD };
            if (!own_segment(x, s, t, &s->owner))
                return NULL;
            memcpy(s->direct, s->owner.mask, sizeof(s->direct));
        } else if (!make_work(x, s, t)) {
            return NULL;
        }
        if (s->n_works > WORK_WORDS * 64) {
            too_large(x, "a block with too many segments");
            return NULL;
        }
    }
    find_guarded(s);
    find_openers(x, s);
    find_shared_lists(s);
    finish_names(s);
    if (!make_gives(x, s))
        return NULL;
    if (scope->row)
        make_row(s, &x->guide->node[scope->row]);
    return s;
}

/* ---- at the end ---- */

static unsigned frames_of(const struct scope_work *s)
{
    unsigned most = 1; /* an item of pairs */
    for (unsigned i = 0; i < s->n_works; i++) {
        const struct work *k = &s->work[i];
        unsigned n = k->scope ? frames_of(k->scope) : 0;
        for (unsigned m = 0; m < k->n_members; m++) {
            unsigned inner = frames_of(k->member[m]) + k->n_members - 1;
            n = inner > n ? inner : n;
        }
        most = n > most ? n : most;
    }
    return most + 1;
}

/* A node's names and its kind are written by whatever it is; of what goes to nodes below nothing is lost. */
static void carry_field(struct scope_work *s, unsigned field)
{
    set_bit(s->written, field);
    s->name[field].lost = false;
}

/* May the parent of a node stand behind it? */
static bool has_any_order(const struct work *own)
{
    for (unsigned i = 0; i < own->n_actions; i++)
        if (own->action[i].kind == ACTION_PARENT)
            return own->action[i].op->conversion[0].number[0];
    return false;
}

static void finish_kinds(struct writing *w)
{
    for (unsigned i = 0; i < w->root->n_works; i++)
        if (w->tree && w->root->work[i].kind == WORK_LIST && w->root->work[i].field == w->tree->index)
            w->parents_first |= !has_any_order(&w->root->work[i].scope->owner);
    for (unsigned n = 0; n < w->n_kinds; n++) {
        struct node_kind *kind = &w->kind[n];
        struct scope_work *s = kind->scope;
        kind->any_order = kind->self || has_any_order(&s->owner);
        carry_field(s, (unsigned)record_field_find(s->object, SLICE("id")));
        carry_field(s, (unsigned)record_field_find(s->object, SLICE("parent")));
        carry_field(s, kind->take->scope->kind_field->index);
        for (unsigned i = 0; i < w->n_above; i++)
            if (!bit_of(s->written, w->above[i])) {
                set_bit(kind->hands, w->above[i]);
                carry_field(s, w->above[i]);
            }
        for (unsigned i = 0; i < s->n_works; i++) {
            const struct work *k = &s->work[i];
            for (unsigned a = 0; a < k->n_actions; a++) {
                if (k->action[a].above)
                    set_bit(kind->takes, i);
                if (kind->self && k->action[a].kind == ACTION_NODE)
                    kind->naming = (int)i;
            }
        }
        for (unsigned f = 0; kind->naming >= 0 && f < s->object->n; f++)
            for (unsigned i = 0; i < s->n_words; i++)
                if (s->gives[(size_t)f * s->n_words + i] & s->work[kind->naming].inside[i])
                    set_bit(kind->inside, f);
        if (kind->group && (!w->other || w->other->take->n_select))
            w->other = kind;
    }
}

static void mark_added(struct writing *w, struct action *a, unsigned n)
{
    for (; n--; a++) {
        if (a->op->odd & ODD_VALUE)
            a->adds = ADDS_TOTAL;
        for (unsigned c = 0; a->op->counted && c < w->n_checks; c++)
            if (w->check[c].kind == ACTION_SUM && a->op->field &&
                a->op->field == &w->check[c].item->field[w->check[c].item_field])
                a->adds = (uint8_t)(c + 1);
    }
}

static void finish_scope(struct writing *w, struct scope_work *s)
{
    for (unsigned i = 0; i <= s->n_works; i++) {
        struct work *k = i < s->n_works ? &s->work[i] : &s->owner;
        mark_added(w, k->action, k->n_actions);
        for (unsigned n = 0; n < k->n_actions && i < s->n_works; n++)
            k->below |= k->action[n].below;
        s->any_below |= k->below;
        for (unsigned n = 0; n < k->n_spreads; n++)
            mark_added(w, k->spread[n].action, k->spread[n].n_actions);
    }
}

static void finish_checks(struct writing *w)
{
    struct scope_work *root = w->root;
    for (unsigned c = 0; c < w->n_checks; c++) {
        struct check_work *check = &w->check[c];
        unsigned at = 0, list = UINT32_MAX;
        for (unsigned i = 0; i < root->n_works; i++) {
            struct work *k = &root->work[i];
            for (unsigned n = 0; n < k->n_actions; n++)
                if (k->action[n].kind >= ACTION_COUNT && k->action[n].kind <= ACTION_TOTAL && k->action[n].check == c)
                    at = i;
            if ((k->kind == WORK_LIST || k->kind == WORK_NODES) && k->field == check->list_field) {
                k->check = k->check ? k->check : (uint8_t)(c + 1);
                list = i; /* the last of them */
            }
        }
        check->ahead = list == UINT32_MAX || at < list;
    }
}

int writing_make(const struct map_plan *plan, struct arena *arena, struct writing *w_r, struct err *err)
{
    struct layout x = { .w = w_r, .arena = arena, .guide = plan->guide, .err = err };

    *w_r = (struct writing){ .plan = plan };
    w_r->inherit = ARENA_ARRAY(arena, 64, struct inheritance);
    if (!w_r->inherit)
        return err_nomem(err);
    w_r->root = make_scope(&x, plan->root);
    if (!w_r->root)
        return x.failed ? x.failed : err_nomem(err);
    w_r->frames = frames_of(w_r->root) + 2;
    for (unsigned i = 0; i < w_r->n_kinds; i++) {
        const unsigned n = frames_of(w_r->kind[i].scope) + 3;
        w_r->frames = n > w_r->frames ? n : w_r->frames;
    }
    finish_kinds(w_r);
    for (struct scope_work *s = w_r->all; s; s = s->next)
        finish_scope(w_r, s);
    for (struct scope_work *s = w_r->all; s; s = s->next)
        settle_names(s);
    finish_checks(w_r);
    for (unsigned i = 0; i < w_r->n_inherits; i++) {
        const struct scope_work *root = w_r->root;
        for (unsigned n = 0; n < root->n_works; n++)
            for (unsigned k = 0; k < root->work[n].n_actions; k++)
                w_r->inherit[i].written |= root->work[n].action[k].field == w_r->inherit[i].field;
    }
    return 0;
}
