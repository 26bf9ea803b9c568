/*
 * reading: what all commands share that read documents: the maps folder, its guides, the partner's guides, and
 * which findings are warnings. Made from the options of a command line.
 */
#ifndef WAYBILL_CLI_READING_H
#define WAYBILL_CLI_READING_H

#include "cli/command.h"
#include "cli/input.h"
#include "edi/write.h"
#include "flow/translate.h"
#include "flow/agreement.h"

enum { READING_GUIDES = 128 };

struct reading {
    struct buf maps;                            /* path of the maps folder, terminated */
    struct guides *guides;
    struct buf partner_text[OPTION_VALUES];     /* the files behind `partner` */
    unsigned n_texts;
    const struct guide *partner[READING_GUIDES];    /* of --guide, then those of the partner file */
    unsigned n_partner;
    struct partner *partner_file;               /* NULL: no --partner */
    struct agreement *agreement;                /* what it names; its maps are read by reading_maps() */
    struct finding_policy policy;
    struct complaints complaints;               /* of guide files; shown by reading_complain() */
};

/* From --maps, --guide, --partner, --allow and --strict. Returns the exit code; when it is not 0 all has been said, and
 * there is nothing to deinit. */
int reading_init(struct command_context *c, struct reading *r);
void reading_deinit(struct reading *r);
/* For edi_reader_new(); borrows from r. */
void reading_options(struct reading *r, struct edi_reader_options *options_r);
/* The maps of the maps folder, and of them those that the command line means. */
struct reading_maps {
    struct maps *maps;                          /* freed by the caller; set on error, too */
    const struct map *named;                    /* by --map; NULL: none */
    const struct map *const *partner;           /* those of the partner file; for translate_options.partner_map */
    unsigned n_partner;
};
/* Returns the exit code; when it is not 0 all has been said. */
int reading_maps(struct command_context *c, struct reading *r, struct reading_maps *maps_r);
/* A map by its name or its file. A file's guide is one of --guide and --partner, or lies beside it under the same name,
 * and is then read as --guide would read it. Returns the exit code; when it is not 0 all has been said. When *map_r is
 * set all the same, it serves to find more errors, and the complaints are not shown yet. */
int reading_map(struct command_context *c, struct reading *r, struct maps *maps, const char *name,
                const struct map **map_r);
/* --allow and --strict alone: the names are checked. Returns the exit code. */
int reading_policy(struct command_context *c, struct finding_policy *policy_r);
/* Shows on standard error what guide files were complained of since the last time; true when there was anything. */
bool reading_complain(struct command_context *c, struct complaints *complaints);

/* After a reader ended with rc: shows what it and the guides have to say, returns the exit code that follows. */
int reading_result(struct command_context *c, struct reading *r, int rc, struct err *err);
/* Reads one file through flow/translate with the guides and the policy of r, filled in here; the rest of `o` is the
 * caller's. Returns the exit code; *in_r stays open unless it is EXIT_CODE_UNAVAILABLE with in_r->fd < 0. */
int reading_translate(struct command_context *c, struct reading *r, struct translate_options *o, const char *path,
                      struct input *in_r, struct translate_counts *counts_r);

/* Date and time where we are, for what is written. */
struct edi_time reading_now(void);

/* How many findings of which kind. */
struct reading_count {
    uint64_t errors, warnings;
    uint64_t documents, refused;
    bool no_edi;                /* there was no interchange at all */
};
void reading_count(struct reading_count *count, const struct finding *f);

/* Says what a file is that holds no interchange, when that can be told. */
void reading_hint(struct printer *p, const struct input *in);

#endif
