/*
 * flow/recall: earlier records, found by kind and field; what cannot be told apart, what is too large or too much, and that
 * what is kept needs no more memory than was reckoned.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/limits.h"
#include "failing_malloc.h"
#include "flow/recall.h"

struct reading {
    struct slice text;
    uint64_t memory;
    struct recall *recall;
    struct err err;
};

static int read_all(struct reading *r)
{
    int fd, rc;

    assert_int_equal(file_temporary("/tmp", &fd, NULL), 0);
    assert_int_equal(file_write_all(fd, r->text.p, r->text.n, NULL), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    memset(&r->err, 0, sizeof(r->err));
    rc = recall_new(r->memory, &r->recall, &r->err);
    if (rc == 0)
        rc = recall_read(r->recall, fd, "FILE", &r->err);
    close(fd);
    return rc;
}

static void check(struct reading *r, const char *kind, const char *path, const char *value, int rc, const char *id)
{
    const struct record *record;

    assert_int_equal(recall_find(r->recall, slice_of(kind), slice_of(path), slice_of(value), &record, &r->err), rc);
    if (!id) {
        assert_null(record);
        return;
    }
    assert_non_null(record);
    assert_true(slice_is(json_raw(record->tape, json_member(record->tape, 0, SLICE("id"))), id));
    assert_true(record->tape->room <= record->tape->n);
}

static const char records[] = "{\"record\":\"order\",\"id\":\"1\",\"number\":\"7\",\"to\":{\"id\":\"E\"}}\n"
                              "{\"record\":\"order\",\"id\":\"2\",\"number\":\"7\"}{\"record\":\"invoice\",\"id\":\"3\",\"number\":\"7\"}\n"
                              "{\"record\":\"order\",\"id\":\"4\",\"number\":\"\\u0038\",\"partner\":\"north\"}\n"
                              "{\"record\":\"order\",\"id\":\"5\",\"number\":\"8\",\"source\":{\"sender\":\"S\"}}\n"
                              "{\"record\":\"order\",\"id\":\"6\",\"number\":9,\"to\":[{\"id\":\"F\"}]}{\"record\":\"order\"}{}";

static void finding(void **state)
{
    struct reading r = { .text = slice_of(records) };
    (void)state;
    assert_int_equal(read_all(&r), 0);
    check(&r, "order", "number", "7", 0, "2");
    check(&r, "invoice", "number", "7", 0, "3");
    check(&r, "order", "to.id", "E", 0, "1");
    check(&r, "order", "to.id", "F", 0, NULL);
    check(&r, "order", "number", "9", 0, NULL);
    check(&r, "order", "", "", 0, NULL);
    check(&r, "order", "number", "8", ERR_DATA, NULL);
    assert_string_equal(r.err.text, "is of two records that could be recalled, sent by \"north\" and by \"S\"");
    recall_free(&r.recall);
}

static void what_cannot_be_kept(void **state)
{
    struct reading r = { .memory = 1 << 20 };
    struct buf text;
    (void)state;
    r.text = SLICE("{\"record\":\"order\"}\n{\"record\":");
    assert_int_equal(read_all(&r), ERR_DATA);
    assert_non_null(strstr(r.err.text, "FILE: record 2: line 2"));
    recall_free(&r.recall);
    /* many small ones */
    buf_init(&text, LIMIT_ITEM + (1 << 20));
    for (int i = 0; i < 10000; i++)
        buf_add_text(&text, "{\"record\":\"order\"}\n");
    r.text = buf_slice(&text);
    assert_int_equal(read_all(&r), ERR_LIMIT);
    assert_non_null(strstr(r.err.text, "there are more records to recall from than fit in 1 MiB"));
    recall_free(&r.recall);
    /* a large one */
    buf_clear(&text);
    buf_add_text(&text, "{\"lines\":[");
    while (text.n < LIMIT_ITEM)
        buf_add_text(&text, "\"a rather long text, so that there are not so many of them\",");
    buf_add_text(&text, "\"\"]}");
    r.text = buf_slice(&text);
    r.memory = 0;
    assert_int_equal(read_all(&r), ERR_LIMIT);
    assert_string_equal(r.err.text, "FILE: line 1: a record to recall from has 64 MiB at most");
    recall_free(&r.recall);
    buf_deinit(&text);
}

static int read_and_find(void *arg)
{
    struct reading *r = arg;
    const struct record *record;
    int rc = read_all(r);

    if (rc == 0)
        rc = recall_find(r->recall, SLICE("order"), SLICE("number"), SLICE("7"), &record, &r->err);
    if (rc == 0)
        rc = recall_find(r->recall, SLICE("order"), SLICE("number"), SLICE("8"), &record, &r->err);
    recall_free(&r->recall);
    return rc == ERR_DATA ? 0 : rc;
}

static void no_memory(void **state)
{
    struct reading r = { .text = slice_of(records) };
    (void)state;
    assert_true(fail_each_allocation(read_and_find, &r) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finding),
        cmocka_unit_test(what_cannot_be_kept),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
