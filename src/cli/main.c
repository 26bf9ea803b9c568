/*
 * waybill and waybill-spool: the command line. Only this file may exit.
 *
 * SECURITY: the translator opens what the command line names and the guides, maps and schemas of the maps folder, all
 * for reading; it writes to standard output and standard error only, and runs no program but waybill-spool
 * (elsewhere.c). That one writes a spool as well (appliance.c). Neither opens a network connection.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "cli/command.h"

#ifndef MAIN_APPLIANCE
#define MAIN_APPLIANCE command_elsewhere
#endif

int main(int argc, char **argv)
{
    struct progress progress;
    struct printer out, err;
    bool closed;
    int code;

    /* A descriptor that the caller closed must not become the first file we open. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) < 0)
            return EXIT_CODE_UNAVAILABLE;
    /* A reader that goes away is seen as a failed write, so that everything is freed before we go as well. */
    signal(SIGPIPE, SIG_IGN);
    /* As is a file that grows beyond what the process may write. */
    signal(SIGXFSZ, SIG_IGN);

    progress_init(&progress, 2);
    printer_init(&out, 1, &progress);
    printer_init(&err, 2, &progress);
    code = command_main(argc, argv, &out, &err, &progress, MAIN_APPLIANCE);
    progress_clear(&progress);
    closed = printer_flush(&out) && out.closed;
    if (printer_failed(&out) && !closed) {
        printer_printf(&err, "waybill: standard output: %s\n", out.err.text);
        code = exit_code_worse(code, exit_code_of(out.err.code));
    }
    printer_flush(&err);
    printer_deinit(&out);
    printer_deinit(&err);
    if (closed) {
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    return code;
}
