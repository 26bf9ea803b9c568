/*
 * reader_syntax: where an interchange begins, and its delimiters. Nothing is allocated here.
 *
 * Sources: X12.5 (ISA), ISO 9735 (UNA and UNB; part 1, clause 9 of version 4).
 */
#include "edi/reader_inside.h"

#include <stdio.h>

/* Does an interchange, or what is left of one without its envelope, begin at p? NULL: none does. */
static const struct dialect *dialect_at(const char *p, size_t n, bool sure)
{
    static const char *const edifact[] = { "UNB", "UNA", "UNG", "UNH" }, *const x12[] = { "ISA", "GS", "ST", "TA1" };
    char tag[5] = "";
    for (unsigned i = 0; i < (sure ? 1 : 4); i++)
        if (delimiters_envelope(p, n, x12[i]))
            return &dialect_x12;
    /* small letters are looked at where nothing else can stand */
    for (unsigned i = 0; i < 4 && i < n; i++)
        tag[i] = (char)(!sure && p[i] >= 'a' && p[i] <= 'z' ? p[i] - 'a' + 'A' : p[i]);
    for (unsigned i = 0; i < (sure ? 2 : 4); i++)
        if (delimiters_envelope(tag, n < 4 ? n : 4, edifact[i]))
            return &dialect_edifact;
    return NULL;
}

/* The delimiters of what begins at p. length_r: what is to be passed over before (UNA). */
static enum found find_delimiters(struct edi_reader *r, const struct dialect *dialect, const char *p, size_t n,
                                  bool last, size_t *length_r)
{
    *length_r = 0;
    r->una = (struct edi_una){ 0 };
    r->una_at = r->base_offset + r->from;
    if (dialect == &dialect_edifact)
        return delimiters_of_unb(p, n, last, &r->syntax, &r->una, length_r);
    if (delimiters_envelope(p, n, "ISA"))
        return delimiters_of_isa(p, n, last, &r->syntax);
    return delimiters_of_bare(p, n, last, &r->syntax);
}

/* Looks for the next interchange from r->from on. */
enum found reader_find_syntax(struct edi_reader *r, bool last)
{
    for (;;) {
        const char *p = r->buf + r->from;
        size_t n = r->n - r->from;
        enum found found = NOT_FOUND;
        const struct dialect *dialect;
        size_t before;
        if (r->garbage) {
            while (n > 3 && !dialect_at(p, n, true))
                p++, n--;
            r->from = (size_t)(p - r->buf);
            if (n <= 3)
                return last ? NOT_FOUND : NEED_MORE;
        }
        if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
            reader_find(r, FINDING_FILE_BOM, NULL, 0, "the file begins with a byte order mark",
                        "the interchange at the first byte");
            r->from += 3;
            continue;
        }
        /* behind an interchange its terminator may stand once more */
        if (n && (delimiters_blank(*p) || (r->in.interchanges && *p == r->syntax.terminator))) {
            r->from++;
            continue;
        }
        if (n < 4)
            return last ? NOT_FOUND : NEED_MORE;
        dialect = dialect_at(p, n, r->garbage);
        if (dialect)
            found = find_delimiters(r, dialect, p, n, last, &before);
        if (found == NOT_FOUND && dialect && (dialect == &dialect_edifact || delimiters_envelope(p, n, "ISA"))) {
            r->dialect = dialect;
            reader_find(r, FINDING_INTERCHANGE_ELEMENT_SEPARATOR, NULL, 0,
                        dialect == &dialect_x12 ? "the ISA has no usable delimiters" : "there are no usable delimiters",
                        dialect == &dialect_x12 ? "16 elements, then the component separator and the segment terminator"
                                                : "a UNA with six different ones and a UNB behind it, or a UNB with "
                                                  "the usual ones");
        }
        if (found == FOUND) {
            r->dialect = dialect;
            r->from += before;
            r->started = r->has_syntax = true;
            r->garbage = r->garbage_told = false;
            r->syntax_at = r->base_offset + r->from;
            return FOUND;
        }
        if (found == NEED_MORE)
            return NEED_MORE;
        if (n < 16 && !last)
            return NEED_MORE;
        if (!r->garbage_told && !r->stopped) {
            char words[120], bytes[70];
            reader_safe_text(r, slice(p, n < 16 ? n : 16), 16, bytes, sizeof(bytes));
            snprintf(words, sizeof(words), "these bytes belong to no interchange: %.60s", bytes);
            reader_find(r, FINDING_FILE_GARBAGE, NULL, 0, words, "an interchange that begins with ISA, UNA or UNB");
            r->garbage_told = true;
        }
        r->started = true;
        /* go on behind, at the next interchange */
        r->garbage = true;
        r->from++;
    }
}

/* Another interchange begins: are the delimiters in force its own, too? */
bool reader_same_syntax(const struct edi_reader *r, const struct segment *s, bool last)
{
    struct edi_syntax x;
    const char *p = s->base + s->start;
    size_t n = r->n - (size_t)(p - r->buf);
    if (r->dialect == &dialect_edifact) {
        struct edi_una una;
        size_t length;
        /* right behind its UNA, which was looked at */
        if (r->una.present && r->syntax_at == r->base_offset + (uint64_t)(p - r->buf))
            return true;
        return delimiters_of_unb(p, n, last, &x, &una, &length) == FOUND && !una.present &&
               memcmp(&x, &r->syntax, sizeof(x)) == 0;
    }
    return s->at[0] - s->start == 3 && s->n == 16 && delimiters_of_isa(p, n, true, &x) == FOUND &&
           memcmp(&x, &r->syntax, sizeof(x)) == 0;
}

enum found reader_begins_other(const struct edi_reader *r, const char *p, bool last)
{
    size_t n = r->n - (size_t)(p - r->buf);
    const struct dialect *d = dialect_at(p, n, true);
    struct edi_syntax x;
    struct edi_una una;
    size_t length;
    if (!d || (d == r->dialect && !delimiters_envelope(p, n, "UNA")))
        return NOT_FOUND;
    return d == &dialect_x12 ? delimiters_of_isa(p, n, last, &x) : delimiters_of_unb(p, n, last, &x, &una, &length);
}

/* A UNA behind an interchange, and it says what is in force already: the walk goes on. */
bool reader_pass_una(struct edi_reader *r, const struct segment *s, bool last)
{
    const char *p = s->base + s->start;
    struct edi_syntax x;
    struct edi_una una;
    size_t length;
    if (r->dialect != &dialect_edifact || s->at[s->n] - s->start != 8 || !delimiters_envelope(p, 8, "UNA") ||
        delimiters_of_unb(p, r->n - (size_t)(p - r->buf), last, &x, &una, &length) != FOUND || una.is_short ||
        una.is_wrong || memcmp(&x, &r->syntax, sizeof(x)) != 0)
        return false;
    r->una = una;
    r->una_at = r->base_offset + (uint64_t)(p - r->buf);
    r->syntax_at = r->una_at + length;
    return true;
}
