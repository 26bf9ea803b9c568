/* recall: see recall.h. An index is made for each kind and field that is asked for, when it is asked for. */
#include "flow/recall.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/limits.h"

/* OVERHEAD: what the allocator needs for one record's parts */
enum { OVERHEAD = 64, MEMORY = 1 << 30, INDEXES = 16, TEXTS = 256 << 20, SENDER = 60 };

struct index {
    struct slice kind, path;            /* in the arena */
    uint32_t *slot;                     /* number of a record, plus 1 */
    struct slice *value;                /* by record; p is NULL where it has none */
    uint32_t *other;                    /* by record: one with the same value that somebody else sent, plus 1 */
    uint32_t mask;
    size_t upto;                        /* records that are in it */
};

struct recall {
    struct record_kept **kept;
    size_t n, room;
    uint64_t memory, used;
    struct hash_key hash;
    struct index index[INDEXES];
    unsigned n_indexes;
    struct arena arena;
};

int recall_new(uint64_t memory, struct recall **recall_r, struct err *err)
{
    struct recall *r = calloc(1, sizeof(*r));

    *recall_r = NULL;
    if (!r)
        return err_nomem(err);
    r->memory = memory ? memory : MEMORY;
    r->hash = hash_key_new();
    arena_init(&r->arena, TEXTS);
    *recall_r = r;
    return 0;
}

void recall_free(struct recall **recall)
{
    struct recall *r = *recall;

    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++) {
        record_kept_deinit(r->kept[i]);
        free(r->kept[i]);
    }
    for (unsigned i = 0; i < r->n_indexes; i++) {
        free(r->index[i].slot);
        free(r->index[i].value);
        free(r->index[i].other);
    }
    free(r->kept);
    arena_deinit(&r->arena);
    free(r);
    *recall = NULL;
}

static int keep(struct recall *r, struct record_reader *reader, const struct record *record, const char *file,
                struct err *err)
{
    struct record_kept *kept;
    int rc;

    if (record->streamed)
        return err_set(err, ERR_LIMIT, "%s: line %llu: a record to recall from has %u MiB at most", file,
                       (unsigned long long)record->line, LIMIT_ITEM >> 20);
    r->used += record->size + record->tape->n * sizeof(struct json_node) + sizeof(*kept) + OVERHEAD;
    if (r->used > r->memory)
        return err_set(err, ERR_LIMIT, "%s: line %llu: there are more records to recall from than fit in %llu MiB",
                       file, (unsigned long long)record->line, (unsigned long long)(r->memory >> 20));
    if (r->n == r->room) {
        size_t room = r->room ? r->room * 2 : 64;
        struct record_kept **grown = room > UINT32_MAX / 4 ? NULL : realloc(r->kept, room * sizeof(*grown));
        if (!grown)
            return err_nomem(err);
        r->kept = grown;
        r->room = room;
    }
    kept = calloc(1, sizeof(*kept));
    if (!kept)
        return err_nomem(err);
    rc = record_reader_keep(reader, kept, err);
    if (rc == 0 && json_tape_fit(&kept->tape) < 0)
        rc = err_nomem(err);
    if (rc < 0) {
        record_kept_deinit(kept);
        free(kept);
        return rc;
    }
    r->kept[r->n++] = kept;
    return 0;
}

int recall_read(struct recall *r, int fd, const char *file, struct err *err)
{
    struct record_reader_options options = { .memory = LIMIT_ITEM };
    struct record_reader *reader = NULL;
    const struct record *record;
    struct err own = { 0 };
    int rc = record_reader_new(fd, &options, &reader, err);

    while (rc == 0 && (rc = record_reader_next(reader, &record, &own)) > 0)
        rc = keep(r, reader, record, file, err);
    if (own.code)
        err_set(err, own.code, "%s: %s", file, own.text);
    record_reader_free(&reader);
    return rc;
}

static uint32_t slot_of(const struct recall *r, const struct index *x, struct slice value)
{
    uint32_t i = (uint32_t)hash_slice(r->hash, value) & x->mask;

    while (x->slot[i] && !slice_eq(x->value[x->slot[i] - 1], value))
        i = (i + 1) & x->mask;
    return i;
}

/* Who sent a record: the partner's name, or what the envelope says; an empty text where neither is there. */
static int sender(struct recall *r, size_t i, struct slice *sender_r, struct err *err)
{
    const struct json_tape *tape = r->kept[i]->record.tape;
    int rc = record_text(tape, SLICE("partner"), &r->arena, sender_r, err);

    return rc == 0 && !sender_r->p ? record_text(tape, SLICE("source.sender"), &r->arena, sender_r, err) : rc;
}

/* Record i is found by its value from now on; one before it with the same value is remembered if somebody else sent
 * it. */
static int enter(struct recall *r, struct index *x, size_t i, struct err *err)
{
    uint32_t *slot = &x->slot[slot_of(r, x, x->value[i])];

    for (uint32_t before = *slot; before; before = before == *slot ? x->other[before - 1] : 0) {
        struct slice mine, theirs;
        int rc = sender(r, i, &mine, err);
        if (rc == 0)
            rc = sender(r, before - 1, &theirs, err);
        if (rc < 0)
            return rc;
        if (!slice_eq(mine, theirs))
            x->other[i] = before;
    }
    *slot = (uint32_t)i + 1;
    return 0;
}

static int fill(struct recall *r, struct index *x, struct err *err)
{
    size_t slots = 16;

    free(x->slot);
    free(x->value);
    free(x->other);
    while (slots < r->n * 2)
        slots *= 2;
    x->mask = (uint32_t)(slots - 1);
    x->slot = calloc(slots, sizeof(*x->slot));
    x->value = calloc(r->n + 1, sizeof(*x->value));
    x->other = calloc(r->n + 1, sizeof(*x->other));
    if (!x->slot || !x->value || !x->other)
        return err_nomem(err);
    for (size_t i = 0; i < r->n; i++) {
        const struct json_tape *tape = r->kept[i]->record.tape;
        struct slice kind;
        int rc = record_text(tape, SLICE("record"), &r->arena, &kind, err);
        if (rc == 0 && slice_eq(kind, x->kind))
            rc = record_text(tape, x->path, &r->arena, &x->value[i], err);
        if (rc < 0)
            return rc;
        if (x->value[i].p && (rc = enter(r, x, i, err)) < 0)
            return rc;
    }
    x->upto = r->n;
    return 0;
}

/* Says so; a sender's name is shown up to SENDER bytes. */
static int two_senders(struct recall *r, const struct index *x, size_t found, struct err *err)
{
    struct slice one, two;
    int rc = sender(r, x->other[found] - 1, &one, err);

    if (rc == 0)
        rc = sender(r, found, &two, err);
    if (rc < 0)
        return rc;
    one.n = one.n < SENDER ? one.n : SENDER;
    two.n = two.n < SENDER ? two.n : SENDER;
    return err_set(err, ERR_DATA, "is of two records that could be recalled, sent by \"%.*s\" and by \"%.*s\"",
                   SLICE_FMT(one), SLICE_FMT(two));
}

int recall_find(struct recall *r, struct slice kind, struct slice path, struct slice value,
                const struct record **record_r, struct err *err)
{
    struct index *x = r->index, *end = r->index + r->n_indexes;
    uint32_t found;
    int rc;

    *record_r = NULL;
    while (x < end && !(slice_eq(x->kind, kind) && slice_eq(x->path, path)))
        x++;
    if (x == end) {
        if (r->n_indexes == INDEXES)
            return err_set(err, ERR_LIMIT, "records are recalled by more than %d fields", INDEXES);
        *x = (struct index){ .kind = arena_copy(&r->arena, kind), .path = arena_copy(&r->arena, path) };
        if (!x->kind.p || !x->path.p)
            return err_nomem(err);
        r->n_indexes++;
    }
    if (!x->slot || x->upto != r->n) {
        rc = fill(r, x, err);
        if (rc < 0)
            return rc;
    }
    found = x->slot[slot_of(r, x, value)];
    if (found && x->other[found - 1])
        return two_senders(r, x, found - 1, err);
    if (found)
        *record_r = &r->kept[found - 1]->record;
    return 0;
}
