/*
 * reader: from bytes to checked segments at their places in a guide. The envelopes (ISA, GS, ST … IEA and UNB, UNG,
 * UNH … UNZ), several of each in one file, of both kinds, TA1 anywhere, what the field does to them, and every check of
 * the documents inside.
 *
 * A segment of the interchange that a guide is named after (TA1) is a document, too: a bare one, without ST, SE and
 * group.
 *
 * The reader is fed bytes and calls a sink. It opens nothing and keeps no more than one chunk and one segment.
 * Bad documents never make it fail: what is wrong is a finding. It fails (negative) for want of memory, when a
 * guide's file is wrong, or when the sink says so.
 */
#ifndef WAYBILL_EDI_READER_H
#define WAYBILL_EDI_READER_H

#include "edi/charset.h"
#include "edi/finding.h"
#include "edi/guide.h"
#include "edi/lexer.h"

struct dialect;

enum { ENVELOPE_ELEMENTS = 16, GROUP_ELEMENTS = 8 };

struct edi_interchange {
    const struct dialect *dialect;              /* dialect_x12 or dialect_edifact */
    struct slice element[ENVELOPE_ELEMENTS + 1]; /* of ISA or UNB; [1] is the first; as sent, with padding */
    unsigned n;                                 /* how many it had, at most; 0: there was no such segment */
    unsigned flags;                             /* its SEGMENT_REWRITTEN tells what separates components there */
    /* What they say, without padding: */
    struct slice sender_qualifier, sender;      /* ISA05 ISA06, UNB02-2 UNB02-1 */
    struct slice receiver_qualifier, receiver;  /* ISA07 ISA08, UNB03-2 UNB03-1 */
    struct slice date, time;                    /* ISA09 ISA10, UNB04 */
    struct slice version;                       /* ISA12, UNB01-2 */
    struct slice control;                       /* ISA13, UNB05 */
    struct slice usage;                         /* P, T or I, as ISA15 says it; UNB11 */
    struct slice character_set;                 /* UNB01-1 */
    struct slice sender_routing, receiver_routing;  /* UNB02-3, UNB03-3 */
    struct slice application, priority, agreement;  /* UNB07, UNB08, UNB10 */
    enum edi_charset charset;                   /* of the bytes as sent; segments are handed out in UTF-8 */
    char decimal;                               /* the decimal mark */
    struct edi_syntax syntax;
    uint64_t ordinal;                           /* in the file, from 1 */
    uint64_t groups;                            /* seen so far */
    uint64_t documents;                         /* seen so far outside of groups: those of UNH behind UNB, and packages */
    uint64_t bare;                              /* bare documents seen so far */
    uint64_t offset;
    unsigned errors;                            /* findings of severity error on the interchange's own level */
    const char *ta1;                            /* TA105 of its first error, "000" */
    const char *foreign;                        /* it is between others than options.between and refused with all in
                                                   it: the finding's code; NULL: it is not */
};

struct edi_group {
    struct slice element[GROUP_ELEMENTS + 1];   /* of GS or UNG; [1] is the first */
    unsigned n, flags;                          /* as of the interchange */
    struct slice code;                          /* GS01, UNG01 */
    struct slice sender, receiver;              /* GS02 GS03, UNG02-1 UNG03-1 */
    struct slice sender_qualifier, receiver_qualifier;  /* UNG02-2 UNG03-2 */
    struct slice date, time;                    /* GS04 GS05, UNG04 */
    struct slice control;                       /* GS06, UNG05 */
    struct slice version;                       /* GS08; UNG07 as it is */
    uint64_t ordinal;                           /* in the interchange, from 1; of an UNH without UNG 0 */
    uint64_t documents, accepted;               /* seen, and without errors */
    uint64_t claimed;                           /* GE01, once read */
    unsigned errors;
    bool implied;                               /* there was no GS or UNG */
};

struct edi_document {
    struct slice set;                           /* ST01, UNH02-1; of a bare one its segment's tag */
    struct slice control;                       /* ST02, UNH01; of a bare one empty */
    struct slice implementation;                /* ST03, may be empty */
    struct slice version;                       /* "004010VICS", GS08; "D.96A", UNH02-2 and UNH02-3 */
    struct slice association;                   /* UNH02-5: "EAN008"; empty */
    struct slice type;                          /* UNH02 as it is; X12: empty */
    unsigned flags;                             /* of the segment that it is from, as of the interchange */
    const struct edi_interchange *interchange;
    const struct edi_group *group;              /* of a bare one an implied group with nothing but the version */
    const struct guide *guide;                  /* NULL: none could be had */
    bool bare;                                  /* one segment outside of ST and SE */
    uint64_t ordinal;                           /* in the file, from 1 */
    uint64_t in_group;                          /* in its group, from 1; of a bare one among those of the interchange */
    uint64_t segments;                          /* so far, ST or UNH included */
    unsigned errors, warnings;
};

/* All functions may be NULL. A negative return stops the reader, which then returns it. Slices are valid during
 * the call; those inside interchange, group and document until the end of each. */
struct edi_sink {
    void *ctx;
    int (*interchange)(void *ctx, const struct edi_interchange *i);
    int (*interchange_end)(void *ctx, const struct edi_interchange *i);
    int (*group)(void *ctx, const struct edi_group *g);
    int (*group_end)(void *ctx, const struct edi_group *g);
    int (*document)(void *ctx, const struct edi_document *d);
    /* Every segment that has a place, ST and SE included, in UTF-8 and without release characters: what separates
     * components, segment_component_separator() says. Bit k-1 of `present`: element k is there and not empty
     * (elements past 64 are not told). Nodes are of d->guide. */
    int (*segment)(void *ctx, const struct guide_node *node, const struct segment *s, uint64_t present);
    /* A segment inside a document that has no place in the guide (or there is no guide). */
    int (*stray)(void *ctx, const struct segment *s);
    int (*document_end)(void *ctx, const struct edi_document *d);
    /* ISB, UNO and other segments outside of documents. */
    int (*envelope_segment)(void *ctx, const struct segment *s);
    int (*finding)(void *ctx, const struct finding *f);
};

/* Two that send each other interchanges, as in ISA05 to ISA08 without padding, or in UNB02 and UNB03. */
struct edi_parties {
    struct slice qualifier, id;                 /* the partner */
    struct slice our_qualifier, our_id;         /* us */
    const struct dialect *dialect;              /* of which interchanges this speaks; NULL: X12 */
};

struct edi_reader;

/* A run of whole documents as they lie in the file, for another reader (on another thread) to read. */
enum { EDI_MOST_RUN = 512 << 10 };          /* bytes at most: a longer document is in none */
struct edi_run {
    char *p;                                /* valid during the call */
    size_t n;
    uint64_t documents;
    bool duplicate;                         /* the first document's ST02 was used before in the group */
    bool new_set;                           /* the first document is the first of its set in the group */
    bool blanks_told, empty_told;           /* blanks between segments and empty segments were told before */
    uint64_t offset, line, line_start;      /* of its first byte, for places */
};

struct edi_reader_options {
    struct guides *guides;                  /* must outlive the reader */
    const struct guide *const *partner;     /* guides that go before those of the standard, by their set */
    unsigned n_partner;
    const struct edi_parties *between;      /* an interchange of others, either way, is refused; NULL: anybody's is read */
    unsigned n_between;
    bool incoming;                          /* only those that go to us: one from us is no partner's */
    struct finding_policy policy;           /* finding_policy_init() gives the defaults */
    enum lexer_kind lexer;
    bool structure_only;                    /* envelopes and places, no element checks: for explain and speed tests */
    struct complaints *complaints;          /* errors in guide files */
    /* When set, documents are not read but handed over in runs, those excepted whose bounds are in doubt: what the
     * group says of its documents (accepted) is not known then. `run` NULL: such a document comes, and the sink hears
     * of it as soon as this call returns; runs handed over come before it. */
    int (*run)(void *run_ctx, const struct edi_reader *r, const struct edi_run *run);
    void *run_ctx;
};

int edi_reader_new(const struct edi_reader_options *options, const struct edi_sink *sink,
                   struct edi_reader **reader_r, struct err *err);
void edi_reader_free(struct edi_reader **reader);

/* Where to put the next bytes, at least one: read(2) straight into it. */
char *edi_reader_space(struct edi_reader *r, size_t *n_r);
/* n bytes were put there. */
int edi_reader_filled(struct edi_reader *r, size_t n, struct err *err);
/* The same for bytes that lie elsewhere: copies. */
int edi_reader_feed(struct edi_reader *r, struct slice bytes, struct err *err);
/* There is no more. Closes what is open, with findings. */
int edi_reader_end(struct edi_reader *r, struct err *err);
/* Where a reader stands among interchanges and groups: for the reader of a run. The slices of
 * interchange and group point into the texts: copy it with edi_context_copy(). */
enum { EDI_ENVELOPE_TEXT = 1024 };
struct edi_context {
    struct edi_interchange interchange;
    struct edi_group group;
    char interchange_text[EDI_ENVELOPE_TEXT], group_text[EDI_ENVELOPE_TEXT];
    uint64_t interchanges, documents;
    const struct guide *envelope;
};
void edi_context_copy(struct edi_context *to, const struct edi_context *from);
const struct edi_context *edi_reader_context(const struct edi_reader *r);
/* Reads a run that another reader handed over when it stood there. 64 readable bytes must lie behind it. */
int edi_reader_run(struct edi_reader *r, const struct edi_context *from, const struct edi_run *run, struct err *err);
/* Where the reader stands: for progress and for the sink's own findings. */
void edi_reader_place(struct edi_reader *r, struct edi_place *place_r);
/* A finding of the sink's own about the segment at hand (a map's value that cannot be converted): fills in place,
 * set and control, applies the policy, counts it, and hands it to the sink's finding function. `s` may be NULL. */
int edi_reader_find(struct edi_reader *r, enum finding_code code, const struct segment *s, unsigned element,
                    unsigned component, const char *found, const char *expected);
/* Which occurrence of its node (segment or loop) in its parent the last one was, from 1. */
uint32_t edi_reader_occurrence(const struct edi_reader *r, const struct guide_node *node);

#endif
