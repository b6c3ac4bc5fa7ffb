"""Opens a WebSocket, says something, and shows what comes back.

usage: say.py URL PROTOCOL TEXT ...     as many lines come back as there are texts
For wss:, CAFILE is the certificate of the authority to trust.
"""
import asyncio
import os
import ssl
import sys

import websockets


async def main(url, protocol, *texts):
    options = {}
    if url.startswith('wss:'):
        options['ssl'] = ssl.create_default_context(cafile=os.environ.get('CAFILE'))
    try:
        async with websockets.connect(url, subprotocols=[protocol], **options) as socket:
            for text in texts:
                await socket.send(text)
            for _ in texts:
                print(await socket.recv())
    except websockets.InvalidStatusCode as e:
        print('HTTP', e.status_code)

asyncio.run(main(*sys.argv[1:]))
