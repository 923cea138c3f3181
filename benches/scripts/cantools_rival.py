"""Times cantools itself on the frames that the budgets program writes. One request a line on standard input, one line back, as in driver.c:
load PATH COUNT, decode, dump COUNT PATH, inputs PATH COUNT, encode."""

import struct
import sys
import time

import cantools

database = cantools.database.load_file(sys.argv[1], strict=False)
by_name = {int(message.name[1:]): message for message in database.messages}
frames = []
values = []


def load(path, most):
    frames.clear()
    with open(path, "rb") as file:
        count, stride = struct.unpack("<QQ", file.read(16))
        for _ in range(min(count, most)):
            message, identifier, length, _ = struct.unpack("<IIII", file.read(16))
            frames.append((message, identifier & 0x1FFFFFFF, identifier >> 31 == 1, file.read(stride)[:length]))
    return len(frames)


def decode():
    start = time.thread_time_ns()
    for _, identifier, extended, data in frames:
        database.decode_message(identifier, data, decode_choices=False, force_extended_id=extended)
    return time.thread_time_ns() - start


def dump(most, path):
    with open(path, "wb") as file:
        for _, identifier, extended, data in frames[:most]:
            decoded = database.decode_message(identifier, data, decode_choices=False, force_extended_id=extended)
            file.write(struct.pack("<Q", len(decoded)))
            for name, value in decoded.items():
                file.write(struct.pack("<Qd", int(name[1:]), value))
    return "ok"


def inputs(path, most):
    values.clear()
    with open(path, "rb") as file:
        count, _ = struct.unpack("<QQ", file.read(16))
        for _ in range(min(count, most)):
            message, length = struct.unpack("<II", file.read(8))
            row = struct.unpack(f"<{length}d", file.read(8 * length))
            names = sorted((signal.name for signal in by_name[message].signals), key=lambda name: int(name[1:]))
            values.append((by_name[message], dict(zip(names, row))))
    return len(values)


def encode():
    start = time.thread_time_ns()
    for message, row in values:
        message.encode(row)
    return time.thread_time_ns() - start


for line in sys.stdin:
    word, *rest = line.split()
    if word == "load":
        answer = load(rest[0], int(rest[1]))
    elif word == "decode":
        answer = decode()
    elif word == "dump":
        answer = dump(int(rest[0]), rest[1])
    elif word == "inputs":
        answer = inputs(rest[0], int(rest[1]))
    elif word == "encode":
        answer = encode()
    else:
        answer = "unknown request"
    print(answer, flush=True)
