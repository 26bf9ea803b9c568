/*
 * json: a strict RFC 8259 reader made for speed.
 *
 * A text becomes a flat tape of nodes in document order; strings stay where they are in the text. The whole
 * text is checked, also what nobody asks for: structure, numbers, escapes, UTF-8, control characters. Stricter
 * than the RFC in one point: \u0000 is an error, because no document of ours can carry it. Not checked: equal
 * keys in one object (json_duplicate finds them, record_check does for every record).
 *
 * Advantages: one pass, no allocation once the tape has grown, nothing copied. Disadvantage: the text must stay
 * unchanged in memory as long as the tape is used, and must be shorter than 4 GiB.
 *
 * Never reads behind the text's end: no padding is needed. Memory: the tape belongs to its owner, the text to
 * whoever gave it.
 */
#ifndef WAYBILL_TREE_JSON_H
#define WAYBILL_TREE_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STREAMED       /* an array whose items are read one at a time: only in records, see record/reader.h */
};

enum json_flag {
    JSON_ESCAPED = 1,       /* the string holds escapes */
    JSON_KEY_ESCAPED = 2,   /* the key does */
    JSON_KEYED = 4,         /* a member of an object: key and key_n are set */
    JSON_INTEGER = 8        /* a number without fraction and exponent */
};

/* One value. Children follow their object or array directly. */
struct json_node {
    uint32_t at;        /* where in the text: a string behind its quote, an object or array at its bracket */
    uint32_t n;         /* bytes: a string without its quotes, an object or array with its brackets */
    uint32_t key;       /* where the key stands, behind its quote */
    uint32_t next;      /* the node behind this one and everything in it */
    uint32_t count;     /* members of an object, items of an array */
    uint16_t key_n;
    uint8_t type;       /* enum json_type */
    uint8_t flags;      /* enum json_flag */
};

/* Which code finds the quotes. */
enum json_path { JSON_BEST, JSON_PLAIN, JSON_SSE2, JSON_AVX2, JSON_NEON };

struct json_tape {
    struct slice text;          /* what was parsed; borrowed */
    struct json_node *node;     /* node 0 is the value itself */
    uint32_t n;
    /* after an error */
    size_t error_at;            /* byte of the text */
    bool incomplete;            /* the text is right as far as it goes, but ends inside the value */
    bool full;                  /* the ceiling of nodes was reached */
    /* where the text starts in the input as a whole, for words of errors; set by the caller, zero is fine */
    uint64_t offset;            /* bytes before it */
    uint64_t line;              /* lines before it */
    uint64_t column;            /* bytes before it on its line */
    /* private */
    uint32_t room;
    uint32_t ceiling;           /* in nodes */
    uint8_t path;               /* enum json_path */
};

/* `ceiling` in bytes of memory for nodes (24 bytes each). */
void json_tape_init(struct json_tape *tape, size_t ceiling);
/* Frees what it holds; it can be used again. */
void json_tape_deinit(struct json_tape *tape);
/* Gives back the room that the value parsed last has left over, for a tape that is kept. 0 or ERR_NOMEM. */
int json_tape_fit(struct json_tape *tape);
/* Forces a path, for tests and measurements. False: this machine does not have it. */
bool json_tape_path(struct json_tape *tape, enum json_path path);

/* Parses one value with nothing but blanks around it. ERR_DATA with line, column, byte, found and expected in
 * words; ERR_LIMIT: too deep, too many nodes, a key over 64 KB, a text of 4 GiB; ERR_NOMEM. After an error the
 * tape holds no node. */
int json_parse(struct json_tape *tape, struct slice text, struct err *err);
/* The same, but stops behind the value and tells where in *end_r; what follows is not looked at. A number at the
 * very end of the text counts as incomplete. */
int json_parse_first(struct json_tape *tape, struct slice text, size_t *end_r, struct err *err);

/* The raw bytes of a value: of a string without quotes and with its escapes, of all others as written. */
static inline struct slice json_raw(const struct json_tape *tape, uint32_t node)
{
    return slice(tape->text.p + tape->node[node].at, tape->node[node].n);
}

static inline struct slice json_raw_key(const struct json_tape *tape, uint32_t node)
{
    return slice(tape->text.p + tape->node[node].key, tape->node[node].key_n);
}

/* The children of an object or array:
 *     for (c = json_first(node); c < json_end(tape, node); c = json_next(tape, c)) */
static inline uint32_t json_first(uint32_t node)
{
    return node + 1;
}

static inline uint32_t json_end(const struct json_tape *tape, uint32_t node)
{
    return tape->node[node].next;
}

static inline uint32_t json_next(const struct json_tape *tape, uint32_t child)
{
    return tape->node[child].next;
}

/* The string, decoded. Borrows from the text when nothing was escaped, otherwise from the arena. 0 or ERR_NOMEM. */
int json_string(const struct json_tape *tape, uint32_t node, struct arena *arena, struct slice *string_r);
/* The key, decoded, in the same way. */
int json_key(const struct json_tape *tape, uint32_t node, struct arena *arena, struct slice *key_r);
/* Decodes the inside of a string that was parsed before; `to` has room for raw.n bytes. Returns how many it wrote. */
size_t json_decode(struct slice raw, char *to);

/* The member of that (decoded) name; 0 when there is none, or the node is no object. */
uint32_t json_member(const struct json_tape *tape, uint32_t object, struct slice key);
/* Two members of one object that have the same name: the second one, 0 when all differ. No allocation. */
uint32_t json_duplicate(const struct json_tape *tape, uint32_t object);
/* Are the decoded keys of two nodes equal? */
bool json_same_key(const struct json_tape *tape, uint32_t a, uint32_t b);

/* "an object", "a string", …: for messages. */
const char *json_type_name(enum json_type type);

#endif
