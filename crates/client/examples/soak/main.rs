//! Many clients on one gateway, for minutes, with links cut and silenced, clients and the gateway killed at random: a soak test that stops by itself.
//!
//! `cargo run --release -p coachwork-client --example soak -- [clients] [minutes] [seed]`, in that order; 200, 10 and 1 where they are left
//! out. The gateway is a process of its own, which is killed as such; its clients are tasks of this one, each with a queue on disk. Everything goes
//! over a unix socket in a directory of its own, below the system's for temporary files.
//!
//! At the end it checks that each note that was put is stored exactly once, that no request hung, that each client sees what is so, and that
//! memory has not grown; it says what happened, and fails where something does not hold.
//! *Next:* `app.rs` (one client), `link.rs` (links that can be cut), `served.rs` (the gateway's process).
#![cfg_attr(not(unix), allow(unused))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]
#![allow(
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a program in real time"
)]

#[cfg(unix)]
mod app;
#[cfg(unix)]
mod link;
#[cfg(unix)]
mod served;

#[cfg(not(unix))]
fn main() {
    println!("the soak test needs unix sockets");
}

#[cfg(unix)]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let [role, place] = arguments.as_slice()
        && role == "gateway"
    {
        return runtime.block_on(served::serve(place.as_ref()));
    }
    let number = |place: usize, default: u64| -> u64 {
        arguments
            .get(place)
            .map_or(default, |text| text.parse().expect("clients, minutes and seed are numbers"))
    };
    let (clients, minutes, seed) = (number(0, 200), number(1, 10), number(2, 1));
    assert!(
        (1..=1000).contains(&clients) && (1..=600).contains(&minutes),
        "1 to 1000 clients, 1 to 600 minutes"
    );
    let wrong = runtime.block_on(soak::soak(usize::try_from(clients).unwrap(), minutes, seed));
    for line in &wrong {
        println!("WRONG: {line}");
    }
    println!("{}", if wrong.is_empty() { "everything holds" } else { "something does not hold" });
    std::process::exit(i32::from(!wrong.is_empty()));
}

#[cfg(unix)]
mod soak {
    use std::path::{Path, PathBuf};
    use std::rc::Rc;
    use std::time::{Duration, Instant};

    use coachwork_conformance::wire::network::Chance;
    use coachwork_gateway::FileInbox;
    use tokio::task::LocalSet;

    use crate::app::{App, Told};
    use crate::served::Served;

    /// What a process holds, in MiB.
    fn resident(process: &str) -> f64 {
        let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
        let pages: u32 = statm.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        f64::from(pages) * 4096.0 / 1_048_576.0
    }

    pub async fn soak(clients: usize, minutes: u64, seed: u64) -> Vec<String> {
        LocalSet::new().run_until(run(clients, minutes, seed)).await
    }

    async fn run(clients: usize, minutes: u64, seed: u64) -> Vec<String> {
        let place: PathBuf = std::env::temp_dir().join(format!("coachwork-soak-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        println!("{clients} clients, {minutes} minutes, seed {seed}");
        let mut chance = Chance::new(seed);
        let mut gateway = Served::start(&place);
        let told = Rc::new(Told::default());
        let mut apps: Vec<App> =
            (0..clients).map(|name| App::new(name, &place, chance.draw(), told.clone())).collect();
        let (begun, whole) = (Instant::now(), Duration::from_secs(60 * minutes));
        let (mut next_line, mut memory) = (Duration::from_secs(10), Vec::new());
        let (mut cuts, mut silences, mut kills, mut gateways) = (0_u64, 0_u64, 0_u64, 0_u64);
        let mut next_gateway = Duration::from_secs(5);
        while begun.elapsed() < whole {
            // Of each client, something happens about every 20 seconds.
            let pause = 20_000_000 / u64::try_from(clients).unwrap();
            tokio::time::sleep(Duration::from_micros(pause / 2 + chance.below(pause))).await;
            let which = usize::try_from(chance.below(u64::try_from(clients).unwrap())).unwrap();
            match chance.below(10) {
                0..6 => {
                    cuts += 1;
                    apps[which].switch().cut();
                }
                6..8 => {
                    silences += 1;
                    apps[which].switch().silence();
                }
                _ => {
                    kills += 1;
                    apps[which].kill();
                }
            }
            if begun.elapsed() > next_gateway {
                gateways += 1;
                gateway.kill();
                tokio::time::sleep(Duration::from_millis(chance.below(2000))).await;
                gateway = Served::start(&place);
                next_gateway = begun.elapsed() + Duration::from_secs(10 + chance.below(20));
            }
            if begun.elapsed() > next_line {
                next_line += Duration::from_secs(10);
                let (here, there) = (resident("self"), resident(&gateway.id()));
                memory.push((here, there));
                println!(
                    "{:>4} s: clients {here:.1} MiB, gateway {there:.1} MiB; {} notes put, {} requests, {cuts} cuts, {silences} silences, {kills} clients and {gateways} gateways killed",
                    begun.elapsed().as_secs(),
                    told.put.get(),
                    told.gets.get(),
                );
            }
        }
        // Peace: from here on everything must come to rest.
        std::fs::write(place.join("quiet"), "").unwrap();
        let mut wrong = settle(&apps).await;
        wrong.extend(told.wrong.borrow().iter().cloned());
        wrong.extend(flat(&memory));
        let lives: Vec<_> = apps.iter().map(App::lives).collect();
        drop(apps);
        gateway.kill();
        wrong.extend(compare(&place, &lives));
        println!(
            "{} notes put, {} requests (longest {:.2} s), {} queued requests settled, {} of them in doubt; {cuts} cuts, {silences} silences, {kills} clients and {gateways} gateways killed",
            told.put.get(),
            told.gets.get(),
            told.longest.get().as_secs_f64(),
            told.settled.get(),
            told.in_doubt.get(),
        );
        if wrong.is_empty() {
            let _ = std::fs::remove_dir_all(&place);
        } else {
            println!("what was stored is left in {}", place.display());
        }
        wrong
    }

    /// Waits until every client has nothing left to deliver and sees what is so; says who does not within two minutes.
    async fn settle(apps: &[App]) -> Vec<String> {
        let begun = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let mut restless = Vec::new();
            for app in apps {
                restless.extend(app.restless().await);
            }
            if restless.is_empty() {
                println!("at rest after {:.1} s", begun.elapsed().as_secs_f64());
                return restless;
            }
            if begun.elapsed() > Duration::from_secs(120) {
                return restless;
            }
        }
    }

    /// Memory late in the run beside memory early in it.
    fn flat(memory: &[(f64, f64)]) -> Vec<String> {
        let mean = |part: &[(f64, f64)], which: fn(&(f64, f64)) -> f64| {
            part.iter().map(which).sum::<f64>() / part.len().max(1) as f64
        };
        let third = memory.len() / 3;
        let (Some(early), Some(late)) = (memory.get(third..2 * third), memory.get(2 * third..)) else {
            return Vec::new();
        };
        if third == 0 {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        for (who, which) in [("clients", (|m| m.0) as fn(&(f64, f64)) -> f64), ("gateway", |m| m.1)] {
            let (before, after) = (mean(early, which), mean(late, which));
            println!("memory of the {who}: {before:.1} MiB in the second third, {after:.1} MiB in the last");
            if after > before * 1.2 + 4.0 {
                wrong.push(format!("the memory of the {who} grew from {before:.1} to {after:.1} MiB"));
            }
        }
        wrong
    }

    /// What was put beside what was stored: of each life of each client, notes 0 to n, each once.
    fn compare(place: &Path, lives: &[Vec<u32>]) -> Vec<String> {
        let inbox = FileInbox::open(place.join("inbox"), u64::MAX).unwrap();
        let mut stored: Vec<Vec<Vec<u8>>> = lives
            .iter()
            .map(|lives| lives.iter().map(|put| vec![0; usize::try_from(*put).unwrap()]).collect())
            .collect();
        let (mut unknown, mut count) = (0_u64, 0_u64);
        for (_, note) in inbox.read().unwrap().0 {
            count += 1;
            let text = String::from_utf8(note.payload.to_vec()).unwrap();
            let mut parts = text.split(':').map(|part| part.parse::<usize>().unwrap());
            let (app, life, n) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            match stored.get_mut(app).and_then(|lives| lives.get_mut(life)).and_then(|notes| notes.get_mut(n))
            {
                Some(seen) => *seen = seen.saturating_add(1),
                None => unknown += 1,
            }
        }
        let all = || stored.iter().flatten().flatten();
        let (lost, doubled) =
            (all().filter(|seen| **seen == 0).count(), all().filter(|seen| **seen > 1).count());
        println!("{count} notes stored: {lost} lost, {doubled} doubled, {unknown} unknown");
        let mut wrong = Vec::new();
        if lost + doubled > 0 || unknown > 0 {
            wrong.push(format!("{lost} notes lost, {doubled} doubled, {unknown} unknown"));
        }
        wrong
    }
}
