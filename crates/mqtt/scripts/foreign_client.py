"""foreign_client.py HOST:PORT CAR: a client that knows VISS over MQTT and nothing of Coachwork (paho-mqtt) at the car that the program CAR makes."""

import itertools
import json
import queue
import subprocess
import sys
import time

import paho.mqtt.client as mqtt

SEAT = "Vehicle.Cabin.Seat.Row1.DriverSide.Heating"
host, port = sys.argv[1].split(":")
numbers = itertools.count(1)


class App:
    """An app with a topic of its own."""

    def __init__(self, vehicle, topic, version=mqtt.MQTTv311):
        self.vehicle, self.topic = vehicle, topic
        self.heard, self.events = queue.Queue(), queue.Queue()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=version)
        subscribed = queue.Queue()
        self.client.on_subscribe = lambda *_: subscribed.put(True)
        self.client.on_message = self.on_message
        self.client.connect(host, int(port))
        self.client.loop_start()
        self.client.subscribe(topic, qos=1)
        subscribed.get(timeout=10)

    def on_message(self, _client, _data, message):
        if message.topic != self.topic and message.topic.endswith("/Vehicle"):
            # A wildcard hears the requests, too; an answer among them would have no topic.
            try:
                said = json.loads(message.payload)
            except ValueError:
                return
            if isinstance(said, dict) and "action" in said:
                self.heard.put(said)
            return
        said = json.loads(message.payload)
        (self.events if said.get("action") == "subscription" else self.heard).put(said)

    def publish(self, payload, qos=1, retain=False):
        self.client.publish(f"{self.vehicle}/Vehicle", payload, qos, retain).wait_for_publish(10)

    def ask(self, request, qos=1, as_object=False):
        self.publish(json.dumps({"topic": self.topic, "request": request if as_object else json.dumps(request)}), qos)

    def answer(self, action, as_object=False, qos=1, **members):
        request = {"action": action, "requestId": str(next(numbers)), **members}
        self.ask(request, qos, as_object)
        said = self.heard.get(timeout=10)
        assert said.get("action", action) == action and said["requestId"] == request["requestId"], (request, said)
        return said

    def silent(self, seconds=1.0):
        time.sleep(seconds)
        assert self.heard.empty(), self.heard.get()


def main():
    vehicle = f"foreign-{time.time_ns()}"
    # What the broker has kept from before the car came is no request.
    keeper = App(vehicle, f"{vehicle}-keeper")
    kept = json.dumps({"topic": keeper.topic, "request": json.dumps({"action": "set", "path": SEAT, "value": "9", "requestId": "kept"})})
    keeper.publish(kept, retain=True)
    car = subprocess.Popen([sys.argv[2], f"mqtt://{host}:{port}/{vehicle}"], stdout=subprocess.PIPE, text=True)
    try:
        assert car.stdout.readline() == "the car is at its broker\n"
        keeper.silent()
        keeper.publish(b"", retain=True)
        for version, as_object, qos in ((mqtt.MQTTv311, False, 1), (mqtt.MQTTv311, True, 0), (mqtt.MQTTv5, False, 2)):
            one, other = (App(vehicle, f"{vehicle}-app-{version}-{qos}-{n}", version) for n in (1, 2))
            speak(vehicle, one, other, as_object, qos)
    finally:
        car.kill()
    print("a foreign client over MQTT 3.1.1 and 5: get, set, subscribe, unsubscribe; nothing twice, nothing for strangers")


def speak(vehicle, one, other, as_object, qos):
    say = {"as_object": as_object, "qos": qos}
    # get, and its errors.
    said = one.answer("get", path="Vehicle.Speed", **say)
    assert said["data"]["path"] == "Vehicle.Speed" and float(said["data"]["dp"]["value"]) >= 50, said
    said = one.answer("get", path="Vehicle", filter={"variant": "metadata", "parameter": "0"}, **say)
    assert "Speed" in json.dumps(said["metadata"]), said
    assert one.answer("get", path="Vehicle.Nothing", **say)["error"]["number"] == "404"
    assert one.answer("nonsense", **say)["error"]["number"] == "400"
    # set moves what is read afterwards.
    one.answer("set", path=SEAT, value="40", **say)
    assert one.answer("get", path=SEAT, **say)["data"]["dp"]["value"] == "40"
    assert "error" in one.answer("set", path=SEAT, value="warm", **say)
    # The same request again, as a client sends it that heard nothing from its broker: the same answer, and nothing moves.
    again = {"action": "set", "path": SEAT, "value": "10", "requestId": f"again-{qos}"}
    one.ask(again, qos)
    first = one.heard.get(timeout=10)
    one.answer("set", path=SEAT, value="20", **say)
    one.ask(again, qos)
    assert one.heard.get(timeout=10) == first
    assert one.answer("get", path=SEAT, **say)["data"]["dp"]["value"] == "20"
    # The same `get` again and again, of a client that does not count.
    for _ in range(3):
        one.ask({"action": "get", "path": SEAT, "requestId": "0"}, qos)
        assert one.heard.get(timeout=10)["data"]["dp"]["value"] == "20"
    # subscribe: events come to this topic and to no other, until unsubscribe.
    subscribed = one.answer("subscribe", path="Vehicle.Speed", filter={"variant": "timebased", "parameter": {"period": "100"}}, **say)
    events = [one.events.get(timeout=10) for _ in range(3)]
    assert all(event["subscriptionId"] == subscribed["subscriptionId"] for event in events), events
    assert all(event["data"]["path"] == "Vehicle.Speed" for event in events), events
    assert other.events.empty()
    # A stranger cannot end it.
    assert other.answer("unsubscribe", subscriptionId=subscribed["subscriptionId"], **say)["error"]["number"] == "404"
    one.events.get(timeout=10)
    one.answer("unsubscribe", subscriptionId=subscribed["subscriptionId"], **say)
    time.sleep(0.3)
    while not one.events.empty():
        one.events.get()
    time.sleep(0.5)
    assert one.events.empty()
    # What is no envelope, or names a topic that gets no answer, does nothing and harms nobody.
    watcher = App(vehicle, f"{vehicle}/#")
    for payload in (b"", b"{", b"[]", b'{"topic":"a"}', b"\xff\xfe", json.dumps({"topic": one.topic, "request": 5}).encode()):
        one.publish(payload)
    for topic in (f"{vehicle}/Vehicle", f"{vehicle}/ATS", "$SYS/x", "#", f"{vehicle}/+", "another/Vehicle", "", "a" * 300, "a\x00b"):
        request = json.dumps({"action": "get", "path": "Vehicle.Speed", "requestId": "mirror"})
        one.publish(json.dumps({"topic": topic, "request": request}))
    one.publish(b"x" * 5_000_000)
    one.silent()
    mirrored = []
    while not watcher.heard.empty():
        mirrored.append(watcher.heard.get())
    assert not mirrored, mirrored
    watcher.client.loop_stop()
    # A request above the car's limit ends only its sender's conversation.
    other.ask({"action": "get", "path": "x" * 100_000, "requestId": "large"}, qos)
    other.silent()
    assert float(one.answer("get", path="Vehicle.Speed", **say)["data"]["dp"]["value"]) >= 50
    assert float(other.answer("get", path="Vehicle.Speed", **say)["data"]["dp"]["value"]) >= 50
    one.client.loop_stop()
    other.client.loop_stop()


main()
