// The list of kernels, once: name, parameters, arguments. Every variant defines them all, and the
// dispatcher forwards to the chosen one.
#define CK_VOID_FUNCTIONS(F, REAL)                                                                 \
    F(dropout, (size_t n, const REAL *x, REAL *y, ck_dropout drop), (n, x, y, drop))               \
    F(gelu, (size_t n, const REAL *x, REAL *y, ck_dropout drop), (n, x, y, drop))                  \
    F(gelu_backward,                                                                               \
      (size_t n, const REAL *x, const REAL *dy, REAL *value, REAL *dx, ck_dropout drop),           \
      (n, x, dy, value, dx, drop))                                                                 \
    F(head, (size_t n, const REAL *y, REAL gain, REAL weight, REAL *sum, ck_dropout drop),         \
      (n, y, gain, weight, sum, drop))                                                             \
    F(head_backward,                                                                               \
      (size_t n, const REAL *y, REAL gain, REAL weight, const REAL *dsum, REAL *dy,                \
       double *dweight, double *dgain, ck_dropout drop),                                           \
      (n, y, gain, weight, dsum, dy, dweight, dgain, drop))                                        \
    F(axpy, (size_t n, REAL alpha, const REAL *x, REAL *y), (n, alpha, x, y))                      \
    F(combine, (size_t n, REAL alpha, const REAL *x, REAL beta, REAL constant, REAL *y),           \
      (n, alpha, x, beta, constant, y))                                                            \
    F(fill, (size_t n, REAL value, REAL *y), (n, value, y))                                        \
    F(reverse, (size_t n, const REAL *x, REAL *y), (n, x, y))                                      \
    F(normalise, (size_t n, const REAL *x, REAL *y), (n, x, y))                                    \
    F(normalise_backward, (size_t n, const REAL *x, const REAL *y, const REAL *dy, REAL *dx),      \
      (n, x, y, dy, dx))                                                                           \
    F(spectra,                                                                                     \
      (size_t n, REAL factor, const REAL *x, const REAL *y, REAL *z, int conjugate, int add),      \
      (n, factor, x, y, z, conjugate, add))                                                        \
    F(adamw,                                                                                       \
      (size_t n, REAL *theta, const REAL *gradient, REAL *first, REAL *second, double factor,      \
       double rate, double decay, double beta1, double beta2, double correction1,                  \
       double correction2, double epsilon),                                                        \
      (n, theta, gradient, first, second, factor, rate, decay, beta1, beta2, correction1,          \
       correction2, epsilon))                                                                      \
    F(krylov,                                                                                      \
      (size_t d, size_t length, const REAL *a, const REAL *b, REAL *x, ptrdiff_t stride),          \
      (d, length, a, b, x, stride))                                                                \
    F(krylov_backward,                                                                             \
      (size_t d, size_t length, const REAL *a, const REAL *x, REAL *dx, ptrdiff_t stride,          \
       REAL *da, REAL *db),                                                                        \
      (d, length, a, x, dx, stride, da, db))                                                       \
    F(forecast_rows,                                                                               \
      (size_t d, size_t horizon, const REAL *a, const REAL *b, const REAL *c, const REAL *k,       \
       REAL *r),                                                                                   \
      (d, horizon, a, b, c, k, r))                                                                 \
    F(forecast_rows_backward,                                                                      \
      (size_t d, size_t horizon, const REAL *a, const REAL *b, const REAL *k, const REAL *r,       \
       REAL *dr, REAL *da, REAL *db, REAL *dc, REAL *dk),                                          \
      (d, horizon, a, b, k, r, dr, da, db, dc, dk))                                                \
    F(convolve,                                                                                    \
      (size_t rows, size_t length, const REAL *x, size_t stride_x, const REAL *k1,                 \
       const REAL *k2, REAL *y1, REAL *y2, size_t stride_y, REAL *scratch),                        \
      (rows, length, x, stride_x, k1, k2, y1, y2, stride_y, scratch))                              \
    F(convolve_backward,                                                                           \
      (size_t rows, size_t length, const REAL *x, size_t stride_x, const REAL *k1,                 \
       const REAL *k2, const REAL *dy1, const REAL *dy2, size_t stride_y, REAL *dx,                \
       size_t stride_dx, REAL *dk1, REAL *dk2, REAL *scratch),                                     \
      (rows, length, x, stride_x, k1, k2, dy1, dy2, stride_y, dx, stride_dx, dk1, dk2, scratch))   \
    F(preprocess,                                                                                  \
      (size_t length, const REAL *x, const int64_t *windows, REAL *y, size_t stride,               \
       REAL *scratch),                                                                            \
      (length, x, windows, y, stride, scratch))                                                     \
    F(preprocess_backward,                                                                         \
      (size_t length, const REAL *dy, size_t stride, const int64_t *windows, REAL *dx,             \
       REAL *scratch),                                                                            \
      (length, dy, stride, windows, dx, scratch))

#define CK_SUM_FUNCTIONS(F, REAL)                                                                  \
    F(dot, (size_t n, const REAL *x, const REAL *y), (n, x, y))                                    \
    F(sum, (size_t n, const REAL *x), (n, x))                                                      \
    F(squared_distance, (size_t n, const REAL *x, const REAL *y), (n, x, y))
