"""An API that knows nothing of origins. It counts a client's visits in a cookie."""
import http.cookies
import http.server
import json
import sys


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        cookies = http.cookies.SimpleCookie(self.headers.get("cookie", ""))
        visits = int(cookies["visits"].value) + 1 if "visits" in cookies else 1
        text = json.dumps({"method": self.command, "reader": self.headers.get("x-reader"), "body": body.decode()}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.send_header("set-cookie", f"visits={visits}; HttpOnly; SameSite=Lax")
        self.send_header("x-visits", str(visits))
        self.send_header("x-inside", "not for pages")
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
