//! Conveniences over any vehicle: one path instead of a batch, Rust types instead of values, patterns instead of ids.
//!
//! *Invariant:* nothing here does what the four methods of `Vehicle` cannot; implementers have no part in it.

use std::future::Future;

use crate::catalogue::SignalId;
use crate::changes::Changes;
use crate::datapoint::Datapoint;
use crate::error::{Error, ErrorKind, Operation};
use crate::path::Pattern;
use crate::receipt::Receipt;
use crate::request::{Request, Set};
use crate::subscribe::{Filter, Subscribe};
use crate::subscription::Subscription;
use crate::typed::{Reading, TypedPath};
use crate::value::{Value, VssValue};
use crate::vehicle::{Each, Get, Vehicle};

/// What every [`Vehicle`] can do in fewer words.
pub trait VehicleExt: Vehicle {
    /// Reads one typed path, converted to its unit. Cancel-safe.
    ///
    /// # Errors
    /// Where the signal does not exist, may not be read, or its type or unit does not convert.
    fn read<T: VssValue>(
        &self,
        path: TypedPath<T>,
    ) -> impl Future<Output = Result<Reading<T>, Error>> + Send {
        async move {
            let catalogue = self.catalogue();
            let signal = path.resolve(&catalogue).map_err(|e| e.during(Operation::Get))?;
            let point = one(self.get(Get::of(&[signal])).await?)?;
            path.read(&catalogue, signal, &point)
        }
    }

    /// Reads one path by its text. Cancel-safe.
    ///
    /// # Errors
    /// Where the signal does not exist or may not be read.
    fn read_path(&self, path: &str) -> impl Future<Output = Result<Datapoint, Error>> + Send {
        async move {
            let signal = self.catalogue().resolve(path).map_err(|e| e.during(Operation::Get))?;
            one(self.get(Get::of(&[signal])).await?)
        }
    }

    /// Asks one actuator to move, in the unit of its typed path. Dropped early, it may or may not have sent the request.
    ///
    /// # Errors
    /// Where the request makes no sense; what somebody decides is in the receipt.
    fn write<T: VssValue>(
        &self,
        path: TypedPath<T>,
        value: T,
        set: Set,
    ) -> impl Future<Output = Result<Receipt, Error>> + Send {
        async move {
            let catalogue = self.catalogue();
            let signal = path.resolve(&catalogue).map_err(|e| e.during(Operation::Set))?;
            let value = path.write(&catalogue, signal, value)?;
            one(self.set(vec![Request { signal, value, set }]).await?)
        }
    }

    /// Asks one actuator to move, by its path's text and in the catalogue's unit. Dropped early, it may or may not have sent the request.
    ///
    /// # Errors
    /// Where the request makes no sense; what somebody decides is in the receipt.
    fn write_path(
        &self,
        path: &str,
        value: impl Into<Value> + Send,
        set: Set,
    ) -> impl Future<Output = Result<Receipt, Error>> + Send {
        async move {
            let signal = self.catalogue().resolve(path).map_err(|e| e.during(Operation::Set))?;
            one(self.set(vec![Request { signal, value: value.into(), set }]).await?)
        }
    }

    /// Subscribes to paths by their text, each with `filter`; those that do not exist are in the report of the subscription.
    /// `options` gives overflow and strictness, and may name further signals. Dropped early, it leaves no subscription behind.
    ///
    /// # Errors
    /// As [`Vehicle::subscribe`]; where `options` is strict, also for a path that does not exist.
    fn watch(
        &self,
        paths: &[&str],
        filter: Filter,
        options: Subscribe,
    ) -> impl Future<Output = Result<Subscription, Error>> + Send {
        async move {
            let catalogue = self.catalogue();
            let mut wish = options;
            let mut unknown = Vec::new();
            for &path in paths {
                match catalogue.resolve(path) {
                    Ok(signal) => wish.signals.push((signal, filter)),
                    Err(error) if wish.strict => return Err(error.during(Operation::Subscribe)),
                    Err(error) => unknown.push((path, error.during(Operation::Subscribe))),
                }
            }
            let mut subscription = self.subscribe(wish).await?;
            for (path, error) in unknown {
                subscription.refuse(path, error);
            }
            Ok(subscription)
        }
    }

    /// Follows one typed path: the present reading first, then each change, converted to its unit. A slow reader sees the latest.
    /// Dropped early, it leaves no subscription behind.
    ///
    /// ```
    /// use coachwork_vehicle::{Error, Vehicle, VehicleExt, vss};
    /// async fn follow(car: &dyn Vehicle) -> Result<(), Error> {
    ///     let mut speeds = car.changes(vss::SPEED).await?;
    ///     while let Some(reading) = speeds.next().await {
    ///         match reading?.valid() {
    ///             Ok(speed) => println!("{speed} km/h"),
    ///             Err(why) => println!("no speed: {why}"),
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// Where the signal does not exist, may not be read, or its type or unit does not convert.
    fn changes<T: VssValue>(
        &self,
        path: TypedPath<T>,
    ) -> impl Future<Output = Result<Changes<T>, Error>> + Send {
        async move {
            let catalogue = self.catalogue();
            let signal = path.resolve(&catalogue).map_err(|e| e.during(Operation::Subscribe))?;
            path.check(&catalogue, signal).map_err(|e| e.during(Operation::Subscribe))?;
            let subscription = self.subscribe(Subscribe::to([signal]).on_change().strict()).await?;
            Ok(Changes::new(path, subscription))
        }
    }

    /// Waits until a valid value of one typed path satisfies `wanted`, and returns it; the present value counts. It waits as long
    /// as it takes: give it a deadline by racing it with a timer. Cancel-safe.
    ///
    /// ```
    /// use coachwork_vehicle::{Error, Vehicle, VehicleExt, vss};
    /// async fn stopped(car: &dyn Vehicle) -> Result<(), Error> {
    ///     car.wait_until(vss::SPEED, |speed| *speed == 0.0).await.map(|_| ())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`changes`](Self::changes), and where the subscription ends first.
    fn wait_until<T: VssValue>(
        &self,
        path: TypedPath<T>,
        mut wanted: impl FnMut(&T) -> bool + Send,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        async move {
            let mut changes = self.changes(path).await?;
            while let Some(reading) = changes.next().await {
                if let Ok(value) = reading?.valid()
                    && wanted(&value)
                {
                    return Ok(value);
                }
            }
            let why = changes.ended().map_or_else(String::new, |why| format!(": {why}"));
            let message = format!("the subscription ended before the value came{why}");
            Err(Error::new(ErrorKind::Unavailable, message).during(Operation::Subscribe).on_path(path.path()))
        }
    }

    /// The signals whose paths match a pattern (`*` is one name, `**` any number); empty where none does.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a malformed pattern.
    fn find(&self, pattern: &str) -> Result<Vec<SignalId>, Error> {
        let pattern = Pattern::new(pattern).map_err(|e| {
            Error::new(ErrorKind::Invalid, e.to_string()).during(Operation::Resolve).caused_by(e)
        })?;
        Ok(self.catalogue().find(&pattern))
    }
}

impl<V: Vehicle + ?Sized> VehicleExt for V {}

/// The only item of a batch of one.
fn one<T>(mut each: Each<T>) -> Result<T, Error> {
    match (each.pop(), each.is_empty()) {
        (Some(item), true) => item,
        _ => Err(Error::new(ErrorKind::Protocol, "the vehicle did not answer one request with one result")),
    }
}

#[cfg(test)]
mod tests;
