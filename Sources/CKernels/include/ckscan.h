// Selective scans, and layers on signals that lie as `[time, channel]`; the rules of `ckernels.h` hold
// here too. Distances between points in time are in numbers, and may be below zero: a pointer to the
// last point and a negative step run backwards in time.
#pragma once
#include <stddef.h>

/// Points in time after which a scan keeps its states, so that its adjoint need not keep them all.
#define CK_SCAN_CHUNK 16

/// The sizes of a scan, and the distances between two points in time of its signals. Where there are
/// sequences, each begins with states of 0, and rows lie `along` apart in a sequence, below zero backwards
/// in time, and `apart` from one sequence to the next; else there is one, from the states that are given.
typedef struct {
    size_t length;
    size_t channels;
    size_t states;
    ptrdiff_t x, delta, b, c, y;
    ptrdiff_t dx, ddelta, db, dc;
    size_t sequences;
    ptrdiff_t along, apart;
} ck_scan_sizes;

/// From a sequence to the next one, for a signal whose points in time are `step` apart.
static inline ptrdiff_t ck_scan_next(ck_scan_sizes z, size_t sequence, ptrdiff_t step) {
    return sequence ? (ptrdiff_t)sequence * (step / z.along) * z.apart : 0;
}

/// Channels with those that fill up the last sixteen: the extent of states.
size_t ck_scan_width(size_t channels);

/// Scratch for a scan or its adjoint, in numbers.
size_t ck_scan_scratch(size_t channels, size_t states);

/// Points in time that a direction takes through all its layers at once: two tiles of a product.
#define CK_DIRECTION_POINTS 24

/// The sizes of one direction of a Mamba block, the distances between two points in time of what goes
/// in and out, and two runs of points, first and end of each, that leave the states alone.
typedef struct {
    size_t length;
    size_t channels;
    size_t states;
    size_t taps;
    size_t rank;
    size_t columns;  // Of the projection, with those of zeros that fill it up.
    ptrdiff_t x, y;
    size_t masked[4];
} ck_direction_sizes;

/// Scratch for a direction, in numbers.
size_t ck_direction_scratch(size_t channels, size_t states, size_t columns);

#define CK_DECLARE(REAL, SUFFIX)                                                                   \
    /* h_t = exp(delta_t a) h_{t-1} + delta_t x_t b_t, y_t (+)= c_t h_t + d x_t, for channels */   \
    /* side by side: a `[channel, state]`, d `[channel]`, state `[state, width]` before the */     \
    /* first point and after the last. `kept`, where there is one, takes the states before every */\
    /* chunk of every sequence. */                                                                 \
    void ck_scan_##SUFFIX(ck_scan_sizes sizes, const REAL *x, const REAL *delta, const REAL *a,    \
                          const REAL *b, const REAL *c, const REAL *d, REAL *y, int add,           \
                          REAL *state, REAL *kept, REAL *scratch);                                 \
    /* Its adjoint, given what it kept: fills dx, ddelta, db and dc, adds to da and dd; dstate, */ \
    /* the gradient of the last states, becomes that of the first. dy steps as y does. */          \
    void ck_scan_backward_##SUFFIX(ck_scan_sizes sizes, const REAL *x, const REAL *delta,          \
                                   const REAL *a, const REAL *b, const REAL *c, const REAL *d,     \
                                   const REAL *kept, const REAL *dy, REAL *dx, REAL *ddelta,       \
                                   REAL *da, REAL *db, REAL *dc, REAL *dd, REAL *dstate,           \
                                   REAL *scratch);                                                 \
    /* A direction as it is used: u = SiLU(depthwise(x)), r, b and c the first, next and last */   \
    /* columns of u projection, delta = softplus(r step + step_bias), and the scan of these. taps */ \
    /* `[tap, channel]`, weight `[rank + 2 states, channel]` and projection its transpose, */      \
    /* `[channel, columns]`, step `[rank, channel]`; the rest as in the scan. */                   \
    void ck_direction_##SUFFIX(ck_direction_sizes sizes, const REAL *x, const REAL *taps,          \
                               const REAL *bias, const REAL *weight, const REAL *projection,       \
                               const REAL *step, const REAL *step_bias, const REAL *a,             \
                               const REAL *d, REAL *y, int add, REAL *state, REAL *scratch);       \
    /* c_{i,j} (+)= sum over k of a_{i,k} b_{k,j}: element i, k of a lies at i row_a + k step_a, */\
    /* rows of b and c lie step_b and step_c apart. Rows of a may overlap, those of c must not. */ \
    void ck_product_##SUFFIX(size_t rows, size_t columns, size_t inner, const REAL *a,             \
                             ptrdiff_t row_a, ptrdiff_t step_a, const REAL *b, ptrdiff_t step_b,   \
                             REAL *c, ptrdiff_t step_c, int add);                                  \
    /* y_t = bias + sum over k of w_k x_{t-taps+1+k}, channel by channel; w `[tap, channel]`. */   \
    void ck_depthwise_##SUFFIX(size_t length, size_t channels, size_t taps, const REAL *x,         \
                               ptrdiff_t step_x, const REAL *w, const REAL *bias, REAL *y,         \
                               ptrdiff_t step_y);                                                  \
    /* Its adjoint: adds to dx, where there is one, to dw and to dbias. */                         \
    void ck_depthwise_backward_##SUFFIX(size_t length, size_t channels, size_t taps,               \
                                        const REAL *x, ptrdiff_t step_x, const REAL *w,            \
                                        const REAL *dy, ptrdiff_t step_y, REAL *dx,                \
                                        ptrdiff_t step_dx, REAL *dw, REAL *dbias);                 \
    /* y = softplus(x + bias), row by row; x becomes x + bias. */                                  \
    void ck_bias_softplus_##SUFFIX(size_t rows, size_t n, REAL *x, const REAL *bias, REAL *y);     \
    /* y = factor x SiLU(z); rows of z lie step_z apart. */                                        \
    void ck_gate_##SUFFIX(size_t rows, size_t n, REAL factor, const REAL *x, const REAL *z,        \
                          ptrdiff_t step_z, REAL *y);                                              \
    /* Its adjoint: dx, which may be dy, and dz. */                                                \
    void ck_gate_backward_##SUFFIX(size_t rows, size_t n, REAL factor, const REAL *x,              \
                                   const REAL *z, ptrdiff_t step_z, const REAL *dy, REAL *dx,      \
                                   REAL *dz, ptrdiff_t step_dz);                                   \
    /* y = gain x rate, with rate = 1 / sqrt(mean square of the row + epsilon). */                 \
    void ck_row_norm_##SUFFIX(size_t rows, size_t n, const REAL *x, const REAL *gain,              \
                              REAL epsilon, REAL *y, REAL *rate);                                  \
    /* Its adjoint: dx (+)=, and adds to dgain. */                                                 \
    void ck_row_norm_backward_##SUFFIX(size_t rows, size_t n, const REAL *x, const REAL *gain,     \
                                       const REAL *rate, const REAL *dy, REAL *dx, REAL *dgain,    \
                                       int add);                                                   \
    /* y_row += bias. */                                                                           \
    void ck_row_add_##SUFFIX(size_t rows, size_t n, const REAL *bias, REAL *y);                    \
    /* sum_i += sum over rows of x_i. */                                                           \
    void ck_column_sum_##SUFFIX(size_t rows, size_t n, const REAL *x, REAL *sum);                  \
    /* sum_i += sum over rows of (x_i - mean_i)^2. */                                              \
    void ck_column_squares_##SUFFIX(size_t rows, size_t n, const REAL *x, const REAL *mean,        \
                                    REAL *sum);                                                    \
    /* y = scale x + offset, column by column, plus z where there is one; then, where `relu`, */   \
    /* max(y, 0). y may be x or z. */                                                              \
    void ck_column_scale_##SUFFIX(size_t rows, size_t n, const REAL *x, const REAL *scale,         \
                                  const REAL *offset, const REAL *z, int relu, REAL *y);           \
    /* dx = dy where y is above 0, else 0; dx may be dy. */                                        \
    void ck_relu_mask_##SUFFIX(size_t n, const REAL *y, const REAL *dy, REAL *dx);                 \
    /* sum_i += sum of dy_i, along_i += sum of dy_i (x_i - mean_i). */                             \
    void ck_column_slopes_##SUFFIX(size_t rows, size_t n, const REAL *x, const REAL *mean,         \
                                   const REAL *dy, REAL *sum, REAL *along);                        \
    /* dx = scale dy + slope (x - mean) + offset, column by column; dx may be dy. */               \
    void ck_column_adjoint_##SUFFIX(size_t rows, size_t n, const REAL *x, const REAL *mean,        \
                                    const REAL *dy, const REAL *scale, const REAL *slope,          \
                                    const REAL *offset, REAL *dx);

CK_DECLARE(float, f32)
CK_DECLARE(double, f64)
#undef CK_DECLARE
