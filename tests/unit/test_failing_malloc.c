/* The harness itself: what it makes fail, what it counts, what it notices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_malloc.h"

/* Without this the compiler sees that the blocks are never used, and leaves the calls out. */
static void *volatile seen;

static void *keep(void *p)
{
    seen = p;
    return p;
}

static void test_fails_the_nth_only(void **state)
{
    struct failing_malloc_result result;
    void *a, *b, *c;

    (void)state;
    failing_malloc_start(2, FAIL_ONCE);
    a = keep(malloc(1));
    b = keep(calloc(1, 1));
    c = keep(strdup("c"));
    free(c);
    result = failing_malloc_stop();
    assert_non_null(a);
    assert_null(b);
    assert_non_null(c);
    assert_int_equal(result.allocations, 3);
    assert_int_equal(result.failed, 1);
    assert_int_equal(result.live, 1);
    free(a);
}

static void test_fails_from_then_on(void **state)
{
    struct failing_malloc_result result;
    void *a, *b, *c;

    (void)state;
    failing_malloc_start(2, FAIL_FROM_THEN_ON);
    a = keep(malloc(1));
    b = keep(realloc(NULL, 100));
    c = keep(aligned_alloc(16, 16));
    free(a);
    result = failing_malloc_stop();
    assert_null(b);
    assert_null(c);
    assert_int_equal(result.failed, 2);
    assert_int_equal(result.live, 0);
}

static void test_follows_blocks_that_move(void **state)
{
    struct failing_malloc_result result;
    char *p = NULL;
    size_t n;

    (void)state;
    failing_malloc_start(0, FAIL_ONCE);
    for (n = 1; n < 100000; n *= 3) {
        p = keep(realloc(p, n));
        assert_non_null(p);
    }
    free(p);
    result = failing_malloc_stop();
    assert_int_equal(result.live, 0);
}

static void test_counts_many_blocks(void **state)
{
    struct failing_malloc_result result;
    static void *blocks[5000];
    size_t i;

    (void)state;
    failing_malloc_start(0, FAIL_ONCE);
    for (i = 0; i < 5000; i++)
        blocks[i] = malloc(8);
    for (i = 0; i < 4999; i++)
        free(blocks[i]);
    result = failing_malloc_stop();
    free(blocks[4999]);
    assert_int_equal(result.allocations, 5000);
    assert_int_equal(result.live, 1);
}

static int three_allocations(void *arg)
{
    char *a = NULL, *b = NULL, *c = NULL;
    int rc = -1;

    (void)arg;
    if (!(a = keep(malloc(10))) || !(b = keep(strdup("word"))) || !(c = keep(calloc(2, 2))))
        goto out;
    rc = 0;
out:
    free(a);
    free(b);
    free(c);
    return rc;
}

static void test_tries_each_allocation(void **state)
{
    (void)state;
    assert_int_equal(fail_each_allocation(three_allocations, NULL), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fails_the_nth_only),
        cmocka_unit_test(test_fails_from_then_on),
        cmocka_unit_test(test_follows_blocks_that_move),
        cmocka_unit_test(test_counts_many_blocks),
        cmocka_unit_test(test_tries_each_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
