/* waybill list: what is in the spool, newest first: transmissions, documents, deliveries, and what somebody has to look at. */
#include "cli/spool.h"

static int on_transmission(void *ctx, const struct store_transmission *t)
{
    struct printer *p = ctx;
    spool_show_transmission(p, t);
    return printer_failed(p) ? ERR_STOP : 0;
}

static int on_document(void *ctx, const struct store_document *d)
{
    struct printer *p = ctx;
    spool_show_document(p, d);
    return printer_failed(p) ? ERR_STOP : 0;
}

static int on_delivery(void *ctx, const struct store_delivery *d)
{
    struct printer *p = ctx;
    spool_show_delivery(p, d);
    return printer_failed(p) ? ERR_STOP : 0;
}

/* The things of one table that are in such a state. */
static int list_things(struct command_context *c, struct appliance *a, enum thing thing, const char *state)
{
    struct store_query q;
    struct err err = { 0 };
    int rc = 0, code = spool_query(c, thing, &q);
    unsigned number;

    if (code)
        return code;
    if (state) {
        if (!state_of(thing, state, &number))
            return EXIT_CODE_OK;
        q.states = 1u << number;
    }
    switch (thing) {
    case TRANSMISSION: rc = store_transmissions(a->store, &q, on_transmission, c->out, &err); break;
    case DOCUMENT: rc = store_documents(a->store, &q, on_document, c->out, &err); break;
    case DELIVERY: rc = store_deliveries(a->store, &q, on_delivery, c->out, &err); break;
    }
    return rc < 0 && rc != ERR_STOP ? command_fail(c, &err) : EXIT_CODE_OK;
}

int command_list(struct command_context *c)
{
    static const struct {
        const char *name;
        enum thing first, last;
        const char *state;
    } lists[] = {
        { "transmission", TRANSMISSION, TRANSMISSION, NULL },
        { "document", DOCUMENT, DOCUMENT, NULL },
        { "delivery", DELIVERY, DELIVERY, NULL },
        { "dead", TRANSMISSION, DELIVERY, "dead" },
        { "held", TRANSMISSION, DELIVERY, "held" },
        { "overdue", DOCUMENT, DOCUMENT, "overdue" },
    };
    struct slice word = c->n ? slice_of(c->argument[0]) : SLICE("transmission");
    struct appliance *a = NULL;
    unsigned i = 0;
    int code;

    if (word.n > 1 && word.p[word.n - 1] == 's')
        word.n--;
    while (i < sizeof(lists) / sizeof(lists[0]) && !slice_is(word, lists[i].name) &&
           !(slice_is(word, "deliverie") && lists[i].first == DELIVERY))
        i++;
    if (i == sizeof(lists) / sizeof(lists[0]))
        return command_usage(c, "\"%s\" is no list", c->argument[0]);
    if (lists[i].state && command_has(c, OPTION_STATE))
        return command_usage(c, "--state is for lists of transmissions, documents or deliveries");
    code = spool_open(c, false, &a);
    for (enum thing thing = lists[i].first; code == EXIT_CODE_OK && thing <= lists[i].last; thing++)
        code = list_things(c, a, thing, lists[i].state);
    appliance_close(&a);
    return code;
}
