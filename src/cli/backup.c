/* waybill backup, restore: a copy of an appliance while it works, and an appliance made of such a copy. */
#include <stdio.h>

#include "cli/spool.h"
#include "flow/backup.h"

static void say(void *ctx, const char *words)
{
    command_say(ctx, "%s", words);
}

static void tell(struct command_context *c, const struct backup_told *told, const char *words)
{
    if (c->out->json) {
        printer_field_number(c->out, "payloads", told->payloads, 0);
        printer_field_number(c->out, "bytes", told->bytes, 0);
        printer_field_number(c->out, "damaged", told->damaged, 0);
        printer_field_number(c->out, "held", told->held, 0);
        printer_end_row(c->out);
        return;
    }
    printer_printf(c->out, "%llu payloads, %llu bytes%s\n", (unsigned long long)told->payloads,
                   (unsigned long long)told->bytes, words);
}

int command_backup(struct command_context *c)
{
    const struct backup_options o = {
        .path = c->argument[0], .keys = command_has(c, OPTION_WITH_KEYS), .say = say, .ctx = c
    };
    struct appliance *a = NULL;
    struct backup_told told;
    struct err err = { 0 };
    int code = spool_open(c, false, &a);

    if (!a)
        return code;
    if (backup_make(a, &o, &told, &err) < 0)
        code = command_fail(c, &err);
    else
        tell(c, &told, o.keys ? "" : "; keys are not in it");
    if (told.damaged)
        code = exit_code_worse(code, EXIT_CODE_DATA);
    appliance_close(&a);
    return code;
}

int command_restore(struct command_context *c)
{
    const char *skip = command_value(c, OPTION_SKIP);
    struct restore_options o = {
        .path = c->argument[0], .home = command_value(c, OPTION_HOME), .who = spool_who(), .say = say, .ctx = c
    };
    uint64_t number = RESTORE_SKIP;
    struct backup_told told;
    struct err err = { 0 };
    char words[100];

    if (!o.home || !*o.home)
        return command_usage(c, "--home is missing: the folder that is to become the new home");
    if (skip && !slice_number(slice_of(skip), 100000000, &number))
        return command_usage(c, "--skip: \"%s\" is not a number", skip);
    o.skip = (uint32_t)number;
    if (backup_restore(&o, &told, &err) < 0)
        return command_fail(c, &err);
    snprintf(words, sizeof(words), "; %llu held: `waybill list held`", (unsigned long long)told.held);
    tell(c, &told, told.held ? words : "");
    return told.damaged ? EXIT_CODE_DATA : EXIT_CODE_OK;
}
