# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
"""Files over HTTP: what is served, what is refused, the limits of time and number, and the end."""

import atexit
import ctypes
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from program import PROGRAM, check_help, check_refuses, end, failures

TEXT = bytes(range(256)) * 4
BIG = os.urandom(1 << 20) * 24


def check(what, holds):
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}")


# The folder, with everything that must be refused beside it and in it.
base = os.path.realpath(tempfile.mkdtemp())
atexit.register(shutil.rmtree, base, ignore_errors=True)
root = os.path.join(base, "root")
os.makedirs(os.path.join(root, "sub", "empty"))
os.makedirs(os.path.join(root, ".git"))
os.makedirs(os.path.join(base, "rootless"))
for name, content in {
    "root/data": TEXT, "root/page.html": b"<p>", "root/IMAGE.PNG": b"png", "root/txt": b"no extension", "root/nothing": b"",
    "root/big": BIG, "root/index.html": b"top", "root/sub/index.html": b"index", "root/sub/a b.txt": b"space",
    "root/.hidden": b"hidden", "root/.git/config": b"hidden", "root/secret": b"locked", "root/shrinks": BIG,
    "secret": b"outside", "rootless/secret": b"outside"}.items():
    with open(os.path.join(base, name), "wb") as file:
        file.write(content)
for link, target in {
    "out": "../secret", "out_absolute": os.path.join(base, "secret"), "out_folder": "..", "out_like": "../rootless",
    "within": "sub/index.html", "sub/up": "../data", "sub/far": "../../root/data", "loop": "loop", "proc": "/proc/self/root",
    "dangling": "nowhere"}.items():
    os.symlink(target, os.path.join(root, link))
os.mkfifo(os.path.join(root, "fifo"))
listener = socket.socket(socket.AF_UNIX)
listener.bind(os.path.join(root, "socket"))


class Server:
    def __init__(self, *arguments, address="127.0.0.1", before=None):
        self.process = subprocess.Popen([PROGRAM, "--port", "0", "--folder", root, *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, preexec_fn=before)
        atexit.register(self.process.kill)
        line = self.process.stdout.readline()
        found = re.fullmatch(rf"listening on {re.escape(address)}:(\d+)\n", line)
        check(f"says where it listens, not {line!r}", found)
        self.port = int(found[1]) if found else 0

    def connect(self):
        return Connection(self.port)

    def ask(self, target, *headers, method="GET"):
        """One request on a connection of its own."""
        with self.connect() as c:
            c.request(target, *headers, method=method)
            return c.response(method)

    def seconds_of_cpu(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait(self, err="", within=5):
        begin = time.monotonic()
        try:
            out, said = self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, said = self.process.communicate()
        check(f"ends within {within} seconds", time.monotonic() - begin < within)
        check(f"ends with status 0, not {self.process.returncode}", self.process.returncode == 0)
        check(f"prints nothing more, not {out!r}", out == "")
        check(f"says {err!r} on stderr, not {said!r}", re.fullmatch(err, said))

    def stop(self, number=signal.SIGTERM, err=""):
        self.process.send_signal(number)
        self.wait(err)


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __getitem__(self, name):
        return self.headers.get(name)


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def request(self, target, *headers, method="GET"):
        self.send("\r\n".join([f"{method} {target} HTTP/1.1", "Host: here", *headers, "", ""]))

    def more(self):
        try:
            some = self.socket.recv(65536)
        except ConnectionResetError:
            some = b""
        self.received += some
        return some

    def response(self, method="GET"):
        """None if the connection ends before it is complete."""
        while b"\r\n\r\n" not in self.received:
            if not self.more():
                return None
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        check(f"a name for each header in {lines}", len(headers) == len(lines))
        size = 0 if method == "HEAD" else int(headers["Content-Length"])
        parts = [self.received]
        missing = size - len(self.received)
        while missing > 0:
            self.received = b""
            some = self.more()
            if not some:
                return None
            parts.append(some)
            missing -= len(some)
        body = b"".join(parts)
        self.received = body[size:]
        for name, value in {"Server": "rouse http_server", "X-Content-Type-Options": "nosniff"}.items():
            check(f"{first}: {name}", headers.get(name) == value)
        check(f"{first}: a date", re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers.get("Date", "")))
        if int(first.split()[1]) >= 400 and method != "HEAD":
            check(f"{first}: a short text", headers["Content-Type"].startswith("text/plain") and body[:size] == first[9:].encode() + b"\n")
        return Response(int(first.split()[1]), headers, body[:size])

    def ended(self):
        """The server closes the connection, and sends nothing before that."""
        return self.received == b"" and self.more() == b""

    def answers(self, status, closes, what):
        """To what was sent."""
        got = self.response()
        check(f"{what}: {status}, not {got and got.status}", got and got.status == status)
        if closes:
            check(f"{what}: says that it closes, and does", got and got["Connection"] == "close" and self.ended())
        else:
            check(f"{what}: stays open", got and got["Connection"] != "close")


def check_files(server, kernel=True):
    """What is served, on one connection; without the kernel's help a way that leaves the folder and comes back is allowed."""
    with server.connect() as c:
        def get(target, *headers, method="GET"):
            c.request(target, *headers, method=method)
            return c.response(method)

        for target, body, kind in (
                ("/data", TEXT, "application/octet-stream"), ("/page.html", b"<p>", "text/html; charset=utf-8"),
                ("/IMAGE.PNG", b"png", "image/png"), ("/txt", b"no extension", "application/octet-stream"),
                ("/nothing", b"", "application/octet-stream"), ("/big", BIG, "application/octet-stream"),
                ("/", b"top", "text/html; charset=utf-8"), ("/sub", b"index", "text/html; charset=utf-8"),
                ("/sub/", b"index", "text/html; charset=utf-8"), ("/sub/a%20b.txt?query=/../#", b"space", "text/plain; charset=utf-8"),
                ("/s%75b%2Findex.html", b"index", "text/html; charset=utf-8"), ("/within", b"index", "application/octet-stream"),
                ("/sub/up", TEXT, "application/octet-stream"), ("//data", TEXT, "application/octet-stream"),
                ("http://elsewhere/data", TEXT, "application/octet-stream"), ("HTTPS://elsewhere:1", b"top", "text/html; charset=utf-8"),
                ("http://elsewhere?query", b"top", "text/html; charset=utf-8")):
            got = get(target)
            check(f"{target} is served", got.status == 200 and got.body == body)
            check(f"{target} has its type, not {got['Content-Type']}", got["Content-Type"] == kind)
            check(f"{target}: ranges, and the time", got["Accept-Ranges"] == "bytes" and got["Last-Modified"].endswith(" GMT"))
            head = get(target, method="HEAD")
            got.headers.pop("Date"), head.headers.pop("Date")
            check(f"HEAD {target}: the same headers", head.status == 200 and head.headers == got.headers)

        size = len(TEXT)
        for header, first, last in (
                ("bytes=0-0", 0, 0), ("bytes=10-19", 10, 19), ("bytes=1000-", 1000, size - 1), (f"bytes=0-{size}", 0, size - 1),
                (f"Bytes={size - 1}-{size - 1}", size - 1, size - 1), ("bytes=-1", size - 1, size - 1), ("bytes=-24", size - 24, size - 1),
                ("bytes=-5000", 0, size - 1), ("bytes=5-" + "9" * 30, 5, size - 1), ("bytes=-" + "9" * 30, 0, size - 1)):
            got = get("/data", "Range: " + header)
            check(f"{header}: that part", got.status == 206 and got.body == TEXT[first:last + 1])
            check(f"{header}: says which", got["Content-Range"] == f"bytes {first}-{last}/{size}" and got["Accept-Ranges"] == "bytes")
        got = get("/big", f"Range: bytes=1000000-{len(BIG) - 1000001}")
        check("a large range", got.status == 206 and got.body == BIG[1000000:-1000000])
        for target, header in (("/data", f"bytes={size}-"), ("/data", f"bytes={size}-{size + 5}"), ("/data", "bytes=-0"),
                               ("/data", "bytes=" + "9" * 30 + "-"), ("/nothing", "bytes=0-")):
            got = get(target, "Range: " + header)
            whole = size if target == "/data" else 0
            check(f"{header} of {whole} is refused", got.status == 416 and got["Content-Range"] == f"bytes */{whole}")
        for header in ("bytes=5-4", "bytes=-", "bytes=", "bytes=1", "bytes=a-b", "bytes=0-1,3-4", "bytes= 0-1", "lines=0-1", "bytes=--1",
                       "bytes=0x1-2", "bytes=+1-2", "bytes=1-2\r\nRange: bytes=3-4", "bytes=1-2\r\nIf-Range: \"tag\""):
            got = get("/data", "Range: " + header)
            check(f"{header!r} is ignored", got.status == 200 and got.body == TEXT and not got["Content-Range"])
        got = get("/nothing", "Range: bytes=-5")
        check("the end of nothing is nothing", got.status == 200 and got.body == b"")
        got = get("/data", "Range: bytes=0-0", method="HEAD")
        check("a range is for GET only", got.status == 200 and got["Content-Length"] == str(size))

        check_refusals(get, ["/out_folder/root/data", "/sub/far"] if kernel else [])


def check_refusals(get, ways_back):
    for target in ("/nowhere", "/out", "/out_absolute", "/out_folder/secret", "/out_like/secret", "/proc/etc/passwd",
                   "/proc", *ways_back, "/loop", "/dangling", "/fifo", "/socket", "/.hidden", "/%2ehidden", "/.git/config", "/.git", "/sub/empty",
                   "/sub/empty/", "/./data", "/...", "/data/", "/data/x", "/" + "x" * 300, "/" + "x/" * 5000):
        check(f"{target[:40]} is not there", get(target).status == 404)
    if os.geteuid() != 0:
        os.chmod(os.path.join(root, "secret"), 0)
        check("a locked file is not there", get("/secret").status == 404)
    for target in ("/..", "/../secret", "/sub/../data", "/%2e%2e/secret", "/%2E%2E/secret", "/.%2e/secret", "/..%2fsecret", "/..%2Fsecret",
                   "/sub/..", "http://here/../secret", "/..\\secret", "/a\\b", "/a%5cb", "/data%00", "/%00", "/a%0ab", "/%1f", "/%7f", "/%", "/%4",
                   "/%zz", "/%+1", "/%-1", "/% 1".replace(" ", "%20"), "/data#part", "*", "data", "here:80", "ftp://here/data", "http:///data", "http:/data"):
        check(f"{target} is refused", get(target).status == 400)
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "NONSENSE"):
        got = get("/data", method=method)
        check(f"{method} is not allowed", got.status == 405 and got["Allow"] == "GET, HEAD")
    got = get("/data", "Content-Length: 5\r\n\r\nhello", method="POST")
    check("nor with a body", got.status == 405)


server = Server()
check_files(server)

# Several requests at once, one of them with a body, are answered in their order.
with server.connect() as c:
    c.send("".join(f"GET /{name} HTTP/1.1\r\nHost: h\r\nRange: bytes=0-{i}\r\n\r\n" for i, name in enumerate(["data", "big", "data"])))
    c.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /sub HTTP/1.1\r\nHost: h\r\n\r\n")
    c.send("HEAD /big HTTP/1.1\r\nHost: h\r\n\r\nGET /data HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /data HTTP/1.1\r\nHost: h\r\n\r\n")
    check("pipelined", [c.response().body for _ in range(3)] == [TEXT[:1], BIG[:2], TEXT[:3]])
    c.answers(405, False, "a pipelined POST")
    check("what follows it", c.response().body == b"index")
    check("a pipelined HEAD", c.response("HEAD")["Content-Length"] == str(len(BIG)))
    c.answers(200, True, "Connection: close")

# Byte by byte; and a client that says early that it will send no more.
with server.connect() as c:
    for letter in "GET /sub HTTP/1.1\r\nHost: h\r\n\r\n":
        c.send(letter)
    c.socket.shutdown(socket.SHUT_WR)
    check("byte by byte", c.response().body == b"index" and c.ended())

# HTTP/1.0: no Host needed, and the connection ends unless it is asked to stay.
with server.connect() as c:
    c.send("GET /data HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    check("1.0 with keep-alive", c.response()["Connection"] == "keep-alive")
    c.send("GET /sub HTTP/1.0\r\n\r\n")
    check("1.0 without it", c.response().body == b"index" and c.ended())

# What ends a connection after the answer, and does not lose it while the client still sends.
LONG = "x" * 17000
for status, what, sent in (
        (400, "garbage", "garbage\r\n\r\n"), (400, "a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + bytes(500)),
        (400, "a space too many", "GET  / HTTP/1.1\r\n\r\n"), (400, "another version", "GET / HTTP/2.0\r\nHost: h\r\n\r\n"),
        (400, "a control character", "GET /a\x01b HTTP/1.1\r\nHost: h\r\n\r\n"), (400, "a bad length", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"),
        (400, "length and chunks", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc"),
        (400, "a bad chunk", "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        (400, "an endless chunk header", "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;" + LONG),
        (413, "a large body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n" + "x" * 70000),
        (413, "large chunks", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + 9 * ("4000\r\n" + "x" * 16384 + "\r\n")),
        (405, "a body that waits", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"),
        (431, "a long target", "GET /" + LONG + " HTTP/1.1\r\nHost: h\r\n\r\n"), (431, "a long line", "GET / HTTP/1.1\r\nHost: h\r\nX: " + LONG),
        (431, "many lines", "GET / HTTP/1.1\r\nHost: h\r\n" + "X: y\r\n" * 4000 + "\r\n"), (431, "much more", "GET / HTTP/1.1\r\nX: " + LONG * 40)):
    with server.connect() as c:
        c.send(sent)
        c.answers(status, True, what)
        try:
            for _ in range(2):
                c.send("more")
                time.sleep(0.02)
        except OSError as e:
            check(f"{what}: {e}, so that the answer may be lost", False)
for what, sent in (("no Host", ""), ("two Hosts", "Host: a\r\nHost: b\r\n"), ("a strange encoding", "Host: h\r\nTransfer-Encoding: gzip\r\n")):
    with server.connect() as c:
        c.send(f"GET / HTTP/1.1\r\n{sent}\r\n")
        check(f"{what} is refused", c.response().status == 400)

# Short lines that come one at a time.
with server.connect() as c:
    c.send("GET / HTTP/1.1\r\nX")
    c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        for _ in range(5000):
            c.send(": some twenty letters\r\nX")
    except OSError:
        pass
    c.answers(431, True, "many segments")

# A file that shrinks while it is sent: the connection ends.
with server.connect() as c:
    c.request("/shrinks")
    while len(c.received) < 100000:
        c.more()
    os.truncate(os.path.join(root, "shrinks"), 1000)
    while c.more():
        pass
    sent = c.received.partition(b"\r\n\r\n")[2]
    check("a file that shrinks", 0 < len(sent) < len(BIG) and BIG.startswith(sent))
server.stop()

# The same refusals, and files, without openat2: the call fails as if the kernel had none.
machine = struct.calcsize("P") == 8 and os.uname().machine in ("x86_64", "aarch64")


def without_openat2():
    libc = ctypes.CDLL(None, use_errno=True)
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, 437), (0x06, 0, 0, 0x00050000 | 38), (0x06, 0, 0, 0x7fff0000)]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(filters)))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


if machine:
    server = Server(before=without_openat2)
    check_files(server, kernel=False)
    server.stop()

# Time. Each client does what it does for itself, all at once.
server = Server("--timeout", "2")


def timed(what, least, most, script):
    def run():
        try:
            with server.connect() as connection:
                begin = time.monotonic()
                script(connection)
                took = time.monotonic() - begin
                check(f"{what}: between {least} and {most} seconds, not {took:.2f}", least <= took <= most)
        except OSError as e:
            check(f"{what}: {e}", False)
    return threading.Thread(target=run)


def silent(connection):
    check("an idle connection is closed silently", connection.ended())


def silent_later(connection):
    connection.request("/data")
    connection.response()
    check("so is one that was used", connection.ended())


def half_a_header(connection):
    connection.send("GET / HTTP/1.1\r\nHo")
    connection.answers(408, True, "half a header")


def half_a_body(connection):
    connection.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello")
    connection.answers(408, True, "half a body")


def dripping(connection):
    connection.socket.settimeout(0.25)
    for letter in "GET / HTTP/1.1\r\nHost: h":
        connection.send(letter)
        try:
            if connection.more():
                break
        except TimeoutError:
            pass
    connection.socket.settimeout(20)
    connection.answers(408, True, "a dripping header")


def late_start(connection):
    """A request that begins late has all of its time."""
    time.sleep(1.2)
    connection.send("GET /data HTTP/1.1\r\n")
    time.sleep(1.2)
    connection.send("Host: h\r\n\r\n")
    connection.answers(200, False, "a request that begins late")


def reads_nothing(connection):
    connection.request("/big")
    time.sleep(4)
    check("who reads nothing is cut off", connection.response() is None)


def reads_slowly(connection):
    """Longer than the limit, but never for so long nothing."""
    connection.request("/big")
    parts = []
    for step in range(1, 8):
        time.sleep(0.4)
        while sum(map(len, parts)) < step * len(BIG) // 8:
            some = connection.socket.recv(1 << 20)
            if not some:
                break
            parts.append(some)
    connection.received = b"".join(parts)
    got = connection.response()
    check("who reads slowly is served", got and got.body == BIG)


clients = [timed("silence", 1.9, 6, silent), timed("silence after a request", 1.9, 6, silent_later),
           timed("half a header", 1.9, 6, half_a_header), timed("half a body", 1.9, 6, half_a_body),
           timed("a dripping header", 1.9, 5, dripping), timed("a late start", 2.4, 6, late_start),
           timed("reading nothing", 4, 10, reads_nothing), timed("reading slowly", 2.8, 20, reads_slowly)]
for one in clients:
    one.start()
for one in clients:
    one.join()
server.stop()

# Not more connections than allowed: the third waits, and is served when one has ended.
server = Server("--connections", "2", "--timeout", "20")
with server.connect() as first, server.connect() as second, server.connect() as third:
    for one in (first, second):
        one.request("/data")
        check("two are served", one.response().status == 200)
    third.request("/data")
    third.socket.settimeout(0.5)
    try:
        third.more()
        check("the third waits", False)
    except TimeoutError:
        pass
    third.socket.settimeout(20)
    first.socket.close()
    got = third.response()
    check("the third is served when the first is gone", got and got.status == 200)
    second.request("/data")
    check("and the second is there still", second.response().status == 200)
server.stop()

# No file descriptors left: it says so once, waits without effort, and goes on when there are some.
# Not where UBSan looks at virtual calls: it needs a file descriptor for that, and takes its lack for a fault.
with open(PROGRAM, "rb") as program:
    looked_at = b"__ubsan_handle_dynamic_type_cache_miss" in program.read()
if not looked_at:
    server = Server("--timeout", "60", before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
    many = [server.connect() for _ in range(60)]
    line = server.process.stderr.readline()
    check(f"says that it cannot accept, not {line!r}", re.fullmatch(r"cannot accept: Too many open files.*; trying again\n", line))
    before = server.seconds_of_cpu()
    time.sleep(1.5)
    used = server.seconds_of_cpu() - before
    check(f"and hardly works meanwhile, not {used} s", used < 0.3)
    many[0].request("/data")
    check("what is open is served, or told to come again", many[0].response().status in (200, 503))
    for one in many:
        one.socket.close()
    check("goes on when there are some", server.ask("/data").body == TEXT)
    server.stop(err=r"(cannot accept: .*\n){0,3}")

# The end: what is being answered is finished, also to a client that is slow; who is idle must go.
server = Server("--timeout", "10")
with server.connect() as busy, server.connect() as slow, server.connect() as idle, server.connect() as fresh:
    idle.request("/data")
    idle.response()
    slow.send("GET /sub HTTP/1.1\r\nHo")
    busy.request("/big")
    while len(busy.received) < 100000:
        busy.more()
    begin = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    check("idle connections end", idle.ended() and fresh.ended() and time.monotonic() - begin < 3)
    try:
        with server.connect() as late:
            check("nobody is accepted any more", not late.more())
    except OSError:
        pass
    time.sleep(0.3)
    check("it does not end before the answers have", server.process.poll() is None)
    slow.send("st: h\r\n\r\n")
    got = slow.response()
    check("a request that has begun is answered", got and got.body == b"index" and got["Connection"] == "close" and slow.ended())
    got = busy.response()
    check("a download is finished", got and got.body == BIG and busy.ended())
server.wait()

# The second signal does not wait for it.
server = Server("--timeout", "30", "--workers", "1")
with server.connect() as busy:
    busy.request("/big")
    while len(busy.received) < 100000:
        busy.more()
    server.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    check("the first one does", server.process.poll() is None)
    server.stop(signal.SIGINT)
    check("the download is cut off", busy.response() is None)

# Another address.
server = Server("--address", "::1", address="[::1]")
with socket.create_connection(("::1", server.port), timeout=20) as six:
    six.sendall(b"GET /data HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n")
    got = b""
    while some := six.recv(65536):
        got += some
    check(f"it answers on ::1, not {got!r}", got.startswith(b"HTTP/1.1 200 OK\r\n") and got.endswith(b"\r\n\r\n" + TEXT))
server.stop()

# A port that is taken.
with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    done = subprocess.run([PROGRAM, "--folder", root, "--port", str(taken.getsockname()[1])], capture_output=True, text=True, timeout=60,
                          check=False)
    check("a taken port is an error", done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1)

check_help("--folder", "--address", "--port", "--workers", "--connections", "--timeout")
check_refuses()
for wrong in (["--folder", base + "/nowhere"], ["--folder", os.path.join(root, "data")], ["--folder", ""], ["argument"]):
    check_refuses(*wrong)
for option, *values in (("--address", "nowhere"), ("--port", "-1", "65536", "http"), ("--workers", "0", "1001", "many"),
                        ("--connections", "0", "-1", "x"), ("--timeout", "0", "-1", "nan", "1e9", "soon"), ("--no-such-option", "1")):
    for wrong in values:
        check_refuses("--folder", root, option, wrong)
listener.close()
end()
