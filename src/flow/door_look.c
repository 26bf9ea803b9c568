/* door_look: tells what lies at the doors, and why it is not taken. See door.h. Changes nothing, and judges as
 * door_take() does. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "flow/door_inside.h"

struct telling {
    struct home *home;
    struct store *store;
    int spool;
    struct door_judge judge;
    int (*row)(void *ctx, const struct door_file *f);
    void *ctx;
    struct arena arena;
    struct buf name, folder, why;
};

static int tell(struct telling *t, struct slice partner, const char *folder, const char *name, const struct stat *st,
                store_time until, const struct err *why)
{
    struct door_file f = { .partner = partner, .until = until };

    buf_clear(&t->name);
    buf_clear(&t->folder);
    buf_add_safe(&t->name, slice_of(name), DOOR_SHOWN);
    buf_add_safe(&t->folder, slice_of(folder), FOLDER_PATH);
    f.why = why ? folder_words(why, &t->why) : slice(NULL, 0);
    f.name = buf_slice(&t->name);
    f.folder = buf_slice(&t->folder);
    if (st) {
        f.size = (uint64_t)st->st_size;
        f.changed = door_milliseconds(st->st_mtim);
    }
    return t->name.failed || t->folder.failed || t->why.failed ? ERR_NOMEM : t->row(t->ctx, &f);
}

/* A file that nothing stands against so far. */
static int tell_opened(struct telling *t, struct slice partner, const struct door *d, const char *name, struct err *err)
{
    struct store_source source;
    struct err why = { 0 };
    struct stat st;
    store_id id = 0;
    int fd = -1, rc = door_open_file(d->fd, name, &fd, &st, &why);
    bool told = rc == 0;

    if (rc == 1) {
        arena_reset(&t->arena);
        door_source_of(&st, door_source_path(&t->arena, d, name), &source);
        if (!source.path.p)
            rc = err_nomem(err);
        else if (store_kept(t->store, &source, &id, err) < 0)
            rc = err && err->code ? err->code : ERR_IO;
    }
    if (rc == 1 && id) {
        told = d->then != THEN_KEEP;
        err_set(&why, ERR_IO, "it was taken, and cannot be removed");
    } else if (rc == 1 && door_is_being_written(fd)) {
        told = true;
        err_set(&why, ERR_USAGE, "somebody is writing it");
    } else if (rc == 1 && door_has_holes(fd, &st)) {
        told = true;
        err_set(&why, ERR_USAGE, "it has holes: it is longer than what was written to it");
    } else if (rc == 1) {
        told = true;
    }
    if (fd >= 0)
        close(fd);
    if (rc == ERR_MISSING)
        return 0;
    if (rc < 0)
        return rc;
    if (!told)
        return 0;
    rc = fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW);
    return rc < 0 ? 0 : tell(t, partner, d->path, name, &st, 0, why.text[0] ? &why : NULL);
}

/* The folder that taken files are moved to may lie inside. */
static bool is_move_folder(const struct door *d, const char *name)
{
    size_t n = strlen(d->path);
    return d->then == THEN_MOVE && strncmp(d->move, d->path, n) == 0 && d->move[n] == '/' &&
           strcmp(d->move + n + 1, name) == 0;
}

static int tell_door(struct telling *t, struct slice partner, const struct door *d, const struct err *against,
                     struct err *err)
{
    DIR *folder = door_read(d->fd);
    struct dirent *entry;
    int rc = 0;

    while (rc == 0 && folder && (entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;
        struct err why;
        struct stat st;
        store_time until = 0;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || is_move_folder(d, name))
            continue;
        if (!door_takes_name(d, name))
            continue;
        if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (against)
            rc = tell(t, partner, d->path, name, &st, 0, against);
        else if (!door_judge(&t->judge, name, &st, &until, &why))
            rc = tell(t, partner, d->path, name, &st, until, &why);
        else
            rc = tell_opened(t, partner, d, name, err);
    }
    if (folder)
        closedir(folder);
    return rc;
}

static int tell_partner(struct telling *t, const struct partner *p, struct err *err)
{
    struct err off, why;
    struct door door;
    bool end = false;
    int rc = 0;

    err_set(&off, ERR_USAGE, "the partner is switched off");
    for (unsigned i = 0; rc == 0 && !end; i++) {
        if (!door_at(p, i, &door, &end))
            continue;
        int opened = door_open(&door, t->spool, p->name, false, &why);
        if (opened == 0)
            rc = tell_door(t, p->name, &door, p->off ? &off : NULL, err);
        else if (opened != ERR_MISSING && !p->off)
            rc = tell(t, p->name, door.path, "", NULL, 0, &why);
        door_close(&door);
    }
    return rc;
}

/* Folders below in/ of nobody we know. */
static int tell_strangers(struct telling *t, struct err *err)
{
    struct dirent *entry;
    struct door door;
    struct err why;
    DIR *folder;
    int in, rc = 0;

    if (folder_open(t->spool, "in", &in, &why) < 0)
        return 0;
    folder = door_read(in);
    while (rc == 0 && folder && (entry = readdir(folder)) != NULL) {
        struct slice name = slice_of(entry->d_name);
        struct stat st;
        if (name.p[0] == '.' || home_partner(t->home, name) || fstatat(in, name.p, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        err_set(&why, ERR_MISSING, "there is no partner of that name, or his file is wrong");
        door = (struct door){ .fd = -1, .move_fd = -1 };
        snprintf(door.path, sizeof(door.path), "in/%s", name.p);
        if (!S_ISDIR(st.st_mode)) {
            err_set(&why, ERR_USAGE, "it lies in no partner's folder");
            rc = tell(t, slice(NULL, 0), "in", name.p, &st, 0, &why);
        } else if ((door.fd = openat(in, name.p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) >= 0) {
            rc = tell_door(t, slice(NULL, 0), &door, &why, err);
        }
        door_close(&door);
    }
    if (folder)
        closedir(folder);
    close(in);
    return rc;
}

int door_look(struct home *home, struct store *store, int spool, struct slice partner,
              int (*row)(void *ctx, const struct door_file *f), void *ctx, struct err *err)
{
    struct telling t = { .home = home, .store = store, .spool = spool, .row = row, .ctx = ctx };
    int rc = 0;

    t.judge = (struct door_judge){ spool, store_now(store), home_settings(home)->settle * 1000, NULL };
    arena_init(&t.arena, 1 << 20);
    buf_init(&t.name, 8 * FOLDER_NAME);
    buf_init(&t.folder, 8 * FOLDER_PATH);
    buf_init(&t.why, 8192);
    for (unsigned i = 0; rc == 0 && i < home_partners(home); i++) {
        const struct partner *p = home_partner_at(home, i);
        if (!partner.n || slice_eq(p->name, partner))
            rc = tell_partner(&t, p, err);
    }
    if (rc == 0 && !partner.n)
        rc = tell_strangers(&t, err);
    if (rc == ERR_NOMEM)
        err_nomem(err);
    arena_deinit(&t.arena);
    buf_deinit(&t.name);
    buf_deinit(&t.folder);
    buf_deinit(&t.why);
    return rc;
}
