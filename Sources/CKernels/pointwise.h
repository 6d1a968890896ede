// Pointwise functions, norms and products of columns, once for every variant and type; see
// `body.h`, which includes this.

#if WIDE && CK_IS_FLOAT
// exp(-|x|); what the functions below need of the exponential.
static inline float CK(decay)(float x) {
    FREELY
    return CK(exponential)(x < 0 ? x : -x);
}
#else
static inline REAL CK(decay)(REAL x) { return (REAL)exp(x < 0 ? (double)x : -(double)x); }
#endif

// 1 / (1 + exp(-x)) from e = exp(-|x|).
static inline REAL CK(logistic)(REAL x, REAL e) { return (x < 0 ? e : (REAL)1) / (1 + e); }

#if WIDE && CK_IS_FLOAT
// For as many whole registers as there are from i on.
#define EACH_REGISTER(n) for (; i + LANES <= (n); i += LANES)
// For as many groups of registers; the first place of register g is PLACE.
#define EACH_GROUP_OF_REGISTERS(n) for (; i + GROUP * LANES <= (n); i += GROUP * LANES)
#define PLACE (i + (size_t)g * LANES)
#endif

static void CK(activation)(size_t n, int function, const REAL *x, REAL *y) {
    FREELY
    size_t i = 0;
#if WIDE && CK_IS_FLOAT
    if (function == CK_SILU) {
        EACH_GROUP_OF_REGISTERS(n) {
            CK(lanes) v[GROUP];
            OF_GROUP v[g] = READ(x + PLACE);
            CK(silu_group)(v);
            OF_GROUP AT(y + PLACE) = v[g];
        }
        EACH_REGISTER(n) AT(y + i) = CK(silu_lanes)(READ(x + i));
    } else if (function == CK_SOFTPLUS) {
        EACH_REGISTER(n) AT(y + i) = CK(softplus_lanes)(READ(x + i));
    }
#endif
    switch (function) {
    case CK_SIGMOID:
        ELEMENTWISE
        for (; i < n; i++) y[i] = CK(logistic)(x[i], CK(decay)(x[i]));
        break;
    case CK_SILU:
        ELEMENTWISE
        for (; i < n; i++) y[i] = x[i] * CK(logistic)(x[i], CK(decay)(x[i]));
        break;
    case CK_SOFTPLUS:  // Beyond 20 the rest is below 2e-9 of x.
        for (; i < n; i++)
            y[i] = x[i] > 20 ? x[i] : (x[i] > 0 ? x[i] : 0) + (REAL)log1p(CK(decay)(x[i]));
        break;
    default:
        ELEMENTWISE
        for (; i < n; i++) y[i] = x[i] > 0 ? x[i] : 0;
    }
}

static void CK(activation_backward)(size_t n, int function, const REAL *x, const REAL *dy,
                                    REAL *dx) {
    FREELY
    size_t i = 0;
#if WIDE && CK_IS_FLOAT
    if (function == CK_SILU) {
        EACH_REGISTER(n) {
            const CK(lanes) v = READ(x + i), e = CK(falling)(v), s = CK(inverse)(1.0f + e);
            AT(dx + i) = READ(dy + i) * s * (1.0f + v * (e * s));
        }
    } else if (function == CK_SOFTPLUS) {
        EACH_REGISTER(n) {
            const CK(lanes) e = CK(falling)(READ(x + i));
            AT(dx + i) = READ(dy + i) * CK(inverse)(1.0f + e);
        }
    }
#endif
    switch (function) {
    case CK_SIGMOID:
        ELEMENTWISE
        for (; i < n; i++) {
            const REAL e = CK(decay)(x[i]);
            dx[i] = dy[i] * e / ((1 + e) * (1 + e));
        }
        break;
    case CK_SILU:
        ELEMENTWISE
        for (; i < n; i++) {
            const REAL e = CK(decay)(x[i]), s = CK(logistic)(x[i], e);
            dx[i] = dy[i] * (s + x[i] * e / ((1 + e) * (1 + e)));
        }
        break;
    case CK_SOFTPLUS:
        ELEMENTWISE
        for (; i < n; i++)
            dx[i] = x[i] > 20 ? dy[i] : dy[i] * CK(logistic)(x[i], CK(decay)(x[i]));
        break;
    default:
        ELEMENTWISE
        for (; i < n; i++) dx[i] = x[i] > 0 ? dy[i] : 0;
    }
}

static void CK(multiply)(size_t n, const REAL *x, const REAL *y, REAL *z, int add) {
    FREELY
    if (add) {
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) z[i] += x[i] * y[i];
    } else {
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) z[i] = x[i] * y[i];
    }
}

#if WIDE
#define CK_COLUMNS (8 * LANES)  // So many sums stay in registers.
#else
#define CK_COLUMNS 16
#endif
#define CK_COLUMN_SUMS(COUNT)                                                                      \
    for (; start + (COUNT) <= n; start += (COUNT)) {                                               \
        REAL part[COUNT] = {0};                                                                    \
        for (size_t row = 0; row < rows; row++) {                                                  \
            const REAL *xs = x + row * n + start, *ys = y + row * n + start;                       \
            for (size_t i = 0; i < (COUNT); i++) part[i] += xs[i] * ys[i];                         \
        }                                                                                          \
        for (size_t i = 0; i < (COUNT); i++) sum[start + i] += part[i];                            \
    }

static void CK(column_dot)(size_t rows, size_t n, const REAL *x, const REAL *y, REAL *sum) {
    FREELY
    size_t start = 0;
    CK_COLUMN_SUMS(CK_COLUMNS)
    CK_COLUMN_SUMS(16)
    for (size_t row = 0; row < rows && start < n; row++) {
        for (size_t i = start; i < n; i++) sum[i] += x[row * n + i] * y[row * n + i];
    }
}

#undef CK_COLUMN_SUMS
#undef CK_COLUMNS

#define CK_NORM_BLOCK 256

static void CK(norm)(size_t rows, size_t n, const REAL *x, size_t stride_x, const REAL *gain,
                     const REAL *bias, REAL epsilon, REAL *y, size_t stride_y, REAL *mean,
                     REAL *rate) {
    FREELY
    const REAL share = 1 / (REAL)rows;
    for (size_t start = 0; start < n; start += CK_NORM_BLOCK) {
        const size_t count = n - start < CK_NORM_BLOCK ? n - start : CK_NORM_BLOCK;
        REAL *m = mean + start, *r = rate + start;
        for (size_t i = 0; i < count; i++) m[i] = r[i] = 0;
        for (size_t row = 0; bias && row < rows; row++) {
            const REAL *xs = x + row * stride_x + start;
            ELEMENTWISE
            for (size_t i = 0; i < count; i++) m[i] += xs[i];
        }
        for (size_t i = 0; i < count; i++) m[i] *= share;
        for (size_t row = 0; row < rows; row++) {
            const REAL *xs = x + row * stride_x + start;
            ELEMENTWISE
            for (size_t i = 0; i < count; i++) r[i] += (xs[i] - m[i]) * (xs[i] - m[i]);
        }
        for (size_t i = 0; i < count; i++) r[i] = 1 / CK(root)(r[i] * share + epsilon);
        for (size_t row = 0; row < rows; row++) {
            const REAL *xs = x + row * stride_x + start;
            REAL *ys = y + row * stride_y + start;
            const REAL offset = bias ? bias[row] : 0;
            ELEMENTWISE
            for (size_t i = 0; i < count; i++) ys[i] = gain[row] * ((xs[i] - m[i]) * r[i]) + offset;
        }
    }
}

static void CK(norm_backward)(size_t rows, size_t n, const REAL *x, size_t stride_x,
                              const REAL *gain, const REAL *mean, const REAL *rate, const REAL *dy,
                              size_t stride_dy, REAL *dx, size_t stride_dx, REAL *dgain,
                              REAL *dbias) {
    FREELY
    const REAL share = 1 / (REAL)rows;
    REAL plain[CK_NORM_BLOCK], along[CK_NORM_BLOCK];
    for (size_t start = 0; start < n; start += CK_NORM_BLOCK) {
        const size_t count = n - start < CK_NORM_BLOCK ? n - start : CK_NORM_BLOCK;
        const REAL *m = mean + start, *r = rate + start;
        for (size_t i = 0; i < count; i++) plain[i] = along[i] = 0;
        for (size_t row = 0; row < rows; row++) {
            const REAL *xs = x + row * stride_x + start, *ds = dy + row * stride_dy + start;
            ELEMENTWISE
            for (size_t i = 0; i < count; i++) {
                const REAL g = gain[row] * ds[i];
                plain[i] += g;
                along[i] += g * ((xs[i] - m[i]) * r[i]);
            }
        }
        for (size_t i = 0; i < count; i++) {
            plain[i] = dbias ? plain[i] * share : 0;
            along[i] *= share;
        }
        for (size_t row = 0; row < rows; row++) {
            const REAL *xs = x + row * stride_x + start, *ds = dy + row * stride_dy + start;
            REAL *out = dx + row * stride_dx + start;
            REAL gains = 0, biases = 0;
            ELEMENTWISE
            for (size_t i = 0; i < count; i++) {
                _Pragma("clang fp contract(off)")  // What is equal must cancel.
                const REAL d = ds[i], unit = (xs[i] - m[i]) * r[i];
                gains += d * unit;
                biases += d;
                out[i] = r[i] * (gain[row] * d - plain[i] - unit * along[i]);
            }
            dgain[row] += gains;
            if (dbias) dbias[row] += biases;
        }
    }
}

#undef CK_NORM_BLOCK
