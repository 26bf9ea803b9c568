/* schema: see schema.h. This half reads schemas; check.c holds records against them. */
#include "record/schema.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/limits.h"

enum { LONGEST_NAME = 128, DEEPEST = 200, MOST_REFERENCES = 16 };

/* What a word of JSON Schema means to us. */
enum word {
    WORD_ANNOTATION,
    WORD_TYPE,
    WORD_PROPERTIES,
    WORD_REQUIRED,
    WORD_ADDITIONAL,
    WORD_ITEMS,
    WORD_MIN_ITEMS,
    WORD_MAX_ITEMS,
    WORD_ENUM,
    WORD_CONST,
    WORD_PATTERN,
    WORD_FORMAT,
    WORD_MIN_LENGTH,
    WORD_MAX_LENGTH,
    WORD_DESCRIPTION,
    WORD_CODES,
    WORD_TRACE,
    WORD_REFERENCE
};

enum {          /* which types a word speaks of */
    OF_OBJECT = 1,
    OF_ARRAY = 2,
    OF_STRING = 4,
    OF_OTHER = 8,
    OF_ALL = 15
};

enum {          /* how it is written */
    IS_STRING = 1 << JSON_STRING,
    IS_NUMBER = 1 << JSON_NUMBER,
    IS_OBJECT = 1 << JSON_OBJECT,
    IS_ARRAY = 1 << JSON_ARRAY,
    IS_BOOLEAN = 1 << JSON_TRUE | 1 << JSON_FALSE,
    IS_ANY = 255
};

static const struct word_row {
    const char *name;
    enum word word;
    int of;
    int is;
    const char *expected;
} words[] = {
    /* the usual ones first: each word of each schema is looked for */
    { "type", WORD_TYPE, OF_ALL, IS_STRING, "the name of one type" },
    { "description", WORD_DESCRIPTION, OF_ALL, IS_STRING, "a string" },
    { "$ref", WORD_REFERENCE, OF_ALL, IS_STRING, "a reference such as \"#/$defs/party\"" },
    { "items", WORD_ITEMS, OF_ARRAY, IS_OBJECT | 1 << JSON_TRUE, "a schema" },
    { "format", WORD_FORMAT, OF_STRING, IS_STRING, "a string" },
    { "properties", WORD_PROPERTIES, OF_OBJECT, IS_OBJECT, "an object" },
    { "required", WORD_REQUIRED, OF_OBJECT, IS_ARRAY, "an array of names" },
    { "additionalProperties", WORD_ADDITIONAL, OF_OBJECT, IS_BOOLEAN | IS_OBJECT, "false, true or a schema" },
    { "minItems", WORD_MIN_ITEMS, OF_ARRAY, IS_NUMBER, "a number" },
    { "maxItems", WORD_MAX_ITEMS, OF_ARRAY, IS_NUMBER, "a number" },
    { "enum", WORD_ENUM, OF_STRING | OF_OTHER, IS_ARRAY, "an array of values" },
    { "const", WORD_CONST, OF_STRING | OF_OTHER, IS_STRING | IS_NUMBER | IS_BOOLEAN, "a string, number or boolean" },
    { "pattern", WORD_PATTERN, OF_STRING, IS_STRING, "a string" },
    { "minLength", WORD_MIN_LENGTH, OF_STRING, IS_NUMBER, "a number" },
    { "maxLength", WORD_MAX_LENGTH, OF_STRING, IS_NUMBER, "a number" },
    { "x-codes", WORD_CODES, OF_STRING, IS_STRING, "the name of a set of codes" },
    { "x-trace", WORD_TRACE, OF_STRING, IS_BOOLEAN, "true or false" },
    { "$defs", WORD_ANNOTATION, OF_ALL, IS_OBJECT, "an object" },
    { "$schema", WORD_ANNOTATION, OF_ALL, IS_STRING, "a string" },
    { "$id", WORD_ANNOTATION, OF_ALL, IS_STRING, "a string" },
    { "title", WORD_ANNOTATION, OF_ALL, IS_STRING, "a string" },
    { "$comment", WORD_ANNOTATION, OF_ALL, IS_STRING, "a string" },
    { "examples", WORD_ANNOTATION, OF_ALL, IS_ARRAY, "an array" },
    { "default", WORD_ANNOTATION, OF_ALL, IS_ANY, "" },
    { "deprecated", WORD_ANNOTATION, OF_ALL, IS_BOOLEAN, "true or false" },
};

enum { WORDS = sizeof(words) / sizeof(words[0]) };

static const struct {
    const char *name;
    enum record_type type;
} types[] = {
    { "object", RECORD_OBJECT }, { "array", RECORD_ARRAY },     { "string", RECORD_STRING },
    { "integer", RECORD_INTEGER }, { "boolean", RECORD_BOOLEAN },
}, formats[] = {
    { "decimal", RECORD_DECIMAL },
    { "date", RECORD_DATE },
    { "time", RECORD_TIME },
    { "partial-datetime", RECORD_DATETIME },
};

struct loader {
    struct slice file;
    struct slice text;
    struct json_tape tape;
    struct arena *arena;                /* the kind's */
    struct complaints *complaints;      /* NULL in a part that was read before: each error is reported once */
    struct complaints *all;
    struct record_object **object_of;   /* [tape.n]: what a schema became, for the objects among them */
    struct record_field **field_of;     /* [tape.n]: and for those that references name */
    bool *seen;                         /* [tape.n]: its errors have been reported */
    unsigned depth;
    bool nomem;
    bool opens;                         /* may read schemas that lie beside its own */
    struct loader *beside;              /* those read so far */
    struct loader *first;               /* the one that all began with */
    struct buf own;                     /* of these: what was read */
    char *path;
};

static bool read_field(struct loader *l, uint32_t schema, struct record_field *field);

/* Where bytes at..at+width of the text stand. */
static struct place place_of(const struct loader *l, size_t at, size_t width)
{
    struct place place = { .file = l->file, .line = 1 };
    const char *line = l->text.p, *end = line + l->text.n, *newline, *here = line + at;

    while ((newline = memchr(line, '\n', (size_t)(here - line))) != NULL) {
        line = newline + 1;
        place.line++;
    }
    newline = memchr(line, '\n', (size_t)(end - line));
    place.text = slice(line, (size_t)((newline ? newline : end) - line));
    place.column = (uint32_t)(here - line) + 1;
    place.width = (uint32_t)(width < place.text.n ? width : place.text.n);
    return place;
}

static struct place place_of_value(const struct loader *l, uint32_t node)
{
    const struct json_node *n = &l->tape.node[node];
    if (n->type == JSON_STRING)
        return place_of(l, n->at - 1, (size_t)n->n + 2);
    return place_of(l, n->at, n->type == JSON_OBJECT || n->type == JSON_ARRAY ? 1 : n->n);
}

static struct place place_of_key(const struct loader *l, uint32_t node)
{
    const struct json_node *n = &l->tape.node[node];
    if (!(n->flags & JSON_KEYED))
        return place_of_value(l, node);
    return place_of(l, n->key - 1, (size_t)n->key_n + 2);
}

static bool out_of_memory(struct loader *l)
{
    l->nomem = true;
    return false;
}

/* Copies of strings, keys and numbers that outlive the text. */
static bool keep_value(struct loader *l, uint32_t node, struct slice *value_r)
{
    struct slice s;
    if (json_string(&l->tape, node, l->arena, &s) < 0)
        return out_of_memory(l);
    *value_r = arena_copy(l->arena, s);
    return value_r->p ? true : out_of_memory(l);
}

static bool keep_key(struct loader *l, uint32_t node, struct slice *key_r)
{
    struct slice s;
    if (json_key(&l->tape, node, l->arena, &s) < 0)
        return out_of_memory(l);
    *key_r = arena_copy(l->arena, s);
    return key_r->p ? true : out_of_memory(l);
}

static bool number_value(struct loader *l, uint32_t node, uint64_t most, uint64_t *value_r)
{
    struct place place;
    if (slice_number(json_raw(&l->tape, node), most, value_r))
        return true;
    place = place_of_value(l, node);
    complain(l->complaints, &place, "expected a whole number from 0 to %llu", (unsigned long long)most);
    return false;
}

static bool parse(struct loader *l);

/* The schema of that name beside l's own, read once. NULL: there is none, which is complained of at the reference. */
static struct loader *look_beside(struct loader *l, struct slice name, uint32_t reference)
{
    struct slice folder = l->first->file;
    struct place place;
    struct loader *other;
    struct err err;
    int r;

    while (folder.n && folder.p[folder.n - 1] != '/')
        folder.n--;
    for (other = l->first->beside; other; other = other->beside)
        if (slice_eq(slice_from(other->file, folder.n), name))
            return other;
    place = place_of_value(l, reference);
    if (!l->first->opens || name.n > 100 || memchr(name.p, '/', name.n) || name.p[0] == '.') {
        complain(l->complaints, &place,
                 "a reference must look like \"#/$defs/NAME\", or \"KIND.VERSION.schema.json#/$defs/NAME\"");
        return NULL;
    }
    other = calloc(1, sizeof(*other));
    if (other)
        other->path = malloc(folder.n + name.n + 1);
    if (!other || !other->path) {
        free(other);
        out_of_memory(l);
        return NULL;
    }
    memcpy(other->path, folder.p, folder.n);
    memcpy(other->path + folder.n, name.p, name.n);
    other->path[folder.n + name.n] = 0;
    buf_init(&other->own, LIMIT_CONFIG_FILE);
    json_tape_init(&other->tape, (size_t)LIMIT_CONFIG_FILE * 8);
    other->first = l->first;
    other->beside = l->first->beside;
    l->first->beside = other;
    other->arena = l->arena;
    other->complaints = other->all = l->all;
    other->file = slice_of(other->path);
    r = file_read(other->path, &other->own, &err);
    other->text = buf_slice(&other->own);
    if (r == ERR_NOMEM)
        out_of_memory(l);
    else if (r < 0)
        complain(l->complaints, &place, "%s", err.text);
    else if (!parse(other))
        out_of_memory(l);
    return l->nomem ? NULL : other;
}

/* The schema that a $ref names, and in *l_r the loader whose it is; 0 when there is none (and that is complained
 * of). */
static uint32_t resolve(struct loader *l, uint32_t reference, struct loader **l_r)
{
    struct slice path, file, prefix = SLICE("/$defs/"), best = { NULL, 0 };
    uint32_t defs, target, c;
    struct loader *other = l;
    struct place place;
    unsigned distance = 3;
    bool found;

    file = slice_cut(json_raw(&l->tape, reference), '#', &path, &found);
    if (!found || !slice_starts(path, prefix)) {
        place = place_of_value(l, reference);
        complain(l->complaints, &place, "a reference must look like \"#/$defs/NAME\"");
        return 0;
    }
    if (file.n)
        other = look_beside(l, file, reference);
    if (!other || other->tape.n == 0)
        return 0;
    *l_r = other;
    defs = json_member(&other->tape, 0, SLICE("$defs"));
    path = slice_from(path, prefix.n);
    target = defs ? json_member(&other->tape, defs, path) : 0;
    if (target)
        return target;
    place = place_of_value(l, reference);
    complain(l->complaints, &place, "there is no \"%.*s\" in $defs", SLICE_FMT(path));
    if (defs && other->tape.node[defs].type == JSON_OBJECT)
        for (c = json_first(defs); c < json_end(&other->tape, defs); c = json_next(&other->tape, c))
            suggest(path, json_raw_key(&other->tape, c), &best, &distance);
    if (best.n)
        complain_hint(l->complaints, "did you mean \"%.*s#/$defs/%.*s\"?", SLICE_FMT(file), SLICE_FMT(best));
    return 0;
}

static const struct word_row *find_word(struct loader *l, uint32_t member)
{
    struct slice key = json_raw_key(&l->tape, member), best = { NULL, 0 };
    unsigned distance = 3;
    struct place place;

    for (unsigned i = 0; i < WORDS; i++)
        if (key.n && key.p[0] == words[i].name[0] && slice_is(key, words[i].name))
            return &words[i];
    if (slice_starts(key, SLICE("x-")))
        return NULL;
    place = place_of_key(l, member);
    complain(l->complaints, &place, "\"%.*s\" is no word of JSON Schema that Waybill checks", SLICE_FMT(key));
    for (unsigned i = 0; i < WORDS; i++)
        suggest(key, slice_of(words[i].name), &best, &distance);
    if (best.n)
        complain_hint(l->complaints, "did you mean \"%.*s\"?", SLICE_FMT(best));
    return NULL;
}

/* --- the hash of an object's names --- */

static uint64_t next_multiplier(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) | 1;
}

static bool fill_slots(struct record_object *o, uint8_t *slot, size_t slots)
{
    size_t first = SIZE_MAX;

    memset(slot, 0, slots);
    o->twins = false;
    for (unsigned i = 0; i < o->n; i++) {
        const struct record_key *k = &o->key[i], *there;
        size_t at = record_key_hash(o, k);
        if (i == 0) {
            first = at;
        } else if (slot[at] == 0 && at != first) {
            slot[at] = (uint8_t)i;
        } else {
            there = &o->key[slot[at]];
            if (there->head != k->head || there->tail != k->tail || there->n != k->n)
                return false;
            o->twins = true;
        }
    }
    return true;
}

static bool build_hash(struct loader *l, struct record_object *o)
{
    enum { TRIES = 100, MOST_BITS = 20 };
    struct record_key *keys = ARENA_ARRAY(l->arena, o->n + 1u, struct record_key);
    uint64_t state = 1;
    unsigned bits = 1;

    if (!keys)
        return out_of_memory(l);
    o->key = keys;
    keys[o->n].n = UINT64_MAX;
    for (unsigned i = 0; i < o->n; i++) {
        keys[i].n = o->field[i].name.n;
        record_key_words(o->field[i].name, &keys[i].head, &keys[i].tail);
    }
    /* so many places that every few tries one has no collision */
    while (1u << bits < o->n * o->n / 4u)
        bits++;
    for (; bits <= MOST_BITS; bits++) {
        uint8_t *slot = arena_alloc(l->arena, (size_t)1 << bits);
        if (!slot)
            return out_of_memory(l);
        o->slot = slot;
        o->shift = (uint8_t)(64 - bits);
        for (unsigned i = 0; i < TRIES; i++) {
            o->multiplier = next_multiplier(&state);
            if (fill_slots(o, slot, (size_t)1 << bits))
                return true;
        }
    }
    return out_of_memory(l);    /* names are distinct, so this does not happen */
}

/* --- objects --- */

static bool read_properties(struct loader *l, uint32_t properties, struct record_object *o)
{
    const struct json_tape *t = &l->tape;
    struct record_field *fields;
    struct place place;
    uint32_t c, twice = json_duplicate(t, properties);

    if (twice) {
        place = place_of_key(l, twice);
        complain(l->complaints, &place, "the property \"%.*s\" stands here twice", SLICE_FMT(json_raw_key(t, twice)));
        return true;
    }
    if (t->node[properties].count > RECORD_FIELDS) {
        place = place_of_key(l, properties);
        complain(l->complaints, &place, "an object may have %u properties, not %u", RECORD_FIELDS,
                 t->node[properties].count);
        return true;
    }
    fields = ARENA_ARRAY(l->arena, t->node[properties].count, struct record_field);
    if (!fields)
        return out_of_memory(l);
    o->field = fields;
    for (c = json_first(properties); c < json_end(t, properties); c = json_next(t, c)) {
        struct record_field *f = &fields[o->n];
        if (!read_field(l, c, f) || !keep_key(l, c, &f->name))
            return false;
        f->index = o->n++;
        if (f->name.n == 0 || f->name.n > LONGEST_NAME) {
            place = place_of_key(l, c);
            complain(l->complaints, &place, "a property's name has 1 to %u bytes", LONGEST_NAME);
        }
    }
    return true;
}

static void read_required(struct loader *l, uint32_t required, struct record_object *o)
{
    const struct json_tape *t = &l->tape;
    struct record_field *fields = (struct record_field *)o->field;
    uint32_t c;

    for (c = json_first(required); c < json_end(t, required); c = json_next(t, c)) {
        struct slice name = json_raw(t, c), best = { NULL, 0 };
        struct place place;
        unsigned distance = 3;
        int i = t->node[c].type == JSON_STRING ? record_field_find(o, name) : -1;
        if (i >= 0) {
            fields[i].required = true;
            o->required[i / 64] |= (uint64_t)1 << i % 64;
            continue;
        }
        place = place_of_value(l, c);
        complain(l->complaints, &place, "what is required must be a property of the object");
        for (i = 0; i < o->n; i++)
            suggest(name, o->field[i].name, &best, &distance);
        if (best.n)
            complain_hint(l->complaints, "did you mean \"%.*s\"?", SLICE_FMT(best));
    }
}

static bool read_object(struct loader *l, uint32_t schema, const struct record_object **object_r)
{
    const struct json_tape *t = &l->tape;
    struct record_object *o = l->object_of[schema];
    uint32_t properties, required, other, description;

    if (o) {
        *object_r = o;      /* also while it is being read: objects may hold themselves */
        return true;
    }
    properties = json_member(t, schema, SLICE("properties"));
    required = json_member(t, schema, SLICE("required"));
    other = json_member(t, schema, SLICE("additionalProperties"));
    description = json_member(t, schema, SLICE("description"));
    o = ARENA_NEW(l->arena, struct record_object);
    if (!o)
        return out_of_memory(l);
    *object_r = l->object_of[schema] = o;
    o->open = !other || t->node[other].type != JSON_FALSE;
    if (properties && t->node[properties].type == JSON_OBJECT && !read_properties(l, properties, o))
        return false;
    if (!build_hash(l, o))
        return false;
    if (required && t->node[required].type == JSON_ARRAY)
        read_required(l, required, o);
    if (description && t->node[description].type == JSON_STRING && !keep_value(l, description, &o->description))
        return false;
    if (other && t->node[other].type == JSON_OBJECT) {
        struct record_field *f = ARENA_NEW(l->arena, struct record_field);
        if (!f)
            return out_of_memory(l);
        if (!read_field(l, other, f))
            return false;
        o->other = f;
    }
    return true;
}

/* --- fields --- */

static void read_type(struct loader *l, uint32_t node, struct record_field *f)
{
    struct slice name = json_raw(&l->tape, node);
    struct place place;

    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (slice_is(name, types[i].name)) {
            f->type = (uint8_t)types[i].type;
            return;
        }
    }
    place = place_of_value(l, node);
    if (slice_is(name, "number")) {
        complain(l->complaints, &place, "numbers are inexact");
        complain_hint(l->complaints, "write \"type\": \"string\", \"format\": \"decimal\", or \"type\": \"integer\".");
    } else {
        complain(l->complaints, &place, "the type must be object, array, string, integer or boolean");
    }
}

static void read_format(struct loader *l, uint32_t node, struct record_field *f)
{
    struct slice name = json_raw(&l->tape, node), best = { NULL, 0 };
    struct place place;
    unsigned distance = 3;

    for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (slice_is(name, formats[i].name)) {
            f->type = (uint8_t)formats[i].type;
            return;
        }
    }
    for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        suggest(name, slice_of(formats[i].name), &best, &distance);
    place = place_of_value(l, node);
    complain(l->complaints, &place, "the format must be decimal, date, time or partial-datetime");
    if (best.n)
        complain_hint(l->complaints, "did you mean \"%.*s\"?", SLICE_FMT(best));
}

static bool read_values(struct loader *l, uint32_t node, bool fixed, struct record_field *f)
{
    const struct json_tape *t = &l->tape;
    uint32_t c = fixed ? node : json_first(node), end = fixed ? node + 1 : json_end(t, node);
    size_t n = fixed ? 1 : t->node[node].count;
    struct slice *values;
    struct place place;

    if (n == 0 || n > UINT16_MAX) {
        place = place_of_value(l, node);
        complain(l->complaints, &place, "an enum has 1 to %u values", UINT16_MAX);
        return true;
    }
    values = ARENA_ARRAY(l->arena, n, struct slice);
    if (!values)
        return out_of_memory(l);
    f->values = values;
    f->n_values = 0;
    f->fixed = fixed;
    for (; c < end; c = json_next(t, c)) {
        enum json_type type = (enum json_type)t->node[c].type;
        bool right = f->type == RECORD_INTEGER   ? type == JSON_NUMBER && t->node[c].flags & JSON_INTEGER
                     : f->type == RECORD_BOOLEAN ? type == JSON_TRUE || type == JSON_FALSE
                                                 : type == JSON_STRING;
        if (!right) {
            place = place_of_value(l, c);
            complain(l->complaints, &place, "expected %s, as its type says", record_type_name(f->type));
            continue;
        }
        if (!keep_value(l, c, &values[f->n_values]))
            return false;
        f->n_values++;
    }
    return true;
}

static bool read_items(struct loader *l, uint32_t node, struct record_field *f)
{
    struct record_field item;
    struct slice description = f->description;
    uint32_t min = f->min_items, max = f->max_items;

    if (!read_field(l, node, &item))
        return false;
    if (item.type == RECORD_ARRAY) {
        struct place place = place_of_value(l, node);
        complain(l->complaints, &place, "the items of an array cannot be arrays");
        return true;
    }
    *f = item;
    f->type = RECORD_ARRAY;
    f->item = item.type;
    f->min_items = min;
    f->max_items = max;
    f->description = description;
    return true;
}

static int kind_of(enum record_type type)
{
    switch (type) {
    case RECORD_OBJECT: return OF_OBJECT;
    case RECORD_ARRAY: return OF_ARRAY;
    case RECORD_STRING:
    case RECORD_DECIMAL:
    case RECORD_DATE:
    case RECORD_TIME:
    case RECORD_DATETIME: return OF_STRING;
    default: return OF_OTHER;
    }
}

static bool read_word(struct loader *l, const struct word_row *row, uint32_t node, struct record_field *f)
{
    uint64_t number;

    switch (row->word) {
    case WORD_ITEMS:
        return read_items(l, node, f);
    case WORD_MIN_ITEMS:
        if (number_value(l, node, UINT32_MAX - 1, &number))
            f->min_items = (uint32_t)number;
        return true;
    case WORD_MAX_ITEMS:
        if (number_value(l, node, UINT32_MAX - 1, &number))
            f->max_items = (uint32_t)number;
        return true;
    case WORD_MIN_LENGTH:
        if (number_value(l, node, UINT32_MAX, &number))
            f->min_length = (size_t)number;
        return true;
    case WORD_MAX_LENGTH:
        if (number_value(l, node, UINT32_MAX, &number))
            f->max_length = (size_t)number;
        return true;
    case WORD_ENUM:
    case WORD_CONST:
        return read_values(l, node, row->word == WORD_CONST, f);
    case WORD_PATTERN:
        return keep_value(l, node, &f->pattern);
    case WORD_DESCRIPTION:
        return keep_value(l, node, &f->description);
    case WORD_TRACE:
        f->traced = l->tape.node[node].type == JSON_TRUE;
        return true;
    case WORD_CODES:
        return keep_value(l, node, &f->codes);
    default:
        return true;        /* read before, or says nothing to us */
    }
}

/* A schema that a reference names: many name the same. */
static bool read_named(struct loader *l, uint32_t schema, struct record_field *f)
{
    struct record_field *known = l->field_of[schema];

    if (known) {
        *f = *known;
        return true;
    }
    if (!read_field(l, schema, f))
        return false;
    known = ARENA_NEW(l->arena, struct record_field);
    if (!known)
        return out_of_memory(l);
    *known = *f;
    l->field_of[schema] = known;
    return true;
}

static bool read_words(struct loader *l, uint32_t schema, struct record_field *f)
{
    const struct json_tape *t = &l->tape;
    uint32_t reference = json_member(t, schema, SLICE("$ref"));
    uint32_t type = json_member(t, schema, SLICE("type"));
    uint32_t format = json_member(t, schema, SLICE("format"));
    uint32_t items = json_member(t, schema, SLICE("items"));
    uint32_t twice = json_duplicate(t, schema), c;
    struct place place;

    if (twice) {
        place = place_of_key(l, twice);
        complain(l->complaints, &place, "\"%.*s\" stands here twice", SLICE_FMT(json_raw_key(t, twice)));
        return true;
    }
    if (reference && t->node[reference].type == JSON_STRING) {
        struct loader *other = l;
        uint32_t target = resolve(l, reference, &other);
        other->depth = l->depth;
        if (target && !read_named(other, target, f)) {
            l->nomem |= other->nomem;
            return false;
        }
        if (!target)
            return !l->nomem;
    }
    if (type && t->node[type].type == JSON_STRING)
        read_type(l, type, f);
    if (format && t->node[format].type == JSON_STRING && f->type == RECORD_STRING)
        read_format(l, format, f);
    if (f->type == RECORD_OBJECT && type) {
        if (!read_object(l, schema, &f->object))
            return false;
    }
    /* items replace what else is known of the field, so they come first */
    if (items && f->type == RECORD_ARRAY && (t->node[items].type == JSON_OBJECT || t->node[items].type == JSON_TRUE) &&
        !read_items(l, items, f))
        return false;
    for (c = json_first(schema); c < json_end(t, schema); c = json_next(t, c)) {
        const struct word_row *row = find_word(l, c);
        if (!row || c == items)
            continue;
        if (!(row->is & 1 << t->node[c].type)) {
            place = place_of_key(l, c);
            complain(l->complaints, &place, "\"%s\" must be %s, not %s", row->name, row->expected,
                     json_type_name(t->node[c].type));
        } else if (!(row->of & kind_of(f->type)) && row->word != WORD_ANNOTATION) {
            place = place_of_key(l, c);
            complain(l->complaints, &place, "\"%s\" says nothing about %s", row->name, record_type_name(f->type));
        } else if (reference && (row->of == OF_OBJECT || row->word == WORD_FORMAT)) {
            place = place_of_key(l, c);
            complain(l->complaints, &place, "\"%s\" cannot stand beside a \"$ref\"", row->name);
        } else if (!read_word(l, row, c, f)) {
            return false;
        }
    }
    if (items && f->type != RECORD_ARRAY) {
        place = place_of_key(l, items);
        complain(l->complaints, &place, "\"items\" says nothing about %s", record_type_name(f->type));
    }
    if (f->min_length > f->max_length || f->min_items > f->max_items) {
        place = place_of_key(l, schema);
        complain(l->complaints, &place, "the least is more than the most");
    }
    return true;
}

static bool read_field(struct loader *l, uint32_t schema, struct record_field *f)
{
    struct complaints *complaints = l->complaints;
    struct place place;
    bool fine = true;

    *f = (struct record_field){ .max_length = SIZE_MAX, .max_items = UINT32_MAX };
    if (l->tape.node[schema].type == JSON_TRUE)
        return true;
    if (l->tape.node[schema].type != JSON_OBJECT) {
        place = place_of_key(l, schema);
        complain(l->complaints, &place, "expected a schema, which is an object");
    } else if (l->depth == DEEPEST) {
        place = place_of_key(l, schema);
        complain(l->all, &place, "schemas lie too deep inside each other, or refer to themselves");
    } else {
        if (l->seen[schema])
            l->complaints = NULL;
        l->seen[schema] = true;
        l->depth++;
        fine = read_words(l, schema, f);
        l->depth--;
        l->complaints = complaints;
    }
    return fine;
}

/* --- kinds --- */

static void read_name(struct loader *l, struct record_kind *kind)
{
    struct place place = { .file = l->file };
    int name = record_field_find(kind->root, SLICE("record"));
    int version = record_field_find(kind->root, SLICE("version"));
    uint64_t number = 0;

    if (name < 0 || !kind->root->field[name].fixed || kind->root->field[name].type != RECORD_STRING ||
        kind->root->field[name].n_values == 0)
        complain(l->complaints, &place, "the property \"record\" must be a string with the kind's name as \"const\"");
    else
        kind->name = kind->root->field[name].values[0];
    if (version < 0 || !kind->root->field[version].fixed || kind->root->field[version].type != RECORD_INTEGER ||
        kind->root->field[version].n_values == 0 ||
        !slice_number(kind->root->field[version].values[0], 1000000, &number))
        complain(l->complaints, &place, "the property \"version\" must be an integer with the version as \"const\"");
    kind->version = (unsigned)number;
}

/* Those that nobody refers to must be right, too. */
static bool read_definitions(struct loader *l)
{
    const struct json_tape *t = &l->tape;
    uint32_t defs = json_member(t, 0, SLICE("$defs")), c, twice;
    struct record_field field;

    if (!defs || t->node[defs].type != JSON_OBJECT)
        return true;
    twice = json_duplicate(t, defs);
    if (twice) {
        struct place place = place_of_key(l, twice);
        complain(l->complaints, &place, "\"%.*s\" is defined twice", SLICE_FMT(json_raw_key(t, twice)));
    }
    for (c = json_first(defs); c < json_end(t, defs); c = json_next(t, c))
        if (!l->seen[c] && !read_field(l, c, &field))
            return false;
    return true;
}

/* The text as a tape. False: memory. A syntax error is complained of and leaves the tape empty. */
static bool parse(struct loader *l)
{
    struct err err;
    int r = json_parse(&l->tape, l->text, &err);

    if (r == ERR_NOMEM)
        return out_of_memory(l);
    if (r < 0) {
        struct place place = place_of(l, l->tape.error_at, 1);
        const char *words_of = strstr(err.text, "): ");
        complain(l->complaints, &place, "%s", words_of ? words_of + 3 : err.text);
        return true;
    }
    l->object_of = calloc(l->tape.n, sizeof(struct record_object *));
    l->field_of = calloc(l->tape.n, sizeof(struct record_field *));
    l->seen = calloc(l->tape.n, sizeof(bool));
    return l->object_of && l->field_of && l->seen ? true : out_of_memory(l);
}

/* Passes on, from the objects inside others, that something in them is traced. True: some object learnt it now. Objects
 * may hold themselves, and each other by many ways: so this goes over all of them, not down from the root. */
static bool pass_on_traced(struct loader *l)
{
    bool news = false;
    for (uint32_t i = 0; i < l->tape.n; i++) {
        struct record_object *o = l->object_of[i];
        for (unsigned k = 0; o && !o->traced && k < o->n; k++)
            news |= o->traced = o->field[k].traced || (o->field[k].object && o->field[k].object->traced);
    }
    return news;
}

static void mark_traced(struct loader *first)
{
    bool news = true;
    while (news) {
        news = pass_on_traced(first);
        for (struct loader *l = first->beside; l; l = l->beside)
            news |= pass_on_traced(l);
    }
}

static bool load(struct loader *l, struct record_kind *kind)
{
    struct record_field root;
    uint32_t title;

    if (!parse(l) || l->tape.n == 0)
        return !l->nomem;
    if (!read_field(l, 0, &root) || !read_definitions(l))
        return false;
    if (root.type != RECORD_OBJECT || !root.object) {
        struct place place = place_of(l, 0, 1);
        complain(l->complaints, &place, "a record is an object: the schema must say \"type\": \"object\"");
        return true;
    }
    kind->root = root.object;
    mark_traced(l);
    read_name(l, kind);
    title = json_member(&l->tape, 0, SLICE("title"));
    return !title || l->tape.node[title].type != JSON_STRING || keep_value(l, title, &kind->title);
}

static void loader_deinit(struct loader *l)
{
    free(l->object_of);
    free(l->field_of);
    free(l->seen);
    json_tape_deinit(&l->tape);
    buf_deinit(&l->own);
    free(l->path);
}

static int new_kind(struct record_kind **kind_r, struct slice file, struct slice text, bool opens, struct complaints *c)
{
    struct loader l = { .file = file, .text = text, .complaints = c, .all = c, .opens = opens, .first = &l };
    struct record_kind *kind = calloc(1, sizeof(*kind));
    unsigned before = c->count;
    int r = 0;

    *kind_r = NULL;
    json_tape_init(&l.tape, (size_t)LIMIT_CONFIG_FILE * 8);
    if (kind)
        kind->arena = l.arena = malloc(sizeof(*l.arena));
    if (!kind || !l.arena) {
        free(kind);
        return ERR_NOMEM;
    }
    arena_init(l.arena, (size_t)LIMIT_CONFIG_FILE * 8);
    if (!load(&l, kind) || l.nomem || c->nomem)
        r = ERR_NOMEM;
    else if (c->count != before)
        r = ERR_CONFIG;
    while (l.beside) {
        struct loader *other = l.beside;
        l.beside = other->beside;
        loader_deinit(other);
        free(other);
    }
    loader_deinit(&l);
    if (r < 0)
        record_kind_free(&kind);
    *kind_r = kind;
    return r;
}

int record_kind_new(struct record_kind **kind_r, struct slice file, struct slice text, struct complaints *c)
{
    return new_kind(kind_r, file, text, false, c);
}

/* KIND.VERSION.schema.json must say the same as the schema. */
static void check_file_name(const struct record_kind *kind, struct slice path, struct complaints *c)
{
    struct place place = { .file = path };
    struct slice name = path, version, rest;
    uint64_t number;
    bool found;

    for (size_t i = path.n; i > 0; i--) {
        if (path.p[i - 1] == '/') {
            name = slice_from(path, i);
            break;
        }
    }
    name = slice_cut(name, '.', &rest, &found);
    version = slice_cut(rest, '.', &rest, &found);
    if (!slice_is(rest, "schema.json") || !slice_number(version, 1000000, &number))
        return;
    if (!slice_eq(name, kind->name) || number != kind->version)
        complain(c, &place, "the file's name says %.*s %llu, the schema %.*s %u", SLICE_FMT(name),
                 (unsigned long long)number, SLICE_FMT(kind->name), kind->version);
}

int record_kind_load(struct record_kind **kind_r, const char *path, struct complaints *c)
{
    struct slice file = slice_of(path);
    struct place place = { .file = file };
    unsigned before = c->count;
    struct err err;
    struct buf b;
    int r;

    *kind_r = NULL;
    buf_init(&b, LIMIT_CONFIG_FILE);
    r = file_read(path, &b, &err);
    if (r == ERR_NOMEM) {
        c->nomem = true;
    } else if (r < 0) {
        complain(c, &place, "%s", err.text);
    } else {
        r = new_kind(kind_r, file, buf_slice(&b), true, c);
        if (r == 0)
            check_file_name(*kind_r, file, c);
    }
    buf_deinit(&b);
    if (r == 0 && (c->count != before || c->nomem)) {
        record_kind_free(kind_r);
        r = c->nomem ? ERR_NOMEM : ERR_CONFIG;
    }
    c->nomem |= r == ERR_NOMEM;
    return r;
}

void record_kind_free(struct record_kind **kind)
{
    if (!*kind)
        return;
    arena_deinit((*kind)->arena);
    free((*kind)->arena);
    free(*kind);
    *kind = NULL;
}

int record_field_of(const struct record_object *object, const struct json_tape *tape, uint32_t node)
{
    struct slice key = json_raw_key(tape, node);
    char name[LONGEST_NAME * 6];

    if (!(tape->node[node].flags & JSON_KEY_ESCAPED))
        return record_field_find(object, key);
    if (key.n > sizeof(name))
        return -1;
    return record_field_find(object, slice(name, json_decode(key, name)));
}

const struct record_field *record_field_at(const struct record_kind *kind, struct slice path)
{
    const struct record_object *object = kind->root;
    const struct record_field *field = NULL;

    while (path.n) {
        bool more;
        struct slice name = slice_cut(path, '.', &path, &more);
        int i;
        if (name.n > 2 && memcmp(name.p + name.n - 2, "[]", 2) == 0)
            name.n -= 2;
        if (!object || (i = record_field_find(object, name)) < 0)
            return NULL;
        field = &object->field[i];
        object = field->object;
    }
    return field;
}

const char *record_type_name(enum record_type type)
{
    static const char *const names[] = {
        [RECORD_ANY] = "any value",
        [RECORD_OBJECT] = "an object",
        [RECORD_ARRAY] = "an array",
        [RECORD_STRING] = "a string",
        [RECORD_DECIMAL] = "a decimal in a string, such as \"12.50\"",
        [RECORD_DATE] = "a date in a string, such as \"2026-01-15\"",
        [RECORD_TIME] = "a time in a string, such as \"12:30\"",
        [RECORD_DATETIME] = "a date, perhaps with time and zone, in a string, such as \"2026-01-15T12:30Z\"",
        [RECORD_INTEGER] = "a whole number",
        [RECORD_BOOLEAN] = "true or false",
    };
    return (unsigned)type < sizeof(names) / sizeof(names[0]) ? names[type] : "something unknown";
}
