/*
 * reader_rewrite: segments that cannot be handed out as they stand in the file: with release characters, in another
 * character set than UTF-8, with a tag in small letters or with the numbers of its nesting behind it, or cut by line
 * breaks. A copy of those is made (rewrite.h).
 *
 * The copy lies in the reader until the next one is made; edi_reader_free() frees it.
 * Source: ISO 9735 (explicit indication of nesting).
 */
#include "edi/reader_inside.h"

#include <stdio.h>

void reader_set_rewriting(struct edi_reader *r)
{
    r->rewrite = r->syntax.release ? SEGMENT_RELEASE : 0;
    r->has_page = charset_page(r->in.interchange.charset, r->page);
    if (r->dialect == &dialect_edifact)
        r->rewrite |= SEGMENT_ESCAPE;
}

/* What the bytes from A0 on are in a segment. */
static const uint16_t *page_of(const struct edi_reader *r, bool is_utf8)
{
    return r->has_page && !is_utf8 ? r->page : NULL;
}

/* Bytes that are UTF-8 although the interchange says otherwise. By chance that can hardly be in the Latin sets whose
 * letters stand alone between those of ASCII; in the others only what they have no character for tells. */
static bool looks_like_utf8(const struct edi_reader *r, struct slice s)
{
    bool any = false, control = false;
    while (s.n) {
        unsigned n = utf8_length(s);
        if (!n)
            return false;
        for (unsigned i = 0; n > 1 && i < n; i++)
            control |= (unsigned char)s.p[i] < 0xa0;
        any |= n > 1;
        s = slice_from(s, n);
    }
    return any && (control || r->in.interchange.charset == CHARSET_LATIN1 ||
                   r->in.interchange.charset == CHARSET_LATIN9);
}

static bool has_high_byte(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return true;
    return false;
}

/* Somebody has cut the file into lines wherever they were full. Where line breaks are delimiters they are none. */
static bool has_line_break(const struct edi_reader *r, struct slice s)
{
    const struct edi_syntax *x = &r->syntax;
    for (const char *p = "\n\r"; *p; p++)
        if (*p == x->element || *p == x->component || *p == x->repetition || *p == x->release || *p == x->terminator)
            return false;
    return memchr(s.p, '\n', s.n) || memchr(s.p, '\r', s.n);
}

static size_t letters_of_tag(struct slice tag)
{
    size_t n = 0;
    for (size_t i = 0; i < tag.n; i++)
        n += tag.p[i] != '\n' && tag.p[i] != '\r';
    return n;
}

/* Without the numbers of its nesting. What is no tag at all has none: an apostrophe in a text ends its segment. */
static struct slice tag_alone(const struct edi_reader *r, const struct segment *s)
{
    struct slice tag = segment_tag(s), alone, rest;
    bool found;
    alone = r->syntax.component ? slice_cut(tag, r->syntax.component, &rest, &found) : tag;
    return letters_of_tag(alone) <= 3 ? alone : tag;
}

uint32_t reader_mend_tag(const struct edi_reader *r, const struct segment *s, uint32_t tag)
{
    struct slice alone = tag_alone(r, s);
    uint32_t mended = 0;
    unsigned shift = 0;
    if (alone.n > 3 && letters_of_tag(alone) > 3)
        return tag;
    for (size_t i = 0; i < alone.n; i++) {
        unsigned char c = (unsigned char)alone.p[i];
        if (c == '\n' || c == '\r')
            continue;
        mended |= (uint32_t)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c) << shift;
        shift += 8;
    }
    return mended;
}

/* Once for each document, and once for the envelopes of an interchange: a reader of runs knows no more than that. A
 * document that begins here is not counted yet: the finding is the interchange's. */
static struct told *told_of(struct edi_reader *r, enum dialect_role role)
{
    uint64_t document = r->in.documents + (role == ROLE_DOCUMENT);
    if (role != ROLE_DOCUMENT && role != ROLE_DOCUMENT_END && (role != ROLE_INNER || r->level != IN_DOCUMENT))
        return &r->told_around;
    if (r->told_document != document)
        r->told_inside = (struct told){ 0 };
    r->told_document = document;
    return &r->told_inside;
}

static void tell(struct edi_reader *r, const struct segment *s, bool nested, bool small_letters, bool is_utf8,
                 bool lines)
{
    struct told *told;
    uint32_t tag = 0;
    memcpy(&tag, segment_tag(s).p, segment_tag(s).n < 4 ? segment_tag(s).n : 4);
    told = told_of(r, dialect_role(r->dialect, reader_mend_tag(r, s, tag)));
    if (nested && !told->nesting) {
        told->nesting = true;
        reader_find(r, FINDING_TAG_NESTING, s, 0, "the tag is followed by the numbers of its nesting",
                    "a tag alone; the numbers are ignored");
    }
    if (small_letters && !told->small_letters) {
        told->small_letters = true;
        reader_find(r, FINDING_TAG_CASE, s, 0, "the tag is written in small letters", "capital letters");
    }
    if (is_utf8 && !told->charset) {
        char found[80];
        told->charset = true;
        snprintf(found, sizeof(found), "the text is UTF-8, and the interchange says %s",
                 charset_name(r->in.interchange.charset));
        reader_find(r, FINDING_CHARSET_OTHER, s, 0, found, "text in the character set that UNB01 names");
    }
    if (lines && !told->lines) {
        told->lines = true;
        reader_find(r, FINDING_FILE_LINE_BREAK, s, 0, "a line break stands inside the segment, and is left out",
                    "line breaks behind terminators only; is a terminator missing?");
    }
}

/* Sixteen bytes; a comparison gives ones where it holds. */
typedef signed char bytes16 __attribute__((vector_size(16)));

/* Levels A and B are parts of ASCII. */
static inline bytes16 lacking(bytes16 c, bool capitals)
{
    const bytes16 signs = (c == '#') | (c == '$') | (c == '@') | (c < 0);
    return capitals ? signs | (c > 'Z') : signs | (c > 'z') | ((c > 'Z') & (c < 'a'));
}

bool reader_lacks(const struct edi_reader *r, const char *p, size_t n)
{
    const enum edi_charset set = r->in.interchange.charset;
    const bool capitals = set == CHARSET_UNOA;
    uint64_t any[2] = { 0, 0 };

    if (set != CHARSET_UNOA && set != CHARSET_UNOB)
        return false;
    while (n && !(any[0] | any[1])) {
        bytes16 all = { 0 }, c;
        for (unsigned i = 0; i < 4 && n >= sizeof(c); i++, p += sizeof(c), n -= sizeof(c)) {
            memcpy(&c, p, sizeof(c));
            all |= lacking(c, capitals);
        }
        if (n < sizeof(c)) {
            char rest[sizeof(c)] = { 0 };
            memcpy(rest, p, n);
            memcpy(&c, rest, sizeof(c));
            all |= lacking(c, capitals);
            n = 0;
        }
        memcpy(any, &all, sizeof(any));
    }
    return any[0] | any[1];
}

/* A separator, or the character that releases one. */
static bool separates(const struct edi_syntax *x, unsigned char c)
{
    return c == (unsigned char)x->element || c == (unsigned char)x->component || c == (unsigned char)x->repetition ||
           c == (unsigned char)x->release;
}

bool reader_told_lacking(const struct edi_reader *r)
{
    return r->told_document == r->in.documents && r->told_inside.lacking;
}

bool reader_tell_lacking(struct edi_reader *r, const struct segment *s)
{
    struct told *told = told_of(r, ROLE_INNER);
    struct slice rest = segment_bytes(s);
    unsigned n = 1;

    for (; rest.n && !told->lacking; rest = slice_from(rest, n)) {
        char found[100];
        uint32_t c;
        n = 1;
        if (separates(&r->syntax, (unsigned char)rest.p[0]) || !charset_decode(rest, &c, &n) || charset_control(c) ||
            charset_has(r->in.interchange.charset, c))
            continue;
        told->lacking = true;
        if (c >= 'a' && c <= 'z')
            snprintf(found, sizeof(found), "the text has small letters");
        else
            snprintf(found, sizeof(found), "the text has the character \"%.*s\" (U+%04X)", (int)n, rest.p, (unsigned)c);
        snprintf(found + strlen(found), sizeof(found) - strlen(found), ", and the interchange says %s",
                 charset_name(r->in.interchange.charset));
        reader_find(r, FINDING_CHARSET_OTHER, s, 0, found, "text in the character set that UNB01 names");
    }
    return told->lacking;
}

const struct segment *reader_rewrite(struct edi_reader *r, const struct segment *s)
{
    const struct segment *copy;
    struct slice bytes, tag, alone;
    bool high, is_utf8, lines, small_letters = false;

    if (s->flags & SEGMENT_REWRITTEN)
        return s;
    bytes = segment_bytes(s);
    tag = segment_tag(s);
    alone = tag_alone(r, s);
    high = s->flags & SEGMENT_ESCAPE && r->has_page && has_high_byte(bytes);
    is_utf8 = high && looks_like_utf8(r, bytes);
    lines = s->flags & SEGMENT_ESCAPE && has_line_break(r, bytes);
    for (size_t i = 0; i < alone.n && (alone.n <= 3 || (lines && letters_of_tag(alone) <= 3)); i++)
        small_letters |= alone.p[i] >= 'a' && alone.p[i] <= 'z';
    if (!(s->flags & SEGMENT_RELEASE) && !high && !small_letters && !lines && alone.n == tag.n)
        return s;
    copy = rewrite_segment(&r->copy, &r->syntax, page_of(r, is_utf8), lines, s, alone);
    if (!copy) {
        reader_stop(r, err_nomem(r->err));
        return NULL;
    }
    if (alone.n < tag.n || small_letters || is_utf8 || lines)
        tell(r, s, alone.n < tag.n, small_letters, is_utf8, lines);
    return r->stopped ? NULL : copy;
}

struct slice reader_original(const struct edi_reader *r, const struct segment *s, struct slice value)
{
    const struct segment *of = r->copy.of;
    char scratch[64];
    const uint16_t *page;
    bool lines;
    if (!(s->flags & SEGMENT_REWRITTEN) || !value.n || value.p < s->base || value.p > s->base + s->at[s->n])
        return value;
    page = page_of(r, r->has_page && looks_like_utf8(r, segment_bytes(of)));
    lines = has_line_break(r, segment_bytes(of));
    for (unsigned k = 1; k <= s->n; k++) {
        struct slice whole = segment_element(of, k), v = segment_element(s, k);
        size_t from, at = 0, done = 0, begin = 0;
        if (value.p < v.p || value.p > v.p + v.n)
            continue;
        from = (size_t)(value.p - v.p);
        while (at < whole.n && done < from + value.n) {
            size_t taken;
            if (done == from)
                begin = at;
            /* one character at a time */
            done += rewrite_element(&r->syntax, page, lines, whole.p + at, whole.n - at, scratch, 1, &taken);
            at += taken;
        }
        return slice(whole.p + begin, at - begin);
    }
    return value;
}
