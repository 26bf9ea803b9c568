/* buf: see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

void buf_init(struct buf *b, size_t ceiling)
{
    *b = (struct buf){ .ceiling = ceiling };
}

void buf_deinit(struct buf *b)
{
    free(b->p);
    buf_init(b, b->ceiling);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = 0;
}

char *buf_reserve(struct buf *b, size_t more)
{
    size_t room = b->room;
    char *p;

    if (b->failed)
        return NULL;
    if (more <= room - b->n && b->p)
        return b->p + b->n;
    if (more > b->ceiling || b->n > b->ceiling - more) {
        b->failed = ERR_LIMIT;
        return NULL;
    }
    if (room == 0) /* what is asked for at first is often all there will be */
        room = more < 64 ? 64 : more;
    while (room < b->n + more)
        room *= 2;
    if (room > b->ceiling)
        room = b->ceiling;
    p = realloc(b->p, room);
    if (!p) {
        b->failed = ERR_NOMEM;
        return NULL;
    }
    b->p = p;
    b->room = room;
    return p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    char *to;
    if (n == 0 || !(to = buf_reserve(b, n)))
        return;
    memcpy(to, p, n);
    b->n += n;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    char small[256];
    int n;

    va_start(args, format);
    n = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n < sizeof(small)) {
        buf_add(b, small, (size_t)n);
        return;
    }
    if (!buf_reserve(b, (size_t)n + 1)) /* vsnprintf ends with a NUL */
        return;
    va_start(args, format);
    vsnprintf(b->p + b->n, (size_t)n + 1, format, args);
    va_end(args);
    b->n += (size_t)n;
}

unsigned utf8_length(struct slice s)
{
    unsigned char c, d;
    unsigned n, i;

    if (s.n == 0)
        return 0;
    c = (unsigned char)s.p[0];
    if (c < 0x80)
        return 1;
    n = c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (n == 0 || s.n < n)
        return 0;
    d = (unsigned char)s.p[1];
    if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) || (c == 0xf0 && d < 0x90) || (c == 0xf4 && d > 0x8f))
        return 0;
    for (i = 1; i < n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

unsigned utf8_put(uint32_t c, char *to)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

size_t utf8_characters(struct slice s)
{
    size_t n = 0, i = 0;
    while (i < s.n) {
        unsigned step = (unsigned char)s.p[i] < 0x80 ? 1 : utf8_length(slice_from(s, i));
        i += step ? step : 1;
        n++;
    }
    return n;
}

void buf_add_safe(struct buf *b, struct slice s, size_t most)
{
    bool cut = s.n > most;
    if (cut)
        s.n = most;
    while (s.n) {
        unsigned n = utf8_length(s);
        unsigned char c = (unsigned char)s.p[0];
        bool control = c < 0x20 || c == 0x7f;
        /* C1 controls and the marks that reorder text are as dangerous on a terminal as ESC */
        if (n == 2 && c == 0xc2 && (unsigned char)s.p[1] < 0xa0)
            control = true;
        if (n == 3 && c == 0xe2 && (unsigned char)s.p[1] == 0x80 && (unsigned char)s.p[2] >= 0xaa &&
            (unsigned char)s.p[2] <= 0xae)
            control = true;
        if (n == 3 && c == 0xe2 && (unsigned char)s.p[1] == 0x81 && (unsigned char)s.p[2] >= 0xa6 &&
            (unsigned char)s.p[2] <= 0xa9)
            control = true;
        if (n == 0 || control) {
            n = n ? n : 1;
            for (unsigned i = 0; i < n; i++)
                buf_printf(b, "\\x%02x", (unsigned char)s.p[i]);
        } else {
            buf_add(b, s.p, n);
        }
        s = slice_from(s, n);
    }
    if (cut)
        buf_add_text(b, "…");
}

static inline bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

bool json_is_plain(struct slice s)
{
    size_t n = 0;
    while (n < s.n && is_plain(s.p[n]))
        n++;
    return n == s.n;
}

void buf_add_json(struct buf *b, struct slice s)
{
    while (s.n) {
        unsigned char c = (unsigned char)s.p[0];
        unsigned n = 1;
        if (c == '"' || c == '\\') {
            buf_add_char(b, '\\');
            buf_add_char(b, (char)c);
        } else if (c == '\n') {
            buf_add_text(b, "\\n");
        } else if (c == 0) { /* our own reader, like many, takes no NUL */
            buf_add_text(b, "\\ufffd");
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(b, "\\u%04x", c);
        } else if (c < 0x80) {
            while (n < s.n && is_plain(s.p[n]))
                n++;
            buf_add(b, s.p, n);
        } else if ((n = utf8_length(s)) > 0) {
            buf_add(b, s.p, n);
        } else {
            char two[2] = { (char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f)) };
            buf_add(b, two, 2);
            n = 1;
        }
        s = slice_from(s, n);
    }
}

void buf_drop(struct buf *b, size_t n)
{
    if (n > b->n)
        n = b->n;
    if (n)
        memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

const char *buf_text(struct buf *b)
{
    if (b->n == b->room) { /* the NUL does not count against the ceiling */
        char *p = realloc(b->p, b->n + 1);
        if (!p) {
            b->failed = ERR_NOMEM;
            return "";
        }
        b->p = p;
        b->room = b->n + 1;
    }
    b->p[b->n] = 0;
    return b->p;
}
