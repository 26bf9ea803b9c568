/*
 * period: see period.h. The forms are those of code list 2379 that are dates; C Y M D h m s are digits of century,
 * year, month, day, hour, minute and second, z is a zone of three letters, o one such as +0200. Ranges are sent with
 * and without the hyphen that the list prints.
 */
#include "map/period.h"

#include "edi/check.h"
#include "map/convert.h"

struct form {
    char code[4];
    const char *digits; /* with a century in front, all of the date stands in that order */
    bool range; /* two of these */
    bool usual; /* of its precision the one that is written */
};

enum { DAYS = 3 }; /* the first ones tell themselves apart by their length */
static const struct form forms[] = {
    { "102", "CCYYMMDD", false, true },        { "203", "CCYYMMDDhhmm", false, true },
    { "204", "CCYYMMDDhhmmss", false, true },  { "303", "CCYYMMDDhhmmz", false, true },
    { "304", "CCYYMMDDhhmmssz", false, true }, { "205", "CCYYMMDDhhmmo", false, true },
    { "718", "CCYYMMDD", true, true },         { "719", "CCYYMMDDhhmm", true, true },
    { "2", "DDMMYY", false, false },           { "3", "MMDDYY", false, false },
    { "4", "DDMMCCYY", false, false },         { "5", "DDMMCCYYhhmm", false, false },
    { "101", "YYMMDD", false, false },         { "201", "YYMMDDhhmm", false, false },
    { "202", "YYMMDDhhmmss", false, false },   { "301", "YYMMDDhhmmz", false, false },
    { "302", "YYMMDDhhmmssz", false, false },  { "711", "CCYYMMDD", true, false },
    { "713", "YYMMDDhhmm", true, false },      { "717", "YYMMDD", true, false },
};
enum { FORMS = sizeof(forms) / sizeof(forms[0]) };

static const struct form *find_form(struct slice code)
{
    char key[4] = "";
    if (code.n == 0 || code.n > 3)
        return NULL;
    memcpy(key, code.p, code.n);
    for (unsigned i = 0; i < FORMS; i++)
        if (memcmp(key, forms[i].code, 4) == 0)
            return &forms[i];
    return NULL;
}

/* How long a value of that form is. */
static size_t length_of(const char *digits)
{
    size_t n = 0;
    for (; *digits; digits++)
        n += *digits == 'z' ? 3 : *digits == 'o' ? 5 : 1;
    return n;
}

/* One date at v, in the order of a record, at `to`. The end of it, NULL: it is none. */
static char *read_one(const char *v, const char *digits, char *to, bool *zone_r)
{
    static const char order[] = "CCYYMMDD";
    char date[8] = "", time[6] = "";
    const char *zone = NULL, *d = digits;
    unsigned n_time = 0;
    bool offset = false;

    if (*d == 'C') { /* nearly all: whole, and in a record's order; check_is_date() looks for the digits */
        memcpy(date, v, 8);
        v += 8;
        d += 8;
    }
    for (; *d; d++) {
        if (*d == 'z' || *d == 'o') {
            zone = v;
            offset = *d == 'o';
            v += offset ? 5 : 3;
            continue;
        }
        if (!is_digit(*v))
            return NULL;
        if (*d == 'h' || *d == 'm' || *d == 's')
            time[n_time++] = *v++;
        else
            date[strchr(order, *d) - order + (d > digits && d[-1] == *d)] = *v++;
    }
    if (*digits != 'C' && date[0] == 0)
        memcpy(date, convert_century(date + 2), 2);
    if (!check_is_date(slice(date, 8)) || memcmp(time, "23", 2) > 0 || memcmp(time + 2, "59", 2) > 0 ||
        memcmp(time + 4, "59", 2) > 0)
        return NULL;
    memcpy(to, date, 4);
    to[4] = to[7] = '-';
    memcpy(to + 5, date + 4, 2);
    memcpy(to + 8, date + 6, 2);
    to += 10;
    if (n_time) {
        *to++ = 'T';
        memcpy(to, time, 2);
        to[2] = ':';
        memcpy(to + 3, time + 2, 2);
        to += 5;
    }
    if (n_time > 4) {
        *to++ = ':';
        memcpy(to, time + 4, 2);
        to += 2;
    }
    *zone_r = zone != NULL;
    if (zone && offset) {
        if ((zone[0] != '+' && zone[0] != '-') || !is_digit(zone[1]) || !is_digit(zone[2]) || !is_digit(zone[3]) ||
            !is_digit(zone[4]))
            return NULL;
        memcpy(to, zone, 3);
        to[3] = ':';
        memcpy(to + 4, zone + 3, 2);
        to += 6;
    } else if (zone && memcmp(zone, "UTC", 3) == 0) {
        *to++ = 'Z';
    } else if (zone) {
        for (unsigned i = 0; i < 3; i++)
            if (zone[i] < 'A' || zone[i] > 'Z')
                return NULL;
        *to++ = '[';
        memcpy(to, zone, 3);
        to[3] = ']';
        to += 4;
    }
    return to;
}

int period_read(struct slice v, struct slice form, struct period *p)
{
    const struct form *f = find_form(form);
    size_t one;
    char *end, *to;
    bool zone;

    *p = (struct period){ .why = "" };
    /* left out, or another one, where the length tells */
    if ((!f && form.n == 0) || (f && f < forms + DAYS && v.n != length_of(f->digits)))
        f = v.n == 8 ? &forms[0] : v.n == 12 ? &forms[1] : v.n == 14 ? &forms[2] : f;
    if (!f)
        return 0;
    p->why = f->range ? "two dates in the form that 2379 names" : "a date in the form that 2379 names";
    one = length_of(f->digits);
    if (v.n != one * (f->range ? 2 : 1) && !(f->range && v.n == one * 2 + 1 && v.p[one] == '-'))
        return -1;
    p->plain = f->usual && v.n == one * (f->range ? 2 : 1);
    end = read_one(v.p, f->digits, p->text, &p->zone);
    if (!end)
        return -1;
    p->from = slice(p->text, (size_t)(end - p->text));
    if (!f->range)
        return 1;
    to = end;
    end = read_one(v.p + v.n - one, f->digits, to, &zone);
    if (!end)
        return -1;
    p->until = slice(to, (size_t)(end - to));
    return 1;
}

/* A record's date in one form, as far as that goes. */
static size_t write_one(struct slice v, const char *digits, char *to)
{
    char *start = to;

    for (const char *d = digits; *d; d++) {
        static const char order[] = "CCYY-MM-DDThh:mm:ss";
        const char *place = strchr(order, *d);
        if (place) {
            size_t i = (size_t)(place - order) + (d > digits && d[-1] == *d);
            if (i >= v.n)
                return 0;
            *to++ = v.p[i];
            continue;
        }
        if (*d == 'z' && v.p[v.n - 1] == 'Z') {
            memcpy(to, "UTC", 3);
        } else if (*d == 'z' && v.n > 5 && v.p[v.n - 1] == ']' && v.p[v.n - 5] == '[') {
            memcpy(to, v.p + v.n - 4, 3);
        } else if (*d == 'o' && v.n > 6 && v.p[v.n - 3] == ':' && (v.p[v.n - 6] == '+' || v.p[v.n - 6] == '-')) {
            memcpy(to, v.p + v.n - 6, 3);
            memcpy(to + 3, v.p + v.n - 2, 2);
            to += 2;
        } else {
            return 0;
        }
        to += 3;
    }
    return (size_t)(to - start);
}

/* In this form, if it comes back as it was. */
static size_t write_as(const struct form *f, struct slice from, struct slice until, char *to)
{
    struct period back;
    size_t n = write_one(from, f->digits, to), more = 0;

    if (n == 0 || f->range != (until.n > 0))
        return 0;
    if (f->range && (more = write_one(until, f->digits, to + n)) == 0)
        return 0;
    n += more;
    return period_read(slice(to, n), slice_of(f->code), &back) > 0 && slice_eq(back.from, from) &&
                   slice_eq(back.until, until)
               ? n
               : 0;
}

size_t period_write(struct slice from, struct slice until, struct slice wanted, char to[PERIOD_ROOM],
                    struct slice *form_r, const char **why_r)
{
    const struct form *f = find_form(wanted);
    size_t n = f ? write_as(f, from, until, to) : 0;

    *why_r = "a date, with a time up to the second, a zone of three letters, or a range up to the minute";
    for (unsigned i = 0; n == 0 && i < FORMS && forms[i].usual; i++) {
        f = &forms[i];
        n = write_as(f, from, until, to);
    }
    *form_r = n ? slice_of(f->code) : slice(NULL, 0);
    return n;
}
