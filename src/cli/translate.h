/* translate: the three parts of `waybill translate`. */
#ifndef WAYBILL_CLI_TRANSLATE_H
#define WAYBILL_CLI_TRANSLATE_H

#include "cli/reading.h"
#include "map/write.h"

/* What all of them work with. */
struct translate_setup {
    struct reading reading;
    struct reading_maps maps;
    unsigned threads;
};

/* All return the exit code. translate.c: documents in, records out: to standard output, or to `fd` when it is not
 * -1. */
int translate_to_records(struct command_context *c, struct translate_setup *s, const char *path, int fd);
/* translate_write.c, --to x12, --to edifact: records in, documents out. */
int translate_to_document(struct command_context *c, struct translate_setup *s);
/* The standard that --to names; NULL: none. */
const struct dialect *translate_standard(const char *to);
/* translate_carry.c, --to KIND: documents or records in, records of another kind out. `to` NULL: the map says it. */
int translate_to_kind(struct command_context *c, struct translate_setup *s, const char *to);

/* Does the file hold records? A named pipe is not looked at: its writer would see it opened twice. */
bool translate_holds_records(const char *path);
/* One finding about a record, as one line on standard error. */
void translate_show_finding(struct command_context *c, struct slice file, uint64_t record, uint64_t line,
                            const struct map_write_finding *f);

#endif
