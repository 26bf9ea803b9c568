/* carry_recall: earlier records, and the items of their lists, found by a value that both have. */
#include "map/carry_run.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- recall ---- */

enum { SLOTS = 16 };

static const uint32_t whole = UINT32_MAX; /* the key of an entry that says that a list is in the index */

void carry_recalled_clear(struct recalled *r)
{
    free(r->entry);
    free(r->slot);
    free(r->untaken);
    free(r->taken);
    *r = (struct recalled){ .record = NULL };
}

void carry_recalled_again(struct recalled *r)
{
    if (r->taken)
        memset(r->taken, 0, r->items);
    if (r->slot)
        memcpy(r->untaken, r->slot, (r->mask + 1u) * sizeof(*r->slot));
}

/* 0012 and 12 are the same number. */
static struct slice plain_key(struct slice s)
{
    size_t i = 0;

    for (size_t k = 0; k < s.n; k++)
        if (!is_digit(s.p[k]))
            return s;
    while (i + 1 < s.n && s.p[i] == '0')
        i++;
    return slice_from(s, i);
}

struct indexing {
    struct recalled *r;
    const struct carry_recall *how;
    struct spot item;
    uint32_t list, key, number;
};

static int add_entry(struct recalled *r, struct entry e, struct err *err)
{
    if (r->n == r->room) {
        size_t room = r->room ? r->room * 2 : 64;
        struct entry *grown = room > UINT32_MAX / 4 ? NULL : realloc(r->entry, room * sizeof(*grown));
        if (!grown)
            return err_nomem(err);
        r->entry = grown;
        r->room = room;
    }
    r->entry[r->n++] = e;
    return 0;
}

static int index_key(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    struct indexing *x = ctx;
    struct value v;
    int rc = carry_read_value(c, s, &v, err);

    if (rc < 0 || !v.there)
        return rc;
    v.text = arena_copy(&c->arena, plain_key(v.text));
    if (!v.text.p)
        return carry_no_room(c, err);
    return add_entry(x->r, (struct entry){ .text = v.text, .list = x->list, .key = x->key, .item = x->number,
                                           .node = x->item.node }, err);
}

static int index_item(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    struct indexing *x = ctx;
    int rc = 0;

    x->item = *s;
    for (x->key = 0; rc >= 0 && x->key < x->how->n_keys; x->key++)
        rc = carry_walk(c, &x->how->key[x->key].theirs, x->how->key[x->key].theirs.first, s, index_key, x, err);
    x->number++;
    return rc < 0 ? rc : 0;
}

static uint32_t slot_of(const struct recalled *r, uint32_t list, uint32_t key, struct slice text)
{
    uint32_t i = (uint32_t)(hash_slice(r->hash, text) + key * 0x9E3779B9u + list * 0x85EBCA6Bu) & r->mask;

    while (r->slot[i]) {
        const struct entry *e = &r->entry[r->slot[i] - 1];
        if (e->key == key && e->list == list && slice_eq(e->text, text))
            break;
        i = (i + 1) & r->mask;
    }
    return i;
}

/* Room for all entries in the slots, which stay half empty. */
static int grow_slots(struct recalled *r, struct err *err)
{
    struct recalled grown = *r;
    size_t slots = r->slot ? r->mask + 1u : SLOTS;

    if (r->slot && slots >= r->n * 2)
        return 0;
    if (!r->slot)
        grown.hash = hash_key_new();
    while (slots < r->n * 2)
        slots *= 2;
    grown.slot = calloc(slots, sizeof(*grown.slot));
    grown.untaken = calloc(slots, sizeof(*grown.untaken));
    grown.mask = (uint32_t)(slots - 1);
    if (!grown.slot || !grown.untaken) {
        free(grown.slot);
        free(grown.untaken);
        return err_nomem(err);
    }
    for (uint32_t i = 0; r->slot && i <= r->mask; i++)
        if (r->slot[i]) {
            const struct entry *e = &r->entry[r->slot[i] - 1];
            uint32_t to = slot_of(&grown, e->list, e->key, e->text);
            grown.slot[to] = r->slot[i];
            grown.untaken[to] = r->untaken[i];
        }
    free(r->slot);
    free(r->untaken);
    *r = grown;
    return 0;
}

/* Puts the items of the list into the index. */
static int index_list(struct carry *c, const struct carry_recall *how, struct recalled *r, struct err *err)
{
    struct indexing x = { .r = r, .how = how, .list = c->frame[how->list.frame].spot.node, .number = r->items };
    size_t before = r->n;
    uint8_t *taken;
    int rc = add_entry(r, (struct entry){ .text = slice("", 0), .list = x.list, .key = whole }, err);

    if (rc == 0)
        rc = carry_walk_path(c, &how->list, index_item, &x, err);
    if (rc == 0)
        rc = grow_slots(r, err);
    if (rc < 0)
        return rc;
    taken = realloc(r->taken, x.number + 1u);
    if (!taken)
        return err_nomem(err);
    memset(taken + r->items, 0, x.number - r->items);
    r->taken = taken;
    r->items = x.number;
    for (size_t e = r->n; e-- > before;) { /* the last one first: each goes before those that are there */
        uint32_t i = slot_of(r, r->entry[e].list, r->entry[e].key, r->entry[e].text);
        r->entry[e].next = r->slot[i];
        r->slot[i] = r->untaken[i] = (uint32_t)e + 1;
    }
    return 0;
}

struct finding_item {
    struct recalled *r;
    uint32_t list, key;
    const struct entry *found;
};

/* Of several that match, the first that nothing has taken yet. */
static int find_entry(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    struct finding_item *x = ctx;
    struct recalled *r = x->r;
    struct value v;
    uint32_t i, *e;
    int rc = carry_read_value(c, s, &v, err);

    if (rc < 0 || !v.there)
        return rc;
    i = slot_of(r, x->list, x->key, plain_key(v.text));
    if (!r->slot[i])
        return 0;
    for (e = &r->untaken[i]; *e && r->taken[r->entry[*e - 1].item];)
        *e = r->entry[*e - 1].next;
    x->found = &r->entry[(*e ? *e : r->slot[i]) - 1];
    return 1;
}

/* The first value that was asked for. */
static int wanted_value(struct carry *c, const struct carry_recall *how, uint32_t *key_r, struct value *v,
                        struct err *err)
{
    int rc = 0;

    v->there = false;
    for (uint32_t k = 0; rc == 0 && !v->there && k < how->n_keys; k++) {
        rc = carry_walk_path(c, &how->key[k].ours, carry_take_first, v, err);
        *key_r = v->there ? k : 0;
    }
    return rc < 0 ? rc : 0;
}

static int miss(struct carry *c, const struct carry_recall *how, struct err *err)
{
    char found[300];
    struct value wanted;
    uint32_t key = 0;
    int rc;

    if (how->optional)
        return 0;
    rc = wanted_value(c, how, &key, &wanted, err);
    if (rc < 0)
        return rc;
    if (!wanted.there || !wanted.text.n)
        snprintf(found, sizeof(found), "is missing, and it says what is to be recalled as %.*s",
                 (int)(how->name.n < 100 ? how->name.n : 100), how->name.p);
    else if (how->kind)
        snprintf(found, sizeof(found), "is of no %.*s that could be recalled", (int)how->kind->name.n,
                 how->kind->name.p);
    else
        snprintf(found, sizeof(found), "is in none of %.*s", (int)(how->list.text.n < 200 ? how->list.text.n : 200),
                 how->list.text.p);
    carry_refuse(c, "MAP-RECALL", carry_path_text(c, &how->key[key].ours), wanted.there ? wanted.text : slice(NULL, 0),
                 found, "");
    return 0;
}

static int recall_item(struct carry *c, const struct carry_recall *how, struct err *err)
{
    struct recalled *r = &c->recalled[how->number];
    const struct frame_at *list = &c->frame[how->list.frame];
    struct finding_item x = { .r = r, .list = list->spot.node };
    struct frame_at *f = &c->frame[how->frame];
    int rc = 0;

    f->there = false;
    if (!list->there) /* then that was told, or is optional */
        return 0;
    if (r->record != list->spot.record)
        carry_recalled_clear(r);
    r->record = list->spot.record;
    if (!r->slot || !r->slot[slot_of(r, x.list, whole, slice("", 0))])
        rc = index_list(c, how, r, err);
    for (x.key = 0; rc == 0 && !x.found && x.key < how->n_keys; x.key++) {
        rc = carry_walk_path(c, &how->key[x.key].ours, find_entry, &x, err);
        if (rc > 0)
            rc = 0;
    }
    if (rc < 0)
        return rc;
    if (!x.found)
        return miss(c, how, err);
    r->taken[x.found->item] = 1;
    *f = (struct frame_at){ .there = true, .path = NULL, .spot = list->spot };
    f->spot.node = x.found->node;
    return 0;
}

static int keep_id(struct carry *c, const struct record *record)
{
    uint32_t node = json_member(record->tape, 0, SLICE("id"));

    if (node && record->tape->node[node].type == JSON_STRING && c->n_ids < CARRY_FRAMES)
        c->ids[c->n_ids++] = json_raw(record->tape, node);
    return 0;
}

static int ignore_finding(void *ctx, const struct record_finding *f)
{
    (void)ctx;
    (void)f;
    return 0;
}

static int recall_record(struct carry *c, const struct carry_recall *how, struct err *err)
{
    struct recalled *r = &c->recalled[how->number];
    struct frame_at *f = &c->frame[how->frame];
    const struct record *record = NULL;
    struct slice wanted = { NULL, 0 };
    struct err own = { 0 };
    uint32_t key = 0;
    int rc = 0;

    f->there = false;
    for (unsigned k = 0; rc == 0 && !record && k < how->n_keys; k++) {
        struct value v;
        rc = carry_path_value(c, &how->key[k].ours, &v, err);
        if (rc < 0 || !v.there || !v.text.n)
            continue;
        if (c->options.recall)
            rc = c->options.recall(c->options.ctx, how->kind, how->key[k].theirs.text, v.text, &record, &own);
        wanted = v.text;
        key = k;
    }
    if (rc == ERR_DATA) {
        carry_refuse(c, "MAP-RECALL", carry_path_text(c, &how->key[key].ours), wanted, own.text, "");
        return 0;
    }
    if (rc < 0)
        return own.code ? err_set(err, rc, "%s", own.text) : rc;
    if (!record)
        return miss(c, how, err);
    if (r->record != record && record_check(how->kind, record->tape, 0, ignore_finding, NULL) != 0) {
        carry_refuse(c, "MAP-RECALL", carry_path_text(c, &how->key[key].ours), wanted,
                     "was recalled, and is no right record", "");
        return 0;
    }
    r->record = record; /* is right, also for the next group */
    *f = (struct frame_at){ .there = true, .spot = { .record = record, .tape = record->tape } };
    return keep_id(c, record);
}

int carry_recall_all(struct carry *c, const struct carry_recall *how, struct err *err)
{
    int rc = 0;

    for (; rc == 0 && how; how = how->next) {
        struct arena_mark mark = arena_mark(&c->scratch);
        rc = how->kind ? recall_record(c, how, err) : recall_item(c, how, err);
        arena_back_to(&c->scratch, mark);
    }
    return rc;
}
