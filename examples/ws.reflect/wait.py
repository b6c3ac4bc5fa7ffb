"""Opens a WebSocket, says something, and shows the next two messages, from whomever.

usage: wait.py URL PROTOCOL TEXT
"""
import asyncio
import sys

import websockets


async def main(url, protocol, text):
    async with websockets.connect(url, subprotocols=[protocol]) as socket:
        await socket.send(text)
        for _ in range(2):
            print(await socket.recv(), flush=True)

asyncio.run(main(*sys.argv[1:]))
