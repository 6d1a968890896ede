// Kernels over blocks of sixteen channels: what belongs to one point in time, one state or one
// coefficient of sixteen channels is a group of 16 numbers, and channel c has lane c of every group.
// All recurrences and filters of a layer then run in lanes without a gap, whatever the batch is.

#if WIDE
// How many sums a tile keeps in registers: the variant's register file less its inputs.
#if VECTOR == 64
#define TILE_ROWS 5
#define TILE_COLUMNS 4
#define TILE_PAIR 2
#define TILE_LAGS 8
#define MIX_ROWS 8
#else
#define TILE_ROWS 3
#define TILE_COLUMNS 3
#define TILE_PAIR 2
#define TILE_LAGS 3
#define MIX_ROWS 4
#endif
#define OUTER_LENGTH 168
#define INSIDE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("clang loop unroll(full)")
#define AT(p) (*(CK(lanes) *)(p))
#define READ(p) (*(const CK(lanes) *)(p))

// Calls TILE(n, ...) with a constant n, so that its sums lie in registers.
#if VECTOR == 64
#define WITH_ROWS(n, TILE, ...)                                                                    \
    switch (n) {                                                                                   \
    case 5: TILE(5, __VA_ARGS__); break;                                                           \
    case 4: TILE(4, __VA_ARGS__); break;                                                           \
    case 3: TILE(3, __VA_ARGS__); break;                                                           \
    case 2: TILE(2, __VA_ARGS__); break;                                                           \
    default: TILE(1, __VA_ARGS__); break;                                                          \
    }
#else
#define WITH_ROWS(n, TILE, ...)                                                                    \
    switch (n) {                                                                                   \
    case 3: TILE(3, __VA_ARGS__); break;                                                           \
    case 2: TILE(2, __VA_ARGS__); break;                                                           \
    default: TILE(1, __VA_ARGS__); break;                                                          \
    }
#endif

// The size of the next tile where `left` rows are left: sizes differ by one at most.
static inline ptrdiff_t CK(tile_rows)(ptrdiff_t left) {
    const ptrdiff_t tiles = (left + TILE_ROWS - 1) / TILE_ROWS;
    return (left + tiles - 1) / tiles;
}

// MARK: Products

INSIDE void CK(multiply_tile)(const int M, const int N, ptrdiff_t inner, const REAL *a,
                              ck_steps sa, const REAL *b, ck_steps sb, REAL *c, ck_steps sc,
                              int add) {
    FREELY
    CK(lanes) sum[TILE_ROWS][TILE_COLUMNS];
    UNROLLED for (int m = 0; m < M; m++) {
        UNROLLED for (int n = 0; n < N; n++)
            sum[m][n] = add ? READ(c + m * sc.row + n * sc.column) : (CK(lanes)){0};
    }
    for (ptrdiff_t k = 0; k < inner; k++) {
        CK(lanes) v[TILE_COLUMNS];
        UNROLLED for (int n = 0; n < N; n++) v[n] = READ(b + k * sb.row + n * sb.column);
        UNROLLED for (int m = 0; m < M; m++) {
            const CK(lanes) u = READ(a + m * sa.row + k * sa.column);
            UNROLLED for (int n = 0; n < N; n++) sum[m][n] += u * v[n];
        }
    }
    UNROLLED for (int m = 0; m < M; m++) {
        UNROLLED for (int n = 0; n < N; n++) AT(c + m * sc.row + n * sc.column) = sum[m][n];
    }
}

static void CK(block_multiply)(size_t rows, size_t columns, size_t inner, const REAL *a,
                               ck_steps sa, const REAL *b, ck_steps sb, REAL *c, ck_steps sc,
                               int add) {
    const ptrdiff_t count = (ptrdiff_t)columns, depth = (ptrdiff_t)inner;
    for (ptrdiff_t lane = 0; lane < CK_BLOCK; lane += LANES) {
        for (ptrdiff_t m = 0; m < (ptrdiff_t)rows;) {
            const ptrdiff_t size = CK(tile_rows)((ptrdiff_t)rows - m);
            const REAL *am = a + lane + m * sa.row;
            REAL *cm = c + lane + m * sc.row;
            ptrdiff_t n = 0;
            for (; n + TILE_COLUMNS <= count; n += TILE_COLUMNS)
                WITH_ROWS(size, CK(multiply_tile), TILE_COLUMNS, depth, am, sa,
                          b + lane + n * sb.column, sb, cm + n * sc.column, sc, add)
            for (; n < count; n++)
                WITH_ROWS(size, CK(multiply_tile), 1, depth, am, sa, b + lane + n * sb.column, sb,
                          cm + n * sc.column, sc, add)
            m += size;
        }
    }
}

// MARK: Filters over time

// w_t = u_t + sum over j of alpha_{j-1} w_{t-j} for T points in time from t on; without u, u is 0.
INSIDE void CK(autoregress_tile)(const int M, const int T, ptrdiff_t t, ptrdiff_t d,
                                 const REAL *alpha, const REAL *u, REAL *w, ptrdiff_t step,
                                 ptrdiff_t window) {
    FREELY
    CK(lanes) sum[TILE_ROWS][TILE_COLUMNS];
    UNROLLED for (int m = 0; m < M; m++) {
        UNROLLED for (int i = 0; i < T; i++)
            sum[m][i] = u ? READ(u + m * window + (t + i) * step) : (CK(lanes)){0};
    }
    for (ptrdiff_t p = t > d ? t - d : 0; p < t; p++) {
        const REAL *tap = alpha + (t - p - 1) * CK_BLOCK;
        CK(lanes) a[TILE_COLUMNS];
        UNROLLED for (int i = 0; i < T; i++) a[i] = READ(tap + i * CK_BLOCK);
        UNROLLED for (int m = 0; m < M; m++) {
            const CK(lanes) v = READ(w + m * window + p * step);
            UNROLLED for (int i = 0; i < T; i++) sum[m][i] += a[i] * v;
        }
    }
    UNROLLED for (int i = 0; i < T; i++) {
        UNROLLED for (int m = 0; m < M; m++) {
            AT(w + m * window + (t + i) * step) = sum[m][i];
            UNROLLED for (int n = i + 1; n < T; n++)
                sum[m][n] += READ(alpha + (n - i - 1) * CK_BLOCK) * sum[m][i];
        }
    }
}

static void CK(block_autoregress)(size_t d, size_t start, size_t length, size_t windows,
                                  const REAL *alpha, const REAL *u, REAL *w, int reversed) {
    const ptrdiff_t n = (ptrdiff_t)length, window = n * CK_BLOCK, taps = (ptrdiff_t)d;
    const ptrdiff_t step = reversed ? -CK_BLOCK : CK_BLOCK, first = reversed ? window + step : 0;
    for (ptrdiff_t lane = 0; lane < CK_BLOCK; lane += LANES) {
        for (ptrdiff_t m = 0; m < (ptrdiff_t)windows;) {
            const ptrdiff_t size = CK(tile_rows)((ptrdiff_t)windows - m);
            const ptrdiff_t at = m * window + first + lane;
            const REAL *from = u ? u + at : 0;
            ptrdiff_t t = (ptrdiff_t)start;
            for (; t + TILE_COLUMNS <= n; t += TILE_COLUMNS)
                WITH_ROWS(size, CK(autoregress_tile), TILE_COLUMNS, t, taps, alpha + lane, from,
                          w + at, step, window)
            for (; t < n; t++)
                WITH_ROWS(size, CK(autoregress_tile), 1, t, taps, alpha + lane, from, w + at,
                          step, window)
            m += size;
        }
    }
}

// y1_t = sum over j of n1_j x_{t-j}, and y2 with n2 where PAIR, for T points in time from t on.
INSIDE void CK(filter_tile)(const int M, const int T, const int PAIR, ptrdiff_t t, ptrdiff_t d,
                            const REAL *n1, const REAL *n2, const REAL *x, ptrdiff_t x_window,
                            REAL *y1, REAL *y2, ptrdiff_t y_window) {
    FREELY
    CK(lanes) sum1[TILE_ROWS][TILE_COLUMNS], sum2[TILE_ROWS][TILE_COLUMNS];
    UNROLLED for (int m = 0; m < M; m++) {
        UNROLLED for (int i = 0; i < T; i++) {
            sum1[m][i] = (CK(lanes)){0};
            sum2[m][i] = (CK(lanes)){0};
        }
    }
    for (ptrdiff_t p = t >= d ? t - d + 1 : 0; p < t + T; p++) {
        const ptrdiff_t tap = (t - p) * CK_BLOCK;
        CK(lanes) a[TILE_COLUMNS], b[TILE_COLUMNS];
        UNROLLED for (int i = 0; i < T; i++) {
            a[i] = READ(n1 + tap + i * CK_BLOCK);
            if (PAIR) b[i] = READ(n2 + tap + i * CK_BLOCK);
        }
        UNROLLED for (int m = 0; m < M; m++) {
            const CK(lanes) v = READ(x + m * x_window + p * CK_BLOCK);
            UNROLLED for (int i = 0; i < T; i++) {
                sum1[m][i] += a[i] * v;
                if (PAIR) sum2[m][i] += b[i] * v;
            }
        }
    }
    UNROLLED for (int m = 0; m < M; m++) {
        UNROLLED for (int i = 0; i < T; i++) {
            AT(y1 + m * y_window + i * CK_BLOCK) = sum1[m][i];
            if (PAIR) AT(y2 + m * y_window + i * CK_BLOCK) = sum2[m][i];
        }
    }
}

static void CK(block_filter)(size_t d, size_t start, size_t length, size_t windows, const REAL *n1,
                             const REAL *n2, const REAL *x, REAL *y1, REAL *y2) {
    const ptrdiff_t n = (ptrdiff_t)length, first = (ptrdiff_t)start, taps = (ptrdiff_t)d;
    const ptrdiff_t x_window = n * CK_BLOCK, y_window = (n - first) * CK_BLOCK;
    const ptrdiff_t wide = n2 ? TILE_PAIR : TILE_COLUMNS;
    for (ptrdiff_t lane = 0; lane < CK_BLOCK; lane += LANES) {
        const REAL *c1 = n1 + lane, *c2 = n2 ? n2 + lane : 0;
        for (ptrdiff_t m = 0; m < (ptrdiff_t)windows;) {
            const ptrdiff_t size = CK(tile_rows)((ptrdiff_t)windows - m);
            const REAL *from = x + m * x_window + lane;
            for (ptrdiff_t t = first; t < n;) {
                const int whole = t + wide <= n;
                const ptrdiff_t at = m * y_window + (t - first) * CK_BLOCK + lane;
                REAL *to1 = y1 + at, *to2 = n2 ? y2 + at : 0;
                if (n2 && whole) {
                    WITH_ROWS(size, CK(filter_tile), TILE_PAIR, 1, t, taps, c1, c2, from, x_window,
                              to1, to2, y_window)
                } else if (n2) {
                    WITH_ROWS(size, CK(filter_tile), 1, 1, t, taps, c1, c2, from, x_window, to1,
                              to2, y_window)
                } else if (whole) {
                    WITH_ROWS(size, CK(filter_tile), TILE_COLUMNS, 0, t, taps, c1, c2, from,
                              x_window, to1, to2, y_window)
                } else {
                    WITH_ROWS(size, CK(filter_tile), 1, 0, t, taps, c1, c2, from, x_window, to1,
                              to2, y_window)
                }
                t += whole ? wide : 1;
            }
            m += size;
        }
    }
}

// dx_t = sum over j of n1_j dy1_{t+j}, and of n2_j dy2_{t+j} where PAIR.
INSIDE void CK(filter_back_tile)(const int M, const int T, const int PAIR, ptrdiff_t t,
                                 ptrdiff_t d, ptrdiff_t length, const REAL *n1, const REAL *n2,
                                 const REAL *dy1, const REAL *dy2, REAL *dx, ptrdiff_t window) {
    FREELY
    CK(lanes) sum[TILE_ROWS][TILE_COLUMNS];
    UNROLLED for (int m = 0; m < M; m++) {
        UNROLLED for (int i = 0; i < T; i++) sum[m][i] = (CK(lanes)){0};
    }
    const ptrdiff_t last = t + T - 1 + d, end = last < length ? last : length;
    for (ptrdiff_t p = t; p < end; p++) {
        const ptrdiff_t tap = (p - t) * CK_BLOCK;
        CK(lanes) a[TILE_COLUMNS], b[TILE_COLUMNS];
        UNROLLED for (int i = 0; i < T; i++) {
            a[i] = READ(n1 + tap - i * CK_BLOCK);
            if (PAIR) b[i] = READ(n2 + tap - i * CK_BLOCK);
        }
        UNROLLED for (int m = 0; m < M; m++) {
            const CK(lanes) v = READ(dy1 + m * window + p * CK_BLOCK);
            UNROLLED for (int i = 0; i < T; i++) sum[m][i] += a[i] * v;
            if (!PAIR) continue;
            const CK(lanes) s = READ(dy2 + m * window + p * CK_BLOCK);
            UNROLLED for (int i = 0; i < T; i++) sum[m][i] += b[i] * s;
        }
    }
    UNROLLED for (int m = 0; m < M; m++) {
        UNROLLED for (int i = 0; i < T; i++) AT(dx + m * window + (t + i) * CK_BLOCK) = sum[m][i];
    }
}

static void CK(block_filter_backward)(size_t d, size_t length, size_t windows, const REAL *n1,
                                      const REAL *n2, const REAL *dy1, const REAL *dy2, REAL *dx) {
    const ptrdiff_t n = (ptrdiff_t)length, window = n * CK_BLOCK, taps = (ptrdiff_t)d;
    for (ptrdiff_t lane = 0; lane < CK_BLOCK; lane += LANES) {
        for (ptrdiff_t m = 0; m < (ptrdiff_t)windows;) {
            const ptrdiff_t size = CK(tile_rows)((ptrdiff_t)windows - m), at = m * window + lane;
            const REAL *c1 = n1 + lane, *c2 = n2 ? n2 + lane : 0;
            const REAL *from2 = n2 ? dy2 + at : 0;
            for (ptrdiff_t t = 0; t < n;) {
                const int whole = t + TILE_COLUMNS <= n;
                if (n2 && whole) {
                    WITH_ROWS(size, CK(filter_back_tile), TILE_COLUMNS, 1, t, taps, n, c1, c2,
                              dy1 + at, from2, dx + at, window)
                } else if (n2) {
                    WITH_ROWS(size, CK(filter_back_tile), 1, 1, t, taps, n, c1, c2, dy1 + at,
                              from2, dx + at, window)
                } else if (whole) {
                    WITH_ROWS(size, CK(filter_back_tile), TILE_COLUMNS, 0, t, taps, n, c1, c2,
                              dy1 + at, from2, dx + at, window)
                } else {
                    WITH_ROWS(size, CK(filter_back_tile), 1, 0, t, taps, n, c1, c2, dy1 + at,
                              from2, dx + at, window)
                }
                t += whole ? TILE_COLUMNS : 1;
            }
            m += size;
        }
    }
}

// Adds the products of one point in time, `known` of whose J lags lie after the start, to the sums.
INSIDE void CK(lag_point)(const int J, const int S, const int known, const REAL *x,
                          CK(lanes) p, CK(lanes) q, CK(lanes) r, CK(lanes) *sum1,
                          CK(lanes) *sum2, CK(lanes) *sum3) {
    FREELY
    UNROLLED for (int j = 0; j < J; j++) {
        if (j >= known) continue;
        const CK(lanes) v = READ(x - j * CK_BLOCK);
        sum1[j] += p * v;
        if (S == 1) continue;
        sum2[j] += q * v;
        if (S == 2) continue;
        sum3[j] += r * v;
    }
}

// out_j += sum over t of s1_{t+1} w_{t-j}, and of s2_t and s3_t where S is above 1 and 2, for J lags
// from `lag` on and one window. It is summed by itself first: long sums in one go lose digits.
INSIDE void CK(lag_tile)(const int J, const int S, ptrdiff_t lag, ptrdiff_t length, const REAL *w,
                         const REAL *s1, const REAL *s2, const REAL *s3, REAL *out1, REAL *out2,
                         REAL *out3) {
    FREELY
    const CK(lanes) zero = {0};
    const REAL *x = w - lag * CK_BLOCK, *b = S > 1 ? s2 : s1, *c = S > 2 ? s3 : s1;
    CK(lanes) sum1[TILE_LAGS], sum2[TILE_LAGS], sum3[TILE_LAGS];
    UNROLLED for (int j = 0; j < J; j++) {
        sum1[j] = zero;
        sum2[j] = zero;
        sum3[j] = zero;
    }
    ptrdiff_t t = lag;
    // The first points in time have fewer lags behind them, the last one no signal ahead.
    for (; t < lag + J - 1 && t < length; t++) {
        const ptrdiff_t at = t * CK_BLOCK;
        const CK(lanes) p = t + 1 < length ? READ(s1 + at + CK_BLOCK) : zero;
        CK(lag_point)(J, S, (int)(t - lag) + 1, x + at, p, READ(b + at), READ(c + at), sum1, sum2,
                      sum3);
    }
    for (; t + 1 < length; t++) {
        const ptrdiff_t at = t * CK_BLOCK;
        CK(lag_point)(J, S, J, x + at, READ(s1 + at + CK_BLOCK), READ(b + at), READ(c + at), sum1,
                      sum2, sum3);
    }
    if (t < length) {
        const ptrdiff_t at = t * CK_BLOCK;
        CK(lag_point)(J, S, J, x + at, zero, READ(b + at), READ(c + at), sum1, sum2, sum3);
    }
    UNROLLED for (int j = 0; j < J; j++) {
        const ptrdiff_t at = (lag + j) * CK_BLOCK;
        AT(out1 + at) += sum1[j];
        if (S == 1) continue;
        AT(out2 + at) += sum2[j];
        if (S == 2) continue;
        AT(out3 + at) += sum3[j];
    }
}

// All lags of one window.
INSIDE void CK(lag_window)(const int S, ptrdiff_t lags, ptrdiff_t length, const REAL *w,
                           const REAL *s1, const REAL *s2, const REAL *s3, REAL *out1, REAL *out2,
                           REAL *out3) {
    ptrdiff_t j = 0;
    for (; j + TILE_LAGS <= lags; j += TILE_LAGS)
        CK(lag_tile)(TILE_LAGS, S, j, length, w, s1, s2, s3, out1, out2, out3);
    for (; j < lags; j++) CK(lag_tile)(1, S, j, length, w, s1, s2, s3, out1, out2, out3);
}

static void CK(block_lag_products)(size_t d, size_t length, size_t windows, const REAL *w,
                                   const REAL *s1, const REAL *s2, const REAL *s3, REAL *out1,
                                   REAL *out2, REAL *out3) {
    const ptrdiff_t n = (ptrdiff_t)length, lags = (ptrdiff_t)d;
    for (ptrdiff_t lane = 0; lane < CK_BLOCK; lane += LANES) {
        // One window after the other: its signals stay in the second cache.
        for (ptrdiff_t m = 0; m < (ptrdiff_t)windows; m++) {
            const ptrdiff_t at = m * n * CK_BLOCK + lane;
            const REAL *x = w + at, *a = s1 + at, *b = s2 ? s2 + at : 0, *c = s3 ? s3 + at : 0;
            REAL *to1 = out1 + lane, *to2 = s2 ? out2 + lane : 0, *to3 = s3 ? out3 + lane : 0;
            if (s3)
                CK(lag_window)(3, lags, n, x, a, b, c, to1, to2, to3);
            else if (s2)
                CK(lag_window)(2, lags, n, x, a, b, c, to1, to2, to3);
            else
                CK(lag_window)(1, lags, n, x, a, b, c, to1, to2, to3);
        }
    }
}
#else
static void CK(block_multiply)(size_t rows, size_t columns, size_t inner, const REAL *a,
                               ck_steps sa, const REAL *b, ck_steps sb, REAL *c, ck_steps sc,
                               int add) {
    for (ptrdiff_t m = 0; m < (ptrdiff_t)rows; m++)
        for (ptrdiff_t n = 0; n < (ptrdiff_t)columns; n++)
            for (ptrdiff_t lane = 0; lane < CK_BLOCK; lane++) {
                REAL *to = c + m * sc.row + n * sc.column + lane;
                REAL sum = add ? *to : 0;
                for (ptrdiff_t k = 0; k < (ptrdiff_t)inner; k++)
                    sum += a[m * sa.row + k * sa.column + lane]
                        * b[k * sb.row + n * sb.column + lane];
                *to = sum;
            }
}

static void CK(block_autoregress)(size_t d, size_t start, size_t length, size_t windows,
                                  const REAL *alpha, const REAL *u, REAL *w, int reversed) {
    for (size_t m = 0; m < windows; m++)
        for (size_t t = start; t < length; t++)
            for (size_t lane = 0; lane < CK_BLOCK; lane++) {
                const size_t at = m * length + (reversed ? length - 1 - t : t);
                REAL sum = u ? u[at * CK_BLOCK + lane] : 0;
                for (size_t j = 1; j <= d && j <= t; j++)
                    sum += alpha[(j - 1) * CK_BLOCK + lane]
                        * w[(reversed ? at + j : at - j) * CK_BLOCK + lane];
                w[at * CK_BLOCK + lane] = sum;
            }
}

static void CK(block_filter)(size_t d, size_t start, size_t length, size_t windows, const REAL *n1,
                             const REAL *n2, const REAL *x, REAL *y1, REAL *y2) {
    for (size_t m = 0; m < windows; m++)
        for (size_t t = start; t < length; t++)
            for (size_t lane = 0; lane < CK_BLOCK; lane++) {
                const REAL *from = x + (m * length + t) * CK_BLOCK + lane;
                const size_t at = (m * (length - start) + t - start) * CK_BLOCK + lane;
                REAL first = 0, second = 0;
                for (size_t j = 0; j < d && j <= t; j++) {
                    const REAL v = from[-(ptrdiff_t)(j * CK_BLOCK)];
                    first += n1[j * CK_BLOCK + lane] * v;
                    if (n2) second += n2[j * CK_BLOCK + lane] * v;
                }
                y1[at] = first;
                if (n2) y2[at] = second;
            }
}

static void CK(block_filter_backward)(size_t d, size_t length, size_t windows, const REAL *n1,
                                      const REAL *n2, const REAL *dy1, const REAL *dy2, REAL *dx) {
    for (size_t m = 0; m < windows; m++)
        for (size_t t = 0; t < length; t++)
            for (size_t lane = 0; lane < CK_BLOCK; lane++) {
                const size_t at = (m * length + t) * CK_BLOCK + lane;
                REAL sum = 0;
                for (size_t j = 0; j < d && t + j < length; j++) {
                    sum += n1[j * CK_BLOCK + lane] * dy1[at + j * CK_BLOCK];
                    if (n2) sum += n2[j * CK_BLOCK + lane] * dy2[at + j * CK_BLOCK];
                }
                dx[at] = sum;
            }
}

static void CK(block_lag_products)(size_t d, size_t length, size_t windows, const REAL *w,
                                   const REAL *s1, const REAL *s2, const REAL *s3, REAL *out1,
                                   REAL *out2, REAL *out3) {
    for (size_t m = 0; m < windows; m++)
        for (size_t j = 0; j < d; j++)
            for (size_t t = j; t < length; t++)
                for (size_t lane = 0; lane < CK_BLOCK; lane++) {
                    const size_t at = (m * length + t) * CK_BLOCK + lane;
                    const size_t out = j * CK_BLOCK + lane;
                    const REAL v = w[at - j * CK_BLOCK];
                    if (t + 1 < length) out1[out] += s1[at + CK_BLOCK] * v;
                    if (s2) out2[out] += s2[at] * v;
                    if (s3) out3[out] += s3[at] * v;
                }
}
#endif
