/*
 * reader: see reader.h.
 *
 * The buffer holds one chunk and what was left of the one before. It is indexed as a whole, then walked segment
 * by segment: inside a document by the checker, outside by the functions for the envelopes, which also decide
 * when the delimiters change. What lies in a document is never looked at twice. Findings are handed over in
 * reader_findings.c; runs.c cuts documents out for other readers and reads theirs.
 *
 * Sources: X12.5 (interchange control structures), X12.6 (application control structure), X12.22 (segments); ISO 9735
 * versions 1 to 3, ISO 9735-1 and -8 version 4.
 */
#include "edi/reader_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "edi/delimiters.h"

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
    r->dialect = r->in.interchange.dialect = &dialect_x12;
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
    r->checker = (struct checker){ .remark = reader_document_remark, .ctx = r, .syntax = &r->syntax, .mark = '.',
                                   .structure_only = options->structure_only };
    r->outside = (struct checker){ .remark = reader_envelope_remark, .ctx = r, .mark = '.' };
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
    rewritten_deinit(&r->copy);
    free(r->buf);
    free(r);
    *reader = NULL;
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
    /* an ISA holds separators as data */
    r->outside.syntax = r->dialect == &dialect_x12 ? &no_parts : &r->syntax;
    r->outside.stopped = 0;
    r->outside.short_dates = r->dialect == &dialect_x12 && code == FINDING_GROUP_SYNTAX &&
                             check_has_short_dates(r->in.group.version);
    r->outside_code = code;
    check_elements(&r->outside, s, def);
    if (r->outside.stopped)
        reader_stop(r, r->outside.stopped);
}

/* ---- envelopes ---- */

/* Keeps a segment's text and its first `most` elements beyond the block's life. Returns how many of them it has. */
static unsigned keep_elements(const struct segment *s, char *text, struct slice *element, unsigned most)
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
    return s->n < most ? s->n : most;
}

static int call(struct edi_reader *r, int answer)
{
    return answer < 0 ? reader_stop(r, answer) : r->stopped;
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

/* "an SE", "a GE": as the first letter is spoken. */
static const char *article(const char *tag)
{
    return strchr("AEFHILMNORSX", tag[0]) ? "an" : "a";
}

/* A trailer that did not come. */
static void find_no_trailer(struct edi_reader *r, enum finding_code code, enum dialect_level level)
{
    const char *tag = r->dialect->level[level].end;
    char expected[80];
    struct finding f = { .code = code, .tag = slice_of(tag), .missing = true, .found = "missing", .expected = expected };
    snprintf(expected, sizeof(expected), "%s %s segment at the end of the %s", article(tag), tag,
             level == DIALECT_DOCUMENT ? r->dialect->document : level == DIALECT_GROUP ? "group" : "interchange");
    reader_hand_over(r, NULL, &f);
}

int reader_close_document_early(struct edi_reader *r)
{
    if (r->level != IN_DOCUMENT)
        return r->stopped;
    find_no_trailer(r, FINDING_SET_TRAILER, DIALECT_DOCUMENT);
    return close_document(r);
}

static int close_group(struct edi_reader *r)
{
    reader_close_document_early(r);
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
        reader_close_document_early(r);
        find_no_trailer(r, FINDING_GROUP_TRAILER, DIALECT_GROUP);
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
    if (r->level == IN_INTERCHANGE && r->in.interchange.control.n)
        find_no_trailer(r, FINDING_INTERCHANGE_TRAILER, DIALECT_INTERCHANGE);
    return close_interchange(r);
}

/* The guide of the envelopes, by ISA12: GS of an older version in it is the same segment. Of EDIFACT by the version of the
 * syntax. */
static int find_envelope(struct edi_reader *r)
{
    struct slice version = r->in.interchange.version;
    int result;
    if (r->dialect == &dialect_x12) {
        if (version.n != 5 && version.n != 6)
            version = slice_of("00401");
        result = guides_find(r->options.guides, slice_of("x12"), version, slice_of("interchange"), r->options.complaints,
                             &r->in.envelope, r->err);
    } else {
        char id[] = "edifact/syntax-3/interchange";
        if (version.n == 1 && version.p[0] >= '1' && version.p[0] <= '4')
            id[15] = version.p[0];
        result = guides_by_id(r->options.guides, slice_of(id), r->options.complaints, &r->in.envelope, r->err);
    }
    if (result == ERR_MISSING)
        return reader_stop(r,
                           err_set(r->err, ERR_MISSING,
                                   "no guide for the %s envelopes: is the maps directory right?", r->dialect->name));
    return result < 0 ? reader_stop(r, result) : 0;
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

/* s: its ISA or UNB; NULL: there is none. */
static int open_interchange(struct edi_reader *r, const struct segment *s)
{
    struct edi_interchange *i = &r->in.interchange;
    memset(i, 0, sizeof(*i));
    i->dialect = r->dialect;
    i->ordinal = ++r->in.interchanges;
    i->syntax = r->syntax;
    i->ta1 = "000";
    i->charset = CHARSET_UTF8;
    i->decimal = r->una.decimal && r->dialect->decimal_comma ? r->una.decimal : '.';
    r->level = IN_INTERCHANGE;
    r->blanks_told = r->empty_told = false;
    r->told_around = (struct told){ 0 };
    numbers_clear(&r->group_numbers);
    for (unsigned k = 0; k <= ENVELOPE_ELEMENTS; k++)
        i->element[k] = slice(r->in.interchange_text, 0);
    if (s) {
        i->offset = r->base_offset + (uint64_t)(s->base + s->start - r->buf);
        if ((r->una.present || r->una.is_wrong) && r->una_at < i->offset)
            i->offset = r->una_at;
        if (r->dialect == &dialect_edifact && !charset_of_syntax(segment_part(s, &r->syntax, 1, 1), &i->charset))
            i->charset = CHARSET_LATIN1; /* IATB and the like */
        reader_set_rewriting(r);
        if (r->dialect == &dialect_edifact && !(s = reader_rewrite(r, s)))
            return r->stopped;
        i->n = keep_elements(s, r->in.interchange_text, i->element, ENVELOPE_ELEMENTS);
        i->flags = s->flags;
        for (unsigned k = 2; k <= 8 && r->dialect == &dialect_x12; k += 2)
            trim_padding(&i->element[k]);
        r->dialect->interchange_facts(i);
    } else {
        reader_set_rewriting(r);
    }
    r->una.present = false;
    r->checker.mark = r->outside.mark = i->decimal;
    r->checker.comma = r->outside.comma = r->dialect->decimal_comma;
    if (find_envelope(r) < 0)
        return r->stopped;
    if (r->sink.interchange)
        call(r, r->sink.interchange(r->sink.ctx, i));
    return r->stopped;
}

/* Has the same sender sent the same receiver an interchange of this number, in this file? */
static bool is_known_interchange(struct edi_reader *r)
{
    const struct edi_interchange *i = &r->in.interchange;
    const struct slice which[] = { i->sender_qualifier, i->sender, i->receiver_qualifier, i->receiver,
                                   slice_trim(i->control) };
    char text[5 * 40] = "i"; /* never a number by itself */
    size_t n = 1;
    for (unsigned k = 0; k < 5; k++) {
        struct slice v = which[k];
        if (v.n > 35)
            v.n = 35;
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s:", SLICE_FMT(v));
    }
    return i->control.n && !numbers_add(&r->interchange_numbers, slice(text, n));
}

/* Partner bytes, made safe, as a C string. */
static void safe_text(struct edi_reader *r, struct slice s, size_t most, char *out, size_t room)
{
    struct buf safe;
    buf_init(&safe, 400);
    buf_add_safe(&safe, s, most);
    snprintf(out, room, "%s", buf_text(&safe));
    if (safe.failed == ERR_NOMEM)
        reader_stop(r, err_nomem(r->err));
    buf_deinit(&safe);
}

/* Is this the sender, or the receiver? */
static bool is_party(const struct edi_reader *r, bool receiver, struct slice qualifier, struct slice id)
{
    const struct edi_interchange *i = &r->in.interchange;
    return slice_eq(receiver ? i->receiver_qualifier : i->sender_qualifier, qualifier) &&
           slice_eq(receiver ? i->receiver : i->sender, id);
}

/* A party that nobody expects: said at its id, or at its qualifier when the id is right. */
static void find_stranger(struct edi_reader *r, const struct segment *s, bool receiver, const char *who,
                          struct slice qualifier, struct slice id)
{
    const struct edi_interchange *i = &r->in.interchange;
    const enum finding_code code = receiver ? FINDING_INTERCHANGE_RECEIVER : FINDING_INTERCHANGE_SENDER;
    bool same_id = slice_eq(receiver ? i->receiver : i->sender, id);
    char found[120], expected[120], party[40];
    struct finding f = { .code = code, .found = found, .expected = expected };

    safe_text(r, receiver ? i->receiver_qualifier : i->sender_qualifier, 20, party, sizeof(party));
    if (same_id)
        snprintf(found, sizeof(found), "is not the qualifier of %s", who);
    else
        snprintf(found, sizeof(found), "with qualifier %s is not %s", party, who);
    snprintf(expected, sizeof(expected), "%.*s:%.*s, as the partner file says", SLICE_FMT(qualifier), SLICE_FMT(id));
    if (r->dialect == &dialect_x12) {
        f.place.element = (receiver ? 7 : 5) + !same_id;
        f.value = slice_trim(segment_element(s, f.place.element));
    } else {
        f.place.element = receiver ? 3 : 2;
        f.place.component = same_id ? 2 : 1;
        f.value = slice_trim(segment_part(s, &r->syntax, f.place.element, f.place.component));
    }
    reader_hand_over(r, s, &f);
    if (f.severity == SEVERITY_ERROR)
        r->in.interchange.foreign = finding_name(code, r->dialect);
}

/* The interchange goes from the partner to us, or from us to the partner. */
static void check_parties(struct edi_reader *r, const struct segment *s)
{
    const struct edi_parties *of_sender = NULL, *first = NULL;
    bool from_us = false;

    for (unsigned i = 0; i < r->options.n_between; i++) {
        const struct edi_parties *p = &r->options.between[i];
        bool from_partner, ours;
        if ((p->dialect ? p->dialect : &dialect_x12) != r->dialect)
            continue;
        if (!first)
            first = p;
        from_partner = is_party(r, false, p->qualifier, p->id);
        ours = !r->options.incoming && is_party(r, false, p->our_qualifier, p->our_id);
        if ((from_partner && is_party(r, true, p->our_qualifier, p->our_id)) ||
            (ours && is_party(r, true, p->qualifier, p->id)))
            return;
        if (!of_sender && (from_partner || ours)) {
            of_sender = p;
            from_us = ours;
        }
    }
    if (!first) { /* the partner file knows him in the other dialect only */
        first = &r->options.between[0];
        find_stranger(r, s, false, "this partner", first->qualifier, first->id);
    } else if (!of_sender)
        find_stranger(r, s, false, "this partner", first->qualifier, first->id);
    else if (from_us)
        find_stranger(r, s, true, "this partner", of_sender->qualifier, of_sender->id);
    else
        find_stranger(r, s, true, "us", of_sender->our_qualifier, of_sender->our_id);
}

/* An ISA has elements of fixed width. */
static void check_isa(struct edi_reader *r, const struct segment *s)
{
    static const uint8_t width[] = { 0, 2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1 };
    unsigned odd = 0;
    uint32_t length;
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
        reader_find(r, length > ISA_LENGTH ? FINDING_ISA_LONG : FINDING_ISA_SHORT, s, 0, found, expected);
    }
}

/* A finding about a component; 0: about an element. */
static int find_part(struct edi_reader *r, enum finding_code code, const struct segment *s, unsigned element,
                     unsigned component, const char *found, const char *expected)
{
    struct finding f = { .code = code, .place = { .element = element, .component = component }, .found = found,
                         .expected = expected };
    f.value = segment_part(s, &r->syntax, element, component);
    return reader_hand_over(r, s, &f);
}

/* What stands in UNA and UNB besides data elements. */
static void check_unb(struct edi_reader *r, const struct segment *s)
{
    enum edi_charset set;
    struct slice id = segment_part(s, &r->syntax, 1, 1), version = r->in.interchange.version;
    char found[80], shown[20];
    r->isa_irregular = false;
    if (r->una.is_wrong)
        reader_find(r, FINDING_UNA, s, 0, "the UNA before it has other separators", "those of the segments that follow it");
    else if (r->una.is_short)
        reader_find(r, FINDING_UNA, s, 0, "the UNA before it has five characters",
                    "six: the fifth is a blank or the repetition separator, the last one the terminator");
    else if (r->syntax.terminator == '\n' || r->syntax.terminator == '\r')
        reader_find(r, FINDING_UNA, s, 0, "the segments end at line breaks", "a terminator such as '");
    r->una.is_short = r->una.is_wrong = false;
    if (id.n && !charset_of_syntax(id, &set)) {
        safe_text(r, id, 16, shown, sizeof(shown));
        snprintf(found, sizeof(found), "names the character set %s, which is read as ISO 8859-1", shown);
        find_part(r, FINDING_CHARSET_UNKNOWN, s, 1, 1, found, "UNOA to UNOL, UNOW or UNOY");
    }
    if (!(version.n == 1 && version.p[0] >= '1' && version.p[0] <= '4')) {
        safe_text(r, version, 16, shown, sizeof(shown));
        snprintf(found, sizeof(found), "names the version \"%s\" of the syntax; it is read as version 3", shown);
        find_part(r, FINDING_SYNTAX_VERSION, s, 1, 2, found, "1, 2, 3 or 4");
    }
}

static int take_interchange(struct edi_reader *r, const struct segment *s)
{
    if (r->level != OUTSIDE)
        close_interchange_early(r);
    if (r->stopped || open_interchange(r, s) < 0 || !(s = reader_readable(r, s)))
        return r->stopped;
    if (r->dialect == &dialect_x12)
        check_isa(r, s);
    else
        check_unb(r, s);
    if (is_known_interchange(r))
        reader_find(r, FINDING_INTERCHANGE_DUPLICATE, s, r->dialect->level[DIALECT_INTERCHANGE].control,
                    "was used before in this file by the same sender", "a number of its own for each interchange");
    if (!r->syntax.component && r->dialect == &dialect_x12)
        reader_find(r, FINDING_INTERCHANGE_COMPONENT_SEPARATOR, s, 16, "cannot separate components",
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
    reader_find(r, code, s, element, found, expected);
}

static void compare_control(struct edi_reader *r, const struct segment *s, unsigned element, struct slice control,
                            enum finding_code code, const char *what)
{
    char found[40], expected[80];
    if (same_number(segment_element(s, element), control))
        return;
    snprintf(found, sizeof(found), "is not %s", what);
    safe_text(r, control, 40, expected, sizeof(expected));
    reader_find(r, code, s, element, found, expected);
}

/* A trailer whose beginning did not come. */
static int find_no_header(struct edi_reader *r, const struct segment *s, enum dialect_level level)
{
    const char *begin = r->dialect->level[level].begin, *end = r->dialect->level[level].end;
    char found[60], expected[60];
    snprintf(found, sizeof(found), "%s %s without %s %s", article(end), end, article(begin), begin);
    snprintf(expected, sizeof(expected), "%s %s segment first", article(begin), begin);
    return reader_find(r, FINDING_INTERCHANGE_STRUCTURE, s, 0, found, expected);
}

static int take_interchange_end(struct edi_reader *r, const struct segment *s)
{
    const struct edi_interchange *i = &r->in.interchange;
    if (r->level == OUTSIDE)
        return find_no_header(r, s, DIALECT_INTERCHANGE);
    close_group_early(r);
    if (r->stopped || !(s = reader_readable(r, s)))
        return r->stopped;
    check_envelope(r, s, FINDING_INTERCHANGE_CONTENT);
    if (i->groups || r->dialect->groups)
        compare_count(r, s, 1, i->groups, FINDING_INTERCHANGE_COUNT, "groups");
    else
        compare_count(r, s, 1, i->documents, FINDING_INTERCHANGE_COUNT, r->dialect->documents);
    compare_control(r, s, 2, i->control, FINDING_INTERCHANGE_CONTROL,
                    r->dialect->level[DIALECT_INTERCHANGE].control_name);
    return close_interchange(r);
}

/* s: its GS or UNG; NULL: there is none. */
static int open_group(struct edi_reader *r, const struct segment *s)
{
    struct edi_group *g = &r->in.group;
    memset(g, 0, sizeof(*g));
    for (unsigned k = 0; k <= GROUP_ELEMENTS; k++)
        g->element[k] = slice(r->in.group_text, 0);
    g->ordinal = s || r->dialect->groups ? r->in.interchange.groups + 1 : 0;
    if (s) {
        r->in.interchange.groups++;
        g->n = keep_elements(s, r->in.group_text, g->element, GROUP_ELEMENTS);
        g->flags = s->flags;
    } else {
        g->implied = true;
    }
    r->dialect->group_facts(g, &r->in.interchange);
    numbers_clear(&r->numbers);
    r->n_sets_seen = 0;
    r->level = IN_GROUP;
    if (s)
        check_envelope(r, s, FINDING_GROUP_SYNTAX);
    if (s && g->control.n && !numbers_add(&r->group_numbers, g->control))
        reader_find(r, FINDING_GROUP_DUPLICATE, s, r->dialect->level[DIALECT_GROUP].control, "was used before in this interchange",
                    "a number of its own for each group");
    if (r->sink.group && !r->stopped)
        call(r, r->sink.group(r->sink.ctx, g));
    return r->stopped;
}

static int take_group(struct edi_reader *r, const struct segment *s)
{
    if (r->level >= IN_GROUP)
        close_group_early(r);
    if (r->level == OUTSIDE) {
        open_interchange(r, NULL);
        reader_find(r, FINDING_GROUP_OUTSIDE, s, 0, "the group stands outside an interchange",
                    r->dialect == &dialect_x12 ? "an ISA segment first" : "a UNB segment first");
    }
    s = reader_readable(r, s);
    return r->stopped ? r->stopped : open_group(r, s);
}

static int take_group_end(struct edi_reader *r, const struct segment *s)
{
    uint64_t claimed;
    reader_close_document_early(r);
    if (r->level < IN_GROUP || r->in.group.implied)
        return find_no_header(r, s, DIALECT_GROUP);
    if (!(s = reader_readable(r, s)))
        return r->stopped;
    if (slice_number(slice_trim(segment_element(s, 1)), UINT64_MAX, &claimed))
        r->in.group.claimed = claimed;
    check_envelope(r, s, FINDING_GROUP_SYNTAX);
    compare_count(r, s, 1, r->in.group.documents, FINDING_GROUP_COUNT, r->dialect->documents);
    compare_control(r, s, 2, r->in.group.control, FINDING_GROUP_CONTROL, r->dialect->level[DIALECT_GROUP].control_name);
    return close_group(r);
}

/* ---- documents ---- */

bool reader_is_new_set(struct edi_reader *r, struct slice set)
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

static int choose_guide(struct edi_reader *r, const struct guide **guide_r)
{
    struct edi_document *d = &r->document;
    char version[sizeof(((struct cached_guide *)0)->version)];
    struct cached_guide *c;
    int result;

    *guide_r = NULL;
    for (unsigned i = 0; i < r->options.n_partner; i++)
        if (slice_eq(r->options.partner[i]->set, d->set) &&
            slice_is(r->options.partner[i]->standard, r->dialect->standard)) {
            *guide_r = r->options.partner[i];
            return 0;
        }
    r->dialect->version(d, version, sizeof(version));
    if (d->set.n >= sizeof(c->set))
        return 0;
    for (unsigned i = 0; i < CACHED_GUIDES; i++) {
        c = &r->cached[i];
        if (c->set[0] && c->dialect == r->dialect && strcmp(version, c->version) == 0 && slice_is(d->set, c->set)) {
            *guide_r = c->guide;
            return 0;
        }
    }
    result = guides_find(r->options.guides, slice_of(r->dialect->standard), slice_of(version), d->set,
                         r->options.complaints, guide_r, r->err);
    if (result < 0 && result != ERR_MISSING)
        return reader_stop(r, result);
    c = &r->cached[r->next_cached++ % CACHED_GUIDES];
    snprintf(c->version, sizeof(c->version), "%s", version);
    snprintf(c->set, sizeof(c->set), "%.*s", SLICE_FMT(d->set));
    c->dialect = r->dialect;
    c->guide = *guide_r;
    return 0;
}

static void tell_substitution(struct edi_reader *r, const struct segment *s)
{
    const struct edi_document *d = &r->document;
    const struct guide *g = d->guide;
    char found[160], version[40], name[32];
    const struct dialect *x = r->dialect;
    const bool x12 = x == &dialect_x12;

    if (g->base.n || x->same_version(d, g))
        return;
    if (d->version.n && !x->version(d, name, sizeof(name))) {
        snprintf(found, sizeof(found), "%s names no version; the %.*s is read with %.*s", x12 ? "GS08" : "UNH02",
                 SLICE_FMT(g->set), SLICE_FMT(g->version));
        reader_find(r, FINDING_VERSION_SUBSTITUTED, s, 0, found,
                    x12 ? "a version of six digits, such as 004010" : "a directory, such as D and 96A");
        return;
    }
    safe_text(r, x12 && d->version.n > 6 ? slice(d->version.p, 6) : d->version, 20, version, sizeof(version));
    snprintf(found, sizeof(found), "version %s of the %.*s has no guide; it is read with %.*s, the nearest %s",
             version, SLICE_FMT(g->set), SLICE_FMT(g->version),
             x->later(d, g).n || (x == &dialect_x12 && slice_cmp(g->version, slice_of(version)) < 0) ? "lower one" : "one there is");
    reader_find(r, FINDING_VERSION_SUBSTITUTED, s, 0, found, "");
}

/* A segment of a document, counted, and readable as it stands. */
static __attribute__((noinline)) int take_readable(struct edi_reader *r, const struct segment *s)
{
    const struct guide_node *node;
    uint64_t present;
    int answer = 0;

    if (!r->document.guide) {
        if (r->sink.stray)
            answer = r->sink.stray(r->sink.ctx, s);
        return answer < 0 ? reader_stop(r, answer) : r->stopped;
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
    return answer < 0 ? reader_stop(r, answer) : r->stopped;
}

static __attribute__((noinline)) int take_parts(struct edi_reader *r, const struct segment *s)
{
    struct segment with_parts = *s;
    segment_find_parts(&with_parts, &r->syntax, &r->parts);
    return take_readable(r, &with_parts);
}

static int take_segment(struct edi_reader *r, const struct segment *s)
{
    r->document.segments++;
    s = reader_readable(r, s);
    return !s ? r->stopped : s->flags & SEGMENT_PARTS && !s->part ? take_parts(r, s) : take_readable(r, s);
}

/* The segment that begins or ends a document. */
static int take_service(struct edi_reader *r, const struct segment *s)
{
    const struct segment_def *def = NULL;
    int result;

    if (r->dialect == &dialect_edifact && slice_is(r->in.interchange.version, "4") && r->document.guide && r->in.envelope)
        def = guide_segment(r->in.envelope, segment_tag(s));
    r->service = def ? SERVICE_BY_GUIDE : SERVICE_NONE;
    result = take_segment(r, s);
    if (def && !r->stopped) {
        r->service = SERVICE_BY_SYNTAX;
        check_elements(&r->checker, s, def);
        result = r->checker.stopped ? reader_stop(r, r->checker.stopped) : r->stopped;
    }
    r->service = SERVICE_NONE;
    return result;
}

/* A document needs a group around it: when there is none, one is implied. */
static bool open_for_document(struct edi_reader *r)
{
    bool outside = false;
    reader_close_document_early(r);
    if (r->level == OUTSIDE)
        open_interchange(r, NULL);
    if (r->level == IN_INTERCHANGE && !r->stopped) {
        outside = true;
        open_group(r, NULL);
    }
    return outside;
}

static int take_document(struct edi_reader *r, const struct segment *s)
{
    const struct dialect *x = r->dialect;
    struct edi_document *d = &r->document;
    struct slice element[4];
    const struct guide *guide = NULL;
    bool fresh, outside = open_for_document(r);

    if (r->stopped || !(s = reader_readable(r, s)))
        return r->stopped;
    keep_elements(s, r->document_text, element, 3);
    *d = (struct edi_document){ .interchange = &r->in.interchange, .group = &r->in.group,
                                .errors = r->in.interchange.foreign != NULL };
    x->document_facts(d, element, s->flags, r->version_text, sizeof(r->version_text));
    r->n_missed = 0;
    d->ordinal = ++r->in.documents;
    d->in_group = ++r->in.group.documents;
    r->in.interchange.documents += r->in.group.implied;
    r->level = IN_DOCUMENT;
    fresh = r->joined ? r->new_set : reader_is_new_set(r, d->set);
    r->new_set = false;
    if (choose_guide(r, &guide) < 0)
        return r->stopped;
    if (guide && guide->bare)
        guide = NULL;
    d->guide = guide;
    if (guide) {
        check_begin(&r->checker, guide);
        r->checker.short_dates = r->checker.no_long_dates = x == &dialect_x12 && check_has_short_dates(d->version);
        r->checker.later = x->later(d, guide);
    }
    if (r->sink.document)
        call(r, r->sink.document(r->sink.ctx, d));
    outside |= r->in.group.implied && d->in_group == 1;
    if (outside && !x->groups && !r->in.interchange.n)
        reader_find(r, FINDING_SET_OUTSIDE, s, 0, "the message stands outside an interchange", "a UNB segment first");
    else if (outside && x->groups)
        reader_find(r, FINDING_SET_OUTSIDE, s, 0, "the transaction set stands outside a group", "a GS segment first");
    else if (outside && r->in.interchange.groups)
        reader_find(r, FINDING_SET_OUTSIDE, s, 0, "the message stands outside a group, and others do not",
                    "a UNG segment first");
    if (!guide) {
        char words[80];
        if (x == &dialect_x12 ? d->set.n == 3 : d->set.n == 6) {
            snprintf(words, sizeof(words), "a %s that there is a guide for", x->document);
            find_part(r, FINDING_SET_UNSUPPORTED, s, x->set, x->set_part, "has no guide", words);
        } else {
            snprintf(words, sizeof(words), "is not a %s's identifier", x->document);
            find_part(r, FINDING_SET_ID, s, x->set, x->set_part, d->set.n ? words : "missing", x->set_example);
        }
    } else {
        if (fresh)
            tell_substitution(r, s);
        struct slice code = x->groups ? guide->group : guide->set;
        if (code.n && !r->in.group.implied && r->in.group.code.n && !slice_eq(code, r->in.group.code)) {
            char expected[60];
            snprintf(expected, sizeof(expected), "a group %.*s in %s01", SLICE_FMT(code), x->level[DIALECT_GROUP].begin);
            find_part(r, FINDING_SET_GROUP, s, x->set, x->set_part, "does not belong in this group", expected);
        }
    }
    if (d->control.n == 0) {
        reader_find(r, FINDING_SET_NUMBER, s, x->level[DIALECT_DOCUMENT].control, "missing", "a control number");
    } else if (r->joined ? r->duplicate : !numbers_add(&r->numbers, d->control)) {
        char expected[60];
        snprintf(expected, sizeof(expected), "a number of its own for each %s", x->document);
        reader_find(r, FINDING_SET_DUPLICATE, s, x->level[DIALECT_DOCUMENT].control,
                    d->group->ordinal ? "was used before in this group" : "was used before in this interchange", expected);
    }
    r->duplicate = false;
    if (r->numbers.nomem || r->group_numbers.nomem || r->interchange_numbers.nomem)
        reader_stop(r, err_nomem(r->err));
    return r->stopped ? r->stopped : take_service(r, s);
}

static int take_document_end(struct edi_reader *r, const struct segment *s)
{
    if (r->level != IN_DOCUMENT)
        return find_no_header(r, s, DIALECT_DOCUMENT);
    if (!(s = reader_readable(r, s)))
        return r->stopped;
    take_service(r, s);
    if (!r->stopped && s->n >= 1)
        compare_count(r, s, 1, r->document.segments, FINDING_SET_COUNT, "segments");
    if (!r->stopped && s->n >= 2)
        compare_control(r, s, 2, r->document.control, FINDING_SET_CONTROL,
                        r->dialect->level[DIALECT_DOCUMENT].control_name);
    return close_document(r);
}

/* A segment that a guide is named after is a document by itself. False: there is no such guide. */
static bool take_bare(struct edi_reader *r, const struct segment *s)
{
    struct edi_document *d = &r->document;
    const enum level around = r->level;
    const struct guide *guide = NULL;

    r->no_group = (struct edi_group){ .implied = true, .version = r->in.interchange.version };
    *d = (struct edi_document){ .set = segment_tag(s), .interchange = &r->in.interchange, .group = &r->no_group,
                                .version = r->in.interchange.version, .bare = true,
                                .errors = r->in.interchange.foreign != NULL };
    if (choose_guide(r, &guide) < 0 || !guide || !guide->bare)
        return r->stopped != 0;
    if (runs_settle(r) < 0)
        return true;
    r->n_missed = 0;
    d->set = guide->set;
    d->guide = guide;
    d->ordinal = ++r->in.documents;
    d->in_group = ++r->in.interchange.bare;
    r->level = IN_DOCUMENT;
    check_begin(&r->checker, guide);
    r->checker.short_dates = r->checker.no_long_dates = false;
    if (r->sink.document)
        call(r, r->sink.document(r->sink.ctx, d));
    if (!r->stopped)
        take_segment(r, s);
    if (r->sink.document_end && !r->stopped)
        call(r, r->sink.document_end(r->sink.ctx, d));
    r->level = around;
    return true;
}

static int take_outside(struct edi_reader *r, const struct segment *s)
{
    struct slice tag = segment_tag(s);
    static const char *const known[] = { "TA1", "TA3", "ISB", "ISE" };
    const struct dialect *x = r->dialect;
    char expected[40];
    if (r->level == OUTSIDE && slice_is(tag, "TA1")) {
        open_interchange(r, NULL);
        reader_find(r, FINDING_INTERCHANGE_STRUCTURE, s, 0, "a TA1 without an ISA", "an ISA segment first");
    }
    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]) && x == &dialect_x12; i++)
        if (slice_is(tag, known[i]) && r->level >= IN_INTERCHANGE) {
            if (take_bare(r, s))
                return r->stopped;
            check_envelope(r, s, FINDING_INTERCHANGE_CONTENT);
            if (r->sink.envelope_segment && !r->stopped)
                call(r, r->sink.envelope_segment(r->sink.ctx, s));
            return r->stopped;
        }
    const char *const begin = x->level[DIALECT_DOCUMENT].begin, *const group = x->level[DIALECT_GROUP].begin;
    if (r->level == IN_GROUP)
        snprintf(expected, sizeof(expected), "%s or %s", begin, 
                 x->level[r->in.group.implied && !x->groups ? DIALECT_INTERCHANGE : DIALECT_GROUP].end);
    else if (r->level == IN_INTERCHANGE && x->groups)
        snprintf(expected, sizeof(expected), "%s, %s or %s", group, x->bare, x->level[DIALECT_INTERCHANGE].end);
    else if (r->level == IN_INTERCHANGE)
        snprintf(expected, sizeof(expected), "%s, %s or %s", begin, group, x->level[DIALECT_INTERCHANGE].end);
    else
        snprintf(expected, sizeof(expected), "%s", x->level[DIALECT_INTERCHANGE].begin);
    reader_find(r, FINDING_INTERCHANGE_STRUCTURE, s, 0,
                x->groups ? "the segment stands outside a transaction set" : "the segment stands outside a message",
                expected);
    return r->stopped;
}

/* ---- the next interchange ---- */

/* Does an interchange, or what is left of one without its envelope, begin at p? NULL: none does. */
static const struct dialect *dialect_at(const char *p, size_t n, bool sure)
{
    static const char *const edifact[] = { "UNB", "UNA", "UNG", "UNH" }, *const x12[] = { "ISA", "GS", "ST", "TA1" };
    char tag[5] = "";
    for (unsigned i = 0; i < (sure ? 1 : 4); i++)
        if (delimiters_envelope(p, n, x12[i]))
            return &dialect_x12;
    /* small letters are looked at where nothing else can stand */
    for (unsigned i = 0; i < 4 && i < n; i++)
        tag[i] = (char)(!sure && p[i] >= 'a' && p[i] <= 'z' ? p[i] - 'a' + 'A' : p[i]);
    for (unsigned i = 0; i < (sure ? 2 : 4); i++)
        if (delimiters_envelope(tag, n < 4 ? n : 4, edifact[i]))
            return &dialect_edifact;
    return NULL;
}

/* The delimiters of what begins at p. length_r: what is to be passed over before (UNA). */
static enum found find_delimiters(struct edi_reader *r, const struct dialect *dialect, const char *p, size_t n, bool last,
                                  size_t *length_r)
{
    *length_r = 0;
    r->una = (struct edi_una){ 0 };
    r->una_at = r->base_offset + r->from;
    if (dialect == &dialect_edifact)
        return delimiters_of_unb(p, n, last, &r->syntax, &r->una, length_r);
    if (delimiters_envelope(p, n, "ISA"))
        return delimiters_of_isa(p, n, last, &r->syntax);
    return delimiters_of_bare(p, n, last, &r->syntax);
}

/* Looks for the next interchange from r->from on. */
static enum found find_syntax(struct edi_reader *r, bool last)
{
    for (;;) {
        const char *p = r->buf + r->from;
        size_t n = r->n - r->from;
        enum found found = NOT_FOUND;
        const struct dialect *dialect;
        size_t before;
        if (r->garbage) {
            while (n > 3 && !dialect_at(p, n, true))
                p++, n--;
            r->from = (size_t)(p - r->buf);
            if (n <= 3)
                return last ? NOT_FOUND : NEED_MORE;
        }
        if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
            reader_find(r, FINDING_FILE_BOM, NULL, 0, "the file begins with a byte order mark",
                        "the interchange at the first byte");
            r->from += 3;
            continue;
        }
        /* behind an interchange its terminator may stand once more */
        if (n && (delimiters_blank(*p) || (r->in.interchanges && *p == r->syntax.terminator))) {
            r->from++;
            continue;
        }
        if (n < 4)
            return last ? NOT_FOUND : NEED_MORE;
        dialect = dialect_at(p, n, r->garbage);
        if (dialect)
            found = find_delimiters(r, dialect, p, n, last, &before);
        if (found == NOT_FOUND && dialect && (dialect == &dialect_edifact || delimiters_envelope(p, n, "ISA"))) {
            r->dialect = dialect;
            reader_find(r, FINDING_INTERCHANGE_ELEMENT_SEPARATOR, NULL, 0,
                        dialect == &dialect_x12 ? "the ISA has no usable delimiters" : "there are no usable delimiters",
                        dialect == &dialect_x12 ? "16 elements, then the component separator and the segment terminator"
                                                : "a UNA with six different ones, or a UNB with the usual ones");
        }
        if (found == FOUND) {
            r->dialect = dialect;
            r->from += before;
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
            reader_find(r, FINDING_FILE_GARBAGE, NULL, 0, words, "an interchange that begins with ISA, UNA or UNB");
            r->garbage_told = true;
        }
        r->started = true;
        /* go on behind, at the next interchange */
        r->garbage = true;
        r->from++;
    }
}

/* ---- the walk ---- */

static void too_large(struct edi_reader *r, const char *found, const char *expected)
{
    reader_find(r, FINDING_SEGMENT_TOO_LARGE, NULL, 0, found, expected);
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
        return reader_stop(r, err_nomem(r->err));
    memset(buf + r->room, 0, room + PADDING - r->room);
    r->buf = buf;
    r->room = room;
    return 0;
}

/* Another interchange begins: are the delimiters in force its own, too? */
static bool same_syntax(const struct edi_reader *r, const struct segment *s, bool last)
{
    struct edi_syntax x;
    const char *p = s->base + s->start;
    size_t n = r->n - (size_t)(p - r->buf);
    if (r->dialect == &dialect_edifact) {
        struct edi_una una;
        size_t length;
        /* right behind its UNA, which was looked at */
        if (r->una.present && r->syntax_at == r->base_offset + (uint64_t)(p - r->buf))
            return true;
        return delimiters_of_unb(p, n, last, &x, &una, &length) == FOUND && !una.present &&
               memcmp(&x, &r->syntax, sizeof(x)) == 0;
    }
    return s->at[0] - s->start == 3 && s->n == 16 && delimiters_of_isa(p, n, true, &x) == FOUND &&
           memcmp(&x, &r->syntax, sizeof(x)) == 0;
}

/* BIN*length*data and BDS*filter*length*data: the data may hold anything. s is what the index took for the
 * segment; `block` is how many bytes of it there are. */
static enum walk take_binary(struct edi_reader *r, const struct segment *s, size_t *from, bool last)
{
    unsigned length_at = s->base[s->start + 1] == 'I' ? 1 : 2;
    uint32_t at[4] = { s->at[0], 0, 0, 0 };
    struct segment whole = { s->base, at, s->start, length_at + 1, SEGMENT_ESCAPE, NULL, NULL };
    size_t start = (size_t)(s->base - r->buf), data, end;
    uint64_t length;

    if (s->n <= length_at || !slice_number(segment_element(s, length_at), MOST_BINARY, &length)) {
        reader_find(r, FINDING_BINARY_LENGTH, s, length_at, "is not a length",
                    "the number of bytes of the binary element");
        take_segment(r, s);
        return WALK_DONE;
    }
    for (unsigned k = 1; k <= length_at; k++)
        at[k] = s->at[k];
    data = start + s->at[length_at] + 1;
    end = data + (size_t)length;
    if (length < LIMIT_SEGMENT && end + 1 > r->n && !last) {
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
        reader_find(r, FINDING_BINARY_LENGTH, s, length_at, "does not lead to a segment terminator",
                    "the length of the data");
        take_segment(r, s);
        return WALK_DONE;
    }
    at[length_at + 1] = (uint32_t)(end - start);
    take_segment(r, &whole);
    *from = end + 1;
    return WALK_AGAIN;
}

/* UNO: as many bytes as it says follow, behind as many segments as it says; then UNP. They are passed over unread,
 * which is told. */
static enum walk take_package(struct edi_reader *r, const struct segment *s, size_t *from, bool last)
{
    const struct segment *whole = s;
    struct slice length = segment_part(s, &r->syntax, 4, 1), before = segment_part(s, &r->syntax, 4, 2);
    size_t start = (size_t)(s->base - r->buf), data = start + s->at[s->n] + 1, here;
    uint64_t n, segments = 0;

    if (before.n && !slice_number(before, 999, &segments))
        segments = 0;
    for (const char *end; segments; segments--) {
        end = delimiters_end(r->buf + data, r->n - data, &r->syntax);
        if (!end && !last && r->n - start < LIMIT_SEGMENT) {
            *from = start + s->start;
            return WALK_MORE;
        }
        if (!end)
            break;
        data = (size_t)(end - r->buf) + 1;
    }
    reader_close_document_early(r);
    if (r->level == OUTSIDE)
        open_interchange(r, NULL);
    if (r->stopped || !(s = reader_readable(r, s)))
        return WALK_DONE;
    check_envelope(r, s, FINDING_INTERCHANGE_CONTENT);
    if (r->sink.envelope_segment && !r->stopped)
        call(r, r->sink.envelope_segment(r->sink.ctx, s));
    if (r->level == IN_GROUP)
        r->in.group.documents++;
    if (r->level == IN_INTERCHANGE || r->in.group.implied)
        r->in.interchange.documents++;
    if (segments || !slice_number(length, MOST_BINARY, &n)) {
        struct finding f = { .code = FINDING_BINARY_LENGTH, .place = { .element = 4, .component = 1 },
                             .value = segment_part(s, &r->syntax, 4, 1), .found = "is not a length",
                             .expected = "the number of bytes that follow the UNO" };
        reader_hand_over(r, s, &f);
        *from = start + whole->at[whole->n] + 1;
        return WALK_AGAIN;
    }
    reader_find(r, FINDING_PACKAGE, s, 1, "names a package, whose object is passed over: no record holds it", "");
    r->package = true;
    r->package_length = n;
    here = r->n - data;
    r->skip = n > here ? n - here : 0;
    *from = n > here ? r->n : data + (size_t)n;
    return WALK_AGAIN;
}

static int take_package_end(struct edi_reader *r, const struct segment *s)
{
    uint64_t n;
    reader_close_document_early(r);
    if (r->stopped || !(s = reader_readable(r, s)))
        return r->stopped;
    if (!r->package)
        return reader_find(r, FINDING_INTERCHANGE_STRUCTURE, s, 0, "a UNP without a UNO", "a UNO segment first");
    r->package = false;
    check_envelope(r, s, FINDING_INTERCHANGE_CONTENT);
    if (!slice_number(segment_element(s, 1), MOST_BINARY, &n) || n != r->package_length)
        reader_find(r, FINDING_BINARY_LENGTH, s, 1, "is not the length that the UNO says", "the same number");
    if (r->sink.envelope_segment && !r->stopped)
        call(r, r->sink.envelope_segment(r->sink.ctx, s));
    return r->stopped;
}

/* Any segment but UNP behind the bytes of a package. */
static void find_no_package_end(struct edi_reader *r, const struct segment *s)
{
    if (!r->package)
        return;
    r->package = false;
    reader_find(r, FINDING_BINARY_LENGTH, s, 0, "the length in the UNO does not lead to a UNP", "a UNP segment");
}

/* Does a segment begin at p: a trailer, or what may stand in the document whose guide it is, and an element separator? */
static bool begins_segment(const struct edi_reader *r, const struct guide *guide, const char *p, const char *end)
{
    size_t n = 0;
    uint32_t key = 0;
    while (n < 4 && p + n < end && p[n] != r->syntax.element)
        n++;
    enum dialect_role role;
    if (n < 2 || n > 3 || p + n >= end)
        return false;
    memcpy(&key, p, n);
    role = dialect_role(r->dialect, key);
    return role == ROLE_DOCUMENT_END || role == ROLE_GROUP_END || role == ROLE_INTERCHANGE_END ||
           (guide && guide_tag(guide, key) >= 0 && role != ROLE_DOCUMENT);
}

static const char *next_line(const struct edi_reader *r, const struct guide *guide, const char *p, const char *end)
{
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        while (p < end && delimiters_blank(*p))
            p++;
        if (begins_segment(r, guide, p, end))
            return p;
    }
    return NULL;
}

static size_t line_end(const struct edi_reader *r, const char *p, size_t n)
{
    while (delimiters_blank(p[n - 1]))
        n--;
    return n + delimiters_released(p, 0, n, r->syntax.release);
}

/* A segment with line breaks inside. Where the next line begins like a segment of the document, or a trailer, the
 * terminator was forgotten: the line break stands for it. Behind an IEA, all is looked at anew. */
static int take_broken(struct edi_reader *r, const struct segment *whole)
{
    uint32_t *at = r->index.delimiter + (whole->at - r->index.delimiter);
    const char *const base = whole->base, *const end = base + whole->at[whole->n];
    uint32_t start = whole->start;
    unsigned n = whole->n;

    for (;;) {
        const char *p = base + start, *next = NULL;
        uint32_t tag = 0;
        struct segment part = { base, at, start, n, whole->flags, NULL, NULL };
        memcpy(&tag, p, at[0] - start < 4 ? at[0] - start : 4);
        if (memchr(p, 0, at[0] - start)) /* as reader_walk() has it */
            tag = UINT32_MAX;
        else if (tag & r->dialect->odd_tag)
            tag = reader_mend_tag(r, &part, tag);
        const enum dialect_role role = dialect_role(r->dialect, tag);
        const bool se = role == ROLE_DOCUMENT_END, ge = role == ROLE_GROUP_END, iea = role == ROLE_INTERCHANGE_END;
        const bool inside = r->level == IN_DOCUMENT && !se && !ge;
        uint32_t kept = 0;
        if (!iea)
            next = next_line(r, inside ? r->document.guide : NULL, base + at[0], end);
        if (next) {
            size_t stop = (size_t)(next - base);
            stop = line_end(r, base, stop);
            for (part.n = 0; at[part.n] < stop; part.n++)
                ;
            kept = at[part.n];
            at[part.n] = (uint32_t)stop;
        }
        r->from = (size_t)(p - r->buf);
        if (ge || iea)
            reader_close_document_early(r);
        if (next) {
            r->document.segments++; /* it speaks of the one to come */
            reader_find(r, FINDING_TERMINATOR_MISSING, &part, 0, "ends at a line break", "a segment terminator");
            r->document.segments--;
        }
        if (!r->stopped) {
            if (se)
                take_document_end(r, &part);
            else if (ge)
                take_group_end(r, &part);
            else if (iea)
                take_interchange_end(r, &part);
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
            reader_find(r, FINDING_FILE_BLANKS, s, 0, "blanks stand before the segment", "segments behind each other");
            r->blanks_told = true;
        }
}

/* Does a document end before this segment, whether it has its trailer or not? */
static bool begins_envelope(const struct edi_reader *r, const struct segment *s, enum dialect_role role)
{
    return role == ROLE_DOCUMENT || role == ROLE_GROUP_END || role == ROLE_GROUP || role == ROLE_INTERCHANGE_END ||
           role == ROLE_PACKAGE ||
           delimiters_envelope(s->base + s->start, s->at[s->n] - s->start, r->dialect->level[0].begin);
}

static enum found begins_other(const struct edi_reader *r, const char *p, bool last)
{
    size_t n = r->n - (size_t)(p - r->buf);
    const struct dialect *d = dialect_at(p, n, true);
    struct edi_syntax x;
    struct edi_una una;
    size_t length;
    if (!d || (d == r->dialect && !delimiters_envelope(p, n, "UNA")))
        return NOT_FOUND;
    return d == &dialect_x12 ? delimiters_of_isa(p, n, last, &x) : delimiters_of_unb(p, n, last, &x, &una, &length);
}

/* A UNA behind an interchange, and it says what is in force already: the walk goes on. */
static bool pass_una(struct edi_reader *r, const struct segment *s, bool last)
{
    const char *p = s->base + s->start;
    struct edi_syntax x;
    struct edi_una una;
    size_t length;
    if (r->dialect != &dialect_edifact || s->at[s->n] - s->start != 8 || !delimiters_envelope(p, 8, "UNA") ||
        delimiters_of_unb(p, r->n - (size_t)(p - r->buf), last, &x, &una, &length) != FOUND || una.is_short || una.is_wrong ||
        memcmp(&x, &r->syntax, sizeof(x)) != 0)
        return false;
    r->una = una;
    r->una_at = r->base_offset + (uint64_t)(p - r->buf);
    r->syntax_at = r->una_at + length;
    return true;
}

/* How much of a block the index has room for: it does not grow with a segment, for most of a large one is text. False:
 * there is no whole segment in the block, or one that nobody can mean. */
static bool fit_index(struct edi_reader *r, const char *base, size_t *n_r)
{
    const char *end = memrchr(base, r->syntax.terminator, r->index.room), *p = base;
    size_t delimiters = 0;
    while (end && r->syntax.release && delimiters_released(base, 0, (size_t)(end - base), r->syntax.release))
        end = memrchr(base, r->syntax.terminator, (size_t)(end - base));
    if (end) {
        *n_r = (size_t)(end - base) + 1;
        return true;
    }
    end = delimiters_end(base, *n_r, &r->syntax);
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

enum walk reader_walk(struct edi_reader *r, bool last)
{
    const size_t origin = r->from;
    const char *base = r->buf + origin;
    const struct lexer_index *x = &r->index;
    static const uint32_t tag_bytes[4] = { 0, 0xff, 0xffff, 0xffffff };
    size_t n = r->n - origin;
    uint32_t d = 0, from = 0;
    uint32_t first = r->dialect->first, second = r->dialect->second;
    const uint32_t odd_tag = r->dialect->odd_tag;
    const uint32_t slow = SEGMENT_ESCAPE | SEGMENT_RELEASE;
    const bool line_terminator = r->syntax.terminator == '\n' || r->syntax.terminator == '\r';

    /* what lies in documents is not for this reader: the envelopes between them are short */
    if (r->options.run && n > 4096 && r->level != IN_DOCUMENT && delimiters_end(base, 4096, &r->syntax))
        n = 4096;
    /* where the delimiters stand is to lie in a near cache until it is looked at */
    if (n > WALK_BYTES && delimiters_end(base, WALK_BYTES, &r->syntax))
        n = WALK_BYTES;
    if (__builtin_expect(n > x->room, 0) && !fit_index(r, base, &n))
        return WALK_DONE;
    r->lex(&r->index, base, n, &r->syntax);
    /* of a document that holds characters which its set lacks, each segment is looked at until that was told */
    enum edi_charset looked = r->in.interchange.charset;
    bool seen = r->level == IN_DOCUMENT, lacking = seen && reader_lacks(r, base, n);
    if (__builtin_expect(lacking, 0) && !reader_told_lacking(r))
        first = second = UINT32_MAX;
    const uint32_t *const part = x->has_parts ? x->part : NULL;
    for (uint32_t i = 0; i < x->n_segments; i++) {
        /* by themselves at first: `s` is known to others, and would be read from memory again and again */
        const uint32_t number = x->end[i] >> SEGMENT_FLAG_BITS, flags = x->end[i] & ((1u << SEGMENT_FLAG_BITS) - 1);
        const uint32_t *at = x->delimiter + d;
        const uint32_t tag_end = at[0], end = x->delimiter[number];
        uint32_t start = from, tag = 0;

        if (base[start] == '\n' && start < tag_end)
            start++;
        memcpy(&tag, base + start, 4);
        if (tag_end - start < 4)
            tag &= tag_bytes[tag_end - start];
        struct segment s = { base, at, start, number - d, flags, part, x->rank + d };
        /* nearly all are of a document, and nothing is odd about them: no blanks before them, for one */
        if (__builtin_expect(!(flags & slow) && (tag & 0xff) > ' ' && !(tag & odd_tag) &&
                                 !dialect_may_have_role(first, second, tag) && r->level == IN_DOCUMENT,
                             1)) {
            r->from = origin + start;
            r->document.segments++;
            if (flags & SEGMENT_PARTS && !part)
                take_parts(r, &s);
            else
                take_readable(r, &s);
            d = number + 1;
            from = end + 1;
            r->from = origin + from;
            if (r->stopped)
                return WALK_DONE;
            continue;
        }
        while (start < tag_end && delimiters_blank(base[start]))
            start++;
        s.start = start;
        r->from = origin + start;
        memcpy(&tag, base + start, 4);
        if (tag_end - start < 4)
            tag &= tag_bytes[tag_end - start];
        /* a NUL in it must not make it look like a shorter one */
        if (__builtin_expect(flags & SEGMENT_ESCAPE, 0) && memchr(base + start, 0, tag_end - start))
            tag = UINT32_MAX;
        if (__builtin_expect(tag & odd_tag, 0) && start != end) {
            if (r->level == OUTSIDE && pass_una(r, &s, last)) {
                d = number + 1;
                from = end + 1;
                r->from = origin + from;
                continue;
            }
            const enum found other = begins_other(r, base + start, last);
            if (other == NEED_MORE)
                return WALK_MORE;
            if (other == FOUND) {
                if (r->level != OUTSIDE)
                    close_interchange_early(r);
                r->has_syntax = false;
                return WALK_AGAIN;
            }
            if (tag != UINT32_MAX)
                tag = reader_mend_tag(r, &s, tag);
            s.flags |= r->rewrite;
        }
        const enum dialect_role role =
            dialect_may_have_role(first, second, tag) ? dialect_find_role(r->dialect, tag) : ROLE_INNER;
        if (start != from && __builtin_expect(!(start == from + 1 && base[from] == '\n'), 0)) {
            if (r->level == IN_DOCUMENT && begins_envelope(r, &s, role))
                reader_close_document_early(r); /* the blanks are not its own */
            tell_layout(r, &s, from);
        }
        d = number + 1;
        if (start == end) {
            if (!line_terminator && !r->empty_told && r->level != OUTSIDE) {
                reader_find(r, FINDING_FILE_EMPTY_SEGMENT, &s, 0, "there is nothing between two terminators",
                            "a segment");
                r->empty_told = true;
            }
            from = end + 1;
            r->from = origin + from;
            continue;
        }
        /* behind an interchange other delimiters may be in force */
        if (__builtin_expect(r->level == OUTSIDE, 0) && r->in.interchanges &&
            r->base_offset + r->from != r->syntax_at &&
            !(role == ROLE_INTERCHANGE ||
              delimiters_envelope(base + start, end - start, r->dialect->level[DIALECT_INTERCHANGE].begin))) {
            r->has_syntax = false;
            return WALK_AGAIN;
        }
        if (role != ROLE_INNER && role != ROLE_BETWEEN)
            find_no_package_end(r, &s);
        switch (role) {
        case ROLE_DOCUMENT:
            if (r->options.run && !r->alone) {
                r->from = origin + s.start;
                open_for_document(r);
                return r->stopped ? WALK_DONE : WALK_DOCUMENTS;
            }
            r->alone = false;
            take_document(r, &s);
            break;
        case ROLE_DOCUMENT_END:
            if (s.flags & SEGMENT_ESCAPE && !line_terminator)
                take_broken(r, &s);
            else
                take_document_end(r, &s);
            break;
        case ROLE_GROUP:
            take_group(r, &s);
            break;
        case ROLE_GROUP_END:
            if (s.flags & SEGMENT_ESCAPE && !line_terminator)
                take_broken(r, &s);
            else
                take_group_end(r, &s);
            break;
        case ROLE_INTERCHANGE_END:
            take_interchange_end(r, &s);
            break;
        case ROLE_BINARY:
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
        case ROLE_PACKAGE:
        {
            size_t next = origin + start;
            enum walk w = take_package(r, &s, &next, last);
            r->from = next;
            return r->stopped ? WALK_DONE : w;
        }
        case ROLE_BETWEEN:
            take_package_end(r, &s);
            break;
        default:
            if (r->level == IN_DOCUMENT && role != ROLE_INTERCHANGE &&
                (((tag & 0xffffff) != r->dialect->key && tag != UINT32_MAX) ||
                 !delimiters_envelope(base + start, end - start, r->dialect->level[DIALECT_INTERCHANGE].begin))) {
                if (flags & SEGMENT_ESCAPE && !line_terminator)
                    take_broken(r, &s);
                else
                    take_segment(r, &s);
            } else if (role == ROLE_INTERCHANGE || delimiters_envelope(base + start, end - start,
                                                                       r->dialect->level[DIALECT_INTERCHANGE].begin)) {
                r->from = origin + s.start;
                if (!same_syntax(r, &s, last)) {
                    close_interchange_early(r);
                    r->has_syntax = false;
                    return WALK_AGAIN;
                }
                take_interchange(r, &s);
            } else {
                find_no_package_end(r, &s);
                take_outside(r, &s);
            }
        }
        if (role == ROLE_DOCUMENT && (r->in.interchange.charset != looked || !seen)) {
            looked = r->in.interchange.charset;
            seen = true;
            lacking = reader_lacks(r, base, n);
        }
        if (__builtin_expect(lacking, 0)) {
            const bool told = role == ROLE_INNER && r->level == IN_DOCUMENT && reader_tell_lacking(r, &s);
            first = told ? r->dialect->first : UINT32_MAX;
            second = told ? r->dialect->second : UINT32_MAX;
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
        r->base_line += reader_count_lines(r->buf, n);
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
            reader_find(r, FINDING_BINARY_LENGTH, NULL, 0, "no segment terminator follows the binary data", "one");
        r->skip_terminator = false;
    }
}

/* ---- the end ---- */

static bool is_outer_trailer(const struct edi_reader *r, size_t at)
{
    const char *p = r->buf + at;
    return delimiters_envelope(p, r->n - at, r->dialect->level[DIALECT_GROUP].end) ||
           delimiters_envelope(p, r->n - at, r->dialect->level[DIALECT_INTERCHANGE].end);
}

static bool take_rest(struct edi_reader *r)
{
    size_t end = r->n, from = r->from;
    struct slice rest;
    bool outer;
    while (from < end && delimiters_blank(r->buf[from]))
        from++;
    while (end > from && delimiters_blank(r->buf[end - 1]))
        end--;
    rest = slice(r->buf + from, end - from);
    r->from = from;
    if (rest.n == 0)
        return false;
    outer = is_outer_trailer(r, from);
    if (rest.n <= 3 || (!outer && !delimiters_envelope(rest.p, rest.n, r->dialect->level[DIALECT_DOCUMENT].end))) {
        char words[60];
        snprintf(words, sizeof(words), "the last %zu byte%s no whole segment", rest.n, rest.n == 1 ? " is" : "s are");
        reader_find(r, FINDING_FILE_TRUNCATED, NULL, 0, words, "a segment terminator");
        if (r->level == IN_DOCUMENT)
            r->document.errors++;
        r->from = r->n;
        return false;
    }
    if (outer)
        reader_close_document_early(r);
    reader_find(r, FINDING_FILE_LAST_TERMINATOR, NULL, 0, "the last segment is not terminated",
                "the segment terminator");
    r->n = end;
    r->buf[r->n++] = r->syntax.terminator; /* the padding has room for it */
    return true;
}

static void end_binary(struct edi_reader *r)
{
    if (r->skip && !r->stopped)
        reader_find(r, FINDING_BINARY_LENGTH, NULL, 0, "the file ends inside binary data", "the rest of it");
    r->skip = 0;
    r->skip_terminator = false;
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
        if (r->from < r->n) {
            enum walk w = reader_walk(r, last);
            if (w == WALK_DOCUMENTS)
                w = runs_split(r, last);
            again = w == WALK_AGAIN;
            /* the next interchange may have other delimiters: the old ones may never come */
            if (!again && r->level == OUTSIDE && r->in.interchanges && r->from < r->n && !r->stopped &&
                r->base_offset + r->from != r->syntax_at) {
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
        reader_place(r, NULL, &end);
        r->from = from;
        if (r->level == OUTSIDE) {
            process(r, true);
            if (r->has_syntax && r->from < r->n && !r->stopped)
                take_rest(r);
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
        reader_find(r, FINDING_FILE_EMPTY, NULL, 0,
                    r->started || r->base_offset + r->n ? "there is no interchange in it" : "the file is empty",
                    "an interchange that begins with ISA, UNA or UNB");
    return r->stopped;
}
