/*
 * dialect: see dialect.h.
 *
 * Sources: X12.5 (interchange control structures), X12.22 (segments); ISO 9735 versions 1 to 3, ISO 9735-1 and -8
 * version 4 (service segments, packages).
 */
#include "edi/dialect.h"

#include <stdio.h>

#include "edi/check.h"
#include "edi/reader.h"

#define KEY(a, b, c) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16)
#define LETTER(c) (1u << ((c) & 31))

enum dialect_role dialect_find_role(const struct dialect *d, uint32_t tag)
{
    for (const struct dialect_tag *t = d->tag; t->tag[0]; t++) {
        uint32_t key;
        memcpy(&key, t->tag, 4);
        if (key == tag)
            return t->role;
    }
    return ROLE_INNER;
}

const struct dialect *dialect_of_set(struct slice set)
{
    return set.n == 3 ? &dialect_x12 : &dialect_edifact;
}

const struct dialect *dialect_named(struct slice standard)
{
    static const struct dialect *const dialects[] = { &dialect_x12, &dialect_edifact };

    for (unsigned i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++)
        if (slice_is(standard, dialects[i]->standard))
            return dialects[i];
    return NULL;
}

/* Each document says its version. */
static void put_name(struct slice name, char *name_r, size_t room)
{
    size_t n = name.n < room - 1 ? name.n : room - 1;
    memcpy(name_r, name.p, n);
    name_r[n] = 0;
}

/* ---- X12 ---- */

static void x12_interchange(struct edi_interchange *i)
{
    const struct slice *e = i->element;
    i->sender_qualifier = slice_trim(e[5]);
    i->sender = slice_trim(e[6]);
    i->receiver_qualifier = slice_trim(e[7]);
    i->receiver = slice_trim(e[8]);
    i->date = e[9];
    i->time = e[10];
    i->version = e[12];
    i->control = e[13];
    i->usage = slice_trim(e[15]);
}

static void x12_group(struct edi_group *g, const struct edi_interchange *i)
{
    const struct slice *e = g->element;
    g->code = e[1];
    g->sender = e[2];
    g->receiver = e[3];
    g->date = e[4];
    g->time = e[5];
    g->control = e[6];
    g->version = g->implied ? i->version : e[8];
}

static void x12_document(struct edi_document *d, const struct slice *element, unsigned flags, char *text, size_t room)
{
    (void)flags;
    (void)text;
    (void)room;
    d->set = element[1];
    d->control = element[2];
    d->implementation = element[3];
    d->version = d->group->version;
}

/* 004010, 004010VICS; 00401, as ISA12 has it */
static bool is_version(struct slice s)
{
    size_t n = 0;
    while (n < s.n && n < 6 && is_digit(s.p[n]))
        n++;
    return n == 6 || (n == 5 && s.n == 5 && s.p[0] == '0' && s.p[1] == '0');
}

static bool x12_version(const struct edi_document *d, char *name_r, size_t room)
{
    bool known = is_version(d->version);
    struct slice version = known ? d->version : d->interchange->version;
    if (!is_version(version))
        version = slice_of("004010");
    if (version.n > 6)
        version.n = 6;
    put_name(version, name_r, room);
    return known || !d->version.n;
}

static struct slice x12_folder(struct slice version, struct slice association, char room[GUIDE_DIRECTORY])
{
    (void)association;
    (void)room;
    return version;
}

static bool x12_same_version(const struct edi_document *d, const struct guide *guide)
{
    struct slice asked = d->version;
    if (asked.n == 5 && guide->version.n == 6 && slice_starts(guide->version, asked))
        return true;
    if (asked.n > 6)
        asked.n = 6;
    return asked.n == 0 || slice_eq(asked, guide->version);
}

static struct slice x12_later(const struct edi_document *d, const struct guide *guide)
{
    return check_later(d->version, guide);
}

const struct dialect dialect_x12 = {
    .standard = "x12",
    .name = "X12",
    .tag = { { "ISA", ROLE_INTERCHANGE },
             { "IEA", ROLE_INTERCHANGE_END },
             { "GS", ROLE_GROUP },
             { "GE", ROLE_GROUP_END },
             { "ST", ROLE_DOCUMENT },
             { "SE", ROLE_DOCUMENT_END },
             { "BIN", ROLE_BINARY },
             { "BDS", ROLE_BINARY } },
    .key = KEY('I', 'S', 'A'),
    .first = LETTER('I') | LETTER('G') | LETTER('S') | LETTER('B'),
    .second = LETTER('S') | LETTER('E') | LETTER('T') | LETTER('I') | LETTER('D'),
    .level = { { "ISA", "IEA", 13, "ISA13", 9 }, { "GS", "GE", 6, "GS06", 1 }, { "ST", "SE", 2, "ST02", 4 } },
    .groups = true,
    .loop = "loop",
    .document = "transaction set",
    .documents = "transaction sets",
    .bare = "TA1",
    .set = 1,
    .set_name = "ST01",
    .set_example = "three digits, such as 850",
    .interchange_facts = x12_interchange,
    .group_facts = x12_group,
    .document_facts = x12_document,
    .version = x12_version,
    .folder = x12_folder,
    .same_version = x12_same_version,
    .later = x12_later,
};

/* ---- EDIFACT ---- */

/* Nothing in an envelope repeats: of what does all the same the first counts. */
static void take_first(struct slice *element, unsigned n, unsigned flags, const struct edi_syntax *syntax)
{
    const char separator = segment_repetition_separator(flags, syntax);
    struct slice rest;
    bool found;

    for (unsigned k = 1; separator && k <= n; k++)
        element[k] = slice_cut(element[k], separator, &rest, &found);
}

static void edifact_interchange(struct edi_interchange *i)
{
    const struct slice *e = i->element;
    const char c = segment_component_separator(i->flags, &i->syntax);
    take_first(i->element, ENVELOPE_ELEMENTS, i->flags, &i->syntax);
    i->character_set = value_part(e[1], c, 1);
    i->version = value_part(e[1], c, 2);
    i->sender = slice_trim(value_part(e[2], c, 1));
    i->sender_qualifier = slice_trim(value_part(e[2], c, 2));
    i->receiver = slice_trim(value_part(e[3], c, 1));
    i->receiver_qualifier = slice_trim(value_part(e[3], c, 2));
    i->date = value_part(e[4], c, 1);
    i->time = value_part(e[4], c, 2);
    i->control = e[5];
    i->sender_routing = value_part(e[2], c, 3);
    i->receiver_routing = value_part(e[3], c, 3);
    i->application = e[7];
    i->priority = slice(e[8].p, e[8].n > 1 ? 0 : e[8].n); /* many put the message type there: told, and no priority */
    i->agreement = e[10];
    if (e[1].n || e[5].n) /* of an interchange that no UNB opened nothing is known */
        i->usage = e[11].n && !slice_is(e[11], "0") ? SLICE("T") : SLICE("P");
}

static void edifact_group(struct edi_group *g, const struct edi_interchange *i)
{
    const struct slice *e = g->element;
    const char c = segment_component_separator(g->flags, &i->syntax);
    take_first(g->element, GROUP_ELEMENTS, g->flags, &i->syntax);
    g->code = e[1];
    g->sender = value_part(e[2], c, 1);
    g->sender_qualifier = value_part(e[2], c, 2);
    g->receiver = value_part(e[3], c, 1);
    g->receiver_qualifier = value_part(e[3], c, 2);
    g->date = value_part(e[4], c, 1);
    g->time = value_part(e[4], c, 2);
    g->control = e[5];
    g->version = e[7];
}

static void edifact_document(struct edi_document *d, const struct slice *element, unsigned flags, char *text,
                             size_t room)
{
    const char c = segment_component_separator(flags, &d->interchange->syntax);
    struct slice first[] = { slice(NULL, 0), element[1], element[2] }, type, release;
    int n;
    take_first(first, 2, flags, &d->interchange->syntax);
    type = first[2];
    d->control = first[1];
    d->type = type;
    d->flags = flags;
    d->set = value_part(type, c, 1);
    d->version = value_part(type, c, 2);
    release = value_part(type, c, 3);
    if (!d->version.n && !release.n) { /* the group says it for all */
        const char gc = segment_component_separator(d->group->flags, &d->interchange->syntax);
        d->version = value_part(d->group->version, gc, 1);
        release = value_part(d->group->version, gc, 2);
    }
    d->association = value_part(type, c, 5);
    n = snprintf(text, room, "%.*s%s%.*s", SLICE_FMT(d->version), d->version.n && release.n ? "." : "",
                 SLICE_FMT(release));
    d->version = slice(text, n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1);
    d->implementation = slice(text, 0);
}

static struct slice edifact_folder(struct slice version, struct slice association, char room[GUIDE_DIRECTORY])
{
    struct slice release;
    bool found;
    version = slice_cut(version, '.', &release, &found);
    return guide_directory(version, release, association, room);
}

/* The folder of a document's directory: d96a, d96a-ean008, 2-2; empty: it names none. */
static struct slice directory_of(const struct edi_document *d, char room[GUIDE_DIRECTORY])
{
    return edifact_folder(d->version, d->association, room);
}

static bool edifact_version(const struct edi_document *d, char *name_r, size_t room)
{
    char own[GUIDE_DIRECTORY];
    struct slice directory = directory_of(d, own);
    put_name(directory.n ? directory : SLICE("d96a"), name_r, room);
    return directory.n || !d->version.n;
}

/* Below 0: the document's directory is older than the guide's. */
static int directory_order(const struct edi_document *d, const struct guide *guide)
{
    char own[GUIDE_DIRECTORY];
    struct slice directory = directory_of(d, own);
    return directory.n ? guide_version_order(guide->words, directory, guide->version) : 0;
}

static bool edifact_same_version(const struct edi_document *d, const struct guide *guide)
{
    char own[GUIDE_DIRECTORY];
    return !d->version.n || (directory_of(d, own).n && directory_order(d, guide) == 0);
}

static struct slice edifact_later(const struct edi_document *d, const struct guide *guide)
{
    return !guide->base.n && directory_order(d, guide) > 0 ? d->version : slice(NULL, 0);
}

const struct dialect dialect_edifact = {
    .standard = "edifact",
    .name = "EDIFACT",
    .tag = { { "UNB", ROLE_INTERCHANGE },
             { "UNZ", ROLE_INTERCHANGE_END },
             { "UNG", ROLE_GROUP },
             { "UNE", ROLE_GROUP_END },
             { "UNH", ROLE_DOCUMENT },
             { "UNT", ROLE_DOCUMENT_END },
             { "UNO", ROLE_PACKAGE },
             { "UNP", ROLE_BETWEEN } },
    .key = KEY('U', 'N', 'B'),
    .first = LETTER('U'),
    .second = LETTER('N'),
    .odd_tag = 0xff202020,
    .level = { { "UNB", "UNZ", 5, "UNB05", 1 }, { "UNG", "UNE", 5, "UNG05", 1 }, { "UNH", "UNT", 1, "UNH01", 1 } },
    .loop = "group",
    .document = "message",
    .documents = "messages",
    .bare = "UNO",
    .set = 2,
    .set_part = 1,
    .set_name = "UNH02",
    .set_example = "a message type of six letters, such as ORDERS",
    .decimal_comma = true,
    .interchange_facts = edifact_interchange,
    .group_facts = edifact_group,
    .document_facts = edifact_document,
    .version = edifact_version,
    .folder = edifact_folder,
    .same_version = edifact_same_version,
    .later = edifact_later,
};
