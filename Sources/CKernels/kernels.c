// Compiles every variant of every kernel, chooses one when the process starts, and forwards to it.
#include "ckernels.h"
#include "functions.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Room beside the rows of a convolution that the widest variant reads: 7 registers of 16.
#define CK_PADDING 128

// Points in time whose lanes are gathered or scattered at once.
#define CK_STRETCH 64

size_t ck_convolution_scratch(size_t length) { return 7 * (length + 2 * CK_PADDING); }

size_t ck_transform_scratch(size_t length, size_t block) {
    const size_t count = (length + block - 1) / block, spectrum = (2 * block + 1) * 2 * CK_BLOCK;
    const size_t groups = (count + CK_BLOCK - 1) / CK_BLOCK;
    const size_t own = (count + 1) * block * 2 * CK_BLOCK + 2 * (count + groups) * spectrum
        + CK_BLOCK * length;
    // The plain loops convolve directly.
    return own > ck_convolution_scratch(length) ? own : ck_convolution_scratch(length);
}

size_t ck_scan_width(size_t channels) { return (channels + CK_BLOCK - 1) / CK_BLOCK * CK_BLOCK; }

size_t ck_scan_scratch(size_t channels, size_t states) {
    return 2 * ck_scan_width(channels) * (states + 1) + 2 * (CK_SCAN_CHUNK * states + 8) * CK_BLOCK;
}

size_t ck_direction_scratch(size_t channels, size_t states, size_t columns) {
    const size_t width = ck_scan_width(channels);
    return CK_DIRECTION_POINTS * (2 * (width + CK_BLOCK) + columns) + width * (states + 1);
}

// 32 well-mixed bits of a key and an index: the finaliser of MurmurHash3 with the second half of
// the key between its rounds.
static inline __attribute__((always_inline)) uint32_t ck_hash(const uint32_t *key,
                                                              uint32_t index) {
    uint32_t h = index * 0x9E3779B1u ^ key[0];
    h ^= h >> 16;
    h *= 0x85EBCA6Bu;
    h += key[1];
    h ^= h >> 13;
    h *= 0xC2B2AE35u;
    return h ^ (h >> 16);
}

// Whether a dropout keeps element i. One hash serves the sixteen elements from 32 m on and the
// sixteen after them, half of its bits each: `avx512.h` makes both at once.
static inline __attribute__((always_inline)) int ck_keeps(ck_dropout drop, uint32_t i) {
    const uint32_t element = drop.offset + i;
    const uint32_t h = ck_hash(drop.key, element >> 5 << 4 | (element & 15));
    return ((h >> (element & 16)) & 0xFFFF) >= drop.threshold;
}

#define VARIANT plain
#define WIDE 0
#define FREELY
#include "variants.h"
#undef VARIANT
#undef WIDE
#undef FREELY

#define WIDE 1
#define FREELY _Pragma("clang fp contract(fast) reassociate(on)")
#define VARIANT generic
#define VECTOR 16
#include "variants.h"
#undef VARIANT
#undef VECTOR

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2"))), apply_to = function)
#define VARIANT avx2
#define VECTOR 32
#include "variants.h"
#undef VARIANT
#undef VECTOR
#pragma clang attribute pop

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2"))), \
    apply_to = function)
#include "avx512.h"
#define VARIANT avx512
#define VECTOR 64
#include "variants.h"
#undef VARIANT
#undef VECTOR
#pragma clang attribute pop
#endif

uint64_t ck_flush_subnormals(void) {
#if defined(__x86_64__)
    const unsigned before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before | 0x8040u);  // Results flushed to zero, and operands as well.
    return before;
#elif defined(__aarch64__)
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | (1u << 24)));
    return before;
#else
    return 0;
#endif
}

void ck_restore_subnormals(uint64_t before) {
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr((unsigned)before);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
#else
    (void)before;
#endif
}

int ck_has_avx512(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#else
    return 0;
#endif
}

static enum { PLAIN, GENERIC, AVX2, AVX512 } chosen = PLAIN;
static const char *const names[] = {"plain", "generic", "avx2", "avx512"};

static int ck_has(int variant) {
    if (variant <= GENERIC) return 1;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    return variant == AVX2 || ck_has_avx512();
#else
    return 0;
#endif
}

int ck_choose(const char *variant) {
    for (int i = PLAIN; i <= AVX512; i++) {
        if (strcmp(variant, names[i]) != 0 || !ck_has(i)) continue;
        chosen = i;
        return 1;
    }
    return 0;
}

__attribute__((constructor)) static void ck_choose_first(void) {
    const char *wish = getenv("SYSTOLE_KERNELS");
    if (wish && ck_choose(wish)) return;
    for (int i = PLAIN; i <= AVX512; i++)
        if (ck_has(i)) chosen = i;
}

const char *ck_variant(void) { return names[chosen]; }

#if defined(__x86_64__)
#define X86(statement) statement
#else
#define X86(statement)
#endif

#define FORWARD(RESULT, RETURN, SUFFIX, name, parameters, arguments)                               \
    RESULT ck_##name##_##SUFFIX parameters {                                                       \
        switch (chosen) {                                                                          \
        X86(case AVX512 : RETURN ck_##name##_##SUFFIX##_avx512 arguments; break;)                  \
        X86(case AVX2 : RETURN ck_##name##_##SUFFIX##_avx2 arguments; break;)                      \
        case GENERIC: RETURN ck_##name##_##SUFFIX##_generic arguments; break;                      \
        default: RETURN ck_##name##_##SUFFIX##_plain arguments; break;                             \
        }                                                                                          \
    }
#define FORWARD_F32(name, parameters, arguments) FORWARD(void, , f32, name, parameters, arguments)
#define FORWARD_F64(name, parameters, arguments) FORWARD(void, , f64, name, parameters, arguments)
#define SUM_F32(name, parameters, arguments) FORWARD(double, return, f32, name, parameters, arguments)
#define SUM_F64(name, parameters, arguments) FORWARD(double, return, f64, name, parameters, arguments)

CK_VOID_FUNCTIONS(FORWARD_F32, float)
CK_VOID_FUNCTIONS(FORWARD_F64, double)
CK_SUM_FUNCTIONS(SUM_F32, float)
CK_SUM_FUNCTIONS(SUM_F64, double)
CK_POINTWISE_FUNCTIONS(FORWARD_F32, float)
CK_POINTWISE_FUNCTIONS(FORWARD_F64, double)
CK_ROW_FUNCTIONS(FORWARD_F32, float)
CK_ROW_FUNCTIONS(FORWARD_F64, double)
CK_SEQUENCE_FUNCTIONS(FORWARD_F32, float)
CK_SEQUENCE_FUNCTIONS(FORWARD_F64, double)
FORWARD_F64(physical,
            (size_t n, const int32_t *x, int32_t missing, double baseline, double gain, double *y),
            (n, x, missing, baseline, gain, y))
