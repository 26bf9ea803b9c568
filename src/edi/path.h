/*
 * path: how people name a place in a document, in maps and in partners' guides.
 *
 *     BEG03   REF[IA].REF02   MEA[01=PD 02=WD].MEA03   N1[ST]   PO1/PID[F].PID05   REF04-2
 *     (DTM02 DTM03 DTM04)   DTM[010].(DTM02 DTM03)   PO106..PO125   MSG01..   N3.(N301 N302)..
 *     BGM.1004   NAD[BY].C082.3039   SG25.PIA[5].C212   COM[01-2=TE].3148   RFF[C506.1153=ON].1154
 *
 * EDIFACT's elements and composites may go by their own numbers: the first of that number in the segment is meant.
 * Which that is path_resolve() says when the segment is known.
 *
 * A path is read from words that may be split by blanks inside ( ) and [ ]; it says nothing yet of whether
 * a guide knows the names. "/" or "." stand between loops and segments.
 */
#ifndef WAYBILL_EDI_PATH_H
#define WAYBILL_EDI_PATH_H

#include "base/lines.h"
#include "edi/guide.h"

enum { PATH_STEPS = 6, PATH_SELECTS = 2, PATH_ELEMENTS = 40, PATH_NUMBERS = 4 };

/* A composite, an element in it, or an element wherever it stands: "C082", "3039". */
struct path_number {
    struct slice composite, element;
};

struct path_select {
    struct slice value;
    uint8_t element;        /* 0: the segment's default qualifier */
    uint8_t component;      /* 0: the element itself, or its first component */
    uint8_t number;         /* 1 + index in path.number; 0: none, or resolved */
};

struct path_step {
    struct slice tag;
    struct path_select select[PATH_SELECTS];
    unsigned n_selects;
};

struct path_element {
    uint8_t element;        /* from 1 */
    uint8_t component;      /* 0: the element itself */
    uint8_t number;         /* as in path_select */
};

struct path {
    struct path_step *step;                 /* the last one is the segment or loop meant */
    struct path_element *element;
    struct path_number *number;
    uint8_t n_steps;
    uint8_t n_elements;                     /* 0: the segment or loop itself */
    uint8_t n_numbers;
    bool open;                              /* ".." behind it */
    bool range;                             /* PO106..PO125, W0104..W0107 W0115..W0116: elements holds all of them */
    unsigned first_word, n_words;           /* of the line */
};

/* Reads a path from word *at of a line on and moves *at behind it; its parts lie in the arena of `lines`. False:
 * complained, and the path is what could be read of it; or memory is out. */
bool path_read(const struct lines *lines, const struct line *line, unsigned *at, struct path *path_r);
/* The first place of a number in a segment; a component of 0: the element itself. False: there is none. */
bool path_find_number(const struct segment_def *def, const struct path_number *number, uint8_t *element_r,
                      uint8_t *component_r);
/* Makes positions of numbers. False: complained, the segment has no such element. */
bool path_resolve(const struct lines *lines, const struct line *line, struct path *path, const struct segment_def *def);
bool path_resolve_select(const struct lines *lines, const struct line *line, const struct path *path,
                         struct path_select *select, const struct segment_def *def);
/* Splits "PO106" into tag and number; false when it names no element. */
bool path_split_element(struct slice word, struct slice *tag_r, unsigned *number_r);

#endif
