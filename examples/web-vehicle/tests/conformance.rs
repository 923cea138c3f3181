//! The proof: the suite on the car behind a web service, over real sockets and in real time.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coachwork::system::SystemClock;
use coachwork::{Outcome, Set, State, Value, VehicleExt, vss};
use coachwork_conformance::{Play, Runner, Stage, Subject};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use web_vehicle::WebVehicle;

const HEAT: &str = "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling";

/// The service: its values, and how it is today.
#[derive(Default)]
struct Service {
    values: BTreeMap<String, String>,
    mood: Mood,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Mood {
    #[default]
    Well,
    /// Refuses to move anything.
    Busy,
    /// Takes connections and drops them.
    Lost,
    /// Takes questions and does not answer.
    Silent,
}

type Shared = Arc<Mutex<Service>>;

struct Tokio;

impl Runner for Tokio {
    fn run(&self, play: Box<dyn FnOnce(Stage) -> Play>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clock = Arc::new(SystemClock::new().unwrap());
            let spawn = |task| drop(tokio::spawn(task));
            play(Stage::live(clock, spawn, Duration::from_millis(150))).await;
        });
    }
}

async fn behind_the_web(stage: Stage) -> Subject {
    let (address, service) = service().await;
    let (car, driver) = WebVehicle::new(address, stage.clock()).unwrap();
    stage.spawn(driver);
    // The first answer takes its time; every clause shall find something to read.
    car.wait_until(vss::SPEED, |_| true).await.unwrap();
    Subject::new(car)
        .with_actuator(HEAT, [Value::Int(20), Value::Int(60)])
        .with_link(move |up| service.lock().unwrap().mood = if up { Mood::Well } else { Mood::Lost })
}

coachwork_conformance::vehicle!(behind_the_web, mod conformance, on Tokio);

#[tokio::test]
async fn what_the_service_says_is_told() {
    let (address, service) = service().await;
    let (car, driver) = WebVehicle::new(address, Arc::new(SystemClock::new().unwrap())).unwrap();
    let driver = tokio::spawn(driver);
    let until = async |path: &str, wanted: &str| {
        let mut state = String::new();
        for _ in 0..600 {
            state = car.read_path(path).await.unwrap().state.to_string();
            if state == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} stays {state}, not {wanted}");
    };
    let say = |name: &str, word: &str| service.lock().unwrap().values.insert(name.into(), word.into());
    let feel = |mood| service.lock().unwrap().mood = mood;

    until("Vehicle.Speed", "50.5").await;
    until("Vehicle.Powertrain.Range", "not available: the source has no value").await;
    say("range", "420000");
    say("speed", "fast");
    service.lock().unwrap().values.remove("door_fl");
    until("Vehicle.Powertrain.Range", "420000").await;
    until("Vehicle.Speed", "error: fast is not a value of type float").await;
    let door = "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen";
    until(door, "not available: the service does not mention it").await;

    let heat = async |percent: i8| {
        let asked = car.write_path(HEAT, percent, Set::within(Duration::from_secs(10))).await.unwrap();
        asked.outcome().await
    };
    assert!(matches!(heat(30).await, Outcome::Confirmed(_)));
    feel(Mood::Busy);
    let refused = heat(40).await;
    assert!(matches!(&refused, Outcome::Refused(why) if why.text() == "the seat is taken"), "{refused}");
    assert_eq!(car.read_path(HEAT).await.unwrap().state, State::Valid(Value::Int(30)));

    feel(Mood::Lost);
    until(HEAT, "not available: the service's answer is cut off or no HTTP").await;
    feel(Mood::Silent);
    until(HEAT, "not available: the service does not answer").await;
    feel(Mood::Well);
    until(HEAT, "30").await;
    drop(car);
    driver.await.unwrap().unwrap();
}

/// A service with a car behind it that does at once what it is asked.
async fn service() -> (SocketAddr, Shared) {
    let values = [("speed", "50.5"), ("range", "unavailable"), ("door_fl", "false"), ("seat_heat", "0")];
    let values = values.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let service = Arc::new(Mutex::new(Service { values, mood: Mood::Well }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shared) = (listener.local_addr().unwrap(), service.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, shared.clone()));
        }
    });
    (address, service)
}

async fn serve(mut stream: TcpStream, service: Shared) -> Option<()> {
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read);
    let mut head = Vec::new();
    while head.last().is_none_or(|line: &String| !line.trim().is_empty()) {
        let mut line = String::new();
        read.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
        head.push(line);
    }
    let length = head.iter().find_map(|line| line.strip_prefix("Content-Length: "))?.trim().parse().ok()?;
    let mut body = vec![0; length];
    read.read_exact(&mut body).await.ok()?;
    if service.lock().unwrap().mood == Mood::Silent {
        std::future::pending::<()>().await;
    }
    let (status, body) = service.lock().unwrap().answer(&head[0], &String::from_utf8(body).ok()?)?;
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    write.write_all(answer.as_bytes()).await.ok()
}

impl Service {
    fn answer(&mut self, asked: &str, body: &str) -> Option<(&'static str, String)> {
        Some(match self.mood {
            Mood::Lost | Mood::Silent => return None,
            _ if asked.starts_with("GET /values ") => {
                let lines = self.values.iter().flat_map(|(name, value)| [name, "=", value, "\n"]);
                ("200 OK", lines.collect())
            }
            Mood::Busy => ("409 Conflict", "the seat is taken\n".to_owned()),
            Mood::Well => {
                let (name, value) = body.trim().split_once('=')?;
                self.values.insert(name.to_owned(), value.to_owned());
                ("200 OK", String::new())
            }
        })
    }
}
