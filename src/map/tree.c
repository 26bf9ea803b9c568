/* tree: see tree.h. */
#include "map/tree.h"

#include <stdlib.h>

#include "base/err.h"

enum {
    BITS_MOST = 16 << 20,
    KEY_MOST = 16,
    HEAD = 5                /* number and length in front of a key */
};

void tree_init(struct tree *t)
{
    *t = (struct tree){ 0 };
    buf_init(&t->names, (size_t)TREE_MOST * (HEAD + KEY_MOST));
    buf_init(&t->own, BITS_MOST);
    buf_init(&t->parents, BITS_MOST);
    buf_init(&t->says, BITS_MOST);
    buf_init(&t->denies, BITS_MOST);
}

void tree_deinit(struct tree *t)
{
    free(t->slot);
    buf_deinit(&t->names);
    buf_deinit(&t->own);
    buf_deinit(&t->parents);
    buf_deinit(&t->says);
    buf_deinit(&t->denies);
    *t = (struct tree){ 0 };
}

void tree_clear(struct tree *t)
{
    t->n = 0;
    if (t->named)
        memset(t->slot, 0, (t->mask + 1) * sizeof(*t->slot));
    t->named = 0;
    buf_clear(&t->names);
    buf_clear(&t->own);
    buf_clear(&t->parents);
    buf_clear(&t->says);
    buf_clear(&t->denies);
}

struct key {
    uint64_t word[2];
    unsigned n;
};

/* Names of up to 16 bytes are their own key; longer ones are told apart by a hash of 128 bits. */
static struct key make_key(struct slice name)
{
    struct key k = { { 0, 0 }, KEY_MOST };
    if (name.n <= KEY_MOST) {
        memcpy(k.word, name.p, name.n);
        k.n = (unsigned)name.n;
        return k;
    }
    for (size_t i = 0; i < name.n; i++) {
        k.word[0] = (k.word[0] ^ (unsigned char)name.p[i]) * 0x100000001b3ull;
        k.word[1] = (k.word[1] + (unsigned char)name.p[i] + 1) * 0x9E3779B97F4A7C15ull;
        k.word[1] ^= k.word[1] >> 29;
    }
    return k;
}

/* The slot of a key, or the free one where it belongs. */
static uint32_t *slot_of(const struct tree *t, const struct key *k)
{
    uint32_t i =
        (uint32_t)(((k->word[0] ^ k->word[1] * 0xD6E8FEB86659FD93ull) * 0x9E3779B97F4A7C15ull) >> 32) & t->mask;
    for (;; i = (i + 1) & t->mask) {
        const char *entry;
        if (!t->slot[i])
            return &t->slot[i];
        entry = t->names.p + t->slot[i] - 1;
        if ((unsigned char)entry[4] == k->n && memcmp(entry + HEAD, k->word, k->n) == 0)
            return &t->slot[i];
    }
}

static uint32_t number_of(const struct tree *t, uint32_t slot)
{
    uint32_t number;
    memcpy(&number, t->names.p + slot - 1, sizeof(number));
    return number;
}

/* Twice as many slots. The old ones are let go first: the names know where they belong. */
static int grow(struct tree *t)
{
    uint32_t room = t->slot ? (t->mask + 1) * 2 : 64;

    free(t->slot);
    t->slot = calloc(room, sizeof(*t->slot));
    if (!t->slot) {
        t->named = 0;
        buf_clear(&t->names);
        return ERR_NOMEM;
    }
    t->mask = room - 1;
    for (size_t at = 0; at < t->names.n; at += HEAD + (unsigned char)t->names.p[at + 4]) {
        struct key k = make_key(slice(t->names.p + at + HEAD, (unsigned char)t->names.p[at + 4]));
        *slot_of(t, &k) = (uint32_t)at + 1;
    }
    return 0;
}

static bool bit_of(const struct buf *b, uint64_t number)
{
    uint64_t i = number / 8;
    return i < b->n && ((unsigned char)b->p[i] >> (number % 8) & 1);
}

static int set_bit(struct buf *b, uint64_t number)
{
    uint64_t i = number / 8;
    if (i >= b->n) {
        size_t more = (size_t)(i - b->n) + 1;
        char *p = buf_reserve(b, more);
        if (!p)
            return b->failed;
        memset(p, 0, more);
        b->n += more;
    }
    b->p[i] = (char)((unsigned char)b->p[i] | 1u << (number % 8));
    return 0;
}

/* A name that is not the node's number. */
static int add_name(struct tree *t, uint64_t node, struct slice name, bool twice)
{
    struct key k;
    uint32_t *slot, number;
    int code;

    if (t->named == TREE_MOST || node > UINT32_MAX)
        return ERR_LIMIT;
    number = (uint32_t)node;
    code = set_bit(&t->own, node);
    if (code == 0 && (!t->slot || t->named >= t->mask / 4 * 3))
        code = grow(t);
    if (code < 0)
        return code;
    k = make_key(name);
    slot = slot_of(t, &k);
    if (*slot) {
        memcpy(t->names.p + *slot - 1, &number, sizeof(number));
        return twice;
    }
    *slot = (uint32_t)t->names.n + 1;
    t->named++;
    buf_add(&t->names, (const char *)&number, sizeof(number));
    buf_add_char(&t->names, (char)k.n);
    buf_add(&t->names, (const char *)k.word, k.n);
    if (t->names.failed) {
        *slot = 0;
        return t->names.failed;
    }
    return twice;
}

int tree_add(struct tree *t, struct slice name)
{
    bool twice;

    if (name.n == 0 || (tree_plain(name) == t->n + 1 && !t->named)) { /* the usual case: all are called so */
        t->n++;
        return 0;
    }
    twice = tree_find(t, name);
    t->n++;
    if (tree_plain(name) == t->n && !twice)
        return 0;
    return add_name(t, t->n, name, twice);
}

int tree_add_nameless(struct tree *t)
{
    return set_bit(&t->own, ++t->n);
}

int tree_name(struct tree *t, uint64_t number, struct slice name)
{
    const bool twice = tree_find(t, name);
    return add_name(t, number, name, twice);
}

uint64_t tree_find(const struct tree *t, struct slice name)
{
    uint64_t number;

    if (t->named) {
        struct key k = make_key(name);
        uint32_t slot = *slot_of(t, &k);
        if (slot)
            return number_of(t, slot);
    }
    number = tree_plain(name);
    return number <= t->n && !bit_of(&t->own, number) ? number : 0;
}

int tree_set_parent(struct tree *t, uint64_t number)
{
    return set_bit(&t->parents, number);
}

bool tree_is_parent(const struct tree *t, uint64_t number)
{
    return bit_of(&t->parents, number);
}

int tree_say(struct tree *t, bool children)
{
    return set_bit(children ? &t->says : &t->denies, t->n);
}

bool tree_denies(const struct tree *t, uint64_t number)
{
    return bit_of(&t->denies, number);
}

uint64_t tree_count_wrong(const struct tree *t, bool children, uint64_t *first_r)
{
    const struct buf *b = children ? &t->says : &t->denies;
    uint64_t n = 0;

    *first_r = 0;
    for (size_t i = 0; i < b->n; i++) {
        unsigned parents = i < t->parents.n ? (unsigned char)t->parents.p[i] : 0;
        unsigned wrong = (unsigned char)b->p[i] & (children ? ~parents : parents);
        if (wrong && n == 0)
            *first_r = i * 8 + (unsigned)__builtin_ctz(wrong);
        n += (unsigned)__builtin_popcount(wrong);
    }
    return n;
}
