/* facts: see facts.h. */
#include "flow/facts.h"

#include <openssl/evp.h>

enum { DEPTH = 16, PATH_CEILING = 1000 };

/* --- What makes two the same ------------------------------------------------------------- */

/* With its length before it, so that two texts in a row cannot be mistaken for two others. */
static bool digest_text(EVP_MD_CTX *md, struct slice s)
{
    uint64_t n = s.n;
    unsigned char length[8];

    for (unsigned i = 0; i < sizeof(length); i++)
        length[i] = (unsigned char)(n >> 8 * i);
    return EVP_DigestUpdate(md, length, sizeof(length)) == 1 && (s.n == 0 || EVP_DigestUpdate(md, s.p, s.n) == 1);
}

static bool digest_end(EVP_MD_CTX *md, uint8_t half[STORE_KEY])
{
    unsigned char whole[EVP_MAX_MD_SIZE];
    unsigned n;

    if (EVP_DigestFinal_ex(md, whole, &n) != 1 || n < STORE_KEY)
        return false;
    memcpy(half, whole, STORE_KEY);
    return true;
}

static int digest_content(EVP_MD_CTX *md, const struct record *record, struct err *err)
{
    static const char *const others[] = { "id", "transmission", "partner", "source" };
    const struct json_tape *tape = record->tape;
    bool good = EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

    for (uint32_t c = json_first(0); good && c < json_end(tape, 0); c = json_next(tape, c)) {
        struct record_items items;
        const struct json_tape *item_tape;
        uint32_t item;
        bool other = false;
        int rc;

        for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
            other = other || slice_is(json_raw_key(tape, c), others[i]);
        if (other)
            continue;
        good = digest_text(md, json_raw_key(tape, c));
        if (good && tape->node[c].type != JSON_STREAMED) {
            good = digest_text(md, json_raw(tape, c));
            continue;
        }
        record_items_begin(record, c, &items);
        while (good && (rc = record_items_next(&items, &item_tape, &item, err)) > 0)
            good = digest_text(md, json_raw(item_tape, item));
        if (good && rc < 0)
            return rc;
    }
    return good ? 0 : err_nomem(err);
}

int facts_of(const struct record *record, struct slice sender, struct arena *arena, struct facts *f, struct err *err)
{
    const struct json_tape *tape = record->tape;
    struct slice usage;
    struct {
        const char *path;
        struct slice *text;
    } fields[] = {
        { "record", &f->kind },     { "number", &f->number },   { "release", &f->release },
        { "purpose", &f->purpose }, { "partner", &f->partner }, { "source.usage", &usage },
    };
    EVP_MD_CTX *md;
    int rc = 0;

    *f = (struct facts){ .test = false };
    for (unsigned i = 0; rc == 0 && i < sizeof(fields) / sizeof(fields[0]); i++) {
        rc = record_text(tape, slice_of(fields[i].path), arena, fields[i].text, err);
        if (rc == 0 && fields[i].text->n > FACTS_TEXT)
            rc = err_set(err, ERR_DATA, "%s has %zu bytes, and %d is the most", fields[i].path, fields[i].text->n,
                         FACTS_TEXT);
    }
    if (rc < 0)
        return rc;
    f->test = slice_is(usage, "test");
    md = EVP_MD_CTX_new();
    if (!md)
        return err_nomem(err);
    rc = digest_content(md, record, err);
    if (rc == 0 && !digest_end(md, f->content))
        rc = err_nomem(err);
    if (rc == 0 && f->number.n &&
        !(EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && digest_text(md, sender) && digest_text(md, f->kind) &&
          digest_text(md, f->number) && digest_text(md, f->release) && digest_text(md, f->purpose) &&
          digest_end(md, f->key)))
        rc = err_nomem(err);
    EVP_MD_CTX_free(md);
    return rc;
}

/* --- Numbers ------------------------------------------------------------------------------ */

struct numbers {
    const struct record *record;
    struct arena *arena;
    int (*number)(void *ctx, struct slice field, struct slice value, struct err *err);
    void *ctx;
    struct buf path;
    struct slice last_field, last_value; /* told last */
    struct err *err;
};

static int tell(struct numbers *n, const struct json_tape *tape, uint32_t node)
{
    struct slice field, value;
    int rc;

    if (json_string(tape, node, n->arena, &value) < 0)
        return err_nomem(n->err);
    if (!value.n || value.n > FACTS_TEXT ||
        (slice_eq(value, n->last_value) && slice_eq(buf_slice(&n->path), n->last_field)))
        return 0;
    field = arena_copy(n->arena, buf_slice(&n->path));
    value = arena_copy(n->arena, value); /* a streamed item goes */
    if (!field.p || !value.p)
        return err_nomem(n->err);
    rc = n->number(n->ctx, field, value, n->err);
    n->last_field = field;
    n->last_value = value;
    return rc;
}

static int look_into(struct numbers *n, const struct record_object *object, const struct json_tape *tape, uint32_t node,
                     unsigned depth);

static int look_at_list(struct numbers *n, const struct record_field *field, const struct json_tape *tape,
                        uint32_t node, unsigned depth)
{
    struct record_items items;
    const struct json_tape *item_tape;
    uint32_t item;
    int rc;

    if (tape->node[node].type != JSON_STREAMED) {
        for (uint32_t c = json_first(node); c < json_end(tape, node); c = json_next(tape, c)) {
            rc = look_into(n, field->object, tape, c, depth + 1);
            if (rc < 0)
                return rc;
        }
        return 0;
    }
    record_items_begin(n->record, node, &items);
    while ((rc = record_items_next(&items, &item_tape, &item, n->err)) > 0) {
        rc = look_into(n, field->object, item_tape, item, depth + 1);
        if (rc < 0)
            break;
    }
    return rc;
}

static int look_into(struct numbers *n, const struct record_object *object, const struct json_tape *tape, uint32_t node,
                     unsigned depth)
{
    size_t mark = n->path.n;
    int rc = 0;

    if (tape->node[node].type != JSON_OBJECT || depth > DEPTH)
        return 0;
    for (uint32_t c = json_first(node); rc == 0 && c < json_end(tape, node); c = json_next(tape, c)) {
        int i = record_field_of(object, tape, c);
        const struct record_field *field = i < 0 ? NULL : &object->field[i];
        if (!field || !(field->traced || (field->object && field->object->traced)))
            continue;
        if (mark)
            buf_add_char(&n->path, '.');
        buf_add_slice(&n->path, field->name);
        if (n->path.failed)
            return err_nomem(n->err);
        if (field->traced && tape->node[c].type == JSON_STRING)
            rc = tell(n, tape, c);
        else if (field->type == RECORD_ARRAY && field->object)
            rc = look_at_list(n, field, tape, c, depth);
        else if (field->object)
            rc = look_into(n, field->object, tape, c, depth + 1);
        n->path.n = mark;
    }
    return rc;
}

int facts_numbers(const struct record *record, const struct record_kind *kind, struct arena *arena,
                  int (*number)(void *ctx, struct slice field, struct slice value, struct err *err), void *ctx,
                  struct err *err)
{
    struct numbers n = { .record = record, .arena = arena, .number = number, .ctx = ctx, .err = err };
    int rc;

    buf_init(&n.path, PATH_CEILING);
    rc = look_into(&n, kind->root, record->tape, 0, 0);
    buf_deinit(&n.path);
    return rc;
}
