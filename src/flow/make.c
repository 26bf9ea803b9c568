/*
 * make: records that wait for a partner become what he gets: documents in an interchange, or a file of records; see
 * appliance.h. Where the partner's line is for another kind of record, that is made first, by the map between the two.
 *
 * Those that go the same way go together, as many as the line's `batch` says. Each group is made as far as the mark in
 * the batch: a record that cannot be written dies by itself, with the reason, and the others go on.
 */
#include "flow/receive.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "edi/dialect.h"
#include "flow/produce.h"
#include "flow/recall.h"
#include "flow/route.h"

enum { WAITING = 500, TEXTS = 256 << 20, REASON = 600, COPY = 64 << 10, RECALLED = 20 };

/* A delivery that waits, and where the record is that it is about. */
struct item {
    struct store_delivery d;
    struct slice sender; /* of the record */
    struct slice number; /* and its own, by which people know what becomes of it */
    struct payload records;
    uint64_t at, size;
    bool found; /* there is such a record */
    bool taken; /* into a group of this turn */
    bool refused;
    struct slice reason; /* why */
    uint32_t made; /* documents or records that it became */
};

struct making {
    struct appliance *a;
    struct arena arena;
    struct item *item;
    size_t n, room;
    /* the group at hand */
    const struct partner *partner;
    const struct partner_route *route;
    struct way way;
    struct agreement *agreement;
    struct produce *produce; /* what writes documents for a line, kept for its next group */
    const struct partner_route *produces;
    struct complaints complaints; /* of it */
    struct finding_policy policy;
    struct item **member;
    size_t members, members_room;
    struct item *now; /* whose record is being written */
    struct object_writer *out;
    uint64_t out_n;
    struct buf reason;   /* why the record at hand is refused */
    struct slice number; /* of the first record, for the file's name */
    struct err err;
};

/* --- Records ------------------------------------------------------------------------------- */

/* Part of a payload that is small: as a whole it is compared with its name. */
static int part_of_small(struct appliance *a, const struct payload *records, uint64_t at, uint64_t size, int fd,
                         struct err *err)
{
    struct buf all;
    int rc;

    buf_init(&all, OBJECT_SMALL);
    rc = object_load(a->objects, records, &all, err);
    if (rc == 0 && (at > all.n || size > all.n - at))
        rc = err_set(err, ERR_DATA, "a payload is shorter than it was");
    if (rc == 0)
        rc = file_write_all(fd, all.p + at, (size_t)size, err);
    buf_deinit(&all);
    return rc;
}

static int part_of_large(struct appliance *a, const struct payload *records, uint64_t at, uint64_t size, int fd,
                         struct err *err)
{
    char *copy = malloc(COPY);
    int from = -1, rc = copy ? object_read(a->objects, records, &from, err) : err_nomem(err);

    for (uint64_t done = 0; rc == 0 && done < size;) {
        size_t most = size - done < COPY ? (size_t)(size - done) : COPY;
        ssize_t n = pread(from, copy, most, (off_t)(at + done));
        if (n <= 0)
            rc = n < 0 ? err_system(err, "a payload cannot be read")
                       : err_set(err, ERR_DATA, "a payload is shorter than it was");
        else
            rc = file_write_all(fd, copy, (size_t)n, err);
        done += n > 0 ? (uint64_t)n : 0;
    }
    free(copy);
    if (from >= 0)
        close(from);
    return rc;
}

int appliance_record(struct appliance *a, const struct payload *records, uint64_t at, uint64_t size, int *fd_r,
                     struct err *err)
{
    int fd = -1, rc = file_scratch(size, &fd, err);

    *fd_r = -1;
    if (rc == 0)
        rc = records->size < OBJECT_SMALL ? part_of_small(a, records, at, size, fd, err)
                                          : part_of_large(a, records, at, size, fd, err);
    if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
        rc = err_system(err, "a temporary file");
    if (rc == 0)
        *fd_r = fd;
    else if (fd >= 0)
        close(fd);
    return rc;
}

/* --- Looking back ---------------------------------------------------------------------------- */

/*
 * Numbers are everybody's, so that a partner could have another's document made of a record of his. Recalled is what
 * came from the partner that the delivery is for; else what came from whom its record came from, or from a system of
 * ours; never anything else, however much of it there is.
 */
enum source { THEIRS, OURS, SOURCES };

struct candidate {
    store_id transmission;
    uint64_t at, size;
};

struct looking {
    struct making *m;
    struct candidate found[SOURCES][RECALLED]; /* newest first */
    unsigned n[SOURCES];
};

/* One who brings records, not documents. */
static bool is_system(const struct making *m, struct slice name)
{
    const struct partner *p = home_partner(m->a->home, name);

    for (unsigned i = 0; p && i < p->n_routes; i++)
        if (!p->route[i].out && !p->route[i].document.n)
            return true;
    return false;
}

static int on_recalled(void *ctx, const struct store_document *d)
{
    struct looking *l = ctx;
    const struct item *now = l->m->now;
    enum source source = slice_eq(d->partner, now->d.partner) ? THEIRS
                         : slice_eq(d->partner, now->sender) || is_system(l->m, d->partner) ? OURS : SOURCES;

    if (source < SOURCES && l->n[source] < RECALLED && d->record_size &&
        (d->state == DOCUMENT_RECORDED || d->state == DOCUMENT_HELD))
        l->found[source][l->n[source]++] = (struct candidate){ d->transmission, d->record_at, d->record_size };
    return 0;
}

static int on_records(void *ctx, const struct store_transmission *t)
{
    *(struct payload *)ctx = t->records;
    return 0;
}

/* What was found in the ledger, oldest first, as flow/recall has it: it says when two senders each have one. */
static int fill_recall(struct looking *l, enum source source, struct recall *recall, struct err *err)
{
    int rc = 0;

    for (unsigned i = l->n[source]; rc == 0 && i-- > 0;) {
        const struct candidate *c = &l->found[source][i];
        const struct store_query q = { .id = c->transmission, .limit = 1 };
        struct payload records = { .size = 0 };
        int fd = -1;

        rc = store_transmissions(l->m->a->store, &q, on_records, &records, err);
        if (rc == 0)
            rc = appliance_record(l->m->a, &records, c->at, c->size, &fd, err);
        if (rc == 0)
            rc = recall_read(recall, fd, "an earlier record", err);
        if (fd >= 0)
            close(fd);
    }
    return rc;
}

/* What carry_record() calls. */
struct carrying {
    struct making *m;
    struct recall *recall; /* of the record at hand */
    struct candidate last; /* what was read into it last, by itself */
    int fd;                /* where what is made goes */
};

/* Most maps look back to one record again and again. It is there, and nothing that was read later stands for it. */
static bool is_read(const struct carrying *k, const struct looking *l, enum source source)
{
    const struct candidate *c = &l->found[source][0];

    return l->n[source] == 1 && k->last.size && c->transmission == k->last.transmission && c->at == k->last.at;
}

static int on_recall(void *ctx, const struct record_kind *kind, struct slice path, struct slice value,
                     const struct record **record_r, struct err *err)
{
    struct carrying *k = ctx;
    struct looking l = { .m = k->m };
    enum source source;
    int rc;

    *record_r = NULL;
    rc = store_find_number(k->m->a->store, kind->name, path, value, on_recalled, &l, err);
    source = l.n[THEIRS] ? THEIRS : OURS;
    if (rc == 0 && l.n[source] && !k->recall)
        rc = recall_new(0, &k->recall, err);
    if (rc == 0 && l.n[source] && !is_read(k, &l, source)) {
        rc = fill_recall(&l, source, k->recall, err);
        k->last = l.n[source] == 1 ? l.found[source][0] : (struct candidate){ .size = 0 };
    }
    return rc == 0 && l.n[source] ? recall_find(k->recall, kind->name, path, value, record_r, err) : rc;
}

/* --- One record ------------------------------------------------------------------------------ */

static int on_finding(void *ctx, const struct map_write_finding *f)
{
    struct making *m = ctx;

    if (f->severity == SEVERITY_ERROR && !m->reason.n)
        map_write_finding_text(f, &m->reason);
    return 0;
}

static int on_produce_finding(void *ctx, const struct produce_place *at, const struct map_write_finding *f)
{
    (void)at;
    return on_finding(ctx, f);
}

static int on_out(void *ctx, const char *p, size_t n, struct err *err)
{
    struct making *m = ctx;

    m->out_n += n;
    return object_write(m->out, slice(p, n), err);
}

static int on_carried(void *ctx, const char *p, size_t n, struct err *err)
{
    return file_write_all(((struct carrying *)ctx)->fd, p, n, err);
}

static int on_carry_finding(void *ctx, const struct map_write_finding *f)
{
    return on_finding(((struct carrying *)ctx)->m, f);
}

/* The record becomes one of the kind that the line is for: *fd is then another file. ERR_DATA: it cannot. */
static int carry_item(struct making *m, int *fd, struct err *err)
{
    struct carrying k = { .m = m, .fd = -1 };
    const struct carry_options options = {
        .recall = on_recall, .write = on_carried, .finding = on_carry_finding, .ctx = &k
    };
    struct record_reader *reader = NULL;
    struct carry *carry = NULL;
    const struct record *record;
    /* what is made of a record is seldom many times its size */
    int rc = file_scratch(m->now->size * 4, &k.fd, err);

    if (rc == 0)
        rc = carry_new(m->way.carry, &options, &carry, err);
    if (rc == 0)
        rc = record_reader_new(*fd, NULL, &reader, err);
    if (rc == 0 && (rc = record_reader_next(reader, &record, err)) > 0)
        rc = carry_record(carry, record, err);
    carry_free(&carry);
    record_reader_free(&reader);
    recall_free(&k.recall);
    if (rc >= 0 && lseek(k.fd, 0, SEEK_SET) < 0)
        rc = err_system(err, "a temporary file");
    if (rc < 0) {
        if (k.fd >= 0)
            close(k.fd);
        return rc;
    }
    close(*fd);
    *fd = k.fd;
    return 0;
}

/* All records of the file are written: as they are, or as documents. */
static int write_records(struct making *m, int fd, struct produce *produce, struct err *err)
{
    struct record_reader *reader = NULL;
    const struct record *record;
    int rc = record_reader_new(fd, NULL, &reader, err);

    while (rc == 0 && (rc = record_reader_next(reader, &record, err)) > 0) {
        if (!m->number.n) {
            rc = record_text(record->tape, SLICE("number"), &m->arena, &m->number, err);
            if (rc == 0)
                m->number = arena_copy(&m->arena, m->number);
            rc = rc == 0 && !m->number.p ? err_nomem(err) : rc;
        } else {
            rc = 0;
        }
        if (rc == 0 && produce)
            rc = produce_record(produce, record, SLICE("record"), err);
        if (rc == 0)
            m->now->made++;
    }
    record_reader_free(&reader);
    return rc;
}

static int copy_out(struct making *m, int fd, struct err *err)
{
    char *copy = malloc(COPY), last = '\n';
    ssize_t n = -1;
    int rc = copy ? 0 : err_nomem(err);

    if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
        rc = err_system(err, "a temporary file");
    while (rc == 0 && (n = read(fd, copy, COPY)) > 0) {
        last = copy[n - 1];
        rc = on_out(m, copy, (size_t)n, err);
    }
    if (rc == 0 && n < 0)
        rc = err_system(err, "a temporary file");
    free(copy);
    return rc == 0 && last != '\n' ? on_out(m, "\n", 1, err) : rc;
}

/* The reason is what was found, else these words. */
static int refuse(struct making *m, struct item *i, const char *words, struct err *err)
{
    if (!m->reason.n)
        buf_add_text(&m->reason, words);
    i->refused = true;
    i->reason = arena_copy(&m->arena, buf_slice(&m->reason));
    return i->reason.p ? 0 : err_nomem(err);
}

/* The record of one delivery; refused ones have their reason. */
static int write_item(struct making *m, struct item *i, struct produce *produce, struct err *err)
{
    int fd = -1, rc;

    m->now = i;
    buf_clear(&m->reason);
    if (!i->found) {
        return refuse(m, i, "its record is not there any more", err);
    }
    rc = appliance_record(m->a, &i->records, i->at, i->size, &fd, err);
    if (rc == 0 && m->way.carry)
        rc = carry_item(m, &fd, err);
    if (rc == 0)
        rc = write_records(m, fd, produce, err);
    if (rc == 0 && !produce)
        rc = copy_out(m, fd, err);
    if (fd >= 0)
        close(fd);
    if (rc == ERR_DATA || rc == ERR_LIMIT || rc == ERR_CONFIG || rc == ERR_MISSING) {
        const struct err words = *err;
        rc = refuse(m, i, words.text, err);
    }
    return rc;
}

/* --- Files -------------------------------------------------------------------------------------- */

/* The name of a file, and the folder it goes to: what the line says, with %control and so on in it. */
static int make_name(struct making *m, uint64_t control, struct buf *target, struct buf *name, struct err *err)
{
    struct slice path = m->route->path, folder = path, last = path;
    struct edi_time at = appliance_time(store_now(m->a->store));
    char text[64];

    while (last.n && memchr(last.p, '/', last.n))
        last = slice_from(last, (size_t)((const char *)memchr(last.p, '/', last.n) - last.p) + 1);
    folder.n -= last.n;
    buf_add_slice(target, folder);
    if (!last.n)
        last = m->route->as_record ? SLICE("%kind-%id.json") : SLICE("%set-%control.edi");
    while (last.n) {
        static const char *const names[] = { "control", "set", "kind", "id", "number", "partner", "date", "time" };
        struct slice values[] = {
            slice(text, 0), m->route->document, m->route->record.n ? m->route->record : m->member[0]->d.kind,
            slice(text, 0), m->number,          m->partner->name,
            slice(text, 0), slice(text, 0)
        };
        unsigned i = 8;
        if (*last.p == '%')
            for (i = 0; i < 8 && !slice_starts(slice_from(last, 1), slice_of(names[i]));)
                i++;
        if (i == 8) {
            buf_add(name, last.p, 1);
            last = slice_from(last, 1);
            continue;
        }
        switch (i) {
        case 0: snprintf(text, sizeof(text), "%09llu", (unsigned long long)control); break;
        case 3: snprintf(text, sizeof(text), "V%llu", (unsigned long long)m->member[0]->d.id); break;
        case 6: snprintf(text, sizeof(text), "%04d%02d%02d", at.year, at.month, at.day); break;
        case 7: snprintf(text, sizeof(text), "%02d%02d%02d", at.hour, at.minute, at.second); break;
        default: text[0] = '\0';
        }
        if (i == 0 || i == 3 || i >= 6)
            values[i] = slice_of(text);
        /* what a partner wrote names no folder and hides no file */
        for (size_t k = 0; k < values[i].n; k++) {
            char c = values[i].p[k];
            bool good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                        c == '_' || (c == '.' && name->n);
            buf_add_char(name, good ? c : '_');
        }
        last = slice_from(last, 1 + strlen(names[i]));
    }
    return target->failed || name->failed ? err_nomem(err) : 0;
}

/* --- What was written, as documents -------------------------------------------------------------- */

struct looking_at {
    struct making *m;
    store_id transmission;
    size_t member;
    uint32_t of_member, ordinal;
    struct err *err;
};

static struct item *next_member(struct looking_at *k)
{
    while (k->member < k->m->members && k->of_member >= k->m->member[k->member]->made) {
        k->member++;
        k->of_member = 0;
    }
    return k->member < k->m->members ? k->m->member[k->member] : NULL;
}

static int on_written(void *ctx, const struct edi_document *d)
{
    struct looking_at *k = ctx;
    struct item *i = next_member(k);
    struct store_document row = { .transmission = k->transmission,
                                  .direction = STORE_OUT,
                                  .partner = k->m->partner->name,
                                  .ordinal = ++k->ordinal,
                                  .set = d->set,
                                  .version = d->version,
                                  .interchange = d->interchange->control,
                                  .group = d->group->control,
                                  .control = d->control,
                                  .test = slice_is(d->interchange->usage, "T") };
    char sender[80], receiver[80];
    store_id id;

    snprintf(sender, sizeof(sender), "%.*s:%.*s", SLICE_FMT(d->interchange->sender_qualifier),
             SLICE_FMT(d->interchange->sender));
    snprintf(receiver, sizeof(receiver), "%.*s:%.*s", SLICE_FMT(d->interchange->receiver_qualifier),
             SLICE_FMT(d->interchange->receiver));
    row.sender = slice_of(sender);
    row.receiver = slice_of(receiver);
    if (k->m->partner->expect & (d->interchange->dialect == &dialect_x12 ? PARTNER_997 | PARTNER_999 : PARTNER_CONTRL))
        row.within = (store_time)k->m->partner->expect_within * 1000;
    row.state = row.within ? DOCUMENT_AWAITED : DOCUMENT_WRITTEN;
    if (i) {
        row.kind = i->d.kind;
        row.number = i->number;
        row.made_of = i->d.document;
        row.delivery = i->d.id;
        k->of_member++;
    }
    return store_document(k->m->a->store, &row, &id, k->err);
}

/* Reads our own file once more: which documents stand in it, under which numbers. */
static int look_at(struct making *m, const struct payload *payload, store_id transmission, struct err *err)
{
    struct looking_at k = { .m = m, .transmission = transmission, .err = err };
    const struct edi_sink sink = { .ctx = &k, .document_end = on_written };

    return appliance_read_sent(m->a, payload, &sink, err);
}

/* --- A group ------------------------------------------------------------------------------------ */

static int take_control(struct making *m, const char *level, uint64_t *number_r, struct err *err)
{
    return store_control(m->a->store, m->partner->name, slice(NULL, 0), slice_of(level), 999999999, number_r, err);
}

/* What writes the documents of the group's line: that of its last group, or a new one. */
static int open_produce(struct making *m, uint64_t interchange, uint64_t group, struct err *err)
{
    struct edi_time now = appliance_time(store_now(m->a->store));
    struct produce_options options;
    int rc;

    if (m->produce && m->produces == m->route) {
        produce_again(m->produce, interchange, group, &now);
        return 0;
    }
    produce_free(&m->produce);
    produce_options_init(&options);
    options.guides = home_guides(m->a->home);
    options.maps = home_maps(m->a->home);
    options.complaints = &m->complaints;
    options.agreement = m->agreement;
    options.guide = agreement_guides(m->agreement, &options.n_guides);
    options.map = agreement_map(m->agreement, m->way.route);
    options.route = m->route;
    finding_policy_init(&m->policy);
    if (partner_allows(m->partner, slice_of(finding_rows[FINDING_MAP_LEFT_OUT].allow)))
        finding_policy_allow(&m->policy, slice_of(finding_rows[FINDING_MAP_LEFT_OUT].allow));
    options.policy = &m->policy;
    options.interchange = interchange;
    options.group = group;
    options.now = now;
    options.threads = 1;
    options.write.write = on_out;
    options.write.ctx = m;
    options.finding = on_produce_finding;
    options.ctx = m;
    rc = produce_new(&options, &m->produce, err);
    m->produces = m->route;
    return rc;
}

/* Those that can be written are in `out`; *control_r: the interchange's number, 0 for records. */
static int write_documents(struct making *m, uint64_t *control_r, struct err *err)
{
    uint64_t control = 0, group = 0, more;
    bool groups = dialect_of_set(m->route->document)->groups;
    int rc = take_control(m, "interchange", &control, err);

    if (rc == 0 && groups)
        rc = take_control(m, "group", &group, err);
    if (rc == 0)
        rc = open_produce(m, control, group, err);
    for (size_t i = 0; rc == 0 && i < m->members; i++)
        rc = write_item(m, m->member[i], m->produce, err);
    if (rc == 0)
        rc = produce_end(m->produce, err);
    for (uint64_t i = 1; rc == 0 && i < produce_counts(m->produce)->interchanges; i++)
        rc = take_control(m, "interchange", &more, err);
    for (uint64_t i = 1; rc == 0 && groups && i < produce_counts(m->produce)->groups; i++)
        rc = take_control(m, "group", &more, err);
    if (rc < 0) /* something may be open in it */
        produce_free(&m->produce);
    *control_r = control;
    return rc;
}

static int write_as_records(struct making *m, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < m->members; i++)
        rc = write_item(m, m->member[i], NULL, err);
    return rc;
}

/* The file is made: a transmission that leaves, and its deliveries and documents. */
static int put_down(struct making *m, const struct payload *payload, uint64_t control, struct err *err)
{
    struct store_transmission t = { .direction = STORE_OUT,
                                    .partner = m->partner->name,
                                    .way = m->route->way,
                                    .format = m->route->as_record
                                                  ? SLICE("json")
                                                  : slice_of(dialect_of_set(m->route->document)->standard),
                                    .payload = *payload,
                                    .priority = 2 };
    struct buf target, name;
    store_id id;
    int rc;

    for (size_t i = 0; i < m->members; i++) {
        t.documents += m->member[i]->refused ? 0 : m->member[i]->made;
        if (m->member[i]->d.priority < t.priority)
            t.priority = m->member[i]->d.priority;
    }
    buf_init(&target, 4096);
    buf_init(&name, 4096);
    rc = make_name(m, control, &target, &name, err);
    t.target = buf_slice(&target);
    t.name = buf_slice(&name);
    if (rc == 0)
        rc = store_make(m->a->store, &t, &id, err);
    for (size_t i = 0; rc == 0 && i < m->members; i++)
        if (!m->member[i]->refused)
            rc = store_make_delivery(m->a->store, m->member[i]->d.id, id, err);
    if (rc == 0 && !m->route->as_record)
        rc = look_at(m, payload, id, err);
    buf_deinit(&target);
    buf_deinit(&name);
    return rc;
}

static int make_group(struct making *m, struct err *err)
{
    struct payload payload = { .size = 0 };
    uint64_t control = 0;
    size_t refused = 0;
    int rc = object_begin(m->a->objects, &m->out, err);

    m->out_n = 0;
    m->number = slice(NULL, 0);
    if (rc == 0)
        rc = m->route->as_record ? write_as_records(m, err) : write_documents(m, &control, err);
    for (size_t i = 0; i < m->members; i++)
        refused += m->member[i]->refused;
    /* nothing of it leaves, so no number of it is taken either */
    if (rc == 0 && refused == m->members) {
        rc = store_unmark(m->a->store, true, err);
        if (rc == 0)
            rc = store_mark(m->a->store, err);
    }
    for (size_t i = 0; rc == 0 && i < m->members; i++)
        if (m->member[i]->refused)
            rc = store_bury(m->a->store, DELIVERY, m->member[i]->d.id, m->member[i]->reason, err);
    if (rc == 0 && m->out_n && refused < m->members)
        rc = object_end(&m->out, &payload, err);
    object_abandon(&m->out);
    return rc == 0 && payload.size ? put_down(m, &payload, control, err) : rc;
}

/* Nothing of a group was refused by itself, but all of it cannot be made. */
static int hold_group(struct making *m, struct slice reason, struct err *err)
{
    struct err words = { 0 };
    int rc;

    err_set(&words, ERR_CONFIG, "%.*s", SLICE_FMT(reason));
    rc = store_unmark(m->a->store, true, err);
    if (rc == 0)
        rc = store_mark(m->a->store, err);
    for (size_t i = 0; rc == 0 && i < m->members; i++)
        rc = store_hold(m->a->store, DELIVERY, m->member[i]->d.id, HELD_CONFIG, slice_of(words.text), err);
    return rc;
}

/* --- What waits ------------------------------------------------------------------------------------ */

static int on_waiting(void *ctx, const struct store_delivery *d)
{
    struct making *m = ctx;
    struct item *grown = arena_grow(&m->arena, m->item, m->n, &m->room, sizeof(*grown)), *i;

    if (!grown)
        return err_nomem(&m->err);
    m->item = grown;
    i = &grown[m->n++];
    *i = (struct item){ .at = 0 };
    return store_keep_delivery(&m->arena, d, &i->d) < 0 ? err_nomem(&m->err) : 0;
}

struct finding_record {
    struct making *m;
    struct item *i;
};

static int on_document(void *ctx, const struct store_document *d)
{
    struct finding_record *f = ctx;
    struct item *i = f->i;

    i->sender = arena_copy(&f->m->arena, d->partner);
    i->number = arena_copy(&f->m->arena, d->number);
    if (!i->sender.p || !i->number.p)
        return err_nomem(&f->m->err);
    i->at = d->record_at;
    i->size = d->record_size;
    i->found = d->record_size > 0;
    i->d.transmission = d->transmission;
    return 0;
}

static int find_record(struct making *m, struct item *i, struct err *err)
{
    struct store_query q = { .id = i->d.document, .limit = 1 };
    struct finding_record f = { m, i };
    int rc = i->d.document ? store_documents(m->a->store, &q, on_document, &f, err) : 0;

    if (rc < 0 && m->err.code)
        *err = m->err;
    q.id = i->d.transmission;
    if (rc == 0 && i->found)
        rc = store_transmissions(m->a->store, &q, on_records, &i->records, err);
    i->d.transmission = 0;
    return rc;
}

/* The line that the first one goes by, and those that go the same way. 0: they wait for more; 1: they go. */
static int gather(struct making *m, struct item *first, struct buf *why, struct err *err)
{
    store_time oldest = first->d.at;
    int rc = 1, line;

    m->members = 0;
    m->partner = home_partner(m->a->home, first->d.partner);
    if (!m->partner || m->partner->off) {
        buf_printf(why, "%.*s is %s", SLICE_FMT(first->d.partner),
                   m->partner ? "switched off" : "no partner, or his file is wrong");
        return ERR_CONFIG;
    }
    rc = home_agreement(m->a->home, m->partner, &m->agreement, err);
    if (rc < 0)
        return rc;
    /* the file may say something else than when it was routed */
    line = route_find(m->partner, first->d.route);
    m->way = (struct way){ .route = line < 0 ? 0 : (unsigned)line };
    if (line >= 0 && m->partner->route[line].out) {
        const struct partner_route *route = &m->partner->route[line];
        if (route->record.n && !slice_eq(route->record, first->d.kind))
            rc = home_carry(m->a->home, m->partner, first->d.kind, route->record, &m->way.carry, err);
        if (rc < 0)
            return rc;
    } else {
        rc = route_out(m->a->home, m->partner, first->d.kind, NULL, &m->arena, &m->way, why, err);
        if (rc <= 0)
            return rc < 0 ? rc : ERR_CONFIG;
    }
    m->route = &m->partner->route[m->way.route];
    for (struct item *i = first; i < m->item + m->n && m->members < m->route->batch; i++) {
        struct item **grown;
        if (i->taken || !slice_eq(i->d.partner, first->d.partner) || !slice_eq(i->d.route, first->d.route) ||
            !slice_eq(i->d.kind, first->d.kind))
            continue;
        grown = arena_grow(&m->arena, m->member, m->members, &m->members_room, sizeof(struct item *));
        if (!grown)
            return err_nomem(err);
        m->member = grown;
        m->member[m->members++] = i;
        oldest = i->d.at < oldest ? i->d.at : oldest;
    }
    for (size_t i = 0; i < m->members; i++)
        m->member[i]->taken = true;
    return m->members == m->route->batch || oldest + (store_time)m->route->within * 1000 <= store_now(m->a->store) ||
           oldest > store_now(m->a->store);
}

static int make_all(struct making *m, uint32_t *done, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < m->n && !(m->a->stop && m->a->stop(m->a->ctx)); i++) {
        struct err own = { 0 };
        struct buf why;

        if (m->item[i].taken)
            continue;
        buf_init(&why, REASON);
        rc = gather(m, &m->item[i], &why, &own);
        if (rc == 0) {
            buf_deinit(&why);
            continue;
        }
        if (rc < 0 && rc != ERR_CONFIG && rc != ERR_MISSING)
            *err = own;
        if (rc == ERR_CONFIG || rc == ERR_MISSING) {
            m->item[i].taken = true;
            rc = store_hold(m->a->store, DELIVERY, m->item[i].d.id, HELD_CONFIG,
                            why.n ? buf_slice(&why) : slice_of(own.text), err);
            m->members = 1;
        } else if (rc > 0) {
            rc = store_mark(m->a->store, err);
            for (size_t k = 0; rc == 0 && k < m->members; k++)
                rc = find_record(m, m->member[k], err);
            if (rc == 0)
                rc = make_group(m, err);
            if (rc == ERR_CONFIG || rc == ERR_MISSING || rc == ERR_DATA || rc == ERR_LIMIT)
                rc = hold_group(m, slice_of(err->text), err);
            if (rc == 0)
                rc = store_unmark(m->a->store, false, err);
        }
        buf_deinit(&why);
        *done += (uint32_t)m->members;
    }
    return rc;
}

int make_work(struct appliance *a, uint32_t *done_r, struct err *err)
{
    const struct store_query query = { .states = 1u << DELIVERY_WAITING, .due = store_now(a->store), .limit = WAITING };
    struct making m = { .a = a };
    uint32_t done = 0;
    int rc;

    *done_r = 0;
    arena_init(&m.arena, TEXTS);
    complaints_init(&m.complaints);
    buf_init(&m.reason, REASON);
    rc = store_deliveries(a->store, &query, on_waiting, &m, err);
    if (rc < 0 && m.err.code)
        *err = m.err;
    if (rc == 0 && m.n) {
        rc = store_begin(a->store, err);
        if (rc == 0)
            rc = make_all(&m, &done, err);
        if (rc == 0)
            rc = objects_sync(a->objects, err);
        if (rc == 0)
            rc = store_commit(a->store, err);
        if (rc < 0)
            store_rollback(a->store);
        else
            *done_r = done;
    }
    produce_free(&m.produce);
    complaints_deinit(&m.complaints);
    buf_deinit(&m.reason);
    arena_deinit(&m.arena);
    return rc;
}
