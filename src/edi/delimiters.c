/*
 * delimiters: see delimiters.h. Nothing is allocated here.
 *
 * Sources: X12.5 (interchange control structures), X12.6 (application control structure).
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
