/*
 * comparable: what a file holds, document by document, as trees to be compared (flow/compare.h).
 *
 * A document that there is a map for counts as its record; others are trees of their guide: loops, segments, elements.
 * Records come as they are, from JSON lines. What belongs to the envelopes is kept apart from the content: the numbers
 * and times, which every sending has its own of, and the rest, which says between whom and in which version.
 *
 * All of a file is kept in memory, as text; a tree is made of one document at a time. Nothing is printed.
 */
#ifndef WAYBILL_FLOW_COMPARABLE_H
#define WAYBILL_FLOW_COMPARABLE_H

#include "edi/reader.h"
#include "flow/compare.h"
#include "map/map.h"

struct comparable_options {
    struct edi_reader_options reader;       /* guides, whose guides go before, policy, complaints */
    struct maps *maps;
    const struct map *map;                  /* the map to take; NULL: the partner's, else the standard's */
    const struct map *const *partner_map;
    unsigned n_partner_map;
    const char *directory;                  /* the maps folder, for the schemas of records */
    bool by_guide;                          /* take no map: compare by the places of the guide */
    int (*finding)(void *ctx, const struct finding *f);
    /* A record that cannot be read: the words of err. */
    int (*bad_record)(void *ctx, uint64_t line, const struct err *err);
    void *ctx;
};

struct comparable_document {
    struct slice kind;          /* "order"; of a document without a map its set */
    struct slice number;        /* the business number; empty: not known */
    struct slice title;         /* of its guide; empty: a record */
    uint64_t ordinal;           /* in the file, from 1 */
    bool record;
    /* private */
    const struct guide *guide;
    struct edi_syntax syntax;
    size_t at, n;               /* in the text */
};

struct comparable;

int comparable_new(const struct comparable_options *options, struct comparable **c_r, struct err *err);
void comparable_free(struct comparable **c);
/* For X12: to be fed and ended by the caller; then comparable_end(). */
struct edi_reader *comparable_reader(struct comparable *c);
/* For records: reads all that the descriptor gives; then comparable_end(). */
int comparable_read_records(struct comparable *c, int fd, struct err *err);
int comparable_end(struct comparable *c, struct err *err);

size_t comparable_count(const struct comparable *c);
const struct comparable_document *comparable_at(const struct comparable *c, size_t i);

struct comparable_tree {
    struct compare_node *content;
    struct compare_node *envelope;      /* who, to whom, which version, test or production; NULL: not known */
    struct compare_node *numbers;       /* control numbers, times, and what we call it ourselves; NULL: not known */
};

/* The tree of a document; it borrows from c and the arena. */
int comparable_tree(struct comparable *c, size_t i, struct arena *arena, struct comparable_tree *tree_r,
                    struct err *err);

/* Which document of b answers to which of a: by kind and business number; where no number of a kind is in both files,
 * by their order. partner_r has room for one of each of a's: its number in b, or -1. */
int comparable_pair(const struct comparable *a, const struct comparable *b, int64_t *partner_r);

#endif
