"""Compares binary logs of ours with python-can's, asammdf's and scapy's reading of them, and the other way round. See `interop_binary`."""

import random
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import can
from scapy.utils import PcapNgReader

TOOL = Path(sys.argv[1]).resolve()
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64]
START = 1_700_000_000_250_000


def frames():
    """Tuples (microseconds, channel from 0, id, flags, length asked or had, data); flags: x extended, f FD, b BRS, e ESI, r remote, E error, T sent."""
    draw, now = random.Random(7), START
    for _ in range(COUNT):
        now += draw.choice([1, 7, 100, 250, 1000, 12_345])
        flags, kind = "x" if draw.random() < 0.4 else "", draw.choices(["data", "fd", "remote", "error"], [60, 30, 7, 3])[0]
        length = draw.choice(LENGTHS if kind == "fd" else LENGTHS[:9])
        data = draw.randbytes(length) if kind in ("data", "fd") else b""
        identifier = draw.randrange(1 << (29 if flags else 11))
        if kind == "error":
            # A bus error without details; of a sender nothing is known.
            yield now, draw.randrange(2), 0x80, "xE", 8, bytes(8)
            continue
        if kind == "fd":
            flags += "f" + draw.choice(["", "b"]) + draw.choice(["", "e"])
        flags += "r" if kind == "remote" else ""
        yield now, draw.randrange(2), identifier, flags + draw.choice(["", "T"]), length, data


def candump(frame):
    now, channel, identifier, flags, length, data = frame
    if "E" in flags:
        identifier, body = 0x20000000 | identifier, f"#{data.hex()}"
    elif "f" in flags:
        body = f"##{('b' in flags) | ('e' in flags) << 1}{data.hex()}"
    else:
        body = f"#R{length or ''}" if "r" in flags else f"#{data.hex()}"
    digits, direction = 8 if "x" in flags else 3, "" if "E" in flags else " T" if "T" in flags else " R"
    return f"({now // 1_000_000}.{now % 1_000_000:06}) can{channel} {identifier:0{digits}X}{body.upper()}{direction}\n"


def message(frame):
    now, channel, identifier, flags, length, data = frame
    return can.Message(
        timestamp=now / 1e6, channel=channel, arbitration_id=identifier, is_extended_id="x" in flags, is_fd="f" in flags,
        bitrate_switch="b" in flags, error_state_indicator="e" in flags, is_remote_frame="r" in flags, is_error_frame="E" in flags,
        is_rx="T" not in flags, dlc=length, data=data,
    )


def of_message(message):
    flags = [(message.is_extended_id or message.is_error_frame, "x"), (message.is_fd, "f"), (message.bitrate_switch, "b"),
             (message.error_state_indicator, "e"), (message.is_remote_frame, "r"), (message.is_error_frame, "E"), (not message.is_rx, "T")]
    flags = "".join(letter for on, letter in flags if on)
    return round(message.timestamp * 1e6), message.channel, message.arbitration_id, flags, message.dlc, bytes(message.data)


def of_candump(line):
    now, channel, body, *direction = line.split()
    seconds, _, fraction = now[1:-1].partition(".")
    # Floating-point seconds of others are good for microseconds.
    now = int(seconds) * 1_000_000 + round(int(fraction.ljust(9, "0")) / 1000)
    identifier, _, rest = body.partition("#")
    flags, raw = "x" if len(identifier) == 8 else "", int(identifier, 16)
    if raw & 0x20000000:
        flags, raw = flags + "E", raw & 0x1FFFFFFF
    if rest.startswith("#"):
        state, data = int(rest[1], 16), bytes.fromhex(rest[2:])
        flags, length = flags + "f" + "b" * (state & 1) + "e" * (state >> 1 & 1), len(data)
    elif rest.startswith("R"):
        flags, length, data = flags + "r", int(rest[1:] or "0", 16), b""
    else:
        data = bytes.fromhex(rest)
        length = len(data)
    return now, int(channel.lstrip("can")) if channel != "-" else None, raw, flags + "T" * (direction == ["T"]), length, data


def of_pcapng(path):
    """What scapy's reader gives, taken apart by what the capture's format says of it."""
    with PcapNgReader(str(path)) as reader:
        while True:
            try:
                packet, about = reader._read_packet()  # The bytes, not scapy's own idea of a CAN frame.
            except EOFError:
                return
            raw, length, state = struct.unpack_from(">LBB", packet)
            data = packet[8:8 + length]
            flags = "x" * bool(raw >> 31 or raw >> 29 & 1) + "f" * bool(state & 4) + "b" * (state & 1) + "e" * (state >> 1 & 1)
            flags += "r" * bool(raw >> 30 & 1) + "E" * bool(raw >> 29 & 1) + "T" * (about.direction == 2)
            # Nanoseconds, which scapy has in two halves.
            now = (about.tshigh << 32 | about.tslow) // 1000
            name = about.ifname if isinstance(about.ifname, str) else (about.ifname or b"").decode()
            yield now, int(name.lstrip("can")), raw & 0x1FFFFFFF, flags, length, data


def compare(what, meant, read, less=0, ignore=()):
    read = list(read)
    assert len(meant) == len(read), f"{what}: {len(meant)} frames meant, {len(read)} read"
    names = ["time", "channel", "id", "flags", "length", "data"]
    for number, (want, got) in enumerate(zip(meant, read)):
        for name, a, b in zip(names, want, got):
            if name in ignore or (name == "channel" and b is not None and a == b - less):
                continue
            # A double of seconds since 1970 is good to a quarter of a microsecond; two roundings may part.
            same = abs(a - b) <= 1 if name == "time" else a == b
            assert same, f"{what}: frame {number}: {name}: meant {want}, read {got}"
    print(f"{what}: {len(read)} frames equal")


def ours(*arguments):
    subprocess.run([TOOL, "convert", *arguments], check=True, stderr=subprocess.DEVNULL)


def timed(what, count, act):
    start = time.process_time()
    result = act()
    spent = time.process_time() - start
    print(f"{what}: {count / spent / 1e6:.3f} million frames per second of processor time")
    return result


def written_by_us(folder, meant):
    log = folder / "ours.log"
    log.write_text("".join(map(candump, meant)))
    ours(log, folder / "ours.blf")
    messages = timed("python-can reads BLF", len(meant), lambda: list(can.BLFReader(str(folder / "ours.blf"))))
    compare("BLF by us, read by python-can", meant, map(of_message, messages))
    reader = can.BLFReader(str(folder / "ours.blf"))
    about = reader.object_count, reader.file_size, round(reader.start_timestamp * 1e3), round(reader.stop_timestamp * 1e3)
    want = len(meant), (folder / "ours.blf").stat().st_size, meant[0][0] // 1000, meant[-1][0] // 1000
    assert about == want, f"the header of a BLF by us says {about}, not {want}"
    # asammdf reads MDF alone: what python-can reads of ours goes through its writer, and is read by it.
    with can.MF4Writer(str(folder / "ours.mf4")) as writer:
        for one in messages:
            writer.on_message_received(one)
    with can.MF4Reader(str(folder / "ours.mf4")) as reader:
        read = list(map(of_message, reader))
    # Error frames come without their details.
    assert len(read) == len(meant), f"{len(meant)} frames meant, {len(read)} read by asammdf"
    meant_data, read_data = ([frame for frame in frames if "E" not in frame[3]] for frames in (meant, read))
    compare("BLF by us, by way of python-can's MF4 writer, read by asammdf", meant_data, read_data)
    ours(log, folder / "ours.pcapng")
    compare("pcapng by us, read by scapy", meant, of_pcapng(folder / "ours.pcapng"))


def written_by_others(folder, meant):
    for name, options in [("deflate.blf", {}), ("stored.blf", {"compression_level": 0})]:
        with can.BLFWriter(str(folder / name), **options) as writer:
            for frame in meant:
                writer.on_message_received(message(frame))
        back = folder / f"{name}.log"
        ours(folder / name, back)
        # candump's form has our names for channels: numbers from 1.
        compare(f"{name} by python-can, read by us", meant, map(of_candump, back.open()), less=1)
    with can.MF4Writer(str(folder / "theirs.mf4")) as writer:
        for frame in meant:
            writer.on_message_received(message(frame))
    ours(folder / "theirs.mf4", folder / "mf4.log")
    compare("MF4 by asammdf, read by us", sorted(meant, key=lambda frame: frame[0]), map(of_candump, (folder / "mf4.log").open()))


if __name__ == "__main__":
    meant = list(frames())
    with tempfile.TemporaryDirectory() as folder:
        written_by_us(Path(folder), meant)
        written_by_others(Path(folder), meant)
