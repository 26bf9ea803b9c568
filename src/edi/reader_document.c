/*
 * reader_document: where a document begins and ends: its facts, the guide it is read with, its number and its count.
 * Also what stands between documents and is none. Nothing is allocated here but the numbers seen.
 *
 * Sources: X12.6 (application control structure), X12.22 (segments); ISO 9735 versions 1 to 3, ISO 9735-1 version 4.
 */
#include "edi/reader_inside.h"

#include <stdio.h>

bool reader_is_new_set(struct edi_reader *r, struct slice set)
{
    uint64_t key = slice_key(set);
    for (unsigned i = 0; i < r->n_sets_seen; i++)
        if (r->set_seen[i] == key)
            return false;
    if (key == 0 || r->n_sets_seen == SETS_SEEN)
        return false;
    r->set_seen[r->n_sets_seen++] = key;
    return true;
}

static int choose_guide(struct edi_reader *r, const struct guide **guide_r)
{
    struct edi_document *d = &r->document;
    char version[sizeof(((struct cached_guide *)0)->version)];
    struct cached_guide *c;
    int result;

    *guide_r = NULL;
    for (unsigned i = 0; i < r->options.n_partner; i++)
        if (slice_eq(r->options.partner[i]->set, d->set) &&
            slice_is(r->options.partner[i]->standard, r->dialect->standard)) {
            *guide_r = r->options.partner[i];
            return 0;
        }
    r->dialect->version(d, version, sizeof(version));
    if (d->set.n >= sizeof(c->set))
        return 0;
    for (unsigned i = 0; i < CACHED_GUIDES; i++) {
        c = &r->cached[i];
        if (c->set[0] && c->dialect == r->dialect && strcmp(version, c->version) == 0 && slice_is(d->set, c->set)) {
            *guide_r = c->guide;
            return 0;
        }
    }
    result = guides_find(r->options.guides, slice_of(r->dialect->standard), slice_of(version), d->set,
                         r->options.complaints, guide_r, r->err);
    if (result < 0 && result != ERR_MISSING)
        return reader_stop(r, result);
    c = &r->cached[r->next_cached++ % CACHED_GUIDES];
    snprintf(c->version, sizeof(c->version), "%s", version);
    snprintf(c->set, sizeof(c->set), "%.*s", SLICE_FMT(d->set));
    c->dialect = r->dialect;
    c->guide = *guide_r;
    return 0;
}

static void tell_substitution(struct edi_reader *r, const struct segment *s)
{
    const struct edi_document *d = &r->document;
    const struct guide *g = d->guide;
    char found[160], version[40], name[32];
    const struct dialect *x = r->dialect;
    const bool x12 = x == &dialect_x12;

    if (g->base.n || x->same_version(d, g))
        return;
    if (d->version.n && !x->version(d, name, sizeof(name))) {
        snprintf(found, sizeof(found), "%s names no version; the %.*s is read with %.*s", x12 ? "GS08" : "UNH02",
                 SLICE_FMT(g->set), SLICE_FMT(g->version));
        reader_find(r, FINDING_VERSION_SUBSTITUTED, s, 0, found,
                    x12 ? "a version of six digits, such as 004010" : "a directory, such as D and 96A");
        return;
    }
    reader_safe_text(r, x12 && d->version.n > 6 ? slice(d->version.p, 6) : d->version, 20, version, sizeof(version));
    snprintf(found, sizeof(found), "version %s of the %.*s has no guide; it is read with %.*s, the nearest %s", version,
             SLICE_FMT(g->set), SLICE_FMT(g->version),
             x->later(d, g).n || (x == &dialect_x12 && slice_cmp(g->version, slice_of(version)) < 0) ? "lower one"
                                                                                                     : "one there is");
    reader_find(r, FINDING_VERSION_SUBSTITUTED, s, 0, found, "");
}

static int close_document(struct edi_reader *r)
{
    if (r->level != IN_DOCUMENT)
        return r->stopped;
    if (r->document.errors == 0)
        r->in.group.accepted++;
    if (r->sink.document_end && !r->stopped)
        reader_call(r, r->sink.document_end(r->sink.ctx, &r->document));
    r->level = IN_GROUP;
    return r->stopped;
}

int reader_close_document_early(struct edi_reader *r)
{
    if (r->level != IN_DOCUMENT)
        return r->stopped;
    reader_find_no_trailer(r, FINDING_SET_TRAILER, DIALECT_DOCUMENT);
    return close_document(r);
}

/* The segment that begins or ends a document. */
static int take_service(struct edi_reader *r, const struct segment *s)
{
    const struct segment_def *def = NULL;
    int result;

    if (r->dialect == &dialect_edifact && slice_is(r->in.interchange.version, "4") && r->document.guide &&
        r->in.envelope)
        def = guide_segment(r->in.envelope, segment_tag(s));
    r->service = def ? SERVICE_BY_GUIDE : SERVICE_NONE;
    result = reader_take_segment(r, s);
    if (def && !r->stopped) {
        r->service = SERVICE_BY_SYNTAX;
        check_elements(&r->checker, s, def);
        result = r->checker.stopped ? reader_stop(r, r->checker.stopped) : r->stopped;
    }
    r->service = SERVICE_NONE;
    return result;
}

/* A document needs a group around it: when there is none, one is implied. */
bool reader_open_for_document(struct edi_reader *r)
{
    bool outside = false;
    reader_close_document_early(r);
    if (r->level == OUTSIDE)
        reader_open_interchange(r, NULL);
    if (r->level == IN_INTERCHANGE && !r->stopped) {
        outside = true;
        reader_open_group(r, NULL);
    }
    return outside;
}

int reader_take_document(struct edi_reader *r, const struct segment *s)
{
    const struct dialect *x = r->dialect;
    struct edi_document *d = &r->document;
    struct slice element[4];
    const struct guide *guide = NULL;
    bool fresh, outside = reader_open_for_document(r);

    if (r->stopped || !(s = reader_readable(r, s)))
        return r->stopped;
    reader_keep_elements(s, r->document_text, element, 3);
    *d = (struct edi_document){ .interchange = &r->in.interchange,
                                .group = &r->in.group,
                                .errors = r->in.interchange.foreign != NULL };
    x->document_facts(d, element, s->flags, r->version_text, sizeof(r->version_text));
    r->n_missed = 0;
    r->told_segment = 0;
    d->ordinal = ++r->in.documents;
    d->in_group = ++r->in.group.documents;
    r->in.interchange.documents += r->in.group.implied;
    r->level = IN_DOCUMENT;
    fresh = r->joined ? r->new_set : reader_is_new_set(r, d->set);
    r->new_set = false;
    if (choose_guide(r, &guide) < 0)
        return r->stopped;
    if (guide && guide->bare)
        guide = NULL;
    d->guide = guide;
    if (guide) {
        check_begin(&r->checker, guide);
        r->checker.short_dates = r->checker.no_long_dates = x == &dialect_x12 && check_has_short_dates(d->version);
        r->checker.later = x->later(d, guide);
    }
    if (r->sink.document)
        reader_call(r, r->sink.document(r->sink.ctx, d));
    outside |= r->in.group.implied && d->in_group == 1;
    if (outside && !x->groups && !r->in.interchange.n)
        reader_find(r, FINDING_SET_OUTSIDE, s, 0, "the message stands outside an interchange", "a UNB segment first");
    else if (outside && x->groups)
        reader_find(r, FINDING_SET_OUTSIDE, s, 0, "the transaction set stands outside a group", "a GS segment first");
    else if (outside && r->in.interchange.groups)
        reader_find(r, FINDING_SET_OUTSIDE, s, 0, "the message stands outside a group, and others do not",
                    "a UNG segment first");
    if (!guide) {
        char words[80];
        if (x == &dialect_x12 ? d->set.n == 3 : d->set.n == 6) {
            snprintf(words, sizeof(words), "a %s that there is a guide for", x->document);
            reader_find_part(r, FINDING_SET_UNSUPPORTED, s, x->set, x->set_part, "has no guide", words);
        } else {
            snprintf(words, sizeof(words), "is not a %s's identifier", x->document);
            reader_find_part(r, FINDING_SET_ID, s, x->set, x->set_part, d->set.n ? words : "missing", x->set_example);
        }
    } else {
        if (fresh)
            tell_substitution(r, s);
        struct slice code = x->groups ? guide->group : guide->set;
        if (code.n && !r->in.group.implied && r->in.group.code.n && !slice_eq(code, r->in.group.code)) {
            char expected[60];
            snprintf(expected, sizeof(expected), "a group %.*s in %s01", SLICE_FMT(code),
                     x->level[DIALECT_GROUP].begin);
            reader_find_part(r, FINDING_SET_GROUP, s, x->set, x->set_part, "does not belong in this group", expected);
        }
    }
    if (d->control.n == 0) {
        reader_find(r, FINDING_SET_NUMBER, s, x->level[DIALECT_DOCUMENT].control, "missing", "a control number");
    } else if (r->joined ? r->duplicate : !numbers_add(&r->numbers, d->control)) {
        char expected[60];
        snprintf(expected, sizeof(expected), "a number of its own for each %s", x->document);
        reader_find(r, FINDING_SET_DUPLICATE, s, x->level[DIALECT_DOCUMENT].control,
                    d->group->ordinal ? "was used before in this group" : "was used before in this interchange",
                    expected);
    }
    r->duplicate = false;
    if (r->numbers.nomem || r->group_numbers.nomem || r->interchange_numbers.nomem)
        reader_stop(r, err_nomem(r->err));
    return r->stopped ? r->stopped : take_service(r, s);
}

int reader_take_document_end(struct edi_reader *r, const struct segment *s)
{
    if (r->level != IN_DOCUMENT)
        return reader_find_no_header(r, s, DIALECT_DOCUMENT);
    if (!(s = reader_readable(r, s)))
        return r->stopped;
    take_service(r, s);
    if (!r->stopped && s->n >= 1)
        reader_compare_count(r, s, 1, r->document.segments, FINDING_SET_COUNT, "segments");
    if (!r->stopped && s->n >= 2)
        reader_compare_control(r, s, 2, r->document.control, FINDING_SET_CONTROL,
                               r->dialect->level[DIALECT_DOCUMENT].control_name);
    return close_document(r);
}

/* A segment that a guide is named after is a document by itself. False: there is no such guide. */
static bool take_bare(struct edi_reader *r, const struct segment *s)
{
    struct edi_document *d = &r->document;
    const enum level around = r->level;
    const struct guide *guide = NULL;

    r->no_group = (struct edi_group){ .implied = true, .version = r->in.interchange.version };
    *d = (struct edi_document){ .set = segment_tag(s),
                                .interchange = &r->in.interchange,
                                .group = &r->no_group,
                                .version = r->in.interchange.version,
                                .bare = true,
                                .errors = r->in.interchange.foreign != NULL };
    if (choose_guide(r, &guide) < 0 || !guide || !guide->bare)
        return r->stopped != 0;
    if (runs_settle(r) < 0)
        return true;
    r->n_missed = 0;
    r->told_segment = 0;
    d->set = guide->set;
    d->guide = guide;
    d->ordinal = ++r->in.documents;
    d->in_group = ++r->in.interchange.bare;
    r->level = IN_DOCUMENT;
    check_begin(&r->checker, guide);
    r->checker.short_dates = r->checker.no_long_dates = false;
    if (r->sink.document)
        reader_call(r, r->sink.document(r->sink.ctx, d));
    if (!r->stopped)
        reader_take_segment(r, s);
    if (r->sink.document_end && !r->stopped)
        reader_call(r, r->sink.document_end(r->sink.ctx, d));
    r->level = around;
    return true;
}

int reader_take_outside(struct edi_reader *r, const struct segment *s)
{
    struct slice tag = segment_tag(s);
    static const char *const known[] = { "TA1", "TA3", "ISB", "ISE" };
    const struct dialect *x = r->dialect;
    char expected[40];
    if (r->level == OUTSIDE && slice_is(tag, "TA1")) {
        reader_open_interchange(r, NULL);
        reader_find(r, FINDING_INTERCHANGE_STRUCTURE, s, 0, "a TA1 without an ISA", "an ISA segment first");
    }
    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]) && x == &dialect_x12; i++)
        if (slice_is(tag, known[i]) && r->level >= IN_INTERCHANGE) {
            if (take_bare(r, s))
                return r->stopped;
            reader_check_envelope(r, s, FINDING_INTERCHANGE_CONTENT);
            if (r->sink.envelope_segment && !r->stopped)
                reader_call(r, r->sink.envelope_segment(r->sink.ctx, s));
            return r->stopped;
        }
    const char *const begin = x->level[DIALECT_DOCUMENT].begin, *const group = x->level[DIALECT_GROUP].begin;
    if (r->level == IN_GROUP)
        snprintf(expected, sizeof(expected), "%s or %s", begin,
                 x->level[r->in.group.implied && !x->groups ? DIALECT_INTERCHANGE : DIALECT_GROUP].end);
    else if (r->level == IN_INTERCHANGE && x->groups)
        snprintf(expected, sizeof(expected), "%s, %s or %s", group, x->bare, x->level[DIALECT_INTERCHANGE].end);
    else if (r->level == IN_INTERCHANGE)
        snprintf(expected, sizeof(expected), "%s, %s or %s", begin, group, x->level[DIALECT_INTERCHANGE].end);
    else
        snprintf(expected, sizeof(expected), "%s", x->level[DIALECT_INTERCHANGE].begin);
    reader_find(r, FINDING_INTERCHANGE_STRUCTURE, s, 0,
                x->groups ? "the segment stands outside a transaction set" : "the segment stands outside a message",
                expected);
    return r->stopped;
}
