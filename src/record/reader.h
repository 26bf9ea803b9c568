/*
 * reader: records from a file descriptor, one after another, in bounded memory.
 *
 * Read are JSON lines (one record a line, the usual form), records one behind the other or over several lines, and
 * a JSON array of records. A byte order mark before them is passed over.
 *
 * A record of up to `memory` bytes is parsed whole. A larger one lies in a file: the input itself when that is a
 * regular file, otherwise an unnamed temporary one (TMPDIR, else /var/tmp; mode 0600), because its keys may come in
 * any order. Its larger top-level arrays become nodes of type JSON_STREAMED, whose items are read one at a time;
 * everything else is on the tape. Either way the same loop serves:
 *
 *     struct record_items it;
 *     record_items_begin(record, node, &it);
 *     while ((r = record_items_next(&it, &tape, &item, err)) > 0)
 *         …
 *
 * and may be begun again for a second pass. So memory is bounded by the largest item, whatever the record's size.
 * The whole record has been parsed, also what is streamed, before record_reader_next returns it: syntax errors come
 * from there, never in the midst of its items.
 *
 * A bad record is ERR_DATA; reading goes on behind it with the next line that can begin a record: one that stands
 * no deeper than the bad one's first line. Never closes the descriptor, which must block. A pipe's writer that waits
 * for an answer must end its record with a newline.
 */
#ifndef WAYBILL_RECORD_READER_H
#define WAYBILL_RECORD_READER_H

#include "base/buf.h"
#include "record/schema.h"

struct record_reader_options {      /* zero: the default */
    size_t memory;                  /* a record is parsed whole up to here: LIMIT_RECORD_MEMORY; its nodes, which are 24
                                     * bytes each, take up to half as much on top */
    size_t item;                    /* the largest item of a streamed array: LIMIT_ITEM */
    size_t small;                   /* an array of less is loaded all the same: 1 MiB */
    uint64_t file;                  /* the largest record of all: LIMIT_RECORD_FILE */
    const char *directory;          /* for temporary files; NULL: TMPDIR (not looked at in set-id programs), /var/tmp */
    int temporary;                  /* an open, empty file for that, for those who may open none; 0: none. Not closed */
    size_t chunk;                   /* bytes asked of the descriptor at first: 256 KiB. For tests */
    bool copy;                      /* copy large records also from a regular file, which may change */
    enum json_path path;
};

struct record_reader;

/* A record belongs to its reader and is valid until the next record_reader_next. */
struct record {
    const struct json_tape *tape;   /* node 0 is the record, always an object */
    uint64_t number;                /* which in the input, bad ones counted, from 1 */
    uint64_t offset;                /* where it starts */
    uint64_t line;                  /* from 1 */
    uint64_t size;                  /* bytes */
    bool streamed;                  /* some of its arrays are */
    struct record_reader *reader;   /* private; NULL: kept */
};

/* options may be NULL. ERR_NOMEM. */
int record_reader_new(int fd, const struct record_reader_options *options, struct record_reader **reader_r,
                      struct err *err);
void record_reader_free(struct record_reader **reader);

/* 1: a record. 0: the end. ERR_DATA, or ERR_LIMIT with words that say which: this record cannot be read, the next call
 * goes on behind it. ERR_IO, ERR_NOMEM: for good, every further call returns the same. */
int record_reader_next(struct record_reader *reader, const struct record **record_r, struct err *err);
/* A record that stays when its reader goes on: its text and tape are taken over. Serves again and again; zero at
 * first. */
struct record_kept {
    struct record record;
    struct json_tape tape;
    struct buf text;
};

/* The record read last, which must not be streamed. It may then be used beside its reader, by another thread too.
 * ERR_NOMEM; ERR_LIMIT: it is larger than LIMIT_ITEM. */
int record_reader_keep(struct record_reader *reader, struct record_kept *kept, struct err *err);
void record_kept_deinit(struct record_kept *kept);
/* After a bad record: where it starts. */
void record_reader_place(const struct record_reader *reader, uint64_t *number_r, uint64_t *line_r, uint64_t *offset_r);

/* The text of the member at a path of names ("ship_to.id"), decoded; it borrows from the tape's text or the arena. Its
 * p is NULL where there is none, or it is no string. 0 or ERR_NOMEM. */
int record_text(const struct json_tape *tape, struct slice path, struct arena *arena, struct slice *text_r, struct err *err);

struct record_items {               /* private */
    const struct record *record;
    uint32_t node;
    uint32_t child;                 /* on the tape */
    uint32_t array;                 /* which of the streamed ones, from 1; 0: on the tape */
    uint64_t at;                    /* in the file */
    uint64_t index;
};

/* The items of an array (or the members of an object) of the record's tape. One streamed array at a time has a
 * current item: going on in one invalidates the item of another, begun before. */
void record_items_begin(const struct record *record, uint32_t node, struct record_items *it_r);
/* 1: an item, node *node_r of *tape_r, valid until the next call for any streamed array of this reader. 0: the end.
 * Negative: the file cannot be read again or has changed. */
int record_items_next(struct record_items *it, const struct json_tape **tape_r, uint32_t *node_r, struct err *err);

/* Where the next item lies, and going there again, or further on: what is between is not read. */
uint64_t record_items_place(const struct record_items *it);
void record_items_go(struct record_items *it, uint64_t place);

/* record_check for all of a record, streamed items included. ERR_IO and so on when these cannot be read. */
int record_check_whole(const struct record_kind *kind, const struct record *record, record_finding_fn *callback,
                       void *context, struct err *err);

#endif
