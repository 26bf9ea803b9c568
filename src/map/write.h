/*
 * write: a map run from record to document: one record becomes one transaction set.
 *
 * What goes out is in normal form: the guide's order, within one place the map's, then the record's. Every segment
 * is held against the guide as it is written. A record that cannot be written is refused, with all reasons, each
 * told by the record's own field; nothing of it stays in the output.
 *
 *     map_writer_new(plan, NULL, &w, &err);
 *     while (record_reader_next(reader, &record, &err) > 0)
 *         map_write_record(w, record, out, SLICE("0001"), SLICE(""), finding, ctx, &err);
 *     map_writer_free(&w);
 *
 * Records may be streamed (record/reader.h): memory is then bounded by the largest item, not by the record. Such a
 * record is gone through twice, once only to see whether it can be written, unless the caller can throw output away
 * (`discard`).
 *
 * The plan, its guide and its record kind must outlive the writer. A writer keeps memory between records, belongs to
 * one thread, never prints and opens nothing.
 */
#ifndef WAYBILL_MAP_WRITE_H
#define WAYBILL_MAP_WRITE_H

#include "edi/finding.h"
#include "edi/write.h"
#include "map/map.h"
#include "record/reader.h"

struct map_write_options {      /* zero: the default */
    bool write_unmapped;        /* guide and partner are those the record came from: `unmapped` goes back in */
    bool discard;               /* after a refusal the caller throws away what was written (and clears the edi_writer):
                                   nothing is held in memory, and large records need one run, not two */
    struct slice later;         /* the version written where it is later than the guide's (check_later()); it is copied */
    bool short_dates;           /* the version written is from before 004010: dates of six digits */
    const struct finding_policy *policy;    /* severities of the guide's findings; NULL: the defaults */
};

/* What was found while writing. All slices and texts are valid only during the call. */
struct map_write_finding {
    const char *code;           /* stable: RECORD-…, MAP-…, or the guide's, X12-AK4-5 */
    enum severity severity;     /* SEVERITY_ERROR: the record is refused. SEVERITY_WARNING: something is lost or odd */
    struct slice path;          /* the record's field: lines[3].unit; empty: the record as a whole */
    struct slice value;         /* what was found there, raw; may be empty */
    const char *found;          /* words, never NULL: "is not in the code list" */
    const char *expected;       /* words, "" when there is nothing to say */
    struct slice place;         /* the guide's name for it: PO103 Unit or Basis for Measurement Code; may be empty */
    uint64_t segment;           /* which in the document that was being written, ST is 1; 0: none */
    bool missing;               /* the finding is about something absent */
    bool loss;                  /* the finding is about something that is not written */
};

/* 0 to go on, negative to stop: map_write_record() then returns that. */
typedef int map_write_finding_fn(void *ctx, const struct map_write_finding *f);

struct map_writer;

/* options may be NULL; they are copied. ERR_NOMEM. */
int map_writer_new(const struct map_plan *plan, const struct map_write_options *options, struct map_writer **writer_r,
                   struct err *err);
void map_writer_free(struct map_writer **writer);

/* Writes one transaction set, ST to SE, into `out`, whose interchange and group are open. control is ST02,
 * implementation ST03 (may be empty). ERR_DATA: the record is refused, the reasons were handed to `finding` (which may
 * be NULL) and `out` is as it was before (with `discard`: must be thrown away). Other negative codes: memory, a
 * ceiling, the output, or what `finding` returned; `out` is rewound, too. */
int map_write_record(struct map_writer *w, const struct record *record, struct edi_writer *out, struct slice control,
                     struct slice implementation, map_write_finding_fn *finding, void *ctx, struct err *err);
/* Of the record written last: its segments, ST and SE counted. */
uint64_t map_writer_segments(const struct map_writer *w);
/* What stands between its ST and SE, when `out` gathers its output; valid until `out` is used again. */
struct slice map_writer_body(const struct map_writer *w);
/* The same as offsets in all that `out` has written: edi_writer_offset(). */
void map_writer_extent(const struct map_writer *w, uint64_t *from_r, uint64_t *to_r);
/* The option, for the records to come. */
void map_writer_discard(struct map_writer *w, bool discard);
/* The records to come were read from documents of another standard: words that this one has no code for are written
 * with the code that a table has for all others. */
void map_writer_crossing(struct map_writer *w, bool crossing);

/* As one line for people (no newline): `lines[3].unit: "XX" is not in the code list, expected … (PO103 Unit or Basis
 * for Measurement Code)`. */
void map_write_finding_text(const struct map_write_finding *f, struct buf *out);

#endif
