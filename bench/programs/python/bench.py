"""The Python contender: blocking sockets, descriptors by send_fds() and recv_fds()."""

import json
import os
import resource
import select
import socket
import struct
import sys
import time

IDLE_US = 20_000
TYPES = {
    "dgram": socket.SOCK_DGRAM,
    "seqpacket": socket.SOCK_SEQPACKET,
    "stream": socket.SOCK_STREAM,
}


def parse(words):
    options = dict(word.split("=", 1) for word in words)
    for key in ("size", "fds", "warmMs", "runMs", "window", "messages"):
        options[key] = int(options.get(key, 0))
    return options


def now_us():
    return time.perf_counter_ns() / 1000


def cpu_us():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e6


def percentile(values, q):
    return sorted(values)[int((len(values) - 1) * q)] if values else None


def told_to_stop():
    return bool(select.select([0], [], [], 0)[0])


class Meter:
    """Counts what arrives, in windows, after the warm-up."""

    def __init__(self, options):
        self.warm_us, self.window = options["warmMs"] * 1000, options["window"]
        self.first = self.started = self.last = self.cpu = 0
        self.total = self.measured = self.in_windows = 0
        self.windows = []

    def add(self, amount):
        self.total += amount
        if self.started == 0:
            now = now_us()
            self.first = self.first or now
            if now - self.first >= self.warm_us:
                self.cpu = cpu_us()
                self.started = self.last = now
            return
        self.measured += amount
        if self.measured - self.in_windows >= self.window:
            now = now_us()
            self.windows.append((now - self.last) / (self.measured - self.in_windows))
            self.last, self.in_windows = now, self.measured

    def report(self):
        return {
            "role": "receiver",
            "total": self.total,
            "measured": self.measured,
            "inWindows": self.in_windows,
            "elapsedUs": self.last - self.started,
            "cpuUs": cpu_us() - self.cpu,
            "p99Us": percentile(self.windows, 0.99),
        }


def open_socket(options):
    return socket.socket(socket.AF_UNIX, TYPES[options["kind"]])


def accept(options):
    listener = open_socket(options)
    listener.bind(options["address"])
    datagram = options["kind"] == "dgram"
    if not datagram:
        listener.listen(511)
    print(json.dumps({"ready": options["address"]}), flush=True)
    connection = listener if datagram else listener.accept()[0]
    # Not settimeout(): that adds a poll(2) to each call.
    timeout = struct.pack("ll", 0, IDLE_US)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
    return connection


def connect(options):
    connection = open_socket(options)
    if options["kind"] == "dgram" and options["pattern"] == "pingpong":
        connection.bind(options["address"] + ".client")
    connection.connect(options["address"])
    return connection


def receive_until_end(receive, on_message):
    while True:
        try:
            received = receive()
        except BlockingIOError:
            if told_to_stop():
                return
            continue
        if received == 0 or on_message(received) is False:
            return


def receive_one_way(connection, options, meter):
    size, fds = options["size"], options["fds"]

    def receive_fds():
        data, received, _flags, _address = socket.recv_fds(connection, size, fds)
        for fd in received:
            os.close(fd)
        return len(received) if data else 0

    receive = receive_fds if fds > 0 else lambda: min(len(connection.recv(size)), 1)
    receive_until_end(receive, meter.add)


def answer(connection, options, meter):
    size, reply = options["size"], bytes(options["size"])
    if options["kind"] == "dgram":
        receive_until_end(
            lambda: connection.recvfrom(size, socket.MSG_PEEK)[1],
            lambda peer: connection.connect(peer) or False,
        )
    got = 0

    def on_data(count):
        nonlocal got
        got += count
        if got >= size:
            got -= size
            connection.send(reply)
            meter.add(1)

    receive_until_end(lambda: len(connection.recv(size)), on_data)


def receiver(options):
    meter = Meter(options)
    handle = answer if options["pattern"] == "pingpong" else receive_one_way
    try:
        handle(accept(options), options, meter)
    except (ConnectionError, BrokenPipeError):
        pass  # the sender has closed with an answer under way
    return meter.report()


def send_one_way(connection, options):
    message = bytes(options["size"])
    lent = [os.open("/dev/null", os.O_RDONLY)] * options["fds"]
    begun = now_us()
    warm_end = begun + options["warmMs"] * 1000
    end = warm_end + options["runMs"] * 1000
    sent = sent_before = cpu = 0
    while (sent < options["messages"]) if options["messages"] else (now_us() < end):
        for _ in range(1 if lent else 64):
            if lent:
                socket.send_fds(connection, [message], lent)
            else:
                connection.send(message)
            sent += 1
        if cpu == 0 and now_us() >= warm_end:
            cpu, sent_before = cpu_us(), sent
    return {"total": sent, "measured": sent - sent_before, "cpuUs": cpu_us() - cpu}


def ask(connection, options):
    message, size, times = bytes(options["size"]), options["size"], []
    warm_end = now_us() + options["warmMs"] * 1000
    end, before, cpu = warm_end + options["runMs"] * 1000, now_us(), 0
    while before < end:
        connection.send(message)
        got = 0
        while got < size:
            got += len(connection.recv(size))
        now = now_us()
        if before >= warm_end:
            cpu = cpu or cpu_us()
            times.append(now - before)
        before = now
    return {
        "total": len(times),
        "measured": len(times),
        "cpuUs": cpu_us() - cpu,
        "p50Us": percentile(times, 0.5),
        "p99Us": percentile(times, 0.99),
    }


def sender(options):
    send = ask if options["pattern"] == "pingpong" else send_one_way
    return {"role": "sender", **send(connect(options), options)}


def main():
    options = parse(sys.argv[1:])
    print(json.dumps((sender if options["role"] == "sender" else receiver)(options)), flush=True)


main()
