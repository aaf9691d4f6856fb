// Products: for element types that MPSMatrixMultiplication does not take, and attention.

struct GemmArgs {
    View left, right, result;
    uint rows, columns, inner, transpose_left, transpose_right, tile;
    float alpha, beta;
};

// A group of tile x tile threads computes a tile of the result; both operands pass through threadgroup memory.
kernel void gemm(constant GemmArgs &a [[buffer(0)]],
                 device const uchar *l [[buffer(1)]],
                 device const uchar *r [[buffer(2)]],
                 device uchar *y [[buffer(3)]],
                 uint3 group [[threadgroup_position_in_grid]],
                 uint3 thread [[thread_position_in_threadgroup]]) {
    SHARED float left[THREADS];
    SHARED float right[THREADS];
    const uint t = a.tile, ty = thread.x / t, tx = thread.x % t;
    const ulong row = ulong(group.y) * t + ty, column = ulong(group.x) * t + tx;
    float sum = 0;
    for (ulong k = 0; k < a.inner; k += t) {
        float v = 0, w = 0;
        if (row < a.rows && k + tx < a.inner)
            v = load(l, a.transpose_left ? at(a.left, group.z, uint(k + tx), uint(row)) : at(a.left, group.z, uint(row), uint(k + tx)), a.left.type);
        if (column < a.columns && k + ty < a.inner)
            w = load(r, a.transpose_right ? at(a.right, group.z, uint(column), uint(k + ty)) : at(a.right, group.z, uint(k + ty), uint(column)), a.right.type);
        left[thread.x] = v;
        right[thread.x] = w;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint i = 0; i < t && k + i < a.inner; i++) sum += left[ty * t + i] * right[i * t + tx];
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    if (row >= a.rows || column >= a.columns) return;
    const ulong out = at(a.result, group.z, uint(row), uint(column));
    sum *= a.alpha;
    if (a.beta != 0) sum += a.beta * load(y, out, a.result.type);
    store(y, out, a.result.type, sum);
}

struct AttentionArgs {
    View query, key, value, result, mask;
    uint queries, keys, depth, columns; // depth: of query and key; columns: of value and result
    uint causal, masked;
    float scale;
    uint unused;
};

inline float score(constant AttentionArgs &a, device const uchar *q, device const uchar *k, device const uchar *m, uint b, uint row, uint j) {
    if (a.causal && long(j) > long(row) + long(a.keys) - long(a.queries)) return -INFINITY;
    float s = 0;
    for (uint i = 0; i < a.depth; i++)
        s += load(q, at(a.query, b, row, i), a.query.type) * load(k, at(a.key, b, j, i), a.key.type);
    s *= a.scale;
    if (a.masked) s += load(m, at(a.mask, b, row, j), a.mask.type);
    return s;
}

// HELD is how many columns of the result a thread holds.
#define HELD 4

// One group a row of query, which goes over the keys once, a block of as many as there are threads at a time: what it has of the result
// is scaled down whenever a greater score is met. More columns than HELD a thread take another round. A row that sees no key is zeros.
kernel void attention(constant AttentionArgs &a [[buffer(0)]],
                      device const uchar *q [[buffer(1)]],
                      device const uchar *k [[buffer(2)]],
                      device const uchar *v [[buffer(3)]],
                      device const uchar *m [[buffer(4)]],
                      device uchar *y [[buffer(5)]],
                      uint3 group [[threadgroup_position_in_grid]],
                      uint3 thread [[thread_position_in_threadgroup]],
                      uint3 threads [[threads_per_threadgroup]]) {
    SHARED float s[THREADS];
    const uint i = thread.x, n = threads.x, row = group.x, b = group.z;
    for (ulong c = 0; c < a.columns; c += ulong(n) * HELD) {
        float acc[HELD] = {0, 0, 0, 0}, top = -INFINITY, sum = 0;
        for (ulong first = 0; first < a.keys; first += n) {
            const bool any = first + i < a.keys;
            const float own = any ? score(a, q, k, m, b, row, uint(first + i)) : -INFINITY;
            const float high = larger(top, group_max(own, s, i, n));
            const float from = is_lowest(high) ? 0 : high;
            const float p = any ? precise::exp(own - from) : 0;
            const float keep = is_lowest(top) ? 0 : precise::exp(top - from);
            top = high;
            sum = sum * keep + group_sum(p, s, i, n);
            s[i] = p;
            threadgroup_barrier(mem_flags::mem_threadgroup);
            for (uint h = 0; h < HELD; h++) {
                const ulong column = c + ulong(h) * n + i;
                if (column >= a.columns) break;
                acc[h] *= keep;
                for (uint j = 0; j < n && first + j < a.keys; j++)
                    if (s[j] != 0) acc[h] += s[j] * load(v, at(a.value, b, uint(first + j), uint(column)), a.value.type);
            }
            threadgroup_barrier(mem_flags::mem_threadgroup);
        }
        const float scale = sum == 0 ? 0 : 1 / sum;
        for (uint h = 0; h < HELD; h++) {
            const ulong column = c + ulong(h) * n + i;
            if (column < a.columns) store(y, at(a.result, b, row, uint(column)), a.result.type, acc[h] * scale);
        }
    }
}
