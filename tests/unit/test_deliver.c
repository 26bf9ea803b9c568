/* What was made is handed over: names, order, failures, waiting, closed ways; and the process killed at each call. */
#include "appliance_home.h"

#include <pwd.h>

#include "failing_malloc.h"
#include "flow/deliver.h"

enum { MINUTE = 60000, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static uint32_t deliver(struct place_of_test *t)
{
    struct err err = { 0 };
    uint32_t done = 0;

    if (deliver_work(&t->a, &done, &err) < 0)
        fail_msg("%s", err.text);
    return done;
}

static void recover(struct place_of_test *t)
{
    struct err err = { 0 };

    if (deliver_recover(&t->a, &err) < 0)
        fail_msg("%s", err.text);
}

struct made {
    const char *partner, *name, *target, *way;
    unsigned priority;
    store_time due;
    const char *text;                   /* NULL: its name */
};

static store_id make(struct place_of_test *t, const struct made *m)
{
    struct store_transmission x = { .direction = STORE_OUT, .priority = m->priority, .due = m->due };
    struct err err = { 0 };
    store_id id = 0;

    x.partner = slice_of(m->partner ? m->partner : "acme");
    x.name = slice_of(m->name);
    x.target = slice_of(m->target);
    x.way = slice_of(m->way ? m->way : "folder");
    x.format = SLICE("x12");
    if (object_add(t->a.objects, slice_of(m->text ? m->text : m->name), &x.payload, &err) < 0 ||
        objects_sync(t->a.objects, &err) < 0 || store_begin(t->a.store, &err) < 0 ||
        store_make(t->a.store, &x, &id, &err) < 0 || store_commit(t->a.store, &err) < 0)
        fail_msg("%s", err.text);
    return id;
}

static enum transmission_state state_now(struct place_of_test *t, store_id id, struct asked *k)
{
    struct store_query q = { .id = id };

    ask(t, &q, k);
    assert_int_equal(k->n, 1);
    return k->last.state;
}

static void assert_content(struct place_of_test *t, const char *path, const char *text)
{
    char whole[300], found[300] = "";
    FILE *f;

    snprintf(whole, sizeof(whole), "%s/%s", t->home, path);
    f = fopen(whole, "r");
    if (!f)
        fail_msg("%s is not there", path);
    found[fread(found, 1, sizeof(found) - 1, f)] = 0;
    fclose(f);
    assert_string_equal(found, text);
}

static unsigned files_in(struct place_of_test *t, const char *path, bool hidden)
{
    char whole[300];
    struct dirent *entry;
    unsigned n = 0;
    DIR *d;

    snprintf(whole, sizeof(whole), "%s/%s", t->home, path);
    d = opendir(whole);
    while (d && (entry = readdir(d)) != NULL)
        n += (entry->d_name[0] == '.') == hidden && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (d)
        closedir(d);
    return n;
}

static int setup(void **state)
{
    struct place_of_test *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    place_new(t, "0");
    put_partner(t, "acme", "  retry 15m for 2d\n");
    put_partner(t, "beta", "");
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct place_of_test *t = *state;

    place_free(t);
    free(t);
    return 0;
}

static void test_delivered(void **state)
{
    struct place_of_test *t = *state;
    char *big = malloc(200001), absolute[200];
    store_id ids[4];
    struct asked k;
    struct stat st;

    assert_non_null(big);
    memset(big, 'x', 200000);
    big[200000] = 0;
    make_folder(t, "erp");
    snprintf(absolute, sizeof(absolute), "%s/erp", t->home);
    place_open(t);
    ids[0] = make(t, &(struct made){ .name = "one.edi" });
    ids[1] = make(t, &(struct made){ .name = "two.edi", .target = "erp" });
    ids[2] = make(t, &(struct made){ .name = "three.edi", .target = absolute });
    ids[3] = make(t, &(struct made){ .name = "big.edi", .text = big });
    assert_int_equal(deliver(t), 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(state_now(t, ids[i], &k), TRANSMISSION_SENT);
    assert_content(t, "spool/out/acme/one.edi", "one.edi");
    assert_content(t, "erp/two.edi", "two.edi");
    assert_content(t, "erp/three.edi", "three.edi");
    snprintf(absolute, sizeof(absolute), "%s/spool/out/acme/big.edi", t->home);
    assert_int_equal(stat(absolute, &st), 0);
    assert_int_equal(st.st_size, 200000);
    assert_int_equal(files_in(t, "spool/out/acme", true), 0);
    assert_int_equal(files_in(t, "erp", true), 0);
    assert_int_equal(deliver(t), 0);
    free(big);
}

static int remember_place(void *ctx, const struct store_event *e)
{
    char *text = ctx;

    if (slice_is(e->what, "place"))
        snprintf(text + strlen(text), 400 - strlen(text), "%llu ", (unsigned long long)e->transmission);
    return 0;
}

static void test_priority(void **state)
{
    struct place_of_test *t = *state;
    struct store_query q = { 0 };
    struct err err = { 0 };
    char placed[400] = "";

    place_open(t);
    for (unsigned i = 0; i < 12; i++) {
        char name[40];
        snprintf(name, sizeof(name), "%u.edi", i);
        /* 1 to 4 are bulk, 5 to 8 normal, 9 to 12 high; the two partners take turns */
        make(t, &(struct made){ .name = name, .priority = i < 4 ? 2 : i < 8 ? 1 : 0,
                                .partner = i % 2 ? "acme" : "beta" });
    }
    assert_int_equal(deliver(t), 12);
    assert_int_equal(store_events(t->a.store, &q, remember_place, placed, &err), 0);
    assert_string_equal(placed, "9 10 11 5 12 6 7 8 1 2 3 4 ");
}

static void test_names(void **state)
{
    static const char *const bad[] = { "", ".", "..", "a/b", "/etc/passwd", ".waybill-T7" };
    struct place_of_test *t = *state;
    struct asked k;

    place_open(t);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        make(t, &(struct made){ .name = bad[i], .text = "x" });
    deliver(t);
    assert_int_equal(count(t, STORE_OUT, TRANSMISSION_DEAD), sizeof(bad) / sizeof(bad[0]));
    state_now(t, 1, &k);
    assert_string_equal(k.reason, "no file can have this name");
    assert_int_equal(files_in(t, "spool/out/acme", false) + files_in(t, "spool/out/acme", true), 0);
}

static void test_other_ways(void **state)
{
    struct place_of_test *t = *state;
    struct asked k;
    store_id id;

    place_open(t);
    id = make(t, &(struct made){ .name = "a.edi", .way = "sftp", .target = "/inbound" });
    assert_int_equal(deliver(t), 1);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_HELD);
    assert_int_equal(k.last.held, HELD_TRANSPORT);
    assert_string_equal(k.reason, "this version of Waybill cannot hand over by sftp");
}

static void test_name_taken(void **state)
{
    struct place_of_test *t = *state;
    struct asked k;
    struct store_breaker b;
    struct err err = { 0 };
    char whole[200];
    store_id id, second;

    t->clock = real_time();
    make_folder(t, "spool/out");
    make_folder(t, "spool/out/acme");
    put_text(t, "spool/out/acme/a.edi", "another");
    place_open(t);
    id = make(t, &(struct made){ .name = "a.edi" });
    assert_int_equal(deliver(t), 1);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_MADE);
    assert_string_equal(k.reason, "a file of this name lies there already");
    assert_in_range(k.last.due, t->clock + 12 * MINUTE, t->clock + 18 * MINUTE);
    assert_int_equal(k.last.attempts, 1);
    assert_content(t, "spool/out/acme/a.edi", "another");
    assert_int_equal(deliver(t), 0);
    assert_int_equal(store_breaker_get(t->a.store, SLICE("acme"), &b, &err) > 0 ? b.failures : 0, 0);
    snprintf(whole, sizeof(whole), "%s/spool/out/acme/a.edi", t->home);
    assert_int_equal(unlink(whole), 0);
    t->clock += 18 * MINUTE;
    assert_int_equal(deliver(t), 1);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_SENT);
    assert_int_equal(unlink(whole), 0);
    /* two of one name in one batch: the second finds it taken when it gets its name */
    id = make(t, &(struct made){ .name = "a.edi", .text = "first" });
    second = make(t, &(struct made){ .name = "a.edi", .text = "second" });
    assert_int_equal(deliver(t), 2);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_SENT);
    assert_int_equal(state_now(t, second, &k), TRANSMISSION_MADE);
    assert_content(t, "spool/out/acme/a.edi", "first");
    assert_int_equal(files_in(t, "spool/out/acme", true), 0);
    assert_int_equal(unlink(whole), 0);
    t->clock += 18 * MINUTE;
    assert_int_equal(deliver(t), 1);
    assert_content(t, "spool/out/acme/a.edi", "second");
}

static void test_waits_longer(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        assert_in_range(deliver_wait(900, 1, seed), 12 * MINUTE, 18 * MINUTE);
        assert_in_range(deliver_wait(900, 2, seed), 24 * MINUTE, 36 * MINUTE);
        assert_in_range(deliver_wait(900, 4, seed), 96 * MINUTE, 144 * MINUTE);
        assert_in_range(deliver_wait(900, 5, seed), 192 * MINUTE, 288 * MINUTE);
        assert_in_range(deliver_wait(900, 1000000, seed), 192 * MINUTE, 288 * MINUTE);
        assert_in_range(deliver_wait(6 * 3600, 9, seed), (store_time)288 * MINUTE, (store_time)432 * MINUTE);
        assert_in_range(deliver_wait(1, 1, seed), 800, 1200);
    }
    assert_int_not_equal(deliver_wait(900, 1, 1), deliver_wait(900, 1, 2));
}

static void test_given_up(void **state)
{
    struct place_of_test *t = *state;
    struct asked k;
    unsigned attempts = 0;
    store_time begin;
    store_id id;

    begin = t->clock = real_time();
    make_folder(t, "spool/out");
    make_folder(t, "spool/out/acme");
    put_text(t, "spool/out/acme/a.edi", "another");
    place_open(t);
    id = make(t, &(struct made){ .name = "a.edi" });
    while (deliver(t) == 1 && state_now(t, id, &k) == TRANSMISSION_MADE) {
        assert_true(k.last.due > t->clock && k.last.due <= begin + 2 * DAY);
        t->clock = k.last.due;
        assert_true(++attempts < 40);
    }
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_DEAD);
    assert_int_equal(t->clock, begin + 2 * DAY);
    assert_in_range(attempts, 12, 25);
    assert_non_null(strstr(k.reason, "given up after "));
    assert_non_null(strstr(k.reason, "a file of this name lies there already"));
}

static void test_closed(void **state)
{
    struct place_of_test *t = *state;
    struct store_breaker b;
    struct err err = { 0 };
    struct asked k;
    store_time until;

    t->clock = real_time();
    place_open(t);
    for (unsigned i = 0; i < 20; i++) {
        char name[40];
        snprintf(name, sizeof(name), "%u.edi", i);
        make(t, &(struct made){ .name = name, .target = "nowhere", .priority = i % 3 });
        make(t, &(struct made){ .name = name, .partner = "beta" });
    }
    /* five attempts fail, and the other fifteen are not even tried; beta does not notice */
    assert_int_equal(deliver(t), 25);
    assert_int_equal(count(t, STORE_OUT, TRANSMISSION_SENT), 20);
    assert_int_equal(store_breaker_get(t->a.store, SLICE("acme"), &b, &err), 1);
    assert_int_equal(b.failures, 5);
    assert_in_range(b.until, t->clock + 12 * MINUTE, t->clock + 18 * MINUTE);
    assert_true(b.reason.n > 10 && slice_starts(b.reason, SLICE("the folder ")));
    until = b.until;
    assert_int_equal(deliver(t), 0);
    place_close(t);
    place_open(t);
    recover(t);
    assert_int_equal(deliver(t), 0);
    /* one tries whether it is open again */
    t->clock = until;
    assert_int_equal(deliver(t), 1);
    assert_int_equal(store_breaker_get(t->a.store, SLICE("acme"), &b, &err), 1);
    assert_int_equal(b.failures, 6);
    assert_in_range(b.until, t->clock + 24 * MINUTE, t->clock + 36 * MINUTE);
    assert_int_equal(deliver(t), 0);
    /* it is: one, and then all that are due */
    make_folder(t, "nowhere");
    t->clock = b.until;
    assert_int_equal(deliver(t), 1);
    assert_true(store_breaker_get(t->a.store, SLICE("acme"), &b, &err) == 0 || b.failures == 0);
    t->clock += DAY / 2;
    assert_int_equal(deliver(t), 19);
    assert_int_equal(count(t, STORE_OUT, TRANSMISSION_SENT), 40);
    ask(t, &(struct store_query){ .states = 1u << TRANSMISSION_MADE }, &k);
    assert_int_equal(k.n, 0);
}

static void test_switched_off(void **state)
{
    struct place_of_test *t = *state;

    put_partner(t, "off", "  off\n");
    place_open(t);
    make(t, &(struct made){ .name = "a.edi", .partner = "off" });
    make(t, &(struct made){ .name = "a.edi", .partner = "nobody-we-know" });
    assert_int_equal(deliver(t), 0);
    assert_int_equal(count(t, STORE_OUT, TRANSMISSION_MADE), 2);
}

static void test_clock_set_back(void **state)
{
    struct place_of_test *t = *state;
    struct asked k;
    store_id id;

    t->clock = real_time();
    place_open(t);
    id = make(t, &(struct made){ .name = "a.edi", .due = t->clock + 300 * (store_time)DAY });
    make(t, &(struct made){ .name = "later.edi", .due = t->clock + 5 * (store_time)DAY });
    assert_int_equal(deliver(t), 0);
    recover(t);
    assert_int_equal(deliver(t), 1);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_SENT);
    /* while it runs, too */
    id = make(t, &(struct made){ .name = "b.edi", .due = t->clock + 5 * (store_time)DAY });
    assert_int_equal(deliver(t), 0);
    t->clock -= 300 * (store_time)DAY;
    assert_int_equal(deliver(t), 2);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_SENT);
}

static void test_damaged(void **state)
{
    struct place_of_test *t = *state;
    char whole[300], text[70000];
    struct asked k;
    store_id id;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    place_open(t);
    id = make(t, &(struct made){ .name = "a.edi", .text = text });
    snprintf(whole, sizeof(whole), "%s/spool/objects", t->home);
    assert_int_equal(nftw(whole, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(deliver(t), 1);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_DEAD);
    assert_non_null(strstr(k.reason, "our own copy of it is damaged"));
    assert_int_equal(files_in(t, "spool/out/acme", true), 0);
}

static void test_faults(void **state)
{
    struct place_of_test *t = *state;
    struct asked k;
    struct stat st;
    char whole[200];
    store_id id;

    t->clock = real_time();
    make_folder(t, "erp");
    place_open(t);
    snprintf(whole, sizeof(whole), "%s/erp", t->home);
    assert_int_equal(stat(whole, &st), 0);
    faults.folder = st.st_dev;
    faults.folder_number = st.st_ino;
    /* the folder cannot be synced: nothing is laid */
    id = make(t, &(struct made){ .name = "a.edi", .target = "erp" });
    faults.fail_fsync = EIO;
    assert_int_equal(deliver(t), 1);
    faults.fail_fsync = 0;
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_MADE);
    assert_non_null(strstr(k.reason, "the folder cannot be synced"));
    assert_int_equal(files_in(t, "erp", true), 0);
    t->clock += HOUR;
    /* the disk is full */
    faults.fail_write = ENOSPC;
    assert_int_equal(deliver(t), 1);
    faults.fail_write = 0;
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_MADE);
    assert_non_null(strstr(k.reason, "No space left"));
    assert_int_equal(files_in(t, "erp", true), 0);
    t->clock += HOUR;
    /* no rename that never replaces: links */
    faults.fail_rename = EINVAL;
    assert_int_equal(deliver(t), 1);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_SENT);
    assert_content(t, "erp/a.edi", "a.edi");
    id = make(t, &(struct made){ .name = "a.edi", .target = "erp", .text = "second" });
    assert_int_equal(deliver(t), 1);
    assert_content(t, "erp/a.edi", "a.edi");
    /* no rename at all */
    faults.fail_rename = EIO;
    id = make(t, &(struct made){ .name = "b.edi", .target = "erp" });
    assert_int_equal(deliver(t), 1);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_MADE);
    assert_int_equal(files_in(t, "erp", true), 0);
    faults.fail_rename = 0;
    t->clock += HOUR;
    deliver(t);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_SENT);
    assert_int_equal(files_in(t, "erp", true), 0);
    /* it has its name, but the folder cannot be synced: somebody fetches it, and it does not come again */
    id = make(t, &(struct made){ .name = "c.edi", .target = "erp" });
    faults.fail_fsync = EIO;
    faults.good_syncs = 1;
    deliver(t);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_LAID);
    faults.fail_fsync = 0;
    snprintf(whole, sizeof(whole), "%s/erp/c.edi", t->home);
    assert_int_equal(unlink(whole), 0);
    assert_int_equal(deliver(t), 1);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_SENT);
    assert_false(is_there(t, "erp/c.edi"));
}

/* A folder that could not be synced once is one failure, however many files it was for. */
static void test_fails_for_many(void **state)
{
    struct place_of_test *t = *state;
    char erp[300], name[20];
    store_id id[12];
    struct stat st;
    struct asked k;

    t->clock = real_time();
    make_folder(t, "erp");
    snprintf(erp, sizeof(erp), "%s/erp", t->home);
    assert_int_equal(stat(erp, &st), 0);
    faults.folder = st.st_dev;
    faults.folder_number = st.st_ino;
    place_open(t);
    for (unsigned i = 0; i < 12; i++) {
        snprintf(name, sizeof(name), "%u.edi", i);
        id[i] = make(t, &(struct made){ .name = name, .target = "erp" });
    }
    for (unsigned good = 0; good < 2; good++) { /* before they are laid, and when they have their names */
        faults.fail_fsync = EIO;
        faults.good_syncs = good;
        deliver(t);
        faults.fail_fsync = 0;
        assert_int_equal(state_now(t, id[11], &k), good ? TRANSMISSION_LAID : TRANSMISSION_MADE);
        t->clock += HOUR;
    }
    deliver(t);
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(state_now(t, id[i], &k), TRANSMISSION_SENT);
}

static void test_no_permission(void **state)
{
    struct place_of_test *t = *state;
    struct passwd *nobody = getpwnam("nobody");
    char whole[200];
    int status;
    pid_t child;

    if (geteuid() != 0 || !nobody)
        return; /* not skip(): that counts as failed */
    make_folder(t, "erp");      /* root's */
    assert_int_equal(chown(t->home, nobody->pw_uid, nobody->pw_gid), 0);
    assert_int_equal(chown(t->spool, nobody->pw_uid, nobody->pw_gid), 0);
    child = fork();
    if (child == 0) {
        struct asked k;
        store_id id;
        if (setgid(nobody->pw_gid) < 0 || setuid(nobody->pw_uid) < 0)
            _exit(2);
        place_open(t);
        id = make(t, &(struct made){ .name = "a.edi", .target = "erp" });
        make(t, &(struct made){ .name = "b.edi" });
        if (deliver(t) != 2 || state_now(t, id, &k) != TRANSMISSION_MADE || !strstr(k.reason, "Permission denied"))
            _exit(3);
        if (!is_there(t, "spool/out/acme/b.edi"))
            _exit(4);
        place_close(t);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    snprintf(whole, sizeof(whole), "%s/erp", t->home);
    assert_int_equal(rmdir(whole), 0);
}

/* The folder is away while a file is laid in it: it cannot be said whether it was placed until it is back. */
static void test_laid_and_away(void **state)
{
    struct place_of_test *t = *state;
    struct asked k;
    struct stat st;
    char erp[200], away[200];
    store_id id;

    t->clock = real_time();
    make_folder(t, "erp");
    snprintf(erp, sizeof(erp), "%s/erp", t->home);
    snprintf(away, sizeof(away), "%s/away", t->home);
    assert_int_equal(stat(erp, &st), 0);
    faults.folder = st.st_dev;
    faults.folder_number = st.st_ino;
    place_open(t);
    id = make(t, &(struct made){ .name = "a.edi", .target = "erp" });
    faults.fail_fsync = EIO;
    faults.good_syncs = 1;
    deliver(t);
    faults.fail_fsync = 0;
    assert_int_equal(rename(erp, away), 0);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(deliver(t), 0);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_LAID);
    assert_int_equal(rename(away, erp), 0);
    assert_int_equal(deliver(t), 0);    /* the way is closed */
    t->clock += HOUR;
    assert_int_equal(deliver(t), 1);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_SENT);
    /* away for good */
    id = make(t, &(struct made){ .name = "b.edi", .target = "erp" });
    faults.fail_fsync = EIO;
    faults.good_syncs = 1;
    deliver(t);
    faults.fail_fsync = 0;
    assert_int_equal(rename(erp, away), 0);
    t->clock += 3 * (store_time)DAY;
    assert_int_equal(deliver(t), 1);
    assert_int_equal(state_now(t, id, &k), TRANSMISSION_DEAD);
}

/* --- Killed ----------------------------------------------------------------------------------------- */

static int start_and_deliver(struct place_of_test *t)
{
    struct err err = { 0 };
    uint32_t done;
    int rc = deliver_recover(&t->a, &err);

    return rc == 0 ? deliver_work(&t->a, &done, &err) : rc;
}

static void prepare_killing(struct place_of_test *t)
{
    place_new(t, "0");
    put_partner(t, "acme", "");
    put_partner(t, "beta", "");
    make_folder(t, "erp");
    place_open(t);
    make(t, &(struct made){ .name = "a.edi" });
    make(t, &(struct made){ .name = "b.edi", .priority = 2 });
    make(t, &(struct made){ .name = "c.edi", .partner = "beta" });
    make(t, &(struct made){ .name = "e.edi", .partner = "beta", .target = "erp" });
    place_close(t);
}

/* Whoever fetches files takes them away: what was placed is not placed again. */
static void test_killed(void **state)
{
    unsigned stops = 0;

    (void)state;
    for (bool killed = true; killed; stops += killed) {
        struct place_of_test t;
        unsigned fetched = 0;

        prepare_killing(&t);
        killed = killed_at(&t, stops + 1, start_and_deliver);
        if (stops % 2) {
            char whole[200];
            snprintf(whole, sizeof(whole), "%s/spool/out/acme/a.edi", t.home);
            fetched += unlink(whole) == 0;
            snprintf(whole, sizeof(whole), "%s/erp/e.edi", t.home);
            fetched += unlink(whole) == 0;
        }
        place_open(&t);
        assert_int_equal(start_and_deliver(&t), 0);
        assert_int_equal(count(&t, STORE_OUT, TRANSMISSION_SENT), 4);
        assert_int_equal(files_in(&t, "spool/out/acme", false) + files_in(&t, "spool/out/beta", false) +
                             files_in(&t, "erp", false) + fetched, 4);
        assert_int_equal(files_in(&t, "spool/out/acme", true) + files_in(&t, "spool/out/beta", true) +
                             files_in(&t, "erp", true), 0);
        assert_int_equal(deliver(&t), 0);
        place_free(&t);
    }
    print_message("# %u stops\n", stops);
    assert_true(stops > 30);
}

static void test_litter(void **state)
{
    struct place_of_test *t = *state;

    make_folder(t, "spool/out");
    make_folder(t, "spool/out/acme");
    put_text(t, "spool/out/acme/.waybill-T1", "half");
    put_text(t, "spool/out/acme/.waybill-T99", "half");
    put_text(t, "spool/out/acme/.waybill-other", "not ours");
    place_open(t);
    make(t, &(struct made){ .name = "a.edi" });
    recover(t);
    assert_int_equal(files_in(t, "spool/out/acme", true), 1);
    put_text(t, "spool/out/acme/.waybill-T1", "half");
    assert_int_equal(deliver(t), 1);
    assert_content(t, "spool/out/acme/a.edi", "a.edi");
    assert_int_equal(files_in(t, "spool/out/acme", true), 1);
}

static void test_many(void **state)
{
    enum { MANY = 1500 };
    struct place_of_test *t = *state;
    uint32_t done, all = 0;

    place_open(t);
    for (unsigned i = 0; i < MANY; i++) {
        char name[40];
        snprintf(name, sizeof(name), "%u.edi", i);
        make(t, &(struct made){ .name = name, .priority = i % 3 });
    }
    while ((done = deliver(t)) > 0)
        all += done;
    assert_int_equal(all, MANY);
    assert_int_equal(files_in(t, "spool/out/acme", false), MANY);
}

static int attempt(void *arg)
{
    struct place_of_test *t = arg;
    struct err err = { 0 };
    uint32_t done;
    int rc = deliver_recover(&t->a, &err);

    return rc == 0 ? deliver_work(&t->a, &done, &err) : rc;
}

static void test_memory(void **state)
{
    struct place_of_test *t = *state;
    char name[40];

    place_open(t);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%u.edi", i);
        make(t, &(struct made){ .name = name });
    }
    fail_each_allocation(attempt, t);
    assert_int_equal(count(t, STORE_OUT, TRANSMISSION_SENT), 3);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "spool/out/acme/%u.edi", i);
        assert_true(is_there(t, name));
    }
}

static void test_clock(void **state)
{
    struct place_of_test *t = *state;
    struct err err = { 0 };
    uint32_t done = 7;

    place_open(t);
    assert_int_equal(clock_work(&t->a, &done, &err), 0);
    assert_int_equal(done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_delivered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_priority, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(test_name_taken, setup, teardown),
        cmocka_unit_test(test_waits_longer),
        cmocka_unit_test_setup_teardown(test_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_switched_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock_set_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fails_for_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_permission, setup, teardown),
        cmocka_unit_test_setup_teardown(test_laid_and_away, setup, teardown),
        cmocka_unit_test(test_killed),
        cmocka_unit_test_setup_teardown(test_litter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock, setup, teardown),
    };
    return cmocka_run_group_tests_name("deliver", tests, NULL, NULL);
}
