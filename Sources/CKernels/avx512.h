// What the single-precision kernels of the AVX-512 variant do with sixteen numbers at once.
#include "normal_table.h"
#include <immintrin.h>

#define CK_INSIDE static inline __attribute__((always_inline))

// The normal distribution function at x, and its density; off by at most 1e-7 and 8e-7.
CK_INSIDE __m512 ck_normal_lanes(__m512 x, __m512 *density) {
    const __m512 width = _mm512_set1_ps(1.0f / 0.375f), shift = _mm512_set1_ps(12582912.0f);
    // Beyond the outermost pieces the function is 0 and 1.
    x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(-6.0f)), _mm512_set1_ps(5.8f));
    const __m512 shifted = _mm512_fmadd_ps(x, width, shift);
    const __m512 r = _mm512_fmsub_ps(x, width, _mm512_sub_ps(shifted, shift));
    const __m512i piece = _mm512_castps_si512(shifted);  // Its last five bits count.
#define ROW(k)                                                                                     \
    _mm512_permutex2var_ps(_mm512_loadu_ps(ck_normal_table[k]), piece,                             \
                           _mm512_loadu_ps(ck_normal_table[k] + 16))
    __m512 p = ROW(5);
    __m512 slope = p;
    p = _mm512_fmadd_ps(p, r, ROW(4));
    slope = _mm512_fmadd_ps(slope, r, p);
    p = _mm512_fmadd_ps(p, r, ROW(3));
    slope = _mm512_fmadd_ps(slope, r, p);
    p = _mm512_fmadd_ps(p, r, ROW(2));
    slope = _mm512_fmadd_ps(slope, r, p);
    p = _mm512_fmadd_ps(p, r, ROW(1));
    slope = _mm512_fmadd_ps(slope, r, p);
    p = _mm512_fmadd_ps(p, r, ROW(0));
#undef ROW
    *density = _mm512_mul_ps(slope, width);
    return p;
}

// `ck_hash` of the sixteen elements that groups 2 * pair and 2 * pair + 1 share.
CK_INSIDE __m512i ck_hash_lanes(const uint32_t *key, uint32_t pair) {
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i h = _mm512_add_epi32(lane, _mm512_set1_epi32((int)(pair << 4)));
    h = _mm512_mullo_epi32(h, _mm512_set1_epi32((int)0x9E3779B1u));
    h = _mm512_xor_si512(h, _mm512_set1_epi32((int)key[0]));
    h = _mm512_xor_si512(h, _mm512_srli_epi32(h, 16));
    h = _mm512_mullo_epi32(h, _mm512_set1_epi32((int)0x85EBCA6Bu));
    h = _mm512_add_epi32(h, _mm512_set1_epi32((int)key[1]));
    h = _mm512_xor_si512(h, _mm512_srli_epi32(h, 13));
    h = _mm512_mullo_epi32(h, _mm512_set1_epi32((int)0xC2B2AE35u));
    return _mm512_xor_si512(h, _mm512_srli_epi32(h, 16));
}

// Which elements of groups `group` and `group + 1` a dropout keeps; `group` is even.
CK_INSIDE void ck_kept_pair(ck_dropout drop, uint32_t group, __mmask16 *kept) {
    kept[0] = kept[1] = 0xFFFF;
    if (drop.threshold == 0) return;
    const __m512i h = ck_hash_lanes(drop.key, group >> 1);
    const __m512i threshold = _mm512_set1_epi32((int)drop.threshold);
    const __m512i low = _mm512_and_si512(h, _mm512_set1_epi32(0xFFFF));
    kept[0] = _mm512_cmpge_epu32_mask(low, threshold);
    kept[1] = _mm512_cmpge_epu32_mask(_mm512_srli_epi32(h, 16), threshold);
}

// Which elements of one group a dropout keeps.
CK_INSIDE __mmask16 ck_kept_group(ck_dropout drop, uint32_t group) {
    __mmask16 kept[2];
    ck_kept_pair(drop, group & ~1u, kept);
    return kept[group & 1];
}
#undef CK_INSIDE
