/*
 * produce: see produce.h.
 *
 * Records are composed (compose.h) by as many threads as there are, the caller's among them, and taken in the order
 * they came: envelope, control number, body. What is larger than a job may hold is composed and taken at once; a
 * streamed record's body waits in a temporary file until it is known to be right.
 *
 * When the envelope changes, the old one is closed and the new one opened, but neither is given out before the first
 * record in it was written: a mark remembers the moment before, and a refused record goes back there.
 */
#include "flow/produce.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "edi/dialect.h"
#include "flow/compose.h"
#include "flow/threads.h"

enum { NUMBER_MOST = 999999999, PIECE = 32 << 10, JOBS = 4, JOB_MOST = 128 << 10, SAID = 16 };

/* A writer for each identity of the partner file: each has its own delimiters and character set. */
struct output {
    const struct partner_identity *identity; /* NULL: no partner file */
    struct edi_writer *writer;
};

enum job_state { JOB_FREE, JOB_READY, JOB_TAKEN, JOB_DONE };

/* A record that is composed beside others. */
struct job {
    enum job_state state;
    struct record_kept kept;
    struct composed made;
};

struct worker {
    struct produce *produce;
    struct composer *composer;
    pthread_t thread;
    bool started;
};

struct produce {
    struct produce_options options;
    struct produce_counts counts;
    struct output *output;
    unsigned n_outputs;
    struct composer *composer;          /* the caller's thread's */
    struct composed made;               /* what it makes for itself */
    struct produce_place place;
    struct said {                       /* what is said only once, and was */
        const struct guide *guide;
        char version[ENVELOPE_TEXT_MOST];
    } said[SAID];
    unsigned n_said;
    /* the other threads */
    struct worker *worker;
    unsigned n_workers;
    struct job *job;
    unsigned n_jobs;
    uint64_t submitted, taken;          /* jobs, from 1 */
    pthread_mutex_t lock;               /* the jobs' states, quit */
    pthread_mutex_t maps;               /* maps and guides */
    pthread_cond_t ready, done;
    unsigned idle;                      /* workers that wait */
    bool quit;
    /* the envelope that is open */
    struct output *at;                  /* NULL: none */
    struct envelope envelope;
    uint64_t next_interchange, next_group, next_document;
    uint64_t ordinal;                   /* of the last document in its group; 0: not known */
    uint64_t bare_ordinal;              /* of the last bare document in its interchange */
    /* the record at hand */
    bool refused;
    int stopped;
};

void produce_options_init(struct produce_options *o)
{
    memset(o, 0, sizeof(*o));
    edi_write_options_init(&o->write);
    o->write.line_end = "\n";
    edi_write_options_edifact(&o->edifact);
    o->edifact.line_end = "\n";
}

const struct produce_counts *produce_counts(const struct produce *p)
{
    return &p->counts;
}

/* --- Threads --------------------------------------------------------------------------- */

/* A job for whoever asks; called with the lock held. NULL: none at the moment. */
static struct job *next_job(struct produce *p)
{
    for (uint64_t n = p->taken + 1; n <= p->submitted; n++) {
        struct job *j = &p->job[n % p->n_jobs];
        if (j->state == JOB_READY)
            return j;
    }
    return NULL;
}

/* Composes a job's record; called with the lock held, which is let go meanwhile. */
static void run_job(struct produce *p, struct composer *composer, struct job *j)
{
    j->state = JOB_TAKEN;
    pthread_mutex_unlock(&p->lock);
    compose(composer, &j->kept.record, &j->made);
    pthread_mutex_lock(&p->lock);
    j->state = JOB_DONE;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct produce *p = w->produce;

    pthread_mutex_lock(&p->lock);
    while (!p->quit) {
        struct job *j = next_job(p);
        if (j) {
            run_job(p, w->composer, j);
            if (j == &p->job[(p->taken + 1) % p->n_jobs])
                pthread_cond_signal(&p->done);
        } else {
            p->idle++;
            pthread_cond_wait(&p->ready, &p->lock);
            p->idle--;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Started when there is more than one record. */
static int start_workers(struct produce *p, unsigned n, struct err *err)
{
    int rc = 0;

    p->n_jobs = JOBS * (n + 1);
    p->worker = calloc(n, sizeof(*p->worker));
    p->job = calloc(p->n_jobs, sizeof(*p->job));
    if (!p->worker || !p->job)
        return err_nomem(err);
    for (unsigned i = 0; i < p->n_jobs; i++)
        composed_init(&p->job[i].made);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        p->worker[i].produce = p;
        rc = composer_new(&p->options, &p->maps, &p->worker[i].composer, err);
        p->n_workers = i + 1;
    }
    for (unsigned i = 0; i < n && rc == 0; i++) {
        if (pthread_create(&p->worker[i].thread, NULL, work, &p->worker[i]) != 0)
            rc = err_set(err, ERR_NOMEM, "a thread cannot be started");
        p->worker[i].started = rc == 0;
    }
    return rc;
}

static void stop_workers(struct produce *p)
{
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_cond_broadcast(&p->ready);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->n_workers; i++) {
        if (p->worker[i].started)
            pthread_join(p->worker[i].thread, NULL);
        composer_free(&p->worker[i].composer);
    }
    for (unsigned i = 0; p->job && i < p->n_jobs; i++) {
        composed_deinit(&p->job[i].made);
        record_kept_deinit(&p->job[i].kept);
    }
    free(p->worker);
    free(p->job);
}

/* --- Making and freeing ---------------------------------------------------------------- */

int produce_new(const struct produce_options *options, struct produce **p_r, struct err *err)
{
    struct produce *p = calloc(1, sizeof(*p));
    struct edi_write_options how;
    int rc;

    *p_r = NULL;
    if (!p)
        return err_nomem(err);
    p->options = *options;
    produce_again(p, options->interchange, options->group, &options->now);
    if (pthread_mutex_init(&p->lock, NULL) != 0) {
        free(p);
        return err_nomem(err);
    }
    if (pthread_mutex_init(&p->maps, NULL) != 0) {
        pthread_mutex_destroy(&p->lock);
        free(p);
        return err_nomem(err);
    }
    pthread_cond_init(&p->ready, NULL);
    pthread_cond_init(&p->done, NULL);
    composed_init(&p->made);
    rc = composer_new(&p->options, &p->maps, &p->composer, err);
    p->n_outputs = compose_outputs(&p->options);
    p->output = calloc(p->n_outputs + 1, sizeof(*p->output));
    if (rc == 0 && !p->output)
        rc = err_nomem(err);
    for (unsigned i = 0; rc == 0 && i < p->n_outputs; i++) {
        p->output[i].identity = compose_identity(&p->options, i);
        compose_write_options(&p->options, i, &dialect_x12, slice(NULL, 0), &how);
        rc = edi_writer_new(&how, &p->output[i].writer, err);
    }
    if (rc < 0)
        produce_free(&p);
    *p_r = p;
    return rc;
}

void produce_again(struct produce *p, uint64_t interchange, uint64_t group, const struct edi_time *now)
{
    p->options.interchange = p->next_interchange = interchange;
    p->options.group = group;
    p->next_group = group ? group : interchange;
    p->next_document = p->options.document;
    p->options.now = *now;
    p->counts = (struct produce_counts){ .records = 0 };
    p->n_said = 0;
    p->ordinal = p->bare_ordinal = 0;
    p->stopped = 0;
}

void produce_free(struct produce **produce)
{
    struct produce *p = *produce;

    if (!p)
        return;
    stop_workers(p);
    composer_free(&p->composer);
    composed_deinit(&p->made);
    for (unsigned i = 0; p->output && i < p->n_outputs; i++)
        edi_writer_free(&p->output[i].writer);
    free(p->output);
    pthread_cond_destroy(&p->ready);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->maps);
    pthread_mutex_destroy(&p->lock);
    free(p);
    *produce = NULL;
}

/* --- Findings ------------------------------------------------------------------------ */

static int take_finding(void *ctx, const struct map_write_finding *f)
{
    struct produce *p = ctx;
    int rc;

    if (f->severity == SEVERITY_ERROR) {
        p->counts.errors++;
        p->refused = true;
    } else {
        p->counts.warnings++;
    }
    rc = p->options.finding ? p->options.finding(p->options.ctx, &p->place, f) : 0;
    if (rc < 0)
        p->stopped = rc;
    return rc;
}

/* An error of our own: refuses the record. */
static void refuse(struct produce *p, const char *code, const char *path, struct slice value, const char *found)
{
    const struct map_write_finding f = {
        .code = code,
        .severity = SEVERITY_ERROR,
        .path = slice_of(path),
        .value = value,
        .found = found,
        .expected = "",
        .missing = value.n == 0,
    };
    take_finding(p, &f);
}

static bool was_said(struct produce *p, const struct guide *guide, struct slice version)
{
    struct said *s;

    for (unsigned i = 0; i < SAID && i < p->n_said; i++)
        if (p->said[i].guide == guide && slice_is(version, p->said[i].version))
            return true;
    s = &p->said[p->n_said++ % SAID];
    s->guide = guide;
    snprintf(s->version, sizeof(s->version), "%.*s", SLICE_FMT(version));
    return false;
}

static void tell(struct produce *p, const struct told_list *l)
{
    for (const struct told *t = l->first; t && !p->stopped; t = t->next)
        if (!t->once || !was_said(p, t->once, t->finding.value))
            take_finding(p, &t->finding);
}

/* --- Envelopes ------------------------------------------------------------------------- */

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

/* Bare documents are outside of groups. */
static bool in_group(const struct produce *p)
{
    return p->at && p->envelope.text[GROUP_CODE][0];
}

static int close_group(struct produce *p)
{
    return in_group(p) ? edi_write_group_end(p->at->writer) : 0;
}

static int close_interchange(struct produce *p)
{
    int rc = close_group(p);
    return rc == 0 ? edi_write_interchange_end(p->at->writer) : rc;
}

/* Takes a control number of a level; refuses the record when there is none left. */
static struct slice take_number(struct produce *p, uint64_t *next, const struct dialect *dialect,
                                enum dialect_level level, char text[16])
{
    if (*next > NUMBER_MOST)
        refuse(p, "CONTROL-NUMBER", "", slice(NULL, 0), "the control numbers have reached 999999999");
    return slice(text, (size_t)snprintf(text, 16, "%0*llu", (int)dialect->level[level].digits,
                                        (unsigned long long)(*next)++ % (NUMBER_MOST + 1ull)));
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
        .sender_routing = text_of(e, SENDER_ROUTING),
        .receiver_routing = text_of(e, RECEIVER_ROUTING),
        .application = text_of(e, APPLICATION),
        .priority = text_of(e, PRIORITY),
        .agreement = text_of(e, AGREEMENT),
        .group_sender_qualifier = text_of(e, GROUP_SENDER_QUALIFIER),
        .group_receiver_qualifier = text_of(e, GROUP_RECEIVER_QUALIFIER),
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
        { "UNB01-1", "source.syntax" },    { "UNB01-2", "source.syntax" },     { "UNB02-1", "source.sender" },
        { "UNB02-2", "source.sender" },    { "UNB03-1", "source.receiver" },   { "UNB03-2", "source.receiver" },
        { "UNB02-3", "source.sender_routing" }, { "UNB03-3", "source.receiver_routing" },
        { "UNB05", "source.interchange" }, { "UNB07", "source.application" },  { "UNB08", "source.priority" },
        { "UNB10", "source.agreement" },   { "UNG02-2", "source.group_sender_qualifier" },
        { "UNG03-2", "source.group_receiver_qualifier" },
        { "UNG02-1", "source.group_sender" }, { "UNG03-1", "source.group_receiver" }, { "UNG05", "source.group" },
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
            if (!o->identity)
                f.path = slice_of(places[i].path);
        }
    take_finding(p, &f);
}

/* Without a partner file one writer serves both dialects and all character sets. */
static int set_options(struct produce *p, struct output *o, const struct composed *m)
{
    struct edi_write_options how;

    compose_options_of(&p->options, m, &how);
    return edi_writer_options(o->writer, &how);
}

/* Sees to it that the envelope is open. ERR_DATA: refused. */
static int open_envelope(struct produce *p, struct output *o, const struct composed *m, bool anew, struct before *b,
                         struct err *err)
{
    const struct envelope *e = &m->envelope;
    bool interchange = p->at != o || !same_interchange(&p->envelope, e);
    struct edi_envelope to;
    char number[16];
    int rc;

    /* with numbers of our own a bare document stands where the standard wants it, before all groups */
    interchange |= m->bare && in_group(p) && p->options.interchange;
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
    if (o->identity) {
        to.interchange_version = o->identity->version;
        if (slice_eq(to.sender, o->identity->our_id)) /* what a partner sends holds another one */
            to.security = agreement_password(p->options.agreement, m->output);
        to.security_qualifier = to.security.n ? o->identity->password_qualifier : slice(NULL, 0);
    }
    if (m->dialect == &dialect_edifact) {
        compose_syntax_of(e, &to);
        to.message = compose_type_of(m);
    }
    if (p->at && (rc = interchange ? close_interchange(p) : close_group(p)) < 0)
        return writer_error(p->at, rc, err);
    p->at = o;
    p->envelope = *e;
    rc = 0;
    if (interchange) {
        to.interchange_control = p->options.interchange
                                     ? take_number(p, &p->next_interchange, m->dialect, DIALECT_INTERCHANGE, number)
                                     : text_of(e, INTERCHANGE_CONTROL);
        if (!p->options.document && !m->dialect->groups)
            p->next_document = 1;
        if (!o->identity && (m->dialect == &dialect_edifact || edi_writer_dialect(o->writer) != m->dialect))
            rc = set_options(p, o, m);
        if (rc == 0)
            rc = edi_write_interchange(o->writer, &to);
        p->counts.interchanges++;
        p->bare_ordinal = 0;
    }
    if (rc == 0 && m->grouped) {
        to.at = e->group_at;
        to.group_control = p->options.interchange ? take_number(p, &p->next_group, m->dialect, DIALECT_GROUP, number)
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

/* The body of a document that is too large for memory, and right. */
static int add_file(struct output *o, const struct composed *m, struct err *err)
{
    char bytes[PIECE];
    int rc = 0;

    for (uint64_t at = m->from; rc == 0 && at < m->to;) {
        size_t want = m->to - at < PIECE ? (size_t)(m->to - at) : PIECE;
        ssize_t n = pread(m->file, bytes, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? err_system(err, "a temporary file") : err_set(err, ERR_IO, "a temporary file was cut off");
        at += (uint64_t)n;
        rc = edi_write_segments(o->writer, slice(bytes, (size_t)n), at == m->to ? m->segments : 0);
        if (rc == 0)
            rc = edi_writer_flush(o->writer);
    }
    return rc < 0 ? writer_error(o, rc, err) : 0;
}

static int begin_document(struct output *o, const struct composed *m, struct slice control)
{
    int rc = 0;

    if (m->dialect == &dialect_edifact) {
        struct edi_message_type type = compose_type_of(m);
        rc = edi_writer_message(o->writer, &type);
    }
    return rc < 0 || m->bare ? rc : edi_write_document(o->writer, m->set, control, m->implementation);
}

/* The same from ST to SE. No mark: the output could not hold it. */
static int add_large_document(struct output *o, const struct composed *m, struct slice control, struct err *err)
{
    int rc = begin_document(o, m, control);

    if (rc < 0)
        return writer_error(o, rc, err);
    rc = add_file(o, m, err);
    if (rc == 0 && !m->bare && (rc = edi_write_document_end(o->writer)) < 0)
        return writer_error(o, rc, err);
    return rc;
}

/* A composed document, with its control number. */
static int add_document(struct output *o, const struct composed *m, struct slice control, struct err *err)
{
    struct edi_mark mark;
    int rc = edi_writer_mark(o->writer, &mark);

    if (rc == 0)
        rc = begin_document(o, m, control);
    if (rc == 0)
        rc = edi_write_segments(o->writer, buf_slice(&m->body), m->segments);
    if (rc == 0 && !m->bare)
        rc = edi_write_document_end(o->writer);
    if (rc == 0) {
        edi_writer_release(o->writer);
        return 0;
    }
    writer_error(o, rc, err);
    edi_writer_rewind(o->writer, &mark);
    return rc;
}

/* A composed record, in its turn. `streamed`: the record, when its body is still to be written. */
static int take_record(struct produce *p, struct composed *m, const struct record *streamed, struct err *err)
{
    struct before before = { .opened = false };
    struct output *output, *old = p->at;
    const bool numbered = p->options.interchange && !m->bare;
    char number[16];
    int rc = m->code;

    p->refused = false;
    tell(p, &m->before);
    if (m->addressed && (rc == 0 || rc == ERR_DATA)) {
        output = &p->output[m->output];
        rc = open_envelope(p, output, m, m->ordinal && m->ordinal <= (m->bare ? p->bare_ordinal : p->ordinal), &before,
                           err);
        *(m->bare ? &p->bare_ordinal : &p->ordinal) = m->ordinal;
        if (rc == 0 || rc == ERR_DATA)
            tell(p, &m->findings);
        if (rc == 0 && m->code < 0)
            rc = err_set(err, m->code, "%s", m->err.text);
        if (rc == 0) {
            struct slice control =
                numbered ? take_number(p, &p->next_document, m->dialect, DIALECT_DOCUMENT, number) : m->document;
            if (p->refused)
                rc = ERR_DATA;
            else if (streamed)
                rc = compose_file(p->composer, streamed, m, control, take_finding, p, err);
            if (rc == 0 && streamed)
                rc = add_large_document(output, m, control, err);
            else if (rc == 0)
                rc = add_document(output, m, control, err);
            if (rc == ERR_LIMIT && streamed && !p->stopped)
                rc = ERR_DATA;
            /* what no finding tells, the words do */
            if (rc == ERR_DATA && !p->refused)
                refuse(p, "RECORD-REFUSED", "", slice(NULL, 0), err->text);
            if (rc == ERR_DATA && !before.opened && numbered)
                p->next_document--;
        }
        /* refused or broken off: no envelope stays that holds nothing */
        if (rc < 0 && before.opened)
            undo_envelope(p, &before);
        if (rc == 0 && before.opened && old && old != output && (rc = edi_writer_flush(old->writer)) < 0)
            return writer_error(old, rc, err);
        if (rc == 0)
            p->counts.documents++;
    } else if (rc < 0) {
        err_set(err, rc, "%s", m->err.text);
    }
    if (p->stopped)
        return err_set(err, p->stopped, "stopped");
    if (rc == ERR_DATA)
        p->counts.refused++;
    return rc;
}

static void begin_record(struct produce *p, const struct record *record, struct slice file)
{
    p->place = (struct produce_place){ file, record->number, record->line };
    p->counts.records++;
}

int produce_record(struct produce *p, const struct record *record, struct slice file, struct err *err)
{
    struct err own = { 0 };

    begin_record(p, record, file);
    if (record->streamed)
        compose_envelope(p->composer, record, &p->made);
    else
        compose(p->composer, record, &p->made);
    return take_record(p, &p->made, record->streamed ? record : NULL, err ? err : &own);
}

/* --- Many records ------------------------------------------------------------------------ */

/* Takes the oldest job, when others have not finished it yet after lending a hand. */
static int take_job(struct produce *p, struct slice file, struct err *err)
{
    struct job *j = &p->job[(p->taken + 1) % p->n_jobs], *other;
    int rc;

    pthread_mutex_lock(&p->lock);
    while (j->state != JOB_DONE) {
        other = next_job(p);
        if (other)
            run_job(p, p->composer, other);
        else
            pthread_cond_wait(&p->done, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    begin_record(p, &j->kept.record, file);
    rc = take_record(p, &j->made, NULL, err);
    if (p->options.progress)
        p->options.progress(p->options.ctx, j->kept.record.offset + j->kept.record.size);
    pthread_mutex_lock(&p->lock);
    j->state = JOB_FREE;
    p->taken++;
    pthread_mutex_unlock(&p->lock);
    return rc == ERR_DATA ? 0 : rc;
}

/* All that were submitted; after an error they are only waited for. */
static int take_all(struct produce *p, struct slice file, int rc, struct err *err)
{
    while (rc >= 0 && p->taken < p->submitted)
        rc = take_job(p, file, err);
    if (rc < 0 && p->n_jobs) {
        pthread_mutex_lock(&p->lock);
        for (uint64_t n = p->taken + 1; n <= p->submitted; n++) {
            struct job *j = &p->job[n % p->n_jobs];
            if (j->state == JOB_READY)
                j->state = JOB_DONE;
            while (j->state == JOB_TAKEN)
                pthread_cond_wait(&p->done, &p->lock);
            j->state = JOB_FREE;
            p->taken = n;
        }
        pthread_mutex_unlock(&p->lock);
    }
    return rc;
}

/* Gives a record to whoever has time. */
static int submit(struct produce *p, struct record_reader *reader, struct slice file, struct err *err)
{
    struct job *j = &p->job[(p->submitted + 1) % p->n_jobs];
    int rc = 0;

    if (p->submitted - p->taken == p->n_jobs)
        rc = take_job(p, file, err);
    if (rc == 0)
        rc = record_reader_keep(reader, &j->kept, err);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&p->lock);
    j->state = JOB_READY;
    p->submitted++;
    if (p->idle)
        pthread_cond_signal(&p->ready);
    pthread_mutex_unlock(&p->lock);
    return 0;
}

int produce_records(struct produce *p, int fd, struct slice file, struct err *err)
{
    struct record_reader *reader = NULL;
    const struct record *record;
    unsigned threads = threads_for(p->options.threads);
    struct err none = { 0 };
    int rc;

    if (!err)
        err = &none;
    rc = record_reader_new(fd, NULL, &reader, err);
    while (rc >= 0) {
        struct err own = { 0 };

        rc = record_reader_next(reader, &record, &own);
        if (rc == 0)
            break;
        /* a single record is done before a thread has started */
        if (rc > 0 && threads > 1 && p->counts.records && !record->streamed && record->size <= JOB_MOST) {
            rc = 0;
            if (!p->n_jobs)
                rc = start_workers(p, threads - 1, err);
            if (rc == 0)
                rc = submit(p, reader, file, err);
            continue;
        }
        if (rc > 0 || rc == ERR_DATA || rc == ERR_LIMIT) {
            int others = take_all(p, file, 0, err);
            if (others < 0) {
                rc = others;
                break;
            }
        }
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
            refuse(p, "RECORD-SYNTAX", "", slice(NULL, 0), own.text);
            rc = p->stopped ? err_set(err, p->stopped, "stopped") : ERR_DATA;
        } else {
            err_set(err, rc, "%.*s: %s", SLICE_FMT(file), own.text);
        }
        if (rc == ERR_DATA)
            rc = 0;
    }
    rc = take_all(p, file, rc, err);
    record_reader_free(&reader);
    return rc;
}

int produce_end(struct produce *p, struct err *err)
{
    int rc;

    if (!p->at)
        return 0;
    rc = close_interchange(p);
    if (rc == 0)
        rc = edi_writer_flush(p->at->writer);
    if (rc < 0)
        return writer_error(p->at, rc, err);
    p->at = NULL;
    return 0;
}
