/*
 * guide: see guide.h. Reads guide files into tables.
 *
 * A version is read in two steps. The files' headings (which segment, which element stands where) are read when
 * the version is first needed; a segment or element is resolved, and a code list built, when something asks for
 * it. So a document pays for what its guide uses and not for the whole dictionary.
 *
 * Everything lives in the arena of its `guides` until guides_free(). A version's own segments hide those of the
 * version it stands on; elements are always looked up from the version that asks, so a segment that did not
 * change still gets the new version's elements.
 */
#include "edi/guide.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "edi/path.h"

enum { GUIDES_MEMORY = 64 << 20, MOST_NODES = 4000, MOST_VARIANTS = 64, MOST_RUN = 255, MOST_VERSIONS = 200 };

/* A block of a dictionary file: where its heading and its lines stand. */
struct block {
    struct block *chain;        /* in its hash slot */
    char kind;                  /* 's'egment, 'c'omposite, 'e'lement */
    struct slice id;
    struct slice file;
    struct slice text;          /* heading and body */
    uint32_t line;              /* of the heading, less one */
};

enum { BLOCK_SLOTS = 1024 };

struct code_source {
    const struct block *block;
    struct element *lower;      /* whose list + and - speak of; NULL: none */
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
    struct guide_version *lower;
    struct block *block[BLOCK_SLOTS];
    struct resolved *resolved[BLOCK_SLOTS];
};

struct text_file {
    struct text_file *next;
    struct buf text;
};

struct loaded_guide {
    struct loaded_guide *next;
    struct guide *guide;
    bool partner;
};

struct guides {
    struct arena arena;
    struct slice directory;
    struct guide_version *version;
    struct loaded_guide *guide;
    struct text_file *file;
    pthread_mutex_t lock;       /* around everything that is read, loaded or built */
};

/* Public functions call each other. */
static int init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t a;
    int r = pthread_mutexattr_init(&a);
    if (r)
        return r;
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
    r = pthread_mutex_init(lock, &a);
    pthread_mutexattr_destroy(&a);
    return r;
}

/* Two slots and one behind: no key is in it. */
static const uint64_t no_slots[4];
const struct codes codes_none = { .slot = no_slots, .shift = 63, .mask = 1 };

int guides_new(const char *directory, struct guides **guides_r, struct err *err)
{
    struct guides *g = calloc(1, sizeof(*g));
    *guides_r = NULL;
    if (!g)
        return err_nomem(err);
    arena_init(&g->arena, GUIDES_MEMORY);
    g->directory = arena_copy(&g->arena, slice(directory, strlen(directory) + 1));
    if (!g->directory.p || init_lock(&g->lock) != 0) {
        arena_deinit(&g->arena);
        free(g);
        return err_nomem(err);
    }
    g->directory.n--;
    *guides_r = g;
    return 0;
}

void guides_free(struct guides **guides)
{
    struct guides *g = *guides;
    if (!g)
        return;
    for (struct text_file *f = g->file, *next; f; f = next) {
        next = f->next;
        buf_deinit(&f->text);
        free(f);
    }
    pthread_mutex_destroy(&g->lock);
    arena_deinit(&g->arena);
    free(g);
    *guides = NULL;
}

/* What a reading function works with. */
struct context {
    struct guides *g;
    struct complaints *complaints;
    struct err *err;
};

static void *none(const struct context *x)
{
    x->complaints->nomem = true;
    return NULL;
}

static int result(const struct context *x, unsigned complaints_before, const char *what)
{
    if (x->complaints->nomem)
        return err_nomem(x->err);
    if (x->complaints->count > complaints_before)
        return err_set(x->err, ERR_CONFIG, "%s is wrong", what);
    return 0;
}

static int read_file(const struct context *x, const char *path, struct slice *text_r, struct slice *name_r)
{
    struct text_file *f = calloc(1, sizeof(*f));
    int r;
    if (!f)
        return err_nomem(x->err);
    buf_init(&f->text, LIMIT_CONFIG_FILE);
    r = file_read(path, &f->text, x->err);
    if (r == 0) {
        *name_r = arena_copy(&x->g->arena, slice_of(path));
        if (!name_r->p)
            r = err_nomem(x->err);
    }
    if (r < 0) {
        buf_deinit(&f->text);
        free(f);
        return r;
    }
    f->next = x->g->file;
    x->g->file = f;
    *text_r = buf_slice(&f->text);
    return 0;
}

static void complain_word(const struct lines *lines, const struct line *line, unsigned word, const char *what)
{
    struct place at = lines_place(lines, line, word);
    complain(lines->complaints, &at, "%s", what);
}

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
static bool read_headings(const struct context *x, struct guide_version *v, struct slice file, struct slice text)
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
            complain_word(&lines, &line, 0, "expected \"segment\", \"composite\" or \"element\"");
            lines_skip(&lines, line.depth);
            continue;
        }
        if (id.n == 0) {
            complain_word(&lines, &line, 1, "a name is expected here");
            lines_skip(&lines, line.depth);
            continue;
        }
        for (b = v->block[slot]; b; b = b->chain)
            if (slice_eq(b->id, id) && (b->kind == 's') == (kind.p[0] == 's'))
                break;
        if (b)
            complain_word(&lines, &line, 1, "this is defined twice in the version");
        lines_skip(&lines, line.depth);
        b = ARENA_NEW(&x->g->arena, struct block);
        if (!b)
            return none(x);
        *b = (struct block){ v->block[slot], kind.p[0], id, file, slice(text.p + start, lines.at - start), number - 1 };
        v->block[slot] = b;
    }
    return !x->complaints->nomem;
}

static int load_version(const struct context *x, struct slice standard, struct slice name, unsigned depth,
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
    v->name = arena_copy(&x->g->arena, name);
    if (!v->standard.p || !v->name.p)
        return err_nomem(x->err);

    snprintf(path, sizeof(path), "%.*s/%.*s/%.*s/version.guide", SLICE_FMT(x->g->directory), SLICE_FMT(standard),
             SLICE_FMT(name));
    r = read_file(x, path, &text, &file);
    if (r < 0)
        return r;
    lines_init(&lines, file, text, &x->g->arena, x->complaints);
    while (lines_next(&lines, &line)) {
        if (!slice_is(line.word[0].s, "version") || line.n < 2 || !slice_eq(line.word[1].s, name) ||
            (line.n != 2 && (line.n != 4 || !slice_is(line.word[2].s, "from")))) {
            complain_word(&lines, &line, 0, "expected \"version NAME\" or \"version NAME from LOWER\", NAME as the folder's");
            continue;
        }
        if (line.n == 4) {
            r = load_version(x, standard, line.word[3].s, depth + 1, &v->lower);
            if (r < 0)
                return r;
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%.*s/%.*s/%.*s/%s.guide", SLICE_FMT(x->g->directory), SLICE_FMT(standard),
                 SLICE_FMT(name), files[i]);
        r = read_file(x, path, &text, &file);
        if (r == ERR_MISSING)
            continue;
        if (r < 0)
            return r;
        if (!read_headings(x, v, file, text))
            return err_nomem(x->err);
    }
    r = result(x, before, "the version's dictionary");
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

static struct element *resolve_element(const struct context *x, struct guide_version *v, struct slice id);

static bool read_note(const struct lines *lines, const struct line *line, unsigned i, unsigned n, struct note *note_r)
{
    struct slice w = line->word[i].s;
    *note_r = (struct note){ .kind = w.n ? w.p[0] : 0, .text = w };
    if (w.n < 5 || w.n % 2 == 0 || !memchr("PRECL", note_r->kind, 5)) {
        complain_word(lines, line, i, "a relational note is P, R, E, C or L and two or more positions, such as P0607");
        return false;
    }
    for (size_t k = 1; k < w.n; k += 2) {
        uint64_t position;
        if (!slice_number(slice(w.p + k, 2), 64, &position) || position == 0 || position > n) {
            complain_word(lines, line, i, "the note names a position that the segment does not have");
            return false;
        }
        if (k == 1)
            note_r->first = (uint8_t)position;
        note_r->mask |= 1ull << (position - 1);
    }
    note_r->others = note_r->mask & ~(1ull << (note_r->first - 1));
    return true;
}

/* What the checker's fast half does with a use. */
static void settle_use(struct element_use *u)
{
    const struct element *e = u->element;
    u->quick = (uint8_t)e->type;
    if (e->type == TYPE_COMPOSITE) {
        bool alone = e->n_parts > 0;
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
static bool read_uses(const struct context *x, struct guide_version *v, struct lines *lines, unsigned depth,
                      struct element_use **use_r, unsigned *n_r, struct note **note_r, unsigned *n_notes_r)
{
    struct line line;
    size_t room = 0, note_room = 0;
    *use_r = NULL;
    *note_r = NULL;
    *n_r = *n_notes_r = 0;
    while (lines_next(lines, &line)) {
        uint64_t number;
        if (line.depth <= depth)
            break;
        if (slice_is(line.word[0].s, "note")) {
            for (unsigned i = 1; i < line.n; i++) {
                *note_r = arena_grow(&x->g->arena, *note_r, *n_notes_r, &note_room, sizeof(**note_r));
                if (!*note_r)
                    return none(x);
                if (read_note(lines, &line, i, *n_r, &(*note_r)[*n_notes_r]))
                    (*n_notes_r)++;
            }
            continue;
        }
        if (!slice_number(line.word[0].s, LIMIT_ELEMENTS, &number) || number != *n_r + 1) {
            complain_word(lines, &line, 0, "expected the next position, or \"note\"");
            continue;
        }
        if (line.n < 3 || line.n > 4) {
            complain_word(lines, &line, line.n < 3 ? line.n : 4, "expected: position element requirement [repeat]");
            continue;
        }
        *use_r = arena_grow(&x->g->arena, *use_r, *n_r, &room, sizeof(**use_r));
        if (!*use_r)
            return none(x);
        struct element_use *u = &(*use_r)[(*n_r)++];
        struct slice requirement = line.word[2].s;
        *u = (struct element_use){ .repeat = 1 };
        u->requirement = slice_is(requirement, "M") ? REQ_MANDATORY : slice_is(requirement, "X") ? REQ_CONDITIONAL
                                                                                                   : REQ_OPTIONAL;
        if (u->requirement == REQ_OPTIONAL && !slice_is(requirement, "O"))
            complain_word(lines, &line, 2, "the requirement is M, O or X");
        if (line.n == 4) {
            uint64_t repeat;
            if (slice_is(line.word[3].s, ">1"))
                u->repeat = UINT16_MAX;
            else if (slice_number(line.word[3].s, UINT16_MAX - 1, &repeat) && repeat)
                u->repeat = (uint16_t)repeat;
            else
                complain_word(lines, &line, 3, "the repeat count is a number or >1");
        }
        u->element = resolve_element(x, v, line.word[1].s);
        if (!u->element) {
            if (x->complaints->nomem)
                return false;
            complain_word(lines, &line, 1, "this element is not defined in the version");
            (*n_r)--;
            continue;
        }
        u->min = u->element->min;
        u->max = u->element->max;
        u->needs_codes = u->element->has_codes;
        settle_use(u);
    }
    return !x->complaints->nomem;
}

static void *remember(const struct context *x, struct guide_version *v, struct slice id, struct segment_def *s,
                      struct element *e)
{
    struct resolved *r = ARENA_NEW(&x->g->arena, struct resolved);
    unsigned slot = slot_of(id);
    if (!r)
        return none(x);
    *r = (struct resolved){ v->resolved[slot], id, s, e };
    v->resolved[slot] = r;
    return r;
}

static struct element *resolve_element(const struct context *x, struct guide_version *v, struct slice id)
{
    const struct block *b;
    struct element *e;
    struct lines lines;
    struct line line;
    struct guide_version *home = v;

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
        return none(x);
    if (!lines_next(&lines, &line))
        return NULL;
    e->id = b->id;
    if (b->kind == 'c') {
        e->type = TYPE_COMPOSITE;
        if (line.n > 2)
            e->name = line.word[2].s;
        if (!read_uses(x, v, &lines, 0, &e->part, &e->n_parts, &e->note, &e->n_notes))
            return NULL;
    } else {
        uint64_t min, max;
        if (line.n < 6 || !read_type(line.word[2].s, &e->type, &e->decimals) ||
            !slice_number(line.word[3].s, UINT32_MAX, &min) || !slice_number(line.word[4].s, UINT32_MAX, &max) ||
            min > max) {
            complain_word(&lines, &line, 2, "expected: element NUMBER TYPE MIN MAX \"NAME\", TYPE one of AN ID N0 to N9 R DT TM B");
            min = 1;
            max = 1;
        }
        e->min = (uint32_t)min;
        e->max = (uint32_t)max;
        e->name = line.n > 5 ? line.word[5].s : line.word[1].s;
        if (line.n == 8 && slice_is(line.word[6].s, "external"))
            e->external = line.word[7].s;
        else if (line.n > 6)
            complain_word(&lines, &line, 6, "only: external \"SOURCE\" can stand here");
        if (lines_next(&lines, &line)) {
            e->has_codes = true;
            e->source = ARENA_NEW(&x->g->arena, struct code_source);
            if (!e->source)
                return none(x);
            e->source->block = b;
            if ((slice_is(line.word[0].s, "+") || slice_is(line.word[0].s, "-")) && line.n > 1 && home->lower)
                e->source->lower = resolve_element(x, home->lower, id);
        }
    }
    if (x->complaints->nomem || !remember(x, v, b->id, NULL, e))
        return NULL;
    return e;
}

static struct segment_def *resolve_segment(const struct context *x, struct guide_version *v, struct slice tag)
{
    const struct block *b;
    struct segment_def *s;
    struct lines lines;
    struct line line;

    for (struct resolved *r = v->resolved[slot_of(tag)]; r; r = r->chain)
        if (r->segment && slice_eq(r->id, tag))
            return r->segment;
    b = find_block(v, 's', tag);
    if (!b)
        return NULL;
    lines_init_part(&lines, b->file, b->text, b->line, &x->g->arena, x->complaints);
    s = ARENA_NEW(&x->g->arena, struct segment_def);
    if (!s)
        return none(x);
    if (!lines_next(&lines, &line))
        return NULL;
    s->tag = b->id;
    if (s->tag.n > 4)
        complain_word(&lines, &line, 1, "a segment's tag has at most 4 characters");
    s->key = s->tag.n <= 4 ? (uint32_t)slice_key(s->tag) : 0;
    s->name = line.n > 2 ? line.word[2].s : s->tag;
    if (line.n == 5 && slice_is(line.word[3].s, "qualifier")) {
        uint64_t number;
        if (slice_number(line.word[4].s, LIMIT_ELEMENTS, &number))
            s->qualifier = (unsigned)number;
        else
            complain_word(&lines, &line, 4, "a position is expected here");
    } else if (line.n > 3) {
        complain_word(&lines, &line, 3, "only: qualifier NN can stand here");
    }
    if (!read_uses(x, v, &lines, 0, &s->use, &s->n, &s->note, &s->n_notes))
        return NULL;
    if (s->qualifier == 0 && s->n && s->use[0].element->type == TYPE_ID)
        s->qualifier = 1;
    for (unsigned i = 0; i < s->n && i < 64; i++)
        if (s->use[i].requirement == REQ_MANDATORY)
            s->mandatory |= 1ull << i;
    settle_notes(s);
    s->binary = slice_is(s->tag, "BIN") || slice_is(s->tag, "BDS");
    if (x->complaints->nomem || !remember(x, v, b->id, s, NULL))
        return NULL;
    return s;
}

const struct segment_def *guide_segment(const struct guide *guide, struct slice tag)
{
    struct complaints ignored;
    struct context x = { guide->owner, &ignored, NULL };
    const struct segment_def *s;
    for (unsigned i = 1; i < guide->n; i++)
        if (guide->node[i].def && slice_eq(guide->node[i].tag, tag))
            return guide->node[i].def;
    if (!guide->directory)
        return NULL;
    complaints_init(&ignored);
    pthread_mutex_lock(&guide->owner->lock);
    s = resolve_segment(&x, guide->directory, tag);
    pthread_mutex_unlock(&guide->owner->lock);
    complaints_deinit(&ignored);
    return s;
}

/* ---- code lists ---- */

struct code_line {
    struct slice code, name;
};

static bool add_code(struct arena *arena, struct code_line **list, size_t *n, size_t *room, struct code_line c)
{
    *list = arena_grow(arena, *list, *n, room, sizeof(**list));
    if (!*list)
        return false;
    (*list)[(*n)++] = c;
    return true;
}

static bool build_codes(struct arena *arena, const struct code_line *list, size_t n, struct codes **codes_r)
{
    struct codes *c = ARENA_NEW(arena, struct codes);
    unsigned bits = 2;
    uint64_t *slot;
    size_t slots;
    while (((size_t)1 << bits) < n * 4 + 1)
        bits++;
    slots = (size_t)1 << bits;
    if (!c)
        return false;
    slot = ARENA_ARRAY(arena, slots + 1, uint64_t);
    c->slot = slot;
    c->name = ARENA_ARRAY(arena, slots, uint32_t);
    c->codes = ARENA_ARRAY(arena, n + 1, struct slice);
    c->names = ARENA_ARRAY(arena, n + 1, struct slice);
    if (!slot || !c->name || !c->codes || !c->names)
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
        c->name[at] = c->n;
        c->codes[c->n] = list[i].code;
        c->names[c->n++] = list[i].name;
    }
    *codes_r = c;
    return true;
}

/* The code lines of a block as they nearly always are: `  CODE Name` or `  CODE "A name"`. 0: something else is
 * there, the reader of lines must look; negative: memory is out. These lists are the bulk of a dictionary, and most of what a start costs. */
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
    while (p && ++p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p)), *next = stop;
        const char *code, *name;
        if (!stop)
            stop = end;
        while (stop > p && (stop[-1] == ' ' || stop[-1] == '\r'))
            stop--;
        while (p < stop && *p == ' ')
            p++;
        if (p < stop && *p != '#') {
            for (code = p; p < stop && *p > ' '; p++)
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
            for (p = name; p < stop; p++)
                if (*p == '"' || *p == '\\' || *p == '#' || *p == '\t')
                    return 0;
            list[n++].name = slice(name, (size_t)(stop - name));
        }
        p = next;
    }
    *list_r = list;
    *n_r = n;
    return 1;
}

/* The codes that the lines of an element's block name; + and - against the lower version's. */
static bool element_codes(struct guides *g, struct element *e, struct complaints *complaints)
{
    const struct block *b = e->source->block;
    struct code_line *list = NULL;
    size_t n = 0, room = 0;
    struct lines lines;
    struct line line;
    int plain;

    if (e->codes)
        return true;
    plain = e->source->lower ? 0 : plain_codes(&g->arena, b->text, &list, &n);
    if (plain)
        return plain > 0 && build_codes(&g->arena, list, n, &e->codes);
    list = NULL;
    n = 0;
    if (e->source->lower && e->source->lower->has_codes) {
        struct element *lower = e->source->lower;
        if (!element_codes(g, lower, complaints))
            return false;
        for (uint32_t i = 0; i < lower->codes->n; i++)
            if (!add_code(&g->arena, &list, &n, &room,
                          (struct code_line){ lower->codes->codes[i], lower->codes->names[i] }))
                return false;
    }
    lines_init_part(&lines, b->file, b->text, b->line, &g->arena, complaints);
    lines_next(&lines, &line);
    while (lines_next(&lines, &line)) {
        bool plus = slice_is(line.word[0].s, "+") && line.n > 1 && e->source->lower;
        bool minus = slice_is(line.word[0].s, "-") && line.n > 1 && e->source->lower;
        unsigned i = plus || minus;
        struct slice code = line.word[i].s, name = line.n > i + 1 ? line.word[i + 1].s : slice(NULL, 0);
        if (code.n > 8) {
            complain_word(&lines, &line, i, "a code has at most 8 characters");
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
        } else if (!add_code(&g->arena, &list, &n, &room, (struct code_line){ code, name })) {
            return false;
        }
    }
    return !complaints->nomem && build_codes(&g->arena, list, n, &e->codes);
}

struct codes *guide_codes(const struct guide *guide, struct element_use *use)
{
    struct codes *c = __atomic_load_n(&use->codes, __ATOMIC_ACQUIRE);
    if (!c && use->needs_codes && use->element->type == TYPE_COMPOSITE) {
        c = guide_codes(guide, &use->element->part[0]);
        __atomic_store_n(&use->codes, c, __ATOMIC_RELEASE);
    } else if (!c && use->needs_codes) {
        struct complaints ignored;
        complaints_init(&ignored);
        pthread_mutex_lock(&guide->owner->lock);
        if (use->element->codes || element_codes(guide->owner, use->element, &ignored)) {
            c = use->element->codes;
            __atomic_store_n(&use->codes, c, __ATOMIC_RELEASE);
        }
        pthread_mutex_unlock(&guide->owner->lock);
        complaints_deinit(&ignored);
    }
    if (c)
        __atomic_store_n(&use->list, c, __ATOMIC_RELEASE);
    return c;
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
                    done = element_codes(guide->owner, e->part[c].element, complaints);
            if (e->has_codes)
                done = element_codes(guide->owner, e, complaints);
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
    return codes->names[codes->name[i]];
}

/* ---- guides: nodes ---- */

static bool read_max(struct slice word, uint32_t *max_r)
{
    uint64_t max;
    if (slice_is(word, ">1")) {
        *max_r = UINT32_MAX;
        return true;
    }
    if (!slice_number(word, UINT32_MAX - 1, &max) || max == 0)
        return false;
    *max_r = (uint32_t)max;
    return true;
}

struct building {
    const struct context *x;
    struct guide *guide;
    struct guide_version *version;
    size_t room;
};

static struct guide_node *add_node(struct building *b, uint16_t parent)
{
    struct guide *g = b->guide;
    struct guide_node *n;
    g->node = arena_grow(&b->x->g->arena, g->node, g->n, &b->room, sizeof(*g->node));
    if (!g->node)
        return none(b->x);
    n = &g->node[g->n];
    *n = (struct guide_node){ .parent = parent, .first = NODE_NONE, .next = NODE_NONE, .ordinal = (uint16_t)g->n,
                              .max = 1, .depth = g->n ? (uint8_t)(g->node[parent].depth + 1) : 0 };
    if (g->n) {
        uint16_t *link = &g->node[parent].first;
        while (*link != NODE_NONE)
            link = &g->node[*link].next;
        *link = (uint16_t)g->n;
    }
    g->n++;
    return n;
}

/* `loop N1[ST] 200`: the name and what selects it. The selecting element is settled when its segment is known. */
static bool read_selector(const struct building *b, const struct lines *lines, const struct line *line, unsigned word,
                          struct guide_node *n)
{
    struct path path;
    unsigned at = word;
    if (!path_read(lines, line, &at, &path))
        return false;
    if (path.n_steps != 1 || path.n_elements || path.n_words != 1) {
        complain_word(lines, line, word, "a segment or loop is expected here, such as N1 or N1[ST]");
        return false;
    }
    n->tag = path.step[0].tag;
    n->n_select = path.step[0].n_selects;
    if (n->n_select) {
        n->select_codes = ARENA_ARRAY(&b->x->g->arena, n->n_select, struct slice);
        if (!n->select_codes)
            return none(b->x);
        for (unsigned i = 0; i < n->n_select; i++) {
            n->select_codes[i] = path.step[0].select[i].value;
            n->select = path.step[0].select[i].element;
        }
    }
    return true;
}

static bool read_nodes(struct building *b, struct lines *lines, unsigned base_depth)
{
    uint16_t stack[LIMIT_LOOP_DEPTH + 1] = { 0 };
    struct line line;
    char area = 0;

    while (lines_next(lines, &line)) {
        unsigned level = line.depth - base_depth;
        struct guide_node *n, *parent;
        bool loop = slice_is(line.word[0].s, "loop");
        unsigned word = loop;
        if (line.depth < base_depth) {
            complain_word(lines, &line, 0, "the guide's lines must be indented");
            return false;
        }
        if (line.n == 1 && level == 0 &&
            (slice_is(line.word[0].s, "heading") || slice_is(line.word[0].s, "detail") ||
             slice_is(line.word[0].s, "summary"))) {
            area = line.word[0].s.p[0];
            continue;
        }
        if (level >= LIMIT_LOOP_DEPTH || b->guide->n >= MOST_NODES) {
            complain_word(lines, &line, 0, "the guide is too large");
            return false;
        }
        if (!b->guide->node[stack[level]].loop) {
            complain_word(lines, &line, 0, "only a loop can hold other lines");
            continue;
        }
        n = add_node(b, stack[level]);
        if (!n)
            return false;
        parent = &b->guide->node[n->parent];
        n->area = area;
        n->line = line.number;
        n->loop = loop;
        if (line.n <= word || !read_selector(b, lines, &line, word, n)) {
            if (line.n <= word)
                complain_word(lines, &line, word, "a name is expected here");
            n->tag = slice_of("?");
            continue;
        }
        stack[level + 1] = n->ordinal;
        if (loop) {
            if (line.n > 3 || (line.n == 3 && !read_max(line.word[2].s, &n->max)))
                complain_word(lines, &line, 2, "expected: loop NAME [MAX], MAX a number or >1");
            continue;
        }
        if (line.n < 2 || line.n > 3 || (!slice_is(line.word[1].s, "M") && !slice_is(line.word[1].s, "O")))
            complain_word(lines, &line, 1, "expected: SEGMENT M or O [MAX]");
        else
            n->required = line.word[1].s.p[0] == 'M';
        if (line.n == 3 && !read_max(line.word[2].s, &n->max))
            complain_word(lines, &line, 2, "the maximum is a number or >1");
        n->def = resolve_segment(b->x, b->version, n->tag);
        if (!n->def && !b->x->complaints->nomem)
            complain_word(lines, &line, 0, "this segment is not defined in the version");
        if (parent->first == n->ordinal && parent->ordinal) {
            n->trigger = true;
            parent->required = n->required;
            /* a loop's own qualifier selects by its first segment */
            if (parent->n_select && n->def) {
                n->select = parent->select ? parent->select : n->def->qualifier;
                n->select_codes = parent->select_codes;
                n->n_select = parent->n_select;
            }
        } else if (n->n_select && n->def && !n->select) {
            n->select = n->def->qualifier;
        }
    }
    for (unsigned i = b->guide->n; i-- > 0;) {
        struct guide_node *n = &b->guide->node[i];
        n->end = (uint16_t)(i + 1);
        for (uint16_t c = n->first; c != NODE_NONE; c = b->guide->node[c].next)
            n->end = b->guide->node[c].end;
    }
    return !b->x->complaints->nomem;
}

static bool number_tags(const struct context *x, struct guide *g)
{
    unsigned bits = 3;
    g->tag = ARENA_ARRAY(&x->g->arena, g->n + 1, struct slice);
    while ((1u << bits) < g->n)
        bits++;
    bits++;
    g->tag_shift = 32 - bits;
    g->tag_mask = (1u << bits) - 1;
    g->tag_slot = ARENA_ARRAY(&x->g->arena, 1u << bits, uint32_t);
    g->tag_number = ARENA_ARRAY(&x->g->arena, 1u << bits, uint8_t);
    if (!g->tag || !g->tag_slot || !g->tag_number)
        return none(x);
    for (unsigned i = 1; i < g->n; i++) {
        struct guide_node *n = &g->node[i];
        uint32_t key, at;
        if (n->loop || !n->def)
            continue;
        key = n->def->key;
        at = (uint32_t)(key * 0x9E3779B1u) >> g->tag_shift;
        while (g->tag_slot[at] && g->tag_slot[at] != key)
            at = (at + 1) & g->tag_mask;
        if (!g->tag_slot[at]) {
            if (g->n_tags == 255) {
                struct place place = { .file = g->id };
                complain(x->complaints, &place, "a guide has at most 255 different segments");
                return false;
            }
            g->tag_slot[at] = key;
            g->tag_number[at] = (uint8_t)g->n_tags;
            g->tag[g->n_tags++] = n->tag;
        }
        n->local = g->tag_number[at];
    }
    return true;
}

/* The segment node that entering `c` begins with: c itself, or the first segment of a loop. */
static const struct guide_node *trigger_of(const struct guide *g, const struct guide_node *c)
{
    while (c->loop && c->first != NODE_NONE)
        c = &g->node[c->first];
    return c->loop ? NULL : c;
}

/* All that can follow a segment, nearest first, as the standard's order has it. */
static unsigned followers(const struct guide *g, const struct guide_node *from, struct guide_step *run, unsigned most)
{
    const struct guide_node *at = from;
    unsigned n = 0;
    uint8_t missing = 0;
    bool self = !from->trigger;     /* the segment itself may repeat; a trigger repeats with its loop */
    for (;;) {
        const struct guide_node *c = at;
        const struct guide_node *parent = &g->node[at->parent];
        uint8_t moves = at->parent == from->parent ? 0 : STEP_MOVES;
        while (c) {
            if (c != at || (c == from && self) || (c->loop && c != from)) {
                const struct guide_node *t = trigger_of(g, c);
                if (t && n < most)
                    run[n++] = (struct guide_step){ t->ordinal,
                                                    (uint8_t)(missing | moves | (t->trigger ? STEP_MOVES : 0)), 0 };
                if (c != at && c->required && !c->not_used)
                    missing = STEP_MISSING;
            }
            c = c->next == NODE_NONE ? NULL : &g->node[c->next];
        }
        if (parent->ordinal == 0)
            return n;
        at = parent;
    }
}

static bool build_steps(const struct context *x, struct guide *g)
{
    enum { MOST_FOLLOWERS = 4000 };
    struct guide_step *run = malloc(MOST_FOLLOWERS * sizeof(*run));
    size_t room = 0, n_more = 0;
    bool done = false;

    g->step = ARENA_ARRAY(&x->g->arena, (size_t)g->n * g->n_tags, struct guide_step);
    if (!run || !g->step) {
        none(x);
        goto out;
    }
    for (unsigned s = 1; s < g->n; s++) {
        struct guide_step *row = &g->step[(size_t)s * g->n_tags];
        unsigned n;
        for (unsigned t = 0; t < g->n_tags; t++)
            row[t] = (struct guide_step){ NODE_NONE, 0, 0 };
        if (g->node[s].loop)
            continue;
        n = followers(g, &g->node[s], run, MOST_FOLLOWERS);
        for (unsigned i = 0; i < n; i++) {
            const struct guide_node *first = &g->node[run[i].target];
            struct guide_step *step = &row[first->local];
            unsigned count = 0, single;
            if (step->target != NODE_NONE)
                continue;
            for (unsigned k = i; k < n; k++)
                count += g->node[run[k].target].local == first->local;
            single = count == 1 && first->n_select == 0;
            if (single) {
                *step = run[i];
                continue;
            }
            if (n_more + count > NODE_NONE) {
                struct place place = { .file = g->id };
                complain(x->complaints, &place, "the guide is too large");
                goto out;
            }
            *step = (struct guide_step){ (uint16_t)n_more, STEP_MORE, 0 };
            for (unsigned k = i; k < n && step->candidates < MOST_RUN; k++) {
                if (g->node[run[k].target].local != first->local)
                    continue;
                g->more = arena_grow(&x->g->arena, g->more, n_more, &room, sizeof(*g->more));
                if (!g->more) {
                    none(x);
                    goto out;
                }
                g->more[n_more++] = run[k];
                step->candidates++;
            }
        }
    }
    done = true;
out:
    free(run);
    return done;
}

void guide_missing(const struct guide *g, const struct guide_node *from, const struct guide_node *to,
                   guide_missing_function *function, void *ctx)
{
    /* the child of the common loop that leads to `to` */
    const struct guide_node *at = from;
    for (;;) {
        const struct guide_node *c = at, *parent = &g->node[at->parent];
        const struct guide_node *goal = NULL;
        for (const struct guide_node *t = to;; t = &g->node[t->parent]) {
            if (t->ordinal == 0)
                break;
            if (t->parent == at->parent) {
                goal = t;
                break;
            }
        }
        /* a loop that begins anew is left first */
        if (goal && (goal->ordinal < at->ordinal || (goal == at && at == from && at->trigger)))
            goal = NULL;
        if (goal == at)
            return;
        for (c = at->next == NODE_NONE ? NULL : &g->node[at->next]; c && c != goal;
             c = c->next == NODE_NONE ? NULL : &g->node[c->next])
            if (c->required && !c->not_used)
                function(ctx, c);
        if (goal || parent->ordinal == 0)
            return;
        at = parent;
    }
}

const struct guide_node *guide_node_at(const struct guide *g, const struct guide_node *from, const struct slice *tag,
                                       unsigned n)
{
    for (uint16_t c = from->first; n && c != NODE_NONE; c = g->node[c].next) {
        const struct guide_node *node = &g->node[c];
        if (!slice_eq(node->tag, tag[0]))
            continue;
        if (n == 1)
            return node;
        if (node->loop) {
            const struct guide_node *found = guide_node_at(g, node, tag + 1, n - 1);
            if (found)
                return found;
        }
    }
    return NULL;
}

static int finish_guide(const struct context *x, struct guide *g, unsigned before, const char *what)
{
    if (x->complaints->count == before && number_tags(x, g))
        build_steps(x, g);
    return result(x, before, what);
}

static int keep_guide(const struct context *x, struct guide *g, bool partner)
{
    struct loaded_guide *l = ARENA_NEW(&x->g->arena, struct loaded_guide);
    if (!l)
        return err_nomem(x->err);
    *l = (struct loaded_guide){ x->g->guide, g, partner };
    x->g->guide = l;
    return 0;
}

/* "x12/004010/850" */
static bool split_id(struct slice id, struct slice *standard_r, struct slice *version_r, struct slice *set_r)
{
    bool a, b;
    struct slice rest;
    *standard_r = slice_cut(id, '/', &rest, &a);
    *version_r = slice_cut(rest, '/', set_r, &b);
    return a && b && standard_r->n && version_r->n && set_r->n;
}

/* A name that may become part of a file's name. */
static bool is_file_name(struct slice s)
{
    if (s.n == 0 || s.n > 64 || s.p[0] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i]) && !(s.p[i] >= 'A' && s.p[i] <= 'Z') && !(s.p[i] >= 'a' && s.p[i] <= 'z') &&
            s.p[i] != '_' && s.p[i] != '-' && s.p[i] != '.')
            return false;
    return true;
}

static int read_whole(const struct context *x, struct lines *lines, const struct line *heading, struct guide **guide_r)
{
    struct guide *g = ARENA_NEW(&x->g->arena, struct guide);
    struct building b = { x, g, NULL, 0 };
    unsigned before = x->complaints->count;
    int r;
    if (!g)
        return err_nomem(x->err);
    g->owner = x->g;
    g->id = heading->word[1].s;
    for (unsigned i = 2; i < heading->n; i++) {
        if (heading->word[i].quoted)
            g->title = heading->word[i].s;
        else if (slice_is(heading->word[i].s, "group") && i + 1 < heading->n)
            g->group = heading->word[++i].s;
        else
            complain_word(lines, heading, i, "expected: guide STANDARD/VERSION/SET [\"TITLE\"] [group CODE]");
    }
    if (!split_id(g->id, &g->standard, &g->version, &g->set) || !is_file_name(g->standard) ||
        !is_file_name(g->version)) {
        complain_word(lines, heading, 1, "a guide's name is STANDARD/VERSION/SET, such as x12/004010/850");
        return result(x, before, "the guide");
    }
    r = load_version(x, g->standard, g->version, 0, &b.version);
    if (r < 0)
        return r;
    g->directory = b.version;
    if (!add_node(&b, 0))
        return err_nomem(x->err);
    g->node[0].loop = true;
    g->node[0].tag = g->set;
    if (!read_nodes(&b, lines, 1) && x->complaints->nomem)
        return err_nomem(x->err);
    if (g->n < 2 && x->complaints->count == before)
        complain_word(lines, heading, 0, "the guide has no segments");
    r = finish_guide(x, g, before, "the guide");
    if (r == 0)
        *guide_r = g;
    return r;
}

static int load_guide(const struct context *x, struct slice standard, struct slice version, struct slice set,
                      const struct guide **guide_r)
{
    struct slice text, file;
    struct lines lines;
    struct line line;
    struct guide *guide = NULL;
    char path[4096];
    unsigned before = x->complaints->count;
    int r;

    for (struct loaded_guide *l = x->g->guide; l; l = l->next)
        if (!l->partner && slice_eq(l->guide->standard, standard) && slice_eq(l->guide->version, version) &&
            slice_eq(l->guide->set, set)) {
            *guide_r = l->guide;
            return 0;
        }
    snprintf(path, sizeof(path), "%.*s/%.*s/%.*s/%.*s.guide", SLICE_FMT(x->g->directory), SLICE_FMT(standard),
             SLICE_FMT(version), SLICE_FMT(set));
    r = read_file(x, path, &text, &file);
    if (r < 0)
        return r;
    lines_init(&lines, file, text, &x->g->arena, x->complaints);
    if (!lines_next(&lines, &line) || !slice_is(line.word[0].s, "guide") || line.n < 2) {
        struct place at = { .file = file, .line = 1 };
        complain(x->complaints, &at, "a guide begins with: guide STANDARD/VERSION/SET \"TITLE\"");
        return result(x, before, "the guide");
    }
    r = read_whole(x, &lines, &line, &guide);
    if (r == 0)
        r = result(x, before, "the guide"); /* the heading's own errors count, too */
    if (r < 0)
        return r;
    r = keep_guide(x, guide, false);
    if (r == 0)
        *guide_r = guide;
    return r;
}

/* The version's name as our folders have it: 00401 and 004010VICS are 004010. */
static struct slice version_name(struct slice version, char *room)
{
    size_t n = version.n < 6 ? version.n : 6;
    memcpy(room, version.p, n);
    if (n == 5 && version.n == 5)
        room[n++] = '0';
    return slice(room, n);
}

static bool has_set(const struct guides *g, struct slice standard, const char *version, struct slice set)
{
    char path[4096];
    snprintf(path, sizeof(path), "%.*s/%.*s/%s/%.*s.guide", SLICE_FMT(g->directory), SLICE_FMT(standard), version,
             SLICE_FMT(set));
    return access(path, F_OK) == 0;
}

static int find_guide(struct guides *g, struct slice standard, struct slice version, struct slice set,
                      struct complaints *complaints, const struct guide **guide_r, struct err *err)
{
    struct context x = { g, complaints, err };
    char path[4096], name[8], best[256] = "", above[256] = "";
    struct slice want;
    struct dirent *entry;
    DIR *dir;
    const char *chosen;

    *guide_r = NULL;
    if (!is_file_name(standard) || !is_file_name(set))
        return err_set(err, ERR_MISSING, "there is no such guide");
    want = version_name(version, name);
    if (is_file_name(want)) {
        char exact[8];
        snprintf(exact, sizeof(exact), "%.*s", SLICE_FMT(want));
        if (has_set(g, standard, exact, set))
            return load_guide(&x, standard, want, set, guide_r);
    }
    snprintf(path, sizeof(path), "%.*s/%.*s", SLICE_FMT(g->directory), SLICE_FMT(standard));
    dir = opendir(path);
    if (!dir)
        return err_system(err, "%s", path) == ERR_NOMEM ? ERR_NOMEM : ERR_MISSING;
    while ((entry = readdir(dir)) != NULL) {
        struct slice have = slice_of(entry->d_name);
        if (!is_file_name(have) || have.n >= sizeof(best) || !has_set(g, standard, entry->d_name, set))
            continue;
        if (slice_cmp(have, want) <= 0) {
            if (slice_cmp(have, slice_of(best)) > 0)
                snprintf(best, sizeof(best), "%s", entry->d_name);
        } else if (!above[0] || slice_cmp(have, slice_of(above)) < 0) {
            snprintf(above, sizeof(above), "%s", entry->d_name);
        }
    }
    closedir(dir);
    chosen = best[0] ? best : above;
    if (!chosen[0])
        return err_set(err, ERR_MISSING, "no version has a guide for this set");
    return load_guide(&x, standard, slice_of(chosen), set, guide_r);
}

int guides_find(struct guides *g, struct slice standard, struct slice version, struct slice set,
                struct complaints *complaints, const struct guide **guide_r, struct err *err)
{
    int r;
    pthread_mutex_lock(&g->lock);
    r = find_guide(g, standard, version, set, complaints, guide_r, err);
    pthread_mutex_unlock(&g->lock);
    return r;
}

static int guide_by_id(struct guides *g, struct slice id, struct complaints *complaints, const struct guide **guide_r,
                       struct err *err)
{
    struct context x = { g, complaints, err };
    struct slice standard, version, set;
    *guide_r = NULL;
    for (struct loaded_guide *l = g->guide; l; l = l->next)
        if (slice_eq(l->guide->id, id)) {
            *guide_r = l->guide;
            return 0;
        }
    if (!split_id(id, &standard, &version, &set) || !is_file_name(standard) || !is_file_name(version) ||
        !is_file_name(set))
        return err_set(err, ERR_MISSING, "a guide's name is STANDARD/VERSION/SET, such as x12/004010/850");
    return load_guide(&x, standard, version, set, guide_r);
}

int guides_by_id(struct guides *g, struct slice id, struct complaints *complaints, const struct guide **guide_r,
                 struct err *err)
{
    int r;
    pthread_mutex_lock(&g->lock);
    r = guide_by_id(g, id, complaints, guide_r, err);
    pthread_mutex_unlock(&g->lock);
    return r;
}

/* ---- partners' guides: what differs ---- */

static bool copy_nodes(const struct context *x, const struct guide *base, struct guide *g)
{
    *g = *base;
    g->variant = NULL;
    g->n_variants = 0;
    g->node = ARENA_ARRAY(&x->g->arena, base->n, struct guide_node);
    if (!g->node)
        return none(x);
    memcpy(g->node, base->node, base->n * sizeof(*g->node));
    return true;
}

static struct segment_def *own_segment(const struct context *x, const struct segment_def *def)
{
    struct segment_def *s = ARENA_NEW(&x->g->arena, struct segment_def);
    if (!s)
        return none(x);
    *s = *def;
    s->base = def->base ? def->base : def;
    s->use = ARENA_ARRAY(&x->g->arena, def->n, struct element_use);
    if (!s->use)
        return none(x);
    memcpy(s->use, def->use, def->n * sizeof(*s->use));
    return s;
}

/* A delta may speak of a segment in general (variant NULL) or with a qualifier. */
static struct guide_variant *variant_of(const struct context *x, struct guide *g, struct guide_node *node,
                                        const struct path_step *step, size_t *room, const struct lines *lines,
                                        const struct line *line)
{
    unsigned element = step->select[0].element ? step->select[0].element : node->def->qualifier;
    struct guide_variant *v;
    if (step->n_selects != 1 || element == 0) {
        complain_word(lines, line, 0, element ? "one qualifier is expected here" : "this segment has no qualifier; write [NN=CODE]");
        return NULL;
    }
    for (unsigned i = 0; i < g->n_variants; i++)
        if (g->variant[i].node == node->ordinal && g->variant[i].element == element &&
            slice_eq(g->variant[i].code_text, step->select[0].value))
            return &g->variant[i];
    if (g->n_variants == MOST_VARIANTS) {
        complain_word(lines, line, 0, "too many segments with qualifiers");
        return NULL;
    }
    g->variant = arena_grow(&x->g->arena, g->variant, g->n_variants, room, sizeof(*g->variant));
    if (!g->variant)
        return none(x);
    v = &g->variant[g->n_variants];
    *v = (struct guide_variant){ .node = node->ordinal, .element = element, .code = slice_key(step->select[0].value),
                                 .code_text = step->select[0].value, .bit = (uint8_t)g->n_variants };
    v->def = own_segment(x, node->def);
    if (!v->def)
        return NULL;
    g->n_variants++;
    node->has_variants = true;
    return v;
}

static bool own_codes(const struct context *x, const struct guide *g, const struct lines *lines,
                      const struct line *line, unsigned word, struct element_use *use)
{
    struct slice verb = line->word[word].s;
    struct codes *old = guide_codes(g, use), *made;
    struct code_line *list = NULL;
    size_t n = 0, room = 0;

    if (word + 1 >= line->n) {
        complain_word(lines, line, word + 1, "codes are expected here");
        return true;
    }
    if (!slice_is(verb, "only"))
        for (uint32_t i = 0; old && i < old->n; i++) {
            bool dropped = false;
            for (unsigned k = word + 1; slice_is(verb, "without") && k < line->n; k++)
                dropped |= slice_eq(line->word[k].s, old->codes[i]);
            if (!dropped && !add_code(&x->g->arena, &list, &n, &room, (struct code_line){ old->codes[i], old->names[i] }))
                return none(x);
        }
    for (unsigned k = word + 1; !slice_is(verb, "without") && k < line->n; k++) {
        struct slice code = line->word[k].s;
        if (code.n > 8)
            complain_word(lines, line, k, "a code has at most 8 characters");
        else if (!add_code(&x->g->arena, &list, &n, &room, (struct code_line){ code, codes_name(old, code) }))
            return none(x);
    }
    if (!build_codes(&x->g->arena, list, n, &made))
        return none(x);
    use->codes = made;
    use->list = made;
    use->needs_codes = true;
    return true;
}

/* The words behind an element's path. */
static bool change_use(const struct context *x, const struct guide *g, const struct lines *lines,
                       const struct line *line, unsigned word, struct segment_def *s, struct element_use *use,
                       uint64_t bit)
{
    struct slice verb = line->word[word].s;
    uint64_t min, max;
    if (slice_is(verb, "must") && word + 1 == line->n) {
        use->requirement = REQ_MANDATORY;
        s->mandatory |= bit;
    } else if (slice_is(verb, "may") && word + 1 == line->n) {
        use->requirement = REQ_OPTIONAL;
        s->mandatory &= ~bit;
    } else if (slice_is(verb, "not") && word + 2 == line->n && slice_is(line->word[word + 1].s, "used")) {
        use->requirement = REQ_NOT_USED;
        s->mandatory &= ~bit;
        s->not_used |= bit;
    } else if (slice_is(verb, "only") || slice_is(verb, "also") || slice_is(verb, "without")) {
        return own_codes(x, g, lines, line, word, use);
    } else if (slice_is(verb, "length") && word + 3 == line->n &&
               slice_number(line->word[word + 1].s, UINT32_MAX, &min) &&
               slice_number(line->word[word + 2].s, UINT32_MAX, &max) && min <= max) {
        use->min = (uint32_t)min;
        use->max = (uint32_t)max;
    } else {
        complain_word(lines, line, word,
                      "expected: must | may | not used | only CODES | also CODES | without CODES | length MIN MAX");
    }
    return true;
}

static bool change_node(struct guide *g, const struct lines *lines, const struct line *line, unsigned word,
                        struct guide_node *node, struct guide_variant *variant)
{
    struct slice verb = line->word[word].s;
    struct guide_node *loop = node->trigger ? &g->node[node->parent] : node;
    if (slice_is(verb, "must") && word + 1 == line->n) {
        if (variant) {
            struct guide_node *around = &g->node[(node->trigger ? loop : node)->parent];
            variant->must = true;
            around->musts |= 1ull << variant->bit;
        } else {
            loop->required = node->required = true;
        }
    } else if (slice_is(verb, "may") && word + 1 == line->n && !variant) {
        loop->required = node->required = false;
    } else if (slice_is(verb, "not") && word + 2 == line->n && slice_is(line->word[word + 1].s, "used")) {
        if (variant)
            variant->not_used = true;
        else
            loop->not_used = node->not_used = true;
    } else if (slice_is(verb, "max") && word + 2 == line->n && !variant && read_max(line->word[word + 1].s, &loop->max)) {
        /* done */
    } else {
        complain_word(lines, line, word, variant ? "expected: must | not used" : "expected: must | may | not used | max N");
    }
    return true;
}

static bool read_change(const struct context *x, struct guide *g, const struct lines *lines, const struct line *line,
                        size_t *room)
{
    struct slice tags[PATH_STEPS];
    const struct guide_node *found = NULL;
    struct guide_node *node;
    struct guide_variant *variant = NULL;
    const struct path_step *last;
    struct path path;
    unsigned word = 0;

    if (!path_read(lines, line, &word, &path))
        return !x->complaints->nomem;
    if (word >= line->n) {
        complain_word(lines, line, word, "what is different? expected: must, may, not used, …");
        return true;
    }
    for (unsigned i = 0; i < path.n_steps; i++)
        tags[i] = path.step[i].tag;
    /* from the top; else, for a single name, the first place where it stands */
    found = guide_node_at(g, &g->node[0], tags, path.n_steps);
    for (unsigned i = 1; !found && path.n_steps == 1 && i < g->n; i++)
        if (slice_eq(g->node[i].tag, tags[0]))
            found = &g->node[i];
    if (!found) {
        complain_word(lines, line, 0, "the guide has no such segment or loop there");
        return true;
    }
    node = &g->node[found->ordinal];
    while (node->loop && node->first != NODE_NONE)
        node = &g->node[node->first];
    last = &path.step[path.n_steps - 1];
    if (!node->def)
        return true;
    if (last->n_selects) {
        variant = variant_of(x, g, node, last, room, lines, line);
        if (!variant)
            return !x->complaints->nomem;
    }
    if (path.n_elements == 0)
        return change_node(g, lines, line, word, node, variant);
    if (!variant && !node->def->base) {
        node->def = own_segment(x, node->def);
        if (!node->def)
            return false;
    }
    struct segment_def *s = (struct segment_def *)(variant ? variant->def : node->def);
    for (unsigned i = 0; i < path.n_elements; i++) {
        unsigned k = path.element[i].element, c = path.element[i].component;
        struct element_use *use;
        if (k > s->n || (c && (s->use[k - 1].element->type != TYPE_COMPOSITE || c > s->use[k - 1].element->n_parts))) {
            complain_word(lines, line, path.first_word, "the segment has no such element");
            continue;
        }
        use = &s->use[k - 1];
        if (c) {
            struct element *e = ARENA_NEW(&x->g->arena, struct element);
            struct element_use *parts = ARENA_ARRAY(&x->g->arena, use->element->n_parts, struct element_use);
            if (!e || !parts)
                return none(x);
            *e = *use->element;
            memcpy(parts, e->part, e->n_parts * sizeof(*parts));
            e->part = parts;
            use->element = e;
            use = &parts[c - 1];
        }
        if (!change_use(x, g, lines, line, word, s, use, c || k > 64 ? 0 : 1ull << (k - 1)))
            return false;
        settle_use(use);
        if (c) {
            s->use[k - 1].codes = NULL;
            settle_use(&s->use[k - 1]);
        }
    }
    return true;
}

static int read_delta(struct guides *guides, struct slice file, struct slice text, struct complaints *complaints,
                      const struct guide **guide_r, struct err *err)
{
    struct context x = { guides, complaints, err };
    unsigned before = complaints->count;
    struct lines lines;
    struct line line;
    struct guide *g = NULL;
    const struct guide *base;
    size_t room = 0;
    int r;

    *guide_r = NULL;
    lines_init(&lines, file, text, &guides->arena, complaints);
    if (!lines_next(&lines, &line) || !slice_is(line.word[0].s, "guide") || line.n < 2) {
        struct place at = { .file = file, .line = 1 };
        complain(complaints, &at, "a guide begins with: guide NAME from STANDARD/VERSION/SET");
        return result(&x, before, "the guide");
    }
    if (line.n < 4 || !slice_is(line.word[2].s, "from")) {
        r = read_whole(&x, &lines, &line, &g);
        if (r == 0)
            r = result(&x, before, "the guide");
    } else {
        struct slice id = line.word[1].s, title = line.n > 4 && line.word[4].quoted ? line.word[4].s : slice(NULL, 0);
        r = guides_by_id(guides, line.word[3].s, complaints, &base, err);
        if (r == ERR_MISSING) {
            complain_word(&lines, &line, 3, "there is no such guide");
            r = result(&x, before, "the guide");
        }
        if (r < 0)
            return r;
        g = ARENA_NEW(&guides->arena, struct guide);
        if (!g || !copy_nodes(&x, base, g))
            return err_nomem(err);
        g->id = id;
        g->base = base->id;
        if (title.n)
            g->title = title;
        while (lines_next(&lines, &line))
            if (!read_change(&x, g, &lines, &line, &room))
                break;
        /* steps depend on what is mandatory and not used */
        g->n_tags = 0;
        r = finish_guide(&x, g, before, "the guide");
    }
    if (r == 0)
        r = keep_guide(&x, g, true);
    if (r == 0)
        *guide_r = g;
    return r;
}

int guides_read_delta(struct guides *g, struct slice file, struct slice text, struct complaints *complaints,
                      const struct guide **guide_r, struct err *err)
{
    int r;
    pthread_mutex_lock(&g->lock);
    r = read_delta(g, file, text, complaints, guide_r, err);
    pthread_mutex_unlock(&g->lock);
    return r;
}
