/* hash: see hash.h. Allocates nothing, keeps nothing. */
#include "base/hash.h"

#include <sys/random.h>
#include <time.h>

struct hash_key hash_key_new(void)
{
    struct hash_key key;

    /* Where there is no randomness yet, at the machine's start, the time and our own place have to do. */
    if (getrandom(&key, sizeof(key), GRND_NONBLOCK) != (ssize_t)sizeof(key)) {
        struct timespec now = { 0 };
        clock_gettime(CLOCK_MONOTONIC, &now);
        key.a = (uint64_t)now.tv_sec << 32 ^ (uint64_t)now.tv_nsec;
        key.b = (uint64_t)(uintptr_t)&key;
    }
    return key;
}

static inline uint64_t turn(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void stir(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = turn(v[1], 13) ^ v[0];
    v[0] = turn(v[0], 32);
    v[2] += v[3];
    v[3] = turn(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = turn(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = turn(v[1], 17) ^ v[2];
    v[2] = turn(v[2], 32);
}

static inline void take_in(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    stir(v);
    v[0] ^= word;
}

uint64_t hash_slice(struct hash_key key, struct slice s)
{
    uint64_t v[4] = { key.a ^ 0x736f6d6570736575u, key.b ^ 0x646f72616e646f6du, key.a ^ 0x6c7967656e657261u,
                      key.b ^ 0x7465646279746573u };
    uint64_t last = (uint64_t)s.n << 56, word;

    for (; s.n >= 8; s = slice_from(s, 8)) {
        memcpy(&word, s.p, 8);
        take_in(v, word);
    }
    for (size_t i = 0; i < s.n; i++)
        last |= (uint64_t)(unsigned char)s.p[i] << 8 * i;
    take_in(v, last);
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 3; i++)
        stir(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
