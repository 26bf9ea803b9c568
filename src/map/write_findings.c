/*
 * write_findings: what the writer has to say: which field of the record a finding is about, and in which words.
 *
 * The checker speaks of elements; cells know which action and object they came from, and where there is no cell, the
 * works say what would have come there. Nothing here is on the way of a right record, and nothing here writes. Slices
 * in a finding are borrowed, from the writer's `path` among others, until the next one.
 */
#include "map/write_inside.h"

#include <stdio.h>

/* ---- findings ---- */

static void add_path(struct buf *out, const struct frame *f)
{
    if (f->up)
        add_path(out, f->up);
    if (!f->name)
        return;
    if (out->n)
        buf_add_char(out, '.');
    buf_add_slice(out, f->name->name);
    if (f->listed)
        buf_printf(out, "[%llu]", (unsigned long long)f->index);
}

struct slice write_path(struct map_writer *w, const struct frame *f, const struct record_field *list,
                        uint64_t item, const struct record_field *field)
{
    buf_clear(&w->path);
    if (f)
        add_path(&w->path, f);
    if (list) {
        if (w->path.n)
            buf_add_char(&w->path, '.');
        buf_add_slice(&w->path, list->name);
        buf_printf(&w->path, "[%llu]", (unsigned long long)item);
    }
    if (field && field != list) {
        if (w->path.n)
            buf_add_char(&w->path, '.');
        buf_add_slice(&w->path, field->name);
    }
    return buf_slice(&w->path);
}

static void keep_loss(struct loss *loss, const struct map_write_finding *f)
{
    struct buf words;

    if (loss->any)
        return;
    loss->any = true;
    snprintf(loss->path, sizeof(loss->path), "%.*s", SLICE_FMT(f->path));
    buf_init(&words, 1 << 16);
    map_write_finding_text(f, &words);
    snprintf(loss->words, sizeof(loss->words), "is left out: %s", buf_text(&words));
    buf_deinit(&words);
}

void write_report_left_out(struct map_writer *w, const struct loss *loss, bool list)
{
    struct slice path = slice_of(loss->path);
    const char *dot = memrchr(path.p, '.', path.n);
    struct map_write_finding f = {
        .code = "MAP-LOSS", .severity = SEVERITY_WARNING, .found = loss->words, .expected = "", .loss = true
    };

    if (!loss->whole)
        path.n = dot ? (size_t)(dot - path.p) : path.n;
    if (list && path.n && path.p[path.n - 1] == ']')
        path.n = (size_t)((const char *)memrchr(path.p, '[', path.n) - path.p);
    f.path = path;
    write_report(w, &f);
}

void write_report(struct map_writer *w, const struct map_write_finding *f)
{
    int answer;

    if (f->severity == SEVERITY_IGNORE)
        return;
    /* a record that is wrong by itself, or in another character set, loses nothing: it is refused */
    if (f->severity == SEVERITY_ERROR && w->loss && (!w->loss->missing || f->missing) &&
        strncmp(f->code, "RECORD", strlen("RECORD")) != 0 && strcmp(f->code, "MAP-CHARACTER") != 0) {
        keep_loss(w->loss, f);
        return;
    }
    if (f->severity == SEVERITY_ERROR)
        w->errors++;
    if (!w->finding || w->stopped || w->errors > LIMIT_FINDINGS)
        return;
    answer = w->finding(w->ctx, f);
    if (answer < 0)
        w->stopped = answer;
}

struct slice write_place_name(const struct map_writer *w, struct slice tag, unsigned element, unsigned component,
                              char *text, size_t size)
{
    const struct segment_def *def = guide_segment(w->plan->guide, tag);
    const struct element *e = def && element && element <= def->n ? def->use[element - 1].element : NULL;
    char number[32] = "";
    struct slice name = def ? def->name : slice(NULL, 0);
    int n;

    if (element)
        snprintf(number, sizeof(number), component ? "%02u-%u" : "%02u", element, component);
    if (e) {
        name = e->name;
        if (component && e->type == TYPE_COMPOSITE && component <= e->n_parts)
            name = e->part[component - 1].element->name;
    }
    n = snprintf(text, size, "%.*s%s %.*s", SLICE_FMT(tag), number, SLICE_FMT(name));
    if (n < 0)
        return slice(NULL, 0);
    return slice_trim(slice(text, (size_t)n < size ? (size_t)n : size - 1));
}

void write_refuse_value(struct map_writer *w, const struct action *a, const struct frame *f, uint32_t item,
                        struct slice value, const char *found, const char *expected)
{
    char place[160];
    struct map_write_finding r = { .code = "MAP-VALUE", .severity = SEVERITY_ERROR, .value = value, .found = found,
                                   .expected = expected, .segment = w->segments + 1 };

    w->refused |= 1ull << (a->element - 1);
    r.path = write_path(w, f, a->list, item, a->op->field);
    r.place = write_place_name(w, w->work->tag, a->element, a->component, place, sizeof(place));
    write_report(w, &r);
}

void write_report_loss(struct map_writer *w, struct slice path, struct slice value, const char *found)
{
    struct map_write_finding r = { .code = "MAP-LOSS", .severity = SEVERITY_WARNING, .path = path, .value = value,
                                   .found = found, .expected = "", .loss = true };
    write_report(w, &r);
}

void map_write_finding_text(const struct map_write_finding *f, struct buf *out)
{
    if (f->path.n)
        buf_add_safe(out, f->path, 400);
    else
        buf_add_text(out, "the record");
    buf_add_text(out, ": ");
    if (f->value.n && f->found[0] != '"') {
        buf_add_char(out, '"');
        buf_add_safe(out, f->value, 80);
        buf_add_text(out, "\" ");
    }
    buf_add_text(out, f->found);
    if (f->expected[0]) {
        buf_add_text(out, ", expected ");
        buf_add_text(out, f->expected);
    }
    if (f->place.n) {
        buf_add_text(out, " (");
        buf_add_safe(out, f->place, 160);
        buf_add_char(out, ')');
    }
}

/* ---- values ---- */

void write_set_twice(struct map_writer *w, const struct action *a, const struct frame *f, uint32_t item,
                     struct slice text, struct slice old)
{
    char expected[100];
    if (slice_eq(text, old))
        return;
    snprintf(expected, sizeof(expected), "\"%.*s\", which another field says is there",
             (int)(old.n < 60 ? old.n : 60), old.p);
    write_refuse_value(w, a, f, item, text, "does not fit", expected);
}

void write_refuse_word(struct map_writer *w, const struct action *a, const struct frame *f, uint32_t item,
                       struct slice word, struct slice beside)
{
    const struct map_table *t = a->words->table;
    const struct map_table_row *row = word.n <= 8 ? map_table_code(t, slice_key(word)) : NULL;
    const struct map_table_row *other = beside.n && beside.n <= 8 ? map_table_code(t, slice_key(beside)) : NULL;
    char found[200], expected[200] = "";

    snprintf(found, sizeof(found), "is no word of table %.*s", SLICE_FMT(t->name));
    if (other)
        snprintf(expected, sizeof(expected), "%.*s, as %.*s says", SLICE_FMT(other->word),
                 SLICE_FMT(a->op->beside->name));
    else if (beside.n)
        snprintf(expected, sizeof(expected), "what %.*s says", SLICE_FMT(a->op->beside->name));
    else if (row)
        snprintf(found, sizeof(found), "is no word of table %.*s (%.*s is)", SLICE_FMT(t->name), SLICE_FMT(row->word));
    write_refuse_value(w, a, f, item, word, found, expected);
}

void write_too_many(struct map_writer *w, const struct spread *p, const struct frame *f, uint64_t index,
                    unsigned most)
{
    char place[160], expected[80];
    struct map_write_finding r = { .code = "MAP-LIST", .severity = SEVERITY_ERROR, .expected = expected,
                                   .segment = w->segments + 1,
                                   .found = "has no place: the list has more items than the segment can hold" };

    r.path = write_path(w, f, p->take->field, index, NULL);
    if (w->may_lose && !w->loss) {
        write_report_loss(w, r.path, slice(NULL, 0), "is left out: the list has more items than the segment can hold");
        return;
    }
    snprintf(expected, sizeof(expected), "at most %u", most);
    r.place = write_place_name(w, w->work->tag, p->take->first, 0, place, sizeof(place));
    write_report(w, &r);
}

/* ---- losses ---- */

void write_report_lost(struct map_writer *w, struct frame *f, unsigned i)
{
    struct scope_work *s = (struct scope_work *)f->scope;
    struct slice name = s->object->field[i].name;

    if (bit_of(s->reported, i) || i == s->unmapped)
        return;
    set_bit(s->reported, i);
    /* the envelope is not the map's business */
    if (!f->up && (slice_is(name, "record") || slice_is(name, "version") || slice_is(name, "id") ||
                   slice_is(name, "transmission") || slice_is(name, "partner") || slice_is(name, "source") ||
                   slice_is(name, "rejected")))
        return;
    write_report_loss(w, write_path(w, f, NULL, 0, &s->object->field[i]), slice(NULL, 0),
                      "is not written: no line of the map takes it");
}

void write_report_unguarded(struct map_writer *w, struct frame *f)
{
    struct scope_work *s = (struct scope_work *)f->scope;
    for (unsigned k = 0; k < s->present_words; k++)
        for (uint64_t bits = f->present[k] & s->guarded[k] & ~f->hit[k] & ~s->reported[k]; bits; bits &= bits - 1) {
            const unsigned i = k * 64 + (unsigned)__builtin_ctzll(bits);
            set_bit(s->reported, i);
            write_report_loss(w, write_path(w, f, NULL, 0, &s->object->field[i]), slice(NULL, 0),
                              "is not written: the lines that take it are for other cases");
        }
}

/* ---- segments ---- */

const struct action *write_action_for(const struct work *k, unsigned element, unsigned component)
{
    const struct action *best = NULL;
    for (unsigned i = 0; i < k->n_actions; i++)
        for (unsigned n = 0; n < 3; n++)
            if (k->action[i].op->element[n] == element && (!best || k->action[i].component == component))
                best = &k->action[i];
    for (unsigned i = 0; i < k->n_spreads && !best; i++) {
        const struct spread *p = &k->spread[i];
        for (unsigned n = 0; n < p->n_actions && !best; n++) {
            unsigned e = p->action[n].element;
            for (unsigned slot = 0; slot < p->take->n_slots && n < p->shared && !best; slot++)
                if (e + map_shift(p->take, slot) == element)
                    best = &p->action[n];
            if (e == element)
                best = &p->action[n];
        }
    }
    return best;
}

/* The field of a scope that makes a segment with that tag, and with that qualifier unless it is empty. */
static const struct record_field *field_for(const struct scope_work *s, struct slice tag, struct slice code)
{
    for (unsigned i = 0; i < s->n_works; i++) {
        const struct work *k = &s->work[i];
        if (!slice_eq(k->tag, tag) || (code.n && k->n_select && !slice_eq(k->select[0].text, code)))
            continue;
        for (unsigned n = 0; n < k->n_actions; n++)
            if (k->action[n].field != NO_FIELD)
                return k->action[n].op->field;
        if (k->n_members)
            return k->member_name[0];
        if (k->n_spreads)
            return k->spread[0].take->field;
        if (k->field != NO_FIELD)
            return &s->object->field[k->field];
    }
    return NULL;
}

/* The qualifier of a segment that a partner's guide demands; empty: it has none of its own. */
static struct slice code_missing(const struct guide *g, const struct remark *r)
{
    if (!r->variant || !r->variant->own)
        return slice(NULL, 0);
    return guide_qualifier(g, (unsigned)__builtin_ctzll(r->variant->own))->code;
}

/* What the segment at hand as a whole comes from: its object, or the first field that is in it. */
static struct slice segment_path(struct map_writer *w)
{
    const struct frame *of = w->of;
    const struct cell *c = NULL;

    if (w->work && w->work != &of->scope->owner && !(w->n_members && w->work->n_actions == 0))
        for (unsigned k = 0; k < 64 && !c; k++) {
            if (w->composite >> k & 1) {
                for (unsigned i = 0; i < w->n_parts && !c; i++)
                    if (w->part[i].element == k + 1 && w->part[i].cell.from)
                        c = &w->part[i].cell;
            } else if (w->filled >> k & 1 && w->cell[k].from) {
                c = &w->cell[k];
            }
            if (c && !c->from->list && !has(c->frame, c->from->field)) /* a constant, a default */
                c = NULL;
        }
    if (!c)
        return write_path(w, of, NULL, 0, NULL);
    return write_path(w, c->frame, NULL, 0, c->from->list ? c->from->list : c->from->op->field);
}

/* Is the value that a remark speaks of a code or word of the action's table? Words became one, so a value that is none
 * was kept as it is. */
static bool is_code(const struct action *a, const struct remark *r)
{
    return r->code != FINDING_ELEMENT_SHORT && r->code != FINDING_ELEMENT_LONG && r->code != FINDING_ELEMENT_CODE
               ? true
               : words_find(a->words, r->value) ||
                     (r->value.n <= 8 && map_table_code(a->words->table, slice_key(r->value)));
}

int write_remark(void *ctx, const struct segment *s, const struct remark *r)
{
    struct map_writer *w = ctx;
    struct map_write_finding f = { .code = finding_name(r->code, edi_writer_dialect(w->out)),
                                   .severity = (enum severity)w->policy.severity[r->code],
                                   .value = r->value, .found = r->found, .expected = r->expected,
                                   .segment = w->segments, .missing = r->missing };
    const struct frame *of = w->of;
    const struct action *a = NULL;
    char place[160], found[200];

    if (r->tag.n) { /* a segment is missing */
        const struct record_field *field = NULL;
        struct slice missing = code_missing(w->plan->guide, r);
        while (!(field = field_for(of->scope, r->tag, missing)) && of->up)
            of = of->up;
        f.path = write_path(w, field ? of : w->of, NULL, 0, field);
        f.place = write_place_name(w, r->tag, 0, 0, place, sizeof(place));
        f.value = slice(NULL, 0);
        write_report(w, &f);
        return w->stopped;
    }
    if (r->element && r->element <= 64 && w->work) {
        const struct cell *c = &w->cell[r->element - 1];
        uint64_t bit = 1ull << (r->element - 1);
        uint32_t item = 0;
        if (r->missing && w->refused)
            return 0; /* what led to it was said before */
        if (w->filled & bit && !(w->composite & bit)) {
            a = c->from;
            of = c->frame ? c->frame : w->of;
            item = c->item;
        } else if (w->composite & bit) {
            for (unsigned i = 0; i < w->n_parts; i++)
                if (w->part[i].element == r->element && (!a || w->part[i].component == r->component)) {
                    a = w->part[i].cell.from;
                    of = w->part[i].cell.frame;
                    item = w->part[i].cell.item;
                }
        }
        if (!a) {
            a = write_action_for(w->work, r->element, r->component);
            for (unsigned i = 0; i < w->work->n_members && !a; i++)
                a = write_action_for(&w->work->member[i]->owner, r->element, r->component);
            of = w->of;
            /* which item it lacks is known from those beside it */
            for (unsigned e = r->element > 1 ? r->element - 1 : 1; a && a->list && e <= r->element + 1 && e <= 64; e++)
                if (w->filled >> (e - 1) & 1 && w->cell[e - 1].from && w->cell[e - 1].from->list == a->list &&
                    !(w->composite >> (e - 1) & 1)) {
                    of = w->cell[e - 1].frame;
                    item = w->cell[e - 1].item;
                    break;
                }
        }
        if (a && a->words && r->value.n && !is_code(a, r)) {
            snprintf(found, sizeof(found), "is no word of table %.*s and no code",
                     SLICE_FMT(a->words->table->name));
            f.found = found;
            f.expected = r->code == FINDING_ELEMENT_CODE ? r->expected : "";
        }
        if (a && a->kind != ACTION_CONSTANT && a->op->field)
            f.path = write_path(w, of, a->list, item, a->op->field);
        else
            f.path = write_path(w, of, NULL, 0, NULL);
    } else {
        f.path = segment_path(w);
    }
    f.place = write_place_name(w, segment_tag(s), r->element, r->component, place, sizeof(place));
    write_report(w, &f);
    return w->stopped;
}

int write_refused_cell(struct map_writer *w, const struct cell *c, unsigned element, unsigned component)
{
    const struct err *why = edi_writer_error(w->out);
    const char *words = strstr(why->text, ": ");
    char place[160];
    struct map_write_finding f = { .code = "MAP-CHARACTER", .severity = SEVERITY_ERROR, .value = c->text,
                                   .found = "cannot be written", .segment = w->segments + 1 };

    if (why->code != ERR_DATA)
        return err_set(w->err, why->code ? why->code : ERR_INTERNAL, "%s", why->text);
    w->refused |= 1ull << (element - 1);
    f.expected = "";
    f.found = words ? words + 2 : why->text;
    f.path = write_path(w, c->frame ? c->frame : w->of, c->from ? c->from->list : NULL, c->item,
                        c->from ? c->from->op->field : NULL);
    f.place = write_place_name(w, w->work->tag, element, component, place, sizeof(place));
    write_report(w, &f);
    return 0;
}

int write_failed(struct map_writer *w)
{
    const struct err *why = edi_writer_error(w->out);
    return err_set(w->err, why->code ? why->code : ERR_INTERNAL, "%s", why->text);
}

void write_misplaced(struct map_writer *w, const struct guide_node *node)
{
    const struct guide *g = w->plan->guide;
    const struct guide_node *meant = &g->node[w->work->segment];
    char found[160], expected[160] = "", place[160];
    struct map_write_finding f = { .code = "MAP-PLACE", .severity = SEVERITY_ERROR, .found = found,
                                   .expected = expected, .segment = w->segments };
    struct slice loop = g->node[node->parent].tag, own = g->node[meant->parent].tag;

    if (node->n_select || meant->n_select)
        return; /* loops of one tag, chosen by their qualifier */
    if (node->parent)
        snprintf(found, sizeof(found), "would be read as part of loop %.*s", SLICE_FMT(loop));
    else
        snprintf(found, sizeof(found), "would be read as part of no loop");
    if (meant->parent)
        snprintf(expected, sizeof(expected), "a segment before it that leads to loop %.*s", SLICE_FMT(own));
    f.path = segment_path(w);
    f.place = write_place_name(w, w->work->tag, 0, 0, place, sizeof(place));
    write_report(w, &f);
}
