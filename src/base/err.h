/*
 * err: what went wrong, as a code for programs and words for people.
 *
 * Functions return 0 or one of these negative codes; an `err` out-parameter (may be NULL) carries the words.
 */
#ifndef WAYBILL_BASE_ERR_H
#define WAYBILL_BASE_ERR_H

enum err_code {
    ERR_NOMEM = -1,     /* memory could not be had */
    ERR_IO = -2,        /* the operating system refused; errno's words are in the text */
    ERR_CONFIG = -3,    /* a guide, map, table or partner file is wrong */
    ERR_DATA = -4,      /* a document or record is wrong */
    ERR_LIMIT = -5,     /* a ceiling of base/limits.h was reached */
    ERR_MISSING = -6,   /* something named does not exist */
    ERR_USAGE = -7,     /* the caller asked for something that makes no sense */
    ERR_STOP = -8,      /* the caller's own function asked to stop */
    ERR_INTERNAL = -9   /* a defect in Waybill itself */
};

struct err {
    int code;
    char text[1000];
};

/* Sets code and words; returns code, so that `return err_set(err, …)` is one line. err may be NULL. */
int err_set(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with errno's words behind; code is ERR_IO, or ERR_NOMEM for ENOMEM. */
int err_system(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Forgets the words of something that was tried and need not be there. err may be NULL. */
void err_clear(struct err *err);
/* "out of memory", without allocating. */
int err_nomem(struct err *err);
/* A code's name in words. */
const char *err_name(int code);

#endif
