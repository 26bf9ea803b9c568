/* waybill translate: records from documents (here), documents from records (translate_write.c), and records from
 * records (translate_carry.c). */
#include "cli/translate.h"

#include <sys/stat.h>

#include "base/file.h"

struct translating {
    struct command_context *c;
    const struct input *in;
    int fd;                     /* where records go; -1: standard output */
    struct err err;             /* why they could not */
};

static void render(void *ctx, const struct finding *f, struct buf *to)
{
    const struct translating *t = ctx;
    printer_render_finding(t->c->err, f, slice_of(t->in->name), to);
}

static int give_records(void *ctx, const char *p, size_t n)
{
    struct translating *t = ctx;
    if (t->fd >= 0)
        return file_write_all(t->fd, p, n, &t->err);
    printer_raw(t->c->out, slice(p, n));
    return printer_failed(t->c->out) ? ERR_STOP : 0;
}

static int give_findings(void *ctx, const char *p, size_t n)
{
    struct translating *t = ctx;
    printer_raw(t->c->err, slice(p, n));
    return 0;
}

int translate_to_records(struct command_context *c, struct translate_setup *s, const char *path, int fd)
{
    struct translating t = { .c = c, .fd = fd };
    struct translate_options o = { .maps = s->maps.maps, .map = s->maps.named,
                                   .partner_map = s->maps.partner, .n_partner_map = s->maps.n_partner,
                                   .threads = s->threads, .render = render,
                                   .records = give_records, .findings = give_findings, .ctx = &t };
    struct translate_counts counts;
    struct input in = { .fd = -1 };
    int code;

    if (o.map && map_between_records(o.map))
        o.map = NULL;
    t.in = &in;
    if (s->reading.partner_file)
        o.partner_name = s->reading.partner_file->name;
    if (command_has(c, OPTION_TRANSMISSION))
        o.transmission = slice_of(command_value(c, OPTION_TRANSMISSION));
    code = reading_translate(c, &s->reading, &o, path, &in, &counts);
    if (t.err.code)
        code = command_fail(c, &t.err);
    if (in.fd < 0)
        return code;
    if (code == EXIT_CODE_OK && counts.documents == 0 && counts.errors)
        reading_hint(c->err, &in);
    input_close(&in);
    return counts.errors ? exit_code_worse(code, EXIT_CODE_DATA) : code;
}

bool translate_holds_records(const char *path)
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

static int translate_files(struct command_context *c, struct translate_setup *s)
{
    const char *to = command_value(c, OPTION_TO);
    int code = EXIT_CODE_OK;

    if ((to && !translate_standard(to) && !slice_is(slice_of(to), "json")) ||
        (!to && s->maps.named && map_between_records(s->maps.named)))
        return translate_to_kind(c, s, to);
    if (command_has(c, OPTION_RECALL))
        return command_usage(c, "--recall is for records that are made of records: with --to KIND");
    /* numbers and dates are for what is written */
    if (to ? translate_standard(to) != NULL
           : command_has(c, OPTION_CONTROL) || command_has(c, OPTION_DATE) || translate_holds_records(c->argument[0]))
        return translate_to_document(c, s);
    for (unsigned i = 0; code != EXIT_CODE_CONFIG && code != EXIT_CODE_LATER && i < c->n && !printer_failed(c->out);
         i++)
        code = exit_code_worse(code, translate_to_records(c, s, c->argument[i], -1));
    return code;
}

int command_translate(struct command_context *c)
{
    struct translate_setup s = { .threads = 0 };
    const char *threads = command_value(c, OPTION_THREADS);
    uint64_t number = 0;
    int code;

    if (threads && (!slice_number(slice_of(threads), 64, &number) || number == 0))
        return command_usage(c, "--threads: expected a number from 1 to 64");
    s.threads = (unsigned)number;
    code = reading_init(c, &s.reading);
    if (code)
        return code;
    code = reading_maps(c, &s.reading, &s.maps);
    if (code == EXIT_CODE_OK)
        code = translate_files(c, &s);
    maps_free(&s.maps.maps);
    reading_deinit(&s.reading);
    return code;
}
