// Loops that must be wide. Every function works on memory whose lengths the caller has checked,
// allocates nothing, keeps nothing and cannot fail. Each exists in float (`_f32`) and double
// (`_f64`), as a plain loop that is the reference, and in wide variants; one is chosen per process.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "ckpointwise.h"

/// The chosen variant: "plain", "generic", "avx2" or "avx512".
const char *ck_variant(void);

/// Whether the processor and the system have AVX-512 F, DQ, BW and VL; 0 or 1.
int ck_has_avx512(void);

/// Makes the calling thread take subnormal numbers as 0, where the processor can; returns what
/// `ck_restore_subnormals` needs to undo it.
uint64_t ck_flush_subnormals(void);
void ck_restore_subnormals(uint64_t before);

/// Which elements a dropout keeps: element i is kept when a hash of the key and of `offset + i` is
/// at least `threshold`; what is kept is multiplied by `scale`. Threshold 0 keeps everything.
typedef struct {
    uint32_t key[2];
    uint32_t offset;
    uint32_t threshold;
    double scale;
} ck_dropout;

/// Scratch for the convolutions, in elements, for rows of `length`.
size_t ck_convolution_scratch(size_t length);

#define CK_DECLARE(REAL, SUFFIX)                                                                   \
    /* y_i = x_i for kept elements, times the scale, else 0. */                                    \
    void ck_dropout_##SUFFIX(size_t n, const REAL *x, REAL *y, ck_dropout drop);                   \
    /* y = dropout(GELU(x)), exact GELU by the error function. */                                  \
    void ck_gelu_##SUFFIX(size_t n, const REAL *x, REAL *y, ck_dropout drop);                      \
    /* value = dropout(GELU(x)); dx = dy * dropout(GELU'(x)); dx may be dy. */                     \
    void ck_gelu_backward_##SUFFIX(size_t n, const REAL *x, const REAL *dy, REAL *value, REAL *dx, \
                                   ck_dropout drop);                                               \
    /* sum += weight * dropout(GELU(gain * y)). */                                                 \
    void ck_head_##SUFFIX(size_t n, const REAL *y, REAL gain, REAL weight, REAL *sum,              \
                          ck_dropout drop);                                                        \
    /* The adjoint of ck_head: dy, and adds to the gradients of weight and gain. */                \
    void ck_head_backward_##SUFFIX(size_t n, const REAL *y, REAL gain, REAL weight,                \
                                   const REAL *dsum, REAL *dy, double *dweight, double *dgain,     \
                                   ck_dropout drop);                                               \
    /* y += alpha * x */                                                                           \
    void ck_axpy_##SUFFIX(size_t n, REAL alpha, const REAL *x, REAL *y);                           \
    /* y = alpha * x + beta * y + constant */                                                      \
    void ck_combine_##SUFFIX(size_t n, REAL alpha, const REAL *x, REAL beta, REAL constant,        \
                             REAL *y);                                                             \
    void ck_fill_##SUFFIX(size_t n, REAL value, REAL *y);                                          \
    /* y = x, last element first. */                                                               \
    void ck_reverse_##SUFFIX(size_t n, const REAL *x, REAL *y);                                    \
    /* y = x / (L1 norm of x), or x where that norm is at most 1e-4. */                            \
    void ck_normalise_##SUFFIX(size_t n, const REAL *x, REAL *y);                                  \
    /* Its adjoint, given y: adds to dx. */                                                        \
    void ck_normalise_backward_##SUFFIX(size_t n, const REAL *x, const REAL *y, const REAL *dy,    \
                                        REAL *dx);                                                 \
    /* z (+)= factor * x * y, or * conj(y), for n complex numbers. */                              \
    void ck_spectra_##SUFFIX(size_t n, REAL factor, const REAL *x, const REAL *y, REAL *z,         \
                             int conjugate, int add);                                              \
    double ck_dot_##SUFFIX(size_t n, const REAL *x, const REAL *y);                                \
    double ck_sum_##SUFFIX(size_t n, const REAL *x);                                               \
    /* The sum of squares of x - y. */                                                             \
    double ck_squared_distance_##SUFFIX(size_t n, const REAL *x, const REAL *y);                   \
    /* One AdamW update; `rate` and both corrections belong to the step. */                        \
    void ck_adamw_##SUFFIX(size_t n, REAL *theta, const REAL *gradient, REAL *first, REAL *second, \
                           double factor, double rate, double decay, double beta1, double beta2,   \
                           double correction1, double correction2, double epsilon);                \
    /* Rows A^j b of a companion matrix with last column a: row j at x + j*stride. */              \
    void ck_krylov_##SUFFIX(size_t d, size_t length, const REAL *a, const REAL *b, REAL *x,        \
                            ptrdiff_t stride);                                                     \
    /* Its adjoint: dx holds the rows' gradients and is overwritten; adds to da and db. */         \
    void ck_krylov_backward_##SUFFIX(size_t d, size_t length, const REAL *a, const REAL *x,        \
                                     REAL *dx, ptrdiff_t stride, REAL *da, REAL *db);              \
    /* Rows P_j, j < d, of the polynomial P(z) = D(z) (I - zA)^-1 b: P_0 = b, */                   \
    /* P_j = A P_{j-1} - a_{d-j} b. */                                                             \
    void ck_numerators_##SUFFIX(size_t d, const REAL *a, const REAL *b, REAL *x,                   \
                                ptrdiff_t stride);                                                 \
    /* Its adjoint: dx is overwritten; adds to da and db. */                                       \
    void ck_numerators_backward_##SUFFIX(size_t d, const REAL *a, const REAL *b, const REAL *x,    \
                                         REAL *dx, ptrdiff_t stride, REAL *da, REAL *db);          \
    /* y_{t,lane} = x_{lane,t}, 0 for lanes from `rows` on; and back for those below. */           \
    void ck_to_lanes_##SUFFIX(size_t rows, size_t length, const REAL *x, size_t stride,            \
                              size_t lanes, REAL *y);                                              \
    void ck_from_lanes_##SUFFIX(size_t rows, size_t length, size_t lanes, const REAL *y, REAL *x,  \
                                size_t stride);                                                    \
    /* In all of these `lanes` is a multiple of 16, time t is at t*step, and d rows of zeros */    \
    /* stand before time 0 in w and x. Coefficients have 8 zeros before and behind them. */        \
    /* w_t = u_t + sum over 1 <= j <= d of alpha_{j-1} w_{t-j}; w may be u. */                     \
    void ck_autoregress_##SUFFIX(size_t d, size_t length, size_t lanes, const REAL *alpha,         \
                                 const REAL *u, REAL *w, ptrdiff_t step);                          \
    /* y1_t = sum over j < d of n1_j w_{t-j}, and y2 with n2. */                                   \
    void ck_filter_pair_##SUFFIX(size_t d, size_t length, size_t lanes, const REAL *n1,            \
                                 const REAL *n2, const REAL *w, REAL *y1, REAL *y2,                \
                                 ptrdiff_t step);                                                  \
    /* y_t += sum over j < d of n1_j x1_{t-j} + n2_j x2_{t-j}. */                                  \
    void ck_filter_sum_##SUFFIX(size_t d, size_t length, size_t lanes, const REAL *n1,             \
                                const REAL *x1, const REAL *n2, const REAL *x2, REAL *y,           \
                                ptrdiff_t step);                                                   \
    /* out_j += sum over t and lanes of s_t w_{t-j}, j < d, for three signals s; or for */         \
    /* the first alone, where the others are null. */                                              \
    void ck_lag_products_##SUFFIX(size_t d, size_t length, size_t lanes, const REAL *w,            \
                                  const REAL *s1, const REAL *s2, const REAL *s3, REAL *out1,      \
                                  REAL *out2, REAL *out3);                                         \
    /* Rows c M^h, h < horizon, of the closed loop M = A + b k'. */                                \
    void ck_forecast_rows_##SUFFIX(size_t d, size_t horizon, const REAL *a, const REAL *b,         \
                                   const REAL *c, const REAL *k, REAL *r);                         \
    /* Its adjoint: dr is overwritten; adds to da, db, dc, dk. */                                  \
    void ck_forecast_rows_backward_##SUFFIX(size_t d, size_t horizon, const REAL *a,               \
                                            const REAL *b, const REAL *k, const REAL *r, REAL *dr, \
                                            REAL *da, REAL *db, REAL *dc, REAL *dk);               \
    /* y1 = k1 * x and y2 = k2 * x, causal, of `length` each; k2 and y2 may both be null. */       \
    void ck_convolve_##SUFFIX(size_t rows, size_t length, const REAL *x, size_t stride_x,          \
                              const REAL *k1, const REAL *k2, REAL *y1, REAL *y2, size_t stride_y, \
                              REAL *scratch);                                                      \
    /* Its adjoint; adds to dx (may be null), dk1 and dk2. */                                      \
    void ck_convolve_backward_##SUFFIX(size_t rows, size_t length, const REAL *x, size_t stride_x, \
                                       const REAL *k1, const REAL *k2, const REAL *dy1,            \
                                       const REAL *dy2, size_t stride_y, REAL *dx, size_t stride_dx, \
                                       REAL *dk1, REAL *dk2, REAL *scratch);                       \
    /* Four differences and four moving-average residuals of x into eight rows of y. */            \
    void ck_preprocess_##SUFFIX(size_t length, const REAL *x, const int64_t *windows, REAL *y,     \
                                size_t stride, REAL *scratch);                                              \
    /* The adjoint of ck_preprocess; overwrites dx. `scratch` holds length + 1 doubles. */          \
    void ck_preprocess_backward_##SUFFIX(size_t length, const REAL *dy, size_t stride,             \
                                         const int64_t *windows, REAL *dx, REAL *scratch);

CK_DECLARE(float, f32)
CK_DECLARE(double, f64)
#undef CK_DECLARE
