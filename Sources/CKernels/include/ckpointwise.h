// Pointwise functions, norms and products of columns; the rules of `ckernels.h` hold here too.
#pragma once
#include <stddef.h>

/// Which function of one number.
enum { CK_SIGMOID, CK_SILU, CK_SOFTPLUS, CK_RELU };

#define CK_DECLARE(REAL, SUFFIX)                                                                   \
    /* y = f(x); y may be x. */                                                                    \
    void ck_activation_##SUFFIX(size_t n, int function, const REAL *x, REAL *y);                   \
    /* dx = f'(x) dy; dx may be dy. */                                                             \
    void ck_activation_backward_##SUFFIX(size_t n, int function, const REAL *x, const REAL *dy,    \
                                         REAL *dx);                                                \
    /* z = x * y, element by element, or z += where `add`; z may be x or y. */                     \
    void ck_multiply_##SUFFIX(size_t n, const REAL *x, const REAL *y, REAL *z, int add);           \
    /* sum_i += sum over rows of x_{row,i} y_{row,i}. */                                           \
    void ck_column_dot_##SUFFIX(size_t rows, size_t n, const REAL *x, const REAL *y, REAL *sum);   \
    /* Columns of x normalised: y = gain_row (x - mean) rate + bias_row. Fills mean and rate, */   \
    /* rate = 1 / sqrt(variance + epsilon). With bias null: mean 0, and nothing is added. */       \
    void ck_norm_##SUFFIX(size_t rows, size_t n, const REAL *x, size_t stride_x, const REAL *gain, \
                          const REAL *bias, REAL epsilon, REAL *y, size_t stride_y, REAL *mean,    \
                          REAL *rate);                                                             \
    /* Its adjoint, given what it filled: dx (may be dy), and adds to dgain and dbias. */          \
    void ck_norm_backward_##SUFFIX(size_t rows, size_t n, const REAL *x, size_t stride_x,          \
                                   const REAL *gain, const REAL *mean, const REAL *rate,           \
                                   const REAL *dy, size_t stride_dy, REAL *dx, size_t stride_dx,   \
                                   REAL *dgain, REAL *dbias);

CK_DECLARE(float, f32)
CK_DECLARE(double, f64)
#undef CK_DECLARE
