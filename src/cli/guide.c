/* waybill guide list, guide show, guide check: what document types may hold, and whether guide files are right. */
#include "cli/reading.h"

#include <stdio.h>

#include "base/file.h"
#include "base/limits.h"
#include "cli/maps.h"
#include "edi/explain.h"
#include "edi/guide_document.h"

enum { TREE_COLUMNS = 24, SHOWN_CEILING = 4 << 20, DOCUMENT_CEILING = 64 << 20 };

/* --- Finding a guide ------------------------------------------------------------------- */

static int no_such_guide(struct command_context *c, const struct maps_list *list, const char *given)
{
    struct slice best = { NULL, 0 };
    unsigned distance = 3;

    command_say(c, "there is no guide \"%s\"", given);
    for (size_t i = 0; i < list->n; i++)
        if (maps_is_guide(list->name[i]))
            suggest(slice_of(given), slice_of(list->name[i]), &best, &distance);
    if (best.n) {
        printer_text(c->err, "hint: did you mean \"");
        printer_safe(c->err, best);
        printer_text(c->err, "\"?\n");
    }
    printer_text(c->err, "`waybill guide list` lists the guides.\n");
    return EXIT_CODE_USAGE;
}

/* By id, by the end of an id, or from a file. Returns the exit code. */
static int find_guide(struct command_context *c, struct reading *r, const char *given, struct buf *text,
                      const struct guide **guide_r)
{
    struct maps_list list = { .n = 0 };
    struct slice id = slice_of(given);
    struct err err = { 0 };
    int rc, code = EXIT_CODE_OK;

    rc = guides_by_id(r->guides, id, &r->complaints, guide_r, &err);
    if (rc == ERR_MISSING) {
        rc = maps_list_read(buf_text(&r->maps), ".guide", &list, &err);
        if (rc == 0 && maps_complete_guide(&list, id, &id))
            rc = guides_by_id(r->guides, id, &r->complaints, guide_r, &err);
        else if (rc == 0 && (rc = file_read(given, text, &err)) == 0)
            rc = guides_read_delta(r->guides, slice_of(given), buf_slice(text), &r->complaints, guide_r, &err);
        else if (rc == ERR_MISSING)
            code = no_such_guide(c, &list, given);
    }
    if (reading_complain(c, &r->complaints))
        code = EXIT_CODE_CONFIG;
    if (rc < 0 && code == EXIT_CODE_OK) {
        err.code = rc;
        code = command_fail(c, &err);
    }
    maps_list_free(&list);
    return code;
}

/* --- Showing one ------------------------------------------------------------------------ */

static void field(struct buf *out, size_t mark, size_t width)
{
    size_t n = 0;
    for (size_t i = mark; i < out->n; i++)
        n += ((unsigned char)out->p[i] & 0xc0) != 0x80;
    do
        buf_add_char(out, ' ');
    while (++n < width && !out->failed);
}

/* As a delta names it: HL[P]/MAN[GM]. Loops around it that have no qualifier go without saying. */
static void add_variant(struct buf *out, const struct guide *g, const struct guide_variant *v)
{
    const struct guide_node *chain[LIMIT_LOOP_DEPTH + 1], *node = &g->node[v->node];
    unsigned n = 0;

    if (node->trigger)
        node = &g->node[node->parent];
    for (; node->depth && n <= LIMIT_LOOP_DEPTH; node = &g->node[node->parent])
        chain[n++] = node;
    while (n) {
        const struct guide_node *at = chain[--n];
        uint16_t segment = at->loop ? at->first : at->ordinal;
        bool named = false;
        for (uint64_t bits = v->needs; bits; bits &= bits - 1) {
            const struct guide_qualifier *q = guide_qualifier(g, (unsigned)__builtin_ctzll(bits));
            if (q->node != segment)
                continue;
            if (!named)
                buf_add_safe(out, at->tag, SIZE_MAX);
            buf_add_char(out, named ? ' ' : '[');
            if (q->element != g->node[segment].def->qualifier)
                buf_printf(out, q->part ? "%02u-%u=" : "%02u=", q->element, q->part);
            buf_add_safe(out, q->code, SIZE_MAX);
            named = true;
        }
        if (named)
            buf_add_char(out, ']');
        else if (n == 0)
            buf_add_safe(out, at->tag, SIZE_MAX);
        if (n && named)
            buf_add_char(out, '/');
    }
}

static void show_node(struct printer *p, const struct guide *g, const struct guide_node *node)
{
    struct buf *out = &p->buf;
    size_t mark;

    mark = out->n;
    for (unsigned i = 0; i < node->depth; i++)
        buf_add_text(out, "  ");
    if (node->loop)
        buf_printf(out, "%s ", g->words->loop);
    buf_add_safe(out, node->tag, SIZE_MAX);
    for (unsigned i = 0; i < node->n_select; i++) {
        buf_add_text(out, i ? " " : "[");
        buf_add_safe(out, node->select_codes[i], SIZE_MAX);
    }
    if (node->n_select)
        buf_add_char(out, ']');
    field(out, mark, TREE_COLUMNS);
    mark = out->n;
    buf_add_text(out, guide_requirement(g, node));
    field(out, mark, 4);
    mark = out->n;
    if (node->max == UINT32_MAX)
        buf_add_text(out, ">1");
    else
        buf_printf(out, "%u", node->max);
    if (!node->loop) {
        field(out, mark, 8);
        buf_add_safe(out, node->def->name, SIZE_MAX);
    }
    buf_add_char(out, '\n');
    for (unsigned i = 0; i < g->n_variants; i++) {
        const struct guide_variant *v = &g->variant[i];
        if (v->node != node->ordinal || v->implied || !v->needs)
            continue;
        mark = out->n;
        for (unsigned k = 0; k <= node->depth; k++)
            buf_add_text(out, "  ");
        add_variant(out, g, v);
        field(out, mark, TREE_COLUMNS);
        mark = out->n;
        buf_add_text(out, v->requirement == REQ_NOT_USED    ? "-"
                          : v->requirement == REQ_MANDATORY ? "M"
                                                            : g->words->letter);
        if (v->max != UINT32_MAX) {
            field(out, mark, 4);
            buf_printf(out, "%u", v->max);
        }
        buf_add_char(out, '\n');
    }
    printer_text(p, "");
}

static void show_tree(struct printer *p, const struct guide *g)
{
    static const struct {
        char area;
        const char *name;
    } areas[] = { { 'h', "heading" }, { 'd', "detail" }, { 's', "summary" } };
    char area = 0;

    for (unsigned i = 1; i < g->n; i++) {
        const struct guide_node *node = &g->node[i];
        for (unsigned k = 0; node->depth == 1 && node->area != area && k < 3; k++)
            if (areas[k].area == node->area) {
                printer_style(p, STYLE_DIM);
                printer_text(p, areas[k].name);
                printer_style(p, STYLE_PLAIN);
                printer_text(p, "\n");
            }
        if (node->depth == 1)
            area = node->area;
        show_node(p, g, node);
    }
}

static void show_codes(struct printer *p, const struct guide *g, struct element_use *use)
{
    const struct codes *codes = use->needs_codes || use->codes ? guide_codes(g, use) : NULL;

    if (!codes)
        return;
    for (uint32_t i = 0; i < codes->n; i++) {
        printer_text(p, "                  ");
        printer_style(p, STYLE_CODE);
        printer_safe(p, codes->line[i].code);
        printer_style(p, STYLE_PLAIN);
        for (size_t n = codes->line[i].code.n; n < 6; n++)
            printer_safe(p, SLICE(" "));
        printer_safe(p, SLICE(" "));
        printer_safe(p, codes->line[i].name);
        printer_text(p, "\n");
    }
}

static void show_uses(struct printer *p, const struct guide *g, struct slice tag, struct element_use *use, unsigned n,
                      bool components, bool codes)
{
    const char *const requirements[] = {
        [REQ_OPTIONAL] = g->words->letter, [REQ_MANDATORY] = "M", [REQ_CONDITIONAL] = "X", [REQ_NOT_USED] = "-"
    };
    struct buf *out = &p->buf;

    for (unsigned k = 1; k <= n; k++, use++) {
        size_t mark = out->n;
        buf_add_text(out, components ? "    " : "  ");
        buf_add_safe(out, tag, SIZE_MAX);
        buf_printf(out, components ? "-%u" : "%02u", k);
        field(out, mark, 14);
        mark = out->n;
        buf_add_safe(out, use->element->id, SIZE_MAX);
        field(out, mark, 6);
        mark = out->n;
        buf_add_text(out, requirements[use->requirement]);
        field(out, mark, 3);
        mark = out->n;
        explain_type(use, out);
        field(out, mark, 12);
        buf_add_safe(out, use->element->name, SIZE_MAX);
        if (use->repeat == UINT16_MAX)
            buf_add_text(out, ", any number");
        else if (use->repeat > 1)
            buf_printf(out, ", up to %u times", use->repeat);
        if (use->element->external.n) {
            buf_add_text(out, " (codes: ");
            buf_add_safe(out, use->element->external, SIZE_MAX);
            buf_add_char(out, ')');
        }
        printer_text(p, "\n");
        if (codes && (use->element->type != TYPE_COMPOSITE || components))
            show_codes(p, g, use);
        if (use->element->type == TYPE_COMPOSITE && !components) {
            char name[32];
            int len = snprintf(name, sizeof(name), "%.*s%02u", SLICE_FMT(tag), k);
            struct slice part = slice(name, len > 0 && (size_t)len < sizeof(name) ? (size_t)len : 0);
            show_uses(p, g, part, use->element->part, use->element->n_parts, true, codes);
            for (unsigned i = 0; i < use->element->n_notes; i++) {
                buf_add_text(out, "    ");
                explain_note(&use->element->note[i], part, true, out);
                printer_text(p, "\n");
            }
        }
    }
}

/* `v` may be NULL: whatever its qualifier. */
static void show_segment(struct printer *p, const struct guide *g, const struct segment_def *def,
                         const struct guide_variant *v, bool codes)
{
    printer_text(p, "\n");
    printer_style(p, STYLE_BOLD);
    if (v)
        add_variant(&p->buf, g, v);
    else
        buf_add_safe(&p->buf, def->tag, SIZE_MAX);
    printer_text(p, "");
    printer_text(p, " ");
    printer_safe(p, def->name);
    printer_style(p, STYLE_PLAIN);
    printer_text(p, "\n");
    show_uses(p, g, def->tag, def->use, def->n, false, codes);
    for (unsigned i = 0; i < def->n_notes; i++) {
        buf_add_text(&p->buf, "  ");
        explain_note(&def->note[i], def->tag, false, &p->buf);
        printer_text(p, "\n");
    }
}

/* Each segment of the guide once, in the order of its first place; one that a delta changed at one place is shown
 * for each of its forms. */
static void show_segments(struct printer *p, const struct guide *g, bool codes)
{
    for (unsigned i = 1; i < g->n; i++) {
        bool first = !g->node[i].loop;
        for (unsigned k = 1; first && k < i; k++)
            first = g->node[k].def != g->node[i].def;
        if (first)
            show_segment(p, g, g->node[i].def, NULL, codes);
        for (unsigned k = 0; k < g->n_variants; k++)
            if (g->variant[k].node == i && !g->variant[k].implied && g->variant[k].needs)
                show_segment(p, g, g->variant[k].def, &g->variant[k], codes);
    }
}

int command_guide_show(struct command_context *c)
{
    struct printer *p = c->out;
    const struct guide *g = NULL;
    struct reading reading;
    struct buf text;
    int code = reading_init(c, &reading);

    if (code)
        return code;
    buf_init(&text, LIMIT_CONFIG_FILE);
    code = find_guide(c, &reading, c->argument[0], &text, &g);
    if (code == EXIT_CODE_OK) {
        printer_style(p, STYLE_BOLD);
        printer_safe(p, g->id);
        printer_text(p, " ");
        printer_safe(p, g->title);
        printer_style(p, STYLE_PLAIN);
        if (g->group.n) {
            printer_text(p, ", group ");
            printer_safe(p, g->group);
        }
        if (g->base.n) {
            printer_text(p, ", made from ");
            printer_safe(p, g->base);
        }
        printer_text(p, "\n");
        if (c->n == 1)
            show_tree(p, g);
        if (c->n == 1 && (command_has(c, OPTION_SEGMENTS) || command_has(c, OPTION_CODES)))
            show_segments(p, g, command_has(c, OPTION_CODES));
    }
    for (unsigned i = 1; code == EXIT_CODE_OK && i < c->n; i++) {
        struct slice tag = slice_of(c->argument[i]);
        const struct segment_def *def = NULL;
        for (unsigned k = 1; k < g->n; k++)
            if (!g->node[k].loop && slice_eq(g->node[k].tag, tag) && g->node[k].def != def) {
                def = g->node[k].def;
                show_segment(p, g, def, NULL, command_has(c, OPTION_CODES));
            }
        if (!def && (def = guide_segment(g, tag)) != NULL)
            show_segment(p, g, def, NULL, command_has(c, OPTION_CODES));
        if (!def) {
            command_say(c, "version %.*s has no segment \"%s\"", SLICE_FMT(g->version), c->argument[i]);
            code = EXIT_CODE_USAGE;
        }
    }
    buf_deinit(&text);
    reading_deinit(&reading);
    return code;
}

/* --- As a document ------------------------------------------------------------------------- */

int command_guide_document(struct command_context *c)
{
    const char *format = command_value(c, OPTION_FORMAT);
    struct guide_document_options o = { .html = format && slice_is(slice_of(format), "html"),
                                        .codes = command_has(c, OPTION_CODES) };
    const struct guide *g = NULL;
    struct err err = { 0 };
    struct reading reading;
    struct buf text, document;
    int rc, code = reading_init(c, &reading);

    if (code)
        return code;
    buf_init(&text, LIMIT_CONFIG_FILE);
    buf_init(&document, DOCUMENT_CEILING);
    code = find_guide(c, &reading, c->argument[0], &text, &g);
    if (code == EXIT_CODE_OK && g->base.n) {
        rc = guides_by_id(reading.guides, g->base, &reading.complaints, &o.base, &err);
        if (rc == ERR_NOMEM)
            code = command_fail(c, &err);
    }
    if (code == EXIT_CODE_OK && (!guide_check_codes(g, &reading.complaints) ||
                                 (o.base && !guide_check_codes(o.base, &reading.complaints)))) {
        reading_complain(c, &reading.complaints);
        code = EXIT_CODE_CONFIG;
    }
    if (code == EXIT_CODE_OK) {
        guide_document_write(g, &o, &document);
        if (document.failed) {
            err_set(&err, document.failed, "%s", err_name(document.failed));
            code = command_fail(c, &err);
        } else {
            printer_raw(c->out, buf_slice(&document));
        }
    }
    buf_deinit(&document);
    buf_deinit(&text);
    reading_deinit(&reading);
    return code;
}

/* --- All of them -------------------------------------------------------------------------- */

int command_guide_list(struct command_context *c)
{
    struct maps_list list = { .n = 0 };
    struct reading reading;
    struct err err = { 0 };
    int code = reading_init(c, &reading);

    if (code)
        return code;
    if (maps_list_read(buf_text(&reading.maps), ".guide", &list, &err) < 0)
        code = command_fail(c, &err);
    for (size_t i = 0; i < list.n; i++) {
        const struct guide *g = NULL;
        int rc;
        if (!maps_is_guide(list.name[i]))
            continue;
        rc = guides_by_id(reading.guides, slice_of(list.name[i]), &reading.complaints, &g, &err);
        if (rc < 0) {
            reading_complain(c, &reading.complaints);
            err.code = rc;
            code = exit_code_worse(code, command_fail(c, &err));
            continue;
        }
        printer_field(c->out, "id", g->id, 30);
        printer_field(c->out, "group", g->group, 4);
        printer_field(c->out, "title", g->title, 0);
        printer_end_row(c->out);
    }
    maps_list_free(&list);
    reading_deinit(&reading);
    return code;
}

/* Code lists are read when they are first needed; here they are. */
static int check_codes(struct command_context *c, struct reading *r, const struct guide *g)
{
    if (guide_check_codes(g, &r->complaints))
        return EXIT_CODE_OK;
    reading_complain(c, &r->complaints);
    return EXIT_CODE_CONFIG;
}

/* Guides of one version share its files: what is wrong there is shown once. True when there was anything. */
static bool complain_once(struct command_context *c, struct reading *r, struct buf *shown)
{
    struct slice text = buf_slice(&r->complaints.text);

    if (!text.n || (shown->n && memmem(shown->p, shown->n, text.p, text.n))) {
        bool any = text.n > 0 || r->complaints.nomem;
        buf_clear(&r->complaints.text);
        reading_complain(c, &r->complaints);
        return any;
    }
    buf_add_slice(shown, text);
    return reading_complain(c, &r->complaints);
}

static int check_all(struct command_context *c, struct reading *r)
{
    struct maps_list list = { .n = 0 };
    struct buf shown;
    struct err err = { 0 };
    unsigned checked = 0;
    int code = EXIT_CODE_OK;

    if (maps_list_read(buf_text(&r->maps), ".guide", &list, &err) < 0)
        return command_fail(c, &err);
    buf_init(&shown, SHOWN_CEILING);
    for (size_t i = 0; i < list.n; i++) {
        const struct guide *g = NULL;
        int rc;
        if (!maps_is_guide(list.name[i]))
            continue;
        checked++;
        rc = guides_by_id(r->guides, slice_of(list.name[i]), &r->complaints, &g, &err);
        if (complain_once(c, r, &shown)) {
            code = EXIT_CODE_CONFIG;
        } else if (rc < 0) {
            err.code = rc == ERR_MISSING ? ERR_CONFIG : rc;
            code = exit_code_worse(code, command_fail(c, &err));
        }
        if (rc == 0)
            code = exit_code_worse(code, check_codes(c, r, g));
    }
    maps_list_free(&list);
    buf_deinit(&shown);
    if (checked == 0) {
        command_say(c, "%s: there are no guides", buf_text(&r->maps));
        return EXIT_CODE_CONFIG;
    }
    if (code == EXIT_CODE_OK)
        printer_printf(c->out, "%u guides: no errors\n", checked);
    return code;
}

static int check_file(struct command_context *c, struct reading *r, const char *path)
{
    const struct guide *g = NULL;
    struct err err = { 0 };
    struct buf text;
    int rc, code = EXIT_CODE_OK;

    buf_init(&text, LIMIT_CONFIG_FILE);
    rc = file_read(path, &text, &err);
    if (rc < 0) {
        command_say(c, "%s", err.text);
        buf_deinit(&text);
        return rc == ERR_NOMEM ? EXIT_CODE_LATER : EXIT_CODE_UNAVAILABLE;
    }
    rc = guides_read_delta(r->guides, slice_of(path), buf_slice(&text), &r->complaints, &g, &err);
    if (reading_complain(c, &r->complaints)) {
        code = EXIT_CODE_CONFIG;
    } else if (rc < 0) {
        err.code = rc == ERR_NOMEM ? rc : ERR_CONFIG;
        code = command_fail(c, &err);
    } else {
        code = check_codes(c, r, g);
    }
    if (code == EXIT_CODE_OK) {
        printer_safe(c->out, slice_of(path));
        printer_text(c->out, ": no errors\n");
    }
    buf_deinit(&text);
    return code;
}

int command_guide_check(struct command_context *c)
{
    struct reading reading;
    int code;

    if (c->n == 0) {
        code = reading_init(c, &reading);
        if (code)
            return code;
        code = check_all(c, &reading);
        reading_deinit(&reading);
        return code;
    }
    code = EXIT_CODE_OK;
    /* each file with guides of its own: they borrow from its text */
    for (unsigned i = 0; i < c->n; i++) {
        int one = reading_init(c, &reading);
        if (one == EXIT_CODE_OK) {
            one = check_file(c, &reading, c->argument[i]);
            reading_deinit(&reading);
        }
        code = exit_code_worse(code, one);
    }
    return code;
}
