/*
 * acknowledge: see acknowledge.h. Here is the sink, which each dialect's way of answering stands behind:
 * acknowledge_x12.c and acknowledge_contrl.c, and what both need.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "edi/acknowledge_inside.h"

/* --- Small parts ------------------------------------------------------------------------------------------ */

int acknowledge_stop(struct acknowledge *a, int code, const char *words)
{
    if (!a->stopped) {
        a->stopped = code;
        err_set(&a->err, code, "%s", words);
    }
    return a->stopped;
}

int acknowledge_wrote(struct acknowledge *a, int code)
{
    return code < 0 ? acknowledge_stop(a, code, edi_writer_error(a->to)->text) : 0;
}

bool acknowledge_is_delimiter(const struct edi_syntax *s, char c)
{
    return c == s->element || c == s->terminator || (s->component && c == s->component) ||
           (s->repetition && c == s->repetition);
}

struct slice acknowledge_clean(const struct acknowledge *a, struct slice value, char *to, size_t most)
{
    size_t n = 0;
    uint32_t previous = 0;

    while (value.n && n < most) {
        char with[CHARSET_SUBSTITUTE_MOST];
        uint32_t c;
        unsigned length;
        int with_n = 1;
        if (!charset_decode(value, &c, &length)) {
            c = (unsigned char)value.p[0];
            length = 1;
        }
        value = slice_from(value, length);
        with[0] = charset_control(c) ? ' ' : (char)c;
        if (c > 0x7e && !charset_control(c)) {
            with_n = charset_substitute(CHARSET_EXTENDED, c, previous, 0, with);
            if (with_n < 0) {
                with[0] = '?';
                with_n = 1;
            }
        }
        for (int i = 0; i < with_n && n < most; i++)
            to[n++] = acknowledge_is_delimiter(&a->syntax, with[i]) ? ' ' : with[i];
        previous = c;
    }
    while (n && to[n - 1] == ' ')
        n--;
    return slice(to, n);
}

struct slice acknowledge_clean_id(const struct acknowledge *a, struct slice value, char *to, size_t least, size_t most)
{
    struct slice s = acknowledge_clean(a, slice_trim(value), to, most);
    char mark = acknowledge_is_delimiter(&a->syntax, '?') ? 'X' : '?';

    for (size_t i = 0; i < s.n; i++)
        if (to[i] == ' ')
            to[i] = mark;
    while (s.n < least)
        to[s.n++] = mark;
    return s;
}

void acknowledge_put(struct acknowledge *a, unsigned element, struct slice value)
{
    acknowledge_wrote(a, edi_write_element(a->to, element, value));
}

void acknowledge_put_text(struct acknowledge *a, unsigned element, const char *text)
{
    acknowledge_put(a, element, slice_of(text));
}

void acknowledge_put_number(struct acknowledge *a, unsigned element, uint64_t number, uint64_t most)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)(number > most ? most : number));
    acknowledge_put_text(a, element, text);
}

void acknowledge_begin(struct acknowledge *a, const char *tag)
{
    acknowledge_wrote(a, edi_write_begin(a->to, slice_of(tag)));
}

int acknowledge_end(struct acknowledge *a)
{
    return acknowledge_wrote(a, edi_write_end(a->to, true, NULL));
}

int acknowledge_next_control(struct acknowledge *a, enum acknowledge_level level, char text[24])
{
    uint64_t number = a->control[level];

    if (a->options.next_control) {
        int code = a->options.next_control(a->options.control_ctx, level, &number);
        if (code < 0)
            return acknowledge_stop(a, code, "no control number could be had");
    } else {
        a->control[level] = number % 999999999 + 1;
    }
    snprintf(text, 24, "%llu", (unsigned long long)number);
    return 0;
}

void acknowledge_unanswered(struct acknowledge *a, const char *what, struct slice control, const char *why)
{
    char number[16];
    struct slice safe = acknowledge_clean(a, control, number, sizeof(number));

    if (a->totals.unanswered++ == 0 && !a->stopped)
        err_set(&a->err, ERR_DATA, "%s%s%.*s cannot be answered: %s", what, safe.n ? " " : "", SLICE_FMT(safe),
                why ? why : edi_writer_error(a->to)->text);
}

/* --- The sink --------------------------------------------------------------------------------------------- */

/* What the sink behind says goes before. True: the answer goes on in *result_r's place. */
static bool goes_on(const struct acknowledge *a, int result, int *result_r)
{
    *result_r = result < 0 ? result : a->stopped;
    return *result_r >= 0 && a->way;
}

static int on_finding(void *ctx, const struct finding *f)
{
    struct acknowledge *a = ctx;
    int result = a->next.finding ? a->next.finding(a->next.ctx, f) : 0;

    if (!goes_on(a, result, &result) || f->severity == SEVERITY_IGNORE)
        return result;
    return a->way->finding(a, f);
}

static int on_interchange(void *ctx, const struct edi_interchange *i)
{
    struct acknowledge *a = ctx;
    int result = a->next.interchange ? a->next.interchange(a->next.ctx, i) : 0;

    a->interchange = i;
    a->technical = false;
    a->way = a->options.only && a->options.only != i->dialect ? NULL
             : i->dialect == &dialect_x12                     ? &acknowledge_x12
                                                              : &acknowledge_contrl;
    return goes_on(a, result, &result) ? a->way->interchange(a, i) : result;
}

static int on_interchange_end(void *ctx, const struct edi_interchange *i)
{
    struct acknowledge *a = ctx;
    int result = a->next.interchange_end ? a->next.interchange_end(a->next.ctx, i) : 0;

    if (goes_on(a, result, &result))
        result = a->way->interchange_end(a, i);
    a->interchange = NULL;
    a->way = NULL;
    return result;
}

static int on_group(void *ctx, const struct edi_group *g)
{
    struct acknowledge *a = ctx;
    int result = a->next.group ? a->next.group(a->next.ctx, g) : 0;

    return goes_on(a, result, &result) ? a->way->group(a, g) : result;
}

static int on_group_end(void *ctx, const struct edi_group *g)
{
    struct acknowledge *a = ctx;
    int result = a->next.group_end ? a->next.group_end(a->next.ctx, g) : 0;

    return goes_on(a, result, &result) ? a->way->group_end(a, g) : result;
}

static int on_document(void *ctx, const struct edi_document *d)
{
    struct acknowledge *a = ctx;
    int result = a->next.document ? a->next.document(a->next.ctx, d) : 0;

    if (!goes_on(a, result, &result))
        return result;
    if (d->bare) { /* it answers somebody itself */
        a->technical = true;
        return 0;
    }
    a->in_document = true;
    return a->way->document(a, d);
}

static int on_document_end(void *ctx, const struct edi_document *d)
{
    struct acknowledge *a = ctx;
    int result = a->next.document_end ? a->next.document_end(a->next.ctx, d) : 0;

    if (!goes_on(a, result, &result))
        return result;
    a->in_document = false;
    return d->bare ? 0 : a->way->document_end(a, d);
}

static int on_segment(void *ctx, const struct guide_node *node, const struct segment *s, uint64_t present)
{
    struct acknowledge *a = ctx;

    return a->next.segment ? a->next.segment(a->next.ctx, node, s, present) : 0;
}

static int on_stray(void *ctx, const struct segment *s)
{
    struct acknowledge *a = ctx;

    return a->next.stray ? a->next.stray(a->next.ctx, s) : 0;
}

static int on_envelope_segment(void *ctx, const struct segment *s)
{
    struct acknowledge *a = ctx;

    a->technical |= slice_is(segment_tag(s), "TA1");
    return a->next.envelope_segment ? a->next.envelope_segment(a->next.ctx, s) : 0;
}

/* --- From outside ----------------------------------------------------------------------------------------- */

int acknowledge_new(const struct acknowledge_options *options, struct acknowledge **a_r, struct err *err)
{
    struct edi_write_options w;
    struct acknowledge *a = calloc(1, sizeof(*a));
    int code;

    *a_r = NULL;
    if (!a)
        return err_nomem(err);
    edi_write_options_init(&w);
    w.line_end = options->line_end;
    w.ceiling = LIMIT_ACKNOWLEDGMENT;
    w.write = options->write;
    w.ctx = options->ctx;
    code = edi_writer_new(&w, &a->writer, err);
    if (code < 0) {
        free(a);
        return code;
    }
    a->options = *options;
    a->format = w;
    a->form = acknowledge_form_of(options);
    a->to = a->writer;
    a->syntax = w.syntax;
    a->version = 4010;
    buf_init(&a->contrl.scratch, LIMIT_ACKNOWLEDGMENT);
    a->control[ACKNOWLEDGE_INTERCHANGE] = a->control[ACKNOWLEDGE_GROUP] = options->control ? options->control : 1;
    if (options->next)
        a->next = *options->next;
    a->sink = (struct edi_sink){
        .ctx = a,
        .interchange = on_interchange,
        .interchange_end = on_interchange_end,
        .group = on_group,
        .group_end = on_group_end,
        .document = on_document,
        .segment = on_segment,
        .stray = on_stray,
        .document_end = on_document_end,
        .envelope_segment = on_envelope_segment,
        .finding = on_finding,
    };
    *a_r = a;
    return 0;
}

void acknowledge_free(struct acknowledge **a)
{
    if (!*a)
        return;
    edi_writer_free(&(*a)->writer);
    edi_writer_free(&(*a)->contrl.body[0]);
    edi_writer_free(&(*a)->contrl.body[1]);
    buf_deinit(&(*a)->contrl.scratch);
    free(*a);
    *a = NULL;
}

const struct edi_sink *acknowledge_sink(const struct acknowledge *a)
{
    return &a->sink;
}

int acknowledge_finish(struct acknowledge *a, struct err *err)
{
    if (a->stopped)
        return err_set(err, a->stopped, "%s", a->err.text);
    if (a->interchange)
        return err_set(err, ERR_USAGE, "an interchange is not read to its end");
    if (acknowledge_wrote(a, edi_writer_flush(a->writer)) < 0)
        return err_set(err, a->stopped, "%s", a->err.text);
    if (a->totals.unanswered)
        return err_set(err, ERR_DATA, "%s", a->err.text);
    return 0;
}

struct slice acknowledge_output(const struct acknowledge *a)
{
    return edi_writer_output(a->writer);
}

const struct acknowledge_totals *acknowledge_totals(const struct acknowledge *a)
{
    return &a->totals;
}