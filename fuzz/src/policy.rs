//! Bytes become a policy file; whatever is one is printed and read again as the same, and gates no safety path.
//!
//! *Oracle:* reading is the inverse of printing; the paths that keep people alive are protected whatever the file says.
//! *Next:* `coachwork_entitlement::Policy`.

use coachwork_entitlement::Policy;

const SAFETY: [&str; 4] = [
    "Vehicle.ADAS.ABS.IsEnabled",
    "Vehicle.Body.Lights.Hazard.IsSignaling",
    "Vehicle.Cabin.Seat.Row1.DriverSide.IsBelted",
    "Vehicle.Chassis.Brake.PedalPosition",
];

/// Reads the bytes as a policy file.
pub fn run(data: &[u8]) {
    judge(data);
}

/// As [`run`]: how many features it has, if it is a policy.
pub fn judge(data: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(data).ok()?;
    let policy: Policy = match text.parse() {
        Ok(policy) => policy,
        Err(why) => {
            let why: coachwork_entitlement::PolicyFileError = why;
            let line = usize::try_from(why.line).expect("small");
            assert!(line <= text.lines().count(), "{why}");
            return None;
        }
    };
    let printed = policy.to_string();
    let again: Policy = printed.parse().unwrap_or_else(|why| panic!("{why}: {printed}"));
    assert_eq!(again.to_string(), printed);
    assert_eq!(again.features(), policy.features());
    for path in SAFETY {
        assert!(policy.protects(&path.parse().expect("a path")), "{path}");
    }
    Some(policy.features().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides() {
        assert_eq!(judge(b"feature x comfort\nread Vehicle.Speed needs x else every 5 s"), Some(1));
        assert_eq!(judge(b"feature x comfort\nfeature y data"), Some(2));
        assert_eq!(judge(b"feature x safety"), None);
    }
}
