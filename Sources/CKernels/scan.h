// The selective scan and its adjoint, once for every variant and type; see `body.h`, which includes this.
//
// A register holds one state of LANES channels. Time goes in chunks, and all channels take a chunk
// before the next one begins: what they share, b and c, stays near, and the sums over channels that the
// adjoint needs stay in lanes until a chunk ends.

#define CHUNK CK_SCAN_CHUNK
#define LOG2_E 1.44269504088896340736
#define LN_2 0.69314718055994530942

#if WIDE

#define STRIP ((ptrdiff_t)LANES)
#define ALIGNED __attribute__((aligned(64)))  // A register that straddles two lines costs twice.
#define STATES 8  // States of a strip that are worked on together: so many registers.

#if !CK_IS_FLOAT
INSIDE CK(lanes) CK(power_of_two)(CK(lanes) x) {
    for (size_t i = 0; i < LANES; i++) x[i] = exp2(x[i]);
    return x;
}
#endif

// One strip of channels over a chunk: where its signals are.
typedef struct {
    const REAL *x, *delta, *b, *c;
    ptrdiff_t step_x, step_delta, step_b, step_c;
    const REAL *a;  // [state, STRIP], times log2(e)
    const REAL *d;  // [STRIP]
    ptrdiff_t ahead;  // Points in time back to the chunk that the adjoint takes next; 0 without one.
} CK(strip);

// The decays and inputs of G states over a chunk: y gets what they give.
INSIDE void CK(scan_tile)(const int G, int first, int add, size_t steps, CK(strip) s, REAL *h,
                          ptrdiff_t row, REAL *y, ptrdiff_t step_y) {
    FREELY
    CK(lanes) state[STATES], a[STATES];
    UNROLLED for (int g = 0; g < G; g++) state[g] = READ(h + g * row);
    UNROLLED for (int g = 0; g < G; g++) a[g] = READ(s.a + g * STRIP);
    const CK(lanes) d = READ(s.d);
    for (size_t t = 0; t < steps; t++) {
        const CK(lanes) x = READ(s.x), delta = READ(s.delta), u = delta * x;
        CK(lanes) sum = first ? d * x : READ(y);
        if (first && add) sum += READ(y);
        UNROLLED for (int g = 0; g < G; g++) {
            state[g] = CK(power_of_two)(delta * a[g]) * state[g] + u * s.b[g];
            sum += state[g] * s.c[g];
        }
        AT(y) = sum;
        s.x += s.step_x;
        s.delta += s.step_delta;
        s.b += s.step_b;
        s.c += s.step_c;
        y += step_y;
    }
    UNROLLED for (int g = 0; g < G; g++) AT(h + g * row) = state[g];
}

// Room for the most points that are taken at once of a strip that is narrower than a register.
#define ROOM (CK_DIRECTION_POINTS * STRIP)
_Static_assert(CK_DIRECTION_POINTS >= CHUNK, "room for a chunk");
typedef struct {
    REAL x[ROOM], delta[ROOM], y[ROOM], dx[ROOM], ddelta[ROOM];
} CK(narrow);
#undef ROOM

INSIDE void CK(widen)(size_t steps, size_t count, const REAL *from, ptrdiff_t step, REAL *to) {
    for (size_t t = 0; t < steps; t++) {
        for (size_t i = 0; i < (size_t)STRIP; i++)
            to[t * STRIP + i] = i < count ? from[(ptrdiff_t)t * step + (ptrdiff_t)i] : 0;
    }
}

INSIDE void CK(unwiden)(size_t steps, size_t count, const REAL *from, REAL *to, ptrdiff_t step) {
    for (size_t t = 0; t < steps; t++) {
        for (size_t i = 0; i < count; i++) to[(ptrdiff_t)t * step + (ptrdiff_t)i] = from[t * STRIP + i];
    }
}

// `a` strip by strip, [state, STRIP] each and 0 beyond the last channel, and d behind them.
static void CK(scan_spread)(size_t channels, size_t states, const REAL *a, const REAL *d, REAL *out) {
    const size_t width = ck_scan_width(channels), strip = (size_t)STRIP;
    for (size_t e = 0; e < width; e++) {
        REAL *to = out + e / strip * strip * states + e % strip;
        for (size_t n = 0; n < states; n++)
            to[n * strip] = e < channels ? (REAL)(a[e * states + n] * (REAL)LOG2_E) : 0;
        out[width * states + e] = e < channels ? d[e] : 0;
    }
}

static void CK(scan_strip)(size_t states, int add, size_t steps, const CK(strip) *strip, REAL *h,
                           ptrdiff_t row, REAL *y, ptrdiff_t step_y) {
    CK(strip) s = *strip;
    size_t n = 0;
#define SCAN(COUNT)                                                                                \
    for (; n + (COUNT) <= states; n += (COUNT)) {                                                  \
        CK(scan_tile)(COUNT, n == 0, add, steps, s, h, row, y, step_y);                            \
        s.a += (COUNT) * STRIP;                                                                    \
        s.b += (COUNT);                                                                            \
        s.c += (COUNT);                                                                            \
        h += (COUNT) * row;                                                                        \
    }
    SCAN(8)
    SCAN(4)
    SCAN(2)
    SCAN(1)
#undef SCAN
}

// All channels over some points in time, from the first one's signals on.
static void CK(scan_points)(ck_scan_sizes z, size_t steps, const REAL *x, const REAL *delta,
                            const REAL *b, const REAL *c, const REAL *spread, REAL *y, int add,
                            REAL *state) {
    const size_t width = ck_scan_width(z.channels), size = width * z.states;
    ALIGNED CK(narrow) narrow;
    for (ptrdiff_t e = 0; e < (ptrdiff_t)z.channels; e += STRIP) {
        CK(strip) s = {x + e, delta + e, b, c, z.x, z.delta, z.b, z.c,
                       spread + e * (ptrdiff_t)z.states, spread + size + (size_t)e, 0};
        const size_t count = z.channels - (size_t)e;
        if (count >= (size_t)STRIP) {
            CK(scan_strip)(z.states, add, steps, &s, state + e, (ptrdiff_t)width, y + e, z.y);
            continue;
        }
        CK(widen)(steps, count, s.x, s.step_x, narrow.x);
        CK(widen)(steps, count, s.delta, s.step_delta, narrow.delta);
        if (add) CK(widen)(steps, count, y + e, z.y, narrow.y);
        s.x = narrow.x;
        s.delta = narrow.delta;
        s.step_x = s.step_delta = STRIP;
        CK(scan_strip)(z.states, add, steps, &s, state + e, (ptrdiff_t)width, narrow.y, STRIP);
        CK(unwiden)(steps, count, narrow.y, y + e, z.y);
    }
}

static void CK(scan)(ck_scan_sizes z, const REAL *x, const REAL *delta, const REAL *a,
                     const REAL *b, const REAL *c, const REAL *d, REAL *y, int add, REAL *state,
                     REAL *kept, REAL *scratch) {
    const size_t size = ck_scan_width(z.channels) * z.states;
    CK(scan_spread)(z.channels, z.states, a, d, scratch);
    for (size_t q = 0; q == 0 || q < z.sequences; q++) {
        const REAL *xs = x + ck_scan_next(z, q, z.x), *deltas = delta + ck_scan_next(z, q, z.delta);
        const REAL *bs = b + ck_scan_next(z, q, z.b), *cs = c + ck_scan_next(z, q, z.c);
        REAL *ys = y + ck_scan_next(z, q, z.y);
        if (z.sequences) memset(state, 0, size * sizeof(REAL));
        for (size_t start = 0; start < z.length; start += CHUNK) {
            const ptrdiff_t t = (ptrdiff_t)start;
            if (kept) memcpy(kept, state, size * sizeof(REAL)), kept += size;
            CK(scan_points)(z, z.length - start < CHUNK ? z.length - start : CHUNK, xs + t * z.x,
                            deltas + t * z.delta, bs + t * z.b, cs + t * z.c, scratch,
                            ys + t * z.y, add, state);
        }
    }
}

// What the adjoint of a strip adds up over a chunk.
typedef struct {
    REAL *both;  // dc and db in turn, [time, state, 2, STRIP], over strips
    REAL *pull, *turn;  // [time, STRIP], over states
    REAL *da;  // [state, STRIP], over time
} CK(slopes);

INSIDE void CK(scan_tile_backward)(const int G, int first, size_t steps, size_t states, CK(strip) s,
                                   const REAL *dy, ptrdiff_t step_y, const REAL *h, REAL *dh,
                                   ptrdiff_t row, CK(slopes) sum) {
    FREELY
    ALIGNED REAL decays[CHUNK * STATES * STRIP], before[(CHUNK + 1) * STATES * STRIP];
    CK(lanes) state[STATES], a[STATES], da[STATES];
    UNROLLED for (int g = 0; g < G; g++) state[g] = READ(h + g * row);
    UNROLLED for (int g = 0; g < G; g++) a[g] = READ(s.a + g * STRIP);
    for (size_t t = 0; t < steps; t++) {
        const ptrdiff_t i = (ptrdiff_t)t;
        const CK(lanes) delta = READ(s.delta + i * s.step_delta);
        const CK(lanes) u = delta * READ(s.x + i * s.step_x);
        if (first) {  // A row's line is used once in a chunk: nobody else sees it coming.
            __builtin_prefetch(s.x + (i - s.ahead) * s.step_x);
            __builtin_prefetch(s.delta + (i - s.ahead) * s.step_delta);
            __builtin_prefetch(dy + (i - s.ahead) * step_y);
        }
        UNROLLED for (int g = 0; g < G; g++) {
            const CK(lanes) decay = CK(power_of_two)(delta * a[g]);
            AT(decays + (i * STATES + g) * STRIP) = decay;
            AT(before + (i * STATES + g) * STRIP) = state[g];
            state[g] = decay * state[g] + u * s.b[i * s.step_b + g];
        }
    }
    UNROLLED for (int g = 0; g < G; g++)
        AT(before + ((ptrdiff_t)steps * STATES + g) * STRIP) = state[g];
    UNROLLED for (int g = 0; g < G; g++) state[g] = READ(dh + g * row);  // Their gradient from here on.
    UNROLLED for (int g = 0; g < G; g++) da[g] = READ(sum.da + g * STRIP);
    for (ptrdiff_t i = (ptrdiff_t)steps - 1; i >= 0; i--) {
        const CK(lanes) delta = READ(s.delta + i * s.step_delta);
        const CK(lanes) u = delta * READ(s.x + i * s.step_x), d = READ(dy + i * step_y);
        const REAL *b = s.b + i * s.step_b, *c = s.c + i * s.step_c;
        REAL *both = sum.both + 2 * i * (ptrdiff_t)states * STRIP;
        CK(lanes) pull = first ? (CK(lanes)){0} : READ(sum.pull + i * STRIP);
        CK(lanes) turn = first ? (CK(lanes)){0} : READ(sum.turn + i * STRIP);
        UNROLLED for (int g = 0; g < G; g++) {
            const REAL *own = before + (i * STATES + g) * STRIP;
            AT(both + 2 * g * STRIP) += d * READ(own + STATES * STRIP);
            state[g] += d * c[g];
            AT(both + (2 * g + 1) * STRIP) += state[g] * u;
            pull += state[g] * b[g];
            state[g] *= READ(decays + (i * STATES + g) * STRIP);
            const CK(lanes) omega = state[g] * READ(own);
            da[g] += delta * omega;
            turn += omega * a[g];
        }
        AT(sum.pull + i * STRIP) = pull;
        AT(sum.turn + i * STRIP) = turn;
    }
    UNROLLED for (int g = 0; g < G; g++) AT(dh + g * row) = state[g];
    UNROLLED for (int g = 0; g < G; g++) AT(sum.da + g * STRIP) = da[g];
}

static void CK(scan_strip_backward)(size_t states, size_t steps, const CK(strip) *strip,
                                    const REAL *dy, ptrdiff_t step_y, const REAL *h, REAL *dh,
                                    ptrdiff_t row, const CK(slopes) *slopes) {
    CK(strip) s = *strip;
    CK(slopes) sum = *slopes;
    size_t n = 0;
#define SCAN(COUNT)                                                                                \
    for (; n + (COUNT) <= states; n += (COUNT)) {                                                  \
        CK(scan_tile_backward)(COUNT, n == 0, steps, states, s, dy, step_y, h, dh, row, sum);      \
        s.a += (COUNT) * STRIP;                                                                    \
        s.b += (COUNT);                                                                            \
        s.c += (COUNT);                                                                            \
        h += (COUNT) * row;                                                                        \
        dh += (COUNT) * row;                                                                       \
        sum.both += 2 * (COUNT) * STRIP;                                                           \
        sum.da += (COUNT) * STRIP;                                                                 \
    }
    SCAN(8)
    SCAN(4)
    SCAN(2)
    SCAN(1)
#undef SCAN
}

// What is left of a chunk once all states of a strip are done.
INSIDE void CK(scan_close)(size_t steps, CK(strip) s, const REAL *dy, ptrdiff_t step_y,
                           CK(slopes) sum, REAL *dx, ptrdiff_t step_dx, REAL *ddelta,
                           ptrdiff_t step_ddelta, REAL *dd) {
    FREELY
    CK(lanes) skip = READ(dd);
    for (ptrdiff_t i = 0; i < (ptrdiff_t)steps; i++) {
        const CK(lanes) x = READ(s.x + i * s.step_x), d = READ(dy + i * step_y);
        const CK(lanes) pull = READ(sum.pull + i * STRIP);
        AT(ddelta + i * step_ddelta) = READ(sum.turn + i * STRIP) * (REAL)LN_2 + pull * x;
        AT(dx + i * step_dx) = d * READ(s.d) + pull * READ(s.delta + i * s.step_delta);
        skip += d * x;
    }
    AT(dd) = skip;
}

// The sum over lanes of each of sixteen registers.
#if CK_IS_FLOAT && VECTOR == 64
INSIDE void CK(register_sums)(const REAL *from, REAL *sums) {
    FREELY
    CK(lanes) v[16];
    UNROLLED for (int i = 0; i < 16; i++) v[i] = READ(from + i * STRIP);
#define HALVE(COUNT, ...) CK_HALVE(COUNT, __VA_ARGS__)
#define CK_HALVE(COUNT, l0, l1, l2, l3, l4, l5, l6, l7, l8, l9, l10, l11, l12, l13, l14, l15, D)   \
    UNROLLED for (int i = 0; i < COUNT; i++)                                                       \
        v[i] = __builtin_shufflevector(v[2 * i], v[2 * i + 1], l0, l1, l2, l3, l4, l5, l6, l7, l8, \
                                       l9, l10, l11, l12, l13, l14, l15)                           \
            + __builtin_shufflevector(v[2 * i], v[2 * i + 1], l0 + D, l1 + D, l2 + D, l3 + D,      \
                                      l4 + D, l5 + D, l6 + D, l7 + D, l8 + D, l9 + D, l10 + D,     \
                                      l11 + D, l12 + D, l13 + D, l14 + D, l15 + D);
    HALVE(8, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30, 1)
    HALVE(4, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29, 2)
    HALVE(2, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27, 4)
    HALVE(1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 8)
#undef HALVE
#undef CK_HALVE
    AT(sums) = v[0];
}
#else
INSIDE void CK(register_sums)(const REAL *from, REAL *sums) {
    for (ptrdiff_t n = 0; n < 16; n++) {
        sums[n] = 0;
        for (ptrdiff_t i = 0; i < STRIP; i++) sums[n] += from[n * STRIP + i];
    }
}
#endif

// The sums over lanes of what a chunk has added up: dc and db in turn.
static void CK(scan_gather)(size_t steps, size_t states, const REAL *both, REAL *db,
                            ptrdiff_t step_db, REAL *dc, ptrdiff_t step_dc) {
    ALIGNED REAL sums[16];
    for (ptrdiff_t t = 0; t < (ptrdiff_t)steps; t++) {
        REAL *bs = db + t * step_db, *cs = dc + t * step_dc;
        for (size_t n = 0; n < states; n += 8) {
            CK(register_sums)(both + (t * (ptrdiff_t)states + (ptrdiff_t)n) * 2 * STRIP, sums);
            for (size_t i = n; i < states && i < n + 8; i++) {
                cs[i] = sums[2 * (i - n)];
                bs[i] = sums[2 * (i - n) + 1];
            }
        }
    }
}

// One sequence, whose signals begin here; `spread` is that of `a` and d, `das` and what follows it takes
// the sums over time and then those over channels.
static void CK(scan_sequence_backward)(ck_scan_sizes z, const REAL *x, const REAL *delta,
                                       const REAL *b, const REAL *c, const REAL *spread,
                                       const REAL *kept, const REAL *dy, REAL *dx, REAL *ddelta,
                                       REAL *db, REAL *dc, REAL *dstate, REAL *das) {
    const size_t width = ck_scan_width(z.channels), size = width * z.states;
    REAL *dds = das + size, *both = dds + width;
    ALIGNED REAL pull[CHUNK * STRIP], turn[CHUNK * STRIP];
    ALIGNED CK(narrow) narrow;
    for (size_t index = (z.length + CHUNK - 1) / CHUNK; index-- > 0;) {
        const size_t start = index * CHUNK, left = z.length - start;
        const size_t steps = left < CHUNK ? left : CHUNK;
        const ptrdiff_t t = (ptrdiff_t)start;
        memset(both, 0, 2 * steps * z.states * (size_t)STRIP * sizeof(REAL));
        for (ptrdiff_t e = 0; e < (ptrdiff_t)z.channels; e += STRIP) {
            CK(strip) s = {x + t * z.x + e, delta + t * z.delta + e, b + t * z.b, c + t * z.c,
                           z.x, z.delta, z.b, z.c, spread + e * (ptrdiff_t)z.states,
                           spread + size + (size_t)e, start > 0 ? CHUNK : 0};
            const CK(slopes) sum = {both, pull, turn, das + e * (ptrdiff_t)z.states};
            const REAL *h = kept + index * size + (size_t)e, *own = dy + t * z.y + e;
            REAL *xs = dx + t * z.dx + e, *deltas = ddelta + t * z.ddelta + e;
            const size_t count = z.channels - (size_t)e;
            if (count >= (size_t)STRIP) {
                CK(scan_strip_backward)(z.states, steps, &s, own, z.y, h, dstate + e,
                                        (ptrdiff_t)width, &sum);
                CK(scan_close)(steps, s, own, z.y, sum, xs, z.dx, deltas, z.ddelta, dds + e);
                continue;
            }
            CK(widen)(steps, count, s.x, s.step_x, narrow.x);
            CK(widen)(steps, count, s.delta, s.step_delta, narrow.delta);
            CK(widen)(steps, count, own, z.y, narrow.y);
            s.x = narrow.x;
            s.delta = narrow.delta;
            s.step_x = s.step_delta = STRIP;
            s.ahead = 0;
            CK(scan_strip_backward)(z.states, steps, &s, narrow.y, STRIP, h, dstate + e,
                                    (ptrdiff_t)width, &sum);
            CK(scan_close)(steps, s, narrow.y, STRIP, sum, narrow.dx, STRIP, narrow.ddelta, STRIP,
                           dds + e);
            CK(unwiden)(steps, count, narrow.dx, xs, z.dx);
            CK(unwiden)(steps, count, narrow.ddelta, deltas, z.ddelta);
        }
        CK(scan_gather)(steps, z.states, both, db + t * z.db, z.db, dc + t * z.dc, z.dc);
    }
}

static void CK(scan_backward)(ck_scan_sizes z, const REAL *x, const REAL *delta, const REAL *a,
                              const REAL *b, const REAL *c, const REAL *d, const REAL *kept,
                              const REAL *dy, REAL *dx, REAL *ddelta, REAL *da, REAL *db, REAL *dc,
                              REAL *dd, REAL *dstate, REAL *scratch) {
    const size_t width = ck_scan_width(z.channels), size = width * z.states;
    const size_t chunks = (z.length + CHUNK - 1) / CHUNK;
    REAL *das = scratch + size + width, *dds = das + size;
    CK(scan_spread)(z.channels, z.states, a, d, scratch);
    memset(das, 0, (size + width) * sizeof(REAL));
    for (size_t q = 0; q == 0 || q < z.sequences; q++) {
        if (z.sequences) memset(dstate, 0, size * sizeof(REAL));
        CK(scan_sequence_backward)(
            z, x + ck_scan_next(z, q, z.x), delta + ck_scan_next(z, q, z.delta),
            b + ck_scan_next(z, q, z.b), c + ck_scan_next(z, q, z.c), scratch,
            kept + q * chunks * size, dy + ck_scan_next(z, q, z.y), dx + ck_scan_next(z, q, z.dx),
            ddelta + ck_scan_next(z, q, z.ddelta), db + ck_scan_next(z, q, z.db),
            dc + ck_scan_next(z, q, z.dc), dstate, das);
    }
    for (size_t e = 0; e < z.channels; e++) {
        const REAL *own = das + e / (size_t)STRIP * (size_t)STRIP * z.states + e % (size_t)STRIP;
        for (size_t n = 0; n < z.states; n++) da[e * z.states + n] += own[n * (size_t)STRIP];
        dd[e] += dds[e];
    }
}

#undef STRIP
#undef ALIGNED
#undef STATES

#else

static void CK(scan_sequence)(ck_scan_sizes z, const REAL *x, const REAL *delta, const REAL *a,
                              const REAL *b, const REAL *c, const REAL *d, REAL *y, int add,
                              REAL *state, REAL *kept) {
    const size_t width = ck_scan_width(z.channels), size = width * z.states;
    for (size_t t = 0; t < z.length; t++) {
        const ptrdiff_t i = (ptrdiff_t)t;
        if (kept && t % CHUNK == 0) memcpy(kept + t / CHUNK * size, state, size * sizeof(REAL));
        for (size_t e = 0; e < z.channels; e++) {
            const REAL step = delta[i * z.delta + (ptrdiff_t)e], u = x[i * z.x + (ptrdiff_t)e];
            REAL sum = d[e] * u;
            for (size_t n = 0; n < z.states; n++) {
                REAL *h = state + n * width + e;
                *h = (REAL)exp((double)(step * a[e * z.states + n])) * *h
                    + step * u * b[i * z.b + (ptrdiff_t)n];
                sum += *h * c[i * z.c + (ptrdiff_t)n];
            }
            REAL *out = y + i * z.y + (ptrdiff_t)e;
            *out = add ? *out + sum : sum;
        }
    }
}

static void CK(scan)(ck_scan_sizes z, const REAL *x, const REAL *delta, const REAL *a,
                     const REAL *b, const REAL *c, const REAL *d, REAL *y, int add, REAL *state,
                     REAL *kept, REAL *scratch) {
    const size_t size = ck_scan_width(z.channels) * z.states;
    const size_t chunks = (z.length + CHUNK - 1) / CHUNK;
    (void)scratch;
    for (size_t q = 0; q == 0 || q < z.sequences; q++) {
        if (z.sequences) memset(state, 0, size * sizeof(REAL));
        CK(scan_sequence)(z, x + ck_scan_next(z, q, z.x), delta + ck_scan_next(z, q, z.delta), a,
                          b + ck_scan_next(z, q, z.b), c + ck_scan_next(z, q, z.c), d,
                          y + ck_scan_next(z, q, z.y), add, state,
                          kept ? kept + q * chunks * size : NULL);
    }
}

// One channel over a chunk; `before` and `decays` are [time, state].
static void CK(scan_chunk_backward)(ck_scan_sizes z, size_t start, size_t e, const REAL *x,
                                    const REAL *delta, const REAL *a, const REAL *b, const REAL *c,
                                    const REAL *d, const REAL *h, const REAL *dy, REAL *dx,
                                    REAL *ddelta, REAL *da, REAL *db, REAL *dc, REAL *dd,
                                    REAL *dstate, REAL *before, REAL *decays) {
    const size_t width = ck_scan_width(z.channels), left = z.length - start;
    const size_t steps = left < CHUNK ? left : CHUNK;
    const ptrdiff_t channel = (ptrdiff_t)e;
    for (size_t n = 0; n < z.states; n++) before[n] = h[n * width + e];
    for (size_t t = 0; t < steps; t++) {
        const ptrdiff_t i = (ptrdiff_t)(start + t);
        const REAL step = delta[i * z.delta + channel], u = x[i * z.x + channel];
        for (size_t n = 0; n < z.states; n++) {
            const size_t at = t * z.states + n;
            decays[at] = (REAL)exp((double)(step * a[e * z.states + n]));
            before[at + z.states] = decays[at] * before[at] + step * u * b[i * z.b + (ptrdiff_t)n];
        }
    }
    for (size_t t = steps; t-- > 0;) {
        const ptrdiff_t i = (ptrdiff_t)(start + t);
        const REAL step = delta[i * z.delta + channel], u = x[i * z.x + channel];
        const REAL slope = dy[i * z.y + channel];
        REAL pull = 0, turn = 0;
        for (size_t n = 0; n < z.states; n++) {
            const size_t at = t * z.states + n;
            const ptrdiff_t place = (ptrdiff_t)n;
            REAL *g = dstate + n * width + e;
            *g += slope * c[i * z.c + place];
            dc[i * z.dc + place] += slope * before[at + z.states];
            db[i * z.db + place] += *g * step * u;
            pull += *g * b[i * z.b + place];
            *g *= decays[at];
            turn += *g * before[at] * a[e * z.states + n];
            da[e * z.states + n] += step * *g * before[at];
        }
        ddelta[i * z.ddelta + channel] = turn + pull * u;
        dx[i * z.dx + channel] = d[e] * slope + pull * step;
        dd[e] += slope * u;
    }
}

static void CK(scan_backward)(ck_scan_sizes z, const REAL *x, const REAL *delta, const REAL *a,
                              const REAL *b, const REAL *c, const REAL *d, const REAL *kept,
                              const REAL *dy, REAL *dx, REAL *ddelta, REAL *da, REAL *db, REAL *dc,
                              REAL *dd, REAL *dstate, REAL *scratch) {
    const size_t size = ck_scan_width(z.channels) * z.states;
    const size_t chunks = (z.length + CHUNK - 1) / CHUNK;
    for (size_t q = 0; q == 0 || q < z.sequences; q++) {
        REAL *bs = db + ck_scan_next(z, q, z.db), *cs = dc + ck_scan_next(z, q, z.dc);
        if (z.sequences) memset(dstate, 0, size * sizeof(REAL));
        for (size_t t = 0; t < z.length; t++) {
            for (size_t n = 0; n < z.states; n++) {
                bs[(ptrdiff_t)t * z.db + (ptrdiff_t)n] = 0;
                cs[(ptrdiff_t)t * z.dc + (ptrdiff_t)n] = 0;
            }
        }
        for (size_t index = chunks; index-- > 0;) {
            for (size_t e = 0; e < z.channels; e++)
                CK(scan_chunk_backward)(
                    z, index * CHUNK, e, x + ck_scan_next(z, q, z.x),
                    delta + ck_scan_next(z, q, z.delta), a, b + ck_scan_next(z, q, z.b),
                    c + ck_scan_next(z, q, z.c), d, kept + (q * chunks + index) * size,
                    dy + ck_scan_next(z, q, z.y), dx + ck_scan_next(z, q, z.dx),
                    ddelta + ck_scan_next(z, q, z.ddelta), da, bs, cs, dd, dstate, scratch,
                    scratch + (CHUNK + 1) * z.states);
        }
    }
}

#endif

#undef CHUNK
#undef LOG2_E
#undef LN_2
