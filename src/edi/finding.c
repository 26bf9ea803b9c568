/*
 * finding: see finding.h. The table of all findings, what may be allowed, and how a finding is worded: for a
 * person, as JSON, and in the words of the acknowledgment.
 *
 * Nothing is kept here and nothing printed. All output goes through buf, so want of memory is the caller's to see
 * in the buf; partner bytes pass buf_add_safe or buf_add_json on the way.
 */
#include "edi/finding.h"

#include "edi/contrl.h"
#include "edi/dialect.h"

/* Bytes of partner content shown at most, and bytes of a segment shown around the caret. */
enum {
    VALUE_SHOWN = 60,
    ACK_VALUE_SHOWN = 99,
    FILE_SHOWN = 400,
    WORD_SHOWN = 200,
    BEFORE_CARET = 48,
    AROUND_CARET = 100
};
/* Columns for place and segment together; beyond, the segment gets a line of its own, so that the caret's line and
 * the segment's are not wrapped apart. */
enum { LINE_COLUMNS = 120 };

const struct finding_row finding_rows[FINDING_CODES] = {
#define ROW(id, name, allow, level, severity, ack, words, edifact, contrl) \
    [FINDING_##id] = { name, allow, level, severity, ack, words, edifact, contrl },
    FINDINGS(ROW)
#undef ROW
};

const char *finding_name(enum finding_code code, const struct dialect *dialect)
{
    const struct finding_row *row = &finding_rows[code];
    return dialect == &dialect_edifact && row->edifact ? row->edifact : row->name;
}

const char *finding_acknowledged(enum finding_code code, const struct dialect *dialect)
{
    const struct finding_row *row = &finding_rows[code];
    return dialect == &dialect_edifact ? row->contrl : row->acknowledgment;
}

/* --- What is allowed ------------------------------------------------------------ */

void finding_policy_init(struct finding_policy *p)
{
    for (unsigned i = 0; i < FINDING_CODES; i++)
        p->severity[i] = (uint8_t)finding_rows[i].severity;
}

static bool names_row(const struct finding_row *row, struct slice name)
{
    return (row->allow && slice_is(name, row->allow)) || slice_is(name, row->name) ||
           (row->edifact && slice_is(name, row->edifact));
}

bool finding_policy_allow(struct finding_policy *p, struct slice name)
{
    bool any = false;
    for (unsigned i = 0; i < FINDING_CODES; i++) {
        if (!finding_rows[i].allow || !names_row(&finding_rows[i], name))
            continue;
        any = true;
        if (p->severity[i] == SEVERITY_ERROR)
            p->severity[i] = SEVERITY_WARNING;
    }
    return any;
}

bool finding_policy_refuse(struct finding_policy *p, struct slice name)
{
    bool all = slice_is(name, "all"), any = all;
    for (unsigned i = 0; i < FINDING_CODES; i++) {
        if (!all && !names_row(&finding_rows[i], name))
            continue;
        any = true;
        if (p->severity[i] == SEVERITY_WARNING || !all)
            p->severity[i] = SEVERITY_ERROR;
    }
    return any;
}

/* --- Words ---------------------------------------------------------------------- */

/* "R 1/15": a type as guides and their readers write it. */
static bool is_type(struct slice s)
{
    bool blank, slash;
    struct slice type = slice_cut(s, ' ', &s, &blank);
    struct slice min = slice_cut(s, '/', &s, &slash);
    uint64_t number;

    if (!blank || !slash || type.n < 1 || type.n > 2 || type.p[0] < 'A' || type.p[0] > 'Z')
        return false;
    return slice_number(min, UINT32_MAX, &number) && slice_number(s, UINT32_MAX, &number);
}

static void add_element_place(const struct finding *f, struct buf *out)
{
    buf_add_safe(out, f->tag, WORD_SHOWN);
    buf_printf(out, "%02u", f->place.element);
    if (f->place.component)
        buf_printf(out, "-%u", f->place.component);
}

static bool is_about_element(const struct finding *f)
{
    return f->place.element > 0 && f->tag.n > 0;
}

static void add_subject(const struct finding *f, struct buf *out)
{
    if (!f->tag.n)
        return;
    if (is_about_element(f)) {
        add_element_place(f, out);
        if (f->element_name.n) {
            buf_add_char(out, ' ');
            buf_add_safe(out, f->element_name, WORD_SHOWN);
        }
        if (f->place.repetition > 1)
            buf_printf(out, ", repetition %u", f->place.repetition);
    } else {
        buf_add_safe(out, f->tag, WORD_SHOWN);
        if (f->loop.n) {
            buf_printf(out, " in %s ", f->dialect ? f->dialect->loop : dialect_x12.loop);
            buf_add_safe(out, f->loop, WORD_SHOWN);
        }
    }
    buf_add_text(out, ": ");
}

void finding_message(const struct finding *f, struct buf *out)
{
    bool own_words = !f->found || !*f->found;

    add_subject(f, out);
    if (f->value.n && !own_words && f->found[0] != '"') {
        buf_add_char(out, '"');
        buf_add_safe(out, f->value, VALUE_SHOWN);
        buf_add_text(out, "\" ");
    }
    buf_add_text(out, own_words ? finding_rows[f->code].words : f->found);
    if (own_words && f->value.n) {
        buf_add_text(out, ": \"");
        buf_add_safe(out, f->value, VALUE_SHOWN);
        buf_add_char(out, '"');
    }
    if (f->expected && *f->expected) {
        buf_add_text(out, is_type(slice_of(f->expected)) ? " (" : " (expected ");
        buf_add_text(out, f->expected);
        buf_add_char(out, ')');
    }
}

/* Which document, group or interchange; ends without a comma. False: nothing to say. */
static bool add_envelope(const struct finding *f, struct buf *out)
{
    const char *before = " (";

    switch (finding_rows[f->code].level) {
    case LEVEL_FILE:
        return false;
    case LEVEL_INTERCHANGE:
    case LEVEL_GROUP:
        if (!f->place.document)
            break;
        /* fall through */
    case LEVEL_DOCUMENT:
    case LEVEL_SEGMENT:
    case LEVEL_ELEMENT:
        if (f->place.document) {
            buf_printf(out, "document %llu", (unsigned long long)f->place.document);
            if (f->set.n) {
                buf_add_text(out, before);
                buf_add_safe(out, f->set, WORD_SHOWN);
                before = ", ";
            }
            if (f->control.n && finding_rows[f->code].level >= LEVEL_DOCUMENT) {
                buf_add_text(out, before);
                buf_add_text(out, "control ");
                buf_add_safe(out, f->control, WORD_SHOWN);
                before = ", ";
            }
            if (*before == ',')
                buf_add_char(out, ')');
            return true;
        }
        break;
    }
    if (!f->place.interchange)
        return false;
    buf_printf(out, "interchange %llu", (unsigned long long)f->place.interchange);
    if (f->place.group && finding_rows[f->code].level != LEVEL_INTERCHANGE)
        buf_printf(out, ", group %llu", (unsigned long long)f->place.group);
    if (f->control.n) {
        buf_add_text(out, " (control ");
        buf_add_safe(out, f->control, WORD_SHOWN);
        buf_add_char(out, ')');
    }
    return true;
}

/* --- The segment and its caret ----------------------------------------------------- */

/* Columns that a terminal takes for a code point. */
static unsigned columns_of(uint32_t c)
{
    if ((c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) || (c >= 0xfe00 && c <= 0xfe0f))
        return 0;
    if ((c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
        (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
        (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd))
        return 2;
    return 1;
}

/* Columns of text that is safe to show, so UTF-8 throughout. */
static size_t columns(struct slice s)
{
    size_t n = 0;
    while (s.n) {
        unsigned length = utf8_length(s);
        uint32_t c = (unsigned char)s.p[0];
        if (length > 1) {
            c &= 0x7fu >> length;
            for (unsigned i = 1; i < length; i++)
                c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
        }
        n += columns_of(c);
        s = slice_from(s, length ? length : 1);
    }
    return n;
}

/* Moves a cut towards `low` until no character is cut in two. */
static size_t character_start(struct slice s, size_t at, size_t low)
{
    size_t back = at;
    if (at >= s.n)
        return s.n;
    for (unsigned i = 0; i < 3 && back > low && ((unsigned char)s.p[back] & 0xc0) == 0x80; i++)
        back--;
    return back + utf8_length(slice_from(s, back)) > at ? back : at;
}

/* The segment and, when `caret` is set, the line below it. `line` is where the line began in out. */
static void add_segment(const struct finding *f, bool caret, bool colour, size_t line, struct buf *out)
{
    struct slice s = f->segment;
    size_t at = f->at < s.n ? f->at : s.n;
    size_t end = f->width < s.n - at ? at + f->width : s.n;
    size_t first = at > BEFORE_CARET ? at - BEFORE_CARET : 0;
    size_t last = s.n - first > AROUND_CARET ? first + AROUND_CARET : s.n;
    size_t indent, width, mark;

    if (s.n <= AROUND_CARET)
        first = 0, last = s.n;
    first = character_start(s, first, 0);
    last = character_start(s, last, first);
    if (end > last)
        end = last;
    if (at > end)
        at = end;

    if (first)
        buf_add_text(out, "…");
    buf_add_safe(out, slice(s.p + first, at - first), SIZE_MAX);
    /* escape sequences of colour come after this line, so everything in it takes columns */
    indent = out->failed ? 0 : columns(slice_from(buf_slice(out), line));
    mark = out->n;
    buf_add_safe(out, slice(s.p + at, end - at), SIZE_MAX);
    width = out->failed ? 0 : columns(slice_from(buf_slice(out), mark));
    buf_add_safe(out, slice(s.p + end, last - end), SIZE_MAX);
    if (last < s.n)
        buf_add_text(out, "…");
    else if (f->terminator > ' ' && f->terminator < 0x7f)
        buf_add_char(out, f->terminator);
    buf_add_char(out, '\n');
    if (!caret)
        return;
    if (indent > 4096)
        indent = 4096;
    for (size_t i = 0; i < indent; i++)
        buf_add_char(out, ' ');
    if (colour)
        buf_add_text(out, "\033[1;32m");
    buf_add_char(out, '^');
    for (size_t i = 1; i < width; i++)
        buf_add_char(out, '~');
    if (colour)
        buf_add_text(out, "\033[0m");
    buf_add_char(out, '\n');
}

/* --- The acknowledgment --------------------------------------------------------------- */

/* Up to the ceiling of AK404; blanks for separators that the acknowledgment has as well, none at the end, as it
 * does. */
static void add_ack_value(const struct finding *f, struct buf *out)
{
    struct slice s = slice(f->value.p, f->value.n > ACK_VALUE_SHOWN ? ACK_VALUE_SHOWN : f->value.n);
    size_t n = 0;

    while (s.n && (s.p[s.n - 1] == ' ' || (f->component && s.p[s.n - 1] == f->component) ||
                   (f->repetition && s.p[s.n - 1] == f->repetition)))
        s.n--;
    while (s.n) {
        while (n < s.n && (!f->component || s.p[n] != f->component) && (!f->repetition || s.p[n] != f->repetition))
            n++;
        buf_add_safe(out, slice(s.p, n), SIZE_MAX);
        if (n < s.n)
            buf_add_char(out, ' ');
        s = slice_from(s, n < s.n ? n + 1 : n);
        n = 0;
    }
}

/* 0013 and S011 of a UCI, UCF or UCM, or S011 of a UCD. */
static void add_position(const struct contrl_note *n, struct buf *out)
{
    if (n->service.n) {
        buf_add_char(out, '+');
        buf_add_slice(out, n->service);
    }
    if (!n->element)
        return;
    buf_printf(out, "+%u", n->element);
    if (n->component || n->repetition)
        buf_add_char(out, ':');
    if (n->component)
        buf_printf(out, "%u", n->component);
    if (n->repetition)
        buf_printf(out, ":%u", n->repetition);
}

/* The same for a CONTRL: the segments that say it, with the usual separators. */
static void add_contrl(const struct finding *f, struct buf *out)
{
    struct contrl_note n;

    if (f->answers || slice_is(f->set, "CONTRL") || !contrl_note(f, f->syntax_4, &n))
        return;
    switch (n.level) {
    case LEVEL_FILE:
        break;
    case LEVEL_INTERCHANGE:
    case LEVEL_GROUP:
    case LEVEL_DOCUMENT:
        if (!f->control.n)
            break;
        buf_add_text(out, n.level == LEVEL_INTERCHANGE ? "UCI+" : n.level == LEVEL_GROUP ? "UCF+" : "UCM+");
        buf_add_safe(out, f->control, WORD_SHOWN);
        /* what is in it may be accepted all the same, and then it is, too */
        buf_add_text(out, n.level == LEVEL_DOCUMENT ? "+…" : "+…+…");
        buf_add_text(out, f->severity != SEVERITY_ERROR ? "+7+" : n.level == LEVEL_DOCUMENT ? "+4+" : "+…+");
        buf_add_text(out, n.code);
        add_position(&n, out);
        break;
    case LEVEL_SEGMENT:
        buf_printf(out, "UCS+%llu+%s", (unsigned long long)n.segment, n.code);
        break;
    case LEVEL_ELEMENT:
        buf_printf(out, "UCS+%llu  UCD+%s", (unsigned long long)n.segment, n.code);
        add_position(&n, out);
        break;
    }
}

void finding_acknowledgment(const struct finding *f, struct buf *out)
{
    const struct finding_row *row = &finding_rows[f->code];

    if (f->dialect == &dialect_edifact) {
        add_contrl(f, out);
        return;
    }
    if (!row->acknowledgment || f->code == FINDING_ELEMENT_TRAILING)
        return;
    if (f->answers || slice_is(f->set, "997") || slice_is(f->set, "999")) /* acknowledgments are not acknowledged */
        return;
    if (f->code == FINDING_GROUP_SYNTAX && f->place.element != 6) /* 716 has no code for it before 005010 */
        return;
    switch (row->level) {
    case LEVEL_FILE:
        break;
    case LEVEL_INTERCHANGE:
        if (!f->control.n)
            break;
        buf_add_text(out, "TA1*");
        buf_add_safe(out, f->control, 9);
        buf_printf(out, "*…*…*%c*%s", f->severity == SEVERITY_ERROR ? 'R' : 'E', row->acknowledgment);
        break;
    case LEVEL_GROUP:
        buf_printf(out, "AK9*%c*…*…*…*%s", f->severity == SEVERITY_ERROR ? 'R' : 'E', row->acknowledgment);
        break;
    case LEVEL_DOCUMENT:
        buf_printf(out, "AK5*%c*%s", f->severity == SEVERITY_ERROR ? 'R' : 'E', row->acknowledgment);
        break;
    case LEVEL_SEGMENT:
    case LEVEL_ELEMENT:
        if (!f->place.document || !f->tag.n)
            break;
        buf_add_text(out, "AK3*");
        buf_add_safe(out, f->tag, WORD_SHOWN);
        buf_printf(out, "*%llu*", (unsigned long long)f->place.segment);
        buf_add_safe(out, f->loop, WORD_SHOWN);
        buf_printf(out, "*%s", row->level == LEVEL_SEGMENT ? row->acknowledgment : "8");
        if (row->level == LEVEL_SEGMENT)
            break;
        buf_printf(out, "  AK4*%u", f->place.element);
        if (f->place.component || f->place.repetition > 1) {
            buf_add_char(out, ':');
            if (f->place.component)
                buf_printf(out, "%u", f->place.component);
            if (f->place.repetition > 1)
                buf_printf(out, ":%u", f->place.repetition);
        }
        buf_add_char(out, '*');
        buf_add_safe(out, f->element_id, WORD_SHOWN);
        buf_printf(out, "*%s", row->acknowledgment);
        if (f->value.n) {
            buf_add_char(out, '*');
            add_ack_value(f, out);
        }
        break;
    }
}

/* --- For a person --------------------------------------------------------------------- */

void finding_text(const struct finding *f, struct slice file, bool colour, struct buf *out)
{
    const struct finding_row *row = &finding_rows[f->code];
    const char *severity = f->severity == SEVERITY_ERROR     ? "error"
                           : f->severity == SEVERITY_WARNING ? "warning"
                                                             : "ignored";
    size_t line = out->n;
    size_t said;

    buf_add_safe(out, file, FILE_SHOWN);
    buf_add_text(out, ": ");
    if (add_envelope(f, out))
        buf_add_text(out, ", ");
    if (f->place.segment)
        buf_printf(out, "segment %llu, ", (unsigned long long)f->place.segment);
    if (f->place.line)
        buf_printf(out, "line %llu", (unsigned long long)f->place.line);
    else
        buf_printf(out, "byte %llu", (unsigned long long)f->place.offset);
    /* a file without line breaks is one line: only the column tells where in it */
    if (f->place.line && f->place.column > 1)
        buf_printf(out, ", column %llu", (unsigned long long)f->place.column);
    if (f->segment.n) {
        size_t shown = f->segment.n < AROUND_CARET ? f->segment.n : AROUND_CARET;
        buf_add_char(out, ':');
        if (!out->failed && columns(slice_from(buf_slice(out), line)) + 1 + shown > LINE_COLUMNS) {
            buf_add_char(out, '\n');
            line = out->n;
            buf_add_text(out, "   ");
        }
        buf_add_char(out, ' ');
        add_segment(f, f->width > 0 || is_about_element(f), colour, line, out);
    } else {
        buf_add_char(out, '\n');
    }

    if (colour)
        buf_add_text(out, f->severity == SEVERITY_ERROR ? "\033[1;31m" : "\033[1;35m");
    buf_printf(out, "%s %s", severity, finding_name(f->code, f->dialect));
    if (colour)
        buf_add_text(out, "\033[0m");
    buf_add_text(out, ": ");
    finding_message(f, out);
    buf_add_char(out, '\n');

    /* a TA1 is sent when asked for */
    if (row->level == LEVEL_INTERCHANGE && f->severity != SEVERITY_ERROR && f->dialect != &dialect_edifact)
        return;
    said = out->n;
    buf_add_text(out, f->dialect == &dialect_edifact         ? "the CONTRL will say: "
                      : row->level == LEVEL_INTERCHANGE ? "the TA1 will say: "
                                                        : "the 997 will say: ");
    line = out->n;
    finding_acknowledgment(f, out);
    if (out->n > line)
        buf_add_char(out, '\n');
    else if (!out->failed)
        out->n = said;
}

/* --- For a program -------------------------------------------------------------------- */

static void add_member(struct buf *out, const char *name, struct slice value)
{
    if (!value.n)
        return;
    buf_printf(out, ",\"%s\":\"", name);
    buf_add_json(out, value);
    buf_add_char(out, '"');
}

static void add_number(struct buf *out, const char *name, uint64_t value)
{
    if (value)
        buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

/* Words made by a function of this file, as a member; nothing when there are none. They hold no quote that
 * buf_add_json would not escape, so they go through a buffer of their own. */
static void add_words(struct buf *out, const char *name, void (*words)(const struct finding *, struct buf *),
                      const struct finding *f)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    words(f, &b);
    add_member(out, name, buf_slice(&b));
    if (b.failed && !out->failed)
        out->failed = b.failed;
    buf_deinit(&b);
}

void finding_json(const struct finding *f, struct slice file, struct buf *out)
{
    const struct finding_row *row = &finding_rows[f->code];
    uint64_t offset = f->place.offset, line = f->place.line, column = f->place.column;
    size_t at = f->at < f->segment.n ? f->at : f->segment.n;

    /* the place is the segment's; what is meant may stand further on */
    offset += at;
    column += at;
    for (size_t i = 0; i < at; i++)
        if (f->segment.p[i] == '\n') {
            line++;
            column = at - i;
        }

    buf_printf(out, "{\"code\":\"%s\",\"severity\":\"%s\",\"file\":\"", finding_name(f->code, f->dialect),
               f->severity == SEVERITY_ERROR     ? "error"
               : f->severity == SEVERITY_WARNING ? "warning"
                                                 : "ignored");
    buf_add_json(out, file);
    buf_printf(out, "\",\"offset\":%llu", (unsigned long long)offset);
    add_number(out, "line", line);
    add_number(out, "column", column);
    add_number(out, "interchange", f->place.interchange);
    add_number(out, "group", f->place.group);
    add_number(out, "document", f->place.document);
    add_member(out, "set", f->set);
    add_member(out, "control", f->control);
    add_number(out, "segment", f->place.segment);
    add_member(out, "tag", f->tag);
    add_member(out, "loop", f->loop);
    add_number(out, "element", f->place.element);
    add_number(out, "component", f->place.component);
    add_number(out, "repetition", f->place.repetition);
    add_member(out, "element_id", f->element_id);
    add_member(out, "element_name", f->element_name);
    add_member(out, "value", f->value);
    add_member(out, "found", slice_of(f->found && *f->found ? f->found : row->words));
    add_member(out, "expected", slice_of(f->expected));
    add_member(out, "allow", slice_of(row->allow));
    add_words(out, "acknowledgment", finding_acknowledgment, f);
    add_words(out, "message", finding_message, f);
    buf_add_text(out, "}\n");
}
