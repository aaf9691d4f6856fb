"""Hosts of a bridge into Go, in Python: the wire, and the functions of isthmus_bridge.h through ctypes.

What isthmus bridge gen writes builds on this. Standard library only, Python 3.10, Linux.

A Bridge is closed by a with statement or by close(). A call that fails raises a BridgeError, of the class of its status; a value
that cannot be written, and a message that is none, a WireError.
"""
from __future__ import annotations

import asyncio
import collections
import ctypes as C
import functools
import hashlib
import os
import select
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Generic, Iterator, TypeVar

T = TypeVar("T")
B = TypeVar("B", bound="Bridge")

MAX_DEPTH = 64


class BridgeError(Exception):
    """A call that failed. status is that of the C function, text what the other side says."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Again(BridgeError):
    """A limit of calls or bytes under way is reached."""


class Closed(BridgeError):
    """The bridge has ended."""


class TooBig(BridgeError):
    """The request is longer than the limit."""


class DecodeFailed(BridgeError):
    """The library could not decode the request."""


class HandlerPanic(BridgeError):
    """The handler panicked, or ended its goroutine."""


class DeadlinePassed(BridgeError):
    """The deadline passed."""


class Cancelled(BridgeError):
    """The handler gave up because its context ended."""


class Forked(BridgeError):
    """This process is the child of a fork, which has no Go."""


class SchemaMismatch(BridgeError):
    """Host and library do not agree on the types; the text names what differs."""


class VersionMismatch(BridgeError):
    """Host and library are of other versions."""


class Busy(BridgeError):
    """The bridge is open already, or as many handlers run as may."""


class HandlerFailed(BridgeError):
    """The handler returned an error, whose text this is."""


class NoMethod(BridgeError):
    """There is no such method, or it is used in another way."""


class BadArgument(BridgeError):
    """A mistake of the host's."""


class NoMemory(BridgeError):
    """No memory."""


class ReplyTooBig(BridgeError):
    """The reply is longer than the limit."""


class Nothing(BridgeError):
    """There is none: the library's program serves no bridge."""


_ERRORS: dict[int, type[BridgeError]] = dict(enumerate((
    Again, Closed, TooBig, DecodeFailed, HandlerPanic, DeadlinePassed, Cancelled, Forked, SchemaMismatch,
    VersionMismatch, Busy, HandlerFailed, NoMethod, BadArgument, NoMemory, ReplyTooBig, Nothing), 1))


class WireError(ValueError):
    """A message that is none: the offset of the first wrong byte, and why."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(f"wire: byte {offset}: {why}")
        self.offset, self.why = offset, why


@dataclass
class Unknown:
    """An alternative of an open sum that this side does not know."""

    tag: int = 255
    data: bytes = b""


class _Reader:
    __slots__ = ("b", "at", "end", "depth")

    def __init__(self, b: bytes) -> None:
        self.b, self.at, self.end, self.depth = b, 0, len(b), 0

    def take(self, n: int) -> bytes:
        if self.end - self.at < n:
            raise WireError(self.at, "the message ends too early")
        self.at += n
        return self.b[self.at - n:self.at]

    def flag(self) -> bool:
        n = self.take(1)[0]
        if n > 1:
            raise WireError(self.at - 1, f"a flag is {n}")
        return n == 1

    def count(self, size: int) -> int:
        at = self.at
        n = int.from_bytes(self.take(8), "little")
        if n > (self.end - self.at) // max(size, 1):
            raise WireError(at, f"count {n} is more than the bytes that are left")
        return n

    def enter(self) -> None:
        if self.depth == MAX_DEPTH:
            raise WireError(self.at, "nested too deep")
        self.depth += 1


class _Writer:
    __slots__ = ("b", "depth")

    def __init__(self) -> None:
        self.b, self.depth = bytearray(), 0

    def enter(self) -> None:
        if self.depth == MAX_DEPTH:
            raise WireError(len(self.b), "nested too deep")
        self.depth += 1


_Codec = tuple[Callable[[_Writer, Any], None], Callable[[_Reader], Any]]  # what writes a type, and what reads it

_SCALARS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "i8": "<b", "i16": "<h", "i32": "<i", "i64": "<q", "f32": "<f", "f64": "<d"}


class _Float(float):
    """A NaN of 4 bytes whose bits a float of 8 would change: those that signal."""

    __slots__ = ("bits",)
    bits: bytes


def _get_f32(r: _Reader) -> float:
    b = bytes(r.take(4))
    v: float = struct.unpack("<f", b)[0]
    if v == v:
        return v
    nan = _Float(v)
    nan.bits = b
    return nan


def _put_f32(w: _Writer, v: float) -> None:
    w.b += v.bits if isinstance(v, _Float) else struct.pack("<f", v)


class Codec:
    """Reads and writes the messages of a schema. types has the classes, by name."""

    def __init__(self, schema: str, types: dict[str, Any]) -> None:
        self.schema = schema
        self.defs: dict[str, tuple[str, str, Any]] = {}
        self.methods: dict[str, tuple[str, str, str, str]] = {}
        self._made: dict[str, _Codec] = {}
        self._types = types
        for line in schema.splitlines()[1:]:
            words = line.split(" ")
            mark = words.pop(0) if words[0] in ("open", "extensible", "inline") else ""
            if words[0] == "bridge":
                self.name = words[1]
            elif words[0] == "struct":
                self.defs[words[1]] = ("struct", mark, [tuple(w.split(":")) for w in words[2:]])
            elif words[0] == "sum":
                self.defs[words[1]] = ("sum", mark, words[2:])
            else:
                self.methods[words[1]] = (words[0], mark, words[2], words[3] if words[0] == "call" else "")

    def encode(self, type_: str, value: Any) -> bytes:
        """The message of a value."""
        w = _Writer()
        try:
            self._codec(type_)[0](w, value)
        except (struct.error, TypeError, AttributeError, UnicodeError, OverflowError) as e:
            raise WireError(len(w.b), f"{value!r:.100} is no {type_}: {e}") from e
        return bytes(w.b)

    def decode(self, type_: str, message: bytes) -> Any:
        """The value of a message, or a WireError."""
        r = _Reader(message)
        v = self._codec(type_)[1](r)
        if r.at != r.end:
            raise WireError(r.at, f"{r.end - r.at} bytes follow the message")
        return v

    def _min(self, t: str, under: tuple[str, ...] = ()) -> int:
        if t in _SCALARS:
            return struct.calcsize(_SCALARS[t])
        if t == "bool" or t.startswith("opt<"):
            return 1
        if t in ("bytes", "utf8") or t.startswith("list<"):
            return 8
        kind, mark, parts = self.defs[t]
        if t in under:
            return 0
        if mark:
            return 9 if kind == "sum" else 8
        under += (t,)
        if kind == "sum":
            return 1 + min(self._min(a, under) for a in parts)
        return sum(self._min(f, under) for _, f in parts)

    def _codec(self, t: str) -> _Codec:
        if t not in self._made:
            box: list[Any] = []
            self._made[t] = (lambda w, v: box[0](w, v), lambda r: box[1](r))  # types that refer to themselves
            box += self._make(t)
            self._made[t] = (box[0], box[1])
        return self._made[t]

    def _make(self, t: str) -> _Codec:
        if t == "f32":
            return _put_f32, _get_f32
        if t in _SCALARS:
            s = struct.Struct(_SCALARS[t])

            def put(w: _Writer, v: Any) -> None:
                w.b += s.pack(v)
            return put, lambda r: s.unpack(r.take(s.size))[0]
        if t == "bool":
            def put(w: _Writer, v: Any) -> None:
                w.b.append(1 if v else 0)
            return put, lambda r: r.flag()
        if t in ("bytes", "utf8"):
            def put(w: _Writer, v: Any) -> None:
                b = v.encode() if t == "utf8" else v
                w.b += struct.pack("<Q", len(b)) + b

            def get(r: _Reader) -> Any:
                at = r.at
                b = bytes(r.take(r.count(1)))
                if t == "bytes":
                    return b
                try:
                    return b.decode()
                except UnicodeDecodeError:
                    raise WireError(at, "text is not valid UTF-8") from None
            return put, get
        if t.startswith("list<"):
            eput, eget = self._codec(t[5:-1])
            size = self._min(t[5:-1])

            def put(w: _Writer, v: Any) -> None:
                w.b += struct.pack("<Q", len(v))
                if v:
                    w.enter()
                    for x in v:
                        eput(w, x)
                    w.depth -= 1

            def get(r: _Reader) -> Any:
                n = r.count(size)
                if n == 0:
                    return []
                r.enter()
                out = [eget(r) for _ in range(n)]
                r.depth -= 1
                return out
            return put, get
        if t.startswith("opt<"):
            eput, eget = self._codec(t[4:-1])

            def put(w: _Writer, v: Any) -> None:
                w.b.append(0 if v is None else 1)
                if v is not None:
                    w.enter()
                    eput(w, v)
                    w.depth -= 1

            def get(r: _Reader) -> Any:
                if not r.flag():
                    return None
                r.enter()
                v = eget(r)
                r.depth -= 1
                return v
            return put, get
        kind, mark, parts = self.defs[t]
        return self._sum(t, mark, parts) if kind == "sum" else self._struct(t, mark, parts)

    def _struct(self, t: str, mark: str, parts: list[tuple[str, str]]) -> _Codec:
        cls = self._types[t]
        names = list(cls.__dataclass_fields__)
        codecs = [self._codec(f) for _, f in parts]
        must = len(parts)
        while mark and must and parts[must - 1][1].startswith("opt<"):
            must -= 1

        def put(w: _Writer, v: Any) -> None:
            if not isinstance(v, cls):
                raise TypeError(f"{type(v).__name__} is not {t}")
            w.enter()
            at = len(w.b)
            if mark:
                w.b += bytes(8)
            for n, c in zip(names, codecs):
                c[0](w, getattr(v, n))
            if mark:
                w.b[at:at + 8] = struct.pack("<Q", len(w.b) - at - 8)
            w.depth -= 1

        def get(r: _Reader) -> Any:
            r.enter()
            if not mark:
                v = cls(*[c[1](r) for c in codecs])
            else:
                n, outer = r.count(1), r.end
                r.end = r.at + n
                v = cls(*[None if i >= must and r.at == r.end else c[1](r) for i, c in enumerate(codecs)])
                r.at, r.end = r.end, outer
            r.depth -= 1
            return v
        return put, get

    def _sum(self, t: str, mark: str, alts: list[str]) -> _Codec:
        classes = [self._types[a] for a in alts]
        codecs = [self._codec(a) for a in alts]

        def put(w: _Writer, v: Any) -> None:
            if mark and isinstance(v, Unknown):
                if v.tag < len(alts):
                    raise TypeError(f"alternative {v.tag} of {t} is known")
                w.b += struct.pack("<BQ", v.tag, len(v.data)) + v.data
                return
            if type(v) not in classes:
                raise TypeError(f"{type(v).__name__} is no alternative of {t}")
            tag = classes.index(type(v))
            w.b.append(tag)
            at = len(w.b)
            if mark:
                w.b += bytes(8)
            codecs[tag][0](w, v)
            if mark:
                w.b[at:at + 8] = struct.pack("<Q", len(w.b) - at - 8)

        def get(r: _Reader) -> Any:
            tag = r.take(1)[0]
            if tag >= len(alts):
                if mark:
                    return Unknown(tag, bytes(r.take(r.count(1))))
                raise WireError(r.at - 1, f"{t} has no alternative {tag}")
            if not mark:
                return codecs[tag][1](r)
            n, outer = r.count(1), r.end
            r.end = r.at + n
            v = codecs[tag][1](r)
            if r.at != r.end:
                raise WireError(r.at, "bytes follow what has a length")
            r.end = outer
            return v
        return put, get


class _Slot(C.Structure):
    _fields_ = [("token", C.c_void_p), ("capability", C.c_int32), ("flags", C.c_uint32), ("deadline_ns", C.c_uint64),
                ("request", C.c_void_p), ("request_len", C.c_uint64), ("reply", C.c_void_p), ("reply_len", C.c_uint64),
                ("status", C.c_int32), ("method", C.c_uint32)]


class _Error(C.Structure):
    _fields_ = [("size", C.c_uint32), ("version", C.c_uint32), ("status", C.c_int32), ("reserved", C.c_uint32), ("text", C.c_char * 1024)]


class _InitArgs(C.Structure):
    _fields_ = [("size", C.c_uint32), ("version", C.c_uint32), ("byte_order", C.c_uint32), ("flags", C.c_uint32),
                ("fingerprint", C.c_uint8 * 16), ("schema", C.c_char_p), ("schema_len", C.c_uint64), ("max_request", C.c_uint64),
                ("max_reply", C.c_uint64), ("max_in_flight", C.c_uint64), ("max_bytes", C.c_uint64), ("waker", C.c_void_p), ("host", C.c_char_p)]


class _Report(C.Structure):
    _fields_ = [("size", C.c_uint32), ("version", C.c_uint32), ("finished", C.c_uint64), ("closed", C.c_uint64),
                ("casts_dropped", C.c_uint64), ("zombies", C.c_uint64), ("waited_ns", C.c_uint64), ("methods", C.c_char * 512)]


class _Event(C.Structure):
    _fields_ = [("data", C.c_void_p), ("len", C.c_uint64), ("lost", C.c_uint64)]


class _Stats(C.Structure):
    _fields_ = [("size", C.c_uint32), ("version", C.c_uint32)] + [(n, C.c_uint64) for n in (
        "generation calls inline_calls casts events ok failed panics decode_errors deadlines abandoned late refused closed "
        "events_dropped in_flight bytes peak_in_flight peak_bytes running zombies slots max_request max_reply max_in_flight "
        "max_bytes").split()]


_STATUS = C.c_int32
_u64, _u32, _p = C.c_uint64, C.c_uint32, C.c_void_p
_FUNCTIONS = {  # those of C alone keep the interpreter's lock: they are shorter than giving it away
    "br_init": (True, [_p, _p, _p]), "br_deinit": (True, [_u64, _u64, _p]), "br_wait": (True, [_p, _u64]),
    "br_call_inline_more": (True, [_u64, _u32, _p, C.c_size_t, _p, C.c_size_t, _p, _u64, _p]),
    "br_slot_new": (False, [_u64, _u32, _u64, _p]), "br_submit": (False, [_p]), "br_abandon": (False, [_p]),
    "br_slot_free": (False, [_p]), "br_cast": (False, [_u64, _u32, _p, C.c_size_t]), "br_done_next": (False, [_u64]),
    "br_doorbell_fd": (False, [_u64]), "br_subscribe": (False, [_u64, _u32, _u32, _p]), "br_unsubscribe": (False, [_u64, _u64]),
    "br_event_next": (False, [_u64, _u64, _p]), "br_event_free": (False, [_p]), "br_stats": (False, [_p]),
    "br_event_wake": (False, [_u64, _u64, C.c_int32, _p]), "br_status_text": (False, [C.c_int32]),
}


class _Library:
    def __init__(self, path: str) -> None:
        slow, fast = C.CDLL(path), C.PyDLL(path)
        for name, (leaves, args) in _FUNCTIONS.items():
            f = getattr(slow if leaves else fast, name)
            f.argtypes, f.restype = args, {"br_done_next": _p, "br_status_text": C.c_char_p, "br_event_free": None}.get(name, _STATUS)
            setattr(self, name[3:], f)
        self.waker_eventfd = C.cast(slow.br_waker_eventfd, _p)

    if TYPE_CHECKING:
        def __getattr__(self, name: str) -> Any: ...

    def check(self, status: int, text: str = "") -> None:
        if status:
            raise _ERRORS.get(status, BridgeError)(status, text or self.status_text(status).decode())


@functools.lru_cache(None)
def method_id(name: str) -> int:
    """The number of a method."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little") | 1


class Subscription(Generic[T]):
    """Events that this host hears. Iterate it, also with async for; end it with close() or a with statement. One thread or task
    at a time hears them."""

    def __init__(self, bridge: Bridge, name: str, capacity: int) -> None:
        self._bridge, self._type, self.lost, self._id = bridge, bridge._codec.methods[name][2], 0, 0
        # The library may write into one of before still, until the bridge is closed: they are used again, and closed then.
        self._fd = bridge._bells.pop() if bridge._bells else os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        sub = _u64()
        status = bridge._lib.subscribe(bridge._generation, method_id(name), capacity, C.byref(sub))
        if status:
            bridge._rest(self._fd)
        bridge._lib.check(status)
        self._id = sub.value

    def poll(self) -> T | None:
        """The next event, or None. lost counts those that the queue had no place for."""
        lib, e = self._bridge._lib, _p()
        status = lib.event_next(self._bridge._generation, self._id, C.byref(e))
        if status == 17 or not self._id:
            return None
        lib.check(status)
        ev = C.cast(e, C.POINTER(_Event)).contents
        try:
            self.lost += ev.lost
            value: T = self._bridge._codec.decode(self._type, C.string_at(ev.data, ev.len) if ev.len else b"")
            return value
        finally:
            lib.event_free(e)

    def _arm(self) -> bool:
        """True when an event is there, or the bridge is closed: poll says which."""
        return self._bridge._lib.event_wake(self._bridge._generation, self._id, self._fd, 1) not in (0, 11)

    def next(self, timeout: float | None = None) -> T | None:
        """The next event; None when there was none in time."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            v = self.poll()
            if v is not None or not self._id:
                return v
            if self._arm():
                continue
            left = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([self._fd], [], [], left)[0]:
                return self.poll()
            self._drain()

    def _drain(self) -> None:
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            pass

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            v = self.next()
        except Closed:
            raise StopIteration from None
        if v is None:
            raise StopIteration
        return v

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        loop = asyncio.get_running_loop()
        while True:
            try:
                v = self.poll()
            except Closed:
                raise StopAsyncIteration from None
            if v is not None:
                return v
            if not self._id:
                raise StopAsyncIteration
            if self._arm():
                continue
            ready = asyncio.Event()
            loop.add_reader(self._fd, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_reader(self._fd)
            self._drain()

    def __enter__(self) -> Subscription[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it. What waits is gone."""
        if self._id:
            sub, self._id = self._id, 0
            self._bridge._lib.unsubscribe(self._bridge._generation, sub)
            self._bridge._rest(self._fd)


class Bridge:
    """A bridge that is open. Any thread may use it; call_async is for one event loop at a time.

    The limits can lower the library's, not raise them; 0 leaves them.
    """

    def __init__(self, library: str | os.PathLike[str], codec: Codec, max_request: int = 0, max_reply: int = 0, max_in_flight: int = 0,
                 max_bytes: int = 0, name: str = "python") -> None:
        self._lib, self._codec = _Library(os.fspath(library)), codec
        text = codec.schema.encode()
        args = _InitArgs(size=C.sizeof(_InitArgs), version=1, byte_order=0x01020304, schema=text, schema_len=len(text),
                         max_request=max_request, max_reply=max_reply, max_in_flight=max_in_flight, max_bytes=max_bytes,
                         waker=self._lib.waker_eventfd, host=name.encode())
        args.fingerprint[:] = hashlib.sha256(text).digest()[:16]
        err, gen = _Error(size=C.sizeof(_Error), version=1), _u64()
        self._lib.check(self._lib.init(C.byref(args), C.byref(err), C.byref(gen)), err.text.decode(errors="replace"))
        self._generation: int = gen.value
        self.report: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: dict[int, asyncio.Future[None]] = {}
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()  # for room
        self._bells: list[int] = []  # of subscriptions that have ended

    def __enter__(self: B) -> B:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, drain: float = 0) -> dict[str, Any]:
        """Ends the bridge, and returns a report of what it found under way. drain is how many seconds to wait for that; 0: the
        library's time. While an event loop has calls under way it is for that loop's thread."""
        with self._lock:
            gen, self._generation = self._generation, 0
        if not gen:
            return self.report
        r = _Report(size=C.sizeof(_Report), version=1)
        self._lib.check(self._lib.deinit(gen, int(drain * 1e9), C.byref(r)))
        self.report.update({f[0]: getattr(r, f[0]) for f in _Report._fields_[2:]}, methods=r.methods.decode())
        while self._bells:
            os.close(self._bells.pop())
        if self._loop is not None:
            loop, self._loop = self._loop, None
            if not loop.is_closed():
                self._bell()
                loop.remove_reader(self._lib.doorbell_fd(0))
                while self._waiting:  # they find it closed
                    self._room()
        return self.report

    def stats(self) -> dict[str, int]:
        """The numbers of br_stats, of the process."""
        s = _Stats(size=C.sizeof(_Stats), version=1)
        self._lib.check(self._lib.stats(C.byref(s)))
        return {f[0]: getattr(s, f[0]) for f in _Stats._fields_[2:]}

    def _rest(self, fd: int) -> None:
        if self._generation:
            self._bells.append(fd)
        else:
            os.close(fd)

    def _slot(self, name: str, body: bytes, deadline: int) -> _Slot:
        out = _p()
        self._lib.check(self._lib.slot_new(self._generation, method_id(name), len(body), C.byref(out)))
        s = _Slot.from_address(out.value or 0)
        if body:
            C.memmove(s.request, body, len(body))
        s.deadline_ns = deadline
        return s

    def _result(self, name: str, s: _Slot) -> Any:
        reply = C.string_at(s.reply, s.reply_len) if s.reply_len else b""
        status = s.status
        self._lib.slot_free(C.addressof(s))
        self._lib.check(status, reply.decode(errors="replace") if status else "")
        return self._codec.decode(self._codec.methods[name][3], reply)

    def _submit(self, s: _Slot) -> None:
        status = self._lib.submit(C.addressof(s))
        if status:
            self._lib.slot_free(C.addressof(s))
            self._lib.check(status)

    def call(self, name: str, message: Any, timeout: float | None = None) -> Any:
        """Calls, and waits for the reply, timeout seconds at most. Again: too much is under way."""
        s = self._slot(name, self._codec.encode(self._codec.methods[name][2], message), _deadline(timeout))
        at = C.addressof(s)
        self._submit(s)
        try:
            while True:  # in slices, so that signals are handled
                status = self._lib.wait(at, time.clock_gettime_ns(time.CLOCK_MONOTONIC) + 50_000_000)
                if status != 6:
                    break
        except BaseException:
            if self._lib.abandon(at) != 0:
                self._lib.slot_free(at)
            raise
        self._lib.check(status)
        return self._result(name, s)

    def call_inline(self, name: str, message: Any, timeout: float | None = None) -> Any:
        """Calls an inline method, on this thread."""
        _, _, in_, out = self._codec.methods[name]
        body, room = self._codec.encode(in_, message), 256
        buf, n, more = C.create_string_buffer(room), C.c_size_t(), _p()
        status = self._lib.call_inline_more(
            self._generation, method_id(name), body, len(body), buf, room, C.byref(n), _deadline(timeout), C.byref(more))
        if more.value:  # what is longer than the buffer
            return self._result(name, _Slot.from_address(more.value))
        reply = buf.raw[:n.value]
        self._lib.check(status, reply.decode(errors="replace") if status else "")
        return self._codec.decode(out, reply)

    def cast(self, name: str, message: Any) -> None:
        """Tells. Again: too much is under way."""
        body = self._codec.encode(self._codec.methods[name][2], message)
        self._lib.check(self._lib.cast(self._generation, method_id(name), body, len(body)))

    def subscribe(self, name: str, capacity: int = 64) -> Subscription[Any]:
        """Hears an event. capacity is how many wait at most."""
        return Subscription(self, name, capacity)

    async def call_async(self, name: str, message: Any, timeout: float | None = None) -> Any:
        """Calls without blocking the event loop. Cancelling the task cancels the handler's context. Waits for room, first come
        first served, which the timeout covers too."""
        loop, deadline = asyncio.get_running_loop(), _deadline(timeout)
        if self._loop is not loop:
            self._loop = loop
            loop.add_reader(self._lib.doorbell_fd(self._generation), self._bell)
        body, waited = self._codec.encode(self._codec.methods[name][2], message), False
        while True:
            try:
                s = self._slot(name, body, deadline)
                break
            except Again:
                await self._turn(loop, deadline, waited)
                waited = True
        s.flags = 1
        future: asyncio.Future[None] = loop.create_future()
        at = C.addressof(s)
        self._pending[at] = future
        try:
            self._submit(s)
        except BaseException:
            del self._pending[at]
            raise
        try:
            await future
        except asyncio.CancelledError:
            if self._lib.abandon(at) == 0:
                self._pending.pop(at, None)
                self._room()
            elif at not in self._pending:  # the bell has given it to us already
                self._lib.slot_free(at)
            raise
        return self._result(name, s)

    async def _turn(self, loop: asyncio.AbstractEventLoop, deadline: int, waited: bool) -> None:
        """Waits until there may be room; who has waited before is the next."""
        room: asyncio.Future[None] = loop.create_future()
        (self._waiting.appendleft if waited else self._waiting.append)(room)
        if not self._pending:
            loop.call_later(0.001, self._room)
        left = (deadline - time.clock_gettime_ns(time.CLOCK_MONOTONIC)) / 1e9 if deadline else None
        try:
            await asyncio.wait_for(room, left)
        except asyncio.TimeoutError:
            raise DeadlinePassed(6, "there was no room in time") from None
        except asyncio.CancelledError:
            if room.done() and not room.cancelled():
                self._room()  # it was its turn: the next one's
            raise

    def _room(self) -> None:
        while self._waiting:
            f = self._waiting.popleft()
            if not f.done():
                f.set_result(None)
                return

    def _bell(self) -> None:
        try:
            os.eventfd_read(self._lib.doorbell_fd(0))
        except BlockingIOError:
            pass
        while True:
            at = self._lib.done_next(0)
            if not at:
                return
            future = self._pending.pop(at, None)
            if future is None or future.cancelled():
                self._lib.slot_free(at)
            else:
                future.set_result(None)
            self._room()


def _deadline(timeout: float | None) -> int:
    """Of CLOCK_MONOTONIC, in nanoseconds; 0 is none."""
    if timeout is None:
        return 0
    return min(max(1, time.clock_gettime_ns(time.CLOCK_MONOTONIC) + int(max(min(timeout, 9e9), -9e9) * 1e9)), 1 << 63)
