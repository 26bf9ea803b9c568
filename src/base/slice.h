/*
 * slice: bytes by value: a pointer and a length.
 *
 * A slice owns nothing. Whoever makes one says what it borrows from and how long that lives.
 * The bytes are not terminated and may hold NUL. An empty slice may have p == NULL.
 */
#ifndef WAYBILL_BASE_SLICE_H
#define WAYBILL_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *p;
    size_t n;
};

/* A slice of a string literal. */
#define SLICE(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })
/* For printf: printf("%.*s", SLICE_FMT(s)). Only for text that is known to be clean. */
#define SLICE_FMT(s) (int)(s).n, (s).n ? (s).p : ""

static inline struct slice slice(const char *p, size_t n)
{
    return (struct slice){ p, n };
}

static inline struct slice slice_of(const char *text)
{
    return (struct slice){ text, text ? strlen(text) : 0 };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_eq(a, slice_of(text));
}

/* Order by bytes, the shorter first among equals. */
static inline int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && slice_eq(slice(s.p, prefix.n), prefix);
}

/* The part of s from byte `from` on; empty when s is shorter. */
static inline struct slice slice_from(struct slice s, size_t from)
{
    return from >= s.n ? slice(s.p ? s.p + s.n : NULL, 0) : slice(s.p + from, s.n - from);
}

/* Cuts s at the first `c`: returns what stands before it and leaves in *rest_r what follows.
 * Without a `c` the whole is returned, *rest_r is empty and the result is false in *found_r. */
static inline struct slice slice_cut(struct slice s, char c, struct slice *rest_r, bool *found_r)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    *found_r = at != NULL;
    if (!at) {
        *rest_r = slice(s.p ? s.p + s.n : NULL, 0);
        return s;
    }
    *rest_r = slice(at + 1, (size_t)(s.p + s.n - at) - 1);
    return slice(s.p, (size_t)(at - s.p));
}

/* Without blanks (space, tab, CR, LF) at both ends. */
static inline struct slice slice_trim(struct slice s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n'))
        s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n'))
        s.n--;
    return s;
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads an unsigned decimal number, digits only, at most `max`. False when it is not one. */
static inline bool slice_number(struct slice s, uint64_t max, uint64_t *value_r)
{
    uint64_t v = 0;
    if (s.n == 0 || s.n > 19)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    if (v > max)
        return false;
    *value_r = v;
    return true;
}

/* The digits of a number, in the room given. */
static inline struct slice slice_digits(uint64_t n, char room[20])
{
    char *p = room + 20;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    return slice(p, (size_t)(room + 20 - p));
}

/* Up to eight bytes as a number that is equal exactly when the bytes are (no NUL inside). Longer slices give 0. */
static inline uint64_t slice_key(struct slice s)
{
    uint64_t key = 0;
    if (s.n == 0 || s.n > 8)
        return 0;
    memcpy(&key, s.p, s.n);
    return key;
}

/* FNV-1a with a final mix: for tables in memory only, never written anywhere. */
static inline uint64_t slice_hash(struct slice s)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    return h ^ (h >> 29);
}

#endif
