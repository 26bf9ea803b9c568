/* progress: see progress.h. Failing to write it is no error: nobody depends on it. */
#include "cli/progress.h"

#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

enum { FIRST_AFTER_MSEC = 700, EVERY_MSEC = 200, NAME_SHOWN = 40 };

static uint64_t now_msec(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void progress_init(struct progress *p, int fd)
{
    *p = (struct progress){ .fd = fd, .on = isatty(fd) == 1 };
}

void progress_start(struct progress *p, const char *name, uint64_t total)
{
    p->name = name;
    p->total = total;
    p->started_msec = p->last_msec = p->on ? now_msec() : 0;
}

void progress_update(struct progress *p, uint64_t done)
{
    struct buf line;
    uint64_t now, msec;

    if (!p->on)
        return;
    now = now_msec();
    msec = now - p->started_msec;
    if (msec < FIRST_AFTER_MSEC || now - p->last_msec < EVERY_MSEC)
        return;
    p->last_msec = now;
    buf_init(&line, 4096);
    buf_add_text(&line, "\r\033[K");
    buf_add_safe(&line, slice_of(p->name), NAME_SHOWN);
    buf_printf(&line, ": %llu", (unsigned long long)(done >> 20));
    if (p->total)
        buf_printf(&line, " of %llu MiB (%u %%)", (unsigned long long)(p->total >> 20),
                   (unsigned)(done >= p->total ? 100 : (double)done * 100 / (double)p->total));
    else
        buf_add_text(&line, " MiB");
    buf_printf(&line, ", %llu MiB/s", (unsigned long long)((double)done * 1000 / (double)msec / (1 << 20)));
    if (line.n)
        file_write_all(p->fd, line.p, line.n, NULL);
    p->shown = true;
    buf_deinit(&line);
}

void progress_clear(struct progress *p)
{
    if (!p->shown)
        return;
    p->shown = false;
    file_write_all(p->fd, "\r\033[K", 4, NULL);
}
