/*
 * agreement: a partner file with the guides and maps that it names, read and held against each other.
 *
 * A name in a partner file (`map northwind/850`, `guide northwind/850`) is first looked for beside the partner file,
 * as northwind/850.map and northwind/850.guide, then among the maps and guides of the maps folder. A map beside the
 * partner file brings the guide of the same name with it.
 *
 * It holds the texts that guides were read from: free the guides first, then the agreement, then the partner. What is
 * wrong is complained of, all of it, at its place in the partner file or in the file that it names.
 */
#ifndef WAYBILL_FLOW_AGREEMENT_H
#define WAYBILL_FLOW_AGREEMENT_H

#include "edi/guide.h"
#include "map/map.h"
#include "partner/partner.h"

struct agreement;

/* Reads the partner's guides into `guides`. ERR_CONFIG: complaints say why. The partner must outlive the agreement. On
 * error, too, *agreement_r may be set, for texts that guides borrow from; otherwise it is NULL. */
int agreement_new(const struct partner *partner, struct guides *guides, struct complaints *c,
                  struct agreement **agreement_r, struct err *err);
void agreement_free(struct agreement **agreement);
/* Reads the partner's maps into `maps`, which must live as long as the agreement is asked for them. A document type
 * of which there is no map at all is no error, unless it is asked for. */
int agreement_read_maps(struct agreement *a, struct maps *maps, struct complaints *c, struct err *err);

/* What the lines `receive` and `send` say without naming a map: kinds of records and their fields, and document types
 * that there is a map for. And lines that mean nothing yet. ERR_NOMEM. */
int agreement_check_lines(const struct partner *p, struct guides *guides, struct maps *maps, struct complaints *c,
                          struct err *err);
/* Of a file in the partners' folder of a home: it is named after its partner, */
bool agreement_check_name(const struct partner *p, struct complaints *c);
/* and there are files beside it of those who get what comes from him. ERR_NOMEM. */
int agreement_check_receivers(const struct partner *p, struct complaints *c, struct err *err);

const struct partner *agreement_partner(const struct agreement *a);
/* What the file of that identity's line `password-file` holds; empty: it has none. Never told, logged or recorded. */
struct slice agreement_password(const struct agreement *a, unsigned identity);
/* The partner's guides: for edi_reader_options.partner. */
const struct guide *const *agreement_guides(const struct agreement *a, unsigned *n_r);
/* The maps of the lines `receive` and `send`, each once: for translate_options.partner_map. */
const struct map *const *agreement_maps(const struct agreement *a, unsigned *n_r);
/* The map of route i of the partner; NULL: it names none, or there is none. */
const struct map *agreement_map(const struct agreement *a, unsigned route);

#endif
