/*
 * unpack: the files in a bundle: zip, tar, 7z, and what is compressed by gzip, bzip2 or xz, a tar or a single file.
 *
 * What a bundle is, its bytes say, never its name. Its members are given out in pieces, one after the other; nothing is
 * written anywhere. A member's path is a label to show and no more: no part of it is "..", none begins with a slash,
 * controls are escaped. Checksums are compared where the format has them, so what is damaged is told, not given out as
 * whole: on an error whatever was given out has to be thrown away.
 *
 * A bundle in a bundle is a member like any other. The caller, who unpacks it in turn, counts how deep.
 */
#ifndef WAYBILL_FLOW_UNPACK_H
#define WAYBILL_FLOW_UNPACK_H

#include "base/err.h"
#include "base/slice.h"

enum { UNPACK_FIRST = 512 };

/* What a file is that begins with these bytes (UNPACK_FIRST, or all if it is shorter): "zip", "tar", "7z", "gz", "bz2",
 * "xz"; NULL: no bundle. */
const char *unpack_format(struct slice first);

struct unpack_limits {              /* unpack_limits() has those of base/limits.h */
    uint32_t members;
    uint64_t total;                 /* bytes of all of them together */
    uint32_t ratio;                 /* times the bundle's size; not below LIMIT_BUNDLE_FREE */
    uint32_t name;                  /* bytes of a member's path */
};
struct unpack_limits unpack_limits(void);

/* Functions return 0 to go on; a negative code ends the unpacking and is given back, as their words are. */
struct unpack_sink {
    int (*begin)(void *ctx, struct slice path, struct err *err);
    int (*data)(void *ctx, struct slice bytes, struct err *err);
    int (*end)(void *ctx, struct err *err);
    /* A member that is no file, or cannot be read, and why: "is encrypted". NULL: it is an ERR_DATA of the whole. Empty
     * folders are passed over. */
    int (*refused)(void *ctx, struct slice path, struct slice words, struct err *err);
    void *ctx;
};

/* Unpacks a regular file, from its first byte on. `name` is the bundle's own, for a single file that was compressed
 * without one. ERR_DATA: it is damaged, or no bundle; ERR_LIMIT: it holds too much, or needs too much memory. */
int unpack(int fd, struct slice name, const struct unpack_limits *limits, const struct unpack_sink *sink, uint32_t *members_r,
           struct err *err);

#endif
