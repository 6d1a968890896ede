// The output head over blocks of sixteen channels, see blocks.h: a weighted sum over channels of
// dropout(GELU(gain y)), and its adjoint.

#if WIDE && CK_IS_FLOAT && VECTOR == 64
// Sums of the lanes of four registers.
static inline __m128 CK(lane_sums)(const __m512 *q) {
    const __m512 low = _mm512_add_ps(_mm512_unpacklo_ps(q[0], q[1]), _mm512_unpackhi_ps(q[0], q[1]));
    const __m512 high =
        _mm512_add_ps(_mm512_unpacklo_ps(q[2], q[3]), _mm512_unpackhi_ps(q[2], q[3]));
    const __m512 four = _mm512_add_ps(_mm512_shuffle_ps(low, high, 0x44),
                                      _mm512_shuffle_ps(low, high, 0xEE));
    const __m256 two = _mm256_add_ps(_mm512_castps512_ps256(four), _mm512_extractf32x8_ps(four, 1));
    return _mm_add_ps(_mm256_castps256_ps128(two), _mm256_extractf128_ps(two, 1));
}

// weight dropout(GELU(v)) of one group.
static inline __m512 CK(head_group)(__m512 v, __m512 weight, __mmask16 kept) {
    __m512 density;
    const __m512 p = ck_normal_lanes(v, &density);
    return _mm512_maskz_mul_ps(kept, _mm512_mul_ps(weight, v), p);
}

static void CK(block_head)(size_t n, const REAL *y, const REAL *gain, const REAL *weight, REAL *sum,
                           ck_dropout drop) {
    const __m512 g = _mm512_loadu_ps(gain);
    const __m512 w = _mm512_mul_ps(_mm512_loadu_ps(weight), _mm512_set1_ps((float)drop.scale));
    const uint32_t first = drop.offset / CK_BLOCK;
    size_t t = 0;
    // Pairs of groups share their hashes: groups before the first whole pair come alone.
    for (; t < n && (first + t) % 2; t++) {
        const __mmask16 kept = ck_kept_group(drop, (uint32_t)(first + t));
        const __m512 v = _mm512_mul_ps(g, _mm512_loadu_ps(y + t * CK_BLOCK));
        sum[t] += _mm512_reduce_add_ps(CK(head_group)(v, w, kept));
    }
    for (; t + 4 <= n; t += 4) {
        __mmask16 kept[4];
        ck_kept_pair(drop, (uint32_t)(first + t), kept);
        ck_kept_pair(drop, (uint32_t)(first + t + 2), kept + 2);
        __m512 q[4];
        for (int i = 0; i < 4; i++) {
            const __m512 v = _mm512_mul_ps(g, _mm512_loadu_ps(y + (t + (size_t)i) * CK_BLOCK));
            q[i] = CK(head_group)(v, w, kept[i]);
        }
        _mm_storeu_ps(sum + t, _mm_add_ps(_mm_loadu_ps(sum + t), CK(lane_sums)(q)));
    }
    for (; t < n; t++) {
        const __mmask16 kept = ck_kept_group(drop, (uint32_t)(first + t));
        const __m512 v = _mm512_mul_ps(g, _mm512_loadu_ps(y + t * CK_BLOCK));
        sum[t] += _mm512_reduce_add_ps(CK(head_group)(v, w, kept));
    }
}

// dy of one group, and what weight and gain receive.
static inline __m512 CK(head_group_back)(__m512 y, __m512 g, __m512 w, __m512 dsum, __mmask16 kept,
                                         __m512 *dweight, __m512 *dgain) {
    __m512 density;
    const __m512 v = _mm512_mul_ps(g, y), p = ck_normal_lanes(v, &density);
    const __m512 d = _mm512_maskz_mov_ps(kept, dsum);
    const __m512 slope = _mm512_mul_ps(_mm512_mul_ps(w, d), _mm512_fmadd_ps(v, density, p));
    *dweight = _mm512_fmadd_ps(_mm512_mul_ps(d, v), p, *dweight);
    *dgain = _mm512_fmadd_ps(slope, y, *dgain);
    return _mm512_mul_ps(slope, g);
}

static void CK(block_head_backward)(size_t n, const REAL *y, const REAL *gain, const REAL *weight,
                                    const REAL *dsum, REAL *dy, REAL *dweight, REAL *dgain,
                                    ck_dropout drop) {
    const __m512 g = _mm512_loadu_ps(gain), w = _mm512_loadu_ps(weight);
    const __m512 scale = _mm512_set1_ps((float)drop.scale);
    const uint32_t first = drop.offset / CK_BLOCK;
    __m512 weights = _mm512_setzero_ps(), gains = weights;
    size_t t = 0;
    for (; t < n;) {
        const int pair = (first + t) % 2 == 0 && t + 2 <= n;
        __mmask16 kept[2];
        if (pair)
            ck_kept_pair(drop, (uint32_t)(first + t), kept);
        else
            kept[0] = ck_kept_group(drop, (uint32_t)(first + t));
        for (const size_t end = t + (pair ? 2 : 1), start = t; t < end; t++) {
            const __m512 d = _mm512_mul_ps(scale, _mm512_set1_ps(dsum[t]));
            const __m512 r = CK(head_group_back)(_mm512_loadu_ps(y + t * CK_BLOCK), g, w, d,
                                                 kept[t - start], &weights, &gains);
            _mm512_storeu_ps(dy + t * CK_BLOCK, r);
        }
    }
    _mm512_storeu_ps(dweight, _mm512_add_ps(_mm512_loadu_ps(dweight), weights));
    _mm512_storeu_ps(dgain, _mm512_add_ps(_mm512_loadu_ps(dgain), gains));
}
#else
static void CK(block_head)(size_t n, const REAL *y, const REAL *gain, const REAL *weight, REAL *sum,
                           ck_dropout drop) {
    FREELY
    const REAL scale = (REAL)drop.scale;
    for (size_t t = 0; t < n; t++) {
        REAL total = 0;
        ELEMENTWISE
        for (size_t c = 0; c < CK_BLOCK; c++) {
            REAL density;
            const REAL v = gain[c] * y[t * CK_BLOCK + c];
            total += weight[c] * v * CK(normal)(v, &density) * KEPT(t * CK_BLOCK + c);
        }
        sum[t] += total;
    }
}

static void CK(block_head_backward)(size_t n, const REAL *y, const REAL *gain, const REAL *weight,
                                    const REAL *dsum, REAL *dy, REAL *dweight, REAL *dgain,
                                    ck_dropout drop) {
    FREELY
    const REAL scale = (REAL)drop.scale;
    for (size_t t = 0; t < n; t++) {
        ELEMENTWISE
        for (size_t c = 0; c < CK_BLOCK; c++) {
            REAL density;
            const REAL x = y[t * CK_BLOCK + c], v = gain[c] * x, p = CK(normal)(v, &density);
            const REAL d = dsum[t] * KEPT(t * CK_BLOCK + c);
            const REAL slope = weight[c] * d * (p + v * density);
            dweight[c] += d * v * p;
            dgain[c] += slope * x;
            dy[t * CK_BLOCK + c] = slope * gain[c];
        }
    }
}
#endif
