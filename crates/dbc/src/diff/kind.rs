//! The kinds of changes and their codes.
//!
//! *Invariant:* a code never changes its meaning.
//! *Next:* `message.rs`, `signal.rs` and `extra.rs` (who finds them, and judges them).

use core::fmt;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        /// What changed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The kind in words, joined by hyphens: stable, for machines.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }
        }
    };
}

kinds! {
    /// The version text. Compatible.
    Version = "version";
    /// A comment on anything. Compatible.
    Comment = "comment";
    /// A node is new. Compatible.
    NodeAdded = "node-added";
    /// A node is gone. Compatible.
    NodeRemoved = "node-removed";
    /// An attribute is defined anew, differently, or no longer. Compatible.
    AttributeDefinition = "attribute-definition";
    /// The value of an attribute that has no meaning here. Compatible.
    Attribute = "attribute";
    /// A named value table. Compatible: signals have their own labels.
    ValueTable = "value-table";
    /// An environment variable. Compatible: it is not on the bus.
    EnvironmentVariable = "environment-variable";
    /// An attribute between a node and something else. Compatible.
    Relation = "relation";
    /// A signal that belongs to no message. Compatible.
    IndependentSignal = "independent-signal";
    /// A message is new. Additive.
    MessageAdded = "message-added";
    /// A message is gone. Breaking.
    MessageRemoved = "message-removed";
    /// A message has the same identifier and another name. Breaking for whoever asks by name, which is everybody.
    MessageRenamed = "message-renamed";
    /// A message has the same name and another identifier. Breaking, unless both are the same J1939 parameter group.
    MessageId = "message-id";
    /// A message has another length. A longer one breaks senders, whose frames are now too short; a shorter one breaks receivers.
    MessageLength = "message-length";
    /// A message is matched by its parameter group now, or no longer. Breaking.
    MessageGroup = "message-group";
    /// How often a message is sent. More seldom or no longer stated breaks receivers, which take it for lost; more often breaks senders. Newly stated
    /// is additive.
    CycleTime = "cycle-time";
    /// Who sends a message. Compatible.
    Senders = "senders";
    /// A group of signals. Compatible.
    SignalGroup = "signal-group";
    /// A signal is new. Additive.
    SignalAdded = "signal-added";
    /// A signal is gone. Breaking for receivers.
    SignalRemoved = "signal-removed";
    /// A signal has the same bits and another name. Breaking.
    SignalRenamed = "signal-renamed";
    /// A signal has other bits. Breaking.
    Layout = "layout";
    /// A signal's bits are another kind of number. Breaking.
    ValueType = "value-type";
    /// Factor or offset. Breaking.
    Scaling = "scaling";
    /// The stated range. A value that is no longer in it breaks senders; a value that is new in it is additive.
    Range = "range";
    /// The unit. Breaking, unless it is another spelling of the same.
    Unit = "unit";
    /// A raw value has a label now. Additive.
    LabelAdded = "label-added";
    /// A label is gone. Breaking.
    LabelRemoved = "label-removed";
    /// A raw value has another label. Breaking.
    LabelChanged = "label-changed";
    /// Which raw values mean "not available" or "error". Breaking.
    SpecialValues = "special-values";
    /// What is sent where nothing is given. Compatible.
    StartValue = "start-value";
    /// When a multiplexed signal is present. More multiplexer values are additive; fewer, or another multiplexer, are breaking; always instead of
    /// sometimes breaks senders.
    Presence = "presence";
    /// A signal is a multiplexer now (additive) or no longer (compatible: what depends on it says the rest).
    Multiplexer = "multiplexer";
    /// The J1939 suspect parameter number. Breaking, unless there was none.
    Spn = "spn";
    /// Who reads a signal. Compatible.
    Receivers = "receivers";
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
