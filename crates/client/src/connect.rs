//! From a connector to a link that stands: the connection, a session, and what the gateway says of its vehicle.
//!
//! *Invariant:* nothing is shared yet; dropped early, it leaves nothing. A token is not shown to whoever reads along.
//! *Next:* `driver.rs` (which keeps the link), `client.rs` (which begins with the first).

use coachwork_transport::viss::{Dialect, Metadata, Target};
use coachwork_transport::{
    Arrived, ClientSession, Connection, ConnectionExt, Connector, Message, Moment, Reply, TransportError,
};
use coachwork_vehicle::{Clock, Credential, Error, ErrorKind, Operation, Timestamp};
use futures_util::future::{Either, select};
use std::pin::pin;

use crate::options::Options;
use crate::token::Token;

/// A link that stands.
pub(crate) struct Established {
    pub(crate) connection: Box<dyn Connection>,
    pub(crate) session: ClientSession,
    pub(crate) metadata: Metadata,
    /// When to ask for the next token.
    pub(crate) renew: Option<Timestamp>,
}

/// A link, within the time that the options give.
pub(crate) async fn establish(
    connector: &dyn Connector,
    clock: &dyn Clock,
    options: &Options,
) -> Result<Established, Error> {
    let timer = clock.sleep_until(clock.monotonic().saturating_add(options.connect_time));
    let established = match select(pin!(link(connector, clock, options)), timer).await {
        Either::Left((established, _)) => established,
        Either::Right(_) => {
            let message = format!("{}: no link within {:?}", connector.peer(), options.connect_time);
            Err(Error::new(ErrorKind::Timeout, message))
        }
    };
    established
        .map_err(|error| if error.operation().is_some() { error } else { error.during(Operation::Connect) })
}

async fn link(connector: &dyn Connector, clock: &dyn Clock, options: &Options) -> Result<Established, Error> {
    let mut connection = connector.connect().await?;
    let info = connection.info();
    if (options.token.is_some() || options.tokens.is_some()) && !info.is_secure() && !options.plain_links {
        let message = format!("{}: a token is not shown over a link that others can read", info.peer);
        return Err(Error::new(ErrorKind::Denied, message));
    }
    let dialect = Dialect::of_subprotocol(info.subprotocol.as_deref()).ok_or_else(|| {
        let name = info.subprotocol.as_deref().unwrap_or_default();
        Error::new(ErrorKind::Protocol, format!("{}: the subprotocol {name} has other messages", info.peer))
    })?;
    let token = match &options.tokens {
        Some(source) => Some(source.token().await?),
        None => options.token.clone().map(Token::new),
    };
    let renew = token.as_ref().and_then(|token| token.renew);
    let credential = token.map_or(Credential::None, |token| Credential::Token(token.bytes));
    let mut session = ClientSession::new(dialect, credential.clone(), &options.limits);
    let answer = describe(&mut connection, &mut session, Target::everything(), clock, options).await?;
    let error = match answer {
        Ok(metadata) => return Ok(Established { connection, session, metadata, renew }),
        Err(error) if session.has_additions() || error.kind() == ErrorKind::Denied => return Err(error),
        Err(error) => error,
    };
    // A server that does not know of additional members, nor of what stands above all trees.
    let mut session = ClientSession::new(dialect, credential, &options.limits).pure();
    match describe(&mut connection, &mut session, Target::path("Vehicle")?, clock, options).await? {
        Ok(metadata) => Ok(Established { connection, session, metadata, renew }),
        Err(_) => Err(error),
    }
}

/// The outer error is of the link, the inner one what the gateway answers.
async fn describe(
    connection: &mut Box<dyn Connection>,
    session: &mut ClientSession,
    target: Target,
    clock: &dyn Clock,
    options: &Options,
) -> Result<Result<Metadata, Error>, Error> {
    let (asked, message) = session.metadata(target, options.connect_time, Moment::of(clock))?;
    connection.send(&Message::Text(message)).await.map_err(refused)?;
    loop {
        let message = connection.recv().await.map_err(refused)?;
        match session.receive(&message, Moment::of(clock))? {
            Arrived::Answer { ticket, answer } if ticket == asked => {
                return Ok(answer.and_then(|reply| match reply {
                    Reply::Metadata(metadata) => Ok(metadata),
                    _ => Err(Error::new(ErrorKind::Protocol, "the gateway does not describe its vehicle")),
                }));
            }
            _ => {}
        }
    }
}

/// A connection that the gateway closes before it has said anything was refused by it.
fn refused(error: TransportError) -> Error {
    error.into()
}
