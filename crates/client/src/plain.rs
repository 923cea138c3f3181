//! A server of plain VISS, made to keep the contract as far as VISS can say it: one subscription per signal feeds a board, which
//! filters; one request at a time; receipts that go no further than accepted.
//!
//! *Invariant:* a signal is subscribed to once at the server, as long as anybody here wants it.
//! *Next:* `calls.rs` (requests), `subscription.rs` (what keeps a signal wanted).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use coachwork_vehicle::{
    Board, CatalogueCell, Datapoint, Each, Error, ErrorKind, Key, Operation, Outcome, Reason, ReasonKind,
    Receipt, Refusal, RefusalKind, Request, SignalId, Subscribe, Subscription, Value,
};

use crate::calls;
use crate::shared::{Mode, Refused, Shared};
use crate::slot::Settled;
use crate::subscription::{Held, Kept};
use crate::watch::{Checked, check};

/// How many idempotency keys are remembered; the oldest is forgotten first.
const REMEMBERED_KEYS: usize = 256;

pub(crate) struct Plain {
    shared: Arc<Shared>,
    board: Board,
    wanted: Mutex<HashMap<SignalId, Weak<Kept>>>,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    known: HashMap<Key, (SignalId, Value, Receipt)>,
    order: VecDeque<Key>,
}

impl Plain {
    /// For a client whose gateway speaks plain VISS.
    pub(crate) fn of(shared: &Arc<Shared>) -> Option<Self> {
        let Mode::Plain(board) = &shared.mode else { return None };
        let (wanted, keys) = (Mutex::default(), Mutex::default());
        Some(Self { shared: shared.clone(), board: board.clone(), wanted, keys })
    }

    /// Together where the server can, one by one where it cannot: in plain VISS one bad signal spoils the whole answer.
    pub(crate) async fn get(&self, signals: &[SignalId]) -> Result<Each<Datapoint>, Error> {
        if signals.len() > 1 {
            match calls::get(&self.shared, signals).await {
                Err(error) if !error.is_temporary() => {}
                answer => return answer,
            }
        }
        let mut answer = Vec::with_capacity(signals.len());
        for &signal in signals {
            let one = calls::get(&self.shared, &[signal]).await;
            answer.push(match one.map(|mut each| each.pop()) {
                Ok(Some(point)) => point,
                Ok(None) => Err(Error::new(ErrorKind::Protocol, "the server left a signal out")),
                Err(error) if error.is_temporary() => return Err(error),
                // The catalogue has it, so what is unknown is its value.
                Err(error) if error.kind() == ErrorKind::UnknownSignal => {
                    let reason = Reason::because(ReasonKind::Source, error.message().to_owned());
                    Ok(Datapoint::not_available(reason, self.shared.clock.now()))
                }
                Err(error) => Err(error),
            });
        }
        Ok(answer)
    }

    /// One request after the other.
    pub(crate) async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        let mut answer = Vec::with_capacity(requests.len());
        for request in requests {
            answer.push(self.set_one(request).await);
        }
        Ok(answer)
    }

    async fn set_one(&self, mut request: Request) -> Result<Receipt, Error> {
        let key = request.set.key.take();
        let (signal, value) = (request.signal, request.value.clone());
        if let Some(receipt) = key.as_ref().map_or(Ok(None), |key| self.known(key, signal, &value))? {
            return Ok(receipt);
        }
        let refused = |kind, error: &Error| {
            let refusal = Refusal::new(kind, error.message().to_owned());
            Ok(Receipt::settled(self.shared.clock.clone(), Outcome::Refused(refusal)))
        };
        let link_is_up = self.shared.down().is_none();
        let receipt = match calls::set(&self.shared, vec![request]).await.map(|mut each| each.pop()) {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(Error::new(ErrorKind::Protocol, "the server left a request out")),
            Err(error) if error.kind() == ErrorKind::Denied => refused(RefusalKind::Denied, &error),
            Err(error) if error.kind() == ErrorKind::Unavailable && link_is_up => {
                refused(RefusalKind::NotNow, &error)
            }
            Err(error) => Err(error.during(Operation::Set)),
        }?;
        if let Some(key) = key {
            self.remember(key, signal, value, &receipt);
        }
        Ok(receipt)
    }

    fn known(&self, key: &Key, signal: SignalId, value: &Value) -> Result<Option<Receipt>, Error> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match keys.known.get(key) {
            None => Ok(None),
            Some((asked, wanted, receipt)) if *asked == signal && wanted.same(value) => {
                Ok(Some(receipt.clone()))
            }
            Some(_) => {
                let message = "the idempotency key was used before for another request";
                Err(Error::new(ErrorKind::Conflict, message).during(Operation::Set))
            }
        }
    }

    fn remember(&self, key: Key, signal: SignalId, value: Value, receipt: &Receipt) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.order.len() >= REMEMBERED_KEYS
            && let Some(oldest) = keys.order.pop_front()
        {
            keys.known.remove(&oldest);
        }
        keys.order.push_back(key.clone());
        keys.known.insert(key, (signal, value, receipt.clone()));
    }

    /// Subscribes at the board, once the server tells of all its signals and their present values are known.
    pub(crate) async fn subscribe(&self, wish: Subscribe) -> Result<Subscription, Error> {
        let catalogue = self.board.catalogue();
        let (overflow, strict) = (wish.overflow, wish.strict);
        let Checked { mut signals, mut refused, .. } = check(wish, &catalogue)?;
        let ids: Vec<_> = signals.iter().map(|(signal, _)| *signal).collect();
        let (held, denied) = self.want(&ids, strict).await?;
        signals.retain(|(signal, _)| {
            catalogue.path(*signal).is_ok_and(|path| denied.iter().all(|(other, _)| other != path.as_str()))
        });
        self.learn(&held).await;
        let held = held.into_iter().map(|(_, kept)| kept).collect();
        let mut subscription = self.board.subscribe(Subscribe { signals, overflow, strict })?;
        refused.extend(denied);
        for (path, error) in refused {
            subscription.refuse(path, error);
        }
        let gate = Held { cell: CatalogueCell::new((*catalogue).clone()), _held: held };
        Ok(subscription.gated(Arc::new(gate)))
    }

    /// Has the server tell of these signals.
    async fn want(
        &self,
        ids: &[SignalId],
        strict: bool,
    ) -> Result<(Vec<(SignalId, Arc<Kept>)>, Refused), Error> {
        let during = |error: Error| error.during(Operation::Subscribe);
        let (mut held, mut refused, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        let filtered = self.shared.has_filters();
        let within = self.shared.options.request_time;
        for &signal in ids {
            let known = self.wanted().get(&signal).and_then(Weak::upgrade);
            if let Some(kept) = known {
                held.push((signal, kept));
                continue;
            }
            let wish = Subscribe::to([signal]).on_change();
            let number = self.shared.wish_for_board(wish, signal).map_err(during)?;
            let kept = Arc::new(Kept { shared: self.shared.clone(), wish: number });
            let asked = self.shared.ask_subscribe(number, false, within).map_err(during)?;
            waiting.push((signal, kept, asked));
        }
        for (signal, kept, asked) in waiting {
            let mut answer = match asked {
                Some(asked) => Some(asked.settled().await),
                None => None,
            };
            // It may be the filter that it refuses: there are servers of version 2 that know none but their own.
            if filtered
                && let Some(Settled::Answered(Err(error))) = &answer
                && matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported)
                && self.shared.without_filters()
                && let Some(asked) = self.shared.ask_subscribe(kept.wish, false, within).map_err(during)?
            {
                answer = Some(asked.settled().await);
            }
            if let Some(Settled::Answered(Err(error))) = answer {
                if strict || error.is_temporary() {
                    return Err(during(error));
                }
                let path =
                    self.board.catalogue().path(signal).map_or_else(|_| String::new(), ToString::to_string);
                refused.push((path, during(error)));
                continue;
            }
            let mut wanted = self.wanted();
            wanted.retain(|_, kept| kept.strong_count() > 0);
            wanted.insert(signal, Arc::downgrade(&kept));
            drop(wanted);
            held.push((signal, kept));
        }
        Ok((held, refused))
    }

    /// Asks for the present values that the board does not have: a server need not send one when it is subscribed to.
    async fn learn(&self, held: &[(SignalId, Arc<Kept>)]) {
        let ids = held.iter().map(|(signal, _)| *signal);
        let unknown: Vec<_> = ids.filter(|signal| self.shared.is_unknown(*signal)).collect();
        if unknown.is_empty() || self.shared.down().is_some() {
            return;
        }
        if let Ok(points) = self.get(&unknown).await {
            let known =
                unknown.iter().zip(&points).filter_map(|(id, point)| Some((*id, point.as_ref().ok()?)));
            self.shared.present(known);
        }
    }

    fn wanted(&self) -> std::sync::MutexGuard<'_, HashMap<SignalId, Weak<Kept>>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
