/* rejection: see rejection.h. */
#include "flow/rejection.h"

#include <unistd.h>

#include "flow/receive.h"

enum { TEXTS = 16 << 20, COMPLAINTS = 1000 };

/* One complaint, until the segment is found. */
struct complaint {
    struct rejection r;
    bool told;
};

struct looking {
    const struct store_document *ours;
    struct arena arena;
    struct complaint *complaint;
    size_t n, room;
    int (*row)(void *ctx, const struct rejection *r);
    void *ctx;
    /* while our own file is read */
    bool inside; /* our document is at hand */
    uint64_t position;
    /* what the ledger gave */
    struct payload records, payload;
    uint64_t at, size;
    store_id transmission;
    struct err *err;
};

static int on_document_row(void *ctx, const struct store_document *d)
{
    struct looking *l = ctx;

    l->at = d->record_at;
    l->size = d->record_size;
    l->transmission = d->transmission;
    return 0;
}

static int on_transmission_row(void *ctx, const struct store_transmission *t)
{
    struct looking *l = ctx;

    l->records = t->records;
    l->payload = t->payload;
    return 0;
}

/* --- What the acknowledgment says ----------------------------------------------------------- */

static int text(struct looking *l, const struct json_tape *tape, uint32_t object, const char *name,
                struct slice *text_r)
{
    uint32_t node = json_member(tape, object, slice_of(name));
    struct slice s = { NULL, 0 };

    if (node && tape->node[node].type == JSON_STRING && json_string(tape, node, &l->arena, &s) < 0)
        return err_nomem(l->err);
    *text_r = arena_copy(&l->arena, s);
    return text_r->p ? 0 : err_nomem(l->err);
}

static int number(struct looking *l, const struct json_tape *tape, uint32_t object, const char *name,
                  uint64_t *number_r)
{
    struct slice s;
    int rc = text(l, tape, object, name, &s);

    if (rc == 0 && !slice_number(s, UINT32_MAX, number_r))
        *number_r = 0;
    return rc;
}

static int add(struct looking *l, const struct rejection *r)
{
    struct complaint *grown;

    if (l->n == COMPLAINTS)
        return 0;
    grown = arena_grow(&l->arena, l->complaint, l->n, &l->room, sizeof(*grown));
    if (!grown)
        return err_nomem(l->err);
    l->complaint = grown;
    grown[l->n++] = (struct complaint){ .r = *r };
    return 0;
}

static int add_segment(struct looking *l, const struct json_tape *tape, uint32_t node)
{
    uint32_t elements = json_member(tape, node, SLICE("elements"));
    struct rejection r = { .position = 0 };
    int rc = number(l, tape, node, "position", &r.position);

    if (rc == 0)
        rc = text(l, tape, node, "error", &r.words);
    if (rc == 0 && (!elements || json_first(elements) == json_end(tape, elements)))
        return add(l, &r);
    for (uint32_t e = json_first(elements); rc == 0 && e < json_end(tape, elements); e = json_next(tape, e)) {
        uint64_t element = 0, component = 0;
        rc = number(l, tape, e, "position", &element);
        if (rc == 0)
            rc = number(l, tape, e, "component", &component);
        r.element = (unsigned)element;
        r.component = (unsigned)component;
        if (rc == 0)
            rc = text(l, tape, e, "error", &r.words);
        if (rc == 0)
            rc = text(l, tape, e, "value", &r.value);
        if (rc == 0)
            rc = add(l, &r);
    }
    return rc;
}

static int read_answer(struct looking *l, const struct json_tape *tape)
{
    uint32_t documents = json_member(tape, 0, SLICE("documents"));

    for (uint32_t d = documents ? json_first(documents) : 0; documents && d < json_end(tape, documents);
         d = json_next(tape, d)) {
        uint32_t segments = json_member(tape, d, SLICE("segments"));
        struct slice control;
        int rc = text(l, tape, d, "control", &control);
        if (rc < 0)
            return rc;
        if (!slice_eq(control, l->ours->control) || !segments)
            continue;
        for (uint32_t s = json_first(segments); s < json_end(tape, segments); s = json_next(tape, s)) {
            rc = add_segment(l, tape, s);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

/* --- Our own document -------------------------------------------------------------------------- */

static int on_document(void *ctx, const struct edi_document *d)
{
    struct looking *l = ctx;

    l->inside = slice_eq(d->control, l->ours->control) && slice_eq(d->group->control, l->ours->group) &&
                slice_eq(d->set, l->ours->set);
    l->position = 0;
    return 0;
}

static int at_segment(struct looking *l, const struct segment *s)
{
    l->position++;
    for (size_t i = 0; l->inside && i < l->n; i++) {
        struct rejection *r = &l->complaint[i].r;
        int rc;
        if (r->position != l->position || l->complaint[i].told)
            continue;
        r->segment = segment_bytes(s);
        if (r->element && r->element <= s->n) {
            struct slice e = segment_element(s, r->element);
            r->at = (uint32_t)(e.p - r->segment.p);
            r->width = e.n ? (uint32_t)e.n : 1;
        }
        l->complaint[i].told = true;
        rc = l->row(l->ctx, r);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int on_segment(void *ctx, const struct guide_node *node, const struct segment *s, uint64_t present)
{
    (void)node;
    (void)present;
    return at_segment(ctx, s);
}

static int on_stray(void *ctx, const struct segment *s)
{
    return at_segment(ctx, s);
}

int rejection_show(struct appliance *a, const struct store_document *ours, store_id answer,
                   int (*row)(void *ctx, const struct rejection *r), void *ctx, struct err *err)
{
    struct looking l = { .ours = ours, .row = row, .ctx = ctx, .err = err };
    const struct edi_sink sink = { .ctx = &l, .document = on_document, .segment = on_segment, .stray = on_stray };
    struct store_query q = { .id = answer, .limit = 1 };
    struct record_reader *reader = NULL;
    const struct record *record;
    int fd = -1, rc = store_documents(a->store, &q, on_document_row, &l, err);

    q.id = l.transmission;
    if (rc == 0 && l.size)
        rc = store_transmissions(a->store, &q, on_transmission_row, &l, err);
    if (rc < 0 || !l.size)
        return rc;
    arena_init(&l.arena, TEXTS);
    rc = appliance_record(a, &l.records, l.at, l.size, &fd, err);
    if (rc == 0)
        rc = record_reader_new(fd, NULL, &reader, err);
    if (rc == 0 && (rc = record_reader_next(reader, &record, err)) > 0)
        rc = read_answer(&l, record->tape);
    record_reader_free(&reader);
    if (fd >= 0)
        close(fd);
    q.id = ours->transmission;
    if (rc == 0 && l.n)
        rc = store_transmissions(a->store, &q, on_transmission_row, &l, err);
    if (rc == 0 && l.n)
        rc = appliance_read_sent(a, &l.payload, &sink, err);
    for (size_t i = 0; rc == 0 && i < l.n; i++)
        if (!l.complaint[i].told)
            rc = row(ctx, &l.complaint[i].r);
    arena_deinit(&l.arena);
    return rc;
}
