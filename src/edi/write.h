/*
 * write: X12 and EDIFACT put together from slices: segments, envelopes, counts.
 *
 * The writer knows syntax, not meaning: which characters may go out, where separators stand, what ISA, GS, ST (UNB,
 * UNG, UNH) and their trailers say. Whether a segment belongs where it is written is for the caller to know;
 * edi_write_end() hands out what was just written as a `struct segment`, so that a checker can look at it as the reader
 * would show it.
 *
 *     edi_write_interchange(w, &envelope);
 *     edi_write_group(w, &envelope);
 *     edi_write_document(w, SLICE("850"), SLICE("0001"), SLICE(""));
 *     edi_write_begin(w, SLICE("BEG"));
 *     edi_write_element(w, 1, SLICE("00"));
 *     edi_write_element(w, 3, number);
 *     edi_write_end(w, false, NULL);                       BEG*00**4711~
 *     edi_write_document_end(w); edi_write_group_end(w); edi_write_interchange_end(w);
 *
 * In EDIFACT a group is written only where somebody asks for one; a message stands in the interchange itself.
 *
 * Empty elements, components and repetitions at the end are never written, and a segment without any element is
 * not written at all. Values come as UTF-8 and go out in the partner's character set; where the syntax has a
 * release character, delimiters in them are released. The writer never asks the clock and invents no control number.
 *
 * Sources: X12.5 Interchange Control Structures, X12.6 Application Control Structure (character sets: 3.3); ISO 9735
 * versions 1 to 3, ISO 9735-1 and -2 version 4 (service segments, service string advice).
 *
 * Functions return 0 or a negative code; the words are in edi_writer_error(). ERR_DATA speaks of one value: that
 * value was left out, the caller may go on to find further errors, but the document can then only be rewound:
 * edi_write_document_end() refuses it. All other errors stay until edi_writer_rewind() or edi_writer_clear().
 * Slices are copied; they need to live only during the call.
 */
#ifndef WAYBILL_EDI_WRITE_H
#define WAYBILL_EDI_WRITE_H

#include "base/buf.h"
#include "base/err.h"
#include "edi/charset.h"
#include "edi/lexer.h"

struct dialect;

struct edi_write_options {
    const struct dialect *dialect;  /* NULL: X12 */
    struct edi_syntax syntax;       /* repetition is used from ISA12 00402, UNB S001 version 4 on only; release: 0 for X12 */
    char decimal;                   /* the mark in numbers: '.' or ','; 0: '.'. UNA says it; whoever gives numbers to the
                                       writer gives them so */
    bool una;                       /* UNA also where the delimiters and the mark are the usual ones */
    const char *line_end;           /* behind each terminator: "", "\n" or "\r\n"; must outlive the writer. None is
                                       written where the terminator is a line end itself */
    enum edi_charset charset;
    bool ascii;                     /* UNOA and UNOB hold what they lack of ASCII, too, as many send them */
    bool transliterate;             /* a character that the set lacks is written with others: Ü as UE, “ as " */
    bool replace;                   /* a delimiter or control character in data becomes a blank */
    size_t ceiling;                 /* of what may gather in memory; 0: LIMIT_ITEM */
    /* Takes the output, 64 KiB and more at a time. NULL: it gathers until edi_writer_output(). */
    int (*write)(void *ctx, const char *p, size_t n, struct err *err);
    void *ctx;
};

/* X12: * ~ > ^, no line ends, extended, nothing allowed. */
void edi_write_options_init(struct edi_write_options *o);
/* EDIFACT: UNA:+.? ' no line ends, UNOC, nothing allowed; in syntax version 4 repetitions are separated by an
 * asterisk. */
void edi_write_options_edifact(struct edi_write_options *o);
/* Delimiters and decimal mark as they stand behind "UNA", or with it, ":+.? '"; "none": no UNA where none is needed.
 * False: it is neither. */
bool edi_write_una(struct edi_write_options *o, struct slice una);

/* A civil date and time, as the caller's clock and zone say it. */
struct edi_time {
    int year;                       /* 2026 */
    int month, day, hour, minute;   /* from 1, 1, 0, 0 */
    int second;                     /* negative: GS05 has hours and minutes only */
};

/* What UNH says of a message's type, besides the message's name: S009, 0052 to 0057. */
struct edi_message_type {
    struct slice version;           /* "D" */
    struct slice release;           /* "96A" */
    struct slice agency;            /* "UN" */
    struct slice association;       /* "EAN008", may be empty */
};

/* What ISA and GS, or UNB and UNG say. Empty slices and 0 take what is written behind them. What the other dialect has
 * no place for is not looked at. */
struct edi_envelope {
    struct edi_time at;             /* in UNB and UNG with a year of two digits below syntax version 4 */
    /* ISA, UNB */
    struct slice authorization_qualifier, authorization;    /* "00", blanks */
    struct slice security_qualifier, security;              /* "00", blanks; UNB S005: the password, left out */
    struct slice sender_qualifier, sender;                  /* "ZZ"; UNB S002: left out */
    struct slice receiver_qualifier, receiver;              /* "ZZ"; UNB S003: left out */
    struct slice sender_routing, receiver_routing;          /* UNB 0008, 0014: inside the partner's house; left out */
    struct slice character_set;                             /* UNB 0001: another name of the writer's, such as UNOY */
    struct slice interchange_version;                       /* ISA12: the first five characters of `version`; UNB 0002:
                                                               "3" */
    struct slice interchange_control;                       /* ISA13: 1 to 9 digits; UNB05: 1 to 14 characters */
    struct slice application;                               /* UNB07, such as ORDERS; left out */
    struct slice priority;                                  /* UNB08, one letter; left out */
    struct slice agreement;                                 /* UNB10; left out */
    bool acknowledgment;                                    /* ISA14: 1, a TA1 is asked for; UNB09 */
    char usage;                                             /* ISA15: P, T or I; 'P'. UNB11: 1 for T */
    /* GS, UNG */
    struct slice group;                                     /* GS01: "PO"; UNG01: "ORDERS" */
    struct slice group_sender_qualifier, group_receiver_qualifier;  /* UNG02, UNG03; left out */
    struct slice group_sender, group_receiver;              /* as in the ISA */
    struct slice group_control;                             /* GS06: 1 to 9 digits; UNG05: 1 to 14 characters */
    struct slice agency;                                    /* GS07: "X"; UNG06: "UN" */
    struct slice version;                                   /* GS08: "004010" */
    struct edi_message_type message;                        /* UNG07, and UNH02 until edi_writer_message() */
};

struct edi_writer;

/* Makes a writer. ERR_USAGE when the delimiters cannot serve: two alike, or a letter, digit, blank, point or hyphen; or
 * when the character set has no name in EDIFACT. */
int edi_writer_new(const struct edi_write_options *options, struct edi_writer **writer_r, struct err *err);
void edi_writer_free(struct edi_writer **writer);
/* The words of the last error. */
const struct err *edi_writer_error(const struct edi_writer *w);
/* Back to the beginning: no output, no counts, no error. */
void edi_writer_clear(struct edi_writer *w);
/* Other delimiters, between two interchanges. */
int edi_writer_syntax(struct edi_writer *w, const struct edi_syntax *syntax);
/* The same, and dialect, decimal mark, UNA, character set, and what is allowed; ceiling and output stay. */
int edi_writer_options(struct edi_writer *w, const struct edi_write_options *options);
/* What numbers are to be written with: '.' or ','. */
char edi_writer_decimal(const struct edi_writer *w);
const struct dialect *edi_writer_dialect(const struct edi_writer *w);

/* The envelopes. SE01, GE01 and IEA01 (UNT01, UNE01, UNZ01) are counted, the control numbers repeated. ISA13 is padded
 * with zeros to nine digits, a numeric ST02 to four; in EDIFACT all stay as they are given. Inner envelopes are ended
 * first. */
int edi_write_interchange(struct edi_writer *w, const struct edi_envelope *e);
int edi_write_interchange_end(struct edi_writer *w);
int edi_write_group(struct edi_writer *w, const struct edi_envelope *e);
int edi_write_group_end(struct edi_writer *w);
/* The type of the messages that follow; until then it is that of the interchange, or of the group. X12: nothing. */
int edi_writer_message(struct edi_writer *w, const struct edi_message_type *type);
/* control: ST02, UNH01. implementation: ST03, may be empty; EDIFACT: not looked at */
int edi_write_document(struct edi_writer *w, struct slice set, struct slice control, struct slice implementation);
int edi_write_document_end(struct edi_writer *w);
/* The ST or UNH written last, as edi_write_end() shows segments; until the next call. */
void edi_writer_header(const struct edi_writer *w, struct segment *segment_r);

/* A segment: elements with ascending numbers from 1; what is left out in between is empty. Empty values are the
 * same as values not given. */
int edi_write_begin(struct edi_writer *w, struct slice tag);
int edi_write_element(struct edi_writer *w, unsigned element, struct slice value);
/* All elements of the segment at hand at once, the first: for each bit k of `mask` the value of element k + 1 lies k
 * times `stride` bytes behind `value`. 1: some value is empty or needs more than copying; nothing was written, they are
 * to be written one by one. */
int edi_write_elements(struct edi_writer *w, uint64_t mask, const struct slice *value, size_t stride);
/* The same where components are among the values: of the whole segment, in ascending order. */
struct edi_value {
    struct slice text;
    uint8_t element;
    uint8_t repetition, component;  /* 0: the element as a whole */
};
int edi_write_values(struct edi_writer *w, const struct edi_value *value, unsigned n);
/* As edi_write_element() for a qualifier or other fixed value: alone it makes no segment. */
int edi_write_constant(struct edi_writer *w, unsigned element, struct slice value);
/* A component of an element's repetition; repetition and component from 1, ascending inside each other. */
int edi_write_part(struct edi_writer *w, unsigned element, unsigned repetition, unsigned component,
                   struct slice value);
int edi_write_component(struct edi_writer *w, unsigned element, unsigned component, struct slice value);
int edi_write_repeat(struct edi_writer *w, unsigned element, unsigned repetition, struct slice value);
/* The bytes of a BIN or BDS: as they are, no character is looked at. */
int edi_write_binary(struct edi_writer *w, unsigned element, struct slice value);
/* 1: the segment was written. 0: it held nothing and was left out; `always` writes it even so. *segment_r (may be NULL)
 * shows it until the next call of the writer, as the reader would: text that was released or is of another character
 * set than UTF-8 in a copy (rewrite.h). base is NULL when it was left out. */
int edi_write_end(struct edi_writer *w, bool always, struct segment *segment_r);
/* Segments written elsewhere in the same syntax: their bytes, terminators included, and how many they are. */
int edi_write_segments(struct edi_writer *w, struct slice bytes, uint64_t n);
/* Forgets the segment begun. */
void edi_write_cancel(struct edi_writer *w);

/* The state of a writer at some moment between two segments. */
enum { EDI_CONTROL_MOST = 44, EDI_TYPE_MOST = 16 };

struct edi_mark {
    size_t at;
    unsigned held;          /* marks around it */
    struct edi_write_state {
        uint64_t segments, documents, groups, interchanges;
        unsigned refused;
        unsigned open;
        struct edi_write_options options;   /* for the interchanges that follow */
        struct edi_syntax syntax;           /* of the one that is open */
        char syntax_version;                /* of EDIFACT: '1' to '4' */
        char control[3][EDI_CONTROL_MOST];
        char message[4][EDI_TYPE_MOST];     /* struct edi_message_type */
    } state;
};

/* From a mark on nothing is given to `write`, up to the ceiling, so that edi_writer_rewind() can take back all
 * that was written since: bytes, counts and errors. edi_writer_release() lets go of it. Marks stand inside each other:
 * the inner one is rewound or released first, or goes with the outer that is rewound. */
int edi_writer_mark(struct edi_writer *w, struct edi_mark *mark_r);
void edi_writer_rewind(struct edi_writer *w, const struct edi_mark *mark);
void edi_writer_release(struct edi_writer *w);

/* How many bytes were written since the beginning, whether they have gone out or not. */
uint64_t edi_writer_offset(const struct edi_writer *w);
/* Gives all that gathered to `write`. An error while a mark is held. */
int edi_writer_flush(struct edi_writer *w);
/* Without `write`: what gathered so far, until the next call. edi_writer_taken() forgets the bytes, not the counts. */
struct slice edi_writer_output(const struct edi_writer *w);
void edi_writer_taken(struct edi_writer *w);

#endif
