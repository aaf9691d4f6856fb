import asyncio
import sys

from isthmus_bridge import DeadlinePassed, HandlerPanic
from words_bridge import Bridge, Pause, Text, Total


async def main(b):
    totals = b.total()
    b.read(Text("the isthmus is the narrow way between the seas"))
    print("Python: so far", (await anext(totals)).count, "words")
    for w in (await b.top_async(Total())).words:
        print(f"Python: {w.word} x{w.count}")
    try:
        await b.pause_async(Pause(10000), timeout=0.02)
    except DeadlinePassed as e:
        print("Python: a pause of 10 s with a deadline of 20 ms:", e)
    try:
        await b.fail_async(Text("this"))
    except HandlerPanic as e:
        print("Python: the handler panicked:", e)
    print("Python: inline:", b.count(Text("four words are here")).count)


with Bridge(sys.argv[1]) as bridge:
    asyncio.run(main(bridge))
