/* sheet: see sheet.h. */
#include "edi/sheet.h"

#include <string.h>

enum { DEEPEST_INDENT = 6, SCRATCH_CEILING = 1 << 20 };

void sheet_init(struct sheet *s, struct buf *out, bool html)
{
    *s = (struct sheet){ .out = out, .html = html };
    buf_init(&s->scratch, SCRATCH_CEILING);
}

void sheet_deinit(struct sheet *s)
{
    buf_deinit(&s->scratch);
}

void sheet_raw(struct sheet *s, const char *text)
{
    buf_add_text(s->out, text);
}

/* Escapes what is in the scratch, which is clean UTF-8 already. */
static void escape(struct sheet *s, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (s->html && strchr("&<>\"'", c))
            sheet_raw(s, c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : "&#39;");
        else if (!s->html && strchr("\\`*_[]<>|&~#", c))
            buf_printf(s->out, "\\%c", c);
        else
            buf_add_char(s->out, c);
    }
}

void sheet_text(struct sheet *s, struct slice words)
{
    buf_clear(&s->scratch);
    buf_add_safe(&s->scratch, words, SIZE_MAX);
    if (s->scratch.failed && !s->out->failed)
        s->out->failed = s->scratch.failed;
    escape(s, buf_slice(&s->scratch));
}

void sheet_words(struct sheet *s, const char *plain)
{
    sheet_text(s, slice_of(plain));
}

void sheet_number(struct sheet *s, uint64_t n)
{
    buf_printf(s->out, "%llu", (unsigned long long)n);
}

void sheet_code(struct sheet *s, struct slice value)
{
    if (s->html) {
        sheet_raw(s, "<code>");
        sheet_text(s, value);
        sheet_raw(s, "</code>");
    } else if (value.n && !memchr(value.p, '`', value.n) && !memchr(value.p, '|', value.n)) {
        buf_add_char(s->out, '`');
        buf_add_safe(s->out, value, SIZE_MAX);
        buf_add_char(s->out, '`');
    } else {
        sheet_text(s, value);
    }
}

void sheet_strong(struct sheet *s, const char *plain)
{
    sheet_raw(s, s->html ? "<strong>" : "**");
    sheet_words(s, plain);
    sheet_raw(s, s->html ? "</strong>" : "**");
}

void sheet_begin_heading(struct sheet *s, unsigned level, unsigned id)
{
    if (!s->html) {
        buf_printf(s->out, "\n%.*s ", (int)level, "######");
        if (id)
            buf_printf(s->out, "<a id=\"s%u\"></a>", id);
    } else if (id) {
        buf_printf(s->out, "<h%u id=\"s%u\">", level, id);
    } else {
        buf_printf(s->out, "<h%u>", level);
    }
}

void sheet_end_heading(struct sheet *s, unsigned level)
{
    if (s->html)
        buf_printf(s->out, "</h%u>\n", level);
    else
        sheet_raw(s, "\n\n");
}

void sheet_heading(struct sheet *s, unsigned level, const char *plain)
{
    sheet_begin_heading(s, level, 0);
    sheet_words(s, plain);
    sheet_end_heading(s, level);
}

void sheet_begin_paragraph(struct sheet *s)
{
    sheet_raw(s, s->html ? "<p>" : "");
}

void sheet_end_paragraph(struct sheet *s)
{
    sheet_raw(s, s->html ? "</p>\n" : "\n\n");
}

void sheet_begin_list(struct sheet *s)
{
    sheet_raw(s, s->html ? "<ul>\n" : "");
}

void sheet_end_list(struct sheet *s)
{
    sheet_raw(s, s->html ? "</ul>\n" : "\n");
}

void sheet_begin_item(struct sheet *s)
{
    sheet_raw(s, s->html ? "<li>" : "- ");
}

void sheet_end_item(struct sheet *s)
{
    sheet_raw(s, s->html ? "</li>\n" : "\n");
}

void sheet_begin_table(struct sheet *s, const char *class, const char *caption, const char *const *columns)
{
    if (!s->html) {
        sheet_raw(s, "|");
        for (unsigned i = 0; columns[i]; i++)
            buf_printf(s->out, " %s |", columns[i]);
        sheet_raw(s, "\n|");
        for (unsigned i = 0; columns[i]; i++)
            sheet_raw(s, " --- |");
        sheet_raw(s, "\n");
        return;
    }
    buf_printf(s->out, "<table class=\"%s\">\n<caption>", class);
    sheet_text(s, slice_of(caption));
    sheet_raw(s, "</caption>\n<thead><tr>");
    for (unsigned i = 0; columns[i]; i++)
        buf_printf(s->out, "<th scope=\"col\">%s</th>", columns[i]);
    sheet_raw(s, "</tr></thead>\n<tbody>\n");
    s->rows = false;
}

void sheet_end_table(struct sheet *s)
{
    sheet_raw(s, s->html ? "</tbody>\n</table>\n" : "\n");
}

void sheet_begin_row(struct sheet *s, bool changed)
{
    sheet_raw(s, !s->html ? "|" : changed ? "<tr class=\"changed\">" : "<tr>");
    s->first_cell = s->rows = true;
}

void sheet_end_row(struct sheet *s)
{
    sheet_raw(s, s->html ? "</tr>\n" : "\n");
}

void sheet_begin_cell(struct sheet *s, unsigned indent)
{
    if (indent > DEEPEST_INDENT)
        indent = DEEPEST_INDENT;
    if (!s->html) {
        sheet_raw(s, " ");
        for (; indent; indent--)
            sheet_raw(s, "\xc2\xb7 ");
    } else if (!s->first_cell) {
        sheet_raw(s, "<td>");
    } else if (indent) {
        buf_printf(s->out, "<th scope=\"row\" class=\"in%u\">", indent);
    } else {
        sheet_raw(s, "<th scope=\"row\">");
    }
}

void sheet_end_cell(struct sheet *s)
{
    sheet_raw(s, !s->html ? " |" : s->first_cell ? "</th>" : "</td>");
    s->first_cell = false;
}

void sheet_cell(struct sheet *s, struct slice value)
{
    sheet_begin_cell(s, 0);
    sheet_text(s, value);
    sheet_end_cell(s);
}

void sheet_group_row(struct sheet *s, const char *plain, unsigned columns)
{
    if (s->html) {
        /* right behind the head there is no row yet */
        if (s->rows)
            sheet_raw(s, "</tbody>\n<tbody>\n");
        buf_printf(s->out, "<tr class=\"area\"><th scope=\"rowgroup\" colspan=\"%u\">%s</th></tr>\n",
                   columns, plain);
        return;
    }
    buf_printf(s->out, "| **%s** |", plain);
    while (--columns)
        sheet_raw(s, "  |");
    sheet_raw(s, "\n");
}

/* --- The page ---------------------------------------------------------------------- */

static const char style[] =
    ":root{color-scheme:light}\n"
    "body{font:16px/1.45 system-ui,sans-serif;color:#1a1a1a;background:#fff;max-width:62rem;margin:2rem auto;"
    "padding:0 1rem}\n"
    "h1,h2,h3{line-height:1.2}h2{margin-top:2.5rem;border-bottom:2px solid #444;padding-bottom:.2rem}"
    "h3{margin-top:2rem}\n"
    "table{border-collapse:collapse;width:100%;margin:.8rem 0}"
    "caption{text-align:left;font-style:italic;padding:.2rem 0}\n"
    "th,td{border:1px solid #b5b5b5;padding:.25rem .5rem;text-align:left;vertical-align:top}"
    ".facts{width:auto}.segments td:nth-child(3),.segments td:nth-child(4){white-space:nowrap}"
    "thead th{background:#e9ecef}th[scope=row]{font-weight:600;white-space:nowrap}\n"
    ".area th{background:#f4f4f4;text-transform:capitalize}"
    ".in1{padding-left:1.6rem}.in2{padding-left:2.8rem}.in3{padding-left:4rem}.in4{padding-left:5.2rem}"
    ".in5{padding-left:6.4rem}.in6{padding-left:7.6rem}\n"
    ".changed th,.changed td{background:#fff6d6}.mark{color:#7a3b00}code,pre{font-family:ui-monospace,monospace;"
    "font-size:.95em}pre{background:#f4f4f4;padding:.5rem .7rem;white-space:pre-wrap;overflow-wrap:anywhere}"
    "a{color:#0b4f9e}\n"
    "@media print{body{font-size:10pt;max-width:none;margin:0}a{color:inherit;text-decoration:none}"
    "thead{display:table-header-group}tr,pre{break-inside:avoid}h2,h3,caption{break-after:avoid}"
    "th,td,pre{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\n"
    "@page{margin:18mm 15mm}\n";

void sheet_begin_page(struct sheet *s, struct slice title, struct slice id)
{
    if (s->html) {
        sheet_raw(s, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
        sheet_text(s, title);
        sheet_raw(s, " (");
        sheet_text(s, id);
        sheet_raw(s, ")</title>\n<style>\n");
        sheet_raw(s, style);
        sheet_raw(s, "</style>\n</head>\n<body>\n<main>\n<h1>");
    } else {
        sheet_raw(s, "# ");
    }
}

void sheet_end_title(struct sheet *s)
{
    sheet_raw(s, s->html ? "</h1>\n" : "\n\n");
}

void sheet_end_page(struct sheet *s)
{
    sheet_raw(s, s->html ? "</main>\n</body>\n</html>\n" : "");
}
