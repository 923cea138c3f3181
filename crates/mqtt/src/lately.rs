//! What a foreign peer asked lately, so that a request that is delivered again is not executed again.
//!
//! A client that got no word from its broker sends its request again, with the same bytes, and the car gets both. Of two equal requests, one is executed:
//! while it has no answer, the second is passed over; afterwards, within the time, it gets the same answer. A `get` moves nothing and is executed as often as
//! it is asked once it was answered. A `requestId` that has meanwhile stood for something else makes its request a new one, for it is a client that counts
//! nothing; after an `unsubscribe`, a `subscribe` is new.
//!
//! *Invariant:* at most 64 requests are known, each with an answer of at most 1 KiB.
//! *Next:* `peers.rs`.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

/// How many requests are known.
const MANY: usize = 64;
/// The longest answer that is kept.
const MAX_ANSWER: usize = 1024;
/// How long a request is known.
pub(crate) const LATELY: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(crate) struct Lately {
    asked: VecDeque<Asked>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Asked {
    id: u64,
    content: u64,
    what: What,
    at: Duration,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Get,
    Subscribe,
    Other,
}

#[derive(Clone, Debug)]
enum Answer {
    None,
    Given(Bytes),
    /// It was given and is too long to be kept.
    Long,
}

/// Whether a request is to be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    New,
    /// It was here before and has no answer, or none that was kept.
    Again,
    /// It was here before, and this was the answer.
    Answered(Bytes),
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    action: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "requestId")]
    id: Option<&'a RawValue>,
}

impl Lately {
    /// A request has come. One without an action and a `requestId` is always new: it gets an error.
    pub(crate) fn asked(&mut self, request: &str, now: Duration) -> Verdict {
        self.forget(now);
        let Ok(Head { action: Some(action), id: Some(id) }) = serde_json::from_str(request) else {
            return Verdict::New;
        };
        let what = match &*action {
            "get" => What::Get,
            "subscribe" => What::Subscribe,
            _ => What::Other,
        };
        let (id, content) = (self.hasher.hash_one(id.get()), self.hasher.hash_one(request));
        if let Some(at) = self.asked.iter().position(|asked| asked.id == id) {
            if let Some(asked) = self.asked.get(at).filter(|asked| asked.content == content) {
                return match &asked.answer {
                    Answer::Given(answer) => Verdict::Answered(answer.clone()),
                    Answer::None | Answer::Long => Verdict::Again,
                };
            }
            self.asked.remove(at);
        }
        if action == "unsubscribe" {
            self.asked.retain(|asked| asked.what != What::Subscribe);
        }
        if self.asked.len() >= MANY {
            self.asked.pop_front();
        }
        self.asked.push_back(Asked { id, content, what, at: now, answer: Answer::None });
        Verdict::New
    }

    /// A message goes to the peer: perhaps an answer.
    pub(crate) fn answered(&mut self, message: &Bytes) {
        if !self.asked.iter().any(|asked| matches!(asked.answer, Answer::None)) {
            return;
        }
        let Ok(Head { id: Some(id), .. }) = serde_json::from_slice(message) else { return };
        let id = self.hasher.hash_one(id.get());
        let Some(at) = self.asked.iter().position(|asked| asked.id == id) else { return };
        match self.asked.get_mut(at) {
            Some(asked) if asked.what == What::Get => drop(self.asked.remove(at)),
            Some(asked) if matches!(asked.answer, Answer::None) => {
                asked.answer = if message.len() > MAX_ANSWER {
                    Answer::Long
                } else {
                    // What is kept is small; it may be a part of something large.
                    Answer::Given(Bytes::copy_from_slice(message))
                };
            }
            _ => {}
        }
    }

    /// Whether nothing is known any more.
    pub(crate) fn is_empty(&self, now: Duration) -> bool {
        self.asked.iter().all(|asked| now.saturating_sub(asked.at) > LATELY)
    }

    fn forget(&mut self, now: Duration) {
        self.asked.retain(|asked| now.saturating_sub(asked.at) <= LATELY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &str = r#"{"action":"set","path":"A","value":"1","requestId":"7"}"#;

    fn answer(id: &str) -> Bytes {
        format!(r#"{{"action":"set","requestId":"{id}","ts":"now"}}"#).into()
    }

    #[test]
    fn a_request_that_comes_again_is_not_executed_again() {
        let (mut lately, second) = (Lately::default(), Duration::from_secs(1));
        assert_eq!(lately.asked(SET, second), Verdict::New);
        assert_eq!(lately.asked(SET, second), Verdict::Again);
        lately.answered(&Bytes::from_static(br#"{"action":"subscription","subscriptionId":"7"}"#));
        lately.answered(&answer("8"));
        assert_eq!(lately.asked(SET, second), Verdict::Again);
        lately.answered(&answer("7"));
        assert_eq!(lately.asked(SET, LATELY), Verdict::Answered(answer("7")));
        assert_eq!(lately.asked(SET, LATELY + 2 * second), Verdict::New, "after a long time it is another");
    }

    #[test]
    fn a_client_that_does_not_count_its_requests_is_served() {
        let (mut lately, now) = (Lately::default(), Duration::ZERO);
        let other = SET.replace("\"1\"", "\"0\"");
        for request in [SET, &other, SET, &other] {
            assert_eq!(lately.asked(request, now), Verdict::New);
            lately.answered(&answer("7"));
        }
        let get = SET.replace("set", "get");
        for _ in 0..3 {
            assert_eq!(lately.asked(&get, now), Verdict::New);
            assert_eq!(lately.asked(&get, now), Verdict::Again, "one answer serves both");
            lately.answered(&answer("7"));
        }
        let subscribe = r#"{"action":"subscribe","path":"A","requestId":1}"#;
        let unsubscribe = r#"{"action":"unsubscribe","subscriptionId":"1","requestId":2}"#;
        assert_eq!(lately.asked(subscribe, now), Verdict::New);
        lately.answered(&Bytes::from_static(br#"{"requestId":1,"subscriptionId":"1"}"#));
        assert!(matches!(lately.asked(subscribe, now), Verdict::Answered(_)));
        assert_eq!(lately.asked(unsubscribe, now), Verdict::New);
        assert_eq!(lately.asked(subscribe, now), Verdict::New);
        // What is no request is the session's affair.
        for _ in 0..2 {
            assert_eq!(lately.asked("?", now), Verdict::New);
            assert_eq!(lately.asked("{}", now), Verdict::New);
        }
    }

    #[test]
    fn what_is_known_is_bounded() {
        let mut lately = Lately::default();
        for n in 0..1000 {
            lately.asked(&SET.replace('7', &n.to_string()), Duration::ZERO);
        }
        assert_eq!(lately.asked.len(), MANY);
        let long = format!(r#"{{"requestId":"999","x":"{}"}}"#, "a".repeat(2000));
        lately.answered(&long.into());
        assert_eq!(lately.asked(&SET.replace('7', "999"), Duration::ZERO), Verdict::Again);
        assert!(!lately.is_empty(LATELY) && lately.is_empty(LATELY * 2));
    }
}
