/* hash: keys that a stranger chose to fall into one slot do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"

enum { SLOTS = 256, CHOSEN = 64 };

static void test_chosen_keys_are_spread(void **state)
{
    struct hash_key key = hash_key_new();
    bool used[SLOTS] = { false };
    unsigned chosen = 0, slots = 0;

    (void)state;
    for (unsigned i = 0; chosen < CHOSEN; i++) {
        char text[16];
        struct slice s = slice(text, (size_t)snprintf(text, sizeof(text), "A%u", i));
        if (slice_hash(s) % SLOTS != 17)
            continue;
        chosen++;
        slots += !used[hash_slice(key, s) % SLOTS];
        used[hash_slice(key, s) % SLOTS] = true;
    }
    assert_true(slots > CHOSEN / 2);
}

static void test_keys_differ(void **state)
{
    struct hash_key one = hash_key_new(), two = hash_key_new();

    (void)state;
    assert_true(one.a != two.a || one.b != two.b);
    assert_true(hash_slice(one, SLICE("850000022102")) != hash_slice(two, SLICE("850000022102")));
    assert_true(hash_slice(one, SLICE("850000022102")) == hash_slice(one, SLICE("850000022102")));
}

/* All lengths count, and each byte. */
static void test_every_byte_counts(void **state)
{
    const struct hash_key key = { 1, 2 };
    char text[40] = "";

    (void)state;
    for (size_t n = 0; n < sizeof(text); n++) {
        uint64_t before = hash_slice(key, slice(text, n));
        assert_true(before != hash_slice(key, slice(text, n + 1 < sizeof(text) ? n + 1 : 0)));
        for (size_t i = 0; i < n; i++) {
            text[i] = 1;
            assert_true(before != hash_slice(key, slice(text, n)));
            text[i] = 0;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chosen_keys_are_spread),
        cmocka_unit_test(test_keys_differ),
        cmocka_unit_test(test_every_byte_counts),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
