// Loops that must be wide. Every function works on memory whose lengths the caller has checked,
// allocates nothing, keeps nothing and cannot fail. Each exists in float (`_f32`) and double
// (`_f64`), as a plain loop that is the reference, and in wide variants; one is chosen per process.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "ckpointwise.h"
#include "ckscan.h"

/// The chosen variant: "plain", "generic", "avx2" or "avx512".
const char *ck_variant(void);

/// Chooses a variant by name; returns 0, and changes nothing, where the processor does not have it.
/// For tests, in a process of their own: other threads may be inside a kernel.
int ck_choose(const char *variant);

/// Whether the processor and the system have AVX-512 F, DQ, BW and VL; 0 or 1.
int ck_has_avx512(void);

/// Makes the calling thread take subnormal numbers as 0, where the processor can; returns what
/// `ck_restore_subnormals` needs to undo it.
uint64_t ck_flush_subnormals(void);
void ck_restore_subnormals(uint64_t before);

/// Which elements a dropout keeps: element i is kept when 16 bits of a hash of the key and of
/// `offset + i` are at least `threshold`; what is kept is multiplied by `scale`. Threshold 0 keeps
/// everything.
typedef struct {
    uint32_t key[2];
    uint32_t offset;
    uint32_t threshold;
    double scale;
} ck_dropout;

#include "cksequence.h"

/// Scratch for the convolutions, in elements, for rows of `length`.
size_t ck_convolution_scratch(size_t length);

/// Channels in a block: the kernels below that are called `block` work on groups of so many numbers,
/// channel c in place c of each. Counts and steps of theirs are of groups, or as they say.
#define CK_BLOCK 16

/// Distances, in numbers, between the rows and between the columns of a matrix of groups.
typedef struct {
    ptrdiff_t row;
    ptrdiff_t column;
} ck_steps;

/// Scratch for the convolutions by transforms, in elements, for rows of `length` in blocks of `block`.
size_t ck_transform_scratch(size_t length, size_t block);

/// y = (x - baseline) / gain, NaN for every x that is `missing`; every variant to the last bit.
void ck_physical_f64(size_t n, const int32_t *x, int32_t missing, double baseline, double gain,
                     double *y);

#define CK_DECLARE(REAL, SUFFIX)                                                                   \
    /* y_i = x_i for kept elements, times the scale, else 0. */                                    \
    void ck_dropout_##SUFFIX(size_t n, const REAL *x, REAL *y, ck_dropout drop);                   \
    /* y = dropout(GELU(x)), exact GELU by the error function. */                                  \
    void ck_gelu_##SUFFIX(size_t n, const REAL *x, REAL *y, ck_dropout drop);                      \
    /* value = dropout(GELU(x)); dx = dy * dropout(GELU'(x)); dx may be dy. */                     \
    void ck_gelu_backward_##SUFFIX(size_t n, const REAL *x, const REAL *dy, REAL *value, REAL *dx, \
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
    /* Second-order sections b0 b1 b2 a1 a2 over y in place, each from the state that is settled */\
    /* at the first of `length` points in time; every lane to the last bit as it is alone. */      \
    void ck_biquads_##SUFFIX(size_t sections, size_t length, size_t lanes, const REAL *c, REAL *y, \
                             ptrdiff_t step);                                                      \
    /* y_m = sum over i of x_i taps_{m down + half - i up}, m < count, of 2 half + 1 taps; times */\
    /* are `lanes` apart in both, and every lane is to the last bit as it is alone. */             \
    void ck_polyphase_##SUFFIX(size_t up, size_t down, size_t half, const REAL *taps,              \
                               size_t length, size_t lanes, const REAL *x, size_t count, REAL *y); \
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
    /* The same for one kernel by transforms of 2 * block numbers, a power of 4; `factors` are */   \
    /* those of the passes, the first pass first: for every 4 m = 2 * block, block / 2, ... and */  \
    /* every j < m the powers j, 2 j and 3 j of exp(-2 pi i / (4 m)), real and imaginary part. */  \
    void ck_transform_convolve_##SUFFIX(size_t rows, size_t length, size_t block,                  \
                                        const REAL *factors, const REAL *x, size_t stride_x,       \
                                        const REAL *k, REAL *y, size_t stride_y, REAL *scratch);   \
    void ck_transform_convolve_backward_##SUFFIX(                                                  \
        size_t rows, size_t length, size_t block, const REAL *factors, const REAL *x,              \
        size_t stride_x, const REAL *k, const REAL *dy, size_t stride_y, REAL *dx,                 \
        size_t stride_dx, REAL *dk, REAL *scratch);                                                \
    /* Four differences and four moving-average residuals of x into eight rows of y. */            \
    void ck_preprocess_##SUFFIX(size_t length, const REAL *x, const int64_t *windows, REAL *y,     \
                                size_t stride, REAL *scratch);                                              \
    /* The adjoint of ck_preprocess; overwrites dx. `scratch` holds length + 1 doubles. */          \
    void ck_preprocess_backward_##SUFFIX(size_t length, const REAL *dy, size_t stride,             \
                                         const int64_t *windows, REAL *dx, REAL *scratch);         \
    /* y_t = the t-th numbers of up to 16 rows, 0 for those that are absent; and back. */          \
    void ck_to_block_##SUFFIX(size_t rows, size_t length, const REAL *x, size_t stride, REAL *y);  \
    void ck_from_block_##SUFFIX(size_t rows, size_t length, const REAL *y, REAL *x,                \
                                size_t stride);                                                    \
    /* ck_normalise for the d numbers of every channel. */                                         \
    void ck_block_normalise_##SUFFIX(size_t d, const REAL *x, REAL *y);                            \
    void ck_block_normalise_backward_##SUFFIX(size_t d, const REAL *x, const REAL *y,              \
                                              const REAL *dy, REAL *dx);                           \
    /* y_t += factor x_t */                                                                        \
    void ck_block_scale_add_##SUFFIX(size_t n, const REAL *factor, const REAL *x, REAL *y);        \
    /* z_t = x_t + y_t + offset */                                                                 \
    void ck_block_add_##SUFFIX(size_t n, const REAL *offset, const REAL *x, const REAL *y,         \
                               REAL *z);                                                           \
    /* sum += sum over t of x_t, or of x_t y_t */                                                  \
    void ck_block_sum_##SUFFIX(size_t n, const REAL *x, REAL *sum);                                \
    void ck_block_dot_##SUFFIX(size_t n, const REAL *x, const REAL *y, REAL *sum);                 \
    /* c (+)= a b for every channel: rows x inner by inner x columns. */                           \
    void ck_block_multiply_##SUFFIX(size_t rows, size_t columns, size_t inner, const REAL *a,      \
                                    ck_steps sa, const REAL *b, ck_steps sb, REAL *c, ck_steps sc, \
                                    int add);                                                      \
    /* w_t = u_t + sum over 1 <= j <= d of alpha_{j-1} w_{t-j}, or of w_{t+j} for `reversed`, */   \
    /* for start <= t < length in windows of `length` with nothing before them; w may be u, */     \
    /* and u may be null, for zeros. Taps, here and below, have 8 groups of zeros before and */    \
    /* behind them. */                                                                             \
    void ck_block_autoregress_##SUFFIX(size_t d, size_t start, size_t length, size_t windows,      \
                                       const REAL *alpha, const REAL *u, REAL *w, int reversed);   \
    /* y1_{t-start} = sum over j < d of n1_j x_{t-j} for start <= t < length, and y2 with n2; n2 */ \
    /* and y2 may be null. */                                                                      \
    void ck_block_filter_##SUFFIX(size_t d, size_t start, size_t length, size_t windows,           \
                                  const REAL *n1, const REAL *n2, const REAL *x, REAL *y1,         \
                                  REAL *y2);                                                       \
    /* Its adjoint: dx_t = sum over j < d of n1_j dy1_{t+j} + n2_j dy2_{t+j}. */                   \
    void ck_block_filter_backward_##SUFFIX(size_t d, size_t length, size_t windows,                \
                                           const REAL *n1, const REAL *n2, const REAL *dy1,        \
                                           const REAL *dy2, REAL *dx);                             \
    /* For j < d: out1_j += sum over t of s1_{t+1} w_{t-j}; out2_j of s2_t w_{t-j}, and out3; */   \
    /* the third signal, or the second and third, may be null. */                                  \
    void ck_block_lag_products_##SUFFIX(size_t d, size_t length, size_t windows, const REAL *w,    \
                                        const REAL *s1, const REAL *s2, const REAL *s3,            \
                                        REAL *out1, REAL *out2, REAL *out3);                       \
    /* y_o += sum of w_{i,o} x_i over all channels: `inputs` blocks to `outputs` blocks of */      \
    /* `length` each, which lie x_block and y_block numbers apart. */                              \
    void ck_block_mix_##SUFFIX(size_t inputs, size_t outputs, size_t length, const REAL *w,        \
                               const REAL *x, size_t x_block, REAL *y, size_t y_block);            \
    /* w_{i,o} += sum over t of x_{i,t} y_{o,t}, over all channels. */                             \
    void ck_block_outer_##SUFFIX(size_t inputs, size_t outputs, size_t length, const REAL *x,      \
                                 size_t x_block, const REAL *y, size_t y_block, REAL *w);          \
    /* After the row r, `step` numbers apart, the `count` rows r M, r M^2, ... of the closed */    \
    /* loop M = A + b k'. */                                                                       \
    void ck_block_rows_##SUFFIX(size_t d, size_t count, const REAL *a, const REAL *b,              \
                                const REAL *k, REAL *r, size_t step);                              \
    /* Its adjoint, from the last of `count` rows to the first: mu, the gradient of the row */     \
    /* behind the last, becomes that of the first; adds to da, db and dk. */                       \
    void ck_block_rows_backward_##SUFFIX(size_t d, size_t count, const REAL *a, const REAL *b,     \
                                         const REAL *k, const REAL *r, const REAL *dr,             \
                                         size_t step, REAL *mu, REAL *da, REAL *db, REAL *dk);     \
    /* Rows P_j, j < d, of the polynomial P(z) = D(z) (I - zA)^-1 b, `step` numbers apart: */      \
    /* P_0 = b, P_j = A P_{j-1} - a_{d-j} b. */                                                    \
    void ck_block_numerators_##SUFFIX(size_t d, const REAL *a, const REAL *b, REAL *p,             \
                                      size_t step);                                                \
    /* Its adjoint: dp is overwritten; adds to da and db. */                                       \
    void ck_block_numerators_backward_##SUFFIX(size_t d, const REAL *a, const REAL *b,             \
                                               const REAL *p, REAL *dp, size_t step, REAL *da,     \
                                               REAL *db);                                          \
    /* sum_t += sum over channels of weight dropout(GELU(gain y_t)); the dropout's offset is a */  \
    /* multiple of 16. */                                                                          \
    void ck_block_head_##SUFFIX(size_t n, const REAL *y, const REAL *gain, const REAL *weight,     \
                                REAL *sum, ck_dropout drop);                                       \
    /* Its adjoint: dy, and adds to the gradients of weight and gain. */                           \
    void ck_block_head_backward_##SUFFIX(size_t n, const REAL *y, const REAL *gain,                \
                                         const REAL *weight, const REAL *dsum, REAL *dy,           \
                                         REAL *dweight, REAL *dgain, ck_dropout drop);

CK_DECLARE(float, f32)
CK_DECLARE(double, f64)
#undef CK_DECLARE
