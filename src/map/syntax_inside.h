/* syntax_inside: what the readers of both kinds of map lines share: the file, line by line. */
#ifndef WAYBILL_MAP_SYNTAX_INSIDE_H
#define WAYBILL_MAP_SYNTAX_INSIDE_H

#include "map/syntax.h"

struct reading {
    struct lines lines;
    struct line line;
    bool more;          /* `line` holds one that was not used yet */
    struct arena *arena;
    struct map *map;
};

static inline void wrong(const struct reading *r, unsigned word, const char *what)
{
    struct place at = lines_place(&r->lines, &r->line, word);
    complain(r->lines.complaints, &at, "%s", what);
}

static inline void *nomem(struct reading *r)
{
    r->lines.complaints->nomem = true;
    return NULL;
}

static inline void advance(struct reading *r)
{
    r->more = lines_next(&r->lines, &r->line);
}

static inline struct slice word(const struct reading *r, unsigned i)
{
    return i < r->line.n ? r->line.word[i].s : slice(NULL, 0);
}

/* carry_syntax.c: lines of a map between records, up to one that stands less deep than `depth`. NULL without
 * complaints->nomem: there are none. */
struct carry_line *carry_read_lines(struct reading *r, unsigned depth);
/* One of them, with those below it. NULL: memory. */
struct carry_line *carry_read_line(struct reading *r);
/* `split LIST by FIELD`, at the top of such a map. */
void carry_read_split(struct reading *r, struct map *map);

#endif
