/* maps: see maps.h. */
#include "config.h"

#include "cli/maps.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edi/guide.h"

enum { DEPTH = 8, NAMES = 100000, PATH_CEILING = 4096 };

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* maps/ beside the folder that the executable lies in, or the one of the prefix that it was moved to, seen from bin/ or
 * from libexec/waybill/; false: there is none. */
static bool find_beside(struct buf *path)
{
    static const char *const places[] = { "../maps/x12", "../share/waybill/maps/x12",
                                         "../../share/waybill/maps/x12" };
    char exe[PATH_CEILING];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    if (n <= 0)
        return false;
    while (n > 0 && exe[n - 1] != '/')
        n--;
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        buf_clear(path);
        buf_add(path, exe, (size_t)n);
        buf_add_text(path, places[i]);
        if (!path->failed && is_folder(buf_text(path))) {
            path->n -= strlen("/x12");
            return true;
        }
    }
    return false;
}

int maps_find(const char *option, struct buf *path, struct err *err)
{
    const char *environment = getenv("WAYBILL_MAPS");

    if (option) {
        buf_clear(path);
        buf_add_text(path, option);
        if (!is_folder(option))
            return err_set(err, ERR_CONFIG, "--maps: %s is not a folder", option);
    } else if (environment && *environment) {
        buf_clear(path);
        buf_add_text(path, environment);
        if (!is_folder(environment))
            return err_set(err, ERR_CONFIG, "WAYBILL_MAPS: %s is not a folder", environment);
    } else if (!find_beside(path)) {
        buf_clear(path);
        buf_add_text(path, WAYBILL_MAPS_DIR);
        if (!is_folder(WAYBILL_MAPS_DIR))
            return err_set(err, ERR_CONFIG, "the maps folder %s is not there; --maps or WAYBILL_MAPS may name another",
                           WAYBILL_MAPS_DIR);
    }
    buf_text(path);
    return path->failed ? err_nomem(err) : 0;
}

bool maps_is_guide(const char *name)
{
    static const char *const others[] = { "segments", "elements", "version" };
    const char *slash = strrchr(name, '/');
    struct slice last = slice_of(slash ? slash + 1 : name);
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (slice_is(last, others[i]))
            return false;
    return true;
}

struct slice maps_map_name(const char *name)
{
    struct slice all = slice_of(name), last = all;
    bool more = true;

    while (more) {
        struct slice rest;
        slice_cut(last, '/', &rest, &more);
        if (more)
            last = rest;
    }
    if (all.n < last.n * 2 + 1)
        return slice(NULL, 0);
    all.n -= last.n + 1;
    return slice_eq(slice_from(all, all.n - last.n), last) ? all : slice(NULL, 0);
}

static int add_name(struct maps_list *list, const char *name, size_t n, struct err *err)
{
    if (list->n == NAMES)
        return err_set(err, ERR_LIMIT, "there are more than %d files in the maps folder", NAMES);
    if (list->n == list->room) {
        size_t room = list->room ? list->room * 2 : 64;
        char **grown = realloc(list->name, room * sizeof(*grown));
        if (!grown)
            return err_nomem(err);
        list->name = grown;
        list->room = room;
    }
    list->name[list->n] = strndup(name, n);
    if (!list->name[list->n])
        return err_nomem(err);
    list->n++;
    return 0;
}

/* path is the folder to read; what stands behind byte `root` of it is the name of what lies in it. */
static int read_folder(struct buf *path, size_t root, const char *suffix, unsigned depth, struct maps_list *list,
                       struct err *err)
{
    size_t mark = path->n, end = strlen(suffix);
    struct dirent *entry;
    DIR *folder = opendir(buf_text(path));
    int rc = 0;

    if (!folder)
        return path->failed ? err_nomem(err) : err_system(err, "%s", buf_text(path));
    while (rc == 0 && (errno = 0, entry = readdir(folder)) != NULL) {
        size_t n = strlen(entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        buf_add_char(path, '/');
        buf_add(path, entry->d_name, n);
        if (!*buf_text(path) || path->failed)
            rc = err_set(err, path->failed, "%s: %s", entry->d_name, err_name(path->failed));
        else if (n > end && slice_is(slice(entry->d_name + n - end, end), suffix))
            rc = add_name(list, path->p + root, path->n - root - end, err);
        else if (depth > 0 && is_folder(path->p))
            rc = read_folder(path, root, suffix, depth - 1, list, err);
        path->n = mark;
    }
    closedir(folder);
    return rc;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int maps_list_read(const char *folder, const char *suffix, struct maps_list *list, struct err *err)
{
    struct buf path;
    int rc;

    *list = (struct maps_list){ .n = 0 };
    buf_init(&path, PATH_CEILING);
    buf_add_text(&path, folder);
    rc = read_folder(&path, path.n + 1, suffix, DEPTH, list, err);
    buf_deinit(&path);
    if (rc)
        maps_list_free(list);
    else if (list->n)
        qsort(list->name, list->n, sizeof(*list->name), compare_names);
    return rc;
}

void maps_list_free(struct maps_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->name[i]);
    free(list->name);
    *list = (struct maps_list){ .n = 0 };
}

/* Is it of a later version of the same standard? Those of associations come last. */
static bool is_later(struct slice id, struct slice best)
{
    struct slice standard, version, others, rest;
    const struct guide_words *words;
    bool any, own, own_best;

    standard = slice_cut(id, '/', &rest, &any);
    version = slice_cut(rest, '/', &rest, &any);
    if (!slice_eq(slice_cut(best, '/', &rest, &any), standard))
        return true;
    others = slice_cut(rest, '/', &rest, &any);
    words = guide_words(standard);
    if (!words->directories)
        return guide_version_order(words, version, others) > 0;
    own = guide_without_association(version).n == version.n;
    own_best = guide_without_association(others).n == others.n;
    return own != own_best ? own : guide_version_order(words, version, others) > 0;
}

bool maps_complete_guide(const struct maps_list *list, struct slice given, struct slice *id_r)
{
    struct slice best = { NULL, 0 };

    for (size_t i = 0; i < list->n; i++) {
        struct slice id = slice_of(list->name[i]);
        if (maps_is_guide(list->name[i]) && id.n > given.n && id.p[id.n - given.n - 1] == '/' &&
            slice_eq(slice_from(id, id.n - given.n), given) && (!best.n || is_later(id, best)))
            best = id;
    }
    if (best.n)
        *id_r = best;
    return best.n > 0;
}
