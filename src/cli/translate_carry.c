/*
 * waybill translate --to KIND: records made of records. Documents are made records first, in an unnamed temporary file.
 *
 * The map is the one that --map names, otherwise records/FROM-TO of the maps folder, chosen for each record by its
 * kind.
 */
#include "cli/translate.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/recall.h"
#include "map/carry.h"

enum { KINDS = 32 };

struct carrying {
    struct command_context *c;
    struct translate_setup *s;
    const char *to;
    struct recall *recall;              /* NULL: nothing was given to recall from */
    struct {
        struct slice from;
        const struct carry_plan *plan;
        struct carry *carry;
    } way[KINDS];                       /* from each kind that came so far */
    unsigned n;
    struct slice file;
    const struct record *record;
    bool hinted;
};

static int on_finding(void *ctx, const struct map_write_finding *f)
{
    struct carrying *k = ctx;

    translate_show_finding(k->c, k->file, k->record->number, k->record->line, f);
    if (!k->c->err->json && slice_is(slice_of(f->code), "MAP-RECALL") && !k->recall && !k->hinted) {
        printer_text(k->c->err, "hint: --recall FILE gives the earlier records.\n");
        k->hinted = true;
    }
    return 0;
}

static int on_write(void *ctx, const char *p, size_t n, struct err *err)
{
    struct carrying *k = ctx;

    printer_raw(k->c->out, slice(p, n));
    return printer_failed(k->c->out) ? err_set(err, ERR_STOP, "standard output is gone") : 0;
}

static int on_recall(void *ctx, const struct record_kind *kind, struct slice path, struct slice value,
                     const struct record **record_r, struct err *err)
{
    struct carrying *k = ctx;

    *record_r = NULL;
    return k->recall ? recall_find(k->recall, kind->name, path, value, record_r, err) : 0;
}

static int read_recalled(struct carrying *k)
{
    struct command_context *c = k->c;
    struct err err = { 0 };
    int rc = 0;

    if (command_has(c, OPTION_RECALL))
        rc = recall_new(0, &k->recall, &err);
    for (unsigned i = 0; rc == 0 && i < c->option[OPTION_RECALL].n; i++) {
        struct input in;
        rc = input_open(c->option[OPTION_RECALL].value[i], &in, &err);
        if (rc < 0)
            break;
        rc = recall_read(k->recall, in.fd, in.name, &err);
        input_close(&in);
    }
    return rc < 0 ? command_fail(c, &err) : EXIT_CODE_OK;
}

/* ---- maps ---- */

static void refuse(struct carrying *k, const char *code, const char *path, struct slice value, const char *found,
                   const char *expected)
{
    const struct map_write_finding f = { .code = code, .severity = SEVERITY_ERROR, .path = slice_of(path),
                                         .value = value, .found = found, .expected = expected,
                                         .missing = value.n == 0 };
    on_finding(k, &f);
}

static int complained(struct carrying *k, int rc, struct err *err)
{
    if (reading_complain(k->c, &k->s->reading.complaints) && rc == ERR_CONFIG)
        return EXIT_CODE_CONFIG;
    return command_fail(k->c, err);
}

/* The map from a kind to the one that is wanted. EXIT_CODE_DATA: there is none, which was told. */
static int find_map(struct carrying *k, struct slice from, const struct map **map_r)
{
    struct complaints *complaints = &k->s->reading.complaints;
    struct err err = { 0 };
    char name[300], expected[300];
    int rc;

    *map_r = k->s->maps.named;
    if (*map_r) {
        if (slice_eq(map_from_kind(*map_r)->name, from))
            return EXIT_CODE_OK;
        snprintf(expected, sizeof(expected), "%.*s", SLICE_FMT(map_from_kind(*map_r)->name));
        refuse(k, "NO-MAP", "record", from, "is not the kind of record that the map is for", expected);
        return EXIT_CODE_DATA;
    }
    snprintf(name, sizeof(name), "records/%.*s-%s", (int)(from.n < 100 ? from.n : 100), from.p, k->to);
    rc = maps_by_name(k->s->maps.maps, slice_of(name), complaints, map_r, &err);
    if (rc == 0 && map_between_records(*map_r) && slice_eq(map_from_kind(*map_r)->name, from) &&
        slice_is(map_kind(*map_r)->name, k->to))
        return EXIT_CODE_OK;
    if (rc == 0) {
        command_say(k->c, "the map %s is not between the records %.*s and %s", name, SLICE_FMT(from), k->to);
        return EXIT_CODE_CONFIG;
    }
    if (rc != ERR_MISSING)
        return complained(k, rc, &err);
    snprintf(expected, sizeof(expected), "the map %s, or another with --map", name);
    refuse(k, "NO-MAP", "record", from,
           slice_is(from, k->to) ? "is the kind of record that was asked for already"
                                 : "is a kind of record without a map to it",
           slice_is(from, k->to) ? "" : expected);
    return EXIT_CODE_DATA;
}

static int find_way(struct carrying *k, struct slice from, struct carry **carry_r)
{
    const struct carry_options how = { .recall = on_recall, .write = on_write, .finding = on_finding, .ctx = k };
    struct err err = { 0 };
    const struct map *map;
    int code, rc;

    for (unsigned i = 0; i < k->n; i++)
        if (slice_eq(k->way[i].from, from)) {
            *carry_r = k->way[i].carry;
            return EXIT_CODE_OK;
        }
    code = find_map(k, from, &map);
    if (code)
        return code;
    if (k->n == KINDS) {
        command_say(k->c, "there are more than %d kinds of record", KINDS);
        return EXIT_CODE_DATA;
    }
    rc = carry_plan_for(k->s->maps.maps, map, &k->s->reading.complaints, &k->way[k->n].plan, &err);
    if (rc == 0)
        rc = carry_new(k->way[k->n].plan, &how, &k->way[k->n].carry, &err);
    if (rc < 0)
        return complained(k, rc, &err);
    k->way[k->n].from = carry_plan_from(k->way[k->n].plan)->name;
    *carry_r = k->way[k->n++].carry;
    return EXIT_CODE_OK;
}

/* ---- records ---- */

static int carry_one(struct carrying *k, const struct record *record)
{
    uint32_t node = json_member(record->tape, 0, SLICE("record"));
    struct err err = { 0 };
    struct carry *carry = NULL;
    int code, rc;

    k->record = record;
    if (!node || record->tape->node[node].type != JSON_STRING) {
        refuse(k, "RECORD-MISSING", "record", slice(NULL, 0), "is missing", "the kind of record, such as \"order\"");
        return EXIT_CODE_DATA;
    }
    code = find_way(k, json_raw(record->tape, node), &carry);
    if (code)
        return code;
    rc = carry_record(carry, record, &err);
    if (rc >= 0)
        return EXIT_CODE_OK;
    if (rc == ERR_DATA)
        return EXIT_CODE_DATA;
    if (rc == ERR_LIMIT) {
        refuse(k, "RECORD-REFUSED", "", slice(NULL, 0), err.text, "");
        return EXIT_CODE_DATA;
    }
    return reading_result(k->c, &k->s->reading, rc, &err);
}

static int carry_records(struct carrying *k, int fd, const char *file)
{
    struct command_context *c = k->c;
    struct record_reader *reader = NULL;
    const struct record *record;
    struct err err = { 0 };
    uint64_t seen = 0;
    int code = EXIT_CODE_OK, rc = record_reader_new(fd, NULL, &reader, &err);

    k->file = slice_of(file);
    while (rc >= 0 && code != EXIT_CODE_CONFIG && code != EXIT_CODE_LATER && !printer_failed(c->out)) {
        rc = record_reader_next(reader, &record, &err);
        if (rc == 0)
            break;
        seen++;
        if (rc > 0) {
            code = exit_code_worse(code, carry_one(k, record));
        } else if (rc == ERR_DATA || rc == ERR_LIMIT) {
            struct record bad = { .number = 0 };
            record_reader_place(reader, &bad.number, &bad.line, &bad.offset);
            k->record = &bad;
            refuse(k, "RECORD-SYNTAX", "", slice(NULL, 0), err.text, "");
            code = exit_code_worse(code, EXIT_CODE_DATA);
            rc = 0;
        }
    }
    record_reader_free(&reader);
    if (rc < 0)
        return exit_code_worse(code, command_fail(c, &err));
    if (!seen) {
        command_say(c, "%s: there are no records", file);
        code = exit_code_worse(code, EXIT_CODE_DATA);
    }
    return code;
}

static int carry_file(struct carrying *k, const char *path)
{
    struct command_context *c = k->c;
    struct err err = { 0 };
    struct input in;
    int code, fd, documents;

    if (translate_holds_records(path)) {
        if (input_open(path, &in, &err) < 0)
            return command_fail(c, &err);
        code = carry_records(k, in.fd, in.name);
        input_close(&in);
        return code;
    }
    if (file_temporary(NULL, &fd, &err) < 0)
        return command_fail(c, &err);
    code = documents = translate_to_records(c, k->s, path, fd);
    if (documents != EXIT_CODE_UNAVAILABLE && documents != EXIT_CODE_CONFIG && documents != EXIT_CODE_LATER) {
        off_t end = lseek(fd, 0, SEEK_END);
        if (end > 0 && lseek(fd, 0, SEEK_SET) == 0)
            code = exit_code_worse(code, carry_records(k, fd, slice_is(slice_of(path), "-") ? "standard input" : path));
    }
    close(fd);
    return code;
}

int translate_to_kind(struct command_context *c, struct translate_setup *s, const char *to)
{
    struct carrying k = { .c = c, .s = s, .to = to };
    int code;

    if (command_has(c, OPTION_CONTROL) || command_has(c, OPTION_DATE))
        return command_usage(c, "--control and --date are for documents, and records are made");
    if (s->maps.named && !map_between_records(s->maps.named))
        return command_usage(c, "--map: %s is no map between two records", command_value(c, OPTION_MAP));
    if (s->maps.named && to && !slice_is(map_kind(s->maps.named)->name, to))
        return command_usage(c, "--map: %s does not make records of the kind %s", command_value(c, OPTION_MAP), to);
    if (s->maps.named)
        k.to = NULL;
    code = read_recalled(&k);
    /* with a part of what is to be recalled another record might be found, or none */
    if (code == EXIT_CODE_OK)
        for (unsigned i = 0;
             code != EXIT_CODE_CONFIG && code != EXIT_CODE_LATER && i < c->n && !printer_failed(c->out); i++)
            code = exit_code_worse(code, carry_file(&k, c->argument[i]));
    for (unsigned i = 0; i < k.n; i++)
        carry_free(&k.way[i].carry);
    recall_free(&k.recall);
    return code;
}
