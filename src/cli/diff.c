/* waybill diff: what two files say differently. The comparing is flow's (comparable, compare); here it gets words. */
#include "cli/reading.h"

#include <stdlib.h>

#include "flow/comparable.h"

enum { LINE_CEILING = 256 << 20, TREE_CEILING = 1 << 30, SHOWN = 120, LONG = 40, AROUND = 16 };

/* One of the two files. */
struct side {
    struct differing *x;
    struct input in;
    struct comparable *content;
    bool errors;
};

struct differing {
    struct command_context *c;
    struct reading reading;
    struct reading_maps maps;
    struct comparable_options options;
    struct side side[2];                        /* the old one, the new one */
    const struct comparable_document *old, *new;    /* at hand */
    const char *part;                           /* "content", "envelope", "numbers" */
    bool headed;                                /* the documents at hand were named */
    bool different;
    struct buf line;
};

/* --- Reading ------------------------------------------------------------------------- */

static int on_finding(void *ctx, const struct finding *f)
{
    struct side *s = ctx;

    if (f->severity != SEVERITY_ERROR)
        return 0;
    s->errors = true;
    printer_finding(s->x->c->err, f, slice_of(s->in.name));
    return 0;
}

static int on_bad_record(void *ctx, uint64_t line, const struct err *err)
{
    struct side *s = ctx;

    (void)line;
    s->errors = true;
    command_say(s->x->c, "%s: %s", s->in.name, err->text);
    return 0;
}

static bool holds_records(struct input *in)
{
    char first;

    input_peek(in);
    first = input_starts(in);
    in->n_first = 0;
    return first == '{' || first == '[';
}

static int read_side(struct differing *x, struct side *s, const char *path)
{
    struct err err = { 0 };
    int rc, ended;

    s->x = x;
    if (input_open(path, &s->in, &err) < 0) {
        command_fail(x->c, &err);
        return EXIT_CODE_UNAVAILABLE;
    }
    x->options.ctx = s;
    rc = comparable_new(&x->options, &s->content, &err);
    if (rc == 0 && holds_records(&s->in)) {
        rc = comparable_read_records(s->content, s->in.fd, &err);
    } else if (rc == 0) {
        rc = input_feed(&s->in, comparable_reader(s->content), x->c->progress, &err);
        ended = comparable_end(s->content, &err);
        rc = ended ? ended : rc;
        if (rc == 0 && s->errors && !comparable_count(s->content))
            reading_hint(x->c->err, &s->in);
    }
    if (rc < 0 && !err.text[0])
        err_set(&err, rc, "%s: %s", s->in.name, err_name(rc));
    rc = reading_result(x->c, &x->reading, rc, &err);
    return s->errors ? exit_code_worse(rc, EXIT_CODE_DATA) : rc;
}

/* --- Differences in words ------------------------------------------------------------ */

static void add_document(struct buf *out, const struct comparable_document *d)
{
    buf_add_safe(out, d->kind, SIZE_MAX);
    if (d->title.n) {
        buf_add_char(out, ' ');
        buf_add_safe(out, d->title, SIZE_MAX);
    }
    if (d->number.n) {
        buf_add_char(out, ' ');
        buf_add_safe(out, d->number, SHOWN);
    }
}

static void head(struct differing *x)
{
    struct printer *p = x->c->out;

    if (x->headed || p->json)
        return;
    x->headed = true;
    printer_style(p, STYLE_BOLD);
    add_document(&p->buf, x->new);
    if (x->old->number.n && !slice_eq(x->old->number, x->new->number)) {
        buf_add_text(&p->buf, ", before ");
        buf_add_safe(&p->buf, x->old->number, SHOWN);
    }
    printer_style(p, STYLE_PLAIN);
    if (x->old->ordinal != x->new->ordinal)
        printer_printf(p, ", document %llu and now %llu", (unsigned long long)x->old->ordinal,
                       (unsigned long long)x->new->ordinal);
    printer_text(p, "\n");
}

static void show_value(struct printer *p, struct slice value, enum printer_style style)
{
    bool blank = value.n && (value.p[0] == ' ' || value.p[value.n - 1] == ' ');

    printer_style(p, style);
    buf_add_text(&p->buf, blank ? "\"" : "");
    buf_add_safe(&p->buf, value, SIZE_MAX);
    buf_add_text(&p->buf, blank ? "\"" : "");
    printer_style(p, STYLE_PLAIN);
}

/* Where the part of two long texts begins and ends in which they differ, with some of what stands around it. */
static void narrow(struct slice a, struct slice b, size_t *from_r, size_t *behind_r)
{
    size_t least = a.n < b.n ? a.n : b.n, from = 0, behind = 0;

    *from_r = *behind_r = 0;
    if (a.n < LONG && b.n < LONG)
        return;
    while (from < least && a.p[from] == b.p[from])
        from++;
    while (behind < least - from && a.p[a.n - 1 - behind] == b.p[b.n - 1 - behind])
        behind++;
    from = from > AROUND ? from - AROUND : 0;
    behind = behind > AROUND ? behind - AROUND : 0;
    /* between words: never inside of a character */
    while (from && a.p[from - 1] != ' ')
        from--;
    while (behind && a.p[a.n - behind] != ' ')
        behind--;
    *from_r = from;
    *behind_r = behind;
}

static void show_part(struct printer *p, struct slice value, size_t from, size_t behind, enum printer_style style)
{
    buf_add_text(&p->buf, from ? "\xe2\x80\xa6 " : "");
    show_value(p, slice(value.p + from, value.n - from - behind), style);
    buf_add_text(&p->buf, behind ? " \xe2\x80\xa6" : "");
}

static void show_change(struct printer *p, const struct compare_node *a, const struct compare_node *b)
{
    bool values = a->type == COMPARE_VALUE && b->type == COMPARE_VALUE;
    size_t from = 0, behind = 0;

    if (values)
        narrow(a->value, b->value, &from, &behind);
    if (values)
        show_part(p, a->value, from, behind, STYLE_REMOVED);
    else
        compare_json(a, &p->buf);
    buf_add_text(&p->buf, " \xe2\x86\x92 ");
    if (values)
        show_part(p, b->value, from, behind, STYLE_ADDED);
    else
        compare_json(b, &p->buf);
}

static void show_words(struct printer *p, struct slice words)
{
    if (!words.n)
        return;
    printer_style(p, STYLE_DIM);
    printer_safe(p, SLICE(" "));
    printer_safe(p, words);
    printer_style(p, STYLE_PLAIN);
}

/* All that an added or removed node says, one value a line. `path` is what leads to it from there. */
static void show_tree(struct printer *p, const struct compare_node *node, struct buf *path, enum printer_style style)
{
    size_t mark = path->n;

    if (node->type == COMPARE_VALUE) {
        buf_add_text(&p->buf, "      ");
        buf_add_slice(&p->buf, buf_slice(path));
        show_words(p, node->words);
        buf_add_text(&p->buf, ": ");
        show_value(p, node->value, style);
        printer_text(p, "\n");
        return;
    }
    for (const struct compare_node *c = node->first; c; c = c->next) {
        if (node->type == COMPARE_LIST && c->label.n) {
            buf_add_safe(path, c->label, SIZE_MAX);
        } else if (node->type == COMPARE_LIST && !(c->flags & COMPARE_SILENT)) {
            buf_printf(path, "[%u]", c->index);
        } else if (c->name.n && !(c->flags & COMPARE_SILENT)) {
            buf_add_text(path, !path->n ? "" : c->flags & COMPARE_SLASH ? "/" : ".");
            buf_add_safe(path, c->name, SIZE_MAX);
        }
        show_tree(p, c, path, style);
        if (!path->failed)
            path->n = mark;
    }
}

static void show_text(struct differing *x, const struct difference *d)
{
    static const char *const marks[] = { [DIFFERENCE_CHANGED] = "~", [DIFFERENCE_ADDED] = "+",
                                         [DIFFERENCE_REMOVED] = "-", [DIFFERENCE_RENUMBERED] = "~" };
    const struct compare_node *one = d->b ? d->b : d->a;
    enum printer_style style = !d->a ? STYLE_ADDED : !d->b ? STYLE_REMOVED : STYLE_PLAIN;
    struct printer *p = x->c->out;

    head(x);
    buf_add_text(&p->buf, "  ");
    printer_style(p, style);
    buf_add_text(&p->buf, marks[d->kind]);
    buf_add_char(&p->buf, ' ');
    difference_path(d, &p->buf);
    printer_style(p, STYLE_PLAIN);
    show_words(p, one->words);
    if (d->a && d->b) {
        buf_add_text(&p->buf, ": ");
        show_change(p, d->a, d->b);
        if (d->a->flags & COMPARE_REFERENCE && slice_eq(d->a->value, d->b->value))
            printer_text(p, " (which is now another one)");
        if (d->kind == DIFFERENCE_RENUMBERED)
            printer_printf(p, " (only counts the items: %llu %s another number)", (unsigned long long)d->items,
                           d->items == 1 ? "has" : "have");
    } else if (one->type == COMPARE_VALUE) {
        buf_add_text(&p->buf, ": ");
        show_value(p, one->value, style);
    }
    printer_text(p, "\n");
    if (!(d->a && d->b) && one->type != COMPARE_VALUE) {
        buf_clear(&x->line);
        show_tree(p, one, &x->line, style);
    }
}

static void add_member(struct buf *out, const char *name, struct slice value)
{
    buf_printf(out, ",\"%s\":\"", name);
    buf_add_json(out, value);
    buf_add_char(out, '"');
}

/* The beginning of an object: which documents. */
static void begin_json(struct buf *out, const char *change, const struct comparable_document *old,
                       const struct comparable_document *new)
{
    const struct comparable_document *one = new ? new : old;

    buf_printf(out, "{\"change\":\"%s\"", change);
    add_member(out, one->record ? "record" : "set", one->kind);
    if (one->number.n)
        add_member(out, "number", one->number);
    if (old)
        buf_printf(out, ",\"old_document\":%llu", (unsigned long long)old->ordinal);
    if (new)
        buf_printf(out, ",\"new_document\":%llu", (unsigned long long)new->ordinal);
}

static void show_json(struct differing *x, const struct difference *d)
{
    static const char *const words[] = { [DIFFERENCE_CHANGED] = "changed", [DIFFERENCE_ADDED] = "added",
                                         [DIFFERENCE_REMOVED] = "removed", [DIFFERENCE_RENUMBERED] = "renumbered" };
    const struct compare_node *one = d->b ? d->b : d->a;
    struct buf *out = &x->line, path[2];

    buf_clear(out);
    buf_init(&path[0], LINE_CEILING);
    buf_init(&path[1], LINE_CEILING);
    difference_path_a(d, &path[0]);
    difference_path_b(d, &path[1]);
    begin_json(out, words[d->kind], x->old, x->new);
    add_member(out, "part", slice_of(x->part));
    add_member(out, "path", buf_slice(&path[d->b ? 1 : 0]));
    if (d->a && d->b && !slice_eq(buf_slice(&path[0]), buf_slice(&path[1])))
        add_member(out, "old_path", buf_slice(&path[0]));
    if (one->words.n)
        add_member(out, "name", one->words);
    if (d->a) {
        buf_add_text(out, ",\"old\":");
        compare_json(d->a, out);
    }
    if (d->b) {
        buf_add_text(out, ",\"new\":");
        compare_json(d->b, out);
    }
    if (d->kind == DIFFERENCE_RENUMBERED)
        buf_printf(out, ",\"items\":%llu", (unsigned long long)d->items);
    buf_add_text(out, "}\n");
    if (path[0].failed || path[1].failed)
        out->failed = path[0].failed ? path[0].failed : path[1].failed;
    buf_deinit(&path[0]);
    buf_deinit(&path[1]);
    if (!out->failed)
        printer_raw(x->c->out, buf_slice(out));
}

static int on_difference(void *ctx, const struct difference *d)
{
    struct differing *x = ctx;

    x->different = true;
    if (x->c->out->json)
        show_json(x, d);
    else
        show_text(x, d);
    if (x->line.failed)
        return x->line.failed;
    return printer_failed(x->c->out) ? ERR_STOP : 0;
}

static int show_alone(struct differing *x, unsigned side, size_t i)
{
    const struct comparable_document *d = comparable_at(x->side[side].content, i);
    struct printer *p = x->c->out;

    x->different = true;
    if (p->json) {
        buf_clear(&x->line);
        begin_json(&x->line, side ? "added" : "removed", side ? NULL : d, side ? d : NULL);
        buf_add_text(&x->line, "}\n");
        printer_raw(p, buf_slice(&x->line));
        return x->line.failed;
    }
    printer_style(p, side ? STYLE_ADDED : STYLE_REMOVED);
    buf_add_text(&p->buf, side ? "+ " : "- ");
    add_document(&p->buf, d);
    printer_style(p, STYLE_PLAIN);
    printer_printf(p, ", document %llu, is only in ", (unsigned long long)d->ordinal);
    printer_safe(p, slice_of(x->side[side].in.name));
    printer_text(p, "\n");
    return printer_failed(p) ? ERR_STOP : 0;
}

/* --- Comparing ------------------------------------------------------------------------ */

static int compare_parts(struct differing *x, const struct comparable_tree *old, const struct comparable_tree *new)
{
    int rc;

    x->headed = false;
    x->part = "content";
    rc = compare_trees(old->content, new->content, on_difference, x);
    x->part = "envelope";
    if (rc == 0 && old->envelope && new->envelope)
        rc = compare_trees(old->envelope, new->envelope, on_difference, x);
    x->part = "numbers";
    if (rc == 0 && old->numbers && new->numbers && command_has(x->c, OPTION_NUMBERS))
        rc = compare_trees(old->numbers, new->numbers, on_difference, x);
    return rc;
}

static int compare_documents(struct differing *x, size_t old, size_t new, struct err *err)
{
    struct comparable_tree tree[2];
    struct arena arena;
    int rc;

    arena_init(&arena, TREE_CEILING);
    rc = comparable_tree(x->side[0].content, old, &arena, &tree[0], err);
    if (rc == 0)
        rc = comparable_tree(x->side[1].content, new, &arena, &tree[1], err);
    if (rc == 0) {
        x->old = comparable_at(x->side[0].content, old);
        x->new = comparable_at(x->side[1].content, new);
        rc = compare_parts(x, &tree[0], &tree[1]);
    }
    arena_deinit(&arena);
    return rc;
}

static int compare_files(struct differing *x, struct err *err)
{
    struct comparable *old = x->side[0].content, *new = x->side[1].content;
    size_t n = comparable_count(old), m = comparable_count(new);
    int64_t *partner = calloc(n + 1, sizeof(*partner));
    bool *taken = calloc(m + 1, sizeof(*taken));
    int rc = partner && taken ? comparable_pair(old, new, partner) : ERR_NOMEM;

    for (size_t i = 0; i < n && rc == 0; i++) {
        if (partner[i] >= 0) {
            taken[partner[i]] = true;
            rc = compare_documents(x, i, (size_t)partner[i], err);
        } else {
            rc = show_alone(x, 0, i);
        }
    }
    for (size_t k = 0; k < m && rc == 0; k++)
        if (!taken[k])
            rc = show_alone(x, 1, k);
    free(partner);
    free(taken);
    return rc;
}

static void options_of(struct differing *x)
{
    const char *by = command_value(x->c, OPTION_BY);

    reading_options(&x->reading, &x->options.reader);
    x->options.maps = x->maps.maps;
    x->options.map = x->maps.named;
    x->options.partner_map = x->maps.partner;
    x->options.n_partner_map = x->maps.n_partner;
    x->options.directory = buf_text(&x->reading.maps);
    x->options.by_guide = by && slice_is(slice_of(by), "guide");
    x->options.finding = on_finding;
    x->options.bad_record = on_bad_record;
}

int command_diff(struct command_context *c)
{
    struct differing x = { .c = c, .side = { { .in = { .fd = -1 } }, { .in = { .fd = -1 } } } };
    struct err err = { 0 };
    int rc, code = reading_init(c, &x.reading);

    if (code)
        return code;
    buf_init(&x.line, LINE_CEILING);
    code = reading_maps(c, &x.reading, &x.maps);
    options_of(&x);
    for (unsigned i = 0; i < 2 && (code == 0 || code == EXIT_CODE_DATA); i++)
        code = exit_code_worse(code, read_side(&x, &x.side[i], c->argument[i]));
    if (code == 0 || code == EXIT_CODE_DATA) {
        rc = compare_files(&x, &err);
        if (rc < 0 && !err.text[0])
            err_set(&err, rc, "%s", err_name(rc));
        code = exit_code_worse(code, reading_result(c, &x.reading, rc, &err));
        if (x.different)
            code = exit_code_worse(code, EXIT_CODE_DIFFERENT);
    }
    for (unsigned i = 0; i < 2; i++) {
        comparable_free(&x.side[i].content);
        input_close(&x.side[i].in);
    }
    maps_free(&x.maps.maps);
    buf_deinit(&x.line);
    reading_deinit(&x.reading);
    return code;
}
