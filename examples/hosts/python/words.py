"""Counts the words of files, as words.c does: files, a channel, actors and dictionaries are the runtime's.

python3 words.py LIBRARY FILE...  (needs nothing but ctypes)
"""

import ctypes
import re
import sys
import threading

COUNTERS, LONGEST, NIL = 4, 64, 3
Word, I32, I64, U64 = ctypes.c_uint64, ctypes.c_int32, ctypes.c_int64, ctypes.c_uint64
Handler = ctypes.CFUNCTYPE(None, Word, Word)
lib = ctypes.CDLL(sys.argv[1])


def function(name, result, *args):
    f = getattr(lib, name)
    f.restype, f.argtypes = result, args
    return f


init = function("rt_init", I32)
shutdown = function("rt_shutdown", I64, I64)
last_error = function("rt_last_error", I32)
error_text = function("rt_error_text", ctypes.c_char_p, I32)
release = function("rt_release", ctypes.c_bool, Word)
array_new = function("rt_array_new", Word, I64)
array_get = function("rt_array_get", Word, Word, I64)
array_push = function("rt_array_push", ctypes.c_bool, Word, Word)
string_new = function("rt_string_new", Word, ctypes.c_char_p, U64)
string_len = function("rt_string_len", I64, Word)
string_data = function("rt_string_data", ctypes.c_void_p, Word)
dict_new = function("rt_dict_new", Word, I64)
dict_get = function("rt_dict_get", Word, Word, Word)
dict_set = function("rt_dict_set", ctypes.c_bool, Word, Word, Word)
dict_next = function("rt_dict_next", ctypes.c_bool, Word, ctypes.POINTER(U64), ctypes.POINTER(Word), ctypes.POINTER(Word))
future_await = function("rt_future_await", Word, Word)
future_all = function("rt_future_all", Word, Word)
channel_new = function("rt_channel_new", Word)
channel_send = function("rt_channel_send", I64, Word, Word)
channel_recv_ex = function("rt_channel_recv_ex", I32, Word, I64, ctypes.POINTER(Word))
channel_close = function("rt_channel_close", ctypes.c_bool, Word)
actor_spawn_handler = function("rt_actor_spawn_handler", Word, Handler, Word)
actor_send = function("rt_actor_send", I64, Word, Word)
actor_stop = function("rt_actor_stop", I64, Word)
actor_join = function("rt_actor_join", I64, Word)
file_create = function("rt_async_file_create", Word, Word, I32, I32)
file_size = function("rt_async_file_size", Word, Word)
file_read = function("rt_async_file_read", Word, Word, I64, I64)


def fail(what):
    sys.exit(f"words: {what}: {error_text(last_error()).decode()}")


def text_of(s):
    n = string_len(s)
    return None if n < 0 else ctypes.string_at(string_data(s), n)


def number(v):
    return ctypes.c_int64(v).value >> 3 if v & 7 == 0 else None


# A counter's handler runs on the library's threads. It must not wait: Python's frames stay on the thread they are on.
@Handler
def count(state, word):
    dict_set(state, word, ((number(dict_get(state, word)) or 0) + 1) << 3)


def split(texts, counters):  # a thread of Python's own, which waits without the interpreter's lock
    text = Word(NIL)
    while channel_recv_ex(texts, -1, ctypes.byref(text)) == 0:
        for run in re.findall(rb"[A-Za-z]+", text_of(text.value)):
            for at in range(0, len(run), LONGEST):
                word = run[at : at + LONGEST].lower()
                w = string_new(word, len(word))
                actor_send(counters[sum(word) % COUNTERS], w)
                release(w)
        release(text.value)


def main(paths):
    if init() != 0:
        fail("start")
    files, reads = [], array_new(0)
    for p in paths:
        path = string_new(p.encode(), len(p.encode()))
        file = file_create(path, 0, 1)
        files.append((file, file_size(file)))
        release(path)
    for p, (file, size) in zip(paths, files):
        n = number(future_await(size))
        if n is None:
            fail(p)
        read = file_read(file, 0, n)
        array_push(reads, read)
        release(read)

    states = [dict_new(0) for _ in range(COUNTERS)]
    counters = [actor_spawn_handler(count, s) for s in states]
    texts = channel_new()
    splitter = threading.Thread(target=split, args=(texts, counters))
    splitter.start()

    found = future_all(reads)
    for i, p in enumerate(paths):
        channel_send(texts, array_get(found, i))
    channel_close(texts)
    splitter.join()
    for c in counters:
        actor_stop(c)
        actor_join(c)

    words = []
    for s in states:
        cursor, k, v = U64(0), Word(), Word()
        while dict_next(s, ctypes.byref(cursor), ctypes.byref(k), ctypes.byref(v)):
            words.append((-number(v.value), text_of(k.value).decode()))
    words.sort()
    print(f"{-sum(n for n, _ in words)} words, {len(words)} different")
    for n, word in words[:10]:
        print(f"{-n:7} {word}")

    for v in [reads, found, texts, *states, *counters, *(v for f in files for v in f)]:
        release(v)
    left = shutdown(-1)
    if left != 0:
        sys.exit(f"words: {left} objects were forgotten")


main(sys.argv[2:])
