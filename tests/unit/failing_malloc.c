/*
 * failing_malloc: see failing_malloc.h. The linker turns each call of malloc
 * into __wrap_malloc, and what we call __real_malloc into the C library's
 * (or AddressSanitizer's) own.
 */
#include "failing_malloc.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_LIVE = 1 << 20, MOST_ALLOCATIONS = 1 << 20 };

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void __real_free(void *p);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
int __wrap_posix_memalign(void **p_r, size_t alignment, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
void __wrap_free(void *p);

/* An open hash of the blocks that live, in memory of its own: 0 is a free place, 1 one that was freed. */
static struct {
    pthread_mutex_t lock;
    bool watching;
    size_t fail_at;
    enum failing_malloc_mode mode;
    struct failing_malloc_result result;
    uintptr_t *blocks;
    size_t room;
    size_t taken;           /* places in use, freed ones included */
} watch = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uintptr_t *find(uintptr_t block)
{
    size_t i = (size_t)((block >> 4) * 0x9E3779B97F4A7C15u) & (watch.room - 1);

    while (watch.blocks[i] != 0 && watch.blocks[i] != block)
        i = (i + 1) & (watch.room - 1);
    return &watch.blocks[i];
}

static void grow(void)
{
    uintptr_t *old = watch.blocks;
    size_t old_room = watch.room, i;

    watch.room = old_room ? old_room * 2 : 1024;
    watch.taken = 0;
    watch.blocks = __real_calloc(watch.room, sizeof *watch.blocks);
    if (!watch.blocks || watch.room > 2 * (size_t)MOST_LIVE)
        abort();
    for (i = 0; i < old_room; i++) {
        if (old[i] > 1) {
            *find(old[i]) = old[i];
            watch.taken++;
        }
    }
    __real_free(old);
}

/* Counts one allocation; false when it is to fail. */
static bool may_allocate(void)
{
    bool may = true;

    pthread_mutex_lock(&watch.lock);
    if (watch.watching) {
        size_t n = ++watch.result.allocations;
        if (watch.fail_at != 0 &&
            (n == watch.fail_at || (n > watch.fail_at && watch.mode == FAIL_FROM_THEN_ON))) {
            watch.result.failed++;
            may = false;
        }
    }
    pthread_mutex_unlock(&watch.lock);
    if (!may)
        errno = ENOMEM;
    return may;
}

static void *got(void *p)
{
    pthread_mutex_lock(&watch.lock);
    if (watch.watching && p) {
        uintptr_t *place;
        if (watch.taken * 2 >= watch.room)
            grow();
        place = find((uintptr_t)p);
        if (*place == 0) {
            *place = (uintptr_t)p;
            watch.taken++;
            watch.result.live++;
        }
    }
    pthread_mutex_unlock(&watch.lock);
    return p;
}

static void gone(uintptr_t block)
{
    pthread_mutex_lock(&watch.lock);
    if (watch.watching && block && watch.room) {
        uintptr_t *place = find(block);
        if (*place == block) {
            *place = 1;
            watch.result.live--;
        }
    }
    pthread_mutex_unlock(&watch.lock);
}

void *__wrap_malloc(size_t n)
{
    return may_allocate() ? got(__real_malloc(n)) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return may_allocate() ? got(__real_calloc(n, size)) : NULL;
}

void *__wrap_realloc(void *p, size_t n)
{
    uintptr_t old = (uintptr_t)p;
    void *moved;

    if (!may_allocate())
        return NULL;
    /* Before, not after: another thread may get the old block as soon as it is free. */
    gone(old);
    moved = __real_realloc(p, n);
    if (!moved && n != 0 && old != 0)
        got((void *)old);
    return got(moved);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    if (size != 0 && n > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    return __wrap_realloc(p, n * size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
    return may_allocate() ? got(__real_aligned_alloc(alignment, n)) : NULL;
}

int __wrap_posix_memalign(void **p_r, size_t alignment, size_t n)
{
    void *p = __wrap_aligned_alloc(alignment, n);

    if (!p)
        return ENOMEM;
    *p_r = p;
    return 0;
}

char *__wrap_strndup(const char *s, size_t n)
{
    size_t length = strnlen(s, n);
    char *copy = __wrap_malloc(length + 1);

    if (copy) {
        memcpy(copy, s, length);
        copy[length] = 0;
    }
    return copy;
}

char *__wrap_strdup(const char *s)
{
    return __wrap_strndup(s, strlen(s));
}

void __wrap_free(void *p)
{
    gone((uintptr_t)p);
    __real_free(p);
}

void failing_malloc_start(size_t n, enum failing_malloc_mode mode)
{
    pthread_mutex_lock(&watch.lock);
    if (watch.watching)
        abort();
    watch.watching = true;
    watch.fail_at = n;
    watch.mode = mode;
    watch.result = (struct failing_malloc_result){ 0 };
    pthread_mutex_unlock(&watch.lock);
}

struct failing_malloc_result failing_malloc_stop(void)
{
    struct failing_malloc_result result;

    pthread_mutex_lock(&watch.lock);
    result = watch.result;
    watch.watching = false;
    watch.room = watch.taken = 0;
    __real_free(watch.blocks);
    watch.blocks = NULL;
    pthread_mutex_unlock(&watch.lock);
    return result;
}

size_t fail_each_allocation(int (*attempt)(void *arg), void *arg)
{
    static const char *const names[] = { "once", "from then on" };
    size_t succeeded_with = 0;
    int mode;

    for (mode = FAIL_ONCE; mode <= FAIL_FROM_THEN_ON; mode++) {
        size_t n;
        for (n = 1;; n++) {
            struct failing_malloc_result result;
            int returned;

            failing_malloc_start(n, (enum failing_malloc_mode)mode);
            returned = attempt(arg);
            result = failing_malloc_stop();
            if (result.live != 0)
                fail_msg("allocation %zu failing %s: %zu blocks left behind, returned %d", n, names[mode],
                         result.live, returned);
            if (result.failed == 0) {
                if (returned != 0)
                    fail_msg("no allocation of %zu failed, yet it returned %d", result.allocations, returned);
                succeeded_with = result.allocations;
                break;
            }
            if (returned == 0)
                fail_msg("allocation %zu failing %s: returned success", n, names[mode]);
            if (n >= MOST_ALLOCATIONS)
                fail_msg("more than %d allocations: use a smaller input", MOST_ALLOCATIONS);
        }
    }
    return succeeded_with;
}
