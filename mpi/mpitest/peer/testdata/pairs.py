# One rank in Python beside one in Go: what two exchange. The cases are those of pairs_test.go, in its order.
import os

import numpy as np
from common import MPI, case, data, main, same, value

KINDS = [
    ("?", MPI.C_BOOL), ("i1", MPI.INT8_T), ("i2", MPI.INT16_T), ("i4", MPI.INT32_T), ("i8", MPI.INT64_T),
    ("u1", MPI.UINT8_T), ("u2", MPI.UINT16_T), ("u4", MPI.UINT32_T), ("u8", MPI.UINT64_T),
    ("f4", MPI.FLOAT), ("f8", MPI.DOUBLE), ("c8", MPI.C_FLOAT_COMPLEX), ("c16", MPI.C_DOUBLE_COMPLEX),
    ("f2", MPI.BYTE), ("bf16", MPI.BYTE),
    ("i8", MPI.LONG), ("u8", MPI.UNSIGNED_LONG), ("i1", MPI.CHAR), ("u1", MPI.BYTE), ("i8", MPI.AINT), ("i8", MPI.COUNT),
    ("i4", MPI.INT),
]  # fmt: skip


@case
def types(c):
    for tag, (kind, t) in enumerate(KINDS):
        for n in (0, 1, 13, 1000, 50000):
            want = data(n, tag, kind)
            reply = data(2 * n, tag + 1, kind)
            size = want.itemsize if t == MPI.BYTE else 1

            def send():
                c.Send([reply, 2 * n * size, t], c.peer, tag)

            if tag % 2 == 1:
                send()
            got = np.zeros(n + 1, want.dtype)
            st = MPI.Status()
            c.Recv([got, (n + 1) * size, t], c.peer, tag, st)
            assert st.Get_count(MPI.BYTE) == n * got.itemsize, (kind, n, st.Get_count(MPI.BYTE))
            assert st.Get_elements(t) == n * size and st.Get_source() == c.peer and st.Get_tag() == tag
            same(kind, got[:n], want)
            if tag % 2 == 0:
                send()


PAIRS = [("f4", MPI.FLOAT_INT), ("f8", MPI.DOUBLE_INT), ("i8", MPI.LONG_INT), ("i4", MPI.TWOINT), ("i2", MPI.SHORT_INT)]


def loc(kind, n, seed):
    a = np.zeros(n, np.dtype([("v", kind), ("i", "i4")], align=True))
    a["v"], a["i"] = value(n, seed), np.arange(n)
    return a


@case
def pairs(c):
    for tag, (kind, t) in enumerate(PAIRS, 1):
        got = loc(kind, 9, 0)
        c.Sendrecv([loc(kind, 9, tag + 1), 9, t], c.peer, tag, [got, 9, t], c.peer, tag)
        same(kind, got, loc(kind, 9, tag))


PARTICLE = np.dtype([("kind", "i1"), ("mass", "f8"), ("cell", "i2", 3), ("alive", "?"), ("phase", "c8")], align=True)


def particles(n, seed):
    v = value(n, seed)
    a = np.zeros(n, PARTICLE)
    a["kind"], a["mass"], a["cell"] = v, v / 2, v[:, None] + np.arange(3)
    a["alive"], a["phase"] = v % 2 == 1, v + 1j * (v + 1)
    return a


@case
def structs(c):
    places = [PARTICLE.fields[n][1] for n in PARTICLE.names]
    plain = MPI.Datatype.Create_struct([1, 1, 3, 1, 1], places, [MPI.INT8_T, MPI.DOUBLE, MPI.INT16_T, MPI.C_BOOL, MPI.C_FLOAT_COMPLEX])
    t = plain.Create_resized(0, PARTICLE.itemsize).Commit()
    got = np.zeros(200, PARTICLE)
    st = MPI.Status()
    c.Recv([got, 200, t], c.peer, 1, st)
    assert st.Get_count(t) == 100
    same("structs", got[:100], particles(100, 1))
    c.Send([particles(120, 2), 120, t], c.peer, 2)
    t.Free()
    plain.Free()


@case
def modes(c):
    def again(r):
        r.Start()
        r.Wait()
        r.Free()

    attached = MPI.Alloc_mem(100000 + 10 * MPI.BSEND_OVERHEAD)
    MPI.Attach_buffer(attached)
    for i, send in enumerate([
        lambda b, tag: c.Send(b, c.peer, tag),
        lambda b, tag: c.Ssend(b, c.peer, tag),
        lambda b, tag: c.Rsend(b, c.peer, tag),
        lambda b, tag: c.Isend(b, c.peer, tag).Wait(),
        lambda b, tag: c.Issend(b, c.peer, tag).Wait(),
        lambda b, tag: c.Irsend(b, c.peer, tag).Wait(),
        lambda b, tag: c.Bsend(b, c.peer, tag),
        lambda b, tag: again(c.Ssend_init(b, c.peer, tag)),
        lambda b, tag: again(c.Rsend_init(b, c.peer, tag)),
    ]):  # fmt: skip
        got = np.zeros(3000)
        r = c.Irecv(got, c.peer, 100 + i)
        token = bytearray(1)
        c.Sendrecv(b"\1", c.peer, 99, token, c.peer, 99)
        assert token == b"\2"
        send(data(2100 + i, i + 1), 100 + i)
        st = MPI.Status()
        r.Wait(st)
        assert st.Get_count(MPI.DOUBLE) == 2000 + i
        same(f"mode {i}", got[: 2000 + i], data(2000 + i, i))
    MPI.Detach_buffer()
    MPI.Free_mem(attached)


@case
def persistent(c):
    got = np.zeros(500)
    r = c.Recv_init(got, c.peer, 1)
    for i in range(6):
        s = c.Send_init(data(400 + i, i + 50), c.peer, 10 + i)
        MPI.Prequest.Startall([s, r])
        MPI.Request.Waitall([s, r])
        same(f"start {i}", got, data(500, i))
        s.Free()
    r.Free()


@case
def probes(c):
    for i in range(5):
        c.Send(data(30 + i, i, "f4"), c.peer, 40 + i)
    for i in range(5):
        got = np.zeros(10 + i, "i4")
        st = MPI.Status()
        if i == 0:
            c.Probe(MPI.ANY_SOURCE, MPI.ANY_TAG, st)
        elif i == 1:
            while not c.Iprobe(c.peer, 20 + i, st):
                os.sched_yield()
        elif i == 2:
            m = c.Mprobe(MPI.ANY_SOURCE, MPI.ANY_TAG, st)
        else:
            while not (m := c.Improbe(c.peer, 20 + i, st)):
                os.sched_yield()
        assert st.Get_count(MPI.INT) == 10 + i and st.Get_source() == c.peer and st.Get_tag() == 20 + i, i
        if i < 2:
            c.Recv(got, c.peer, st.Get_tag())
        elif i == 2:
            m.Recv(got)
        else:
            m.Irecv(got).Wait()
        same(f"probe {i}", got, data(10 + i, i, "i4"))


@case
def wildcards(c):
    for i in range(20):
        c.Send(data(i, i, "i8"), c.peer, (i * 3) % 5)
    for i in range(20):
        got = np.zeros(64, "i8")
        st = MPI.Status()
        c.Recv(got, MPI.ANY_SOURCE, MPI.ANY_TAG, st)
        assert (st.Get_count(MPI.INT64_T), st.Get_tag(), st.Get_source()) == (i, (i * 7) % 5, c.peer)
        same(f"message {i}", got[:i], data(i, i, "i8"))


@case
def truncation(c):
    for i, n in enumerate((10, 100000)):
        room = np.zeros(n)
        r = c.Irecv(room[: n // 2], c.peer, i)
        s = c.Isend(data(n, i), c.peer, i)
        try:
            r.Wait()
            raise AssertionError("was received")
        except MPI.Exception as e:
            assert e.Get_error_class() == MPI.ERR_TRUNCATE, e
        s.Wait()
        got = np.zeros(3)
        c.Sendrecv(data(3, 1), c.peer, 9, got, c.peer, 9)
        same("after it", got, data(3, 1))


@case
def cancellation(c):
    st = MPI.Status()
    r = c.Irecv(np.zeros(10, "u1"), c.peer, 77)
    r.Cancel()
    r.Wait(st)
    assert st.Is_cancelled()
    c.Sendrecv(b"1", c.peer, 78, bytearray(1), c.peer, 78)
    got = bytearray(4)
    c.Sendrecv(b"py..", c.peer, 77, got, c.peer, 77)
    assert got == b"go.."


@case
def nothing(c):
    c.Send(np.zeros(0, "i2"), c.peer, 1)
    st = MPI.Status()
    c.Recv(np.zeros(0, "i2"), c.peer, 1, st)
    assert st.Get_count(MPI.SHORT) == 0


@case
def exchange(c):
    for i in range(30):
        got = np.zeros(i * 1000 + 1, "i8")
        st = MPI.Status()
        if i % 3:
            c.Sendrecv(data(i * 1100, i, "f4"), c.peer, i, got, c.peer, i, st)
        else:
            both = [c.Isend(data(i * 1100, i, "f4"), c.peer, i), c.Irecv(got, c.peer, i)]
            sts = [MPI.Status(), MPI.Status()]
            MPI.Request.Waitall(both, sts)
            st = sts[1]
        assert st.Get_count(MPI.INT64_T) == i * 1000
        same(f"exchange {i}", got[: i * 1000], data(i * 1000, i, "i8"))


@case
def big(c):
    n = 3_000_001
    for _ in range(2):
        got = np.zeros(n)
        c.Sendrecv(data(n, 2), c.peer, 1, got, c.peer, 1)
        same("big", got, data(n, 1))


@case
def many(c):
    n = 200
    gots = [np.zeros(2000, "i8") for _ in range(n)]
    rs = [c.Irecv(gots[i], c.peer, i) for i in range(n)]
    rs += [c.Isend(data(i * 8, i, "i8"), c.peer, i) for i in range(n)]
    MPI.Request.Waitall(rs)
    for i in range(n):
        same(f"message {i}", gots[i][: i * 9], data(i * 9, i, "i8"))


def laid(c, tag, t, size, n, picked):
    """t selects the same elements on this side, or they come one after another."""
    t.Commit()
    m = len(picked)
    for i in range(2):
        if i == 0:
            got = np.zeros(m)
            c.Recv(got, c.peer, tag)
            same(f"layout {tag}", got, data(size, i)[picked])
            c.Send(data(m, i + 10), c.peer, tag)
        else:
            got, want, out = np.zeros(size), np.zeros(size), np.zeros(size)
            c.Recv([got, n, t], c.peer, tag)
            want[picked] = data(size, i)[picked]
            same(f"layout {tag}", got, want)
            out[picked] = data(m, i + 10)
            c.Send([out, n, t], c.peer, tag)
    got, out = np.zeros(size), np.zeros(size)
    out[picked] = data(m, 30)
    rs = [c.Isend([out, n, t], c.peer, tag), c.Irecv([got, n, t], c.peer, tag)]
    MPI.Request.Waitall(rs)
    same(f"layout {tag}", got[picked], data(size, 5)[picked])
    t.Free()


@case
def vectors(c):
    laid(c, 1, MPI.DOUBLE.Create_vector(7, 2, 5), 35, 1, [r * 5 + k for r in range(7) for k in (0, 1)])


@case
def indexed(c):
    laid(c, 2, MPI.DOUBLE.Create_indexed([3, 0, 1, 2], [10, 4, 2, 20]), 60, 2, [10, 11, 12, 2, 20, 21, 30, 31, 32, 22, 40, 41])
    laid(c, 3, MPI.DOUBLE.Create_contiguous(4), 12, 3, list(range(12)))


@case
def subarrays(c):
    picked = [(a * 5 + b) * 6 + d for a in (1, 2) for b in range(3) for d in (2, 3)]
    laid(c, 4, MPI.DOUBLE.Create_subarray([4, 5, 6], [2, 3, 2], [1, 0, 2]), 120, 1, picked)


@case
def resized(c):
    t = MPI.DOUBLE.Create_vector(4, 1, 3)
    laid(c, 5, t.Create_resized(0, 8), 12, 3, [r * 3 + k for k in range(3) for r in range(4)])
    t.Free()


@case
def packed(c):
    t = MPI.DOUBLE.Create_vector(5, 1, 2).Commit()
    st = MPI.Status()
    c.Probe(c.peer, 1, st)
    b = bytearray(st.Get_count(MPI.BYTE))
    c.Recv([b, len(b), MPI.BYTE], c.peer, 1)
    got, want = np.zeros(10), np.zeros(10)
    t.Unpack(b, 0, got, c)
    want[::2] = data(10, 3)[::2]
    same("unpacked", got, want)
    out = np.zeros(10)
    out[::2] = data(5, 4)
    room = bytearray(t.Pack_size(1, c))
    end = t.Pack(out, room, 0, c)
    c.Send([room, end, MPI.BYTE], c.peer, 2)
    t.Free()


@case
def objects(c):
    for tag, o in enumerate([None, {"a": [1, 2.5, "text"]}, "x" * 100000, (1, (2, 3))]):
        c.send(o, c.peer, tag)
        assert c.recv(None, c.peer, tag) == o


@case
def goroutines(c):
    for _ in range(8 * 20):
        got = np.zeros(300)
        st = MPI.Status()
        c.Recv(got, c.peer, MPI.ANY_TAG, st)
        c.Send(got[:200], c.peer, st.Get_tag())


main()
