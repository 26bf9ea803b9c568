/*
 * partner: what a partner file says: who a partner is, and how documents are exchanged with him.
 *
 *     partner northwind "Northwind Traders"
 *       is        retailer
 *       x12       ZZ:NORTHWIND  us ZZ:ACMECORP
 *         group NWPO us ACME  version 004010VICS  usage production
 *         separators * > ~  newline
 *       receive   850 as order  map northwind/850
 *       allow     short-isa, wrong-counts
 *
 * A keyword is a row of partner_keywords[], and nothing else: parser, `waybill partner keywords` and the manual come
 * from there. What follows a keyword on its line, or stands in the block below it, are keywords of its own. All that
 * is written is kept as settings; what the translator goes by is also laid out in structs.
 *
 * All errors of a file are reported, not just the first. A partner is only read once it is made, by any number of
 * threads; it owns its memory and a copy of the text, and every slice in it borrows from there. Reading one opens
 * no other file: names of guides, maps, keys and certificates are kept as written; partner_path() says where they are.
 */
#ifndef WAYBILL_PARTNER_PARTNER_H
#define WAYBILL_PARTNER_PARTNER_H

#include "base/complain.h"
#include "base/err.h"
#include "edi/charset.h"
#include "edi/finding.h"
#include "edi/lexer.h"
#include "edi/reader.h"
#include "edi/write.h"

/* --- The language ------------------------------------------------------------------- */

/* Where a keyword may stand: the file itself, or under another keyword. */
enum partner_scope {
    IN_NOTHING,
    IN_FILE,
    IN_PARTNER,
    IN_X12,
    IN_GROUP,
    IN_EDIFACT,
    IN_MESSAGE,
    IN_AS2,
    IN_SFTP,
    IN_HTTP,
    IN_PICK_UP,
    IN_RECEIVE,
    IN_SEND,
    IN_EXPECT,
    IN_RETRY,
    PARTNER_SCOPES
};

/* What a value may be: a row of a table in partner.c, with its check. */
enum partner_value {
    VALUE_NONE,
    VALUE_NAME,             /* a partner's */
    VALUE_TEXT,
    VALUE_CHOICE,           /* one of partner_keyword.choice */
    VALUE_X12_PARTY,        /* ZZ:NORTHWIND */
    VALUE_EDIFACT_PARTY,    /* 14:4012345000009, 14:4012345000009:BRANCH, NORTHWIND */
    VALUE_CODE,             /* of a group's sender or receiver */
    VALUE_VERSION,          /* 004010VICS */
    VALUE_DIRECTORY,        /* D.96A */
    VALUE_ASSOCIATION,      /* EAN008 */
    VALUE_REFERENCE,        /* of up to 14 characters */
    VALUE_AGREEMENT,        /* of up to 35 characters */
    VALUE_LETTER,           /* one capital letter */
    VALUE_INTERCHANGE_VERSION,  /* 00401 */
    VALUE_SEPARATOR,        /* *, newline, 0x1c */
    VALUE_NUMBER,           /* from least to most */
    VALUE_DURATION,         /* 15m */
    VALUE_FILE,
    VALUE_PATH,             /* on the partner's machine: /outbound/…, or a method and a path of HTTP */
    VALUE_URL,
    VALUE_HOST,
    VALUE_FINGERPRINT,      /* SHA256:… */
    VALUE_DOCUMENT,         /* a document type (850, ORDERS) or a kind of record (order) */
    VALUE_RECORD,           /* a kind of record, or where it comes from */
    VALUE_MAP,              /* a map's name, or a file */
    VALUE_FINDING,          /* what `allow` takes */
    VALUE_FIELD,            /* of a record: ship_to.id */
    PARTNER_VALUES
};

enum { PARTNER_ARGUMENTS = 3, PARTNER_MANY = 1000 };

struct partner_keyword {
    const char *name;               /* one word or two: "pick up" */
    enum partner_scope in;
    enum partner_scope opens;       /* the scope of what belongs to it; IN_NOTHING: nothing does */
    const char *arguments;          /* as shown; "" for none */
    uint8_t value[PARTNER_ARGUMENTS];   /* enum partner_value; the last one serves all that follow */
    unsigned least, most;           /* arguments; PARTNER_MANY: parted by commas */
    const char *choice;             /* "high|normal|bulk" */
    uint32_t least_number, most_number;
    bool repeats;                   /* may stand several times in its block */
    bool required;
    const char *otherwise;          /* what holds without it, in words; NULL: nothing */
    const char *help;               /* one line */
};
extern const struct partner_keyword partner_keywords[];     /* ends with name == NULL */

/* What a keyword of this scope stands under: "x12", "" for the file. */
const char *partner_scope_name(enum partner_scope scope);
/* "a time such as 30s, 15m, 24h or 2d": what a value has to be. */
const char *partner_value_words(enum partner_value value);

/* --- What a file says ---------------------------------------------------------------- */

/* One keyword with its arguments, as written. */
struct partner_setting {
    const struct partner_keyword *keyword;
    const struct partner_setting *next;     /* in the order of the file */
    const struct partner_setting *first;    /* what belongs to it */
    const struct slice *value;
    unsigned n;
    struct place at;                        /* of the keyword */
    struct place value_at;                  /* of its first value */
};

/* A line `group`: the partner's and our codes in the GS. Under `edifact` a line `message`, without codes; the last one
 * is for all messages, as the line `edifact` says it. */
struct partner_group {
    struct slice them, us;          /* `us` may be empty: as in the ISA */
    struct slice version;           /* GS08, or the directory "D.96A"; empty: not said */
    struct slice association;       /* UNH02-5; may be empty */
    char usage;                     /* ISA15: P, T, I; UNB11 */
    const struct slice *document;   /* the document types that it is for; none: all */
    unsigned n_documents;
    uint32_t line;
};

/* A line `x12` or `edifact`: two identities, and how interchanges between them are written. */
struct partner_identity {
    const struct dialect *dialect;      /* which of them */
    struct slice qualifier, id;         /* the partner; an empty qualifier in EDIFACT: none is written */
    struct slice our_qualifier, our_id; /* us */
    struct slice routing, our_routing;  /* UNB: addresses behind the identities, of either; may be empty */
    struct slice application;           /* UNB07; may be empty */
    struct slice priority, agreement;   /* UNB08, UNB10; may be empty */
    struct slice password_file;         /* of UNB06; may be empty: agreement_password() has what it holds */
    struct slice password_qualifier;    /* 0025; may be empty */
    struct place password_at;
    struct slice character_set;         /* UNB01: its name as written, such as UNOY; may be empty */
    struct slice version;               /* ISA12; empty: the first five characters of the group's. UNB01: "3" */
    const struct partner_group *group;
    unsigned n_groups;
    struct edi_syntax syntax;
    char decimal;                       /* the decimal mark */
    bool una;                           /* a UNA goes before each interchange, needed or not */
    const char *line_end;               /* "", "\n", "\r\n": behind each terminator */
    enum edi_charset charset;
    bool transliterate;
    bool replace;                       /* delimiters in data become blanks */
    uint32_t line;
};

/* A line `receive` or `send`: which document stands for which record, where it comes from and where it goes. The words
 * before them say who does it: a trading partner's file speaks of us, that of a system of our own may speak of the
 * system. So which way it goes is told by how: what is handed over has a `by`, what is fetched comes `from folder`;
 * without either, `send` goes to the partner and `receive` comes from him. */
struct partner_route {
    bool send;
    bool out;                   /* it goes to the partner */
    const struct slice *to;     /* what comes in: the partners who get it; "origin": whoever sent what it answers */
    unsigned n_to;
    struct slice when, value;   /* only records with that field of that value; empty: all */
    bool when_not;              /* of any other value */
    unsigned priority;          /* 0 high, 1 normal, 2 bulk */
    struct slice way;           /* what goes out: "folder", "sftp", … */
    struct slice path;          /* and where to, by that way; may be empty */
    bool as_record;             /* not as a document */
    unsigned batch;             /* so many go together, */
    uint64_t within;            /* and may wait so many seconds for each other */
    bool change;                /* a number that came before, with other content, is a change; else it is held */
    struct slice document;      /* "850"; empty where records travel as records */
    struct slice record;        /* "order"; empty: whatever the map says */
    struct slice map;           /* as written; empty: the standard's own */
    struct slice guide;         /* as written; empty: none of its own */
    struct place at, record_at, map_at, guide_at;
};

/* A line `pick up`. */
struct partner_pick_up {
    struct slice way, path;     /* "folder", "/srv/from-erp" */
    struct slice then, then_path;   /* "delete", "keep", "move" and where to */
    uint64_t every;             /* seconds */
};

/* A line `guide`. */
struct partner_guide {
    struct slice name;          /* as written */
    struct place at;
};

enum partner_acknowledgment {
    PARTNER_997 = 1,
    PARTNER_999 = 2,
    PARTNER_TA1 = 4,
    PARTNER_CONTRL = 8,
    PARTNER_MDN = 16,
    PARTNER_CONTRL_2_2 = 32     /* a CONTRL as well, in an older version */
};

struct partner {
    struct slice file;          /* its path, as given */
    struct slice name, title, role;
    const struct partner_identity *identity;    /* lines `x12` and `edifact`, in the order of the file */
    const struct edi_parties *parties;      /* of each of them, once more: for edi_reader_options.between */
    unsigned n_identities;
    const struct partner_route *route;
    unsigned n_routes;
    const struct partner_guide *guide;
    unsigned n_guides;
    const struct slice *allow;  /* names that finding_policy_allow() takes */
    unsigned n_allow;
    unsigned acknowledge;       /* enum partner_acknowledgment: what we send for what we receive */
    unsigned expect;            /* what we ask for */
    uint64_t expect_within;     /* seconds */
    const struct partner_pick_up *pick_up;
    unsigned n_pick_ups;
    bool off;                   /* nothing is taken from him and nothing goes to him */
    bool takes_tests;
    bool groups_repeat;         /* his group numbers begin anew, and tell nothing */
    uint64_t retry, retry_for;  /* seconds before the second attempt, and until it is given up */
    uint64_t keep;              /* seconds that payloads stay at hand */
    const struct partner_setting *setting;  /* the line `partner` with all that belongs to it */
    struct arena *arena;        /* private */
};

/* Reads a partner file. `file` is its path, for complaints and for partner_path(). ERR_CONFIG: the file is wrong,
 * the complaints say how; ERR_NOMEM. Nothing borrows from file or text after. */
int partner_read(struct slice file, struct slice text, struct complaints *c, struct partner **partner_r,
                 struct err *err);
/* The same from a file: also ERR_MISSING, ERR_IO. */
int partner_load(const char *path, struct complaints *c, struct partner **partner_r, struct err *err);
/* The same to find errors: of a wrong file, too, a partner is made where that can be, with the guides and maps it names
 * as far as they were understood. With ERR_CONFIG it is good for agreement_new() and partner_free() and nothing
 * else. */
int partner_load_to_check(const char *path, struct complaints *c, struct partner **partner_r, struct err *err);
void partner_free(struct partner **partner);

/* Is this group, or line `message`, for a document type? */
bool partner_group_is_for(const struct partner_group *g, struct slice document);
/* How the writer is to write interchanges by that line. */
void partner_write_options(const struct partner_identity *x, struct edi_write_options *o);

/* Makes warnings of what `allow` names. */
void partner_allow(const struct partner *p, struct finding_policy *policy);
/* Whether `allow` holds this name. */
bool partner_allows(const struct partner *p, struct slice name);

/* The line for a kind of record: a `send` line goes before a `receive` line; NULL: none. With `dialect` only lines with
 * documents of that one. */
const struct partner_route *partner_route_of_record(const struct partner *p, struct slice record,
                                                    const struct dialect *dialect);
/* The line for a document type: a `receive` line goes before a `send` line; NULL: none. */
const struct partner_route *partner_route_of_document(const struct partner *p, struct slice document);

/* Where a file lies that the partner file names: relative to the folder of the partner file, `suffix` behind it unless
 * it ends so. Terminated; false: memory, or the path is too long. */
bool partner_path(const struct partner *p, struct slice name, const char *suffix, struct buf *path_r);

/* The whole file once more, in order and aligned: what was understood. */
void partner_show(const struct partner *p, struct buf *out);

#endif
