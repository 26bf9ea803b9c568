/* lines: see lines.h. */
#include "base/lines.h"

void lines_init(struct lines *r, struct slice file, struct slice text, struct arena *arena, struct complaints *c)
{
    lines_init_part(r, file, text, 0, arena, c);
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        r->at = 3;
}

void lines_init_part(struct lines *r, struct slice file, struct slice text, uint32_t number, struct arena *arena,
                     struct complaints *c)
{
    *r = (struct lines){ .file = file, .text = text, .number = number, .arena = arena, .complaints = c };
}

struct place lines_place(const struct lines *r, const struct line *line, unsigned i)
{
    struct place at = { .file = r->file, .line = line->number, .text = line->text };
    if (i < line->n) {
        const struct word *w = &line->word[i];
        at.line = w->line;
        at.column = w->column;
        at.width = (uint32_t)(w->s.n + (w->quoted ? 2 : 0));
        if (w->line != line->number)
            at.text = slice(NULL, 0);
    } else {
        at.column = (uint32_t)line->text.n + 1;
        at.width = 1;
    }
    return at;
}

static struct slice next_raw(struct lines *r)
{
    struct slice rest = slice_from(r->text, r->at), text;
    bool found;
    text = slice_cut(rest, '\n', &rest, &found);
    r->at += text.n + found;
    r->number++;
    if (text.n && text.p[text.n - 1] == '\r')
        text.n--;
    return text;
}

static void complain_at(struct lines *r, struct slice text, size_t column, const char *what)
{
    struct place at = { r->file, r->number, (uint32_t)column, 1, text };
    complain(r->complaints, &at, "%s", what);
}

static inline bool add_word(struct lines *r, struct line *line, struct slice s, size_t column, bool quoted)
{
    if (!r->word) {
        r->word = r->few;
        r->room = LINES_FEW;
    } else if (line->n == r->room) {
        struct word *w = arena_grow(r->arena, r->word, line->n, &r->room, sizeof(*w));
        if (!w) {
            r->complaints->nomem = true;
            return false;
        }
        r->word = w;
    }
    r->word[line->n++] = (struct word){ s, (uint32_t)column, r->number, quoted };
    return true;
}

/* A quoted word; i stands behind the opening quote. Returns the index behind the closing one, 0 when memory is out. */
static size_t quoted_word(struct lines *r, struct line *line, struct slice text, size_t i)
{
    size_t start = i, escapes = 0;
    const char *quote = memchr(text.p + i, '"', text.n - i);
    struct slice s;
    if (quote && !memchr(text.p + i, '\\', (size_t)(quote - text.p) - i))
        i = (size_t)(quote - text.p);
    while (i < text.n && text.p[i] != '"') {
        if (text.p[i] == '\\' && i + 1 < text.n) {
            escapes++;
            i++;
        }
        i++;
    }
    if (i >= text.n) {
        complain_at(r, text, start, "the quote that opens here is not closed on this line");
        i = text.n;
    }
    s = slice(text.p + start, i - start);
    if (escapes) {
        char *p = arena_alloc(r->arena, s.n);
        size_t n = 0;
        if (!p) {
            r->complaints->nomem = true;
            return 0;
        }
        for (size_t k = 0; k < s.n; k++) {
            if (s.p[k] == '\\' && k + 1 < s.n)
                k++;
            p[n++] = s.p[k];
        }
        s = slice(p, n);
    }
    if (!add_word(r, line, s, start, true))
        return 0;
    return i < text.n ? i + 1 : i;
}

/* Adds the words of one line of text; true in *on_r when the line goes on. False when memory is out. */
static bool split(struct lines *r, struct line *line, struct slice text, bool *on_r)
{
    size_t i = 0;
    *on_r = false;
    while (i < text.n) {
        char c = text.p[i];
        if (c == ' ') {
            i++;
        } else if (c == '\t') {
            if (!r->tabs) {
                complain_at(r, text, i + 1, "a tab; use blanks");
                complain_hint(r->complaints, "expand(1) makes blanks of all the tabs of a file.");
            }
            r->tabs = true;
            i++;
        } else if (c == '#') {
            break;
        } else if (c == '\\' && slice_trim(slice_from(text, i + 1)).n == 0) {
            *on_r = true;
            break;
        } else if (line->n >= LIMIT_LINE_WORDS) {
            complain_at(r, text, i + 1, "too many words on one line");
            break;
        } else if (c == '"') {
            i = quoted_word(r, line, text, i + 1);
            if (i == 0)
                return false;
        } else {
            const char *p = text.p + i, *const end = text.p + text.n;
            size_t start = i;
            while (p < end && *p != ' ' && *p != '\t')
                p++;
            i = (size_t)(p - text.p);
            if (!add_word(r, line, slice(text.p + start, i - start), start + 1, false))
                return false;
        }
    }
    return true;
}

/* How wide the blanks before the first word are, and in *n_r how many. A tab, which was complained of, goes to the next
 * multiple of eight, so that what it does not belong to makes sense. */
static unsigned indent_of(struct slice text, size_t *n_r)
{
    unsigned indent = 0;
    size_t n = 0;

    for (; n < text.n && (text.p[n] == ' ' || text.p[n] == '\t'); n++)
        indent = text.p[n] == ' ' ? indent + 1 : (indent | 7) + 1;
    *n_r = n;
    return indent > UINT16_MAX ? UINT16_MAX : indent;
}

/* The block depth that an indentation means. */
static unsigned depth_of(struct lines *r, struct slice text, unsigned indent, size_t column)
{
    unsigned d = r->depth;
    if (r->indents[d] == indent)
        return d;
    if (indent > r->indents[d] && r->word) {
        if (d + 1 >= LIMIT_LINE_DEPTH) {
            complain_at(r, text, column, "blocks are nested too deep");
            return d;
        }
        r->indents[d + 1] = (uint16_t)indent;
        return d + 1;
    }
    while (d > 0 && r->indents[d] > indent)
        d--;
    if (r->indents[d] != indent)
        complain_at(r, text, column, "this indentation matches no line above");
    return d;
}

bool lines_next(struct lines *r, struct line *line_r)
{
    while (r->at < r->text.n && !r->complaints->nomem) {
        size_t offset = r->at;
        struct slice text = next_raw(r);
        struct line line = { .number = r->number, .text = text, .offset = offset };
        size_t n;
        unsigned indent = indent_of(text, &n);
        bool on, first = r->word == NULL;

        if (n == text.n || text.p[n] == '#' || text.p[n] == '\r')
            continue;
        if (!split(r, &line, text, &on))
            return false;
        while (on && r->at < r->text.n)
            if (!split(r, &line, next_raw(r), &on))
                return false;
        if (line.n == 0)
            continue;
        if (first) {
            r->indents[0] = (uint16_t)indent;
            line.depth = 0;
        } else {
            line.depth = depth_of(r, text, indent, n + 1);
        }
        r->depth = line.depth;
        line.word = r->word;
        line.end = r->at;
        *line_r = line;
        return true;
    }
    return false;
}

void lines_skip(struct lines *r, unsigned depth)
{
    while (r->at < r->text.n) {
        if (r->text.p[r->at] == ' ' && r->indents[depth] == 0) { /* nearly all of a large file */
            const char *end = memchr(r->text.p + r->at, '\n', r->text.n - r->at);
            r->at = end ? (size_t)(end - r->text.p) + 1 : r->text.n;
            r->number++;
            continue;
        }
        const size_t at = r->at;
        struct slice text = next_raw(r);
        size_t n;
        unsigned indent = indent_of(text, &n);
        if (n < text.n && text.p[n] != '#' && indent <= r->indents[depth]) {
            r->at = at;
            r->number--;
            return;
        }
    }
}
