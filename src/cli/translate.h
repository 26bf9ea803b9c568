/* translate: the two halves of `waybill translate`. */
#ifndef WAYBILL_CLI_TRANSLATE_H
#define WAYBILL_CLI_TRANSLATE_H

#include "cli/command.h"

/* --to x12: records in, documents out. Returns the exit code. */
int translate_to_document(struct command_context *c, unsigned threads);

#endif
