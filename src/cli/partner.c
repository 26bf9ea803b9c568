/*
 * waybill partner: partner files checked with all that they name, shown as they were understood, and the words that
 * may stand in them.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/maps.h"
#include "cli/reading.h"
#include "edi/dialect.h"
#include "flow/agreement.h"
#include "flow/home.h"

enum { SHOWN_CEILING = 1 << 20, VALUES_CEILING = 64 << 10, PATH_CEILING = 4096 };

/* --- waybill partner check ------------------------------------------------------------- */

/* What the first identity for a document type says of it; NULL: there is none. */
static const struct partner_group *group_of(const struct partner *p, struct slice set)
{
    for (unsigned i = 0; i < p->n_identities; i++) {
        const struct partner_identity *x = &p->identity[i];
        for (unsigned k = 0; k < x->n_groups && x->dialect == dialect_of_set(set); k++)
            if (partner_group_is_for(&x->group[k], set))
                return &x->group[k];
    }
    return NULL;
}

/* The guide that a route's documents are read and written by. 0 with NULL: there is none yet. */
static int guide_of(struct reading *r, const struct agreement *a, const struct map *map, const struct guide **guide_r,
                    struct err *err)
{
    const struct partner *p = agreement_partner(a);
    unsigned n;
    const struct guide *const *guides = agreement_guides(a, &n);
    const struct dialect *dialect = dialect_of_set(map_set(map));
    const struct partner_group *group = group_of(p, map_set(map));
    char room[GUIDE_DIRECTORY];
    int rc = ERR_MISSING;

    *guide_r = NULL;
    for (unsigned i = 0; i < n; i++)
        if (slice_eq(guides[i]->set, map_set(map))) {
            *guide_r = guides[i];
            return 0;
        }
    if (group && group->version.n)
        rc = guides_find(r->guides, slice_of(dialect->standard),
                         dialect->folder(group->version, group->association, room), map_set(map), &r->complaints,
                         guide_r, err);
    if (rc == ERR_MISSING)
        rc = guides_by_id(r->guides, map_guide(map, 0), &r->complaints, guide_r, err);
    return rc == ERR_MISSING ? 0 : rc;
}

static int check_routes(struct command_context *c, struct reading *r, const struct agreement *a, struct maps *maps,
                        struct err *err)
{
    const struct partner *p = agreement_partner(a);
    bool complained = r->complaints.count > 0;

    for (unsigned i = 0; i < p->n_routes; i++) {
        const struct partner_route *route = &p->route[i];
        const struct map *map = agreement_map(a, i);
        const struct guide *guide;
        const struct map_plan *plan;
        int rc;

        if (!map && route->map.n && !complained) {
            printer_safe(c->out, p->file);
            printer_printf(c->out, ":%u: note: there are no maps for %.*s yet\n", route->at.line,
                           SLICE_FMT(route->document));
        }
        if (!map)
            continue;
        rc = guide_of(r, a, map, &guide, err);
        if (rc == 0 && guide)
            rc = map_plan_for(maps, map, guide, &r->complaints, &plan, err);
        if (rc < 0 && rc != ERR_CONFIG)
            return rc;
    }
    return 0;
}

/* Of a partner in a home: what of his file nothing is done about. */
static void note_what_is_to_come(struct command_context *c, const struct partner *p)
{
    for (const struct partner_setting *s = p->setting->first; s; s = s->next) {
        bool folder = s->n && slice_is(s->value[0], "folder"), every = false;
        if (strcmp(s->keyword->name, "pick up") != 0 || !s->n)
            continue;
        for (const struct partner_setting *in = s->first; in; in = in->next)
            every = every || strcmp(in->keyword->name, "every") == 0;
        if (folder && !every)
            continue;
        printer_safe(c->out, p->file);
        if (folder)
            printer_printf(c->out, ":%u: note: a folder is looked at in each run, whatever `every` says\n", s->at.line);
        else
            printer_printf(c->out, ":%u: note: nothing is fetched by %.*s yet; what lies at his door is taken\n",
                           s->at.line, SLICE_FMT(s->value[0]));
    }
}

/* Does the file lie in the partners' folder of a home? */
static bool in_home(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct buf conf;
    bool is;

    buf_init(&conf, PATH_CEILING);
    buf_printf(&conf, "%.*s/../waybill.conf", slash ? (int)(slash - path) : 1, slash ? path : ".");
    is = *buf_text(&conf) && !conf.failed && access(conf.p, F_OK) == 0;
    buf_deinit(&conf);
    return is;
}

static int check_file(struct command_context *c, struct reading *r, const char *path, bool home)
{
    struct partner *partner = NULL;
    struct agreement *agreement = NULL;
    struct maps *maps = NULL;
    struct err err = { 0 };
    int rc = maps_new(buf_text(&r->maps), &maps, &err), code;

    if (rc == 0)
        rc = partner_load_to_check(path, &r->complaints, &partner, &err);
    /* a wrong line keeps neither the guides from being looked at, nor wrong guides the maps */
    if (partner && (rc == 0 || rc == ERR_CONFIG)) {
        int named = agreement_new(partner, r->guides, &r->complaints, &agreement, &err);
        rc = named == 0 ? rc : named;
    }
    if ((rc == 0 || rc == ERR_CONFIG) && agreement) {
        int named = agreement_read_maps(agreement, maps, &r->complaints, &err);
        if (named == 0 || named == ERR_CONFIG)
            named = check_routes(c, r, agreement, maps, &err);
        rc = named == 0 ? rc : named;
    }
    if (partner && (rc == 0 || rc == ERR_CONFIG)) {
        int named = agreement_check_lines(partner, r->guides, maps, &r->complaints, &err);
        if (named == 0 && home && agreement_check_name(partner, &r->complaints))
            named = agreement_check_receivers(partner, &r->complaints, &err);
        if (named == 0 && home)
            note_what_is_to_come(c, partner);
        rc = named == 0 ? rc : named;
    }
    code = reading_complain(c, &r->complaints) ? EXIT_CODE_CONFIG : EXIT_CODE_OK;
    if (rc < 0 && !(rc == ERR_CONFIG && code)) {
        err.code = rc;
        code = exit_code_worse(code, command_fail(c, &err));
    }
    maps_free(&maps);
    guides_free(&r->guides);
    agreement_free(&agreement);
    partner_free(&partner);
    return code;
}

/* Each file with guides and maps of its own: they borrow from its texts. */
static int check_one(struct command_context *c, const char *path, bool home)
{
    struct reading reading;
    int code = reading_init(c, &reading);

    if (code == EXIT_CODE_OK) {
        code = check_file(c, &reading, path, home);
        reading_deinit(&reading);
    }
    return code;
}

static int is_partner_file(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

static int check_folder(struct command_context *c, const char *folder)
{
    struct dirent **entry = NULL;
    struct err err = { 0 };
    int code = EXIT_CODE_OK, n = scandir(folder, &entry, is_partner_file, alphasort);

    if (n < 0) {
        err_system(&err, "%s", folder);
        return command_fail(c, &err);
    }
    for (int i = 0; i < n; i++) {
        struct buf path;
        buf_init(&path, PATH_CEILING);
        buf_printf(&path, "%s/%s", folder, entry[i]->d_name);
        code = exit_code_worse(code, *buf_text(&path) ? check_one(c, path.p, true) : EXIT_CODE_LATER);
        buf_deinit(&path);
        free(entry[i]);
    }
    free(entry);
    if (code == EXIT_CODE_OK)
        printer_printf(c->out, "%d partner file%s: no errors\n", n, n == 1 ? "" : "s");
    return code;
}

/* All partners of the home, by its maps. */
static int check_home(struct command_context *c)
{
    struct complaints complaints;
    struct home *home = NULL;
    struct buf folder, maps;
    struct err err = { 0 };
    int code = EXIT_CODE_OK, rc;

    complaints_init(&complaints);
    buf_init(&folder, PATH_CEILING);
    buf_init(&maps, PATH_CEILING);
    rc = home_find(command_value(c, OPTION_HOME), &folder, &err);
    if (rc == 0)
        rc = maps_find(command_value(c, OPTION_MAPS), &maps, &err);
    if (rc == 0)
        rc = home_open(buf_text(&folder), buf_text(&maps), &complaints, &home, &err);
    if (rc < 0) {
        reading_complain(c, &complaints);
        code = command_fail(c, &err);
    } else {
        c->option[OPTION_MAPS].n = 1;
        c->option[OPTION_MAPS].value[0] = home_settings(home)->maps;
        code = check_folder(c, home_settings(home)->partners);
    }
    home_close(&home);
    buf_deinit(&maps);
    buf_deinit(&folder);
    complaints_deinit(&complaints);
    return code;
}

int command_partner_check(struct command_context *c)
{
    int code = EXIT_CODE_OK;

    if (c->n == 0)
        return check_home(c);
    for (unsigned i = 0; i < c->n; i++) {
        int one = check_one(c, c->argument[i], in_home(c->argument[i]));
        if (one == EXIT_CODE_OK) {
            printer_safe(c->out, slice_of(c->argument[i]));
            printer_text(c->out, ": no errors\n");
        }
        code = exit_code_worse(code, one);
    }
    return code;
}

/* --- waybill partner show ---------------------------------------------------------------- */

static void show_rows(struct printer *p, const struct partner_setting *s)
{
    struct buf values;

    buf_init(&values, VALUES_CEILING);
    for (unsigned i = 0; i < s->n; i++) {
        if (i > 0)
            buf_add_char(&values, ' ');
        buf_add_slice(&values, s->value[i]);
    }
    printer_field_number(p, "line", s->at.line, 0);
    printer_field(p, "under", slice_of(partner_scope_name(s->keyword->in)), 0);
    printer_field(p, "keyword", slice_of(s->keyword->name), 0);
    printer_field(p, "value", buf_slice(&values), 0);
    printer_end_row(p);
    buf_deinit(&values);
    for (const struct partner_setting *in = s->first; in; in = in->next)
        show_rows(p, in);
}

int command_partner_show(struct command_context *c)
{
    struct complaints complaints;
    struct partner *partner = NULL;
    struct err err = { 0 };
    struct buf text;
    int rc, code = EXIT_CODE_OK;

    complaints_init(&complaints);
    rc = partner_load(c->argument[0], &complaints, &partner, &err);
    if (reading_complain(c, &complaints))
        code = EXIT_CODE_CONFIG;
    else if (rc < 0)
        code = command_fail(c, &err);
    complaints_deinit(&complaints);
    if (partner && c->out->json) {
        show_rows(c->out, partner->setting);
    } else if (partner) {
        buf_init(&text, SHOWN_CEILING);
        partner_show(partner, &text);
        printer_raw(c->out, buf_slice(&text));
        if (text.failed)
            code = EXIT_CODE_LATER;
        buf_deinit(&text);
    }
    partner_free(&partner);
    return code;
}

/* --- waybill partner keywords -------------------------------------------------------------- */

static void show_keyword(struct printer *p, const struct partner_keyword *k, unsigned depth)
{
    struct slice name = slice_of(k->name), arguments = slice_of(k->arguments);
    char head[200];

    if (p->json) {
        printer_field(p, "under", slice_of(partner_scope_name(k->in)), 0);
        printer_field(p, "keyword", name, 0);
        printer_field(p, "arguments", arguments, 0);
        if (k->choice)
            printer_field(p, "choice", slice_of(k->choice), 0);
        if (k->otherwise)
            printer_field(p, "default", slice_of(k->otherwise), 0);
        printer_field(p, "help", slice_of(k->help), 0);
        printer_end_row(p);
        return;
    }
    printer_printf(p, "%*s", (int)(2 * depth), "");
    printer_style(p, STYLE_BOLD);
    printer_text(p, k->name);
    printer_style(p, STYLE_PLAIN);
    snprintf(head, sizeof(head), " %s%s%s", k->arguments, k->repeats ? "   (any number)" : "",
             k->required ? "   (must be there)" : "");
    printer_text(p, k->arguments[0] || k->repeats || k->required ? head : "");
    printer_text(p, "\n");
    printer_printf(p, "%*s", (int)(2 * depth + 4), "");
    printer_wrap(p, k->help, 2 * depth + 4, 100);
    if (k->choice && !strstr(k->arguments, k->choice)) {
        snprintf(head, sizeof(head), "%.180s", k->choice);
        for (char *bar = head; *bar; bar++)
            if (*bar == '|')
                *bar = ' ';
        printer_printf(p, "%*sone of: ", (int)(2 * depth + 4), "");
        printer_wrap(p, head, 2 * depth + 4, 100);
    }
    if (k->otherwise) {
        printer_printf(p, "%*swithout it: ", (int)(2 * depth + 4), "");
        printer_wrap(p, k->otherwise, 2 * depth + 4, 100);
    }
}

static void show_scope(struct printer *p, enum partner_scope scope, unsigned depth)
{
    for (const struct partner_keyword *k = partner_keywords; k->name; k++) {
        if (k->in != scope)
            continue;
        show_keyword(p, k, depth);
        if (k->opens != IN_NOTHING)
            show_scope(p, k->opens, depth + 1);
    }
}

/* --- waybill-partner(5) --------------------------------------------------------------------- */

static const char man_head[] =
    ".TH WAYBILL-PARTNER 5 \"\" \"Waybill\" \"Waybill\"\n"
    ".SH NAME\n"
    "waybill\\-partner \\- who a partner is, and how documents are exchanged with him\n"
    ".SH DESCRIPTION\n"
    "A partner file holds one partner: a retailer, a supplier, a warehouse, and just as well a system of our own.\n"
    "It is read as lines of words, parted by blanks. \\(dq...\\(dq is one word, with \\e\\(dq and \\e\\e inside.\n"
    "A # at the start of a word begins a comment, which ends with the line. A line that ends in a lone \\e goes on\n"
    "with the next. What stands deeper belongs to the line above it; tabs are refused.\n"
    ".PP\n"
    "What belongs to a keyword may also stand behind it on its line, in any order; these two are the same:\n"
    ".PP\n.nf\n"
    "    group NWPO us ACME version 004010VICS\n"
    ".sp\n"
    "    group NWPO\n"
    "      us ACME\n"
    "      version 004010VICS\n"
    ".fi\n"
    ".PP\n"
    ".B waybill partner check\n"
    "reports every error in partner files and in the guides and maps that they name.\n"
    ".B waybill partner show\n"
    "prints a partner file as it was understood.\n"
    ".SH EXAMPLE\n.nf\n"
    "partner northwind \\(dqNorthwind Traders\\(dq\n"
    "  is        retailer\n"
    "  x12       ZZ:NORTHWIND us ZZ:ACMECORP\n"
    "    group NWPO us ACME  version 004010VICS  usage production\n"
    "    separators * > \\(ti newline\n"
    "  receive   850 as order  map northwind/850\n"
    "  acknowledge 997\n"
    "  allow     short\\-isa, wrong\\-counts\n"
    ".fi\n"
    ".PP\n"
    "One who speaks EDIFACT:\n"
    ".PP\n.nf\n"
    "partner kontor \\(dqKontor Handel\\(dq\n"
    "  is        retailer\n"
    "  edifact   14:4012345000009 us 14:4098765000005\n"
    "    charset UNOC  syntax 3  version D.96A\n"
    "    message DESADV version D.96A association EAN005\n"
    "  receive   ORDERS as order\n"
    "  send      DESADV from shipment\n"
    "  acknowledge contrl\n"
    "  expect    contrl within 24h\n"
    ".fi\n"
    ".SH NAMES OF MAPS AND GUIDES\n"
    "A name such as northwind/850 is first looked for beside the partner file, as northwind/850.map or\n"
    "northwind/850.guide, then in the maps folder. A map beside the partner file brings the guide of the same name\n"
    "with it.\n"
    ".SH ENVELOPES\n"
    "Documents that are sent go from us to the partner. Where the file only says how such a document is received, it\n"
    "is written as the partner would send it. Control numbers and times of the record are used again only where\n"
    "sender and receiver are those that the record came with; otherwise the caller gives them. A record from a test\n"
    "stays a test.\n"
    ".PP\n"
    "A partner may have lines x12 and edifact, and several of each. Which one a document goes by, its type says: 856 or DESADV.\n"
    "A value that it has no word or place for refuses the document; with \\fBallow loss\\fR the segment that it would stand in is\n"
    "left out and told, unless it is a line, a quantity or its unit.\n"
    "Messages are written without groups; interchanges and messages are counted, without zeros before the number.\n"
    ".PP\n"
    "An interchange that is read is to be one from the partner to us, or from us to the partner, as a line x12 or\n"
    "edifact says it. One of others is refused with all that is in it; \\fBallow other\\-partner\\fR makes that a warning.\n"
    "At the partner's door of an appliance only those to us are read; any other is held.\n"
    ".SH KEYWORDS\n";

/* Text for roff: nothing in it may be taken for a request or an escape. */
static void roff(struct printer *p, const char *text)
{
    printer_text(p, text[0] == '.' || text[0] == '\'' ? "\\&" : "");
    for (; *text; text++) {
        if (*text == '\\')
            printer_text(p, "\\e");
        else if (*text == '-')
            printer_text(p, "\\-");
        else if (*text == '"')
            printer_text(p, "\\(dq");
        else if (*text == '~' || *text == '^')
            printer_text(p, *text == '~' ? "\\(ti" : "\\(ha");
        else if (strncmp(text, "…", strlen("…")) == 0)
            printer_text(p, "..."), text += strlen("…") - 1;
        else if ((*text & 0xe0) == 0xc0 && (text[1] & 0xc0) == 0x80) /* a letter of two bytes: Ü */
            printer_printf(p, "\\[u%04X]", (unsigned)(*text & 0x1f) << 6 | (unsigned)(text[1] & 0x3f)), text++;
        else
            printer_raw(p, slice(text, 1));
    }
}

static void man_scope(struct printer *p, enum partner_scope scope)
{
    for (const struct partner_keyword *k = partner_keywords; k->name; k++) {
        if (k->in != scope)
            continue;
        printer_text(p, ".TP\n\\fB");
        roff(p, k->name);
        printer_text(p, "\\fR ");
        roff(p, k->arguments);
        printer_text(p, "\n");
        roff(p, k->help);
        printer_text(p, ".\n");
        if (k->choice && !strstr(k->arguments, k->choice)) {
            struct slice rest = slice_of(k->choice);
            bool more = true;
            printer_text(p, "One of");
            while (more) {
                struct slice one = slice_cut(rest, '|', &rest, &more);
                printer_printf(p, " %.*s%s", SLICE_FMT(one), more ? "," : ".\n");
            }
        }
        if (k->required)
            printer_text(p, "Must be there.\n");
        if (k->repeats)
            printer_text(p, "May be given several times.\n");
        if (k->otherwise) {
            printer_text(p, "Without it: ");
            roff(p, k->otherwise);
            printer_text(p, ".\n");
        }
        if (k->opens != IN_NOTHING) {
            printer_text(p, ".RS\n");
            man_scope(p, k->opens);
            printer_text(p, ".RE\n");
        }
    }
}

int command_partner_keywords(struct command_context *c)
{
    if (command_has(c, OPTION_MAN)) {
        printer_text(c->out, man_head);
        man_scope(c->out, IN_FILE);
        printer_text(c->out, ".SH SEE ALSO\n.BR waybill (1),\n.BR waybill\\-guide (5),\n.BR waybill\\-map (5)\n");
    } else {
        show_scope(c->out, IN_FILE, 0);
    }
    return EXIT_CODE_OK;
}
