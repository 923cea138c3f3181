"""Compares logs of ours with python-can's and can-utils' reading of them, and the other way round. See `interop`, which calls it."""

import logging
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import can

TOOL = Path(sys.argv[1]).resolve()
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64]
START = 1_700_000_000_250_000


def frames():
    """Tuples (microseconds, channel from 0, id, extended, fd, brs, esi, remote, error, transmitted, dlc, data)."""
    draw, now = random.Random(4), START
    for _ in range(COUNT):
        now += draw.choice([1, 7, 100, 250, 1000, 12_345])
        extended, kind = draw.random() < 0.4, draw.choices(["data", "fd", "remote", "error"], [60, 30, 7, 3])[0]
        length = draw.choice(LENGTHS if kind == "fd" else LENGTHS[:9])
        data = draw.randbytes(length) if kind in ("data", "fd") else b""
        identifier = draw.randrange(1 << (29 if extended else 11))
        if kind == "error":
            # The one class that python-can reads and writes in candump's form: a bus error without details.
            identifier, length, data = 0x80, 8, bytes(8)
        yield (
            now, draw.randrange(2), identifier, extended or kind == "error", kind == "fd", kind == "fd" and draw.random() < 0.5,
            kind == "fd" and draw.random() < 0.2, kind == "remote", kind == "error", draw.random() < 0.3,
            length, data,
        )


def candump(frame):
    now, channel, identifier, extended, fd, brs, esi, remote, error, transmitted, dlc, data = frame
    if error:
        identifier, body = 0x20000000 | identifier, f"#{data.hex()}"
    elif fd:
        body = f"##{brs | esi << 1}{data.hex()}"
    else:
        body = f"#R{dlc or ''}" if remote else f"#{data.hex()}"
    digits = 8 if extended else 3
    direction = "T" if transmitted else "R"
    return f"({now // 1_000_000}.{now % 1_000_000:06}) can{channel} {identifier:0{digits}X}{body.upper()} {direction}\n"


def message(frame):
    now, channel, identifier, extended, fd, brs, esi, remote, error, transmitted, dlc, data = frame
    return can.Message(
        timestamp=now / 1e6, channel=channel, arbitration_id=identifier, is_extended_id=extended, is_fd=fd, bitrate_switch=brs,
        error_state_indicator=esi, is_remote_frame=remote, is_error_frame=error, is_rx=not transmitted, dlc=dlc, data=data,
    )


def seen(message, base):
    """A python-can message as such a tuple; its times count from `base` microseconds."""
    m, channel = message, message.channel
    if isinstance(channel, str):
        channel = int(channel.removeprefix("can"))
    return (
        base + round(m.timestamp * 1e6), channel, m.arbitration_id, m.is_extended_id, m.is_fd, m.bitrate_switch,
        m.error_state_indicator, m.is_remote_frame, m.is_error_frame, not m.is_rx, m.dlc, bytes(m.data),
    )


# What python-can does not read (or write) of a format, as changes to what is expected.
def change(frame, **changes):
    names = ["time", "channel", "id", "extended", "fd", "brs", "esi", "remote", "error", "transmitted", "dlc", "data"]
    return tuple(changes.get(name, value) for name, value in zip(names, frame))


def asc(frame):
    _, _, _, _, fd, _, _, _, error, _, dlc, _ = frame
    if error:
        # A line of an error frame has no direction.
        return change(bare(frame), transmitted=False)
    # An FD frame without data comes out as a remote one.
    return change(frame, remote=True) if fd and dlc == 0 else frame


def trc(frame):
    # Channels count from 1, the length of an FD frame is given as its code, error lines are passed over.
    dlc = LENGTHS.index(frame[10]) if frame[4] else frame[10]
    return None if frame[8] else change(frame, channel=frame[1] + 1, dlc=dlc)


def csv(frame):
    return change(frame, channel=None, fd=False, brs=False, esi=False, transmitted=False)


def blf(frame):
    # An error frame has no direction.
    return change(frame, transmitted=frame[9] and not frame[8])


def log(frame):
    return change(bare(frame), channel=None, transmitted=False) if frame[8] else frame


def bare(frame):
    """An error frame without its class."""
    return change(frame, id=0, dlc=0, data=b"")


def compare(what, got, wanted, near=0):
    wanted = [frame for frame in wanted if frame is not None]
    if len(got) != len(wanted):
        sys.exit(f"{what}: {len(got)} frames, not {len(wanted)}")
    for number, (one, other) in enumerate(zip(got, wanted)):
        if one[1:] != other[1:] or abs(one[0] - other[0]) > near:
            sys.exit(f"{what}: frame {number} is\n  {one}, not\n  {other}")
    print(f"{what}: {len(got)} frames equal")


def convert(*arguments):
    return subprocess.run([TOOL, "convert", *arguments], check=True, capture_output=True, text=True)


def ours(path):
    """What we read of a log, as tuples, by way of our candump."""
    for line in convert(path, "-", "--to", "candump").stdout.splitlines():
        when, channel, body, *direction = line.split()
        identifier, _, data = body.partition("#")
        raw, fd = int(identifier, 16), data.startswith("#")
        error, flags = bool(raw & 0x20000000) and len(identifier) == 8, int(data[1], 16) if fd else 0
        remote = data.startswith("R")
        payload = bytes.fromhex(data[2:] if fd else "" if remote else data)
        dlc = int(data[1:] or "0", 16) if remote else len(payload)
        seconds, _, decimals = when.strip("()").partition(".")
        yield (
            int(seconds) * 1_000_000 + round(int(decimals.ljust(9, "0")) / 1000), channel, raw & 0x1FFFFFFF, len(identifier) == 8, fd,
            bool(flags & 1), bool(flags & 2), remote, error, direction == ["T"], dlc, payload,
        )


def main(folder):
    source = list(frames())
    (folder / "source.log").write_text("".join(map(candump, source)))
    compare("our reading of candump", [change(f, channel=int(f[1][3:])) for f in ours(folder / "source.log")], source)
    second = START // 1_000_000 * 1_000_000
    formats = {
        "log": (log, 0, can.CanutilsLogReader), "asc": (asc, second, can.ASCReader), "trc": (trc, 0, can.TRCReader),
        "csv": (csv, 0, can.CSVReader), "blf": (blf, 0, can.BLFReader),
    }
    for ending, (known, base, reader) in formats.items():
        path = folder / f"ours.{ending}"
        if ending not in convert("--help").stdout:
            print(f"{ending} is not written yet")
            continue
        convert(folder / "source.log", path)
        compare(f"{ending}, ours read by python-can", [seen(m, base) for m in reader(path)], map(known, source), near=1)
    theirs(folder, source)
    can_utils(folder, source)
    reading(folder, source, formats)


def reading(folder, source, formats):
    """Frames read in a second of processor time, by the tool (which finds none of their ids in a database) and by python-can."""
    (folder / "empty.dbc").write_text('VERSION ""\nBU_:\n')
    start = START
    with open(folder / "long.log", "w") as long:
        for _ in range(max(1, 1_000_000 // COUNT)):
            long.writelines(candump((frame[0] - START + start, *frame[1:])) for frame in source)
            start += source[-1][0] - START
    count = max(1, 1_000_000 // COUNT) * COUNT
    for ending, (_, _, reader) in formats.items():
        if not (folder / f"ours.{ending}").exists():
            continue
        if ending != "log":
            convert(folder / "long.log", folder / f"long.{ending}")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([TOOL, "decode", folder / "empty.dbc", folder / f"long.{ending}"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours = count / (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        begin = time.process_time()
        read = sum(1 for _ in reader(folder / f"ours.{ending}"))
        theirs = read / (time.process_time() - begin)
        print(f"{ending}: {ours / 1e6:.1f} million frames a second, python-can {theirs / 1e6:.3f} million: {ours / theirs:.0f} times")


def theirs(folder, source):
    """Logs that python-can writes."""
    for ending, known in {"log": log_theirs, "asc": asc_theirs, "trc": trc_theirs, "csv": csv_theirs, "blf": blf}.items():
        path = folder / f"theirs.{ending}"
        with can.Logger(path) as writer:
            for frame in source:
                writer.on_message_received(message(frame))
        got = list(ours(path))
        wanted = [frame for frame in map(known, source) if frame is not None]
        # Names become numbers in some formats. The milliseconds in python-can's ASC header are not padded, and its TRC header has the time
        # of the first frame that is written, but offsets from the first that was to be.
        got = [change(f, channel=named(f[1], ending)) for f in got]
        if ending in ("asc", "trc"):
            shift = got[0][0] - wanted[0][0]
            got = [change(f, time=f[0] - shift) for f in got]
        compare(f"{ending}, python-can's read by us", got, wanted, near=1)


def named(channel, ending):
    return None if channel == "-" else int(channel.removeprefix("can")) - (ending in ("asc", "trc", "blf"))


def log_theirs(frame):
    # Remote frames lose their length, error frames their direction.
    return change(frame, dlc=0 if frame[7] else frame[10], transmitted=frame[9] and not frame[8])


def asc_theirs(frame):
    return change(bare(frame), transmitted=False) if frame[8] else frame


def trc_theirs(frame):
    return None if frame[4] or frame[7] or frame[8] else frame


def csv_theirs(frame):
    return change(frame, channel=None, fd=len(frame[11]) > 8, brs=False, esi=False, transmitted=False)


def can_utils(folder, source):
    if not shutil.which("log2asc") or not shutil.which("asc2log"):
        print("can-utils is not there: its converters are left out")
        return
    # asc2log reads what we write: classic data frames, whose direction it does not keep.
    classic = [frame for frame in source if not (frame[4] or frame[7] or frame[8])]
    (folder / "classic.log").write_text("".join(candump(frame)[:-3] + "\n" for frame in classic))
    convert(folder / "classic.log", folder / "classic.asc")
    subprocess.run(["asc2log", "-I", folder / "classic.asc", "-O", folder / "classic_back.log"], check=True, stderr=subprocess.DEVNULL)
    got = [change(f, channel=int(f[1][3:])) for f in ours(folder / "classic_back.log")]
    wanted = [change(frame, transmitted=False) for frame in classic]
    base = got[0][0] - wanted[0][0]
    compare("asc, ours read by can-utils", [change(f, time=f[0] - base) for f in got], wanted, near=1)
    # log2asc writes what we read.
    arguments = ["log2asc", "-I", folder / "source.log", "-O", folder / "can_utils.asc", "can0", "can1"]
    subprocess.run(arguments, check=True, stderr=subprocess.DEVNULL)
    got = [change(f, channel=int(f[1]) - 1, transmitted=False) for f in ours(folder / "can_utils.asc")]
    wanted = [change(bare(frame) if frame[8] else frame, transmitted=False) for frame in source]
    base = got[0][0] - wanted[0][0]
    compare("asc, can-utils' read by us", [change(f, time=f[0] - base) for f in got], wanted, near=1)


if __name__ == "__main__":
    # python-can says of each frame that it does not write it.
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
