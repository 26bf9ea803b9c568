/*
 * A record as values to walk, so that an embedder needs no JSON parser.
 *
 * The JSON is parsed to a tape (tree/json.h); the strings are decoded in a copy of the text, where each is then ended
 * with a NUL in place of the quote or comma behind it. The values point into that copy and to one another.
 *
 * Advantages: three blocks of memory for a record of any size, kept for the next one; what an accessor gives needs no
 * copy and cannot fail. Disadvantage: the record is in memory twice, and its values on top.
 */
#include "library/library.h"

#include <stdlib.h>

#include "tree/json.h"

enum { DECIMAL_DIGITS = 18 };       /* fit into an int64_t, whatever they are */

struct waybill_value {
    const char *text;               /* a scalar, decoded; NULL: an object or list */
    size_t length;
    const char *key;                /* NULL: none */
    struct slice json;
    const struct waybill_value *child, *next;
    uint32_t items;
    uint8_t type;                   /* enum waybill_type */
};

void library_values_init(struct library_values *v, size_t ceiling)
{
    *v = (struct library_values){ .value = NULL };
    buf_init(&v->text, ceiling);
    json_tape_init(&v->tape, ceiling < SIZE_MAX / 4 ? ceiling * 4 : SIZE_MAX);
}

void library_values_deinit(struct library_values *v)
{
    buf_deinit(&v->text);
    json_tape_deinit(&v->tape);
    free(v->value);
    v->value = NULL;
    v->room = 0;
}

static enum waybill_type type_of(uint8_t type)
{
    switch (type) {
    case JSON_NULL:
        return WAYBILL_NULL;
    case JSON_FALSE:
    case JSON_TRUE:
        return WAYBILL_BOOLEAN;
    case JSON_NUMBER:
        return WAYBILL_NUMBER;
    case JSON_STRING:
        return WAYBILL_TEXT;
    case JSON_OBJECT:
        return WAYBILL_OBJECT;
    default:
        return WAYBILL_LIST;
    }
}

/* Ends in the copy what stands there, decoded from the text itself where it has to be: the byte behind it, a quote or a
 * delimiter, has done its work. */
static const char *settle(char *copy, struct slice text, bool escaped, size_t *length_r)
{
    *length_r = escaped ? json_decode(text, copy) : text.n;
    copy[*length_r] = 0;
    return copy;
}

int library_values_make(struct library_values *v, struct slice json, const struct waybill_value **record_r,
                        struct err *err)
{
    const struct json_tape *tape = &v->tape;
    char *text;
    int rc;

    *record_r = NULL;
    rc = json_parse(&v->tape, json, err);
    if (rc < 0)
        return rc;
    buf_clear(&v->text);
    buf_add_slice(&v->text, json);
    if (v->text.failed)
        return err_set(err, v->text.failed, "%s", err_name(v->text.failed));
    text = v->text.p;
    if (tape->n > v->room) {
        struct waybill_value *more = reallocarray(NULL, tape->n, sizeof(*more));
        if (!more)
            return err_nomem(err);
        free(v->value);
        v->value = more;
        v->room = tape->n;
    }
    for (uint32_t i = 0; i < tape->n; i++) {
        const struct json_node *node = &tape->node[i];
        struct waybill_value *value = &v->value[i];
        bool inner = node->type == JSON_OBJECT || node->type == JSON_ARRAY;
        bool string = node->type == JSON_STRING;

        /* its `next` has been set by the object or list around it, which comes before it */
        *value = (struct waybill_value){ .next = i ? value->next : NULL, .type = (uint8_t)type_of(node->type) };
        value->json = slice(json.p + node->at - string, node->n + 2u * string);
        if (inner) {
            value->items = node->count;
            value->child = node->count ? value + 1 : NULL;
            for (uint32_t c = json_first(i); c < json_end(tape, i); c = json_next(tape, c))
                v->value[c].next = json_next(tape, c) < json_end(tape, i) ? &v->value[json_next(tape, c)] : NULL;
        } else if (i) {
            value->text = settle(text + node->at, json_raw(tape, i), node->flags & JSON_ESCAPED, &value->length);
        }
        if (node->flags & JSON_KEYED) {
            size_t n;
            value->key = settle(text + node->key, json_raw_key(tape, i), node->flags & JSON_KEY_ESCAPED, &n);
        }
    }
    *record_r = v->value;
    return 0;
}

const struct waybill_value *waybill_get(const struct waybill_value *value, const char *path)
{
    while (value && path && *path) {
        const struct waybill_value *child = value->child;
        if (*path == '[') {
            size_t index = 0;
            if (value->type != WAYBILL_LIST || !is_digit(*++path))
                return NULL;
            for (; is_digit(*path); path++) {
                if (index > UINT32_MAX)
                    return NULL;
                index = index * 10 + (size_t)(*path - '0');
            }
            if (*path++ != ']')
                return NULL;
            while (child && index--)
                child = child->next;
        } else {
            size_t n = strcspn(path, ".[");
            if (value->type != WAYBILL_OBJECT || n == 0)
                return NULL;
            while (child && (strncmp(child->key, path, n) != 0 || child->key[n]))
                child = child->next;
            path += n;
        }
        if (*path == '.' && !*++path)
            return NULL;
        value = child;
    }
    return value;
}

const char *waybill_text(const struct waybill_value *value, const char *path)
{
    value = waybill_get(value, path);
    return value ? value->text : NULL;
}

size_t waybill_length(const struct waybill_value *value)
{
    return value ? value->length : 0;
}

int waybill_decimal(const struct waybill_value *value, const char *path, int64_t *number_r, int *places_r)
{
    int64_t number = 0;
    unsigned digits = 0;            /* without zeros in front */
    int places = 0;
    bool minus, any = false, point = false;

    value = waybill_get(value, path);
    if (!value)
        return WAYBILL_MISSING;
    if (value->type != WAYBILL_TEXT && value->type != WAYBILL_NUMBER)
        return WAYBILL_DATA;
    minus = *value->text == '-';
    for (const char *p = value->text + minus; *p; p++) {
        if (*p == '.' && !point) {
            point = true;
            continue;
        }
        if (!is_digit(*p))
            return WAYBILL_DATA;
        any = true;
        digits += digits > 0 || *p != '0';
        places += point;
        if (digits > DECIMAL_DIGITS || places > DECIMAL_DIGITS)
            return WAYBILL_LIMIT;
        number = number * 10 + (*p - '0');
    }
    if (!any)
        return WAYBILL_DATA;
    *number_r = minus ? -number : number;
    *places_r = places;
    return 0;
}

enum waybill_type waybill_type_of(const struct waybill_value *value)
{
    return value ? (enum waybill_type)value->type : WAYBILL_NOTHING;
}

const struct waybill_value *waybill_first(const struct waybill_value *value, const char *path)
{
    value = waybill_get(value, path);
    return value ? value->child : NULL;
}

const struct waybill_value *waybill_next(const struct waybill_value *value)
{
    return value ? value->next : NULL;
}

size_t waybill_items(const struct waybill_value *value, const char *path)
{
    value = waybill_get(value, path);
    return value ? value->items : 0;
}

const char *waybill_key(const struct waybill_value *value)
{
    return value ? value->key : NULL;
}

const char *waybill_json(const struct waybill_value *value, size_t *n_r)
{
    *n_r = value ? value->json.n : 0;
    return value ? value->json.p : NULL;
}
