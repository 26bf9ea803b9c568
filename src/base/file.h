/* file: whole small files into memory, and writing all of a buffer to a descriptor. */
#ifndef WAYBILL_BASE_FILE_H
#define WAYBILL_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

/* Reads a regular file of at most b's ceiling into b (emptied first). ERR_MISSING when there is none. */
int file_read(const char *path, struct buf *b, struct err *err);
/* Writes all bytes; retries after EINTR and short writes. */
int file_write_all(int fd, const void *p, size_t n, struct err *err);

#endif
