/* translate: see translate.h. */
#include "flow/translate.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "flow/threads.h"
#include "map/read.h"

/* RECORD_BYTES: what a run's records mostly stay below */
enum { PADDING = 64, RECORD_BYTES = 256 << 10, JOB_BYTES = EDI_MOST_RUN + PADDING };
enum job_state { JOB_FREE, JOB_READY, JOB_TAKEN, JOB_DONE };

struct job {
    enum job_state state;
    struct edi_run run;
    struct edi_context in;
    char *bytes;
    struct buf records, findings;
};

/* Reads documents: on a thread of its own, or (the only one) on the caller's. */
struct worker {
    struct translate *t;
    struct edi_reader *reader;
    struct map_reader *map;
    struct job *job;                /* at hand; NULL: output goes straight out */
    struct buf line;                /* one rendered finding */
    const struct guide *guide;      /* of the plan chosen last */
    const struct map_plan *plan;
    struct complaints complaints;
    struct translate_counts counts;
    struct err err;
    int failed;
    pthread_t thread;
    bool started;
};

struct translate {
    struct translate_options options;
    struct edi_reader *reader;      /* the one that is fed */
    struct worker self;             /* its own findings; with one thread all of the work */
    struct worker *worker;
    unsigned n_workers;
    struct job *job;
    unsigned n_jobs;
    uint64_t submitted, given;      /* jobs, from 1 */
    pthread_mutex_t lock;           /* jobs, maps, failed */
    pthread_cond_t ready, done;
    bool quit;
    int failed;
    bool locks;
    char no_map[400];               /* what is said of a set that the map which was named is not for */
};

static int choose_plan(void *ctx, const struct edi_document *d, const struct map_plan **plan_r)
{
    struct worker *w = ctx;
    struct translate *t = w->t;
    const struct map *map = t->options.map;
    int r = 0;

    if (w->guide == d->guide && w->guide) {
        *plan_r = w->plan;
        return 0;
    }
    *plan_r = NULL;
    pthread_mutex_lock(&t->lock);
    if (map && !slice_eq(map_set(map), d->set)) { /* the map that was named is for another set */
        pthread_mutex_unlock(&t->lock);
        w->guide = d->guide;
        w->plan = NULL;
        return 0;
    }
    for (unsigned i = 0; !map && i < t->options.n_partner_map; i++)
        if (slice_eq(map_set(t->options.partner_map[i]), d->set))
            map = t->options.partner_map[i];
    if (!map) {
        r = maps_by_set(t->options.maps, d->guide->standard, d->set, &w->complaints, &map, &w->err);
        if (r == ERR_MISSING)
            r = 0;
    }
    if (r == 0 && map)
        r = map_plan_for(t->options.maps, map, d->guide, &w->complaints, plan_r, &w->err);
    pthread_mutex_unlock(&t->lock);
    if (r == 0) {
        w->guide = d->guide;
        w->plan = *plan_r;
    }
    return r;
}

static int take_records(void *ctx, struct buf *text)
{
    struct worker *w = ctx;
    const struct translate_options *o = &w->t->options;
    int r = 0;
    if (w->job && !o->check && !w->job->records.n) {
        buf_swap(&w->job->records, text);
        buf_clear(text);
        return 0;
    }
    if (w->job && !o->check) {
        buf_add_slice(&w->job->records, buf_slice(text));
        r = w->job->records.failed;
    } else if (o->records && !o->check) {
        r = o->records(o->ctx, text->p, text->n);
    }
    buf_clear(text);
    return r;
}

static int take_finding(void *ctx, const struct finding *f)
{
    struct worker *w = ctx;
    const struct translate_options *o = &w->t->options;
    int r = 0;

    if (f->severity == SEVERITY_ERROR)
        w->counts.errors++;
    else
        w->counts.warnings++;
    if (!o->render)
        return 0;
    if (w->job) {
        o->render(o->ctx, f, &w->job->findings);
        return w->job->findings.failed;
    }
    buf_clear(&w->line);
    o->render(o->ctx, f, &w->line);
    if (w->line.failed)
        return w->line.failed;
    if (w->t->n_workers) {
        /* the reader's own: behind what the documents before it have to say, which is not known yet */
        struct job *j = w->t->submitted > w->t->given ? &w->t->job[w->t->submitted % w->t->n_jobs] : NULL;
        if (j) {
            pthread_mutex_lock(&w->t->lock);
            while (j->state != JOB_DONE && !w->t->failed)
                pthread_cond_wait(&w->t->done, &w->t->lock);
            r = w->t->failed;
            if (r == 0) {
                buf_add_slice(&j->findings, buf_slice(&w->line));
                r = j->findings.failed;
            }
            pthread_mutex_unlock(&w->t->lock);
            return r;
        }
    }
    return o->findings ? o->findings(o->ctx, w->line.p, w->line.n) : 0;
}

static int end_document(void *ctx, const struct edi_document *d)
{
    struct worker *w = ctx;
    w->counts.documents++;
    w->counts.refused += d->errors > 0;
    return 0;
}

static void worker_deinit(struct worker *w)
{
    w->counts.records = w->map ? map_reader_records(w->map) : 0;
    edi_reader_free(&w->reader);
    map_reader_free(&w->map);
    buf_deinit(&w->line);
    complaints_deinit(&w->complaints);
}

/* run: where its reader hands documents over; NULL: it reads them all. */
static int worker_init(struct worker *w, struct translate *t,
                       int (*run)(void *, const struct edi_reader *, const struct edi_run *), struct err *err)
{
    struct edi_reader_options o = { .guides = t->options.guides, .partner = t->options.partner,
                                    .n_partner = t->options.n_partner, .between = t->options.between,
                                    .n_between = t->options.n_between, .policy = t->options.policy,
                                    .complaints = &w->complaints, .run = run, .run_ctx = t };
    struct map_read_options m = { .choose = choose_plan,
                                  .take = take_records,
                                  .finding = take_finding,
                                  .document_end = end_document,
                                  .ctx = w,
                                  .batch = true,
                                  .flush = w == &t->self ? 0 : RECORD_BYTES,
                                  .optional = t->options.check,
                                  .transmission = t->options.transmission,
                                  .partner = t->options.partner_name,
                                  .no_map = t->no_map[0] ? t->no_map : NULL };
    struct edi_sink sink = { .ctx = w, .finding = take_finding, .document_end = end_document };
    int r;

    w->t = t;
    buf_init(&w->line, 1 << 20);
    complaints_init(&w->complaints);
    if (t->options.maps) {
        r = map_reader_new(&m, &w->map, err);
        if (r < 0)
            return r;
        map_reader_sink(w->map, &sink);
    }
    r = edi_reader_new(&o, &sink, &w->reader, err);
    if (r == 0 && w->map)
        map_reader_attach(w->map, w->reader);
    return r;
}

/* The next job for a worker; called with the lock held. NULL: none at the moment. */
static struct job *next_job(struct translate *t)
{
    for (uint64_t n = t->given + 1; n <= t->submitted; n++) {
        struct job *j = &t->job[n % t->n_jobs];
        if (j->state == JOB_READY)
            return j;
    }
    return NULL;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct translate *t = w->t;

    pthread_mutex_lock(&t->lock);
    for (;;) {
        struct job *j = NULL;
        int r;
        while (!t->quit && !(j = next_job(t)))
            pthread_cond_wait(&t->ready, &t->lock);
        if (t->quit)
            break;
        j->state = JOB_TAKEN;
        pthread_mutex_unlock(&t->lock);

        w->job = j;
        r = edi_reader_run(w->reader, &j->in, &j->run, &w->err);
        if (r == 0 && w->map)
            r = map_reader_flush(w->map);
        w->job = NULL;

        pthread_mutex_lock(&t->lock);
        if (r < 0 && !t->failed) {
            w->failed = t->failed = r;
        }
        j->state = JOB_DONE;
        pthread_cond_broadcast(&t->done);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

/* Gives out the oldest job; called with the lock held, which is let go meanwhile. */
static int give_out(struct translate *t)
{
    struct job *j = &t->job[(t->given + 1) % t->n_jobs];
    const struct translate_options *o = &t->options;
    int r = 0;

    while (j->state != JOB_DONE)
        pthread_cond_wait(&t->done, &t->lock);
    pthread_mutex_unlock(&t->lock);
    if (j->findings.n && o->findings)
        r = o->findings(o->ctx, j->findings.p, j->findings.n);
    if (r == 0 && j->records.n && o->records)
        r = o->records(o->ctx, j->records.p, j->records.n);
    buf_clear(&j->records);
    buf_clear(&j->findings);
    pthread_mutex_lock(&t->lock);
    j->state = JOB_FREE;
    t->given++;
    if (r < 0 && !t->failed)
        t->failed = r;
    return t->failed;
}

/* Gives out all jobs. */
static int settle(struct translate *t)
{
    int r;
    pthread_mutex_lock(&t->lock);
    while (t->given < t->submitted && !t->failed)
        give_out(t);
    r = t->failed;
    pthread_mutex_unlock(&t->lock);
    return r;
}

static int submit(void *ctx, const struct edi_reader *reader, const struct edi_run *run)
{
    struct translate *t = ctx;
    struct job *j;
    int r = 0;

    if (!run)
        return settle(t);
    if (t->self.map && (r = map_reader_flush(t->self.map)) < 0)
        return r;
    pthread_mutex_lock(&t->lock);
    j = &t->job[(t->submitted + 1) % t->n_jobs];
    while (!t->failed && (j->state != JOB_FREE ||
                          (t->submitted > t->given && t->job[(t->given + 1) % t->n_jobs].state == JOB_DONE)))
        give_out(t);
    if (t->failed) {
        pthread_mutex_unlock(&t->lock);
        return t->failed;
    }
    pthread_mutex_unlock(&t->lock);

    j->run = *run;
    memcpy(j->bytes, run->p, run->n);
    j->run.p = j->bytes;
    memset(j->bytes + run->n, 0, PADDING);
    edi_context_copy(&j->in, edi_reader_context(reader));

    pthread_mutex_lock(&t->lock);
    j->state = JOB_READY;
    t->submitted++;
    pthread_cond_broadcast(&t->ready);
    pthread_mutex_unlock(&t->lock);
    return 0;
}

static int start_workers(struct translate *t, unsigned n, struct err *err)
{
    t->n_jobs = 2 * n + 1;
    t->worker = calloc(n, sizeof(*t->worker));
    t->job = calloc(t->n_jobs, sizeof(*t->job));
    if (!t->worker || !t->job)
        return err_nomem(err);
    for (unsigned i = 0; i < t->n_jobs; i++) {
        buf_init(&t->job[i].records, LIMIT_ITEM);
        buf_init(&t->job[i].findings, LIMIT_ITEM);
        t->job[i].bytes = malloc(JOB_BYTES);
        if (!t->job[i].bytes)
            return err_nomem(err);
    }
    for (unsigned i = 0; i < n; i++) {
        int r = worker_init(&t->worker[i], t, NULL, err);
        t->n_workers = i + 1;
        if (r < 0)
            return r;
    }
    for (unsigned i = 0; i < n; i++) {
        if (pthread_create(&t->worker[i].thread, NULL, work, &t->worker[i]) != 0)
            return err_set(err, ERR_NOMEM, "a thread cannot be started");
        t->worker[i].started = true;
    }
    return 0;
}

int translate_new(const struct translate_options *options, struct translate **t_r, struct err *err)
{
    struct translate *t = calloc(1, sizeof(*t));
    unsigned threads = threads_for(options->threads);
    int r;

    *t_r = NULL;
    if (!t)
        return err_nomem(err);
    t->options = *options;
    if (options->map)
        snprintf(t->no_map, sizeof(t->no_map), "the map %.*s is for the %.*s", SLICE_FMT(map_name(options->map)),
                 SLICE_FMT(map_set(options->map)));
    if (pthread_mutex_init(&t->lock, NULL) != 0) {
        free(t);
        return err_nomem(err);
    }
    pthread_cond_init(&t->ready, NULL);
    pthread_cond_init(&t->done, NULL);
    r = worker_init(&t->self, t, threads > 1 ? submit : NULL, err);
    t->reader = t->self.reader;
    if (r == 0 && threads > 1)
        r = start_workers(t, threads, err);
    if (r < 0) {
        translate_free(&t);
        return r;
    }
    *t_r = t;
    return 0;
}

struct edi_reader *translate_reader(struct translate *t)
{
    return t->reader;
}

static void add_counts(struct translate_counts *to, const struct worker *w)
{
    to->documents += w->counts.documents;
    to->refused += w->counts.refused;
    to->errors += w->counts.errors;
    to->warnings += w->counts.warnings;
    to->records += w->map ? map_reader_records(w->map) : 0;
}

static void add_complaints(struct translate *t, const struct worker *w)
{
    struct complaints *c = t->options.complaints;
    if (!c || c == &w->complaints)
        return;
    /* several workers find the same in the same file */
    if (w->complaints.count && !c->count) {
        buf_add_slice(&c->text, buf_slice(&w->complaints.text));
        c->count += w->complaints.count;
    }
    c->nomem |= w->complaints.nomem;
}

int translate_end(struct translate *t, struct translate_counts *counts_r, struct err *err)
{
    int r = settle(t);
    *counts_r = (struct translate_counts){ 0 };
    add_counts(counts_r, &t->self);
    add_complaints(t, &t->self);
    for (unsigned i = 0; i < t->n_workers; i++) {
        add_counts(counts_r, &t->worker[i]);
        add_complaints(t, &t->worker[i]);
        if (r < 0 && t->worker[i].failed && err)
            *err = t->worker[i].err;
    }
    if (r < 0 && err && t->self.err.code)
        *err = t->self.err;
    return r;
}

void translate_free(struct translate **translate)
{
    struct translate *t = *translate;
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->quit = true;
    pthread_cond_broadcast(&t->ready);
    pthread_mutex_unlock(&t->lock);
    for (unsigned i = 0; i < t->n_workers; i++) {
        if (t->worker[i].started)
            pthread_join(t->worker[i].thread, NULL);
        worker_deinit(&t->worker[i]);
    }
    worker_deinit(&t->self);
    for (unsigned i = 0; t->job && i < t->n_jobs; i++) {
        buf_deinit(&t->job[i].records);
        buf_deinit(&t->job[i].findings);
        free(t->job[i].bytes);
    }
    free(t->job);
    free(t->worker);
    pthread_cond_destroy(&t->ready);
    pthread_cond_destroy(&t->done);
    pthread_mutex_destroy(&t->lock);
    free(t);
    *translate = NULL;
}
