/*
 * spool: what the commands of the appliance share: the home, ids as people write them (T12, D7, V3), and times.
 */
#ifndef WAYBILL_CLI_SPOOL_H
#define WAYBILL_CLI_SPOOL_H

#include "cli/command.h"
#include "flow/run.h"

/* Opens the appliance of --home, WAYBILL_HOME or /etc/waybill. Complaints of its files are shown; wrong partner files
 * do not keep it from opening. Returns the exit code; when it is not 0 all has been said. */
int spool_open(struct command_context *c, bool write, struct appliance **a_r);

/* Who runs the command, for events. */
const char *spool_who(void);

/* "T12": a transmission. False: it is no id. */
bool spool_id(struct slice text, enum thing *thing_r, store_id *id_r);
/* Are all arguments ids? Words when one is not. Returns the exit code. */
int spool_arguments(struct command_context *c);
/* "T12" into a buffer of 24 bytes. */
const char *spool_id_text(enum thing thing, store_id id, char text[24]);
/* "2026-11-21 09:10:33", where we are; with --json the same with T and zone, UTC. Empty for 0. */
const char *spool_time(const struct printer *p, store_time at, char text[32]);
/* "2026-11-21", perhaps with a time; false: it is none. */
bool spool_date(const char *text, store_time *at_r);
/* Is there a partner, or anything of one, of the name that --partner gives? Words when there is not. Returns the exit
 * code. */
int spool_partner(struct command_context *c, struct appliance *a);
/* What --partner, --state, --from, --until and --limit say. `thing` chooses the states. Returns the exit code. */
int spool_query(struct command_context *c, enum thing thing, struct store_query *q_r);

/* What somebody has to look at, each kind with its number, and how it is listed: to standard error, or with `shown` as
 * rows. */
int spool_tell_trouble(struct command_context *c, struct appliance *a, struct slice partner, bool shown, struct err *err);

enum { SPOOL_AWAITED = 120 };
/* For people: since when an acknowledgment is awaited, and until when; empty: none is. */
const char *spool_awaited(const struct printer *p, const struct store_document *d, char words[SPOOL_AWAITED]);
/* A row of a list, or an object. */
void spool_show_transmission(struct printer *p, const struct store_transmission *t);
void spool_show_document(struct printer *p, const struct store_document *d);
void spool_show_delivery(struct printer *p, const struct store_delivery *d);

int command_init(struct command_context *c);
int command_run(struct command_context *c);
int command_list(struct command_context *c);
int command_show(struct command_context *c);
int command_cat(struct command_context *c);
int command_trace(struct command_context *c);
int command_status(struct command_context *c);
int command_hold(struct command_context *c);
int command_release(struct command_context *c);
int command_drop(struct command_context *c);
int command_replay(struct command_context *c);
int command_backup(struct command_context *c);
int command_restore(struct command_context *c);
int command_partner_list(struct command_context *c);

#endif
