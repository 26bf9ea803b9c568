/* agreement: see agreement.h. */
#include "flow/agreement.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "edi/dialect.h"

struct kept_text {
    struct kept_text *next;
    struct buf path;
    struct buf text;
};

enum { PASSWORD_MOST = 14 };

struct agreement {
    const struct partner *partner;
    struct guides *library;
    struct kept_text *text;
    const struct guide **guide;         /* room for every line that could name one */
    unsigned n_guides;
    const struct map **map;             /* of each route */
    const struct map **used;            /* each once */
    unsigned n_used;
    char (*password)[PASSWORD_MOST + 1];    /* of each identity; NULL: no line names any */
};

static bool exists(const struct buf *path)
{
    return access(path->p, F_OK) == 0;
}

/* Reads one file as a guide, once. */
static int read_file(struct agreement *a, struct buf *path, const struct place *at, struct complaints *c,
                     const struct guide **guide_r, struct err *err)
{
    struct kept_text *t;
    unsigned before = c->count;
    int rc;

    for (t = a->text; t; t = t->next)
        if (slice_eq(buf_slice(&t->path), buf_slice(path))) {
            buf_deinit(path);
            *guide_r = NULL;
            return 0;
        }
    t = calloc(1, sizeof(*t));
    if (!t) {
        buf_deinit(path);
        return err_nomem(err);
    }
    t->path = *path;
    buf_init(&t->text, LIMIT_CONFIG_FILE);
    t->next = a->text;
    a->text = t;
    rc = file_read(t->path.p, &t->text, err);
    if (rc == 0)
        rc = guides_read_delta(a->library, buf_slice(&t->path), buf_slice(&t->text), c, guide_r, err);
    if (rc < 0 && rc != ERR_NOMEM && c->count == before)
        complain(c, at, "%s", err ? err->text : "the guide cannot be read");
    return rc == ERR_NOMEM ? rc : 0;
}

/* A guide by the name that the partner file gives it. `only_beside`: nobody named it, it may be missing. */
static int read_guide(struct agreement *a, struct slice name, const struct place *at, bool only_beside,
                      struct complaints *c, struct err *err)
{
    const struct guide *guide = NULL;
    struct buf path;
    int rc;

    if (!partner_path(a->partner, name, ".guide", &path))
        return err_nomem(err);
    if (exists(&path)) {
        rc = read_file(a, &path, at, c, &guide, err);
    } else {
        unsigned before = c->count;
        buf_deinit(&path);
        if (only_beside)
            return 0;
        rc = guides_by_id(a->library, name, c, &guide, err);
        if (rc < 0 && rc != ERR_NOMEM && c->count == before) {
            complain(c, at, "there is no guide \"%.*s\"", SLICE_FMT(name));
            complain_hint(c, "it is looked for beside the partner file, then in the maps folder.");
        }
        rc = rc == ERR_NOMEM ? rc : 0;
    }
    for (unsigned i = 0; guide && i < a->n_guides; i++)
        if (a->guide[i] == guide)
            guide = NULL;
    if (rc == 0 && guide)
        a->guide[a->n_guides++] = guide;
    return rc;
}

/* Passwords are read once, and written where a partner wants them: they stand in nothing that is told. */
static int read_passwords(struct agreement *a, struct complaints *c, struct err *err)
{
    for (unsigned i = 0; i < a->partner->n_identities; i++) {
        const struct partner_identity *x = &a->partner->identity[i];
        struct buf path, text;
        bool good = true;
        int rc;

        if (!x->password_file.n)
            continue;
        if (!a->password && !(a->password = calloc(a->partner->n_identities, sizeof(*a->password))))
            return err_nomem(err);
        if (!partner_path(a->partner, x->password_file, "", &path))
            return err_nomem(err);
        buf_init(&text, 4096);
        rc = file_read(path.p, &text, err);
        while (rc == 0 && text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
            text.n--;
        for (size_t k = 0; rc == 0 && k < text.n; k++)
            good &= text.p[k] >= 0x20 && text.p[k] < 0x7f;
        if (rc < 0 && rc != ERR_NOMEM)
            complain(c, &x->password_at, "%s", err ? err->text : "the file cannot be read");
        else if (rc == 0 && (!good || text.n == 0 || text.n > PASSWORD_MOST))
            complain(c, &x->password_at, "the file does not hold a password of 1 to %d characters", PASSWORD_MOST);
        else if (rc == 0)
            memcpy(a->password[i], text.p, text.n);
        if (text.n)
            explicit_bzero(text.p, text.n);
        buf_deinit(&text);
        buf_deinit(&path);
        if (rc == ERR_NOMEM)
            return rc;
    }
    return 0;
}

int agreement_new(const struct partner *partner, struct guides *guides, struct complaints *c,
                  struct agreement **agreement_r, struct err *err)
{
    struct agreement *a = calloc(1, sizeof(*a));
    unsigned before = c->count;
    int rc = 0;

    *agreement_r = NULL;
    if (!a)
        return err_nomem(err);
    a->partner = partner;
    a->library = guides;
    a->guide = calloc(partner->n_guides + 2 * (size_t)partner->n_routes + 1, sizeof(struct guide *));
    a->map = calloc((size_t)partner->n_routes + 1, sizeof(struct map *));
    a->used = calloc((size_t)partner->n_routes + 1, sizeof(struct map *));
    *agreement_r = a;
    if (!a->guide || !a->map || !a->used) {
        agreement_free(agreement_r);
        return err_nomem(err);
    }
    for (unsigned i = 0; rc == 0 && i < partner->n_guides; i++)
        rc = read_guide(a, partner->guide[i].name, &partner->guide[i].at, false, c, err);
    for (unsigned i = 0; rc == 0 && i < partner->n_routes; i++) {
        const struct partner_route *route = &partner->route[i];
        if (route->guide.n)
            rc = read_guide(a, route->guide, &route->guide_at, false, c, err);
        else if (route->map.n && route->map.n > 4 && slice_is(slice_from(route->map, route->map.n - 4), ".map"))
            rc = read_guide(a, slice(route->map.p, route->map.n - 4), &route->map_at, true, c, err);
        else if (route->map.n)
            rc = read_guide(a, route->map, &route->map_at, true, c, err);
    }
    if (rc == 0)
        rc = read_passwords(a, c, err);
    if (rc == 0 && c->nomem)
        rc = err_nomem(err);
    if (rc == 0 && c->count > before)
        rc = err_set(err, ERR_CONFIG, "%.*s: what it names is wrong", SLICE_FMT(partner->file));
    return rc;
}

void agreement_free(struct agreement **agreement)
{
    struct agreement *a = *agreement;

    if (!a)
        return;
    while (a->text) {
        struct kept_text *t = a->text;
        a->text = t->next;
        buf_deinit(&t->path);
        buf_deinit(&t->text);
        free(t);
    }
    if (a->password)
        explicit_bzero(a->password, a->partner->n_identities * sizeof(*a->password));
    free(a->password);
    free(a->guide);
    free(a->map);
    free(a->used);
    free(a);
    *agreement = NULL;
}

/* "x12" or "edifact": whose document type it is. */
static struct slice standard_of(struct slice document)
{
    return slice_of(dialect_of_set(document)->standard);
}

/* Is there any map for the document type? */
static bool set_is_known(struct maps *maps, struct slice document)
{
    struct complaints ignored;
    const struct map *map;
    int rc;

    complaints_init(&ignored);
    rc = maps_by_set(maps, standard_of(document), document, &ignored, &map, NULL);
    complaints_deinit(&ignored);
    return rc != ERR_MISSING;
}

static void check_route(const struct partner_route *route, const struct map *map, struct complaints *c)
{
    struct slice kind = map_kind(map)->name, set = map_set(map), best = { NULL, 0 };
    unsigned distance = 3;

    if (route->record.n && !slice_eq(route->record, kind)) {
        complain(c, &route->record_at, "the map %.*s is for the record \"%.*s\", and not for \"%.*s\"",
                 SLICE_FMT(map_name(map)), SLICE_FMT(kind), SLICE_FMT(route->record));
        suggest(route->record, kind, &best, &distance);
        if (best.n)
            complain_hint(c, "did you mean \"%.*s\"?", SLICE_FMT(best));
    }
    if (route->document.n && set.n && !slice_eq(route->document, set))
        complain(c, &route->map_at, "this map is for %.*s, and not for %.*s", SLICE_FMT(set),
                 SLICE_FMT(route->document));
}

static int read_map(struct agreement *a, const struct partner_route *route, struct maps *maps, struct complaints *c,
                    const struct map **map_r, struct err *err)
{
    unsigned before = c->count;
    struct err own = { 0 };
    struct buf path;
    int rc;

    *map_r = NULL;
    if (!partner_path(a->partner, route->map, ".map", &path))
        return err_nomem(err);
    if (exists(&path)) {
        rc = maps_by_file(maps, path.p, c, map_r, &own);
    } else {
        rc = maps_by_name(maps, route->map, c, map_r, &own);
        if (rc == ERR_MISSING && route->document.n && slice_is(standard_of(route->document), "edifact") &&
            !set_is_known(maps, route->document))
            rc = 0;
    }
    buf_deinit(&path);
    if (rc == ERR_MISSING) {
        complain(c, &route->map_at, "there is no map \"%.*s\"", SLICE_FMT(route->map));
        complain_hint(c, "it is looked for beside the partner file, then in the maps folder.");
    } else if (rc < 0 && rc != ERR_NOMEM && c->count == before) {
        complain(c, &route->map_at, "%s", own.text);
    } else if (rc == 0 && *map_r) {
        check_route(route, *map_r, c);
    }
    return rc == ERR_NOMEM ? err_nomem(err) : 0;
}

int agreement_read_maps(struct agreement *a, struct maps *maps, struct complaints *c, struct err *err)
{
    unsigned before = c->count;

    a->n_used = 0;
    for (unsigned i = 0; i < a->partner->n_routes; i++) {
        int rc = a->partner->route[i].map.n ? read_map(a, &a->partner->route[i], maps, c, &a->map[i], err) : 0;
        if (rc < 0)
            return rc;
    }
    /* who receives a document asks first how it is received */
    for (unsigned i = 0; i < 2 * a->partner->n_routes; i++) {
        unsigned route = i % a->partner->n_routes, k = 0;
        if (!a->map[route] || a->partner->route[route].send != (i >= a->partner->n_routes))
            continue;
        while (k < a->n_used && a->used[k] != a->map[route])
            k++;
        if (k == a->n_used)
            a->used[a->n_used++] = a->map[route];
    }
    if (c->nomem)
        return err_nomem(err);
    return c->count > before
               ? err_set(err, ERR_CONFIG, "%.*s: what it names is wrong", SLICE_FMT(a->partner->file))
               : 0;
}

/* --- Words ------------------------------------------------------------------------------ */

/* What stands under a line `receive` or `send`; NULL: it has no such keyword. */
static const struct partner_setting *setting_of(const struct partner *p, const struct partner_route *route,
                                                const char *keyword)
{
    for (const struct partner_setting *s = p->setting->first; s; s = s->next) {
        if (s->at.line != route->at.line || s->at.column != route->at.column)
            continue;
        for (const struct partner_setting *in = s->first; in; in = in->next)
            if (strcmp(in->keyword->name, keyword) == 0)
                return in;
    }
    return NULL;
}

static struct place place_of_value(const struct partner_setting *s, unsigned i)
{
    struct place at = s->value_at;

    if (at.text.n && s->value[i].p >= s->value[0].p && s->value[i].p < s->value[0].p + at.text.n)
        at.column += (uint32_t)(s->value[i].p - s->value[0].p);
    at.width = (uint32_t)s->value[i].n;
    return at;
}

/* A kind of record that is named, and the field of it that a condition is about. */
static void check_kind(const struct partner *p, const struct partner_route *route, const struct record_kind *kind,
                       struct maps *maps, struct complaints *c)
{
    const struct partner_setting *when = setting_of(p, route, "when");

    if (!kind && route->record.n) {
        struct slice like = maps_like_record(maps, route->record);
        complain(c, &route->record_at, "there is no kind of record \"%.*s\"", SLICE_FMT(route->record));
        if (like.n)
            complain_hint(c, "did you mean \"%.*s\"?", SLICE_FMT(like));
        return;
    }
    if (kind && when && route->when.n && !record_field_at(kind, route->when)) {
        struct place at = place_of_value(when, 0);
        complain(c, &at, "the record \"%.*s\" has no field \"%.*s\"", SLICE_FMT(kind->name), SLICE_FMT(route->when));
    }
}

/* A document type without a map of the partner's: the standard's own, if there is one. */
static int standard_map(const struct partner_route *route, struct guides *guides, struct maps *maps,
                        struct complaints *c, const struct map **map_r, struct err *err)
{
    const struct guide *guide = NULL;
    struct complaints ignored;
    int rc, found;

    *map_r = NULL;
    complaints_init(&ignored);
    rc = maps_by_set(maps, standard_of(route->document), route->document, &ignored, map_r, NULL);
    if (rc == ERR_MISSING) {
        found =
            guides_find(guides, standard_of(route->document), SLICE("004010"), route->document, &ignored, &guide, NULL);
        complain(c, &route->at, "there is %s for %.*s, so that no record is made of it, nor it of one",
                 found == ERR_MISSING ? "neither guide nor map" : "no map", SLICE_FMT(route->document));
        complain_hint(c, "`waybill map list` shows those that there are; `map NAME` names one beside this file.");
    }
    complaints_deinit(&ignored);
    return rc == ERR_NOMEM ? err_nomem(err) : 0;
}

/* A document type of a standard that the file has no ids for: each of its interchanges would be one of others. */
static void check_standard(const struct partner *p, const struct partner_route *route, struct complaints *c)
{
    const struct dialect *d = dialect_of_set(route->document);

    for (unsigned i = 0; i < p->n_identities; i++)
        if (p->identity[i].dialect == d)
            return;
    if (!p->n_identities)
        return;
    complain(c, &route->at, "%.*s is a document of %s, and the file has no line \"%s\"", SLICE_FMT(route->document),
             d == &dialect_x12 ? "X12" : "EDIFACT", d->standard);
    complain_hint(c, "it says by which ids the partner and we go there.");
}

int agreement_check_lines(const struct partner *p, struct guides *guides, struct maps *maps, struct complaints *c,
                          struct err *err)
{
    for (unsigned i = 0; i < p->n_routes; i++) {
        const struct partner_route *route = &p->route[i];
        const struct record_kind *kind = NULL;
        const struct map *map = NULL;
        struct complaints ignored;
        int rc = 0;

        if (route->document.n)
            check_standard(p, route, c);
        if (route->document.n && !route->map.n)
            rc = standard_map(route, guides, maps, c, &map, err);
        if (rc < 0)
            return rc;
        complaints_init(&ignored);
        if (route->record.n)
            kind = maps_newest_record(maps, route->record, &ignored);
        complaints_deinit(&ignored);
        if (!kind && map && !route->record.n)
            kind = map_kind(map);
        check_kind(p, route, kind, maps, c);
        if (kind && map && route->record.n && !slice_eq(map_kind(map)->name, kind->name)) {
            complain(c, &route->record_at, "the map for %.*s is for the record \"%.*s\", and not for \"%.*s\"",
                     SLICE_FMT(route->document), SLICE_FMT(map_kind(map)->name), SLICE_FMT(route->record));
            complain_hint(c, "`map NAME` names another one.");
        }
    }
    return c->nomem ? err_nomem(err) : 0;
}

/* The name of a file without folders. */
static struct slice file_name(struct slice path)
{
    const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
    return slash ? slice_from(path, (size_t)(slash + 1 - path.p)) : path;
}

bool agreement_check_name(const struct partner *p, struct complaints *c)
{
    struct slice file = file_name(p->file);
    struct place at = p->setting->value_at;

    if (file.n == p->name.n + strlen(".conf") && slice_starts(file, p->name) &&
        slice_is(slice_from(file, p->name.n), ".conf"))
        return true;
    complain(c, &at, "this file is about \"%.*s\", and is called %.*s: nothing goes by it", SLICE_FMT(p->name),
             SLICE_FMT(file));
    complain_hint(c, "a file is named after its partner: %.*s.conf.", SLICE_FMT(p->name));
    return false;
}

/* The partner whose name is like that. */
static void suggest_partner(const struct partner *p, struct slice name, struct complaints *c)
{
    struct slice folder = slice(p->file.p, p->file.n - file_name(p->file).n), best = { NULL, 0 };
    unsigned distance = 3;
    char path[4096], like[256] = "";
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof(path), "%.*s", folder.n ? (int)folder.n : 1, folder.n ? folder.p : ".");
    dir = opendir(path);
    while (dir && (entry = readdir(dir)) != NULL) {
        struct slice file = slice_of(entry->d_name);
        unsigned before = distance;
        if (file.n <= 5 || file.p[0] == '.' || !slice_is(slice_from(file, file.n - 5), ".conf"))
            continue;
        suggest(name, slice(file.p, file.n - 5), &best, &distance);
        if (distance < before)
            snprintf(like, sizeof(like), "%.*s", (int)file.n - 5, file.p);
    }
    if (dir)
        closedir(dir);
    if (like[0])
        complain_hint(c, "did you mean \"%s\"?", like);
}

int agreement_check_receivers(const struct partner *p, struct complaints *c, struct err *err)
{
    for (unsigned i = 0; i < p->n_routes; i++) {
        const struct partner_route *route = &p->route[i];
        const struct partner_setting *to = setting_of(p, route, "to");

        for (unsigned k = 0; to && k < to->n; k++) {
            struct buf path;
            struct place at = place_of_value(to, k);
            if (slice_is(to->value[k], "origin"))
                continue;
            if (!partner_path(p, to->value[k], ".conf", &path))
                return err_nomem(err);
            if (!exists(&path)) {
                complain(c, &at, "there is no partner \"%.*s\"", SLICE_FMT(to->value[k]));
                suggest_partner(p, to->value[k], c);
            }
            buf_deinit(&path);
        }
    }
    return c->nomem ? err_nomem(err) : 0;
}

const struct partner *agreement_partner(const struct agreement *a)
{
    return a->partner;
}

struct slice agreement_password(const struct agreement *a, unsigned identity)
{
    return a->password && identity < a->partner->n_identities ? slice_of(a->password[identity]) : slice(NULL, 0);
}

const struct guide *const *agreement_guides(const struct agreement *a, unsigned *n_r)
{
    *n_r = a->n_guides;
    return a->guide;
}

const struct map *const *agreement_maps(const struct agreement *a, unsigned *n_r)
{
    *n_r = a->n_used;
    return a->used;
}

const struct map *agreement_map(const struct agreement *a, unsigned route)
{
    return route < a->partner->n_routes ? a->map[route] : NULL;
}
