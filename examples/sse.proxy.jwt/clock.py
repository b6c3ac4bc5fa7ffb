"""A source of events: the time of the day, each second."""
import http.server
import sys
import time


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            while True:
                self.wfile.write(time.strftime("data: %H:%M:%S\n\n").encode())
                time.sleep(1)
        except ConnectionError:
            pass  # whoever has read it is gone

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
