//! `coachwork lint`: databases become findings, and an exit status for a build server.
//!
//! *Invariant:* a finding that is an error, or a file that does not load, ends in failure; every file is looked at.
//! *Next:* `main.rs`; the rules are the library's.

use crate::output::Output;
use crate::{Failure, Format, tell};
use clap::Args;
use coachwork_dbc::Options;
use coachwork_dbc::lint::{Finding, Level, Rule, Rules};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Look for what is wrong, odd or missing in databases.
///
/// Fails where a finding is an error.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// The DBC files.
    #[arg(required_unless_present = "rules", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Make a rule's findings errors; `all` for every rule.
    #[arg(long, value_name = "CODE")]
    deny: Vec<Which>,
    /// Make a rule's findings warnings.
    #[arg(long, value_name = "CODE")]
    warn: Vec<Which>,
    /// Do not report a rule's findings.
    #[arg(long, value_name = "CODE")]
    allow: Vec<Which>,
    /// List the rules with their levels, and do nothing else.
    #[arg(long)]
    rules: bool,
}

/// One rule or all.
#[derive(Clone, Copy, Debug)]
enum Which {
    One(Rule),
    All,
}

impl std::str::FromStr for Which {
    type Err = String;

    fn from_str(code: &str) -> Result<Self, String> {
        if code == "all" {
            return Ok(Self::All);
        }
        code.parse().map(Self::One).map_err(|error| format!("{error}; `coachwork lint --rules` lists them"))
    }
}

impl Lint {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let rules = self.levels();
        let output = Output::new();
        if self.rules {
            for rule in Rule::ALL {
                let level = rules.level(*rule);
                output
                    .append(|to| _ = writeln!(to, "{rule:<28}{:<9}{}", level.as_str(), rule.description()))?;
            }
            return output.flush();
        }
        let mut failed = false;
        for path in &self.files {
            match findings(path, &rules) {
                Ok(findings) => {
                    failed |= findings.iter().any(|finding| finding.level() == Level::Deny);
                    for finding in &findings {
                        output.append(|to| self.print(to, path, finding))?;
                    }
                }
                Err(why) => {
                    output.flush()?;
                    tell(why);
                    failed = true;
                }
            }
        }
        output.flush()?;
        if failed { Err(Failure::Told) } else { Ok(()) }
    }

    /// `all` is the ground; what is said of one rule stands above it.
    fn levels(&self) -> Rules {
        let said = [(&self.allow, Level::Allow), (&self.warn, Level::Warn), (&self.deny, Level::Deny)];
        let mut rules = Rules::new();
        for (whichs, level) in said {
            if whichs.iter().any(|which| matches!(which, Which::All)) {
                rules = Rules::all(level);
            }
        }
        for (whichs, level) in said {
            for which in whichs {
                if let Which::One(rule) = which {
                    rules = rules.set(*rule, level);
                }
            }
        }
        rules
    }

    fn print(&self, to: &mut Vec<u8>, path: &Path, finding: &Finding) {
        let _ = match self.format {
            Format::Text => writeln!(
                to,
                "{}:{}{finding}",
                path.display(),
                if finding.line().is_some() { "" } else { " " }
            ),
            Format::Jsonl => writeln!(to, "{}", json(path, finding)),
        };
    }
}

fn findings(path: &Path, rules: &Rules) -> Result<Vec<Finding>, String> {
    let name = path.display();
    let bytes = fs::read(path).map_err(|error| format!("{name}: {error}"))?;
    let loaded = Options::new().load(&bytes).map_err(|error| format!("{name}:{error}"))?;
    Ok(loaded.lint(rules))
}

fn json(path: &Path, finding: &Finding) -> serde_json::Value {
    serde_json::json!({
        "file": path.display().to_string(),
        "code": finding.rule().as_str(),
        "level": finding.level().as_str(),
        "line": finding.line(),
        "column": finding.column(),
        "message": finding.message(),
        "id": finding.id().map(|id| id.to_string()),
        "signal": finding.signal(),
        "text": finding.text(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lint(deny: &[&str], allow: &[&str]) -> Lint {
        let parse = |codes: &[&str]| codes.iter().map(|code| code.parse().unwrap()).collect();
        Lint {
            files: Vec::new(),
            format: Format::Text,
            deny: parse(deny),
            warn: Vec::new(),
            allow: parse(allow),
            rules: false,
        }
    }

    #[test]
    fn one_rule_stands_above_all() {
        let rules = lint(&["unit-spelling"], &["all"]).levels();
        assert_eq!(rules.level(Rule::UnitSpelling), Level::Deny);
        assert_eq!(rules.level(Rule::Overlap), Level::Allow);
        let rules = lint(&["all"], &["overlap"]).levels();
        assert_eq!(rules.level(Rule::UnitSpelling), Level::Deny);
        assert_eq!(rules.level(Rule::Overlap), Level::Allow);
        assert_eq!(lint(&[], &[]).levels(), Rules::new());
        assert!("nonsense".parse::<Which>().is_err());
    }
}
