// Diagonal state spaces, and norms, gates and cells of sequence models, on signals that lie as
// `[time, channel]`; the rules of `ckernels.h` hold here too. Distances between rows are in numbers.
#pragma once
#include <stddef.h>

/// The most conjugate pairs of states of a channel.
#define CK_PAIRS 128

#define CK_DECLARE(REAL, SUFFIX)                                                                   \
    /* taps_l = factor 2 Re sum over pairs of c f w^l, `[length, n]`, where w = exp(dt A) and */   \
    /* f = (w - 1) / A for A = -exp(log_re) + i im, and the first one with factor d more.     */   \
    /* Parameters are `[n]`, `[n, pairs]` and, of c, `[n, pairs, 2]`; pairs at most CK_PAIRS. */   \
    /* All in double precision.                                                               */   \
    void ck_diagonal_taps_##SUFFIX(size_t length, size_t n, size_t pairs, double factor, const     \
        REAL *log_dt, const REAL *log_re, const REAL *im, const REAL *c, const REAL *d, REAL       \
        *taps);                                                                                    \
    /* The same as a recurrence: w and weights = factor 2 c f, `[pairs, 2, n]` with real      */   \
    /* before imaginary parts, and skip = factor d.                                           */   \
    void ck_diagonal_factors_##SUFFIX(size_t n, size_t pairs, double factor, const REAL            \
        *log_dt, const REAL *log_re, const REAL *im, const REAL *c, const REAL *d, REAL *w,        \
        REAL *weights, REAL *skip);                                                                \
    /* The adjoint of ck_diagonal_taps: adds to the gradients of all parameters.              */   \
    void ck_diagonal_taps_backward_##SUFFIX(size_t length, size_t n, size_t pairs, double          \
        factor, const REAL *log_dt, const REAL *log_re, const REAL *im, const REAL *c, const       \
        REAL *dtaps, REAL *dlog_dt, REAL *dlog_re, REAL *dim, REAL *dc, REAL *dd);                 \
    /* The same from what ck_diagonal_slopes gives.                                           */   \
    void ck_diagonal_sums_backward_##SUFFIX(size_t n, size_t pairs, double factor, const REAL      \
        *log_dt, const REAL *log_re, const REAL *im, const REAL *c, const REAL *sums, const        \
        REAL *dskip, REAL *dlog_dt, REAL *dlog_re, REAL *dim, REAL *dc, REAL *dd);                 \
    /* y_t = sum over j <= t of k_j x_{t-j} for t < length, in every piece of `length` rows   */   \
    /* by itself; or, reversed, y_t = sum over j of k_j x_{t+j}. Taps `[length, n]`.          */   \
    void ck_taps_convolve_##SUFFIX(size_t pieces, size_t length, size_t n, const REAL *k,          \
        const REAL *x, ptrdiff_t step_x, REAL *y, ptrdiff_t step_y, int reversed);                 \
    /* dk_j += sum over pieces and t of dy_t x_{t-j}.                                         */   \
    void ck_taps_slopes_##SUFFIX(size_t pieces, size_t length, size_t n, const REAL *x,            \
        ptrdiff_t step_x, const REAL *dy, ptrdiff_t step_y, REAL *dk);                             \
    /* The last row of ck_taps_convolve of every piece.                                       */   \
    void ck_taps_last_##SUFFIX(size_t pieces, size_t length, size_t n, const REAL *k, const        \
        REAL *x, ptrdiff_t step_x, REAL *y, ptrdiff_t step_y);                                     \
    /* Its adjoint: fills dx, and adds to dk.                                                 */   \
    void ck_taps_last_backward_##SUFFIX(size_t pieces, size_t length, size_t n, const REAL *k,     \
        const REAL *x, ptrdiff_t step_x, const REAL *dy, ptrdiff_t step_y, REAL *dx, ptrdiff_t     \
        step_dx, REAL *dk);                                                                        \
    /* x_t = w x_{t-1} + u_t, y_t = skip u_t + sum over pairs of Re(c x_t); state `[pairs, 2, */   \
    /* n]` before the first row and after the last. Negative steps run backwards, which is    */   \
    /* the adjoint for u.                                                                     */   \
    void ck_diagonal_scan_##SUFFIX(size_t length, size_t n, size_t pairs, const REAL *w, const     \
        REAL *c, const REAL *skip, const REAL *u, ptrdiff_t step_u, REAL *y, ptrdiff_t step_y,     \
        REAL *state);                                                                              \
    /* Adds to sums `[pairs, 4, n]`, from states of 0: real and imaginary part of sum over t  */   \
    /* of dy_t x_t, and of dy_t w dx_t/dw, which is sum over l of l g_l w^l for the slopes g  */   \
    /* of taps.                                                                               */   \
    void ck_diagonal_slopes_##SUFFIX(size_t length, size_t n, size_t pairs, const REAL *w,         \
        const REAL *u, ptrdiff_t step_u, const REAL *dy, ptrdiff_t step_y, REAL *sums);            \
    /* y_t = x_t and behind it x_t - x_{t-1}; `before` stands before the first row.           */   \
    void ck_deltas_##SUFFIX(size_t rows, size_t n, const REAL *x, ptrdiff_t step_x, const REAL     \
        *before, REAL *y, ptrdiff_t step_y);                                                       \
    /* y = gain (x - mean) rate + bias of every row; mean and rate to statistics `[rows, 2]`. */   \
    void ck_layer_norm_##SUFFIX(size_t rows, size_t n, const REAL *x, ptrdiff_t step_x, const      \
        REAL *gain, const REAL *bias, REAL epsilon, REAL *y, ptrdiff_t step_y, REAL                \
        *statistics);                                                                              \
    /* Its adjoint: dx (+)=, and adds to dgain and dbias.                                     */   \
    void ck_layer_norm_backward_##SUFFIX(size_t rows, size_t n, const REAL *x, ptrdiff_t           \
        step_x, const REAL *gain, const REAL *statistics, const REAL *dy, ptrdiff_t step_dy,       \
        REAL *dx, ptrdiff_t step_dx, REAL *dgain, REAL *dbias, int add);                           \
    /* m += bias, then y = r + dropout(a / (1 + exp(-b))) for the halves a and b of every row */   \
    /* of m `[rows, 2 n]`.                                                                    */   \
    void ck_glu_##SUFFIX(size_t rows, size_t n, REAL *m, const REAL *bias, const REAL *r,          \
        ptrdiff_t step_r, REAL *y, ptrdiff_t step_y, ck_dropout drop);                             \
    /* Its adjoint for m.                                                                     */   \
    void ck_glu_backward_##SUFFIX(size_t rows, size_t n, const REAL *m, const REAL *dy,            \
        ptrdiff_t step_dy, REAL *dm, ck_dropout drop);                                             \
    /* gates `[rows, 4 n]` for input, forgetting, the new value and output become their       */   \
    /* values with bias; c = in new + forget before, h = out tanh(c). `before` may be null,   */   \
    /* for zeros.                                                                             */   \
    void ck_lstm_cell_##SUFFIX(size_t rows, size_t n, REAL *gates, ptrdiff_t step_g, const         \
        REAL *bias, const REAL *before, ptrdiff_t step_before, REAL *c, ptrdiff_t step_c, REAL     \
        *h, ptrdiff_t step_h);                                                                     \
    /* Its adjoint: dc `[rows, n]`, the gradient of c, becomes that of `before`; fills        */   \
    /* dgates.                                                                                */   \
    void ck_lstm_cell_backward_##SUFFIX(size_t rows, size_t n, const REAL *gates, ptrdiff_t        \
        step_g, const REAL *before, ptrdiff_t step_before, const REAL *c, ptrdiff_t step_c,        \
        const REAL *dh, ptrdiff_t step_dh, REAL *dc, REAL *dgates, ptrdiff_t step_dg);

CK_DECLARE(float, f32)
CK_DECLARE(double, f64)
#undef CK_DECLARE
