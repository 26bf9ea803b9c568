/* syntax: a map file as lines that are understood one by one, before anything is looked up in guide or schema. */
#ifndef WAYBILL_MAP_SYNTAX_H
#define WAYBILL_MAP_SYNTAX_H

#include "edi/path.h"
#include "map/carry_syntax.h"
#include "map/plan.h"

enum { MOST_GUARDS = 4, MOST_NAMES = 8 };

/* `if FIELD = VALUE`, `if FIELD != VALUE`, `if FIELD`, `if not FIELD` */
struct map_condition {
    struct slice field, value;      /* value empty: any, or with `absent` none */
    bool absent;                    /* with a value: another, or none */
    bool here;                      /* compiling: a line for the same segment gives the field */
};

struct map_line {
    struct map_line *next;
    struct map_line *child;         /* the lines of its block */
    struct map_line *use;           /* `use NAME` as a line of its own: only this is set; see name */
    struct slice name;              /* of the block used, by the line or for its children; empty */
    struct path left;
    bool pairs;
    bool always;
    bool shared;                    /* all rows of the list's segment have it */
    bool itself;                    /* `.`: the document itself */
    bool row;                       /* `LOOP row`: each occurrence is an item of the list around it */
    uint8_t direction;              /* DIRECTION_… */
    struct slice right;             /* "terms.days", "items": without [] and group */
    bool list;                      /* [] */
    struct slice *group;            /* [MOST_NAMES] [].(scheme id) */
    unsigned n_group;
    struct slice beside, until, clock, otherwise;   /* `time FIELD` behind `period`; `else FIELD` */
    uint8_t parts;                  /* compiling: `NAD.3042..`: so many components, one behind the other; 0 */
    struct conversion *conversion;  /* table and field are not looked up yet: text holds their names */
    unsigned n_conversions;
    struct map_condition *guard;    /* [MOST_GUARDS], NULL where there is none */
    unsigned n_guards;
    struct path *values;            /* check total: what is added up */
    bool drop;                      /* `drop LEFT`, in a partner's map */
    bool done;                      /* compiling: taken care of */
    bool found;                     /* some guide had its place */
    bool newer;                     /* merging: the partner's */
    struct map_line *original;      /* of a copy: the line as it was read */
    struct place at;                /* of LEFT */
    struct place right_at;
};

struct map_block {
    struct map_block *next;
    struct slice name;
    struct map_line *line;
    struct carry_line *carry;       /* of a map between records */
};

struct map {
    struct map *next;
    struct slice name, title;
    const struct map *base;         /* `from` */
    struct map *blocks[4];          /* `blocks NAME`: files of blocks and tables that several maps share */
    struct {
        struct slice name;
        struct place at;
    } borrowed[4];                  /* their names */
    unsigned n_blocks;
    struct slice guide[16];
    unsigned n_guides;
    struct slice kind;
    unsigned version;
    const struct record_kind *record;
    struct map_line *line;
    struct map_block *block;
    struct map_table *table;        /* its own */
    struct {
        struct path path;
        struct place at;
    } must[64];
    unsigned n_must;
    struct slice file;
    struct slice directory;         /* of the file, for tables beside it */
    bool partner;
    struct map_plan *plan;
    /* a map between two kinds of record */
    bool between_records;
    struct slice from_kind;         /* what is read; kind is what is made */
    unsigned from_version;
    const struct record_kind *from_record;
    struct carry_line *carry_line;
    struct slice split;             /* `split LIST by FIELD`; empty: none */
    struct carry_path split_by;
    struct place split_at;
    struct carry_plan *carry_plan;
};

/* Reads a map file into *map (zeroed). False when memory is out; errors are complaints. The base's name is left in
 * *from_r, with its place. */
/* A file of blocks and tables alone. False: memory. */
bool map_syntax_read_blocks(struct slice file, struct slice text, struct arena *arena, struct complaints *c,
                            struct map *map);
bool map_syntax_read(struct slice file, struct slice text, struct arena *arena, struct complaints *c, struct map *map,
                     struct slice *from_r, struct place *from_at_r);

#endif
