/*
 * delimiters: see delimiters.h. Nothing is allocated here.
 *
 * Sources: X12.5 (interchange control structures), X12.6 (application control structure); ISO 9735 (versions 1 to 3:
 * clause 7, characters; version 4: part 1, clause 9, UNA).
 */
#include "edi/delimiters.h"

#include "edi/reader.h"

static bool is_letter_or_digit(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

enum found delimiters_of_isa(const char *p, size_t n, bool last, struct edi_syntax *syntax_r)
{
    struct edi_syntax x = { .element = p[3] };
    size_t at[18], i = 3;
    unsigned seps = 0;
    char first, second;

    while (i < n && seps < 16) {
        if (p[i] == x.element)
            at[seps++] = i;
        i++;
        if (i > EDI_ENVELOPE_TEXT)
            return NOT_FOUND;
    }
    if (seps < 16 || i + 2 > n)
        return last ? NOT_FOUND : NEED_MORE;
    first = p[i];
    second = p[i + 1];
    if (first == x.element)
        return NOT_FOUND;
    x.component = first;
    x.terminator = second;
    if (is_letter_or_digit(second) || second == x.element) { /* ISA16 is missing: its place holds the terminator */
        x.component = 0;
        x.terminator = first;
    } else if ((second == '\n' || second == '\r') && !is_letter_or_digit(first)) {
        /* "*~" and a line break: is ~ the terminator and ISA16 missing, or is the line break the terminator?
         * The next line tells: it ends in the terminator. */
        size_t from = i + 2, end;
        while (from < n && (p[from] == '\n' || p[from] == '\r'))
            from++;
        for (end = from; end < n && end < i + EDI_ENVELOPE_TEXT && p[end] != '\n' && p[end] != '\r'; end++)
            ;
        if (end == n && !last && n < i + EDI_ENVELOPE_TEXT)
            return NEED_MORE;
        if (end > from && p[end - 1] == first) {
            x.component = 0;
            x.terminator = first;
        } else if (second == '\r' && p[i + 2 < n ? i + 2 : i] == '\n' && (end == n || p[end] == '\n')) {
            x.terminator = '\n'; /* only the ISA ends in both */
        }
    }
    if (is_letter_or_digit(x.terminator) || x.terminator == x.element || memchr(p, x.terminator, i))
        return NOT_FOUND;
    if (is_letter_or_digit(x.component) || x.component == x.element || x.component == x.terminator ||
        delimiters_blank(x.component))
        x.component = 0;
    /* from 00402 on ISA11 is the repetition separator */
    if (at[11] - at[10] == 2) {
        char c = p[at[10] + 1];
        struct slice version = slice(p + at[11] + 1, at[12] - at[11] - 1);
        if (slice_cmp(version, slice_of("00402")) >= 0 && !is_letter_or_digit(c) && !delimiters_blank(c) &&
            c != x.element && c != x.terminator && c != x.component)
            x.repetition = c;
    }
    *syntax_r = x;
    return FOUND;
}

enum found delimiters_of_bare(const char *p, size_t n, bool last, struct edi_syntax *syntax_r)
{
    struct edi_syntax x = { .element = p[p[0] == 'T' ? 3 : 2] };
    for (size_t i = 3; i + 3 < n && i < EDI_ENVELOPE_TEXT; i++) {
        size_t end = i;
        if (is_letter_or_digit(p[i]) || p[i] == x.element || p[i] == ' ')
            continue;
        while (end + 1 < n && (p[end + 1] == '\n' || p[end + 1] == '\r'))
            end++;
        if (end + 4 >= n)
            break;
        bool next = p[0] == 'G' ? p[end + 1] == 'S' && p[end + 2] == 'T' && p[end + 3] == x.element
                                : is_letter_or_digit(p[end + 1]) && is_letter_or_digit(p[end + 2]) &&
                                      (p[end + 3] == x.element || p[end + 4] == x.element);
        if (next) {
            x.terminator = p[i];
            *syntax_r = x;
            return FOUND;
        }
    }
    return last || n >= EDI_ENVELOPE_TEXT ? NOT_FOUND : NEED_MORE;
}

bool delimiters_envelope(const char *p, size_t n, const char *tag)
{
    size_t k = strlen(tag);
    return n > k && memcmp(p, tag, k) == 0 && !is_letter_or_digit(p[k]) && !delimiters_blank(p[k]);
}

/* ---- EDIFACT ---- */

bool delimiters_released(const char *p, size_t from, size_t at, char release)
{
    size_t n = 0;
    while (release && at > from && p[at - 1] == release)
        at--, n++;
    return n % 2 != 0;
}

const char *delimiters_end(const char *p, size_t n, const struct edi_syntax *syntax)
{
    const char *end = p, *stop = p + n;
    while ((end = memchr(end, syntax->terminator, (size_t)(stop - end))) != NULL) {
        if (!syntax->release || !delimiters_released(p, 0, (size_t)(end - p), syntax->release))
            return end;
        end++;
    }
    return NULL;
}

static bool is_line_break(char c)
{
    return c == '\n' || c == '\r';
}

/* UNB, UNG or UNH in capital or small letters? */
static bool is_service(const char *p, const char *letters)
{
    return (p[0] == 'U' || p[0] == 'u') && (p[1] == 'N' || p[1] == 'n') && strchr(letters, p[2] & ~0x20) && p[2] >= 'A';
}

static bool is_usable(const struct edi_syntax *x)
{
    const char c[] = { x->element, x->terminator, x->component, x->repetition, x->release };
    for (unsigned i = 0; i < sizeof(c); i++) {
        if (is_letter_or_digit(c[i]) || (i < 2 && (c[i] == 0 || c[i] == ' ')))
            return false;
        for (unsigned k = 0; k < i; k++)
            if (c[i] && c[i] == c[k])
                return false;
    }
    return true;
}

/* What stands before the segment that follows the UNB; 0: none follows within the first bytes. */
static char before_next(const char *p, size_t n, char element)
{
    for (size_t i = 4; i + 3 < n && i < EDI_ENVELOPE_TEXT; i++) {
        size_t end = i;
        if (!is_service(p + i, "HGZ") || p[i + 3] != element)
            continue;
        while (end > 4 && delimiters_blank(p[end - 1]))
            end--;
        if (!is_letter_or_digit(p[end - 1]))
            return p[end - 1];
        while (end < i && !is_line_break(p[end]))
            end++;
        return end < i ? p[end] : 0; /* the line break itself */
    }
    return 0;
}

enum found delimiters_of_unb(const char *p, size_t n, bool last, struct edi_syntax *syntax_r, struct edi_una *una_r,
                             size_t *length_r)
{
    struct edi_syntax x = { '+', '\'', ':', 0, '?' };
    struct edi_una una = { 0 };
    size_t at = 0;
    char reserved = 0, next;

    if (n < 16 && !last)
        return NEED_MORE;
    if (n >= 9 && is_service(p, "A")) {
        una = (struct edi_una){ .present = true, .decimal = p[5] };
        x = (struct edi_syntax){ p[4], p[8], p[3], 0, p[6] == ' ' ? 0 : p[6] };
        reserved = p[7];
        at = 9;
        /* UNA:+.?' with five characters: the sixth is a line break, or the UNB begins there */
        if (!is_letter_or_digit(p[7]) && p[7] != ' ' && (is_line_break(p[8]) || (n > 10 && is_service(p + 8, "BGH")))) {
            const char *unb = memchr(p + 8, 'U', n - 8);
            next = unb ? before_next(unb, n - (size_t)(unb - p), p[4]) : 0;
            if (!next && !last && n < EDI_ENVELOPE_TEXT)
                return NEED_MORE;
            if (next == p[7] || !is_line_break(p[8])) {
                una.is_short = true;
                x.terminator = p[7];
                reserved = 0;
                at = 8;
            }
        }
        /* a line break for the terminator, and the lines end in the usual one all the same */
        if (is_line_break(x.terminator)) {
            const char *unb = memchr(p + 8, 'U', n - 8);
            next = unb ? before_next(unb, n - (size_t)(unb - p), p[4]) : 0;
            if (!next && !last && n < EDI_ENVELOPE_TEXT)
                return NEED_MORE;
            if (next == '\'' && x.element != '\'' && x.component != '\'' && x.release != '\'') {
                x.terminator = '\'';
                una.is_short = false;
                una.is_wrong = true;
            }
        }
        while (at < n && delimiters_blank(p[at]))
            at++;
    }
    if (n - at < 10 && !last)
        return NEED_MORE;
    if (n - at < 4 || !is_service(p + at, "BGH"))
        return NOT_FOUND;
    p += at;
    n -= at;
    if (una.present && p[3] != x.element) { /* the UNA does not speak of what follows */
        x = (struct edi_syntax){ '+', '\'', ':', 0, '?' };
        una = (struct edi_una){ .is_wrong = true };
        reserved = 0;
    }
    if (!una.present) {
        next = before_next(p, n, p[3]);
        if (!next && !last && n < EDI_ENVELOPE_TEXT)
            return NEED_MORE;
        if (p[3] == 0x1d) {
            x = (struct edi_syntax){ 0x1d, 0x1c, 0x1f, 0, 0 };
        } else {
            x.element = p[3];
            if ((p[2] & ~0x20) == 'B' && n > 8 && p[8] && p[8] != x.element && !is_letter_or_digit(p[8]))
                x.component = p[8];
        }
        if (next && next != x.terminator && next != x.element && next != x.component)
            x.terminator = next;
        if (x.release == x.terminator || x.release == x.element || x.release == x.component)
            x.release = 0;
    }
    if ((p[2] & ~0x20) == 'B' && n > 9 && p[8] == x.component && is_digit(p[9])) {
        bool four = p[9] >= '4' && p[9] <= '9';
        if (four && una.present && reserved != ' ' && !is_letter_or_digit(reserved))
            x.repetition = reserved;
        else if (four && !una.present)
            x.repetition = x.element == 0x1d ? 0 : '*';
        if (x.repetition && (x.repetition == x.element || x.repetition == x.component || x.repetition == x.terminator ||
                             x.repetition == x.release))
            x.repetition = 0;
    }
    if (!is_usable(&x))
        return NOT_FOUND;
    *syntax_r = x;
    *una_r = una;
    *length_r = at;
    return FOUND;
}

char delimiters_repetition(const struct edi_syntax *x)
{
    const char taken[] = { x->element, x->component, x->release, x->terminator };
    return x->repetition ? x->repetition : memchr(taken, '*', sizeof(taken)) ? 0 : '*';
}
