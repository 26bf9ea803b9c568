/*
 * acknowledge: the technical answer to what was read: a 997 or 999 for every functional group of X12, a TA1 for an
 * interchange of X12, a CONTRL for an interchange of EDIFACT.
 *
 * It is a sink: hand acknowledge_sink() to edi_reader_new(), and the answer is written while the file is read. A
 * sink of the caller's own can stand behind it and is called first. Nothing is kept but a few codes and counters,
 * so memory does not grow with the file; of EDIFACT also what is wrong, because what stands first in a CONTRL is known
 * last.
 *
 * X12: one interchange is written for every interchange received that has groups to answer, addressed back: sender and
 * receiver turned round in ISA and GS, the group's version echoed in GS08, ISA12 and ISA15 as received, the same
 * delimiters. In it one group FA with one 997 for every group received. Groups FA are not answered (X12.20: an
 * acknowledgment is never acknowledged), nor are sets outside of groups: AK102 would have no number.
 *
 * What becomes of a finding:
 *   error    its AK3/AK4, AK5*R with its code or 5
 *   warning  its AK3/AK4, and AK5*E when the set has no errors: that is what "accepted, but errors were noted"
 *            says, and the note tells which. A warning without an acknowledgment code leaves the set accepted.
 *   of a group: AK905 to AK909; AK901 is R when one is an error, otherwise at best E
 * AK303 names the guide's loop around the segment. Data element 447 is made for loops between LS and LE; partners look
 * for any loop there.
 *
 * A 999 says the same with IK3, IK4 and IK5; its own version, 005010X231A1, stands in GS08 and ST03 whatever the
 * version answered, which AK103 names. It has no CTX: the guides do not say what the business unit of an error is.
 *
 * Codes that a version does not have are written with those it has: the table is in acknowledge_x12.c.
 *
 * EDIFACT: one interchange with one CONTRL for every interchange received: 4:1 to syntax version 4, otherwise D:3
 * (EANCOM's), or 2:2 where the options say so; parties turned round, test indicator, character set and separators as
 * received. An interchange that holds nothing but CONTRLs is not answered, and of other CONTRLs nothing is said; nor
 * is one answered whose UNB names no reference or no parties, for a CONTRL must name them. Whether UNB09 asks for an
 * answer is not looked at: whoever calls decides.
 *   action   4 of a message with errors. 7 of one with warnings: that errors are reported does not reject the level. 4
 *            of an interchange or group with an error of its own only when nothing in it was accepted: what was taken
 *            is not said to be rejected; otherwise 7, with the code of the error. 8 (received, not checked) is never
 *            sent.
 *   UCM      of messages that are rejected or of which something is reported; UCF of such groups, and where one holds
 *            such messages. The UCI's 7 says the rest. (ISO 9735-4 leaves that to the sender; BizTalk does the same.)
 *   18       where a message is rejected for what CONTRL has no word for, as when it cannot be mapped
 *   0        stands for a mandatory element of UCF and UCM that the partner did not send; 4:1 can do without some
 * Which code stands at which place: contrl.h.
 *
 * Sources: X12.20 Functional Acknowledgment (997), 004010 and 005010; the guide of the 999, 005010X231A1; X12.56 /
 * X12.5 (TA1); UN/EDIFACT CONTRL D:3, and ISO 9735-4 (CONTRL 4:1).
 */
#ifndef WAYBILL_EDI_ACKNOWLEDGE_H
#define WAYBILL_EDI_ACKNOWLEDGE_H

#include "edi/reader.h"
#include "edi/write.h"

struct dialect;

enum acknowledge_level { ACKNOWLEDGE_INTERCHANGE, ACKNOWLEDGE_GROUP };

struct acknowledge_options {
    struct edi_time at; /* of the answer; seconds are used in GS05 only */
    uint64_t control;   /* the first ISA13 and GS06, or UNB05, of ours, each counted on; 0: 1 */
    /* Gives the next number of a level in place of `control`; negative stops. May be NULL. */
    int (*next_control)(void *control_ctx, enum acknowledge_level level, uint64_t *number_r);
    void *control_ctx;
    const struct edi_syntax *syntax; /* of what answers X12; NULL: that of the interchange received */
    const char *line_end;            /* as in edi_write_options */
    const struct dialect *only;      /* interchanges of another dialect are not answered; NULL: all are */
    bool implementation;             /* 999s, not 997s */
    bool contrl_2_2;                 /* CONTRL 2:2, not D:3; to syntax version 4 it is 4:1 in any case */
    bool ta1;                        /* a TA1 where ISA14 asks for one, the interchange itself is wrong, or
                                               nothing in it could be read; never for one that holds a TA1 */
    const struct edi_sink *next;     /* is called before; copied; may be NULL */
    int (*write)(void *ctx, const char *p, size_t n, struct err *err); /* as in edi_write_options */
    void *ctx;
};

struct acknowledge_totals {
    uint64_t groups;                    /* answered */
    uint64_t documents;                 /* in them */
    uint64_t accepted, noted, rejected; /* AK501 A, E, R; of a UCM 7, 7 with an error, 4 */
    uint64_t interchanges;              /* written, those of TA1s included */
    uint64_t unanswered;                /* groups and interchanges that cannot be addressed */
};

struct acknowledge;

int acknowledge_new(const struct acknowledge_options *options, struct acknowledge **a_r, struct err *err);
void acknowledge_free(struct acknowledge **a);
/* For edi_reader_new(); lives as long as a. */
const struct edi_sink *acknowledge_sink(const struct acknowledge *a);
/* After edi_reader_end(), and also after the reader has failed: hands the rest to `write`. Gives the error that
 * stopped the reader from here, ERR_DATA with the reason when something could not be answered (the rest was),
 * ERR_USAGE when an interchange is still open. */
int acknowledge_finish(struct acknowledge *a, struct err *err);
/* Without `write`: all of the answer; empty when there is nothing to answer. */
struct slice acknowledge_output(const struct acknowledge *a);
const struct acknowledge_totals *acknowledge_totals(const struct acknowledge *a);

#endif
