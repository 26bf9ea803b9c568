/*
 * schema: record kinds, read from their JSON Schemas (maps/records/KIND.VERSION.schema.json).
 *
 * The subset of draft 2020-12 that is understood: type, properties, required, items, additionalProperties,
 * $defs and $ref to them, enum, const, format, minLength, maxLength, minItems, maxItems, pattern (kept, not
 * run), description; x-codes, which names the set of codes that a string is from; and x-trace, which says
 * that people look for a record by that string. $schema, $id, title,
 * $comment, examples, default, deprecated and other x-… words say nothing to us. Anything else is an error:
 * a rule that is written but not checked would be a lie. The root's properties `record` and `version` carry
 * the kind's name and version as const.
 *
 *     decimals    "format": "decimal"             "12.50", "-3", ".5": exact text, never a JSON number
 *     dates       "format": "date"                "2026-01-15"
 *     times       "format": "time"                "12:30", "12:30:45", "12:30:45.50"
 *     date-times  "format": "partial-datetime"    a date, perhaps with T and a time, then perhaps a zone:
 *                                                 Z, +02:00, -05:00, and a partner's own code: [ET], -05:00[ES]
 *
 * A kind is made once and never changes after: any number of threads may use it. It owns all its memory; what
 * its structures point to lives as long as it does.
 */
#ifndef WAYBILL_RECORD_SCHEMA_H
#define WAYBILL_RECORD_SCHEMA_H

#include "base/complain.h"
#include "base/err.h"
#include "base/slice.h"
#include "tree/json.h"

enum record_type {
    RECORD_ANY,         /* whatever it is */
    RECORD_OBJECT,
    RECORD_ARRAY,
    RECORD_STRING,
    RECORD_DECIMAL,     /* these are strings in JSON, with the format they name */
    RECORD_DATE,
    RECORD_TIME,
    RECORD_DATETIME,
    RECORD_INTEGER,     /* a JSON number */
    RECORD_BOOLEAN
};

struct record_field {
    struct slice name;
    uint16_t index;                     /* place among its object's properties: the order in which we write */
    uint8_t type;                       /* enum record_type */
    uint8_t item;                       /* of an ARRAY: the type of its items (never ARRAY) */
    bool required;
    bool fixed;                         /* const: values[0] is the only value */
    bool traced;                        /* x-trace: a number by which people look for the record */
    uint16_t n_values;
    const struct record_object *object; /* of an OBJECT and of an ARRAY of them; never NULL there */
    /* what follows speaks of the items where the field is an ARRAY of scalars */
    const struct slice *values;         /* enum (or const): decoded strings, integers as written */
    size_t min_length;                  /* of strings, in characters */
    size_t max_length;                  /* SIZE_MAX: any */
    uint32_t min_items, max_items;      /* of an ARRAY; UINT32_MAX: any */
    struct slice codes;                 /* x-codes; empty: none */
    struct slice pattern;               /* empty: none */
    struct slice description;
};

struct record_key {                     /* what identifies a name, see record_key_words; private */
    uint64_t head, tail;
    uint64_t n;
};

struct record_object {
    uint16_t n;
    const struct record_field *field;   /* [n], in the order of the schema */
    bool open;                          /* other keys are allowed, too */
    const struct record_field *other;   /* what they must be; NULL: anything */
    bool traced;                        /* a field of it is, or one inside it at any depth */
    struct slice description;
    /* private */
    const struct record_key *key;       /* [n], and one when there is none */
    const uint8_t *slot;                /* from hash to index: perfect; what is free leads to 0 */
    uint64_t multiplier;
    uint8_t shift;
    bool twins;                         /* keys over 16 bytes that the hash cannot tell apart */
    uint64_t required[4];
};

enum { RECORD_FIELDS = 256 };           /* the most that one object may have */

struct record_kind {
    struct slice name;                  /* "order" */
    unsigned version;
    struct slice title;
    const struct record_object *root;
    struct arena *arena;                /* private */
};

/* Reads a schema. `file` is its name for complaints. All errors are gathered in c. ERR_CONFIG when there were any,
 * ERR_NOMEM. Nothing borrows from text after. */
int record_kind_new(struct record_kind **kind_r, struct slice file, struct slice text, struct complaints *c);
/* The same from a file, whose name must agree with what is in it when it is KIND.VERSION.schema.json. */
int record_kind_load(struct record_kind **kind_r, const char *path, struct complaints *c);
void record_kind_free(struct record_kind **kind);

/* The index of the field of that name, -1 when there is none. */
static inline int record_field_find(const struct record_object *object, struct slice name);
/* The same for a member on a tape, whose key may hold escapes. */
int record_field_of(const struct record_object *object, const struct json_tape *tape, uint32_t node);
/* The field at a path such as "lines.quantity" (arrays are passed through; "lines[].quantity" is the same), NULL
 * when there is none. */
const struct record_field *record_field_at(const struct record_kind *kind, struct slice path);
/* "a decimal in a string", …: for messages. */
const char *record_type_name(enum record_type type);

bool record_is_decimal(struct slice s);
bool record_is_date(struct slice s);
bool record_is_time(struct slice s);
bool record_is_datetime(struct slice s);

/* What is wrong with a record. */
#define RECORD_FINDINGS(ROW) \
    ROW(KEY_UNKNOWN, "RECORD-KEY-UNKNOWN", "the record has no field of this name") \
    ROW(KEY_TWICE, "RECORD-KEY-TWICE", "stands twice in one object") \
    ROW(MISSING, "RECORD-MISSING", "missing") \
    ROW(TYPE, "RECORD-TYPE", "is of the wrong type") \
    ROW(DECIMAL, "RECORD-DECIMAL", "is not a decimal") \
    ROW(DATE, "RECORD-DATE", "is not a date") \
    ROW(TIME, "RECORD-TIME", "is not a time") \
    ROW(DATETIME, "RECORD-DATETIME", "is not a date with a time") \
    ROW(VALUE, "RECORD-VALUE", "is not one of the values allowed") \
    ROW(LENGTH, "RECORD-LENGTH", "is too short or too long") \
    ROW(ITEMS, "RECORD-ITEMS", "has too few or too many items") \
    ROW(KIND, "RECORD-KIND", "is of another kind or version")

enum record_finding_code {
#define ROW(id, name, words) RECORD_##id##_FINDING,
    RECORD_FINDINGS(ROW)
#undef ROW
        RECORD_FINDING_CODES
};

struct record_finding {
    enum record_finding_code code;
    const char *name;           /* stable: RECORD-TYPE */
    const char *words;
    struct slice path;          /* lines[3].quantity; indices from 0 */
    struct slice found;         /* the value's raw bytes (an object's or array's only up to its start); may be empty */
    const char *expected;       /* words, made safe, never NULL */
    const char *hint;           /* a whole sentence, "" when there is none */
    size_t at;                  /* byte of the tape's text */
    bool missing;               /* the finding is about something absent */
};

/* Gets each finding; everything in it is valid during the call only. 0 goes on; a negative number stops the check and
 * is its result; anything else stops it, too (ERR_STOP). */
typedef int record_finding_fn(void *context, const struct record_finding *finding);

/* Holds the value of `root` against the kind. No allocation. Returns how many findings were reported (0: the record
 * is right), or a negative number when the callback stopped it. Streamed arrays are passed over: their items
 * are checked by record_check_item, or all at once by record_check_whole in record/reader.h. */
int record_check(const struct record_kind *kind, const struct json_tape *tape, uint32_t root,
                 record_finding_fn *callback, void *context);
/* One item of an array of the root's: `index` is its place there, for the path. */
int record_check_item(const struct record_field *array, size_t index, const struct json_tape *tape, uint32_t node,
                      record_finding_fn *callback, void *context);
/* As one line for people: `lines[3].quantity: "ten" is not a decimal, expected …` (no newline). */
void record_finding_text(const struct record_finding *finding, struct buf *out);

/* Two words that identify a key of up to 16 bytes together with its length. */
static inline void record_key_words(struct slice name, uint64_t *head_r, uint64_t *tail_r)
{
    if (name.n >= 8) {
        memcpy(head_r, name.p, 8);
        memcpy(tail_r, name.p + name.n - 8, 8);
    } else if (name.n >= 4) {
        uint32_t head, tail;
        memcpy(&head, name.p, 4);
        memcpy(&tail, name.p + name.n - 4, 4);
        *head_r = head;
        *tail_r = tail;
    } else {
        *head_r = 0;
        *tail_r = 0;
        if (name.n) {
            *head_r = (unsigned char)name.p[0] | (uint64_t)(unsigned char)name.p[name.n / 2] << 8;
            *tail_r = (unsigned char)name.p[name.n - 1];
        }
    }
}

static inline uint64_t record_key_hash(const struct record_object *object, const struct record_key *key)
{
    return ((key->head ^ (key->tail << 23 | key->tail >> 41) ^ key->n << 57) * object->multiplier) >> object->shift;
}

static inline int record_field_find(const struct record_object *object, struct slice name)
{
    struct record_key key = { .n = name.n };
    const struct record_key *k;
    int i;

    record_key_words(name, &key.head, &key.tail);
    i = object->slot[record_key_hash(object, &key)];
    k = &object->key[i];
    if (k->head == key.head && k->tail == key.tail && k->n == key.n &&
        (name.n <= 16 || slice_eq(object->field[i].name, name)))
        return i;
    if (name.n > 16 && object->twins)
        for (i = 0; i < object->n; i++)
            if (slice_eq(object->field[i].name, name))
                return i;
    return -1;
}

#endif
