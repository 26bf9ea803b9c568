/*
 * dictionary: a version's segments, elements and code lists. Only what makes guides looks in here; see guide.h.
 *
 * A version is read in two steps. The files' headings (which segment, which element stands where) are read when
 * the version is first needed; a segment or element is resolved, and a code list built, when something asks for
 * it; the first few codes that are asked for are looked for in the list's text. So a document pays for what its
 * guide uses and not for the whole dictionary.
 *
 * A version's own segments hide those of the version it stands on; elements are always looked up from the version
 * that asks, so a segment that did not change still gets the new version's elements. Everything lives in the arena
 * of its `guides`.
 */
#include "edi/guide_inside.h"

#include <stdio.h>

/* A block of a dictionary file: where its heading and its lines stand. */
struct block {
    struct block *chain;        /* in its hash slot */
    char kind;                  /* 's'egment, 'c'omposite, 'e'lement */
    struct slice id;
    struct slice file;
    struct slice text;          /* heading and body */
    uint32_t line;              /* of the heading, less one */
};

enum { BLOCK_SLOTS = 1024, MOST_FOUND = 8 };

struct code_source {
    const struct block *block;
    bool told;                  /* what is wrong in its lines was complained of */
    struct element *lower;      /* whose list + and - speak of; NULL: none */
    struct codes *some;         /* codes that were asked for and found, before the list is built */
};

struct resolved {
    struct resolved *chain;
    struct slice id;
    struct segment_def *segment;    /* one of the two */
    struct element *element;
};

struct guide_version {
    struct guide_version *next;
    struct slice standard, name;
    const struct guide_words *words;
    struct guide_version *lower;
    struct block *block[BLOCK_SLOTS];
    struct resolved *resolved[BLOCK_SLOTS];
};

/* Two slots and one behind: no key is in it. */
static const uint64_t no_slots[4];
const struct codes codes_none = { .slot = no_slots, .shift = 63, .mask = 1 };

static unsigned slot_of(struct slice id)
{
    return (unsigned)(slice_hash(id) % BLOCK_SLOTS);
}

static const struct block *find_block(const struct guide_version *v, char kind, struct slice id)
{
    for (; v; v = v->lower)
        for (const struct block *b = v->block[slot_of(id)]; b; b = b->chain)
            if (slice_eq(b->id, id) && (b->kind == kind || (kind == 'e' && b->kind == 'c')))
                return b;
    return NULL;
}

/* Notes which blocks a dictionary file has, without reading what is in them. */
static bool read_headings(const struct guide_context *x, struct guide_version *v, struct slice file, struct slice text)
{
    struct lines lines;
    struct line line;
    lines_init(&lines, file, text, &x->g->arena, x->complaints);
    while (lines_next(&lines, &line)) {
        struct slice kind = line.word[0].s, id = line.n > 1 ? line.word[1].s : slice(NULL, 0);
        struct block *b;
        unsigned slot = slot_of(id);
        size_t start = line.offset;
        uint32_t number = line.number;
        if (!slice_is(kind, "segment") && !slice_is(kind, "composite") && !slice_is(kind, "element")) {
            guide_complain(&lines, &line, 0, "expected \"segment\", \"composite\" or \"element\"");
            lines_skip(&lines, line.depth);
            continue;
        }
        if (id.n == 0) {
            guide_complain(&lines, &line, 1, "a name is expected here");
            lines_skip(&lines, line.depth);
            continue;
        }
        for (b = v->block[slot]; b; b = b->chain)
            if (slice_eq(b->id, id) && (b->kind == 's') == (kind.p[0] == 's'))
                break;
        if (b)
            guide_complain(&lines, &line, 1, "this is defined twice in the version");
        lines_skip(&lines, line.depth);
        b = ARENA_NEW(&x->g->arena, struct block);
        if (!b)
            return guide_nomem(x);
        *b = (struct block){ v->block[slot], kind.p[0], id, file, slice(text.p + start, lines.at - start), number - 1 };
        v->block[slot] = b;
    }
    return !x->complaints->nomem;
}

int dictionary_load(const struct guide_context *x, struct slice standard, struct slice name, unsigned depth,
                    struct guide_version **version_r)
{
    static const char *const files[] = { "segments", "elements" };
    struct guide_version *v;
    struct slice text, file;
    struct lines lines;
    struct line line;
    char path[4096];
    unsigned before = x->complaints->count;
    int r;

    for (v = x->g->version; v; v = v->next)
        if (slice_eq(v->standard, standard) && slice_eq(v->name, name)) {
            *version_r = v;
            return 0;
        }
    if (depth > 20)
        return err_set(x->err, ERR_CONFIG, "versions stand on each other in a circle");
    v = ARENA_NEW(&x->g->arena, struct guide_version);
    if (!v)
        return err_nomem(x->err);
    v->standard = arena_copy(&x->g->arena, standard);
    v->words = guide_words(v->standard);
    v->name = arena_copy(&x->g->arena, name);
    if (!v->standard.p || !v->name.p)
        return err_nomem(x->err);

    snprintf(path, sizeof(path), "%.*s/%.*s/%.*s/version.guide", SLICE_FMT(x->g->directory), SLICE_FMT(standard),
             SLICE_FMT(name));
    r = guide_read_file(x, path, &text, &file);
    if (r < 0)
        return r;
    lines_init(&lines, file, text, &x->g->arena, x->complaints);
    while (lines_next(&lines, &line)) {
        if (!slice_is(line.word[0].s, "version") || line.n < 2 || !slice_eq(line.word[1].s, name) ||
            (line.n != 2 && (line.n != 4 || !slice_is(line.word[2].s, "from")))) {
            guide_complain(&lines, &line, 0,
                           "expected \"version NAME\" or \"version NAME from LOWER\", NAME as the folder's");
            continue;
        }
        if (line.n == 4) {
            r = dictionary_load(x, standard, line.word[3].s, depth + 1, &v->lower);
            if (r < 0)
                return r;
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%.*s/%.*s/%.*s/%s.guide", SLICE_FMT(x->g->directory), SLICE_FMT(standard),
                 SLICE_FMT(name), files[i]);
        r = guide_read_file(x, path, &text, &file);
        if (r == ERR_MISSING)
            continue;
        if (r < 0)
            return r;
        if (!read_headings(x, v, file, text))
            return err_nomem(x->err);
    }
    r = guide_result(x, before, "the version's dictionary");
    if (r < 0)
        return r;
    v->next = x->g->version;
    x->g->version = v;
    *version_r = v;
    return 0;
}

static bool read_type(struct slice word, enum element_type *type_r, uint8_t *decimals_r)
{
    static const struct {
        const char *name;
        enum element_type type;
    } types[] = { { "AN", TYPE_AN }, { "ID", TYPE_ID }, { "R", TYPE_R }, { "DT", TYPE_DT }, { "TM", TYPE_TM },
                  { "B", TYPE_B } };
    *decimals_r = 0;
    if (word.n == 2 && word.p[0] == 'N' && is_digit(word.p[1])) {
        *type_r = TYPE_N;
        *decimals_r = (uint8_t)(word.p[1] - '0');
        return true;
    }
    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (slice_is(word, types[i].name)) {
            *type_r = types[i].type;
            return true;
        }
    return false;
}

/* an..35, a3, n..15. What is numbers is a decimal with its own mark. */
static bool read_notation(struct slice word, struct element *e)
{
    static const char dots[] = "..";
    size_t letters = 0;
    struct slice digits;
    uint64_t max;
    bool open;

    while (letters < word.n && !is_digit(word.p[letters]) && word.p[letters] != '.')
        letters++;
    e->form = slice(word.p, letters);
    digits = slice_from(word, letters);
    open = digits.n > 2 && memcmp(digits.p, dots, 2) == 0;
    if (open)
        digits = slice_from(digits, 2);
    if (!slice_number(digits, UINT32_MAX, &max) || max == 0)
        return false;
    e->min = open ? 1 : (uint32_t)max;
    e->max = (uint32_t)max;
    e->type = slice_is(e->form, "n") ? TYPE_R : slice_is(e->form, "a") ? TYPE_A : TYPE_AN;
    return e->type != TYPE_AN || slice_is(e->form, "an");
}

/* NUMBER TYPE MIN MAX, or NUMBER and a notation. Returns how many words there are before the name. */
static unsigned read_element_type(const struct guide_version *v, const struct lines *lines, const struct line *line,
                                  struct element *e)
{
    unsigned name = v->words->notation ? 3 : 5;
    uint64_t min = 1, max = 1;

    if (v->words->notation) {
        if (line->n > name && read_notation(line->word[2].s, e))
            return name;
        guide_complain(lines, line, 2,
                       "expected: element NUMBER NOTATION \"NAME\", NOTATION such as an..35, a3 or n..15");
    } else if (line->n <= name || !read_type(line->word[2].s, &e->type, &e->decimals) ||
               !slice_number(line->word[3].s, UINT32_MAX, &min) || !slice_number(line->word[4].s, UINT32_MAX, &max) ||
               min > max) {
        guide_complain(lines, line, 2,
                       "expected: element NUMBER TYPE MIN MAX \"NAME\", TYPE one of AN ID N0 to N9 R DT TM B");
        min = max = 1;
    }
    e->min = (uint32_t)min;
    e->max = (uint32_t)max;
    return name;
}

static struct element *resolve_element(const struct guide_context *x, struct guide_version *v, struct slice id);

static bool read_note(const struct lines *lines, const struct line *line, unsigned i, unsigned n, struct note *note_r)
{
    struct slice w = line->word[i].s;
    *note_r = (struct note){ .kind = w.n ? w.p[0] : 0, .text = w };
    if (w.n < 5 || w.n % 2 == 0 || !memchr("PRECL", note_r->kind, 5)) {
        guide_complain(lines, line, i, "a relational note is P, R, E, C or L and two or more positions, such as P0607");
        return false;
    }
    for (size_t k = 1; k < w.n; k += 2) {
        uint64_t position;
        if (!slice_number(slice(w.p + k, 2), 64, &position) || position == 0 || position > n) {
            guide_complain(lines, line, i, "the note names a position that the segment does not have");
            return false;
        }
        if (k == 1)
            note_r->first = (uint8_t)position;
        note_r->mask |= 1ull << (position - 1);
    }
    note_r->others = note_r->mask & ~(1ull << (note_r->first - 1));
    note_r->when = w.p[0] == 'C' || w.p[0] == 'L' ? 1ull << (note_r->first - 1) : note_r->mask;
    return true;
}

/* What the checker's fast half does with a use. */
void dictionary_settle(struct element_use *u)
{
    const struct element *e = u->element;
    u->quick = (uint8_t)e->type;
    if (e->type == TYPE_COMPOSITE) {
        bool alone = e->n_parts > 0;
        u->element->mandatory = 0;
        for (unsigned i = 0; i < e->n_parts && i < 64; i++)
            u->element->mandatory |= (uint64_t)(e->part[i].requirement == REQ_MANDATORY) << i;
        for (unsigned i = 1; i < e->n_parts; i++)
            alone = alone && e->part[i].requirement != REQ_MANDATORY;
        for (unsigned i = 0; i < e->n_notes; i++)
            alone = alone && !(e->note[i].mask & 1) && e->note[i].kind != 'R';
        if (alone) {
            u->quick = e->part[0].quick;
            u->min = e->part[0].min;
            u->max = e->part[0].max;
            u->needs_codes = e->part[0].needs_codes;
            u->codes = e->part[0].codes;
        }
    }
    if (u->quick == TYPE_ID && !u->needs_codes)
        u->quick = TYPE_AN;
    u->range = u->max - u->min;
    u->list = u->codes ? u->codes : &codes_none;
}

/* Pairs of neighbours, most of all notes, are checked all at once: they go behind the others. */
static void settle_notes(struct segment_def *s)
{
    for (unsigned i = 0; i < s->n_notes; i++) {
        struct note n = s->note[i];
        if (n.kind == 'P' && n.mask == 3ull << (n.first - 1)) {
            s->pairs |= 1ull << (n.first - 1);
            continue;
        }
        memmove(&s->note[s->n_single + 1], &s->note[s->n_single], (i - s->n_single) * sizeof(n));
        s->note[s->n_single++] = n;
    }
}

/* The lines of a segment or composite: uses and notes. */
static bool read_uses(const struct guide_context *x, struct guide_version *v, struct lines *lines, unsigned depth,
                      struct element_use **use_r, unsigned *n_r, struct note **note_r, unsigned *n_notes_r)
{
    struct line line;
    size_t room = 0, note_room = 0;
    uint64_t position = 0; /* of the last line; other than *n_r behind an error: what follows is only looked at */
    *use_r = NULL;
    *note_r = NULL;
    *n_r = *n_notes_r = 0;
    while (lines_next(lines, &line)) {
        uint64_t number;
        if (line.depth <= depth)
            break;
        if (slice_is(line.word[0].s, "note")) {
            for (unsigned i = 1; i < line.n && position == *n_r; i++) {
                *note_r = arena_grow(&x->g->arena, *note_r, *n_notes_r, &note_room, sizeof(**note_r));
                if (!*note_r)
                    return guide_nomem(x);
                if (read_note(lines, &line, i, *n_r, &(*note_r)[*n_notes_r]))
                    (*n_notes_r)++;
            }
            continue;
        }
        if (!slice_number(line.word[0].s, LIMIT_ELEMENTS, &number))
            number = 0;
        if (number != position + 1)
            guide_complain(lines, &line, 0, "expected the next position, or \"note\"");
        if (number == 0)
            continue;
        position = number;
        if (line.n < 3 || line.n > 4) {
            guide_complain(lines, &line, line.n < 3 ? line.n : 4, "expected: position element requirement [repeat]");
            continue;
        }
        *use_r = arena_grow(&x->g->arena, *use_r, *n_r, &room, sizeof(**use_r));
        if (!*use_r)
            return guide_nomem(x);
        struct element_use *u = &(*use_r)[(*n_r)++];
        struct slice requirement = line.word[2].s;
        *u = (struct element_use){ .repeat = 1 };
        u->requirement = REQ_OPTIONAL;
        if (slice_is(requirement, "M"))
            u->requirement = REQ_MANDATORY;
        else if (slice_is(requirement, "X") && !v->words->notation)
            u->requirement = REQ_CONDITIONAL;
        else if (requirement.n != 1 || requirement.p[0] != *v->words->letter)
            guide_complain(lines, &line, 2,
                           v->words->notation ? "the requirement is M or C" : "the requirement is M, O or X");
        if (line.n == 4) {
            uint64_t repeat;
            if (slice_is(line.word[3].s, ">1"))
                u->repeat = UINT16_MAX;
            else if (slice_number(line.word[3].s, UINT16_MAX - 1, &repeat) && repeat)
                u->repeat = (uint16_t)repeat;
            else
                guide_complain(lines, &line, 3, "the repeat count is a number or >1");
        }
        unsigned before = x->complaints->count;
        u->element = resolve_element(x, v, line.word[1].s);
        if (!u->element) {
            if (x->complaints->nomem)
                return false;
            guide_complain(lines, &line, 1, "this element is not defined in the version");
            (*n_r)--;
            continue;
        }
        if (position != *n_r) {
            (*n_r)--;
            continue;
        }
        if (u->element->wrong && x->complaints->count == before)
            guide_complain(lines, &line, 1, "the definition of this element has errors");
        u->min = u->element->min;
        u->max = u->element->max;
        u->needs_codes = u->element->has_codes;
        dictionary_settle(u);
    }
    return !x->complaints->nomem;
}

/* Which components say whose list the codes before them are from, and in what form a date is. */
static void settle_lists(const struct guide_words *words, struct element *e)
{
    uint8_t list = 0, agency = 0;

    for (unsigned i = e->n_parts; *words->agency && i-- > 0;) {
        struct element_use *u = &e->part[i];
        if (slice_is(u->element->id, words->agency)) {
            list = 0;
            agency = (uint8_t)(i + 1);
        } else if (slice_is(u->element->id, words->list)) {
            u->agency_part = agency; /* which lists there are is the keeper's matter, too */
            list = (uint8_t)(i + 1);
        } else if (u->element->has_codes) {
            u->list_part = list;
            u->agency_part = agency;
        }
        if (i && slice_is(u->element->id, words->form))
            e->form_part = (uint8_t)(i + 1);
    }
}

static void *remember(const struct guide_context *x, struct guide_version *v, struct slice id, struct segment_def *s,
                      struct element *e)
{
    struct resolved *r = ARENA_NEW(&x->g->arena, struct resolved);
    unsigned slot = slot_of(id);
    if (!r)
        return guide_nomem(x);
    *r = (struct resolved){ v->resolved[slot], id, s, e };
    v->resolved[slot] = r;
    return r;
}

/* The lower version's codes, as they are: "+"; and any others: "+ *". */
static bool is_same_list(const struct line *line)
{
    return slice_is(line->word[0].s, "+") && (line->n == 1 || (line->n == 2 && slice_is(line->word[1].s, "*")));
}

static struct element *resolve_element(const struct guide_context *x, struct guide_version *v, struct slice id)
{
    const struct block *b;
    struct element *e;
    struct lines lines;
    struct line line;
    struct guide_version *home = v;
    unsigned before = x->complaints->count;

    for (struct resolved *r = v->resolved[slot_of(id)]; r; r = r->chain)
        if (r->element && slice_eq(r->id, id))
            return r->element;
    b = find_block(v, 'e', id);
    if (!b)
        return NULL;
    /* a simple element of a lower version is the same in this one: share it and its code list */
    if (b->kind == 'e') {
        while (home->lower && find_block(home->lower, 'e', id) == b)
            home = home->lower;
        if (home != v)
            return resolve_element(x, home, id);
    }
    lines_init_part(&lines, b->file, b->text, b->line, &x->g->arena, x->complaints);
    e = ARENA_NEW(&x->g->arena, struct element);
    if (!e)
        return guide_nomem(x);
    if (!lines_next(&lines, &line))
        return NULL;
    e->id = b->id;
    if (b->kind == 'c') {
        e->type = TYPE_COMPOSITE;
        if (line.n > 2)
            e->name = line.word[2].s;
        if (!read_uses(x, v, &lines, 0, &e->part, &e->n_parts, &e->note, &e->n_notes))
            return NULL;
        settle_lists(v->words, e);
    } else {
        unsigned name = read_element_type(v, &lines, &line, e);
        e->name = line.n > name ? line.word[name].s : line.word[1].s;
        if (line.n == name + 3 && slice_is(line.word[name + 1].s, "external"))
            e->external = line.word[name + 2].s;
        else if (line.n > name + 1)
            guide_complain(&lines, &line, name + 1, "only: external \"SOURCE\" can stand here");
        if (lines_next(&lines, &line)) {
            e->has_codes = true;
            if (v->words->notation)
                e->type = TYPE_ID;
            e->source = ARENA_NEW(&x->g->arena, struct code_source);
            if (!e->source)
                return guide_nomem(x);
            e->source->block = b;
            e->open = line.n == 2 && is_same_list(&line);
            if ((slice_is(line.word[0].s, "+") || (slice_is(line.word[0].s, "-") && line.n > 1)) && home->lower) {
                e->source->lower = resolve_element(x, home->lower, id);
                if (e->source->lower && e->source->lower->wrong && x->complaints->count == before)
                    guide_complain(&lines, &line, 0, "the lower version's definition of this element has errors");
            }
        }
    }
    e->wrong = x->complaints->count > before;
    if (x->complaints->nomem || !remember(x, v, b->id, NULL, e))
        return NULL;
    return e;
}

/* Is it a code? In EDIFACT a composite serves, too, that begins with one that is always there. */
static bool qualifies(const struct guide_words *words, const struct element_use *u)
{
    const struct element *e = u->element;
    if (words->notation && e->type == TYPE_COMPOSITE && e->n_parts && e->part[0].requirement == REQ_MANDATORY)
        e = e->part[0].element;
    return e->type == TYPE_ID;
}

struct segment_def *dictionary_segment(const struct guide_context *x, struct guide_version *v, struct slice tag)
{
    const struct block *b;
    struct segment_def *s;
    struct lines lines;
    struct line line;
    unsigned before = x->complaints->count;

    for (struct resolved *r = v->resolved[slot_of(tag)]; r; r = r->chain)
        if (r->segment && slice_eq(r->id, tag))
            return r->segment;
    b = find_block(v, 's', tag);
    if (!b)
        return NULL;
    lines_init_part(&lines, b->file, b->text, b->line, &x->g->arena, x->complaints);
    s = ARENA_NEW(&x->g->arena, struct segment_def);
    if (!s)
        return guide_nomem(x);
    if (!lines_next(&lines, &line))
        return NULL;
    s->tag = b->id;
    if (s->tag.n > 4)
        guide_complain(&lines, &line, 1, "a segment's tag has at most 4 characters");
    s->key = s->tag.n <= 4 ? (uint32_t)slice_key(s->tag) : 0;
    s->name = line.n > 2 ? line.word[2].s : s->tag;
    if (line.n == 5 && slice_is(line.word[3].s, "qualifier")) {
        uint64_t number;
        bool any;
        struct slice part, position = slice_cut(line.word[4].s, '-', &part, &any);
        if (slice_number(position, LIMIT_ELEMENTS, &number))
            s->qualifier = (unsigned)number;
        else
            guide_complain(&lines, &line, 4, "a position is expected here");
        if (any && slice_number(part, LIMIT_ELEMENTS, &number) && number)
            s->qualifier_part = (uint8_t)number;
        else if (any)
            guide_complain(&lines, &line, 4, "a component's position is expected behind \"-\"");
    } else if (line.n > 3) {
        guide_complain(&lines, &line, 3, "only: qualifier NN or NN-N can stand here");
    }
    if (!read_uses(x, v, &lines, 0, &s->use, &s->n, &s->note, &s->n_notes))
        return NULL;
    if (s->qualifier == 0 && s->n && qualifies(v->words, &s->use[0]))
        s->qualifier = 1;
    for (unsigned i = 0; i < s->n && i < 64; i++)
        if (s->use[i].requirement == REQ_MANDATORY)
            s->mandatory |= 1ull << i;
    settle_notes(s);
    s->binary = slice_is(s->tag, "BIN") || slice_is(s->tag, "BDS");
    s->wrong = x->complaints->count > before;
    if (x->complaints->nomem || !remember(x, v, b->id, s, NULL))
        return NULL;
    return s;
}

int guide_find_segment(const struct guide *guide, struct slice tag, const struct segment_def **def_r)
{
    struct complaints ignored;
    struct guide_context x = { guide->owner, &ignored, NULL };
    bool nomem;
    *def_r = NULL;
    for (unsigned i = 1; i < guide->n; i++)
        if (guide->node[i].def && slice_eq(guide->node[i].tag, tag)) {
            *def_r = guide->node[i].def;
            return 0;
        }
    if (!guide->directory)
        return 0;
    complaints_init(&ignored);
    pthread_mutex_lock(&guide->owner->lock);
    *def_r = dictionary_segment(&x, guide->directory, tag);
    pthread_mutex_unlock(&guide->owner->lock);
    nomem = ignored.nomem;
    complaints_deinit(&ignored);
    return *def_r || !nomem ? 0 : ERR_NOMEM;
}

const struct segment_def *guide_segment(const struct guide *guide, struct slice tag)
{
    const struct segment_def *def;
    guide_find_segment(guide, tag, &def);
    return def;
}

/* ---- code lists ---- */

bool codes_add(struct arena *arena, struct code_line **list, size_t *n, size_t *room, struct code_line c)
{
    *list = arena_grow(arena, *list, *n, room, sizeof(**list));
    if (!*list)
        return false;
    (*list)[(*n)++] = c;
    return true;
}

bool codes_build(struct arena *arena, struct code_line *list, size_t n, struct codes **codes_r)
{
    struct codes *c = ARENA_NEW(arena, struct codes);
    unsigned bits = 2;
    uint64_t *slot;
    size_t slots;
    while (((size_t)1 << bits) < n * 2 + 1) /* one code of 60 is then not in the first two slots; and memory costs time */
        bits++;
    slots = (size_t)1 << bits;
    if (!c)
        return false;
    slot = ARENA_ARRAY(arena, slots + 1, uint64_t);
    c->slot = slot;
    c->place = ARENA_ARRAY(arena, slots, uint32_t);
    c->line = list;
    if (!slot || !c->place)
        return false;
    c->shift = 64 - bits;
    c->mask = (uint32_t)slots - 1;
    for (size_t i = 0; i < n; i++) {
        uint64_t key = slice_key(list[i].code);
        uint32_t at = (uint32_t)(key * CODES_MULTIPLIER >> c->shift);
        while (slot[at] && slot[at] != key)
            at = (at + 1) & c->mask;
        if (slot[at] == key || key == 0)
            continue;
        slot[at] = key;
        c->place[at] = c->n;
        list[c->n++] = list[i];
    }
    *codes_r = c;
    return true;
}

/* The code lines of a block as they nearly always are: `  CODE Name` or `  CODE "A name"`. 0: something else is
 * there, the reader of lines must look; negative: memory is out. These lists are the bulk of a dictionary, and most
 * of what a start costs. */
static int plain_codes(struct arena *arena, struct slice text, struct code_line **list_r, size_t *n_r)
{
    const char *p = text.p, *end = text.p + text.n;
    struct code_line *list;
    size_t n = 0, most = 1;

    for (const char *q = p; (q = memchr(q, '\n', (size_t)(end - q))) != NULL; q++)
        most++;
    list = ARENA_ARRAY(arena, most, struct code_line);
    if (!list)
        return ERR_NOMEM;
    p = memchr(p, '\n', text.n); /* the heading */
    if (p && (memchr(p, '\\', (size_t)(end - p)) || memchr(p, '#', (size_t)(end - p)) ||
              memchr(p, '\t', (size_t)(end - p))))
        return 0;
    while (p && ++p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p)), *next = stop;
        const char *code, *name;
        if (!stop)
            stop = end;
        while (stop > p && (stop[-1] == ' ' || stop[-1] == '\r'))
            stop--;
        while (p < stop && *p == ' ')
            p++;
        if (p < stop) {
            for (code = p; p < stop && (unsigned char)*p > ' '; p++)
                ;
            if (p - code > 8 || *code == '"' || ((*code == '+' || *code == '-') && p - code == 1))
                return 0;
            list[n].code = slice(code, (size_t)(p - code));
            while (p < stop && *p == ' ')
                p++;
            name = p;
            if (name < stop && *name == '"') {
                if (stop - name < 2 || stop[-1] != '"')
                    return 0;
                name++;
                stop--;
            }
            if (memchr(name, '"', (size_t)(stop - name)))
                return 0;
            list[n++].name = slice(name, (size_t)(stop - name));
        }
        p = next;
    }
    *list_r = list;
    *n_r = n;
    return 1;
}

/* The codes that the lines of an element's block name; + and - against the lower version's, + alone: that as it is;
 * "+ *": that, and all other codes, too.
 * `tell`: somebody reads the complaints, so a list that was built before is looked at once more. */
static bool element_codes(struct guides *g, struct element *e, struct complaints *complaints, bool tell)
{
    const struct block *b = e->source->block;
    struct code_line *list = NULL;
    size_t n = 0, room = 0;
    struct lines lines;
    struct line line;
    int plain;

    if (e->codes && (!tell || e->source->told))
        return true;
    e->source->told = tell;
    plain = e->source->lower ? 0 : plain_codes(&g->arena, b->text, &list, &n);
    if (plain)
        return plain > 0 && (e->codes || codes_build(&g->arena, list, n, &e->codes));
    list = NULL;
    n = 0;
    if (e->source->lower && e->source->lower->has_codes) {
        struct element *lower = e->source->lower;
        if (!element_codes(g, lower, complaints, tell))
            return false;
        for (uint32_t i = 0; i < lower->codes->n; i++)
            if (!codes_add(&g->arena, &list, &n, &room, lower->codes->line[i]))
                return false;
    }
    lines_init_part(&lines, b->file, b->text, b->line, &g->arena, complaints);
    lines_next(&lines, &line);
    while (lines_next(&lines, &line)) {
        bool plus = slice_is(line.word[0].s, "+") && line.n > 1 && e->source->lower;
        bool minus = slice_is(line.word[0].s, "-") && line.n > 1 && e->source->lower;
        unsigned i = plus || minus;
        if (e->source->lower && is_same_list(&line))
            continue;
        struct slice code = line.word[i].s, name = line.n > i + 1 ? line.word[i + 1].s : slice(NULL, 0);
        if (code.n > 8) {
            guide_complain(&lines, &line, i, "a code has at most 8 characters");
            continue;
        }
        if (line.n > i + 2) /* a name of several words may go without quotes */
            name = slice(name.p, (size_t)(line.word[line.n - 1].s.p + line.word[line.n - 1].s.n - name.p));
        if (minus) {
            for (size_t k = 0; k < n; k++)
                if (slice_eq(list[k].code, code)) {
                    memmove(&list[k], &list[k + 1], (n - k - 1) * sizeof(*list));
                    n--;
                    break;
                }
        } else if (!codes_add(&g->arena, &list, &n, &room, (struct code_line){ code, name })) {
            return false;
        }
    }
    return !complaints->nomem && (e->codes || codes_build(&g->arena, list, n, &e->codes));
}

struct codes *guide_codes(const struct guide *guide, struct element_use *use)
{
    struct codes *c = __atomic_load_n(&use->codes, __ATOMIC_ACQUIRE);
    struct complaints ignored;

    if (c || !use->needs_codes)
        return c;
    complaints_init(&ignored);
    pthread_mutex_lock(&guide->owner->lock); /* a partner's guide may be copying the use */
    if (use->element->type == TYPE_COMPOSITE)
        c = guide_codes(guide, &use->element->part[0]);
    else if (use->element->codes || element_codes(guide->owner, use->element, &ignored, false))
        c = use->element->codes;
    if (c) {
        __atomic_store_n(&use->codes, c, __ATOMIC_RELEASE);
        __atomic_store_n(&use->list, c, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&guide->owner->lock);
    complaints_deinit(&ignored);
    return c;
}

/* Does a line of an element's block name this code, or one of the list that it stands on? False: no, or a closer look
 * is needed. */
static bool names_code(const struct element *e, struct slice code)
{
    const struct code_source *s = e->source;
    const char *p = s->block->text.p, *const end = p + s->block->text.n;
    bool found = false;

    for (size_t i = 0; i < code.n; i++)
        if ((unsigned char)code.p[i] <= ' ')
            return false;
    if (!code.n || memchr("\"#+-*", code.p[0], 6) || memchr(p, '\\', s->block->text.n))
        return false;
    while ((!found || s->lower) && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        char sign = 0;
        while (++p < end &&
               (*p == ' ' || (s->lower && !sign && (*p == '+' || *p == '-') && end - p > 1 && p[1] == ' ')))
            sign = *p == ' ' ? sign : *p;
        if (p == end || *p != code.p[0] || (size_t)(end - p) <= code.n || memcmp(p, code.p, code.n) != 0 ||
            (p[code.n] != ' ' && p[code.n] != '\n'))
            continue;
        if (sign == '-')
            return false;
        found = true;
    }
    return found || (s->lower && s->lower->source && names_code(s->lower, code));
}

/* The codes of an element that were found so far, with this one in *codes_r: 1. 0: it was not found, or enough were;
 * ERR_NOMEM. */
static int find_code(struct guides *g, struct element *e, struct slice code, struct codes **codes_r)
{
    struct code_source *s = e->source;
    const uint32_t n = s->some ? s->some->n : 0;
    struct code_line *list;

    *codes_r = s->some;
    if (e->codes || code.n > 8)
        return 0;
    if (n && codes_has(s->some, slice_key(code)))
        return 1;
    if (n == MOST_FOUND || !names_code(e, code))
        return 0;
    list = ARENA_ARRAY(&g->arena, n + 1, struct code_line);
    if (!list)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        list[i] = s->some->line[i];
    list[n].code = arena_copy(&g->arena, code);
    if (!list[n].code.p || !codes_build(&g->arena, list, n + 1, codes_r))
        return ERR_NOMEM;
    s->some = *codes_r;
    return 1;
}

int guide_has_code(const struct guide *guide, struct element_use *use, struct slice code)
{
    struct codes *codes = __atomic_load_n(&use->codes, __ATOMIC_ACQUIRE), *some;
    struct element *e = use->element->type == TYPE_COMPOSITE ? use->element->part[0].element : use->element;

    if (!codes && use->needs_codes && e->source) {
        int r = 0;
        pthread_mutex_lock(&guide->owner->lock);
        if (!use->codes && (r = find_code(guide->owner, e, code, &some)) == 1)
            __atomic_store_n(&use->list, some, __ATOMIC_RELEASE);
        pthread_mutex_unlock(&guide->owner->lock);
        if (r)
            return r;
    }
    if (!codes)
        codes = guide_codes(guide, use);
    return !codes ? ERR_NOMEM : code.n <= 8 && codes_has(codes, slice_key(code));
}

/* What the next directories make of an element. False: memory is out. */
static bool find_later(const struct guide_context *x, struct slice standard, struct slice version, struct element *e)
{
    struct later_element *later = ARENA_NEW(&x->g->arena, struct later_element);
    struct guide_version *above;
    int r = 0;

    while (later && !later->element && r == 0 && (version = guide_directory_above(x, standard, version)).n) {
        struct element *other = NULL;
        r = dictionary_load(x, standard, version, 0, &above);
        if (r == 0)
            other = resolve_element(x, above, e->id);
        if (other && other != e && other->has_codes && !other->wrong)
            *later = (struct later_element){ other, version };
    }
    if (!later || x->complaints->nomem || r == ERR_NOMEM)
        return false;
    e->later = later;
    return true;
}

static bool later_code(const struct guide_context *x, struct slice standard, struct slice version, struct element *e,
                       struct slice code, struct slice *version_r)
{
    for (;;) {
        if (!e->later && !find_later(x, standard, version, e))
            return false;
        version = e->later->version;
        e = e->later->element;
        if (!e)
            return true;
        if (!element_codes(x->g, e, x->complaints, false))
            return false;
        if (codes_has(e->codes, slice_key(code))) {
            *version_r = version;
            return true;
        }
    }
}

bool guide_later_code(const struct guide *guide, struct element *element, struct slice code, struct slice *version_r)
{
    struct complaints ignored;
    struct err err = { 0 };
    const struct guide_context x = { guide->owner, &ignored, &err };
    bool done;

    *version_r = slice(NULL, 0);
    if (!guide->words->directories || !code.n || code.n > 8)
        return true;
    complaints_init(&ignored);
    pthread_mutex_lock(&guide->owner->lock);
    done = later_code(&x, guide->standard, guide->version, element, code, version_r);
    pthread_mutex_unlock(&guide->owner->lock);
    complaints_deinit(&ignored);
    err_clear(&err);
    return done;
}

bool guide_check_codes(const struct guide *guide, struct complaints *complaints)
{
    unsigned before = complaints->count;
    bool done = true;
    pthread_mutex_lock(&guide->owner->lock);
    for (unsigned i = 1; done && i < guide->n; i++) {
        const struct segment_def *def = guide->node[i].def;
        for (unsigned k = 0; def && done && k < def->n; k++) {
            struct element *e = def->use[k].element;
            for (unsigned c = 0; done && c < e->n_parts; c++)
                if (e->part[c].element->has_codes)
                    done = element_codes(guide->owner, e->part[c].element, complaints, true);
            if (done && e->has_codes)
                done = element_codes(guide->owner, e, complaints, true);
        }
    }
    pthread_mutex_unlock(&guide->owner->lock);
    if (!done)
        complaints->nomem = true;
    return done && complaints->count == before;
}

struct slice codes_name(const struct codes *codes, struct slice code)
{
    uint64_t key = slice_key(code);
    uint32_t i;
    if (!codes || key == 0)
        return slice(NULL, 0);
    i = (uint32_t)(key * CODES_MULTIPLIER >> codes->shift);
    while (codes->slot[i] != key) {
        if (codes->slot[i] == 0)
            return slice(NULL, 0);
        i = (i + 1) & codes->mask;
    }
    return codes->line[codes->place[i]].name;
}
