/*
 * door: see door.h. Here files are taken, and removed where they lay; door_whole.c says which are whole, door_look.c
 * tells of the others.
 *
 * Files are copied, never linked or renamed into the spool: their writer may still hold them open. A batch of them is
 * copied and synced, accepted in one commit, and only then removed where it lay; that it is gone is noted in the
 * commit of the next batch. A file that stays, for `then keep` says so or it cannot be removed, is remembered by the
 * ledger in place of that.
 *
 * What a folder holds is a stranger's: names are any bytes, and a file may be something else by the time that it is
 * opened. Only regular files are opened, no link is followed, and nothing is believed of a name but what fstat() says
 * of the descriptor.
 *
 * SECURITY: files are read as the user we are; a folder to be picked up from is one that the partner file names by
 * its whole path.
 */
#include "flow/door.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/appliance.h"
#include "flow/door_inside.h"

enum {
    BATCH_FILES = 100,          /* taken in one commit, */
    BATCH_BYTES = 16 << 20,     /* or so many bytes; a larger file is alone */
    ROUND = 10000,              /* files of a folder that are put in their order at a time */
    ROUNDS = 10,                /* of one folder, before the next has its turn */
    PENDING = 1000,             /* notes for the next commit */
    LONG = 16 << 20,            /* bytes of a file that is not copied to its end when we are to stop */
    PIECE = 128 << 10
};

/* --- Taking ----------------------------------------------------------------------------- */

/* A file of the batch, copied. */
struct taken {
    char name[FOLDER_NAME];
    struct store_source source;         /* path: in the arena */
    struct payload payload;
    store_id id;
};

/* For the next commit. */
struct door_note {
    enum { NOTE_CLEAR, NOTE_KEEP /* and clear */, NOTE_FORGET } what;
    store_id id;
    struct store_source source;
};

struct candidate {
    int64_t mtime;
    uint64_t size;
    uint32_t name;              /* in the names */
};

struct taking {
    struct appliance *a;
    struct door_judge judge;
    const struct partner *partner;
    struct door *door;
    struct taken file[BATCH_FILES];
    unsigned n;
    uint64_t bytes;
    struct arena paths;         /* of the batch */
    struct door_note note[PENDING];
    unsigned n_notes;
    struct arena kept_paths;    /* of the notes */
    struct candidate *candidate;
    struct buf names, shown;
    uint32_t done;
    char piece[PIECE];
};

static int taking_new(struct appliance *a, struct taking **t_r, struct err *err)
{
    struct taking *t = calloc(1, sizeof(*t));

    *t_r = NULL;
    if (!t)
        return err_nomem(err);
    if (!a->looks)
        a->looks = calloc(1, sizeof(*a->looks));
    t->candidate = calloc(ROUND, sizeof(*t->candidate));
    if (!a->looks || !t->candidate) {
        free(t->candidate);
        free(t);
        return err_nomem(err);
    }
    t->a = a;
    t->judge = (struct door_judge){ a->spool, store_now(a->store), home_settings(a->home)->settle * 1000, a->looks };
    arena_init(&t->paths, 16 << 20);
    arena_init(&t->kept_paths, 64 << 20);
    buf_init(&t->names, (size_t)ROUND * FOLDER_NAME);
    buf_init(&t->shown, 8 * FOLDER_NAME);
    *t_r = t;
    return 0;
}

static void taking_free(struct taking **taking)
{
    struct taking *t = *taking;

    if (!t)
        return;
    if (t->n_notes)
        t->a->looks->behind = true;
    arena_deinit(&t->paths);
    arena_deinit(&t->kept_paths);
    buf_deinit(&t->names);
    buf_deinit(&t->shown);
    free(t->candidate);
    free(t);
    *taking = NULL;
}

static bool stopped(const struct appliance *a)
{
    return a->stop && a->stop(a->ctx);
}

/* Devices may be numbered anew at each start. */
static bool is_same_file(const struct stat *st, const struct store_source *source)
{
    return S_ISREG(st->st_mode) && st->st_ino == source->inode && (uint64_t)st->st_size == source->size &&
           folder_mtime(st) == source->mtime;
}

static int write_notes(struct taking *t, struct err *err)
{
    struct store *s = t->a->store;
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < t->n_notes; i++) {
        const struct door_note *n = &t->note[i];
        if (n->what != NOTE_CLEAR)
            rc = store_keep(s, &n->source, n->what == NOTE_KEEP ? n->id : 0, err);
        if (rc == 0 && n->what != NOTE_FORGET)
            rc = store_clear(s, n->id, err);
    }
    return rc;
}

static int end_batch(struct taking *t, int rc, struct err *err)
{
    if (rc == 0)
        rc = store_commit(t->a->store, err);
    else
        store_rollback(t->a->store);
    if (rc < 0)
        return rc;
    t->n_notes = 0;
    arena_reset(&t->kept_paths);
    return 0;
}

static int flush_notes(struct taking *t, struct err *err)
{
    int rc = t->n_notes ? store_begin(t->a->store, err) : 0;
    return t->n_notes && rc == 0 ? end_batch(t, write_notes(t, err), err) : rc;
}

static int add_note(struct taking *t, int what, store_id id, const struct store_source *source, struct err *err)
{
    struct door_note *n;
    int rc = t->n_notes == PENDING ? flush_notes(t, err) : 0;

    if (rc < 0)
        return rc;
    n = &t->note[t->n_notes];
    *n = (struct door_note){ what, id, *source };
    if (what != NOTE_CLEAR) {
        n->source.path = arena_copy(&t->kept_paths, source->path);
        if (!n->source.path.p)
            return err_nomem(err);
    }
    t->n_notes++;
    return 0;
}

/* To another file system. */
static int move_copy(struct taking *t, const char *name, const char *as, struct err *why)
{
    struct door *d = t->door;
    char hidden[FOLDER_NAME];
    struct stat st;
    int from = -1, to = -1, rc;
    ssize_t n = 0;

    snprintf(hidden, sizeof(hidden), ".waybill-moved-%llx", (unsigned long long)slice_hash(slice_of(as)));
    rc = door_open_file(d->fd, name, &from, &st, why);
    rc = rc == 1 ? folder_create(d->move_fd, hidden, &to, why) : ERR_IO;
    while (rc == 0 && (n = read(from, t->piece, sizeof(t->piece))) != 0)
        if (n > 0)
            rc = file_write_all(to, t->piece, (size_t)n, why);
        else if (errno != EINTR)
            rc = err_system(why, "it cannot be read");
    if (rc == 0 && fsync(to) < 0)
        rc = err_system(why, "it cannot be copied");
    if (rc == 0 && (rc = folder_place(d->move_fd, hidden, d->move_fd, as, why)) > 0)
        rc = err_set(why, ERR_IO, "a file of its name is there already");
    if (rc < 0 && to >= 0)
        unlinkat(d->move_fd, hidden, 0);
    if (rc == 0)
        rc = folder_sync(d->move_fd, why);
    if (rc == 0 && unlinkat(d->fd, name, 0) < 0)
        rc = err_system(why, "it cannot be removed");
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return rc;
}

static int move_file(struct taking *t, const char *name, store_id id, struct err *why)
{
    struct door *d = t->door;
    char as[FOLDER_NAME + 32];
    int rc;

    if (d->move_fd < 0) {
        if (mkdir(d->move, 0750) < 0 && errno != EEXIST)
            return err_system(why, "the folder %s cannot be made", d->move);
        rc = folder_open(AT_FDCWD, d->move, &d->move_fd, why);
        if (rc < 0)
            return rc;
    }
    d->move_changed = true;
    rc = folder_place(d->fd, name, d->move_fd, name, why);
    if (rc == FOLDER_ELSEWHERE) {
        struct stat st;
        rc = fstatat(d->move_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? FOLDER_TAKEN : move_copy(t, name, name, why);
        if (rc != FOLDER_TAKEN)
            return rc;
    }
    if (rc != FOLDER_TAKEN)
        return rc < 0 ? rc : 0;
    /* our own number behind it: nobody else has that */
    snprintf(as, sizeof(as), ".T%llu", (unsigned long long)id);
    snprintf(as, sizeof(as), "%.*s.T%llu", (int)(FOLDER_NAME - 1 - strlen(as)), name, (unsigned long long)id);
    unlinkat(d->move_fd, as, 0);
    rc = folder_place(d->fd, name, d->move_fd, as, why);
    if (rc == FOLDER_ELSEWHERE)
        rc = move_copy(t, name, as, why);
    else if (rc == FOLDER_TAKEN)
        rc = err_set(why, ERR_IO, "a file of its name is there already");
    return rc < 0 ? rc : 0;
}

/* A file that is safe with us leaves the door. 0: it is gone, or what lies there is another one by now; else why it
 * stays. */
static int put_away(struct taking *t, const char *name, const struct store_source *source, store_id id, struct err *why)
{
    struct door *d = t->door;
    struct stat st;

    if (d->then == THEN_KEEP)
        return err_set(why, ERR_USAGE, "it is kept");
    if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_system(why, "it cannot be removed");
    if (!is_same_file(&st, source))
        return 0;
    d->changed = true;
    if (d->then == THEN_MOVE)
        return move_file(t, name, id, why);
    return unlinkat(d->fd, name, 0) < 0 && errno != ENOENT ? err_system(why, "it cannot be removed") : 0;
}

/* True: what was put away stays away. */
static bool sync_door(struct door *d)
{
    bool good = (!d->move_changed || fsync(d->move_fd) == 0) && (!d->changed || fsync(d->fd) == 0);
    d->changed = d->move_changed = false;
    return good;
}

static int accept_one(struct taking *t, struct taken *k, struct err *err)
{
    struct store *s = t->a->store;
    struct store_transmission x = { .direction = STORE_IN, .partner = t->partner->name, .way = SLICE("folder") };
    struct payload known;
    int rc = store_payload_find(s, k->payload.hash, &known, err);

    if (rc < 0)
        return rc;
    if (rc > 0)
        k->payload = known;
    buf_clear(&t->shown);
    buf_add_safe(&t->shown, slice_of(k->name), DOOR_SHOWN);
    if (t->shown.failed)
        return err_nomem(err);
    x.name = buf_slice(&t->shown);
    x.payload = k->payload;
    x.source = k->source;
    rc = store_accept(s, &x, &k->id, err);
    if (rc == 0 && t->door->then == THEN_KEEP) {
        rc = store_keep(s, &k->source, k->id, err);
        if (rc == 0)
            rc = store_clear(s, k->id, err);
    }
    return rc;
}

/* The instant of acceptance, and then away with the files. */
static int accept_batch(struct taking *t, struct err *err)
{
    bool stays[BATCH_FILES] = { false }, synced;
    struct err why = { 0 };
    int rc;

    if (t->n == 0)
        return 0;
    rc = objects_sync(t->a->objects, err);
    if (rc == 0)
        rc = store_begin(t->a->store, err);
    if (rc < 0)
        return rc;
    rc = write_notes(t, err);
    for (unsigned i = 0; rc == 0 && i < t->n; i++)
        rc = accept_one(t, &t->file[i], err);
    rc = end_batch(t, rc, err);
    if (rc < 0)
        return rc;
    t->done += t->n;
    if (t->door->then != THEN_KEEP) {
        for (unsigned i = 0; i < t->n; i++)
            stays[i] = put_away(t, t->file[i].name, &t->file[i].source, t->file[i].id, &why) < 0;
        synced = sync_door(t->door);
        for (unsigned i = 0; rc == 0 && i < t->n; i++)
            rc = add_note(t, synced && !stays[i] ? NOTE_CLEAR : NOTE_KEEP, t->file[i].id, &t->file[i].source, err);
        if (rc < 0)             /* some are not noted: they are looked for */
            t->a->looks->behind = true;
    }
    if (t->a->say) {
        char line[FOLDER_PATH + 64];
        snprintf(line, sizeof(line), "%s: %u file%s taken", t->door->path, t->n, t->n == 1 ? "" : "s");
        t->a->say(t->a->ctx, line);
    }
    t->n = 0;
    t->bytes = 0;
    arena_reset(&t->paths);
    return rc;
}

/* The bytes of an open file. 1; 0: it is not taken, why. */
static int copy(struct taking *t, int fd, const struct stat *st, struct payload *payload_r, struct err *why,
                struct err *err)
{
    struct object_writer *w = NULL;
    struct stat after;
    uint64_t size = 0;
    bool good = true;
    int rc = object_begin(t->a->objects, &w, err);

    while (rc == 0 && good && size <= (uint64_t)st->st_size) {
        ssize_t n = read(fd, t->piece, sizeof(t->piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err_system(why, "it cannot be read");
            good = false;
        }
        if (n <= 0)
            break;
        size += (uint64_t)n;
        rc = object_write(w, slice(t->piece, (size_t)n), err);
        if (size > LONG && stopped(t->a)) {
            err_set(why, ERR_USAGE, "it would take long, and we were told to stop");
            good = false;
        }
    }
    if (rc == 0 && good &&
        (fstat(fd, &after) < 0 || size != (uint64_t)st->st_size || after.st_size != st->st_size ||
         after.st_mtim.tv_sec != st->st_mtim.tv_sec || after.st_mtim.tv_nsec != st->st_mtim.tv_nsec ||
         after.st_ctim.tv_sec != st->st_ctim.tv_sec || after.st_ctim.tv_nsec != st->st_ctim.tv_nsec ||
         door_is_being_written(fd))) {
        err_set(why, ERR_USAGE, "it changed while it was copied");
        good = false;
    }
    if (rc == 0 && good)
        rc = object_end(&w, payload_r, err);
    object_abandon(&w);
    return rc < 0 ? rc : good;
}

/* 1: it is in the batch; 0: not now, why. */
static int take_file(struct taking *t, const char *name, struct err *why, struct err *err)
{
    struct taken *k = &t->file[t->n];
    struct store_source source;
    struct stat st;
    store_time until;
    store_id id = 0;
    int fd = -1, rc;

    rc = door_open_file(t->door->fd, name, &fd, &st, why);
    if (rc == 1 && (!door_judge(&t->judge, name, &st, &until, why) || door_is_being_written(fd)))
        rc = 0;
    if (rc == 1) {
        struct slice path = door_source_path(&t->paths, t->door, name);
        if (!path.p)
            rc = err_nomem(err);
        door_source_of(&st, path, &source);
        if (rc == 1 && store_kept(t->a->store, &source, &id, err) < 0)
            rc = err ? err->code : ERR_IO;
    } else if (rc == ERR_MISSING) {
        rc = 0;
    }
    if (rc == 1 && id) {
        /* taken long ago; perhaps it can be removed now */
        if (t->door->then != THEN_KEEP && put_away(t, name, &source, id, why) == 0)
            rc = add_note(t, NOTE_FORGET, 0, &source, err);
        close(fd);
        return rc < 0 ? rc : 0;
    }
    if (rc == 1 && door_has_holes(fd, &st))
        rc = 0;
    if (rc == 1)
        rc = copy(t, fd, &st, &k->payload, why, err);
    if (fd >= 0)
        close(fd);
    if (rc != 1)
        return rc;
    snprintf(k->name, sizeof(k->name), "%s", name);
    k->source = source;
    t->n++;
    t->bytes += k->payload.size;
    return 1;
}

static int compare_candidates(const void *a, const void *b, void *names)
{
    const struct candidate *x = a, *y = b;
    int c = (x->mtime > y->mtime) - (x->mtime < y->mtime);
    return c ? c : strcmp((const char *)names + x->name, (const char *)names + y->name);
}

/* Reads on in the folder until there are as many as are put in order at a time. How many there are; *end_r: there are
 * no more. */
static unsigned gather(struct taking *t, DIR *folder, bool *end_r)
{
    unsigned n = 0;
    struct dirent *entry = NULL;
    struct stat st;
    struct err why;
    store_time until;

    buf_clear(&t->names);
    while (n < ROUND && (entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strlen(name) >= FOLDER_NAME)
            continue;
        if (!door_takes_name(t->door, name))
            continue;
        if (fstatat(t->door->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (!door_judge(&t->judge, name, &st, &until, &why)) {
            if (until && (!t->a->wait || until < t->a->wait))
                t->a->wait = until;
            continue;
        }
        t->candidate[n] = (struct candidate){ folder_mtime(&st), (uint64_t)st.st_size, (uint32_t)t->names.n };
        buf_add(&t->names, name, strlen(name) + 1);
        if (t->names.failed)
            break;
        n++;
    }
    *end_r = !entry;
    return n;
}

static int take_from(struct taking *t, struct err *err)
{
    DIR *folder = door_read(t->door->fd);
    bool end = !folder;
    int rc = 0;

    for (unsigned round = 0; rc == 0 && !end && round < ROUNDS; round++) {
        unsigned n = gather(t, folder, &end);
        if (t->names.failed)
            rc = err_nomem(err);
        if (n)
            qsort_r(t->candidate, n, sizeof(*t->candidate), compare_candidates, t->names.p);
        for (unsigned i = 0; rc == 0 && i < n; i++) {
            const struct candidate *c = &t->candidate[i];
            struct err why;
            if (t->n == BATCH_FILES || (t->n && t->bytes + c->size > BATCH_BYTES)) {
                rc = accept_batch(t, err);
                if (stopped(t->a)) {
                    end = true;
                    break;
                }
            }
            if (rc == 0) {
                rc = take_file(t, t->names.p + c->name, &why, err);
                rc = rc > 0 ? 0 : rc;
            }
        }
        if (rc == 0)
            rc = accept_batch(t, err);
        if (rc == 0 && (t->door->changed || t->door->move_changed))
            sync_door(t->door);         /* of those that were taken long ago */
    }
    if (folder)
        closedir(folder);
    return rc;
}

int door_take(struct appliance *a, uint32_t *done_r, struct err *err)
{
    struct taking *t = NULL;
    struct door door;
    int rc = 0;

    *done_r = 0;
    a->wait = 0;
    if (a->looks && a->looks->behind)
        rc = door_recover(a, err);
    if (rc == 0)
        rc = taking_new(a, &t, err);
    for (unsigned i = 0; rc == 0 && i < home_partners(a->home) && !stopped(a); i++) {
        bool end = false;
        t->partner = home_partner_at(a->home, i);
        for (unsigned k = 0; rc == 0 && !end && !t->partner->off && !stopped(a); k++) {
            struct err why;
            if (!door_at(t->partner, k, &door, &end))
                continue;
            t->door = &door;
            t->judge.now = store_now(a->store);
            if (door_open(&door, a->spool, t->partner->name, true, &why) == 0)        /* else door_look() says why */
                rc = take_from(t, err);
            door_close(&door);
        }
    }
    if (rc == 0)
        rc = flush_notes(t, err);
    if (t)
        *done_r = t->done;
    taking_free(&t);
    if (a->looks)
        door_looks_turn(a->looks);
    return rc;
}

/* --- Recovering --------------------------------------------------------------------------- */

enum { RECOVERED = 500 };

struct left {
    store_id id;
    struct slice partner;
    struct store_source source;
};

struct leaving {
    struct arena arena;
    struct left left[RECOVERED];
    unsigned n;
    bool nomem;
    int spool;
};

static int remember_source(void *ctx, const struct store_transmission *x)
{
    struct leaving *l = ctx;
    struct left *k = &l->left[l->n];

    *k = (struct left){ x->id, arena_copy(&l->arena, x->partner), x->source };
    k->source.path = arena_copy(&l->arena, x->source.path);
    l->nomem = l->nomem || !k->partner.p || !k->source.path.p;
    return l->nomem || ++l->n == RECOVERED ? ERR_STOP : 0;
}

/* The folder and the name of a path. */
static bool part_path(struct slice path, char folder[FOLDER_PATH], char name[FOLDER_NAME])
{
    size_t n = path.n;

    while (n > 0 && path.p[n - 1] != '/')
        n--;
    if (n < 2 || !door_path(folder, slice(path.p, n - 1)) || !folder_takes_name(slice_from(path, n)))
        return false;
    memcpy(name, path.p + n, path.n - n);
    name[path.n - n] = 0;
    return true;
}

/* The door a file was taken at, as the partner file has it today. */
static bool find_door(struct home *home, struct slice partner, const char *folder, const char *name, struct door *d)
{
    const struct partner *p = home_partner(home, partner);
    bool end = !p;

    for (unsigned i = 0; !end; i++)
        if (door_at(p, i, d, &end) && strcmp(d->path, folder) == 0 &&
            door_takes_name(d, name))
            return true;
    /* Our own folder needs no partner file. From any other nothing is removed without one that says so. */
    *d = (struct door){ .then = THEN_KEEP, .fd = -1, .move_fd = -1 };
    if (strncmp(folder, "in/", 3) == 0) {
        d->own = true;
        d->then = THEN_DELETE;
    }
    return door_path(d->path, slice_of(folder));
}

static int clear_one(struct taking *t, const struct left *k, struct err *err)
{
    char folder[FOLDER_PATH], name[FOLDER_NAME];
    struct door door;
    struct err why;
    bool gone = true, found = part_path(k->source.path, folder, name);
    int rc;

    if (!found || !find_door(t->a->home, k->partner, folder, name, &door))
        return add_note(t, NOTE_CLEAR, k->id, &k->source, err);
    t->door = &door;
    if (door_open(&door, t->a->spool, k->partner, false, &why) == 0) {
        gone = put_away(t, name, &k->source, k->id, &why) == 0;
        /* it may have been removed just before the end, and not synced */
        door.changed = true;
        gone = sync_door(&door) && gone;
    } else {
        gone = false;           /* the folder may come back, and the file with it */
    }
    rc = add_note(t, gone ? NOTE_CLEAR : NOTE_KEEP, k->id, &k->source, err);
    door_close(&door);
    return rc;
}

static int clear_all(struct taking *t, struct leaving *l, struct err *err)
{
    struct store_query q = { .direction = STORE_IN, .source = true, .limit = RECOVERED };
    int rc;

    do {
        l->n = 0;
        arena_reset(&l->arena);
        rc = store_transmissions(t->a->store, &q, remember_source, l, err);
        rc = l->nomem ? err_nomem(err) : rc == ERR_STOP ? 0 : rc;
        for (unsigned i = 0; rc == 0 && i < l->n; i++) {
            rc = clear_one(t, &l->left[i], err);
            q.after = l->left[i].id;
        }
        if (rc == 0)
            rc = flush_notes(t, err);
    } while (rc == 0 && l->n == RECOVERED);
    return rc;
}

static int remember_gone(void *ctx, store_id id, const struct store_source *source)
{
    struct leaving *l = ctx;
    char folder[FOLDER_PATH], name[FOLDER_NAME];
    struct stat st;
    int fd = -1;
    bool gone = false;

    (void)id;
    if (part_path(source->path, folder, name))
        fd = openat(l->spool, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* a file system that is not mounted today has not lost its files */
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == source->device)
        gone = fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? errno == ENOENT : !is_same_file(&st, source);
    if (fd >= 0)
        close(fd);
    if (!gone)
        return 0;
    l->left[l->n] = (struct left){ .source = *source };
    l->left[l->n].source.path = arena_copy(&l->arena, source->path);
    l->nomem = l->nomem || !l->left[l->n].source.path.p;
    return l->nomem || ++l->n == RECOVERED ? ERR_STOP : 0;
}

/* Files that stayed, and that somebody else has removed since. */
static int forget_gone(struct taking *t, struct leaving *l, struct err *err)
{
    int rc;

    do {
        l->n = 0;
        arena_reset(&l->arena);
        rc = store_kept_files(t->a->store, remember_gone, l, err);
        rc = l->nomem ? err_nomem(err) : rc == ERR_STOP ? 0 : rc;
        for (unsigned i = 0; rc == 0 && i < l->n; i++)
            rc = add_note(t, NOTE_FORGET, 0, &l->left[i].source, err);
        if (rc == 0)
            rc = flush_notes(t, err);
    } while (rc == 0 && l->n == RECOVERED);
    return rc;
}

int door_recover(struct appliance *a, struct err *err)
{
    struct leaving *l = calloc(1, sizeof(*l));
    struct taking *t = NULL;
    int rc = l ? taking_new(a, &t, err) : err_nomem(err);

    if (rc == 0) {
        arena_init(&l->arena, 16 << 20);
        l->spool = a->spool;
        rc = clear_all(t, l, err);
    }
    if (rc == 0)
        rc = forget_gone(t, l, err);
    taking_free(&t);
    if (rc == 0)
        a->looks->behind = false;
    if (l)
        arena_deinit(&l->arena);
    free(l);
    return rc;
}
