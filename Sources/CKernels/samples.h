// Raw samples of recordings; see `body.h`, which includes this for double alone.

static void CK(physical)(size_t n, const int32_t *x, int32_t missing, REAL baseline, REAL gain,
                         REAL *y) {
    _Pragma("clang fp contract(off) reassociate(off)")
    size_t i = 0;
#if WIDE && VECTOR >= 32
    // A division takes as long as eight products. With the inverse to the nearest number and a
    // quotient next to the true one, its exact remainder gives the quotient that a division gives, as
    // long as nothing leaves the range of normal numbers.
    // Source: P. Markstein, "Computation of elementary functions on the IBM RISC System/6000
    // processor", IBM Journal of Research and Development 34, 1990.
    const REAL size = gain < 0 ? -gain : gain, level = baseline < 0 ? -baseline : baseline;
    if (size > 1e-100 && size < 1e100 && level < 1e100 && (level == 0 || level > 1e-100)) {
        const REAL inverse = 1 / gain;
        _Pragma("clang loop vectorize(assume_safety)")
        for (; i < n; i++) {
            const REAL v = (REAL)x[i] - baseline, near = v * inverse;
            const REAL next = __builtin_fma(__builtin_fma(-near, gain, v), inverse, near);
            const REAL found = __builtin_fma(__builtin_fma(-next, gain, v), inverse, next);
            y[i] = x[i] == missing ? (REAL)NAN : found;
        }
    }
#endif
    for (; i < n; i++) y[i] = x[i] == missing ? (REAL)NAN : ((REAL)x[i] - baseline) / gain;
}
