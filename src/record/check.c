/*
 * check: holds records against their kind. See schema.h.
 *
 * A record that is right costs one look-up a member and no allocation; words and paths are made only for what is
 * wrong, on the stack. Recursion is bounded by the depth of the tape.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "record/schema.h"

enum { LONGEST_PATH = 400, LONGEST_WORDS = 400, LONGEST_VALUE = 64 * 6 };

static const struct {
    const char *name;
    const char *words;
} rows[] = {
#define ROW(id, name, words) { name, words },
    RECORD_FINDINGS(ROW)
#undef ROW
};

/* Where we are: a chain on the stack. */
struct step {
    const struct step *up;
    struct slice key;       /* p == NULL: an index */
    size_t index;
};

struct check {
    const struct json_tape *tape;
    record_finding_fn *callback;
    void *context;
    int found;
    int stop;               /* what the callback returned */
    bool other_kind;        /* the rest would be noise */
};

/* --- reporting --- */

struct words {
    char p[LONGEST_WORDS];
    size_t n;
};

static void add(struct words *w, struct slice s)
{
    if (s.n > sizeof(w->p) - 1 - w->n)
        s.n = sizeof(w->p) - 1 - w->n;
    if (s.n)
        memcpy(w->p + w->n, s.p, s.n);
    w->n += s.n;
    w->p[w->n] = 0;
}

static void add_number(struct words *w, unsigned long long number)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", number);
    add(w, slice(text, (size_t)n));
}

static void add_path(struct words *path, const struct step *step)
{
    if (!step)
        return;
    add_path(path, step->up);
    if (step->key.p) {
        if (path->n)
            add(path, SLICE("."));
        add(path, step->key);
    } else {
        add(path, SLICE("["));
        add_number(path, step->index);
        add(path, SLICE("]"));
    }
}

/* A value as it is shown: a string with its quotes, of an object or array the bracket only. */
static struct slice shown(const struct json_tape *tape, uint32_t node, size_t *at_r)
{
    const struct json_node *n = &tape->node[node];
    size_t at = n->at, length = n->n;

    if (n->type == JSON_STRING) {
        at--;
        length += 2;
    } else if (n->type >= JSON_OBJECT) {
        length = length ? 1 : 0;
    }
    *at_r = at;
    return slice(tape->text.p + at, length);
}

static __attribute__((noinline, cold)) void report(struct check *c, enum record_finding_code code,
                                                   const struct step *step, uint32_t node, bool missing,
                                                   struct slice expected, struct slice best)
{
    struct words path = { .n = 0 }, words = { .n = 0 }, hint = { .n = 0 };
    struct record_finding f = { .code = code, .name = rows[code].name, .words = rows[code].words };

    if (c->stop)
        return;
    path.p[0] = words.p[0] = hint.p[0] = 0;
    add_path(&path, step);
    add(&words, expected);
    if (best.n) {
        add(&hint, SLICE("did you mean \""));
        add(&hint, best);
        add(&hint, SLICE("\"?"));
    }
    f.path = slice(path.p, path.n);
    f.expected = words.p;
    f.hint = hint.p;
    f.missing = missing;
    f.found = shown(c->tape, node, &f.at);
    if (missing)
        f.found = slice(NULL, 0);
    c->found++;
    c->stop = c->callback(c->context, &f);
    if (c->stop > 0)
        c->stop = ERR_STOP;
}

static void report_type(struct check *c, enum record_finding_code code, const struct step *step, uint32_t node,
                        enum record_type type)
{
    report(c, code, step, node, false, slice_of(record_type_name(type)), slice(NULL, 0));
}

static __attribute__((noinline, cold)) void report_unknown(struct check *c, const struct record_object *object,
                                                           const struct step *step, uint32_t node)
{
    struct slice best = { NULL, 0 };
    unsigned distance = 3;

    for (unsigned i = 0; i < object->n; i++) {
        size_t n = object->field[i].name.n;
        if (n < step->key.n + distance && step->key.n < n + distance)   /* otherwise it is too far in any case */
            suggest(step->key, object->field[i].name, &best, &distance);
    }
    report(c, RECORD_KEY_UNKNOWN_FINDING, step, node, false, SLICE("a field of the schema"), best);
}

static __attribute__((noinline, cold)) void report_value(struct check *c, const struct record_field *f,
                                                         const struct step *step, uint32_t node, struct slice value,
                                                         enum record_finding_code code)
{
    bool plain = f->type == RECORD_INTEGER || f->type == RECORD_BOOLEAN ||
                 (f->type == RECORD_ARRAY && (f->item == RECORD_INTEGER || f->item == RECORD_BOOLEAN));
    struct slice best = { NULL, 0 }, quote = plain ? slice(NULL, 0) : SLICE("\"");
    struct words words = { .n = 0 };
    unsigned distance = 3;

    words.p[0] = 0;
    if (!f->fixed)
        add(&words, SLICE("one of "));
    for (unsigned i = 0; i < f->n_values; i++) {
        if (i)
            add(&words, SLICE(", "));
        if (words.n > sizeof(words.p) - 80) {
            add(&words, SLICE("…"));
            break;
        }
        add(&words, quote);
        add(&words, f->values[i]);
        add(&words, quote);
    }
    for (unsigned i = 0; i < f->n_values && !plain; i++)
        suggest(value, f->values[i], &best, &distance);
    report(c, code, step, node, false, slice(words.p, words.n), best);
}

static __attribute__((noinline, cold)) void report_count(struct check *c, enum record_finding_code code,
                                                         const struct step *step, uint32_t node, unsigned long long min,
                                                         unsigned long long max, unsigned long long found,
                                                         struct slice unit)
{
    struct words words = { .n = 0 };

    add(&words, found < min ? SLICE("at least ") : SLICE("at most "));
    add_number(&words, found < min ? min : max);
    add(&words, unit);
    add(&words, SLICE(", not "));
    add_number(&words, found);
    report(c, code, step, node, false, slice(words.p, words.n), slice(NULL, 0));
}

void record_finding_text(const struct record_finding *f, struct buf *out)
{
    if (f->path.n)
        buf_add_safe(out, f->path, LONGEST_PATH);
    else
        buf_add_text(out, "the record");
    buf_add_text(out, ": ");
    if (f->found.n && f->found.p[0] != '[' && f->found.p[0] != '{' && f->code != RECORD_KEY_UNKNOWN_FINDING &&
        f->code != RECORD_KEY_TWICE_FINDING) {
        buf_add_safe(out, f->found, 100);
        buf_add_char(out, ' ');
    }
    buf_add_text(out, f->words);
    if (f->expected[0]) {
        buf_add_text(out, ", expected ");
        buf_add_safe(out, slice_of(f->expected), LONGEST_WORDS);
    }
    if (f->hint[0]) {
        buf_add_text(out, "; ");
        buf_add_safe(out, slice_of(f->hint), LONGEST_WORDS);
    }
}

/* --- formats --- */

static bool digits(const char *p, unsigned n, unsigned *value_r)
{
    unsigned value = 0;
    for (unsigned i = 0; i < n; i++) {
        if (!is_digit(p[i]))
            return false;
        value = value * 10 + (unsigned)(p[i] - '0');
    }
    *value_r = value;
    return true;
}

bool record_is_decimal(struct slice s)
{
    size_t i = s.n && s.p[0] == '-', n = 0;

    for (; i < s.n && is_digit(s.p[i]); i++)
        n++;
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && is_digit(s.p[i]); i++)
            n++;
    return n > 0 && i == s.n;
}

bool record_is_date(struct slice s)
{
    static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    unsigned year, month, day, most;

    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' || !digits(s.p, 4, &year) || !digits(s.p + 5, 2, &month) ||
        !digits(s.p + 8, 2, &day))
        return false;
    if (year == 0 || month < 1 || month > 12)
        return false;
    most = days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    return day >= 1 && day <= most;
}

bool record_is_time(struct slice s)
{
    unsigned hours, minutes, seconds;

    if (s.n < 5 || s.p[2] != ':' || !digits(s.p, 2, &hours) || !digits(s.p + 3, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    if (s.n == 5)
        return true;
    if (s.n < 8 || s.p[5] != ':' || !digits(s.p + 6, 2, &seconds) || seconds > 60)
        return false;
    if (s.n == 8)
        return true;
    if (s.p[8] != '.' || s.n == 9)
        return false;
    for (size_t i = 9; i < s.n; i++)
        if (!is_digit(s.p[i]))
            return false;
    return true;
}

/* Z, +02:00, -05:00, then perhaps a partner's code in brackets; or such a code alone. */
static bool is_zone(struct slice s)
{
    unsigned hours, minutes;

    if (s.n && s.p[0] == 'Z') {
        s = slice_from(s, 1);
    } else if (s.n && (s.p[0] == '+' || s.p[0] == '-')) {
        if (s.n < 6 || s.p[3] != ':' || !digits(s.p + 1, 2, &hours) || !digits(s.p + 4, 2, &minutes) || hours > 23 ||
            minutes > 59)
            return false;
        s = slice_from(s, 6);
    }
    if (s.n == 0)
        return true;
    if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
        return false;
    for (size_t i = 1; i < s.n - 1; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '[' || s.p[i] == ']')
            return false;
    return true;
}

bool record_is_datetime(struct slice s)
{
    struct slice rest = slice_from(s, 10);
    size_t n;

    if (!record_is_date(slice(s.p, s.n < 10 ? s.n : 10)))
        return false;
    if (rest.n && rest.p[0] == 'T') {
        rest = slice_from(rest, 1);
        for (n = 0; n < rest.n && (is_digit(rest.p[n]) || rest.p[n] == ':' || rest.p[n] == '.'); n++)
            ;
        if (!record_is_time(slice(rest.p, n)))
            return false;
        rest = slice_from(rest, n);
    }
    return is_zone(rest);
}

/* --- values --- */

/* The characters of a string that may hold escapes: each is one character, a surrogate pair two of six bytes. */
static size_t characters_of(struct slice s, bool escaped)
{
    size_t n = 0;

    if (!escaped)
        return utf8_characters(s);
    while (s.n) {
        size_t step = 1;
        if (s.p[0] == '\\' && s.n > 1 && s.p[1] != 'u')
            step = 2;
        else if (s.p[0] == '\\')
            step = s.n > 3 && (s.p[2] | 0x20) == 'd' && strchr("89abAB", s.p[3]) ? 12 : 6;
        n += ((unsigned char)s.p[0] & 0xc0) != 0x80;
        s = slice_from(s, step);
    }
    return n;
}

static void check_string(struct check *c, const struct record_field *f, enum record_type type, uint32_t node,
                         const struct step *step)
{
    const struct json_node *n = &c->tape->node[node];
    struct slice s = json_raw(c->tape, node);
    char plain[LONGEST_VALUE];
    bool right = true, escaped = n->flags & JSON_ESCAPED;
    enum record_finding_code code = RECORD_TYPE_FINDING;

    if (n->type != JSON_STRING) {
        report_type(c, RECORD_TYPE_FINDING, step, node, type);
        return;
    }
    /* a code or a date may be written with escapes, though nobody does; longer ones than this are neither */
    if (escaped && s.n <= sizeof(plain)) {
        s = slice(plain, json_decode(s, plain));
        escaped = false;
    }
    switch (type) {
    case RECORD_DECIMAL:
        right = record_is_decimal(s);
        code = RECORD_DECIMAL_FINDING;
        break;
    case RECORD_DATE:
        right = record_is_date(s);
        code = RECORD_DATE_FINDING;
        break;
    case RECORD_TIME:
        right = record_is_time(s);
        code = RECORD_TIME_FINDING;
        break;
    case RECORD_DATETIME:
        right = record_is_datetime(s);
        code = RECORD_DATETIME_FINDING;
        break;
    default:
        break;
    }
    if (!right) {
        report_type(c, code, step, node, type);
        return;
    }
    /* a character has one byte at least, and twelve at most: two halves written as \uXXXX */
    if (s.n > f->max_length || (f->min_length && s.n < f->min_length * 12)) {
        size_t length = characters_of(s, escaped);
        if (length > f->max_length || length < f->min_length)
            report_count(c, RECORD_LENGTH_FINDING, step, node, f->min_length, f->max_length, length,
                         SLICE(" characters"));
    }
    if (f->n_values) {
        for (unsigned i = 0; i < f->n_values; i++)
            if (slice_eq(s, f->values[i]))
                return;
        report_value(c, f, step, node, s,
                     f->fixed && step && !step->up && slice_is(f->name, "record") ? RECORD_KIND_FINDING
                                                                                  : RECORD_VALUE_FINDING);
        c->other_kind |= f->fixed && step && !step->up && slice_is(f->name, "record");
    }
}

/* Integers and booleans: their text is their value. */
static void check_plain(struct check *c, const struct record_field *f, enum record_type type, uint32_t node,
                        const struct step *step)
{
    const struct json_node *n = &c->tape->node[node];
    struct slice s = json_raw(c->tape, node);
    bool version = f->fixed && step && !step->up && slice_is(f->name, "version");

    if (type == RECORD_INTEGER ? n->type != JSON_NUMBER || !(n->flags & JSON_INTEGER)
                               : n->type != JSON_TRUE && n->type != JSON_FALSE) {
        report_type(c, RECORD_TYPE_FINDING, step, node, type);
        return;
    }
    if (f->n_values == 0)
        return;
    for (unsigned i = 0; i < f->n_values; i++)
        if (slice_eq(s, f->values[i]))
            return;
    report_value(c, f, step, node, s, version ? RECORD_KIND_FINDING : RECORD_VALUE_FINDING);
    c->other_kind |= version;
}

/* Anything, but no key twice. */
static void check_any(struct check *c, uint32_t node, const struct step *step)
{
    const struct json_tape *t = c->tape;
    struct step here = { .up = step };
    uint32_t child, twice;

    if (t->node[node].type == JSON_OBJECT) {
        twice = json_duplicate(t, node);
        if (twice) {
            here.key = json_raw_key(t, twice);
            report(c, RECORD_KEY_TWICE_FINDING, &here, twice, false, SLICE("it once"), slice(NULL, 0));
        }
    } else if (t->node[node].type != JSON_ARRAY) {
        return;
    }
    for (child = json_first(node); child < json_end(t, node) && !c->stop; child = json_next(t, child)) {
        if (t->node[child].type == JSON_OBJECT || t->node[child].type == JSON_ARRAY) {
            here.key = t->node[child].flags & JSON_KEYED ? json_raw_key(t, child) : slice(NULL, 0);
            check_any(c, child, &here);
        }
        here.index++;
    }
}

static void check_object(struct check *c, const struct record_object *object, uint32_t node, const struct step *step);

static void check_array(struct check *c, const struct record_field *f, uint32_t node, const struct step *step);

static void check_value(struct check *c, const struct record_field *f, enum record_type type, uint32_t node,
                        const struct step *step)
{
    const struct json_node *n = &c->tape->node[node];

    switch (type) {
    case RECORD_ANY:
        check_any(c, node, step);
        break;
    case RECORD_OBJECT:
        if (n->type == JSON_OBJECT)
            check_object(c, f->object, node, step);
        else
            report_type(c, RECORD_TYPE_FINDING, step, node, type);
        break;
    case RECORD_ARRAY:
        if (n->type == JSON_ARRAY || n->type == JSON_STREAMED)
            check_array(c, f, node, step);
        else
            report_type(c, RECORD_TYPE_FINDING, step, node, type);
        break;
    case RECORD_INTEGER:
    case RECORD_BOOLEAN:
        check_plain(c, f, type, node, step);
        break;
    default:
        check_string(c, f, type, node, step);
        break;
    }
}

static void check_array(struct check *c, const struct record_field *f, uint32_t node, const struct step *step)
{
    const struct json_node *n = &c->tape->node[node];
    struct step here = { .up = step };
    uint32_t child;

    if (n->count < f->min_items || n->count > f->max_items)
        report_count(c, RECORD_ITEMS_FINDING, step, node, f->min_items, f->max_items, n->count, SLICE(" items"));
    if (n->type == JSON_STREAMED)
        return;
    for (child = json_first(node); child < n->next && !c->stop; child = json_next(c->tape, child), here.index++)
        check_value(c, f, (enum record_type)f->item, child, &here);
}

static void check_object(struct check *c, const struct record_object *object, uint32_t node, const struct step *step)
{
    const struct json_tape *t = c->tape;
    const uint32_t end = json_end(t, node);
    uint64_t seen[RECORD_FIELDS / 64] = { 0 };
    struct step here = { .up = step };
    uint32_t child;

    for (child = json_first(node); child < end; child = json_next(t, child)) {
        int i = record_field_of(object, t, child);
        uint64_t bit;
        here.key = json_raw_key(t, child);
        if (i < 0) {
            if (!object->open)
                report_unknown(c, object, &here, child);
            else if (object->other)
                check_value(c, object->other, (enum record_type)object->other->type, child, &here);
            else
                check_any(c, child, &here);
        } else {
            bit = (uint64_t)1 << i % 64;
            if (seen[i / 64] & bit)
                report(c, RECORD_KEY_TWICE_FINDING, &here, child, false, SLICE("it once"), slice(NULL, 0));
            seen[i / 64] |= bit;
            check_value(c, &object->field[i], (enum record_type)object->field[i].type, child, &here);
        }
        if (c->stop || c->other_kind)
            return;
    }
    if (object->open) {
        child = json_duplicate(t, node);
        if (child && record_field_of(object, t, child) < 0) {
            here.key = json_raw_key(t, child);
            report(c, RECORD_KEY_TWICE_FINDING, &here, child, false, SLICE("it once"), slice(NULL, 0));
        }
    }
    for (unsigned word = 0; word < RECORD_FIELDS / 64; word++) {
        uint64_t missing = object->required[word] & ~seen[word];
        for (; missing; missing &= missing - 1) {
            const struct record_field *f = &object->field[word * 64 + (unsigned)__builtin_ctzll(missing)];
            here.key = f->name;
            report(c, RECORD_MISSING_FINDING, &here, node, true, slice_of(record_type_name((enum record_type)f->type)),
                   slice(NULL, 0));
        }
    }
}

/* How many were found, or why the callback stopped. */
static int result(const struct check *c)
{
    return c->stop ? c->stop : c->found;
}

int record_check(const struct record_kind *kind, const struct json_tape *tape, uint32_t root,
                 record_finding_fn *callback, void *context)
{
    struct check c = { .tape = tape, .callback = callback, .context = context };

    if (tape->node[root].type == JSON_OBJECT)
        check_object(&c, kind->root, root, NULL);
    else
        report_type(&c, RECORD_TYPE_FINDING, NULL, root, RECORD_OBJECT);
    return result(&c);
}

int record_check_item(const struct record_field *array, size_t index, const struct json_tape *tape, uint32_t node,
                      record_finding_fn *callback, void *context)
{
    struct check c = { .tape = tape, .callback = callback, .context = context };
    struct step field = { .key = array->name }, item = { .up = &field, .index = index };

    check_value(&c, array, (enum record_type)array->item, node, &item);
    return result(&c);
}
