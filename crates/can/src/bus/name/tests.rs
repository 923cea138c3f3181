//! Names: what is read, what is refused, and that what is shown reads back.

use super::*;
use proptest::prelude::*;

fn name(text: &str) -> BusName {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> String {
    text.parse::<BusName>().unwrap_err().to_string()
}

#[test]
fn each_interface_has_its_channels() {
    let BusName::SocketCan(can) = name("socketcan:vcan0") else { panic!() };
    assert!(can.channel == "vcan0" && can.fd && !can.receive_own_messages && can.local_loopback);
    let BusName::SocketCan(can) = name("socketcan:can1?fd=False&receive_own_messages=1") else { panic!() };
    assert!(!can.fd && can.receive_own_messages);

    for text in
        ["socketcand:host:1234/can0", "socketcand:can0?host=host&port=1234", "socketcand:host/can0?port=1234"]
    {
        let BusName::Socketcand(daemon) = name(text) else { panic!() };
        assert_eq!(
            (daemon.host.as_str(), daemon.port, daemon.channel.as_str()),
            ("host", 1234, "can0"),
            "{text}"
        );
    }
    let BusName::Socketcand(daemon) = name("socketcand:[fe80::1]/can0") else { panic!() };
    assert_eq!((daemon.host.as_str(), daemon.port), ("fe80::1", 29536));

    let BusName::Slcan(serial) = name("slcan:/dev/ttyUSB0@9600?bitrate=83300&sleep_after_open=0.5") else {
        panic!()
    };
    assert_eq!(serial.port, SlcanPort::Serial { path: "/dev/ttyUSB0".into(), baud: 9600 });
    assert_eq!((serial.bitrate, serial.sleep_after_open), (Some(83_300), Duration::from_millis(500)));
    let BusName::Slcan(tcp) = name("slcan:socket://[::1]:5000?btr=031c") else { panic!() };
    assert_eq!(tcp.port, SlcanPort::Tcp { host: "::1".into(), port: 5000 });
    assert_eq!((tcp.btr, tcp.sleep_after_open), (Some(0x031C), Duration::ZERO));

    assert_eq!(name("virtual:body"), BusName::Virtual("body".into()));
    assert_eq!(name("virtual:a:b").channel(), "a:b");
}

#[test]
fn what_is_wrong_is_said() {
    let expected = [
        (
            "can0",
            "`can0` names no interface: write interface:channel, such as socketcan:can0 (socketcan, socketcand, slcan, virtual), or set CAN_INTERFACE",
        ),
        (
            "sockecan:can0",
            "there is no interface `sockecan`: it is one of socketcan, socketcand, slcan, virtual",
        ),
        (
            "vector:0",
            "`vector` is an interface of python-can that is not one of ours: socketcan, socketcand, slcan, virtual",
        ),
        ("socketcan:", "socketcan needs a channel: write socketcan:channel, or set CAN_CHANNEL"),
        ("socketcan:can0?bitrate=500000", "socketcan has no option `bitrate`"),
        (
            "socketcan:a-name-of-17-char",
            "`a-name-of-17-char` is not a channel of socketcan; expected a network interface: at most 15 printable characters, no `/`",
        ),
        ("socketcan:can0?fd=maybe", "`maybe` is no value of `fd`; expected true or false"),
        ("socketcan:can0?fd", "the option `fd` has no value: write fd=value"),
        ("socketcan:can0?fd=1&fd=0", "the option `fd` is given twice"),
        ("socketcand:can0", "socketcand needs a host: write socketcand:host:port/channel"),
        (
            "socketcand:host:port/can0",
            "`host:port/can0` is not a channel of socketcand; expected host:port/channel, such as 192.168.0.5:29536/can0",
        ),
        ("socketcand:host:1/can0?host=other", "`host` is given twice"),
        ("socketcand:host:1/can0?port=70000", "`port` is given twice"),
        ("socketcand:host/can0?port=70000", "`70000` is no value of `port`; expected a port: 1 to 65535"),
        (
            "socketcand:host/c>n0",
            "`host/c>n0` is not a channel of socketcand; expected a channel of at most 16 printable characters",
        ),
        (
            "slcan:/dev/tty@fast",
            "`/dev/tty@fast` is not a channel of slcan; expected port@baud, such as /dev/ttyACM0@115200",
        ),
        (
            "slcan:rfc2217://host:1",
            "`rfc2217://host:1` is not a channel of slcan; expected a serial port, such as /dev/ttyACM0@115200, or socket://host:port",
        ),
        (
            "slcan:/dev/tty?bitrate=333",
            "`333` is no value of `bitrate`; expected one of 10000, 20000, 50000, 83300, 100000, 125000, 250000, 500000, 750000, 1000000",
        ),
        ("slcan:/dev/tty?bitrate=500000&btr=001C", "`bitrate` and `btr` exclude each other"),
        ("slcan:/dev/tty@1?tty_baudrate=2", "`tty_baudrate` is given twice"),
        ("virtual:a?fd=1", "virtual has no option `fd`"),
    ];
    for (text, message) in expected {
        assert_eq!(error(text), message, "{text}");
    }
}

#[test]
fn the_environment_completes_what_was_given() {
    let resolve = |given: Option<&str>, variables: &[(&str, &str)]| {
        BusName::resolve(given, |wanted| {
            variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned())
        })
        .map(|name| name.to_string())
        .map_err(|error| error.to_string())
    };
    let both = [("CAN_INTERFACE", "socketcan"), ("CAN_CHANNEL", "can0"), ("CAN_BITRATE", "500000")];
    assert_eq!(resolve(None, &both).unwrap(), "socketcan:can0");
    assert_eq!(resolve(Some("can7"), &both).unwrap(), "socketcan:can7");
    assert_eq!(resolve(Some("virtual:x"), &both).unwrap(), "virtual:x");
    assert_eq!(resolve(Some("slcan:/dev/ttyS0"), &both).unwrap(), "slcan:/dev/ttyS0@115200?bitrate=500000");
    assert_eq!(
        resolve(Some("slcan:/dev/ttyS0?bitrate=10000"), &both).unwrap(),
        "slcan:/dev/ttyS0@115200?bitrate=10000"
    );
    let config = [("CAN_CONFIG", r#"{"interface": "socketcand", "host": "h", "port": 99, "channel": "a"}"#)];
    assert_eq!(resolve(None, &config).unwrap(), "socketcand:h:99/a");
    assert_eq!(resolve(None, &[config[0], ("CAN_CHANNEL", "b")]).unwrap(), "socketcand:h:99/b");
    let serial = [("CAN_INTERFACE", "slcan"), ("CAN_BITRATE", "123")];
    assert!(
        resolve(Some("socket://host:5000"), &serial).unwrap_err().contains("`123` is no value of `bitrate`")
    );
    assert!(resolve(None, &[]).unwrap_err().contains("set CAN_INTERFACE and CAN_CHANNEL"));
    assert!(resolve(Some("can0"), &[]).unwrap_err().contains("names no interface"));
    assert!(resolve(None, &[("CAN_INTERFACE", "pcan")]).unwrap_err().contains("python-can"));
    assert!(resolve(None, &[("CAN_CONFIG", "[1]")]).unwrap_err().contains("CAN_CONFIG is not a JSON object"));
}

proptest! {
    #[test]
    fn what_is_shown_reads_back(
        word in prop::sample::select(vec!["socketcan", "socketcand", "slcan", "virtual"]),
        rest in "[a-z0-9:/@.\\[\\]]{0,20}(\\?((fd|port|host|bitrate|listen_only|sleep_after_open)=(true|0|1|0\\.25|500000|h)&?){0,3})?",
    ) {
        if let Ok(name) = format!("{word}:{rest}").parse::<BusName>() {
            prop_assert_eq!(name.to_string().parse::<BusName>(), Ok(name));
        }
    }

    #[test]
    fn no_text_panics(text in ".{0,60}") {
        let _ = text.parse::<BusName>();
    }
}
