// The list of kernels, once: name, parameters, arguments. Every variant defines them all, and the
// dispatcher forwards to the chosen one.
#define CK_VOID_FUNCTIONS(F, REAL)                                                                 \
    F(dropout, (size_t n, const REAL *x, REAL *y, ck_dropout drop), (n, x, y, drop))               \
    F(gelu, (size_t n, const REAL *x, REAL *y, ck_dropout drop), (n, x, y, drop))                  \
    F(gelu_backward,                                                                               \
      (size_t n, const REAL *x, const REAL *dy, REAL *value, REAL *dx, ck_dropout drop),           \
      (n, x, dy, value, dx, drop))                                                                 \
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
    F(numerators, (size_t d, const REAL *a, const REAL *b, REAL *x, ptrdiff_t stride),             \
      (d, a, b, x, stride))                                                                        \
    F(numerators_backward,                                                                         \
      (size_t d, const REAL *a, const REAL *b, const REAL *x, REAL *dx, ptrdiff_t stride,          \
       REAL *da, REAL *db),                                                                        \
      (d, a, b, x, dx, stride, da, db))                                                            \
    F(to_lanes,                                                                                    \
      (size_t rows, size_t length, const REAL *x, size_t stride, size_t lanes, REAL *y),           \
      (rows, length, x, stride, lanes, y))                                                         \
    F(from_lanes,                                                                                  \
      (size_t rows, size_t length, size_t lanes, const REAL *y, REAL *x, size_t stride),           \
      (rows, length, lanes, y, x, stride))                                                         \
    F(autoregress,                                                                                 \
      (size_t d, size_t length, size_t lanes, const REAL *alpha, const REAL *u, REAL *w,           \
       ptrdiff_t step),                                                                            \
      (d, length, lanes, alpha, u, w, step))                                                       \
    F(filter_pair,                                                                                 \
      (size_t d, size_t length, size_t lanes, const REAL *n1, const REAL *n2, const REAL *w,       \
       REAL *y1, REAL *y2, ptrdiff_t step),                                                        \
      (d, length, lanes, n1, n2, w, y1, y2, step))                                                 \
    F(filter_sum,                                                                                  \
      (size_t d, size_t length, size_t lanes, const REAL *n1, const REAL *x1, const REAL *n2,      \
       const REAL *x2, REAL *y, ptrdiff_t step),                                                   \
      (d, length, lanes, n1, x1, n2, x2, y, step))                                                 \
    F(lag_products,                                                                                \
      (size_t d, size_t length, size_t lanes, const REAL *w, const REAL *s1, const REAL *s2,       \
       const REAL *s3, REAL *out1, REAL *out2, REAL *out3),                                        \
      (d, length, lanes, w, s1, s2, s3, out1, out2, out3))                                         \
    F(biquads,                                                                                     \
      (size_t sections, size_t length, size_t lanes, const REAL *c, REAL *y, ptrdiff_t step),      \
      (sections, length, lanes, c, y, step))                                                       \
    F(polyphase,                                                                                   \
      (size_t up, size_t down, size_t half, const REAL *taps, size_t length, size_t lanes,         \
       const REAL *x, size_t count, REAL *y),                                                      \
      (up, down, half, taps, length, lanes, x, count, y))                                          \
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
    F(transform_convolve,                                                                          \
      (size_t rows, size_t length, size_t block, const REAL *factors, const REAL *x,               \
       size_t stride_x, const REAL *k, REAL *y, size_t stride_y, REAL *scratch),                   \
      (rows, length, block, factors, x, stride_x, k, y, stride_y, scratch))                        \
    F(transform_convolve_backward,                                                                 \
      (size_t rows, size_t length, size_t block, const REAL *factors, const REAL *x,               \
       size_t stride_x, const REAL *k, const REAL *dy, size_t stride_y, REAL *dx,                  \
       size_t stride_dx, REAL *dk, REAL *scratch),                                                 \
      (rows, length, block, factors, x, stride_x, k, dy, stride_y, dx, stride_dx, dk, scratch))    \
    F(preprocess,                                                                                  \
      (size_t length, const REAL *x, const int64_t *windows, REAL *y, size_t stride,               \
       REAL *scratch),                                                                            \
      (length, x, windows, y, stride, scratch))                                                    \
    F(preprocess_backward,                                                                         \
      (size_t length, const REAL *dy, size_t stride, const int64_t *windows, REAL *dx,             \
       REAL *scratch),                                                                            \
      (length, dy, stride, windows, dx, scratch))                                                  \
    F(to_block,                                                                                    \
      (size_t rows, size_t length, const REAL *x, size_t stride, REAL *y),                         \
      (rows, length, x, stride, y))                                                                \
    F(from_block,                                                                                  \
      (size_t rows, size_t length, const REAL *y, REAL *x, size_t stride),                         \
      (rows, length, y, x, stride))                                                                \
    F(block_normalise, (size_t d, const REAL *x, REAL *y), (d, x, y))                              \
    F(block_normalise_backward,                                                                    \
      (size_t d, const REAL *x, const REAL *y, const REAL *dy, REAL *dx),                          \
      (d, x, y, dy, dx))                                                                           \
    F(block_scale_add, (size_t n, const REAL *factor, const REAL *x, REAL *y), (n, factor, x, y))  \
    F(block_add,                                                                                   \
      (size_t n, const REAL *offset, const REAL *x, const REAL *y, REAL *z),                       \
      (n, offset, x, y, z))                                                                        \
    F(block_sum, (size_t n, const REAL *x, REAL *sum), (n, x, sum))                                \
    F(block_dot, (size_t n, const REAL *x, const REAL *y, REAL *sum), (n, x, y, sum))              \
    F(block_multiply,                                                                              \
      (size_t rows, size_t columns, size_t inner, const REAL *a, ck_steps sa, const REAL *b,       \
       ck_steps sb, REAL *c, ck_steps sc, int add),                                                \
      (rows, columns, inner, a, sa, b, sb, c, sc, add))                                            \
    F(block_autoregress,                                                                           \
      (size_t d, size_t start, size_t length, size_t windows, const REAL *alpha, const REAL *u,    \
       REAL *w, int reversed),                                                                     \
      (d, start, length, windows, alpha, u, w, reversed))                                          \
    F(block_filter,                                                                                \
      (size_t d, size_t start, size_t length, size_t windows, const REAL *n1, const REAL *n2,      \
       const REAL *x, REAL *y1, REAL *y2),                                                         \
      (d, start, length, windows, n1, n2, x, y1, y2))                                              \
    F(block_filter_backward,                                                                       \
      (size_t d, size_t length, size_t windows, const REAL *n1, const REAL *n2, const REAL *dy1,   \
       const REAL *dy2, REAL *dx),                                                                 \
      (d, length, windows, n1, n2, dy1, dy2, dx))                                                  \
    F(block_lag_products,                                                                          \
      (size_t d, size_t length, size_t windows, const REAL *w, const REAL *s1, const REAL *s2,     \
       const REAL *s3, REAL *out1, REAL *out2, REAL *out3),                                        \
      (d, length, windows, w, s1, s2, s3, out1, out2, out3))                                       \
    F(block_mix,                                                                                   \
      (size_t inputs, size_t outputs, size_t length, const REAL *w, const REAL *x, size_t          \
       x_block, REAL *y, size_t y_block),                                                          \
      (inputs, outputs, length, w, x, x_block, y, y_block))                                        \
    F(block_outer,                                                                                 \
      (size_t inputs, size_t outputs, size_t length, const REAL *x, size_t x_block, const REAL     \
       *y, size_t y_block, REAL *w),                                                               \
      (inputs, outputs, length, x, x_block, y, y_block, w))                                        \
    F(block_rows,                                                                                  \
      (size_t d, size_t count, const REAL *a, const REAL *b, const REAL *k, REAL *r, size_t        \
       step),                                                                                      \
      (d, count, a, b, k, r, step))                                                                \
    F(block_rows_backward,                                                                         \
      (size_t d, size_t count, const REAL *a, const REAL *b, const REAL *k, const REAL *r, const   \
       REAL *dr, size_t step, REAL *mu, REAL *da, REAL *db, REAL *dk),                             \
      (d, count, a, b, k, r, dr, step, mu, da, db, dk))                                            \
    F(block_numerators,                                                                            \
      (size_t d, const REAL *a, const REAL *b, REAL *p, size_t step),                              \
      (d, a, b, p, step))                                                                          \
    F(block_numerators_backward,                                                                   \
      (size_t d, const REAL *a, const REAL *b, const REAL *p, REAL *dp, size_t step, REAL *da,     \
       REAL *db),                                                                                  \
      (d, a, b, p, dp, step, da, db))                                                              \
    F(block_head,                                                                                  \
      (size_t n, const REAL *y, const REAL *gain, const REAL *weight, REAL *sum, ck_dropout        \
       drop),                                                                                      \
      (n, y, gain, weight, sum, drop))                                                             \
    F(block_head_backward,                                                                         \
      (size_t n, const REAL *y, const REAL *gain, const REAL *weight, const REAL *dsum, REAL       \
       *dy, REAL *dweight, REAL *dgain, ck_dropout drop),                                          \
      (n, y, gain, weight, dsum, dy, dweight, dgain, drop))

#define CK_SUM_FUNCTIONS(F, REAL)                                                                  \
    F(dot, (size_t n, const REAL *x, const REAL *y), (n, x, y))                                    \
    F(sum, (size_t n, const REAL *x), (n, x))                                                      \
    F(squared_distance, (size_t n, const REAL *x, const REAL *y), (n, x, y))

#define CK_POINTWISE_FUNCTIONS(F, REAL)                                                            \
    F(activation, (size_t n, int function, const REAL *x, REAL *y), (n, function, x, y))           \
    F(activation_backward, (size_t n, int function, const REAL *x, const REAL *dy, REAL *dx),      \
      (n, function, x, dy, dx))                                                                    \
    F(multiply, (size_t n, const REAL *x, const REAL *y, REAL *z, int add), (n, x, y, z, add))     \
    F(column_dot, (size_t rows, size_t n, const REAL *x, const REAL *y, REAL *sum),                \
      (rows, n, x, y, sum))                                                                        \
    F(norm,                                                                                        \
      (size_t rows, size_t n, const REAL *x, size_t stride_x, const REAL *gain, const REAL *bias,  \
       REAL epsilon, REAL *y, size_t stride_y, REAL *mean, REAL *rate),                            \
      (rows, n, x, stride_x, gain, bias, epsilon, y, stride_y, mean, rate))                        \
    F(norm_backward,                                                                               \
      (size_t rows, size_t n, const REAL *x, size_t stride_x, const REAL *gain, const REAL *mean,  \
       const REAL *rate, const REAL *dy, size_t stride_dy, REAL *dx, size_t stride_dx,             \
       REAL *dgain, REAL *dbias),                                                                  \
      (rows, n, x, stride_x, gain, mean, rate, dy, stride_dy, dx, stride_dx, dgain, dbias))

#define CK_ROW_FUNCTIONS(F, REAL)                                                                  \
    F(scan,                                                                                        \
      (ck_scan_sizes sizes, const REAL *x, const REAL *delta, const REAL *a, const REAL *b,        \
      const REAL *c, const REAL *d, REAL *y, int add, REAL *state, REAL *kept, REAL *scratch),     \
      (sizes, x, delta, a, b, c, d, y, add, state, kept, scratch))                                 \
    F(direction,                                                                                   \
      (ck_direction_sizes sizes, const REAL *x, const REAL *taps, const REAL *bias, const REAL     \
      *weight, const REAL *projection, const REAL *step, const REAL *step_bias, const REAL *a,     \
      const REAL *d, REAL *y, int add, REAL *state, REAL *scratch),                                \
      (sizes, x, taps, bias, weight, projection, step, step_bias, a, d, y, add, state, scratch))   \
    F(scan_backward,                                                                               \
      (ck_scan_sizes sizes, const REAL *x, const REAL *delta, const REAL *a, const REAL *b,        \
      const REAL *c, const REAL *d, const REAL *kept, const REAL *dy, REAL *dx, REAL *ddelta,      \
      REAL *da, REAL *db, REAL *dc, REAL *dd, REAL *dstate, REAL *scratch),                        \
      (sizes, x, delta, a, b, c, d, kept, dy, dx, ddelta, da, db, dc, dd, dstate, scratch))        \
    F(product,                                                                                     \
      (size_t rows, size_t columns, size_t inner, const REAL *a, ptrdiff_t row_a, ptrdiff_t        \
       step_a, const REAL *b, ptrdiff_t step_b, REAL *c, ptrdiff_t step_c, int add),               \
      (rows, columns, inner, a, row_a, step_a, b, step_b, c, step_c, add))                         \
    F(depthwise,                                                                                   \
      (size_t length, size_t channels, size_t taps, const REAL *x, ptrdiff_t step_x, const REAL    \
      *w, const REAL *bias, REAL *y, ptrdiff_t step_y),                                            \
      (length, channels, taps, x, step_x, w, bias, y, step_y))                                     \
    F(depthwise_backward,                                                                          \
      (size_t length, size_t channels, size_t taps, const REAL *x, ptrdiff_t step_x, const REAL    \
      *w, const REAL *dy, ptrdiff_t step_y, REAL *dx, ptrdiff_t step_dx, REAL *dw, REAL *dbias),   \
      (length, channels, taps, x, step_x, w, dy, step_y, dx, step_dx, dw, dbias))                  \
    F(bias_softplus,                                                                               \
      (size_t rows, size_t n, REAL *x, const REAL *bias, REAL *y),                                 \
      (rows, n, x, bias, y))                                                                       \
    F(gate,                                                                                        \
      (size_t rows, size_t n, REAL factor, const REAL *x, const REAL *z, ptrdiff_t step_z, REAL    \
      *y),                                                                                         \
      (rows, n, factor, x, z, step_z, y))                                                          \
    F(gate_backward,                                                                               \
      (size_t rows, size_t n, REAL factor, const REAL *x, const REAL *z, ptrdiff_t step_z, const   \
      REAL *dy, REAL *dx, REAL *dz, ptrdiff_t step_dz),                                            \
      (rows, n, factor, x, z, step_z, dy, dx, dz, step_dz))                                        \
    F(row_norm,                                                                                    \
      (size_t rows, size_t n, const REAL *x, const REAL *gain, REAL epsilon, REAL *y, REAL         \
      *rate),                                                                                      \
      (rows, n, x, gain, epsilon, y, rate))                                                        \
    F(row_norm_backward,                                                                           \
      (size_t rows, size_t n, const REAL *x, const REAL *gain, const REAL *rate, const REAL *dy,   \
      REAL *dx, REAL *dgain, int add),                                                             \
      (rows, n, x, gain, rate, dy, dx, dgain, add))                                                \
    F(row_add,                                                                                     \
      (size_t rows, size_t n, const REAL *bias, REAL *y),                                          \
      (rows, n, bias, y))                                                                          \
    F(column_sum,                                                                                  \
      (size_t rows, size_t n, const REAL *x, REAL *sum),                                           \
      (rows, n, x, sum))                                                                           \
    F(column_squares,                                                                              \
      (size_t rows, size_t n, const REAL *x, const REAL *mean, REAL *sum),                         \
      (rows, n, x, mean, sum))                                                                     \
    F(column_scale,                                                                                \
      (size_t rows, size_t n, const REAL *x, const REAL *scale, const REAL *offset, const REAL     \
      *z, int relu, REAL *y),                                                                      \
      (rows, n, x, scale, offset, z, relu, y))                                                     \
    F(relu_mask,                                                                                   \
      (size_t n, const REAL *y, const REAL *dy, REAL *dx),                                         \
      (n, y, dy, dx))                                                                              \
    F(column_slopes,                                                                               \
      (size_t rows, size_t n, const REAL *x, const REAL *mean, const REAL *dy, REAL *sum, REAL     \
      *along),                                                                                     \
      (rows, n, x, mean, dy, sum, along))                                                          \
    F(column_adjoint,                                                                              \
      (size_t rows, size_t n, const REAL *x, const REAL *mean, const REAL *dy, const REAL          \
      *scale, const REAL *slope, const REAL *offset, REAL *dx),                                    \
      (rows, n, x, mean, dy, scale, slope, offset, dx))

#define CK_SEQUENCE_FUNCTIONS(F, REAL)                                                             \
    F(diagonal_taps, (size_t length, size_t n, size_t pairs, double factor, const REAL             \
      *log_dt, const REAL *log_re, const REAL *im, const REAL *c, const REAL *d, REAL              \
      *taps), (length, n, pairs, factor, log_dt, log_re, im, c, d, taps))                          \
    F(diagonal_factors, (size_t n, size_t pairs, double factor, const REAL *log_dt, const          \
      REAL *log_re, const REAL *im, const REAL *c, const REAL *d, REAL *w, REAL *weights,          \
      REAL *skip), (n, pairs, factor, log_dt, log_re, im, c, d, w, weights, skip))                 \
    F(diagonal_taps_backward, (size_t length, size_t n, size_t pairs, double factor, const         \
      REAL *log_dt, const REAL *log_re, const REAL *im, const REAL *c, const REAL *dtaps,          \
      REAL *dlog_dt, REAL *dlog_re, REAL *dim, REAL *dc, REAL *dd), (length, n, pairs,             \
      factor, log_dt, log_re, im, c, dtaps, dlog_dt, dlog_re, dim, dc, dd))                        \
    F(diagonal_sums_backward, (size_t n, size_t pairs, double factor, const REAL *log_dt,          \
      const REAL *log_re, const REAL *im, const REAL *c, const REAL *sums, const REAL              \
      *dskip, REAL *dlog_dt, REAL *dlog_re, REAL *dim, REAL *dc, REAL *dd), (n, pairs,             \
      factor, log_dt, log_re, im, c, sums, dskip, dlog_dt, dlog_re, dim, dc, dd))                  \
    F(taps_convolve, (size_t pieces, size_t length, size_t n, const REAL *k, const REAL *x,        \
      ptrdiff_t step_x, REAL *y, ptrdiff_t step_y, int reversed), (pieces, length, n, k, x,        \
      step_x, y, step_y, reversed))                                                                \
    F(taps_slopes, (size_t pieces, size_t length, size_t n, const REAL *x, ptrdiff_t step_x,       \
      const REAL *dy, ptrdiff_t step_y, REAL *dk), (pieces, length, n, x, step_x, dy,              \
      step_y, dk))                                                                                 \
    F(taps_last, (size_t pieces, size_t length, size_t n, const REAL *k, const REAL *x,            \
      ptrdiff_t step_x, REAL *y, ptrdiff_t step_y), (pieces, length, n, k, x, step_x, y,           \
      step_y))                                                                                     \
    F(taps_last_backward, (size_t pieces, size_t length, size_t n, const REAL *k, const REAL       \
      *x, ptrdiff_t step_x, const REAL *dy, ptrdiff_t step_y, REAL *dx, ptrdiff_t step_dx,         \
      REAL *dk), (pieces, length, n, k, x, step_x, dy, step_y, dx, step_dx, dk))                   \
    F(diagonal_scan, (size_t length, size_t n, size_t pairs, const REAL *w, const REAL *c,         \
      const REAL *skip, const REAL *u, ptrdiff_t step_u, REAL *y, ptrdiff_t step_y, REAL           \
      *state), (length, n, pairs, w, c, skip, u, step_u, y, step_y, state))                        \
    F(diagonal_slopes, (size_t length, size_t n, size_t pairs, const REAL *w, const REAL *u,       \
      ptrdiff_t step_u, const REAL *dy, ptrdiff_t step_y, REAL *sums), (length, n, pairs, w,       \
      u, step_u, dy, step_y, sums))                                                                \
    F(deltas, (size_t rows, size_t n, const REAL *x, ptrdiff_t step_x, const REAL *before,         \
      REAL *y, ptrdiff_t step_y), (rows, n, x, step_x, before, y, step_y))                         \
    F(layer_norm, (size_t rows, size_t n, const REAL *x, ptrdiff_t step_x, const REAL *gain,       \
      const REAL *bias, REAL epsilon, REAL *y, ptrdiff_t step_y, REAL *statistics), (rows,         \
      n, x, step_x, gain, bias, epsilon, y, step_y, statistics))                                   \
    F(layer_norm_backward, (size_t rows, size_t n, const REAL *x, ptrdiff_t step_x, const          \
      REAL *gain, const REAL *statistics, const REAL *dy, ptrdiff_t step_dy, REAL *dx,             \
      ptrdiff_t step_dx, REAL *dgain, REAL *dbias, int add), (rows, n, x, step_x, gain,            \
      statistics, dy, step_dy, dx, step_dx, dgain, dbias, add))                                    \
    F(glu, (size_t rows, size_t n, REAL *m, const REAL *bias, const REAL *r, ptrdiff_t             \
      step_r, REAL *y, ptrdiff_t step_y, ck_dropout drop), (rows, n, m, bias, r, step_r, y,        \
      step_y, drop))                                                                               \
    F(glu_backward, (size_t rows, size_t n, const REAL *m, const REAL *dy, ptrdiff_t               \
      step_dy, REAL *dm, ck_dropout drop), (rows, n, m, dy, step_dy, dm, drop))                    \
    F(lstm_cell, (size_t rows, size_t n, REAL *gates, ptrdiff_t step_g, const REAL *bias,          \
      const REAL *before, ptrdiff_t step_before, REAL *c, ptrdiff_t step_c, REAL *h,               \
      ptrdiff_t step_h), (rows, n, gates, step_g, bias, before, step_before, c, step_c, h,         \
      step_h))                                                                                     \
    F(lstm_cell_backward, (size_t rows, size_t n, const REAL *gates, ptrdiff_t step_g, const       \
      REAL *before, ptrdiff_t step_before, const REAL *c, ptrdiff_t step_c, const REAL *dh,        \
      ptrdiff_t step_dh, REAL *dc, REAL *dgates, ptrdiff_t step_dg), (rows, n, gates,              \
      step_g, before, step_before, c, step_c, dh, step_dh, dc, dgates, step_dg))
