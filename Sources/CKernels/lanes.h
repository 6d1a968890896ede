// Recurrences and filters over time for many independent rows at once, row b in lane b of every
// step: the second half of body.h, in a file of its own.

// MARK: Between rows and lanes

static void CK(to_lanes)(size_t rows, size_t length, const REAL *x, size_t stride, size_t lanes,
                         REAL *y) {
    size_t b = 0;
#if WIDE && CK_IS_FLOAT
    typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));
    for (; b + 4 <= rows; b += 4) {
        const float *p = x + b * stride;
        float *q = y + b;
        size_t t = 0;
        for (; t + 4 <= length; t += 4) {
            const quad r0 = *(const quad *)(p + t), r1 = *(const quad *)(p + stride + t);
            const quad r2 = *(const quad *)(p + 2 * stride + t);
            const quad r3 = *(const quad *)(p + 3 * stride + t);
            const quad a = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
            const quad c = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
            const quad e = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
            const quad g = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
            *(quad *)(q + t * lanes) = __builtin_shufflevector(a, e, 0, 1, 4, 5);
            *(quad *)(q + (t + 1) * lanes) = __builtin_shufflevector(a, e, 2, 3, 6, 7);
            *(quad *)(q + (t + 2) * lanes) = __builtin_shufflevector(c, g, 0, 1, 4, 5);
            *(quad *)(q + (t + 3) * lanes) = __builtin_shufflevector(c, g, 2, 3, 6, 7);
        }
        for (; t < length; t++)
            for (size_t k = 0; k < 4; k++) q[t * lanes + k] = p[k * stride + t];
    }
#endif
    // A stretch of time at once, so that its lanes stay in the nearest cache from row to row.
    for (size_t t = 0; t < length; t += CK_STRETCH) {
        const size_t end = t + CK_STRETCH < length ? t + CK_STRETCH : length;
        for (size_t r = b; r < rows; r++)
            for (size_t i = t; i < end; i++) y[i * lanes + r] = x[r * stride + i];
        for (size_t i = t; i < end; i++)
            for (size_t k = rows; k < lanes; k++) y[i * lanes + k] = 0;
    }
}

static void CK(from_lanes)(size_t rows, size_t length, size_t lanes, const REAL *y, REAL *x,
                           size_t stride) {
    size_t b = 0;
#if WIDE && CK_IS_FLOAT
    typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));
    for (; b + 4 <= rows; b += 4) {
        float *p = x + b * stride;
        const float *q = y + b;
        size_t t = 0;
        for (; t + 4 <= length; t += 4) {
            const quad r0 = *(const quad *)(q + t * lanes);
            const quad r1 = *(const quad *)(q + (t + 1) * lanes);
            const quad r2 = *(const quad *)(q + (t + 2) * lanes);
            const quad r3 = *(const quad *)(q + (t + 3) * lanes);
            const quad a = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
            const quad c = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
            const quad e = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
            const quad g = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
            *(quad *)(p + t) = __builtin_shufflevector(a, e, 0, 1, 4, 5);
            *(quad *)(p + stride + t) = __builtin_shufflevector(a, e, 2, 3, 6, 7);
            *(quad *)(p + 2 * stride + t) = __builtin_shufflevector(c, g, 0, 1, 4, 5);
            *(quad *)(p + 3 * stride + t) = __builtin_shufflevector(c, g, 2, 3, 6, 7);
        }
        for (; t < length; t++)
            for (size_t k = 0; k < 4; k++) p[k * stride + t] = q[t * lanes + k];
    }
#endif
    for (size_t t = 0; t < length; t += CK_STRETCH) {
        const size_t end = t + CK_STRETCH < length ? t + CK_STRETCH : length;
        for (size_t r = b; r < rows; r++)
            for (size_t i = t; i < end; i++) x[r * stride + i] = y[i * lanes + r];
    }
}

// MARK: Filters over time

#if WIDE
// Registers of one block: GROUPS vectors of lanes by STEPS points in time, and LAGS lags of the
// three products; as many as the variant's register file holds.
#if VECTOR == 64
#define GROUPS 4
#define PAIR_GROUPS 2
#define LAGS 8
#else
#define GROUPS 2
#define PAIR_GROUPS 1
#define LAGS 4
#endif
#define STEPS 4
#define UNROLLED _Pragma("clang loop unroll(full)")

#define AUTOREGRESS(NAME, G, T)                                                                    \
    static inline __attribute__((always_inline)) void CK(NAME)(                                    \
        ptrdiff_t d, const REAL *alpha, const REAL *u, REAL *w, ptrdiff_t step) {                  \
        FREELY                                                                                     \
        enum { wide = LANES };                                                                     \
        CK(lanes) sum[T][G];                                                                       \
        UNROLLED for (int i = 0; i < T; i++) {                                                     \
            UNROLLED for (int g = 0; g < G; g++)                                                   \
                sum[i][g] = *(const CK(lanes) *)(u + i * step + g * wide);                         \
        }                                                                                          \
        for (ptrdiff_t k = d; k >= 1; k--) {                                                       \
            const REAL *row = w - k * step;                                                        \
            UNROLLED for (int g = 0; g < G; g++) {                                                 \
                const CK(lanes) v = *(const CK(lanes) *)(row + g * wide);                          \
                UNROLLED for (int i = 0; i < T; i++) sum[i][g] += alpha[k + i - 1] * v;            \
            }                                                                                      \
        }                                                                                          \
        UNROLLED for (int i = 0; i < T; i++) {                                                     \
            UNROLLED for (int g = 0; g < G; g++) {                                                 \
                *(CK(lanes) *)(w + i * step + g * wide) = sum[i][g];                               \
                UNROLLED for (int n = i + 1; n < T; n++)                                           \
                    sum[n][g] += alpha[n - i - 1] * sum[i][g];                                     \
            }                                                                                      \
        }                                                                                          \
    }
AUTOREGRESS(autoregress_block, GROUPS, STEPS)
AUTOREGRESS(autoregress_narrow, 1, STEPS)
AUTOREGRESS(autoregress_last, 1, 1)
#undef AUTOREGRESS

static void CK(autoregress)(size_t d, size_t length, size_t lanes, const REAL *alpha,
                            const REAL *u, REAL *w, ptrdiff_t step) {
    const ptrdiff_t wide = LANES, count = (ptrdiff_t)lanes, n = (ptrdiff_t)length;
    for (ptrdiff_t lane = 0; lane < count;) {
        const int whole = count - lane >= GROUPS * wide;
        ptrdiff_t t = 0;
        for (; t + STEPS <= n; t += STEPS) {
            const ptrdiff_t place = t * step + lane;
            if (whole)
                CK(autoregress_block)((ptrdiff_t)d, alpha, u + place, w + place, step);
            else
                CK(autoregress_narrow)((ptrdiff_t)d, alpha, u + place, w + place, step);
        }
        const ptrdiff_t end = lane + (whole ? GROUPS * wide : wide);
        for (; t < n; t++)
            for (ptrdiff_t l = lane; l < end; l += wide)
                CK(autoregress_last)((ptrdiff_t)d, alpha, u + t * step + l, w + t * step + l, step);
        lane = end;
    }
}

#define FILTER(NAME, TWO_OUT, G, T)                                                                \
    static inline __attribute__((always_inline)) void CK(NAME)(                                    \
        ptrdiff_t d, const REAL *n1, const REAL *n2, const REAL *x1, const REAL *x2, REAL *y1,     \
        REAL *y2, ptrdiff_t step) {                                                                \
        FREELY                                                                                     \
        enum { wide = LANES };                                                                     \
        CK(lanes) sum1[T][G], sum2[T][G];                                                          \
        UNROLLED for (int i = 0; i < T; i++) {                                                     \
            UNROLLED for (int g = 0; g < G; g++) {                                                 \
                sum1[i][g] = TWO_OUT ? (CK(lanes)){0}                                              \
                                     : *(const CK(lanes) *)(y1 + i * step + g * wide);             \
                sum2[i][g] = (CK(lanes)){0};                                                       \
            }                                                                                      \
        }                                                                                          \
        for (ptrdiff_t q = 1 - d; q < T; q++) {                                                    \
            UNROLLED for (int g = 0; g < G; g++) {                                                 \
                const CK(lanes) v = *(const CK(lanes) *)(x1 + q * step + g * wide);                \
                const CK(lanes) s = TWO_OUT ? v : *(const CK(lanes) *)(x2 + q * step + g * wide);  \
                UNROLLED for (int i = 0; i < T; i++) {                                             \
                    sum1[i][g] += n1[i - q] * v;                                                   \
                    sum2[i][g] += n2[i - q] * s;                                                   \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        UNROLLED for (int i = 0; i < T; i++) {                                                     \
            UNROLLED for (int g = 0; g < G; g++) {                                                 \
                if (TWO_OUT) {                                                                     \
                    *(CK(lanes) *)(y1 + i * step + g * wide) = sum1[i][g];                         \
                    *(CK(lanes) *)(y2 + i * step + g * wide) = sum2[i][g];                         \
                } else {                                                                           \
                    *(CK(lanes) *)(y1 + i * step + g * wide) = sum1[i][g] + sum2[i][g];            \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
FILTER(filter_pair_block, 1, PAIR_GROUPS, STEPS)
FILTER(filter_pair_narrow, 1, 1, STEPS)
FILTER(filter_pair_last, 1, 1, 1)
FILTER(filter_sum_block, 0, PAIR_GROUPS, STEPS)
FILTER(filter_sum_narrow, 0, 1, STEPS)
FILTER(filter_sum_last, 0, 1, 1)
#undef FILTER

#define FILTER_ALL(NAME, X2, Y2)                                                                   \
    const ptrdiff_t wide = LANES, count = (ptrdiff_t)lanes, n = (ptrdiff_t)length;                 \
    for (ptrdiff_t lane = 0; lane < count;) {                                                      \
        const int whole = count - lane >= PAIR_GROUPS * wide;                                      \
        const ptrdiff_t end = lane + (whole ? PAIR_GROUPS * wide : wide);                          \
        ptrdiff_t t = 0;                                                                           \
        for (; t + STEPS <= n; t += STEPS) {                                                       \
            const ptrdiff_t at = t * step + lane;                                                  \
            if (whole)                                                                             \
                CK(NAME##_block)((ptrdiff_t)d, n1, n2, x1 + at, X2 + at, y1 + at, Y2 + at, step);  \
            else                                                                                   \
                CK(NAME##_narrow)((ptrdiff_t)d, n1, n2, x1 + at, X2 + at, y1 + at, Y2 + at, step); \
        }                                                                                          \
        for (; t < n; t++)                                                                         \
            for (ptrdiff_t l = lane; l < end; l += wide)                                           \
                CK(NAME##_last)((ptrdiff_t)d, n1, n2, x1 + t * step + l, X2 + t * step + l,        \
                                y1 + t * step + l, Y2 + t * step + l, step);                       \
        lane = end;                                                                                \
    }

static void CK(filter_pair)(size_t d, size_t length, size_t lanes, const REAL *n1, const REAL *n2,
                            const REAL *x1, REAL *y1, REAL *y2, ptrdiff_t step) {
    FILTER_ALL(filter_pair, x1, y2)
}

static void CK(filter_sum)(size_t d, size_t length, size_t lanes, const REAL *n1, const REAL *x1,
                           const REAL *n2, const REAL *x2, REAL *y1, ptrdiff_t step) {
    FILTER_ALL(filter_sum, x2, y1)
}
#undef FILTER_ALL

static inline REAL CK(across)(CK(lanes) v) {
    REAL total = 0;
    for (size_t i = 0; i < LANES; i++) total += v[i];
    return total;
}

#define LAG_PRODUCTS(NAME, J)                                                                      \
    static inline __attribute__((always_inline)) void CK(NAME)(                                    \
        ptrdiff_t count, ptrdiff_t lanes, const REAL *w, const REAL *s1, const REAL *s2,           \
        const REAL *s3, REAL *out1, REAL *out2, REAL *out3) {                                      \
        FREELY                                                                                     \
        CK(lanes) sum1[J], sum2[J], sum3[J];                                                       \
        UNROLLED for (int j = 0; j < J; j++) {                                                     \
            sum1[j] = (CK(lanes)){0};                                                              \
            sum2[j] = (CK(lanes)){0};                                                              \
            sum3[j] = (CK(lanes)){0};                                                              \
        }                                                                                          \
        for (ptrdiff_t i = 0; i < count; i += (ptrdiff_t)LANES) {                                  \
            const CK(lanes) a = *(const CK(lanes) *)(s1 + i), b = *(const CK(lanes) *)(s2 + i);    \
            const CK(lanes) c = *(const CK(lanes) *)(s3 + i);                                      \
            UNROLLED for (int j = 0; j < J; j++) {                                                 \
                const CK(lanes) v = *(const CK(lanes) *)(w + i - j * lanes);                       \
                sum1[j] += a * v;                                                                  \
                sum2[j] += b * v;                                                                  \
                sum3[j] += c * v;                                                                  \
            }                                                                                      \
        }                                                                                          \
        UNROLLED for (int j = 0; j < J; j++) {                                                     \
            out1[j] += CK(across)(sum1[j]);                                                        \
            out2[j] += CK(across)(sum2[j]);                                                        \
            out3[j] += CK(across)(sum3[j]);                                                        \
        }                                                                                          \
    }
LAG_PRODUCTS(lag_products_block, LAGS)
LAG_PRODUCTS(lag_products_last, 1)
#undef LAG_PRODUCTS

// The same for one signal, with twice the lags.
#define LAG_PRODUCT(NAME, J)                                                                       \
    static inline __attribute__((always_inline)) void CK(NAME)(                                    \
        ptrdiff_t count, ptrdiff_t lanes, const REAL *w, const REAL *s, REAL *out) {               \
        FREELY                                                                                     \
        CK(lanes) sum[J];                                                                          \
        UNROLLED for (int j = 0; j < J; j++) sum[j] = (CK(lanes)){0};                              \
        for (ptrdiff_t i = 0; i < count; i += (ptrdiff_t)LANES) {                                  \
            const CK(lanes) a = *(const CK(lanes) *)(s + i);                                       \
            UNROLLED for (int j = 0; j < J; j++)                                                   \
                sum[j] += a * *(const CK(lanes) *)(w + i - j * lanes);                             \
        }                                                                                          \
        UNROLLED for (int j = 0; j < J; j++) out[j] += CK(across)(sum[j]);                         \
    }
LAG_PRODUCT(lag_product_block, (2 * LAGS))
LAG_PRODUCT(lag_product_last, 1)
#undef LAG_PRODUCT

static void CK(lag_products)(size_t d, size_t length, size_t lanes, const REAL *w, const REAL *s1,
                             const REAL *s2, const REAL *s3, REAL *out1, REAL *out2, REAL *out3) {
    const ptrdiff_t count = (ptrdiff_t)(length * lanes), width = (ptrdiff_t)lanes;
    size_t j = 0;
    if (!s2) {
        for (; j + 2 * LAGS <= d; j += 2 * LAGS)
            CK(lag_product_block)(count, width, w - (ptrdiff_t)j * width, s1, out1 + j);
        for (; j < d; j++)
            CK(lag_product_last)(count, width, w - (ptrdiff_t)j * width, s1, out1 + j);
        return;
    }
    for (; j + LAGS <= d; j += LAGS)
        CK(lag_products_block)(count, width, w - (ptrdiff_t)j * width, s1, s2, s3, out1 + j,
                               out2 + j, out3 + j);
    for (; j < d; j++)
        CK(lag_products_last)(count, width, w - (ptrdiff_t)j * width, s1, s2, s3, out1 + j,
                              out2 + j, out3 + j);
}

#undef GROUPS
#undef PAIR_GROUPS
#undef LAGS
#undef STEPS
#undef UNROLLED
#else
static void CK(autoregress)(size_t d, size_t length, size_t lanes, const REAL *alpha,
                            const REAL *u, REAL *w, ptrdiff_t step) {
    for (ptrdiff_t t = 0; t < (ptrdiff_t)length; t++) {
        for (ptrdiff_t lane = 0; lane < (ptrdiff_t)lanes; lane++) {
            REAL sum = u[t * step + lane];
            for (ptrdiff_t j = 1; j <= (ptrdiff_t)d; j++)
                sum += alpha[j - 1] * w[(t - j) * step + lane];
            w[t * step + lane] = sum;
        }
    }
}

static void CK(filter_pair)(size_t d, size_t length, size_t lanes, const REAL *n1, const REAL *n2,
                            const REAL *w, REAL *y1, REAL *y2, ptrdiff_t step) {
    for (ptrdiff_t t = 0; t < (ptrdiff_t)length; t++) {
        for (ptrdiff_t lane = 0; lane < (ptrdiff_t)lanes; lane++) {
            REAL first = 0, second = 0;
            for (ptrdiff_t j = 0; j < (ptrdiff_t)d; j++) {
                first += n1[j] * w[(t - j) * step + lane];
                second += n2[j] * w[(t - j) * step + lane];
            }
            y1[t * step + lane] = first;
            y2[t * step + lane] = second;
        }
    }
}

static void CK(filter_sum)(size_t d, size_t length, size_t lanes, const REAL *n1, const REAL *x1,
                           const REAL *n2, const REAL *x2, REAL *y, ptrdiff_t step) {
    for (ptrdiff_t t = 0; t < (ptrdiff_t)length; t++) {
        for (ptrdiff_t lane = 0; lane < (ptrdiff_t)lanes; lane++) {
            REAL sum = 0;
            for (ptrdiff_t j = 0; j < (ptrdiff_t)d; j++)
                sum += n1[j] * x1[(t - j) * step + lane] + n2[j] * x2[(t - j) * step + lane];
            y[t * step + lane] += sum;
        }
    }
}

static void CK(lag_products)(size_t d, size_t length, size_t lanes, const REAL *w, const REAL *s1,
                             const REAL *s2, const REAL *s3, REAL *out1, REAL *out2, REAL *out3) {
    for (ptrdiff_t j = 0; j < (ptrdiff_t)d; j++) {
        for (ptrdiff_t t = 0; t < (ptrdiff_t)length; t++) {
            for (ptrdiff_t lane = 0; lane < (ptrdiff_t)lanes; lane++) {
                const REAL v = w[(t - j) * (ptrdiff_t)lanes + lane];
                out1[j] += s1[t * (ptrdiff_t)lanes + lane] * v;
                if (!s2) continue;
                out2[j] += s2[t * (ptrdiff_t)lanes + lane] * v;
                out3[j] += s3[t * (ptrdiff_t)lanes + lane] * v;
            }
        }
    }
}
#endif

// MARK: Numerators

static void CK(numerators)(size_t d, const REAL *a, const REAL *b, REAL *x, ptrdiff_t stride) {
    memcpy(x, b, d * sizeof(REAL));
    for (size_t j = 1; j < d; j++, x += stride) {
        CK(companion_step)(d, a, x, x + stride);
        CK(axpy)(d, -a[d - j], b, x + stride);
    }
}

static void CK(numerators_backward)(size_t d, const REAL *a, const REAL *b, const REAL *x,
                                    REAL *dx, ptrdiff_t stride, REAL *da, REAL *db) {
    for (ptrdiff_t j = (ptrdiff_t)d - 1; j >= 1; j--) {
        REAL *above = dx + j * stride;
        da[(ptrdiff_t)d - j] -= CK(short_dot)(d, b, above);
        CK(axpy)(d, -a[(ptrdiff_t)d - j], above, db);
        CK(companion_step_back)(d, a, above, x[(j - 1) * stride + (ptrdiff_t)d - 1],
                                above - stride, da);
    }
    CK(axpy)(d, 1, dx, db);
}
