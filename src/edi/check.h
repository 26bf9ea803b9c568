/*
 * check: one document against its guide, segment by segment: where a segment belongs, and whether its elements
 * are what the guide says. Used when reading, and on what the writer makes.
 */
#ifndef WAYBILL_EDI_CHECK_H
#define WAYBILL_EDI_CHECK_H

#include "base/limits.h"
#include "edi/finding.h"
#include "edi/guide.h"
#include "edi/lexer.h"

/* What the checker has to say about the segment at hand. Slices borrow from the segment or the guide. */
struct remark {
    enum finding_code code;
    unsigned element, component, repetition;    /* 0: does not apply */
    const struct element *about;                /* may be NULL */
    struct slice tag;                           /* of a missing segment; else empty */
    struct slice loop;
    struct slice value;
    const struct guide_variant *variant;        /* of a missing segment that a partner's guide demands; else NULL */
    bool missing;
    char found[120];
    char expected[200];
};

/* Returns 0 to go on, negative to stop. */
typedef int remark_function(void *ctx, const struct segment *s, const struct remark *r);

enum { LATER_TOLD = 32, FORMS_KNOWN = 4 };

struct checker {
    const struct guide *guide;
    const struct edi_syntax *syntax;
    remark_function *remark;
    void *ctx;
    int stopped;                                /* what remark returned when it was negative */
    bool structure_only;
    char mark;                                  /* the decimal mark */
    bool comma;                                 /* EDIFACT: the other one of point and comma is read, too, and told */
    bool short_dates;                           /* a version from before 004010: dates may have six digits */
    bool no_long_dates;                         /* and may not have eight */
    struct slice later;                         /* the document's version when it is later than the guide's: what
                                                   the guide does not know is no error then; empty */
    bool strict_codes;                          /* a code that only a later directory has is an error all the same */
    uint64_t told[LATER_TOLD];                  /* of that each kind is told once: segment, element, finding */
    unsigned n_told;
    struct {
        const struct element *element;          /* that says forms by codes: 2379 */
        uint64_t code;
        struct slice form;                      /* CCYYMMDD; empty: no form */
    } form[FORMS_KNOWN];                        /* the last ones */
    unsigned next_form;
    const struct guide_node *at;                /* the last segment's node */
    uint64_t open;                              /* bits of qualifiers of the loops around the last segment */
    uint64_t seen;                              /* bits of variants seen: guide_node.counted */
    uint32_t times[GUIDE_VARIANTS_COUNTED];     /* how often those were seen */
    uint32_t count[LIMIT_LOOP_DEPTH + 2];       /* occurrences of current[], by depth */
    uint16_t current[LIMIT_LOOP_DEPTH + 2];
};

/* Stands before the first segment. */
void check_begin(struct checker *c, const struct guide *guide);
/* The place of the next segment, NULL when it has none: then a remark was made and the checker stays where it
 * was. A negative return of the remark function is kept in c->stopped. */
const struct guide_node *check_place(struct checker *c, const struct segment *s);
/* The elements of a segment against its definition. Returns which are there: bit k-1 is element k. */
uint64_t check_elements(struct checker *c, const struct segment *s, const struct segment_def *def);
/* The same for a segment at its node: what a partner's guide says of qualifiers counts, too. */
uint64_t check_segment(struct checker *c, const struct segment *s, const struct guide_node *node);
/* A date as X12 writes it, 6 or 8 digits, that exists. */
bool check_is_date(struct slice s);
/* The same of n bytes at p, where eight can be read. */
bool check_is_date_at(const char *p, uint32_t n);
/* The version (GS08) where it is later than that of the guide that stands in for it; else empty. Borrows from it. */
struct slice check_later(struct slice version, const struct guide *guide);
/* A version (GS08) from before 004010: its dates have six digits. */
bool check_has_short_dates(struct slice version);

#endif
