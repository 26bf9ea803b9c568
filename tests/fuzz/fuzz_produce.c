/*
 * fuzz_produce: records written as X12 or EDIFACT, read, and written back.
 *
 * The first byte says which standard, character set, syntax version and delimiters; the rest are records. Whatever is
 * written must be read without an error, one record for each document; unless these are refused, what is written of them
 * gives them again. A record that is refused leaves nothing behind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edi/dialect.h"
#include "flow/produce.h"
#include "map/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define require(right) ((right) ? (void)0 : broken(#right))

enum { CEILING = 64 << 20 };

struct reading {
    struct buf records, errors;
    struct complaints complaints;
};

static struct guides *guides;
static struct maps *maps;

static void broken(const char *what)
{
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

/* ---- writing ---- */

static int take_bytes(void *ctx, const char *p, size_t n, struct err *err)
{
    (void)err;
    buf_add(ctx, p, n);
    return ((struct buf *)ctx)->failed;
}

static int look(void *ctx, const struct produce_place *at, const struct map_write_finding *f)
{
    struct buf text;

    (void)ctx;
    (void)at;
    buf_init(&text, 1 << 20);
    map_write_finding_text(f, &text);
    require(f->code && f->code[0] && f->found && f->expected && text.n);
    buf_deinit(&text);
    return 0;
}

static struct produce_counts write_records(struct slice json, struct produce_options *o, struct buf *out)
{
    struct complaints complaints;
    struct produce_counts counts;
    struct produce *p;
    struct err err = { 0 };
    int fd = memfd_create("fuzz", MFD_CLOEXEC), rc;

    require(fd >= 0 && write(fd, json.p, json.n) == (ssize_t)json.n && lseek(fd, 0, SEEK_SET) == 0);
    complaints_init(&complaints);
    buf_init(out, CEILING);
    o->guides = guides;
    o->maps = maps;
    o->complaints = &complaints;
    o->now = (struct edi_time){ 2026, 11, 21, 9, 30, -1 };
    o->threads = 1;
    o->write.write = take_bytes;
    o->write.ctx = out;
    o->finding = look;
    require(produce_new(o, &p, &err) == 0);
    rc = produce_records(p, fd, SLICE("records"), &err);
    if (rc == 0)
        rc = produce_end(p, &err);
    require(rc == 0 || rc == ERR_LIMIT);
    counts = *produce_counts(p);
    produce_free(&p);
    complaints_deinit(&complaints);
    close(fd);
    return counts;
}

/* ---- reading ---- */

static int choose(void *ctx, const struct edi_document *d, const struct map_plan **plan_r)
{
    struct reading *r = ctx;
    const struct map *map = NULL;
    int rc = maps_by_set(maps, slice_of(d->interchange->dialect->standard), d->set, &r->complaints, &map, NULL);

    if (rc == 0)
        rc = map_plan_for(maps, map, d->guide, &r->complaints, plan_r, NULL);
    require(rc == 0);
    return 0;
}

static int take_record(void *ctx, const char *p, size_t n)
{
    struct reading *r = ctx;
    buf_add(&r->records, p, n);
    return r->records.failed;
}

static int take_finding(void *ctx, const struct finding *f)
{
    struct reading *r = ctx;
    if (f->severity == SEVERITY_ERROR)
        finding_text(f, SLICE("written"), false, &r->errors);
    return 0;
}

static void read_documents(struct slice text, struct reading *r)
{
    struct edi_reader_options options = { .guides = guides, .complaints = &r->complaints };
    struct map_read_options m = { .choose = choose, .write = take_record, .finding = take_finding, .ctx = r };
    struct map_reader *map;
    struct edi_reader *reader;
    struct edi_sink sink;

    buf_init(&r->records, CEILING);
    buf_init(&r->errors, CEILING);
    complaints_init(&r->complaints);
    finding_policy_init(&options.policy);
    require(map_reader_new(&m, &map, NULL) == 0);
    map_reader_sink(map, &sink);
    require(edi_reader_new(&options, &sink, &reader, NULL) == 0);
    map_reader_attach(map, reader);
    require(edi_reader_feed(reader, text, NULL) == 0 && edi_reader_end(reader, NULL) == 0);
    edi_reader_free(&reader);
    map_reader_free(&map);
}

static void end_reading(struct reading *r)
{
    buf_deinit(&r->records);
    buf_deinit(&r->errors);
    complaints_deinit(&r->complaints);
}

static uint64_t lines_of(const struct buf *b)
{
    uint64_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        n += b->p[i] == '\n';
    return n;
}

/* The same but for the order: what stands anywhere in a document is put where the guide wants it. */
static bool same_in_any_order(const struct buf *a, const struct buf *b)
{
    uint64_t in_a[256] = { 0 }, in_b[256] = { 0 };
    for (size_t i = 0; i < a->n; i++)
        in_a[(unsigned char)a->p[i]]++;
    for (size_t i = 0; i < b->n; i++)
        in_b[(unsigned char)b->p[i]]++;
    return memcmp(in_a, in_b, sizeof(in_a)) == 0;
}

/* ---- both ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const syntaxes[] = { "UNOC:3", "UNOA:1", "UNOY:4", "UNOD:3" };
    const char *directory = getenv("WAYBILL_MAPS_DIR");
    struct produce_options options, back;
    struct produce_counts counts;
    struct reading reading, once_more;
    struct buf text, again;

    if (n == 0)
        return 0;
    directory = directory ? directory : "maps";
    if (!guides)
        require(guides_new(directory, &guides, NULL) == 0 && maps_new(directory, &maps, NULL) == 0);
    produce_options_init(&options);
    options.dialect = *data & 1 ? &dialect_edifact : &dialect_x12;
    options.syntax = slice_of(syntaxes[*data >> 1 & 3]);
    if (*data & 8)
        require(edi_write_una(&options.edifact, SLICE("=*,! ~")));
    options.transliterate = *data & 16;
    options.interchange = 1;
    options.sender = SLICE("14:4012345000009");
    options.receiver = SLICE("14:4098765000005");
    counts = write_records(slice((const char *)data + 1, n - 1), &options, &text);
    require((counts.documents == 0) == (text.n == 0));
    if (text.n) {
        read_documents(buf_slice(&text), &reading);
        if (reading.errors.n)
            fprintf(stderr, "%.*s\n%.*s\n", SLICE_FMT(reading.errors), SLICE_FMT(text));
        require(reading.errors.n == 0 && lines_of(&reading.records) == counts.documents);
        produce_options_init(&back);
        back.edifact = options.edifact;
        counts = write_records(buf_slice(&reading.records), &back, &again);
        if (counts.refused == 0) {
            read_documents(buf_slice(&again), &once_more);
            if (!same_in_any_order(&reading.records, &once_more.records))
                fprintf(stderr, "first:\n%.*s\nthen:\n%.*s\n", SLICE_FMT(text), SLICE_FMT(again));
            require(once_more.errors.n == 0 && same_in_any_order(&reading.records, &once_more.records));
            end_reading(&once_more);
        }
        buf_deinit(&again);
        end_reading(&reading);
    }
    buf_deinit(&text);
    return 0;
}
