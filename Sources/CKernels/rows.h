// Layers on signals that lie as [time, channel], once for every variant and type; see `body.h`, which
// includes this. The inner loops run over channels, which lie side by side.

static void CK(depthwise)(size_t length, size_t channels, size_t taps, const REAL *x,
                          ptrdiff_t step_x, const REAL *w, const REAL *bias, REAL *y,
                          ptrdiff_t step_y) {
    FREELY
    for (size_t t = 0; t < length; t++) {
        const REAL *newest = x + (ptrdiff_t)t * step_x, *last = w + (taps - 1) * channels;
        REAL *out = y + (ptrdiff_t)t * step_y;
        if (taps == 4 && t >= 3) {
            const REAL *x1 = newest - step_x, *x2 = x1 - step_x, *x3 = x2 - step_x;
            const REAL *w2 = last - channels, *w1 = w2 - channels;
            ELEMENTWISE
            for (size_t e = 0; e < channels; e++)
                out[e] = bias[e] + w[e] * x3[e] + w1[e] * x2[e] + w2[e] * x1[e] + last[e] * newest[e];
            continue;
        }
        const size_t count = t + 1 < taps ? t + 1 : taps;
        for (size_t e = 0; e < channels; e++) out[e] = bias[e];
        for (size_t k = 0; k < count; k++) {
            const REAL *xs = newest - (ptrdiff_t)k * step_x, *ws = last - k * channels;
            ELEMENTWISE
            for (size_t e = 0; e < channels; e++) out[e] += ws[e] * xs[e];
        }
    }
}

static void CK(depthwise_backward)(size_t length, size_t channels, size_t taps, const REAL *x,
                                   ptrdiff_t step_x, const REAL *w, const REAL *dy,
                                   ptrdiff_t step_y, REAL *dx, ptrdiff_t step_dx, REAL *dw,
                                   REAL *dbias) {
    FREELY
    for (size_t t = 0; t < length; t++) {
        const REAL *ds = dy + (ptrdiff_t)t * step_y;
        const size_t count = t + 1 < taps ? t + 1 : taps;
        ELEMENTWISE
        for (size_t e = 0; e < channels; e++) dbias[e] += ds[e];
        for (size_t k = 0; k < count; k++) {
            const ptrdiff_t at = (ptrdiff_t)t - (ptrdiff_t)k;
            const REAL *xs = x + at * step_x, *ws = w + (taps - 1 - k) * channels;
            REAL *sums = dw + (taps - 1 - k) * channels;
            ELEMENTWISE
            for (size_t e = 0; e < channels; e++) sums[e] += ds[e] * xs[e];
            if (!dx) continue;
            REAL *out = dx + at * step_dx;
            ELEMENTWISE
            for (size_t e = 0; e < channels; e++) out[e] += ds[e] * ws[e];
        }
    }
}

#if WIDE && CK_IS_FLOAT
static inline float CK(softplus)(float x) {
    CK(lanes) v = {0};
    v[0] = x;
    return CK(softplus_lanes)(v)[0];
}
#else
static inline REAL CK(softplus)(REAL x) {
    return x > 20 ? x : (x > 0 ? x : 0) + (REAL)log1p(CK(decay)(x));
}
#endif

static void CK(bias_softplus)(size_t rows, size_t n, REAL *x, const REAL *bias, REAL *y) {
    for (size_t row = 0; row < rows; row++, x += n, y += n) {
        size_t i = 0;
#if WIDE && CK_IS_FLOAT
        EACH_GROUP_OF_REGISTERS(n) {
            CK(lanes) v[GROUP];
            OF_GROUP v[g] = READ(x + PLACE) + READ(bias + PLACE);
            OF_GROUP AT(x + PLACE) = v[g];
            CK(softplus_group)(v);
            OF_GROUP AT(y + PLACE) = v[g];
        }
        EACH_REGISTER(n) {
            AT(x + i) += READ(bias + i);
            AT(y + i) = CK(softplus_lanes)(READ(x + i));
        }
#endif
        for (; i < n; i++) {
            x[i] += bias[i];
            y[i] = CK(softplus)(x[i]);
        }
    }
}

static void CK(gate)(size_t rows, size_t n, REAL factor, const REAL *x, const REAL *z,
                     ptrdiff_t step_z, REAL *y) {
    FREELY
    for (size_t row = 0; row < rows; row++, x += n, y += n, z += step_z) {
        size_t i = 0;
#if WIDE && CK_IS_FLOAT
        EACH_GROUP_OF_REGISTERS(n) {
            CK(lanes) v[GROUP];
            OF_GROUP v[g] = READ(z + PLACE);
            CK(silu_group)(v);
            OF_GROUP AT(y + PLACE) = factor * READ(x + PLACE) * v[g];
        }
        EACH_REGISTER(n) AT(y + i) = factor * READ(x + i) * CK(silu_lanes)(READ(z + i));
#endif
        for (; i < n; i++) y[i] = factor * x[i] * z[i] * CK(logistic)(z[i], CK(decay)(z[i]));
    }
}

static void CK(gate_backward)(size_t rows, size_t n, REAL factor, const REAL *x, const REAL *z,
                              ptrdiff_t step_z, const REAL *dy, REAL *dx, REAL *dz,
                              ptrdiff_t step_dz) {
    FREELY
    for (size_t row = 0; row < rows; row++) {
        size_t i = 0;
#if WIDE && CK_IS_FLOAT
        EACH_REGISTER(n) {
            const CK(lanes) v = READ(z + i), e = CK(falling)(v), s = CK(inverse)(1.0f + e);
            const CK(lanes) d = factor * READ(dy + i);
            AT(dz + i) = d * READ(x + i) * s * (1.0f + v * (e * s));
            AT(dx + i) = d * v * s;
        }
#endif
        for (; i < n; i++) {
            const REAL e = CK(decay)(z[i]), s = CK(logistic)(z[i], e), d = factor * dy[i];
            dz[i] = d * x[i] * (s + z[i] * e / ((1 + e) * (1 + e)));
            dx[i] = d * z[i] * s;
        }
        x += n;
        z += step_z;
        dy += n;
        dx += n;
        dz += step_dz;
    }
}

static void CK(row_norm)(size_t rows, size_t n, const REAL *x, const REAL *gain, REAL epsilon,
                         REAL *y, REAL *rate) {
    FREELY
    for (size_t row = 0; row < rows; row++, x += n, y += n) {
        REAL sum = 0;
        for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
        const REAL r = 1 / CK(root)(sum / (REAL)n + epsilon);
        rate[row] = r;
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) y[i] = gain[i] * (x[i] * r);
    }
}

static void CK(row_norm_backward)(size_t rows, size_t n, const REAL *x, const REAL *gain,
                                  const REAL *rate, const REAL *dy, REAL *dx, REAL *dgain,
                                  int add) {
    FREELY
    for (size_t row = 0; row < rows; row++, x += n, dy += n, dx += n) {
        const REAL r = rate[row];
        REAL along = 0;
        for (size_t i = 0; i < n; i++) along += gain[i] * dy[i] * (x[i] * r);
        along /= (REAL)n;
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) {
            _Pragma("clang fp contract(off)")  // What is equal must cancel.
            const REAL unit = x[i] * r, d = r * (gain[i] * dy[i] - unit * along);
            dgain[i] += dy[i] * unit;
            dx[i] = add ? dx[i] + d : d;
        }
    }
}

static void CK(row_add)(size_t rows, size_t n, const REAL *bias, REAL *y) {
    for (size_t row = 0; row < rows; row++, y += n) {
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) y[i] += bias[i];
    }
}

static void CK(column_sum)(size_t rows, size_t n, const REAL *x, REAL *sum) {
    for (size_t row = 0; row < rows; row++, x += n) {
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) sum[i] += x[i];
    }
}

static void CK(column_squares)(size_t rows, size_t n, const REAL *x, const REAL *mean, REAL *sum) {
    FREELY
    for (size_t row = 0; row < rows; row++, x += n) {
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) sum[i] += (x[i] - mean[i]) * (x[i] - mean[i]);
    }
}

static void CK(column_scale)(size_t rows, size_t n, const REAL *x, const REAL *scale,
                             const REAL *offset, const REAL *z, int relu, REAL *y) {
    FREELY
    for (size_t row = 0; row < rows; row++, x += n, y += n) {
        if (z) {
            ELEMENTWISE
            for (size_t i = 0; i < n; i++) {
                const REAL v = x[i] * scale[i] + offset[i] + z[i];
                y[i] = relu && v < 0 ? 0 : v;
            }
            z += n;
        } else {
            ELEMENTWISE
            for (size_t i = 0; i < n; i++) {
                const REAL v = x[i] * scale[i] + offset[i];
                y[i] = relu && v < 0 ? 0 : v;
            }
        }
    }
}

static void CK(relu_mask)(size_t n, const REAL *y, const REAL *dy, REAL *dx) {
    ELEMENTWISE
    for (size_t i = 0; i < n; i++) dx[i] = y[i] > 0 ? dy[i] : 0;
}

static void CK(column_slopes)(size_t rows, size_t n, const REAL *x, const REAL *mean,
                              const REAL *dy, REAL *sum, REAL *along) {
    FREELY
    for (size_t row = 0; row < rows; row++, x += n, dy += n) {
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) {
            sum[i] += dy[i];
            along[i] += dy[i] * (x[i] - mean[i]);
        }
    }
}

static void CK(column_adjoint)(size_t rows, size_t n, const REAL *x, const REAL *mean,
                               const REAL *dy, const REAL *scale, const REAL *slope,
                               const REAL *offset, REAL *dx) {
    FREELY
    for (size_t row = 0; row < rows; row++, x += n, dy += n, dx += n) {
        ELEMENTWISE
        for (size_t i = 0; i < n; i++)
            dx[i] = scale[i] * dy[i] + slope[i] * (x[i] - mean[i]) + offset[i];
    }
}
