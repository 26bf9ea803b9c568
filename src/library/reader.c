/*
 * Reading as an embedder sees it: an edi_reader (edi/reader.h) with whatever the caller wants of it behind: findings
 * and documents, the runner of maps (map/read.h) for records, the acknowledgment (edi/acknowledge.h).
 *
 * These are put together when the first bytes come, so that options may be given in any order before. Everything a
 * finding says in words is made when there is one, into an arena that the next one empties.
 */
#include "library/library.h"

#include <stdlib.h>

#include "base/limits.h"
#include "edi/acknowledge.h"
#include "edi/reader.h"
#include "map/read.h"

enum { FINDING_MEMORY = 16 << 20, NAME_MOST = 1024 };

struct waybill_finding_inside {
    const struct finding *finding;
    struct buf *text;
};

struct waybill_reader {
    struct waybill *waybill;
    /* options */
    struct library_choice choice;
    struct finding_policy policy;
    struct buf transmission, partner;
    size_t ceiling;
    struct edi_time at;
    bool has_at, ta1;
    uint64_t control;
    const char *line_end;
    /* the caller's functions; NULL: not wanted */
    waybill_record_fn on_record;
    waybill_bytes_fn on_json, on_acknowledgment;
    waybill_finding_fn on_finding;
    waybill_document_fn on_document;
    void *record_ctx, *json_ctx, *acknowledgment_ctx, *finding_ctx, *document_ctx;
    /* what they stand behind; made when the first bytes come */
    struct edi_reader *edi;
    struct map_reader *map;
    struct acknowledge *acknowledge;
    const struct guide *guide;          /* of the plan chosen last */
    const struct map_plan *plan;
    struct complaints complaints;
    struct buf record;                  /* the JSON of the record at hand */
    struct library_values values;
    struct arena arena;                 /* the texts of one finding or document */
    struct buf message, acknowledgment, shown;
    uint64_t count[WAYBILL_WARNINGS + 1];
    struct err reason;                  /* of a function below that made the reader stop */
    struct err err;                     /* what the reader failed of */
    int failed;
    bool ended;
};

/* ---- the caller's functions ---- */

static int answer_of(struct waybill_reader *r, int answer)
{
    return answer ? err_set(&r->reason, ERR_STOP, "stopped by the caller's function") : 0;
}

static int out_of_memory(struct waybill_reader *r)
{
    return err_nomem(&r->reason);
}

static const char *text_of(struct waybill_reader *r, struct slice s)
{
    const char *text = s.n ? library_text(&r->arena, s) : "";

    if (!text)
        out_of_memory(r);
    return text;
}

static int take_finding(void *ctx, const struct finding *f)
{
    struct waybill_reader *r = ctx;
    struct waybill_finding_inside inside = { .finding = f, .text = &r->shown };
    struct waybill_finding out;

    if (f->severity == SEVERITY_IGNORE)
        return 0;
    r->count[f->severity == SEVERITY_ERROR ? WAYBILL_ERRORS : WAYBILL_WARNINGS]++;
    if (!r->on_finding)
        return 0;
    arena_reset(&r->arena);
    buf_clear(&r->message);
    buf_clear(&r->acknowledgment);
    finding_message(f, &r->message);
    finding_acknowledgment(f, &r->acknowledgment);
    r->reason.code = 0;
    out = (struct waybill_finding){
        .code = finding_name(f->code, f->dialect),
        .severity = (int)f->severity,
        .message = text_of(r, buf_slice(&r->message)),
        .acknowledgment = text_of(r, buf_slice(&r->acknowledgment)),
        .offset = f->place.offset,
        .line = f->place.line,
        .column = f->place.column,
        .interchange = f->place.interchange,
        .group = f->place.group,
        .document = f->place.document,
        .segment = f->place.segment,
        .element = f->place.element,
        .component = f->place.component,
        .repetition = f->place.repetition,
        .set = text_of(r, f->set),
        .control = text_of(r, f->control),
        .tag = text_of(r, f->tag),
        .loop = text_of(r, f->loop),
        .element_id = text_of(r, f->element_id),
        .element_name = text_of(r, f->element_name),
        .found = f->found ? f->found : "",
        .expected = f->expected ? f->expected : "",
        .segment_bytes = f->segment.n ? f->segment.p : "",
        .segment_length = f->segment.n,
        .at = f->at,
        .width = f->width,
        .value = f->value.n ? f->value.p : "",
        .value_length = f->value.n,
        .missing = f->missing,
        .inside = &inside,
    };
    if (r->reason.code || r->message.failed == ERR_NOMEM || r->acknowledgment.failed == ERR_NOMEM)
        return out_of_memory(r);
    return answer_of(r, r->on_finding(r->finding_ctx, &out));
}

static const char *shown(const struct waybill_finding *f, const char *file,
                         void (*show)(const struct finding *finding, struct slice name, struct buf *out))
{
    struct buf *text = f->inside->text;

    buf_clear(text);
    show(f->inside->finding, slice_of(file ? file : ""), text);
    buf_text(text);
    if (text->failed == ERR_NOMEM)
        return NULL;
    return buf_text(text);
}

static void show_text(const struct finding *finding, struct slice name, struct buf *out)
{
    finding_text(finding, name, false, out);
}

const char *waybill_finding_text(const struct waybill_finding *finding, const char *file)
{
    return shown(finding, file, show_text);
}

const char *waybill_finding_json(const struct waybill_finding *finding, const char *file)
{
    return shown(finding, file, finding_json);
}

static const char *party_of(struct waybill_reader *r, struct slice qualifier, struct slice id)
{
    buf_clear(&r->message);
    buf_add_slice(&r->message, slice_trim(qualifier));
    buf_add_char(&r->message, ':');
    buf_add_slice(&r->message, slice_trim(id));
    if (r->message.failed == ERR_NOMEM)
        out_of_memory(r);
    return text_of(r, buf_slice(&r->message));
}

static int tell_document(struct waybill_reader *r, const struct edi_document *d)
{
    const struct slice *isa = d->interchange->element;
    struct waybill_document out;

    arena_reset(&r->arena);
    r->reason.code = 0;
    out = (struct waybill_document){
        .set = text_of(r, slice_trim(d->set)),
        .control = text_of(r, slice_trim(d->control)),
        .version = text_of(r, slice_trim(d->version)),
        .group_control = text_of(r, slice_trim(d->group->control)),
        .interchange_control = text_of(r, slice_trim(d->interchange->control)),
        .sender = party_of(r, isa[5], isa[6]),
        .receiver = party_of(r, isa[7], isa[8]),
        .test = slice_is(slice_trim(isa[15]), "T"),
        .ordinal = d->ordinal,
        .segments = d->segments,
        .errors = d->errors,
        .warnings = d->warnings,
    };
    if (r->reason.code)
        return r->reason.code;
    return answer_of(r, r->on_document(r->document_ctx, &out));
}

/* A NUL of the partner's cannot stand in a text: U+FFFD takes its place. */
static void replace_nuls(struct buf *json)
{
    for (size_t i = 0; i + 6 <= json->n; i++)
        if (json->p[i] == '\\') {
            if (memcmp(json->p + i, "\\u0000", 6) == 0)
                memcpy(json->p + i, "\\ufffd", 6);
            i++;
        }
}

static int give_record(struct waybill_reader *r)
{
    const struct waybill_value *record;
    struct err err = { 0 };
    int rc = library_values_make(&r->values, buf_slice(&r->record), &record, &err);

    if (rc == ERR_DATA) {
        replace_nuls(&r->record);
        rc = library_values_make(&r->values, buf_slice(&r->record), &record, &err);
    }

    if (rc == ERR_LIMIT)
        return err_set(&r->reason, rc, "a record is larger than its ceiling of %zu bytes allows", r->ceiling);
    /* JSON of our own making that is no JSON */
    if (rc == ERR_DATA)
        return err_set(&r->reason, ERR_INTERNAL, "%s", err.text);
    if (rc < 0)
        return err_set(&r->reason, rc, "%s", err.text);
    return answer_of(r, r->on_record(r->record_ctx, record));
}

static int take_document_end(void *ctx, const struct edi_document *d)
{
    struct waybill_reader *r = ctx;
    int rc = 0;

    r->count[WAYBILL_DOCUMENTS]++;
    r->count[WAYBILL_REFUSED] += d->errors > 0;
    if (r->on_record && r->record.n)
        rc = give_record(r);
    buf_clear(&r->record);
    if (rc == 0 && r->on_document)
        rc = tell_document(r, d);
    return rc;
}

/* ---- below them ---- */

static int take_json(void *ctx, const char *p, size_t n)
{
    struct waybill_reader *r = ctx;

    if (r->on_json && r->on_json(r->json_ctx, p, n))
        return answer_of(r, 1);
    if (!r->on_record)
        return 0;
    buf_add(&r->record, p, n);
    if (r->record.failed == ERR_LIMIT)
        return err_set(&r->reason, ERR_LIMIT, "a record is larger than its ceiling of %zu bytes", r->ceiling);
    return r->record.failed ? out_of_memory(r) : 0;
}

static int take_acknowledgment(void *ctx, const char *p, size_t n, struct err *err)
{
    struct waybill_reader *r = ctx;

    /* after a failure only its words are wanted */
    if (r->failed || !r->on_acknowledgment(r->acknowledgment_ctx, p, n))
        return 0;
    answer_of(r, 1);
    return err_set(err, ERR_STOP, "%s", r->reason.text);
}

static int choose_plan(void *ctx, const struct edi_document *d, const struct map_plan **plan_r)
{
    struct waybill_reader *r = ctx;
    int rc = 0;

    if (r->guide != d->guide) {
        r->guide = NULL;
        rc = library_plan_to_read(r->waybill, &r->choice, d->set, d->guide, &r->complaints, &r->plan, &r->reason);
        if (rc == 0)
            r->guide = d->guide;
    }
    *plan_r = rc == 0 ? r->plan : NULL;
    return rc;
}

static int make(struct waybill_reader *r, struct err *err)
{
    struct edi_sink sink = { .ctx = r, .finding = take_finding, .document_end = take_document_end };
    struct edi_reader_options edi = { .guides = r->waybill->guides, .partner = r->choice.guide,
                                      .n_partner = r->choice.n_guides, .policy = r->policy,
                                      .complaints = &r->complaints };
    struct map_read_options map = { .choose = choose_plan, .write = take_json, .finding = take_finding,
                                    .document_end = take_document_end, .ctx = r,
                                    .transmission = buf_slice(&r->transmission), .partner = buf_slice(&r->partner) };
    struct acknowledge_options acknowledge = { .at = r->at, .control = r->control, .line_end = r->line_end,
                                               .ta1 = r->ta1, .next = &sink, .write = take_acknowledgment, .ctx = r };
    int rc;

    if (r->on_record || r->on_json) {
        rc = map_reader_new(&map, &r->map, err);
        if (rc < 0)
            return rc;
        map_reader_sink(r->map, &sink);
    }
    if (r->on_acknowledgment) {
        if (!r->has_at)
            return err_set(err, ERR_USAGE, "an acknowledgment needs a date and time: set \"at\"");
        rc = acknowledge_new(&acknowledge, &r->acknowledge, err);
        if (rc < 0)
            return rc;
    }
    rc = edi_reader_new(&edi, r->acknowledge ? acknowledge_sink(r->acknowledge) : &sink, &r->edi, err);
    if (rc == 0 && r->map)
        map_reader_attach(r->map, r->edi);
    return rc;
}

/* Puts everything together, once. */
static int start(struct waybill_reader *r)
{
    if (r->ended && !r->failed)
        r->failed = err_set(&r->err, ERR_USAGE, "the reader has ended; each reads one transmission");
    if (!r->edi && !r->failed)
        r->failed = make(r, &r->err);
    return r->failed;
}

static int result(struct waybill_reader *r, int rc, struct waybill_error *error)
{
    if (rc == 0)
        return 0;
    if (!r->failed) {
        r->failed = rc;
        if (r->acknowledge && r->reason.code != rc && !r->err.text[0]) {
            struct err words = { 0 };
            if (acknowledge_finish(r->acknowledge, &words) == rc)
                r->reason = words;
        }
        if (r->reason.code == rc)
            r->err = r->reason;
        else if (!r->err.text[0])
            err_set(&r->err, rc, "%s", err_name(rc));
        r->err.code = rc;
    }
    return library_fail(error, r->failed, &r->err, &r->complaints);
}

/* ---- waybill.h ---- */

int waybill_reader_new(struct waybill *waybill, struct waybill_reader **reader_r, struct waybill_error *error)
{
    struct waybill_reader *r = calloc(1, sizeof(*r));

    *reader_r = r;
    if (!r)
        return library_fail(error, ERR_NOMEM, NULL, NULL);
    r->waybill = waybill;
    r->ceiling = LIMIT_ITEM;
    r->ta1 = true;
    r->line_end = "";
    finding_policy_init(&r->policy);
    complaints_init(&r->complaints);
    buf_init(&r->transmission, NAME_MOST);
    buf_init(&r->partner, NAME_MOST);
    buf_init(&r->record, r->ceiling);
    library_values_init(&r->values, r->ceiling);
    arena_init(&r->arena, FINDING_MEMORY);
    buf_init(&r->message, FINDING_MEMORY / 4);
    buf_init(&r->acknowledgment, FINDING_MEMORY / 4);
    buf_init(&r->shown, FINDING_MEMORY);
    return 0;
}

void waybill_reader_free(struct waybill_reader **reader)
{
    struct waybill_reader *r = reader ? *reader : NULL;

    if (!r)
        return;
    edi_reader_free(&r->edi);
    map_reader_free(&r->map);
    acknowledge_free(&r->acknowledge);
    complaints_deinit(&r->complaints);
    buf_deinit(&r->transmission);
    buf_deinit(&r->partner);
    buf_deinit(&r->record);
    library_values_deinit(&r->values);
    arena_deinit(&r->arena);
    buf_deinit(&r->message);
    buf_deinit(&r->acknowledgment);
    buf_deinit(&r->shown);
    free(r);
    *reader = NULL;
}

void waybill_reader_on_record(struct waybill_reader *reader, waybill_record_fn function, void *ctx)
{
    reader->on_record = function;
    reader->record_ctx = ctx;
}

void waybill_reader_on_json(struct waybill_reader *reader, waybill_bytes_fn function, void *ctx)
{
    reader->on_json = function;
    reader->json_ctx = ctx;
}

void waybill_reader_on_finding(struct waybill_reader *reader, waybill_finding_fn function, void *ctx)
{
    reader->on_finding = function;
    reader->finding_ctx = ctx;
}

void waybill_reader_on_document(struct waybill_reader *reader, waybill_document_fn function, void *ctx)
{
    reader->on_document = function;
    reader->document_ctx = ctx;
}

void waybill_reader_on_acknowledgment(struct waybill_reader *reader, waybill_bytes_fn function, void *ctx)
{
    reader->on_acknowledgment = function;
    reader->acknowledgment_ctx = ctx;
}

static const char *const option_names[] = { "allow", "refuse", "map", "map-file", "guide-file", "transmission",
                                            "partner", "ceiling", "at", "control", "ta1", "line-end", NULL };

static int keep(struct buf *to, const char *name, struct slice value, struct err *err)
{
    buf_clear(to);
    buf_add_slice(to, value);
    if (to->failed == ERR_LIMIT)
        return err_set(err, ERR_USAGE, "%s: there may be at most %d bytes", name, NAME_MOST);
    return to->failed ? err_nomem(err) : 0;
}

static int set(struct waybill_reader *r, struct slice name, const char *text, struct err *err)
{
    struct slice value = slice_of(text);
    uint64_t number = 0;

    if (r->edi)
        return err_set(err, ERR_USAGE, "%s: too late, bytes have been fed", name.p);
    if (slice_is(name, "allow") || slice_is(name, "refuse"))
        return library_allow(&r->policy, value, name.p[0] == 'r', err);
    if (slice_is(name, "map") || slice_is(name, "map-file"))
        return library_add_map(r->waybill, &r->choice, text, name.n > 3, &r->complaints, err);
    if (slice_is(name, "guide-file"))
        return library_add_guide(r->waybill, &r->choice, text, &r->complaints, err);
    if (slice_is(name, "transmission"))
        return keep(&r->transmission, name.p, value, err);
    if (slice_is(name, "partner"))
        return keep(&r->partner, name.p, value, err);
    if (slice_is(name, "ceiling")) {
        if (!slice_number(value, SIZE_MAX / 8, &number) || number < 4096)
            return err_set(err, ERR_USAGE, "ceiling: not a number from 4096 on");
        r->ceiling = (size_t)number;
        buf_deinit(&r->record);
        buf_init(&r->record, r->ceiling);
        library_values_deinit(&r->values);
        library_values_init(&r->values, r->ceiling);
        return 0;
    }
    if (slice_is(name, "at")) {
        r->has_at = library_time(value, &r->at);
        return r->has_at ? 0 : err_set(err, ERR_USAGE, "at: not a date and time such as 2026-11-20T18:30:05");
    }
    if (slice_is(name, "control")) {
        if (!slice_number(value, 999999999, &number) || number == 0)
            return err_set(err, ERR_USAGE, "control: not a number from 1 to 999999999");
        r->control = number;
        return 0;
    }
    if (slice_is(name, "ta1"))
        return library_switch(value, &r->ta1) ? 0 : err_set(err, ERR_USAGE, "ta1: neither yes nor no");
    if (slice_is(name, "line-end"))
        return library_line_end(value, &r->line_end) ? 0
                                                     : err_set(err, ERR_USAGE, "line-end: not none, newline or crlf");
    return library_unknown(name.p, option_names, err);
}

int waybill_reader_set(struct waybill_reader *reader, const char *name, const char *value, struct waybill_error *error)
{
    struct err err = { 0 };
    int rc = name && value ? set(reader, slice_of(name), value, &err)
                           : err_set(&err, ERR_USAGE, "an option needs a name and a value");

    return rc ? library_fail(error, rc, &err, &reader->complaints) : 0;
}

int waybill_reader_feed(struct waybill_reader *reader, const char *bytes, size_t n, struct waybill_error *error)
{
    int rc = start(reader);

    if (rc == 0 && n)
        rc = edi_reader_feed(reader->edi, slice(bytes, n), &reader->err);
    return result(reader, rc, error);
}

char *waybill_reader_space(struct waybill_reader *reader, size_t *n_r)
{
    *n_r = 0;
    return start(reader) ? NULL : edi_reader_space(reader->edi, n_r);
}

int waybill_reader_filled(struct waybill_reader *reader, size_t n, struct waybill_error *error)
{
    int rc = start(reader);

    if (rc == 0 && n)
        rc = edi_reader_filled(reader->edi, n, &reader->err);
    return result(reader, rc, error);
}

int waybill_reader_end(struct waybill_reader *reader, struct waybill_error *error)
{
    int rc = start(reader);

    if (rc == 0)
        rc = edi_reader_end(reader->edi, &reader->err);
    if (rc == 0 && reader->acknowledge)
        rc = acknowledge_finish(reader->acknowledge, &reader->err);
    reader->ended = true;
    return result(reader, rc, error);
}

uint64_t waybill_reader_count(const struct waybill_reader *reader, enum waybill_count what)
{
    if (what == WAYBILL_RECORDS)
        return reader->map ? map_reader_records(reader->map) : 0;
    return (unsigned)what <= WAYBILL_WARNINGS ? reader->count[what] : 0;
}

const char *waybill_reader_complaints(struct waybill_reader *reader)
{
    return buf_text(&reader->complaints.text);
}
