# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
"""Pages from the server in the program, and from servers of the test's own."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from program import Run, check_help, check_refuses, end


class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):  # pylint: disable=invalid-name
        if self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for _ in range(50):
                self.wfile.write(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/slow":
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            for letter in b"hello":
                time.sleep(0.02)
                self.wfile.write(bytes([letter]))
        elif self.path == "/until-eof":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"y" * 12345)
            self.close_connection = True
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"z" * 50)
            self.close_connection = True
        else:
            self.send_error(404)


for _ in range(5):
    Run().prints("200 OK, 1000000 bytes\n")

server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"

Run("--url", base + "/chunked").prints("200 OK, 50000 bytes\n")
Run("--url", base + "/slow").prints("200 OK, 5 bytes\n")
Run("--url", base + "/until-eof").prints("200 OK, 12345 bytes\n")
run = Run("--url", base)
run.check("404 is printed", run.status == 0 and run.out.startswith("404 Not Found, "))
run = Run("--url", base + "/cut")
run.check("a body that ends too early is an error", run.status == 1 and run.out == "" and run.err != "")
server.shutdown()

# A port on which nobody listens.
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    run = Run("--url", f"http://127.0.0.1:{free.getsockname()[1]}/")
    run.check("a refused connection is an error", run.status == 1 and run.out == "" and run.err != "")

check_help("--url")
check_refuses("--url", "https://127.0.0.1/")
check_refuses("--url", "127.0.0.1")
check_refuses("--url")
check_refuses("argument")
end()
