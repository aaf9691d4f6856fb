// What all kernels share: element types, where an element is, and sums over a threadgroup.
//
// Every kernel takes a constant struct of the sizes first, so that no index is beyond them, then its buffers from their start: a
// View says where in a buffer a matrix is. Indices into buffers have 64 bits. Arithmetic is that of float. Threads of a group
// are one-dimensional and of any number up to THREADS.
#include <metal_stdlib>
#if defined(__METAL_VERSION__) && __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#endif
using namespace metal;
#ifndef SHARED
#define SHARED threadgroup
#endif
#define THREADS 256

// Of the element types; the same numbers as in Go.
enum Type { F32, F16, BF16, I8, I16, I32, I64, U8, U16, U32, U64 };

struct View {
    ulong offset, row, matrix; // bytes
    uint type, unused;
};

inline ulong size_of(uint type) {
    switch (type) {
    case I8: case U8: return 1;
    case F16: case BF16: case I16: case U16: return 2;
    case I64: case U64: return 8;
    }
    return 4;
}

// at is where an element begins, in bytes from the buffer's start.
inline ulong at(View v, uint matrix, uint row, uint column) {
    return v.offset + v.matrix * matrix + v.row * row + size_of(v.type) * column;
}

// These look at the bits, since a compiler that is told to be fast assumes that neither is there.
inline bool is_nan(float f) { return (as_type<uint>(f) & 0x7fffffff) > 0x7f800000; }
inline bool is_lowest(float f) { return as_type<uint>(f) == 0xff800000; } // minus infinity

inline ushort to_bf16(float f) {
    const uint u = as_type<uint>(f);
    if (is_nan(f)) return ushort(u >> 16 | 64);
    return ushort((u + 0x7fff + (u >> 16 & 1)) >> 16); // to nearest, ties to even
}

// load gives an element of at most 32 bits as a float; store is for floating-point types.
inline float load(device const uchar *p, ulong i, uint type) {
    switch (type) {
    case I8: return float(*(device const int8_t *)(p + i));
    case I16: return float(*(device const short *)(p + i));
    case F16: return float(*(device const half *)(p + i));
    case BF16: return as_type<float>(uint(*(device const ushort *)(p + i)) << 16);
    }
    return *(device const float *)(p + i);
}

inline void store(device uchar *p, ulong i, uint type, float v) {
    switch (type) {
    case F16: *(device half *)(p + i) = half(v); break;
    case BF16: *(device ushort *)(p + i) = to_bf16(v); break;
    default: *(device float *)(p + i) = v;
    }
}

inline bool is_float(uint type) { return type <= BF16; }
inline bool is_signed(uint type) { return type >= I8 && type <= I64; }

// load_int gives an integer, its sign extended; store_int writes the low bits of one.
inline ulong load_int(device const uchar *p, ulong i, uint type) {
    switch (type) {
    case I8: return ulong(long(*(device const int8_t *)(p + i)));
    case I16: return ulong(long(*(device const short *)(p + i)));
    case I32: return ulong(long(*(device const int *)(p + i)));
    case U16: return *(device const ushort *)(p + i);
    case U32: return *(device const uint *)(p + i);
    case I64: case U64: return *(device const ulong *)(p + i);
    }
    return p[i];
}

inline void store_int(device uchar *p, ulong i, uint type, ulong v) {
    switch (size_of(type)) {
    case 1: p[i] = uchar(v); break;
    case 2: *(device ushort *)(p + i) = ushort(v); break;
    case 4: *(device uint *)(p + i) = uint(v); break;
    default: *(device ulong *)(p + i) = v;
    }
}

// half_of is the smallest power of two that is not less than half of n.
inline uint half_of(uint n) {
    uint w = 1;
    while (w < n - w) w *= 2;
    return n < 2 ? 0 : w;
}

// group_sum adds the v of n threads; each gets the sum.
inline float group_sum(float v, threadgroup float *s, uint i, uint n) {
    s[i] = v;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint w = half_of(n); w > 0; w /= 2) {
        if (i < w && i + w < n) s[i] += s[i + w];
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    const float r = s[0];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    return r;
}

// larger is the greater of two, NaN if one is.
inline float larger(float a, float b) { return is_nan(a) || a > b ? a : b; }

inline float group_max(float v, threadgroup float *s, uint i, uint n) {
    s[i] = v;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint w = half_of(n); w > 0; w /= 2) {
        if (i < w && i + w < n) s[i] = larger(s[i], s[i + w]);
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    const float r = s[0];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    return r;
}
