/*
 * answers: what a partner's acknowledgment says of what we sent. 997, 999 and TA1 are records of the kind acknowledgment, whatever they came
 * as: `group_control` names a group of ours and `documents` those in it; without a group `interchange_control` names an interchange.
 */
#include "flow/receive.h"

enum { WORDS = 4000, SHOWN = 60 };

struct answer {
    struct receiving *r;
    store_id document; /* the acknowledgment */
    bool accepted;
    struct slice words;
    store_id *found; /* documents of ours that are meant */
    size_t n, room;
    struct err *err;
};

static int text_of(struct receiving *r, const struct json_tape *tape, uint32_t object, const char *name,
                   struct slice *text_r, struct err *err)
{
    uint32_t node = json_member(tape, object, slice_of(name));

    *text_r = slice(NULL, 0);
    if (!node || tape->node[node].type != JSON_STRING)
        return 0;
    return json_string(tape, node, &r->arena, text_r) < 0 ? err_nomem(err) : 0;
}

/* Errors of a document in one line: "PO1, segment 8: element 2 "ten": invalid_character; syntax_error". */
static int add_words(struct receiving *r, const struct json_tape *tape, uint32_t document, struct buf *words,
                     struct err *err)
{
    uint32_t segments = json_member(tape, document, SLICE("segments")),
             errors = json_member(tape, document, SLICE("errors"));
    struct slice text;
    int rc = 0;

    for (uint32_t s = segments ? json_first(segments) : 0; rc == 0 && segments && s < json_end(tape, segments);
         s = json_next(tape, s)) {
        uint32_t elements = json_member(tape, s, SLICE("elements"));
        buf_add_text(words, words->n ? "; " : "");
        if ((rc = text_of(r, tape, s, "tag", &text, err)) == 0)
            buf_add_safe(words, text, SHOWN);
        if (rc == 0 && (rc = text_of(r, tape, s, "position", &text, err)) == 0) {
            buf_add_text(words, ", segment ");
            buf_add_safe(words, text, SHOWN);
        }
        if (rc == 0 && (rc = text_of(r, tape, s, "error", &text, err)) == 0 && text.n) {
            buf_add_text(words, ": ");
            buf_add_safe(words, text, SHOWN);
        }
        for (uint32_t e = elements ? json_first(elements) : 0; rc == 0 && elements && e < json_end(tape, elements);
             e = json_next(tape, e)) {
            if ((rc = text_of(r, tape, e, "position", &text, err)) == 0) {
                buf_add_text(words, ", element ");
                buf_add_safe(words, text, SHOWN);
            }
            if (rc == 0 && (rc = text_of(r, tape, e, "value", &text, err)) == 0 && text.n) {
                buf_add_text(words, " \"");
                buf_add_safe(words, text, SHOWN);
                buf_add_char(words, '"');
            }
            if (rc == 0 && (rc = text_of(r, tape, e, "error", &text, err)) == 0 && text.n) {
                buf_add_text(words, " ");
                buf_add_safe(words, text, SHOWN);
            }
        }
        if (words->failed == ERR_LIMIT)
            return 0;
    }
    for (uint32_t e = errors ? json_first(errors) : 0; rc == 0 && errors && e < json_end(tape, errors);
         e = json_next(tape, e)) {
        if (tape->node[e].type != JSON_STRING)
            continue;
        buf_add_text(words, words->n ? "; " : "");
        buf_add_safe(words, json_raw(tape, e), SHOWN);
    }
    return rc < 0 ? rc : words->failed == ERR_NOMEM ? err_nomem(err) : 0;
}

static int on_sent(void *ctx, const struct store_document *d)
{
    struct answer *a = ctx;
    store_id *grown;

    if (d->state != DOCUMENT_WRITTEN && d->state != DOCUMENT_AWAITED && d->state != DOCUMENT_OVERDUE &&
        d->state != DOCUMENT_ACCEPTED && d->state != DOCUMENT_REJECTED && d->state != DOCUMENT_DROPPED &&
        d->state != DOCUMENT_DEAD)
        return 0;
    grown = arena_grow(&a->r->arena, a->found, a->n, &a->room, sizeof(*grown));
    if (!grown)
        return err_nomem(a->err);
    a->found = grown;
    /* one that was answered before keeps what was said first, and one that was dropped stays so; it is known all the same */
    a->found[a->n++] =
        d->state == DOCUMENT_WRITTEN || d->state == DOCUMENT_AWAITED || d->state == DOCUMENT_OVERDUE ? d->id : 0;
    return 0;
}

static bool is_rejection(struct slice status)
{
    return slice_starts(status, SLICE("rejected"));
}

static int answer_all(struct answer *a, struct slice interchange, struct slice group, struct slice set,
                      struct slice control, bool *known, struct err *err)
{
    int rc;

    a->n = 0;
    a->err = err;
    rc = store_find_sent(a->r->a->store, a->r->t->partner, interchange, group, set, control, on_sent, a, err);
    for (size_t i = 0; rc == 0 && i < a->n; i++)
        if (a->found[i])
            rc = store_answer(a->r->a->store, a->found[i], a->accepted, a->document, a->words, err);
    *known = *known || a->n > 0;
    return rc;
}

/* One document of a group, and what is said of it. */
static int answer_document(struct answer *a, const struct json_tape *tape, uint32_t node, struct slice group,
                           bool *known, struct err *err)
{
    struct slice set, control, status;
    struct buf words;
    int rc = text_of(a->r, tape, node, "set", &set, err);

    if (rc == 0)
        rc = text_of(a->r, tape, node, "control", &control, err);
    if (rc == 0)
        rc = text_of(a->r, tape, node, "status", &status, err);
    if (rc < 0)
        return rc;
    buf_init(&words, WORDS);
    rc = add_words(a->r, tape, node, &words, err);
    a->accepted = !is_rejection(status);
    a->words = slice(words.p, words.n);
    if (rc == 0 && control.n)
        rc = answer_all(a, slice(NULL, 0), group, set, control, known, err);
    buf_deinit(&words);
    return rc;
}

int take_answer(struct receiving *r, store_id document, const struct json_tape *tape, bool *known, struct err *err)
{
    struct answer a = { .r = r, .document = document };
    uint32_t documents = json_member(tape, 0, SLICE("documents"));
    struct slice group, interchange, status;
    struct buf words;
    int rc = text_of(r, tape, 0, "group_control", &group, err);

    *known = false;
    if (rc == 0)
        rc = text_of(r, tape, 0, "interchange_control", &interchange, err);
    if (rc == 0)
        rc = text_of(r, tape, 0, "status", &status, err);
    if (rc < 0)
        return rc;
    if (documents && json_first(documents) < json_end(tape, documents)) {
        for (uint32_t d = json_first(documents); rc == 0 && d < json_end(tape, documents); d = json_next(tape, d))
            rc = answer_document(&a, tape, d, group, known, err);
        /* what a group that was refused says nothing of is refused with it */
        if (rc < 0 || !is_rejection(status))
            return rc;
    }
    buf_init(&words, WORDS);
    buf_add_text(&words, group.n ? "the group was " : "the interchange was ");
    buf_add_safe(&words, status, SHOWN);
    rc = add_words(r, tape, 0, &words, err);
    a.accepted = !is_rejection(status);
    a.words = a.accepted ? slice(NULL, 0) : slice(words.p, words.n);
    /* a TA1 that accepts an interchange says nothing of the documents in it */
    if (rc == 0 && group.n)
        rc = answer_all(&a, slice(NULL, 0), group, slice(NULL, 0), slice(NULL, 0), known, err);
    else if (rc == 0 && interchange.n && !a.accepted)
        rc = answer_all(&a, interchange, slice(NULL, 0), slice(NULL, 0), slice(NULL, 0), known, err);
    else if (rc == 0)
        *known = interchange.n > 0;
    buf_deinit(&words);
    return rc;
}
