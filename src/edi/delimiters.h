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
/* What stood in an UNA, for findings about it. */
struct edi_una {
    bool present;
    bool is_wrong;              /* the segments have others: as if there were no UNA, or none but its terminator */
    bool is_short;              /* the place for the repetition separator is missing: UNA:+.?' and a line break */
    char decimal;               /* 0: no UNA */
};

/* The delimiters of an UNA and UNB, or an UNB alone, or of messages without them (UNH), that start at p. length_r: how
 * many bytes of p are the UNA and what stands between it and the UNB. */
enum found delimiters_of_unb(const char *p, size_t n, bool last, struct edi_syntax *syntax_r, struct edi_una *una_r,
                             size_t *length_r);
/* The repetition separator that an interchange of syntax version 4 is written with: an asterisk where none was named and
 * nothing else is one (ISO 9735-1, service characters); 0: none. */
char delimiters_repetition(const struct edi_syntax *syntax);
/* Is the terminator at p[at] released? p[from] is the first byte that may be a release character. */
bool delimiters_released(const char *p, size_t from, size_t at, char release);
/* The first terminator, NULL: there is none. p is where a segment begins. */
const char *delimiters_end(const char *p, size_t n, const struct edi_syntax *syntax);
/* A file that begins with GS, ST or TA1: what ends its first segment is found before the segment that must follow. */
enum found delimiters_of_bare(const char *p, size_t n, bool last, struct edi_syntax *syntax_r);

#endif
