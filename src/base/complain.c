/* complain: see complain.h. */
#include "base/complain.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/err.h"
#include "base/limits.h"

enum { TEXT_CEILING = 1 << 20, WORDS = 1000, LINE_SHOWN = 200 };

void complaints_init(struct complaints *c)
{
    *c = (struct complaints){ .count = 0 };
    buf_init(&c->text, TEXT_CEILING);
}

void complaints_deinit(struct complaints *c)
{
    buf_deinit(&c->text);
}

static void check_memory(struct complaints *c)
{
    if (c->text.failed == ERR_NOMEM)
        c->nomem = true;
}

void complain(struct complaints *c, const struct place *at, const char *format, ...)
{
    char words[WORDS];
    va_list args;

    if (!c)
        return;
    if (c->count++ >= LIMIT_COMPLAINTS) {
        if (c->count == LIMIT_COMPLAINTS + 1)
            buf_add_text(&c->text, "and more errors, not shown\n");
        return;
    }
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);

    buf_add_safe(&c->text, at->file, 400);
    if (at->line) {
        buf_printf(&c->text, ":%u", at->line);
        if (at->column)
            buf_printf(&c->text, ":%u", at->column);
    }
    buf_add_text(&c->text, ": ");
    buf_add_safe(&c->text, slice_of(words), WORDS);
    buf_add_char(&c->text, '\n');
    if (at->line && at->text.n) {
        struct slice blank = at->text;
        unsigned indent = 0, column = at->column ? at->column - 1 : 0;
        while (blank.n && *blank.p == ' ')
            blank = slice_from(blank, 1), indent++;
        buf_add_text(&c->text, "    ");
        buf_add_safe(&c->text, blank, LINE_SHOWN);
        buf_add_char(&c->text, '\n');
        if (at->column && column >= indent && column < indent + LINE_SHOWN) {
            buf_add_text(&c->text, "    ");
            for (unsigned i = indent; i < column; i++)
                buf_add_char(&c->text, ' ');
            buf_add_char(&c->text, '^');
            for (unsigned i = 1; i < at->width && i < LINE_SHOWN; i++)
                buf_add_char(&c->text, '~');
            buf_add_char(&c->text, '\n');
        }
    }
    check_memory(c);
}

void complain_hint(struct complaints *c, const char *format, ...)
{
    char words[WORDS];
    va_list args;

    if (!c || c->count > LIMIT_COMPLAINTS)
        return;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    buf_add_text(&c->text, "hint: ");
    buf_add_safe(&c->text, slice_of(words), WORDS);
    buf_add_char(&c->text, '\n');
    check_memory(c);
}

/* Damerau-Levenshtein over short words. */
static unsigned distance_of(struct slice a, struct slice b)
{
    enum { MOST = 40 };
    unsigned d[3][MOST + 1];
    if (a.n > MOST || b.n > MOST)
        return MOST;
    for (unsigned j = 0; j <= b.n; j++)
        d[0][j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned *now = d[i % 3], *before = d[(i + 2) % 3], *earlier = d[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            unsigned cost = a.p[i - 1] != b.p[j - 1];
            unsigned best = before[j - 1] + cost;
            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] && earlier[j - 2] + 1 < best)
                best = earlier[j - 2] + 1;
            now[j] = best;
        }
    }
    return d[a.n % 3][b.n];
}

/* CONTRL for contrl. */
static bool same_letters(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

void suggest(struct slice wrong, struct slice offer, struct slice *best, unsigned *distance)
{
    unsigned d = same_letters(wrong, offer) ? 1 : distance_of(wrong, offer);
    if (d < *distance && d * 2 <= wrong.n + 1) {
        *distance = d;
        *best = offer;
    }
}
