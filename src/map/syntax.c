/* syntax: see syntax.h. Borrows from the file's text; everything made is in the arena. */
#include "map/syntax_inside.h"

#include <stdio.h>

/* The words of a conversion are its name and its arguments. */
static const struct {
    const char *name;
    uint8_t kind;
    uint32_t most;          /* its first argument is a number up to this; 0: it has none */
    bool text;              /* then a text */
    bool once;              /* a second one on a line is a mistake */
} conversions[] = {
    { "code", CONVERT_CODE, 0, true, true },
    { "lookup", CONVERT_CODE, 0, true, true },
    { "date", CONVERT_DATE, 0, false, true },
    { "time", CONVERT_TIME, 0, false, true },
    { "datetime", CONVERT_DATETIME, 0, false, true },
    { "decimal", CONVERT_DECIMAL, 0, false, true },
    { "implied", CONVERT_IMPLIED, 30, false, true },
    { "less", CONVERT_LESS, 1000, false, true },
    { "fold", CONVERT_FOLD, 100000, false, true },
    { "period", CONVERT_PERIOD, 0, true, true },
    { "or", CONVERT_OR, 0, true, true },
    { "trim", CONVERT_TRIM, 0, false, false },
    { "upper", CONVERT_UPPER, 0, false, false },
    { "pad", CONVERT_PAD, 100000, true, true },
    { "prefix", CONVERT_PREFIX, 0, true, false },
    { "default", CONVERT_DEFAULT, 0, true, true },
    { "const", CONVERT_CONST, 0, true, true },
    { "inherit", CONVERT_INHERIT, 0, true, true },
    { "tree", CONVERT_TREE, 0, false, true },
    { "any-order", CONVERT_ANY_ORDER, 0, false, true },
    { "above", CONVERT_ABOVE, 0, false, true },
    { "below", CONVERT_BELOW, 0, true, true },
    { "midnight", CONVERT_MIDNIGHT, 0, false, true },
};

/* There is one, most often: there is room for 1, 2, 4, … */
static bool add_conversion(struct reading *r, struct map_line *l, struct conversion c)
{
    const unsigned n = l->n_conversions;
    if ((n & (n - 1)) == 0) {
        struct conversion *all = ARENA_ARRAY(r->arena, n ? n * 2 : 1, struct conversion);
        if (!all)
            return nomem(r);
        if (n)
            memcpy(all, l->conversion, n * sizeof(*all));
        l->conversion = all;
    }
    l->conversion[l->n_conversions++] = c;
    return true;
}

static bool has_conversion(const struct map_line *l, unsigned kind)
{
    for (unsigned i = 0; i < l->n_conversions; i++)
        if (l->conversion[i].kind == kind)
            return true;
    return false;
}

static bool make_guards(struct reading *r, struct map_line *l)
{
    if (!l->guard)
        l->guard = ARENA_ARRAY(r->arena, MOST_GUARDS, struct map_condition);
    return l->guard ? true : nomem(r) != NULL;
}

/* if FIELD = VALUE   if FIELD != VALUE   if FIELD   if not FIELD, joined by `and`. The word behind them. */
static unsigned read_guards(struct reading *r, struct map_line *l, unsigned i)
{
    const unsigned from = i;
    bool right = true;

    do {
        struct map_condition g = { .absent = slice_is(word(r, i + 1), "not") };
        i += 1u + g.absent;
        g.field = word(r, i++);
        right &= g.field.n > 0;
        if (!g.absent && (slice_is(word(r, i), "=") || slice_is(word(r, i), "!="))) {
            g.absent = slice_is(word(r, i), "!=");
            g.value = word(r, i + 1);
            right &= g.value.n > 0;
            i += 2;
        }
        if (l->n_guards == MOST_GUARDS)
            wrong(r, from, "a line has four conditions at most");
        else if (make_guards(r, l))
            l->guard[l->n_guards++] = g;
    } while (slice_is(word(r, i), "and"));
    if (!right)
        wrong(r, from, "expected: if FIELD = VALUE, if FIELD or if not FIELD, and more behind `and`");
    return i;
}

/* From word i on: conversions, beside, until, else, use, shared, if. */
static bool read_conversions(struct reading *r, struct map_line *l, unsigned i)
{
    static const char *const names[] = { "time", "beside", "until", "else", "use" };
    struct slice *const name[] = { &l->clock, &l->beside, &l->until, &l->otherwise, &l->name };
    while (i < r->line.n) {
        struct slice w = word(r, i), best = { 0 };
        unsigned k, distance = 3;
        for (k = 0; k < sizeof(names) / sizeof(names[0]) && !slice_is(w, names[k]); k++)
            ;
        if (k == 0 && !has_conversion(l, CONVERT_PERIOD)) /* elsewhere it is a conversion */
            k = sizeof(names) / sizeof(names[0]);
        if (k < sizeof(names) / sizeof(names[0])) {
            if (word(r, i + 1).n == 0)
                wrong(r, i + 1, "a name is expected here");
            *name[k] = word(r, i + 1);
            i += 2;
            continue;
        }
        if (slice_is(w, "shared")) {
            if (l->shared)
                wrong(r, i, "this word stands on the line already");
            l->shared = true;
            i++;
            continue;
        }
        if (slice_is(w, "if")) {
            i = read_guards(r, l, i);
            continue;
        }
        for (k = 0; k < sizeof(conversions) / sizeof(conversions[0]); k++)
            if (slice_is(w, conversions[k].name))
                break;
        if (k == sizeof(conversions) / sizeof(conversions[0])) {
            struct place at = lines_place(&r->lines, &r->line, i);
            complain(r->lines.complaints, &at, "there is no conversion \"%.*s\"", SLICE_FMT(w));
            for (k = 0; k < sizeof(conversions) / sizeof(conversions[0]); k++)
                suggest(w, slice_of(conversions[k].name), &best, &distance);
            if (best.n)
                complain_hint(r->lines.complaints, "did you mean \"%.*s\"?", SLICE_FMT(best));
            return true;
        }
        struct conversion c = { .kind = conversions[k].kind };
        for (unsigned n = 0; n < l->n_conversions && conversions[k].once; n++)
            if (l->conversion[n].kind == c.kind) {
                wrong(r, i, "this conversion stands on the line already");
                break;
            }
        if (c.kind == CONVERT_CONST && l->direction != DIRECTION_WRITE) {
            wrong(r, i, "a constant is only written");
            complain_hint(r->lines.complaints, "write <- instead: what is read may be something else.");
        }
        i++;
        if (c.kind == CONVERT_FOLD && !(word(r, i).n && is_digit(word(r, i).p[0]))) {
            /* as wide as the guide has it */
        } else if (conversions[k].most) {
            uint64_t value;
            if (!slice_number(word(r, i), conversions[k].most, &value) || value == 0) {
                char what[60];
                snprintf(what, sizeof(what), "a number from 1 to %u is expected here", conversions[k].most);
                wrong(r, i, what);
                value = 1;
            }
            c.number[0] = (uint32_t)value;
            i++;
        }
        if (conversions[k].text) {
            if (i >= r->line.n)
                wrong(r, i, "a value is expected here");
            c.text = word(r, i++);
        }
        if (c.kind == CONVERT_BELOW) {
            const struct slice value = word(r, i + 1);
            if (!slice_is(word(r, i), "=") || !value.n)
                wrong(r, i, "expected: below FIELD = VALUE");
            else
                c.text.n = (size_t)(value.p + value.n - c.text.p);
            i += 2;
        }
        if (c.kind == CONVERT_PREFIX && word(r, i).n && is_digit(word(r, i).p[0])) { /* with it: so many characters */
            uint64_t value;
            if (!slice_number(word(r, i), 100000, &value) || value <= c.text.n)
                wrong(r, i, "a number of characters is expected here, more than the prefix has");
            else
                c.number[0] = (uint32_t)value;
            i++;
        }
        if (!add_conversion(r, l, c))
            return false;
    }
    return true;
}

/* lines[]   items[].(scheme id)   totals.weight   number */
static unsigned read_right(struct reading *r, struct map_line *l, unsigned i)
{
    struct slice w = word(r, i), rest;
    bool found;
    l->right_at = lines_place(&r->lines, &r->line, i);
    if (w.n == 0) {
        wrong(r, i, "a field of the record is expected here");
        return i + 1;
    }
    l->right = slice_cut(w, '[', &rest, &found);
    i++;
    if (!found)
        return i;
    l->list = true;
    if (rest.n == 0 || rest.p[0] != ']') {
        wrong(r, i - 1, "a list is written NAME[]");
        return i;
    }
    rest = slice_from(rest, 1);
    if (rest.n == 0)
        return i;
    if (!slice_starts(rest, SLICE(".("))) {
        wrong(r, i - 1, "expected: NAME[] or NAME[].(FIRST SECOND)");
        return i;
    }
    rest = slice_from(rest, 2);
    l->group = ARENA_ARRAY(r->arena, MOST_NAMES, struct slice);
    if (!l->group) {
        nomem(r);
        return i;
    }
    for (;;) {
        bool last = rest.n && rest.p[rest.n - 1] == ')';
        if (last)
            rest.n--;
        if (rest.n == 0 || l->n_group == MOST_NAMES) {
            wrong(r, i - 1, "up to eight names in parentheses are expected here");
            return i;
        }
        l->group[l->n_group++] = rest;
        if (last)
            return i;
        rest = word(r, i++);
    }
}

static struct map_line *read_lines(struct reading *r, unsigned depth);

/* check count LIST [if FIELD = VALUE]   check sum LIST.FIELD   [->] check total PLACE or LIST.FIELD   check children */
static bool read_check(struct reading *r, struct map_line *l, unsigned i)
{
    struct conversion c = { .kind = CONVERT_CHECK_COUNT };
    const bool reads = slice_is(word(r, i), "->");
    const unsigned at = i + reads + 1;
    struct slice what = word(r, at);

    i = at + 1;
    if (reads)
        l->direction = DIRECTION_READ;
    if (slice_is(what, "children")) {
        c.kind = CONVERT_CHECK_CHILDREN;
        i--;
    } else if (slice_is(what, "sum")) {
        c.kind = CONVERT_CHECK_SUM;
    } else if (slice_is(what, "total")) {
        c.kind = CONVERT_CHECK_TOTAL;
        l->values = ARENA_NEW(r->arena, struct path);
        if (!l->values)
            return nomem(r) != NULL;
        if (!path_read(&r->lines, &r->line, &i, l->values))
            return true;
        if (!slice_is(word(r, i), "or"))
            what = slice(NULL, 0);
        i++;
    } else if (!slice_is(what, "count")) {
        what = slice(NULL, 0);
    }
    c.text = word(r, i);
    l->right_at = lines_place(&r->lines, &r->line, i);
    i++;
    if (c.kind == CONVERT_CHECK_COUNT && slice_is(word(r, i), "if") && slice_is(word(r, i + 2), "=")) {
        if (!make_guards(r, l))
            return false;
        l->guard[0].field = word(r, i + 1);
        l->guard[0].value = word(r, i + 3);
        i += 4;
    }
    if (what.n == 0 || i != r->line.n || (reads && c.kind != CONVERT_CHECK_TOTAL))
        wrong(r, at, "expected: check count LIST, check sum LIST.FIELD, check total PLACE or LIST.FIELD, or check "
                     "children");
    return add_conversion(r, l, c);
}

static struct map_line *read_line(struct reading *r)
{
    struct map_line *l = ARENA_NEW(r->arena, struct map_line);
    unsigned i = 0, before = r->lines.complaints->count;
    struct slice w;

    if (!l)
        return nomem(r);
    l->at = lines_place(&r->lines, &r->line, 0);
    l->direction = DIRECTION_BOTH;
    if (slice_is(word(r, 0), "use") && r->line.n == 2) {
        l->use = l;
        l->name = word(r, 1);
        advance(r);
        return l;
    }
    if (slice_is(word(r, 0), "drop")) {
        l->drop = true;
        i = 1;
    }
    if (slice_is(word(r, i), ".")) { /* the document itself */
        l->left.step = ARENA_NEW(r->arena, struct path_step);
        if (!l->left.step)
            return nomem(r);
        l->left.step[l->left.n_steps++].tag = word(r, i++);
        l->itself = true;
    } else if (!path_read(&r->lines, &r->line, &i, &l->left)) {
        unsigned at = r->line.depth;
        advance(r);
        while (r->more && r->line.depth > at)
            advance(r);
        return l;
    }
    l->at.width = (uint32_t)(r->line.word[i - 1].column + r->line.word[i - 1].s.n) - l->at.column;
    w = word(r, i);
    if (l->drop) {
        if (i < r->line.n)
            wrong(r, i, "nothing more is expected here");
        advance(r);
        return l;
    }
    if (slice_is(w, "pairs")) {
        l->pairs = true;
        w = word(r, ++i);
    }
    if (slice_is(w, "row") && i + 1 == r->line.n) {
        l->row = true;
    } else if (slice_is(w, "always") && i + 1 == r->line.n) {
        l->always = true;
        l->direction = DIRECTION_WRITE;
    } else if (slice_is(w, "check") || (slice_is(w, "->") && slice_is(word(r, i + 1), "check"))) {
        if (!read_check(r, l, i))
            return NULL;
    } else if (slice_is(w, "<->") || slice_is(w, "->") || slice_is(w, "<-")) {
        l->direction = slice_is(w, "->") ? DIRECTION_READ : slice_is(w, "<-") ? DIRECTION_WRITE : DIRECTION_BOTH;
        i++;
        if (slice_is(word(r, i), "const") && l->direction == DIRECTION_WRITE)
            l->right = slice(NULL, 0);
        else
            i = read_right(r, l, i);
        if (!read_conversions(r, l, i))
            return NULL;
    } else {
        wrong(r, i, "expected <->, ->, <-, check, always or row");
    }
    if (r->lines.complaints->count > before)
        l->left.n_steps = 0; /* enough was said of it */
    unsigned at = r->line.depth;
    advance(r);
    if (r->more && r->line.depth > at) {
        if (l->left.n_elements && !l->pairs && !l->list)
            wrong(r, 0, "nothing stands below a line of one field");
        l->child = read_lines(r, at + 1);
    }
    return l;
}

static struct map_line *read_lines(struct reading *r, unsigned depth)
{
    struct map_line *first = NULL, **link = &first;
    while (r->more && r->line.depth >= depth && !r->lines.complaints->nomem) {
        struct map_line *l = read_line(r);
        if (!l)
            return NULL;
        *link = l;
        link = &l->next;
    }
    return first;
}

/* between guide x12/004010/850 and record order 1;  between record order 1 and record warehouse_order 1 */
static void read_between(struct reading *r, struct map *m)
{
    uint64_t version, from;
    if (r->line.n == 8 && slice_is(word(r, 1), "record") && slice_number(word(r, 3), 1000, &from) &&
        slice_is(word(r, 4), "and") && slice_is(word(r, 5), "record") && slice_number(word(r, 7), 1000, &version)) {
        m->between_records = true;
        m->from_kind = word(r, 2);
        m->from_version = (unsigned)from;
        m->kind = word(r, 6);
        m->version = (unsigned)version;
        return;
    }
    if (r->line.n != 7 || !slice_is(word(r, 1), "guide") || !slice_is(word(r, 3), "and") ||
        !slice_is(word(r, 4), "record") || !slice_number(word(r, 6), 1000, &version)) {
        wrong(
            r, 0,
            "expected: between guide STANDARD/VERSION/SET and record KIND VERSION, or: between record KIND VERSION and "
            "record KIND VERSION");
        return;
    }
    m->guide[0] = word(r, 2);
    if (m->n_guides == 0)
        m->n_guides = 1;
    m->kind = word(r, 5);
    m->version = (unsigned)version;
}

static bool read_map(struct reading *r, struct map *m, struct slice *from_r, struct place *from_at_r)
{
    struct map_line **link = &m->line;
    struct carry_line **carry_link = &m->carry_line;
    unsigned i = 2;
    m->name = word(r, 1);
    if (m->name.n == 0)
        wrong(r, 1, "a map's name is expected here, such as x12/850-order");
    if (slice_is(word(r, 2), "from")) {
        *from_r = word(r, 3);
        *from_at_r = lines_place(&r->lines, &r->line, 3);
        i = 4;
    }
    if (i < r->line.n)
        m->title = word(r, i);
    advance(r);
    while (r->more && r->line.depth > 0 && !r->lines.complaints->nomem) {
        if (slice_is(word(r, 0), "between")) {
            read_between(r, m);
            advance(r);
        } else if (slice_is(word(r, 0), "also") && slice_is(word(r, 1), "for")) {
            for (unsigned k = 2; k < r->line.n; k++)
                if (m->n_guides < 16)
                    m->guide[m->n_guides ? m->n_guides++ : (m->n_guides = 2, 1)] = word(r, k);
            advance(r);
        } else if (slice_is(word(r, 0), "blocks")) {
            for (unsigned k = 1; k < r->line.n; k++) {
                if (m->n_blocks == 4) {
                    wrong(r, k, "a map takes blocks from four files at most");
                    break;
                }
                m->borrowed[m->n_blocks].at = lines_place(&r->lines, &r->line, k);
                m->borrowed[m->n_blocks++].name = word(r, k);
            }
            advance(r);
        } else if (m->between_records && slice_is(word(r, 0), "split")) {
            carry_read_split(r, m);
            advance(r);
        } else if (m->between_records) {
            *carry_link = carry_read_line(r);
            if (!*carry_link)
                return false;
            while (*carry_link)
                carry_link = &(*carry_link)->next;
        } else if (slice_is(word(r, 0), "must") && slice_is(word(r, 1), "map")) {
            unsigned k = 2;
            while (k < r->line.n && m->n_must < 64) {
                m->must[m->n_must].at = lines_place(&r->lines, &r->line, k);
                if (!path_read(&r->lines, &r->line, &k, &m->must[m->n_must].path))
                    break;
                m->n_must++;
            }
            advance(r);
        } else {
            struct map_line *l = read_line(r);
            if (!l)
                return false;
            *link = l;
            link = &l->next;
        }
    }
    return !r->lines.complaints->nomem;
}

/* Blocks and tables up to the end of the file. */
static bool read_shared(struct reading *r, struct map *map)
{
    struct map_block **link = &map->block;
    struct complaints *c = r->lines.complaints;

    while (r->more && !c->nomem) {
        if (slice_is(word(r, 0), "block") && r->line.n == 2) {
            struct map_block *b = ARENA_NEW(r->arena, struct map_block);
            if (!b)
                return nomem(r) != NULL;
            b->name = word(r, 1);
            advance(r);
            if (map->between_records)
                b->carry = carry_read_lines(r, 1);
            else
                b->line = read_lines(r, 1);
            *link = b;
            link = &b->next;
        } else if (slice_is(word(r, 0), "table")) {
            struct map_table *t = map_table_read(&r->lines, &r->line, r->arena);
            if (!t)
                return nomem(r) != NULL;
            t->next = map->table;
            map->table = t;
            advance(r);
        } else {
            wrong(r, 0, "expected \"block NAME\" or \"table NAME\"");
            do
                advance(r);
            while (r->more && r->line.depth > 0);
        }
    }
    return !c->nomem;
}

bool map_syntax_read_blocks(struct slice file, struct slice text, struct arena *arena, struct complaints *c,
                            struct map *map)
{
    struct reading r = { .arena = arena, .map = map };

    lines_init(&r.lines, file, text, arena, c);
    advance(&r);
    return read_shared(&r, map);
}

bool map_syntax_read(struct slice file, struct slice text, struct arena *arena, struct complaints *c, struct map *map,
                     struct slice *from_r, struct place *from_at_r)
{
    struct reading r = { .arena = arena, .map = map };

    *from_r = slice(NULL, 0);
    lines_init(&r.lines, file, text, arena, c);
    advance(&r);
    if (!r.more || !slice_is(word(&r, 0), "map")) {
        struct place at = { .file = file, .line = 1 };
        if (r.more)
            at = lines_place(&r.lines, &r.line, 0);
        complain(c, &at, "a map begins with: map NAME, or: map NAME from BASE");
        return !c->nomem;
    }
    return read_map(&r, map, from_r, from_at_r) && read_shared(&r, map);
}
