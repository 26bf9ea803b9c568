/* waybill hold, release, drop, replay: what people decide about what is in the spool. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/spool.h"

/* What failed, with the id in front; returns the exit code. */
static int fail(struct command_context *c, const char *id, const struct err *err)
{
    command_say(c, "%s: %s", id, err->text);
    return err->code == ERR_USAGE || err->code == ERR_MISSING ? EXIT_CODE_DATA : exit_code_of(err->code);
}

/* --- Ids ------------------------------------------------------------------------------------ */

/* Things that were found, to be decided on once the query is over. */
struct gathered {
    store_id *id;
    size_t n, room;
    struct arena arena;
    struct slice words; /* their reason has these in it */
};

static int add(struct gathered *g, store_id id, struct slice reason)
{
    store_id *grown;

    if (g->words.n && !(reason.n && memmem(reason.p, reason.n, g->words.p, g->words.n)))
        return 0;
    grown = arena_grow(&g->arena, g->id, g->n, &g->room, sizeof(*grown));
    if (!grown)
        return ERR_NOMEM;
    g->id = grown;
    g->id[g->n++] = id;
    return 0;
}

static int add_transmission(void *ctx, const struct store_transmission *t)
{
    return add(ctx, t->id, t->reason);
}

static int add_document(void *ctx, const struct store_document *d)
{
    return add(ctx, d->id, d->reason);
}

static int add_delivery(void *ctx, const struct store_delivery *d)
{
    return add(ctx, d->id, d->reason);
}

static int gather(struct appliance *a, enum thing thing, const struct store_query *q, struct gathered *g,
                  struct err *err)
{
    int rc = thing == TRANSMISSION ? store_transmissions(a->store, q, add_transmission, g, err)
             : thing == DOCUMENT   ? store_documents(a->store, q, add_document, g, err)
                                   : store_deliveries(a->store, q, add_delivery, g, err);
    return rc == ERR_NOMEM ? err_nomem(err) : rc;
}

/* --- Hold, release, drop -------------------------------------------------------------------- */

enum decision { HOLD, RELEASE, DROP };

static int decide_one(struct command_context *c, struct appliance *a, enum decision decision, enum thing thing,
                      store_id id)
{
    const char *reason = command_value(c, OPTION_REASON), *receiver = command_value(c, OPTION_RECEIVER);
    struct slice words = slice_of(reason ? reason : "");
    struct err err = { 0 };
    char text[24];
    int rc = decision == HOLD      ? appliance_hold(a, thing, id, words, &err)
             : decision == RELEASE ? appliance_release(a, thing, id, slice_of(receiver ? receiver : ""), &err)
                                   : appliance_drop(a, thing, id, words, &err);

    return rc < 0 ? fail(c, spool_id_text(thing, id, text), &err) : EXIT_CODE_OK;
}

/* What a decision about all of a partner is about. */
static uint32_t states_of(enum decision decision, enum thing thing)
{
    static const uint32_t on_its_way[] = { 1u << TRANSMISSION_ARRIVED | 1u << TRANSMISSION_MADE, 0,
                                           1u << DELIVERY_WAITING },
                          held[] = { 1u << TRANSMISSION_HELD, 1u << DOCUMENT_HELD, 1u << DELIVERY_HELD };

    return decision == HOLD ? on_its_way[thing] : held[thing];
}

/* All that can be decided on by itself, of a partner or of all. */
static int decide_all(struct command_context *c, struct appliance *a, enum decision decision)
{
    const char *words = command_value(c, OPTION_HELD_FOR);
    struct gathered g = { .words = slice_of(words ? words : "") };
    struct err err = { 0 };
    size_t done = 0;
    int code = spool_partner(c, a), rc = 0;

    arena_init(&g.arena, 256 << 20);
    for (enum thing thing = TRANSMISSION; rc == 0 && code == EXIT_CODE_OK && thing <= DELIVERY; thing++) {
        struct store_query q;
        size_t first = g.n;
        code = spool_query(c, thing, &q);
        q.limit = 0;
        q.newest = false;
        q.alone = true;
        q.states = states_of(decision, thing);
        if (code || !q.states)
            continue;
        rc = gather(a, thing, &q, &g, &err);
        for (size_t i = first; rc == 0 && i < g.n; i++) {
            int one = decide_one(c, a, decision, thing, g.id[i]);
            done += one == EXIT_CODE_OK;
            code = exit_code_worse(code, one);
        }
    }
    arena_deinit(&g.arena);
    if (rc < 0)
        return command_fail(c, &err);
    if (code == EXIT_CODE_OK || done)
        command_say(c, decision == HOLD ? "%zu held" : "%zu released; `waybill run` takes them on", done);
    return code;
}

static int decide(struct command_context *c, enum decision decision)
{
    const char *reason = command_value(c, OPTION_REASON);
    bool all = decision != DROP && (command_has(c, OPTION_OF_PARTNER) || command_has(c, OPTION_ALL_HELD));
    struct appliance *a = NULL;
    enum thing thing;
    store_id id;
    int code;

    if (decision == DROP && (!reason || !*reason))
        return command_usage(c, "--reason is missing: whoever asks later has to find out why");
    if (all ? c->n > 0 : c->n == 0)
        return command_usage(c, decision == HOLD      ? "either ids, or --partner"
                                : decision == RELEASE ? "either ids, or --partner or --all"
                                                      : "ids are missing");
    if (!all && (command_has(c, OPTION_HELD_FOR) || command_has(c, OPTION_FROM) || command_has(c, OPTION_UNTIL)))
        return command_usage(c, "--held-for, --from and --until say which of --partner or --all");
    if (all && command_has(c, OPTION_RECEIVER))
        return command_usage(c, "--receiver is for documents that are named by their ids");
    code = spool_arguments(c);
    if (code == EXIT_CODE_OK)
        code = spool_open(c, true, &a);
    if (a && all)
        code = decide_all(c, a, decision);
    for (unsigned i = 0; a && i < c->n; i++) {
        spool_id(slice_of(c->argument[i]), &thing, &id);
        code = exit_code_worse(code, decide_one(c, a, decision, thing, id));
    }
    appliance_close(&a);
    return code;
}

int command_hold(struct command_context *c)
{
    return decide(c, HOLD);
}

int command_release(struct command_context *c)
{
    return decide(c, RELEASE);
}

int command_drop(struct command_context *c)
{
    return decide(c, DROP);
}

/* --- Replay --------------------------------------------------------------------------------- */

/* *n_r counts those that go again. */
static int replay_one(struct command_context *c, struct appliance *a, enum thing thing, store_id id,
                      const struct replay_options *o, size_t *n_r)
{
    struct err err = { 0 };
    char old[24], again[24];
    store_id now;
    int rc = appliance_replay(a, thing, id, o, &now, &err);

    spool_id_text(thing, id, old);
    if (rc < 0)
        return fail(c, old, &err);
    if (!now)
        return EXIT_CODE_OK;
    ++*n_r;
    if (c->out->json) {
        printer_field(c->out, "replayed", slice_of(old), 0);
        if (thing != DOCUMENT)
            printer_field(c->out, "as", slice_of(spool_id_text(thing, now, again)), 0);
        printer_end_row(c->out);
    } else if (thing != DOCUMENT) {
        printer_printf(c->out, "%s goes again as %s\n", old, spool_id_text(thing, now, again));
    } else {
        printer_printf(c->out, "%s goes again\n", old);
    }
    return EXIT_CODE_OK;
}

static int add_read(void *ctx, const struct store_transmission *t)
{
    return t->replays || t->state == TRANSMISSION_ARRIVED || t->state == TRANSMISSION_DROPPED ||
                   t->state == TRANSMISSION_HELD || t->state == TRANSMISSION_REPEATED ||
                   t->state == TRANSMISSION_UNPACKED
               ? 0
               : add(ctx, t->id, slice(NULL, 0));
}

static int add_recorded(void *ctx, const struct store_document *d)
{
    return !d->record_size || slice_is(d->kind, "acknowledgment") ? 0 : add(ctx, d->id, slice(NULL, 0));
}

/* All that arrived from a partner in a time: its files are read again, or its records go to one receiver. */
static int replay_time(struct command_context *c, struct appliance *a, const struct replay_options *o)
{
    enum thing thing = o->to.n ? DOCUMENT : TRANSMISSION;
    struct gathered g = { .n = 0 };
    struct store_query q;
    struct err err = { 0 };
    size_t n = 0;
    int rc, code = spool_partner(c, a);

    if (code == EXIT_CODE_OK)
        code = spool_query(c, thing, &q);
    if (code)
        return code;
    arena_init(&g.arena, 256 << 20);
    q.limit = 0;
    q.newest = false;
    q.direction = STORE_IN;
    if (thing == DOCUMENT)
        q.states = 1u << DOCUMENT_RECORDED | 1u << DOCUMENT_DEAD;
    rc = thing == DOCUMENT ? store_documents(a->store, &q, add_recorded, &g, &err)
                           : store_transmissions(a->store, &q, add_read, &g, &err);
    if (rc < 0)
        code = command_fail(c, &err);
    for (size_t i = 0; code == EXIT_CODE_OK && i < g.n; i++)
        code = replay_one(c, a, thing, g.id[i], o, &n);
    if (code == EXIT_CODE_OK && !g.n)
        command_say(c, "nothing arrived from this partner in that time");
    else if (code == EXIT_CODE_OK && !n)
        command_say(c, "all that arrived from this partner in that time %s; --all hands it over again",
                    thing == DOCUMENT ? "went to that one already" : "was recorded");
    arena_deinit(&g.arena);
    return code;
}

int command_replay(struct command_context *c)
{
    const char *file = command_value(c, OPTION_FILE), *receiver = command_value(c, OPTION_RECEIVER);
    bool span = command_has(c, OPTION_OF_PARTNER);
    struct replay_options o = { .fd = -1, .all = command_has(c, OPTION_ALL), .to = slice_of(receiver ? receiver : "") };
    struct appliance *a = NULL;
    enum thing thing;
    store_id id;
    size_t n = 0;
    int code;

    if (span ? c->n > 0 : c->n == 0)
        return command_usage(c, "either ids, or --partner with --from and --until");
    if (span && (!command_has(c, OPTION_FROM) || !command_has(c, OPTION_UNTIL)))
        return command_usage(c, "--partner needs --from and --until: all that arrived in that time is read again");
    if (file && (span || c->n > 1))
        return command_usage(c, "--file is for one transmission");
    code = spool_arguments(c);
    if (code == EXIT_CODE_OK && file) {
        o.fd = open(file, O_RDONLY | O_CLOEXEC);
        if (o.fd < 0) {
            struct err err = { 0 };
            err_system(&err, "%s", file);
            code = command_fail(c, &err);
        }
    }
    if (code == EXIT_CODE_OK)
        code = spool_open(c, true, &a);
    o.failed = span && !o.all;
    if (a && o.to.n && !home_partner(a->home, o.to)) {
        code = command_usage(c, "--receiver: there is no partner \"%s\"", receiver);
        appliance_close(&a);
    }
    if (a && span)
        code = replay_time(c, a, &o);
    for (unsigned i = 0; a && i < c->n; i++) {
        spool_id(slice_of(c->argument[i]), &thing, &id);
        code = exit_code_worse(code, replay_one(c, a, thing, id, &o, &n));
    }
    appliance_close(&a);
    if (o.fd >= 0)
        close(o.fd);
    return code;
}
