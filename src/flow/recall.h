/*
 * recall: earlier records, for maps that look back: the order that a shipment answers.
 *
 * Records are read from files and kept in memory, up to a ceiling; they are found by their kind and the value of one of
 * their fields. Of several with the same value the one read last is found: a later one stands for an earlier one of the
 * same sender. Two partners may both have an order 4711: whose is meant cannot be said then, and is not guessed.
 * It owns what it read; records it gives stay valid until it is freed. One thread.
 */
#ifndef WAYBILL_FLOW_RECALL_H
#define WAYBILL_FLOW_RECALL_H

#include "record/reader.h"

struct recall;

/* `memory`: the ceiling in bytes; 0: 1 GiB. ERR_NOMEM. */
int recall_new(uint64_t memory, struct recall **recall_r, struct err *err);
void recall_free(struct recall **recall);
/* Reads all records of a file. ERR_DATA: one of them cannot be read; words say which. ERR_LIMIT: there are too many. */
int recall_read(struct recall *r, int fd, const char *file, struct err *err);
/* The record of that kind whose field `path` ("number", "ship_to.id") is `value`; NULL: there is none. ERR_NOMEM;
 * ERR_DATA: several senders have one; the words finish a sentence about the value. */
int recall_find(struct recall *r, struct slice kind, struct slice path, struct slice value,
                const struct record **record_r, struct err *err);

#endif
