/*
 * lexer: finds the structure of delimited text (X12, EDIFACT) with vectors. Knows no segment's meaning.
 *
 * A block of bytes is indexed in one pass: where every element separator and segment terminator stands, and for
 * every segment whether it holds something that needs a closer look. Elements then are what lies between two
 * positions: nothing is copied.
 */
#ifndef WAYBILL_EDI_LEXER_H
#define WAYBILL_EDI_LEXER_H

#include "base/err.h"
#include "base/slice.h"

/* The delimiters of one interchange. 0: there is none. */
struct edi_syntax {
    char element;
    char terminator;
    char component;
    char repetition;
    char release;
};

enum {
    SEGMENT_PARTS = 1,      /* holds a component or repetition separator */
    SEGMENT_ESCAPE = 2,     /* holds a quote, a backslash, a control character or a byte above 0x7e: JSON needs care */
    SEGMENT_RELEASE = 4,    /* holds a release character */
    SEGMENT_FLAG_BITS = 3,
    SEGMENT_REWRITTEN = 8   /* never set by the lexer: a copy of a segment, see segment_component_separator() */
};

/* What was found in one block. Positions are offsets from the block's first byte. */
struct lexer_index {
    uint32_t *delimiter;    /* element separators and terminators, ascending */
    uint32_t *end;          /* of each segment: (number of its terminator in delimiter) << SEGMENT_FLAG_BITS | flags */
    uint32_t n_delimiters;
    uint32_t n_segments;
    uint32_t *part;         /* with has_parts: all separators, those of components, too */
    uint32_t *rank;         /* and each delimiter's number in `part` */
    bool has_parts;         /* there is a release character, and no repetition separator: components are frequent */
    uint32_t open_flags;    /* flags of the bytes behind the last terminator */
    size_t room;            /* bytes that a block may have */
};

enum lexer_kind { LEXER_BEST, LEXER_PLAIN, LEXER_SSE2, LEXER_AVX2, LEXER_NEON };

/* room: the largest block, below 2^28. A delimiter behind a release character is text. */
int lexer_index_init(struct lexer_index *x, size_t room, struct err *err);
void lexer_index_deinit(struct lexer_index *x);

typedef void lexer_function(struct lexer_index *x, const char *block, size_t n, const struct edi_syntax *syntax);
/* The fastest that this machine can run, or the one named; NULL when it cannot run here.
 * The function reads up to 64 bytes behind the block: the caller owns that padding (its content does not matter). */
lexer_function *lexer_choose(enum lexer_kind kind);
const char *lexer_name(lexer_function *f);

/* One segment, borrowing from a block and its index. Element k (from 1) is base[at[k-1]+1 … at[k]). Component j (from
 * 1) of it is base[part[n-1]+1 … part[n]) where n = rank[k-1] + j; the last one has n = rank[k]. */
struct segment {
    const char *base;
    const uint32_t *at;     /* at[0] is the end of the tag */
    uint32_t start;         /* of the tag */
    unsigned n;             /* elements */
    unsigned flags;
    const uint32_t *part;   /* NULL: its components have not been looked for */
    const uint32_t *rank;
};

/* Room for what a segment's `part` and `rank` point to. */
enum { SEGMENT_PARTS_MOST = 250, SEGMENT_ELEMENTS_MOST = 64 };
struct segment_parts {
    uint32_t part[SEGMENT_PARTS_MOST + 2];
    uint32_t rank[SEGMENT_ELEMENTS_MOST + 1];
};

static inline struct slice segment_element(const struct segment *s, unsigned k)
{
    if (k > s->n)
        return slice(NULL, 0);
    return slice(s->base + s->at[k - 1] + 1, s->at[k] - s->at[k - 1] - 1);
}

static inline struct slice segment_tag(const struct segment *s)
{
    return slice(s->base + s->start, s->at[0] - s->start);
}

/* What separates the components of an element, and its repetitions, in a segment with these flags. A segment that holds
 * release characters, or text of another character set than UTF-8, is handed out as a copy without them, in UTF-8. In
 * the copy a component separator may be text; so those that separate are bytes there that UTF-8 never has. */
enum { REWRITTEN_COMPONENT = 0xff, REWRITTEN_REPETITION = 0xfe };

static inline char segment_component_separator(unsigned flags, const struct edi_syntax *syntax)
{
    return flags & SEGMENT_REWRITTEN && syntax->component ? (char)REWRITTEN_COMPONENT : syntax->component;
}

static inline char segment_repetition_separator(unsigned flags, const struct edi_syntax *syntax)
{
    return flags & SEGMENT_REWRITTEN && syntax->repetition ? (char)REWRITTEN_REPETITION : syntax->repetition;
}

/* Component `part` of an element's value, from 1; no separator: it is the first. */
struct slice value_part(struct slice value, char separator, unsigned part);
/* Looks for the components once, and the segment has them from then on. False: there are too many, repetitions among
 * them, or nothing separates any. There are eight bytes behind the segment that may be read. */
bool segment_find_parts(struct segment *s, const struct edi_syntax *syntax, struct segment_parts *parts_r);
struct slice segment_look_for_part(const struct segment *s, const struct edi_syntax *syntax, unsigned k, unsigned part);

/* Component `part` of element k (its first repetition); 0: the whole element. */
static inline struct slice segment_part(const struct segment *s, const struct edi_syntax *syntax, unsigned k,
                                        unsigned part)
{
    uint32_t n;
    if (!s->part || part == 0)
        return segment_look_for_part(s, syntax, k, part);
    if (k > s->n || (n = s->rank[k - 1] + part) > s->rank[k])
        return slice(NULL, 0);
    return slice(s->base + s->part[n - 1] + 1, s->part[n] - s->part[n - 1] - 1);
}

/* All bytes without the terminator. */
static inline struct slice segment_bytes(const struct segment *s)
{
    return slice(s->base + s->start, s->at[s->n] - s->start);
}

#endif
