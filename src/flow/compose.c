/*
 * compose: see compose.h.
 *
 * A body is written inside an interchange and group of the composer's own, which open the same way as the real ones
 * will (delimiters and dates depend on the version), and is taken out of them.
 */
#include "flow/compose.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "edi/check.h"
#include "edi/dialect.h"

enum { CHOICES = 16, MEMORY = 1 << 20, NUMBER_MOST = 999999999 };

/* The record's object "source". Slices borrow from its text or from the arena. */
struct source {
    struct slice standard, version, set, sender, receiver, interchange, group, document, usage, sent_at, group_sender,
        group_receiver, group_sent_at, implementation;
    /* of EDIFACT */
    struct slice syntax, sender_routing, receiver_routing, group_sender_qualifier, group_receiver_qualifier,
        application, priority, agreement;
};

/* What kinds of records are written with. */
struct choice {
    const struct map *map;
    const struct guide *guide;
    bool unmapped;
    bool substituted;       /* the guide is of another version */
    char version[ENVELOPE_TEXT_MOST], association[ENVELOPE_TEXT_MOST];
    struct map_writer *writer;
};

/* A writer for each identity of the partner file, for bodies. */
struct output {
    struct edi_writer *writer;
    char open[ENVELOPE_TEXT_MOST];      /* the version or syntax of the interchange that is open in it; empty: none is */
};

struct composer {
    const struct produce_options *options;
    pthread_mutex_t *lock;
    struct output *output;
    unsigned n_outputs;
    struct choice choice[CHOICES];
    unsigned n_choices, oldest;
    struct arena arena;             /* of the record at hand */
    struct composed *made;
    struct told_list *telling;      /* where findings go */
    struct choice *chosen;
    bool refused, nomem;
    int file;                       /* for bodies of streamed records; negative: not open */
};

/* --- Making and freeing ---------------------------------------------------------------- */

static void told_clear(struct told_list *l)
{
    l->first = NULL;
    l->end = &l->first;
}

void composed_init(struct composed *m)
{
    memset(m, 0, sizeof(*m));
    buf_init(&m->body, LIMIT_ITEM);
    m->file = -1;
    arena_init(&m->arena, LIMIT_ITEM);
    told_clear(&m->before);
    told_clear(&m->findings);
}

void composed_deinit(struct composed *m)
{
    buf_deinit(&m->body);
    arena_deinit(&m->arena);
}

unsigned compose_outputs(const struct produce_options *o)
{
    return o->agreement ? agreement_partner(o->agreement)->n_identities : 1;
}

const struct partner_identity *compose_identity(const struct produce_options *o, unsigned output)
{
    return o->agreement ? &agreement_partner(o->agreement)->identity[output] : NULL;
}

void compose_write_options(const struct produce_options *o, unsigned output, const struct dialect *dialect,
                           struct slice syntax, struct edi_write_options *write_r)
{
    const struct partner_identity *x = compose_identity(o, output);
    struct slice version;
    bool found;

    *write_r = o->write;
    if (x) {
        partner_write_options(x, write_r);
    } else if (dialect == &dialect_edifact) {
        *write_r = o->edifact;
        charset_of_syntax(slice_cut(syntax, ':', &version, &found), &write_r->charset);
        /* nobody asked for this set: who sent small letters in UNOA takes them, too */
        write_r->ascii = !o->syntax.n && !o->transliterate;
        write_r->ceiling = o->write.ceiling;
        write_r->write = o->write.write;
        write_r->ctx = o->write.ctx;
    }
    write_r->transliterate = write_r->transliterate || o->transliterate;
}

void compose_options_of(const struct produce_options *o, const struct composed *m, struct edi_write_options *write_r)
{
    compose_write_options(o, m->output, m->dialect, slice_of(m->envelope.text[SYNTAX]), write_r);
}

void compose_syntax_of(const struct envelope *e, struct edi_envelope *to)
{
    bool found;

    to->character_set = slice_cut(slice_of(e->text[SYNTAX]), ':', &to->interchange_version, &found);
}

struct edi_message_type compose_type_of(const struct composed *m)
{
    struct edi_message_type type = { .association = m->association };
    bool found;

    type.version = slice_cut(m->version, '.', &type.release, &found);
    return type;
}

int composer_new(const struct produce_options *options, pthread_mutex_t *lock, struct composer **composer_r,
                 struct err *err)
{
    struct composer *c = calloc(1, sizeof(*c));

    *composer_r = NULL;
    if (!c)
        return err_nomem(err);
    c->options = options;
    c->lock = lock;
    c->file = -1;
    arena_init(&c->arena, MEMORY);
    c->n_outputs = compose_outputs(options);
    c->output = calloc(c->n_outputs + 1, sizeof(*c->output));
    if (!c->output) {
        composer_free(&c);
        return err_nomem(err);
    }
    *composer_r = c;
    return 0;
}

void composer_free(struct composer **composer)
{
    struct composer *c = *composer;

    if (!c)
        return;
    for (unsigned i = 0; i < c->n_choices; i++)
        map_writer_free(&c->choice[i].writer);
    for (unsigned i = 0; c->output && i < c->n_outputs; i++)
        edi_writer_free(&c->output[i].writer);
    free(c->output);
    if (c->file >= 0)
        close(c->file);
    arena_deinit(&c->arena);
    free(c);
    *composer = NULL;
}

/* --- Findings ------------------------------------------------------------------------ */

static const char *keep_words(struct arena *a, const char *words)
{
    return arena_copy(a, slice(words, strlen(words) + 1)).p;
}

/* Keeps a finding until it is its record's turn. */
static int keep(struct composer *c, const struct map_write_finding *f, const struct guide *once)
{
    struct arena *a = &c->made->arena;
    struct told *t = ARENA_NEW(a, struct told);

    if (!t)
        return ERR_NOMEM;
    *t = (struct told){ .once = once, .finding = *f };
    t->finding.path = arena_copy(a, f->path);
    t->finding.value = arena_copy(a, f->value);
    t->finding.place = arena_copy(a, f->place);
    t->finding.found = keep_words(a, f->found);
    t->finding.expected = keep_words(a, f->expected);
    if ((f->path.n && !t->finding.path.p) || (f->value.n && !t->finding.value.p) ||
        (f->place.n && !t->finding.place.p) || !t->finding.found || !t->finding.expected)
        return ERR_NOMEM;
    *c->telling->end = t;
    c->telling->end = &t->next;
    c->refused |= f->severity == SEVERITY_ERROR;
    return 0;
}

static int keep_finding(void *ctx, const struct map_write_finding *f)
{
    return keep(ctx, f, NULL);
}

/* An error of our own: refuses the record. */
static void refuse(struct composer *c, const char *code, const char *path, struct slice value, const char *found,
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
    c->nomem |= keep(c, &f, NULL) < 0;
}

/* --- The record ---------------------------------------------------------------------- */

static int member_text(struct composer *c, const struct json_tape *tape, uint32_t object, const char *name,
                       struct slice *text_r, struct err *err)
{
    uint32_t node = json_member(tape, object, slice_of(name));

    *text_r = slice(NULL, 0);
    if (!node || tape->node[node].type != JSON_STRING)
        return 0;
    return json_string(tape, node, &c->arena, text_r) < 0 ? err_nomem(err) : 0;
}

static int read_source(struct composer *c, const struct json_tape *tape, struct source *s, struct err *err)
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
        /* of EDIFACT only */
        { "syntax", &s->syntax },           { "sender_routing", &s->sender_routing },
        { "receiver_routing", &s->receiver_routing },
        { "group_sender_qualifier", &s->group_sender_qualifier },
        { "group_receiver_qualifier", &s->group_receiver_qualifier },
        { "application", &s->application }, { "priority", &s->priority },
        { "agreement", &s->agreement },
    };
    enum { FIELDS = sizeof(fields) / sizeof(fields[0]), OF_EDIFACT = 8 };
    uint32_t object = json_member(tape, 0, SLICE("source"));

    *s = (struct source){ .standard = { NULL, 0 } };
    if (!object || tape->node[object].type != JSON_OBJECT)
        return 0;
    for (unsigned i = 0; i < FIELDS - (slice_is(s->standard, "edifact") ? 0 : OF_EDIFACT); i++)
        if (member_text(c, tape, object, fields[i].name, fields[i].text, err) < 0)
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

/* What a record becomes: what was asked for, what the line or the map is for, what it came from, or X12. */
static const struct dialect *dialect_for(const struct produce_options *o, const struct partner_route *route,
                                         const struct source *s)
{
    const struct dialect *dialect;

    if (o->dialect)
        return o->dialect;
    if (route)
        return dialect_of_set(route->document);
    if (o->map)
        return dialect_of_set(map_set(o->map));
    return (dialect = dialect_named(s->standard)) ? dialect : &dialect_x12;
}

/* The map for a kind of record. 0 with NULL in *map_r: there is none. */
static int choose_map(struct composer *c, struct slice kind, const struct source *s, const struct partner_route *route,
                      const struct dialect *dialect, const struct map **map_r, struct err *err)
{
    const struct partner *partner = c->options->agreement ? agreement_partner(c->options->agreement) : NULL;
    const struct slice standard = slice_of(dialect->standard);
    struct complaints *complaints = c->options->complaints;
    int rc = ERR_MISSING;

    *map_r = c->options->map;
    if (!*map_r && route)
        *map_r = agreement_map(c->options->agreement, (unsigned)(route - partner->route));
    if (*map_r)
        return 0;
    if (route) {
        rc = maps_by_set(c->options->maps, standard, route->document, complaints, map_r, err);
    } else if (s->set.n && slice_eq(s->standard, standard)) {
        rc = maps_by_set(c->options->maps, standard, s->set, complaints, map_r, err);
        if (rc == 0 && !slice_eq(map_kind(*map_r)->name, kind))
            rc = ERR_MISSING;
    }
    if (rc == ERR_MISSING && !route)
        rc = maps_by_record(c->options->maps, standard, kind, complaints, map_r, err);
    if (rc == ERR_MISSING) {
        *map_r = NULL;
        return 0;
    }
    return rc;
}

/* A document of a version, as dialects want to see it. */
static struct edi_document document_of(struct slice version, struct slice association)
{
    return (struct edi_document){ .version = version, .association = association };
}

/* The guide that a document of this version is written by. */
static int choose_guide(struct composer *c, struct slice set, struct slice version, struct slice association,
                        const struct guide **guide_r, bool *substituted_r, struct err *err)
{
    const struct dialect *dialect = dialect_of_set(set);
    const struct edi_document d = document_of(version, association);
    char room[GUIDE_DIRECTORY];
    int rc;

    *substituted_r = false;
    for (unsigned i = 0; i < c->options->n_guides; i++)
        if (slice_eq(c->options->guide[i]->set, set)) {
            *guide_r = c->options->guide[i];
            return 0;
        }
    rc = guides_find(c->options->guides, slice_of(dialect->standard), dialect->folder(version, association, room), set,
                     c->options->complaints, guide_r, err);
    if (rc == 0)
        *substituted_r = !dialect->same_version(&d, *guide_r);
    return rc;
}

/* What a map with a version needs to be written, kept for the next record. ERR_DATA: refused. */
static int choose(struct composer *c, const struct map *map, struct slice version, struct slice association,
                  bool unmapped, struct choice **choice_r, struct err *err)
{
    const struct edi_document d = document_of(version, association);
    struct map_write_options how = { .write_unmapped = unmapped, .policy = c->options->policy,
                                     .short_dates = check_has_short_dates(version) };
    struct choice *k, made = { .map = map, .unmapped = unmapped };
    const struct map_plan *plan;
    int rc;

    for (unsigned i = 0; i < c->n_choices; i++) {
        k = &c->choice[i];
        if (k->map == map && k->unmapped == unmapped && slice_is(version, k->version) &&
            slice_is(association, k->association)) {
            *choice_r = k;
            return 0;
        }
    }
    if (version.n >= ENVELOPE_TEXT_MOST || association.n >= ENVELOPE_TEXT_MOST) {
        refuse(c, "ENVELOPE", "source.version", version, "is too long for a version", "");
        return ERR_DATA;
    }
    rc = choose_guide(c, map_set(map), version, association, &made.guide, &made.substituted, err);
    if (rc == ERR_MISSING) {
        refuse(c, "NO-GUIDE", "source.version", version, "is a version without a guide for this document", "");
        return ERR_DATA;
    }
    if (rc == 0)
        rc = map_plan_for(c->options->maps, map, made.guide, c->options->complaints, &plan, err);
    if (rc == 0) {
        how.later = dialect_of_set(map_set(map))->later(&d, made.guide);
        rc = map_writer_new(plan, &how, &made.writer, err);
    }
    if (rc < 0)
        return rc == ERR_DATA || rc == ERR_MISSING ? ERR_CONFIG : rc;
    memcpy(made.version, version.p, version.n);
    if (association.n)
        memcpy(made.association, association.p, association.n);
    if (c->n_choices < CHOICES) {
        k = &c->choice[c->n_choices++];
    } else {
        k = &c->choice[c->oldest++ % CHOICES];
        map_writer_free(&k->writer);
    }
    *k = made;
    *choice_r = k;
    return 0;
}

/* --- Envelopes ------------------------------------------------------------------------- */

static void put(struct composer *c, struct envelope *e, enum envelope_text field, struct slice text, const char *path)
{
    if (text.n >= ENVELOPE_TEXT_MOST)
        refuse(c, "ENVELOPE", path, text, "is too long", "");
    else if (text.n)
        memcpy(e->text[field], text.p, text.n);
}

/* Qualifier and id of "ZZ:NORTHWIND". In EDIFACT a qualifier may be missing: ":NORTHWIND". */
static void put_party(struct composer *c, struct envelope *e, enum envelope_text qualifier, struct slice party,
                      const char *path)
{
    struct slice id;
    bool found;
    struct slice before = slice_cut(party, ':', &id, &found);

    if (!found || (!before.n && c->made->dialect == &dialect_x12) || !id.n) {
        refuse(c, "ENVELOPE", path, party, "is not a qualifier and an id with a colon between them", "ZZ:NORTHWIND");
        return;
    }
    put(c, e, qualifier, before, path);
    put(c, e, (enum envelope_text)(qualifier + 1), id, path);
}

static bool party_is(struct slice party, struct slice qualifier, struct slice id)
{
    return party.n == qualifier.n + 1 + id.n && slice_starts(party, qualifier) && party.p[qualifier.n] == ':' &&
           slice_eq(slice_from(party, qualifier.n + 1), id);
}

/* Between whom a document goes. */
struct address {
    int output;         /* -1: none is for this */
    const struct partner_group *group;
    bool from_us;
    bool back;          /* sender and receiver are those the record came with */
    bool bare;          /* without a group */
};

/* The group of an identity for a document: the one that the record came with, else the first. */
static const struct partner_group *choose_group(const struct partner_identity *x, struct slice set, struct slice code)
{
    const struct partner_group *first = NULL;

    for (unsigned i = 0; i < x->n_groups; i++) {
        if (!partner_group_is_for(&x->group[i], set))
            continue;
        if (code.n && slice_eq(x->group[i].them, code))
            return &x->group[i];
        if (!first)
            first = &x->group[i];
    }
    return first;
}

/* Does what the map makes stand outside of groups? */
static bool is_bare(struct composer *c, const struct map *map)
{
    const struct guide *guide = NULL;
    struct err none = { 0 };
    int rc = guides_by_id(c->options->guides, map_guide(map, 0), c->options->complaints, &guide, &none);

    c->nomem |= rc == ERR_NOMEM;
    return rc == 0 && guide->bare;
}

/* The party that was given, or none was. */
static bool is_party(struct slice given, struct slice party)
{
    return !given.n || slice_eq(given, party);
}

static void choose_address(struct composer *c, const struct source *s, const struct partner_route *route,
                           const struct map *map, struct address *a)
{
    const struct slice set = map_set(map);
    const struct dialect *dialect = dialect_of_set(set);
    const bool same = slice_is(s->standard, dialect->standard);
    char words[60];
    bool any = false;

    *a = (struct address){ .from_us = !route || route->send, .output = -1 };
    if (!c->options->agreement) {
        a->output = 0;
        a->back = same && is_party(c->options->sender, s->sender) && is_party(c->options->receiver, s->receiver);
        return;
    }
    for (unsigned i = 0; i < c->n_outputs; i++) {
        const struct partner_identity *x = compose_identity(c->options, i);
        struct slice them = a->from_us ? s->receiver : s->sender, us = a->from_us ? s->sender : s->receiver;
        bool back = same && party_is(them, x->qualifier, x->id) && party_is(us, x->our_qualifier, x->our_id);
        const struct partner_group *group =
            choose_group(x, set, !back ? slice(NULL, 0) : a->from_us ? s->group_receiver : s->group_sender);

        if (x->dialect != dialect)
            continue;
        any = true;
        if (x->n_groups && !group && !is_bare(c, map))
            continue;
        if (a->output < 0 || (back && !a->back)) {
            a->output = (int)i;
            a->group = group;
            a->back = back;
        }
    }
    if (a->output < 0 && any) {
        refuse(c, "ENVELOPE", "record", set, "is no document that a group of the partner file is for", "");
    } else if (a->output < 0) {
        snprintf(words, sizeof(words), "the partner file has no line \"%s\"", dialect->standard);
        refuse(c, "ENVELOPE", "record", slice(NULL, 0), words, "");
    }
}

static char usage_of(const struct partner_group *group, const struct source *s)
{
    char theirs = group ? group->usage : 'P';

    if (theirs == 'T' || slice_is(s->usage, "test"))
        return 'T';
    return theirs == 'I' || slice_is(s->usage, "information") ? 'I' : 'P';
}

static void address_envelope(struct composer *c, const struct address *a, const struct source *s, struct envelope *e)
{
    const struct partner_identity *x = compose_identity(c->options, (unsigned)a->output);
    enum envelope_text them = a->from_us ? RECEIVER_QUALIFIER : SENDER_QUALIFIER;
    enum envelope_text us = a->from_us ? SENDER_QUALIFIER : RECEIVER_QUALIFIER;
    enum envelope_text group_them = a->from_us ? GROUP_RECEIVER : GROUP_SENDER;
    enum envelope_text group_us = a->from_us ? GROUP_SENDER : GROUP_RECEIVER;

    if (x) {
        put(c, e, them, x->qualifier, "");
        put(c, e, (enum envelope_text)(them + 1), x->id, "");
        put(c, e, us, x->our_qualifier, "");
        put(c, e, (enum envelope_text)(us + 1), x->our_id, "");
        if (a->group && c->made->grouped) {
            put(c, e, group_them, a->group->them, "");
            put(c, e, group_us, a->group->us, "");
        }
        e->acknowledgment = agreement_partner(c->options->agreement)->expect &
                            (x->dialect == &dialect_x12 ? PARTNER_TA1 : PARTNER_CONTRL);
        if (x->dialect == &dialect_edifact) {
            put(c, e, a->from_us ? RECEIVER_ROUTING : SENDER_ROUTING, x->routing, "");
            put(c, e, a->from_us ? SENDER_ROUTING : RECEIVER_ROUTING, x->our_routing, "");
            put(c, e, APPLICATION, x->application, "");
            put(c, e, PRIORITY, x->priority, "");
            put(c, e, AGREEMENT, x->agreement, "");
        }
    } else {
        const struct slice sender = c->options->sender.n ? c->options->sender : s->sender;
        const struct slice receiver = c->options->receiver.n ? c->options->receiver : s->receiver;
        if (sender.n)
            put_party(c, e, SENDER_QUALIFIER, sender, "source.sender");
        else
            refuse(c, "ENVELOPE", "source.sender", slice(NULL, 0), "is missing, and there is no partner file", "");
        if (receiver.n)
            put_party(c, e, RECEIVER_QUALIFIER, receiver, "source.receiver");
        else
            refuse(c, "ENVELOPE", "source.receiver", slice(NULL, 0), "is missing, and there is no partner file", "");
        if (a->back) {
            put(c, e, SENDER_ROUTING, s->sender_routing, "source.sender_routing");
            put(c, e, RECEIVER_ROUTING, s->receiver_routing, "source.receiver_routing");
            put(c, e, APPLICATION, s->application, "source.application");
            put(c, e, PRIORITY, s->priority, "source.priority");
            put(c, e, AGREEMENT, s->agreement, "source.agreement");
        }
    }
    if (a->back && !a->group && c->made->grouped) {
        put(c, e, GROUP_SENDER, s->group_sender, "source.group_sender");
        put(c, e, GROUP_RECEIVER, s->group_receiver, "source.group_receiver");
        put(c, e, GROUP_SENDER_QUALIFIER, s->group_sender_qualifier, "source.group_sender_qualifier");
        put(c, e, GROUP_RECEIVER_QUALIFIER, s->group_receiver_qualifier, "source.group_receiver_qualifier");
    }
}

static void number_envelope(struct composer *c, const struct address *a, const struct source *s, struct envelope *e)
{
    if (a->back) {
        put(c, e, INTERCHANGE_CONTROL, s->interchange, "source.interchange");
        if (c->made->grouped)
            put(c, e, GROUP_CONTROL, s->group, "source.group");
    }
    if (c->options->interchange)
        return;
    if (!a->back)
        refuse(c, "CONTROL-NUMBER", "", slice(NULL, 0), "no control number was given for what is sent", "");
    else if (!s->interchange.n || (c->made->grouped && !s->group.n) || (!a->bare && !s->document.n))
        refuse(c, "CONTROL-NUMBER",
               !s->interchange.n                 ? "source.interchange"
               : c->made->grouped && !s->group.n ? "source.group"
                                                 : "source.document",
               slice(NULL, 0), "is missing, and no control number was given", "");
}

static void date_envelope(struct composer *c, const struct address *a, const struct source *s, struct envelope *e)
{
    e->at = c->options->date ? *c->options->date : c->options->now;
    if (!c->options->date && a->back) {
        struct edi_time t;
        if (read_time(s->sent_at, &t))
            e->at = t;
        e->group_at = c->made->grouped && read_time(s->group_sent_at, &t) ? t : e->at;
        return;
    }
    e->group_at = e->at;
}

/* --- One record -------------------------------------------------------------------------- */

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

/* A record's own ST02, which has four digits at least, or UNH01. */
static struct slice own_number(const struct dialect *dialect, struct arena *arena, struct slice document)
{
    const unsigned digits = dialect->level[DIALECT_DOCUMENT].digits;
    char text[16];
    uint64_t number;

    if (document.n >= digits || !slice_number(document, NUMBER_MOST, &number))
        return arena_copy(arena, document);
    return arena_copy(arena, slice(text, (size_t)snprintf(text, sizeof(text), "%0*u", (int)digits, (unsigned)number)));
}

static void warn_of_version(struct composer *c, const struct choice *k)
{
    enum finding_code code = FINDING_VERSION_SUBSTITUTED;
    struct map_write_finding f = {
        .code = finding_name(code, c->made->dialect),
        .severity =
            c->options->policy ? (enum severity)c->options->policy->severity[code] : finding_rows[code].severity,
        .path = SLICE("source.version"),
        .value = slice_of(k->version),
        .found = "has no guide of its own, that of another version is used",
        .expected = "",
        .place = k->guide->id,
    };

    if (f.severity == SEVERITY_IGNORE)
        return;
    /* said once; but an error is one for every record */
    c->nomem |= keep(c, &f, f.severity == SEVERITY_ERROR ? NULL : k->guide) < 0;
}

/* The version that is asked for, the partner's, that of the source of the same set, or the map's own. */
static int choose_version(struct composer *c, const struct map *map, const struct partner_group *group,
                          const struct source *same, struct slice *version_r, struct slice *association_r,
                          struct err *err)
{
    const struct guide *guide;
    struct slice own = c->options->version;
    char *room;
    int rc;

    *association_r = slice(NULL, 0);
    if (!own.n && group && group->version.n) {
        *version_r = group->version;
        *association_r = group->association;
        return 0;
    }
    if (!own.n && same && same->version.n) {
        *version_r = same->version;
        if (c->made->dialect == &dialect_edifact)
            *association_r = same->implementation;
        return 0;
    }
    if (!own.n) {
        rc = guides_by_id(c->options->guides, map_guide(map, 0), c->options->complaints, &guide, err);
        if (rc < 0)
            return rc == ERR_MISSING ? ERR_CONFIG : rc;
        own = guide->version;
    }
    *version_r = own;
    if (c->made->dialect == &dialect_x12)
        return 0;
    room = arena_alloc(&c->arena, GUIDE_DIRECTORY);
    if (!room)
        return err_nomem(err);
    guide_directory_parts(own, room, version_r, association_r);
    if (!memchr(version_r->p, '.', version_r->n)) {
        refuse(c, "ENVELOPE", "source.version", own, "is no directory", "one such as d96a or d96a-ean008");
        return ERR_DATA;
    }
    return 0;
}

/* Versions of X12 that differ in what the industry adds to them are one. */
static bool is_same_version(const struct dialect *dialect, struct slice a, struct slice b)
{
    if (dialect == &dialect_edifact)
        return slice_eq(a, b);
    return slice_eq(slice(a.p, a.n < 6 ? a.n : 6), slice(b.p, b.n < 6 ? b.n : 6));
}

/* Character set and syntax version: the partner's; or what was asked for, else those that the record came with. */
static void put_syntax(struct composer *c, const struct address *a, const struct source *s, struct envelope *e)
{
    const struct partner_identity *x = compose_identity(c->options, (unsigned)a->output);
    struct slice syntax = c->options->syntax, version;
    char text[ENVELOPE_TEXT_MOST];
    enum edi_charset set;
    bool found;

    if (x) {
        const struct slice set_name = x->character_set.n ? x->character_set : slice_of(charset_syntax(x->charset));
        snprintf(text, sizeof(text), "%.*s:%.*s", SLICE_FMT(set_name), SLICE_FMT(x->version));
        syntax = slice_of(text);
    } else if (!syntax.n) {
        syntax = a->back && s->syntax.n ? s->syntax : SLICE("UNOC:3");
    }
    if (!charset_of_syntax(slice_cut(syntax, ':', &version, &found), &set) || !found)
        refuse(c, "ENVELOPE", "source.syntax", syntax, "is not a character set and a syntax version", "UNOC:3");
    put(c, e, SYNTAX, syntax, "source.syntax");
}

/* All but the body. ERR_DATA: refused. */
static int prepare(struct composer *c, const struct record *record, const struct source *s, struct err *err)
{
    struct composed *m = c->made;
    struct envelope *e = &m->envelope;
    const struct partner *partner = c->options->agreement ? agreement_partner(c->options->agreement) : NULL;
    const struct partner_route *route;
    const struct map *map;
    const struct guide *guide;
    struct address a;
    struct slice kind, version, association;
    bool same_set;
    char words[80];
    uint32_t rejected = json_member(record->tape, 0, SLICE("rejected"));
    int rc = member_text(c, record->tape, 0, "record", &kind, err);

    if (rc < 0)
        return rc;
    if (!kind.n) {
        refuse(c, "RECORD-MISSING", "record", slice(NULL, 0), "is missing", "the kind of record, such as \"order\"");
        return ERR_DATA;
    }
    if (rejected) {
        refuse(c, "RECORD-REJECTED", "rejected", slice(NULL, 0), "says that the record was refused when it was read",
               "");
        return ERR_DATA;
    }
    route = c->options->route ? c->options->route
            : partner         ? partner_route_of_record(partner, kind, c->options->dialect)
                              : NULL;
    m->dialect = dialect_for(c->options, route, s);
    rc = choose_map(c, kind, s, route, m->dialect, &map, err);
    if (rc < 0)
        return rc;
    if (!map) {
        snprintf(words, sizeof(words), "is a kind of record without a map to %s", m->dialect->name);
        refuse(c, "NO-MAP", "record", kind, words, "");
        return ERR_DATA;
    }
    if (!slice_eq(map_kind(map)->name, kind)) {
        refuse(c, "NO-MAP", "record", kind, "is not the kind of record that the map is for", "");
        return ERR_DATA;
    }
    if (dialect_of_set(map_set(map)) != m->dialect) {
        snprintf(words, sizeof(words), "is written by a map that is not one of %s", m->dialect->name);
        refuse(c, "NO-MAP", "record", kind, words, "");
        return ERR_DATA;
    }
    choose_address(c, s, route, map, &a);
    if (c->refused)
        return ERR_DATA;

    same_set = slice_is(s->standard, m->dialect->standard) && slice_eq(s->set, map_set(map));
    rc = choose_version(c, map, a.group, same_set ? s : NULL, &version, &association, err);
    if (rc < 0)
        return rc;
    rc = choose(c, map, version, association, a.back && same_set && is_same_version(m->dialect, version, s->version),
                &c->chosen, err);
    if (rc < 0)
        return rc;
    guide = c->chosen->guide;
    if (c->chosen->substituted)
        warn_of_version(c, c->chosen);
    map_writer_crossing(c->chosen->writer, dialect_named(s->standard) && dialect_named(s->standard) != m->dialect);
    a.bare = m->bare = guide->bare;
    m->grouped = !m->bare && (m->dialect->groups || (a.back && s->group.n));

    address_envelope(c, &a, s, e);
    if (m->dialect == &dialect_edifact) {
        put_syntax(c, &a, s, e);
        put(c, e, GROUP_CODE, m->grouped ? guide->set : slice(NULL, 0), "");
        m->version = arena_copy(&m->arena, version);
        m->association = arena_copy(&m->arena, association);
    } else {
        put(c, e, GROUP_CODE, guide->group, "");
        put(c, e, VERSION, version, "source.version");
        m->version = m->association = slice(NULL, 0);
    }
    number_envelope(c, &a, s, e);
    date_envelope(c, &a, s, e);
    e->usage = usage_of(a.group, s);
    m->output = (unsigned)a.output;
    m->set = guide->set;
    m->document = own_number(m->dialect, &m->arena, s->document);
    if (a.back && slice_eq(s->set, guide->set) && slice_eq(s->version, slice_of(c->chosen->version)))
        m->implementation = arena_copy(&m->arena, s->implementation);
    if ((s->document.n && !m->document.p) || (m->implementation.n && !m->implementation.p) ||
        (m->version.n && !m->version.p) || (m->association.n && !m->association.p))
        return err_nomem(err);
    /* ids count the documents of a group: one that does not go on belongs to another interchange that looks the same */
    m->ordinal = c->options->interchange ? 0 : ordinal_of(record);
    m->addressed = !c->refused;
    return c->refused ? ERR_DATA : 0;
}

void compose_envelope(struct composer *c, const struct record *record, struct composed *m)
{
    struct source s;

    c->made = m;
    c->telling = &m->before;
    c->refused = c->nomem = false;
    c->chosen = NULL;
    arena_reset(&c->arena);
    arena_reset(&m->arena);
    told_clear(&m->before);
    told_clear(&m->findings);
    buf_clear(&m->body);
    m->file = -1;
    memset(&m->envelope, 0, sizeof(m->envelope));
    m->set = m->document = m->implementation = slice(NULL, 0);
    m->addressed = m->bare = m->grouped = false;
    m->dialect = &dialect_x12;
    m->segments = m->ordinal = 0;
    m->code = 0;
    m->err.code = 0;
    m->code = read_source(c, record->tape, &s, &m->err);
    if (m->code < 0)
        return;
    if (c->lock)
        pthread_mutex_lock(c->lock);
    m->code = prepare(c, record, &s, &m->err);
    if (c->lock)
        pthread_mutex_unlock(c->lock);
    if (c->nomem)
        m->code = err_nomem(&m->err);
}


/* An interchange and a group for bodies of that version. ERR_DATA: it is no version that could be in an envelope. */
static int open_around(struct composer *c, const struct composed *m, struct edi_writer *writer, struct err *err)
{
    const struct partner_identity *x = compose_identity(c->options, m->output);
    struct edi_write_options how;
    struct edi_envelope e = {
        .at = m->envelope.at,
        .sender = SLICE("A"),
        .receiver = SLICE("B"),
        .interchange_version = x ? x->version : slice(NULL, 0),
        .interchange_control = SLICE("1"),
        .group = SLICE("AB"),
        .group_control = SLICE("1"),
        .version = slice_of(m->envelope.text[VERSION]),
    };
    int rc = 0;

    edi_writer_clear(writer);
    if (m->dialect == &dialect_edifact)
        compose_syntax_of(&m->envelope, &e);
    if (!x) {
        compose_options_of(c->options, m, &how);
        rc = edi_writer_options(writer, &how);
    }
    if (rc == 0)
        rc = edi_write_interchange(writer, &e);
    if (rc == 0 && m->dialect->groups)
        rc = edi_write_group(writer, &e);
    return rc < 0 ? err_set(err, rc, "%s", edi_writer_error(writer)->text) : 0;
}

/* The writer in which such an interchange and group are open, for a message of that type. */
static int open_like(struct composer *c, const struct composed *m, struct edi_writer **writer_r, struct err *err)
{
    struct output *o = &c->output[m->output];
    const bool edifact = m->dialect == &dialect_edifact;
    const char *open = m->envelope.text[edifact ? SYNTAX : VERSION];
    struct edi_write_options how;
    struct edi_message_type type;
    int rc = 0;

    if (!o->writer) {
        compose_options_of(c->options, m, &how);
        how.write = NULL;
        rc = edi_writer_new(&how, &o->writer, err);
        if (rc < 0)
            return rc;
    }
    *writer_r = o->writer;
    if (!o->open[0] || strcmp(o->open, open) != 0) {
        o->open[0] = 0;
        rc = open_around(c, m, o->writer, err);
        if (rc < 0)
            return rc;
        edi_writer_taken(o->writer);
        memcpy(o->open, open, sizeof(o->open));
    }
    if (!edifact)
        return 0;
    type = compose_type_of(m);
    rc = edi_writer_message(o->writer, &type);
    return rc < 0 ? err_set(err, rc, "%s", edi_writer_error(o->writer)->text) : 0;
}

void compose(struct composer *c, const struct record *record, struct composed *m)
{
    struct edi_writer *out = NULL;
    struct slice control;
    int rc;

    compose_envelope(c, record, m);
    if (m->code < 0)
        return;
    rc = open_like(c, m, &out, &m->err);
    /* then the real envelope cannot be opened either, and that is told with the record's own fields */
    if (rc == ERR_DATA)
        return;
    c->telling = &m->findings;
    control = c->options->interchange ? SLICE("0001") : m->document;
    if (rc == 0)
        rc = map_write_record(c->chosen->writer, record, out, control, m->implementation, keep_finding, c, &m->err);
    if (rc == ERR_LIMIT)
        rc = ERR_DATA;
    /* what no finding tells, the words do */
    if (rc == ERR_DATA && !c->refused)
        refuse(c, "RECORD-REFUSED", "", slice(NULL, 0), m->err.text, "");
    if (rc == 0) {
        buf_add_slice(&m->body, map_writer_body(c->chosen->writer));
        m->segments = map_writer_segments(c->chosen->writer) - (m->bare ? 0 : 2);
        edi_writer_taken(out);
        rc = m->body.failed ? err_set(&m->err, m->body.failed, "%s", err_name(m->body.failed)) : 0;
    }
    m->code = c->nomem ? err_nomem(&m->err) : rc;
}

static int write_file(void *ctx, const char *p, size_t n, struct err *err)
{
    const struct composer *c = ctx;
    return file_write_all(c->file, p, n, err);
}

int compose_file(struct composer *c, const struct record *record, struct composed *m, struct slice control,
                 map_write_finding_fn *finding, void *ctx, struct err *err)
{
    struct edi_write_options how;
    struct edi_message_type type = compose_type_of(m);
    struct edi_writer *out = NULL;
    int rc = 0;

    if (c->file < 0)
        rc = file_temporary(NULL, &c->file, err);
    else if (ftruncate(c->file, 0) < 0 || lseek(c->file, 0, SEEK_SET) < 0)
        rc = err_system(err, "a temporary file");
    if (rc < 0)
        return rc;
    compose_options_of(c->options, m, &how);
    how.write = write_file;
    how.ctx = c;
    rc = edi_writer_new(&how, &out, err);
    if (rc == 0)
        rc = open_around(c, m, out, err);
    if (rc == 0 && m->dialect == &dialect_edifact && (rc = edi_writer_message(out, &type)) < 0)
        err_set(err, rc, "%s", edi_writer_error(out)->text);
    if (rc == 0) {
        map_writer_discard(c->chosen->writer, true);
        rc = map_write_record(c->chosen->writer, record, out, control, m->implementation, finding, ctx, err);
        map_writer_discard(c->chosen->writer, false);
    }
    if (rc == 0 && (rc = edi_writer_flush(out)) < 0)
        err_set(err, rc, "%s", edi_writer_error(out)->text);
    if (rc == 0) {
        m->file = c->file;
        map_writer_extent(c->chosen->writer, &m->from, &m->to);
        m->segments = map_writer_segments(c->chosen->writer) - (m->bare ? 0 : 2);
    }
    edi_writer_free(&out);
    return rc;
}
