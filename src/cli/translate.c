/* waybill translate: records from documents (here), documents from records (translate_write.c). */
#include "cli/translate.h"

#include <sys/stat.h>

#include "cli/reading.h"

struct translating {
    struct command_context *c;
    struct reading reading;
    struct reading_maps maps;
    unsigned threads;
    const struct input *in;
};

static void render(void *ctx, const struct finding *f, struct buf *to)
{
    const struct translating *t = ctx;
    printer_render_finding(t->c->err, f, slice_of(t->in->name), to);
}

static int give_records(void *ctx, const char *p, size_t n)
{
    struct translating *t = ctx;
    printer_raw(t->c->out, slice(p, n));
    return printer_failed(t->c->out) ? ERR_STOP : 0;
}

static int give_findings(void *ctx, const char *p, size_t n)
{
    struct translating *t = ctx;
    printer_raw(t->c->err, slice(p, n));
    return 0;
}

static int translate_file(struct translating *t, const char *path)
{
    struct translate_options o = { .maps = t->maps.maps, .map = t->maps.named,
                                   .partner_map = t->maps.partner, .n_partner_map = t->maps.n_partner,
                                   .threads = t->threads, .render = render,
                                   .records = give_records, .findings = give_findings, .ctx = t };
    struct translate_counts counts;
    struct input in = { .fd = -1 };
    int code;

    t->in = &in;
    if (t->reading.partner_file)
        o.partner_name = t->reading.partner_file->name;
    if (command_has(t->c, OPTION_TRANSMISSION))
        o.transmission = slice_of(command_value(t->c, OPTION_TRANSMISSION));
    code = reading_translate(t->c, &t->reading, &o, path, &in, &counts);
    if (in.fd < 0)
        return code;
    if (code == EXIT_CODE_OK && counts.documents == 0 && counts.errors)
        reading_hint(t->c->err, &in);
    input_close(&in);
    return counts.errors ? exit_code_worse(code, EXIT_CODE_DATA) : code;
}

/* Does the file hold records? A named pipe is not looked at: its writer would see it opened twice. */
static bool holds_records(const char *path)
{
    struct input in;
    struct stat st;
    char first;

    if (!slice_is(slice_of(path), "-") && (stat(path, &st) < 0 || !S_ISREG(st.st_mode)))
        return false;
    if (input_open(path, &in, NULL) < 0)
        return false;
    input_peek(&in);
    first = input_starts(&in);
    input_close(&in);
    return first == '{' || first == '[';
}

int command_translate(struct command_context *c)
{
    struct translating t = { .c = c };
    const char *to = command_value(c, OPTION_TO), *threads = command_value(c, OPTION_THREADS);
    uint64_t number = 0;
    int code;

    if (threads && (!slice_number(slice_of(threads), 64, &number) || number == 0))
        return command_usage(c, "--threads: expected a number from 1 to 64");
    t.threads = (unsigned)number;
    /* numbers and dates are for what is written */
    if (to ? slice_is(slice_of(to), "x12")
           : command_has(c, OPTION_CONTROL) || command_has(c, OPTION_DATE) || holds_records(c->argument[0]))
        return translate_to_document(c, t.threads);

    code = reading_init(c, &t.reading);
    if (code)
        return code;
    code = reading_maps(c, &t.reading, &t.maps);
    for (unsigned i = 0; code != EXIT_CODE_CONFIG && code != EXIT_CODE_LATER && i < c->n && !printer_failed(c->out); i++)
        code = exit_code_worse(code, translate_file(&t, c->argument[i]));
    maps_free(&t.maps.maps);
    reading_deinit(&t.reading);
    return code;
}
