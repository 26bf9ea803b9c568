/*
 * carry: see carry.h.
 *
 * Makers run in the order of the target's schema and write JSON as they go; an object or list that stays empty is taken
 * back. What was read of the source is marked, node by node, and in the end what has no mark is told as lost: so a
 * guard or a selection that left something behind is found out, too.
 */
#include "map/carry.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "map/carry_run.h"

enum { SCRATCH = 64 << 20, PATH = 4000, GROUPS = 1000, GROUP_SLOTS = 2048 };

/* ---- making and freeing ---- */

int carry_new(const struct carry_plan *plan, const struct carry_options *options, struct carry **carry_r,
              struct err *err)
{
    struct carry *c = calloc(1, sizeof(*c));

    *carry_r = NULL;
    if (!c)
        return err_nomem(err);
    c->plan = plan;
    c->options = *options;
    if (!c->options.memory)
        c->options.memory = LIMIT_RECORD_MEMORY;
    c->file = -1;
    arena_init(&c->arena, SCRATCH);
    arena_init(&c->scratch, SCRATCH);
    buf_init(&c->text, LIMIT_ITEM);
    buf_init(&c->out, LIMIT_ITEM + c->options.memory);
    buf_init(&c->path, PATH);
    buf_init(&c->place, PATH);
    c->frame = calloc(plan->n_frames, sizeof(*c->frame));
    c->recalled = calloc(plan->n_recalls + 1, sizeof(*c->recalled));
    if (!c->frame || !c->recalled) {
        carry_free(&c);
        return err_nomem(err);
    }
    *carry_r = c;
    return 0;
}

void carry_free(struct carry **carry)
{
    struct carry *c = *carry;

    if (!c)
        return;
    for (unsigned i = 0; c->recalled && i < c->plan->n_recalls; i++)
        carry_recalled_clear(&c->recalled[i]);
    for (unsigned i = 0; i < STREAMS; i++)
        free(c->stream[i].bit);
    free(c->main.bit);
    free(c->frame);
    free(c->recalled);
    free(c->item);
    if (c->file >= 0)
        close(c->file);
    arena_deinit(&c->arena);
    arena_deinit(&c->scratch);
    buf_deinit(&c->text);
    buf_deinit(&c->out);
    buf_deinit(&c->path);
    buf_deinit(&c->place);
    free(c);
    *carry = NULL;
}

/* ---- one record ---- */

/* A text as it stands in another record, perhaps with more behind it. */
static void put_raw(struct carry *c, const char *name, struct slice raw, const char *behind)
{
    if (!raw.n)
        return;
    buf_printf(&c->out, ",\"%s\":\"", name);
    buf_add_slice(&c->out, raw);
    buf_add_text(&c->out, behind);
    buf_add_char(&c->out, '"');
}

static struct slice raw_member(const struct record *r, uint32_t object, const char *name)
{
    uint32_t node = json_member(r->tape, object, slice_of(name));

    return node && r->tape->node[node].type == JSON_STRING ? json_raw(r->tape, node) : slice(NULL, 0);
}

/* record, version, id, transmission, partner, source. `number`: which of several, from 1; 0: it is the only one. */
static void put_envelope(struct carry *c, uint64_t number)
{
    const struct record *r = c->source;
    uint32_t source = json_member(r->tape, 0, SLICE("source"));
    struct slice id = raw_member(r, 0, "id");
    char behind[160];
    int n = snprintf(behind, sizeof(behind), "/%.*s", (int)(c->plan->to->name.n < 100 ? c->plan->to->name.n : 100),
                     c->plan->to->name.p);

    if (number && n > 0)
        snprintf(behind + n, sizeof(behind) - (size_t)n, "/%llu", (unsigned long long)number);
    buf_printf(&c->out, "{\"record\":\"%.*s\",\"version\":%u", SLICE_FMT(c->plan->to->name), c->plan->to->version);
    put_raw(c, "id", id, behind);
    put_raw(c, "transmission", raw_member(r, 0, "transmission"), "");
    put_raw(c, "partner", raw_member(r, 0, "partner"), "");
    buf_printf(&c->out, ",\"source\":{\"standard\":\"record\",\"set\":\"%.*s\"", SLICE_FMT(c->plan->from->name));
    if (source)
        put_raw(c, "usage", raw_member(r, source, "usage"), "");
    put_raw(c, "id", id, "");
    for (unsigned i = 0; i < c->n_ids; i++) {
        buf_add_text(&c->out, i ? ",\"" : ",\"recalled\":[\"");
        buf_add_slice(&c->out, c->ids[i]);
        buf_add_text(&c->out, i + 1 == c->n_ids ? "\"]" : "\"");
    }
    buf_add_char(&c->out, '}');
}

static int make_record(struct carry *c, uint64_t number, struct err *err)
{
    bool any = true;
    int rc;

    for (unsigned i = 0; i < c->plan->n_recalls; i++)
        carry_recalled_again(&c->recalled[i]);
    c->n_ids = 0;
    c->depth = 0;
    rc = carry_recall_all(c, c->plan->recall, err);
    if (rc < 0)
        return rc;
    put_envelope(c, number);
    rc = carry_make_members(c, c->plan->root, NULL, NULL, &any, err);
    buf_add_text(&c->out, "}\n");
    if (rc == 0)
        rc = carry_spill(c, err);
    return rc;
}

/* ---- split ---- */

/* Items that have a value in common, by their numbers in the list, plus 1. */
struct group {
    struct slice text;
    uint32_t first, last;
};

struct groups {
    struct group *group;
    size_t n, room;
    struct group none;                  /* of items that have no value: the last */
    struct hash_key hash;
    uint16_t slot[GROUP_SLOTS];         /* by hash; plus 1 */
};

static int find_group(struct carry *c, struct groups *g, struct slice text, struct group **group_r, struct err *err)
{
    uint16_t *slot = &g->slot[hash_slice(g->hash, text) % GROUP_SLOTS];

    while (*slot && !slice_eq(g->group[*slot - 1].text, text))
        slot = slot + 1 < g->slot + GROUP_SLOTS ? slot + 1 : g->slot;
    if (!*slot) {
        if (g->n == GROUPS)
            return err_set(err, ERR_LIMIT, "the record would be split into more than %d", GROUPS);
        g->group = arena_grow(&c->arena, g->group, g->n, &g->room, sizeof(*g->group));
        text = arena_copy(&c->arena, text);
        if (!g->group || !text.p)
            return carry_no_room(c, err);
        g->group[g->n++] = (struct group){ .text = text };
        *slot = (uint16_t)g->n;
    }
    *group_r = &g->group[*slot - 1];
    return 0;
}

static int add_item(struct carry *c, struct groups *g, const struct spot *item, uint64_t place, struct err *err)
{
    struct value v = { .there = false };
    struct group *group = &g->none;
    int rc = carry_walk(c, &c->plan->split_by, 0, item, carry_take_first, &v, err);

    if (rc >= 0 && v.there)
        rc = find_group(c, g, v.text, &group, err);
    if (rc < 0)
        return rc;
    if (c->n_items == c->item_room) {
        size_t room = c->item_room ? c->item_room * 2 : 256, n = room * sizeof(*c->item);
        struct split_item *grown = n > LIMIT_ITEM ? NULL : realloc(c->item, n);
        if (!grown)
            return n > LIMIT_ITEM
                       ? err_set(err, ERR_LIMIT, "the record has more items to be split than %zu", c->n_items)
                       : err_nomem(err);
        c->item = grown;
        c->item_room = room;
    }
    c->item[c->n_items++] = (struct split_item){ .place = place, .base = (uint32_t)item->base };
    if (group->last)
        c->item[group->last - 1].next = (uint32_t)c->n_items;
    else
        group->first = (uint32_t)c->n_items;
    group->last = (uint32_t)c->n_items;
    return 0;
}

/* Goes through the list once: which item is in which group. */
static int find_groups(struct carry *c, struct groups *g, struct err *err)
{
    struct spot list = c->frame[0].spot, item;
    struct list_items items;
    int rc;

    c->n_items = 0;
    list.node = json_member(list.tape, 0, c->plan->split);
    if (!list.node || list.tape->node[list.node].type == JSON_NULL)
        return 0;
    rc = carry_items_begin(c, &list, false, &items, &item, err);
    while (rc == 0) {
        uint64_t place = carry_items_place(&items);
        struct arena_mark mark = arena_mark(&c->scratch);
        rc = carry_items_next(c, &items, &item, err);
        if (rc <= 0)
            break;
        rc = add_item(c, g, &item, items.streamed ? place : item.node, err);
        arena_back_to(&c->scratch, mark);
    }
    carry_items_end(c, &items);
    return rc;
}

static int make_records(struct carry *c, uint64_t *made_r, struct err *err)
{
    struct groups g = { .hash = hash_key_new() };
    size_t all;
    int rc;

    *made_r = 1;
    c->split = false;
    if (!c->plan->split.n)
        return make_record(c, 0, err);
    rc = find_groups(c, &g, err);
    if (rc < 0)
        return rc;
    all = g.n + (g.none.first > 0);
    if (all < 2)
        return make_record(c, 0, err);
    c->split = true;
    for (size_t i = 0; rc == 0 && i < all; i++) {
        c->group = i < g.n ? g.group[i].first : g.none.first;
        rc = make_record(c, i + 1, err);
    }
    c->split = false;
    *made_r = all;
    return rc;
}

/* ---- checks ---- */

struct checking_made {
    struct carry *c;
    bool made;
};

static int tell_check(void *ctx, const struct record_finding *r)
{
    struct checking_made *k = ctx;
    struct carry *c = k->c;
    bool quoted = r->found.n > 1 && r->found.p[0] == '"';
    const struct map_write_finding f = {
        .code = r->name, .severity = SEVERITY_ERROR, .path = r->path,
        .value = quoted ? slice(r->found.p + 1, r->found.n - 2) : r->found, .found = r->words,
        .expected = r->expected, .place = k->made ? c->plan->to->name : slice(NULL, 0), .missing = r->missing,
    };
    carry_say(c, &f);
    return c->stopped;
}

/* What was made lies in memory, or in the file as well. */
static int check_made(struct carry *c, struct err *err)
{
    struct checking_made k = { c, true };
    struct slice rest = buf_slice(&c->out);
    struct json_tape tape;
    int rc = 0;

    if (!c->spilled) {
        json_tape_init(&tape, LIMIT_ITEM * 4u);
        while (rc == 0 && rest.n) {
            size_t n;
            rc = json_parse_first(&tape, rest, &n, err);
            if (rc < 0)
                break;
            rc = record_check(c->plan->to, &tape, 0, tell_check, &k);
            rc = rc < 0 ? rc : 0;
            rest = slice_from(rest, n + 1);
        }
        json_tape_deinit(&tape);
    } else {
        struct record_reader *reader = NULL;
        const struct record *record;
        if (c->out.n)
            rc = file_write_all(c->file, c->out.p, c->out.n, err);
        c->spilled += c->out.n;
        buf_clear(&c->out);
        if (rc == 0 && lseek(c->file, 0, SEEK_SET) < 0)
            rc = err_system(err, "a temporary file");
        if (rc == 0)
            rc = record_reader_new(c->file, &(struct record_reader_options){ .directory = c->options.directory },
                                   &reader, err);
        while (rc == 0 && (rc = record_reader_next(reader, &record, err)) > 0) {
            rc = record_check_whole(c->plan->to, record, tell_check, &k, err);
            rc = rc < 0 ? rc : 0;
        }
        record_reader_free(&reader);
    }
    if (rc == ERR_DATA)
        return err_set(err, ERR_INTERNAL, "what was made is no JSON");
    return rc;
}

static int give(struct carry *c, struct err *err)
{
    char piece[64 << 10];
    int rc = 0;

    if (!c->spilled)
        return c->options.write(c->options.ctx, c->out.p, c->out.n, err);
    if (lseek(c->file, 0, SEEK_SET) < 0)
        return err_system(err, "a temporary file");
    while (rc == 0 && c->spilled) {
        ssize_t n = read(c->file, piece, c->spilled < sizeof(piece) ? c->spilled : sizeof(piece));
        if (n <= 0)
            return n < 0 ? err_system(err, "a temporary file")
                         : err_set(err, ERR_IO, "a temporary file has become shorter");
        c->spilled -= (uint64_t)n;
        rc = c->options.write(c->options.ctx, piece, (size_t)n, err);
    }
    return rc;
}

int carry_record(struct carry *c, const struct record *record, struct err *err)
{
    struct checking_made k = { c, false };
    uint64_t made = 0;
    int rc = 0;

    c->source = record;
    c->errors = 0;
    c->stopped = 0;
    c->n_lost = 0;
    c->depth = 0;
    c->streaming = false;
    arena_reset(&c->arena);
    arena_reset(&c->scratch);
    buf_clear(&c->out);
    carry_clear_marks(c);
    for (unsigned i = 0; i < c->plan->n_recalls; i++)
        carry_recalled_clear(&c->recalled[i]);
    c->spilled = 0;
    if (c->file >= 0 && (ftruncate(c->file, 0) < 0 || lseek(c->file, 0, SEEK_SET) < 0))
        return err_system(err, "a temporary file");
    for (unsigned i = 0; i < c->plan->n_frames; i++)
        c->frame[i].there = false;
    c->frame[0] = (struct frame_at){ .there = true,
                                     .spot = { .record = record, .tape = record->tape, .marks = &c->main } };
    if (json_member(record->tape, 0, SLICE("rejected")))
        carry_refuse(c, "RECORD-REJECTED", SLICE("rejected"), slice(NULL, 0),
               "says that the record was refused when it was read", "");
    if (!c->errors)
        rc = record_check_whole(c->plan->from, record, tell_check, &k, err);
    if (rc >= 0 && !c->errors)
        rc = make_records(c, &made, err);
    if (rc >= 0 && !c->errors)
        rc = check_made(c, err);
    if (rc >= 0 && !c->errors)
        rc = carry_tell_lost(c, err);
    if (c->stopped)
        return err_set(err, c->stopped, "stopped");
    if (rc >= 0 && c->errors)
        return err_set(err, ERR_DATA, "the record is refused");
    if (rc >= 0)
        rc = give(c, err);
    return rc < 0 ? rc : (int)made;
}

const struct record_kind *carry_plan_from(const struct carry_plan *plan)
{
    return plan->from;
}

const struct record_kind *carry_plan_to(const struct carry_plan *plan)
{
    return plan->to;
}
