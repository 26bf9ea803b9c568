/*
 * input: the files that a command line names, read from front to end. `-` is standard input; pipes and devices are
 * read like files. Nothing is mapped and nothing is read twice.
 */
#ifndef WAYBILL_CLI_INPUT_H
#define WAYBILL_CLI_INPUT_H

#include "base/err.h"
#include "base/slice.h"
#include "cli/progress.h"
#include "edi/reader.h"

#include <sys/types.h>

enum { INPUT_FIRST = 64 };

struct input {
    const char *name;           /* as people are shown it; borrowed from the path */
    int fd;
    uint64_t size;              /* 0: not known */
    uint64_t done;
    char first[INPUT_FIRST];    /* the first bytes, to tell what it is */
    size_t n_first;
};

/* ERR_MISSING, ERR_IO or ERR_USAGE (a folder) with the words. */
int input_open(const char *path, struct input *in_r, struct err *err);
/* At most n bytes; 0 at the end, negative on error. */
ssize_t input_read(struct input *in, char *to, size_t n, struct err *err);
/* Looks at the first bytes without taking them, for input_starts() and input_looks_like(); of a regular file or a pipe,
 * and not together with input_read(). Waits for a pipe's first bytes. */
void input_peek(struct input *in);
/* The first byte that is no blank; 0: not known. */
char input_starts(const struct input *in);
void input_close(struct input *in);

/* Reads all that is left into an X12 reader and ends it. */
int input_feed(struct input *in, struct edi_reader *reader, struct progress *progress, struct err *err);

/* What the bytes look like when they are not X12, in words ("EDIFACT"); NULL: no idea. */
const char *input_looks_like(const struct input *in);

#endif
