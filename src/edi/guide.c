/*
 * guide: see guide.h. Guides with their nodes, and the steps from node to node.
 *
 * What stands in a version's own files is read by dictionary.c, what a delta says differently by guide_delta.c, which
 * guide is for a document by guide_choice.c. Everything lives in the arena of its `guides` until guides_free().
 */
#include "edi/guide_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "edi/path.h"

enum { GUIDES_MEMORY = 64 << 20, MOST_NODES = 4000, MOST_RUN = 255 };

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
    file_free_kept(&g->file);
    pthread_mutex_destroy(&g->lock);
    arena_deinit(&g->arena);
    free(g);
    *guides = NULL;
}

void *guide_nomem(const struct guide_context *x)
{
    x->complaints->nomem = true;
    return NULL;
}

int guide_result(const struct guide_context *x, unsigned complaints_before, const char *what)
{
    if (x->complaints->nomem)
        return err_nomem(x->err);
    if (x->complaints->count > complaints_before)
        return err_set(x->err, ERR_CONFIG, "%s is wrong", what);
    return 0;
}

int guide_read_file(const struct guide_context *x, const char *path, struct slice *text_r, struct slice *name_r)
{
    return file_keep(&x->g->file, &x->g->arena, path, LIMIT_CONFIG_FILE, text_r, name_r, x->err);
}

void guide_complain(const struct lines *lines, const struct line *line, unsigned word, const char *what)
{
    struct place at = lines_place(lines, line, word);
    complain(lines->complaints, &at, "%s", what);
}

bool guide_read_max(struct slice word, uint32_t *max_r)
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
    const struct guide_context *x;
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
        return guide_nomem(b->x);
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
        guide_complain(lines, line, word, "a segment or loop is expected here, such as N1 or N1[ST]");
        return false;
    }
    n->tag = path.step[0].tag;
    n->n_select = path.step[0].n_selects;
    if (n->n_select) {
        n->select_codes = ARENA_ARRAY(&b->x->g->arena, n->n_select, struct slice);
        if (!n->select_codes)
            return guide_nomem(b->x);
        for (unsigned i = 0; i < n->n_select; i++) {
            n->select_codes[i] = path.step[0].select[i].value;
            n->select = path.step[0].select[i].element;
        }
    }
    return true;
}

static bool read_required(const struct guide_words *words, struct slice word, bool *required_r)
{
    if (word.n != 1 || (word.p[0] != 'M' && word.p[0] != *words->letter))
        return false;
    *required_r = word.p[0] == 'M';
    return true;
}

/* `loop N1 200`, `group SG25 C 200000`: what stands behind the name. A loop is mandatory when its first segment is, a
 * group says so itself, and its first segment is always there once. */
static void read_loop(const struct building *b, const struct lines *lines, const struct line *line,
                      struct guide_node *n)
{
    bool group = b->guide->words->notation;
    unsigned at = group ? 3 : 2;

    if (group && (line->n < 3 || !read_required(b->guide->words, line->word[2].s, &n->required)))
        guide_complain(lines, line, 2, "expected: group NAME M or C [MAX]");
    else if (line->n > at + 1 || (line->n == at + 1 && !guide_read_max(line->word[at].s, &n->max)))
        guide_complain(lines, line, at,
                       group ? "expected: group NAME M or C [MAX], MAX a number or >1"
                             : "expected: loop NAME [MAX], MAX a number or >1");
}

static void read_trigger(const struct building *b, const struct lines *lines, const struct line *line,
                         struct guide_node *n, struct guide_node *parent)
{
    n->trigger = true;
    if (!b->guide->words->notation) {
        parent->required = n->required;
    } else {
        if (!n->required || n->max != 1)
            guide_complain(lines, line, 1,
                           "the first segment of a group is M and stands once; the group says how often");
        n->required = parent->required;
    }
    /* a loop's own qualifier selects by its first segment */
    if (parent->n_select && n->def) {
        n->select = parent->select ? parent->select : n->def->qualifier;
        n->select_part = parent->select ? 0 : n->def->qualifier_part;
        n->select_codes = parent->select_codes;
        n->n_select = parent->n_select;
    }
}

static bool read_nodes(struct building *b, struct lines *lines, unsigned base_depth)
{
    uint16_t stack[LIMIT_LOOP_DEPTH + 1] = { 0 };
    struct line line;
    char area = 0;

    while (lines_next(lines, &line)) {
        unsigned level = line.depth - base_depth;
        struct guide_node *n, *parent;
        bool loop = slice_is(line.word[0].s, b->guide->words->loop);
        unsigned word = loop;
        if (line.depth < base_depth) {
            guide_complain(lines, &line, 0, "the guide's lines must be indented");
            return false;
        }
        if (line.n == 1 && level == 0 &&
            (slice_is(line.word[0].s, "heading") || slice_is(line.word[0].s, "detail") ||
             slice_is(line.word[0].s, "summary"))) {
            area = line.word[0].s.p[0];
            continue;
        }
        if (level >= LIMIT_LOOP_DEPTH || b->guide->n >= MOST_NODES) {
            guide_complain(lines, &line, 0, "the guide is too large");
            return false;
        }
        if (!b->guide->node[stack[level]].loop) {
            guide_complain(lines, &line, 0, "only a loop can hold other lines");
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
                guide_complain(lines, &line, word, "a name is expected here");
            n->tag = slice_of("?");
            continue;
        }
        stack[level + 1] = n->ordinal;
        if (loop) {
            read_loop(b, lines, &line, n);
            continue;
        }
        if (line.n < 2 || line.n > 3 || !read_required(b->guide->words, line.word[1].s, &n->required))
            guide_complain(lines, &line, 1,
                           b->guide->words->notation ? "expected: SEGMENT M or C [MAX]"
                                                     : "expected: SEGMENT M or O [MAX]");
        if (line.n == 3 && !guide_read_max(line.word[2].s, &n->max))
            guide_complain(lines, &line, 2, "the maximum is a number or >1");
        unsigned before = b->x->complaints->count;
        n->def = dictionary_segment(b->x, b->version, n->tag);
        if (!n->def && !b->x->complaints->nomem)
            guide_complain(lines, &line, 0, "this segment is not defined in the version");
        else if (n->def && n->def->wrong && b->x->complaints->count == before)
            guide_complain(lines, &line, 0, "the definition of this segment has errors");
        if (parent->first == n->ordinal && parent->ordinal) {
            read_trigger(b, lines, &line, n, parent);
        } else if (n->n_select && n->def && !n->select) {
            n->select = n->def->qualifier;
            n->select_part = n->def->qualifier_part;
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

static bool number_tags(const struct guide_context *x, struct guide *g)
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
        return guide_nomem(x);
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

static bool build_steps(const struct guide_context *x, struct guide *g)
{
    enum { MOST_FOLLOWERS = 4000 };
    struct guide_step *run = malloc(MOST_FOLLOWERS * sizeof(*run));
    size_t room = 0, n_more = 0;
    bool done = false;

    g->step = ARENA_ARRAY(&x->g->arena, (size_t)g->n * g->n_tags, struct guide_step);
    if (!run || !g->step) {
        guide_nomem(x);
        goto out;
    }
    for (unsigned s = 1; s < g->n; s++) {
        struct guide_step *row = &g->step[(size_t)s * g->n_tags];
        uint16_t many[UINT8_MAX + 1] = { 0 };   /* of each tag */
        unsigned n;
        for (unsigned t = 0; t < g->n_tags; t++)
            row[t] = (struct guide_step){ NODE_NONE, 0, 0 };
        if (g->node[s].loop)
            continue;
        n = followers(g, &g->node[s], run, MOST_FOLLOWERS);
        for (unsigned i = 0; i < n; i++)
            many[g->node[run[i].target].local]++;
        for (unsigned i = 0; i < n; i++) {
            const struct guide_node *first = &g->node[run[i].target];
            struct guide_step *step = &row[first->local];
            unsigned count = many[first->local], single;
            if (step->target != NODE_NONE)
                continue;
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
                    guide_nomem(x);
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

const char *guide_requirement(const struct guide *g, const struct guide_node *node)
{
    if (node->not_used)
        return "-";
    /* in X12 the first segment says it of its loop, in EDIFACT the group says it itself */
    return node->required || (node->trigger && g->words->notation) ? "M" : g->words->letter;
}

const struct guide_qualifier *guide_qualifier(const struct guide *g, unsigned bit)
{
    unsigned i = 0;
    while (i + 1 < g->n_qualifiers && g->qualifier[i].bit != bit)
        i++;
    return &g->qualifier[i];
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
    /* a group by the segment that opens it */
    for (uint16_t c = from->first; n && c != NODE_NONE; c = g->node[c].next) {
        const struct guide_node *node = &g->node[c];
        if (!node->loop || node->first == NODE_NONE || !slice_eq(g->node[node->first].tag, tag[0]) ||
            slice_eq(node->tag, tag[0]))
            continue;
        node = n == 1 ? node : guide_node_at(g, node, tag + 1, n - 1);
        if (node)
            return node;
    }
    return NULL;
}

int guide_finish(const struct guide_context *x, struct guide *g, unsigned before, const char *what)
{
    g->bare = g->n == 2 && slice_eq(g->node[1].tag, g->set);
    if (x->complaints->count == before && number_tags(x, g))
        build_steps(x, g);
    return guide_result(x, before, what);
}

int guide_keep(const struct guide_context *x, struct guide *g, struct slice file, struct slice text, bool partner)
{
    struct loaded_guide *l = ARENA_NEW(&x->g->arena, struct loaded_guide);
    if (!l)
        return err_nomem(x->err);
    *l = (struct loaded_guide){ x->g->guide, g, file, text, partner };
    x->g->guide = l;
    return 0;
}

const struct loaded_guide *guide_kept(const struct guides *g, const struct guide *guide)
{
    const struct loaded_guide *l = g->guide;
    while (l && l->guide != guide)
        l = l->next;
    return l;
}

bool guide_begins(struct lines *lines, struct line *line_r, const char *how)
{
    struct place at = { .file = lines->file, .line = 1 };
    if (lines_next(lines, line_r)) {
        if (slice_is(line_r->word[0].s, "guide") && line_r->n > 1)
            return true;
        at = lines_place(lines, line_r, slice_is(line_r->word[0].s, "guide"));
    }
    complain(lines->complaints, &at, "a guide begins with: %s", how);
    return false;
}

bool guide_split_id(struct slice id, struct slice *standard_r, struct slice *version_r, struct slice *set_r)
{
    bool a, b;
    struct slice rest;
    *standard_r = slice_cut(id, '/', &rest, &a);
    *version_r = slice_cut(rest, '/', set_r, &b);
    return a && b && standard_r->n && version_r->n && set_r->n;
}

bool guide_is_file_name(struct slice s)
{
    if (s.n == 0 || s.n > 64 || s.p[0] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i]) && !(s.p[i] >= 'A' && s.p[i] <= 'Z') && !(s.p[i] >= 'a' && s.p[i] <= 'z') &&
            s.p[i] != '_' && s.p[i] != '-' && s.p[i] != '.')
            return false;
    return true;
}

int guide_read_whole(const struct guide_context *x, struct lines *lines, const struct line *heading,
                     struct guide **guide_r)
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
            guide_complain(lines, heading, i, "expected: guide STANDARD/VERSION/SET [\"TITLE\"] [group CODE]");
    }
    if (!guide_split_id(g->id, &g->standard, &g->version, &g->set) || !guide_is_file_name(g->standard) ||
        !guide_is_file_name(g->version)) {
        guide_complain(lines, heading, 1, "a guide's name is STANDARD/VERSION/SET, such as x12/004010/850");
        return guide_result(x, before, "the guide");
    }
    g->words = guide_words(g->standard);
    r = dictionary_load(x, g->standard, g->version, 0, &b.version);
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
        guide_complain(lines, heading, 0, "the guide has no segments");
    r = guide_finish(x, g, before, "the guide");
    if (r == 0)
        *guide_r = g;
    return r;
}

int guide_load(const struct guide_context *x, struct slice standard, struct slice version, struct slice set,
               const struct guide **guide_r)
{
    struct slice text, file;
    struct lines lines;
    struct line line;
    struct guide *guide = NULL;
    char path[4096];
    unsigned before = x->complaints->count;
    int r;

    snprintf(path, sizeof(path), "%.*s/%.*s/%.*s/%.*s.guide", SLICE_FMT(x->g->directory), SLICE_FMT(standard),
             SLICE_FMT(version), SLICE_FMT(set));
    for (struct loaded_guide *l = x->g->guide; l; l = l->next) {
        if (l->partner || !slice_is(l->file, path))
            continue;
        if (!l->guide) { /* what is wrong in it was said when it was read, perhaps to somebody else */
            struct place at = { .file = l->file };
            complain(x->complaints, &at, "the guide has errors; it was read before");
            return guide_result(x, before, "the guide");
        }
        *guide_r = l->guide;
        return 0;
    }
    r = guide_read_file(x, path, &text, &file);
    if (r < 0)
        return r;
    lines_init(&lines, file, text, &x->g->arena, x->complaints);
    if (guide_begins(&lines, &line, "guide STANDARD/VERSION/SET \"TITLE\""))
        r = guide_read_either(x, &lines, &line, false, &guide);
    if (r == 0)
        r = guide_result(x, before, "the guide"); /* the heading's own errors count, too */
    if (r < 0 && r != ERR_CONFIG)
        return r;
    if (guide_keep(x, r == 0 ? guide : NULL, file, text, false) < 0)
        return err_nomem(x->err);
    if (r == 0)
        *guide_r = guide;
    return r;
}

static int guide_by_id(struct guides *g, struct slice id, struct complaints *complaints, const struct guide **guide_r,
                       struct err *err)
{
    struct guide_context x = { g, complaints, err };
    struct slice standard, version, set;
    int r;
    *guide_r = NULL;
    if (!guide_split_id(id, &standard, &version, &set) || !guide_is_file_name(standard) ||
        !guide_is_file_name(version) || !guide_is_file_name(set))
        r = err_set(err, ERR_MISSING, "a guide's name is STANDARD/VERSION/SET, such as x12/004010/850");
    else
        r = guide_load(&x, standard, version, set, guide_r);
    for (struct loaded_guide *l = g->guide; l && r == ERR_MISSING; l = l->next)
        if (l->guide && l->partner && slice_eq(l->guide->id, id)) {
            *guide_r = l->guide;
            return 0;
        }
    return r;
}

int guides_by_id(struct guides *g, struct slice id, struct complaints *complaints, const struct guide **guide_r,
                 struct err *err)
{
    int r;
    pthread_mutex_lock(&g->lock);
    r = guide_by_id(g, id, complaints, guide_r, err);
    pthread_mutex_unlock(&g->lock);
    if (r == 0)
        err_clear(err); /* of files that a version need not have */
    return r;
}
