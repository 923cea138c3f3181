//! Bytes become a recording that is played back; what it says is recorded again.
//!
//! *Oracle:* any bytes are a recording or an error; a playback ends; what it published, recorded and played back again, is told in the same words.
//! *Next:* `coachwork_vehicle::{Recorded, Recorder}`.

use coachwork_vehicle::{Event, ManualClock, Pace, Recorded, Recorder, State, Subscribe, Timestamp, Vehicle};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Runs one input.
pub fn run(data: &[u8]) {
    if let Some((said, again)) = play(data) {
        assert_eq!(said, Some(again));
    }
}

/// Datapoints that were told, and the same told by a recording of them; `None` where the bytes are no recording.
///
/// # Panics
/// Where a playback does not end, or what was recorded cannot be opened.
pub fn play(data: &[u8]) -> Option<(Option<Vec<String>>, Vec<String>)> {
    let (said, text) = told(data)?;
    let (again, _) = told(&text).expect("a recording that was written");
    Some((Some(said), again))
}

/// What a recording says until it ends, and a recording of it.
fn told(data: &[u8]) -> Option<(Vec<String>, Vec<u8>)> {
    let clock = Arc::new(ManualClock::default());
    let reader = std::io::Cursor::new(data.to_vec());
    let (car, driver) = Recorded::open("fuzz", reader, clock, Pace::Unpaced).ok()?;
    let wish = Subscribe::to(car.catalogue().ids()).block(64);
    let mut watch = ready(car.subscribe(wish))?.ok()?;
    let mut recorder = Recorder::new(Vec::new(), &watch).expect("memory");
    let (mut driver, mut said, mut running) = (pin!(driver), Vec::new(), true);
    let mut context = Context::from_waker(Waker::noop());
    let most = data.len() * 4 + 100;
    for _ in 0..most {
        if running && driver.as_mut().poll(&mut context).is_ready() {
            running = false;
        }
        let mut heard = false;
        while let Some(Some(event)) = ready(watch.next()) {
            heard = true;
            let Event::Changed(points) = &event else { continue };
            for (id, point) in points.iter().filter(|(_, point)| !is_own(&point.state)) {
                let times = (point.source.nanoseconds(), point.received.nanoseconds());
                said.push(format!("{} {:?} {times:?}", watch.path(id), point.state));
            }
            let kept = points
                .iter()
                .filter(|(_, point)| !is_own(&point.state))
                .map(|(id, point)| (id, point.clone()));
            let kept = Event::Changed(coachwork_vehicle::Points::new(kept.collect()));
            recorder.write(Timestamp::EPOCH, &kept).expect("memory");
        }
        if !running && !heard {
            return Some((said, recorder.end("done").expect("memory")));
        }
    }
    panic!("it does not end");
}

/// What a board says by itself: before anything came, and when the recording has ended.
fn is_own(state: &State) -> bool {
    match state {
        State::NeverSet => true,
        State::NotAvailable(reason) => reason.to_string().starts_with("fuzz has ended: "),
        _ => false,
    }
}

fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides_what_comes_out() {
        let with = |rest: &str| {
            let text = format!(
                "coachwork-recording 1 utc\nsignal\tA\tsensor\tuint8\nsignal\tB\tsensor\tstring[]\n{rest}"
            );
            play(text.as_bytes()).map(|(said, _)| said.unwrap().len())
        };
        assert_eq!(play(b"nonsense"), None);
        assert_eq!(with(""), Some(0));
        assert_eq!(with("@5\n0\t=3\n1\t=a,\\c\\n,\t4\n0\t=300\n1\t?link gone\nend\tdone\n"), Some(3));
        let structs = play(include_bytes!("../seeds/recording/structs")).map(|(said, _)| said.unwrap().len());
        assert_eq!(structs, Some(4));
        run(b"coachwork-recording 1 utc\nsignal\tB\tsensor\tdouble\n@5\n0\t=1e300\n0\t!source x\n0\t~NaN\n");
    }
}
