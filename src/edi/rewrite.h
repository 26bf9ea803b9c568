/*
 * rewrite: a copy of a segment whose text has no release characters and is UTF-8. What separates its components and
 * repetitions are bytes that UTF-8 does not have: see segment_component_separator(). The reader makes one of what
 * it reads, the writer of what it has written, so whoever looks at segments sees the same in both.
 *
 * The copy lies in struct rewritten until the next one is made there; it grows with the largest. Zeroed is empty.
 * Sources: ISO 9735 (release character), ISO 9735-1 (character sets).
 */
#ifndef WAYBILL_EDI_REWRITE_H
#define WAYBILL_EDI_REWRITE_H

#include "edi/charset.h"
#include "edi/lexer.h"

struct rewritten {
    char *text;
    uint32_t *at;
    size_t room, n_at;
    struct segment segment;   /* lies in text and at */
    const struct segment *of; /* as it stood before */
};

/* page: what the bytes from A0 on are, see charset_page(); NULL: the text is UTF-8, and bytes that are not are Latin-1.
 * lines: line breaks are left out: somebody has cut the file into lines.
 * Writes what the bytes of an element become, until `most` bytes are written or all is read; *read_r: how many were. */
size_t rewrite_element(const struct edi_syntax *syntax, const uint16_t *page, bool lines, const char *p, size_t n,
                       char *to, size_t most, size_t *read_r);
/* The copy of a segment, under this tag; small letters in it become capitals. NULL: memory is out. */
const struct segment *rewrite_segment(struct rewritten *c, const struct edi_syntax *syntax, const uint16_t *page,
                                      bool lines, const struct segment *s, struct slice tag);
void rewritten_deinit(struct rewritten *c);

#endif
