/* comparable: see comparable.h. */
#include "flow/comparable.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "edi/dialect.h"
#include "edi/path.h"
#include "map/read.h"
#include "record/reader.h"

enum { KINDS = 32, PATH_CEILING = 4096, TEXT_CEILING = 1 << 30, MOST_WORDS = 40 };

struct comparable {
    struct comparable_options options;
    struct arena arena;                     /* numbers of documents */
    struct buf text;                        /* records, or segments that were kept */
    struct comparable_document *document;
    size_t n, room;
    struct edi_reader *reader;
    struct map_reader *map;
    struct edi_sink below;                  /* the map reader's */
    const struct guide *guide;              /* of the plan chosen last */
    const struct map_plan *plan;
    const struct edi_document *at_hand;     /* a document being kept; NULL: it goes through a map */
    bool first_segment;                     /* the one behind the ST is still to come */
    size_t start;                           /* of the record or document in the text */
    struct json_tape tape;
    struct record_kind *kind[KINDS];
    unsigned n_kinds;
    struct err err;
    int failed;
};

static int fail(struct comparable *c, int code)
{
    if (code && !c->failed) {
        c->failed = code;
        if (code == ERR_LIMIT)
            err_set(&c->err, code, "the file is too large to be compared: %d MiB is the most", TEXT_CEILING >> 20);
        else if (code == ERR_NOMEM)
            err_nomem(&c->err);
    }
    return c->failed;
}

/* --- What counts of a value --------------------------------------------------------- */

/* "012.50" and "+12.5" are one number. Borrows from v where it can. */
static struct slice number_meaning(struct arena *arena, struct slice v)
{
    struct slice digits = v;
    bool negative = v.n && *v.p == '-';
    char *copy;

    if (v.n && (*v.p == '-' || *v.p == '+'))
        digits = slice_from(v, 1);
    if (!digits.n)
        return v;
    for (size_t i = 0, marks = 0; i < digits.n; i++)
        if (!is_digit(digits.p[i]) && (digits.p[i] != '.' || marks++))
            return v;
    while (digits.n > 1 && *digits.p == '0' && digits.p[1] != '.')
        digits = slice_from(digits, 1);
    if (memchr(digits.p, '.', digits.n)) {
        while (digits.p[digits.n - 1] == '0')
            digits.n--;
        if (digits.p[digits.n - 1] == '.')
            digits.n--;
        if (!digits.n)
            return SLICE("0");
    }
    if (slice_is(digits, "0"))
        return digits;
    copy = arena_alloc(arena, digits.n + 2);
    if (!copy)
        return slice(NULL, 0);
    v = slice(copy, 0);
    if (negative)
        copy[v.n++] = '-';
    if (*digits.p == '.')
        copy[v.n++] = '0';
    memcpy(copy + v.n, digits.p, digits.n);
    v.n += digits.n;
    return v;
}

/* A date of six digits is one of eight. */
static struct slice date_meaning(struct arena *arena, struct slice v)
{
    char *copy;

    for (size_t i = 0; i < v.n; i++)
        if (!is_digit(v.p[i]))
            return v;
    if (v.n != 6)
        return v;
    copy = arena_alloc(arena, 8);
    if (!copy)
        return slice(NULL, 0);
    memcpy(copy, v.p[0] < '7' ? "20" : "19", 2);
    memcpy(copy + 2, v.p, 6);
    return slice(copy, 8);
}

static struct slice element_meaning(struct arena *arena, const struct element_use *use, struct slice v)
{
    switch (use ? use->element->type : TYPE_AN) {
    case TYPE_N:
    case TYPE_R: return number_meaning(arena, slice_trim(v));
    case TYPE_DT: return date_meaning(arena, slice_trim(v));
    case TYPE_B: return v;
    default:
        while (v.n && v.p[v.n - 1] == ' ')
            v.n--;
        return v;
    }
}

/* --- Records ------------------------------------------------------------------------ */

/* The schema of a kind, when there is one; *kind_r is NULL when there is none. */
static int find_kind(struct comparable *c, struct slice name, uint64_t version, const struct record_kind **kind_r)
{
    struct buf path;
    int r = 0;

    *kind_r = NULL;
    for (unsigned i = 0; i < c->n_kinds; i++)
        if (slice_eq(c->kind[i]->name, name) && c->kind[i]->version == version) {
            *kind_r = c->kind[i];
            return 0;
        }
    for (size_t i = 0; i < name.n; i++)
        if (!((name.p[i] >= 'a' && name.p[i] <= 'z') || name.p[i] == '_'))
            return 0;
    if (!c->options.directory || !name.n || name.n > 64 || c->n_kinds == KINDS)
        return 0;
    buf_init(&path, PATH_CEILING);
    buf_printf(&path, "%s/records/%.*s.%llu.schema.json", c->options.directory, SLICE_FMT(name),
               (unsigned long long)version);
    if (buf_text(&path)[0] && !path.failed && access(path.p, R_OK) == 0)
        r = record_kind_load(&c->kind[c->n_kinds], path.p, c->options.reader.complaints);
    else if (path.failed)
        r = path.failed;
    buf_deinit(&path);
    if (r == 0 && c->kind[c->n_kinds])
        *kind_r = c->kind[c->n_kinds++];
    return r;
}

struct growing {
    struct comparable *c;
    struct arena *arena;
    const struct guide *guide;      /* of what is not mapped, for the names of elements; NULL: not known */
    int failed;
};

static struct slice decoded(struct growing *g, uint32_t node)
{
    struct slice s = json_raw(&g->c->tape, node);

    if (g->c->tape.node[node].type == JSON_STRING && json_string(&g->c->tape, node, g->arena, &s) < 0)
        g->failed = ERR_NOMEM;
    return s;
}

static struct slice decoded_key(struct growing *g, uint32_t node)
{
    struct slice s = { NULL, 0 };

    if (json_key(&g->c->tape, node, g->arena, &s) < 0)
        g->failed = ERR_NOMEM;
    return s;
}

static struct slice decoded_member(struct growing *g, uint32_t object, struct slice key)
{
    uint32_t node = json_member(&g->c->tape, object, key);
    return node ? decoded(g, node) : slice(NULL, 0);
}

static bool is_empty(const struct json_tape *tape, uint32_t node)
{
    const struct json_node *n = &tape->node[node];
    return n->type == JSON_NULL || (n->type == JSON_STRING && n->n == 0) ||
           ((n->type == JSON_OBJECT || n->type == JSON_ARRAY) && n->count == 0);
}

static struct compare_node *grown(struct growing *g, struct compare_node *node)
{
    if (!node)
        g->failed = ERR_NOMEM;
    return node;
}

/* "Reference Identification" for REF#2.REF03. */
static struct slice element_name(struct growing *g, struct slice path)
{
    const struct segment_def *def = NULL;
    struct slice tag;
    unsigned number;

    for (size_t i = path.n; i-- > 0;)
        if (path.p[i] == '.' || path.p[i] == '/') {
            path = slice_from(path, i + 1);
            break;
        }
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] == '-')
            path.n = i;
    if (!g->guide || !path_split_element(path, &tag, &number))
        return slice(NULL, 0);
    if (guide_find_segment(g->guide, tag, &def) == ERR_NOMEM)
        g->failed = ERR_NOMEM;
    return def && number && number <= def->n ? def->use[number - 1].element->name : slice(NULL, 0);
}

/* What no line of the map took: members named by their places. */
static void add_unmapped(struct growing *g, struct compare_node *parent, uint32_t node)
{
    const struct json_tape *tape = &g->c->tape;
    struct compare_node *object = grown(g, compare_add(g->arena, parent, COMPARE_OBJECT, SLICE("unmapped")));

    for (uint32_t c = json_first(node); object && c < json_end(tape, node); c = json_next(tape, c)) {
        struct slice path = decoded_member(g, c, SLICE("path")), value = decoded_member(g, c, SLICE("value"));
        struct compare_node *leaf = grown(g, compare_add_value(g->arena, object, path, value, value));
        if (!leaf)
            return;
        leaf->words = element_name(g, path);
    }
}

static void add_json(struct growing *g, struct compare_node *parent, struct slice name, uint32_t node,
                     const struct record_field *field, bool item, unsigned flags);

static void add_members(struct growing *g, struct compare_node *object, uint32_t node,
                        const struct record_object *shape)
{
    const struct json_tape *tape = &g->c->tape;
    bool refers = shape && record_field_find(shape, SLICE("id")) >= 0 && record_field_find(shape, SLICE("parent")) >= 0;

    for (uint32_t c = json_first(node); g->failed == 0 && c < json_end(tape, node); c = json_next(tape, c)) {
        int index = shape ? record_field_of(shape, tape, c) : -1;
        struct slice key = decoded_key(g, c);
        unsigned flags = 0;
        if (is_empty(tape, c))
            continue;
        if (refers)
            flags = slice_is(key, "id") ? COMPARE_ID : slice_is(key, "parent") ? COMPARE_REFERENCE : 0;
        if (slice_is(key, "unmapped") && tape->node[c].type == JSON_ARRAY)
            add_unmapped(g, object, c);
        else
            add_json(g, object, key, c, index < 0 ? NULL : &shape->field[index], false, flags);
    }
}

static void add_json(struct growing *g, struct compare_node *parent, struct slice name, uint32_t node,
                     const struct record_field *field, bool item, unsigned flags)
{
    const struct json_tape *tape = &g->c->tape;
    const struct record_object *shape = field ? field->object : NULL;
    unsigned type = !field ? RECORD_ANY : item ? field->item : field->type;
    struct compare_node *made = NULL;
    struct slice value;

    switch ((enum json_type)tape->node[node].type) {
    case JSON_OBJECT:
        made = grown(g, compare_add(g->arena, parent, COMPARE_OBJECT, name));
        if (made)
            add_members(g, made, node, shape);
        break;
    case JSON_ARRAY:
    case JSON_STREAMED:
        made = grown(g, compare_add(g->arena, parent, COMPARE_LIST, name));
        for (uint32_t c = json_first(node); made && g->failed == 0 && c < json_end(tape, node); c = json_next(tape, c))
            add_json(g, made, slice(NULL, 0), c, field, true, 0);
        break;
    case JSON_STRING:
        value = decoded(g, node);
        made = grown(g, compare_add_value(g->arena, parent, name, value,
                                          type == RECORD_DECIMAL ? number_meaning(g->arena, value) : value));
        if (made && field && field->codes.n)
            flags |= COMPARE_KEY;
        break;
    case JSON_NUMBER:
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        value = decoded(g, node);
        made = grown(g, compare_add_value(g->arena, parent, name, value, value));
        flags |= COMPARE_RAW;
        break;
    }
    if (made) {
        made->flags |= (uint8_t)flags;
        if (made->type == COMPARE_VALUE && value.n && !made->meaning.p)
            g->failed = ERR_NOMEM;
    }
}

/* Of what a record says of its envelopes: that which is no number or time. */
static bool says_between_whom(struct slice key)
{
    static const char *const names[] = { "standard", "version", "set", "sender", "receiver", "usage", "group_sender",
                                         "group_receiver" };
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_is(key, names[i]))
            return true;
    return false;
}

static void add_source(struct growing *g, uint32_t source, struct comparable_tree *tree)
{
    const struct json_tape *tape = &g->c->tape;
    struct compare_node *envelope = grown(g, compare_add(g->arena, tree->envelope, COMPARE_OBJECT, SLICE("source")));
    struct compare_node *numbers = grown(g, compare_add(g->arena, tree->numbers, COMPARE_OBJECT, SLICE("source")));

    for (uint32_t c = json_first(source); envelope && numbers && c < json_end(tape, source); c = json_next(tape, c)) {
        struct slice key = decoded_key(g, c);
        if (!is_empty(tape, c))
            add_json(g, says_between_whom(key) ? envelope : numbers, key, c, NULL, false, 0);
    }
}

static int record_tree(struct comparable *c, const struct comparable_document *d, struct arena *arena,
                       struct comparable_tree *tree, struct err *err)
{
    struct growing g = { .c = c, .arena = arena };
    const struct record_kind *kind;
    struct slice version_text;
    uint64_t version = 0;
    uint32_t source;
    int r = json_parse(&c->tape, slice(c->text.p + d->at, d->n), err);

    if (r < 0)
        return r;
    version_text = decoded_member(&g, 0, SLICE("version"));
    slice_number(version_text, UINT32_MAX, &version);
    r = find_kind(c, d->kind, version, &kind);
    if (r < 0)
        return err_set(err, r, "the schema of the record %.*s is wrong", SLICE_FMT(d->kind));
    tree->content = grown(&g, compare_add(arena, NULL, COMPARE_OBJECT, slice(NULL, 0)));
    source = json_member(&c->tape, 0, SLICE("source"));
    if (source && c->tape.node[source].type == JSON_OBJECT) {
        struct slice made_by = decoded_member(&g, source, SLICE("version")),
                     set = decoded_member(&g, source, SLICE("set"));
        tree->envelope = grown(&g, compare_add(arena, NULL, COMPARE_OBJECT, slice(NULL, 0)));
        tree->numbers = grown(&g, compare_add(arena, NULL, COMPARE_OBJECT, slice(NULL, 0)));
        if (tree->envelope && tree->numbers)
            add_source(&g, source, tree);
        /* for names only: without a guide there are none */
        if (g.failed == 0 && set.n && made_by.n &&
            guides_find(c->options.reader.guides, decoded_member(&g, source, SLICE("standard")), made_by, set,
                        c->options.reader.complaints, &g.guide, NULL) == ERR_NOMEM)
            g.failed = ERR_NOMEM;
    }
    for (uint32_t m = json_first(0); g.failed == 0 && m < json_end(&c->tape, 0); m = json_next(&c->tape, m)) {
        struct slice key = decoded_key(&g, m);
        int index = kind ? record_field_of(kind->root, &c->tape, m) : -1;
        if (slice_is(key, "record") || slice_is(key, "version") || slice_is(key, "rejected") || m == source ||
            is_empty(&c->tape, m))
            continue;
        if (slice_is(key, "id") || slice_is(key, "transmission") || slice_is(key, "partner")) {
            if (tree->numbers)
                add_json(&g, tree->numbers, key, m, NULL, false, 0);
        } else if (slice_is(key, "unmapped") && c->tape.node[m].type == JSON_ARRAY) {
            add_unmapped(&g, tree->content, m);
        } else {
            add_json(&g, tree->content, key, m, index < 0 ? NULL : &kind->root->field[index], false, 0);
        }
    }
    return g.failed ? err_nomem(err) : 0;
}

/* What a record is, told by its first look: kind and number. `text` is whole. */
static int index_record(struct comparable *c, size_t at, size_t n)
{
    struct comparable_document *d;
    uint32_t kind, number;
    int r;

    c->document = arena_grow(&c->arena, c->document, c->n, &c->room, sizeof(*c->document));
    if (!c->document)
        return ERR_NOMEM;
    r = json_parse(&c->tape, slice(c->text.p + at, n), &c->err);
    if (r < 0)
        return r;
    d = &c->document[c->n];
    *d = (struct comparable_document){ .ordinal = c->n + 1, .record = true, .at = at, .n = n };
    kind = json_member(&c->tape, 0, SLICE("record"));
    number = json_member(&c->tape, 0, SLICE("number"));
    if (kind && c->tape.node[kind].type == JSON_STRING)
        d->kind = arena_copy(&c->arena, json_raw(&c->tape, kind));
    if (number && (r = json_string(&c->tape, number, &c->arena, &d->number)) == 0)
        d->number = arena_copy(&c->arena, d->number);
    if (r < 0 || (kind && !d->kind.p && c->tape.node[kind].type == JSON_STRING) || (number && !d->number.p))
        return ERR_NOMEM;
    c->n++;
    return 0;
}

int comparable_read_records(struct comparable *c, int fd, struct err *err)
{
    const struct record_reader_options options = { .memory = TEXT_CEILING };
    struct record_reader *reader = NULL;
    const struct record *record;
    int r = record_reader_new(fd, &options, &reader, err);

    while (r == 0) {
        r = record_reader_next(reader, &record, err);
        if (r == 1 && record->streamed) {
            r = fail(c, ERR_LIMIT);
        } else if (r == 1) {
            size_t at = c->text.n;
            struct slice text = json_raw(record->tape, 0);
            buf_add_slice(&c->text, text);
            r = c->text.failed ? fail(c, c->text.failed) : index_record(c, at, text.n);
        } else if (r == ERR_DATA || r == ERR_LIMIT) {
            uint64_t number, line, offset;
            record_reader_place(reader, &number, &line, &offset);
            r = c->options.bad_record ? c->options.bad_record(c->options.ctx, line, err) : 0;
        } else if (r == 0) {
            break;
        }
    }
    record_reader_free(&reader);
    if (r < 0 && c->err.code)
        *err = c->err;
    else if (r == ERR_NOMEM)
        err_nomem(err);
    return r;
}

/* --- Documents, kept segment by segment --------------------------------------------- */

/* How a segment lies in the text: this, the lengths of its tag and elements, and their bytes. */
struct kept {
    uint16_t node;          /* NODE_NONE: it has no place */
    uint16_t n;             /* elements */
    uint32_t flags;         /* of the segment */
};

static int keep(struct comparable *c, uint16_t node, const struct slice *part, unsigned n, unsigned flags)
{
    struct kept k = { node, (uint16_t)n, flags };

    buf_add(&c->text, &k, sizeof(k));
    for (unsigned i = 0; i <= n; i++) {
        uint32_t length = (uint32_t)part[i].n;
        buf_add(&c->text, &length, sizeof(length));
    }
    for (unsigned i = 0; i <= n; i++)
        buf_add_slice(&c->text, part[i]);
    return c->text.failed ? fail(c, c->text.failed) : 0;
}

static int keep_segment(struct comparable *c, uint16_t node, const struct segment *s)
{
    struct slice part[LIMIT_ELEMENTS + 1];
    unsigned n = s->n < LIMIT_ELEMENTS ? s->n : LIMIT_ELEMENTS;

    part[0] = segment_tag(s);
    for (unsigned k = 1; k <= n; k++)
        part[k] = segment_element(s, k);
    return keep(c, node, part, n, s->flags);
}

static bool take_kept(struct slice *rest, struct kept *k, struct slice *part)
{
    uint32_t length[LIMIT_ELEMENTS + 1];

    if (rest->n < sizeof(*k))
        return false;
    memcpy(k, rest->p, sizeof(*k));
    *rest = slice_from(*rest, sizeof(*k));
    memcpy(length, rest->p, (k->n + 1u) * sizeof(*length));
    *rest = slice_from(*rest, (k->n + 1u) * sizeof(*length));
    for (unsigned i = 0; i <= k->n; i++) {
        part[i] = slice(rest->p, length[i]);
        *rest = slice_from(*rest, length[i]);
    }
    return true;
}

/* The names that a record's `source` has for what stands in the envelopes; they are kept as a first "segment". */
static const char *const envelope_names[] = { "version", "set",      "sender", "receiver",     "usage", "group_sender",
                                              "group_receiver", "interchange", "group", "document", "sent_at",
                                              "group_sent_at" };
enum { ENVELOPE_NAMES = sizeof(envelope_names) / sizeof(envelope_names[0]) };

static int keep_envelope(struct comparable *c, const struct edi_document *d)
{
    const struct edi_interchange *i = d->interchange;
    const struct edi_group *g = d->group;
    struct slice part[ENVELOPE_NAMES + 1];
    struct buf words;
    size_t at[5];
    int r;

    buf_init(&words, 4096);
    for (unsigned k = 0; k < 2; k++) {
        at[k] = words.n;
        buf_add_slice(&words, k ? i->receiver_qualifier : i->sender_qualifier);
        buf_add_char(&words, ':');
        buf_add_slice(&words, k ? i->receiver : i->sender);
    }
    at[2] = words.n;
    buf_printf(&words, "%.*s %.*s", SLICE_FMT(i->date), SLICE_FMT(i->time));
    at[3] = words.n;
    buf_printf(&words, "%.*s %.*s", SLICE_FMT(g->date), SLICE_FMT(g->time));
    at[4] = words.n;
    r = words.failed;
    part[0] = slice(NULL, 0);
    part[1] = d->version;
    part[2] = d->set;
    part[3] = slice(words.p + at[0], at[1] - at[0]);
    part[4] = slice(words.p + at[1], at[2] - at[1]);
    part[5] = i->usage;
    part[6] = g->sender;
    part[7] = g->receiver;
    part[8] = i->control;
    part[9] = g->control;
    part[10] = d->control;
    part[11] = slice(words.p + at[2], at[3] - at[2]);
    part[12] = slice(words.p + at[3], at[4] - at[3]);
    r = r ? fail(c, r) : keep(c, NODE_NONE, part, ENVELOPE_NAMES, 0);
    buf_deinit(&words);
    return r;
}

/* What a document is told apart by: the first of its beginning segment's elements that is no code, date or time. */
static struct slice business_number(const struct guide_node *node, const struct segment *s)
{
    for (unsigned k = 1; node->def && k <= s->n && k <= node->def->n; k++) {
        enum element_type type = node->def->use[k - 1].element->type;
        struct slice v = segment_element(s, k);
        if (v.n && type != TYPE_ID && type != TYPE_DT && type != TYPE_TM && type != TYPE_COMPOSITE)
            return slice_trim(v);
    }
    return slice(NULL, 0);
}

static int choose_plan(void *ctx, const struct edi_document *d, const struct map_plan **plan_r)
{
    struct comparable *c = ctx;
    const struct comparable_options *o = &c->options;
    const struct map *map = o->map;
    int r = 0;

    *plan_r = c->plan;
    if (c->guide == d->guide && c->guide)
        return 0;
    c->plan = *plan_r = NULL;
    if (o->by_guide || !d->guide || (map && !slice_eq(map_set(map), d->set)))
        return 0;
    for (unsigned i = 0; !map && i < o->n_partner_map; i++)
        if (slice_eq(map_set(o->partner_map[i]), d->set))
            map = o->partner_map[i];
    if (!map) {
        r = maps_by_set(o->maps, d->guide->standard, d->set, o->reader.complaints, &map, &c->err);
        if (r == ERR_MISSING)
            return 0;
    }
    if (r == 0)
        r = map_plan_for(o->maps, map, d->guide, o->reader.complaints, plan_r, &c->err);
    if (r == 0) {
        c->guide = d->guide;
        c->plan = *plan_r;
    }
    return r;
}

static int on_write(void *ctx, const char *p, size_t n)
{
    struct comparable *c = ctx;
    buf_add(&c->text, p, n);
    return c->text.failed ? fail(c, c->text.failed) : 0;
}

static int on_finding(void *ctx, const struct finding *f)
{
    struct comparable *c = ctx;
    return c->options.finding ? c->options.finding(c->options.ctx, f) : 0;
}

static int on_interchange(void *ctx, const struct edi_interchange *i)
{
    struct comparable *c = ctx;
    return c->below.interchange ? c->below.interchange(c->below.ctx, i) : 0;
}

static int on_interchange_end(void *ctx, const struct edi_interchange *i)
{
    struct comparable *c = ctx;
    return c->below.interchange_end ? c->below.interchange_end(c->below.ctx, i) : 0;
}

static int on_group(void *ctx, const struct edi_group *g)
{
    struct comparable *c = ctx;
    return c->below.group ? c->below.group(c->below.ctx, g) : 0;
}

static int on_document(void *ctx, const struct edi_document *d)
{
    struct comparable *c = ctx;
    int r;

    c->start = c->text.n;
    c->at_hand = NULL;
    r = c->below.document ? c->below.document(c->below.ctx, d) : 0;
    if (r || (d->guide && c->guide == d->guide && c->plan))
        return r;
    c->at_hand = d;
    c->first_segment = true;
    c->document = arena_grow(&c->arena, c->document, c->n, &c->room, sizeof(*c->document));
    if (!c->document)
        return fail(c, ERR_NOMEM);
    c->document[c->n] = (struct comparable_document){ .ordinal = d->ordinal, .guide = d->guide,
                                                      .syntax = d->interchange->syntax, .at = c->text.n };
    if (d->guide)
        c->document[c->n].title = d->guide->title;
    c->document[c->n].kind = arena_copy(&c->arena, d->set);
    return c->document[c->n].kind.p ? keep_envelope(c, d) : fail(c, ERR_NOMEM);
}

/* ST, SE, UNH, UNT */
static bool is_envelope(const struct comparable *c, struct slice tag)
{
    const struct dialect *d = c->at_hand->interchange->dialect;
    return slice_is(tag, d->level[DIALECT_DOCUMENT].begin) || slice_is(tag, d->level[DIALECT_DOCUMENT].end);
}

static int on_segment(void *ctx, const struct guide_node *node, const struct segment *s, uint64_t present)
{
    struct comparable *c = ctx;

    if (!c->at_hand)
        return c->below.segment ? c->below.segment(c->below.ctx, node, s, present) : 0;
    if (node->depth == 1 && is_envelope(c, node->tag))
        return 0;
    if (c->first_segment) {
        c->first_segment = false;
        c->document[c->n].number = arena_copy(&c->arena, business_number(node, s));
        if (!c->document[c->n].number.p)
            return fail(c, ERR_NOMEM);
    }
    return keep_segment(c, node->ordinal, s);
}

static int on_stray(void *ctx, const struct segment *s)
{
    struct comparable *c = ctx;

    if (!c->at_hand)
        return c->below.stray ? c->below.stray(c->below.ctx, s) : 0;
    if (is_envelope(c, segment_tag(s)))
        return 0;
    return keep_segment(c, NODE_NONE, s);
}

static int on_document_end(void *ctx, const struct edi_document *d)
{
    struct comparable *c = ctx;
    int r = c->below.document_end ? c->below.document_end(c->below.ctx, d) : 0;

    if (r)
        return r;
    if (c->at_hand) {
        c->document[c->n].n = c->text.n - c->document[c->n].at;
        c->n++;
        c->at_hand = NULL;
        return 0;
    }
    r = c->text.n > c->start ? index_record(c, c->start, c->text.n - c->start) : 0;
    if (r == 0 && c->text.n > c->start)
        c->document[c->n - 1].ordinal = d->ordinal;
    return fail(c, r);
}

/* Every loop and segment at its place, and what each says. */
struct placing {
    struct growing g;
    const struct comparable_document *d;
    struct compare_node **loop;     /* the occurrence at hand of each loop, by its node */
    unsigned flags;                 /* of the segment at hand: what separates its components */
};

static struct slice element_place(struct arena *arena, struct slice tag, unsigned element, unsigned component)
{
    char text[32];
    int n = component ? snprintf(text, sizeof(text), "%.*s%02u-%u", SLICE_FMT(tag), element, component)
                      : snprintf(text, sizeof(text), "%.*s%02u", SLICE_FMT(tag), element);

    if (n < 0 || (size_t)n >= sizeof(text))
        n = (int)sizeof(text) - 1;
    return arena_copy(arena, slice(text, (size_t)n));
}

static void add_leaf(struct placing *x, struct compare_node *parent, struct slice name, const struct element_use *use,
                     struct slice value, unsigned flags)
{
    struct slice meaning = element_meaning(x->g.arena, use, value);
    struct compare_node *leaf;

    if (!slice_trim(value).n)
        return;
    leaf = grown(&x->g, compare_add_value(x->g.arena, parent, name, value, meaning));
    if (!leaf)
        return;
    if (!meaning.p)
        x->g.failed = ERR_NOMEM;
    leaf->flags = (uint8_t)flags;
    if (use)
        leaf->words = use->element->name;
}

static void add_parts(struct placing *x, struct compare_node *parent, struct slice tag, unsigned element,
                      const struct element_use *use, struct slice value)
{
    bool more = true;

    for (unsigned k = 1; more && x->g.failed == 0; k++) {
        struct slice part = slice_cut(value, segment_component_separator(x->flags, &x->d->syntax), &value, &more);
        const struct element_use *part_use = k <= use->element->n_parts ? &use->element->part[k - 1] : NULL;
        struct slice name = element_place(x->g.arena, tag, element, k);
        if (!name.p)
            x->g.failed = ERR_NOMEM;
        else if (part.n)
            add_leaf(x, parent, name, part_use, part, 0);
    }
}

static void add_element(struct placing *x, struct compare_node *segment, struct slice tag, unsigned element,
                        const struct element_use *use, struct slice value, unsigned flags)
{
    bool composite = use && use->element->type == TYPE_COMPOSITE;
    char repetition = use && use->repeat > 1 && use->element->type != TYPE_B
                                ? segment_repetition_separator(x->flags, &x->d->syntax)
                                : 0;
    struct slice name = element_place(x->g.arena, tag, element, 0);
    struct compare_node *parent = segment;
    bool more = true;

    if (!name.p) {
        x->g.failed = ERR_NOMEM;
        return;
    }
    if (!repetition && !composite) {
        add_leaf(x, segment, name, use, value, flags);
        return;
    }
    if (repetition)
        parent = grown(&x->g, compare_add(x->g.arena, segment, COMPARE_LIST, name));
    while (parent && more && x->g.failed == 0) {
        struct slice one = value;
        if (repetition)
            one = slice_cut(value, repetition, &value, &more);
        else
            more = false;
        if (composite) {
            struct compare_node *object =
                grown(&x->g, compare_add(x->g.arena, parent, COMPARE_OBJECT, repetition ? slice(NULL, 0) : name));
            if (!object)
                return;
            if (!repetition)
                object->flags = COMPARE_SILENT;
            add_parts(x, object, tag, element, use, one);
        } else if (one.n) {
            add_leaf(x, parent, slice(NULL, 0), use, one, 0);
        }
    }
}

/* The list of a parent's segments or loops of this name. */
static struct compare_node *list_of(struct placing *x, struct compare_node *parent, struct slice name,
                                    struct slice words, unsigned flags)
{
    struct compare_node *list;

    for (list = parent->first; list; list = list->next)
        if (list->type == COMPARE_LIST && list->flags & COMPARE_SLASH && slice_eq(list->name, name))
            return list;
    list = grown(&x->g, compare_add(x->g.arena, parent, COMPARE_LIST, name));
    if (list) {
        list->flags = (uint8_t)(flags | COMPARE_SLASH);
        list->words = words;
    }
    return list;
}

static struct compare_node *occurrence(struct placing *x, struct compare_node *parent, struct slice name,
                                       struct slice words, unsigned flags)
{
    struct compare_node *list = list_of(x, parent, name, words, flags), *item;

    if (!list)
        return NULL;
    item = grown(&x->g, compare_add(x->g.arena, list, COMPARE_OBJECT, slice(NULL, 0)));
    if (item) {
        item->flags = COMPARE_SILENT;
        item->words = words;
    }
    return item;
}

/* Where a segment belongs; its loop is opened when it is its trigger. */
static struct compare_node *place_of(struct placing *x, const struct guide_node *node)
{
    const struct guide *guide = x->d->guide;
    const struct guide_node *loop = &guide->node[node->parent];
    struct compare_node *parent;

    if (node->trigger && node->depth > 1) {
        const struct guide_node *around = loop;
        do
            around = &guide->node[around->parent];
        while (!x->loop[around->ordinal]);
        for (unsigned i = loop->ordinal; i < loop->end; i++)
            x->loop[i] = NULL;
        parent = occurrence(x, x->loop[around->ordinal], loop->tag, node->def->name,
                            loop->max == 1 ? COMPARE_SINGLE : 0);
        x->loop[loop->ordinal] = parent;
        return parent;
    }
    while (!x->loop[loop->ordinal])
        loop = &guide->node[loop->parent];
    /* what has no qualifier is text, or counts by its place: MSG, N3 */
    return occurrence(x, x->loop[loop->ordinal], node->tag, node->def->name,
                      (node->max == 1 ? COMPARE_SINGLE : 0) | (node->def->qualifier ? 0 : COMPARE_ORDERED));
}

static void add_segment(struct placing *x, const struct kept *k, const struct slice *part)
{
    const struct guide *guide = x->d->guide;
    const struct guide_node *node = guide && k->node < guide->n ? &guide->node[k->node] : NULL;
    const struct segment_def *def = node ? node->def : NULL;
    struct slice tag = arena_copy(x->g.arena, part[0]);
    struct compare_node *segment;
    bool levels = slice_is(tag, "HL");

    x->flags = k->flags;

    if (!tag.p || (!node && guide && guide_find_segment(guide, tag, &def) == ERR_NOMEM)) {
        x->g.failed = ERR_NOMEM;
        return;
    }
    segment = node ? place_of(x, node)
                   : occurrence(x, x->loop[0], tag, def ? def->name : slice(NULL, 0), COMPARE_ORDERED);
    for (unsigned i = 1; segment && x->g.failed == 0 && i <= k->n; i++) {
        unsigned flags = 0;
        if (!part[i].n)
            continue;
        if (levels && i <= 2)
            flags = i == 1 ? COMPARE_ID : COMPARE_REFERENCE;
        else if ((def && i == def->qualifier) || (node && node->n_select && i == node->select))
            flags = COMPARE_KEY;
        add_element(x, segment, tag, i, def && i <= def->n ? &def->use[i - 1] : NULL, part[i], flags);
    }
}

/* --- "N1[ST]", "PO1#3" -------------------------------------------------------------- */

struct labelled {
    struct slice key;
    uint32_t index;
    struct compare_node *item;
};

static int labelled_order(const void *x, const void *y)
{
    const struct labelled *a = x, *b = y;
    int r = slice_cmp(a->key, b->key);
    return r ? r : (a->index > b->index) - (a->index < b->index);
}

static void add_labels(struct placing *x, struct compare_node *node)
{
    struct labelled *l;
    uint32_t n = 0, same = 0;

    for (struct compare_node *c = node->first; c; c = c->next)
        add_labels(x, c);
    if (x->g.failed || node->type != COMPARE_LIST || !(node->flags & COMPARE_SLASH))
        return;
    l = ARENA_ARRAY(x->g.arena, node->n, struct labelled);
    if (!l) {
        x->g.failed = ERR_NOMEM;
        return;
    }
    for (struct compare_node *c = node->first; c; c = c->next) {
        l[n] = (struct labelled){ .index = c->index, .item = c };
        for (struct compare_node *m = c->first; m && !l[n].key.n; m = m->next)
            if (m->flags & COMPARE_KEY)
                l[n].key = m->meaning;
        n++;
    }
    qsort(l, n, sizeof(*l), labelled_order);
    for (uint32_t i = 0; i < n; i++) {
        char text[MOST_WORDS];
        int length = 0;
        same = i && slice_eq(l[i].key, l[i - 1].key) ? same + 1 : 1;
        if (l[i].key.n && l[i].key.n < 16)
            length = snprintf(text, sizeof(text), "[%.*s]", SLICE_FMT(l[i].key));
        if (same > 1 && length >= 0)
            length += snprintf(text + length, sizeof(text) - (size_t)length, "#%u", same);
        if (length <= 0)
            continue;
        l[i].item->label = arena_copy(x->g.arena, slice(text, (size_t)length));
        if (!l[i].item->label.p)
            x->g.failed = ERR_NOMEM;
    }
}

static void add_envelope(struct placing *x, const struct kept *k, const struct slice *part,
                         struct comparable_tree *tree)
{
    struct compare_node *envelope, *numbers;

    tree->envelope = grown(&x->g, compare_add(x->g.arena, NULL, COMPARE_OBJECT, slice(NULL, 0)));
    tree->numbers = grown(&x->g, compare_add(x->g.arena, NULL, COMPARE_OBJECT, slice(NULL, 0)));
    if (x->g.failed)
        return;
    envelope = grown(&x->g, compare_add(x->g.arena, tree->envelope, COMPARE_OBJECT, SLICE("source")));
    numbers = grown(&x->g, compare_add(x->g.arena, tree->numbers, COMPARE_OBJECT, SLICE("source")));
    for (unsigned i = 1; x->g.failed == 0 && i <= k->n && i <= ENVELOPE_NAMES; i++) {
        struct slice name = slice_of(envelope_names[i - 1]), value = slice_trim(part[i]);
        if (value.n)
            grown(&x->g, compare_add_value(x->g.arena, says_between_whom(name) ? envelope : numbers, name, value,
                                           value));
    }
}

static int document_tree(struct comparable *c, const struct comparable_document *d, struct arena *arena,
                         struct comparable_tree *tree, struct err *err)
{
    struct placing x = { .g = { .c = c, .arena = arena }, .d = d };
    struct slice rest = slice(c->text.p + d->at, d->n), part[LIMIT_ELEMENTS + 1];
    struct kept k;
    bool first = true;

    tree->content = compare_add(arena, NULL, COMPARE_OBJECT, slice(NULL, 0));
    x.loop = ARENA_ARRAY(arena, d->guide ? d->guide->n : 1, struct compare_node *);
    if (!tree->content || !x.loop)
        return err_nomem(err);
    x.loop[0] = tree->content;
    while (x.g.failed == 0 && take_kept(&rest, &k, part)) {
        if (first)
            add_envelope(&x, &k, part, tree);
        else
            add_segment(&x, &k, part);
        first = false;
    }
    if (x.g.failed == 0)
        add_labels(&x, tree->content);
    return x.g.failed ? err_nomem(err) : 0;
}

/* --- The file ------------------------------------------------------------------------ */

int comparable_new(const struct comparable_options *options, struct comparable **c_r, struct err *err)
{
    struct comparable *c = calloc(1, sizeof(*c));
    struct edi_sink sink = {
        .ctx = c,
        .interchange = on_interchange,
        .interchange_end = on_interchange_end,
        .group = on_group,
        .document = on_document,
        .segment = on_segment,
        .stray = on_stray,
        .document_end = on_document_end,
        .finding = on_finding,
    };
    const struct map_read_options map = { .choose = choose_plan, .write = on_write, .finding = on_finding, .ctx = c,
                                          .optional = true };
    int r;

    *c_r = NULL;
    if (!c)
        return err_nomem(err);
    c->options = *options;
    arena_init(&c->arena, TEXT_CEILING);
    buf_init(&c->text, TEXT_CEILING);
    json_tape_init(&c->tape, TEXT_CEILING);
    r = map_reader_new(&map, &c->map, err);
    if (r == 0) {
        map_reader_sink(c->map, &c->below);
        r = edi_reader_new(&c->options.reader, &sink, &c->reader, err);
    }
    if (r < 0) {
        comparable_free(&c);
        return r;
    }
    map_reader_attach(c->map, c->reader);
    *c_r = c;
    return 0;
}

void comparable_free(struct comparable **c_p)
{
    struct comparable *c = *c_p;

    if (!c)
        return;
    edi_reader_free(&c->reader);
    map_reader_free(&c->map);
    for (unsigned i = 0; i < c->n_kinds; i++)
        record_kind_free(&c->kind[i]);
    json_tape_deinit(&c->tape);
    buf_deinit(&c->text);
    arena_deinit(&c->arena);
    free(c);
    *c_p = NULL;
}

struct edi_reader *comparable_reader(struct comparable *c)
{
    return c->reader;
}

int comparable_end(struct comparable *c, struct err *err)
{
    if (c->failed)
        *err = c->err;
    return c->failed;
}

size_t comparable_count(const struct comparable *c)
{
    return c->n;
}

const struct comparable_document *comparable_at(const struct comparable *c, size_t i)
{
    return &c->document[i];
}

int comparable_tree(struct comparable *c, size_t i, struct arena *arena, struct comparable_tree *tree, struct err *err)
{
    const struct comparable_document *d = &c->document[i];
    int r;

    *tree = (struct comparable_tree){ NULL, NULL, NULL };
    r = d->record ? record_tree(c, d, arena, tree, err) : document_tree(c, d, arena, tree, err);
    if (r == 0)
        compare_finish(tree->content);
    return r;
}

/* --- Which answers to which ---------------------------------------------------------- */

struct numbered {
    const struct comparable_document *d;
    uint32_t i;
    bool paired;
};

static int kind_order(const struct comparable_document *a, const struct comparable_document *b)
{
    return a->record != b->record ? a->record - b->record : slice_cmp(a->kind, b->kind);
}

static int number_order(const void *x, const void *y)
{
    const struct numbered *a = x, *b = y;
    int r = kind_order(a->d, b->d);
    if (r == 0)
        r = slice_cmp(a->d->number, b->d->number);
    return r ? r : (a->i > b->i) - (a->i < b->i);
}

static int place_order(const void *x, const void *y)
{
    const struct numbered *a = x, *b = y;
    int r = kind_order(a->d, b->d);
    return r ? r : (a->i > b->i) - (a->i < b->i);
}

static struct numbered *numbered(const struct comparable *c)
{
    struct numbered *n = calloc(c->n ? c->n : 1, sizeof(*n));

    for (size_t i = 0; n && i < c->n; i++)
        n[i] = (struct numbered){ .d = &c->document[i], .i = (uint32_t)i };
    if (n)
        qsort(n, c->n, sizeof(*n), number_order);
    return n;
}

int comparable_pair(const struct comparable *a, const struct comparable *b, int64_t *partner)
{
    struct numbered *x = numbered(a), *y = numbered(b);
    size_t i, k, any_x, any_y;

    for (i = 0; i < a->n; i++)
        partner[i] = -1;
    if (!x || !y) {
        free(x);
        free(y);
        return ERR_NOMEM;
    }
    for (i = k = 0; i < a->n && k < b->n;) {
        int order = kind_order(x[i].d, y[k].d);
        if (order == 0)
            order = slice_cmp(x[i].d->number, y[k].d->number);
        if (order == 0) {
            partner[x[i].i] = y[k].i;
            x[i++].paired = y[k++].paired = true;
        } else if (order < 0) {
            i++;
        } else {
            k++;
        }
    }
    /* a kind of which no number is in both: by their places */
    qsort(x, a->n, sizeof(*x), place_order);
    qsort(y, b->n, sizeof(*y), place_order);
    for (i = k = 0; i < a->n && k < b->n; i = any_x, k = any_y) {
        int order = kind_order(x[i].d, y[k].d);
        bool paired = false;
        for (any_x = i; any_x < a->n && order <= 0 && kind_order(x[i].d, x[any_x].d) == 0; any_x++)
            paired |= x[any_x].paired;
        for (any_y = k; any_y < b->n && order >= 0 && kind_order(y[k].d, y[any_y].d) == 0; any_y++)
            paired |= y[any_y].paired;
        for (; order == 0 && !paired && i < any_x && k < any_y; i++, k++)
            partner[x[i].i] = y[k].i;
    }
    free(x);
    free(y);
    return 0;
}
