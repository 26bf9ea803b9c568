/*
 * contrl: what a finding is in a CONTRL: on which of its levels it stands, with which code, at which place.
 *
 * Shared by the answer itself and by the words that tell a person what the answer will say. Allocates nothing.
 *
 * Sources: the message description of CONTRL D:3 (2:2 differs in its name only) and ISO 9735-4 (4:1):
 *   - each UCI, UCF, UCM, UCS and UCD says one error, at the lowest level that can say it, and not again above;
 *   - faults of UNH and UNT are the message's (UCM), those of UNG and UNE the group's, of UNA, UNB and UNZ the
 *     interchange's;
 *   - 0096 counts segments, UNH is 1; of one that is missing it is the number of the last before its place;
 *   - 0098 counts data elements with the tag as 1, 0104 components from 1, and, in 4:1 only, 0136 repetitions from 1;
 *   - a code has its levels: a duplicate (26) is said of messages and above, never of a segment.
 * Compared with the codes of Microsoft's BizTalk Server and Logic Apps, and of hupe1980/edifact-rs (contrl.rs). They
 * agree in 12, 13, 15, 16, 21, 26, 28, 29, 35 to 37, 39, 40, 45. Disagreements:
 *   - a condition between elements: BizTalk knows 48 and does not use it, edifact-rs takes 15: here 48 in 4:1, in D:3,
 *     which has no 48, 13 for what is missing and 15 for what excludes another;
 *   - an unknown segment: BizTalk 72, a code of its own, edifact-rs 15: so here;
 *   - a character set that is not supported: both 46, also in D:3, which has no 46: here 2 there;
 *   - BizTalk rejects for every fault; edifact-rs and this report a warning and acknowledge the level all the same.
 */
#ifndef WAYBILL_EDI_CONTRL_H
#define WAYBILL_EDI_CONTRL_H

#include "edi/finding.h"

struct contrl_note {
    enum finding_level level; /* LEVEL_INTERCHANGE: UCI, then UCF, UCM, UCS, and LEVEL_ELEMENT: a UCD below its UCS */
    const char *code;         /* 0085 */
    struct slice service;     /* 0013 of a UCI, UCF or UCM: the service segment; empty: none of that level */
    uint64_t segment;         /* 0096 of a UCS and UCD */
    bool missing;             /* it is about a segment that is not there, behind that one */
    unsigned element;         /* 0098; 0: not about a data element */
    unsigned component;       /* 0104; 0: not about a component */
    unsigned repetition;      /* 0136; 0: the first, or the version has none */
};

/* version_4: for a CONTRL 4:1. False: there is no word for it. */
bool contrl_note(const struct finding *f, bool version_4, struct contrl_note *note_r);

#endif
