/*
 * acknowledge_contrl: CONTRL, the answer to an interchange of EDIFACT; see acknowledge.h.
 *
 * What stands first (UCI, UCF, UCM) is known last. So what is below a UCM, a UCF, the UCI waits in a writer of its
 * own: the body, which holds what is wrong, not what is right, and has a ceiling. UCMs outside of groups go before
 * UCFs, whatever came first, so there are two bodies.
 *
 * What is copied from the interchange goes out as it came, cut to what the element holds; the writer releases
 * separators. Characters that the character set lacks, and control characters, are written with others.
 */
#include <stdio.h>

#include "base/limits.h"
#include "edi/acknowledge_inside.h"
#include "edi/contrl.h"
#include "edi/delimiters.h"

enum {
    SEGMENTS_MOST = 999,    /* UCSs of a message */
    ELEMENTS_MOST = 99,     /* UCDs of a UCS */
    MESSAGES_MOST = 999999, /* UCMs of a group, or of the interchange */
    TEXT_MOST = 35          /* characters of what is copied */
};
/* From here on the body takes no more: a UCM or UCF still has to go before what is in it. */
#define BODY_MOST (LIMIT_ACKNOWLEDGMENT / 2)

/* --- What is copied --------------------------------------------------------------------------------------- */

struct copied {
    char text[TEXT_MOST * 4 + CHARSET_SUBSTITUTE_MOST];
};

/* A value as the answer can hold it: at most `most` characters, without blanks at its ends. */
static struct slice copied(struct acknowledge *a, struct slice value, size_t most, struct copied *to)
{
    const enum edi_charset set = a->contrl.format.charset;
    size_t n = 0, characters = 0;
    uint32_t previous = 0, c;
    unsigned length;

    for (value = slice_trim(value); value.n && characters < most; value = slice_from(value, length)) {
        char with[CHARSET_SUBSTITUTE_MOST];
        int with_n = 1;
        if (!charset_decode(value, &c, &length)) {
            c = (unsigned char)value.p[0];
            length = 1;
        }
        if (!charset_control(c) && charset_has(set, c)) {
            n += utf8_put(c, to->text + n);
            characters++;
        } else {
            with[0] = charset_control(c) ? ' ' : '?';
            if (!charset_control(c))
                with_n = charset_substitute(set, c, previous, 0, with);
            if (with_n < 0) {
                with[0] = '?';
                with_n = 1;
            }
            for (int i = 0; i < with_n && characters < most; i++, characters++)
                to->text[n++] = with[i];
        }
        previous = c;
    }
    return slice_trim(slice(to->text, n));
}

/* Has the set all characters of a value? */
static bool has_all(enum edi_charset set, struct slice value)
{
    uint32_t c;
    unsigned length;

    for (; value.n; value = slice_from(value, length)) {
        if (!charset_decode(value, &c, &length) || !charset_has(set, c))
            return false;
    }
    return true;
}

static void put(struct acknowledge *a, unsigned element, struct slice value, size_t most, const char *otherwise)
{
    struct copied to;
    struct slice s = copied(a, value, most, &to);

    acknowledge_put(a, element, s.n ? s : slice_of(otherwise));
}

static void put_part(struct acknowledge *a, unsigned element, unsigned component, struct slice value, size_t most,
                     const char *otherwise)
{
    struct copied to;
    struct slice s = copied(a, value, most, &to);

    acknowledge_wrote(a, edi_write_component(a->to, element, component, s.n ? s : slice_of(otherwise)));
}

/* The first parts of S002, S003, S006 or S007 as they are. */
static void put_party(struct acknowledge *a, unsigned element, struct slice value, char separator, unsigned parts,
                      struct slice otherwise)
{
    const size_t most[] = { 35, 4, a->contrl.version_4 ? 35u : 14u, 35 };
    struct slice id = slice_trim(value_part(value, separator, 1));

    put_part(a, element, 1, id.n ? id : otherwise, most[0], "0");
    for (unsigned k = 2; k <= parts; k++)
        put_part(a, element, k, value_part(value, separator, k), most[k - 1], "");
}

/* S009: a message that names no version is of its group's. What is mandatory and not there is 0. */
static void put_type(struct acknowledge *a, unsigned element, const struct edi_document *d)
{
    static const uint8_t most[] = { 6, 3, 3, 3, 6, 6, 6 };
    const char separator = segment_component_separator(d->flags, &d->interchange->syntax);
    struct slice release, version;
    bool found;

    version = slice_cut(d->version, '.', &release, &found);
    put_part(a, element, 1, d->set, most[0], "0");
    put_part(a, element, 2, version, most[1], "0");
    put_part(a, element, 3, release, most[2], "0");
    put_part(a, element, 4, value_part(d->type, separator, 4), a->contrl.version_4 ? 3 : 2, "UN");
    for (unsigned k = 5; k <= (a->contrl.version_4 ? 7 : 5); k++)
        put_part(a, element, k, value_part(d->type, separator, k), most[k - 1], "");
}

/* --- What is said ----------------------------------------------------------------------------------------- */

static void put_position(struct acknowledge *a, unsigned element, unsigned position, unsigned component,
                         unsigned repetition)
{
    const unsigned part[] = { position, component, repetition };
    char text[12];

    for (unsigned k = 0; k < 3 && position; k++) {
        if (!part[k])
            continue;
        snprintf(text, sizeof(text), "%u", part[k] > 999 ? 999 : part[k]);
        acknowledge_wrote(a, edi_write_component(a->to, element, k + 1, slice_of(text)));
    }
}

/* Action, error, service segment and data element: the end of UCI, UCF and UCM. */
static int end_said(struct acknowledge *a, unsigned element, const struct contrl_said *said, bool rejected)
{
    acknowledge_put_text(a, element, rejected ? "4" : "7");
    acknowledge_put_text(a, element + 1, said->code);
    acknowledge_put_text(a, element + 2, said->service);
    put_position(a, element + 3, said->element, said->component, said->repetition);
    return acknowledge_end(a);
}

/* Of each level one error is said: the first, or else the first warning. */
static void say(struct contrl_said *said, const struct contrl_note *n, bool error)
{
    if (said->code[0] && (said->error || !error))
        return;
    *said = (struct contrl_said){
        .element = n->element, .component = n->component, .repetition = n->repetition, .error = error
    };
    snprintf(said->code, sizeof(said->code), "%s", n->code);
    snprintf(said->service, sizeof(said->service), "%.*s", SLICE_FMT(n->service));
}

static void put_segment(struct acknowledge *a, const struct contrl_note *n)
{
    struct contrl_answer *c = &a->contrl;

    acknowledge_begin(a, "UCS");
    acknowledge_put_number(a, 1, n->segment ? n->segment : 1, 999999);
    if (n->level == LEVEL_SEGMENT)
        acknowledge_put_text(a, 2, n->code);
    acknowledge_end(a);
    c->segment = n->missing ? 0 : n->segment;
    c->element_notes = 0;
    c->notes++;
    c->message_segments++;
}

static void note(struct acknowledge *a, const struct contrl_note *n, bool error)
{
    struct contrl_answer *c = &a->contrl;
    bool new =
        n->level == LEVEL_SEGMENT || c->segment != n->segment || !c->segment || c->element_notes >= ELEMENTS_MOST;

    if ((new && c->notes >= SEGMENTS_MOST) || edi_writer_offset(a->to) >= BODY_MOST)
        return;
    c->error_noted |= error;
    if (new)
        put_segment(a, n);
    if (n->level == LEVEL_SEGMENT)
        return;
    acknowledge_begin(a, "UCD");
    acknowledge_put_text(a, 1, n->code);
    put_position(a, 2, n->element, n->component, n->repetition);
    acknowledge_end(a);
    c->element_notes++;
    c->message_segments++;
}

static int contrl_finding(struct acknowledge *a, const struct finding *f)
{
    struct contrl_answer *c = &a->contrl;
    bool error = f->severity == SEVERITY_ERROR;
    struct contrl_note n;

    if (!contrl_note(f, c->version_4, &n))
        return a->stopped;
    switch (n.level) {
    case LEVEL_FILE: break;
    case LEVEL_INTERCHANGE: say(&c->interchange, &n, error); break;
    case LEVEL_GROUP: say(&c->group, &n, error); break;
    case LEVEL_DOCUMENT:
        if (c->in_message)
            say(&c->message, &n, error);
        break;
    case LEVEL_SEGMENT:
    case LEVEL_ELEMENT:
        if (c->in_message && !c->full)
            note(a, &n, error);
    }
    return a->stopped;
}

/* --- Bodies ----------------------------------------------------------------------------------------------- */

/* What was written since the mark goes to scratch: something is to stand before it. */
static int take_back(struct acknowledge *a, const struct edi_mark *mark)
{
    struct buf *scratch = &a->contrl.scratch;

    buf_clear(scratch);
    if (!a->stopped)
        buf_add_slice(scratch, slice_from(edi_writer_output(a->to), mark->at));
    if (scratch->failed)
        acknowledge_stop(a, scratch->failed, scratch->failed == ERR_NOMEM ? "out of memory" : "an answer is too large");
    edi_writer_rewind(a->to, mark);
    return a->stopped;
}

static int put_back(struct acknowledge *a, uint64_t segments)
{
    return a->stopped ? a->stopped
                      : acknowledge_wrote(a, edi_write_segments(a->to, buf_slice(&a->contrl.scratch), segments));
}

/* The body of what stands in groups, or of what does not. */
static int choose_body(struct acknowledge *a, bool grouped)
{
    struct contrl_answer *c = &a->contrl;
    struct err err = { 0 };
    int code;

    if (!c->body[grouped]) { /* that of groups */
        code = edi_writer_new(&c->format, &c->body[grouped], &err);
        if (code < 0)
            return acknowledge_stop(a, code, err.text);
    }
    a->to = c->body[grouped];
    return 0;
}

/* --- What the reader calls -------------------------------------------------------------------------------- */

/* Can an answer be written with these separators: one of components is there, and none is a line break or a tab, which
 * nobody can see and which is lost on the way? */
static bool serves(const struct edi_syntax *s)
{
    const char all[] = { s->component, s->element, s->release, s->repetition, s->terminator };

    return s->component && !memchr(all, '\n', sizeof(all)) && !memchr(all, '\r', sizeof(all)) &&
           !memchr(all, '\t', sizeof(all));
}

/* As the interchange received is written: its character set, its separators as far as they serve. */
static int choose_format(struct acknowledge *a, const struct edi_interchange *i)
{
    struct contrl_answer *c = &a->contrl;
    struct edi_write_options usual;
    struct err err = { 0 };
    int code;

    edi_write_options_edifact(&usual);
    c->format = usual;
    c->format.line_end = a->options.line_end;
    c->format.transliterate = c->format.replace = true;
    c->format.ceiling = LIMIT_ACKNOWLEDGMENT;
    c->format.charset = i->charset;
    c->format.decimal = i->decimal == ',' ? ',' : '.';
    if (serves(&i->syntax))
        c->format.syntax = i->syntax;
    if (c->version_4) { /* as the envelope will have it */
        c->format.syntax.repetition = delimiters_repetition(&c->format.syntax);
        usual.syntax.repetition = delimiters_repetition(&usual.syntax);
    }
    /* who writes small letters where UNOA has none is answered with them: references must come back as they are */
    if (i->charset == CHARSET_UNOA &&
        !(has_all(CHARSET_UNOA, i->control) && has_all(CHARSET_UNOA, i->sender) && has_all(CHARSET_UNOA, i->receiver)))
        c->format.charset = CHARSET_UNOB;
    code = edi_writer_new(&c->format, &c->body[0], &err);
    if (code == ERR_USAGE) {
        c->format.syntax = usual.syntax;
        code = edi_writer_new(&c->format, &c->body[0], &err);
    }
    return code < 0 ? acknowledge_stop(a, code, err.text) : 0;
}

static int contrl_interchange(struct acknowledge *a, const struct edi_interchange *i)
{
    struct contrl_answer *c = &a->contrl;

    edi_writer_free(&c->body[0]);
    edi_writer_free(&c->body[1]);
    *c = (struct contrl_answer){ .scratch = c->scratch, .version_4 = slice_is(i->version, "4") };
    return choose_format(a, i);
}

static int contrl_group(struct acknowledge *a, const struct edi_group *g)
{
    struct contrl_answer *c = &a->contrl;

    c->in_group = !g->implied;
    c->group_accepted = 0;
    if (choose_body(a, c->in_group) < 0 || !c->in_group)
        return a->stopped;
    c->messages[1] = 0;
    c->group_segments = 0;
    a->totals.groups++;
    return acknowledge_wrote(a, edi_writer_mark(a->to, &c->group_mark));
}

static int contrl_group_end(struct acknowledge *a, const struct edi_group *g)
{
    struct contrl_answer *c = &a->contrl;
    const char separator = segment_component_separator(g->flags, &a->interchange->syntax);
    const struct contrl_said said = c->group;

    c->group = (struct contrl_said){ .error = false };
    if (!c->in_group)
        return a->stopped;
    c->in_group = false;
    if ((!said.code[0] && !c->messages[1]) || c->full) {
        edi_writer_release(a->to);
        return a->stopped;
    }
    if (take_back(a, &c->group_mark) < 0)
        return a->stopped;
    acknowledge_begin(a, "UCF");
    put(a, 1, g->control, 14, "0");
    put_party(a, 2, g->element[2], separator, 2, a->interchange->sender);
    put_party(a, 3, g->element[3], separator, 2, a->interchange->receiver);
    end_said(a, 4, &said, said.error && !c->group_accepted);
    c->segments += 1 + c->group_segments;
    c->full |= ++c->groups >= MESSAGES_MOST;
    return put_back(a, c->group_segments);
}

static int contrl_document(struct acknowledge *a, const struct edi_document *d)
{
    struct contrl_answer *c = &a->contrl;

    c->documents++;
    c->in_message = !slice_is(d->set, "CONTRL"); /* an answer is never answered */
    if (!c->in_message)
        return 0;
    c->others++;
    a->totals.documents++;
    c->message = (struct contrl_said){ .error = false };
    c->segment = c->message_segments = 0;
    c->notes = c->element_notes = 0;
    c->error_noted = false;
    return acknowledge_wrote(a, edi_writer_mark(a->to, &c->message_mark));
}

/* What is accepted and has nothing noted needs no UCM: the UCF or UCI above it says so. */
static int contrl_document_end(struct acknowledge *a, const struct edi_document *d)
{
    struct contrl_answer *c = &a->contrl;
    bool noted = c->message.code[0] || c->notes;

    if (!c->in_message)
        return a->stopped;
    c->in_message = false;
    c->accepted += !d->errors;
    c->group_accepted += !d->errors;
    *(d->errors ? &a->totals.rejected : noted ? &a->totals.noted : &a->totals.accepted) += 1;
    if (d->errors && !c->error_noted && !c->message.error && !d->interchange->foreign) {
        c->message = (struct contrl_said){ .code = "18", .error = true }; /* CONTRL has no word for what it is */
        noted = true;
    }
    c->full |= c->messages[c->in_group] >= MESSAGES_MOST || edi_writer_offset(a->to) >= BODY_MOST + LIMIT_SEGMENT;
    if (take_back(a, &c->message_mark) < 0 || !noted || c->full)
        return a->stopped;
    acknowledge_begin(a, "UCM");
    put(a, 1, d->control, 14, c->version_4 ? "" : "0");
    put_type(a, 2, d);
    end_said(a, 3, &c->message, d->errors > 0);
    c->messages[c->in_group]++;
    *(c->in_group ? &c->group_segments : &c->segments) += 1 + c->message_segments;
    return put_back(a, c->message_segments);
}

/* S001 0002: that of the interchange, where it is one and has the character set. */
static struct slice version_of_answer(const struct edi_interchange *i, enum edi_charset set)
{
    const char least = set == CHARSET_UNOA || set == CHARSET_UNOB ? '1' : '3';

    return i->version.n == 1 && i->version.p[0] >= least && i->version.p[0] <= '4' ? i->version : SLICE("3");
}

/* UNB and UNH: parties turned round. */
static int open_answer(struct acknowledge *a, const struct edi_interchange *i)
{
    const struct contrl_answer *c = &a->contrl;
    const char separator = segment_component_separator(i->flags, &i->syntax);
    struct edi_envelope e = { .at = a->options.at, .usage = slice_is(i->usage, "T") ? 'T' : 'P' };
    struct copied to[5];
    enum edi_charset named;
    char control[24];
    int code;

    if (acknowledge_next_control(a, ACKNOWLEDGE_INTERCHANGE, control) < 0)
        return a->stopped;
    e.sender = copied(a, i->receiver, 35, &to[0]);
    e.sender_qualifier = copied(a, i->receiver_qualifier, 4, &to[1]);
    e.receiver = copied(a, i->sender, 35, &to[2]);
    e.receiver_qualifier = copied(a, i->sender_qualifier, 4, &to[3]);
    e.receiver_routing = copied(a, value_part(i->element[2], separator, 3), c->version_4 ? 35 : 14, &to[4]);
    e.interchange_version = version_of_answer(i, c->format.charset);
    e.interchange_control = slice_of(control);
    if (charset_of_syntax(i->character_set, &named) && named == c->format.charset)
        e.character_set = i->character_set; /* of the names it has */
    e.message.agency = SLICE("UN");
    e.message.version = c->version_4 ? SLICE("4") : a->options.contrl_2_2 ? SLICE("2") : SLICE("D");
    e.message.release = c->version_4 ? SLICE("1") : a->options.contrl_2_2 ? SLICE("2") : SLICE("3");
    code = edi_writer_options(a->writer, &c->format);
    if (code == 0)
        code = edi_write_interchange(a->writer, &e);
    if (code == 0)
        code = edi_write_document(a->writer, SLICE("CONTRL"), SLICE("1"), SLICE(""));
    return code;
}

/* Why there can be no answer; NULL: there can. */
static const char *hindrance(struct acknowledge *a, const struct edi_interchange *i)
{
    struct copied to;

    if (!i->n)
        return "it has no UNB";
    if (!copied(a, i->control, 14, &to).n)
        return "it has no reference in UNB05, which a CONTRL would name";
    if (!copied(a, i->sender, 35, &to).n || !copied(a, i->receiver, 35, &to).n)
        return "its UNB does not say who sent it to whom";
    if (a->contrl.full)
        return "more of it is rejected than a CONTRL holds";
    return NULL;
}

static int contrl_interchange_end(struct acknowledge *a, const struct edi_interchange *i)
{
    struct contrl_answer *c = &a->contrl;
    const char separator = segment_component_separator(i->flags, &i->syntax);
    const char *why = hindrance(a, i);
    struct edi_mark mark;
    int code;

    a->to = a->writer;
    if (a->stopped || (c->documents && !c->others))
        return a->stopped;
    if (why) {
        acknowledge_unanswered(a, "interchange", i->control, why);
        return 0;
    }
    if (acknowledge_wrote(a, edi_writer_mark(a->writer, &mark)) < 0)
        return a->stopped;
    code = open_answer(a, i);
    if (code == ERR_DATA) {
        acknowledge_unanswered(a, "interchange", i->control, NULL);
        edi_writer_rewind(a->writer, &mark);
        return 0;
    }
    edi_writer_release(a->writer);
    if (acknowledge_wrote(a, code) < 0)
        return a->stopped;
    acknowledge_begin(a, "UCI");
    put(a, 1, i->control, 14, "");
    put_party(a, 2, i->element[2], separator, c->version_4 ? 4 : 3, slice(NULL, 0));
    put_party(a, 3, i->element[3], separator, c->version_4 ? 4 : 3, slice(NULL, 0));
    end_said(a, 4, &c->interchange, c->interchange.error && !c->accepted);
    for (unsigned k = 0; k < 2 && !a->stopped; k++)
        if (c->body[k])
            acknowledge_wrote(a, edi_write_segments(a->writer, edi_writer_output(c->body[k]), k ? 0 : c->segments));
    if (!a->stopped)
        acknowledge_wrote(a, edi_write_document_end(a->writer));
    if (!a->stopped)
        acknowledge_wrote(a, edi_write_interchange_end(a->writer));
    a->totals.interchanges += !a->stopped;
    return a->stopped;
}

const struct acknowledge_way acknowledge_contrl = {
    .interchange = contrl_interchange,
    .interchange_end = contrl_interchange_end,
    .group = contrl_group,
    .group_end = contrl_group_end,
    .document = contrl_document,
    .document_end = contrl_document_end,
    .finding = contrl_finding,
};
