/*
 * objects: payloads on disk, named by their SHA-256 and never changed.
 *
 * One below SMALL bytes goes into a segment, an append-only file that many share, so that a batch needs one sync; a
 * larger one is a file of its own. What is added is only there after objects_sync(), and only if the ledger's
 * commit then names it; what the ledger does not name is litter.
 *
 * Not told here: whether a payload is known already, what refers to it, how long it stays: the ledger knows. After a
 * failed fsync the file is abandoned under its name, never tried again: what was added since the last good sync has to
 * be added anew. One writer (who holds the ledger's lock; these functions have none); any number of readers, each with
 * an `objects` of its own.
 */
#ifndef WAYBILL_SPOOL_OBJECTS_H
#define WAYBILL_SPOOL_OBJECTS_H

#include "base/buf.h"
#include "base/err.h"

enum { OBJECT_SMALL = 64 << 10, OBJECT_HASH = 32 };

/* Where a payload is. By value; the ledger keeps it. */
struct payload {
    uint8_t hash[OBJECT_HASH];
    uint64_t size;
    uint32_t segment;           /* 0: a file of its own, or in the archive */
    uint32_t archive;           /* 0: at hand; else the file of the archive that it lies in (spool/archive.h) */
    uint64_t offset;            /* in the segment, or that file */
};

struct objects;

/* The folder of the spool, made by objects_make(). ERR_MISSING: it is not there. A writer empties tmp/ and opens a new
 * segment when it first needs one, and another when that has LIMIT_SPOOL_SEGMENT bytes. */
int objects_open(const char *spool, bool write, struct objects **objects_r, struct err *err);
void objects_close(struct objects **objects);
/* The folders that a spool needs; those that are there stay. Mode 0700, in/ and out/ 0750. */
int objects_make(const char *spool, struct err *err);

/* Segments up to this number are named by the ledger, and none of them is begun anew, even if its file is lost. Before
 * anything is added. */
void objects_segments_up_to(struct objects *o, uint32_t segment);

/* Who knows the path, below archive/, of a file of the archive; without it what lies there cannot be read. `ctx`
 * outlives o. */
void objects_archives(struct objects *o, int (*path)(void *ctx, uint32_t archive, struct buf *path_r, struct err *err), void *ctx);

/* A payload of these bytes. Added twice between two syncs it is mostly written once. */
int object_add(struct objects *o, struct slice bytes, struct payload *payload_r, struct err *err);
/* A payload in parts, of any size: begin, then write as often as there is something, then end or abandon. Small ones
 * gather in memory. Several may be open at a time; all have to be ended or abandoned before objects_close(). After an
 * error of object_write() only abandoning is left; object_end() frees the writer in any case. */
struct object_writer;
int object_begin(struct objects *o, struct object_writer **writer_r, struct err *err);
int object_write(struct object_writer *w, struct slice bytes, struct err *err);
int object_end(struct object_writer **w, struct payload *payload_r, struct err *err);
void object_abandon(struct object_writer **w);
/* Makes durable all that was added since the last time: files, segments, and the folders that name them. An error: none
 * of it is to be named by the ledger. */
int objects_sync(struct objects *o, struct err *err);

/* A descriptor that reads the payload from its first byte to its last, and then ends: that of its file, or an unnamed
 * file with a copy of what lies in the segment or the archive. The caller closes it. ERR_MISSING: it is not there;
 * ERR_DATA: its bytes are not those that its name promises (small ones only; object_verify() looks at large ones). */
int object_read(struct objects *o, const struct payload *p, int *fd_r, struct err *err);
/* All of it, compared, into b (emptied first). ERR_LIMIT: it is larger than b's ceiling. */
int object_load(struct objects *o, const struct payload *p, struct buf *b, struct err *err);
/* Reads all of it and compares. ERR_DATA: it is damaged. */
int object_verify(struct objects *o, const struct payload *p, struct err *err);

/* Removing: what the ledger condemned in a commit that has been made, before anything else is added. A segment is
 * removed when the ledger says that nothing in it is left; one that is being written must have been synced
 * (ERR_USAGE). */
int object_remove(struct objects *o, const struct payload *p, struct err *err);
int object_remove_segment(struct objects *o, uint32_t segment, struct err *err);
/* Removes what no row of the ledger names: files of objects/ and segments/. `known` is asked for each: for a file by
 * hash, for a segment by number. Only at a start, before anything is added. */
int objects_sweep(struct objects *o, bool (*known)(void *ctx, const uint8_t *hash, uint32_t segment), void *ctx,
                  uint64_t *removed_r, struct err *err);

/* Removes what was added since it was opened, or since the last time, and is known to nobody: what a batch that came to
 * nothing left. Only between batches. What there was too much of is left to a sweep: objects_untidy(). */
int objects_tidy(struct objects *o, bool (*known)(void *ctx, const uint8_t *hash, uint32_t segment), void *ctx,
                 uint64_t *removed_r, struct err *err);
bool objects_untidy(const struct objects *o);

/* "9f86d081884c7d65…": 64 digits and a NUL. */
void object_name(const uint8_t hash[OBJECT_HASH], char name_r[2 * OBJECT_HASH + 1]);

#endif
