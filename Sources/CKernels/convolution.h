// Causal convolution of rows, by its definition in registers.

#if WIDE
// out_u (+)= sum over p < count of c_p x_{u + p + shift}, for u < outputs, with x = 0 outside
// 0..<inputs; the same for a second pair of coefficients and output where PAIR. Both x and c are
// readable, and zero, CK_PADDING elements beyond either end. `blocks` registers per output.
#define CORRELATE(NAME, PAIR, BLOCKS)                                                              \
    static inline __attribute__((always_inline)) void CK(NAME)(                                    \
        ptrdiff_t u0, ptrdiff_t valid, REAL *restrict out1, REAL *restrict out2,                   \
        const REAL *restrict x, ptrdiff_t inputs, const REAL *restrict c1,                         \
        const REAL *restrict c2, ptrdiff_t count, ptrdiff_t shift, int add) {                      \
        FREELY                                                                                     \
        enum { lanes = LANES };                                                                    \
        CK(lanes) sum1[BLOCKS], sum2[BLOCKS];                                                      \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < BLOCKS; i++) {                      \
            sum1[i] = (CK(lanes)){0};                                                              \
            sum2[i] = (CK(lanes)){0};                                                              \
        }                                                                                          \
        ptrdiff_t from = shift + u0, to = shift + u0 + count + lanes * (BLOCKS - 1);               \
        if (from < 1 - lanes) from = 1 - lanes;                                                    \
        if (to > inputs) to = inputs;                                                              \
        const REAL *w1 = c1 - shift - u0, *w2 = PAIR ? c2 - shift - u0 : 0;                        \
        for (ptrdiff_t r = from; r < to; r++) {                                                    \
            const CK(lanes) v = *(const CK(lanes) *)(x + r);                                       \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < BLOCKS; i++) {                  \
                sum1[i] += w1[r - lanes * i] * v;                                                  \
                if (PAIR) sum2[i] += w2[r - lanes * i] * v;                                        \
            }                                                                                      \
        }                                                                                          \
        REAL kept[lanes * BLOCKS];                                                                 \
        memcpy(kept, sum1, sizeof kept);                                                           \
        for (ptrdiff_t i = 0; i < valid; i++) out1[u0 + i] = (add ? out1[u0 + i] : 0) + kept[i];   \
        if (PAIR) {                                                                                \
            memcpy(kept, sum2, sizeof kept);                                                       \
            for (ptrdiff_t i = 0; i < valid; i++)                                                  \
                out2[u0 + i] = (add ? out2[u0 + i] : 0) + kept[i];                                 \
        }                                                                                          \
    }

#define CK_BLOCKS_ONE 8
#define CK_BLOCKS_PAIR 6
CORRELATE(correlate_one, 0, 8)
CORRELATE(correlate_one_short, 0, 3)
CORRELATE(correlate_pair, 1, 6)
CORRELATE(correlate_pair_short, 1, 3)

static void CK(correlate)(ptrdiff_t outputs, REAL *out1, REAL *out2, const REAL *x,
                          ptrdiff_t inputs, const REAL *c1, const REAL *c2, ptrdiff_t count,
                          ptrdiff_t shift, int add) {
    const ptrdiff_t whole = (ptrdiff_t)(LANES * (out2 ? CK_BLOCKS_PAIR : CK_BLOCKS_ONE));
    const ptrdiff_t part = (ptrdiff_t)(LANES * 3);
    ptrdiff_t u = 0;
    while (u < outputs) {
        const ptrdiff_t left = outputs - u, step = left > part ? whole : part;
        const ptrdiff_t valid = left < step ? left : step;
        if (out2 && step == whole)
            CK(correlate_pair)(u, valid, out1, out2, x, inputs, c1, c2, count, shift, add);
        else if (out2)
            CK(correlate_pair_short)(u, valid, out1, out2, x, inputs, c1, c2, count, shift, add);
        else if (step == whole)
            CK(correlate_one)(u, valid, out1, 0, x, inputs, c1, 0, count, shift, add);
        else
            CK(correlate_one_short)(u, valid, out1, 0, x, inputs, c1, 0, count, shift, add);
        u += step;
    }
}

static void CK(convolve)(size_t rows, size_t length, const REAL *x, size_t stride_x,
                         const REAL *k1, const REAL *k2, REAL *y1, REAL *y2, size_t stride_y,
                         REAL *scratch) {
    const size_t room = length + 2 * CK_PADDING;
    REAL *u = scratch + CK_PADDING, *c1 = u + room, *c2 = c1 + room;
    const ptrdiff_t n = (ptrdiff_t)length;
    memset(scratch, 0, 3 * room * sizeof(REAL));
    CK(reverse)(length, k1, c1);
    if (k2) CK(reverse)(length, k2, c2);
    for (size_t row = 0; row < rows; row++) {
        memcpy(u, x + row * stride_x, length * sizeof(REAL));
        CK(correlate)(n, y1 + row * stride_y, k2 ? y2 + row * stride_y : 0, u, n, c1, c2, n, 1 - n, 0);
    }
}

static void CK(convolve_backward)(size_t rows, size_t length, const REAL *x, size_t stride_x,
                                  const REAL *k1, const REAL *k2, const REAL *dy1,
                                  const REAL *dy2, size_t stride_y, REAL *dx, size_t stride_dx,
                                  REAL *dk1, REAL *dk2, REAL *scratch) {
    const size_t room = length + 2 * CK_PADDING;
    REAL *u = scratch + CK_PADDING, *c1 = u + room, *c2 = c1 + room, *g1 = c2 + room;
    REAL *g2 = g1 + room, *r1 = g2 + room, *r2 = r1 + room;
    const ptrdiff_t n = (ptrdiff_t)length;
    memset(scratch, 0, 7 * room * sizeof(REAL));
    memcpy(c1, k1, length * sizeof(REAL));
    if (k2) memcpy(c2, k2, length * sizeof(REAL));
    for (size_t row = 0; row < rows; row++) {
        memcpy(u, x + row * stride_x, length * sizeof(REAL));
        memcpy(g1, dy1 + row * stride_y, length * sizeof(REAL));
        if (k2) memcpy(g2, dy2 + row * stride_y, length * sizeof(REAL));
        // dk_{n-1-q} = sum over t of dy_t x_{t + q - (n-1)}
        CK(correlate)(n, r1, k2 ? r2 : 0, u, n, g1, g2, n, 1 - n, 1);
        if (!dx) continue;
        CK(correlate)(n, dx + row * stride_dx, 0, g1, n, c1, 0, n, 0, 1);
        if (k2) CK(correlate)(n, dx + row * stride_dx, 0, g2, n, c2, 0, n, 0, 1);
    }
    for (size_t m = 0; m < length; m++) dk1[m] += r1[length - 1 - m];
    if (k2) for (size_t m = 0; m < length; m++) dk2[m] += r2[length - 1 - m];
}
#undef CORRELATE
#undef CK_BLOCKS_ONE
#undef CK_BLOCKS_PAIR
#else
static void CK(convolve)(size_t rows, size_t length, const REAL *x, size_t stride_x,
                         const REAL *k1, const REAL *k2, REAL *y1, REAL *y2, size_t stride_y,
                         REAL *scratch) {
    (void)scratch;
    for (size_t row = 0; row < rows; row++) {
        for (size_t t = 0; t < length; t++) {
            REAL first = 0, second = 0;
            for (size_t j = 0; j <= t; j++) {
                first += k1[j] * x[row * stride_x + t - j];
                if (k2) second += k2[j] * x[row * stride_x + t - j];
            }
            y1[row * stride_y + t] = first;
            if (k2) y2[row * stride_y + t] = second;
        }
    }
}

static void CK(convolve_backward)(size_t rows, size_t length, const REAL *x, size_t stride_x,
                                  const REAL *k1, const REAL *k2, const REAL *dy1,
                                  const REAL *dy2, size_t stride_y, REAL *dx, size_t stride_dx,
                                  REAL *dk1, REAL *dk2, REAL *scratch) {
    (void)scratch;
    for (size_t row = 0; row < rows; row++) {
        for (size_t t = 0; t < length; t++) {
            for (size_t j = 0; j <= t; j++) {
                const REAL u = x[row * stride_x + t - j], g1 = dy1[row * stride_y + t];
                const REAL g2 = k2 ? dy2[row * stride_y + t] : 0;
                dk1[j] += g1 * u;
                if (k2) dk2[j] += g2 * u;
                if (dx) dx[row * stride_dx + t - j] += g1 * k1[j] + (k2 ? g2 * k2[j] : 0);
            }
        }
    }
}
#endif
