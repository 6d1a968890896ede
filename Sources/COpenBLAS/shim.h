#pragma once
#include <cblas.h>
// mallopt, which is not in the toolchain's module of the C library.
#include <malloc.h>
#include <stddef.h>

// LAPACK's drivers for eigenvalues, symmetric (divide and conquer) and general, which lie in
// libopenblas but in none of its C headers. The last two arguments are the lengths of the texts, as
// Fortran passes them.
extern void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda,
                    double *w, double *work, const int *lwork, int *iwork, const int *liwork,
                    int *info, size_t jobz_length, size_t uplo_length);
extern void dgeev_(const char *jobvl, const char *jobvr, const int *n, double *a, const int *lda,
                   double *wr, double *wi, double *vl, const int *ldvl, double *vr,
                   const int *ldvr, double *work, const int *lwork, int *info,
                   size_t jobvl_length, size_t jobvr_length);
