"""A host in Python that does what may go wrong. Usage: host.py LIBRARY; exit status 0 means that it passed."""
import asyncio
import os
import sys
import threading
import time

import isthmus_bridge as ib
import sample_bridge as sb

library = sys.argv[1]


def raises(error, f, text=""):
    try:
        f()
    except error as e:
        assert text in str(e), e
        return e
    raise AssertionError(f"no {error.__name__}")


def order(how, nanos=0, size=0):
    return sb.Order(how=how, nanos=nanos, bytes=size)


with sb.Bridge(library) as b:
    assert b.echo(sb.Ping()) == sb.Pong(1)
    assert b.echo(sb.Text("grüße \U0001F600")) == sb.Text("grüße \U0001F600")
    assert b.add(sb.Point(40, 2)) == sb.Count(42)
    raises(ib.Busy, lambda: sb.Bridge(library), "one at a time")
    # what handlers do
    raises(ib.HandlerPanic, lambda: b.obey(order("panic")), "handler boom")
    raises(ib.HandlerPanic, lambda: b.obey(order("goexit")), "Goexit")
    raises(ib.HandlerPanic, lambda: b.obey_inline(order("nil map")), "nil map")
    raises(ib.HandlerFailed, lambda: b.obey(order("error")), "the handler says no")
    raises(ib.ReplyTooBig, lambda: b.obey(order("ok", size=3 << 20)))
    raises(ib.TooBig, lambda: b.echo(sb.Text("x" * (3 << 20))))
    raises(ib.WireError, lambda: b.echo(7))
    raises(ib.WireError, lambda: b.echo(sb.Text("\ud800")))
    before = b.stats()["inline_calls"]
    assert len(b.obey_inline(order("ok", size=5000)).data) == 5000  # longer than the buffer: it is kept, and the handler has run once
    raises(ib.ReplyTooBig, lambda: b.obey_inline(order("ok", size=3 << 20)))
    assert b.stats()["inline_calls"] == before + 2
    # deadlines
    began = time.monotonic()
    raises(ib.DeadlinePassed, lambda: b.obey(order("sleep", nanos=10**9), timeout=0.02))
    assert time.monotonic() - began >= 0.02
    for past in (0, -1, -1e300, float("-inf")):
        raises(ib.DeadlinePassed, lambda: b.obey(order("ctx"), timeout=past))
    for late in (1e300, float("inf")):
        assert b.echo(sb.Ping(), timeout=late) == sb.Pong(1)
    raises(ValueError, lambda: b.echo(sb.Ping(), timeout=float("nan")))
    # casts and events
    before = b.handled(sb.Ping()).n
    for i in range(100):
        b.tell(sb.Count(i))
    while b.handled(sb.Ping()).n < before + 100:
        pass
    sub = b.tick(capacity=8)
    threading.Timer(0.02, lambda: b.emit(sb.Count(20))).start()
    got = [sub.next(timeout=60).n]
    while got[-1] != 19:
        got.append(sub.next(timeout=60).n)
    assert len(got) + sub.lost == 20, (got, sub.lost)
    assert sub.next(timeout=0.01) is None
    sub.close()
    # threads
    threads = [threading.Thread(target=lambda: [b.echo(sb.Ping()) for _ in range(200)]) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    # a fork's child is told so
    pid = os.fork()
    if pid == 0:
        try:
            raises(ib.Forked, lambda: b.echo(sb.Ping()))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0


async def use(b):
    assert await b.echo_async(sb.Ping()) == sb.Pong(1)
    # more than may be in flight: those that find no room wait for it
    replies = await asyncio.gather(*[b.obey_async(order("sleep", nanos=10**6, size=i)) for i in range(1000)])
    assert [len(r.data) for r in replies] == list(range(1000))
    try:
        await asyncio.wait_for(b.obey_async(order("ctx")), 0.05)
        raise AssertionError("no timeout")
    except (asyncio.TimeoutError, TimeoutError):
        pass
    try:
        await b.obey_async(order("panic"))
        raise AssertionError("no panic")
    except ib.HandlerPanic as e:
        assert "boom" in e.text
    tasks = [asyncio.create_task(b.obey_async(order("ctx" if i % 2 else "sleep", nanos=i * 10000))) for i in range(500)]
    await asyncio.sleep(0.003)
    for t in tasks:
        t.cancel()
    for r in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(r, (asyncio.CancelledError, sb.Blob)), r
    sub = b.tick(capacity=100)

    async def hear():
        return [(await anext(sub)).n for _ in range(5)]
    hearing = asyncio.create_task(hear())
    await asyncio.sleep(0.01)
    await b.emit_async(sb.Count(5))
    assert await asyncio.wait_for(hearing, 60) == list(range(5))


for _ in range(2):
    b = sb.Bridge(library, max_in_flight=256)
    asyncio.run(use(b))
    report = b.close(60)
    assert report["zombies"] == 0 and b.close() is report, report
    raises(ib.Closed, lambda: b.echo(sb.Ping()))
    for _ in range(6000):  # a handler that the last cancellation reached may be on its way out
        s = b.stats()
        if s["slots"] == 0:
            break
        time.sleep(0.01)
    assert s["slots"] == 0 and s["in_flight"] == 0 and s["bytes"] == 0, s



async def wait_for_room(b):
    async def full():
        hog = asyncio.create_task(b.obey_async(order("ctx")))
        while b.stats()["running"] == 0:
            await asyncio.sleep(0.001)
        return hog

    async def fails(error, task):
        try:
            await task
            raise AssertionError(f"no {error.__name__}")
        except error:
            pass
    hog = await full()
    await fails(ib.DeadlinePassed, b.echo_async(sb.Ping(), timeout=0.02))  # the wait for room counts
    first, second = [asyncio.create_task(b.echo_async(sb.Ping())) for _ in range(2)]
    await asyncio.sleep(0)
    first.cancel()  # who has gone is not woken in place of the next
    hog.cancel()
    assert await asyncio.wait_for(second, 60) == sb.Pong(1)
    hog = await full()
    waits = asyncio.create_task(b.echo_async(sb.Ping()))
    await asyncio.sleep(0)
    b.close(0.001)
    await fails(ib.Closed, asyncio.wait_for(waits, 60))
    await fails(ib.BridgeError, asyncio.wait_for(hog, 60))


with sb.Bridge(library, max_in_flight=1) as b:
    asyncio.run(wait_for_room(b))
    raises(ib.Closed, lambda: b.tick())

files = len(os.listdir("/proc/self/fd"))
for _ in range(3):
    with sb.Bridge(library) as b:
        for _ in range(20):
            with b.tick() as sub:
                assert sub.next(timeout=0) is None
        kept = b.tick()
    kept.close()
assert len(os.listdir("/proc/self/fd")) <= files + 10, "descriptors are left"

codec = sb.CODEC
sb.CODEC = ib.Codec(sb.SCHEMA.replace("note:utf8", "note:bytes"), vars(sb))
sb.Bridge.__init__.__globals__["CODEC"] = sb.CODEC
raises(ib.SchemaMismatch, lambda: sb.Bridge(library), "Blob.note host=bytes lib=utf8")
print("fine")
