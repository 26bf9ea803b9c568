/* tree: nodes are found by what they are called, whatever that is, and numbered as they come; memory may run out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "failing_malloc.h"
#include "map/tree.h"

static struct slice text_of(uint64_t n, char text[24])
{
    return slice(text, (size_t)snprintf(text, 24, "%llu", (unsigned long long)n));
}

static void test_running_numbers_take_no_memory(void **state)
{
    struct tree t;
    char text[24];

    (void)state;
    tree_init(&t);
    assert_int_equal(tree_find(&t, SLICE("1")), 0);
    for (uint64_t n = 1; n <= 100000; n++)
        assert_int_equal(tree_add(&t, text_of(n, text)), 0);
    assert_null(t.slot);
    for (uint64_t n = 1; n <= 100000; n += 777)
        assert_int_equal(tree_find(&t, text_of(n, text)), n);
    assert_int_equal(tree_find(&t, SLICE("100001")), 0);
    assert_int_equal(tree_find(&t, SLICE("0")), 0);
    assert_int_equal(tree_find(&t, SLICE("01")), 0);
    assert_int_equal(tree_find(&t, SLICE("x")), 0);
    assert_int_equal(tree_find(&t, SLICE("")), 0);
    tree_deinit(&t);
}

static void test_other_names(void **state)
{
    static const char *const names[] = { "S", "2", "01", "5", "O-1", "", "a name longer than sixteen bytes",
                                         "a name longer than sixteen bytez", "9" };
    struct tree t;
    char text[24];

    (void)state;
    tree_init(&t);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 9; i++)
            assert_int_equal(tree_add(&t, slice_of(names[i])), 0);
        for (unsigned i = 0; i < 9; i++)
            assert_int_equal(tree_find(&t, slice_of(names[i])), names[i][0] ? i + 1 : 0);
        /* what is called otherwise is not found by its number */
        assert_int_equal(tree_find(&t, SLICE("1")), 0);
        assert_int_equal(tree_find(&t, SLICE("3")), 0);
        assert_int_equal(tree_find(&t, SLICE("5")), 4);
        assert_int_equal(tree_find(&t, SLICE("6")), 6);
        assert_int_equal(tree_add(&t, SLICE("01")), 1);
        assert_int_equal(tree_find(&t, SLICE("01")), 10);
        assert_int_equal(tree_add(&t, SLICE("2")), 1);
        assert_int_equal(tree_find(&t, SLICE("2")), 11);
        for (uint64_t n = 12; n < 3000; n++)
            assert_int_equal(tree_add(&t, text_of(n + 1000000, text)), 0);
        for (uint64_t n = 12; n < 3000; n++)
            assert_int_equal(tree_find(&t, text_of(n + 1000000, text)), n);
        tree_clear(&t);
        assert_int_equal(tree_find(&t, SLICE("S")), 0);
    }
    tree_deinit(&t);
}

static void test_parents(void **state)
{
    struct tree t;

    (void)state;
    tree_init(&t);
    assert_false(tree_is_parent(&t, 1));
    assert_int_equal(tree_set_parent(&t, 70000), 0);
    assert_int_equal(tree_set_parent(&t, 3), 0);
    assert_true(tree_is_parent(&t, 70000));
    assert_true(tree_is_parent(&t, 3));
    assert_false(tree_is_parent(&t, 4));
    assert_false(tree_is_parent(&t, 69999));
    tree_clear(&t);
    assert_false(tree_is_parent(&t, 3));
    tree_deinit(&t);
}

static void test_what_nodes_say(void **state)
{
    struct tree t;
    uint64_t first;

    (void)state;
    tree_init(&t);
    for (uint64_t n = 1; n <= 40; n++) {
        tree_add(&t, SLICE(""));
        if (n != 20)
            assert_int_equal(tree_say(&t, n % 3 == 0), 0);
        if (n > 3)
            assert_int_equal(tree_set_parent(&t, 3), 0);
    }
    assert_false(tree_denies(&t, 3) || tree_denies(&t, 20) || tree_denies(&t, 41));
    assert_true(tree_denies(&t, 4));
    assert_int_equal(tree_count_wrong(&t, true, &first), 12);
    assert_int_equal(first, 6);
    assert_int_equal(tree_count_wrong(&t, false, &first), 0);
    assert_int_equal(tree_set_parent(&t, 40), 0);
    assert_int_equal(tree_count_wrong(&t, false, &first), 1);
    assert_int_equal(first, 40);
    tree_clear(&t);
    assert_int_equal(tree_count_wrong(&t, true, &first), 0);
    tree_deinit(&t);
}

static void test_too_many_names(void **state)
{
    struct tree t;
    char text[24];
    int code = 0;
    uint64_t n = 0;

    (void)state;
    tree_init(&t);
    while (code == 0 && n < 2 * TREE_MOST)
        code = tree_add(&t, text_of(++n + 10000000, text));
    assert_int_equal(code, ERR_LIMIT);
    assert_int_equal(n, TREE_MOST + 1);
    tree_deinit(&t);
}

static int every_allocation(void *ctx)
{
    struct tree t;
    char text[24];
    int code = 0;

    (void)ctx;
    tree_init(&t);
    for (uint64_t n = 1; n < 200 && code >= 0; n++) {
        code = tree_add(&t, text_of(n * 3, text));
        if (code == 0)
            code = tree_set_parent(&t, n);
    }
    tree_deinit(&t);
    return code;
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(every_allocation, NULL) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_running_numbers_take_no_memory),
        cmocka_unit_test(test_other_names),
        cmocka_unit_test(test_parents),
        cmocka_unit_test(test_what_nodes_say),
        cmocka_unit_test(test_too_many_names),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
