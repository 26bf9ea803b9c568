/* A copy of an appliance, and a home made of it, each with every allocation failing. */
#include "appliance_home.h"

#include "failing_malloc.h"
#include "flow/backup.h"

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) < 0)                                                                                                \
            fail_msg("%s: %s", #call, err.text);                                                                       \
    } while (0)

struct copies {
    struct place_of_test t;
    char copy[300], home[300];

    struct backup_told told;
};

/* A payload in a segment, and one in a file of its own. */
static void add(struct place_of_test *t, size_t size)
{
    struct store_transmission x = {
        .direction = STORE_IN, .partner = SLICE("acme"), .way = SLICE("folder"), .name = SLICE("a.edi")
    };
    char *bytes = malloc(size);
    struct err err = { 0 };
    store_id id;

    assert_non_null(bytes);
    memset(bytes, 'a', size);
    OK(object_add(t->a.objects, slice(bytes, size), &x.payload, &err));
    free(bytes);
    OK(objects_sync(t->a.objects, &err));
    OK(store_begin(t->a.store, &err));
    OK(store_accept(t->a.store, &x, &id, &err));
    OK(store_commit(t->a.store, &err));
}

static int setup(void **state)
{
    struct copies *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    place_new(&c->t, "0s");
    put_partner(&c->t, "acme", "  receive x12 by folder\n");
    place_open(&c->t);
    add(&c->t, 100);
    add(&c->t, 100000);
    snprintf(c->home, sizeof(c->home), "%s-again", c->t.home);
    *state = c;
    return 0;
}

static void remove_all(const char *path)
{
    if (unlink(path) < 0)
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int teardown(void **state)
{
    struct copies *c = *state;

    remove_all(c->copy);
    remove_all(c->home);
    place_free(&c->t);
    free(c);
    return 0;
}

static int attempt_backup(void *arg)
{
    struct copies *c = arg;
    const struct backup_options o = { .path = c->copy };
    struct err err = { 0 };
    int rc;

    remove_all(c->copy);
    rc = backup_make(&c->t.a, &o, &c->told, &err);
    assert_true(rc == 0 || err.text[0]);
    return rc;
}

static int attempt_restore(void *arg)
{
    struct copies *c = arg;
    const struct restore_options o = { .path = c->copy, .home = c->home, .skip = RESTORE_SKIP, .who = "test" };
    char conf[400];
    struct err err = { 0 };
    int rc;

    remove_all(c->home);
    rc = backup_restore(&o, &c->told, &err);
    assert_true(rc == 0 || err.text[0]);
    snprintf(conf, sizeof(conf), "%s/waybill.conf", c->home);
    assert_true((rc == 0) == (access(conf, F_OK) == 0));
    return rc;
}

static void all_of_it(struct copies *c, const char *ending)
{
    snprintf(c->copy, sizeof(c->copy), "%s-copy%s", c->t.home, ending);
    fail_each_allocation(attempt_backup, c);
    assert_int_equal(c->told.payloads, 2);
    assert_int_equal(c->told.bytes, 100100);
    fail_each_allocation(attempt_restore, c);
    assert_int_equal(c->told.payloads, 2);
    assert_int_equal(c->told.damaged, 0);
    assert_int_equal(c->told.held, 2);
}

static void test_folder(void **state)
{
    all_of_it(*state, "");
}

static void test_tar(void **state)
{
    all_of_it(*state, ".tar");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tar, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
