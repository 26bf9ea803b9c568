/*
 * write_envelope: what begins and ends interchanges, groups and documents: ISA, GS, ST; UNA, UNB, UNG, UNH; and their
 * trailers. What must be in order for both dialects is looked at first, then the dialect writes its segment. A refused
 * envelope leaves nothing behind. Allocates nothing of its own.
 */
#include "edi/write_inside.h"

#include <stdio.h>

#include "edi/delimiters.h"

/* How a dialect writes them. Each begins a segment and leaves it for the caller to end. */
struct envelopes {
    int (*interchange)(struct edi_writer *w, const struct edi_envelope *e);
    int (*group)(struct edi_writer *w, const struct edi_envelope *e);
    int (*document)(struct edi_writer *w, struct slice set, struct slice control, struct slice implementation);
};

static struct slice or_else(struct slice s, const char *other)
{
    return s.n ? s : slice_of(other);
}

/* Refused envelopes leave nothing behind and are not held against the document. */
static int refuse_envelope(struct edi_writer *w, int code)
{
    edi_write_cancel(w);
    w->state.refused = 0;
    return code;
}

static bool real_time(const struct edi_time *t)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (t->year % 4 == 0 && t->year % 100 != 0) || t->year % 400 == 0;

    return t->year >= 1 && t->year <= 9999 && t->month >= 1 && t->month <= 12 && t->day >= 1 &&
           t->day <= days[t->month - 1] + (t->month == 2 && leap) && t->hour >= 0 && t->hour < 24 && t->minute >= 0 &&
           t->minute < 60 && t->second < 60;
}

static int end_segment(struct edi_writer *w)
{
    int code = edi_write_end(w, true, NULL);
    return code < 0 ? code : 0;
}

/* The last n digits of a number. */
static void digits(char *to, int number, unsigned n)
{
    for (; n; n--, number /= 10)
        to[n - 1] = (char)('0' + number % 10);
}

enum { DATE = 8, TIME = 6 };

/* A date as it stands in envelopes: CCYYMMDD; YYMMDD is from the third on. */
static int date(struct edi_writer *w, unsigned element, const struct edi_time *t, char text[DATE])
{
    if (!real_time(t)) {
        char place[WRITER_PLACE];
        writer_place(w, element, 0, 0, place);
        return writer_refuse(w, place, "%04d-%02d-%02d %02d:%02d is not a date and time", t->year, t->month, t->day,
                             t->hour, t->minute);
    }
    digits(text, t->year, 4);
    digits(text + 4, t->month, 2);
    digits(text + 6, t->day, 2);
    return 0;
}

/* HHMM, or HHMMSS where the second is known. */
static struct slice time_of_day(const struct edi_time *t, bool seconds, char text[TIME])
{
    digits(text, t->hour, 2);
    digits(text + 2, t->minute, 2);
    digits(text + 4, t->second, 2);
    return slice(text, seconds && t->second >= 0 ? 6 : 4);
}

/* ---- X12 ---- */

/* An element of an envelope: between `least` and `most` bytes after conversion, padded with blanks to `pad`. */
static int envelope_element(struct edi_writer *w, unsigned element, struct slice value, size_t least, size_t most,
                            size_t pad, const char *what)
{
    char place[WRITER_PLACE];
    int code;

    writer_place(w, element, 0, 0, place);
    code = writer_convert(w, value, place);
    if (code < 0)
        return code;
    if (w->scratch.n < least || w->scratch.n > most) {
        if (w->scratch.n == 0)
            return writer_refuse(w, place, "%s is missing", what);
        if (least == most)
            return writer_refuse(w, place, "%s has %zu characters and not %zu", what, w->scratch.n, least);
        return writer_refuse(w, place, "%s has %zu characters and must have %zu to %zu", what, w->scratch.n, least,
                             most);
    }
    while (w->scratch.n < pad && !w->scratch.failed)
        buf_add_char(&w->scratch, ' ');
    if (w->scratch.failed)
        return writer_fail_buffer(w, &w->scratch);
    return edi_write_binary(w, element, buf_slice(&w->scratch));
}

/* A control number of `least` to nine digits (zeros put before it), kept for the trailer. */
static int control_number(struct edi_writer *w, unsigned element, struct slice value, size_t least, unsigned level,
                          const char *what)
{
    char place[WRITER_PLACE], *kept = w->state.control[level - 1];
    uint64_t number;
    size_t n = value.n < least ? least : value.n;

    writer_place(w, element, 0, 0, place);
    if (!slice_number(value, 999999999, &number) || value.n > 9)
        return writer_refuse(w, place, "%s must be a number of at most nine digits", what);
    memset(kept, '0', n);
    memcpy(kept + n - value.n, value.p, value.n);
    kept[n] = 0;
    return edi_write_binary(w, element, slice(kept, n));
}

/* Date and time as elements `element` and `element` + 1. */
static int date_and_time(struct edi_writer *w, unsigned element, const struct edi_time *t, bool century, bool seconds)
{
    char day[DATE], time[TIME];
    int code = date(w, element, t, day);

    if (!code)
        code = edi_write_binary(w, element, century ? slice(day, DATE) : slice(day + 2, DATE - 2));
    return code ? code : edi_write_binary(w, element + 1, time_of_day(t, seconds, time));
}

/* The first `n` digits of a version as a number; 0 when they are none. */
static unsigned version_number(struct slice version, size_t n)
{
    uint64_t number = 0;

    if (version.n < n || !slice_number(slice(version.p, n), 999999, &number))
        return 0;
    return (unsigned)number;
}

static int x12_interchange(struct edi_writer *w, const struct edi_envelope *e)
{
    struct slice version =
        e->interchange_version.n ? e->interchange_version : slice(e->version.p, e->version.n < 5 ? e->version.n : 5);
    unsigned number = version_number(version, 5);
    struct edi_syntax syntax = w->state.options.syntax;
    char usage = e->usage ? e->usage : 'P';
    int code;

    if (!syntax.component)
        return writer_misused(w, "an X12 interchange needs a component separator");
    if (number < 402)
        syntax.repetition = 0;
    writer_use_syntax(w, &syntax);
    code = edi_write_begin(w, SLICE("ISA"));
    if (code < 0)
        return code;
    code = envelope_element(w, 1, or_else(e->authorization_qualifier, "00"), 2, 2, 2, "the authorization qualifier");
    if (!code)
        code = envelope_element(w, 2, e->authorization, 0, 10, 10, "the authorization");
    if (!code)
        code = envelope_element(w, 3, or_else(e->security_qualifier, "00"), 2, 2, 2, "the security qualifier");
    if (!code)
        code = envelope_element(w, 4, e->security, 0, 10, 10, "the security information");
    if (!code)
        code = envelope_element(w, 5, or_else(e->sender_qualifier, "ZZ"), 2, 2, 2, "the sender's qualifier");
    if (!code)
        code = envelope_element(w, 6, e->sender, 1, 15, 15, "the sender's id");
    if (!code)
        code = envelope_element(w, 7, or_else(e->receiver_qualifier, "ZZ"), 2, 2, 2, "the receiver's qualifier");
    if (!code)
        code = envelope_element(w, 8, e->receiver, 1, 15, 15, "the receiver's id");
    if (!code)
        code = date_and_time(w, 9, &e->at, false, false);
    if (!code)
        code = edi_write_binary(w, 11, w->syntax.repetition ? slice(&w->syntax.repetition, 1) : SLICE("U"));
    if (!code && (version.n != 5 || number == 0))
        code = writer_refuse(w, "ISA12", "the version \"%.*s\" does not begin with five digits", SLICE_FMT(version));
    if (!code)
        code = edi_write_binary(w, 12, version);
    if (!code)
        code = control_number(w, 13, e->interchange_control, 9, OPEN_INTERCHANGE, "the interchange control number");
    if (!code)
        code = edi_write_binary(w, 14, e->acknowledgment ? SLICE("1") : SLICE("0"));
    if (!code && usage != 'P' && usage != 'T' && usage != 'I')
        code = writer_refuse(w, "ISA15", "the usage is P, T or I");
    if (!code)
        code = edi_write_binary(w, 15, slice(&usage, 1));
    if (!code)
        code = edi_write_binary(w, 16, slice(&w->syntax.component, 1));
    return code;
}

static int x12_group(struct edi_writer *w, const struct edi_envelope *e)
{
    unsigned number = version_number(e->version, 6);
    int code = edi_write_begin(w, SLICE("GS"));

    if (code < 0)
        return code;
    code = envelope_element(w, 1, e->group, 2, 2, 2, "the functional identifier code");
    if (!code)
        code = envelope_element(w, 2, e->group_sender.n ? e->group_sender : e->sender, 1, 15, 0, "the sender's code");
    if (!code)
        code = envelope_element(w, 3, e->group_receiver.n ? e->group_receiver : e->receiver, 1, 15, 0,
                                "the receiver's code");
    /* element 373 has a century from 004010 on */
    if (!code)
        code = date_and_time(w, 4, &e->at, number == 0 || number >= 4010, true);
    if (!code)
        code = control_number(w, 6, e->group_control, 1, OPEN_GROUP, "the group control number");
    if (!code)
        code = envelope_element(w, 7, or_else(e->agency, "X"), 1, 2, 0, "the responsible agency");
    if (!code)
        code = envelope_element(w, 8, e->version, 1, 12, 0, "the version");
    return code;
}

static int x12_document(struct edi_writer *w, struct slice set, struct slice control, struct slice implementation)
{
    uint64_t number;
    int code = edi_write_begin(w, SLICE("ST"));

    if (code < 0)
        return code;
    code = envelope_element(w, 1, set, 3, 3, 0, "the transaction set");
    if (!code && slice_number(control, 999999999, &number) && control.n <= 9) {
        code = control_number(w, 2, control, 4, OPEN_DOCUMENT, "the control number");
    } else if (!code) {
        code = envelope_element(w, 2, control, 4, 9, 0, "the control number");
        if (!code) {
            memcpy(w->state.control[OPEN_DOCUMENT - 1], w->scratch.p, w->scratch.n);
            w->state.control[OPEN_DOCUMENT - 1][w->scratch.n] = 0;
        }
    }
    if (!code && implementation.n)
        code = envelope_element(w, 3, implementation, 1, 35, 0, "the implementation convention");
    return code;
}

static const struct envelopes x12 = { x12_interchange, x12_group, x12_document };

/* ---- EDIFACT ---- */

/* A part of a service segment: up to `most` characters. */
struct envelope_part {
    struct slice value;
    size_t most;
    const char *what; /* to people, where it may not be left out; else NULL */
};

/* How many characters of data scratch holds. */
static size_t characters(const struct edi_writer *w)
{
    const struct slice s = buf_slice(&w->scratch);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (w->syntax.release && s.p[i] == w->syntax.release)
            i++;
        if (i < s.n && (w->state.options.charset != CHARSET_UTF8 || ((unsigned char)s.p[i] & 0xc0) != 0x80))
            n++;
    }
    return n;
}

/* Component `component` of an element, 0: the whole; from 1 on the value is written, too. */
static int put_part(struct edi_writer *w, unsigned element, unsigned component, struct envelope_part part)
{
    char place[WRITER_PLACE];
    size_t n;
    int code;

    writer_place(w, element, component ? 1 : 0, component, place);
    code = writer_convert(w, part.value, place);
    if (code < 0)
        return code;
    n = characters(w);
    if (n == 0 && part.what)
        return writer_refuse(w, place, "%s is missing", part.what);
    if (n > part.most)
        return writer_refuse(w, place, "the value has %zu characters and may have %zu", n, part.most);
    return component ? edi_write_component(w, element, component, part.value)
                     : edi_write_element(w, element, part.value);
}

static int put_parts(struct edi_writer *w, unsigned element, const struct envelope_part *part, unsigned n)
{
    int code = 0;

    for (unsigned i = 0; i < n && !code; i++)
        code = put_part(w, element, i + 1, part[i]);
    return code;
}

/* A control reference, kept for the trailer as it is written. */
static int control_reference(struct edi_writer *w, unsigned element, struct slice value, unsigned level,
                             const char *what)
{
    int code = put_part(w, element, 0, (struct envelope_part){ value, 14, what });

    if (code < 0)
        return code;
    if (w->scratch.n >= EDI_CONTROL_MOST)
        return writer_refuse(w, w->dialect->level[level - 1].control_name, "%s takes too many bytes", what);
    memcpy(w->state.control[level - 1], w->scratch.p, w->scratch.n);
    w->state.control[level - 1][w->scratch.n] = 0;
    return 0;
}

/* S004 */
static int put_time(struct edi_writer *w, unsigned element, const struct edi_time *t, bool century)
{
    char day[DATE], time[TIME];
    int code = date(w, element, t, day);

    if (!code)
        code = edi_write_component(w, element, 1, century ? slice(day, DATE) : slice(day + 2, DATE - 2));
    return code ? code : edi_write_component(w, element, 2, time_of_day(t, false, time));
}

/* The service string advice, where it says something, or is wished. */
static int put_advice(struct edi_writer *w, bool four)
{
    const struct edi_syntax *s = &w->syntax, usual = { '+', '\'', ':', four ? '*' : 0, '?' };
    const char decimal = edi_writer_decimal(w);
    const char advice[] = { 'U',
                            'N',
                            'A',
                            s->component,
                            s->element,
                            decimal,
                            s->release ? s->release : ' ',
                            s->repetition ? s->repetition : ' ' };

    if (!w->state.options.una && decimal == '.' && s->element == usual.element && s->terminator == usual.terminator &&
        s->component == usual.component && s->repetition == usual.repetition && s->release == usual.release)
        return 0;
    buf_add(&w->out, advice, sizeof(advice));
    buf_add(&w->out, w->ending, w->ending_n);
    return w->out.failed ? writer_fail_buffer(w, &w->out) : 0;
}

static bool is_four(const struct edi_writer *w)
{
    return w->state.syntax_version >= '4';
}

static int put_type(struct edi_writer *w, unsigned element, struct slice set)
{
    const struct envelope_part part[] = {
        { set, 6, "the message type" },
        { or_else(slice_of(w->state.message[0]), "D"), 3, NULL },
        { or_else(slice_of(w->state.message[1]), "96A"), 3, NULL },
        { or_else(slice_of(w->state.message[2]), "UN"), 3, NULL },
        { slice_of(w->state.message[3]), EDI_TYPE_MOST, NULL }, /* 6; the field has longer ones */
    };
    return put_parts(w, element, part, sizeof(part) / sizeof(part[0]));
}

int edi_writer_message(struct edi_writer *w, const struct edi_message_type *type)
{
    static const char *const places[] = { "0052", "0054", "0051", "0057" };
    const struct slice part[] = { type->version, type->release, type->agency, type->association };

    if (w->failed)
        return w->failed;
    for (unsigned i = 0; i < 4; i++)
        if (part[i].n >= EDI_TYPE_MOST)
            return writer_refuse(w, places[i], "\"%.*s\" is too long", SLICE_FMT(part[i]));
    for (unsigned i = 0; i < 4; i++) {
        if (part[i].n)
            memcpy(w->state.message[i], part[i].p, part[i].n);
        w->state.message[i][part[i].n] = 0;
    }
    return 0;
}

static int edifact_interchange(struct edi_writer *w, const struct edi_envelope *e)
{
    struct slice version = or_else(e->interchange_version, "3");
    struct slice name = or_else(e->character_set, charset_syntax(w->state.options.charset));
    struct edi_syntax syntax = w->state.options.syntax;
    const char usage = e->usage ? e->usage : 'P';
    const size_t party = 35;
    const struct envelope_part sender[] = { { e->sender, party, "the sender's id" },
                                            { e->sender_qualifier, 4, NULL },
                                            { e->sender_routing, party, NULL } };
    const struct envelope_part receiver[] = { { e->receiver, party, "the receiver's id" },
                                              { e->receiver_qualifier, 4, NULL },
                                              { e->receiver_routing, party, NULL } };
    const struct envelope_part password[] = { { e->security, 14, NULL }, { e->security_qualifier, 2, NULL } };
    enum edi_charset set;
    int code;

    if (!syntax.component)
        return writer_misused(w, "an EDIFACT interchange needs a component separator");
    w->state.syntax_version = version.n == 1 ? version.p[0] : 0;
    syntax.repetition = is_four(w) ? delimiters_repetition(&syntax) : 0;
    writer_use_syntax(w, &syntax);
    /* begun once before the advice, too: what gathered goes out there and not behind it */
    code = edi_write_begin(w, SLICE("UNB"));
    if (code < 0)
        return code;
    edi_write_cancel(w);
    code = put_advice(w, is_four(w));
    if (!code)
        code = edi_write_begin(w, SLICE("UNB"));
    if (code < 0)
        return code;
    if (!charset_of_syntax(name, &set) || set != w->state.options.charset)
        code = writer_refuse(w, "UNB01-1", "\"%.*s\" is not a name of the %s character set", SLICE_FMT(name),
                             charset_name(w->state.options.charset));
    if (!code && (w->state.syntax_version < '1' || w->state.syntax_version > '4'))
        code = writer_refuse(w, "UNB01-2", "\"%.*s\" is not a syntax version: 1, 2, 3 or 4", SLICE_FMT(version));
    if (!code)
        code = edi_write_component(w, 1, 1, name);
    if (!code)
        code = edi_write_component(w, 1, 2, version);
    if (!code)
        code = put_parts(w, 2, sender, 3);
    if (!code)
        code = put_parts(w, 3, receiver, 3);
    if (!code)
        code = put_time(w, 4, &e->at, is_four(w));
    if (!code)
        code = control_reference(w, 5, e->interchange_control, OPEN_INTERCHANGE, "the interchange control reference");
    if (!code && e->security.n)
        code = put_parts(w, 6, password, 2);
    if (!code)
        code = put_part(w, 7, 0, (struct envelope_part){ e->application, 14, NULL });
    if (!code)
        code = put_part(w, 8, 0, (struct envelope_part){ e->priority, 1, NULL });
    if (!code && e->acknowledgment)
        code = edi_write_element(w, 9, SLICE("1"));
    if (!code)
        code = put_part(w, 10, 0, (struct envelope_part){ e->agreement, 35, NULL });
    if (!code && usage != 'P' && usage != 'T' && usage != 'I')
        code = writer_refuse(w, "UNB11", "the usage is P, T or I");
    if (!code && usage == 'T')
        code = edi_write_element(w, 11, SLICE("1"));
    if (!code)
        code = edi_writer_message(w, &e->message);
    return code;
}

static int edifact_group(struct edi_writer *w, const struct edi_envelope *e)
{
    const struct envelope_part sender[] = { { e->group_sender.n ? e->group_sender : e->sender, 35, "the sender's id" },
                                            { e->group_sender_qualifier, 4, NULL } };
    const struct envelope_part receiver[] = { { e->group_receiver.n ? e->group_receiver : e->receiver, 35,
                                                "the receiver's id" },
                                              { e->group_receiver_qualifier, 4, NULL } };
    struct envelope_part type[] = { { SLICE("D"), 3, NULL },
                                    { SLICE("96A"), 3, NULL },
                                    { slice(NULL, 0), EDI_TYPE_MOST, NULL } };
    int code = edi_write_begin(w, SLICE("UNG"));

    if (code < 0)
        return code;
    if (e->message.version.n || e->message.release.n)
        code = edi_writer_message(w, &e->message);
    for (unsigned i = 0; i < 3; i++) {
        const char *kept = w->state.message[i < 2 ? i : 3];
        if (kept[0])
            type[i].value = slice_of(kept);
    }
    if (!code)
        code = put_part(w, 1, 0, (struct envelope_part){ e->group, 6, "the message group" });
    if (!code)
        code = put_parts(w, 2, sender, 2);
    if (!code)
        code = put_parts(w, 3, receiver, 2);
    if (!code)
        code = put_time(w, 4, &e->at, is_four(w));
    if (!code)
        code = control_reference(w, 5, e->group_control, OPEN_GROUP, "the group reference");
    if (!code)
        code = put_part(w, 6, 0, (struct envelope_part){ or_else(e->agency, "UN"), 3, NULL });
    return code ? code : put_parts(w, 7, type, 3);
}

static int edifact_document(struct edi_writer *w, struct slice set, struct slice control, struct slice implementation)
{
    int code = edi_write_begin(w, SLICE("UNH"));

    (void)implementation;
    if (code < 0)
        return code;
    code = control_reference(w, 1, control, OPEN_DOCUMENT, "the message reference");
    return code ? code : put_type(w, 2, set);
}

static const struct envelopes edifact = { edifact_interchange, edifact_group, edifact_document };

/* ---- Both ---- */

static const struct envelopes *envelopes_of(const struct edi_writer *w)
{
    return w->dialect == &dialect_edifact ? &edifact : &x12;
}

int edi_write_interchange(struct edi_writer *w, const struct edi_envelope *e)
{
    uint64_t at;
    int code;

    if (w->failed)
        return w->failed;
    if (w->state.open != OPEN_NOTHING)
        return writer_misused(w, "an interchange begins where another has ended");
    at = edi_writer_offset(w);
    code = envelopes_of(w)->interchange(w, e);
    if (!code)
        code = end_segment(w);
    if (code < 0) {
        code = refuse_envelope(w, code);
        /* an UNA goes with its UNB */
        w->out.n -= edi_writer_offset(w) - at;
        return code;
    }
    w->state.syntax = w->syntax;
    w->state.open = OPEN_INTERCHANGE;
    w->state.groups = w->state.documents = 0;
    w->state.interchanges++;
    return 0;
}

/* The trailer of a level: its count and its control number. */
static int write_trailer(struct edi_writer *w, uint64_t count, unsigned level)
{
    char text[24];
    int code;

    if (w->failed)
        return w->failed;
    if (w->state.open != level || w->in_segment)
        return writer_misused(w, "envelopes end from the inner to the outer, and only what was begun");
    snprintf(text, sizeof(text), "%llu", (unsigned long long)count);
    code = edi_write_begin(w, slice_of(w->dialect->level[level - 1].end));
    if (!code)
        code = edi_write_binary(w, 1, slice_of(text));
    if (!code)
        code = edi_write_binary(w, 2, slice_of(w->state.control[level - 1]));
    if (!code)
        code = end_segment(w);
    if (code < 0)
        return code;
    /* a document stands in a group, or in the interchange itself */
    w->state.open = level == OPEN_DOCUMENT && !w->state.groups ? OPEN_INTERCHANGE : level - 1;
    return 0;
}

int edi_write_interchange_end(struct edi_writer *w)
{
    int code = write_trailer(w, w->state.groups || w->dialect->groups ? w->state.groups : w->state.documents,
                             OPEN_INTERCHANGE);

    if (!code) {
        w->state.syntax = w->state.options.syntax;
        writer_use_syntax(w, &w->state.syntax);
    }
    return code;
}

int edi_write_group(struct edi_writer *w, const struct edi_envelope *e)
{
    int code;

    if (w->state.open != OPEN_INTERCHANGE)
        return writer_misused(w, "a group stands inside an interchange, outside of other groups");
    if (!w->state.groups && w->state.documents)
        return writer_misused(w, "documents of an interchange stand in groups, or none does");
    code = envelopes_of(w)->group(w, e);
    if (!code)
        code = end_segment(w);
    if (code < 0)
        return refuse_envelope(w, code);
    w->state.open = OPEN_GROUP;
    w->state.documents = 0;
    w->state.groups++;
    return 0;
}

int edi_write_group_end(struct edi_writer *w)
{
    return write_trailer(w, w->state.documents, OPEN_GROUP);
}

int edi_write_document(struct edi_writer *w, struct slice set, struct slice control, struct slice implementation)
{
    int code;

    if (w->state.open != OPEN_GROUP && (w->dialect->groups || w->state.open != OPEN_INTERCHANGE))
        return writer_misused(w, w->dialect->groups ? "a transaction set stands inside a group, outside of other sets"
                                                    : "a message stands outside of other messages");
    if (w->state.open == OPEN_INTERCHANGE && w->state.groups)
        return writer_misused(w, "documents of an interchange stand in groups, or none does");
    code = envelopes_of(w)->document(w, set, control, implementation);
    if (!code)
        code = edi_write_end(w, true, &w->header);
    if (code < 0)
        return refuse_envelope(w, code);
    w->state.open = OPEN_DOCUMENT;
    w->state.segments = 1;
    w->state.refused = 0;
    w->state.documents++;
    return 0;
}

void edi_writer_header(const struct edi_writer *w, struct segment *segment_r)
{
    *segment_r = w->header;
}

int edi_write_document_end(struct edi_writer *w)
{
    if (w->failed)
        return w->failed;
    if (w->state.open == OPEN_DOCUMENT && w->state.refused)
        return err_set(&w->err, ERR_DATA, "%u value%s of the document cannot be written", w->state.refused,
                       w->state.refused == 1 ? "" : "s");
    return write_trailer(w, w->state.segments + 1, OPEN_DOCUMENT);
}
