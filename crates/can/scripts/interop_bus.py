"""Exchanges numbered frames between our `exchange` example and python-can, over socketcand (TCP) and slcan (pseudo-terminals).

Between the two stands what is nobody's code but this file's: a small socketcand daemon that passes on what a client sends, or a
relay between two pseudo-terminals. `cut` runs kill it in the middle, with SIGKILL, and start another.

    interop_bus.py EXCHANGE [frames]
"""

import json
import logging
import multiprocessing
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tty

import can

SPAWN = multiprocessing.get_context("fork")


def numbered(number):
    """The frame of this number, as `exchange` makes it."""
    extended = number % 3 == 0
    data = (number.to_bytes(4, "big") + b"\xa5" * 4)[: 4 + number % 5]
    return can.Message(arbitration_id=number if extended else number & 0x7FF, is_extended_id=extended, data=data)


def daemon(theirs, ours, ready, taken):
    """A socketcand daemon: what one client sends, the other receives. Our client is let in once python-can's is there.

    `taken` counts what it took from our client: what it confirms with an echo is on the bus, whether the other client reads it or not.
    """

    def greeted(port):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(1)
        if port == theirs:
            ready.set()
        client, _ = listener.accept()
        listener.close()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(b"< hi >")
        buffer, answered = b"", 0
        while answered < 2:
            buffer += client.recv(4096)
            while b">" in buffer and answered < 2:
                element, buffer = buffer.split(b">", 1)
                assert element.split()[1] in (b"open", b"rawmode"), element
                client.sendall(b"< ok >")
                answered += 1
        return client, buffer

    def serve(client, buffer, other, is_ours):
        while True:
            *elements, buffer = buffer.split(b">")
            out = []
            for element in elements:
                word, *words = element.split()[1:]
                if word == b"echo":
                    client.sendall(b"< echo >")
                    continue
                assert word == b"send" and int(words[1]) == len(words) - 2, element
                data = b"".join(byte.rjust(2, b"0") for byte in words[2:]).upper()
                taken.value += is_ours
                out.append(b"< frame %s %.6f %s >" % (words[0], time.time(), data))
            other.sendall(b"".join(out))
            chunk = client.recv(65536)
            if not chunk:
                return
            buffer += chunk

    first, second = greeted(theirs), greeted(ours)
    threads = [
        threading.Thread(target=serve, args=(*first, second[0], False)),
        threading.Thread(target=serve, args=(*second, first[0], True)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def relay(theirs, ours, ready, go):
    """Two pseudo-terminals, what comes in at one going out at the other. Ours appears once python-can's is open."""
    masters = []
    for path in (theirs, ours):
        master, slave = pty.openpty()
        tty.setraw(slave)
        if path == ours:
            go.wait()
        os.symlink(os.ttyname(slave), path + ".new")
        os.rename(path + ".new", path)
        masters.append(master)
        if path == theirs:
            ready.set()

    def copy(source, sink):
        while True:
            try:
                chunk = os.read(source, 65536)
            except OSError:  # nobody has the other end open
                time.sleep(0.01)
                continue
            while chunk:
                chunk = chunk[os.write(sink, chunk) :]

    threading.Thread(target=copy, args=masters, daemon=True).start()
    copy(*reversed(masters))


def peer(kind, where, start, count, opened, report):
    """python-can's end: it sends its frames once it hears the first one, and tells what it received."""
    if kind == "slcan":
        bus = can.Bus(interface="slcan", channel=where, sleep_after_open=0)
    else:
        bus = can.Bus(interface="socketcand", host="127.0.0.1", port=where, channel="can0")
    opened.set()
    heard, failed, sent = threading.Event(), [], [0]

    def send():
        heard.wait()
        try:
            for number in range(start, start + count):
                bus.send(numbered(number))
                sent[0] += 1
        except Exception as error:  # noqa: BLE001, the link was cut
            failed.append(repr(error))

    sender = threading.Thread(target=send)
    sender.start()
    received, wrong, began, last = [], 0, None, time.monotonic()
    try:
        # Silence for three seconds, after the first frame, is the end.
        while began is None or time.monotonic() - last < 3:
            message = bus.recv(timeout=0.5)
            if message is None:
                if failed:
                    break
                continue
            last = time.monotonic()
            began = began or last
            number = int.from_bytes(message.data[:4], "big")
            expected = numbered(number)
            if (message.arbitration_id, message.is_extended_id, message.data) != (
                expected.arbitration_id,
                expected.is_extended_id,
                expected.data,
            ):
                wrong += 1
            received.append(number)
            heard.set()
    except Exception as error:  # noqa: BLE001
        failed.append(repr(error))
    heard.set()
    if not failed:
        sender.join(600)
    seconds = last - (began or last)
    report.put({"received": received, "wrong": wrong, "seconds": seconds, "sent": sent[0], "failed": failed})
    report.close()
    report.join_thread()
    os._exit(0)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Between:
    """The daemon or the relay, and python-can's end of it."""

    def __init__(self, kind, theirs, ours, start, count):
        self.report, ready, self.opened, go = SPAWN.Queue(), SPAWN.Event(), SPAWN.Event(), SPAWN.Event()
        self.taken = SPAWN.Value("Q", lock=False) if kind == "socketcand" else None
        if kind == "slcan":
            self.middle = SPAWN.Process(target=relay, args=(theirs, ours, ready, go))
        else:
            self.middle = SPAWN.Process(target=daemon, args=(theirs, ours, ready, self.taken))
        self.middle.start()
        ready.wait(10)
        self.peer = SPAWN.Process(target=peer, args=(kind, theirs, start, count, self.opened, self.report))
        self.peer.start()
        self.opened.wait(10)
        go.set()

    def kill(self):
        os.kill(self.middle.pid, signal.SIGKILL)
        self.middle.join()

    def result(self):
        result = self.report.get(timeout=600)
        self.peer.join(10)
        result["taken"] = self.taken.value if self.taken else len(result["received"])
        return result


def run(exchange, kind, frames, cut):
    with tempfile.TemporaryDirectory() as folder:
        if kind == "slcan":
            theirs, ours = os.path.join(folder, "theirs"), os.path.join(folder, "ours")
            name = f"slcan:{ours}?sleep_after_open=0&bitrate=500000"
        else:
            theirs, ours = free_port(), free_port()
            name = f"socketcand:127.0.0.1:{ours}/can0"
        first = Between(kind, theirs, ours, 0, frames)
        arguments = [exchange, name, str(frames)] + (["cut"] if cut else [])
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        results = []
        if cut:
            # Somewhere in the middle, and before everything is sent.
            time.sleep(max(0.7, frames / 40_000))
            first.kill()
            results.append(first.result())
            if kind == "slcan":
                os.remove(theirs)
                os.remove(ours)
            time.sleep(1.0)
            second = Between(kind, theirs, ours, frames, frames)
        else:
            second = first
        results.append(second.result())
        # Ours may still be reading; what is between stays until it is done.
        out, _ = process.communicate(timeout=600)
        second.kill()
    return json.loads(out), results


def check(kind, frames, cut, ours, theirs):
    what = f"{kind}{', killed in the middle' if cut else ''}"
    received = [number for result in theirs for number in result["received"]]
    problems = []

    def expect(truth, why):
        if not truth:
            problems.append(why)

    expect(ours["wrong"] == 0 and all(result["wrong"] == 0 for result in theirs), "a frame is not what was sent")
    expect(ours["in_order"] and received == sorted(set(received)), "out of order, or twice")
    expect(ours["lost"] == 0 and ours["bad"] == 0, "lost or bad at our end")
    if cut:
        # What did not get to the daemon, or through the relay, is what we were told of: refused, not sent, or in doubt.
        missing = frames - sum(result["taken"] for result in theirs)
        told = ours["refused_while_down"] + ours["unsent"]
        expect(ours["losses"] == 1 and len(ours["gaps"]) == 2, "one loss, told when it began and when it ended")
        expect(told <= missing <= told + ours["in_doubt"], f"{missing} missing, {told} told and {ours['in_doubt']} in doubt")
        expect(ours["of_second"] == frames, "everything of the second peer")
        expect(theirs[1]["received"], "something for the second peer")
        expect(all(len(result["received"]) <= result["taken"] for result in theirs), "frames out of nowhere")
        print(f"{what}: of {frames} frames sent {missing} did not arrive; told: {ours['refused_while_down']} refused while down, "
              f"{ours['unsent']} not sent, {ours['in_doubt']} in doubt; {ours['received'] - frames} of the first peer and all {ours['of_second']} "
              f"of the second received")
        print(f"    the gap: {ours['gaps'][-1]}")
    else:
        expect(ours["received"] == frames and len(received) == frames, "not every frame arrived")
        rate = lambda seconds: f"{frames / max(seconds, 1e-9):,.0f} frames/s"
        print(f"{what}: {len(received)} there at {rate(theirs[0]['seconds'])}, {ours['received']} back at {rate(ours['receive_seconds'])}, "
              f"at the same time; {ours['confirmed']} confirmed")
    for problem in problems:
        print(f"    WRONG: {problem}")
    if problems:
        print("   ", ours, [{**result, "received": len(result["received"])} for result in theirs])
    return not problems


def main():
    exchange, frames = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    good = True
    # python-can warns of each chunk that ends within an element.
    logging.getLogger("can").setLevel(logging.ERROR)
    print(f"python-can {can.__version__}, {frames} frames each way", flush=True)
    for kind in ("socketcand", "slcan"):
        for cut in (False, True):
            good &= check(kind, frames, cut, *run(exchange, kind, frames, cut))
    sys.exit(not good)


if __name__ == "__main__":
    main()
