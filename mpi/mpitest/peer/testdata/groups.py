# Two ranks in Python and two in Go: what groups do. The cases are those of groups_test.go, comms_test.go and
# windows_test.go, in the order of groupCases.
from functools import reduce

import numpy as np
from common import MPI, case, data, main, same, value


@case
def broadcasts(c):
    for root in range(c.size):
        for n, kind in ((1000, "f8"), (77, "?"), (1, "c8"), (30000, "i4"), (0, "u1")):
            for i in range(2):
                want = data(n, root + i, kind)
                b = want.copy() if c.rank == root else np.zeros_like(want)
                if i == 0:
                    c.Bcast(b, root)
                else:
                    c.Ibcast(b, root).Wait()
                same("broadcast", b, want)
        c.Barrier()
        c.Ibarrier().Wait()


def gapped(n):
    counts = [r + 1 for r in range(n)]
    offsets = [sum(r + 2 for r in range(k)) for k in range(n)]
    return counts, offsets, sum(r + 2 for r in range(n))


def blocks(counts, offsets, size, seed):
    out = np.zeros(size, "i8")
    for r, (n, at) in enumerate(zip(counts, offsets)):
        out[at : at + n] = data(n, seed(r), "i8")
    return out


@case
def gathers(c):
    n, me = c.size, c.rank
    counts, offsets, size = gapped(n)
    mine = data(5, me, "i8")
    everything = np.concatenate([data(5, r, "i8") for r in range(n)])
    spread = blocks(counts, offsets, size, lambda r: r)
    for root in range(n):
        whole, parts = np.zeros(5 * n, "i8"), np.zeros(size, "i8")
        r = c.Igather(mine, whole.copy(), root)
        if root == 2 and me == root:
            whole[5 * me : 5 * me + 5] = mine
            c.Gather(MPI.IN_PLACE, whole, root)
        else:
            c.Gather(mine, whole, root)
        c.Gatherv(data(me + 1, me, "i8"), [parts, counts, offsets, MPI.INT64_T], root)
        r.Wait()
        if me == root:
            same("gather", whole, everything)
            same("gatherv", parts, spread)
        back, part = np.zeros(5, "i8"), np.zeros(me + 1, "i8")
        c.Scatter(whole, back, root)
        c.Scatterv([parts, counts, offsets, MPI.INT64_T], part, root)
        same("scatter", back, mine)
        same("scatterv", part, data(me + 1, me, "i8"))
        c.Iscatter(whole, back, root).Wait()
    whole, parts = np.zeros(5 * n, "i8"), np.zeros(size, "i8")
    c.Allgather(mine, whole)
    c.Allgatherv(data(me + 1, me, "i8"), [parts, counts, offsets, MPI.INT64_T])
    same("allgather", whole, everything)
    same("allgatherv", parts, spread)
    keep = data(me + 1, me, "i8")  # mpi4py 4.1.2 does not (docs/found.md)
    c.Iallgatherv(keep, [parts, counts, offsets, MPI.INT64_T]).Wait()
    whole[:] = 0
    whole[5 * me : 5 * me + 5] = mine
    c.Allgather(MPI.IN_PLACE, whole)
    same("in place", whole, everything)


@case
def all_to_all(c):
    n, me = c.size, c.rank
    out = np.concatenate([data(100, me * n + r, "f4") for r in range(n)])
    want = np.concatenate([data(100, r * n + me, "f4") for r in range(n)])
    got = np.zeros(100 * n, "f4")
    c.Alltoall(out, got)
    same("all to all", got, want)
    c.Ialltoall(out, got).Wait()
    counts, offsets, size = gapped(n)
    sent = blocks(counts, offsets, size, lambda r: me * 10 + r)
    rcounts, roffsets = [me + 1] * n, [(n - 1 - r) * (me + 2) for r in range(n)]
    for i in range(2):
        got = np.zeros(n * (me + 2), "i8")
        a, b = [sent, counts, offsets, MPI.INT64_T], [got, rcounts, roffsets, MPI.INT64_T]
        if i == 0:
            c.Alltoallv(a, b)
        else:
            c.Ialltoallv(a, b).Wait()
        same("all to all v", got, blocks(rcounts, roffsets, len(got), lambda r: r * 10 + me))


def fold(n, count, f, kind):
    return reduce(f, [data(count, r, kind) for r in range(n)])


OPS = [
    (MPI.SUM, "i8", np.add), (MPI.SUM, "small i1", np.add), (MPI.SUM, "u2", np.add), (MPI.SUM, "f4", np.add),
    (MPI.SUM, "f8", np.add), (MPI.SUM, "c8", np.add), (MPI.SUM, "c16", np.add),
    (MPI.PROD, "i4", np.multiply), (MPI.PROD, "f8", np.multiply), (MPI.MAX, "u8", np.maximum), (MPI.MIN, "f4", np.minimum),
    (MPI.LAND, "?", np.logical_and), (MPI.LOR, "?", np.logical_or), (MPI.LXOR, "?", np.logical_xor),
    (MPI.LAND, "small i8", np.logical_and), (MPI.BAND, "u1", np.bitwise_and), (MPI.BOR, "i2", np.bitwise_or),
    (MPI.BXOR, "u4", np.bitwise_xor),
]  # fmt: skip


@case
def reductions(c):
    n, me = c.size, c.rank
    for op, kind, f in OPS:
        values = [data(40, r, kind[6:]) % 5 if kind[:5] == "small" else data(40, r, kind) for r in range(n)]
        got = np.zeros_like(values[0])
        c.Iallreduce(values[me], got, op).Wait()
        with np.errstate(over="ignore"):
            same(f"{op} of {kind}", got, reduce(f, values).astype(got.dtype))
    for root in range(n):
        got = data(1000, me)
        if root == 0 and me == root:  # at other roots MPICH 4.0 takes it for an address
            c.Reduce(MPI.IN_PLACE, got, MPI.SUM, root)
        else:
            c.Reduce(data(1000, me), got, MPI.SUM, root)
        if me == root:
            same("reduce", got, fold(n, 1000, np.add, "f8"))
    for k in (0, 1, 1000, 60000):
        got = data(k, me)
        c.Allreduce(MPI.IN_PLACE, got, MPI.SUM)
        same("allreduce", got, fold(n, k, np.add, "f8"))
    got = np.zeros(250)
    c.Reduce_scatter_block(data(250 * n, me), got, MPI.SUM)
    same("reduce and scatter block", got, fold(n, 250 * n, np.add, "f8")[250 * me : 250 * me + 250])
    counts = [3 * r + 1 for r in range(n)]
    at, got = sum(counts[:me]), np.zeros(counts[me])
    c.Reduce_scatter(data(sum(counts), me), got, counts, MPI.SUM)
    same("reduce and scatter", got, fold(n, sum(counts), np.add, "f8")[at : at + counts[me]])


@case
def places(c):
    for kind, t in (("f4", MPI.FLOAT_INT), ("f8", MPI.DOUBLE_INT), ("i8", MPI.LONG_INT), ("i4", MPI.TWOINT), ("i2", MPI.SHORT_INT)):
        a = np.zeros((c.size, 25), np.dtype([("v", kind), ("i", "i4")], align=True))
        for r in range(c.size):
            a["v"][r], a["i"][r] = value(25, r) % 7, r
        for op, pick in ((MPI.MINLOC, np.argmin), (MPI.MAXLOC, np.argmax)):
            got = np.zeros_like(a[0])
            c.Allreduce([a[c.rank].copy(), 25, t], [got, 25, t], op)
            same(f"{kind}", got, a[pick(a["v"], axis=0), np.arange(25)])


@case
def scans(c):
    me = c.rank
    got = np.zeros(60, "i8")
    c.Scan(data(60, me, "i8"), got)
    same("scan", got, fold(me + 1, 60, np.add, "i8"))
    c.Exscan(data(60, me, "i8"), got)
    if me:
        same("exclusive scan", got, fold(me, 60, np.add, "i8"))
    keep = data(60, me, "i8")  # mpi4py 4.1.2 does not (docs/found.md)
    c.Iscan(keep, got, MPI.MAX).Wait()


@case
def own_reductions(c):
    def times(a, b, _):
        x, y = np.frombuffer(a).reshape(-1, 2, 2), np.frombuffer(b).reshape(-1, 2, 2)
        y[:] = x @ y

    def mine(r):
        v = value(50, r) % 3
        return np.stack([np.ones(50), v, v + 1, np.full(50, float(r))], axis=1).reshape(50, 2, 2)

    t = MPI.DOUBLE.Create_contiguous(4).Commit()
    op = MPI.Op.Create(times, commute=False)
    n, me = c.size, c.rank
    got = np.zeros((50, 2, 2))
    c.Allreduce([mine(me), 50, t], [got, 50, t], op)
    want = reduce(np.matmul, map(mine, range(n)))
    same("product", got, want)
    c.Scan([mine(me), 50, t], [got, 50, t], op)
    same("products up to here", got, reduce(np.matmul, map(mine, range(me + 1))))
    keep = mine(me)
    c.Ireduce([keep, 50, t], [got, 50, t], op, 2).Wait()
    if me == 2:
        same("product at one", got, want)
    op.Free()
    t.Free()


@case
def prepared(c):
    b, sums = np.zeros(100), np.zeros(100)
    try:
        p = c.Bcast_init(b, 1)
    except NotImplementedError:
        return
    q = c.Allreduce_init(b, sums)
    for i in range(4):
        if c.rank == 1:
            b[:] = data(100, i)
        p.Start()
        p.Wait()
        same("broadcast", b, data(100, i))
        q.Start()
        q.Wait()
        same("sum", sums, c.size * b)
    p.Free()
    q.Free()


@case
def grids(c):
    dims = MPI.Compute_dims(c.size, 2)
    g = c.Create_cart(dims, [True, False])
    me = g.rank
    assert g.Get_coords(me) == [me // dims[1], me % dims[1]]
    sources = [r for d in range(2) for r in g.Shift(d, 1)]
    got, want = np.full((4, 3), -1), np.full((4, 3), -1)
    for i, r in enumerate(sources):
        if r >= 0:
            want[i] = data(3, r, "i8")
    g.Neighbor_allgather(data(3, me, "i8"), got)
    same("neighbours", got, want)
    g.Ineighbor_allgather(data(3, me, "i8"), got).Wait()
    g.Neighbor_alltoall(np.stack([data(3, 10 * me + i, "i8") for i in range(4)]), got)
    if sources[0] != sources[1]:
        for i, r in enumerate(sources):
            if r >= 0:
                want[i] = data(3, 10 * r + (i ^ 1), "i8")
        same("from neighbours", got, want)
    rows = g.Sub([False, True])
    total = np.zeros(1, "i8")
    rows.Allreduce(np.array([me]), total)
    assert total[0] == sum(g.Get_coords(me)[0] * dims[1] + k for k in range(dims[1]))
    rows.Free()
    g.Free()


@case
def graphs(c):
    n, me = c.size, c.rank
    sources, targets = [(me - 1) % n, (me - 2) % n], [(me + 1) % n, (me + 2) % n]
    g = c.Create_dist_graph_adjacent(sources, targets, [1, 2], [1, 2])
    got = np.zeros((2, 10))
    g.Neighbor_allgather(data(10, me), got)
    same("ring", got, np.stack([data(10, r) for r in sources]))
    got = np.zeros(8)
    g.Neighbor_alltoallv(
        [np.concatenate([data(3, me), data(5, me + 100)]), [3, 5], [0, 3], MPI.DOUBLE], [got, [3, 5], [0, 3], MPI.DOUBLE]
    )
    same("ring v", got, np.concatenate([data(3, sources[0]), data(5, sources[1] + 100)]))
    assert g.Get_dist_neighbors()[:2] == (sources, targets)
    g.Free()


@case
def splits(c):
    n, me = c.size, c.rank
    half = c.Split(me % 2, -me)
    got = np.zeros(half.size, "i8")
    half.Allgather(np.array([me]), got)
    assert list(got) == [r for r in reversed(range(n)) if r % 2 == me % 2], got
    none = c.Split(MPI.UNDEFINED if me == 0 else 7, 0)
    assert (none == MPI.COMM_NULL) == (me == 0)
    whole = c.Get_group()
    g = whole.Incl([n - 1, 0])
    assert list(MPI.Group.Translate_ranks(g, [0, 1], whole)) == [n - 1, 0]
    made = c.Create(g)
    ends = MPI.COMM_NULL
    if me in (0, n - 1):
        ends = c.Create_group(g, 5)
        b = np.array([me])
        ends.Bcast(b, 0)
        made.Bcast(b, 1)
        assert MPI.Comm.Compare(ends, made) == MPI.CONGRUENT
    near = c.Split_type(MPI.COMM_TYPE_SHARED)
    assert near.size == n
    for x in (half, none, made, ends, near):
        if x != MPI.COMM_NULL:
            x.Free()
    g.Free()
    whole.Free()


@case
def two_sides(c):
    n, me = c.size, c.rank
    side = c.Split(1, 0)
    remote = list(c.py).index(False)
    inter = side.Create_intercomm(0, c, remote, 3)
    assert inter.remote_size == n // 2 and inter.size == n // 2
    b = np.zeros(10)
    inter.Sendrecv(data(10, 2), inter.rank, 1, b, inter.rank, 1)
    same("across", b, data(10, 1))
    total = np.zeros(4, "i8")
    inter.Allreduce(data(4, inter.rank, "i8") * 3, total)
    same("the others' sum", total, fold(n // 2, 4, np.add, "i8"))
    got = np.zeros(n // 2, "i8")
    inter.Allgather(np.array([me, -1]), got)
    assert list(got) == [remote + i for i in range(n // 2)], got
    b = np.zeros(20)
    inter.Bcast(b, 0)
    same("broadcast", b, data(20, 5))
    inter.Bcast(data(20, 6), MPI.ROOT if inter.rank == n // 2 - 1 else MPI.PROC_NULL)
    inter.Barrier()
    one = inter.Merge(False)
    assert one.size == n and one.rank == inter.rank
    for x in (one, inter, side):
        x.Free()


@case
def attributes(c):
    gone = []
    key = MPI.Comm.Create_keyval(lambda comm, k, v: v + "'", lambda comm, k, v: gone.append(v))
    c.Set_attr(key, "a")
    c.Set_name("peers")
    d = c.Dup()
    assert d.Get_attr(key) == "a'" and c.Get_name() == "peers"
    info = MPI.Info.Create({"mpi_assert_no_any_tag": "true"})
    e = c.Dup_with_info(info)
    info.Free()
    b = np.zeros(1, "i8")
    e.Allreduce(np.array([1]), b)
    assert b[0] == c.size
    d.Free()
    e.Free()
    c.Delete_attr(key)
    assert gone == ["a'", "a'", "a"]
    MPI.Comm.Free_keyval(key)


def part(w, kind):
    return np.frombuffer(w.tomemory(), kind)


class locked:
    """This process's part of a window, for direct use."""

    def __init__(self, w, rank):
        self.w, self.rank = w, rank

    def __enter__(self):
        self.w.Lock(self.rank)
        self.w.Sync()

    def __exit__(self, *_):
        self.w.Sync()
        self.w.Unlock(self.rank)


@case
def fences(c):
    n, me = c.size, c.rank
    w = MPI.Win.Allocate(40 * 8, 8, comm=c)
    part(w, "f8")[:] = 0
    follower = (me + 1) % n
    w.Fence()
    w.Fence()
    w.Fence()
    out, more, new = data(10, me), data(5, me), data(5, me + 50)
    w.Put(out, follower, 5)
    w.Fence()
    w.Fence()
    got = np.zeros(10)
    w.Get(got, c.peer, 5)
    w.Fence()
    same("get", got, data(10, (c.peer - 1) % n))
    w.Fence()
    for r in range(n):
        w.Accumulate(more, r, 20, MPI.SUM)
    w.Fence()
    w.Fence()
    old = np.zeros(5)
    w.Get_accumulate(new, old, follower, 20, MPI.REPLACE)
    w.Fence()
    same("what was there", old, fold(n, 5, np.add, "f8"))
    with locked(w, me):
        same("put", part(w, "f8")[20:25], data(5, (me - 1) % n + 50))
    c.Barrier()
    w.Free()


@case
def locks(c):
    n, me = c.size, c.rank
    w = MPI.Win.Allocate(112 * 4, 4, comm=c)
    part(w, "i4")[:] = 0
    c.Barrier()
    got, b = np.zeros(1, "i4"), np.zeros(1, "i4")
    zero, one, me1 = (np.array([v], "i4") for v in (0, 1, me + 1))
    for i in range(20):
        w.Lock_all()
        more = np.array([i], "i4")
        w.Fetch_and_op(one, got, 0, 0, MPI.SUM)
        w.Fetch_and_op(more, b, n - 1, 1, MPI.SUM)
        w.Flush_all()
        assert 0 <= got[0] < 20 * n
        w.Unlock_all()
    for _ in range(5):
        w.Lock_all()
        while True:
            w.Compare_and_swap(me1, zero, got, 1, 2)
            w.Flush(1)
            if got[0] == 0:
                break
        w.Get(b, 1, 3)
        w.Flush(1)
        b += 1
        w.Put(b, 1, 3)
        w.Flush(1)
        w.Compare_and_swap(zero, me1, got, 1, 2)
        w.Flush(1)
        assert got[0] == me + 1
        w.Unlock_all()
    w.Lock(c.peer, MPI.LOCK_EXCLUSIVE)
    ten = data(10, me, "i4")
    w.Put(ten, c.peer, 10)
    w.Unlock(c.peer)
    w.Lock(c.peer, MPI.LOCK_SHARED)
    ten = np.zeros(10, "i4")
    w.Rget(ten, c.peer, 10).Wait()
    w.Unlock(c.peer)
    same("what was put", ten, data(10, me, "i4"))
    c.Barrier()
    with locked(w, me):
        mine = part(w, "i4")
        same("from the peer", mine[10:20], data(10, c.peer, "i4"))
        assert me != 0 or mine[0] == 20 * n
        assert me != n - 1 or mine[1] == 190 * n
        assert me != 1 or mine[3] == 5 * n, mine[3]
    c.Barrier()
    w.Free()


@case
def posts(c):
    w = MPI.Win.Allocate(32 * 4, 4, comm=c)
    part(w, "f4")[:] = 0
    c.Barrier()
    world = c.Get_group()
    g = world.Incl([c.peer])
    for i in range(3):
        w.Post(g)
        w.Start(g)
        out = data(10, c.rank + i, "f4")
        w.Put(out, c.peer, 10 * i)
        w.Complete()
        w.Wait()
    for i in range(3):
        with locked(w, c.rank):
            same("put", part(w, "f4")[10 * i : 10 * i + 10], data(10, c.peer + i, "f4"))
    c.Barrier()
    w.Free()
    g.Free()
    world.Free()


@case
def given_memory(c):
    n, me = c.size, c.rank
    b = data(10 + me, me, "i8")
    w = MPI.Win.Create(b, 8, comm=c)
    last = np.zeros(10 + n - 1, "i8")
    w.Fence()
    w.Get(last, n - 1, 0)
    w.Fence()
    same("the last", last, data(10 + n - 1, n - 1, "i8"))
    w.Free()


@case
def shared_memory(c):
    me = c.rank
    w = MPI.Win.Allocate_shared(16 * 4, 4, comm=c)
    part(w, "i4")[:] = 0
    c.Barrier()
    with locked(w, me):
        part(w, "i4")[:] = data(16, me, "i4")
    c.Barrier()
    buf, unit = w.Shared_query(c.peer)
    with locked(w, c.peer):
        same("the peer's part", np.frombuffer(buf, "i4")[:16], data(16, c.peer, "i4"))
    c.Barrier()
    w.Free()


main()
