//! The text of an expression becomes a tree, by operator precedence.
//!
//! *Invariant:* recursion is bounded by `MAX_DEPTH` nested operands and the tree by `MAX_NODES` parts, so that reading, evaluating and dropping
//! stay within a small stack.
//! *Next:* `mod.rs`, which evaluates the tree.

use super::{Binary, Math, MathError, MathFault, Node, Unary};
use std::f64::consts::{E, PI};

const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 256;

pub(super) fn parse(text: &str) -> Result<Node, MathError> {
    let mut parser = Parser { text, at: 0, nodes: 0, depth: 0 };
    if text.len() > Math::MAX_LEN {
        return Err(parser.error(MathFault::TooComplex));
    }
    let root = parser.choice()?;
    match parser.peek() {
        None => Ok(root),
        Some(found) => Err(parser.error(MathFault::Unexpected(found))),
    }
}

/// How tightly the sign and `not` bind; an operand takes in operators that bind tighter than what stands before it.
const SIGN: u8 = 6;
const NOT: u8 = 3;

/// The infix operators: text, how tightly they bind, what they do. A longer one stands before its beginning.
const INFIX: [(&str, u8, Binary); 16] = [
    ("**", 8, Binary::Power),
    ("^", 8, Binary::Power),
    ("/", 7, Binary::Divide),
    ("%", 7, Binary::Remainder),
    ("*", 6, Binary::Multiply),
    ("+", 5, Binary::Add),
    ("-", 5, Binary::Subtract),
    ("==", 4, Binary::Equal),
    ("!=", 4, Binary::NotEqual),
    ("<=", 4, Binary::LessEqual),
    (">=", 4, Binary::GreaterEqual),
    ("<", 4, Binary::Less),
    (">", 4, Binary::Greater),
    ("and", 2, Binary::And),
    ("xor", 1, Binary::Xor),
    ("or", 1, Binary::Or),
];

const FUNCTIONS: [(&str, Unary); 20] = [
    ("abs", Unary::Abs),
    ("acos", Unary::Acos),
    ("acosd", Unary::Acosd),
    ("asin", Unary::Asin),
    ("asind", Unary::Asind),
    ("atan", Unary::Atan),
    ("atand", Unary::Atand),
    ("ceil", Unary::Ceil),
    ("cos", Unary::Cos),
    ("cosd", Unary::Cosd),
    ("exp", Unary::Exp),
    ("fac", Unary::Factorial),
    ("floor", Unary::Floor),
    ("round", Unary::Round),
    ("sin", Unary::Sin),
    ("sind", Unary::Sind),
    ("sqrt", Unary::Sqrt),
    ("tan", Unary::Tan),
    ("tand", Unary::Tand),
    ("log", Unary::Ln),
];

const FUNCTIONS_OF_TWO: [(&str, Binary); 4] =
    [("atan2", Binary::Atan2), ("log", Binary::Log), ("pow", Binary::Power), ("pyt", Binary::Hypotenuse)];

struct Parser<'a> {
    text: &'a str,
    at: usize,
    nodes: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, cause: MathFault) -> MathError {
        self.error_at(self.at, cause)
    }

    fn error_at(&self, at: usize, cause: MathFault) -> MathError {
        MathError { column: self.text.get(..at).map_or(0, |before| before.chars().count()) + 1, cause }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character that is not white space.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), MathError> {
        if self.take(wanted) { Ok(()) } else { Err(self.error(MathFault::Missing(wanted))) }
    }

    /// The word that stands next, without taking it.
    fn word(&mut self) -> &'a str {
        self.peek();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }

    fn node(&mut self, node: Node) -> Result<Node, MathError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES { Err(self.error(MathFault::TooComplex)) } else { Ok(node) }
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, MathError>) -> Result<T, MathError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(MathFault::TooComplex));
        }
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    /// `c ? a : b`, or what binds tighter.
    fn choice(&mut self) -> Result<Node, MathError> {
        self.deeper(|parser| {
            let condition = parser.infix(0)?;
            if !parser.take('?') {
                return Ok(condition);
            }
            let then = parser.choice()?;
            parser.expect(':')?;
            let otherwise = parser.choice()?;
            parser.node(Node::If(Box::new([condition, then, otherwise])))
        })
    }

    /// Operands joined by operators that bind tighter than `above`; equal ones group to the left.
    fn infix(&mut self, above: u8) -> Result<Node, MathError> {
        let mut left = self.deeper(Self::operand)?;
        while let Some((operation, binds)) = self.operator(above) {
            let right = self.deeper(|parser| parser.infix(binds))?;
            left = self.node(Node::Binary(operation, Box::new([left, right])))?;
        }
        Ok(left)
    }

    /// Takes the operator that stands next, if it binds tighter than `above`.
    fn operator(&mut self, above: u8) -> Option<(Binary, u8)> {
        let word = self.word();
        let rest = self.rest();
        let is_here = |text: &str| if word.is_empty() { rest.starts_with(text) } else { word == text };
        let (text, binds, operation) = *INFIX.iter().find(|(text, ..)| is_here(text))?;
        if binds <= above {
            return None;
        }
        self.at += text.len();
        Some((operation, binds))
    }

    fn operand(&mut self) -> Result<Node, MathError> {
        match self.peek() {
            Some('(') => {
                self.at += 1;
                let inner = self.choice()?;
                self.expect(')')?;
                Ok(inner)
            }
            Some('+') => {
                self.at += 1;
                self.infix(SIGN)
            }
            Some('-') => {
                self.at += 1;
                let operand = self.infix(SIGN)?;
                self.node(Node::Unary(Unary::Minus, Box::new(operand)))
            }
            Some('0'..='9' | '.') => self.number(),
            Some(_) => self.named(),
            None => Err(self.error(MathFault::OperandMissing)),
        }
    }

    fn number(&mut self) -> Result<Node, MathError> {
        let rest = self.rest();
        let digits =
            |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let mut end = digits(rest);
        if let Some(exponent) = rest.get(end..).and_then(|rest| rest.strip_prefix(['e', 'E'])) {
            let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            let count = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if count > 0 {
                end += 1 + (exponent.len() - unsigned.len()) + count;
            }
        }
        let text = rest.get(..end).unwrap_or_default();
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => {
                self.at += end;
                self.node(Node::Number(value))
            }
            _ => Err(self.error(MathFault::NotANumber(text.into()))),
        }
    }

    fn named(&mut self) -> Result<Node, MathError> {
        let (name, start) = (self.word(), self.at);
        self.at += name.len();
        match name {
            "" => Err(self.error(MathFault::OperandMissing)),
            "x" => self.node(Node::X),
            "E" => self.node(Node::Number(E)),
            "PI" => self.node(Node::Number(PI)),
            "not" => {
                let operand = self.infix(NOT)?;
                self.node(Node::Unary(Unary::Not, Box::new(operand)))
            }
            name => self.call(name, start),
        }
    }

    fn call(&mut self, name: &str, start: usize) -> Result<Node, MathError> {
        let one = FUNCTIONS.iter().find(|(known, _)| *known == name);
        let two = FUNCTIONS_OF_TWO.iter().find(|(known, _)| *known == name);
        let many = [("max", Binary::Max), ("min", Binary::Min)].into_iter().find(|(known, _)| *known == name);
        let known = one.map(|f| f.0).or(two.map(|f| f.0)).or(many.map(|f| f.0));
        let known = known.or((name == "if").then_some("if"));
        let known = known
            .ok_or_else(|| self.error_at(start, MathFault::UnknownName(name.chars().take(40).collect())))?;
        self.expect('(')?;
        let mut arguments = vec![self.choice()?];
        while self.take(',') {
            arguments.push(self.choice()?);
        }
        self.expect(')')?;
        let count = arguments.len();
        let wrong = self.error_at(start, MathFault::Arguments(known, count));
        let call = match <[Node; 3]>::try_from(arguments) {
            Ok(three) if known == "if" => Some(Node::If(Box::new(three))),
            Ok(three) => many.map(|(_, operation)| Node::Fold(operation, Box::new(three))),
            Err(arguments) => match (<[Node; 2]>::try_from(arguments), many) {
                (Ok(pair), Some((_, operation))) => Some(Node::Fold(operation, Box::new(pair))),
                (Ok(pair), None) => two.map(|(_, operation)| Node::Binary(*operation, Box::new(pair))),
                (Err(arguments), Some((_, operation))) => Some(Node::Fold(operation, arguments.into())),
                (Err(arguments), None) => {
                    let only = arguments.into_iter().next().filter(|_| count == 1);
                    only.zip(one)
                        .map(|(argument, (_, operation))| Node::Unary(*operation, Box::new(argument)))
                }
            },
        };
        self.node(call.ok_or(wrong)?)
    }
}
