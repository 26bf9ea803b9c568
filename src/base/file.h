/* file: whole small files into memory, writing all of a buffer to a descriptor, and temporary files without a name. */
#ifndef WAYBILL_BASE_FILE_H
#define WAYBILL_BASE_FILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* Reads a regular file of at most b's ceiling into b (emptied first). ERR_MISSING when there is none. */
int file_read(const char *path, struct buf *b, struct err *err);

/* Files of ours (guides, maps, tables) that stay in memory because slices borrow from them. */
struct kept_file;
/* Reads one of at most `ceiling` bytes and puts it on the list; its text lives until file_free_kept(), its name in the
 * arena. */
int file_keep(struct kept_file **list, struct arena *arena, const char *path, size_t ceiling, struct slice *text_r,
              struct slice *name_r, struct err *err);
void file_free_kept(struct kept_file **list);

/* A file without a name, mode 0600, in the directory; NULL: in TMPDIR (not looked at in set-id programs) or
 * /var/tmp. */
int file_temporary(const char *directory, int *fd_r, struct err *err);
/* The same for what will have about `size` bytes: in memory up to FILE_IN_MEMORY, which costs no inode of a disk. */
enum { FILE_IN_MEMORY = 1 << 20 };
int file_scratch(uint64_t size, int *fd_r, struct err *err);
/* Writes all bytes; retries after EINTR and short writes. */
int file_write_all(int fd, const void *p, size_t n, struct err *err);

#endif
