// Both types of one variant. The includer defines VARIANT, WIDE, VECTOR and FREELY.
#define CK_JOIN3(a, b, c) ck_##a##_##b##_##c
#define CK_NAME(name, type, variant) CK_JOIN3(name, type, variant)

#define REAL float
#define CK_IS_FLOAT 1
#define CK(name) CK_NAME(name, f32, VARIANT)
static inline float CK(root)(float x) { return __builtin_elementwise_sqrt(x); }
#include "body.h"
#undef REAL
#undef CK_IS_FLOAT
#undef CK

#define REAL double
#define CK_IS_FLOAT 0
#define CK(name) CK_NAME(name, f64, VARIANT)
static inline double CK(root)(double x) { return __builtin_elementwise_sqrt(x); }
#include "body.h"
#undef REAL
#undef CK_IS_FLOAT
#undef CK

#undef CK_JOIN3
#undef CK_NAME
