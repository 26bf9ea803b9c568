/* table: see table.h. Lives in the arena it was read with. */
#include "map/table.h"

static unsigned word_slot(const struct map_table *t, struct slice word)
{
    return (unsigned)(slice_hash(word) * 0x9E3779B97F4A7C15ull >> t->shift);
}

const struct map_table_row *map_table_word(const struct map_table *t, struct slice word)
{
    for (unsigned i = word_slot(t, word); t->by_word[i]; i = (i + 1) & t->mask)
        if (slice_eq(t->row[t->by_word[i] - 1].word, word))
            return &t->row[t->by_word[i] - 1];
    return NULL;
}

/* The inside of a JSON string, with room behind it for copies of fixed size. */
static struct slice json_text(struct arena *arena, struct slice word)
{
    struct slice escaped = word;
    struct buf b;
    char *p;
    buf_init(&b, LIMIT_CONFIG_FILE);
    if (!json_is_plain(word)) {
        buf_add_json(&b, word);
        escaped = buf_slice(&b);
    }
    p = b.failed ? NULL : arena_alloc(arena, escaped.n + 32);
    if (p && escaped.n)
        memcpy(p, escaped.p, escaped.n);
    buf_deinit(&b);
    return slice(p, p ? escaped.n : 0);
}

/* How many lines follow that may be rows: a guess, which saves growing. */
static size_t count_rows(const struct lines *lines)
{
    const char *p = lines->text.p + lines->at, *const end = lines->text.p + lines->text.n;
    size_t n = 0;

    for (; p < end && *p == ' '; n++) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (!p)
            return n + 1;
        p++;
    }
    return n;
}

struct map_table *map_table_read(struct lines *lines, const struct line *heading, struct arena *arena)
{
    struct map_table *t = ARENA_NEW(arena, struct map_table);
    size_t room = count_rows(lines), also_room = 0;
    unsigned bits = 3, depth = heading->depth, any = 0;
    struct line line;

    if (!t)
        return NULL;
    t->one_to_one = true;
    t->row = ARENA_ARRAY(arena, room, struct map_table_row);
    if (!t->row)
        return NULL;
    if (heading->n != 2) {
        struct place at = lines_place(lines, heading, heading->n > 2 ? 2 : 1);
        complain(lines->complaints, &at, "expected: table NAME");
    }
    t->name = heading->n > 1 ? heading->word[1].s : slice(NULL, 0);
    for (;;) {
        struct lines before = *lines;
        struct map_table_row *row;
        if (!lines_next(lines, &line))
            break;
        if (line.depth <= depth) {
            *lines = before;
            break;
        }
        const bool also = line.n > 3 && slice_is(line.word[2].s, "also") && !line.word[2].quoted;
        if (line.n != 2 && (!also || (slice_is(line.word[0].s, "*") && !line.word[0].quoted))) {
            struct place at = lines_place(lines, &line, line.n < 2 ? line.n : 2);
            complain(lines->complaints, &at, "expected: CODE WORD; a word with blanks stands in quotes");
            continue;
        }
        if (slice_is(line.word[0].s, "*") && !line.word[0].quoted) {
            t->refuse = slice_is(line.word[1].s, "refuse");
            t->drop = slice_is(line.word[1].s, "drop");
            if (!t->refuse && !t->drop && !slice_is(line.word[1].s, "keep")) {
                struct place at = lines_place(lines, &line, 1);
                complain(lines->complaints, &at, "expected \"keep\", \"drop\" or \"refuse\"");
            }
            continue;
        }
        if (line.word[0].s.n > 8 || line.word[0].s.n == 0 || t->n >= UINT16_MAX - 1) {
            struct place at = lines_place(lines, &line, 0);
            complain(lines->complaints, &at, t->n >= UINT16_MAX - 1 ? "too many rows" : "a code has 1 to 8 characters");
            continue;
        }
        t->row = arena_grow(arena, t->row, t->n, &room, sizeof(*t->row));
        if (!t->row)
            return NULL;
        row = &t->row[t->n++];
        *row = (struct map_table_row){ json_text(arena, line.word[1].s), line.word[0].s, line.word[1].s,
                                       slice_eq(line.word[0].s, line.word[1].s), false };
        if (row->word.n && !row->json.p)
            return NULL;
        if (row->json.n + row->code.n * 6 > t->longest)
            t->longest = row->json.n + row->code.n * 6;
        for (unsigned i = 3; i < line.n; i++) {
            if (slice_is(line.word[i].s, "*") && !line.word[i].quoted) {
                struct place at = lines_place(lines, &line, i);
                if (any)
                    complain(lines->complaints, &at, "the table has a code for all other words already");
                any = t->n;
                continue;
            }
            t->also = arena_grow(arena, t->also, t->n_also, &also_room, sizeof(*t->also));
            if (!t->also)
                return NULL;
            t->also[t->n_also++] = (struct map_table_row){ .code = row->code, .word = line.word[i].s,
                                                           .only_written = true };
        }
    }
    t->any = any ? &t->row[any - 1] : NULL;
    while ((1u << bits) < t->n * 4 + 1)
        bits++;
    t->shift = 64 - bits;
    t->mask = (1u << bits) - 1;
    t->by_code = ARENA_ARRAY(arena, 1u << bits, struct map_table_slot);
    t->by_word = ARENA_ARRAY(arena, 1u << bits, uint16_t);
    t->word_key = ARENA_ARRAY(arena, 1u << bits, uint64_t);
    if (!t->by_code || !t->by_word || !t->word_key)
        return NULL;
    for (unsigned k = 0; k < t->n; k++) {
        uint64_t key = slice_key(t->row[k].code);
        uint32_t i = (uint32_t)(key * 0x9E3779B97F4A7C15ull >> t->shift);
        if (map_table_code(t, key)) {
            struct place at = { .file = lines->file, .line = heading->number, .text = heading->text };
            complain(lines->complaints, &at, "the table has the code %.*s twice", SLICE_FMT(t->row[k].code));
            continue;
        }
        while (t->by_code[i].key)
            i = (i + 1) & t->mask;
        t->by_code[i] = (struct map_table_slot){ key, k };
        if (map_table_word(t, t->row[k].word)) {
            t->one_to_one = false;
            continue;
        }
        for (i = word_slot(t, t->row[k].word); t->by_word[i];)
            i = (i + 1) & t->mask;
        t->by_word[i] = (uint16_t)(k + 1);
        key = slice_key(t->row[k].word);
        if (!key)
            continue;
        for (i = (uint32_t)(key * 0x9E3779B97F4A7C15ull >> t->shift); t->word_key[i];)
            i = (i + 1) & t->mask;
        t->word_key[i] = key;
    }
    for (unsigned k = 0; k < t->n_also; k++)
        if (map_table_word(t, t->also[k].word)) {
            struct place at = { .file = lines->file, .line = heading->number, .text = heading->text };
            complain(lines->complaints, &at, "\"%.*s\" has a row of its own in the table", SLICE_FMT(t->also[k].word));
        }
    return t;
}
