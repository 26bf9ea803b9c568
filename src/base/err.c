/* err: see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int code;
    const char *name;
} names[] = {
    { 0, "success" },
    { ERR_NOMEM, "out of memory" },
    { ERR_IO, "input or output failed" },
    { ERR_CONFIG, "configuration is wrong" },
    { ERR_DATA, "data is wrong" },
    { ERR_LIMIT, "a limit was reached" },
    { ERR_MISSING, "not found" },
    { ERR_USAGE, "wrong use" },
    { ERR_STOP, "stopped by the caller" },
    { ERR_INTERNAL, "internal error" },
};

const char *err_name(int code)
{
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].code == code)
            return names[i].name;
    return "unknown error";
}

int err_set(struct err *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        err->code = code;
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
    }
    return code;
}

int err_system(struct err *err, const char *format, ...)
{
    int number = errno;
    int code = number == ENOMEM ? ERR_NOMEM : ERR_IO;
    if (err) {
        va_list args;
        size_t n;
        err->code = code;
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
        n = strlen(err->text);
        snprintf(err->text + n, sizeof(err->text) - n, ": %s", strerror(number));
    }
    return code;
}

void err_clear(struct err *err)
{
    if (err) {
        err->code = 0;
        err->text[0] = 0;
    }
}

int err_nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}
