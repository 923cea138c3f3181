//! Bytes become elements: what stands between `<` and `>`.
//!
//! *Invariant:* the same bytes in any split give the same elements; at most [`MAX_ELEMENT`] bytes are held; noise, and an element that is too
//! long, cost one [`Malformed`] each and never the next element.
//! *Next:* `session.rs`, which acts on the elements; `encode.rs`, the way back.

use crate::{CanId, Channel, Frame};
use coachwork_vehicle::Timestamp;

/// The longest element, in bytes between its brackets. The longest frame needs less than half of it.
pub const MAX_ELEMENT: usize = 160;

/// An element of the protocol, from either side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Element {
    /// `< hi >`: the daemon greets.
    Hi,
    /// `< ok >`: the daemon has done what was asked.
    Ok,
    /// `< echo >`: a sign of life is asked for, or is one.
    Echo,
    /// `< open can0 >`: the client asks for a bus.
    Open(String),
    /// `< rawmode >`: the client asks for every frame.
    RawMode,
    /// `< frame 123 23.424242 1A22 >`, or the class of an error frame, `< error 004 23.424242 >`: the daemon received it.
    Frame(Frame),
    /// `< send 123 2 1a 22 >`: the client sends it.
    Send(Frame),
    /// `< error unknown command >`: the daemon refuses.
    Refused(String),
    /// Another element with a word in front, as `< stat 1 2 3 4 >`.
    Other,
}

/// Bytes that are no element, or an element that is not well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no element of socketcand")]
pub struct Malformed;

/// Cuts a stream of bytes into elements.
///
/// ```
/// use coachwork_can::bus::socketcand::{Decoder, Element};
/// use coachwork_can::Channel;
///
/// let mut heard = Vec::new();
/// let mut decoder = Decoder::new("can0".parse()?);
/// decoder.decode(b"< hi >< frame 123 23.42", |element| heard.push(element));
/// decoder.decode(b"4242 1A22 >", |element| heard.push(element));
/// assert_eq!(heard[0], Ok(Element::Hi));
/// let Ok(Element::Frame(frame)) = &heard[1] else { return Err("a frame".into()) };
/// assert_eq!(frame.to_string(), "(0000000023.424242) can0 123#1A22");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    channel: Channel,
    element: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the `<` of an element.
    Outside,
    /// The same, in noise that was told of.
    Noise,
    /// After a `<`.
    Inside,
}

impl Decoder {
    /// A decoder whose frames come on `channel`.
    pub fn new(channel: Channel) -> Self {
        Self { channel, element: Vec::with_capacity(MAX_ELEMENT), state: State::Outside }
    }

    /// One that holds nothing, to stand in for another.
    pub(super) const fn empty() -> Self {
        Self { channel: Channel::NONE, element: Vec::new(), state: State::Outside }
    }

    /// Reads the next bytes and says what became complete with them.
    pub fn decode(&mut self, mut bytes: &[u8], mut say: impl FnMut(Result<Element, Malformed>)) {
        while !bytes.is_empty() {
            if self.state != State::Inside {
                let end = memchr::memchr(b'<', bytes);
                let before = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
                if self.state == State::Outside && !before.iter().all(u8::is_ascii_whitespace) {
                    self.state = State::Noise;
                    say(Err(Malformed));
                }
                let Some(at) = end else { return };
                self.state = State::Inside;
                self.element.clear();
                bytes = bytes.get(at + 1..).unwrap_or_default();
                continue;
            }
            let end = memchr::memchr2(b'<', b'>', bytes);
            let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
            if self.element.len() + part.len() > MAX_ELEMENT {
                say(Err(Malformed));
                self.state = State::Noise;
                // The rest of it is noise up to the next `<`.
                bytes = bytes.get(part.len()..).unwrap_or_default();
                continue;
            }
            self.element.extend_from_slice(part);
            let Some(at) = end else { return };
            if bytes.get(at) == Some(&b'>') {
                self.state = State::Outside;
                say(element(&self.element, self.channel).ok_or(Malformed));
            } else {
                // An element begins within another: the first has lost its end.
                say(Err(Malformed));
            }
            self.element.clear();
            bytes = bytes.get(at + 1..).unwrap_or_default();
        }
    }
}

/// What stands between the brackets.
fn element(text: &[u8], channel: Channel) -> Option<Element> {
    let text = str::from_utf8(text).ok()?;
    let mut words = text.split_ascii_whitespace();
    Some(match words.next()? {
        "frame" => Element::Frame(frame(&mut words)?.with_channel(channel)),
        "send" => Element::Send(send(&mut words)?.with_channel(channel)),
        "error" => match error(words.clone()) {
            Some(frame) => Element::Frame(frame.with_channel(channel)),
            None => Element::Refused(words.collect::<Vec<_>>().join(" ")),
        },
        "hi" => alone(words, Element::Hi)?,
        "ok" => alone(words, Element::Ok)?,
        "echo" => alone(words, Element::Echo)?,
        "rawmode" => alone(words, Element::RawMode)?,
        "open" => {
            let channel = words.next()?.to_owned();
            alone(words, Element::Open(channel))?
        }
        word if word.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Element::Other,
        _ => return None,
    })
}

fn alone<'a>(mut words: impl Iterator<Item = &'a str>, element: Element) -> Option<Element> {
    words.next().is_none().then_some(element)
}

/// `123 23.424242 1A2203`, the bytes perhaps with spaces in between, as older daemons write them.
fn frame<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Frame> {
    let (id, time) = (id(words.next()?)?, time(words.next()?)?);
    let (mut data, mut len) = ([0_u8; 8], 0);
    for word in words {
        let (pairs, rest) = word.as_bytes().as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        for [high, low] in pairs {
            *data.get_mut(len)? = digit(*high)? << 4 | digit(*low)?;
            len += 1;
        }
    }
    Some(Frame::new(id, data.get(..len)?).ok()?.with_time(time))
}

/// `123 2 1a 22`.
fn send<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Frame> {
    let (id, len) = (id(words.next()?)?, words.next()?.parse::<usize>().ok()?);
    let mut data = [0_u8; 8];
    for byte in data.get_mut(..len)? {
        *byte = match words.next()?.as_bytes() {
            [low] => digit(*low)?,
            [high, low] => digit(*high)? << 4 | digit(*low)?,
            _ => return None,
        };
    }
    words.next().is_none().then_some(())?;
    Frame::new(id, data.get(..len)?).ok()
}

/// `004 23.424242`: the class of an error frame.
fn error<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Frame> {
    let (class, time) = (words.next()?, time(words.next()?)?);
    words.next().is_none().then_some(())?;
    Some(Frame::error(hexadecimal(class)?, &[]).ok()?.with_time(time))
}

/// Three digits are a standard identifier, more an extended one.
fn id(text: &str) -> Option<CanId> {
    let raw = hexadecimal(text)?;
    if text.len() <= 3 { CanId::standard(raw) } else { CanId::extended(raw) }
}

fn hexadecimal(text: &str) -> Option<u32> {
    if !(1..=8).contains(&text.len()) {
        return None;
    }
    text.bytes().try_fold(0, |value, byte| Some(value << 4 | u32::from(digit(byte)?)))
}

/// Seconds since 1970 with up to nine decimals.
fn time(text: &str) -> Option<Timestamp> {
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, ""));
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok())?;
    let seconds = number(seconds)?;
    let nanoseconds = match decimals.len() {
        0 => 0,
        len @ 1..=9 => number(decimals)? * 10_i64.pow(9 - u32::try_from(len).ok()?),
        _ => return None,
    };
    Some(Timestamp::from_nanoseconds(seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)?))
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
