/*
 * reader_envelope: interchanges and groups. Their segments are checked and kept; what their trailers say is held
 * against what was read. Slices of what is kept lie in r->in; nothing is allocated here but the numbers seen.
 *
 * Sources: X12.5 (interchange control structures), X12.6 (application control structure); ISO 9735 versions 1 to 3,
 * ISO 9735-1 version 4.
 */
#include "edi/reader_inside.h"

#include <stdio.h>

void reader_check_envelope(struct edi_reader *r, const struct segment *s, enum finding_code code)
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
    r->outside.short_dates =
        r->dialect == &dialect_x12 && code == FINDING_GROUP_SYNTAX && check_has_short_dates(r->in.group.version);
    r->outside_code = code;
    check_elements(&r->outside, s, def);
    if (r->outside.stopped)
        reader_stop(r, r->outside.stopped);
}

/* Keeps a segment's text and its first `most` elements beyond the block's life. Returns how many of them it has. */
unsigned reader_keep_elements(const struct segment *s, char *text, struct slice *element, unsigned most)
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

/* "an SE", "a GE": as the first letter is spoken. */
static const char *article(const char *tag)
{
    return strchr("AEFHILMNORSX", tag[0]) ? "an" : "a";
}

/* A trailer that did not come. */
void reader_find_no_trailer(struct edi_reader *r, enum finding_code code, enum dialect_level level)
{
    const char *tag = r->dialect->level[level].end;
    char expected[80];
    struct finding f = {
        .code = code, .tag = slice_of(tag), .missing = true, .found = "missing", .expected = expected
    };
    snprintf(expected, sizeof(expected), "%s %s segment at the end of the %s", article(tag), tag,
             level == DIALECT_DOCUMENT ? r->dialect->document
             : level == DIALECT_GROUP  ? "group"
                                       : "interchange");
    reader_hand_over(r, NULL, &f);
}

static int close_group(struct edi_reader *r)
{
    reader_close_document_early(r);
    if (r->level != IN_GROUP)
        return r->stopped;
    if (r->sink.group_end && !r->stopped)
        reader_call(r, r->sink.group_end(r->sink.ctx, &r->in.group));
    r->level = IN_INTERCHANGE;
    return r->stopped;
}

static int close_group_early(struct edi_reader *r)
{
    if (r->level >= IN_GROUP && !r->in.group.implied) {
        reader_close_document_early(r);
        reader_find_no_trailer(r, FINDING_GROUP_TRAILER, DIALECT_GROUP);
    }
    return close_group(r);
}

static int close_interchange(struct edi_reader *r)
{
    if (r->level != IN_INTERCHANGE)
        return r->stopped;
    if (r->sink.interchange_end && !r->stopped)
        reader_call(r, r->sink.interchange_end(r->sink.ctx, &r->in.interchange));
    r->level = OUTSIDE;
    return r->stopped;
}

int reader_close_interchange_early(struct edi_reader *r)
{
    close_group_early(r);
    if (r->level == IN_INTERCHANGE && r->in.interchange.control.n)
        reader_find_no_trailer(r, FINDING_INTERCHANGE_TRAILER, DIALECT_INTERCHANGE);
    return close_interchange(r);
}

/* The guide of the envelopes, by ISA12: GS of an older version in it is the same segment. Of EDIFACT by the version of
 * the syntax. */
static int find_envelope(struct edi_reader *r)
{
    struct slice version = r->in.interchange.version;
    int result;
    if (r->dialect == &dialect_x12) {
        if (version.n != 5 && version.n != 6)
            version = slice_of("00401");
        result = guides_find(r->options.guides, slice_of("x12"), version, slice_of("interchange"),
                             r->options.complaints, &r->in.envelope, r->err);
    } else {
        char id[] = "edifact/syntax-3/interchange";
        if (version.n == 1 && version.p[0] >= '1' && version.p[0] <= '4')
            id[15] = version.p[0];
        result = guides_by_id(r->options.guides, slice_of(id), r->options.complaints, &r->in.envelope, r->err);
    }
    if (result == ERR_MISSING)
        return reader_stop(r, err_set(r->err, ERR_MISSING,
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
int reader_open_interchange(struct edi_reader *r, const struct segment *s)
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
        i->n = reader_keep_elements(s, r->in.interchange_text, i->element, ENVELOPE_ELEMENTS);
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
        reader_call(r, r->sink.interchange(r->sink.ctx, i));
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

    reader_safe_text(r, receiver ? i->receiver_qualifier : i->sender_qualifier, 20, party, sizeof(party));
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

/* What stands in UNA and UNB besides data elements. */
static void check_unb(struct edi_reader *r, const struct segment *s)
{
    enum edi_charset set;
    struct slice id = segment_part(s, &r->syntax, 1, 1), version = r->in.interchange.version;
    char found[80], shown[20];
    r->isa_irregular = false;
    if (r->una.is_wrong)
        reader_find(r, FINDING_UNA, s, 0, "the UNA before it has other separators",
                    "those of the segments that follow it");
    else if (r->una.is_short)
        reader_find(r, FINDING_UNA, s, 0, "the UNA before it has five characters",
                    "six: the fifth is a blank or the repetition separator, the last one the terminator");
    else if (r->syntax.terminator == '\n' || r->syntax.terminator == '\r')
        reader_find(r, FINDING_UNA, s, 0, "the segments end at line breaks", "a terminator such as '");
    r->una.is_short = r->una.is_wrong = false;
    if (id.n && !charset_of_syntax(id, &set)) {
        reader_safe_text(r, id, 16, shown, sizeof(shown));
        snprintf(found, sizeof(found), "names the character set %s, which is read as ISO 8859-1", shown);
        reader_find_part(r, FINDING_CHARSET_UNKNOWN, s, 1, 1, found, "UNOA to UNOL, UNOW or UNOY");
    }
    if (!(version.n == 1 && version.p[0] >= '1' && version.p[0] <= '4')) {
        reader_safe_text(r, version, 16, shown, sizeof(shown));
        snprintf(found, sizeof(found), "names the version \"%s\" of the syntax; it is read as version 3", shown);
        reader_find_part(r, FINDING_SYNTAX_VERSION, s, 1, 2, found, "1, 2, 3 or 4");
    }
}

int reader_take_interchange(struct edi_reader *r, const struct segment *s)
{
    if (r->level != OUTSIDE)
        reader_close_interchange_early(r);
    if (r->stopped || reader_open_interchange(r, s) < 0 || !(s = reader_readable(r, s)))
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
    reader_check_envelope(r, s, FINDING_INTERCHANGE_CONTENT);
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
void reader_compare_count(struct edi_reader *r, const struct segment *s, unsigned element, uint64_t counted,
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

void reader_compare_control(struct edi_reader *r, const struct segment *s, unsigned element, struct slice control,
                            enum finding_code code, const char *what)
{
    char found[40], expected[80];
    if (same_number(segment_element(s, element), control))
        return;
    snprintf(found, sizeof(found), "is not %s", what);
    reader_safe_text(r, control, 40, expected, sizeof(expected));
    reader_find(r, code, s, element, found, expected);
}

/* A trailer whose beginning did not come. */
int reader_find_no_header(struct edi_reader *r, const struct segment *s, enum dialect_level level)
{
    const char *begin = r->dialect->level[level].begin, *end = r->dialect->level[level].end;
    char found[60], expected[60];
    snprintf(found, sizeof(found), "%s %s without %s %s", article(end), end, article(begin), begin);
    snprintf(expected, sizeof(expected), "%s %s segment first", article(begin), begin);
    return reader_find(r, FINDING_INTERCHANGE_STRUCTURE, s, 0, found, expected);
}

int reader_take_interchange_end(struct edi_reader *r, const struct segment *s)
{
    const struct edi_interchange *i = &r->in.interchange;
    if (r->level == OUTSIDE)
        return reader_find_no_header(r, s, DIALECT_INTERCHANGE);
    close_group_early(r);
    if (r->stopped || !(s = reader_readable(r, s)))
        return r->stopped;
    reader_check_envelope(r, s, FINDING_INTERCHANGE_CONTENT);
    if (i->groups || r->dialect->groups)
        reader_compare_count(r, s, 1, i->groups, FINDING_INTERCHANGE_COUNT, "groups");
    else
        reader_compare_count(r, s, 1, i->documents, FINDING_INTERCHANGE_COUNT, r->dialect->documents);
    reader_compare_control(r, s, 2, i->control, FINDING_INTERCHANGE_CONTROL,
                           r->dialect->level[DIALECT_INTERCHANGE].control_name);
    return close_interchange(r);
}

/* s: its GS or UNG; NULL: there is none. */
int reader_open_group(struct edi_reader *r, const struct segment *s)
{
    struct edi_group *g = &r->in.group;
    memset(g, 0, sizeof(*g));
    for (unsigned k = 0; k <= GROUP_ELEMENTS; k++)
        g->element[k] = slice(r->in.group_text, 0);
    g->ordinal = s || r->dialect->groups ? r->in.interchange.groups + 1 : 0;
    if (s) {
        r->in.interchange.groups++;
        g->n = reader_keep_elements(s, r->in.group_text, g->element, GROUP_ELEMENTS);
        g->flags = s->flags;
    } else {
        g->implied = true;
    }
    r->dialect->group_facts(g, &r->in.interchange);
    numbers_clear(&r->numbers);
    r->n_sets_seen = 0;
    r->level = IN_GROUP;
    if (s)
        reader_check_envelope(r, s, FINDING_GROUP_SYNTAX);
    if (s && g->control.n && !numbers_add(&r->group_numbers, g->control))
        reader_find(r, FINDING_GROUP_DUPLICATE, s, r->dialect->level[DIALECT_GROUP].control,
                    "was used before in this interchange", "a number of its own for each group");
    if (r->sink.group && !r->stopped)
        reader_call(r, r->sink.group(r->sink.ctx, g));
    return r->stopped;
}

int reader_take_group(struct edi_reader *r, const struct segment *s)
{
    if (r->level >= IN_GROUP)
        close_group_early(r);
    if (r->level == OUTSIDE) {
        reader_open_interchange(r, NULL);
        reader_find(r, FINDING_GROUP_OUTSIDE, s, 0, "the group stands outside an interchange",
                    r->dialect == &dialect_x12 ? "an ISA segment first" : "a UNB segment first");
    }
    s = reader_readable(r, s);
    return r->stopped ? r->stopped : reader_open_group(r, s);
}

int reader_take_group_end(struct edi_reader *r, const struct segment *s)
{
    uint64_t claimed;
    reader_close_document_early(r);
    if (r->level < IN_GROUP || r->in.group.implied)
        return reader_find_no_header(r, s, DIALECT_GROUP);
    if (!(s = reader_readable(r, s)))
        return r->stopped;
    if (slice_number(slice_trim(segment_element(s, 1)), UINT64_MAX, &claimed))
        r->in.group.claimed = claimed;
    reader_check_envelope(r, s, FINDING_GROUP_SYNTAX);
    reader_compare_count(r, s, 1, r->in.group.documents, FINDING_GROUP_COUNT, r->dialect->documents);
    reader_compare_control(r, s, 2, r->in.group.control, FINDING_GROUP_CONTROL,
                           r->dialect->level[DIALECT_GROUP].control_name);
    return close_group(r);
}
