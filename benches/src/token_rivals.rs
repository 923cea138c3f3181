//! The grant as a JSON Web Token, as a PASETO and as a biscuit, each verified to the claims that all have to say.
//!
//! *Invariant:* keys are parsed, and rules and policies compiled, before; what each call does is what a program would do
//! for each token.
//! *Next:* `grants.rs` compares their answers.

use std::hint::black_box;
use std::time::{Duration, UNIX_EPOCH};

use biscuit_auth::builder::{Algorithm, AuthorizerBuilder, Fact, Policy, Rule};
use biscuit_auth::{AuthorizerLimits, Biscuit, KeyPair, PrivateKey, PublicKey};
use coachwork_vehicle::Timestamp;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use pasetors::claims::ClaimsValidationRules;
use pasetors::keys::{AsymmetricPublicKey, AsymmetricSecretKey};
use pasetors::token::UntrustedToken;
use pasetors::version4::V4;

use crate::grants::{Claims, EXPIRES, HOSTILE, ISSUED, NAMES, SECRET};

fn public_key() -> [u8; 32] {
    ed25519_dalek::SigningKey::from_bytes(&SECRET).verifying_key().to_bytes()
}

/// A JSON Web Token with EdDSA.
pub struct Jwt {
    /// As it travels.
    pub token: String,
    hostile: String,
    key: DecodingKey,
    rules: Validation,
}

impl Jwt {
    pub(crate) fn new() -> Self {
        let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
        der.extend(SECRET);
        let mut header = Header::new(jsonwebtoken::Algorithm::EdDSA);
        header.kid = Some("2026".to_string());
        let token = jsonwebtoken::encode(&header, &Claims::expected(), &EncodingKey::from_ed_der(&der))
            .expect("it encodes");
        let (head, signature) =
            (token.split('.').next().expect("a head"), token.rsplit('.').next().expect("an end"));
        Self {
            hostile: format!("{head}.{}.{signature}", "A".repeat(HOSTILE)),
            token,
            key: DecodingKey::from_ed_der(&public_key()),
            rules: Validation::new(jsonwebtoken::Algorithm::EdDSA),
        }
    }

    /// The token to typed claims.
    pub fn verify(&self) -> Claims {
        self.of(black_box(&self.token)).expect("it is right")
    }

    /// Whether 16 MiB are refused.
    pub fn refuses(&self) -> bool {
        self.of(black_box(&self.hostile)).is_none()
    }

    fn of(&self, token: &str) -> Option<Claims> {
        jsonwebtoken::decode::<Claims>(token, &self.key, &self.rules).ok().map(|token| token.claims)
    }
}

/// A PASETO v4.public.
pub struct Paseto {
    /// As it travels.
    pub token: String,
    hostile: String,
    key: AsymmetricPublicKey<V4>,
    rules: ClaimsValidationRules,
}

impl Paseto {
    pub(crate) fn new() -> Self {
        let expected = Claims::expected();
        let mut claims = pasetors::claims::Claims::new().expect("a map");
        let date = |seconds| Timestamp::from_seconds(seconds).to_string();
        let dates = [
            claims.issued_at(&date(ISSUED)),
            claims.not_before(&date(ISSUED)),
            claims.expiration(&date(EXPIRES)),
        ];
        assert!(dates.iter().all(Result::is_ok));
        claims.token_identifier(&expected.jti).expect("an id");
        for (name, value) in [
            ("vehicle", expected.vehicle.into()),
            ("owner", expected.owner.into()),
            ("sequence", expected.sequence.into()),
            ("grace", expected.grace.into()),
            ("features", serde_json::Value::from(expected.features)),
        ] {
            claims.add_additional(name, value).expect("a name of our own");
        }
        let secret = [&SECRET[..], &public_key()].concat();
        let secret = AsymmetricSecretKey::<V4>::from(&secret).expect("a key");
        let token = pasetors::public::sign(&secret, &claims, None, None).expect("it signs");
        Self {
            hostile: format!("v4.public.{}", "A".repeat(HOSTILE)),
            token,
            key: AsymmetricPublicKey::<V4>::from(&public_key()).expect("a key"),
            rules: ClaimsValidationRules::new(),
        }
    }

    /// The token to typed claims.
    pub fn verify(&self) -> Claims {
        self.of(black_box(&self.token)).expect("it is right")
    }

    /// Whether 16 MiB are refused.
    pub fn refuses(&self) -> bool {
        self.of(black_box(&self.hostile)).is_none()
    }

    fn of(&self, token: &str) -> Option<Claims> {
        let token = UntrustedToken::<pasetors::Public, V4>::try_from(token).ok()?;
        let token = pasetors::public::verify(&self.key, &token, &self.rules, None, None).ok()?;
        let claims = token.payload_claims()?;
        let text = |name: &str| claims.get_claim(name)?.as_str();
        let number = |name: &str| claims.get_claim(name)?.as_u64();
        let date = |name: &str| text(name)?.parse::<Timestamp>().ok().map(Timestamp::seconds);
        let features = claims.get_claim("features")?.as_array()?;
        Some(Claims {
            exp: date("exp")?,
            iat: date("iat")?,
            jti: text("jti")?.to_string(),
            vehicle: text("vehicle")?.to_string(),
            owner: u32::try_from(number("owner")?).ok()?,
            sequence: number("sequence")?,
            grace: number("grace")?,
            features: features.iter().map(|name| name.as_str().map(String::from)).collect::<Option<_>>()?,
        })
    }
}

/// A biscuit with one block.
pub struct BiscuitToken {
    /// As it travels.
    pub token: Vec<u8>,
    hostile: Vec<u8>,
    key: PublicKey,
    verified: Biscuit,
    grant: Rule,
    features: Rule,
    now: Fact,
    checks: Vec<(&'static str, Policy)>,
}

impl BiscuitToken {
    pub(crate) fn new() -> Self {
        let expected = Claims::expected();
        let date = |seconds| Timestamp::from_seconds(seconds).to_string();
        let mut code = format!(
            "grant(\"{}\", hex:{}, {}, {}, {}, {}, {});",
            expected.jti,
            expected.vehicle,
            expected.owner,
            expected.sequence,
            expected.grace,
            date(ISSUED),
            date(EXPIRES)
        );
        code.extend(NAMES.map(|name| format!("feature(\"{name}\");")));
        let secret = PrivateKey::from_bytes(&SECRET, Algorithm::Ed25519).expect("a key");
        let pair = KeyPair::from(&secret);
        let token = Biscuit::builder().code(&code).expect("facts").root_key_id(2026).build(&pair);
        let token = token.expect("it builds").to_vec().expect("it encodes");
        let key = pair.public();
        // In protobuf the later of two equal fields holds: the first block's bytes are 16 MiB now.
        let block = [&[0x0a][..], &varint(HOSTILE), &vec![0; HOSTILE]].concat();
        let hostile = [&token[..], &[0x12], &varint(block.len()), &block].concat();
        let checks = NAMES.iter().chain(&["massage"]).map(|name| {
            let policy = format!(
                "allow if feature(\"{name}\"), grant($i, $v, $o, $s, $g, $from, $to), time($t), $t >= $from, $t < $to"
            );
            (*name, policy.parse().expect("a policy"))
        });
        Self {
            verified: Biscuit::from(&token, key).expect("it is right"),
            token,
            hostile,
            key,
            grant: "data($i, $v, $o, $s, $g, $f, $t) <- grant($i, $v, $o, $s, $g, $f, $t)"
                .parse()
                .expect("a rule"),
            features: "data($f) <- feature($f)".parse().expect("a rule"),
            now: format!("time({})", date(ISSUED + 1)).parse().expect("a fact"),
            checks: checks.collect(),
        }
    }

    /// Its two signatures alone, with nothing read from it.
    pub fn signatures(&self) -> bool {
        Biscuit::from(black_box(&self.token), self.key).is_ok()
    }

    /// The token to typed claims.
    pub fn verify(&self) -> Claims {
        type Row = (String, Vec<u8>, i64, i64, i64, std::time::SystemTime, std::time::SystemTime);
        let token = Biscuit::from(black_box(&self.token), self.key).expect("it is right");
        let mut facts = unhurried().build(&token).expect("it reads");
        let rows: Vec<Row> = facts.query_all(self.grant.clone()).expect("a grant");
        let names: Vec<(String,)> = facts.query_all(self.features.clone()).expect("features");
        let (jti, vehicle, owner, sequence, grace, from, to) = rows.into_iter().next().expect("a grant");
        let seconds = |time: std::time::SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).expect("after 1970");
            i64::try_from(since.as_secs()).expect("before the end of time")
        };
        let mut features: Vec<String> = names.into_iter().map(|(name,)| name).collect();
        features.sort_unstable();
        Claims {
            exp: seconds(to),
            iat: seconds(from),
            jti,
            vehicle: crate::grants::hex(&vehicle),
            owner: u32::try_from(owner).expect("small"),
            sequence: u64::try_from(sequence).expect("small"),
            grace: u64::try_from(grace).expect("small"),
            features,
        }
    }

    /// Whether 16 MiB are refused.
    pub fn refuses(&self) -> bool {
        Biscuit::from(black_box(&self.hostile), self.key).is_err()
    }

    /// Whether the verified token allows a feature now.
    pub fn check(&self, feature: &str) -> bool {
        let (_, policy) = self.checks.iter().find(|(name, _)| *name == feature).expect("one of them");
        let builder = unhurried().fact(self.now.clone()).expect("a fact");
        let builder = builder.policy(policy.clone()).expect("a policy");
        builder.build(&self.verified).expect("it builds").authorize().is_ok()
    }
}

/// Without the limit of a millisecond, which a busy machine exceeds.
fn unhurried() -> AuthorizerBuilder {
    let limits = AuthorizerLimits { max_time: Duration::from_secs(60), ..AuthorizerLimits::default() };
    AuthorizerBuilder::new().set_limits(limits)
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

macro_rules! opaque {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}
opaque!(Jwt, Paseto, BiscuitToken);
