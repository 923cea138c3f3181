"""A database becomes the C that calls its generated decoders and encoders, message by message: cases.inc for driver.c."""

import sys

import cantools


def cases(database, write):
    for number, message in enumerate(database.messages):
        name = message.name
        signals = message.signals
        selector = next((s for s in signals if s.is_multiplexer), None)
        write(f"case {int(name[1:])}: {{ struct db_{name}_t m; db_{name}_unpack(&m, data, length);")
        for signal in signals:
            if not signal.multiplexer_ids:
                write(f"PUT({signal.name[1:]}, db_{name}_{signal.name}_decode(m.{signal.name}));")
        if selector is not None:
            values = sorted({value for s in signals for value in (s.multiplexer_ids or [])})
            write(f"switch (m.{selector.name}) {{")
            for value in values:
                write(f"case {value}:")
                for signal in signals:
                    if value in (signal.multiplexer_ids or []):
                        write(f"PUT({signal.name[1:]}, db_{name}_{signal.name}_decode(m.{signal.name}));")
                write("break;")
            write("default: break; }")
        write("break; }")


def encoders(database, write):
    for message in database.messages:
        name = message.name
        if any(signal.is_multiplexer for signal in message.signals):
            continue
        write(f"case {int(name[1:])}: {{ struct db_{name}_t m;")
        if not message.signals:
            write("memset(&m, 0, sizeof m);")
        # The order of the inputs is that of the file.
        for place, signal in enumerate(sorted(message.signals, key=lambda s: int(s.name[1:]))):
            write(f"m.{signal.name} = db_{name}_{signal.name}_encode(in[{place}]);")
        write(f"db_{name}_pack(out, &m, {message.length}); break; }}")


def main():
    database = cantools.database.load_file(sys.argv[1], strict=False)
    for file, make in (("decode.inc", cases), ("encode.inc", encoders)):
        lines = []
        make(database, lines.append)
        with open(f"{sys.argv[2]}/{file}", "w", encoding="ascii") as out:
            out.write("\n".join(lines) + "\n")


main()
