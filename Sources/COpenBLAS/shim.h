#pragma once
#include <cblas.h>
#include <stddef.h>

// LAPACK's symmetric eigenvalue driver (divide and conquer), which lies in libopenblas but in none
// of its C headers. The last two arguments are the lengths of the texts, as Fortran passes them.
extern void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda,
                    double *w, double *work, const int *lwork, int *iwork, const int *liwork,
                    int *info, size_t jobz_length, size_t uplo_length);
