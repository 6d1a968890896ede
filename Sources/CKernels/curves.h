// Exponentials and what is made of them, a register of single precision at a time; once for every
// variant, see `body.h`, which includes this.

#if WIDE && CK_IS_FLOAT
#define POWER_1 6.931469776e-1f
#define POWER_2 2.402224208e-1f
#define POWER_3 5.550733744e-2f
#define POWER_4 9.671512786e-3f
#define POWER_5 1.326472725e-3f
#define LOG2_E 1.44269504088896340736f

// 2^x for x up to 126. The reduced argument is x itself for |x| <= 1/2, so that slow decays keep their
// relative distance from 1; x = 0 gives 1. Relative error below 2e-7.
#if VECTOR == 64
INSIDE CK(lanes) CK(power_of_two)(CK(lanes) x) {
    const __m512 v = (__m512)x, r = _mm512_reduce_ps(v, 8);  // The nearest whole number taken off.
    __m512 p = _mm512_set1_ps(POWER_5);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(POWER_4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(POWER_3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(POWER_2));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(POWER_1));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1));
    return (CK(lanes))_mm512_scalef_ps(p, _mm512_sub_ps(v, r));
}

INSIDE CK(lanes) CK(inverse)(CK(lanes) x) {
    const __m512 v = (__m512)x, r = _mm512_rcp14_ps(v);
    return (CK(lanes))_mm512_mul_ps(r, _mm512_fnmadd_ps(v, r, _mm512_set1_ps(2)));
}
#else
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

// log(1 + exp(x)): with t = exp(-|x|) the rest beside max(x, 0) is t times a polynomial.
INSIDE CK(lanes) CK(softplus_lanes)(CK(lanes) x) {
    _Pragma("clang fp contract(fast)")
    const CK(lanes) t = CK(falling)(__builtin_elementwise_abs(x));
    CK(lanes) p = 5.232682766e-03f * t - 2.950519210e-02f;
    p = p * t + 7.822587408e-02f;
    p = p * t - 1.366323893e-01f;
    p = p * t + 1.910600333e-01f;
    p = p * t - 2.484298124e-01f;
    p = p * t + 3.331909666e-01f;
    p = p * t - 4.999949313e-01f;
    p = p * t + 9.999999699e-01f;
    return __builtin_elementwise_max(x, (CK(lanes)){0}) + t * p;
}

#undef POWER_1
#undef POWER_2
#undef POWER_3
#undef POWER_4
#undef POWER_5
#undef LOG2_E
#endif
