/* json_scan: see json_scan.h. */
#include "tree/json_scan.h"

#include "base/buf.h"

#if defined(__x86_64__) || defined(__i386__)
#define SCAN_X86 1
#include <immintrin.h>
#elif defined(__aarch64__)
#define SCAN_NEON 1
#include <arm_neon.h>
#endif

enum { BLOCK = 64 };

/* What one block of 64 bytes holds, a bit for each byte. */
struct masks {
    uint64_t quote;
    uint64_t backslash;
    uint64_t control;
    bool high;              /* some byte is not ASCII */
};

#define INLINE static inline __attribute__((always_inline))

/* Each bit becomes the parity of all bits up to it: ones from every opening quote to before its closing one. */
INLINE uint64_t parity(uint64_t bits)
{
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    return bits;
}

/* A sequence that is right as far as it goes but is cut by the end of the text. */
static bool utf8_is_cut(const char *p, size_t n)
{
    char whole[4] = { 0 };
    unsigned char lead = (unsigned char)*p;

    if (n == 1)
        return lead >= 0xc2 && lead <= 0xf4;
    if (n > 3)
        return false;
    memcpy(whole, p, n);
    memset(whole + n, 0x80, 4 - n);
    return utf8_length(slice(whole, 4)) > n;
}

/* Checks the UTF-8 of the block at scan->at. Returns where it is bad, or its end. */
static __attribute__((noinline)) size_t check_utf8(struct json_scan *scan, size_t end)
{
    size_t at = scan->utf8 > scan->at ? scan->utf8 : scan->at;

    while (at < end) {
        unsigned n = (signed char)scan->text[at] >= 0 ? 1 : utf8_length(slice(scan->text + at, scan->n - at));
        if (n == 0) {
            scan->bad = utf8_is_cut(scan->text + at, scan->n - at) ? JSON_CUT_UTF8 : JSON_BAD_UTF8;
            return at;
        }
        at += n;
    }
    scan->utf8 = at;
    return end;
}

/* Which bytes are escaped, and (in *starts_r) which backslashes do that. */
INLINE uint64_t find_escapes(struct json_scan *scan, uint64_t backslash, uint64_t *starts_r)
{
    uint64_t escaped = scan->escaped, starts = 0, left = backslash & ~escaped;

    scan->escaped = 0;
    while (left) {
        uint64_t bit = left & (0 - left);
        starts |= bit;
        escaped |= bit << 1;
        scan->escaped = bit >> 63;
        left &= ~(bit | bit << 1);
    }
    *starts_r = starts;
    return escaped;
}

/* The block at scan->at, of which `n` bytes belong to the text. */
INLINE uint32_t *scan_block(struct json_scan *scan, const struct masks *m, size_t n, uint32_t *out)
{
    uint64_t quote = m->quote, starts = 0, inside, places, control;
    size_t base = scan->at, bad = SIZE_MAX;

    if (__builtin_expect((m->backslash | scan->escaped) != 0, 0))
        quote &= ~find_escapes(scan, m->backslash, &starts);
    inside = parity(quote) ^ scan->inside;
    scan->inside = inside >> 63 ? ~(uint64_t)0 : 0;
    places = (quote & ~inside) | (starts & inside);
    control = m->control & inside;
    if (__builtin_expect(m->high, 0)) {
        size_t at = check_utf8(scan, base + n);
        if (at != base + n)
            bad = at - base;
    }
    if (__builtin_expect(control != 0, 0) && (size_t)__builtin_ctzll(control) < bad) {
        bad = (size_t)__builtin_ctzll(control);
        scan->bad = JSON_BAD_CONTROL;
    }
    scan->at = base + n;
    if (__builtin_expect(bad != SIZE_MAX, 0)) {
        /* a sequence that began in the block before was checked there, so bad is inside this one */
        scan->bad_at = base + bad;
        scan->at = scan->n;
        places &= ((uint64_t)1 << bad) - 1;
    }
    if (places) {
        const uint64_t top = (uint64_t)1 << 63;     /* so that the count of zeros is defined */
        unsigned found = (unsigned)__builtin_popcountll(places);
        for (unsigned i = 0; i < 4; i++) {
            out[i] = (uint32_t)base + (uint32_t)__builtin_ctzll(places | top);
            places &= places - 1;
        }
        if (found > 4)
            for (unsigned i = 4; i < 8; i++) {
                out[i] = (uint32_t)base + (uint32_t)__builtin_ctzll(places | top);
                places &= places - 1;
            }
        for (unsigned i = 8; i < found; i++) {
            out[i] = (uint32_t)base + (uint32_t)__builtin_ctzll(places);
            places &= places - 1;
        }
        out += found;
    }
    return out;
}

/* The body of each path's function: only how a block becomes masks differs. The last, short block is filled with
 * blanks, which mean nothing to anybody. */
#define SCAN_BODY(look)                                                          \
    uint32_t *to = out;                                                          \
    size_t end = scan->n - scan->at < bytes ? scan->n : scan->at + bytes;        \
    struct masks m;                                                              \
    while (scan->at + BLOCK <= end) {                                            \
        look(scan->text + scan->at, &m);                                         \
        to = scan_block(scan, &m, BLOCK, to);                                    \
    }                                                                            \
    if (scan->at < end) {                                                        \
        char last[BLOCK];                                                        \
        size_t n = end - scan->at;                                               \
        memset(last, ' ', sizeof(last));                                         \
        memcpy(last, scan->text + scan->at, n);                                  \
        look(last, &m);                                                          \
        to = scan_block(scan, &m, n, to);                                        \
    }                                                                            \
    return (size_t)(to - out)

/* --- plain C: eight bytes at a time --- */

/* The high bit of each byte that is zero in x. Exact. */
INLINE uint64_t zero_bytes(uint64_t x)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7fu;
    return ~(((x & low) + low) | x | low);
}

/* The eight high bits as eight bits, the first byte's lowest. */
INLINE uint64_t gather(uint64_t high_bits)
{
    return ((high_bits >> 7) * 0x0102040810204080u) >> 56;
}

INLINE void look_plain(const char *p, struct masks *m)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t quote = 0, backslash = 0, control = 0, high = 0;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t w;
        memcpy(&w, p + 8 * i, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        w = __builtin_bswap64(w);
#endif
        quote |= gather(zero_bytes(w ^ (ones * '"'))) << 8 * i;
        backslash |= gather(zero_bytes(w ^ (ones * '\\'))) << 8 * i;
        control |= gather(zero_bytes(w & (ones * 0xe0))) << 8 * i;
        high |= w;
    }
    *m = (struct masks){ quote, backslash, control, (high & (ones * 0x80)) != 0 };
}

static size_t scan_plain(struct json_scan *scan, size_t bytes, uint32_t *out)
{
    SCAN_BODY(look_plain);
}

#ifdef SCAN_X86

__attribute__((target("sse2"))) INLINE uint64_t bits_sse2(__m128i a, __m128i b, __m128i c, __m128i d)
{
    return (uint64_t)(uint32_t)_mm_movemask_epi8(a) | (uint64_t)(uint32_t)_mm_movemask_epi8(b) << 16 |
           (uint64_t)(uint32_t)_mm_movemask_epi8(c) << 32 | (uint64_t)(uint32_t)_mm_movemask_epi8(d) << 48;
}

__attribute__((target("sse2"))) INLINE void look_sse2(const char *p, struct masks *m)
{
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
    __m128i a = _mm_loadu_si128((const void *)p), b = _mm_loadu_si128((const void *)(p + 16));
    __m128i c = _mm_loadu_si128((const void *)(p + 32)), d = _mm_loadu_si128((const void *)(p + 48));

    m->quote = bits_sse2(_mm_cmpeq_epi8(a, quote), _mm_cmpeq_epi8(b, quote), _mm_cmpeq_epi8(c, quote),
                         _mm_cmpeq_epi8(d, quote));
    m->backslash = bits_sse2(_mm_cmpeq_epi8(a, backslash), _mm_cmpeq_epi8(b, backslash),
                             _mm_cmpeq_epi8(c, backslash), _mm_cmpeq_epi8(d, backslash));
    m->control = bits_sse2(_mm_cmpeq_epi8(_mm_min_epu8(a, control), a), _mm_cmpeq_epi8(_mm_min_epu8(b, control), b),
                           _mm_cmpeq_epi8(_mm_min_epu8(c, control), c), _mm_cmpeq_epi8(_mm_min_epu8(d, control), d));
    m->high = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d))) != 0;
}

__attribute__((target("sse2"))) static size_t scan_sse2(struct json_scan *scan, size_t bytes, uint32_t *out)
{
    SCAN_BODY(look_sse2);
}

#define AVX2 __attribute__((target("avx2,bmi,popcnt")))

AVX2 INLINE uint64_t bits_avx2(__m256i a, __m256i b)
{
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(a) | (uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32;
}

AVX2 INLINE void look_avx2(const char *p, struct masks *m)
{
    const __m256i quote = _mm256_set1_epi8('"'), backslash = _mm256_set1_epi8('\\');
    const __m256i control = _mm256_set1_epi8(0x1f);
    __m256i a = _mm256_loadu_si256((const void *)p), b = _mm256_loadu_si256((const void *)(p + 32));

    m->quote = bits_avx2(_mm256_cmpeq_epi8(a, quote), _mm256_cmpeq_epi8(b, quote));
    m->backslash = bits_avx2(_mm256_cmpeq_epi8(a, backslash), _mm256_cmpeq_epi8(b, backslash));
    m->control = bits_avx2(_mm256_cmpeq_epi8(_mm256_min_epu8(a, control), a),
                           _mm256_cmpeq_epi8(_mm256_min_epu8(b, control), b));
    m->high = _mm256_movemask_epi8(_mm256_or_si256(a, b)) != 0;
}

AVX2 static size_t scan_avx2(struct json_scan *scan, size_t bytes, uint32_t *out)
{
    SCAN_BODY(look_avx2);
}

#endif

#ifdef SCAN_NEON

/* 64 bytes of all ones or zeros as 64 bits. */
INLINE uint64_t bits_neon(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d)
{
    static const uint8_t weights[16] = { 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128 };
    const uint8x16_t weight = vld1q_u8(weights);
    uint8x16_t ab = vpaddq_u8(vandq_u8(a, weight), vandq_u8(b, weight));
    uint8x16_t cd = vpaddq_u8(vandq_u8(c, weight), vandq_u8(d, weight));
    uint8x16_t all = vpaddq_u8(ab, cd);
    all = vpaddq_u8(all, all);
    return vgetq_lane_u64(vreinterpretq_u64_u8(all), 0);
}

INLINE void look_neon(const char *p, struct masks *m)
{
    const uint8x16_t quote = vdupq_n_u8('"'), backslash = vdupq_n_u8('\\'), control = vdupq_n_u8(0x20);
    uint8x16_t a = vld1q_u8((const uint8_t *)p), b = vld1q_u8((const uint8_t *)p + 16);
    uint8x16_t c = vld1q_u8((const uint8_t *)p + 32), d = vld1q_u8((const uint8_t *)p + 48);

    m->quote = bits_neon(vceqq_u8(a, quote), vceqq_u8(b, quote), vceqq_u8(c, quote), vceqq_u8(d, quote));
    m->backslash = bits_neon(vceqq_u8(a, backslash), vceqq_u8(b, backslash), vceqq_u8(c, backslash),
                             vceqq_u8(d, backslash));
    m->control = bits_neon(vcltq_u8(a, control), vcltq_u8(b, control), vcltq_u8(c, control), vcltq_u8(d, control));
    m->high = vmaxvq_u8(vorrq_u8(vorrq_u8(a, b), vorrq_u8(c, d))) >= 0x80;
}

static size_t scan_neon(struct json_scan *scan, size_t bytes, uint32_t *out)
{
    SCAN_BODY(look_neon);
}

#endif

json_scan_fn *json_scan_for(enum json_path path)
{
    switch (path) {
    case JSON_PLAIN:
        return scan_plain;
#ifdef SCAN_X86
    case JSON_SSE2:
        return __builtin_cpu_supports("sse2") ? scan_sse2 : NULL;
    case JSON_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt")
                   ? scan_avx2
                   : NULL;
    case JSON_BEST:
        for (path = JSON_AVX2; path >= JSON_SSE2; path--)
            if (json_scan_for(path))
                return json_scan_for(path);
        return scan_plain;
#elif defined(SCAN_NEON)
    case JSON_NEON:
    case JSON_BEST:
        return scan_neon;
#else
    case JSON_BEST:
        return scan_plain;
#endif
    default:
        return NULL;
    }
}
