/*
 * produce: records in, interchanges of X12 or EDIFACT out.
 *
 * For each record the map is chosen (the caller's, the partner's, or the standard's own for the record's kind), then
 * the guide, then the envelope; consecutive records with the same envelope share a group and an interchange.
 *
 * The envelope. With a partner file sender and receiver are those of the partner file: from us to the partner for a
 * line `send`, from the partner to us where the file only knows how to `receive` such a document. Without one they
 * are those that the record says it came with. When the envelope's sender and receiver are the ones the record came
 * with, the document is said to be written back: then its own control numbers and times are used again, so that it
 * comes out as it went in. In all other cases control numbers must be given: none is ever invented, and none is used
 * that somebody else counts. A record from a test stays a test, whatever the partner file says.
 *
 * A record that cannot be written is refused, with all reasons, each told by the record's field; the others go on. An
 * envelope is only written once a record in it is.
 *
 * The caller owns everything that the options name, and keeps it until produce_free(). A producer belongs to one
 * thread, never prints, opens nothing but a temporary file for large records, and never asks the clock. With several
 * `threads` it starts others for its own work; output, findings and progress come on the caller's all the same, in the
 * order of the records.
 */
#ifndef WAYBILL_FLOW_PRODUCE_H
#define WAYBILL_FLOW_PRODUCE_H

#include "edi/write.h"
#include "flow/agreement.h"
#include "map/write.h"

/* Which record a finding speaks of. */
struct produce_place {
    struct slice file;
    uint64_t record;            /* in its file, from 1 */
    uint64_t line;              /* where it starts */
};

struct produce_options {
    struct guides *guides;
    struct maps *maps;
    struct complaints *complaints;              /* of guides and maps; not NULL */
    const struct dialect *dialect;              /* which of them; NULL: as `map`, `route` or the partner's line say, else as
                                                   the record came, else X12 */
    const struct map *map;                      /* for all records; NULL: chosen */
    const struct partner_route *route;          /* the partner's line; NULL: the one for the record's kind */
    const struct agreement *agreement;          /* its maps have been read; NULL: no partner file */
    const struct guide *const *guide;           /* a partner's guides: before the standard's for their sets */
    unsigned n_guides;
    const struct finding_policy *policy;        /* NULL: the defaults */
    uint64_t interchange, group, document;      /* the first control numbers; 0: not given. Without `group` groups count
                                                   from `interchange`; without `document` from 1 in each group */
    const struct edi_time *date;                /* of ISA and GS, whatever the records say; NULL: not given */
    struct edi_time now;                        /* where nothing else says it */
    unsigned threads;                           /* that compose records, the caller's among them; 0: one a processor */
    bool transliterate;                         /* also where the partner file does not say so */
    struct slice version;                       /* "005010", "d96a-ean008"; empty: the partner's, the source's, the map's */
    /* Without a partner file: */
    struct slice sender, receiver;              /* "14:4012345000009"; empty: those of the record's source */
    struct slice syntax;                        /* of EDIFACT: "UNOC:3"; empty: as a record came that is written back */
    struct edi_write_options edifact;           /* how EDIFACT is written; character set and output stand elsewhere */
    /* Output. `write` may be NULL only in tests. Syntax, line end, character set and so on are those of the partner
     * file, else these. */
    struct edi_write_options write;
    /* NULL: nobody listens. Negative stops. */
    int (*finding)(void *ctx, const struct produce_place *at, const struct map_write_finding *f);
    /* Behind each record of produce_records(): how many bytes of the input are done. May be NULL. */
    void (*progress)(void *ctx, uint64_t done);
    void *ctx;
};

struct produce_counts {
    uint64_t records, refused;                  /* refused ones are among the records */
    uint64_t interchanges, groups, documents;   /* written */
    uint64_t errors, warnings;
};

struct produce;

/* Defaults: delimiters of X12, a line for each segment. */
void produce_options_init(struct produce_options *o);
int produce_new(const struct produce_options *options, struct produce **p_r, struct err *err);
void produce_free(struct produce **p);

/* All records of a descriptor; `file` is its name. 0, also when records were refused: counts tell. ERR_CONFIG: a guide
 * or map is wrong; ERR_IO, ERR_NOMEM, ERR_LIMIT, ERR_STOP. */
int produce_records(struct produce *p, int fd, struct slice file, struct err *err);
/* One record. ERR_DATA: it was refused, `finding` knows why. */
int produce_record(struct produce *p, const struct record *record, struct slice file, struct err *err);
/* Closes what is open and gives out the rest. */
int produce_end(struct produce *p, struct err *err);
const struct produce_counts *produce_counts(const struct produce *p);
/* Behind produce_end(): another output begins, with these numbers and that time; counts begin anew. What was prepared
 * stays. */
void produce_again(struct produce *p, uint64_t interchange, uint64_t group, const struct edi_time *now);

/* "2026-11-20", "2026-11-20T15:30", "2026-11-20T15:30:05". Without seconds `second` is -1. False: it is none. */
bool produce_time(struct slice text, struct edi_time *time_r);

#endif
