/*
 * elsewhere: starts waybill-spool, which has the libraries that the translator does without, for a command of the
 * appliance. It lies beside this program, where it was built, or in the libexec folder: of the prefix that this program
 * lies in, wherever that was moved to, else of the one that it was configured for.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"

#define PROGRAM "waybill-spool"

int command_elsewhere(struct command_context *c)
{
    static const char *const places[] = { PROGRAM, "../libexec/waybill/" PROGRAM };
    char path[PATH_MAX + sizeof("../libexec/waybill/" PROGRAM)];
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
    char *name = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;

    if (printer_flush(c->out) < 0 || printer_flush(c->err) < 0)
        return EXIT_CODE_UNAVAILABLE;
    for (unsigned i = 0; name && i < sizeof(places) / sizeof(places[0]); i++) {
        memcpy(name + 1, places[i], strlen(places[i]) + 1);
        execv(path, c->given);
    }
    execv(WAYBILL_LIBEXEC_DIR "/" PROGRAM, c->given);
    command_say(c, "%s cannot be started: %s", WAYBILL_LIBEXEC_DIR "/" PROGRAM, strerror(errno));
    return EXIT_CODE_UNAVAILABLE;
}
