// The kernels, once for every variant and type. The includer defines
//   REAL     float or double          CK(name)  the name with its type and variant
//   WIDE     0 for the reference: strict order of operations, library functions, no fused products
//   VECTOR   bytes of a vector register, where WIDE
//   FREELY   a pragma that allows fused products and another order of summation, where WIDE

#if WIDE
#define LANES (VECTOR / sizeof(REAL))
typedef REAL CK(lanes) __attribute__((vector_size(VECTOR), aligned(sizeof(REAL)), may_alias));
#endif

// An output may be one of the inputs, element by element: that hinders nothing.
#if WIDE && CK_IS_FLOAT  // The double ones call the library.
#define ELEMENTWISE _Pragma("clang loop vectorize(assume_safety)")
#else
#define ELEMENTWISE
#endif

#define KEPT(i) (ck_keeps(drop, (uint32_t)(i)) ? scale : (REAL)0)

// MARK: Pointwise

#if WIDE && CK_IS_FLOAT
// Half of erfcx(z / sqrt 2) for z >= 0, as a polynomial in 1 / (1 + 0.23 z): relative error below
// 5e-8 up to z = 14, beyond which the factor exp(-z z / 2) has vanished.
static inline float CK(half_erfcx)(float z) {
    FREELY
    const float t = 1.0f / (1.0f + 0.23f * z);
    float w = -0.0784675968031661f;
    w = w * t + 0.29041471491419546f;
    w = w * t - 0.27812794108139316f;
    w = w * t + 0.30147360922868044f;
    w = w * t - 0.03292052268712957f;
    w = w * t + 0.11951408210676276f;
    w = w * t + 0.08576294440905244f;
    w = w * t + 0.0923784476578447f;
    return w * t - 2.776155307079864e-05f;
}

// exp(x) for -87 <= x <= 0 by Cody and Waite's reduction; relative error below 2e-7.
static inline float CK(exponential)(float x) {
    FREELY
    x = x < -87.0f ? -87.0f : x;
    const float shifted = x * 1.44269504088896341f + 12582912.0f;
    const float n = shifted - 12582912.0f;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    uint32_t bits;
    memcpy(&bits, &p, 4);
    uint32_t place;
    memcpy(&place, &shifted, 4);
    bits += place << 23;
    memcpy(&p, &bits, 4);
    return p;
}

// The normal distribution function at x, and its density. Both tails end at 9, where they are below
// 1e-17: what comes after would be subnormal numbers, which make products 20 times slower.
static inline float CK(normal)(float x, float *density) {
    FREELY
    const float z = x < 0 ? -x : x;
    const float e = z < 9.0f ? CK(exponential)(-0.5f * z * z) : 0.0f;
    const float tail = e * CK(half_erfcx)(z);
    *density = 0.39894228040143267794f * e;
    return x < 0 ? tail : 1.0f - tail;
}
#else
static inline REAL CK(normal)(REAL x, REAL *density) {
    *density = (REAL)(0.39894228040143267794 * exp(-0.5 * (double)x * (double)x));
    return (REAL)(0.5 * erfc(-(double)x * 0.70710678118654752440));
}
#endif

static void CK(dropout)(size_t n, const REAL *x, REAL *y, ck_dropout drop) {
    const REAL scale = (REAL)drop.scale;
    ELEMENTWISE
    for (size_t i = 0; i < n; i++) y[i] = x[i] * KEPT(i);
}

#if WIDE && CK_IS_FLOAT && VECTOR == 64
// Calls GROUP(i, lanes, kept) for every sixteen elements from i on, the last ones with a mask of
// those that exist; `kept` says which of them a dropout keeps.
#define EACH_GROUP(...)                                                                            \
    for (size_t i = 0; i < n; i += 16) {                                                           \
        const uint32_t group = (drop.offset + (uint32_t)i) / 16;                                   \
        const __mmask16 lanes = n - i < 16 ? (__mmask16)((1u << (n - i)) - 1) : 0xFFFF;            \
        if (i == 0 || group % 2 == 0) ck_kept_pair(drop, group & ~1u, pair);                       \
        const __mmask16 kept = pair[group % 2];                                                    \
        __VA_ARGS__                                                                                  \
    }

static void CK(gelu)(size_t n, const REAL *x, REAL *y, ck_dropout drop) {
    if (drop.threshold != 0 && drop.offset % 16 != 0) {
        const REAL scale = (REAL)drop.scale;
        REAL density;
        for (size_t i = 0; i < n; i++) y[i] = x[i] * CK(normal)(x[i], &density) * KEPT(i);
        return;
    }
    const __m512 scale = _mm512_set1_ps((float)drop.scale);
    __mmask16 pair[2];
    EACH_GROUP({
        __m512 density;
        const __m512 v = _mm512_maskz_loadu_ps(lanes, x + i), p = ck_normal_lanes(v, &density);
        _mm512_mask_storeu_ps(y + i, lanes,
                              _mm512_maskz_mul_ps(kept, _mm512_mul_ps(v, scale), p));
    })
}

static void CK(gelu_backward)(size_t n, const REAL *x, const REAL *dy, REAL *value, REAL *dx,
                              ck_dropout drop) {
    if (drop.threshold != 0 && drop.offset % 16 != 0) {
        const REAL scale = (REAL)drop.scale;
        for (size_t i = 0; i < n; i++) {
            REAL density;
            const REAL p = CK(normal)(x[i], &density), keep = KEPT(i);
            value[i] = x[i] * p * keep;
            dx[i] = dy[i] * (p + x[i] * density) * keep;
        }
        return;
    }
    const __m512 scale = _mm512_set1_ps((float)drop.scale);
    __mmask16 pair[2];
    EACH_GROUP({
        __m512 density;
        const __m512 v = _mm512_maskz_loadu_ps(lanes, x + i), p = ck_normal_lanes(v, &density);
        const __m512 d = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, dy + i), scale);
        _mm512_mask_storeu_ps(value + i, lanes,
                              _mm512_maskz_mul_ps(kept, _mm512_mul_ps(v, scale), p));
        _mm512_mask_storeu_ps(dx + i, lanes,
                              _mm512_maskz_mul_ps(kept, d, _mm512_fmadd_ps(v, density, p)));
    })
}
#undef EACH_GROUP
#else
static void CK(gelu)(size_t n, const REAL *x, REAL *y, ck_dropout drop) {
    FREELY
    const REAL scale = (REAL)drop.scale;
    REAL density;
    if (drop.threshold == 0) {
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) y[i] = x[i] * CK(normal)(x[i], &density);
    } else {
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) y[i] = x[i] * CK(normal)(x[i], &density) * KEPT(i);
    }
}

static void CK(gelu_backward)(size_t n, const REAL *x, const REAL *dy, REAL *value, REAL *dx,
                              ck_dropout drop) {
    FREELY
    const REAL scale = (REAL)drop.scale;
    ELEMENTWISE
    for (size_t i = 0; i < n; i++) {
        REAL density;
        const REAL p = CK(normal)(x[i], &density), keep = KEPT(i);
        value[i] = x[i] * p * keep;
        dx[i] = dy[i] * (p + x[i] * density) * keep;
    }
}
#endif

static void CK(axpy)(size_t n, REAL alpha, const REAL *x, REAL *y) {
    FREELY
    ELEMENTWISE
    for (size_t i = 0; i < n; i++) y[i] += alpha * x[i];
}

static void CK(combine)(size_t n, REAL alpha, const REAL *x, REAL beta, REAL constant, REAL *y) {
    FREELY
    if (beta == 0) {  // y may hold anything, NaN as well.
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) y[i] = alpha * x[i] + constant;
    } else {
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) y[i] = alpha * x[i] + beta * y[i] + constant;
    }
}

static void CK(fill)(size_t n, REAL value, REAL *y) {
    for (size_t i = 0; i < n; i++) y[i] = value;
}

static void CK(reverse)(size_t n, const REAL *x, REAL *y) {
    for (size_t i = 0; i < n; i++) y[i] = x[n - 1 - i];
}

static void CK(normalise)(size_t n, const REAL *x, REAL *y) {
    FREELY
    REAL norm = 0;
    for (size_t i = 0; i < n; i++) norm += x[i] < 0 ? -x[i] : x[i];
    if (norm <= (REAL)1e-4) norm = 1;
    for (size_t i = 0; i < n; i++) y[i] = x[i] / norm;
}

static void CK(normalise_backward)(size_t n, const REAL *x, const REAL *y, const REAL *dy,
                                   REAL *dx) {
    FREELY
    REAL norm = 0, along = 0;
    for (size_t i = 0; i < n; i++) {
        norm += x[i] < 0 ? -x[i] : x[i];
        along += dy[i] * y[i];
    }
    if (norm <= (REAL)1e-4) {
        norm = 1;
        along = 0;
    }
    for (size_t i = 0; i < n; i++) {
        const REAL sign = (REAL)((x[i] > 0) - (x[i] < 0));
        dx[i] += (dy[i] - along * sign) / norm;
    }
}

static void CK(spectra)(size_t n, REAL factor, const REAL *x, const REAL *y, REAL *z,
                        int conjugate, int add) {
    FREELY
    const REAL sign = conjugate ? (REAL)-1 : (REAL)1;
    for (size_t i = 0; i < n; i++) {
        const REAL a = x[2 * i], b = x[2 * i + 1], c = factor * y[2 * i];
        const REAL d = factor * sign * y[2 * i + 1];
        const REAL re = add ? z[2 * i] : 0, im = add ? z[2 * i + 1] : 0;
        z[2 * i] = re + (a * c - b * d);
        z[2 * i + 1] = im + (a * d + b * c);
    }
}

// MARK: Reductions

static double CK(dot)(size_t n, const REAL *x, const REAL *y) {
    FREELY
    double total = 0;
    for (size_t start = 0; start < n; start += 1024) {
        const size_t end = n - start < 1024 ? n : start + 1024;
        REAL part = 0;
        for (size_t i = start; i < end; i++) part += x[i] * y[i];
        total += (double)part;
    }
    return total;
}

static double CK(sum)(size_t n, const REAL *x) {
    FREELY
    double total = 0;
    for (size_t start = 0; start < n; start += 1024) {
        const size_t end = n - start < 1024 ? n : start + 1024;
        REAL part = 0;
        for (size_t i = start; i < end; i++) part += x[i];
        total += (double)part;
    }
    return total;
}

static double CK(squared_distance)(size_t n, const REAL *x, const REAL *y) {
    FREELY
    double total = 0;
    for (size_t start = 0; start < n; start += 1024) {
        const size_t end = n - start < 1024 ? n : start + 1024;
        REAL part = 0;
        for (size_t i = start; i < end; i++) part += (x[i] - y[i]) * (x[i] - y[i]);
        total += (double)part;
    }
    return total;
}

// MARK: Optimiser

static void CK(adamw)(size_t n, REAL *theta, const REAL *gradient, REAL *first, REAL *second,
                      double factor, double rate, double decay, double beta1, double beta2,
                      double correction1, double correction2, double epsilon) {
    FREELY
    const REAL f = (REAL)factor, b1 = (REAL)beta1, b2 = (REAL)beta2;
    const REAL one_b1 = (REAL)(1 - beta1), one_b2 = (REAL)(1 - beta2);
    const REAL keep = (REAL)(1 - rate * decay), step = (REAL)(rate / correction1);
    const REAL root = (REAL)(1 / sqrt(correction2)), eps = (REAL)epsilon;
    ELEMENTWISE
    for (size_t i = 0; i < n; i++) {
        const REAL g = gradient[i] * f;
        first[i] = b1 * first[i] + one_b1 * g;
        second[i] = b2 * second[i] + one_b2 * g * g;
        theta[i] = theta[i] * keep - step * first[i] / (CK(root)(second[i]) * root + eps);
    }
}

// MARK: Companion recurrences

static inline REAL CK(short_dot)(size_t n, const REAL *x, const REAL *y) {
    FREELY
    REAL total = 0;
    for (size_t i = 0; i < n; i++) total += x[i] * y[i];
    return total;
}

// next = A x
static inline void CK(companion_step)(size_t d, const REAL *restrict a, const REAL *restrict x,
                                      REAL *restrict next) {
    FREELY
    const REAL last = x[d - 1];
    next[0] = a[0] * last;
    for (size_t i = 1; i < d; i++) next[i] = x[i - 1] + a[i] * last;
}

static void CK(krylov)(size_t d, size_t length, const REAL *a, const REAL *b, REAL *x,
                       ptrdiff_t stride) {
    if (length == 0) return;
    memcpy(x, b, d * sizeof(REAL));
    for (size_t j = 1; j < length; j++, x += stride) CK(companion_step)(d, a, x, x + stride);
}

// row += A' above, and da += last * above.
static inline void CK(companion_step_back)(size_t d, const REAL *restrict a,
                                           const REAL *restrict above, REAL last,
                                           REAL *restrict row, REAL *restrict da) {
    FREELY
    const REAL carried = CK(short_dot)(d, a, above);
    for (size_t i = 0; i < d; i++) da[i] += last * above[i];
    for (size_t i = 0; i + 1 < d; i++) row[i] += above[i + 1];
    row[d - 1] += carried;
}

static void CK(krylov_backward)(size_t d, size_t length, const REAL *a, const REAL *x, REAL *dx,
                                ptrdiff_t stride, REAL *da, REAL *db) {
    if (length == 0) return;
    for (ptrdiff_t j = (ptrdiff_t)length - 2; j >= 0; j--)
        CK(companion_step_back)(d, a, dx + (j + 1) * stride, x[j * stride + (ptrdiff_t)d - 1],
                                dx + j * stride, da);
    CK(axpy)(d, 1, dx, db);
}

static inline void CK(forecast_step)(size_t d, const REAL *restrict a, const REAL *restrict b,
                                     const REAL *restrict k, const REAL *restrict r,
                                     REAL *restrict next) {
    FREELY
    REAL fed = 0, last = 0;
    for (size_t i = 0; i < d; i++) {
        fed += b[i] * r[i];
        last += a[i] * r[i];
    }
    for (size_t i = 0; i + 1 < d; i++) next[i] = r[i + 1] + k[i] * fed;
    next[d - 1] = last + k[d - 1] * fed;
}

static void CK(forecast_rows)(size_t d, size_t horizon, const REAL *a, const REAL *b,
                              const REAL *c, const REAL *k, REAL *r) {
    if (horizon == 0) return;
    memcpy(r, c, d * sizeof(REAL));
    for (size_t h = 1; h < horizon; h++, r += d) CK(forecast_step)(d, a, b, k, r, r + d);
}

static inline void CK(forecast_step_back)(size_t d, const REAL *restrict a,
                                          const REAL *restrict b, const REAL *restrict k,
                                          const REAL *restrict row, const REAL *restrict above,
                                          REAL *restrict mu, REAL *restrict da, REAL *restrict db,
                                          REAL *restrict dk) {
    FREELY
    REAL fed = 0, kappa = 0;
    for (size_t i = 0; i < d; i++) {
        fed += b[i] * row[i];
        kappa += k[i] * above[i];
    }
    const REAL last = above[d - 1];
    mu[0] += a[0] * last + b[0] * kappa;
    for (size_t i = 1; i < d; i++) mu[i] += above[i - 1] + a[i] * last + b[i] * kappa;
    for (size_t i = 0; i < d; i++) {
        da[i] += last * row[i];
        db[i] += kappa * row[i];
        dk[i] += fed * above[i];
    }
}

static void CK(forecast_rows_backward)(size_t d, size_t horizon, const REAL *a, const REAL *b,
                                       const REAL *k, const REAL *r, REAL *dr, REAL *da, REAL *db,
                                       REAL *dc, REAL *dk) {
    if (horizon == 0) return;
    for (size_t h = horizon - 1; h-- > 0;)
        CK(forecast_step_back)(d, a, b, k, r + h * d, dr + (h + 1) * d, dr + h * d, da, db, dk);
    CK(axpy)(d, 1, dr, dc);
}

// MARK: Preprocessing

static void CK(preprocess)(size_t length, const REAL *x, const int64_t *windows, REAL *y,
                           size_t stride, REAL *scratch) {
    FREELY
    double *prefix = (double *)scratch;
    REAL *y0 = y, *y1 = y + stride, *y2 = y + 2 * stride, *y3 = y + 3 * stride;
    memcpy(y0, x, length * sizeof(REAL));
    for (size_t t = 0; t < length && t < 3; t++) {
        const REAL one = t > 0 ? x[t - 1] : 0, two = t > 1 ? x[t - 2] : 0;
        y1[t] = x[t] - one;
        y2[t] = x[t] - 2 * one + two;
        y3[t] = x[t] - 3 * one + 3 * two;
    }
    for (size_t t = 3; t < length; t++) {
        y1[t] = x[t] - x[t - 1];
        y2[t] = x[t] - 2 * x[t - 1] + x[t - 2];
        y3[t] = x[t] - 3 * x[t - 1] + 3 * x[t - 2] - x[t - 3];
    }
    prefix[0] = 0;
    for (size_t t = 0; t < length; t++) prefix[t + 1] = prefix[t] + (double)x[t];
    for (size_t m = 0; m < 4; m++) {
        REAL *out = y + (4 + m) * stride;
        const size_t w = (size_t)windows[m], filling = w < length ? w : length;
        const double share = 1.0 / (double)w;
        for (size_t t = 0; t < filling; t++) out[t] = x[t] - (REAL)(prefix[t + 1] * share);
        for (size_t t = filling; t < length; t++)
            out[t] = x[t] - (REAL)((prefix[t + 1] - prefix[t + 1 - w]) * share);
    }
}

static void CK(preprocess_backward)(size_t length, const REAL *dy, size_t stride,
                                    const int64_t *windows, REAL *dx, REAL *scratch) {
    FREELY
    double *prefix = (double *)scratch;
    const REAL *y0 = dy, *y1 = dy + stride, *y2 = dy + 2 * stride, *y3 = dy + 3 * stride;
    for (size_t t = 0; t < length; t++) dx[t] = y0[t] + y1[t] + y2[t] + y3[t];
    for (size_t t = 0; t + 1 < length; t++) dx[t] -= y1[t + 1] + 2 * y2[t + 1] + 3 * y3[t + 1];
    for (size_t t = 0; t + 2 < length; t++) dx[t] += y2[t + 2] + 3 * y3[t + 2];
    for (size_t t = 0; t + 3 < length; t++) dx[t] -= y3[t + 3];
    // The four running sums share one pass from the end: prefix_t = sum over u >= t of
    // sum over the windows of (dy_u - dy_{u+w}) / w.
    for (size_t t = 0; t <= length; t++) prefix[t] = 0;
    for (size_t m = 0; m < 4; m++) {
        const REAL *row = dy + (4 + m) * stride;
        const size_t w = (size_t)windows[m];
        const double share = 1.0 / (double)w;
        for (size_t t = 0; t < length; t++) dx[t] += row[t];
        for (size_t t = 0; t < length; t++) prefix[t] += share * (double)row[t];
        for (size_t t = 0; t + w < length; t++) prefix[t] -= share * (double)row[t + w];
    }
    double running = 0;
    for (size_t t = length; t-- > 0;) {
        running += prefix[t];
        dx[t] -= (REAL)running;
    }
}

#include "convolution.h"
#include "lanes.h"
#include "sections.h"
#include "blocks.h"
#include "block_mix.h"
#include "block_states.h"
#include "block_head.h"
#include "transform.h"
#include "curves.h"
#include "pointwise.h"
#include "product.h"
#include "rows.h"
#include "scan.h"
#include "direction.h"
#include "diagonal.h"
#include "sequence.h"
#if !CK_IS_FLOAT
#include "samples.h"
#endif

#undef EACH_REGISTER
#undef EACH_GROUP_OF_REGISTERS
#undef PLACE
#undef GROUP
#undef OF_GROUP
#undef KEPT
#undef ELEMENTWISE
#undef LANES
#undef TILE_ROWS
#undef TILE_COLUMNS
#undef TILE_PAIR
#undef TILE_LAGS
#undef MIX_ROWS
#undef OUTER_LENGTH
#undef INSIDE
#undef UNROLLED
#undef AT
#undef READ
#undef WITH_ROWS
