//! What is wrong with the name of a bus, said so that it can be put right.
//!
//! *Next:* `mod.rs`, which reads names.

/// Why a text, or the environment, does not name a bus.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusNameError {
    /// There is no interface, neither in the name nor in the environment.
    #[error(
        "`{0}` names no interface: write interface:channel, such as socketcan:can0 (socketcan, socketcand, slcan, virtual), or set CAN_INTERFACE"
    )]
    NoInterface(String),
    /// Nothing was named, and the environment has no `CAN_INTERFACE`.
    #[error(
        "no bus was named: give interface:channel, such as socketcan:can0, or set CAN_INTERFACE and CAN_CHANNEL"
    )]
    Nothing,
    /// There is no such interface.
    #[error("there is no interface `{0}`: it is one of socketcan, socketcand, slcan, virtual")]
    UnknownInterface(String),
    /// The interface is one of python-can's that this family does not have.
    #[error(
        "`{0}` is an interface of python-can that is not one of ours: socketcan, socketcand, slcan, virtual"
    )]
    OtherInterface(String),
    /// The interface needs a channel.
    #[error("{interface} needs a channel: write {interface}:channel, or set CAN_CHANNEL")]
    NoChannel {
        /// The interface.
        interface: &'static str,
    },
    /// socketcand needs a host.
    #[error("socketcand needs a host: write socketcand:host:port/channel")]
    NoHost,
    /// The channel is not one of this interface.
    #[error("`{channel}` is not a channel of {interface}; expected {expected}")]
    BadChannel {
        /// The interface.
        interface: &'static str,
        /// What was given.
        channel: String,
        /// What the interface expects.
        expected: &'static str,
    },
    /// The interface does not have this option.
    #[error("{interface} has no option `{option}`")]
    UnknownOption {
        /// The interface.
        interface: &'static str,
        /// The option's word.
        option: String,
    },
    /// An option without a value.
    #[error("the option `{0}` has no value: write {0}=value")]
    NoValue(String),
    /// The option does not take this value.
    #[error("`{value}` is no value of `{option}`; expected {expected}")]
    BadValue {
        /// The option's word.
        option: String,
        /// What was given.
        value: String,
        /// What the option expects.
        expected: &'static str,
    },
    /// An option is there twice, as a word and in the channel, or as two words.
    #[error("`{option}` is given twice")]
    Twice {
        /// The option's word.
        option: &'static str,
    },
    /// An option is there twice in the same text.
    #[error("the option `{0}` is given twice")]
    Repeated(String),
    /// Options that exclude each other.
    #[error("`{}` and `{}` exclude each other", options.0, options.1)]
    Together {
        /// Their words.
        options: (&'static str, &'static str),
    },
    /// `CAN_CONFIG` is not what it should be.
    #[error("CAN_CONFIG is not a JSON object of texts, numbers and booleans: {0}")]
    BadConfig(String),
}
