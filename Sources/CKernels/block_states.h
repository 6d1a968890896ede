// Over blocks of sixteen channels, see blocks.h: what happens once per state or coefficient, not once
// per window, and the ways between rows of one channel and blocks.

// MARK: Between rows and blocks

#if WIDE && CK_IS_FLOAT
// Exchanges rows and columns of 16 x 16 numbers in four rounds; each brings together, of two groups
// that are `8 >> round` apart, what belongs to neighbouring rows.
static inline void CK(exchange)(const REAL *x, ptrdiff_t from, REAL *y, ptrdiff_t to) {
    typedef REAL group __attribute__((vector_size(64), aligned(4), may_alias));
    group a[16], b[16];
    for (int i = 0; i < 16; i++) a[i] = *(const group *)(x + i * from);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 8; i++) {
            b[2 * i] = __builtin_shufflevector(a[i], a[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                               21, 6, 22, 7, 23);
            b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12,
                                                   28, 13, 29, 14, 30, 15, 31);
        }
        for (int i = 0; i < 8; i++) {
            a[2 * i] = __builtin_shufflevector(b[i], b[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                               21, 6, 22, 7, 23);
            a[2 * i + 1] = __builtin_shufflevector(b[i], b[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12,
                                                   28, 13, 29, 14, 30, 15, 31);
        }
    }
    for (int i = 0; i < 16; i++) *(group *)(y + i * to) = a[i];
}
#endif

static void CK(to_block)(size_t rows, size_t length, const REAL *x, size_t stride, REAL *y) {
    size_t t = 0;
#if WIDE && CK_IS_FLOAT
    if (rows == CK_BLOCK)
        for (; t + CK_BLOCK <= length; t += CK_BLOCK)
            CK(exchange)(x + t, (ptrdiff_t)stride, y + t * CK_BLOCK, CK_BLOCK);
#endif
    for (; t < length; t++)
        for (size_t c = 0; c < CK_BLOCK; c++)
            y[t * CK_BLOCK + c] = c < rows ? x[c * stride + t] : 0;
}

static void CK(from_block)(size_t rows, size_t length, const REAL *y, REAL *x, size_t stride) {
    size_t t = 0;
#if WIDE && CK_IS_FLOAT
    if (rows == CK_BLOCK)
        for (; t + CK_BLOCK <= length; t += CK_BLOCK)
            CK(exchange)(y + t * CK_BLOCK, CK_BLOCK, x + t, (ptrdiff_t)stride);
#endif
    for (; t < length; t++)
        for (size_t c = 0; c < rows; c++) x[c * stride + t] = y[t * CK_BLOCK + c];
}

// MARK: Channel by channel

static void CK(block_normalise)(size_t d, const REAL *x, REAL *y) {
    FREELY
    REAL norm[CK_BLOCK] = {0};
    for (size_t i = 0; i < d; i++)
        for (size_t c = 0; c < CK_BLOCK; c++) {
            const REAL v = x[i * CK_BLOCK + c];
            norm[c] += v < 0 ? -v : v;
        }
    for (size_t c = 0; c < CK_BLOCK; c++)
        if (norm[c] <= (REAL)1e-4) norm[c] = 1;
    for (size_t i = 0; i < d; i++)
        for (size_t c = 0; c < CK_BLOCK; c++) y[i * CK_BLOCK + c] = x[i * CK_BLOCK + c] / norm[c];
}

static void CK(block_normalise_backward)(size_t d, const REAL *x, const REAL *y, const REAL *dy,
                                         REAL *dx) {
    FREELY
    REAL norm[CK_BLOCK] = {0}, along[CK_BLOCK] = {0};
    for (size_t i = 0; i < d; i++)
        for (size_t c = 0; c < CK_BLOCK; c++) {
            const size_t at = i * CK_BLOCK + c;
            norm[c] += x[at] < 0 ? -x[at] : x[at];
            along[c] += dy[at] * y[at];
        }
    for (size_t c = 0; c < CK_BLOCK; c++)
        if (norm[c] <= (REAL)1e-4) {
            norm[c] = 1;
            along[c] = 0;
        }
    for (size_t i = 0; i < d; i++)
        for (size_t c = 0; c < CK_BLOCK; c++) {
            const size_t at = i * CK_BLOCK + c;
            const REAL sign = (REAL)((x[at] > 0) - (x[at] < 0));
            dx[at] += (dy[at] - along[c] * sign) / norm[c];
        }
}

#if WIDE
static void CK(block_scale_add)(size_t n, const REAL *factor, const REAL *x, REAL *y) {
    FREELY
    for (size_t lane = 0; lane < CK_BLOCK; lane += LANES) {
        const CK(lanes) f = READ(factor + lane);
        for (size_t at = lane; at < n * CK_BLOCK; at += CK_BLOCK) AT(y + at) += f * READ(x + at);
    }
}

static void CK(block_add)(size_t n, const REAL *offset, const REAL *x, const REAL *y, REAL *z) {
    FREELY
    for (size_t lane = 0; lane < CK_BLOCK; lane += LANES) {
        const CK(lanes) c = READ(offset + lane);
        for (size_t at = lane; at < n * CK_BLOCK; at += CK_BLOCK)
            AT(z + at) = READ(x + at) + READ(y + at) + c;
    }
}

static void CK(block_sum)(size_t n, const REAL *x, REAL *sum) {
    FREELY
    for (size_t lane = 0; lane < CK_BLOCK; lane += LANES) {
        CK(lanes) total[4] = {{0}, {0}, {0}, {0}};
        size_t t = 0;
        for (; t + 4 <= n; t += 4) {
            UNROLLED for (size_t i = 0; i < 4; i++)
                total[i] += READ(x + (t + i) * CK_BLOCK + lane);
        }
        for (; t < n; t++) total[0] += READ(x + t * CK_BLOCK + lane);
        AT(sum + lane) += (total[0] + total[1]) + (total[2] + total[3]);
    }
}

static void CK(block_dot)(size_t n, const REAL *x, const REAL *y, REAL *sum) {
    FREELY
    for (size_t lane = 0; lane < CK_BLOCK; lane += LANES) {
        CK(lanes) total[4] = {{0}, {0}, {0}, {0}};
        size_t t = 0;
        for (; t + 4 <= n; t += 4) {
            UNROLLED for (size_t i = 0; i < 4; i++) {
                const size_t at = (t + i) * CK_BLOCK + lane;
                total[i] += READ(x + at) * READ(y + at);
            }
        }
        for (; t < n; t++) total[0] += READ(x + t * CK_BLOCK + lane) * READ(y + t * CK_BLOCK + lane);
        AT(sum + lane) += (total[0] + total[1]) + (total[2] + total[3]);
    }
}
#else
static void CK(block_scale_add)(size_t n, const REAL *factor, const REAL *x, REAL *y) {
    for (size_t t = 0; t < n; t++) {
        for (size_t c = 0; c < CK_BLOCK; c++)
            y[t * CK_BLOCK + c] += factor[c] * x[t * CK_BLOCK + c];
    }
}

static void CK(block_add)(size_t n, const REAL *offset, const REAL *x, const REAL *y, REAL *z) {
    for (size_t t = 0; t < n; t++) {
        for (size_t c = 0; c < CK_BLOCK; c++)
            z[t * CK_BLOCK + c] = x[t * CK_BLOCK + c] + y[t * CK_BLOCK + c] + offset[c];
    }
}

static void CK(block_sum)(size_t n, const REAL *x, REAL *sum) {
    REAL total[CK_BLOCK] = {0};
    for (size_t t = 0; t < n; t++)
        for (size_t c = 0; c < CK_BLOCK; c++) total[c] += x[t * CK_BLOCK + c];
    for (size_t c = 0; c < CK_BLOCK; c++) sum[c] += total[c];
}

static void CK(block_dot)(size_t n, const REAL *x, const REAL *y, REAL *sum) {
    REAL total[CK_BLOCK] = {0};
    for (size_t t = 0; t < n; t++)
        for (size_t c = 0; c < CK_BLOCK; c++)
            total[c] += x[t * CK_BLOCK + c] * y[t * CK_BLOCK + c];
    for (size_t c = 0; c < CK_BLOCK; c++) sum[c] += total[c];
}
#endif

// MARK: Recurrences of the states

#if WIDE
// The sums of x u and of y v over d groups, in four parts each, which do not wait for one another.
INSIDE void CK(two_sums)(ptrdiff_t d, const REAL *x, const REAL *u, const REAL *y, const REAL *v,
                         CK(lanes) *first, CK(lanes) *second) {
    FREELY
    CK(lanes) p[4] = {{0}, {0}, {0}, {0}}, q[4] = {{0}, {0}, {0}, {0}};
    ptrdiff_t i = 0;
    for (; i + 4 <= d; i += 4) {
        UNROLLED for (int n = 0; n < 4; n++) {
            const ptrdiff_t at = (i + n) * CK_BLOCK;
            p[n] += READ(x + at) * READ(u + at);
            q[n] += READ(y + at) * READ(v + at);
        }
    }
    for (; i < d; i++) {
        p[0] += READ(x + i * CK_BLOCK) * READ(u + i * CK_BLOCK);
        q[0] += READ(y + i * CK_BLOCK) * READ(v + i * CK_BLOCK);
    }
    *first = (p[0] + p[1]) + (p[2] + p[3]);
    *second = (q[0] + q[1]) + (q[2] + q[3]);
}

// next = r M for the closed loop M = A + b k', one group per state.
INSIDE void CK(block_row)(ptrdiff_t d, const REAL *restrict a, const REAL *restrict b,
                          const REAL *restrict k, const REAL *restrict r, REAL *restrict next) {
    FREELY
    CK(lanes) fed, last;
    CK(two_sums)(d, b, r, a, r, &fed, &last);
    for (ptrdiff_t i = 0; i + 1 < d; i++)
        AT(next + i * CK_BLOCK) = READ(r + (i + 1) * CK_BLOCK) + READ(k + i * CK_BLOCK) * fed;
    AT(next + (d - 1) * CK_BLOCK) = last + READ(k + (d - 1) * CK_BLOCK) * fed;
}

static void CK(block_rows)(size_t d, size_t count, const REAL *a, const REAL *b, const REAL *k,
                           REAL *r, size_t step) {
    for (size_t h = 0; h < count; h++, r += step)
        for (size_t lane = 0; lane < CK_BLOCK; lane += LANES)
            CK(block_row)((ptrdiff_t)d, a + lane, b + lane, k + lane, r + lane, r + step + lane);
}

// mu = dr + M mu, and what the vectors receive for the row r.
INSIDE void CK(block_row_back)(ptrdiff_t d, const REAL *restrict a, const REAL *restrict b,
                               const REAL *restrict k, const REAL *restrict r,
                               const REAL *restrict dr, REAL *restrict mu, REAL *restrict da,
                               REAL *restrict db, REAL *restrict dk) {
    FREELY
    CK(lanes) fed, kappa;
    CK(two_sums)(d, b, r, k, mu, &fed, &kappa);
    const CK(lanes) last = READ(mu + (d - 1) * CK_BLOCK);
    CK(lanes) before = {0};
    for (ptrdiff_t i = 0; i < d; i++) {
        const ptrdiff_t at = i * CK_BLOCK;
        const CK(lanes) row = READ(r + at), v = READ(mu + at);
        AT(da + at) += last * row;
        AT(db + at) += kappa * row;
        AT(dk + at) += fed * v;
        AT(mu + at) = READ(dr + at) + before + last * READ(a + at) + kappa * READ(b + at);
        before = v;
    }
}

static void CK(block_rows_backward)(size_t d, size_t count, const REAL *a, const REAL *b,
                                    const REAL *k, const REAL *r, const REAL *dr, size_t step,
                                    REAL *mu, REAL *da, REAL *db, REAL *dk) {
    for (size_t h = count; h-- > 0;)
        for (size_t l = 0; l < CK_BLOCK; l += LANES)
            CK(block_row_back)((ptrdiff_t)d, a + l, b + l, k + l, r + h * step + l,
                               dr + h * step + l, mu + l, da + l, db + l, dk + l);
}

static void CK(block_numerators)(size_t d, const REAL *a, const REAL *b, REAL *p, size_t step) {
    FREELY
    memcpy(p, b, d * CK_BLOCK * sizeof(REAL));
    for (size_t j = 1; j < d; j++, p += step) {
        for (size_t lane = 0; lane < CK_BLOCK; lane += LANES) {
            const REAL *row = p + lane;
            const CK(lanes) last = READ(row + (d - 1) * CK_BLOCK);
            const CK(lanes) tap = READ(a + (d - j) * CK_BLOCK + lane);
            for (size_t i = 0; i < d; i++) {
                const size_t at = i * CK_BLOCK;
                CK(lanes) v = READ(a + at + lane) * last - tap * READ(b + at + lane);
                if (i > 0) v += READ(row + at - CK_BLOCK);
                AT(p + step + at + lane) = v;
            }
        }
    }
}

static void CK(block_numerators_backward)(size_t d, const REAL *a, const REAL *b, const REAL *p,
                                          REAL *dp, size_t step, REAL *da, REAL *db) {
    FREELY
    for (size_t lane = 0; lane < CK_BLOCK; lane += LANES) {
        for (size_t j = d - 1; j >= 1; j--) {
            const REAL *above = dp + j * step + lane;
            REAL *row = dp + (j - 1) * step + lane;
            const CK(lanes) last = READ(p + (j - 1) * step + (d - 1) * CK_BLOCK + lane);
            const CK(lanes) tap = READ(a + (d - j) * CK_BLOCK + lane);
            CK(lanes) along = {0}, carried = {0};
            for (size_t i = 0; i < d; i++) {
                const size_t at = i * CK_BLOCK;
                const CK(lanes) v = READ(above + at);
                along += READ(b + at + lane) * v;
                carried += READ(a + at + lane) * v;
                AT(db + at + lane) -= tap * v;
                AT(da + at + lane) += last * v;
                if (i > 0) AT(row + at - CK_BLOCK) += v;
            }
            AT(row + (d - 1) * CK_BLOCK) += carried;
            AT(da + (d - j) * CK_BLOCK + lane) -= along;
        }
        for (size_t i = 0; i < d; i++) AT(db + i * CK_BLOCK + lane) += READ(dp + i * CK_BLOCK + lane);
    }
}

#else
static void CK(block_rows)(size_t d, size_t count, const REAL *a, const REAL *b, const REAL *k,
                           REAL *r, size_t step) {
    for (size_t h = 0; h < count; h++, r += step)
        for (size_t c = 0; c < CK_BLOCK; c++) {
            REAL fed = 0, last = 0;
            for (size_t i = 0; i < d; i++) {
                fed += b[i * CK_BLOCK + c] * r[i * CK_BLOCK + c];
                last += a[i * CK_BLOCK + c] * r[i * CK_BLOCK + c];
            }
            for (size_t i = 0; i < d; i++)
                r[step + i * CK_BLOCK + c] =
                    (i + 1 < d ? r[(i + 1) * CK_BLOCK + c] : last) + k[i * CK_BLOCK + c] * fed;
        }
}

static void CK(block_rows_backward)(size_t d, size_t count, const REAL *a, const REAL *b,
                                    const REAL *k, const REAL *r, const REAL *dr, size_t step,
                                    REAL *mu, REAL *da, REAL *db, REAL *dk) {
    for (size_t h = count; h-- > 0;)
        for (size_t c = 0; c < CK_BLOCK; c++) {
            REAL fed = 0, kappa = 0;
            for (size_t i = 0; i < d; i++) {
                fed += b[i * CK_BLOCK + c] * r[h * step + i * CK_BLOCK + c];
                kappa += k[i * CK_BLOCK + c] * mu[i * CK_BLOCK + c];
            }
            const REAL last = mu[(d - 1) * CK_BLOCK + c];
            for (size_t i = d; i-- > 0;) {
                const size_t at = i * CK_BLOCK + c;
                da[at] += last * r[h * step + at];
                db[at] += kappa * r[h * step + at];
                dk[at] += fed * mu[at];
                mu[at] = dr[h * step + at] + (i > 0 ? mu[at - CK_BLOCK] : 0) + last * a[at]
                    + kappa * b[at];
            }
        }
}

static void CK(block_numerators)(size_t d, const REAL *a, const REAL *b, REAL *p, size_t step) {
    memcpy(p, b, d * CK_BLOCK * sizeof(REAL));
    for (size_t j = 1; j < d; j++, p += step)
        for (size_t i = 0; i < d; i++)
            for (size_t c = 0; c < CK_BLOCK; c++) {
                const size_t at = i * CK_BLOCK + c, end = (d - 1) * CK_BLOCK + c;
                p[step + at] = (i > 0 ? p[at - CK_BLOCK] : 0) + a[at] * p[end]
                    - a[(d - j) * CK_BLOCK + c] * b[at];
            }
}

static void CK(block_numerators_backward)(size_t d, const REAL *a, const REAL *b, const REAL *p,
                                          REAL *dp, size_t step, REAL *da, REAL *db) {
    for (size_t j = d - 1; j >= 1; j--)
        for (size_t c = 0; c < CK_BLOCK; c++) {
            const REAL *above = dp + j * step;
            REAL *row = dp + (j - 1) * step;
            const REAL last = p[(j - 1) * step + (d - 1) * CK_BLOCK + c];
            const REAL tap = a[(d - j) * CK_BLOCK + c];
            REAL along = 0, carried = 0;
            for (size_t i = 0; i < d; i++) {
                const size_t at = i * CK_BLOCK + c;
                along += b[at] * above[at];
                carried += a[at] * above[at];
                db[at] -= tap * above[at];
                da[at] += last * above[at];
                if (i > 0) row[at - CK_BLOCK] += above[at];
            }
            row[(d - 1) * CK_BLOCK + c] += carried;
            da[(d - j) * CK_BLOCK + c] -= along;
        }
    for (size_t i = 0; i < d * CK_BLOCK; i++) db[i] += dp[i];
}
#endif
