/*
 * acknowledge_x12: 997, 999 and TA1; see acknowledge.h.
 *
 * Segments go to the writer as they become known: AK2 when a set begins, AK3 and AK4 as findings come, AK5 at its
 * end, AK9 at the group's. Element findings of one segment stand under one AK3. All that comes from the partner
 * passes acknowledge_clean(): printable ASCII without our delimiters.
 */
#include "edi/acknowledge_inside.h"

#include <stdio.h>

#include "base/limits.h"

enum { NOTES_OF_SEGMENT = 99, COPY_MOST = 99, LOOP_NAME_MOST = 6 };

/* What differs between the acknowledgments of X12. */
struct acknowledge_form {
    const char *set;
    const char *group;        /* GS01 */
    const char *version;      /* GS08 and ST03; NULL: the version answered, and no ST03 */
    const char *segment_note; /* AK3, IK3 */
    const char *element_note; /* AK4, IK4 */
    const char *set_trailer;  /* AK5, IK5 */
    unsigned loop_name;       /* characters of AK303, IK303 */
};
static const struct acknowledge_form form_997 = { "997", "FA", NULL, "AK3", "AK4", "AK5", 4 };
static const struct acknowledge_form form_999 = { "999", "FA", "005010X231A1", "IK3", "IK4", "IK5", LOOP_NAME_MOST };

/* Codes where the versions differ: the others are those of finding_rows. NULL: the version has none, and then the
 * finding is not noted. */
static const struct {
    enum finding_code finding;
    unsigned element; /* 0: any */
    const char *before_5010, *from_5010;
} codes[] = {
    { FINDING_ELEMENT_REPEATS, 0, "3", "12" },   { FINDING_ELEMENT_COMPONENTS, 0, "3", "13" },
    { FINDING_ELEMENT_TRAILING, 0, NULL, "10" }, { FINDING_SET_GROUP, 0, "6", "18" },
    { FINDING_GROUP_SYNTAX, 2, NULL, "7" },      { FINDING_GROUP_SYNTAX, 3, NULL, "8" },
    { FINDING_GROUP_SYNTAX, 4, NULL, "30" },     { FINDING_GROUP_SYNTAX, 5, NULL, "31" },
    { FINDING_GROUP_SYNTAX, 6, "6", "6" },       { FINDING_GROUP_SYNTAX, 7, NULL, "9" },
    { FINDING_GROUP_SYNTAX, 8, "2", "2" },       { FINDING_GROUP_SYNTAX, 0, NULL, NULL },
};

static void add_code(struct code_list *list, const char *code)
{
    for (unsigned i = 0; i < list->n; i++)
        if (strcmp(list->code[i], code) == 0)
            return;
    if (list->n < ACKNOWLEDGE_CODES)
        snprintf(list->code[list->n++], sizeof(list->code[0]), "%s", code);
}

/* The code of a finding in the version at hand, NULL when there is none. */
static const char *code_of(const struct acknowledge *a, enum finding_code finding, unsigned element)
{
    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].finding == finding && (codes[i].element == 0 || codes[i].element == element))
            return a->version >= 5010 ? codes[i].from_5010 : codes[i].before_5010;
    return finding_rows[finding].acknowledgment;
}

/* --- Envelopes -------------------------------------------------------------------------------------------- */

/* Delimiters for the answer: those received, or given, as far as they serve. */
static void choose_syntax(struct acknowledge *a, const struct edi_interchange *i)
{
    static const char spare[] = { '>', ':', '<', '|', '^', '\\' };
    static const char spare_repetition[] = { '^', '!', '|', '\\' };
    struct edi_write_options defaults;
    struct edi_syntax s = a->options.syntax ? *a->options.syntax : i->syntax;

    s.release = 0;
    if ((unsigned char)s.component > 0x7e)
        s.component = 0;
    for (unsigned k = 0; !s.component && k < sizeof(spare); k++)
        if (!acknowledge_is_delimiter(&s, spare[k]))
            s.component = spare[k];
    /* a hyphen may separate repetitions in what they send; we have no need of any */
    if (edi_writer_syntax(a->writer, &s) < 0)
        s.repetition = 0;
    /* from 00501 on ISA11 is a separator, never a letter of the text */
    for (unsigned k = 0; a->form->version && !s.repetition && k < sizeof(spare_repetition); k++)
        if (!acknowledge_is_delimiter(&s, spare_repetition[k]))
            s.repetition = spare_repetition[k];
    if (edi_writer_syntax(a->writer, &s) < 0) {
        edi_write_options_init(&defaults);
        s = defaults.syntax;
        acknowledge_wrote(a, edi_writer_syntax(a->writer, &s));
    }
    a->syntax = s;
}

/* Two characters of a qualifier, as far as there are any. */
static struct slice qualifier(const struct acknowledge *a, struct slice value, char to[2])
{
    struct slice s = acknowledge_clean(a, value, to, 2);
    if (s.n == 1)
        to[s.n++] = ' ';
    return s;
}

/* The addresses of an interchange, turned round, and what else its ISA says. The slices borrow from `text`. */
struct address_text {
    char qualifier[2][2], id[4][64], version[16], control[24];
};

static void turn_round(const struct acknowledge *a, const struct edi_interchange *i, struct edi_envelope *e,
                       struct address_text *text)
{
    struct slice version = slice_trim(i->element[12]);
    uint64_t number;
    char usage = i->element[15].n ? i->element[15].p[0] : 'P';

    *e = (struct edi_envelope){ .at = a->options.at };
    e->sender_qualifier = qualifier(a, i->element[7], text->qualifier[0]);
    e->sender = acknowledge_clean(a, i->element[8], text->id[0], sizeof(text->id[0]));
    e->receiver_qualifier = qualifier(a, i->element[5], text->qualifier[1]);
    e->receiver = acknowledge_clean(a, i->element[6], text->id[1], sizeof(text->id[1]));
    if (version.n != 5 || !slice_number(version, 99999, &number) || number < 200 || number > 899)
        version = SLICE("00401");
    if (a->form->version && memcmp(version.p, a->form->version, 5) < 0)
        version = slice(a->form->version, 5);
    memcpy(text->version, version.p, 5);
    text->version[5] = '0';
    e->interchange_version = slice(text->version, 5);
    e->version = slice(text->version, 6);
    e->usage = usage == 'T' || usage == 'I' ? usage : 'P';
}

/* Begins our interchange. False: it cannot be, or something has failed. */
static bool open_interchange(struct acknowledge *a)
{
    struct edi_envelope e;
    struct address_text text;
    int code;

    turn_round(a, a->interchange, &e, &text);
    if (acknowledge_next_control(a, ACKNOWLEDGE_INTERCHANGE, text.control) < 0)
        return false;
    e.interchange_control = slice_of(text.control);
    code = edi_write_interchange(a->writer, &e);
    if (code == ERR_DATA) {
        acknowledge_unanswered(a, "interchange", a->interchange->control, NULL);
        return false;
    }
    if (acknowledge_wrote(a, code) < 0)
        return false;
    a->open = true;
    a->totals.interchanges++;
    return true;
}

static unsigned version_number(struct slice version)
{
    uint64_t number;
    if (version.n >= 6 && slice_number(slice(version.p, 6), 999999, &number))
        return (unsigned)number;
    return 4010;
}

/* Begins group, set and AK1. */
static bool open_group(struct acknowledge *a, const struct edi_group *g)
{
    struct edi_envelope e;
    struct address_text text;
    struct slice answered;
    char version[12], copy[16];
    uint64_t number;
    int code;

    turn_round(a, a->interchange, &e, &text);
    e.group = slice_of(a->form->group);
    e.group_sender = acknowledge_clean(a, g->element[3], text.id[2], sizeof(text.id[2]));
    e.group_receiver = acknowledge_clean(a, g->element[2], text.id[3], sizeof(text.id[3]));
    if (g->version.n)
        e.version = acknowledge_clean(a, g->version, version, sizeof(version));
    answered = e.version;
    if (a->form->version)
        e.version = slice_of(a->form->version);
    a->version = version_number(e.version);
    if (acknowledge_next_control(a, ACKNOWLEDGE_GROUP, text.control) < 0)
        return false;
    e.group_control = slice_of(text.control);
    code = edi_write_group(a->writer, &e);
    if (code == ERR_DATA) {
        acknowledge_unanswered(a, "group", g->control, NULL);
        return false;
    }
    if (acknowledge_wrote(a, code) < 0 ||
        acknowledge_wrote(a, edi_write_document(a->writer, slice_of(a->form->set), SLICE("0001"),
                                                a->form->version ? e.version : SLICE(""))) < 0)
        return false;
    acknowledge_begin(a, "AK1");
    acknowledge_put(a, 1, acknowledge_clean_id(a, g->element[1], copy, 2, 2));
    if (slice_number(g->control, UINT64_MAX, &number))
        acknowledge_put(a, 2, acknowledge_clean(a, g->control, copy, 9));
    else
        acknowledge_put(a, 2, g->control.n ? acknowledge_clean_id(a, g->control, copy, 1, 9) : SLICE("0"));
    if (a->version >= 5010)
        acknowledge_put(a, 3, answered);
    return acknowledge_end(a) == 0;
}

static void put_codes(struct acknowledge *a, unsigned element, const struct code_list *list)
{
    for (unsigned i = 0; i < list->n; i++)
        acknowledge_put_text(a, element + i, list->code[i]);
}

static int close_group(struct acknowledge *a, const struct edi_group *g)
{
    uint64_t rejected = a->received - a->accepted;
    struct code_list list = { .n = 0 };
    const char *status, *code;

    for (unsigned i = 0; i < a->n_of_group; i++) {
        code = code_of(a, a->of_group[i].finding, a->of_group[i].element);
        if (code)
            add_code(&list, code);
    }

    if (a->group_error || (a->received && rejected == a->received))
        status = "R";
    else if (rejected)
        status = "P";
    else if (a->noted || (a->group_noted && list.n)) /* an error that has no code tells the partner nothing */
        status = "E";
    else
        status = "A";
    acknowledge_begin(a, "AK9");
    acknowledge_put_text(a, 1, status);
    acknowledge_put_number(a, 2, a->group_trailer ? g->claimed : a->received, 999999);
    acknowledge_put_number(a, 3, a->received, 999999);
    acknowledge_put_number(a, 4, a->group_error ? 0 : a->accepted, 999999);
    put_codes(a, 5, &list);
    acknowledge_end(a);
    if (!a->stopped)
        acknowledge_wrote(a, edi_write_document_end(a->writer));
    if (!a->stopped)
        acknowledge_wrote(a, edi_write_group_end(a->writer));
    a->totals.groups++;
    return a->stopped;
}

/* A TA1 in an interchange of its own, because what it says is known at the end only. */
static int write_ta1(struct acknowledge *a, const struct edi_interchange *i)
{
    const char *code = a->interchange_code ? a->interchange_code : "000";
    char text[16];
    uint64_t number;

    if (!open_interchange(a))
        return a->stopped;
    acknowledge_begin(a, "TA1");
    if (slice_number(i->control, 999999999, &number)) {
        snprintf(text, sizeof(text), "%09llu", (unsigned long long)number);
        acknowledge_put_text(a, 1, text);
    } else {
        acknowledge_put(a, 1, acknowledge_clean_id(a, i->control, text, 9, 9));
    }
    acknowledge_put(a, 2, acknowledge_clean_id(a, i->element[9], text, 6, 6));
    acknowledge_put(a, 3, acknowledge_clean_id(a, i->element[10], text, 4, 4));
    acknowledge_put_text(a, 4, a->interchange_error ? "R" : a->interchange_noted ? "E" : "A");
    acknowledge_put_text(a, 5, code);
    acknowledge_end(a);
    if (!a->stopped)
        acknowledge_wrote(a, edi_write_interchange_end(a->writer));
    a->open = false;
    return a->stopped;
}

/* --- Notes ------------------------------------------------------------------------------------------------ */

static void note_segment(struct acknowledge *a, const struct finding *f, const char *code)
{
    struct slice tag = f->tag, rest;
    char copy[3], loop[LOOP_NAME_MOST];
    bool found;

    /* what is missing may be an element: the segment is there */
    if (tag.n == 0)
        tag = slice_cut(f->segment, a->interchange->syntax.element, &rest, &found);
    acknowledge_begin(a, a->form->segment_note);
    acknowledge_put(a, 1, acknowledge_clean_id(a, tag, copy, 2, 3));
    acknowledge_put_number(a, 2, f->place.segment ? f->place.segment : 1, a->version >= 5010 ? 9999999999u : 999999u);
    /* 447 is made for loops between LS and LE; partners look for the guide's loop here, and it says more */
    if (f->loop.n)
        acknowledge_put(a, 3, acknowledge_clean_id(a, f->loop, loop, 1, a->form->loop_name));
    acknowledge_put_text(a, 4, code);
    acknowledge_end(a);
    a->notes++;
    a->noted_segment = strcmp(code, "8") == 0 ? f->place.segment : 0;
    a->element_notes = 0;
}

static void note_element(struct acknowledge *a, const struct finding *f, const char *code)
{
    char number[24], copy[COPY_MOST];
    uint64_t reference;

    acknowledge_begin(a, a->form->element_note);
    snprintf(number, sizeof(number), "%u", f->place.element);
    acknowledge_wrote(a, edi_write_component(a->writer, 1, 1, slice_of(number)));
    if (f->place.component) {
        snprintf(number, sizeof(number), "%u", f->place.component);
        acknowledge_wrote(a, edi_write_component(a->writer, 1, 2, slice_of(number)));
    }
    if (f->place.repetition > 1 && a->version >= 5010) {
        snprintf(number, sizeof(number), "%u", f->place.repetition);
        acknowledge_wrote(a, edi_write_component(a->writer, 1, 3, slice_of(number)));
    }
    if (slice_number(f->element_id, 9999, &reference))
        acknowledge_put(a, 2, f->element_id);
    acknowledge_put_text(a, 3, code);
    if (!f->missing)
        acknowledge_put(a, 4, acknowledge_clean(a, f->value, copy, sizeof(copy)));
    acknowledge_end(a);
    a->notes++;
    a->element_notes++;
}

/* A finding inside a set that is answered. */
static void note(struct acknowledge *a, const struct finding *f)
{
    enum finding_level level = finding_rows[f->code].level;
    const char *code = code_of(a, f->code, f->place.element);

    if (!code)
        return;
    a->set_noted = true;
    if (level == LEVEL_DOCUMENT) {
        add_code(&a->set_codes, code);
        return;
    }
    add_code(&a->set_codes, "5");
    if (a->notes >= LIMIT_FINDINGS)
        return;
    if (level == LEVEL_SEGMENT) {
        note_segment(a, f, code);
    } else {
        if (a->noted_segment != f->place.segment || a->noted_segment == 0 || a->element_notes >= NOTES_OF_SEGMENT)
            note_segment(a, f, "8");
        note_element(a, f, code);
    }
}

static int x12_finding(struct acknowledge *a, const struct finding *f)
{
    bool error = f->severity == SEVERITY_ERROR;
    const char *code;

    switch (finding_rows[f->code].level) {
    case LEVEL_FILE: break;
    case LEVEL_INTERCHANGE:
        code = finding_rows[f->code].acknowledgment;
        if (code && (!a->interchange_code || (error && !a->interchange_error)))
            a->interchange_code = code;
        a->interchange_error |= error;
        a->interchange_noted |= code != NULL;
        break;
    case LEVEL_GROUP:
        if (a->n_of_group < ACKNOWLEDGE_GROUP_FINDINGS) {
            a->of_group[a->n_of_group].finding = f->code;
            a->of_group[a->n_of_group++].element = f->place.element;
        }
        if (f->code == FINDING_GROUP_TRAILER)
            a->group_trailer = false;
        a->group_error |= error;
        a->group_noted = true;
        break;
    default:
        if (a->answering && a->in_document)
            note(a, f);
    }
    return a->stopped;
}

/* --- What the reader calls -------------------------------------------------------------------------------- */

static int x12_interchange(struct acknowledge *a, const struct edi_interchange *i)
{
    a->interchange_code = NULL;
    a->interchange_error = a->interchange_noted = false;
    a->to = a->writer;
    acknowledge_wrote(a, edi_writer_options(a->writer, &a->format));
    if (!a->stopped)
        choose_syntax(a, i);
    return a->stopped;
}

static int x12_interchange_end(struct acknowledge *a, const struct edi_interchange *i)
{
    bool asked = i->element[14].n && i->element[14].p[0] >= '1' && i->element[14].p[0] <= '3';

    /* 2 and 3 ask for one only when there is something to say; and who sent nothing readable must hear of it */
    if (asked && i->element[14].p[0] != '1')
        asked = a->interchange_noted;
    asked |= a->interchange_noted && i->groups == 0;
    if (a->open)
        acknowledge_wrote(a, edi_write_interchange_end(a->writer));
    a->open = false;
    if (a->options.ta1 && !a->stopped && i->element[13].n && !a->technical && (asked || a->interchange_error))
        write_ta1(a, i);
    return a->stopped;
}

/* Our interchange is begun with the first group that can be answered. */
static int answer_group(struct acknowledge *a, const struct edi_group *g)
{
    struct edi_mark mark;

    if (a->open) {
        a->answering = open_group(a, g);
        return a->stopped;
    }
    if (acknowledge_wrote(a, edi_writer_mark(a->writer, &mark)) < 0)
        return a->stopped;
    a->answering = open_interchange(a) && open_group(a, g);
    if (a->answering || a->stopped) {
        edi_writer_release(a->writer);
    } else {
        edi_writer_rewind(a->writer, &mark);
        a->totals.interchanges -= a->open;
        a->open = false;
    }
    return a->stopped;
}

static int x12_group(struct acknowledge *a, const struct edi_group *g)
{
    a->answering = false;
    a->received = a->accepted = a->noted = 0;
    a->group_trailer = true;
    if (g->implied || slice_is(g->element[1], "FA"))
        return 0;
    if (a->interchange->element[13].n == 0 && a->interchange->element[6].n == 0) {
        if (a->totals.unanswered++ == 0)
            err_set(&a->err, ERR_DATA, "a group outside an interchange cannot be answered");
        return 0;
    }
    return answer_group(a, g);
}

static int x12_group_end(struct acknowledge *a, const struct edi_group *g)
{
    if (a->answering)
        close_group(a, g);
    a->answering = false;
    a->n_of_group = 0;
    a->group_error = a->group_noted = false;
    return a->stopped;
}

static int x12_document(struct acknowledge *a, const struct edi_document *d)
{
    char text[36];

    a->set_codes.n = 0;
    a->notes = a->noted_segment = 0;
    a->set_noted = false;
    if (!a->answering)
        return 0;
    a->received++;
    a->totals.documents++;
    acknowledge_begin(a, "AK2");
    acknowledge_put(a, 1, acknowledge_clean_id(a, d->set, text, 3, 3));
    acknowledge_put(a, 2, d->control.n ? acknowledge_clean_id(a, d->control, text, 1, 9) : SLICE("0000"));
    if (a->version >= 5010)
        acknowledge_put(a, 3, acknowledge_clean(a, d->implementation, text, 35));
    return acknowledge_end(a);
}

static int x12_document_end(struct acknowledge *a, const struct edi_document *d)
{
    if (!a->answering)
        return 0;
    if (d->errors && a->set_codes.n == 0)
        add_code(&a->set_codes, "5");
    acknowledge_begin(a, a->form->set_trailer);
    acknowledge_put_text(a, 1, d->errors ? "R" : a->set_noted ? "E" : "A");
    put_codes(a, 2, &a->set_codes);
    acknowledge_end(a);
    if (d->errors) {
        a->totals.rejected++;
        return a->stopped;
    }
    a->accepted++;
    if (a->set_noted) {
        a->noted++;
        a->totals.noted++;
    } else {
        a->totals.accepted++;
    }
    return a->stopped;
}

const struct acknowledge_way acknowledge_x12 = {
    .interchange = x12_interchange,
    .interchange_end = x12_interchange_end,
    .group = x12_group,
    .group_end = x12_group_end,
    .document = x12_document,
    .document_end = x12_document_end,
    .finding = x12_finding,
};

const struct acknowledge_form *acknowledge_form_of(const struct acknowledge_options *options)
{
    return options->implementation ? &form_999 : &form_997;
}
