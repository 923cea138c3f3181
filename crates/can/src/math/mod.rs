//! The expressions of a mapping's `math` transforms: text becomes a tree once, and a number for each `x`.
//!
//! The syntax is that of the KUKSA CAN provider (py-expression-eval), so that its mappings mean the same here: **`/` and `%` bind tighter than
//! `*`**, `^` (or `**`) groups to the left, `%` takes the sign of the divisor, `round` is half to even, a comparison is 1 or 0.
//! *Invariant:* bounded length, depth and size; no loops, no state; a failed operation (a division by zero, a root of a negative number) has
//! no value instead of a wrong one.
//! *Next:* `parse.rs` (text to tree), `mapping` (which holds one per entry).

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

/// An expression in one variable, `x`.
///
/// Operators, loosest first: `c ? a : b`, `or` `xor`, `and`, `not`, comparisons (`== != < <= > >=`), `+ -`, `*` and the sign, `/ %`, `^ **`.
/// Functions: `abs ceil floor round sqrt exp log(x[, base]) sin cos tan asin acos atan` (and the last six with `d` for degrees), `atan2 pow
/// pyt fac min max if(c, a, b)`. Constants: `E`, `PI`.
///
/// ```
/// use coachwork_can::Math;
/// let math = Math::parse("floor((x*40)-100)")?;
/// assert_eq!(math.eval(3.3), Some(32.0));
/// assert_eq!(Math::parse("1 / x")?.eval(0.0), None);
/// assert_eq!(Math::parse("x * (2").unwrap_err().to_string(), "column 7: `)` is missing");
/// # Ok::<(), coachwork_can::MathError>(())
/// ```
#[derive(Clone)]
pub struct Math {
    text: Arc<str>,
    root: Node,
}

/// Why a text is not an expression.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("column {column}: {cause}")]
pub struct MathError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub cause: MathFault,
}

/// What is wrong with an expression.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MathFault {
    /// A number, `x`, a function or `(` should stand here.
    #[error("an operand is missing")]
    OperandMissing,
    /// A number that is not one.
    #[error("{0:?} is not a number")]
    NotANumber(String),
    /// A name that is neither `x` nor a constant nor a function.
    #[error("{0:?} is not known; the variable is `x`")]
    UnknownName(String),
    /// A known function with the wrong number of arguments.
    #[error("`{0}` does not take {1} arguments")]
    Arguments(&'static str, usize),
    /// A bracket, a comma or a `:` is missing.
    #[error("`{0}` is missing")]
    Missing(char),
    /// Something stands where an operator or the end should be.
    #[error("{0:?} is not expected here")]
    Unexpected(char),
    /// The expression exceeds a bound of [`Math`].
    #[error("the expression is too long or too deep")]
    TooComplex,
}

impl Math {
    /// The longest expression, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// Reads an expression.
    ///
    /// # Errors
    /// The text is not one, or is longer or deeper than the bounds.
    pub fn parse(text: &str) -> Result<Self, MathError> {
        Ok(Self { text: text.into(), root: parse::parse(text)? })
    }

    /// The expression's value, or `None` where an operation fails or the result is not a finite number.
    pub fn eval(&self, x: f64) -> Option<f64> {
        self.root.eval(x).filter(|value| value.is_finite())
    }

    /// The text it was read from.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Math {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Math {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Math({:?})", self.text)
    }
}

/// A part of an expression.
#[derive(Clone, Debug)]
enum Node {
    Number(f64),
    X,
    Unary(Unary, Box<Node>),
    Binary(Binary, Box<[Node; 2]>),
    /// The smallest or largest of at least one.
    Fold(Binary, Box<[Node]>),
    /// Condition, then, else; only the branch taken is evaluated.
    If(Box<[Node; 3]>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unary {
    Abs,
    Acos,
    Acosd,
    Asin,
    Asind,
    Atan,
    Atand,
    Ceil,
    Cos,
    Cosd,
    Exp,
    Factorial,
    Floor,
    Ln,
    Minus,
    Not,
    Round,
    Sin,
    Sind,
    Sqrt,
    Tan,
    Tand,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Binary {
    Add,
    And,
    Atan2,
    Divide,
    Equal,
    Greater,
    GreaterEqual,
    Hypotenuse,
    Less,
    LessEqual,
    Log,
    Max,
    Min,
    Multiply,
    NotEqual,
    Or,
    Power,
    Remainder,
    Subtract,
    Xor,
}

impl Node {
    fn eval(&self, x: f64) -> Option<f64> {
        match self {
            Self::Number(value) => Some(*value),
            Self::X => Some(x),
            Self::Unary(operation, a) => operation.apply(a.eval(x)?),
            Self::Binary(operation, operands) => {
                let [a, b] = &**operands;
                operation.apply(a.eval(x)?, b.eval(x)?)
            }
            Self::Fold(operation, operands) => {
                let mut values = operands.iter().map(|operand| operand.eval(x));
                let first = values.next()??;
                values.try_fold(first, |a, b| operation.apply(a, b?))
            }
            Self::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                if condition.eval(x)? == 0.0 { otherwise.eval(x) } else { then.eval(x) }
            }
        }
    }
}

fn truth(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// What is a number; an operation that makes none of numbers has failed.
fn number(value: f64) -> Option<f64> {
    if value.is_nan() { None } else { Some(value) }
}

impl Unary {
    fn apply(self, a: f64) -> Option<f64> {
        number(match self {
            Self::Abs => a.abs(),
            Self::Acos => a.acos(),
            Self::Acosd => a.acos().to_degrees(),
            Self::Asin => a.asin(),
            Self::Asind => a.asin().to_degrees(),
            Self::Atan => a.atan(),
            Self::Atand => a.atan().to_degrees(),
            Self::Ceil => a.ceil(),
            Self::Cos => a.cos(),
            Self::Cosd => a.to_radians().cos(),
            Self::Exp => a.exp(),
            Self::Factorial => return factorial(a),
            Self::Floor => a.floor(),
            Self::Ln if a == 0.0 => return None,
            Self::Ln => a.ln(),
            Self::Minus => -a,
            Self::Not => truth(a == 0.0),
            Self::Round => a.round_ties_even(),
            Self::Sin => a.sin(),
            Self::Sind => a.to_radians().sin(),
            Self::Sqrt => a.sqrt(),
            Self::Tan => a.tan(),
            Self::Tand => a.to_radians().tan(),
        })
    }
}

impl Binary {
    #[expect(clippy::float_cmp, reason = "the language compares exactly, as the format it implements does")]
    fn apply(self, a: f64, b: f64) -> Option<f64> {
        number(match self {
            Self::Add => a + b,
            // As in Python, the operand that decides is the result.
            Self::And => return Some(if a == 0.0 { a } else { b }),
            Self::Or => return Some(if a == 0.0 { b } else { a }),
            Self::Xor => return xor(a, b),
            Self::Atan2 => a.atan2(b),
            Self::Divide | Self::Remainder if b == 0.0 => return None,
            Self::Divide => a / b,
            Self::Remainder => {
                let rest = a % b;
                if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
            }
            Self::Equal => truth(a == b),
            Self::Greater => truth(a > b),
            Self::GreaterEqual => truth(a >= b),
            Self::Hypotenuse => a.hypot(b),
            Self::Less => truth(a < b),
            Self::LessEqual => truth(a <= b),
            Self::Log if a <= 0.0 || b <= 0.0 || b == 1.0 => return None,
            Self::Log => a.ln() / b.ln(),
            Self::Max => a.max(b),
            Self::Min => a.min(b),
            Self::Multiply => a * b,
            Self::NotEqual => truth(a != b),
            Self::Power if a == 0.0 && b < 0.0 => return None,
            Self::Power => a.powf(b),
            Self::Subtract => a - b,
        })
    }
}

/// Bit by bit, for whole numbers of at most 53 bits.
fn xor(a: f64, b: f64) -> Option<f64> {
    Some(whole(a)? ^ whole(b)?).map(|bits| {
        #[expect(clippy::cast_precision_loss, reason = "at most 53 bits")]
        let value = bits as f64;
        value
    })
}

fn factorial(a: f64) -> Option<f64> {
    let n = u8::try_from(whole(a)?).ok().filter(|n| *n <= 170)?;
    Some((1..=n).map(f64::from).product())
}

fn whole(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    if value.fract() != 0.0 || value.abs() > LIMIT {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits, as checked")]
    let whole = value as i64;
    Some(whole)
}
