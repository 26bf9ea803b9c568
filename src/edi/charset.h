/*
 * charset: which characters may stand in an interchange, and with what others a lacking one is written.
 *
 * Sources: X12.6 Application Control Structure, 3.3 (basic and extended character set; lower-case letters are in the
 * extended one only); ISO 9735 (syntax levels A and B) and ISO 9735-1 (data element 0001); ISO 8859. Letters that are
 * written with two others follow the transliteration of machine-readable travel documents, ICAO Doc 9303 part 3,
 * section 6 A: Ä AE, Å AA, Æ AE, Ö OE, Ø OE, Ü UE, ß SS, Þ TH, Œ OE, Ĳ IJ, Ð and Đ D. All other Latin letters lose
 * their accents. So a name keeps the form in which carriers and customs know it; the price is that a value may grow by
 * a letter and no longer fit its element, which the checker then says.
 */
#ifndef WAYBILL_EDI_CHARSET_H
#define WAYBILL_EDI_CHARSET_H

#include "base/slice.h"

/* basic: capital letters, digits, blank and ! " & ' ( ) * + , - . / : ; ? =  extended: all printable ASCII.
 * latin1: ISO 8859-1. utf8: whatever is no control character. UNOA: as basic, with % < > besides; UNOB: with small
 * letters, too. Then the other parts of ISO 8859, by number of the part; latin9 is part 15. */
enum edi_charset {
    CHARSET_BASIC, CHARSET_EXTENDED, CHARSET_LATIN1, CHARSET_UTF8, CHARSET_UNOA, CHARSET_UNOB, CHARSET_8859_2,
    CHARSET_8859_3, CHARSET_8859_4, CHARSET_8859_5, CHARSET_8859_6, CHARSET_8859_7, CHARSET_8859_8, CHARSET_8859_9,
    CHARSET_LATIN9, CHARSETS
};

enum { CHARSET_SUBSTITUTE_MOST = 8, CHARSET_PAGE = 96 };

/* "basic", "extended", "ISO 8859-1", "UTF-8", "UNOA", … */
const char *charset_name(enum edi_charset set);
/* The set that a syntax identifier (0001) names: UNOA to UNOL, UNOW, UNOY. False: another one, or none. */
bool charset_of_syntax(struct slice id, enum edi_charset *set_r);
/* And the identifier of a set; NULL: it has none. */
const char *charset_syntax(enum edi_charset set);
/* What the bytes A0 to FF are in a set of one byte a character; 0: nothing. False: the set is no such one. */
bool charset_page(enum edi_charset set, uint16_t page_r[CHARSET_PAGE]);
/* The byte of a character in such a set; -1: it has none. */
int charset_byte(enum edi_charset set, uint32_t c);
bool charset_has(enum edi_charset set, uint32_t c);
/* Control characters, C1 and Unicode's line separators included: never data in any set. */
bool charset_control(uint32_t c);
/* The first character of s, which is not empty; *length_r is how many bytes it takes. False: not UTF-8. */
bool charset_decode(struct slice s, uint32_t *c_r, unsigned *length_r);
/* What stands for c where `set` lacks it: ASCII that the set has, written to out_r; the length may be 0 (a mark
 * that nobody sees). -1: nothing does. previous and next are its neighbours, 0 where there are none. */
int charset_substitute(enum edi_charset set, uint32_t c, uint32_t previous, uint32_t next,
                       char out_r[CHARSET_SUBSTITUTE_MOST]);

#endif
