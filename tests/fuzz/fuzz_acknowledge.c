/*
 * fuzz_acknowledge: X12 or EDIFACT, and the 997, TA1 or CONTRL that answers it. The first byte chooses what is asked for.
 *
 * The answer is the same whether the file arrives at once or in pieces. It is read again, and what is found in it can only
 * be what the partner sent himself and an answer copies: a code that no list has, a name of a version.
 */
#include <stdio.h>
#include <stdlib.h>

#include "edi/acknowledge.h"
#include "edi/dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct pass {
    struct buf findings;
    struct complaints complaints;
    bool answer; /* it is one that is read */
};

static struct guides *guides;

#define require(right) ((right) ? (void)0 : broken(#right))

static void broken(const char *what)
{
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

/* What an answer may hold, because it stood in what is answered. */
static bool is_copied(const struct finding *f)
{
    switch (f->code) {
    case FINDING_ELEMENT_CODE:
    case FINDING_INTERCHANGE_CONTENT:
    case FINDING_GROUP_SYNTAX:
    case FINDING_VERSION_SUBSTITUTED:
    case FINDING_VERSION_LATER:
    case FINDING_CHARSET_OTHER: return true; /* two letters of Latin 1 may be one of UTF-8 */
    default: /* a 997 names a group by whatever number it has */
        return f->dialect == &dialect_x12 && finding_rows[f->code].level == LEVEL_ELEMENT;
    }
}

static int take_finding(void *ctx, const struct finding *f)
{
    struct pass *p = ctx;
    struct buf text;

    buf_init(&text, 1 << 20);
    finding_text(f, SLICE("answer"), false, &text);
    require(!text.failed);
    if (p->answer && !is_copied(f)) {
        fprintf(stderr, "%.*s\n", SLICE_FMT(text));
        broken("an answer is without fault");
    }
    buf_deinit(&text);
    return 0;
}

static void read_bytes(struct pass *p, const struct edi_sink *sink, struct slice bytes, uint64_t pieces)
{
    struct edi_reader_options options = { .guides = guides, .complaints = &p->complaints };
    struct edi_reader *reader;

    complaints_init(&p->complaints);
    finding_policy_init(&options.policy);
    require(edi_reader_new(&options, sink, &reader, NULL) == 0);
    while (bytes.n) {
        size_t piece = bytes.n;
        if (pieces) {
            pieces = pieces * 6364136223846793005u + 1442695040888963407u;
            piece = (size_t)(pieces >> 40) % (pieces >> 60 ? 64 : 3000) + 1;
            if (piece > bytes.n)
                piece = bytes.n;
        }
        require(edi_reader_feed(reader, slice(bytes.p, piece), NULL) == 0);
        bytes = slice_from(bytes, piece);
    }
    require(edi_reader_end(reader, NULL) == 0);
    require(p->complaints.count == 0 && !p->complaints.nomem);
    edi_reader_free(&reader);
    complaints_deinit(&p->complaints);
}

static struct acknowledge *answer(const struct acknowledge_options *options, struct slice bytes, uint64_t pieces)
{
    struct pass pass = { .answer = false };
    struct acknowledge_options how = *options;
    const struct edi_sink next = { .ctx = &pass, .finding = take_finding };
    struct acknowledge *a;
    struct err err = { 0 };
    int code;

    how.next = &next;
    require(acknowledge_new(&how, &a, &err) == 0);
    read_bytes(&pass, acknowledge_sink(a), bytes, pieces);
    code = acknowledge_finish(a, &err);
    require(code == 0 || (code == ERR_DATA && acknowledge_totals(a)->unanswered && err.text[0]));
    return a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct acknowledge_options options = { .at = { 2026, 11, 21, 18, 30, 5 }, .control = 7 };
    struct slice bytes = slice((const char *)data, n);
    struct pass pass = { .answer = true };
    const struct edi_sink sink = { .ctx = &pass, .finding = take_finding };
    struct acknowledge *whole, *pieces;

    if (!guides) { /* once; the process keeps them */
        const char *directory = getenv("WAYBILL_MAPS_DIR");
        require(guides_new(directory ? directory : "maps", &guides, NULL) == 0);
    }
    if (n && data[0] < ' ') {
        options.implementation = data[0] & 1;
        options.contrl_2_2 = data[0] & 2;
        options.ta1 = data[0] & 4;
        options.line_end = data[0] & 8 ? "\r\n" : NULL;
        bytes = slice_from(bytes, 1);
    }
    whole = answer(&options, bytes, 0);
    pieces = answer(&options, bytes, slice_hash(bytes) | 1);
    require(slice_eq(acknowledge_output(whole), acknowledge_output(pieces)));
    if (acknowledge_output(whole).n)
        read_bytes(&pass, &sink, acknowledge_output(whole), 0);
    acknowledge_free(&whole);
    acknowledge_free(&pieces);
    return 0;
}
