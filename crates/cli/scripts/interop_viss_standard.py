"""The standard, sentence by sentence, asked of `coachwork serve` by clients that know nothing of it: see interop_viss.

Versions 2 and 3.0, over WebSocket under each subprotocol and under none, and through an MQTT broker where Mosquitto is installed: what is read, searched,
described, set, subscribed to and remembered; what is refused and in which words; what clients in the wild send (JSON in binary frames, numbers without
quotation marks, filters as text, topics with a slash before them); and the WebSocket itself, byte by byte.
"""

import json
import os
import pathlib
import queue
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import paho.mqtt.client as mqtt
import websocket

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")
TABLE = {
    2: {(400, "bad_request"), (400, "invalid_data"), (401, "expired_token"), (401, "invalid_token"), (401, "missing_token"), (403, "forbidden_request"),
        (404, "unavailable_data"), (503, "service_unavailable")},
    3: {("400", "bad_request"), ("400", "invalid_data"), ("401", "invalid_token"), ("403", "forbidden_request"), ("404", "unavailable_data"),
        ("408", "request_timeout"), ("429", "too_many_requests"), ("502", "bad_gateway"), ("503", "service_unavailable"), ("504", "gateway_timeout")},
}
NOTHING = "viss-inline:Data-not-available"

passed, failed = 0, []


def check(truth, what, *seen):
    global passed
    if truth:
        passed += 1
    else:
        failed.append(what)
        print(f"WRONG {what}:", *[str(one)[:500] for one in seen])


def leaf(kind, datatype, **more):
    return {"type": kind, "datatype": datatype, "description": "x", **more}


def branch(**children):
    return {"type": "branch", "description": "x", "children": children}


def door():
    return branch(IsOpen=leaf("actuator", "boolean"))


TREE = {
    "Vehicle": branch(
        Speed=leaf("sensor", "float", unit="km/h"),
        Name=leaf("attribute", "string", default="blue one"),
        Seats=leaf("attribute", "uint8[]", default=[2, 3, 2]),
        Label=leaf("actuator", "string"),
        Mode=leaf("actuator", "string", allowed=["SPORT", "ECO"]),
        Level=leaf("actuator", "uint8", unit="percent", min=0, max=100),
        Temp=leaf("actuator", "float", unit="celsius", min=-40, max=60),
        Big=leaf("actuator", "int64"),
        Natural=leaf("actuator", "uint64"),
        Names=leaf("actuator", "string[]"),
        Flags=leaf("actuator", "boolean[]"),
        Place=leaf("actuator", "Types.Point"),
        Places=leaf("actuator", "Types.Point[]"),
        Cabin=branch(
            Door=branch(
                Row1=branch(Left=branch(IsOpen=leaf("actuator", "boolean"), Position=leaf("actuator", "uint8")), Right=door()),
                Row2=branch(Left=door(), Right=door()),
            ),
            Driver=leaf("attribute", "uint8", default=1),
        ),
    ),
    "ComplexDataTypes": {"Types": branch(Point={"type": "struct", "description": "x", "children": {
        "X": leaf("property", "float"), "Y": leaf("property", "float")}})},
}


class Peer:
    """One end of a conversation. Events wait while an answer is awaited."""

    def __init__(self, name, version):
        self.name, self.version, self.count, self.events = name, version, 0, []

    def ask(self, request, within=3.0):
        self.count += 1
        self.send({"requestId": f"r{self.count}", **request})
        end = time.monotonic() + within
        while (message := self.hear(end - time.monotonic())) is not None:
            if message.get("action") != "subscription":
                return self.looked_at(message)
            self.events.append(self.looked_at(message))
        check(False, f"{self.name}: an answer", request)
        return {}

    def heard(self, seconds):
        """All events of so many seconds, with those that wait."""
        events, self.events = self.events, []
        end = time.monotonic() + seconds
        while (message := self.hear(end - time.monotonic())) is not None:
            events.append(self.looked_at(message))
        return events

    def values(self, seconds):
        return [event["data"]["dp"]["value"] for event in self.heard(seconds)]

    def looked_at(self, message):
        """What holds for every message."""
        def times(tree):
            if isinstance(tree, dict):
                return all(TIME.match(v) if k == "ts" else times(v) for k, v in tree.items())
            return all(map(times, tree)) if isinstance(tree, list) else True
        check("ts" in message and times(message), f"{self.name}: times as the standard shows them", message)
        check(message.keys() <= {"action", "requestId", "subscriptionId", "data", "metadata", "error", "ts"}, f"{self.name}: nothing but the standard's members", message)
        error = message.get("error")
        if error is not None:
            text = "message" if self.version == 2 else "description"
            check(error.keys() == {"number", "reason", text} and isinstance(error[text], str), f"{self.name}: the form of an error", message)
            check((error["number"], error["reason"]) in TABLE[self.version], f"{self.name}: the table of errors", message)
        return message

    def get(self, path, filter=None):
        return self.ask({"action": "get", "path": path, **({} if filter is None else {"filter": filter})})

    def value(self, path):
        return self.get(path).get("data", {}).get("dp", {}).get("value")

    def set(self, path, value):
        answer = self.ask({"action": "set", "path": path, "value": value})
        check(answer.get("action") == "set" and "error" not in answer, f"{self.name}: set {path} to {value!r}", answer)

    def subscribe(self, path, filter=None, **more):
        return self.ask({"action": "subscribe", "path": path, **({} if filter is None else {"filter": filter}), **more})

    def stands(self, answer, what):
        id = answer.get("subscriptionId")
        check(answer.get("action") == "subscribe" and isinstance(id, str) and id and "error" not in answer, f"{self.name}: subscribe, {what}", answer)
        return id

    def end(self, id):
        answer = self.ask({"action": "unsubscribe", "subscriptionId": id})
        check(answer.get("action") == "unsubscribe" and "error" not in answer, f"{self.name}: unsubscribe", answer)
        check(answer.get("subscriptionId") == (id if self.version == 2 else None), f"{self.name}: version 2 repeats the subscription", answer)
        self.events = []

    def refuses(self, answer, number, reason, what):
        error = answer.get("error", {})
        wanted = (number if self.version == 2 else str(number), reason)
        check((error.get("number"), error.get("reason")) == wanted, f"{self.name}: {what} is {number} {reason}", answer)

    def filter(self, variant, parameter):
        if self.version == 2:
            return {"type": "static-metadata" if variant == "metadata" else variant, "parameter": parameter}
        return {"variant": variant, "parameter": parameter}

    def change(self, operator, diff):
        return self.filter("change", {"logic-op": operator, "diff": diff})

    def bound(self, operator, boundary, **more):
        return {"boundary-op" if self.version == 2 else "logic-op": operator, "boundary": boundary, **more}


class Socket(Peer):
    def __init__(self, url, subprotocol, version=None, binary=False):
        super().__init__(f"{subprotocol or 'no subprotocol'}", version or (2 if subprotocol == "VISSv2" else 3))
        self.binary = binary
        self.socket = websocket.create_connection(url, subprotocols=[subprotocol] if subprotocol else None, timeout=3)

    def send(self, request):
        text = request if isinstance(request, str) else json.dumps(request)
        self.socket.send_binary(text.encode()) if self.binary else self.socket.send(text)

    def hear(self, within):
        if within <= 0:
            return None
        self.socket.settimeout(within)
        try:
            return json.loads(self.socket.recv())
        except websocket.WebSocketTimeoutException:
            return None

    def close(self):
        self.socket.close()


class Topic(Peer):
    def __init__(self, port, car, version=3, qos=1, as_object=False):
        super().__init__(f"MQTT {car}", version)
        self.topic, self.asked_on, self.qos, self.as_object = f"apps/{os.urandom(8).hex()}", f"{car}/Vehicle", qos, as_object
        self.queue, subscribed = queue.Queue(), threading.Event()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda client, data, message: self.queue.put(message.payload)
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe(self.topic, qos)
        subscribed.wait(5)

    def send(self, request):
        text = request if isinstance(request, str) else json.dumps(request)
        self.publish('{"topic":"%s","request":%s}' % (self.topic, text) if self.as_object else json.dumps({"topic": self.topic, "request": text}))

    def publish(self, payload):
        self.client.publish(self.asked_on, payload, self.qos)

    def hear(self, within):
        try:
            return json.loads(self.queue.get(timeout=max(within, 0.001)))
        except queue.Empty:
            return None

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def reading(peer):
    answer = peer.get("Vehicle.Name")
    check(answer.get("data", {}).get("path") == "Vehicle.Name" and answer["data"]["dp"]["value"] == "blue one", f"{peer.name}: get", answer)
    check(peer.get("Vehicle/Name").get("data", {}).get("path") == "Vehicle.Name", f"{peer.name}: get by slashes")
    check(peer.value("Vehicle.Seats") == ["2", "3", "2"], f"{peer.name}: an array is one of strings")
    peer.refuses(peer.get("Vehicle.Nope"), 404, "unavailable_data", "an unknown signal")
    peer.refuses(peer.get("Nope"), 404, "unavailable_data", "an unknown tree")
    peer.refuses(peer.get("Vehicle.Speed"), 404, "unavailable_data", "a signal without a value")
    peer.refuses(peer.get("Vehicle.*"), 400, "bad_request", "a wildcard in a path")
    peer.refuses(peer.get(""), 400, "bad_request", "an empty path")
    peer.refuses(peer.ask({"action": "get"}), 400, "bad_request", "no path")
    peer.refuses(peer.get("Vehicle.Cabin"), 400, "invalid_data", "a get of a branch")
    for path in ["vehicle.name", "Vehicle.Name ", " Vehicle.Name", "Vehicle.Name.", ".Vehicle.Name", "Vehicle..Name", "Vehicle\u2024Name"]:
        check("error" in peer.get(path), f"{peer.name}: {path!r} is no path")


def searching(peer):
    for one in ["Row1.Left", "Row1.Right", "Row2.Left", "Row2.Right"]:
        peer.set(f"Vehicle.Cabin.Door.{one}.IsOpen", "false")
    found = lambda path, *parameter: peer.get(path, peer.filter("paths", *parameter)).get("data", [])
    data = found("Vehicle.Cabin", ["Door.*.*.IsOpen", "Driver"])
    check(len(data) == 5 and data[4]["path"] == "Vehicle.Cabin.Driver" and all(one["dp"]["value"] == "false" for one in data[:4]), f"{peer.name}: a search", data)
    check(len(found("Vehicle/Cabin/Door", "*/*/IsOpen")) == 4, f"{peer.name}: one path, by slashes")
    data = found("Vehicle.Cabin", ["Door"])
    check(len(data) == 5 and any(one["dp"]["value"] == NOTHING for one in data), f"{peer.name}: a branch is all below it, with in-line errors", data)
    check(len(found("Vehicle.Cabin", ["Door.*.*.IsOpen", "Door.Row1.Left.IsOpen"])) == 4, f"{peer.name}: what is named twice is there once")
    check(len(found("Vehicle", ["*"])) > 10, f"{peer.name}: everything")
    for paths in [["Driver", "Nope"], ["*.Nope"]]:
        peer.refuses(peer.get("Vehicle.Cabin", peer.filter("paths", paths)), 404, "unavailable_data", f"{paths}")
    for paths in [[], "", [""], {}, [[]], None]:
        check("error" in peer.get("Vehicle.Cabin", peer.filter("paths", paths)), f"{peer.name}: {paths!r} are no paths")
    peer.refuses(peer.get("Vehicle.*", peer.filter("paths", ["*"])), 400, "bad_request", "a wildcard beside a filter")
    for wrong in [peer.filter("timebased", {"period": "100"}), peer.change("gt", "1"), peer.filter("range", peer.bound("gt", "1")), {"parameter": "1"}, [], 7, "x"]:
        peer.refuses(peer.get("Vehicle.Level", wrong), 400, "bad_request", f"a get with {wrong}")
    check("error" in peer.get("Vehicle.Level", peer.filter("nonsense", "1")), f"{peer.name}: a filter that nobody knows")
    check("data" in peer.get("Vehicle.Cabin", json.dumps(peer.filter("paths", ["Driver"]))), f"{peer.name}: a filter as a text")


def describing(peer):
    everything = peer.filter("metadata", "" if peer.version == 2 else "0")
    tree = peer.get("Vehicle.Cabin", everything).get("metadata", {}).get("Cabin", {})
    check(tree.get("type") == "branch" and tree["children"]["Driver"]["datatype"] == "uint8" and tree["children"]["Door"]["children"]["Row1"]["children"]["Left"]["children"]["IsOpen"]["type"] == "actuator", f"{peer.name}: metadata of a branch", tree)
    one = peer.get("Vehicle.Level", everything).get("metadata", {}).get("Level", {})
    check((one.get("datatype"), one.get("unit"), str(one.get("max"))) == ("uint8", "percent", "100"), f"{peer.name}: metadata of a signal", one)
    check("metadata" in peer.get("Vehicle.Cabin", [peer.filter("paths", ["Driver", "Door.Row1.*.IsOpen"]), everything]), f"{peer.name}: metadata of several")
    peer.refuses(peer.get("Vehicle.Nope", everything), 404, "unavailable_data", "metadata of nothing")
    check("error" in peer.get("Vehicle.Cabin", [everything, peer.filter("history", "PT1H")]), f"{peer.name}: metadata with another filter")
    peer.refuses(peer.subscribe("Vehicle.Cabin", everything), 400, "bad_request", "a subscription to metadata")
    if peer.version == 2:
        for parameter in ["server_capabilities", ["server_capabilities"]]:
            said = peer.get("Vehicle", {"type": "dynamic-metadata", "parameter": parameter}).get("metadata", {})
            check({"timebased", "change"} <= set(said.get("filter", [])) and "transport_protocol" in said, f"{peer.name}: what the server can do", said)
        for names in ["unit", ["type", "datatype"]]:
            check("metadata" in peer.get("Vehicle.Level", {"type": "static-metadata", "parameter": names}), f"{peer.name}: metadata by {names}")
        check("error" in peer.get("Vehicle.Level", {"type": "dynamic-metadata", "parameter": "samplerate"}), f"{peer.name}: a sample rate")
    else:
        for parameter, deep in [("1", 0), ("2", 1), (2, 1)]:
            tree = peer.get("Vehicle.Cabin", peer.filter("metadata", parameter)).get("metadata", {}).get("Cabin", {}).get("children", {})
            check(bool(tree) == (deep == 1) and not tree.get("Door", {}).get("children"), f"{peer.name}: {parameter!r} generations", tree)
        for parameter in ["x", "-1", "1.5", {}]:
            peer.refuses(peer.get("Vehicle.Cabin", peer.filter("metadata", parameter)), 400, "bad_request", f"{parameter!r} generations")
    check("ws" in (peer.value("Server.Support.Protocol") or []), f"{peer.name}: the protocols of the server")
    check({"timebased", "change", "paths", "range"} <= set(peer.value("Server.Support.Filter") or []), f"{peer.name}: its filters")
    check(peer.get("Server", everything).get("metadata", {}).get("Server", {}).get("children", {}).keys() >= {"Support", "Config"}, f"{peer.name}: its tree")
    check("error" in peer.ask({"action": "set", "path": "Server.Support.Filter", "value": ["x"]}), f"{peer.name}: which nobody sets")


def writing(peer):
    for path, value, read in [
        ("Mode", "SPORT", "SPORT"), ("Level", "0", "0"), ("Level", "100", "100"), ("Temp", "-12.5", "-12.5"), ("Temp", "1e1", "10"),
        ("Big", "9223372036854775807", "9223372036854775807"), ("Big", "-9223372036854775808", "-9223372036854775808"),
        ("Natural", "18446744073709551615", "18446744073709551615"), ("Label", 'ä "quoted" \\ \n 漢 😀', 'ä "quoted" \\ \n 漢 😀'), ("Label", "", ""),
        ("Names", ["a", "b,c", ""], ["a", "b,c", ""]), ("Flags", ["true", "false"], ["true", "false"]), ("Place", {"X": "1.5", "Y": "-2"}, {"X": "1.5", "Y": "-2"}),
        ("Places", [{"X": "1", "Y": "2"}, {"X": "3", "Y": "4"}], [{"X": "1", "Y": "2"}, {"X": "3", "Y": "4"}]),
    ]:
        peer.set(f"Vehicle.{path}", value)
        check(peer.value(f"Vehicle.{path}") == read, f"{peer.name}: {path} is what was set")
    ask = lambda **members: peer.ask({"action": "set", **members})
    for path, value in [
        ("Level", "101"), ("Level", "-1"), ("Level", "256"), ("Level", "x"), ("Level", "1.5"), ("Level", ""), ("Level", ["1"]), ("Level", {"a": "1"}), ("Mode", "FAST"),
        ("Cabin.Door.Row1.Left.IsOpen", "maybe"), ("Cabin.Door.Row1.Left.IsOpen", "1"), ("Names", "a"), ("Flags", ["x"]), ("Place", {"X": "1", "Y": "2", "Z": "3"}), ("Place", "1"),
        ("Big", "9223372036854775808"), ("Natural", "-1"), ("Temp", "61"), ("Speed", "5"), ("Name", "x"), ("Cabin", "5"),
    ]:
        peer.refuses(ask(path=f"Vehicle.{path}", value=value), 400, "invalid_data", f"{path} = {value!r}")
    peer.refuses(ask(path="Vehicle.Nope", value="5"), 404, "unavailable_data", "a set of nothing")
    for members in [{"path": "Vehicle.Level"}, {"value": "5"}, {"path": "Vehicle.Level", "value": None}, {"path": "Vehicle.*", "value": "5"}]:
        peer.refuses(ask(**members), 400, "bad_request", f"a set of {members}")
    check("error" not in ask(data=[{"path": "Vehicle.Level", "value": "7"}, {"path": "Vehicle.Mode", "value": "ECO"}]) and peer.value("Vehicle.Level") == "7" and peer.value("Vehicle.Mode") == "ECO", f"{peer.name}: two at once")
    check("error" in ask(data=[{"path": "Vehicle.Level", "value": "8"}, {"path": "Vehicle.Mode", "value": "FAST"}]) and peer.value("Vehicle.Level") == "7", f"{peer.name}: neither, where one makes no sense")


def subscribing(peer, other):
    def say(path, *values):
        for value in values:
            other.set(path, value)
            time.sleep(0.04)

    level, left = "Vehicle.Level", "Vehicle.Cabin.Door.Row1.Left.IsOpen"
    unknown = (400, "invalid_data") if peer.version == 2 else (404, "unavailable_data")
    say(level, "50")
    id = peer.stands(peer.subscribe(level, peer.filter("timebased", {"period": "200"})), "timebased")
    events = peer.heard(1.3)
    check(4 <= len(events) <= 8, f"{peer.name}: timebased, its pace", len(events))
    check(all(one["subscriptionId"] == id and "requestId" not in one and one["data"]["path"] == level and one["data"]["dp"]["value"] == "50" for one in events), f"{peer.name}: timebased, its events", events[:1])
    peer.end(id)
    check(peer.heard(0.5) == [], f"{peer.name}: nothing after unsubscribe")
    for gone in [id, "nonsense"]:
        answer = peer.ask({"action": "unsubscribe", "subscriptionId": gone})
        peer.refuses(answer, *unknown, "no such subscription")
        check(answer.get("subscriptionId") == (gone if peer.version == 2 else None), f"{peer.name}: version 2 repeats it", answer)
    peer.refuses(peer.ask({"action": "unsubscribe"}), 400, "bad_request", "unsubscribe without a name")
    for parameter in [{"period": "0"}, {"period": "-1"}, {"period": "x"}, {"period": "1.5"}, {"period": ""}, {"period": "9" * 30}, {}, "500", None]:
        peer.refuses(peer.subscribe(level, peer.filter("timebased", parameter)), 400, "bad_request", f"timebased {parameter}")

    def told(path, filter, what, said, wanted):
        id = peer.stands(peer.subscribe(path, filter), what)
        peer.heard(0.25)
        say(path, *said)
        values = peer.values(0.4)
        check(values == wanted, f"{peer.name}: {what}, its events", values)
        peer.end(id)

    told(level, peer.change("ne", "0"), "change ne", ["51", "51", "52"], ["51", "52"])
    told(level, peer.change("gt", "10"), "change gt 10", ["55", "60", "63", "64", "40", "75"], ["63", "75"])
    for diff in ["10", "-10"]:
        say(level, "70")
        told(level, peer.change("lt", diff), f"change lt {diff}", ["65", "60", "59", "50", "48"], ["59", "48"])
    told(level, peer.change("gt", 10), "change by a bare number", ["49", "60"], ["60"])
    for operator, wanted in [("gt", ["true", "true"]), ("lt", ["false", "false"]), ("ne", ["true", "false", "true", "false"])]:
        say(left, "false")
        told(left, peer.change(operator, "0"), f"change {operator} of a boolean", ["true", "true", "false", "true", "false"], wanted)
    say("Vehicle.Mode", "ECO")
    told("Vehicle.Mode", peer.change("ne", "0"), "change of a text", ["SPORT", "SPORT", "ECO"], ["SPORT", "ECO"])
    for parameter in [{"logic-op": "xx", "diff": "0"}, {"logic-op": "gt"}, {"diff": "1"}, {"logic-op": "gt", "diff": "x"}, "1", None]:
        peer.refuses(peer.subscribe(level, peer.filter("change", parameter)), 400, "bad_request", f"change {parameter}")
    peer.refuses(peer.subscribe("Vehicle.Mode", peer.change("gt", "3")), 400, "invalid_data", "a text that rises")
    bound = peer.bound
    for parameter, first, said, wanted in [
        (bound("gt", "49"), "10", ["49", "50", "20", "51"], ["50", "51"]),
        (bound("gte", 49), "10", ["48", "49"], ["49"]),
        ([bound("lt", "50", **{"combination-op": "OR"}), bound("gt", "55")], "52", ["51", "49", "55", "56"], ["49", "56"]),
        ([bound("gte", "49"), bound("lte", "51")], "1", ["48", "49", "51", "52"], ["49", "51"]),
        (bound("eq", "5"), "1", ["4", "5", "6"], ["5"]),
        (bound("ne", "5"), "5", ["4", "5", "6"], ["4", "6"]),
    ]:
        say(level, first)
        told(level, peer.filter("range", parameter), f"range {parameter}", said, wanted)
    for parameter in [{"boundary": "5"}, bound("zz", "5"), bound("gt", "x"), [], [bound("gt", "5")] * 3, [bound("gt", "5", **{"combination-op": "XOR"}), bound("gt", "5")], "5", None]:
        peer.refuses(peer.subscribe(level, peer.filter("range", parameter)), 400, "bad_request", f"range {parameter}")
    peer.refuses(peer.subscribe("Vehicle.Mode", peer.filter("range", bound("gt", "5"))), 400, "invalid_data", "a range of texts")

    paths = peer.filter("paths", ["Door.Row1.Left.IsOpen", "Door.*.*.IsOpen"])
    id = peer.stands(peer.subscribe("Vehicle.Cabin", [paths, peer.change("ne", "0")]), "a change of several")
    peer.heard(0.25)
    say("Vehicle.Cabin.Door.Row2.Left.IsOpen", "true")
    say(left, "true")
    events = peer.heard(0.4)
    check(len(events) == 1 and len(events[0]["data"]) == 4 and events[0]["data"][0]["path"] == left and events[0]["data"][0]["dp"]["value"] == "true", f"{peer.name}: the first decides, all are told, each once", events)
    peer.end(id)
    id = peer.stands(peer.subscribe("Vehicle.Cabin", [peer.filter("timebased", {"period": 200}), peer.filter("paths", ["Door.*.*.IsOpen", "Driver"])]), "several, timebased")
    events = peer.heard(0.7)
    check(len(events) >= 2 and len(events[0]["data"]) == 5, f"{peer.name}: several, timebased, its events", events[:1])
    peer.end(id)
    peer.refuses(peer.subscribe("Vehicle.Cabin", [peer.filter("paths", ["Door.*.*.IsOpen"]), peer.change("ne", "0")]), 400, "bad_request", "a wildcard that decides")
    peer.refuses(peer.subscribe("Vehicle.Cabin", [paths, paths]), 400, "bad_request", "paths twice")
    peer.refuses(peer.subscribe(level, [peer.filter("timebased", {"period": "200"})] * 3), 400, "bad_request", "three filters")
    check("error" in peer.subscribe(level, [peer.filter("timebased", {"period": "200"}), peer.change("ne", "0")]), f"{peer.name}: two that decide")
    absent = (400, "bad_request") if peer.version == 2 else (404, "unavailable_data")
    peer.refuses(peer.subscribe(level, peer.filter("curvelog", {"maxerr": "0.5", "bufsize": "100"})), *absent, "curvelog")
    peer.refuses(peer.subscribe(level, peer.filter("history", "PT1H")), 400, "bad_request", "a subscription to the past")
    peer.refuses(peer.subscribe("Vehicle.Nope", peer.change("ne", "0")), 404, "unavailable_data", "a subscription to nothing")
    for path in ["Vehicle.Cabin", "Vehicle.*"]:
        check("error" in peer.subscribe(path, peer.filter("timebased", {"period": "200"})), f"{peer.name}: a subscription to {path}")
    check("error" in peer.subscribe(level, peer.change("ne", "0"), dc="2+1"), f"{peer.name}: compression is refused")
    if peer.version == 2:
        peer.end(peer.stands(peer.subscribe(level), "without a filter"))
    else:
        peer.refuses(peer.subscribe(level), 400, "bad_request", "a subscription without a filter")


def remembering(peer, other):
    for value in ["1", "2", "3"]:
        other.set("Vehicle.Level", value)
        time.sleep(0.02)
    history = lambda period: peer.get("Vehicle.Level", peer.filter("history", period))
    points = history("PT1H").get("data", {}).get("dp", [])
    check([one["value"] for one in points][-2:] == ["1", "2"] and sorted(one["ts"] for one in points) == [one["ts"] for one in points], f"{peer.name}: history", points)
    check(NOTHING not in [one["value"] for one in points], f"{peer.name}: what was never set was not recorded", points)
    check(len(peer.get("Vehicle", [peer.filter("paths", ["Level", "Mode"]), peer.filter("history", "P2DT12H")]).get("data", [])) == 2, f"{peer.name}: history of several")
    peer.refuses(peer.get("Vehicle.Speed", peer.filter("history", "PT1H")), 404, "unavailable_data", "no history")
    for period in ["INVALID", "P1Y", "1000", "", "P", "PT", "P1000D", "P1DT", "PT1.5S", "-PT1S", "P1D ", 5, None]:
        peer.refuses(history(period), 400, "bad_request", f"a period {period!r}")
    for period in ["P1D", "PT5M", "P001DT02H03M04S", "P998D"]:
        check("data" in history(period), f"{peer.name}: a period {period}")


def malformed(peer):
    peer.send("{no json")
    answer = peer.looked_at(peer.hear(3) or {"ts": ""})
    peer.refuses(answer, 400, "bad_request", "what is no JSON")
    if isinstance(peer, Socket):
        for text in ["[]", "5", '"x"', "null", "", "{}"]:
            peer.send(text)
            peer.refuses(peer.hear(3) or {}, 400, "bad_request", f"{text!r}")
    for request in [{"action": "fly", "path": "Vehicle.Name"}, {"path": "Vehicle.Name"}, {"action": "GET", "path": "Vehicle.Name"}, {"action": "subscription", "path": "Vehicle.Name"},
                    {"action": ["get"], "path": "Vehicle.Name"}, {"action": "get", "path": ["Vehicle.Name"]}, {"action": "get", "path": {}}]:
        peer.refuses(peer.ask({**request, "requestId": "wrong"}), 400, "bad_request", f"{request}")
    check("data" in peer.ask({"action": "get", "path": "Vehicle.Name", "extra": {"a": [1]}}), f"{peer.name}: unknown members are passed over")
    for text, id in [
        ('{"requestId":"z","path":"Vehicle.Name","action":"get"}', "z"),
        ('{ "action" : "get",\n\t"path":"Vehicle.Name" , "requestId" : "w" }', "w"),
        ('{"action":"get","path":"\\u0056ehicle.Name","requestId":"u\\u00e4"}', "uä"),
        ('{"action":"get","path":"Vehicle.Name","requestId":5}', 5),
        ('{"action":"get","path":"Vehicle.Name","requestId":"2b0c5b3e-8f0c-4e6e-9d0e-0a3f7c0a7b11"}', "2b0c5b3e-8f0c-4e6e-9d0e-0a3f7c0a7b11"),
    ]:
        peer.send(text)
        answer = peer.hear(3) or {}
        check("data" in answer and answer.get("requestId") == id, f"{peer.name}: {text}", answer)
    peer.send({"action": "get", "path": "Vehicle.Nope", "requestId": 6})
    check((peer.hear(3) or {}).get("requestId") == 6, f"{peer.name}: a number as requestId, in an error")
    peer.send({"action": "get", "path": "Vehicle.Name"})
    check("error" in (peer.hear(3) or {}), f"{peer.name}: without requestId")
    peer.send('{"action":"get","path":"Vehicle.Name","requestId":"d","filter":' + "[" * 5000 + "]" * 5000 + "}")
    check("error" in (peer.hear(3) or {}), f"{peer.name}: 5,000 brackets")
    token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJuYW1lIjoiSm9obiJ9.Zw_KSsds"
    peer.refuses(peer.ask({"action": "get", "path": "Vehicle.Name", "authorization": token}), 401, "invalid_token", "a token that means nothing")
    check(peer.value("Vehicle.Name") == "blue one", f"{peer.name}: it goes on after all that")
    for count in range(200):
        peer.send({"action": "get", "path": "Vehicle.Name", "requestId": f"m{count}"})
    check(len({(peer.hear(3) or {}).get("requestId") for _ in range(200)}) == 200, f"{peer.name}: 200 requests at once")


def websockets(url):
    for offer, agreed in [(["VISSv3"], "VISSv3"), (["VISSv2"], "VISSv2"), (["VISS-noenc"], "VISS-noenc"), (["VISSv2", "VISSv3"], "VISSv2"), (["x", "VISSv3"], "VISSv3"), (None, None)]:
        one = websocket.create_connection(url, subprotocols=offer, timeout=3)
        # This library shows it in small letters.
        check((one.subprotocol or "").lower() == (agreed or "").lower(), f"WebSocket: the offer {offer}", one.subprotocol)
        one.close()
    for offer in [["x"], ["VISS-protoenc"], ["vissv3"]]:
        try:
            websocket.create_connection(url, subprotocols=offer, timeout=3).close()
            check(False, f"WebSocket: the offer {offer} is refused")
        except websocket.WebSocketBadStatusException as why:
            check(why.status_code == 400, f"WebSocket: the offer {offer} is refused", why)
    one = websocket.create_connection(url, subprotocols=["VISSv3"], timeout=3)
    frame, text = websocket.ABNF.create_frame, b'{"action":"get","path":"Vehicle.Name","requestId":"f"}'
    one.send_frame(frame(text[:10], websocket.ABNF.OPCODE_TEXT, 0))
    one.ping("hi")
    one.send_frame(frame(text[10:20], websocket.ABNF.OPCODE_CONT, 0))
    one.send_frame(frame(text[20:], websocket.ABNF.OPCODE_CONT, 1))
    got = [one.recv_data(True) for _ in range(2)]
    check((websocket.ABNF.OPCODE_PONG, b"hi") in got and any(b"blue one" in data for _, data in got), "WebSocket: fragments, and a ping between them", got)
    for data, said in [(text, b"blue one"), (b"\xff\xfe\x00", b'"error"'), (b"\x0a\x05hello", b'"error"')]:
        one.send_binary(data)
        answer = one.recv_data()[1]
        check(said in answer, f"WebSocket: {data!r} in a binary message", answer)
    one.send_close(1000, b"bye")
    kind, data = one.recv_data(True)
    check(kind == websocket.ABNF.OPCODE_CLOSE and struct.unpack("!H", data[:2])[0] == 1000, "WebSocket: a close is answered", data)
    one.close()

    port = int(url.rsplit(":", 1)[1])

    def raw(request):
        plain = socket.create_connection(("127.0.0.1", port), 3)
        plain.sendall(request)
        return plain.recv(4096).decode("latin1"), plain

    usual = {"path": "/", "upgrade": "websocket", "connection": "Upgrade", "version": "13", "more": ""}
    for change, status in [
        ({}, "101"), ({"upgrade": "WebSocket", "connection": "keep-alive, Upgrade", "more": "Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: VISSv2\r\n"}, "101"),
        ({"path": "/?x=1"}, "101"), ({"path": "/x"}, "404"), ({"version": "8"}, "426"), ({"more": "Origin: https://evil.example\r\n"}, "403"),
    ]:
        said, plain = raw("GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: {upgrade}\r\nConnection: {connection}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: {version}\r\n{more}\r\n".format(**{**usual, **change}).encode())
        check(said.startswith(f"HTTP/1.1 {status}") and (status != "101" or "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in said), f"WebSocket: an upgrade with {change} is {status}", said)
        if not change:
            plain.sendall(b"\x81\x02{}")
            data = plain.recv(100)
            check(data[:1] == b"\x88" and struct.unpack("!H", data[2:4])[0] == 1002, "WebSocket: a frame without a mask", data)
        plain.close()
    for request, status in [(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "426"), (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "405")]:
        said, plain = raw(request)
        check(said.startswith(f"HTTP/1.1 {status}"), f"WebSocket: {request[:6]!r} is {status}", said)
        plain.close()

    one, two = Socket(url, "VISSv3"), Socket(url, "VISSv3")
    id = one.stands(one.subscribe("Vehicle.Level", one.filter("timebased", {"period": "200"})), "of one connection")
    two.refuses(two.ask({"action": "unsubscribe", "subscriptionId": id}), 404, "unavailable_data", "unsubscribe by another connection")
    check(len(one.heard(0.9)) >= 2 and two.heard(0.3) == [], "WebSocket: a subscription is its connection's")
    one.close()
    two.close()


def habits(url):
    """What clients in the wild do."""
    peer = Socket(url, "VISSv2", binary=True)
    check(peer.value("Vehicle.Name") == "blue one", "binary frames of JSON")
    peer.end(peer.stands(peer.subscribe("Vehicle.Level", {"variant": "timebased", "parameter": {"period": "1000"}}), "words of version 3 in version 2"))
    peer.close()
    peer = Socket(url, None, version=2)
    peer.end(peer.stands(peer.subscribe("Vehicle.Level"), "no subprotocol and no filter is version 2"))
    peer.refuses(peer.get("Vehicle.Nope"), 404, "unavailable_data", "from then on")
    peer.close()
    peer = Socket(url, None, version=2)
    peer.refuses(peer.get("Vehicle", {"type": "paths", "parameter": ["Nope"]}), 404, "unavailable_data", "a type without a subprotocol")
    peer.close()


def through_broker(port):
    for car, more in [("CAR1", {"qos": 0}), ("CAR1", {"qos": 2}), ("CAR1", {"as_object": True}), ("/CAR3", {})]:
        peer = Topic(port, car, **more)
        check(peer.value("Vehicle.Name") == "blue one", f"MQTT: {car} {more}")
        peer.close()
    one, two = Topic(port, "CAR1"), Topic(port, "CAR1")
    for payload in ["nonsense", "{}", json.dumps({"topic": 5, "request": "x"}), json.dumps({"topic": one.topic})]:
        one.publish(payload)
    check(one.hear(0.5) is None, "MQTT: what is no envelope gets no answer")
    id = one.stands(one.subscribe("Vehicle.Level", one.filter("timebased", {"period": "200"})), "of one topic")
    two.refuses(two.ask({"action": "unsubscribe", "subscriptionId": id}), 404, "unavailable_data", "unsubscribe by another topic")
    check(len(one.heard(0.9)) >= 2 and two.heard(0.3) == [], "MQTT: a subscription is its topic's")
    one.close()
    two.close()


def whole(peer, other):
    for part in [reading, searching, describing, writing]:
        part(peer)
    subscribing(peer, other)
    remembering(peer, other)
    malformed(peer)
    peer.close()


def main():
    os.environ["PATH"] += ":/usr/sbin:/usr/local/sbin"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "tree.json").write_text(json.dumps(TREE))
        config = '[vehicle.memory]\ntrees = ["tree.json"]\n[access]\nanonymous = true\n[history]\ndatapoints = 10000\n[[listen.websocket]]\naddress = "127.0.0.1:0"\n'
        started = []
        broker = None
        if shutil.which("mosquitto"):
            with socket.create_server(("127.0.0.1", 0)) as free:
                broker = free.getsockname()[1]
            (folder / "broker.conf").write_text(f"listener {broker} 127.0.0.1\nallow_anonymous true\npersistence false\n")
            started.append(subprocess.Popen(["mosquitto", "-c", folder / "broker.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            for car, two in [("CAR1", "false"), ("CAR2", "true"), ("/CAR3", "false")]:
                config += f'[[listen.mqtt]]\nurl = "mqtt://127.0.0.1:{broker}/{car}"\nanswers_under = "apps/"\nversion_2 = {two}\n'
        (folder / "serve.toml").write_text(config)
        server = subprocess.Popen([sys.argv[1], "serve", folder / "serve.toml"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            url = server.stdout.readline().split()[-1]
            for subprotocol in ["VISSv3", "VISSv2", "VISS-noenc", None]:
                whole(Socket(url, subprotocol), Socket(url, "VISSv3"))
            websockets(url)
            habits(url)
            if broker:
                for peer in [Topic(broker, "CAR1"), Topic(broker, "CAR2", version=2)]:
                    deadline = time.monotonic() + 10
                    while peer.hear(0.3) is None and time.monotonic() < deadline:
                        peer.send({"action": "get", "path": "Vehicle.Name", "requestId": "there"})
                    while peer.hear(0.5) is not None:
                        pass
                    whole(peer, Socket(url, "VISSv3"))
                through_broker(broker)
            else:
                print("without Mosquitto: MQTT was left out")
        finally:
            server.terminate()
            code = server.wait(20)
            for one in started:
                one.terminate()
                one.wait(10)
        check(code == 0, "the server ends in good order", code)
    print(f"{passed} of {passed + len(failed)} checks of the standard passed")
    sys.exit(1 if failed else 0)


main()
