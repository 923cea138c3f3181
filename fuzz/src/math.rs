//! Bytes become an expression as a tree, and the tree a text with as few brackets as the language allows; or they are a text themselves.
//!
//! *Oracle:* the tree's own value, by an evaluator that knows nothing of texts: what the text gives is the same to the bit, or nothing where the tree
//! has no value. Any text is an expression within the bounds, which gives a finite number or none, or an error that points into it.
//! *Next:* `coachwork_can::Math`.

use coachwork_can::Math;

/// The deepest tree that is made, well within the bounds of the language.
const DEPTH: usize = 6;
/// The most parts of a tree.
const NODES: usize = 48;

/// Runs one input.
///
/// # Panics
/// Where text and tree differ.
pub fn run(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        any(text);
    }
    compare(data);
}

fn any(text: &str) {
    match Math::parse(text) {
        Ok(math) => {
            assert!(text.len() <= Math::MAX_LEN);
            for x in [0.0, 1.0, -2.5, 1e300, f64::NAN] {
                assert!(math.eval(x).is_none_or(f64::is_finite), "{text:?} at {x}");
            }
        }
        Err(error) => {
            let end = text.chars().count() + 1;
            assert!((1..=end).contains(&error.column), "{text:?}: {error}");
        }
    }
}

/// Compares the tree in `data` with its text; the text and how many values were equal, where it has any.
///
/// # Panics
/// Where text and tree differ.
pub fn compare(data: &[u8]) -> (String, usize) {
    let mut bytes = Bytes { data, nodes: 0 };
    let tree = bytes.tree(DEPTH);
    let mut text = String::new();
    tree.write(0, &mut text);
    if text.len() > Math::MAX_LEN {
        assert!(Math::parse(&text).is_err());
        return (text, 0);
    }
    let math = Math::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut equal = 0;
    for x in [0.0, 1.0, -1.0, 2.5, -7.0, 255.0, 1e-3, 1e6] {
        let wanted = tree.value(x).filter(|value| value.is_finite());
        let got = math.eval(x);
        assert_eq!(got.map(f64::to_bits), wanted.map(f64::to_bits), "{text} at {x}: {got:?}, not {wanted:?}");
        equal += usize::from(wanted.is_some());
    }
    (text, equal)
}

enum Tree {
    X,
    Number(f64),
    Minus(Box<Tree>),
    Not(Box<Tree>),
    /// The place in `INFIX`.
    Infix(usize, Box<Tree>, Box<Tree>),
    Choice(Box<Tree>, Box<Tree>, Box<Tree>),
    /// A function's name, and what it is given.
    Call(&'static str, Vec<Tree>),
}

/// The operators and how tightly they bind.
const INFIX: [(&str, u8); 15] = [
    ("+", 5),
    ("-", 5),
    ("*", 6),
    ("/", 7),
    ("%", 7),
    ("^", 8),
    ("**", 8),
    ("==", 4),
    ("!=", 4),
    ("<", 4),
    ("<=", 4),
    (">", 4),
    (">=", 4),
    (" and ", 2),
    (" or ", 1),
];

const CALLS: [(&str, usize); 8] =
    [("abs", 1), ("floor", 1), ("ceil", 1), ("sqrt", 1), ("round", 1), ("min", 3), ("max", 2), ("if", 3)];

struct Bytes<'a> {
    data: &'a [u8],
    nodes: usize,
}

impl Bytes<'_> {
    fn next(&mut self) -> usize {
        let (first, rest) = self.data.split_first().unwrap_or((&0, &[]));
        self.data = rest;
        usize::from(*first)
    }

    fn tree(&mut self, depth: usize) -> Tree {
        self.nodes += 1;
        let kind = self.next();
        if depth == 0 || self.nodes > NODES {
            return if kind % 2 == 0 { Tree::X } else { Tree::Number(kind as f64 / 4.0) };
        }
        let mut part = || Box::new(self.tree(depth - 1));
        match kind % 32 {
            0..=3 => Tree::X,
            4..=7 => Tree::Number(self.next() as f64 / 4.0),
            8 | 9 => Tree::Minus(part()),
            10 => Tree::Not(part()),
            11 => Tree::Choice(part(), part(), part()),
            12..=15 => {
                let (name, count) = CALLS[self.next() % CALLS.len()];
                Tree::Call(name, (0..count).map(|_| self.tree(depth - 1)).collect())
            }
            _ => {
                let (left, right) = (part(), part());
                Tree::Infix(self.next() % INFIX.len(), left, right)
            }
        }
    }
}

impl Tree {
    fn binds(&self) -> u8 {
        match self {
            Self::X | Self::Number(_) | Self::Call(..) => 9,
            Self::Minus(_) => 6,
            Self::Not(_) => 3,
            Self::Infix(operator, ..) => INFIX[*operator].1,
            Self::Choice(..) => 0,
        }
    }

    /// Writes the tree where only what binds at least as tightly as `least` may stand without brackets.
    fn write(&self, least: u8, out: &mut String) {
        let bracketed = self.binds() < least;
        if bracketed {
            out.push('(');
        }
        match self {
            Self::X => out.push('x'),
            Self::Number(value) => out.push_str(&value.to_string()),
            Self::Minus(of) => {
                out.push('-');
                of.write(7, out);
            }
            Self::Not(of) => {
                out.push_str("not ");
                of.write(4, out);
            }
            Self::Infix(operator, left, right) => {
                let (sign, binds) = INFIX[*operator];
                left.write(binds, out);
                out.push_str(sign);
                right.write(binds + 1, out);
            }
            Self::Choice(condition, then, otherwise) => {
                condition.write(1, out);
                out.push_str(" ? ");
                then.write(0, out);
                out.push_str(" : ");
                otherwise.write(0, out);
            }
            Self::Call(name, parts) => {
                out.push_str(name);
                out.push('(');
                for (place, part) in parts.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    part.write(0, out);
                }
                out.push(')');
            }
        }
        if bracketed {
            out.push(')');
        }
    }

    /// The value as Python has it: what raises there, or gives a complex number, has none.
    fn value(&self, x: f64) -> Option<f64> {
        let truth = |is: bool| if is { 1.0 } else { 0.0 };
        let value = match self {
            Self::X => x,
            Self::Number(value) => *value,
            Self::Minus(of) => -of.value(x)?,
            Self::Not(of) => truth(of.value(x)? == 0.0),
            Self::Choice(condition, then, otherwise) => {
                return if condition.value(x)? != 0.0 { then.value(x) } else { otherwise.value(x) };
            }
            Self::Call("if", parts) => {
                let [condition, then, otherwise] = &parts[..] else { return None };
                return if condition.value(x)? != 0.0 { then.value(x) } else { otherwise.value(x) };
            }
            Self::Call(name, parts) => {
                let parts: Vec<f64> = parts.iter().map(|part| part.value(x)).collect::<Option<_>>()?;
                match (*name, &parts[..]) {
                    ("abs", [a]) => a.abs(),
                    ("floor", [a]) => a.floor(),
                    ("ceil", [a]) => a.ceil(),
                    ("round", [a]) => a.round_ties_even(),
                    ("sqrt", [a]) if *a >= 0.0 => a.sqrt(),
                    ("min", parts) => parts.iter().copied().reduce(f64::min)?,
                    ("max", parts) => parts.iter().copied().reduce(f64::max)?,
                    _ => return None,
                }
            }
            Self::Infix(operator, left, right) => {
                let (a, b) = (left.value(x)?, right.value(x)?);
                match INFIX[*operator].0.trim() {
                    "+" => a + b,
                    "-" => a - b,
                    "*" => a * b,
                    "/" if b != 0.0 => a / b,
                    // The remainder has the sign of the divisor.
                    "%" if b != 0.0 => match a % b {
                        rest if rest != 0.0 && rest.is_sign_negative() != b.is_sign_negative() => rest + b,
                        rest => rest,
                    },
                    "^" | "**" if a != 0.0 || b >= 0.0 => a.powf(b),
                    "==" => truth(a == b),
                    "!=" => truth(a != b),
                    "<" => truth(a < b),
                    "<=" => truth(a <= b),
                    ">" => truth(a > b),
                    ">=" => truth(a >= b),
                    "and" => return Some(if a == 0.0 { a } else { b }),
                    "or" => return Some(if a == 0.0 { b } else { a }),
                    _ => return None,
                }
            }
        };
        Some(value).filter(|value| !value.is_nan())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides_what_comes_out() {
        assert_eq!(compare(&[]), ("x".to_owned(), 8));
        // (x / 2.5) ^ 3, and what binds tighter without brackets.
        assert_eq!(compare(&[16, 16, 0, 4, 10, 3, 4, 12, 5]), ("(x/2.5)^3".to_owned(), 8));
        assert_eq!(compare(&[16, 16, 0, 4, 10, 3, 4, 12, 2]), ("x/2.5*3".to_owned(), 8));
        assert_eq!(compare(&[8, 16, 0, 4, 8, 0]), ("-(x+2)".to_owned(), 8));
        assert_eq!(compare(&[16, 4, 4, 0, 3]), ("1/x".to_owned(), 7));
    }

    /// Every tree of a plain generator, so that the oracle has been compared with the language itself here too.
    #[test]
    fn many_trees() {
        let (mut seed, mut values) = (1_u64, 0);
        for _ in 0..3000 {
            let mut data = [0_u8; 120];
            for byte in &mut data {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = seed.to_le_bytes()[7];
            }
            run(&data);
            values += compare(&data).1;
        }
        assert!(values > 5000, "{values}");
    }
}
