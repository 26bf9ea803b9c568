/* waybill check: all that is wrong or odd in documents, one finding after the other, then a line for each file. */
#include "cli/reading.h"

struct checking {
    struct command_context *c;
    struct reading_count count;
    const struct input *in;
};

static int on_finding(void *ctx, const struct finding *f)
{
    struct checking *k = ctx;

    if (f->severity == SEVERITY_IGNORE)
        return 0;
    reading_count(&k->count, f);
    printer_finding(k->c->out, f, slice_of(k->in->name));
    return printer_failed(k->c->out) ? ERR_STOP : 0;
}

static int on_document_end(void *ctx, const struct edi_document *d)
{
    struct checking *k = ctx;

    k->count.documents++;
    if (d->errors)
        k->count.refused++;
    return 0;
}

static void plural(struct printer *p, uint64_t n, const char *what)
{
    printer_printf(p, "%llu %s%s", (unsigned long long)n, what, n == 1 ? "" : "s");
}

static void summary(struct printer *p, const struct checking *k)
{
    const struct reading_count *count = &k->count;

    if (count->no_edi && !count->documents)
        reading_hint(p, k->in);
    printer_safe(p, slice_of(k->in->name));
    printer_text(p, ": ");
    plural(p, count->documents, "document");
    if (count->refused)
        printer_printf(p, ", %llu with errors", (unsigned long long)count->refused);
    printer_text(p, ": ");
    if (count->errors) {
        printer_style(p, STYLE_ERROR);
        plural(p, count->errors, "error");
        printer_style(p, STYLE_PLAIN);
    } else {
        printer_text(p, "no errors");
    }
    if (count->warnings) {
        printer_text(p, ", ");
        plural(p, count->warnings, "warning");
    }
    printer_text(p, "\n");
}

static int check_file(struct command_context *c, struct reading *r, const char *path)
{
    struct checking k = { .c = c };
    const struct edi_sink sink = { .ctx = &k, .finding = on_finding, .document_end = on_document_end };
    struct edi_reader_options reader_options;
    struct edi_reader *reader = NULL;
    struct err err = { 0 };
    struct input in;
    int rc, code;

    if (input_open(path, &in, &err) < 0) {
        command_fail(c, &err);
        return EXIT_CODE_UNAVAILABLE;
    }
    k.in = &in;
    reading_options(r, &reader_options);
    rc = edi_reader_new(&reader_options, &sink, &reader, &err);
    if (rc == 0)
        rc = input_feed(&in, reader, c->progress, &err);
    edi_reader_free(&reader);
    input_close(&in);

    code = reading_result(c, r, rc, &err);
    if (rc == 0 && !c->out->json)
        summary(c->out, &k);
    return k.count.errors ? exit_code_worse(code, EXIT_CODE_DATA) : code;
}

int command_check(struct command_context *c)
{
    struct reading reading;
    int code = reading_init(c, &reading);

    if (code)
        return code;
    for (unsigned i = 0; i < c->n && !printer_failed(c->out); i++)
        code = exit_code_worse(code, check_file(c, &reading, c->argument[i]));
    reading_deinit(&reading);
    return code;
}
