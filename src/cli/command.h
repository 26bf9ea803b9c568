/*
 * command: one row per command, one row per option. The parser, `waybill help`, the completion of the shell and
 * the manual page all come from these rows and nothing else; a new command is a row and a function.
 *
 * A command never exits and never writes past the two printers it is given.
 */
#ifndef WAYBILL_CLI_COMMAND_H
#define WAYBILL_CLI_COMMAND_H

#include "base/err.h"
#include "cli/printer.h"
#include "cli/progress.h"

/* sysexits.h has them all; these are the ones that Waybill uses. */
enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_DIFFERENT = 1,        /* diff: the files say different things */
    EXIT_CODE_USAGE = 64,           /* the command line is wrong */
    EXIT_CODE_DATA = 65,            /* a document or record is wrong */
    EXIT_CODE_UNAVAILABLE = 69,     /* a file cannot be read or written */
    EXIT_CODE_LATER = 75,           /* for now: no memory */
    EXIT_CODE_CONFIG = 78           /* a guide, map or partner file is wrong */
};

struct exit_code_row {
    int code;
    const char *words;
};
extern const struct exit_code_row exit_codes[];     /* ends with words == NULL */

/* What the shell may put in the place of a word. */
enum completes { COMPLETES_NOTHING, COMPLETES_FILE, COMPLETES_FOLDER, COMPLETES_GUIDE, COMPLETES_MAP, COMPLETES_ALLOW,
                 COMPLETES_COMMAND };

enum option_id {
    OPTION_ALLOW,
    OPTION_STRICT,
    OPTION_GUIDE,
    OPTION_PARTNER,
    OPTION_MAP,
    OPTION_TO,
    OPTION_VERSION,
    OPTION_SENDER_ID,
    OPTION_RECEIVER_ID,
    OPTION_SYNTAX,
    OPTION_UNA,
    OPTION_CONTROL,
    OPTION_SET,
    OPTION_DATE,
    OPTION_THREADS,
    OPTION_TRANSMISSION,
    OPTION_RECALL,
    OPTION_BY,
    OPTION_NUMBERS,
    OPTION_FORMAT,
    OPTION_SEGMENTS,
    OPTION_CODES,
    OPTION_JSON,
    OPTION_COLOR,
    OPTION_MAPS,
    OPTION_HOME,
    OPTION_ONCE,
    OPTION_OF_PARTNER,
    OPTION_STATE,
    OPTION_FROM,
    OPTION_UNTIL,
    OPTION_LIMIT,
    OPTION_REASON,
    OPTION_RECEIVER,
    OPTION_FILE,
    OPTION_ALL,
    OPTION_ALL_HELD,
    OPTION_HELD_FOR,
    OPTION_WITH_KEYS,
    OPTION_SKIP,
    OPTION_MAN,
    OPTION_COMPLETE,
    OPTION_HELP,
    OPTIONS
};

struct option_row {
    const char *name;               /* "allow" for --allow */
    const char *value;              /* "NAME,…"; "x12|json" takes these words only; NULL: no value */
    enum completes completes;
    bool hidden;                    /* for scripts; not in the help */
    const char *help;
};
extern const struct option_row options[OPTIONS];

struct example {
    const char *line;
    const char *words;
};

struct command_context;

enum { COMMAND_OPTIONS = 24, COMMAND_EXAMPLES = 5, ARGUMENTS_MANY = 1 << 20 };

struct command {
    const char *name;               /* "check", "guide show" */
    const char *arguments;          /* as shown: "FILE…" */
    unsigned min, max;              /* how many */
    enum completes completes;
    const char *help;               /* one line */
    const char *description;        /* paragraphs, parted by an empty line */
    struct example example[COMMAND_EXAMPLES];
    enum option_id option[COMMAND_OPTIONS];     /* ends with OPTION_HELP, which every command has */
    int (*run)(struct command_context *c);      /* returns the exit code; NULL: the appliance's */
};
extern const struct command commands[];         /* ends with name == NULL */

enum { OPTION_VALUES = 32 };

/* A command line, taken apart, and where output goes. */
struct command_context {
    const struct command *command;
    char **argument;
    unsigned n;
    struct {
        unsigned n;
        const char *value[OPTION_VALUES];       /* "" for an option without one */
    } option[OPTIONS];
    struct printer *out;            /* standard output: the result */
    struct printer *err;            /* standard error: what else is to be said */
    struct progress *progress;
    char **given;                   /* the whole command line as it was given, for a command of the appliance's */
};

/* Runs what argv says; returns the exit code. Printers and progress are flushed by the caller. */
int command_main(int argc, char **argv, struct printer *out, struct printer *err, struct progress *progress,
                 int (*appliance)(struct command_context *c));
/* What a command without `run` does: it is the appliance's. `waybill` starts waybill-spool for it (elsewhere.c), which
 * does it (appliance.c). */
int command_elsewhere(struct command_context *c);
int command_appliance(struct command_context *c);
/* Whether waybill-spool does a command of that name. */
bool appliance_has(const char *name);

static inline bool command_has(const struct command_context *c, enum option_id id)
{
    return c->option[id].n > 0;
}

/* The last value given, NULL when there is none. */
static inline const char *command_value(const struct command_context *c, enum option_id id)
{
    return c->option[id].n ? c->option[id].value[c->option[id].n - 1] : NULL;
}

/* Says on standard error what is wrong, as "waybill check: WORDS". */
void command_say(struct command_context *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for an err; returns the exit code that its code stands for. */
int command_fail(struct command_context *c, const struct err *err);
/* An error in the command line itself: the words, then how the command is used. Returns EXIT_CODE_USAGE. */
int command_usage(struct command_context *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
int exit_code_of(int err_code);
/* The worse of two exit codes: configuration before files before data. */
int exit_code_worse(int a, int b);

/* The commands, each in its own file. */
int command_check(struct command_context *c);
int command_explain(struct command_context *c);
int command_translate(struct command_context *c);
int command_ack(struct command_context *c);
int command_diff(struct command_context *c);
int command_guide_list(struct command_context *c);
int command_guide_show(struct command_context *c);
int command_guide_document(struct command_context *c);
int command_guide_check(struct command_context *c);
int command_map_check(struct command_context *c);
int command_map_loss(struct command_context *c);
int command_map_list(struct command_context *c);
int command_partner_check(struct command_context *c);
int command_partner_show(struct command_context *c);
int command_partner_keywords(struct command_context *c);
int command_help(struct command_context *c);
int command_version(struct command_context *c);

/* help.c: the whole usage, or one command's, as text. */
void help_overview(struct printer *p);
void help_command(struct printer *p, const struct command *command);
void help_usage_line(struct printer *p, const struct command *command);

#endif
