/*
 * hash: for tables whose keys a stranger chooses. Hashed with a key that he cannot know, he cannot choose them so that
 * all fall into one slot; slice_hash() is faster, and for keys that come from our own files. SipHash-1-3, as in the
 * standard libraries of many languages.
 */
#ifndef WAYBILL_BASE_HASH_H
#define WAYBILL_BASE_HASH_H

#include "base/slice.h"

struct hash_key {
    uint64_t a, b;
};

/* Another one for each table. */
struct hash_key hash_key_new(void);
uint64_t hash_slice(struct hash_key key, struct slice s);

#endif
