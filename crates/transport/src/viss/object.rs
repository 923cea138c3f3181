//! What is an object of a message is read from an object alone: a list of as many members in their order is something else.
//!
//! A derived reader takes a list for a struct, as formats without names need it; here it is kept from being asked for one.
//!
//! *Invariant:* costs nothing: an object is read by the same code as without.
//! *Next:* `request/read.rs`, `reply.rs`, `point.rs`, `error.rs` (whose structs are `object!`s).

use serde::de::{Deserializer, Visitor};

/// Reads an object, whatever is asked for.
pub(crate) struct Object<D>(pub(crate) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Object<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The reader of a struct whose derived one is its own function (`#[serde(remote = "Self")]`), from an object alone.
macro_rules! object {
    ($($name:ident),+) => {$(
        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // The derived function, which comes before that of the trait.
                Self::deserialize($crate::viss::object::Object(deserializer))
            }
        }
    )+};
}

pub(crate) use object;
