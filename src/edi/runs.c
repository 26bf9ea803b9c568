/*
 * runs: documents for other readers. One reader cuts the file into runs of whole documents and hands them over unread
 * (edi_reader_options.run); others join it where a run begins and read it.
 *
 * Here only what bounds a document is looked at: ST, SE, envelopes, the length of binary data, and what the other
 * reader cannot know: whether a control number was used before, and where the run stands in the file. What is wrong
 * inside is the other's to say. A run borrows its bytes from the buffer of the reader that cuts; nothing is freed here.
 */
#include "edi/reader_inside.h"

#include "edi/delimiters.h"

/* ---- cutting ---- */

/* What the segment that starts at p is, by its tag. */
static enum dialect_role role_at(const struct edi_reader *r, const char *p)
{
    const struct edi_syntax *x = &r->syntax;
    const bool edifact = r->dialect == &dialect_edifact;
    uint32_t tag = 0;
    for (unsigned i = 0; i < 4 && p < r->buf + r->n; p++) { /* of what is cut off nothing is known */
        unsigned char c = (unsigned char)*p;
        if (*p == x->element || *p == x->terminator || (edifact && x->component && *p == x->component))
            return dialect_role(r->dialect, tag);
        if (edifact && (c == '\n' || c == '\r'))
            continue;
        if (edifact && c >= 'a' && c <= 'z')
            c = (unsigned char)(c - 'a' + 'A');
        tag |= (uint32_t)c << 8 * i++;
    }
    return ROLE_INNER;
}

/* Can a segment that begins at p only be one inside a document: no envelope, nothing binary? Most are. */
static inline bool is_inner(const struct edi_reader *r, const char *p)
{
    return *p >= 'A' && *p <= 'Z' && !(r->dialect->first >> (*p & 31) & 1) && (*p != 'I' || p[1] != 'S') &&
           *p != r->syntax.terminator;
}

typedef unsigned char bytes16 __attribute__((vector_size(16)));

static inline bytes16 load16(const char *p)
{
    bytes16 v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* From a segment on that is_inner(): where the next one begins that is not, or one that is not whole before `stop`. All
 * tags that are not inner begin with one letter. */
static size_t pass_inner(const struct edi_reader *r, size_t at, size_t stop)
{
    const unsigned char letter = (unsigned char)('@' + __builtin_ctz(r->dialect->first));
    const unsigned char terminator = (unsigned char)r->syntax.terminator;
    const char *const from = r->buf + at, *end = r->buf + stop;

    for (const char *p = from; p + 18 <= end; p += 16) {
        const bytes16 first = load16(p + 1), second = load16(p + 2);
        const bytes16 found = (bytes16)(load16(p) == terminator) &
                              ((bytes16)(first == letter) | ((bytes16)(first == 'I') & (bytes16)(second == 'S')) |
                               (bytes16)(first < 'A') | (bytes16)(first > 'Z'));
        uint64_t any[2];
        memcpy(any, &found, sizeof(any));
        for (unsigned k = 0; (any[0] | any[1]) && k < 16; k++)
            if (found[k] && !delimiters_released(from, 0, (size_t)(p - from) + k, r->syntax.release))
                return (size_t)(p - r->buf) + k + 1;
    }
    while ((end = memrchr(from, r->syntax.terminator, (size_t)(end - from))) != NULL)
        if (!delimiters_released(from, 0, (size_t)(end - from), r->syntax.release))
            return (size_t)(end - r->buf) + 1;
    return at;
}

/* An interchange, or an UNA before one, that begins at p. */
static bool begins_interchange(const struct edi_reader *r, const char *p, size_t n, bool last)
{
    if (delimiters_envelope(p, n, r->dialect->level[DIALECT_INTERCHANGE].begin))
        return true;
    return r->dialect == &dialect_edifact && (role_at(r, p) == ROLE_INTERCHANGE || reader_begins_other(r, p, last) == FOUND);
}

/* Where the segment at p ends (behind its terminator), NULL when that is not in the buffer. Of a binary segment that
 * is too long to wait for: where its data begin, and in *skip_r how many bytes they are. */
static const char *segment_end(const struct edi_reader *r, const char *p, bool last, uint64_t *skip_r)
{
    const char separator = r->syntax.element, *end = r->buf + r->n;
    const char *t = delimiters_end(p, (size_t)(end - p), &r->syntax);
    bool bin = t && r->dialect == &dialect_x12 && p[0] == 'B' && t - p > 4 && p[3] == separator;
    *skip_r = 0;
    if (bin && ((p[1] == 'I' && p[2] == 'N') || (p[1] == 'D' && p[2] == 'S'))) {
        const char *length = p + 4, *stop;
        uint64_t n;
        if (p[1] == 'D' && !(length = memchr(length, separator, (size_t)(t - length))))
            return t + 1;
        length += p[1] == 'D';
        stop = memchr(length, separator, (size_t)(t - length));
        if (stop && slice_number(slice(length, (size_t)(stop - length)), MOST_BINARY, &n)) {
            if (n >= LIMIT_SEGMENT) {
                *skip_r = n;
                return stop + 1;
            }
            if ((uint64_t)(end - stop) < n + 2)
                return last ? t + 1 : NULL;
            if (stop[1 + n] == r->syntax.terminator)
                return stop + n + 2;
        }
    }
    return t ? t + 1 : NULL;
}

static int hand_over_run(struct edi_reader *r, struct edi_run *run, size_t start, size_t end, bool ends)
{
    int answer;
    if (end <= start && !(ends && r->run_open))
        return 0;
    run->p = r->buf + start;
    run->n = end - start;
    run->ends = ends;
    run->offset = r->base_offset + start;
    run->line = r->base_line;
    run->line_start = r->line_start;
    run->blanks_told = r->blanks_told;
    run->empty_told = r->empty_told;
    r->blanks_told |= r->blank_at < end;
    r->empty_told |= r->empty_at < end;
    const char *last = memrchr(r->buf, '\n', start);
    if (last) {
        run->line += reader_count_lines(r->buf, start);
        run->line_start = r->base_offset + (uint64_t)(last - r->buf) + 1;
    }
    answer = r->options.run(r->options.run_ctx, r, run);
    r->in.documents += run->documents;
    if (run->bare)
        r->in.interchange.bare++;
    else
        r->in.group.documents += run->documents;
    if (!run->bare && r->in.group.implied)
        r->in.interchange.documents += run->documents;
    r->run_open = !ends;
    *run = (struct edi_run){ .begins = true };
    r->from = end;
    return answer < 0 ? reader_stop(r, answer) : 0;
}

int runs_bare(struct edi_reader *r, const struct segment *s)
{
    struct edi_run run = { .begins = true, .bare = true, .documents = 1 };
    size_t start = (size_t)(s->base - r->buf) + s->start, end = (size_t)(s->base - r->buf) + s->at[s->n] + 1;
    r->blank_at = r->empty_at = SIZE_MAX;
    return hand_over_run(r, &run, start, end, true);
}

/* Notes what the reader of the run will tell, so that it is told once. */
static void note_layout(struct edi_reader *r, size_t from, size_t start, size_t end)
{
    bool line_terminator = r->syntax.terminator == '\n' || r->syntax.terminator == '\r';
    for (size_t i = from; i < start && r->blank_at == SIZE_MAX; i++)
        if (r->buf[i] != '\n' && r->buf[i] != '\r')
            r->blank_at = i;
    if (end == start + 1 && !line_terminator && r->empty_at == SIZE_MAX)
        r->empty_at = start;
}

/* A document's header: is its number new in the group or has it been used there (or is there none), is its set new
 * there? */
static void look_at_header(struct edi_reader *r, const char *p, const char *next, bool *fresh_r, bool *used_r, bool *new_r)
{
    struct slice rest = slice(p, (size_t)(next - p) - 1), first, second, set, number;
    bool more;
    slice_cut(rest, r->syntax.element, &rest, &more);
    first = slice_cut(rest, r->syntax.element, &rest, &more);
    second = slice_cut(rest, r->syntax.element, &rest, &more);
    number = r->dialect->set == 1 ? second : first;
    set = r->dialect->set == 1 ? first : value_part(second, r->syntax.component, 1);
    *fresh_r = number.n && numbers_add(&r->numbers, number.n > ENVELOPE_TEXT ? slice(number.p, ENVELOPE_TEXT) : number);
    *used_r = number.n && !*fresh_r;
    *new_r = reader_is_new_set(r, set);
}

/* A segment of a document, up to its terminator: the line in it that is a trailer whose segment before has lost its
 * terminator, as take_broken() sees it; NULL when there is none. *newline_r: where to look for line breaks next. */
static const char *lost_line(const struct edi_reader *r, const char *p, const char *end, size_t *newline_r)
{
    const char *line, *separator;
    enum dialect_role role;
    if ((size_t)(p - r->buf) >= *newline_r) {
        line = memchr(p, '\n', (size_t)(r->buf + r->n - p));
        *newline_r = line ? (size_t)(line - r->buf) : r->n;
        if (!line || line >= end)
            return NULL;
    }
    if (r->syntax.terminator == '\n' || r->syntax.terminator == '\r' ||
        begins_interchange(r, p, (size_t)(end - p), true))
        return NULL;
    role = role_at(r, p);
    if (role != ROLE_INNER && role != ROLE_DOCUMENT_END && role != ROLE_GROUP_END)
        return NULL;
    separator = memchr(p, r->syntax.element, (size_t)(end - p));
    return separator ? reader_next_line(r, NULL, separator, end) : NULL;
}

/* The last run's reader takes an SE that has no terminator up to the file's end, line by line: trailers that it finds
 * there close what is open here, too. */
static void follow_last_run(struct edi_reader *r, size_t at)
{
    const char *p = r->buf + at, *end = r->buf + r->n;
    bool whole = false;
    if (r->syntax.terminator == '\n' || r->syntax.terminator == '\r' ||
        !delimiters_envelope(p, r->n - at, r->dialect->level[DIALECT_DOCUMENT].end))
        return;
    p = memchr(p, r->syntax.element, (size_t)(end - p));
    while (p && !whole && (p = reader_next_line(r, NULL, p, end)) != NULL) {
        whole = role_at(r, p) == ROLE_INTERCHANGE_END;
        if (whole || role_at(r, p) == ROLE_GROUP_END)
            reader_close_told(r, whole);
    }
}

enum walk runs_split(struct edi_reader *r, bool last)
{
    size_t start = r->from, whole = r->from, whole_end = r->from, at = r->from;
    struct edi_run run = { .begins = !r->run_open };
    bool open = r->run_open, counted = false, fresh = false, new_set = false;
    bool lost = false;                  /* the segment before is ended by a line break */
    size_t newline = start;             /* none between start and it */
    const bool one_letter = __builtin_popcount(r->dialect->first) == 1;

    r->blank_at = r->empty_at = SIZE_MAX;
    for (;;) {
        const char *p, *next;
        size_t blanks = at;
        if (r->run_skip || r->run_skip_terminator) {
            uint64_t n = r->n - at < r->run_skip ? r->n - at : r->run_skip;
            at += (size_t)n;
            r->run_skip -= n;
            if (at == r->n) {
                run.last = last;
                hand_over_run(r, &run, start, at, last);
                return WALK_DONE;
            }
            at += r->buf[at] == r->syntax.terminator;
            r->run_skip_terminator = false;
            continue;
        }
        if (open && at < r->n && is_inner(r, r->buf + at)) {
            const size_t stop = newline < r->n ? newline : r->n;
            const size_t behind = one_letter && at < stop ? pass_inner(r, at, stop) : at;
            if (behind > at) {
                lost = false;
                at = behind;
                continue;
            }
            const char *t = delimiters_end(r->buf + at, r->n - at, &r->syntax);
            if (t && (size_t)(t - r->buf) < newline) {
                lost = false;
                at = (size_t)(t - r->buf) + 1;
                continue;
            }
        }
        while (at < r->n && delimiters_blank(r->buf[at]) && r->buf[at] != r->syntax.terminator)
            at++;
        p = r->buf + at;
        next = at < r->n ? segment_end(r, p, last, &r->run_skip) : NULL;
        if (!next || (r->dialect == &dialect_edifact && !is_inner(r, p) && reader_begins_other(r, p, last) == NEED_MORE))
            break;
        const bool behind_lost = lost;
        lost = false;
        const enum dialect_role role = role_at(r, p);
        if (newline < (size_t)(next - r->buf) && (open || role == ROLE_DOCUMENT_END)) {
            const char *line = lost_line(r, p, next - 1, &newline);
            if (line && r->run_skip == 0) {
                next = line;
                lost = true;
            }
        }
        if (role == ROLE_DOCUMENT) {
            bool used;
            look_at_header(r, p, next, &fresh, &used, &new_set);
            if (open) /* a trailer is missing: the other reader will find out */
                whole = blanks, whole_end = at;
            if (used || new_set) {
                if (hand_over_run(r, &run, start, at, true) < 0)
                    return WALK_DONE;
                r->from = start = whole = whole_end = blanks;
                run.duplicate = used;
                run.new_set = new_set;
            }
            open = counted = true;
            run.documents++;
        } else if (role == ROLE_DOCUMENT_END) {
            open = false;
            whole = whole_end = (size_t)(next - r->buf);
        } else if (next > p + 1 && (!open || (role != ROLE_INNER && role != ROLE_BINARY) ||
                                    (!is_inner(r, p) && begins_interchange(r, p, (size_t)(next - 1 - p), last)))) {
            r->run_skip = 0;
            run.lost_terminator = behind_lost;
            hand_over_run(r, &run, start, at, true);
            r->from = behind_lost ? at : blanks;
            return r->stopped ? WALK_DONE : WALK_AGAIN;
        }
        r->run_skip_terminator = r->run_skip > 0;
        note_layout(r, behind_lost ? at : blanks, at, (size_t)(next - r->buf));
        at = (size_t)(next - r->buf);
        if (at == whole && !lost && whole - start >= RUN_BYTES) {
            if (hand_over_run(r, &run, start, whole, true) < 0)
                return WALK_DONE;
            start = whole;
            counted = false;
        }
    }
    if (last && open) { /* the file ends inside a document */
        bool outer = at < r->n && reader_is_outer_trailer(r, at);
        run.last = !outer;
        if (hand_over_run(r, &run, start, outer ? at : r->n, true) == 0 && !outer && at < r->n)
            follow_last_run(r, at);
    } else if (open && at - whole >= LIMIT_CHUNK) { /* too large to wait for its end */
        hand_over_run(r, &run, start, at, false);
    } else {
        if (open && counted) { /* it is looked at again when more of it is there */
            run.documents--;
            if (fresh)
                numbers_forget(&r->numbers);
            r->n_sets_seen -= new_set;
        }
        /* what lies before the next document is told with it */
        if (r->blank_at >= whole)
            r->blank_at = SIZE_MAX;
        if (r->empty_at >= whole)
            r->empty_at = SIZE_MAX;
        if (whole > start && hand_over_run(r, &run, start, whole_end, true) == 0)
            r->from = whole;
    }
    return WALK_DONE;
}

bool runs_at_document(const struct edi_reader *r)
{
    size_t at = r->from;
    if (!r->options.run || r->level != IN_GROUP)
        return false;
    while (at < r->n && delimiters_blank(r->buf[at]))
        at++;
    return r->run_open || role_at(r, r->buf + at) == ROLE_DOCUMENT;
}

/* ---- joining ---- */

static void move_slices(struct slice *s, unsigned n, const char *from, const char *to)
{
    for (unsigned i = 0; i < n; i++)
        if (s[i].p)
            s[i].p = to + (s[i].p - from);
}

void edi_context_copy(struct edi_context *to, const struct edi_context *from)
{
    *to = *from;
    move_slices(to->interchange.element, ENVELOPE_ELEMENTS + 1, from->interchange_text, to->interchange_text);
    move_slices(to->group.element, GROUP_ELEMENTS + 1, from->group_text, to->group_text);
    to->interchange.dialect->interchange_facts(&to->interchange);
    to->interchange.dialect->group_facts(&to->group, &to->interchange);
}

const struct edi_context *edi_reader_context(const struct edi_reader *r)
{
    return &r->in;
}

void edi_reader_join(struct edi_reader *r, const struct edi_context *from)
{
    edi_context_copy(&r->in, from);
    r->dialect = from->interchange.dialect;
    r->syntax = from->interchange.syntax;
    r->checker.mark = from->interchange.decimal;
    r->checker.comma = r->dialect->decimal_comma;
    reader_set_rewriting(r);
    r->has_syntax = r->started = r->joined = true;
    r->level = IN_GROUP;
}

static void walk_run(struct edi_reader *r, bool last)
{
    while (r->from < r->n && !r->stopped) {
        size_t before = r->from;
        reader_drop_skipped(r);
        if (r->skip || r->skip_terminator || reader_walk(r, last) != WALK_AGAIN)
            break;
        if (r->from == before) { /* an ISA or UNA with other delimiters: no run holds one, if it is not a part of wrong data */
            reader_find(r, FINDING_INTERCHANGE_STRUCTURE, NULL, 0, r->dialect == &dialect_x12 ? "an ISA inside a transaction set" : "an interchange inside a message",
                        r->dialect == &dialect_x12 ? "SE, GE and IEA before" : "UNT and UNZ before");
            break;
        }
    }
}

int edi_reader_run(struct edi_reader *r, const struct edi_run *run, struct err *err)
{
    char *own = r->buf, line_break = 0;
    if (r->stopped)
        return r->stopped;
    r->err = err;
    r->buf = run->p;
    r->n = run->n;
    r->from = 0;
    r->base_offset = run->offset;
    r->base_line = run->line;
    r->line_start = run->line_start;
    r->duplicate = run->duplicate;
    r->new_set = run->new_set;
    r->blanks_told = run->blanks_told;
    r->empty_told = run->empty_told;
    if (run->lost_terminator) {
        r->n = reader_line_end(r, r->buf, r->n);
        line_break = r->buf[r->n];
        r->buf[r->n++] = r->syntax.terminator;
        r->lost_terminator = true;
    }
    walk_run(r, run->last);
    if (run->lost_terminator) {
        r->buf[r->n - 1] = line_break;
        r->n = run->n;
        r->lost_terminator = false;
    }
    if (run->last && !r->stopped && reader_take_rest(r))
        walk_run(r, true);
    if (run->last)
        reader_end_binary(r);
    if (run->ends && !r->stopped) {
        r->from = r->n;
        reader_close_document_early(r);
    }
    r->buf = own;
    r->n = r->from = 0;
    return r->stopped;
}
