/*
 * lexer: see lexer.h.
 *
 * Sixty-four bytes at a time become four bit masks (delimiters, terminators, parts, bytes that JSON must
 * escape), five where there is a release character; the masks become positions. How a mask is made differs by
 * instruction set, what is made of it does not: so each set has one small function, and `index_block` is compiled into
 * each of them three times: without release characters, with them, and with the positions of components, too.
 * The idea of turning masks into positions without branches, and of finding released characters by one addition, is
 * Langdale and Lemire's (simdjson, 2019).
 */
#include "edi/lexer.h"

#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_X86 1
#elif defined(__aarch64__)
#include <arm_neon.h>
#define HAVE_NEON 1
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

int lexer_index_init(struct lexer_index *x, size_t room, struct err *err)
{
    *x = (struct lexer_index){ .room = room };
    if (room >= (size_t)1 << (32 - SEGMENT_FLAG_BITS - 1))
        return err_set(err, ERR_LIMIT, "a block of %zu bytes cannot be indexed", room);
    /* the flattening writes up to 64 positions too far */
    x->delimiter = malloc((room + 64) * sizeof(*x->delimiter));
    x->end = malloc((room + 64) * sizeof(*x->end));
    x->part = malloc((room + 64) * sizeof(*x->part));
    x->rank = malloc((room + 64) * sizeof(*x->rank));
    if (!x->delimiter || !x->end || !x->part || !x->rank) {
        lexer_index_deinit(x);
        return err_nomem(err);
    }
    return 0;
}

void lexer_index_deinit(struct lexer_index *x)
{
    free(x->delimiter);
    free(x->end);
    free(x->part);
    free(x->rank);
    *x = (struct lexer_index){ .room = 0 };
}

struct slice value_part(struct slice value, char separator, unsigned part)
{
    struct slice rest = value;
    bool found = true;
    if (!separator)
        return part == 1 ? value : slice(NULL, 0);
    for (; part && found; part--)
        value = slice_cut(rest, separator, &rest, &found);
    return part ? slice(NULL, 0) : value;
}

struct slice segment_look_for_part(const struct segment *s, const struct edi_syntax *syntax, unsigned k, unsigned part)
{
    struct slice v = segment_element(s, k), rest;
    bool found;
    if (!part || !(s->flags & SEGMENT_PARTS))
        return part <= 1 ? v : slice(NULL, 0);
    if (syntax->repetition)
        v = slice_cut(v, segment_repetition_separator(s->flags, syntax), &rest, &found);
    return value_part(v, segment_component_separator(s->flags, syntax), part);
}

/* Bit 7 of each byte of eight that is c, the first byte lowest. */
static inline uint64_t find_in_eight(const char *p, unsigned char c)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7f;
    uint64_t v;
    memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    v ^= 0x0101010101010101 * (uint64_t)c;
    return ~(((v & low) + low) | v | low);
}

bool segment_find_parts(struct segment *s, const struct edi_syntax *syntax, struct segment_parts *parts_r)
{
    const char separator = segment_component_separator(s->flags, syntax);
    const char *base = s->base;
    const uint32_t *at = s->at, from = at[0] + 1, end = at[s->n];
    uint32_t *part = parts_r->part, *rank = parts_r->rank, n = 0;
    unsigned k = 0;

    if (!separator || s->n > SEGMENT_ELEMENTS_MOST || s->n == 0 ||
        (syntax->repetition && memchr(base + from, segment_repetition_separator(s->flags, syntax), end - from)))
        return false;
    for (uint32_t p = from; p < end; p += 8) {
        for (uint64_t here = find_in_eight(base + p, (unsigned char)separator); here; here &= here - 1) {
            const uint32_t position = p + ((uint32_t)__builtin_ctzll(here) >> 3);
            if (position >= end)
                break;
            if (n >= SEGMENT_PARTS_MOST - SEGMENT_ELEMENTS_MOST)
                return false;
            for (; at[k] < position; k++) {
                rank[k] = n;
                part[n++] = at[k];
            }
            part[n++] = position;
        }
    }
    for (; k <= s->n; k++) {
        rank[k] = n;
        part[n++] = at[k];
    }
    s->part = part;
    s->rank = rank;
    return true;
}

struct masks {
    uint64_t delimiter, terminator, parts, escape, release;
};

struct state {
    uint32_t *delimiter, *end, *part, *rank;
    uint64_t follows;       /* bit 0: the last byte was a terminator */
    uint64_t follows_break; /* bit 0: the last byte was a line break behind a terminator */
    uint64_t released;      /* bit 0: the last byte was a release character that speaks of the next one */
    uint32_t flags;         /* of the segment that is open */
};

/* The bytes behind release characters, of which each second one of a run is itself released: bits that are set in runs
 * are added to where the runs begin on odd places, and the carry comes out behind the end of those. */
ALWAYS_INLINE uint64_t released(uint64_t release, uint64_t *carry)
{
    const uint64_t even = 0x5555555555555555ull;
    uint64_t follows, sum;
    release &= ~*carry;
    follows = release << 1 | *carry;
    *carry = __builtin_add_overflow(release & ~even & ~follows, release, &sum);
    return (even ^ sum << 1) & follows;
}

/* The positions of `count` bits; room for sixteen is written to in any case, so that no branch needs to be foreseen. */
ALWAYS_INLINE void put_positions(uint64_t bits, uint32_t count, uint32_t base, uint32_t *to)
{
#pragma GCC unroll 8
    for (unsigned i = 0; i < 8; i++) {
        to[i] = base + (uint32_t)__builtin_ctzll(bits | 1ull << 63);
        bits &= bits - 1;
    }
    if (__builtin_expect(count > 8, 1)) {
#pragma GCC unroll 8
        for (unsigned i = 8; i < 16; i++) {
            to[i] = base + (uint32_t)__builtin_ctzll(bits | 1ull << 63);
            bits &= bits - 1;
        }
        for (unsigned i = 16; __builtin_expect(i < count, 0); i++) {
            to[i] = base + (uint32_t)__builtin_ctzll(bits);
            bits &= bits - 1;
        }
    }
}

/* The same for how many bits of `all` stand before each. */
ALWAYS_INLINE void put_ranks(uint64_t bits, uint32_t count, uint64_t all, uint32_t base, uint32_t *to)
{
#pragma GCC unroll 8
    for (unsigned i = 0; i < 8; i++) {
        to[i] = base + (uint32_t)__builtin_popcountll(all & ~bits & (bits - 1));
        bits &= bits - 1;
    }
    for (unsigned i = 8; i < count; i++) {
        to[i] = base + (uint32_t)__builtin_popcountll(all & ~bits & (bits - 1));
        bits &= bits - 1;
    }
}

ALWAYS_INLINE void take_masks(struct state *s, uint32_t base, struct masks m, const struct lexer_index *x, bool release,
                              bool parts)
{
    if (release && __builtin_expect((m.release | s->released) != 0, 0)) {
        uint64_t text = ~released(m.release, &s->released);
        m.delimiter &= text;
        m.terminator &= text;
        m.parts &= text;
    }
    const uint64_t bits = m.delimiter, all = bits | m.parts;
    const uint32_t first = (uint32_t)(s->delimiter - x->delimiter);
    uint64_t terminators = m.terminator;
    uint32_t count = (uint32_t)__builtin_popcountll(bits);
    uint64_t escape = m.escape & ~bits;

    if (__builtin_expect(escape != 0, 0)) {
        /* one line break behind a terminator is layout, not data */
        uint64_t one = (m.terminator << 1 | s->follows) & escape;
        uint64_t two = (one << 1 | s->follows_break) & escape;
        s->follows_break = one >> 63;
        escape &= ~(one | two);
    } else {
        s->follows_break = 0;
    }
    s->follows = m.terminator >> 63;
    while (terminators) {
        uint64_t below = (terminators & -terminators) - 1;
        uint32_t number = first + (uint32_t)__builtin_popcountll(bits & below);
        uint32_t flags = s->flags;
        if (m.parts & below)
            flags |= SEGMENT_PARTS;
        if (escape & below)
            flags |= SEGMENT_ESCAPE;
        if (release && m.release & below)
            flags |= SEGMENT_RELEASE;
        *s->end++ = number << SEGMENT_FLAG_BITS | flags;
        m.parts &= ~below;
        escape &= ~below;
        if (release)
            m.release &= ~below;
        s->flags = 0;
        terminators &= terminators - 1;
    }
    if (m.parts)
        s->flags |= SEGMENT_PARTS;
    if (escape)
        s->flags |= SEGMENT_ESCAPE;
    if (release && m.release)
        s->flags |= SEGMENT_RELEASE;

    if (count) {
        put_positions(bits, count, base, s->delimiter);
        s->delimiter += count;
    }
    if (parts && all) {
        const uint32_t n = (uint32_t)__builtin_popcountll(all);
        put_positions(all, n, base, s->part);
        put_ranks(bits, count, all, (uint32_t)(s->part - x->part), s->rank);
        s->part += n;
        s->rank += count;
    }
}

typedef struct masks mask_function(const char *p, const struct edi_syntax *syntax, bool release);

ALWAYS_INLINE void index_all(struct lexer_index *x, const char *block, size_t n, const struct edi_syntax *syntax,
                             mask_function *masks_of, bool release, bool parts)
{
    /* a block begins behind a terminator, wherever the input was cut */
    struct state s = { x->delimiter, x->end, x->part, x->rank, 1, 0, 0, 0 };
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        take_masks(&s, (uint32_t)i, masks_of(block + i, syntax, release), x, release, parts);
    if (i < n) {
        struct masks m = masks_of(block + i, syntax, release);
        uint64_t keep = (1ull << (n - i)) - 1;
        m.delimiter &= keep;
        m.terminator &= keep;
        m.parts &= keep;
        m.escape &= keep;
        m.release &= keep;
        take_masks(&s, (uint32_t)i, m, x, release, parts);
    }
    x->n_delimiters = (uint32_t)(s.delimiter - x->delimiter);
    x->n_segments = (uint32_t)(s.end - x->end);
    x->open_flags = s.flags;
}

ALWAYS_INLINE void index_block(struct lexer_index *x, const char *block, size_t n, const struct edi_syntax *syntax,
                               mask_function *masks_of)
{
    x->has_parts = syntax->release && syntax->component && !syntax->repetition;
    if (x->has_parts)
        index_all(x, block, n, syntax, masks_of, true, true);
    else if (syntax->release)
        index_all(x, block, n, syntax, masks_of, true, false);
    else
        index_all(x, block, n, syntax, masks_of, false, false);
}

/* A delimiter that does not exist is looked for as the terminator: harmless, and without a branch. */
ALWAYS_INLINE char or_terminator(char c, const struct edi_syntax *syntax)
{
    return c ? c : syntax->terminator;
}

ALWAYS_INLINE struct masks masks_plain(const char *p, const struct edi_syntax *syntax, bool release)
{
    char component = or_terminator(syntax->component, syntax), repetition = or_terminator(syntax->repetition, syntax);
    struct masks m = { 0, 0, 0, 0, 0 };
    for (unsigned i = 0; i < 64; i++) {
        unsigned char c = (unsigned char)p[i];
        uint64_t terminator = p[i] == syntax->terminator, element = p[i] == syntax->element;
        uint64_t parts = (p[i] == component) | (p[i] == repetition);
        uint64_t escape = (c < 0x20) | (c >= 0x7f) | (c == '"') | (c == '\\');
        m.terminator |= terminator << i;
        m.delimiter |= (terminator | element) << i;
        m.parts |= parts << i;
        m.escape |= escape << i;
        if (release)
            m.release |= (uint64_t)(p[i] == syntax->release) << i;
    }
    m.parts &= ~m.delimiter;
    return m;
}

static void index_plain(struct lexer_index *x, const char *block, size_t n, const struct edi_syntax *syntax)
{
    index_block(x, block, n, syntax, masks_plain);
}

#ifdef HAVE_X86
#define SSE2 __attribute__((target("sse2,popcnt")))
#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt")))

SSE2 ALWAYS_INLINE struct masks masks_sse2(const char *p, const struct edi_syntax *syntax, bool release)
{
    __m128i element = _mm_set1_epi8(syntax->element), terminator = _mm_set1_epi8(syntax->terminator);
    __m128i component = _mm_set1_epi8(or_terminator(syntax->component, syntax));
    __m128i repetition = _mm_set1_epi8(or_terminator(syntax->repetition, syntax));
    __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), blank = _mm_set1_epi8(0x20);
    __m128i del = _mm_set1_epi8(0x7f);
    struct masks m = { 0, 0, 0, 0, 0 };
    for (unsigned i = 0; i < 4; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        __m128i t = _mm_cmpeq_epi8(v, terminator), e = _mm_cmpeq_epi8(v, element);
        __m128i parts = _mm_or_si128(_mm_cmpeq_epi8(v, component), _mm_cmpeq_epi8(v, repetition));
        __m128i escape = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
                                      _mm_or_si128(_mm_cmplt_epi8(v, blank), _mm_cmpeq_epi8(v, del)));
        m.terminator |= (uint64_t)(uint16_t)_mm_movemask_epi8(t) << (16 * i);
        m.delimiter |= (uint64_t)(uint16_t)_mm_movemask_epi8(_mm_or_si128(e, t)) << (16 * i);
        m.parts |= (uint64_t)(uint16_t)_mm_movemask_epi8(parts) << (16 * i);
        m.escape |= (uint64_t)(uint16_t)_mm_movemask_epi8(escape) << (16 * i);
        if (release) {
            __m128i r = _mm_cmpeq_epi8(v, _mm_set1_epi8(syntax->release));
            m.release |= (uint64_t)(uint16_t)_mm_movemask_epi8(r) << (16 * i);
        }
    }
    m.parts &= ~m.delimiter;
    return m;
}

SSE2 static void index_sse2(struct lexer_index *x, const char *block, size_t n, const struct edi_syntax *syntax)
{
    index_block(x, block, n, syntax, masks_sse2);
}

AVX2 ALWAYS_INLINE struct masks masks_avx2(const char *p, const struct edi_syntax *syntax, bool release)
{
    __m256i element = _mm256_set1_epi8(syntax->element), terminator = _mm256_set1_epi8(syntax->terminator);
    __m256i component = _mm256_set1_epi8(or_terminator(syntax->component, syntax));
    __m256i repetition = _mm256_set1_epi8(or_terminator(syntax->repetition, syntax));
    __m256i quote = _mm256_set1_epi8('"'), backslash = _mm256_set1_epi8('\\'), blank = _mm256_set1_epi8(0x20);
    __m256i del = _mm256_set1_epi8(0x7f);
    struct masks m = { 0, 0, 0, 0, 0 };
    for (unsigned i = 0; i < 2; i++) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32 * i));
        __m256i t = _mm256_cmpeq_epi8(v, terminator), e = _mm256_cmpeq_epi8(v, element);
        __m256i parts = _mm256_or_si256(_mm256_cmpeq_epi8(v, component), _mm256_cmpeq_epi8(v, repetition));
        __m256i escape =
            _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, backslash)),
                            _mm256_or_si256(_mm256_cmpgt_epi8(blank, v), _mm256_cmpeq_epi8(v, del)));
        m.terminator |= (uint64_t)(uint32_t)_mm256_movemask_epi8(t) << (32 * i);
        m.delimiter |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_or_si256(e, t)) << (32 * i);
        m.parts |= (uint64_t)(uint32_t)_mm256_movemask_epi8(parts) << (32 * i);
        m.escape |= (uint64_t)(uint32_t)_mm256_movemask_epi8(escape) << (32 * i);
        if (release) {
            __m256i r = _mm256_cmpeq_epi8(v, _mm256_set1_epi8(syntax->release));
            m.release |= (uint64_t)(uint32_t)_mm256_movemask_epi8(r) << (32 * i);
        }
    }
    m.parts &= ~m.delimiter;
    return m;
}

AVX2 static void index_avx2(struct lexer_index *x, const char *block, size_t n, const struct edi_syntax *syntax)
{
    index_block(x, block, n, syntax, masks_avx2);
}
#endif

#ifdef HAVE_NEON
ALWAYS_INLINE uint64_t neon_mask(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d)
{
    const uint8x16_t bit = { 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128 };
    uint8x16_t x = vpaddq_u8(vandq_u8(a, bit), vandq_u8(b, bit));
    uint8x16_t y = vpaddq_u8(vandq_u8(c, bit), vandq_u8(d, bit));
    x = vpaddq_u8(x, y);
    x = vpaddq_u8(x, x);
    return vgetq_lane_u64(vreinterpretq_u64_u8(x), 0);
}

ALWAYS_INLINE struct masks masks_neon(const char *p, const struct edi_syntax *syntax, bool release)
{
    uint8x16_t element = vdupq_n_u8((uint8_t)syntax->element), terminator = vdupq_n_u8((uint8_t)syntax->terminator);
    uint8x16_t component = vdupq_n_u8((uint8_t)or_terminator(syntax->component, syntax));
    uint8x16_t repetition = vdupq_n_u8((uint8_t)or_terminator(syntax->repetition, syntax));
    uint8x16_t t[4], d[4], parts[4], escape[4], r[4];
    struct masks m = { 0, 0, 0, 0, 0 };
    for (unsigned i = 0; i < 4; i++) {
        uint8x16_t v = vld1q_u8((const uint8_t *)p + 16 * i);
        t[i] = vceqq_u8(v, terminator);
        d[i] = vorrq_u8(t[i], vceqq_u8(v, element));
        parts[i] = vorrq_u8(vceqq_u8(v, component), vceqq_u8(v, repetition));
        escape[i] = vorrq_u8(vorrq_u8(vceqq_u8(v, vdupq_n_u8('"')), vceqq_u8(v, vdupq_n_u8('\\'))),
                             vorrq_u8(vcltq_u8(v, vdupq_n_u8(0x20)), vcgeq_u8(v, vdupq_n_u8(0x7f))));
        r[i] = vceqq_u8(v, vdupq_n_u8((uint8_t)syntax->release));
    }
    m.terminator = neon_mask(t[0], t[1], t[2], t[3]);
    m.delimiter = neon_mask(d[0], d[1], d[2], d[3]);
    m.parts = neon_mask(parts[0], parts[1], parts[2], parts[3]) & ~m.delimiter;
    m.escape = neon_mask(escape[0], escape[1], escape[2], escape[3]);
    if (release)
        m.release = neon_mask(r[0], r[1], r[2], r[3]);
    return m;
}

static void index_neon(struct lexer_index *x, const char *block, size_t n, const struct edi_syntax *syntax)
{
    index_block(x, block, n, syntax, masks_neon);
}
#endif

lexer_function *lexer_choose(enum lexer_kind kind)
{
#ifdef HAVE_X86
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                __builtin_cpu_supports("popcnt");
    bool sse2 = __builtin_cpu_supports("sse2") && __builtin_cpu_supports("popcnt");
    if (avx2 && (kind == LEXER_BEST || kind == LEXER_AVX2))
        return index_avx2;
    if (sse2 && (kind == LEXER_BEST || kind == LEXER_SSE2))
        return index_sse2;
#endif
#ifdef HAVE_NEON
    if (kind == LEXER_BEST || kind == LEXER_NEON)
        return index_neon;
#endif
    return kind == LEXER_BEST || kind == LEXER_PLAIN ? index_plain : NULL;
}

const char *lexer_name(lexer_function *f)
{
#ifdef HAVE_X86
    if (f == index_avx2)
        return "AVX2";
    if (f == index_sse2)
        return "SSE2";
#endif
#ifdef HAVE_NEON
    if (f == index_neon)
        return "NEON";
#endif
    return f == index_plain ? "plain C" : "none";
}
