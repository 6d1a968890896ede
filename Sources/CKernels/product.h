// Products of matrices whose rows are points in time, once for every variant and type; see `body.h`,
// which includes this. Sizes of a layer, tens to hundreds: nothing is packed, since a strip of `b` and a
// tile's rows of `a` fit the nearest cache as they lie.

#if WIDE
#if VECTOR == 64
#define TALL 12
#else
#define TALL 4
#endif

// A tile of M rows and N registers of columns.
INSIDE void CK(product_tile)(const int M, const int N, ptrdiff_t inner, const REAL *a,
                             ptrdiff_t row_a, ptrdiff_t step_a, const REAL *b, ptrdiff_t step_b,
                             REAL *c, ptrdiff_t step_c, int add) {
    FREELY
    CK(lanes) sum[TALL][2];
    UNROLLED for (int m = 0; m < M; m++) {
        UNROLLED for (int n = 0; n < N; n++)
            sum[m][n] = add ? READ(c + m * step_c + n * (ptrdiff_t)LANES) : (CK(lanes)){0};
    }
    const REAL *p[4];  // To every third row: few enough addresses that each has a register.
    UNROLLED for (int i = 0; i < 4; i++) p[i] = a + (3 * i < M ? 3 * i : 0) * row_a;
    for (ptrdiff_t k = 0; k < inner; k++) {
        CK(lanes) v[2];
        UNROLLED for (int n = 0; n < N; n++) v[n] = READ(b + n * (ptrdiff_t)LANES);
        UNROLLED for (int m = 0; m < M; m++) {
            const REAL u = p[m / 3][m % 3 * row_a];
            UNROLLED for (int n = 0; n < N; n++) sum[m][n] += u * v[n];
        }
        UNROLLED for (int i = 0; i < 4; i++) p[i] += step_a;
        b += step_b;
    }
    UNROLLED for (int m = 0; m < M; m++) {
        UNROLLED for (int n = 0; n < N; n++) AT(c + m * step_c + n * (ptrdiff_t)LANES) = sum[m][n];
    }
}

// All rows of a strip of N registers of columns.
INSIDE void CK(product_strip)(const int N, ptrdiff_t rows, ptrdiff_t inner, const REAL *a,
                              ptrdiff_t row_a, ptrdiff_t step_a, const REAL *b, ptrdiff_t step_b,
                              REAL *c, ptrdiff_t step_c, int add) {
    ptrdiff_t m = 0;
#define PRODUCT(M)                                                                                 \
    for (; m + (M) <= rows; m += (M))                                                              \
        CK(product_tile)(M, N, inner, a + m * row_a, row_a, step_a, b, step_b, c + m * step_c,     \
                         step_c, add);
    PRODUCT(TALL)
#if TALL > 8
    PRODUCT(8)
    PRODUCT(4)
#endif
    PRODUCT(2)
    PRODUCT(1)
#undef PRODUCT
}

// One row by N registers of columns: so many sums that none waits for the one before.
INSIDE void CK(product_row)(const int N, ptrdiff_t inner, const REAL *a, ptrdiff_t step_a,
                            const REAL *b, ptrdiff_t step_b, REAL *c, int add) {
    FREELY
    CK(lanes) sum[8];
    UNROLLED for (int n = 0; n < N; n++)
        sum[n] = add ? READ(c + n * (ptrdiff_t)LANES) : (CK(lanes)){0};
    for (ptrdiff_t k = 0; k < inner; k++, a += step_a, b += step_b) {
        UNROLLED for (int n = 0; n < N; n++) sum[n] += *a * READ(b + n * (ptrdiff_t)LANES);
    }
    UNROLLED for (int n = 0; n < N; n++) AT(c + n * (ptrdiff_t)LANES) = sum[n];
}

// Columns of b that are copied side by side at once, where they do not fill a register.
#define SLICE 64

static void CK(product)(size_t rows, size_t columns, size_t inner, const REAL *a, ptrdiff_t row_a,
                        ptrdiff_t step_a, const REAL *b, ptrdiff_t step_b, REAL *c,
                        ptrdiff_t step_c, int add) {
    const ptrdiff_t m = (ptrdiff_t)rows, k = (ptrdiff_t)inner, n = (ptrdiff_t)columns;
    const ptrdiff_t lanes = (ptrdiff_t)LANES;
    ptrdiff_t j = 0;
    for (; m == 1 && j + 8 * lanes <= n; j += 8 * lanes)
        CK(product_row)(8, k, a, step_a, b + j, step_b, c + j, add);
    for (; m == 1 && j + 4 * lanes <= n; j += 4 * lanes)
        CK(product_row)(4, k, a, step_a, b + j, step_b, c + j, add);
    for (; j + 2 * lanes <= n; j += 2 * lanes)
        CK(product_strip)(2, m, k, a, row_a, step_a, b + j, step_b, c + j, step_c, add);
    for (; j + lanes <= n; j += lanes)
        CK(product_strip)(1, m, k, a, row_a, step_a, b + j, step_b, c + j, step_c, add);
    if (j == n) return;
    REAL narrow[SLICE * LANES] __attribute__((aligned(64)));
    REAL sums[TALL * LANES] __attribute__((aligned(64)));
    for (ptrdiff_t start = 0; start < k || start == 0; start += SLICE) {
        const ptrdiff_t count = k - start < SLICE ? k - start : SLICE;
        for (ptrdiff_t i = 0; i < count; i++) {
            for (ptrdiff_t l = 0; l < lanes; l++)
                narrow[i * lanes + l] = j + l < n ? b[(start + i) * step_b + j + l] : 0;
        }
        for (ptrdiff_t i = 0; i < m; i += TALL) {
            const ptrdiff_t tall = m - i < TALL ? m - i : TALL;
            CK(product_strip)(1, tall, count, a + i * row_a + start * step_a, row_a, step_a, narrow,
                              lanes, sums, lanes, 0);
            for (ptrdiff_t r = 0; r < tall; r++) {
                REAL *out = c + (i + r) * step_c + j;
                for (ptrdiff_t l = 0; l < n - j; l++)
                    out[l] = (add || start > 0 ? out[l] : 0) + sums[r * lanes + l];
            }
        }
    }
}

#undef SLICE
#undef TALL

#else

static void CK(product)(size_t rows, size_t columns, size_t inner, const REAL *a, ptrdiff_t row_a,
                        ptrdiff_t step_a, const REAL *b, ptrdiff_t step_b, REAL *c,
                        ptrdiff_t step_c, int add) {
    for (ptrdiff_t i = 0; i < (ptrdiff_t)rows; i++) {
        for (ptrdiff_t j = 0; j < (ptrdiff_t)columns; j++) {
            REAL sum = add ? c[i * step_c + j] : 0;
            for (ptrdiff_t k = 0; k < (ptrdiff_t)inner; k++)
                sum += a[i * row_a + k * step_a] * b[k * step_b + j];
            c[i * step_c + j] = sum;
        }
    }
}

#endif
