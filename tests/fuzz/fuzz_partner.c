/*
 * Any bytes as a partner file: it is right, or something is complained of; and what is shown of a right one is a
 * partner file that says the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "edi/dialect.h"
#include "partner/partner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static struct partner *read_text(struct slice text, int *rc_r)
{
    struct complaints c;
    struct partner *p;
    struct err err = { 0 };

    complaints_init(&c);
    *rc_r = partner_read(SLICE("fuzz.conf"), text, &c, &p, &err);
    require((*rc_r == 0) == (p != NULL));
    require(*rc_r == 0 || *rc_r == ERR_CONFIG || *rc_r == ERR_NOMEM);
    require((*rc_r == ERR_CONFIG) == (c.count > 0) || *rc_r == ERR_NOMEM);
    complaints_deinit(&c);
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice((const char *)data, size);
    struct partner *p, *again;
    struct buf shown, shown_again;
    struct finding_policy policy;
    int rc;

    p = read_text(text, &rc);
    if (!p)
        return 0;
    require(p->name.n > 0);
    for (unsigned i = 0; i < p->n_identities; i++) {
        const struct partner_identity *x = &p->identity[i];
        const size_t most = x->dialect->groups ? 15 : 35;
        require(x->id.n && x->id.n <= most && x->our_id.n && x->our_id.n <= most);
    }
    finding_policy_init(&policy);
    partner_allow(p, &policy);
    partner_route_of_record(p, SLICE("order"), NULL);
    partner_route_of_document(p, SLICE("850"));

    buf_init(&shown, 64 << 20);
    buf_init(&shown_again, 64 << 20);
    partner_show(p, &shown);
    require(!shown.failed);
    /* bytes that would harm a terminal are shown as \xHH, and so are no longer the same */
    if (!memmem(shown.p, shown.n, "\\", 1)) {
        again = read_text(buf_slice(&shown), &rc);
        require(again != NULL);
        require(again->n_identities == p->n_identities && again->n_routes == p->n_routes && again->n_allow == p->n_allow &&
                again->n_guides == p->n_guides && again->acknowledge == p->acknowledge);
        partner_show(again, &shown_again);
        require(slice_eq(buf_slice(&shown), buf_slice(&shown_again)));
        partner_free(&again);
    }
    buf_deinit(&shown);
    buf_deinit(&shown_again);
    partner_free(&p);
    return 0;
}
