/* carry_recall: earlier records, and the items of their lists, found by a value that both have. */
#include "map/carry_run.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- recall ---- */

void carry_recalled_clear(struct recalled *r)
{
    free(r->entry);
    free(r->slot);
    free(r->last);
    free(r->taken);
    *r = (struct recalled){ .indexed = false };
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
    uint32_t key, number;
};

static int add_entry(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    struct indexing *x = ctx;
    struct recalled *r = x->r;
    struct value v;
    int rc = carry_read_value(c, s, &v, err);

    if (rc < 0 || !v.there)
        return rc;
    if (r->n == r->room) {
        size_t room = r->room ? r->room * 2 : 64;
        struct entry *grown = room > UINT32_MAX / 4 ? NULL : realloc(r->entry, room * sizeof(*grown));
        if (!grown)
            return err_nomem(err);
        r->entry = grown;
        r->room = room;
    }
    v.text = arena_copy(&c->arena, plain_key(v.text));
    if (!v.text.p)
        return err_nomem(err);
    r->entry[r->n++] = (struct entry){ .text = v.text, .key = x->key, .item = x->number, .node = x->item.node };
    return 0;
}

static int index_item(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    struct indexing *x = ctx;
    int rc = 0;

    x->item = *s;
    for (x->key = 0; rc >= 0 && x->key < x->how->n_keys; x->key++)
        rc = carry_walk(c, &x->how->key[x->key].theirs, x->how->key[x->key].theirs.first, s, add_entry, x, err);
    x->number++;
    return rc < 0 ? rc : 0;
}

static uint32_t slot_of(const struct recalled *r, uint32_t key, struct slice text)
{
    uint32_t i = (uint32_t)(slice_hash(text) + key * 0x9E3779B9u) & r->mask;

    while (r->slot[i] && !(r->entry[r->slot[i] - 1].key == key && slice_eq(r->entry[r->slot[i] - 1].text, text)))
        i = (i + 1) & r->mask;
    return i;
}

static int index_list(struct carry *c, const struct carry_recall *how, struct recalled *r, struct err *err)
{
    struct indexing x = { .r = r, .how = how };
    size_t slots = 16;
    int rc = carry_walk_path(c, &how->list, index_item, &x, err);

    if (rc < 0)
        return rc;
    while (slots < r->n * 2)
        slots *= 2;
    r->slot = calloc(slots, sizeof(*r->slot));
    r->last = calloc(slots, sizeof(*r->last));
    r->taken = calloc(x.number + 1u, 1);
    if (!r->slot || !r->last || !r->taken)
        return err_nomem(err);
    r->mask = (uint32_t)(slots - 1);
    for (uint32_t e = 0; e < r->n; e++) {
        uint32_t i = slot_of(r, r->entry[e].key, r->entry[e].text);
        if (r->slot[i])
            r->entry[r->last[i] - 1].next = e + 1;
        else
            r->slot[i] = e + 1;
        r->last[i] = e + 1;
    }
    r->indexed = true;
    return 0;
}

struct finding_item {
    struct recalled *r;
    uint32_t key;
    const struct entry *found;
    struct slice wanted;            /* the first value asked for, for words, and by which key */
    uint32_t wanted_key;
};

/* Of several that match, the first that nothing has taken yet. */
static int find_entry(struct carry *c, const struct spot *s, void *ctx, struct err *err)
{
    struct finding_item *x = ctx;
    struct value v;
    uint32_t e;
    int rc = carry_read_value(c, s, &v, err);

    if (rc < 0 || !v.there)
        return rc;
    if (!x->wanted.p) {
        x->wanted = v.text;
        x->wanted_key = x->key;
    }
    e = x->r->slot[slot_of(x->r, x->key, plain_key(v.text))];
    if (!e)
        return 0;
    x->found = &x->r->entry[e - 1];
    for (; e; e = x->r->entry[e - 1].next)
        if (!x->r->taken[x->r->entry[e - 1].item]) {
            x->found = &x->r->entry[e - 1];
            break;
        }
    return 1;
}

static void miss(struct carry *c, const struct carry_recall *how, uint32_t key, struct slice wanted)
{
    char found[300];

    if (how->optional)
        return;
    if (how->kind)
        snprintf(found, sizeof(found), "is of no %.*s that could be recalled", (int)how->kind->name.n, how->kind->name.p);
    else
        snprintf(found, sizeof(found), "is in none of %.*s", (int)(how->list.text.n < 200 ? how->list.text.n : 200),
                 how->list.text.p);
    if (!wanted.n)
        snprintf(found, sizeof(found), "is missing, and it says what is to be recalled as %.*s",
                 (int)(how->name.n < 100 ? how->name.n : 100), how->name.p);
    carry_refuse(c, "MAP-RECALL", carry_path_text(c, &how->key[key].ours), wanted, found, "");
}

static int recall_item(struct carry *c, const struct carry_recall *how, struct err *err)
{
    struct recalled *r = &c->recalled[how->number];
    const struct frame_at *list = &c->frame[how->list.frame];
    struct finding_item x = { .r = r };
    struct frame_at *f = &c->frame[how->frame];
    int rc = 0;

    f->there = false;
    if (!list->there) /* then that was told, or is optional */
        return 0;
    if (!r->indexed)
        rc = index_list(c, how, r, err);
    for (x.key = 0; rc == 0 && !x.found && x.key < how->n_keys; x.key++) {
        rc = carry_walk_path(c, &how->key[x.key].ours, find_entry, &x, err);
        if (rc > 0)
            rc = 0;
    }
    if (rc < 0)
        return rc;
    if (!x.found) {
        miss(c, how, x.wanted_key, x.wanted);
        return 0;
    }
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
        if (!wanted.p || rc < 0) {
            wanted = v.text;
            key = k;
        }
    }
    if (rc == ERR_DATA) {
        carry_refuse(c, "MAP-RECALL", carry_path_text(c, &how->key[key].ours), wanted, own.text, "");
        return 0;
    }
    if (rc < 0)
        return own.code ? err_set(err, rc, "%s", own.text) : rc;
    if (!record) {
        miss(c, how, key, wanted);
        return 0;
    }
    if (record_check(how->kind, record->tape, 0, ignore_finding, NULL) != 0) {
        carry_refuse(c, "MAP-RECALL", carry_path_text(c, &how->key[key].ours), wanted, "was recalled, and is no right record", "");
        return 0;
    }
    *f = (struct frame_at){ .there = true, .spot = { .record = record, .tape = record->tape } };
    return keep_id(c, record);
}

int carry_recall_all(struct carry *c, const struct carry_recall *how, struct err *err)
{
    int rc = 0;

    for (; rc == 0 && how; how = how->next) {
        arena_reset(&c->scratch);
        rc = how->kind ? recall_record(c, how, err) : recall_item(c, how, err);
    }
    return rc;
}
