/*
 * reader: see reader.h.
 *
 * A window of the input lies in memory; where the next record begins in it, json_parse_first is tried. When the
 * window ends inside the record it grows and the attempt is repeated, but only when there is reason to hope: the
 * bytes have doubled, a line has ended behind a brace, or the input is at its end. So the work stays linear.
 *
 * A record that outgrows the memory allowed is walked member by member and item by item, each of which must fit
 * alone. What is small is put together in `loaded`, a JSON text of its own in which every streamed array is
 * written as []; of these only their place is kept. The bytes themselves go to the temporary file as they leave
 * the window, or are found again in the input.
 *
 * SECURITY: opens one unnamed temporary file, in TMPDIR (not in set-id programs) or /var/tmp, only when a record is
 * large and neither the input can be read again nor a file was given. Opens nothing else.
 */
#include "record/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"

enum {
    DEFAULT_CHUNK = 256 << 10,
    DEFAULT_SMALL = 1 << 20,
    LEAST_TAPE = 64 << 10,
    LEAST_CHUNK = 64,
    FIRST_READ = 4 << 10,
    MOST_STREAMS = 4096             /* streamed arrays in one record */
};

enum expect {                       /* what may come next between records */
    EXPECT_RECORD,                  /* outside an array: a record, or [ */
    EXPECT_FIRST,                   /* behind [ */
    EXPECT_SEPARATOR,               /* behind a record in an array */
    EXPECT_ITEM,                    /* behind the comma */
    EXPECT_ANY                      /* in an array, once a record was bad: who knows what went with it */
};

struct stream {                     /* an array that is not on the tape */
    uint64_t from, to;              /* its items, without brackets: places in the file */
    uint64_t count;
    uint32_t member;                /* which of the record's members, from 0 */
    uint32_t node;
};

struct window {
    char *p;
    size_t room;
    size_t start, end;              /* what is still to be read */
};

struct record_reader {
    int fd;
    struct record_reader_options options;
    struct window in;
    uint64_t offset, line, column;  /* of in.start: bytes, lines, bytes on the line before it */
    bool eof;
    int failed;                     /* for good */
    enum expect expect;
    struct json_tape tape, item;
    struct record record;
    uint64_t number, bad_line, bad_offset;
    size_t indent;                  /* column of the record being read */
    /* large records */
    bool again;                     /* the input is a regular file: read it again */
    uint64_t again_at;              /* its position when we began */
    int temporary;                  /* -1: none yet */
    bool own;                       /* that one is ours to close */
    bool spilling;
    uint64_t spilled;               /* bytes of the input up to here are in the temporary file */
    struct buf loaded;
    struct stream *stream;
    size_t streams, streams_room;
    struct window back;             /* of the file, for items */
    uint64_t back_at;               /* place in the file of back.start */
    size_t at_once;                 /* how much of it is read at once: little at first, for items that are gone to */
};

/* --- making and freeing --- */

static char *open_window(struct window *w, size_t room)
{
    *w = (struct window){ .p = malloc(room), .room = room };
    return w->p;
}

int record_reader_new(int fd, const struct record_reader_options *options, struct record_reader **reader_r,
                      struct err *err)
{
    struct record_reader *r = calloc(1, sizeof(*r));
    struct record_reader_options *o;
    struct stat st;
    off_t at;

    *reader_r = NULL;
    if (!r)
        return err_nomem(err);
    o = &r->options;
    if (options)
        *o = *options;
    if (!o->memory)
        o->memory = LIMIT_RECORD_MEMORY;
    if (!o->item)
        o->item = LIMIT_ITEM;
    if (!o->small)
        o->small = DEFAULT_SMALL;
    if (!o->file)
        o->file = LIMIT_RECORD_FILE;
    if (!o->chunk)
        o->chunk = DEFAULT_CHUNK;
    if (o->chunk < LEAST_CHUNK)
        o->chunk = LEAST_CHUNK;
    r->fd = fd;
    r->temporary = o->temporary > 0 ? o->temporary : -1;
    json_tape_init(&r->tape, o->memory / 2 > LEAST_TAPE ? o->memory / 2 : LEAST_TAPE);
    json_tape_init(&r->item, o->item > LEAST_TAPE ? o->item : LEAST_TAPE);
    buf_init(&r->loaded, o->memory);
    if (!json_tape_path(&r->tape, o->path) || !json_tape_path(&r->item, o->path)) {
        free(r);
        return err_set(err, ERR_USAGE, "this machine does not have that path of the JSON reader");
    }
    if (!open_window(&r->in, o->chunk)) {
        free(r);
        return err_nomem(err);
    }
    if (!o->copy && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (at = lseek(fd, 0, SEEK_CUR)) >= 0) {
        r->again = true;
        r->again_at = (uint64_t)at;
    }
    *reader_r = r;
    return 0;
}

void record_reader_free(struct record_reader **reader)
{
    struct record_reader *r = *reader;

    if (!r)
        return;
    if (r->own)
        close(r->temporary);
    free(r->in.p);
    free(r->back.p);
    free(r->stream);
    buf_deinit(&r->loaded);
    json_tape_deinit(&r->tape);
    json_tape_deinit(&r->item);
    free(r);
    *reader = NULL;
}

/* --- the window --- */

/* Makes the window larger, up to `most`. 1: it is; 0: it is that large already; negative: memory is out. */
static int widen(struct window *w, size_t most, struct err *err)
{
    size_t room = w->room < most / 2 ? w->room * 2 : most;
    char *p;

    if (w->room >= most)
        return 0;
    p = realloc(w->p, room);
    if (!p)
        return err_nomem(err);
    w->p = p;
    w->room = room;
    return 1;
}

/* What has left the window goes to the temporary file, if that is where this record lies. */
static int spill(struct record_reader *r, struct err *err)
{
    size_t n = (size_t)(r->offset - r->spilled);
    int code;

    if (!r->spilling || n == 0)
        return 0;
    code = file_write_all(r->temporary, r->in.p + r->in.start - n, n, err);
    if (code == 0)
        r->spilled = r->offset;
    return code;
}

/* Reads once more, behind what is there. `most`: how far the window may grow. 1: more is there. 0: the input is at
 * its end, or the window is full (then eof is false). */
static int fill(struct record_reader *r, size_t most, struct err *err)
{
    struct window *w = &r->in;
    ssize_t n;
    int code;

    if (r->eof)
        return 0;
    if (w->end == w->room) {
        code = spill(r, err);
        if (code < 0)
            return code;
        if (w->start >= w->room / 2 || (w->start && w->room >= most)) {
            memmove(w->p, w->p + w->start, w->end - w->start);
            w->end -= w->start;
            w->start = 0;
        } else {
            code = widen(w, most, err);
            if (code <= 0)
                return code;
        }
    }
    do
        n = read(r->fd, w->p + w->end, w->room - w->end);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_system(err, "records cannot be read");
    if (n == 0) {
        r->eof = true;
        return 0;
    }
    w->end += (size_t)n;
    return 1;
}

static inline struct slice ahead(const struct record_reader *r)
{
    return slice(r->in.p + r->in.start, r->in.end - r->in.start);
}

/* The next byte, without taking it: 1. 0: the end. */
static int peek(struct record_reader *r, char *c_r, struct err *err)
{
    if (r->in.start == r->in.end) {
        int code;
        if (!r->spilling)
            r->in.start = r->in.end = 0;
        code = fill(r, r->in.room, err);
        if (code <= 0)
            return code;
    }
    *c_r = r->in.p[r->in.start];
    return 1;
}

/* Takes n bytes, among which is no line end. */
static inline void take_plain(struct record_reader *r, size_t n)
{
    r->in.start += n;
    r->offset += n;
    r->column += n;
}

static void take(struct record_reader *r, size_t n)
{
    const char *p = r->in.p + r->in.start, *end = p + n, *newline;

    r->in.start += n;
    r->offset += n;
    while ((newline = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        r->line++;
        r->column = 0;
        p = newline + 1;
    }
    r->column += (size_t)(end - p);
}

/* Takes blanks; then as peek. */
static int peek_word(struct record_reader *r, char *c_r, struct err *err)
{
    int code;

    while ((code = peek(r, c_r, err)) > 0 && (*c_r == ' ' || *c_r == '\n' || *c_r == '\r' || *c_r == '\t'))
        take(r, 1);
    return code;
}

static void set_place(const struct record_reader *r, struct json_tape *tape)
{
    tape->offset = r->offset;
    tape->line = r->line;
    tape->column = r->column;
}

/* --- what is bad --- */

static int fail(struct record_reader *r, int code, const struct err *why, struct err *err)
{
    if (code != ERR_DATA && code != ERR_LIMIT) {
        r->failed = code;
        return err_set(err, code, "%s", why->text);
    }
    return err_set(err, code, "record %llu: %.900s", (unsigned long long)r->number, why->text);
}

static int fail_here(struct record_reader *r, const char *expected, bool end, struct err *why)
{
    char found[32] = "the end of the input";
    unsigned char c;

    if (!end) {
        c = (unsigned char)r->in.p[r->in.start];
        snprintf(found, sizeof(found), c > ' ' && c < 0x7f ? "'%c'" : "the byte 0x%02x", c);
    }
    return err_set(why, ERR_DATA, "line %llu, column %llu (byte %llu): expected %s, found %s",
                   (unsigned long long)r->line + 1, (unsigned long long)r->column + 1, (unsigned long long)r->offset,
                   expected, found);
}

/* Goes on behind a bad record: with the first line that is not deeper than the bad one's, and does not look like its
 * end. Empty lines and deeper ones are the bad record's. */
static int skip_bad(struct record_reader *r, struct err *err)
{
    char c;
    int code;

    r->expect = r->expect == EXPECT_RECORD ? EXPECT_RECORD : EXPECT_ANY;
    /* a record that broke off in the midst: the next one has been reached already */
    if (r->offset != r->bad_offset && r->column <= r->indent && (code = peek(r, &c, err)) != 0)
        if (code < 0 || c == '{')
            return code < 0 ? code : 0;
    for (;;) {
        size_t at;
        /* to the next line */
        while ((code = peek(r, &c, err)) > 0) {
            struct slice rest = ahead(r);
            const char *newline = memchr(rest.p, '\n', rest.n);
            if (newline) {
                take(r, (size_t)(newline - rest.p) + 1);
                break;
            }
            take_plain(r, rest.n);
        }
        if (code <= 0)
            return code;
        while ((code = peek(r, &c, err)) > 0 && (c == ' ' || c == '\t' || c == '\r'))
            take_plain(r, 1);
        if (code <= 0)
            return code;
        if (c == '\n' || r->column > r->indent)
            continue;
        if (c == '{' || (r->expect == EXPECT_ANY && (c == ']' || c == ',')))
            return 0;
        if (c != '}' && c != ']' && c != ',')
            return 0;
        /* }, { */
        at = 1;
        while ((code = (at < ahead(r).n ? 1 : fill(r, r->in.room, err))) > 0) {
            struct slice rest = ahead(r);
            while (at < rest.n && (rest.p[at] == ' ' || rest.p[at] == ','))
                at++;
            if (at < rest.n)
                break;
        }
        if (code < 0)
            return code;
        if (code > 0 && c == '}' && ahead(r).p[at] == '{') {
            take_plain(r, at);
            return 0;
        }
    }
}

/* A record, or what should be one, begins here. */
static void begin(struct record_reader *r)
{
    r->number++;
    r->bad_line = r->line + 1;
    r->bad_offset = r->offset;
    r->indent = r->column;
}

/* Reports the record at hand as bad and goes behind it. */
static int bad(struct record_reader *r, int code, const struct err *why, struct err *err)
{
    struct err later;
    int skipped;

    r->spilling = false;
    if (code == ERR_DATA || code == ERR_LIMIT) {
        skipped = skip_bad(r, &later);
        if (skipped < 0)
            r->failed = skipped;        /* told by the next call */
    }
    return fail(r, code, why, err);
}

void record_reader_place(const struct record_reader *r, uint64_t *number_r, uint64_t *line_r, uint64_t *offset_r)
{
    *number_r = r->number;
    *line_r = r->bad_line;
    *offset_r = r->bad_offset;
}

/* --- large records --- */

static int open_temporary(struct record_reader *r, struct err *err)
{
    int code = file_temporary(r->options.directory, &r->temporary, err);

    if (code == 0)
        r->own = true;
    return code;
}

static int start_spilling(struct record_reader *r, struct err *err)
{
    int code = 0;

    if (r->again)
        return 0;
    if (r->temporary < 0)
        code = open_temporary(r, err);
    if (code < 0)
        return code;
    if (ftruncate(r->temporary, 0) < 0 || lseek(r->temporary, 0, SEEK_SET) < 0)
        return err_system(err, "the temporary file of a large record");
    r->spilling = true;
    r->spilled = r->offset;
    return 0;
}

/* Where in the file a place of the input lies. */
static uint64_t file_place(const struct record_reader *r, uint64_t offset)
{
    return r->again ? r->again_at + offset : offset - r->record.offset;
}

/* Parses the value at hand, of at most `most` bytes, and tells its length, without taking it. */
static int read_value(struct record_reader *r, struct json_tape *tape, size_t most, const char *what, size_t *n_r,
                      struct err *why)
{
    for (;;) {
        struct slice rest = ahead(r);
        size_t tried = rest.n;
        int code;

        set_place(r, tape);
        code = json_parse_first(tape, rest, n_r, why);
        if (code == 0 || code == ERR_NOMEM)
            return code;
        if (code == ERR_DATA && tape->incomplete && tried < most && !r->eof) {
            do
                code = fill(r, r->options.chunk > most ? r->options.chunk : most, why);
            while (code > 0 && ahead(r).n < 2 * tried);
            if (code < 0)
                return code;
            if (code == 0 && !r->eof && ahead(r).n == tried)
                return err_set(why, ERR_LIMIT, "line %llu: %s is larger than %zu bytes",
                               (unsigned long long)r->line + 1, what, most);
            continue;
        }
        if (code == ERR_DATA && tape->incomplete && !r->eof)
            return err_set(why, ERR_LIMIT, "line %llu: %s is larger than %zu bytes", (unsigned long long)r->line + 1,
                           what, most);
        if (code == ERR_DATA)
            take(r, tape->error_at);    /* skip_bad goes on from there */
        return code;
    }
}

static int loaded_failed(struct record_reader *r, struct err *why)
{
    if (r->loaded.failed == ERR_NOMEM)
        return err_nomem(why);
    return err_set(why, ERR_LIMIT, "line %llu: what is not in arrays is larger than %zu bytes",
                   (unsigned long long)r->line + 1, r->options.memory);
}

static int add_stream(struct record_reader *r, const struct stream *stream, struct err *why)
{
    if (r->streams == r->streams_room) {
        size_t room = r->streams_room ? r->streams_room * 2 : 8;
        struct stream *p;
        if (r->streams >= MOST_STREAMS)
            return err_set(why, ERR_LIMIT, "more than %d large arrays", MOST_STREAMS);
        p = realloc(r->stream, room * sizeof(*p));
        if (!p)
            return err_nomem(why);
        r->stream = p;
        r->streams_room = room;
    }
    r->stream[r->streams++] = *stream;
    return 0;
}

/* A member that is an array: its items one by one. They are loaded until there are too many. */
static int walk_array(struct record_reader *r, uint32_t member, struct err *why)
{
    struct stream s = { .member = member, .from = file_place(r, r->offset + 1) };
    size_t before = r->loaded.n, n;
    bool load = true;
    char c;
    int code;

    take_plain(r, 1);
    buf_add_char(&r->loaded, '[');
    code = peek_word(r, &c, why);
    if (code > 0 && c == ']')
        goto end;
    for (;;) {
        if (code < 0)
            return code;
        if (code == 0)
            return fail_here(r, "an item", true, why);
        code = read_value(r, &r->item, r->options.item, "an item", &n, why);
        if (code < 0)
            return code;
        if (n > r->options.item)
            return err_set(why, ERR_LIMIT, "line %llu: an item is larger than %zu bytes",
                           (unsigned long long)r->line + 1, r->options.item);
        s.count++;
        if (r->offset + n - r->record.offset > r->options.file)
            return err_set(why, ERR_LIMIT, "line %llu: the record is larger than %llu bytes",
                           (unsigned long long)r->line + 1, (unsigned long long)r->options.file);
        if (load) {
            if (s.count > 1)
                buf_add_char(&r->loaded, ',');
            buf_add_slice(&r->loaded, slice(ahead(r).p, n));
            load = !r->loaded.failed && r->loaded.n - before < r->options.small;
            if (r->loaded.failed == ERR_NOMEM)
                return err_nomem(why);
        }
        take(r, n);
        code = peek_word(r, &c, why);
        if (code < 0)
            return code;
        if (code > 0 && c == ']')
            break;
        if (code == 0 || c != ',')
            return fail_here(r, "',' or ']'", code == 0, why);
        take_plain(r, 1);
        code = peek_word(r, &c, why);
    }
end:
    s.to = file_place(r, r->offset);
    take_plain(r, 1);
    if (!load) {
        r->loaded.failed = 0;
        r->loaded.n = before;
        buf_add_char(&r->loaded, '[');
        code = add_stream(r, &s, why);
        if (code < 0)
            return code;
    }
    buf_add_char(&r->loaded, ']');
    return r->loaded.failed ? loaded_failed(r, why) : 0;
}

static int walk_members(struct record_reader *r, struct err *why)
{
    uint32_t member = 0;
    size_t n;
    char c;
    int code;

    take_plain(r, 1);
    buf_add_char(&r->loaded, '{');
    code = peek_word(r, &c, why);
    if (code > 0 && c == '}')
        goto end;
    for (;; member++) {
        if (code > 0 && c == '"')
            code = read_value(r, &r->item, r->options.memory, "a key", &n, why);
        else if (code >= 0)
            code = fail_here(r, "a key in quotes", code == 0, why);
        if (code < 0)
            return code;
        buf_add_slice(&r->loaded, slice(ahead(r).p, n));
        take(r, n);
        code = peek_word(r, &c, why);
        if (code >= 0 && (code == 0 || c != ':'))
            code = fail_here(r, "':' behind the key", code == 0, why);
        if (code < 0)
            return code;
        take_plain(r, 1);
        buf_add_char(&r->loaded, ':');
        code = peek_word(r, &c, why);
        if (code == 0)
            code = fail_here(r, "a value", true, why);
        if (code < 0)
            return code;
        if (r->loaded.failed)
            return loaded_failed(r, why);
        if (c == '[') {
            code = walk_array(r, member, why);
        } else {
            code = read_value(r, &r->item, r->options.memory, "a value that is not an array", &n, why);
            if (code == 0) {
                buf_add_slice(&r->loaded, slice(ahead(r).p, n));
                take(r, n);
            }
        }
        if (code < 0)
            return code;
        if (r->loaded.failed)
            return loaded_failed(r, why);
        code = peek_word(r, &c, why);
        if (code > 0 && c == '}')
            break;
        if (code >= 0 && (code == 0 || c != ','))
            code = fail_here(r, "',' or '}'", code == 0, why);
        if (code < 0)
            return code;
        take_plain(r, 1);
        buf_add_char(&r->loaded, ',');
        code = peek_word(r, &c, why);
    }
end:
    take_plain(r, 1);
    buf_add_char(&r->loaded, '}');
    return r->loaded.failed ? loaded_failed(r, why) : 0;
}

/* The record at hand is too large for the window. */
static int read_large(struct record_reader *r, struct err *why)
{
    uint32_t c, member = 0;
    size_t i = 0;
    int code = start_spilling(r, why);

    /* the attempt to take it whole left memory for many values; what is loaded has few */
    json_tape_deinit(&r->tape);
    if (code == 0)
        code = walk_members(r, why);
    if (code == 0)
        code = spill(r, why);
    if (code < 0)
        return code;
    r->spilling = false;
    set_place(r, &r->tape);
    code = json_parse(&r->tape, buf_slice(&r->loaded), why);
    if (code < 0)
        return code == ERR_DATA ? err_set(why, ERR_INTERNAL, "a large record was put together wrongly") : code;
    for (c = json_first(0); c < json_end(&r->tape, 0) && i < r->streams; c = json_next(&r->tape, c), member++) {
        struct stream *s = &r->stream[i];
        if (s->member == member) {
            r->tape.node[c].type = JSON_STREAMED;
            r->tape.node[c].count = s->count < UINT32_MAX ? (uint32_t)s->count : UINT32_MAX;
            s->node = c;
            i++;
        }
    }
    r->record.streamed = r->streams > 0;
    r->record.size = r->offset - r->record.offset;
    return 0;
}

/* --- records --- */

/* A line has ended behind a brace in what was read last. */
static bool hopeful(struct slice news)
{
    const char *p = news.p, *end = p + news.n, *newline;

    while ((newline = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        const char *before = newline;
        if (before > news.p && before[-1] == '\r')
            before--;
        if (before > news.p && before[-1] == '}' && (newline + 1 == end || newline[1] == '{'))
            return true;
        p = newline + 1;
    }
    return false;
}

/* The record that begins at hand. */
static int read_record(struct record_reader *r, struct err *why)
{
    for (;;) {
        struct slice rest = ahead(r), line = rest;
        const char *newline = memchr(rest.p, '\n', rest.n);
        size_t tried = rest.n, n = 0;
        int code;

        set_place(r, &r->tape);
        if (newline) {
            line.n = (size_t)(newline - rest.p);
            code = json_parse_first(&r->tape, line, &n, why);
            if (code == 0) {
                r->record.size = n;
                take_plain(r, n);
                return 0;
            }
            if (code != ERR_DATA || !r->tape.incomplete)
                return r->tape.full ? read_large(r, why) : code;
        }
        code = json_parse_first(&r->tape, rest, &n, why);
        if (code == 0) {
            r->record.size = n;
            take(r, n);
            return 0;
        }
        if (r->tape.full || (r->tape.incomplete && tried >= r->options.memory))
            return read_large(r, why);
        if (code != ERR_DATA || !r->tape.incomplete || r->eof)
            return code;
        do {
            size_t before = ahead(r).n;
            code = fill(r, r->options.chunk > r->options.memory ? r->options.chunk : r->options.memory, why);
            if (code < 0)
                return code;
            if (code == 0)
                break;
            rest = ahead(r);
            /* two bytes more, for a brace and its line end that came apart */
            before = before > 2 ? before - 2 : 0;
            if (hopeful(slice_from(rest, before)))
                break;
        } while (ahead(r).n < 2 * tried && ahead(r).n < r->options.memory);
        if (code == 0 && !r->eof)
            return read_large(r, why);
    }
}

/* What stands between records. 1: a record begins here. 0: the end of the input. */
static int read_separator(struct record_reader *r, struct err *why)
{
    for (;;) {
        bool item = r->expect != EXPECT_SEPARATOR;
        char c;
        int code = peek_word(r, &c, why);

        if (code < 0)
            return code;
        if (code == 0) {
            if (r->expect == EXPECT_RECORD || r->expect == EXPECT_ANY)
                return 0;
            r->expect = EXPECT_RECORD;
            begin(r);
            return fail_here(r, "']' at the end of the array", true, why);
        }
        if (c == '{' && item)
            return 1;
        if (c == '[' && r->expect == EXPECT_RECORD) {
            r->expect = EXPECT_FIRST;
        } else if (c == ']' && r->expect != EXPECT_RECORD && r->expect != EXPECT_ITEM) {
            r->expect = EXPECT_RECORD;
        } else if (c == ',' && r->expect == EXPECT_SEPARATOR) {
            r->expect = EXPECT_ITEM;
        } else if (c == ',' && r->expect == EXPECT_ANY) {
            /* takes it for what it looks like */
        } else {
            begin(r);
            return fail_here(r, item ? "a record, which begins with '{'" : "',' or ']' behind a record", false, why);
        }
        take_plain(r, 1);
    }
}

static int skip_mark(struct record_reader *r, struct err *why)
{
    const struct slice mark = SLICE("\xef\xbb\xbf");
    int code;

    while (ahead(r).n < 3) {
        code = fill(r, r->in.room, why);
        if (code < 0)
            return code;
        if (code == 0 || ahead(r).p[0] != mark.p[0])
            break;
    }
    if (slice_starts(ahead(r), mark)) {
        r->in.start += mark.n;
        r->offset += mark.n;
    }
    return 0;
}

int record_reader_next(struct record_reader *r, const struct record **record_r, struct err *err)
{
    struct err why;
    int code = 0;

    *record_r = NULL;
    if (r->failed)
        return err_set(err, r->failed, "%s", err_name(r->failed));
    if (r->streams && !r->again && ftruncate(r->temporary, 0) < 0) {
        code = err_system(&why, "the temporary file of a large record");
        return fail(r, code, &why, err);
    }
    r->streams = 0;
    r->back.start = r->back.end = 0;
    buf_clear(&r->loaded);
    if (r->offset == 0 && r->number == 0)
        code = skip_mark(r, &why);
    if (code == 0)
        code = read_separator(r, &why);
    if (code == 0)
        return 0;
    if (code < 0)
        return bad(r, code, &why, err);
    begin(r);
    r->record = (struct record){ .tape = &r->tape, .number = r->number, .offset = r->offset, .line = r->line + 1,
                                 .reader = r };
    code = read_record(r, &why);
    if (code < 0)
        return bad(r, code, &why, err);
    if (r->expect != EXPECT_RECORD && r->expect != EXPECT_ANY)
        r->expect = EXPECT_SEPARATOR;
    *record_r = &r->record;
    return 1;
}

int record_reader_keep(struct record_reader *r, struct record_kept *kept, struct err *err)
{
    struct json_tape other = kept->tape;

    if (!other.ceiling) {
        json_tape_init(&other, (size_t)r->tape.ceiling * sizeof(struct json_node));
        other.path = r->tape.path;
        buf_init(&kept->text, LIMIT_ITEM);
    }
    buf_clear(&kept->text);
    /* up to the record's end; the text of a large one is not the input's, but was put together */
    buf_add(&kept->text, r->tape.text.p, r->tape.node[0].at + r->tape.node[0].n);
    if (kept->text.failed)
        return err_set(err, kept->text.failed, "%s", err_name(kept->text.failed));
    kept->tape = r->tape;
    kept->tape.text = buf_slice(&kept->text);
    r->tape = other;
    kept->record = r->record;
    kept->record.tape = &kept->tape;
    kept->record.reader = NULL;
    return 0;
}

void record_kept_deinit(struct record_kept *kept)
{
    json_tape_deinit(&kept->tape);
    buf_deinit(&kept->text);
}

/* --- items --- */

void record_items_begin(const struct record *record, uint32_t node, struct record_items *it_r)
{
    const struct record_reader *r = record->reader;

    *it_r = (struct record_items){ .record = record, .node = node, .child = json_first(node) };
    for (size_t i = 0; record->tape->node[node].type == JSON_STREAMED && i < r->streams; i++) {
        if (r->stream[i].node == node) {
            it_r->array = (uint32_t)i + 1;
            it_r->at = r->stream[i].from;
        }
    }
}

/* Reads more of the file behind what the window of items holds. 1, 0 at the array's end, or negative. */
static int fill_back(struct record_reader *r, const struct stream *s, struct err *err)
{
    struct window *w = &r->back;
    uint64_t at = r->back_at + (w->end - w->start);
    size_t want;
    ssize_t n;

    if (at >= s->to)
        return 0;
    if (!w->p && !open_window(w, r->options.chunk))
        return err_nomem(err);
    if (!r->at_once)
        r->at_once = FIRST_READ;
    if (w->start && w->end == w->room) {
        memmove(w->p, w->p + w->start, w->end - w->start);
        w->end -= w->start;
        w->start = 0;
    }
    if (w->end == w->room && widen(w, SIZE_MAX / 4, err) < 0)
        return ERR_NOMEM;
    want = w->room - w->end;
    if (want > r->at_once) {
        want = r->at_once;
        r->at_once *= 2;
    }
    if (s->to - at < want)
        want = (size_t)(s->to - at);
    do
        n = pread(r->again ? r->fd : r->temporary, w->p + w->end, want, (off_t)at);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_system(err, "the items of a large record cannot be read again");
    if (n == 0)
        return err_set(err, ERR_IO, "the file of a large record has become shorter while it was read");
    w->end += (size_t)n;
    return 1;
}

static void take_back(struct record_reader *r, size_t n)
{
    r->back.start += n;
    r->back_at += n;
}

static int next_streamed(struct record_items *it, struct record_reader *r, struct err *err)
{
    const struct stream *s = &r->stream[it->array - 1];
    struct window *w = &r->back;
    struct err why;
    size_t n = 0;
    int code;

    if (it->at > r->back_at && it->at - r->back_at < w->end - w->start)
        take_back(r, it->at - r->back_at);
    if (r->back_at != it->at)
        r->at_once = FIRST_READ;
    if (r->back_at != it->at || w->start == w->end) {
        w->start = w->end = 0;
        r->back_at = it->at;
    }
    for (;;) {
        while (w->start < w->end && strchr(" \t\r\n,", w->p[w->start]) && w->p[w->start])
            take_back(r, 1);
        if (w->start < w->end)
            break;
        w->start = w->end = 0;
        code = fill_back(r, s, err);
        if (code <= 0) {
            it->at = s->to;
            return code;
        }
    }
    for (;;) {
        size_t tried = w->end - w->start;
        set_place(r, &r->item);
        code = json_parse_first(&r->item, slice(w->p + w->start, tried), &n, &why);
        if (code == 0)
            break;
        if (code == ERR_DATA && r->item.incomplete && tried < r->options.item) {
            while ((code = fill_back(r, s, err)) > 0 && w->end - w->start < 2 * tried)
                ;
            if (code < 0)
                return code;
            if (w->end - w->start > tried)
                continue;
            /* a number at the very end of the array */
            code = json_parse(&r->item, slice(w->p + w->start, tried), &why);
            n = tried;
            if (code == 0)
                break;
        }
        if (code == ERR_NOMEM)
            return err_nomem(err);
        return err_set(err, ERR_IO, "the file of a large record has changed while it was read");
    }
    take_back(r, n);
    it->at = r->back_at;
    return 1;
}

int record_items_next(struct record_items *it, const struct json_tape **tape_r, uint32_t *node_r, struct err *err)
{
    const struct json_tape *tape = it->record->tape;
    int code;

    if (it->array) {
        code = next_streamed(it, it->record->reader, err);
        if (code <= 0)
            return code;
        *tape_r = &it->record->reader->item;
        *node_r = 0;
    } else {
        if (it->child >= json_end(tape, it->node))
            return 0;
        *tape_r = tape;
        *node_r = it->child;
        it->child = json_next(tape, it->child);
    }
    it->index++;
    return 1;
}

uint64_t record_items_place(const struct record_items *it)
{
    return it->array ? it->at : it->child;
}

void record_items_go(struct record_items *it, uint64_t place)
{
    if (it->array)
        it->at = place;
    else
        it->child = (uint32_t)place;
}

/* --- the check of a whole record --- */

int record_check_whole(const struct record_kind *kind, const struct record *record, record_finding_fn *callback,
                       void *context, struct err *err)
{
    const struct json_tape *tape = record->tape;
    int found = record_check(kind, tape, 0, callback, context);
    uint32_t c;

    for (c = json_first(0); found >= 0 && record->streamed && c < json_end(tape, 0); c = json_next(tape, c)) {
        int field = tape->node[c].type == JSON_STREAMED ? record_field_of(kind->root, tape, c) : -1;
        const struct json_tape *item;
        struct record_items it;
        uint32_t node;
        int r;
        if (field < 0 || kind->root->field[field].type != RECORD_ARRAY)
            continue;
        record_items_begin(record, c, &it);
        while ((r = record_items_next(&it, &item, &node, err)) > 0) {
            int more = record_check_item(&kind->root->field[field], (size_t)(it.index - 1), item, node, callback,
                                         context);
            if (more < 0)
                return more;
            found += found < INT32_MAX / 2 ? more : 0;
        }
        if (r < 0)
            return r;
    }
    return found;
}

int record_text(const struct json_tape *tape, struct slice path, struct arena *arena, struct slice *text,
                struct err *err)
{
    uint32_t node = 0;
    bool more = true;

    *text = slice(NULL, 0);
    while (more) {
        struct slice name = slice_cut(path, '.', &path, &more);
        if (tape->node[node].type != JSON_OBJECT || !(node = json_member(tape, node, name)))
            return 0;
    }
    if (tape->node[node].type != JSON_STRING)
        return 0;
    return json_string(tape, node, arena, text) < 0 ? err_nomem(err) : 0;
}
