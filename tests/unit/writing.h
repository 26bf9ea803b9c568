/* writing: a writer with given options, its output and its words, for tests of what is written. */
#ifndef WAYBILL_TESTS_WRITING_H
#define WAYBILL_TESTS_WRITING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "edi/write.h"

static inline struct edi_writer *writer_with(const struct edi_write_options *o)
{
    struct edi_writer *w;
    struct err err = { 0 };

    if (edi_writer_new(o, &w, &err))
        fail_msg("%s", err.text);
    return w;
}

static inline void output_is(struct edi_writer *w, const char *expected)
{
    struct slice s = edi_writer_output(w);
    char *text = calloc(1, s.n + 1);

    assert_non_null(text);
    if (s.n)
        memcpy(text, s.p, s.n);
    assert_string_equal(text, expected);
    free(text);
}

static inline void error_is(struct edi_writer *w, int code, int expected, const char *words)
{
    assert_int_equal(code, expected);
    assert_string_equal(edi_writer_error(w)->text, words);
}

#endif
