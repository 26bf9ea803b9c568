/*
 * guide_inside: what the files that make guides share: dictionary.c (versions, segments, elements, code lists),
 * guide.c (nodes and steps), guide_delta.c (partners' guides). Nobody else includes it.
 */
#ifndef WAYBILL_EDI_GUIDE_INSIDE_H
#define WAYBILL_EDI_GUIDE_INSIDE_H

#include <pthread.h>

#include "base/lines.h"
#include "edi/guide.h"

struct loaded_guide {
    struct loaded_guide *next;
    struct guide *guide;        /* NULL: the file has errors */
    struct slice file, text;
    bool partner;
};

struct guides {
    struct arena arena;
    struct slice directory;
    struct guide_version *version;
    struct loaded_guide *guide;
    struct kept_file *file;
    unsigned depth;             /* guides being read, one for another */
    pthread_mutex_t lock;       /* around everything that is read, loaded or built */
};

/* What a reading function works with. */
struct guide_context {
    struct guides *g;
    struct complaints *complaints;
    struct err *err;
};

/* ---- guide.c ---- */

/* Notes that memory is out; NULL, so that it can be returned. */
void *guide_nomem(const struct guide_context *x);
/* What a reading function returns: 0 when no complaint has come since there were `complaints_before`. */
int guide_result(const struct guide_context *x, unsigned complaints_before, const char *what);
/* Reads a file that the guides keep; its text and name live as long as they do. */
int guide_read_file(const struct guide_context *x, const char *path, struct slice *text_r, struct slice *name_r);
void guide_complain(const struct lines *lines, const struct line *line, unsigned word, const char *what);
/* A number of occurrences: digits, or >1. */
bool guide_read_max(struct slice word, uint32_t *max_r);
/* A guide that stands on no other; its heading was read. */
int guide_read_whole(const struct guide_context *x, struct lines *lines, const struct line *heading,
                     struct guide **guide_r);
/* Numbers the tags and lays out the steps. */
int guide_finish(const struct guide_context *x, struct guide *g, unsigned before, const char *what);
int guide_keep(const struct guide_context *x, struct guide *g, struct slice file, struct slice text, bool partner);
/* What was kept of a guide's file. */
const struct loaded_guide *guide_kept(const struct guides *g, const struct guide *guide);
/* The heading of a guide, complained of when it is none. */
bool guide_begins(struct lines *lines, struct line *line_r, const char *how);

/* The guide of a file in the library's directory. */
int guide_load(const struct guide_context *x, struct slice standard, struct slice version, struct slice set,
               const struct guide **guide_r);
/* A name that may become part of a file's name. */
bool guide_is_file_name(struct slice s);
/* "x12/004010/850" */
bool guide_split_id(struct slice id, struct slice *standard_r, struct slice *version_r, struct slice *set_r);

/* ---- guide_choice.c ---- */

/* The nearest directory above this one, without an association; empty: there is none. It is copied into the arena. */
struct slice guide_directory_above(const struct guide_context *x, struct slice standard, struct slice version);
/* Is there a folder with a dictionary of that name? */
bool guide_has_version(const struct guides *g, struct slice standard, struct slice version);

/* ---- guide_delta.c ---- */

/* A guide that says what differs from another one, or one that stands on none; its heading was read. */
int guide_read_either(const struct guide_context *x, struct lines *lines, const struct line *heading, bool partner,
                      struct guide **guide_r);

/* ---- dictionary.c ---- */

int dictionary_load(const struct guide_context *x, struct slice standard, struct slice name, unsigned depth,
                    struct guide_version **version_r);
/* A segment of a version, or of those it stands on. NULL: there is none, or memory is out. */
struct segment_def *dictionary_segment(const struct guide_context *x, struct guide_version *v, struct slice tag);
/* What the checker's fast half does with a use. */
void dictionary_settle(struct element_use *u);

/* The element in the next directory that defines it anew; element is NULL: none does. */
struct later_element {
    struct element *element;
    struct slice version;
};

bool codes_add(struct arena *arena, struct code_line **list, size_t *n, size_t *room, struct code_line c);
/* Takes the list over. */
bool codes_build(struct arena *arena, struct code_line *list, size_t n, struct codes **codes_r);

#endif
