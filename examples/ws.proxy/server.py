"""A server of WebSockets over TLS, which says again what it is told.

usage: server.py PORT CERTIFICATE KEY
"""
import asyncio
import ssl
import sys

import websockets


async def again(socket):
    async for text in socket:
        await socket.send('you said ' + text)


async def main(port, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with websockets.serve(again, 'localhost', int(port), ssl=context, subprotocols=['echo']):
        await asyncio.Future()

asyncio.run(main(*sys.argv[1:]))
