/*
 * reader: see reader.h.
 *
 * The buffer holds one chunk and what was left of the one before. It is indexed as a whole, then walked segment
 * by segment: inside a document by the checker, outside by the functions for the envelopes, which also decide
 * when the delimiters change. What lies in a document is never looked at twice.
 *
 * Sources: X12.5 (interchange control structures), X12.6 (application control structure), X12.22 (segments).
 */
#include "edi/reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "edi/check.h"
#include "edi/numbers.h"

enum { SETS_SEEN = 8, SEGMENTS_MISSED = 8 };
enum { PADDING = 64, FIRST_ROOM = 2 * LIMIT_CHUNK, RUN_BYTES = 32 << 10, ENVELOPE_TEXT = EDI_ENVELOPE_TEXT, CACHED_GUIDES = 8, ISA_LENGTH = 106 };
enum level { OUTSIDE, IN_INTERCHANGE, IN_GROUP, IN_DOCUMENT };

#define MOST_BINARY ((uint64_t)1 << 50)    /* bytes that the length of binary data may claim */
#define TAG2(a, b) ((uint32_t)(a) | (uint32_t)(b) << 8)
#define TAG3(a, b, c) (TAG2(a, b) | (uint32_t)(c) << 16)

struct cached_guide {
    const struct guide *guide;
    char version[16], set[16];
};

struct edi_reader {
    struct edi_reader_options options;
    struct edi_sink sink;
    struct err *err;                /* of the call at hand */
    int stopped;

    char *buf;                      /* room + PADDING bytes */
    size_t room, n;                 /* filled */
    size_t from;                    /* everything before it is done */
    uint64_t base_offset, base_line, line_start;   /* of buf[0]; line_start: where its line starts in the file */
    struct {
        uint64_t offset, line, line_start;
    } known;                        /* the place that was told last: later ones are counted from there */
    uint64_t skip;                  /* bytes of a binary element still to be dropped */
    bool skip_terminator;           /* and the terminator behind them */
    bool deaf;                      /* what follows cannot be read any more */
    bool started;                   /* something other than blanks was seen */
    bool garbage;                   /* looks for the next ISA behind bytes that belong to no interchange */
    bool garbage_told, blanks_told, empty_told;

    lexer_function *lex;
    struct lexer_index index;
    struct edi_syntax syntax;
    bool has_syntax;
    uint64_t syntax_at;             /* the place in the file where it was found */
    bool isa_irregular;             /* the ISA at hand is not of fixed length */

    bool run_open;                  /* the last run ended inside a document */
    uint64_t run_skip;              /* bytes of a binary element that go into the next runs unread */
    bool run_skip_terminator;
    size_t blank_at, empty_at;      /* where the documents being split have their first blanks, empty segment */
    bool lost_terminator;           /* the run's last segment is ended by a line break */
    bool joined;                    /* reads runs of another reader, which looks after control numbers */
    bool duplicate, new_set;        /* what that one says of the next ST */
    uint64_t set_seen[SETS_SEEN];   /* sets that the group had, as slice_key() */
    unsigned n_sets_seen;

    enum level level;
    struct edi_context in;          /* interchange, group, and the guide of their segments */
    struct edi_document document;
    uint64_t missed[SEGMENTS_MISSED]; /* tags of segments that were told to be missing, as slice_key() */
    unsigned n_missed;
    uint64_t told, told_segment;    /* elements of a segment that errors were told of */
    char st_text[ENVELOPE_TEXT];
    struct numbers numbers;         /* ST02 seen in the group */
    struct numbers group_numbers;   /* GS06 seen in the interchange */
    struct numbers interchange_numbers; /* ISA13 seen in the file, with sender and receiver: hashes */
    struct cached_guide cached[CACHED_GUIDES];
    unsigned next_cached;

    struct checker checker;         /* of the document */
    struct checker outside;         /* of envelope segments */
    enum finding_code outside_code;
};

static int document_remark(void *ctx, const struct segment *s, const struct remark *r);
static int envelope_remark(void *ctx, const struct segment *s, const struct remark *r);

int edi_reader_new(const struct edi_reader_options *options, const struct edi_sink *sink,
                   struct edi_reader **reader_r, struct err *err)
{
    struct edi_reader *r = calloc(1, sizeof(*r));
    int result;
    *reader_r = NULL;
    if (!r)
        return err_nomem(err);
    r->options = *options;
    r->sink = *sink;
    r->room = FIRST_ROOM;
    r->base_line = r->known.line = 1;
    r->in.interchange.ta1 = "000";
    r->buf = calloc(1, r->room + PADDING);
    r->lex = lexer_choose(options->lexer);
    if (!r->lex) {
        result = err_set(err, ERR_USAGE, "this machine cannot run the lexer that was asked for");
    } else if (!r->buf) {
        result = err_nomem(err);
    } else {
        result = lexer_index_init(&r->index, r->room, err);
    }
    if (result < 0) {
        free(r->buf);
        free(r);
        return result;
    }
    numbers_init(&r->numbers);
    numbers_init(&r->group_numbers);
    numbers_init(&r->interchange_numbers);
    r->checker = (struct checker){ .remark = document_remark, .ctx = r, .syntax = &r->syntax,
                                   .structure_only = options->structure_only };
    r->outside = (struct checker){ .remark = envelope_remark, .ctx = r };
    *reader_r = r;
    return 0;
}

void edi_reader_free(struct edi_reader **reader)
{
    struct edi_reader *r = *reader;
    if (!r)
        return;
    numbers_deinit(&r->numbers);
    numbers_deinit(&r->group_numbers);
    numbers_deinit(&r->interchange_numbers);
    lexer_index_deinit(&r->index);
    free(r->buf);
    free(r);
    *reader = NULL;
}

/* ---- findings ---- */

static uint64_t count_lines(const char *p, size_t n)
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
        lines += ((counts & 0x00ff00ff00ff00ffull) + (counts >> 8 & 0x00ff00ff00ff00ffull)) * 0x0001000100010001ull >> 48;
    }
    for (; n; p++, n--)
        lines += *p == '\n';
    return lines;
}

static void fill_place(struct edi_reader *r, const struct segment *s, struct edi_place *place)
{
    size_t at = s ? (size_t)(s->base + s->start - r->buf) : r->from, from = 0;
    uint64_t line_start = r->line_start, line = r->base_line;
    const char *last;
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
        line += count_lines(r->buf + from, at - from);
        line_start = r->base_offset + (uint64_t)(last - r->buf) + 1;
    }
    place->offset = r->base_offset + at;
    place->line = line;
    r->known.offset = place->offset;
    r->known.line = line;
    r->known.line_start = line_start;
    place->column = place->offset - line_start + 1;
    place->interchange = r->level >= IN_INTERCHANGE ? r->in.interchange.ordinal : 0;
    place->group = r->level >= IN_GROUP ? r->in.group.ordinal : 0;
    place->document = r->level == IN_DOCUMENT ? r->document.ordinal : 0;
    place->segment = r->level == IN_DOCUMENT ? r->document.segments : 0;
}

void edi_reader_place(struct edi_reader *r, struct edi_place *place_r)
{
    fill_place(r, NULL, place_r);
}

static int stop(struct edi_reader *r, int code)
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
        if (error && row->level == LEVEL_INTERCHANGE && strcmp(r->in.interchange.ta1, "000") == 0 && row->acknowledgment)
            r->in.interchange.ta1 = row->acknowledgment;
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

/* Fills in what every finding has and hands it over. `at` and `width` of the element are set here. */
static int hand_over(struct edi_reader *r, const struct segment *s, struct finding *f)
{
    enum finding_level level = finding_rows[f->code].level;
    int answer;
    f->severity = r->options.policy.severity[f->code];
    if (f->severity == SEVERITY_IGNORE || r->stopped)
        return r->stopped;
    struct edi_place place;
    fill_place(r, s, &place);
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
        f->segment = segment_bytes(s);
        f->terminator = r->syntax.terminator;
        f->component = r->syntax.component;
        f->repetition = r->syntax.repetition;
        if (!f->tag.n && (!f->missing || f->place.element))
            f->tag = segment_tag(s);
        if (!f->loop.n && level == LEVEL_ELEMENT && r->level == IN_DOCUMENT && r->checker.at) {
            const struct guide_node *loop = &r->checker.guide->node[r->checker.at->parent];
            if (loop->ordinal)
                f->loop = loop->tag;
        }
        if (f->value.n && f->value.p >= f->segment.p && f->value.p < f->segment.p + f->segment.n) {
            f->at = (uint32_t)(f->value.p - f->segment.p);
            f->width = (uint32_t)f->value.n;
        } else if (f->place.element) {
            unsigned k = f->place.element;
            f->at = k <= s->n ? s->at[k - 1] + 1 - s->start : s->at[s->n] - s->start;
        }
    }
    f->answers = level >= LEVEL_GROUP && r->level >= IN_GROUP && slice_is(r->in.group.element[1], "FA");
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
    return answer < 0 ? stop(r, answer) : 0;
}

static int find(struct edi_reader *r, enum finding_code code, const struct segment *s, unsigned element,
                const char *found, const char *expected)
{
    struct finding f = { .code = code, .place.element = element, .found = found, .expected = expected };
    if (s && element)
        f.value = segment_element(s, element);
    return hand_over(r, s, &f);
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
        f.value = segment_element(s, element);
    if (s && node && node->def && element && element <= node->def->n && slice_eq(segment_tag(s), node->tag)) {
        f.element_id = node->def->use[element - 1].element->id;
        f.element_name = node->def->use[element - 1].element->name;
    }
    return hand_over(r, s, &f);
}

uint32_t edi_reader_occurrence(const struct edi_reader *r, const struct guide_node *node)
{
    return node->depth <= LIMIT_LOOP_DEPTH && r->checker.current[node->depth] == node->ordinal
               ? r->checker.count[node->depth]
               : 1;
}

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

static int document_remark(void *ctx, const struct segment *s, const struct remark *m)
{
    struct edi_reader *r = ctx;
    struct finding f = { .code = m->code };
    if (m->code == FINDING_SEGMENT_MISSING && r->n_missed < SEGMENTS_MISSED)
        r->missed[r->n_missed++] = slice_key(m->tag);
    if (m->code == FINDING_SEGMENT_SEQUENCE && was_missed(r, slice_key(segment_tag(s))))
        return r->stopped;
    from_remark(m, &f);
    return hand_over(r, s, &f);
}

/* What is wrong in an ISA or GS is a finding of the interchange or the group. */
static int envelope_remark(void *ctx, const struct segment *s, const struct remark *m)
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
    from_remark(m, &f);
    return hand_over(r, s, &f);
}

static void check_envelope(struct edi_reader *r, const struct segment *s, enum finding_code code)
{
    static const struct edi_syntax no_parts = { 0 };
    const struct segment_def *def = NULL;
    struct slice tag = segment_tag(s);
    if (!r->in.envelope)
        return;
    for (unsigned i = 1; i < r->in.envelope->n && !def; i++)
        if (r->in.envelope->node[i].def && slice_eq(r->in.envelope->node[i].tag, tag))
            def = r->in.envelope->node[i].def;
    if (!def)
        return;
    r->outside.guide = r->in.envelope;
    r->outside.syntax = &no_parts;
    r->outside.stopped = 0;
    r->outside.short_dates = code == FINDING_GROUP_SYNTAX && check_has_short_dates(r->in.group.version);
    r->outside_code = code;
    check_elements(&r->outside, s, def);
    if (r->outside.stopped)
        stop(r, r->outside.stopped);
}

/* ---- envelopes ---- */

/* Keeps a segment's text and its first `most` elements beyond the block's life. */
static void keep_elements(const struct segment *s, char *text, struct slice *element, unsigned most)
{
    size_t used = 0;
    for (unsigned k = 1; k <= most; k++) {
        struct slice v = segment_element(s, k);
        if (v.n > ENVELOPE_TEXT - used)
            v.n = ENVELOPE_TEXT - used;
        if (v.n)
            memcpy(text + used, v.p, v.n);
        element[k] = slice(text + used, v.n);
        used += v.n;
    }
}

static int call(struct edi_reader *r, int answer)
{
    return answer < 0 ? stop(r, answer) : r->stopped;
}

static int close_document(struct edi_reader *r)
{
    if (r->level != IN_DOCUMENT)
        return r->stopped;
    if (r->document.errors == 0)
        r->in.group.accepted++;
    if (r->sink.document_end && !r->stopped)
        call(r, r->sink.document_end(r->sink.ctx, &r->document));
    r->level = IN_GROUP;
    return r->stopped;
}

/* The document ends without its SE. */
static int close_document_early(struct edi_reader *r)
{
    struct finding f = { .code = FINDING_SET_TRAILER, .tag = slice_of("SE"), .missing = true, .found = "missing",
                         .expected = "an SE segment at the end of the transaction set" };
    if (r->level != IN_DOCUMENT)
        return r->stopped;
    hand_over(r, NULL, &f);
    return close_document(r);
}

static int close_group(struct edi_reader *r)
{
    close_document_early(r);
    if (r->level != IN_GROUP)
        return r->stopped;
    if (r->sink.group_end && !r->stopped)
        call(r, r->sink.group_end(r->sink.ctx, &r->in.group));
    r->level = IN_INTERCHANGE;
    return r->stopped;
}

static int close_group_early(struct edi_reader *r)
{
    if (r->level >= IN_GROUP && !r->in.group.implied) {
        struct finding f = { .code = FINDING_GROUP_TRAILER, .tag = slice_of("GE"), .missing = true, .found = "missing",
                             .expected = "a GE segment at the end of the group" };
        close_document_early(r);
        hand_over(r, NULL, &f);
    }
    return close_group(r);
}

static int close_interchange(struct edi_reader *r)
{
    if (r->level != IN_INTERCHANGE)
        return r->stopped;
    if (r->sink.interchange_end && !r->stopped)
        call(r, r->sink.interchange_end(r->sink.ctx, &r->in.interchange));
    r->level = OUTSIDE;
    return r->stopped;
}

static int close_interchange_early(struct edi_reader *r)
{
    close_group_early(r);
    if (r->level == IN_INTERCHANGE && r->in.interchange.element[13].n) {
        struct finding f = { .code = FINDING_INTERCHANGE_TRAILER, .tag = slice_of("IEA"), .missing = true,
                             .found = "missing", .expected = "an IEA segment at the end of the interchange" };
        hand_over(r, NULL, &f);
    }
    return close_interchange(r);
}

/* The guide of the envelopes, by ISA12: GS of an older version in it is the same segment. */
static int find_envelope(struct edi_reader *r)
{
    struct slice version = r->in.interchange.element[12];
    int result;
    if (version.n != 5 && version.n != 6)
        version = slice_of("00401");
    result = guides_find(r->options.guides, slice_of("x12"), version, slice_of("interchange"), r->options.complaints,
                         &r->in.envelope, r->err);
    if (result == ERR_MISSING)
        return stop(r, err_set(r->err, ERR_MISSING, "no guide for the X12 envelopes: is the maps directory right?"));
    return result < 0 ? stop(r, result) : 0;
}

/* Some pad the ISA with no-break spaces, in UTF-8: they are padding all the same. */
static void trim_padding(struct slice *v)
{
    size_t n = v->n;
    bool odd = false;
    while (n) {
        if (v->p[n - 1] == ' ')
            n--;
        else if (n >= 2 && v->p[n - 2] == '\xc2' && v->p[n - 1] == '\xa0')
            n -= 2, odd = true;
        else
            break;
    }
    if (odd)
        v->n = n;
}

static int open_interchange(struct edi_reader *r, const struct segment *isa)
{
    struct edi_interchange *i = &r->in.interchange;
    memset(i, 0, sizeof(*i));
    i->ordinal = ++r->in.interchanges;
    i->syntax = r->syntax;
    i->ta1 = "000";
    r->level = IN_INTERCHANGE;
    r->blanks_told = r->empty_told = false;
    numbers_clear(&r->group_numbers);
    for (unsigned k = 0; k <= ISA_ELEMENTS; k++)
        i->element[k] = slice(r->in.isa_text, 0);
    if (isa) {
        keep_elements(isa, r->in.isa_text, i->element, ISA_ELEMENTS);
        for (unsigned k = 2; k <= 8; k += 2)
            trim_padding(&i->element[k]);
        i->control = i->element[13];
        i->offset = r->base_offset + (uint64_t)(isa->base + isa->start - r->buf);
    }
    if (find_envelope(r) < 0)
        return r->stopped;
    if (r->sink.interchange)
        call(r, r->sink.interchange(r->sink.ctx, i));
    return r->stopped;
}

/* Has the same sender sent the same receiver an interchange of this number, in this file? */
static bool is_known_interchange(struct edi_reader *r)
{
    static const uint8_t which[] = { 5, 6, 7, 8, 13 };
    char text[sizeof(which) * 24] = "i"; /* never a number by itself */
    size_t n = 1;
    for (unsigned i = 0; i < sizeof(which); i++) {
        struct slice v = slice_trim(r->in.interchange.element[which[i]]);
        if (v.n > 20)
            v.n = 20;
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s:", SLICE_FMT(v));
    }
    return r->in.interchange.control.n && !numbers_add(&r->interchange_numbers, slice(text, n));
}

/* Partner bytes, made safe, as a C string. */
static void safe_text(struct edi_reader *r, struct slice s, size_t most, char *out, size_t room)
{
    struct buf safe;
    buf_init(&safe, 400);
    buf_add_safe(&safe, s, most);
    snprintf(out, room, "%s", buf_text(&safe));
    if (safe.failed == ERR_NOMEM)
        stop(r, err_nomem(r->err));
    buf_deinit(&safe);
}

/* Is this the party of elements n and n + 1 of the ISA? */
static bool is_party(const struct edi_reader *r, unsigned n, struct slice qualifier, struct slice id)
{
    const struct slice *element = r->in.interchange.element;
    return slice_eq(slice_trim(element[n]), qualifier) && slice_eq(slice_trim(element[n + 1]), id);
}

/* A party that nobody expects: said at its id, or at its qualifier when the id is right. */
static void find_stranger(struct edi_reader *r, const struct segment *s, enum finding_code code, unsigned n,
                          const char *who, struct slice qualifier, struct slice id)
{
    bool same_id = slice_eq(slice_trim(r->in.interchange.element[n + 1]), id);
    char found[120], expected[120], party[40];
    struct finding f = { .code = code, .found = found, .expected = expected };

    safe_text(r, slice_trim(r->in.interchange.element[n]), 20, party, sizeof(party));
    if (same_id)
        snprintf(found, sizeof(found), "is not the qualifier of %s", who);
    else
        snprintf(found, sizeof(found), "with qualifier %s is not %s", party, who);
    snprintf(expected, sizeof(expected), "%.*s:%.*s, as the partner file says", SLICE_FMT(qualifier), SLICE_FMT(id));
    f.place.element = same_id ? n : n + 1;
    f.value = slice_trim(segment_element(s, f.place.element));
    hand_over(r, s, &f);
    if (f.severity == SEVERITY_ERROR)
        r->in.interchange.foreign = finding_rows[code].name;
}

/* The interchange goes from the partner to us, or from us to the partner. */
static void check_parties(struct edi_reader *r, const struct segment *s)
{
    const struct edi_parties *of_sender = NULL;
    bool from_us = false;

    for (unsigned i = 0; i < r->options.n_between; i++) {
        const struct edi_parties *p = &r->options.between[i];
        bool from_partner = is_party(r, 5, p->qualifier, p->id), ours = is_party(r, 5, p->our_qualifier, p->our_id);
        if ((from_partner && is_party(r, 7, p->our_qualifier, p->our_id)) ||
            (ours && is_party(r, 7, p->qualifier, p->id)))
            return;
        if (!of_sender && (from_partner || ours)) {
            of_sender = p;
            from_us = ours;
        }
    }
    if (!of_sender)
        find_stranger(r, s, FINDING_INTERCHANGE_SENDER, 5, "this partner", r->options.between[0].qualifier,
                      r->options.between[0].id);
    else if (from_us)
        find_stranger(r, s, FINDING_INTERCHANGE_RECEIVER, 7, "this partner", of_sender->qualifier, of_sender->id);
    else
        find_stranger(r, s, FINDING_INTERCHANGE_RECEIVER, 7, "us", of_sender->our_qualifier, of_sender->our_id);
}

static int take_isa(struct edi_reader *r, const struct segment *s)
{
    static const uint8_t width[] = { 0, 2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1 };
    unsigned odd = 0;
    uint32_t length;
    if (r->level != OUTSIDE)
        close_interchange_early(r);
    if (r->stopped || open_interchange(r, s) < 0)
        return r->stopped;
    length = s->at[s->n] - s->start + 1;
    r->isa_irregular = length != ISA_LENGTH;
    for (unsigned k = 1; k <= 16 && k <= s->n && !odd; k++)
        if (s->at[k] - s->at[k - 1] - 1 != width[k])
            odd = k;
    r->isa_irregular |= odd != 0;
    if (r->isa_irregular) {
        char found[120], expected[80] = "106 bytes with elements of fixed width";
        snprintf(found, sizeof(found), "has %u bytes", length);
        if (odd) {
            struct slice v = segment_element(s, odd);
            snprintf(found, sizeof(found), "has %u bytes; ISA%02u has %zu%s", length, odd, v.n,
                     v.n && memmem(v.p, v.n, "\xc2\xa0", 2) ? ", padded with no-break spaces" : "");
            snprintf(expected, sizeof(expected), "106 bytes, %u for ISA%02u", width[odd], odd);
        }
        find(r, length > ISA_LENGTH ? FINDING_ISA_LONG : FINDING_ISA_SHORT, s, 0, found, expected);
    }
    if (is_known_interchange(r))
        find(r, FINDING_INTERCHANGE_DUPLICATE, s, 13, "was used before in this file by the same sender",
             "a number of its own for each interchange");
    if (!r->syntax.component)
        find(r, FINDING_INTERCHANGE_COMPONENT_SEPARATOR, s, 16, "cannot separate components",
             "a character that is neither a letter or digit nor another delimiter");
    check_envelope(r, s, FINDING_INTERCHANGE_CONTENT);
    if (r->options.n_between && !r->stopped)
        check_parties(r, s);
    return r->stopped;
}

static bool same_number(struct slice a, struct slice b)
{
    uint64_t x, y;
    return slice_eq(a, b) || (slice_number(a, UINT64_MAX, &x) && slice_number(b, UINT64_MAX, &y) && x == y);
}

/* A count in a trailer against what was counted. */
static void compare_count(struct edi_reader *r, const struct segment *s, unsigned element, uint64_t counted,
                          enum finding_code code, const char *what)
{
    struct slice v = slice_trim(segment_element(s, element));
    uint64_t claimed;
    char found[80], expected[40];
    if (slice_number(v, UINT64_MAX, &claimed) && claimed == counted)
        return;
    snprintf(found, sizeof(found), "is not the number of %s", what);
    snprintf(expected, sizeof(expected), "%llu", (unsigned long long)counted);
    find(r, code, s, element, found, expected);
}

static void compare_control(struct edi_reader *r, const struct segment *s, unsigned element, struct slice control,
                            enum finding_code code, const char *what)
{
    char found[40], expected[80];
    if (same_number(segment_element(s, element), control))
        return;
    snprintf(found, sizeof(found), "is not %s", what);
    safe_text(r, control, 40, expected, sizeof(expected));
    find(r, code, s, element, found, expected);
}

static int take_iea(struct edi_reader *r, const struct segment *s)
{
    if (r->level == OUTSIDE)
        return find(r, FINDING_INTERCHANGE_STRUCTURE, s, 0, "an IEA without an ISA", "an ISA segment first");
    close_group_early(r);
    if (r->stopped)
        return r->stopped;
    check_envelope(r, s, FINDING_INTERCHANGE_CONTENT);
    compare_count(r, s, 1, r->in.interchange.groups, FINDING_INTERCHANGE_COUNT, "groups");
    compare_control(r, s, 2, r->in.interchange.control, FINDING_INTERCHANGE_CONTROL, "ISA13");
    return close_interchange(r);
}

static int open_group(struct edi_reader *r, const struct segment *gs)
{
    struct edi_group *g = &r->in.group;
    memset(g, 0, sizeof(*g));
    for (unsigned k = 0; k <= GS_ELEMENTS; k++)
        g->element[k] = slice(r->in.gs_text, 0);
    g->ordinal = r->in.interchange.groups + 1;
    if (gs) {
        r->in.interchange.groups++;
        keep_elements(gs, r->in.gs_text, g->element, GS_ELEMENTS);
        g->control = g->element[6];
        g->version = g->element[8];
    } else {
        g->implied = true;
        g->version = r->in.interchange.element[12];
    }
    numbers_clear(&r->numbers);
    r->n_sets_seen = 0;
    r->level = IN_GROUP;
    if (gs)
        check_envelope(r, gs, FINDING_GROUP_SYNTAX);
    if (gs && g->control.n && !numbers_add(&r->group_numbers, g->control))
        find(r, FINDING_GROUP_DUPLICATE, gs, 6, "was used before in this interchange", "a number of its own for each group");
    if (r->sink.group && !r->stopped)
        call(r, r->sink.group(r->sink.ctx, g));
    return r->stopped;
}

static int take_gs(struct edi_reader *r, const struct segment *s)
{
    if (r->level >= IN_GROUP)
        close_group_early(r);
    if (r->level == OUTSIDE) {
        open_interchange(r, NULL);
        find(r, FINDING_GROUP_OUTSIDE, s, 0, "the group stands outside an interchange", "an ISA segment first");
    }
    return r->stopped ? r->stopped : open_group(r, s);
}

static int take_ge(struct edi_reader *r, const struct segment *s)
{
    uint64_t claimed;
    close_document_early(r);
    if (r->level < IN_GROUP || r->in.group.implied)
        return find(r, FINDING_INTERCHANGE_STRUCTURE, s, 0, "a GE without a GS", "a GS segment first");
    if (slice_number(slice_trim(segment_element(s, 1)), UINT64_MAX, &claimed))
        r->in.group.claimed = claimed;
    check_envelope(r, s, FINDING_GROUP_SYNTAX);
    compare_count(r, s, 1, r->in.group.documents, FINDING_GROUP_COUNT, "transaction sets");
    compare_control(r, s, 2, r->in.group.control, FINDING_GROUP_CONTROL, "GS06");
    return close_group(r);
}

/* ---- documents ---- */

/* Is this the first document of its set in the group? */
static bool is_new_set(struct edi_reader *r, struct slice set)
{
    uint64_t key = slice_key(set);
    for (unsigned i = 0; i < r->n_sets_seen; i++)
        if (r->set_seen[i] == key)
            return false;
    if (key == 0 || r->n_sets_seen == SETS_SEEN)
        return false;
    r->set_seen[r->n_sets_seen++] = key;
    return true;
}

/* 004010, 004010VICS; 00401, as ISA12 has it */
static bool is_version(struct slice s)
{
    size_t n = 0;
    while (n < s.n && n < 6 && is_digit(s.p[n]))
        n++;
    return n == 6 || (n == 5 && s.n == 5 && s.p[0] == '0' && s.p[1] == '0');
}

static int choose_guide(struct edi_reader *r, const struct guide **guide_r)
{
    struct edi_document *d = &r->document;
    struct slice version = r->in.group.version;
    struct cached_guide *c;
    int result;

    *guide_r = NULL;
    for (unsigned i = 0; i < r->options.n_partner; i++)
        if (slice_eq(r->options.partner[i]->set, d->set)) {
            *guide_r = r->options.partner[i];
            return 0;
        }
    if (!is_version(version))
        version = r->in.interchange.element[12];
    if (!is_version(version))
        version = slice_of("004010");
    if (version.n > 6)
        version.n = 6;
    if (d->set.n >= sizeof(c->set))
        return 0;
    for (unsigned i = 0; i < CACHED_GUIDES; i++) {
        c = &r->cached[i];
        if (c->set[0] && slice_is(version, c->version) && slice_is(d->set, c->set)) {
            *guide_r = c->guide;
            return 0;
        }
    }
    result = guides_find(r->options.guides, slice_of("x12"), version, d->set, r->options.complaints, guide_r, r->err);
    if (result < 0 && result != ERR_MISSING)
        return stop(r, result);
    c = &r->cached[r->next_cached++ % CACHED_GUIDES];
    snprintf(c->version, sizeof(c->version), "%.*s", SLICE_FMT(version));
    snprintf(c->set, sizeof(c->set), "%.*s", SLICE_FMT(d->set));
    c->guide = *guide_r;
    return 0;
}

static void tell_substitution(struct edi_reader *r, const struct segment *s)
{
    const struct guide *g = r->document.guide;
    struct slice asked = r->in.group.version;
    char found[160], version[40];
    if (asked.n == 5 && g->version.n == 6 && slice_starts(g->version, asked))
        return;
    if (asked.n && !is_version(asked) && !g->base.n) {
        snprintf(found, sizeof(found), "GS08 names no version; the %.*s is read with %.*s", SLICE_FMT(g->set),
                 SLICE_FMT(g->version));
        find(r, FINDING_VERSION_SUBSTITUTED, s, 0, found, "a version of six digits, such as 004010");
        return;
    }
    if (asked.n > 6)
        asked.n = 6;
    if (asked.n == 0 || slice_eq(asked, g->version) || g->base.n)
        return;
    safe_text(r, asked, 20, version, sizeof(version));
    snprintf(found, sizeof(found), "version %s of the %.*s has no guide; it is read with %.*s, the nearest %s",
             version, SLICE_FMT(g->set), SLICE_FMT(g->version),
             slice_cmp(g->version, asked) < 0 ? "lower one" : "one there is");
    find(r, FINDING_VERSION_SUBSTITUTED, s, 0, found, "");
}

static int take_segment(struct edi_reader *r, const struct segment *s)
{
    const struct guide_node *node;
    uint64_t present;
    int answer = 0;

    r->document.segments++;
    if (!r->document.guide) {
        if (r->sink.stray)
            answer = r->sink.stray(r->sink.ctx, s);
        return answer < 0 ? stop(r, answer) : r->stopped;
    }
    node = check_place(&r->checker, s);
    if (node) {
        present = node->has_variants ? check_segment(&r->checker, s, node) : check_elements(&r->checker, s, node->def);
        if (r->sink.segment && !r->checker.stopped)
            answer = r->sink.segment(r->sink.ctx, node, s, present);
    } else if (r->sink.stray && !r->checker.stopped) {
        answer = r->sink.stray(r->sink.ctx, s);
    }
    if (r->checker.stopped)
        answer = r->checker.stopped;
    return answer < 0 ? stop(r, answer) : r->stopped;
}

/* A document needs a group around it: when there is none, one is implied. */
static bool open_for_document(struct edi_reader *r)
{
    bool outside = false;
    close_document_early(r);
    if (r->level == OUTSIDE)
        open_interchange(r, NULL);
    if (r->level == IN_INTERCHANGE && !r->stopped) {
        outside = true;
        open_group(r, NULL);
    }
    return outside;
}

static int take_st(struct edi_reader *r, const struct segment *s)
{
    struct edi_document *d = &r->document;
    struct slice element[4];
    const struct guide *guide = NULL;
    bool fresh, outside = open_for_document(r);

    if (r->stopped)
        return r->stopped;
    keep_elements(s, r->st_text, element, 3);
    *d = (struct edi_document){ .set = element[1], .control = element[2], .implementation = element[3],
                                .interchange = &r->in.interchange, .group = &r->in.group,
                                .errors = r->in.interchange.foreign != NULL };
    r->n_missed = 0;
    d->ordinal = ++r->in.documents;
    d->in_group = ++r->in.group.documents;
    r->level = IN_DOCUMENT;
    fresh = r->joined ? r->new_set : is_new_set(r, d->set);
    r->new_set = false;
    if (choose_guide(r, &guide) < 0)
        return r->stopped;
    d->guide = guide;
    if (guide) {
        check_begin(&r->checker, guide);
        r->checker.short_dates = r->checker.no_long_dates = check_has_short_dates(r->in.group.version);
    }
    if (r->sink.document)
        call(r, r->sink.document(r->sink.ctx, d));
    if (outside || (r->in.group.implied && d->in_group == 1))
        find(r, FINDING_SET_OUTSIDE, s, 0, "the transaction set stands outside a group", "a GS segment first");
    if (!guide) {
        if (d->set.n == 3)
            find(r, FINDING_SET_UNSUPPORTED, s, 1, "has no guide", "a transaction set that there is a guide for");
        else
            find(r, FINDING_SET_ID, s, 1, d->set.n ? "is not a transaction set's identifier" : "missing", "three digits, such as 850");
    } else {
        if (fresh)
            tell_substitution(r, s);
        if (guide->group.n && !r->in.group.implied && r->in.group.element[1].n && !slice_eq(guide->group, r->in.group.element[1])) {
            char expected[60];
            snprintf(expected, sizeof(expected), "a group %.*s in GS01", SLICE_FMT(guide->group));
            find(r, FINDING_SET_GROUP, s, 1, "does not belong in this group", expected);
        }
    }
    if (d->control.n == 0)
        find(r, FINDING_SET_NUMBER, s, 2, "missing", "a control number");
    else if (r->joined ? r->duplicate : !numbers_add(&r->numbers, d->control))
        find(r, FINDING_SET_DUPLICATE, s, 2, "was used before in this group", "a number of its own for each transaction set");
    r->duplicate = false;
    if (r->numbers.nomem || r->group_numbers.nomem || r->interchange_numbers.nomem)
        stop(r, err_nomem(r->err));
    return r->stopped ? r->stopped : take_segment(r, s);
}

static int take_se(struct edi_reader *r, const struct segment *s)
{
    if (r->level != IN_DOCUMENT)
        return find(r, FINDING_INTERCHANGE_STRUCTURE, s, 0, "an SE without an ST", "an ST segment first");
    take_segment(r, s);
    if (!r->stopped && s->n >= 1)
        compare_count(r, s, 1, r->document.segments, FINDING_SET_COUNT, "segments");
    if (!r->stopped && s->n >= 2)
        compare_control(r, s, 2, r->document.control, FINDING_SET_CONTROL, "ST02");
    return close_document(r);
}

static int take_outside(struct edi_reader *r, const struct segment *s)
{
    struct slice tag = segment_tag(s);
    static const char *const known[] = { "TA1", "TA3", "ISB", "ISE" };
    if (r->level == OUTSIDE && slice_is(tag, "TA1")) {
        open_interchange(r, NULL);
        find(r, FINDING_INTERCHANGE_STRUCTURE, s, 0, "a TA1 without an ISA", "an ISA segment first");
    }
    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (slice_is(tag, known[i]) && r->level >= IN_INTERCHANGE) {
            check_envelope(r, s, FINDING_INTERCHANGE_CONTENT);
            if (r->sink.envelope_segment && !r->stopped)
                call(r, r->sink.envelope_segment(r->sink.ctx, s));
            return r->stopped;
        }
    find(r, FINDING_INTERCHANGE_STRUCTURE, s, 0, "the segment stands outside a transaction set",
         r->level == IN_GROUP         ? "ST or GE"
         : r->level == IN_INTERCHANGE ? "GS, TA1 or IEA"
                                      : "ISA");
    return r->stopped;
}

/* ---- delimiters ---- */

static bool is_letter_or_digit(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0 || c == 0x1a;
}

enum found { FOUND, NEED_MORE, NOT_FOUND };

/* The delimiters of an ISA that starts at p. `last`: no more bytes will come. */
static enum found isa_syntax(const char *p, size_t n, bool last, struct edi_syntax *syntax_r)
{
    struct edi_syntax x = { .element = p[3] };
    size_t at[18], i = 3;
    unsigned seps = 0;
    char first, second;

    while (i < n && seps < 16) {
        if (p[i] == x.element)
            at[seps++] = i;
        i++;
        if (i > ENVELOPE_TEXT)
            return NOT_FOUND;
    }
    if (seps < 16 || i + 2 > n)
        return last ? NOT_FOUND : NEED_MORE;
    first = p[i];
    second = p[i + 1];
    if (first == x.element)
        return NOT_FOUND;
    x.component = first;
    x.terminator = second;
    if (is_letter_or_digit(second) || second == x.element) { /* ISA16 is missing: its place holds the terminator */
        x.component = 0;
        x.terminator = first;
    } else if ((second == '\n' || second == '\r') && !is_letter_or_digit(first)) {
        /* "*~" and a line break: is ~ the terminator and ISA16 missing, or is the line break the terminator?
         * The next line tells: it ends in the terminator. */
        size_t from = i + 2, end;
        while (from < n && (p[from] == '\n' || p[from] == '\r'))
            from++;
        for (end = from; end < n && end < i + ENVELOPE_TEXT && p[end] != '\n' && p[end] != '\r'; end++)
            ;
        if (end == n && !last && n < i + ENVELOPE_TEXT)
            return NEED_MORE;
        if (end > from && p[end - 1] == first) {
            x.component = 0;
            x.terminator = first;
        } else if (second == '\r' && p[i + 2 < n ? i + 2 : i] == '\n' && (end == n || p[end] == '\n')) {
            x.terminator = '\n'; /* only the ISA ends in both */
        }
    }
    if (is_letter_or_digit(x.terminator) || x.terminator == x.element || memchr(p, x.terminator, i))
        return NOT_FOUND;
    if (is_letter_or_digit(x.component) || x.component == x.element || x.component == x.terminator || is_blank(x.component))
        x.component = 0;
    /* from 00402 on ISA11 is the repetition separator */
    if (at[11] - at[10] == 2) {
        char c = p[at[10] + 1];
        struct slice version = slice(p + at[11] + 1, at[12] - at[11] - 1);
        if (slice_cmp(version, slice_of("00402")) >= 0 && !is_letter_or_digit(c) && !is_blank(c) && c != x.element &&
            c != x.terminator && c != x.component)
            x.repetition = c;
    }
    *syntax_r = x;
    return FOUND;
}

/* A file that begins with GS, ST or TA1: what ends its first segment is found before the segment that must follow. */
static enum found bare_syntax(const char *p, size_t n, bool last, struct edi_syntax *syntax_r)
{
    struct edi_syntax x = { .element = p[p[0] == 'T' ? 3 : 2] };
    for (size_t i = 3; i + 3 < n && i < ENVELOPE_TEXT; i++) {
        size_t end = i;
        if (is_letter_or_digit(p[i]) || p[i] == x.element || p[i] == ' ')
            continue;
        while (end + 1 < n && (p[end + 1] == '\n' || p[end + 1] == '\r'))
            end++;
        if (end + 4 >= n)
            break;
        bool next = p[0] == 'G' ? p[end + 1] == 'S' && p[end + 2] == 'T' && p[end + 3] == x.element
                                : is_letter_or_digit(p[end + 1]) && is_letter_or_digit(p[end + 2]) &&
                                      (p[end + 3] == x.element || p[end + 4] == x.element);
        if (next) {
            x.terminator = p[i];
            *syntax_r = x;
            return FOUND;
        }
    }
    return last || n >= ENVELOPE_TEXT ? NOT_FOUND : NEED_MORE;
}

static bool starts_envelope(const char *p, size_t n, const char *tag)
{
    size_t k = strlen(tag);
    return n > k && memcmp(p, tag, k) == 0 && !is_letter_or_digit(p[k]) && !is_blank(p[k]);
}

/* Looks for the next interchange from r->from on. */
static enum found find_syntax(struct edi_reader *r, bool last)
{
    for (;;) {
        const char *p = r->buf + r->from;
        size_t n = r->n - r->from;
        enum found found = NOT_FOUND;
        if (r->garbage) {
            while (n > 3 && !starts_envelope(p, n, "ISA"))
                p++, n--;
            r->from = (size_t)(p - r->buf);
            if (n <= 3)
                return last ? NOT_FOUND : NEED_MORE;
        }
        if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
            find(r, FINDING_FILE_BOM, NULL, 0, "the file begins with a byte order mark", "ISA at the first byte");
            r->from += 3;
            continue;
        }
        /* behind an interchange its terminator may stand once more */
        if (n && (is_blank(*p) || (r->in.interchanges && *p == r->syntax.terminator))) {
            r->from++;
            continue;
        }
        if (n < 4)
            return last ? NOT_FOUND : NEED_MORE;
        if (starts_envelope(p, n, "ISA")) {
            found = isa_syntax(p, n, last, &r->syntax);
            if (found == NOT_FOUND)
                find(r, FINDING_INTERCHANGE_ELEMENT_SEPARATOR, NULL, 0, "the ISA has no usable delimiters",
                     "16 elements, then the component separator and the segment terminator");
        } else if (starts_envelope(p, n, "GS") || starts_envelope(p, n, "ST") || starts_envelope(p, n, "TA1")) {
            found = bare_syntax(p, n, last, &r->syntax);
        }
        if (found == FOUND) {
            r->started = r->has_syntax = true;
            r->garbage = r->garbage_told = false;
            r->syntax_at = r->base_offset + r->from;
            return FOUND;
        }
        if (found == NEED_MORE)
            return NEED_MORE;
        if (n < 16 && !last)
            return NEED_MORE;
        if (!r->garbage_told && !r->stopped) {
            char words[120], bytes[70];
            safe_text(r, slice(p, n < 16 ? n : 16), 16, bytes, sizeof(bytes));
            snprintf(words, sizeof(words), "these bytes belong to no interchange: %.60s", bytes);
            find(r, FINDING_FILE_GARBAGE, NULL, 0, words, "an interchange that begins with ISA");
            r->garbage_told = true;
        }
        r->started = true;
        /* go on behind, at the next ISA */
        r->garbage = true;
        r->from++;
    }
}

/* ---- the walk ---- */

static void too_large(struct edi_reader *r, const char *found, const char *expected)
{
    find(r, FINDING_SEGMENT_TOO_LARGE, NULL, 0, found, expected);
    r->deaf = true;
    r->from = r->n;
}

static int grow(struct edi_reader *r)
{
    size_t room = r->room * 2;
    char *buf;
    if (room > LIMIT_SEGMENT * 2) {
        too_large(r, "the segment has no end", "a segment terminator");
        return 0;
    }
    buf = realloc(r->buf, room + PADDING);
    if (!buf)
        return stop(r, err_nomem(r->err));
    memset(buf + r->room, 0, room + PADDING - r->room);
    r->buf = buf;
    r->room = room;
    return 0;
}

enum walk { WALK_DONE, WALK_AGAIN, WALK_MORE };

static bool same_syntax(const struct edi_reader *r, const struct segment *s)
{
    struct edi_syntax x;
    const char *p = s->base + s->start;
    size_t n = r->n - (size_t)(p - r->buf);
    return s->at[0] - s->start == 3 && s->n == 16 && isa_syntax(p, n, true, &x) == FOUND &&
           memcmp(&x, &r->syntax, sizeof(x)) == 0;
}

/* BIN*length*data and BDS*filter*length*data: the data may hold anything. s is what the index took for the
 * segment; `block` is how many bytes of it there are. */
static enum walk take_binary(struct edi_reader *r, const struct segment *s, size_t *from, bool last)
{
    unsigned length_at = s->base[s->start + 1] == 'I' ? 1 : 2;
    uint32_t at[4] = { s->at[0], 0, 0, 0 };
    struct segment whole = { s->base, at, s->start, length_at + 1, SEGMENT_ESCAPE };
    size_t start = (size_t)(s->base - r->buf), data, end;
    uint64_t length;

    if (s->n <= length_at || !slice_number(segment_element(s, length_at), MOST_BINARY, &length)) {
        find(r, FINDING_BINARY_LENGTH, s, length_at, "is not a length", "the number of bytes of the binary element");
        take_segment(r, s);
        return WALK_DONE;
    }
    for (unsigned k = 1; k <= length_at; k++)
        at[k] = s->at[k];
    data = start + s->at[length_at] + 1;
    end = data + (size_t)length;
    if (length < LIMIT_SEGMENT && end + 1 > r->n && !last && !r->joined) {
        *from = start + s->start;
        return WALK_MORE;
    }
    if (length >= LIMIT_SEGMENT) { /* not kept: the data pass by */
        uint64_t here = r->n - data;
        r->document.segments++;
        r->skip = length > here ? length - here : 0;
        r->skip_terminator = true;
        *from = length > here ? r->n : end;
        return WALK_AGAIN;
    }
    if (end + 1 > r->n || r->buf[end] != r->syntax.terminator) {
        find(r, FINDING_BINARY_LENGTH, s, length_at, "does not lead to a segment terminator", "the length of the data");
        take_segment(r, s);
        return WALK_DONE;
    }
    at[length_at + 1] = (uint32_t)(end - start);
    take_segment(r, &whole);
    *from = end + 1;
    return WALK_AGAIN;
}

/* Does a segment begin at p: a trailer, or what may stand in the document whose guide it is, and an element separator? */
static bool begins_segment(const struct edi_reader *r, const struct guide *guide, const char *p, const char *end)
{
    size_t n = 0;
    uint32_t key = 0;
    while (n < 4 && p + n < end && p[n] != r->syntax.element)
        n++;
    if (n < 2 || n > 3 || p + n >= end)
        return false;
    memcpy(&key, p, n);
    return key == TAG2('S', 'E') || key == TAG2('G', 'E') || key == TAG3('I', 'E', 'A') ||
           (guide && guide_tag(guide, key) >= 0 && key != TAG2('S', 'T'));
}

/* The next line between p and end that begins like a segment, NULL when none does. */
static const char *next_line(const struct edi_reader *r, const struct guide *guide, const char *p, const char *end)
{
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        while (p < end && is_blank(*p))
            p++;
        if (begins_segment(r, guide, p, end))
            return p;
    }
    return NULL;
}

/* A segment with line breaks inside. Where the next line begins like a segment of the document, or a trailer, the
 * terminator was forgotten: the line break stands for it. Behind an IEA, all is looked at anew. */
static int take_broken(struct edi_reader *r, const struct segment *whole)
{
    uint32_t *at = r->index.delimiter + (whole->at - r->index.delimiter);
    const char *const base = whole->base, *const end = base + whole->at[whole->n];
    const bool lost = r->lost_terminator && end == r->buf + r->n - 1;
    uint32_t start = whole->start;
    unsigned n = whole->n;

    for (;;) {
        const char *p = base + start, *next = NULL;
        bool se = at[0] - start == 2 && memcmp(p, "SE", 2) == 0, ge = at[0] - start == 2 && memcmp(p, "GE", 2) == 0;
        bool iea = at[0] - start == 3 && memcmp(p, "IEA", 3) == 0, inside = r->level == IN_DOCUMENT && !se && !ge;
        struct segment part = { base, at, start, n, whole->flags };
        uint32_t kept = 0;
        if (!iea)
            next = next_line(r, inside ? r->document.guide : NULL, base + at[0], end);
        if (next) {
            size_t stop = (size_t)(next - base);
            while (is_blank(base[stop - 1]))
                stop--;
            for (part.n = 0; at[part.n] < stop; part.n++)
                ;
            kept = at[part.n];
            at[part.n] = (uint32_t)stop;
        }
        r->from = (size_t)(p - r->buf);
        if (ge || iea)
            close_document_early(r);
        if (next || lost) {
            r->document.segments++; /* it speaks of the one to come */
            find(r, FINDING_TERMINATOR_MISSING, &part, 0, "ends at a line break", "a segment terminator");
            r->document.segments--;
        }
        if (!r->stopped) {
            if (se)
                take_se(r, &part);
            else if (ge)
                take_ge(r, &part);
            else if (iea)
                take_iea(r, &part);
            else if (r->level == IN_DOCUMENT)
                take_segment(r, &part);
            else
                take_outside(r, &part);
        }
        if (!next || r->stopped)
            return r->stopped;
        at[part.n] = kept;
        at += part.n;
        n -= part.n;
        start = (uint32_t)(next - base);
    }
}

static void tell_layout(struct edi_reader *r, const struct segment *s, uint32_t from)
{
    /* what lies between interchanges belongs to none */
    for (uint32_t i = from; i < s->start && !r->blanks_told && r->level != OUTSIDE; i++)
        if (s->base[i] != '\n' && s->base[i] != '\r') {
            find(r, FINDING_FILE_BLANKS, s, 0, "blanks stand before the segment", "segments behind each other");
            r->blanks_told = true;
        }
}

/* Does a document end before this segment, whether it has its SE or not? */
static bool begins_envelope(const struct segment *s)
{
    static const char *const tags[] = { "ST", "GE", "GS", "IEA" };
    for (unsigned i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
        if (slice_is(segment_tag(s), tags[i]))
            return true;
    return starts_envelope(s->base + s->start, s->at[s->n] - s->start, "ISA");
}

/* How much of a block the index has room for: it does not grow with a segment, for most of a large one is text. False:
 * there is no whole segment in the block, or one that nobody can mean. */
static bool fit_index(struct edi_reader *r, const char *base, size_t *n_r)
{
    const char *end = memrchr(base, r->syntax.terminator, r->index.room), *p = base;
    size_t delimiters = 0;
    if (end) {
        *n_r = (size_t)(end - base) + 1;
        return true;
    }
    end = memchr(base, r->syntax.terminator, *n_r);
    if (!end)
        return false;
    while (delimiters < r->index.room && (p = memchr(p, r->syntax.element, (size_t)(end - p))) != NULL) {
        p++;
        delimiters++;
    }
    *n_r = (size_t)(end - base) + 1;
    if (delimiters < r->index.room)
        return true;
    too_large(r, "the segment has too many elements", "fewer");
    return false;
}

/* Walks the segments of the block that starts at r->from. Leaves r->from behind what is done. */
static enum walk walk(struct edi_reader *r, bool last)
{
    const size_t origin = r->from;
    const char *base = r->buf + origin;
    const struct lexer_index *x = &r->index;
    size_t n = r->n - origin;
    uint32_t d = 0, from = 0;
    const bool line_terminator = r->syntax.terminator == '\n' || r->syntax.terminator == '\r';

    /* what lies in documents is not for this reader: the envelopes between them are short */
    if (r->options.run && n > 4096 && r->level != IN_DOCUMENT && memchr(base, r->syntax.terminator, 4096))
        n = 4096;
    if (__builtin_expect(n > x->room, 0) && !fit_index(r, base, &n))
        return WALK_DONE;
    r->lex(&r->index, base, n, &r->syntax);
    if (r->lost_terminator && x->n_segments && base + n == r->buf + r->n)
        x->end[x->n_segments - 1] |= SEGMENT_ESCAPE; /* the line break that was there */
    for (uint32_t i = 0; i < x->n_segments; i++) {
        uint32_t number = x->end[i] >> SEGMENT_FLAG_BITS;
        struct segment s = { base, x->delimiter + d, from, number - d, x->end[i] & ((1u << SEGMENT_FLAG_BITS) - 1) };
        uint32_t end = x->delimiter[number], tag = 0;

        while (s.start < s.at[0] && is_blank(base[s.start]))
            s.start++;
        r->from = origin + s.start;
        if (s.start != from && __builtin_expect(!(s.start == from + 1 && base[from] == '\n'), 0)) {
            if (r->level == IN_DOCUMENT && begins_envelope(&s))
                close_document_early(r); /* the blanks are not its own */
            tell_layout(r, &s, from);
        }
        d = number + 1;
        if (s.start == end) {
            if (!line_terminator && !r->empty_told && r->level != OUTSIDE) {
                find(r, FINDING_FILE_EMPTY_SEGMENT, &s, 0, "there is nothing between two terminators", "a segment");
                r->empty_told = true;
            }
            from = end + 1;
            r->from = origin + from;
            continue;
        }
        memcpy(&tag, base + s.start, 4);
        tag &= s.at[0] - s.start >= 4 ? UINT32_MAX : (1u << (8 * (s.at[0] - s.start))) - 1;
        /* a NUL in it must not make it look like a shorter one */
        if (__builtin_expect(s.flags & SEGMENT_ESCAPE, 0) && memchr(base + s.start, 0, s.at[0] - s.start))
            tag = UINT32_MAX;
        /* behind an interchange other delimiters may be in force */
        if (__builtin_expect(r->level == OUTSIDE, 0) && r->in.interchanges && !r->joined &&
            r->base_offset + r->from != r->syntax_at &&
            !starts_envelope(base + s.start, end - s.start, "ISA")) {
            r->has_syntax = false;
            return WALK_AGAIN;
        }
        switch (tag) {
        case TAG2('S', 'T'):
            if (r->options.run) {
                r->from = origin + s.start;
                open_for_document(r);
                return r->stopped ? WALK_DONE : WALK_AGAIN;
            }
            take_st(r, &s);
            break;
        case TAG2('S', 'E'):
            if (s.flags & SEGMENT_ESCAPE && !line_terminator)
                take_broken(r, &s);
            else
                take_se(r, &s);
            break;
        case TAG2('G', 'S'):
            take_gs(r, &s);
            break;
        case TAG2('G', 'E'):
            if (s.flags & SEGMENT_ESCAPE && !line_terminator)
                take_broken(r, &s);
            else
                take_ge(r, &s);
            break;
        case TAG3('I', 'E', 'A'):
            take_iea(r, &s);
            break;
        case TAG3('B', 'I', 'N'):
        case TAG3('B', 'D', 'S'):
            if (r->level == IN_DOCUMENT) {
                size_t next = origin + end + 1;
                enum walk w = take_binary(r, &s, &next, last);
                if (w != WALK_DONE) {
                    r->from = next;
                    return r->stopped ? WALK_DONE : w;
                }
                break;
            }
            take_outside(r, &s);
            break;
        default:
            if (r->level == IN_DOCUMENT && (((tag & 0xffffff) != TAG3('I', 'S', 'A') && tag != UINT32_MAX) ||
                                            !starts_envelope(base + s.start, end - s.start, "ISA"))) {
                if (s.flags & SEGMENT_ESCAPE && !line_terminator)
                    take_broken(r, &s);
                else
                    take_segment(r, &s);
            } else if (starts_envelope(base + s.start, end - s.start, "ISA")) {
                r->from = origin + s.start;
                if (!same_syntax(r, &s)) {
                    close_interchange_early(r);
                    r->has_syntax = false;
                    return WALK_AGAIN;
                }
                take_isa(r, &s);
            } else {
                take_outside(r, &s);
            }
        }
        from = end + 1;
        r->from = origin + from;
        if (r->stopped)
            return WALK_DONE;
    }
    return n < r->n - origin && x->n_segments ? WALK_AGAIN : WALK_DONE;
}

/* Counts the lines of the first n bytes of the buffer, which are about to go. */
static void pass_lines(struct edi_reader *r, size_t n)
{
    const char *last = memrchr(r->buf, '\n', n);
    if (last) {
        r->base_line += count_lines(r->buf, n);
        r->line_start = r->base_offset + (uint64_t)(last - r->buf) + 1;
    }
}

/* Forgets what is done and moves the rest to the front. */
static void compact(struct edi_reader *r)
{
    size_t done = r->from;
    if (done == 0)
        return;
    pass_lines(r, done);
    memmove(r->buf, r->buf + done, r->n - done);
    r->base_offset += done;
    r->n -= done;
    r->from = 0;
}

static void drop_skipped(struct edi_reader *r)
{
    size_t n = r->n - r->from;
    if (r->skip) {
        if (n > r->skip)
            n = (size_t)r->skip;
        r->skip -= n;
        r->from += n;
    }
    if (r->skip == 0 && r->skip_terminator && r->from < r->n) {
        if (r->buf[r->from] == r->syntax.terminator)
            r->from++;
        else
            find(r, FINDING_BINARY_LENGTH, NULL, 0, "no segment terminator follows the binary data", "one");
        r->skip_terminator = false;
    }
}

/* ---- runs of documents, for other readers ---- */

/* Is this the tag of the segment that starts at p? */
static inline bool is_tag(const struct edi_reader *r, const char *p, const char *tag)
{
    size_t k = tag[2] ? 3 : 2;
    if (p[0] != tag[0] || p[1] != tag[1] || (size_t)(r->buf + r->n - p) <= k) /* there is padding behind the buffer */
        return false;
    return (k == 2 || p[2] == tag[2]) && (p[k] == r->syntax.element || p[k] == r->syntax.terminator);
}

/* Where the segment at p ends (behind its terminator), NULL when that is not in the buffer. Of a binary segment that
 * is too long to wait for: where its data begin, and in *skip_r how many bytes they are. */
static const char *segment_end(const struct edi_reader *r, const char *p, bool last, uint64_t *skip_r)
{
    const char separator = r->syntax.element, *end = r->buf + r->n;
    const char *t = memchr(p, r->syntax.terminator, (size_t)(end - p));
    bool bin = t && p[0] == 'B' && t - p > 4 && p[3] == separator;
    *skip_r = 0;
    if (bin && ((p[1] == 'I' && p[2] == 'N') || (p[1] == 'D' && p[2] == 'S'))) {
        const char *length = p + 4, *stop;
        uint64_t n;
        if (p[1] == 'D' && !(length = memchr(length, separator, (size_t)(t - length))))
            return t + 1;
        length += p[1] == 'D';
        stop = memchr(length, separator, (size_t)(t - length));
        if (stop && slice_number(slice(length, (size_t)(stop - length)), MOST_BINARY, &n)) {
            if (n >= LIMIT_SEGMENT) {
                *skip_r = n;
                return stop + 1;
            }
            if ((uint64_t)(end - stop) < n + 2)
                return last ? t + 1 : NULL;
            if (stop[1 + n] == r->syntax.terminator)
                return stop + n + 2;
        }
    }
    return t ? t + 1 : NULL;
}

static int hand_over_run(struct edi_reader *r, struct edi_run *run, size_t start, size_t end, bool ends)
{
    int answer;
    if (end <= start && !(ends && r->run_open))
        return 0;
    run->p = r->buf + start;
    run->n = end - start;
    run->ends = ends;
    run->offset = r->base_offset + start;
    run->line = r->base_line;
    run->line_start = r->line_start;
    run->blanks_told = r->blanks_told;
    run->empty_told = r->empty_told;
    r->blanks_told |= r->blank_at < end;
    r->empty_told |= r->empty_at < end;
    const char *last = memrchr(r->buf, '\n', start);
    if (last) {
        run->line += count_lines(r->buf, start);
        run->line_start = r->base_offset + (uint64_t)(last - r->buf) + 1;
    }
    answer = r->options.run(r->options.run_ctx, r, run);
    r->in.documents += run->documents;
    r->in.group.documents += run->documents;
    r->run_open = !ends;
    *run = (struct edi_run){ .begins = true };
    r->from = end;
    return answer < 0 ? stop(r, answer) : 0;
}

/* Notes what the reader of the run will tell, so that it is told once. */
static void note_layout(struct edi_reader *r, size_t from, size_t start, size_t end)
{
    bool line_terminator = r->syntax.terminator == '\n' || r->syntax.terminator == '\r';
    for (size_t i = from; i < start && r->blank_at == SIZE_MAX; i++)
        if (r->buf[i] != '\n' && r->buf[i] != '\r')
            r->blank_at = i;
    if (end == start + 1 && !line_terminator && r->empty_at == SIZE_MAX)
        r->empty_at = start;
}

/* An ST: is its number new in the group or has it been used there (or is there none), is its set new there? */
static void look_at_st(struct edi_reader *r, const char *p, const char *next, bool *fresh_r, bool *used_r, bool *new_r)
{
    struct slice rest = slice(p, (size_t)(next - p) - 1), set, number;
    bool more;
    slice_cut(rest, r->syntax.element, &rest, &more);
    set = slice_cut(rest, r->syntax.element, &rest, &more);
    number = slice_cut(rest, r->syntax.element, &rest, &more);
    *fresh_r = number.n && numbers_add(&r->numbers, number.n > ENVELOPE_TEXT ? slice(number.p, ENVELOPE_TEXT) : number);
    *used_r = number.n && !*fresh_r;
    *new_r = is_new_set(r, set);
}

/* Is what follows the last whole segment the beginning of a GE or IEA? Then it is this reader's. */
static bool is_outer_trailer(const struct edi_reader *r, size_t at)
{
    const char *p = r->buf + at;
    return starts_envelope(p, r->n - at, "GE") || starts_envelope(p, r->n - at, "IEA");
}

/* A segment of a document, up to its terminator: the line in it that is a trailer whose segment before has lost its
 * terminator, as take_broken() sees it; NULL when there is none. *newline_r: where to look for line breaks next. */
static const char *lost_line(const struct edi_reader *r, const char *p, const char *end, size_t *newline_r)
{
    static const char *const whole[] = { "ST", "GS", "IEA", "BIN", "BDS" };
    const char *line, *separator;
    if ((size_t)(p - r->buf) >= *newline_r) {
        line = memchr(p, '\n', (size_t)(r->buf + r->n - p));
        *newline_r = line ? (size_t)(line - r->buf) : r->n;
        if (!line || line >= end)
            return NULL;
    }
    if (r->syntax.terminator == '\n' || r->syntax.terminator == '\r' || starts_envelope(p, (size_t)(end - p), "ISA"))
        return NULL;
    for (unsigned i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
        if (is_tag(r, p, whole[i]))
            return NULL;
    separator = memchr(p, r->syntax.element, (size_t)(end - p));
    return separator ? next_line(r, NULL, separator, end) : NULL;
}

/* Hands over the documents that start at r->from. WALK_AGAIN: something else follows them. */
static enum walk split_documents(struct edi_reader *r, bool last)
{
    size_t start = r->from, whole = r->from, whole_end = r->from, at = r->from;
    struct edi_run run = { .begins = !r->run_open };
    bool open = r->run_open, counted = false, fresh = false, new_set = false;
    bool lost = false;                  /* the segment before is ended by a line break */
    size_t newline = start;             /* none between start and it */

    r->blank_at = r->empty_at = SIZE_MAX;
    for (;;) {
        const char *p, *next;
        size_t blanks = at;
        if (r->run_skip || r->run_skip_terminator) {
            uint64_t n = r->n - at < r->run_skip ? r->n - at : r->run_skip;
            at += (size_t)n;
            r->run_skip -= n;
            if (at == r->n) {
                run.last = last;
                hand_over_run(r, &run, start, at, last);
                return WALK_DONE;
            }
            at += r->buf[at] == r->syntax.terminator;
            r->run_skip_terminator = false;
            continue;
        }
        while (at < r->n && is_blank(r->buf[at]) && r->buf[at] != r->syntax.terminator)
            at++;
        p = r->buf + at;
        next = at < r->n ? segment_end(r, p, last, &r->run_skip) : NULL;
        if (!next)
            break;
        const bool behind_lost = lost;
        lost = false;
        if (newline < (size_t)(next - r->buf) && (open || is_tag(r, p, "SE"))) {
            const char *line = lost_line(r, p, next - 1, &newline);
            if (line && r->run_skip == 0) {
                next = line;
                lost = true;
            }
        }
        if (is_tag(r, p, "ST")) {
            bool used;
            look_at_st(r, p, next, &fresh, &used, &new_set);
            if (open) /* an SE is missing: the other reader will find out */
                whole = blanks, whole_end = at;
            if (used || new_set) {
                if (hand_over_run(r, &run, start, at, true) < 0)
                    return WALK_DONE;
                r->from = start = whole = whole_end = blanks;
                run.duplicate = used;
                run.new_set = new_set;
            }
            open = counted = true;
            run.documents++;
        } else if (is_tag(r, p, "SE")) {
            open = false;
            whole = whole_end = (size_t)(next - r->buf);
        } else if (next > p + 1 && (!open || ((*p == 'G' || *p == 'I') &&
                                              (is_tag(r, p, "GE") || is_tag(r, p, "GS") || is_tag(r, p, "IEA") ||
                                               starts_envelope(p, (size_t)(next - 1 - p), "ISA"))))) {
            r->run_skip = 0;
            run.lost_terminator = behind_lost;
            hand_over_run(r, &run, start, at, true);
            r->from = behind_lost ? at : blanks;
            return r->stopped ? WALK_DONE : WALK_AGAIN;
        }
        r->run_skip_terminator = r->run_skip > 0;
        note_layout(r, behind_lost ? at : blanks, at, (size_t)(next - r->buf));
        at = (size_t)(next - r->buf);
        if (at == whole && !lost && whole - start >= RUN_BYTES) {
            if (hand_over_run(r, &run, start, whole, true) < 0)
                return WALK_DONE;
            start = whole;
            counted = false;
        }
    }
    if (last && open) { /* the file ends inside a document */
        bool outer = at < r->n && is_outer_trailer(r, at);
        run.last = !outer;
        hand_over_run(r, &run, start, outer ? at : r->n, true);
    } else if (open && at - whole >= LIMIT_CHUNK) { /* too large to wait for its end */
        hand_over_run(r, &run, start, at, false);
    } else {
        if (open && counted) { /* it is looked at again when more of it is there */
            run.documents--;
            if (fresh)
                numbers_forget(&r->numbers);
            r->n_sets_seen -= new_set;
        }
        /* what lies before the next document is told with it */
        if (r->blank_at >= whole)
            r->blank_at = SIZE_MAX;
        if (r->empty_at >= whole)
            r->empty_at = SIZE_MAX;
        if (whole > start && hand_over_run(r, &run, start, whole_end, true) == 0)
            r->from = whole;
    }
    return WALK_DONE;
}

static bool at_document(const struct edi_reader *r)
{
    size_t at = r->from;
    if (!r->options.run || r->level != IN_GROUP)
        return false;
    while (at < r->n && is_blank(r->buf[at]))
        at++;
    return r->run_open || is_tag(r, r->buf + at, "ST");
}

static void move_slices(struct slice *s, unsigned n, const char *from, const char *to)
{
    for (unsigned i = 0; i < n; i++)
        if (s[i].p)
            s[i].p = to + (s[i].p - from);
}

void edi_context_copy(struct edi_context *to, const struct edi_context *from)
{
    *to = *from;
    move_slices(to->interchange.element, ISA_ELEMENTS + 1, from->isa_text, to->isa_text);
    move_slices(&to->interchange.control, 1, from->isa_text, to->isa_text);
    move_slices(to->group.element, GS_ELEMENTS + 1, from->gs_text, to->gs_text);
    to->group.control = to->group.element[6];
    to->group.version = to->group.implied ? to->interchange.element[12] : to->group.element[8];
}

const struct edi_context *edi_reader_context(const struct edi_reader *r)
{
    return &r->in;
}

void edi_reader_join(struct edi_reader *r, const struct edi_context *from)
{
    edi_context_copy(&r->in, from);
    r->syntax = from->interchange.syntax;
    r->has_syntax = r->started = r->joined = true;
    r->level = IN_GROUP;
}

/* What is left is a segment without its terminator, or half a segment. True: the terminator was put behind it. */
static bool take_rest(struct edi_reader *r)
{
    size_t end = r->n, from = r->from;
    struct slice rest;
    bool outer;
    while (from < end && is_blank(r->buf[from]))
        from++;
    while (end > from && is_blank(r->buf[end - 1]))
        end--;
    rest = slice(r->buf + from, end - from);
    r->from = from;
    if (rest.n == 0)
        return false;
    outer = is_outer_trailer(r, from);
    if (rest.n <= 3 || (!outer && !starts_envelope(rest.p, rest.n, "SE"))) {
        char words[60];
        snprintf(words, sizeof(words), "the last %zu bytes are no whole segment", rest.n);
        find(r, FINDING_FILE_TRUNCATED, NULL, 0, words, "a segment terminator");
        if (r->level == IN_DOCUMENT)
            r->document.errors++;
        r->from = r->n;
        return false;
    }
    if (outer)
        close_document_early(r);
    find(r, FINDING_FILE_LAST_TERMINATOR, NULL, 0, "the last segment is not terminated", "the segment terminator");
    r->n = end;
    r->buf[r->n++] = r->syntax.terminator; /* the padding has room for it */
    return true;
}

static void end_binary(struct edi_reader *r)
{
    if (r->skip && !r->stopped)
        find(r, FINDING_BINARY_LENGTH, NULL, 0, "the file ends inside binary data", "the rest of it");
    r->skip = 0;
    r->skip_terminator = false;
}

static void walk_run(struct edi_reader *r, bool last)
{
    while (r->from < r->n && !r->stopped) {
        size_t before = r->from;
        drop_skipped(r);
        if (r->skip || r->skip_terminator || walk(r, last) != WALK_AGAIN)
            break;
        if (r->from == before) { /* an ISA with other delimiters: no run holds one, if it is not a part of wrong data */
            find(r, FINDING_INTERCHANGE_STRUCTURE, NULL, 0, "an ISA inside a transaction set", "SE, GE and IEA before");
            break;
        }
    }
}

int edi_reader_run(struct edi_reader *r, const struct edi_run *run, struct err *err)
{
    char *own = r->buf, line_break = 0;
    if (r->stopped)
        return r->stopped;
    r->err = err;
    r->buf = run->p;
    r->n = run->n;
    r->from = 0;
    r->base_offset = run->offset;
    r->base_line = run->line;
    r->line_start = run->line_start;
    r->duplicate = run->duplicate;
    r->new_set = run->new_set;
    r->blanks_told = run->blanks_told;
    r->empty_told = run->empty_told;
    if (run->lost_terminator) {
        while (is_blank(r->buf[r->n - 1]))
            r->n--;
        line_break = r->buf[r->n];
        r->buf[r->n++] = r->syntax.terminator;
        r->lost_terminator = true;
    }
    walk_run(r, run->last);
    if (run->lost_terminator) {
        r->buf[r->n - 1] = line_break;
        r->n = run->n;
        r->lost_terminator = false;
    }
    if (run->last && !r->stopped && take_rest(r))
        walk_run(r, true);
    if (run->last)
        end_binary(r);
    if (run->ends && !r->stopped) {
        r->from = r->n;
        close_document_early(r);
    }
    r->buf = own;
    r->n = r->from = 0;
    return r->stopped;
}

static int process(struct edi_reader *r, bool last)
{
    bool again = true;
    while (again && !r->stopped) {
        again = false;
        if (r->deaf) {
            r->from = r->n;
            break;
        }
        drop_skipped(r);
        if (r->skip || r->skip_terminator)
            break;
        if (!r->has_syntax && find_syntax(r, last) != FOUND) {
            if (last)
                r->from = r->n;
            break;
        }
        if (r->from < r->n || (last && r->run_open)) {
            enum walk w = at_document(r) ? split_documents(r, last) : walk(r, last);
            again = w == WALK_AGAIN;
            /* the next interchange may have other delimiters: the old ones may never come */
            if (!again && r->level == OUTSIDE && r->in.interchanges && r->from < r->n && !r->stopped) {
                r->has_syntax = false;
                again = true;
            }
        }
    }
    if (r->stopped)
        return r->stopped;
    compact(r);
    if (r->n == r->room)
        return grow(r);
    return 0;
}

char *edi_reader_space(struct edi_reader *r, size_t *n_r)
{
    size_t n = r->room - r->n;
    *n_r = n < LIMIT_CHUNK ? n : LIMIT_CHUNK;
    return r->buf + r->n;
}

int edi_reader_filled(struct edi_reader *r, size_t n, struct err *err)
{
    const char *fresh = r->buf + r->n;
    if (r->stopped)
        return r->stopped;
    r->err = err;
    r->n += n;
    /* a long segment that arrives in small pieces is not indexed again for each */
    if (r->has_syntax && !r->skip && !r->skip_terminator && !r->deaf && r->n < r->room &&
        !memchr(fresh, r->syntax.terminator, n))
        return 0;
    return process(r, false);
}

int edi_reader_feed(struct edi_reader *r, struct slice bytes, struct err *err)
{
    int result = 0;
    while (bytes.n && result == 0) {
        size_t n;
        char *to = edi_reader_space(r, &n);
        if (n > bytes.n)
            n = bytes.n;
        memcpy(to, bytes.p, n);
        bytes = slice_from(bytes, n);
        result = edi_reader_filled(r, n, err);
    }
    return result;
}

int edi_reader_end(struct edi_reader *r, struct err *err)
{
    if (r->stopped)
        return r->stopped;
    r->err = err;
    process(r, true);
    if (!r->stopped && r->has_syntax && !r->deaf) {
        if (r->level == OUTSIDE)
            r->has_syntax = false;
        struct edi_place end;
        size_t from = r->from;
        r->from = r->n;
        fill_place(r, NULL, &end);
        r->from = from;
        if (r->level == OUTSIDE) {
            process(r, true);
        } else if (take_rest(r)) {
            process(r, true);
            /* the terminator that was put there is not in the file */
            r->base_offset = r->known.offset = end.offset;
            r->base_line = r->known.line = end.line;
            r->line_start = r->known.line_start = end.offset + 1 - end.column;
        }
    }
    end_binary(r);
    if (!r->stopped && r->level != OUTSIDE)
        close_interchange_early(r);
    if (!r->stopped && r->in.interchanges == 0 && !r->garbage)
        find(r, FINDING_FILE_EMPTY, NULL, 0, r->started || r->base_offset + r->n ? "there is no interchange in it" : "the file is empty", "an interchange that begins with ISA");
    return r->stopped;
}
