# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
"""Pages of all kinds, servers that misbehave in all ways, certificates, signals and limits."""

import os
import pty
import re
import resource
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import warnings

from program import PROGRAM, Run, check_help, check_refuses, end, failures

warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.1, which is here to be refused
FOLDER = tempfile.TemporaryDirectory(prefix="rouse_fetch_")
SLOWER = 10 if os.environ.get("ROUSE_SLOW") else 1  # under a sanitizer, for example

# For a thousand connections, here and in the program.
LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(LIMIT[0], 4096), LIMIT[1]), LIMIT[1]))


def check(what, holds):
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}")


def in_folder(name):
    return os.path.join(FOLDER.name, name)


# ---- servers ---------------------------------------------------------------------------------------


class Server:
    """Answers each request with what pages[path](connection, server) sends; closes if that says so."""

    def __init__(self, pages, host="127.0.0.1", tls=None):
        self.pages, self.tls = pages, tls
        self.connections = 0
        self.names = []  # that TLS clients asked for
        self.requests = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family, backlog=2000)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with connection:
                if self.tls:
                    with self.tls.wrap_socket(connection, server_side=True) as wrapped:
                        self.answer(wrapped)
                else:
                    self.answer(connection)
        except (OSError, ssl.SSLError):
            pass

    def answer(self, connection):
        received = b""
        while True:
            while b"\r\n\r\n" not in received:
                some = connection.recv(65536)
                if not some:
                    return
                received += some
            head, received = received.split(b"\r\n\r\n", 1)
            self.requests.append(head.decode())
            path = head.split(b" ", 2)[1].decode()
            if self.pages[path](connection, self) == "close":
                return

    def url(self, path, host="127.0.0.1"):
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"


def says(text):
    return lambda connection, server: connection.sendall(text if isinstance(text, bytes) else text.encode())


def says_and_closes(text):
    def page(connection, server):
        says(text)(connection, server)
        return "close"

    return page


def page(body, status="200 OK", more=""):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n{body}"


def redirect(to, status="302 Found"):
    return says(page("elsewhere", status, f"Location: {to}\r\n"))


def reset(connection, server):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return "close"


def never(connection, server):
    time.sleep(60)


class Crowd:
    """A page that takes 0.3 s, and counts how many are on their way at once. None goes before `wanted` have come."""

    def __init__(self, wanted):
        self.wanted, self.now, self.peak = wanted, 0, 0
        self.lock, self.complete = threading.Lock(), threading.Event()

    def __call__(self, connection, server):
        with self.lock:
            self.now += 1
            self.peak = max(self.peak, self.now)
            if self.now >= self.wanted:
                self.complete.set()
        self.complete.wait(20)
        time.sleep(0.3)
        with self.lock:
            self.now -= 1
        says(page("."))(connection, server)


class Once:
    """The first time one page, then another."""

    def __init__(self, first, then):
        self.left, self.then = [first], then

    def __call__(self, connection, server):
        return (self.left.pop() if self.left else self.then)(connection, server)


def drips(connection, server):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b".")
        time.sleep(0.1)


def endless_chunk(connection, server):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0;")
    for _ in range(100):
        connection.sendall(b"a" * 65536)
    return "close"


PAGES = {
    "/": says(page("root")),
    "/ok": says(page("x" * 100)),
    "/empty": says("HTTP/1.1 204 No Content\r\n\r\n"),
    "/chunked": says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nabcde\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: x\r\n\r\n"),
    "/until-closed": says_and_closes("HTTP/1.1 200 OK\r\n\r\n" + "y" * 1000),
    "/closes": says_and_closes(page("z" * 10, more="Connection: close\r\n")),
    "/closes-silently": says_and_closes(page("s" * 10)),
    "/hints": says("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + page("h" * 7)),
    "/query?a=1&b=%20": says(page("q" * 3)),
    "/404": says(page("no", "404 Not Found")),
    "/500": says(page("no", "500 Internal Server Error")),
    "/busy-once": Once(says(page("no", "503 Service Unavailable")), says(page("b" * 5))),
    "/reset-once": Once(reset, says(page("r" * 6))),
    "/reset": reset,
    "/silent": never,
    "/drips": drips,
    "/nothing": lambda connection, server: "close",
    "/cut": says_and_closes("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort"),
    "/cut-chunked": says_and_closes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"),
    "/cut-header": says_and_closes("HTTP/1.1 200 OK\r\nContent-"),
    "/garbage": says_and_closes("220 ready\r\n\r\n"),
    "/endless-chunk": endless_chunk,
    "/long-header": says_and_closes("HTTP/1.1 200 OK\r\nX: " + "x" * 70000 + "\r\n\r\n"),
    "/good-header": says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: " + "x" * 60000 + "\r\n\r\nok"),
    "/loop": redirect("/loop"),
    "/relative/a": redirect("../ok"),
    "/to-other-scheme": redirect("ftp://127.0.0.1/"),
    "/to-nonsense": redirect("http://[/"),
    "/permanent": redirect("/ok#part", "308 Permanent Redirect"),
}
for n in range(12):
    PAGES[f"/hop/{n}"] = redirect(f"/hop/{n - 1}") if n else says(page("end"))

server = Server(PAGES)


def fetch(*arguments, environment=None, seconds=60 * SLOWER, **limits):
    """Runs the program, and takes its table apart."""
    start = time.monotonic()
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=seconds, check=False,
                          env={**os.environ, **(environment or {})}, **limits)
    return read_table(done.stdout, done.stderr, done.returncode, time.monotonic() - start, arguments)


class Table:
    pass


def read_table(out, err, status, took, arguments):
    t = Table()
    t.out, t.err, t.status, t.took, t.command = out, err, status, took, " ".join(arguments)
    found = re.search(r"^requests   (\d+) done, (\d+) failed, of (\d+)$", out, re.MULTILINE)
    t.done, t.failed, t.all = map(int, found.groups()) if found else (None, None, None)
    found = re.search(r"^bytes      (\d+)$", out, re.MULTILINE)
    t.bytes = int(found[1]) if found else None
    t.errors = {kind: int(count) for kind, count in re.findall(r"^error      (.*): (\d+)$", out, re.MULTILINE)}
    found = re.search(r"^worker         polls    steals     parks\n((?: +\d+){4}\n)+\Z", out, re.MULTILINE)
    rows = [line.split() for line in found[0].splitlines()[1:]] if found else []
    t.workers, t.polls = len(rows), sum(int(row[1]) for row in rows)
    found = re.search(r"^rate       (\d+) requests/s\nlatency    p50 ([\d.]+) ms, p99 ([\d.]+) ms, max ([\d.]+) ms\n", out, re.MULTILINE)
    t.rate, t.p50, t.p99, t.max = map(float, found.groups()) if found else (None, None, None, None)
    t.rest = found and rows and [row[0] for row in rows] == [str(n) for n in range(len(rows))] and t.p50 <= t.p99 <= t.max
    return t


def processors():
    """How many this process may use: so many workers there are."""
    count = len(os.sched_getaffinity(0))
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
    except (OSError, ValueError):
        return count
    return count if quota == "max" else max(1, min(count, -(-int(quota) // int(period))))


def expect(t, what, holds):
    check(f"{what}\n  arguments: {t.command}\n  status: {t.status}\n  stdout: {t.out!r}\n  stderr: {t.err!r}\n  took: {t.took:.2f} s", holds)


def gives(paths, number_of_bytes, *options):
    """All are fetched, and have so many bytes together."""
    t = fetch(*options, *[server.url(path) for path in paths])
    expect(t, f"fetches {paths}", t.status == 0 and t.err == "" and t.done == len(paths) and t.failed == 0)
    expect(t, f"{number_of_bytes} bytes", t.bytes == number_of_bytes)
    return t


def fails(url, reason, kind, *options, environment=None):
    """A line with the URL and the reason; the request beside it is done; status 1."""
    t = fetch(*options, "--concurrency", "2", url, server.url("/ok"), environment=environment)
    expect(t, f"says {reason!r}", t.err == f"{url}: {reason}\n" or re.fullmatch(re.escape(f"{url}: ") + reason + "\n", t.err))
    expect(t, "goes on with the others", t.status == 1 and t.done == 1 and t.failed == 1 and t.bytes >= 100)
    expect(t, f"counts it as {kind!r}", t.errors == {kind: 1})
    return t


# ---- the main job: 20,000 pages of its own server --------------------------------------------------

t = fetch()
expect(t, "fetches 20000 pages", t.status == 0 and t.err == "" and t.done == 20000 and t.failed == 0)
expect(t, "counts their bytes", t.bytes == 20_000_000)
expect(t, "has a whole table", t.rest and t.workers == processors() and not t.errors)
t = fetch("--requests", "10", preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}))
expect(t, "one processor, one worker", t.rest and t.workers == 1)

# ---- many at once -----------------------------------------------------------------------------------

for concurrency, requests in ((200, 600), (1000, 2000)):
    crowd = PAGES["/crowd"] = Crowd(concurrency)
    t = fetch("--concurrency", str(concurrency), "--requests", str(requests), server.url("/crowd"))
    expect(t, f"{requests} pages of 0.3 s", t.status == 0 and t.err == "" and t.done == requests and t.bytes == requests)
    expect(t, f"{concurrency} at once, not {crowd.peak}", crowd.peak == concurrency)
    expect(t, "the times are those of the pages", t.rest and 300 <= t.p50 and t.max < t.took * 1000)
    expect(t, "a request takes a poll at least", t.polls >= requests)
    # It has run for less than what was measured here, and for a page's time in each round.
    expect(t, "the rate is right", requests / t.took - 1 <= t.rate <= requests / (0.3 * (requests // concurrency)))

# ---- what a server may do ---------------------------------------------------------------------------

gives(["/ok"], 100)
gives(["/", "/ok", "/empty", "/chunked", "/until-closed", "/closes", "/hints", "/query?a=1&b=%20", "/good-header"], 1147)
gives(["/permanent", "/relative/a", "/hop/10"], 203)
gives(["/busy-once", "/reset-once"], 11, "--retries", "1")
gives(["/ok"], 100, "--max-body", "100")
check("asks for a page as one should", any(re.match(r"GET /hop/10 HTTP/1\.1\r\nHost: 127\.0\.0\.1:%d\r\n" % server.port, r) for r in server.requests))
check("no fragment in a request", all("#" not in r.split()[1] for r in server.requests))

before = server.connections
t = fetch("--requests", "200", "--concurrency", "1", server.url("/ok"))
expect(t, "one connection for many requests", t.done == 200 and server.connections == before + 1)
t = fetch("--requests", "50", "--concurrency", "2", server.url("/closes-silently"), server.url("/ok"))
expect(t, "a kept connection that was closed costs nothing", t.status == 0 and t.done == 50 and t.bytes == 25 * 110)

six = Server(PAGES, host="::1")
t = fetch(six.url("/ok", host="[::1]"))
expect(t, "an IPv6 literal", t.status == 0 and t.done == 1 and f"Host: [::1]:{six.port}\r\n" in six.requests[0])
t = fetch(server.url("/ok", host="localhost"))
expect(t, "a name", t.status == 0 and t.done == 1)

# ---- what goes wrong --------------------------------------------------------------------------------

with socket.socket() as unused:
    unused.bind(("127.0.0.1", 0))
    fails(f"http://127.0.0.1:{unused.getsockname()[1]}/", "connection refused", "connection refused")
fails(server.url("/reset"), "connection reset", "connection reset")
fails(server.url("/silent"), "timed out", "timed out", "--timeout", "0.5")
fails(server.url("/drips"), "timed out", "timed out", "--timeout", "0.5")
t = fetch("--timeout", "0.4", "--retries", "1", server.url("/silent"))
expect(t, "each attempt has its time", 0.8 < t.took < 5 * SLOWER and t.failed == 1)
fails(server.url("/nothing"), "no answer: the connection was closed", "no answer")
cut = "cut short: the connection was closed in the middle of the answer"
for path in ("/cut", "/cut-chunked", "/cut-header"):
    fails(server.url(path), cut, "cut short")
fails(server.url("/garbage"), "not HTTP: .+", "not HTTP")
fails(server.url("/endless-chunk"), "not HTTP: a line without an end", "not HTTP")
fails(server.url("/404"), "status 404", "status 404")
fails(server.url("/500"), "status 500", "status 500", "--retries", "1")
fails(server.url("/long-header"), "the header is longer than 64 KiB", "the header is longer than 64 KiB")
fails(server.url("/until-closed"), "the body is longer than --max-body", "the body is longer than --max-body", "--max-body", "999")
fails(server.url("/loop"), "too many redirects: more than 10", "too many redirects")
fails(server.url("/hop/11"), "too many redirects: more than 10", "too many redirects")
fails(server.url("/to-other-scheme"), "bad URL: the scheme is neither http nor https", "bad URL")
fails(server.url("/to-nonsense"), r"bad redirect: http://\[/", "bad redirect")
for bad, why in (
    ("ftp://127.0.0.1/", "the scheme is neither http nor https"),
    ("file:///etc/passwd", "the scheme is neither http nor https"),
    ("http://user@127.0.0.1/", "it has user information"),
    ("http://user:password@127.0.0.1/", "it has user information"),
    ("http://127.0.0.1:0/", "the port is not from 1 to 65535"),
    ("http://127.0.0.1:65536/", "the port is not from 1 to 65535"),
    ("http:///path", "it names no host"),
    ("http://a%20b/", "the host is neither a name nor an address"),
    ("127.0.0.1/", r"it has not the form http://host[:port][/path]"),
    ("http://127.0.0.1/a b", r"it has not the form http://host[:port][/path]"),
    ("", r"it has not the form http://host[:port][/path]"),
):
    fails(bad, f"bad URL: {why}", "bad URL")
t = fetch("http://127.0.0.1/\r\nX: y")
expect(t, "control characters are refused, and not printed", t.status == 1 and t.err == "http://127.0.0.1/\\x0d\\x0aX: y: bad URL: it has a control character\n")

# ---- names: nobody is asked, as a library in front of the system's answers ---------------------------

with open(in_folder("names.c"), "w", encoding="utf-8") as file:
    file.write(r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints, struct addrinfo** result) {
    int (*real)(const char*, const char*, const struct addrinfo*, struct addrinfo**) = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node && strcmp(node, "unknown.test") == 0) return EAI_NONAME;
    if (node && strcmp(node, "asleep.test") == 0) { sleep(60); return EAI_AGAIN; }
    return real(node, service, hints, result);
}
__attribute__((destructor)) static void end(void) {
    const char* name = getenv("NOTE_AT_THE_END");
    if (name) close(creat(name, 0600));
}
""")
subprocess.run(["gcc", "-shared", "-fPIC", "-o", in_folder("names.so"), in_folder("names.c"), "-ldl"], check=True)
NAMES = {"LD_PRELOAD": in_folder("names.so")}
fails("http://unknown.test/", "name not found: .+", "name not found", environment=NAMES)
t = fails("http://asleep.test/", "timed out: nobody knows the name yet", "timed out", "--timeout", "0.5", environment=NAMES)
expect(t, "a name server that sleeps holds nobody up", t.took < 5 * SLOWER)

# The program ends in the normal way, by way of all destructors, unless it had to give up a look-up.
for host, options, normally in (("127.0.0.1", [], True), ("localhost", [], True), ("unknown.test", [], True),
                                ("asleep.test", ["--timeout", "0.5"], False)):
    note = in_folder(f"note of {host}")
    t = fetch(*options, server.url("/ok", host=host), environment={**NAMES, "NOTE_AT_THE_END": note})
    expect(t, f"from {host} it ends {'normally' if normally else 'quickly'}", os.path.exists(note) == normally and t.took < 5 * SLOWER)

# ---- TLS -----------------------------------------------------------------------------------------------


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=FOLDER.name)


def certificate(name, authority, days, names):
    """A key and a certificate of that authority in name.pem."""
    with open(in_folder("names.ext"), "w", encoding="utf-8") as extension:
        extension.write(f"subjectAltName = {names}\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=test")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial",
            "-days", str(days), "-extfile", "names.ext", "-out", f"{name}.crt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(in_folder(f"{name}.crt"), in_folder(f"{name}.key"))
    return context


for authority in ("known", "unknown"):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{authority}.key", "-out", f"{authority}.pem",
            "-days", "2", "-subj", f"/CN={authority} authority")
TRUST = ["--cacert", in_folder("known.pem")]

good_context = certificate("good", "known", 2, "DNS:localhost,IP:127.0.0.1,IP:::1")
good = Server({
    **PAGES,
    "/down": redirect(f"http://127.0.0.1:{server.port}/ok"),
    "/no-goodbye": says_and_closes("HTTP/1.1 200 OK\r\n\r\npart"),
}, tls=good_context)
good_context.sni_callback = lambda connection, name, context: good.names.append(name)
PAGES["/up"] = redirect(good.url("/ok", host="localhost"))

t = fetch(*TRUST, "--requests", "20", good.url("/ok", host="localhost"))
expect(t, "a good certificate", t.status == 0 and t.done == 20 and t.bytes == 2000)
expect(t, "the server is asked for by name", set(good.names) == {"localhost"})
t = fetch(*TRUST, good.url("/ok"), good.url("/chunked"))
expect(t, "a certificate for an address", t.status == 0 and t.done == 2 and None in good.names)
t = fetch(*TRUST, server.url("/up"))
expect(t, "from http to https", t.status == 0 and t.done == 1 and t.bytes == 100)
fails(good.url("/down"), "bad redirect: from https to http", "bad redirect", *TRUST)
fails(good.url("/no-goodbye"), cut, "cut short", *TRUST)
fails(good.url("/silent"), "timed out", "timed out", *TRUST, "--timeout", "0.5")
fails(good.url("/ok"), "TLS: unable to get local issuer certificate", "TLS")
fails(good.url("/ok"), "TLS: unable to get local issuer certificate", "TLS", "--cacert", in_folder("unknown.pem"))
expired = Server(PAGES, tls=certificate("expired", "known", -1, "DNS:localhost,IP:127.0.0.1"))
fails(expired.url("/ok"), "TLS: certificate has expired", "TLS", *TRUST)
other = Server(PAGES, tls=certificate("other", "known", 2, "DNS:other.test,IP:127.0.0.2"))
fails(other.url("/ok", host="localhost"), "TLS: hostname mismatch", "TLS", *TRUST)
fails(other.url("/ok"), "TLS: IP address mismatch", "TLS", *TRUST)
t = fetch(*TRUST, server.url("/ok").replace("http:", "https:"), "--timeout", "2")
expect(t, "a server without TLS", t.status == 1 and t.failed == 1 and t.err.count("\n") == 1)

old_context = certificate("old", "known", 2, "DNS:localhost,IP:127.0.0.1")
old_context.minimum_version = ssl.TLSVersion.TLSv1
old_context.maximum_version = ssl.TLSVersion.TLSv1_1
old_context.set_ciphers("ALL:@SECLEVEL=0")
old = Server(PAGES, tls=old_context)
speaks_it = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
speaks_it.minimum_version = ssl.TLSVersion.TLSv1
speaks_it.set_ciphers("ALL:@SECLEVEL=0")
speaks_it.load_verify_locations(in_folder("known.pem"))
with socket.create_connection(("127.0.0.1", old.port)) as plain, speaks_it.wrap_socket(plain, server_hostname="localhost") as wrapped:
    check("the old server does speak TLS 1.1", wrapped.version() == "TLSv1.1")
fails(old.url("/ok"), "TLS: .+", "TLS", *TRUST)
# Nor where the system allows it: the program itself does not.
with open(in_folder("lax.cnf"), "w", encoding="utf-8") as file:
    file.write("""\
openssl_conf = all
[all]
ssl_conf = tls
[tls]
system_default = lax
[lax]
MinProtocol = TLSv1
CipherString = DEFAULT@SECLEVEL=0
""")
fails(old.url("/ok"), "TLS: .*protocol version.*", "TLS", *TRUST, environment={"OPENSSL_CONF": in_folder("lax.cnf")})

t = Run("--cacert", in_folder("nothing.pem"), server.url("/ok"))
t.check("no certificates is an error", t.status == 1 and t.out == "" and t.err.count("\n") == 1)

# ---- signals ---------------------------------------------------------------------------------------------


def interrupted(arguments, number=signal.SIGINT, environment=None):
    """Starts, waits until it is under way, interrupts it; the table comes within a second."""
    process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, **(environment or {})})
    line = process.stdout.readline()  # of progress: it runs
    start = time.monotonic()
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=20 * SLOWER)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    return read_table(line + out, err, process.returncode, time.monotonic() - start, arguments)


def full_pipe():
    """One that takes no byte more."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"." * 65536)
    except BlockingIOError:
        pass
    try:
        while True:
            os.write(writer, b".")
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    return reader, writer


for number in (signal.SIGINT, signal.SIGTERM):
    t = interrupted(["--requests", "1000", "--concurrency", "20", server.url("/ok"), server.url("/silent")], number=number)
    expect(t, "a signal prints the partial table within a second", t.took < SLOWER and t.status == 128 + number)
    expect(t, "which is partial", t.all == 1000 and 0 < t.done < 1000 and t.workers >= 1 and t.rest)
t = interrupted(["http://asleep.test/", server.url("/ok")], environment=NAMES)
expect(t, "also while a name is being resolved", t.took < SLOWER and t.status == 130 and t.done == 1)
t = interrupted([*TRUST, "--requests", "100", good.url("/silent")])
expect(t, "also with TLS", t.took < SLOWER and t.status == 130 and t.done == 0)

# After the first one it cannot end: nobody reads its table. The second one ends it at once, by the signal itself.
for number in (signal.SIGINT, signal.SIGTERM):
    reader, writer = full_pipe()
    before = len(server.requests)
    process = subprocess.Popen([PROGRAM, server.url("/silent")], stdout=writer, stderr=subprocess.DEVNULL)
    os.close(writer)
    end_of_time = time.monotonic() + 20 * SLOWER
    while len(server.requests) == before and time.monotonic() < end_of_time:
        time.sleep(0.01)
    process.send_signal(number)
    time.sleep(1)
    check("the first signal lets it print its table", process.poll() is None)
    start = time.monotonic()
    process.send_signal(number)
    try:
        process.wait(timeout=20 * SLOWER)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    check(f"the second one ends it, not {process.returncode}", process.returncode == -number)
    check("and at once", time.monotonic() - start < SLOWER)
    os.close(reader)

# ---- progress --------------------------------------------------------------------------------------------

t = fetch("--requests", "4", "--concurrency", "1", "--timeout", "0.4", *[server.url("/silent")])
expect(t, "a plain line each second", len(re.findall(r"^\d of 4, \d failed, 0 requests/s$", t.out, re.MULTILINE)) in (1, 2))
expect(t, "no bar", "\r" not in t.out and "\033" not in t.out)

pid, terminal = pty.fork()
if pid == 0:
    os.execv(PROGRAM, [PROGRAM, "--requests", "3", "--concurrency", "1", "--timeout", "0.4", server.url("/silent")])
seen = b""
try:
    while some := os.read(terminal, 65536):
        seen += some
except OSError:
    pass  # how a terminal ends
_, status = os.waitpid(pid, 0)
check(f"on a terminal there is a bar, not {seen!r}", re.search(rb"\r\[#* *\] \d of 3, \d failed, 0 requests/s\x1b\[K", seen))
check("and the lines about errors start at its beginning", seen.count(b"\r\x1b[Khttp://") == 3)
check("and the table comes last, on lines of its own", re.search(rb"(\n|\r\x1b\[K)requests   0 done, 3 failed, of 3\r\n", seen) and os.WEXITSTATUS(status) == 1)

# ---- limits ----------------------------------------------------------------------------------------------


def files(soft, hard):
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))}


t = fetch("--concurrency", "1000", "--requests", "3000", **files(256, 4096))
expect(t, "a thousand at once, with the limit raised", t.status == 0 and t.err == "" and t.done == 3000)
t = fetch("--concurrency", "1000", "--requests", "3000", **files(256, 300))
expect(t, "a hard limit that is too low is named", "hard limit is 300" in t.err and t.err.count("\n") == 1)
expect(t, "and kept to", t.status == 0 and t.done == 3000)

check_help("--concurrency", "--requests", "--timeout", "--retries", "--cacert", "--max-body", "URL")
for wrong in (["--concurrency", "0"], ["--concurrency", "many"], ["--requests", "0"], ["--timeout", "0"], ["--timeout", "-1"],
              ["--timeout", "nan"], ["--retries", "-1"], ["--retries", "21"], ["--max-body", "-1"], ["--no-such-option"]):
    check_refuses(*wrong)
FOLDER.cleanup()
end()
