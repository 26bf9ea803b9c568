/* charset: see charset.h. Tables and nothing else; no state. */
#include "edi/charset.h"

#include "base/buf.h"

/* Letters whose ASCII form is one letter: a run of characters, a blank where there is none (or another form). */
static const struct {
    uint32_t first;
    const char *letters;
} runs[] = {
    { 0xc0, "AAAA  AC" "EEEEIIII" "DNOOOO  " " UUU Y  " "aaaa  ac" "eeeeiiii" "dnoooo  " " uuu y y" },
    { 0x100, "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIi  JjKkkLlLlLlL" },
    { 0x140, "lLlNnNnNn NnOoOoOo  RrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs" },
    { 0x180, "b      CcDD      FfG   IKkl     Oo  Pp      Tt Uu    Zz" },
    { 0x1c4, "         AaIiOoUuUuUuUuUu AaAa  GgGgKkOoOo  j   Gg  NnAa  Oo" },
    { 0x200, "AaAaEeEeIiIiOoOoRrRrUuUuSsTt  Hh      AaEeOoOoOoOoYy      ACcLT " },
    { 0x1e00, "AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMm" },
    { 0x1e40, "MmMmNnNnNnNnOoOoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUuUuUuVvVv" },
    { 0x1e80, "WwWwWwWwWwXxXxYyZzZzZzhtwya     AaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEe" },
    { 0x1ec0, "EeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOoUuUuUuUuUuUuUuYyYyYyYy" },
};

/* All others, ascending. A blank in front is left out where the value begins. Two capitals: the second becomes
 * small when a small letter follows. */
static const struct {
    uint32_t c;
    const char *text;
} others[] = {
    { 0xa0, " " },       { 0xa1, "!" },       { 0xa2, "c" },       { 0xa3, "GBP" },     { 0xa5, "JPY" },
    { 0xa6, "|" },       { 0xa8, "\"" },      { 0xa9, "(C)" },     { 0xaa, "a" },       { 0xab, "\"" },
    { 0xad, "" },        { 0xae, "(R)" },     { 0xaf, "-" },       { 0xb0, " deg" },    { 0xb1, "+/-" },
    { 0xb2, "2" },       { 0xb3, "3" },       { 0xb4, "'" },       { 0xb5, "u" },       { 0xb7, "-" },
    { 0xb8, "," },       { 0xb9, "1" },       { 0xba, "o" },       { 0xbb, "\"" },      { 0xbc, " 1/4" },
    { 0xbd, " 1/2" },    { 0xbe, " 3/4" },    { 0xbf, "?" },       { 0xc4, "AE" },      { 0xc5, "AA" },
    { 0xc6, "AE" },      { 0xd6, "OE" },      { 0xd7, "x" },       { 0xd8, "OE" },      { 0xdc, "UE" },
    { 0xde, "TH" },      { 0xdf, "ss" },      { 0xe4, "ae" },      { 0xe5, "aa" },      { 0xe6, "ae" },
    { 0xf6, "oe" },      { 0xf7, "/" },       { 0xf8, "oe" },      { 0xfc, "ue" },      { 0xfe, "th" },
    { 0x132, "IJ" },     { 0x133, "ij" },     { 0x149, "'n" },     { 0x152, "OE" },     { 0x153, "oe" },
    { 0x1c4, "DZ" },     { 0x1c5, "Dz" },     { 0x1c6, "dz" },     { 0x1c7, "LJ" },     { 0x1c8, "Lj" },
    { 0x1c9, "lj" },     { 0x1ca, "NJ" },     { 0x1cb, "Nj" },     { 0x1cc, "nj" },     { 0x1e2, "AE" },
    { 0x1e3, "ae" },     { 0x1f1, "DZ" },     { 0x1f2, "Dz" },     { 0x1f3, "dz" },     { 0x1fc, "AE" },
    { 0x1fd, "ae" },     { 0x2b9, "'" },      { 0x2ba, "\"" },     { 0x2bb, "'" },      { 0x2bc, "'" },
    { 0x2c6, "^" },      { 0x2dc, "~" },      { 0x1e9e, "SS" },    { 0x2010, "-" },     { 0x2011, "-" },
    { 0x2012, "-" },     { 0x2013, "-" },     { 0x2014, "-" },     { 0x2015, "-" },     { 0x2018, "'" },
    { 0x2019, "'" },     { 0x201a, "'" },     { 0x201b, "'" },     { 0x201c, "\"" },    { 0x201d, "\"" },
    { 0x201e, "\"" },    { 0x201f, "\"" },    { 0x2022, "-" },     { 0x2024, "." },     { 0x2026, "..." },
    { 0x202f, " " },     { 0x2032, "'" },     { 0x2033, "\"" },    { 0x2039, "'" },     { 0x203a, "'" },
    { 0x2044, "/" },     { 0x205f, " " },     { 0x20a4, "GBP" },   { 0x20ac, "EUR" },   { 0x20b9, "INR" },
    { 0x2116, "No." },   { 0x2122, "TM" },    { 0x2153, " 1/3" },  { 0x2154, " 2/3" },  { 0x215b, " 1/8" },
    { 0x215c, " 3/8" },  { 0x215d, " 5/8" },  { 0x215e, " 7/8" },  { 0x2212, "-" },     { 0x2215, "/" },
    { 0x2264, "<=" },    { 0x2265, ">=" },    { 0x3000, " " },     { 0xfb00, "ff" },    { 0xfb01, "fi" },
    { 0xfb02, "fl" },    { 0xfb03, "ffi" },   { 0xfb04, "ffl" },
};

/* The printable ASCII that the basic set lacks, small letters aside. */
static const struct {
    char c;
    const char *text;
} basics[] = {
    { '#', "NO." }, { '%', "PCT" }, { '<', "(" },  { '>', ")" },  { '@', "(AT)" }, { '[', "(" }, { '\\', "/" },
    { ']', ")" },   { '_', "-" },   { '`', "'" },  { '{', "(" },  { '|', "/" },    { '}', ")" }, { '~', "-" },
};

const char *charset_name(enum edi_charset set)
{
    static const char *const names[] = { "basic", "extended", "ISO 8859-1", "UTF-8" };
    return names[set];
}

bool charset_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

bool charset_has(enum edi_charset set, uint32_t c)
{
    switch (set) {
    case CHARSET_BASIC:
        return c >= 0x20 && c <= 'Z' && !(c >= '#' && c <= '%') && c != '<' && c != '>' && c != '@';
    case CHARSET_EXTENDED:
        return c >= 0x20 && c < 0x7f;
    case CHARSET_LATIN1:
        return c < 0x100 && !charset_control(c);
    case CHARSET_UTF8:
        return !charset_control(c) && (c & 0xfffe) != 0xfffe;
    }
    return false;
}

bool charset_decode(struct slice s, uint32_t *c_r, unsigned *length_r)
{
    static const unsigned char mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    unsigned n = utf8_length(s);
    uint32_t c;

    if (n == 0)
        return false;
    c = (unsigned char)s.p[0] & mask[n];
    for (unsigned i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
    *c_r = c;
    *length_r = n;
    return true;
}

/* Marks that change how others look or run and are themselves not seen. */
static bool invisible(uint32_t c)
{
    return (c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x2069) || (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff;
}

static bool small_follows(uint32_t next)
{
    return (next >= 'a' && next <= 'z') || (next >= 0xdf && next <= 0xff && next != 0xf7);
}

/* c in ASCII; the result may be one of its arguments. NULL: there is nothing. */
static const char *ascii(uint32_t c, char one[2])
{
    size_t low = 0, high = sizeof(others) / sizeof(others[0]);

    one[1] = 0;
    if (c < 0x80 || (c >= 0xff01 && c <= 0xff5e)) {
        one[0] = (char)(c < 0x80 ? c : c - 0xff01 + '!');
        return one;
    }
    if (invisible(c))
        return "";
    if (c >= 0x2000 && c <= 0x200a)
        return " ";
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (others[middle].c == c)
            return others[middle].text;
        if (others[middle].c < c)
            low = middle + 1;
        else
            high = middle;
    }
    for (unsigned i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
        if (c >= runs[i].first && c - runs[i].first < strlen(runs[i].letters)) {
            one[0] = runs[i].letters[c - runs[i].first];
            if (one[0] != ' ')
                return one;
        }
    return NULL;
}

/* One ASCII character in the basic set. */
static const char *basic(char c, char one[2])
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    one[0] = c;
    one[1] = 0;
    if (charset_has(CHARSET_BASIC, (unsigned char)c))
        return one;
    for (unsigned i = 0; i < sizeof(basics) / sizeof(basics[0]); i++)
        if (basics[i].c == c)
            return basics[i].text;
    return NULL;
}

int charset_substitute(enum edi_charset set, uint32_t c, uint32_t previous, uint32_t next,
                       char out_r[CHARSET_SUBSTITUTE_MOST])
{
    char one[2], two[2];
    const char *text = ascii(c, one);
    int n = 0;
    bool digit_before = previous >= '0' && previous <= '9';

    /* 10² is not 102 */
    if (!text || (digit_before && (c == 0xb2 || c == 0xb3 || c == 0xb9)))
        return -1;
    if (*text == ' ' && text[1] && !previous)
        text++;
    for (unsigned i = 0; text[i]; i++) {
        char small = text[i];
        const char *piece = two;
        if (i == 1 && !text[2] && text[0] >= 'A' && text[0] <= 'Z' && small >= 'A' && small <= 'Z' &&
            c != 0x132 && c != 0x2122 && small_follows(next))
            small = (char)(small - 'A' + 'a');
        two[0] = small;
        two[1] = 0;
        if (set == CHARSET_BASIC && !(piece = basic(small, two)))
            return -1;
        for (; *piece; piece++) {
            if (n == CHARSET_SUBSTITUTE_MOST)
                return -1;
            out_r[n++] = *piece;
        }
    }
    return n;
}
