/* convert: what a map's conversions do with one value, from the document to the record. Only for src/map. */
#ifndef WAYBILL_MAP_CONVERT_H
#define WAYBILL_MAP_CONVERT_H

#include "map/plan.h"

/* All conversions of an op, one after the other, on the elements' values. Appends the text to out. Negative: it cannot
 * be done, *why_r says what was expected; or out->failed. */
int convert_read(const struct map_op *op, const struct slice value[3], struct buf *out, const char **why_r);
/* "1500" with two places is 15.00; writes at most n + decimals + 3 bytes at p and returns the end. */
char *convert_implied(char *p, const char *v, size_t n, unsigned decimals);
/* "1.5E3", as X12 allows it of type R, in plain digits: 1500. Writes at most DECIMAL_DIGITS characters and returns the
 * end; NULL: this is no such number, or a longer one. */
enum { DECIMAL_DIGITS = 48 };
char *convert_exponent(char *to, struct slice v);
/* The two digits of the century for a year of two digits: 20 below 50, else 19 (X12's own practice for element 8 and
 * 373 before 004010). */
const char *convert_century(const char *year);

#endif
