//! A provider and the subscribers of a KUKSA databroker over gRPC, told by lines of text what to do and answering with numbers: the rival of the
//! budgets' `remote` group.
//!
//! *Invariant:* one thread does all of it, as ours does; every subscriber has a connection of its own and must see every value in its order. The databroker
//! drops what does not fit into a subscriber's queue without a word, so that the provider never goes further ahead of the last one than that queue is long.
//! *Next:* `peers.rs` (the connections), `work.rs` (what is measured).

mod peers;
mod work;

use std::io::BufRead;

use peers::Peers;

#[allow(clippy::all)]
mod proto {
    tonic::include_proto!("kuksa.val.v2");
}

/// What was asked, and what came of it.
type Answer = Result<String, Box<dyn std::error::Error>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(path), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: coachwork-kuksa-client http://ADDRESS:PORT PATH".into());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (to, mut lines) = tokio::sync::mpsc::channel(1);
    // Connections are looked after between the lines, too.
    std::thread::spawn(move || {
        std::io::stdin().lock().lines().map_while(Result::ok).all(|line| to.blocking_send(line).is_ok())
    });
    runtime.block_on(async {
        let mut peers = Peers::connect(address, path).await?;
        while let Some(line) = lines.recv().await {
            let answer = answer(&mut peers, &line).await.unwrap_or_else(|why| format!("error: {why}"));
            println!("{answer}");
        }
        Ok(())
    })
}

async fn answer(peers: &mut Peers, line: &str) -> Answer {
    let words: Vec<&str> = line.split(' ').collect();
    let number =
        |at: usize| words.get(at).ok_or("a number is missing")?.parse::<u32>().map_err(|_| "no number");
    match words.first().copied().unwrap_or_default() {
        // subscribers COUNT → how many there are now
        "subscribers" => peers.subscribe(number(1)?).await.map(|()| peers.count().to_string()),
        // value → what the databroker answers to a get
        "value" => peers.value().await.map(|value| value.to_string()),
        // publish VALUE → the value, when every subscriber has it
        "publish" => peers.publish(number(1)?).await.map(|value| value.to_string()),
        // round COUNT → from a publish to its event, microseconds: p50 p99
        "round" => work::round(peers, number(1)?).await,
        // answered COUNT → the same with a request that is answered, in place of the provider's stream
        "answered" => work::answered(peers, number(1)?).await,
        // flood COUNT → nanoseconds by the wall, and of this thread's processor, for all of it
        "flood" => work::flood(peers, number(1)?).await,
        // every MILLISECONDS COUNT → from a publish until the last subscriber has it, microseconds: p50 p99
        "every" => work::every(peers, number(1)?, number(2)?).await,
        other => Err(format!("no such request: {other}").into()),
    }
}
