/*
 * zip: a file of the archive: payloads, compressed, each a member that is named by its SHA-256; before them a member
 * `index.tsv` which tells people what they are. Any program that reads zip reads it.
 *
 * Written once and never changed. A member is found by where it begins, or, should somebody have packed the file anew,
 * by its name. Not told here: which file a payload lies in: the ledger knows.
 */
#ifndef WAYBILL_SPOOL_ZIP_H
#define WAYBILL_SPOOL_ZIP_H

#include "spool/objects.h"

struct zip_writer;
/* A new file below a folder. */
int zip_begin(int folder, const char *name, struct zip_writer **w_r, struct err *err);
/* A member of `size` bytes, made at `seconds`, whose bytes `from` gives from where it stands. *offset_r: where it
 * begins. */
int zip_add(struct zip_writer *w, const char *name, uint64_t size, int64_t seconds, int from, uint64_t *offset_r,
            struct err *err);
/* The same of bytes in memory. */
int zip_add_text(struct zip_writer *w, const char *name, struct slice text, int64_t seconds, struct err *err);
/* Ends and syncs it. After an error of any of these the file is of no use. It frees the writer in any case; NULL is
 * none. */
int zip_end(struct zip_writer **w, struct err *err);
void zip_abandon(struct zip_writer **w);

/* Hands over the bytes of the member; whether they are those that its name promises is for the caller to find.
 * ERR_MISSING: there is no such member. ERR_DATA: the file is damaged. A negative answer of `bytes` ends it and is
 * returned. */
int zip_get(int fd, const uint8_t hash[OBJECT_HASH], uint64_t offset,
            int (*bytes)(void *ctx, struct slice bytes, struct err *err), void *ctx, struct err *err);
/* Reads all of it: each member that is named by a hash has those bytes (ERR_DATA); how many they are. */
int zip_verify(int fd, uint64_t *members_r, struct err *err);

#endif
