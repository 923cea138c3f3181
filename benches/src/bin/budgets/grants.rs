//! A grant: what it weighs, what it takes to verify, to check and to refuse, beside the bare signature and other token libraries.

use std::hint::black_box;

use coachwork_benches::clock::time;
use coachwork_benches::grants::{Contest, EXPIRES, ISSUED, name_set};
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::rounds::{Paired, median, paired};

use crate::Run;

/// Verifications, and checks, in a round.
const VERIFIED: u32 = 200;
const CHECKED: u32 = 1_000_000;

pub(crate) fn measure(run: &Run) -> Vec<Line> {
    let contest = Contest::new();
    let mut lines = bytes(&contest);
    // Microseconds each: many rounds cost little and steady the median.
    let rounds = run.rounds * 3;
    let ours = || per_call(VERIFIED, || drop(black_box(contest.verify())));
    let verify = |name: &str, budget, rival: &dyn Fn()| {
        Line::new(
            format!("verify to claims / {name}"),
            paired(rounds, ours, || per_call(VERIFIED, rival)),
            budget,
        )
    };
    let no_slower = Budget::Ratio(1.0);
    lines.extend([
        verify("raw verify_strict", Budget::Ratio(1.15), &|| assert!(contest.raw())),
        verify("coset 0.4", no_slower, &|| drop(black_box(contest.coset()))),
        verify("jsonwebtoken 11", no_slower, &|| drop(black_box(contest.jwt.verify()))),
        verify("pasetors 0.8", no_slower, &|| drop(black_box(contest.paseto.verify()))),
        verify("biscuit-auth 6", no_slower, &|| drop(black_box(contest.biscuit.verify()))),
        verify("biscuit-auth 6, signatures alone", no_slower, &|| assert!(contest.biscuit.signatures())),
    ]);
    lines.extend(checks(run, &contest));
    lines.extend(refusals(&contest));
    lines
}

fn per_call(calls: u32, call: impl Fn()) -> f64 {
    time(|| (0..calls).for_each(|_| call())) / f64::from(calls)
}

fn bytes(contest: &Contest) -> Vec<Line> {
    let ours = contest.token.len() as f64;
    let mut lines = vec![Line::alone("bytes for five features", ours, Budget::Figure(200.0))];
    for (name, rival) in [
        ("jsonwebtoken 11", contest.jwt.token.len()),
        ("pasetors 0.8", contest.paseto.token.len()),
        ("biscuit-auth 6", contest.biscuit.token.len()),
    ] {
        let rival = rival as f64;
        let measured = Paired { ours, rival, ratio: ours / rival };
        lines.push(Line::new(format!("bytes / {name}"), measured, Budget::Ratio(1.0)));
    }
    lines
}

fn checks(run: &Run, contest: &Contest) -> Vec<Line> {
    let (id, _) = contest.entitlements.features().iter().nth(3).expect("seat-heating");
    let names = name_set();
    let at = |seconds: i64| per_call(CHECKED, || assert!(contest.check(id, seconds)));
    let _ = at(ISSUED + 1);
    let alone = |seconds: i64| median((0..run.rounds).map(|_| at(seconds)));
    let set = || per_call(CHECKED, || assert!(black_box(&names).contains(black_box("seat-heating"))));
    let biscuit = || per_call(200, || assert!(contest.biscuit.check("seat-heating")));
    let no_slower = Budget::Ratio(1.0);
    vec![
        Line::alone("check", alone(ISSUED + 1), Budget::Figure(3.0)),
        Line::alone("check past a date, before anybody looked", alone(EXPIRES + 1), Budget::Figure(3.0)),
        Line::new("check / HashSet<&str>, no dates", paired(run.rounds, || at(ISSUED + 1), set), no_slower),
        Line::new("check / biscuit-auth 6", paired(run.rounds, || at(ISSUED + 1), biscuit), no_slower),
    ]
}

fn refusals(contest: &Contest) -> Vec<Line> {
    let ours = || per_call(10_000, || assert!(contest.refuses()));
    let refuse = |name: &str, rival: &dyn Fn() -> bool| {
        let measured = paired(3, ours, || per_call(1, || assert!(rival())));
        Line::new(format!("refuse 16 MiB / {name}"), measured, Budget::Ratio(1.0))
    };
    vec![
        Line::alone("refuse 16 MiB", median((0..9).map(|_| ours())), Budget::Figure(1000.0)),
        refuse("coset 0.4", &|| contest.coset_refuses()),
        refuse("jsonwebtoken 11", &|| contest.jwt.refuses()),
        refuse("pasetors 0.8", &|| contest.paseto.refuses()),
        refuse("biscuit-auth 6", &|| contest.biscuit.refuses()),
    ]
}
