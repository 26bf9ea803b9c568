/*
 * produce: see produce.h.
 *
 * When the envelope changes, the old one is closed and the new one opened, but neither is given out before the first
 * record in it was written: a mark remembers the moment before, and a refused record goes back there.
 */
#include "flow/produce.h"


#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/limits.h"

enum { TEXT_MOST = 40, CHOICES = 16, MEMORY = 1 << 20, NUMBER_MOST = 999999999 };

/* What ISA and GS say of a record, by value: envelopes are compared as they are. */
enum envelope_text {
    SENDER_QUALIFIER,
    SENDER,
    RECEIVER_QUALIFIER,
    RECEIVER,
    INTERCHANGE_CONTROL,    /* of the record's source; empty where it is not written back */
    INTERCHANGE_TEXTS,
    GROUP_SENDER = INTERCHANGE_TEXTS,
    GROUP_RECEIVER,
    GROUP_CONTROL,
    GROUP_CODE,
    VERSION,
    ENVELOPE_TEXTS
};

struct envelope {
    char text[ENVELOPE_TEXTS][TEXT_MOST];
    struct edi_time at, group_at;
    char usage;
    bool acknowledgment;
};

/* The record's object "source". Slices borrow from its text or from the arena. */
struct source {
    struct slice standard, version, set, sender, receiver, interchange, group, document, usage, sent_at, group_sender,
        group_receiver, group_sent_at, implementation;
};

/* What kinds of records are written with. */
struct choice {
    const struct map *map;
    const struct guide *guide;
    bool unmapped;
    bool substituted;       /* the guide is of another version */
    char version[TEXT_MOST];
    struct map_writer *writer;
};

/* A writer for each line `x12` of the partner file: each has its own delimiters and character set. */
struct output {
    const struct partner_x12 *x12;      /* NULL: no partner file */
    struct edi_writer *writer;
};

struct produce {
    struct produce_options options;
    struct produce_counts counts;
    struct output *output;
    unsigned n_outputs;
    struct choice choice[CHOICES];
    unsigned n_choices, oldest;
    struct arena arena;                 /* of the record at hand */
    struct produce_place place;
    /* the envelope that is open */
    struct output *at;                  /* NULL: none */
    struct envelope envelope;
    uint64_t next_interchange, next_group, next_document;
    uint64_t ordinal;               /* of the last document in its group, as its record's id has it; 0: not known */
    /* the record at hand */
    bool refused;
    int stopped;
};

void produce_options_init(struct produce_options *o)
{
    memset(o, 0, sizeof(*o));
    edi_write_options_init(&o->write);
    o->write.line_end = "\n";
}

int produce_new(const struct produce_options *options, struct produce **p_r, struct err *err)
{
    const struct partner *partner = options->agreement ? agreement_partner(options->agreement) : NULL;
    struct produce *p = calloc(1, sizeof(*p));
    int rc = 0;

    *p_r = NULL;
    if (!p)
        return err_nomem(err);
    p->options = *options;
    p->next_interchange = options->interchange;
    p->next_group = options->group ? options->group : options->interchange;
    p->next_document = options->document;
    arena_init(&p->arena, MEMORY);
    p->n_outputs = partner ? partner->n_x12 : 1;
    p->output = calloc(p->n_outputs + 1, sizeof(*p->output));
    if (!p->output)
        rc = err_nomem(err);
    for (unsigned i = 0; rc == 0 && i < p->n_outputs; i++) {
        struct edi_write_options write = options->write;
        if (partner) {
            const struct partner_x12 *x = &partner->x12[i];
            p->output[i].x12 = x;
            write.syntax = x->syntax;
            write.line_end = x->line_end;
            write.charset = x->charset;
            write.transliterate = x->transliterate;
            write.replace = x->replace;
        }
        write.transliterate = write.transliterate || options->transliterate;
        rc = edi_writer_new(&write, &p->output[i].writer, err);
    }
    if (rc < 0)
        produce_free(&p);
    *p_r = p;
    return rc;
}

void produce_free(struct produce **produce)
{
    struct produce *p = *produce;

    if (!p)
        return;
    for (unsigned i = 0; i < p->n_choices; i++)
        map_writer_free(&p->choice[i].writer);
    for (unsigned i = 0; p->output && i < p->n_outputs; i++)
        edi_writer_free(&p->output[i].writer);
    free(p->output);
    arena_deinit(&p->arena);
    free(p);
    *produce = NULL;
}

const struct produce_counts *produce_counts(const struct produce *p)
{
    return &p->counts;
}

/* --- Findings ------------------------------------------------------------------------ */

static int take_finding(void *ctx, const struct map_write_finding *f)
{
    struct produce *p = ctx;
    int rc;

    if (f->severity == SEVERITY_ERROR)
        p->counts.errors++;
    else
        p->counts.warnings++;
    rc = p->options.finding ? p->options.finding(p->options.ctx, &p->place, f) : 0;
    if (rc < 0)
        p->stopped = rc;
    return rc;
}

/* An error of our own: refuses the record. */
static void refuse(struct produce *p, const char *code, const char *path, struct slice value, const char *found,
                   const char *expected)
{
    const struct map_write_finding f = {
        .code = code,
        .severity = SEVERITY_ERROR,
        .path = slice_of(path),
        .value = value,
        .found = found,
        .expected = expected,
        .missing = value.n == 0,
    };
    p->refused = true;
    take_finding(p, &f);
}

/* --- The record ---------------------------------------------------------------------- */

static int member_text(struct produce *p, const struct json_tape *tape, uint32_t object, const char *name,
                       struct slice *text_r, struct err *err)
{
    uint32_t node = json_member(tape, object, slice_of(name));

    *text_r = slice(NULL, 0);
    if (!node || tape->node[node].type != JSON_STRING)
        return 0;
    return json_string(tape, node, &p->arena, text_r) < 0 ? err_nomem(err) : 0;
}

static int read_source(struct produce *p, const struct json_tape *tape, struct source *s, struct err *err)
{
    const struct {
        const char *name;
        struct slice *text;
    } fields[] = {
        { "standard", &s->standard },       { "version", &s->version },
        { "set", &s->set },                 { "sender", &s->sender },
        { "receiver", &s->receiver },       { "interchange", &s->interchange },
        { "group", &s->group },             { "document", &s->document },
        { "usage", &s->usage },             { "sent_at", &s->sent_at },
        { "group_sender", &s->group_sender }, { "group_receiver", &s->group_receiver },
        { "group_sent_at", &s->group_sent_at }, { "implementation", &s->implementation },
    };
    uint32_t object = json_member(tape, 0, SLICE("source"));

    *s = (struct source){ .standard = { NULL, 0 } };
    if (!object || tape->node[object].type != JSON_OBJECT)
        return 0;
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (member_text(p, tape, object, fields[i].name, fields[i].text, err) < 0)
            return ERR_NOMEM;
    return 0;
}

/* --- Time ---------------------------------------------------------------------------- */

static bool two_digits(struct slice s, size_t at, int *value_r)
{
    if (s.n < at + 2 || !is_digit(s.p[at]) || !is_digit(s.p[at + 1]))
        return false;
    *value_r = (s.p[at] - '0') * 10 + s.p[at + 1] - '0';
    return true;
}

/* How much of s is a date, perhaps with a time; 0: it is none. */
static size_t read_time(struct slice s, struct edi_time *t)
{
    int century, year;

    *t = (struct edi_time){ .second = -1 };
    if (s.n < 10 || !record_is_date(slice(s.p, 10)) || !two_digits(s, 0, &century) || !two_digits(s, 2, &year) ||
        !two_digits(s, 5, &t->month) || !two_digits(s, 8, &t->day))
        return 0;
    t->year = century * 100 + year;
    if (s.n < 16 || s.p[10] != 'T' || s.p[13] != ':' || !two_digits(s, 11, &t->hour) ||
        !two_digits(s, 14, &t->minute))
        return 10;
    if (s.n < 19 || s.p[16] != ':' || !two_digits(s, 17, &t->second))
        return 16;
    return 19;
}

bool produce_time(struct slice text, struct edi_time *time_r)
{
    return text.n && read_time(text, time_r) == text.n && time_r->hour < 24 && time_r->minute < 60 &&
           time_r->second < 60;
}

/* --- Maps and guides ------------------------------------------------------------------- */

/* The map for a kind of record. 0 with NULL in *map_r: there is none. */
static int choose_map(struct produce *p, struct slice kind, const struct source *s, const struct partner_route *route,
                      const struct map **map_r, struct err *err)
{
    const struct partner *partner = p->options.agreement ? agreement_partner(p->options.agreement) : NULL;
    struct complaints *c = p->options.complaints;
    int rc = ERR_MISSING;

    *map_r = p->options.map;
    if (!*map_r && route)
        *map_r = agreement_map(p->options.agreement, (unsigned)(route - partner->route));
    if (*map_r)
        return 0;
    if (route) {
        rc = maps_by_set(p->options.maps, SLICE("x12"), route->document, c, map_r, err);
    } else if (s->set.n && slice_is(s->standard, "x12")) {
        rc = maps_by_set(p->options.maps, SLICE("x12"), s->set, c, map_r, err);
        if (rc == 0 && !slice_eq(map_kind(*map_r)->name, kind))
            rc = ERR_MISSING;
    }
    if (rc == ERR_MISSING && !route)
        rc = maps_by_record(p->options.maps, SLICE("x12"), kind, c, map_r, err);
    if (rc == ERR_MISSING) {
        *map_r = NULL;
        return 0;
    }
    return rc;
}

/* The guide that a document of this version is written by. */
static int choose_guide(struct produce *p, struct slice set, struct slice version, const struct guide **guide_r,
                        bool *substituted_r, struct err *err)
{
    int rc;

    *substituted_r = false;
    for (unsigned i = 0; i < p->options.n_guides; i++)
        if (slice_eq(p->options.guide[i]->set, set)) {
            *guide_r = p->options.guide[i];
            return 0;
        }
    rc = guides_find(p->options.guides, SLICE("x12"), version, set, p->options.complaints, guide_r, err);
    if (rc == 0)
        *substituted_r = !slice_eq((*guide_r)->version, slice(version.p, version.n < 6 ? version.n : 6));
    return rc;
}

/* What a map with a version needs to be written, kept for the next record. ERR_DATA: refused. */
static int choose(struct produce *p, const struct map *map, struct slice version, bool unmapped,
                  struct choice **choice_r, struct err *err)
{
    const struct map_write_options how = { .write_unmapped = unmapped, .policy = p->options.policy };
    struct choice *k, made = { .map = map, .unmapped = unmapped };
    const struct map_plan *plan;
    int rc;

    for (unsigned i = 0; i < p->n_choices; i++) {
        k = &p->choice[i];
        if (k->map == map && k->unmapped == unmapped && slice_is(version, k->version)) {
            *choice_r = k;
            return 0;
        }
    }
    if (version.n >= TEXT_MOST) {
        refuse(p, "ENVELOPE", "source.version", version, "is too long for a version", "");
        return ERR_DATA;
    }
    rc = choose_guide(p, map_set(map), version, &made.guide, &made.substituted, err);
    if (rc == ERR_MISSING) {
        refuse(p, "NO-GUIDE", "source.version", version, "is a version without a guide for this document", "");
        return ERR_DATA;
    }
    if (rc == 0)
        rc = map_plan_for(p->options.maps, map, made.guide, p->options.complaints, &plan, err);
    if (rc == 0)
        rc = map_writer_new(plan, &how, &made.writer, err);
    if (rc < 0)
        return rc == ERR_DATA || rc == ERR_MISSING ? ERR_CONFIG : rc;
    memcpy(made.version, version.p, version.n);
    if (p->n_choices < CHOICES) {
        k = &p->choice[p->n_choices++];
    } else {
        k = &p->choice[p->oldest++ % CHOICES];
        map_writer_free(&k->writer);
    }
    *k = made;
    *choice_r = k;
    return 0;
}

/* --- Envelopes ------------------------------------------------------------------------- */

static void put(struct produce *p, struct envelope *e, enum envelope_text field, struct slice text, const char *path)
{
    if (text.n >= TEXT_MOST)
        refuse(p, "ENVELOPE", path, text, "is too long", "");
    else if (text.n)
        memcpy(e->text[field], text.p, text.n);
}

/* Qualifier and id of "ZZ:NORTHWIND". */
static void put_party(struct produce *p, struct envelope *e, enum envelope_text qualifier, struct slice party,
                      const char *path)
{
    struct slice id;
    bool found;
    struct slice before = slice_cut(party, ':', &id, &found);

    if (!found || !before.n || !id.n) {
        refuse(p, "ENVELOPE", path, party, "is not a qualifier and an id with a colon between them", "ZZ:NORTHWIND");
        return;
    }
    put(p, e, qualifier, before, path);
    put(p, e, (enum envelope_text)(qualifier + 1), id, path);
}

static bool party_is(struct slice party, struct slice qualifier, struct slice id)
{
    return party.n == qualifier.n + 1 + id.n && slice_starts(party, qualifier) && party.p[qualifier.n] == ':' &&
           slice_eq(slice_from(party, qualifier.n + 1), id);
}

/* Between whom a document goes. */
struct address {
    struct output *output;
    const struct partner_group *group;
    bool from_us;
    bool back;          /* sender and receiver are those the record came with */
};

static bool group_is_for(const struct partner_group *g, struct slice set)
{
    for (unsigned i = 0; i < g->n_documents; i++)
        if (slice_eq(g->document[i], set))
            return true;
    return g->n_documents == 0;
}

/* The group of an x12 line for a document: the one that the record came with, else the first. */
static const struct partner_group *choose_group(const struct partner_x12 *x, struct slice set, struct slice code)
{
    const struct partner_group *first = NULL;

    for (unsigned i = 0; i < x->n_groups; i++) {
        if (!group_is_for(&x->group[i], set))
            continue;
        if (code.n && slice_eq(x->group[i].them, code))
            return &x->group[i];
        if (!first)
            first = &x->group[i];
    }
    return first;
}

static void choose_address(struct produce *p, const struct source *s, const struct partner_route *route,
                           struct slice set, struct address *a)
{
    *a = (struct address){ .from_us = !route || route->send };
    if (!p->options.agreement) {
        a->output = &p->output[0];
        a->back = true;
        return;
    }
    for (unsigned i = 0; i < p->n_outputs; i++) {
        struct output *o = &p->output[i];
        const struct partner_x12 *x = o->x12;
        struct slice them = a->from_us ? s->receiver : s->sender, us = a->from_us ? s->sender : s->receiver;
        bool back = party_is(them, x->qualifier, x->id) && party_is(us, x->our_qualifier, x->our_id);
        const struct partner_group *group =
            choose_group(x, set, !back ? slice(NULL, 0) : a->from_us ? s->group_receiver : s->group_sender);

        if (x->n_groups && !group)
            continue;
        if (!a->output || (back && !a->back)) {
            a->output = o;
            a->group = group;
            a->back = back;
        }
    }
    if (!a->output && p->n_outputs)
        refuse(p, "ENVELOPE", "record", set, "is no document that a group of the partner file is for", "");
    else if (!a->output)
        refuse(p, "ENVELOPE", "record", slice(NULL, 0), "the partner file has no line \"x12\"", "");
}

static char usage_of(const struct partner_group *group, const struct source *s)
{
    char theirs = group ? group->usage : 'P';

    if (theirs == 'T' || slice_is(s->usage, "test"))
        return 'T';
    return theirs == 'I' || slice_is(s->usage, "information") ? 'I' : 'P';
}

static void address_envelope(struct produce *p, const struct address *a, const struct source *s, struct envelope *e)
{
    const struct partner_x12 *x = a->output->x12;
    enum envelope_text them = a->from_us ? RECEIVER_QUALIFIER : SENDER_QUALIFIER;
    enum envelope_text us = a->from_us ? SENDER_QUALIFIER : RECEIVER_QUALIFIER;
    enum envelope_text group_them = a->from_us ? GROUP_RECEIVER : GROUP_SENDER;
    enum envelope_text group_us = a->from_us ? GROUP_SENDER : GROUP_RECEIVER;

    if (x) {
        put(p, e, them, x->qualifier, "");
        put(p, e, (enum envelope_text)(them + 1), x->id, "");
        put(p, e, us, x->our_qualifier, "");
        put(p, e, (enum envelope_text)(us + 1), x->our_id, "");
        if (a->group) {
            put(p, e, group_them, a->group->them, "");
            put(p, e, group_us, a->group->us, "");
        }
        e->acknowledgment = agreement_partner(p->options.agreement)->expect & PARTNER_TA1;
    } else {
        if (s->sender.n)
            put_party(p, e, SENDER_QUALIFIER, s->sender, "source.sender");
        else
            refuse(p, "ENVELOPE", "source.sender", slice(NULL, 0), "is missing, and there is no partner file", "");
        if (s->receiver.n)
            put_party(p, e, RECEIVER_QUALIFIER, s->receiver, "source.receiver");
        else
            refuse(p, "ENVELOPE", "source.receiver", slice(NULL, 0), "is missing, and there is no partner file", "");
    }
    if (a->back && !a->group) {
        put(p, e, GROUP_SENDER, s->group_sender, "source.group_sender");
        put(p, e, GROUP_RECEIVER, s->group_receiver, "source.group_receiver");
    }
}

static void number_envelope(struct produce *p, const struct address *a, const struct source *s, struct envelope *e)
{
    if (a->back) {
        put(p, e, INTERCHANGE_CONTROL, s->interchange, "source.interchange");
        put(p, e, GROUP_CONTROL, s->group, "source.group");
    }
    if (p->options.interchange)
        return;
    if (!a->back)
        refuse(p, "CONTROL-NUMBER", "", slice(NULL, 0), "no control number was given for what is sent", "");
    else if (!s->interchange.n || !s->group.n || !s->document.n)
        refuse(p, "CONTROL-NUMBER",
               !s->interchange.n ? "source.interchange" : !s->group.n ? "source.group" : "source.document",
               slice(NULL, 0), "is missing, and no control number was given", "");
}

static void date_envelope(struct produce *p, const struct address *a, const struct source *s, struct envelope *e)
{
    e->at = p->options.date ? *p->options.date : p->options.now;
    if (!p->options.date && a->back) {
        struct edi_time t;
        if (read_time(s->sent_at, &t))
            e->at = t;
        e->group_at = read_time(s->group_sent_at, &t) ? t : e->at;
        return;
    }
    e->group_at = e->at;
}

static struct slice text_of(const struct envelope *e, enum envelope_text field)
{
    return slice_of(e->text[field]);
}

static bool same_time(const struct edi_time *a, const struct edi_time *b)
{
    return a->year == b->year && a->month == b->month && a->day == b->day && a->hour == b->hour &&
           a->minute == b->minute && a->second == b->second;
}

static bool same_texts(const struct envelope *a, const struct envelope *b, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        if (strcmp(a->text[i], b->text[i]) != 0)
            return false;
    return true;
}

/* A repetition separator is the interchange's matter, and the version decides on it: versions that differ there are
 * not put into one interchange, unless they came in one. */
static bool same_interchange(const struct envelope *a, const struct envelope *b)
{
    return same_texts(a, b, 0, INTERCHANGE_TEXTS) && same_time(&a->at, &b->at) && a->usage == b->usage &&
           a->acknowledgment == b->acknowledgment &&
           (a->text[INTERCHANGE_CONTROL][0] || strncmp(a->text[VERSION], b->text[VERSION], 5) == 0);
}

static bool same_group(const struct envelope *a, const struct envelope *b)
{
    return same_texts(a, b, INTERCHANGE_TEXTS, ENVELOPE_TEXTS) && same_time(&a->group_at, &b->group_at);
}

/* --- Opening and closing --------------------------------------------------------------- */

/* What the moment before an envelope was opened was like. */
struct before {
    bool opened;            /* an envelope was opened since */
    struct output *at;
    struct envelope envelope;
    struct edi_mark mark, other_mark;       /* of the writer at that time, and of the one now, when it is another */
    uint64_t next_interchange, next_group, next_document;
    struct produce_counts counts;
};

static int writer_error(const struct output *o, int code, struct err *err)
{
    const struct err *words = edi_writer_error(o->writer);
    return err_set(err, code, "%s", words->text[0] ? words->text : err_name(code));
}

static int remember(struct output *o, struct edi_mark *mark, struct err *err)
{
    int rc = edi_writer_flush(o->writer);

    if (rc == 0)
        rc = edi_writer_mark(o->writer, mark);
    if (rc < 0)
        return writer_error(o, rc, err);
    edi_writer_release(o->writer);
    return 0;
}

/* Nothing was flushed since remember(): what was written since then is less than what makes a writer flush. */
static void go_back(struct output *o, const struct edi_mark *mark)
{
    struct edi_mark now;

    if (edi_writer_mark(o->writer, &now) == 0)
        edi_writer_rewind(o->writer, mark);
}

static int close_interchange(struct output *o)
{
    int rc = edi_write_group_end(o->writer);
    return rc == 0 ? edi_write_interchange_end(o->writer) : rc;
}

/* Takes a control number of at least so many digits; refuses the record when there is none left. */
static struct slice take_number(struct produce *p, uint64_t *next, int digits, char text[16])
{
    if (*next > NUMBER_MOST)
        refuse(p, "CONTROL-NUMBER", "", slice(NULL, 0), "the control numbers have reached 999999999", "");
    return slice(text, (size_t)snprintf(text, 16, "%0*llu", digits,
                                        (unsigned long long)(*next)++ % (NUMBER_MOST + 1ull)));
}

/* A record's own ST02, which has four digits at least. */
static struct slice own_number(struct slice document, char text[16])
{
    uint64_t number;

    if (document.n >= 4 || !slice_number(document, NUMBER_MOST, &number))
        return document;
    return slice(text, (size_t)snprintf(text, 16, "%04llu", (unsigned long long)number));
}

static void fill_envelope(const struct envelope *e, struct edi_envelope *to)
{
    *to = (struct edi_envelope){
        .at = e->at,
        .sender_qualifier = text_of(e, SENDER_QUALIFIER),
        .sender = text_of(e, SENDER),
        .receiver_qualifier = text_of(e, RECEIVER_QUALIFIER),
        .receiver = text_of(e, RECEIVER),
        .acknowledgment = e->acknowledgment,
        .usage = e->usage,
        .group = text_of(e, GROUP_CODE),
        .group_sender = text_of(e, GROUP_SENDER),
        .group_receiver = text_of(e, GROUP_RECEIVER),
        .version = text_of(e, VERSION),
    };
}

/* "ISA06: the sender's id has 20 characters …" as a finding about the field it came from. */
static void refuse_envelope(struct produce *p, const struct output *o)
{
    static const struct {
        const char *place, *path;
    } places[] = {
        { "ISA05", "source.sender" },      { "ISA06", "source.sender" },       { "ISA07", "source.receiver" },
        { "ISA08", "source.receiver" },    { "ISA12", "source.version" },      { "ISA13", "source.interchange" },
        { "GS02", "source.group_sender" }, { "GS03", "source.group_receiver" }, { "GS06", "source.group" },
        { "GS08", "source.version" },
    };
    struct map_write_finding f = { .code = "ENVELOPE", .severity = SEVERITY_ERROR, .expected = "" };
    struct slice rest, place;
    bool found;

    f.found = edi_writer_error(o->writer)->text;
    place = slice_cut(slice_of(f.found), ':', &rest, &found);
    for (unsigned i = 0; found && i < sizeof(places) / sizeof(places[0]); i++)
        if (slice_is(place, places[i].place)) {
            f.place = place;
            f.found = slice_trim(rest).p;
            if (!o->x12)
                f.path = slice_of(places[i].path);
        }
    p->refused = true;
    take_finding(p, &f);
}

/* Sees to it that the envelope is open. ERR_DATA: refused. */
static int open_envelope(struct produce *p, struct output *o, const struct envelope *e, bool anew, struct before *b,
                         struct err *err)
{
    bool interchange = p->at != o || !same_interchange(&p->envelope, e);
    struct edi_envelope to;
    char number[16];
    int rc;

    b->opened = false;
    if (!interchange && same_group(&p->envelope, e)) {
        if (!anew)
            return 0;
        interchange = true;
    }
    b->at = p->at;
    b->envelope = p->envelope;
    b->next_interchange = p->next_interchange;
    b->next_group = p->next_group;
    b->next_document = p->next_document;
    b->counts = p->counts;
    if (p->at && (rc = remember(p->at, &b->mark, err)) < 0)
        return rc;
    if (p->at != o && (rc = remember(o, &b->other_mark, err)) < 0)
        return rc;
    b->opened = true;

    fill_envelope(e, &to);
    if (o->x12)
        to.interchange_version = o->x12->version;
    if (p->at && interchange && (rc = close_interchange(p->at)) < 0)
        return writer_error(p->at, rc, err);
    if (p->at && !interchange && (rc = edi_write_group_end(o->writer)) < 0)
        return writer_error(o, rc, err);
    p->at = o;
    p->envelope = *e;
    rc = 0;
    if (interchange) {
        to.interchange_control = p->options.interchange ? take_number(p, &p->next_interchange, 9, number)
                                                        : text_of(e, INTERCHANGE_CONTROL);
        rc = edi_write_interchange(o->writer, &to);
        p->counts.interchanges++;
    }
    if (rc == 0) {
        to.at = e->group_at;
        to.group_control = p->options.interchange ? take_number(p, &p->next_group, 1, number)
                                                  : text_of(e, GROUP_CONTROL);
        if (!p->options.document)
            p->next_document = 1;
        rc = edi_write_group(o->writer, &to);
        p->counts.groups++;
    }
    if (rc == ERR_DATA)
        refuse_envelope(p, o);
    else if (rc < 0)
        return writer_error(o, rc, err);
    return p->refused ? ERR_DATA : 0;
}

/* The record in the new envelope was refused: as if there had been no such envelope. */
static void undo_envelope(struct produce *p, const struct before *b)
{
    struct produce_counts counts = b->counts;

    if (p->at != b->at)
        go_back(p->at, &b->other_mark);
    if (b->at)
        go_back(b->at, &b->mark);
    p->at = b->at;
    p->envelope = b->envelope;
    p->next_interchange = b->next_interchange;
    p->next_group = b->next_group;
    p->next_document = b->next_document;
    counts.errors = p->counts.errors;
    counts.warnings = p->counts.warnings;
    p->counts = counts;
}

/* --- One record -------------------------------------------------------------------------- */

static void warn_of_version(struct produce *p, struct choice *k)
{
    enum finding_code code = FINDING_VERSION_SUBSTITUTED;
    struct map_write_finding f = {
        .code = finding_rows[code].name,
        .severity = p->options.policy ? (enum severity)p->options.policy->severity[code] : finding_rows[code].severity,
        .path = SLICE("source.version"),
        .value = slice_of(k->version),
        .found = "has no guide of its own, that of another version is used",
        .expected = "",
        .place = k->guide->id,
    };

    if (f.severity == SEVERITY_IGNORE)
        return;
    /* said once; but an error is one for every record */
    if (f.severity == SEVERITY_ERROR)
        p->refused = true;
    else
        k->substituted = false;
    take_finding(p, &f);
}

static int prepare(struct produce *p, const struct record *record, const struct source *s, struct choice **choice_r,
                   struct output **output_r, struct envelope *e, bool *back_r, struct err *err)
{
    const struct partner *partner = p->options.agreement ? agreement_partner(p->options.agreement) : NULL;
    const struct partner_route *route;
    const struct map *map;
    struct address a;
    struct slice kind, version;
    uint32_t rejected = json_member(record->tape, 0, SLICE("rejected"));
    int rc = member_text(p, record->tape, 0, "record", &kind, err);

    if (rc < 0)
        return rc;
    if (!kind.n) {
        refuse(p, "RECORD-MISSING", "record", slice(NULL, 0), "is missing", "the kind of record, such as \"order\"");
        return ERR_DATA;
    }
    if (rejected) {
        refuse(p, "RECORD-REJECTED", "rejected", slice(NULL, 0), "says that the record was refused when it was read", "");
        return ERR_DATA;
    }
    route = partner ? partner_route_of_record(partner, kind) : NULL;
    rc = choose_map(p, kind, s, route, &map, err);
    if (rc < 0)
        return rc;
    if (!map) {
        refuse(p, "NO-MAP", "record", kind, "is a kind of record without a map to X12", "");
        return ERR_DATA;
    }
    if (!slice_eq(map_kind(map)->name, kind)) {
        refuse(p, "NO-MAP", "record", kind, "is not the kind of record that the map is for", "");
        return ERR_DATA;
    }
    choose_address(p, s, route, map_set(map), &a);
    if (p->refused)
        return ERR_DATA;

    version = a.group ? a.group->version : slice(NULL, 0);
    if (!version.n && slice_is(s->standard, "x12") && slice_eq(s->set, map_set(map)))
        version = s->version;
    if (!version.n) {
        const struct guide *guide;
        rc = guides_by_id(p->options.guides, map_guide(map, 0), p->options.complaints, &guide, err);
        if (rc < 0)
            return rc == ERR_MISSING ? ERR_CONFIG : rc;
        version = guide->version;
    }
    rc = choose(p, map, version,
                a.back && slice_eq(s->set, map_set(map)) && slice_is(s->standard, "x12") &&
                    slice_eq(slice(version.p, version.n < 6 ? version.n : 6),
                             slice(s->version.p, s->version.n < 6 ? s->version.n : 6)),
                choice_r, err);
    if (rc < 0)
        return rc;
    if ((*choice_r)->substituted)
        warn_of_version(p, *choice_r);

    address_envelope(p, &a, s, e);
    put(p, e, GROUP_CODE, (*choice_r)->guide->group, "");
    put(p, e, VERSION, version, "source.version");
    number_envelope(p, &a, s, e);
    date_envelope(p, &a, s, e);
    e->usage = usage_of(a.group, s);
    *output_r = a.output;
    *back_r = a.back;
    return p->refused ? ERR_DATA : 0;
}

/* The last part of a record's id, ".../0001/2": which document of its group it was. 0: it has none. */
static uint64_t ordinal_of(const struct record *record)
{
    uint32_t node = json_member(record->tape, 0, SLICE("id"));
    struct slice id = node ? json_raw(record->tape, node) : slice(NULL, 0);
    const char *last = id.n ? memrchr(id.p, '/', id.n) : NULL;
    uint64_t ordinal = 0;
    if (!last || !slice_number(slice(last + 1, (size_t)(id.p + id.n - last) - 1), UINT32_MAX, &ordinal))
        return 0;
    return ordinal;
}

static int write_record(struct produce *p, const struct record *record, struct err *err)
{
    struct source s;
    struct envelope e;
    uint64_t ordinal;
    struct before before = { .opened = false };
    struct choice *choice;
    struct output *output, *old = p->at;
    struct slice control;
    char number[16];
    bool back;
    int rc = read_source(p, record->tape, &s, err);

    memset(&e, 0, sizeof(e));
    if (rc == 0)
        rc = prepare(p, record, &s, &choice, &output, &e, &back, err);
    if (rc < 0)
        return rc;
    /* ids count the documents of a group: one that does not go on belongs to another interchange that looks the same */
    ordinal = p->options.interchange ? 0 : ordinal_of(record);
    rc = open_envelope(p, output, &e, ordinal && ordinal <= p->ordinal, &before, err);
    p->ordinal = ordinal;
    if (rc == 0) {
        bool same = back && slice_eq(s.set, choice->guide->set) && slice_eq(s.version, slice_of(choice->version));
        uint64_t errors = p->counts.errors;
        control = p->options.interchange ? take_number(p, &p->next_document, 4, number)
                                         : own_number(s.document, number);
        rc = p->refused ? ERR_DATA
                        : map_write_record(choice->writer, record, output->writer, control,
                                           same ? s.implementation : slice(NULL, 0), take_finding, p, err);
        if (rc == ERR_LIMIT && !p->stopped)
            rc = ERR_DATA;
        /* what no finding tells, the words do */
        if (rc == ERR_DATA && p->counts.errors == errors)
            refuse(p, "RECORD-REFUSED", "", slice(NULL, 0), err->text, "");
        if (rc == ERR_DATA && !before.opened && p->options.interchange)
            p->next_document--;
    }
    /* refused or broken off: no envelope stays that holds nothing */
    if (rc < 0 && before.opened)
        undo_envelope(p, &before);
    if (rc == 0 && before.opened && old && old != output && (rc = edi_writer_flush(old->writer)) < 0)
        return writer_error(old, rc, err);
    if (rc == 0)
        p->counts.documents++;
    return rc;
}

int produce_record(struct produce *p, const struct record *record, struct slice file, struct err *err)
{
    struct err own = { 0 };
    int rc;

    if (!err)
        err = &own;
    p->place = (struct produce_place){ file, record->number, record->line };
    p->refused = false;
    p->counts.records++;
    arena_reset(&p->arena);
    rc = write_record(p, record, err);
    if (p->stopped)
        return err_set(err, p->stopped, "stopped");
    if (rc == ERR_DATA)
        p->counts.refused++;
    return rc;
}

int produce_records(struct produce *p, int fd, struct slice file, struct err *err)
{
    struct record_reader *reader = NULL;
    const struct record *record;
    int rc = record_reader_new(fd, NULL, &reader, err);

    while (rc >= 0) {
        struct err own = { 0 };

        rc = record_reader_next(reader, &record, &own);
        if (rc == 0)
            break;
        if (rc > 0) {
            uint64_t done = record->offset + record->size;
            rc = produce_record(p, record, file, err);
            if (p->options.progress)
                p->options.progress(p->options.ctx, done);
        } else if (rc == ERR_DATA || rc == ERR_LIMIT) {
            uint64_t offset;
            p->place.file = file;
            record_reader_place(reader, &p->place.record, &p->place.line, &offset);
            p->counts.records++;
            p->counts.refused++;
            refuse(p, "RECORD-SYNTAX", "", slice(NULL, 0), own.text, "");
            rc = p->stopped ? err_set(err, p->stopped, "stopped") : ERR_DATA;
        } else {
            err_set(err, rc, "%.*s: %s", SLICE_FMT(file), own.text);
        }
        if (rc == ERR_DATA)
            rc = 0;
    }
    record_reader_free(&reader);
    return rc;
}

int produce_end(struct produce *p, struct err *err)
{
    int rc;

    if (!p->at)
        return 0;
    rc = close_interchange(p->at);
    if (rc == 0)
        rc = edi_writer_flush(p->at->writer);
    if (rc < 0)
        return writer_error(p->at, rc, err);
    p->at = NULL;
    return 0;
}
