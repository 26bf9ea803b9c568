/*
 * guide_example: a segment as it could stand in a document, for people who read a guide. Made of the guide alone, it is
 * right by that guide. Writes to a buf and nowhere else.
 */
#ifndef WAYBILL_EDI_GUIDE_EXAMPLE_H
#define WAYBILL_EDI_GUIDE_EXAMPLE_H

#include "base/buf.h"
#include "edi/guide.h"

/* What is mandatory, what relational notes then ask for, what a partner's guide speaks of, and with a qualifier (0:
 * none) that code in its element. Separators are *, > and ~. */
void guide_example(const struct guide *guide, const struct segment_def *def, unsigned qualifier, struct slice code,
                   struct buf *out);

#endif
