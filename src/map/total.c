/*
 * total: sums of values, and hash totals. Nothing here allocates or complains.
 */
#include "map/total.h"

#include <stdio.h>

void total_add(struct total *total, struct slice v)
{
    uint64_t digits = 0;
    int64_t whole = 0, part = 0, scale = 1000000;
    bool minus = false, mark = false;
    if (v.n < 10) { /* most are whole numbers */
        size_t i = 0;
        while (i < v.n && is_digit(v.p[i]))
            digits = digits * 10 + (uint64_t)(v.p[i++] - '0');
        if (i == v.n) {
            total->digits += digits;
            total->overflow |= __builtin_add_overflow(total->sum, (int64_t)digits * 1000000, &total->sum);
            return;
        }
        digits = 0;
    }
    if (v.n > 18)
        total->unknown = true;
    for (size_t i = 0; i < v.n && i < 18; i++) {
        char c = v.p[i];
        if (!is_digit(c) && c != '-' && c != '.' && c != ',')
            total->unknown = true;
        if (c == '-') {
            minus = true;
        } else if (c == '.' || c == ',') {
            mark = true;
        } else if (is_digit(c)) {
            digits = digits * 10 + (uint64_t)(c - '0');
            if (mark && scale > 1) {
                scale /= 10;
                part += (c - '0') * scale;
            } else if (mark && c != '0') {
                total->overflow = true;
            } else if (!mark) {
                whole = whole * 10 + (c - '0');
            }
        }
    }
    total->digits += digits;
    if (whole > INT64_MAX / 2000000 ||
        __builtin_add_overflow(total->sum, (minus ? -1 : 1) * (whole * 1000000 + part), &total->sum))
        total->overflow = true;
}

struct slice total_text(const struct total *total, char mark, char room[TOTAL_ROOM])
{
    const uint64_t size = total->sum < 0 ? 0 - (uint64_t)total->sum : (uint64_t)total->sum;
    unsigned part = (unsigned)(size % 1000000), places = 6;
    int n;

    if (total->overflow || total->unknown)
        return slice(room, 0);
    n = snprintf(room, TOTAL_ROOM, "%s%llu", total->sum < 0 ? "-" : "", (unsigned long long)(size / 1000000));
    while (part && part % 10 == 0) {
        part /= 10;
        places--;
    }
    if (part)
        n += snprintf(room + n, TOTAL_ROOM - (size_t)n, "%c%0*u", mark, (int)places, part);
    return slice(room, (size_t)n);
}
