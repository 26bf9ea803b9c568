/*
 * csv: comma-separated values (RFC 4180) as rows of fields, as spreadsheets write them.
 *
 * Fields are parted by the comma, the semicolon or the tab, whichever the first line has most of; lines end in LF, CRLF
 * or CR; a field in quotes may hold all of these, and a quote as two. A byte order mark is passed over, and so are
 * empty lines. Fields are never trimmed or taken for numbers: 007 stays 007.
 *
 * Nothing is copied or allocated: fields borrow from the text, which must outlive them. Any byte may be in a field; it
 * is for the caller to say what a text is.
 */
#ifndef WAYBILL_TREE_CSV_H
#define WAYBILL_TREE_CSV_H

#include "base/buf.h"

enum { CSV_FIELDS = 256 };          /* the most that a row may have */

struct csv_field {
    struct slice raw;               /* without its outer quotes */
    bool escaped;                   /* quotes inside stand as two: csv_text() */
};

struct csv {
    struct slice text;
    size_t at;                      /* where the next row starts */
    size_t row;                     /* where the last one started */
    uint64_t line;                  /* of the last row, from 1 */
    uint64_t next_line;
    char delimiter;
    unsigned n;                     /* fields of the last row */
    struct csv_field field[CSV_FIELDS];
    const char *error;              /* words, after csv_next() said -1 */
};

/* delimiter 0: the one that the first line has most of. */
void csv_init(struct csv *c, struct slice text, char delimiter);
/* The next row: 1; 0: the end; -1: c->error says what is wrong with the row that begins on c->line. */
int csv_next(struct csv *c);
/* Goes to a row that starts at `row`, which csv_next() reads next. */
void csv_seek(struct csv *c, size_t row);
/* The field as it is meant; `to` is emptied and used where it has to be put together, and keeps a failure. */
struct slice csv_text(const struct csv_field *field, struct buf *to);

#endif
