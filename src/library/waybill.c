/*
 * The folder of guides and maps that an embedder opens, shared by all readers and writers made from it; errors; and
 * what the values of options mean.
 *
 * Reads files of that folder and files that the caller named, nothing else. Maps and files that callers named are
 * read under the lock of their `struct waybill`; plans and guides, once made, are only read.
 */
#include "library/library.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/limits.h"
#include "edi/dialect.h"

_Static_assert(WAYBILL_NOMEM == (int)ERR_NOMEM && WAYBILL_IO == (int)ERR_IO && WAYBILL_CONFIG == (int)ERR_CONFIG &&
                   WAYBILL_DATA == (int)ERR_DATA && WAYBILL_LIMIT == (int)ERR_LIMIT &&
                   WAYBILL_MISSING == (int)ERR_MISSING && WAYBILL_USAGE == (int)ERR_USAGE &&
                   WAYBILL_STOP == (int)ERR_STOP && WAYBILL_INTERNAL == (int)ERR_INTERNAL,
               "the codes of waybill.h are those of base/err.h");
_Static_assert(WAYBILL_WARNING == (int)SEVERITY_WARNING && WAYBILL_ERROR == (int)SEVERITY_ERROR,
               "the severities of waybill.h are those of edi/finding.h");

struct kept_guide {
    struct kept_guide *next;
    char *path;
    struct buf text;
    const struct guide *guide;      /* NULL: the file was wrong, but its words may be in the guides */
};

/* ---- errors ---- */

const char *waybill_strerror(int code)
{
    return code == 0 ? "no error" : err_name(code);
}

int library_fail(struct waybill_error *error, int code, const struct err *err, struct complaints *c)
{
    struct slice words = slice(NULL, 0);

    /* a guide or map that could not be read for want of memory is not wrong */
    if (code == ERR_CONFIG && c && c->nomem)
        code = ERR_NOMEM;
    if (!error)
        return code;
    if (err && err->code == code)
        words = slice_of(err->text);
    if (c && c->count && (code == ERR_CONFIG || words.n == 0))
        words = slice_trim(buf_slice(&c->text));
    if (words.n == 0)
        words = slice_of(waybill_strerror(code));
    error->code = code;
    if (words.n > sizeof(error->text) - 1)
        words.n = sizeof(error->text) - 1;
    memcpy(error->text, words.p, words.n);
    error->text[words.n] = 0;
    return code;
}

int library_unknown(const char *name, const char *const *names, struct err *err)
{
    struct slice best = { NULL, 0 }, wrong = slice_of(name);
    unsigned distance = 3;

    for (; *names; names++)
        suggest(wrong, slice_of(*names), &best, &distance);
    if (best.n)
        return err_set(err, ERR_USAGE, "there is no option \"%.60s\"; did you mean \"%.*s\"?", name, SLICE_FMT(best));
    return err_set(err, ERR_USAGE, "there is no option \"%.60s\"", name);
}

/* ---- the folder ---- */

int waybill_new(const char *maps, struct waybill **waybill_r, struct waybill_error *error)
{
    struct waybill *w;
    struct err err = { 0 };
    struct stat st;
    int rc = 0;

    *waybill_r = NULL;
    if (!maps || !*maps)
        return library_fail(error, err_set(&err, ERR_USAGE, "the folder of maps has no name"), &err, NULL);
    if (stat(maps, &st) < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        rc = err_system(&err, "%s", maps);
        if (missing)
            rc = err.code = ERR_MISSING;
    } else if (!S_ISDIR(st.st_mode)) {
        rc = err_set(&err, ERR_MISSING, "%s: is not a folder", maps);
    }
    if (rc)
        return library_fail(error, rc, &err, NULL);
    w = calloc(1, sizeof(*w));
    if (!w || pthread_mutex_init(&w->lock, NULL) != 0) {
        free(w);
        return library_fail(error, ERR_NOMEM, NULL, NULL);
    }
    rc = guides_new(maps, &w->guides, &err);
    if (rc == 0)
        rc = maps_new(maps, &w->maps, &err);
    if (rc) {
        waybill_free(&w);
        return library_fail(error, rc, &err, NULL);
    }
    *waybill_r = w;
    return 0;
}

void waybill_free(struct waybill **waybill)
{
    struct waybill *w = waybill ? *waybill : NULL;
    struct kept_guide *next;

    if (!w)
        return;
    maps_free(&w->maps);
    guides_free(&w->guides);
    for (struct kept_guide *k = w->guide; k; k = next) {
        next = k->next;
        buf_deinit(&k->text);
        free(k->path);
        free(k);
    }
    pthread_mutex_destroy(&w->lock);
    free(w);
    *waybill = NULL;
}

int library_add_map(struct waybill *w, struct library_choice *choice, const char *name, bool is_file,
                    struct complaints *c, struct err *err)
{
    const struct map *map = NULL;
    int rc;

    if (choice->n_maps == LIBRARY_FILES)
        return err_set(err, ERR_LIMIT, "there may be at most %d maps", LIBRARY_FILES);
    pthread_mutex_lock(&w->lock);
    rc = is_file ? maps_by_file(w->maps, name, c, &map, err) : maps_by_name(w->maps, slice_of(name), c, &map, err);
    pthread_mutex_unlock(&w->lock);
    if (rc == 0)
        choice->map[choice->n_maps++] = map;
    return rc;
}

static int read_guide(struct waybill *w, const char *path, struct complaints *c, const struct guide **guide_r,
                      struct err *err)
{
    struct kept_guide *k;
    int rc;

    for (k = w->guide; k; k = k->next)
        if (k->guide && strcmp(k->path, path) == 0) {
            *guide_r = k->guide;
            return 0;
        }
    k = calloc(1, sizeof(*k));
    if (!k)
        return err_nomem(err);
    buf_init(&k->text, LIMIT_CONFIG_FILE);
    k->path = strdup(path);
    rc = k->path ? file_read(path, &k->text, err) : err_nomem(err);
    if (rc < 0) {
        buf_deinit(&k->text);
        free(k->path);
        free(k);
        return rc;
    }
    k->next = w->guide;
    w->guide = k;
    rc = guides_read_delta(w->guides, slice_of(k->path), buf_slice(&k->text), c, &k->guide, err);
    if (rc < 0)
        k->guide = NULL;
    *guide_r = k->guide;
    return rc;
}

int library_add_guide(struct waybill *w, struct library_choice *choice, const char *path, struct complaints *c,
                      struct err *err)
{
    const struct guide *guide = NULL;
    int rc;

    if (choice->n_guides == LIBRARY_FILES)
        return err_set(err, ERR_LIMIT, "there may be at most %d guides", LIBRARY_FILES);
    pthread_mutex_lock(&w->lock);
    rc = read_guide(w, path, c, &guide, err);
    pthread_mutex_unlock(&w->lock);
    if (rc == 0)
        choice->guide[choice->n_guides++] = guide;
    return rc;
}

/* ---- plans ---- */

int library_plan_to_read(struct waybill *w, const struct library_choice *choice, struct slice set,
                         const struct guide *guide, struct complaints *c, const struct map_plan **plan_r,
                         struct err *err)
{
    const struct map *map = NULL;
    int rc = 0;

    *plan_r = NULL;
    pthread_mutex_lock(&w->lock);
    for (unsigned i = choice->n_maps; i > 0 && !map; i--)
        if (slice_eq(map_set(choice->map[i - 1]), set))
            map = choice->map[i - 1];
    if (!map) {
        rc = maps_by_set(w->maps, guide->standard, set, c, &map, err);
        if (rc == ERR_MISSING)
            rc = 0;
    }
    if (rc == 0 && map)
        rc = map_plan_for(w->maps, map, guide, c, plan_r, err);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

int library_plan_to_write(struct waybill *w, const struct library_choice *choice, const struct dialect *dialect,
                          struct slice kind, struct slice version, struct complaints *c, const struct guide **guide_r,
                          const struct map_plan **plan_r, struct err *err)
{
    const struct slice standard = slice_of(dialect->standard);
    const struct map *map = NULL;
    const struct guide *guide = NULL;
    int rc = 0;

    pthread_mutex_lock(&w->lock);
    for (unsigned i = choice->n_maps; i > 0 && !map; i--)
        if (slice_eq(map_kind(choice->map[i - 1])->name, kind) &&
            dialect_of_set(map_set(choice->map[i - 1])) == dialect)
            map = choice->map[i - 1];
    if (!map && (rc = maps_by_record(w->maps, standard, kind, c, &map, err)) == ERR_MISSING)
        err_set(err, rc, "no map makes %s of such records", dialect->name);
    for (unsigned i = choice->n_guides; rc == 0 && i > 0 && !guide; i--)
        if (slice_eq(choice->guide[i - 1]->set, map_set(map)))
            guide = choice->guide[i - 1];
    if (rc == 0 && !guide)
        rc = version.n ? guides_find(w->guides, standard, version, map_set(map), c, &guide, err)
                       : guides_by_id(w->guides, map_guide(map, 0), c, &guide, err);
    if (rc == 0)
        rc = map_plan_for(w->maps, map, guide, c, plan_r, err);
    pthread_mutex_unlock(&w->lock);
    *guide_r = guide;
    return rc;
}

/* ---- values of options ---- */

static bool two_digits(const char *p, int least, int most, int *value_r)
{
    if (!is_digit(p[0]) || !is_digit(p[1]))
        return false;
    *value_r = (p[0] - '0') * 10 + (p[1] - '0');
    return *value_r >= least && *value_r <= most;
}

bool library_time(struct slice v, struct edi_time *time_r)
{
    struct edi_time t = { .second = -1 };
    int century;

    if ((v.n != 16 && v.n != 19) || v.p[4] != '-' || v.p[7] != '-' || (v.p[10] != 'T' && v.p[10] != ' ') ||
        v.p[13] != ':' || !two_digits(v.p, 0, 99, &century) || !two_digits(v.p + 2, 0, 99, &t.year) ||
        !two_digits(v.p + 5, 1, 12, &t.month) || !two_digits(v.p + 8, 1, 31, &t.day) ||
        !two_digits(v.p + 11, 0, 23, &t.hour) || !two_digits(v.p + 14, 0, 59, &t.minute))
        return false;
    if (v.n == 19 && (v.p[16] != ':' || !two_digits(v.p + 17, 0, 59, &t.second)))
        return false;
    t.year += century * 100;
    *time_r = t;
    return true;
}

bool library_switch(struct slice value, bool *on_r)
{
    *on_r = slice_is(value, "yes");
    return *on_r || slice_is(value, "no");
}

bool library_line_end(struct slice value, const char **end_r)
{
    *end_r = slice_is(value, "newline") ? "\n" : slice_is(value, "crlf") ? "\r\n" : "";
    return **end_r || slice_is(value, "none");
}

int library_allow(struct finding_policy *policy, struct slice value, bool refuse, struct err *err)
{
    bool more = true;

    while (more) {
        struct slice name = slice_trim(slice_cut(value, ',', &value, &more));
        if (name.n && !(refuse ? finding_policy_refuse(policy, name) : finding_policy_allow(policy, name)))
            return err_set(err, ERR_USAGE, "no finding that can be %s is called \"%.*s\"",
                           refuse ? "refused" : "allowed", name.n < 60 ? (int)name.n : 60, name.p);
    }
    return 0;
}

const char *library_text(struct arena *arena, struct slice text)
{
    char *p = arena_alloc(arena, text.n + 1);

    if (!p)
        return NULL;
    if (text.n)
        memcpy(p, text.p, text.n);
    p[text.n] = 0;
    return p;
}
