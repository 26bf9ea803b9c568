/*
 * reader_inside: what the files of the reader share: reader.c (the buffer, and what callers see), reader_syntax.c
 * (where an interchange begins), reader_walk.c (segment by segment), reader_envelope.c and reader_document.c (what
 * begins and ends), reader_findings.c (places, and findings as they are handed over), reader_rewrite.c (segments
 * without release characters, in UTF-8), runs.c (documents for other readers). Nobody else includes it.
 *
 * The reader owns its buffer, its index and its numbers; edi_reader_free() frees them. While it reads a run, `buf` is
 * the run's. Slices of the interchange and the group lie in `in`, those of the document in `document_text`.
 */
#ifndef WAYBILL_EDI_READER_INSIDE_H
#define WAYBILL_EDI_READER_INSIDE_H

#include "base/limits.h"
#include "edi/check.h"
#include "edi/delimiters.h"
#include "edi/dialect.h"
#include "edi/numbers.h"
#include "edi/reader.h"
#include "edi/rewrite.h"

enum { SETS_SEEN = 8, SEGMENTS_MISSED = 8 };
enum {
    PADDING = 64,
    FIRST_ROOM = 2 * LIMIT_CHUNK,
    RUN_BYTES = 32 << 10,
    WALK_BYTES = 32 << 10,
    ENVELOPE_TEXT = EDI_ENVELOPE_TEXT,
    CACHED_GUIDES = 8,
    ISA_LENGTH = 106
};
enum level { OUTSIDE, IN_INTERCHANGE, IN_GROUP, IN_DOCUMENT };

#define MOST_BINARY ((uint64_t)1 << 50)    /* bytes that the length of binary data may claim */

struct cached_guide {
    const struct guide *guide;
    const struct dialect *dialect;
    char version[32], set[16];
};

/* What is told once, however many segments have it. */
struct told {
    bool nesting, small_letters, charset, lacking, lines;
};

struct edi_reader {
    struct edi_reader_options options;
    struct edi_sink sink;
    struct err *err;                /* of the call at hand */
    int stopped;

    char *buf;                      /* room + PADDING bytes */
    size_t room, n;                 /* filled */
    size_t from;                    /* everything before it is done */
    uint64_t base_offset, base_line, line_start;   /* of buf[0]; line_start: where its line starts in the file */
    struct {
        uint64_t offset, line, line_start;
    } known;                        /* the place that was told last: later ones are counted from there */
    uint64_t skip;                  /* bytes of a binary element still to be dropped */
    bool skip_terminator;           /* and the terminator behind them */
    bool deaf;                      /* what follows cannot be read any more */
    bool started;                   /* something other than blanks was seen */
    bool garbage;                   /* looks for the next ISA behind bytes that belong to no interchange */
    bool garbage_told, blanks_told, empty_told;

    lexer_function *lex;
    struct lexer_index index;
    const struct dialect *dialect;  /* of the interchange at hand */
    struct edi_syntax syntax;
    bool has_syntax;
    uint64_t syntax_at;             /* the place in the file where it was found */
    bool isa_irregular;             /* the ISA at hand is not of fixed length */
    uint64_t una_at;                /* where the UNA stands that the next UNB belongs to */
    struct edi_una una;             /* what was found there */
    bool has_page;                  /* bytes from A0 on are characters of `page` */
    uint16_t page[CHARSET_PAGE];
    unsigned rewrite;               /* flags of segments that are looked at more closely before they are handed out */
    struct rewritten copy;
    struct segment_parts parts;     /* of the segment at hand */
    bool package;                   /* a UNP is to come */
    uint64_t package_length;
    char package_reference[35];     /* UNO01, as far as 0800 goes */
    unsigned char package_reference_n;
    struct told told_around, told_inside;   /* of this interchange's envelopes, of document number told_document */
    uint64_t told_document;

    bool alone;                     /* the next document is not handed over */
    size_t blank_at, empty_at;      /* where the documents being split have their first blanks, empty segment */
    bool joined;                    /* reads runs of another reader, which looks after control numbers */
    bool duplicate, new_set;        /* what that one says of the next ST */
    uint64_t set_seen[SETS_SEEN];   /* sets that the group had, as slice_key() */
    unsigned n_sets_seen;

    enum level level;
    struct edi_context in;          /* interchange, group, and the guide of their segments */
    struct edi_document document;
    struct edi_group no_group;      /* what a bare document is in */
    uint64_t missed[SEGMENTS_MISSED]; /* tags of segments that were told to be missing, as slice_key() */
    unsigned n_missed;
    uint64_t told, told_segment;    /* elements of a segment that errors were told of */
    char document_text[ENVELOPE_TEXT], version_text[64];
    struct numbers numbers;         /* ST02 seen in the group */
    struct numbers group_numbers;   /* GS06 seen in the interchange */
    struct numbers interchange_numbers; /* ISA13 seen in the file, with sender and receiver: hashes */
    struct cached_guide cached[CACHED_GUIDES];
    unsigned next_cached;

    struct checker checker;         /* of the document */
    /* UNH and UNT of syntax version 4 hold more than those of the messages' guides, which are of version 3: how much
     * may be in them, the syntax says. */
    enum { SERVICE_NONE, SERVICE_BY_GUIDE, SERVICE_BY_SYNTAX } service;
    struct checker outside;         /* of envelope segments */
    enum finding_code outside_code;
};

/* ---- reader.c ---- */

/* A segment that nobody can mean: nothing more is read. */
void reader_too_large(struct edi_reader *r, const char *found, const char *expected);

/* ---- reader_syntax.c ---- */

/* Looks for the next interchange from r->from on, and its delimiters. */
enum found reader_find_syntax(struct edi_reader *r, bool last);
/* Another interchange begins: are the delimiters in force its own, too? */
bool reader_same_syntax(const struct edi_reader *r, const struct segment *s, bool last);
/* Does an interchange of the other dialect begin at p, or a UNA, where a segment of this one belongs? */
enum found reader_begins_other(const struct edi_reader *r, const char *p, bool last);
/* A UNA behind an interchange, and it says what is in force already: the walk goes on. */
bool reader_pass_una(struct edi_reader *r, const struct segment *s, bool last);

/* ---- reader_envelope.c ---- */

/* Holds a segment of the envelopes against their guide. */
void reader_check_envelope(struct edi_reader *r, const struct segment *s, enum finding_code code);
/* Keeps a segment's text and its first `most` elements beyond the block's life. Returns how many of them it has. */
unsigned reader_keep_elements(const struct segment *s, char *text, struct slice *element, unsigned most);
/* A header or trailer that is missing on that level is told. */
void reader_find_no_trailer(struct edi_reader *r, enum finding_code code, enum dialect_level level);
int reader_find_no_header(struct edi_reader *r, const struct segment *s, enum dialect_level level);
/* What a trailer says against what was read. */
void reader_compare_count(struct edi_reader *r, const struct segment *s, unsigned element, uint64_t counted,
                          enum finding_code code, const char *what);
void reader_compare_control(struct edi_reader *r, const struct segment *s, unsigned element, struct slice control,
                            enum finding_code code, const char *what);
/* s: its ISA or UNB, its GS or UNG; NULL: there is none, but it is opened all the same. */
int reader_open_interchange(struct edi_reader *r, const struct segment *s);
int reader_open_group(struct edi_reader *r, const struct segment *s);
int reader_close_interchange_early(struct edi_reader *r);
int reader_take_interchange(struct edi_reader *r, const struct segment *s);
int reader_take_interchange_end(struct edi_reader *r, const struct segment *s);
int reader_take_group(struct edi_reader *r, const struct segment *s);
int reader_take_group_end(struct edi_reader *r, const struct segment *s);

/* ---- reader_document.c ---- */

/* A document needs a group around it: when there is none, one is implied (true). The document before it ends. */
bool reader_open_for_document(struct edi_reader *r);
int reader_take_document(struct edi_reader *r, const struct segment *s);
int reader_take_document_end(struct edi_reader *r, const struct segment *s);
/* The document ends without its trailer. */
int reader_close_document_early(struct edi_reader *r);
/* A segment that is in no document. */
int reader_take_outside(struct edi_reader *r, const struct segment *s);
/* Is this the first document of its set in the group? */
bool reader_is_new_set(struct edi_reader *r, struct slice set);

/* ---- reader_walk.c ---- */

/* WALK_DOCUMENTS: at r->from begins one that may be handed over */
enum walk { WALK_DONE, WALK_AGAIN, WALK_MORE, WALK_DOCUMENTS };

/* Walks the segments of the block that starts at r->from. Leaves r->from behind what is done. */
enum walk reader_walk(struct edi_reader *r, bool last);
/* A segment of the document at hand. */
int reader_take_segment(struct edi_reader *r, const struct segment *s);

/* ---- reader_findings.c ---- */

/* How many line breaks are there? */
uint64_t reader_count_lines(const char *p, size_t n);
/* The place of a segment; NULL: of what comes next. */
void reader_place(struct edi_reader *r, const struct segment *s, struct edi_place *place);
/* Ends all reading with that code, unless another came before. Returns the one that counts. */
int reader_stop(struct edi_reader *r, int code);
/* Fills in what every finding has and hands it over. `at` and `width` of the element are set here. */
int reader_hand_over(struct edi_reader *r, const struct segment *s, struct finding *f);
/* Hands over a finding of its own words. */
int reader_find(struct edi_reader *r, enum finding_code code, const struct segment *s, unsigned element,
                const char *found, const char *expected);
/* What the sink answered: a negative code ends all reading. */
static inline int reader_call(struct edi_reader *r, int answer)
{
    return answer < 0 ? reader_stop(r, answer) : r->stopped;
}
/* A finding about a component; 0: about an element. */
int reader_find_part(struct edi_reader *r, enum finding_code code, const struct segment *s, unsigned element,
                     unsigned component, const char *found, const char *expected);
/* Partner bytes, made safe, as a C string. */
void reader_safe_text(struct edi_reader *r, struct slice s, size_t most, char *out, size_t room);
/* What the checker says of a document becomes a finding. */
int reader_document_remark(void *ctx, const struct segment *s, const struct remark *m);
/* What is wrong in an ISA or GS is a finding of the interchange or the group. */
int reader_envelope_remark(void *ctx, const struct segment *s, const struct remark *m);

/* ---- reader_rewrite.c ---- */

/* A segment that cannot be handed out as it stands: released characters, bytes of another character set, a tag in small
 * letters or with the numbers of its nesting. Returns the copy, or the segment itself when nothing is odd about it;
 * NULL when memory is out (the reader is stopped). */
const struct segment *reader_rewrite(struct edi_reader *r, const struct segment *s);
static inline const struct segment *reader_readable(struct edi_reader *r, const struct segment *s)
{
    return s->flags & r->rewrite ? reader_rewrite(r, s) : s;
}
/* The tag's first four bytes as a number; of a tag that is odd as it should be. */
uint32_t reader_mend_tag(const struct edi_reader *r, const struct segment *s, uint32_t tag);
/* Sets what must be looked at in the interchange at hand. */
void reader_set_rewriting(struct edi_reader *r);
/* Of an interchange of level A or B: is there a character in these bytes that its set lacks? */
bool reader_lacks(const struct edi_reader *r, const char *p, size_t n);
/* Tells of the first such character of a document; true: it was told, now or before. */
bool reader_tell_lacking(struct edi_reader *r, const struct segment *s);
/* Was it told of the document at hand? */
bool reader_told_lacking(const struct edi_reader *r);
/* The value of a copy's element or part of it as it stands in the buffer. */
struct slice reader_original(const struct edi_reader *r, const struct segment *s, struct slice value);

/* ---- runs.c ---- */

/* Hands over the documents that start at r->from. WALK_AGAIN: something else follows them, or the first one is not to
 * be handed over (r->alone). */
enum walk runs_split(struct edi_reader *r, bool last);
/* This reader goes on by itself: what was handed over comes first. Of a reader that hands nothing over: nothing. */
int runs_settle(struct edi_reader *r);

#endif
