/*
 * waybill translate --to x12, --to edifact: documents from records. What is written comes out on standard output as
 * soon as a record is whole; what is wrong with a record goes to standard error, one reason a line, told by the
 * record's field.
 */
#include "cli/translate.h"

#include "edi/dialect.h"
#include "flow/produce.h"

enum { LINE_CEILING = 16 << 10 };

struct writing {
    struct command_context *c;
    struct translate_setup *s;
    struct produce *produce;
    bool hinted, hinted_set;
};

/* --- What is said ------------------------------------------------------------------------- */

static void show_row(struct printer *p, struct slice file, uint64_t record, uint64_t line,
                     const struct map_write_finding *f)
{
    printer_field(p, "code", slice_of(f->code), 0);
    printer_field(p, "severity", f->severity == SEVERITY_ERROR ? SLICE("error") : SLICE("warning"), 0);
    printer_field(p, "file", file, 0);
    printer_field_number(p, "record", record, 0);
    printer_field_number(p, "line", line, 0);
    if (f->path.n)
        printer_field(p, "path", f->path, 0);
    if (f->value.n)
        printer_field(p, "value", f->value, 0);
    printer_field(p, "found", slice_of(f->found), 0);
    if (f->expected[0])
        printer_field(p, "expected", slice_of(f->expected), 0);
    if (f->place.n)
        printer_field(p, "place", f->place, 0);
    if (f->segment)
        printer_field_number(p, "segment", f->segment, 0);
    printer_end_row(p);
}

void translate_show_finding(struct command_context *c, struct slice file, uint64_t record, uint64_t line,
                            const struct map_write_finding *f)
{
    struct printer *p = c->err;
    bool error = f->severity == SEVERITY_ERROR;
    struct buf text;

    if (p->json) {
        show_row(p, file, record, line, f);
        return;
    }
    printer_safe(p, file);
    printer_printf(p, ":%llu: ", (unsigned long long)line);
    printer_style(p, error ? STYLE_ERROR : STYLE_WARNING);
    printer_printf(p, "%s %s", error ? "error" : "warning", f->code);
    printer_style(p, STYLE_PLAIN);
    printer_text(p, ": ");
    buf_init(&text, LINE_CEILING);
    map_write_finding_text(f, &text);
    printer_raw(p, buf_slice(&text));
    buf_deinit(&text);
    printer_text(p, "\n");
}

static int on_finding(void *ctx, const struct produce_place *at, const struct map_write_finding *f)
{
    struct writing *w = ctx;
    struct printer *p = w->c->err;

    translate_show_finding(w->c, at->file, at->record, at->line, f);
    if (!p->json && slice_is(slice_of(f->code), "CONTROL-NUMBER") && !w->hinted) {
        printer_text(p, "hint: --control NUMBER gives the first one.\n");
        w->hinted = true;
    }
    if (!p->json && slice_is(slice_of(f->code), "MAP-CHARACTER") && !w->hinted_set &&
        strstr(f->found, "character set")) {
        printer_text(p, w->s->reading.partner_file
                            ? "hint: --allow character-set writes others for it; the partner file names the set.\n"
                            : "hint: --allow character-set writes others for it; for EDIFACT, --syntax UNOC:3 names a "
                              "larger set.\n");
        w->hinted_set = true;
    }
    return 0;
}

static void on_progress(void *ctx, uint64_t done)
{
    struct writing *w = ctx;

    progress_update(w->c->progress, done);
}

static int on_write(void *ctx, const char *p, size_t n, struct err *err)
{
    struct writing *w = ctx;

    printer_raw(w->c->out, slice(p, n));
    return printer_failed(w->c->out) ? err_set(err, ERR_STOP, "standard output is gone") : 0;
}

/* --- Options ------------------------------------------------------------------------------ */

/* INTERCHANGE[,GROUP[,DOCUMENT]] */
static int read_control(struct command_context *c, struct produce_options *o)
{
    uint64_t *const number[] = { &o->interchange, &o->group, &o->document };
    struct slice rest = slice_of(command_value(c, OPTION_CONTROL));
    bool more = rest.n > 0 || command_has(c, OPTION_CONTROL);

    for (unsigned i = 0; more; i++) {
        struct slice one = slice_cut(rest, ',', &rest, &more);
        if (i == 3)
            return command_usage(c, "--control: the interchange's number, the group's and the document's, and no more");
        if (!slice_number(one, 999999999, number[i]) || *number[i] == 0)
            return command_usage(c, "--control: \"%.*s\" is not a number from 1 to 999999999", SLICE_FMT(one));
    }
    return EXIT_CODE_OK;
}

static int read_date(struct command_context *c, struct edi_time *date, struct produce_options *o)
{
    const char *text = command_value(c, OPTION_DATE);

    if (!text)
        return EXIT_CODE_OK;
    if (!produce_time(slice_of(text), date))
        return command_usage(c, "--date: \"%s\" is not a date, such as 2026-11-20 or 2026-11-20T15:30", text);
    o->date = date;
    return EXIT_CODE_OK;
}

const struct dialect *translate_standard(const char *to)
{
    return to ? dialect_named(slice_of(to)) : NULL;
}

/* The six characters behind "UNA", which may stand before them. */
static int read_una(struct command_context *c, struct edi_write_options *o)
{
    const char *text = command_value(c, OPTION_UNA);
    struct edi_writer *writer = NULL;
    struct err err = { 0 };
    int rc;

    if (!text)
        return EXIT_CODE_OK;
    if (!edi_write_una(o, slice_of(text)))
        return command_usage(c, "--una: \"%s\" is not six characters, such as \":+.? '\"", text);
    rc = edi_writer_new(o, &writer, &err);
    edi_writer_free(&writer);
    return rc < 0 ? command_usage(c, "--una: %s", err.text) : EXIT_CODE_OK;
}

static int read_syntax(struct command_context *c, struct produce_options *o)
{
    enum edi_charset set;
    struct slice version;
    bool found;

    o->syntax = slice_of(command_value(c, OPTION_SYNTAX));
    if (!o->syntax.n)
        return EXIT_CODE_OK;
    if (!charset_of_syntax(slice_cut(o->syntax, ':', &version, &found), &set) || version.n != 1 || version.p[0] < '1' ||
        version.p[0] > '4')
        return command_usage(c, "--syntax: \"%.*s\" is not a character set and a version, such as UNOC:3",
                             SLICE_FMT(o->syntax));
    return EXIT_CODE_OK;
}

/* "14:4012345000009" */
static int read_party(struct command_context *c, enum option_id option, const char *name, struct slice *party_r)
{
    struct slice id;
    bool found;

    *party_r = slice_of(command_value(c, option));
    if (!command_has(c, option))
        return EXIT_CODE_OK;
    slice_cut(*party_r, ':', &id, &found);
    if (!found || !id.n)
        return command_usage(c, "--%s: \"%.*s\" is not a qualifier and an id, such as 14:4012345000009", name,
                             SLICE_FMT(*party_r));
    return EXIT_CODE_OK;
}

/* What is written where no partner file says it. */
static int read_standard(struct command_context *c, struct produce_options *o)
{
    static const enum option_id alone[] = { OPTION_SENDER_ID, OPTION_RECEIVER_ID, OPTION_SYNTAX, OPTION_UNA };
    int code;

    for (unsigned i = 0; o->agreement && i < sizeof(alone) / sizeof(alone[0]); i++)
        if (command_has(c, alone[i]))
            return command_usage(c, "--%s: the partner file says that", options[alone[i]].name);
    o->dialect = translate_standard(command_value(c, OPTION_TO));
    o->version = slice_of(command_value(c, OPTION_VERSION));
    code = read_una(c, &o->edifact);
    if (!code)
        code = read_syntax(c, o);
    if (!code)
        code = read_party(c, OPTION_SENDER_ID, "sender", &o->sender);
    return code ? code : read_party(c, OPTION_RECEIVER_ID, "receiver", &o->receiver);
}

/* `--allow character-set`, or the partner file's. */
static bool allows_characters(struct writing *w)
{
    struct command_context *c = w->c;
    struct slice name = slice_of(finding_rows[FINDING_ELEMENT_CHARSET].allow);
    struct slice code = slice_of(finding_rows[FINDING_ELEMENT_CHARSET].name);

    for (unsigned i = 0; i < c->option[OPTION_ALLOW].n; i++) {
        struct slice rest = slice_of(c->option[OPTION_ALLOW].value[i]);
        bool more = true;
        while (more) {
            struct slice one = slice_trim(slice_cut(rest, ',', &rest, &more));
            if (slice_eq(one, name) || slice_eq(one, code))
                return true;
        }
    }
    return w->s->reading.partner_file &&
           (partner_allows(w->s->reading.partner_file, name) || partner_allows(w->s->reading.partner_file, code));
}

/* --- Files -------------------------------------------------------------------------------- */

static int write_file(struct writing *w, const char *path)
{
    struct command_context *c = w->c;
    uint64_t before = produce_counts(w->produce)->records, refused = produce_counts(w->produce)->refused;
    struct err err = { 0 };
    struct input in;
    int rc, code;

    if (input_open(path, &in, &err) < 0) {
        command_fail(c, &err);
        return EXIT_CODE_UNAVAILABLE;
    }
    input_peek(&in);
    if (input_starts(&in) && input_starts(&in) != '{' && input_starts(&in) != '[') {
        command_say(c, "%s: there are no records, which begin with {", in.name);
        if (input_starts(&in) == 'I' || input_starts(&in) == 'U')
            printer_printf(c->err, "hint: it looks like %s; without --to, --control and --date it is read.\n",
                           input_starts(&in) == 'I' ? "X12" : "EDIFACT");
        else
            reading_hint(c->err, &in);
        input_close(&in);
        return EXIT_CODE_DATA;
    }
    progress_start(c->progress, in.name, in.size);
    rc = produce_records(w->produce, in.fd, slice_of(in.name), &err);
    progress_clear(c->progress);
    input_close(&in);
    code = reading_result(c, &w->s->reading, rc, &err);
    if (rc == 0 && produce_counts(w->produce)->records == before) {
        command_say(c, "%s: there are no records", in.name);
        code = exit_code_worse(code, EXIT_CODE_DATA);
    }
    return produce_counts(w->produce)->refused > refused ? exit_code_worse(code, EXIT_CODE_DATA) : code;
}

static int write_files(struct writing *w, struct produce_options *o)
{
    struct command_context *c = w->c;
    struct err err = { 0 };
    int code = EXIT_CODE_OK, rc;

    if (produce_new(o, &w->produce, &err) < 0)
        return command_fail(c, &err);
    for (unsigned i = 0; code != EXIT_CODE_CONFIG && code != EXIT_CODE_LATER && i < c->n && !printer_failed(c->out);
         i++)
        code = exit_code_worse(code, write_file(w, c->argument[i]));
    /* what was written stays whole, also when a later file could not be read */
    rc = printer_failed(c->out) ? 0 : produce_end(w->produce, &err);
    if (rc < 0 && rc != ERR_STOP)
        code = exit_code_worse(code, command_fail(c, &err));
    produce_free(&w->produce);
    return code;
}

int translate_to_document(struct command_context *c, struct translate_setup *s)
{
    struct writing w = { .c = c, .s = s };
    struct produce_options o;
    struct edi_time date;
    int code;

    produce_options_init(&o);
    code = read_control(c, &o);
    if (code == 0)
        code = read_date(c, &date, &o);
    if (code)
        return code;
    o.agreement = s->reading.agreement;
    code = read_standard(c, &o);
    if (code)
        return code;
    o.guides = s->reading.guides;
    o.maps = s->maps.maps;
    o.map = s->maps.named;
    o.complaints = &s->reading.complaints;
    o.guide = s->reading.partner;
    o.n_guides = s->reading.n_partner;
    o.policy = &s->reading.policy;
    o.now = reading_now();
    o.now.second = -1;
    o.threads = s->threads;
    o.transliterate = allows_characters(&w);
    o.write.write = on_write;
    o.write.ctx = &w;
    o.finding = on_finding;
    o.progress = on_progress;
    o.ctx = &w;
    return write_files(&w, &o);
}
