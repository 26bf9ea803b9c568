/*
 * write_inside: what the files of the writer share: write.c (values, segments, marks, output) and write_envelope.c
 * (what begins and ends interchanges, groups and documents in each dialect). Nobody else includes it.
 */
#ifndef WAYBILL_EDI_WRITE_INSIDE_H
#define WAYBILL_EDI_WRITE_INSIDE_H

#include "base/limits.h"
#include "edi/dialect.h"
#include "edi/rewrite.h"
#include "edi/write.h"

/* How far the envelopes are open. */
enum { OPEN_NOTHING, OPEN_INTERCHANGE, OPEN_GROUP, OPEN_DOCUMENT };

typedef uint8_t bytes16 __attribute__((vector_size(16)));

struct edi_writer {
    struct buf out;
    struct buf scratch; /* one value after conversion */
    bytes16 delimiter[4];
    struct edi_syntax syntax; /* in force: the repetition separator only where the version has one */
    bool narrow;              /* more is unusual: a set without small letters, or a release character */
    bool substance;           /* the segment holds more than constants */
    bool in_segment;
    bool has_parts;
    uint8_t escapes;                /* ESCAPES_…: does the segment at hand hold bytes that JSON escapes? */
    bool odd;                       /* it holds released characters or bytes of `page` */
    unsigned held;                  /* marks */
    uint64_t given;                 /* bytes that are no longer in out */
    bool broken;                    /* output failed: nothing mends that */
    unsigned last;                  /* element written last */
    unsigned repetition, component; /* and its part */
    char ending[4];                 /* terminator and line end */
    unsigned ending_n;
    int failed;
    size_t start; /* of the segment at hand, in out */
    uint32_t at[LIMIT_ELEMENTS + 1];
    struct segment_parts parts;             /* with parts_of: where the components of so many elements stand */
    unsigned parts_of;
    struct edi_write_state state;
    const struct dialect *dialect;
    bool has_page; /* the character set has one byte for each character above ASCII, those of `page` */
    uint16_t page[CHARSET_PAGE];
    struct segment header; /* of a document, while it is the segment written last */
    struct segment raw; /* the segment just written, and how it is shown */
    struct rewritten copy;
    struct err err;
};

/* ---- write.c ---- */

/* Puts delimiters in force. */
void writer_use_syntax(struct edi_writer *w, const struct edi_syntax *s);
int writer_misused(struct edi_writer *w, const char *words);
int writer_fail_buffer(struct edi_writer *w, const struct buf *b);
enum { WRITER_PLACE = 56 };
/* The name of a place in the segment at hand, "N104" or "REF04-2, repetition 3". */
void writer_place(const struct edi_writer *w, unsigned element, unsigned repetition, unsigned component,
                  char text_r[WRITER_PLACE]);
/* A value is refused; the rest may go on. */
int writer_refuse(struct edi_writer *w, const char *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A value in the partner's character set, delimiters released, into scratch. */
int writer_convert(struct edi_writer *w, struct slice value, const char *place);

#endif
