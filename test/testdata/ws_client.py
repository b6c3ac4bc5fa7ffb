"""Talks through the gateway: python ws_client.py URL…, each of which leads to a server that sends back messages. What is at /deflate… has to be compressed."""
import asyncio
import sys

import websockets


async def talk(url):
    deflate = "/deflate" in url
    async with websockets.connect(url, subprotocols=["two", "one"], max_size=None, compression="deflate" if deflate else None) as ws:
        assert bool(ws.extensions) == deflate, ws.extensions
        assert ws.subprotocol in ("two", None), ws.subprotocol
        for message in ["", "hello", "grüße 日本語 \U0001f600", "x" * 1_000_000, b"", b"\x00\xff" * 40_000]:
            await ws.send(message)
            back = await ws.recv()
            assert back == message, (type(back), len(back), len(message))
        await ws.send(["one ", "", "message ", "in pieces"])
        assert await ws.recv() == "one message in pieces"
        await asyncio.wait_for(await ws.ping(b"there?"), 10)
        many = [f"message {i} " * (i % 50) for i in range(200)]

        async def send():
            for m in many:
                await ws.send(m)

        sending = asyncio.ensure_future(send())
        for m in many:
            assert await ws.recv() == m
        await sending
        await ws.close(4001, "that is all")
        assert ws.close_code == 4001, ws.close_code
    print("ok", url, flush=True)


async def main():
    for url in sys.argv[1:]:
        await talk(url)


asyncio.run(main())
