// Diagonal state spaces, once for every variant and type; see `body.h`, which includes this.
//
// A channel has `pairs` conjugate pairs of states. As a filter it is a row of taps, which short pieces are
// convolved with; as a recurrence it is a factor w and a weight c for every pair, which long signals run
// through. Channels lie side by side, so that a register holds one tap or one state of LANES channels.

// MARK: From the parameters

// One pair of one channel in double precision: decay and rotation a step w, held input f = (w - 1) / A.
typedef struct {
    double dt, ar, ai, wr, wi, fr, fi, cr, ci;
} CK(pair);

static CK(pair) CK(pair_of)(double dt, double log_re, double im, double cr, double ci) {
    CK(pair) p = {.dt = dt, .ar = -exp(log_re), .ai = im, .cr = cr, .ci = ci};
    const double x = dt * p.ar, y = dt * p.ai, grown = exp(x), half = sin(0.5 * y);
    // w - 1 by parts that do not cancel.
    const double er = expm1(x) * cos(y) - 2 * half * half, ei = grown * sin(y);
    const double square = p.ar * p.ar + p.ai * p.ai;
    p.wr = 1 + er;
    p.wi = ei;
    p.fr = (er * p.ar + ei * p.ai) / square;
    p.fi = (ei * p.ar - er * p.ai) / square;
    return p;
}

// (dt w A - (w - 1)) / A^2; by its series where that would cancel.
static void CK(pair_curve)(CK(pair) p, double *re, double *im) {
    const double x = p.dt * p.ar, y = p.dt * p.ai;
    if (x * x + y * y < 1e-4) {
        static const double series[] = {1.0 / 2, 1.0 / 3, 1.0 / 8, 1.0 / 30, 1.0 / 144, 1.0 / 840};
        double sr = 0, si = 0;
        for (int k = 5; k >= 0; k--) {
            const double r = sr * x - si * y + series[k];
            si = sr * y + si * x;
            sr = r;
        }
        *re = p.dt * p.dt * sr;
        *im = p.dt * p.dt * si;
        return;
    }
    // (dt w - f) / A.
    const double r = p.dt * p.wr - p.fr, i = p.dt * p.wi - p.fi;
    const double square = p.ar * p.ar + p.ai * p.ai;
    *re = (r * p.ar + i * p.ai) / square;
    *im = (i * p.ar - r * p.ai) / square;
}

static void CK(diagonal_taps)(size_t length, size_t n, size_t pairs, double factor,
                              const REAL *log_dt, const REAL *log_re, const REAL *im,
                              const REAL *c, const REAL *d, REAL *taps) {
    FREELY
    double zr[CK_PAIRS], zi[CK_PAIRS], wr[CK_PAIRS], wi[CK_PAIRS];
    for (size_t h = 0; h < n; h++) {
        const double dt = exp((double)log_dt[h]);
        for (size_t p = 0; p < pairs; p++) {
            const size_t at = h * pairs + p;
            const CK(pair) q = CK(pair_of)(dt, log_re[at], im[at], c[2 * at], c[2 * at + 1]);
            wr[p] = q.wr;
            wi[p] = q.wi;
            zr[p] = 2 * factor * (q.cr * q.fr - q.ci * q.fi);
            zi[p] = 2 * factor * (q.cr * q.fi + q.ci * q.fr);
        }
        for (size_t l = 0; l < length; l++) {
            double sum = l == 0 ? factor * (double)d[h] : 0;
            for (size_t p = 0; p < pairs; p++) {
                sum += zr[p];
                const double r = zr[p] * wr[p] - zi[p] * wi[p];
                zi[p] = zr[p] * wi[p] + zi[p] * wr[p];
                zr[p] = r;
            }
            taps[l * n + h] = (REAL)sum;
        }
    }
}

static void CK(diagonal_factors)(size_t n, size_t pairs, double factor, const REAL *log_dt,
                                 const REAL *log_re, const REAL *im, const REAL *c, const REAL *d,
                                 REAL *w, REAL *weights, REAL *skip) {
    for (size_t h = 0; h < n; h++) {
        const double dt = exp((double)log_dt[h]);
        skip[h] = (REAL)(factor * (double)d[h]);
        for (size_t p = 0; p < pairs; p++) {
            const size_t at = h * pairs + p, to = 2 * p * n + h;
            const CK(pair) q = CK(pair_of)(dt, log_re[at], im[at], c[2 * at], c[2 * at + 1]);
            w[to] = (REAL)q.wr;
            w[to + n] = (REAL)q.wi;
            weights[to] = (REAL)(2 * factor * (q.cr * q.fr - q.ci * q.fi));
            weights[to + n] = (REAL)(2 * factor * (q.cr * q.fi + q.ci * q.fr));
        }
    }
}

// Adds what follows for one pair from s0 = sum of g_l w^l and s1 = sum of l g_l w^l; returns the part of
// the step width.
static double CK(pair_back)(CK(pair) q, double s0r, double s0i, double s1r, double s1i,
                            REAL *dlog_re, REAL *dim, REAL *dc) {
    double kr, ki;
    CK(pair_curve)(q, &kr, &ki);
    dc[0] += (REAL)(2 * (q.fr * s0r - q.fi * s0i));
    dc[1] -= (REAL)(2 * (q.fr * s0i + q.fi * s0r));
    // Of A: c (curve s0 + f dt s1).
    const double ur = kr * s0r - ki * s0i + q.dt * (q.fr * s1r - q.fi * s1i);
    const double ui = kr * s0i + ki * s0r + q.dt * (q.fr * s1i + q.fi * s1r);
    *dlog_re += (REAL)(2 * (q.cr * ur - q.ci * ui) * q.ar);
    *dim -= (REAL)(2 * (q.cr * ui + q.ci * ur));
    // Of dt: c (w s0 + f A s1), where f A = w - 1.
    const double er = q.fr * q.ar - q.fi * q.ai, ei = q.fr * q.ai + q.fi * q.ar;
    const double vr = q.wr * s0r - q.wi * s0i + er * s1r - ei * s1i;
    const double vi = q.wr * s0i + q.wi * s0r + er * s1i + ei * s1r;
    return 2 * (q.cr * vr - q.ci * vi);
}

static void CK(diagonal_taps_backward)(size_t length, size_t n, size_t pairs, double factor,
                                       const REAL *log_dt, const REAL *log_re, const REAL *im,
                                       const REAL *c, const REAL *dtaps, REAL *dlog_dt,
                                       REAL *dlog_re, REAL *dim, REAL *dc, REAL *dd) {
    FREELY
    double br[CK_PAIRS], bi[CK_PAIRS], sr[CK_PAIRS], si[CK_PAIRS], wr[CK_PAIRS], wi[CK_PAIRS];
    CK(pair) q[CK_PAIRS];
    for (size_t h = 0; h < n; h++) {
        const double dt = exp((double)log_dt[h]);
        for (size_t p = 0; p < pairs; p++) {
            const size_t at = h * pairs + p;
            q[p] = CK(pair_of)(dt, log_re[at], im[at], c[2 * at], c[2 * at + 1]);
            wr[p] = q[p].wr;
            wi[p] = q[p].wi;
            br[p] = bi[p] = sr[p] = si[p] = 0;
        }
        // Horner's scheme for the sum and, beside it, for its slope over w.
        for (size_t l = length; l-- > 0;) {
            const double g = factor * (double)dtaps[l * n + h];
            for (size_t p = 0; p < pairs; p++) {
                const double r = sr[p] * wr[p] - si[p] * wi[p] + br[p];
                si[p] = sr[p] * wi[p] + si[p] * wr[p] + bi[p];
                sr[p] = r;
                const double b = br[p] * wr[p] - bi[p] * wi[p] + g;
                bi[p] = br[p] * wi[p] + bi[p] * wr[p];
                br[p] = b;
            }
        }
        double total = 0;
        for (size_t p = 0; p < pairs; p++) {
            const size_t at = h * pairs + p;
            total += CK(pair_back)(q[p], br[p], bi[p], wr[p] * sr[p] - wi[p] * si[p],
                                   wr[p] * si[p] + wi[p] * sr[p], dlog_re + at, dim + at,
                                   dc + 2 * at);
        }
        dlog_dt[h] += (REAL)(dt * total);
        dd[h] += (REAL)(factor * (double)dtaps[h]);
    }
}

static void CK(diagonal_sums_backward)(size_t n, size_t pairs, double factor, const REAL *log_dt,
                                       const REAL *log_re, const REAL *im, const REAL *c,
                                       const REAL *sums, const REAL *dskip, REAL *dlog_dt,
                                       REAL *dlog_re, REAL *dim, REAL *dc, REAL *dd) {
    for (size_t h = 0; h < n; h++) {
        const double dt = exp((double)log_dt[h]);
        double total = 0;
        for (size_t p = 0; p < pairs; p++) {
            const size_t at = h * pairs + p;
            const REAL *s = sums + 4 * p * n + h;
            total += CK(pair_back)(
                CK(pair_of)(dt, log_re[at], im[at], c[2 * at], c[2 * at + 1]),
                factor * (double)s[0], factor * (double)s[n], factor * (double)s[2 * n],
                factor * (double)s[3 * n], dlog_re + at, dim + at, dc + 2 * at);
        }
        dlog_dt[h] += (REAL)(dt * total);
        dd[h] += (REAL)(factor * (double)dskip[h]);
    }
}

// MARK: Taps

// What does not fill a register, and the plain variant: channels from `first` on.
static void CK(taps_plain)(size_t first, size_t length, size_t n, const REAL *k, const REAL *x,
                           ptrdiff_t step_x, REAL *y, ptrdiff_t step_y) {
    for (size_t t = 0; t < length; t++) {
        for (size_t i = first; i < n; i++) {
            REAL sum = 0;
            for (size_t j = 0; j <= t; j++)
                sum += k[j * n + i] * x[(ptrdiff_t)(t - j) * step_x + (ptrdiff_t)i];
            y[(ptrdiff_t)t * step_y + (ptrdiff_t)i] = sum;
        }
    }
}

static void CK(lags_plain)(size_t first, size_t length, size_t n, const REAL *x, ptrdiff_t step_x,
                           const REAL *dy, ptrdiff_t step_y, REAL *dk) {
    for (size_t j = 0; j < length; j++) {
        for (size_t i = first; i < n; i++) {
            REAL sum = dk[j * n + i];
            for (size_t t = j; t < length; t++)
                sum += dy[(ptrdiff_t)t * step_y + (ptrdiff_t)i]
                    * x[(ptrdiff_t)(t - j) * step_x + (ptrdiff_t)i];
            dk[j * n + i] = sum;
        }
    }
}

#if WIDE
#define TAP_ROWS 8

// T rows of what comes out, from row `first` on.
INSIDE void CK(taps_tile)(const int T, ptrdiff_t first, ptrdiff_t n, const REAL *k, const REAL *x,
                          ptrdiff_t step_x, REAL *y, ptrdiff_t step_y) {
    FREELY
    CK(lanes) sum[TAP_ROWS];
    UNROLLED for (int i = 0; i < T; i++) sum[i] = (CK(lanes)){0};
    const REAL *tap = k + first * n;
    for (ptrdiff_t s = 0; s < first; s++, tap -= n, x += step_x) {
        const CK(lanes) v = READ(x);
        UNROLLED for (int i = 0; i < T; i++) sum[i] += READ(tap + i * n) * v;
    }
    UNROLLED for (int s = 0; s < T; s++) {
        const CK(lanes) v = READ(x + s * step_x);
        UNROLLED for (int i = s; i < T; i++) sum[i] += READ(k + (i - s) * n) * v;
    }
    y += first * step_y;
    UNROLLED for (int i = 0; i < T; i++) AT(y + i * step_y) = sum[i];
}

// T lags from `lag` on, over all pieces.
INSIDE void CK(lags_tile)(const int T, ptrdiff_t lag, ptrdiff_t pieces, ptrdiff_t length,
                          ptrdiff_t n, const REAL *x, ptrdiff_t step_x, const REAL *dy,
                          ptrdiff_t step_y, REAL *dk) {
    FREELY
    CK(lanes) sum[TAP_ROWS];
    UNROLLED for (int i = 0; i < T; i++) sum[i] = READ(dk + (lag + i) * n);
    for (ptrdiff_t piece = 0; piece < pieces; piece++) {
        const REAL *in = x, *slope = dy + lag * step_y;
        UNROLLED for (int t = 0; t < T - 1; t++) {
            const CK(lanes) v = READ(slope + t * step_y);
            UNROLLED for (int i = 0; i <= t; i++) sum[i] += v * READ(in + (t - i) * step_x);
        }
        in += (T - 1) * step_x;
        slope += (T - 1) * step_y;
        for (ptrdiff_t t = lag + T - 1; t < length; t++, in += step_x, slope += step_y) {
            const CK(lanes) v = READ(slope);
            UNROLLED for (int i = 0; i < T; i++) sum[i] += v * READ(in - i * step_x);
        }
        x += length * step_x;
        dy += length * step_y;
    }
    UNROLLED for (int i = 0; i < T; i++) AT(dk + (lag + i) * n) = sum[i];
}
#endif

static void CK(taps_convolve)(size_t pieces, size_t length, size_t n, const REAL *k, const REAL *x,
                              ptrdiff_t step_x, REAL *y, ptrdiff_t step_y, int reversed) {
    const ptrdiff_t rows = (ptrdiff_t)length, last = reversed ? rows - 1 : 0;
    const ptrdiff_t sign = reversed ? -1 : 1;
    for (size_t piece = 0; piece < pieces; piece++) {
        const REAL *in = x + ((ptrdiff_t)piece * rows + last) * step_x;
        REAL *out = y + ((ptrdiff_t)piece * rows + last) * step_y;
        size_t i = 0;
#if WIDE
        for (; i + LANES <= n; i += LANES) {
            ptrdiff_t t = 0;
#define TAPS(T)                                                                                    \
    for (; t + (T) <= rows; t += (T))                                                              \
        CK(taps_tile)(T, t, (ptrdiff_t)n, k + i, in + i, sign * step_x, out + i, sign * step_y);
            TAPS(TAP_ROWS)
            TAPS(4)
            TAPS(2)
            TAPS(1)
#undef TAPS
        }
#endif
        if (i < n) CK(taps_plain)(i, length, n, k, in, sign * step_x, out, sign * step_y);
    }
}

static void CK(taps_slopes)(size_t pieces, size_t length, size_t n, const REAL *x,
                            ptrdiff_t step_x, const REAL *dy, ptrdiff_t step_y, REAL *dk) {
    const ptrdiff_t rows = (ptrdiff_t)length;
    size_t i = 0;
#if WIDE
    for (; i + LANES <= n; i += LANES) {
        ptrdiff_t lag = 0;
#define LAGS_OF(T)                                                                                 \
    for (; lag + (T) <= rows; lag += (T))                                                          \
        CK(lags_tile)(T, lag, (ptrdiff_t)pieces, rows, (ptrdiff_t)n, x + i, step_x, dy + i,        \
                      step_y, dk + i);
        LAGS_OF(TAP_ROWS)
        LAGS_OF(4)
        LAGS_OF(2)
        LAGS_OF(1)
#undef LAGS_OF
    }
#endif
    for (size_t piece = 0; piece < pieces && i < n; piece++) {
        const ptrdiff_t first = (ptrdiff_t)piece * rows;
        CK(lags_plain)(i, length, n, x + first * step_x, step_x, dy + first * step_y, step_y, dk);
    }
}

static void CK(taps_last)(size_t pieces, size_t length, size_t n, const REAL *k, const REAL *x,
                          ptrdiff_t step_x, REAL *y, ptrdiff_t step_y) {
    FREELY
    for (size_t piece = 0; piece < pieces; piece++, y += step_y) {
        for (size_t i = 0; i < n; i++) y[i] = 0;
        for (size_t j = length; j-- > 0; x += step_x) {
            const REAL *tap = k + j * n;
            ELEMENTWISE
            for (size_t i = 0; i < n; i++) y[i] += tap[i] * x[i];
        }
    }
}

static void CK(taps_last_backward)(size_t pieces, size_t length, size_t n, const REAL *k,
                                   const REAL *x, ptrdiff_t step_x, const REAL *dy,
                                   ptrdiff_t step_y, REAL *dx, ptrdiff_t step_dx, REAL *dk) {
    FREELY
    for (size_t piece = 0; piece < pieces; piece++, dy += step_y) {
        for (size_t j = length; j-- > 0; x += step_x, dx += step_dx) {
            const REAL *tap = k + j * n;
            REAL *slope = dk + j * n;
            ELEMENTWISE
            for (size_t i = 0; i < n; i++) {
                slope[i] += dy[i] * x[i];
                dx[i] = tap[i] * dy[i];
            }
        }
    }
}

// MARK: Recurrence

// Points in time that all pairs of a strip take before the next ones.
#define SPAN 256

static void CK(diagonal_plain)(size_t first, size_t length, size_t n, size_t pairs, const REAL *w,
                               const REAL *c, const REAL *skip, const REAL *u, ptrdiff_t step_u,
                               REAL *y, ptrdiff_t step_y, REAL *state) {
    for (size_t t = 0; t < length; t++, u += step_u, y += step_y) {
        for (size_t i = first; i < n; i++) {
            REAL sum = skip[i] * u[i];
            for (size_t p = 0; p < pairs; p++) {
                const size_t re = 2 * p * n + i, im = re + n;
                const REAL r = w[re] * state[re] - w[im] * state[im] + u[i];
                state[im] = w[re] * state[im] + w[im] * state[re];
                state[re] = r;
                sum += c[re] * r - c[im] * state[im];
            }
            y[i] = sum;
        }
    }
}

static void CK(diagonal_slopes_plain)(size_t first, size_t length, size_t n, size_t pairs,
                                      const REAL *w, const REAL *u, ptrdiff_t step_u,
                                      const REAL *dy, ptrdiff_t step_y, REAL *sums) {
    for (size_t i = first; i < n; i++) {
        for (size_t p = 0; p < pairs; p++) {
            const REAL wr = w[2 * p * n + i], wi = w[(2 * p + 1) * n + i];
            REAL *s = sums + 4 * p * n + i;
            REAL xr = 0, xi = 0, vr = 0, vi = 0;
            for (ptrdiff_t t = 0; t < (ptrdiff_t)length; t++) {
                const REAL in = u[t * step_u + (ptrdiff_t)i], g = dy[t * step_y + (ptrdiff_t)i];
                const REAL ar = wr * xr - wi * xi, ai = wr * xi + wi * xr;
                const REAL br = wr * vr - wi * vi + ar;
                vi = wr * vi + wi * vr + ai;
                vr = br;
                xr = ar + in;
                xi = ai;
                s[0] += g * xr;
                s[n] += g * xi;
                s[2 * n] += g * vr;
                s[3 * n] += g * vi;
            }
        }
    }
}

#if WIDE
#if VECTOR == 64
#define PAIRS_AT_ONCE 4
#define SLOPES_AT_ONCE 2
#else
#define PAIRS_AT_ONCE 2
#define SLOPES_AT_ONCE 1
#endif

// P pairs of a strip over some points in time; the first ones begin y.
INSIDE void CK(diagonal_tile)(const int P, int begin, ptrdiff_t length, ptrdiff_t n, const REAL *w,
                              const REAL *c, const REAL *skip, const REAL *u, ptrdiff_t step_u,
                              REAL *y, ptrdiff_t step_y, REAL *state) {
    FREELY
    CK(lanes) wr[PAIRS_AT_ONCE], wi[PAIRS_AT_ONCE], cr[PAIRS_AT_ONCE], ci[PAIRS_AT_ONCE];
    CK(lanes) xr[PAIRS_AT_ONCE], xi[PAIRS_AT_ONCE];
    UNROLLED for (int p = 0; p < P; p++) {
        wr[p] = READ(w + 2 * p * n);
        wi[p] = READ(w + (2 * p + 1) * n);
        cr[p] = READ(c + 2 * p * n);
        ci[p] = READ(c + (2 * p + 1) * n);
        xr[p] = READ(state + 2 * p * n);
        xi[p] = READ(state + (2 * p + 1) * n);
    }
    const CK(lanes) d = begin ? READ(skip) : (CK(lanes)){0};
    for (ptrdiff_t t = 0; t < length; t++, u += step_u, y += step_y) {
        const CK(lanes) v = READ(u);
        CK(lanes) sum = begin ? d * v : READ(y);
        UNROLLED for (int p = 0; p < P; p++) {
            const CK(lanes) r = wr[p] * xr[p] - wi[p] * xi[p] + v;
            xi[p] = wr[p] * xi[p] + wi[p] * xr[p];
            xr[p] = r;
            sum += cr[p] * r - ci[p] * xi[p];
        }
        AT(y) = sum;
    }
    UNROLLED for (int p = 0; p < P; p++) {
        AT(state + 2 * p * n) = xr[p];
        AT(state + (2 * p + 1) * n) = xi[p];
    }
}

// P pairs of a strip over some points in time; `carried` holds x and its slope over w of each.
INSIDE void CK(diagonal_slopes_tile)(const int P, ptrdiff_t length, ptrdiff_t n, const REAL *w,
                                     const REAL *u, ptrdiff_t step_u, const REAL *dy,
                                     ptrdiff_t step_y, CK(lanes) *carried, REAL *sums) {
    FREELY
    CK(lanes) wr[SLOPES_AT_ONCE], wi[SLOPES_AT_ONCE], x[SLOPES_AT_ONCE][4], s[SLOPES_AT_ONCE][4];
    UNROLLED for (int p = 0; p < P; p++) {
        wr[p] = READ(w + 2 * p * n);
        wi[p] = READ(w + (2 * p + 1) * n);
        UNROLLED for (int i = 0; i < 4; i++) {
            x[p][i] = carried[4 * p + i];
            s[p][i] = READ(sums + (4 * p + i) * n);
        }
    }
    for (ptrdiff_t t = 0; t < length; t++, u += step_u, dy += step_y) {
        const CK(lanes) v = READ(u), g = READ(dy);
        UNROLLED for (int p = 0; p < P; p++) {
            const CK(lanes) ar = wr[p] * x[p][0] - wi[p] * x[p][1];
            const CK(lanes) ai = wr[p] * x[p][1] + wi[p] * x[p][0];
            const CK(lanes) br = wr[p] * x[p][2] - wi[p] * x[p][3] + ar;
            x[p][3] = wr[p] * x[p][3] + wi[p] * x[p][2] + ai;
            x[p][2] = br;
            x[p][0] = ar + v;
            x[p][1] = ai;
            UNROLLED for (int i = 0; i < 4; i++) s[p][i] += g * x[p][i];
        }
    }
    UNROLLED for (int p = 0; p < P; p++) {
        UNROLLED for (int i = 0; i < 4; i++) {
            carried[4 * p + i] = x[p][i];
            AT(sums + (4 * p + i) * n) = s[p][i];
        }
    }
}
#endif

static void CK(diagonal_scan)(size_t length, size_t n, size_t pairs, const REAL *w, const REAL *c,
                              const REAL *skip, const REAL *u, ptrdiff_t step_u, REAL *y,
                              ptrdiff_t step_y, REAL *state) {
    size_t i = 0;
#if WIDE
    const ptrdiff_t rows = (ptrdiff_t)length, row = (ptrdiff_t)n, count = (ptrdiff_t)pairs;
    for (; i + LANES <= n; i += LANES) {
        for (ptrdiff_t t = 0; t < rows; t += SPAN) {
            const ptrdiff_t steps = rows - t < SPAN ? rows - t : SPAN;
            const REAL *in = u + t * step_u + i;
            REAL *out = y + t * step_y + i;
            ptrdiff_t p = 0;
#define PAIRS(P)                                                                                   \
    for (; p + (P) <= count; p += (P))                                                             \
        CK(diagonal_tile)(P, p == 0, steps, row, w + 2 * p * row + i, c + 2 * p * row + i,         \
                          skip + i, in, step_u, out, step_y, state + 2 * p * row + i);
            PAIRS(PAIRS_AT_ONCE)
#if PAIRS_AT_ONCE > 2
            PAIRS(2)
#endif
            PAIRS(1)
#undef PAIRS
        }
    }
#endif
    if (i < n)
        CK(diagonal_plain)(i, length, n, pairs, w, c, skip, u, step_u, y, step_y, state);
}

static void CK(diagonal_slopes)(size_t length, size_t n, size_t pairs, const REAL *w,
                                const REAL *u, ptrdiff_t step_u, const REAL *dy, ptrdiff_t step_y,
                                REAL *sums) {
    size_t i = 0;
#if WIDE
    const ptrdiff_t rows = (ptrdiff_t)length, row = (ptrdiff_t)n, count = (ptrdiff_t)pairs;
    CK(lanes) carried[4 * CK_PAIRS];
    for (; i + LANES <= n; i += LANES) {
        for (ptrdiff_t p = 0; p < 4 * count; p++) carried[p] = (CK(lanes)){0};
        for (ptrdiff_t t = 0; t < rows; t += SPAN) {
            const ptrdiff_t steps = rows - t < SPAN ? rows - t : SPAN;
            const REAL *in = u + t * step_u + i, *slope = dy + t * step_y + i;
            ptrdiff_t p = 0;
#define PAIRS(P)                                                                                   \
    for (; p + (P) <= count; p += (P))                                                             \
        CK(diagonal_slopes_tile)(P, steps, row, w + 2 * p * row + i, in, step_u, slope, step_y,    \
                                 carried + 4 * p, sums + 4 * p * row + i);
            PAIRS(SLOPES_AT_ONCE)
#if SLOPES_AT_ONCE > 1
            PAIRS(1)
#endif
#undef PAIRS
        }
    }
#endif
    if (i < n) CK(diagonal_slopes_plain)(i, length, n, pairs, w, u, step_u, dy, step_y, sums);
}

#undef SPAN
#undef TAP_ROWS
#undef PAIRS_AT_ONCE
#undef SLOPES_AT_ONCE
