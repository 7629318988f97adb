# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
"""Fifty connections, a hundred round trips each, every byte; then a signal, and it ends."""

import re
import signal
import socket
import subprocess
import threading
import time

from program import PROGRAM, check_help, check_refuses, end, failures

CONNECTIONS, ROUNDS = 50, 100


def check(what, holds):
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}")


def start(*arguments):
    server = subprocess.Popen([PROGRAM, "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    found = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", line)
    check(f"says where it listens, not {line!r}", found)
    return server, int(found[1]) if found else 0


def stop(server, number):
    """The signal ends it with status 0, soon."""
    begin = time.monotonic()
    server.send_signal(number)
    try:
        out, err = server.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        server.kill()
        out, err = server.communicate()
    check("ends within five seconds", time.monotonic() - begin < 5)
    check(f"ends with status 0, not {server.returncode}", server.returncode == 0)
    check(f"prints nothing more, not {out!r}", out == "")
    check(f"says nothing on stderr, not {err!r}", err == "")


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

# Connections that are open, and one that is in the middle of a write, do not hold it up.
process, where = start("--workers", "2")
idle = [socket.create_connection(("127.0.0.1", where), timeout=60) for _ in range(5)]
idle[0].setblocking(False)
try:
    while True:
        idle[0].send(b"x" * 65536)
except BlockingIOError:
    pass
stop(process, signal.SIGINT)
for one in idle:
    one.close()

# A port that is taken.
with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    done = subprocess.run([PROGRAM, "--port", str(taken.getsockname()[1])], capture_output=True, text=True, timeout=60, check=False)
    check("a taken port is an error", done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1)

check_help("--port", "--workers", "--address")
check_refuses("--port", "-1")
check_refuses("--port", "65536")
check_refuses("--port", "http")
check_refuses("--workers", "0")
check_refuses("--workers", "many")
check_refuses("--address", "nowhere")
check_refuses("--no-such-option")
check_refuses("argument")
end()
