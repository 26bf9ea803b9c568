/* arena: see arena.h. */
#include "base/arena.h"

#include <stdlib.h>

struct arena_block {
    struct arena_block *older;
    size_t room;
    _Alignas(16) char data[];
};

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

void arena_init(struct arena *a, size_t ceiling)
{
    *a = (struct arena){ .ceiling = ceiling };
}

void arena_deinit(struct arena *a)
{
    struct arena_block *b = a->block;
    while (b) {
        struct arena_block *older = b->older;
        free(b);
        b = older;
    }
    arena_init(a, a->ceiling);
}

/* Memory that is not cleared. */
static void *take(struct arena *a, size_t n)
{
    void *p;
    if (n > SIZE_MAX - 15)
        return NULL;
    n = (n + 15) & ~(size_t)15;
    if (n == 0)
        n = 16;
    if (!a->block || a->block->room - a->used < n) {
        size_t room = a->block ? a->block->room * 2 : FIRST_BLOCK;
        struct arena_block *b;
        if (room > LARGEST_BLOCK)
            room = LARGEST_BLOCK;
        if (room < n)
            room = n;
        if (room > a->ceiling || a->total > a->ceiling - room) {
            room = n;
            a->full = room > a->ceiling || a->total > a->ceiling - room;
            if (a->full)
                return NULL;
        }
        a->full = false;
        b = malloc(sizeof(*b) + room);
        if (!b)
            return NULL;
        b->older = a->block;
        b->room = room;
        a->block = b;
        a->used = 0;
        a->total += room;
    }
    p = a->block->data + a->used;
    a->used += n;
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    void *p = take(a, n);
    return p ? memset(p, 0, n ? n : 1) : NULL;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        return NULL;
    return arena_alloc(a, n * size);
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    char *p = take(a, s.n);
    if (p && s.n)
        memcpy(p, s.p, s.n);
    return slice(p, p ? s.n : 0);
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){ a->block, a->used };
}

void arena_back_to(struct arena *a, struct arena_mark mark)
{
    while (a->block && a->block->older && a->block != mark.block) {
        struct arena_block *b = a->block;
        a->block = b->older;
        a->total -= b->room;
        free(b);
    }
    a->used = mark.block ? mark.used : 0;
    a->full = false;
}

void arena_reset(struct arena *a)
{
    arena_back_to(a, (struct arena_mark){ NULL, 0 });
}

void *arena_grow(struct arena *a, void *array, size_t n, size_t *room, size_t size)
{
    size_t more;
    void *p;
    if (n < *room)
        return array;
    more = *room ? *room * 2 : 8;
    p = arena_array(a, more, size);
    if (!p)
        return NULL;
    if (n)
        memcpy(p, array, n * size);
    *room = more;
    return p;
}
