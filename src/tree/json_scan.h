/*
 * json_scan: finds where strings end in a JSON text, 64 bytes at a time. The first of json.c's two stages; nothing
 * else uses it.
 *
 * What comes out is a list of places in the text, in order: each quote that closes a string, and inside strings
 * each backslash that begins an escape. Everything outside strings json.c reads byte by byte: there is little of
 * it. On the way every byte is checked: UTF-8, and no control character inside a string. Where that fails the list
 * ends and `bad` says why.
 *
 * Whether a quote opens or closes is known by counting from the text's start, so a text must be scanned from its
 * start to its end. Never reads behind the end. Allocates nothing.
 */
#ifndef WAYBILL_TREE_JSON_SCAN_H
#define WAYBILL_TREE_JSON_SCAN_H

#include "base/slice.h"
#include "tree/json.h"

enum { JSON_SCAN_WINDOW = 2048 };   /* bytes scanned in one call, at most: a multiple of 64 */

enum json_bad { JSON_FINE, JSON_BAD_CONTROL, JSON_BAD_UTF8, JSON_CUT_UTF8 };

struct json_scan {
    const char *text;
    size_t n;
    size_t at;              /* next byte to scan; the end of the text after something bad */
    size_t utf8;            /* checked up to here, where that is beyond `at` */
    size_t bad_at;
    uint64_t inside;        /* all ones: `at` is inside a string */
    uint64_t escaped;       /* 1: the byte at `at` is escaped */
    enum json_bad bad;
};

/* Scans up to `bytes` more (a multiple of 64) and writes places to out, which has room for `bytes` + 8. Returns how
 * many it wrote. */
typedef size_t json_scan_fn(struct json_scan *scan, size_t bytes, uint32_t *out);

/* The function for a path; NULL when this machine does not have it. */
json_scan_fn *json_scan_for(enum json_path path);

#endif
