"""A client on the Python library `websockets`: sends each line of stdin, prints each message as a line."""

import asyncio
import sys

from websockets.asyncio.client import connect


async def main(url: str) -> None:
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with connect(url) as socket:
        async def say():
            while line := await lines.readline():
                await socket.send(line.decode().rstrip("\n"))
            await socket.close()

        saying = asyncio.create_task(say())
        async for message in socket:
            print(message, flush=True)
        saying.cancel()


asyncio.run(main(sys.argv[1]))
