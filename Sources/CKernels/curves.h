// Exponentials and what is made of them, a register of single precision at a time; once for every
// variant, see `body.h`, which includes this.

#if WIDE && CK_IS_FLOAT
#define POWER_1 6.931469776e-1f
#define POWER_2 2.402224208e-1f
#define POWER_3 5.550733744e-2f
#define POWER_4 9.671512786e-3f
#define POWER_5 1.326472725e-3f
#define FLOOR_1 6.931520700e-1f
#define FLOOR_2 2.401571721e-1f
#define FLOOR_3 5.582337081e-2f
#define FLOOR_4 8.986458182e-3f
#define FLOOR_5 1.880902681e-3f
#define RISE_1 9.999999699e-01f
#define RISE_2 -4.999949313e-01f
#define RISE_3 3.331909666e-01f
#define RISE_4 -2.484298124e-01f
#define RISE_5 1.910600333e-01f
#define RISE_6 -1.366323893e-01f
#define RISE_7 7.822587408e-02f
#define RISE_8 -2.950519210e-02f
#define RISE_9 5.232682766e-03f
#define LOG2_E 1.44269504088896340736f

// 2^x for x up to 126; x = 0 gives 1. Relative error below 2e-7. Here the next lower whole number is taken
// off, which saves an operation over the nearest one; the polynomial meets 1 and 2, so that the errors of
// slow decays, under 1e-7, have no side.
#if VECTOR == 64
INSIDE CK(lanes) CK(power_of_two)(CK(lanes) x) {
    const __m512 v = (__m512)x, r = _mm512_reduce_ps(v, 9);
    __m512 p = _mm512_set1_ps(FLOOR_5);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(FLOOR_4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(FLOOR_3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(FLOOR_2));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(FLOOR_1));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1));
    return (CK(lanes))_mm512_scalef_ps(p, v);  // By the next lower whole number.
}

INSIDE CK(lanes) CK(inverse)(CK(lanes) x) {
    const __m512 v = (__m512)x, r = _mm512_rcp14_ps(v);
    return (CK(lanes))_mm512_mul_ps(r, _mm512_fnmadd_ps(v, r, _mm512_set1_ps(2)));
}
#else
// Here the nearest whole number is taken off: x itself is left for |x| <= 1/2.
INSIDE CK(lanes) CK(power_of_two)(CK(lanes) x) {
    _Pragma("clang fp contract(fast)")
    typedef int32_t bits __attribute__((vector_size(VECTOR), aligned(4), may_alias));
    x = __builtin_elementwise_max(x, (CK(lanes)){0} - 126.0f);
    const CK(lanes) shifted = x + 12582912.0f, r = x - (shifted - 12582912.0f);
    CK(lanes) p = POWER_5 * r + POWER_4;
    p = p * r + POWER_3;
    p = p * r + POWER_2;
    p = p * r + POWER_1;
    p = p * r + 1.0f;
    return (CK(lanes))((bits)p + ((bits)shifted << 23));
}

INSIDE CK(lanes) CK(inverse)(CK(lanes) x) { return 1.0f / x; }
#endif

// exp(-x), no more than exp(87).
INSIDE CK(lanes) CK(falling)(CK(lanes) x) {
    return CK(power_of_two)(-LOG2_E * __builtin_elementwise_max(x, (CK(lanes)){0} - 87.0f));
}

// x / (1 + exp(-x)).
INSIDE CK(lanes) CK(silu_lanes)(CK(lanes) x) {
    return x * CK(inverse)(1.0f + CK(falling)(x));
}

// log(1 + exp(x)): with t = exp(-|x|) the rest beside max(x, 0) is t times a polynomial.
INSIDE CK(lanes) CK(softplus_lanes)(CK(lanes) x) {
    _Pragma("clang fp contract(fast)")
    const CK(lanes) t = CK(power_of_two)(-LOG2_E * __builtin_elementwise_abs(x));
    CK(lanes) p = RISE_9 * t + RISE_8;
    p = p * t + RISE_7;
    p = p * t + RISE_6;
    p = p * t + RISE_5;
    p = p * t + RISE_4;
    p = p * t + RISE_3;
    p = p * t + RISE_2;
    p = p * t + RISE_1;
    return __builtin_elementwise_max(x, (CK(lanes)){0}) + t * p;
}

// Several registers side by side, one operation of all after the other: a curve is a long chain, and a
// processor that has to hold back whole chains soon has room for nothing else.
#define GROUP 4
#define OF_GROUP UNROLLED for (int g = 0; g < GROUP; g++)
#if VECTOR == 64
INSIDE void CK(power_group)(CK(lanes) *x) {
    __m512 r[GROUP], p[GROUP];
    OF_GROUP r[g] = _mm512_reduce_ps((__m512)x[g], 9);
    OF_GROUP p[g] = _mm512_fmadd_ps(_mm512_set1_ps(FLOOR_5), r[g], _mm512_set1_ps(FLOOR_4));
    OF_GROUP p[g] = _mm512_fmadd_ps(p[g], r[g], _mm512_set1_ps(FLOOR_3));
    OF_GROUP p[g] = _mm512_fmadd_ps(p[g], r[g], _mm512_set1_ps(FLOOR_2));
    OF_GROUP p[g] = _mm512_fmadd_ps(p[g], r[g], _mm512_set1_ps(FLOOR_1));
    OF_GROUP p[g] = _mm512_fmadd_ps(p[g], r[g], _mm512_set1_ps(1));
    OF_GROUP x[g] = (CK(lanes))_mm512_scalef_ps(p[g], (__m512)x[g]);
}

INSIDE void CK(inverse_group)(CK(lanes) *x) {
    __m512 r[GROUP], e[GROUP];
    OF_GROUP r[g] = _mm512_rcp14_ps((__m512)x[g]);
    OF_GROUP e[g] = _mm512_fnmadd_ps((__m512)x[g], r[g], _mm512_set1_ps(2));
    OF_GROUP x[g] = (CK(lanes))_mm512_mul_ps(r[g], e[g]);
}
#else
INSIDE void CK(power_group)(CK(lanes) *x) { OF_GROUP x[g] = CK(power_of_two)(x[g]); }
INSIDE void CK(inverse_group)(CK(lanes) *x) { OF_GROUP x[g] = CK(inverse)(x[g]); }
#endif

// As `silu_lanes`.
INSIDE void CK(silu_group)(CK(lanes) *x) {
    CK(lanes) e[GROUP];
    OF_GROUP e[g] = __builtin_elementwise_max(x[g], (CK(lanes)){0} - 87.0f);
    OF_GROUP e[g] = -LOG2_E * e[g];
    CK(power_group)(e);
    OF_GROUP e[g] = 1.0f + e[g];
    CK(inverse_group)(e);
    OF_GROUP x[g] = x[g] * e[g];
}

// As `softplus_lanes`.
INSIDE void CK(softplus_group)(CK(lanes) *x) {
    _Pragma("clang fp contract(fast)")
    CK(lanes) t[GROUP], p[GROUP];
    OF_GROUP t[g] = -LOG2_E * __builtin_elementwise_abs(x[g]);
    CK(power_group)(t);
    OF_GROUP p[g] = RISE_9 * t[g] + RISE_8;
    OF_GROUP p[g] = p[g] * t[g] + RISE_7;
    OF_GROUP p[g] = p[g] * t[g] + RISE_6;
    OF_GROUP p[g] = p[g] * t[g] + RISE_5;
    OF_GROUP p[g] = p[g] * t[g] + RISE_4;
    OF_GROUP p[g] = p[g] * t[g] + RISE_3;
    OF_GROUP p[g] = p[g] * t[g] + RISE_2;
    OF_GROUP p[g] = p[g] * t[g] + RISE_1;
    OF_GROUP x[g] = __builtin_elementwise_max(x[g], (CK(lanes)){0});
    OF_GROUP x[g] = x[g] + t[g] * p[g];
}

#undef FLOOR_1
#undef FLOOR_2
#undef FLOOR_3
#undef FLOOR_4
#undef FLOOR_5
#undef RISE_1
#undef RISE_2
#undef RISE_3
#undef RISE_4
#undef RISE_5
#undef RISE_6
#undef RISE_7
#undef RISE_8
#undef RISE_9
#undef POWER_1
#undef POWER_2
#undef POWER_3
#undef POWER_4
#undef POWER_5
#undef LOG2_E
#endif
