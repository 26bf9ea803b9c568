/*
 * json: see json.h.
 *
 * Two stages. json_scan finds with vectors where each string ends. The second stage here walks the text: it looks at
 * each byte outside strings and jumps over strings, and writes the tape. Both go together in windows of 2 KB, so that
 * the list of places stays in the first cache and needs no memory of its own.
 */
#include "tree/json.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "tree/json_scan.h"

enum { FIRST_WINDOW = 256, FEWEST_NODES = 2048, LONGEST_KEY = 0xffff };

#define LONGEST_TEXT (UINT32_MAX - 256)

void json_tape_init(struct json_tape *tape, size_t ceiling)
{
    size_t nodes = ceiling / sizeof(struct json_node);
    *tape = (struct json_tape){ .ceiling = nodes < UINT32_MAX ? (uint32_t)nodes : UINT32_MAX - 1 };
}

void json_tape_deinit(struct json_tape *tape)
{
    free(tape->node);
    tape->node = NULL;
    tape->n = tape->room = 0;
}

int json_tape_fit(struct json_tape *tape)
{
    struct json_node *node;

    if (tape->n == 0 || tape->n == tape->room)
        return 0;
    node = realloc(tape->node, tape->n * sizeof(*node));
    if (!node)
        return ERR_NOMEM;
    tape->node = node;
    tape->room = tape->n;
    return 0;
}

bool json_tape_path(struct json_tape *tape, enum json_path path)
{
    if (!json_scan_for(path))
        return false;
    tape->path = (uint8_t)path;
    return true;
}

struct parse {
    struct json_tape *tape;
    struct err *err;
    json_scan_fn *find;
    struct json_scan scan;
    size_t window;
    const uint32_t *place;          /* next one to take */
    const uint32_t *place_end;
    uint32_t places[JSON_SCAN_WINDOW + 8];
};

/* --- errors --- */

#define COLD __attribute__((noinline, cold))

/* Line, column and byte of a place in the text, counted from the input's start. */
static void locate(const struct json_tape *tape, size_t at, char *to, size_t room)
{
    const char *p = tape->text.p, *end, *newline;
    unsigned long long line = tape->line, column = tape->column;

    if (p) {
        for (end = p + at; (newline = memchr(p, '\n', (size_t)(end - p))) != NULL; p = newline + 1) {
            line++;
            column = 0;
        }
        column += (unsigned long long)(end - p);
    }
    snprintf(to, room, "line %llu, column %llu (byte %llu)", line + 1, column + 1,
             (unsigned long long)tape->offset + at);
}

static void describe(struct slice rest, char *to, size_t room)
{
    unsigned char c = rest.n ? (unsigned char)*rest.p : 0;
    unsigned n = utf8_length(rest);

    if (rest.n == 0)
        snprintf(to, room, "the end of the text");
    else if (c == '\n' || c == '\r')
        snprintf(to, room, "the end of the line");
    else if (c == '\'')
        snprintf(to, room, "\"'\"");
    else if (n == 1 && c >= 0x20 && c < 0x7f)
        snprintf(to, room, "'%c'", c);
    else if (n == 2 && c == 0xc2)
        snprintf(to, room, "the bytes 0xc2 0x%02x", (unsigned char)rest.p[1]);
    else
        snprintf(to, room, "the byte 0x%02x", c);
}

static COLD int fail(struct parse *parse, size_t at, const char *expected)
{
    struct json_tape *tape = parse->tape;
    char place[100], found[40];

    tape->n = 0;
    tape->error_at = at;
    tape->incomplete = at >= tape->text.n;
    locate(tape, at, place, sizeof(place));
    describe(slice_from(tape->text, at), found, sizeof(found));
    return err_set(parse->err, ERR_DATA, "%s: expected %s, found %s", place, expected, found);
}

static COLD int fail_limit(struct parse *parse, size_t at, const char *words, unsigned long limit)
{
    char place[100];

    parse->tape->n = 0;
    parse->tape->error_at = at;
    locate(parse->tape, at, place, sizeof(place));
    return err_set(parse->err, ERR_LIMIT, "%s: %s %lu", place, words, limit);
}

/* No string ends any more. */
static COLD int fail_string(struct parse *parse)
{
    const struct json_scan *scan = &parse->scan;
    struct json_tape *tape = parse->tape;
    char place[100];
    int code;

    switch (scan->bad) {
    case JSON_BAD_CONTROL:
        return fail(parse, scan->bad_at, "a string without control characters, its end or an escape such as \\n");
    case JSON_BAD_UTF8:
        return fail(parse, scan->bad_at, "text in UTF-8");
    default:
        locate(tape, tape->text.n, place, sizeof(place));
        code = err_set(parse->err, ERR_DATA, "%s: the text ends inside a string", place);
        tape->n = 0;
        tape->error_at = tape->text.n;
        tape->incomplete = true;
        return code;
    }
}

/* --- strings --- */

/* More places; false when there are none. */
static __attribute__((noinline)) bool more_places(struct parse *parse)
{
    size_t n = 0;

    while (n == 0 && parse->scan.at < parse->scan.n) {
        n = parse->find(&parse->scan, parse->window, parse->places);
        if (parse->window < JSON_SCAN_WINDOW)
            parse->window *= 2;
    }
    parse->place = parse->places;
    parse->place_end = parse->places + n;
    return n > 0;
}

/* Four hexadecimal digits; -1 when they are none, -2 when the text ends among them. */
static int32_t hex4(struct slice s)
{
    int32_t value = 0;

    for (unsigned i = 0; i < 4; i++) {
        char c;
        if (i >= s.n)
            return -2;
        c = s.p[i];
        if (is_digit(c))
            value = value * 16 + (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = value * 16 + ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* Checks the escape at `at`, a backslash. 0; or 1: a second escape belongs to it. */
static int check_escape(struct parse *parse, size_t at)
{
    struct slice text = parse->tape->text;
    int32_t value;

    if (at + 1 >= text.n)
        return fail_string(parse);
    switch (text.p[at + 1]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        return 0;
    case 'u':
        break;
    default:
        return fail(parse, at + 1, "one of \" \\ / b f n r t u behind a backslash");
    }
    value = hex4(slice_from(text, at + 2));
    if (value == -2)
        return fail_string(parse);
    if (value == -1)
        return fail(parse, at + 2, "four hexadecimal digits behind \\u");
    if (value == 0)
        return fail(parse, at, "text without NUL");
    if (value >= 0xdc00 && value <= 0xdfff)
        return fail(parse, at, "the first half of a surrogate pair before its second");
    if (value < 0xd800 || value > 0xdbff)
        return 0;
    at += 6;
    if (at >= text.n || (text.p[at] == '\\' && at + 1 >= text.n))
        return fail_string(parse);
    if (text.p[at] != '\\' || text.p[at + 1] != 'u')
        return fail(parse, at, "the second half of a surrogate pair");
    value = hex4(slice_from(text, at + 2));
    if (value == -2)
        return fail_string(parse);
    if (value < 0xdc00 || value > 0xdfff)
        return fail(parse, at, "the second half of a surrogate pair");
    return 1;
}

/* A string with escapes, the first at place[-1]. 0, and its closing quote in *end_r. */
static __attribute__((noinline)) int escaped_string(struct parse *parse, size_t at, size_t *end_r)
{
    const char *text = parse->tape->text.p;

    while (text[at] != '"') {
        int r = check_escape(parse, at);
        if (r < 0)
            return r;
        for (; r >= 0; r--) {
            if (parse->place == parse->place_end && !more_places(parse))
                return fail_string(parse);
            at = *parse->place++;
        }
    }
    *end_r = at;
    return 0;
}

/* --- the walk --- */

static COLD int grow(struct parse *parse, size_t at)
{
    struct json_tape *tape = parse->tape;
    uint32_t room = tape->room ? tape->room * 2 : (uint32_t)(tape->text.n / 16 < 65536 ? tape->text.n / 16 : 65536);
    struct json_node *node;

    if (room < FEWEST_NODES)
        room = FEWEST_NODES;
    if (room > tape->ceiling || room < tape->room)
        room = tape->ceiling;
    if (room <= tape->room) {
        tape->full = true;
        return fail_limit(parse, at, "more values than the limit of", tape->ceiling);
    }
    node = realloc(tape->node, (size_t)room * sizeof(*node));
    if (!node) {
        tape->n = 0;
        return err_nomem(parse->err);
    }
    tape->node = node;
    tape->room = room;
    return 0;
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Line ends and indentation. */
static __attribute__((noinline)) size_t skip_blanks(const char *text, size_t at, size_t end)
{
    while (at < end && is_blank(text[at])) {
        at++;
        while (end - at >= 8) {
            uint64_t eight;
            memcpy(&eight, text + at, 8);
            eight ^= 0x2020202020202020u;
            if (eight) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
                at += (size_t)__builtin_ctzll(eight) / 8;
#else
                at += (size_t)__builtin_clzll(eight) / 8;
#endif
                break;
            }
            at += 8;
        }
    }
    return at;
}

/* Reads the number that starts at `at`; what it is goes to *flags_r. */
static int number(struct parse *parse, size_t at, size_t *end_r, uint8_t *flags_r)
{
    const char *text = parse->tape->text.p;
    size_t end = parse->tape->text.n;
    uint8_t flags = JSON_INTEGER;

    if (text[at] == '-')
        at++;
    if (at == end || !is_digit(text[at]))
        return fail(parse, at, "a digit");
    if (text[at++] != '0')
        while (at < end && is_digit(text[at]))
            at++;
    if (at < end && text[at] == '.') {
        at++;
        if (at == end || !is_digit(text[at]))
            return fail(parse, at, "a digit behind the point");
        while (at < end && is_digit(text[at]))
            at++;
        flags = 0;
    }
    if (at < end && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < end && (text[at] == '+' || text[at] == '-'))
            at++;
        if (at == end || !is_digit(text[at]))
            return fail(parse, at, "a digit of the exponent");
        while (at < end && is_digit(text[at]))
            at++;
        flags = 0;
    }
    *end_r = at;
    *flags_r = flags;
    return 0;
}

/* true, false or null, compared as far as the text goes. Its length, or negative. */
static int word(struct parse *parse, size_t at, struct slice expected)
{
    struct slice rest = slice_from(parse->tape->text, at);

    for (size_t i = 0; i < expected.n; i++)
        if (i >= rest.n || rest.p[i] != expected.p[i])
            return fail(parse, at + i, "true, false or null");
    return (int)expected.n;
}

#define SKIP_BLANKS()                                                                    \
    do {                                                                                 \
        if (__builtin_expect(at < end && (unsigned char)text[at] <= ' ', 0))             \
            at = skip_blanks(text, at, end);                                             \
    } while (0)

/* The string whose opening quote stands at `at`: sets `close`, and adds `flag` to flags when it has escapes. */
#define STRING(flag)                                                                     \
    do {                                                                                 \
        if (__builtin_expect(parse->place == parse->place_end, 0) && !more_places(parse)) \
            return fail_string(parse);                                                   \
        close = *parse->place++;                                                         \
        if (__builtin_expect(text[close] != '"', 0)) {                                   \
            size_t behind;                                                               \
            r = escaped_string(parse, close, &behind);                                   \
            if (r < 0)                                                                   \
                return r;                                                                \
            close = behind;                                                              \
            flags |= (flag);                                                             \
        }                                                                                \
    } while (0)

static inline void put(struct json_node *node, size_t at, size_t n, size_t key, size_t key_n, size_t next,
                       enum json_type type, unsigned flags)
{
    node->at = (uint32_t)at;
    node->n = (uint32_t)n;
    node->key = (uint32_t)key;
    node->next = (uint32_t)next;
    node->count = 0;
    node->key_n = (uint16_t)key_n;
    node->type = (uint8_t)type;
    node->flags = (uint8_t)flags;
}

static int walk(struct parse *parse, bool first, size_t *end_r)
{
    struct json_tape *tape = parse->tape;
    const char *text = tape->text.p;
    const size_t end = tape->text.n;
    struct {
        uint32_t node;
        uint32_t count;
        bool object;
    } stack[LIMIT_RECORD_DEPTH];
    unsigned depth = 0, flags = 0;
    struct json_node *nodes = tape->node, *node;
    uint32_t room = tape->room, n = 0;
    uint32_t count = 0;         /* members so far of the innermost object or array */
    bool object = false;        /* that one is an object */
    size_t key = 0, key_n = 0, at = 0, close = 0;
    uint8_t kind;
    int r;

    SKIP_BLANKS();

value:
    if (__builtin_expect(at == end, 0))
        return fail(parse, at, "a value");
    if (__builtin_expect(n == room, 0)) {
        r = grow(parse, at);
        if (r < 0)
            return r;
        nodes = tape->node;
        room = tape->room;
    }
    node = nodes + n++;
    switch (text[at]) {
    case '"':
        STRING(JSON_ESCAPED);
        put(node, at + 1, close - at - 1, key, key_n, n, JSON_STRING, flags);
        at = close + 1;
        goto behind;
    case '{':
    case '[':
        if (depth == LIMIT_RECORD_DEPTH)
            return fail_limit(parse, at, "objects and arrays inside each other, more than", LIMIT_RECORD_DEPTH);
        stack[depth].node = n - 1;
        stack[depth].count = count;
        stack[depth++].object = object;
        count = 0;
        object = text[at] == '{';
        put(node, at, 0, key, key_n, n, object ? JSON_OBJECT : JSON_ARRAY, flags);
        at++;
        SKIP_BLANKS();
        if (at < end && text[at] == (object ? '}' : ']'))
            goto shut;
        if (object)
            goto member;
        flags = 0;
        key = key_n = 0;
        if (at == end)
            return fail(parse, at, "a value or ']'");
        goto value;
    case '-':
    case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        kind = 0;
        r = number(parse, at, &close, &kind);
        if (r < 0)
            return r;
        put(node, at, close - at, key, key_n, n, JSON_NUMBER, flags | kind);
        at = close;
        if (first && depth == 0 && at == end)
            return fail(parse, at, "the end of the number");
        goto behind;
    case 't':
        r = word(parse, at, SLICE("true"));
        kind = JSON_TRUE;
        break;
    case 'f':
        r = word(parse, at, SLICE("false"));
        kind = JSON_FALSE;
        break;
    case 'n':
        r = word(parse, at, SLICE("null"));
        kind = JSON_NULL;
        break;
    default:
        return fail(parse, at, "a value");
    }
    if (r < 0)
        return r;
    put(node, at, (size_t)r, key, key_n, n, (enum json_type)kind, flags);
    at += (size_t)r;
    goto behind;

shut:
    at++;
    depth--;
    node = nodes + stack[depth].node;
    node->n = (uint32_t)at - node->at;
    node->next = n;
    node->count = count;
    count = stack[depth].count;
    object = stack[depth].object;

behind:
    if (depth == 0)
        goto done;
    count++;
    SKIP_BLANKS();
    if (object) {
        if (at < end && text[at] == ',') {
            at++;
            SKIP_BLANKS();
            goto member;
        }
        if (at < end && text[at] == '}')
            goto shut;
        return fail(parse, at, "',' or '}'");
    }
    if (at < end && text[at] == ',') {
        at++;
        SKIP_BLANKS();
        flags = 0;
        key = key_n = 0;
        goto value;
    }
    if (at < end && text[at] == ']')
        goto shut;
    return fail(parse, at, "',' or ']'");

member:
    if (__builtin_expect(at == end || text[at] != '"', 0))
        return fail(parse, at, count ? "a key in quotes" : "a key in quotes or '}'");
    /* The usual case at once, as often as it comes: "key":"value", without blanks and escapes. Two places are taken for
     * each, so a look at how many there are bounds the loop, and with it the tape and the length of all keys but the
     * first. The string's end lies at least three behind the key's, so `":"` is in the text. */
    if ((size_t)(parse->place_end - parse->place) / 2 <= room - n && parse->place < parse->place_end &&
        *parse->place - at <= LONGEST_KEY) {
        const uint32_t *place = parse->place, *last = parse->place_end - 1;
        while (place < last) {
            size_t key_end = place[0];
            close = place[1];
            if (memcmp(text + key_end, "\":\"", 3) != 0 || text[close] != '"')
                break;
            node = nodes + n++;
            put(node, key_end + 3, close - key_end - 3, at + 1, key_end - at - 1, n, JSON_STRING, JSON_KEYED);
            place += 2;
            at = close + 1;
            if (end - at < 2 || memcmp(text + at, ",\"", 2) != 0) {
                parse->place = place;
                goto behind;
            }
            at++;
            count++;
        }
        parse->place = place;
    }
    flags = JSON_KEYED;
    STRING(JSON_KEY_ESCAPED);
    key = at + 1;
    key_n = close - key;
    if (__builtin_expect(key_n > LONGEST_KEY, 0))
        return fail_limit(parse, at, "a key of more bytes than", LONGEST_KEY);
    at = close + 1;
    SKIP_BLANKS();
    if (__builtin_expect(at == end || text[at] != ':', 0))
        return fail(parse, at, "':' behind the key");
    at++;
    SKIP_BLANKS();
    goto value;

done:
    if (first) {
        *end_r = at;
    } else {
        SKIP_BLANKS();
        if (at < end)
            return fail(parse, at, "nothing behind the value");
    }
    tape->n = n;
    return 0;
}

static int parse_text(struct json_tape *tape, struct slice text, bool first, size_t *end_r, struct err *err)
{
    struct parse parse;

    tape->text = text;
    tape->n = 0;
    tape->error_at = 0;
    tape->incomplete = tape->full = false;
    parse.tape = tape;
    parse.err = err;
    parse.find = json_scan_for((enum json_path)tape->path);
    /* a short value in a long text: do not look far beyond it */
    parse.window = first && text.n > 4 * JSON_SCAN_WINDOW ? FIRST_WINDOW : JSON_SCAN_WINDOW;
    parse.place = parse.place_end = parse.places;
    if (text.n > LONGEST_TEXT) {
        if (!first)
            return err_set(err, ERR_LIMIT, "the text is larger than 4 GiB");
        tape->text.n = text.n = LONGEST_TEXT;
    }
    parse.scan = (struct json_scan){ .text = text.p, .n = text.n };
    return walk(&parse, first, end_r);
}

int json_parse(struct json_tape *tape, struct slice text, struct err *err)
{
    return parse_text(tape, text, false, NULL, err);
}

int json_parse_first(struct json_tape *tape, struct slice text, size_t *end_r, struct err *err)
{
    return parse_text(tape, text, true, end_r, err);
}

/* --- strings and keys --- */

/* Takes one byte, or one escape where there are escapes, from raw and writes what it means: up to four bytes. */
static unsigned take(struct slice *raw, bool escaped, char *to)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    const char *letter;
    uint32_t c;

    if (!escaped || *raw->p != '\\' || raw->n < 2) {
        *to = *raw->p;
        *raw = slice_from(*raw, 1);
        return 1;
    }
    c = (unsigned char)raw->p[1];
    if (c != 'u') {
        letter = memchr(letters, (int)c, sizeof(letters) - 1);
        *to = letter ? meanings[letter - letters] : (char)c;
        *raw = slice_from(*raw, 2);
        return 1;
    }
    c = (uint32_t)hex4(slice_from(*raw, 2));
    *raw = slice_from(*raw, 6);
    if (c >= 0xd800 && c <= 0xdbff) {
        c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)hex4(slice_from(*raw, 2)) - 0xdc00);
        *raw = slice_from(*raw, 6);
    }
    return utf8_put(c, to);
}

size_t json_decode(struct slice raw, char *to)
{
    size_t n = 0;

    while (raw.n) {
        const char *backslash = memchr(raw.p, '\\', raw.n);
        size_t plain = backslash ? (size_t)(backslash - raw.p) : raw.n;
        memcpy(to + n, raw.p, plain);
        n += plain;
        raw = slice_from(raw, plain);
        if (raw.n)
            n += take(&raw, true, to + n);
    }
    return n;
}

static int decoded(struct slice raw, bool escaped, struct arena *arena, struct slice *string_r)
{
    char *to;

    if (!escaped) {
        *string_r = raw;
        return 0;
    }
    to = arena_alloc(arena, raw.n);
    if (!to)
        return ERR_NOMEM;
    *string_r = slice(to, json_decode(raw, to));
    return 0;
}

int json_string(const struct json_tape *tape, uint32_t node, struct arena *arena, struct slice *string_r)
{
    return decoded(json_raw(tape, node), tape->node[node].flags & JSON_ESCAPED, arena, string_r);
}

int json_key(const struct json_tape *tape, uint32_t node, struct arena *arena, struct slice *key_r)
{
    return decoded(json_raw_key(tape, node), tape->node[node].flags & JSON_KEY_ESCAPED, arena, key_r);
}

/* Two keys, of which one has escapes. */
static bool same_decoded(struct slice a, bool a_escaped, struct slice b, bool b_escaped)
{
    char x[4], y[4];
    unsigned x_n = 0, x_at = 0, y_n = 0, y_at = 0;

    for (;;) {
        if (x_at == x_n && a.n) {
            x_n = take(&a, a_escaped, x);
            x_at = 0;
        }
        if (y_at == y_n && b.n) {
            y_n = take(&b, b_escaped, y);
            y_at = 0;
        }
        if (x_at == x_n || y_at == y_n)
            return x_at == x_n && y_at == y_n;
        if (x[x_at++] != y[y_at++])
            return false;
    }
}

/* Most keys differ in length or in their first byte. */
static inline bool same(struct slice a, bool a_escaped, struct slice b, bool b_escaped)
{
    if (__builtin_expect(a_escaped | b_escaped, 0))
        return same_decoded(a, a_escaped, b, b_escaped);
    return a.n == b.n && (a.n == 0 || (a.p[0] == b.p[0] && memcmp(a.p, b.p, a.n) == 0));
}

bool json_same_key(const struct json_tape *tape, uint32_t a, uint32_t b)
{
    return same(json_raw_key(tape, a), tape->node[a].flags & JSON_KEY_ESCAPED, json_raw_key(tape, b),
                tape->node[b].flags & JSON_KEY_ESCAPED);
}

uint32_t json_member(const struct json_tape *tape, uint32_t object, struct slice key)
{
    uint32_t c, end;

    if (tape->node[object].type != JSON_OBJECT)
        return 0;
    for (c = json_first(object), end = json_end(tape, object); c < end; c = json_next(tape, c))
        if (same(json_raw_key(tape, c), tape->node[c].flags & JSON_KEY_ESCAPED, key, false))
            return c;
    return 0;
}

static uint32_t key_hash(const struct json_tape *tape, uint32_t node)
{
    struct slice key = json_raw_key(tape, node);
    bool escaped = tape->node[node].flags & JSON_KEY_ESCAPED;
    uint32_t h = 2166136261u;
    char bytes[4];

    for (size_t i = 0; !escaped && i < key.n; i++)
        h = (h ^ (unsigned char)key.p[i]) * 16777619u;
    while (escaped && key.n) {
        unsigned n = take(&key, escaped, bytes);
        for (unsigned i = 0; i < n; i++)
            h = (h ^ (unsigned char)bytes[i]) * 16777619u;
    }
    return h ^ h >> 15;
}

uint32_t json_duplicate(const struct json_tape *tape, uint32_t object)
{
    enum { FEW = 8, PLACES = 1024, A_PASS = PLACES / 2 };
    const struct json_node *o = &tape->node[object];
    uint32_t places[PLACES], passes, pass, a, b;

    if (o->type != JSON_OBJECT)
        return 0;
    if (o->count <= FEW) {
        for (a = json_first(object); a < o->next; a = json_next(tape, a))
            for (b = json_first(object); b < a; b = json_next(tape, b))
                if (json_same_key(tape, a, b))
                    return a;
        return 0;
    }
    /* A table on the stack; an object too large for it is gone through several times, each with its share of keys. */
    passes = (o->count - 1) / (A_PASS / 2) + 1;
    for (pass = 0; pass < passes; pass++) {
        uint32_t taken = 0;
        memset(places, 0, sizeof(places));
        for (a = json_first(object); a < o->next; a = json_next(tape, a)) {
            uint32_t h = key_hash(tape, a), i = h & (PLACES - 1);
            if (passes > 1 && (h >> 10) % passes != pass)
                continue;
            for (; places[i]; i = (i + 1) & (PLACES - 1))
                if (json_same_key(tape, a, places[i]))
                    return a;
            if (++taken == PLACES)
                return a;       /* keys made to collide: nobody does that by accident */
            places[i] = a;
        }
    }
    return 0;
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = { "null", "false", "true", "a number", "a string", "an object", "an array",
                                         "an array" };
    return (unsigned)type < sizeof(names) / sizeof(names[0]) ? names[type] : "something unknown";
}
