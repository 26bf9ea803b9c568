/*
 * read: the runner from documents to records. A sink for an edi_reader (edi/reader.h): checked segments come in,
 * records go out as JSON lines, field by field as the segments come. What is kept in memory is what the order of
 * the document forces: fields that arrive while a list is being written, and the texts of several segments.
 */
#ifndef WAYBILL_MAP_READ_H
#define WAYBILL_MAP_READ_H

#include "base/buf.h"
#include "edi/reader.h"
#include "map/map.h"

struct map_reader;

struct map_read_options {
    /* Which plan is for a document: 0 and *plan_r (NULL: none, the document gives no record), or negative. */
    int (*choose)(void *ctx, const struct edi_document *d, const struct map_plan **plan_r);
    /* Takes output: each document's line at its end (with `batch`: some lines at once), a large one in pieces.
     * Negative stops. */
    int (*write)(void *ctx, const char *p, size_t n);
    /* Instead of `write`: the same without a copy. Takes what is in the buffer and leaves it empty, this one or another
     * (buf_swap()). */
    int (*take)(void *ctx, struct buf *text);
    /* Every finding, the reader's and the runner's own; may be NULL. */
    int (*finding)(void *ctx, const struct finding *f);
    /* A document ended; may be NULL. */
    int (*document_end)(void *ctx, const struct edi_document *d);
    void *ctx;
    struct slice transmission;      /* the correlation id; written when not empty */
    struct slice partner;           /* the same */
    const char *no_map;             /* what is found where `choose` gives no plan; NULL: there is no map */
    bool optional;                  /* a document without a map is no finding: for checking */
    bool batch;                     /* gather the lines of several documents, up to `flush` */
    size_t flush;                   /* bytes to gather before `write` is called; 0: 64 KiB */
};

int map_reader_new(const struct map_read_options *options, struct map_reader **r_r, struct err *err);
void map_reader_free(struct map_reader **r);
/* The sink to give to edi_reader_new(), and afterwards the reader made with it: findings of the runner go
 * through it. */
void map_reader_sink(struct map_reader *r, struct edi_sink *sink_r);
void map_reader_attach(struct map_reader *r, struct edi_reader *reader);
/* With `batch`: hands out the records that have gathered. Done by itself at the end of each interchange; to be called
 * when reading ends otherwise (a run of documents). */
int map_reader_flush(struct map_reader *r);
/* Records written so far, and how many of them were rejected. */
uint64_t map_reader_records(const struct map_reader *r);
uint64_t map_reader_rejected(const struct map_reader *r);

#endif
