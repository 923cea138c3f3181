"""`coachwork` as a client of KUKSA's databroker: see interop_kuksa."""

import json
import pathlib
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time

COUNTER = "Vehicle.Bench.Counter"
SPEED = "Vehicle.Speed"
SEAT = "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling"
LIGHT = "Vehicle.Body.Lights.IsHighBeamSwitchOn"
VERSION = "Kuksa.Databroker.CargoVersion"
TREE = {"Vehicle": {"type": "branch", "description": "", "children": {"Bench": {"type": "branch", "description": "", "children": {
    "Counter": {"type": "actuator", "datatype": "uint32", "description": ""}}}}}}

tool, kuksa = sys.argv[1], pathlib.Path(sys.argv[2])
passed, failed = 0, []


def check(what, truth, seen=""):
    global passed
    if truth:
        passed += 1
        print(f"ok    {what}")
    else:
        failed.append(what)
        print(f"WRONG {what}: {seen}")


def free():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listens(port):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("the databroker does not listen")


class Databroker:
    def __init__(self, folder):
        tree = pathlib.Path(folder, "tree.json")
        tree.write_text(json.dumps(TREE))
        self.grpc, self.viss = free(), free()
        self.command = [
            kuksa / "databroker", "--insecure", "--address", "127.0.0.1", "--port", str(self.grpc), "--enable-viss",
            "--viss-port", str(self.viss), "--vss", f"{kuksa / 'vss_release_6.0.json'},{tree}",
        ]
        self.start()

    def start(self):
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(self.command, stdout=quiet, stderr=quiet)
        listens(self.grpc)
        listens(self.viss)
        client = [kuksa / "coachwork-kuksa-client", f"http://127.0.0.1:{self.grpc}", COUNTER]
        self.provider = subprocess.Popen(client, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request):
        self.provider.stdin.write(request + "\n")
        self.provider.stdin.flush()
        return self.provider.stdout.readline().strip()

    def stop(self):
        for process in (self.provider, self.process):
            process.kill()
            process.wait()


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def run(broker, *arguments):
    server = f"ws://127.0.0.1:{broker.viss}"
    done = subprocess.run([tool, *arguments, "--server", server, "--format", "json"], capture_output=True, text=True, timeout=60)
    return done.returncode, lines(done.stdout), done.stderr


class Watch:
    """`coachwork subscribe`, line by line."""

    def __init__(self, broker, *arguments):
        command = [tool, "subscribe", *arguments, "--server", f"ws://127.0.0.1:{broker.viss}", "--format", "json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.lines, self.seen = queue.Queue(), []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def until(self, wanted, within=20):
        """Reads on until a line is as wanted."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            try:
                line = self.lines.get(timeout=0.2)
            except queue.Empty:
                continue
            self.seen.append(line)
            if wanted(line):
                return True
        return False

    def stop(self):
        self.process.kill()
        self.process.wait()


def value(wanted):
    return lambda line: line.get("path") == COUNTER and line.get("value") == wanted


def main():
    with tempfile.TemporaryDirectory() as folder:
        broker = Databroker(folder)
        try:
            drive(broker)
        finally:
            broker.stop()
    print(f"{passed} as they should be, {len(failed)} wrong")
    sys.exit(1 if failed else 0)


def drive(broker):
    status, entries, _ = run(broker, "metadata")
    of = {entry["path"]: entry for entry in entries}
    check("metadata: the whole tree, and the databroker's own", status == 0 and len(entries) > 1260 and VERSION in of, len(entries))
    check("metadata: a sensor", (of[SPEED]["type"], of[SPEED]["datatype"], of[SPEED]["write"]) == ("sensor", "float", "no"), of[SPEED])
    check("metadata: an actuator", (of[SEAT]["type"], of[SEAT]["datatype"], of[SEAT]["write"]) == ("actuator", "int8", "yes"), of[SEAT])

    check("a provider publishes", broker.ask("publish 7") == "7")
    status, points, _ = run(broker, "get", COUNTER)
    check("get: the provider's value", status == 0 and points[0]["state"] == "valid" and points[0]["value"] == 7, points)
    check("get: its time", points[0].get("ts", "").endswith("Z"), points)
    status, points, _ = run(broker, "get", SPEED)
    check("get: null is never set", status == 0 and points[0]["state"] == "never_set", points)
    status, points, _ = run(broker, "get", COUNTER, SPEED, VERSION)
    states = {point["path"]: point["state"] for point in points}
    check("get: several, of two trees", status == 0 and states == {COUNTER: "valid", SPEED: "never_set", VERSION: "valid"}, points)
    status, points, said = run(broker, "get", COUNTER, "Vehicle.Nope")
    check("get: an unknown path beside a known one", status == 1 and any(point.get("value") == 7 for point in points), (points, said))
    status, points, _ = run(broker, "get", "Vehicle.Cabin.Seat.Row1.DriverSide")
    check("get: a branch", status == 0 and len(points) > 10, len(points))

    status, receipts, said = run(broker, "set", SEAT, "50")
    check("set: accepted, which is all that it says", status == 0 and receipts[0]["outcome"] == "accepted", (receipts, said))
    status, points, _ = run(broker, "get", SEAT)
    check("set: the reading is not written", points[0]["state"] == "never_set", points)
    status, receipts, said = run(broker, "set", f"{SEAT}=20", f"{LIGHT}=true")
    check("set: several, one after the other", status == 0 and [r["outcome"] for r in receipts] == ["accepted"] * 2, (receipts, said))
    status, receipts, said = run(broker, "set", SEAT, "101")
    check("set: outside the range, which it says first when it is asked", status != 0, (receipts, said))
    status, receipts, said = run(broker, "set", SEAT, "warm")
    check("set: another type is not sent", status == 1, (receipts, said))
    status, receipts, said = run(broker, "set", SPEED, "5")
    check("set: a sensor is not sent", status == 1, (receipts, said))

    watch = Watch(broker, COUNTER, SPEED, "--on-change", "--queue", "100")
    check("subscribe: the present value first", watch.until(value(7)), watch.seen)
    for number in (8, 8, 9):
        broker.ask(f"publish {number}")
        time.sleep(0.2)
    check("subscribe: changes", watch.until(value(9)), watch.seen)
    counted = [line["value"] for line in watch.seen if line.get("path") == COUNTER and "value" in line]
    check("subscribe: filtered here", counted == [7, 8, 9], counted)
    broker.ask("flood 3000")
    broker.ask("publish 5000")
    check("subscribe: a flood, of which it leaves most out, and the last value after it", watch.until(value(5000)), watch.seen[-3:])
    gaps = [line for line in watch.seen if line.get("state") == "not_available"]
    counted = [line["value"] for line in watch.seen if line.get("path") == COUNTER and "value" in line]
    check("subscribe: what is left out is seen as a gap", gaps or len(counted) > 3000, len(counted))
    broker.ask("publish 5001")
    check("subscribe: it goes on", watch.until(value(5001)), watch.seen[-3:])

    broker.stop()
    check("a lost link is told", watch.until(lambda line: line.get("link") == "down"), watch.seen[-3:])
    broker.start()
    broker.ask("publish 6000")
    check("the link comes back, and the present value", watch.until(value(6000), 60), watch.seen[-5:])
    watch.stop()


main()
