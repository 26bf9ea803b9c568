/* spool: see spool.h. */
#include "cli/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/maps.h"
#include "cli/reading.h"
#include "flow/produce.h"

enum { PATH_CEILING = 4096, WORDS = 16 << 10 };

const char *spool_who(void)
{
    const char *name = getenv("SUDO_USER");

    if (!name || !*name)
        name = getenv("LOGNAME");
    if (!name || !*name)
        name = getenv("USER");
    return name && *name ? name : geteuid() == 0 ? "root" : "somebody";
}

int spool_open(struct command_context *c, bool write, struct appliance **a_r)
{
    struct run_options o = { .write = write, .who = spool_who() };
    struct complaints complaints;
    struct buf home, maps;
    struct err err = { 0 };
    int rc, code;

    *a_r = NULL;
    complaints_init(&complaints);
    buf_init(&home, PATH_CEILING);
    buf_init(&maps, PATH_CEILING);
    rc = home_find(command_value(c, OPTION_HOME), &home, &err);
    if (rc == 0)
        rc = maps_find(command_value(c, OPTION_MAPS), &maps, &err);
    o.home = buf_text(&home);
    o.maps = buf_text(&maps);
    if (rc == 0)
        rc = appliance_open(&o, &complaints, a_r, &err);
    reading_complain(c, &complaints);
    code = rc == 0 ? EXIT_CODE_OK : rc == ERR_LIMIT ? EXIT_CODE_LATER : 0;
    if (rc == ERR_LIMIT)
        command_say(c, "%s", err.text);
    else if (rc == ERR_MISSING && *o.home && !write)
        code = command_fail(c, &err);
    else if (rc < 0)
        code = command_fail(c, &err);
    complaints_deinit(&complaints);
    buf_deinit(&home);
    buf_deinit(&maps);
    return code;
}

/* --- Ids and times ------------------------------------------------------------------------ */

bool spool_id(struct slice text, enum thing *thing_r, store_id *id_r)
{
    static const char letters[] = "TDV";
    const char *letter;

    if (text.n < 2 || !text.p[0])
        return false;
    letter = strchr(letters, text.p[0] >= 'a' ? text.p[0] - 'a' + 'A' : text.p[0]);
    if (!letter || !slice_number(slice_from(text, 1), INT64_MAX, id_r) || *id_r == 0)
        return false;
    *thing_r = (enum thing)(letter - letters);
    return true;
}

int spool_arguments(struct command_context *c)
{
    enum thing thing;
    store_id id;

    for (unsigned i = 0; i < c->n; i++)
        if (!spool_id(slice_of(c->argument[i]), &thing, &id))
            return command_usage(c, "\"%s\" is no id: T12 is a transmission, D7 a document, V3 a delivery",
                                 c->argument[i]);
    return EXIT_CODE_OK;
}

const char *spool_id_text(enum thing thing, store_id id, char text[24])
{
    snprintf(text, 24, "%c%llu", "TDV"[thing], (unsigned long long)id);
    return id ? text : "";
}

const char *spool_time(const struct printer *p, store_time at, char text[32])
{
    time_t seconds = (time_t)(at / 1000);
    struct tm t = { 0 };

    text[0] = '\0';
    if (at == 0)
        return text;
    if (p->json)
        gmtime_r(&seconds, &t);
    else
        localtime_r(&seconds, &t);
    strftime(text, 32, p->json ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%d %H:%M:%S", &t);
    return text;
}

bool spool_date(const char *text, store_time *at_r)
{
    struct edi_time time;
    struct tm t = { 0 };
    time_t seconds;

    if (!produce_time(slice_of(text), &time))
        return false;
    t.tm_year = time.year - 1900;
    t.tm_mon = time.month - 1;
    t.tm_mday = time.day;
    t.tm_hour = time.hour;
    t.tm_min = time.minute;
    t.tm_sec = time.second > 0 ? time.second : 0;
    t.tm_isdst = -1;
    seconds = mktime(&t);
    *at_r = (store_time)seconds * 1000;
    return seconds != (time_t)-1;
}

struct sought {
    struct slice name, best;
    unsigned distance;
    bool found;
};

static int on_partner(void *ctx, struct slice name)
{
    struct sought *s = ctx;
    s->found = s->found || (name.n && slice_eq(name, s->name));
    return 0;
}

int spool_partner(struct command_context *c, struct appliance *a)
{
    const char *name = command_value(c, OPTION_OF_PARTNER);
    struct sought s = { .name = slice_of(name ? name : ""), .distance = 3 };
    struct err err = { 0 };

    if (!name || home_partner(a->home, s.name))
        return EXIT_CODE_OK;
    if (store_partners(a->store, on_partner, &s, &err) < 0)
        return command_fail(c, &err);
    if (s.found)
        return EXIT_CODE_OK;
    for (unsigned i = 0; i < home_partners(a->home); i++)
        suggest(s.name, home_partner_at(a->home, i)->name, &s.best, &s.distance);
    if (s.best.n)
        command_say(c, "there is no partner \"%s\"; did you mean \"%.*s\"?", name, SLICE_FMT(s.best));
    else
        command_say(c, "there is no partner \"%s\"; `waybill partner list` shows all", name);
    return EXIT_CODE_USAGE;
}

int spool_query(struct command_context *c, enum thing thing, struct store_query *q)
{
    const char *limit = command_value(c, OPTION_LIMIT), *from = command_value(c, OPTION_FROM),
               *until = command_value(c, OPTION_UNTIL), *partner = command_value(c, OPTION_OF_PARTNER);
    uint64_t number = 50;

    *q = (struct store_query){ .newest = true };
    if (limit && !slice_number(slice_of(limit), 1000000000, &number))
        return command_usage(c, "--limit: \"%s\" is not a number", limit);
    q->limit = (uint32_t)number;
    if (from && !spool_date(from, &q->from))
        return command_usage(c, "--from: \"%s\" is no date, such as 2026-11-21 or 2026-11-21T08:30", from);
    if (until && !spool_date(until, &q->to))
        return command_usage(c, "--until: \"%s\" is no date, such as 2026-11-21 or 2026-11-21T08:30", until);
    if (partner)
        q->partner = slice_of(partner);
    for (unsigned i = 0; i < c->option[OPTION_STATE].n; i++) {
        static const char *const names[] = { "transmission", "document", "delivery" };
        const char *word = c->option[OPTION_STATE].value[i];
        unsigned state;
        for (enum thing other = TRANSMISSION; !state_of(thing, word, &state) && other <= DELIVERY; other++)
            if (state_of(other, word, &state))
                return command_usage(c, "--state: a %s is never %s; `waybill list %s --state %s` lists what is",
                                     names[thing], word, names[other], word);
        if (!state_of(thing, word, &state))
            return command_usage(c, "--state: a %s is never \"%s\"", names[thing], word);
        q->states |= 1u << state;
    }
    return EXIT_CODE_OK;
}

/* --- What somebody has to look at ------------------------------------------------------------- */

int spool_tell_trouble(struct command_context *c, struct appliance *a, struct slice partner, bool shown,
                       struct err *err)
{
    struct store_trouble t;
    int rc = store_trouble(a->store, partner, &t, err);
    const struct {
        const char *state, *words, *list;
        uint64_t n;
    } rows[] = {
        { "dead", "dead", "dead", t.dead },
        { "held", "held", "held", t.held },
        { "refused", "refused", "refused", t.refused },
        { "rejected", "rejected by the partner", "rejected", t.rejected },
        { "overdue", "not acknowledged in time", "overdue", t.overdue },
        { "delayed", "not handed over yet, and tried again", "delayed", t.delayed },
    };
    bool any = false;

    for (unsigned i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!rows[i].n)
            continue;
        if (!shown) {
            command_say(c, "%llu %s: `waybill list %s`", (unsigned long long)rows[i].n, rows[i].words, rows[i].list);
        } else if (c->out->json) {
            printer_field(c->out, "thing", SLICE("trouble"), 0);
            printer_field(c->out, "state", slice_of(rows[i].state), 0);
            printer_field_number(c->out, "count", rows[i].n, 0);
            printer_end_row(c->out);
        } else {
            printer_text(c->out, any ? "" : "\nneeds a look\n");
            printer_printf(c->out, "  %10llu  %s: `waybill list %s`\n", (unsigned long long)rows[i].n, rows[i].words,
                           rows[i].list);
        }
        any = true;
    }
    return rc;
}

/* --- Rows ------------------------------------------------------------------------------------ */

static void field(struct printer *p, const char *name, const char *text, unsigned width)
{
    if (!p->json || *text)
        printer_field(p, name, slice_of(text), width);
}

static void optional(struct printer *p, const char *name, struct slice text, unsigned width)
{
    if (!p->json || text.n)
        printer_field(p, name, text, width);
}

static void id_field(struct printer *p, const char *name, enum thing thing, store_id id, unsigned width)
{
    char text[24];
    field(p, name, spool_id_text(thing, id, text), width);
}

/* Fields that only --json has room for. */
static void more_id(struct printer *p, const char *name, enum thing thing, store_id id)
{
    if (p->json && id)
        id_field(p, name, thing, id, 0);
}

static void more(struct printer *p, const char *name, struct slice text)
{
    if (p->json && text.n)
        printer_field(p, name, text, 0);
}

/* What it is held for, in words for programs; a reason of its own is in `reason`. */
static void held(struct printer *p, uint32_t why)
{
    static const char *const names[] = { "hand",   "partner",  "control",   "number", "test",
                                         "recall", "restored", "transport", "config" };
    struct buf words;

    if (!why)
        return;
    buf_init(&words, WORDS);
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (why & 1u << i) {
            buf_add_text(&words, words.n ? "," : "");
            buf_add_text(&words, names[i]);
        }
    printer_field(p, "held_by", buf_slice(&words), 0);
    buf_deinit(&words);
}

/* For people: how often, why, and when again. */
static void delayed(struct printer *p, const struct store_transmission *t)
{
    struct buf words;
    char time[32];

    buf_init(&words, WORDS);
    buf_printf(&words, "%u attempt%s: ", t->attempts, t->attempts == 1 ? "" : "s");
    buf_add_slice(&words, t->reason);
    buf_printf(&words, "; again at %s", spool_time(p, t->due, time));
    printer_field(p, "reason", buf_slice(&words), 0);
    buf_deinit(&words);
}

void spool_show_transmission(struct printer *p, const struct store_transmission *t)
{
    char time[32], hash[2 * OBJECT_HASH + 1];

    id_field(p, "transmission", TRANSMISSION, t->id, 5);
    field(p, "at", spool_time(p, t->at, time), 19);
    field(p, "direction", t->direction == STORE_IN ? "in" : "out", 3);
    printer_field(p, "partner", t->partner, 12);
    field(p, "state", state_name(TRANSMISSION, t->state), 10);
    printer_field(p, "name", t->name, p->json || !t->reason.n ? 0 : 18);
    if (!p->json && t->state == TRANSMISSION_MADE && t->attempts)
        delayed(p, t);
    else
        optional(p, "reason", t->reason, 0);
    if (p->json) {
        more(p, "way", t->way);
        more(p, "format", t->format);
        object_name(t->payload.hash, hash);
        printer_field(p, "sha256", slice_of(hash), 0);
        printer_field_number(p, "size", t->payload.size, 0);
        field(p, "archived", t->payload.archive ? "yes" : "", 0);
        printer_field_number(p, "documents", t->documents, 0);
        more_id(p, "bundle", TRANSMISSION, t->parent);
        more_id(p, "same", TRANSMISSION, t->same);
        more_id(p, "replays", TRANSMISSION, t->replays);
        more_id(p, "answers", TRANSMISSION, t->answers);
        if (t->direction == STORE_OUT)
            printer_field_number(p, "attempts", t->attempts, 0);
        field(p, "due", t->state == TRANSMISSION_MADE ? spool_time(p, t->due, time) : "", 0);
        field(p, "done", spool_time(p, t->done, time), 0);
        held(p, t->held);
    }
    printer_end_row(p);
}

/* "850 order NW-131": one column for people. */
static void what(struct printer *p, const struct store_document *d)
{
    const struct slice words[] = { d->set, d->kind, d->number };
    struct buf text;

    buf_init(&text, 1000);
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i].n) {
            buf_add_text(&text, text.n ? " " : "");
            buf_add_slice(&text, words[i]);
        }
    printer_field(p, "what", buf_slice(&text), 26);
    buf_deinit(&text);
}

const char *spool_awaited(const struct printer *p, const struct store_document *d, char words[SPOOL_AWAITED])
{
    bool late = d->state == DOCUMENT_OVERDUE;
    char sent[32], due[32];

    words[0] = '\0';
    if (d->direction == STORE_OUT && d->due && (late || d->state == DOCUMENT_AWAITED))
        snprintf(words, SPOOL_AWAITED, "sent %s, %s %s", spool_time(p, d->due - d->within, sent),
                 late ? "and not acknowledged by" : "to be acknowledged by", spool_time(p, d->due, due));
    return words;
}

void spool_show_document(struct printer *p, const struct store_document *d)
{
    struct slice reason = d->reason.n ? d->reason : d->answered;
    char time[32], words[SPOOL_AWAITED];

    if (!p->json && *spool_awaited(p, d, words))
        reason = slice_of(words);

    id_field(p, "document", DOCUMENT, d->id, 5);
    id_field(p, "transmission", TRANSMISSION, d->transmission, 5);
    field(p, "direction", d->direction == STORE_IN ? "in" : "out", 3);
    printer_field(p, "partner", d->partner, 12);
    if (p->json) {
        optional(p, "set", d->set, 0);
        optional(p, "kind", d->kind, 0);
        optional(p, "number", d->number, 0);
    } else {
        what(p, d);
    }
    field(p, "state", state_name(DOCUMENT, d->state), reason.n ? 10 : 0);
    optional(p, "reason", reason, 0);
    if (p->json) {
        more(p, "version", d->version);
        more(p, "sender", d->sender);
        more(p, "receiver", d->receiver);
        more(p, "interchange", d->interchange);
        more(p, "group", d->group);
        more(p, "control", d->control);
        more(p, "release", d->release);
        more(p, "purpose", d->purpose);
        field(p, "usage", d->test ? "test" : "", 0);
        printer_field_number(p, "ordinal", d->ordinal, 0);
        printer_field_number(p, "errors", d->errors, 0);
        printer_field_number(p, "warnings", d->warnings, 0);
        more_id(p, "same", DOCUMENT, d->same);
        more_id(p, "made_of", DOCUMENT, d->made_of);
        more_id(p, "delivery", DELIVERY, d->delivery);
        more_id(p, "answer", DOCUMENT, d->answer);
        field(p, "sent", spool_time(p, d->due ? d->due - d->within : 0, time), 0);
        field(p, "due", spool_time(p, d->due, time), 0);
        field(p, "at", spool_time(p, d->at, time), 0);
        field(p, "done", spool_time(p, d->done, time), 0);
        held(p, d->held);
    }
    printer_end_row(p);
}

void spool_show_delivery(struct printer *p, const struct store_delivery *d)
{
    static const char *const priorities[] = { "high", "normal", "bulk" };
    char time[32];

    id_field(p, "delivery", DELIVERY, d->id, 5);
    field(p, "at", spool_time(p, d->at, time), 19);
    printer_field(p, "partner", d->partner, 12);
    field(p, "state", state_name(DELIVERY, d->state), 9);
    id_field(p, "document", DOCUMENT, d->document, 5);
    id_field(p, "transmission", TRANSMISSION, d->transmission, 5);
    optional(p, "kind", d->kind, 18);
    optional(p, "reason", d->reason, 0);
    if (p->json) {
        more(p, "route", d->route);
        more(p, "set", d->set);
        field(p, "priority", priorities[d->priority < 3 ? d->priority : 1], 0);
        field(p, "due", d->state == DELIVERY_WAITING ? spool_time(p, d->due, time) : "", 0);
        field(p, "done", spool_time(p, d->done, time), 0);
        held(p, d->held);
    }
    printer_end_row(p);
}
