//! A token's envelope: a tagged COSE_Sign1 (RFC 9052 §4.2) in exactly one shape.
//!
//! *Invariant:* tag 18, four elements, protected header `{1: -8, 4: kid}`, empty unprotected header, attached payload,
//! signature of 64 bytes, nothing after it, at most [`MAX_TOKEN`] bytes. Reading allocates nothing.
//! *Next:* `verify.rs` checks the signature over [`to_be_signed`]; `claims.rs` reads the payload after that.

#[cfg(feature = "issuer")]
use crate::cbor::write_head;
use crate::cbor::{Major, Malformed, Reader, write_bytes};
use crate::id::KeyId;
use crate::status::MAX_STATUS_TOKEN;

/// The longest token, in bytes.
pub const MAX_TOKEN: usize = 4096;

/// Goes into every signature as COSE's external data, and onto no wire: what is signed for another purpose with the
/// same key never passes for a grant.
const GRANT_DOMAIN: &[u8] = b"coachwork/grant/v1";

/// The same for key sets.
const KEYS_DOMAIN: &[u8] = b"coachwork/keys/v1";

const COSE_SIGN1: u64 = 18;
const ALG: u64 = 1;
const KID: u64 = 4;
const TYP: u64 = 16;
/// EdDSA is -8 (RFC 9053 §2.2), written as `-1 - 7`.
const EDDSA: u64 = 7;

/// What a kind of token is signed for: COSE's external data, and a type in the protected header.
#[derive(Clone, Copy)]
pub(crate) struct Profile {
    pub(crate) domain: &'static [u8],
    /// Header 16 (RFC 9596), where the token has one.
    pub(crate) typ: Option<&'static str>,
    pub(crate) max: usize,
}

/// A grant.
pub(crate) const GRANT: Profile = Profile { domain: GRANT_DOMAIN, typ: None, max: MAX_TOKEN };

/// A key set.
pub(crate) const KEYS: Profile = Profile { domain: KEYS_DOMAIN, typ: None, max: MAX_TOKEN };

/// A status list: as its draft has it, told apart by its type, so that others can read it too.
pub(crate) const STATUS: Profile =
    Profile { domain: b"", typ: Some("application/statuslist+cwt"), max: MAX_STATUS_TOKEN };

/// The parts of a token, none of which is trusted yet.
pub(crate) struct Envelope<'t> {
    pub(crate) protected: &'t [u8],
    pub(crate) key: KeyId,
    pub(crate) payload: &'t [u8],
    /// Where the payload begins in the token.
    pub(crate) payload_at: usize,
    pub(crate) signature: &'t [u8; 64],
}

impl<'t> Envelope<'t> {
    pub(crate) fn open(token: &'t [u8], typ: Option<&str>) -> Result<Self, Malformed> {
        let mut r = Reader::new(token);
        r.tag(COSE_SIGN1, "tag 18 (COSE_Sign1)")?;
        r.exactly(Major::Array, 4, "an array of four")?;
        let protected = r.bytes("the protected header in a byte string")?;
        let key = key_of(protected, typ)
            .map_err(|inner| Malformed { at: r.position() - protected.len() + inner.at, ..inner })?;
        r.exactly(Major::Map, 0, "an empty unprotected header")?;
        let payload = r.bytes("the payload in a byte string")?;
        let payload_at = r.position() - payload.len();
        let at = r.position();
        let signature = r
            .bytes("the signature in a byte string")?
            .try_into()
            .map_err(|_| Malformed { at, expected: "a signature of 64 bytes" })?;
        r.end("the end of the token")?;
        Ok(Self { protected, key, payload, payload_at, signature })
    }
}

fn key_of(protected: &[u8], typ: Option<&str>) -> Result<KeyId, Malformed> {
    let mut r = Reader::new(protected);
    let entries = if typ.is_some() { 3 } else { 2 };
    r.exactly(Major::Map, entries, "a protected header of its entries, and no other")?;
    r.exactly(Major::Unsigned, ALG, "header 1 (alg)")?;
    r.negative(EDDSA, "algorithm -8 (EdDSA)")?;
    r.exactly(Major::Unsigned, KID, "header 4 (kid)")?;
    let at = r.position();
    let key = KeyId::new(r.bytes("a byte string")?)
        .map_err(|_| Malformed { at, expected: "a key id of 1 to 16 bytes" })?;
    if let Some(typ) = typ {
        r.exactly(Major::Unsigned, TYP, "header 16 (typ)")?;
        crate::status::key(&mut r, typ, "the type of this kind of token")?;
    }
    r.end("the end of the protected header")?;
    Ok(key)
}

/// The `Sig_structure` of RFC 9052 §4.4, over which the signature is made.
pub(crate) fn to_be_signed(protected: &[u8], domain: &[u8], payload: &[u8]) -> Vec<u8> {
    const CONTEXT: &[u8] = b"\x84\x6aSignature1";
    let mut out = Vec::with_capacity(CONTEXT.len() + protected.len() + domain.len() + payload.len() + 16);
    out.extend(CONTEXT);
    write_bytes(&mut out, protected);
    write_bytes(&mut out, domain);
    write_bytes(&mut out, payload);
    out
}

/// The protected header of tokens signed with this key.
#[cfg(feature = "issuer")]
pub(crate) fn protected_header(key: &KeyId, typ: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    write_head(&mut out, Major::Map, if typ.is_some() { 3 } else { 2 });
    write_head(&mut out, Major::Unsigned, ALG);
    write_head(&mut out, Major::Negative, EDDSA);
    write_head(&mut out, Major::Unsigned, KID);
    write_bytes(&mut out, key.as_bytes());
    if let Some(typ) = typ {
        write_head(&mut out, Major::Unsigned, TYP);
        crate::cbor::write_text(&mut out, typ);
    }
    out
}

/// The whole token.
#[cfg(feature = "issuer")]
pub(crate) fn assemble(protected: &[u8], payload: &[u8], signature: &[u8; 64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(protected.len() + payload.len() + 64 + 16);
    write_head(&mut out, Major::Tag, COSE_SIGN1);
    write_head(&mut out, Major::Array, 4);
    write_bytes(&mut out, protected);
    write_head(&mut out, Major::Map, 0);
    write_bytes(&mut out, payload);
    write_bytes(&mut out, signature);
    out
}
