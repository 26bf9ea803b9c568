/*
 * sheet: a page of headings, paragraphs, lists and tables, in Markdown or as HTML. The HTML needs nothing else: no
 * script, no picture, no other file.
 *
 * It knows how each format looks, and nothing of what is written. Words are escaped; sheet_raw() is for marks of the
 * format itself. Writes to a buf and nowhere else; failure is that of the buf.
 */
#ifndef WAYBILL_EDI_SHEET_H
#define WAYBILL_EDI_SHEET_H

#include "base/buf.h"

struct sheet {
    struct buf *out;
    bool html;
    /* private */
    struct buf scratch;
    bool first_cell;
    bool rows;                  /* the table at hand has some */
};

void sheet_init(struct sheet *s, struct buf *out, bool html);
void sheet_deinit(struct sheet *s);

/* The page opens with its title, whose words come in between. */
void sheet_begin_page(struct sheet *s, struct slice title, struct slice id);
void sheet_end_title(struct sheet *s);
void sheet_end_page(struct sheet *s);

void sheet_raw(struct sheet *s, const char *text);
void sheet_text(struct sheet *s, struct slice words);
void sheet_words(struct sheet *s, const char *plain);
void sheet_number(struct sheet *s, uint64_t n);
void sheet_code(struct sheet *s, struct slice value);
void sheet_strong(struct sheet *s, const char *plain);

/* `id` makes a heading that links lead to; 0: none. */
void sheet_begin_heading(struct sheet *s, unsigned level, unsigned id);
void sheet_end_heading(struct sheet *s, unsigned level);
void sheet_heading(struct sheet *s, unsigned level, const char *plain);
void sheet_begin_paragraph(struct sheet *s);
void sheet_end_paragraph(struct sheet *s);
void sheet_begin_list(struct sheet *s);
void sheet_end_list(struct sheet *s);
void sheet_begin_item(struct sheet *s);
void sheet_end_item(struct sheet *s);

/* `columns` ends with NULL. */
void sheet_begin_table(struct sheet *s, const char *class, const char *caption, const char *const *columns);
void sheet_end_table(struct sheet *s);
void sheet_begin_row(struct sheet *s, bool changed);
void sheet_end_row(struct sheet *s);
/* The first cell of a row is its heading. */
void sheet_begin_cell(struct sheet *s, unsigned indent);
void sheet_end_cell(struct sheet *s);
void sheet_cell(struct sheet *s, struct slice value);
/* A row that names those below it. */
void sheet_group_row(struct sheet *s, const char *plain, unsigned columns);

#endif
