/* csv: see csv.h. */
#include "tree/csv.h"

static bool ends_line(char c)
{
    return c == '\n' || c == '\r';
}

/* Of the first line, what stands outside of quotes decides. */
static char find_delimiter(struct slice text)
{
    static const char offered[] = { ',', ';', '\t' };
    unsigned count[sizeof(offered)] = { 0 }, best = 0;
    bool quoted = false;

    while (text.n && ends_line(text.p[0])) /* an empty line is none */
        text = slice_from(text, 1);
    for (size_t i = 0; i < text.n && (quoted || !ends_line(text.p[i])); i++) {
        if (text.p[i] == '"')
            quoted = !quoted;
        for (unsigned k = 0; !quoted && k < sizeof(offered); k++)
            count[k] += text.p[i] == offered[k];
    }
    for (unsigned k = 1; k < sizeof(offered); k++)
        if (count[k] > count[best])
            best = k;
    return offered[best];
}

void csv_init(struct csv *c, struct slice text, char delimiter)
{
    c->text = text;
    c->at = c->row = slice_starts(text, SLICE("\xEF\xBB\xBF")) ? 3 : 0;
    c->line = 0;
    c->next_line = 1;
    c->n = 0;
    c->error = NULL;
    c->delimiter = delimiter ? delimiter : find_delimiter(slice_from(text, c->at));
}

void csv_seek(struct csv *c, size_t row)
{
    c->at = row;
}

/* Behind the line end at c->at, if there is one. */
static void pass_line_end(struct csv *c)
{
    if (c->at < c->text.n && c->text.p[c->at] == '\r')
        c->at += c->at + 1 < c->text.n && c->text.p[c->at + 1] == '\n' ? 2 : 1;
    else if (c->at < c->text.n && c->text.p[c->at] == '\n')
        c->at++;
    else
        return;
    c->next_line++;
}

/* After an error: reading may go on with the next line. */
static int fail(struct csv *c, const char *error)
{
    while (c->at < c->text.n && !ends_line(c->text.p[c->at]))
        c->at++;
    pass_line_end(c);
    c->error = error;
    return -1;
}

static bool read_quoted(struct csv *c, struct csv_field *f)
{
    size_t start = ++c->at;

    f->escaped = false;
    for (; c->at < c->text.n; c->at++) {
        char b = c->text.p[c->at];
        if (b == '"' && c->at + 1 < c->text.n && c->text.p[c->at + 1] == '"') {
            f->escaped = true;
            c->at++;
        } else if (b == '"') {
            f->raw = slice(c->text.p + start, c->at++ - start);
            return true;
        } else if (b == '\n' || (b == '\r' && (c->at + 1 == c->text.n || c->text.p[c->at + 1] != '\n'))) {
            c->next_line++;
        }
    }
    return false;
}

int csv_next(struct csv *c)
{
    c->n = 0;
    c->error = NULL;
    while (c->at < c->text.n && ends_line(c->text.p[c->at]))
        pass_line_end(c);
    c->line = c->next_line;
    c->row = c->at;
    if (c->at == c->text.n)
        return 0;
    for (;;) {
        struct csv_field f = { .escaped = false };
        bool last;

        if (c->n == CSV_FIELDS)
            return fail(c, "the row has more than 256 fields");
        if (c->at < c->text.n && c->text.p[c->at] == '"') {
            if (!read_quoted(c, &f))
                return fail(c, "a quote is opened and not closed");
            if (c->at < c->text.n && c->text.p[c->at] != c->delimiter && !ends_line(c->text.p[c->at]))
                return fail(c, "behind a closing quote a delimiter or the line's end is expected");
        } else {
            size_t start = c->at;
            while (c->at < c->text.n && c->text.p[c->at] != c->delimiter && !ends_line(c->text.p[c->at]))
                c->at++;
            f.raw = slice(c->text.p + start, c->at - start);
        }
        c->field[c->n++] = f;
        last = c->at == c->text.n || ends_line(c->text.p[c->at]);
        if (last) {
            pass_line_end(c);
            return 1;
        }
        c->at++;
    }
}

struct slice csv_text(const struct csv_field *f, struct buf *to)
{
    struct slice rest = f->raw;
    bool more = f->escaped;

    if (!more)
        return rest;
    to->n = 0; /* a failure stays, for the caller to see */
    while (more) {
        struct slice part = slice_cut(rest, '"', &rest, &more);
        buf_add_slice(to, part);
        if (more) {
            buf_add_char(to, '"');
            rest = slice_from(rest, 1);
        }
    }
    return buf_slice(to);
}
