/* keywords: the checks behind the table of keywords. Only src/partner looks in here. */
#ifndef WAYBILL_PARTNER_KEYWORDS_H
#define WAYBILL_PARTNER_KEYWORDS_H

#include "partner/partner.h"

/* NULL: the word may stand there. Otherwise what is wrong, as it follows the word: "is not a number from 1 to 4". */
const char *partner_check_value(const struct partner_keyword *k, unsigned argument, struct slice word);

/* The separator that a word means; false: none. */
bool partner_separator(struct slice word, char *c_r);
/* Behind the separators: how lines end. */
bool partner_line_end(struct slice word, const char **end_r);
/* Seconds. */
bool partner_duration(struct slice word, uint64_t *seconds_r);
/* Whether `word` is one of "a|b|c"; each is offered to best_r when that is not NULL. */
bool partner_choice(const char *choice, struct slice word, struct slice *best, unsigned *distance);

#define PARTNER_TRANSPORTS "sftp|as2|http|folder"

#endif
