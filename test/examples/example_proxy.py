# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
"""A proxy: ends of both sides, limits of time and number, a target that does not answer, the end, and a load."""

import atexit
import os
import re
import resource
import selectors
import signal
import socket
import struct
import subprocess
import time
import zlib

from program import PROGRAM, check_help, check_refuses, end, failures

SLOWER = 10 if os.environ.get("ROUSE_SLOW") else 1  # under a sanitizer, for example
LONG = bool(os.environ.get("ROUSE_TEST_LONG"))
PATIENCE = 20 * SLOWER


def check(what, holds):
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}")


class Target:
    """Where the proxy connects to. Without `answers` it is a port that refuses."""

    def __init__(self, answers=True, backlog=128):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.socket.settimeout(PATIENCE)
        if answers:
            self.socket.listen(backlog)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def accept(self):
        one, _ = self.socket.accept()
        one.settimeout(PATIENCE)
        return one


class Proxy:
    def __init__(self, target, *arguments, listen="127.0.0.1", before=None):
        self.process = subprocess.Popen([PROGRAM, *arguments, f"{listen}:0", target], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, preexec_fn=before)
        atexit.register(self.process.kill)
        line = self.process.stdout.readline()
        found = re.fullmatch(rf"listening on {re.escape(listen)}:(\d+)\n", line)
        check(f"says where it listens, not {line!r}", found)
        self.port = int(found[1]) if found else 0

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def pair(self, target):
        """The two ends of one connection."""
        client = self.connect()
        return client, target.accept()

    def peak_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"^VmHWM:\s*(\d+) kB$", status.read(), re.MULTILINE)[1]) / 1024

    def seconds_of_cpu(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ends(self, what, err="", least=0, most=2.0, **expected):
        """By itself or because it was told to, with these counters and 0 for all others."""
        begin = time.monotonic()
        try:
            out, said = self.process.communicate(timeout=PATIENCE + most)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, said = self.process.communicate()
        took = time.monotonic() - begin
        check(f"{what}: ends between {least} and {most} seconds, not {took:.2f}", least <= took < most * SLOWER)
        check(f"{what}: ends with status 0, not {self.process.returncode}", self.process.returncode == 0)
        check(f"{what}: says {err!r} on stderr, not {said!r}", re.fullmatch(err, said))
        found = re.fullmatch(r"connections  (?P<accepted>\d+) accepted, at most (?P<most>\d+) at once\n"
                             r"of these     (?P<complete>\d+) complete, (?P<idle>\d+) idle, (?P<unreachable>\d+) without target, "
                             r"(?P<broken>\d+) broken, (?P<cut_off>\d+) cut off\n"
                             r"bytes        (?P<up>\d+) to the target, (?P<down>\d+) to the clients\n", out)
        check(f"{what}: prints its counters, not {out!r}", found)
        if not found:
            return {}
        got = {name: int(value) for name, value in found.groupdict().items()}
        ways = ("complete", "idle", "unreachable", "broken", "cut_off")
        check(f"{what}: {expected}, not {got}", all(got[name] == expected.get(name, 0) for name in ways))
        check(f"{what}: each is counted once: {got}", got["accepted"] == sum(got[name] for name in ways))
        return got

    def stop(self, what, number=signal.SIGTERM, **expected):
        self.process.send_signal(number)
        return self.ends(what, **expected)


def receive(sock, size):
    """That many bytes, or what comes before the end."""
    parts = []
    while size > 0 and (some := sock.recv(min(size, 1 << 16))):
        parts.append(some)
        size -= len(some)
    return b"".join(parts)


def at_end(sock):
    """How it ends: "end" or "reset", or what else comes."""
    try:
        return sock.recv(100) or "end"
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "nothing"


def is_silent(sock, seconds):
    sock.settimeout(seconds)
    how = at_end(sock)
    sock.settimeout(PATIENCE)
    return how == "nothing"


def resets(sock):
    """Closes it as a program does that crashes."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def fill(sock):
    """Sends until nobody takes any more."""
    sock.setblocking(False)
    quiet_since = time.monotonic()
    while time.monotonic() < quiet_since + 0.2 * SLOWER:
        try:
            sock.send(bytes(1 << 16))
            quiet_since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    sock.settimeout(PATIENCE)


BIG = os.urandom(1 << 20)

# ---- the ends of both sides ------------------------------------------------------------------------------

with Target() as target:
    proxy = Proxy(target.name)
    for number in range(3):
        # Whoever has said that it sends no more still receives; whichever side says it first.
        for order in (1, -1):
            first, second = proxy.pair(target)[::order]
            first.sendall(b"the first words")
            first.shutdown(socket.SHUT_WR)
            check("the words arrive, and then their end", receive(second, 100) == b"the first words")
            for part in range(4):
                second.sendall(BIG[part << 18:(part + 1) << 18])
                check("the other direction goes on", receive(first, 1 << 18) == BIG[part << 18:(part + 1) << 18])
            second.sendall(b"the last words")
            second.close()
            check("until it ends too", receive(first, 100) == b"the last words")
            first.close()

    # Both at once, and nothing said at all.
    client, served = proxy.pair(target)
    client.shutdown(socket.SHUT_WR)
    served.shutdown(socket.SHUT_WR)
    check("nothing but two ends", at_end(client) == "end" and at_end(served) == "end")

    # Who breaks off is not taken for one that has said everything, on either side; and harms no others.
    other = proxy.pair(target)
    for order in (1, -1):
        gone, left = proxy.pair(target)[::order]
        gone.sendall(b"half a w")
        check("half a word", receive(left, 8) == b"half a w")
        resets(gone)
        check("a reset becomes a reset", at_end(left) == "reset")
    # Nor while nobody reads.
    gone, left = proxy.pair(target)
    fill(gone)
    resets(gone)
    received = b"x"
    try:
        while received:
            received = left.recv(1 << 16)
        check("a reset, also for one that has much to read", False)
    except ConnectionResetError:
        pass
    other[0].sendall(b"hello")
    check("the others go on", receive(other[1], 5) == b"hello")
    for one in other:
        one.close()
    counted = proxy.stop("ends", complete=8, broken=3)
    check("bytes of both directions", counted["up"] >= 3 * (15 + (1 << 20) + 14) and counted["down"] >= 3 * (15 + (1 << 20) + 14))

# A slow reader is sent slowly: what waits does so at the sender. And the second signal waits for nobody.
with Target() as target:
    proxy = Proxy(target.name, "--grace", "60")
    pairs = [proxy.pair(target) for _ in range(3)]
    for client, served in pairs:
        fill(client)
        fill(served)
    check(f"little memory for those who read nothing, not {proxy.peak_mib():.0f} MiB", SLOWER > 1 or proxy.peak_mib() < 64)
    proxy.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    check("the first signal waits for them", proxy.process.poll() is None)
    proxy.stop("the second signal", signal.SIGINT, cut_off=3)

# ---- time ------------------------------------------------------------------------------------------------


def timed(what, least, most, begin):
    took = time.monotonic() - begin
    check(f"{what}: between {least} and {most} seconds, not {took:.2f}", least <= took < most * SLOWER)


IDLE = 0.6 * SLOWER
with Target() as target:
    proxy = Proxy(target.name, "--idle-timeout", str(IDLE))
    begin = time.monotonic()
    client, served = proxy.pair(target)
    check("both sides of an idle connection are reset", at_end(client) == "reset" and at_end(served) == "reset")
    timed("silence", IDLE, IDLE + 1, begin)

    # One direction is enough, whichever it is, and with the other one at its end.
    for order in (1, -1):
        speaker, listener = proxy.pair(target)[::order]
        for n in range(6):
            if n == 3:
                listener.shutdown(socket.SHUT_WR)
            time.sleep(IDLE / 3)
            speaker.sendall(b".")
            check("a byte in either direction keeps both", receive(listener, 1) == b".")
        begin = time.monotonic()
        check("until there are no more", at_end(speaker) == "end" and at_end(listener) == "reset")
        timed("silence after some words", IDLE * 0.9, IDLE + 1, begin)

    # Who reads nothing makes both idle.
    client, served = proxy.pair(target)
    fill(client)
    begin = time.monotonic()
    check("nor does one that nobody reads live longer", at_end(client) == "reset")
    timed("a reader that does not read", 0, IDLE + 1, begin)
    proxy.stop("idle", idle=4)

# ---- the target ------------------------------------------------------------------------------------------

with Target(answers=False) as target:
    proxy = Proxy(target.name, "--attempts", "2")
    begin = time.monotonic()
    with proxy.connect() as client:
        client.sendall(b"hello?")
        check("without a target the client is reset", at_end(client) == "reset")
    timed("two attempts with a pause", 0.05, 1, begin)
    proxy.stop("a refusal", err=rf"cannot connect to {re.escape(target.name)}: Connection refused\n", unreachable=1)

    # It is tried again, and nothing that was said meanwhile is lost.
    proxy = Proxy(target.name, "--attempts", "100")
    with proxy.connect() as client:
        client.sendall(b"anybody there?")
        time.sleep(0.3)
        target.socket.listen()
        with target.accept() as served:
            check("a target that comes later", receive(served, 14) == b"anybody there?")
    proxy.stop("a retry", complete=1)

# A target that does not answer: its queue is full, and the system is silent about it.
with Target(backlog=0) as target:
    full = [socket.socket() for _ in range(4)]
    for one in full:
        one.setblocking(False)
        one.connect_ex(target.socket.getsockname())
    proxy = Proxy(target.name, "--attempts", "2", "--connect-timeout", "0.4")
    begin = time.monotonic()
    with proxy.connect() as client:
        check("a target that is silent", at_end(client) == "reset")
    timed("each attempt has its time", 0.8, 2, begin)
    proxy.stop("silence", err=rf"cannot connect to {re.escape(target.name)}: the time limit was reached\n", unreachable=1)

    proxy = Proxy(target.name, "--connect-timeout", "60", "--grace", "60")
    with proxy.connect() as client:
        time.sleep(0.3)
        proxy.stop("who waits for the target is not waited for", cut_off=1)
    for one in full:
        one.close()

# ---- the number of connections ---------------------------------------------------------------------------

with Target() as target:
    proxy = Proxy(target.name, "--connections", "2")
    pairs = [proxy.pair(target) for _ in range(2)]
    waiting = proxy.connect()
    waiting.sendall(b"hello")
    target.socket.settimeout(0.5)
    try:
        target.accept()
        check("the third waits", False)
    except TimeoutError:
        pass
    target.socket.settimeout(PATIENCE)
    for one in pairs[0]:
        one.close()
    served = target.accept()
    check("until one has ended", receive(served, 5) == b"hello")
    for one in (*pairs[1], waiting, served):
        one.close()
    most = proxy.stop("a limit", complete=3).get("most")
    check(f"never more than allowed, not {most}", most == 2)

# No file descriptors left, for clients or for targets: it says so, waits without effort, and goes on when there are some.
# Not where UBSan looks at virtual calls: it needs a file descriptor for that, and takes its lack for a fault.
with open(PROGRAM, "rb") as program:
    looked_at = b"__ubsan_handle_dynamic_type_cache_miss" in program.read()
if not looked_at:
    with Target() as target:
        proxy = Proxy(target.name, "--grace", "0", before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
        many = [proxy.connect() for _ in range(60)]
        time.sleep(0.5)
        before = proxy.seconds_of_cpu()
        time.sleep(1.5)
        used = proxy.seconds_of_cpu() - before
        check(f"and hardly works meanwhile, not {used} s", used < 0.3 * SLOWER)
        for one in many:
            one.close()
        client = proxy.connect()
        client.sendall(b"it is me")
        client.shutdown(socket.SHUT_WR)
        begin, said = time.monotonic(), b""
        while said != b"it is me" and time.monotonic() < begin + PATIENCE:
            with target.accept() as served:
                try:
                    said = receive(served, 8)
                except ConnectionResetError:
                    pass
        check("goes on when there are some", said == b"it is me" and at_end(client) == "end")
        client.close()
        proxy.process.terminate()
        _, said = proxy.process.communicate(timeout=PATIENCE)
        check("and ends", proxy.process.returncode == 0)
        lines = set(said.splitlines())
        check(f"says what it cannot do, not {lines}", lines == {
            "cannot accept: Too many open files; trying again", f"cannot connect to {target.name}: Too many open files"})

# ---- the end ---------------------------------------------------------------------------------------------

with Target() as target:
    for number in (signal.SIGINT, signal.SIGTERM):
        Proxy(target.name).stop("nothing to do", number)

    proxy = Proxy(target.name, "--grace", "60")
    client, served = proxy.pair(target)
    client.sendall(b"hello")
    receive(served, 5)  # so that it is no longer about to connect
    proxy.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    try:
        with proxy.connect() as late:
            check("nobody is accepted any more", at_end(late) == "reset")
    except ConnectionRefusedError:
        pass
    client.sendall(b"still there?")
    check("who is there goes on", receive(served, 12) == b"still there?")
    client.close()
    served.close()
    proxy.ends("the last one ends it", complete=1)

    proxy = Proxy(target.name, "--grace", "0.5")
    client, served = proxy.pair(target)
    client.sendall(b"hello")
    receive(served, 5)
    begin = time.monotonic()
    proxy.process.send_signal(signal.SIGTERM)
    proxy.ends("after the grace it waits for nobody", most=3, cut_off=1)
    timed("the grace", 0.5, 3, begin)
    check("who was cut off is reset", at_end(client) == "reset" and at_end(served) == "reset")

# ---- a load ----------------------------------------------------------------------------------------------

BLOCK = memoryview(BIG + BIG)


class End:
    """One end of a connection. It sends a stream of its own, which begins with its number, and receives another one."""

    received = bytearray(1 << 18)

    def __init__(self, sock, number, size):
        self.socket, self.number, self.size = sock, number, size
        self.head = struct.pack("!Q", number)
        self.at = self.got = self.sent_sum = self.got_sum = 0
        self.other = b""
        self.open = 2  # directions
        sock.setblocking(False)

    def send(self):
        if self.at < 8:
            piece = self.head[self.at:]
        else:
            begin = (self.at + self.number * 10007) % len(BIG)
            piece = BLOCK[begin:begin + min(1 << 18, self.size - self.at)]
        sent = self.socket.send(piece)
        self.sent_sum = zlib.crc32(piece[:sent], self.sent_sum)
        self.at += sent
        if self.at == self.size:
            self.socket.shutdown(socket.SHUT_WR)
            self.open -= 1

    def receive(self):
        got = self.socket.recv_into(self.received)
        piece = memoryview(self.received)[:got]
        self.got_sum = zlib.crc32(piece, self.got_sum)
        self.other += bytes(piece[:8 - len(self.other)])
        self.got += got
        if got == 0:
            self.open -= 1
        return got


def load(connections, size):
    """So many bytes in each direction, through so many connections at once. Every byte is looked at."""
    with Target(backlog=connections) as target:
        proxy = Proxy(target.name)
        ends = {}
        begin = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for n in range(connections):
                for number, sock in enumerate(proxy.pair(target)):
                    one = End(sock, 2 * n + number, size // connections)
                    ends[one.number] = one
                    selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, one)
            until = time.monotonic() + 600
            while selector.get_map() and time.monotonic() < until:
                for key, what in selector.select(timeout=1):
                    one, interest = key.data, key.events
                    if what & selectors.EVENT_WRITE:
                        one.send()
                        if one.at == one.size:
                            interest &= ~selectors.EVENT_WRITE
                    if what & selectors.EVENT_READ and one.receive() == 0:
                        interest &= ~selectors.EVENT_READ
                    if one.open == 0:
                        selector.unregister(one.socket)
                        one.socket.close()
                    elif interest != key.events:
                        selector.modify(one.socket, interest, one)
        took = time.monotonic() - begin
        for one in ends.values():
            other = ends[one.number ^ 1]
            check(f"{one.number}: all has come, and nothing else",
                  (one.other, one.got, one.got_sum) == (other.head, other.size, other.sent_sum))
        peak, cpu = proxy.peak_mib(), proxy.seconds_of_cpu()
        print(f"{size >> 20} MiB each way through {connections} connections: {took:.1f} s, "
              f"of the proxy {cpu:.1f} s of CPU and at most {peak:.1f} MiB")
        check(f"within a minute, not {took:.1f} s", took < 60 * SLOWER)
        check(f"with less than 64 MiB, not {peak:.1f}", SLOWER > 1 or peak < 64)
        counted = proxy.stop("a load", complete=connections)
        whole = size // connections * connections
        check("every byte is counted", counted.get("up") == counted.get("down") == whole)
        check("all at once", counted.get("most") == connections)


load(100, 1 << 30 if LONG else (1 << 30) // 10)

# ---- options ---------------------------------------------------------------------------------------------

with Target() as target:
    proxy = Proxy(target.name.replace("127.0.0.1", "localhost"), "--workers", "1", listen="[::1]")
    with socket.create_connection(("::1", proxy.port), timeout=PATIENCE) as client, target.accept() as served:
        client.sendall(b"hello")
        check("it listens on ::1, and knows names", receive(served, 5) == b"hello")
    proxy.stop("another address", complete=1)

    done = subprocess.run([PROGRAM, target.name, target.name], capture_output=True, text=True, timeout=PATIENCE, check=False)
    check("a taken port is an error", done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1)
    done = subprocess.run([PROGRAM, "127.0.0.1:0", "no such host:80"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    check(f"a target without address is an error: {done.stderr!r}",
          done.returncode == 1 and done.stdout == "" and "--target: no such host: " in done.stderr and done.stderr.count("\n") == 1)

check_help("--listen", "--target", "--workers", "--connections", "--connect-timeout", "--attempts", "--idle-timeout", "--grace")
check_refuses()
check_refuses("127.0.0.1:0")
for wrong in ("127.0.0.1", ":80", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:80x", "127.0.0.1:65536", "127.0.0.1:-1", "localhost:80"):
    check_refuses(wrong, "127.0.0.1:1")
for wrong in ("127.0.0.1", ":80", "127.0.0.1:0", "127.0.0.1:70000"):
    check_refuses("127.0.0.1:0", wrong)
for option, *values in (("--workers", "0", "1001", "many"), ("--connections", "0", "-1", "x"), ("--attempts", "0", "101", "x"),
                        ("--connect-timeout", "0", "-1", "nan", "1e9", "soon"), ("--idle-timeout", "0", "-1", "nan", "1e9"),
                        ("--grace", "-1", "nan", "1e9"), ("--no-such-option", "1")):
    for wrong in values:
        check_refuses(option, wrong, "127.0.0.1:0", "127.0.0.1:1")
check_refuses("127.0.0.1:0", "127.0.0.1:1", "argument")
end()
