// Norms, gates and cells of sequence models on rows of channels, once for every variant and type; see
// `body.h`, which includes this.

static void CK(deltas)(size_t rows, size_t n, const REAL *x, ptrdiff_t step_x, const REAL *before,
                       REAL *y, ptrdiff_t step_y) {
    for (size_t row = 0; row < rows; row++, before = x, x += step_x, y += step_y) {
        for (size_t i = 0; i < n; i++) y[i] = x[i];
        for (size_t i = 0; i < n; i++) y[n + i] = x[i] - before[i];
    }
}

static void CK(layer_norm)(size_t rows, size_t n, const REAL *x, ptrdiff_t step_x,
                           const REAL *gain, const REAL *bias, REAL epsilon, REAL *y,
                           ptrdiff_t step_y, REAL *statistics) {
    FREELY
    const REAL share = 1 / (REAL)n;
    for (size_t row = 0; row < rows; row++, x += step_x, y += step_y) {
        REAL sum = 0, squares = 0;
        for (size_t i = 0; i < n; i++) sum += x[i];
        const REAL mean = sum * share;
        for (size_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
        const REAL rate = 1 / CK(root)(squares * share + epsilon);
        statistics[2 * row] = mean;
        statistics[2 * row + 1] = rate;
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) y[i] = gain[i] * ((x[i] - mean) * rate) + bias[i];
    }
}

static void CK(layer_norm_backward)(size_t rows, size_t n, const REAL *x, ptrdiff_t step_x,
                                    const REAL *gain, const REAL *statistics, const REAL *dy,
                                    ptrdiff_t step_dy, REAL *dx, ptrdiff_t step_dx, REAL *dgain,
                                    REAL *dbias, int add) {
    FREELY
    const REAL share = 1 / (REAL)n;
    for (size_t row = 0; row < rows; row++, x += step_x, dy += step_dy, dx += step_dx) {
        const REAL mean = statistics[2 * row], rate = statistics[2 * row + 1];
        REAL plain = 0, along = 0;
        for (size_t i = 0; i < n; i++) {
            const REAL g = gain[i] * dy[i];
            plain += g;
            along += g * ((x[i] - mean) * rate);
        }
        plain *= share;
        along *= share;
        ELEMENTWISE
        for (size_t i = 0; i < n; i++) {
            _Pragma("clang fp contract(off)")  // What is equal must cancel.
            const REAL unit = (x[i] - mean) * rate, g = dy[i];
            const REAL d = rate * (gain[i] * g - plain - unit * along);
            dgain[i] += g * unit;
            dbias[i] += g;
            dx[i] = add ? dx[i] + d : d;
        }
    }
}

#if WIDE && CK_IS_FLOAT && VECTOR == 64
// Whether sixteen elements at a time begin where a hash does.
#define IN_GROUPS(drop, n) ((n) % 16 == 0 && (drop).offset % 16 == 0)
// What a dropout multiplies the sixteen elements from i on by; `pair` is kept from one call to the next.
#define KEPT_GROUP(i, first)                                                                       \
    ({                                                                                             \
        const uint32_t group = (drop.offset + (uint32_t)(i)) / 16;                                 \
        if ((first) || group % 2 == 0) ck_kept_pair(drop, group & ~1u, pair);                      \
        _mm512_maskz_mov_ps(pair[group % 2], _mm512_set1_ps((float)drop.scale));                   \
    })
#endif

static void CK(glu)(size_t rows, size_t n, REAL *m, const REAL *bias, const REAL *r,
                    ptrdiff_t step_r, REAL *y, ptrdiff_t step_y, ck_dropout drop) {
    FREELY
    const REAL scale = (REAL)drop.scale;
    (void)scale;
    for (size_t row = 0; row < rows; row++, m += 2 * n, r += step_r, y += step_y) {
        size_t i = 0;
#if WIDE && CK_IS_FLOAT && VECTOR == 64
        __mmask16 pair[2];
        if (drop.threshold != 0 && IN_GROUPS(drop, n)) {
            for (; i < n; i += 16) {
                const CK(lanes) a = READ(m + i) + READ(bias + i);
                const CK(lanes) b = READ(m + n + i) + READ(bias + n + i);
                const CK(lanes) keep = (CK(lanes))KEPT_GROUP(row * n + i, i == 0);
                AT(m + i) = a;
                AT(m + n + i) = b;
                AT(y + i) = READ(r + i) + keep * a * CK(inverse)(1.0f + CK(falling)(b));
            }
        }
#endif
#if WIDE && CK_IS_FLOAT
        if (drop.threshold == 0) {
            EACH_REGISTER(n) {
                const CK(lanes) a = READ(m + i) + READ(bias + i);
                const CK(lanes) b = READ(m + n + i) + READ(bias + n + i);
                AT(m + i) = a;
                AT(m + n + i) = b;
                AT(y + i) = READ(r + i) + a * CK(inverse)(1.0f + CK(falling)(b));
            }
        }
#endif
        for (; i < n; i++) {
            const REAL a = m[i] + bias[i], b = m[n + i] + bias[n + i];
            m[i] = a;
            m[n + i] = b;
            const REAL keep = drop.threshold == 0 ? 1 : KEPT(row * n + i);
            y[i] = r[i] + keep * a * CK(logistic)(b, CK(decay)(b));
        }
    }
}

static void CK(glu_backward)(size_t rows, size_t n, const REAL *m, const REAL *dy,
                             ptrdiff_t step_dy, REAL *dm, ck_dropout drop) {
    FREELY
    const REAL scale = (REAL)drop.scale;
    (void)scale;
    for (size_t row = 0; row < rows; row++, m += 2 * n, dm += 2 * n, dy += step_dy) {
        size_t i = 0;
#if WIDE && CK_IS_FLOAT && VECTOR == 64
        __mmask16 pair[2];
        if (drop.threshold != 0 && IN_GROUPS(drop, n)) {
            for (; i < n; i += 16) {
                const CK(lanes) e = CK(falling)(READ(m + n + i)), s = CK(inverse)(1.0f + e);
                const CK(lanes) keep = (CK(lanes))KEPT_GROUP(row * n + i, i == 0);
                const CK(lanes) g = keep * READ(dy + i) * s;
                AT(dm + i) = g;
                AT(dm + n + i) = g * READ(m + i) * (e * s);
            }
        }
#endif
#if WIDE && CK_IS_FLOAT
        if (drop.threshold == 0) {
            EACH_REGISTER(n) {
                const CK(lanes) e = CK(falling)(READ(m + n + i)), s = CK(inverse)(1.0f + e);
                const CK(lanes) g = READ(dy + i) * s;
                AT(dm + i) = g;
                AT(dm + n + i) = g * READ(m + i) * (e * s);
            }
        }
#endif
        for (; i < n; i++) {
            const REAL b = m[n + i], e = CK(decay)(b), s = CK(logistic)(b, e);
            const REAL keep = drop.threshold == 0 ? 1 : KEPT(row * n + i), g = keep * dy[i];
            dm[i] = g * s;
            dm[n + i] = g * m[i] * e / ((1 + e) * (1 + e));
        }
    }
}

#if WIDE && CK_IS_FLOAT && VECTOR == 64
#undef IN_GROUPS
#undef KEPT_GROUP
#endif

// MARK: Long short-term memory

#if WIDE && CK_IS_FLOAT
// tanh(x) = 2 / (1 + exp(-2 x)) - 1, off by some 1e-7 of 1.
INSIDE CK(lanes) CK(tanh_lanes)(CK(lanes) x) {
    return 2.0f * CK(inverse)(1.0f + CK(falling)(2.0f * x)) - 1.0f;
}
#endif

static void CK(lstm_cell)(size_t rows, size_t n, REAL *gates, ptrdiff_t step_g, const REAL *bias,
                          const REAL *before, ptrdiff_t step_before, REAL *c, ptrdiff_t step_c,
                          REAL *h, ptrdiff_t step_h) {
    for (size_t row = 0; row < rows; row++) {
        size_t i = 0;
#if WIDE && CK_IS_FLOAT
        EACH_REGISTER(n) {
            CK(lanes) v[4];
            UNROLLED for (int g = 0; g < 4; g++)
                v[g] = READ(gates + (size_t)g * n + i) + READ(bias + (size_t)g * n + i);
            v[0] = CK(inverse)(1.0f + CK(falling)(v[0]));
            v[1] = CK(inverse)(1.0f + CK(falling)(v[1]));
            v[2] = CK(tanh_lanes)(v[2]);
            v[3] = CK(inverse)(1.0f + CK(falling)(v[3]));
            UNROLLED for (int g = 0; g < 4; g++) AT(gates + (size_t)g * n + i) = v[g];
            CK(lanes) cell = v[0] * v[2];
            if (before) cell += v[1] * READ(before + i);
            AT(c + i) = cell;
            AT(h + i) = v[3] * CK(tanh_lanes)(cell);
        }
#endif
        for (; i < n; i++) {
            REAL v[4];
            for (size_t g = 0; g < 4; g++) v[g] = gates[g * n + i] + bias[g * n + i];
            for (size_t g = 0; g < 4; g++)
                v[g] = g == 2 ? (REAL)tanh((double)v[g])
                              : CK(logistic)(v[g], CK(decay)(v[g]));
            for (size_t g = 0; g < 4; g++) gates[g * n + i] = v[g];
            c[i] = v[0] * v[2] + (before ? v[1] * before[i] : 0);
            h[i] = v[3] * (REAL)tanh((double)c[i]);
        }
        gates += step_g;
        before = before ? before + step_before : before;
        c += step_c;
        h += step_h;
    }
}

static void CK(lstm_cell_backward)(size_t rows, size_t n, const REAL *gates, ptrdiff_t step_g,
                                   const REAL *before, ptrdiff_t step_before, const REAL *c,
                                   ptrdiff_t step_c, const REAL *dh, ptrdiff_t step_dh, REAL *dc,
                                   REAL *dgates, ptrdiff_t step_dg) {
    FREELY
    for (size_t row = 0; row < rows; row++) {
        size_t k = 0;
#if WIDE && CK_IS_FLOAT
        size_t i = 0;
        EACH_REGISTER(n) {
            const CK(lanes) in = READ(gates + i), keep = READ(gates + n + i);
            const CK(lanes) new = READ(gates + 2 * n + i), out = READ(gates + 3 * n + i);
            const CK(lanes) cell = CK(tanh_lanes)(READ(c + i)), g = READ(dh + i);
            const CK(lanes) d = READ(dc + i) + g * out * (1.0f - cell * cell);
            const CK(lanes) past = before ? READ(before + i) : (CK(lanes)){0};
            AT(dgates + i) = d * new * in * (1.0f - in);
            AT(dgates + n + i) = d * past * keep * (1.0f - keep);
            AT(dgates + 2 * n + i) = d * in * (1.0f - new * new);
            AT(dgates + 3 * n + i) = g * cell * out * (1.0f - out);
            AT(dc + i) = d * keep;
        }
        k = i;
#endif
        for (; k < n; k++) {
            const REAL in = gates[k], keep = gates[n + k], new = gates[2 * n + k];
            const REAL out = gates[3 * n + k], cell = (REAL)tanh((double)c[k]);
            const REAL d = dc[k] + dh[k] * out * (1 - cell * cell);
            dgates[k] = d * new * in * (1 - in);
            dgates[n + k] = d * (before ? before[k] : 0) * keep * (1 - keep);
            dgates[2 * n + k] = d * in * (1 - new * new);
            dgates[3 * n + k] = dh[k] * cell * out * (1 - out);
            dc[k] = d * keep;
        }
        gates += step_g;
        before = before ? before + step_before : before;
        c += step_c;
        dh += step_dh;
        dc += n;
        dgates += step_dg;
    }
}
