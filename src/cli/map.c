/*
 * waybill map check, map loss and map list: errors in maps, what they leave out, and what is lost between two of them.
 *
 * What is left out is no error: a map need not take all that a guide allows. A line that can never do anything is.
 */
#include "cli/reading.h"

#include "cli/maps.h"
#include "map/carry.h"
#include "map/coverage.h"

enum { SHOWN_CEILING = 4 << 20 };

struct checking {
    struct command_context *c;
    struct reading reading;
    struct maps *maps;
    struct buf shown;           /* complaints that were shown */
    unsigned checked;
    /* of the map at hand */
    const struct map *map;
    const struct map *from;     /* of a pair: what reads */
    const struct guide *guide;
    struct buf gaps;            /* as text, behind the counts */
};

static int checking_init(struct command_context *c, struct checking *k)
{
    struct err err = { 0 };
    int code;

    *k = (struct checking){ .c = c };
    code = reading_init(c, &k->reading);
    if (code)
        return code;
    buf_init(&k->shown, SHOWN_CEILING);
    buf_init(&k->gaps, SHOWN_CEILING);
    if (maps_new(buf_text(&k->reading.maps), &k->maps, &err) == 0)
        return EXIT_CODE_OK;
    reading_deinit(&k->reading);
    return command_fail(c, &err);
}

static void checking_deinit(struct checking *k)
{
    maps_free(&k->maps);
    buf_deinit(&k->shown);
    buf_deinit(&k->gaps);
    reading_deinit(&k->reading);
}

/* ---- complaints ---- */

/* The first complaint of a text: its line, and those that belong to it. */
static struct slice first_complaint(struct slice text)
{
    size_t n = 0;
    do {
        const char *end = memchr(text.p + n, '\n', text.n - n);
        n = end ? (size_t)(end - text.p) + 1 : text.n;
    } while (n < text.n && (text.p[n] == ' ' || slice_starts(slice_from(text, n), SLICE("hint: "))));
    return slice(text.p, n);
}

/* Shows what was complained of, each complaint once: a line in a block is compiled wherever the block is used, and
 * for each guide. True when there was anything. */
static bool complain_once(struct checking *k)
{
    struct complaints *complaints = &k->reading.complaints, fresh;
    struct slice rest = buf_slice(&complaints->text);
    bool any = complaints->count > 0 || complaints->nomem;

    complaints_init(&fresh);
    while (rest.n) {
        struct slice one = first_complaint(rest);
        rest = slice_from(rest, one.n);
        if (k->shown.n && memmem(k->shown.p, k->shown.n, one.p, one.n))
            continue;
        buf_add_slice(&k->shown, one);
        buf_add_slice(&fresh.text, one);
        fresh.count++;
    }
    fresh.nomem = complaints->nomem || fresh.text.failed;
    complaints_deinit(complaints);
    *complaints = fresh;
    reading_complain(k->c, complaints);
    return any;
}

/* For a map or guide that could not be had. Returns the exit code. */
static int say_why(struct checking *k, int rc, struct err *err)
{
    if (rc != ERR_NOMEM && complain_once(k))
        return EXIT_CODE_CONFIG;
    err->code = rc == ERR_NOMEM || rc == ERR_IO ? rc : ERR_CONFIG;
    return command_fail(k->c, err);
}

/* ---- maps and guides ---- */

static int find_guide(struct checking *k, struct slice id, const struct guide **guide_r)
{
    struct err err = { 0 };
    int rc;
    *guide_r = NULL;
    for (unsigned i = 0; i < k->reading.n_partner; i++)
        if (slice_eq(k->reading.partner[i]->id, id))
            *guide_r = k->reading.partner[i];
    if (*guide_r)
        return EXIT_CODE_OK;
    rc = guides_by_id(k->reading.guides, id, &k->reading.complaints, guide_r, &err);
    return rc == 0 ? EXIT_CODE_OK : say_why(k, rc, &err);
}

/* ---- check ---- */

static const char *const gap_names[] = {
    [GAP_ELEMENT] = "element", [GAP_SEGMENT] = "segment", [GAP_LOOP] = "loop",
    [GAP_QUALIFIERS] = "qualifiers", [GAP_FIELD] = "field", [GAP_OBJECT] = "object",
};

static const char *gap_words(const struct coverage_gap *gap)
{
    bool guide = gap->kind != GAP_FIELD && gap->kind != GAP_OBJECT;
    if (gap->in && gap->out)
        return guide ? "neither read nor written" : "neither filled nor written";
    if (gap->in)
        return guide ? "not read" : "not filled";
    return "not written";
}

static int take_gap(void *ctx, const struct coverage_gap *gap)
{
    struct checking *k = ctx;
    struct printer *p = k->c->out;

    if (p->json) {
        printer_field(p, "map", map_name(k->map), 0);
        printer_field(p, "guide", k->guide->id, 0);
        printer_field(p, "missing", slice_of(gap_names[gap->kind]), 0);
        printer_field(p, "path", gap->path, 0);
        printer_field(p, "reading", slice_of(gap->in ? "no" : "yes"), 0);
        printer_field(p, "writing", slice_of(gap->out ? "no" : "yes"), 0);
        if (gap->elements)
            printer_field_number(p, "elements", gap->elements, 0);
        printer_field(p, "name", gap->name, 0);
        printer_end_row(p);
        return printer_failed(p) ? ERR_STOP : 0;
    }
    buf_printf(&k->gaps, "  %-26s ", gap_words(gap));
    buf_add_safe(&k->gaps, gap->path, SIZE_MAX);
    if (gap->kind == GAP_LOOP)
        buf_printf(&k->gaps, "  the whole %s, %u elements", k->guide->words->loop, gap->elements);
    else if (gap->kind == GAP_SEGMENT)
        buf_printf(&k->gaps, "  the whole segment, %u elements", gap->elements);
    if (gap->name.n) {
        buf_add_text(&k->gaps, "  ");
        buf_add_safe(&k->gaps, gap->name, 120);
    }
    buf_add_char(&k->gaps, '\n');
    return k->gaps.failed;
}

static int show_coverage(struct checking *k, const struct map_plan *plan)
{
    struct printer *p = k->c->out;
    struct coverage n;
    struct err err = { 0 };
    int rc;

    buf_clear(&k->gaps);
    rc = map_coverage(plan, take_gap, k, &n, &err);
    if (rc == ERR_STOP)
        return EXIT_CODE_OK;
    if (rc < 0) {
        err.code = rc;
        if (!err.text[0])
            err_set(&err, rc, "%s", err_name(rc));
        return command_fail(k->c, &err);
    }
    if (p->json) {
        printer_field(p, "map", map_name(k->map), 0);
        printer_field(p, "guide", k->guide->id, 0);
        printer_field(p, "record", map_kind(k->map)->name, 0);
        printer_field_number(p, "elements", n.elements, 0);
        printer_field_number(p, "elements_read", n.read, 0);
        printer_field_number(p, "elements_written", n.written, 0);
        printer_field_number(p, "fields", n.fields, 0);
        printer_field_number(p, "fields_filled", n.filled, 0);
        printer_field_number(p, "fields_written", n.given, 0);
        printer_end_row(p);
        return EXIT_CODE_OK;
    }
    printer_safe(p, map_name(k->map));
    printer_text(p, " for ");
    printer_safe(p, k->guide->id);
    printer_printf(p, ": of %u elements %u are read, %u written; of %u fields of ", n.elements, n.read, n.written,
                   n.fields);
    printer_safe(p, map_kind(k->map)->name);
    printer_printf(p, " %u are filled, %u written\n", n.filled, n.given);
    printer_raw(p, buf_slice(&k->gaps));
    return EXIT_CODE_OK;
}

/* ---- maps between records ---- */

static int take_carry_gap(void *ctx, const struct carry_gap *gap)
{
    struct checking *k = ctx;
    struct printer *p = k->c->out;

    if (p->json) {
        printer_field(p, "map", map_name(k->map), 0);
        printer_field(p, "missing", gap->object ? SLICE("object") : SLICE("field"), 0);
        printer_field(p, "path", gap->path, 0);
        printer_field(p, "record", gap->made ? map_kind(k->map)->name : map_from_kind(k->map)->name, 0);
        printer_end_row(p);
        return printer_failed(p) ? ERR_STOP : 0;
    }
    buf_printf(&k->gaps, "  %-26s ", gap->made ? "not made" : "not carried");
    buf_add_slice(&k->gaps, gap->path);
    buf_add_char(&k->gaps, '\n');
    return k->gaps.failed;
}

static int check_carry(struct checking *k, const struct map *map, bool well)
{
    const struct carry_plan *plan;
    struct printer *p = k->c->out;
    struct carry_coverage n;
    struct err err = { 0 };
    int rc = carry_plan_for(k->maps, map, &k->reading.complaints, &plan, &err);

    k->checked++;
    if (rc < 0)
        return say_why(k, rc, &err);
    if (!well)
        return EXIT_CODE_OK;
    buf_clear(&k->gaps);
    rc = carry_coverage(plan, take_carry_gap, k, &n, &err);
    if (rc == ERR_STOP)
        return EXIT_CODE_OK;
    if (rc < 0) {
        err_set(&err, rc, "%s", err_name(rc));
        return command_fail(k->c, &err);
    }
    if (p->json) {
        printer_field(p, "map", map_name(map), 0);
        printer_field(p, "from", map_from_kind(map)->name, 0);
        printer_field(p, "record", map_kind(map)->name, 0);
        printer_field_number(p, "fields_from", n.fields, 0);
        printer_field_number(p, "fields_carried", n.taken, 0);
        printer_field_number(p, "fields_dropped", n.dropped, 0);
        printer_field_number(p, "fields", n.others, 0);
        printer_field_number(p, "fields_made", n.made, 0);
        printer_end_row(p);
        return EXIT_CODE_OK;
    }
    printer_safe(p, map_name(map));
    printer_text(p, ": of ");
    printer_safe(p, map_from_kind(map)->name);
    printer_printf(p, " %u fields are carried and %u dropped; of %u fields of ", n.taken, n.dropped, n.others);
    printer_safe(p, map_kind(map)->name);
    printer_printf(p, " %u are made\n", n.made);
    printer_raw(p, buf_slice(&k->gaps));
    return EXIT_CODE_OK;
}

/* Compiles a map for every guide it names; what it leaves out is told only when all is right. */
static int check_map(struct checking *k, const struct map *map, bool well)
{
    int code = EXIT_CODE_OK;
    struct err err = { 0 };

    k->map = map;
    if (map_between_records(map))
        return check_carry(k, map, well);
    for (unsigned i = 0; map_guide(map, i).n; i++) {
        const struct guide *guide;
        const struct map_plan *plan;
        int one = find_guide(k, map_guide(map, i), &guide);
        if (one == EXIT_CODE_OK) {
            int rc = map_plan_for(k->maps, map, guide, &k->reading.complaints, &plan, &err);
            if (rc < 0)
                one = say_why(k, rc, &err);
        }
        code = exit_code_worse(code, one);
    }
    k->checked++;
    if (!well)
        return code;
    if (code == EXIT_CODE_OK && !map_lines_found(map, &k->reading.complaints)) {
        complain_once(k);
        code = EXIT_CODE_CONFIG;
    }
    for (unsigned i = 0; code == EXIT_CODE_OK && map_guide(map, i).n; i++) {
        const struct map_plan *plan;
        int rc;
        code = find_guide(k, map_guide(map, i), &k->guide);
        if (code)
            break;
        rc = map_plan_for(k->maps, map, k->guide, &k->reading.complaints, &plan, &err);
        code = rc < 0 ? say_why(k, rc, &err) : show_coverage(k, plan);
    }
    return code;
}

/* Calls for every map of the maps folder. */
static int each_map(struct checking *k, int (*function)(struct checking *k, const struct map *map, bool well))
{
    struct maps_list list = { .n = 0 };
    struct err err = { 0 };
    int code = EXIT_CODE_OK;

    if (maps_list_read(buf_text(&k->reading.maps), ".map", &list, &err) < 0)
        return command_fail(k->c, &err);
    for (size_t i = 0; i < list.n && !printer_failed(k->c->out); i++) {
        struct slice name = maps_map_name(list.name[i]);
        const struct map *map = NULL;
        int rc;
        if (!name.n) {
            command_say(k->c, "%s.map: a map lies in a folder of its own name", list.name[i]);
            code = exit_code_worse(code, EXIT_CODE_CONFIG);
            continue;
        }
        rc = maps_by_name(k->maps, name, &k->reading.complaints, &map, &err);
        if (rc < 0)
            code = exit_code_worse(code, say_why(k, rc, &err));
        if (map)
            code = exit_code_worse(code, function(k, map, rc == 0));
    }
    maps_list_free(&list);
    return code;
}

int command_map_check(struct command_context *c)
{
    struct checking k;
    int code = checking_init(c, &k);

    if (code)
        return code;
    if (c->n == 0)
        code = each_map(&k, check_map);
    for (unsigned i = 0; i < c->n && !printer_failed(c->out); i++) {
        const struct map *map = NULL;
        int one = reading_map(c, &k.reading, k.maps, c->argument[i], &map);
        complain_once(&k);
        if (map) /* also for more errors */
            one = exit_code_worse(one, check_map(&k, map, one == EXIT_CODE_OK));
        code = exit_code_worse(code, one);
    }
    if (c->n == 0 && k.checked == 0 && code == EXIT_CODE_OK) {
        command_say(c, "%s: there are no maps", buf_text(&k.reading.maps));
        code = EXIT_CODE_CONFIG;
    }
    checking_deinit(&k);
    return code;
}

/* ---- loss ---- */

static int take_loss(void *ctx, const struct coverage_gap *gap)
{
    struct checking *k = ctx;
    struct printer *p = k->c->out;

    if (p->json) {
        printer_field(p, "from", map_name(k->from), 0);
        printer_field(p, "to", map_name(k->map), 0);
        printer_field(p, "missing", slice_of(gap_names[gap->kind]), 0);
        printer_field(p, "path", gap->path, 0);
        printer_field(p, "name", gap->name, 0);
        printer_end_row(p);
        return printer_failed(p) ? ERR_STOP : 0;
    }
    buf_add_text(&k->gaps, "  ");
    buf_add_slice(&k->gaps, gap->path);
    if (gap->name.n) {
        buf_add_text(&k->gaps, "  ");
        buf_add_safe(&k->gaps, gap->name, 120);
    }
    buf_add_char(&k->gaps, '\n');
    return k->gaps.failed;
}

/* A map with the first guide that it names. */
static int plan_first(struct checking *k, const struct map *map, const struct map_plan **plan_r,
                      const struct guide **guide_r)
{
    struct err err = { 0 };
    int code = find_guide(k, map_guide(map, 0), guide_r), rc;

    if (code)
        return code;
    rc = map_plan_for(k->maps, map, *guide_r, &k->reading.complaints, plan_r, &err);
    return rc < 0 ? say_why(k, rc, &err) : EXIT_CODE_OK;
}

static int show_loss(struct checking *k)
{
    struct printer *p = k->c->out;
    const struct map_plan *from, *to;
    const struct guide *from_guide, *to_guide;
    struct coverage n;
    struct err err = { 0 };
    int code = plan_first(k, k->from, &from, &from_guide), rc;

    if (code == EXIT_CODE_OK)
        code = plan_first(k, k->map, &to, &to_guide);
    if (code)
        return code;
    buf_clear(&k->gaps);
    rc = map_coverage_between(from, to, take_loss, k, &n, &err);
    if (rc == ERR_STOP)
        return EXIT_CODE_OK;
    if (rc < 0) {
        if (!err.text[0])
            err_set(&err, rc, "%s", err_name(rc));
        return command_fail(k->c, &err);
    }
    if (p->json)
        return EXIT_CODE_OK;
    printer_safe(p, from_guide->id);
    printer_text(p, " to ");
    printer_safe(p, to_guide->id);
    printer_printf(p, ": of %u fields of ", n.fields);
    printer_safe(p, map_kind(k->map)->name);
    printer_printf(p, " that are filled %u are not written\n", n.fields - n.given);
    printer_raw(p, buf_slice(&k->gaps));
    return EXIT_CODE_OK;
}

int command_map_loss(struct command_context *c)
{
    struct checking k;
    int code = checking_init(c, &k);

    if (code)
        return code;
    code = reading_map(c, &k.reading, k.maps, c->argument[0], &k.from);
    if (code == EXIT_CODE_OK)
        code = reading_map(c, &k.reading, k.maps, c->argument[1], &k.map);
    complain_once(&k);
    if (code == EXIT_CODE_OK && (map_between_records(k.from) || map_between_records(k.map))) {
        command_say(c, "a map between records has no guide; `waybill map check` says what it carries");
        code = EXIT_CODE_USAGE;
    } else if (code == EXIT_CODE_OK && map_kind(k.from) != map_kind(k.map)) {
        command_say(c, "the one map is of the record %.*s, the other of %.*s", SLICE_FMT(map_kind(k.from)->name),
                    SLICE_FMT(map_kind(k.map)->name));
        code = EXIT_CODE_USAGE;
    }
    if (code == EXIT_CODE_OK)
        code = show_loss(&k);
    checking_deinit(&k);
    return code;
}

/* ---- list ---- */

static int list_map(struct checking *k, const struct map *map, bool well)
{
    struct printer *p = k->c->out;
    struct buf guides;
    int failed;

    if (!well)
        return EXIT_CODE_OK;
    buf_init(&guides, SHOWN_CEILING);
    for (unsigned i = 0; map_guide(map, i).n; i++) {
        if (i)
            buf_add_char(&guides, ' ');
        buf_add_slice(&guides, map_guide(map, i));
    }
    printer_field(p, "map", map_name(map), 26);
    printer_field(p, "record", map_kind(map)->name, 16);
    if (map_between_records(map)) {
        buf_add_text(&guides, "from ");
        buf_add_slice(&guides, map_from_kind(map)->name);
    }
    printer_field(p, "guides", buf_slice(&guides), 32);
    printer_field(p, "title", map_title(map), 0);
    printer_end_row(p);
    failed = guides.failed;
    buf_deinit(&guides);
    return failed ? exit_code_of(failed) : EXIT_CODE_OK;
}

int command_map_list(struct command_context *c)
{
    struct checking k;
    int code = checking_init(c, &k);

    if (code)
        return code;
    code = each_map(&k, list_map);
    checking_deinit(&k);
    return code;
}
