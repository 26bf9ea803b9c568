/*
 * lines: the one reader of the files that people write (guides, maps, partner files, tables).
 *
 * Words separated by blanks, "…" for a value with blanks (\" and \\ inside), `#` to the end of the line,
 * blocks by indentation. A `#` begins a comment only at the start of a word. Tabs are refused, once
 * a file: nobody sees how wide they are. A line that ends in a lone `\` goes on with the next.
 *
 * The text must outlive the reader and every word read; words borrow from it, or from the arena where a
 * quoted word had escapes.
 */
#ifndef WAYBILL_BASE_LINES_H
#define WAYBILL_BASE_LINES_H

#include "base/arena.h"
#include "base/complain.h"
#include "base/limits.h"

struct word {
    struct slice s;
    uint32_t column;    /* in bytes, from 1 */
    uint32_t line;      /* its own line, where a line goes on */
    bool quoted;
};

struct line {
    uint32_t number;        /* from 1 */
    unsigned depth;         /* blocks around it */
    unsigned n;             /* words, at least 1 */
    struct word *word;      /* valid until the next lines_next */
    struct slice text;      /* the line as written */
    size_t offset;          /* where it starts in the text */
    size_t end;             /* where the next line starts */
};

enum { LINES_FEW = 8 };

struct lines {
    struct slice file;      /* its name, for complaints */
    struct slice text;
    size_t at;
    uint32_t number;
    struct arena *arena;
    struct complaints *complaints;
    unsigned depth;                     /* of the last line */
    bool tabs;                          /* they were complained of */
    uint16_t indents[LIMIT_LINE_DEPTH];
    struct word *word;                  /* NULL: no line was read */
    size_t room;
    struct word few[LINES_FEW];         /* for lines that have no more */
};

void lines_init(struct lines *r, struct slice file, struct slice text, struct arena *arena, struct complaints *c);
/* Reads a part of a file: `number` is the line before `text`. Indentation starts anew. */
void lines_init_part(struct lines *r, struct slice file, struct slice text, uint32_t number, struct arena *arena,
                     struct complaints *c);
/* The next line that holds a word. False at the end or when memory is out (complaints->nomem). Errors are
 * complained of and reading goes on. */
bool lines_next(struct lines *r, struct line *line_r);
/* Skips all lines that stand deeper than `depth`. */
void lines_skip(struct lines *r, unsigned depth);
/* Where word i of a line stands; i past the end gives the line's end. */
struct place lines_place(const struct lines *r, const struct line *line, unsigned i);

#endif
