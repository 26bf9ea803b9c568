/* contrl: see contrl.h. */
#include "edi/contrl.h"

#include "edi/dialect.h"

/* Codes that CONTRL 2:2 and D:3 do not have, and what stands for them; NULL: nothing does. The others are those of
 * finding_rows. */
static const struct {
    enum finding_code finding;
    const char *before_4;
} codes[] = {
    { FINDING_ELEMENT_CONDITION, "13" }, { FINDING_ELEMENT_EXCLUSION, "15" }, { FINDING_ELEMENT_REPEATS, "16" },
    { FINDING_ELEMENT_TRAILING, NULL },  { FINDING_CHARSET_UNKNOWN, "2" },
};

static const char *code_of(const struct finding *f, bool version_4)
{
    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]) && !version_4; i++)
        if (codes[i].finding == f->code)
            return codes[i].before_4;
    return f->contrl ? f->contrl : finding_rows[f->code].contrl;
}

static bool is_service(struct slice tag, enum dialect_level level)
{
    return slice_is(tag, dialect_edifact.level[level].begin) || slice_is(tag, dialect_edifact.level[level].end);
}

/* Something known at the end only, as that a node's parent never came: no segment of the envelope is to blame. */
static bool is_about_whole(const struct finding *f)
{
    return finding_rows[f->code].level == LEVEL_ELEMENT && !f->place.element;
}

static enum finding_level level_of(const struct finding *f)
{
    enum finding_level level = finding_rows[f->code].level;

    /* told once for the interchange, and yet at its segment */
    if ((f->code == FINDING_TAG_CASE || f->code == FINDING_TAG_NESTING) && f->place.document)
        level = LEVEL_SEGMENT;
    if (level < LEVEL_SEGMENT)
        return level;
    if (!f->place.document)
        return f->place.interchange ? LEVEL_INTERCHANGE : LEVEL_FILE;
    if (is_about_whole(f) || ((!f->missing || f->place.element) && is_service(f->tag, DIALECT_DOCUMENT)))
        return LEVEL_DOCUMENT;
    return level;
}

bool contrl_note(const struct finding *f, bool version_4, struct contrl_note *note_r)
{
    static const enum dialect_level level[] = {
        [LEVEL_INTERCHANGE] = DIALECT_INTERCHANGE, [LEVEL_GROUP] = DIALECT_GROUP, [LEVEL_DOCUMENT] = DIALECT_DOCUMENT
    };

    *note_r = (struct contrl_note){ .level = level_of(f), .code = code_of(f, version_4) };
    if (!note_r->code || note_r->level == LEVEL_FILE)
        return false;
    note_r->segment = f->place.segment;
    if (note_r->level == LEVEL_SEGMENT && f->missing) {
        note_r->missing = true;
        note_r->segment -= note_r->segment > 1;
    }
    if (f->code == FINDING_UNA)
        note_r->service = SLICE("UNA");
    else if (note_r->level < LEVEL_SEGMENT && !is_about_whole(f) && is_service(f->tag, level[note_r->level]))
        note_r->service = f->tag;
    if (note_r->level == LEVEL_SEGMENT || !f->place.element || (note_r->level < LEVEL_SEGMENT && !note_r->service.n) ||
        f->code == FINDING_UNA)
        return true;
    note_r->element = f->place.element + 1;
    note_r->component = f->place.component;
    note_r->repetition = version_4 && f->place.repetition > 1 ? f->place.repetition : 0;
    return true;
}
