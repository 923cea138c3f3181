"""Foreign VISS clients against `coachwork serve`: see interop_viss."""

import asyncio
import json
import pathlib
import queue
import ssl
import subprocess
import sys
import tempfile
import time

import websockets
from kuksa_client import KuksaClientThread

SPEED = "Vehicle.Speed"
ODOMETER = "Vehicle.TraveledDistance"
LIGHT = "Vehicle.Body.Lights.Beam.Low.IsOn"
SEAT = "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling"
VOLUME = "Vehicle.Cabin.Infotainment.Media.Volume"
UNSET = "Vehicle.VehicleIdentification.VIN"

passed, failed = 0, []


def check(what, truth, seen=""):
    global passed
    if truth:
        passed += 1
        print(f"ok    {what}")
    else:
        failed.append(what)
        print(f"WRONG {what}: {seen}")


class Peer:
    """One connection, whose events wait while an answer is awaited."""

    def __init__(self, socket):
        self.socket, self.count, self.events = socket, 0, []

    async def ask(self, action, **members):
        self.count += 1
        number = str(self.count)
        await self.socket.send(json.dumps({"action": action, "requestId": number, **members}))
        while True:
            answer = json.loads(await asyncio.wait_for(self.socket.recv(), 10))
            if answer.get("requestId") == number:
                return answer
            self.events.append(answer)

    async def event(self, within=10):
        if self.events:
            return self.events.pop(0)
        return json.loads(await asyncio.wait_for(self.socket.recv(), within))

    async def raw(self, text):
        await self.socket.send(text)
        return json.loads(await asyncio.wait_for(self.socket.recv(), 10))


def error_of(answer, version, number, reason):
    error = answer.get("error", {})
    said = error.get("description" if version == 3 else "message")
    wanted = str(number) if version == 3 else number
    return error.get("number") == wanted and error.get("reason") == reason and isinstance(said, str) and "ts" in answer


async def viss(url, version, subprotocol):
    v = f"v{version} {subprotocol}:"
    kind = "variant" if version == 3 else "type"
    offered = [subprotocol] if subprotocol else None
    async with websockets.connect(url, subprotocols=offered) as socket:
        check(f"{v} the subprotocol is agreed on", socket.subprotocol == subprotocol, socket.subprotocol)
        peer = Peer(socket)

        answer = await peer.ask("get", path=ODOMETER)
        dp = answer.get("data", {}).get("dp", {})
        check(f"{v} get", answer["data"]["path"] == ODOMETER and dp.get("value") == "12345678", answer)
        check(f"{v} times end with Z", answer["ts"].endswith("Z") and dp["ts"].endswith("Z"), answer)
        check(f"{v} nothing of ours is said", not {"coachwork", "receipts"} & answer.keys() and dp.keys() == {"value", "ts"}, answer)
        answer = await peer.ask("get", path=ODOMETER.replace(".", "/"))
        check(f"{v} get by slashes", answer.get("data", {}).get("path") == ODOMETER, answer)
        answer = await peer.ask("get", path="Vehicle.Cabin.Door", filter={kind: "paths", "parameter": ["*.*.IsOpen"]})
        check(f"{v} get of a paths filter is a list", isinstance(answer.get("data"), list) and len(answer["data"]) == 4, answer)
        name = "metadata" if version == 3 else "static-metadata"
        answer = await peer.ask("get", path=SPEED, filter={kind: name, "parameter": "0" if version == 3 else ""})
        check(f"{v} metadata", "km/h" in json.dumps(answer.get("metadata", "")) and '"sensor"' in json.dumps(answer), answer)
        answer = await peer.ask("get", path="Vehicle.Nope")
        check(f"{v} get of nothing", error_of(answer, version, 404, "unavailable_data"), answer)
        answer = await peer.ask("get", path=UNSET)
        check(f"{v} get of what was never set", error_of(answer, version, 404, "unavailable_data"), answer)
        answer = await peer.ask("get", path="Vehicle.*.IsOpen")
        check(f"{v} a wildcard has no place in a path", "error" in answer, answer)

        answer = await peer.ask("set", path=VOLUME, value="25")
        check(f"{v} set", "error" not in answer and "ts" in answer, answer)
        answer = await peer.ask("get", path=VOLUME)
        check(f"{v} what was set is read", answer["data"]["dp"]["value"] == "25", answer)
        answer = await peer.ask("set", path=LIGHT, value="true")
        check(f"{v} set of a boolean", "error" not in answer, answer)
        answer = await peer.ask("set", path=VOLUME, value="loud")
        check(f"{v} set of another type", error_of(answer, version, 400, "invalid_data"), answer)
        answer = await peer.ask("set", path=VOLUME, value="101")
        check(f"{v} set out of range", error_of(answer, version, 400, "invalid_data"), answer)
        answer = await peer.ask("set", path=SPEED, value="3")
        check(f"{v} set of a sensor", error_of(answer, version, 400, "invalid_data"), answer)
        if version == 3:
            answer = await peer.ask("set", data=[{"path": VOLUME, "value": "10"}, {"path": LIGHT, "value": "false"}])
            check(f"{v} set of two", "error" not in answer, answer)

        answer = await peer.ask("subscribe", path=SPEED, filter={kind: "timebased", "parameter": {"period": "100"}})
        subscription = answer.get("subscriptionId")
        check(f"{v} subscribe timebased", isinstance(subscription, str), answer)
        begun, times = time.monotonic(), 5
        events = [await peer.event() for _ in range(times)]
        took = time.monotonic() - begun
        check(f"{v} its events", all(e["action"] == "subscription" and e["subscriptionId"] == subscription and e["data"]["path"] == SPEED for e in events), events)
        check(f"{v} their pace", 0.2 <= took <= 3, took)
        answer = await peer.ask("unsubscribe", subscriptionId=subscription)
        check(f"{v} unsubscribe", "error" not in answer and ("subscriptionId" in answer) == (version == 2), answer)
        answer = await peer.ask("unsubscribe", subscriptionId=subscription)
        check(f"{v} unsubscribe again", "error" in answer, answer)
        peer.events.clear()
        try:
            late = await peer.event(0.5)
        except asyncio.TimeoutError:
            late = None
        check(f"{v} nothing comes after it", late is None, late)

        change = {kind: "change", "parameter": {"logic-op": "ne", "diff": "0"}}
        subscription = (await peer.ask("subscribe", path=VOLUME, filter=change)).get("subscriptionId")
        first = await peer.event()
        other = "33" if first["data"]["dp"]["value"] != "33" else "34"
        await peer.ask("set", path=VOLUME, value=other)
        await peer.ask("set", path=VOLUME, value=other)
        event = await peer.event()
        check(f"{v} subscribe to changes", event["data"]["dp"]["value"] == other, event)
        await peer.ask("unsubscribe", subscriptionId=subscription)
        peer.events.clear()

        subscription = (await peer.ask("subscribe", path=LIGHT, filter=change)).get("subscriptionId")
        first = (await peer.event())["data"]["dp"]["value"]
        await peer.ask("set", path=LIGHT, value="false" if first == "true" else "true")
        event = await peer.event()
        check(f"{v} a boolean changes", event["data"]["dp"]["value"] != first, event)
        await peer.ask("unsubscribe", subscriptionId=subscription)
        peer.events.clear()

        band = {kind: "range", "parameter": [{"logic-op": "gte", "boundary": "40"}, {"logic-op": "lt", "boundary": "60"}]}
        answer = await peer.ask("subscribe", path=VOLUME, filter=band)
        # What is outside at first is not told.
        for value in ["70", "50"]:
            await peer.ask("set", path=VOLUME, value=value)
        event = await peer.event()
        check(f"{v} subscribe to a range", event["data"]["dp"]["value"] == "50", event)
        await peer.ask("unsubscribe", subscriptionId=answer.get("subscriptionId"))
        peer.events.clear()

        many = [{kind: "paths", "parameter": ["*.*.IsOpen"]}, {kind: "timebased", "parameter": {"period": "100"}}]
        answer = await peer.ask("subscribe", path="Vehicle.Cabin.Door", filter=many)
        event = await peer.event()
        check(f"{v} subscribe to several", isinstance(event.get("data"), list) and len(event["data"]) == 4, event)
        await peer.ask("unsubscribe", subscriptionId=answer.get("subscriptionId"))
        peer.events.clear()

        answer = await peer.ask("subscribe", path=SPEED)
        if version == 3:
            check(f"{v} subscribe needs a filter", error_of(answer, version, 400, "bad_request"), answer)
        else:
            check(f"{v} subscribe without a filter", "subscriptionId" in answer and "data" in await peer.event(), answer)
        answer = await peer.ask("subscribe", path=SPEED, filter={kind: "nonsense", "parameter": "1"})
        nowhere = (404, "unavailable_data") if version == 3 else (400, "bad_request")
        check(f"{v} a filter that nobody knows", error_of(answer, version, *nowhere), answer)

        answer = await peer.ask("fly", path=SPEED)
        check(f"{v} an action that nobody knows", error_of(answer, version, 400, "bad_request"), answer)
        for text in ["{", "[]", '{"action":"get"}', '{"action":"get","path":{},"requestId":"x"}']:
            answer = await peer.raw(text)
            while answer.get("action") == "subscription":
                answer = await peer.event()
            check(f"{v} {text} is refused", error_of(answer, version, 400, "bad_request"), answer)
        answer = await peer.ask("get", path=SPEED, authorization="nonsense")
        check(f"{v} a token that nobody knows", error_of(answer, version, 401, "invalid_token"), answer)
        answer = await peer.ask("get", path=SPEED)
        check(f"{v} it goes on after all that", answer["data"]["path"] == SPEED, answer)


def kuksa(port, certificate):
    secure = certificate is not None
    v = "kuksa-client, TLS:" if secure else "kuksa-client:"
    config = {"ip": "127.0.0.1", "port": port, "protocol": "ws", "insecure": not secure}
    if secure:
        config["cacertificate"] = certificate
    client = KuksaClientThread(config)
    client.start()
    deadline = time.monotonic() + 10
    while not client.connection_established() and time.monotonic() < deadline:
        time.sleep(0.05)
    check(f"{v} connects", client.connection_established())
    answer = json.loads(client.getValue(ODOMETER))
    check(f"{v} getValue", answer.get("data", {}).get("dp", {}).get("value") == "12345678", answer)
    answer = json.loads(client.getMetaData(SPEED))
    check(f"{v} getMetaData", "km/h" in json.dumps(answer.get("metadata", "")), answer)
    answer = json.loads(client.setValue(VOLUME, "44", attribute="targetValue"))
    check(f"{v} setValue (targetValue)", "error" not in answer and answer.get("action") == "set", answer)
    answer = json.loads(client.getValue(VOLUME))
    check(f"{v} reads what it set", answer["data"]["dp"]["value"] == "44", answer)
    answer = json.loads(client.setValue(VOLUME, "144", attribute="targetValue"))
    check(f"{v} an error is one", answer.get("error", {}).get("number") == 400, answer)
    heard = queue.Queue()
    answer = json.loads(client.subscribe(SPEED, heard.put))
    check(f"{v} subscribe", "subscriptionId" in answer, answer)
    try:
        event = json.loads(heard.get(timeout=10))
    except queue.Empty:
        event = {}
    check(f"{v} hears of it", event.get("data", {}).get("path") == SPEED, event)
    answer = json.loads(client.unsubscribe(answer.get("subscriptionId")))
    check(f"{v} unsubscribe", "error" not in answer, answer)
    answer = json.loads(client.getValue("Vehicle.Nope"))
    check(f"{v} an unknown path", answer.get("error", {}).get("number") == 404, answer)
    client.stop()
    client.join(timeout=10)


CONFIG = """
[vehicle.simulator]
seed = 7
[vehicle.memory]
[[listen.websocket]]
address = "127.0.0.1:0"
[[listen.websocket]]
address = "127.0.0.1:0"
certificate = "server.pem"
key = "server.key"
"""


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=car",
             "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", folder / "server.key", "-out", folder / "server.pem"],
            check=True, capture_output=True)
        (folder / "serve.toml").write_text(CONFIG)
        server = subprocess.Popen([sys.argv[1], "serve", folder / "serve.toml"], stdout=subprocess.PIPE, text=True)
        try:
            plain, secure = (server.stdout.readline().split()[-1] for _ in range(2))
            port = lambda url: int(url.rsplit(":", 1)[1])
            for version, subprotocol in [(3, "VISSv3"), (3, "VISS-noenc"), (3, None), (2, "VISSv2")]:
                asyncio.run(viss(plain, version, subprotocol))
            context = ssl.create_default_context(cafile=folder / "server.pem")

            async def encrypted():
                async with websockets.connect(secure, ssl=context, subprotocols=["VISSv3"]) as socket:
                    answer = await Peer(socket).ask("get", path=ODOMETER)
                    check("v3 over TLS: get", answer["data"]["dp"]["value"] == "12345678", answer)

            asyncio.run(encrypted())
            kuksa(port(plain), None)
            kuksa(port(secure), str(folder / "server.pem"))
        finally:
            server.terminate()
            code = server.wait(20)
        check("the server ends in good order", code == 0, code)
    print(f"{passed} of {passed + len(failed)} checks passed")
    sys.exit(1 if failed else 0)


main()
