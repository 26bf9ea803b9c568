/*
 * failing_malloc: makes allocations fail on purpose, in any unit test.
 *
 * The unit tests are linked so that malloc, calloc, realloc, reallocarray,
 * strdup, strndup, aligned_alloc, posix_memalign and free of our own code come
 * here first (the C library's own calls, as inside getline or fopen, do not).
 * Nothing fails unless a test asks for it; between start and stop every block
 * handed out is remembered, so that what is never freed is seen even without
 * AddressSanitizer.
 *
 * Safe with threads; one watch at a time.
 */
#ifndef WAYBILL_TESTS_FAILING_MALLOC_H
#define WAYBILL_TESTS_FAILING_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

enum failing_malloc_mode {
    FAIL_ONCE,              /* only the n-th allocation fails */
    FAIL_FROM_THEN_ON,      /* the n-th and all behind it fail: memory is out and stays out */
};

struct failing_malloc_result {
    size_t allocations;     /* asked for since start, failed ones included */
    size_t failed;          /* of these */
    size_t live;            /* blocks got since start and not freed */
};

/* Starts counting; from now on the n-th allocation fails, 1 being the next. 0: none fails. */
void failing_malloc_start(size_t n, enum failing_malloc_mode mode);
/* Ends it. All allocations work again. */
struct failing_malloc_result failing_malloc_stop(void);

/*
 * Runs attempt(arg) with the first allocation failing, then with the second,
 * and so on, until it succeeds before it reaches the one that would fail; each
 * in both modes. Requires of every run in which an allocation failed that
 * attempt returned other than 0; and of every run that no block is left. The
 * attempt sets up, frees everything it got, and returns 0 or an error code.
 * Fails the cmocka test otherwise, saying at which allocation. Returns how many
 * allocations the successful run makes.
 */
size_t fail_each_allocation(int (*attempt)(void *arg), void *arg);

#endif
