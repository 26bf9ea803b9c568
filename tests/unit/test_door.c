/* Files taken at the door: which are whole, what becomes of all others, and the process killed at each call. */
#include "appliance_home.h"

#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "failing_malloc.h"

static unsigned take(struct place_of_test *t)
{
    struct err err = { 0 };
    uint32_t done = 0;

    if (door_take(&t->a, &done, &err) < 0)
        fail_msg("%s", err.text);
    return done;
}

static void recover(struct place_of_test *t)
{
    struct err err = { 0 };

    if (door_recover(&t->a, &err) < 0)
        fail_msg("%s", err.text);
}

/* What is told of the doors: "FOLDER/NAME: WHY" for each, sorted as they come. */
struct told {
    unsigned n;
    char text[8000];
    store_time until;
};

static int tell_row(void *ctx, const struct door_file *f)
{
    struct told *k = ctx;
    size_t n = strlen(k->text);

    k->n++;
    k->until = f->until;
    if (n < sizeof(k->text) - 600)
        snprintf(k->text + n, sizeof(k->text) - n, "%.*s %.*s/%.*s: %.*s\n", SLICE_FMT(f->partner),
                 SLICE_FMT(f->folder), SLICE_FMT(f->name), SLICE_FMT(f->why));
    return 0;
}

static void look(struct place_of_test *t, struct told *k)
{
    struct err err = { 0 };

    *k = (struct told){ 0 };
    if (door_look(t->a.home, t->a.store, t->a.spool, slice(NULL, 0), tell_row, k, &err) < 0)
        fail_msg("%s", err.text);
}

static void assert_told(const struct told *k, const char *what)
{
    if (!strstr(k->text, what))
        fail_msg("not told: %s\ntold: %s", what, k->text);
}

static int setup(void **state)
{
    struct place_of_test *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    place_new(t, "0");
    put_partner(t, "acme", "  is retailer\n");
    make_folder(t, "spool/in");
    make_folder(t, "spool/in/acme");
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

static void test_taken(void **state)
{
    struct place_of_test *t = *state;
    struct store_query q = { .direction = STORE_IN };
    struct asked k;
    struct err err = { 0 };
    struct buf b;
    char *big = calloc(1, 300000);

    assert_non_null(big);
    memset(big, 'x', 300000);
    put_text(t, "spool/in/acme/one.edi", "ISA*one");
    put_text(t, "spool/in/acme/empty.edi", "");
    put_bytes(t, "spool/in/acme/big.edi", big, 300000);
    place_open(t);
    assert_int_equal(take(t), 3);
    ask(t, &q, &k);
    assert_int_equal(k.n, 3);
    assert_non_null(strstr(k.names, "one.edi "));
    assert_non_null(strstr(k.names, "empty.edi "));
    assert_int_equal(count(t, STORE_IN, TRANSMISSION_ARRIVED), 3);
    assert_false(is_there(t, "spool/in/acme/one.edi"));
    assert_false(is_there(t, "spool/in/acme/empty.edi"));
    assert_false(is_there(t, "spool/in/acme/big.edi"));
    q.source = true;
    ask(t, &q, &k);
    assert_int_equal(k.n, 0);
    assert_int_equal(take(t), 0);
    /* the bytes are there */
    put_text(t, "spool/in/acme/two.edi", "ISA*two");
    assert_int_equal(take(t), 1);
    q = (struct store_query){ .direction = STORE_IN, .newest = true, .limit = 1 };
    ask(t, &q, &k);
    buf_init(&b, 100);
    if (object_load(t->a.objects, &k.last.payload, &b, &err) < 0)
        fail_msg("%s: %s", k.names, err.text);
    assert_true(slice_is(buf_slice(&b), "ISA*two"));
    buf_deinit(&b);
    free(big);
}

static void test_oldest_first(void **state)
{
    struct place_of_test *t = *state;
    struct store_query q = { .direction = STORE_IN };
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1000 } };
    struct asked k;

    place_open(t);
    for (unsigned i = 0; i < 5; i++) {
        char path[100], whole[200];
        snprintf(path, sizeof(path), "spool/in/acme/%u.edi", i);
        snprintf(whole, sizeof(whole), "%s/%s", t->home, path);
        put_text(t, path, path);
        times[1].tv_sec = 2000 - i;
        assert_int_equal(utimensat(AT_FDCWD, whole, times, 0), 0);
    }
    assert_int_equal(take(t), 5);
    ask(t, &q, &k);
    assert_string_equal(k.names, "4.edi 3.edi 2.edi 1.edi 0.edi ");
}

/* Longer than the disk, or than what was written: such a file stays, and no other waits for it. */
static void test_sparse(void **state)
{
    struct place_of_test *t = *state;
    char path[300];
    struct told told;

    place_open(t);
    put_text(t, "spool/in/acme/holes.edi", "ISA*holes");
    put_text(t, "spool/in/acme/huge.edi", "ISA*huge");
    put_text(t, "spool/in/acme/whole.edi", "ISA*whole");
    snprintf(path, sizeof(path), "%s/spool/in/acme/holes.edi", t->home);
    assert_int_equal(truncate(path, 1 << 20), 0);
    snprintf(path, sizeof(path), "%s/spool/in/acme/huge.edi", t->home);
    assert_int_equal(truncate(path, INT64_C(1) << 43), 0);
    assert_int_equal(take(t), 1);
    assert_false(is_there(t, "spool/in/acme/whole.edi"));
    look(t, &told);
    assert_int_equal(told.n, 2);
    assert_told(&told, "acme in/acme/holes.edi: it has holes");
    assert_told(&told, "acme in/acme/huge.edi: it has 8796093022208 bytes, and there is not so much room for it");
}

static void test_strange_names(void **state)
{
    static const char *const names[] = { "a b.edi", "line\nbreak.edi", "\033[31mred.edi", "latin-\xe4.edi",
                                         "gr\303\266\303\237e.edi", "back\\slash", "..x" };
    struct place_of_test *t = *state;
    struct store_query q = { .direction = STORE_IN };
    struct asked k;
    struct told told;

    place_open(t);
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[100];
        snprintf(path, sizeof(path), "spool/in/acme/%s", names[i]);
        put_text(t, path, names[i]);
    }
    assert_int_equal(take(t), 6);       /* "..x" begins with a dot */
    ask(t, &q, &k);
    assert_non_null(strstr(k.names, "line\\x0abreak.edi"));
    assert_non_null(strstr(k.names, "\\x1b[31mred.edi"));
    assert_non_null(strstr(k.names, "latin-\\xe4.edi"));
    assert_non_null(strstr(k.names, "gr\303\266\303\237e.edi"));
    look(t, &told);
    assert_int_equal(told.n, 1);
    assert_told(&told, "acme in/acme/..x: its name begins with a dot");
    q.source = true;
    ask(t, &q, &k);
    assert_int_equal(k.n, 0);
}

static void test_not_files(void **state)
{
    struct place_of_test *t = *state;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct told told;
    char whole[200];
    int s;

    place_open(t);
    make_folder(t, "spool/in/acme/folder");
    put_text(t, "secret", "secret");
    snprintf(whole, sizeof(whole), "%s/spool/in/acme/link.edi", t->home);
    assert_int_equal(symlink("../../../secret", whole), 0);
    snprintf(whole, sizeof(whole), "%s/spool/in/acme/fifo.edi", t->home);
    assert_int_equal(mkfifo(whole, 0666), 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/spool/in/acme/socket", t->home);
    s = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof(address)), 0);
    put_text(t, "spool/in/acme/.hidden", "x");
    put_text(t, "spool/in/acme/half.PART", "x");
    put_text(t, "spool/in/acme/half.tmp", "x");
    put_text(t, "spool/in/acme/half.filepart", "x");
    put_text(t, "spool/in/acme/half.partial", "x");
    put_text(t, "spool/in/acme/half.writing", "x");
    put_text(t, "spool/in/acme/half.crdownload", "x");
    put_text(t, "spool/in/acme/good.edi", "x");
    assert_int_equal(take(t), 1);
    look(t, &told);
    assert_int_equal(told.n, 11);
    assert_told(&told, "acme in/acme/folder: it is a folder");
    assert_told(&told, "acme in/acme/link.edi: it is a symbolic link");
    assert_told(&told, "acme in/acme/fifo.edi: it is a FIFO");
    assert_told(&told, "acme in/acme/socket: it is a socket");
    assert_told(&told, "acme in/acme/.hidden: its name begins with a dot");
    assert_told(&told, "acme in/acme/half.PART: its name ends in .part");
    assert_told(&told, "acme in/acme/half.tmp: its name ends in .tmp");
    assert_int_equal(close(s), 0);
}

static void test_rests(void **state)
{
    struct place_of_test *t = *state;
    struct told told;

    put_text(t, "waybill.conf", "settle 5s\n");
    put_text(t, "spool/in/acme/a.edi", "a");
    t->clock = real_time();
    place_open(t);
    assert_int_equal(take(t), 0);
    assert_true(t->a.wait > t->clock && t->a.wait <= t->clock + 5000);
    look(t, &told);
    assert_told(&told, "a.edi: it was changed a moment ago");
    assert_int_equal(told.until, t->a.wait);
    t->clock = t->a.wait - 1;
    assert_int_equal(take(t), 0);
    t->clock = t->a.wait;
    look(t, &told);
    assert_told(&told, "a.edi: \n");
    assert_int_equal(take(t), 1);
    assert_int_equal(t->a.wait, 0);
}

static void test_future(void **state)
{
    struct place_of_test *t = *state;
    struct told told;
    store_time now = real_time() - 1000 * 86400 * (store_time)400;

    put_text(t, "waybill.conf", "settle 5s\n");
    put_text(t, "spool/in/acme/a.edi", "a");
    t->clock = now;             /* set back by more than a year */
    place_open(t);
    assert_int_equal(take(t), 0);
    assert_int_equal(t->a.wait, now + 5000);
    look(t, &told);
    assert_told(&told, "a.edi: its time is yet to come");
    t->clock = now + 4999;
    assert_int_equal(take(t), 0);
    /* changed in between: it starts anew */
    put_text(t, "spool/in/acme/a.edi", "ab");
    t->clock = now + 5000;
    assert_int_equal(take(t), 0);
    assert_int_equal(t->a.wait, now + 10000);
    /* set back once more */
    t->clock = now - 100000;
    assert_int_equal(take(t), 0);
    t->clock = now - 95000;
    assert_int_equal(take(t), 1);
    /* a time that somebody gave it counts for nothing */
    put_text(t, "waybill.conf", "settle 0\n");
}

static void test_time_given(void **state)
{
    struct place_of_test *t = *state;
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 4000000000 } };
    char whole[200];

    put_text(t, "waybill.conf", "settle 5s\n");
    put_text(t, "spool/in/acme/a.edi", "a");
    snprintf(whole, sizeof(whole), "%s/spool/in/acme/a.edi", t->home);
    assert_int_equal(utimensat(AT_FDCWD, whole, times, 0), 0);
    t->clock = real_time() + 6000;
    place_open(t);
    assert_int_equal(take(t), 1);
    /* and an old one does not say that it rests */
    put_text(t, "spool/in/acme/b.edi", "b");
    snprintf(whole, sizeof(whole), "%s/spool/in/acme/b.edi", t->home);
    times[1].tv_sec = 1000;
    assert_int_equal(utimensat(AT_FDCWD, whole, times, 0), 0);
    t->clock = real_time();
    assert_int_equal(take(t), 0);
}

static void test_being_written(void **state)
{
    struct place_of_test *t = *state;
    struct told told;
    char whole[200];
    int fd, probe;

    place_open(t);
    put_text(t, "spool/in/acme/a.edi", "a");
    snprintf(whole, sizeof(whole), "%s/spool/in/acme/a.edi", t->home);
    probe = open(whole, O_RDONLY);
    if (fcntl(probe, F_SETLEASE, F_RDLCK) < 0) {
        close(probe);
        return; /* no leases on this file system */
    }
    close(probe);
    fd = open(whole, O_WRONLY | O_APPEND);
    assert_true(fd >= 0);
    assert_int_equal(take(t), 0);
    look(t, &told);
    assert_told(&told, "a.edi: somebody is writing it");
    close(fd);
    assert_int_equal(take(t), 1);
}

/* A writer that comes when the first bytes are copied. */
static struct {
    char path[200];
    bool armed;
} writer;

ssize_t read(int fd, void *p, size_t n)
{
    ssize_t r = syscall(SYS_read, fd, p, n);

    if (writer.armed && r == 128 << 10) {
        int to = open(writer.path, O_WRONLY | O_NOFOLLOW);
        writer.armed = false;
        assert_int_equal(syscall(SYS_pwrite64, to, "y", 1, 0), 1);
        close(to);
    }
    return r;
}

static void test_changed_meanwhile(void **state)
{
    struct place_of_test *t = *state;
    char *big = calloc(1, 300000);

    assert_non_null(big);
    place_open(t);
    put_bytes(t, "spool/in/acme/big.edi", big, 300000);
    put_text(t, "spool/in/acme/small.edi", "a");
    snprintf(writer.path, sizeof(writer.path), "%s/spool/in/acme/big.edi", t->home);
    usleep(20000);              /* the file system's clock has moved on */
    writer.armed = true;
    assert_int_equal(take(t), 1);
    assert_false(writer.armed);
    assert_true(is_there(t, "spool/in/acme/big.edi"));
    assert_int_equal(take(t), 1);
    assert_int_equal(count(t, STORE_IN, 0), 2);
    free(big);
}

static void test_keep(void **state)
{
    struct place_of_test *t = *state;
    struct store_query q = { .direction = STORE_IN, .source = true };
    struct asked k;
    struct told told;
    char whole[200];

    make_folder(t, "theirs");
    put_partner(t, "acme", "  pick up folder @/theirs/*.edi\n    then keep\n");
    put_text(t, "theirs/a.edi", "a");
    put_text(t, "theirs/b.txt", "b");
    place_open(t);
    assert_int_equal(take(t), 1);
    assert_int_equal(take(t), 0);
    assert_true(is_there(t, "theirs/a.edi"));
    ask(t, &q, &k);
    assert_int_equal(k.n, 0);
    look(t, &told);
    assert_int_equal(told.n, 0);
    place_close(t);
    place_open(t);
    recover(t);
    assert_int_equal(take(t), 0);
    /* another file of that name */
    snprintf(whole, sizeof(whole), "%s/theirs/a.edi", t->home);
    assert_int_equal(unlink(whole), 0);
    recover(t);
    put_text(t, "theirs/a.edi", "new");
    assert_int_equal(take(t), 1);
    assert_int_equal(take(t), 0);
    /* nobody keeps it any more */
    place_close(t);
    put_partner(t, "acme", "  pick up folder @/theirs/*.edi\n    then delete\n");
    place_open(t);
    assert_int_equal(take(t), 0);
    assert_false(is_there(t, "theirs/a.edi"));
    put_text(t, "theirs/a.edi", "newer");
    assert_int_equal(take(t), 1);
    assert_false(is_there(t, "theirs/a.edi"));
    assert_int_equal(count(t, STORE_IN, 0), 3);
}

static void test_move(void **state)
{
    struct place_of_test *t = *state;
    struct told told;

    make_folder(t, "theirs");
    put_partner(t, "acme", "  pick up folder @/theirs\n    then move @/theirs/done\n");
    put_text(t, "theirs/a.edi", "a");
    place_open(t);
    assert_int_equal(take(t), 1);
    assert_true(is_there(t, "theirs/done/a.edi"));
    assert_false(is_there(t, "theirs/a.edi"));
    put_text(t, "theirs/a.edi", "another");
    assert_int_equal(take(t), 1);
    assert_true(is_there(t, "theirs/done/a.edi.T2"));
    assert_false(is_there(t, "theirs/a.edi"));
    look(t, &told);
    assert_int_equal(told.n, 0);
    /* another file system */
    faults.fail_rename = EXDEV;
    put_text(t, "theirs/b.edi", "b");
    assert_int_equal(take(t), 1);
    faults.fail_rename = 0;
    assert_int_equal(take(t), 0);
}

/* To another file system for real, where there is one. */
static void test_move_far(void **state)
{
    struct place_of_test *t = *state;
    char far[] = "/dev/shm/waybill-test-XXXXXX", text[200], path[200];
    struct stat here, there;
    FILE *f;

    if (!mkdtemp(far) || stat(t->home, &here) < 0 || stat(far, &there) < 0 || here.st_dev == there.st_dev)
        return; /* not skip(): that counts as failed */
    make_folder(t, "theirs");
    snprintf(text, sizeof(text), "  pick up folder @/theirs\n    then move %s\n", far);
    put_partner(t, "acme", text);
    place_open(t);
    put_text(t, "theirs/a.edi", "far away");
    assert_int_equal(take(t), 1);
    put_text(t, "theirs/a.edi", "far away, too");
    assert_int_equal(take(t), 1);
    assert_false(is_there(t, "theirs/a.edi"));
    snprintf(path, sizeof(path), "%s/a.edi", far);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof(text), f));
    assert_string_equal(text, "far away");
    fclose(f);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/a.edi.T2", far);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(far), 0);    /* nothing else was left there */
}

static void test_cannot_be_removed(void **state)
{
    struct place_of_test *t = *state;
    struct store_query q = { .direction = STORE_IN, .source = true };
    struct asked k;
    struct told told;

    put_text(t, "spool/in/acme/a.edi", "a");
    place_open(t);
    faults.fail_unlink = EACCES;
    assert_int_equal(take(t), 1);
    assert_int_equal(take(t), 0);
    ask(t, &q, &k);
    assert_int_equal(k.n, 0);
    look(t, &told);
    assert_told(&told, "a.edi: it was taken, and cannot be removed");
    place_close(t);
    place_open(t);
    recover(t);
    assert_int_equal(take(t), 0);
    faults.fail_unlink = 0;
    assert_int_equal(take(t), 0);
    assert_false(is_there(t, "spool/in/acme/a.edi"));
    assert_int_equal(count(t, STORE_IN, 0), 1);
}

static void test_folder_not_synced(void **state)
{
    struct place_of_test *t = *state;
    struct stat st;
    char whole[200];

    put_text(t, "spool/in/acme/a.edi", "a");
    place_open(t);
    snprintf(whole, sizeof(whole), "%s/spool/in/acme", t->home);
    assert_int_equal(stat(whole, &st), 0);
    faults.folder = st.st_dev;
    faults.folder_number = st.st_ino;
    faults.fail_fsync = EIO;
    assert_int_equal(take(t), 1);
    assert_int_equal(take(t), 0);
    put_text(t, "spool/in/acme/b.edi", "b");
    assert_int_equal(take(t), 1);
    assert_int_equal(count(t, STORE_IN, 0), 2);
}

/* Our own disk is full, or fails: nothing is accepted, nothing is removed, and it goes on when that is over. */
static void test_our_disk(void **state)
{
    struct place_of_test *t = *state;
    struct err err = { 0 };
    uint32_t done = 7;
    char *big = calloc(1, 300000);

    assert_non_null(big);
    put_bytes(t, "spool/in/acme/big.edi", big, 300000);
    put_text(t, "spool/in/acme/small.edi", "small");
    place_open(t);
    faults.fail_write = ENOSPC;
    assert_int_equal(door_take(&t->a, &done, &err), ERR_IO);
    assert_int_equal(done, 0);
    assert_non_null(strstr(err.text, "No space left"));
    faults.fail_write = 0;
    faults.fail_fsync = EIO;
    assert_int_equal(door_take(&t->a, &done, &err), ERR_IO);
    faults.fail_fsync = 0;
    assert_int_equal(count(t, STORE_IN, 0), 0);
    assert_true(is_there(t, "spool/in/acme/small.edi"));
    assert_int_equal(take(t), 2);
    assert_int_equal(count(t, STORE_IN, 0), 2);
    assert_false(is_there(t, "spool/in/acme/big.edi"));
    free(big);
}

static void test_folders_that_are_not_there(void **state)
{
    struct place_of_test *t = *state;
    struct told told;
    char whole[200], away[200];

    put_partner(t, "beta", "  pick up folder @/nowhere\n    then delete\n");
    put_partner(t, "gone", "  off\n");
    make_folder(t, "spool/in/gone");
    make_folder(t, "spool/in/stranger");
    put_text(t, "spool/in/gone/a.edi", "a");
    put_text(t, "spool/in/stranger/s.edi", "s");
    put_text(t, "spool/in/lost.edi", "l");
    put_text(t, "spool/in/acme/a.edi", "a");
    place_open(t);
    assert_int_equal(take(t), 1);
    assert_true(is_there(t, "spool/in/beta"));
    look(t, &told);
    assert_int_equal(told.n, 4);
    assert_told(&told, "/nowhere/: the folder");
    assert_told(&told, "gone in/gone/a.edi: the partner is switched off");
    assert_told(&told, " in/stranger/s.edi: there is no partner of that name");
    assert_told(&told, " in/lost.edi: it lies in no partner's folder");
    /* it vanishes, with a file that was accepted and not yet removed */
    make_folder(t, "nowhere");
    put_text(t, "nowhere/n.edi", "n");
    snprintf(whole, sizeof(whole), "%s/nowhere", t->home);
    snprintf(away, sizeof(away), "%s/away", t->home);
    assert_int_equal(take(t), 1);
    assert_int_equal(rename(whole, away), 0);
    assert_int_equal(take(t), 0);
    recover(t);
    /* a folder of ours that is none */
    snprintf(whole, sizeof(whole), "%s/spool/in/beta", t->home);
    assert_int_equal(rmdir(whole), 0);
    assert_int_equal(symlink("../../away", whole), 0);
    put_text(t, "away/x.edi", "x");
    assert_int_equal(take(t), 0);
    look(t, &told);
    assert_told(&told, "beta in/beta/: the folder beta of the spool cannot be opened");
}

static void test_as_somebody_else(void **state)
{
    struct place_of_test *t = *state;
    struct passwd *nobody = getpwnam("nobody");
    int status;
    pid_t child;

    if (geteuid() != 0 || !nobody)
        return; /* not skip(): that counts as failed */
    make_folder(t, "theirs");
    put_partner(t, "acme", "  pick up folder @/theirs\n    then delete\n");
    put_text(t, "theirs/theirs.edi", "theirs");
    put_text(t, "theirs/private.edi", "private");
    put_text(t, "spool/in/acme/a.edi", "a");
    char whole[200];
    snprintf(whole, sizeof(whole), "%s/theirs/private.edi", t->home);
    assert_int_equal(chmod(whole, 0600), 0);
    assert_int_equal(chown(t->home, nobody->pw_uid, nobody->pw_gid), 0);
    assert_int_equal(chown(t->spool, nobody->pw_uid, nobody->pw_gid), 0);
    snprintf(whole, sizeof(whole), "%s/spool/in", t->home);
    assert_int_equal(chown(whole, nobody->pw_uid, nobody->pw_gid), 0);
    snprintf(whole, sizeof(whole), "%s/spool/in/acme", t->home);
    assert_int_equal(chown(whole, nobody->pw_uid, nobody->pw_gid), 0);
    child = fork();
    if (child == 0) {
        struct told told;
        if (setgid(nobody->pw_gid) < 0 || setuid(nobody->pw_uid) < 0)
            _exit(2);
        place_open(t);
        if (take(t) != 2)       /* ours, of another owner in our folder; and theirs, which cannot be removed */
            _exit(3);
        if (take(t) != 0 || is_there(t, "spool/in/acme/a.edi") || !is_there(t, "theirs/theirs.edi"))
            _exit(4);
        look(t, &told);
        if (!strstr(told.text, "theirs.edi: it was taken, and cannot be removed"))
            _exit(5);
        if (!strstr(told.text, "private.edi: it cannot be read"))
            _exit(6);
        place_close(t);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_many(void **state)
{
    enum { MANY = 2000 };
    struct place_of_test *t = *state;
    struct timespec from, to;

    place_open(t);
    for (unsigned i = 0; i < MANY; i++) {
        char path[100];
        snprintf(path, sizeof(path), "spool/in/acme/%u.edi", i);
        put_text(t, path, path);
    }
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_int_equal(take(t), MANY);
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (getenv("WAYBILL_TEST_TIMES"))
        print_message("# %u files in %.3f s\n", MANY,
                      (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    assert_int_equal(count(t, STORE_IN, TRANSMISSION_ARRIVED), MANY);
    assert_int_equal(take(t), 0);
}

static bool stop_at_once(void *ctx)
{
    return (*(unsigned *)ctx)++ >= 4;
}

static void test_stops_between_batches(void **state)
{
    struct place_of_test *t = *state;
    unsigned asked = 0;

    place_open(t);
    for (unsigned i = 0; i < 500; i++) {
        char path[100];
        snprintf(path, sizeof(path), "spool/in/acme/%u.edi", i);
        put_text(t, path, path);
    }
    t->a.stop = stop_at_once;
    t->a.ctx = &asked;
    assert_in_range(take(t), 100, 400);
    t->a.stop = NULL;
    while (take(t) > 0)
        ;
    assert_int_equal(count(t, STORE_IN, 0), 500);
}

/* --- Killed ----------------------------------------------------------------------------------------- */

static int start_and_take(struct place_of_test *t)
{
    struct err err = { 0 };
    uint32_t done;
    int rc = door_recover(&t->a, &err);

    return rc == 0 ? door_take(&t->a, &done, &err) : rc;
}

static void prepare_killing(struct place_of_test *t)
{
    static char big[100000];

    memset(big, 'b', sizeof(big));
    place_new(t, "0");
    make_folder(t, "spool/in");
    make_folder(t, "spool/in/acme");
    make_folder(t, "kept");
    make_folder(t, "moved");
    put_partner(t, "acme", "  pick up folder @/kept\n    then keep\n"
                           "  pick up folder @/moved\n    then move @/done\n");
    put_text(t, "spool/in/acme/a.edi", "a");
    put_text(t, "spool/in/acme/b.edi", "b");
    put_bytes(t, "spool/in/acme/big.edi", big, sizeof(big));
    put_text(t, "kept/k.edi", "k");
    put_text(t, "moved/m.edi", "m");
    /* a ledger that is there already */
    place_open(t);
    place_close(t);
}

static void check_killing(struct place_of_test *t)
{
    struct store_query q = { .direction = STORE_IN };
    struct asked k;
    struct told told;

    place_open(t);
    assert_int_equal(start_and_take(t), 0);
    ask(t, &q, &k);
    assert_int_equal(k.n, 5);
    assert_int_equal(strlen(k.names), strlen("a.edi b.edi big.edi k.edi m.edi "));
    q.source = true;
    ask(t, &q, &k);
    assert_int_equal(k.n, 0);
    assert_false(is_there(t, "spool/in/acme/a.edi"));
    assert_false(is_there(t, "spool/in/acme/b.edi"));
    assert_false(is_there(t, "spool/in/acme/big.edi"));
    assert_true(is_there(t, "kept/k.edi"));
    assert_false(is_there(t, "moved/m.edi"));
    assert_true(is_there(t, "done/m.edi"));
    assert_int_equal(take(t), 0);
    look(t, &told);
    assert_int_equal(told.n, 0);
}

static void test_killed(void **state)
{
    unsigned stops = 0;

    (void)state;
    for (bool killed = true; killed; stops += killed) {
        struct place_of_test t;

        prepare_killing(&t);
        killed = killed_at(&t, stops + 1, start_and_take);
        check_killing(&t);
        place_free(&t);
    }
    print_message("# %u stops\n", stops);
    assert_true(stops > 60);
}

/* --- Memory ----------------------------------------------------------------------------------------- */

static int attempt(void *arg)
{
    struct place_of_test *t = arg;
    struct err err = { 0 };
    uint32_t done;
    int rc;

    put_text(t, "spool/in/acme/a.edi", "a");
    put_text(t, "spool/in/acme/b.edi", "b");
    rc = door_recover(&t->a, &err);
    if (rc == 0)
        rc = door_take(&t->a, &done, &err);
    door_forget(&t->a.looks);
    return rc;
}

static void test_memory(void **state)
{
    struct place_of_test *t = *state;

    place_open(t);
    assert_int_equal(attempt(t), 0);    /* what the ledger and the objects keep for themselves is there now */
    assert_true(fail_each_allocation(attempt, t) > 3);
    assert_int_equal(take(t), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oldest_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sparse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strange_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_future, setup, teardown),
        cmocka_unit_test_setup_teardown(test_time_given, setup, teardown),
        cmocka_unit_test_setup_teardown(test_being_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_move, setup, teardown),
        cmocka_unit_test_setup_teardown(test_move_far, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cannot_be_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folder_not_synced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_our_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folders_that_are_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_as_somebody_else, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stops_between_batches, setup, teardown),
        cmocka_unit_test(test_killed),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
    };
    return cmocka_run_group_tests_name("door", tests, NULL, NULL);
}
