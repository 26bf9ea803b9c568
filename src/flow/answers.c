/*
 * answers: what a partner's acknowledgment says of what we sent. 997, 999, TA1 and CONTRL are records of the kind
 * acknowledgment, whatever they came as: `group_control` names a group of ours and `documents` those in it; without a
 * group `interchange_control` names an interchange, `documents` those in it outside of groups, and `groups` its groups.
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

/* A text with words around it; nothing when there is none. */
static int add_text(struct receiving *r, const struct json_tape *tape, uint32_t object, const char *name,
                    const char *before, const char *after, struct buf *words, struct err *err)
{
    struct slice text;
    int rc = text_of(r, tape, object, name, &text, err);

    if (rc < 0 || !text.n)
        return rc;
    buf_add_text(words, before);
    buf_add_safe(words, text, SHOWN);
    buf_add_text(words, after);
    return 0;
}

static int add_element(struct receiving *r, const struct json_tape *tape, uint32_t element, struct buf *words,
                       struct err *err)
{
    int rc = add_text(r, tape, element, "position", ", element ", "", words, err);

    if (rc == 0)
        rc = add_text(r, tape, element, "component", ", component ", "", words, err);
    if (rc == 0)
        rc = add_text(r, tape, element, "value", " \"", "\"", words, err);
    return rc == 0 ? add_text(r, tape, element, "error", " ", "", words, err) : rc;
}

/* Errors of a document in one line: "PO1, segment 8, element 2 "ten" invalid_character; syntax_error". Of a group or an
 * interchange: "sender_unknown in UNB, element 2". */
static int add_words(struct receiving *r, const struct json_tape *tape, uint32_t document, struct buf *words,
                     struct err *err)
{
    uint32_t segments = json_member(tape, document, SLICE("segments")),
             errors = json_member(tape, document, SLICE("errors"));
    int rc = 0;

    for (uint32_t s = segments ? json_first(segments) : 0; rc == 0 && segments && s < json_end(tape, segments);
         s = json_next(tape, s)) {
        uint32_t elements = json_member(tape, s, SLICE("elements"));
        buf_add_text(words, words->n ? "; " : "");
        rc = add_text(r, tape, s, "tag", "", ", ", words, err);
        if (rc == 0)
            rc = add_text(r, tape, s, "position", "segment ", "", words, err);
        if (rc == 0)
            rc = add_text(r, tape, s, "error", ": ", "", words, err);
        for (uint32_t e = elements ? json_first(elements) : 0; rc == 0 && elements && e < json_end(tape, elements);
             e = json_next(tape, e))
            rc = add_element(r, tape, e, words, err);
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
    if (rc == 0)
        rc = add_text(r, tape, document, "note", words->n ? ": " : "", "", words, err);
    if (rc == 0)
        rc = add_text(r, tape, document, "error", words->n ? ": " : "", "", words, err);
    if (rc == 0)
        rc = add_text(r, tape, document, "error_tag", " in ", "", words, err);
    if (rc == 0)
        rc = add_text(r, tape, document, "error_position", ", element ", "", words, err);
    if (rc == 0)
        rc = add_text(r, tape, document, "error_component", ", component ", "", words, err);
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
    /* one that was answered before keeps what was said first, and one that was dropped stays so; it is known all the
     * same */
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

/* What is said of a group or an interchange: nothing of the documents in it, or of all that are not named. */
static bool says_all(struct slice status)
{
    return is_rejection(status) || slice_is(status, "accepted_unless_rejected");
}

/* One document of a group or an interchange, and what is said of it. */
static int answer_document(struct answer *a, const struct json_tape *tape, uint32_t node, struct slice interchange,
                           struct slice group, bool *known, struct err *err)
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
        rc = answer_all(a, interchange, group, set, control, known, err);
    buf_deinit(&words);
    return rc;
}

static int answer_documents(struct answer *a, const struct json_tape *tape, uint32_t object, struct slice interchange,
                            struct slice group, bool *any_r, bool *known, struct err *err)
{
    uint32_t documents = json_member(tape, object, SLICE("documents"));
    int rc = 0;

    *any_r = documents && json_first(documents) < json_end(tape, documents);
    for (uint32_t d = *any_r ? json_first(documents) : 0; rc == 0 && *any_r && d < json_end(tape, documents);
         d = json_next(tape, d))
        rc = answer_document(a, tape, d, interchange, group, known, err);
    return rc;
}

/* All of a group or an interchange that was not answered by name. */
static int answer_rest(struct answer *a, const struct json_tape *tape, uint32_t object, const char *what,
                       struct slice status, struct slice interchange, struct slice group, bool *known, struct err *err)
{
    struct buf words;
    int rc;

    buf_init(&words, WORDS);
    buf_printf(&words, "the %s was ", what);
    buf_add_safe(&words, status, SHOWN);
    rc = add_words(a->r, tape, object, &words, err);
    a->accepted = !is_rejection(status);
    a->words = a->accepted ? slice(NULL, 0) : slice(words.p, words.n);
    if (rc == 0)
        rc = answer_all(a, interchange, group, slice(NULL, 0), slice(NULL, 0), known, err);
    buf_deinit(&words);
    return rc;
}

/* The groups of an interchange. */
static int answer_groups(struct answer *a, const struct json_tape *tape, struct slice interchange, bool *known,
                         struct err *err)
{
    uint32_t groups = json_member(tape, 0, SLICE("groups"));
    int rc = 0;

    for (uint32_t g = groups ? json_first(groups) : 0; rc == 0 && groups && g < json_end(tape, groups);
         g = json_next(tape, g)) {
        struct slice control, status;
        bool any;
        rc = text_of(a->r, tape, g, "control", &control, err);
        if (rc == 0)
            rc = text_of(a->r, tape, g, "status", &status, err);
        if (rc == 0)
            rc = answer_documents(a, tape, g, interchange, control, &any, known, err);
        if (rc == 0 && control.n && says_all(status))
            rc = answer_rest(a, tape, g, "group", status, interchange, control, known, err);
    }
    return rc;
}

int take_answer(struct receiving *r, store_id document, const struct json_tape *tape, bool *known, struct err *err)
{
    struct answer a = { .r = r, .document = document };
    struct slice group, interchange, status;
    bool any;
    int rc = text_of(r, tape, 0, "group_control", &group, err);

    *known = false;
    if (rc == 0)
        rc = text_of(r, tape, 0, "interchange_control", &interchange, err);
    if (rc == 0)
        rc = text_of(r, tape, 0, "status", &status, err);
    if (rc == 0)
        rc = answer_documents(&a, tape, 0, interchange, group, &any, known, err);
    if (rc == 0)
        rc = answer_groups(&a, tape, interchange, known, err);
    if (rc < 0)
        return rc;
    if (group.n) /* a group that names its documents and was not refused says nothing of others */
        return any && !is_rejection(status)
                   ? 0
                   : answer_rest(&a, tape, 0, "group", status, slice(NULL, 0), group, known, err);
    if (interchange.n && says_all(status))
        return answer_rest(&a, tape, 0, "interchange", status, interchange, group, known, err);
    /* a TA1 that accepts an interchange, or a CONTRL that it has come, says nothing of the documents in it */
    *known = *known || interchange.n > 0;
    return 0;
}
