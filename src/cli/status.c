/* waybill status: one screen: what is on its way, what waits, what somebody has to look at, and what lies at the doors. */
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
    printer_field(p, "door", f->folder, 20);
    printer_field(p, "file", f->name, 30);
    printer_field(p, "why", f->why.n ? f->why : SLICE("it rests"), 0);
    printer_end_row(p);
    return 0;
}

static void row(struct printer *p, const char *thing, const char *state, uint64_t n, const char *words)
{
    if (!n)
        return;
    if (p->json) {
        printer_field(p, "thing", slice_of(thing), 0);
        printer_field(p, "state", slice_of(state), 0);
        printer_field_number(p, "count", n, 0);
        printer_end_row(p);
        return;
    }
    printer_printf(p, "  %10llu  %-12s %s%s%s\n", (unsigned long long)n, thing, state, *words ? ": " : "", words);
}

static void show_counts(struct printer *p, const struct store_counts *n)
{
    if (!p->json)
        printer_text(p, "arrived\n");
    for (unsigned i = 1; i < TRANSMISSION_STATE_END; i++)
        row(p, "transmission", state_name(TRANSMISSION, i), n->transmission[0][i],
            i == TRANSMISSION_HELD   ? "`waybill list held`"
            : i == TRANSMISSION_DEAD ? "`waybill list dead`"
                                     : "");
    for (unsigned i = 1; i < DOCUMENT_STATE_END; i++)
        row(p, "document", state_name(DOCUMENT, i), n->document[0][i],
            i == DOCUMENT_HELD      ? "`waybill list held`"
            : i == DOCUMENT_DEAD    ? "`waybill list dead`"
            : i == DOCUMENT_REFUSED ? "`waybill list document --state refused`"
                                    : "");
    if (!p->json)
        printer_text(p, "\nleaves\n");
    for (unsigned i = 1; i < DELIVERY_STATE_END; i++)
        row(p, "delivery", state_name(DELIVERY, i), n->delivery[i],
            i == DELIVERY_HELD   ? "`waybill list held`"
            : i == DELIVERY_DEAD ? "`waybill list dead`"
                                 : "");
    for (unsigned i = 1; i < TRANSMISSION_STATE_END; i++)
        row(p, "file", state_name(TRANSMISSION, i), n->transmission[1][i], "");
    for (unsigned i = 1; i < DOCUMENT_STATE_END; i++)
        row(p, "document", state_name(DOCUMENT, i), n->document[1][i],
            i == DOCUMENT_OVERDUE    ? "`waybill list overdue`"
            : i == DOCUMENT_REJECTED ? "`waybill list document --state rejected`"
                                     : "");
}

static void show_payloads(struct printer *p, const struct store_counts *n)
{
    static const char *const where[] = { "at hand", "archived" };
    const uint64_t count[] = { n->payloads, n->archived }, bytes[] = { n->bytes, n->archived_bytes };

    if (!p->json)
        printer_text(p, "\nis kept\n");
    for (unsigned i = 0; i < 2; i++) {
        char words[60];
        snprintf(words, sizeof(words), "%llu bytes", (unsigned long long)bytes[i]);
        row(p, "payload", where[i], count[i], words);
    }
}

static int show_breakers(struct command_context *c, struct appliance *a, struct err *err)
{
    bool any = false;

    for (unsigned i = 0; i < home_partners(a->home); i++) {
        const struct partner *partner = home_partner_at(a->home, i);
        struct store_breaker b;
        char time[32];
        int rc = store_breaker_get(a->store, partner->name, &b, err);
        if (rc < 0)
            return rc;
        if (rc == 0 || !b.failures)
            continue;
        if (!c->out->json && !any)
            printer_text(c->out, "\npartners that cannot be reached\n");
        any = true;
        if (!c->out->json)
            printer_text(c->out, "  ");
        printer_field(c->out, "partner", partner->name, 14);
        printer_field_number(c->out, "failures", b.failures, 4);
        printer_field(c->out, "until", slice_of(spool_time(c->out, b.until, time)), 20);
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
    rc = store_count(a->store, of, &counts, &err);
    if (rc == 0) {
        show_counts(c->out, &counts);
        if (!of.n)
            show_payloads(c->out, &counts);
        rc = show_breakers(c, a, &err);
    }
    if (rc == 0)
        rc = door_look(a->home, a->store, a->spool, of, on_door, &looking, &err);
    if (rc == 0 && looking.more)
        printer_printf(c->out, "  and %u more\n", looking.more);
    if (rc < 0)
        code = command_fail(c, &err);
    appliance_close(&a);
    return code;
}
