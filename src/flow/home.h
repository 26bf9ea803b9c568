/*
 * home: where an appliance lives: waybill.conf, the partner files, and the guides and maps they go by.
 *
 *     waybill.conf
 *     partners/NAME.conf      and NAME/ beside it: his guides, maps and tables
 *     maps/                   maps and guides of our own, that several partners share
 *     keys/
 *     spool/                  see spool/README.md
 *
 * All partner files are read at once, and one that is wrong is told of and left out: the others go on. What they name
 * is read when it is first asked for. It owns all of it. One thread.
 */
#ifndef WAYBILL_FLOW_HOME_H
#define WAYBILL_FLOW_HOME_H

#include "base/complain.h"
#include "flow/agreement.h"
#include "map/carry.h"

struct home;

/* What waybill.conf says. Paths are whole. */
struct home_settings {
    const char *folder, *partners, *keys, *spool, *maps;
    uint64_t settle;         /* seconds that a file at a door has to rest before it is taken */
    uint64_t bundle_members; /* the most that a bundle may hold */
    uint64_t bundle_size;    /* and may become, in bytes */
};

/* The folder: `option` (--home), else WAYBILL_HOME, else /etc/waybill where waybill.conf lies there. ERR_MISSING: none
 * of them. */
int home_find(const char *option, struct buf *path_r, struct err *err);
/* `maps`: the folder of guides and maps that Waybill brings. Complaints tell what is wrong in waybill.conf (then
 * ERR_CONFIG) and in partner files (then 0: count tells). */
int home_open(const char *folder, const char *maps, struct complaints *c, struct home **home_r, struct err *err);
/* More that is wrong in partner files, for which maps and guides are looked at. ERR_NOMEM. */
int home_check(struct home *h, struct complaints *c, struct err *err);
void home_close(struct home **home);

const struct home_settings *home_settings(const struct home *h);
struct guides *home_guides(struct home *h);
struct maps *home_maps(struct home *h);

/* Partners in the order of their names; those that are switched off are among them. */
unsigned home_partners(const struct home *h);
const struct partner *home_partner_at(const struct home *h, unsigned i);
/* NULL: there is none, or its file is wrong. */
const struct partner *home_partner(const struct home *h, struct slice name);
/* His guides and maps. ERR_CONFIG: something he names is wrong; words say what. Told once. */
int home_agreement(struct home *h, const struct partner *p, struct agreement **agreement_r, struct err *err);
/* The map that makes records of kind `to` of those of kind `from` for this partner: PARTNER/TO.map beside his file,
 * else records/FROM-TO. NULL: there is none. Errors as home_agreement(). */
int home_carry(struct home *h, const struct partner *p, struct slice from, struct slice to,
               const struct carry_plan **plan_r, struct err *err);

#endif
