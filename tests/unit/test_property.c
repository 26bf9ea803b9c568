/*
 * property: what must hold of every document and every record, tried with many made by chance.
 *
 *     record -> document -> record     the same record, and from it the same document
 *     document -> record -> document   the document made from the record gives the same record
 *     odd record -> document -> record the same record, unless the writer said that it is not
 *     document with a segment of nobody -> record -> document the same document, where that segment is allowed
 *     message -> record -> message -> record    the same record, or a word of why not
 *
 * Records are made along the plans of the base maps, documents along their guides: every segment, element, code list
 * and relational note takes part. The numbers are the same in each run; WAYBILL_PROPERTY_CASES asks for more cases,
 * WAYBILL_PROPERTY_SEED for those of one seed, which a failure tells.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "edi/check.h"
#include "map/plan.h"
#include "map/read.h"
#include "map/write.h"

enum { CASES = 200, CEILING = 16 << 20, MOST_SEGMENTS = 600 };

/* A map, and one of the guides that it serves. */
static const struct type {
    const char *map, *guide, *set, *group, *version, *kind;
} types[] = {
    { "x12/850-order", "x12/004010/850", "850", "PO", "004010", "order" },
    { "x12/850-order", "x12/005010/850", "850", "PO", "005010", "order" },
    { "x12/832-catalogue", "x12/004010/832", "832", "SC", "004010", "catalogue" },
    { "x12/832-catalogue", "x12/005010/832", "832", "SC", "005010", "catalogue" },
    { "x12/846-inventory", "x12/004010/846", "846", "IB", "004010", "inventory" },
    { "x12/846-inventory", "x12/005010/846", "846", "IB", "005010", "inventory" },
    { "x12/856-shipment", "x12/004010/856", "856", "SH", "004010", "shipment" },
    { "x12/856-shipment", "x12/005010/856", "856", "SH", "005010", "shipment" },
    { "x12/940-warehouse_order", "x12/004010/940", "940", "OW", "004010", "warehouse_order" },
    { "x12/940-warehouse_order", "x12/005010/940", "940", "OW", "005010", "warehouse_order" },
    { "x12/945-warehouse_shipment", "x12/004010/945", "945", "SW", "004010", "warehouse_shipment" },
    { "x12/945-warehouse_shipment", "x12/005010/945", "945", "SW", "005010", "warehouse_shipment" },
    { "x12/997-acknowledgment", "x12/004010/997", "997", "FA", "004010", "acknowledgment" },
    { "x12/997-acknowledgment", "x12/005010/997", "997", "FA", "005010", "acknowledgment" },
    { "x12/999-acknowledgment", "x12/005010/999", "999", "FA", "005010", "acknowledgment" },
};
enum { TYPES = sizeof(types) / sizeof(types[0]) };

/* Messages: of these records come from documents made by chance. */
static const struct type messages[] = {
    { "edifact/ORDERS-order", "edifact/d96a/ORDERS", "ORDERS", "", "D.96A", "order" },
    { "edifact/ORDERS-order", "edifact/d01b/ORDERS", "ORDERS", "", "D.01B", "order" },
    { "edifact/ORDERS-order", "edifact/d96a-ean008/ORDERS", "ORDERS", "", "D.96A", "order" },
    { "edifact/INVRPT-inventory", "edifact/d96a/INVRPT", "INVRPT", "", "D.96A", "inventory" },
    { "edifact/INVRPT-inventory", "edifact/d01b/INVRPT", "INVRPT", "", "D.01B", "inventory" },
    { "edifact/DESADV-shipment", "edifact/d96a/DESADV", "DESADV", "", "D.96A", "shipment" },
    { "edifact/DESADV-shipment", "edifact/d01b/DESADV", "DESADV", "", "D.01B", "shipment" },
};
enum { MESSAGES = sizeof(messages) / sizeof(messages[0]) };

static struct guides *guides;
static struct maps *maps;
/* Of the type at hand. */
static const struct type *type;
static bool edifact;
static struct edi_syntax syntax;
static const struct guide *guide;
static const struct map_plan *plan;
static struct finding_policy policy;    /* the default, but for strays() */

/* ---- chance ---- */

struct chance {
    uint64_t state;
    unsigned density;       /* percent of what may be left out that is there */
    unsigned left;          /* segments that may still be made of what may be left out */
    unsigned odd;           /* percent of values that are not what the guide wants */
    bool exponents;         /* numbers may have them: in documents */
};

static uint64_t next(struct chance *c)
{
    uint64_t z = c->state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

/* 0 to n - 1. */
static unsigned below(struct chance *c, unsigned n)
{
    return n ? (unsigned)(next(c) % n) : 0;
}

static bool perhaps(struct chance *c, unsigned percent)
{
    return below(c, 100) < percent;
}

/* How many of something that may occur so often; a mandatory one at least once. */
static unsigned how_many(struct chance *c, bool required, uint32_t max)
{
    unsigned n = required ? 1 : 0;
    if (max == 0)
        return n;
    while (n < max && n < 5 && c->left && perhaps(c, n && required ? 40 : c->density)) {
        n++;
        c->left--;
    }
    return n;
}

/* ---- values ---- */

static void add_digits(struct chance *c, struct buf *to, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        buf_add_char(to, (char)('0' + (i ? below(c, 10) : 1 + below(c, 9))));
}

static void add_text(struct chance *c, struct buf *to, unsigned n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,-/#()'&";
    for (unsigned i = 0; i < n; i++) {
        char letter = i && i + 1 < n && perhaps(c, 12) ? ' ' : letters[below(c, sizeof(letters) - 1)];
        if (syntax.release && perhaps(c, 4)) /* what separates is text where it is released */
            letter = "+:?'"[below(c, 4)];
        if (syntax.release && strchr("+:?'", letter))
            buf_add_char(to, syntax.release);
        buf_add_char(to, letter);
    }
}

/* A length from what is allowed, rather short. */
static unsigned length(struct chance *c, uint32_t min, uint32_t max)
{
    uint32_t most = max > min + 12 ? min + 12 : max;
    return min + below(c, most - min + 1);
}

static struct codes *codes_of(const struct element_use *use)
{
    return use->element->has_codes && !use->element->external.n ? guide_codes(guide, (struct element_use *)use)
           : use->codes                                         ? use->codes
                                                                : NULL;
}

/* Elements that a directory has as text, and whose text is a number all the same. */
static bool is_number(struct slice id)
{
    static const char *const ids[] = { "5278", "5286", "6060", "6314", "6162", "6152", "5482", "5402", "6064" };

    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        if (slice_is(id, ids[i]))
            return true;
    return false;
}

/* A value as it stands in a document. False: this kind is not made. */
static bool add_value(struct chance *c, const struct element_use *use, struct buf *to)
{
    const struct codes *codes = codes_of(use);
    unsigned n = length(c, use->min, use->max);

    if (codes && codes->n) {
        for (unsigned i = 0; i < 50; i++) {
            struct slice code = codes->line[below(c, codes->n)].code;
            if (code.n >= use->min && code.n <= use->max && code.n <= 8) {
                buf_add_slice(to, code);
                return true;
            }
        }
        return false;
    }
    switch (use->element->type) {
    case TYPE_AN:
    case TYPE_ID:
        if (edifact && is_number(use->element->id))
            add_digits(c, to, n > 6 ? 6 : n);
        else
            add_text(c, to, n);
        return true;
    case TYPE_A:
        for (unsigned i = 0; i < n; i++)
            buf_add_char(to, (char)('A' + below(c, 26)));
        return true;
    case TYPE_N:
        add_digits(c, to, n < use->element->decimals + 1u ? use->element->decimals + 1u : n > 9 ? 9 : n);
        return true;
    case TYPE_R:
        n = n > 8 ? 8 : n;
        if (c->exponents && use->min <= 2 && use->max >= 6 && perhaps(c, 5))
            buf_printf(to, "%u.5E%s%u", 1 + below(c, 9), perhaps(c, 50) ? "-" : "", below(c, 3));
        else if (n > 2 && perhaps(c, 40)) {
            add_digits(c, to, n - 2);
            buf_add_char(to, '.');
            add_digits(c, to, 2);
        } else {
            add_digits(c, to, n);
        }
        return true;
    case TYPE_DT:
        if (use->max >= 8 && use->min <= 8)
            buf_printf(to, "20%02u", below(c, 50));
        else
            buf_printf(to, "%02u", below(c, 100));
        buf_printf(to, "%02u%02u", 1 + below(c, 12), 1 + below(c, 28));
        return true;
    case TYPE_TM:
        buf_printf(to, "%02u%02u", below(c, 24), below(c, 60));
        if (use->max >= 6 && perhaps(c, 40))
            buf_printf(to, "%02u", below(c, 60));
        return true;
    default:
        return false;
    }
}

/* ---- which elements of a segment are there ---- */

static bool holds(const struct note *note, uint64_t present)
{
    uint64_t some = present & note->mask;
    bool first = present >> (note->first - 1) & 1;
    switch (note->kind) {
    case 'P': return some == 0 || some == note->mask;
    case 'R': return some != 0;
    case 'E': return (some & (some - 1)) == 0;
    case 'C': return !first || (present & note->others) == note->others;
    case 'L': return !first || (present & note->others) != 0;
    default: return true;
    }
}

static bool all_hold(const struct segment_def *def, uint64_t present)
{
    if ((present & def->mandatory) != def->mandatory || (present & def->not_used))
        return false;
    for (unsigned i = 0; i < def->n_notes; i++)
        if (!holds(&def->note[i], present))
            return false;
    return true;
}

/* A set of elements that the segment may have: those of `fixed`, and some of `may`. 0: none was found. */
static uint64_t choose(struct chance *c, const struct segment_def *def, uint64_t may, uint64_t fixed)
{
    for (unsigned i = 0; i < 400; i++) {
        uint64_t set = fixed | (def->mandatory & may);
        unsigned percent = i < 200 ? 20 + below(c, 60) : below(c, 30);
        for (unsigned k = 0; k < def->n && k < 64; k++)
            if (may >> k & 1 && perhaps(c, percent))
                set |= 1ull << k;
        /* what belongs together */
        for (unsigned j = 0; j < def->n_notes; j++)
            if (def->note[j].kind == 'P' && (set & def->note[j].mask) && perhaps(c, 80))
                set |= def->note[j].mask & (may | fixed);
            else if (def->note[j].kind == 'C' && set >> (def->note[j].first - 1) & 1 && perhaps(c, 80))
                set |= def->note[j].others & (may | fixed);
        if (set && all_hold(def, set))
            return set;
    }
    return 0;
}

/* ---- documents ---- */

static uint16_t trailer;
static uint64_t lines;          /* PO1, or HL: nodes of a tree */
static unsigned odd_written;    /* odd records that could be written */
static bool dated;              /* a message has its date */
static unsigned messages_made, messages_refused;   /* with a word of why, when read or when written */

/* C507: a moment in one of the forms that its third component names. */
static void add_period(struct chance *c, const struct element *e, struct buf *to)
{
    static const struct {
        const char *code, *value;
    } forms[] = {
        { "102", "20260115" },         { "203", "202601151230" },         { "204", "20260115123015" },
        { "718", "2026011520260220" }, { "719", "202601150800202601151700" }, { "102", "20491231" },
        { "303", "202601151230UTC" },
    };
    const struct codes *codes = codes_of(&e->part[2]);
    unsigned form = below(c, sizeof(forms) / sizeof(forms[0]));
    bool known = !codes || !codes->n;

    for (unsigned i = 0; !known && i < codes->n; i++)
        known = slice_is(codes->line[i].code, forms[form].code);
    if (!known || !dated)
        form = 0;
    if (!dated)
        buf_add_text(to, "137"); /* which every record wants */
    else if (!add_value(c, &e->part[0], to))
        return;
    dated = true;
    buf_printf(to, "%c%s%c%s", syntax.component, forms[form].value, syntax.component, forms[form].code);
}

static bool add_composite(struct chance *c, const struct element *e, struct buf *to)
{
    if (slice_is(e->id, "C507")) {
        add_period(c, e, to);
        return true;
    }
    for (unsigned i = 0; i < 200; i++) {
        uint64_t set = 0;
        bool good = true;
        size_t end;
        for (unsigned k = 0; k < e->n_parts; k++) {
            if (e->part[k].requirement == REQ_MANDATORY || (k == 0 && (slice_is(e->id, "C106"))) ||
                perhaps(c, i < 100 ? 30 : 10))
                set |= 1ull << k;
        }
        for (unsigned k = 0; k < e->n_notes; k++)
            good &= holds(&e->note[k], set);
        if (!set || !good)
            continue;
        end = to->n;
        for (unsigned k = 0; k < e->n_parts; k++) {
            if (k)
                buf_add_char(to, syntax.component);
            if (set >> k & 1) {
                if (!add_value(c, &e->part[k], to))
                    return false;
                end = to->n;
            }
        }
        to->n = end;
        return true;
    }
    return false;
}

/* A segment of a text that the map takes has its text. */
static bool has_text(const struct map_scope *s, struct slice tag, uint64_t set)
{
    for (unsigned i = 0; i < s->n_order; i++) {
        const struct map_take *t = s->order[i];
        if (t->kind == TAKE_FOLD && slice_eq(guide->node[t->segment].tag, tag) &&
            !(set >> (t->op[0].element[0] - 1) & 1))
            return false;
        if (t->kind == TAKE_SCOPE && !has_text(t->scope, tag, set))
            return false;
    }
    return true;
}

static bool add_segment(struct chance *c, const struct guide_node *node, struct buf *to)
{
    const struct segment_def *def = node->def;
    uint64_t may = 0, set = 0;
    size_t start = to->n, end;

    for (unsigned k = 0; k < def->n && k < 64; k++)
        if (!(def->not_used >> k & 1) && def->use[k].element->type != TYPE_B)
            may |= 1ull << k;
    if ((slice_is(node->tag, "HL") || slice_is(node->tag, "CPS")) && lines == 0)
        may &= ~2ull; /* the first node has no parent */
    if (slice_is(node->tag, "CNT")) /* computed: the writer's own */
        return false;
    for (unsigned i = 0; i < 50 && !set; i++) {
        set = choose(c, def, may, slice_is(node->tag, "BGM") ? 2 : 0); /* its number */
        if (!has_text(plan->root, def->tag, set))
            set = 0;
    }
    if (!set)
        return false;
    buf_add_slice(to, def->tag);
    end = to->n;
    for (unsigned k = 0; k < def->n && k < 64; k++) {
        const struct element_use *use = &def->use[k];
        bool made = true;
        buf_add_char(to, syntax.element);
        if (!(set >> k & 1))
            continue;
        if (slice_is(node->tag, "UNS"))
            buf_add_char(to, 'S');
        else if ((slice_is(node->tag, "HL") || slice_is(node->tag, "CPS")) && k == 0)
            buf_printf(to, "%llu", (unsigned long long)lines + 1);
        else if ((slice_is(node->tag, "HL") || slice_is(node->tag, "CPS")) && k == 1)
            buf_printf(to, "%u", 1 + below(c, (unsigned)lines));
        else if (slice_is(node->tag, "CTT") && k < 2) /* computed: the writer's own */
            buf_printf(to, "%llu", (unsigned long long)(k ? 0 : lines));
        else if (slice_is(node->tag, "LS") || slice_is(node->tag, "LE"))
            buf_add_text(to, "LOOP");
        else
            made = use->element->type == TYPE_COMPOSITE ? add_composite(c, use->element, to) : add_value(c, use, to);
        if (!made) {
            to->n = start;
            return false;
        }
        end = to->n;
    }
    to->n = end;
    buf_add_char(to, syntax.terminator);
    if (slice_is(node->tag, "PO1") || slice_is(node->tag, "HL") || slice_is(node->tag, "CPS"))
        lines++;
    return true;
}

/* What no record can do without although a message can: a date, something ordered or sent. */
static bool is_wanted(const struct guide_node *loop, const struct guide_node *node)
{
    if (!edifact || loop != &guide->node[0])
        return false;
    if (!node->loop)
        return slice_is(node->tag, "DTM");
    return slice_is(guide->node[node->first].tag, "LIN") || slice_is(guide->node[node->first].tag, "CPS");
}

static void add_loop(struct chance *c, const struct guide_node *loop, struct buf *to)
{
    for (uint16_t i = loop->first; i != NODE_NONE; i = guide->node[i].next) {
        const struct guide_node *node = &guide->node[i];
        unsigned n;
        if (i <= 1 || i == trailer || node->not_used)
            continue;
        n = node->trigger ? 1 : how_many(c, node->required || is_wanted(loop, node), node->max);
        while (n--) {
            if (node->loop) {
                add_loop(c, node, to);
            } else if (!add_segment(c, node, to) && node->trigger) {
                return;
            }
        }
    }
}

static void add_envelope(struct buf *to, struct slice body)
{
    unsigned n = 2;
    for (size_t i = 0; i < body.n; i++)
        if (syntax.release && body.p[i] == syntax.release)
            i++;
        else
            n += body.p[i] == syntax.terminator;
    if (edifact) {
        buf_printf(to, "UNB+UNOC:3+NORTHWIND:14+ACMECORP:14+260115:0905+42'UNH+1+%s:D:%s:UN%s'", type->set,
                   type->version + 2, strstr(type->guide, "ean") ? ":EAN008" : "");
        buf_add_slice(to, body);
        buf_printf(to, "UNT+%u+1'UNZ+1+42'", n);
        return;
    }
    buf_printf(to,
               "ISA*00*          *00*          *ZZ*NORTHWIND      *ZZ*ACMECORP       *260115*0905*%s*%.5s*000000042*"
               "0*P*>~GS*%s*NORTH*ACME*20260115*0905*7*X*%s~ST*%s*0001~",
               type->version[2] == '5' ? "^" : "U", type->version[2] == '5' ? "00501" : "00401", type->group,
               type->version, type->set);
    buf_add_slice(to, body);
    buf_printf(to, "SE*%u*0001~GE*1*7~IEA*1*000000042~", n);
}

/* ---- records ---- */

static void add_object(struct chance *c, const struct map_scope *s, bool item, struct buf *to);

static void add_name(struct buf *to, const struct record_field *field)
{
    char last = to->n ? to->p[to->n - 1] : '{';
    if (last != '{' && last != '[')
        buf_add_char(to, ',');
    buf_add_char(to, '"');
    buf_add_slice(to, field->name);
    buf_add_text(to, "\":");
}

static void add_string(struct buf *to, struct slice value)
{
    buf_add_char(to, '"');
    buf_add_json(to, value);
    buf_add_char(to, '"');
}

static bool has_conversion(const struct map_op *op, uint8_t kind)
{
    for (unsigned i = 0; i < op->n_conversions; i++)
        if (op->conversion[i].kind == kind)
            return true;
    return false;
}

/* Is this code some other line's, which would take the segment? */
static bool is_taken(const struct map_take *chain, const struct map_take *own, unsigned element, struct slice code)
{
    for (const struct map_take *t = chain; t; t = t->next)
        for (unsigned i = 0; t != own && i < t->n_select; i++)
            if (t->select[i].element == element && slice_eq(t->select[i].text, code))
                return true;
    return false;
}

/* Values that a record may hold and a document perhaps not: too long, other letters, delimiters, codes of nobody. */
static void add_odd(struct chance *c, const struct map_op *op, const struct element_use *use, struct buf *to)
{
    static const char *const texts[] = { "caf\xc3\xa9", "\xc3\x9cX",   "\xe2\x82\xac 5",
                                         "a*b",         "a~b",         "a>b",
                                         "a^b",         " lead",       "trail ",
                                         "  ",          "two  blanks", "small",
                                         "x\ty",        "a\nb",        "\xf0\x9f\x98\x80",
                                         "0",           "-",           "\"q\"",
                                         "back\\slash", "stand_alone", "IA",
                                         "buyer",       "keep" };
    static const char *const decimals[] = {
        "0", "-1", "0.5", "12.50", "-0.05", "99999999999999999999", "0.123456789012", "-12.34", "007", "100", "1.00"
    };
    static const char *const dates[] = { "2026-02-28", "1999-12-31", "1949-01-01",
                                         "2050-06-01", "0001-01-01", "9999-12-31" };
    static const char *const moments[] = {
        "2026-02-28",        "2026-02-28T00:00",       "2026-02-28T23:59:59",     "2026-02-28T12:00:00.50",
        "2026-02-28T12:00Z", "2026-02-28T12:00[ET]",   "2026-02-28T12:00:30[LT]", "2026-02-28[ET]",
        "2026-02-28Z",       "2026-02-28T12:00-05:30", "2026-02-28T12:00[XYZ]"
    };
    static const char *const times[] = { "00:00", "23:59:59", "12:00:00.50", "07:05:00" };
#define ONE_OF(list) list[below(c, sizeof(list) / sizeof(list[0]))]
    if (op->table && op->table->n && (op->beside || perhaps(c, 40))) { /* a partner's code where a word belongs */
        add_name(to, op->field);
        add_string(to, op->table->row[below(c, op->table->n)].code);
        if (op->beside && perhaps(c, 50)) {
            add_name(to, op->beside);
            add_string(to, op->table->row[below(c, op->table->n)].code);
        }
        return;
    }
    add_name(to, op->field);
    switch (op->field->type) {
    case RECORD_DECIMAL:
        if (use->element->type == TYPE_N && use->element->decimals == 2)
            add_string(to, slice_of(perhaps(c, 50) ? "0.05" : perhaps(c, 50) ? "-12.34" : "12345678901234567.89"));
        else /* the last would come back as 1 from a place for whole numbers */
            add_string(to, slice_of(decimals[below(c, sizeof(decimals) / sizeof(decimals[0]) -
                                                          (use->element->type == TYPE_N))]));
        break;
    case RECORD_DATE:
        add_string(to, slice_of(ONE_OF(dates)));
        break;
    case RECORD_TIME:
        add_string(to, slice_of(ONE_OF(times)));
        break;
    case RECORD_DATETIME:
        add_string(to, slice_of(ONE_OF(moments)));
        break;
    default: {
        struct buf value;
        buf_init(&value, 1 << 16);
        if (perhaps(c, 20))
            add_text(c, &value, use->max < 500 ? use->max + 1 : 1);
        else
            buf_add_text(&value, ONE_OF(texts));
        add_string(to, buf_slice(&value));
        buf_deinit(&value);
    }
    }
#undef ONE_OF
}

/* The value of one op, as the record has it. False: nothing was added. */
static bool add_field(struct chance *c, const struct map_op *op, const struct element_use *use,
                      const struct map_take *own, const struct map_take *chain, struct buf *to)
{
    const struct map_table_row *row = NULL;
    struct buf value;
    bool added = false;

    if (op->n_conversions && op->conversion[0].kind == CONVERT_NODE) {
        add_name(to, op->field);
        buf_printf(to, "\"%llu\"", (unsigned long long)++lines);
        return true;
    }
    if (op->n_conversions && op->conversion[0].kind == CONVERT_PARENT) {
        if (lines < 2)
            return false;
        add_name(to, op->field);
        buf_printf(to, "\"%u\"", 1 + below(c, (unsigned)lines - 1));
        return true;
    }
    if (c->odd && perhaps(c, c->odd) && !op->fallback.n && (!op->beside || op->table) &&
        !(chain && chain->next && op->element[0] == guide->node[own->segment].def->qualifier)) {
        add_odd(c, op, use, to);
        return true;
    }
    buf_init(&value, 4096);
    for (unsigned i = 0; i < 50 && !added; i++) {
        buf_clear(&value);
        added = add_value(c, use, &value) && !is_taken(chain, own, op->element[0], buf_slice(&value));
    }
    added &= op->table || !op->fallback.n || !slice_eq(buf_slice(&value), op->fallback); /* left out, too */
    if (added && op->table) {
        row = value.n <= 8 ? map_table_code(op->table, slice_key(buf_slice(&value))) : NULL;
        if (op->fallback.n && slice_eq(row ? row->word : buf_slice(&value), op->fallback))
            added = false; /* left out, and written all the same */
        else if (!row && !op->beside && map_table_word(op->table, buf_slice(&value)))
            added = false; /* a code that is another's word */
    }
    if (!added) {
        buf_deinit(&value);
        return false;
    }
    add_name(to, op->field);
    if (op->field->type == RECORD_DATE) {
        buf_add_char(to, '"');
        if (value.n == 6)
            buf_add_text(to, value.p[0] >= '5' ? "19" : "20");
        buf_printf(to, "%.*s-%.2s-%.2s\"", value.n == 6 ? 2 : 4, buf_text(&value), value.p + value.n - 4,
                   value.p + value.n - 2);
    } else if (op->field->type == RECORD_TIME) {
        const char *digits = buf_text(&value);
        buf_printf(to, "\"%.2s:%.2s", digits, digits + 2);
        if (value.n > 4)
            buf_printf(to, ":%.2s", digits + 4);
        if (value.n > 6)
            buf_printf(to, ".%s", digits + 6);
        buf_add_char(to, '"');
    } else if (op->field->type == RECORD_DECIMAL && use->element->type == TYPE_N && use->element->decimals) {
        unsigned places = use->element->decimals;
        buf_printf(to, "\"%.*s.%.*s\"", (int)(value.n - places), buf_text(&value), (int)places,
                   value.p + value.n - places);
    } else if (op->field->type == RECORD_DECIMAL && use->element->type != TYPE_R && use->element->type != TYPE_N) {
        buf_add_char(to, '"');
        add_digits(c, to, use->min ? use->min : 1);
        buf_add_char(to, '"');
    } else {
        add_string(to, row ? row->word : buf_slice(&value));
    }
    if (op->beside && (row ? !slice_eq(row->word, row->code)
                           : op->table && map_table_word(op->table, buf_slice(&value)) != NULL)) {
        add_name(to, op->beside);
        add_string(to, buf_slice(&value));
    }
    buf_deinit(&value);
    return true;
}

/* (DTM02 DTM03 DTM04), those of `set`. */
static void add_moment(struct chance *c, const struct map_op *op, uint64_t set, struct buf *to)
{
    static const char *const zones[] = { "", "", "Z", "[ET]", "[LT]", "[GM]" };
    bool time = op->element[1] && set >> (op->element[1] - 1) & 1;
    bool zone = op->element[2] && set >> (op->element[2] - 1) & 1;
    add_name(to, op->field);
    buf_printf(to, "\"20%02u-%02u-%02u", below(c, 50), 1 + below(c, 12), 1 + below(c, 28));
    if (time)
        buf_printf(to, "T%02u:%02u%s%s", below(c, 24), below(c, 60), perhaps(c, 30) ? ":30" : "",
                   zone ? zones[2 + below(c, 4)] : "");
    buf_add_char(to, '"');
}

static const struct element_use *use_of(const struct segment_def *def, const struct map_op *op, unsigned offset)
{
    const struct element_use *use = &def->use[op->element[0] + offset - 1];
    if (use->element->type != TYPE_COMPOSITE)
        return use;
    return op->component && op->component <= use->element->n_parts ? &use->element->part[op->component - 1] : NULL;
}

/* The items of pairs: those whose elements are in `set`. */
static void add_pairs(struct chance *c, const struct map_take *t, const struct segment_def *def, uint64_t set,
                      struct buf *to)
{
    bool any = false;
    for (unsigned slot = 0; slot < t->n_slots; slot++) {
        unsigned k = t->first + map_shift(t, slot);
        uint64_t here = set >> (k - 1) & ((1ull << t->group) - 1);
        if (here || (set & t->range) >> (k - 1)) {
            if (!any)
                add_name(to, t->field);
            buf_add_text(to, any ? ",{" : "[{");
            any = true;
            for (unsigned i = 0; i < t->shared; i++)
                if (here >> i & 1)
                    add_field(c, &t->op[i], &def->use[k + i - 1], NULL, NULL, to);
            buf_add_char(to, '}');
        }
    }
    if (any)
        buf_add_char(to, ']');
}

/* Is a field's element among those of `set`? */
static bool is_set(const struct map_take *t, const struct record_field *field, uint64_t set)
{
    for (unsigned i = 0; i < t->n_ops; i++)
        if (t->op[i].field == field && set >> (t->op[i].element[0] - 1) & 1)
            return true;
    return false;
}

/* Is the op for records that hold the elements of `set`? Of conditions only those by presence, on the same segment, are
 * looked at: what has others is left out. */
static bool is_for(const struct map_take *t, const struct map_op *op, uint64_t set)
{
    if (op->n_select || op->quick == QUICK_SAID || op->quick == QUICK_TELL)
        return false;
    for (unsigned i = 0; i < op->n_guards; i++)
        if (op->guard[i].origin != GUARD_HERE || op->guard[i].value.n ||
            is_set(t, op->guard[i].field, set) == op->guard[i].absent)
            return false;
    return true;
}

/* Is it for some? */
static bool may_be_for(const struct map_op *op)
{
    bool may = !op->n_select && op->quick != QUICK_SAID && op->quick != QUICK_TELL;
    for (unsigned i = 0; i < op->n_guards; i++)
        may &= op->guard[i].origin == GUARD_HERE && !op->guard[i].value.n;
    return may;
}

/* What a take's ops and the pairs beside them name. */
static uint64_t may_have(const struct map_take *t, const struct segment_def *def)
{
    uint64_t may = 0;
    for (unsigned i = 0; i < t->n_ops; i++) {
        const struct map_op *op = &t->op[i];
        if (!op->field || !may_be_for(op) || !use_of(def, op, 0))
            continue;
        for (unsigned k = 0; k < 3; k++)
            if (op->element[k])
                may |= 1ull << (op->element[k] - 1);
    }
    for (const struct map_take *p = t->pairs; p; p = p->pairs)
        may |= p->range;
    return may;
}

/* Elements that are written by themselves: qualifiers, constants, computed values. */
static uint64_t given(const struct map_take *t)
{
    uint64_t set = 0;
    for (unsigned i = 0; i < t->n_select; i++)
        set |= 1ull << (t->select[i].element - 1);
    for (unsigned i = 0; i < t->n_ops; i++)
        if (!t->op[i].field && !t->op[i].n_guards)
            set |= 1ull << (t->op[i].element[0] - 1);
        else if (t->op[i].field && t->op[i].fallback.n && !t->op[i].n_guards) /* a default stands there when nothing else does */
            set |= 1ull << (t->op[i].element[0] - 1);
    return set;
}

/* The set must be whole pairs, or gaps. */
static uint64_t even_pairs(struct chance *c, const struct map_take *t, uint64_t set)
{
    for (const struct map_take *p = t->pairs; p; p = p->pairs) {
        bool more = true;
        if (p->kind != TAKE_PAIRS) { /* spread: from the first on, no gaps */
            for (unsigned k = p->first; k <= p->last && k <= 64; k++)
                if (!more || !(set >> (k - 1) & 1)) {
                    more = false;
                    set &= ~(1ull << (k - 1));
                }
            continue;
        }
        for (unsigned slot = 0; slot < p->n_slots; slot++) {
            uint64_t mask = ((1ull << p->group) - 1) << (p->first + map_shift(p, slot) - 1);
            if ((set & mask) && more)
                set |= mask;
            else
                set &= ~mask;
            if (!(set & mask) && !perhaps(c, 15))
                more = false;
        }
    }
    return set;
}

static void add_spread(struct chance *c, const struct map_take *t, const struct segment_def *def, unsigned n,
                       struct buf *to)
{
    const struct element_use *use = &def->use[t->first - 1];
    struct buf value;
    buf_init(&value, 4096);
    add_name(to, t->field);
    buf_add_char(to, '[');
    for (unsigned i = 0; i < n; i++) {
        const struct map_table_row *row;
        buf_clear(&value);
        if (!add_value(c, use, &value))
            break;
        row = t->op[0].table && value.n <= 8 ? map_table_code(t->op[0].table, slice_key(buf_slice(&value))) : NULL;
        if (i)
            buf_add_char(to, ',');
        add_string(to, row ? row->word : buf_slice(&value));
    }
    buf_add_char(to, ']');
    buf_deinit(&value);
}

/* A time needs its date, where a map makes one value of them, and a zone its time. */
static bool whole_moments(const struct map_take *t, uint64_t set)
{
    for (unsigned i = 0; i < t->n_ops; i++) {
        const uint8_t *e = t->op[i].element;
        for (unsigned k = 1; k < 3; k++)
            if (e[k] && set >> (e[k] - 1) & 1 && !(set >> (e[k - 1] - 1) & 1))
                return false;
    }
    return true;
}

/* The fields that a segment gives. False: it cannot be made, nothing was added. */
static bool add_fields(struct chance *c, const struct map_scope *s, const struct map_take *t, struct buf *to)
{
    const struct segment_def *def = guide->node[t->segment].def;
    const struct map_take *chain = s->program[t->node - s->first];
    uint64_t may = may_have(t, def), fixed = given(t), set = 0;

    if (s->parent && s->implied) /* the other lines of the same segment stand outside */
        for (const struct map_take *o = s->parent->program[t->segment - s->parent->first]; o; o = o->next)
            if (o->kind == TAKE_SEGMENT)
                fixed |= given(o);
    if (s->parent && t->owner)
        chain = s->parent->program[s->node - s->parent->first];
    may &= ~def->not_used;
    for (unsigned i = 0; i < 50 && !set; i++) {
        set = choose(c, def, may & ~fixed, fixed);
        if (!set)
            return false;
        set = even_pairs(c, t, set);
        /* a qualifier alone is nothing; a moment needs its date */
        if (!(set & may & ~fixed) || !all_hold(def, set))
            set = 0;
        if (!whole_moments(t, set))
            set = 0;
    }
    if (!set)
        return false;
    for (unsigned i = 0; i < t->n_ops; i++) {
        const struct map_op *op = &t->op[i];
        const struct element_use *use = use_of(def, op, 0);
        if (!op->field || !is_for(t, op, set) || !use)
            continue;
        if (op->fallback.n ? !perhaps(c, 50) : !(set >> (op->element[0] - 1) & 1))
            continue;
        if (has_conversion(op, CONVERT_DATETIME) && c->odd && perhaps(c, c->odd))
            add_odd(c, op, use, to);
        else if (has_conversion(op, CONVERT_DATETIME))
            add_moment(c, op, set, to);
        else
            add_field(c, op, use, t, t->n_select ? NULL : chain, to);
    }
    for (const struct map_take *p = t->pairs; p; p = p->pairs) {
        if (p->kind == TAKE_PAIRS)
            add_pairs(c, p, def, set, to);
        else if (set & p->range)
            add_spread(c, p, def, (unsigned)__builtin_popcountll(set & p->range), to);
    }
    return true;
}

static void add_folded(struct chance *c, const struct map_take *t, struct buf *to)
{
    bool single = guide->node[t->segment].max <= 1;
    unsigned n = 1 + below(c, single ? 1 : 3);
    struct buf text;
    buf_init(&text, 1 << 16);
    for (unsigned i = 0; i < n; i++) {
        unsigned size = 1 + below(c, single ? t->fold - 2 : perhaps(c, 20) ? t->fold * 2 : 40);
        if (i)
            buf_add_char(&text, '\n');
        add_text(c, &text, size % t->fold ? size : size + 1);
    }
    add_name(to, t->field);
    add_string(to, buf_slice(&text));
    buf_deinit(&text);
}

/* SDQ: a list of its own. */
static void add_list_of_pairs(struct chance *c, const struct map_take *t, struct buf *to)
{
    const struct segment_def *def = guide->node[t->segment].def;
    unsigned n = 1 + below(c, 25);
    struct buf shared[2];

    for (unsigned i = 0; i < 2; i++) {
        buf_init(&shared[i], 4096);
        buf_add_char(&shared[i], '{');
        for (unsigned k = t->shared; k < t->n_ops; k++)
            if (def->mandatory >> (t->op[k].element[0] - 1) & 1 || perhaps(c, 40))
                add_field(c, &t->op[k], use_of(def, &t->op[k], 0), NULL, NULL, &shared[i]);
    }
    add_name(to, t->field);
    buf_add_char(to, '[');
    for (unsigned i = 0; i < n; i++) {
        unsigned which = perhaps(c, 20);
        if (i)
            buf_add_char(to, ',');
        buf_add_slice(to, buf_slice(&shared[which]));
        for (unsigned k = 0; k < t->shared; k++)
            add_field(c, &t->op[k], use_of(def, &t->op[k], 0), NULL, NULL, to);
        buf_add_char(to, '}');
    }
    buf_add_char(to, ']');
    buf_deinit(&shared[0]);
    buf_deinit(&shared[1]);
}

/* How often it may stand there, when all other lines of the same segment have theirs. */
static uint32_t room_for(const struct map_scope *s, const struct map_take *t)
{
    uint32_t room = guide->node[t->node].max;
    for (const struct map_take *o = s->program[t->node - s->first]; o; o = o->next)
        if (o != t && room > 1 && room != UINT32_MAX)
            room--;
    return room;
}

/* Would a single segment before it, which is not there, take what this list holds first? */
static bool falls_to_another(const struct map_scope *s, const struct map_take *t, uint64_t once)
{
    for (const struct map_take *o = s->program[t->node - s->first]; o && o != t; o = o->next)
        if (o->once && !o->n_select && !(once & o->once))
            return true;
    return false;
}

/* Is it inside the row of an item? */
static bool in_row(const struct map_scope *s, const struct map_take *t)
{
    return s->row && t->segment > s->row && t->segment < guide->node[s->row].end;
}

static void add_object(struct chance *c, const struct map_scope *s, bool item, struct buf *to)
{
    uint64_t done[4] = { 0 };
    uint64_t once = 0;      /* single segments that are there, by their bits */
    uint16_t there[1000] = { 0 };       /* how often each node is there, by any line */
    bool row = false;       /* the row's own segment is there */
    size_t start;

    (void)item;
    buf_add_char(to, '{');
    if (!s->parent) {
        lines = 0;
        buf_printf(to, "\"record\":\"%s\",\"version\":1", type->kind);
    }
    start = to->n;
    for (unsigned i = 0; i < s->n_order; i++) {
        const struct map_take *t = s->order[i];
        const struct guide_node *node = &guide->node[t->node];
        unsigned index = t->field ? t->field->index : 0, n;

        if (t->owner && s->parent) {
            if (!add_fields(c, s, t, to) && to->n == start)
                break; /* nothing without its own segment */
            continue;
        }
        if ((t->field && done[index / 64] >> (index % 64) & 1) || falls_to_another(s, t, once))
            continue;
        if (in_row(s, t) && !row && t->segment != guide->node[s->row].first)
            continue; /* nothing without its own segment */
        n = how_many(c, (node->required || guide->node[t->segment].required) && !t->n_select, room_for(s, t));
        if (t->once || t->kind == TAKE_SCOPE) { /* of named ones alone there may be more than there is room for */
            unsigned at = t->node - s->first;
            assert_true(at < sizeof(there) / sizeof(there[0]));
            if (n > node->max - there[at])
                n = node->max - there[at];
            there[at] += (uint16_t)(t->kind == TAKE_SCOPE && t->scope->list ? n : n > 0);
        }
        if (!n)
            continue;
        if (t->field)
            done[index / 64] |= 1ull << (index % 64);
        switch (t->kind) {
        case TAKE_SEGMENT:
            if (!add_fields(c, s, t, to))
                break;
            once |= t->once;
            row |= s->row && t->segment == guide->node[s->row].first;
            break;
        case TAKE_FOLD:
            add_folded(c, t, to);
            break;
        case TAKE_SPREAD:
            add_spread(c, t, guide->node[t->segment].def, 1 + below(c, (t->last - t->first + 1u) * n), to);
            break;
        case TAKE_PAIRS:
            add_list_of_pairs(c, t, to);
            break;
        case TAKE_SCOPE: {
            size_t before = to->n;
            bool any = false;
            add_name(to, t->field);
            if (t->scope->list)
                buf_add_char(to, '[');
            for (unsigned k = 0; k < (t->scope->list ? n : 1); k++) {
                size_t at = to->n;
                if (any)
                    buf_add_char(to, ',');
                add_object(c, t->scope, t->scope->list, to);
                if (to->p[to->n - 2] == '{')
                    to->n = at;
                else
                    any = true;
            }
            if (t->scope->list)
                buf_add_char(to, ']');
            if (!any)
                to->n = before;
            break;
        }
        default:
            break;
        }
    }
    buf_add_char(to, '}');
}

/* ---- the same, whatever the order of keys ---- */

struct member {
    struct slice key, value;
};

static int by_key(const void *a, const void *b)
{
    return slice_cmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

/* Where the value that starts at p ends; everything is an object, a list or a string. */
static const char *value_end(const char *p)
{
    unsigned depth = 0;
    do {
        if (*p == '"') {
            for (p++; *p != '"'; p++)
                p += *p == '\\';
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            depth--;
        } else if (depth == 0) { /* a number */
            while (*p >= '0' && *p <= '9')
                p++;
            return p;
        }
        p++;
    } while (depth);
    return p;
}

static void add_sorted(struct slice value, bool root, struct buf *to)
{
    struct member *member;
    unsigned n = 0;
    const char *p = value.p + 1, *end = value.p + value.n - 1;

    if (value.p[0] != '{' && value.p[0] != '[') {
        buf_add_slice(to, value);
        return;
    }
    member = calloc(value.n / 2 + 1, sizeof(*member));
    assert_non_null(member);
    while (p < end) {
        struct member *m = &member[n++];
        const char *from = p;
        if (value.p[0] == '{') {
            p = value_end(p);
            m->key = slice(from, (size_t)(p - from));
            from = ++p;
        }
        p = value_end(p);
        m->value = slice(from, (size_t)(p - from));
        p++;
        if (root && (slice_is(m->key, "\"id\"") || slice_is(m->key, "\"source\"")))
            n--;
    }
    if (value.p[0] == '{' && n)
        qsort(member, n, sizeof(*member), by_key);
    buf_add_char(to, value.p[0]);
    for (unsigned i = 0; i < n; i++) {
        if (root)
            buf_add_text(to, "\n  ");
        buf_add_slice(to, member[i].key);
        if (member[i].key.n)
            buf_add_char(to, ':');
        add_sorted(member[i].value, false, to);
        buf_add_char(to, ',');
    }
    buf_add_char(to, *end);
    free(member);
}

/* ---- reading and writing ---- */

struct reading {
    struct buf out, errors;
};

static int choose_plan(void *ctx, const struct edi_document *d, const struct map_plan **plan_r)
{
    (void)ctx;
    (void)d;
    *plan_r = plan;
    return 0;
}

static int on_write(void *ctx, const char *p, size_t n)
{
    struct reading *r = ctx;
    buf_add(&r->out, p, n);
    return r->out.failed;
}

static int on_finding(void *ctx, const struct finding *f)
{
    struct reading *r = ctx;
    if (f->severity == SEVERITY_ERROR)
        finding_text(f, SLICE("document"), false, &r->errors);
    return r->errors.failed;
}

/* The record's text in out, without the newline; what is wrong in errors. */
static void read_document(struct slice text, struct buf *out, struct buf *errors)
{
    struct reading r;
    struct map_read_options options = { .choose = choose_plan, .write = on_write, .finding = on_finding, .ctx = &r };
    struct edi_reader_options how = { .guides = guides };
    struct map_reader *map = NULL;
    struct edi_reader *reader = NULL;
    struct complaints complaints;
    struct edi_sink sink;
    struct err err = { 0 };

    buf_init(&r.out, CEILING);
    buf_init(&r.errors, CEILING);
    complaints_init(&complaints);
    how.complaints = &complaints;
    how.policy = policy;
    if (map_reader_new(&options, &map, &err) < 0)
        fail_msg("%s", err.text);
    map_reader_sink(map, &sink);
    if (edi_reader_new(&how, &sink, &reader, &err) < 0)
        fail_msg("%s", err.text);
    map_reader_attach(map, reader);
    if (edi_reader_feed(reader, text, &err) < 0 || edi_reader_end(reader, &err) < 0)
        fail_msg("%s %s", err.text, buf_text(&complaints.text));
    edi_reader_free(&reader);
    map_reader_free(&map);
    complaints_deinit(&complaints);
    if (r.out.n && r.out.p[r.out.n - 1] == '\n')
        r.out.n--;
    *out = r.out;
    *errors = r.errors;
}

static int on_write_finding(void *ctx, const struct map_write_finding *f)
{
    struct buf *errors = ctx;
    if (slice_is(slice_of(f->code), finding_rows[FINDING_SEGMENT_UNKNOWN].name) && f->severity == SEVERITY_WARNING)
        return 0; /* allowed */
    buf_add_text(errors, f->code);
    buf_add_char(errors, ' ');
    map_write_finding_text(f, errors);
    buf_add_char(errors, '\n');
    return errors->failed;
}

static void write_document(struct slice json, struct buf *out, struct buf *errors)
{
    struct edi_envelope envelope = { .at = { 2026, 1, 15, 9, 5, -1 }, .sender = SLICE("NORTHWIND"),
                                     .receiver = SLICE("ACMECORP"), .interchange_control = SLICE("42"),
                                     .group = slice_of(type->group), .group_control = SLICE("7"),
                                     .group_sender = SLICE("NORTH"), .group_receiver = SLICE("ACME"),
                                     .version = slice_of(type->version) };
    struct map_write_options options = { .write_unmapped = true, .policy = &policy };
    const struct edi_message_type message = { SLICE("D"), slice_of(edifact ? type->version + 2 : ""), SLICE("UN"),
                                              slice_of(strstr(type->guide, "ean") ? "EAN008" : "") };
    struct edi_write_options how;
    struct record_reader *records = NULL;
    struct map_writer *map = NULL;
    struct edi_writer *w = NULL;
    const struct record *record;
    struct err err = { 0 };
    int fd = memfd_create("record", MFD_CLOEXEC);

    buf_init(out, CEILING);
    buf_init(errors, CEILING);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, json.p, json.n), json.n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    edi_write_options_init(&how);
    if (edifact)
        edi_write_options_edifact(&how);
    envelope.message = message;
    if (edi_writer_new(&how, &w, &err) < 0 || map_writer_new(plan, &options, &map, &err) < 0 ||
        record_reader_new(fd, NULL, &records, &err) < 0 || record_reader_next(records, &record, &err) < 0)
        fail_msg("%s\n%.*s", err.text, SLICE_FMT(json));
    if (edi_write_interchange(w, &envelope) < 0 || (!edifact && edi_write_group(w, &envelope) < 0))
        fail_msg("%s", edi_writer_error(w)->text);
    if (map_write_record(map, record, w, SLICE("0001"), SLICE(""), on_write_finding, errors, &err) < 0 && !errors->n)
        buf_add_text(errors, err.text);
    if ((!edifact && edi_write_group_end(w) < 0) || edi_write_interchange_end(w) < 0)
        fail_msg("%s", edi_writer_error(w)->text);
    buf_add_slice(out, edi_writer_output(w));
    record_reader_free(&records);
    map_writer_free(&map);
    edi_writer_free(&w);
    close(fd);
}

/* ---- the properties ---- */

static void show(const char *what, struct slice s)
{
    fprintf(stderr, "--- %s\n", what);
    for (size_t i = 0; i < s.n; i++) {
        fputc(s.p[i], stderr);
        if (s.p[i] == syntax.terminator)
            fputc('\n', stderr);
    }
    fputc('\n', stderr);
}

/* From a little before the first byte that differs. */
static void show_difference(struct slice a, struct slice b)
{
    size_t n = 0;
    while (n < a.n && n < b.n && a.p[n] == b.p[n])
        n++;
    n = n > 300 ? n - 300 : 0;
    a = slice_from(a, n);
    b = slice_from(b, n);
    show("expected", slice(a.p, a.n < 600 ? a.n : 600));
    show("found", slice(b.p, b.n < 600 ? b.n : 600));
}

/* From a record's document comes the record again, and from that the document. `json` borrows. */
static bool comes_back(struct slice json, bool exact)
{
    struct buf document, again, out, errors, want, found;
    bool good = false;

    buf_init(&want, CEILING);
    buf_init(&found, CEILING);
    buf_init(&again, CEILING);
    buf_init(&out, CEILING);
    write_document(json, &document, &errors);
    if (errors.n) {
        show("it cannot be written", buf_slice(&errors));
        goto end;
    }
    buf_deinit(&errors);
    read_document(buf_slice(&document), &out, &errors);
    if (errors.n) {
        show("what was written cannot be read", buf_slice(&errors));
        goto end;
    }
    add_sorted(json, true, &want);
    add_sorted(buf_slice(&out), true, &found);
    if (!slice_eq(buf_slice(&want), buf_slice(&found))) {
        show_difference(buf_slice(&want), buf_slice(&found));
        goto end;
    }
    if (exact) {
        buf_deinit(&errors);
        write_document(buf_slice(&out), &again, &errors);
        if (errors.n || !slice_eq(buf_slice(&again), buf_slice(&document))) {
            show("the second time it is another document", buf_slice(&again));
            goto end;
        }
    }
    good = true;
end:
    if (!good)
        show("the document", buf_slice(&document));
    buf_deinit(&document);
    buf_deinit(&again);
    buf_deinit(&out);
    buf_deinit(&errors);
    buf_deinit(&want);
    buf_deinit(&found);
    return good;
}

static struct chance chance_of(uint64_t seed)
{
    static const unsigned densities[] = { 1, 3, 6, 12, 25, 50 };
    struct chance c = { .state = seed * 0xD1342543DE82EF95ull + 1, .left = MOST_SEGMENTS };
    c.density = densities[below(&c, 6)];
    return c;
}

static void one_record(uint64_t seed)
{
    struct chance c = chance_of(seed);
    struct buf json;

    buf_init(&json, CEILING);
    add_object(&c, plan->root, true, &json);
    if (!comes_back(buf_slice(&json), true)) {
        show("the record", buf_slice(&json));
        fail_msg("record for %s with WAYBILL_PROPERTY_SEED=%llu", type->guide, (unsigned long long)seed);
    }
    buf_deinit(&json);
}

/* What is written without a word comes back. */
static void one_odd_record(uint64_t seed)
{
    struct chance c = chance_of(seed);
    struct buf json, document, errors;

    c.odd = c.density < 6 ? 10 : 1;
    buf_init(&json, CEILING);
    add_object(&c, plan->root, true, &json);
    write_document(buf_slice(&json), &document, &errors);
    if (!errors.n && !comes_back(buf_slice(&json), false)) {
        show("the record", buf_slice(&json));
        fail_msg("odd record for %s with WAYBILL_PROPERTY_SEED=%llu", type->guide, (unsigned long long)seed);
    }
    odd_written += !errors.n;
    buf_deinit(&json);
    buf_deinit(&document);
    buf_deinit(&errors);
}

/* A segment that no guide has stays where it stands. */
static void one_stray(uint64_t seed)
{
    static const char stray[] = "QQ7*a**b~QQ7*c~QQ8~";
    struct chance c = chance_of(seed);
    struct buf json, document, errors, text, again, record;
    const char *end, *p;
    unsigned n = 0, at;

    buf_init(&json, CEILING);
    buf_init(&text, CEILING);
    add_object(&c, plan->root, true, &json);
    write_document(buf_slice(&json), &document, &errors);
    p = strstr(buf_text(&document), "~ST*");
    end = strstr(buf_text(&document), "~SE*");
    assert_true(!errors.n && p && end);
    for (const char *k = p + 1; k <= end; k++)
        n += *k == '~';
    at = below(&c, n);
    for (p++; at || *p != '~'; p++)
        at -= *p == '~';
    buf_add(&text, document.p, (size_t)(p + 1 - document.p));
    buf_add_text(&text, stray);
    buf_add(&text, p + 1, (size_t)(end - p));
    buf_printf(&text, "SE*%u%s", n + 4, strchr(end + 4, '*'));
    buf_deinit(&errors);
    policy.severity[FINDING_SEGMENT_UNKNOWN] = SEVERITY_WARNING;
    read_document(buf_slice(&text), &record, &errors);
    assert_int_equal(errors.n, 0);
    buf_deinit(&errors);
    write_document(buf_slice(&record), &again, &errors);
    finding_policy_init(&policy);
    if (errors.n || !slice_eq(buf_slice(&again), buf_slice(&text))) {
        show("it is not written back", buf_slice(&errors));
        show("the record", buf_slice(&record));
        show_difference(buf_slice(&text), buf_slice(&again));
        fail_msg("stray segment for %s with WAYBILL_PROPERTY_SEED=%llu", type->guide, (unsigned long long)seed);
    }
    buf_deinit(&json);
    buf_deinit(&document);
    buf_deinit(&errors);
    buf_deinit(&text);
    buf_deinit(&again);
    buf_deinit(&record);
}

static void one_document(uint64_t seed)
{
    struct chance c = chance_of(seed);
    struct buf document;
    struct buf body, text, json, errors;

    buf_init(&body, CEILING);
    buf_init(&text, CEILING);
    lines = 0;
    dated = false;
    c.exponents = !edifact;
    add_loop(&c, &guide->node[0], &body);
    add_envelope(&text, buf_slice(&body));
    read_document(buf_slice(&text), &json, &errors);
    if (errors.n && !edifact) {
        show("the document", buf_slice(&body));
        show("is not valid", buf_slice(&errors));
        fail_msg("document for %s with WAYBILL_PROPERTY_SEED=%llu", type->guide, (unsigned long long)seed);
    }
    if (edifact) {
        bool refused = errors.n;
        if (!refused) {
            buf_deinit(&errors);
            write_document(buf_slice(&json), &document, &errors);
            buf_deinit(&document);
            refused = errors.n;
        }
        messages_made++;
        if (refused) {
            messages_refused++;
            goto out;
        }
    }
    if (!comes_back(buf_slice(&json), true)) {
        show("the document at first", buf_slice(&body));
        fail_msg("document for %s with WAYBILL_PROPERTY_SEED=%llu", type->guide, (unsigned long long)seed);
    }
out:
    buf_deinit(&body);
    buf_deinit(&text);
    buf_deinit(&json);
    buf_deinit(&errors);
}

static void use(const struct type *t)
{
    struct complaints complaints;
    const struct map *map;
    struct err err = { 0 };
    int r;

    complaints_init(&complaints);
    type = t;
    edifact = strncmp(t->guide, "edifact", 7) == 0;
    syntax = edifact ? (struct edi_syntax){ '+', '\'', ':', 0, '?' } : (struct edi_syntax){ '*', '~', '>', '^', 0 };
    r = maps_by_name(maps, slice_of(t->map), &complaints, &map, &err);
    if (r == 0)
        r = guides_by_id(guides, slice_of(t->guide), &complaints, &guide, &err);
    if (r == 0)
        r = map_plan_for(maps, map, guide, &complaints, &plan, &err);
    if (r < 0)
        fail_msg("%s\n%s", err.text, buf_text(&complaints.text));
    for (uint16_t i = guide->node[0].first; i != NODE_NONE; i = guide->node[i].next)
        trailer = i;
    complaints_deinit(&complaints);
}

static void each_seed(void (*property)(uint64_t seed), const struct type *first_type, unsigned n_types, unsigned cases)
{
    const char *seed = getenv("WAYBILL_PROPERTY_SEED"), *many = getenv("WAYBILL_PROPERTY_CASES");
    uint64_t n, first = 1, last = cases;

    if (many && slice_number(slice_of(many), INT32_MAX, &n))
        last = n;
    if (seed && slice_number(slice_of(seed), INT32_MAX, &n))
        first = last = n;
    for (const struct type *t = first_type; t < first_type + n_types; t++) {
        use(t);
        for (n = first; n <= last; n++)
            property(n);
    }
}

static void test_records(void **state)
{
    (void)state;
    each_seed(one_record, types, TYPES, CASES);
}

static void test_odd_records(void **state)
{
    (void)state;
    odd_written = 0;
    each_seed(one_odd_record, types, TYPES, CASES);
    if (!getenv("WAYBILL_PROPERTY_SEED"))
        assert_true(odd_written > CASES / 4);
}

static void test_strays(void **state)
{
    (void)state;
    each_seed(one_stray, types, TYPES, CASES);
}

static void test_documents(void **state)
{
    (void)state;
    each_seed(one_document, types, TYPES, CASES);
}

static void test_messages(void **state)
{
    (void)state;
    messages_made = messages_refused = 0;
    each_seed(one_document, messages, MESSAGES, CASES);
    if (!getenv("WAYBILL_PROPERTY_SEED"))
        assert_true(messages_refused * 25 < messages_made);
}

static int set_up(void **state)
{
    const char *directory = getenv("WAYBILL_MAPS_DIR");
    struct err err = { 0 };

    (void)state;
    finding_policy_init(&policy);
    return guides_new(directory ? directory : "maps", &guides, &err) < 0 ||
           maps_new(directory ? directory : "maps", &maps, &err) < 0;
}

static int tear_down(void **state)
{
    (void)state;
    maps_free(&maps);
    guides_free(&guides);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_odd_records),
        cmocka_unit_test(test_strays),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
