/* buf: growing, ceilings, sticky failures, and what it makes of unclean bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "failing_malloc.h"

static void test_grows_and_keeps_content(void **state)
{
    struct buf b;
    size_t i;

    (void)state;
    buf_init(&b, 1 << 20);
    for (i = 0; i < 10000; i++)
        buf_printf(&b, "%zu,", i % 10);
    assert_int_equal(b.failed, 0);
    assert_int_equal(b.n, 20000);
    assert_memory_equal(b.p + 19996, "8,9,", 4);
    buf_deinit(&b);
}

static void test_printf_longer_than_its_own_room(void **state)
{
    struct buf b;
    char text[1001];

    (void)state;
    memset(text, 'x', 1000);
    text[1000] = 0;
    buf_init(&b, 4096);
    buf_printf(&b, "<%s>", text);
    assert_int_equal(b.n, 1002);
    assert_int_equal(b.p[1001], '>');
    buf_deinit(&b);
}

static void test_ceiling_is_a_sticky_failure(void **state)
{
    struct buf b;
    size_t i;

    (void)state;
    buf_init(&b, 4096);
    for (i = 0; i < 4096; i++)
        buf_add_char(&b, 'x');
    assert_int_equal(b.failed, 0);
    buf_add_char(&b, 'y');
    assert_int_equal(b.failed, ERR_LIMIT);
    assert_int_equal(b.n, 4096);
    buf_drop(&b, 4000);
    buf_add_char(&b, 'z');
    assert_int_equal(b.failed, ERR_LIMIT);
    assert_int_equal(b.n, 96);
    buf_clear(&b);
    buf_add_text(&b, "again");
    assert_int_equal(b.failed, 0);
    assert_true(slice_is(buf_slice(&b), "again"));
    buf_deinit(&b);
}

static void test_text_is_terminated_and_drop_moves(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    assert_string_equal(buf_text(&b), "");
    buf_add_text(&b, "ST*850*0001");
    assert_string_equal(buf_text(&b), "ST*850*0001");
    buf_drop(&b, 3);
    assert_string_equal(buf_text(&b), "850*0001");
    buf_drop(&b, 100);
    assert_int_equal(b.n, 0);
    buf_deinit(&b);
}

static void safe_is(struct slice input, const char *expected)
{
    struct buf b;

    buf_init(&b, 1000);
    buf_add_safe(&b, input, 20);
    assert_string_equal(buf_text(&b), expected);
    buf_deinit(&b);
}

static void test_safe_for_a_terminal(void **state)
{
    (void)state;
    safe_is(SLICE("plain"), "plain");
    safe_is(SLICE("M\xc3\xbcller"), "M\xc3\xbcller");
    safe_is(SLICE("\033[2J"), "\\x1b[2J");
    safe_is(SLICE("a\0b"), "a\\x00b");
    safe_is(SLICE("\xff\xc3"), "\\xff\\xc3");
    safe_is(SLICE("\xc2\x9b"), "\\xc2\\x9b");
    safe_is(SLICE("\xe2\x80\xae"), "\\xe2\\x80\\xae");
    safe_is(SLICE("012345678901234567890"), "01234567890123456789\xe2\x80\xa6");
}

static void test_json_string(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    buf_add_json(&b, SLICE("a\"b\\c\n\x01 \xfc \xc3\xbc"));
    assert_string_equal(buf_text(&b), "a\\\"b\\\\c\\n\\u0001 \xc3\xbc \xc3\xbc");
    buf_deinit(&b);
}

static int write_a_line(void *arg)
{
    struct buf b;
    int rc;

    (void)arg;
    buf_init(&b, 1 << 16);
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "PO1*%d*1*EA~", i);
    rc = b.failed;
    buf_deinit(&b);
    return rc;
}

static void test_characters(void **state)
{
    (void)state;
    assert_int_equal(utf8_characters(slice(NULL, 0)), 0);
    assert_int_equal(utf8_characters(SLICE("abc")), 3);
    assert_int_equal(utf8_characters(SLICE("a\xc3\xa4\xe6\x9d\xb1")), 3);
    assert_int_equal(utf8_characters(SLICE("\xe4\xb0z\x9f")), 4); /* Latin-1 */
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(write_a_line, NULL) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_keeps_content),
        cmocka_unit_test(test_printf_longer_than_its_own_room),
        cmocka_unit_test(test_ceiling_is_a_sticky_failure),
        cmocka_unit_test(test_text_is_terminated_and_drop_moves),
        cmocka_unit_test(test_safe_for_a_terminal),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_json_string),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
