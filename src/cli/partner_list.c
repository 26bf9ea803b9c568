/* waybill partner list: the partners of the home: who they are, and how many files they have. */
#include "cli/spool.h"

static void heading(struct printer *p)
{
    printer_field(p, "", SLICE("partner"), 12);
    printer_field(p, "", SLICE("role"), 12);
    printer_field(p, "", SLICE("state"), 5);
    printer_field(p, "", SLICE("files arrived"), 13);
    printer_field(p, "", SLICE("files left"), 10);
    printer_field(p, "", SLICE("title"), 0);
    printer_end_row(p);
}

int command_partner_list(struct command_context *c)
{
    struct appliance *a = NULL;
    int code = spool_open(c, false, &a);

    for (unsigned i = 0; a && i < home_partners(a->home); i++) {
        const struct partner *p = home_partner_at(a->home, i);
        struct store_counts n;
        struct err err = { 0 };
        uint64_t in = 0, out = 0;

        if (store_count(a->store, p->name, &n, &err) < 0) {
            code = command_fail(c, &err);
            break;
        }
        for (unsigned s = 1; s < TRANSMISSION_STATE_END; s++) {
            in += n.transmission[0][s];
            out += n.transmission[1][s];
        }
        if (!i && !c->out->json)
            heading(c->out);
        printer_field(c->out, "partner", p->name, 12);
        printer_field(c->out, "role", p->role, 12);
        printer_field(c->out, "state", p->off ? SLICE("off") : SLICE("on"), 5);
        printer_field_number(c->out, "arrived", in, 13);
        printer_field_number(c->out, "left", out, 10);
        printer_field(c->out, "title", p->title, 0);
        printer_end_row(c->out);
    }
    appliance_close(&a);
    return code;
}
