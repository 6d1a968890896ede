// One direction of a Mamba block as it is used, without an adjoint: convolution, SiLU, the maps of the
// signal, step widths and scan, once for every variant and type; see `body.h`, which includes this. A
// few points in time pass through all of it before the next ones: what lies between the layers never
// leaves the nearest cache, where their rows are a line longer than they need be: rows whose places
// differ by powers of two would drive one another out.

#define POINTS CK_DIRECTION_POINTS
#define SPARE CK_BLOCK

// The convolved signal behind SiLU, from point `start` on.
static void CK(direction_signal)(ck_direction_sizes z, size_t start, size_t steps, const REAL *x,
                                 const REAL *w, const REAL *bias, REAL *out,
                                 size_t row) {
    FREELY
    const size_t n = z.channels;
    for (size_t t = start; t < start + steps; t++, out += row) {
        const REAL *newest = x + (ptrdiff_t)t * z.x, *last = w + (z.taps - 1) * n;
        const size_t count = t + 1 < z.taps ? t + 1 : z.taps;
        size_t i = 0;
#if WIDE && CK_IS_FLOAT
        if (count == 4 && z.taps == 4) {
            const REAL *x1 = newest - z.x, *x2 = x1 - z.x, *x3 = x2 - z.x;
            EACH_GROUP_OF_REGISTERS(n) {
                CK(lanes) v[GROUP];
                OF_GROUP v[g] = READ(bias + PLACE) + READ(w + PLACE) * READ(x3 + PLACE);
                OF_GROUP v[g] += READ(w + n + PLACE) * READ(x2 + PLACE);
                OF_GROUP v[g] += READ(w + 2 * n + PLACE) * READ(x1 + PLACE);
                OF_GROUP v[g] += READ(last + PLACE) * READ(newest + PLACE);
                CK(silu_group)(v);
                OF_GROUP AT(out + PLACE) = v[g];
            }
        }
        EACH_REGISTER(n) {
            CK(lanes) v = READ(bias + i);
            for (size_t k = 0; k < count; k++)
                v += READ(last - k * n + i) * READ(newest - (ptrdiff_t)k * z.x + i);
            AT(out + i) = CK(silu_lanes)(v);
        }
#endif
        for (; i < n; i++) {
            REAL v = bias[i];
            for (size_t k = 0; k < count; k++)
                v += last[i - k * n] * newest[(ptrdiff_t)i - (ptrdiff_t)k * z.x];
            out[i] = v * CK(logistic)(v, CK(decay)(v));
        }
    }
}

#if WIDE && CK_IS_FLOAT && VECTOR == 64
// Sums over channels for a few outputs: sixteen at a time, four points by four outputs, which for less
// than a register of outputs is less work than a product's tile.
static void CK(direction_sums)(size_t steps, size_t outputs, size_t n, const REAL *x, size_t row,
                               const REAL *w, REAL *out, size_t step_out) {
    FREELY
    float own[16 * LANES] __attribute__((aligned(64))), sums[16] __attribute__((aligned(64)));
    for (size_t t = 0; t < steps; t += 4) {
        for (size_t o = 0; o < outputs; o += 4) {
            const float *rows[4], *weights[4];
            UNROLLED for (size_t i = 0; i < 4; i++) {  // Those beyond the last are not looked at.
                rows[i] = x + (t + i < steps ? t + i : steps - 1) * row;
                weights[i] = w + (o + i < outputs ? o + i : outputs - 1) * n;
            }
            CK(lanes) sum[16];
            UNROLLED for (int i = 0; i < 16; i++) sum[i] = (CK(lanes)){0};
            for (size_t k = 0; k < n; k += LANES) {
                CK(lanes) v[4];
                UNROLLED for (int i = 0; i < 4; i++) v[i] = READ(weights[i] + k);
                UNROLLED for (int r = 0; r < 4; r++) {
                    const CK(lanes) u = READ(rows[r] + k);
                    UNROLLED for (int i = 0; i < 4; i++) sum[4 * r + i] += u * v[i];
                }
            }
            UNROLLED for (int i = 0; i < 16; i++) AT(own + i * (ptrdiff_t)LANES) = sum[i];
            CK(register_sums)(own, sums);
            for (size_t r = 0; r < 4 && t + r < steps; r++) {
                for (size_t i = 0; i < 4 && o + i < outputs; i++)
                    out[(t + r) * step_out + o + i] = sums[4 * r + i];
            }
        }
    }
}
#endif

// What step widths, inputs and outputs are made of: `[point, columns]`.
static void CK(direction_maps)(ck_direction_sizes z, size_t steps, const REAL *x, size_t row,
                               const REAL *weight, const REAL *projection, REAL *out) {
#if WIDE && CK_IS_FLOAT && VECTOR == 64
    if (z.channels % LANES == 0) {
        CK(direction_sums)(steps, z.rank, z.channels, x, row, weight, out, z.columns);
        CK(product)(steps, 2 * z.states, z.channels, x, (ptrdiff_t)row, 1,
                    projection + z.rank, (ptrdiff_t)z.columns, out + z.rank, (ptrdiff_t)z.columns, 0);
        return;
    }
#endif
    (void)weight;
    CK(product)(steps, z.columns, z.channels, x, (ptrdiff_t)row, 1, projection,
                (ptrdiff_t)z.columns, out, (ptrdiff_t)z.columns, 0);
}

// The step widths, 0 where a point is passed over.
static void CK(direction_steps)(ck_direction_sizes z, size_t start, size_t steps, const REAL *maps,
                                const REAL *w, const REAL *bias, REAL *out, size_t row) {
    FREELY
    const size_t n = z.channels;
    for (size_t t = start; t < start + steps; t++, out += row, maps += z.columns) {
        size_t i = 0;
        if ((t >= z.masked[0] && t < z.masked[1]) || (t >= z.masked[2] && t < z.masked[3])) {
            memset(out, 0, n * sizeof(REAL));
            continue;
        }
#if WIDE && CK_IS_FLOAT
        EACH_GROUP_OF_REGISTERS(n) {
            CK(lanes) v[GROUP];
            OF_GROUP v[g] = READ(bias + PLACE);
            for (size_t r = 0; r < z.rank; r++) OF_GROUP v[g] += maps[r] * READ(w + r * n + PLACE);
            CK(softplus_group)(v);
            OF_GROUP AT(out + PLACE) = v[g];
        }
        EACH_REGISTER(n) {
            CK(lanes) v = READ(bias + i);
            for (size_t r = 0; r < z.rank; r++) v += maps[r] * READ(w + r * n + i);
            AT(out + i) = CK(softplus_lanes)(v);
        }
#endif
        for (; i < n; i++) {
            REAL v = bias[i];
            for (size_t r = 0; r < z.rank; r++) v += maps[r] * w[r * n + i];
            out[i] = CK(softplus)(v);
        }
    }
}

static void CK(direction)(ck_direction_sizes z, const REAL *x, const REAL *taps, const REAL *bias,
                          const REAL *weight, const REAL *projection, const REAL *step,
                          const REAL *step_bias, const REAL *a, const REAL *d, REAL *y, int add,
                          REAL *state, REAL *scratch) {
    const size_t row = ck_scan_width(z.channels) + SPARE;
    REAL *signal = scratch, *delta = signal + POINTS * row, *maps = delta + POINTS * row;
    REAL *rest = maps + POINTS * z.columns;
    const ptrdiff_t n = (ptrdiff_t)row, columns = (ptrdiff_t)z.columns;
    const REAL *b = maps + z.rank, *c = b + z.states;
    ck_scan_sizes s = {0, z.channels, z.states, n, n, columns, columns, z.y, 0, 0, 0, 0, 0, 0, 0};
#if WIDE
    CK(scan_spread)(z.channels, z.states, a, d, rest);
#endif
    for (size_t t = 0; t < z.length; t += s.length) {
        s.length = z.length - t < POINTS ? z.length - t : POINTS;
        REAL *out = y + (ptrdiff_t)t * z.y;
        CK(direction_signal)(z, t, s.length, x, taps, bias, signal, row);
        CK(direction_maps)(z, s.length, signal, row, weight, projection, maps);
        CK(direction_steps)(z, t, s.length, maps, step, step_bias, delta, row);
#if WIDE
        CK(scan_points)(s, s.length, signal, delta, b, c, rest, out, add, state);
#else
        CK(scan)(s, signal, delta, a, b, c, d, out, add, state, NULL, rest);
#endif
    }
}

#undef POINTS
#undef SPARE
