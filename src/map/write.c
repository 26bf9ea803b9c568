/*
 * write: see write.h.
 *
 * An object's members are gone through once: where each field stands, and which works it gives reason for. Then the
 * works run in their order. A segment is first laid out in cells, one an element, which borrow from the record's
 * text or from `room`; so fields may come from several objects and in any order, and each cell knows the field it
 * came from when the guide has something to say about it. Then it is written, and what was written is checked.
 *
 * Nothing here knows a segment's or a record's meaning. What is wrong with a value leaves its cell empty and goes
 * on: all reasons are reported, and the document is taken back at its end. What is said of it stands in
 * write_findings.c, `unmapped` in write_left.c, the record as a whole in write_record.c.
 */
#include "map/write_inside.h"

#include <stdio.h>

#include "map/express.h"
#include "map/period.h"

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

int write_odd_text(struct map_writer *w, const struct json_tape *tape, uint32_t node, struct slice *v_r)
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

static ALWAYS_INLINE int text_of(struct map_writer *w, const struct frame *f, unsigned field, struct slice *v_r)
{
    return write_node_text(w, f->tape, f->at[field], v_r);
}

/* ---- cells ---- */

void write_begin_segment(struct map_writer *w, const struct work *k, const struct frame *f)
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

/* A component behind all others, as most are. False: it is none. */
static ALWAYS_INLINE bool add_part(struct map_writer *w, const struct action *a, unsigned element, unsigned component,
                                   const struct frame *f, uint32_t item, struct slice text)
{
    struct part *p = &w->part[w->n_parts];
    if (UNLIKELY(
            w->n_parts == MOST_PARTS - 1 ||
            (w->n_parts && (p[-1].element > element || (p[-1].element == element && p[-1].component >= component)))))
        return false;
    *p = (struct part){ { text, a, f, item }, (uint8_t)element, (uint16_t)component };
    w->n_parts++;
    w->filled |= 1ull << (element - 1);
    w->composite |= 1ull << (element - 1);
    return true;
}

int write_set_part(struct map_writer *w, const struct action *a, unsigned element, unsigned component,
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
            write_set_twice(w, a, f, item, text, old);
        return 0;
    }
    w->part[i] = (struct part){ { text, a, f, item }, (uint8_t)element, (uint16_t)component };
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
    if (UNLIKELY(a->component)) {
        if (LIKELY(add_part(w, a, element, a->component, f, item, text))) {
            w->substance |= !constant;
            return 0;
        }
        return write_set_part(w, a, element, a->component, f, item, text, constant);
    }
    if (UNLIKELY(w->filled & bit)) {
        if (!constant)
            write_set_twice(w, a, f, item, text, c->text);
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

static COLD void refuse_qualifier(struct map_writer *w, const struct map_select *s, const struct cell *c)
{
    char expected[100];
    snprintf(expected, sizeof(expected), "what stands for %.*s there", SLICE_FMT(s->text));
    write_refuse_value(w, c->from, c->frame, c->item, c->text, "does not fit", expected);
}

/* What stands in an element, or in a component of it, of the segment at hand. NULL: nothing. */
static const struct cell *cell_of(const struct map_writer *w, unsigned element, unsigned component)
{
    if (component == 0)
        return w->filled >> (element - 1) & 1 && !(w->composite >> (element - 1) & 1) ? &w->cell[element - 1] : NULL;
    for (unsigned i = 0; i < w->n_parts; i++)
        if (w->part[i].element == element && w->part[i].component == component)
            return &w->part[i].cell;
    return NULL;
}

/* The qualifiers that the map's line names. What a field says must be the same. */
static int set_selects(struct map_writer *w, const struct map_select *select, unsigned n)
{
    for (const struct map_select *s = select; s < select + n; s++) {
        struct cell *c = &w->cell[s->element - 1];
        uint64_t bit = 1ull << (s->element - 1);
        if (UNLIKELY(s->component != 0)) {
            const struct cell *other = cell_of(w, s->element, s->component);
            int code = 0;
            if (!other)
                code = write_set_part(w, NULL, s->element, s->component, NULL, 0, s->text, true);
            else if (!slice_eq(other->text, s->text) && other->from)
                refuse_qualifier(w, s, other);
            if (code < 0)
                return code;
            continue;
        }
        if (w->filled & bit && !(w->composite & bit)) {
            if (!slice_eq(c->text, s->text) && c->from)
                refuse_qualifier(w, s, c);
            continue;
        }
        *c = (struct cell){ .text = s->text };
        w->filled |= bit;
    }
    return 0;
}

void write_add_hash(struct check_work *check, struct slice v)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < v.n; i++)
        if (is_digit(v.p[i])) {
            if (UNLIKELY(sum > UINT64_MAX / 16)) /* to divide is slow, and seldom needed */
                sum %= check->modulus;
            sum = sum * 10 + (uint64_t)(v.p[i] - '0');
        }
    sum += check->sum;
    check->sum = LIKELY(sum < check->modulus) ? sum : sum % check->modulus;
}

static void add_up(struct map_writer *w, const struct action *a, struct slice v)
{
    if (LIKELY(a->adds != ADDS_TOTAL)) {
        write_add_hash(&w->writing.check[a->adds - 1], v);
        return;
    }
    total_add(&w->total[0], v);
    if (a->op->odd & ODD_FIELD)
        total_add(&w->total[1], v);
}

/* The sum of plan->total, as the document says it; empty where it is not known. p has room for it. */
static struct slice sum_of(const struct map_writer *w, char *p)
{
    return total_text(&w->total[0], w->decimal, p);
}

/* ---- conversions ---- */

enum lost { LOST_NOTHING, LOST_CODE, LOST_WORD };

/* The partner's code for a word; `beside` may be empty, or a code that the table does not know, as another standard has
 * them, which is lost then. What is no word stays as it is if it comes back as it is: a code of the table does not.
 * False: refused. */
static ALWAYS_INLINE bool code_of(const struct action *a, struct slice word, struct slice beside, struct slice *v_r,
                                  enum lost *lost_r)
{
    const struct map_table *t = a->words->table;
    const struct map_table_row *row, *other = NULL;

    *lost_r = LOST_NOTHING;
    if (beside.n) {
        other = beside.n <= 8 ? map_table_code(t, slice_key(beside)) : NULL;
        if (LIKELY(other ? slice_eq(other->word, word) : slice_eq(beside, word) && !t->refuse)) {
            *v_r = beside;
            return true;
        }
    }
    row = words_find(a->words, word);
    if (!row) {
        *v_r = word;
        *lost_r = beside.n ? LOST_CODE : LOST_NOTHING;
        return !other && !t->refuse && !(word.n <= 8 && map_table_code(t, slice_key(word)));
    }
    *v_r = row->code;
    *lost_r = UNLIKELY(row->only_written) ? LOST_WORD : beside.n && !slice_eq(beside, row->code) ? LOST_CODE : LOST_NOTHING;
    return true;
}

/* A word that the partner has no code for but that of another word. */
static COLD void report_word(struct map_writer *w, const struct action *a, const struct frame *f, uint32_t item,
                             struct slice word)
{
    char as[120];
    const struct map_table_row *row = words_find(a->words, word);
    const struct map_table_row *own = map_table_code(a->words->table, slice_key(row->code));
    snprintf(as, sizeof(as), "is written as %.*s, %.*s", SLICE_FMT(row->code), SLICE_FMT(own ? own->word : row->code));
    write_report_loss(w, write_path(w, f, a->list, item, a->op->field), word, as);
}

/* A value that is written as it is. */
static int set_place(struct map_writer *w, const struct action *a, unsigned element, unsigned component,
                     const struct frame *f, uint32_t item, struct slice text)
{
    if (text.n == 0)
        return 0;
    if (component)
        return write_set_part(w, a, element, component, f, item, text, false);
    if (w->filled >> (element - 1) & 1) {
        write_set_twice(w, a, f, item, text, w->cell[element - 1].text);
        return 0;
    }
    w->cell[element - 1] = (struct cell){ text, a, f, item };
    w->filled |= 1ull << (element - 1);
    w->substance = true;
    return 0;
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
        write_refuse_value(w, a, f, item, v, "cannot be written", why);
        return 0;
    }
    if (a->op->midnight && part[1].n == 0) {
        part[1] = SLICE("0000");
        write_report_loss(w, write_path(w, f, a->list, item, a->op->field), v,
                          "is written with the time 00:00: the document must have one");
    }
    for (unsigned i = 0; i < 3 && !code; i++) {
        unsigned at = i ? a->op->element[i] : element;
        if (part[i].n && at == 0) {
            write_refuse_value(w, a, f, item, v, "cannot be written", lacking[i]);
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
        enum lost lost;
        char *p;
        int n = 0;
        switch (c->kind) {
        case CONVERT_CODE: {
            const struct slice word = v;
            if (!code_of(a, v, beside, &v, &lost)) {
                write_refuse_word(w, a, f, item, v, beside);
                return 0;
            }
            if (lost == LOST_WORD)
                report_word(w, a, f, item, word);
            continue;
        }
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
        case CONVERT_LESS:
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
        case CONVERT_LESS: {
            uint64_t number = 0;
            why = "a whole number";
            n = slice_number(v, UINT32_MAX, &number)
                    ? snprintf(p, 24, "%llu", (unsigned long long)(number + c->number[0]))
                    : -1;
            break;
        }
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
            if (c->number[0] && v.n + c->text.n != c->number[0])
                continue;
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
            write_refuse_value(w, a, f, item, v, "cannot be written", why);
            return 0;
        }
        v = slice(p, (size_t)n);
    }
    *v_r = v;
    return 1;
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

/* A text in pieces, each a component of one element. */
static COLD int set_folded(struct map_writer *w, const struct action *a, unsigned element, const struct frame *f,
                           uint32_t item, struct slice text)
{
    struct slice whole = text, rest;
    bool more = true, lost = false;
    uint32_t width = UINT32_MAX;
    unsigned k = 0;

    text = slice_from(text, w->fold_from);

    for (unsigned i = 0; i < a->op->n_conversions; i++)
        if (a->op->conversion[i].kind == CONVERT_FOLD)
            width = a->op->conversion[i].number[0];
    while (more) {
        struct slice line = slice_cut(text, '\n', &rest, &more);
        text = rest;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        lost |= line.n == 0 && !more; /* an empty line at the end */
        do {
            struct slice piece = piece_of(line, width);
            int code = 0;
            /* What goes on in another segment is parted behind a blank. Inside a segment a shorter piece would end a
             * line. */
            if (w->goes_on && k + 1 == a->op->span && piece.n < line.n) {
                const char *blank = memrchr(piece.p, ' ', piece.n);
                piece.n = blank ? (size_t)(blank + 1 - piece.p) : piece.n;
            }
            line = slice_from(line, piece.n);
            lost |= line.n == 0 && more && width > 1 && piece_of(piece, width - 1).n < piece.n;
            if (k == a->op->span && w->goes_on) {
                w->fold_rest = (size_t)(piece.p - whole.p);
                write_report_loss(w, write_path(w, f, a->list, item, a->op->field),
                                  whole.n > 80 ? slice(whole.p, 80) : whole,
                                  "goes on in a further segment, which is read as an item of its own");
                return 0;
            }
            if (k == a->op->span) {
                char most[80];
                snprintf(most, sizeof(most), "at most %u lines of %u characters", a->op->span, (unsigned)width);
                write_refuse_value(w, a, f, item, whole.n > 80 ? slice(whole.p, 80) : whole, "is too long", most);
                return 0;
            }
            if (piece.n)
                code = write_set_part(w, a, element, a->component + k, f, item, piece, false);
            if (code < 0)
                return code;
            k++;
        } while (line.n);
    }
    if (lost)
        write_report_loss(w, write_path(w, f, a->list, item, a->op->field), whole.n > 80 ? slice(whole.p, 80) : whole,
                          "loses a line break: behind an empty or a full line nothing stands for it");
    return 0;
}

/* A date whose zone no form has: without it, which is told. Empty: it is none of these. */
static struct slice write_without_zone(struct map_writer *w, const struct frame *f, const struct action *a,
                                       uint32_t item, struct slice from, char *p, struct slice *form)
{
    const char *why;
    size_t zone = 11, n;

    while (zone < from.n && (is_digit(from.p[zone]) || from.p[zone] == ':' || from.p[zone] == '.'))
        zone++;
    if (zone >= from.n)
        return slice(NULL, 0);
    n = period_write(slice(from.p, zone), slice(NULL, 0), slice(NULL, 0), p, form, &why);
    if (n)
        write_report_loss(w, write_path(w, f, a->list, item, a->op->field), from,
                          "loses its zone: no form of a date has it");
    return slice(p, n);
}

/* A date with its form, which the field beside it may name; a range; or what is none. */
static COLD int run_period(struct map_writer *w, const struct frame *values, const struct frame *f,
                           const struct action *a, uint32_t item)
{
    const struct map_period *period = a->op->period;
    struct slice from = slice(NULL, 0), until = from, clock = from, other = from, wanted = from, form;
    const struct {
        const struct record_field *field;
        struct slice *value;
    } part[] = { { a->op->field, &from }, { period->until.field, &until }, { period->clock.field, &clock },
                 { period->other.field, &other }, { a->op->beside, &wanted } };
    const char *why;
    char *p;
    int code;

    if (!has(values, a->op->field->index))
        from = above_of(w, a);
    for (unsigned i = 0; i < sizeof(part) / sizeof(part[0]); i++)
        if (part[i].field && has(values, part[i].field->index)) {
            code = text_of(w, values, part[i].field->index, part[i].value);
            if (code < 0)
                return code;
        }
    if (from.n && clock.n) {
        p = room_for(w, from.n + clock.n + 1);
        if (!p)
            return no_room(w);
        memcpy(p, from.p, from.n);
        p[from.n] = 'T';
        memcpy(p + from.n + 1, clock.p, clock.n);
        from = slice(p, from.n + 1 + clock.n);
    }
    form = wanted;
    if (from.n) {
        p = room_for(w, PERIOD_ROOM);
        if (!p)
            return no_room(w);
        other = slice(p, period_write(from, until, wanted, p, &form, &why));
        if (other.n == 0 && until.n == 0)
            other = write_without_zone(w, f, a, item, from, p, &form);
        if (other.n == 0) {
            write_refuse_value(w, a, f, item, from, "cannot be written", why);
            return 0;
        }
    }
    code = set_place(w, a, a->element, a->component, f, item, other);
    return code < 0 ? code : set_place(w, a, period->element, period->component, f, item, form);
}

/* Is this no code that may stand there? What the guide has no codes for is as long as it may be. */
static bool is_no_code(const struct map_writer *w, const struct element_use *use, struct slice v)
{
    const struct codes *codes;

    if (!use || use->element->type == TYPE_COMPOSITE)
        return false;
    if (v.n > use->max || v.n < use->min)
        return true;
    codes = use->needs_codes ? guide_codes(w->plan->guide, (struct element_use *)use) : NULL;
    return codes && v.n <= 8 && !codes_has(codes, slice_key(v)) &&
           w->policy.severity[FINDING_ELEMENT_CODE] == SEVERITY_ERROR;
}

/* A word that the table has no code for, and that is none itself: what stands for a missing value is written in its
 * place, or the table's code for `other`, or nothing. True: nothing. */
static COLD bool lose_word(struct map_writer *w, const struct action *a, const struct frame *f, uint32_t item,
                           struct slice *v)
{
    const bool needed = a->use && a->use->requirement == REQ_MANDATORY;
    const struct map_table_row *other = words_find(a->words, SLICE("other"));
    const struct slice instead = a->constant.n ? a->constant : other ? other->code : slice(NULL, 0);
    char words[160];

    /* a quantity without its unit is another quantity */
    if (w->dry || (needed && !instead.n) || slice_is(a->op->field->codes, "unit") || !is_no_code(w, a->use, *v))
        return false;
    if (instead.n)
        snprintf(words, sizeof(words), "has no code in table %.*s: %.*s is written", SLICE_FMT(a->words->table->name),
                 SLICE_FMT(instead));
    else
        snprintf(words, sizeof(words), "is left out: it has no code in table %.*s", SLICE_FMT(a->words->table->name));
    write_report_loss(w, write_path(w, f, a->list, item, a->op->field), *v, words);
    *v = instead;
    return !v->n;
}

/* A word of another standard that this one has no code for: the table's code for all such stands for it, or nothing
 * (then *v_r is empty), which is told. False: the table knows of neither. */
static COLD bool write_any_word(struct map_writer *w, const struct action *a, const struct frame *f, uint32_t item,
                                struct slice word, struct slice *v_r)
{
    const struct map_table_row *any = a->words->table->any;
    const struct map_table *t = a->words->table;
    char words[160];

    if (!any && t->drop && a->use && a->use->requirement == REQ_MANDATORY) { /* without it nothing can be said */
        w->dropped = a;
        w->dropped_word = word;
        *v_r = slice(NULL, 0);
        return true;
    }
    if (!any && t->drop) {
        snprintf(words, sizeof(words), "is left out: it has no code in table %.*s", SLICE_FMT(t->name));
        write_report_loss(w, write_path(w, f, a->list, item, a->op->field), word, words);
        *v_r = slice(NULL, 0);
        return true;
    }
    if (!any)
        return false;
    snprintf(words, sizeof(words), "has no code here: %.*s, %.*s, is written", SLICE_FMT(any->code),
             SLICE_FMT(any->word));
    write_report_loss(w, write_path(w, f, a->list, item, a->op->field), word, words);
    *v_r = any->code;
    return true;
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
        enum lost lost;
        if (has(values, a->beside)) {
            code = text_of(w, values, a->beside, &beside);
            if (code)
                return code;
        }
        if (UNLIKELY(!code_of(a, word, beside, &v, &lost)) &&
            !(w->crossing && write_any_word(w, a, f, item, word, &v))) {
            write_refuse_word(w, a, f, item, word, beside);
            return 0;
        }
        if (UNLIKELY(w->crossing) && v.p == word.p && is_no_code(w, a->use, v))
            write_any_word(w, a, f, item, word, &v);
        if (UNLIKELY(lost == LOST_CODE))
            write_report_loss(w, write_path(w, f, a->list, item, a->op->beside), beside,
                              "is not written: it stands for something else");
        if (UNLIKELY(lost == LOST_WORD))
            report_word(w, a, f, item, word);
        if (UNLIKELY(w->may_lose) && v.p == word.p && lose_word(w, a, f, item, &v))
            return 0;
        break;
    }
    case ACTION_DATE:
        p = room_for(w, 8);
        if (UNLIKELY(!p))
            return no_room(w);
        n = express_date(v, date_digits(w, a), p, &why);
        if (UNLIKELY(n < 0)) {
            write_refuse_value(w, a, f, item, v, "cannot be written", why);
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
            write_refuse_value(w, a, f, item, v, "cannot be written", why);
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
            write_refuse_value(w, a, f, item, v, "has too many decimals", why);
            return 0;
        }
        v = slice(p, (size_t)n);
        break;
    case ACTION_DATETIME:
        return set_datetime(w, a, element, f, item, v);
    case ACTION_MARK: {
        const char *mark = w->decimal == '.' ? NULL : memchr(v.p, '.', v.n);
        if (LIKELY(!mark))
            break;
        p = room_for(w, v.n);
        if (UNLIKELY(!p))
            return no_room(w);
        memcpy(p, v.p, v.n);
        p[mark - v.p] = w->decimal;
        v.p = p;
        break;
    }
    case ACTION_FOLD:
        return set_folded(w, a, element, f, item, v);
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
        add_up(w, a, v);
    return set_cell(w, a, element, f, item, v, false);
}

static int set_check(struct map_writer *w, const struct frame *f, const struct action *a)
{
    const struct check_work *check = &w->writing.check[a->check];
    char *p = room_for(w, TOTAL_ROOM);
    int n;

    if (!p)
        return no_room(w);
    if (a->kind == ACTION_TOTAL) {
        const struct slice sum = sum_of(w, p);
        if (!sum.n)
            write_report_loss(w, write_path(w, f, NULL, 0, check->list), sum,
                              "is not added up: there are too large or too small numbers in it");
        return sum.n ? set_cell(w, a, a->element, f, 0, sum, check->count == 0) : 0;
    }
    n = snprintf(p, 24, "%llu", (unsigned long long)(a->kind == ACTION_COUNT ? check->count : check->sum));
    if (UNLIKELY(a->use && (unsigned)n > a->use->max)) { /* of a million CTT01 says nothing */
        write_report_loss(w, write_path(w, f, NULL, 0, check->list), slice(p, (size_t)n),
                    "is their number, which is not written: its element is too short for it");
        w->no_totals = true;
        return 0;
    }
    /* a total of nothing makes no segment */
    return set_cell(w, a, a->element, f, 0, slice(p, (size_t)n), check->count == 0 || w->no_totals);
}

/* What a node is called by, and its parent: the numbers of both. */
static int set_node(struct map_writer *w, const struct frame *f, const struct action *a)
{
    struct slice v;
    uint64_t n = f->index + 1;
    int code;

    if (a->kind == ACTION_CHILDREN) {
        const bool parent = w->ordered ? write_node_is_parent(w, w->at_step) : tree_is_parent(&w->tree, n);
        return set_cell(w, a, a->element, f, 0, parent ? SLICE("1") : SLICE("0"), true);
    }
    if (a->kind == ACTION_PARENT && has(f, a->field)) {
        const bool any_order = a->op->conversion[0].number[0];
        bool below;
        code = text_of(w, f, a->field, &v);
        if (code)
            return code;
        n = tree_find(&w->tree, v);
        if (n == f->index + 1 && !any_order) { /* so a CPS may say that there is none */
            write_report_loss(w, write_path(w, f, NULL, 0, a->op->field), v,
                              "is not written: it is the id of the node itself, which so stands below none");
            return 0;
        }
        below = n && (w->ordered ? !write_node_number(w, n) : n > f->index);
        if (n == 0 || (below && !any_order)) {
            write_refuse_value(w, a, f, 0, v,
                               n == 0       ? "is the id of no node"
                               : w->ordered ? "is the id of a node that itself stands below this one"
                                            : "is the id of no node before this one",
                               "");
            return 0;
        }
    }
    if (a->kind == ACTION_PARENT && !has(f, a->field) && !w->n_made)
        return 0;
    if (w->writing.n_kinds) {
        n = write_group_of(w, n);
    } else if (UNLIKELY(w->ordered)) {
        n = a->kind == ACTION_PARENT ? write_node_above(w, w->at_step) : w->at_step;
        n = n ? write_node_number(w, n) : 0;
    }
    return n ? write_set_number(w, f, a, n) : 0;
}

int write_set_number(struct map_writer *w, const struct frame *f, const struct action *a, uint64_t n)
{
    char *p = room_for(w, 24);
    if (!p)
        return no_room(w);
    /* a node of which there is nothing to say is there all the same: others name it */
    return set_cell(w, a, a->element, f, 0, slice_digits(n, p), a->kind != ACTION_NODE);
}

/* Do the conditions of an action hold? 1, 0 or negative. It is noted of its field, and of what its qualifier says. */
static COLD int check_guards(struct map_writer *w, const struct frame *values, const struct action *a)
{
    const struct map_op *op = a->op;
    struct frame *f = (struct frame *)values;

    for (unsigned i = 0; i < op->n_guards; i++) {
        const struct map_guard *g = &op->guard[i];
        struct slice v;
        int code;
        bool holds = has(values, g->field->index);
        if (holds && g->value.n) {
            code = text_of(w, values, g->field->index, &v);
            if (code)
                return code;
            holds = slice_eq(v, g->value);
        }
        if (holds == g->absent)
            return 0;
    }
    if (a->field != NO_FIELD)
        set_bit(f->hit, a->field);
    for (unsigned i = 0; i < op->n_guards && has(values, a->field); i++)
        set_bit(f->hit, op->guard[i].field->index);
    return 1;
}

/* What has a guard, may be inherited, or has something to say even when it is absent. 1: go on as always. */
static COLD int look_twice(struct map_writer *w, const struct frame *values, const struct frame *f,
                           const struct action *a, unsigned element, uint32_t item)
{
    struct slice v, other;
    int code;

    if (a->guarded) {
        code = check_guards(w, values, a);
        if (code <= 0)
            return code;
    }
    if (a->kind >= ACTION_COUNT && a->kind <= ACTION_TOTAL) {
        code = set_check(w, f, a);
        return code < 0 ? code : 0;
    }
    if (a->kind >= ACTION_NODE) {
        code = set_node(w, f, a);
        return code < 0 ? code : 0;
    }
    if (a->kind == ACTION_CONSTANT) {
        code = set_cell(w, a, element, f, item, a->constant, true);
        if (code >= 0)
            code = set_selects(w, a->op->select, a->op->n_select);
        return code < 0 ? code : 0;
    }
    if (!has(values, a->field)) {
        if (a->above && !has(values, a->beside)) {
            v = above_of(w, a);
            code = v.n ? run_value(w, values, f, a, element, item, v) : 0;
        } else if (has(values, a->beside)) { /* the partner's code alone */
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

/* Nothing is there, and there is nothing to say about that: of odd actions the usual case. */
static inline bool says_nothing(const struct frame *values, const struct action *a)
{
    if (a->kind == ACTION_CONSTANT)
        return has(values, a->unless) || (a->only != NO_FIELD && !has(values, a->only));
    return !has(values, a->field) && !has(values, a->beside) && a->constant.n == 0 && a->kind < ACTION_CONSTANT &&
           !a->above;
}

/* An action that is not plain. */
static int run_odd(struct map_writer *w, const struct frame *values, const struct frame *f, const struct action *a,
                   unsigned shift, uint32_t item)
{
    struct slice v;
    int code;

    if (UNLIKELY(a->kind == ACTION_PERIOD)) {
        code = a->guarded ? check_guards(w, values, a) : 1;
        return code > 0 ? run_period(w, values, f, a, item) : code;
    }
    if (!a->free || !has(values, a->field)) {
        if (!a->odd)
            return 0;
        if (says_nothing(values, a))
            return 0;
        code = look_twice(w, values, f, a, a->element + shift, item);
        if (code <= 0)
            return code;
    }
    code = text_of(w, values, a->field, &v);
    if (LIKELY(code == 0))
        code = run_value(w, values, f, a, a->element + shift, item, v);
    if (UNLIKELY(a->guarded) && a->op->n_select && code >= 0)
        code = set_selects(w, a->op->select, a->op->n_select);
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

/* Is a member this field? Some that are, are not known at once. */
static ALWAYS_INLINE bool is_field(const struct scope_work *s, const struct json_tape *tape, uint32_t node,
                                   unsigned guess)
{
    const struct json_node *n = &tape->node[node];
    const struct field_name *name = &s->name[guess];
    const char *key = tape->text.p + n->key;
    uint64_t head, tail;

    if (n->key_n != name->n || n->flags & JSON_KEY_ESCAPED || (size_t)n->key + 16 > tape->text.n)
        return false;
    memcpy(&head, key, 8);
    memcpy(&tail, key + 8, 8);
    return (((head ^ name->head) & name->head_mask) | ((tail ^ name->tail) & name->tail_mask)) == 0 &&
           (name->n <= 16 || memcmp(key + 16, s->object->field[guess].name.p + 16, name->n - 16) == 0);
}

/* The field that a member is, -1: none. Members mostly follow each other as they did one of the last times. */
static ALWAYS_INLINE int field_at(const struct scope_work *s, const struct json_tape *tape, uint32_t node,
                                  unsigned before)
{
    struct field_name *last = &s->name[before];
    int i;

    if (LIKELY(is_field(s, tape, node, last->follows)))
        return last->follows;
    if (is_field(s, tape, node, last->followed))
        return last->followed;
    i = record_field_of(s->object, tape, node);
    if (i >= 0) {
        last->followed = last->follows;
        last->follows = (uint16_t)i;
    }
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
    f->n_begun = 0;
    f->present[0] = 0; /* mostly all there is: a loop from 0 would be a call */
    for (unsigned i = 1; i < present_words; i++)
        f->present[i] = 0;
    f->pending[0] = s->always[0];
    for (unsigned i = 1; i < n_words; i++)
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
            code = write_hold_against_kind(w);
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
            strange |= !write_is_right(&s->object->field[i], s->object->field[i].type, tape, c);
        if (n->type == JSON_STRING ? n->n == 0 : n->type >= JSON_OBJECT && n->type != JSON_STREAMED && n->count == 0) {
            code = write_hold_against_kind(w); /* it counts as absent */
            if (code < 0)
                return code;
            continue;
        }
        if (UNLIKELY(strange)) {
            code = write_hold_against_kind(w);
            if (code < 0)
                return code;
            if (n->type == JSON_NULL)
                continue;
        }
        f->at[i] = c;
        f->present[before / 64] |= bit;
        if (UNLIKELY(name->lost)) {
            write_report_lost(w, f, before);
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
            code = write_node_text(w, tape, c, &v);
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
            code = write_hold_against_kind(w);
            if (code < 0)
                return code;
        }
    if (UNLIKELY(has(f, s->unmapped))) {
        write_left_read(w, f, f->at[s->unmapped]);
        f->present[s->unmapped / 64] &= ~(1ull << (s->unmapped % 64));
    }
    return 0;
}

int write_collect(struct map_writer *w, struct frame *f, const struct scope_work *s, const struct json_tape *tape,
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

void write_items_begin(struct map_writer *w, const struct frame *f, unsigned field, struct items *i_r)
{
    uint32_t node = f->at[field];
    i_r->streamed = i_r->apart = f->tape->node[node].type == JSON_STREAMED;
    i_r->tape = f->tape;
    i_r->next = json_first(node);
    i_r->end = json_end(f->tape, node);
    i_r->index = UINT64_MAX;
    i_r->ordered = false;
    if (i_r->streamed) {
        record_items_begin(w->record, node, &i_r->it);
        w->streaming = &f->scope->object->field[field];
    }
    if (UNLIKELY(w->ordered) && f == &w->frame[0] && field == w->writing.tree->index) {
        i_r->apart = i_r->ordered = true;
        i_r->node = i_r->number = 0;
    }
}

static inline unsigned groups_of(const struct map_take *t)
{
    return t->n_slots ? t->n_slots : 1;
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

/* Can a segment's spread write all that an item has? */
static bool holds_all(const struct spread *p, const struct json_tape *tape, uint32_t node)
{
    if (tape->node[node].type != JSON_OBJECT)
        return true;
    for (uint32_t c = json_first(node); c < json_end(tape, node); c = json_next(tape, c)) {
        int i = record_field_of(p->item->object, tape, c);
        if (i >= 0 && p->item->name[i].lost)
            return false;
    }
    return true;
}

/* From this item on the list is for another segment. */
static int go_on_later(struct map_writer *w, struct frame *f, const struct spread *p, uint64_t index)
{
    if (f->n_begun == MOST_BEGUN)
        return err_set(w->err, ERR_LIMIT, "too many lists go on in other segments");
    f->begun[f->n_begun].field = p->field;
    f->begun[f->n_begun++].n = (uint32_t)index;
    return 0;
}

/* Past the items that stand in a segment before. */
static int skip_begun(struct map_writer *w, const struct frame *f, const struct spread *p, struct items *items)
{
    uint32_t node, n = 0;
    int code = 1;

    for (unsigned i = 0; i < f->n_begun; i++)
        n = f->begun[i].field == p->field ? f->begun[i].n : n;
    while (n-- && code > 0)
        code = write_items_next(w, items, &node);
    return code;
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
    write_items_begin(w, f, p->field, &items);
    if (UNLIKELY(p->goes_on) && (code = skip_begun(w, f, p, &items)) < 0)
        return code;
    while ((code = write_items_next(w, &items, &node)) > 0) {
        if (UNLIKELY(p->begins) && !items.streamed && (k == most || !holds_all(p, items.tape, node)))
            return go_on_later(w, (struct frame *)f, p, items.index);
        if (UNLIKELY(k == most || items.streamed)) {
            write_too_many(w, p, f, items.index, most);
            return 0;
        }
        if (p->item) {
            struct frame *item = item_frame(w, f, p->take->field, k);
            unsigned shift = map_shift(p->take, k);
            if (UNLIKELY(items.tape->node[node].type != JSON_OBJECT))
                return write_hold_against_kind(w);
            code = collect_pair(w, item, p->item, items.tape, node, f, shift, k);
            for (unsigned i = 0; i < p->n_odd && code >= 0; i++)
                code = run_odd(w, item, f, p->odd[i], shift, k);
            if (UNLIKELY(p->shared < p->n_actions) && code >= 0)
                code = run_actions(w, item, f, p->action + p->shared, p->n_actions - p->shared, 0, k);
        } else {
            struct slice v;
            code = write_node_text(w, items.tape, node, &v);
            if (code == 0 && v.n)
                code = p->take->n_parts ? run_value(w, f, f, &p->action[k], p->action[k].element, k, v)
                                        : run_value(w, f, f, &p->action[0], p->action[0].element + k, k, v);
        }
        if (code < 0)
            return code;
        k++;
    }
    return UNLIKELY(p->begins) && code == 0 ? go_on_later(w, (struct frame *)f, p, UINT32_MAX) : code;
}

/* ---- segments ---- */

static int write_parts(struct map_writer *w, unsigned element)
{
    for (unsigned i = 0; i < w->n_parts; i++)
        if (w->part[i].element == element) {
            unsigned part = w->part[i].component;
            int code =
                edi_write_part(w->out, element, part_repetition(part), part_component(part), w->part[i].cell.text);
            if (code < 0)
                code = write_refused_cell(w, &w->part[i].cell, element, part_component(part));
            if (code < 0)
                return code;
        }
    return 0;
}

/* First components that stand alone are written as elements are: then they lie in the cells. */
static bool parts_are_elements(struct map_writer *w)
{
    for (unsigned i = 0; i < w->n_parts; i++) {
        if (w->part[i].component != PART(1, 1))
            return false;
        w->cell[w->part[i].element - 1].text = w->part[i].cell.text;
    }
    return true;
}

/* A record may say itself what the sum of its values is: it is held against it, and the sum is written. */
static COLD void hold_total(struct map_writer *w)
{
    const struct map_total *t = w->plan->total;
    struct total said = { 0 };
    struct slice sum;
    struct cell *c;
    char *p;

    for (unsigned i = 0; i < t->n_select; i++) {
        const struct cell *q = cell_of(w, t->select[i].element, t->select[i].component);
        if (!q || !slice_eq(q->text, t->select[i].text))
            return;
    }
    c = (struct cell *)cell_of(w, t->element, t->component);
    if (!c || !c->from)
        return;
    total_add(&said, c->text);
    p = room_for(w, TOTAL_ROOM);
    if (!p) {
        w->stopped = no_room(w);
        return;
    }
    sum = sum_of(w, p);
    if (!sum.n || total_equals(&said, &w->total[0]) || total_equals(&said, &w->total[1]))
        return;
    write_report_loss(w, write_path(w, c->frame, NULL, 0, c->from->op->field), c->text,
                      "is not the sum of the quantities, which is written instead");
    c->text = sum;
}

/* All elements and components at once; as edi_write_elements(). */
static __attribute__((noinline)) int write_values(struct map_writer *w)
{
    struct edi_value value[64 + MOST_PARTS];
    unsigned n = 0, part = 0;

    for (uint64_t mask = w->filled; mask; mask &= mask - 1) {
        unsigned k = (unsigned)__builtin_ctzll(mask);
        if (!(w->composite >> k & 1)) {
            value[n++] = (struct edi_value){ .text = w->cell[k].text, .element = (uint8_t)(k + 1) };
            continue;
        }
        for (; part < w->n_parts && w->part[part].element == k + 1; part++)
            value[n++] = (struct edi_value){ w->part[part].cell.text, (uint8_t)(k + 1),
                                             (uint8_t)part_repetition(w->part[part].component),
                                             (uint8_t)part_component(w->part[part].component) };
    }
    return edi_write_values(w->out, value, n);
}

int write_end_segment(struct map_writer *w, bool always)
{
    const struct guide_node *node;
    struct segment s;
    uint64_t mask;
    int code;

    if (UNLIKELY(w->some_left)) {
        code = write_left_merge(w);
        if (code < 0)
            return code;
    }
    if (!w->substance && !always)
        return 0;
    if (w->work->n_select) {
        code = set_selects(w, w->work->select, w->work->n_select);
        if (code < 0)
            return code;
    }
    code = edi_write_begin(w->out, w->work->tag);
    if (UNLIKELY(code < 0))
        return write_failed(w);
    mask = w->filled;
    if (UNLIKELY(w->composite && w->work->states))
        hold_total(w);
    if (LIKELY(!w->composite) || parts_are_elements(w))
        code = edi_write_elements(w->out, mask, &w->cell[0].text, sizeof(w->cell[0]));
    else
        code = write_values(w);
    if (UNLIKELY(code < 0))
        return write_failed(w);
    mask = code ? mask : 0;
    for (; mask; mask &= mask - 1) {
        unsigned k = (unsigned)__builtin_ctzll(mask);
        if (UNLIKELY(w->composite >> k & 1))
            code = write_parts(w, k + 1);
        else if (UNLIKELY(edi_write_element(w->out, k + 1, w->cell[k].text) < 0))
            code = write_refused_cell(w, &w->cell[k], k + 1, 0);
        if (UNLIKELY(code < 0)) {
            edi_write_cancel(w->out);
            return code;
        }
    }
    code = edi_write_end(w->out, true, &s);
    if (UNLIKELY(code < 0))
        return write_failed(w);
    w->segments++;
    if (UNLIKELY(w->some_left))
        write_left_count(w);
    node = check_place(&w->checker, &s);
    if (LIKELY(node)) {
        if (UNLIKELY(node->ordinal != w->work->segment))
            write_misplaced(w, node);
        check_segment(&w->checker, &s, node);
    }
    if (UNLIKELY(w->dry && !w->behind.set && edi_writer_output(w->out).n - w->mark.at > DRY_BYTES)) {
        edi_writer_rewind(w->out, &w->mark);
        if (edi_writer_mark(w->out, &w->mark) < 0)
            return write_failed(w);
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
        if (!says_nothing(f, k->odd[i]))
            code = run_odd(w, f, f, k->odd[i], 0, 0);
    for (unsigned i = 0; i < k->n_spreads && code >= 0; i++)
        code = run_hosted(w, f, &k->spread[i]);
    return code;
}

int write_begin_item(struct map_writer *w, struct frame *item, const struct scope_work *s,
                     const struct json_tape *tape, uint32_t node)
{
    int code;
    write_begin_segment(w, &s->owner, item);
    code = collect_own(w, item, s, tape, node);
    return code < 0 ? code : run_rest(w, item, &s->owner);
}

static int run_own(struct map_writer *w, const struct frame *f, const struct work *k)
{
    int code = run_plain(w, f, f, k->mask, 0, 0);
    return code < 0 ? code : run_rest(w, f, k);
}

/* ---- works ---- */

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

/* Is something inside of the loop that a segment opens? */
static bool opens_some(const struct frame *f, const struct work *k)
{
    for (unsigned i = 0; k->opens && i < f->scope->n_words; i++)
        if (f->pending[i] & k->inside[i])
            return true;
    return false;
}

/* A segment of the object's fields, and of the objects in it that begin with the same segment. */
static int run_segment(struct map_writer *w, struct frame *f, const struct work *k)
{
    struct frame *member[MOST_MEMBERS] = { NULL };
    unsigned top = w->top;
    bool always = k->opens && opens_some(f, k);
    int code;

    write_begin_segment(w, k, f);
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
        code = write_end_segment(w, always && !w->substance);
    for (unsigned i = 0; i < k->n_members && code >= 0; i++)
        if (member[i])
            code = write_run_inner(w, member[i]);
    w->top = top;
    return code < 0 ? code : 0;
}

/* Is the item for this work, where several works write one list? */
static int fits(struct map_writer *w, const struct frame *item, const struct work *k)
{
    int code;
    write_begin_segment(w, &k->scope->owner, item);
    code = run_actions(w, item, item, k->scope->owner.action, k->scope->owner.n_actions, 0, 0);
    if (code < 0)
        return code;
    for (unsigned i = 0; i < k->n_select; i++) {
        const struct cell *c = cell_of(w, k->select[i].element, k->select[i].component);
        if (c ? !slice_eq(c->text, k->select[i].text)
              : write_action_for(&k->scope->owner, k->select[i].element, k->select[i].component) != NULL)
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

void write_count_item(struct map_writer *w, const struct work *k, struct slice kind)
{
    for (unsigned i = 0; i < w->writing.n_checks; i++) {
        struct check_work *check = &w->writing.check[i];
        if (check->list_field == k->field && !check->ahead && (!check->only.n || slice_eq(check->only, kind)))
            check->count++;
    }
}

/* What was counted and added up so far. */
static void keep_tally(const struct map_writer *w, struct tally *t)
{
    for (unsigned i = 0; i < w->writing.n_checks; i++) {
        t->count[i] = w->writing.check[i].count;
        t->sum[i] = w->writing.check[i].sum;
    }
    memcpy(t->total, w->total, sizeof(t->total));
}

static void set_tally(struct map_writer *w, const struct tally *t)
{
    for (unsigned i = 0; i < w->writing.n_checks; i++) {
        w->writing.check[i].count = t->count[i];
        w->writing.check[i].sum = t->sum[i];
    }
    memcpy(w->total, t->total, sizeof(w->total));
}

/* What stands behind the last row stays. */
void write_stay_behind(struct map_writer *w)
{
    if (w->behind.set)
        edi_writer_release(w->out);
    w->behind.set = false;
}

/* What stands behind the last row goes: it will be written behind the next one. */
static void back_behind(struct map_writer *w)
{
    if (!w->behind.set)
        return;
    edi_writer_rewind(w->out, &w->behind.mark);
    w->checker = w->behind.checker;
    w->segments = w->behind.segments;
    set_tally(w, &w->behind.tally);
    w->behind.set = false;
}

/* Does an item go on with the segment of the one before? `rows` counts what that segment has. */
static int joins_row(struct map_writer *w, struct frame *item, uint32_t *rows)
{
    const struct scope_work *s = item->scope;
    struct buf other = w->last_row;
    bool before = false, behind = false, row = false, common = false;

    w->last_row = w->row;
    w->row = other;
    buf_clear(&w->row);
    for (unsigned i = 0; i < s->present_words; i++)
        for (uint64_t bits = item->present[i] & s->shared[i]; bits; bits &= bits - 1) {
            const uint16_t field = (uint16_t)(i * 64 + (unsigned)__builtin_ctzll(bits));
            const struct slice raw = json_raw(item->tape, item->at[field]);
            char *to = buf_reserve(&w->row, sizeof(field) + raw.n);
            if (!to)
                break;
            memcpy(to, &field, sizeof(field));
            memcpy(to + sizeof(field), raw.p, raw.n);
            w->row.n += sizeof(field) + raw.n;
        }
    if (w->row.failed)
        return err_set(w->err, w->row.failed, "%s", err_name(w->row.failed));
    for (unsigned i = 0; i < s->n_words; i++) {
        before |= (item->pending[i] & s->before[i]) != 0;
        behind |= (item->pending[i] & s->behind[i]) != 0;
        row |= (item->pending[i] & ~s->before[i] & ~s->behind[i] & ~s->common[i]) != 0;
        common |= (item->pending[i] & s->common_behind[i]) != 0;
    }
    /* then the moment before it cannot be kept */
    behind |= common && (s->any_guarded || (w->some_left && item->up && item->up->left));
    for (const struct left *l = item->left; l; l = l->next) {
        before |= l->order < s->row_from;
        behind |= l->order >= s->row_to;
        row |= l->order >= s->row_from && l->order < s->row_to;
    }
    /* *rows is 0 where nothing may follow */
    if (*rows && !before && row && *rows < w->plan->guide->node[s->row].max &&
        slice_eq(buf_slice(&w->row), buf_slice(&w->last_row))) {
        *rows = behind ? 0 : *rows + 1;
        back_behind(w);
        for (unsigned i = 0; i < s->n_words; i++)
            item->pending[i] &= ~s->common[i] | s->common_behind[i];
        return 1;
    }
    *rows = row && !behind;
    write_stay_behind(w);
    return 0;
}

/* A row, and what stands behind it in a way that the next row can still take its place. */
static int run_row(struct map_writer *w, struct frame *item, bool last)
{
    const struct scope_work *s = item->scope;
    uint64_t later[WORK_WORDS] = { 0 }, any = 0;
    int code;

    for (unsigned i = 0; i < s->n_words && !last; i++) {
        any |= later[i] = item->pending[i] & s->common_behind[i];
        item->pending[i] &= ~later[i];
    }
    code = write_run_inner(w, item);
    if (code < 0 || !any)
        return code;
    if (edi_writer_mark(w->out, &w->behind.mark) < 0)
        return write_failed(w);
    w->behind.set = true;
    w->behind.checker = w->checker;
    w->behind.segments = w->segments;
    keep_tally(w, &w->behind.tally);
    memcpy(item->pending, later, s->n_words * sizeof(later[0]));
    return write_run_inner(w, item);
}

/* The rest of a text that the item's segment had no room for, in further segments with all else that the item says. */
static COLD int write_rest(struct map_writer *w, struct frame *item)
{
    const struct scope_work *s = item->scope;
    int code = 0;
    while (w->fold_rest && code >= 0) {
        w->fold_from = w->fold_rest;
        w->fold_rest = 0;
        write_begin_segment(w, &s->owner, item);
        code = run_own(w, item, &s->owner);
        if (code >= 0)
            code = write_end_segment(w, false);
    }
    w->fold_from = w->fold_rest = 0;
    return code;
}

/* The moment before something that may be left out. */
struct moment {
    struct edi_mark mark;
    struct checker checker;
    uint64_t segments;
    struct tally tally;
    struct loss loss, *around;
};

/* What the guide has many of is what the document is about: it is never left out. */
static COLD bool may_lose(const struct map_writer *w, const struct work *k)
{
    const struct guide_node *node = &w->plan->guide->node[k->segment];

    if (node->trigger)
        node = &w->plan->guide->node[node->parent];
    /* of a segment that must be there and may be there again, another one will do */
    return !w->dry && !w->some_left && (!node->required || (!node->loop && node->max > 1)) &&
           (!node->loop || node->max <= 1000 || node->max == UINT32_MAX);
}

static COLD int begin_losing(struct map_writer *w, struct moment *m)
{
    if (edi_writer_mark(w->out, &m->mark) < 0)
        return write_failed(w);
    m->checker = w->checker;
    m->segments = w->segments;
    keep_tally(w, &m->tally);
    m->loss.any = m->loss.whole = m->loss.missing = false;
    m->around = w->loss;
    w->loss = &m->loss;
    return 0;
}

/* It was written, or is taken back. */
static COLD int end_losing(struct map_writer *w, struct moment *m, int code, bool list)
{
    w->loss = m->around;
    if (code < 0 || !m->loss.any) {
        edi_writer_release(w->out);
        return code;
    }
    edi_writer_rewind(w->out, &m->mark);
    w->checker = m->checker;
    w->segments = m->segments;
    set_tally(w, &m->tally);
    write_report_left_out(w, &m->loss, list);
    return w->stopped;
}

/* A row that lacks what its segment must have, a quantity: what the item says besides is written all the same. */
static COLD int run_losing_row(struct map_writer *w, struct frame *item, bool last)
{
    struct moment moment;
    int code = begin_losing(w, &moment);

    if (code < 0)
        return code;
    moment.loss.missing = true;
    code = run_row(w, item, last);
    if (code >= 0 && moment.loss.any)
        write_stay_behind(w);
    else if (w->behind.set)
        w->behind.mark.held = moment.mark.held; /* as this moment's mark goes before it */
    return end_losing(w, &moment, code, false);
}

/* An item of a list whose own segment must say what this standard has no code for. */
static COLD void drop_item(struct map_writer *w, const struct frame *item)
{
    char words[200];

    snprintf(words, sizeof(words), "is left out: its %.*s, \"%.*s\", has no code in table %.*s",
             SLICE_FMT(w->dropped->op->field->name), (int)(w->dropped_word.n < 80 ? w->dropped_word.n : 80),
             w->dropped_word.p, SLICE_FMT(w->dropped->words->table->name));
    write_report_loss(w, write_path(w, item, NULL, 0, NULL), slice(NULL, 0), words);
}

static int run_list(struct map_writer *w, struct frame *f, const struct work *k)
{
    const struct scope_work *s = k->scope;
    const bool goes_on = s->n_works == 0 && !s->row && !k->rival;
    const struct record_field *name = k->take->field;
    const bool loses = UNLIKELY(w->may_lose) && !name->required && !s->row && !k->check && may_lose(w, k);
    struct moment moment;
    struct items items;
    uint32_t node, rows = 0;
    int code;

    write_items_begin(w, f, k->field, &items);
    while ((code = write_items_next(w, &items, &node)) > 0) {
        struct frame *item = item_frame(w, f, name, items.index);
        bool joined = false;
        if (UNLIKELY(items.tape->node[node].type != JSON_OBJECT)) {
            code = write_hold_against_kind(w);
            if (code < 0)
                return code;
            continue;
        }
        w->top++;
        w->goes_on = goes_on;
        w->fold_rest = 0;
        w->dropped = NULL;
        if (UNLIKELY(w->some_left) && !f->up)
            arena_reset(&w->item_arena);
        if (UNLIKELY(loses) && (code = begin_losing(w, &moment)) < 0)
            return code;
        if (UNLIKELY(k->rival)) {
            code = write_collect(w, item, s, items.tape, node);
            if (code >= 0)
                code = is_mine(w, f, item, k);
            if (code <= 0) {
                if (loses)
                    code = end_losing(w, &moment, code, false);
                w->top--;
                if (code < 0)
                    return code;
                continue;
            }
            write_begin_segment(w, &s->owner, item);
            code = run_own(w, item, &s->owner);
        } else {
            write_begin_segment(w, &s->owner, item);
            code = collect_own(w, item, s, items.tape, node);
            if (LIKELY(code >= 0))
                code = run_rest(w, item, &s->owner);
        }
        if (UNLIKELY(w->n_made) && s->any_below && code >= 0)
            write_leave_to_made(w, item);
        if (UNLIKELY(w->dropped != NULL) && code >= 0) {
            drop_item(w, item);
            code = loses ? end_losing(w, &moment, code, false) : 0;
            w->top--;
            if (code < 0)
                return code;
            continue;
        }
        if (UNLIKELY(s->row) && code >= 0) {
            code = joins_row(w, item, &rows);
            joined = code > 0;
        }
        if (LIKELY(code >= 0) && !joined)
            code = write_end_segment(w, UNLIKELY(!w->substance) && holds_more(item));
        if (code > 0 && k->check && !joined)
            write_count_item(w, k, slice(NULL, 0));
        if (UNLIKELY(w->fold_rest != 0) && code >= 0)
            code = write_rest(w, item);
        w->goes_on = false;
        if (LIKELY(code >= 0))
            code = LIKELY(!s->row)         ? write_run_inner(w, item)
                   : UNLIKELY(w->may_lose) ? run_losing_row(w, item, rows == 0)
                                           : run_row(w, item, rows == 0);
        if (UNLIKELY(loses))
            code = end_losing(w, &moment, code, false);
        w->top--;
        if (UNLIKELY(f->left) && code >= 0)
            code = write_left_before(w, f, k->segment);
        if (UNLIKELY(code < 0))
            return code;
    }
    if (UNLIKELY(s->row))
        write_stay_behind(w);
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
/* Gaps at the end of a segment leave nothing in it; items that have only what all items of it share are gaps. */
static COLD void lose_gaps(struct map_writer *w, const struct frame *f, const struct spread *p, uint64_t end,
                           unsigned n)
{
    for (; n; n--)
        write_report_loss(w, write_path(w, f, p->take->field, end - n, NULL), slice(NULL, 0),
                          "is not written: a gap at the end of a segment leaves nothing there");
}

/* Has an item nothing but what all items of its segment share? */
static bool is_hollow(const struct spread *p, const struct json_tape *tape, uint32_t node)
{
    if (tape->node[node].type != JSON_OBJECT)
        return false;
    for (uint32_t c = json_first(node); c < json_end(tape, node); c = json_next(tape, c)) {
        unsigned i = 0;
        while (i < p->n_shared_fields &&
               !slice_eq(json_raw_key(tape, c), p->item->object->field[p->shared_field[i]].name))
            i++;
        if (i == p->n_shared_fields)
            return false;
    }
    return true;
}

/* A gap stands neither first nor last in a segment. Is there room behind this slot for an item and those that gaps
 * part from it? */
static bool has_room(const struct spread *p, const struct items *items, unsigned slot, unsigned most)
{
    uint32_t c = items->next;

    if (slot == 0 || items->streamed || c >= items->end || LIKELY(!is_hollow(p, items->tape, c)))
        return true;
    while (c < items->end && is_hollow(p, items->tape, c)) {
        for (; c < items->end && is_hollow(p, items->tape, c); c = json_next(items->tape, c))
            slot++;
        if (c < items->end) {
            slot++;
            c = json_next(items->tape, c);
        }
    }
    return slot < most;
}

static int run_pairs(struct map_writer *w, struct frame *f, const struct work *k)
{
    const struct spread *p = &k->spread[0];
    const struct map_take *t = p->take;
    unsigned most = groups_of(t), slot = 0, top = w->top, which = 0, gaps = 0;
    const bool in_parts = p->n_shared_fields && p->item && p->action[0].component;
    struct frame *shared = NULL;        /* of the item that says what this segment's pairs share */
    struct items items;
    uint32_t node;
    int code;

    write_begin_segment(w, k, f);
    write_items_begin(w, f, p->field, &items);
    if (UNLIKELY(p->goes_on) && (code = skip_begun(w, f, p, &items)) < 0)
        return code;
    /* two frames, in turn: the item and the one that the segment goes by */
    while ((code = write_items_next(w, &items, &node)) > 0) {
        struct frame *item = NULL;
        bool gap = false;
        uint64_t filled;
        unsigned parts;
        if (p->item) {
            w->top = top + which;
            item = item_frame(w, f, t->field, items.index);
            w->top = top;
            if (UNLIKELY(items.tape->node[node].type != JSON_OBJECT))
                return write_hold_against_kind(w);
            code = write_collect(w, item, p->item, items.tape, node);
            if (code < 0)
                return code;
            gap = is_gap(item);
            if (gap && UNLIKELY(w->may_lose || w->crossing)) {
                write_report_loss(w, write_path(w, f, t->field, items.index, NULL), slice(NULL, 0),
                                  "is left out: it is a gap in another standard's segment");
                continue;
            }
        }
        if (slot == most || (shared && !gap && item && !same_shared(p, shared, item)) ||
            (in_parts && !gaps && !has_room(p, &items, slot, most))) {
            if (!t->repeats && slot == most) {
                write_too_many(w, p, f, items.index, most);
                return 0;
            }
            if (UNLIKELY(gaps))
                lose_gaps(w, f, p, items.index, gaps);
            gaps = 0;
            code = write_end_segment(w, false);
            if (UNLIKELY(f->left) && code >= 0)
                code = write_left_before(w, f, k->segment);
            if (code < 0)
                return code;
            write_begin_segment(w, k, f);
            slot = 0;
            shared = NULL;
        }
        filled = w->filled;
        parts = w->n_parts;
        if (item) {
            code = run_plain(w, item, f, p->item->direct, map_shift(t, slot), (uint32_t)items.index);
            for (unsigned i = 0; i < p->n_odd && code >= 0; i++)
                code = run_odd(w, item, f, p->odd[i], map_shift(t, slot), (uint32_t)items.index);
            gaps = LIKELY(w->filled != filled || w->n_parts != parts) ? 0 : gaps + 1;
            if (code >= 0 && !shared && !gap && p->n_shared_fields) {
                code = run_actions(w, item, f, p->action + p->shared, p->n_actions - p->shared, 0,
                                   (uint32_t)items.index);
                shared = item;
                which ^= 1;
            }
        } else {
            struct slice v;
            code = write_node_text(w, items.tape, node, &v);
            if (items.streamed && items.tape->node[node].type != JSON_STRING)
                code = write_hold_against_kind(w);
            if (code == 0 && v.n)
                code = run_value(w, f, f, &p->action[0], p->action[0].element + slot, (uint32_t)items.index, v);
        }
        if (code >= 0 && items.streamed)
            code = keep_cells(w, w->filled & ~filled & ~w->composite, parts);
        if (code < 0)
            return code;
        slot++;
    }
    if (UNLIKELY(gaps) && code == 0)
        lose_gaps(w, f, p, items.index + 1, gaps);
    if (code == 0)
        code = write_end_segment(w, false);
    return code < 0 ? code : 0;
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
    if (a->guarded) {
        code = check_guards(w, f, a);
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
            write_begin_segment(w, k, f);
            code = run_value(w, f, f, a, a->element, 0, piece);
            if (code >= 0)
                code = write_end_segment(w, false);
            if (UNLIKELY(f->left) && code >= 0)
                code = write_left_before(w, f, k->segment);
        }
    }
    if (lost && code >= 0)
        write_report_loss(w, write_path(w, f, NULL, 0, a->op->field), kept.n > 80 ? slice(kept.p, 80) : kept,
                          "loses a line break: behind an empty or a full line nothing stands for it");
    return code < 0 ? code : 0;
}

/* Of loops that are no objects of their own the first segment is written, whatever it holds, when something inside
 * is. */
static void open_loops(struct frame *f)
{
    for (unsigned i = f->scope->n_works; i-- > 0;)
        if (opens_some(f, &f->scope->work[i]))
            set_bit(f->pending, i);
}

/* A quantity, a price: the object would be another one without it. */
static COLD bool holds_number(const struct frame *f, const struct work *k)
{
    for (unsigned i = 0; i < k->n_actions; i++)
        if (k->action[i].op && k->action[i].op->field && k->action[i].op->field->type == RECORD_DECIMAL &&
            has(f, k->action[i].field))
            return true;
    return false;
}

/* What is an object or a list by itself, or fields that stand in one segment: each of these is told. */
static COLD int run_losing(struct map_writer *w, struct frame *f, const struct work *k,
                           int (*run)(struct map_writer *w, struct frame *f, const struct work *k), bool list)
{
    struct moment moment;
    int code = begin_losing(w, &moment);

    if (code < 0)
        return code;
    code = run(w, f, k);
    if (code >= 0 && moment.loss.any && k->kind == WORK_SEGMENT && k->n_actions) {
        moment.loss.whole = true;
        code = end_losing(w, &moment, code, list);
        for (unsigned i = 0; i < k->n_actions && code >= 0; i++) {
            struct slice path;
            if (!k->action[i].op || !k->action[i].op->field || !has(f, k->action[i].field))
                continue;
            path = write_path(w, f, NULL, 0, k->action[i].op->field);
            if (!slice_is(path, moment.loss.path))
                write_report_loss(w, path, slice(NULL, 0), "is left out: its segment is");
        }
        for (unsigned i = 0; i < k->n_members && code >= 0; i++)
            if (has(f, k->member_field[i]))
                write_report_loss(w, write_path(w, f, NULL, 0, k->member_name[i]), slice(NULL, 0),
                                  "is left out: its segment is");
        return code < 0 ? code : w->stopped;
    }
    return end_losing(w, &moment, code, list);
}

int write_run_inner(struct map_writer *w, struct frame *f)
{
    const struct scope_work *s = f->scope;
    int code = 0;

    if (UNLIKELY(s->any_opens))
        open_loops(f);
    for (unsigned i = 0; i < s->n_words; i++)
        for (uint64_t bits = f->pending[i]; bits; bits &= bits - 1) {
            const struct work *k = &s->work[i * 64 + (unsigned)__builtin_ctzll(bits)];
            if (UNLIKELY(f->left)) {
                code = write_left_before(w, f, k->segment);
                if (code < 0)
                    return code;
            }
            switch (k->kind) {
            case WORK_SEGMENT:
                code = UNLIKELY(w->may_lose) && may_lose(w, k) && !holds_number(f, k)
                           ? run_losing(w, f, k, run_segment, false)
                           : run_segment(w, f, k);
                break;
            case WORK_LIST:
                code = run_list(w, f, k);
                break;
            case WORK_PAIRS:
                code =
                    UNLIKELY(w->may_lose) && may_lose(w, k) ? run_losing(w, f, k, run_pairs, true) : run_pairs(w, f, k);
                break;
            case WORK_FOLD:
                write_begin_segment(w, k, f);
                code = run_fold(w, f, k);
                break;
            case WORK_NODES:
                code = write_nodes(w, f, k);
                break;
            default:
                write_begin_segment(w, k, f);
                code = write_end_segment(w, true);
            }
            if (UNLIKELY(code < 0))
                return code;
        }
    if (UNLIKELY(f->left)) {
        code = write_left_before(w, f, UINT32_MAX);
        if (code < 0)
            return code;
    }
    if (UNLIKELY(s->any_guarded))
        write_report_unguarded(w, f);
    return 0;
}
