// Filters over time for many rows at once whose results are those of each row alone, to the last bit:
// nothing is contracted or reassociated, in any variant.

#if WIDE
#define SIDE CK(lanes)
#define SIDE_WIDTH LANES
#else
#define SIDE REAL
#define SIDE_WIDTH 1
#endif
// Two registers where sixteen lanes fill them: recurrences wait for themselves, not for each other.
#define SIDE_GROUPS (16 / SIDE_WIDTH >= 2 ? 2 : 1)
#define UNROLLED _Pragma("clang loop unroll(full)")

// K sections in one walk behind those `before` them; `first` is the first input of all.
#define BIQUADS(NAME, K)                                                                           \
    static inline __attribute__((always_inline)) void CK(NAME)(                                    \
        size_t before, size_t length, const REAL *c, const SIDE *first, REAL *y, ptrdiff_t step) { \
        enum { wide = SIDE_WIDTH, groups = SIDE_GROUPS };                                          \
        SIDE z1[K][groups], z2[K][groups];                                                         \
        UNROLLED for (int g = 0; g < groups; g++) {                                                \
            SIDE level = first[g];                                                                 \
            for (size_t k = 0; k < before; k++) level *= CK(biquad_gain)(c + 5 * k);               \
            UNROLLED for (int k = 0; k < K; k++) {                                                 \
                const REAL *s = c + 5 * (before + k);                                              \
                const SIDE settled = level * CK(biquad_gain)(s);                                   \
                z1[k][g] = settled - s[0] * level;                                                 \
                z2[k][g] = s[2] * level - s[4] * settled;                                          \
                level = settled;                                                                   \
            }                                                                                      \
        }                                                                                          \
        for (size_t t = 0; t < length; t++, y += step) {                                           \
            UNROLLED for (int g = 0; g < groups; g++) {                                            \
                SIDE v = *(const SIDE *)(y + g * wide);                                            \
                UNROLLED for (int k = 0; k < K; k++) {                                             \
                    const REAL *s = c + 5 * (before + k);                                          \
                    const SIDE out = s[0] * v + z1[k][g];                                          \
                    z1[k][g] = s[1] * v - s[3] * out + z2[k][g];                                   \
                    z2[k][g] = s[2] * v - s[4] * out;                                              \
                    v = out;                                                                       \
                }                                                                                  \
                *(SIDE *)(y + g * wide) = v;                                                       \
            }                                                                                      \
        }                                                                                          \
    }

static inline REAL CK(biquad_gain)(const REAL *s) { return (s[0] + s[1] + s[2]) / (1 + s[3] + s[4]); }
BIQUADS(biquads_3, 3)
BIQUADS(biquads_2, 2)
BIQUADS(biquads_1, 1)
#undef BIQUADS

static void CK(biquads)(size_t sections, size_t length, size_t lanes, const REAL *c, REAL *y,
                        ptrdiff_t step) {
    enum { wide = SIDE_WIDTH, groups = SIDE_GROUPS };
    for (size_t lane = 0; lane < lanes && length > 0; lane += wide * groups) {
        SIDE first[groups];
        for (int g = 0; g < groups; g++) first[g] = *(const SIDE *)(y + lane + (size_t)(g * wide));
        for (size_t k = 0; k < sections;) {
            const size_t left = sections - k;
            if (left >= 3) CK(biquads_3)(k, length, c, first, y + lane, step);
            else if (left == 2) CK(biquads_2)(k, length, c, first, y + lane, step);
            else CK(biquads_1)(k, length, c, first, y + lane, step);
            k += left >= 3 ? 3 : left;
        }
    }
}

static void CK(polyphase)(size_t up, size_t down, size_t half, const REAL *taps, size_t length,
                          size_t lanes, const REAL *x, size_t count, REAL *y) {
    enum { wide = SIDE_WIDTH, groups = SIDE_GROUPS };
    for (size_t m = 0; m < count; m++) {
        // x_i stands at i*up among the fine points in time, and the result at m*down.
        const size_t place = m * down;
        const size_t first = place > half ? (place - half + up - 1) / up : 0;
        const size_t last = (place + half) / up;
        const size_t end = last < length ? last + 1 : length;
        for (size_t lane = 0; lane < lanes; lane += wide * groups) {
            SIDE sum[groups];
            UNROLLED for (int g = 0; g < groups; g++) sum[g] = (SIDE){0};
            const REAL *tap = taps + (place + half - first * up);
            for (size_t i = first; i < end; i++, tap -= up) {
                UNROLLED for (int g = 0; g < groups; g++)
                    sum[g] += *(const SIDE *)(x + i * lanes + lane + (size_t)(g * wide)) * *tap;
            }
            UNROLLED for (int g = 0; g < groups; g++)
                *(SIDE *)(y + m * lanes + lane + (size_t)(g * wide)) = sum[g];
        }
    }
}

#undef UNROLLED
#undef SIDE
#undef SIDE_WIDTH
#undef SIDE_GROUPS
