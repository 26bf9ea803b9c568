/* waybill run --once: the appliance works until it is idle. */
#include <signal.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "cli/reading.h"
#include "cli/spool.h"

#ifndef __has_feature
#define __has_feature(name) 0
#endif

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static bool is_stopped(void *ctx)
{
    (void)ctx;
    return stopped;
}

/* A hostile bundle can make libarchive ask for gigabytes before it gives anything out. It gets none, and the bundle is
 * buried. (AddressSanitizer has terabytes mapped from the start.) */
static void limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)
    struct rlimit limit;
    if (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur > LIMIT_RUN_MEMORY) {
        limit.rlim_cur = LIMIT_RUN_MEMORY;
        setrlimit(RLIMIT_DATA, &limit);
    }
#endif
}

/* A batch has many files open at once; what is usual for people is little for that. */
static void raise_files(void)
{
    enum { ENOUGH = 1024 };
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < ENOUGH) {
        limit.rlim_cur = limit.rlim_max < ENOUGH ? limit.rlim_max : ENOUGH;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* What is wrong in partner files and keeps nobody from working: some of it goes nowhere, which somebody has to know. */
static void check_home(struct command_context *c, struct appliance *a)
{
    struct complaints complaints;

    complaints_init(&complaints);
    home_check(a->home, &complaints, NULL);
    a->complaints += complaints.count;
    reading_complain(c, &complaints);
    complaints_deinit(&complaints);
}

int command_run(struct command_context *c)
{
    const struct sigaction action = { .sa_handler = on_signal };
    struct appliance *a = NULL;
    struct err err = { 0 };
    int code, rc;

    if (!command_has(c, OPTION_ONCE))
        return command_usage(c, "--once is missing: this version works until it is idle, and ends");
    stopped = 0;
    limit_memory();
    raise_files();
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    code = spool_open(c, true, &a);
    if (!a)
        return code;
    check_home(c, a);
    a->stop = is_stopped;
    rc = appliance_run(a, &err);
    if (rc < 0)
        code = command_fail(c, &err);
    rc = spool_tell_trouble(c, a, slice(NULL, 0), false, &err);
    if (rc < 0)
        code = exit_code_worse(code, command_fail(c, &err));
    /* what such a partner brings lies at his door until his file is mended: whoever runs this by the clock has to
     * notice */
    if (a->complaints)
        code = exit_code_worse(code, EXIT_CODE_CONFIG);
    appliance_close(&a);
    return code;
}
