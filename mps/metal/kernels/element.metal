// Kernels of one thread an element.

struct NeuronArgs {
    View source, result, bias;
    uint columns, function, biased;
    float alpha;
};

// erfc by the rational Chebyshev fit of Numerical Recipes: relative error below 1.2e-7 everywhere.
inline float erfc_of(float x) {
    const float z = x < 0 ? -x : x, t = 1 / (1 + 0.5f * z);
    const float p = t * (1.00002368f + t * (0.37409196f + t * (0.09678418f + t * (-0.18628806f + t * (0.27886807f +
                    t * (-1.13520398f + t * (1.48851587f + t * (-0.82215223f + t * 0.17087277f))))))));
    const float r = t * precise::exp(-z * z - 1.26551223f + p);
    return x < 0 ? 2 - r : r;
}

inline float sigmoid_of(float x) { // without an overflow that becomes NaN
    const float e = precise::exp(x < 0 ? x : -x);
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

kernel void neuron(constant NeuronArgs &a [[buffer(0)]],
                   device const uchar *x [[buffer(1)]],
                   device const uchar *bias [[buffer(2)]],
                   device uchar *y [[buffer(3)]],
                   uint3 group [[threadgroup_position_in_grid]],
                   uint3 thread [[thread_position_in_threadgroup]],
                   uint3 threads [[threads_per_threadgroup]]) {
    const ulong j = ulong(group.x) * threads.x + thread.x;
    if (j >= a.columns) return;
    float v = a.alpha * load(x, at(a.source, group.z, group.y, uint(j)), a.source.type);
    if (a.biased) v += load(bias, at(a.bias, 0, 0, uint(j)), a.bias.type);
    switch (a.function) { // the numbers of op.Function
    case 1: v = v < 0 ? 0 : v; break;
    case 2: v = sigmoid_of(v); break;
    case 3: v = precise::tanh(v); break;
    case 4: v = is_lowest(v) ? 0 : v * 0.5f * erfc_of(-v * 0.70710678f); break;
    case 5: v = is_lowest(v) ? 0 : v * sigmoid_of(v); break;
    }
    store(y, at(a.result, group.z, group.y, uint(j)), a.result.type, v);
}

struct SumArgs {
    View sources[8];
    View result, partial;
    uint columns, count, first, last;
};

// Up to eight matrices a call; what is not the last call leaves its sum in partial: a float for each element, or 64 bits.
kernel void sum(constant SumArgs &a [[buffer(0)]],
                device const uchar *s0 [[buffer(1)]], device const uchar *s1 [[buffer(2)]],
                device const uchar *s2 [[buffer(3)]], device const uchar *s3 [[buffer(4)]],
                device const uchar *s4 [[buffer(5)]], device const uchar *s5 [[buffer(6)]],
                device const uchar *s6 [[buffer(7)]], device const uchar *s7 [[buffer(8)]],
                device uchar *partial [[buffer(9)]],
                device uchar *y [[buffer(10)]],
                uint3 group [[threadgroup_position_in_grid]],
                uint3 thread [[thread_position_in_threadgroup]],
                uint3 threads [[threads_per_threadgroup]]) {
    const ulong j = ulong(group.x) * threads.x + thread.x;
    if (j >= a.columns) return;
    const uint c = uint(j), r = group.y, m = group.z;
    if (!is_float(a.result.type)) { // modulo 2^64
        ulong v = a.first ? 0 : load_int(partial, at(a.partial, m, r, c), U64);
        if (a.count > 0) v += load_int(s0, at(a.sources[0], m, r, c), a.sources[0].type);
        if (a.count > 1) v += load_int(s1, at(a.sources[1], m, r, c), a.sources[1].type);
        if (a.count > 2) v += load_int(s2, at(a.sources[2], m, r, c), a.sources[2].type);
        if (a.count > 3) v += load_int(s3, at(a.sources[3], m, r, c), a.sources[3].type);
        if (a.count > 4) v += load_int(s4, at(a.sources[4], m, r, c), a.sources[4].type);
        if (a.count > 5) v += load_int(s5, at(a.sources[5], m, r, c), a.sources[5].type);
        if (a.count > 6) v += load_int(s6, at(a.sources[6], m, r, c), a.sources[6].type);
        if (a.count > 7) v += load_int(s7, at(a.sources[7], m, r, c), a.sources[7].type);
        if (a.last) store_int(y, at(a.result, m, r, c), a.result.type, v);
        else store_int(partial, at(a.partial, m, r, c), U64, v);
        return;
    }
    float v = a.first ? 0 : load(partial, at(a.partial, m, r, c), F32);
    if (a.count > 0) v += load(s0, at(a.sources[0], m, r, c), a.sources[0].type);
    if (a.count > 1) v += load(s1, at(a.sources[1], m, r, c), a.sources[1].type);
    if (a.count > 2) v += load(s2, at(a.sources[2], m, r, c), a.sources[2].type);
    if (a.count > 3) v += load(s3, at(a.sources[3], m, r, c), a.sources[3].type);
    if (a.count > 4) v += load(s4, at(a.sources[4], m, r, c), a.sources[4].type);
    if (a.count > 5) v += load(s5, at(a.sources[5], m, r, c), a.sources[5].type);
    if (a.count > 6) v += load(s6, at(a.sources[6], m, r, c), a.sources[6].type);
    if (a.count > 7) v += load(s7, at(a.sources[7], m, r, c), a.sources[7].type);
    if (a.last) store(y, at(a.result, m, r, c), a.result.type, v);
    else store(partial, at(a.partial, m, r, c), F32, v);
}

struct RoPEArgs {
    View source, result;
    uint columns, head, halves, unused;
    long first;
};

// Pair i of a head turns by row * turns[i] / 2^64 of a full turn: whole turns fall out of the product by themselves, so that a
// row in the millions is as exact as the first. A column that is in no pair is copied.
kernel void rope(constant RoPEArgs &a [[buffer(0)]],
                 device const ulong *turns [[buffer(1)]],
                 device const uchar *x [[buffer(2)]],
                 device uchar *y [[buffer(3)]],
                 uint3 group [[threadgroup_position_in_grid]],
                 uint3 thread [[thread_position_in_threadgroup]],
                 uint3 threads [[threads_per_threadgroup]]) {
    const ulong t = ulong(group.x) * threads.x + thread.x;
    if (t >= a.columns / 2) return;
    const uint pairs = a.head / 2, i = uint(t) % pairs, base = uint(t) / pairs * a.head;
    const uint c = base + (a.halves ? i : 2 * i), d = base + (a.halves ? i + pairs : 2 * i + 1);
    const ulong turn = ulong(a.first + long(group.y)) * turns[i];
    const float angle = float(long(turn)) * 3.4061215800304e-19f; // 2 pi / 2^64
    const float cs = precise::cos(angle), sn = precise::sin(angle);
    const float v = load(x, at(a.source, group.z, group.y, c), a.source.type);
    const float w = load(x, at(a.source, group.z, group.y, d), a.source.type);
    store(y, at(a.result, group.z, group.y, c), a.result.type, v * cs - w * sn);
    store(y, at(a.result, group.z, group.y, d), a.result.type, v * sn + w * cs);
}

struct CopyArgs {
    View source, result;
    uint columns, transpose; // columns of the result
    uint part, unused;       // 1: column <= row, 2: column >= row
};

// int_to_float rounds to odd where bits are lost, so that rounding once more, to 16 bits, is as rounding once.
inline float int_to_float(ulong v, bool negative) {
    ulong m = negative ? ulong(0) - v : v, lost = 0;
    uint e = 127;
    for (; m >> 24 != 0; e++) {
        lost |= m & 1;
        m >>= 1;
    }
    const float f = float(uint(m | lost)) * as_type<float>(e << 23);
    return negative ? -f : f;
}

// float_to_int cuts off the fraction; what does not fit becomes the nearest that does, NaN becomes 0.
inline ulong float_to_int(float v, uint type) {
    if (is_nan(v)) return 0;
    const uint bits = uint(size_of(type)) * 8;
    if (is_signed(type)) {
        const float limit = as_type<float>((127 + bits - 1) << 23); // 2^(bits-1)
        if (v >= limit) return (ulong(1) << (bits - 1)) - 1;
        if (v < -limit) return ulong(0) - (ulong(1) << (bits - 1));
        return ulong(long(v));
    }
    const float limit = as_type<float>((127 + bits) << 23);
    if (v >= limit) return ~ulong(0);
    return v <= 0 ? 0 : ulong(v);
}

kernel void copy(constant CopyArgs &a [[buffer(0)]],
                 device const uchar *x [[buffer(1)]],
                 device uchar *y [[buffer(2)]],
                 uint3 group [[threadgroup_position_in_grid]],
                 uint3 thread [[thread_position_in_threadgroup]],
                 uint3 threads [[threads_per_threadgroup]]) {
    const ulong j = ulong(group.x) * threads.x + thread.x;
    if (j >= a.columns || (a.part == 1 && j > group.y) || (a.part == 2 && j < group.y)) return;
    const uint from = a.source.type, to = a.result.type;
    const ulong in = a.transpose ? at(a.source, group.z, uint(j), group.y) : at(a.source, group.z, group.y, uint(j));
    const ulong out = at(a.result, group.z, group.y, uint(j));
    if (is_float(from) && from != to) {
        const float v = load(x, in, from);
        if (is_float(to)) store(y, out, to, v);
        else store_int(y, out, to, float_to_int(v, to));
        return;
    }
    const ulong v = is_float(from) ? load_int(x, in, size_of(from) == 2 ? U16 : U32) : load_int(x, in, from);
    if (from == to || !is_float(to)) store_int(y, out, to, v);
    else if (to == F32) store(y, out, to, is_signed(from) ? float(long(v)) : float(v));
    else store(y, out, to, int_to_float(v, is_signed(from) && long(v) < 0));
}

struct RandomArgs {
    View result;
    ulong seed, count; // elements of the whole result
    uint rows, columns, distribution;
    float a, b;
    uint unused;
};

// A thread takes one counter of Philox 4x32-10: four words, for four elements, or two of 64 bits.
kernel void philox(constant RandomArgs &a [[buffer(0)]],
                   device uchar *y [[buffer(1)]],
                   uint3 group [[threadgroup_position_in_grid]],
                   uint3 thread [[thread_position_in_threadgroup]],
                   uint3 threads [[threads_per_threadgroup]]) {
    const ulong block = ulong(group.x) * threads.x + thread.x;
    const uint each = size_of(a.result.type) == 8 ? 2 : 4;
    if (block * each >= a.count) return;
    uint w[4] = {uint(block), uint(block >> 32), 0, 0};
    uint k0 = uint(a.seed), k1 = uint(a.seed >> 32);
    for (uint round = 0; round < 10; round++) {
        const uint h0 = mulhi(0xD2511F53u, w[0]), l0 = 0xD2511F53u * w[0];
        const uint h1 = mulhi(0xCD9E8D57u, w[2]), l1 = 0xCD9E8D57u * w[2];
        w[0] = h1 ^ w[1] ^ k0;
        w[1] = l1;
        w[2] = h0 ^ w[3] ^ k1;
        w[3] = l0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    const ulong each_matrix = ulong(a.rows) * a.columns;
    for (uint i = 0; i < each && block * each + i < a.count; i++) {
        const ulong e = block * each + i, in_matrix = e % each_matrix;
        const ulong out = at(a.result, uint(e / each_matrix), uint(in_matrix / a.columns), uint(in_matrix % a.columns));
        if (a.distribution == 0) {
            store_int(y, out, a.result.type, each == 2 ? ulong(w[2 * i]) | ulong(w[2 * i + 1]) << 32 : ulong(w[i]));
        } else if (a.distribution == 1) {
            store(y, out, a.result.type, a.a + (a.b - a.a) * (float(w[i] >> 8) * 5.9604645e-8f));
        } else {
            const uint pair = i & 2;
            const float u = float((w[pair] >> 8) + 1) * 5.9604645e-8f, v = float(w[pair + 1] >> 8) * 5.9604645e-8f;
            const float r = a.b * precise::sqrt(-2 * precise::log(u)), angle = 6.2831853f * v;
            store(y, out, a.result.type, a.a + r * ((i & 1) != 0 ? precise::sin(angle) : precise::cos(angle)));
        }
    }
}
