//! Every clause of the contract's page has its function, and every function its clause.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use coachwork_conformance::clauses::VEHICLE;
use coachwork_conformance::wire::TRANSPORT;

/// Id, title, sentence and test of each clause on the page.
fn clauses(page: &str) -> Vec<[String; 4]> {
    let mut clauses = Vec::new();
    for section in page.split("\n### ").skip(1) {
        let section = section.split("\n## ").next().unwrap();
        let mut lines = section.lines().filter(|line| !line.trim().is_empty());
        let (id, title) = lines.next().unwrap().split_once(' ').unwrap();
        let mut body: Vec<_> = lines.collect();
        // What introduces the next part of the page is no clause.
        body.truncate(2);
        let [sentence, test] = body[..] else { panic!("{id} has no sentence or no test") };
        let test = test.strip_prefix("Test: `").and_then(|test| test.strip_suffix('`'));
        let test = test.unwrap_or_else(|| panic!("{id} names no test"));
        clauses.push([id, title, sentence, test].map(str::to_owned));
    }
    clauses
}

fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ')
        .collect::<String>()
        .to_lowercase()
        .replace(' ', "_")
}

#[test]
fn page_and_functions_are_the_same_clauses() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/contract.md");
    let page = std::fs::read_to_string(page).expect("the contract is a page of the repository");
    let clauses = clauses(&page);
    let ours = VEHICLE.iter().map(|clause| (clause.id, clause.name));
    let ours: Vec<_> = ours.chain(TRANSPORT.iter().map(|clause| (clause.id, clause.name))).collect();
    let theirs: Vec<_> = clauses.iter().map(|[id, _, _, test]| (id.as_str(), test.as_str())).collect();
    assert_eq!(theirs, ours);
    for [id, title, sentence, test] in &clauses {
        assert!(sentence.contains("MUST"), "{id} binds nobody");
        assert!(sentence.ends_with('.') && sentence.matches(". ").count() == 0, "{id} is not one sentence");
        assert_eq!(
            *test,
            format!("{}_{}", id.to_lowercase(), plain(title)),
            "{id}: its test has another name"
        );
    }
}

#[test]
fn numbers_follow_each_other() {
    for (n, clause) in VEHICLE.iter().enumerate() {
        assert_eq!(clause.id, format!("V{}", n + 1));
        assert!(clause.name.starts_with(&format!("v{}_", n + 1)), "{}", clause.name);
    }
    for (n, clause) in TRANSPORT.iter().enumerate() {
        assert_eq!(clause.id, format!("T{}", n + 1));
        assert!(clause.name.starts_with(&format!("t{}_", n + 1)), "{}", clause.name);
    }
}
