// Products over all channels of blocks of sixteen, see blocks.h: one channel is broadcast to the lanes
// of the others.

#if WIDE
// y_{o,t} += sum over the inputs i of w_{i,o} x_{i,t} for M points in time and N blocks of outputs.
INSIDE void CK(mix_tile)(const int M, const int N, ptrdiff_t inputs, const REAL *w,
                         ptrdiff_t w_row, const REAL *x, ptrdiff_t x_block, REAL *y,
                         ptrdiff_t y_block) {
    FREELY
    CK(lanes) sum[8][2];
    UNROLLED for (int m = 0; m < M; m++) {
        UNROLLED for (int n = 0; n < N; n++) sum[m][n] = READ(y + n * y_block + m * CK_BLOCK);
    }
    for (ptrdiff_t block = 0; block < inputs; block++) {
        for (ptrdiff_t i = 0; i < CK_BLOCK; i++) {
            const REAL *from = x + block * x_block + i, *row = w + (block * CK_BLOCK + i) * w_row;
            CK(lanes) v[2];
            UNROLLED for (int n = 0; n < N; n++) v[n] = READ(row + n * CK_BLOCK);
            UNROLLED for (int m = 0; m < M; m++) {
                const REAL u = from[m * CK_BLOCK];
                UNROLLED for (int n = 0; n < N; n++) sum[m][n] += u * v[n];
            }
        }
    }
    UNROLLED for (int m = 0; m < M; m++) {
        UNROLLED for (int n = 0; n < N; n++) AT(y + n * y_block + m * CK_BLOCK) = sum[m][n];
    }
}

static void CK(block_mix)(size_t inputs, size_t outputs, size_t length, const REAL *w,
                          const REAL *x, size_t x_block, REAL *y, size_t y_block) {
    const ptrdiff_t in = (ptrdiff_t)inputs, out = (ptrdiff_t)outputs, n = (ptrdiff_t)length;
    const ptrdiff_t w_row = out * CK_BLOCK, xb = (ptrdiff_t)x_block, yb = (ptrdiff_t)y_block;
    for (ptrdiff_t lane = 0; lane < CK_BLOCK; lane += LANES) {
        for (ptrdiff_t o = 0; o < out;) {
            const int pair = o + 2 <= out;
            const REAL *from = w + o * CK_BLOCK + lane;
            REAL *to = y + o * yb + lane;
            ptrdiff_t t = 0;
            for (; t + MIX_ROWS <= n; t += MIX_ROWS) {
                if (pair)
                    CK(mix_tile)(MIX_ROWS, 2, in, from, w_row, x + t * CK_BLOCK, xb,
                                 to + t * CK_BLOCK, yb);
                else
                    CK(mix_tile)(MIX_ROWS, 1, in, from, w_row, x + t * CK_BLOCK, xb,
                                 to + t * CK_BLOCK, yb);
            }
            for (; t < n; t++) {
                if (pair)
                    CK(mix_tile)(1, 2, in, from, w_row, x + t * CK_BLOCK, xb, to + t * CK_BLOCK,
                                 yb);
                else
                    CK(mix_tile)(1, 1, in, from, w_row, x + t * CK_BLOCK, xb, to + t * CK_BLOCK,
                                 yb);
            }
            o += pair ? 2 : 1;
        }
    }
}

// w_{i,o} += sum over t of x_{i,t} y_{o,t} for M channels of one block i and N blocks o.
INSIDE void CK(outer_tile)(const int M, const int N, ptrdiff_t length, const REAL *x,
                           const REAL *y, ptrdiff_t y_block, REAL *w, ptrdiff_t w_row) {
    FREELY
    CK(lanes) sum[8][2];
    UNROLLED for (int m = 0; m < M; m++) {
        UNROLLED for (int n = 0; n < N; n++) sum[m][n] = (CK(lanes)){0};
    }
    for (ptrdiff_t t = 0; t < length; t++) {
        CK(lanes) v[2];
        UNROLLED for (int n = 0; n < N; n++) v[n] = READ(y + n * y_block + t * CK_BLOCK);
        UNROLLED for (int m = 0; m < M; m++) {
            const REAL u = x[t * CK_BLOCK + m];
            UNROLLED for (int n = 0; n < N; n++) sum[m][n] += u * v[n];
        }
    }
    UNROLLED for (int m = 0; m < M; m++) {
        UNROLLED for (int n = 0; n < N; n++) AT(w + m * w_row + n * CK_BLOCK) += sum[m][n];
    }
}

static void CK(block_outer)(size_t inputs, size_t outputs, size_t length, const REAL *x,
                            size_t x_block, const REAL *y, size_t y_block, REAL *w) {
    const ptrdiff_t in = (ptrdiff_t)inputs, out = (ptrdiff_t)outputs;
    const ptrdiff_t w_row = out * CK_BLOCK, xb = (ptrdiff_t)x_block, yb = (ptrdiff_t)y_block;
    for (ptrdiff_t lane = 0; lane < CK_BLOCK; lane += LANES) {
        // So many points in time of three blocks stay in the nearest cache.
        for (ptrdiff_t start = 0; start < (ptrdiff_t)length; start += OUTER_LENGTH) {
            const ptrdiff_t left = (ptrdiff_t)length - start;
            const ptrdiff_t count = left < OUTER_LENGTH ? left : OUTER_LENGTH;
            for (ptrdiff_t o = 0; o < out;) {
                const int pair = o + 2 <= out;
                const REAL *from = y + o * yb + start * CK_BLOCK + lane;
                for (ptrdiff_t i = 0; i < in * CK_BLOCK; i += MIX_ROWS) {
                    const REAL *u = x + i / CK_BLOCK * xb + start * CK_BLOCK + i % CK_BLOCK;
                    REAL *to = w + i * w_row + o * CK_BLOCK + lane;
                    if (pair)
                        CK(outer_tile)(MIX_ROWS, 2, count, u, from, yb, to, w_row);
                    else
                        CK(outer_tile)(MIX_ROWS, 1, count, u, from, yb, to, w_row);
                }
                o += pair ? 2 : 1;
            }
        }
    }
}
#else
static void CK(block_mix)(size_t inputs, size_t outputs, size_t length, const REAL *w,
                          const REAL *x, size_t x_block, REAL *y, size_t y_block) {
    for (size_t o = 0; o < outputs * CK_BLOCK; o++)
        for (size_t t = 0; t < length; t++) {
            REAL *to = y + o / CK_BLOCK * y_block + t * CK_BLOCK + o % CK_BLOCK;
            for (size_t i = 0; i < inputs * CK_BLOCK; i++)
                *to += w[i * outputs * CK_BLOCK + o]
                    * x[i / CK_BLOCK * x_block + t * CK_BLOCK + i % CK_BLOCK];
        }
}

static void CK(block_outer)(size_t inputs, size_t outputs, size_t length, const REAL *x,
                            size_t x_block, const REAL *y, size_t y_block, REAL *w) {
    for (size_t i = 0; i < inputs * CK_BLOCK; i++)
        for (size_t o = 0; o < outputs * CK_BLOCK; o++) {
            REAL sum = 0;
            for (size_t t = 0; t < length; t++)
                sum += x[i / CK_BLOCK * x_block + t * CK_BLOCK + i % CK_BLOCK]
                    * y[o / CK_BLOCK * y_block + t * CK_BLOCK + o % CK_BLOCK];
            w[i * outputs * CK_BLOCK + o] += sum;
        }
}
#endif
