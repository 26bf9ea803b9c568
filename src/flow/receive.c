/*
 * receive: what arrived is told apart, read, checked, acknowledged, and settled; see appliance.h and spool/README.md.
 *
 * One reader goes once over an interchange: the acknowledgment is written and the records are made as the segments
 * pass. A transmission of which something is to be decided first (its envelope names somebody else, its number came
 * before) is undone as far as the mark in the batch, and held.
 */
#include "flow/receive.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "edi/acknowledge.h"
#include "flow/unpack.h"
#include "map/read.h"

enum { BATCH = 100, TEXTS = 1 << 30, LINE = 1 << 20, REASON = 400, DEPTH = 4 };
static const uint64_t BATCH_BYTES = 16 << 20;

/* --- Reading documents ------------------------------------------------------------------- */

struct reading {
    struct receiving *r;
    struct edi_reader *reader;
    struct map_reader *map;
    struct acknowledge *acknowledge;
    struct object_writer *records, *findings, *answer;
    uint64_t records_n, findings_n, answer_n;
    uint64_t findings_seen;
    uint64_t from;             /* where the record of the document at hand begins */
    struct slice first_error;  /* of it */
    const struct guide *guide; /* chosen last, with its plan */
    const struct map_plan *plan;
    struct complaints complaints;
    struct buf line;
    struct finding_policy policy;
    bool no_interchange;
    struct slice foreign; /* why somebody else's envelope is not read */
    struct err err;       /* of a function that the reader called */
};

static int keep_text(struct receiving *r, struct slice text, struct slice *kept_r, const struct slice *before)
{
    if (before && slice_eq(text, *before)) {
        *kept_r = *before;
        return 0;
    }
    *kept_r = arena_copy(&r->arena, text);
    return kept_r->p || !text.n ? 0 : ERR_NOMEM;
}

static int choose_plan(void *ctx, const struct edi_document *d, const struct map_plan **plan_r)
{
    struct reading *k = ctx;
    struct receiving *r = k->r;
    const struct map *map = NULL;
    const struct map *const *maps = NULL;
    unsigned n = 0;
    int rc = 0;

    *plan_r = k->plan;
    if (k->guide == d->guide && k->guide)
        return 0;
    if (r->agreement)
        maps = agreement_maps(r->agreement, &n);
    for (unsigned i = 0; !map && i < n; i++)
        if (slice_eq(map_set(maps[i]), d->set))
            map = maps[i];
    if (!map)
        rc = maps_by_set(home_maps(r->a->home), d->guide->standard, d->set, &k->complaints, &map, &k->err);
    if (rc == ERR_MISSING)
        rc = 0;
    *plan_r = NULL;
    if (rc == 0 && map)
        rc = map_plan_for(home_maps(r->a->home), map, d->guide, &k->complaints, plan_r, &k->err);
    if (rc == 0) {
        k->guide = d->guide;
        k->plan = *plan_r;
    }
    return rc;
}

static int on_record(void *ctx, const char *p, size_t n)
{
    struct reading *k = ctx;

    k->records_n += n;
    return object_write(k->records, slice(p, n), &k->err);
}

static int on_finding(void *ctx, const struct finding *f)
{
    struct reading *k = ctx;

    k->no_interchange = k->no_interchange || f->code == FINDING_FILE_EMPTY || f->code == FINDING_FILE_GARBAGE;
    buf_clear(&k->line);
    if (f->severity == SEVERITY_ERROR && !k->first_error.n) {
        finding_message(f, &k->line);
        if (k->line.n > REASON)
            k->line.n = REASON;
        k->first_error = arena_copy(&k->r->arena, buf_slice(&k->line));
        buf_clear(&k->line);
    }
    /* two bytes can give a finding of some hundred: what is told has an end */
    if (k->findings_seen++ >= LIMIT_FINDINGS_KEPT)
        return 0;
    finding_json(f, k->r->t->name, &k->line);
    if (k->line.failed)
        return ERR_NOMEM;
    k->findings_n += k->line.n;
    return object_write(k->findings, buf_slice(&k->line), &k->err);
}

static struct slice party(struct receiving *r, struct slice qualifier, struct slice id)
{
    struct slice text;
    char *p;

    qualifier = slice_trim(qualifier);
    id = slice_trim(id);
    p = arena_alloc(&r->arena, qualifier.n + id.n + 1);
    if (!p)
        return slice(NULL, 0);
    if (qualifier.n)
        memcpy(p, qualifier.p, qualifier.n);
    p[qualifier.n] = ':';
    if (id.n)
        memcpy(p + qualifier.n + 1, id.p, id.n);
    text = slice(p, qualifier.n + id.n + 1);
    return text;
}

static int too_many_documents(struct err *err)
{
    return err_set(err, ERR_LIMIT, "it holds more than %u documents", LIMIT_DOCUMENTS);
}

/* The partner's identity of that standard, the first of them; NULL: he has none. */
static const struct partner_identity *identity_of(const struct partner *p, const struct dialect *d)
{
    for (unsigned i = 0; i < p->n_identities; i++)
        if (p->identity[i].dialect == d)
            return &p->identity[i];
    return NULL;
}

static void add_party(struct buf *words, struct slice qualifier, struct slice id)
{
    buf_add_slice(words, qualifier);
    buf_add_text(words, qualifier.n ? ":" : "");
    buf_add_slice(words, id);
}

/* A party as it is kept: a qualifier that there is none of leaves its colon. */
static struct slice spoken(struct slice party)
{
    return slice_starts(party, SLICE(":")) ? slice_from(party, 1) : party;
}

/* Why an interchange between others is not read. */
static int say_foreign(struct reading *k, const struct edi_interchange *i, const struct received *d)
{
    const struct partner *p = k->r->partner;
    const struct partner_identity *x = identity_of(p, i->dialect);

    buf_clear(&k->line);
    buf_add_text(&k->line, "the envelope is from ");
    buf_add_safe(&k->line, spoken(d->sender), 60);
    buf_add_text(&k->line, " to ");
    buf_add_safe(&k->line, spoken(d->receiver), 60);
    buf_printf(&k->line, x ? ", and %.*s is " : ", and the file of %.*s has no line \"", SLICE_FMT(p->name));
    if (x) {
        add_party(&k->line, x->qualifier, x->id);
        buf_add_text(&k->line, ", we are ");
        add_party(&k->line, x->our_qualifier, x->our_id);
        if (slice_eq(slice_trim(i->sender), x->our_id))
            buf_add_text(&k->line, ": it goes from us to him, or names both the wrong way round");
    } else {
        buf_printf(&k->line, "%s\"", i->dialect->standard);
    }
    k->foreign = arena_copy(&k->r->arena, buf_slice(&k->line));
    return k->foreign.p ? 0 : ERR_NOMEM;
}

static int on_document(void *ctx, const struct edi_document *d)
{
    struct reading *k = ctx;
    struct receiving *r = k->r;
    const struct edi_interchange *i = d->interchange;
    const struct edi_group *g = d->group;
    const struct received *before = r->n ? &r->document[r->n - 1] : NULL;
    struct received *grown = arena_grow(&r->arena, r->document, r->n, &r->room, sizeof(*grown)), *now;
    bool same = before && i->ordinal > 1 ? false : before != NULL;

    if (r->n == LIMIT_DOCUMENTS)
        return too_many_documents(&k->err);
    if (!grown)
        return ERR_NOMEM;
    before = r->n ? &grown[r->n - 1] : NULL;
    r->document = grown;
    now = &grown[r->n];
    if (!r->n)
        r->standard = i->dialect->standard;
    *now = (struct received){ .dialect = i->dialect,
                              .errors = d->errors,
                              .warnings = d->warnings,
                              .reason = k->first_error,
                              .at = k->from,
                              .size = d->errors ? 0 : k->records_n - k->from,
                              .refused = d->errors ? k->records_n - k->from : 0,
                              .test = slice_is(i->usage, "T") };
    k->from = k->records_n;
    k->first_error = slice(NULL, 0);
    if (keep_text(r, d->set, &now->set, before ? &before->set : NULL) < 0 ||
        keep_text(r, d->version, &now->version, before ? &before->version : NULL) < 0 ||
        keep_text(r, i->control, &now->interchange, before ? &before->interchange : NULL) < 0 ||
        keep_text(r, d->bare ? slice(NULL, 0) : g->control, &now->group, before ? &before->group : NULL) < 0 ||
        keep_text(r, g->sender, &now->group_sender, before ? &before->group_sender : NULL) < 0 ||
        keep_text(r, g->receiver, &now->group_receiver, before ? &before->group_receiver : NULL) < 0 ||
        keep_text(r, g->code, &now->group_code, before ? &before->group_code : NULL) < 0 ||
        keep_text(r, d->control, &now->control, NULL) < 0)
        return ERR_NOMEM;
    if (same && slice_eq(before->interchange, now->interchange)) {
        now->sender = before->sender;
        now->receiver = before->receiver;
    } else {
        now->sender = party(r, i->sender_qualifier, i->sender);
        now->receiver = party(r, i->receiver_qualifier, i->receiver);
    }
    if (!now->sender.p || !now->receiver.p)
        return ERR_NOMEM;
    if (i->foreign && !k->foreign.n && say_foreign(k, i, now) < 0)
        return ERR_NOMEM;
    r->n++;
    return 0;
}

static int on_answer(void *ctx, const char *p, size_t n, struct err *err)
{
    struct reading *k = ctx;

    k->answer_n += n;
    return object_write(k->answer, slice(p, n), err);
}

static int next_control(void *ctx, enum acknowledge_level level, uint64_t *number_r)
{
    struct reading *k = ctx;

    return store_control(k->r->a->store, k->r->partner->name, slice(NULL, 0),
                         level == ACKNOWLEDGE_INTERCHANGE ? SLICE("interchange") : SLICE("group"), 999999999, number_r,
                         &k->err);
}

struct edi_time appliance_time(store_time at)
{
    time_t seconds = (time_t)(at / 1000);
    struct tm t = { 0 };

    localtime_r(&seconds, &t);
    return (struct edi_time){ t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                              t.tm_hour,        t.tm_min,     t.tm_sec > 59 ? 59 : t.tm_sec };
}

static int reading_open(struct reading *k, struct err *err)
{
    struct receiving *r = k->r;
    const struct partner *p = r->partner;
    const struct partner_identity *x12 = identity_of(p, &dialect_x12);
    unsigned n_guides = 0;
    const struct guide *const *guides = r->agreement ? agreement_guides(r->agreement, &n_guides) : NULL;
    bool foreign_passes = r->t->passes & HELD_PARTNER;
    struct edi_reader_options options = { .guides = home_guides(r->a->home),
                                          .partner = guides,
                                          .n_partner = n_guides,
                                          .between = foreign_passes ? NULL : p->parties,
                                          .n_between = foreign_passes ? 0 : p->n_identities,
                                          .incoming = true,
                                          .complaints = &k->complaints };
    struct map_read_options map = { .choose = choose_plan,
                                    .write = on_record,
                                    .finding = on_finding,
                                    .document_end = on_document,
                                    .ctx = k,
                                    .partner = p->name };
    struct acknowledge_options answer = { .at = appliance_time(store_now(r->a->store)),
                                          .next_control = next_control,
                                          .control_ctx = k,
                                          .line_end = x12 ? x12->line_end : "\n",
                                          .implementation =
                                              (p->acknowledge & (PARTNER_997 | PARTNER_999)) == PARTNER_999,
                                          .contrl_2_2 = p->acknowledge & PARTNER_CONTRL_2_2,
                                          .ta1 = p->acknowledge & PARTNER_TA1,
                                          .write = on_answer,
                                          .ctx = k };
    const bool answers_x12 = p->acknowledge & (PARTNER_997 | PARTNER_999 | PARTNER_TA1);
    const bool answers_edifact = p->acknowledge & (PARTNER_CONTRL | PARTNER_CONTRL_2_2);
    struct edi_sink sink = { .ctx = k, .finding = on_finding, .document_end = on_document };
    char id[24];
    int rc;

    finding_policy_init(&k->policy);
    partner_allow(p, &k->policy);
    options.policy = k->policy;
    snprintf(id, sizeof(id), "T%llu", (unsigned long long)r->t->id);
    map.transmission = arena_copy(&r->arena, slice_of(id));
    rc = map.transmission.p ? object_begin(r->a->objects, &k->findings, err) : err_nomem(err);
    if (rc == 0)
        rc = object_begin(r->a->objects, &k->records, err);
    if (rc == 0)
        rc = map_reader_new(&map, &k->map, err);
    if (rc < 0)
        return rc;
    map_reader_sink(k->map, &sink);
    if (answers_x12 || answers_edifact) {
        answer.next = &sink;
        answer.only = !answers_edifact ? &dialect_x12 : !answers_x12 ? &dialect_edifact : NULL;
        rc = object_begin(r->a->objects, &k->answer, err);
        if (rc == 0)
            rc = acknowledge_new(&answer, &k->acknowledge, err);
        if (rc < 0)
            return rc;
    }
    rc = edi_reader_new(&options, k->acknowledge ? acknowledge_sink(k->acknowledge) : &sink, &k->reader, err);
    if (rc == 0)
        map_reader_attach(k->map, k->reader);
    return rc;
}

static int feed(struct edi_reader *reader, int fd, struct err *err)
{
    for (;;) {
        size_t room;
        char *space = edi_reader_space(reader, &room);
        ssize_t n = read(fd, space, room);
        int rc;

        if (n == 0)
            return edi_reader_end(reader, err);
        if (n < 0)
            return err_system(err, "a payload cannot be read");
        rc = edi_reader_filled(reader, (size_t)n, err);
        if (rc < 0)
            return rc;
    }
}

int appliance_read_sent(struct appliance *a, const struct payload *payload, const struct edi_sink *sink,
                        struct err *err)
{
    struct complaints complaints;
    struct edi_reader_options options = { .guides = home_guides(a->home),
                                          .structure_only = true,
                                          .complaints = &complaints };
    struct edi_reader *reader = NULL;
    int fd = -1, rc;

    complaints_init(&complaints);
    finding_policy_init(&options.policy);
    rc = object_read(a->objects, payload, &fd, err);
    if (rc == 0)
        rc = edi_reader_new(&options, sink, &reader, err);
    if (rc == 0)
        rc = feed(reader, fd, err);
    edi_reader_free(&reader);
    complaints_deinit(&complaints);
    if (fd >= 0)
        close(fd);
    return rc;
}

static void reading_close(struct reading *k)
{
    edi_reader_free(&k->reader);
    map_reader_free(&k->map);
    acknowledge_free(&k->acknowledge);
    object_abandon(&k->records);
    object_abandon(&k->findings);
    object_abandon(&k->answer);
    complaints_deinit(&k->complaints);
    buf_deinit(&k->line);
}

static int end_object(struct object_writer **w, uint64_t n, struct payload *payload_r, struct err *err)
{
    *payload_r = (struct payload){ .size = 0 };
    return *w && n ? object_end(w, payload_r, err) : 0;
}

/* The findings that are kept, and how many are not. */
static int end_findings(struct reading *k, struct payload *payload_r, struct err *err)
{
    int rc = 0;

    if (k->findings_seen > LIMIT_FINDINGS_KEPT) {
        buf_clear(&k->line);
        buf_printf(&k->line, "{\"more_findings\":%llu}\n",
                   (unsigned long long)(k->findings_seen - LIMIT_FINDINGS_KEPT));
        rc = k->line.failed ? err_nomem(err) : object_write(k->findings, buf_slice(&k->line), err);
    }
    return rc < 0 ? rc : end_object(&k->findings, k->findings_n, payload_r, err);
}

/* --- What becomes of it ------------------------------------------------------------------- */

/* The acknowledgments, as a transmission that leaves and its delivery. */
static int send_answer(struct receiving *r, const struct payload *payload, struct err *err)
{
    const struct partner *p = r->partner;
    bool implementation = (p->acknowledge & (PARTNER_997 | PARTNER_999)) == PARTNER_999;
    bool edifact = strcmp(r->standard, dialect_edifact.standard) == 0;
    struct slice set = edifact ? SLICE("CONTRL") : implementation ? SLICE("999") : SLICE("997");
    struct store_transmission out = { .direction = STORE_OUT,
                                      .partner = p->name,
                                      .way = SLICE("folder"),
                                      .format = slice_of(r->standard),
                                      .payload = *payload,
                                      .answers = r->t->id,
                                      .priority = 0 };
    struct store_delivery delivery = { .partner = p->name, .kind = SLICE("acknowledgment"), .set = set, .priority = 0 };
    struct buf name;
    store_id id = 0, ignored;
    int rc;

    for (unsigned i = 0; i < p->n_routes; i++)
        if (p->route[i].out && slice_eq(p->route[i].document, set)) {
            out.way = p->route[i].way;
            out.target = p->route[i].path;
        }
    buf_init(&name, 300);
    buf_printf(&name, "%.*s-T%llu.edi", SLICE_FMT(set), (unsigned long long)r->t->id);
    out.name = buf_slice(&name);
    rc = name.failed ? err_nomem(err) : store_make(r->a->store, &out, &id, err);
    buf_deinit(&name);
    delivery.transmission = id;
    return rc == 0 ? store_route(r->a->store, &delivery, &ignored, err) : rc;
}

static int hold(struct receiving *r, unsigned why, struct slice reason, struct err *err)
{
    return store_hold(r->a->store, TRANSMISSION, r->t->id, why, reason, err);
}

/* An interchange or group whose number came before, in other bytes: held. 1: it was. */
static int check_envelope(struct receiving *r, const struct received *d, bool group, struct err *err)
{
    struct store_envelope e = { .partner = r->t->partner,
                                .level = SLICE("interchange"),
                                .sender = group ? d->group_sender : d->sender,
                                .receiver = group ? d->group_receiver : d->receiver,
                                .control = group ? d->group : d->interchange,
                                .transmission = r->t->id };
    store_id before = 0;
    struct buf words;
    char level[48];
    int rc = 0;

    if (!e.control.n)
        return 0;
    /* partners count what they send in each standard by itself, and the groups of each kind */
    snprintf(level, sizeof(level), "%s%s", d->dialect == &dialect_x12 ? "" : "edifact ",
             group ? "group " : "interchange");
    if (group)
        snprintf(level + strlen(level), sizeof(level) - strlen(level), "%.*s",
                 (int)(d->group_code.n < 20 ? d->group_code.n : 20), d->group_code.p);
    e.level = slice_of(level);
    if (!(r->t->passes & HELD_CONTROL) && !r->t->replays)
        rc = store_find_envelope(r->a->store, &e, &before, err);
    if (rc < 0)
        return rc;
    if (!before || before == r->t->id)
        return store_envelope(r->a->store, &e, err);
    buf_init(&words, REASON);
    buf_printf(&words, "%s ", group ? "group" : "interchange");
    buf_add_safe(&words, e.control, 20);
    buf_printf(&words, " came before, in T%llu, with other bytes", (unsigned long long)before);
    rc = store_unmark(r->a->store, true, err);
    if (rc == 0)
        rc = store_mark(r->a->store, err);
    if (rc == 0)
        rc = hold(r, HELD_CONTROL, buf_slice(&words), err);
    buf_deinit(&words);
    return rc < 0 ? rc : 1;
}

static int check_envelopes(struct receiving *r, struct err *err)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct received *d = &r->document[i], *before = i ? d - 1 : NULL;
        bool new_interchange = !before || !slice_eq(before->interchange, d->interchange);
        int rc = 0;

        if (new_interchange)
            rc = check_envelope(r, d, false, err);
        if (rc == 0 && !r->partner->groups_repeat && (new_interchange || !slice_eq(before->group, d->group)))
            rc = check_envelope(r, d, true, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* What no reader of ours takes for an interchange, by its first bytes. */
static int bury_unknown(struct receiving *r, struct slice head, struct err *err)
{
    struct slice s = slice_trim(head);
    const char *words = slice_starts(s, SLICE("UNA")) || slice_starts(s, SLICE("UNB"))
                            ? "it begins as an interchange of EDIFACT, and is none"
                        : slice_starts(s, SLICE("<")) ? "it is XML, which this version does not read"
                        : s.n == 0                    ? "it is empty"
                                                      : "it holds neither an interchange nor records";

    return store_bury(r->a->store, TRANSMISSION, r->t->id, slice_of(words), err);
}

static int receive_documents(struct receiving *r, int fd, struct slice head, struct err *err)
{
    struct reading k = { .r = r };
    struct payload answer = { .size = 0 };
    struct err reason = { 0 };
    int rc;

    buf_init(&k.line, LINE);
    complaints_init(&k.complaints);
    rc = reading_open(&k, err);
    if (rc == 0)
        rc = feed(k.reader, fd, err);
    if (rc == 0 && k.acknowledge && acknowledge_finish(k.acknowledge, &reason) < 0 && reason.code != ERR_DATA) {
        rc = reason.code;
        *err = reason;
    }
    if (rc < 0 && k.err.code)
        *err = k.err;
    if (rc == ERR_LIMIT && !err->text[0])
        err_set(err, rc, "a document in it is larger than can be worked on");
    if (rc == ERR_CONFIG || rc == ERR_MISSING) {
        /* a guide or map is wrong: mended, it is read again */
        rc = store_unmark(r->a->store, true, NULL);
        if (rc == 0)
            rc = store_mark(r->a->store, err);
        if (rc == 0)
            rc = hold(r, HELD_CONFIG,
                      k.complaints.text.n
                          ? slice(k.complaints.text.p, k.complaints.text.n < REASON ? k.complaints.text.n : REASON)
                          : slice_of(err->text),
                      err);
        reading_close(&k);
        return rc;
    }
    if (rc == 0 && k.no_interchange && r->n == 0) {
        rc = bury_unknown(r, head, err);
        reading_close(&k);
        return rc;
    }
    if (rc == 0 && k.foreign.n) {
        rc = store_unmark(r->a->store, true, err);
        if (rc == 0)
            rc = store_mark(r->a->store, err);
        if (rc == 0)
            rc = hold(r, HELD_PARTNER, k.foreign, err);
        reading_close(&k);
        return rc;
    }
    if (rc == 0)
        rc = check_envelopes(r, err);
    if (rc == 0)
        rc = end_object(&k.records, k.records_n, &r->records, err);
    if (rc == 0)
        rc = end_findings(&k, &r->findings, err);
    if (rc == 0)
        rc = end_object(&k.answer, k.answer_n, &answer, err);
    reading_close(&k);
    if (rc == 0)
        rc = settle(r, err);
    if (rc == 0 && answer.size)
        rc = send_answer(r, &answer, err);
    return rc < 0 ? rc : 0;
}

/* --- Records that come as records -------------------------------------------------------- */

static int receive_records(struct receiving *r, int fd, struct err *err)
{
    struct record_reader *reader = NULL;
    const struct record *record;
    struct err own = { 0 };
    int rc = record_reader_new(fd, NULL, &reader, err);

    r->json = true;
    r->records = r->t->payload;
    while (rc == 0 && (rc = record_reader_next(reader, &record, &own)) != 0) {
        struct received *grown = arena_grow(&r->arena, r->document, r->n, &r->room, sizeof(*grown));
        if (!grown || r->n == LIMIT_DOCUMENTS) {
            rc = grown ? too_many_documents(err) : err_nomem(err);
            break;
        }
        r->document = grown;
        grown[r->n] = (struct received){ .size = 0 };
        if (rc > 0) {
            grown[r->n].at = record->offset;
            grown[r->n].size = record->size;
        } else if (rc == ERR_DATA || rc == ERR_LIMIT) {
            grown[r->n].errors = 1;
            grown[r->n].reason = arena_copy(&r->arena, slice_of(own.text));
        } else {
            *err = own;
            break;
        }
        r->n++;
        rc = 0;
    }
    record_reader_free(&reader);
    return rc < 0 ? rc : settle(r, err);
}

/* --- Bundles ------------------------------------------------------------------------------ */

struct unpacking {
    struct receiving *r;
    struct object_writer *w;
    struct slice path; /* of the member at hand */
    uint32_t accepted, refused;
    uint64_t bytes;
};

static int begin_member(void *ctx, struct slice path, struct err *err)
{
    struct unpacking *u = ctx;

    arena_reset(&u->r->arena);
    u->path = arena_copy(&u->r->arena, path);
    return u->path.p ? object_begin(u->r->a->objects, &u->w, err) : err_nomem(err);
}

static int member_data(void *ctx, struct slice bytes, struct err *err)
{
    struct unpacking *u = ctx;

    u->bytes += bytes.n;
    return object_write(u->w, bytes, err);
}

static int end_member(void *ctx, struct err *err)
{
    struct unpacking *u = ctx;
    const struct store_transmission *t = u->r->t;
    struct store_transmission member = { .direction = STORE_IN,
                                         .partner = t->partner,
                                         .name = u->path,
                                         .way = t->way,
                                         .parent = t->id,
                                         .passes = t->passes };
    store_id ignored;
    int rc = object_end(&u->w, &member.payload, err);

    u->accepted++;
    return rc == 0 ? store_accept(u->r->a->store, &member, &ignored, err) : rc;
}

/* A link, a device, something encrypted: it is passed over, and an event says so. */
static int refuse_member(void *ctx, struct slice path, struct slice words, struct err *err)
{
    struct unpacking *u = ctx;
    struct buf text;
    int rc;

    u->refused++;
    buf_init(&text, REASON * 2);
    buf_printf(&text, "T%llu: ", (unsigned long long)u->r->t->id);
    buf_add_safe(&text, path, REASON);
    buf_add_char(&text, ' ');
    buf_add_slice(&text, words);
    rc = text.failed == ERR_NOMEM
             ? err_nomem(err)
             : store_say(u->r->a->store, u->r->t->partner, SLICE("pass over"), slice(text.p, text.n), err);
    buf_deinit(&text);
    return rc;
}

/* The bundle that it lay in, and that in turn. */
struct outer {
    store_id id, parent;
    uint64_t size;
    unsigned depth;
};

static int on_outer(void *ctx, const struct store_transmission *t)
{
    struct outer *o = ctx;
    *o = (struct outer){ t->id, t->parent, t->payload.size, o->depth + 1 };
    return 0;
}

/* *outer_r: the outermost; depth is how many there are. */
static int find_outermost(struct receiving *r, struct outer *outer_r, struct err *err)
{
    int rc = 0;

    *outer_r = (struct outer){ r->t->id, r->t->parent, r->t->payload.size, 0 };
    while (rc == 0 && outer_r->parent && outer_r->depth < DEPTH) {
        const struct store_query q = { .id = outer_r->parent, .limit = 1 };
        outer_r->parent = 0;
        rc = store_transmissions(r->a->store, &q, on_outer, outer_r, err);
    }
    return rc;
}

static uint64_t less(uint64_t most, uint64_t used)
{
    return used < most ? most - used : 0;
}

/* Bundles in a bundle share what it may become, or a few kilobytes would be gigabytes at the third level. They come one
 * behind the other, level by level, so that one count is enough. */
static void limit_nested(struct receiving *r, const struct outer *o, struct unpack_limits *limits)
{
    struct appliance *a = r->a;
    uint64_t most = o->size < UINT64_MAX / limits->ratio ? o->size * limits->ratio : UINT64_MAX;

    if (a->unpacked.root != o->id) {
        a->unpacked.root = o->id;
        a->unpacked.members = a->unpacked.bytes = 0;
    }
    most = most > LIMIT_BUNDLE_FREE ? most : LIMIT_BUNDLE_FREE;
    limits->members = (uint32_t)less(limits->members, a->unpacked.members);
    limits->total = less(most < limits->total ? most : limits->total, a->unpacked.bytes);
}

static int receive_bundle(struct receiving *r, int fd, const char *format, struct err *err)
{
    struct unpacking u = { .r = r };
    const struct unpack_sink sink = { begin_member, member_data, end_member, refuse_member, &u };
    struct unpack_limits limits = unpack_limits();
    struct err why = { 0 };
    struct outer outer;
    uint32_t members = 0;
    int rc = find_outermost(r, &outer, err);

    if (rc == 0 && outer.depth >= DEPTH)
        return store_bury(r->a->store, TRANSMISSION, r->t->id,
                          SLICE("bundles lie in bundles, too many inside each other"), err);
    limits.members = (uint32_t)home_settings(r->a->home)->bundle_members;
    limits.total = home_settings(r->a->home)->bundle_size;
    if (rc == 0 && outer.depth)
        limit_nested(r, &outer, &limits);
    if (rc == 0)
        rc = unpack(fd, r->t->name, &limits, &sink, &members, &why);
    if (outer.depth) {
        r->a->unpacked.members += u.accepted + u.refused;
        r->a->unpacked.bytes += u.bytes;
    }
    if (rc == ERR_LIMIT && outer.depth)
        err_set(&why, rc, "it holds more than is left of what T%llu may, with all bundles in it",
                (unsigned long long)outer.id);
    object_abandon(&u.w);
    if (rc < 0) {
        *err = why;
        return rc;
    }
    if (!u.accepted)
        return store_bury(r->a->store, TRANSMISSION, r->t->id, SLICE("there is no file in the bundle"), err);
    return store_unpack(r->a->store, r->t->id, slice_of(format), u.accepted, err);
}

/* --- Transmissions ------------------------------------------------------------------------- */

static int on_state(void *ctx, const struct store_transmission *t)
{
    *(enum transmission_state *)ctx = t->state;
    return 0;
}

/* The same bytes once more: acknowledged again, and that is all. While the first are held nobody has said yet what
 * becomes of them. */
static int receive_again(struct receiving *r, int fd, const char *format, store_id same, struct err *err)
{
    struct reading k = { .r = r };
    struct payload answer = { .size = 0 };
    struct err reason = { 0 };
    const struct store_query first = { .id = same, .limit = 1 };
    enum transmission_state state = TRANSMISSION_TRANSLATED;
    int rc = store_transmissions(r->a->store, &first, on_state, &state, err);

    buf_init(&k.line, LINE);
    complaints_init(&k.complaints);
    if (rc == 0 && fd >= 0 && r->partner->acknowledge && state != TRANSMISSION_HELD) {
        rc = reading_open(&k, err);
        if (rc == 0)
            rc = feed(k.reader, fd, err);
        if (rc == 0 && k.acknowledge)
            acknowledge_finish(k.acknowledge, &reason);
        if (rc == 0)
            rc = end_object(&k.answer, k.answer_n, &answer, err);
    }
    reading_close(&k);
    if (rc == 0)
        rc = store_repeat(r->a->store, r->t->id, slice_of(format), same, err);
    if (rc == 0 && answer.size)
        rc = send_answer(r, &answer, err);
    return rc;
}

static int read_head(int fd, char *head, size_t room, struct slice *head_r, struct err *err)
{
    ssize_t n = pread(fd, head, room, 0);

    if (n < 0)
        return err_system(err, "a payload cannot be read");
    *head_r = slice(head, (size_t)n);
    return 0;
}

static int receive_bytes(struct receiving *r, int fd, struct err *err)
{
    char bytes[512];
    struct slice head = { NULL, 0 }, text;
    store_id same = 0;
    const char *bundle;
    bool json;
    int rc = read_head(fd, bytes, sizeof(bytes), &head, err);

    if (rc < 0)
        return rc;
    text = slice_trim(slice_starts(head, SLICE("\xef\xbb\xbf")) ? slice_from(head, 3) : head);
    json = text.n && (text.p[0] == '{' || text.p[0] == '[');
    r->standard = slice_starts(text, SLICE("UN")) ? dialect_edifact.standard : dialect_x12.standard;
    if (!r->t->replays && !(r->t->passes & HELD_CONTROL))
        rc = store_find_same(r->a->store, r->t->partner, r->t->payload.hash, r->t->id, &same, err);
    if (rc < 0)
        return rc;
    bundle = unpack_format(head);
    if (same)
        return receive_again(r, json || bundle ? -1 : fd, bundle ? bundle : json ? "json" : r->standard, same, err);
    if (bundle)
        return receive_bundle(r, fd, bundle, err);
    return json ? receive_records(r, fd, err) : receive_documents(r, fd, head, err);
}

static int receive_one(struct appliance *a, const struct store_transmission *t, struct err *err)
{
    struct receiving r = { .a = a, .t = t, .partner = home_partner(a->home, t->partner) };
    struct err own = { 0 };
    int fd = -1, rc;

    if (!r.partner)
        return store_hold(a->store, TRANSMISSION, t->id, HELD_CONFIG,
                          SLICE("there is no partner file for this partner, or it is wrong"), err);
    rc = home_agreement(a->home, r.partner, &r.agreement, &own);
    if (rc == ERR_CONFIG)
        return store_hold(a->store, TRANSMISSION, t->id, HELD_CONFIG, slice_of(own.text), err);
    if (rc == 0) {
        rc = object_read(a->objects, &t->payload, &fd, &own);
        if (rc == ERR_MISSING || rc == ERR_DATA)
            return store_bury(a->store, TRANSMISSION, t->id, slice_of(own.text), err);
    }
    if (rc < 0) {
        *err = own;
        return rc;
    }
    arena_init(&r.arena, TEXTS);
    rc = receive_bytes(&r, fd, err);
    /* that is the sender's doing, not the machine's */
    if (rc == ERR_NOMEM && r.arena.full)
        rc = err_set(err, ERR_LIMIT, "it holds more documents than can be worked on at once");
    arena_deinit(&r.arena);
    close(fd);
    return rc;
}

/* It is more than can be worked on: nothing of it stays but the reason. */
static int bury_one(struct appliance *a, store_id id, struct slice reason, struct err *err)
{
    struct err words = { 0 };
    int rc;

    err_set(&words, ERR_LIMIT, "%.*s", SLICE_FMT(reason));
    rc = store_unmark(a->store, true, err);
    if (rc == 0)
        rc = store_mark(a->store, err);
    return rc == 0 ? store_bury(a->store, TRANSMISSION, id, slice_of(words.text), err) : rc;
}

struct waiting {
    struct arena arena;
    struct store_transmission *t;
    size_t n, room;
};

static int on_arrived(void *ctx, const struct store_transmission *t)
{
    struct waiting *w = ctx;
    struct store_transmission *grown = arena_grow(&w->arena, w->t, w->n, &w->room, sizeof(*grown));

    if (!grown)
        return ERR_NOMEM;
    w->t = grown;
    return store_keep_transmission(&w->arena, t, &grown[w->n++]);
}

int receive_work(struct appliance *a, uint32_t *done_r, struct err *err)
{
    const struct store_query query = { .states = 1u << TRANSMISSION_ARRIVED, .direction = STORE_IN, .limit = BATCH };
    struct waiting w = { .n = 0 };
    uint64_t bytes = 0;
    size_t i = 0;
    int rc;

    *done_r = 0;
    arena_init(&w.arena, TEXTS);
    rc = store_transmissions(a->store, &query, on_arrived, &w, err);
    if (rc == ERR_NOMEM)
        err_nomem(err);
    if (rc == 0 && w.n)
        rc = store_begin(a->store, err);
    for (; rc == 0 && i < w.n && bytes <= BATCH_BYTES && !(a->stop && a->stop(a->ctx)); i++) {
        rc = store_mark(a->store, err);
        if (rc == 0)
            rc = receive_one(a, &w.t[i], err);
        if (rc == ERR_LIMIT || rc == ERR_DATA)
            rc = bury_one(a, w.t[i].id, slice_of(err->text), err);
        if (rc == 0)
            rc = store_unmark(a->store, false, err);
        bytes += w.t[i].payload.size;
    }
    if (rc == 0 && w.n) {
        rc = objects_sync(a->objects, err);
        if (rc == 0)
            rc = store_commit(a->store, err);
    }
    if (rc < 0)
        store_rollback(a->store);
    else
        *done_r = (uint32_t)i;
    arena_deinit(&w.arena);
    return rc;
}
