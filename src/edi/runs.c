/*
 * runs: documents for other readers. One reader cuts the file into runs of whole documents and hands them over unread
 * (edi_reader_options.run); others read them.
 *
 * Here only what bounds a document is looked at, its header and trailer, and what the other reader cannot know: whether
 * a control number was used before, and where the run stands in the file. Only a document whose bounds are beyond
 * doubt is handed over. Where anything is odd about them (the trailer is missing, binary data or another interchange
 * lie inside, a line break may stand for a terminator, the header does not read as its bytes, it is very long), the
 * reader that cuts reads the document by itself, when those before are done. What is wrong inside is the other's to
 * say. A run borrows its bytes from the buffer of the reader that cuts; nothing is freed here.
 */
#include "edi/reader_inside.h"

/* ---- cutting ---- */

/* What the segment that starts at p is, by its tag. False: the tag is odd, or may begin another interchange. */
static bool plain_role(const struct edi_reader *r, const char *p, enum dialect_role *role_r)
{
    uint32_t tag = 0;
    unsigned n = 0;
    while (n < 4 && p[n] != r->syntax.element && ((p[n] >= 'A' && p[n] <= 'Z') || is_digit(p[n])))
        n++;
    memcpy(&tag, p, n);
    *role_r = dialect_role(r->dialect, tag);
    return n >= 2 && p[n] == r->syntax.element && memcmp(p, "ISA", 3) != 0 && memcmp(p, "UNA", 3) != 0 &&
           memcmp(p, "UNB", 3) != 0;
}

/* Can a segment that begins at p only be one inside a document: no envelope, nothing binary? Most are. */
static inline bool is_inner(const struct edi_reader *r, const char *p)
{
    const uint32_t other = r->dialect->first | 1u << ('U' & 31);
    return *p >= 'A' && *p <= 'Z' && !(other >> (*p & 31) & 1) && (*p != 'I' || p[1] != 'S') &&
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
    const char *const from = r->buf + at, *const end = r->buf + stop, *p = from, *last;

    for (; p + 18 <= end; p += 16) {
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
    while ((last = memrchr(from, r->syntax.terminator, (size_t)(p - from))) != NULL) {
        if (!delimiters_released(from, 0, (size_t)(last - from), r->syntax.release))
            return (size_t)(last - r->buf) + 1;
        p = last;
    }
    return at;
}

/* Hands over the documents from `start` to `end`, if there are any. */
static int hand_over_run(struct edi_reader *r, struct edi_run *run, size_t start, size_t end)
{
    int answer;
    if (end <= start)
        return 0;
    run->p = r->buf + start;
    run->n = end - start;
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
    r->in.group.documents += run->documents;
    if (r->in.group.implied)
        r->in.interchange.documents += run->documents;
    *run = (struct edi_run){ .documents = 0 };
    r->from = end;
    return answer < 0 ? reader_stop(r, answer) : 0;
}

int runs_settle(struct edi_reader *r)
{
    int answer = r->options.run ? r->options.run(r->options.run_ctx, r, NULL) : 0;
    return answer < 0 ? reader_stop(r, answer) : 0;
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

/* Does a header mean what its bytes are? Neither released characters are in it nor any that another character set may
 * have otherwise: its number is compared with others. */
static bool is_plain_header(const struct edi_reader *r, const char *p, const char *end)
{
    const struct edi_syntax *x = &r->syntax;
    for (; p < end; p++)
        if (*p != x->element && *p != x->component && (*p < ' ' || *p > '~' || *p == x->release))
            return false;
    return true;
}

/* A document's header: is its number new in the group or has it been used there (or is there none), is its set new
 * there? */
static void look_at_header(struct edi_reader *r, const char *p, const char *next, bool *fresh_r, bool *used_r,
                           bool *new_r)
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

enum walk runs_split(struct edi_reader *r, bool last)
{
    const bool one_letter = __builtin_popcount(r->dialect->first) == 1;
    const bool line_terminator = r->syntax.terminator == '\n' || r->syntax.terminator == '\r';
    const size_t first = r->from;
    size_t start = first, whole = first, at = first;
    size_t newline = line_terminator ? r->n : 0; /* the next one */
    struct edi_run run = { .documents = 0 };
    bool open = false, odd = false, fresh = false, new_set = false;

    r->blank_at = r->empty_at = SIZE_MAX;
    while (!odd) {
        const size_t blanks = at;
        enum dialect_role role = ROLE_INNER;
        while (at < r->n && delimiters_blank(r->buf[at]) && r->buf[at] != r->syntax.terminator)
            at++;
        if (newline <= at) {
            const char *line = memchr(r->buf + at, '\n', r->n - at);
            newline = line ? (size_t)(line - r->buf) : r->n;
        }
        const char *const p = r->buf + at;
        const bool inner = open && at < r->n && is_inner(r, p);
        size_t next = inner && one_letter ? pass_inner(r, at, newline) : at;
        if (next == at) { /* a segment by itself */
            const char *end = at < r->n ? delimiters_end(p, r->n - at, &r->syntax) : NULL;
            if (!end)
                break;
            next = (size_t)(end - r->buf) + 1;
            if (newline < next || (end > p && !inner && !plain_role(r, p, &role))) {
                odd = true;
                break;
            }
        }
        if (role == ROLE_DOCUMENT && !open) {
            bool used;
            if (!is_plain_header(r, p, r->buf + next - 1)) {
                odd = true;
                break;
            }
            look_at_header(r, p, r->buf + next, &fresh, &used, &new_set);
            if (used || new_set) {
                if (hand_over_run(r, &run, start, whole) < 0)
                    return WALK_DONE;
                start = whole;
                run.duplicate = used;
                run.new_set = new_set;
            }
            open = true;
            run.documents++;
        } else if (role == ROLE_DOCUMENT_END && open && next - start <= EDI_MOST_RUN) {
            open = false;
            whole = next;
        } else {
            odd = role != ROLE_INNER || (!open && next > at + 1);
        }
        note_layout(r, blanks, at, next);
        at = next;
        if (at == whole && whole - start >= RUN_BYTES) {
            if (hand_over_run(r, &run, start, whole) < 0)
                return WALK_DONE;
            start = whole;
        }
    }
    if (open) { /* it is looked at again */
        run.documents--;
        if (fresh)
            numbers_forget(&r->numbers);
        r->n_sets_seen -= new_set;
    }
    if (hand_over_run(r, &run, start, whole) < 0)
        return WALK_DONE;
    if (r->from > first)
        return WALK_AGAIN;
    if (!odd && !last && r->n - first < EDI_MOST_RUN)
        return WALK_DONE; /* more of it is to come */
    r->alone = true;
    return runs_settle(r) < 0 ? WALK_DONE : WALK_AGAIN;
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

/* Makes a reader stand there. Its own options and sink stay. */
static void join(struct edi_reader *r, const struct edi_context *from)
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

int edi_reader_run(struct edi_reader *r, const struct edi_context *from, const struct edi_run *run, struct err *err)
{
    char *const own = r->buf;
    if (r->stopped)
        return r->stopped;
    join(r, from);
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
    while (r->from < r->n && !r->stopped) {
        const size_t before = r->from;
        if (reader_walk(r, true) != WALK_AGAIN || r->from == before)
            break;
    }
    if (r->deaf) { /* a segment that nobody can mean: what is left of the run is passed over */
        reader_close_document_early(r);
        r->deaf = false;
    }
    if (!r->stopped && (r->level != IN_GROUP || r->from < r->n))
        reader_stop(r, err_set(r->err, ERR_INTERNAL, "documents that were handed over did not end where they should"));
    r->buf = own;
    r->n = r->from = 0;
    return r->stopped;
}
