/*
 * write_kind: a record held against its kind while it is written.
 *
 * write_is_right() says of a value whether it is right beyond doubt. What it does not know to be right,
 * record_check_whole() or record_check_item() looks at thoroughly, with words. Nothing here writes, keeps or frees
 * anything.
 */
#include "map/write_inside.h"

static int record_remark(void *ctx, const struct record_finding *r)
{
    struct map_writer *w = ctx;
    struct slice value = r->found;
    struct map_write_finding f = { .code = r->name, .severity = SEVERITY_ERROR, .path = r->path, .found = r->words,
                                   .expected = r->expected, .missing = r->missing };

    if (value.n >= 2 && value.p[0] == '"')
        value = slice(value.p + 1, value.n - 2);
    f.value = value;
    write_report(w, &f);
    return w->stopped;
}

int write_hold_against_kind(struct map_writer *w)
{
    const struct record_kind *kind = map_kind(w->plan->map);
    int code;

    if (w->verified || (w->streaming && w->item_verified))
        return 0;
    if (w->streaming) {
        w->item_verified = true;
        code = record_check_item(w->streaming, (size_t)w->stream_index, w->stream_tape, w->stream_node,
                                 record_remark, w);
    } else {
        w->verified = true;
        code = record_check_whole(kind, w->record, record_remark, w, w->err);
    }
    if (w->stopped)
        return w->stopped;
    if (code < 0)
        return w->err->code ? code : err_set(w->err, code, "%s", err_name(code));
    if (code == 0)
        return 0;
    return err_set(w->err, ERR_DATA, "the record is wrong in %d place%s", code, code == 1 ? "" : "s");
}

/* An object that nothing is taken from. */
static bool object_is_right(const struct record_object *object, const struct json_tape *tape, uint32_t node)
{
    uint64_t seen[RECORD_FIELDS / 64] = { 0 };

    if (tape->node[node].type != JSON_OBJECT)
        return false;
    for (uint32_t c = json_first(node); c < json_end(tape, node); c = json_next(tape, c)) {
        int i = record_field_of(object, tape, c);
        if (i < 0 || bit_of(seen, (unsigned)i))
            return false;
        set_bit(seen, (unsigned)i);
        if (!write_is_right(&object->field[i], object->field[i].type, tape, c))
            return false;
    }
    for (unsigned i = 0; i < object->n; i++)
        if (object->field[i].required && !bit_of(seen, i))
            return false;
    return true;
}

static inline bool is_decimal(const char *p, size_t n)
{
    size_t digits = 0, i = 0;
    bool mark = false;
    if (n && *p == '-')
        i++;
    for (; i < n; i++) {
        if (is_digit(p[i]))
            digits++;
        else if (p[i] == '.' && !mark)
            mark = true;
        else
            return false;
    }
    return digits > 0;
}

bool write_is_right(const struct record_field *f, uint8_t type, const struct json_tape *tape, uint32_t node)
{
    const struct json_node *n = &tape->node[node];
    struct slice v = json_raw(tape, node);

    switch (type) {
    case RECORD_ANY:
        return true;
    case RECORD_OBJECT:
        return object_is_right(f->object, tape, node);
    case RECORD_ARRAY:
        if (n->type != JSON_ARRAY || n->count < f->min_items || n->count > f->max_items)
            return false;
        for (uint32_t c = json_first(node); c < json_end(tape, node); c = json_next(tape, c))
            if (!write_is_right(f, f->item, tape, c))
                return false;
        return true;
    case RECORD_INTEGER:
        if (n->type != JSON_NUMBER || !(n->flags & JSON_INTEGER))
            return false;
        break;
    case RECORD_BOOLEAN:
        return (n->type == JSON_TRUE || n->type == JSON_FALSE) && f->n_values == 0;
    default:
        if (n->type != JSON_STRING)
            return false;
        if (type == RECORD_STRING) {
            if (v.n > f->max_length || v.n < f->min_length * 4)
                return false;
            break;
        }
        if (n->flags & JSON_ESCAPED)
            return false;
        if (type == RECORD_DECIMAL ? !is_decimal(v.p, v.n)
            : type == RECORD_DATE  ? !record_is_date(v)
            : type == RECORD_TIME  ? !record_is_time(v)
                                   : !record_is_datetime(v))
            return false;
    }
    if (f->n_values == 0)
        return true;
    for (unsigned i = 0; i < f->n_values; i++)
        if (slice_eq(v, f->values[i]))
            return true;
    return false;
}
