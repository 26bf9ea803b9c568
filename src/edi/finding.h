/*
 * finding: what is wrong (or odd) in a document, and everything there is to say about it.
 *
 * Every finding has a stable code: one row of the table in finding.c, from which come its name, the name that
 * `allow` takes, its severity by default and what it becomes in a 997 or TA1. Sources of the acknowledgment
 * codes: X12.20 / 997 and 999, data elements 720 (AK304), 723 (AK403), 718 (AK502), 716 (AK905), I18 (TA105).
 */
#ifndef WAYBILL_EDI_FINDING_H
#define WAYBILL_EDI_FINDING_H

#include "base/buf.h"

enum severity { SEVERITY_IGNORE, SEVERITY_WARNING, SEVERITY_ERROR };

/* Which level of the envelope a finding speaks of, and so which part of the acknowledgment. */
enum finding_level { LEVEL_FILE, LEVEL_INTERCHANGE, LEVEL_GROUP, LEVEL_DOCUMENT, LEVEL_SEGMENT, LEVEL_ELEMENT };

/* name, `allow` name or NULL, level, default severity, acknowledgment code or NULL, words, and what it is in EDIFACT: the
 * name behind EDIFACT- (NULL: the same), the syntax error code (0085) in a CONTRL or NULL */
#define FINDINGS(ROW) \
    /* elements: AK403 (723) */ \
    ROW(ELEMENT_MISSING, "X12-AK4-1", NULL, LEVEL_ELEMENT, SEVERITY_ERROR, "1", "a mandatory element is missing", "EDIFACT-UCD-13", "13") \
    ROW(ELEMENT_CONDITION, "X12-AK4-2", "missing-condition", LEVEL_ELEMENT, SEVERITY_ERROR, "2", "a conditionally required element is missing", "EDIFACT-UCD-48", "48") \
    ROW(ELEMENT_TOO_MANY, "X12-AK4-3", "too-many-elements", LEVEL_ELEMENT, SEVERITY_ERROR, "3", "there are more elements than the segment has", "EDIFACT-UCD-16", "16") \
    ROW(ELEMENT_SHORT, "X12-AK4-4", "short-elements", LEVEL_ELEMENT, SEVERITY_ERROR, "4", "an element is too short", "EDIFACT-UCD-40", "40") \
    ROW(ELEMENT_LONG, "X12-AK4-5", "long-elements", LEVEL_ELEMENT, SEVERITY_ERROR, "5", "an element is too long", "EDIFACT-UCD-39", "39") \
    ROW(ELEMENT_CHARACTER, "X12-AK4-6", NULL, LEVEL_ELEMENT, SEVERITY_ERROR, "6", "an element holds a character it may not hold", "EDIFACT-UCD-37", "37") \
    ROW(ELEMENT_CODE, "X12-AK4-7", "unknown-codes", LEVEL_ELEMENT, SEVERITY_ERROR, "7", "a code is not in its list", "EDIFACT-UCD-12", "12") \
    ROW(ELEMENT_DATE, "X12-AK4-8", NULL, LEVEL_ELEMENT, SEVERITY_ERROR, "8", "a date is not a date", "EDIFACT-UCD-12-DATE", "12") \
    ROW(ELEMENT_TIME, "X12-AK4-9", NULL, LEVEL_ELEMENT, SEVERITY_ERROR, "9", "a time is not a time", "EDIFACT-UCD-12-TIME", "12") \
    ROW(ELEMENT_EXCLUSION, "X12-AK4-10", "exclusion", LEVEL_ELEMENT, SEVERITY_ERROR, "10", "two elements exclude each other", "EDIFACT-UCD-48-EXCLUSION", "48") \
    ROW(ELEMENT_REPEATS, "X12-AK4-12", NULL, LEVEL_ELEMENT, SEVERITY_ERROR, "3", "an element repeats too often", "EDIFACT-UCD-35", "35") \
    ROW(ELEMENT_COMPONENTS, "X12-AK4-13", "components", LEVEL_ELEMENT, SEVERITY_ERROR, "3", "an element has too many components", "EDIFACT-UCD-16-COMPONENTS", "16") \
    ROW(ELEMENT_NOT_USED, "X12-AK4-I10", NULL, LEVEL_ELEMENT, SEVERITY_ERROR, "10", "the partner's guide does not use this element", "EDIFACT-UCD-15", "15") \
    ROW(ELEMENT_CHARSET, "CHARACTER-SET", "character-set", LEVEL_ELEMENT, SEVERITY_WARNING, "6", "a character outside the character set", NULL, "21") \
    ROW(ELEMENT_CENTURY, "DATE-CENTURY", "long-dates", LEVEL_ELEMENT, SEVERITY_WARNING, NULL, "a date of eight digits in a version whose dates have six", NULL, NULL) \
    ROW(ELEMENT_DATE_FORM, "DATE-FORM", "date-forms", LEVEL_ELEMENT, SEVERITY_WARNING, NULL, "a date with or without a time, unlike the form that 2379 names", NULL, "12") \
    ROW(DECIMAL_MARK, "DECIMAL-MARK", "decimal-mark", LEVEL_ELEMENT, SEVERITY_WARNING, NULL, "the other decimal mark than the interchange's", NULL, "19") \
    ROW(ELEMENT_TRAILING, "TRAILING-EMPTY", "trailing-empty", LEVEL_SEGMENT, SEVERITY_WARNING, "8", "empty elements at the end of a segment", NULL, "45") \
    /* segments: AK304 (720) */ \
    ROW(SEGMENT_UNKNOWN, "X12-AK3-1", "unknown-segments", LEVEL_SEGMENT, SEVERITY_ERROR, "1", "this is no segment of the standard", "EDIFACT-UCS-15-UNKNOWN", "15") \
    ROW(SEGMENT_UNEXPECTED, "X12-AK3-2", "unexpected-segments", LEVEL_SEGMENT, SEVERITY_ERROR, "2", "the segment is not expected here", "EDIFACT-UCS-15", "15") \
    ROW(SEGMENT_MISSING, "X12-AK3-3", "missing-segments", LEVEL_SEGMENT, SEVERITY_ERROR, "3", "a mandatory segment is missing", "EDIFACT-UCS-13", "13") \
    ROW(LOOP_OVER_MAX, "X12-AK3-4", "over-max", LEVEL_SEGMENT, SEVERITY_ERROR, "4", "a loop occurs too often", "EDIFACT-UCS-36", "36") \
    ROW(SEGMENT_OVER_MAX, "X12-AK3-5", "over-max", LEVEL_SEGMENT, SEVERITY_ERROR, "5", "a segment occurs too often", "EDIFACT-UCS-35", "35") \
    ROW(SEGMENT_NOT_IN_SET, "X12-AK3-6", "unexpected-segments", LEVEL_SEGMENT, SEVERITY_ERROR, "6", "the segment does not belong to this transaction set or message", "EDIFACT-UCS-15-MESSAGE", "15") \
    ROW(SEGMENT_SEQUENCE, "X12-AK3-7", "unexpected-segments", LEVEL_SEGMENT, SEVERITY_ERROR, "7", "the segment is out of sequence", "EDIFACT-UCS-15-SEQUENCE", "15") \
    ROW(SEGMENT_NOT_USED, "X12-AK3-I6", NULL, LEVEL_SEGMENT, SEVERITY_ERROR, "2", "the partner's guide does not use this segment", "EDIFACT-UCS-15-NOT-USED", "15") \
    ROW(SEGMENT_COUNT, "WRONG-COUNT", "wrong-counts", LEVEL_SEGMENT, SEVERITY_WARNING, NULL, "a total does not agree with what was counted", NULL, NULL) \
    ROW(NODE_NUMBER, "NODE-NUMBER", "node-numbers", LEVEL_ELEMENT, SEVERITY_WARNING, NULL, "a node of a hierarchy is not called by its running number", NULL, NULL) \
    ROW(NODE_CHILDREN, "NODE-CHILDREN", "node-children", LEVEL_ELEMENT, SEVERITY_WARNING, NULL, "a node of a hierarchy says otherwise than it is whether there are nodes below it", NULL, NULL) \
    ROW(NODE_TWICE, "NODE-TWICE", "node-numbers", LEVEL_ELEMENT, SEVERITY_ERROR, "7", "two nodes of a hierarchy are called the same", NULL, "12") \
    ROW(NODE_PARENT, "NODE-PARENT", "node-parents", LEVEL_ELEMENT, SEVERITY_ERROR, "7", "a node of a hierarchy names no node before it as its parent", NULL, "12") \
    /* transaction sets: AK502 (718) */ \
    ROW(SET_UNSUPPORTED, "X12-AK5-1", NULL, LEVEL_DOCUMENT, SEVERITY_ERROR, "1", "there is no guide for this transaction set or message", "EDIFACT-UCM-14", "14") \
    ROW(SET_TRAILER, "X12-AK5-2", NULL, LEVEL_DOCUMENT, SEVERITY_ERROR, "2", "the SE or UNT segment is missing", "EDIFACT-UCM-13", "13") \
    ROW(SET_CONTROL, "X12-AK5-3", "wrong-references", LEVEL_DOCUMENT, SEVERITY_WARNING, "3", "SE02 is not ST02, or UNT02 not UNH01", "EDIFACT-UCM-28", "28") \
    ROW(SET_COUNT, "X12-AK5-4", "wrong-counts", LEVEL_DOCUMENT, SEVERITY_WARNING, "4", "SE01 or UNT01 does not agree with the number of segments", "EDIFACT-UCM-29", "29") \
    ROW(SET_ID, "X12-AK5-6", NULL, LEVEL_DOCUMENT, SEVERITY_ERROR, "6", "ST01 or UNH02 is missing or invalid", "EDIFACT-UCM-12", "12") \
    ROW(SET_NUMBER, "X12-AK5-7", "wrong-references", LEVEL_DOCUMENT, SEVERITY_WARNING, "7", "ST02 or UNH01 is missing or invalid", "EDIFACT-UCM-13-REFERENCE", "13") \
    ROW(SET_DUPLICATE, "X12-AK5-23", "wrong-references", LEVEL_DOCUMENT, SEVERITY_WARNING, "23", "ST02 occurs twice in the group, or UNH01 in the interchange", "EDIFACT-UCM-26", "26") \
    ROW(SET_GROUP, "X12-AK5-I1", NULL, LEVEL_DOCUMENT, SEVERITY_WARNING, "6", "the set does not belong in a group of this kind", "EDIFACT-UCM-31", "31") \
    ROW(SET_OUTSIDE, "SET-OUTSIDE-GROUP", "missing-envelopes", LEVEL_DOCUMENT, SEVERITY_WARNING, "7", "a transaction set outside a functional group, or a message among groups", NULL, "30") \
    ROW(VERSION_SUBSTITUTED, "VERSION-SUBSTITUTED", "version", LEVEL_DOCUMENT, SEVERITY_WARNING, NULL, "read with the guide of another version", NULL, NULL) \
    ROW(VERSION_LATER, "VERSION-LATER", "version", LEVEL_ELEMENT, SEVERITY_WARNING, NULL, "the guide of a lower version does not know this; a later one may", NULL, NULL) \
    /* groups: AK905 (716) */ \
    ROW(GROUP_TRAILER, "X12-AK9-3", "missing-trailers", LEVEL_GROUP, SEVERITY_WARNING, "3", "the GE or UNE segment is missing", "EDIFACT-UCF-13", "13") \
    ROW(GROUP_CONTROL, "X12-AK9-4", "wrong-references", LEVEL_GROUP, SEVERITY_WARNING, "4", "GE02 is not GS06, or UNE02 not UNG05", "EDIFACT-UCF-28", "28") \
    ROW(GROUP_DUPLICATE, "GROUP-DUPLICATE", "wrong-references", LEVEL_GROUP, SEVERITY_WARNING, NULL, "GS06 or UNG05 occurs twice in the interchange", NULL, "26") \
    ROW(GROUP_COUNT, "X12-AK9-5", "wrong-counts", LEVEL_GROUP, SEVERITY_WARNING, "5", "GE01 or UNE01 does not agree with the number of transaction sets or messages", "EDIFACT-UCF-29", "29") \
    ROW(GROUP_SYNTAX, "GROUP-CONTENT", "envelope-content", LEVEL_GROUP, SEVERITY_WARNING, "6", "an element of GS, GE, UNG or UNE is wrong", NULL, "12") \
    ROW(GROUP_OUTSIDE, "GROUP-OUTSIDE-INTERCHANGE", "missing-envelopes", LEVEL_GROUP, SEVERITY_WARNING, "3", "a group outside an interchange", NULL, "33") \
    /* interchanges: TA105 (I18) */ \
    ROW(INTERCHANGE_TRAILER, "X12-TA1-023", "missing-trailers", LEVEL_INTERCHANGE, SEVERITY_WARNING, "023", "the file ends before the IEA or UNZ segment", "EDIFACT-UCI-13", "13") \
    ROW(INTERCHANGE_CONTROL, "X12-TA1-001", "wrong-references", LEVEL_INTERCHANGE, SEVERITY_WARNING, "001", "IEA02 is not ISA13, or UNZ02 not UNB05", "EDIFACT-UCI-28", "28") \
    ROW(INTERCHANGE_DUPLICATE, "X12-TA1-025", "wrong-references", LEVEL_INTERCHANGE, SEVERITY_WARNING, "025", "ISA13 or UNB05 occurs twice for the same sender and receiver", "EDIFACT-UCI-26", "26") \
    ROW(INTERCHANGE_SENDER, "X12-TA1-006", "other-partner", LEVEL_INTERCHANGE, SEVERITY_ERROR, "006", "the sender is not the one that the partner file names", "EDIFACT-UCI-23", "23") \
    ROW(INTERCHANGE_RECEIVER, "X12-TA1-008", "other-partner", LEVEL_INTERCHANGE, SEVERITY_ERROR, "008", "the receiver is not the one that the partner file names", "EDIFACT-UCI-7", "7") \
    ROW(INTERCHANGE_COUNT, "X12-TA1-021", "wrong-counts", LEVEL_INTERCHANGE, SEVERITY_WARNING, "021", "IEA01 or UNZ01 does not agree with the number of groups or messages", "EDIFACT-UCI-29", "29") \
    ROW(INTERCHANGE_CONTENT, "X12-TA1-024", "envelope-content", LEVEL_INTERCHANGE, SEVERITY_WARNING, "024", "an element of ISA, IEA, UNB or UNZ is wrong", "EDIFACT-UCI-12", "12") \
    ROW(INTERCHANGE_STRUCTURE, "X12-TA1-022", NULL, LEVEL_INTERCHANGE, SEVERITY_ERROR, "022", "the control structure is wrong", "EDIFACT-UCI-33", "33") \
    ROW(INTERCHANGE_ELEMENT_SEPARATOR, "X12-TA1-026", NULL, LEVEL_INTERCHANGE, SEVERITY_ERROR, "026", "the element separator cannot be used", "EDIFACT-UCI-22", "22") \
    ROW(INTERCHANGE_COMPONENT_SEPARATOR, "X12-TA1-027", "separators", LEVEL_INTERCHANGE, SEVERITY_WARNING, "027", "the component separator cannot be used", "EDIFACT-UCI-22-COMPONENT", "22") \
    ROW(ISA_SHORT, "ISA-SHORT", "short-isa", LEVEL_INTERCHANGE, SEVERITY_WARNING, "024", "the ISA is not of fixed length", NULL, NULL) \
    ROW(ISA_LONG, "ISA-LONG", "short-isa", LEVEL_INTERCHANGE, SEVERITY_WARNING, "024", "the ISA is not of fixed length", NULL, NULL) \
    ROW(UNA, "UNA", "una", LEVEL_INTERCHANGE, SEVERITY_WARNING, NULL, "the UNA is not as it should be", NULL, "22") \
    ROW(SYNTAX_VERSION, "SYNTAX-VERSION", "syntax-version", LEVEL_INTERCHANGE, SEVERITY_WARNING, NULL, "a version of the syntax that there is not", NULL, "2") \
    ROW(CHARSET_UNKNOWN, "CHARACTER-SET-UNKNOWN", "character-set", LEVEL_INTERCHANGE, SEVERITY_WARNING, NULL, "the character set is not known", NULL, "46") \
    ROW(CHARSET_OTHER, "CHARACTER-SET-OTHER", "character-set", LEVEL_INTERCHANGE, SEVERITY_WARNING, NULL, "the text is in another character set than the interchange says", NULL, "21") \
    ROW(TAG_CASE, "TAG-CASE", "tags", LEVEL_INTERCHANGE, SEVERITY_WARNING, NULL, "a tag in small letters", NULL, "21") \
    ROW(TAG_NESTING, "TAG-NESTING", "tags", LEVEL_INTERCHANGE, SEVERITY_WARNING, NULL, "a tag with the numbers of its nesting", NULL, "34") \
    /* the file */ \
    ROW(FILE_BOM, "BYTE-ORDER-MARK", "bom", LEVEL_FILE, SEVERITY_WARNING, NULL, "a byte order mark before the interchange", NULL, NULL) \
    ROW(FILE_LAST_TERMINATOR, "NO-LAST-TERMINATOR", "last-terminator", LEVEL_FILE, SEVERITY_WARNING, NULL, "the last segment has no terminator", NULL, NULL) \
    ROW(FILE_BLANKS, "STRAY-BLANKS", "stray-blanks", LEVEL_FILE, SEVERITY_WARNING, NULL, "blanks or tabs between segments", NULL, NULL) \
    ROW(FILE_EMPTY_SEGMENT, "EMPTY-SEGMENT", "stray-blanks", LEVEL_FILE, SEVERITY_WARNING, NULL, "an empty segment", NULL, NULL) \
    ROW(TERMINATOR_MISSING, "NO-TERMINATOR", "missing-terminators", LEVEL_SEGMENT, SEVERITY_WARNING, NULL, "a line break stands where a segment terminator belongs", NULL, NULL) \
    ROW(FILE_LINE_BREAK, "LINE-BREAK-IN-ELEMENT", "stray-blanks", LEVEL_ELEMENT, SEVERITY_WARNING, NULL, "a line break inside an element", NULL, NULL) \
    ROW(FILE_GARBAGE, "NOT-EDI", NULL, LEVEL_FILE, SEVERITY_ERROR, NULL, "bytes that belong to no interchange", NULL, NULL) \
    ROW(FILE_EMPTY, "NO-INTERCHANGE", NULL, LEVEL_FILE, SEVERITY_ERROR, NULL, "there is no interchange", NULL, NULL) \
    ROW(FILE_TRUNCATED, "TRUNCATED", NULL, LEVEL_FILE, SEVERITY_ERROR, NULL, "the file ends inside a segment", NULL, NULL) \
    ROW(SEGMENT_TOO_LARGE, "SEGMENT-TOO-LARGE", NULL, LEVEL_FILE, SEVERITY_ERROR, NULL, "a segment has no end", NULL, NULL) \
    ROW(BINARY_LENGTH, "BINARY-LENGTH", NULL, LEVEL_SEGMENT, SEVERITY_ERROR, "8", "the length of a binary segment is wrong", NULL, "29") \
    ROW(PACKAGE, "PACKAGE", "packages", LEVEL_INTERCHANGE, SEVERITY_WARNING, NULL, "a package (UNO, UNP): its object is in no record, and is not written again", NULL, NULL) \
    /* maps */ \
    ROW(MAP_VALUE, "MAP-VALUE", NULL, LEVEL_ELEMENT, SEVERITY_ERROR, NULL, "a value cannot be mapped", NULL, NULL) \
    ROW(MAP_MISSING, "NO-MAP", NULL, LEVEL_DOCUMENT, SEVERITY_ERROR, NULL, "there is no map for the transaction set or message", NULL, NULL) \
    ROW(RECORD_MISSING, "RECORD-MISSING", "missing-fields", LEVEL_DOCUMENT, SEVERITY_WARNING, NULL, "a record lacks what each of its kind must have: it is read, and cannot be written", NULL, NULL) \
    ROW(MAP_LEFT_OUT, "MAP-LEFT-OUT", "loss", LEVEL_SEGMENT, SEVERITY_ERROR, NULL, "what is written has no place for a value; allowed, the segment that it would stand in is left out", NULL, NULL) \
    ROW(MAP_CHECK, "MAP-CHECK", "wrong-counts", LEVEL_DOCUMENT, SEVERITY_WARNING, NULL, "a computed value does not agree", NULL, NULL)

enum finding_code {
#define ROW(id, name, allow, level, severity, ack, words, edifact, contrl) FINDING_##id,
    FINDINGS(ROW)
#undef ROW
        FINDING_CODES
};

struct finding_row {
    const char *name;           /* stable */
    const char *allow;          /* what `allow` calls it; NULL: cannot be allowed */
    enum finding_level level;
    enum severity severity;     /* by default */
    const char *acknowledgment; /* AK304, AK403, AK502, AK905 or TA105, by level */
    const char *words;
    const char *edifact;        /* the name in EDIFACT; NULL: the same */
    const char *contrl;         /* 0085 of a CONTRL, or NULL */
};

extern const struct finding_row finding_rows[FINDING_CODES];

struct dialect;

/* The stable code of a finding in a document of that dialect; NULL: X12. */
const char *finding_name(enum finding_code code, const struct dialect *dialect);
/* And what the acknowledgment calls it; NULL: it has no word for it. */
const char *finding_acknowledged(enum finding_code code, const struct dialect *dialect);

/* The severities in force, one a code. */
struct finding_policy {
    uint8_t severity[FINDING_CODES];
};

void finding_policy_init(struct finding_policy *p);
/* Makes everything that `name` allows (an `allow` name, or the stable code of one that has an `allow` name) a
 * warning. False: no such name, or what it names cannot be allowed. */
bool finding_policy_allow(struct finding_policy *p, struct slice name);
/* The opposite: everything of that name is an error. `all` makes every warning an error. */
bool finding_policy_refuse(struct finding_policy *p, struct slice name);

/* Where in the file, the interchange and the document. Numbers from 1; 0: does not apply. */
struct edi_place {
    uint64_t offset;            /* of the segment's first byte in the file */
    uint64_t line;              /* of that byte */
    uint64_t column;            /* of that byte in its line, in bytes, from 1 */
    uint64_t interchange;       /* which in the file */
    uint64_t group;             /* which in the interchange */
    uint64_t document;          /* which in the file */
    uint64_t segment;           /* which in its document: ST is 1, as AK302 counts */
    unsigned element;
    unsigned component;
    unsigned repetition;        /* of a repeating element, from 1 */
};

/* One finding. All slices are valid only during the call that hands it over. */
struct finding {
    enum finding_code code;
    enum severity severity;
    struct edi_place place;
    struct slice set;           /* "850" */
    struct slice control;       /* ST02, GS06 or ISA13, by level */
    struct slice tag;           /* the segment's, for instance PO1; for a missing segment the missing one's */
    struct slice loop;          /* the guide's loop around it, may be empty: AK303 */
    struct slice segment;       /* the segment's bytes without terminator; may be empty */
    uint32_t at;                /* what is meant inside `segment`: offset and length */
    uint32_t width;
    struct slice element_id;    /* data element reference number: AK402 */
    struct slice element_name;
    struct slice value;         /* the bad bytes themselves (AK404); may be empty */
    const char *found;          /* words, never partner bytes unless sanitised */
    const char *expected;       /* words, "" when there is nothing to say */
    bool missing;               /* the finding is about something absent */
    bool answers;               /* it is about an acknowledgment, which nobody acknowledges */
    bool syntax_4;              /* of an interchange of EDIFACT in version 4 of the syntax */
    const char *contrl;         /* 0085 of a CONTRL, where it says more than that of the row; NULL: it is that */
    const struct dialect *dialect;  /* of the document; NULL: X12 */
    char terminator;            /* the segment's, shown behind it; 0: not known or not shown */
    char component, repetition; /* separators that the acknowledgment has, too; 0: none, or not known */
};

/* The finding in one sentence, without the place in the file: SUBJECT: "VALUE" FOUND (expected EXPECTED). SUBJECT is
 * the element ("PO102 Quantity Ordered") or the segment; VALUE comes from `value` unless `found` opens with a quote;
 * an expectation that is just a type ("R 1/15") stands in parentheses alone. Partner bytes are made safe. */
void finding_message(const struct finding *f, struct buf *out);
/* How it is shown to a person (several lines, ends in a newline) and as one JSON object (one line). `file` is
 * the input's name. Colour: ANSI, only for terminals. */
void finding_text(const struct finding *f, struct slice file, bool colour, struct buf *out);
void finding_json(const struct finding *f, struct slice file, struct buf *out);
/* The AK3 and AK4 words a 997 will hold for it, "AK3*PO1*8*PO1*8  AK4*2*330*6*ten"; nothing when there are none. */
void finding_acknowledgment(const struct finding *f, struct buf *out);

#endif
