/*
 * translate: documents in, records out, on as many threads as there are processors.
 *
 * One reader (the caller feeds it) finds the documents; runs of whole documents go to workers, each with a reader
 * and a map runner of its own; what they make is given out in the order of the input. A document that is
 * larger than a run is read by one worker, piece by piece. With one thread nothing is handed over.
 *
 * Memory: a fixed number of jobs of one chunk each, and what a chunk becomes.
 */
#ifndef WAYBILL_FLOW_TRANSLATE_H
#define WAYBILL_FLOW_TRANSLATE_H

#include "edi/reader.h"
#include "map/map.h"

struct translate_options {
    struct guides *guides;
    struct maps *maps;                      /* NULL: documents are checked only */
    const struct map *map;                  /* for the sets it is made for; NULL: the standard's own maps */
    const struct map *const *partner_map;   /* a partner's, by their sets; before the standard's */
    unsigned n_partner_map;
    const struct guide *const *partner;     /* a partner's guides */
    unsigned n_partner;
    const struct edi_parties *between;      /* as in edi_reader_options */
    unsigned n_between;
    struct finding_policy policy;
    unsigned threads;                       /* 0: as many as there are processors, at most 8 */
    struct slice transmission, partner_name;
    /* Turns a finding into text; on a worker's thread, so it must touch nothing but `to`. */
    void (*render)(void *ctx, const struct finding *f, struct buf *to);
    bool check;                             /* findings only: `records` is not called, a set may be without a map */
    /* Take records and rendered findings, in the order of the input; negative stops. */
    int (*records)(void *ctx, const char *p, size_t n);
    int (*findings)(void *ctx, const char *p, size_t n);
    void *ctx;
    struct complaints *complaints;          /* of guides and maps */
};

struct translate_counts {
    uint64_t documents, refused, records;
    uint64_t errors, warnings;
};

struct translate;

int translate_new(const struct translate_options *options, struct translate **t_r, struct err *err);
/* Feed this; then call edi_reader_end() on it and translate_end(). */
struct edi_reader *translate_reader(struct translate *t);
/* Waits for the workers and gives out what is left. */
int translate_end(struct translate *t, struct translate_counts *counts_r, struct err *err);
/* Stops the workers, whatever they do. */
void translate_free(struct translate **t);

#endif
