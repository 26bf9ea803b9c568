/*
 * dialect: where X12 and EDIFACT differ, as a table of facts and a few functions of their bytes. Whoever reads or
 * writes asks the table; there is no second reader. Constant, so anybody may hold a pointer to one; nothing is
 * allocated.
 */
#ifndef WAYBILL_EDI_DIALECT_H
#define WAYBILL_EDI_DIALECT_H

#include "edi/guide.h"
#include "edi/lexer.h"

struct edi_interchange;
struct edi_group;
struct edi_document;

/* What a segment is for the reader. */
enum dialect_role {
    ROLE_INNER,             /* any segment of a document */
    ROLE_INTERCHANGE,
    ROLE_INTERCHANGE_END,
    ROLE_GROUP,
    ROLE_GROUP_END,
    ROLE_DOCUMENT,
    ROLE_DOCUMENT_END,
    ROLE_BINARY,            /* its last element is binary, and its length stands before */
    ROLE_PACKAGE,           /* binary data follow it, its length stands in it */
    ROLE_BETWEEN            /* between interchange and group, or a document by itself */
};

enum dialect_level { DIALECT_INTERCHANGE, DIALECT_GROUP, DIALECT_DOCUMENT, DIALECT_LEVELS };

struct dialect_tag {
    char tag[4];
    uint8_t role;           /* enum dialect_role */
};

struct dialect {
    const char *standard;           /* the folder of its guides */
    const char *name;               /* for people */
    struct dialect_tag tag[12];     /* ends with an empty one */
    uint32_t first, second;         /* bit n: a tag with letter number n in first and second place may have a role */
    uint32_t key;                   /* the tag that begins an interchange, as such a number */
    uint32_t odd_tag;               /* bits of a tag's first four bytes, as a number, that no tag as it should be has */
    struct {
        const char *begin, *end;    /* tags */
        uint8_t control;            /* the element of the control number */
        const char *control_name;   /* "ST02" */
        uint8_t digits;             /* the least with which a control number that is counted is written */
    } level[DIALECT_LEVELS];
    bool groups;                    /* a document needs a group around it */
    const char *document, *documents;   /* "transaction set", "transaction sets" */
    const char *loop;               /* "loop", "group" */
    const char *bare;               /* what may begin an interchange's content besides group and document */
    uint8_t set, set_part;          /* the element of the header that names the set, and its component; 0: the element */
    const char *set_name;           /* "ST01" */
    const char *set_example;        /* "three digits, such as 850" */
    bool decimal_comma;             /* both comma and point are decimal marks */

    /* The facts of a kept segment's elements; the slices borrow from them. */
    void (*interchange_facts)(struct edi_interchange *i);
    void (*group_facts)(struct edi_group *g, const struct edi_interchange *i);
    /* element: those of the header; text: room for what must be put together. */
    void (*document_facts)(struct edi_document *d, const struct slice *element, unsigned flags, char *text, size_t room);
    /* The name of the version as our folders have it, from what interchange, group and document say; false: they name
     * none, then it is a usual one. */
    bool (*version)(const struct edi_document *d, char *name_r, size_t room);
    /* What guides_find() takes, from how partner files and records have it: "004010VICS"; "D.96A" with "EAN008". */
    struct slice (*folder)(struct slice version, struct slice association, char room[GUIDE_DIRECTORY]);
    /* Is the document's version that of the guide? */
    bool (*same_version)(const struct edi_document *d, const struct guide *guide);
    /* The document's version where it is later than the guide's; else empty. */
    struct slice (*later)(const struct edi_document *d, const struct guide *guide);
};

extern const struct dialect dialect_x12, dialect_edifact;

/* Whose a document type is, by its name: those of X12 have three characters (850, TA1), messages six. */
const struct dialect *dialect_of_set(struct slice set);
/* The dialect by the name of its standard: "x12", "edifact"; NULL: there is none. */
const struct dialect *dialect_named(struct slice standard);

enum dialect_role dialect_find_role(const struct dialect *d, uint32_t tag);

/* May a tag have a role? Most have none. tag: its bytes as a number, lowest first; 0 behind its end. */
static inline bool dialect_may_have_role(uint32_t first, uint32_t second, uint32_t tag)
{
    return first >> (tag & 31) & second >> (tag >> 8 & 31) & 1;
}

static inline enum dialect_role dialect_role(const struct dialect *d, uint32_t tag)
{
    return dialect_may_have_role(d->first, d->second, tag) ? dialect_find_role(d, tag) : ROLE_INNER;
}

#endif
