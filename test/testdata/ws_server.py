"""Sends back messages, on the port of the first argument, until its input ends; compressed if there is a second argument."""
import asyncio
import sys

import websockets


async def echo(ws, *_):
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.ConnectionClosed:
        pass
    print("closed", ws.close_code, ws.close_reason, flush=True)


async def main():
    compression = "deflate" if len(sys.argv) > 2 else None
    async with websockets.serve(echo, "127.0.0.1", int(sys.argv[1]), subprotocols=["two"], max_size=None, compression=compression):
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
