/*
 * compile_inside: what the files that compile maps share: compile.c (lines to takes, scopes, the plan),
 * compile_lines.c (which lines there are), compile_index.c (what the reader finds ops by), compile_checks.c (what is
 * wrong with a block as a whole), compile_guards.c (conditions). Nobody else includes it.
 *
 * What the plan keeps lies in `arena`, which is the caller's; copies of lines, claims and, until a scope is done, its
 * ops lie in `lines`: what a block took of it goes with the block, the rest when map_compile() is done. Complaints are
 * the caller's, too.
 */
#ifndef WAYBILL_MAP_COMPILE_INSIDE_H
#define WAYBILL_MAP_COMPILE_INSIDE_H

#include "map/compile.h"

enum { MOST_TOLD = 200, MOST_TABLES = 256 };

struct compiling {
    struct row_texts *texts;        /* of compile_index.c */
    struct maps *maps;
    const struct map *map;
    const struct guide *guide;
    struct arena *arena;
    struct arena lines;             /* what is needed while compiling */
    struct complaints *c;
    struct map_plan *plan;
    const struct record_kind *map_record;
    const struct record_field *inherited[MOST_INHERITED];
    const struct record_object *tree;   /* of the nodes of the tree at hand */
    const struct record_field *nodes;   /* the list of that tree */
    bool any_order;                     /* of the tree: a parent may stand behind its children */
    unsigned n_kinds;                   /* lines that make nodes, so far */
    struct map_select own[MOST_SELECTS];    /* of the line at hand, in a block's own segment */
    uint8_t n_own;
    unsigned tree_lines;                /* of those for its `id` (1) and `parent` (2) */
    struct map_scope *scopes[MOST_SCOPES];
    unsigned depth;
    /* complaints made: a line of a block is compiled wherever the block is used, and complained of once */
    struct told {
        const char *file, *format;
        uint32_t line, column;
    } told[MOST_TOLD];
    unsigned n_told;
    bool repeated;              /* the last one was not said again */
    struct known_table {
        const char *name;       /* as a line has it */
        const struct map_table *table;
    } table[MOST_TABLES];       /* looked for last */
};

/* ---- compile.c ---- */

/* An error in the map, said once for each place. */
void __attribute__((format(printf, 3, 4)))
compile_refuse(struct compiling *x, const struct place *at, const char *format, ...);
/* What may help, behind compile_refuse(). */
void __attribute__((format(printf, 2, 3))) compile_hint(struct compiling *x, const char *format, ...);
/* Notes that memory is out; NULL, so that it can be returned. */
void *compile_nomem(struct compiling *x);
/* NULL: complained. */
const struct record_field *compile_find_field(struct compiling *x, const struct record_object *object,
                                              struct slice name, const struct place *at);
/* The field of an op, with its key. False: memory. */
bool compile_make_key(struct compiling *x, struct map_op *op, const struct record_field *field);
/* The segment that a node begins with: its own, or the first of the loop. */
const struct guide_node *compile_segment_of(const struct guide *g, const struct guide_node *n);
/* Does a take have these qualifiers and no other? */
bool compile_same_selects(const struct map_take *t, const struct map_select *select, uint8_t n);

/* ---- compile_lines.c ---- */

/* The lines of a map at the top, over those of the map it is made from. NULL: none, or memory is out. */
struct map_line *compile_all_lines(struct compiling *x, const struct map *map, unsigned depth);
/* All lines of a block line's inside. */
struct map_line *compile_children(struct compiling *x, const struct map_line *line);

/* ---- compile_guards.c ---- */

/* Which conditions of a block's lines are on fields that a line for the same segment gives. `own` is the block's. */
void compile_find_conditions(struct map_line *lines, struct slice own);
/* A line's conditions; without `all` only those on fields of other segments. False: memory. */
bool compile_make_guards(struct compiling *x, const struct map_line *l, const struct record_object *object, bool all,
                         const struct map_guard **guard_r, unsigned *n_r);
/* Can lines with these conditions never both hold? */
bool compile_apart(const struct map_guard *a, unsigned n, const struct map_guard *b, unsigned m);
bool compile_same_guards(const struct map_guard *a, unsigned n, const struct map_guard *b, unsigned m);
/* Where the reader knows the conditions of a block's takes from. False: memory. */
bool compile_settle_guards(struct compiling *x, struct map_scope *s, struct map_take **take, size_t n,
                           const struct map_line *lines);

/* ---- compile_index.c ---- */

/* How much reading can write: an element may go to several fields, and a table's words are as long as they like. */
void compile_measure(struct map_take *t);
/* How the reader finds an op by its element. Ops of several elements, with guards and checks are run after the
 * others. */
bool compile_index_ops(struct compiling *x, struct map_take *t);
/* `"unit":"H87","unit_code":"PC",` for each row of an op's table: reading then copies one text. Ops that write
 * the same share their texts. */
bool compile_make_texts(struct compiling *x, struct map_op *op);

/* ---- compile_checks.c ---- */

/* Where a line stands, by its number. */
struct place compile_place_of(const struct compiling *x, const struct map_line *lines, uint32_t number);
/* What can only be seen when all lines of a block are there. */
void compile_check_takes(struct compiling *x, const struct map_scope *s, const struct map_line *lines);
/* What a map says must be mapped. */
void compile_check_musts(struct compiling *x, const struct map *map);

#endif
