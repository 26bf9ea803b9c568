/* appliance: which function does which command of the appliance. See command.h. */
#include "cli/spool.h"

#include <string.h>

static const struct {
    const char *name;
    int (*run)(struct command_context *c);
} table[] = {
    { "init", command_init },
    { "run", command_run },
    { "list", command_list },
    { "show", command_show },
    { "cat", command_cat },
    { "trace", command_trace },
    { "status", command_status },
    { "replay", command_replay },
    { "hold", command_hold },
    { "release", command_release },
    { "drop", command_drop },
    { "backup", command_backup },
    { "restore", command_restore },
    { "partner list", command_partner_list },
    { NULL, NULL },
};

static int (*find(const char *name))(struct command_context *)
{
    for (unsigned i = 0; table[i].name; i++)
        if (strcmp(name, table[i].name) == 0)
            return table[i].run;
    return NULL;
}

bool appliance_has(const char *name)
{
    return find(name) != NULL;
}

int command_appliance(struct command_context *c)
{
    int (*run)(struct command_context *) = find(c->command->name);

    if (run)
        return run(c);
    command_say(c, "is no command of this program");
    return EXIT_CODE_USAGE;
}
