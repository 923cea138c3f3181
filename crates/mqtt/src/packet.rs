//! Bytes from a broker become packets of MQTT 3.1.1, and what is to be said becomes bytes: the part of the protocol that a client with QoS 0 and 1
//! needs.
//!
//! *Invariant:* memory for a packet grows with what has arrived of it, and never above the limit. A PUBLISH above the limit is passed over without
//! being held, so that one peer's packet does not end the link of all. A packet that a broker may not send here is an error.
//! *Next:* `link.rs` (which reads and writes them).

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The longest topic of a packet that is passed over.
const MAX_TOPIC: usize = 1024;

/// How much longer than its payload a packet may be.
const OVERHEAD: usize = MAX_TOPIC + 16;

/// A packet of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// The answer to CONNECT: 0 is yes.
    ConnAck(u8),
    /// A message.
    Publish(Publish),
    /// A PUBLISH above the limit, of which nothing else was kept.
    TooLarge {
        /// Under which it is acknowledged.
        id: Option<u16>,
        /// Its size in bytes.
        size: usize,
    },
    /// The broker has taken a PUBLISH.
    PubAck(u16),
    /// The answer to SUBSCRIBE: the quality granted to each filter, 128 for none.
    SubAck(u16, Vec<u8>),
    /// The answer to PINGREQ.
    Pong,
}

/// A message of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Its topic.
    pub topic: String,
    /// Under which it is acknowledged; none with QoS 0.
    pub id: Option<u16>,
    /// Kept by the broker from earlier.
    pub retained: bool,
    /// What it says.
    pub payload: Bytes,
}

/// Turns bytes into packets.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    limit: usize,
    /// How many bytes of a packet above the limit are still to come.
    skip: usize,
}

impl Decoder {
    /// Takes payloads of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit, skip: 0 }
    }

    /// Takes what has arrived. Read all packets before more is given.
    pub fn fill(&mut self, bytes: &[u8]) {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        self.buffer.extend_from_slice(bytes.get(skipped..).unwrap_or_default());
    }

    /// How many bytes it holds.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// The next packet; `None` where more must arrive.
    ///
    /// # Errors
    /// What is wrong with it. Nothing can be read any more.
    pub fn packet(&mut self) -> Result<Option<Packet>, &'static str> {
        let Some((first, header, size)) = fixed_header(&self.buffer)? else { return Ok(None) };
        if size > self.limit.saturating_add(OVERHEAD) {
            return self.pass_over(first, header, size);
        }
        if self.buffer.len() < header + size {
            return Ok(None);
        }
        self.buffer.advance(header);
        let body = self.buffer.split_to(size).freeze();
        packet(first, body, self.limit).map(Some)
    }

    fn pass_over(&mut self, first: u8, header: usize, size: usize) -> Result<Option<Packet>, &'static str> {
        let qos = quality(first)?;
        let Some(topic) = self.number_at(header) else { return Ok(None) };
        let topic = usize::from(topic);
        if topic > MAX_TOPIC {
            return Err("a packet above the limit has no known topic");
        }
        let at = header + 2 + topic;
        let Some(id) = self.number_at(at) else { return Ok(None) };
        let id = (qos > 0).then_some(id);
        let here = self.buffer.len().min(header + size);
        self.buffer.advance(here);
        self.skip = header + size - here;
        Ok(Some(Packet::TooLarge { id, size }))
    }

    fn number_at(&self, at: usize) -> Option<u16> {
        let two = self.buffer.get(at..at + 2)?;
        two.try_into().ok().map(u16::from_be_bytes)
    }
}

/// The first byte, the length of the header, and that of what follows.
fn fixed_header(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, &'static str> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let mut size = 0;
    for (at, byte) in rest.iter().take(4).enumerate() {
        size |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((first, at + 2, size)));
        }
    }
    if rest.len() < 4 { Ok(None) } else { Err("a length of more than four bytes") }
}

/// The quality of a PUBLISH, which a subscription bounds at 1.
fn quality(first: u8) -> Result<u8, &'static str> {
    match (first >> 4, (first >> 1) & 3) {
        (3, qos @ (0 | 1)) => Ok(qos),
        (3, _) => Err("a PUBLISH of a quality that was not asked for"),
        _ => Err("a packet above the limit is no PUBLISH"),
    }
}

fn packet(first: u8, mut body: Bytes, limit: usize) -> Result<Packet, &'static str> {
    let short = "a packet that ends too early";
    if first >> 4 == 3 {
        let qos = quality(first)?;
        let length = usize::from(body.try_get_u16().map_err(|_| short)?);
        if body.len() < length {
            return Err(short);
        }
        let topic = body.split_to(length);
        let id = if qos > 0 { Some(body.try_get_u16().map_err(|_| short)?) } else { None };
        if id == Some(0) {
            return Err("a PUBLISH without an identifier");
        }
        if body.len() > limit {
            return Ok(Packet::TooLarge { id, size: body.len() });
        }
        let topic = String::from_utf8(topic.to_vec()).map_err(|_| "a topic that is not UTF-8")?;
        return Ok(Packet::Publish(Publish { topic, id, retained: first & 1 == 1, payload: body }));
    }
    match (first, body.as_ref()) {
        (0x20, &[_, code]) => Ok(Packet::ConnAck(code)),
        (0x40, &[high, low]) => Ok(Packet::PubAck(u16::from_be_bytes([high, low]))),
        (0x90, [high, low, granted @ ..]) if !granted.is_empty() && granted.len() <= 8 => {
            Ok(Packet::SubAck(u16::from_be_bytes([*high, *low]), granted.to_vec()))
        }
        (0xd0, []) => Ok(Packet::Pong),
        _ => Err("a packet that a broker may not send here"),
    }
}

/// What CONNECT says.
#[derive(Debug)]
pub(crate) struct Connect<'a> {
    pub(crate) client: &'a str,
    pub(crate) keep_alive: u16,
    /// A topic, and what the broker says there when this client is lost.
    pub(crate) will: (&'a str, &'a [u8]),
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<&'a [u8]>,
}

impl Connect<'_> {
    /// Each text has at most 65,535 bytes: whoever makes them sees to that.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        let texts = [Some(self.client.as_bytes()), Some(self.will.0.as_bytes()), Some(self.will.1)];
        let texts = texts.into_iter().chain([self.user.map(str::as_bytes), self.password]).flatten();
        let size = 10 + texts.clone().map(|text| text.len() + 2).sum::<usize>();
        head(out, 0x10, size);
        text(out, b"MQTT");
        // A clean session, and a will of QoS 1 that is not kept.
        let user = if self.user.is_some() { 0x80 } else { 0 };
        let password = if self.password.is_some() { 0x40 } else { 0 };
        out.put_slice(&[4, 0x0e | user | password]);
        out.put_u16(self.keep_alive);
        texts.for_each(|bytes| text(out, bytes));
    }
}

/// SUBSCRIBE with QoS 1.
pub(crate) fn subscribe(out: &mut BytesMut, id: u16, topics: &[&str]) {
    head(out, 0x82, 2 + topics.iter().map(|topic| topic.len() + 3).sum::<usize>());
    out.put_u16(id);
    for topic in topics {
        text(out, topic.as_bytes());
        out.put_u8(1);
    }
}

/// PUBLISH with QoS 1, of a payload in parts.
pub(crate) fn publish(out: &mut BytesMut, id: u16, topic: &str, parts: &[&[u8]]) {
    head(out, 0x32, 4 + topic.len() + parts.iter().map(|part| part.len()).sum::<usize>());
    text(out, topic.as_bytes());
    out.put_u16(id);
    for part in parts {
        out.put_slice(part);
    }
}

/// PUBACK.
pub(crate) fn acknowledge(out: &mut BytesMut, id: u16) {
    out.put_slice(&[0x40, 2]);
    out.put_u16(id);
}

/// PINGREQ.
pub(crate) const PING: &[u8] = &[0xc0, 0];

/// DISCONNECT, after which the broker forgets the will.
pub(crate) const DISCONNECT: &[u8] = &[0xe0, 0];

/// The largest size that a packet can say.
pub(crate) const MAX_SIZE: usize = 0x0fff_ffff;

fn head(out: &mut BytesMut, first: u8, size: usize) {
    out.put_u8(first);
    let mut rest = size.min(MAX_SIZE);
    loop {
        let low = u8::try_from(rest & 0x7f).unwrap_or(0);
        rest >>= 7;
        out.put_u8(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            return;
        }
    }
}

fn text(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
    out.put_slice(bytes);
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
