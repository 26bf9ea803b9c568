/* printer: see printer.h. */
#include "cli/printer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/progress.h"

enum { CEILING = 64 << 20, WRITE_AT = 64 << 10 };

void printer_init(struct printer *p, int fd, struct progress *progress)
{
    *p = (struct printer){ .fd = fd, .terminal = isatty(fd) == 1, .progress = progress };
    buf_init(&p->buf, CEILING);
    printer_choose_colour(p, NULL);
}

void printer_deinit(struct printer *p)
{
    buf_deinit(&p->buf);
}

void printer_choose_colour(struct printer *p, const char *when)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    if (when && slice_is(slice_of(when), "always"))
        p->colour = true;
    else if (when && slice_is(slice_of(when), "never"))
        p->colour = false;
    else
        p->colour = p->terminal && !(no && *no) && term && !slice_is(slice_of(term), "dumb");
}

static void write_out(struct printer *p, struct slice s)
{
    if (p->failed || !s.n)
        return;
    if (p->terminal && p->progress)
        progress_clear(p->progress);
    errno = 0;
    p->failed = file_write_all(p->fd, s.p, s.n, &p->err);
    p->closed = p->failed && errno == EPIPE;
}

int printer_flush(struct printer *p)
{
    write_out(p, buf_slice(&p->buf));
    if (!p->failed && p->buf.failed)
        p->failed = err_set(&p->err, p->buf.failed, "output: %s", err_name(p->buf.failed));
    buf_clear(&p->buf);
    return p->failed;
}

/* After every piece that is whole. */
static void written(struct printer *p)
{
    if (p->terminal || p->fd == STDERR_FILENO || p->buf.n >= WRITE_AT || p->buf.failed)
        printer_flush(p);
}

void printer_raw(struct printer *p, struct slice s)
{
    if (s.n >= WRITE_AT) {
        /* large pieces go out without a copy */
        printer_flush(p);
        write_out(p, s);
        return;
    }
    buf_add_slice(&p->buf, s);
    written(p);
}

void printer_text(struct printer *p, const char *text)
{
    printer_raw(p, slice_of(text));
}

void printer_printf(struct printer *p, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) {
        if (!p->failed)
            p->failed = err_nomem(&p->err);
        return;
    }
    printer_raw(p, slice(text, (size_t)n));
    free(text);
}

void printer_safe(struct printer *p, struct slice s)
{
    buf_add_safe(&p->buf, s, SIZE_MAX);
}

/* --- Rows ----------------------------------------------------------------------- */

static size_t columns(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void add_field(struct printer *p, const char *name, struct slice value, bool quoted, unsigned width)
{
    if (p->json) {
        buf_printf(&p->buf, "%s\"%s\":%s", p->fields++ ? "," : "{", name, quoted ? "\"" : "");
        buf_add_json(&p->buf, value);
        buf_add_text(&p->buf, quoted ? "\"" : "");
        return;
    }
    if (p->fields++)
        p->pad += 2;
    if (value.n) {
        size_t mark;
        for (; p->pad; p->pad--)
            buf_add_char(&p->buf, ' ');
        mark = p->buf.n;
        buf_add_safe(&p->buf, value, SIZE_MAX);
        if (!p->buf.failed) {
            size_t used = columns(slice_from(buf_slice(&p->buf), mark));
            p->pad = used < width ? width - used : 0;
        }
    } else {
        p->pad += width;
    }
}

void printer_field(struct printer *p, const char *name, struct slice value, unsigned width)
{
    add_field(p, name, value, true, width);
}

void printer_field_number(struct printer *p, const char *name, uint64_t value, unsigned width)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    add_field(p, name, slice(text, (size_t)n), false, width);
}

void printer_end_row(struct printer *p)
{
    buf_add_text(&p->buf, p->json ? p->fields ? "}\n" : "{}\n" : "\n");
    p->fields = 0;
    p->pad = 0;
    written(p);
}

void printer_render_finding(const struct printer *p, const struct finding *f, struct slice file, struct buf *to)
{
    if (p->json) {
        finding_json(f, file, to);
    } else {
        finding_text(f, file, p->colour, to);
        buf_add_char(to, '\n');
    }
}

void printer_finding(struct printer *p, const struct finding *f, struct slice file)
{
    printer_render_finding(p, f, file, &p->buf);
    written(p);
}

/* --- Text ----------------------------------------------------------------------- */

void printer_wrap(struct printer *p, const char *text, unsigned indent, unsigned width)
{
    size_t column = indent;
    bool first = true;

    while (*text) {
        size_t n = strcspn(text, " \n"), wide = columns(slice(text, n));
        if (*text == '\n') {
            /* an empty line parts paragraphs, a single break is a blank */
            if (text[1] == '\n') {
                buf_printf(&p->buf, "\n\n%*s", (int)indent, "");
                column = indent;
                first = true;
                text++;
            }
            text++;
            continue;
        }
        if (*text == ' ') {
            text++;
            continue;
        }
        if (!first && column + 1 + wide > width) {
            buf_printf(&p->buf, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            buf_add_char(&p->buf, ' ');
            column++;
        }
        buf_add(&p->buf, text, n);
        column += wide;
        first = false;
        text += n;
    }
    buf_add_char(&p->buf, '\n');
    written(p);
}

void printer_style(struct printer *p, enum printer_style style)
{
    static const char *const sequences[] = {
        [STYLE_PLAIN] = "\033[0m",      [STYLE_BOLD] = "\033[1m",       [STYLE_DIM] = "\033[2m",
        [STYLE_ERROR] = "\033[1;31m",   [STYLE_WARNING] = "\033[1;35m", [STYLE_CODE] = "\033[36m",
        [STYLE_ADDED] = "\033[32m",     [STYLE_REMOVED] = "\033[31m",
    };
    if (p->colour)
        buf_add_text(&p->buf, sequences[style]);
}
