/*
 * guide_choice: which guide is for a document, by its standard, version and set; see guide.h.
 *
 * Looks at names of folders and files only; guide.c reads what was chosen.
 */
#include "edi/guide_inside.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

const struct guide_words *guide_words(struct slice standard)
{
    static const struct guide_words words[] = {
        { .standard = "x12",
          .name = "ANSI ASC X12",
          .document = "Transaction set",
          .loop = "loop",
          .optional = "optional",
          .letter = "O",
          .list = "",
          .agency = "",
          .form = "",
          .example = "*>~" },
        { .standard = "edifact",
          .name = "UN/EDIFACT",
          .document = "Message",
          .loop = "group",
          .optional = "conditional",
          .letter = "C",
          .notation = true,
          .directories = true,
          .list = "1131",
          .agency = "3055",
          .form = "2379",
          .example = "+:'" },
    };
    for (unsigned i = 1; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_is(standard, words[i].standard))
            return &words[i];
    return &words[0];
}

/* ---- directories ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* d96a, s93a */
static bool is_dated(struct slice s)
{
    return s.n >= 4 && is_letter(s.p[0]) && is_digit(s.p[1]) && is_digit(s.p[2]) && is_letter(s.p[3]);
}

struct slice guide_without_association(struct slice directory)
{
    bool dated = is_dated(directory), any;
    struct slice rest, first = slice_cut(directory, '-', &rest, &any);
    size_t n = first.n;

    if (any && !dated) /* 2-2, syntax-3 */
        n += 1 + slice_cut(rest, '-', &rest, &any).n;
    return slice(directory.p, n);
}

/* Adds a word in lower case. False: it can be part of no name. */
static bool add_lower(char *room, size_t *n, struct slice word, size_t most)
{
    if (word.n > most)
        return false;
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        if (!is_digit(c) && !is_letter(c) && c != '.' && c != '_')
            return false;
        room[(*n)++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return true;
}

struct slice guide_directory(struct slice version, struct slice release, struct slice association,
                             char room[GUIDE_DIRECTORY])
{
    enum { MOST_VERSION = 3, MOST_ASSOCIATION = 6 };
    size_t n = 0, before;

    if (!version.n || !release.n || !add_lower(room, &n, version, MOST_VERSION))
        return slice(NULL, 0);
    before = n;
    if (!add_lower(room, &n, release, MOST_VERSION))
        return slice(NULL, 0);
    if (n != 4 || !is_dated(slice(room, n))) {
        memmove(room + before + 1, room + before, n - before);
        room[before] = '-';
        n++;
    }
    before = n;
    if (association.n) {
        room[n++] = '-';
        if (!add_lower(room, &n, association, MOST_ASSOCIATION))
            n = before;
    }
    return slice(room, n);
}

void guide_directory_parts(struct slice directory, char room[GUIDE_DIRECTORY], struct slice *version_r,
                           struct slice *association_r)
{
    struct slice plain = guide_without_association(directory);
    size_t n = 0;

    for (size_t i = 0; i < directory.n && n < GUIDE_DIRECTORY - 1; i++) {
        char c = directory.p[i];
        if (i < plain.n && c == '-')
            c = '.';
        else if (i == 1 && is_dated(plain))
            room[n++] = '.';
        room[n++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    plain.n += is_dated(plain);
    if (plain.n > n)
        plain.n = n;
    *version_r = slice(room, plain.n);
    *association_r = n > plain.n ? slice(room + plain.n + 1, n - plain.n - 1) : slice(NULL, 0);
}

/* Years since 1900 and what counts within one; directories without a year before all that have one. */
static uint32_t rank_of(struct slice directory)
{
    struct slice s = guide_without_association(directory), first, second;
    uint64_t a = 0, b = 0;
    unsigned year, minor;
    bool any, number;

    if (is_dated(s)) {
        year = (unsigned)(s.p[1] - '0') * 10 + (unsigned)(s.p[2] - '0');
        minor = (unsigned char)s.p[3];
    } else {
        first = slice_cut(s, '-', &second, &any);
        number = slice_number(first, 999, &a);
        slice_number(second, 999, &b);
        if (b >= 800) /* 1-911 */
            year = (unsigned)b / 10, minor = (unsigned)b % 10;
        else if (a >= 80) /* 90-1 */
            year = (unsigned)a, minor = (unsigned)b;
        else /* 2-2, d-3, 4-1, syntax-3 */
            return (uint32_t)(number ? a : b);
    }
    return (year < 80 ? year + 100 : year) << 8 | minor;
}

int guide_version_order(const struct guide_words *words, struct slice a, struct slice b)
{
    uint32_t x, y;

    if (!words->directories)
        return slice_cmp(a, b);
    x = rank_of(a);
    y = rank_of(b);
    return x != y ? (x < y ? -1 : 1) : slice_cmp(guide_without_association(a), guide_without_association(b));
}

/* ---- versions ---- */

/* An X12 version's name as our folders have it: 00401 and 004010VICS are 004010. */
static struct slice version_name(struct slice version, char *room)
{
    size_t n = version.n < 6 ? version.n : 6;
    if (n)
        memcpy(room, version.p, n);
    if (n == 5 && version.n == 5)
        room[n++] = '0';
    return slice(room, n);
}

bool guide_has_version(const struct guides *g, struct slice standard, struct slice version)
{
    char path[4096];
    if (!guide_is_file_name(standard) || !guide_is_file_name(version))
        return false;
    snprintf(path, sizeof(path), "%.*s/%.*s/%.*s/version.guide", SLICE_FMT(g->directory), SLICE_FMT(standard),
             SLICE_FMT(version));
    return access(path, F_OK) == 0;
}

struct slice guide_directory_above(const struct guide_context *x, struct slice standard, struct slice version)
{
    const struct guide_words *words = guide_words(standard);
    char path[4096], best[256] = "";
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof(path), "%.*s/%.*s", SLICE_FMT(x->g->directory), SLICE_FMT(standard));
    dir = words->directories && is_dated(version) ? opendir(path) : NULL;
    while (dir && (entry = readdir(dir)) != NULL) {
        struct slice have = slice_of(entry->d_name);
        if (is_dated(have) && have.n < sizeof(best) && guide_without_association(have).n == have.n &&
            guide_version_order(words, have, version) > 0 &&
            (!best[0] || guide_version_order(words, have, slice_of(best)) < 0) &&
            guide_has_version(x->g, standard, have))
            snprintf(best, sizeof(best), "%s", entry->d_name);
    }
    if (dir)
        closedir(dir);
    return best[0] ? arena_copy(&x->g->arena, slice_of(best)) : slice(NULL, 0);
}

static bool has_set(const struct guides *g, struct slice standard, struct slice version, struct slice set)
{
    char path[4096];
    snprintf(path, sizeof(path), "%.*s/%.*s/%.*s/%.*s.guide", SLICE_FMT(g->directory), SLICE_FMT(standard),
             SLICE_FMT(version), SLICE_FMT(set));
    return access(path, F_OK) == 0;
}

/* The guide of a folder that is called as wanted. 0 and NULL: there is none. */
static int find_exact(const struct guide_context *x, struct slice standard, struct slice name, struct slice set,
                      const struct guide **guide_r)
{
    if (!guide_is_file_name(name) || !has_set(x->g, standard, name, set))
        return 0;
    return guide_load(x, standard, name, set, guide_r);
}

/* EAN008: an association's letters, and a number that counts its versions of a message. */
static bool split_association(struct slice folder, struct slice *letters_r, uint64_t *number_r)
{
    struct slice own = slice_from(folder, guide_without_association(folder).n);
    size_t n = 1;

    while (n < own.n && is_letter(own.p[n]))
        n++;
    *letters_r = slice(own.p, n < own.n ? n : own.n);
    return own.n > 1 && n > 1 && slice_number(slice_from(own, n), 999999, number_r);
}

/* What comes before what else is there: the nearest lower, then the nearest higher. */
static bool is_nearer(uint64_t number, uint64_t best, uint64_t want)
{
    return (number <= want) != (best <= want) ? number <= want : number <= want ? number > best : number < best;
}

/* The guide that an association has for the set in the same directory, of another version than was wanted. */
static int find_association(const struct guide_context *x, struct slice standard, struct slice wanted, struct slice set,
                            const struct guide **guide_r)
{
    char path[4096], best[256] = "";
    struct slice letters, other;
    struct dirent *entry;
    uint64_t want, number, nearest = 0;
    DIR *dir;

    if (!split_association(wanted, &letters, &want))
        return 0;
    snprintf(path, sizeof(path), "%.*s/%.*s", SLICE_FMT(x->g->directory), SLICE_FMT(standard));
    dir = opendir(path);
    if (!dir)
        return err_system(x->err, "%s", path) == ERR_NOMEM ? ERR_NOMEM : 0;
    while ((entry = readdir(dir)) != NULL) {
        struct slice have = slice_of(entry->d_name);
        if (!guide_is_file_name(have) || have.n >= sizeof(best) ||
            !slice_eq(guide_without_association(have), guide_without_association(wanted)) ||
            !split_association(have, &other, &number) || !slice_eq(other, letters) ||
            (best[0] && !is_nearer(number, nearest, want)) || !has_set(x->g, standard, have, set))
            continue;
        snprintf(best, sizeof(best), "%s", entry->d_name);
        nearest = number;
    }
    closedir(dir);
    return best[0] ? guide_load(x, standard, slice_of(best), set, guide_r) : 0;
}

static int find_guide(struct guides *g, struct slice standard, struct slice version, struct slice set,
                      struct complaints *complaints, const struct guide **guide_r, struct err *err)
{
    struct guide_context x = { g, complaints, err };
    const struct guide_words *words = guide_words(standard);
    char path[4096], name[8], best[256] = "", above[256] = "";
    struct slice want;
    struct dirent *entry;
    DIR *dir;
    const char *chosen;
    int r;

    *guide_r = NULL;
    if (!guide_is_file_name(standard) || !guide_is_file_name(set))
        return err_set(err, ERR_MISSING, "there is no such guide");
    want = words->directories ? guide_without_association(version) : version_name(version, name);
    if (words->directories && want.n != version.n) {
        r = find_exact(&x, standard, version, set, guide_r);
        if (r == 0 && !*guide_r)
            r = find_association(&x, standard, version, set, guide_r);
        if (r < 0 || *guide_r)
            return r;
    }
    r = find_exact(&x, standard, want, set, guide_r);
    if (r < 0 || *guide_r)
        return r;
    snprintf(path, sizeof(path), "%.*s/%.*s", SLICE_FMT(g->directory), SLICE_FMT(standard));
    dir = opendir(path);
    if (!dir)
        return err_system(err, "%s", path) == ERR_NOMEM ? ERR_NOMEM : ERR_MISSING;
    while ((entry = readdir(dir)) != NULL) {
        struct slice have = slice_of(entry->d_name);
        if (!guide_is_file_name(have) || have.n >= sizeof(best) || !has_set(g, standard, have, set))
            continue;
        if (words->directories && guide_without_association(have).n != have.n)
            continue;
        if (guide_version_order(words, have, want) <= 0) {
            if (!best[0] || guide_version_order(words, have, slice_of(best)) > 0)
                snprintf(best, sizeof(best), "%s", entry->d_name);
        } else if (!above[0] || guide_version_order(words, have, slice_of(above)) < 0) {
            snprintf(above, sizeof(above), "%s", entry->d_name);
        }
    }
    closedir(dir);
    chosen = best[0] ? best : above;
    if (!chosen[0])
        return err_set(err, ERR_MISSING, "no version has a guide for this set");
    return guide_load(&x, standard, slice_of(chosen), set, guide_r);
}

int guides_find(struct guides *g, struct slice standard, struct slice version, struct slice set,
                struct complaints *complaints, const struct guide **guide_r, struct err *err)
{
    int r;
    pthread_mutex_lock(&g->lock);
    r = find_guide(g, standard, version, set, complaints, guide_r, err);
    pthread_mutex_unlock(&g->lock);
    if (r == 0)
        err_clear(err); /* of files that a version need not have */
    return r;
}
