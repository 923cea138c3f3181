//! One grant as five libraries write it: the same five features, car, owner and dates, verified to the same typed claims.
//!
//! *Invariant:* that all say the same, and refuse the same nonsense, is asserted when a [`Contest`] is made, so before
//! anything is timed.
//! *Next:* `token_rivals.rs` (the other formats); `bin/budgets/grants.rs` and `../benches/grant.rs` time it.

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use coachwork_entitlement::{
    Car, Entitlements, FeatureId, Features, Grant, GrantId, Issuer, KeyId, OwnerEpoch, PaidClass,
    PaidFeature, VehicleId, Verifier,
};
use coachwork_vehicle::Timestamp;
use coset::cbor::Value;
use coset::{CborSerializable, CoseSign1, TaggedCborSerializable};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::token_rivals::{BiscuitToken, Jwt, Paseto};

/// The features of the grant.
pub const NAMES: [&str; 5] = ["ambient-light", "navigation", "remote-start", "seat-heating", "traffic"];
/// When it was issued: long ago, because some rivals ask the system's clock.
pub const ISSUED: i64 = 1_700_000_000;
/// When it ends: in 2100.
pub const EXPIRES: i64 = 4_102_444_800;
/// The size of a hostile token.
pub const HOSTILE: usize = 16 << 20;

pub(crate) const SECRET: [u8; 32] = [7; 32];
const ID: &str = "order-17";
const CAR: [u8; 16] = *b"a vehicle's name";
const DOMAIN: &[u8] = b"coachwork/grant/v1";

/// What every library has to say of the grant.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Claims {
    /// When it ends.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// Its id.
    pub jti: String,
    /// The car, in hexadecimal digits where a format has no bytes.
    pub vehicle: String,
    /// The owner.
    pub owner: u32,
    /// The edition.
    pub sequence: u64,
    /// Seconds of grace.
    pub grace: u64,
    /// What it opens.
    pub features: Vec<String>,
}

impl Claims {
    /// The grant of this contest.
    pub fn expected() -> Self {
        Self {
            exp: EXPIRES,
            iat: ISSUED,
            jti: ID.to_string(),
            vehicle: hex(&CAR),
            owner: 1,
            sequence: 3,
            grace: 3 * 86_400,
            features: NAMES.map(String::from).to_vec(),
        }
    }
}

/// Our token and the rivals', with what verifies them.
pub struct Contest {
    /// Ours.
    pub token: Vec<u8>,
    /// jsonwebtoken's.
    pub jwt: Jwt,
    /// pasetors'.
    pub paseto: Paseto,
    /// biscuit-auth's.
    pub biscuit: BiscuitToken,
    /// What the grant opens in its car.
    pub entitlements: Entitlements,
    verifier: Verifier,
    hostile: Vec<u8>,
    public: VerifyingKey,
    signed: Vec<u8>,
    signature: Signature,
}

impl std::fmt::Debug for Contest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contest").finish_non_exhaustive()
    }
}

impl Default for Contest {
    fn default() -> Self {
        Self::new()
    }
}

impl Contest {
    /// Issues the tokens and asserts that all libraries read the same from them.
    pub fn new() -> Self {
        let issuer = Issuer::new(KeyId::new("2026").expect("an id"), &SECRET).expect("a key");
        let verifier = Verifier::new([(issuer.key_id(), issuer.public_key())]).expect("a set");
        let vehicle = VehicleId::opaque(CAR);
        let issued = Timestamp::from_seconds(ISSUED);
        let paid = |name: &str| PaidFeature::new(name.parse().expect("a name"), PaidClass::Comfort);
        let draft = Grant::draft(GrantId::new(ID).expect("an id"), vehicle, issued);
        let draft = NAMES.iter().fold(draft, |draft, name| draft.opens(&paid(name)));
        let draft = draft.until(Timestamp::from_seconds(EXPIRES)).for_owner(OwnerEpoch(1));
        let grant = draft.grace(Duration::from_secs(3 * 86_400)).sequence(3).build().expect("a grant");
        let token = issuer.issue(&grant).expect("it is short");

        let key = SigningKey::from_bytes(&SECRET);
        let message = CoseSign1::from_tagged_slice(&token).expect("a message");
        let signed = message.tbs_data(DOMAIN);
        let signature = key.sign(&signed);
        assert_eq!(
            signature.to_bytes()[..],
            message.signature[..],
            "what is verified bare is what ours signs"
        );

        // The envelope is right; the payload is what is too long.
        let hostile = CoseSign1 { payload: Some(vec![0; HOSTILE]), ..message };
        let car = Car { vehicle, owner: OwnerEpoch(1) };
        let features = Arc::new(Features::new(NAMES.map(paid)).expect("a table"));
        let verified = verifier.verify(&token).expect("it is ours");
        let contest = Self {
            token,
            jwt: Jwt::new(),
            paseto: Paseto::new(),
            biscuit: BiscuitToken::new(),
            entitlements: Entitlements::new(car, features, [verified], issued).expect("one grant"),
            verifier,
            hostile: hostile.to_tagged_vec().expect("a message"),
            public: key.verifying_key(),
            signed,
            signature,
        };
        contest.assert_equal_answers();
        contest
    }

    fn assert_equal_answers(&self) {
        let expected = Claims::expected();
        let grant = self.verify();
        let ours = Claims {
            exp: grant.expires().expect("it ends").seconds(),
            iat: grant.issued().seconds(),
            jti: String::from_utf8_lossy(grant.id().as_bytes()).into_owned(),
            vehicle: hex(grant.vehicle().as_bytes()),
            owner: grant.owner().expect("it is personal").0,
            sequence: grant.sequence(),
            grace: grant.grace().as_secs(),
            features: grant.features().iter().map(ToString::to_string).collect(),
        };
        let others = [self.coset(), self.jwt.verify(), self.paseto.verify(), self.biscuit.verify()];
        for claims in [ours].into_iter().chain(others) {
            assert_eq!(claims, expected);
        }
        assert!(self.raw() && self.biscuit.signatures());
        let refused = [
            self.refuses(),
            self.coset_refuses(),
            self.jwt.refuses(),
            self.paseto.refuses(),
            self.biscuit.refuses(),
        ];
        assert_eq!(refused, [true; 5]);

        let names = name_set();
        for (id, feature) in self.entitlements.features().iter() {
            assert!(self.check(id, ISSUED + 1) && !self.check(id, EXPIRES + 4 * 86_400));
            assert!(names.contains(feature.name().as_str()) && self.biscuit.check(feature.name().as_str()));
        }
        assert!(!self.biscuit.check("massage") && !names.contains("massage"));
    }

    /// The bare signature over what our token signs.
    pub fn raw(&self) -> bool {
        self.public.verify_strict(black_box(&self.signed), &self.signature).is_ok()
    }

    /// Our token to typed claims.
    pub fn verify(&self) -> Grant {
        self.verifier.verify(black_box(&self.token)).expect("it is ours").into_inner()
    }

    /// Whether ours refuses a token of 16 MiB.
    pub fn refuses(&self) -> bool {
        self.verifier.verify(black_box(&self.hostile)).is_err()
    }

    /// Whether the feature is open at this second.
    pub fn check(&self, feature: FeatureId, seconds: i64) -> bool {
        self.entitlements.check(black_box(feature), black_box(Timestamp::from_seconds(seconds))).is_allowed()
    }

    /// Our token to typed claims by a general COSE library, with nothing checked of our profile.
    pub fn coset(&self) -> Claims {
        self.coset_of(black_box(&self.token)).expect("it is ours")
    }

    /// Whether the same library refuses a token of 16 MiB.
    pub fn coset_refuses(&self) -> bool {
        self.coset_of(black_box(&self.hostile)).is_none()
    }

    fn coset_of(&self, token: &[u8]) -> Option<Claims> {
        let message = CoseSign1::from_tagged_slice(token).ok()?;
        let verified = message.verify_signature(DOMAIN, |signature, signed| {
            Signature::from_slice(signature)
                .and_then(|signature| self.public.verify_strict(signed, &signature))
        });
        verified.ok()?;
        let claims = Value::from_slice(&message.payload?).ok()?.into_map().ok()?;
        let find = |map: &[(Value, Value)], key: i64| {
            map.iter().find(|(is, _)| *is == Value::Integer(key.into())).map(|(_, value)| value.clone())
        };
        let number = |value: Option<Value>| value?.into_integer().ok().map(i128::from);
        let ours = find(&claims, -65537)?.into_map().ok()?;
        let names = find(&ours, 2)?.into_array().ok()?;
        Some(Claims {
            exp: i64::try_from(number(find(&claims, 4))?).ok()?,
            iat: i64::try_from(number(find(&claims, 6))?).ok()?,
            jti: String::from_utf8(find(&claims, 7)?.into_bytes().ok()?).ok()?,
            vehicle: hex(&find(&ours, 1)?.into_bytes().ok()?),
            owner: u32::try_from(number(find(&ours, 4))?).ok()?,
            sequence: u64::try_from(number(find(&ours, 3))?).ok()?,
            grace: u64::try_from(number(find(&ours, 5))?).ok()?,
            features: names.into_iter().map(|name| name.into_text().ok()).collect::<Option<_>>()?,
        })
    }
}

/// The features as a program without dates would keep them.
pub fn name_set() -> HashSet<&'static str> {
    HashSet::from(NAMES)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
