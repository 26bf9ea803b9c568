/*
 * waybill explain: documents in words, segment by segment, what is wrong below the segment it concerns.
 *
 * The reader may speak of a segment before or after it hands it over; so findings wait until their segment was
 * shown.
 */
#include "cli/reading.h"

#include <stdio.h>

#include "edi/dialect.h"
#include "edi/explain.h"

enum { HELD_CEILING = 8 << 20, STEP = 2, INSIDE = 2 };

struct explaining {
    struct command_context *c;
    struct reading *reading;
    struct edi_reader *reader;
    const struct input *in;
    struct reading_count count;
    const struct edi_interchange *interchange;
    const struct edi_document *document;
    const struct guide *envelope;       /* guide of the envelope's version; NULL: none */
    uint64_t shown;                     /* offset of the segment shown last */
    bool any_shown;
    unsigned indent;                    /* its indentation */
    struct buf held;                    /* findings about a segment still to come */
};

static int stopped(const struct explaining *x)
{
    return printer_failed(x->c->out) ? ERR_STOP : 0;
}

/* One line each; they get the indentation of the segment above them. */
static void show_held(struct explaining *x)
{
    struct slice rest = buf_slice(&x->held);

    while (rest.n) {
        bool more;
        struct slice line = slice_cut(rest, '\n', &rest, &more);
        buf_printf(&x->c->out->buf, "%*s", (int)x->indent, "");
        buf_add_slice(&x->c->out->buf, line);
        printer_text(x->c->out, "\n");
    }
    buf_clear(&x->held);
}

/* The guide for the segments of the envelope and for segments that have no place. */
static void choose_envelope(struct explaining *x, struct slice version)
{
    x->envelope = NULL;
    if (x->interchange->dialect == &dialect_edifact) {
        x->envelope = edi_reader_context(x->reader)->envelope;
        return;
    }
    guides_find(x->reading->guides, SLICE("x12"), version, SLICE("interchange"), &x->reading->complaints,
                &x->envelope, NULL);
}

static void show(struct explaining *x, const struct explain_segment *s, const struct guide *guide,
                 const struct segment_def *def, const struct edi_syntax *syntax, unsigned indent, const char *loop)
{
    struct edi_place place;
    char remark[120];
    struct explain_options o = {
        .guide = guide,
        .def = def,
        .syntax = syntax,
        .indent = indent,
        .colour = x->c->out->colour,
        .remark = remark,
    };
    int n = 0;

    edi_reader_place(x->reader, &place);
    remark[0] = 0;
    if (loop)
        n = snprintf(remark, sizeof(remark), "%s, ", loop);
    if (place.segment && n >= 0 && (size_t)n < sizeof(remark))
        n += snprintf(remark + n, sizeof(remark) - (size_t)n, "segment %llu, ", (unsigned long long)place.segment);
    if (n >= 0 && (size_t)n < sizeof(remark))
        snprintf(remark + n, sizeof(remark) - (size_t)n, "line %llu", (unsigned long long)place.line);
    explain_segment(s, &o, &x->c->out->buf);
    printer_text(x->c->out, "");
    x->shown = place.offset;
    x->any_shown = true;
    x->indent = indent;
    show_held(x);
}

static int on_interchange(void *ctx, const struct edi_interchange *i)
{
    struct explaining *x = ctx;
    const bool edifact = i->dialect == &dialect_edifact;
    struct explain_segment s = { .tag = slice_of(i->dialect->level[DIALECT_INTERCHANGE].begin),
                                 .n = edifact ? i->n : ENVELOPE_ELEMENTS, .flags = i->flags };
    char version[8];

    x->interchange = i;
    x->document = NULL;
    /* ISA12 is 00401 where GS08 is 004010 */
    snprintf(version, sizeof(version), "%.5s0", i->version.n == 5 ? i->version.p : "00401");
    choose_envelope(x, slice_of(version));
    for (unsigned k = 1; k <= s.n; k++)
        s.element[k] = i->element[k];
    printer_style(x->c->out, STYLE_BOLD);
    printer_safe(x->c->out, slice_of(x->in->name));
    printer_printf(x->c->out, ": interchange %llu", (unsigned long long)i->ordinal);
    printer_style(x->c->out, STYLE_PLAIN);
    printer_text(x->c->out, "\n");
    if (i->n || !edifact)
        show(x, &s, x->envelope, x->envelope ? guide_segment(x->envelope, s.tag) : NULL, edifact ? &i->syntax : NULL, 0,
             NULL);
    return stopped(x);
}

static int on_interchange_end(void *ctx, const struct edi_interchange *i)
{
    struct explaining *x = ctx;

    show_held(x);
    printer_printf(x->c->out, "end of interchange %llu, control number ", (unsigned long long)i->ordinal);
    printer_safe(x->c->out, i->control);
    if (i->groups || i->dialect->groups)
        printer_printf(x->c->out, ": %llu group%s\n\n", (unsigned long long)i->groups, i->groups == 1 ? "" : "s");
    else
        printer_printf(x->c->out, ": %llu message%s\n\n", (unsigned long long)i->documents,
                       i->documents == 1 ? "" : "s");
    x->interchange = NULL;
    return stopped(x);
}

static int on_group(void *ctx, const struct edi_group *g)
{
    struct explaining *x = ctx;
    const struct dialect *dialect = x->interchange->dialect;
    const bool edifact = dialect == &dialect_edifact;
    struct explain_segment s = { .tag = slice_of(dialect->level[DIALECT_GROUP].begin),
                                 .n = edifact ? g->n : GROUP_ELEMENTS, .flags = g->flags };

    x->document = NULL;
    if (g->implied)
        return 0;
    choose_envelope(x, g->version);
    for (unsigned k = 1; k <= s.n; k++)
        s.element[k] = g->element[k];
    show(x, &s, x->envelope, x->envelope ? guide_segment(x->envelope, s.tag) : NULL,
         edifact ? &x->interchange->syntax : NULL, 0, NULL);
    return stopped(x);
}

static int on_group_end(void *ctx, const struct edi_group *g)
{
    struct explaining *x = ctx;

    show_held(x);
    if (g->implied)
        return 0;
    printer_printf(x->c->out, "\nend of group %llu, control number ", (unsigned long long)g->ordinal);
    printer_safe(x->c->out, g->control);
    printer_printf(x->c->out, ": %llu document%s, %llu without errors\n", (unsigned long long)g->documents,
                   g->documents == 1 ? "" : "s", (unsigned long long)g->accepted);
    return stopped(x);
}

static int on_document(void *ctx, const struct edi_document *d)
{
    struct explaining *x = ctx;
    struct printer *p = x->c->out;

    x->document = d;
    printer_text(p, "\n");
    printer_style(p, STYLE_BOLD);
    printer_printf(p, "document %llu: ", (unsigned long long)d->ordinal);
    printer_safe(p, d->set);
    if (d->guide) {
        printer_text(p, " ");
        printer_safe(p, d->guide->title);
    }
    if (!d->bare) {
        printer_text(p, ", control number ");
        printer_safe(p, d->control);
    }
    printer_style(p, STYLE_PLAIN);
    if (d->guide) {
        printer_text(p, ", read with ");
        printer_safe(p, d->guide->id);
    } else {
        printer_text(p, ", without a guide");
    }
    printer_text(p, "\n");
    return stopped(x);
}

static int on_segment(void *ctx, const struct guide_node *node, const struct segment *segment, uint64_t present)
{
    struct explaining *x = ctx;
    const struct guide *guide = x->document->guide;
    const struct guide_node *loop = node->parent != NODE_NONE ? &guide->node[node->parent] : NULL;
    struct explain_segment s;
    char name[64] = "";

    (void)present;
    explain_take(segment, &s);
    if (node->trigger && loop && loop->loop && node->depth > 1)
        snprintf(name, sizeof(name), "%s %.*s", guide->words->loop, SLICE_FMT(loop->tag));
    show(x, &s, guide, node->def, &x->interchange->syntax, INSIDE + STEP * (node->depth ? node->depth - 1u : 0),
         *name ? name : NULL);
    return stopped(x);
}

static int on_stray(void *ctx, const struct segment *segment)
{
    struct explaining *x = ctx;
    const struct guide *guide = x->document && x->document->guide ? x->document->guide : x->envelope;
    struct explain_segment s;

    explain_take(segment, &s);
    show(x, &s, guide, guide ? guide_segment(guide, s.tag) : NULL,
         x->interchange ? &x->interchange->syntax : NULL, INSIDE, NULL);
    return stopped(x);
}

static int on_envelope_segment(void *ctx, const struct segment *segment)
{
    struct explaining *x = ctx;
    struct explain_segment s;

    explain_take(segment, &s);
    show(x, &s, x->envelope, x->envelope ? guide_segment(x->envelope, s.tag) : NULL,
         x->interchange ? &x->interchange->syntax : NULL, 0, NULL);
    return stopped(x);
}

static int on_document_end(void *ctx, const struct edi_document *d)
{
    struct explaining *x = ctx;

    show_held(x);
    x->count.documents++;
    if (d->errors)
        x->count.refused++;
    x->document = NULL;
    return stopped(x);
}

static int on_finding(void *ctx, const struct finding *f)
{
    struct explaining *x = ctx;
    bool colour = x->c->out->colour, error = f->severity == SEVERITY_ERROR;

    if (f->severity == SEVERITY_IGNORE)
        return 0;
    reading_count(&x->count, f);
    buf_printf(&x->held, "%s=> %s %s%s: ", colour ? error ? "\033[1;31m" : "\033[1;35m" : "",
               error ? "error" : "warning", finding_name(f->code, f->dialect), colour ? "\033[0m" : "");
    finding_message(f, &x->held);
    buf_add_char(&x->held, '\n');
    if (x->held.failed)
        return x->held.failed;
    if (x->any_shown && f->place.offset == x->shown)
        show_held(x);
    return stopped(x);
}

static int explain_file(struct command_context *c, struct reading *r, const char *path)
{
    struct explaining x = { .c = c, .reading = r };
    const struct edi_sink sink = {
        .ctx = &x,
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
    struct edi_reader_options reader_options;
    struct err err = { 0 };
    struct input in;
    int rc, code = EXIT_CODE_OK;

    if (input_open(path, &in, &err) < 0) {
        command_fail(c, &err);
        return EXIT_CODE_UNAVAILABLE;
    }
    x.in = &in;
    buf_init(&x.held, HELD_CEILING);
    reading_options(r, &reader_options);
    rc = edi_reader_new(&reader_options, &sink, &x.reader, &err);
    if (rc == 0)
        rc = input_feed(&in, x.reader, c->progress, &err);
    if (!x.any_shown && x.held.n) {
        printer_safe(c->out, slice_of(in.name));
        printer_text(c->out, ":\n");
    }
    show_held(&x);
    if (rc == 0 && x.count.no_edi && !x.count.documents) {
        reading_hint(c->out, &in);
        code = EXIT_CODE_DATA;
    }
    edi_reader_free(&x.reader);
    buf_deinit(&x.held);
    input_close(&in);

    if (x.count.errors)
        code = EXIT_CODE_DATA;
    return exit_code_worse(code, reading_result(c, r, rc, &err));
}

int command_explain(struct command_context *c)
{
    struct reading reading;
    int code = reading_init(c, &reading);

    if (code)
        return code;
    for (unsigned i = 0; i < c->n && !printer_failed(c->out); i++)
        code = exit_code_worse(code, explain_file(c, &reading, c->argument[i]));
    reading_deinit(&reading);
    return code;
}
