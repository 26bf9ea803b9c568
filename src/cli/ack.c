/*
 * waybill ack: the acknowledgment of a file, on standard output, segment by segment on lines of their own. Findings
 * go to standard error.
 *
 * The exit code speaks of the answer, not of the documents: 0 when all that can be acknowledged is, also when the
 * answer is a rejection; 65 when something cannot be, or there is nothing that could be read.
 */
#include "cli/reading.h"

#include "edi/acknowledge.h"

struct answering {
    struct command_context *c;
    struct reading_count count;
    const struct input *in;
};

static int on_finding(void *ctx, const struct finding *f)
{
    struct answering *k = ctx;

    reading_count(&k->count, f);
    printer_finding(k->c->err, f, slice_of(k->in->name));
    return 0;
}

static int on_write(void *ctx, const char *p, size_t n, struct err *err)
{
    struct answering *k = ctx;

    printer_raw(k->c->out, slice(p, n));
    return printer_failed(k->c->out) ? err_set(err, ERR_STOP, "standard output is gone") : 0;
}

static int answer_file(struct command_context *c, struct reading *r, const char *path, uint64_t control,
                       bool implementation, bool contrl_2_2)
{
    struct answering k = { .c = c };
    const struct edi_sink findings = { .ctx = &k, .finding = on_finding };
    struct acknowledge_options how = {
        .at = reading_now(),
        .control = control,
        .line_end = "\n",
        .implementation = implementation,
        .contrl_2_2 = contrl_2_2,
        .ta1 = true,
        .next = &findings,
        .write = on_write,
        .ctx = &k,
    };
    struct acknowledge *a = NULL;
    struct edi_reader_options reader_options;
    struct edi_reader *reader = NULL;
    struct err err = { 0 }, reason = { 0 };
    struct input in;
    int rc, answer, code;

    if (input_open(path, &in, &err) < 0) {
        command_fail(c, &err);
        return EXIT_CODE_UNAVAILABLE;
    }
    k.in = &in;
    reading_options(r, &reader_options);
    rc = acknowledge_new(&how, &a, &err);
    if (rc == 0)
        rc = edi_reader_new(&reader_options, acknowledge_sink(a), &reader, &err);
    if (rc == 0)
        rc = input_feed(&in, reader, c->progress, &err);
    answer = a ? acknowledge_finish(a, &reason) : 0;
    input_close(&in);

    code = rc == ERR_STOP ? EXIT_CODE_UNAVAILABLE : EXIT_CODE_OK;
    if (reading_complain(c, &r->complaints))
        code = EXIT_CODE_CONFIG;
    if (rc < 0 && answer < 0 && rc == answer)
        err = reason;
    if (rc < 0 && rc != ERR_STOP) {
        err.code = rc;
        code = exit_code_worse(code, command_fail(c, &err));
    } else if (rc == 0 && answer < 0 && answer != ERR_STOP) {
        code = exit_code_worse(code, command_fail(c, &reason));
    } else if (rc == 0 && answer == 0 && acknowledge_totals(a)->interchanges == 0) {
        if (k.count.no_edi)
            reading_hint(c->err, &in);
        else
            command_say(c, "there is nothing to acknowledge");
        if (k.count.no_edi || k.count.errors)
            code = exit_code_worse(code, EXIT_CODE_DATA);
    }
    if (a && acknowledge_totals(a)->interchanges > 0 && !command_has(c, OPTION_CONTROL) && answer != ERR_STOP)
        command_say(c, "the answer is numbered from 1, as --control gives no other number; a partner takes a "
                       "number once");
    edi_reader_free(&reader);
    acknowledge_free(&a);
    return code;
}

int command_ack(struct command_context *c)
{
    const char *text = command_value(c, OPTION_CONTROL), *set = command_value(c, OPTION_SET);
    struct reading reading;
    unsigned acknowledge;
    uint64_t control = 1;
    int code;

    if (text && (!slice_number(slice_of(text), 999999999, &control) || control == 0))
        return command_usage(c, "--control: \"%s\" is not a number from 1 to 999999999", text);
    code = reading_init(c, &reading);
    if (code)
        return code;
    c->err->json = c->out->json;
    acknowledge = reading.partner_file ? reading.partner_file->acknowledge : 0;
    code = answer_file(c, &reading, c->argument[0], control,
                       set ? strcmp(set, "999") == 0 : (acknowledge & (PARTNER_997 | PARTNER_999)) == PARTNER_999,
                       set ? strcmp(set, "contrl-2-2") == 0 : acknowledge & PARTNER_CONTRL_2_2);
    reading_deinit(&reading);
    return code;
}
