/*
 * delimiters: which bytes separate elements, components and repetitions and end segments, as the first bytes of an
 * interchange tell. Functions of bytes alone: they keep nothing, find no fault and never look before p or behind n.
 * Only for the reader's files.
 */
#ifndef WAYBILL_EDI_DELIMITERS_H
#define WAYBILL_EDI_DELIMITERS_H

#include "edi/lexer.h"

enum found { FOUND, NEED_MORE, NOT_FOUND };

/* What may stand between segments: blanks, line breaks, NUL, and the end mark of old systems. */
static inline bool delimiters_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0 || c == 0x1a;
}

/* Is this the tag, and something behind it that may be an element separator? */
bool delimiters_envelope(const char *p, size_t n, const char *tag);
/* The delimiters of an ISA that starts at p. `last`: no more bytes will come. */
enum found delimiters_of_isa(const char *p, size_t n, bool last, struct edi_syntax *syntax_r);
/* A file that begins with GS, ST or TA1: what ends its first segment is found before the segment that must follow. */
enum found delimiters_of_bare(const char *p, size_t n, bool last, struct edi_syntax *syntax_r);

#endif
