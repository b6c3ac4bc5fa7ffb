"""A source of events: a tick each tenth of a second, each with an id. It is a bad one, and breaks off after every third."""
import http.server
import sys
import time


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        last = int(self.headers.get("last-event-id") or 0)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.send("retry: 200\n\n")
        for tick in range(last + 1, last + 4):
            self.send(f"id: {tick}\nevent: tick\ndata: {tick}\n\n")
            time.sleep(0.1)
        self.send(f"id: {tick + 1}\nevent: tick\nda")
        self.close_connection = True

    def send(self, text):
        try:
            self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())
        except ConnectionError:
            pass  # whoever has read it is gone

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
