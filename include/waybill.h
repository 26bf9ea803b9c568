/*
 * waybill.h: Waybill's translator as a library, and the only header an embedder needs.
 *
 * Documents (X12) go in as bytes, in pieces of any size. Out come, through functions of the caller's: canonical
 * records, as JSON or as values to walk; findings, which say what is wrong; and the acknowledgment. The other way,
 * records become documents. What a document type holds and how it becomes a record are data: guides, maps and
 * schemas in one folder, whose path the caller gives.
 *
 *     static int show(void *ctx, const struct waybill_value *order)
 *     {
 *         const struct waybill_value *line = waybill_first(order, "lines");
 *         for (; line; line = waybill_next(line))
 *             printf("%s x %s\n", waybill_text(line, "quantity"), waybill_text(line, "unit_price"));
 *         return 0;
 *     }
 *
 *     waybill_new("/usr/share/waybill/maps", &waybill, &error);
 *     waybill_reader_new(waybill, &reader, &error);
 *     waybill_reader_on_record(reader, show, NULL);
 *     while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0 && rc == 0)
 *         rc = waybill_reader_feed(reader, bytes, n, &error);
 *     if (rc == 0)
 *         rc = waybill_reader_end(reader, &error);
 *     waybill_reader_free(&reader);
 *     waybill_free(&waybill);
 *
 * The library opens no file but those in that folder and those that the caller names, asks neither clock nor
 * environment nor network, keeps no global state, starts no thread, never prints and never exits.
 *
 * Threads. A `struct waybill` may be used by any number of threads at once: it keeps what was read of guides and maps
 * for all readers and writers made from it. Each reader and each writer belongs to one thread at a time, and calls the
 * caller's functions on the thread that feeds it.
 *
 * Memory. What a …_new() made is freed by its …_free(), which takes the address of the pointer, sets it to NULL, and
 * does nothing when it is NULL already. Readers and writers are freed before the `struct waybill` they were made from.
 * Everything that a function of the caller's is given belongs to the library and is valid until that function returns,
 * unless said otherwise. Texts are UTF-8 and end in a NUL, unless a length stands beside them.
 *
 * Errors. Functions that can fail return 0, or one of the negative codes below. `error`, always the last argument and
 * never demanded, gets the code and words for people; a call that succeeds leaves it alone. A bad document is no
 * error: it is told as findings, and the others of the file go on. After an error a reader cannot go on; it returns
 * that error again. Any allocation may fail: that is WAYBILL_NOMEM, and leaves nothing behind once all is freed.
 *
 * Versions. Structs that the library hands out may grow at their end, and so may lists of names and codes, within one
 * major version of the shared library. Structs are never copied by value into the library, so an older program goes on
 * working.
 */
#ifndef WAYBILL_H
#define WAYBILL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WAYBILL_API __attribute__((visibility("default")))
#else
#define WAYBILL_API
#endif

/* The version of the library, such as "0.1.0". Never freed by the caller. */
WAYBILL_API const char *waybill_version(void);

/* ---- Errors ---- */

enum waybill_code {
    WAYBILL_NOMEM = -1,         /* memory could not be had */
    WAYBILL_IO = -2,            /* the operating system refused */
    WAYBILL_CONFIG = -3,        /* a guide, map, table or schema is wrong */
    WAYBILL_DATA = -4,          /* a record cannot be written, or something cannot be acknowledged */
    WAYBILL_LIMIT = -5,         /* a ceiling was reached */
    WAYBILL_MISSING = -6,       /* something named does not exist */
    WAYBILL_USAGE = -7,         /* a call that makes no sense: an unknown name, a call out of order */
    WAYBILL_STOP = -8,          /* a function of the caller's returned other than 0 */
    WAYBILL_INTERNAL = -9       /* a defect in Waybill */
};

struct waybill_error {
    int code;                   /* enum waybill_code */
    char text[1000];            /* for people; for WAYBILL_CONFIG with file, line and what is wrong, as it fits */
};

/* A code in words: "out of memory". For 0 and unknown codes, too. Never freed by the caller. */
WAYBILL_API const char *waybill_strerror(int code);

/* ---- The folder of guides and maps ---- */

struct waybill;

/* Opens a folder of guides, maps and schemas, such as Waybill installs in …/share/waybill/maps; the path is copied. Its
 * files are read when they are needed, once. WAYBILL_MISSING: there is no such folder; WAYBILL_IO; WAYBILL_NOMEM. */
WAYBILL_API int waybill_new(const char *maps, struct waybill **waybill_r, struct waybill_error *error);
WAYBILL_API void waybill_free(struct waybill **waybill);

/* ---- Reading documents ---- */

struct waybill_reader;
struct waybill_value;
struct waybill_finding;
struct waybill_document;

/* Functions of the caller's. They return 0 to go on; anything else stops the reader or writer, whose function then
 * returns WAYBILL_STOP. They must not call functions of the reader or writer that calls them, except where said. */
typedef int (*waybill_bytes_fn)(void *ctx, const char *bytes, size_t n);
typedef int (*waybill_record_fn)(void *ctx, const struct waybill_value *record);
typedef int (*waybill_finding_fn)(void *ctx, const struct waybill_finding *finding);
typedef int (*waybill_document_fn)(void *ctx, const struct waybill_document *document);

/* A reader of one transmission: one file, or payload, of any number of interchanges. WAYBILL_NOMEM. */
WAYBILL_API int waybill_reader_new(struct waybill *waybill, struct waybill_reader **reader_r,
                                   struct waybill_error *error);
WAYBILL_API void waybill_reader_free(struct waybill_reader **reader);

/* What to do with what is read. Each may be left out; a reader without on_record and on_json only checks, and is
 * faster. To be called before the first bytes are fed; a second call replaces the first, NULL takes it back.
 *
 * on_record    each record, whole, once its document has ended. That of a refused document has a list "rejected", of
 *              what is wrong: waybill_items(record, "rejected") > 0. A record larger than the option "ceiling" allows
 *              ends the reading with WAYBILL_LIMIT.
 * on_json      each record as one line of JSON that ends in a newline, in pieces as they are made: memory stays bounded
 *              by the largest line item, whatever the document's size.
 * on_finding   each finding, in the order of the file, errors and warnings. Those of a document come before on_record
 *              gets its record; on_json may have got parts of it by then.
 * on_document  each document at its end: what it was, and whether it is right.
 * on_acknowledgment
 *              the answer: a 997 for each functional group of X12 and TA1s where asked for, a CONTRL for each interchange
 *              of EDIFACT, in pieces, the last of them from waybill_reader_end(). "at" must be set.
 */
WAYBILL_API void waybill_reader_on_record(struct waybill_reader *reader, waybill_record_fn function, void *ctx);
WAYBILL_API void waybill_reader_on_json(struct waybill_reader *reader, waybill_bytes_fn function, void *ctx);
WAYBILL_API void waybill_reader_on_finding(struct waybill_reader *reader, waybill_finding_fn function, void *ctx);
WAYBILL_API void waybill_reader_on_document(struct waybill_reader *reader, waybill_document_fn function, void *ctx);
WAYBILL_API void waybill_reader_on_acknowledgment(struct waybill_reader *reader, waybill_bytes_fn function, void *ctx);

/* Options, by name; values are copied. To be set before the first bytes are fed.
 *
 * allow          findings that are warnings, not errors: "short-isa, wrong-counts"; adds to what was allowed
 * refuse         the opposite; "all" makes every warning an error
 * map            the map to use for its transaction set, by its name in the folder: "x12/850-order"; for others, and
 *                without it, the folder's own. May be set once for each transaction set
 * map-file       the same from a file, for instance a partner's map
 * guide-file     a partner's guide, from a file; goes before the standard's. May be set once for each set
 * transmission   the correlation id, written into each record
 * partner        the partner's name, written into each record
 * ceiling        bytes of JSON that one record may have in on_record (its values take several times that); 67108864
 * at             date and time of the acknowledgment, as the caller's clock says: "2026-11-20T18:30:05"
 * control        the first interchange and group number of the acknowledgment, counted on; 1
 * ta1            "yes": TA1s where they are asked for or needed; "no". yes
 * line-end       behind each segment of the acknowledgment: "none", "newline", "crlf". none
 *
 * Files are read at once and once for the whole `struct waybill`: what changes on disk later is not seen.
 * WAYBILL_USAGE: no such name, or not such a value; WAYBILL_MISSING, WAYBILL_CONFIG, WAYBILL_IO of files. */
WAYBILL_API int waybill_reader_set(struct waybill_reader *reader, const char *name, const char *value,
                                   struct waybill_error *error);

/* The next bytes. They are copied; n may be 0. */
WAYBILL_API int waybill_reader_feed(struct waybill_reader *reader, const char *bytes, size_t n,
                                    struct waybill_error *error);
/* The same without the copy: where the next bytes may be put, at least one, for instance by read(2); then how many
 * were. NULL: an error, told by waybill_reader_filled(), whatever n. */
WAYBILL_API char *waybill_reader_space(struct waybill_reader *reader, size_t *n_r);
WAYBILL_API int waybill_reader_filled(struct waybill_reader *reader, size_t n, struct waybill_error *error);
/* There is no more: the last findings and records, and the rest of the acknowledgment. WAYBILL_DATA: something could
 * not be acknowledged, because its envelope does not say whom to answer; all else was done. */
WAYBILL_API int waybill_reader_end(struct waybill_reader *reader, struct waybill_error *error);

enum waybill_count {
    WAYBILL_DOCUMENTS,          /* read */
    WAYBILL_REFUSED,            /* of these, with errors */
    WAYBILL_RECORDS,            /* made */
    WAYBILL_ERRORS,             /* findings of severity error, those outside of documents included */
    WAYBILL_WARNINGS
};

/* How many so far; also from inside the caller's functions. A file without WAYBILL_ERRORS is right. */
WAYBILL_API uint64_t waybill_reader_count(const struct waybill_reader *reader, enum waybill_count what);
/* Errors in guides and maps met so far, as a compiler shows them: file, line, column, the line itself, a caret. "" when
 * there are none. Valid until the reader is used again. */
WAYBILL_API const char *waybill_reader_complaints(struct waybill_reader *reader);

/* ---- What is wrong ---- */

enum waybill_severity { WAYBILL_WARNING = 1, WAYBILL_ERROR = 2 };

/* One finding. Numbers count from 1; 0 is "does not apply". Texts are never NULL, but may be empty. Texts that can hold
 * bytes of the partner's have not been made safe for terminals and logs, except `message` and `acknowledgment`. */
struct waybill_finding {
    const char *code;           /* stable: "X12-AK4-6"; `waybill help findings` lists all */
    int severity;               /* enum waybill_severity */
    const char *message;        /* one sentence: PO102 Quantity Ordered: "ten" is not a number (R 1/15) */
    const char *acknowledgment; /* what the 997 will say of it: AK3*PO1*8*PO1*8  AK4*2*330*6*ten */
    /* where: bytes from the start of the file, its line, the column in that line, in bytes: of the segment */
    uint64_t offset, line, column;
    uint64_t interchange;       /* which in the file */
    uint64_t group;             /* which in the interchange */
    uint64_t document;          /* which in the file */
    uint64_t segment;           /* which in the document; ST is 1 */
    unsigned element, component, repetition;
    const char *set;            /* "850" */
    const char *control;        /* ST02, GS06 or ISA13 */
    const char *tag;            /* of the segment, "PO1"; of a missing segment the missing one's */
    const char *loop;           /* around it, "N1" */
    const char *element_id;     /* data element number, "330" */
    const char *element_name;   /* "Quantity Ordered" */
    const char *found;          /* words: "is not a number" */
    const char *expected;       /* words: "R 1/15" */
    const char *segment_bytes;  /* as received, without terminator */
    size_t segment_length;
    size_t at, width;           /* what is meant inside of segment_bytes: from, and how many bytes */
    const char *value;          /* the bytes in question */
    size_t value_length;
    int missing;                /* 1: it is about something absent */
    struct waybill_finding_inside *inside;    /* private */
};

/* The finding as `waybill check` shows it, several lines, with the place, the segment and a caret; and as one line of
 * JSON. `file` is the input's name as people know it. For use inside on_finding; NULL when memory is out. Valid until
 * the next such call or the function's return. */
WAYBILL_API const char *waybill_finding_text(const struct waybill_finding *finding, const char *file);
WAYBILL_API const char *waybill_finding_json(const struct waybill_finding *finding, const char *file);

/* A document that has ended. */
struct waybill_document {
    const char *set;            /* ST01, "850"; or "TA1", a document that is one segment outside of groups */
    const char *control;        /* ST02; of a TA1 empty, as is group_control */
    const char *version;        /* GS08, "004010"; of a TA1 ISA12 */
    const char *group_control;  /* GS06 */
    const char *interchange_control;        /* ISA13 */
    const char *sender, *receiver;          /* ISA05:ISA06 and ISA07:ISA08, "ZZ:NORTHWIND" */
    int test;                   /* 1: ISA15 is T */
    uint64_t ordinal;           /* in the file, from 1 */
    uint64_t segments;          /* ST and SE included */
    uint64_t errors, warnings;  /* a document with errors is refused */
};

/* ---- Records ---- */

/* A record, or a value in it: an object, a list, or a scalar. Decimals, dates and times are texts, exactly as they are
 * ("9.50", "2026-01-15"): never floating point. What kinds of record hold is in the schemas, maps/records/.
 *
 * All functions take NULL for a value that is not there and answer NULL or 0, so that calls may be nested. A path names
 * fields and items: "ship_to.name", "lines[3].items[0].id"; items count from 0. NULL or "" is the value itself. */

enum waybill_type {
    WAYBILL_NOTHING,            /* not there */
    WAYBILL_NULL,
    WAYBILL_BOOLEAN,            /* "true" or "false" */
    WAYBILL_NUMBER,             /* as written */
    WAYBILL_TEXT,
    WAYBILL_OBJECT,
    WAYBILL_LIST
};

/* The value at a path; NULL: there is none. Time grows with the members and items passed on the way: to go through a
 * list use waybill_first() and waybill_next(). */
WAYBILL_API const struct waybill_value *waybill_get(const struct waybill_value *value, const char *path);
/* The text of a scalar; NULL: there is none, or it is an object or list. */
WAYBILL_API const char *waybill_text(const struct waybill_value *value, const char *path);
/* Its length in bytes. Texts hold no NUL, so that strlen() finds the same: one that a partner sent is U+FFFD here. */
WAYBILL_API size_t waybill_length(const struct waybill_value *value);
/* A decimal or integer as a whole number, and how many of its digits stand behind the point: "12.50" is 1250 and 2.
 * Exact. WAYBILL_MISSING: there is no such value; WAYBILL_DATA: it is no decimal; WAYBILL_LIMIT: it has more than 18
 * digits, zeros in front not counted. */
WAYBILL_API int waybill_decimal(const struct waybill_value *value, const char *path, int64_t *number_r, int *places_r);
WAYBILL_API enum waybill_type waybill_type_of(const struct waybill_value *value);
/* The first item of a list, or the first member of an object; and the one behind. NULL: there is none. */
WAYBILL_API const struct waybill_value *waybill_first(const struct waybill_value *value, const char *path);
WAYBILL_API const struct waybill_value *waybill_next(const struct waybill_value *value);
/* How many items or members. */
WAYBILL_API size_t waybill_items(const struct waybill_value *value, const char *path);
/* A member's name; NULL: it is an item, or the record itself. */
WAYBILL_API const char *waybill_key(const struct waybill_value *value);
/* The value as JSON; not terminated, *n_r bytes. */
WAYBILL_API const char *waybill_json(const struct waybill_value *value, size_t *n_r);

/* ---- Writing documents ---- */

struct waybill_writer;

/* Why a record is refused (severity error), or what of it is odd or lost (warning). As for struct waybill_finding. */
struct waybill_refusal {
    const char *code;           /* stable: RECORD-…, MAP-…, or the guide's: X12-AK4-5 */
    int severity;               /* enum waybill_severity */
    const char *message;        /* one line, with all that follows */
    const char *path;           /* the record's field: "lines[3].unit"; "": the record as a whole */
    const char *value;          /* what was found there, as in the JSON */
    size_t value_length;
    const char *found;          /* words: "is not in the code list" */
    const char *expected;       /* words */
    const char *place;          /* the guide's name for it: "PO103 Unit or Basis for Measurement Code" */
    uint64_t segment;           /* which in the document that was being written; ST is 1 */
    int missing;                /* 1: it is about something absent */
    int loss;                   /* 1: it is about something that is not written */
};
typedef int (*waybill_refusal_fn)(void *ctx, const struct waybill_refusal *refusal);

/* A writer of X12 or EDIFACT; the bytes go to `function`, in pieces. WAYBILL_NOMEM. */
WAYBILL_API int waybill_writer_new(struct waybill *waybill, waybill_bytes_fn function, void *ctx,
                                   struct waybill_writer **writer_r, struct waybill_error *error);
WAYBILL_API void waybill_writer_free(struct waybill_writer **writer);
/* Each reason for refusing a record, and each warning; may be called at any time. */
WAYBILL_API void waybill_writer_on_refusal(struct waybill_writer *writer, waybill_refusal_fn function, void *ctx);

/* Options, by name; values are copied. "yes" and "no" are switches; all are off at first.
 *
 * Before the first record:
 * standard       "x12", "edifact"; comes before separators, charset, UNA and UNB01. x12
 * separators     element, component, terminator and, if there is one, repetition: "*>~^", which is the default
 * UNA            of EDIFACT the same: component, element, decimal mark, release, repetition, terminator, ":+.? '", which is
 *                the default; "none": these, and no UNA goes before the interchange
 * line-end       behind each segment: "none", "newline", "crlf". none
 * charset        "basic", "extended", "latin1", "utf8". extended
 * UNB01          of EDIFACT, character set and syntax version: "UNOC:3", which is the default
 * transliterate  a character that the set lacks is written with others: Ü as UE
 * replace        a separator in data becomes a blank; otherwise the record is refused
 * allow          as for readers
 * unmapped       `unmapped` is written back to its places: only right for the guide and partner that it came from
 * map, map-file, guide-file
 *                as for readers; without a map, that of the folder which makes such records
 *
 * At any time; they hold from the next interchange (ISA…, UNB…, at), group (GS…) or document (ST…, UNH…) on:
 * at             date and time, as the caller's clock says: "2026-11-20T18:30". Must be set
 * ISA01 … ISA04  ISA01 and ISA03: 00; the others: blanks
 * ISA05 … ISA08  sender and receiver. ISA06 and ISA08 must be set; ISA05 and ISA07: ZZ
 * ISA12          the first five characters of the version
 * ISA13, GS06, ST02
 *                the control numbers, 1 to 9 digits, of the next interchange, group and document. Each is counted on
 *                until it is set again; ST02 begins anew in each group. 1
 * ISA14          1: a TA1 is asked for; 0
 * ISA15          P, T or I; P
 * GS01           the functional group of the set, "PO"
 * GS02, GS03     as ISA06 and ISA08
 * GS07           X
 * GS08           the version; its guide is the one that is written by. That of the map
 * ST03           empty
 * UNB02, UNB03   sender and receiver of EDIFACT: id, qualifier and address behind it, "4012345000009:14". Must be set
 * UNB05, UNH01   the control references of the next interchange and message, numbers that are counted on; UNH01 begins anew
 *                in each interchange. 1
 * UNB07, UNB10   application reference and agreement; empty
 * UNB09          1: a CONTRL is asked for; 0
 * UNB11          1: a test; 0
 * UNH02          version, release, agency and association of messages, "D:96A:UN:EAN008"; their guide is the one that is
 *                written by. Those of the map
 *
 * WAYBILL_USAGE: no such name, not such a value, or too late; WAYBILL_MISSING, WAYBILL_CONFIG, WAYBILL_IO of files. */
WAYBILL_API int waybill_writer_set(struct waybill_writer *writer, const char *name, const char *value,
                                   struct waybill_error *error);

/* Writes a record, given as JSON, as one document; opens interchange and group when none is open. A group is ended, and
 * another begun, where the record is of another set or version. WAYBILL_DATA: the record is refused, or is no JSON;
 * WAYBILL_MISSING, WAYBILL_CONFIG: its map or guide is not there, or wrong; WAYBILL_USAGE: an option is missing. Then
 * nothing of it is written, and the next may follow. After other errors the output is useless: that error returns. */
WAYBILL_API int waybill_writer_record(struct waybill_writer *writer, const char *json, size_t n,
                                      struct waybill_error *error);
/* Ends group and interchange, and hands out all bytes. When every record was refused there are none. Another record
 * begins another interchange. */
WAYBILL_API int waybill_writer_end(struct waybill_writer *writer, struct waybill_error *error);
/* As waybill_reader_complaints(). */
WAYBILL_API const char *waybill_writer_complaints(struct waybill_writer *writer);

#ifdef __cplusplus
}
#endif

#endif
