/*
 * folder: files put into folders so that whoever looks there sees all of one, or nothing of it.
 *
 * A file is written under a hidden name, synced with its folder, and then gets its own name, which never replaces
 * another. What lies in a folder may be anybody's: nothing is followed, nothing is opened that is no regular file.
 */
#ifndef WAYBILL_FLOW_FOLDER_H
#define WAYBILL_FLOW_FOLDER_H

#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"

enum { FOLDER_PATH = 4096, FOLDER_NAME = 256 };

/* A folder, by its path from `at`. */
int folder_open(int at, const char *path, int *fd_r, struct err *err);
/* That of a partner below "in" or "out" of the spool. `make`: it is made, and synced where it is named, if it is not
 * there; else ERR_MISSING. */
int folder_of_partner(int spool, const char *side, struct slice partner, bool make, int *fd_r, struct err *err);
/* Whether a file can have this name: not empty, no "/", not "." or "..", at most 255 bytes. */
bool folder_takes_name(struct slice name);

/* A new file; one of that name, which is nobody's but ours, is removed first. */
int folder_create(int folder, const char *hidden, int *fd_r, struct err *err);
/* Gives a file the name it shall have, in this folder or another. It never replaces one. */
enum folder_placed {
    FOLDER_PLACED,
    FOLDER_TAKEN,               /* another has the name */
    FOLDER_GONE,                /* there is none to be named */
    FOLDER_ELSEWHERE            /* the other folder is on another file system */
};
int folder_place(int from, const char *hidden, int to, const char *name, struct err *err);
int folder_sync(int folder, struct err *err);
/* A new file with this text, whole and synced, or none: FOLDER_PLACED or FOLDER_TAKEN. */
int folder_write_file(int folder, const char *name, mode_t mode, struct slice text, struct err *err);
/* Syncs many files side by side: file systems do at once what is asked of them together. error_r[i]: 0, or the errno
 * of file i. */
void folder_sync_files(const int *fd, unsigned n, int *error_r);

/* What makes a file the same one after a while: nanoseconds of its last change. */
int64_t folder_mtime(const struct stat *st);

/* An error's words as the ledger keeps them. */
struct slice folder_words(const struct err *why, struct buf *room);

#endif
