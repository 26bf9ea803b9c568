/*
 * write: see write.h.
 *
 * An object's members are gone through once: where each field stands, and which works it gives reason for. Then the
 * works run in their order. A segment is first laid out in cells, one an element, which borrow from the record's
 * text or from `room`; so fields may come from several objects and in any order, and each cell knows the field it
 * came from when the guide has something to say about it. Then it is written, and what was written is checked.
 *
 * Nothing here knows a segment's or a record's meaning. What is wrong with a value leaves its cell empty and goes
 * on: all reasons are reported, and the document is taken back at its end.
 */
#include "map/write.h"

#include <stdio.h>
#include <stdlib.h>

#include "edi/check.h"
#include "edi/path.h"
#include "map/express.h"
#include "map/tree.h"
#include "map/writing.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD __attribute__((noinline, cold))

enum {
    MOST_PARTS = 256,           /* components in one segment */
    ROOM = 4096                 /* for what conversions make, before memory is asked for */
};

/* An object of the record that is being written. */
struct frame {
    const struct frame *up;
    const struct scope_work *scope;
    const struct json_tape *tape;
    const struct record_field *name;        /* that it is the value of, or an item of */
    uint32_t node;
    bool listed;
    uint64_t index;
    uint64_t present[FIELD_WORDS];
    uint64_t pending[WORK_WORDS];
    uint64_t hit[FIELD_WORDS];              /* fields whose guard let them through */
    struct left *left;                      /* its `unmapped`, not written yet */
    uint32_t at[RECORD_FIELDS];
};

struct cell {
    struct slice text;
    const struct action *from;              /* NULL: a qualifier, or unmapped */
    const struct frame *frame;
    uint32_t item;                          /* of from->list */
};

struct part {
    struct cell cell;
    uint8_t element, component;
};

/* A segment of an object's `unmapped`. */
struct left {
    struct left *next;
    const struct guide_node *node;
    uint32_t order;                         /* the node that says where it is written */
    struct slice path;
    struct slice select;                    /* what stood in [ ] */
    struct slice stray;                     /* a segment that the guide has not in this place: it stands behind the node */
    uint32_t occurrence;
    uint32_t seen;                          /* segments of that node written so far */
    uint64_t index;
    uint32_t first, n;                      /* the items of the list that speak of it: node of the first, how many */
    bool apart;                             /* in a loop that no line of the map takes: joins no other segment */
    bool trigger;                           /* opens its loop or is the object's own: its path has no qualifier */
    bool whole;                             /* says its qualifier itself */
    bool done;
};

struct map_writer {
    const struct map_plan *plan;
    struct writing writing;
    struct map_write_options options;
    struct finding_policy policy;
    struct arena arena;                     /* of the layout */
    struct arena record_arena;              /* of one record */
    struct arena item_arena;                /* of one item of the root's lists: `unmapped` */
    struct arena segment_arena;             /* of one segment, where `room` does not do */
    bool nomem;                             /* while an object was looked at */
    bool verified;                          /* the record was held against its kind as a whole */
    bool item_verified;                     /* the streamed item was */
    const struct record_field *streaming;   /* the list that is, NULL: none */
    uint64_t stream_index;
    const struct json_tape *stream_tape;
    uint32_t stream_node;
    struct tree tree;                       /* the nodes of the record at hand */
    bool some_left;                         /* some object's `unmapped` is to be written */
    struct frame *frame;
    unsigned top;                           /* frames in use */
    /* the segment at hand */
    uint64_t filled;                        /* cells, bit 0 is element 01 */
    uint64_t composite;                     /* those that are parts */
    uint64_t refused;                       /* the writer would not have them */
    bool substance;
    unsigned n_parts;
    size_t room_used;
    const struct work *work;
    const struct frame *of;
    struct frame *member[MOST_MEMBERS];     /* objects of `of` that have fields in it, too */
    unsigned n_members;
    /* the record at hand */
    const struct record *record;
    struct edi_writer *out;
    struct edi_mark mark;
    bool dry;                               /* nothing of what is written stays */
    struct edi_syntax syntax;
    struct checker checker;
    uint64_t segments;
    size_t body_from, body_to;              /* in what `out` has gathered */
    uint64_t errors;
    int stopped;                            /* by the callback */
    map_write_finding_fn *finding;
    void *ctx;
    struct err *err;
    struct buf path;
    struct buf row, last_row;               /* what the items of a list say of their own segment: this one, the one before */
    struct buf text;                        /* one that is folded */
    struct cell cell[64];
    struct part part[MOST_PARTS];
    char room[ROOM];
};

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

/* Where a field of an object (or of an item of its list) stands. NULL as field: the object itself. */
static struct slice path_to(struct map_writer *w, const struct frame *f, const struct record_field *list,
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

static void report(struct map_writer *w, const struct map_write_finding *f)
{
    int answer;

    if (f->severity == SEVERITY_IGNORE)
        return;
    if (f->severity == SEVERITY_ERROR)
        w->errors++;
    if (!w->finding || w->stopped || w->errors > LIMIT_FINDINGS)
        return;
    answer = w->finding(w->ctx, f);
    if (answer < 0)
        w->stopped = answer;
}

/* "PO103 Unit or Basis for Measurement Code" */
static struct slice place_name(const struct map_writer *w, struct slice tag, unsigned element, unsigned component,
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

/* A value that cannot be written as it is. */
static COLD void refuse_value(struct map_writer *w, const struct action *a, const struct frame *f, uint32_t item,
                              struct slice value, const char *found, const char *expected)
{
    char place[160];
    struct map_write_finding r = { .code = "MAP-VALUE", .severity = SEVERITY_ERROR, .value = value, .found = found,
                                   .expected = expected, .segment = w->segments + 1 };

    w->refused |= 1ull << (a->element - 1);
    r.path = path_to(w, f, a->list, item, a->op->field);
    r.place = place_name(w, w->work->tag, a->element, a->component, place, sizeof(place));
    report(w, &r);
}

static COLD void report_loss(struct map_writer *w, struct slice path, struct slice value, const char *found)
{
    struct map_write_finding r = { .code = "MAP-LOSS", .severity = SEVERITY_WARNING, .path = path, .value = value,
                                   .found = found, .expected = "", .loss = true };
    report(w, &r);
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

/* ---- objects ---- */

static COLD void report_lost(struct map_writer *w, struct frame *f, unsigned i)
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
    report_loss(w, path_to(w, f, NULL, 0, &s->object->field[i]), slice(NULL, 0),
                "is not written: no line of the map takes it");
}

static void read_left(struct map_writer *w, struct frame *f, uint32_t list);

static inline bool has(const struct frame *f, unsigned field)
{
    return bit_of(f->present, field);
}

/* ---- against the kind ---- */

static int record_remark(void *ctx, const struct record_finding *r)
{
    struct map_writer *w = ctx;
    struct slice value = r->found;
    struct map_write_finding f = { .code = r->name, .severity = SEVERITY_ERROR, .path = r->path, .found = r->words,
                                   .expected = r->expected, .missing = r->missing };

    if (value.n >= 2 && value.p[0] == '"')
        value = slice(value.p + 1, value.n - 2);
    f.value = value;
    report(w, &f);
    return w->stopped;
}

/* Something is strange, or may be: now it is looked at thoroughly, the whole record or the item that is streamed. */
static COLD int hold_against_kind(struct map_writer *w)
{
    const struct record_kind *kind = map_kind(w->plan->map);
    int code;

    if (w->verified || (w->streaming && w->item_verified))
        return 0;
    if (w->streaming) {
        w->item_verified = true;
        code = record_check_item(w->streaming, (size_t)w->stream_index, w->stream_tape, w->stream_node,
                                 record_remark, w);
    } else {
        w->verified = true;
        code = record_check_whole(kind, w->record, record_remark, w, w->err);
    }
    if (w->stopped)
        return w->stopped;
    if (code < 0)
        return w->err->code ? code : err_set(w->err, code, "%s", err_name(code));
    if (code == 0)
        return 0;
    return err_set(w->err, ERR_DATA, "the record is wrong in %d place%s", code, code == 1 ? "" : "s");
}

static bool is_right(const struct record_field *f, uint8_t type, const struct json_tape *tape, uint32_t node);

/* An object that nothing is taken from. */
static bool object_is_right(const struct record_object *object, const struct json_tape *tape, uint32_t node)
{
    uint64_t seen[RECORD_FIELDS / 64] = { 0 };

    if (tape->node[node].type != JSON_OBJECT)
        return false;
    for (uint32_t c = json_first(node); c < json_end(tape, node); c = json_next(tape, c)) {
        int i = record_field_of(object, tape, c);
        if (i < 0 || bit_of(seen, (unsigned)i))
            return false;
        set_bit(seen, (unsigned)i);
        if (!is_right(&object->field[i], object->field[i].type, tape, c))
            return false;
    }
    for (unsigned i = 0; i < object->n; i++)
        if (object->field[i].required && !bit_of(seen, i))
            return false;
    return true;
}

static inline bool is_decimal(const char *p, size_t n)
{
    size_t digits = 0, i = 0;
    bool mark = false;
    if (n && *p == '-')
        i++;
    for (; i < n; i++) {
        if (is_digit(p[i]))
            digits++;
        else if (p[i] == '.' && !mark)
            mark = true;
        else
            return false;
    }
    return digits > 0;
}

/* Is a value right beyond doubt? False is for record_check to judge. */
static bool is_right(const struct record_field *f, uint8_t type, const struct json_tape *tape, uint32_t node)
{
    const struct json_node *n = &tape->node[node];
    struct slice v = json_raw(tape, node);

    switch (type) {
    case RECORD_ANY:
        return true;
    case RECORD_OBJECT:
        return object_is_right(f->object, tape, node);
    case RECORD_ARRAY:
        if (n->type != JSON_ARRAY || n->count < f->min_items || n->count > f->max_items)
            return false;
        for (uint32_t c = json_first(node); c < json_end(tape, node); c = json_next(tape, c))
            if (!is_right(f, f->item, tape, c))
                return false;
        return true;
    case RECORD_INTEGER:
        if (n->type != JSON_NUMBER || !(n->flags & JSON_INTEGER))
            return false;
        break;
    case RECORD_BOOLEAN:
        return (n->type == JSON_TRUE || n->type == JSON_FALSE) && f->n_values == 0;
    default:
        if (n->type != JSON_STRING)
            return false;
        if (type == RECORD_STRING) {
            if (v.n > f->max_length || v.n < f->min_length * 4)
                return false;
            break;
        }
        if (n->flags & JSON_ESCAPED)
            return false;
        if (type == RECORD_DECIMAL ? !is_decimal(v.p, v.n)
            : type == RECORD_DATE  ? !record_is_date(v)
            : type == RECORD_TIME  ? !record_is_time(v)
                                   : !record_is_datetime(v))
            return false;
    }
    if (f->n_values == 0)
        return true;
    for (unsigned i = 0; i < f->n_values; i++)
        if (slice_eq(v, f->values[i]))
            return true;
    return false;
}

/* ---- values ---- */

/* Room for what a conversion makes, until the segment's end. NULL: memory. */
static char *room_for(struct map_writer *w, size_t n)
{
    if (LIKELY(n <= ROOM - w->room_used)) {
        char *p = w->room + w->room_used;
        w->room_used += n;
        return p;
    }
    return arena_alloc(&w->segment_arena, n);
}

static COLD int no_room(struct map_writer *w)
{
    if (w->segment_arena.total >= w->segment_arena.ceiling)
        return err_set(w->err, ERR_LIMIT, "one segment takes more memory than it may");
    return err_nomem(w->err);
}

/* A value that is not a plain string. */
static COLD int odd_text(struct map_writer *w, const struct json_tape *tape, uint32_t node, struct slice *v_r)
{
    const struct json_node *n;
    char *p;

    if (node & 0x80000000u) {
        const struct inheritance *i = &w->writing.inherit[node & 0xffff];
        *v_r = slice(i->value, i->n);
        return 0;
    }
    n = &tape->node[node];
    *v_r = json_raw(tape, node);
    if (n->type == JSON_STRING) {
        p = room_for(w, v_r->n);
        if (!p)
            return no_room(w);
        *v_r = slice(p, json_decode(*v_r, p));
    } else if (n->type >= JSON_OBJECT) {
        *v_r = slice(NULL, 0);
    }
    return 0;
}

static ALWAYS_INLINE int node_text(struct map_writer *w, const struct json_tape *tape, uint32_t node,
                                   struct slice *v_r)
{
    if (LIKELY(!(node & 0x80000000u))) {
        const struct json_node *n = &tape->node[node];
        if (LIKELY(n->type == JSON_STRING && !(n->flags & JSON_ESCAPED))) {
            *v_r = slice(tape->text.p + n->at, n->n);
            return 0;
        }
    }
    return odd_text(w, tape, node, v_r);
}

static ALWAYS_INLINE int text_of(struct map_writer *w, const struct frame *f, unsigned field, struct slice *v_r)
{
    return node_text(w, f->tape, f->at[field], v_r);
}

/* ---- cells ---- */

static void begin_segment(struct map_writer *w, const struct work *k, const struct frame *f)
{
    w->filled = w->composite = w->refused = 0;
    w->substance = false;
    w->n_parts = 0;
    w->room_used = 0;
    w->work = k;
    w->of = f;
    w->n_members = 0;
    if (UNLIKELY(w->segment_arena.block != NULL))
        arena_reset(&w->segment_arena);
}

static COLD void set_twice(struct map_writer *w, const struct action *a, const struct frame *f, uint32_t item,
                           struct slice text, struct slice old)
{
    char expected[100];
    if (slice_eq(text, old))
        return;
    snprintf(expected, sizeof(expected), "\"%.*s\", which another field says is there",
             (int)(old.n < 60 ? old.n : 60), old.p);
    refuse_value(w, a, f, item, text, "does not fit", expected);
}

static int set_part(struct map_writer *w, const struct action *a, unsigned element, unsigned component,
                    const struct frame *f, uint32_t item, struct slice text, bool constant)
{
    unsigned i = w->n_parts;
    uint64_t bit = 1ull << (element - 1);

    if (i == MOST_PARTS - 1)
        return err_set(w->err, ERR_LIMIT, "a segment has too many components");
    for (; i && (w->part[i - 1].element > element ||
                 (w->part[i - 1].element == element && w->part[i - 1].component > component)); i--)
        w->part[i] = w->part[i - 1];
    if (i && w->part[i - 1].element == element && w->part[i - 1].component == component) {
        struct slice old = w->part[i - 1].cell.text;
        memmove(&w->part[i], &w->part[i + 1], (w->n_parts - i) * sizeof(w->part[0]));
        if (a)
            set_twice(w, a, f, item, text, old);
        return 0;
    }
    w->part[i] = (struct part){ { text, a, f, item }, (uint8_t)element, (uint8_t)component };
    w->n_parts++;
    w->filled |= bit;
    w->composite |= bit;
    w->substance |= !constant;
    return 0;
}

/* Puts a value in its place; an empty one is none. */
static ALWAYS_INLINE int set_cell(struct map_writer *w, const struct action *a, unsigned element,
                                  const struct frame *f, uint32_t item, struct slice text, bool constant)
{
    struct cell *c = &w->cell[element - 1];
    uint64_t bit = 1ull << (element - 1);

    if (UNLIKELY(text.n == 0))
        return 0;
    if (UNLIKELY(a->component))
        return set_part(w, a, element, a->component, f, item, text, constant);
    if (UNLIKELY(w->filled & bit)) {
        if (!constant)
            set_twice(w, a, f, item, text, c->text);
        return 0;
    }
    c->text = text;
    c->from = a;
    c->frame = f;
    c->item = item;
    w->filled |= bit;
    w->substance |= !constant;
    return 0;
}

/* The qualifiers that the map's line names. What a field says must be the same. */
static void set_selects(struct map_writer *w, const struct work *k)
{
    for (unsigned i = 0; i < k->n_select; i++) {
        const struct map_select *s = &k->select[i];
        struct cell *c = &w->cell[s->element - 1];
        uint64_t bit = 1ull << (s->element - 1);
        if (w->filled & bit && !(w->composite & bit)) {
            if (!slice_eq(c->text, s->text) && c->from) {
                char expected[100];
                snprintf(expected, sizeof(expected), "what stands for %.*s there", SLICE_FMT(s->text));
                refuse_value(w, c->from, c->frame, c->item, c->text, "does not fit", expected);
            }
            continue;
        }
        *c = (struct cell){ .text = s->text };
        w->filled |= bit;
    }
}

/* Adds the digits of a value to a hash total. */
static void add_hash(struct check_work *check, struct slice v)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < v.n; i++)
        if (is_digit(v.p[i]))
            sum = (sum * 10 + (uint64_t)(v.p[i] - '0')) % check->modulus;
    check->sum = (check->sum + sum) % check->modulus;
}

/* ---- conversions ---- */

/* The partner's code for a word; `beside` may be empty. What is no word stays as it is if it comes back as it is: a code
 * of the table does not. False: refused. */
static ALWAYS_INLINE bool code_of(const struct action *a, struct slice word, struct slice beside, struct slice *v_r,
                                  bool *lost_r)
{
    const struct map_table *t = a->words->table;
    const struct map_table_row *row;

    *lost_r = false;
    if (beside.n) {
        const struct map_table_row *other = beside.n <= 8 ? map_table_code(t, slice_key(beside)) : NULL;
        if (LIKELY(other ? slice_eq(other->word, word) : slice_eq(beside, word) && !t->refuse)) {
            *v_r = beside;
            return true;
        }
    }
    row = words_find(a->words, word);
    if (UNLIKELY(!row)) {
        *v_r = word;
        return !beside.n && !t->refuse && !(word.n <= 8 && map_table_code(t, slice_key(word)));
    }
    *v_r = row->code;
    *lost_r = beside.n && !slice_eq(beside, row->code);
    return true;
}

static COLD void refuse_word(struct map_writer *w, const struct action *a, const struct frame *f, uint32_t item,
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
    refuse_value(w, a, f, item, word, found, expected);
}

/* How many digits a date may have in its place. */
static inline unsigned date_digits(const struct map_writer *w, const struct action *a)
{
    return w->options.short_dates ? 6 : a->use ? a->use->max : 8;
}

static int set_datetime(struct map_writer *w, const struct action *a, unsigned element, const struct frame *f,
                        uint32_t item, struct slice v)
{
    static const char *const lacking[] = { "", "a date without a time: the place has none",
                                           "a date and time without a zone: the place has none" };
    char *p = room_for(w, v.n + 16);
    struct slice part[3];
    const char *why;
    int code = 0;

    if (!p)
        return no_room(w);
    if (express_datetime(v, date_digits(w, a), p, part, &why) < 0) {
        refuse_value(w, a, f, item, v, "cannot be written", why);
        return 0;
    }
    for (unsigned i = 0; i < 3 && !code; i++) {
        unsigned at = i ? a->op->element[i] : element;
        if (part[i].n && at == 0) {
            refuse_value(w, a, f, item, v, "cannot be written", lacking[i]);
            return 0;
        }
        if (part[i].n)
            code = set_cell(w, a, at, f, item, part[i], false);
    }
    return code;
}

/* All conversions of an op, from the last to the first. 1: *v_r is the element's. 0: refused, or set already. */
static COLD int convert_back(struct map_writer *w, const struct action *a, unsigned element, const struct frame *f,
                             uint32_t item, struct slice beside, struct slice *v_r)
{
    const struct map_op *op = a->op;
    struct slice v = *v_r;

    for (unsigned i = op->n_conversions; i-- > 0;) {
        const struct conversion *c = &op->conversion[i];
        const char *why = "";
        bool lost;
        char *p;
        int n = 0;
        switch (c->kind) {
        case CONVERT_CODE:
            if (!code_of(a, v, beside, &v, &lost)) {
                refuse_word(w, a, f, item, v, beside);
                return 0;
            }
            continue;
        case CONVERT_TRIM:
            v = slice_trim(v);
            continue;
        case CONVERT_DATETIME:
            n = set_datetime(w, a, element, f, item, v);
            return n < 0 ? n : 0;
        case CONVERT_DATE:
        case CONVERT_TIME:
        case CONVERT_PAD:
        case CONVERT_PREFIX:
        case CONVERT_UPPER:
        case CONVERT_IMPLIED:
            break;
        default:
            continue;
        }
        p = room_for(w, v.n + c->text.n + c->number[0] + 64);
        if (!p)
            return no_room(w);
        switch (c->kind) {
        case CONVERT_DATE:
            n = express_date(v, date_digits(w, a), p, &why);
            break;
        case CONVERT_TIME:
            n = express_time(v, p, &why);
            break;
        case CONVERT_IMPLIED:
            n = express_places(v, c->number[0], 1, p, &why);
            break;
        case CONVERT_PAD: {
            size_t characters = 0, more;
            for (size_t k = 0; k < v.n; k++)
                characters += ((unsigned char)v.p[k] & 0xc0) != 0x80;
            more = characters < c->number[0] ? c->number[0] - characters : 0;
            memset(p, c->text.n ? c->text.p[0] : ' ', more);
            memcpy(p + more, v.p, v.n);
            n = (int)(more + v.n);
            break;
        }
        case CONVERT_PREFIX:
            memcpy(p, c->text.p ? c->text.p : "", c->text.n);
            memcpy(p + c->text.n, v.p, v.n);
            n = (int)(c->text.n + v.n);
            break;
        default: /* upper */
            for (size_t k = 0; k < v.n; k++)
                p[k] = v.p[k] >= 'a' && v.p[k] <= 'z' ? (char)(v.p[k] - 32) : v.p[k];
            n = (int)v.n;
        }
        if (n < 0) {
            refuse_value(w, a, f, item, v, "cannot be written", why);
            return 0;
        }
        v = slice(p, (size_t)n);
    }
    *v_r = v;
    return 1;
}

/* One value of the object `values`, converted and set; f is the object that the path goes by. */
static ALWAYS_INLINE int run_value(struct map_writer *w, const struct frame *values, const struct frame *f,
                                   const struct action *a, unsigned element, uint32_t item, struct slice v)
{
    const char *why;
    char *p;
    int n, code;

    switch (a->kind) {
    case ACTION_TEXT:
        break;
    case ACTION_CODE: {
        struct slice beside = slice(NULL, 0), word = v;
        bool lost;
        if (has(values, a->beside)) {
            code = text_of(w, values, a->beside, &beside);
            if (code)
                return code;
        }
        if (UNLIKELY(!code_of(a, word, beside, &v, &lost))) {
            refuse_word(w, a, f, item, word, beside);
            return 0;
        }
        if (UNLIKELY(lost))
            report_loss(w, path_to(w, f, a->list, item, a->op->beside), beside,
                        "is not written: it stands for something else");
        break;
    }
    case ACTION_DATE:
        p = room_for(w, 8);
        if (UNLIKELY(!p))
            return no_room(w);
        n = express_date(v, date_digits(w, a), p, &why);
        if (UNLIKELY(n < 0)) {
            refuse_value(w, a, f, item, v, "cannot be written", why);
            return 0;
        }
        v = slice(p, (size_t)n);
        break;
    case ACTION_TIME:
        p = room_for(w, 8);
        if (UNLIKELY(!p))
            return no_room(w);
        n = express_time(v, p, &why);
        if (UNLIKELY(n < 0)) {
            refuse_value(w, a, f, item, v, "cannot be written", why);
            return 0;
        }
        v = slice(p, (size_t)n);
        break;
    case ACTION_PLACES:
        if (a->places == 0 && LIKELY(!memchr(v.p, '.', v.n)))
            break;
        p = room_for(w, v.n + a->places + (a->use ? a->use->min : 0) + 2);
        if (UNLIKELY(!p))
            return no_room(w);
        n = express_places(v, a->places, a->use ? a->use->min : 1, p, &why);
        if (UNLIKELY(n < 0)) {
            refuse_value(w, a, f, item, v, "has too many decimals", why);
            return 0;
        }
        v = slice(p, (size_t)n);
        break;
    case ACTION_DATETIME:
        return set_datetime(w, a, element, f, item, v);
    default: {
        struct slice beside = slice(NULL, 0);
        if (has(values, a->beside)) {
            code = text_of(w, values, a->beside, &beside);
            if (code)
                return code;
        }
        code = convert_back(w, a, element, f, item, beside, &v);
        if (code <= 0)
            return code;
    }
    }
    if (UNLIKELY(a->adds))
        add_hash(&w->writing.check[a->adds - 1], v);
    return set_cell(w, a, element, f, item, v, false);
}

static int set_check(struct map_writer *w, const struct frame *f, const struct action *a)
{
    const struct check_work *check = &w->writing.check[a->check];
    char *p = room_for(w, 24);
    int n;

    if (!p)
        return no_room(w);
    n = snprintf(p, 24, "%llu", (unsigned long long)(a->kind == ACTION_COUNT ? check->count : check->sum));
    /* a total of nothing makes no segment */
    return set_cell(w, a, a->element, f, 0, slice(p, (size_t)n), check->count == 0);
}

/* What a node is called by, and its parent: the numbers of both. */
static int set_node(struct map_writer *w, const struct frame *f, const struct action *a)
{
    struct slice v;
    uint64_t n = f->index + 1;
    char *p;
    int code;

    if (a->kind == ACTION_CHILDREN)
        return set_cell(w, a, a->element, f, 0, tree_is_parent(&w->tree, n) ? SLICE("1") : SLICE("0"), true);
    if (a->kind == ACTION_PARENT) {
        if (!has(f, a->field))
            return 0;
        code = text_of(w, f, a->field, &v);
        if (code)
            return code;
        n = tree_find(&w->tree, v);
        if (n == 0 || n > f->index) {
            refuse_value(w, a, f, 0, v, "is the id of no node before this one", "");
            return 0;
        }
    }
    p = room_for(w, 24);
    if (!p)
        return no_room(w);
    return set_cell(w, a, a->element, f, 0, slice(p, (size_t)snprintf(p, 24, "%llu", (unsigned long long)n)), true);
}

/* What has a guard, may be inherited, or has something to say even when it is absent. 1: go on as always. */
static COLD int look_twice(struct map_writer *w, const struct frame *values, const struct frame *f,
                           const struct action *a, unsigned element, uint32_t item)
{
    struct slice v, other;
    int code;

    if (a->kind == ACTION_COUNT || a->kind == ACTION_SUM) {
        code = set_check(w, f, a);
        return code < 0 ? code : 0;
    }
    if (a->kind >= ACTION_NODE) {
        code = set_node(w, f, a);
        return code < 0 ? code : 0;
    }
    if (a->kind == ACTION_CONSTANT) {
        code = set_cell(w, a, element, f, item, a->constant, true);
        return code < 0 ? code : 0;
    }
    if (a->guard != NO_FIELD) {
        if (!has(values, a->guard))
            return 0;
        code = text_of(w, values, a->guard, &v);
        if (code)
            return code;
        if (!slice_eq(v, a->op->guard_value))
            return 0;
        set_bit(((struct frame *)values)->hit, a->field);
    }
    if (!has(values, a->field)) {
        if (has(values, a->beside)) { /* the partner's code alone */
            code = text_of(w, values, a->beside, &v);
            if (!code)
                code = set_cell(w, a, element, f, item, v, false);
        } else {
            code = a->constant.n ? set_cell(w, a, element, f, item, a->constant, true) : 0;
        }
        return code < 0 ? code : 0;
    }
    if (a->inherits != NO_FIELD && has(&w->frame[0], a->inherits)) {
        code = text_of(w, values, a->field, &v);
        if (!code)
            code = text_of(w, &w->frame[0], a->inherits, &other);
        if (code)
            return code;
        for (unsigned i = 0; i < w->writing.n_inherits; i++)
            if (w->writing.inherit[i].field == a->inherits && w->writing.inherit[i].written && slice_eq(v, other))
                return 0;
    }
    return 1;
}

/* An action that is not plain. */
static int run_odd(struct map_writer *w, const struct frame *values, const struct frame *f, const struct action *a,
                   unsigned shift, uint32_t item)
{
    struct slice v;
    int code;

    if (!a->free || !has(values, a->field)) {
        if (!a->odd)
            return 0;
        /* nothing there, and nothing to say about that: the usual case */
        if (LIKELY(!has(values, a->field) && !has(values, a->beside) && a->constant.n == 0 &&
                   a->kind < ACTION_CONSTANT))
            return 0;
        code = look_twice(w, values, f, a, a->element + shift, item);
        if (code <= 0)
            return code;
    }
    code = text_of(w, values, a->field, &v);
    if (LIKELY(code == 0))
        code = run_value(w, values, f, a, a->element + shift, item, v);
    return code;
}

/* All actions of a segment, one after the other. `shift` is added to elements, `item` is the place in a->list. */
static int run_actions(struct map_writer *w, const struct frame *values, const struct frame *f,
                       const struct action *a, unsigned n, unsigned shift, uint32_t item)
{
    int code = 0;
    for (; n-- && code >= 0; a++)
        code = run_odd(w, values, f, a, shift, item);
    return code;
}

/* The plain actions of the fields in a set. */
static int run_plain(struct map_writer *w, const struct frame *values, const struct frame *f, const uint64_t *mask,
                     unsigned shift, uint32_t item)
{
    const struct scope_work *s = values->scope;
    for (unsigned i = 0; i < s->present_words; i++)
        for (uint64_t bits = values->present[i] & mask[i]; bits; bits &= bits - 1) {
            unsigned field = i * 64 + (unsigned)__builtin_ctzll(bits);
            const struct action *a = s->plain[field];
            struct slice v;
            int code = text_of(w, values, field, &v);
            if (LIKELY(code == 0))
                code = run_value(w, values, f, a, a->element + shift, item, v);
            if (UNLIKELY(code < 0))
                return code;
        }
    return 0;
}

/* ---- members ---- */

/* The field that a member is, -1: none. Members mostly follow each other as they did the last time. */
static ALWAYS_INLINE int field_at(const struct scope_work *s, const struct json_tape *tape, uint32_t node,
                                  unsigned before)
{
    const struct json_node *n = &tape->node[node];
    unsigned guess = s->name[before].follows;
    const struct field_name *name = &s->name[guess];
    const char *key = tape->text.p + n->key;
    uint64_t head, tail;
    int i;

    if (LIKELY(n->key_n == name->n && !(n->flags & JSON_KEY_ESCAPED) && (size_t)n->key + 16 <= tape->text.n)) {
        memcpy(&head, key, 8);
        memcpy(&tail, key + 8, 8);
        if (LIKELY((((head ^ name->head) & name->head_mask) | ((tail ^ name->tail) & name->tail_mask)) == 0) &&
            (name->n <= 16 || memcmp(key + 16, s->object->field[guess].name.p + 16, name->n - 16) == 0))
            return (int)guess;
    }
    i = record_field_of(s->object, tape, node);
    if (i >= 0)
        s->name[before].follows = (uint16_t)i;
    return i;
}

/* Goes through an object's members: where they stand and what they give reason for. Each is held against the kind.
 * With `direct`, plain values of its own segment (or, of pairs, of theirs) go into the segment at hand at once. */
static ALWAYS_INLINE int collect_as(struct map_writer *w, struct frame *f, const struct scope_work *s,
                                    const struct json_tape *tape, uint32_t node, const bool direct,
                                    const struct frame *path, unsigned shift, uint32_t item)
{
    const unsigned n_words = s->n_words, present_words = s->present_words;
    const uint32_t end = json_end(tape, node);
    unsigned before = s->object->n;
    int code;

    f->scope = s;
    f->tape = tape;
    f->node = node;
    f->left = NULL;
    for (unsigned i = 0; i < present_words; i++)
        f->present[i] = 0;
    for (unsigned i = 0; i < n_words; i++)
        f->pending[i] = s->always[i];
    if (UNLIKELY(s->any_guarded))
        memset(f->hit, 0, sizeof(f->hit));
    for (uint32_t c = json_first(node); c < end; c = json_next(tape, c)) {
        const struct json_node *n = &tape->node[c];
        int i = field_at(s, tape, c, before);
        const struct field_name *name;
        uint64_t bit;
        bool strange;

        if (UNLIKELY(i < 0)) {
            code = hold_against_kind(w);
            if (code < 0)
                return code;
            continue;
        }
        before = (unsigned)i;
        name = &s->name[i];
        bit = 1ull << (before % 64);
        strange = n->type != name->type && !(n->type == JSON_STREAMED && !name->lost && name->type == JSON_ARRAY);
        strange |= f->present[before / 64] & bit;
        if (name->careful)
            strange |= !is_right(&s->object->field[i], s->object->field[i].type, tape, c);
        if (n->type == JSON_STRING ? n->n == 0 : n->type >= JSON_OBJECT && n->type != JSON_STREAMED && n->count == 0) {
            code = hold_against_kind(w); /* it counts as absent */
            if (code < 0)
                return code;
            continue;
        }
        if (UNLIKELY(strange)) {
            code = hold_against_kind(w);
            if (code < 0)
                return code;
            if (n->type == JSON_NULL)
                continue;
        }
        f->at[i] = c;
        f->present[before / 64] |= bit;
        if (UNLIKELY(name->lost)) {
            report_lost(w, f, before);
            continue;
        }
        if (direct && name->element && LIKELY(n->type == JSON_STRING && !(n->flags & JSON_ESCAPED))) {
            unsigned element = name->element + shift;
            if (LIKELY(!(w->filled >> (element - 1) & 1))) {
                struct cell *to = &w->cell[element - 1];
                to->text = slice(tape->text.p + n->at, n->n);
                to->from = s->plain[i];
                to->frame = path;
                to->item = item;
                w->filled |= 1ull << (element - 1);
                w->substance = true;
                if (LIKELY(name->settled))
                    continue;
                goto give;
            }
        }
        if (direct && s->direct[before / 64] & bit) {
            const struct action *a = s->plain[i];
            struct slice v;
            code = node_text(w, tape, c, &v);
            if (LIKELY(code == 0))
                code = run_value(w, f, path, a, a->element + shift, item, v);
            if (UNLIKELY(code < 0))
                return code;
            if (LIKELY(name->settled))
                continue;
        }
    give:
        if (n_words == 1)
            f->pending[0] |= s->gives[i];
        else
            for (unsigned k = 0; k < n_words; k++)
                f->pending[k] |= s->gives[before * n_words + k];
    }
    for (unsigned i = 0; i < present_words; i++)
        if (UNLIKELY(s->required[i] & ~f->present[i])) {
            code = hold_against_kind(w);
            if (code < 0)
                return code;
        }
    if (UNLIKELY(has(f, s->unmapped))) {
        read_left(w, f, f->at[s->unmapped]);
        f->present[s->unmapped / 64] &= ~(1ull << (s->unmapped % 64));
    }
    return 0;
}

static int collect(struct map_writer *w, struct frame *f, const struct scope_work *s, const struct json_tape *tape,
                   uint32_t node)
{
    return collect_as(w, f, s, tape, node, false, NULL, 0, 0);
}

/* The same, its own segment being at hand. */
static int collect_own(struct map_writer *w, struct frame *f, const struct scope_work *s,
                       const struct json_tape *tape, uint32_t node)
{
    return collect_as(w, f, s, tape, node, true, f, 0, 0);
}

/* The same for an item of pairs: `path` is the object that has the list. */
static int collect_pair(struct map_writer *w, struct frame *f, const struct scope_work *s,
                        const struct json_tape *tape, uint32_t node, const struct frame *path, unsigned shift,
                        uint32_t item)
{
    return collect_as(w, f, s, tape, node, true, path, shift, item);
}

/* ---- lists in segments ---- */

/* The items of a list, on a tape or streamed. */
struct items {
    bool streamed;
    const struct json_tape *tape;
    uint32_t next, end;
    uint64_t index;             /* of the item given last, from 0 */
    struct record_items it;
};

static void items_begin(struct map_writer *w, const struct frame *f, unsigned field, struct items *i_r)
{
    uint32_t node = f->at[field];
    i_r->streamed = f->tape->node[node].type == JSON_STREAMED;
    i_r->tape = f->tape;
    i_r->next = json_first(node);
    i_r->end = json_end(f->tape, node);
    i_r->index = UINT64_MAX;
    if (i_r->streamed) {
        record_items_begin(w->record, node, &i_r->it);
        w->streaming = &f->scope->object->field[field];
    }
}

static ALWAYS_INLINE int items_next(struct map_writer *w, struct items *i, uint32_t *node_r)
{
    if (UNLIKELY(i->streamed)) {
        int code = record_items_next(&i->it, &i->tape, node_r, w->err);
        i->index++;
        w->stream_index = i->index;
        w->stream_tape = i->tape;
        w->stream_node = code > 0 ? *node_r : 0;
        w->item_verified = false;
        if (code <= 0)
            w->streaming = NULL;
        return code;
    }
    if (i->next >= i->end)
        return 0;
    *node_r = i->next;
    i->next = json_next(i->tape, i->next);
    i->index++;
    return 1;
}

static COLD void too_many(struct map_writer *w, const struct spread *p, const struct frame *f, uint64_t index,
                          unsigned most)
{
    char place[160], expected[80];
    struct map_write_finding r = { .code = "MAP-LIST", .severity = SEVERITY_ERROR, .expected = expected,
                                   .segment = w->segments + 1,
                                   .found = "has no place: the list has more items than the segment can hold" };

    snprintf(expected, sizeof(expected), "at most %u", most);
    r.path = path_to(w, f, p->take->field, index, NULL);
    r.place = place_name(w, w->work->tag, p->take->first, 0, place, sizeof(place));
    report(w, &r);
}

static inline unsigned groups_of(const struct map_take *t)
{
    unsigned n = ((unsigned)t->last - t->first + 1) / t->group;
    return n ? n : 1;
}

static struct frame *item_frame(struct map_writer *w, const struct frame *up, const struct record_field *name,
                                uint64_t index)
{
    struct frame *f = &w->frame[w->top];
    f->up = up;
    f->name = name;
    f->listed = true;
    f->index = index;
    return f;
}

/* A list in the segment at hand: all its items, as many as there are elements. */
static int run_hosted(struct map_writer *w, const struct frame *f, const struct spread *p)
{
    unsigned most = groups_of(p->take), k = 0;
    struct items items;
    uint32_t node;
    int code;

    if (!has(f, p->field))
        return 0;
    items_begin(w, f, p->field, &items);
    while ((code = items_next(w, &items, &node)) > 0) {
        if (UNLIKELY(k == most || items.streamed)) {
            too_many(w, p, f, items.index, most);
            return 0;
        }
        if (p->item) {
            struct frame *item = item_frame(w, f, p->take->field, k);
            unsigned shift = k * p->take->group;
            if (UNLIKELY(items.tape->node[node].type != JSON_OBJECT))
                return hold_against_kind(w);
            code = collect_pair(w, item, p->item, items.tape, node, f, shift, k);
            for (unsigned i = 0; i < p->n_odd && code >= 0; i++)
                code = run_odd(w, item, f, p->odd[i], shift, k);
            if (UNLIKELY(p->shared < p->n_actions) && code >= 0)
                code = run_actions(w, item, f, p->action + p->shared, p->n_actions - p->shared, 0, k);
        } else {
            struct slice v;
            code = node_text(w, items.tape, node, &v);
            if (code == 0 && v.n)
                code = run_value(w, f, f, &p->action[0], p->action[0].element + k, k, v);
        }
        if (code < 0)
            return code;
        k++;
    }
    return code;
}

/* ---- segments ---- */

/* The field that an element of the segment at hand comes from, or would come from. */
static const struct action *action_for(const struct work *k, unsigned element, unsigned component)
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
            if (n < p->shared && element >= e && element <= p->take->last && (element - e) % p->take->group == 0)
                best = &p->action[n];
            else if (e == element)
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

/* The qualifier that a partner's guide demands, if it is one of those that a remark speaks of. */
static struct slice code_missing(const struct guide *g, const struct remark *r)
{
    for (unsigned i = 0; i < g->n_variants; i++) {
        const struct guide_variant *v = &g->variant[i];
        char words[80];
        snprintf(words, sizeof(words), "%.*s with %.*s in", SLICE_FMT(r->tag), SLICE_FMT(v->code_text));
        if (v->must && slice_eq(g->node[v->node].tag, r->tag) && slice_starts(slice_of(r->expected), slice_of(words)))
            return v->code_text;
    }
    return slice(NULL, 0);
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
        return path_to(w, of, NULL, 0, NULL);
    return path_to(w, c->frame, NULL, 0, c->from->list ? c->from->list : c->from->op->field);
}

/* Is the value that a remark speaks of a code or word of the action's table? Words became one, so a value that is none was
 * kept as it is. */
static bool is_code(const struct action *a, const struct remark *r)
{
    return r->code != FINDING_ELEMENT_SHORT && r->code != FINDING_ELEMENT_LONG && r->code != FINDING_ELEMENT_CODE
               ? true
               : words_find(a->words, r->value) ||
                     (r->value.n <= 8 && map_table_code(a->words->table, slice_key(r->value)));
}

/* What the checker has to say, in the record's terms. */
static COLD int remark(void *ctx, const struct segment *s, const struct remark *r)
{
    struct map_writer *w = ctx;
    const struct finding_row *row = &finding_rows[r->code];
    struct map_write_finding f = { .code = row->name, .severity = (enum severity)w->policy.severity[r->code],
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
        f.path = path_to(w, field ? of : w->of, NULL, 0, field);
        f.place = place_name(w, r->tag, 0, 0, place, sizeof(place));
        f.value = slice(NULL, 0);
        report(w, &f);
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
            a = action_for(w->work, r->element, r->component);
            for (unsigned i = 0; i < w->work->n_members && !a; i++)
                a = action_for(&w->work->member[i]->owner, r->element, r->component);
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
            f.path = path_to(w, of, a->list, item, a->op->field);
        else
            f.path = path_to(w, of, NULL, 0, NULL);
    } else {
        f.path = segment_path(w);
    }
    f.place = place_name(w, segment_tag(s), r->element, r->component, place, sizeof(place));
    report(w, &f);
    return w->stopped;
}

/* The writer would not have a value. */
static COLD int refused_cell(struct map_writer *w, const struct cell *c, unsigned element, unsigned component)
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
    f.path = path_to(w, c->frame ? c->frame : w->of, c->from ? c->from->list : NULL, c->item,
                     c->from ? c->from->op->field : NULL);
    f.place = place_name(w, w->work->tag, element, component, place, sizeof(place));
    report(w, &f);
    return 0;
}

static COLD int writer_failed(struct map_writer *w)
{
    const struct err *why = edi_writer_error(w->out);
    return err_set(w->err, why->code ? why->code : ERR_INTERNAL, "%s", why->text);
}

static COLD void misplaced(struct map_writer *w, const struct guide_node *node)
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
    f.place = place_name(w, w->work->tag, 0, 0, place, sizeof(place));
    report(w, &f);
}

static int write_parts(struct map_writer *w, unsigned element)
{
    for (unsigned i = 0; i < w->n_parts; i++)
        if (w->part[i].element == element) {
            int code = edi_write_component(w->out, element, w->part[i].component, w->part[i].cell.text);
            if (code < 0)
                code = refused_cell(w, &w->part[i].cell, element, w->part[i].component);
            if (code < 0)
                return code;
        }
    return 0;
}

static int write_left(struct map_writer *w, struct frame *f, unsigned before);
static int merge_left(struct map_writer *w);
static void count_left(struct map_writer *w);

/* Writes the segment at hand if it holds something. 1: it was written. */
static int end_segment(struct map_writer *w, bool always)
{
    const struct guide_node *node;
    struct segment s;
    uint64_t mask;
    int code;

    if (UNLIKELY(w->some_left)) {
        code = merge_left(w);
        if (code < 0)
            return code;
    }
    if (!w->substance && !always)
        return 0;
    if (w->work->n_select)
        set_selects(w, w->work);
    code = edi_write_begin(w->out, w->work->tag);
    if (UNLIKELY(code < 0))
        return writer_failed(w);
    mask = w->filled;
    if (LIKELY(!w->composite)) {
        code = edi_write_elements(w->out, mask, &w->cell[0].text, sizeof(w->cell[0]));
        if (UNLIKELY(code < 0))
            return writer_failed(w);
        mask = code ? mask : 0;
    }
    for (; mask; mask &= mask - 1) {
        unsigned k = (unsigned)__builtin_ctzll(mask);
        if (UNLIKELY(w->composite >> k & 1))
            code = write_parts(w, k + 1);
        else if (UNLIKELY(edi_write_element(w->out, k + 1, w->cell[k].text) < 0))
            code = refused_cell(w, &w->cell[k], k + 1, 0);
        if (UNLIKELY(code < 0)) {
            edi_write_cancel(w->out);
            return code;
        }
    }
    code = edi_write_end(w->out, true, &s);
    if (UNLIKELY(code < 0))
        return writer_failed(w);
    w->segments++;
    if (UNLIKELY(w->some_left))
        count_left(w);
    node = check_place(&w->checker, &s);
    if (LIKELY(node)) {
        if (UNLIKELY(node->ordinal != w->work->segment))
            misplaced(w, node);
        check_segment(&w->checker, &s, node);
    }
    if (UNLIKELY(w->dry && w->segments % 512 == 0)) {
        edi_writer_rewind(w->out, &w->mark);
        if (edi_writer_mark(w->out, &w->mark) < 0)
            return writer_failed(w);
    }
    if (UNLIKELY(w->stopped))
        return w->stopped;
    return 1;
}

/* The object's own part of a segment, but for what collect_own() has done: its fields and the lists inside. */
static int run_rest(struct map_writer *w, const struct frame *f, const struct work *k)
{
    int code = 0;
    for (unsigned i = 0; i < k->n_odd && code >= 0; i++)
        code = run_odd(w, f, f, k->odd[i], 0, 0);
    for (unsigned i = 0; i < k->n_spreads && code >= 0; i++)
        code = run_hosted(w, f, &k->spread[i]);
    return code;
}

static int run_own(struct map_writer *w, const struct frame *f, const struct work *k)
{
    int code = run_plain(w, f, f, k->mask, 0, 0);
    return code < 0 ? code : run_rest(w, f, k);
}

/* ---- works ---- */

static int run_inner(struct map_writer *w, struct frame *f);

/* Does what is pending hold anything? Objects and lists may be there and yet be empty inside. */
static COLD bool holds_more(const struct frame *f)
{
    const struct scope_work *s = f->scope;
    for (unsigned i = 0; i < s->n_works; i++) {
        const struct work *k = &s->work[i];
        uint32_t node;
        if (!bit_of(f->pending, i))
            continue;
        if (k->kind != WORK_LIST)
            return true;
        node = f->at[k->field];
        if (f->tape->node[node].type == JSON_STREAMED)
            return true;
        for (uint32_t c = json_first(node); c < json_end(f->tape, node); c = json_next(f->tape, c))
            if (f->tape->node[c].count)
                return true;
    }
    return f->left != NULL;
}

/* A segment of the object's fields, and of the objects in it that begin with the same segment. */
static int run_segment(struct map_writer *w, struct frame *f, const struct work *k)
{
    struct frame *member[MOST_MEMBERS] = { NULL };
    unsigned top = w->top;
    bool always = false;
    int code;

    begin_segment(w, k, f);
    code = run_own(w, f, k);
    for (unsigned i = 0; i < k->n_members && code >= 0; i++) {
        struct frame *m;
        if (!has(f, k->member_field[i]))
            continue;
        m = member[i] = &w->frame[w->top++];
        m->up = f;
        m->name = k->member_name[i];
        m->listed = false;
        if (k->n_actions == 0)
            w->of = m;
        code = collect_own(w, m, k->member[i], f->tape, f->at[k->member_field[i]]);
        if (code >= 0)
            code = run_rest(w, m, &k->member[i]->owner);
        w->member[w->n_members++] = m;
        always |= !w->substance && code >= 0 && holds_more(m);
    }
    if (code >= 0)
        code = end_segment(w, always && !w->substance);
    for (unsigned i = 0; i < k->n_members && code >= 0; i++)
        if (member[i])
            code = run_inner(w, member[i]);
    w->top = top;
    return code < 0 ? code : 0;
}

/* Is the item for this work, where several works write one list? */
static int fits(struct map_writer *w, const struct frame *item, const struct work *k)
{
    int code;
    begin_segment(w, &k->scope->owner, item);
    code = run_actions(w, item, item, k->scope->owner.action, k->scope->owner.n_actions, 0, 0);
    if (code < 0)
        return code;
    for (unsigned i = 0; i < k->n_select; i++) {
        uint64_t bit = 1ull << (k->select[i].element - 1);
        if (w->filled & bit && !slice_eq(w->cell[k->select[i].element - 1].text, k->select[i].text))
            return 0;
        if (!(w->filled & bit) && action_for(&k->scope->owner, k->select[i].element, 0))
            return 0;
    }
    return 1;
}

static int is_mine(struct map_writer *w, const struct frame *f, const struct frame *item, const struct work *k)
{
    const struct scope_work *s = f->scope;
    for (unsigned i = 0; i < s->n_works; i++)
        if (s->work[i].kind == WORK_LIST && s->work[i].field == k->field) {
            int code = fits(w, item, &s->work[i]);
            if (code)
                return code < 0 ? code : &s->work[i] == k;
        }
    return 0;
}

static void count_item(struct map_writer *w, const struct work *k)
{
    for (unsigned i = 0; i < w->writing.n_checks; i++)
        if (w->writing.check[i].list_field == k->field && !w->writing.check[i].ahead)
            w->writing.check[i].count++;
}

/* Does an item go on with the segment of the one before? `rows` counts what that segment has. */
static int joins_row(struct map_writer *w, const struct frame *item, uint32_t *rows)
{
    const struct scope_work *s = item->scope;
    struct buf other = w->last_row;
    bool before = false, behind = false, row = false;

    w->last_row = w->row;
    w->row = other;
    buf_clear(&w->row);
    for (unsigned i = 0; i < s->n_shared; i++)
        if (has(item, s->shared[i])) {
            buf_printf(&w->row, "%u:", s->shared[i]);
            buf_add_slice(&w->row, json_raw(item->tape, item->at[s->shared[i]]));
        }
    if (w->row.failed)
        return err_set(w->err, w->row.failed, "%s", err_name(w->row.failed));
    for (unsigned i = 0; i < s->n_words; i++) {
        before |= (item->pending[i] & s->before[i]) != 0;
        behind |= (item->pending[i] & s->behind[i]) != 0;
        row |= (item->pending[i] & ~s->before[i] & ~s->behind[i]) != 0;
    }
    for (const struct left *l = item->left; l; l = l->next) {
        before |= l->order < s->row_from;
        behind |= l->order >= s->row_to;
        row |= l->order >= s->row_from && l->order < s->row_to;
    }
    /* *rows is 0 where nothing may follow */
    if (*rows && !before && row && *rows < w->plan->guide->node[s->row].max &&
        slice_eq(buf_slice(&w->row), buf_slice(&w->last_row))) {
        *rows = behind ? 0 : *rows + 1;
        return 1;
    }
    *rows = row && !behind;
    return 0;
}

static int run_list(struct map_writer *w, struct frame *f, const struct work *k)
{
    const struct scope_work *s = k->scope;
    const struct record_field *name = k->take->field;
    struct items items;
    uint32_t node, rows = 0;
    int code;

    items_begin(w, f, k->field, &items);
    while ((code = items_next(w, &items, &node)) > 0) {
        struct frame *item = item_frame(w, f, name, items.index);
        bool joined = false;
        if (UNLIKELY(items.tape->node[node].type != JSON_OBJECT)) {
            code = hold_against_kind(w);
            if (code < 0)
                return code;
            continue;
        }
        w->top++;
        if (UNLIKELY(w->some_left) && !f->up)
            arena_reset(&w->item_arena);
        if (UNLIKELY(k->rival)) {
            code = collect(w, item, s, items.tape, node);
            if (code >= 0)
                code = is_mine(w, f, item, k);
            if (code <= 0) {
                w->top--;
                if (code < 0)
                    return code;
                continue;
            }
            begin_segment(w, &s->owner, item);
            code = run_own(w, item, &s->owner);
        } else {
            begin_segment(w, &s->owner, item);
            code = collect_own(w, item, s, items.tape, node);
            if (LIKELY(code >= 0))
                code = run_rest(w, item, &s->owner);
        }
        if (UNLIKELY(s->row) && code >= 0) {
            code = joins_row(w, item, &rows);
            joined = code > 0;
        }
        if (LIKELY(code >= 0) && !joined)
            code = end_segment(w, UNLIKELY(!w->substance) && holds_more(item));
        if (code > 0 && k->check && !joined)
            count_item(w, k);
        if (LIKELY(code >= 0))
            code = run_inner(w, item);
        w->top--;
        if (UNLIKELY(f->left) && code >= 0)
            code = write_left(w, f, k->segment);
        if (UNLIKELY(code < 0))
            return code;
    }
    return code;
}

/* Do two items agree in what a segment's pairs share? */
static bool same_shared(const struct spread *p, const struct frame *a, const struct frame *b)
{
    for (unsigned i = 0; i < p->n_shared_fields; i++) {
        unsigned field = p->shared_field[i];
        const struct json_node *x, *y;
        if (has(a, field) != has(b, field))
            return false;
        if (!has(a, field))
            continue;
        x = &a->tape->node[a->at[field]];
        y = &b->tape->node[b->at[field]];
        if (x->n != y->n || memcmp(a->tape->text.p + x->at, b->tape->text.p + y->at, x->n) != 0)
            return false;
    }
    return true;
}

static bool is_gap(const struct frame *f)
{
    for (unsigned i = 0; i < f->scope->present_words; i++)
        if (f->present[i])
            return false;
    return true;
}

static int keep_cell(struct map_writer *w, struct cell *c)
{
    char *p = room_for(w, c->text.n);
    if (!p)
        return no_room(w);
    memcpy(p, c->text.p, c->text.n);
    c->text.p = p;
    return 0;
}

/* What cells borrow from a streamed item is copied, because the next one takes its place. */
static COLD int keep_cells(struct map_writer *w, uint64_t new_cells, unsigned from_part)
{
    int code = 0;
    for (; new_cells && !code; new_cells &= new_cells - 1)
        code = keep_cell(w, &w->cell[__builtin_ctzll(new_cells)]);
    for (; from_part < w->n_parts && !code; from_part++)
        code = keep_cell(w, &w->part[from_part].cell);
    return code;
}

/* A list whose items lie several in a segment, and in as many segments as are needed. */
static int run_pairs(struct map_writer *w, struct frame *f, const struct work *k)
{
    const struct spread *p = &k->spread[0];
    const struct map_take *t = p->take;
    unsigned most = groups_of(t), slot = 0, top = w->top, which = 0;
    struct frame *shared = NULL;        /* of the item that says what this segment's pairs share */
    struct items items;
    uint32_t node;
    int code;

    begin_segment(w, k, f);
    items_begin(w, f, p->field, &items);
    /* two frames, in turn: the item and the one that the segment goes by */
    while ((code = items_next(w, &items, &node)) > 0) {
        struct frame *item = NULL;
        bool gap = false;
        uint64_t filled;
        unsigned parts;
        if (p->item) {
            w->top = top + which;
            item = item_frame(w, f, t->field, items.index);
            w->top = top;
            if (UNLIKELY(items.tape->node[node].type != JSON_OBJECT))
                return hold_against_kind(w);
            code = collect(w, item, p->item, items.tape, node);
            if (code < 0)
                return code;
            gap = is_gap(item);
        }
        if (slot == most || (shared && !gap && item && !same_shared(p, shared, item))) {
            if (!t->repeats && slot == most) {
                too_many(w, p, f, items.index, most);
                return 0;
            }
            code = end_segment(w, false);
            if (UNLIKELY(f->left) && code >= 0)
                code = write_left(w, f, k->segment);
            if (code < 0)
                return code;
            begin_segment(w, k, f);
            slot = 0;
            shared = NULL;
        }
        filled = w->filled;
        parts = w->n_parts;
        if (item) {
            code = run_plain(w, item, f, p->item->direct, slot * t->group, (uint32_t)items.index);
            for (unsigned i = 0; i < p->n_odd && code >= 0; i++)
                code = run_odd(w, item, f, p->odd[i], slot * t->group, (uint32_t)items.index);
            if (code >= 0 && !shared && !gap && p->n_shared_fields) {
                code = run_actions(w, item, f, p->action + p->shared, p->n_actions - p->shared, 0,
                                   (uint32_t)items.index);
                shared = item;
                which ^= 1;
            }
        } else {
            struct slice v;
            code = node_text(w, items.tape, node, &v);
            if (items.streamed && items.tape->node[node].type != JSON_STRING)
                code = hold_against_kind(w);
            if (code == 0 && v.n)
                code = run_value(w, f, f, &p->action[0], p->action[0].element + slot, (uint32_t)items.index, v);
        }
        if (code >= 0 && items.streamed)
            code = keep_cells(w, w->filled & ~filled, parts);
        if (code < 0)
            return code;
        slot++;
    }
    if (code == 0)
        code = end_segment(w, false);
    return code < 0 ? code : 0;
}

/* Up to `most` characters of s. */
static struct slice piece_of(struct slice s, uint32_t most)
{
    size_t n = 0;
    if (s.n <= most)
        return s;
    for (uint32_t k = 0; k < most && n < s.n; k++) {
        unsigned step = utf8_length(slice_from(s, n));
        n += step ? step : 1;
    }
    return slice(s.p, n < s.n ? n : s.n);
}

/* A text in pieces, one a segment. What a reader could not tell is reported as loss. */
static int run_fold(struct map_writer *w, struct frame *f, const struct work *k)
{
    const struct action *a = &k->action[0];
    uint32_t most = k->take->fold ? k->take->fold : UINT32_MAX;
    bool more = true, lost = false;
    struct slice v, kept, rest;
    int code = text_of(w, f, a->field, &v);

    if (code)
        return code;
    if (a->guard != NO_FIELD) {
        code = look_twice(w, f, f, a, a->element, 0);
        if (code <= 0)
            return code;
    }
    if (f->tape->node[f->at[a->field]].flags & JSON_ESCAPED) { /* decoded: it must outlive the segments */
        buf_clear(&w->text);
        buf_add_slice(&w->text, v);
        if (w->text.failed)
            return err_set(w->err, w->text.failed, "%s", err_name(w->text.failed));
        v = buf_slice(&w->text);
    }
    kept = v;
    while (more && code >= 0) {
        struct slice line = slice_cut(v, '\n', &rest, &more);
        v = rest;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        lost |= line.n == 0;
        while (line.n && code >= 0) {
            struct slice piece = piece_of(line, most);
            line = slice_from(line, piece.n);
            lost |= line.n == 0 && more && piece_of(piece, most - 1).n < piece.n;
            begin_segment(w, k, f);
            code = run_value(w, f, f, a, a->element, 0, piece);
            if (code >= 0)
                code = end_segment(w, false);
            if (UNLIKELY(f->left) && code >= 0)
                code = write_left(w, f, k->segment);
        }
    }
    if (lost && code >= 0)
        report_loss(w, path_to(w, f, NULL, 0, a->op->field), kept.n > 80 ? slice(kept.p, 80) : kept,
                    "loses a line break: behind an empty or a full line nothing stands for it");
    return code < 0 ? code : 0;
}

static COLD void report_unguarded(struct map_writer *w, struct frame *f)
{
    struct scope_work *s = (struct scope_work *)f->scope;
    for (unsigned i = 0; i < s->object->n; i++)
        if (has(f, i) && bit_of(s->guarded, i) && !bit_of(f->hit, i) && !bit_of(s->reported, i)) {
            set_bit(s->reported, i);
            report_loss(w, path_to(w, f, NULL, 0, &s->object->field[i]), slice(NULL, 0),
                        "is not written: the lines that take it are for other cases");
        }
}

/* Everything of an object but its own segment. */
static int run_inner(struct map_writer *w, struct frame *f)
{
    const struct scope_work *s = f->scope;
    int code = 0;

    for (unsigned i = 0; i < s->n_words; i++)
        for (uint64_t bits = f->pending[i]; bits; bits &= bits - 1) {
            const struct work *k = &s->work[i * 64 + (unsigned)__builtin_ctzll(bits)];
            if (UNLIKELY(f->left)) {
                code = write_left(w, f, k->segment);
                if (code < 0)
                    return code;
            }
            switch (k->kind) {
            case WORK_SEGMENT:
                code = run_segment(w, f, k);
                break;
            case WORK_LIST:
                code = run_list(w, f, k);
                break;
            case WORK_PAIRS:
                code = run_pairs(w, f, k);
                break;
            case WORK_FOLD:
                begin_segment(w, k, f);
                code = run_fold(w, f, k);
                break;
            default:
                begin_segment(w, k, f);
                code = end_segment(w, true);
            }
            if (UNLIKELY(code < 0))
                return code;
        }
    if (UNLIKELY(f->left)) {
        code = write_left(w, f, UINT32_MAX);
        if (code < 0)
            return code;
    }
    if (UNLIKELY(s->any_guarded))
        report_unguarded(w, f);
    return 0;
}

/* ---- unmapped ---- */

/* `#2` and `[IA]` behind a name. */
static struct slice step_of(struct slice *rest, uint32_t *occurrence_r, struct slice *select_r)
{
    struct slice tag = *rest;
    size_t n = 0;
    uint64_t number = 1;

    *select_r = slice(NULL, 0);
    while (n < rest->n && rest->p[n] != '/' && rest->p[n] != '#' && rest->p[n] != '[' && rest->p[n] != '.')
        n++;
    tag.n = n;
    *rest = slice_from(*rest, n);
    if (rest->n && rest->p[0] == '[') {
        const char *end = memchr(rest->p, ']', rest->n);
        if (end) {
            *select_r = slice(rest->p + 1, (size_t)(end - rest->p) - 1);
            *rest = slice_from(*rest, select_r->n + 2);
        }
    }
    if (rest->n && rest->p[0] == '#') {
        for (n = 1; n < rest->n && is_digit(rest->p[n]); n++)
            ;
        if (!slice_number(slice(rest->p + 1, n - 1), UINT32_MAX, &number))
            number = 1;
        *rest = slice_from(*rest, n);
    }
    *occurrence_r = (uint32_t)number;
    return tag;
}

/* An item of `unmapped`: its path up to the segment, element, component and value. False: not to be understood. */
static bool left_item(struct map_writer *w, const struct json_tape *tape, uint32_t node, struct arena *arena,
                      struct slice *path_r, unsigned *element_r, unsigned *component_r, struct slice *value_r)
{
    uint32_t path = json_member(tape, node, SLICE("path")), value = json_member(tape, node, SLICE("value"));
    struct slice text, name, tag, number;
    size_t dot;
    bool found;
    uint64_t component = 0;
    const char *bracket;

    *element_r = *component_r = 0;
    if (!path || tape->node[path].type != JSON_STRING || json_string(tape, path, arena, &text) < 0)
        return false;
    *value_r = slice(NULL, 0);
    if (value && json_string(tape, value, arena, value_r) < 0)
        return false;
    (void)w;
    bracket = text.n ? memchr(text.p, ']', text.n) : NULL;
    for (dot = bracket ? (size_t)(bracket - text.p) : 0; dot < text.n && text.p[dot] != '.'; dot++)
        ;
    *path_r = slice(text.p, dot);
    name = slice_from(text, dot + 1);
    if (name.n == 0)
        return text.n > 0;
    name = slice_cut(name, '-', &number, &found);
    if (found && (!slice_number(number, 64, &component) || component == 0))
        return false;
    *component_r = (unsigned)component;
    return path_split_element(name, &tag, element_r) && *element_r && *element_r <= 64;
}

/* Do lines of the map write something in that loop? By single fields, or by objects that keep what they do not take. */
static void see_loop(const struct scope_work *s, const struct guide_node *loop, bool *fields_r, bool *unclear_r)
{
    *fields_r = *unclear_r = false;
    for (unsigned i = 0; i < s->n_works; i++) {
        const struct work *k = &s->work[i];
        if (k->segment <= loop->ordinal || k->segment >= loop->end)
            continue;
        if (k->kind == WORK_LIST)
            *unclear_r |= k->scope->unmapped == NO_FIELD;
        else if (k->n_members == 0)
            *fields_r = true;
        for (unsigned n = 0; n < k->n_members; n++) {
            *unclear_r |= k->member[n]->unmapped == NO_FIELD;
            *fields_r |= k->n_actions > 0 || k->member[n]->scope->implied;
        }
    }
}

static bool is_tag(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'A' && s.p[i] <= 'Z') && !(i && is_digit(s.p[i])))
            return false;
    return s.n == 2 || s.n == 3;
}

/* Finds where a left-over segment belongs. False: it cannot be written back. */
static bool resolve_left(const struct map_writer *w, const struct frame *f, struct left *l)
{
    const struct guide *g = w->plan->guide;
    const struct guide_node *scope = &g->node[f->scope->scope->node], *node, *top;
    struct slice tag[PATH_STEPS], rest = l->path;
    uint32_t occurrence[PATH_STEPS];
    bool fields, unclear;
    uint32_t repeated;
    unsigned n = 0;

    while (rest.n) {
        if (rest.p[0] == '?') {
            rest = slice_from(rest, 1);
            l->stray = step_of(&rest, &repeated, &l->select);
            if (rest.n || !is_tag(l->stray))
                return false;
            break;
        }
        if (n == PATH_STEPS)
            return false;
        tag[n] = step_of(&rest, &occurrence[n], &l->select);
        n++;
        if (rest.n && rest.p[0] != '/')
            return false;
        rest = slice_from(rest, 1);
    }
    if (n == 0 && !l->stray.n)
        return false;
    l->apart = l->stray.n > 0;
    l->occurrence = n ? occurrence[n - 1] : 1;
    if (n == 0) { /* behind the object's own segment */
        l->node = scope->loop && scope->first != NODE_NONE ? &g->node[scope->first] : scope;
        l->order = scope->ordinal ? l->node->ordinal : 0;
        return true;
    }
    if (!scope->loop) {
        l->node = scope;
        l->order = scope->ordinal;
        l->trigger = true;
        return n == 1 && slice_eq(tag[0], scope->tag);
    }
    top = scope->first != NODE_NONE ? &g->node[scope->first] : NULL;
    if (n == 1 && top && scope->ordinal && slice_eq(top->tag, tag[0])) {
        l->node = top; /* its own segment */
        l->order = top->ordinal;
        l->trigger = true;
        return true;
    }
    node = guide_node_at(g, scope, tag, n);
    top = guide_node_at(g, scope, tag, 1);
    if (!node || !top)
        return false;
    while (node->loop && node->first != NODE_NONE)
        node = &g->node[node->first];
    l->node = node;
    l->order = node->ordinal;
    if (!node->def)
        return false;
    if (!top->loop)
        return true;
    see_loop(f->scope, top, &fields, &unclear);
    if (fields && occurrence[0] == 1) {
        l->trigger = node->trigger && n == 2;
        return true;
    }
    /* a loop that nothing else is taken from: in the order of the list, behind those that are */
    while (top->loop && top->first != NODE_NONE)
        top = &g->node[top->first];
    l->order = top->ordinal;
    l->apart = true;
    return !unclear;
}

static COLD void lose_left(struct map_writer *w, const struct frame *f, uint32_t node, uint64_t index,
                           const char *found)
{
    char place[200];
    uint32_t path = json_member(f->tape, node, SLICE("path")), value = json_member(f->tape, node, SLICE("value"));
    struct map_write_finding r = { .code = "MAP-LOSS", .severity = SEVERITY_WARNING, .expected = "", .loss = true,
                                   .found = found };
    struct slice name = path ? json_raw(f->tape, path) : slice(NULL, 0);

    if (value)
        r.value = json_raw(f->tape, value);
    snprintf(place, sizeof(place), "%.*s", (int)(name.n < 180 ? name.n : 180), name.n ? name.p : "");
    r.place = slice_of(place);
    r.path = path_to(w, f, &f->scope->object->field[f->scope->unmapped], index, NULL);
    report(w, &r);
}

/* Goes through an object's `unmapped`: what may be written back is kept for its place, all else is a loss. */
static void read_left(struct map_writer *w, struct frame *f, uint32_t list)
{
    const struct json_tape *tape = f->tape;
    struct arena *arena = f->up ? &w->item_arena : &w->record_arena;
    struct left **link = &f->left, *last = NULL;
    uint64_t index = 0;

    for (uint32_t c = json_first(list); c < json_end(tape, list); c = json_next(tape, c), index++) {
        struct slice path, value;
        unsigned element, component;
        struct left *l;
        if (!w->options.write_unmapped || !f->scope->scope || tape->node[list].type != JSON_ARRAY ||
            tape->node[c].type != JSON_OBJECT ||
            !left_item(w, tape, c, arena, &path, &element, &component, &value)) {
            lose_left(w, f, c, index, "is not written: no line of the map takes it");
            last = NULL;
            continue;
        }
        if (last && slice_eq(last->path, path)) {
            last->n++;
            last->whole |= element && element == last->node->def->qualifier;
            continue;
        }
        l = ARENA_NEW(arena, struct left);
        if (!l) {
            w->nomem = true;
            return;
        }
        *l = (struct left){ .path = path, .first = c, .index = index, .n = 1 };
        if (!resolve_left(w, f, l)) {
            lose_left(w, f, c, index, "is not written: no line of the map takes it");
            last = NULL;
            continue;
        }
        l->whole = element && element == l->node->def->qualifier;
        last = *link = l;
        link = &l->next;
        w->some_left = true;
        for (unsigned i = 0; i < f->scope->n_works && !l->stray.n; i++) /* a segment of which nothing else is there */
            if (f->scope->work[i].kind == WORK_SEGMENT && f->scope->work[i].segment == l->node->ordinal &&
                f->scope->work[i].n_members == 0)
                set_bit(f->pending, i);
    }
}

/* The values of a left-over segment into the cells of the segment at hand. */
static int fill_left(struct map_writer *w, const struct frame *f, const struct left *l)
{
    const struct json_tape *tape = f->tape;
    uint32_t c = l->first;

    for (uint32_t i = 0; i < l->n; i++, c = json_next(tape, c)) {
        struct slice path, value;
        unsigned element, component;
        uint64_t bit;
        int code = 0;
        if (!left_item(w, tape, c, &w->segment_arena, &path, &element, &component, &value))
            return err_nomem(w->err);
        if (value.n == 0)
            continue;
        bit = element ? 1ull << (element - 1) : 0;
        if (element == 0 || (w->filled & bit && !(component && w->composite & bit))) {
            if (element == 0 || component || !slice_eq(w->cell[element - 1].text, value))
                lose_left(w, f, c, l->index + i, "is not written: there is something else");
            continue;
        }
        if (component && (!(w->filled & bit) || w->composite & bit)) {
            code = set_part(w, NULL, element, component, f, 0, value, false);
        } else {
            w->cell[element - 1] = (struct cell){ .text = value, .frame = f };
            w->filled |= bit;
            w->substance = true;
        }
        if (code < 0)
            return code;
    }
    return 0;
}

/* The object that keeps what no line takes of the segment at hand. */
static const struct frame *keeper(const struct map_writer *w)
{
    const struct frame *f = w->of;
    while (f->up && f->scope->unmapped == NO_FIELD)
        f = f->up;
    return f;
}

/* Is a left-over segment the rest of the one at hand? */
static bool joins(const struct work *k, const struct left *l)
{
    if (l->done || l->apart || l->node->ordinal != k->segment)
        return false;
    if (l->select.n)
        return k->n_select == 1 ? slice_eq(k->select[0].text, l->select) : k->n_select > 1;
    return l->seen + 1 == l->occurrence && (k->n_select == 0 || (l->trigger && !l->whole));
}

static int merge_left_of(struct map_writer *w, const struct frame *f)
{
    int code = 0;
    for (struct left *l = f->left; l && !code; l = l->next)
        if (joins(w->work, l)) {
            l->done = true;
            code = fill_left(w, f, l);
        }
    return code;
}

static int merge_left(struct map_writer *w)
{
    int code = w->work->take ? merge_left_of(w, keeper(w)) : 0;
    for (unsigned i = 0; w->work->take && i < w->n_members && !code; i++)
        if (w->member[i] != keeper(w))
            code = merge_left_of(w, w->member[i]);
    return code;
}

static void count_left_of(const struct map_writer *w, const struct frame *f)
{
    for (struct left *l = f->left; l; l = l->next)
        l->seen += l->node->ordinal == w->work->segment;
}

static void count_left(struct map_writer *w)
{
    if (!slice_eq(w->work->tag, w->plan->guide->node[w->work->segment].tag)) /* one that has no place */
        return;
    count_left_of(w, keeper(w));
    for (const struct frame *f = keeper(w)->up; f; f = f->up)
        for (struct left *l = f->left; l; l = l->next)
            l->seen += l->stray.n && l->node->ordinal == w->work->segment;
    for (unsigned i = 0; i < w->n_members; i++)
        if (w->member[i] != keeper(w))
            count_left_of(w, w->member[i]);
}

/* Does the policy let a segment through that has no place in the guide? */
static bool is_allowed(const struct map_writer *w, struct slice tag)
{
    bool known = guide_segment(w->plan->guide, tag) != NULL;
    return w->policy.severity[known ? FINDING_SEGMENT_NOT_IN_SET : FINDING_SEGMENT_UNKNOWN] != SEVERITY_ERROR;
}

/* Segments of which nothing else is in the record, those that stand before a node; and those that have no place, as soon
 * as what they stood behind is written. */
static int write_left(struct map_writer *w, struct frame *f, unsigned before)
{
    for (struct left *l = f->left; l; l = l->next) {
        struct work k = { .kind = WORK_SEGMENT, .tag = l->node->tag, .segment = l->node->ordinal, .field = NO_FIELD };
        struct map_select select;
        int code;
        if (l->done || (l->order >= before && !(l->stray.n && l->seen && l->seen >= l->occurrence)))
            continue;
        l->done = true;
        if (l->stray.n) {
            k.tag = l->stray;
            if (!is_allowed(w, l->stray)) {
                lose_left(w, f, l->first, l->index, "is not written: the guide has no such segment here");
                continue;
            }
        }
        begin_segment(w, &k, f);
        code = fill_left(w, f, l);
        if (l->select.n && l->select.n <= 8 && l->node->def->qualifier && l->node->def->qualifier <= 64 &&
            !memchr(l->select.p, '=', l->select.n)) {
            select = (struct map_select){ (uint8_t)l->node->def->qualifier, slice_key(l->select), l->select };
            k.select = &select;
            k.n_select = 1;
        }
        if (code >= 0)
            code = end_segment(w, l->stray.n > 0);
        w->work = NULL;
        if (code < 0)
            return code;
    }
    return 0;
}

/* ---- records ---- */

/* The member of an object that is a certain field; 0: absent. */
static uint32_t member_of(const struct record_object *object, const struct json_tape *tape, uint32_t node,
                          const struct record_field *field)
{
    for (uint32_t c = json_first(node); c < json_end(tape, node); c = json_next(tape, c))
        if (record_field_of(object, tape, c) == field->index)
            return c;
    return 0;
}

/* What the objects at the end of a way say of an inherited field. */
static int see_inherited(struct map_writer *w, struct inheritance *i, const struct inherit_place *place,
                         unsigned depth, const struct json_tape *tape, uint32_t node)
{
    const struct record_object *object = depth ? place->way[depth - 1]->object : w->writing.root->object;
    const struct record_field *field = depth == place->depth ? place->field : place->way[depth];
    uint32_t c = i->differ ? 0 : member_of(object, tape, node, field), item;
    int code = 0;

    if (depth == place->depth) {
        struct slice v = slice(NULL, 0), kept;
        w->room_used = 0;
        if (c && (code = node_text(w, tape, c, &v)))
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
        items_begin(w, root, check->list_field, &items);
        while ((code = items_next(w, &items, &node)) > 0) {
            check->count++;
            if (check->kind == ACTION_SUM && check->item) {
                uint32_t c = member_of(check->item, items.tape, node, &check->item->field[check->item_field]);
                if (c)
                    add_hash(check, json_raw(items.tape, c));
            }
        }
        if (code < 0)
            return code;
    }
    return 0;
}

/* All nodes of a tree: what they are called by, and which have others below them. */
static int see_tree(struct map_writer *w, struct frame *root)
{
    const struct record_field *list = w->writing.tree;
    const struct record_object *o = list->object;
    const struct record_field *id = &o->field[record_field_find(o, SLICE("id"))];
    const struct record_field *parent = &o->field[record_field_find(o, SLICE("parent"))];
    struct items items;
    uint32_t node;
    int code;

    tree_clear(&w->tree);
    if (!has(root, list->index))
        return 0;
    items_begin(w, root, list->index, &items);
    while ((code = items_next(w, &items, &node)) > 0) {
        struct slice name = slice(NULL, 0), up = name;
        uint32_t c = member_of(o, items.tape, node, id);
        uint64_t above;
        w->room_used = 0;
        if (c && (code = node_text(w, items.tape, c, &name)) < 0)
            return code;
        c = member_of(o, items.tape, node, parent);
        if (c && (code = node_text(w, items.tape, c, &up)) < 0)
            return code;
        above = up.n ? tree_find(&w->tree, up) : 0;
        code = tree_add(&w->tree, name);
        if (code > 0) {
            struct map_write_finding r = { .code = "RECORD-TREE", .severity = SEVERITY_ERROR, .value = name,
                                           .found = "is the id of a node before this one, too", .expected = "" };
            r.path = path_to(w, root, list, items.index, id);
            report(w, &r);
        }
        if (code >= 0 && above)
            code = tree_set_parent(&w->tree, above);
        if (code < 0)
            return err_set(w->err, code, code == ERR_NOMEM ? "out of memory" : "too many nodes have names of their own");
    }
    return code;
}

/* ST and SE are the writer's own; the checker sees them all the same. */
static void check_envelope(struct map_writer *w, struct slice tag, struct slice first, struct slice second,
                           struct slice third)
{
    const struct slice value[3] = { first, second, third };
    char text[160] = { 0 };
    uint32_t at[4];
    size_t n = tag.n;
    struct segment s = { .base = text, .at = at, .n = third.n ? 3 : 2 };
    const struct guide_node *node;

    w->work = NULL;
    w->filled = w->composite = w->refused = 0;
    w->of = &w->frame[0];
    memcpy(text, tag.p, tag.n);
    for (unsigned i = 0; i < s.n; i++) {
        size_t size = value[i].n < 40 ? value[i].n : 40;
        at[i] = (uint32_t)n;
        text[n++] = w->syntax.element;
        if (size)
            memcpy(text + n, value[i].p, size);
        n += size;
    }
    at[s.n] = (uint32_t)n;
    node = check_place(&w->checker, &s);
    if (node)
        check_segment(&w->checker, &s, node);
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
    w->some_left = w->nomem = w->verified = w->item_verified = false;
    w->streaming = NULL;
    w->segments = w->errors = 0;
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

    code = collect(w, root, w->writing.root, record->tape, 0);
    if (!code && w->writing.n_inherits)
        code = hoist(w, root);
    if (!code && w->writing.n_checks)
        code = count_ahead(w, root);
    if (!code && w->writing.tree)
        code = see_tree(w, root);
    if (!code)
        code = run_inner(w, root);
    if (!code && w->nomem)
        code = err_nomem(w->err);
    return code;
}

enum run {
    RUN_HELD,       /* what was written can be taken back */
    RUN_DRY,        /* nothing of it stays */
    RUN_FREE        /* it goes out at once */
};

/* From ST to SE. */
static int write_set(struct map_writer *w, const struct record *record, enum run run, struct slice control,
                     struct slice implementation)
{
    struct edi_writer *out = w->out;
    char count[24];
    int code, n;

    begin_record(w);
    w->dry = run == RUN_DRY;
    code = edi_writer_mark(out, &w->mark);
    if (code < 0)
        return writer_failed(w);
    w->syntax = w->mark.state.syntax;
    if (run == RUN_FREE)
        edi_writer_release(out);
    check_begin(&w->checker, w->plan->guide);
    code = edi_write_document(out, w->plan->guide->set, control, implementation);
    if (code < 0) {
        writer_failed(w);
    } else {
        w->segments = 1;
        check_envelope(w, SLICE("ST"), w->plan->guide->set, control, implementation);
        code = w->stopped;
    }
    w->body_from = edi_writer_output(out).n;
    if (!code)
        code = write_body(w, record);
    w->body_to = edi_writer_output(out).n;
    if (!code) {
        w->segments++;
        n = snprintf(count, sizeof(count), "%llu", (unsigned long long)w->segments);
        check_envelope(w, SLICE("SE"), slice(count, (size_t)n), control, slice(NULL, 0));
        code = w->stopped;
    }
    if (!code && w->errors)
        code = err_set(w->err, ERR_DATA, "the record cannot be written: %llu reason%s", (unsigned long long)w->errors,
                       w->errors == 1 ? "" : "s");
    if (!code && !w->dry && (code = edi_write_document_end(out)) < 0)
        writer_failed(w);
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
    finding_policy_init(&w->policy);
    if (w->options.policy)
        w->policy = *w->options.policy;
    w->checker = (struct checker){ .syntax = &w->syntax, .remark = remark, .ctx = w,
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
    free(w->frame);
    free(w);
    *writer = NULL;
}

struct slice map_writer_body(const struct map_writer *w)
{
    return slice(edi_writer_output(w->out).p + w->body_from, w->body_to - w->body_from);
}

uint64_t map_writer_segments(const struct map_writer *w)
{
    return w->segments;
}
