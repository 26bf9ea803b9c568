/*
 * write_record: a record from ST to SE, or UNH to UNT, and the writer itself.
 *
 * Before the body, what stands at its head is looked for in all that follows: fields that all items say alike,
 * totals, the nodes of a tree. Then write.c runs the works. A record with an error is taken back whole; one too large
 * to be held is written twice, the first time for nothing (RUN_DRY). The writer is made and freed here, with all its
 * memory. Nothing here sets a cell or writes a segment between ST and SE.
 */
#include "map/write_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "edi/dialect.h"

/* ---- what stands before what it speaks of ---- */

/* What the objects at the end of a way say of an inherited field. */
static int see_inherited(struct map_writer *w, struct inheritance *i, const struct inherit_place *place,
                         unsigned depth, const struct json_tape *tape, uint32_t node)
{
    const struct record_object *object = depth ? place->way[depth - 1]->object : w->writing.root->object;
    const struct record_field *field = depth == place->depth ? place->field : place->way[depth];
    uint32_t c = i->differ ? 0 : write_member_of(object, tape, node, field), item;
    int code = 0;

    if (depth == place->depth) {
        struct slice v = slice(NULL, 0), kept;
        w->room_used = 0;
        if (c && (code = write_node_text(w, tape, c, &v)))
            return code;
        if (v.n == 0 || (i->agreed && !slice_eq(v, slice(i->value, i->n)))) {
            i->differ = true;
        } else if (!i->agreed) {
            kept = arena_copy(&w->record_arena, v);
            if (!kept.p)
                return err_nomem(w->err);
            i->value = (char *)kept.p;
            i->n = kept.n;
            i->agreed = true;
        }
        return 0;
    }
    if (!c)
        return 0;
    if (tape->node[c].type == JSON_OBJECT)
        return see_inherited(w, i, place, depth + 1, tape, c);
    if (tape->node[c].type == JSON_STREAMED) {
        struct record_items it;
        record_items_begin(w->record, c, &it);
        while (!i->differ && (code = record_items_next(&it, &tape, &item, w->err)) > 0) {
            code = see_inherited(w, i, place, depth + 1, tape, item);
            if (code < 0)
                return code;
        }
        return code < 0 ? code : 0;
    }
    for (item = json_first(c); item < json_end(tape, c) && code >= 0; item = json_next(tape, item))
        if (tape->node[item].type == JSON_OBJECT)
            code = see_inherited(w, i, place, depth + 1, tape, item);
    return code;
}

/* What all items say alike is said once, at the root. */
static int hoist(struct map_writer *w, struct frame *root)
{
    const struct scope_work *s = root->scope;
    for (unsigned k = 0; k < w->writing.n_inherits; k++) {
        struct inheritance *i = &w->writing.inherit[k];
        i->agreed = i->differ = !i->written || has(root, i->field);
        for (const struct inherit_place *p = i->place; p && !i->differ; p = p->next) {
            int code = see_inherited(w, i, p, 0, root->tape, 0);
            if (code < 0)
                return code;
        }
        if (i->differ || !i->agreed)
            continue;
        root->at[i->field] = 0x80000000u | k;
        set_bit(root->present, i->field);
        for (unsigned n = 0; n < s->n_words; n++)
            root->pending[n] |= s->gives[(size_t)i->field * s->n_words + n];
    }
    return 0;
}

/* Totals that stand before what they count. */
static int count_ahead(struct map_writer *w, struct frame *root)
{
    for (unsigned k = 0; k < w->writing.n_checks; k++) {
        struct check_work *check = &w->writing.check[k];
        struct items items;
        uint32_t node;
        int code;
        if (!check->ahead || !has(root, check->list_field))
            continue;
        write_items_begin(w, root, check->list_field, &items);
        while ((code = write_items_next(w, &items, &node)) > 0) {
            check->count++;
            if (check->kind == ACTION_SUM && check->item) {
                uint32_t c = write_member_of(check->item, items.tape, node, &check->item->field[check->item_field]);
                if (c)
                    write_add_hash(check, json_raw(items.tape, c));
            }
        }
        if (code < 0)
            return code;
    }
    return 0;
}

/* ---- from ST to SE ---- */

/* A bare document is its one segment, which other records need not hold. */
static void miss_segment(struct map_writer *w)
{
    struct map_write_finding r = { .code = "RECORD-MISSING",
                                   .severity = SEVERITY_ERROR,
                                   .missing = true,
                                   .place = w->plan->guide->set,
                                   .found = "nothing of the record belongs in this segment",
                                   .expected = "" };
    write_report(w, &r);
}

/* ST and SE are the edi_writer's own; the checker sees them all the same. */
static void check_envelope(struct map_writer *w, const struct segment *s)
{
    const struct guide_node *node;

    w->work = NULL;
    w->filled = w->composite = w->refused = 0;
    w->of = &w->frame[0];
    node = check_place(&w->checker, s);
    if (node)
        check_segment(&w->checker, s, node);
}

/* SE before it is written. The control number stands for itself: a separator in it separates nothing. */
static void check_trailer(struct map_writer *w, struct slice control)
{
    const struct slice tag = slice_of(edi_writer_dialect(w->out)->level[DIALECT_DOCUMENT].end);
    char text[160];
    uint32_t at[3];
    struct segment s = { .base = text, .at = at, .n = 2, .flags = SEGMENT_REWRITTEN };
    int n = snprintf(text, 100, "%.*s%c%llu%c", SLICE_FMT(tag), w->syntax.element, (unsigned long long)w->segments,
                     w->syntax.element);
    size_t size = control.n < 50 ? control.n : 50;

    memcpy(text + n, control.p, size);
    memset(text + n + size, 0, sizeof(text) - (size_t)n - size);
    at[0] = (uint32_t)tag.n;
    at[1] = (uint32_t)n - 1;
    at[2] = (uint32_t)((size_t)n + size);
    check_envelope(w, &s);
}

static void begin_record(struct map_writer *w)
{
    struct frame *root = &w->frame[0];

    arena_reset(&w->record_arena);
    arena_reset(&w->item_arena);
    arena_reset(&w->segment_arena);
    for (struct scope_work *s = w->writing.all; s; s = s->next)
        memset(s->reported, 0, sizeof(s->reported));
    for (unsigned i = 0; i < w->writing.n_checks; i++)
        w->writing.check[i].count = w->writing.check[i].sum = 0;
    w->total[0] = w->total[1] = (struct total){ 0 };
    w->no_totals = false;
    w->some_left = w->nomem = w->verified = w->item_verified = false;
    w->streaming = NULL;
    w->ordered = false;
    w->n_made = 0;
    w->segments = w->errors = 0;
    w->loss = NULL;
    w->behind.set = false;
    w->above = NULL;
    w->stopped = 0;
    w->top = 1;
    w->work = NULL;
    w->of = root;
    w->room_used = 0;
    root->up = NULL;
    root->name = NULL;
    root->listed = false;
    root->index = 0;
}

/* Between ST and SE. */
static int write_body(struct map_writer *w, const struct record *record)
{
    struct frame *root = &w->frame[0];
    int code;

    code = write_collect(w, root, w->writing.root, record->tape, 0);
    if (!code && w->writing.n_inherits)
        code = hoist(w, root);
    if (!code && w->writing.n_checks)
        code = count_ahead(w, root);
    if (!code && w->writing.tree)
        code = write_see_tree(w, root);
    if (!code)
        code = write_run_inner(w, root);
    if (!code && w->nomem)
        code = err_nomem(w->err);
    return code;
}

enum run {
    RUN_HELD,       /* what was written can be taken back */
    RUN_DRY,        /* nothing of it stays */
    RUN_FREE        /* it goes out at once */
};

/* Was the record read from a document of the set that is written? */
static bool goes_back(const struct map_writer *w, const struct record *record)
{
    uint32_t source = json_member(record->tape, 0, SLICE("source"));
    uint32_t set = source ? json_member(record->tape, source, SLICE("set")) : 0;
    return set && slice_eq(json_raw(record->tape, set), w->plan->guide->set);
}

/* From ST to SE. */
static int write_set(struct map_writer *w, const struct record *record, enum run run, struct slice control,
                     struct slice implementation)
{
    struct edi_writer *out = w->out;
    const bool bare = w->plan->guide->bare;
    struct segment header;
    int code;

    begin_record(w);
    w->dry = run == RUN_DRY;
    code = edi_writer_mark(out, &w->mark);
    if (code < 0)
        return write_failed(w);
    w->syntax = w->mark.state.syntax;
    w->decimal = w->checker.mark = edi_writer_decimal(out);
    if (run == RUN_FREE)
        edi_writer_release(out);
    check_begin(&w->checker, w->plan->guide);
    w->checker.later = w->options.later;
    w->checker.strict_codes = !goes_back(w, record);
    if (!bare && (code = edi_write_document(out, w->plan->guide->set, control, implementation)) < 0) {
        write_failed(w);
    } else if (!bare) {
        w->segments = 1;
        edi_writer_header(out, &header);
        check_envelope(w, &header);
        code = w->stopped;
    }
    w->body_from = edi_writer_offset(out);
    if (!code)
        code = write_body(w, record);
    write_stay_behind(w);
    w->body_to = edi_writer_offset(out);
    if (!code && bare && !w->segments && !w->errors)
        miss_segment(w);
    if (!code && !bare) {
        w->segments++;
        check_trailer(w, control);
        code = w->stopped;
    }
    if (!code && w->errors)
        code = err_set(w->err, ERR_DATA, "the record cannot be written: %llu reason%s", (unsigned long long)w->errors,
                       w->errors == 1 ? "" : "s");
    if (!code && !w->dry && !bare && (code = edi_write_document_end(out)) < 0)
        write_failed(w);
    if (w->dry || (run == RUN_HELD && code < 0))
        edi_writer_rewind(out, &w->mark);
    else if (run == RUN_HELD)
        edi_writer_release(out);
    if (w->stopped)
        return err_set(w->err, w->stopped, "stopped");
    return code;
}

int map_write_record(struct map_writer *w, const struct record *record, struct edi_writer *out, struct slice control,
                     struct slice implementation, map_write_finding_fn *finding, void *ctx, struct err *err)
{
    struct err own;
    int code;

    w->record = record;
    w->out = out;
    w->finding = finding;
    w->ctx = ctx;
    w->err = err ? err : &own;
    w->err->code = 0;
    if (w->options.discard)
        return write_set(w, record, RUN_FREE, control, implementation);
    if (!record->streamed)
        return write_set(w, record, RUN_HELD, control, implementation);
    /* too large to be held: first it is only looked at */
    code = write_set(w, record, RUN_DRY, control, implementation);
    w->finding = NULL;
    return code < 0 ? code : write_set(w, record, RUN_FREE, control, implementation);
}

/* ---- the writer ---- */

int map_writer_new(const struct map_plan *plan, const struct map_write_options *options, struct map_writer **writer_r,
                   struct err *err)
{
    struct map_writer *w = calloc(1, sizeof(*w));
    int code;

    *writer_r = NULL;
    if (!w)
        return err_nomem(err);
    w->plan = plan;
    if (options)
        w->options = *options;
    if (w->options.later.n > sizeof(w->later))
        w->options.later.n = sizeof(w->later);
    if (w->options.later.n)
        w->options.later.p = memcpy(w->later, w->options.later.p, w->options.later.n);
    finding_policy_init(&w->policy);
    if (w->options.policy)
        w->policy = *w->options.policy;
    w->may_lose = w->policy.severity[FINDING_MAP_LEFT_OUT] < SEVERITY_ERROR;
    w->checker = (struct checker){ .syntax = &w->syntax, .remark = write_remark, .ctx = w,
                                   .short_dates = w->options.short_dates, .no_long_dates = w->options.short_dates };
    arena_init(&w->arena, LIMIT_CONFIG_FILE);
    arena_init(&w->record_arena, LIMIT_ITEM);
    arena_init(&w->item_arena, LIMIT_ITEM);
    arena_init(&w->segment_arena, LIMIT_ITEM);
    buf_init(&w->path, LIMIT_ITEM);
    buf_init(&w->text, LIMIT_ITEM);
    buf_init(&w->row, LIMIT_ITEM);
    buf_init(&w->last_row, LIMIT_ITEM);
    tree_init(&w->tree);
    buf_init(&w->notes, NOTES_MOST);
    buf_init(&w->steps, NOTES_MOST);
    buf_init(&w->makers, NOTES_MOST);
    buf_init(&w->made, LIMIT_ITEM);
    json_tape_init(&w->made_tape, LIMIT_ITEM);
    tree_init(&w->heads);
    code = writing_make(plan, &w->arena, &w->writing, err);
    if (!code) {
        w->frame = calloc(w->writing.frames, sizeof(*w->frame));
        if (!w->frame)
            code = err_nomem(err);
    }
    if (code) {
        map_writer_free(&w);
        return code;
    }
    *writer_r = w;
    return 0;
}

void map_writer_free(struct map_writer **writer)
{
    struct map_writer *w = *writer;

    if (!w)
        return;
    arena_deinit(&w->arena);
    arena_deinit(&w->record_arena);
    arena_deinit(&w->item_arena);
    arena_deinit(&w->segment_arena);
    buf_deinit(&w->path);
    buf_deinit(&w->text);
    buf_deinit(&w->row);
    buf_deinit(&w->last_row);
    tree_deinit(&w->tree);
    buf_deinit(&w->notes);
    buf_deinit(&w->steps);
    buf_deinit(&w->makers);
    buf_deinit(&w->made);
    json_tape_deinit(&w->made_tape);
    tree_deinit(&w->heads);
    free(w->frame);
    free(w);
    *writer = NULL;
}

struct slice map_writer_body(const struct map_writer *w)
{
    const struct slice gathered = edi_writer_output(w->out);
    const uint64_t behind = edi_writer_offset(w->out) - w->body_from;

    return slice(gathered.p + gathered.n - behind, (size_t)(w->body_to - w->body_from));
}

void map_writer_extent(const struct map_writer *w, uint64_t *from_r, uint64_t *to_r)
{
    *from_r = w->body_from;
    *to_r = w->body_to;
}

void map_writer_crossing(struct map_writer *w, bool crossing)
{
    w->crossing = crossing;
}

void map_writer_discard(struct map_writer *w, bool discard)
{
    w->options.discard = discard;
}

uint64_t map_writer_segments(const struct map_writer *w)
{
    return w->segments;
}
