//! Short byte strings that name a key or a grant.
//!
//! *Invariant:* 1 to 16 bytes, held inline, so that an id of a token is read without allocating. They are names, not
//! secrets: `Debug` and `Display` show them in hexadecimal.
//! *Next:* `key.rs` finds a key by its [`KeyId`]; `grant.rs` carries a [`GrantId`].

use std::fmt;

/// The longest id, in bytes.
pub const MAX_ID: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Short {
    // What is beyond `len` is zero, so that the derived comparisons are those of the ids.
    bytes: [u8; MAX_ID],
    len: u8,
}

impl Short {
    fn new(from: &[u8]) -> Result<Self, IdError> {
        let len = u8::try_from(from.len()).ok().filter(|len| (1..=MAX_ID).contains(&usize::from(*len)));
        let mut bytes = [0; MAX_ID];
        bytes.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        Ok(Self { bytes, len: len.ok_or(IdError)? })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Short);

        impl $name {
            /// An id of 1 to 16 bytes.
            ///
            /// # Errors
            /// [`IdError`] if there are none, or more than 16.
            pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, IdError> {
                Short::new(bytes.as_ref()).map(Self)
            }

            /// Its bytes.
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

id! {
    /// Names a key (COSE `kid`): 1 to 16 bytes that the issuer chose.
    KeyId
}
id! {
    /// Names a grant (CWT `cti`): 1 to 16 bytes, unique among all that the keys of one verifier sign.
    GrantId
}

/// An id is 1 to 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to 16 bytes")]
pub struct IdError;
