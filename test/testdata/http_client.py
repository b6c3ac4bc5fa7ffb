"""Asks through the gateway at the port of the first argument; the server of the test tells what it was asked."""
import hashlib
import http.client
import socket
import struct
import sys

port = int(sys.argv[1])


def connect():
    return http.client.HTTPConnection("127.0.0.1", port, timeout=15)


def said(name):
    print("ok", name, flush=True)


# One connection for all: requests of every method, and none with more than it was asked for.
c = connect()
c.connect()
sock = c.sock
for i in range(1000):
    method = ["GET", "POST", "PUT", "HEAD"][i % 4]
    body = str(i) * (i % 50) if method in ("POST", "PUT") else None
    c.request(method, f"/n/{i}", body=body, headers={"x-number": str(i)})
    r = c.getresponse()
    text = r.read().decode()
    assert r.status == 200 and c.sock is sock, (i, r.status, c.sock)
    if method == "HEAD":
        assert text == "" and int(r.getheader("content-length")) > 0, (i, text)
        continue
    assert text.startswith(f"{method} /n/{i} HTTP/1.1\n") and f"X-Number: {i}\r\n" in text, (i, text)
    assert text.split("\n")[-2] == f"{len(body or '')} {hashlib.sha256((body or '').encode()).hexdigest()}", (i, text)
said("keep-alive")

# A body that comes in chunks of its own making.
parts = [b"x" * n for n in (1, 10, 100, 1000, 10000, 100000)]
c.request("POST", "/chunks", body=iter(parts), encode_chunked=True, headers={"transfer-encoding": "chunked"})
text = c.getresponse().read().decode()
assert text.split("\n")[-2] == f"111111 {hashlib.sha256(b''.join(parts)).hexdigest()}", text
said("chunked")

# Connection: close, after which the connection is closed.
c.request("GET", "/close", headers={"connection": "close"})
r = c.getresponse()
r.read()
assert r.status == 200 and r.getheader("connection") == "close" and sock.fileno() == -1, (r.status, r.headers, sock)
said("close")

# 1.0, with and without keep-alive.
for head, ends in (("Host: a\r\n", True), ("Host: a\r\nConnection: keep-alive\r\n", False)):
    s = socket.create_connection(("127.0.0.1", port), timeout=15)
    s.sendall(f"GET /old HTTP/1.0\r\n{head}\r\n".encode())
    r = http.client.HTTPResponse(s)
    r.begin()
    assert r.status == 200 and r.read().startswith(b"GET /old HTTP/1.1\n"), r.status
    if ends:
        assert s.recv(1) == b"", "the connection goes on"
    else:
        s.sendall(b"GET /old HTTP/1.0\r\nHost: a\r\n\r\n")
        r = http.client.HTTPResponse(s)
        r.begin()
        assert r.status == 200
    s.close()
said("HTTP/1.0")

# Requests in one go, and a byte at a time.
s = socket.create_connection(("127.0.0.1", port), timeout=15)
s.sendall(b"".join(b"GET /p/%d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(50)))
f = s.makefile("rb")
for i in range(50):
    status = f.readline()
    length = 0
    while (line := f.readline()) not in (b"\r\n", b""):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    body = f.read(length)
    assert status.startswith(b"HTTP/1.1 200 ") and body.startswith(b"GET /p/%d HTTP/1.1\n" % i), (i, status, body)
said("pipelined")
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for b in b"POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: a\r\n\r\n":
    s.sendall(bytes([b]))
status = f.readline()
assert status.startswith(b"HTTP/1.1 200 "), status
s.close()
said("a byte at a time")

# It goes in the middle of a response, and in the middle of a request.
for reset in (False, True):
    c = connect()
    c.request("GET", "/endless")
    r = c.getresponse()
    assert len(r.read(100000)) == 100000
    if reset:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    r.close()
    c.close()
    s = socket.create_connection(("127.0.0.1", port), timeout=15)
    s.sendall(b"POST /cut HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100000)
    if reset:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
said("gone")
