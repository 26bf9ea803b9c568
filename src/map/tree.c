/* tree: see tree.h. */
#include "map/tree.h"

#include <stdlib.h>

#include "base/err.h"

enum { BITS_MOST = 16 << 20 };

void tree_init(struct tree *t)
{
    *t = (struct tree){ 0 };
    buf_init(&t->own, BITS_MOST);
    buf_init(&t->parents, BITS_MOST);
}

void tree_deinit(struct tree *t)
{
    free(t->name);
    buf_deinit(&t->own);
    buf_deinit(&t->parents);
    *t = (struct tree){ 0 };
}

void tree_clear(struct tree *t)
{
    t->n = 0;
    if (t->named)
        memset(t->name, 0, (t->mask + 1) * sizeof(*t->name));
    t->named = 0;
    buf_clear(&t->own);
    buf_clear(&t->parents);
}

/* Names of up to 16 bytes are their own key; longer ones are told apart by a hash of 128 bits. */
static void make_key(struct slice name, uint64_t key[2])
{
    key[0] = key[1] = 0;
    if (name.n <= 16) {
        memcpy(key, name.p, name.n);
        return;
    }
    for (size_t i = 0; i < name.n; i++) {
        key[0] = (key[0] ^ (unsigned char)name.p[i]) * 0x100000001b3ull;
        key[1] = (key[1] + (unsigned char)name.p[i] + 1) * 0x9E3779B97F4A7C15ull;
        key[1] ^= key[1] >> 29;
    }
}

static uint32_t place_of(const uint64_t key[2], uint32_t mask)
{
    return (uint32_t)(((key[0] ^ key[1] * 0xD6E8FEB86659FD93ull) * 0x9E3779B97F4A7C15ull) >> 32) & mask;
}

/* The slot of a key, or the free one where it belongs. */
static struct tree_name *slot_of(const struct tree *t, const uint64_t key[2])
{
    uint32_t i = place_of(key, t->mask);
    while (t->name[i].number && (t->name[i].key[0] != key[0] || t->name[i].key[1] != key[1]))
        i = (i + 1) & t->mask;
    return &t->name[i];
}

static int grow(struct tree *t)
{
    struct tree_name *old = t->name;
    uint32_t room = old ? (t->mask + 1) * 2 : 64, old_room = old ? t->mask + 1 : 0;

    if (t->named >= TREE_MOST)
        return ERR_LIMIT;
    t->name = calloc(room, sizeof(*t->name));
    if (!t->name) {
        t->name = old;
        return ERR_NOMEM;
    }
    t->mask = room - 1;
    for (uint32_t i = 0; i < old_room; i++)
        if (old[i].number)
            *slot_of(t, old[i].key) = old[i];
    free(old);
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

/* The number that a name is when it is a plain one; 0: it is none. */
static uint64_t plain_number(struct slice name)
{
    uint64_t number;
    return name.n && name.p[0] != '0' && slice_number(name, UINT64_MAX / 2, &number) ? number : 0;
}

int tree_add(struct tree *t, struct slice name)
{
    struct tree_name *slot;
    uint64_t key[2];
    bool twice;
    int code;

    twice = name.n && tree_find(t, name);
    t->n++;
    if (name.n == 0 || (plain_number(name) == t->n && !twice))
        return 0;
    code = set_bit(&t->own, t->n);
    if (code == 0 && (!t->name || t->named * 2 >= t->mask))
        code = grow(t);
    if (code < 0)
        return code;
    make_key(name, key);
    slot = slot_of(t, key);
    t->named += slot->number == 0;
    *slot = (struct tree_name){ { key[0], key[1] }, t->n };
    return twice;
}

uint64_t tree_find(const struct tree *t, struct slice name)
{
    uint64_t number, key[2];

    if (t->named) {
        make_key(name, key);
        number = slot_of(t, key)->number;
        if (number)
            return number;
    }
    number = plain_number(name);
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
