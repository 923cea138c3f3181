//! What is measured: round trips, floods, and the last of many.
//!
//! *Next:* `main.rs` (who asks for it).

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::LocalSet;

use crate::Answer;
use crate::peers::{Peers, QUEUE, next};

/// From a publish to its event at the first subscriber, one after the other.
pub async fn round(peers: &mut Peers, count: u32) -> Answer {
    let provider = peers.provider.clone();
    let mut took = Vec::new();
    for _ in 0..count {
        peers.last += 1;
        let began = Instant::now();
        provider.publish(peers.last).await?;
        let seen = next(peers.events.first_mut().ok_or("no subscriber")?).await?;
        took.push(began.elapsed());
        if seen != peers.last {
            return Err(format!("{seen} is not {}", peers.last).into());
        }
    }
    peers.complaint()?;
    Ok(quantiles(took))
}

/// From a request that publishes to its event at the first subscriber; the answer is awaited after that.
pub async fn answered(peers: &mut Peers, count: u32) -> Answer {
    let mut took = Vec::new();
    for _ in 0..count {
        peers.last += 1;
        let request = peers.publishing(peers.last);
        let events = peers.events.first_mut().ok_or("no subscriber")?;
        let began = Instant::now();
        let seen = async { next(events).await.map(|seen| (seen, began.elapsed())) };
        let (answer, seen) = tokio::join!(peers.client.publish_value(request), seen);
        answer?;
        let (seen, time) = seen?;
        took.push(time);
        if seen != peers.last {
            return Err(format!("{seen} is not {}", peers.last).into());
        }
    }
    Ok(quantiles(took))
}

/// How many updates a subscriber takes until it says how far it is.
const STEP: u32 = 100;

/// Publishes as fast as subscribers read.
pub async fn flood(peers: &mut Peers, count: u32) -> Answer {
    let (provider, first) = (peers.provider.clone(), peers.last + 1);
    peers.last += count;
    let seen: Rc<[Cell<u32>]> = peers.events.iter().map(|_| Cell::new(0)).collect();
    let further = Rc::new(Notify::new());
    let (busy, began) = (processor()?, Instant::now());
    let local = LocalSet::new();
    let events = local
        .run_until(async {
            let readers =
                std::mem::take(&mut peers.events).into_iter().enumerate().map(|(at, mut events)| {
                    let (seen, further) = (seen.clone(), further.clone());
                    tokio::task::spawn_local(async move {
                        for done in 1..=count {
                            let value = next(&mut events).await.map_err(|why| why.to_string())?;
                            if value != first + done - 1 {
                                return Err(format!("{value} is not {}", first + done - 1));
                            }
                            if done % STEP == 0 {
                                seen[at].set(done);
                                further.notify_one();
                            }
                        }
                        Ok(events)
                    })
                });
            let readers: Vec<_> = readers.collect();
            let (mut sent, mut slowest) = (0, 0);
            while sent < count {
                if seen.is_empty() || sent - slowest < QUEUE {
                    provider.publish(first + sent).await?;
                    sent += 1;
                } else {
                    further.notified().await;
                    slowest = seen.iter().map(Cell::get).min().ok_or("no subscriber")?;
                    if readers.iter().any(|reader| reader.is_finished()) {
                        break;
                    }
                }
            }
            let mut events = Vec::new();
            for reader in readers {
                events.push(reader.await??);
            }
            Ok::<_, Box<dyn Error>>(events)
        })
        .await?;
    let wall = began.elapsed().as_nanos();
    peers.events = events;
    peers.complaint()?;
    Ok(format!("{wall} {}", processor()? - busy))
}

/// An update every so often: when the last subscriber has it.
pub async fn every(peers: &mut Peers, milliseconds: u32, count: u32) -> Answer {
    let (provider, first) = (peers.provider.clone(), peers.last + 1);
    peers.last += count;
    let began = Rc::new(RefCell::new(Vec::<Instant>::new()));
    let took = Rc::new(RefCell::new(vec![Duration::ZERO; count as usize]));
    let local = LocalSet::new();
    let events = local
        .run_until(async {
            let readers = std::mem::take(&mut peers.events).into_iter().map(|mut events| {
                let (began, took) = (began.clone(), took.clone());
                tokio::task::spawn_local(async move {
                    for at in 0..count {
                        let value = next(&mut events).await.map_err(|why| why.to_string())?;
                        if value != first + at {
                            return Err(format!("{value} is not {}", first + at));
                        }
                        let (at, mut took) = (at as usize, took.borrow_mut());
                        let began: Instant = began.borrow()[at];
                        took[at] = took[at].max(began.elapsed());
                    }
                    Ok(events)
                })
            });
            let readers: Vec<_> = readers.collect();
            for at in 0..count {
                tokio::time::sleep(Duration::from_millis(milliseconds.into())).await;
                began.borrow_mut().push(Instant::now());
                provider.publish(first + at).await?;
            }
            let mut events = Vec::new();
            for reader in readers {
                events.push(reader.await??);
            }
            Ok::<_, Box<dyn Error>>(events)
        })
        .await?;
    peers.events = events;
    peers.complaint()?;
    Ok(quantiles(took.take()))
}

fn quantiles(mut took: Vec<Duration>) -> String {
    took.sort();
    let of = |share: usize| {
        let at = took.len().saturating_sub(1) * share / 100;
        took.get(at).map_or(f64::NAN, |took| took.as_secs_f64() * 1e6)
    };
    format!("{:.3} {:.3}", of(50), of(99))
}

/// How long this process has been on a processor, in nanoseconds: it has one thread.
fn processor() -> Result<u64, Box<dyn Error>> {
    let times = std::fs::read_to_string("/proc/self/schedstat")?;
    Ok(times.split(' ').next().ok_or("no times")?.parse()?)
}
