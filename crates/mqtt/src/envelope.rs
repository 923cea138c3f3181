//! Payloads become envelopes and the other way round: `{"topic":"…","request":"…"}` to the car, messages as they are to the app; between two ends of
//! Coachwork, each with a head.
//!
//! *Invariant:* what is taken from an envelope is borrowed or at most as long as it. A payload that is no envelope is an error, never another one.
//! *Next:* `topic.rs` (which topics are taken), `flow.rs` (what the heads are for), `peers.rs`.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use coachwork_transport::{CloseCode, CloseReason, Message, MessageKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::topic::{TopicFault, check_answer_topic};

/// A request on its way to a car, as the standard wraps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Where answers go. It has been checked: see [`check_answer_topic`](crate::check_answer_topic).
    pub topic: Cow<'a, str>,
    /// What is asked: VISS in JSON.
    pub request: Cow<'a, str>,
    /// What an end of Coachwork adds; none with any other peer.
    pub head: Option<Head>,
}

/// What stands before a message between two ends of Coachwork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// A connection begins.
    Hello {
        /// How many bytes may be under way to whoever says it.
        window: u64,
        /// The car's present link to its broker; only a car names it.
        session: Option<String>,
    },
    /// A message.
    Part {
        /// Its number: 0 for the first.
        number: u64,
        /// Text or binary.
        kind: MessageKind,
    },
    /// So much was taken in since the beginning: see `flow.rs`.
    Taken(u64),
    /// The connection ends in good order.
    Close(CloseReason),
    /// The connection is gone without a reason. An app's will says so, too.
    Lost,
}

/// Why a payload is no envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// It is no JSON object with a text `topic` and a `request`.
    #[error("no envelope: {0}")]
    Form(String),
    /// Answers may not go to that topic.
    #[error("{0}")]
    Topic(#[from] TopicFault),
    /// The member `coachwork` says nothing that is known.
    #[error("the member coachwork is not understood")]
    Head,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    topic: Text<'a>,
    #[serde(borrow)]
    request: &'a RawValue,
    #[serde(borrow, default)]
    coachwork: Option<Text<'a>>,
}

/// A string that is borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Envelope<'a> {
    /// Reads a payload. `request` may be a text, as the standard has it, or the object itself, as some clients send it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(payload: &'a [u8]) -> Result<Self, EnvelopeError> {
        let form = |why: serde_json::Error| EnvelopeError::Form(why.to_string());
        // A list of as many members would be read as one, too.
        if payload.trim_ascii_start().first() != Some(&b'{') {
            return Err(EnvelopeError::Form("it is no JSON object".to_owned()));
        }
        let raw: Raw<'a> = serde_json::from_slice(payload).map_err(form)?;
        let request = raw.request.get();
        let request = match request.as_bytes().first() {
            Some(b'"') => serde_json::from_str::<Text<'a>>(request).map_err(form)?.0,
            Some(b'{') => Cow::Borrowed(request),
            _ => return Err(EnvelopeError::Form("the request is neither a text nor an object".to_owned())),
        };
        check_answer_topic(&raw.topic.0)?;
        let head = raw.coachwork.map(|head| Head::parse(&head.0).ok_or(EnvelopeError::Head)).transpose()?;
        Ok(Self { topic: raw.topic.0, request, head })
    }

    /// The payload that says this.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = String::with_capacity(self.request.len() + self.topic.len() + 80);
        out.push_str("{\"topic\":");
        quote(&mut out, &self.topic);
        if let Some(head) = &self.head {
            out.push_str(",\"coachwork\":");
            quote(&mut out, &head.to_string());
        }
        out.push_str(",\"request\":");
        quote(&mut out, &self.request);
        out.push('}');
        out.into_bytes()
    }

    /// A message of an end of Coachwork to a car. What is not text travels in base64.
    pub(crate) fn of_message(topic: &'a str, head: Option<Head>, kind: MessageKind, data: &'a [u8]) -> Self {
        let request = match kind {
            MessageKind::Text => String::from_utf8_lossy(data),
            MessageKind::Binary => STANDARD.encode(data).into(),
        };
        Self { topic: topic.into(), request, head }
    }

    /// A head without a message. To a server that knows nothing of heads it is a request that it does not understand.
    pub(crate) fn of_head(topic: &'a str, head: Head) -> Self {
        let request = match head {
            Head::Hello { .. } => r#"{"action":"hello","requestId":"coachwork"}"#,
            _ => r#"{"action":"close","requestId":"coachwork"}"#,
        };
        Self { topic: topic.into(), request: request.into(), head: Some(head) }
    }

    /// The message in it; `None` where binary is no base64.
    pub(crate) fn message(&self) -> Option<Message> {
        match self.head {
            Some(Head::Part { kind: MessageKind::Binary, .. }) => {
                STANDARD.decode(self.request.as_bytes()).ok().map(|data| Message::Binary(data.into()))
            }
            _ => Some(Message::Text(Bytes::copy_from_slice(self.request.as_bytes()))),
        }
    }
}

/// How many bytes a message has in an envelope.
pub(crate) fn wrapped_size(kind: MessageKind, parts: &[&[u8]]) -> usize {
    let size = |part: &&[u8]| match kind {
        MessageKind::Text => part.iter().map(|byte| escaped(*byte)).sum(),
        MessageKind::Binary => part.len() * 4 / 3 + 4,
    };
    parts.iter().map(size).sum()
}

fn escaped(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 2,
        0..=0x1f => 6,
        _ => 1,
    }
}

/// What the car says to an app: with a head on its own line, or as it is.
pub(crate) fn with_head(head: Option<&Head>) -> Vec<u8> {
    head.map(|head| format!("coachwork {head}\n").into_bytes()).unwrap_or_default()
}

/// The head before a message to an app, and the message; no head where it is VISS alone.
///
/// # Errors
/// Where there is a head that is not understood.
pub(crate) fn split_head(payload: &Bytes) -> Result<(Option<Head>, Bytes), EnvelopeError> {
    let Some(rest) = payload.strip_prefix(b"coachwork ") else { return Ok((None, payload.clone())) };
    let end = rest.iter().take(1000).position(|byte| *byte == b'\n').ok_or(EnvelopeError::Head)?;
    let line = rest.get(..end).and_then(|line| std::str::from_utf8(line).ok()).ok_or(EnvelopeError::Head)?;
    let head = Head::parse(line).ok_or(EnvelopeError::Head)?;
    Ok((Some(head), payload.slice(b"coachwork ".len() + end + 1..)))
}

impl Head {
    fn parse(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once(' ').map_or((text, None), |(word, rest)| (word, Some(rest)));
        match (word, rest) {
            ("hello", Some(rest)) => {
                let (window, session) =
                    rest.split_once(' ').map_or((rest, None), |(window, session)| (window, Some(session)));
                let known = |name: &&str| {
                    name.len() <= 64 && !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())
                };
                let session = session.map(|name| Some(name).filter(known)).map(|name| name.ok_or(()));
                Some(Self::Hello {
                    window: number(window)?,
                    session: session.transpose().ok()?.map(Into::into),
                })
            }
            ("taken", Some(total)) => number(total).map(Self::Taken),
            ("close", Some(rest)) => {
                let (code, text) = rest.split_once(' ').unwrap_or((rest, ""));
                let code = u16::try_from(number(code)?).ok()?;
                Some(Self::Close(CloseReason::new(CloseCode::from_number(code), in_one_line(text))))
            }
            ("lost", None) => Some(Self::Lost),
            (count, None) => Some(Self::Part { number: number(count)?, kind: MessageKind::Text }),
            (count, Some("binary")) => Some(Self::Part { number: number(count)?, kind: MessageKind::Binary }),
            _ => None,
        }
    }
}

/// A text without control characters, as a line has it; the same whether it is written or read.
fn in_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A number as it is written: digits alone, none too many.
fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hello { window, session: None } => write!(f, "hello {window}"),
            Self::Hello { window, session: Some(session) } => write!(f, "hello {window} {session}"),
            Self::Part { number, kind: MessageKind::Text } => write!(f, "{number}"),
            Self::Part { number, kind: MessageKind::Binary } => write!(f, "{number} binary"),
            Self::Taken(total) => write!(f, "taken {total}"),
            Self::Close(reason) => {
                let text = in_one_line(reason.text());
                write!(f, "close {}{}{text}", reason.code().number(), if text.is_empty() { "" } else { " " })
            }
            Self::Lost => f.write_str("lost"),
        }
    }
}

/// A text of JSON. One that is a text cannot fail.
fn quote(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
