/*
 * table: partners' codes and our words for them, both ways.
 *
 *     table unit
 *       PC  H87
 *       SI  seller also inventory   # further words are only written: what was meant is lost, and that is told
 *       ZZ  other also *  # so is any word of another standard that has no code here
 *       *   keep          # what has no row stays as it is: so it is without this line, too; `* refuse` refuses it
 */
#ifndef WAYBILL_MAP_TABLE_H
#define WAYBILL_MAP_TABLE_H

#include "base/lines.h"

struct map_table_row {
    struct slice json;          /* the word as the inside of a JSON string, 32 readable bytes */
    struct slice code;          /* the partner's */
    struct slice word;          /* ours */
    bool same;                  /* word and code are the same text */
    bool only_written;          /* a further word of another row: `also` */
};

struct map_table_slot {
    uint64_t key;               /* slice_key() of the code; 0: free */
    uint32_t row;               /* its number */
};

struct map_table {
    struct map_table *next;
    struct slice name;
    struct slice standard;      /* of maps/tables/edifact: "edifact"; empty otherwise */
    struct slice without;       /* otherwise a standard that has no such table of its own */
    struct map_table_row *row;
    unsigned n;
    struct map_table_row *also; /* further words, which are only written */
    unsigned n_also;
    const struct map_table_row *any;    /* whose code stands for words of another standard: `also *`; NULL: none */
    bool drop;                  /* words of another standard that have no code here are left out: `* drop` */
    bool refuse;                /* codes without a row are errors */
    bool one_to_one;
    size_t longest;             /* the most bytes that a code with its word makes in JSON */
    struct map_table_slot *by_code;
    uint16_t *by_word;          /* row numbers + 1 */
    uint64_t *word_key;         /* the words of at most eight bytes, by slice_key(); 0: free */
    unsigned shift;
    uint32_t mask;
};

/* Reads the lines under `table NAME` (the heading was read). NULL when memory is out. */
struct map_table *map_table_read(struct lines *lines, const struct line *heading, struct arena *arena);

/* The number of a code's row, -1: none. */
static inline int map_table_find(const struct map_table *t, uint64_t key)
{
    uint32_t i = (uint32_t)(key * 0x9E3779B97F4A7C15ull >> t->shift);
    while (t->by_code[i].key) {
        if (t->by_code[i].key == key)
            return (int)t->by_code[i].row;
        i = (i + 1) & t->mask;
    }
    return -1;
}

/* Is this, of at most eight bytes, one of the table's words? */
static inline bool map_table_is_word(const struct map_table *t, uint64_t key)
{
    uint32_t i = (uint32_t)(key * 0x9E3779B97F4A7C15ull >> t->shift);
    while (t->word_key[i]) {
        if (t->word_key[i] == key)
            return true;
        i = (i + 1) & t->mask;
    }
    return false;
}

/* The row of a code, NULL: none. */
static inline const struct map_table_row *map_table_code(const struct map_table *t, uint64_t key)
{
    int i = map_table_find(t, key);
    return i < 0 ? NULL : &t->row[i];
}

/* The first row with that word, NULL: none. */
const struct map_table_row *map_table_word(const struct map_table *t, struct slice word);

#endif
