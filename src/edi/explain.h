/*
 * explain: segments in words, for people: the names of segments, elements and codes, dates and implied decimals
 * written out. Writes to a buf and nowhere else; partner bytes are made safe for a terminal.
 */
#ifndef WAYBILL_EDI_EXPLAIN_H
#define WAYBILL_EDI_EXPLAIN_H

#include "base/limits.h"
#include "edi/guide.h"
#include "edi/lexer.h"

/* A segment to be explained, its elements apart, as envelopes keep them. */
struct explain_segment {
    struct slice tag;
    struct slice element[LIMIT_ELEMENTS + 1];   /* [1] is the first */
    unsigned n;
    unsigned flags;     /* as in struct segment: SEGMENT_REWRITTEN says what separates components */
};

struct explain_options {
    const struct guide *guide;          /* for code lists; NULL: none */
    const struct segment_def *def;      /* NULL: a segment that nobody knows */
    const struct edi_syntax *syntax;    /* component and repetition separators; may be NULL */
    unsigned indent;                    /* blanks before each line */
    bool colour;
    const char *remark;                 /* behind the segment's name; may be NULL */
};

void explain_take(const struct segment *s, struct explain_segment *segment_r);
void explain_segment(const struct explain_segment *s, const struct explain_options *o, struct buf *out);
/* What a value of this type means when that can be said in other words: a date as 2026-01-15, 1500 of N2 as 15.00.
 * Nothing otherwise. */
void explain_value(const struct element *e, struct slice value, struct buf *out);
/* "AN 1/22", and in the guide's words what a relational note demands of the segment or composite `tag`. */
void explain_type(const struct element_use *use, struct buf *out);
void explain_note(const struct note *note, struct slice tag, bool components, struct buf *out);

#endif
