/* What is long through goes to the archive, what nothing names is removed; also with the process killed at each call. */
#include "appliance_home.h"

#include "failing_malloc.h"
#include "flow/archive.h"
#include "spool/zip.h"

enum { HOUR = 3600 * 1000, LARGE = 100000 };

#define NOW 1795255200000 /* 2026-11-21 */

static int path_of(void *ctx, uint32_t archive, struct buf *path, struct err *err)
{
    return store_archive_path(ctx, archive, path, err);
}

static bool is_known(void *ctx, const uint8_t *hash, uint32_t segment)
{
    return store_payload_known(ctx, hash, segment);
}

static void start(struct place_of_test *t)
{
    struct err err = { 0 };
    uint64_t removed;

    objects_archives(t->a.objects, path_of, t->a.store);
    if (objects_sweep(t->a.objects, is_known, t->a.store, &removed, &err) < 0)
        fail_msg("%s", err.text);
}

/* The payload of a number: small ones, and every third a large one. */
static struct slice bytes_of(unsigned n)
{
    static char text[LARGE];
    size_t size = n % 3 ? 200 + n : LARGE;

    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + (i * (n + 7) + i / 11) % 26);
    snprintf(text, size, "payload %u", n);
    return slice(text, size);
}

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) < 0)                                                                                                \
            fail_msg("%s: %s", #call, err.text);                                                                       \
    } while (0)

/* A file that arrived and is dead; with `open` it waits. */
static store_id add(struct place_of_test *t, const char *partner, unsigned n, bool open)
{
    struct store_transmission x = {
        .direction = STORE_IN, .partner = slice_of(partner), .way = SLICE("folder"), .name = SLICE("a\tb.edi")
    };
    struct err err = { 0 };
    struct payload known;
    store_id id;

    OK(object_add(t->a.objects, bytes_of(n), &x.payload, &err));
    OK(objects_sync(t->a.objects, &err));
    if (store_payload_find(t->a.store, x.payload.hash, &known, &err) == 1)
        x.payload = known;
    OK(store_begin(t->a.store, &err));
    OK(store_accept(t->a.store, &x, &id, &err));
    if (!open)
        OK(store_bury(t->a.store, TRANSMISSION, id, SLICE("x"), &err));
    OK(store_commit(t->a.store, &err));
    return id;
}

static uint32_t archive(struct place_of_test *t)
{
    struct err err = { 0 };
    uint32_t done;

    OK(archive_work(&t->a, &done, &err));
    return done;
}

static struct store_transmission get(struct place_of_test *t, store_id id)
{
    struct store_query q = { .id = id };
    struct asked k;

    ask(t, &q, &k);
    assert_int_equal(k.n, 1);
    return k.last;
}

/* It can be read, wherever it is. */
static void assert_whole(struct place_of_test *t, store_id id, unsigned n)
{
    struct store_transmission x = get(t, id);
    struct slice bytes = bytes_of(n);
    struct err err = { 0 };
    struct buf b;
    char *copy = malloc(bytes.n);
    int fd;

    buf_init(&b, 1 << 20);
    assert_non_null(copy);
    OK(object_load(t->a.objects, &x.payload, &b, &err));
    assert_true(slice_eq(buf_slice(&b), bytes));
    OK(object_verify(t->a.objects, &x.payload, &err));
    OK(object_read(t->a.objects, &x.payload, &fd, &err));
    assert_int_equal(read(fd, copy, bytes.n), bytes.n);
    assert_memory_equal(copy, bytes.p, bytes.n);
    close(fd);
    free(copy);
    buf_deinit(&b);
}

static unsigned files_found;
static int count_file(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    (void)path, (void)st, (void)f;
    files_found += kind == FTW_F;
    return 0;
}

static unsigned files_below(struct place_of_test *t, const char *folder)
{
    char whole[200];

    snprintf(whole, sizeof(whole), "%s/%s", t->spool, folder);
    files_found = 0;
    nftw(whole, count_file, 16, FTW_PHYS);
    return files_found;
}

static int setup(void **state)
{
    struct place_of_test *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    place_new(t, "0s");
    put_partner(t, "acme", "  receive x12 by folder\n  keep 1h\n");
    put_partner(t, "beta", "  receive x12 by folder\n  keep 10h\n");
    t->clock = NOW;
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    place_free(*state);
    free(*state);
    return 0;
}

static void test_moved(void **state)
{
    struct place_of_test *t = *state;
    store_id a[7], young, other, waits, shared;
    struct store_counts c;
    struct err err = { 0 };

    place_open(t);
    start(t);
    for (unsigned i = 0; i < 7; i++)
        a[i] = add(t, "acme", i, false);
    waits = add(t, "acme", 20, true);
    shared = add(t, "acme", 21, false);
    other = add(t, "beta", 21, false);
    assert_int_equal(archive(t), 0);
    t->clock += HOUR + HOUR / 40; /* a 32nd more has to pass */
    assert_int_equal(archive(t), 0);
    young = add(t, "acme", 30, false);
    t->clock += HOUR / 40;
    assert_int_equal(archive(t), 8);
    assert_int_equal(archive(t), 0);
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(get(t, a[i]).payload.archive, 1);
        assert_whole(t, a[i], i);
    }
    assert_int_equal(get(t, young).payload.archive, 0);
    assert_int_equal(get(t, waits).payload.archive, 0);
    assert_int_equal(get(t, shared).payload.archive, 0);
    assert_int_equal(get(t, other).payload.archive, 0);
    assert_int_equal(files_below(t, "archive"), 1);
    assert_true(is_there(t, "spool/archive/2026-11/acme.zip"));
    assert_int_equal(files_below(t, "objects"), 2); /* 21 and 30 */
    OK(store_count(t->a.store, slice(NULL, 0), &c, &err));
    assert_int_equal(c.archived, 7);
    assert_int_equal(c.payloads, 3);
    /* when the last that names it is old, it goes with that */
    t->clock += 11 * HOUR;
    assert_int_equal(archive(t), 2);
    assert_int_equal(get(t, shared).payload.archive, get(t, other).payload.archive);
    assert_whole(t, shared, 21);
    assert_true(is_there(t, "spool/archive/2026-11/acme.2.zip"));
    assert_true(is_there(t, "spool/archive/2026-11/beta.zip"));
    /* what arrives again is there already, and names it again */
    young = add(t, "acme", 3, false);
    assert_int_equal(get(t, young).payload.archive, 1);
    t->clock += 2 * HOUR;
    assert_int_equal(archive(t), 1);
    assert_int_equal(get(t, young).payload.archive, 1);
    assert_false(is_there(t, "spool/archive/2026-11/acme.3.zip"));
}

static void test_foreign_file(void **state)
{
    struct place_of_test *t = *state;
    store_id id;

    place_open(t);
    start(t);
    make_folder(t, "spool/archive/2026-11");
    put_text(t, "spool/archive/2026-11/acme.zip", "somebody's");
    id = add(t, "acme", 1, false);
    t->clock += 2 * HOUR;
    assert_int_equal(archive(t), 1);
    assert_true(is_there(t, "spool/archive/2026-11/acme.2.zip"));
    assert_int_equal(files_below(t, "archive"), 2);
    assert_whole(t, id, 1);
}

static void test_damaged(void **state)
{
    struct place_of_test *t = *state;
    store_id bad, good;
    struct store_transmission x;
    struct err err = { 0 };
    char name[2 * OBJECT_HASH + 1], path[200];

    place_open(t);
    start(t);
    bad = add(t, "acme", 3, false);
    good = add(t, "acme", 6, false);
    x = get(t, bad);
    object_name(x.payload.hash, name);
    snprintf(path, sizeof(path), "spool/objects/%.2s/%s", name, name + 2);
    put_bytes(t, path, bytes_of(9).p, LARGE);
    t->clock += 2 * HOUR;
    assert_int_equal(archive(t), 2);
    assert_whole(t, good, 6);
    assert_int_equal(get(t, good).payload.archive, 1);
    assert_int_equal(get(t, bad).payload.archive, 0);
    assert_true(is_there(t, path));
    x = get(t, bad);
    assert_int_equal(object_verify(t->a.objects, &x.payload, &err), ERR_DATA);
}

/* While somebody copies all payloads none is removed, and none goes anywhere. */
static void test_copied_meanwhile(void **state)
{
    struct place_of_test *t = *state;
    struct err err = { 0 };
    uint32_t done;
    int copying, other;

    place_open(t);
    start(t);
    add(t, "acme", 1, false);
    t->clock += 2 * HOUR;
    OK(archive_lock(t->a.spool, false, &copying, &err));
    OK(archive_lock(t->a.spool, false, &other, &err));
    assert_int_equal(archive(t), 0);
    OK(garbage_work(&t->a, &done, &err));
    assert_int_equal(done, 0);
    close(copying);
    close(other);
    assert_int_equal(archive(t), 1);
}

static void test_garbage(void **state)
{
    struct place_of_test *t = *state;
    struct err err = { 0 };
    struct payload p, litter;
    store_id gone, stays;
    uint32_t done;

    place_open(t);
    start(t);
    gone = add(t, "acme", 3, false);
    stays = add(t, "acme", 6, false);
    OK(store_begin(t->a.store, &err));
    OK(store_forget(t->a.store, gone, &err));
    OK(store_commit(t->a.store, &err));
    /* written for a batch that came to nothing */
    OK(object_add(t->a.objects, bytes_of(9), &litter, &err));
    OK(objects_sync(t->a.objects, &err));
    assert_int_equal(files_below(t, "objects"), 3);
    OK(garbage_work(&t->a, &done, &err));
    assert_int_equal(done, 0);
    assert_int_equal(files_below(t, "objects"), 2);
    assert_int_equal(object_verify(t->a.objects, &litter, &err), ERR_MISSING);
    t->clock += 2 * HOUR;
    OK(garbage_work(&t->a, &done, &err));
    assert_int_equal(done, 1);
    assert_int_equal(files_below(t, "objects"), 1);
    OK(garbage_work(&t->a, &done, &err));
    assert_int_equal(done, 0);
    assert_whole(t, stays, 6);
    /* it arrives again */
    gone = add(t, "acme", 3, false);
    OK(garbage_work(&t->a, &done, &err));
    assert_whole(t, gone, 3);
    p = get(t, gone).payload;
    OK(object_verify(t->a.objects, &p, &err));
    /* a segment with nothing but litter */
    OK(object_add(t->a.objects, bytes_of(1), &litter, &err));
    OK(objects_sync(t->a.objects, &err));
    assert_int_equal(files_below(t, "segments"), 1);
    OK(garbage_work(&t->a, &done, &err));
    assert_int_equal(files_below(t, "segments"), 0);
    gone = add(t, "acme", 1, false);
    OK(garbage_work(&t->a, &done, &err));
    assert_whole(t, gone, 1);
}

static int start_and_work(struct place_of_test *t)
{
    struct err err = { 0 };
    uint32_t done;

    start(t);
    return archive_work(&t->a, &done, &err) < 0 || garbage_work(&t->a, &done, &err) < 0 ? -1 : 0;
}

static void test_killed(void **state)
{
    unsigned stops = 0;

    (void)state;
    for (bool killed = true; killed; stops += killed) {
        struct place_of_test *t;
        store_id id[7];

        assert_int_equal(setup((void **)&t), 0);
        place_open(t);
        start(t);
        for (unsigned i = 0; i < 7; i++)
            id[i] = add(t, "acme", i, false);
        t->clock += 2 * HOUR;
        place_close(t);
        killed = killed_at(t, stops + 1, start_and_work);
        place_open(t);
        objects_archives(t->a.objects, path_of, t->a.store);
        for (unsigned i = 0; i < 7; i++)
            assert_whole(t, id[i], i);
        assert_int_equal(start_and_work(t), 0);
        for (unsigned i = 0; i < 7; i++) {
            assert_int_equal(get(t, id[i]).payload.archive, 1);
            assert_whole(t, id[i], i);
        }
        assert_int_equal(files_below(t, "archive"), 1);
        assert_int_equal(files_below(t, "objects") + files_below(t, "tmp"), 0);
        assert_int_equal(teardown((void **)&t), 0);
    }
    print_message("# %u stops\n", stops);
    assert_true(stops > 12);
}

static int attempt(void *arg)
{
    struct place_of_test *t = arg;
    struct err err = { 0 };
    uint32_t done;
    int rc = archive_work(&t->a, &done, &err);

    assert_true(rc == 0 || err.text[0]);
    return rc;
}

static void test_memory(void **state)
{
    struct place_of_test *t = *state;
    store_id id[4];

    place_open(t);
    start(t);
    for (unsigned i = 0; i < 4; i++)
        id[i] = add(t, "acme", i, false);
    t->clock += 2 * HOUR;
    fail_each_allocation(attempt, t);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(get(t, id[i]).payload.archive, 1);
        assert_whole(t, id[i], i);
    }
    assert_int_equal(files_below(t, "archive"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copied_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
        cmocka_unit_test(test_killed),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
