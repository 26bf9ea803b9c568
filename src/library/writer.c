/*
 * Writing as an embedder sees it: records, one at a time and as JSON in memory, become documents in envelopes that open
 * and close by themselves.
 *
 * map/write.h makes the documents, edi/write.h the bytes. Every option is a row of the table below.
 */
#include "library/library.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "edi/dialect.h"
#include "map/write.h"
#include "record/reader.h"

enum { ENVELOPE_MOST = 79, CONTROL_MOST = 999999999, REFUSAL_MEMORY = 16 << 20 };

enum envelope_text {
    ISA01, ISA02, ISA03, ISA04, ISA05, ISA06, ISA07, ISA08, ISA12, GS01, GS02, GS03, GS07, GS08, ST03,
    UNB01, UNB02, UNB03, UNB07, UNB10, UNH02, ENVELOPE_TEXTS
};
/* UNB05 and UNH01 are counted as ISA13 and ST02. */
enum control { ISA13, GS06, ST02, CONTROLS };

struct waybill_writer {
    struct waybill *waybill;
    waybill_bytes_fn function;
    void *ctx;
    waybill_refusal_fn on_refusal;
    void *refusal_ctx;
    /* options */
    struct library_choice choice;
    struct finding_policy policy;
    struct edi_write_options options;
    const struct dialect *dialect;
    bool unmapped;
    struct edi_time at;
    bool has_at, wants_ta1;
    char usage;
    char text[ENVELOPE_TEXTS][ENVELOPE_MOST + 1];
    uint64_t control[CONTROLS];         /* the next ones */
    bool control_set;                   /* ST02 is for the next document, whatever group it opens */
    /* what stands behind */
    struct edi_writer *edi;
    struct map_writer *map;
    const struct map_plan *plan;        /* of `map` */
    struct record_reader *reader;       /* of records that lie in memory: it never reads */
    struct json_tape tape;
    bool interchange_open;
    const struct map_plan *group;       /* that the open group is for; NULL: none is open */
    uint64_t number;                    /* records given */
    struct complaints complaints;
    struct arena arena;                 /* the texts of one refusal */
    struct buf message;
    struct err err;
    int failed;                         /* nothing helps any more */
};

/* ---- options ---- */

enum option_kind { TEXT, CONTROL, SWITCH, OTHER };

static const struct writer_option {
    const char *name;
    enum option_kind kind;
    unsigned which;                     /* enum envelope_text, enum control, or the offset of a bool */
    unsigned most;                      /* characters of a TEXT */
    bool early;                         /* before the first record only */
} writer_options[] = {
    { "standard", OTHER, 0, 0, true },
    { "ISA01", TEXT, ISA01, 2, false },
    { "ISA02", TEXT, ISA02, 10, false },
    { "ISA03", TEXT, ISA03, 2, false },
    { "ISA04", TEXT, ISA04, 10, false },
    { "ISA05", TEXT, ISA05, 2, false },
    { "ISA06", TEXT, ISA06, 15, false },
    { "ISA07", TEXT, ISA07, 2, false },
    { "ISA08", TEXT, ISA08, 15, false },
    { "ISA12", TEXT, ISA12, 5, false },
    { "ISA13", CONTROL, ISA13, 0, false },
    { "ISA14", OTHER, 0, 0, false },
    { "ISA15", OTHER, 0, 0, false },
    { "GS01", TEXT, GS01, 2, false },
    { "GS02", TEXT, GS02, 15, false },
    { "GS03", TEXT, GS03, 15, false },
    { "GS06", CONTROL, GS06, 0, false },
    { "GS07", TEXT, GS07, 2, false },
    { "GS08", TEXT, GS08, 12, false },
    { "ST02", CONTROL, ST02, 0, false },
    { "ST03", TEXT, ST03, 35, false },
    { "UNA", OTHER, 0, 0, true },
    { "UNB01", OTHER, 0, 0, true },
    { "UNB02", TEXT, UNB02, 76, false },
    { "UNB03", TEXT, UNB03, 76, false },
    { "UNB05", CONTROL, ISA13, 0, false },
    { "UNB07", TEXT, UNB07, 14, false },
    { "UNB09", OTHER, 0, 0, false },
    { "UNB10", TEXT, UNB10, 35, false },
    { "UNB11", OTHER, 0, 0, false },
    { "UNH01", CONTROL, ST02, 0, false },
    { "UNH02", OTHER, 0, 0, false },
    { "at", OTHER, 0, 0, false },
    { "separators", OTHER, 0, 0, true },
    { "line-end", OTHER, 0, 0, true },
    { "charset", OTHER, 0, 0, true },
    { "transliterate", SWITCH, offsetof(struct waybill_writer, options.transliterate), 0, true },
    { "replace", SWITCH, offsetof(struct waybill_writer, options.replace), 0, true },
    { "unmapped", SWITCH, offsetof(struct waybill_writer, unmapped), 0, true },
    { "allow", OTHER, 0, 0, true },
    { "map", OTHER, 0, 0, true },
    { "map-file", OTHER, 0, 0, true },
    { "guide-file", OTHER, 0, 0, true },
};
enum { OPTIONS = sizeof(writer_options) / sizeof(writer_options[0]) };

static int set_charset(struct waybill_writer *w, struct slice value, struct err *err)
{
    static const char *const names[] = { [CHARSET_BASIC] = "basic", [CHARSET_EXTENDED] = "extended",
                                         [CHARSET_LATIN1] = "latin1", [CHARSET_UTF8] = "utf8" };

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_is(value, names[i])) {
            w->options.charset = (enum edi_charset)i;
            return 0;
        }
    return err_set(err, ERR_USAGE, "charset: not basic, extended, latin1 or utf8");
}

/* Delimiters and character set begin anew; what else was set stays. */
static int set_standard(struct waybill_writer *w, struct slice value, struct err *err)
{
    const struct dialect *dialect = dialect_named(value);
    const struct edi_write_options old = w->options;

    if (!dialect)
        return err_set(err, ERR_USAGE, "standard: neither x12 nor edifact");
    w->dialect = dialect;
    if (dialect == &dialect_x12)
        edi_write_options_init(&w->options);
    else
        edi_write_options_edifact(&w->options);
    w->options.line_end = old.line_end;
    w->options.transliterate = old.transliterate;
    w->options.replace = old.replace;
    w->options.write = old.write;
    w->options.ctx = old.ctx;
    return 0;
}

/* "UNOC:3" */
static int set_syntax(struct waybill_writer *w, struct slice value, struct err *err)
{
    struct slice version;
    enum edi_charset set;
    bool found;

    if (!charset_of_syntax(slice_cut(value, ':', &version, &found), &set) || version.n != 1 || version.p[0] < '1' ||
        version.p[0] > '4')
        return err_set(err, ERR_USAGE, "UNB01: not a character set and a syntax version, such as UNOC:3");
    w->options.charset = set;
    memcpy(w->text[UNB01], value.p, value.n);
    w->text[UNB01][value.n] = 0;
    return 0;
}

/* "D:96A:UN:EAN008" */
static int set_type(struct waybill_writer *w, struct slice value, struct err *err)
{
    static const size_t most[] = { 3, 3, 3, 6 };
    struct slice rest = value;
    unsigned n = 0;

    for (bool more = value.n > 0; more; n++)
        if (n == 4 || slice_cut(rest, ':', &rest, &more).n > most[n])
            return err_set(err, ERR_USAGE,
                           "UNH02: not version, release, agency and association, such as D:96A:UN:EAN008");
    if (n == 1)
        return err_set(err, ERR_USAGE, "UNH02: a version without its release");
    if (value.n)
        memcpy(w->text[UNH02], value.p, value.n);
    w->text[UNH02][value.n] = 0;
    return 0;
}

static int set_digit(const char *text, const char *name, bool *on_r, struct err *err)
{
    if ((*text != '0' && *text != '1') || text[1])
        return err_set(err, ERR_USAGE, "%s: neither 0 nor 1", name);
    *on_r = *text == '1';
    return 0;
}

static int set_other(struct waybill_writer *w, struct slice name, const char *text, struct err *err)
{
    struct slice value = slice_of(text);
    bool is_test = false;
    int rc;

    if (slice_is(name, "standard"))
        return set_standard(w, value, err);
    if (slice_is(name, "UNA"))
        return edi_write_una(&w->options, value) ? 0
                                                 : err_set(err, ERR_USAGE,
                                                           "UNA: neither none nor six characters, such as \":+.? '\"");
    if (slice_is(name, "UNB01"))
        return set_syntax(w, value, err);
    if (slice_is(name, "UNH02"))
        return set_type(w, value, err);
    if (slice_is(name, "UNB11")) {
        rc = set_digit(text, "UNB11", &is_test, err);
        if (rc == 0)
            w->usage = is_test ? 'T' : 'P';
        return rc;
    }
    if (slice_is(name, "ISA14") || slice_is(name, "UNB09"))
        return set_digit(text, name.p, &w->wants_ta1, err);
    if (slice_is(name, "at")) {
        w->has_at = library_time(value, &w->at);
        return w->has_at ? 0 : err_set(err, ERR_USAGE, "at: not a date and time such as 2026-11-20T18:30");
    }
    if (slice_is(name, "ISA15")) {
        if (value.n != 1 || !strchr("PTI", *text))
            return err_set(err, ERR_USAGE, "ISA15: not P, T or I");
        w->usage = *text;
        return 0;
    }
    if (slice_is(name, "separators")) {
        if (value.n != 3 && value.n != 4)
            return err_set(err, ERR_USAGE, "separators: not three or four characters, such as *>~^");
        w->options.syntax.element = text[0];
        w->options.syntax.component = text[1];
        w->options.syntax.terminator = text[2];
        w->options.syntax.repetition = value.n == 4 ? text[3] : 0;
        return 0;
    }
    if (slice_is(name, "line-end"))
        return library_line_end(value, &w->options.line_end)
                   ? 0
                   : err_set(err, ERR_USAGE, "line-end: not none, newline or crlf");
    if (slice_is(name, "charset"))
        return set_charset(w, value, err);
    if (slice_is(name, "allow"))
        return library_allow(&w->policy, value, false, err);
    if (slice_is(name, "guide-file"))
        return library_add_guide(w->waybill, &w->choice, text, &w->complaints, err);
    return library_add_map(w->waybill, &w->choice, text, name.n > 3, &w->complaints, err);
}

static int set(struct waybill_writer *w, const char *name, const char *text, struct err *err)
{
    const char *names[OPTIONS + 1] = { NULL };
    struct slice value = slice_of(text);

    for (unsigned i = 0; i < OPTIONS; i++) {
        const struct writer_option *o = &writer_options[i];
        uint64_t number;
        names[i] = o->name;
        if (strcmp(name, o->name) != 0)
            continue;
        if (o->early && w->edi)
            return err_set(err, ERR_USAGE, "%s: too late, a record has been written", name);
        switch (o->kind) {
        case TEXT:
            if (value.n > o->most)
                return err_set(err, ERR_USAGE, "%s: there may be at most %u characters", name, o->most);
            memcpy(w->text[o->which], text, value.n + 1);
            return 0;
        case CONTROL:
            if (!slice_number(value, CONTROL_MOST, &number) || number == 0)
                return err_set(err, ERR_USAGE, "%s: not a number from 1 to %d", name, CONTROL_MOST);
            w->control[o->which] = number;
            w->control_set |= o->which == ST02;
            return 0;
        case SWITCH:
            return library_switch(value, (bool *)((char *)w + o->which))
                       ? 0
                       : err_set(err, ERR_USAGE, "%s: neither yes nor no", name);
        default:
            return set_other(w, slice_of(name), text, err);
        }
    }
    return library_unknown(name, names, err);
}

int waybill_writer_set(struct waybill_writer *writer, const char *name, const char *value, struct waybill_error *error)
{
    struct err err = { 0 };
    int rc = name && value ? set(writer, name, value, &err)
                           : err_set(&err, ERR_USAGE, "an option needs a name and a value");

    return rc ? library_fail(error, rc, &err, &writer->complaints) : 0;
}

/* ---- making and freeing ---- */

static int take_bytes(void *ctx, const char *p, size_t n, struct err *err)
{
    struct waybill_writer *w = ctx;

    return w->function(w->ctx, p, n) ? err_set(err, ERR_STOP, "stopped by the caller's function") : 0;
}

int waybill_writer_new(struct waybill *waybill, waybill_bytes_fn function, void *ctx, struct waybill_writer **writer_r,
                       struct waybill_error *error)
{
    struct waybill_writer *w;

    *writer_r = NULL;
    if (!function)
        return library_fail(error, ERR_USAGE, NULL, NULL);
    w = calloc(1, sizeof(*w));
    if (!w)
        return library_fail(error, ERR_NOMEM, NULL, NULL);
    w->waybill = waybill;
    w->function = function;
    w->ctx = ctx;
    w->usage = 'P';
    finding_policy_init(&w->policy);
    w->dialect = &dialect_x12;
    edi_write_options_init(&w->options);
    w->options.write = take_bytes;
    w->options.ctx = w;
    for (unsigned i = 0; i < CONTROLS; i++)
        w->control[i] = 1;
    complaints_init(&w->complaints);
    arena_init(&w->arena, REFUSAL_MEMORY);
    buf_init(&w->message, REFUSAL_MEMORY / 4);
    json_tape_init(&w->tape, LIMIT_ITEM);
    *writer_r = w;
    return 0;
}

void waybill_writer_free(struct waybill_writer **writer)
{
    struct waybill_writer *w = writer ? *writer : NULL;

    if (!w)
        return;
    edi_writer_free(&w->edi);
    map_writer_free(&w->map);
    record_reader_free(&w->reader);
    json_tape_deinit(&w->tape);
    complaints_deinit(&w->complaints);
    arena_deinit(&w->arena);
    buf_deinit(&w->message);
    free(w);
    *writer = NULL;
}

void waybill_writer_on_refusal(struct waybill_writer *writer, waybill_refusal_fn function, void *ctx)
{
    writer->on_refusal = function;
    writer->refusal_ctx = ctx;
}

const char *waybill_writer_complaints(struct waybill_writer *writer)
{
    return buf_text(&writer->complaints.text);
}

/* ---- refusals ---- */

static int refuse(void *ctx, const struct map_write_finding *f)
{
    struct waybill_writer *w = ctx;
    struct waybill_refusal out;

    if (!w->on_refusal || f->severity == SEVERITY_IGNORE)
        return 0;
    arena_reset(&w->arena);
    buf_clear(&w->message);
    map_write_finding_text(f, &w->message);
    out = (struct waybill_refusal){
        .code = f->code,
        .severity = (int)f->severity,
        .message = buf_text(&w->message),
        .path = library_text(&w->arena, f->path),
        .value = f->value.n ? f->value.p : "",
        .value_length = f->value.n,
        .found = f->found ? f->found : "",
        .expected = f->expected ? f->expected : "",
        .place = library_text(&w->arena, f->place),
        .segment = f->segment,
        .missing = f->missing,
        .loss = f->loss,
    };
    if (!out.path || !out.place || w->message.failed == ERR_NOMEM)
        return err_nomem(&w->err);
    if (w->on_refusal(w->refusal_ctx, &out))
        return err_set(&w->err, ERR_STOP, "stopped by the caller's function");
    return 0;
}

/* ---- envelopes ---- */

static uint64_t next_of(uint64_t number)
{
    return number < CONTROL_MOST ? number + 1 : 1;
}

static struct slice digits(char *to, size_t room, int least, uint64_t number)
{
    int n = snprintf(to, room, "%0*llu", least, (unsigned long long)number);
    return slice(to, (size_t)n);
}

static int edi_failed(struct waybill_writer *w, int rc)
{
    w->err = *edi_writer_error(w->edi);
    w->err.code = rc;
    return rc;
}

/* What UNH02 says of the message's type, or the guide. */
static struct edi_message_type message_type(const struct waybill_writer *w, const struct guide *guide,
                                            char room[GUIDE_DIRECTORY])
{
    struct edi_message_type type = { .association = slice(NULL, 0) };
    struct slice *const part[] = { &type.version, &type.release, &type.agency, &type.association };
    struct slice rest = slice_of(w->text[UNH02]), version;
    bool more = rest.n > 0;

    for (unsigned i = 0; i < 4 && more; i++)
        *part[i] = slice_cut(rest, ':', &rest, &more);
    if (!type.version.n && guide) {
        guide_directory_parts(guide->version, room, &version, &rest);
        type.version = slice_cut(version, '.', &type.release, &more);
    }
    return type;
}

/* Id, qualifier and what lies behind it: "4012345000009:14:DEPOT". */
static void split_party(struct slice text, struct slice *id_r, struct slice *qualifier_r, struct slice *routing_r)
{
    bool found;

    *id_r = slice_cut(text, ':', qualifier_r, &found);
    *qualifier_r = slice_cut(*qualifier_r, ':', routing_r, &found);
}

/* The interchange, and what kind of message comes. */
static int open_interchange(struct waybill_writer *w, const struct guide *guide)
{
    char unb05[24], room[GUIDE_DIRECTORY];
    const struct edi_message_type type = message_type(w, guide, room);
    struct edi_envelope e = {
        .at = w->at,
        .interchange_control = digits(unb05, sizeof(unb05), 1, w->control[ISA13]),
        .application = slice_of(w->text[UNB07]),
        .agreement = slice_of(w->text[UNB10]),
        .acknowledgment = w->wants_ta1,
        .usage = w->usage,
    };
    bool found;
    int rc = 0;

    split_party(slice_of(w->text[UNB02]), &e.sender, &e.sender_qualifier, &e.sender_routing);
    split_party(slice_of(w->text[UNB03]), &e.receiver, &e.receiver_qualifier, &e.receiver_routing);
    e.character_set = slice_cut(slice_of(w->text[UNB01]), ':', &e.interchange_version, &found);
    if (!w->interchange_open) {
        rc = edi_write_interchange(w->edi, &e);
        if (rc == 0) {
            w->interchange_open = true;
            w->control[ISA13] = next_of(w->control[ISA13]);
            if (!w->control_set)
                w->control[ST02] = 1;
        }
    }
    if (rc == 0)
        rc = edi_writer_message(w->edi, &type);
    return rc ? edi_failed(w, rc) : 0;
}

static int open_envelopes(struct waybill_writer *w, const struct guide *guide, const struct map_plan *plan)
{
    char isa13[24], gs06[24];
    struct slice t[ENVELOPE_TEXTS];
    struct edi_envelope e;
    int rc = 0;

    if (!w->dialect->groups)
        return open_interchange(w, guide);
    for (unsigned i = 0; i < ENVELOPE_TEXTS; i++)
        t[i] = slice_of(w->text[i]);
    e = (struct edi_envelope){
        .at = w->at,
        .authorization_qualifier = t[ISA01],
        .authorization = t[ISA02],
        .security_qualifier = t[ISA03],
        .security = t[ISA04],
        .sender_qualifier = t[ISA05],
        .sender = t[ISA06],
        .receiver_qualifier = t[ISA07],
        .receiver = t[ISA08],
        .interchange_version = t[ISA12],
        .interchange_control = digits(isa13, sizeof(isa13), 9, w->control[ISA13]),
        .acknowledgment = w->wants_ta1,
        .usage = w->usage,
        .group = t[GS01].n ? t[GS01] : guide->group,
        .group_sender = t[GS02],
        .group_receiver = t[GS03],
        .group_control = digits(gs06, sizeof(gs06), 1, w->control[GS06]),
        .agency = t[GS07],
        .version = t[GS08].n ? t[GS08] : guide->version,
    };
    if (!w->interchange_open) {
        rc = edi_write_interchange(w->edi, &e);
        if (rc == 0) {
            w->interchange_open = true;
            w->control[ISA13] = next_of(w->control[ISA13]);
        }
    }
    if (rc == 0 && w->group != plan) {
        if (w->group)
            rc = edi_write_group_end(w->edi);
        w->group = NULL;
        if (rc == 0 && guide->bare)
            return 0;
        if (rc == 0)
            rc = edi_write_group(w->edi, &e);
        if (rc == 0) {
            w->group = plan;
            w->control[GS06] = next_of(w->control[GS06]);
            if (!w->control_set)
                w->control[ST02] = 1;
        }
    }
    return rc ? edi_failed(w, rc) : 0;
}

/* The moment before an envelope is opened for a record that may yet be refused. */
struct before {
    struct edi_mark mark;
    bool interchange_open, control_set;
    const struct map_plan *group;
    uint64_t control[CONTROLS];
};

static int remember(struct waybill_writer *w, struct before *before)
{
    int rc = edi_writer_mark(w->edi, &before->mark);

    if (rc)
        return edi_failed(w, rc);
    edi_writer_release(w->edi);
    before->interchange_open = w->interchange_open;
    before->control_set = w->control_set;
    before->group = w->group;
    memcpy(before->control, w->control, sizeof(w->control));
    return 0;
}

/* Takes the envelope back; where its bytes have left already, it stays, and is empty. */
static void go_back(struct waybill_writer *w, const struct before *before)
{
    struct edi_mark now;

    if (edi_writer_mark(w->edi, &now))
        return;
    if (now.at >= before->mark.at) {
        edi_writer_rewind(w->edi, &before->mark);
        w->interchange_open = before->interchange_open;
        w->control_set = before->control_set;
        w->group = before->group;
        memcpy(w->control, before->control, sizeof(w->control));
    }
    edi_writer_release(w->edi);
}

/* ---- records ---- */

static int refuse_whole(struct waybill_writer *w, const char *found, const char *expected)
{
    struct map_write_finding f = { .code = "RECORD-KIND", .severity = SEVERITY_ERROR, .found = found,
                                   .expected = expected };
    int rc = refuse(w, &f);

    return rc ? rc : err_set(&w->err, ERR_DATA, "the record %s", found);
}

static int choose(struct waybill_writer *w, const struct guide **guide_r, const struct map_plan **plan_r)
{
    const bool x12 = w->dialect == &dialect_x12;
    const unsigned sender = x12 ? ISA06 : UNB02, receiver = x12 ? ISA08 : UNB03;
    uint32_t kind = json_member(&w->tape, 0, SLICE("record"));
    char room[GUIDE_DIRECTORY];
    struct slice version = slice_of(w->text[GS08]);

    if (w->tape.node[0].type != JSON_OBJECT)
        return refuse_whole(w, "is not an object", "an object");
    if (!kind || w->tape.node[kind].type != JSON_STRING)
        return refuse_whole(w, "does not say what kind it is", "a field \"record\", such as \"order\"");
    if (!w->has_at || !w->text[sender][0] || !w->text[receiver][0])
        return err_set(&w->err, ERR_USAGE, "set \"%s\" before the first record",
                       !w->has_at              ? "at"
                       : !w->text[sender][0] ? (x12 ? "ISA06" : "UNB02")
                                               : (x12 ? "ISA08" : "UNB03"));
    if (!x12) {
        const struct edi_message_type type = message_type(w, NULL, room);
        version = guide_directory(type.version, type.release, type.association, room);
    }
    return library_plan_to_write(w->waybill, &w->choice, w->dialect, json_raw(&w->tape, kind), version, &w->complaints,
                                 guide_r, plan_r, &w->err);
}

static int get_ready(struct waybill_writer *w, const struct map_plan *plan)
{
    struct map_write_options options = { .write_unmapped = w->unmapped, .policy = &w->policy };
    struct record_reader_options small = { .chunk = 1 };
    int rc = 0;

    if (!w->edi)
        rc = edi_writer_new(&w->options, &w->edi, &w->err);
    if (rc == 0 && !w->reader)
        rc = record_reader_new(-1, &small, &w->reader, &w->err);
    if (rc == 0 && w->plan != plan) {
        map_writer_free(&w->map);
        w->plan = NULL;
        rc = map_writer_new(plan, &options, &w->map, &w->err);
        if (rc == 0)
            w->plan = plan;
    }
    return rc;
}

/* Was the record read from a document of the other standard? */
static bool is_crossing(const struct waybill_writer *w)
{
    const uint32_t source = json_member(&w->tape, 0, SLICE("source"));
    const uint32_t standard = source ? json_member(&w->tape, source, SLICE("standard")) : 0;
    const struct dialect *from = standard ? dialect_named(json_raw(&w->tape, standard)) : NULL;

    return from && from != w->dialect;
}

static int write_record(struct waybill_writer *w, struct slice json)
{
    const struct guide *guide = NULL;
    const struct map_plan *plan = NULL;
    struct record record;
    struct before before;
    bool opens;
    char st02[24];
    int rc;

    w->number++;
    w->err = (struct err){ 0 };
    rc = json_parse(&w->tape, json, &w->err);
    if (rc == 0)
        rc = choose(w, &guide, &plan);
    if (rc == 0)
        rc = get_ready(w, plan);
    if (rc < 0)
        return rc;
    map_writer_crossing(w->map, is_crossing(w));
    opens = w->dialect->groups ? w->group != plan : !w->interchange_open;
    if (opens)
        rc = remember(w, &before);
    if (rc == 0)
        rc = open_envelopes(w, guide, plan);
    if (rc < 0)
        return w->failed = rc;
    record = (struct record){ .tape = &w->tape, .number = w->number, .line = 1, .size = json.n, .reader = w->reader };
    rc = map_write_record(w->map, &record, w->edi,
                          digits(st02, sizeof(st02), w->dialect->groups ? 4 : 1, w->control[ST02]),
                          slice_of(w->text[ST03]), refuse, w, &w->err);
    if (rc < 0 && rc != ERR_DATA)
        w->failed = rc;
    if (rc == ERR_DATA && opens)
        go_back(w, &before);
    if (rc == 0 && !guide->bare) {
        w->control[ST02] = next_of(w->control[ST02]);
        w->control_set = false;
    }
    return rc;
}

int waybill_writer_record(struct waybill_writer *writer, const char *json, size_t n, struct waybill_error *error)
{
    int rc = writer->failed ? writer->failed : write_record(writer, slice(json, n));

    return rc ? library_fail(error, rc, &writer->err, &writer->complaints) : 0;
}

int waybill_writer_end(struct waybill_writer *writer, struct waybill_error *error)
{
    struct waybill_writer *w = writer;
    int rc = w->failed;

    if (rc == 0 && w->interchange_open) {
        if (w->group)
            rc = edi_write_group_end(w->edi);
        if (rc == 0)
            rc = edi_write_interchange_end(w->edi);
        if (rc == 0)
            rc = edi_writer_flush(w->edi);
        if (rc)
            w->failed = edi_failed(w, rc);
        w->interchange_open = false;
        w->group = NULL;
    }
    return rc ? library_fail(error, rc, &w->err, NULL) : 0;
}
