# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
"""Fifty connections, a hundred round trips each, every byte; a thousand connections at once; errors; then a signal, and it ends."""

import os
import re
import resource
import selectors
import signal
import socket
import struct
import subprocess
import threading
import time

from program import PROGRAM, check_help, check_refuses, end, failures

CONNECTIONS, ROUNDS = 50, 100
SLOWER = 10 if os.environ.get("ROUSE_SLOW") else 1  # under a sanitizer, for example

# For a thousand connections, here and in the server.
LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(LIMIT[0], 2000), LIMIT[1]), LIMIT[1]))


def check(what, holds):
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}")


def start(*arguments, address="127.0.0.1", before=None):
    server = subprocess.Popen([PROGRAM, "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=before)
    line = server.stdout.readline()
    found = re.fullmatch(rf"listening on {re.escape(address)}:(\d+)\n", line)
    check(f"says where it listens, not {line!r}", found)
    return server, int(found[1]) if found else 0


def stop(server, number, err=""):
    """The signal ends it with status 0, soon."""
    begin = time.monotonic()
    server.send_signal(number)
    try:
        out, said = server.communicate(timeout=20 * SLOWER)
    except subprocess.TimeoutExpired:
        server.kill()
        out, said = server.communicate()
    check("ends within five seconds", time.monotonic() - begin < 5 * SLOWER)
    check(f"ends with status 0, not {server.returncode}", server.returncode == 0)
    check(f"prints nothing more, not {out!r}", out == "")
    check(f"says {err!r} on stderr, not {said!r}", re.fullmatch(err, said))


def talk(port, number, right):
    """One connection: messages of all sizes, and the same comes back."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            for n in range(ROUNDS):
                size = 1 + (number * ROUNDS + n) * 37 % 6000
                message = bytes((number + n + i) % 256 for i in range(size))
                connection.sendall(message)
                received = b""
                while len(received) < size:
                    some = connection.recv(size - len(received))
                    if not some:
                        return
                    received += some
                if received != message:
                    return
            connection.shutdown(socket.SHUT_WR)
            right[number] = connection.recv(1) == b""
    except OSError as e:
        print(f"connection {number}: {e}")


for workers in ([], ["--workers", "1"], ["--workers", "4"]):
    process, where = start(*workers)
    results = [False] * CONNECTIONS
    clients = [threading.Thread(target=talk, args=(where, i, results)) for i in range(CONNECTIONS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    check(f"every byte came back, with {workers}", all(results))
    stop(process, signal.SIGTERM)


class Talker:
    """One of many connections that are driven by one thread. A round is a message that comes back."""

    def __init__(self, port, number, rounds):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.number, self.left, self.message, self.received = number, rounds, b"", b""

    def say(self):
        size = 1 + (self.number + self.left * 37) % 600
        self.message = struct.pack("!II", self.number, self.left) * (size // 8 + 1)
        self.received = b""
        self.socket.sendall(self.message)

    def hear(self):
        """False: something else has come back."""
        some = self.socket.recv(65536)
        self.received += some
        if not some or not self.message.startswith(self.received):
            return False
        if self.received == self.message:
            self.left -= 1
            if self.left:
                self.say()
        return True


def talk_all(port, connections, rounds):
    """All at once. True: every byte has come back on the connection that sent it."""
    with selectors.DefaultSelector() as selector:
        talkers = [Talker(port, n, rounds) for n in range(connections)]
        for one in talkers:
            one.say()
            selector.register(one.socket, selectors.EVENT_READ, one)
        left, right = connections, True
        end_of_time = time.monotonic() + 60 * SLOWER
        while left and right and time.monotonic() < end_of_time:
            for key, _ in selector.select(timeout=1):
                right = right and key.data.hear()
                if key.data.left == 0:
                    selector.unregister(key.data.socket)
                    left -= 1
        for one in talkers:
            one.socket.close()
    return right and left == 0


begin = time.monotonic()
for mode in ("own", "io"):
    for workers in ("1", "2", "8"):
        process, where = start("--mode", mode, "--workers", workers)
        check(f"a thousand connections at once, --mode {mode}, --workers {workers}", talk_all(where, 1000, 5))
        stop(process, signal.SIGTERM)
print(f"a thousand connections, six times: {time.monotonic() - begin:.1f} s")


def echoes(connection, message=b"hello"):
    connection.settimeout(20 * SLOWER)
    connection.sendall(message)
    received = b""
    while len(received) < len(message):
        some = connection.recv(len(message) - len(received))
        if not some:
            return False
        received += some
    return received == message


def seconds_of_cpu(server):
    with open(f"/proc/{server.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# No file descriptors left: it says so once, waits without effort, and goes on when there are some.
# Not where UBSan looks at virtual calls: it needs a file descriptor for that, and takes its lack for a fault.
with open(PROGRAM, "rb") as program:
    looked_at = b"__ubsan_handle_dynamic_type_cache_miss" in program.read()
if not looked_at:
    process, where = start(before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
    many = [socket.create_connection(("127.0.0.1", where), timeout=60) for _ in range(60)]
    line = process.stderr.readline()
    check(f"says that it cannot accept, not {line!r}", re.fullmatch(r"cannot accept: Too many open files.*; trying again\n", line))
    check("who is there is served meanwhile", echoes(many[0]))
    used = seconds_of_cpu(process)
    time.sleep(1)
    used = seconds_of_cpu(process) - used
    check(f"it hardly works meanwhile, not {used} s", used < 0.3)
    for one in many[:50]:
        one.close()
    check("those who waited are served then", all(echoes(one) for one in many[50:]))
    for one in many[50:]:
        one.close()
    with socket.create_connection(("127.0.0.1", where), timeout=60) as one:
        check("and so are those who come later", echoes(one))
    stop(process, signal.SIGTERM, err=r"(cannot accept: .*\n){0,3}")


def fill(connection):
    """Sends until nobody takes any more: the server is in the middle of a write."""
    connection.setblocking(False)
    quiet_since = time.monotonic()
    while time.monotonic() < quiet_since + 0.2:
        try:
            connection.send(b"x" * 65536)
            quiet_since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)


# A client that is gone in the middle of a write is no news.
for mode in ("own", "io"):
    process, where = start("--mode", mode)
    for _ in range(3):
        one = socket.create_connection(("127.0.0.1", where), timeout=60)
        fill(one)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
    with socket.create_connection(("127.0.0.1", where), timeout=60) as one:
        check("a reset does the others no harm", echoes(one))
    stop(process, signal.SIGTERM)

# Another address.
process, where = start("--address", "::1", address="[::1]")
with socket.create_connection(("::1", where), timeout=60) as one:
    check("it answers on ::1", echoes(one))
stop(process, signal.SIGTERM)

# Connections that are open, and one that is in the middle of a write, do not hold it up.
for mode in ("own", "io"):
    process, where = start("--workers", "2", "--mode", mode)
    idle = [socket.create_connection(("127.0.0.1", where), timeout=60) for _ in range(5)]
    fill(idle[0])
    stop(process, signal.SIGINT)
    for one in idle:
        one.close()

# A port that is taken.
with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    done = subprocess.run([PROGRAM, "--port", str(taken.getsockname()[1])], capture_output=True, text=True, timeout=60 * SLOWER, check=False)
    check("a taken port is an error", done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1)

check_help("--port", "--workers", "--address", "--mode")
check_refuses("--port", "-1")
check_refuses("--port", "65536")
check_refuses("--port", "http")
check_refuses("--workers", "0")
check_refuses("--workers", "many")
check_refuses("--address", "nowhere")
check_refuses("--mode", "both")
check_refuses("--no-such-option")
check_refuses("argument")
end()
