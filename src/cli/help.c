/*
 * waybill help, waybill version, the manual page and the completion of the shell: all made from the rows of
 * command.c and edi/finding.h.
 */
#include "cli/command.h"

#include <stdio.h>

#include "cli/maps.h"
#include "edi/guide.h"
#include "waybill.h"

enum { WIDTH = 80, NAME_WIDTH = 22, PATH_CEILING = 4096 };

/* --- For a terminal ------------------------------------------------------------------ */

void help_usage_line(struct printer *p, const struct command *command)
{
    printer_printf(p, "usage: waybill %s [OPTION…]%s%s\n", command->name, *command->arguments ? " " : "",
                   command->arguments);
}

static void heading(struct printer *p, const char *text)
{
    printer_style(p, STYLE_BOLD);
    printer_text(p, text);
    printer_style(p, STYLE_PLAIN);
    printer_text(p, "\n");
}

/* A word on the left, its explanation beside it. */
static void entry(struct printer *p, const char *name, const char *words)
{
    size_t n = 0;
    for (const char *at = name; *at; at++)
        n += ((unsigned char)*at & 0xc0) != 0x80;
    printer_text(p, "  ");
    printer_style(p, STYLE_BOLD);
    printer_text(p, name);
    printer_style(p, STYLE_PLAIN);
    if (n + 2 > NAME_WIDTH)
        printer_printf(p, "\n%*s", NAME_WIDTH + 2, "");
    else
        printer_printf(p, "%*s", (int)(NAME_WIDTH - n), "");
    printer_wrap(p, words, NAME_WIDTH + 2, WIDTH);
}

void help_overview(struct printer *p)
{
    printer_text(p, "usage: waybill COMMAND [OPTION…] [ARGUMENT…]\n\n"
                    "Reads, checks, explains, translates and answers business documents (EDI).\n\n");
    for (const struct command *row = commands; row->name; row++)
        entry(p, row->name, row->help);
    printer_text(p, "\n`waybill help COMMAND` explains a command, `waybill help findings` all that may be found.\n");
}

enum { OPTION_NAME = 64 };

static const char *option_name(const struct option_row *row, char name[OPTION_NAME])
{
    snprintf(name, OPTION_NAME, "--%s%s%s", row->name, row->value ? " " : "", row->value ? row->value : "");
    return name;
}

/* The row of a command, then one of each option. */
static void show_rows(struct printer *p, const struct command *command)
{
    printer_field(p, "command", slice_of(command->name), 0);
    printer_field(p, "arguments", slice_of(command->arguments), 0);
    printer_field(p, "help", slice_of(command->help), 0);
    printer_field(p, "description", slice_of(command->description), 0);
    printer_end_row(p);
    for (unsigned i = 0;; i++) {
        const struct option_row *row = &options[command->option[i]];
        if (!row->hidden) {
            printer_field(p, "command", slice_of(command->name), 0);
            printer_field(p, "option", slice_of(row->name), 0);
            printer_field(p, "value", row->value ? slice_of(row->value) : SLICE(""), 0);
            printer_field(p, "help", slice_of(row->help), 0);
            printer_end_row(p);
        }
        if (command->option[i] == OPTION_HELP)
            break;
    }
}

void help_command(struct printer *p, const struct command *command)
{
    char name[OPTION_NAME];

    if (p->json) {
        show_rows(p, command);
        return;
    }
    help_usage_line(p, command);
    printer_text(p, "\n");
    printer_wrap(p, command->description, 0, WIDTH);
    printer_text(p, "\n");
    heading(p, "Options");
    for (unsigned i = 0;; i++) {
        const struct option_row *row = &options[command->option[i]];
        if (!row->hidden)
            entry(p, option_name(row, name), row->help);
        if (command->option[i] == OPTION_HELP)
            break;
    }
    if (command->example[0].line) {
        printer_text(p, "\n");
        heading(p, "Examples");
        for (unsigned i = 0; i < COMMAND_EXAMPLES && command->example[i].line; i++)
            printer_printf(p, "  %s\n      %s\n", command->example[i].line, command->example[i].words);
    }
}

static const char *severity_name(enum severity severity)
{
    return severity == SEVERITY_ERROR ? "error" : "warning";
}

static bool is_called(const struct finding_row *row, struct slice name)
{
    return slice_is(name, row->name) || (row->allow && slice_is(name, row->allow)) ||
           (row->edifact && slice_is(name, row->edifact));
}

/* All findings, or those of a name. False: there are none. */
static bool help_findings(struct printer *p, struct slice name)
{
    bool any = name.n == 0;
    char words[200];

    for (unsigned i = 0; i < FINDING_CODES; i++)
        any = any || is_called(&finding_rows[i], name);
    if (!any)
        return false;
    if (!p->json)
        heading(p, "CODE                       --allow NAME         by default  ");
    for (unsigned i = 0; i < FINDING_CODES; i++) {
        const struct finding_row *row = &finding_rows[i];
        if (name.n && !is_called(row, name))
            continue;
        printer_field(p, "code", slice_of(row->name), 25);
        printer_field(p, "allow", row->allow ? slice_of(row->allow) : p->json ? SLICE("") : SLICE("-"), 19);
        printer_field(p, "severity", slice_of(severity_name(row->severity)), 10);
        if (p->json) {
            printer_field(p, "edifact", slice_of(row->edifact ? row->edifact : row->name), 0);
            printer_field(p, "words", slice_of(row->words), 0);
        } else {
            snprintf(words, sizeof(words), "%s%s%s", row->words, row->edifact ? "; " : "",
                     row->edifact ? row->edifact : "");
            printer_field(p, "words", slice_of(words), 0);
        }
        printer_end_row(p);
    }
    if (!p->json && name.n == 0)
        printer_wrap(
            p,
            "\n\nX12-AK3-n, X12-AK4-n, X12-AK5-n, X12-AK9-n and X12-TA1-n are named after the element of the "
            "acknowledgment that will hold n: AK304, AK403, AK502, AK905 and TA105. In EDIFACT these findings are "
            "called EDIFACT-UCS-n, -UCD-n, -UCM-n, -UCF-n and -UCI-n, after the segment of a CONTRL that will hold "
            "n in 0085; the others have one name.",
            0, WIDTH);
    return true;
}

/* --- The manual page ------------------------------------------------------------------ */

/* Text for roff: nothing in it may be taken for a request or an escape. */
static void roff(struct printer *p, const char *text, bool name)
{
    bool line_start = true;

    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            buf_add_text(&p->buf, "\\&");
        line_start = *text == '\n';
        if (*text == '\\')
            buf_add_text(&p->buf, "\\e");
        else if (*text == '-' && name)
            buf_add_text(&p->buf, "\\-");
        else if (*text == '\n' && text[1] == '\n')
            buf_add_text(&p->buf, "\n.PP"), text[2] ? (void)0 : (void)buf_add_char(&p->buf, '\n');
        else if (strncmp(text, "…", strlen("…")) == 0)
            buf_add_text(&p->buf, "..."), text += strlen("…") - 1;
        else
            buf_add_char(&p->buf, *text);
    }
}

static void man_entry(struct printer *p, const char *name, const char *words)
{
    buf_add_text(&p->buf, ".TP\n.B ");
    roff(p, name, true);
    buf_add_char(&p->buf, '\n');
    roff(p, words, false);
    buf_add_char(&p->buf, '\n');
}

static void man_command(struct printer *p, const struct command *command)
{
    char name[OPTION_NAME];

    buf_add_text(&p->buf, ".SS \"waybill ");
    buf_add_text(&p->buf, command->name);
    buf_add_text(&p->buf, "\"\n.B waybill ");
    roff(p, command->name, true);
    buf_add_text(&p->buf, "\n[\\fIOPTION\\fR...] ");
    roff(p, command->arguments, true);
    buf_add_text(&p->buf, "\n.PP\n");
    roff(p, command->description, false);
    buf_add_char(&p->buf, '\n');
    for (unsigned i = 0; command->option[i] != OPTION_HELP; i++) {
        const struct option_row *row = &options[command->option[i]];
        if (!row->hidden)
            man_entry(p, option_name(row, name), row->help);
    }
    if (command->example[0].line) {
        buf_add_text(&p->buf, ".PP\nExamples:\n");
        for (unsigned i = 0; i < COMMAND_EXAMPLES && command->example[i].line; i++)
            man_entry(p, command->example[i].line, command->example[i].words);
    }
    printer_text(p, "");
}

static void man_page(struct printer *p)
{
    printer_printf(p, ".TH WAYBILL 1 \"\" \"Waybill %s\" \"Waybill\"\n", waybill_version());
    printer_text(p, ".SH NAME\nwaybill \\- reads, checks, explains, translates and answers business documents\n"
                    ".SH SYNOPSIS\n.B waybill\n.I COMMAND\n[\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n"
                    ".SH DESCRIPTION\n"
                    "Waybill reads EDI documents as trading partners send them, says what is wrong in them, and "
                    "turns them into records and back. Options may stand before and behind the other arguments; "
                    "after \\fB\\-\\-\\fR there are no more options. Several files are worked on one after the "
                    "other; one that cannot be read does not keep the others from it. A file named \\fB\\-\\fR is "
                    "standard input.\n.SH COMMANDS\n");
    for (const struct command *row = commands; row->name; row++)
        man_command(p, row);
    printer_text(p, ".SH FINDINGS\nEach finding has a code that never changes its meaning. In brackets stand the name "
                    "that \\fB\\-\\-allow\\fR takes, where it can be allowed, and what it is by default.\n");
    for (unsigned i = 0; i < FINDING_CODES; i++) {
        const struct finding_row *row = &finding_rows[i];
        buf_add_text(&p->buf, ".TP\n.B ");
        roff(p, row->name, true);
        if (row->edifact) {
            buf_add_text(&p->buf, ", ");
            roff(p, row->edifact, true);
        }
        buf_add_char(&p->buf, '\n');
        roff(p, row->words, false);
        buf_add_text(&p->buf, " [");
        roff(p, row->allow ? row->allow : "", true);
        printer_printf(p, "%s%s]\n", row->allow ? ", " : "", severity_name(row->severity));
    }
    printer_text(p, ".SH EXIT STATUS\n");
    for (const struct exit_code_row *row = exit_codes; row->words; row++)
        printer_printf(p, ".TP\n.B %d\n%s\n", row->code, row->words);
    printer_text(
        p,
        ".SH ENVIRONMENT\n"
        ".TP\n.B WAYBILL_MAPS\nThe folder of guides, maps and record schemas, when \\fB\\-\\-maps\\fR "
        "does not name it. Without either, it is "
        "\\fImaps\\fR beside the program's folder or \\fIshare/waybill/maps\\fR of the prefix it is "
        "installed in.\n"
        ".TP\n.B NO_COLOR\nWhen set, there is no colour unless \\fB\\-\\-color always\\fR asks for it.\n"
        ".SH SEE ALSO\n.BR waybill\\-guide (5),\n.BR waybill\\-map (5),\n.BR waybill\\-partner (5),\n.BR waybill.h (3)\n");
}

/* --- The completion of the shell --------------------------------------------------------- */

/* Candidates one a line; a line ":file" or ":folder" asks the shell for its own. */
static void candidate(struct printer *p, struct slice word, const char *before, struct slice typed)
{
    struct slice prefix = slice_of(before);
    if (typed.n < prefix.n ? slice_starts(prefix, typed)
                           : slice_starts(typed, prefix) && slice_starts(word, slice_from(typed, prefix.n))) {
        printer_safe(p, prefix);
        printer_safe(p, word);
        printer_text(p, "\n");
    }
}

static void complete_maps(struct printer *p, const char *suffix, struct slice typed)
{
    struct maps_list list;
    struct buf path;

    buf_init(&path, PATH_CEILING);
    if (maps_find(NULL, &path, NULL) == 0 && maps_list_read(buf_text(&path), suffix, &list, NULL) == 0) {
        for (size_t i = 0; i < list.n; i++) {
            struct slice map = maps_map_name(list.name[i]);
            if (slice_is(SLICE(".map"), suffix) ? map.n > 0 : maps_is_guide(list.name[i]))
                candidate(p, map.n ? map : slice_of(list.name[i]), "", typed);
        }
        maps_list_free(&list);
    }
    buf_deinit(&path);
}

/* The segments of a guide of the maps folder. */
static void complete_segments(struct printer *p, const char *given, struct slice typed)
{
    struct maps_list list = { .n = 0 };
    struct complaints ignored;
    struct guides *guides = NULL;
    const struct guide *g = NULL;
    struct slice id = slice_of(given);
    struct buf path;

    buf_init(&path, PATH_CEILING);
    complaints_init(&ignored);
    if (maps_find(NULL, &path, NULL) == 0 && maps_list_read(buf_text(&path), ".guide", &list, NULL) == 0 &&
        guides_new(buf_text(&path), &guides, NULL) == 0) {
        maps_complete_guide(&list, id, &id);
        guides_by_id(guides, id, &ignored, &g, NULL);
    }
    for (unsigned i = 1; g && i < g->n; i++) {
        bool first = !g->node[i].loop;
        for (unsigned k = 1; first && k < i; k++)
            first = g->node[k].loop || !slice_eq(g->node[k].tag, g->node[i].tag);
        if (first)
            candidate(p, g->node[i].tag, "", typed);
    }
    guides_free(&guides);
    maps_list_free(&list);
    complaints_deinit(&ignored);
    buf_deinit(&path);
}

static void complete_allow(struct printer *p, struct slice typed)
{
    struct buf before;

    /* names behind commas: what stands before stays */
    buf_init(&before, PATH_CEILING);
    for (size_t i = typed.n; i > 0; i--)
        if (typed.p[i - 1] == ',') {
            buf_add(&before, typed.p, i);
            break;
        }
    for (unsigned i = 0; i < FINDING_CODES; i++) {
        bool first = finding_rows[i].allow != NULL;
        for (unsigned k = 0; first && k < i; k++)
            first = !finding_rows[k].allow || strcmp(finding_rows[i].allow, finding_rows[k].allow) != 0;
        if (first)
            candidate(p, slice_of(finding_rows[i].allow), buf_text(&before), typed);
    }
    buf_deinit(&before);
}

static void complete_commands(struct printer *p, unsigned n, char **word, struct slice typed)
{
    struct slice last = { NULL, 0 };

    for (const struct command *row = commands; row->name; row++) {
        struct slice second;
        bool two;
        struct slice first = slice_cut(slice_of(row->name), ' ', &second, &two);
        if (n == 0 && !slice_eq(first, last))
            candidate(p, first, "", typed);
        if (n == 1 && two && slice_is(first, word[0]))
            candidate(p, second, "", typed);
        last = first;
    }
}

static void complete_value(struct printer *p, enum completes completes, struct slice typed)
{
    switch (completes) {
    case COMPLETES_NOTHING: break;
    case COMPLETES_FILE: printer_text(p, ":file\n"); break;
    case COMPLETES_FOLDER: printer_text(p, ":folder\n"); break;
    case COMPLETES_GUIDE: complete_maps(p, ".guide", typed); break;
    case COMPLETES_MAP: complete_maps(p, ".map", typed); break;
    case COMPLETES_ALLOW: complete_allow(p, typed); break;
    case COMPLETES_COMMAND:
        complete_commands(p, 0, NULL, typed);
        candidate(p, SLICE("findings"), "", typed);
        break;
    }
}

/* The words behind "waybill" on the command line so far; the last one is being typed. */
static void complete(struct printer *p, unsigned n, char **word)
{
    const struct command *command = NULL;
    struct slice typed = n ? slice_of(word[n - 1]) : SLICE("");
    unsigned before = n ? n - 1 : 0, words = 0;

    for (const struct command *row = commands; row->name && !command; row++) {
        struct slice second;
        bool two;
        struct slice first = slice_cut(slice_of(row->name), ' ', &second, &two);
        if (before >= 1u + two && slice_is(first, word[0]) && (!two || slice_is(second, word[1]))) {
            command = row;
            words = 1u + two;
        }
    }
    if (!command) {
        complete_commands(p, before, word, typed);
        return;
    }
    for (unsigned i = 0;; i++) {
        enum option_id id = command->option[i];
        const struct option_row *row = &options[id];
        struct slice last = before > words ? slice_of(word[before - 1]) : SLICE("");
        if (row->value && slice_starts(last, SLICE("--")) && slice_is(slice_from(last, 2), row->name)) {
            struct slice rest = slice_of(row->value);
            bool more = strchr(row->value, '|') != NULL;
            if (!more)
                complete_value(p, row->completes, typed);
            while (more) {
                struct slice one = slice_cut(rest, '|', &rest, &more);
                if (!(one.p[0] >= 'A' && one.p[0] <= 'Z'))
                    candidate(p, one, "", typed);
            }
            return;
        }
        if (id == OPTION_HELP)
            break;
    }
    if (slice_starts(typed, SLICE("-")) && typed.n) {
        for (unsigned i = 0;; i++) {
            if (!options[command->option[i]].hidden)
                candidate(p, slice_of(options[command->option[i]].name), "--", typed);
            if (command->option[i] == OPTION_HELP)
                return;
        }
    }
    if (command->completes == COMPLETES_GUIDE && before > words)
        complete_segments(p, word[words], typed);
    else
        complete_value(p, command->completes, typed);
}

/* --- The commands -------------------------------------------------------------------------- */

static int nothing_called(struct command_context *c, const char *name)
{
    struct slice best = { NULL, 0 };
    unsigned distance = 3;

    command_say(c, "there is no command and no finding \"%s\"", name);
    for (const struct command *row = commands; row->name; row++) {
        struct slice second;
        bool two;
        suggest(slice_of(name), slice_cut(slice_of(row->name), ' ', &second, &two), &best, &distance);
        suggest(slice_of(name), slice_of(row->name), &best, &distance);
    }
    for (unsigned i = 0; i < FINDING_CODES; i++) {
        suggest(slice_of(name), slice_of(finding_rows[i].name), &best, &distance);
        if (finding_rows[i].allow)
            suggest(slice_of(name), slice_of(finding_rows[i].allow), &best, &distance);
    }
    if (best.n)
        printer_printf(c->err, "hint: did you mean \"%.*s\"?\n", SLICE_FMT(best));
    printer_text(c->err,
                 "`waybill help` lists the commands, `waybill help findings` the findings; `waybill guide list` the "
                 "document types, `waybill partner keywords` what stands in a partner file.\n");
    return EXIT_CODE_USAGE;
}

int command_help(struct command_context *c)
{
    char name[OPTION_NAME] = "";
    size_t n = 0;
    bool any = false;

    if (command_has(c, OPTION_COMPLETE)) {
        complete(c->out, c->n, c->argument);
        return EXIT_CODE_OK;
    }
    if (command_has(c, OPTION_MAN)) {
        man_page(c->out);
        return EXIT_CODE_OK;
    }
    if (c->n == 0) {
        for (const struct command *row = commands; row->name && c->out->json; row++)
            show_rows(c->out, row);
        if (!c->out->json)
            help_overview(c->out);
        return EXIT_CODE_OK;
    }
    if (c->n == 1 && slice_is(slice_of(c->argument[0]), "findings")) {
        help_findings(c->out, SLICE(""));
        return EXIT_CODE_OK;
    }
    /* "guide" stands for all its commands, "guide show" for one */
    for (unsigned i = 0; i < c->n && n < sizeof(name); i++)
        n += (size_t)snprintf(name + n, sizeof(name) - n, "%s%s", i ? " " : "", c->argument[i]);
    for (const struct command *row = commands; row->name; row++) {
        struct slice rest;
        bool two;
        if (!slice_eq(slice_of(row->name), slice_of(name)) &&
            !slice_eq(slice_cut(slice_of(row->name), ' ', &rest, &two), slice_of(name)))
            continue;
        if (any && !c->out->json)
            printer_text(c->out, "\n");
        help_command(c->out, row);
        any = true;
    }
    any = any || (c->n == 1 && help_findings(c->out, slice_of(name)));
    return any ? EXIT_CODE_OK : nothing_called(c, name);
}

int command_version(struct command_context *c)
{
    printer_printf(c->out, "waybill %s\n", waybill_version());
    return EXIT_CODE_OK;
}
