/* acknowledge_inside: what the files of acknowledge share; see acknowledge.h. Nobody else includes it. */
#ifndef WAYBILL_EDI_ACKNOWLEDGE_INSIDE_H
#define WAYBILL_EDI_ACKNOWLEDGE_INSIDE_H

#include "edi/acknowledge.h"
#include "edi/dialect.h"

enum { ACKNOWLEDGE_CODES = 5, ACKNOWLEDGE_GROUP_FINDINGS = 16 };

/* Up to five different codes, in the order they came. */
struct code_list {
    char code[ACKNOWLEDGE_CODES][4];
    unsigned n;
};

/* What is made of the reader's calls: for X12 and for EDIFACT. A bare document never comes. */
struct acknowledge_way {
    int (*interchange)(struct acknowledge *a, const struct edi_interchange *i);
    int (*interchange_end)(struct acknowledge *a, const struct edi_interchange *i);
    int (*group)(struct acknowledge *a, const struct edi_group *g);
    int (*group_end)(struct acknowledge *a, const struct edi_group *g);
    int (*document)(struct acknowledge *a, const struct edi_document *d);
    int (*document_end)(struct acknowledge *a, const struct edi_document *d);
    /* At least a warning, of an interchange or something in it. */
    int (*finding)(struct acknowledge *a, const struct finding *f);
};

extern const struct acknowledge_way acknowledge_x12, acknowledge_contrl;

/* What a CONTRL says of one level: its first error, or else its first warning. */
struct contrl_said {
    char code[4];    /* 0085; empty: nothing */
    char service[4]; /* 0013; empty: none */
    unsigned element, component, repetition;
    bool error;
};

struct contrl_answer {
    struct edi_write_options format; /* of all that is written for the interchange */
    struct edi_writer *body[2]; /* UCM to UCD, and UCF to UCD: until the UCI before them is known; NULL: none yet */
    struct buf scratch;         /* of them what stands below a UCM or UCF to be written */
    bool version_4;
    bool full;                  /* there is more than a CONTRL can hold */
    uint64_t segments;          /* in the bodies */
    uint64_t messages[2];       /* UCMs outside of groups, and in the group at hand */
    uint64_t groups;            /* UCFs */
    uint64_t documents, others; /* in the interchange, and those that are no CONTRLs */
    uint64_t accepted, group_accepted;
    struct contrl_said interchange, group, message;
    struct edi_mark group_mark, message_mark;
    uint64_t group_segments, message_segments; /* below the UCF, the UCM */
    bool in_group;                             /* not one that is implied */
    bool in_message;                           /* one that is answered */
    bool error_noted;                          /* a UCS or UCD tells why it is rejected */
    uint64_t segment;                          /* the UCS at hand is about it; 0: there is none */
    unsigned notes, element_notes;             /* UCSs of the message, UCDs of the UCS */
};

struct acknowledge {
    struct acknowledge_options options;
    struct edi_sink sink, next;
    const struct acknowledge_way *way; /* of the interchange at hand; NULL: it is not answered */
    struct edi_writer *writer;
    struct edi_writer *to;           /* where segments go: the writer, or the body of a CONTRL */
    struct edi_write_options format; /* of what answers X12, but for the syntax */
    struct edi_syntax syntax;        /* which is this */
    const struct acknowledge_form *form;
    struct acknowledge_totals totals;
    uint64_t control[2];
    int stopped;
    struct err err; /* what stopped it, or why something is unanswered */

    const struct edi_interchange *interchange;
    bool open;                    /* our interchange is begun */
    const char *interchange_code; /* TA105 of the first error, or else of the first warning */
    bool interchange_error, interchange_noted;
    bool technical; /* it holds a TA1: nobody answers answers */

    bool answering;   /* the group at hand is */
    unsigned version; /* of the group, 4010 */
    struct {
        enum finding_code finding;
        unsigned element;
    } of_group
        [ACKNOWLEDGE_GROUP_FINDINGS]; /* also of a group whose GS is just being read and whose version is not known */
    unsigned n_of_group;
    bool group_error, group_noted, group_trailer;
    uint64_t received, accepted, noted;

    bool in_document;
    struct code_list set_codes;
    uint64_t notes; /* of the set, AK3 and AK4 */
    bool set_noted;
    uint64_t noted_segment; /* the AK3 at hand is for it, with code 8; 0: there is none */
    unsigned element_notes; /* below it */

    struct contrl_answer contrl;
};

int acknowledge_stop(struct acknowledge *a, int code, const char *words);
/* The result of a function of the writer that segments go to. */
int acknowledge_wrote(struct acknowledge *a, int code);
bool acknowledge_is_delimiter(const struct edi_syntax *s, char c);
/* Partner bytes as printable ASCII without our delimiters and without blanks at the end, at most `most` of them,
 * in `to`, which has room for that. Bytes that are not UTF-8 are taken as Latin-1. */
struct slice acknowledge_clean(const struct acknowledge *a, struct slice value, char *to, size_t most);
/* The same for an identifier: not shorter than `least`; what is missing or stands for nothing is a mark. */
struct slice acknowledge_clean_id(const struct acknowledge *a, struct slice value, char *to, size_t least, size_t most);
void acknowledge_put(struct acknowledge *a, unsigned element, struct slice value);
void acknowledge_put_text(struct acknowledge *a, unsigned element, const char *text);
void acknowledge_put_number(struct acknowledge *a, unsigned element, uint64_t number, uint64_t most);
void acknowledge_begin(struct acknowledge *a, const char *tag);
int acknowledge_end(struct acknowledge *a);
int acknowledge_next_control(struct acknowledge *a, enum acknowledge_level level, char text[24]);
/* Something cannot be addressed. The rest goes on; the first reason is kept. why: NULL: what the writer says. */
void acknowledge_unanswered(struct acknowledge *a, const char *what, struct slice control, const char *why);
const struct acknowledge_form *acknowledge_form_of(const struct acknowledge_options *options);

#endif
