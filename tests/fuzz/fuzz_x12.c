/*
 * fuzz_x12: a file of X12 or EDIFACT through reader, check and map to records.
 *
 * The same bytes are read three times: at once, in pieces, and by a reader that hands documents over in runs to
 * another one and reads the odd ones itself (as src/flow does between threads). Records and findings must be the same each time; every line of
 * the records must be valid JSON, and there must be one for each document that has a map. Nothing passes in silence:
 * a file without a document gives a finding.
 */
#include <stdio.h>
#include <stdlib.h>

#include "edi/dialect.h"
#include "edi/reader.h"
#include "map/read.h"
#include "tree/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct pass {
    struct buf records, findings;
    struct edi_reader *reader;          /* reads documents */
    struct map_reader *map, *own;       /* own: of documents that are not handed over */
    struct complaints complaints;
    uint64_t documents, mapped, n_findings;
    uint64_t limits;                    /* findings that come with reading less: they may differ between passes */
    char *run;                          /* a copy of the run at hand, with room behind it */
    size_t run_room;
};

static struct guides *guides;
static struct maps *maps;

#define require(right) ((right) ? (void)0 : broken(#right))

static void broken(const char *what)
{
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

static int choose(void *ctx, const struct edi_document *d, const struct map_plan **plan_r)
{
    struct pass *p = ctx;
    const struct map *map = NULL;
    int r = maps_by_set(maps, slice_of(d->interchange->dialect->standard), d->set, &p->complaints, &map, NULL);

    *plan_r = NULL;
    if (r == 0)
        r = map_plan_for(maps, map, d->guide, &p->complaints, plan_r, NULL);
    require(r == 0 || r == ERR_MISSING);
    p->mapped += *plan_r != NULL;
    return 0;
}

static int take_records(void *ctx, const char *bytes, size_t n)
{
    struct pass *p = ctx;
    buf_add(&p->records, bytes, n);
    return p->records.failed;
}

static int take_finding(void *ctx, const struct finding *f)
{
    struct pass *p = ctx;
    struct buf text;

    /* a person's words must be clean whatever is said */
    buf_init(&text, 1 << 20);
    finding_text(f, SLICE("file"), false, &text);
    for (size_t i = 0; i < text.n; i++)
        require(text.p[i] == '\n' || (unsigned char)text.p[i] >= 0x20);
    require(!text.failed && f->place.line > 0 && f->place.column > 0);
    buf_deinit(&text);
    p->n_findings++;
    p->limits += f->code == FINDING_SEGMENT_TOO_LARGE;
    if (p->findings.n < 1 << 20)
        finding_json(f, SLICE("file"), &p->findings);
    return p->findings.failed;
}

static int end_document(void *ctx, const struct edi_document *d)
{
    struct pass *p = ctx;
    require(d->segments > 0 && d->ordinal > 0);
    p->documents++;
    return 0;
}

static int take_run(void *ctx, const struct edi_reader *r, const struct edi_run *run)
{
    struct pass *p = ctx;
    struct edi_context *in;
    struct edi_run copy;
    int answer;

    if (!run)
        return 0;
    copy = *run;
    in = malloc(sizeof(*in));

    require(in != NULL);
    if (run->n + 64 > p->run_room) {
        free(p->run);
        p->run_room = run->n + 64;
        p->run = malloc(p->run_room);
        require(p->run != NULL);
    }
    if (run->n)
        memcpy(p->run, run->p, run->n);
    memset(p->run + run->n, 0x55, 64);
    copy.p = p->run;
    edi_context_copy(in, edi_reader_context(r));
    answer = edi_reader_run(p->reader, in, &copy, NULL);
    free(in);
    return answer;
}

static void read_pass(struct pass *p, const char *bytes, size_t n, uint64_t pieces, bool runs)
{
    struct edi_reader_options options = { .guides = guides, .complaints = &p->complaints };
    struct map_read_options m = { .choose = choose, .write = take_records, .finding = take_finding,
                                  .document_end = end_document, .ctx = p, .flush = pieces % 2 ? 1 : 0 };
    struct edi_sink sink;
    struct edi_reader *reader;
    size_t at = 0;

    buf_init(&p->records, 64 << 20);
    buf_init(&p->findings, 64 << 20);
    complaints_init(&p->complaints);
    finding_policy_init(&options.policy);
    require(map_reader_new(&m, &p->map, NULL) == 0);
    map_reader_sink(p->map, &sink);
    require(edi_reader_new(&options, &sink, &p->reader, NULL) == 0);
    map_reader_attach(p->map, p->reader);
    reader = p->reader;
    if (runs) {
        options.run = take_run;
        options.run_ctx = p;
        require(map_reader_new(&m, &p->own, NULL) == 0);
        map_reader_sink(p->own, &sink);
        require(edi_reader_new(&options, &sink, &reader, NULL) == 0);
        map_reader_attach(p->own, reader);
    }
    while (at < n) {
        size_t piece = n - at;
        if (pieces) {
            pieces = pieces * 6364136223846793005u + 1442695040888963407u;
            piece = pieces >> 60 ? (size_t)(pieces >> 40) % 64 + 1 : (size_t)(pieces >> 40) % 3000 + 1;
            if (piece > n - at)
                piece = n - at;
        }
        require(edi_reader_feed(reader, slice(bytes + at, piece), NULL) == 0);
        at += piece;
    }
    require(edi_reader_end(reader, NULL) == 0);
    require(p->complaints.count == 0 && !p->complaints.nomem);
    require(map_reader_records(p->map) + (p->own ? map_reader_records(p->own) : 0) == p->mapped);
    if (runs)
        edi_reader_free(&reader);
}

/* Valid JSON; a NUL, which our own reader refuses, may be in it. */
static bool is_json(struct json_tape *tape, struct slice line)
{
    return memmem(line.p, line.n, "\\u0000", 6) || (json_parse(tape, line, NULL) == 0 && tape->node[0].type == JSON_OBJECT);
}

static void check_records(const struct pass *p)
{
    struct slice rest = buf_slice(&p->records);
    struct json_tape tape;
    uint64_t lines = 0;
    bool more = true;

    json_tape_init(&tape, 1 << 26);
    while (rest.n) {
        struct slice line = slice_cut(rest, '\n', &rest, &more);
        require(more);
        require(is_json(&tape, line));
        lines++;
    }
    require(lines == p->mapped);
    rest = p->findings.n < 1 << 20 ? buf_slice(&p->findings) : slice(NULL, 0);
    while (rest.n)
        require(is_json(&tape, slice_cut(rest, '\n', &rest, &more)));
    json_tape_deinit(&tape);
}

static void end_pass(struct pass *p)
{
    edi_reader_free(&p->reader);
    map_reader_free(&p->map);
    map_reader_free(&p->own);
    buf_deinit(&p->records);
    buf_deinit(&p->findings);
    complaints_deinit(&p->complaints);
    free(p->run);
}

static void same_text(const char *what, const struct buf *a, const struct buf *b)
{
    if (slice_eq(buf_slice(a), buf_slice(b)))
        return;
    fprintf(stderr, "%s at once:\n%.*s\notherwise:\n%.*s\n", what, SLICE_FMT(*a), SLICE_FMT(*b));
    abort();
}

static void same(const struct pass *a, const struct pass *b)
{
    if (a->limits || b->limits)
        return;
    same_text("findings", &a->findings, &b->findings);
    same_text("records", &a->records, &b->records);
    require(a->documents == b->documents && a->n_findings == b->n_findings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pass whole = { .documents = 0 }, pieces = { .documents = 0 }, runs = { .documents = 0 };
    const char *bytes = (const char *)data;

    if (!guides) { /* once; the process keeps them */
        const char *directory = getenv("WAYBILL_MAPS_DIR");
        directory = directory ? directory : "maps";
        require(guides_new(directory, &guides, NULL) == 0 && maps_new(directory, &maps, NULL) == 0);
    }
    read_pass(&whole, bytes, n, 0, false);
    check_records(&whole);
    require(whole.documents || whole.n_findings || n == 0 || memmem(data, n, "ISA", 3));
    if (n == 0)
        require(whole.n_findings == 1);
    read_pass(&pieces, bytes, n, slice_hash(slice(bytes, n)) | 1, false);
    same(&whole, &pieces);
    read_pass(&runs, bytes, n, slice_hash(slice(bytes, n)) & ~1ull, true);
    same(&whole, &runs);
    end_pass(&whole);
    end_pass(&pieces);
    end_pass(&runs);
    return 0;
}
