/* numbers: see numbers.h. */
#include "edi/numbers.h"

#include <stdlib.h>

enum { MOST_RANGES = 65536 };

void numbers_init(struct numbers *s)
{
    *s = (struct numbers){ .n = 0 };
}

void numbers_deinit(struct numbers *s)
{
    free(s->range);
    numbers_init(s);
}

void numbers_clear(struct numbers *s)
{
    s->n = 0;
    s->added = false;
}

void numbers_forget(struct numbers *s)
{
    if (!s->added)
        return;
    s->added = false;
    for (size_t i = s->n; i-- > 0;) {
        struct number_range *range = &s->range[i];
        if (range->from == s->last && range->to == s->last) {
            memmove(range, range + 1, (s->n - i - 1) * sizeof(*range));
            s->n--;
            return;
        }
        if (range->to == s->last) {
            range->to--;
            return;
        }
        if (range->from == s->last) {
            range->from++;
            return;
        }
        if (range->from < s->last && s->last < range->to) {
            /* it joined two ranges, so there is room for one more */
            memmove(range + 1, range, (s->n - i) * sizeof(*range));
            s->n++;
            range[0].to = s->last - 1;
            range[1].from = s->last + 1;
            return;
        }
    }
}

bool numbers_add(struct numbers *s, struct slice number)
{
    size_t low = 0, high = s->n;
    uint64_t v;
    bool joins_left, joins_right;

    if (!slice_number(number, UINT64_MAX >> 1, &v))
        v = slice_hash(number) | 1ull << 63;
    /* the first range that starts behind v; mostly there is none */
    if (s->n && s->range[s->n - 1].from <= v)
        low = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->range[middle].from <= v)
            low = middle + 1;
        else
            high = middle;
    }
    s->added = false;
    if (low && v <= s->range[low - 1].to)
        return false;
    s->last = v;
    s->added = true;
    joins_left = low && s->range[low - 1].to + 1 == v;
    joins_right = low < s->n && s->range[low].from == v + 1;
    if (joins_left && joins_right) {
        s->range[low - 1].to = s->range[low].to;
        memmove(&s->range[low], &s->range[low + 1], (s->n - low - 1) * sizeof(*s->range));
        s->n--;
    } else if (joins_left) {
        s->range[low - 1].to = v;
    } else if (joins_right) {
        s->range[low].from = v;
    } else {
        if (s->n == s->room) {
            size_t room = s->room ? s->room * 2 : 16;
            struct number_range *range = room > MOST_RANGES ? NULL : realloc(s->range, room * sizeof(*range));
            if (!range) {
                s->nomem |= room <= MOST_RANGES;
                return true;
            }
            s->range = range;
            s->room = room;
        }
        memmove(&s->range[low + 1], &s->range[low], (s->n - low) * sizeof(*s->range));
        s->range[low] = (struct number_range){ v, v };
        s->n++;
    }
    return true;
}
