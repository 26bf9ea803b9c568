/*
 * check: see check.h.
 *
 * The common case is a right segment, and takes no branch into the lower half of this file: what is wrong is
 * found there a second time, slowly, with words. Sources: X12.5 and X12.6 (structure, notes), X12.3 (elements).
 */
#include "edi/check.h"

#include <stdio.h>

#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The lowest n bytes of a word. */
static const uint64_t low_bytes[9] = { 0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff,
                                       0xffffffffffffff, 0xffffffffffffffff };

/* May a later version have what the guide does not? New segments and places, more of them, new codes, longer and
 * further elements; but what is mandatory stays so, and a date a date. */
static bool may_be_later(const struct segment *s, enum finding_code code)
{
    struct slice tag = segment_tag(s);
    switch (code) {
    case FINDING_SEGMENT_UNKNOWN:
        for (size_t i = 0; i < tag.n; i++)
            if (!(tag.p[i] >= 'A' && tag.p[i] <= 'Z') && !(i && is_digit(tag.p[i])))
                return false;
        return tag.n == 2 || tag.n == 3;
    case FINDING_SEGMENT_NOT_IN_SET:
    case FINDING_SEGMENT_SEQUENCE:
    case FINDING_LOOP_OVER_MAX:
    case FINDING_SEGMENT_OVER_MAX:
    case FINDING_ELEMENT_CODE:
    case FINDING_ELEMENT_LONG:
    case FINDING_ELEMENT_TOO_MANY:
    case FINDING_ELEMENT_REPEATS:
    case FINDING_ELEMENT_COMPONENTS:
        return true;
    default:
        return false;
    }
}

static void hand_over(struct checker *c, const struct segment *s, const struct remark *r)
{
    int answer = c->stopped ? 0 : c->remark(c->ctx, s, r);
    if (answer < 0)
        c->stopped = answer;
}

/* Of what a later version has each kind is told once for a document. */
static bool was_told(struct checker *c, const struct segment *s, const struct remark *r)
{
    uint64_t kind = slice_key(segment_tag(s)) ^ (uint64_t)r->element << 48 ^ (uint64_t)r->code << 56;
    for (unsigned i = 0; i < c->n_told; i++)
        if (c->told[i] == kind)
            return true;
    if (c->n_told == LATER_TOLD)
        return true;
    c->told[c->n_told++] = kind;
    return false;
}

static void say(struct checker *c, const struct segment *s, const struct remark *r)
{
    struct remark later;
    if (!c->later.n || !may_be_later(s, r->code)) {
        hand_over(c, s, r);
        return;
    }
    if (was_told(c, s, r))
        return;
    later = *r;
    later.code = FINDING_VERSION_LATER;
    snprintf(later.expected, sizeof(later.expected), r->expected[0] ? "%.120s in %.*s, and the document is of %.*s"
                                                                    : "%swhat %.*s has, and the document is of %.*s",
             r->expected, SLICE_FMT(c->guide->version), SLICE_FMT(c->later));
    hand_over(c, s, &later);
}

struct slice check_later(struct slice version, const struct guide *guide)
{
    if (version.n > 6)
        version.n = 6;
    for (size_t i = 0; i < version.n; i++)
        if (!is_digit(version.p[i]))
            return slice(NULL, 0);
    return version.n == 6 && !guide->base.n && slice_cmp(version, guide->version) > 0 ? version : slice(NULL, 0);
}

void check_begin(struct checker *c, const struct guide *guide)
{
    if (c->guide != guide) { /* the forms are those of its lists */
        c->next_form = 0;
        memset(c->form, 0, sizeof(c->form));
    }
    c->guide = guide;
    c->at = NULL;
    c->open = c->seen = 0;
    c->later = slice(NULL, 0);
    c->n_told = 0;
    c->stopped = 0;
    c->count[1] = 0;
    c->current[1] = NODE_NONE;
}

/* ---- places ---- */

static struct slice loop_of(const struct guide *g, const struct guide_node *node)
{
    const struct guide_node *loop = node->loop ? node : &g->node[node->parent];
    return loop->ordinal ? loop->tag : slice(NULL, 0);
}

struct missing {
    struct checker *c;
    const struct segment *s;
};

static void say_missing(void *ctx, const struct guide_node *node)
{
    struct missing *m = ctx;
    const struct guide *g = m->c->guide;
    struct remark r = { .code = FINDING_SEGMENT_MISSING, .missing = true };
    r.loop = loop_of(g, node);
    while (node->loop && node->first != NODE_NONE)
        node = &g->node[node->first];
    r.tag = node->tag;
    snprintf(r.found, sizeof(r.found), "missing");
    snprintf(r.expected, sizeof(r.expected), "%.*s %.*s before this segment", SLICE_FMT(node->tag),
             SLICE_FMT(node->def ? node->def->name : node->tag));
    say(m->c, m->s, &r);
}

/* "with GM in MAN01 where HL03 is P" */
static void name_variant(const struct guide *g, const struct guide_variant *v, char *room, size_t size)
{
    size_t n = 0;
    unsigned own = 0, around = 0;
    room[0] = 0;
    for (uint64_t bits = v->own; bits && n < size; bits &= bits - 1, own++) {
        const struct guide_qualifier *q = guide_qualifier(g, (unsigned)__builtin_ctzll(bits));
        n += (size_t)snprintf(room + n, size - n, " %s %.*s in element %02u", own ? "and" : "with", SLICE_FMT(q->code),
                              q->element);
    }
    for (uint64_t bits = v->needs & ~v->own; bits && n < size; bits &= bits - 1, around++) {
        const struct guide_qualifier *q = guide_qualifier(g, (unsigned)__builtin_ctzll(bits));
        n += (size_t)snprintf(room + n, size - n, " %s %.*s%02u is %.*s", around ? "and" : "where",
                              SLICE_FMT(g->node[q->node].tag), q->element, SLICE_FMT(q->code));
    }
}

/* Does another variant say what holds here, in place of this one? It speaks of the same segment in loops with more
 * qualifiers, and those are there. */
static bool overruled(const struct checker *c, const struct guide_variant *v)
{
    unsigned n;
    const struct guide_variant *w = guide_variants(c->guide, &c->guide->node[v->node], &n);
    for (; n; w++, n--)
        if (w != v && !w->inherits && w->own == v->own && (w->needs & v->needs) == v->needs &&
            !(w->needs & ~w->own & ~c->open))
            return true;
    return false;
}

/* An association's guide is called by its name: nobody's partner has said it. */
static struct slice whose(const struct checker *c)
{
    const struct guide *g = c->guide;
    bool of_maps = slice_starts(g->id, g->standard) && g->id.n > g->standard.n && g->id.p[g->standard.n] == '/';
    return of_maps ? g->id : SLICE("the partner's guide");
}

/* What a partner's guide demands of a loop that ends: segments with certain qualifiers. */
static void check_musts(struct checker *c, const struct segment *s, const struct guide_node *loop)
{
    uint64_t missing = loop->counted & ~c->seen;
    for (unsigned i = 0; missing && i < c->guide->n_variants; i++) {
        const struct guide_variant *v = &c->guide->variant[i];
        struct remark r = { .code = FINDING_SEGMENT_MISSING, .missing = true, .variant = v };
        char which[120];
        if (!v->counts || !(missing >> v->bit & 1) || v->requirement != REQ_MANDATORY ||
            v->needs & ~v->own & ~c->open || overruled(c, v))
            continue;
        r.tag = c->guide->node[v->node].tag;
        r.loop = loop_of(c->guide, &c->guide->node[v->node]);
        name_variant(c->guide, v, which, sizeof(which));
        snprintf(r.found, sizeof(r.found), "missing");
        snprintf(r.expected, sizeof(r.expected), "%.*s%s, as %.*s demands", SLICE_FMT(r.tag), which,
                 SLICE_FMT(whose(c)));
        say(c, s, &r);
    }
}

/* A loop is left, or begins anew: what is counted in it, and its first segment's qualifiers, are gone. */
static void leave_loop(struct checker *c, const struct segment *s, const struct guide_node *loop)
{
    check_musts(c, s, loop);
    c->seen &= ~loop->counted;
    c->open &= ~loop->opened;
}

static bool selected(const struct checker *c, const struct segment *s, const struct guide_node *node)
{
    struct slice value;
    if (node->n_select == 0)
        return true;
    value = segment_part(s, c->syntax, node->select, node->select_part ? node->select_part : 1);
    for (unsigned i = 0; i < node->n_select; i++)
        if (slice_eq(value, node->select_codes[i]))
            return true;
    return false;
}

/* How often the node was there already when a step to it is taken now. */
static uint32_t times(const struct checker *c, const struct guide_node *target)
{
    const struct guide_node *counted = target->trigger ? &c->guide->node[target->parent] : target;
    if (c->current[counted->depth] != counted->ordinal)
        return 0;
    /* the same loop around it? it is when the last segment stands inside that loop, or beside the node */
    return c->at && c->at->depth >= counted->depth ? c->count[counted->depth] : 0;
}

static __attribute__((noinline)) const struct guide_step *choose(const struct checker *c, const struct segment *s,
                                                                 const struct guide_step *step)
{
    const struct guide_step *run = &c->guide->more[step->target], *over = NULL;
    for (unsigned i = 0; i < step->candidates; i++) {
        const struct guide_node *t = &c->guide->node[run[i].target];
        const struct guide_node *counted = t->trigger ? &c->guide->node[t->parent] : t;
        if (!selected(c, s, t))
            continue;
        if (times(c, t) < counted->max)
            return &run[i];
        if (!over)
            over = &run[i];
    }
    return over;
}

static __attribute__((noinline)) const struct guide_node *no_place(struct checker *c, const struct segment *s, int tag)
{
    struct remark r = { .code = FINDING_SEGMENT_SEQUENCE };
    struct slice name = segment_tag(s);
    if (c->at)
        r.loop = loop_of(c->guide, c->at);
    if (tag < 0) {
        const struct segment_def *def;
        int result = guide_find_segment(c->guide, name, &def);
        if (result < 0) {
            c->stopped = result;
            return NULL;
        }
        r.code = def ? FINDING_SEGMENT_NOT_IN_SET : FINDING_SEGMENT_UNKNOWN;
        if (def)
            snprintf(r.found, sizeof(r.found), "the %.*s is not used in the %.*s", SLICE_FMT(def->name),
                     SLICE_FMT(c->guide->set));
        else
            snprintf(r.found, sizeof(r.found), "no guide of version %.*s has this segment",
                     SLICE_FMT(c->guide->version));
        if (!def && c->syntax->release && name.n > 3)
            snprintf(r.expected, sizeof(r.expected), "a tag of three letters; a %c inside a text is written %c%c",
                     c->syntax->terminator, c->syntax->release, c->syntax->terminator);
    } else if (c->at) {
        snprintf(r.found, sizeof(r.found), "cannot follow %.*s%s%s%s%.*s", SLICE_FMT(c->at->tag),
                 r.loop.n ? " in " : "", r.loop.n ? c->guide->words->loop : "", r.loop.n ? " " : "", SLICE_FMT(r.loop));
    } else {
        snprintf(r.found, sizeof(r.found), "the transaction set cannot begin with this segment");
    }
    say(c, s, &r);
    return NULL;
}

/* Said once, of the first that is too many: there may be a million. */
static __attribute__((noinline)) void say_over(struct checker *c, const struct segment *s,
                                               const struct guide_node *counted)
{
    struct remark r = { .code = counted->loop ? FINDING_LOOP_OVER_MAX : FINDING_SEGMENT_OVER_MAX };
    r.loop = loop_of(c->guide, counted);
    snprintf(r.found, sizeof(r.found), "%s%s%soccurs at least %u times", counted->loop ? "the " : "",
             counted->loop ? c->guide->words->loop : "", counted->loop ? " " : "", counted->max + 1);
    snprintf(r.expected, sizeof(r.expected), "at most %u", counted->max);
    say(c, s, &r);
}

/* The same of segments with certain qualifiers. */
static void say_over_variant(struct checker *c, const struct segment *s, const struct guide_node *node,
                             const struct guide_variant *v)
{
    struct remark r = { .code = node->trigger ? FINDING_LOOP_OVER_MAX : FINDING_SEGMENT_OVER_MAX };
    char which[120];
    r.loop = loop_of(c->guide, node);
    name_variant(c->guide, v, which, sizeof(which));
    snprintf(r.found, sizeof(r.found), "%s%s%soccurs at least %u times", node->trigger ? "the " : "",
             node->trigger ? c->guide->words->loop : "", node->trigger ? " " : "", v->max + 1);
    snprintf(r.expected, sizeof(r.expected), "at most %u%s, as %.*s demands", v->max, which,
             SLICE_FMT(whose(c)));
    say(c, s, &r);
}

/* `v` may be NULL: whatever its qualifier. */
static __attribute__((noinline)) void say_not_used(struct checker *c, const struct segment *s,
                                                   const struct guide_node *node, const struct guide_variant *v)
{
    struct remark r = { .code = FINDING_SEGMENT_NOT_USED, .loop = loop_of(c->guide, node) };
    char which[80] = "";
    if (v)
        name_variant(c->guide, v, which, sizeof(which));
    snprintf(r.found, sizeof(r.found), "%.*s does not use it%s", SLICE_FMT(whose(c)), which);
    say(c, s, &r);
}

static __attribute__((noinline)) const struct guide_node *first_segment(struct checker *c, const struct segment *s,
                                                                        int tag)
{
    const struct guide_node *n = c->guide->n > 1 ? &c->guide->node[1] : NULL;
    if (!n || n->loop || tag < 0 || n->local != tag)
        return no_place(c, s, tag);
    c->current[1] = n->ordinal;
    c->count[1] = 1;
    c->at = n;
    return n;
}

/* What a partner's guide counts in the loops that a step leaves. */
static __attribute__((noinline)) void leave_loops(struct checker *c, const struct segment *s,
                                                  const struct guide_node *to, const struct guide_node *counted)
{
    const struct guide *g = c->guide;
    const struct guide_node *loop = &g->node[c->at->parent];
    while (loop->ordinal && !(loop->ordinal <= to->ordinal && to->ordinal < loop->end && loop != counted)) {
        leave_loop(c, s, loop);
        loop = &g->node[loop->parent];
    }
    if (to->parent == 0 && to->next == NODE_NONE) /* the trailer ends the document */
        check_musts(c, s, &g->node[0]);
}

/* What is mandatory between the last segment and this one. */
static __attribute__((noinline)) void find_missing(struct checker *c, const struct segment *s,
                                                   const struct guide_node *to)
{
    struct missing m = { c, s };
    guide_missing(c->guide, c->at, to, say_missing, &m);
}

/* Leaves the loops that the step ends and enters the one that it begins. */
static inline void move(struct checker *c, const struct segment *s, const struct guide_node *to, uint8_t flags)
{
    const struct guide *g = c->guide;
    const struct guide_node *counted = to->trigger ? &g->node[to->parent] : to;
    if (UNLIKELY(g->n_variants))
        leave_loops(c, s, to, counted);
    if (UNLIKELY(flags & STEP_MISSING))
        find_missing(c, s, to);
    if (c->current[counted->depth] == counted->ordinal && c->at->depth >= counted->depth) {
        c->count[counted->depth]++;
    } else {
        c->current[counted->depth] = counted->ordinal;
        c->count[counted->depth] = 1;
    }
    if (UNLIKELY(c->count[counted->depth] == (uint64_t)counted->max + 1))
        say_over(c, s, counted);
    if (to->trigger) {
        c->current[to->depth] = to->ordinal;
        c->count[to->depth] = 1;
    }
    if (UNLIKELY(counted->not_used))
        say_not_used(c, s, counted, NULL);
}

const struct guide_node *check_place(struct checker *c, const struct segment *s)
{
    const struct guide *g = c->guide;
    uint32_t n = s->at[0] - s->start, key = 0;
    const struct guide_step *step;
    const struct guide_node *to;
    int tag = -1;

    if (n <= 4) {
        memcpy(&key, s->base + s->start, 4);
        key &= (uint32_t)low_bytes[n];
        if (key)
            tag = guide_tag(g, key);
    }
    if (UNLIKELY(tag < 0 || !c->at))
        return c->at ? no_place(c, s, tag) : first_segment(c, s, tag);
    step = &g->step[(size_t)c->at->ordinal * g->n_tags + (unsigned)tag];
    if (step->flags & STEP_MORE)
        step = choose(c, s, step);
    if (UNLIKELY(!step || step->target == NODE_NONE))
        return no_place(c, s, tag);
    to = &g->node[step->target];
    if (step->flags || UNLIKELY(to->not_used || (g->n_variants && to->parent == 0))) {
        move(c, s, to, step->flags);
    } else if (to == c->at) {
        if (UNLIKELY(++c->count[to->depth] == (uint64_t)to->max + 1))
            say_over(c, s, to);
    } else {
        c->current[to->depth] = to->ordinal;
        c->count[to->depth] = 1;
    }
    c->at = to;
    return to;
}

/* ---- elements, the fast half ---- */

#define EIGHT(byte) (0x0101010101010101ull * (byte))

/* n is at most 8; blocks have room behind them. */
static inline uint64_t load(const char *p, uint32_t n)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v & low_bytes[n];
}

/* Up to eight bytes, all digits? Bytes past the length must be '0'. */
static inline bool all_digits(uint64_t v)
{
    return ((v & EIGHT(0xf0)) | (((v + EIGHT(0x06)) & EIGHT(0xf0)) >> 4)) == EIGHT(0x33);
}

static inline uint64_t load_digits(const char *p, uint32_t n)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return (v & low_bytes[n]) | (EIGHT('0') & ~low_bytes[n]);
}

static bool long_digits(const char *p, uint32_t n)
{
    for (; n > 8; p += 8, n -= 8)
        if (!all_digits(load_digits(p, 8)))
            return false;
    return n == 0 || all_digits(load_digits(p, n));
}

static inline bool is_integer(const char *p, uint32_t n)
{
    if (*p == '-')
        p++, n--;
    if (n <= 8)
        return n && all_digits(load_digits(p, n));
    return long_digits(p, n);
}

/* both: the mark that the interchange does not have is one, too. */
static bool slow_decimal(const struct checker *c, const char *p, uint32_t n, bool both)
{
    uint32_t digits = 0, marks = 0, i = 0;
    if (n && *p == '-')
        p++, n--;
    for (; i < n; i++) {
        if (is_digit(p[i]))
            digits++;
        else if ((p[i] == c->mark || (both && (p[i] == '.' || p[i] == ','))) && marks == 0)
            marks++;
        else
            break;
    }
    /* X12.6: an exponent may follow: E, an optional minus, digits */
    if (i < n && p[i] == 'E' && digits && !c->comma) {
        i++;
        if (i < n && p[i] == '-')
            i++;
        return i < n && n - i <= 3 && long_digits(p + i, n - i);
    }
    return i == n && digits;
}

static inline bool is_decimal(const struct checker *c, const char *p, uint32_t n)
{
    if (n > 8 || *p == '-' || (n == 1 && *p == c->mark))
        return slow_decimal(c, p, n, false);
    /* the lowest mark that is found is right, the others may not be; one is all there may be */
    const uint64_t m = (unsigned char)c->mark;
    uint64_t v = load_digits(p, n), x = v ^ EIGHT(m);
    uint64_t mark = (x - EIGHT(0x01)) & ~x & EIGHT(0x80);
    mark = (mark & -mark) >> 7;
    v ^= mark * (m ^ '0');
    return all_digits(v) || slow_decimal(c, p, n, false);
}

/* ISO 9735: alphabetic is what holds no digit. */
static bool has_no_digit(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_digit(s.p[i]))
            return false;
    return true;
}

static inline unsigned two(const char *p)
{
    return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
}

bool check_is_date_at(const char *p, uint32_t n)
{
    static const uint8_t days[] = { 0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    unsigned century, year, month, day;
    uint64_t v;

    if (n != 8 && n != 6)
        return false;
    memcpy(&v, p, 8);
    if (n == 6)
        v = v << 16 | 0x3030;
    if (!all_digits(v))
        return false;
    v &= EIGHT(0x0f);
    v = v * 10 + (v >> 8); /* each other byte is two digits' number */
    century = v & 0xff; /* of six digits 0: a leap year in the 400 years */
    year = v >> 16 & 0xff;
    month = v >> 32 & 0xff;
    day = v >> 48 & 0xff;
    if (month - 1 > 11 || day - 1 >= days[month])
        return false;
    return month != 2 || day < 29 || (year % 4 == 0 && (year != 0 || century % 4 == 0));
}

static inline bool is_time(const char *p, uint32_t n)
{
    if (n < 4 || n > 8 || n == 5 || !all_digits(load_digits(p, n)))
        return false;
    return two(p) < 24 && two(p + 2) < 60 && (n < 6 || two(p + 4) < 60);
}

bool check_has_short_dates(struct slice version)
{
    return version.n >= 5 && slice_cmp(version, SLICE("004010")) < 0 && !slice_starts(SLICE("004010"), version);
}

bool check_is_date(struct slice s)
{
    char room[16] = { 0 };
    if (s.n > 8)
        return false;
    memcpy(room, s.p ? s.p : "", s.n);
    return check_is_date_at(room, (uint32_t)s.n);
}

static inline const struct codes *codes_of(const struct checker *c, const struct element_use *use)
{
    const struct codes *codes = __atomic_load_n(&use->codes, __ATOMIC_ACQUIRE);
    return codes ? codes : guide_codes(c->guide, (struct element_use *)use);
}

/* A list that could not be built for want of memory. */
static void no_codes(struct checker *c)
{
    if (!c->stopped)
        c->stopped = ERR_NOMEM;
}

static void slow_elements(struct checker *c, const struct segment *s, const struct segment_def *def, uint64_t present);
static inline bool notes_hold(const struct note *note, unsigned n, uint64_t present)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t there = present & note[i].mask;
        if (!(present & note[i].when)) {
            if (note[i].kind == 'R')
                return false;
            continue;
        }
        switch (note[i].kind) {
        case 'P':
        case 'C':
            if (there != note[i].mask)
                return false;
            break;
        case 'E':
            if (there & (there - 1))
                return false;
            break;
        case 'L':
            if (!(present & note[i].others))
                return false;
            break;
        default: /* R */
            break;
        }
    }
    return true;
}

/* A code that is not in the list, or that was not looked for before. */
static bool is_code(struct checker *c, const struct element_use *use, const char *p, uint32_t size)
{
    int r = guide_has_code(c->guide, (struct element_use *)use, slice(p, size));
    if (r < 0)
        no_codes(c);
    return r != 0;
}

/* Is a value right, as far as can be seen fast? */
static inline __attribute__((always_inline)) bool is_right(struct checker *c, const struct element_use *use,
                                                           const char *p, uint32_t size)
{
    const struct codes *codes;
    if (size - use->min > use->range)
        return false;
    if (use->quick == TYPE_AN)
        return true;
    if (use->quick == TYPE_ID) {
        codes = __atomic_load_n(&use->list, __ATOMIC_ACQUIRE);
        return (size <= 8 && codes_has(codes, load(p, size))) || is_code(c, use, p, size);
    }
    switch (use->quick) {
    case TYPE_N:
        return is_integer(p, size);
    case TYPE_R:
        return is_decimal(c, p, size);
    case TYPE_DT:
        return check_is_date_at(p, size) && !(c->no_long_dates && size > 6);
    case TYPE_TM:
        return is_time(p, size);
    case TYPE_A:
        return has_no_digit(slice(p, size));
    default: /* TYPE_B; of a composite its components are looked at one by one */
        return use->quick == TYPE_B;
    }
}

/* The form that a code names, as the list has it: CCYYMMDDHHMM. Empty: it names none that is made of digits. */
static __attribute__((noinline)) struct slice look_up_form(struct checker *c, const struct element_use *use,
                                                           struct slice code)
{
    const struct codes *codes = codes_of(c, use);
    struct slice form = slice(NULL, 0);
    if (!codes)
        no_codes(c);
    else if (code.n <= 8)
        form = codes_name(codes, code);
    for (size_t i = 0; i < form.n; i++)
        if (!strchr("CYMDHSWZQ-", form.p[i]))
            form.n = 0;
    c->form[c->next_form].element = use->element;
    c->form[c->next_form].code = code.n <= 8 ? slice_key(code) : 0;
    c->form[c->next_form].form = form;
    c->next_form = (c->next_form + 1) % FORMS_KNOWN;
    return form;
}

static struct slice form_of(struct checker *c, const struct element *e, struct slice code)
{
    const struct element_use *use = &e->part[e->form_part - 1];
    const uint64_t key = code.n <= 8 ? slice_key(code) : 0;
    for (unsigned i = 0; i < FORMS_KNOWN; i++)
        if (c->form[i].element == use->element && c->form[i].code == key)
            return c->form[i].form;
    return look_up_form(c, use, code);
}

/* Does a value have the form that a code names? The hyphen between two dates may be left out. */
static bool has_form(struct slice v, struct slice form)
{
    size_t i = 0, k = 0;
    if (v.n >= 8 && form.n >= 8 && memcmp(form.p, "CCYYMMDD", 8) == 0) { /* nearly all */
        if (!check_is_date(slice(v.p, 8)))
            return false;
        i = k = 8;
    }
    for (; k < form.n; k++) {
        const struct slice rest = slice_from(form, k);
        if (form.p[k] == '-') {
            i += i < v.n && v.p[i] == '-';
            continue;
        }
        if (i == v.n || (form.p[k] != 'Z' && !is_digit(v.p[i])))
            return false;
        if ((slice_starts(rest, SLICE("CCYYMMDD")) && !(v.n - i >= 8 && check_is_date(slice(v.p + i, 8)))) ||
            (slice_starts(rest, SLICE("YYMMDD")) && (k == 0 || form.p[k - 1] != 'C') &&
             !(v.n - i >= 6 && check_is_date(slice(v.p + i, 6)))))
            return false;
        if (slice_starts(rest, SLICE("HHMM")) && (k == 0 || form.p[k - 1] != 'H') &&
            !(v.n - i >= 4 && memcmp(v.p + i, "24", 2) <= 0 && v.p[i + 2] <= '5'))
            return false;
        i++;
    }
    return i == v.n;
}

static __attribute__((noinline)) bool is_formed(struct checker *c, const struct element *e, const char *base,
                                                const uint32_t *at)
{
    const unsigned k = e->form_part - 1u;
    const struct slice v = slice(base + at[k - 1] + 1, at[k] - at[k - 1] - 1);
    const struct slice code = slice(base + at[k] + 1, at[k + 1] - at[k] - 1);
    const struct slice form = v.n && code.n ? form_of(c, e, code) : slice(NULL, 0);
    return form.n == 0 || has_form(v, form);
}

/* Is a composite right? at: what its components begin behind, and in the end what is behind the last. */
static inline bool is_right_composite(struct checker *c, const struct element *e, const char *base, const uint32_t *at,
                                      unsigned n)
{
    const struct element_use *part = e->part;
    uint64_t present = 0, bit = 1;
    if (n > e->n_parts || n > 64)
        return false;
    for (unsigned k = 0; k < n; k++, part++, bit <<= 1) {
        const uint32_t size = at[k + 1] - at[k] - 1;
        if (size == 0)
            continue;
        if (!is_right(c, part, base + at[k] + 1, size))
            return false;
        present |= bit;
    }
    if (e->form_part && n >= e->form_part && !is_formed(c, e, base, at))
        return false;
    return (!c->comma || n == 1 || present & bit >> 1) && (present & e->mandatory) == e->mandatory &&
           notes_hold(e->note, e->n_notes, present);
}

/* The characters of a segment that has SEGMENT_ESCAPE: is there nothing to say of them? *high_r: some take several
 * bytes. */
static __attribute__((noinline)) bool has_right_characters(const struct segment *s, bool *high_r)
{
    struct slice rest = segment_bytes(s);
    *high_r = false;
    while (rest.n) {
        const unsigned char byte = (unsigned char)rest.p[0];
        unsigned n = 1;
        if (byte < 0x20 || byte == 0x7f)
            return false;
        if (byte >= 0x80 && !(s->flags & SEGMENT_REWRITTEN && byte >= REWRITTEN_REPETITION)) {
            n = utf8_length(rest);
            if (!n)
                return false;
            *high_r = true;
        }
        rest = slice_from(rest, n);
    }
    return true;
}

/* Are there texts that must have more than one character? Then their bytes say nothing, where some take several. */
static bool counts_characters(const struct segment_def *def, uint64_t present)
{
    for (; present; present &= present - 1) {
        const struct element_use *use = &def->use[__builtin_ctzll(present)];
        const struct element *e = use->element;
        if (e->type != TYPE_COMPOSITE && use->min > 1)
            return true;
        for (unsigned k = 0; e->type == TYPE_COMPOSITE && k < e->n_parts; k++)
            if (e->part[k].min > 1 && (e->part[k].quick == TYPE_AN || e->part[k].quick == TYPE_A))
                return true;
    }
    return false;
}

/* The elements of a segment in which there are components or repetitions. */
static __attribute__((noinline)) uint64_t check_parts(struct checker *c, const struct segment *s,
                                                      const struct segment_def *def)
{
    const uint32_t *const part = s->part, *const rank = s->rank, *const at = s->at;
    const struct element_use *use = def->use;
    unsigned n = s->n < def->n ? s->n : def->n;
    uint64_t present = 0;
    bool wrong = !part | (s->n > def->n) | (s->n && at[s->n] - at[s->n - 1] == 1), high = false;

    if (UNLIKELY(s->flags & SEGMENT_ESCAPE))
        wrong |= !has_right_characters(s, &high);
    if (n > 64)
        n = 64;
    for (unsigned k = 0; k < n; k++, use++) {
        const uint32_t size = at[k + 1] - at[k] - 1;
        if (size == 0)
            continue;
        present |= 1ull << k;
        if (UNLIKELY(wrong))
            continue;
        const uint32_t components = rank[k + 1] - rank[k];
        if (components == 1 ? use->quick != TYPE_COMPOSITE : use->quick == TYPE_B)
            wrong = !is_right(c, use, s->base + at[k] + 1, size);
        else
            wrong = use->element->type != TYPE_COMPOSITE ||
                    !is_right_composite(c, use->element, s->base, part + rank[k], components);
    }
    if (UNLIKELY(high))
        wrong |= counts_characters(def, present & (def->n < 64 ? (1ull << def->n) - 1 : UINT64_MAX));
    wrong |= (present & def->mandatory) != def->mandatory || (present & def->not_used) ||
             ((present ^ present >> 1) & def->pairs) || !notes_hold(def->note, def->n_single, present);
    if (UNLIKELY(wrong)) {
        for (unsigned k = def->n; k < s->n && k < 64; k++)
            present |= (uint64_t)(at[k + 1] - at[k] > 1) << k;
        if (!c->structure_only)
            slow_elements(c, s, def, present);
    }
    return present;
}

static __attribute__((noinline)) uint64_t find_and_check_parts(struct checker *c, const struct segment *s,
                                                               const struct segment_def *def)
{
    struct segment with_parts = *s;
    struct segment_parts parts;
    segment_find_parts(&with_parts, c->syntax, &parts);
    return check_parts(c, &with_parts, def);
}

/* Those of a segment in which there are none. */
static __attribute__((noinline)) uint64_t check_plain(struct checker *c, const struct segment *s,
                                                      const struct segment_def *def)
{
    const char *base = s->base;
    const uint32_t *at = s->at;
    const struct element_use *use = def->use;
    unsigned n = s->n;
    uint64_t present = 0, bit = 1;
    uint32_t start = at[0] + 1;
    bool wrong = false;

    if (UNLIKELY(s->flags & SEGMENT_ESCAPE)) {
        bool high;
        wrong = !has_right_characters(s, &high) | high;
    }
    wrong |= (n > def->n) | (n && at[n] - at[n - 1] == 1);
    if (n > def->n)
        n = def->n;
    if (n > 64)
        n = 64;
    for (const uint32_t *end = at + 1 + n; ++at < end; use++, bit <<= 1) {
        const char *p = base + start;
        uint32_t size = *at - start;
        start = *at + 1;
        if (size == 0)
            continue;
        present |= bit;
        wrong |= size - use->min > use->range;
        if (use->quick == TYPE_AN)
            continue;
        if (use->quick == TYPE_ID) {
            const struct codes *codes = __atomic_load_n(&use->list, __ATOMIC_ACQUIRE);
            if (UNLIKELY(size > 8 || !codes_has(codes, load(p, size))))
                wrong |= !is_code(c, use, p, size);
            continue;
        }
        switch (use->quick) {
        case TYPE_N:
            wrong |= !is_integer(p, size);
            break;
        case TYPE_R:
            wrong |= !is_decimal(c, p, size);
            break;
        case TYPE_DT:
            wrong |= !check_is_date_at(p, size) || (c->no_long_dates && size > 6);
            break;
        case TYPE_TM:
            wrong |= !is_time(p, size);
            break;
        case TYPE_A:
            wrong |= !has_no_digit(slice(p, size));
            break;
        case TYPE_COMPOSITE:
            wrong = true;
            break;
        default: /* TYPE_B */
            break;
        }
    }
    wrong |= (present & def->mandatory) != def->mandatory || (present & def->not_used) ||
             ((present ^ present >> 1) & def->pairs) || !notes_hold(def->note, def->n_single, present);
    if (UNLIKELY(wrong)) {
        for (unsigned k = def->n; k < s->n && k < 64; k++) /* what is past the definition is there all the same */
            present |= (uint64_t)(s->at[k + 1] - s->at[k] > 1) << k;
        if (!c->structure_only)
            slow_elements(c, s, def, present);
    }
    return present;
}

uint64_t check_elements(struct checker *c, const struct segment *s, const struct segment_def *def)
{
    if (!(s->flags & SEGMENT_PARTS))
        return check_plain(c, s, def);
    return s->part ? check_parts(c, s, def) : find_and_check_parts(c, s, def);
}

/* Counts what a partner's guide says of segments with certain qualifiers. Returns the variant that says all of this
 * one; NULL: none speaks of it. */
static const struct guide_variant *variant_of(struct checker *c, const struct segment *s, const struct guide_node *node)
{
    const struct guide *g = c->guide;
    const struct guide_variant *fits = NULL, *v;
    uint64_t there = c->open;
    unsigned n;

    for (unsigned i = 0; i < node->n_qualifiers; i++) {
        const struct guide_qualifier *q = &g->qualifier[node->qualifier + i];
        if (slice_eq(segment_part(s, c->syntax, q->element, q->part ? q->part : 1), q->code))
            there |= 1ull << q->bit;
    }
    if (node->trigger)
        c->open = there;
    for (v = guide_variants(g, node, &n); n; v++, n--) {
        if (v->needs & ~there)
            continue;
        fits = v;
        if (!v->counts)
            continue;
        if (!(c->seen >> v->bit & 1))
            c->times[v->bit] = 0;
        c->seen |= 1ull << v->bit;
        if (++c->times[v->bit] == (uint64_t)v->max + 1 && !overruled(c, v))
            say_over_variant(c, s, node, v);
    }
    return fits;
}

uint64_t check_segment(struct checker *c, const struct segment *s, const struct guide_node *node)
{
    const struct segment_def *def = node->def;
    if (UNLIKELY(node->has_variants)) {
        const struct guide_variant *fits = variant_of(c, s, node), *v = fits;
        if (v) {
            def = v->def;
            if (v->requirement == REQ_NOT_USED) {
                /* the one that says so first */
                while (v > c->guide->variant && v[-1].node == v->node)
                    v--;
                while (v->requirement != REQ_NOT_USED || v->needs & ~fits->needs)
                    v++;
                say_not_used(c, s, node, v);
            }
        }
    }
    return check_elements(c, s, def);
}

/* ---- elements, the slow half: says what is wrong ---- */

static const char *type_name(const struct element *e, char *room)
{
    static const char *const names[] = { "AN", "ID", "N", "R", "DT", "TM", "B", "A", "composite" };
    if (e->type != TYPE_N)
        return names[e->type];
    room[0] = 'N';
    room[1] = (char)('0' + e->decimals);
    room[2] = 0;
    return room;
}

/* "R 1/15", or as EDIFACT writes it, "n..15". */
static void expect(const struct checker *c, struct remark *r, const struct element_use *use)
{
    char room[4];
    if (c->guide->words->notation) {
        const char *type = use->element->type == TYPE_R ? "n" : use->element->type == TYPE_A ? "a" : "an";
        snprintf(r->expected, sizeof(r->expected), "%s%s%u", type, use->min == use->max ? "" : "..", use->max);
        return;
    }
    snprintf(r->expected, sizeof(r->expected), "%s %u/%u", type_name(use->element, room), use->min, use->max);
}

static bool length_is_right(struct checker *c, const struct segment *s, struct remark *r, const struct element_use *use)
{
    uint32_t n = (uint32_t)utf8_characters(r->value), min = use->min, max = use->max;
    bool century = use->element->type == TYPE_DT && c->no_long_dates && n == 8;
    if (use->element->type == TYPE_N || use->element->type == TYPE_R) { /* sign and mark do not count; nor does an exponent */
        n = 0;
        for (size_t i = 0; i < r->value.n && r->value.p[i] != 'E'; i++)
            n += is_digit(r->value.p[i]);
    }
    if (use->element->type == TYPE_DT && c->short_dates && (c->no_long_dates || n == 6))
        min = max = 6;
    if (n >= min && n <= max)
        return true;
    r->code = n < min ? FINDING_ELEMENT_SHORT : century ? FINDING_ELEMENT_CENTURY : FINDING_ELEMENT_LONG;
    snprintf(r->found, sizeof(r->found), "has %u character%s", n, n == 1 ? "" : "s");
    if (min == max)
        snprintf(r->expected, sizeof(r->expected), "exactly %u", min);
    else if (n < min)
        snprintf(r->expected, sizeof(r->expected), "at least %u", min);
    else
        snprintf(r->expected, sizeof(r->expected), "at most %u", max);
    say(c, s, r);
    return false;
}

static void check_characters(struct checker *c, const struct segment *s, struct remark *r)
{
    struct slice rest = r->value;
    while (rest.n) {
        unsigned n = utf8_length(rest);
        unsigned char byte = (unsigned char)rest.p[0];
        if (byte == '\n' || byte == '\r') {
            r->code = FINDING_FILE_LINE_BREAK;
            snprintf(r->found, sizeof(r->found), "holds a line break");
            snprintf(r->expected, sizeof(r->expected), "text without line breaks; is a segment terminator missing?");
            say(c, s, r);
            return;
        }
        if (s->flags & SEGMENT_REWRITTEN && byte >= REWRITTEN_REPETITION) { /* a separator, which is told elsewhere */
            rest = slice_from(rest, 1);
            continue;
        }
        if (byte < 0x20 || byte == 0x7f || n == 0) {
            r->code = FINDING_ELEMENT_CHARSET;
            snprintf(r->found, sizeof(r->found), "holds the byte %02X", byte);
            snprintf(r->expected, sizeof(r->expected), "%s",
                     n ? "printable characters" :
                     c->syntax->release ? "text in the character set that UNB01 names; it is read as Latin-1" :
                     "UTF-8; it is read as Latin-1");
            say(c, s, r);
            return;
        }
        rest = slice_from(rest, n);
    }
}

/* A comma where the interchange says point, or the other way round. */
static void say_other_mark(struct checker *c, const struct segment *s, struct remark *r)
{
    const char other = c->mark == '.' ? ',' : '.';
    if (!memchr(r->value.p, other, r->value.n))
        return;
    r->code = FINDING_DECIMAL_MARK;
    snprintf(r->found, sizeof(r->found), "has a decimal %s", other == '.' ? "point" : "comma");
    snprintf(r->expected, sizeof(r->expected), "a %s, as the interchange says", other == '.' ? "comma" : "point");
    say(c, s, r);
}

/* Is a code from another list than the directory's? Then what is beside it says from which, or whose: 1131, 3055. */
static bool is_foreign(const struct element_use *use, struct slice composite, char separator)
{
    const struct slice list = use->list_part ? value_part(composite, separator, use->list_part) : slice(NULL, 0);
    const struct slice agency =
        use->agency_part ? value_part(composite, separator, use->agency_part) : slice(NULL, 0);

    return list.n || (agency.n && !slice_is(agency, "6"));
}

/* `composite` is what the value is a component of; empty: of nothing. */
static void check_value(struct checker *c, const struct segment *s, struct remark *r, const struct element_use *use,
                        struct slice composite, char separator)
{
    const char *p = r->value.p;
    char copy[64] = { 0 };
    uint32_t n = (uint32_t)r->value.n;
    bool right = true;
    const char *what = "";
    struct slice later = slice(NULL, 0);

    r->about = use->element;
    /* the functions above look at whole words behind the value: a component has its neighbours there */
    if (n <= 48) {
        memcpy(copy, p, n);
        p = copy;
    } else if (use->element->type != TYPE_AN && use->element->type != TYPE_B && use->element->type != TYPE_A &&
               use->element->type != TYPE_COMPOSITE) {
        right = false;
    }
    switch (use->element->type) {
    case TYPE_ID:
        if (length_is_right(c, s, r, use) && use->needs_codes && right) {
            const struct codes *codes = codes_of(c, use);
            if (!codes)
                no_codes(c);
            else if (!use->element->open && (n > 8 || !codes_has(codes, load(p, n))) &&
                     !is_foreign(use, composite, separator)) {
                r->code = FINDING_ELEMENT_CODE;
                snprintf(r->found, sizeof(r->found), "is not in the code list");
                snprintf(r->expected, sizeof(r->expected), "one of the %u codes of element %.*s", codes->n,
                         SLICE_FMT(use->element->id));
                if (codes->n <= 12) {
                    size_t at = 0;
                    at += (size_t)snprintf(r->expected, sizeof(r->expected), "one of");
                    for (uint32_t i = 0; i < codes->n && at + 10 < sizeof(r->expected); i++)
                        at += (size_t)snprintf(r->expected + at, sizeof(r->expected) - at, " %.*s",
                                               SLICE_FMT(codes->line[i].code));
                }
                /* lists only grow, and those of an older directory are used with codes of a later one */
                if (!c->strict_codes && codes == use->element->codes &&
                    !guide_later_code(c->guide, use->element, slice(p, n), &later))
                    no_codes(c);
                if (!later.n || c->later.n) {
                    say(c, s, r);
                } else if (!was_told(c, s, r)) {
                    r->code = FINDING_VERSION_LATER;
                    snprintf(r->expected, sizeof(r->expected), "a code of element %.*s in %.*s; %.*s has it",
                             SLICE_FMT(use->element->id), SLICE_FMT(c->guide->version), SLICE_FMT(later));
                    hand_over(c, s, r);
                }
            }
        }
        return;
    case TYPE_A:
        right = has_no_digit(r->value);
        what = "letters";
        break;
    case TYPE_N:
        right = right && is_integer(p, n);
        what = "a whole number";
        break;
    case TYPE_R:
        right = right && slow_decimal(c, p, n, c->comma);
        what = "a number";
        if (right && c->comma)
            say_other_mark(c, s, r);
        break;
    case TYPE_DT:
        r->code = FINDING_ELEMENT_DATE;
        right = right && check_is_date_at(p, n);
        what = use->max >= 8 && !c->no_long_dates ? "a date, CCYYMMDD" : "a date, YYMMDD";
        break;
    case TYPE_TM:
        r->code = FINDING_ELEMENT_TIME;
        right = right && is_time(p, n);
        what = "a time, HHMM, HHMMSS or with decimals of a second";
        break;
    case TYPE_COMPOSITE:
        return;
    default:
        length_is_right(c, s, r, use);
        return;
    }
    if (right) {
        length_is_right(c, s, r, use);
        return;
    }
    if (use->element->type == TYPE_N || use->element->type == TYPE_R || use->element->type == TYPE_A)
        r->code = FINDING_ELEMENT_CHARACTER;
    snprintf(r->found, sizeof(r->found), "is not %.*s", (int)strcspn(what, ","), what);
    if (use->element->type == TYPE_DT || use->element->type == TYPE_TM)
        snprintf(r->expected, sizeof(r->expected), "%s", what);
    else
        expect(c, r, use);
    say(c, s, r);
}

/* A date that says by its length what it is, where a date with or without a time is to be. */
static bool is_other_date(struct slice v, struct slice form)
{
    const struct slice longest = SLICE("CCYYMMDDHHMMSS");
    return slice_starts(longest, form) && (form.n == 8 || form.n == 12 || form.n == 14) &&
           (v.n == 8 || v.n == 12 || v.n == 14) && has_form(v, slice(longest.p, v.n));
}

/* A date against the form that the component behind it names. */
static void check_form(struct checker *c, const struct segment *s, struct remark *r, const struct element *e,
                       struct slice value, char separator)
{
    const struct slice v = value_part(value, separator, e->form_part - 1u),
                       code = value_part(value, separator, e->form_part);
    const struct slice form = v.n && code.n ? form_of(c, e, code) : slice(NULL, 0);
    if (!form.n || has_form(v, form))
        return;
    r->code = is_other_date(v, form) ? FINDING_ELEMENT_DATE_FORM : FINDING_ELEMENT_DATE;
    r->component = e->form_part - 1u;
    r->value = v;
    r->about = e->part[e->form_part - 2].element;
    snprintf(r->found, sizeof(r->found),
             r->code == FINDING_ELEMENT_DATE_FORM ? "is read as the date it is, but has not form %.*s"
                                                  : "is no date of form %.*s",
             SLICE_FMT(code));
    snprintf(r->expected, sizeof(r->expected), "%.*s", SLICE_FMT(form));
    say(c, s, r);
}

static void check_composite(struct checker *c, const struct segment *s, struct remark *r, const struct element *e,
                            struct slice value)
{
    uint64_t present = 0;
    const char separator = segment_component_separator(s->flags, c->syntax);
    struct slice rest = value;
    unsigned k = 0;
    bool more = true;
    while (more) {
        struct slice part = separator ? slice_cut(rest, separator, &rest, &more) : rest;
        if (!separator)
            more = false;
        k++;
        r->component = k;
        r->value = part;
        if (k > e->n_parts) {
            if (part.n) {
                r->code = FINDING_ELEMENT_COMPONENTS;
                r->about = e;
                snprintf(r->found, sizeof(r->found), "there is a component %u", k);
                snprintf(r->expected, sizeof(r->expected), "at most %u components", e->n_parts);
                say(c, s, r);
                break;
            }
            continue;
        }
        if (part.n && k <= 64) {
            present |= 1ull << (k - 1);
            if (s->flags & SEGMENT_ESCAPE) {
                r->about = e->part[k - 1].element;
                check_characters(c, s, r);
            }
            check_value(c, s, r, &e->part[k - 1], separator ? value : slice(NULL, 0), separator);
        }
    }
    if (e->form_part && separator)
        check_form(c, s, r, e, value, separator);
    if (c->comma && k > 1 && value.p[value.n - 1] == separator) {
        r->code = FINDING_ELEMENT_TRAILING;
        r->about = e;
        snprintf(r->found, sizeof(r->found), "the last component is empty");
        snprintf(r->expected, sizeof(r->expected), "nothing behind the last component that holds something");
        say(c, s, r);
    }
    for (k = 1; k <= e->n_parts && k <= 64; k++)
        if (e->part[k - 1].requirement == REQ_MANDATORY && !(present >> (k - 1) & 1)) {
            r->code = FINDING_ELEMENT_MISSING;
            r->component = k;
            r->about = e->part[k - 1].element;
            r->value = slice(NULL, 0);
            r->missing = true;
            snprintf(r->found, sizeof(r->found), "missing");
            expect(c, r, &e->part[k - 1]);
            say(c, s, r);
            r->missing = false;
        }
    if (!notes_hold(e->note, e->n_notes, present))
        for (unsigned i = 0; i < e->n_notes; i++)
            if (!notes_hold(&e->note[i], 1, present)) {
                r->code = e->note[i].kind == 'E' ? FINDING_ELEMENT_EXCLUSION : FINDING_ELEMENT_CONDITION;
                r->component = e->note[i].first;
                r->about = e;
                snprintf(r->found, sizeof(r->found), "the components do not agree");
                snprintf(r->expected, sizeof(r->expected), "relational note %.*s", SLICE_FMT(e->note[i].text));
                say(c, s, r);
            }
    r->component = 0;
}

/* What separates, where there is nothing to separate, is text in the segment's copy from now on. */
static void take_as_text(const struct checker *c, const struct segment *s, struct slice value)
{
    if (s->flags & SEGMENT_REWRITTEN)
        for (char *p = (char *)value.p; p < value.p + value.n; p++) {
            if ((unsigned char)*p == REWRITTEN_COMPONENT)
                *p = c->syntax->component;
            else if ((unsigned char)*p == REWRITTEN_REPETITION)
                *p = c->syntax->repetition;
        }
}

static void check_one(struct checker *c, const struct segment *s, const struct element_use *use, unsigned k,
                      struct slice value)
{
    const char separator = segment_repetition_separator(s->flags, c->syntax);
    const char component = segment_component_separator(s->flags, c->syntax);
    struct slice rest = value;
    unsigned repetition = 0;
    bool more = true;
    while (more) {
        struct remark r = { .element = k, .about = use->element };
        struct slice part = rest;
        more = false;
        if (separator && (s->flags & SEGMENT_PARTS))
            part = slice_cut(rest, separator, &rest, &more);
        repetition++;
        r.repetition = more || repetition > 1 ? repetition : 0;
        r.value = part;
        if (repetition > use->repeat) {
            r.code = FINDING_ELEMENT_REPEATS;
            snprintf(r.found, sizeof(r.found), "repeats");
            snprintf(r.expected, sizeof(r.expected), "at most %u time%s", use->repeat, use->repeat == 1 ? "" : "s");
            say(c, s, &r);
            return;
        }
        if (part.n == 0)
            continue;
        if (s->flags & SEGMENT_ESCAPE && use->element->type != TYPE_B && use->element->type != TYPE_COMPOSITE)
            check_characters(c, s, &r);
        r.value = part;
        if (use->element->type == TYPE_COMPOSITE) {
            check_composite(c, s, &r, use->element, part);
        } else if (component && use->element->type != TYPE_B && memchr(part.p, component, part.n)) {
            r.code = FINDING_ELEMENT_COMPONENTS;
            take_as_text(c, s, part);
            snprintf(r.found, sizeof(r.found), "holds the component separator");
            snprintf(r.expected, sizeof(r.expected), "an element without components");
            say(c, s, &r);
        } else {
            check_value(c, s, &r, use, slice(NULL, 0), 0);
        }
    }
}

/* "PO106, PO107" */
static void name_elements(char *room, size_t size, struct slice tag, uint64_t mask)
{
    size_t n = 0;
    room[0] = 0;
    for (unsigned k = 1; mask && n + 12 < size; k++, mask >>= 1)
        if (mask & 1)
            n += (size_t)snprintf(room + n, size - n, "%s%.*s%02u", n ? ", " : "", SLICE_FMT(tag), k);
}

static void check_note(struct checker *c, const struct segment *s, const struct segment_def *def,
                       const struct note *note, uint64_t present)
{
    uint64_t wanted = note->kind == 'C' || note->kind == 'L' ? note->others : note->mask;
    uint64_t lacking = wanted & ~present;
    struct remark r = { .code = FINDING_ELEMENT_CONDITION };
    char names[120];
    name_elements(names, sizeof(names), def->tag, note->kind == 'C' || note->kind == 'L' ? note->others : note->mask);
    if (note->kind == 'E') {
        uint64_t there = present & note->mask;
        there &= there - 1; /* the first may stay */
        r.code = FINDING_ELEMENT_EXCLUSION;
        r.element = (unsigned)__builtin_ctzll(there) + 1;
        r.value = segment_element(s, r.element);
        snprintf(r.found, sizeof(r.found), "is there, and so is another");
        snprintf(r.expected, sizeof(r.expected), "only one of %s: note %.*s", names, SLICE_FMT(note->text));
    } else {
        r.element = lacking ? (unsigned)__builtin_ctzll(lacking) + 1 : note->first;
        r.missing = true;
        snprintf(r.found, sizeof(r.found), "missing");
        if (note->kind == 'P')
            snprintf(r.expected, sizeof(r.expected), "all or none of %s: note %.*s", names, SLICE_FMT(note->text));
        else if (note->kind == 'R')
            snprintf(r.expected, sizeof(r.expected), "at least one of %s: note %.*s", names, SLICE_FMT(note->text));
        else
            snprintf(r.expected, sizeof(r.expected), "%.*s%02u needs %s%s: note %.*s", SLICE_FMT(def->tag), note->first,
                     note->kind == 'L' ? "one of " : "", names, SLICE_FMT(note->text));
    }
    if (r.element <= def->n)
        r.about = def->use[r.element - 1].element;
    say(c, s, &r);
}

static void slow_elements(struct checker *c, const struct segment *s, const struct segment_def *def, uint64_t present)
{
    for (unsigned k = 1; k <= def->n && k <= 64; k++) {
        const struct element_use *use = &def->use[k - 1];
        struct remark r = { .element = k, .about = use->element };
        if (present >> (k - 1) & 1) {
            r.value = segment_element(s, k);
            if (use->requirement == REQ_NOT_USED) {
                r.code = FINDING_ELEMENT_NOT_USED;
                snprintf(r.found, sizeof(r.found), "%.*s does not use it", SLICE_FMT(whose(c)));
                say(c, s, &r);
                continue;
            }
            check_one(c, s, use, k, r.value);
        } else if (use->requirement == REQ_MANDATORY) {
            r.code = FINDING_ELEMENT_MISSING;
            r.missing = true;
            snprintf(r.found, sizeof(r.found), "missing");
            if (use->element->type != TYPE_COMPOSITE)
                expect(c, &r, use);
            say(c, s, &r);
        }
    }
    for (unsigned i = 0; i < def->n_notes; i++)
        if (!notes_hold(&def->note[i], 1, present))
            check_note(c, s, def, &def->note[i], present);
    if (s->n > def->n && def->n < 64 && present >> def->n) {
        struct remark r = { .code = FINDING_ELEMENT_TOO_MANY, .element = def->n + 1 };
        r.value = segment_element(s, r.element);
        snprintf(r.found, sizeof(r.found), "is past the last element");
        snprintf(r.expected, sizeof(r.expected), "at most %u", def->n);
        say(c, s, &r);
    } else if (s->n && s->at[s->n] - s->at[s->n - 1] == 1) {
        struct remark r = { .code = FINDING_ELEMENT_TRAILING, .element = s->n };
        snprintf(r.found, sizeof(r.found), "the last element is empty");
        snprintf(r.expected, sizeof(r.expected), "nothing behind the last element that holds something");
        say(c, s, &r);
    }
}
