/*
 * reader_findings: where in the file something stands, and findings as they go to the sink.
 *
 * Every finding of the reader and of its checkers passes reader_hand_over(): it gets its severity, its place and what
 * surrounds it, and is counted where it belongs. Nothing here is done for a right segment. Places are counted from the
 * one that was told last. Nothing is allocated or kept; slices of a finding borrow from the reader's buffer.
 */
#include "edi/reader_inside.h"

#include <stdio.h>

/* ---- places ---- */

uint64_t reader_count_lines(const char *p, size_t n)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7full, one = 0x0101010101010101ull;
    uint64_t lines = 0;
    while (n >= 8) {
        /* a counter in each byte, added up before one can overflow */
        uint64_t counts = 0;
        size_t words = n / 8 < 255 ? n / 8 : 255;
        for (size_t i = 0; i < words; i++, p += 8) {
            uint64_t v;
            memcpy(&v, p, 8);
            v ^= '\n' * one;
            counts += ~(((v & low) + low) | v | low) >> 7 & one;
        }
        n -= words * 8;
        lines +=
            ((counts & 0x00ff00ff00ff00ffull) + (counts >> 8 & 0x00ff00ff00ff00ffull)) * 0x0001000100010001ull >> 48;
    }
    for (; n; p++, n--)
        lines += *p == '\n';
    return lines;
}

void reader_place(struct edi_reader *r, const struct segment *s, struct edi_place *place)
{
    size_t at, from = 0;
    uint64_t line_start = r->line_start, line = r->base_line;
    const char *last;
    if (s && s->flags & SEGMENT_REWRITTEN)
        s = r->copy.of;
    at = s ? (size_t)(s->base + s->start - r->buf) : r->from;
    memset(place, 0, sizeof(*place));
    if (at > r->n)
        at = r->n;
    if (r->known.offset >= r->base_offset && r->known.offset <= r->base_offset + at) {
        from = (size_t)(r->known.offset - r->base_offset);
        line = r->known.line;
        line_start = r->known.line_start;
    }
    last = memrchr(r->buf + from, '\n', at - from);
    if (last) {
        line += reader_count_lines(r->buf + from, at - from);
        line_start = r->base_offset + (uint64_t)(last - r->buf) + 1;
    }
    place->offset = r->base_offset + at;
    place->line = line;
    r->known.offset = place->offset;
    r->known.line = line;
    r->known.line_start = line_start;
    place->column = place->offset - line_start + 1;
    place->interchange = r->level >= IN_INTERCHANGE ? r->in.interchange.ordinal : 0;
    place->group = r->level < IN_GROUP ? 0 : r->level == IN_DOCUMENT ? r->document.group->ordinal : r->in.group.ordinal;
    place->document = r->level == IN_DOCUMENT ? r->document.ordinal : 0;
    place->segment = r->level == IN_DOCUMENT ? r->document.segments : 0;
}

void edi_reader_place(struct edi_reader *r, struct edi_place *place_r)
{
    reader_place(r, NULL, place_r);
}

/* ---- findings ---- */

int reader_stop(struct edi_reader *r, int code)
{
    if (r->stopped == 0)
        r->stopped = code;
    return r->stopped;
}

static void count_finding(struct edi_reader *r, const struct finding *f, enum finding_level level)
{
    const struct finding_row *row = &finding_rows[f->code];
    bool error = f->severity == SEVERITY_ERROR;
    switch (level) {
    case LEVEL_FILE:
        break;
    case LEVEL_INTERCHANGE:
        r->in.interchange.errors += error;
        if (error && row->level == LEVEL_INTERCHANGE && strcmp(r->in.interchange.ta1, "000") == 0 &&
            finding_acknowledged(f->code, r->dialect))
            r->in.interchange.ta1 = finding_acknowledged(f->code, r->dialect);
        break;
    case LEVEL_GROUP:
        r->in.group.errors += error;
        break;
    default:
        if (error)
            r->document.errors++;
        else
            r->document.warnings++;
    }
}

int reader_hand_over(struct edi_reader *r, const struct segment *s, struct finding *f)
{
    enum finding_level level = finding_rows[f->code].level;
    int answer;
    f->severity = r->options.policy.severity[f->code];
    if (f->severity == SEVERITY_IGNORE || r->stopped)
        return r->stopped;
    struct edi_place place;
    reader_place(r, s, &place);
    place.element = f->place.element;
    place.component = f->place.component;
    place.repetition = f->place.repetition;
    f->place = place;
    if (r->level == IN_DOCUMENT && level >= LEVEL_DOCUMENT) {
        f->set = r->document.set;
        f->control = r->document.control;
    } else if (level == LEVEL_GROUP) {
        f->control = r->in.group.control;
    } else if (level == LEVEL_INTERCHANGE) {
        f->control = r->in.interchange.control;
    }
    if (s) {
        /* people are shown what stands in the file */
        const struct segment *of = s->flags & SEGMENT_REWRITTEN ? r->copy.of : s;
        struct slice value = reader_original(r, s, f->value);
        if (s->flags & SEGMENT_REWRITTEN && f->value.n &&
            (memchr(f->value.p, REWRITTEN_COMPONENT, f->value.n) ||
             memchr(f->value.p, REWRITTEN_REPETITION, f->value.n)))
            f->value = value;
        f->segment = segment_bytes(of);
        f->terminator = r->syntax.terminator;
        f->component = r->syntax.component;
        f->repetition = r->syntax.repetition;
        if (!f->tag.n && (!f->missing || f->place.element))
            f->tag = segment_tag(s);
        if (!f->loop.n && level == LEVEL_ELEMENT && r->level == IN_DOCUMENT && r->document.guide &&
            r->checker.at) {
            const struct guide_node *loop = &r->checker.guide->node[r->checker.at->parent];
            if (loop->ordinal)
                f->loop = loop->tag;
        }
        if (value.n && value.p >= f->segment.p && value.p < f->segment.p + f->segment.n) {
            f->at = (uint32_t)(value.p - f->segment.p);
            f->width = (uint32_t)value.n;
        } else if (f->place.element) {
            unsigned k = f->place.element;
            f->at = k <= of->n ? of->at[k - 1] + 1 - of->start : of->at[of->n] - of->start;
        }
    }
    f->answers = level >= LEVEL_GROUP && r->level >= IN_GROUP &&
                 ((r->level == IN_DOCUMENT && (r->document.bare || slice_is(r->document.set, "CONTRL"))) ||
                  (r->dialect == &dialect_x12 && slice_is(r->in.group.code, "FA")));
    f->dialect = r->dialect;
    f->syntax_4 = r->dialect == &dialect_edifact && slice_is(r->in.interchange.version, "4");
    if (!f->found)
        f->found = "";
    if (!f->expected)
        f->expected = "";
    count_finding(r, f, level);
    if (level == LEVEL_ELEMENT && f->severity == SEVERITY_ERROR && f->place.element - 1 < 64) {
        if (r->told_segment != r->document.segments)
            r->told = 0;
        r->told_segment = r->document.segments;
        r->told |= 1ull << (f->place.element - 1);
    }
    if (!r->sink.finding)
        return 0;
    answer = r->sink.finding(r->sink.ctx, f);
    return answer < 0 ? reader_stop(r, answer) : 0;
}

int reader_find(struct edi_reader *r, enum finding_code code, const struct segment *s, unsigned element,
                const char *found, const char *expected)
{
    struct finding f = { .code = code, .place.element = element, .found = found, .expected = expected };
    if (s && element)
        f.value = segment_element(s, element);
    return reader_hand_over(r, s, &f);
}

/* Was a segment told to be missing, and the document refused for it? That it stands elsewhere, or that a total does
 * not agree, is the same fault once more. tag 0: any segment. */
static bool was_missed(const struct edi_reader *r, uint64_t tag)
{
    for (unsigned i = 0; i < r->n_missed; i++)
        if (tag == 0 || r->missed[i] == tag)
            return r->options.policy.severity[FINDING_SEGMENT_MISSING] == SEVERITY_ERROR;
    return false;
}

int edi_reader_find(struct edi_reader *r, enum finding_code code, const struct segment *s, unsigned element,
                    unsigned component, const char *found, const char *expected)
{
    struct finding f = { .code = code, .place = { .element = element, .component = component }, .found = found,
                         .expected = expected };
    const struct guide_node *node = r->checker.at;
    /* what the checker said of the element is enough */
    if (code == FINDING_MAP_VALUE && element && element <= 64 && r->told_segment == r->document.segments &&
        r->told >> (element - 1) & 1)
        return r->stopped;
    if (code == FINDING_SEGMENT_COUNT && was_missed(r, 0))
        return r->stopped;
    if (s && element)
        f.value = segment_part(s, &r->syntax, element, component);
    if (s && node && node->def && element && element <= node->def->n && slice_eq(segment_tag(s), node->tag)) {
        const struct element *e = node->def->use[element - 1].element;
        if (component && component <= e->n_parts)
            e = e->part[component - 1].element;
        f.element_id = e->id;
        f.element_name = e->name;
    }
    return reader_hand_over(r, s, &f);
}

uint32_t edi_reader_occurrence(const struct edi_reader *r, const struct guide_node *node)
{
    return node->depth <= LIMIT_LOOP_DEPTH && r->checker.current[node->depth] == node->ordinal
               ? r->checker.count[node->depth]
               : 1;
}

/* ---- remarks of the checkers ---- */

static void from_remark(const struct remark *m, struct finding *f)
{
    f->place.element = m->element;
    f->place.component = m->component;
    f->place.repetition = m->repetition;
    f->tag = m->tag;
    f->loop = m->loop;
    f->value = m->value;
    f->found = m->found;
    f->expected = m->expected;
    f->missing = m->missing;
    if (m->about) {
        f->element_id = m->about->id;
        f->element_name = m->about->name;
    }
}

/* Is there too much in an element, or too much of it? */
static bool is_too_much(enum finding_code code)
{
    return code == FINDING_ELEMENT_LONG || code == FINDING_ELEMENT_COMPONENTS || code == FINDING_ELEMENT_TOO_MANY;
}

int reader_document_remark(void *ctx, const struct segment *s, const struct remark *m)
{
    struct edi_reader *r = ctx;
    struct finding f = { .code = m->code };
    if (r->service != SERVICE_NONE && is_too_much(m->code) == (r->service == SERVICE_BY_GUIDE))
        return r->stopped;
    if (m->code == FINDING_SEGMENT_MISSING && r->n_missed < SEGMENTS_MISSED)
        r->missed[r->n_missed++] = slice_key(m->tag);
    if (m->code == FINDING_SEGMENT_SEQUENCE && was_missed(r, slice_key(segment_tag(s))))
        return r->stopped;
    from_remark(m, &f);
    return reader_hand_over(r, s, &f);
}

int reader_envelope_remark(void *ctx, const struct segment *s, const struct remark *m)
{
    struct edi_reader *r = ctx;
    struct finding f = { .code = r->outside_code };
    bool length = m->code == FINDING_ELEMENT_SHORT || m->code == FINDING_ELEMENT_LONG ||
                  m->code == FINDING_ELEMENT_MISSING || m->code == FINDING_ELEMENT_TRAILING;
    if (r->isa_irregular && length && slice_is(segment_tag(s), "ISA"))
        return 0; /* told once, for the whole segment */
    if (m->code == FINDING_ELEMENT_CHARSET && (m->element == 16 || m->element == 11) && slice_is(segment_tag(s), "ISA"))
        return 0; /* separators may be control characters */
    if (m->element == 11 && m->code == FINDING_ELEMENT_CODE && r->syntax.repetition)
        return 0; /* 00402 to 00406: I65 already, in a list of I10 */
    if (m->code == FINDING_ELEMENT_TRAILING || m->code == FINDING_FILE_LINE_BREAK || m->code == FINDING_ELEMENT_CHARSET)
        f.code = m->code;
    else if (r->dialect == &dialect_edifact)
        f.contrl = finding_rows[m->code].contrl;
    from_remark(m, &f);
    return reader_hand_over(r, s, &f);
}

/* Partner bytes, made safe, as a C string. */
void reader_safe_text(struct edi_reader *r, struct slice s, size_t most, char *out, size_t room)
{
    struct buf safe;
    buf_init(&safe, 400);
    buf_add_safe(&safe, s, most);
    snprintf(out, room, "%s", buf_text(&safe));
    if (safe.failed == ERR_NOMEM)
        reader_stop(r, err_nomem(r->err));
    buf_deinit(&safe);
}

/* A finding about a component; 0: about an element. */
int reader_find_part(struct edi_reader *r, enum finding_code code, const struct segment *s, unsigned element,
                     unsigned component, const char *found, const char *expected)
{
    struct finding f = { .code = code, .place = { .element = element, .component = component }, .found = found,
                         .expected = expected };
    f.value = segment_part(s, &r->syntax, element, component);
    return reader_hand_over(r, s, &f);
}
