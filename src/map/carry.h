/*
 * carry: a map between two kinds of record, run: one record becomes one of another kind, or several (`split`).
 *
 *     carry_new(plan, &options, &c, &err);
 *     while (record_reader_next(reader, &record, &err) > 0)
 *         carry_record(c, record, &err);
 *     carry_free(&c);
 *
 * The record is checked against its kind first, what is made against its own. All of what one record makes is given, or
 * nothing: it is gathered in memory, then in an unnamed temporary file, until all of it is known to be right.
 * A streamed record (record/reader.h) is gone through list by list; what does not fit in memory is never whole in it.
 *
 * The plan must outlive it. One thread; keeps memory between records; never prints.
 */
#ifndef WAYBILL_MAP_CARRY_H
#define WAYBILL_MAP_CARRY_H

#include "map/map.h"
#include "map/write.h"

struct carry_plan;
struct carry;

/* What the map needs that the record does not hold: the record of that kind whose field `path` is `value`. The record
 * must not be streamed and stays valid until carry_record() returns. 0 with NULL in *record_r: there is none. ERR_DATA:
 * it cannot be said which; the words finish a sentence about the value ("is of two records …"). */
typedef int carry_recall_fn(void *ctx, const struct record_kind *kind, struct slice path, struct slice value,
                            const struct record **record_r, struct err *err);
/* A piece of what was made: JSON, each record a line of its own. Negative stops. */
typedef int carry_write_fn(void *ctx, const char *p, size_t n, struct err *err);

struct carry_options {
    carry_recall_fn *recall;            /* NULL: there is nothing to recall from */
    carry_write_fn *write;
    map_write_finding_fn *finding;      /* may be NULL */
    void *ctx;
    const char *directory;              /* for temporary files; NULL: TMPDIR, /var/tmp */
    size_t memory;                      /* what is made is gathered in memory up to here; 0: LIMIT_RECORD_MEMORY */
};

/* Compiles a map between records (map_between_records()), once. Complaints tell what is wrong. */
int carry_plan_for(struct maps *m, const struct map *map, struct complaints *c, const struct carry_plan **plan_r,
                   struct err *err);
const struct record_kind *carry_plan_from(const struct carry_plan *plan);
const struct record_kind *carry_plan_to(const struct carry_plan *plan);

int carry_new(const struct carry_plan *plan, const struct carry_options *options, struct carry **carry_r,
              struct err *err);
void carry_free(struct carry **carry);
/* How many records were made, or ERR_DATA: refused, the findings have said why, and nothing was written. Other codes as
 * usual; what `write` returned. */
int carry_record(struct carry *c, const struct record *record, struct err *err);

/* A field of the source that no line takes, or a field of the target that none makes. `path` borrows. */
struct carry_gap {
    struct slice path;
    bool made;                          /* of the target */
    bool object;                        /* nothing in it */
};
typedef int carry_gap_fn(void *ctx, const struct carry_gap *gap);

struct carry_coverage {
    unsigned fields, taken, dropped;    /* of the source */
    unsigned others, made;              /* of the target */
};

int carry_coverage(const struct carry_plan *plan, carry_gap_fn *function, void *ctx, struct carry_coverage *coverage_r,
                   struct err *err);

#endif
