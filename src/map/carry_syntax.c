/* carry_syntax: see carry_syntax.h. A line with an error is complained of and left out. */
#include "map/carry_syntax.h"

#include "map/syntax_inside.h"

static struct place place_of(const struct reading *r, unsigned i)
{
    return lines_place(&r->lines, &r->line, i);
}

static bool is_word(const struct reading *r, unsigned i, const char *text)
{
    return i < r->line.n && !r->line.word[i].quoted && slice_is(word(r, i), text);
}

/* A condition in brackets: `kind=department`, `kind!=department`, `marks`, `!marks`. */
static bool read_where(struct slice text, struct carry_step *s)
{
    bool found, negated;
    struct slice rest, name = slice_cut(text, '=', &rest, &found);

    if (s->n_wheres == CARRY_WHERES)
        return false;
    if (found) {
        negated = name.n && name.p[name.n - 1] == '!';
        name.n -= negated;
    } else {
        negated = name.n && name.p[0] == '!';
        name = slice_from(name, negated);
    }
    s->where[s->n_wheres].compares = found;
    s->where[s->n_wheres].negated = negated;
    s->where[s->n_wheres].name = name;
    s->where[s->n_wheres++].value = rest;
    return name.n > 0;
}

/* What stands in brackets: nothing, a number from 1, or conditions with commas between them. */
static bool read_brackets(struct slice text, struct carry_step *s)
{
    uint64_t nth;
    bool more = true;

    s->list = true;
    if (text.n == 0)
        return true;
    if (slice_number(text, UINT32_MAX, &nth)) {
        s->nth = (uint32_t)nth;
        return nth > 0;
    }
    while (more) {
        struct slice rest, one = slice_cut(text, ',', &rest, &more);
        if (!read_where(one, s))
            return false;
        text = rest;
    }
    return true;
}

static bool read_path(struct reading *r, unsigned i, struct slice text, struct carry_path *p)
{
    *p = (struct carry_path){ .text = text, .at = place_of(r, i) };
    if (slice_is(text, "."))
        return true;
    while (text.n) {
        struct carry_step *s = &p->step[p->n];
        size_t n = 0;

        if (p->n++ == CARRY_STEPS) {
            wrong(r, i, "a path of eight names at most is expected here");
            return false;
        }
        while (n < text.n && text.p[n] != '.' && text.p[n] != '[')
            n++;
        s->name = slice(text.p, n);
        text = slice_from(text, n);
        if (text.n && text.p[0] == '[') {
            bool found;
            struct slice rest, inside = slice_cut(slice_from(text, 1), ']', &rest, &found);
            if (!found || !read_brackets(inside, s)) {
                wrong(r, i, "what stands in brackets is nothing, a number from 1, or FIELD=VALUE");
                return false;
            }
            text = rest;
        }
        if (s->name.n == 0 || (text.n && (text.p[0] != '.' || text.n == 1))) {
            wrong(r, i, "a path is expected here, such as ship_to.id or references[kind=department].value");
            return false;
        }
        text = slice_from(text, 1);
    }
    if (p->n)
        return true;
    wrong(r, i, "a field of the record is expected here");
    return false;
}

static uint8_t operator_of(const struct reading *r, unsigned i)
{
    static const struct {
        const char *word;
        uint8_t operator;
    } operators[] = {
        { "or", CARRY_OR }, { "&", CARRY_JOIN }, { "+", CARRY_ADD }, { "-", CARRY_SUBTRACT },
        { "*", CARRY_TIMES }, { "/", CARRY_DIVIDE },
    };
    for (unsigned k = 0; k < sizeof(operators) / sizeof(operators[0]); k++)
        if (is_word(r, i, operators[k].word))
            return operators[k].operator;
    return CARRY_START;
}

/* Up to the arrow. */
static bool read_left(struct reading *r, struct carry_line *l, unsigned *at)
{
    unsigned i = *at;
    size_t room = 0;

    while (i < r->line.n && !is_word(r, i, "->")) {
        struct carry_operand o = { .kind = CARRY_PATH };
        struct slice w;

        if (is_word(r, i, "<->") || is_word(r, i, "<-")) {
            wrong(r, i, "a map between records goes one way: ->");
            return false;
        }
        if (l->n_left) {
            o.before = operator_of(r, i);
            if (o.before == CARRY_START) {
                wrong(r, i, "expected ->, or one of + - * / & or between two values");
                return false;
            }
            i++;
        }
        if (is_word(r, i, "sum") || is_word(r, i, "count"))
            o.kind = is_word(r, i++, "sum") ? CARRY_SUM : CARRY_COUNT;
        w = word(r, i);
        if (w.n == 0 && i >= r->line.n) {
            wrong(r, i, "a value is expected here");
            return false;
        }
        if (o.kind == CARRY_PATH && is_word(r, i, "ordinal")) {
            o.kind = CARRY_ORDINAL;
            o.path = (struct carry_path){ .text = w, .at = place_of(r, i) };
        } else if (o.kind == CARRY_PATH && (r->line.word[i].quoted || record_is_decimal(w))) {
            o.kind = CARRY_TEXT;
            o.text = w;
        } else if (!read_path(r, i, w, &o.path)) {
            return false;
        }
        i++;
        l->left = arena_grow(r->arena, l->left, l->n_left, &room, sizeof(*l->left));
        if (!l->left)
            return nomem(r) != NULL;
        l->left[l->n_left++] = o;
    }
    *at = i + 1;
    if (l->n_left && i < r->line.n)
        return true;
    wrong(r, i, l->n_left ? "expected ->" : "a value is expected here, then ->");
    return false;
}

static bool read_condition(struct reading *r, struct carry_line *l, unsigned *at, size_t *room)
{
    struct carry_condition c = { .negated = false };
    unsigned i = *at;

    if (is_word(r, i, "not")) {
        c.negated = true;
        i++;
    }
    if (!read_path(r, i, word(r, i), &c.path))
        return false;
    i++;
    if (is_word(r, i, "=") || is_word(r, i, "!=")) {
        c.compares = true;
        c.negated ^= is_word(r, i, "!=");
        if (i + 1 >= r->line.n) {
            wrong(r, i + 1, "a value is expected here");
            return false;
        }
        c.value = word(r, i + 1);
        i += 2;
    }
    *at = i;
    l->condition = arena_grow(r->arena, l->condition, l->n_conditions, room, sizeof(*l->condition));
    if (!l->condition)
        return nomem(r) != NULL;
    l->condition[l->n_conditions++] = c;
    return true;
}

static const struct {
    const char *name;
    uint8_t kind;
    uint32_t most;          /* its first argument is a number up to this; 0: it has none */
    bool text;              /* then a text */
} conversions[] = {
    { "code", CARRY_CODE, 0, true },      { "lookup", CARRY_LOOKUP, 0, true }, { "date", CARRY_DATE, 0, false },
    { "time", CARRY_TIME, 0, false },     { "round", CARRY_ROUND, 30, false }, { "pad", CARRY_PAD, 1000, true },
    { "prefix", CARRY_PREFIX, 0, true },  { "strip", CARRY_STRIP, 0, true },   { "trim", CARRY_TRIM, 0, false },
    { "upper", CARRY_UPPER, 0, false },   { "default", CARRY_DEFAULT, 0, true },
};

/* lookup TABLE KEY VALUE [with COLUMN = PATH] [else keep|nothing|"TEXT"], from behind TABLE on */
static bool read_lookup(struct reading *r, struct carry_conversion *c, unsigned *at)
{
    unsigned i = *at;

    c->key = word(r, i++);
    c->value = word(r, i++);
    if (c->value.n == 0) {
        wrong(r, *at, "expected: lookup TABLE COLUMN COLUMN, the one that is looked in and the one that is given");
        return false;
    }
    while (is_word(r, i, "with")) {
        if (c->n_withs == CARRY_WITHS || !is_word(r, i + 2, "=")) {
            wrong(r, i, "expected, up to three times: with COLUMN = FIELD");
            return false;
        }
        c->with[c->n_withs].column = word(r, i + 1);
        if (!read_path(r, i + 3, word(r, i + 3), &c->with[c->n_withs].path))
            return false;
        c->n_withs++;
        i += 4;
    }
    if (is_word(r, i, "else")) {
        if (i + 1 >= r->line.n) {
            wrong(r, i + 1, "expected: else keep, else nothing, or else \"TEXT\"");
            return false;
        }
        c->otherwise = is_word(r, i + 1, "keep")      ? CARRY_ELSE_KEEP
                       : is_word(r, i + 1, "nothing") ? CARRY_ELSE_NOTHING
                                                      : CARRY_ELSE_TEXT;
        c->otherwise_text = word(r, i + 1);
        i += 2;
    }
    *at = i;
    return true;
}

/* What stands behind RIGHT. */
static bool read_rest(struct reading *r, struct carry_line *l, unsigned i)
{
    size_t room = 0, conditions = 0;

    while (i < r->line.n) {
        struct carry_conversion c = { .at = place_of(r, i) };
        struct slice best = { 0 };
        unsigned k, distance = 3;
        uint64_t number;

        if (is_word(r, i, "as")) {
            l->name = word(r, i + 1);
            if (l->name.n == 0) {
                wrong(r, i + 1, "a name is expected here");
                return false;
            }
            i += 2;
            continue;
        }
        if (is_word(r, i, "tree")) {
            l->tree_id = word(r, i + 1);
            l->tree_parent = word(r, i + 2);
            if (l->tree_parent.n == 0) {
                wrong(r, i,
                      "expected: tree ID PARENT, the fields that say how nodes are called and below which they are");
                return false;
            }
            i += 3;
            continue;
        }
        if (is_word(r, i, "copy") || is_word(r, i, "use")) {
            if (is_word(r, i, "copy")) {
                l->copy = true;
                i++;
                continue;
            }
            struct carry_line *use = ARENA_NEW(r->arena, struct carry_line);
            if (!use)
                return nomem(r) != NULL;
            use->kind = CARRY_USE;
            use->at = place_of(r, i + 1);
            use->name = word(r, i + 1);
            l->child = use;
            i += 2;
            continue;
        }
        if (is_word(r, i, "if")) {
            do {
                i++;
                if (!read_condition(r, l, &i, &conditions))
                    return false;
            } while (is_word(r, i, "and"));
            continue;
        }
        for (k = 0; k < sizeof(conversions) / sizeof(conversions[0]); k++)
            if (is_word(r, i, conversions[k].name))
                break;
        if (k == sizeof(conversions) / sizeof(conversions[0])) {
            struct place at = place_of(r, i);
            complain(r->lines.complaints, &at, "there is no conversion \"%.*s\"", SLICE_FMT(word(r, i)));
            for (k = 0; k < sizeof(conversions) / sizeof(conversions[0]); k++)
                suggest(word(r, i), slice_of(conversions[k].name), &best, &distance);
            if (best.n)
                complain_hint(r->lines.complaints, "did you mean \"%.*s\"?", SLICE_FMT(best));
            return false;
        }
        c.kind = conversions[k].kind;
        i++;
        if (conversions[k].most) {
            if (!slice_number(word(r, i), conversions[k].most, &number)) {
                wrong(r, i, "a number is expected here");
                return false;
            }
            c.number = (uint32_t)number;
            i++;
        }
        if (conversions[k].text) {
            if (i >= r->line.n) {
                wrong(r, i, "a value is expected here");
                return false;
            }
            c.text = word(r, i++);
        }
        if (c.kind == CARRY_LOOKUP && !read_lookup(r, &c, &i))
            return false;
        l->conversion = arena_grow(r->arena, l->conversion, l->n_conversions, &room, sizeof(*l->conversion));
        if (!l->conversion)
            return nomem(r) != NULL;
        l->conversion[l->n_conversions++] = c;
    }
    return true;
}

/* recall KIND by FIELD as NAME;  recall o.lines[] by FIELD = PATH or FIELD = PATH as NAME optional */
static bool read_recall(struct reading *r, struct carry_line *l)
{
    unsigned i = 3;

    l->kind = CARRY_RECALL;
    l->recalled = word(r, 1);
    l->key = ARENA_ARRAY(r->arena, CARRY_KEYS, struct carry_key);
    if (!l->key)
        return nomem(r) != NULL;
    if (!is_word(r, 2, "by") || !read_path(r, 1, word(r, 1), &l->from)) {
        wrong(r, 2, "expected: recall KIND by FIELD as NAME");
        return false;
    }
    for (;;) {
        struct carry_key *k = l->key + l->n_keys;
        if (l->n_keys++ == CARRY_KEYS) {
            wrong(r, i, "up to four fields to recall by are expected here");
            return false;
        }
        if (!read_path(r, i, word(r, i), &k->theirs))
            return false;
        i++;
        if (is_word(r, i, "=")) {
            if (!read_path(r, i + 1, word(r, i + 1), &k->ours))
                return false;
            i += 2;
        } else {
            /* by our own field; theirs is the number of what is recalled */
            k->ours = k->theirs;
            k->theirs = (struct carry_path){ .n = 1, .text = SLICE("number"), .at = k->ours.at };
            k->theirs.step[0].name = SLICE("number");
        }
        if (!is_word(r, i, "or"))
            break;
        i++;
    }
    if (!is_word(r, i, "as") || word(r, i + 1).n == 0) {
        wrong(r, i, "expected: as NAME");
        return false;
    }
    l->name = word(r, i + 1);
    i += 2;
    if (is_word(r, i, "optional")) {
        l->optional = true;
        i++;
    }
    if (i < r->line.n) {
        wrong(r, i, "nothing more is expected here");
        return false;
    }
    return true;
}

/* One line for each field that is named. */
static struct carry_line *read_fields(struct reading *r, uint8_t kind, unsigned i)
{
    struct carry_line *first = NULL, **link = &first;

    if (i >= r->line.n)
        wrong(r, i, "a field is expected here");
    for (; i < r->line.n; i++) {
        struct carry_line *l = ARENA_NEW(r->arena, struct carry_line);
        if (!l)
            return nomem(r);
        l->kind = kind;
        l->at = l->right_at = place_of(r, i);
        l->right = word(r, i);
        if (l->right.n > 2 && l->right.p[l->right.n - 1] == ']' && l->right.p[l->right.n - 2] == '[')
            l->right.n -= 2;
        *link = l;
        link = &l->next;
    }
    return first;
}

static bool read_carried(struct reading *r, struct carry_line *l)
{
    struct slice w;
    unsigned i = 0;

    if (!read_left(r, l, &i))
        return false;
    l->at.width = (uint32_t)(r->line.word[i - 2].column + r->line.word[i - 2].s.n) - l->at.column;
    l->right_at = place_of(r, i);
    w = word(r, i);
    if (w.n == 0) {
        wrong(r, i, "a field of the record that is made is expected here");
        return false;
    }
    if (w.n > 2 && w.p[w.n - 1] == ']' && w.p[w.n - 2] == '[') {
        l->list = true;
        w.n -= 2;
    }
    l->right = w;
    if (memchr(w.p, '[', w.n)) {
        wrong(r, i, "expected: FIELD or LIST[]");
        return false;
    }
    return read_rest(r, l, i + 1);
}

struct carry_line *carry_read_line(struct reading *r)
{
    struct carry_line *l = ARENA_NEW(r->arena, struct carry_line), *last;
    unsigned depth = r->line.depth;
    bool good = true;

    if (!l)
        return nomem(r);
    l->at = place_of(r, 0);
    if (is_word(r, 0, "use") && r->line.n == 2) {
        l->kind = CARRY_USE;
        l->name = word(r, 1);
    } else if (is_word(r, 0, "drop") || is_word(r, 0, "without") || (is_word(r, 0, "must") && is_word(r, 1, "map"))) {
        bool must = is_word(r, 0, "must");
        struct carry_line *fields =
            read_fields(r, must ? CARRY_MUST : is_word(r, 0, "drop") ? CARRY_DROP : CARRY_WITHOUT, must ? 2 : 1);
        good = fields != NULL;
        l = fields ? fields : l;
    } else if (is_word(r, 0, "recall")) {
        good = read_recall(r, l);
    } else {
        good = read_carried(r, l);
    }
    if (r->lines.complaints->nomem)
        return NULL;
    advance(r);
    if (r->more && r->line.depth > depth) {
        struct carry_line *below;
        if (good && l->kind != CARRY_LINE)
            wrong(r, 0, "nothing stands below such a line");
        below = carry_read_lines(r, depth + 1);
        if (r->lines.complaints->nomem)
            return NULL;
        for (last = l->child; last && last->next; last = last->next)
            ;
        if (last)
            last->next = below;
        else
            l->child = below;
    }
    if (!good) /* enough was said of it */
        *l = (struct carry_line){ .kind = CARRY_DROP, .at = l->at };
    return l;
}

struct carry_line *carry_read_lines(struct reading *r, unsigned depth)
{
    struct carry_line *first = NULL, **link = &first;

    while (r->more && r->line.depth >= depth && !r->lines.complaints->nomem) {
        *link = carry_read_line(r);
        while (*link)
            link = &(*link)->next;
    }
    return first;
}

void carry_read_split(struct reading *r, struct map *map)
{
    if (r->line.n != 4 || !is_word(r, 2, "by")) {
        wrong(r, 0, "expected: split LIST by FIELD");
        return;
    }
    map->split_at = place_of(r, 1);
    map->split = word(r, 1);
    if (map->split.n > 2 && slice_is(slice_from(map->split, map->split.n - 2), "[]"))
        map->split.n -= 2;
    read_path(r, 3, word(r, 3), &map->split_by);
}
