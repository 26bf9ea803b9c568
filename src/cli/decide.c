/* waybill hold, release, drop, replay: what people decide about what is in the spool. */
#include <fcntl.h>
#include <unistd.h>

#include "cli/spool.h"

/* What failed, with the id in front; returns the exit code. */
static int fail(struct command_context *c, const char *id, const struct err *err)
{
    command_say(c, "%s: %s", id, err->text);
    return err->code == ERR_USAGE || err->code == ERR_MISSING ? EXIT_CODE_DATA : exit_code_of(err->code);
}

enum decision { HOLD, RELEASE, DROP };

static int decide(struct command_context *c, enum decision decision)
{
    const char *reason = command_value(c, OPTION_REASON), *receiver = command_value(c, OPTION_RECEIVER);
    struct appliance *a = NULL;
    enum thing thing;
    store_id id;
    int code;

    if (decision == DROP && (!reason || !*reason))
        return command_usage(c, "--reason is missing: whoever asks later has to find out why");
    code = spool_arguments(c);
    if (code == EXIT_CODE_OK)
        code = spool_open(c, true, &a);
    for (unsigned i = 0; a && i < c->n; i++) {
        struct err err = { 0 };
        int rc;
        spool_id(slice_of(c->argument[i]), &thing, &id);
        rc = decision == HOLD      ? appliance_hold(a, thing, id, slice_of(reason ? reason : ""), &err)
             : decision == RELEASE ? appliance_release(a, thing, id, slice_of(receiver ? receiver : ""), &err)
                                   : appliance_drop(a, thing, id, slice_of(reason), &err);
        if (rc < 0)
            code = exit_code_worse(code, fail(c, c->argument[i], &err));
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
    if (thing == TRANSMISSION && !now)
        return EXIT_CODE_OK;
    ++*n_r;
    if (c->out->json) {
        printer_field(c->out, "replayed", slice_of(old), 0);
        if (now)
            printer_field(c->out, "as", slice_of(spool_id_text(thing, now, again)), 0);
        printer_end_row(c->out);
    } else if (now) {
        printer_printf(c->out, "%s goes again as %s\n", old, spool_id_text(thing, now, again));
    } else {
        printer_printf(c->out, "%s goes again\n", old);
    }
    return EXIT_CODE_OK;
}

struct gathered {
    store_id *id;
    size_t n, room;
    struct arena arena;
};

static int on_transmission(void *ctx, const struct store_transmission *t)
{
    struct gathered *g = ctx;
    store_id *grown;

    if (t->direction != STORE_IN || t->replays || t->state == TRANSMISSION_ARRIVED ||
        t->state == TRANSMISSION_DROPPED || t->state == TRANSMISSION_HELD || t->state == TRANSMISSION_REPEATED ||
        t->state == TRANSMISSION_UNPACKED)
        return 0;
    grown = arena_grow(&g->arena, g->id, g->n, &g->room, sizeof(*grown));
    if (!grown)
        return ERR_NOMEM;
    g->id = grown;
    g->id[g->n++] = t->id;
    return 0;
}

/* All that arrived from a partner in a time. */
static int replay_time(struct command_context *c, struct appliance *a, const struct replay_options *o)
{
    struct gathered g = { .n = 0 };
    struct store_query q;
    struct err err = { 0 };
    size_t n = 0;
    int rc, code = spool_query(c, TRANSMISSION, &q);

    if (code)
        return code;
    arena_init(&g.arena, 256 << 20);
    q.limit = 0;
    q.newest = false;
    q.direction = STORE_IN;
    rc = store_transmissions(a->store, &q, on_transmission, &g, &err);
    if (rc < 0)
        code = command_fail(c, &err);
    for (size_t i = 0; code == EXIT_CODE_OK && i < g.n; i++)
        code = replay_one(c, a, TRANSMISSION, g.id[i], o, &n);
    if (code == EXIT_CODE_OK && !g.n)
        command_say(c, "nothing arrived from this partner in that time");
    else if (code == EXIT_CODE_OK && !n)
        command_say(c, "all that arrived from this partner in that time was recorded; --all hands it over again");
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
