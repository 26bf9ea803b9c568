/* waybill status: one screen: what is on its way, what waits, what somebody has to look at, and what lies at the
 * doors. */
#include <stdio.h>

#include "cli/spool.h"
#include "flow/door.h"

struct looking {
    struct command_context *c;
    unsigned shown, more;
};

enum { DOORS = 15 };

static int on_door(void *ctx, const struct door_file *f)
{
    struct looking *l = ctx;
    struct printer *p = l->c->out;

    if (!f->why.n && f->until == 0 && !p->json)
        return 0;
    if (!p->json && l->shown == DOORS) {
        l->more++;
        return 0;
    }
    if (!p->json && !l->shown)
        printer_text(p, "\nat the doors, and not taken\n");
    l->shown++;
    if (!p->json)
        printer_text(p, "  ");
    else
        printer_field(p, "thing", SLICE("door"), 0);
    printer_field(p, "door", f->folder, 20);
    printer_field(p, "file", f->name, 30);
    printer_field(p, "why", f->why.n ? f->why : SLICE("it rests"), 0);
    printer_end_row(p);
    return 0;
}

/* A count; with --json the direction as well, where the thing has one. */
static void row(struct printer *p, const char *thing, const char *direction, const char *state, uint64_t n)
{
    if (!n)
        return;
    if (p->json) {
        printer_field(p, "thing", slice_of(thing), 0);
        if (*direction)
            printer_field(p, "direction", slice_of(direction), 0);
        printer_field(p, "state", slice_of(state), 0);
        printer_field_number(p, "count", n, 0);
        printer_end_row(p);
        return;
    }
    printer_printf(p, "  %10llu  %-12s %s\n", (unsigned long long)n, thing, state);
}

static void show_direction(struct printer *p, const struct store_counts *n, unsigned direction)
{
    static const char *const names[] = { "in", "out" };

    for (unsigned i = 1; i < TRANSMISSION_STATE_END; i++)
        row(p, "transmission", names[direction], state_name(TRANSMISSION, i), n->transmission[direction][i]);
    for (unsigned i = 1; i < DOCUMENT_STATE_END; i++)
        row(p, "document", names[direction], state_name(DOCUMENT, i), n->document[direction][i]);
}

static bool arrived(const struct store_counts *n)
{
    uint64_t all = 0;

    for (unsigned i = 1; i < TRANSMISSION_STATE_END; i++)
        all += n->transmission[0][i];
    return all > 0;
}

static bool left(const struct store_counts *n)
{
    uint64_t all = 0;

    for (unsigned i = 1; i < TRANSMISSION_STATE_END; i++)
        all += n->transmission[1][i];
    for (unsigned i = 1; i < DELIVERY_STATE_END; i++)
        all += n->delivery[i];
    return all > 0;
}

static void show_counts(struct printer *p, const struct store_counts *n)
{
    if (!p->json)
        printer_text(p, arrived(n) ? "arrived\n" : "nothing has arrived yet\n");
    show_direction(p, n, 0);
    if (!p->json && left(n))
        printer_text(p, "\nleaves\n");
    for (unsigned i = 1; i < DELIVERY_STATE_END; i++)
        row(p, "delivery", "", state_name(DELIVERY, i), n->delivery[i]);
    show_direction(p, n, 1);
}

static void show_payloads(struct printer *p, const struct store_counts *n)
{
    static const char *const where[] = { "at hand", "archived" };
    const uint64_t count[] = { n->payloads, n->archived }, bytes[] = { n->bytes, n->archived_bytes };

    if (!p->json && (n->payloads || n->archived))
        printer_text(p, "\nis kept\n");
    for (unsigned i = 0; i < 2; i++) {
        if (!count[i])
            continue;
        if (p->json) {
            printer_field(p, "thing", SLICE("payload"), 0);
            printer_field(p, "state", slice_of(where[i]), 0);
            printer_field_number(p, "count", count[i], 0);
            printer_field_number(p, "bytes", bytes[i], 0);
            printer_end_row(p);
        } else {
            printer_printf(p, "  %10llu  payload      %s: %llu bytes\n", (unsigned long long)count[i], where[i],
                           (unsigned long long)bytes[i]);
        }
    }
}

static int show_breakers(struct command_context *c, struct appliance *a, struct slice of, struct err *err)
{
    bool any = false;

    for (unsigned i = 0; i < home_partners(a->home); i++) {
        const struct partner *partner = home_partner_at(a->home, i);
        struct store_breaker b;
        char time[32], words[80];
        int rc;

        if (of.n && !slice_eq(of, partner->name))
            continue;
        rc = store_breaker_get(a->store, partner->name, &b, err);
        if (rc < 0)
            return rc;
        if (rc == 0 || !b.failures)
            continue;
        if (!c->out->json && !any)
            printer_text(c->out, "\npartners that cannot be reached\n");
        any = true;
        if (c->out->json) {
            printer_field(c->out, "thing", SLICE("partner"), 0);
            printer_field(c->out, "partner", partner->name, 0);
            printer_field(c->out, "state", SLICE("failing"), 0);
            printer_field_number(c->out, "failures", b.failures, 0);
            if (b.until)
                printer_field(c->out, "until", slice_of(spool_time(c->out, b.until, time)), 0);
            printer_field(c->out, "reason", b.reason, 0);
            printer_end_row(c->out);
            continue;
        }
        snprintf(words, sizeof(words), "%u failed in a row%s%s", b.failures, b.until ? ", tried again at " : "",
                 spool_time(c->out, b.until, time));
        printer_text(c->out, "  ");
        printer_field(c->out, "partner", partner->name, 14);
        printer_field(c->out, "failures", slice_of(words), 0);
        printer_field(c->out, "reason", b.reason, 0);
        printer_end_row(c->out);
    }
    return 0;
}

int command_status(struct command_context *c)
{
    struct looking looking = { .c = c };
    struct appliance *a = NULL;
    struct store_counts counts;
    struct err err = { 0 };
    const char *partner = command_value(c, OPTION_OF_PARTNER);
    struct slice of = slice_of(partner ? partner : "");
    int rc, code = spool_open(c, false, &a);

    if (!a)
        return code;
    code = spool_partner(c, a);
    if (code) {
        appliance_close(&a);
        return code;
    }
    rc = store_count(a->store, of, &counts, &err);
    if (rc == 0) {
        show_counts(c->out, &counts);
        if (!of.n)
            show_payloads(c->out, &counts);
        rc = show_breakers(c, a, of, &err);
    }
    if (rc == 0)
        rc = door_look(a->home, a->store, a->spool, of, on_door, &looking, &err);
    if (rc == 0 && looking.more)
        printer_printf(c->out, "  and %u more\n", looking.more);
    if (rc == 0)
        rc = spool_tell_trouble(c, a, of, true, &err);
    if (rc < 0)
        code = command_fail(c, &err);
    appliance_close(&a);
    return code;
}
