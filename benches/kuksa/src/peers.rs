//! The connections: one that provides the signal, and one for each subscriber.
//!
//! *Invariant:* values are published one message each, and numbered one after the other.
//! *Next:* `work.rs`.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};

use crate::proto::open_provider_stream_request::Action;
use crate::proto::open_provider_stream_response::Action as Asked;
use crate::proto::signal_id::Signal;
use crate::proto::val_client::ValClient;
use crate::proto::value::TypedValue;
use crate::proto::{
    Datapoint, GetProviderValueResponse, GetValueRequest, ListMetadataRequest, OpenProviderStreamRequest,
    OpenProviderStreamResponse, ProvideSignalRequest, PublishValueRequest, PublishValuesRequest,
    SampleInterval, SignalId, SubscribeRequest, SubscribeResponse, Value,
};

/// How many updates a subscriber lets wait in the databroker: the most that it allows.
pub const QUEUE: u32 = 1000;

/// A provider and its subscribers.
pub struct Peers {
    address: String,
    path: String,
    /// The provider's connection.
    pub client: ValClient<Channel>,
    complaint: Arc<OnceLock<String>>,
    /// What publishes.
    pub provider: Provider,
    /// The subscribers.
    pub events: Vec<Streaming<SubscribeResponse>>,
    /// The value that was published last.
    pub last: u32,
}

/// What publishes.
#[derive(Clone)]
pub struct Provider {
    to: mpsc::Sender<OpenProviderStreamRequest>,
    id: i32,
    last: Arc<AtomicU32>,
}

impl Provider {
    /// Publishes a value.
    pub async fn publish(&self, value: u32) -> Result<(), Box<dyn Error>> {
        self.last.store(value, Ordering::Relaxed);
        let data_points = BTreeMap::from([(self.id, point(value))]);
        self.send(Action::PublishValuesRequest(PublishValuesRequest { request_id: 0, data_points })).await
    }

    async fn send(&self, action: Action) -> Result<(), Box<dyn Error>> {
        let request = OpenProviderStreamRequest { action: Some(action) };
        self.to.send(request).await.map_err(|_| "the provider's stream has ended".into())
    }
}

impl Peers {
    /// The request that publishes a value and is answered.
    pub fn publishing(&self, value: u32) -> PublishValueRequest {
        let signal_id = Some(SignalId { signal: Some(Signal::Id(self.provider.id)) });
        PublishValueRequest { signal_id, data_point: Some(point(value)) }
    }

    /// Connects, and provides the signal at `path`.
    pub async fn connect(address: String, path: String) -> Result<Self, Box<dyn Error>> {
        let mut client = dial(&address).await?;
        let request = ListMetadataRequest { root: path.clone(), filter: String::new() };
        let metadata = client.list_metadata(request).await?.into_inner().metadata;
        let id = metadata.iter().find(|entry| entry.path == path).ok_or("no such signal")?.id;
        let (to, requests) = mpsc::channel(QUEUE as usize);
        let provider = Provider { to, id, last: Arc::default() };
        let signals_sample_intervals = BTreeMap::from([(id, SampleInterval { interval_ms: 0 })]);
        provider
            .send(Action::ProvideSignalRequest(ProvideSignalRequest { signals_sample_intervals }))
            .await?;
        let mut from = client.open_provider_stream(ReceiverStream::new(requests)).await?.into_inner();
        from.message().await?.ok_or("the provider was not accepted")?;
        let complaint = Arc::default();
        tokio::spawn(serve(provider.clone(), from, Arc::clone(&complaint)));
        Ok(Self { address, path, client, complaint, provider, events: Vec::new(), last: 0 })
    }

    /// How many subscribers there are.
    pub fn count(&self) -> usize {
        self.events.len()
    }

    /// Subscribes on so many more connections.
    pub async fn subscribe(&mut self, count: u32) -> Result<(), Box<dyn Error>> {
        for _ in 0..count {
            let mut client = dial(&self.address).await?;
            let signal_paths = vec![self.path.clone()];
            let request = SubscribeRequest { signal_paths, buffer_size: QUEUE, filter: None };
            let mut events = client.subscribe(request).await?.into_inner();
            // The present value.
            events.message().await?.ok_or("the subscription has ended")?;
            self.events.push(events);
        }
        Ok(())
    }

    /// The present value.
    pub async fn value(&mut self) -> Result<u32, Box<dyn Error>> {
        let signal_id = Some(SignalId { signal: Some(Signal::Path(self.path.clone())) });
        let answer = self.client.get_value(GetValueRequest { signal_id }).await?.into_inner();
        number(answer.data_point.as_ref())
    }

    /// Publishes a value and waits until the databroker, and every subscriber, has it.
    pub async fn publish(&mut self, value: u32) -> Result<u32, Box<dyn Error>> {
        self.last = value;
        self.provider.publish(value).await?;
        for events in &mut self.events {
            let seen = next(events).await?;
            if seen != value {
                return Err(format!("{seen} is not {value}").into());
            }
        }
        // Without subscribers nothing says that it has arrived: it and a get are on their way side by side.
        for _ in 0..1000 {
            if self.value().await.is_ok_and(|present| present == value) {
                return Ok(value);
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        Err(format!("{value} does not arrive").into())
    }

    /// Fails where the databroker has complained of what was published.
    pub fn complaint(&self) -> Result<(), Box<dyn Error>> {
        self.complaint.get().map_or(Ok(()), |complaint| Err(complaint.clone().into()))
    }
}

/// Answers what the databroker asks of a provider: for the present value, at every get.
async fn serve(
    provider: Provider,
    mut from: Streaming<OpenProviderStreamResponse>,
    complaint: Arc<OnceLock<String>>,
) {
    loop {
        match from.message().await {
            Ok(Some(OpenProviderStreamResponse { action: Some(Asked::GetProviderValueRequest(asked)) })) => {
                let entries = BTreeMap::from([(provider.id, point(provider.last.load(Ordering::Relaxed)))]);
                let answer = GetProviderValueResponse { request_id: asked.request_id, entries };
                if provider.send(Action::GetProviderValueResponse(answer)).await.is_err() {
                    return;
                }
            }
            // Which filters its subscribers have.
            Ok(Some(OpenProviderStreamResponse { action: Some(Asked::UpdateFilterRequest(_)) })) => {}
            other => {
                let _ = complaint.set(format!("the databroker says {other:?}"));
                return;
            }
        }
    }
}

fn point(value: u32) -> Datapoint {
    // Without a time the databroker takes its own, which costs it less.
    Datapoint { timestamp: None, value: Some(Value { typed_value: Some(TypedValue::Uint32(value)) }) }
}

async fn dial(address: &str) -> Result<ValClient<Channel>, Box<dyn Error>> {
    let channel = Endpoint::from_shared(address.to_string())?.tcp_nodelay(true).connect().await?;
    Ok(ValClient::new(channel))
}

/// The value of the next event.
pub async fn next(events: &mut Streaming<SubscribeResponse>) -> Result<u32, Box<dyn Error>> {
    let event = events.message().await?.ok_or("the subscription has ended")?;
    let point = event.entries.values().next();
    if point.is_none_or(|point| point.timestamp.is_none()) {
        return Err("an event without a time".into());
    }
    number(point)
}

fn number(point: Option<&Datapoint>) -> Result<u32, Box<dyn Error>> {
    match point.and_then(|point| point.value.as_ref()?.typed_value.as_ref()) {
        Some(TypedValue::Uint32(value)) => Ok(*value),
        other => Err(format!("no number: {other:?}").into()),
    }
}
