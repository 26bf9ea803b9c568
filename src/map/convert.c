/* convert: see convert.h. Dates and times as X12.3 has them (types DT and TM), zones by element 623. */
#include "map/convert.h"

#include <stdio.h>

#include "edi/check.h"

const char *convert_century(const char *year)
{
    return year[0] >= '5' ? "19" : "20";
}

char *convert_implied(char *p, const char *v, size_t n, unsigned decimals)
{
    if (n && *v == '-') {
        *p++ = '-';
        v++;
        n--;
    }
    if (n <= decimals) {
        *p++ = '0';
        *p++ = '.';
        for (size_t i = n; i < decimals; i++)
            *p++ = '0';
        memcpy(p, v, n);
        return p + n;
    }
    memcpy(p, v, n - decimals);
    p += n - decimals;
    *p++ = '.';
    memcpy(p, v + n - decimals, decimals);
    return p + decimals;
}

static int add_date(struct slice v, struct buf *out, const char **why)
{
    *why = "a date";
    if (!check_is_date(v))
        return -1;
    if (v.n == 6) {
        buf_add(out, convert_century(v.p), 2);
        buf_printf(out, "%.2s-%.2s-%.2s", v.p, v.p + 2, v.p + 4);
    } else {
        buf_printf(out, "%.4s-%.2s-%.2s", v.p, v.p + 4, v.p + 6);
    }
    return 0;
}

static int add_time(struct slice v, struct buf *out, const char **why)
{
    *why = "a time";
    if (v.n < 4 || v.n == 5 || v.n > 8)
        return -1;
    for (size_t i = 0; i < v.n; i++)
        if (!is_digit(v.p[i]))
            return -1;
    buf_printf(out, "%.2s:%.2s", v.p, v.p + 2);
    if (v.n >= 6)
        buf_printf(out, ":%.2s", v.p + 4);
    if (v.n > 6) {
        buf_add_char(out, '.');
        buf_add(out, v.p + 6, v.n - 6);
    }
    return 0;
}

char *convert_exponent(char *to, struct slice v)
{
    struct slice digits, exponent;
    char *p = to;
    size_t whole, n = 0;
    uint64_t shift;
    bool found, minus;
    int64_t mark;

    digits = slice_cut(v, 'E', &exponent, &found);
    minus = exponent.n && exponent.p[0] == '-';
    if (!found || digits.n > DECIMAL_DIGITS - 4 || !record_is_decimal(digits) ||
        !slice_number(slice_from(exponent, minus), 999, &shift))
        return NULL;
    if (digits.p[0] == '-') {
        *p++ = '-';
        digits = slice_from(digits, 1);
    }
    whole = digits.n;
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] == '.')
            whole = n;
        else
            p[n++] = digits.p[i];
    }
    whole = whole < n ? whole : n;
    mark = (int64_t)whole + (minus ? -(int64_t)shift : (int64_t)shift); /* digits before the mark */
    while (n > 1 && p[0] == '0' && mark > 1) {
        memmove(p, p + 1, --n);
        mark--;
    }
    if (n == 1 && p[0] == '0')
        return p + 1;
    if (mark > DECIMAL_DIGITS - 4 || (mark <= 0 && n + (size_t)-mark > DECIMAL_DIGITS - 4))
        return NULL;
    if (mark <= 0) {
        memmove(p + 2 - mark, p, n);
        memset(p, '0', (size_t)(2 - mark));
        p[1] = '.';
        return p + (size_t)(2 - mark) + n;
    }
    if ((size_t)mark < n) {
        memmove(p + mark + 1, p + mark, n - (size_t)mark);
        p[mark] = '.';
        return p + n + 1;
    }
    memset(p + n, '0', (size_t)mark - n);
    return p + mark;
}

/* Element 623: UT is Z, 01 to 12 are hours east of Greenwich, 13 to 24 are 12 to 1 hours west of it. All others stay as
 * they are, in brackets. */
static void add_zone(struct slice v, struct buf *out)
{
    uint64_t hours;
    if (slice_is(v, "UT")) {
        buf_add_char(out, 'Z');
        return;
    }
    if (v.n == 2 && slice_number(v, 24, &hours) && hours) {
        buf_printf(out, "%c%02u:00", hours <= 12 ? '+' : '-', (unsigned)(hours <= 12 ? hours : 25 - hours));
        return;
    }
    buf_add_char(out, '[');
    buf_add_slice(out, v);
    buf_add_char(out, ']');
}

static int add_datetime(const struct slice value[3], struct buf *out, const char **why)
{
    *why = "a date, with a time perhaps";
    if (value[0].n == 0 || add_date(value[0], out, why) < 0)
        return -1;
    if (value[1].n) {
        buf_add_char(out, 'T');
        if (add_time(value[1], out, why) < 0)
            return -1;
    }
    if (value[2].n)
        add_zone(value[2], out);
    return 0;
}

/* Room behind out for all that a conversion makes of v, and `more` bytes; v moves along when it lies in out itself. */
static bool room_behind(struct buf *out, bool own, size_t at, struct slice *v, size_t more)
{
    if (!buf_reserve(out, v->n + more + 64))
        return false;
    if (own)
        v->p = out->p + at;
    return true;
}

static bool is_decimal_field(const struct record_field *field)
{
    return field && (field->type == RECORD_DECIMAL || (field->type == RECORD_ARRAY && field->item == RECORD_DECIMAL));
}

int convert_read(const struct map_op *op, const struct slice value[3], struct buf *out, const char **why_r)
{
    struct slice v = value[0];
    size_t done = 0;
    bool implied = false, own = false; /* own: v lies in out, from `done` on */

    *why_r = "";
    for (unsigned i = 0; i < op->n_conversions; i++) {
        const struct conversion *c = &op->conversion[i];
        size_t start = out->n;
        if (!room_behind(out, own, done, &v, c->kind == CONVERT_IMPLIED ? c->number[0] : 0))
            return -1;
        switch (c->kind) {
        case CONVERT_DATETIME:
            if (add_datetime(value, out, why_r) < 0)
                return -1;
            break;
        case CONVERT_DATE:
            if (add_date(v, out, why_r) < 0)
                return -1;
            break;
        case CONVERT_TIME:
            if (add_time(v, out, why_r) < 0)
                return -1;
            break;
        case CONVERT_CODE: {
            const struct map_table_row *row = v.n <= 8 ? map_table_code(c->table, slice_key(v)) : NULL;
            if (!row && c->table->refuse) {
                *why_r = "a code of the table";
                return -1;
            }
            buf_add_slice(out, row ? row->word : v);
            break;
        }
        case CONVERT_TRIM:
            buf_add_slice(out, slice_trim(v));
            break;
        case CONVERT_PAD: {
            char pad = c->text.n ? c->text.p[0] : ' ';
            struct slice bare = v;
            while (bare.n > 1 && bare.p[0] == pad)
                bare = slice_from(bare, 1);
            buf_add_slice(out, bare);
            break;
        }
        case CONVERT_PREFIX:
            buf_add_slice(out, slice_starts(v, c->text) && (!c->number[0] || v.n == c->number[0])
                                   ? slice_from(v, c->text.n)
                                   : v);
            break;
        case CONVERT_UPPER:
            for (size_t k = 0; k < v.n; k++)
                buf_add_char(out, v.p[k] >= 'a' && v.p[k] <= 'z' ? (char)(v.p[k] - 32) : v.p[k]);
            break;
        case CONVERT_LESS: {
            uint64_t number;
            if (!slice_number(v, UINT32_MAX, &number) || number < c->number[0]) {
                *why_r = "a whole number, as high as what is taken from it";
                return -1;
            }
            buf_printf(out, "%llu", (unsigned long long)(number - c->number[0]));
            break;
        }
        case CONVERT_IMPLIED:
            implied = true;
            out->n = (size_t)(convert_implied(out->p + start, v.p, v.n, c->number[0]) - out->p);
            break;
        default:
            continue;
        }
        if (out->failed)
            return -1;
        v = slice(out->p + start, out->n - start);
        done = start;
        own = true;
    }
    /* places that the element's type implies, where no conversion names others */
    if (op->decimals && op->field && op->field->type == RECORD_DECIMAL && !implied && v.n) {
        size_t start = out->n;
        if (!room_behind(out, own, done, &v, op->decimals))
            return -1;
        for (size_t k = v.p[0] == '-'; k < v.n; k++)
            if (!is_digit(v.p[k])) {
                *why_r = "a whole number";
                return -1;
            }
        out->n = (size_t)(convert_implied(out->p + start, v.p, v.n, op->decimals) - out->p);
        done = start;
    } else if (op->marked && is_decimal_field(op->field) && v.n && memchr(v.p, ',', v.n)) {
        size_t start = out->n;
        if (!room_behind(out, own, done, &v, 0))
            return -1;
        memcpy(out->p + start, v.p, v.n);
        *(char *)memchr(out->p + start, ',', v.n) = '.';
        out->n += v.n;
        done = start;
        if (!record_is_decimal(slice(out->p + start, v.n))) {
            *why_r = "a decimal";
            return -1;
        }
    } else if (is_decimal_field(op->field) && v.n && !record_is_decimal(v)) {
        size_t start = out->n;
        char *end;
        if (!room_behind(out, own, done, &v, DECIMAL_DIGITS))
            return -1;
        end = convert_exponent(out->p + start, v);
        if (!end) {
            *why_r = "a decimal";
            return -1;
        }
        out->n = (size_t)(end - out->p);
        done = start;
    }
    if (out->n == 0) {
        buf_add_slice(out, v);
    } else if (done) {
        memmove(out->p, out->p + done, out->n - done);
        out->n -= done;
    }
    return out->failed ? -1 : 0;
}
