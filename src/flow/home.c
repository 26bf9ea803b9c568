/* home: see home.h. */
#include "flow/home.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/lines.h"

enum { PATH_CEILING = 4096, PARTNERS = 100000, TEXT = 64 << 20 };

struct carried { /* a map between records, as it was found for a partner */
    struct carried *next;
    struct slice from, to;
    const struct carry_plan *plan; /* NULL: there is none */
};

struct member {
    struct partner *partner;
    struct agreement *agreement; /* NULL: not asked for yet */
    struct carried *carried;
    bool wrong; /* what he names is */
};

struct home {
    struct home_settings settings;
    struct arena arena;
    struct guides *guides;
    struct maps *maps;
    struct member *member;
    unsigned n, room;
};

/* --- waybill.conf ---------------------------------------------------------------------- */

enum meaning { MEANS_FOLDER, MEANS_TIME, MEANS_NUMBER, MEANS_SIZE };

static const struct {
    const char *name;
    enum meaning meaning;
    size_t at;
} keywords[] = {
    { "partners", MEANS_FOLDER, offsetof(struct home_settings, partners) },
    { "keys", MEANS_FOLDER, offsetof(struct home_settings, keys) },
    { "spool", MEANS_FOLDER, offsetof(struct home_settings, spool) },
    { "maps", MEANS_FOLDER, offsetof(struct home_settings, maps) },
    { "settle", MEANS_TIME, offsetof(struct home_settings, settle) },
    { "bundle-members", MEANS_NUMBER, offsetof(struct home_settings, bundle_members) },
    { "bundle-size", MEANS_SIZE, offsetof(struct home_settings, bundle_size) },
};
enum { KEYWORDS = sizeof(keywords) / sizeof(keywords[0]) };

/* A path as the home means it: relative to its folder. NULL: memory. */
static const char *home_path(struct home *h, struct slice path)
{
    struct slice folder = slice_of(h->settings.folder);
    bool whole = path.n && path.p[0] == '/';
    size_t n = whole ? path.n : folder.n + 1 + path.n;
    char *text = arena_alloc(&h->arena, n + 1);

    if (!text)
        return NULL;
    if (!whole) {
        memcpy(text, folder.p, folder.n);
        text[folder.n] = '/';
    }
    memcpy(text + n - path.n, path.p, path.n);
    text[n] = '\0';
    return text;
}

/* "30s", "64M": a number with a unit behind it. */
static bool number_with_unit(struct slice word, const char *units, const uint64_t *factor, uint64_t *number_r)
{
    const char *unit = word.n > 1 && word.p[word.n - 1] ? strchr(units, word.p[word.n - 1]) : NULL;

    if (unit)
        word.n--;
    if (!slice_number(word, 1000000000, number_r))
        return false;
    return !unit || !__builtin_mul_overflow(*number_r, factor[unit - units], number_r);
}

static void read_setting(struct home *h, struct lines *lines, const struct line *line)
{
    static const uint64_t seconds[] = { 1, 60, 3600, 86400 }, bytes[] = { 1 << 10, 1 << 20, 1 << 30, 1ull << 40 };
    struct slice name = line->word[0].s, best = { NULL, 0 }, value;
    struct place at = lines_place(lines, line, 0);
    unsigned distance = 3, k = 0;
    char *field;
    bool good = true;

    while (k < KEYWORDS && !slice_is(name, keywords[k].name))
        k++;
    if (k == KEYWORDS) {
        complain(lines->complaints, &at, "unknown keyword \"%.*s\"", SLICE_FMT(name));
        for (k = 0; k < KEYWORDS; k++)
            suggest(name, slice_of(keywords[k].name), &best, &distance);
        if (best.n)
            complain_hint(lines->complaints, "did you mean \"%.*s\"?", SLICE_FMT(best));
        return;
    }
    if (line->n != 2) {
        complain(lines->complaints, &at, "\"%s\" takes one value", keywords[k].name);
        return;
    }
    value = line->word[1].s;
    at = lines_place(lines, line, 1);
    field = (char *)&h->settings + keywords[k].at;
    if (keywords[k].meaning == MEANS_FOLDER) {
        const char *path = home_path(h, value);
        lines->complaints->nomem = lines->complaints->nomem || !path;
        memcpy(field, &path, sizeof(path));
        return;
    }
    uint64_t number = 0;
    if (keywords[k].meaning == MEANS_TIME)
        good = number_with_unit(value, "smhd", seconds, &number);
    else if (keywords[k].meaning == MEANS_SIZE)
        good = number_with_unit(value, "KMGT", bytes, &number);
    else
        good = slice_number(value, 1000000000, &number);
    if (!good)
        complain(lines->complaints, &at, "\"%.*s\" is not %s", SLICE_FMT(value),
                 keywords[k].meaning == MEANS_TIME   ? "a time such as 2s, 1m"
                 : keywords[k].meaning == MEANS_SIZE ? "a size such as 512M, 4G"
                                                     : "a number");
    else
        memcpy(field, &number, sizeof(number));
}

static int read_settings(struct home *h, struct complaints *c, struct err *err)
{
    const char *path = home_path(h, SLICE("waybill.conf"));
    struct lines lines;
    struct line line;
    struct buf text;
    unsigned before = c->count;
    int rc;

    if (!path)
        return err_nomem(err);
    buf_init(&text, LIMIT_CONFIG_FILE);
    rc = file_read(path, &text, err);
    if (rc == 0) {
        lines_init(&lines, slice_of(path), buf_slice(&text), &h->arena, c);
        while (lines_next(&lines, &line))
            read_setting(h, &lines, &line);
    }
    buf_deinit(&text);
    if (rc == 0 && c->nomem)
        return err_nomem(err);
    return rc == 0 && c->count > before ? err_set(err, ERR_CONFIG, "%s is wrong", path) : rc;
}

/* --- Partners -------------------------------------------------------------------------- */

static int compare_members(const void *a, const void *b)
{
    return slice_cmp(((const struct member *)a)->partner->name, ((const struct member *)b)->partner->name);
}

static int add_partner(struct home *h, const char *file, struct complaints *c, struct err *err)
{
    struct partner *partner = NULL;
    struct err own = { 0 };
    unsigned before = c->count;
    struct buf path;
    int rc;

    if (h->n == h->room) {
        unsigned room = h->room ? h->room * 2 : 16;
        struct member *grown = room > PARTNERS ? NULL : realloc(h->member, room * sizeof(*grown));
        if (!grown)
            return err_nomem(err);
        h->member = grown;
        h->room = room;
    }
    buf_init(&path, PATH_CEILING);
    buf_printf(&path, "%s/%s", h->settings.partners, file);
    rc = *buf_text(&path) && !path.failed ? partner_load(path.p, c, &partner, &own) : err_nomem(err);
    if (rc < 0 && rc != ERR_NOMEM && c->count == before) {
        /* it could not be read at all */
        struct place at = { .file = buf_slice(&path) };
        complain(c, &at, "%s", own.text);
    }
    buf_deinit(&path);
    if (rc == 0 && !agreement_check_name(partner, c))
        partner_free(&partner);
    else if (rc == 0)
        h->member[h->n++] = (struct member){ .partner = partner };
    return rc == ERR_NOMEM ? err_nomem(err) : 0;
}

static int read_partners(struct home *h, struct complaints *c, struct err *err)
{
    DIR *folder = opendir(h->settings.partners);
    struct dirent *entry;
    int rc = 0;

    if (!folder)
        return err_system(err, "%s", h->settings.partners);
    while (rc == 0 && (errno = 0, entry = readdir(folder)) != NULL) {
        size_t n = strlen(entry->d_name);
        if (entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0)
            rc = add_partner(h, entry->d_name, c, err);
    }
    closedir(folder);
    if (rc < 0)
        return rc;
    if (h->n)
        qsort(h->member, h->n, sizeof(*h->member), compare_members);
    for (unsigned i = 0; rc == 0 && i < h->n; i++)
        rc = agreement_check_receivers(h->member[i].partner, c, err);
    return rc;
}

/* --- The home -------------------------------------------------------------------------- */

int home_find(const char *option, struct buf *path, struct err *err)
{
    const char *environment = getenv("WAYBILL_HOME");
    const char *folder = option ? option : environment && *environment ? environment : "/etc/waybill";

    buf_clear(path);
    buf_printf(path, "%s/waybill.conf", folder);
    if (!*buf_text(path) || path->failed)
        return err_nomem(err);
    if (access(path->p, F_OK) < 0)
        return err_set(err, ERR_MISSING,
                       "%s%s has no waybill.conf: `waybill init DIR` makes a home; --home or WAYBILL_HOME "
                       "names it",
                       option                        ? "--home: "
                       : environment && *environment ? "WAYBILL_HOME: "
                                                     : "",
                       folder);
    path->n -= strlen("/waybill.conf");
    buf_text(path);
    return 0;
}

/* Where the settings say nothing. */
static bool set_defaults(struct home *h, const char *folder, const char *maps)
{
    struct home_settings *s = &h->settings;

    s->folder = arena_copy(&h->arena, slice(folder, strlen(folder) + 1)).p;
    if (!s->folder)
        return false;
    *s = (struct home_settings){
        .folder = s->folder,
        .partners = home_path(h, SLICE("partners")),
        .keys = home_path(h, SLICE("keys")),
        .spool = home_path(h, SLICE("spool")),
        .maps = arena_copy(&h->arena, slice(maps, strlen(maps) + 1)).p,
        .settle = 2,
        .bundle_members = 10000,
        .bundle_size = 4ull << 30,
    };
    return s->partners && s->keys && s->spool && s->maps;
}

int home_open(const char *folder, const char *maps, struct complaints *c, struct home **home_r, struct err *err)
{
    struct home *h = calloc(1, sizeof(*h));
    int rc;

    *home_r = NULL;
    if (!h)
        return err_nomem(err);
    arena_init(&h->arena, TEXT);
    rc = set_defaults(h, folder, maps) ? read_settings(h, c, err) : err_nomem(err);
    if (rc == 0)
        rc = guides_new(h->settings.maps, &h->guides, err);
    if (rc == 0)
        rc = maps_new(h->settings.maps, &h->maps, err);
    if (rc == 0)
        rc = read_partners(h, c, err);
    if (rc == 0)
        *home_r = h;
    else
        home_close(&h);
    return rc;
}

int home_check(struct home *h, struct complaints *c, struct err *err)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < h->n; i++)
        rc = agreement_check_lines(h->member[i].partner, h->guides, h->maps, c, err);
    return rc;
}

void home_close(struct home **home)
{
    struct home *h = *home;

    if (!h)
        return;
    /* plans borrow from guides, and guides from the texts that agreements hold */
    maps_free(&h->maps);
    guides_free(&h->guides);
    for (unsigned i = 0; i < h->n; i++) {
        agreement_free(&h->member[i].agreement);
        partner_free(&h->member[i].partner);
    }
    free(h->member);
    arena_deinit(&h->arena);
    free(h);
    *home = NULL;
}

const struct home_settings *home_settings(const struct home *h)
{
    return &h->settings;
}

struct guides *home_guides(struct home *h)
{
    return h->guides;
}

struct maps *home_maps(struct home *h)
{
    return h->maps;
}

unsigned home_partners(const struct home *h)
{
    return h->n;
}

const struct partner *home_partner_at(const struct home *h, unsigned i)
{
    return h->member[i].partner;
}

static struct member *find_member(const struct home *h, struct slice name)
{
    unsigned low = 0, high = h->n;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        int order = slice_cmp(h->member[middle].partner->name, name);
        if (order == 0)
            return &h->member[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct partner *home_partner(const struct home *h, struct slice name)
{
    const struct member *m = find_member(h, name);
    return m ? m->partner : NULL;
}

int home_agreement(struct home *h, const struct partner *p, struct agreement **agreement_r, struct err *err)
{
    struct member *m = find_member(h, p->name);
    struct complaints c;
    int rc = 0;

    *agreement_r = NULL;
    if (!m)
        return err_set(err, ERR_INTERNAL, "%.*s is no partner of this home", SLICE_FMT(p->name));
    if (!m->agreement && !m->wrong) {
        complaints_init(&c);
        rc = agreement_new(p, h->guides, &c, &m->agreement, err);
        if (rc == 0)
            rc = agreement_read_maps(m->agreement, h->maps, &c, err);
        complaints_deinit(&c);
        m->wrong = rc < 0 && rc != ERR_NOMEM;
    }
    if (m->wrong)
        return err_set(err, ERR_CONFIG, "%.*s: what it names is wrong; `waybill partner check` says what",
                       SLICE_FMT(p->file));
    if (rc == 0)
        *agreement_r = m->agreement;
    return rc;
}

/* The partner's own map, else the one of the maps folder; NULL: neither is there. */
static int find_carry(struct home *h, const struct partner *p, struct slice from, struct slice to, struct complaints *c,
                      const struct map **map_r, struct err *err)
{
    struct buf name, path;
    int rc;

    buf_init(&name, PATH_CEILING);
    buf_printf(&name, "%.*s/%.*s", SLICE_FMT(p->name), SLICE_FMT(to));
    if (!*buf_text(&name) || name.failed || !partner_path(p, buf_slice(&name), ".map", &path)) {
        buf_deinit(&name);
        return err_nomem(err);
    }
    rc = access(buf_text(&path), F_OK) == 0 ? maps_by_file(h->maps, buf_text(&path), c, map_r, err) : ERR_MISSING;
    buf_deinit(&path);
    if (rc == 0 && !(map_between_records(*map_r) && slice_eq(map_from_kind(*map_r)->name, from)))
        rc = ERR_MISSING;
    if (rc == ERR_MISSING) {
        buf_clear(&name);
        buf_printf(&name, "records/%.*s-%.*s", SLICE_FMT(from), SLICE_FMT(to));
        rc = *buf_text(&name) && !name.failed ? maps_by_name(h->maps, buf_slice(&name), c, map_r, err) : err_nomem(err);
    }
    buf_deinit(&name);
    if (rc == ERR_MISSING)
        *map_r = NULL;
    return rc == ERR_MISSING ? 0 : rc;
}

int home_carry(struct home *h, const struct partner *p, struct slice from, struct slice to,
               const struct carry_plan **plan, struct err *err)
{
    struct member *m = find_member(h, p->name);
    const struct map *map = NULL;
    struct complaints c;
    struct carried *found;
    int rc;

    *plan = NULL;
    if (!m)
        return err_set(err, ERR_INTERNAL, "%.*s is no partner of this home", SLICE_FMT(p->name));
    for (found = m->carried; found; found = found->next)
        if (slice_eq(found->from, from) && slice_eq(found->to, to)) {
            *plan = found->plan;
            return 0;
        }
    found = ARENA_ARRAY(&h->arena, 1, struct carried);
    if (!found)
        return err_nomem(err);
    *found =
        (struct carried){ .next = m->carried, .from = arena_copy(&h->arena, from), .to = arena_copy(&h->arena, to) };
    if (!found->from.p || !found->to.p)
        return err_nomem(err);
    complaints_init(&c);
    rc = find_carry(h, p, from, to, &c, &map, err);
    if (rc == 0 && map)
        rc = carry_plan_for(h->maps, map, &c, &found->plan, err);
    complaints_deinit(&c);
    if (rc == ERR_CONFIG)
        return err_set(err, rc, "the map from %.*s to %.*s for %.*s is wrong; `waybill map check` says how",
                       SLICE_FMT(from), SLICE_FMT(to), SLICE_FMT(p->name));
    if (rc < 0)
        return rc;
    m->carried = found;
    *plan = found->plan;
    return 0;
}
