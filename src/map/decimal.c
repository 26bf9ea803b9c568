/* decimal: see decimal.h. */
#include "map/decimal.h"

enum { DIGITS = 36, EXTRA = 6 };

bool decimal_read(struct slice s, struct decimal *d)
{
    bool negative = s.n && s.p[0] == '-', point = false;
    unsigned digits = 0;

    *d = (struct decimal){ 0 };
    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = slice_from(s, 1);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (!is_digit(s.p[i]))
            return false;
        d->digits = d->digits * 10 + (s.p[i] - '0');
        d->scale += point;
        digits += digits > 0 || s.p[i] != '0';
        if (digits > DIGITS || d->scale > DIGITS)
            return false;
    }
    if (negative)
        d->digits = -d->digits;
    return s.n > point;
}

/* More digits behind the point, which are noughts. */
static bool stretch(struct decimal *d, unsigned scale)
{
    for (; d->scale < scale; d->scale++)
        if (__builtin_mul_overflow(d->digits, (wide)10, &d->digits))
            return false;
    return true;
}

bool decimal_add(const struct decimal *a, const struct decimal *b, bool subtract, struct decimal *d)
{
    struct decimal x = *a, y = *b;

    if (!stretch(&x, y.scale) || !stretch(&y, x.scale))
        return false;
    d->scale = x.scale;
    return subtract ? !__builtin_sub_overflow(x.digits, y.digits, &d->digits)
                    : !__builtin_add_overflow(x.digits, y.digits, &d->digits);
}

bool decimal_times(const struct decimal *a, const struct decimal *b, struct decimal *d)
{
    unsigned scale = a->scale + b->scale;

    if (__builtin_mul_overflow(a->digits, b->digits, &d->digits))
        return false;
    d->scale = scale;
    while (d->scale > DIGITS && d->digits % 10 == 0) {
        d->digits /= 10;
        d->scale--;
    }
    return d->scale <= DIGITS;
}

bool decimal_divide(const struct decimal *a, const struct decimal *b, unsigned places, struct decimal *d)
{
    struct decimal x = *a;

    if (b->digits == 0 || !stretch(&x, b->scale + places + EXTRA))
        return false;
    d->digits = x.digits / b->digits;
    d->scale = x.scale - b->scale;
    return true;
}

void decimal_round(struct decimal *d, unsigned places)
{
    wide last = 0;

    if (d->scale <= places)
        return;
    for (; d->scale > places; d->scale--) {
        last = d->digits % 10;
        d->digits /= 10;
    }
    if (last >= 5)
        d->digits++;
    else if (last <= -5)
        d->digits--;
}

struct slice decimal_text(const struct decimal *d, struct arena *arena)
{
    enum { ROOM = 48 + DIGITS };
    char text[ROOM], *end = text + ROOM, *p = end;
    bool negative = d->digits < 0;
    wide rest = d->digits;

    for (unsigned i = 0; rest || i <= d->scale; i++) {
        int digit = (int)(rest % 10);
        if (i && i == d->scale)
            *--p = '.';
        *--p = (char)('0' + (digit < 0 ? -digit : digit));
        rest /= 10;
    }
    if (negative)
        *--p = '-';
    return arena_copy(arena, slice(p, (size_t)(end - p)));
}
