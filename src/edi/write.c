/*
 * write: see write.h.
 *
 * A segment grows at the end of one buffer. Separators are written late, when a value comes that needs them, so
 * nothing empty ever stands at an end. A value is copied and looked at in the same step, sixteen bytes at a time
 * and never past its end; only one that holds something unusual (a delimiter, a control character, a byte above
 * 0x7e, in the basic set a small letter) goes the slow way, character by character through `scratch`.
 *
 * Outside of a segment, and after a failure, `last` is NOWHERE: so the one comparison that every element needs
 * also finds misuse.
 */
#include "edi/write_inside.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FLUSH_AT = 64 << 10,
    SLACK = LIMIT_ELEMENTS + 64, /* separators, terminator, line end, and the overhang of short copies */
    NOWHERE = INT_MAX
};

enum { ESCAPES_UNKNOWN, ESCAPES_NONE, ESCAPES_SOME };

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define LIKELY(x)     __builtin_expect(!!(x), 1)
#define UNLIKELY(x)   __builtin_expect(!!(x), 0)

typedef int8_t signed16 __attribute__((vector_size(16)));
typedef uint64_t words2 __attribute__((vector_size(16)));

void edi_write_options_init(struct edi_write_options *o)
{
    *o = (struct edi_write_options){
        .syntax = { .element = '*', .terminator = '~', .component = '>', .repetition = '^' },
        .line_end = "",
        .charset = CHARSET_EXTENDED,
    };
}

void edi_write_options_edifact(struct edi_write_options *o)
{
    *o = (struct edi_write_options){
        .dialect = &dialect_edifact,
        .syntax = { .element = '+', .terminator = '\'', .component = ':', .release = '?' },
        .decimal = '.',
        .una = true,
        .line_end = "",
        .charset = CHARSET_LATIN1,
    };
}

bool edi_write_una(struct edi_write_options *o, struct slice una)
{
    o->una = !slice_is(una, "none");
    if (!o->una)
        return true;
    if (una.n == 9 && slice_starts(una, SLICE("UNA")))
        una = slice_from(una, 3);
    if (una.n != 6)
        return false;
    o->syntax = (struct edi_syntax){ .component = una.p[0],
                                     .element = una.p[1],
                                     .terminator = una.p[5],
                                     .release = una.p[3] == ' ' ? 0 : una.p[3],
                                     .repetition = una.p[4] == ' ' ? 0 : una.p[4] };
    o->decimal = una.p[2];
    return true;
}

/* --- Delimiters ------------------------------------------------------------------------------------------- */

static int check_options(const struct edi_write_options *o, struct err *err)
{
    const struct edi_syntax *s = &o->syntax;
    const char all[] = { s->element, s->terminator, s->component, s->repetition, s->release };
    static const char *const names[] = { "element separator", "segment terminator", "component separator",
                                         "repetition separator", "release character" };

    if (!s->element || !s->terminator)
        return err_set(err, ERR_USAGE, "an element separator and a segment terminator are needed");
    for (unsigned i = 0; i < sizeof(all); i++) {
        char c = all[i];
        if (!c)
            continue;
        if (is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == ' ' || c == '.' || c == '-')
            return err_set(err, ERR_USAGE, "the %s cannot be \"%c\": data are full of it", names[i], c);
        if ((unsigned char)c > 0x7e && (o->charset == CHARSET_UTF8 || o->dialect == &dialect_edifact))
            return err_set(err, ERR_USAGE, "the %s cannot be 0x%02X where text is %s", names[i], (unsigned char)c,
                           charset_name(o->charset));
        for (unsigned j = 0; j < i; j++)
            if (all[j] == c)
                return err_set(err, ERR_USAGE, "%s and %s are the same (0x%02X)", names[j], names[i], (unsigned char)c);
    }
    if (o->decimal && o->decimal != '.' && o->decimal != ',')
        return err_set(err, ERR_USAGE, "the decimal mark is a point or a comma");
    if (o->decimal && memchr(all, o->decimal, sizeof(all)))
        return err_set(err, ERR_USAGE, "the decimal mark cannot separate as well");
    if (o->dialect == &dialect_edifact && !charset_syntax(o->charset))
        return err_set(err, ERR_USAGE, "EDIFACT has no name for the %s character set", charset_name(o->charset));
    if (o->line_end && strlen(o->line_end) > 2)
        return err_set(err, ERR_USAGE, "a line end has at most two characters");
    return 0;
}

/* Lacks some of the printable characters of ASCII? */
static bool is_narrow(enum edi_charset set)
{
    return set == CHARSET_BASIC || set == CHARSET_UNOA || set == CHARSET_UNOB;
}

void writer_use_syntax(struct edi_writer *w, const struct edi_syntax *s)
{
    const char all[] = { s->element, s->terminator, s->component, s->repetition };
    const char *line_end = w->state.options.line_end ? w->state.options.line_end : "";

    w->syntax = *s;
    w->narrow = is_narrow(w->state.options.charset) || s->release;
    for (unsigned i = 0; i < 4; i++)
        for (unsigned j = 0; j < 16; j++)
            w->delimiter[i][j] = (uint8_t)(all[i] ? all[i] : s->terminator);
    memset(w->ending, 0, sizeof(w->ending));
    w->ending[0] = s->terminator;
    w->ending_n = 1;
    /* a terminator that ends the line already needs no other */
    for (unsigned i = 0; line_end[i] && i < 2 && s->terminator != '\n' && s->terminator != '\r'; i++)
        w->ending[w->ending_n++] = line_end[i];
}

static bool is_delimiter(const struct edi_writer *w, uint32_t c)
{
    const struct edi_syntax *s = &w->syntax;
    char b = (char)c;

    return c < 0x100 && c &&
           (b == s->element || b == s->terminator || b == s->component || b == s->repetition || b == s->release);
}

static const char *delimiter_name(const struct edi_writer *w, char c)
{
    const struct edi_syntax *s = &w->syntax;
    return c == s->element      ? "the element separator"
           : c == s->terminator ? "the segment terminator"
           : c == s->component  ? "the component separator"
           : c == s->repetition ? "the repetition separator"
                                : "the release character";
}

/* --- The writer ------------------------------------------------------------------------------------------- */

static void set_options(struct edi_writer *w, const struct edi_write_options *options)
{
    w->state.options = *options;
    w->dialect = options->dialect ? options->dialect : &dialect_x12;
    w->has_page = charset_page(options->charset, w->page);
}

int edi_writer_new(const struct edi_write_options *options, struct edi_writer **writer_r, struct err *err)
{
    struct edi_writer *w;
    size_t ceiling = options->ceiling ? options->ceiling : LIMIT_ITEM;
    int code = check_options(options, err);

    *writer_r = NULL;
    if (code)
        return code;
    w = calloc(1, sizeof(*w));
    if (!w)
        return err_nomem(err);
    if (ceiling > UINT32_MAX / 2)
        ceiling = UINT32_MAX / 2;
    buf_init(&w->out, ceiling);
    buf_init(&w->scratch, (size_t)LIMIT_SEGMENT * 4);
    set_options(w, options);
    edi_writer_clear(w);
    *writer_r = w;
    return 0;
}

void edi_writer_free(struct edi_writer **writer)
{
    struct edi_writer *w = *writer;

    if (!w)
        return;
    buf_deinit(&w->out);
    buf_deinit(&w->scratch);
    rewritten_deinit(&w->copy);
    free(w);
    *writer = NULL;
}

const struct err *edi_writer_error(const struct edi_writer *w)
{
    return &w->err;
}

void edi_writer_clear(struct edi_writer *w)
{
    buf_clear(&w->out);
    w->state = (struct edi_write_state){ .options = w->state.options, .syntax = w->state.options.syntax };
    writer_use_syntax(w, &w->state.options.syntax);
    w->failed = 0;
    w->broken = w->in_segment = false;
    w->held = 0;
    w->given = 0;
    w->last = NOWHERE;
    w->err.code = 0;
    w->err.text[0] = 0;
}

int edi_writer_options(struct edi_writer *w, const struct edi_write_options *options)
{
    struct edi_write_options o = *options;
    int code;

    if (w->failed)
        return w->failed;
    if (w->state.open != OPEN_NOTHING || w->in_segment)
        return err_set(&w->err, ERR_USAGE, "delimiters change between interchanges only");
    code = check_options(&o, &w->err);
    if (code)
        return code;
    o.ceiling = w->state.options.ceiling;
    o.write = w->state.options.write;
    o.ctx = w->state.options.ctx;
    set_options(w, &o);
    w->state.syntax = o.syntax;
    writer_use_syntax(w, &o.syntax);
    return 0;
}

int edi_writer_syntax(struct edi_writer *w, const struct edi_syntax *syntax)
{
    struct edi_write_options o = w->state.options;

    o.syntax = *syntax;
    return edi_writer_options(w, &o);
}

char edi_writer_decimal(const struct edi_writer *w)
{
    return w->state.options.decimal ? w->state.options.decimal : '.';
}

const struct dialect *edi_writer_dialect(const struct edi_writer *w)
{
    return w->dialect;
}

/* Nothing goes on after this until a rewind. */
static int fail(struct edi_writer *w, int code, const char *words)
{
    w->failed = code;
    w->last = NOWHERE;
    return err_set(&w->err, code, "%s", words);
}

int writer_fail_buffer(struct edi_writer *w, const struct buf *b)
{
    if (b->failed == ERR_LIMIT)
        return fail(w, ERR_LIMIT, "a document takes more memory than it may");
    return fail(w, ERR_NOMEM, "out of memory");
}

int writer_misused(struct edi_writer *w, const char *words)
{
    return w->failed ? w->failed : fail(w, ERR_USAGE, words);
}

/* --- Output ----------------------------------------------------------------------------------------------- */

int edi_writer_flush(struct edi_writer *w)
{
    int code;

    if (w->failed)
        return w->failed;
    if (w->held || w->in_segment)
        return writer_misused(w, "output is held and cannot be flushed");
    if (!w->state.options.write || w->out.n == 0)
        return 0;
    w->err.code = 0;
    code = w->state.options.write(w->state.options.ctx, w->out.p, w->out.n, &w->err);
    if (code < 0) {
        w->failed = code;
        w->broken = true;
        if (!w->err.code)
            err_set(&w->err, code, "the output cannot be written");
        return code;
    }
    w->given += w->out.n;
    w->out.n = 0;
    return 0;
}

uint64_t edi_writer_offset(const struct edi_writer *w)
{
    return w->given + w->out.n;
}

struct slice edi_writer_output(const struct edi_writer *w)
{
    return buf_slice(&w->out);
}

void edi_writer_taken(struct edi_writer *w)
{
    if (!w->in_segment && !w->held) {
        w->given += w->out.n;
        w->out.n = 0;
    }
}

int edi_writer_mark(struct edi_writer *w, struct edi_mark *mark_r)
{
    int code;

    if (w->failed)
        return w->failed;
    if (w->in_segment)
        return writer_misused(w, "a mark is set between segments");
    if (w->out.n >= FLUSH_AT && !w->held && (code = edi_writer_flush(w)) < 0)
        return code;
    mark_r->at = w->out.n;
    mark_r->state = w->state;
    mark_r->held = w->held++;
    return 0;
}

void edi_writer_rewind(struct edi_writer *w, const struct edi_mark *mark)
{
    if (w->held <= mark->held || w->broken || mark->at > w->out.n)
        return;
    w->out.n = mark->at;
    w->out.failed = 0;
    if (w->state.options.charset != mark->state.options.charset ||
        w->state.options.dialect != mark->state.options.dialect)
        set_options(w, &mark->state.options);
    w->state = mark->state;
    w->in_segment = false;
    w->held = mark->held;
    w->failed = 0;
    w->last = NOWHERE;
    writer_use_syntax(w, &w->state.syntax);
}

void edi_writer_release(struct edi_writer *w)
{
    w->held -= w->held > 0;
}

/* --- Values ----------------------------------------------------------------------------------------------- */

static ALWAYS_INLINE bool any(signed16 v)
{
#ifdef __SSE2__
    return __builtin_ia32_pmovmskb128((__attribute__((vector_size(16))) char)v) != 0;
#else
    words2 two = (words2)v;
    return (two[0] | two[1]) != 0;
#endif
}

/* The bytes in v that need the slow way, but for separators of elements and components. */
static ALWAYS_INLINE signed16 unusual_text(const struct edi_writer *w, bytes16 v)
{
    signed16 s = (signed16)v;
    signed16 bad = (signed16)(s < 0x20) | (signed16)(s == 0x7f) | (signed16)(v == w->delimiter[1]) |
                   (signed16)(v == w->delimiter[3]);

    if (UNLIKELY(w->narrow)) {
        if (w->state.options.charset == CHARSET_BASIC)
            bad |= (signed16)(s > 'Z') | ((signed16)(s > '"') & (signed16)(s < '&')) | (signed16)(s == '<') |
                   (signed16)(s == '>') | (signed16)(s == '@');
        else if (w->state.options.charset == CHARSET_UNOA)
            bad |= (signed16)(s > 'Z') | (signed16)(s == '#') | (signed16)(s == '$') | (signed16)(s == '@');
        else if (w->state.options.charset == CHARSET_UNOB)
            bad |= ((signed16)(s > 'Z') & (signed16)(s < 'a')) | (signed16)(s > 'z') | (signed16)(s == '#') |
                   (signed16)(s == '$') | (signed16)(s == '@');
        if (w->syntax.release)
            bad |= (signed16)(v == (uint8_t)w->syntax.release);
    }
    return bad;
}

/* The same, and those of components. */
static ALWAYS_INLINE signed16 unusual_bytes(const struct edi_writer *w, bytes16 v)
{
    return unusual_text(w, v) | (signed16)(v == w->delimiter[2]);
}

static ALWAYS_INLINE bool unusual(const struct edi_writer *w, bytes16 v)
{
    return any(unusual_bytes(w, v) | (signed16)(v == w->delimiter[0]));
}

static inline bytes16 load16(const char *p)
{
    bytes16 v;
    memcpy(&v, p, 16);
    return v;
}

/* Copies n bytes, at least one. */
static ALWAYS_INLINE void copy_plain(char *to, const char *p, size_t n)
{
    if (n > 16) {
        memcpy(to, p, n);
    } else if (n >= 8) {
        uint64_t low, high;
        memcpy(&low, p, 8);
        memcpy(&high, p + n - 8, 8);
        memcpy(to, &low, 8);
        memcpy(to + n - 8, &high, 8);
    } else if (n >= 4) {
        uint32_t low, high;
        memcpy(&low, p, 4);
        memcpy(&high, p + n - 4, 4);
        memcpy(to, &low, 4);
        memcpy(to + n - 4, &high, 4);
    } else {
        char first = p[0], middle = p[n >> 1], last = p[n - 1];
        to[0] = first;
        to[n >> 1] = middle;
        to[n - 1] = last;
    }
}

/* The same, and looks at each. True: the slow way. There is room for 16 more. */
static bool copy(const struct edi_writer *w, char *to, const char *p, size_t n)
{
    bool odd = false;

    copy_plain(to, p, n);
    memset(to + n, '0', 16);
    for (size_t i = 0; i < n; i += 16)
        odd |= unusual(w, load16(to + i));
    return odd;
}

/* Makes sure that a value of n bytes fits behind what there is, separators and terminator included. */
static inline bool has_room(struct edi_writer *w, size_t n)
{
    return w->out.room - w->out.n >= n + SLACK || buf_reserve(&w->out, n + SLACK) != NULL;
}

static char *put_digits(char *p, unsigned n)
{
    char room[40];
    const struct slice digits = slice_digits(n, room);
    memcpy(p, digits.p, digits.n);
    return p + digits.n;
}

void writer_place(const struct edi_writer *w, unsigned element, unsigned repetition, unsigned component,
                  char text[WRITER_PLACE])
{
    const char *tag = w->out.p + w->start;
    size_t n = 0;

    while (n < 3 && tag[n] != w->syntax.element && w->start + n < w->out.n)
        n++;
    memcpy(text, tag, n);
    text += n;
    if (element < 10)
        *text++ = '0';
    text = put_digits(text, element);
    if (component > 1 || (component && repetition == 1)) {
        *text++ = '-';
        text = put_digits(text, component);
    }
    if (repetition > 1) {
        memcpy(text, ", repetition ", 13);
        text = put_digits(text + 13, repetition);
    }
    *text = 0;
}

int writer_refuse(struct edi_writer *w, const char *place, const char *format, ...)
{
    char words[300];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    w->state.refused++;
    return err_set(&w->err, ERR_DATA, "%s: %s", place, words);
}

/* One character of ASCII, or of Latin-1 as one byte, that may be a delimiter. */
static int convert_one(struct edi_writer *w, uint32_t c, const char *place)
{
    if (is_delimiter(w, c)) {
        w->odd |= w->syntax.release != 0;
        if (w->syntax.release)
            buf_add_char(&w->scratch, w->syntax.release);
        else if (w->state.options.replace)
            c = ' ';
        else if (c < 0x20 || c > 0x7e)
            return writer_refuse(w, place, "the value holds the character 0x%02X, which is %s", (unsigned)c,
                                 delimiter_name(w, (char)c));
        else
            return writer_refuse(w, place, "the value holds \"%c\", which is %s", (char)c, delimiter_name(w, (char)c));
    }
    buf_add_char(&w->scratch, (char)c);
    return 0;
}

int writer_convert(struct edi_writer *w, struct slice value, const char *place)
{
    enum edi_charset set = w->state.options.charset;
    uint32_t previous = 0;
    int code = 0;

    buf_clear(&w->scratch);
    if (value.n > LIMIT_SEGMENT)
        return writer_refuse(w, place, "the value is larger than a segment may be");
    while (value.n) {
        char with[CHARSET_SUBSTITUTE_MOST];
        uint32_t c, next = 0;
        unsigned n, next_n;
        int with_n;

        if (!charset_decode(value, &c, &n))
            return writer_refuse(w, place, "the value is not UTF-8: it holds the byte 0x%02X",
                                 (unsigned char)value.p[0]);
        if (is_delimiter(w, c)) {
            code = convert_one(w, c, place);
        } else if (charset_control(c)) {
            if (!w->state.options.replace)
                return writer_refuse(w, place, "the value holds %s (U+%04X)",
                                     c == '\n' || c == '\r' ? "a line break" : "a control character", (unsigned)c);
            buf_add_char(&w->scratch, ' ');
        } else if (charset_has(set, c) || (w->state.options.ascii && c < 0x7f)) {
            w->odd |= w->has_page && c > 0x7f;
            if (set == CHARSET_UTF8)
                buf_add(&w->scratch, value.p, n);
            else
                buf_add_char(&w->scratch, (char)(w->has_page ? charset_byte(set, c) : (int)c));
        } else {
            struct slice rest = slice_from(value, n);
            if (rest.n && !charset_decode(rest, &next, &next_n))
                next = 0;
            with_n = w->state.options.transliterate ? charset_substitute(set, c, previous, next, with) : -1;
            if (with_n < 0)
                return writer_refuse(w, place, "the character \"%.*s\" (U+%04X) is not in the %s character set%s",
                                     (int)n, value.p, (unsigned)c, charset_name(set),
                                     w->state.options.transliterate ? ", and nothing stands for it" : "");
            for (int i = 0; i < with_n && !code; i++)
                code = convert_one(w, (unsigned char)with[i], place);
        }
        if (code)
            return code;
        previous = c;
        value = slice_from(value, n);
    }
    if (w->scratch.failed)
        return writer_fail_buffer(w, &w->scratch);
    return 0;
}

static int misplaced(struct edi_writer *w, unsigned element)
{
    if (!w->failed && element > LIMIT_ELEMENTS)
        return fail(w, ERR_LIMIT, "a segment has too many elements");
    return writer_misused(w, "elements are written in ascending order, between edi_write_begin and edi_write_end");
}

/* Writes the separators before an element; returns where its value goes. */
static ALWAYS_INLINE char *separate(struct edi_writer *w, unsigned element)
{
    size_t at = w->out.n;
    char *p = w->out.p, c = w->syntax.element;
    unsigned i = w->last;

    do {
        w->at[i++] = (uint32_t)at;
        p[at++] = c;
    } while (UNLIKELY(i < element));
    return p + at;
}

/* The slow way of an element; `to` is where its value goes. */
static int element_slowly(struct edi_writer *w, unsigned element, struct slice value)
{
    char place[WRITER_PLACE];
    char *to;
    int code;

    writer_place(w, element, 0, 0, place);
    code = writer_convert(w, value, place);
    if (code < 0)
        return code;
    if (w->scratch.n == 0)
        return 0;
    if (!has_room(w, w->scratch.n))
        return writer_fail_buffer(w, &w->out);
    to = separate(w, element);
    memcpy(to, w->scratch.p, w->scratch.n);
    w->out.n = (size_t)(to + w->scratch.n - w->out.p);
    w->last = element;
    w->repetition = w->component = 0;
    return 1;
}

/* 1: something was written. */
static ALWAYS_INLINE int write_element(struct edi_writer *w, unsigned element, struct slice value)
{
    char *to;

    if (UNLIKELY(element <= w->last || element > LIMIT_ELEMENTS))
        return misplaced(w, element);
    if (value.n == 0)
        return 0;
    if (UNLIKELY(!has_room(w, value.n)))
        return writer_fail_buffer(w, &w->out);
    to = separate(w, element);
    if (UNLIKELY(copy(w, to, value.p, value.n)))
        return element_slowly(w, element, value);
    w->out.n = (size_t)(to + value.n - w->out.p);
    w->last = element;
    w->repetition = w->component = 0;
    return 1;
}

int edi_write_element(struct edi_writer *w, unsigned element, struct slice value)
{
    int code = write_element(w, element, value);

    if (code > 0)
        w->substance = true;
    return code < 0 ? code : 0;
}

/* The sum of 16 bytes. */
static ALWAYS_INLINE unsigned sum16(bytes16 v)
{
    const uint64_t half = 0x00ff00ff00ff00ffu;
    words2 w = (words2)v;
    uint64_t pairs = (w[0] & half) + (w[0] >> 8 & half) + (w[1] & half) + (w[1] >> 8 & half);

    return (unsigned)(pairs * 0x0001000100010001u >> 48);
}

int edi_write_elements(struct edi_writer *w, uint64_t mask, const struct slice *value, size_t stride)
{
    const char *const values = (const char *)value;
    const size_t start = w->out.n;
    size_t n = 0, at = start, from;
    signed16 bad = { 0 }, escapes = { 0 };
    unsigned last = 0, found = 0;
    char *p;

    if (UNLIKELY(w->failed || !w->in_segment || w->last))
        return misplaced(w, 1);
    if (UNLIKELY(mask == 0))
        return 0;
    for (uint64_t left = mask; left; left &= left - 1)
        n += ((const struct slice *)(values + (size_t)__builtin_ctzll(left) * stride))->n;
    if (UNLIKELY(!has_room(w, n)))
        return writer_fail_buffer(w, &w->out);
    p = w->out.p;
    for (uint64_t left = mask; left; left &= left - 1) {
        unsigned element = (unsigned)__builtin_ctzll(left);
        const struct slice *v = (const struct slice *)(values + (size_t)element * stride);
        do {
            w->at[last] = (uint32_t)at;
            p[at++] = w->syntax.element;
        } while (UNLIKELY(last++ < element));
        if (UNLIKELY(v->n == 0))
            return 1;
        copy_plain(p + at, v->p, v->n);
        at += v->n;
    }
    /* what was copied is looked at as a whole: besides the separators written there must be none */
    memset(p + at, '0', 16);
    for (from = start; from < at;) {
        size_t end = at - from > 255 * 16 ? from + 255 * 16 : at;
        bytes16 separators = { 0 };
        for (; from < end; from += 16) {
            bytes16 v = load16(p + from);
            bad |= unusual_bytes(w, v);
            escapes |= (signed16)(v == '"') | (signed16)(v == '\\');
            separators -= (bytes16)(v == w->delimiter[0]);
        }
        found += sum16(separators);
    }
    if (UNLIKELY(any(bad) || found != last))
        return 1;
    w->out.n = at;
    w->last = last;
    w->substance = true;
    w->escapes = any(escapes) ? ESCAPES_SOME : ESCAPES_NONE;
    return 0;
}

int edi_write_values(struct edi_writer *w, const struct edi_value *value, unsigned n)
{
    const struct edi_syntax *x = &w->syntax;
    size_t at = w->out.n, from = at, room = 0;
    signed16 bad = { 0 }, escapes = { 0 };
    unsigned last = 0, part = 0, components = 0, found = 0, n_parts = 0;
    char *p;

    if (UNLIKELY(w->failed || !w->in_segment || w->last))
        return misplaced(w, 1);
    for (unsigned i = 0; i < n; i++)
        room += value[i].text.n + value[i].component;
    if (UNLIKELY(!has_room(w, room)))
        return writer_fail_buffer(w, &w->out);
    p = w->out.p;
    for (const struct edi_value *v = value; v < value + n; v++) {
        if (UNLIKELY(v->text.n == 0 || v->repetition > 1 || v->element > SEGMENT_ELEMENTS_MOST ||
                     n_parts + v->component > SEGMENT_PARTS_MOST - SEGMENT_ELEMENTS_MOST))
            return 1;
        if (v->element > last) {
            do {
                w->at[last] = w->parts.part[n_parts] = (uint32_t)at;
                w->parts.rank[last] = n_parts++;
                p[at++] = x->element;
            } while (UNLIKELY(++last < v->element));
            part = 1;
        } else if (UNLIKELY(v->element < last || v->component <= part)) {
            return 1;
        }
        if (v->component > part) {
            if (UNLIKELY(!x->component))
                return 1;
            components += v->component - part;
            do {
                w->parts.part[n_parts++] = (uint32_t)at;
                p[at++] = x->component;
            } while (UNLIKELY(++part < v->component));
        }
        copy_plain(p + at, v->text.p, v->text.n);
        at += v->text.n;
    }
    /* as in edi_write_elements() */
    memset(p + at, '0', 16);
    while (from < at) {
        size_t end = at - from > 255 * 16 ? from + 255 * 16 : at;
        bytes16 separators = { 0 }; /* of both kinds: a value may hold none */
        for (; from < end; from += 16) {
            bytes16 v = load16(p + from);
            bad |= unusual_text(w, v);
            escapes |= (signed16)(v == '"') | (signed16)(v == '\\');
            separators -= (bytes16)(v == w->delimiter[0]) | (bytes16)(v == w->delimiter[2]);
        }
        found += sum16(separators);
    }
    if (UNLIKELY(any(bad) || found != last + components))
        return 1;
    w->out.n = at;
    w->last = last;
    w->repetition = w->component = 0;
    w->substance |= n > 0;
    w->has_parts = components > 0;
    w->parts.part[n_parts] = (uint32_t)at;
    w->parts.rank[last] = n_parts;
    w->parts_of = last;
    w->escapes = any(escapes) ? ESCAPES_SOME : ESCAPES_NONE;
    return 0;
}

int edi_write_constant(struct edi_writer *w, unsigned element, struct slice value)
{
    int code = write_element(w, element, value);
    return code < 0 ? code : 0;
}

int edi_write_part(struct edi_writer *w, unsigned element, unsigned repetition, unsigned component, struct slice value)
{
    bool same = element == w->last && w->repetition;
    unsigned from_repetition = same ? w->repetition : 1, from_component = same ? w->component : 1;
    size_t separators;
    char *to;

    if (element < w->last || (element == w->last && !same) || element == 0 || element > LIMIT_ELEMENTS ||
        repetition == 0 || component == 0)
        return misplaced(w, element);
    if (repetition < from_repetition || (repetition == from_repetition && component < from_component) ||
        (same && repetition == from_repetition && component == from_component))
        return writer_misused(w, "repetitions and components are written in ascending order");
    if (value.n == 0)
        return 0;
    if (repetition > from_repetition)
        from_component = 1;
    separators = repetition - from_repetition + component - from_component;
    if (separators > 1000)
        return fail(w, ERR_LIMIT, "an element has too many repetitions or components");
    if (!has_room(w, value.n + separators))
        return writer_fail_buffer(w, &w->out);
    if ((repetition > 1 && !w->syntax.repetition) || (component > 1 && !w->syntax.component) ||
        value.n > LIMIT_SEGMENT) {
        char place[WRITER_PLACE];
        writer_place(w, element, repetition, component, place);
        if (value.n > LIMIT_SEGMENT)
            return writer_refuse(w, place, "the value is larger than a segment may be");
        return writer_refuse(w, place, "this interchange has no %s separator",
                             repetition > 1 && !w->syntax.repetition ? "repetition" : "component");
    }
    to = same ? w->out.p + w->out.n : separate(w, element);
    for (; from_repetition < repetition; from_repetition++)
        *to++ = w->syntax.repetition;
    for (; from_component < component; from_component++)
        *to++ = w->syntax.component;
    if (copy(w, to, value.p, value.n)) {
        size_t offset = (size_t)(to - w->out.p);
        char place[WRITER_PLACE];
        int code;
        writer_place(w, element, repetition, component, place);
        code = writer_convert(w, value, place);
        if (code < 0 || w->scratch.n == 0)
            return code;
        /* what stands before offset is past out.n: kept by hand, reserving only moves what is counted */
        w->out.n = offset;
        if (!has_room(w, w->scratch.n))
            return writer_fail_buffer(w, &w->out);
        memcpy(w->out.p + offset, w->scratch.p, w->scratch.n);
        w->out.n = offset + w->scratch.n;
    } else {
        w->out.n = (size_t)(to + value.n - w->out.p);
    }
    w->last = element;
    w->repetition = repetition;
    w->component = component;
    w->substance = true;
    w->has_parts |= repetition > 1 || component > 1;
    return 0;
}

int edi_write_component(struct edi_writer *w, unsigned element, unsigned component, struct slice value)
{
    return edi_write_part(w, element, 1, component, value);
}

int edi_write_repeat(struct edi_writer *w, unsigned element, unsigned repetition, struct slice value)
{
    return edi_write_part(w, element, repetition, 1, value);
}

int edi_write_binary(struct edi_writer *w, unsigned element, struct slice value)
{
    char *to;

    if (element <= w->last || element > LIMIT_ELEMENTS)
        return misplaced(w, element);
    if (value.n == 0)
        return 0;
    if (!has_room(w, value.n))
        return writer_fail_buffer(w, &w->out);
    to = separate(w, element);
    memcpy(to, value.p, value.n);
    w->out.n = (size_t)(to + value.n - w->out.p);
    w->last = element;
    w->repetition = w->component = 0;
    w->substance = true;
    return 0;
}

/* --- Segments --------------------------------------------------------------------------------------------- */

int edi_write_begin(struct edi_writer *w, struct slice tag)
{
    int code;
    size_t n = w->out.n;
    char *p;

    if (UNLIKELY(w->failed))
        return w->failed;
    if (UNLIKELY(w->in_segment || tag.n - 1 > 2))
        return writer_misused(w, "a segment begins where another has ended, and its tag has up to three characters");
    if (UNLIKELY(n >= FLUSH_AT) && w->state.options.write && !w->held) {
        code = edi_writer_flush(w);
        if (code < 0)
            return code;
        n = 0;
    }
    if (UNLIKELY(!has_room(w, 1024)))
        return writer_fail_buffer(w, &w->out);
    p = w->out.p + n;
    p[0] = tag.p[0];
    p[tag.n >> 1] = tag.p[tag.n >> 1];
    p[tag.n - 1] = tag.p[tag.n - 1];
    w->start = n;
    w->out.n = n + tag.n;
    w->last = w->repetition = w->component = 0;
    w->in_segment = true;
    w->substance = w->has_parts = w->odd = false;
    w->parts_of = 0;
    w->escapes = ESCAPES_UNKNOWN;
    return 0;
}

void edi_write_cancel(struct edi_writer *w)
{
    if (!w->in_segment)
        return;
    w->out.n = w->start;
    w->in_segment = false;
    w->last = NOWHERE;
}

/* SEGMENT_ESCAPE for bytes just written, as the lexer says it? Reads past the end: SLACK lies there. */
static bool escape_flag(const char *p, size_t n)
{
    static const unsigned char tail[32] = { 255, 255, 255, 255, 255, 255, 255, 255,
                                            255, 255, 255, 255, 255, 255, 255, 255 };
    signed16 bad = { 0 };

    for (size_t i = 0; i < n; i += 16) {
        bytes16 v = load16(p + i);
        signed16 s = (signed16)v, b;
        b = (signed16)(s < 0x20) | (signed16)(s == 0x7f) | (signed16)(v == '"') | (signed16)(v == '\\');
        if (n - i < 16)
            b &= (signed16)load16((const char *)tail + 16 - (n - i));
        bad |= b;
    }
    return any(bad);
}

/* The flags of a segment written value by value, and the copy where it is not to be shown as it stands. */
static __attribute__((noinline)) int look_back(struct edi_writer *w, struct segment *s)
{
    const struct segment *shown;

    if (escape_flag(s->base + s->start, s->at[s->n] - s->start))
        s->flags |= SEGMENT_ESCAPE;
    if (!w->odd)
        return 1;
    w->raw = *s;
    shown = rewrite_segment(&w->copy, &w->syntax, w->has_page ? w->page : NULL, false, &w->raw, segment_tag(s));
    if (!shown)
        return fail(w, ERR_NOMEM, "out of memory");
    *s = *shown;
    return 1;
}

int edi_write_end(struct edi_writer *w, bool always, struct segment *segment_r)
{
    const unsigned n = w->last;
    size_t end = w->out.n;

    if (segment_r)
        *segment_r = (struct segment){ 0 };
    if (!w->in_segment)
        return writer_misused(w, "edi_write_end without edi_write_begin");
    if (w->failed) {
        edi_write_cancel(w);
        return w->failed;
    }
    if (!w->substance && !always) {
        edi_write_cancel(w);
        return 0;
    }
    if (end - w->start > LIMIT_SEGMENT + (1u << 20)) {
        edi_write_cancel(w);
        return fail(w, ERR_LIMIT, "a segment is larger than it may be");
    }
    w->at[n] = (uint32_t)end;
    memcpy(w->out.p + end, w->ending, sizeof(w->ending));
    w->out.n = end + w->ending_n;
    w->in_segment = false;
    w->last = NOWHERE;
    w->state.segments++;
    if (segment_r) {
        segment_r->base = w->out.p;
        segment_r->at = w->at;
        segment_r->start = (uint32_t)w->start;
        segment_r->n = n;
        segment_r->flags = w->has_parts ? SEGMENT_PARTS : 0;
        if (w->parts_of == n && n) {
            segment_r->part = w->parts.part;
            segment_r->rank = w->parts.rank;
        }
        /* what was written in one go holds nothing odd */
        if (w->escapes == ESCAPES_SOME)
            segment_r->flags |= SEGMENT_ESCAPE;
        else if (w->escapes == ESCAPES_UNKNOWN)
            return look_back(w, segment_r);
    }
    return 1;
}

int edi_write_segments(struct edi_writer *w, struct slice bytes, uint64_t n)
{
    if (w->failed)
        return w->failed;
    if (w->in_segment)
        return writer_misused(w, "segments are added behind one that has ended");
    buf_add_slice(&w->out, bytes);
    if (w->out.failed)
        return writer_fail_buffer(w, &w->out);
    w->state.segments += n;
    return 0;
}
