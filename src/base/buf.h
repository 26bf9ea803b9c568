/*
 * buf: bytes that grow, up to a ceiling given at init.
 *
 * Failure is sticky: after the ceiling or a failed allocation every append does nothing and buf_failed() gives
 * the code, so a writer checks once at its end. The content before the failure stays readable.
 */
#ifndef WAYBILL_BASE_BUF_H
#define WAYBILL_BASE_BUF_H

#include "base/slice.h"

struct buf {
    char *p;
    size_t n;
    size_t room;        /* allocated */
    size_t ceiling;
    int failed;         /* 0, ERR_NOMEM or ERR_LIMIT */
};

void buf_init(struct buf *b, size_t ceiling);
/* Frees the memory; b is as after init with the same ceiling. */
void buf_deinit(struct buf *b);
/* Empties it, keeps the memory, forgets a failure. */
void buf_clear(struct buf *b);
/* Each has what the other had: content, memory, ceiling and failure. */
static inline void buf_swap(struct buf *a, struct buf *b)
{
    struct buf c = *a;
    *a = *b;
    *b = c;
}
/* Makes sure that `more` bytes fit behind n. Returns where they go, or NULL. */
char *buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Partner bytes made safe for terminals and logs: control characters and invalid UTF-8 become \xHH; at most
 * `most` bytes of s are shown, then "…". */
void buf_add_safe(struct buf *b, struct slice s, size_t most);
/* As the inside of a JSON string: escaped, UTF-8 kept, bytes that are not UTF-8 taken as Latin-1. */
void buf_add_json(struct buf *b, struct slice s);
/* Is it ASCII that buf_add_json() takes over as it is? */
bool json_is_plain(struct slice s);
/* Drops the first n bytes. */
void buf_drop(struct buf *b, size_t n);
/* NUL behind the content, not counted; "" when memory is out. */
const char *buf_text(struct buf *b);

static inline void buf_add_slice(struct buf *b, struct slice s)
{
    buf_add(b, s.p, s.n);
}

static inline void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

static inline void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

static inline struct slice buf_slice(const struct buf *b)
{
    return slice(b->p, b->n);
}

/* The length of the UTF-8 sequence that starts s (1 to 4), 0 when the bytes are not UTF-8. */
unsigned utf8_length(struct slice s);
/* Writes a character: 1 to 4 bytes, which it returns. */
unsigned utf8_put(uint32_t c, char *to);
/* How many characters s has; a byte that is not UTF-8 is one (it is read as Latin-1). */
size_t utf8_characters(struct slice s);

#endif
