/* maps: see map.h. Everything read lives in one arena until maps_free(); record kinds own themselves. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "map/carry_inside.h"
#include "map/compile.h"

enum { MAPS_MEMORY = 64 << 20, FROM_DEPTH = 8 };

struct kept_kind {
    struct kept_kind *next;
    struct record_kind *kind;
    bool newest;                /* of its name: looked for once */
};

struct kept_lookup {
    struct kept_lookup *next;
    struct lookup *lookup;
    struct slice file, text;
    struct slice column[LOOKUP_KEYS + 1];   /* the keys, then the value */
    unsigned n;
};

/* A map that was found by how the name of its folder begins, or ends: for each document one is asked for. */
struct kept_folder {
    struct kept_folder *next;
    struct slice standard, begin, end;
    const struct map *map;
};

struct maps {
    struct arena arena;
    struct slice directory;     /* ends in a NUL that is not counted */
    struct map *shared;             /* files of blocks */
    struct map *map;
    struct map_table *table;    /* shared ones */
    struct kept_kind *kind;
    struct kept_file *file;
    struct kept_lookup *lookup;
    struct kept_folder *folder;
};

int maps_new(const char *directory, struct maps **maps_r, struct err *err)
{
    struct maps *m = calloc(1, sizeof(*m));
    *maps_r = NULL;
    if (!m)
        return err_nomem(err);
    arena_init(&m->arena, MAPS_MEMORY);
    m->directory = arena_copy(&m->arena, slice(directory, strlen(directory) + 1));
    if (!m->directory.p) {
        free(m);
        return err_nomem(err);
    }
    m->directory.n--;
    *maps_r = m;
    return 0;
}

void maps_free(struct maps **maps)
{
    struct maps *m = *maps;
    if (!m)
        return;
    file_free_kept(&m->file);
    for (struct kept_kind *k = m->kind; k; k = k->next)
        record_kind_free(&k->kind);
    for (struct kept_lookup *k = m->lookup; k; k = k->next)
        lookup_free(&k->lookup);
    arena_deinit(&m->arena);
    free(m);
    *maps = NULL;
}

/* A name that may become part of a path; `slashes`: it may have folders. */
static bool is_safe_name(struct slice s, bool slashes)
{
    if (s.n == 0 || s.n > 200 || s.p[0] == '.' || s.p[0] == '/')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '/' && (!slashes || i + 1 == s.n || s.p[i + 1] == '/' || s.p[i + 1] == '.'))
            return false;
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-' && c != '_' && c != '.' &&
            c != '/')
            return false;
    }
    return true;
}

/* All up to the last slash. */
static struct slice folder_of(struct slice name)
{
    const char *slash = name.n ? memrchr(name.p, '/', name.n) : NULL;
    return slice(name.p, slash ? (size_t)(slash - name.p) : 0);
}

/* Where a file with a name of the partner's own lies: beside his map. False: there is none. */
static bool is_beside(const struct map *map, struct slice name, const char *suffix, char *path, size_t room)
{
    struct slice folder = folder_of(map->file);
    int n;
    if (!map->partner)
        return false;
    if (folder.n)
        n = snprintf(path, room, "%.*s/%.*s%s", SLICE_FMT(folder), SLICE_FMT(name), suffix);
    else
        n = snprintf(path, room, "%.*s%s", SLICE_FMT(name), suffix);
    return n > 0 && (size_t)n < room && access(path, F_OK) == 0;
}

static const struct map_table *read_table(struct maps *m, const char *path, struct slice name, struct complaints *c)
{
    struct slice text, file;
    struct lines lines;
    struct line line;
    struct map_table *t;
    struct err err = { 0 };
    if (file_keep(&m->file, &m->arena, path, LIMIT_CONFIG_FILE, &text, &file, &err) < 0) {
        if (err.code == ERR_NOMEM)
            c->nomem = true;
        return NULL;
    }
    lines_init(&lines, file, text, &m->arena, c);
    if (!lines_next(&lines, &line) || !slice_is(line.word[0].s, "table") || line.n != 2 ||
        !slice_eq(line.word[1].s, name)) {
        struct place at = { .file = file, .line = 1 };
        complain(c, &at, "expected: table %.*s", SLICE_FMT(name));
        return NULL;
    }
    t = map_table_read(&lines, &line, &m->arena);
    if (!t) {
        c->nomem = true;
        return NULL;
    }
    if (lines_next(&lines, &line)) {
        struct place at = lines_place(&lines, &line, 0);
        complain(c, &at, "only one table belongs in this file");
    }
    return t;
}

/* The shared table of that name: tables/edifact/NAME.table for its standard alone, or tables/NAME.table. */
static const struct map_table *shared_table(struct maps *m, struct slice standard, struct slice name,
                                            struct complaints *c)
{
    char path[4096];
    struct map_table *t;
    struct slice mark = standard.n ? SLICE("/") : standard;

    for (t = m->table; t; t = t->next)
        if (slice_eq(t->name, name) && slice_eq(t->standard, standard))
            return t;
    snprintf(path, sizeof(path), "%.*s/tables/%.*s%.*s%.*s.table", SLICE_FMT(m->directory), SLICE_FMT(standard),
             SLICE_FMT(mark), SLICE_FMT(name));
    if (standard.n && access(path, F_OK) != 0)
        return NULL;
    t = (struct map_table *)read_table(m, path, name, c);
    if (t) {
        t->standard = standard;
        t->next = m->table;
        m->table = t;
    }
    return t;
}

const struct map_table *maps_table(struct maps *m, const struct map *map, struct slice standard, struct slice name,
                                   struct complaints *c)
{
    char path[4096];
    struct map_table *t;
    bool safe = is_safe_name(name, false);
    for (const struct map *k = map; k; k = k->base) {
        for (t = k->table; t; t = t->next)
            if (slice_eq(t->name, name))
                return t;
        for (unsigned i = 0; i < k->n_blocks; i++)
            for (t = k->blocks[i] ? k->blocks[i]->table : NULL; t; t = t->next)
                if (slice_eq(t->name, name))
                    return t;
        if (safe && is_beside(k, name, ".table", path, sizeof(path))) {
            t = (struct map_table *)read_table(m, path, name, c);
            if (t) {
                t->next = k->table;
                ((struct map *)k)->table = t;
            }
            return t;
        }
    }
    if (!safe)
        return NULL;
    for (t = m->table; t; t = t->next)
        if (slice_eq(t->name, name) &&
            (slice_eq(t->standard, standard) || (standard.n && slice_eq(t->without, standard))))
            return t;
    t = (struct map_table *)(standard.n ? shared_table(m, standard, name, c) : NULL);
    if (t || c->nomem)
        return t;
    t = (struct map_table *)shared_table(m, slice(NULL, 0), name, c);
    if (t)
        t->without = standard;
    return t;
}

/* Where NAME.csv is: in the folder of a partner's map, or of the one that it is made from, else in the maps
 * directory. */
static void find_lookup(struct maps *m, const struct map *map, struct slice name, char *path, size_t room)
{
    for (; map; map = map->base)
        if (is_beside(map, name, ".csv", path, room))
            return;
    snprintf(path, room, "%.*s/tables/%.*s.csv", SLICE_FMT(m->directory), SLICE_FMT(name));
}

static bool same_columns(const struct kept_lookup *k, const struct slice *key, unsigned n_keys, struct slice value)
{
    if (k->n != n_keys || !slice_eq(k->column[n_keys], value))
        return false;
    for (unsigned i = 0; i < n_keys; i++)
        if (!slice_eq(k->column[i], key[i]))
            return false;
    return true;
}

const struct lookup *maps_lookup(struct maps *m, const struct map *map, struct slice name, const struct slice *key,
                                 unsigned n_keys, struct slice value, const struct place *at, struct complaints *c)
{
    struct slice file = { NULL, 0 }, text;
    struct err err = { 0 };
    struct kept_lookup *k;
    char path[4096];
    int r = ERR_MISSING;

    if (is_safe_name(name, false)) {
        find_lookup(m, map, name, path, sizeof(path));
        for (k = m->lookup; k; k = k->next) {
            if (!slice_is(k->file, path))
                continue;
            if (same_columns(k, key, n_keys, value))
                return k->lookup;
            file = k->file;
            text = k->text;
        }
        r = file.p ? 0 : file_keep(&m->file, &m->arena, path, LIMIT_LOOKUP, &text, &file, &err);
    }
    if (r < 0) {
        c->nomem |= r == ERR_NOMEM;
        if (r == ERR_MISSING)
            complain(c, at, "there is no table %.*s.csv, neither beside the map nor in tables/", SLICE_FMT(name));
        else if (r != ERR_NOMEM)
            complain(c, at, "%s", err.text);
        return NULL;
    }
    k = ARENA_NEW(&m->arena, struct kept_lookup);
    if (!k) {
        c->nomem = true;
        return NULL;
    }
    if (lookup_new(file, text, key, n_keys, value, at, c, &k->lookup) < 0)
        return NULL;
    k->file = file;
    k->text = text;
    k->n = n_keys;
    memcpy(k->column, key, n_keys * sizeof(*key));
    k->column[n_keys] = value;
    k->next = m->lookup;
    m->lookup = k;
    return k->lookup;
}

const struct record_kind *maps_record(struct maps *m, struct slice name, unsigned version, struct complaints *c)
{
    struct kept_kind *k;
    char path[4096];
    for (k = m->kind; k; k = k->next)
        if (slice_eq(k->kind->name, name) && k->kind->version == version)
            return k->kind;
    if (!is_safe_name(name, false))
        return NULL;
    snprintf(path, sizeof(path), "%.*s/records/%.*s.%u.schema.json", SLICE_FMT(m->directory), SLICE_FMT(name), version);
    if (access(path, F_OK) < 0) /* the map's own line is what is wrong then */
        return NULL;
    k = ARENA_NEW(&m->arena, struct kept_kind);
    if (!k) {
        c->nomem = true;
        return NULL;
    }
    if (record_kind_load(&k->kind, path, c) < 0)
        return NULL;
    k->next = m->kind;
    m->kind = k;
    return k->kind;
}

const struct record_kind *maps_newest_record(struct maps *m, struct slice name, struct complaints *c)
{
    const struct record_kind *kind = NULL;

    for (const struct kept_kind *k = m->kind; k; k = k->next)
        if (k->newest && slice_eq(k->kind->name, name))
            return k->kind;
    for (unsigned version = 99; version > 0 && !kind && !c->nomem; version--)
        kind = maps_record(m, name, version, c);
    for (struct kept_kind *k = m->kind; k; k = k->next)
        k->newest = k->newest || k->kind == kind;
    return kind;
}

struct slice maps_like_record(struct maps *m, struct slice name)
{
    struct slice best = { NULL, 0 };
    unsigned distance = 3;
    struct dirent *entry;
    char path[4096];
    DIR *dir;

    snprintf(path, sizeof(path), "%.*s/records", SLICE_FMT(m->directory));
    dir = opendir(path);
    while (dir && (entry = readdir(dir)) != NULL) {
        bool versioned;
        struct slice rest, kind = slice_cut(slice_of(entry->d_name), '.', &rest, &versioned), before = best;
        if (!versioned || !is_digit(rest.p[0]))
            continue;
        suggest(name, kind, &best, &distance);
        if (best.p == kind.p && best.p != before.p)
            best = arena_copy(&m->arena, kind);
    }
    if (dir)
        closedir(dir);
    return best;
}

/* The files of blocks that a map takes from. What is not there is complained of. */
static int load_blocks(struct maps *m, struct map *map, struct complaints *c, struct err *err)
{
    for (unsigned i = 0; i < map->n_blocks; i++) {
        struct slice name = map->borrowed[i].name, text, file;
        char path[4096];
        struct map *b;
        struct slice folder = folder_of(name);
        bool safe = is_safe_name(name, true);
        int r = ERR_MISSING;
        path[0] = 0;
        /* juniper/common for the map juniper/850: in his own folder */
        if (safe && !(folder.n && slice_eq(folder, folder_of(map->name)) &&
                      is_beside(map, slice_from(name, folder.n + 1), ".blocks", path, sizeof(path))))
            snprintf(path, sizeof(path), "%.*s/%.*s.blocks", SLICE_FMT(m->directory), SLICE_FMT(name));
        for (b = m->shared; b && !slice_is(b->file, path); b = b->next)
            ;
        if (!b && safe) {
            r = file_keep(&m->file, &m->arena, path, LIMIT_CONFIG_FILE, &text, &file, err);
        }
        if (!b && r == 0) {
            b = ARENA_NEW(&m->arena, struct map);
            if (!b)
                return err_nomem(err);
            b->name = name;
            b->file = file;
            if (!map_syntax_read_blocks(file, text, &m->arena, c, b))
                return err_nomem(err);
            b->next = m->shared;
            m->shared = b;
        } else if (!b && r == ERR_NOMEM) {
            return r;
        } else if (!b) {
            complain(c, &map->borrowed[i].at, "there is no file of blocks of this name");
        }
        map->blocks[i] = b;
    }
    return 0;
}

static int by_name(struct maps *m, struct slice name, unsigned depth, struct complaints *c, const struct map **map_r,
                   struct err *err);

/* depth: how many maps that are made from it are being read. */
static int load(struct maps *m, const char *path, bool partner, unsigned depth, struct complaints *c,
                const struct map **map_r, struct err *err)
{
    struct slice text, file, from;
    struct place from_at;
    unsigned before = c->count;
    struct map *map;
    int r;

    *map_r = NULL;
    r = file_keep(&m->file, &m->arena, path, LIMIT_CONFIG_FILE, &text, &file, err);
    if (r < 0)
        return r;
    map = ARENA_NEW(&m->arena, struct map);
    if (!map)
        return err_nomem(err);
    map->file = file;
    map->partner = partner;
    if (!map_syntax_read(file, text, &m->arena, c, map, &from, &from_at))
        return err_nomem(err);
    r = load_blocks(m, map, c, err);
    if (r < 0)
        return r;
    if (from.n) {
        r = depth == FROM_DEPTH ? 0 : by_name(m, from, depth + 1, c, &map->base, err);
        if (depth == FROM_DEPTH)
            complain(c, &from_at, "maps are made from each other in a circle, or more than %d deep", FROM_DEPTH);
        else if (r == ERR_MISSING)
            complain(c, &from_at, "there is no such map");
        else if (r < 0)
            return r;
        if (map->base) {
            if (map->kind.n == 0) {
                map->kind = map->base->kind;
                map->version = map->base->version;
            }
            if (map->n_guides == 0) {
                memcpy(map->guide, map->base->guide, sizeof(map->guide));
                map->n_guides = map->base->n_guides;
            }
        }
    }
    if (map->kind.n == 0 && c->count == before) {
        struct place at = { .file = file, .line = 1 };
        complain(c, &at, "the map does not say what it is between");
        complain_hint(c, "write: between guide x12/004010/850 and record order 1.");
    }
    if (map->base && map->base->between_records != map->between_records && c->count == before) {
        struct place at = { .file = file, .line = 1 };
        complain(c, &at, "the map it is made from is between %s",
                 map->between_records ? "a guide and a record" : "two records");
        complain_hint(c, "say so here, too: between %s.",
                      map->between_records ? "guide ID and record KIND VERSION"
                                           : "record KIND VERSION and record KIND VERSION");
    }
    if (map->kind.n)
        map->record = maps_record(m, map->kind, map->version, c);
    if (map->between_records) {
        map->from_record = maps_record(m, map->from_kind, map->from_version, c);
        if (!map->from_record && !c->nomem && c->count == before) {
            struct place at = { .file = file, .line = 1 };
            complain(c, &at, "there is no record kind %.*s of version %u", SLICE_FMT(map->from_kind),
                     map->from_version);
        }
    }
    if (c->nomem)
        return err_nomem(err);
    if (!map->record && c->count == before) {
        struct place at = { .file = file, .line = 1 };
        complain(c, &at, "there is no record kind %.*s of version %u", SLICE_FMT(map->kind), map->version);
    }
    if (c->count > before) {
        if (map->record && map->name.n && (from.n == 0 || map->base) && (!map->between_records || map->from_record))
            *map_r = map; /* for further errors */
        return err_set(err, ERR_CONFIG, "the map is wrong");
    }
    map->next = m->map;
    m->map = map;
    *map_r = map;
    return 0;
}

int maps_by_file(struct maps *m, const char *path, struct complaints *c, const struct map **map_r, struct err *err)
{
    for (const struct map *k = m->map; k; k = k->next)
        if (slice_is(k->file, path)) {
            *map_r = k;
            return 0;
        }
    return load(m, path, true, 0, c, map_r, err);
}

static int by_name(struct maps *m, struct slice name, unsigned depth, struct complaints *c, const struct map **map_r,
                   struct err *err)
{
    struct slice last = name;
    char path[4096];
    bool found = true;
    *map_r = NULL;
    for (const struct map *k = m->map; k; k = k->next)
        if (slice_eq(k->name, name)) {
            *map_r = k;
            return 0;
        }
    if (!is_safe_name(name, true))
        return err_set(err, ERR_MISSING, "a map's name is like x12/850-order");
    while (found) {
        struct slice rest;
        slice_cut(last, '/', &rest, &found);
        if (found)
            last = rest;
    }
    snprintf(path, sizeof(path), "%.*s/%.*s/%.*s.map", SLICE_FMT(m->directory), SLICE_FMT(name), SLICE_FMT(last));
    return load(m, path, false, depth, c, map_r, err);
}

int maps_by_name(struct maps *m, struct slice name, struct complaints *c, const struct map **map_r, struct err *err)
{
    return by_name(m, name, 0, c, map_r, err);
}

/* The first (by name) of a standard's map folders that begins or ends as asked. */
static int find_folder(struct maps *m, struct slice standard, const char *begin, const char *end, char *name,
                       size_t room, struct err *err)
{
    char path[4096];
    struct dirent *entry;
    size_t nb = strlen(begin), ne = strlen(end);
    DIR *dir;
    name[0] = 0;
    if (!is_safe_name(standard, false))
        return ERR_MISSING;
    snprintf(path, sizeof(path), "%.*s/%.*s", SLICE_FMT(m->directory), SLICE_FMT(standard));
    dir = opendir(path);
    if (!dir)
        return err_set(err, ERR_MISSING, "there are no maps for %.*s", SLICE_FMT(standard));
    while ((entry = readdir(dir)) != NULL) {
        size_t n = strlen(entry->d_name);
        if (n <= nb + ne || n >= room || memcmp(entry->d_name, begin, nb) != 0 ||
            memcmp(entry->d_name + n - ne, end, ne) != 0)
            continue;
        if (!name[0] || strcmp(entry->d_name, name) < 0)
            snprintf(name, room, "%s", entry->d_name);
    }
    closedir(dir);
    return name[0] ? 0 : err_set(err, ERR_MISSING, "there is no map for it");
}

static int by_folder(struct maps *m, struct slice standard, const char *begin, const char *end, struct complaints *c,
                     const struct map **map_r, struct err *err)
{
    char folder[128], name[256];
    struct kept_folder *known;
    int r;
    *map_r = NULL;
    for (known = m->folder; known; known = known->next)
        if (slice_eq(known->standard, standard) && slice_is(known->begin, begin) && slice_is(known->end, end)) {
            *map_r = known->map;
            return 0;
        }
    r = find_folder(m, standard, begin, end, folder, sizeof(folder), err);
    if (r < 0)
        return r;
    snprintf(name, sizeof(name), "%.*s/%s", SLICE_FMT(standard), folder);
    for (const struct map *k = m->map; k && !*map_r; k = k->next)
        if (slice_is(k->name, name))
            *map_r = k;
    if (!*map_r && (r = maps_by_name(m, slice_of(name), c, map_r, err)) < 0)
        return r;
    known = ARENA_NEW(&m->arena, struct kept_folder);
    if (!known)
        return err_nomem(err);
    *known = (struct kept_folder){ m->folder, arena_copy(&m->arena, standard), arena_copy(&m->arena, slice_of(begin)),
                                   arena_copy(&m->arena, slice_of(end)), *map_r };
    if (!known->standard.p || !known->begin.p || !known->end.p)
        return err_nomem(err);
    m->folder = known;
    return 0;
}

int maps_by_set(struct maps *m, struct slice standard, struct slice set, struct complaints *c,
                const struct map **map_r, struct err *err)
{
    char begin[64];
    if (!is_safe_name(set, false) || set.n > 60)
        return err_set(err, ERR_MISSING, "there is no map for it");
    snprintf(begin, sizeof(begin), "%.*s-", SLICE_FMT(set));
    return by_folder(m, standard, begin, "", c, map_r, err);
}

int maps_by_record(struct maps *m, struct slice standard, struct slice kind, struct complaints *c,
                   const struct map **map_r, struct err *err)
{
    char end[64];
    if (!is_safe_name(kind, false) || kind.n > 60)
        return err_set(err, ERR_MISSING, "there is no map for it");
    snprintf(end, sizeof(end), "-%.*s", SLICE_FMT(kind));
    return by_folder(m, standard, "", end, c, map_r, err);
}

struct slice map_name(const struct map *map)
{
    return map->name;
}

struct slice map_title(const struct map *map)
{
    return map->title;
}

struct slice map_guide(const struct map *map, unsigned i)
{
    return i < map->n_guides ? map->guide[i] : slice(NULL, 0);
}

struct slice map_set(const struct map *map)
{
    struct slice rest = map_guide(map, 0);
    bool found = rest.n > 0;
    while (found) {
        struct slice next;
        slice_cut(rest, '/', &next, &found);
        if (found)
            rest = next;
    }
    return rest;
}

const struct record_kind *map_kind(const struct map *map)
{
    return map->record;
}

bool map_between_records(const struct map *map)
{
    return map->between_records;
}

const struct record_kind *map_from_kind(const struct map *map)
{
    return map->from_record;
}

int carry_plan_for(struct maps *m, const struct map *map, struct complaints *c, const struct carry_plan **plan_r,
                   struct err *err)
{
    struct map *own = (struct map *)map;
    int rc = 0;

    if (!own->carry_plan)
        rc = carry_compile(m, &m->arena, map, c, &own->carry_plan, err);
    *plan_r = own->carry_plan;
    return rc;
}

int map_plan_for(struct maps *m, const struct map *map, const struct guide *guide, struct complaints *c,
                 const struct map_plan **plan_r, struct err *err)
{
    struct map *own = (struct map *)map;
    int r;
    if (map->between_records)
        return err_set(err, ERR_CONFIG, "the map %.*s is between two records, and none for documents",
                       SLICE_FMT(map->name));
    for (const struct map_plan *p = map->plan; p; p = p->next)
        if (p->guide == guide) {
            *plan_r = p;
            return 0;
        }
    r = map_compile(m, &m->arena, map, guide, c, plan_r, err);
    if (r == 0) {
        struct map_plan *p = (struct map_plan *)*plan_r;
        p->next = own->plan;
        own->plan = p;
    }
    return r;
}
