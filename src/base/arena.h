/*
 * arena: memory that is freed all at once.
 *
 * Advantage: structures of many small parts need no free of their own. Disadvantage: nothing is given back
 * before the end; so arenas are for configuration and for one interchange, never for a whole stream.
 */
#ifndef WAYBILL_BASE_ARENA_H
#define WAYBILL_BASE_ARENA_H

#include "base/slice.h"

struct arena {
    struct arena_block *block;
    size_t used;        /* of the newest block */
    size_t total;       /* of all blocks */
    size_t ceiling;
    bool full;          /* the last allocation that failed did so because of the ceiling */
};

void arena_init(struct arena *a, size_t ceiling);
void arena_deinit(struct arena *a);
/* Zeroed, aligned for any type. NULL when memory or the ceiling is out. */
void *arena_alloc(struct arena *a, size_t n);
/* n items of `size` bytes each, zeroed; NULL on overflow, too. */
void *arena_array(struct arena *a, size_t n, size_t size);
/* A copy of s. On failure p is NULL (and only then, an empty s gives p != NULL). */
struct slice arena_copy(struct arena *a, struct slice s);
/* Forgets all content but keeps the first block. */
void arena_reset(struct arena *a);

/* Forgets what was taken since the mark was made. Marks made later are then gone, too. */
struct arena_mark {
    struct arena_block *block;
    size_t used;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_back_to(struct arena *a, struct arena_mark mark);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, n, type) ((type *)arena_array((a), (n), sizeof(type)))

/* Makes room for one more in an array that grows by doubling inside an arena: `*n` used of `*room`.
 * Returns the array (moved or not), NULL when memory is out. */
void *arena_grow(struct arena *a, void *array, size_t n, size_t *room, size_t size);

#endif
