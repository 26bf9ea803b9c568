/*
 * reader: see reader.h. Here is what callers see, and the buffer.
 *
 * The buffer holds one chunk and what was left of the one before. reader_syntax.c finds where an interchange begins in
 * it and how it is delimited; reader_walk.c goes from segment to segment; what begins or ends something goes to
 * reader_envelope.c and reader_document.c. Findings are handed over in reader_findings.c; runs.c cuts documents out for
 * other readers and reads theirs.
 */
#include "edi/reader_inside.h"

#include <stdio.h>
#include <stdlib.h>

int edi_reader_new(const struct edi_reader_options *options, const struct edi_sink *sink, struct edi_reader **reader_r,
                   struct err *err)
{
    struct edi_reader *r = calloc(1, sizeof(*r));
    int result;
    *reader_r = NULL;
    if (!r)
        return err_nomem(err);
    r->options = *options;
    r->sink = *sink;
    r->room = FIRST_ROOM;
    r->base_line = r->known.line = 1;
    r->in.interchange.ta1 = "000";
    r->dialect = r->in.interchange.dialect = &dialect_x12;
    r->buf = calloc(1, r->room + PADDING);
    r->lex = lexer_choose(options->lexer);
    if (!r->lex) {
        result = err_set(err, ERR_USAGE, "this machine cannot run the lexer that was asked for");
    } else if (!r->buf) {
        result = err_nomem(err);
    } else {
        result = lexer_index_init(&r->index, r->room, err);
    }
    if (result < 0) {
        free(r->buf);
        free(r);
        return result;
    }
    numbers_init(&r->numbers);
    numbers_init(&r->group_numbers);
    numbers_init(&r->interchange_numbers);
    r->checker = (struct checker){ .remark = reader_document_remark,
                                   .ctx = r,
                                   .syntax = &r->syntax,
                                   .mark = '.',
                                   .structure_only = options->structure_only };
    r->outside = (struct checker){ .remark = reader_envelope_remark, .ctx = r, .mark = '.' };
    *reader_r = r;
    return 0;
}

void edi_reader_free(struct edi_reader **reader)
{
    struct edi_reader *r = *reader;
    if (!r)
        return;
    numbers_deinit(&r->numbers);
    numbers_deinit(&r->group_numbers);
    numbers_deinit(&r->interchange_numbers);
    lexer_index_deinit(&r->index);
    rewritten_deinit(&r->copy);
    free(r->buf);
    free(r);
    *reader = NULL;
}

/* ---- the buffer ---- */

void reader_too_large(struct edi_reader *r, const char *found, const char *expected)
{
    reader_find(r, FINDING_SEGMENT_TOO_LARGE, NULL, 0, found, expected);
    r->deaf = true;
    r->from = r->n;
}

static int grow(struct edi_reader *r)
{
    size_t room = r->room * 2;
    char *buf;
    if (room > LIMIT_SEGMENT * 2) {
        reader_too_large(r, "the segment has no end", "a segment terminator");
        return 0;
    }
    buf = realloc(r->buf, room + PADDING);
    if (!buf)
        return reader_stop(r, err_nomem(r->err));
    memset(buf + r->room, 0, room + PADDING - r->room);
    r->buf = buf;
    r->room = room;
    return 0;
}

/* Counts the lines of the first n bytes of the buffer, which are about to go. */
static void pass_lines(struct edi_reader *r, size_t n)
{
    const char *last = memrchr(r->buf, '\n', n);
    if (last) {
        r->base_line += reader_count_lines(r->buf, n);
        r->line_start = r->base_offset + (uint64_t)(last - r->buf) + 1;
    }
}

/* Forgets what is done and moves the rest to the front. */
static void compact(struct edi_reader *r)
{
    size_t done = r->from;
    if (done == 0)
        return;
    pass_lines(r, done);
    memmove(r->buf, r->buf + done, r->n - done);
    r->base_offset += done;
    r->n -= done;
    r->from = 0;
}

static void drop_skipped(struct edi_reader *r)
{
    size_t n = r->n - r->from;
    if (r->skip) {
        if (n > r->skip)
            n = (size_t)r->skip;
        r->skip -= n;
        r->from += n;
    }
    if (r->skip == 0 && r->skip_terminator && r->from < r->n) {
        if (r->buf[r->from] == r->syntax.terminator)
            r->from++;
        else
            reader_find(r, FINDING_BINARY_LENGTH, NULL, 0, "no segment terminator follows the binary data", "one");
        r->skip_terminator = false;
    }
}

/* ---- the end ---- */

static bool is_outer_trailer(const struct edi_reader *r, size_t at)
{
    const char *p = r->buf + at;
    return delimiters_envelope(p, r->n - at, r->dialect->level[DIALECT_GROUP].end) ||
           delimiters_envelope(p, r->n - at, r->dialect->level[DIALECT_INTERCHANGE].end);
}

static bool take_rest(struct edi_reader *r)
{
    size_t end = r->n, from = r->from;
    struct slice rest;
    bool outer;
    while (from < end && delimiters_blank(r->buf[from]))
        from++;
    while (end > from && delimiters_blank(r->buf[end - 1]))
        end--;
    rest = slice(r->buf + from, end - from);
    r->from = from;
    if (rest.n == 0)
        return false;
    outer = is_outer_trailer(r, from);
    if (rest.n <= 3 || (!outer && !delimiters_envelope(rest.p, rest.n, r->dialect->level[DIALECT_DOCUMENT].end))) {
        char words[60];
        snprintf(words, sizeof(words), "the last %zu byte%s no whole segment", rest.n,
                 rest.n == 1 ? " is" : "s are");
        reader_find(r, FINDING_FILE_TRUNCATED, NULL, 0, words, "a segment terminator");
        if (r->level == IN_DOCUMENT)
            r->document.errors++;
        r->from = r->n;
        return false;
    }
    if (outer)
        reader_close_document_early(r);
    reader_find(r, FINDING_FILE_LAST_TERMINATOR, NULL, 0, "the last segment is not terminated",
                "the segment terminator");
    r->n = end;
    r->buf[r->n++] = r->syntax.terminator; /* the padding has room for it */
    return true;
}

static void end_binary(struct edi_reader *r)
{
    if (r->skip && !r->stopped)
        reader_find(r, FINDING_BINARY_LENGTH, NULL, 0, "the file ends inside binary data", "the rest of it");
    r->skip = 0;
    r->skip_terminator = false;
}

static int process(struct edi_reader *r, bool last)
{
    bool again = true;
    while (again && !r->stopped) {
        again = false;
        if (r->deaf) {
            r->from = r->n;
            break;
        }
        drop_skipped(r);
        if (r->skip || r->skip_terminator)
            break;
        if (!r->has_syntax && reader_find_syntax(r, last) != FOUND) {
            if (last)
                r->from = r->n;
            break;
        }
        if (r->from < r->n) {
            enum walk w = reader_walk(r, last);
            if (w == WALK_DOCUMENTS)
                w = runs_split(r, last);
            again = w == WALK_AGAIN;
            /* the next interchange may have other delimiters: the old ones may never come */
            if (!again && r->level == OUTSIDE && r->in.interchanges && r->from < r->n && !r->stopped &&
                r->base_offset + r->from != r->syntax_at) {
                r->has_syntax = false;
                again = true;
            }
        }
    }
    if (r->stopped)
        return r->stopped;
    compact(r);
    if (r->n == r->room)
        return grow(r);
    return 0;
}

char *edi_reader_space(struct edi_reader *r, size_t *n_r)
{
    size_t n = r->room - r->n;
    *n_r = n < LIMIT_CHUNK ? n : LIMIT_CHUNK;
    return r->buf + r->n;
}

int edi_reader_filled(struct edi_reader *r, size_t n, struct err *err)
{
    const char *fresh = r->buf + r->n;
    if (r->stopped)
        return r->stopped;
    r->err = err;
    r->n += n;
    /* a long segment that arrives in small pieces is not indexed again for each */
    if (r->has_syntax && !r->skip && !r->skip_terminator && !r->deaf && r->n < r->room &&
        !memchr(fresh, r->syntax.terminator, n))
        return 0;
    return process(r, false);
}

int edi_reader_feed(struct edi_reader *r, struct slice bytes, struct err *err)
{
    int result = 0;
    while (bytes.n && result == 0) {
        size_t n;
        char *to = edi_reader_space(r, &n);
        if (n > bytes.n)
            n = bytes.n;
        memcpy(to, bytes.p, n);
        bytes = slice_from(bytes, n);
        result = edi_reader_filled(r, n, err);
    }
    return result;
}

int edi_reader_end(struct edi_reader *r, struct err *err)
{
    if (r->stopped)
        return r->stopped;
    r->err = err;
    process(r, true);
    if (!r->stopped && r->has_syntax && !r->deaf) {
        if (r->level == OUTSIDE)
            r->has_syntax = false;
        struct edi_place end;
        size_t from = r->from;
        r->from = r->n;
        reader_place(r, NULL, &end);
        r->from = from;
        if (r->level == OUTSIDE) {
            process(r, true);
            if (r->has_syntax && r->from < r->n && !r->stopped)
                take_rest(r);
        } else if (take_rest(r)) {
            process(r, true);
            /* the terminator that was put there is not in the file */
            r->base_offset = r->known.offset = end.offset;
            r->base_line = r->known.line = end.line;
            r->line_start = r->known.line_start = end.offset + 1 - end.column;
        }
    }
    end_binary(r);
    if (!r->stopped && r->level != OUTSIDE)
        reader_close_interchange_early(r);
    if (!r->stopped && r->in.interchanges == 0 && !r->garbage)
        reader_find(r, FINDING_FILE_EMPTY, NULL, 0,
                    r->started || r->base_offset + r->n ? "there is no interchange in it" : "the file is empty",
                    "an interchange that begins with ISA, UNA or UNB");
    return r->stopped;
}
