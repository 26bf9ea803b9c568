/*
 * guide_document: a guide as a document for people, in Markdown or HTML: what a coordinator hands to a partner.
 *
 * What a partner's guide changes is told at the top and marked at its place. The HTML is one page that needs nothing
 * else: no script, no picture, no other file. Whatever comes from guide files is escaped. Writes to a buf and nowhere
 * else; failure is that of the buf, or the guide's codes that cannot be read (they complain where guide_codes() does).
 */
#ifndef WAYBILL_EDI_GUIDE_DOCUMENT_H
#define WAYBILL_EDI_GUIDE_DOCUMENT_H

#include "base/buf.h"
#include "edi/guide.h"

struct guide_document_options {
    const struct guide *base;   /* what the guide was made from; NULL: it stands alone, or the base is not known */
    bool html;
    bool codes;                 /* all codes of every list; otherwise long lists are cut */
};

void guide_document_write(const struct guide *guide, const struct guide_document_options *options, struct buf *out);

#endif
