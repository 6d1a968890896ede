// Causal convolution of rows by transforms. Thirty-two rows go together: sixteen as the real parts and
// sixteen as the imaginary parts of sixteen complex signals, which a real kernel never mixes; every
// complex number of them is a group of 16 real parts and a group of 16 imaginary ones. Rows are cut
// into blocks and the kernel too, and all transforms are of two blocks, short enough for the nearest
// cache (uniformly partitioned overlap-save; Stockham 1966, Gardner 1995). Spectra stay in the order in
// which the transform leaves them, digits reversed.

#if WIDE
#define PAIR (2 * CK_BLOCK)  // Numbers of one complex group.

// Four complex groups `m` apart, there: sums of a transform of 4 m, three of them turned. In digits
// reversed order; w holds the three factors.
INSIDE void CK(turn_there)(const REAL *x, REAL *y, ptrdiff_t m, const REAL *w) {
    FREELY
    const ptrdiff_t step = m * PAIR;
    const CK(lanes) r0 = READ(x), i0 = READ(x + CK_BLOCK);
    const CK(lanes) r1 = READ(x + step), i1 = READ(x + step + CK_BLOCK);
    const CK(lanes) r2 = READ(x + 2 * step), i2 = READ(x + 2 * step + CK_BLOCK);
    const CK(lanes) r3 = READ(x + 3 * step), i3 = READ(x + 3 * step + CK_BLOCK);
    const CK(lanes) a = r0 + r2, b = i0 + i2, c = r1 + r3, d = i1 + i3;
    const CK(lanes) e = r0 - r2, f = i0 - i2, g = i1 - i3, h = r3 - r1;
    AT(y) = a + c;
    AT(y + CK_BLOCK) = b + d;
    const CK(lanes) p = e + g, q = f + h, s = a - c, t = b - d, u = e - g, v = f - h;
    AT(y + step) = p * w[0] - q * w[1];
    AT(y + step + CK_BLOCK) = p * w[1] + q * w[0];
    AT(y + 2 * step) = s * w[2] - t * w[3];
    AT(y + 2 * step + CK_BLOCK) = s * w[3] + t * w[2];
    AT(y + 3 * step) = u * w[4] - v * w[5];
    AT(y + 3 * step + CK_BLOCK) = u * w[5] + v * w[4];
}

// The inverse of `turn_there`, times 4. Of its results those of 0 and m go to y, or those of 2 m and
// 3 m, or all four, as `part` says: 1, 2 or 3.
INSIDE void CK(turn_back)(const REAL *x, REAL *y, ptrdiff_t m, const REAL *w, const int part) {
    FREELY
    const ptrdiff_t step = m * PAIR;
    const CK(lanes) r0 = READ(x), i0 = READ(x + CK_BLOCK);
    const CK(lanes) p = READ(x + step), q = READ(x + step + CK_BLOCK);
    const CK(lanes) s = READ(x + 2 * step), t = READ(x + 2 * step + CK_BLOCK);
    const CK(lanes) u = READ(x + 3 * step), v = READ(x + 3 * step + CK_BLOCK);
    const CK(lanes) r1 = p * w[0] + q * w[1], i1 = q * w[0] - p * w[1];
    const CK(lanes) r2 = s * w[2] + t * w[3], i2 = t * w[2] - s * w[3];
    const CK(lanes) r3 = u * w[4] + v * w[5], i3 = v * w[4] - u * w[5];
    const CK(lanes) a = r0 + r2, b = i0 + i2, c = r0 - r2, d = i0 - i2;
    const CK(lanes) e = r1 + r3, f = i1 + i3, g = i3 - i1, h = r1 - r3;
    if (part & 1) {
        AT(y) = a + e;
        AT(y + CK_BLOCK) = b + f;
        AT(y + step) = c + g;
        AT(y + step + CK_BLOCK) = d + h;
    }
    if (part & 2) {
        AT(y + 2 * step) = a - e;
        AT(y + 2 * step + CK_BLOCK) = b - f;
        AT(y + 3 * step) = c - g;
        AT(y + 3 * step + CK_BLOCK) = d - h;
    }
}

// The transform of n = 4^k complex groups x into y, digits reversed; y may be x. The factors of the
// first pass stand first in `w`, six numbers for each.
static void CK(there)(ptrdiff_t n, const REAL *x, REAL *y, const REAL *w) {
    for (ptrdiff_t m = n / 4; m > 0; w += 6 * m, m /= 4, x = y)
        for (ptrdiff_t start = 0; start < n; start += 4 * m)
            for (ptrdiff_t j = 0; j < m; j++)
                CK(turn_there)(x + (start + j) * PAIR, y + (start + j) * PAIR, m, w + 6 * j);
}

// Its inverse, times n; x is overwritten. The last pass writes the first half to y, or the second half
// to y + n / 2 groups.
static void CK(back)(ptrdiff_t n, REAL *x, REAL *y, const REAL *w, int second) {
    w += 6 * (n - 1) / 3;
    ptrdiff_t m = 1;
    for (; m < n / 4; m *= 4) {
        w -= 6 * m;
        for (ptrdiff_t start = 0; start < n; start += 4 * m)
            for (ptrdiff_t j = 0; j < m; j++)
                CK(turn_back)(x + (start + j) * PAIR, x + (start + j) * PAIR, m, w + 6 * j, 3);
    }
    w -= 6 * m;
    for (ptrdiff_t j = 0; j < m; j++) {
        if (second)
            CK(turn_back)(x + j * PAIR, y + j * PAIR, m, w + 6 * j, 2);
        else
            CK(turn_back)(x + j * PAIR, y + j * PAIR, m, w + 6 * j, 1);
    }
}

static void CK(transform_there)(ptrdiff_t n, const REAL *x, REAL *y, const REAL *w) {
    for (ptrdiff_t lane = 0; lane < CK_BLOCK; lane += LANES) CK(there)(n, x + lane, y + lane, w);
}

static void CK(transform_back)(ptrdiff_t n, REAL *x, REAL *y, const REAL *w, int second) {
    for (ptrdiff_t lane = 0; lane < CK_BLOCK; lane += LANES)
        CK(back)(n, x + lane, y + lane, w, second);
}

// Where everything lies in the scratch of a convolution.
typedef struct {
    ptrdiff_t length, block, count, spectrum;  // `count` blocks, spectra `spectrum` numbers apart
    REAL *signal;   // [(count + 1) * block] complex groups
    REAL *spectra;  // [count] spectra
    REAL *kernel;   // spectra of the kernel's blocks, one in each lane
    REAL *others;   // as `spectra`
    REAL *received; // as `kernel`: its gradient
    REAL *rows;     // [16, length]
} CK(plan);

static CK(plan) CK(make_plan)(size_t length, size_t block, REAL *scratch) {
    CK(plan) plan;
    plan.length = (ptrdiff_t)length;
    plan.block = (ptrdiff_t)block;
    plan.count = (plan.length + plan.block - 1) / plan.block;
    // Not a power of two, or all spectra would share their places in a cache.
    plan.spectrum = (2 * plan.block + 1) * PAIR;
    plan.signal = scratch;
    plan.spectra = plan.signal + (plan.count + 1) * plan.block * PAIR;
    plan.kernel = plan.spectra + plan.count * plan.spectrum;
    const ptrdiff_t lanes = (plan.count + CK_BLOCK - 1) / CK_BLOCK;
    plan.others = plan.kernel + lanes * plan.spectrum;
    plan.received = plan.others + plan.count * plan.spectrum;
    plan.rows = plan.received + lanes * plan.spectrum;
    return plan;
}

// Up to 32 rows as complex groups: row r is the real part of lane r, row 16 + r the imaginary one; what
// is beyond `length` up to `end` becomes 0.
static void CK(load_rows)(size_t rows, const REAL *x, size_t stride, size_t length, size_t end,
                          REAL *y) {
    const size_t first = rows < CK_BLOCK ? rows : CK_BLOCK;
    CK(gather_rows)(first, length, x, stride, y, PAIR);
    CK(gather_rows)(rows - first, length, x + first * stride, stride, y + CK_BLOCK, PAIR);
    memset(y + length * PAIR, 0, (end - length) * PAIR * sizeof(REAL));
}

// The spectra of the kernel's blocks, with as many zeros behind each, times 1 / n.
static void CK(load_kernel)(CK(plan) plan, const REAL *k, const REAL *w) {
    const ptrdiff_t n = 2 * plan.block;
    const REAL share = (REAL)(1.0 / (double)n);
    for (ptrdiff_t first = 0; first < plan.count; first += CK_BLOCK) {
        REAL *spectrum = plan.kernel + first / CK_BLOCK * plan.spectrum;
        memset(spectrum, 0, (size_t)(n * PAIR) * sizeof(REAL));
        const ptrdiff_t left = plan.length - first * plan.block;
        const ptrdiff_t known = left < CK_BLOCK * plan.block ? left : CK_BLOCK * plan.block;
        for (ptrdiff_t t = 0; t < known; t++)
            spectrum[t % plan.block * PAIR + t / plan.block] = k[first * plan.block + t] * share;
        CK(transform_there)(n, spectrum, spectrum, w);
    }
}

// The kernel's complex number p at place k.
#define KERNEL(p) (plan.kernel + (p) / CK_BLOCK * plan.spectrum + k * PAIR + (p) % CK_BLOCK)

// x_i = sum over p <= i of h_p x_{i-p} at every place, in place: the last one first. Where BACK,
// x_i = sum over p of conj(h_p) x_{i+p}, the first one first.
INSIDE void CK(convolve_spectra)(const int BACK, CK(plan) plan) {
    FREELY
    const ptrdiff_t s = plan.spectrum;
    for (ptrdiff_t k = 0; k < 2 * plan.block; k++)
        for (ptrdiff_t lane = 0; lane < CK_BLOCK; lane += LANES) {
            REAL *x = plan.spectra + k * PAIR + lane;
            for (ptrdiff_t n = 0; n < plan.count; n++) {
                const ptrdiff_t i = BACK ? n : plan.count - 1 - n;
                CK(lanes) re = {0}, im = {0}, re2 = {0}, im2 = {0};
                for (ptrdiff_t p = 0; p < plan.count - n; p++) {
                    const REAL *from = x + (BACK ? i + p : i - p) * s;
                    const CK(lanes) a = READ(from), b = READ(from + CK_BLOCK);
                    const REAL c = KERNEL(p)[0], d = BACK ? -KERNEL(p)[CK_BLOCK] : KERNEL(p)[CK_BLOCK];
                    re += a * c;
                    im += a * d;
                    re2 += b * d;
                    im2 += b * c;
                }
                AT(x + i * s) = re - re2;
                AT(x + i * s + CK_BLOCK) = im + im2;
            }
        }
}

static void CK(transform_convolve)(size_t rows, size_t length, size_t block, const REAL *factors,
                                   const REAL *x, size_t stride_x, const REAL *k, REAL *y,
                                   size_t stride_y, REAL *scratch) {
    const CK(plan) plan = CK(make_plan)(length, block, scratch);
    const ptrdiff_t n = 2 * plan.block, step = plan.block * PAIR;
    CK(load_kernel)(plan, k, factors);
    // Every window of two blocks begins with the block before; the first one has none.
    memset(plan.signal, 0, (size_t)step * sizeof(REAL));
    REAL *signal = plan.signal + step;
    for (size_t row = 0; row < rows; row += PAIR) {
        const size_t count = rows - row < PAIR ? rows - row : PAIR;
        const size_t first = count < CK_BLOCK ? count : CK_BLOCK;
        CK(load_rows)(count, x + row * stride_x, stride_x, length, (size_t)plan.count * block,
                      signal);
        for (ptrdiff_t i = 0; i < plan.count; i++)
            CK(transform_there)(n, plan.signal + i * step, plan.spectra + i * plan.spectrum,
                                factors);
        CK(convolve_spectra)(0, plan);
        for (ptrdiff_t i = 0; i < plan.count; i++)
            CK(transform_back)(n, plan.spectra + i * plan.spectrum, plan.signal + i * step, factors,
                               1);
        REAL *to = y + row * stride_y;
        CK(scatter_rows)(first, length, signal, PAIR, to, stride_y);
        CK(scatter_rows)(count - first, length, signal + CK_BLOCK, PAIR, to + first * stride_y,
                         stride_y);
    }
}

static inline REAL CK(lane_sum)(CK(lanes) v) {
#if CK_IS_FLOAT && VECTOR == 64
    return _mm512_reduce_add_ps((__m512)v);
#else
    REAL total = 0;
    for (size_t i = 0; i < LANES; i++) total += v[i];
    return total;
#endif
}

// Adds to the gradient of the kernel's block p, for all p, the sum over blocks i and lanes of
// conj(other_i) x_{i+p}.
static void CK(correlate_spectra)(CK(plan) plan) {
    FREELY
    const ptrdiff_t s = plan.spectrum;
    for (ptrdiff_t k = 0; k < 2 * plan.block; k++)
        for (ptrdiff_t lane = 0; lane < CK_BLOCK; lane += LANES)
            for (ptrdiff_t p = 0; p < plan.count; p++) {
                CK(lanes) re = {0}, im = {0}, re2 = {0}, im2 = {0};
                for (ptrdiff_t i = 0; i + p < plan.count; i++) {
                    const REAL *x = plan.spectra + (i + p) * s + k * PAIR + lane;
                    const REAL *other = plan.others + i * s + k * PAIR + lane;
                    const CK(lanes) a = READ(x), b = READ(x + CK_BLOCK);
                    const CK(lanes) c = READ(other), d = READ(other + CK_BLOCK);
                    re += a * c;
                    re2 += b * d;
                    im += b * c;
                    im2 += a * d;
                }
                REAL *to = plan.received + p / CK_BLOCK * s + k * PAIR + p % CK_BLOCK;
                to[0] += CK(lane_sum)(re + re2);
                to[CK_BLOCK] += CK(lane_sum)(im - im2);
            }
}

// Adds the transformed gradient of the kernel to dk.
static void CK(store_kernel)(CK(plan) plan, REAL *dk, const REAL *factors) {
    const ptrdiff_t n = 2 * plan.block;
    const REAL share = (REAL)(1.0 / (double)n);
    for (ptrdiff_t first = 0; first < plan.count; first += CK_BLOCK) {
        REAL *spectrum = plan.received + first / CK_BLOCK * plan.spectrum;
        CK(transform_back)(n, spectrum, spectrum, factors, 0);
        const ptrdiff_t left = plan.length - first * plan.block;
        const ptrdiff_t known = left < CK_BLOCK * plan.block ? left : CK_BLOCK * plan.block;
        for (ptrdiff_t t = 0; t < known; t++)
            dk[first * plan.block + t] +=
                spectrum[t % plan.block * PAIR + t / plan.block] * share;
    }
}

static void CK(transform_convolve_backward)(size_t rows, size_t length, size_t block,
                                            const REAL *factors, const REAL *x, size_t stride_x,
                                            const REAL *k, const REAL *dy, size_t stride_y,
                                            REAL *dx, size_t stride_dx, REAL *dk, REAL *scratch) {
    const CK(plan) plan = CK(make_plan)(length, block, scratch);
    const ptrdiff_t n = 2 * plan.block, step = plan.block * PAIR;
    const size_t end = (size_t)(plan.count + 1) * block;
    const ptrdiff_t groups = (plan.count + CK_BLOCK - 1) / CK_BLOCK;
    CK(load_kernel)(plan, k, factors);
    memset(plan.received, 0, (size_t)(groups * plan.spectrum) * sizeof(REAL));
    for (size_t row = 0; row < rows; row += PAIR) {
        const size_t count = rows - row < PAIR ? rows - row : PAIR;
        // Blocks of x with zeros behind them.
        CK(load_rows)(count, x + row * stride_x, stride_x, length, end, plan.signal);
        for (ptrdiff_t i = 0; i < plan.count; i++) {
            REAL *other = plan.others + i * plan.spectrum;
            memcpy(other, plan.signal + i * step, (size_t)step * sizeof(REAL));
            memset(other + step, 0, (size_t)step * sizeof(REAL));
            CK(transform_there)(n, other, other, factors);
        }
        // Blocks of dy with the next block behind them.
        CK(load_rows)(count, dy + row * stride_y, stride_y, length, end, plan.signal);
        for (ptrdiff_t i = 0; i < plan.count; i++)
            CK(transform_there)(n, plan.signal + i * step, plan.spectra + i * plan.spectrum,
                                factors);
        CK(correlate_spectra)(plan);
        if (!dx) continue;
        CK(convolve_spectra)(1, plan);
        for (ptrdiff_t i = 0; i < plan.count; i++)
            CK(transform_back)(n, plan.spectra + i * plan.spectrum, plan.signal + i * step, factors,
                               0);
        for (size_t part = 0; part < count; part += CK_BLOCK) {
            const size_t left = count - part < CK_BLOCK ? count - part : CK_BLOCK;
            CK(scatter_rows)(left, length, plan.signal + part, PAIR, plan.rows, length);
            for (size_t r = 0; r < left; r++)
                CK(axpy)(length, 1, plan.rows + r * length, dx + (row + part + r) * stride_dx);
        }
    }
    CK(store_kernel)(plan, dk, factors);
}
#undef KERNEL
#undef PAIR
#else
static void CK(transform_convolve)(size_t rows, size_t length, size_t block, const REAL *factors,
                                   const REAL *x, size_t stride_x, const REAL *k, REAL *y,
                                   size_t stride_y, REAL *scratch) {
    (void)block;
    (void)factors;
    CK(convolve)(rows, length, x, stride_x, k, 0, y, 0, stride_y, scratch);
}

static void CK(transform_convolve_backward)(size_t rows, size_t length, size_t block,
                                            const REAL *factors, const REAL *x, size_t stride_x,
                                            const REAL *k, const REAL *dy, size_t stride_y,
                                            REAL *dx, size_t stride_dx, REAL *dk, REAL *scratch) {
    (void)block;
    (void)factors;
    CK(convolve_backward)(rows, length, x, stride_x, k, 0, dy, 0, stride_y, dx, stride_dx, dk, 0,
                          scratch);
}
#endif
