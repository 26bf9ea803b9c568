/*
 * reading: the guides of the maps folder for a whole test program (set_up, tear_down), texts read with them, and the
 * demand that what was written reads without a finding. For tests of what is read, written and answered.
 */
#ifndef WAYBILL_TESTS_READING_H
#define WAYBILL_TESTS_READING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "edi/reader.h"

static struct guides *guides;

static inline int set_up(void **state)
{
    const char *directory = getenv("WAYBILL_MAPS_DIR");
    struct err err;

    (void)state;
    return guides_new(directory ? directory : "maps", &guides, &err);
}

static inline int tear_down(void **state)
{
    (void)state;
    guides_free(&guides);
    return 0;
}

/* What a reader found. */
struct findings {
    struct buf text;
    bool seen[FINDING_CODES];
    unsigned n;
};

static inline int on_finding(void *ctx, const struct finding *f)
{
    struct findings *k = ctx;

    finding_text(f, SLICE("file"), false, &k->text);
    k->seen[f->code] = true;
    k->n++;
    return 0;
}

/* Reads all of a text with our guides; the options are the caller's but for those and the complaints. */
static inline int read_with(struct edi_reader_options *options, struct slice text, const struct edi_sink *sink,
                            struct err *err)
{
    struct complaints complaints;
    struct edi_reader *reader = NULL;
    int code;

    complaints_init(&complaints);
    options->guides = guides;
    options->complaints = &complaints;
    code = edi_reader_new(options, sink, &reader, err);
    if (!code)
        code = edi_reader_feed(reader, text, err);
    if (!code)
        code = edi_reader_end(reader, err);
    edi_reader_free(&reader);
    complaints_deinit(&complaints);
    return code;
}

/* An answer must itself be without fault. */
static inline void is_clean(struct slice text)
{
    struct edi_reader_options options = { .guides = NULL };
    struct findings found = { .n = 0 };
    struct edi_sink sink = { .ctx = &found, .finding = on_finding };
    struct err err = { 0 };

    finding_policy_init(&options.policy);
    buf_init(&found.text, 1 << 20);
    if (read_with(&options, text, &sink, &err))
        fail_msg("%s", err.text);
    if (found.n)
        fail_msg("the answer is faulty:\n%.*s\n%s", SLICE_FMT(text), buf_text(&found.text));
    buf_deinit(&found.text);
}

#endif
