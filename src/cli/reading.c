/* reading: see reading.h. */
#include "cli/reading.h"

#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "cli/maps.h"

enum { PATH_CEILING = 4096 };

static int unknown_name(struct command_context *c, struct slice name)
{
    struct slice best = { NULL, 0 };
    unsigned distance = 3;

    for (unsigned i = 0; i < FINDING_CODES; i++)
        if (slice_is(name, finding_rows[i].name)) {
            command_say(c, "--allow: %.*s cannot be allowed: %s", SLICE_FMT(name), finding_rows[i].words);
            return EXIT_CODE_USAGE;
        }
    command_say(c, "--allow: nothing is called \"%.*s\"", SLICE_FMT(name));
    for (unsigned i = 0; i < FINDING_CODES; i++)
        if (finding_rows[i].allow) {
            suggest(name, slice_of(finding_rows[i].allow), &best, &distance);
            suggest(name, slice_of(finding_rows[i].name), &best, &distance);
        }
    if (best.n)
        printer_printf(c->err, "hint: did you mean \"%.*s\"?\n", SLICE_FMT(best));
    printer_text(c->err, "`waybill help findings` lists the names.\n");
    return EXIT_CODE_USAGE;
}

int reading_policy(struct command_context *c, struct finding_policy *policy)
{
    finding_policy_init(policy);
    if (command_has(c, OPTION_STRICT))
        finding_policy_refuse(policy, SLICE("all"));
    for (unsigned i = 0; i < c->option[OPTION_ALLOW].n; i++) {
        struct slice rest = slice_of(c->option[OPTION_ALLOW].value[i]);
        bool more = true;
        while (more) {
            struct slice name = slice_trim(slice_cut(rest, ',', &rest, &more));
            if (name.n && !finding_policy_allow(policy, name))
                return unknown_name(c, name);
        }
    }
    return EXIT_CODE_OK;
}

bool reading_complain(struct command_context *c, struct complaints *complaints)
{
    bool any = complaints->count > 0 || complaints->nomem;

    if (any)
        printer_flush(c->out);
    printer_raw(c->err, buf_slice(&complaints->text));
    if (complaints->nomem)
        command_say(c, "out of memory");
    complaints_deinit(complaints);
    complaints_init(complaints);
    return any;
}

static int read_partner_guide(struct command_context *c, struct reading *r, const char *path)
{
    struct buf *text = &r->partner_text[r->n_texts];
    struct err err = { 0 };
    int rc;

    buf_init(text, LIMIT_CONFIG_FILE);
    rc = file_read(path, text, &err);
    if (rc == 0)
        rc = guides_read_delta(r->guides, slice_of(path), buf_slice(text), &r->complaints,
                               &r->partner[r->n_partner], &err);
    if (rc == ERR_MISSING && strchr(path, '/')) {
        struct err own = { 0 };
        rc = guides_by_id(r->guides, slice_of(path), &r->complaints, &r->partner[r->n_partner], &own);
        if (rc == ERR_MISSING && own.code != ERR_NOMEM)
            rc = err.code; /* it is no guide's name either */
        else if (rc < 0)
            err = own;
    }
    /* words of the file may be in the guides already */
    r->n_texts++;
    if (rc == 0) {
        r->n_partner++;
        return EXIT_CODE_OK;
    }
    reading_complain(c, &r->complaints);
    err.code = rc == ERR_IO || rc == ERR_MISSING || rc == ERR_NOMEM ? rc : ERR_CONFIG;
    return command_fail(c, &err);
}

/* The partner file: what it allows, and the guides it names. */
static int read_partner(struct command_context *c, struct reading *r, const char *path)
{
    const struct guide *const *guide = NULL;
    struct err err = { 0 };
    unsigned n = 0;
    int rc = partner_load(path, &r->complaints, &r->partner_file, &err);

    if (rc == 0)
        rc = agreement_new(r->partner_file, r->guides, &r->complaints, &r->agreement, &err);
    if (rc == 0)
        guide = agreement_guides(r->agreement, &n);
    if (rc == 0 && n > READING_GUIDES - r->n_partner)
        rc = err_set(&err, ERR_CONFIG, "%s: more than %d guides", path, READING_GUIDES);
    if (rc < 0) {
        /* the complaints have said all */
        if (reading_complain(c, &r->complaints) && rc == ERR_CONFIG)
            return EXIT_CODE_CONFIG;
        err.code = rc;
        return command_fail(c, &err);
    }
    partner_allow(r->partner_file, &r->policy);
    for (unsigned i = 0; i < n; i++)
        r->partner[r->n_partner++] = guide[i];
    return EXIT_CODE_OK;
}

/* Says that there is no such map, and which there are. */
static int no_such_map(struct command_context *c, struct reading *r, const char *name)
{
    struct maps_list list = { .n = 0 };
    struct slice best = { NULL, 0 };
    unsigned distance = 3;
    struct err err = { 0 };

    command_say(c, "there is no map \"%s\", and no such file", name);
    if (maps_list_read(buf_text(&r->maps), ".map", &list, &err) < 0)
        return command_fail(c, &err);
    for (size_t i = 0; i < list.n; i++) {
        struct slice map = maps_map_name(list.name[i]), last = map;
        while (memchr(last.p, '/', last.n))
            last = slice_from(last, (size_t)((const char *)memchr(last.p, '/', last.n) - last.p) + 1);
        /* "850-order" is as near as can be to "x12/850-order" */
        if (last.n && slice_is(last, name)) {
            best = map;
            distance = 0;
        }
        suggest(slice_of(name), map, &best, &distance);
    }
    if (best.n)
        printer_printf(c->err, "hint: did you mean \"%.*s\"?\n", SLICE_FMT(best));
    printer_text(c->err, "`waybill map list` lists the maps.\n");
    maps_list_free(&list);
    return EXIT_CODE_CONFIG;
}

/* Is the guide of this id in the maps folder, or read already? */
static bool has_guide(struct reading *r, struct slice id)
{
    struct complaints ignored;
    const struct guide *guide;
    int rc;

    for (unsigned i = 0; i < r->n_partner; i++)
        if (slice_eq(r->partner[i]->id, id))
            return true;
    complaints_init(&ignored);
    rc = guides_by_id(r->guides, id, &ignored, &guide, NULL);
    complaints_deinit(&ignored);
    return rc != ERR_MISSING;
}

/* The guide of a map that is a file: --guide gave it, or it lies beside the map. */
static int read_guide_beside(struct command_context *c, struct reading *r, const char *path, const struct map *map)
{
    struct slice name = slice_of(path), id = map_guide(map, 0);
    struct buf beside;
    int code = EXIT_CODE_OK;

    if (!id.n || has_guide(r, id))
        return EXIT_CODE_OK;
    if (name.n > 4 && slice_is(slice_from(name, name.n - 4), ".map"))
        name.n -= 4;
    buf_init(&beside, PATH_CEILING);
    buf_add_slice(&beside, name);
    buf_add_text(&beside, ".guide");
    if (access(buf_text(&beside), F_OK) == 0 && r->n_texts < OPTION_VALUES && r->n_partner < READING_GUIDES)
        code = read_partner_guide(c, r, buf_text(&beside));
    if (code == EXIT_CODE_OK && !has_guide(r, id)) {
        command_say(c, "%s: there is no guide \"%.*s\", which the map is for", path, SLICE_FMT(id));
        printer_printf(c->err, "hint: it is looked for in %s and in the maps folder; --guide names it.\n",
                       buf_text(&beside));
        code = EXIT_CODE_CONFIG;
    }
    buf_deinit(&beside);
    return code;
}

int reading_map(struct command_context *c, struct reading *r, struct maps *maps, const char *name,
                const struct map **map_r)
{
    struct err err = { 0 };
    int code, rc = maps_by_name(maps, slice_of(name), &r->complaints, map_r, &err);
    bool file = rc == ERR_MISSING;

    if (file && access(name, F_OK) < 0)
        return no_such_map(c, r, name);
    if (file)
        rc = maps_by_file(maps, name, &r->complaints, map_r, &err);
    if (file && *map_r) {
        code = read_guide_beside(c, r, name, *map_r);
        if (code) {
            *map_r = NULL;
            reading_complain(c, &r->complaints);
            return code;
        }
    }
    if (rc == 0)
        return EXIT_CODE_OK;
    if (*map_r && rc != ERR_NOMEM)
        return EXIT_CODE_CONFIG;
    if (reading_complain(c, &r->complaints) && rc == ERR_CONFIG)
        return EXIT_CODE_CONFIG;
    err.code = rc == ERR_NOMEM || rc == ERR_IO ? rc : ERR_CONFIG;
    return command_fail(c, &err);
}

int reading_maps(struct command_context *c, struct reading *r, struct reading_maps *m)
{
    struct err err = { 0 };
    int code, rc;

    *m = (struct reading_maps){ .maps = NULL };
    rc = maps_new(buf_text(&r->maps), &m->maps, &err);
    if (rc == 0 && r->agreement) {
        rc = agreement_read_maps(r->agreement, m->maps, &r->complaints, &err);
        if (rc == 0)
            m->partner = agreement_maps(r->agreement, &m->n_partner);
    }
    if (rc < 0) {
        /* the complaints have said all */
        if (reading_complain(c, &r->complaints) && rc == ERR_CONFIG)
            return EXIT_CODE_CONFIG;
        return command_fail(c, &err);
    }
    if (!command_has(c, OPTION_MAP))
        return EXIT_CODE_OK;
    code = reading_map(c, r, m->maps, command_value(c, OPTION_MAP), &m->named);
    reading_complain(c, &r->complaints);
    return code;
}

struct edi_time reading_now(void)
{
    time_t now = time(NULL);
    struct tm t = { 0 };

    localtime_r(&now, &t);
    return (struct edi_time){ t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min,
                              t.tm_sec > 59 ? 59 : t.tm_sec };
}

int reading_init(struct command_context *c, struct reading *r)
{
    struct err err = { 0 };
    int code;

    *r = (struct reading){ .guides = NULL };
    code = reading_policy(c, &r->policy);
    if (code)
        return code;
    complaints_init(&r->complaints);
    buf_init(&r->maps, PATH_CEILING);
    if (maps_find(command_value(c, OPTION_MAPS), &r->maps, &err) < 0 ||
        guides_new(buf_text(&r->maps), &r->guides, &err) < 0)
        code = command_fail(c, &err);
    for (unsigned i = 0; code == 0 && i < c->option[OPTION_GUIDE].n; i++)
        code = read_partner_guide(c, r, c->option[OPTION_GUIDE].value[i]);
    if (code == 0 && c->option[OPTION_PARTNER].n > 1)
        code = command_usage(c, "--partner: one file only");
    else if (code == 0 && command_has(c, OPTION_PARTNER))
        code = read_partner(c, r, command_value(c, OPTION_PARTNER));
    if (code)
        reading_deinit(r);
    return code;
}

void reading_deinit(struct reading *r)
{
    /* guides borrow from the texts that the others hold */
    guides_free(&r->guides);
    agreement_free(&r->agreement);
    partner_free(&r->partner_file);
    for (unsigned i = 0; i < r->n_texts; i++)
        buf_deinit(&r->partner_text[i]);
    complaints_deinit(&r->complaints);
    buf_deinit(&r->maps);
}

void reading_options(struct reading *r, struct edi_reader_options *options_r)
{
    *options_r = (struct edi_reader_options){
        .guides = r->guides,
        .partner = r->partner,
        .n_partner = r->n_partner,
        .between = r->partner_file ? r->partner_file->parties : NULL,
        .n_between = r->partner_file ? r->partner_file->n_identities : 0,
        .policy = r->policy,
        .complaints = &r->complaints,
    };
}

int reading_result(struct command_context *c, struct reading *r, int rc, struct err *err)
{
    int code = reading_complain(c, &r->complaints) ? EXIT_CODE_CONFIG : EXIT_CODE_OK;

    /* output that nobody takes any more: main() knows what to say of it */
    if (rc == 0 || rc == ERR_STOP)
        return rc ? exit_code_worse(code, EXIT_CODE_UNAVAILABLE) : code;
    /* what is missing here is a guide, not a file of the user's */
    err->code = rc == ERR_MISSING ? ERR_CONFIG : rc;
    return exit_code_worse(code, command_fail(c, err));
}

int reading_translate(struct command_context *c, struct reading *r, struct translate_options *o, const char *path,
                      struct input *in_r, struct translate_counts *counts_r)
{
    enum { SMALL = 256 << 10 };
    struct edi_reader_options reader;
    struct translate *translate = NULL;
    struct err err = { 0 };
    int rc;

    *counts_r = (struct translate_counts){ 0 };
    if (input_open(path, in_r, &err) < 0) {
        command_fail(c, &err);
        return EXIT_CODE_UNAVAILABLE;
    }
    reading_options(r, &reader);
    o->guides = reader.guides;
    o->partner = reader.partner;
    o->n_partner = reader.n_partner;
    o->between = reader.between;
    o->n_between = reader.n_between;
    o->policy = reader.policy;
    o->complaints = reader.complaints;
    /* a small file is done before a thread has started */
    if (in_r->size && in_r->size < SMALL)
        o->threads = 1;
    rc = translate_new(o, &translate, &err);
    if (rc == 0) {
        int ended;
        rc = input_feed(in_r, translate_reader(translate), c->progress, &err);
        ended = translate_end(translate, counts_r, &err);
        if (rc == 0)
            rc = ended;
    }
    translate_free(&translate);
    if (rc < 0 && !err.text[0])
        err_set(&err, rc, "%s: %s", in_r->name, err_name(rc));
    return reading_result(c, r, rc, &err);
}

void reading_count(struct reading_count *count, const struct finding *f)
{
    if (f->severity == SEVERITY_ERROR)
        count->errors++;
    else
        count->warnings++;
    if (f->code == FINDING_FILE_EMPTY || f->code == FINDING_FILE_GARBAGE)
        count->no_edi = true;
}

void reading_hint(struct printer *p, const struct input *in)
{
    const char *like = input_looks_like(in);

    if (like) {
        printer_text(p, "hint: ");
        printer_safe(p, slice_of(in->name));
        printer_printf(p, " looks like %s%s.\n", like,
                       slice_is(slice_of(like), "JSON") ? "; `waybill translate --to x12` makes documents of records"
                                                        : "");
    }
}
