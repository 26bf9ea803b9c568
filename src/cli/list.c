/* waybill list: what is in the spool, newest first: transmissions, documents, deliveries, and what somebody has to look
 * at. */
#include "cli/spool.h"

struct listing {
    struct command_context *c;
    struct appliance *a;
    unsigned shown;
};

static int on_transmission(void *ctx, const struct store_transmission *t)
{
    struct listing *l = ctx;
    l->shown++;
    spool_show_transmission(l->c->out, t);
    return printer_failed(l->c->out) ? ERR_STOP : 0;
}

static int on_document(void *ctx, const struct store_document *d)
{
    struct listing *l = ctx;
    l->shown++;
    spool_show_document(l->c->out, d);
    return printer_failed(l->c->out) ? ERR_STOP : 0;
}

static int on_delivery(void *ctx, const struct store_delivery *d)
{
    struct listing *l = ctx;
    l->shown++;
    spool_show_delivery(l->c->out, d);
    return printer_failed(l->c->out) ? ERR_STOP : 0;
}

/* A list that a person asks for by its name: the things of such a state, and what can be done with them. */
struct list {
    const char *name;
    enum thing first, last;
    const char *state; /* NULL: any */
    enum store_direction direction;
    const char *todo; /* for people */
};

static const struct list lists[] = {
    { "transmission", TRANSMISSION, TRANSMISSION, NULL, 0, NULL },
    { "document", DOCUMENT, DOCUMENT, NULL, 0, NULL },
    { "delivery", DELIVERY, DELIVERY, NULL, 0, NULL },
    { "dead", TRANSMISSION, DELIVERY, "dead", 0,
      "`waybill replay ID` once the reason is mended, or `waybill drop ID --reason WORDS`" },
    { "held", TRANSMISSION, DELIVERY, "held", 0,
      "`waybill release ID`, `waybill release --partner NAME` for all of a partner, or `waybill drop ID --reason "
      "WORDS`" },
    { "refused", DOCUMENT, DOCUMENT, "refused", STORE_IN,
      "`waybill show TRANSMISSION` says why; `waybill replay TRANSMISSION` once the guide or the file is mended, or "
      "`waybill drop ID --reason WORDS`" },
    { "rejected", DOCUMENT, DOCUMENT, "rejected", STORE_OUT,
      "`waybill show ID` says what the partner complains of; `waybill drop ID --reason WORDS` once it is settled" },
    { "overdue", DOCUMENT, DOCUMENT, "overdue", STORE_OUT,
      "ask the partner; `waybill replay TRANSMISSION` sends the file again, `waybill drop ID --reason WORDS` settles "
      "it" },
    { "delayed", TRANSMISSION, TRANSMISSION, "made", STORE_OUT,
      "each is tried again by itself; `waybill hold ID` stops that, `waybill show ID` tells of the attempts" },
};

/* The things of one table that are in such a state. What goes along with another thing is listed with that. */
static int list_things(struct listing *l, enum thing thing, const struct list *list)
{
    struct store_query q;
    struct err err = { 0 };
    int rc = 0, code = spool_query(l->c, thing, &q);
    unsigned number;

    if (code)
        return code;
    if (list->state) {
        if (!state_of(thing, list->state, &number))
            return EXIT_CODE_OK;
        q.states = 1u << number;
        q.alone = true;
        q.delayed = number == TRANSMISSION_MADE && thing == TRANSMISSION;
        q.direction = thing == DOCUMENT ? list->direction ? list->direction : STORE_IN : list->direction;
    }
    switch (thing) {
    case TRANSMISSION: rc = store_transmissions(l->a->store, &q, on_transmission, l, &err); break;
    case DOCUMENT: rc = store_documents(l->a->store, &q, on_document, l, &err); break;
    case DELIVERY: rc = store_deliveries(l->a->store, &q, on_delivery, l, &err); break;
    }
    return rc < 0 && rc != ERR_STOP ? command_fail(l->c, &err) : EXIT_CODE_OK;
}

int command_list(struct command_context *c)
{
    struct slice word = c->n ? slice_of(c->argument[0]) : SLICE("transmission");
    struct listing l = { .c = c };
    unsigned i = 0;
    int code;

    if (word.n > 1 && word.p[word.n - 1] == 's')
        word.n--;
    while (i < sizeof(lists) / sizeof(lists[0]) && !slice_is(word, lists[i].name) &&
           !(slice_is(word, "deliverie") && lists[i].first == DELIVERY))
        i++;
    if (i == sizeof(lists) / sizeof(lists[0]))
        return command_usage(c,
                             "\"%s\" is no list; transmission, document, delivery, dead, held, refused, rejected, "
                             "overdue and delayed are",
                             c->argument[0]);
    if (lists[i].state && command_has(c, OPTION_STATE))
        return command_usage(c, "--state is for lists of transmissions, documents or deliveries");
    code = spool_open(c, false, &l.a);
    if (code == EXIT_CODE_OK)
        code = spool_partner(c, l.a);
    for (enum thing thing = lists[i].first; code == EXIT_CODE_OK && thing <= lists[i].last; thing++)
        code = list_things(&l, thing, &lists[i]);
    if (code == EXIT_CODE_OK && l.shown && lists[i].todo && !c->out->json && !printer_failed(c->out))
        command_say(c, "%s", lists[i].todo);
    appliance_close(&l.a);
    return code;
}
