// Kernels over rows: one threadgroup a row, its threads stride over the columns.

struct SoftmaxArgs {
    View source, result;
    uint columns, log;
};

kernel void softmax(constant SoftmaxArgs &a [[buffer(0)]],
                    device const uchar *x [[buffer(1)]],
                    device uchar *y [[buffer(2)]],
                    uint3 group [[threadgroup_position_in_grid]],
                    uint3 thread [[thread_position_in_threadgroup]],
                    uint3 threads [[threads_per_threadgroup]]) {
    SHARED float s[THREADS];
    const uint i = thread.x, n = threads.x;
    const ulong in = at(a.source, group.z, group.x, 0), out = at(a.result, group.z, group.x, 0);
    const ulong si = size_of(a.source.type), so = size_of(a.result.type);
    float top = -INFINITY;
    for (uint j = i; j < a.columns; j += n) top = larger(top, load(x, in + si * j, a.source.type));
    top = group_max(top, s, i, n);
    float sum = 0;
    for (uint j = i; j < a.columns; j += n) sum += precise::exp(load(x, in + si * j, a.source.type) - top);
    sum = group_sum(sum, s, i, n);
    const float log = precise::log(sum);
    for (uint j = i; j < a.columns; j += n) {
        const float v = load(x, in + si * j, a.source.type) - top;
        store(y, out + so * j, a.result.type, a.log ? v - log : precise::exp(v) / sum);
    }
}

struct NormArgs {
    View source, result, weight, bias;
    uint columns, weighted, biased;
    float epsilon;
};

kernel void rms_norm(constant NormArgs &a [[buffer(0)]],
                     device const uchar *x [[buffer(1)]],
                     device const uchar *weight [[buffer(2)]],
                     device uchar *y [[buffer(3)]],
                     uint3 group [[threadgroup_position_in_grid]],
                     uint3 thread [[thread_position_in_threadgroup]],
                     uint3 threads [[threads_per_threadgroup]]) {
    SHARED float s[THREADS];
    const uint i = thread.x, n = threads.x;
    float q = 0;
    for (uint j = i; j < a.columns; j += n) {
        const float v = load(x, at(a.source, group.z, group.x, j), a.source.type);
        q += v * v;
    }
    const float scale = 1 / precise::sqrt(group_sum(q, s, i, n) / float(a.columns) + a.epsilon);
    for (uint j = i; j < a.columns; j += n) {
        const float w = a.weighted ? load(weight, at(a.weight, 0, 0, j), a.weight.type) : 1;
        store(y, at(a.result, group.z, group.x, j), a.result.type,
              load(x, at(a.source, group.z, group.x, j), a.source.type) * scale * w);
    }
}

kernel void layer_norm(constant NormArgs &a [[buffer(0)]],
                       device const uchar *x [[buffer(1)]],
                       device const uchar *weight [[buffer(2)]],
                       device const uchar *bias [[buffer(3)]],
                       device uchar *y [[buffer(4)]],
                       uint3 group [[threadgroup_position_in_grid]],
                       uint3 thread [[thread_position_in_threadgroup]],
                       uint3 threads [[threads_per_threadgroup]]) {
    SHARED float s[THREADS];
    const uint i = thread.x, n = threads.x;
    float q = 0;
    for (uint j = i; j < a.columns; j += n) q += load(x, at(a.source, group.z, group.x, j), a.source.type);
    const float mean = group_sum(q, s, i, n) / float(a.columns);
    q = 0;
    for (uint j = i; j < a.columns; j += n) {
        const float v = load(x, at(a.source, group.z, group.x, j), a.source.type) - mean;
        q += v * v;
    }
    const float scale = 1 / precise::sqrt(group_sum(q, s, i, n) / float(a.columns) + a.epsilon);
    for (uint j = i; j < a.columns; j += n) {
        const float w = a.weighted ? load(weight, at(a.weight, 0, 0, j), a.weight.type) : 1;
        const float b = a.biased ? load(bias, at(a.bias, 0, 0, j), a.bias.type) : 0;
        store(y, at(a.result, group.z, group.x, j), a.result.type,
              (load(x, at(a.source, group.z, group.x, j), a.source.type) - mean) * scale * w + b);
    }
}

struct TopKArgs {
    View source, indices, values;
    uint columns, k;
};

// before says whether value v in column c stands before value w in column d: larger first, NaN before numbers, of equals the first.
inline bool before(float v, uint c, float w, uint d) {
    if (is_nan(v) != is_nan(w)) return is_nan(v);
    if (v > w || v < w) return v > w;
    return c < d;
}

// One pass over the row for each of the k: the first of what stands after the one before.
kernel void top_k(constant TopKArgs &a [[buffer(0)]],
                  device const uchar *x [[buffer(1)]],
                  device uchar *indices [[buffer(2)]],
                  device uchar *values [[buffer(3)]],
                  uint3 group [[threadgroup_position_in_grid]],
                  uint3 thread [[thread_position_in_threadgroup]],
                  uint3 threads [[threads_per_threadgroup]]) {
    SHARED float value[THREADS];
    SHARED uint column[THREADS];
    const uint i = thread.x, n = threads.x, none = 0xffffffff;
    float last = 0;
    uint where = none;
    for (uint k = 0; k < a.k; k++) {
        float v = 0;
        uint c = none;
        for (uint j = i; j < a.columns; j += n) {
            const float w = load(x, at(a.source, group.z, group.x, j), a.source.type);
            if (where != none && !before(last, where, w, j)) continue;
            if (c == none || before(w, j, v, c)) {
                v = w;
                c = j;
            }
        }
        value[i] = v;
        column[i] = c;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint w = half_of(n); w > 0; w /= 2) {
            if (i < w && i + w < n && column[i + w] != none &&
                (column[i] == none || before(value[i + w], column[i + w], value[i], column[i]))) {
                value[i] = value[i + w];
                column[i] = column[i + w];
            }
            threadgroup_barrier(mem_flags::mem_threadgroup);
        }
        last = value[0];
        where = column[0];
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (i == 0) {
            *(device uint *)(indices + at(a.indices, group.z, group.x, k)) = where;
            store(values, at(a.values, group.z, group.x, k), a.values.type, last);
        }
    }
}
