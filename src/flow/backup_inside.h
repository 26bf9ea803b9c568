/* backup_inside: what backup.c and restore.c share. */
#ifndef WAYBILL_FLOW_BACKUP_INSIDE_H
#define WAYBILL_FLOW_BACKUP_INSIDE_H

#include <sys/types.h>

#include "flow/backup.h"

/* A new file below a folder, with the folders that it needs. */
int backup_open_file(int folder, const char *name, mode_t mode, int *fd_r, struct err *err);
/* A folder that is made, or is there and empty; ERR_USAGE: it is not. */
int backup_empty_folder(const char *path, struct err *err);
/* The SHA-256 of a file, as text. */
int backup_hash_file(const char *path, char hash_r[2 * OBJECT_HASH + 1], struct err *err);

#endif
