/* door_inside: what door.c, door_whole.c and door_look.c share. Nobody else looks in here. */
#ifndef WAYBILL_FLOW_DOOR_INSIDE_H
#define WAYBILL_FLOW_DOOR_INSIDE_H

#include <dirent.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "flow/door.h"
#include "flow/folder.h"

enum { DOOR_SHOWN = 1000 };     /* bytes of a name */

enum door_then { THEN_DELETE, THEN_KEEP, THEN_MOVE };

/* A folder that files come from. */
struct door {
    char path[FOLDER_PATH];     /* as the ledger has it: "in/northwind", or a whole path */
    char pattern[FOLDER_NAME];  /* "*.edi"; empty: all */
    enum door_then then;
    char move[FOLDER_PATH];
    bool own;                   /* below the spool */
    int fd, move_fd;
    bool changed, move_changed; /* since they were synced */
};

/* A folder's path, without "/" at its end. False: there is no such path. */
bool door_path(char to[FOLDER_PATH], struct slice path);
/* Door i of a partner: his folder below in/, then his lines `pick up folder`. False: there is no such door; *end_r:
 * nor are any behind it. */
bool door_at(const struct partner *p, unsigned i, struct door *d, bool *end_r);
/* Whether its pattern takes this name. */
bool door_takes_name(const struct door *d, const char *name);
/* ERR_MISSING: a folder of ours is not there, and not made. */
int door_open(struct door *d, int spool, struct slice partner, bool make, struct err *err);
void door_close(struct door *d);
/* Its entries; NULL: it cannot be read. */
DIR *door_read(int folder);

/* Files with a time to come, as they were seen. */
struct door_looks {
    struct look *before, *now;
    size_t n_before, n, room;
    bool behind;                /* notes for the ledger were lost with a batch that failed */
};

/* Those seen at the look that ends are what was seen before, from here on. */
void door_looks_turn(struct door_looks *l);

/* What every file at a door is judged by. */
struct door_judge {
    int spool;                  /* its folder: a file has to fit there */
    store_time now;
    uint64_t settle;            /* milliseconds */
    struct door_looks *looks;   /* NULL: nothing is remembered */
};

/* Whether it may be taken, as far as can be said without opening it; else why not. *until_r: then it will have
 * rested; 0: it does not wait for that. */
bool door_judge(const struct door_judge *j, const char *name, const struct stat *st, store_time *until_r,
                struct err *why);
/* Opens a file that was judged. 1; 0: it is not taken, why; ERR_MISSING: it is gone. */
int door_open_file(int folder, const char *name, int *fd_r, struct stat *st_r, struct err *why);
/* Somebody has it open to write, as far as the system tells. */
bool door_is_being_written(int fd);
/* It is longer than what was written to it: of no file that is whole. */
bool door_has_holes(int fd, const struct stat *st);

/* "in/northwind/850.edi", in the arena; p is NULL when memory is out. */
struct slice door_source_path(struct arena *arena, const struct door *d, const char *name);
void door_source_of(const struct stat *st, struct slice path, struct store_source *source_r);

store_time door_milliseconds(struct timespec t);

#endif
