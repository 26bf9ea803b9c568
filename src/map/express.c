/*
 * express: see express.h. Nothing is lost in silence: what a place cannot hold is an error. Zones are those of
 * X12 element 623: 01 to 12 are hours east of Greenwich, 13 to 24 are 12 to 1 hours west of it.
 */
#include "map/express.h"

static unsigned two(const char *p)
{
    return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
}

int express_date(struct slice v, unsigned most, char *to, const char **why_r)
{
    *why_r = "a date, YYYY-MM-DD";
    if (v.n != 10 || v.p[4] != '-' || v.p[7] != '-')
        return -1;
    memcpy(to, v.p, 4);
    memcpy(to + 4, v.p + 5, 2);
    memcpy(to + 6, v.p + 8, 2);
    if (most >= 8)
        return 8;
    *why_r = "a date from 1950 to 2049: the place has two digits for the year";
    if (!(two(to) == 19 && two(to + 2) >= 50) && !(two(to) == 20 && two(to + 2) < 50))
        return -1;
    memmove(to, to + 2, 6);
    return 6;
}

int express_time(struct slice v, char *to, const char **why_r)
{
    *why_r = "a time, HH:MM, HH:MM:SS or with up to two decimals of a second";
    if (v.n < 5 || v.p[2] != ':')
        return -1;
    memcpy(to, v.p, 2);
    memcpy(to + 2, v.p + 3, 2);
    if (v.n == 5)
        return 4;
    if (v.n < 8 || v.p[5] != ':')
        return -1;
    memcpy(to + 4, v.p + 6, 2);
    if (v.n == 8)
        return 6;
    while (v.n > 11 && v.p[v.n - 1] == '0')
        v.n--;
    if (v.n < 10 || v.n > 11 || v.p[8] != '.')
        return -1;
    memcpy(to + 6, v.p + 9, v.n - 9);
    return (int)(v.n - 9) + 6;
}

/* "+02:00" as a code of element 623. */
static bool zone_code(struct slice v, char *to)
{
    unsigned hours = two(v.p + 1);
    if (two(v.p + 4) != 0 || hours > 12)
        return false;
    if (hours == 0) {
        memcpy(to, "UT", 2);
        return true;
    }
    hours = v.p[0] == '+' ? hours : 25 - hours;
    to[0] = (char)('0' + hours / 10);
    to[1] = (char)('0' + hours % 10);
    return true;
}

int express_datetime(struct slice v, unsigned most, char *to, struct slice part_r[3], const char **why_r)
{
    struct slice rest;
    int n = express_date(slice(v.p, v.n < 10 ? v.n : 10), most, to, why_r);

    part_r[1] = part_r[2] = slice(NULL, 0);
    if (n < 0)
        return -1;
    part_r[0] = slice(to, (size_t)n);
    to += n;
    rest = slice_from(v, 10);
    if (rest.n && rest.p[0] == 'T') {
        size_t k = 1;
        while (k < rest.n && (is_digit(rest.p[k]) || rest.p[k] == ':' || rest.p[k] == '.'))
            k++;
        n = express_time(slice(rest.p + 1, k - 1), to, why_r);
        if (n < 0)
            return -1;
        part_r[1] = slice(to, (size_t)n);
        to += n;
        rest = slice_from(rest, k);
    }
    if (rest.n == 0)
        return 0;
    *why_r = "a zone in full hours, at most twelve from Greenwich, or a code of element 623 in brackets";
    if (rest.p[rest.n - 1] == ']') {
        const char *open = memchr(rest.p, '[', rest.n);
        if (!open)
            return -1;
        part_r[2] = slice(open + 1, (size_t)(rest.p + rest.n - open) - 2);
        return 0;
    }
    if (rest.n == 1 && rest.p[0] == 'Z') {
        part_r[2] = SLICE("UT");
        return 0;
    }
    if (rest.n != 6 || (rest.p[0] != '+' && rest.p[0] != '-') || !zone_code(rest, to))
        return -1;
    part_r[2] = slice(to, 2);
    return 0;
}

int express_places(struct slice v, unsigned places, unsigned least, char *to, const char **why_r)
{
    const char *start = to, *mark;
    struct slice whole, decimals = slice(NULL, 0);
    char *digits;

    *why_r = places ? "no more decimals than the place has" : "a whole number";
    if (v.n && v.p[0] == '-') {
        *to++ = '-';
        v = slice_from(v, 1);
    }
    mark = v.n ? memchr(v.p, '.', v.n) : NULL;
    whole = mark ? slice(v.p, (size_t)(mark - v.p)) : v;
    if (mark)
        decimals = slice(mark + 1, v.n - whole.n - 1);
    while (decimals.n > places && decimals.p[decimals.n - 1] == '0')
        decimals.n--;
    if (decimals.n > places)
        return -1;
    /* zeros at the front say nothing once the mark is gone: 0.05 is 5; a whole number stays as it is written */
    while (places && whole.n && whole.p[0] == '0')
        whole = slice_from(whole, 1);
    digits = to;
    if (whole.n)
        memcpy(to, whole.p, whole.n);
    to += whole.n;
    if (decimals.n)
        memcpy(to, decimals.p, decimals.n);
    to += decimals.n;
    memset(to, '0', places - decimals.n);
    to += places - decimals.n;
    if (whole.n == 0 && places) {
        size_t zeros = 0, n = (size_t)(to - digits);
        while (zeros + 1 < n && digits[zeros] == '0')
            zeros++;
        memmove(digits, digits + zeros, n - zeros);
        to -= zeros;
    }
    if (to == digits)
        *to++ = '0';
    if ((size_t)(to - digits) < least) {
        size_t n = (size_t)(to - digits);
        memmove(digits + least - n, digits, n);
        memset(digits, '0', least - n);
        to = digits + least;
    }
    return (int)(to - start);
}
