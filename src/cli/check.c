/* waybill check: all that is wrong or odd in documents, one finding after the other, then a line for each file. */
#include "cli/reading.h"

struct checking {
    struct command_context *c;
    struct reading reading;
    struct reading_maps maps;
    struct translate_counts count;
    const struct input *in;
};

static void render(void *ctx, const struct finding *f, struct buf *to)
{
    const struct checking *k = ctx;
    printer_render_finding(k->c->out, f, slice_of(k->in->name), to);
}

static int give_findings(void *ctx, const char *p, size_t n)
{
    struct checking *k = ctx;
    printer_raw(k->c->out, slice(p, n));
    return printer_failed(k->c->out) ? ERR_STOP : 0;
}

static void plural(struct printer *p, uint64_t n, const char *what)
{
    printer_printf(p, "%llu %s%s", (unsigned long long)n, what, n == 1 ? "" : "s");
}

static void summary(struct printer *p, const struct checking *k)
{
    const struct translate_counts *count = &k->count;

    if (count->errors && !count->documents)
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

static int check_file(struct checking *k, const char *path)
{
    struct translate_options o = { .maps = k->maps.maps, .partner_map = k->maps.partner,
                                   .n_partner_map = k->maps.n_partner,
                                   .check = true, .render = render, .findings = give_findings, .ctx = k };
    struct input in = { .fd = -1 };
    int code;

    k->in = &in;
    code = reading_translate(k->c, &k->reading, &o, path, &in, &k->count);
    if (in.fd < 0)
        return code;
    if (code == EXIT_CODE_OK && !k->c->out->json)
        summary(k->c->out, k);
    input_close(&in);
    return k->count.errors ? exit_code_worse(code, EXIT_CODE_DATA) : code;
}

int command_check(struct command_context *c)
{
    struct checking k = { .c = c };
    int code = reading_init(c, &k.reading);

    if (code)
        return code;
    code = reading_maps(c, &k.reading, &k.maps);
    for (unsigned i = 0; code != EXIT_CODE_CONFIG && code != EXIT_CODE_LATER && i < c->n && !printer_failed(c->out);
         i++)
        code = exit_code_worse(code, check_file(&k, c->argument[i]));
    maps_free(&k.maps.maps);
    reading_deinit(&k.reading);
    return code;
}
