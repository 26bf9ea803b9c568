/* charset: the four sets, and what stands for letters they lack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "edi/charset.h"

static void has_exactly(enum edi_charset set, const char *these)
{
    for (uint32_t c = 0; c < 0x80; c++)
        assert_int_equal(charset_has(set, c), c && strchr(these, (int)c) != NULL);
}

static void test_basic_and_extended(void **state)
{
    (void)state;
    has_exactly(CHARSET_BASIC, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !\"&'()*+,-./:;?=");
    has_exactly(CHARSET_EXTENDED, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !\"&'()*+,-./:;?="
                                  "abcdefghijklmnopqrstuvwxyz%~@[]_{}\\|<>#$^`");
    assert_false(charset_has(CHARSET_BASIC, 0xc4));
    assert_false(charset_has(CHARSET_EXTENDED, 0xc4));
    assert_true(charset_has(CHARSET_LATIN1, 0xc4));
    assert_false(charset_has(CHARSET_LATIN1, 0x85));
    assert_false(charset_has(CHARSET_LATIN1, 0x20ac));
    assert_true(charset_has(CHARSET_UTF8, 0x20ac));
    assert_false(charset_has(CHARSET_UTF8, 0x2028));
    assert_false(charset_has(CHARSET_UTF8, 0xffff));
}

/* The whole of a UTF-8 text in a set, "?" for what nothing stands for. */
static void becomes(enum edi_charset set, const char *text, const char *expected)
{
    struct slice s = slice_of(text);
    char out[200];
    size_t n = 0;
    uint32_t c, previous = 0;
    unsigned length;

    while (s.n) {
        char with[CHARSET_SUBSTITUTE_MOST];
        uint32_t next = 0;
        unsigned next_length;
        int k;
        assert_true(charset_decode(s, &c, &length));
        s = slice_from(s, length);
        if (s.n)
            assert_true(charset_decode(s, &next, &next_length));
        k = charset_substitute(set, c, previous, next, with);
        if (k < 0)
            out[n++] = '?';
        for (int i = 0; i < k; i++) {
            assert_true(charset_has(set, (unsigned char)with[i]));
            out[n++] = with[i];
        }
        previous = c;
    }
    out[n] = 0;
    assert_string_equal(out, expected);
}

static void test_letters(void **state)
{
    (void)state;
    becomes(CHARSET_EXTENDED, "Müller Ärger ÄRGER Straße ẞ", "Mueller Aerger AERGER Strasse SS");
    becomes(CHARSET_EXTENDED, "Ångström Øresund Þór Œuvre Ĳmuiden", "Aangstroem Oeresund Thor Oeuvre IJmuiden");
    becomes(CHARSET_EXTENDED, "Łódź Čapek Dvořák Ştefan Iğdır", "Lodz Capek Dvorak Stefan Igdir");
    becomes(CHARSET_EXTENDED, "Muñoz Êtes façade ÝÛÙ ýûù", "Munoz Etes facade YUU yuu");
    becomes(CHARSET_EXTENDED, "Nguyễn Trần Hưng Đạo ơư", "Nguyen Tran Hung Dao ou");
    becomes(CHARSET_BASIC, "Müller", "MUELLER");
    becomes(CHARSET_LATIN1, "ő€", "oEUR");
    /* a letter and a mark that goes with it */
    becomes(CHARSET_EXTENDED, "u\xcc\x88", "u");
    becomes(CHARSET_EXTENDED, "Ωж漢", "???");
}

static void test_signs(void **state)
{
    (void)state;
    becomes(CHARSET_EXTENDED, "“a” ‘b’ – — … 5\xc2\xa0€ ™", "\"a\" 'b' - - ... 5 EUR TM");
    becomes(CHARSET_EXTENDED, "½ 1½", "1/2 1 1/2");
    becomes(CHARSET_EXTENDED, "m² 10²", "m2 10?");
    becomes(CHARSET_EXTENDED, "a\xe2\x80\x8b" "b\xef\xbb\xbf", "ab");
    becomes(CHARSET_BASIC, "a_b@c#[~]", "A-B(AT)CNO.(-)");
    becomes(CHARSET_BASIC, "$^", "??");
}

/* Whatever stands for a character is in the set, and never longer than promised. */
static void test_every_character(void **state)
{
    (void)state;
    for (uint32_t c = 1; c < 0x11000; c++)
        for (int set = CHARSET_BASIC; set <= CHARSET_LATIN1; set++) {
            char with[CHARSET_SUBSTITUTE_MOST];
            int n = charset_substitute((enum edi_charset)set, c, 'a', 'a', with);
            assert_true(n <= CHARSET_SUBSTITUTE_MOST);
            for (int i = 0; i < n && !charset_control(c); i++)
                assert_true(charset_has((enum edi_charset)set, (unsigned char)with[i]));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_basic_and_extended),
        cmocka_unit_test(test_letters),
        cmocka_unit_test(test_signs),
        cmocka_unit_test(test_every_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
