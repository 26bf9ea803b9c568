/*
 * read: see read.h.
 *
 * For each scope of the plan that is open there is an instance: the object being written. A list of an object
 * stays open while its items come; a field that comes meanwhile waits beside (`side`), and a second list whose
 * items come between those of the first is gathered (`kept`). All text ends in a comma; closing a bracket
 * overwrites it. Memory: buffers belong to the reader and are reused from document to document.
 * What no line takes is kept by read_left.c; what every record begins with is made in read_head.c.
 */
#include "map/read_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "edi/check.h"
#include "map/convert.h"
#include "map/period.h"

int map_reader_new(const struct map_read_options *options, struct map_reader **r_r, struct err *err)
{
    struct map_reader *r = calloc(1, sizeof(*r));
    *r_r = NULL;
    if (!r)
        return err_nomem(err);
    r->options = *options;
    if (!r->options.flush)
        r->options.flush = FLUSH;
    buf_init(&r->out, LIMIT_ITEM);
    buf_init(&r->rejected, 1 << 20);
    buf_init(&r->scratch, LIMIT_ITEM);
    tree_init(&r->tree);
    tree_init(&r->ahead);
    buf_init(&r->path, 4096);
    buf_init(&r->shared, LIMIT_ITEM);
    buf_init(&r->common.text, LIMIT_ITEM);
    buf_init(&r->common.ends, LIMIT_ITEM);
    for (unsigned k = 0; k < MOST_COMMON; k++)
        buf_init(&r->common.list[k].content, LIMIT_ITEM);
    buf_init(&r->head, 1 << 20);
    for (unsigned i = 0; i < MOST_INHERITED; i++)
        buf_init(&r->inherited[i], 1 << 20);
    for (unsigned i = 0; i < LEVELS; i++) {
        buf_init(&r->level[i].side, LIMIT_ITEM);
        buf_init(&r->level[i].name, 4096);
        for (unsigned k = 0; k < MOST_KEPT; k++)
            buf_init(&r->level[i].kept[k].content, LIMIT_ITEM);
    }
    *r_r = r;
    return 0;
}

void map_reader_free(struct map_reader **reader)
{
    struct map_reader *r = *reader;
    if (!r)
        return;
    for (unsigned i = 0; i < LEVELS; i++) {
        buf_deinit(&r->level[i].side);
        buf_deinit(&r->level[i].name);
        for (unsigned k = 0; k < MOST_KEPT; k++)
            buf_deinit(&r->level[i].kept[k].content);
    }
    buf_deinit(&r->out);
    buf_deinit(&r->rejected);
    buf_deinit(&r->scratch);
    tree_deinit(&r->tree);
    tree_deinit(&r->ahead);
    buf_deinit(&r->path);
    buf_deinit(&r->shared);
    buf_deinit(&r->common.text);
    buf_deinit(&r->common.ends);
    for (unsigned k = 0; k < MOST_COMMON; k++)
        buf_deinit(&r->common.list[k].content);
    buf_deinit(&r->head);
    for (unsigned i = 0; i < MOST_INHERITED; i++)
        buf_deinit(&r->inherited[i]);
    free(r);
    *reader = NULL;
}

void map_reader_attach(struct map_reader *r, struct edi_reader *reader)
{
    r->reader = reader;
}

uint64_t map_reader_records(const struct map_reader *r)
{
    return r->records;
}

uint64_t map_reader_rejected(const struct map_reader *r)
{
    return r->n_refused;
}

int read_stop(struct map_reader *r, int code)
{
    if (!r->stopped)
        r->stopped = code;
    return r->stopped;
}

/* ---- writing values ---- */

/* Is there a byte among eight that JSON may have to escape? Some are taken for such that follow one. */
static inline bool needs_care(uint64_t eight)
{
    const uint64_t one = 0x0101010101010101, quote = eight ^ one * '"', slash = eight ^ one * '\\';
    return (((quote - one) & ~quote) | ((slash - one) & ~slash) | (eight - one * 0x20) | eight | (eight + one)) &
           one * 0x80;
}

/* A value as the inside of a JSON string; there is room for six bytes a byte. */
static char *put_escaped(char *p, const char *v, size_t n)
{
    struct slice s = slice(v, n);
    while (s.n) {
        unsigned char c;
        unsigned step = 1;
        for (uint64_t eight; s.n >= 8; s = slice_from(s, 8), p += 8) {
            memcpy(&eight, s.p, 8);
            if (needs_care(eight))
                break;
            memcpy(p, &eight, 8);
        }
        if (!s.n)
            break;
        c = (unsigned char)s.p[0];
        if (c == '"' || c == '\\') {
            *p++ = '\\';
            *p++ = (char)c;
        } else if (c == 0) { /* our own reader, like many, takes no NUL */
            memcpy(p, "\\ufffd", 6);
            p += 6;
        } else if (c < 0x20 || c == 0x7f) {
            static const char hex[] = "0123456789abcdef";
            memcpy(p, "\\u00", 4);
            p[4] = hex[c >> 4];
            p[5] = hex[c & 15];
            p += 6;
        } else if (c < 0x80) {
            *p++ = (char)c;
        } else if ((step = utf8_length(s)) > 0) {
            memcpy(p, s.p, step);
            p += step;
        } else { /* Latin-1 */
            *p++ = (char)(0xc0 | c >> 6);
            *p++ = (char)(0x80 | (c & 0x3f));
            step = 1;
        }
        s = slice_from(s, step);
    }
    return p;
}

static inline char *put_short(char *p, const char *v, size_t n)
{
    memcpy(p, v, 16); /* both sides have room */
    if (__builtin_expect(n > 16, 0))
        memcpy(p + 16, v + 16, n - 16);
    return p + n;
}

static inline char *put_key(char *p, const char *key, size_t n)
{
    memcpy(p, key, 32); /* keys have room behind them */
    if (__builtin_expect(n > 32, 0))
        memcpy(p + 32, key + 32, n - 32);
    return p + n;
}

static inline char *put_value(char *p, const char *v, size_t n, unsigned flags)
{
    return __builtin_expect(flags & SEGMENT_ESCAPE, 0) ? put_escaped(p, v, n) : put_short(p, v, n);
}

/* Makes sure that all a segment can become fits. */
static char *more_room(struct map_reader *r, struct buf *b, size_t n)
{
    char *p = buf_reserve(b, n);
    if (!p)
        read_stop(r, b->failed);
    return p;
}

static inline size_t most_of(const struct map_take *t, const struct segment *s)
{
    return (size_t)(s->at[s->n] - s->start) * 6 * t->copies + t->fixed;
}

static inline char *room_for(struct map_reader *r, struct buf *b, size_t n)
{
    return __builtin_expect(b->room - b->n >= n && !b->failed, 1) ? b->p + b->n : more_room(r, b, n);
}

/* Short texts: keys and brackets. */
static inline void put_text(struct buf *b, struct slice s)
{
    if (__builtin_expect(b->room - b->n >= s.n + 64 && s.n <= 64 && !b->failed, 1)) {
        memcpy(b->p + b->n, s.p, 32); /* keys have room behind them */
        if (s.n > 32)
            memcpy(b->p + b->n + 32, s.p + 32, s.n - 32);
        b->n += s.n;
    } else {
        buf_add_slice(b, s);
    }
}

/* ---- the slow values ---- */

static void map_finding(struct map_reader *r, const struct segment *s, enum finding_code code, unsigned element,
                        unsigned component, const char *found, const char *expected)
{
    if (r->reader && !r->stopped) {
        int answer = edi_reader_find(r->reader, code, s, element, component, found, expected);
        if (answer < 0)
            read_stop(r, answer);
    }
}

/* A component, 0: the element itself. */
static struct slice part_of(const struct map_reader *r, const struct segment *s, unsigned element, unsigned component)
{
    return segment_part(s, &r->document.interchange->syntax, element, component);
}

/* CNT+1: the sum of the values in the document against what is said of it. UN/EDIFACT and EANCOM add up all quantities
 * of the line items, some only those ordered or shipped: both are right. */
static void compare_total(struct map_reader *r, const struct segment *s, unsigned element, unsigned component,
                          struct slice v)
{
    struct total said = { 0 };
    char expected[TOTAL_ROOM + 1];
    struct slice sum = total_text(&r->stated[0], '.', expected);

    total_add(&said, v);
    if (!sum.n || said.unknown || total_equals(&said, &r->stated[0]) || total_equals(&said, &r->stated[1]))
        return;
    expected[sum.n] = 0;
    map_finding(r, s, FINDING_SEGMENT_COUNT, element, component, "is not the sum of the quantities", expected);
}

/* One of the values that plan->total adds up, or what a segment says of their sum. */
static __attribute__((noinline)) void run_total(struct map_reader *r, const struct map_op *op,
                                                const struct segment *s, struct slice v)
{
    const struct map_total *t = r->plan->total;

    if (op->odd & ODD_VALUE)
        total_add(&r->stated[0], v);
    if (op->odd & ODD_FIELD)
        total_add(&r->stated[1], v);
    if (!(op->odd & ODD_STATED))
        return;
    for (unsigned i = 0; i < t->n_select; i++)
        if (!slice_eq(part_of(r, s, t->select[i].element, t->select[i].component), t->select[i].text))
            return;
    compare_total(r, s, t->element, t->component, v);
}

/* CTT01 and the like: what was counted against what is said. */
static void run_check(struct map_reader *r, const struct map_op *op, const struct segment *s)
{
    const struct conversion *c = &op->conversion[0];
    struct slice v = part_of(r, s, op->element[0], op->component);
    char expected[60];
    uint64_t said = 0;

    if (v.n == 0)
        return;
    if (c->kind == CONVERT_CHECK_TOTAL) {
        compare_total(r, s, op->element[0], op->component, v);
        return;
    }
    if (c->kind == CONVERT_CHECK_COUNT) {
        uint64_t counted = c->number[0] ? r->kinds[c->number[0] - 1] : c->field ? r->counts[c->field->index] : 0;
        if (slice_number(v, UINT64_MAX, &said) && said == counted)
            return;
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long)counted);
        map_finding(r, s, FINDING_SEGMENT_COUNT, op->element[0], op->component, "is not the number of items", expected);
        return;
    }
    /* X12 sums the digits (a hash total), truncated on the left; many send the arithmetic sum: both are right */
    struct total one = { 0 };
    uint64_t total = r->total.digits % 10000000000ull;
    total_add(&one, v);
    if (r->total.unknown || one.digits == total || (!r->total.overflow && one.sum == r->total.sum))
        return;
    snprintf(expected, sizeof(expected), "%llu", (unsigned long long)total);
    map_finding(r, s, FINDING_SEGMENT_COUNT, op->element[0], 0, "is not the hash total of the quantities", expected);
}

/* The value that an op gives its field, as it stands in the record. */
static struct slice value_given(const struct map_reader *r, const struct map_op *op, const struct segment *s)
{
    struct slice v = part_of(r, s, op->element[0], op->component);
    const struct map_table_row *row = op->table && v.n ? map_table_code(op->table, slice_key(v)) : NULL;

    if (row)
        v = row->word;
    if (!v.n)
        v = op->absent;
    return op->fallback.n && slice_eq(v, op->fallback) ? slice(NULL, 0) : v;
}

static bool guard_holds(const struct map_guard *g, struct slice v)
{
    return (g->value.n ? slice_eq(v, g->value) : v.n > 0) != g->absent;
}

/* Do the conditions of an op hold that are on the same segment? */
static bool guards_hold(const struct map_reader *r, const struct map_take *t, const struct map_op *op,
                        const struct segment *s)
{
    for (unsigned i = 0; i < op->n_select; i++) {
        struct slice v = part_of(r, s, op->select[i].element, op->select[i].component);
        if (v.n == 0 || v.n > 8 || slice_key(v) != op->select[i].key || !part_of(r, s, op->element[0], op->component).n)
            return false;
    }
    for (const struct map_op *before = t->op; op->behind && before < op; before++)
        if (before->n_select && map_op_shares(before, op) && guards_hold(r, t, before, s))
            return false;
    for (unsigned i = 0; i < op->n_guards; i++) {
        const struct map_guard *g = &op->guard[i];
        if (g->origin == GUARD_HERE && (!g->op || !guard_holds(g, value_given(r, &t->op[g->op - 1], s))))
            return false;
    }
    return true;
}

/* The name in the record of a node that was named as a parent before it came, empty: it is none. With `names`, v names
 * a parent, and is one from now on. */
static struct slice name_ahead(struct map_reader *r, struct slice v, bool names, char room[80])
{
    struct slice name;
    uint64_t n;

    if (v.n > 79 || v.n == 0 || (!names && !r->ahead_open))
        return slice(NULL, 0);
    room[0] = '@';
    memcpy(room + 1, v.p, v.n);
    name = slice(room, v.n + 1);
    n = r->ahead.n ? tree_find(&r->ahead, name) : 0;
    if (names && n == 0 && tree_find(&r->tree, v) == 0) {
        if (tree_add(&r->ahead, name) < 0)
            read_stop(r, ERR_LIMIT);
        r->ahead_open++;
        return name;
    }
    if (n == 0 || (!names && tree_is_parent(&r->ahead, n)))
        return slice(NULL, 0);
    if (!names) {
        if (tree_set_parent(&r->ahead, n) < 0)
            read_stop(r, ERR_NOMEM);
        r->ahead_open--;
    }
    return name;
}

static char *put_name(char *p, const struct map_op *op, struct slice name)
{
    p = put_key(p, op->key, op->key_n);
    p = put_escaped(p, name.p, name.n);
    *p++ = '"';
    *p++ = ',';
    return p;
}

/* A node's name or its parent's: in the record nodes are called by their numbers. */
static __attribute__((noinline)) char *run_tree(struct map_reader *r, const struct map_op *op, const struct segment *s,
                                                char *p)
{
    struct slice v = slice_trim(segment_element(s, op->element[0]));
    bool parent = op->conversion[0].kind == CONVERT_PARENT, any_order = op->conversion[0].number[0];
    char room[40]; /* to copy sixteen bytes from any of the first twenty */
    char room_ahead[80];
    struct slice number, ahead = slice(NULL, 0);
    struct instance *i = &r->stack[r->depth - 1];
    uint64_t n;

    room[20] = room_ahead[20] = 0;
    if (!parent) {
        const bool self = i->scope->self;
        int code = !self ? tree_add(&r->tree, v) : v.n ? tree_name(&r->tree, i->node, v) : 0;
        bool plain;
        n = self ? i->node : r->tree.n;
        i->node = n;
        plain = r->plan->kinds ? tree_plain(v) == ++r->named : tree_is_plain(&r->tree, n);
        number = v.n && tree_is_plain(&r->tree, n) ? v : slice_digits(n, room);
        if (code < 0) {
            read_stop(r, code);
            return p;
        }
        r->disordered |= code > 0;
        if (code > 0)
            map_finding(r, s, FINDING_NODE_TWICE, op->element[0], 0, "was used before", slice_digits(n, room).p);
        else if (v.n && !plain && r->renamed++ == 0)
            map_finding(r, s, FINDING_NODE_NUMBER, op->element[0], 0, "is not the running number",
                        r->plan->kinds ? slice_digits(r->named, room_ahead).p : number.p);
        if (self)
            return p;
        if (any_order && code == 0)
            ahead = name_ahead(r, v, false, room_ahead);
        if (ahead.n) {
            struct buf *name = &r->level[r->depth - 1].name;
            buf_clear(name);
            buf_add_slice(name, ahead);
            read_failed(r, name);
            return put_name(p, op, ahead);
        }
    } else {
        if (v.n == 0)
            return p;
        if (any_order)
            ahead = name_ahead(r, v, true, room_ahead);
        if (ahead.n) {
            r->disordered = true;
            return put_name(p, op, ahead);
        }
        n = tree_find(&r->tree, v);
        r->disordered |= n == 0 || n == r->tree.n;
        if (n == r->tree.n && !any_order) {
            map_finding(r, s, FINDING_NODE_PARENT, op->element[0], 0, "is the node itself", "its parent, or nothing");
            return p;
        }
        if (n == 0)
            map_finding(r, s, FINDING_NODE_PARENT, op->element[0], 0, "is no node before this one",
                        "the number of its parent");
        else if (tree_set_parent(&r->tree, n) < 0)
            read_stop(r, ERR_NOMEM);
        if (n && tree_denies(&r->tree, n) && !r->denied) {
            char found[80];
            snprintf(found, sizeof(found), "has 0 in %s, no node below it", r->children);
            map_finding(r, s, FINDING_NODE_CHILDREN, op->element[0], 0, found, "1 there");
            r->denied = true;
        }
        number = tree_is_plain(&r->tree, n) ? v : slice_digits(n, room);
    }
    p = put_key(p, op->key, op->key_n);
    p = n ? put_short(p, number.p, number.n) : put_escaped(p, v.p, v.n);
    *p++ = '"';
    *p++ = ',';
    return p;
}

/* A node says whether there are nodes below it. */
static __attribute__((noinline)) void run_children(struct map_reader *r, const struct map_op *op,
                                                   const struct segment *s)
{
    struct slice v = slice_trim(segment_element(s, op->element[0]));

    if (!slice_is(v, "0") && !slice_is(v, "1"))
        return;
    if (!r->children[0])
        snprintf(r->children, sizeof(r->children), "%.*s%02u", SLICE_FMT(segment_tag(s)), op->element[0]);
    if (tree_say(&r->tree, v.p[0] == '1') < 0)
        read_stop(r, ERR_NOMEM);
}

/* What is wrong in many nodes is told of the first, and here how many they are: there may be thousands. */
static __attribute__((noinline)) void end_tree(struct map_reader *r, const struct segment *s)
{
    char found[120], expected[40];
    uint64_t n, first;

    if (r->ahead_open) {
        snprintf(found, sizeof(found), "%llu parent%s named that no node is", (unsigned long long)r->ahead_open,
                 r->ahead_open == 1 ? " is" : "s are");
        map_finding(r, s, FINDING_NODE_PARENT, 0, 0, found, "a node of that number for each");
    }
    if (r->renamed > 1) {
        snprintf(found, sizeof(found), "%llu of %llu nodes are not called by their running numbers",
                 (unsigned long long)r->renamed, (unsigned long long)(r->plan->kinds ? r->named : r->tree.n));
        map_finding(r, s, FINDING_NODE_NUMBER, 0, 0, found, "1, 2, 3 and so on");
    }
    for (int children = 0; children < 2 && !r->disordered; children++) {
        n = tree_count_wrong(&r->tree, children, &first);
        if (n > !children) {
            snprintf(found, sizeof(found),
                     "%llu node%s ha%s %d in %s and %s below %s; the first is number %llu of %llu",
                     (unsigned long long)n, n == 1 ? "" : "s", n == 1 ? "s" : "ve", children, r->children,
                     children ? "no node" : "nodes", n == 1 ? "it" : "them", (unsigned long long)first,
                     (unsigned long long)r->tree.n);
            snprintf(expected, sizeof(expected), "%d there", !children);
            map_finding(r, s, FINDING_NODE_CHILDREN, 0, 0, found, expected);
        }
    }
}

static char *put_field(char *p, const struct map_name *name, struct slice v)
{
    p = put_key(p, name->key, name->key_n);
    p = put_escaped(p, v.p, v.n);
    memcpy(p, "\",", 2);
    return p + 2;
}

/* An op with conversions that are not among the quick ones. */
static __attribute__((noinline)) char *run_slow(struct map_reader *r, const struct map_op *op,
                                                const struct segment *s, unsigned offset,
                                                char *p)
{
    struct slice value[3] = { { 0 } };
    const char *why = NULL;

    if (op->n_conversions &&
        (op->conversion[0].kind >= CONVERT_CHECK_COUNT && op->conversion[0].kind <= CONVERT_CHECK_TOTAL)) {
        run_check(r, op, s);
        return p;
    }
    for (unsigned i = 0; i < 3; i++)
        if (op->element[i]) {
            value[i] = segment_element(s, op->element[i] + offset);
            if (i == 0 && (op->component || s->flags & SEGMENT_PARTS))
                value[0] = part_of(r, s, op->element[0] + offset, op->component ? op->component : 1);
        }
    if (!value[0].n && op->absent.n)
        return put_field(p, &(struct map_name){ .key = op->key, .key_n = op->key_n }, op->absent);
    if (!value[0].n) {
        r->left |= (value[1].n ? 1ull << (op->element[1] - 1) : 0) | (value[2].n ? 1ull << (op->element[2] - 1) : 0);
        return p;
    }
    buf_clear(&r->scratch);
    if (convert_read(op, value, &r->scratch, &why) < 0) {
        if (r->scratch.failed) {
            read_stop(r, r->scratch.failed);
            return p;
        }
        map_finding(r, s, FINDING_MAP_VALUE, op->element[0] + offset, op->component, "cannot be converted", why);
        buf_clear(&r->scratch);
        buf_add_slice(&r->scratch, value[0]);
    }
    if (op->odd & ODD_COUNTED)
        total_add(&r->total, value[0]);
    if (op->odd & ODD_TOTAL)
        run_total(r, op, s, value[0]);
    if (op->gives) {
        struct buf *kept = &r->inherited[op->gives - 1];
        buf_clear(kept);
        buf_add_json(kept, buf_slice(&r->scratch));
        read_failed(r, kept);
    }
    if (op->takes)
        r->stack[r->depth - 1].own |= 1u << (op->takes - 1);
    return put_field(p, &(struct map_name){ .key = op->key, .key_n = op->key_n }, buf_slice(&r->scratch));
}

static bool is_whole(const char *v, size_t n)
{
    size_t i = n && *v == '-';
    while (i < n && is_digit(v[i]))
        i++;
    return i == n;
}

/* A date of eight digits. */
static inline char *put_date(char *p, const char *v)
{
    memcpy(p, v, 4);
    p[4] = '-';
    memcpy(p + 5, v + 4, 2);
    p[7] = '-';
    memcpy(p + 8, v + 6, 2);
    return p + 10;
}

char *read_run_date(char *p, const char *v, size_t n, unsigned flags)
{
    if (!check_is_date_at(v, (uint32_t)n))
        return put_value(p, v, n, flags);
    if (n == 6) {
        memcpy(p, convert_century(v), 2);
        memcpy(p + 2, v, 2);
        p[4] = '-';
        memcpy(p + 5, v + 2, 2);
        p[7] = '-';
        memcpy(p + 8, v + 4, 2);
        return p + 10;
    }
    return put_date(p, v);
}

/* A time without its date is no date with time: its elements are left over. */
static void leave_parts(struct map_reader *r, const struct map_op *op, const struct segment *s)
{
    for (unsigned i = 1; i < 3; i++)
        if (op->element[i] && segment_element(s, op->element[i]).n)
            r->left |= 1ull << (op->element[i] - 1);
}

/* A date with time and zone, the usual kinds of them without a detour. */
static __attribute__((noinline)) char *run_datetime(struct map_reader *r, const struct map_op *op,
                                                    const struct segment *s, char *p)
{
    struct slice date = segment_element(s, op->element[0]);
    struct slice time = op->element[1] ? segment_element(s, op->element[1]) : slice(NULL, 0);
    struct slice zone = op->element[2] ? segment_element(s, op->element[2]) : slice(NULL, 0);
    if (date.n == 0) {
        leave_parts(r, op, s);
        return p;
    }
    if (date.n != 8 || (time.n != 0 && time.n != 4) || zone.n || (s->flags & SEGMENT_PARTS) ||
        !check_is_date_at(date.p, (uint32_t)date.n))
        return run_slow(r, op, s, 0, p);
    p = put_key(p, op->key, op->key_n);
    p = put_date(p, date.p);
    if (time.n) {
        *p++ = 'T';
        p = put_escaped(p, time.p, 2);
        *p++ = ':';
        p = put_escaped(p, time.p + 2, 2);
    }
    *p++ = '"';
    *p++ = ',';
    return p;
}

/* A number with an exponent, in plain digits. */
static __attribute__((noinline)) char *run_exponent(struct map_reader *r, const struct map_op *op,
                                                    const struct segment *s, unsigned k, struct slice v, char *p)
{
    char *end;
    p = put_key(p, op->key, op->key_n);
    end = convert_exponent(p, v);
    if (!end && memchr(v.p, 'E', v.n)) /* the check has told of all others */
        map_finding(r, s, FINDING_MAP_VALUE, k, op->component, "cannot be converted", "a decimal of 44 digits at most");
    p = end ? end : put_value(p, v.p, v.n, s->flags);
    memcpy(p, "\",", 2);
    return p + 2;
}

/* Is it a number without an exponent? The check has found it a number; there is room behind. */
static inline bool is_plain(const char *v, size_t n)
{
    uint64_t word;
    memcpy(&word, v, 8);
    if (n > 8)
        return !memchr(v, 'E', n);
    return n == 0 || !(word << (64 - 8 * n) & 0x4040404040404040);
}

/* A decimal whose mark may be a comma. */
static inline char *put_marked(char *p, const char *v, size_t n, unsigned flags)
{
    const uint64_t comma = 0x0101010101010101 * ',';
    char *end = put_value(p, v, n, flags), *mark;
    uint64_t eight;
    memcpy(&eight, p, 8);
    eight ^= comma;
    /* no byte of the first eight is one: most numbers are short */
    if (end - p <= 8 && !((eight - 0x0101010101010101) & ~eight & 0x8080808080808080))
        return end;
    mark = memchr(p, ',', (size_t)(end - p));
    if (mark)
        *mark = '.';
    return end;
}

/* Is a text a decimal whose mark may be a comma? */
static bool is_marked(const char *v, size_t n)
{
    size_t i = n && *v == '-', digits = 0, marks = 0;
    for (; i < n; i++) {
        const bool mark = v[i] == '.' || v[i] == ',';
        if (!mark && !is_digit(v[i]))
            return false;
        marks += mark;
        digits += !mark;
    }
    return digits && marks < 2;
}

/* A code that has no text made for it. */
static __attribute__((noinline)) char *run_code(struct map_reader *r, const struct map_op *op, const struct segment *s,
                                                unsigned k, struct slice v, char *p)
{
    const struct map_table_row *row = op->table && v.n <= 8 ? map_table_code(op->table, slice_key(v)) : NULL;
    if (op->fallback.n && slice_eq(row ? row->word : v, op->fallback))
        return p;
    p = put_key(p, op->key, op->key_n);
    if (row) {
        p = put_key(p, row->json.p, row->json.n);
    } else {
        if (op->table && op->table->refuse)
            map_finding(r, s, FINDING_MAP_VALUE, k, op->component, "has no row in the table", "a code of the table");
        p = put_value(p, v.p, v.n, s->flags);
    }
    if (op->beside && (row ? !row->same : op->table && map_table_word(op->table, v) != NULL)) {
        *p++ = '"';
        *p++ = ',';
        p = put_key(p, op->beside_key, op->beside_n);
        p = put_value(p, v.p, v.n, s->flags);
    }
    *p++ = '"';
    *p++ = ',';
    return p;
}

/* One field of the value of element k, or of its component. */
static inline __attribute__((always_inline)) char *put_op(struct map_reader *r, const struct map_op *op,
                                                          const struct segment *s, unsigned k, const char *v,
                                                          size_t size, char *p)
{
    if (__builtin_expect(op->quick <= QUICK_DECIMAL, 1)) {
        if (op->quick == QUICK_DECIMAL && __builtin_expect(!is_plain(v, size), 0))
            return run_exponent(r, op, s, k, slice(v, size), p);
        p = put_key(p, op->key, op->key_n);
        p = put_value(p, v, size, s->flags);
    } else if (op->quick == QUICK_CODE) {
        if (__builtin_expect(op->texts != NULL && size <= 8, 1)) {
            static const uint64_t low_bytes[9] = { 0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff,
                                                   0xffffffffffff, 0xffffffffffffff, UINT64_MAX };
            uint64_t key;
            int row;
            memcpy(&key, v, 8); /* blocks have room behind them */
            row = map_table_find(op->table, key & low_bytes[size]);
            if (row >= 0) {
                const struct slice *text = &op->texts[row];
                memcpy(p, text->p, 64);
                if (__builtin_expect(text->n > 64, 0))
                    memcpy(p + 64, text->p + 64, text->n - 64);
                return p + text->n;
            }
            /* it stays as it is, but for one that is a word of the table */
            if (__builtin_expect(op->kept && !map_table_is_word(op->table, key & low_bytes[size]), 1)) {
                p = put_key(p, op->key, op->key_n);
                p = put_value(p, v, size, s->flags);
                memcpy(p, "\",", 2);
                return p + 2;
            }
        }
        return run_code(r, op, s, k, slice(v, size), p);
    } else if (op->quick == QUICK_DATE) {
        p = put_key(p, op->key, op->key_n);
        p = read_run_date(p, v, size, s->flags);
    } else if (op->quick == QUICK_IMPLIED) {
        p = put_key(p, op->key, op->key_n);
        p = is_whole(v, size) ? convert_implied(p, v, size, op->decimals) : put_value(p, v, size, s->flags);
    } else if (op->quick == QUICK_MARKED) {
        p = put_key(p, op->key, op->key_n);
        p = put_marked(p, v, size, s->flags);
    } else {
        return p;
    }
    memcpy(p, "\",", 2);
    return p + 2;
}

/* One field; element k is there. parts: there may be components in the segment. */
static inline __attribute__((always_inline)) char *run_op(struct map_reader *r, const struct map_op *op,
                                                          const struct segment *s, unsigned k, bool parts, char *p)
{
    const char *v = s->base + s->at[k - 1] + 1;
    size_t size = s->at[k] - s->at[k - 1] - 1;
    if (parts && op->component) {
        if (__builtin_expect(s->part != NULL, 1)) {
            const uint32_t n = s->rank[k - 1] + op->component;
            if (n > s->rank[k])
                return p;
            v = s->base + s->part[n - 1] + 1;
            size = s->part[n] - s->part[n - 1] - 1;
        } else {
            const struct slice part = part_of(r, s, k, op->component);
            v = part.p;
            size = part.n;
        }
        if (size == 0)
            return p;
    }
    if (__builtin_expect((parts ? op->odd & ~ODD_LATER : op->odd) != 0, 0)) {
        if (op->odd & ODD_LATER && !parts)
            return p;
        if (op->odd & ODD_TEXT && !is_marked(v, size))
            return run_slow(r, op, s, k - op->element[0], p);
        if (op->odd & ODD_COUNTED)
            total_add(&r->total, slice(v, size));
        if (op->odd & ODD_TOTAL)
            run_total(r, op, s, slice(v, size));
    }
    return put_op(r, op, s, k, v, size, p);
}

/* A date, or two, in the form that an element names. Does the op take it as such? */
static int find_period(const struct map_reader *r, const struct map_op *op, const struct segment *s,
                       struct period *c)
{
    const struct map_period *period = op->period;
    struct slice v = part_of(r, s, op->element[0], op->component);
    int code;

    if (v.n == 0)
        return 0;
    code = period_read(v, part_of(r, s, period->element, period->component), c);
    if (code <= 0)
        return code;
    if (op->field->type == RECORD_DATE && c->from.n > 10 &&
        (!period->clock.field || c->from.p[10] != 'T' || c->zone || c->until.n))
        return 0;
    return c->until.n == 0 || period->until.field != NULL;
}

/* A condition on a field of another segment does not hold. */
static inline bool is_off(const struct instance *i, const struct map_take *t)
{
    return t->n_guards && ((i->holds & t->holds) != t->holds || (i->holds & t->fails));
}

/* Does a take leave a segment for others, because its date has a form that it could not keep, or a value would get a
 * prefix that it does not have? */
static __attribute__((noinline)) bool leaves_value(const struct map_reader *r, const struct map_take *t,
                                                   const struct segment *s)
{
    struct period c;
    for (unsigned i = 0; i < t->n_ops; i++) {
        const struct map_op *op = &t->op[i];
        struct slice v = part_of(r, s, op->element[0], op->component);
        if (v.n == 0)
            continue;
        if (op->period && !op->period->other.field && find_period(r, op, s, &c) <= 0)
            return true;
        for (unsigned k = 0; k < op->n_conversions; k++)
            if (op->conversion[k].kind == CONVERT_PREFIX && op->conversion[k].number[0] &&
                v.n + op->conversion[k].text.n == op->conversion[k].number[0])
                return true;
    }
    return false;
}

static __attribute__((noinline)) char *run_period(struct map_reader *r, const struct map_op *op,
                                                  const struct segment *s, char *p)
{
    const struct map_period *period = op->period;
    const struct slice form = part_of(r, s, period->element, period->component);
    struct slice v = part_of(r, s, op->element[0], op->component);
    struct map_name name = { .field = op->field, .key = op->key, .key_n = op->key_n };
    struct period c;
    bool plain = false;
    int code;

    if (v.n == 0 && form.n == 0)
        return p;
    code = find_period(r, op, s, &c);
    if (code < 0)
        map_finding(r, s, FINDING_MAP_VALUE, op->element[0], op->component, "cannot be converted", c.why);
    if (code > 0) {
        if (period->clock.field && c.from.n > 10) {
            p = put_field(p, &name, slice(c.from.p, 10));
            p = put_field(p, &period->clock, slice_from(c.from, 11));
        } else {
            p = put_field(p, &name, c.from);
        }
        if (c.until.n)
            p = put_field(p, &period->until, c.until);
        plain = c.plain;
    } else if (v.n) {
        p = put_field(p, period->other.field ? &period->other : &name, v);
    }
    if (form.n && !plain && op->beside) {
        name = (struct map_name){ .key = op->beside_key, .key_n = op->beside_n };
        p = put_field(p, &name, form);
    }
    return p;
}

/* One text in several components. A piece that is shorter than it could be, and not the last, ends a line of it. */
static __attribute__((noinline)) char *run_folded(struct map_reader *r, const struct map_op *op,
                                                  const struct segment *s, char *p)
{
    unsigned last = op->span;
    uint32_t width = 0;

    while (last && !part_of(r, s, op->element[0], op->component + last - 1).n)
        last--;
    if (last == 0)
        return p;
    for (unsigned i = 0; i < op->n_conversions; i++)
        if (op->conversion[i].kind == CONVERT_FOLD)
            width = op->conversion[i].number[0];
    p = put_key(p, op->key, op->key_n);
    for (unsigned k = 0; k < last; k++) {
        struct slice v = part_of(r, s, op->element[0], op->component + k);
        p = put_escaped(p, v.p, v.n);
        if (k + 1 < last && utf8_characters(v) < width) {
            memcpy(p, "\\n", 2);
            p += 2;
        }
    }
    memcpy(p, "\",", 2);
    return p + 2;
}

static inline char *run_late(struct map_reader *r, const struct map_take *t, const struct map_op *op,
                             const struct segment *s, char *p);

/* Is the element nobody's, when this op does not take it? */
static bool is_left(const struct map_reader *r, const struct map_take *t, const struct map_op *op,
                    const struct segment *s)
{
    for (unsigned i = 0; i < t->n_ops; i++)
        if (&t->op[i] != op && map_op_shares(&t->op[i], op) && t->op[i].direction & DIRECTION_READ &&
            guards_hold(r, t, &t->op[i], s))
            return false;
    return !op->component && op->element[0];
}

static __attribute__((noinline)) char *run_guarded(struct map_reader *r, const struct map_take *t,
                                                   const struct map_op *op, const struct segment *s, char *p)
{
    struct map_op plain;
    unsigned k = op->element[0];

    if (!guards_hold(r, t, op, s)) {
        if (segment_element(s, k).n && is_left(r, t, op, s))
            r->left |= 1ull << (k - 1);
        return p;
    }
    plain = *op;
    plain.quick = op->inside;
    if (plain.quick >= QUICK_DATETIME)
        return run_late(r, t, &plain, s, p);
    return segment_element(s, k).n ? run_op(r, &plain, s, k, s->flags & SEGMENT_PARTS, p) : p;
}

/* What the qualifier of a segment says, where the segment holds something. */
static __attribute__((noinline)) char *run_said(struct map_reader *r, const struct map_take *t, const struct map_op *op,
                                                const struct segment *s, char *p)
{
    for (unsigned i = 0; i < t->n_ops; i++)
        if (t->op[i].quick != QUICK_SAID && t->op[i].field && part_of(r, s, t->op[i].element[0], t->op[i].component).n)
            return put_field(p, &(struct map_name){ .key = op->key, .key_n = op->key_n }, op->guard->value);
    return p;
}

/* Which conditions of segments behind this one hold. */
static __attribute__((noinline)) void run_tell(struct map_reader *r, const struct map_take *t, const struct segment *s)
{
    struct instance *i = &r->stack[r->depth - 1];

    for (unsigned k = 0; k < i->scope->n_watch; k++) {
        const struct map_guard *g = &i->scope->watch[k];
        const struct map_op *op = map_giver(t, g->field);
        if (op)
            i->holds = (i->holds & ~(1u << k)) | (uint32_t)guard_holds(g, value_given(r, op, s)) << k;
    }
}

/* One field that takes several elements, or is not made of one alone. */
static inline char *run_late(struct map_reader *r, const struct map_take *t, const struct map_op *op,
                             const struct segment *s, char *p)
{
    switch (op->quick) {
    case QUICK_DATETIME:
        return run_datetime(r, op, s, p);
    case QUICK_PERIOD:
        return run_period(r, op, s, p);
    case QUICK_FOLD:
        return run_folded(r, op, s, p);
    case QUICK_NODE:
        return run_tree(r, op, s, p);
    case QUICK_CHILDREN:
        run_children(r, op, s);
        return p;
    case QUICK_GUARDED:
        return run_guarded(r, t, op, s, p);
    case QUICK_SAID:
        return run_said(r, t, op, s, p);
    case QUICK_TELL:
        run_tell(r, t, s);
        return p;
    default:
        return run_slow(r, op, s, 0, p);
    }
}

static inline __attribute__((always_inline)) char *run_all(struct map_reader *r, const struct map_take *t,
                                                           const struct segment *s, uint64_t present, bool parts,
                                                           char *p)
{
    uint64_t todo = present & t->quick;
    if (__builtin_expect(t->mixed, 0)) {
        for (const struct map_op *op = t->op, *end = op + t->n_ops; op < end; op++) {
            if (!(op->needs & present))
                continue;
            p = op->quick >= QUICK_DATETIME ? run_late(r, t, op, s, p) : run_op(r, op, s, op->element[0], parts, p);
        }
        return p;
    }
    while (todo) {
        unsigned k = (unsigned)__builtin_ctzll(todo);
        const struct map_op *op = &t->op[t->by_element[k] - 1];
        todo &= todo - 1;
        p = run_op(r, op, s, k + 1, parts, p);
        while (__builtin_expect(op->next != 0, parts)) {
            op = &t->op[op->next - 1];
            p = run_op(r, op, s, k + 1, parts, p);
        }
    }
    if (present & t->slow)
        for (unsigned i = 0; i < t->n_late; i++) {
            const struct map_op *op = &t->op[t->late[i]];
            p = run_late(r, t, op, s, p);
        }
    return p;
}

static __attribute__((noinline)) char *run_all_parts(struct map_reader *r, const struct map_take *t,
                                                     const struct segment *s, uint64_t present, char *p)
{
    return run_all(r, t, s, present, true, p);
}

/* The fields of one segment that has no list items of its own. */
static char *run_ops(struct map_reader *r, const struct map_take *t, const struct segment *s, uint64_t present, char *p)
{
    return s->flags & SEGMENT_PARTS ? run_all_parts(r, t, s, present, p) : run_all(r, t, s, present, false, p);
}

static inline __attribute__((always_inline)) char *run_item(struct map_reader *r, const struct map_take *t,
                                                            const struct segment *s, unsigned offset, bool parts,
                                                            char *p)
{
    const struct map_op *op = t->op, *end = op + t->n_ops, *shared = op + t->shared;
    for (; op < end; op++) {
        unsigned own = op < shared ? offset : 0, k = op->element[0] + own;
        if (k > s->n || s->at[k] - s->at[k - 1] == 1)
            continue;
        p = op->quick >= QUICK_DATETIME ? run_slow(r, op, s, own, p) : run_op(r, op, s, k, parts, p);
    }
    return p;
}

static __attribute__((noinline)) char *run_item_parts(struct map_reader *r, const struct map_take *t,
                                                      const struct segment *s, unsigned offset, char *p)
{
    return run_item(r, t, s, offset, true, p);
}

/* The fields of an item of pairs: `offset` is added to the numbers of elements that are not shared. */
static char *run_group(struct map_reader *r, const struct map_take *t, const struct segment *s, unsigned offset,
                       char *p)
{
    return s->flags & SEGMENT_PARTS ? run_item_parts(r, t, s, offset, p) : run_item(r, t, s, offset, false, p);
}

static __attribute__((noinline)) bool leaves_some(const struct map_reader *r, const struct map_take *t,
                                                  const struct segment *s)
{
    const char separator = segment_component_separator(s->flags, &r->document.interchange->syntax);
    for (uint64_t todo = t->partly; todo; todo &= todo - 1) {
        const unsigned k = (unsigned)__builtin_ctzll(todo) + 1;
        const uint32_t named = t->components[k - 1];
        struct slice rest = segment_element(s, k);
        bool more = separator && rest.n;
        for (unsigned c = 0; more; c++) {
            struct slice part = slice_cut(rest, separator, &rest, &more);
            if (part.n && (c > 31 || !(named >> c & 1)))
                return true;
        }
    }
    return false;
}

/* Are there components that no op of the take names? */
static inline bool leaves_parts(const struct map_reader *r, const struct map_take *t, const struct segment *s)
{
    if (__builtin_expect(!s->part, 0))
        return leaves_some(r, t, s);
    for (uint64_t todo = t->partly; todo; todo &= todo - 1) {
        const unsigned k = (unsigned)__builtin_ctzll(todo) + 1;
        if (k > s->n)
            break;
        const uint32_t n = s->rank[k] - s->rank[k - 1], there = n < 32 ? (1u << n) - 1 : UINT32_MAX;
        if (__builtin_expect((there & ~t->components[k - 1]) != 0 || n > 32, 0))
            return leaves_some(r, t, s);
    }
    return false;
}

/* ---- objects and lists ---- */

static void close_list(struct map_reader *r, struct instance *i)
{
    struct level *l = &r->level[i - r->stack];
    unsigned index = i->list->field->index;
    read_close_bracket(i->to, ']');
    i->closed[index / 64] |= 1ull << (index % 64);
    i->list = NULL;
    if (l->side.n) {
        buf_add(i->to, l->side.p, l->side.n);
        buf_clear(&l->side);
    }
}

static struct kept *find_kept(struct map_reader *r, struct kept *kept, unsigned *n, unsigned most,
                              const struct record_field *field, struct slice open)
{
    for (unsigned k = 0; k < *n; k++)
        if (kept[k].field == field)
            return &kept[k];
    if (*n == most) {
        read_stop(r, ERR_LIMIT);
        return NULL;
    }
    struct kept *k = &kept[(*n)++];
    k->field = field;
    k->open = open;
    k->text = false;
    k->last = 0;
    buf_clear(&k->content);
    return k;
}

struct kept *read_find_kept(struct map_reader *r, struct instance *i, const struct record_field *field,
                            struct slice open)
{
    struct level *l = &r->level[i - r->stack];
    return find_kept(r, l->kept, &l->n_kept, MOST_KEPT, field, open);
}

/* Where a field of the object goes now. */
static struct buf *field_target(struct map_reader *r, struct instance *i, const struct map_take *t)
{
    if (__builtin_expect(t->common, 0))
        return &r->common.text;
    if (!i->list)
        return i->to;
    if (i->list->segment == t->segment || i != &r->stack[r->depth - 1]) /* more items may come, or one is open */
        return &r->level[i - r->stack].side;
    close_list(r, i);
    return i->to;
}

static __attribute__((noinline)) struct buf *node_target(struct map_reader *r, struct instance *i,
                                                         const struct map_take *t);

static __attribute__((noinline)) struct buf *list_elsewhere(struct map_reader *r, struct instance *i,
                                                            const struct map_take *t)
{
    struct kept *k;
    if (t->gathers && !t->common) {
        k = read_find_kept(r, i, t->field, t->open);
        return k ? &k->content : NULL;
    }
    if (!t->common)
        return node_target(r, i, t);
    k = find_kept(r, r->common.list, &r->common.n_lists, MOST_COMMON, t->field, t->open);
    return k ? &k->content : NULL;
}

/* Where the next item of a list goes now. NULL: stopped. */
static struct buf *list_target(struct map_reader *r, struct instance *i, const struct map_take *t)
{
    unsigned index = t->field->index;
    struct kept *k;
    if (__builtin_expect(t->elsewhere, 0))
        return list_elsewhere(r, i, t);
    if (i->list && i->list->field == t->field)
        return i->to;
    if (!(i->closed[index / 64] >> (index % 64) & 1) &&
        (!i->list || (i->list->segment != t->segment && i == &r->stack[r->depth - 1]))) {
        if (i->list)
            close_list(r, i);
        put_text(i->to, t->open);
        i->list = t;
        return i->to;
    }
    k = read_find_kept(r, i, t->field, t->open);
    return k ? &k->content : NULL;
}

static struct instance *open_instance(struct map_reader *r, const struct map_scope *scope, struct buf *to)
{
    struct instance *i;
    if (r->depth == LEVELS) {
        read_stop(r, ERR_LIMIT);
        return NULL;
    }
    i = &r->stack[r->depth++];
    i->scope = scope;
    i->to = to;
    i->once = 0;
    memset(i->closed, 0, sizeof(i->closed));
    i->list = NULL;
    i->start = 0;
    i->rows = 0;
    i->own = 0;
    return i; /* its level was left clean by the instance before */
}

/* Fields that have no value of their own and are inherited from the root. */
static void inherit(struct map_reader *r, struct instance *i)
{
    for (unsigned k = 0; k < i->scope->n_order; k++) {
        const struct map_take *t = i->scope->order[k];
        for (unsigned o = 0; t->kind == TAKE_SEGMENT && o < t->n_ops; o++) {
            const struct map_op *op = &t->op[o];
            unsigned slot = op->takes - 1u;
            if (!op->takes || !(op->direction & DIRECTION_READ) || i->own >> slot & 1 || !r->inherited[slot].n)
                continue;
            i->own |= 1u << slot;
            buf_add(i->to, op->key, op->key_n);
            buf_add_slice(i->to, buf_slice(&r->inherited[slot]));
            buf_add(i->to, "\",", 2);
        }
    }
}

/* The text of the object on top ends. */
static inline void end_object(struct map_reader *r)
{
    struct instance *i = &r->stack[r->depth - 1];
    struct level *l = &r->level[r->depth - 1];
    if (i->list)
        close_list(r, i);
    if (__builtin_expect(r->plan->inherits, 0))
        inherit(r, i);
    for (unsigned k = 0; k < l->n_kept; k++) {
        struct kept *kept = &l->kept[k];
        buf_add_slice(i->to, kept->open);
        buf_add(i->to, kept->content.p, kept->content.n);
        if (kept->text)
            buf_add(i->to, "\",", 2);
        else
            read_close_bracket(i->to, ']');
        if (kept->content.failed)
            read_stop(r, kept->content.failed);
    }
    l->n_kept = 0;
    if (__builtin_expect(l->side.failed, 0))
        read_stop(r, l->side.failed);
    l->side.n = 0;
    if (i->scope->parent) {
        if (i->scope->implied && i->to->n && i->to->p[i->to->n - 1] == '{')
            i->to->n = i->start;
        else
            read_close_bracket(i->to, '}');
        read_failed(r, i->to);
    }
}

static void close_instance(struct map_reader *r)
{
    end_object(r);
    r->depth--;
}

/* Where a node of one of several kinds goes: all of them are items of one list of the root. The object of the node
 * above ends here; what comes of it later can only be nodes. */
static struct buf *node_target(struct map_reader *r, struct instance *i, const struct map_take *t)
{
    struct instance *root = &r->stack[0];
    if (i != root) {
        if (!i->ended)
            end_object(r);
        i->ended = true;
        i->once = UINT64_MAX;
        r->counts[t->field->index]++;
    }
    if (root->list && root->list->field == t->field)
        return root->to;
    if (root->list)
        close_list(r, root);
    put_text(root->to, t->open);
    root->list = t;
    return root->to;
}

/* What a node that the document does not name begins with. */
static void begin_node(struct map_reader *r, struct instance *i)
{
    const struct instance *above = i - 1;
    char room[40];

    if (tree_add_nameless(&r->tree) < 0)
        read_stop(r, ERR_NOMEM);
    i->node = r->tree.n;
    buf_add_text(i->to, "\"id\":\"");
    buf_add_slice(i->to, slice_digits(i->node, room));
    buf_add_text(i->to, "\",");
    while (above > r->stack && !above->scope->kind)
        above--;
    if (above > r->stack) {
        buf_add_text(i->to, "\"parent\":\"");
        if (r->level[above - r->stack].name.n)
            buf_add_json(i->to, buf_slice(&r->level[above - r->stack].name));
        else
            buf_add_slice(i->to, slice_digits(above->node, room));
        buf_add_text(i->to, "\",");
    }
    buf_add_slice(i->to, i->scope->lead);
    read_failed(r, i->to);
}

/* An object that has rows, or is a node of one of several kinds, begins. */
static __attribute__((noinline)) void begin_odd(struct map_reader *r, struct instance *i)
{
    memset(i->own_closed, 0, sizeof(i->own_closed));
    i->ended = false;
    i->holds = 0;
    buf_clear(&r->level[i - r->stack].name);
    if (i->scope->kind && !i->scope->named)
        begin_node(r, i);
    if (i->scope->counted)
        r->kinds[i->scope->counted - 1]++;
}

/* The object that was closed last is a row: where it ends. */
static void note_row(struct map_reader *r, const struct buf *to)
{
    size_t end = to->n - 2; /* "}," */
    buf_add(&r->common.ends, (const char *)&end, sizeof(end));
    read_failed(r, &r->common.ends);
}

/* What the rows share goes to the end of each. */
static void share(struct map_reader *r, struct buf *to)
{
    struct buf *b = &r->common.text;
    const size_t n_rows = r->common.ends.n / sizeof(size_t);
    size_t from = to->n, more = 0, end;

    for (unsigned k = 0; k < r->common.n_lists; k++) {
        struct kept *kept = &r->common.list[k];
        buf_add_slice(b, kept->open);
        buf_add_slice(b, buf_slice(&kept->content));
        read_close_bracket(b, ']');
        if (kept->content.failed)
            read_stop(r, kept->content.failed);
    }
    r->common.n_lists = 0;
    if (b->n && !r->stopped && read_failed(r, b) == 0) {
        b->n--; /* the comma */
        for (size_t k = 0; k < n_rows; k++) {
            memcpy(&end, r->common.ends.p + k * sizeof(end), sizeof(end));
            more += b->n + (to->p[end - 1] != '{');
        }
        if (buf_reserve(to, more)) {
            to->n += more;
            for (size_t k = n_rows, at = to->n; k--; from = end) {
                memcpy(&end, r->common.ends.p + k * sizeof(end), sizeof(end));
                at -= from - end;
                memmove(to->p + at, to->p + end, from - end);
                at -= b->n;
                memcpy(to->p + at, b->p, b->n);
                if (to->p[end - 1] != '{')
                    to->p[--at] = ',';
            }
        }
        read_failed(r, to);
    }
    buf_clear(b);
    buf_clear(&r->common.ends);
}

/* All that has gathered, and the buffer is empty. */
static int give_out(struct map_reader *r)
{
    const struct map_read_options *o = &r->options;
    int answer = o->take ? o->take(o->ctx, &r->out) : o->write ? o->write(o->ctx, r->out.p, r->out.n) : 0;
    if (!o->take)
        buf_clear(&r->out);
    return answer < 0 ? read_stop(r, answer) : 0;
}

/* Gives out what has gathered; the last byte may still become a bracket. */
static void flush_out(struct map_reader *r)
{
    if ((r->options.write || r->options.take) && r->out.p[r->out.n - 1] == ',') {
        bool waits = false;
        for (unsigned d = 1; d < r->depth; d++)
            waits |= r->stack[d].scope->implied || r->stack[d].scope->common;
        if (!waits && !r->stopped) {
            r->out.n--;
            if (give_out(r) == 0)
                buf_add_char(&r->out, ',');
        }
    }
}

/* Closes an object whose rows share something. */
static void close_rows(struct map_reader *r)
{
    struct buf *to = r->stack[r->depth - 1].to;

    close_instance(r);
    if (r->stopped)
        return;
    note_row(r, to);
    share(r, to);
    if (r->out.n > r->options.flush + KEEP_BEHIND)
        flush_out(r);
}

static __attribute__((noinline)) void close_odd(struct map_reader *r)
{
    const struct instance *i = &r->stack[r->depth - 1];
    if (i->scope->common)
        close_rows(r);
    else if (!i->ended)
        close_instance(r);
    else
        r->depth--;
}

static inline void close_top(struct map_reader *r)
{
    if (__builtin_expect(r->stack[r->depth - 1].scope->odd_end, 0))
        close_odd(r);
    else
        close_instance(r);
}

/* ---- segments ---- */

static __attribute__((noinline)) struct slice selecting_part(const struct map_reader *r, const struct segment *s,
                                                              const struct map_select *select)
{
    return part_of(r, s, select->element, select->component);
}

static inline bool selected(const struct map_reader *r, const struct map_take *t, const struct segment *s)
{
    for (unsigned i = 0; i < t->n_select; i++) {
        struct slice v = segment_element(s, t->select[i].element);
        if (__builtin_expect(t->select[i].component != 0, 0))
            v = selecting_part(r, s, &t->select[i]);
        if (v.n == 0 || v.n > 8 || slice_key(v) != t->select[i].key)
            return false;
    }
    return true;
}

static inline bool available(const struct map_reader *r, const struct instance *i, const struct map_take *t,
                             const struct segment *s)
{
    return !(i->once & t->blocked) && (t->n_select == 0 || selected(r, t, s));
}

/* Would a list further down take the whole segment, where this take leaves something over? */
static __attribute__((noinline)) bool better_later(const struct map_reader *r, const struct instance *i,
                                                   const struct map_take *t, const struct segment *s, uint64_t present)
{
    for (t = t->next; t; t = t->next) {
        const struct map_take *own = t->kind == TAKE_SCOPE && t->scope->owner ? t->scope->owner : t;
        if ((t->kind == TAKE_SCOPE || t->kind == TAKE_SEGMENT || t->kind == TAKE_PAIRS) && available(r, i, t, s) &&
            !(present & ~t->covered) && !(t->kind == TAKE_SEGMENT && is_off(i, t)) &&
            !(s->flags & SEGMENT_PARTS && leaves_parts(r, own, s)))
            return true;
    }
    return false;
}

/* A list of texts in the components of one element. */
static __attribute__((noinline)) bool run_parts(struct map_reader *r, struct instance *i, const struct map_take *t,
                                                const struct segment *s)
{
    const size_t most = most_of(t, s) + t->n_parts * 4u;
    struct buf *b = NULL;
    char *p = NULL;

    for (unsigned k = 0; k < t->n_parts; k++) {
        struct map_op op = t->op[0];
        op.component = (uint8_t)(op.component + k);
        if (part_of(r, s, t->first, op.component).n == 0)
            continue;
        if (!b) {
            b = list_target(r, i, t);
            if (!b || !(p = room_for(r, b, most * t->n_parts)))
                return false;
        }
        p = op.quick >= QUICK_DATETIME ? run_slow(r, &op, s, 0, p) : run_op(r, &op, s, t->first, true, p);
    }
    if (b)
        b->n = (size_t)(p - b->p);
    return b != NULL;
}

/* The items that the elements of one segment hold. */
static bool run_pairs(struct map_reader *r, struct instance *i, const struct map_take *t, const struct segment *s,
                      uint64_t present)
{
    const uint64_t here = present & t->range;
    size_t most = most_of(t, s);
    unsigned groups;
    struct buf *b;
    char *p;

    if (!here)
        return false;
    if (__builtin_expect(t->n_parts != 0, 0))
        return run_parts(r, i, t, s);
    if (__builtin_expect(t->slot != NULL, 0))
        for (groups = t->n_slots; !(here >> (t->slot[groups - 1] - 1)); groups--)
            ;
    else
        groups = (64 - (unsigned)__builtin_clzll(here) - t->first) / t->group + 1;
    b = list_target(r, i, t);
    if (!b || !(p = room_for(r, b, most)))
        return false;
    for (unsigned k = 0; k < groups; k++) {
        unsigned offset = map_shift(t, k);
        if (__builtin_expect(b->room - (size_t)(p - b->p) < most, 0)) {
            b->n = (size_t)(p - b->p);
            if (!(p = room_for(r, b, most)))
                return false;
        }
        if (t->kind == TAKE_SPREAD) {
            p = run_group(r, t, s, offset, p);
            continue;
        }
        *p++ = '{';
        p = run_group(r, t, s, offset, p);
        if (p[-1] == ',')
            p--;
        *p++ = '}';
        *p++ = ',';
    }
    b->n = (size_t)(p - b->p);
    return true;
}

static void run_fold(struct map_reader *r, struct instance *i, const struct map_take *t, const struct segment *s)
{
    struct slice v = segment_element(s, t->op[0].element[0]);
    struct kept *k = read_find_kept(r, i, t->field, t->open);
    if (!k)
        return;
    if (k->text && k->last < t->fold)
        buf_add_text(&k->content, "\\n");
    k->text = true;
    k->last = (uint32_t)utf8_characters(v);
    buf_add_json(&k->content, v);
}

/* Which of the fields that matter to others have a value in what was written. */
static __attribute__((noinline)) void note_fields(struct instance *i, const struct map_take *t, const char *from,
                                                  const char *to)
{
    for (const struct map_noted *f = t->noted; f < t->noted + t->n_noted; f++)
        if (memmem(from, (size_t)(to - from), f->key, f->key_n))
            i->once |= f->bit;
}

static inline __attribute__((always_inline)) void run_segment(struct map_reader *r, struct instance *i,
                                                              const struct map_take *t, const struct segment *s,
                                                              uint64_t present)
{
    struct buf *b = t->owner ? i->to : field_target(r, i, t);
    char *p = room_for(r, b, most_of(t, s));
    if (!p)
        return;
    p = run_ops(r, t, s, present, p);
    if (__builtin_expect(t->noted != NULL, 0))
        note_fields(i, t, b->p + b->n, p);
    b->n = (size_t)(p - b->p);
    for (const struct map_take *list = t->pairs; list; list = list->pairs)
        run_pairs(r, i, list, s, present);
}

/* The fields of an item that further rows repeat: what its own segment has written. */
static void keep_shared(struct map_reader *r, struct instance *i, size_t from)
{
    if (i->list)
        close_list(r, i);
    memcpy(i->own_closed, i->closed, sizeof(i->own_closed));
    r->shared_once = i->once;
    buf_clear(&r->shared);
    buf_add(&r->shared, i->to->p + from, i->to->n - from);
    read_failed(r, &r->shared);
}

/* One more row: the item ends, and another one begins with the fields of the same segment. */
static struct instance *next_row(struct map_reader *r)
{
    struct instance *i = &r->stack[r->depth - 1];
    const struct map_scope *scope = i->scope;
    struct buf *to = i->to;

    close_instance(r);
    if (scope->common)
        note_row(r, to);
    read_put_char(to, '{');
    buf_add_slice(to, buf_slice(&r->shared));
    if (read_failed(r, to) < 0)
        return NULL;
    i = open_instance(r, scope, to); /* in the same place: own_closed stays */
    if (i) {
        memcpy(i->closed, i->own_closed, sizeof(i->closed));
        i->once = r->shared_once;
    }
    return i;
}

/* Opens the object of a scope. Returns its instance, NULL when stopped. */
static struct instance *enter(struct map_reader *r, struct instance *i, const struct map_take *t)
{
    struct buf *to = t->scope->list ? list_target(r, i, t) : field_target(r, i, t);
    struct instance *child;
    size_t start;
    if (!to)
        return NULL;
    i->once |= t->once;
    if (!i->scope->parent)
        r->counts[t->field->index]++;
    start = to->n;
    if (!t->scope->list)
        put_text(to, t->open);
    read_put_char(to, '{');
    if (__builtin_expect(to->failed, 0) && read_failed(r, to) < 0)
        return NULL;
    child = open_instance(r, t->scope, to);
    if (child) {
        child->start = start;
        if (__builtin_expect(t->scope->odd_begin, 0))
            begin_odd(r, child);
    }
    return child;
}

/* An object that is one segment and needs no instance: nothing of it comes later, and nothing is left over. */
static void run_leaf(struct map_reader *r, struct instance *i, const struct map_take *t, const struct segment *s,
                     uint64_t present)
{
    struct buf *b = t->scope->list ? list_target(r, i, t) : field_target(r, i, t);
    char *p;
    if (!b || !(p = room_for(r, b, most_of(t->scope->owner, s) + t->open.n)))
        return;
    i->once |= t->once;
    if (!i->scope->parent)
        r->counts[t->field->index]++;
    if (!t->scope->list)
        p = put_key(p, t->open.p, t->open.n);
    *p++ = '{';
    p = run_ops(r, t->scope->owner, s, present, p);
    if (p[-1] == ',')
        p--;
    memcpy(p, "},", 2);
    b->n = (size_t)(p + 2 - b->p);
}

/* What a scope does with a segment. */
static inline const struct map_take *takes_of(const struct instance *i, uint16_t ordinal)
{
    return i->scope->program[ordinal - i->scope->first];
}

static uint64_t run_node(struct map_reader *r, struct instance *i, const struct map_take *t,
                         const struct guide_node *node, const struct segment *s, uint64_t present);

/* An object that is made of one segment. */
static __attribute__((noinline)) void run_child(struct map_reader *r, struct instance *i, const struct map_take *t,
                                                const struct guide_node *node, const struct segment *s,
                                                uint64_t present)
{
    const struct map_take *around = r->taken;
    struct instance *child = enter(r, i, t);
    uint64_t covered;

    if (!child)
        return;
    r->taken = NULL;
    covered = run_node(r, child, takes_of(child, node->ordinal), node, s, present);
    if ((present & ~covered) || (s->flags & SEGMENT_PARTS && r->taken && leaves_parts(r, r->taken, s)))
        read_left_rest(r, node, s, present & ~covered, present, r->taken);
    close_instance(r);
    r->taken = around; /* nothing is left for the scope around it */
}

/* What stands behind the fields of the segment that such an object begins with. */
static void end_odd_owner(struct map_reader *r, struct instance *i, size_t from)
{
    if (i->scope->row)
        keep_shared(r, i, from);
    if (i->scope->kind && i->scope->named) {
        if (i->list)
            close_list(r, i);
        buf_add_slice(i->to, i->scope->lead);
        read_failed(r, i->to);
    }
}

/* The segment that an object begins with. */
static uint64_t run_owner(struct map_reader *r, struct instance *i, const struct map_take *t, const struct segment *s,
                          uint64_t present)
{
    size_t from = i->to->n;
    run_segment(r, i, t, s, present);
    if (__builtin_expect(i->scope->odd_begin, 0) && !r->stopped)
        end_odd_owner(r, i, from);
    r->taken = t;
    return t->covered & ~r->left;
}

/* The first of a chain of takes that will have the segment. */
static uint64_t run_takes(struct map_reader *r, struct instance *i, const struct map_take *t,
                          const struct guide_node *node, const struct segment *s, uint64_t present)
{
    for (; t; t = t->next) {
        if (!available(r, i, t, s))
            continue;
        switch (t->kind) {
        case TAKE_SEGMENT:
            if (!(present & t->wanted) || ((present & ~t->covered) && better_later(r, i, t, s, present)))
                continue;
            if (__builtin_expect(t->picky, 0) && (is_off(i, t) || leaves_value(r, t, s)))
                continue;
            if (__builtin_expect((s->flags & SEGMENT_PARTS) != 0, 0) && leaves_parts(r, t, s) &&
                better_later(r, i, t, s, present))
                continue;
            i->once |= t->once;
            run_segment(r, i, t, s, present);
            break;
        case TAKE_SCOPE:
            if (node->loop)
                continue;
            if (t->scope->leaf && !(present & ~t->scope->owner->covered) && !(present & t->scope->owner->slow) &&
                !(s->flags & SEGMENT_PARTS && leaves_parts(r, t->scope->owner, s)))
                run_leaf(r, i, t, s, present);
            else
                run_child(r, i, t, node, s, present);
            return ~0ull;
        case TAKE_PAIRS:
        case TAKE_SPREAD:
            if (!run_pairs(r, i, t, s, present))
                continue;
            break;
        case TAKE_FOLD:
            if (!(present & t->wanted))
                continue;
            run_fold(r, i, t, s);
            break;
        default:
            break;
        }
        r->taken = t;
        return t->covered & ~r->left;
    }
    return 0;
}

/* Returns the elements that were taken care of; by what, stands in r->taken. */
static inline uint64_t run_node(struct map_reader *r, struct instance *i, const struct map_take *t,
                                const struct guide_node *node, const struct segment *s, uint64_t present)
{
    if (!t)
        return 0;
    return t->owner ? run_owner(r, i, t, s, present) : run_takes(r, i, t, node, s, present);
}

/* Whose the first segment of a loop is, where single fields and a list both name it. */
enum whose { OF_BOTH, OF_FIELDS, OF_LIST };

/* What the fields take whole is theirs, all else is an item of the list. Fields that are only read change nothing for
 * the list. */
static __attribute__((noinline)) enum whose whose_is(const struct map_reader *r, const struct instance *i,
                                                     const struct map_take *t, const struct map_take *list,
                                                     const struct segment *s, uint64_t present)
{
    while (list && !(list->kind == TAKE_SCOPE && list->scope->list && available(r, i, list, s)))
        list = list->next;
    for (; list && t; t = t->next) {
        if (t->kind != TAKE_SEGMENT || !t->both || !available(r, i, t, s) || (present && !(present & t->wanted)) ||
            is_off(i, t))
            continue;
        if ((present & ~t->covered) || (t->picky && leaves_value(r, t, s)) ||
            (s->flags & SEGMENT_PARTS && leaves_parts(r, t, s)))
            return OF_LIST;
        return OF_FIELDS;
    }
    return OF_BOTH;
}

/* The first segment of a loop. */
static uint64_t take_first(struct map_reader *r, struct instance *top, const struct guide_node *node,
                           const struct segment *s, uint64_t present)
{
    const struct map_take *t = takes_of(top, node->parent), *own;
    struct instance *child = NULL;
    uint64_t covered = 0;
    enum whose whose = OF_BOTH;

    if (__builtin_expect(top->scope->row && node->parent == top->scope->row, 0) && top->rows++ > 0) {
        top = next_row(r);
        if (!top)
            return ~0ull;
        top->rows = 1;
    }
    own = takes_of(top, node->ordinal);
    if (own) {
        if (!own->owner && t)
            whose = whose_is(r, top, own, t, s, present);
        if (whose != OF_LIST)
            covered = run_node(r, top, own, node, s, present);
        if (__builtin_expect(!present, 0) && !r->taken) { /* it only opens the loop */
            while (own->next && (own->kind != TAKE_SEGMENT || !available(r, top, own, s)))
                own = own->next;
            top->once |= own->once;
            r->taken = own;
        }
    }
    for (; t && !child; t = t->next)
        if (t->kind == TAKE_SCOPE && available(r, top, t, s) && !(whose == OF_FIELDS && t->scope->list)) {
            child = enter(r, top, t);
            if (!child) {
                r->taken = NULL;
                return ~0ull;
            }
            covered |= run_node(r, child, takes_of(child, node->ordinal), node, s, present);
        }
    return covered;
}

static bool would_take(const struct map_reader *r, const struct instance *i, const struct map_take *t,
                       const struct segment *s, uint64_t present)
{
    for (; t; t = t->next) {
        bool reads = t->kind != TAKE_SEGMENT;
        for (unsigned k = 0; k < t->n_ops && !reads; k++)
            reads = t->op[k].direction & DIRECTION_READ;
        if (reads && available(r, i, t, s) && (t->kind != TAKE_SEGMENT || present & t->wanted))
            return true;
    }
    return false;
}

/* The document itself is a node: whose is a segment that stands in nothing else? What the lines of the root take is
 * the root's; all else that the node has lines for is the node's, which begins with the first of it. */
static __attribute__((noinline)) struct instance *root_or_node(struct map_reader *r, struct instance *top,
                                                               const struct guide_node *node, const struct segment *s,
                                                               uint64_t present)
{
    struct instance *root = &r->stack[0], *i;
    const struct map_take *t = root->scope->document;
    const struct map_scope *scope = t->scope;

    if ((top != root && top->scope != scope) || node->ordinal >= scope->end)
        return top;
    if (would_take(r, root, takes_of(root, node->ordinal), s, present) ||
        (node->trigger && would_take(r, root, takes_of(root, node->parent), s, present)))
        return root;
    if (top != root || (!scope->program[node->ordinal] && !(node->trigger && scope->program[node->parent])))
        return top;
    i = enter(r, root, t);
    return i ? i : root;
}

/* What the record lacks that its kind demands: nobody can write it again. A document with errors is refused anyhow. */
static __attribute__((noinline, cold)) void tell_needs(struct map_reader *r, const struct segment *s)
{
    const struct map_scope *root = r->plan->root;
    char found[200];
    int n = 0;

    for (const struct map_noted *f = root->needs; f < root->needs + root->n_needs && n < 150; f++)
        if (f->bit ? !(r->stack[0].once & f->bit) : !r->counts[f->field->index])
            n += snprintf(found + n, sizeof(found) - (size_t)n, "%s%.*s", n ? ", " : "the record lacks ",
                          (int)(f->field->name.n < 40 ? f->field->name.n : 40), f->field->name.p);
    if (n && !r->n_rejected)
        map_finding(r, s, FINDING_RECORD_MISSING, 0, 0, found, "a value: no record of its kind is written without");
}

static int take_segment(void *ctx, const struct guide_node *node, const struct segment *s, uint64_t present)
{
    struct map_reader *r = ctx;
    struct instance *top;
    uint64_t covered;

    if (!r->plan || r->stopped)
        return r->stopped;
    if (node->ordinal == r->header || node->ordinal == r->trailer) {
        if (r->tree.n && node->ordinal == r->trailer)
            end_tree(r, s);
        if (r->plan->root->n_needs && node->ordinal == r->trailer)
            tell_needs(r, s);
        return r->stopped;
    }
    r->left = 0;
    r->taken = NULL;
    r->last = node;
    r->stray.n = 0;
    top = &r->stack[r->depth - 1];
    while (top->scope->parent && (node->ordinal <= top->scope->first || node->ordinal >= top->scope->end ||
                                  (node->trigger && node->parent == top->scope->node))) {
        close_top(r);
        top = &r->stack[r->depth - 1];
    }
    if (__builtin_expect(r->has_node, 0)) {
        top = root_or_node(r, top, node, s, present);
        if (r->stopped)
            return r->stopped;
    }
    covered = node->trigger ? take_first(r, top, node, s, present)
                            : run_node(r, top, takes_of(top, node->ordinal), node, s, present);
    if (__builtin_expect((present & ~covered) != 0 || (!covered && !r->taken) ||
                             (s->flags & SEGMENT_PARTS && r->taken && leaves_parts(r, r->taken, s)), 0))
        read_left_rest(r, node, s, present & ~covered, present, r->taken);
    if (__builtin_expect(r->out.n > r->options.flush + KEEP_BEHIND, 0))
        flush_out(r);
    return read_failed(r, &r->out);
}

/* ---- documents ---- */

static int take_document(void *ctx, const struct edi_document *d)
{
    struct map_reader *r = ctx;
    const struct guide *g = d->guide;
    int answer;

    r->document = *d;
    r->plan = NULL;
    r->depth = 0;
    buf_clear(&r->rejected);
    r->n_rejected = 0;
    if (!g)
        return 0;
    answer = r->options.choose(r->options.ctx, d, &r->plan);
    if (answer < 0)
        return read_stop(r, answer);
    if (!r->plan) {
        if (!r->options.optional)
            map_finding(r, NULL, FINDING_MAP_MISSING, 0, 0,
                        r->options.no_map ? r->options.no_map : "there is no map for this transaction set", "");
        return r->stopped;
    }
    r->header = r->trailer = 0;
    r->last = NULL;
    r->stray.n = 0;
    for (uint16_t c = g->node[0].first; c != NODE_NONE && !d->bare; c = g->node[c].next) {
        r->header = 1;
        r->trailer = c;
    }
    for (unsigned i = 0; i < LEVELS; i++) {
        r->level[i].n_kept = 0;
        buf_clear(&r->level[i].side);
    }
    for (unsigned i = 0; i < r->plan->n_inherited; i++)
        buf_clear(&r->inherited[i]);
    buf_clear(&r->common.text);
    buf_clear(&r->common.ends);
    r->common.n_lists = 0;
    r->children[0] = 0;
    memset(r->counts, 0, sizeof(r->counts));
    r->total = r->stated[0] = r->stated[1] = (struct total){ 0 };
    memset(r->kinds, 0, sizeof(r->kinds));
    r->has_node = r->plan->root->document != NULL;
    tree_clear(&r->tree);
    tree_clear(&r->ahead);
    r->ahead_open = 0;
    r->renamed = r->named = 0;
    r->disordered = r->denied = false;
    if (d->interchange->foreign) {
        buf_printf(&r->rejected, "{\"code\":\"%s\",\"segment\":1,\"text\":\"the interchange is between others than the "
                                 "partner file names\"},", d->interchange->foreign);
        r->n_rejected++;
    }
    if (read_head(r, d) < 0 || !open_instance(r, r->plan->root, &r->out))
        return r->stopped;
    r->stack[0].holds = 0;
    return read_failed(r, &r->out);
}

int map_reader_flush(struct map_reader *r)
{
    if (r->out.n && !r->stopped && r->depth == 0)
        give_out(r);
    return r->stopped;
}

static int end_interchange(void *ctx, const struct edi_interchange *i)
{
    (void)i;
    return map_reader_flush(ctx);
}

static int end_document(void *ctx, const struct edi_document *d)
{
    struct map_reader *r = ctx;
    int answer;
    if (r->plan && !r->stopped) {
        while (r->depth)
            close_top(r);
        if (d->errors) {
            buf_add_text(&r->out, "\"rejected\":[");
            buf_add(&r->out, r->rejected.p, r->rejected.n);
            read_close_bracket(&r->out, ']');
            r->n_refused++;
        }
        read_close_bracket(&r->out, '}');
        if (r->out.n)
            r->out.p[r->out.n - 1] = '\n';
        r->records++;
        if (read_failed(r, &r->out) < 0)
            return r->stopped;
        if ((!r->options.batch || r->out.n >= r->options.flush) && map_reader_flush(r) < 0)
            return r->stopped;
    }
    r->plan = NULL;
    if (r->options.document_end && !r->stopped) {
        answer = r->options.document_end(r->options.ctx, d);
        if (answer < 0)
            return read_stop(r, answer);
    }
    return r->stopped;
}

static int take_finding(void *ctx, const struct finding *f)
{
    struct map_reader *r = ctx;
    if (f->severity == SEVERITY_ERROR && r->plan && r->n_rejected < MOST_REJECTED) {
        struct buf message;
        buf_init(&message, 4096);
        finding_message(f, &message);
        buf_add_text(&r->rejected, "{\"code\":\"");
        buf_add_text(&r->rejected, finding_name(f->code, f->dialect));
        buf_printf(&r->rejected, "\",\"segment\":%llu,\"text\":\"", (unsigned long long)f->place.segment);
        buf_add_json(&r->rejected, buf_slice(&message));
        buf_add_text(&r->rejected, "\"},");
        if (message.failed == ERR_NOMEM || r->rejected.failed == ERR_NOMEM)
            read_stop(r, ERR_NOMEM);
        buf_deinit(&message);
        r->n_rejected++;
    }
    if (r->options.finding && !r->stopped) {
        int answer = r->options.finding(r->options.ctx, f);
        if (answer < 0)
            read_stop(r, answer);
    }
    return r->stopped;
}

void map_reader_sink(struct map_reader *r, struct edi_sink *sink_r)
{
    *sink_r = (struct edi_sink){ .ctx = r,
                                 .document = take_document,
                                 .segment = take_segment,
                                 .stray = read_left_stray,
                                 .document_end = end_document,
                                 .interchange_end = end_interchange,
                                 .finding = take_finding };
}
