/*
 * progress: one line on standard error that tells how far a long input has been read. Only on a terminal, only
 * after a while; it wipes itself out before anything else is written.
 */
#ifndef WAYBILL_CLI_PROGRESS_H
#define WAYBILL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool on;            /* standard error is a terminal */
    bool shown;
    int fd;
    const char *name;
    uint64_t total;     /* 0: not known */
    uint64_t started_msec, last_msec;
};

void progress_init(struct progress *p, int fd);
void progress_start(struct progress *p, const char *name, uint64_t total);
void progress_update(struct progress *p, uint64_t done);
/* Takes the line away. */
void progress_clear(struct progress *p);

#endif
