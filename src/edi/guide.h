/*
 * guide: what a document type may hold, compiled to flat tables.
 *
 * A library of guides (`guides`) reads the files of one or more directories: maps/x12/004010/850.guide beside
 * segments.guide and elements.guide of its version. A version may stand on a lower one and say only what
 * changed; a partner's guide is a delta on another guide, and so is that of an association (EANCOM):
 * maps/edifact/d96a-ean008/ORDERS.guide. All is read once and then only read: guides may be shared between
 * threads; the functions that read or build more take a lock.
 *
 * The structs are open, not opaque: checking and mapping walk them for every element of every document.
 */
#ifndef WAYBILL_EDI_GUIDE_H
#define WAYBILL_EDI_GUIDE_H

#include "base/arena.h"
#include "base/complain.h"
#include "base/err.h"

enum element_type {
    TYPE_AN,        /* string */
    TYPE_ID,        /* code */
    TYPE_N,         /* integer with `decimals` implied places */
    TYPE_R,         /* decimal with its own mark */
    TYPE_DT,        /* date, YYMMDD or CCYYMMDD by length */
    TYPE_TM,        /* time, HHMM[SS[D[D]]] */
    TYPE_B,         /* binary */
    TYPE_A,         /* letters, of EDIFACT */
    TYPE_COMPOSITE
};

enum requirement { REQ_OPTIONAL, REQ_MANDATORY, REQ_CONDITIONAL, REQ_NOT_USED };

/* What a standard calls things, and how its guides are written. */
struct guide_words {
    const char *standard;       /* the folder: "x12" */
    const char *name;           /* "ANSI ASC X12" */
    const char *document;       /* "Transaction set" */
    const char *loop;           /* "loop": the guide's word for segments that repeat together */
    const char *optional;       /* what is not mandatory: "optional" */
    const char *letter;         /* the same in a guide: "O" */
    bool notation;              /* types as in "an..35" rather than "AN 1 35" */
    bool directories;           /* versions are directories, such as d96a, and associations have guides: d96a-ean008 */
    const char *list, *agency;  /* the elements that say whose list the code before them is from; "": none do */
    const char *form;           /* the element whose code says in what form the date before it is; its list has the forms as
                                   names: CCYYMMDD */
    const char *example;        /* what parts elements and components and ends a segment, in examples: "*>~" */
};

/* A code and what it means. */
struct code_line {
    struct slice code, name;
};

/* A list of codes: a hash of keys of at most 8 bytes. */
struct codes {
    const uint64_t *slot;   /* 0: empty; keys as slice_key() makes them; one more behind the last, empty */
    uint32_t *place;        /* beside slot: index into line */
    unsigned shift;         /* slot index = key * CODES_MULTIPLIER >> shift */
    uint32_t mask;
    uint32_t n;
    struct code_line *line; /* in file order */
};
#define CODES_MULTIPLIER 0x9E3779B97F4A7C15ull

struct element {
    struct slice id;            /* "353", "C001", "I05" */
    struct slice name;
    enum element_type type;
    uint8_t decimals;           /* of TYPE_N */
    uint32_t min, max;          /* characters */
    struct slice form;          /* "an", "a" or "n" of a notation such as an..35; else empty */
    bool has_codes;
    bool open;                  /* its codes have names, but others are taken as well */
    struct codes *codes;        /* built on first use: guide_codes() */
    struct slice external;      /* where the codes come from when not from here */
    /* TYPE_COMPOSITE: */
    struct element_use *part;
    unsigned n_parts;
    uint8_t form_part;          /* number of the component that says in what form the one before it is; 0: none does */
    uint64_t mandatory;         /* its parts: bit 0 is the first */
    struct note *note;
    unsigned n_notes;
    struct code_source *source; /* where the code lines stand in the files */
    struct later_element *later;    /* guide_later_code()'s: NULL, nobody asked for it yet */
    bool wrong;                 /* its definition has errors */
};

/* An element (or composite) at its place in a segment (or composite). */
struct element_use {
    struct element *element;
    uint8_t requirement;        /* enum requirement */
    uint8_t quick;              /* enum element_type the checker goes by at first: TYPE_AN where only the length counts,
                                   a composite's first component where that may stand alone */
    uint16_t repeat;            /* 1; more where it may repeat; UINT16_MAX: without end */
    uint32_t min, max;          /* the element's own, or a delta's; of a composite those of its first component */
    struct codes *codes;        /* ready list; NULL: none, or not built yet when needs_codes */
    bool needs_codes;
    uint8_t list_part, agency_part;     /* numbers of the components that, where they have a value, say whose list the
                                           code is from; 0: none */
    /* for the checker's fast half */
    uint32_t range;             /* max - min */
    const struct codes *list;   /* codes, or a list that holds nothing */
};

/* A relational note. Bit 0 of a mask is element 01. P: all or none. R: at least one. E: at most one.
 * C: if the first is there, all others. L: if the first is there, at least one other. */
struct note {
    char kind;
    uint8_t first;              /* element number of the first, from 1 */
    uint64_t mask;              /* all of them */
    uint64_t others;            /* mask without the first */
    uint64_t when;              /* with none of these it holds, or (R) does not: all of them, or (C, L) the first */
    struct slice text;          /* "P0607" */
};

struct segment_def {
    struct slice tag;
    uint32_t key;               /* the tag as slice_key() */
    struct slice name;
    struct element_use *use;
    unsigned n;
    uint64_t mandatory;         /* bit 0 is element 01 */
    uint64_t not_used;
    uint64_t pairs;             /* notes such as P0607, two neighbours: bits of the first ones */
    struct note *note;          /* those pairs stand last */
    unsigned n_single;          /* notes that are no such pairs */
    unsigned n_notes;
    unsigned qualifier;         /* number of the qualifying element, from 1; 0: none */
    uint8_t qualifier_part;     /* the component of it that qualifies; 0: the first, or the element itself */
    bool binary;                /* BIN, BDS: the last element's length is in another */
    bool wrong;                 /* its definition has errors */
    const struct segment_def *base; /* what it was before a delta, NULL: itself */
};

enum { NODE_NONE = 0xffff };

/* One place in a guide: a segment or a loop. Node 0 is the document itself, as a loop. */
struct guide_node {
    struct slice tag;               /* segment: its tag; loop: its name */
    const struct segment_def *def;  /* segment only */
    uint16_t parent;                /* node number of the loop around it */
    uint16_t first, next;           /* loop: its first child; next in the same loop; NODE_NONE */
    uint16_t ordinal;               /* this node's own number, in the order of the file */
    uint16_t end;                   /* loop: number behind its last descendant */
    uint16_t local;                 /* for the mapper: tag number in guide->tag */
    uint8_t depth;                  /* 1 for children of node 0 */
    bool loop;
    bool trigger;                   /* a segment that opens its loop */
    bool required;                  /* loop: as its first segment says */
    bool not_used;
    char area;                      /* 'h', 'd', 's' or 0 */
    uint32_t max;                   /* UINT32_MAX: without end */
    uint32_t line;                  /* in the file */
    /* choosing among nodes with the same tag: element number and the codes that fit, 0: any */
    unsigned select;                /* element number of the qualifier */
    uint8_t select_part;            /* as segment_def.qualifier_part */
    struct slice *select_codes;
    unsigned n_select;
    /* what a partner's guide says of qualifiers: runs in guide->qualifier and guide->variant */
    bool has_variants;
    uint16_t qualifier, variant;
    uint16_t n_qualifiers, n_variants;
    uint64_t counted;               /* loop: the bits of variants that are counted in each occurrence */
    uint64_t opened;                /* loop: the bits of qualifiers of its first segment */
};

/* What a tag leads to from a node. */
struct guide_step {
    uint16_t target;        /* node number, NODE_NONE: nowhere; with STEP_MORE: where a run in guide->more starts */
    uint8_t flags;          /* STEP_… */
    uint8_t candidates;     /* STEP_MORE: length of that run, nearest first */
};
enum {
    STEP_MISSING = 1,       /* passes a mandatory segment: guide_missing() tells which */
    STEP_MOVES = 2,         /* leaves or enters a loop */
    STEP_MORE = 4,          /* several candidates, or one that must be selected by its qualifier */
};

/* A qualifier that a partner's guide speaks of: a segment has that code there. With the first segment of a loop it
 * holds for all that stands in the loop. */
struct guide_qualifier {
    uint16_t node;
    uint8_t element;                /* number of its element */
    uint8_t part;                   /* as segment_def.qualifier_part */
    uint8_t bit;                    /* of guide_variant.needs */
    struct slice code;
};

/* What a partner's guide demands or forbids of a segment with certain qualifiers, its own or those of the loops around
 * it. Of several that fit a segment the last one has all that is said of it. */
struct guide_variant {
    uint16_t node;
    uint64_t needs;                 /* bits of qualifiers, all of which must be there */
    uint64_t own;                   /* those among them that are the segment's own */
    const struct segment_def *def;  /* the segment as it is with these qualifiers */
    uint8_t requirement;            /* REQ_MANDATORY: has to be there in each occurrence of its loop; REQ_NOT_USED */
    bool implied;                   /* no line names it: where two others meet */
    bool inherits;                  /* requirement and max are only those of variants that need less */
    bool counts;                    /* `bit` is of guide_node.counted */
    uint8_t bit;
    uint32_t max;                   /* in each occurrence of its loop; UINT32_MAX: nothing is said */
};

enum { GUIDE_VARIANTS_COUNTED = 64 };

/* What a partner's guide tells people of a place. */
struct guide_remark {
    uint16_t node;                  /* 0: of the guide as a whole */
    uint64_t needs;                 /* as guide_variant */
    uint8_t element, component;     /* 0: of the segment as a whole */
    struct slice text;
};

struct guide {
    struct slice id;            /* "x12/004010/850" */
    struct slice title;
    struct slice standard;      /* "x12" */
    const struct guide_words *words;
    struct slice version;       /* "004010"; "d96a", of an association's guide, too */
    struct slice set;           /* "850" */
    struct slice group;         /* GS01: "PO" */
    struct slice base;          /* the id of the guide a delta is made from, empty */
    bool bare;                  /* named like its only segment, which stands in the interchange outside of groups: TA1 */
    struct guide_node *node;
    unsigned n;
    /* tags of this guide: key -> number */
    uint32_t *tag_slot;         /* key of each slot, 0 empty */
    uint8_t *tag_number;
    unsigned tag_shift;
    uint32_t tag_mask;
    struct slice *tag;
    unsigned n_tags;
    struct guide_step *step;    /* n * n_tags */
    struct guide_step *more;    /* candidates, in runs */
    struct guide_qualifier *qualifier;      /* by node */
    unsigned n_qualifiers;
    struct guide_variant *variant;          /* by node; what needs more stands behind what needs less */
    unsigned n_variants;
    struct guide_remark *remark;
    unsigned n_remarks;
    struct guide_version *directory;        /* all segments of the version */
    struct guides *owner;
};

struct guides;
struct guide_version;

/* `directory` holds x12/VERSION/…; it is copied. Nothing is read yet. */
int guides_new(const char *directory, struct guides **guides_r, struct err *err);
void guides_free(struct guides **guides);

/* The guide for a set: the version itself or the nearest lower one that has it, told by guide->version.
 * version is matched on its first six characters; ERR_MISSING when no version at or below has it (then the nearest
 * higher one is taken, if any: a document older than all guides is better read so than not at all).
 * Where versions are directories, `version` is as guide_directory() makes it: an association's own guide goes before
 * the directory's; EAN009 takes that of EAN008 when there is none of its own.
 * ERR_CONFIG: the files are wrong, complaints say how. */
int guides_find(struct guides *g, struct slice standard, struct slice version, struct slice set,
                struct complaints *complaints, const struct guide **guide_r, struct err *err);
/* By its id, "x12/004010/850": the folder's own guides go before those of partners. */
int guides_by_id(struct guides *g, struct slice id, struct complaints *complaints, const struct guide **guide_r,
                 struct err *err);
/* A partner's guide file (a whole guide, or a delta on a guide that is no delta); text must outlive the guides. */
int guides_read_delta(struct guides *g, struct slice file, struct slice text, struct complaints *complaints,
                      const struct guide **guide_r, struct err *err);
/* Is the segment or loop there whenever what is around it is? "M", or the standard's letter, or "-": not used. */
const char *guide_requirement(const struct guide *guide, const struct guide_node *node);
/* The words of a standard, those of X12 where nothing is known of it. */
const struct guide_words *guide_words(struct slice standard);
enum { GUIDE_DIRECTORY = 32 };
/* The folder of a message's guides, "d96a" or "d96a-ean008", made of what UNH says: version D, release 96A, association
 * EAN008 or nothing. Empty when no folder can be called so. */
struct slice guide_directory(struct slice version, struct slice release, struct slice association,
                             char room[GUIDE_DIRECTORY]);
/* The same without the association. */
struct slice guide_without_association(struct slice directory);
/* And back: "D.96A" and "EAN008", or nothing, of "d96a-ean008"; both lie in room. A version as X12 has it stays as it
 * is. */
void guide_directory_parts(struct slice directory, char room[GUIDE_DIRECTORY], struct slice *version_r,
                           struct slice *association_r);
/* Which of two versions is the later: negative, 0 or positive. Associations do not count. */
int guide_version_order(const struct guide_words *words, struct slice a, struct slice b);
/* A segment of a version by its tag, also one that is in no set's guide (ISA, GS …); NULL: none. */
const struct segment_def *guide_segment(const struct guide *guide, struct slice tag);
/* The same, where it matters that memory may be out (ERR_NOMEM). */
int guide_find_segment(const struct guide *guide, struct slice tag, const struct segment_def **def_r);
/* Does a partner's guide say something else of an element than what it is made from? */
bool guide_use_changed(const struct element_use *use, const struct element_use *before);
/* And has it other codes? */
bool guide_other_codes(const struct element_use *use, const struct element_use *before);
/* A qualifier by its bit. */
const struct guide_qualifier *guide_qualifier(const struct guide *guide, unsigned bit);
/* The variants of a node; NULL and 0: none. */
static inline const struct guide_variant *guide_variants(const struct guide *g, const struct guide_node *node,
                                                         unsigned *n_r)
{
    *n_r = node->n_variants;
    return node->n_variants ? &g->variant[node->variant] : NULL;
}
/* The loop whose occurrences count a node: of the first segment of a loop it is the loop around that. */
static inline const struct guide_node *guide_around(const struct guide *g, const struct guide_node *node)
{
    return &g->node[(node->trigger ? &g->node[node->parent] : node)->parent];
}
/* Calls for each mandatory node that a step from one node to another passes by. */
typedef void guide_missing_function(void *ctx, const struct guide_node *missing);
void guide_missing(const struct guide *guide, const struct guide_node *from, const struct guide_node *to,
                   guide_missing_function *function, void *ctx);
/* The first node that a path leads to (its loops, then the segment or loop at its end), from the loop `from` on. A loop
 * may go by the tag of its first segment, where no other node has it. NULL: none. The last step's qualifiers are not
 * looked at. */
const struct guide_node *guide_node_at(const struct guide *guide, const struct guide_node *from,
                                       const struct slice *tag, unsigned n);
/* The code list of a use; builds it when it was not needed before. NULL: none, or (complaints->nomem or false
 * entries) it could not be built. Thread-safe. */
struct codes *guide_codes(const struct guide *guide, struct element_use *use);
/* Is it in that list? The first codes asked for are looked for in the dictionary's text, and kept in use->list; the
 * list itself is built when there are more, or when one is not found. 1, 0, ERR_NOMEM. Thread-safe. */
int guide_has_code(const struct guide *guide, struct element_use *use, struct slice code);
/* The directory, above the guide's, whose list of the element has a code that the guide's has not: "d01b". Empty: none
 * has it, or the standard has no directories. False: memory is out. Thread-safe. */
bool guide_later_code(const struct guide *guide, struct element *element, struct slice code, struct slice *version_r);
/* Builds the lists of all elements that the guide uses and were not needed before: what is wrong in them is
 * complained of. False when something is. */
bool guide_check_codes(const struct guide *guide, struct complaints *complaints);
/* The name of a code, empty when it has none. */
struct slice codes_name(const struct codes *codes, struct slice code);

extern const struct codes codes_none;

static inline bool codes_has(const struct codes *c, uint64_t key)
{
    uint32_t i = (uint32_t)(key * CODES_MULTIPLIER >> c->shift);
    /* nearly always one of the first two: no branch between them, it could not be foreseen */
    if ((c->slot[i] == key) | (c->slot[i + 1] == key))
        return true;
    while (c->slot[i] != key) {
        if (c->slot[i] == 0)
            return false;
        i = (i + 1) & c->mask;
    }
    return true;
}

/* The number of a tag in guide->tag, -1: the guide has no such segment. */
static inline int guide_tag(const struct guide *g, uint32_t key)
{
    uint32_t i = (uint32_t)(key * 0x9E3779B1u) >> g->tag_shift;
    while (g->tag_slot[i] != key) {
        if (g->tag_slot[i] == 0)
            return -1;
        i = (i + 1) & g->tag_mask;
    }
    return g->tag_number[i];
}

#endif
