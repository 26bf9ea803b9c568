/*
 * ledger_bench: makes a ledger with many documents, by the verbs of store.h, and times what people ask of it.
 *
 *     ledger_bench [--documents N] [--batch N] [--keep] FOLDER
 *
 * FOLDER is an empty one, or one that an earlier run left with --keep: then nothing is made. One document in a hundred
 * is refused, some are held or dead. For each question one line: its name, the median and the slowest of the runs in
 * microseconds, and the rows it gave. Each run has a ledger opened anew, for reading: as a command has.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "spool/store.h"

enum { RUNS = 21, PARTNERS = 40, OF_EACH = 10 };

struct bench {
    const char *folder;
    struct store *s;
    store_time now;
    uint32_t documents;
    store_id last_in;
    unsigned rows;
    struct err err;
};

static uint64_t clock_usec(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static store_time bench_now(void *ctx)
{
    return ((struct bench *)ctx)->now;
}

static int open_ledger(struct bench *b, bool write)
{
    struct store_options o = { .write = write, .who = "bench", .now = bench_now, .ctx = b };
    return store_open(b->folder, &o, &b->s, &b->err);
}

/* --- Making ------------------------------------------------------------------------------------------------------ */

static struct payload payload(uint64_t n)
{
    struct payload p = { .size = 4000, .segment = 1 + (uint32_t)(n / 10000), .offset = n % 10000 * 4000 };
    uint64_t x = n;
    for (unsigned i = 0; i < OBJECT_HASH; i++) { /* hashes are spread evenly */
        x = x * 6364136223846793005u + 1442695040888963407u;
        p.hash[i] = (uint8_t)(x >> 33);
    }
    memcpy(p.hash + 8, &n, sizeof(n));
    return p;
}

static int one_document(struct bench *b, store_id in, uint32_t n, const char *control, struct slice to)
{
    char number[24];
    struct store_document d = { .transmission = in,
                                .state = DOCUMENT_RECORDED,
                                .ordinal = n % OF_EACH + 1,
                                .set = SLICE("850"),
                                .version = SLICE("004010"),
                                .kind = SLICE("order"),
                                .sender = SLICE("ZZ:NORTHWIND"),
                                .receiver = SLICE("ZZ:WAYBILL"),
                                .interchange = slice_of(control),
                                .group = slice_of(control),
                                .control = SLICE("0001"),
                                .record_at = n * 2000,
                                .record_size = 2000 };
    struct store_delivery v = { .partner = to, .route = SLICE("send order"), .kind = SLICE("order"), .priority = 1 };
    store_id id, delivery;
    int r;

    snprintf(number, sizeof(number), "PO-%u", (unsigned)n);
    d.number = slice_of(number);
    memcpy(d.key, payload(n + 7).hash, STORE_KEY);
    memcpy(d.content, payload(n + 9).hash, STORE_KEY);
    d.state = n % 100 == 1    ? DOCUMENT_REFUSED
              : n % 500 == 2  ? DOCUMENT_HELD
              : n % 1000 == 3 ? DOCUMENT_DEAD
                              : DOCUMENT_RECORDED;
    r = store_document(b->s, &d, &id, &b->err);
    if (r == 0)
        r = store_number(b->s, id, d.kind, SLICE("number"), d.number, &b->err);
    if (r < 0 || d.state != DOCUMENT_RECORDED)
        return r;
    v.document = id;
    r = store_route(b->s, &v, &delivery, &b->err);
    if (r == 0 && n % 777 == 4)
        return store_bury(b->s, DELIVERY, delivery, SLICE("no map says how"), &b->err);
    return r;
}

struct waiting {
    struct bench *b;
    store_id out;
};

static int make_delivery(void *ctx, const struct store_delivery *v)
{
    struct waiting *w = ctx;
    struct store_document d = { .transmission = w->out,
                                .state = DOCUMENT_AWAITED,
                                .ordinal = 1,
                                .set = SLICE("850"),
                                .version = SLICE("004010"),
                                .kind = SLICE("order"),
                                .sender = SLICE("ZZ:WAYBILL"),
                                .receiver = SLICE("ZZ:ERP"),
                                .made_of = v->document,
                                .delivery = v->id,
                                .within = 86400000 };
    char control[16];
    store_id id;
    int r;

    snprintf(control, sizeof(control), "%u", (unsigned)v->id);
    d.interchange = d.group = d.control = slice_of(control);
    r = store_make_delivery(w->b->s, v->id, w->out, &w->b->err);
    if (r == 0)
        r = store_document(w->b->s, &d, &id, &w->b->err);
    return r < 0 || v->id % 50 == 0 ? r : store_answer(w->b->s, id, true, 1, SLICE(""), &w->b->err);
}

/* One transmission with its documents, and what of it leaves again. */
static int one_transmission(struct bench *b, uint32_t n)
{
    char partner[24], to[24], control[24];
    struct store_transmission t = { .name = SLICE("orders.edi"), .way = SLICE("folder"), .payload = payload(3ull * n) };
    struct store_transmission more = { .format = SLICE("x12"), .records = payload(3ull * n + 1), .documents = OF_EACH };
    struct waiting w = { b, 0 };
    store_id id;
    int r;

    snprintf(partner, sizeof(partner), "partner-%02u", (unsigned)(n % PARTNERS));
    snprintf(to, sizeof(to), "erp-%u", (unsigned)(n % 3));
    snprintf(control, sizeof(control), "%09u", (unsigned)n);
    b->now += 60000;
    t.partner = slice_of(partner);
    r = store_accept(b->s, &t, &id, &b->err);
    if (r == 0)
        r = store_translate(b->s, id, &more, &b->err);
    for (uint32_t i = 0; i < OF_EACH && r == 0; i++)
        r = one_document(b, id, n * OF_EACH + i, control, slice_of(to));
    if (r < 0)
        return r;
    b->last_in = id;
    t = (struct store_transmission){ .partner = slice_of(to),
                                     .name = SLICE("orders.edi"),
                                     .way = SLICE("folder"),
                                     .format = SLICE("x12"),
                                     .target = SLICE("out/erp"),
                                     .payload = payload(3ull * n + 2) };
    r = store_make(b->s, &t, &w.out, &b->err);
    if (r == 0)
        r = store_deliveries(
            b->s, &(struct store_query){ .due = b->now, .states = STATE(DELIVERY, WAITING), .partner = t.partner },
            make_delivery, &w, &b->err);
    if (r == 0)
        r = store_lay(b->s, w.out, SLICE(".orders.edi"), SLICE("orders.edi"), &b->err);
    return r < 0 ? r : store_place(b->s, w.out, &b->err);
}

static int make_ledger(struct bench *b, uint32_t documents, uint32_t batch)
{
    uint64_t start = clock_usec();
    int r = 0;
    for (uint32_t n = 0; n < documents / OF_EACH && r == 0; n++) {
        if (n % batch == 0)
            r = n ? store_commit(b->s, &b->err) : 0;
        if (n % batch == 0 && r == 0)
            r = store_begin(b->s, &b->err);
        if (r == 0)
            r = one_transmission(b, n);
    }
    if (r == 0)
        r = store_commit(b->s, &b->err);
    if (r == 0) {
        double seconds = (double)(clock_usec() - start) / 1e6;
        printf("made %u documents that arrived, and what leaves of them, in %.1f s: %.0f a second\n", documents,
               seconds, documents / seconds);
    }
    return r;
}

/* --- Asking ------------------------------------------------------------------------------------------------------ */

static int a_transmission(void *ctx, const struct store_transmission *t)
{
    (void)t;
    ((struct bench *)ctx)->rows++;
    return 0;
}

static int a_document(void *ctx, const struct store_document *d)
{
    (void)d;
    ((struct bench *)ctx)->rows++;
    return 0;
}

static int a_delivery(void *ctx, const struct store_delivery *v)
{
    (void)v;
    ((struct bench *)ctx)->rows++;
    return 0;
}

static int an_event(void *ctx, const struct store_event *e)
{
    (void)e;
    ((struct bench *)ctx)->rows++;
    return 0;
}

/* What `trace` asks of one document: its transmission, events, deliveries, and what was made of it. */
static int a_trace(void *ctx, const struct store_document *d)
{
    struct bench *b = ctx;
    store_id id = d->id;
    int r = store_transmissions(b->s, &(struct store_query){ .id = d->transmission }, a_transmission, b, &b->err);
    if (r == 0)
        r = store_events(b->s, &(struct store_query){ .document = id }, an_event, b, &b->err);
    if (r == 0)
        r = store_deliveries(b->s, &(struct store_query){ .document = id }, a_delivery, b, &b->err);
    return r < 0 ? r : store_documents(b->s, &(struct store_query){ .made_of = id }, a_document, b, &b->err);
}

enum question {
    NEWEST_TRANSMISSIONS,
    NEWEST_DOCUMENTS,
    NEWEST_OF_PARTNER,
    NEWEST_REFUSED,
    HELD,
    DEAD,
    DEAD_DELIVERIES,
    OVERDUE,
    A_DAY,
    TRACE,
    NO_SUCH_NUMBER,
    COUNT,
    COUNT_OF_PARTNER,
    EVENTS_OF_TRANSMISSION,
    NEWEST_EVENTS_OF_PARTNER,
    DUE,
    QUESTIONS
};
static const char *const question_name[QUESTIONS] = {
    "newest 50 transmissions",
    "newest 50 documents",
    "newest 50 documents of a partner",
    "newest 50 documents refused",
    "held documents, newest 50",
    "dead documents, newest 50",
    "dead deliveries, newest 50",
    "overdue documents, newest 50",
    "transmissions of a partner's day",
    "trace a number",
    "trace a number that is none",
    "count all",
    "count a partner's",
    "events of a transmission",
    "newest 50 events of a partner",
    "deliveries that are due",
};

static int ask(struct bench *b, enum question question)
{
    struct store_counts counts;
    struct store_query q = { .newest = true, .limit = 50 };
    struct slice none = slice(NULL, 0);

    switch (question) {
    case NEWEST_TRANSMISSIONS: return store_transmissions(b->s, &q, a_transmission, b, &b->err);
    case NEWEST_DOCUMENTS: return store_documents(b->s, &q, a_document, b, &b->err);
    case NEWEST_OF_PARTNER: q.partner = SLICE("partner-07"); return store_documents(b->s, &q, a_document, b, &b->err);
    case NEWEST_REFUSED: q.states = STATE(DOCUMENT, REFUSED); return store_documents(b->s, &q, a_document, b, &b->err);
    case HELD: q.states = STATE(DOCUMENT, HELD); return store_documents(b->s, &q, a_document, b, &b->err);
    case DEAD: q.states = STATE(DOCUMENT, DEAD); return store_documents(b->s, &q, a_document, b, &b->err);
    case DEAD_DELIVERIES: q.states = STATE(DELIVERY, DEAD); return store_deliveries(b->s, &q, a_delivery, b, &b->err);
    case OVERDUE: q.states = STATE(DOCUMENT, OVERDUE); return store_documents(b->s, &q, a_document, b, &b->err);
    case A_DAY:
        q = (struct store_query){ .partner = SLICE("partner-07"), .from = 1700000000000ll + 50 * 86400000ll };
        q.to = q.from + 86400000;
        return store_transmissions(b->s, &q, a_transmission, b, &b->err);
    case TRACE: return store_find_number(b->s, none, none, SLICE("PO-4711"), a_trace, b, &b->err);
    case NO_SUCH_NUMBER: return store_find_number(b->s, none, none, SLICE("PO"), a_trace, b, &b->err);
    case COUNT: return store_count(b->s, none, &counts, &b->err);
    case COUNT_OF_PARTNER: return store_count(b->s, SLICE("partner-07"), &counts, &b->err);
    case EVENTS_OF_TRANSMISSION:
        return store_events(b->s, &(struct store_query){ .transmission = 1001 }, an_event, b, &b->err);
    case NEWEST_EVENTS_OF_PARTNER: q.partner = SLICE("partner-07"); return store_events(b->s, &q, an_event, b, &b->err);
    default:
        q = (struct store_query){ .due = INT64_MAX, .states = STATE(DELIVERY, WAITING) };
        return store_deliveries(b->s, &q, a_delivery, b, &b->err);
    }
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int time_question(struct bench *b, enum question question)
{
    uint64_t took[RUNS];
    for (unsigned i = 0; i < RUNS; i++) {
        uint64_t start = clock_usec();
        int r = open_ledger(b, false);
        b->rows = 0;
        if (r == 0)
            r = ask(b, question);
        took[i] = clock_usec() - start;
        store_close(&b->s);
        if (r < 0)
            return r;
    }
    qsort(took, RUNS, sizeof(took[0]), by_time);
    printf("%-34s %8llu %8llu %8u\n", question_name[question], (unsigned long long)took[RUNS / 2],
           (unsigned long long)took[RUNS - 1], b->rows);
    return 0;
}

static void remove_ledger(const char *folder)
{
    static const char *const names[] = { "ledger", "ledger-wal", "ledger-shm" };
    char path[4096];
    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
}

int main(int argc, char **argv)
{
    struct bench b = { .now = 1700000000000ll };
    uint32_t documents = 1000000, batch = 100;
    bool keep = false, there;
    char path[4096];
    struct stat st;
    int at = 1, r = 0;

    for (; at < argc && argv[at][0] == '-'; at++)
        if (strcmp(argv[at], "--keep") == 0)
            keep = true;
        else if (strcmp(argv[at], "--documents") == 0 && at + 1 < argc)
            documents = (uint32_t)strtoul(argv[++at], NULL, 10);
        else if (strcmp(argv[at], "--batch") == 0 && at + 1 < argc)
            batch = (uint32_t)strtoul(argv[++at], NULL, 10);
        else
            break;
    if (at + 1 != argc || documents < OF_EACH || batch == 0) {
        fputs("usage: ledger_bench [--documents N] [--batch N] [--keep] FOLDER\n", stderr);
        return 64;
    }
    b.folder = argv[at];
    snprintf(path, sizeof(path), "%s/ledger", b.folder);
    there = stat(path, &st) == 0;
    if (!there) {
        r = open_ledger(&b, true);
        if (r == 0)
            r = make_ledger(&b, documents, batch);
        store_close(&b.s);
    }
    if (r == 0 && stat(path, &st) == 0)
        printf("ledger: %.0f MB\n%-34s %8s %8s %8s\n", (double)st.st_size / 1e6, "question", "median", "slowest",
               "rows");
    for (unsigned i = 0; i < QUESTIONS && r == 0; i++)
        r = time_question(&b, i);
    if (r < 0)
        fprintf(stderr, "ledger_bench: %s\n", b.err.text);
    if (!keep && !there)
        remove_ledger(b.folder);
    return r < 0 ? 75 : 0;
}
