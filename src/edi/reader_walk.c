/*
 * reader_walk: the segments of a block, one by one. Inside a document each goes to the checker, and from there to the
 * sink; what begins or ends something goes to reader_envelope.c and reader_document.c. Here is also what a segment may
 * be that is not as others are: binary data, packages, line breaks for terminators, another interchange where none
 * belongs. What lies in a document is never looked at twice, and nothing is allocated here.
 *
 * Sources: X12.5 (interchange control structures), X12.22 (segments: BIN, BDS); ISO 9735-1 and -8 version 4.
 */
#include "edi/reader_inside.h"

/* A segment of a document, counted, and readable as it stands. */
static __attribute__((noinline)) int take_readable(struct edi_reader *r, const struct segment *s)
{
    const struct guide_node *node;
    uint64_t present;
    int answer = 0;

    if (!r->document.guide) {
        if (r->sink.stray)
            answer = r->sink.stray(r->sink.ctx, s);
        return answer < 0 ? reader_stop(r, answer) : r->stopped;
    }
    node = check_place(&r->checker, s);
    if (node) {
        present = node->has_variants ? check_segment(&r->checker, s, node) : check_elements(&r->checker, s, node->def);
        if (r->sink.segment && !r->checker.stopped)
            answer = r->sink.segment(r->sink.ctx, node, s, present);
    } else if (r->sink.stray && !r->checker.stopped) {
        answer = r->sink.stray(r->sink.ctx, s);
    }
    if (r->checker.stopped)
        answer = r->checker.stopped;
    return answer < 0 ? reader_stop(r, answer) : r->stopped;
}

static __attribute__((noinline)) int take_parts(struct edi_reader *r, const struct segment *s)
{
    struct segment with_parts = *s;
    segment_find_parts(&with_parts, &r->syntax, &r->parts);
    return take_readable(r, &with_parts);
}

int reader_take_segment(struct edi_reader *r, const struct segment *s)
{
    r->document.segments++;
    s = reader_readable(r, s);
    return !s ? r->stopped : s->flags & SEGMENT_PARTS && !s->part ? take_parts(r, s) : take_readable(r, s);
}

/* BIN*length*data and BDS*filter*length*data: the data may hold anything. s is what the index took for the segment;
 * *from, where it leads on, is set unless it is a segment like others (WALK_DONE). */
static enum walk take_binary(struct edi_reader *r, const struct segment *s, size_t *from, bool last)
{
    unsigned length_at = s->base[s->start + 1] == 'I' ? 1 : 2;
    uint32_t at[4] = { s->at[0], 0, 0, 0 };
    struct segment whole = { s->base, at, s->start, length_at + 1, SEGMENT_ESCAPE, NULL, NULL };
    size_t start = (size_t)(s->base - r->buf), data, end;
    uint64_t length;

    if (s->n <= length_at || !slice_number(segment_element(s, length_at), MOST_BINARY, &length)) {
        reader_find(r, FINDING_BINARY_LENGTH, s, length_at, "is not a length",
                    "the number of bytes of the binary element");
        reader_take_segment(r, s);
        return WALK_DONE;
    }
    for (unsigned k = 1; k <= length_at; k++)
        at[k] = s->at[k];
    data = start + s->at[length_at] + 1;
    end = data + (size_t)length;
    if (length < LIMIT_SEGMENT && end + 1 > r->n && !last) {
        *from = start + s->start;
        return WALK_MORE;
    }
    if (length >= LIMIT_SEGMENT) { /* not kept: the data pass by */
        uint64_t here = r->n - data;
        r->document.segments++;
        r->skip = length > here ? length - here : 0;
        r->skip_terminator = true;
        *from = length > here ? r->n : end;
        return WALK_AGAIN;
    }
    if (end + 1 > r->n || r->buf[end] != r->syntax.terminator) {
        reader_find(r, FINDING_BINARY_LENGTH, s, length_at, "does not lead to a segment terminator",
                    "the length of the data");
        reader_take_segment(r, s);
        return WALK_DONE;
    }
    at[length_at + 1] = (uint32_t)(end - start);
    reader_take_segment(r, &whole);
    *from = end + 1;
    return WALK_AGAIN;
}

/* UNO: as many bytes as it says follow, behind as many segments as it says; then UNP. They are passed over unread,
 * which is told. */
static enum walk take_package(struct edi_reader *r, const struct segment *s, size_t *from, bool last)
{
    const struct segment *whole = s;
    struct slice length = segment_part(s, &r->syntax, 4, 1), before = segment_part(s, &r->syntax, 4, 2);
    size_t start = (size_t)(s->base - r->buf), data = start + s->at[s->n] + 1, here;
    uint64_t n, segments = 0;
    struct slice reference;

    if (before.n && !slice_number(before, 999, &segments))
        segments = 0;
    for (const char *end; segments; segments--) {
        end = delimiters_end(r->buf + data, r->n - data, &r->syntax);
        if (!end && !last && r->n - start < LIMIT_SEGMENT) {
            *from = start + s->start;
            return WALK_MORE;
        }
        if (!end)
            break;
        data = (size_t)(end - r->buf) + 1;
    }
    reader_close_document_early(r);
    if (r->level == OUTSIDE)
        reader_open_interchange(r, NULL);
    if (r->stopped || !(s = reader_readable(r, s)))
        return WALK_DONE;
    reader_check_envelope(r, s, FINDING_INTERCHANGE_CONTENT);
    if (r->sink.envelope_segment && !r->stopped)
        reader_call(r, r->sink.envelope_segment(r->sink.ctx, s));
    if (r->level == IN_GROUP)
        r->in.group.documents++;
    if (r->level == IN_INTERCHANGE || r->in.group.implied)
        r->in.interchange.documents++;
    if (segments || !slice_number(length, MOST_BINARY, &n)) {
        struct finding f = { .code = FINDING_BINARY_LENGTH,
                             .place = { .element = 4, .component = 1 },
                             .value = segment_part(s, &r->syntax, 4, 1),
                             .found = "is not a length",
                             .expected = "the number of bytes that follow the UNO" };
        reader_hand_over(r, s, &f);
        *from = start + whole->at[whole->n] + 1;
        return WALK_AGAIN;
    }
    reader_find(r, FINDING_PACKAGE, s, 1, "names a package, whose object is passed over: no record holds it", "");
    r->package = true;
    r->package_length = n;
    reference = segment_element(s, 1);
    if (reference.n > sizeof(r->package_reference))
        reference.n = sizeof(r->package_reference);
    r->package_reference_n = (unsigned char)reference.n;
    if (reference.n)
        memcpy(r->package_reference, reference.p, reference.n);
    here = r->n - data;
    r->skip = n > here ? n - here : 0;
    *from = n > here ? r->n : data + (size_t)n;
    return WALK_AGAIN;
}

static int take_package_end(struct edi_reader *r, const struct segment *s)
{
    uint64_t n;
    reader_close_document_early(r);
    if (r->stopped || !(s = reader_readable(r, s)))
        return r->stopped;
    if (!r->package)
        return reader_find(r, FINDING_INTERCHANGE_STRUCTURE, s, 0, "a UNP without a UNO", "a UNO segment first");
    r->package = false;
    reader_check_envelope(r, s, FINDING_INTERCHANGE_CONTENT);
    if (!slice_number(segment_element(s, 1), MOST_BINARY, &n) || n != r->package_length)
        reader_find(r, FINDING_BINARY_LENGTH, s, 1, "is not the length that the UNO says", "the same number");
    reader_compare_control(r, s, 2, slice(r->package_reference, r->package_reference_n), FINDING_INTERCHANGE_CONTROL,
                           "UNO01");
    if (r->sink.envelope_segment && !r->stopped)
        reader_call(r, r->sink.envelope_segment(r->sink.ctx, s));
    return r->stopped;
}

/* Any segment but UNP behind the bytes of a package. */
static void find_no_package_end(struct edi_reader *r, const struct segment *s)
{
    if (!r->package)
        return;
    r->package = false;
    reader_find(r, FINDING_BINARY_LENGTH, s, 0, "the length in the UNO does not lead to a UNP", "a UNP segment");
}

/* Does a segment begin at p: a trailer, or what may stand in the document whose guide it is, and an element
 * separator? */
static bool begins_segment(const struct edi_reader *r, const struct guide *guide, const char *p, const char *end)
{
    size_t n = 0;
    uint32_t key = 0;
    while (n < 4 && p + n < end && p[n] != r->syntax.element)
        n++;
    enum dialect_role role;
    if (n < 2 || n > 3 || p + n >= end)
        return false;
    memcpy(&key, p, n);
    role = dialect_role(r->dialect, key);
    return role == ROLE_DOCUMENT_END || role == ROLE_GROUP_END || role == ROLE_INTERCHANGE_END ||
           (guide && guide_tag(guide, key) >= 0 && role != ROLE_DOCUMENT);
}

static const char *next_line(const struct edi_reader *r, const struct guide *guide, const char *p, const char *end)
{
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        while (p < end && delimiters_blank(*p))
            p++;
        if (begins_segment(r, guide, p, end))
            return p;
    }
    return NULL;
}

static size_t line_end(const struct edi_reader *r, const char *p, size_t n)
{
    while (delimiters_blank(p[n - 1]))
        n--;
    return n + delimiters_released(p, 0, n, r->syntax.release);
}

/* A segment with line breaks inside. Where the next line begins like a segment of the document, or a trailer, the
 * terminator was forgotten: the line break stands for it. Behind an IEA, all is looked at anew. */
static int take_broken(struct edi_reader *r, const struct segment *whole)
{
    uint32_t *at = r->index.delimiter + (whole->at - r->index.delimiter);
    const char *const base = whole->base, *const end = base + whole->at[whole->n];
    uint32_t start = whole->start;
    unsigned n = whole->n;

    for (;;) {
        const char *p = base + start, *next = NULL;
        uint32_t tag = 0;
        struct segment part = { base, at, start, n, whole->flags, NULL, NULL };
        memcpy(&tag, p, at[0] - start < 4 ? at[0] - start : 4);
        if (memchr(p, 0, at[0] - start)) /* as reader_walk() has it */
            tag = UINT32_MAX;
        else if (tag & r->dialect->odd_tag)
            tag = reader_mend_tag(r, &part, tag);
        const enum dialect_role role = dialect_role(r->dialect, tag);
        const bool se = role == ROLE_DOCUMENT_END, ge = role == ROLE_GROUP_END, iea = role == ROLE_INTERCHANGE_END;
        const bool inside = r->level == IN_DOCUMENT && !se && !ge;
        uint32_t kept = 0;
        if (!iea)
            next = next_line(r, inside ? r->document.guide : NULL, base + at[0], end);
        if (next) {
            size_t stop = (size_t)(next - base);
            stop = line_end(r, base, stop);
            for (part.n = 0; at[part.n] < stop; part.n++)
                ;
            kept = at[part.n];
            at[part.n] = (uint32_t)stop;
        }
        r->from = (size_t)(p - r->buf);
        if (ge || iea)
            reader_close_document_early(r);
        if (next) {
            r->document.segments++; /* it speaks of the one to come */
            reader_find(r, FINDING_TERMINATOR_MISSING, &part, 0, "ends at a line break", "a segment terminator");
            r->document.segments--;
        }
        if (!r->stopped) {
            if (se)
                reader_take_document_end(r, &part);
            else if (ge)
                reader_take_group_end(r, &part);
            else if (iea)
                reader_take_interchange_end(r, &part);
            else if (r->level == IN_DOCUMENT)
                reader_take_segment(r, &part);
            else
                reader_take_outside(r, &part);
        }
        if (!next || r->stopped)
            return r->stopped;
        at[part.n] = kept;
        at += part.n;
        n -= part.n;
        start = (uint32_t)(next - base);
    }
}

static void tell_layout(struct edi_reader *r, const struct segment *s, uint32_t from)
{
    /* what lies between interchanges belongs to none */
    for (uint32_t i = from; i < s->start && !r->blanks_told && r->level != OUTSIDE; i++)
        if (s->base[i] != '\n' && s->base[i] != '\r') {
            reader_find(r, FINDING_FILE_BLANKS, s, 0, "blanks stand before the segment", "segments behind each other");
            r->blanks_told = true;
        }
}

/* Does a document end before this segment, whether it has its trailer or not? */
static bool begins_envelope(const struct edi_reader *r, const struct segment *s, enum dialect_role role)
{
    return role == ROLE_DOCUMENT || role == ROLE_GROUP_END || role == ROLE_GROUP || role == ROLE_INTERCHANGE_END ||
           role == ROLE_PACKAGE ||
           delimiters_envelope(s->base + s->start, s->at[s->n] - s->start, r->dialect->level[0].begin);
}

/* How much of a block the index has room for: it does not grow with a segment, for most of a large one is text. False:
 * there is no whole segment in the block, or one that nobody can mean. */
static bool fit_index(struct edi_reader *r, const char *base, size_t *n_r)
{
    const char *end = memrchr(base, r->syntax.terminator, r->index.room), *p = base;
    size_t delimiters = 0;
    while (end && r->syntax.release && delimiters_released(base, 0, (size_t)(end - base), r->syntax.release))
        end = memrchr(base, r->syntax.terminator, (size_t)(end - base));
    if (end) {
        *n_r = (size_t)(end - base) + 1;
        return true;
    }
    end = delimiters_end(base, *n_r, &r->syntax);
    if (!end)
        return false;
    while (delimiters < r->index.room && (p = memchr(p, r->syntax.element, (size_t)(end - p))) != NULL) {
        p++;
        delimiters++;
    }
    *n_r = (size_t)(end - base) + 1;
    if (delimiters < r->index.room)
        return true;
    reader_too_large(r, "the segment has too many elements", "fewer");
    return false;
}

enum walk reader_walk(struct edi_reader *r, bool last)
{
    const size_t origin = r->from;
    const char *base = r->buf + origin;
    const struct lexer_index *x = &r->index;
    static const uint32_t tag_bytes[4] = { 0, 0xff, 0xffff, 0xffffff };
    size_t n = r->n - origin;
    uint32_t d = 0, from = 0;
    uint32_t first = r->dialect->first, second = r->dialect->second;
    const uint32_t odd_tag = r->dialect->odd_tag;
    const uint32_t slow = SEGMENT_ESCAPE | SEGMENT_RELEASE;
    const bool line_terminator = r->syntax.terminator == '\n' || r->syntax.terminator == '\r';

    /* what lies in documents is not for this reader: the envelopes between them are short */
    if (r->options.run && n > 4096 && r->level != IN_DOCUMENT && delimiters_end(base, 4096, &r->syntax))
        n = 4096;
    /* where the delimiters stand is to lie in a near cache until it is looked at */
    if (n > WALK_BYTES && delimiters_end(base, WALK_BYTES, &r->syntax))
        n = WALK_BYTES;
    if (__builtin_expect(n > x->room, 0) && !fit_index(r, base, &n))
        return WALK_DONE;
    r->lex(&r->index, base, n, &r->syntax);
    /* of a document that holds characters which its set lacks, each segment is looked at until that was told */
    enum edi_charset looked = r->in.interchange.charset;
    bool seen = r->level == IN_DOCUMENT, lacking = seen && reader_lacks(r, base, n);
    if (__builtin_expect(lacking, 0) && !reader_told_lacking(r))
        first = second = UINT32_MAX;
    const uint32_t *const part = x->has_parts ? x->part : NULL;
    for (uint32_t i = 0; i < x->n_segments; i++) {
        /* by themselves at first: `s` is known to others, and would be read from memory again and again */
        const uint32_t number = x->end[i] >> SEGMENT_FLAG_BITS, flags = x->end[i] & ((1u << SEGMENT_FLAG_BITS) - 1);
        const uint32_t *at = x->delimiter + d;
        const uint32_t tag_end = at[0], end = x->delimiter[number];
        uint32_t start = from, tag = 0;

        if (base[start] == '\n' && start < tag_end)
            start++;
        memcpy(&tag, base + start, 4);
        if (tag_end - start < 4)
            tag &= tag_bytes[tag_end - start];
        struct segment s = { base, at, start, number - d, flags, part, x->rank + d };
        /* nearly all are of a document, and nothing is odd about them: no blanks before them, for one */
        if (__builtin_expect(!(flags & slow) && (tag & 0xff) > ' ' && !(tag & odd_tag) &&
                                 !dialect_may_have_role(first, second, tag) && r->level == IN_DOCUMENT,
                             1)) {
            r->from = origin + start;
            r->document.segments++;
            if (flags & SEGMENT_PARTS && !part)
                take_parts(r, &s);
            else
                take_readable(r, &s);
            d = number + 1;
            from = end + 1;
            r->from = origin + from;
            if (r->stopped)
                return WALK_DONE;
            continue;
        }
        while (start < tag_end && delimiters_blank(base[start]))
            start++;
        s.start = start;
        r->from = origin + start;
        memcpy(&tag, base + start, 4);
        if (tag_end - start < 4)
            tag &= tag_bytes[tag_end - start];
        /* a NUL in it must not make it look like a shorter one */
        if (__builtin_expect(flags & SEGMENT_ESCAPE, 0) && memchr(base + start, 0, tag_end - start))
            tag = UINT32_MAX;
        if (__builtin_expect(tag & odd_tag, 0) && start != end) {
            if (r->level == OUTSIDE && reader_pass_una(r, &s, last)) {
                d = number + 1;
                from = end + 1;
                r->from = origin + from;
                continue;
            }
            const enum found other = reader_begins_other(r, base + start, last);
            if (other == NEED_MORE) {
                r->from = origin + from; /* the blanks before it are still to be told */
                return WALK_MORE;
            }
            if (other == FOUND) {
                if (r->level != OUTSIDE)
                    reader_close_interchange_early(r);
                r->has_syntax = false;
                return WALK_AGAIN;
            }
            if (tag != UINT32_MAX)
                tag = reader_mend_tag(r, &s, tag);
            s.flags |= r->rewrite;
        }
        const enum dialect_role role =
            dialect_may_have_role(first, second, tag) ? dialect_find_role(r->dialect, tag) : ROLE_INNER;
        if (start != from && __builtin_expect(!(start == from + 1 && base[from] == '\n'), 0)) {
            if (r->level == IN_DOCUMENT && begins_envelope(r, &s, role))
                reader_close_document_early(r); /* the blanks are not its own */
            tell_layout(r, &s, from);
        }
        d = number + 1;
        if (start == end) {
            if (!line_terminator && !r->empty_told && r->level != OUTSIDE) {
                reader_find(r, FINDING_FILE_EMPTY_SEGMENT, &s, 0, "there is nothing between two terminators",
                            "a segment");
                r->empty_told = true;
            }
            from = end + 1;
            r->from = origin + from;
            continue;
        }
        /* behind an interchange other delimiters may be in force */
        if (__builtin_expect(r->level == OUTSIDE, 0) && r->in.interchanges &&
            r->base_offset + r->from != r->syntax_at &&
            !(role == ROLE_INTERCHANGE ||
              delimiters_envelope(base + start, end - start, r->dialect->level[DIALECT_INTERCHANGE].begin))) {
            r->has_syntax = false;
            return WALK_AGAIN;
        }
        if (role != ROLE_INNER && role != ROLE_BETWEEN)
            find_no_package_end(r, &s);
        switch (role) {
        case ROLE_DOCUMENT:
            if (r->options.run && !r->alone) {
                r->from = origin + s.start;
                reader_open_for_document(r);
                return r->stopped ? WALK_DONE : WALK_DOCUMENTS;
            }
            r->alone = false;
            reader_take_document(r, &s);
            break;
        case ROLE_DOCUMENT_END:
            if (s.flags & SEGMENT_ESCAPE && !line_terminator)
                take_broken(r, &s);
            else
                reader_take_document_end(r, &s);
            break;
        case ROLE_GROUP: reader_take_group(r, &s); break;
        case ROLE_GROUP_END:
            if (s.flags & SEGMENT_ESCAPE && !line_terminator)
                take_broken(r, &s);
            else
                reader_take_group_end(r, &s);
            break;
        case ROLE_INTERCHANGE_END: reader_take_interchange_end(r, &s); break;
        case ROLE_BINARY:
            if (r->level == IN_DOCUMENT) {
                size_t next = origin + end + 1;
                enum walk w = take_binary(r, &s, &next, last);
                if (w != WALK_DONE) {
                    r->from = next;
                    return r->stopped ? WALK_DONE : w;
                }
                break;
            }
            reader_take_outside(r, &s);
            break;
        case ROLE_PACKAGE: {
            size_t next = origin + start;
            enum walk w = take_package(r, &s, &next, last);
            r->from = next;
            return r->stopped ? WALK_DONE : w;
        }
        case ROLE_BETWEEN: take_package_end(r, &s); break;
        default:
            if (r->level == IN_DOCUMENT && role != ROLE_INTERCHANGE &&
                (((tag & 0xffffff) != r->dialect->key && tag != UINT32_MAX) ||
                 !delimiters_envelope(base + start, end - start, r->dialect->level[DIALECT_INTERCHANGE].begin))) {
                if (flags & SEGMENT_ESCAPE && !line_terminator)
                    take_broken(r, &s);
                else
                    reader_take_segment(r, &s);
            } else if (role == ROLE_INTERCHANGE ||
                       delimiters_envelope(base + start, end - start, r->dialect->level[DIALECT_INTERCHANGE].begin)) {
                r->from = origin + s.start;
                if (!reader_same_syntax(r, &s, last)) {
                    reader_close_interchange_early(r);
                    r->has_syntax = false;
                    return WALK_AGAIN;
                }
                reader_take_interchange(r, &s);
            } else {
                find_no_package_end(r, &s);
                reader_take_outside(r, &s);
            }
        }
        if (role == ROLE_DOCUMENT && (r->in.interchange.charset != looked || !seen)) {
            looked = r->in.interchange.charset;
            seen = true;
            lacking = reader_lacks(r, base, n);
        }
        if (__builtin_expect(lacking, 0)) {
            const bool told = role == ROLE_INNER && r->level == IN_DOCUMENT && reader_tell_lacking(r, &s);
            first = told ? r->dialect->first : UINT32_MAX;
            second = told ? r->dialect->second : UINT32_MAX;
        }
        from = end + 1;
        r->from = origin + from;
        if (r->stopped)
            return WALK_DONE;
    }
    return n < r->n - origin && x->n_segments ? WALK_AGAIN : WALK_DONE;
}
