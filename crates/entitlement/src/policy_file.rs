//! A policy file becomes a [`Policy`], and a policy the file that says it.
//!
//! *Invariant:* reading is bounded ([`MAX_POLICY`] bytes, the rules of a policy), stops at the first line that is wrong and
//! says which; what is printed is read again as the same policy. A safety class is not among the words.
//! *Next:* `policy.rs` compiles the rules.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use coachwork_vehicle::Pattern;

use crate::feature::{PaidClass, PaidFeature};
use crate::limit::Limit;
use crate::policy::{Action, MAX_RULES, Policy, PolicyError, Rule};

/// The longest policy file, in bytes.
pub const MAX_POLICY: usize = 1 << 18;

impl FromStr for Policy {
    type Err = PolicyFileError;

    /// Reads a policy file:
    ///
    /// ```text
    /// # What is sold, and its class: comfort, performance, connected or data.
    /// feature seat-heating comfort
    /// feature live-range data
    /// # Paths that no rule may touch, beside those that no policy ever can.
    /// protect Vehicle.Trailer.**
    /// # Rules: the first one that matches a path decides.
    /// set Vehicle.Cabin.Seat.**.HeatingCooling needs seat-heating else within 0..30
    /// read Vehicle.Powertrain.Range needs live-range else every 10 s rounded to 50
    /// ```
    fn from_str(text: &str) -> Result<Self, PolicyFileError> {
        if text.len() > MAX_POLICY {
            return Err(PolicyFileError { line: 0, why: LineError::TooLong });
        }
        let mut features = BTreeMap::<&str, PaidFeature>::new();
        let (mut protected, mut rules) = (Vec::new(), Vec::new());
        for (line, number) in text.lines().zip(1..) {
            let fault = |why| PolicyFileError { line: number, why };
            let words: Vec<_> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            match words.as_slice() {
                [] => {}
                ["feature", name, class] => {
                    let class = match *class {
                        "comfort" => PaidClass::Comfort,
                        "performance" => PaidClass::Performance,
                        "connected" => PaidClass::Connected,
                        "data" => PaidClass::Data,
                        "safety" => return Err(fault(LineError::Safety)),
                        _ => return Err(fault(LineError::Class)),
                    };
                    let paid = PaidFeature::new(name.parse().map_err(|_| fault(LineError::Name))?, class);
                    if features.insert(name, paid).is_some() {
                        return Err(fault(LineError::Twice));
                    }
                }
                ["protect", pattern] => {
                    protected.push(Pattern::new(pattern).map_err(|_| fault(LineError::Pattern))?);
                }
                [action, pattern, "needs", feature, rest @ ..] => {
                    let action = match *action {
                        "read" => Action::Read,
                        "set" => Action::Set,
                        "subscribe" => Action::Subscribe,
                        _ => return Err(fault(LineError::Word)),
                    };
                    let paid = features.get(feature).ok_or(fault(LineError::Unknown))?.clone();
                    let rule = Rule::new(pattern, action, paid).map_err(|_| fault(LineError::Pattern))?;
                    rules.push((
                        number,
                        match rest {
                            [] => rule,
                            ["else", limit @ ..] => {
                                rule.otherwise(read_limit(limit).ok_or(fault(LineError::Limit))?)
                            }
                            _ => return Err(fault(LineError::Word)),
                        },
                    ));
                }
                _ => return Err(fault(LineError::Word)),
            }
            if rules.len() > MAX_RULES || protected.len() > MAX_RULES {
                return Err(fault(LineError::Policy(PolicyError::TooMany)));
            }
        }
        let lines: Vec<_> = rules.iter().map(|(line, rule)| (*line, rule.pattern().clone())).collect();
        let policy =
            Self::complete(protected, rules.into_iter().map(|(_, rule)| rule), features.into_values());
        policy.map_err(|why| {
            let at = match &why {
                PolicyError::Safety { pattern } => {
                    lines.iter().find(|(_, of)| of == pattern).map(|(line, _)| *line)
                }
                _ => None,
            };
            PolicyFileError { line: at.unwrap_or(0), why: LineError::Policy(why) }
        })
    }
}

fn read_limit(words: &[&str]) -> Option<Limit> {
    let mut limit = Limit::default();
    let mut words = words.iter().copied();
    let mut any = false;
    while let Some(word) = words.next() {
        any = true;
        limit = match word {
            "every" if limit.every.is_none() => {
                let number: u64 = words.next()?.parse().ok()?;
                limit.every(match words.next()? {
                    "s" => Duration::from_secs(number),
                    "ms" => Duration::from_millis(number),
                    _ => return None,
                })
            }
            "rounded" if limit.step.is_none() && words.next() == Some("to") => {
                limit.rounded_to(words.next()?.parse().ok()?)
            }
            "within" if limit.range.is_none() => {
                let (low, high) = words.next()?.split_once("..")?;
                limit.within(low.parse().ok()?, high.parse().ok()?)
            }
            _ => return None,
        }
        .ok()?;
    }
    any.then_some(limit)
}

/// As a policy file.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (_, feature) in self.features().iter() {
            writeln!(f, "feature {} {}", feature.name(), feature.class())?;
        }
        for pattern in self.added() {
            writeln!(f, "protect {pattern}")?;
        }
        for (action, pattern, feature, limit) in self.lines() {
            write!(f, "{action} {pattern} needs {}", feature.name())?;
            match limit {
                Some(limit) => writeln!(f, " else {limit}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

/// A policy file that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct PolicyFileError {
    /// The line, from 1; 0 where it is the whole.
    pub line: u32,
    /// What is wrong with it.
    pub why: LineError,
}

/// What is wrong with a line of a policy file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The class is none of those that are sold.
    #[error("a class is comfort, performance, connected or data")]
    Class,
    /// What stands after `else` is no limit.
    #[error("a limit is `every N s`, `rounded to N` or `within N..N`, each once")]
    Limit,
    /// The feature's name is none.
    #[error("a feature name is 1 to 64 of a-z, 0-9, '.', '_' and '-'")]
    Name,
    /// The path or pattern is none.
    #[error("not a path pattern")]
    Pattern,
    /// The lines make no policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Somebody tried to sell safety.
    #[error("what is needed for safety is never sold and never gated")]
    Safety,
    /// The file has more than [`MAX_POLICY`] bytes.
    #[error("the file is longer than a policy may be")]
    TooLong,
    /// The feature has a line already.
    #[error("the feature is there twice")]
    Twice,
    /// No line above has this feature.
    #[error("no `feature` line above has this feature")]
    Unknown,
    /// The line does not begin with a word that is known, or goes on where it should end.
    #[error("not a line of a policy file: feature, protect, read, set or subscribe")]
    Word,
}
