/*
 * printer: the one way out for what commands say. A text form for people, JSON lines for programs.
 *
 * Output gathers in memory and is written in large pieces, or line by line where a person is looking on. A write
 * that fails is remembered: nothing more is written, and printer_failed() tells. Whoever reads from us may go away
 * (`| head`): that is `closed`, and no error to talk about.
 */
#ifndef WAYBILL_CLI_PRINTER_H
#define WAYBILL_CLI_PRINTER_H

#include "base/buf.h"
#include "base/err.h"
#include "edi/finding.h"

struct progress;

struct printer {
    struct buf buf;             /* what is not written yet */
    int fd;
    bool json;
    bool colour;
    bool terminal;
    bool closed;                /* the reader of our output went away */
    int failed;                 /* 0 or a negative code */
    struct err err;
    struct progress *progress;  /* cleared before anything is written on a terminal; may be NULL */
    /* a row under way */
    unsigned fields;
    size_t pad;                 /* blanks owed before the next field of a text row */
};

void printer_init(struct printer *p, int fd, struct progress *progress);
/* Writes what is left. 0 or a negative code. */
int printer_flush(struct printer *p);
void printer_deinit(struct printer *p);
static inline bool printer_failed(const struct printer *p)
{
    return p->failed != 0;
}

/* Colour as --color says: "always", "never", or "auto" (or NULL): on a terminal unless NO_COLOR is set. */
void printer_choose_colour(struct printer *p, const char *when);

/* Text as it is: must be clean. */
void printer_text(struct printer *p, const char *text);
void printer_printf(struct printer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes of a file or of the command line, made safe. */
void printer_safe(struct printer *p, struct slice s);
/* Bytes that are the output itself, untouched: a record, an acknowledgment. */
void printer_raw(struct printer *p, struct slice s);

/* A row of fields: a line with columns `width` wide, or an object with these names. */
void printer_field(struct printer *p, const char *name, struct slice value, unsigned width);
void printer_field_number(struct printer *p, const char *name, uint64_t value, unsigned width);
void printer_end_row(struct printer *p);

/* A finding in the printer's form; and the same into a buffer, which touches nothing of the printer. */
void printer_finding(struct printer *p, const struct finding *f, struct slice file);
void printer_render_finding(const struct printer *p, const struct finding *f, struct slice file, struct buf *to);

/* Words broken into lines of at most `width` columns, each `indent` blanks in; the first without, when the text
 * before it stands there already. Paragraphs are parted by an empty line. */
void printer_wrap(struct printer *p, const char *text, unsigned indent, unsigned width);

/* ANSI, only where colour is on. */
enum printer_style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_ERROR, STYLE_WARNING, STYLE_CODE, STYLE_ADDED,
                     STYLE_REMOVED };
void printer_style(struct printer *p, enum printer_style style);

#endif
