import struct
import sample_bridge
from isthmus_bridge import WireError

data = open("corpus", "rb").read()
cases, = struct.unpack_from("<Q", data)
at, good = 8, 0


def block():
    global at
    n, = struct.unpack_from("<Q", data, at)
    at += 8 + n
    return data[at - n:at]


for i in range(cases):
    is_msg, accepted = data[at], data[at + 1]
    at += 2
    message = block()
    again = block() if accepted else None
    t = "Msg" if is_msg else "All"
    try:
        value = sample_bridge.CODEC.decode(t, message)
    except WireError as e:
        assert not accepted, (i, e)
        continue
    assert accepted, (i, message)
    assert sample_bridge.CODEC.encode(t, value) == again, (i, value)
    good += 1
print(cases, "cases,", good, "accepted")
