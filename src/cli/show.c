/* waybill show, cat, trace: one thing with all that belongs to it, its bytes, and what became of a number. */
#include <stdio.h>
#include <unistd.h>

#include "cli/spool.h"
#include "flow/receive.h"
#include "flow/rejection.h"
#include "tree/json.h"

struct shown {
    struct command_context *c;
    struct appliance *a;
    struct err err;
    struct arena arena; /* of what is kept */
    struct store_transmission t;
    struct store_document d;
    struct store_delivery v;
    unsigned rejections; /* what the partner complains of, so far */
};

/* One thing, kept. 1; 0: there is none. */
static int find(struct shown *s, enum thing thing, store_id id)
{
    return thing == TRANSMISSION ? store_get_transmission(s->a->store, id, &s->arena, &s->t, &s->err)
           : thing == DOCUMENT   ? store_get_document(s->a->store, id, &s->arena, &s->d, &s->err)
                                 : store_get_delivery(s->a->store, id, &s->arena, &s->v, &s->err);
}

static int no_such_thing(struct command_context *c, const char *id)
{
    command_say(c, "there is no %s", id);
    return EXIT_CODE_DATA;
}

/* --- show ------------------------------------------------------------------------------------ */

static int on_transmission(void *ctx, const struct store_transmission *t)
{
    spool_show_transmission(((struct shown *)ctx)->c->out, t);
    return 0;
}

static int on_document(void *ctx, const struct store_document *d)
{
    spool_show_document(((struct shown *)ctx)->c->out, d);
    return 0;
}

static int on_delivery(void *ctx, const struct store_delivery *d)
{
    spool_show_delivery(((struct shown *)ctx)->c->out, d);
    return 0;
}

static int on_document_and_ways(void *ctx, const struct store_document *d)
{
    struct shown *s = ctx;
    const struct store_query q = { .document = d->id, .limit = 100 };

    on_document(ctx, d);
    return store_deliveries(s->a->store, &q, on_delivery, s, &s->err);
}

static int on_event(void *ctx, const struct store_event *e)
{
    struct printer *p = ((struct shown *)ctx)->c->out;
    char time[32], id[24];

    if (!p->json)
        printer_text(p, "  ");
    printer_field(p, "event_at", slice_of(spool_time(p, e->at, time)), 19);
    printer_field(p, "event", e->what, 9);
    printer_field(p, "who", e->who, 8);
    if (p->json) {
        if (e->transmission)
            printer_field(p, "transmission", slice_of(spool_id_text(TRANSMISSION, e->transmission, id)), 0);
        if (e->document)
            printer_field(p, "document", slice_of(spool_id_text(DOCUMENT, e->document, id)), 0);
        if (e->delivery)
            printer_field(p, "delivery", slice_of(spool_id_text(DELIVERY, e->delivery, id)), 0);
    } else {
        printer_field(p, "thing",
                      slice_of(e->delivery   ? spool_id_text(DELIVERY, e->delivery, id)
                               : e->document ? spool_id_text(DOCUMENT, e->document, id)
                                             : spool_id_text(TRANSMISSION, e->transmission, id)),
                      5);
    }
    printer_field(p, "words", e->words, 0);
    printer_end_row(p);
    return 0;
}

static void heading(struct printer *p, const char *words)
{
    if (!p->json)
        printer_printf(p, "\n%s\n", words);
}

/* What a finding says under that name, with words around it; nothing when it does not. True: it did. */
static bool show_said(struct shown *s, const struct json_tape *tape, const char *name, const char *before,
                      const char *after)
{
    uint32_t node = json_member(tape, 0, slice_of(name));
    struct slice text = node ? json_raw(tape, node) : slice(NULL, 0);

    if (!node || (tape->node[node].type == JSON_STRING && json_string(tape, node, &s->arena, &text) < 0))
        return false;
    printer_text(s->c->out, before);
    printer_safe(s->c->out, text);
    printer_text(s->c->out, after);
    return true;
}

/* One finding as `waybill check` words it. */
static void show_finding(struct shown *s, const struct json_tape *tape)
{
    bool any = show_said(s, tape, "interchange", "  interchange ", "");

    any = show_said(s, tape, "document", any ? ", document " : "  document ", "") || any;
    if (show_said(s, tape, "set", " (", ""))
        show_said(s, tape, "control", ", control ", ")");
    any = show_said(s, tape, "segment", any ? ", segment " : "  segment ", "") || any;
    any = show_said(s, tape, "line", any ? ", line " : "  line ", "") || any;
    printer_text(s->c->out, any ? "\n" : "");
    show_said(s, tape, "severity", "    ", " ");
    show_said(s, tape, "code", "", ": ");
    show_said(s, tape, "message", "", "\n");
    show_said(s, tape, "acknowledgment", "    the acknowledgment says: ", "\n");
}

/* The findings of a transmission: one JSON object a line, as they were written down, or in words. */
static int show_findings(struct shown *s)
{
    struct printer *p = s->c->out;
    struct json_tape tape;
    struct slice rest, line;
    struct buf text;
    bool more = true;
    int rc;

    if (!s->t.findings.size)
        return 0;
    heading(p, "findings");
    buf_init(&text, 16 << 20);
    json_tape_init(&tape, 1 << 20);
    rc = object_load(s->a->objects, &s->t.findings, &text, &s->err);
    if (rc == 0 && p->json)
        printer_raw(p, buf_slice(&text));
    for (rest = buf_slice(&text); rc == 0 && !p->json && more && rest.n;) {
        line = slice_cut(rest, '\n', &rest, &more);
        if (line.n && json_parse(&tape, line, NULL) == 0)
            show_finding(s, &tape);
        else
            printer_raw(p, line);
    }
    json_tape_deinit(&tape);
    buf_deinit(&text);
    if (rc == ERR_LIMIT) {
        printer_text(p, "  there are too many to be shown here\n");
        rc = 0;
    }
    return rc;
}

/* The file of the archive that its payload lies in. */
static int show_archive(struct shown *s)
{
    struct printer *p = s->c->out;
    struct buf path;
    int rc;

    if (!s->t.payload.archive || p->json)
        return 0;
    buf_init(&path, 4096);
    rc = store_archive_path(s->a->store, s->t.payload.archive, &path, &s->err);
    if (rc == 0) {
        printer_text(p, "  in the archive: spool/archive/");
        printer_safe(p, buf_slice(&path));
        printer_text(p, "\n");
    }
    buf_deinit(&path);
    return rc;
}

static int show_transmission(struct shown *s, store_id id)
{
    struct store_query q = { .transmission = id, .limit = 200 };
    struct printer *p = s->c->out;
    char hash[2 * OBJECT_HASH + 1];
    int rc;

    spool_show_transmission(p, &s->t);
    if (!p->json) {
        object_name(s->t.payload.hash, hash);
        printer_printf(p, "  %llu bytes, SHA-256 %s\n", (unsigned long long)s->t.payload.size, hash);
    }
    rc = show_archive(s);
    if (rc < 0)
        return rc;
    heading(p, s->t.direction == STORE_IN ? "documents in it, and what goes from them"
                                          : "documents in it, and the deliveries that it carries");
    rc = store_documents(s->a->store, &q, s->t.direction == STORE_IN ? on_document_and_ways : on_document, s, &s->err);
    if (rc == 0)
        rc = store_deliveries(s->a->store, &q, on_delivery, s, &s->err);
    if (rc == 0) {
        struct store_query members = { .parent = id, .limit = 200 };
        rc = store_transmissions(s->a->store, &members, on_transmission, s, &s->err);
    }
    if (rc == 0) {
        struct store_query answers = { .answers = id, .limit = 200 };
        rc = store_transmissions(s->a->store, &answers, on_transmission, s, &s->err);
    }
    if (rc == 0)
        rc = show_findings(s);
    heading(p, "events");
    return rc == 0 ? store_events(s->a->store, &q, on_event, s, &s->err) : rc;
}

/* The partner's complaint under our own segment. */
static int on_rejection(void *ctx, const struct rejection *r)
{
    struct shown *s = ctx;
    struct printer *p = s->c->out;

    s->rejections++;
    if (p->json) {
        printer_field(p, "rejected", r->words, 0);
        printer_field_number(p, "position", r->position, 0);
        if (r->element)
            printer_field_number(p, "element", r->element, 0);
        if (r->component)
            printer_field_number(p, "component", r->component, 0);
        if (r->value.n)
            printer_field(p, "value", r->value, 0);
        printer_field(p, "segment", r->segment, 0);
        printer_end_row(p);
        return 0;
    }
    printer_printf(p, "  segment %llu: ", (unsigned long long)r->position);
    if (r->segment.n) {
        size_t before = 13 + (r->position > 9) + (r->position > 99) + (r->position > 999);
        printer_safe(p, r->segment);
        printer_text(p, "\n");
        if (r->width) {
            for (size_t i = 0; i < before + r->at; i++)
                printer_text(p, " ");
            for (uint32_t i = 0; i < r->width && i < 60; i++)
                printer_text(p, i ? "~" : "^");
            printer_text(p, "\n");
        }
        printer_text(p, "    ");
    }
    printer_text(p, "he says: ");
    printer_safe(p, r->words);
    if (r->element)
        printer_printf(p, " in element %u", r->element);
    if (r->component)
        printer_printf(p, ", component %u", r->component);
    if (r->value.n) {
        printer_text(p, ", and that he found \"");
        printer_safe(p, r->value);
        printer_text(p, "\"");
    }
    printer_text(p, "\n");
    return 0;
}

static int show_document(struct shown *s, store_id id)
{
    struct store_query q = { .document = id, .limit = 200 }, whole = { .id = s->d.transmission, .limit = 1 },
                       made = { .made_of = id, .limit = 200 };
    int rc;

    spool_show_document(s->c->out, &s->d);
    heading(s->c->out, "came or left in");
    rc = store_transmissions(s->a->store, &whole, on_transmission, s, &s->err);
    if (rc == 0 && s->d.direction == STORE_OUT && s->d.answer && s->d.answered.n) {
        heading(s->c->out, "what the partner complains of");
        rc = rejection_show(s->a, &s->d, s->d.answer, on_rejection, s, &s->err);
        /* of the document, its group or its interchange as a whole */
        if (!s->rejections && !s->c->out->json) {
            printer_text(s->c->out, "  he says: ");
            printer_safe(s->c->out, s->d.answered);
            printer_text(s->c->out, "\n");
        }
        s->rejections = 0;
    }
    heading(s->c->out, "goes to");
    if (rc == 0)
        rc = store_deliveries(s->a->store, &q, on_delivery, s, &s->err);
    if (rc == 0)
        rc = store_documents(s->a->store, &made, on_document, s, &s->err);
    heading(s->c->out, "events");
    return rc == 0 ? store_events(s->a->store, &q, on_event, s, &s->err) : rc;
}

static int show_delivery(struct shown *s, store_id id)
{
    struct store_query q = { .delivery = id, .limit = 200 }, document = { .id = s->v.document, .limit = 1 },
                       file = { .id = s->v.transmission, .limit = 1 };
    int rc = 0;

    spool_show_delivery(s->c->out, &s->v);
    if (!s->c->out->json && s->v.route.n) {
        printer_text(s->c->out, "  by the line: ");
        printer_safe(s->c->out, s->v.route);
        printer_text(s->c->out, "\n");
    }
    heading(s->c->out, "is about, and goes in");
    if (s->v.document)
        rc = store_documents(s->a->store, &document, on_document, s, &s->err);
    if (rc == 0 && s->v.transmission)
        rc = store_transmissions(s->a->store, &file, on_transmission, s, &s->err);
    heading(s->c->out, "events");
    return rc == 0 ? store_events(s->a->store, &q, on_event, s, &s->err) : rc;
}

int command_show(struct command_context *c)
{
    struct shown s = { .c = c };
    enum thing thing;
    store_id id;
    int rc = 0, code = spool_arguments(c);

    if (code == EXIT_CODE_OK)
        code = spool_open(c, false, &s.a);
    arena_init(&s.arena, 16 << 20);
    for (unsigned i = 0; s.a && rc == 0 && i < c->n; i++) {
        spool_id(slice_of(c->argument[i]), &thing, &id);
        rc = find(&s, thing, id);
        if (rc == 0)
            code = no_such_thing(c, c->argument[i]);
        if (rc > 0)
            rc = thing == TRANSMISSION ? show_transmission(&s, id)
                 : thing == DOCUMENT   ? show_document(&s, id)
                                       : show_delivery(&s, id);
    }
    if (rc < 0)
        code = command_fail(c, &s.err);
    arena_deinit(&s.arena);
    appliance_close(&s.a);
    return code;
}

/* --- cat --------------------------------------------------------------------------------------- */

static int copy_out(struct command_context *c, int fd, struct err *err)
{
    char block[64 << 10];
    ssize_t n;

    while ((n = read(fd, block, sizeof(block))) > 0 && !printer_failed(c->out))
        printer_raw(c->out, slice(block, (size_t)n));
    return n < 0 ? err_system(err, "a payload cannot be read") : 0;
}

/* A transmission's bytes; the record of a document that arrived; what a delivery carries. */
static int cat(struct shown *s, enum thing thing, store_id id)
{
    int fd = -1, rc = find(s, thing, id);

    if (rc <= 0)
        return rc < 0 ? rc : ERR_MISSING;
    if (thing == DELIVERY && !s->v.transmission && s->v.document)
        return cat(s, DOCUMENT, s->v.document);
    if (thing == DELIVERY)
        return cat(s, TRANSMISSION, s->v.transmission);
    if (thing == DOCUMENT) {
        rc = find(s, TRANSMISSION, s->d.transmission);
        if (rc == 0)
            return ERR_MISSING;
        if (rc > 0 && s->d.record_size)
            rc = appliance_record(s->a, &s->t.records, s->d.record_at, s->d.record_size, &fd, &s->err);
        else if (rc > 0)
            rc = object_read(s->a->objects, &s->t.payload, &fd, &s->err);
    } else {
        rc = object_read(s->a->objects, &s->t.payload, &fd, &s->err);
    }
    if (rc == 0)
        rc = copy_out(s->c, fd, &s->err);
    if (rc == 0 && thing == DOCUMENT && s->d.record_size)
        printer_raw(s->c->out, SLICE("\n"));
    if (fd >= 0)
        close(fd);
    return rc;
}

int command_cat(struct command_context *c)
{
    struct shown s = { .c = c };
    enum thing thing;
    store_id id;
    int rc = 0, code = spool_arguments(c);

    if (code == EXIT_CODE_OK)
        code = spool_open(c, false, &s.a);
    arena_init(&s.arena, 16 << 20);
    for (unsigned i = 0; s.a && i < c->n; i++) {
        spool_id(slice_of(c->argument[i]), &thing, &id);
        rc = cat(&s, thing, id);
        if (rc == ERR_MISSING && s.err.code) { /* it may have gone to the archive just now */
            s.err.code = 0;
            rc = cat(&s, thing, id);
        }
        if (rc == ERR_MISSING && !s.err.code)
            code = no_such_thing(c, c->argument[i]);
        else if (rc < 0)
            code = exit_code_worse(code, command_fail(c, &s.err));
    }
    arena_deinit(&s.arena);
    appliance_close(&s.a);
    return code;
}

/* --- trace ---------------------------------------------------------------------------------------- */

enum { TRACE_DEPTH = 6 };

struct tracing {
    struct shown *s;
    unsigned depth;
    unsigned found;
};

static void indent(struct printer *p, unsigned depth)
{
    for (unsigned i = 0; i < depth && !p->json; i++)
        printer_text(p, "    ");
}

static int trace_document(struct tracing *t, const struct store_document *d);

static int on_traced_part(void *ctx, const struct store_document *d)
{
    return trace_document(ctx, d);
}

/* In words: "T12, 850.edi of northwind, arrived 2026-11-21 09:10:33". */
static void tell_file(struct tracing *t, const struct store_transmission *file)
{
    struct printer *p = t->s->c->out;
    char time[32], id[24];

    printer_printf(p, "%s (", spool_id_text(TRANSMISSION, file->id, id));
    printer_safe(p, file->name);
    printer_printf(p, "), %s %s", file->direction == STORE_IN ? "arrived" : state_name(TRANSMISSION, file->state),
                   spool_time(p, file->state == TRANSMISSION_SENT ? file->done : file->at, time));
    if (file->state == TRANSMISSION_MADE && file->attempts) {
        printer_printf(p, ", tried %u time%s (", file->attempts, file->attempts == 1 ? "" : "s");
        printer_safe(p, file->reason);
        printer_printf(p, "), again at %s", spool_time(p, file->due, time));
    }
}

static int on_traced_delivery(void *ctx, const struct store_delivery *d)
{
    struct tracing *t = ctx;
    struct printer *p = t->s->c->out;
    char id[24];
    int rc = 0;

    if (p->json) {
        spool_show_delivery(p, d);
    } else {
        indent(p, t->depth);
        printer_printf(p, "%s goes to ", spool_id_text(DELIVERY, d->id, id));
        printer_safe(p, d->partner);
        printer_printf(p, ": %s", state_name(DELIVERY, d->state));
        if (d->transmission && find(t->s, TRANSMISSION, d->transmission) > 0) {
            printer_text(p, " in ");
            tell_file(t, &t->s->t);
        }
        if (d->reason.n) {
            printer_text(p, ": ");
            printer_safe(p, d->reason);
        }
        printer_text(p, "\n");
    }
    if (d->transmission && t->depth < TRACE_DEPTH) {
        struct store_query q = { .transmission = d->transmission, .made_of = d->document, .limit = 100 };
        t->depth++;
        rc = store_documents(t->s->a->store, &q, on_traced_part, t, &t->s->err);
        t->depth--;
    }
    return rc;
}

/* What we said of the file that it came in. */
static int on_traced_answer(void *ctx, const struct store_transmission *answer)
{
    struct tracing *t = ctx;
    struct printer *p = t->s->c->out;

    if (p->json) {
        spool_show_transmission(p, answer);
        return 0;
    }
    indent(p, t->depth);
    printer_text(p, "acknowledged in ");
    tell_file(t, answer);
    printer_text(p, "\n");
    return 0;
}

static int trace_document(struct tracing *t, const struct store_document *d)
{
    struct printer *p = t->s->c->out;
    const struct store_query q = { .document = d->id, .limit = 100 };
    store_id answer = d->answer, id = d->id, transmission = d->transmission;
    bool arrived = d->direction == STORE_IN;
    char text[24], words[SPOOL_AWAITED];
    int rc = 0;

    t->found++;
    if (p->json) {
        spool_show_document(p, d);
    } else {
        indent(p, t->depth);
        printer_printf(p, "%s ", spool_id_text(DOCUMENT, id, text));
        printer_safe(p, d->set.n ? d->set : d->kind);
        if (d->number.n || d->control.n) { /* one that leaves is told from others by its control number */
            printer_text(p, " ");
            printer_safe(p, d->number.n && (arrived || !d->control.n) ? d->number : d->control);
        }
        printer_text(p, arrived ? " of " : " for ");
        printer_safe(p, d->partner);
        printer_printf(p, ": %s", state_name(DOCUMENT, d->state));
        if (arrived && find(t->s, TRANSMISSION, d->transmission) > 0) {
            printer_text(p, ", came in ");
            tell_file(t, &t->s->t);
        }
        if (*spool_awaited(p, d, words))
            printer_printf(p, ", %s", words);
        if (answer)
            printer_printf(p, " by %s", spool_id_text(DOCUMENT, answer, text));
        if (d->reason.n || d->answered.n) {
            printer_text(p, ": ");
            printer_safe(p, d->reason.n ? d->reason : d->answered);
        }
        printer_text(p, "\n");
    }
    if (arrived && t->depth < TRACE_DEPTH) {
        const struct store_query answers = { .answers = transmission, .limit = 10 };
        t->depth++;
        rc = store_transmissions(t->s->a->store, &answers, on_traced_answer, t, &t->s->err);
        if (rc == 0)
            rc = store_deliveries(t->s->a->store, &q, on_traced_delivery, t, &t->s->err);
        t->depth--;
    }
    return rc;
}

/* Documents of a number, to be told in the order in which they came. */
struct gathered {
    store_id *id;
    size_t n, room;
    struct arena arena;
};

static int gather(void *ctx, const struct store_document *d)
{
    struct gathered *g = ctx;
    store_id *grown = arena_grow(&g->arena, g->id, g->n, &g->room, sizeof(*grown));

    if (!grown)
        return ERR_NOMEM;
    g->id = grown;
    g->id[g->n++] = d->id;
    return 0;
}

static int trace_number(struct tracing *t, const char *number)
{
    struct shown *s = t->s;
    struct gathered g = { .n = 0 };
    int rc;

    arena_init(&g.arena, 64 << 20);
    rc = store_find_number(s->a->store, slice(NULL, 0), slice(NULL, 0), slice_of(number), gather, &g, &s->err);
    if (rc == ERR_NOMEM)
        err_nomem(&s->err);
    for (size_t i = g.n; rc == 0 && i-- > 0;) {
        const struct store_query q = { .id = g.id[i], .limit = 1 };
        rc = store_documents(s->a->store, &q, on_traced_part, t, &s->err);
    }
    arena_deinit(&g.arena);
    return rc;
}

int command_trace(struct command_context *c)
{
    struct shown s = { .c = c };
    struct tracing t = { .s = &s };
    int rc = 0, code = spool_open(c, false, &s.a);

    arena_init(&s.arena, 64 << 20);
    for (unsigned i = 0; s.a && rc == 0 && i < c->n; i++) {
        t.found = 0;
        rc = trace_number(&t, c->argument[i]);
        if (rc == 0 && !t.found) {
            command_say(c, "no document has the number \"%s\"", c->argument[i]);
            code = EXIT_CODE_DATA;
        }
    }
    if (rc < 0)
        code = command_fail(c, &s.err);
    arena_deinit(&s.arena);
    appliance_close(&s.a);
    return code;
}
