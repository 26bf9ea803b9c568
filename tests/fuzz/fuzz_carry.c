/*
 * fuzz_carry: a map between records, a record, one that is recalled, a table: parted by form feeds. A map that is refused
 * must be complained of. What one that compiles makes are lines of the other kind, as many as it says, or nothing when the
 * record is refused; and a record read list by list gives the same.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow/recall.h"
#include "map/carry.h"
#include "map/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define require(right) ((right) ? (void)0 : broken(#right))

/* Small, so that time goes into what is done with them and not into their length. */
enum { MOST_INPUT = 8 << 10, MOST_MADE = 16 << 20 };

#define ENVELOPE(kind) \
    "{\"title\":\"" kind "\",\"type\":\"object\",\"required\":[\"record\",\"version\"],\"additionalProperties\":false," \
    "\"properties\":{\"record\":{\"type\":\"string\",\"const\":\"" kind "\"},\"version\":{\"type\":\"integer\",\"const\":1}," \
    "\"id\":{\"type\":\"string\"},\"transmission\":{\"type\":\"string\"},\"partner\":{\"type\":\"string\"}," \
    "\"source\":{\"type\":\"object\",\"properties\":{\"usage\":{\"type\":\"string\"}}}," \
    "\"unmapped\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"additionalProperties\":true}}," \
    "\"rejected\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"additionalProperties\":true}}," \
    "\"number\":{\"type\":\"string\"},\"at\":{\"type\":\"string\",\"format\":\"partial-datetime\"}," \
    "\"on\":{\"type\":\"string\",\"format\":\"date\"},\"sum\":{\"type\":\"string\",\"format\":\"decimal\"}," \
    "\"whole\":{\"type\":\"integer\"},\"test\":{\"type\":\"boolean\"},\"place\":{\"$ref\":\"#/$defs/place\"}," \
    "\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"lines\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/line\"}}"
#define OBJECTS \
    "},\"$defs\":{\"place\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"name\":{\"type\":\"string\"}," \
    "\"city\":{\"type\":\"string\"},\"place\":{\"$ref\":\"#/$defs/place\"}}}," \
    "\"item\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"scheme\":{\"type\":\"string\"}," \
    "\"id\":{\"type\":\"string\"}}}," \
    "\"line\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"id\":{\"type\":\"string\"}," \
    "\"parent\":{\"type\":\"string\"},\"number\":{\"type\":\"string\"},\"store\":{\"type\":\"string\"}," \
    "\"quantity\":{\"type\":\"string\",\"format\":\"decimal\"},\"notes\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}," \
    "\"items\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/item\"}}," \
    "\"lines\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/line\"}}}}}}"

static const char *const files[][2] = {
    { "/records/src.1.schema.json", ENVELOPE("src") OBJECTS },
    { "/records/dst.1.schema.json", ENVELOPE("dst") ",\"nodes\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/line\"}}" OBJECTS },
    { "/tables/color.table", "table color\n  R  red\n  G  green\n  *  refuse\n" },
    { "/tables/t.csv", "" },
};
static const char *const folders[] = { "/records", "/tables", "" };

static char directory[60];

struct making {
    struct recall *recall;
    struct buf out;
    unsigned errors;
};

static void broken(const char *what)
{
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

static void put_file(const char *name, struct slice text)
{
    char path[160];
    int fd;

    snprintf(path, sizeof(path), "%s%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && (text.n == 0 || write(fd, text.p, text.n) == (ssize_t)text.n));
    close(fd);
}

static void clean_up(void)
{
    char path[160];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", directory, files[i][0]);
        remove(path);
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", directory, folders[i]);
        remove(path);
    }
}

static void set_up(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(directory, sizeof(directory), "%.30s/fuzz-carry-XXXXXX", tmp ? tmp : "/tmp");
    require(mkdtemp(directory) != NULL);
    atexit(clean_up);
    for (size_t i = 0; i + 1 < sizeof(folders) / sizeof(folders[0]); i++) {
        char path[160];
        snprintf(path, sizeof(path), "%s%s", directory, folders[i]);
        require(mkdir(path, 0700) == 0);
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        put_file(files[i][0], slice_of(files[i][1]));
}

static int file_of(struct slice text)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    require(fd >= 0 && (text.n == 0 || write(fd, text.p, text.n) == (ssize_t)text.n) && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static int on_recall(void *ctx, const struct record_kind *kind, struct slice path, struct slice value,
                     const struct record **record_r, struct err *err)
{
    return recall_find(((struct making *)ctx)->recall, kind->name, path, value, record_r, err);
}

static int on_write(void *ctx, const char *p, size_t n, struct err *err)
{
    (void)err;
    buf_add(&((struct making *)ctx)->out, p, n);
    return 0;
}

static int on_finding(void *ctx, const struct map_write_finding *f)
{
    struct buf words;

    buf_init(&words, 1 << 16);
    map_write_finding_text(f, &words);
    require(words.n > 0 || words.failed);
    buf_deinit(&words);
    ((struct making *)ctx)->errors += f->severity == SEVERITY_ERROR;
    return 0;
}

static int ignore_finding(void *ctx, const struct record_finding *f)
{
    (void)ctx;
    (void)f;
    return 0;
}

/* Each is a line, and right by its kind. */
static void check_made(const struct record_kind *kind, struct slice made, int count)
{
    bool more = made.n > 0;

    require(made.n == 0 || made.p[made.n - 1] == '\n');
    for (made.n -= made.n > 0; more; count--) {
        struct json_tape tape;
        struct slice line = slice_cut(made, '\n', &made, &more);
        json_tape_init(&tape, MOST_MADE);
        require(json_parse(&tape, line, NULL) == 0);
        require(record_check(kind, &tape, 0, ignore_finding, NULL) == 0);
        json_tape_deinit(&tape);
    }
    require(count == 0);
}

/* True: all records came to an end without reaching a ceiling. */
static bool carry_text(const struct carry_plan *plan, struct making *m, struct slice text, bool streamed)
{
    const struct record_reader_options reading = { .memory = streamed ? 200 : 0, .small = 1, .directory = directory,
                                                   .chunk = 4 << 10 };
    const struct carry_options options = { .recall = on_recall, .write = on_write, .finding = on_finding, .ctx = m,
                                           .directory = directory, .memory = streamed ? 100 : 0 };
    struct record_reader *reader;
    const struct record *record;
    struct carry *c;
    int fd = file_of(text), rc;
    bool all = true;

    buf_init(&m->out, MOST_MADE);
    require(record_reader_new(fd, &reading, &reader, NULL) == 0 && carry_new(plan, &options, &c, NULL) == 0);
    while ((rc = record_reader_next(reader, &record, NULL)) > 0 || rc == ERR_DATA) {
        size_t before = m->out.n;
        if (rc == ERR_DATA)
            continue;
        m->errors = 0;
        rc = carry_record(c, record, NULL);
        if (m->out.failed)
            break;
        require(rc > 0 || rc == ERR_DATA || rc == ERR_LIMIT || rc == ERR_NOMEM);
        require((rc == ERR_DATA) == (m->errors > 0) || rc == ERR_LIMIT || rc == ERR_NOMEM);
        check_made(carry_plan_to(plan), slice_from(buf_slice(&m->out), before), rc > 0 ? rc : 0);
        all = all && rc != ERR_LIMIT && rc != ERR_NOMEM;
    }
    all = all && rc == 0 && !m->out.failed;
    carry_free(&c);
    record_reader_free(&reader);
    close(fd);
    return all;
}

static void carry_all(const struct carry_plan *plan, struct slice record, struct slice recalled)
{
    struct making whole = { .errors = 0 }, pieces = { .errors = 0 };
    bool good, same;
    int fd = file_of(recalled);

    require(recall_new(16 << 20, &whole.recall, NULL) == 0);
    recall_read(whole.recall, fd, "recalled", NULL);
    close(fd);
    pieces.recall = whole.recall;
    good = carry_text(plan, &whole, record, false);
    same = carry_text(plan, &pieces, record, true);
    require(!good || !same || slice_eq(buf_slice(&whole.out), buf_slice(&pieces.out)));
    buf_deinit(&whole.out);
    buf_deinit(&pieces.out);
    recall_free(&whole.recall);
}

static int no_gap(void *ctx, const struct carry_gap *gap)
{
    (void)ctx;
    require(gap->path.n > 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice rest = slice((const char *)data, n), map_text, record, recalled;
    const struct map *map = NULL;
    const struct carry_plan *plan = NULL;
    struct carry_coverage coverage;
    struct complaints c;
    struct maps *maps;
    char path[40];
    bool more;
    int fd, r;

    if (n == 0 || n > MOST_INPUT)
        return 0;
    if (!directory[0])
        set_up();
    map_text = slice_cut(rest, '\f', &rest, &more);
    record = slice_cut(rest, '\f', &rest, &more);
    recalled = slice_cut(rest, '\f', &rest, &more);
    put_file("/tables/t.csv", rest);
    fd = file_of(map_text);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    complaints_init(&c);
    require(maps_new(directory, &maps, NULL) == 0);
    r = maps_by_file(maps, path, &c, &map, NULL);
    if (r == 0 && map_between_records(map))
        r = carry_plan_for(maps, map, &c, &plan, NULL);
    require(r == 0 ? c.count == 0 : c.count > 0 || r == ERR_MISSING || r == ERR_LIMIT || r == ERR_CONFIG);
    if (plan) {
        carry_all(plan, record, recalled);
        require(carry_coverage(plan, no_gap, NULL, &coverage, NULL) >= 0);
        require(coverage.taken + coverage.dropped <= coverage.fields && coverage.made <= coverage.others);
    }
    maps_free(&maps);
    complaints_deinit(&c);
    close(fd);
    return 0;
}
