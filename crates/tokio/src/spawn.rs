//! A `Driver` becomes a tokio task.
//!
//! *Invariant:* a handle only watches: a driver runs on when its handle is dropped, and ends when its vehicle does.
//! *Next:* whatever returns `(vehicle, Driver)`.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use coachwork_vehicle::{Driver, Error, ErrorKind};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Runs a driver as a task of the present tokio runtime.
///
/// ```
/// use coachwork_vehicle::{Driver, Error};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let link = coachwork_tokio::spawn(Driver::new(async { Ok(()) }))?;
/// link.await?; // how the driver ended
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ErrorKind::Unsupported`] outside of a tokio runtime; then the driver is dropped, which ends what it drives.
pub fn spawn(driver: Driver) -> Result<Running, Error> {
    let runtime = Handle::try_current().map_err(|why| {
        Error::new(ErrorKind::Unsupported, "a driver is spawned inside of a tokio runtime").caused_by(why)
    })?;
    Ok(Running(runtime.spawn(driver)))
}

/// A spawned driver: a future that says how it ended. Dropping it leaves the driver running.
#[derive(Debug)]
pub struct Running(JoinHandle<Result<(), Error>>);

impl Running {
    /// Stops the driver at its next pause: what it drives ends, as if its link had.
    pub fn stop(&self) {
        self.0.abort();
    }

    /// Whether the driver has ended.
    pub fn is_ended(&self) -> bool {
        self.0.is_finished()
    }
}

impl Future for Running {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.0).poll(cx)) {
            Ok(ended) => ended,
            Err(stopped) if stopped.is_cancelled() => {
                Err(Error::new(ErrorKind::Unavailable, "the driver was stopped"))
            }
            Err(panicked) => Err(Error::new(ErrorKind::Other, "the driver panicked").caused_by(panicked)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_runtime_it_says_so() {
        let driver = Driver::new(async { Ok(()) });
        assert_eq!(spawn(driver).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[tokio::test]
    async fn the_handle_says_how_it_ended() {
        let failing = Driver::new(async { Err(Error::new(ErrorKind::Protocol, "noise")) });
        assert_eq!(spawn(failing).unwrap().await.unwrap_err().kind(), ErrorKind::Protocol);
        let running = spawn(Driver::new(std::future::pending())).unwrap();
        assert!(!running.is_ended());
        running.stop();
        assert_eq!(running.await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
}
