/* threads: how many to work with. */
#ifndef WAYBILL_FLOW_THREADS_H
#define WAYBILL_FLOW_THREADS_H

#include <unistd.h>

enum { THREADS_MOST = 8 };

/* As many as wanted; 0: as many as there are processors. */
static inline unsigned threads_for(unsigned wanted)
{
    long n = wanted ? (long)wanted : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > THREADS_MOST ? THREADS_MOST : (unsigned)n;
}

#endif
