//! Values that py-expression-eval 0.3.14 gives, and texts that are no expressions.

use super::*;
use proptest::prelude::*;

fn eval(text: &str, x: f64) -> Option<f64> {
    Math::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).eval(x)
}

#[test]
fn values_are_those_of_the_kuksa_can_provider() {
    for (text, x, expected) in [
        ("floor((x*40)-100)", 2.5, 0.0),
        ("(x+100)/40", 100.0, 5.0),
        ("floor(x+0.5)", -1.5, -1.0),
        ("floor(abs(x/5))", -12.0, 2.0),
        ("x*9/5+32", 100.0, 212.0),
        // `/` and `%` bind tighter than `*`; equal operators group to the left.
        ("2*7%4", 0.0, 6.0),
        ("10*3/4*2", 0.0, 15.0),
        ("8/4/2", 0.0, 1.0),
        ("2^3^2", 0.0, 64.0),
        ("2**3", 0.0, 8.0),
        ("-x^2", 3.0, -9.0),
        ("-x+2", 3.0, -1.0),
        ("1 - -1", 0.0, 2.0),
        ("-7 % 3", 0.0, -1.0),
        ("(0-7) % 3", 0.0, 2.0),
        ("7 % (0-3)", 0.0, -2.0),
        ("x == 3", 3.0, 1.0),
        ("x != 3", 3.0, 0.0),
        ("x > 2 and x < 4", 3.0, 1.0),
        ("x < 2 or x == 3", 3.0, 1.0),
        ("not x == 3", 3.0, 0.0),
        ("x and 5", 3.0, 5.0),
        ("x or 5", 3.0, 3.0),
        ("6 xor 3", 0.0, 5.0),
        ("if(x > 2, 10, 20)", 3.0, 10.0),
        ("round(0.5) + round(1.5) + round(2.5)", 0.0, 4.0),
        ("min(3, x, 1) + max(x)", 2.0, 3.0),
        ("pow(2, 10)", 0.0, 1024.0),
        ("log(8, 2)", 0.0, 3.0),
        ("fac(5)", 0.0, 120.0),
        ("pyt(3, 4)", 0.0, 5.0),
        ("sind(90) + cosd(0)", 0.0, 2.0),
        ("1.5e2 + 1E1 + .5", 0.0, 160.5),
        ("floor(PI) + floor(E)", 0.0, 5.0),
    ] {
        assert_eq!(eval(text, x), Some(expected), "{text} at {x}");
    }
}

#[test]
fn a_choice_evaluates_only_what_it_takes() {
    assert_eq!(eval("x == 0 ? 0 : 1 / x", 0.0), Some(0.0));
    assert_eq!(eval("x < 1 ? 1 : x < 2 ? 2 : 3", 1.5), Some(2.0));
    assert_eq!(eval("if(x, 1/x, 7)", 0.0), Some(7.0));
}

#[test]
fn a_failed_operation_has_no_value() {
    for text in [
        "1/x",
        "1%x",
        "sqrt(x-1)",
        "log(x)",
        "log(2, 1)",
        "asin(x+2)",
        "0^(x-1)",
        "fac(x-1)",
        "fac(171)",
        "1e300*1e300",
        "min(1/x, 5)",
        "1.5 xor 1",
        "(0-8)^0.5",
        "1e308*10-1e308*10",
    ] {
        assert_eq!(eval(text, 0.0), None, "{text}");
    }
}

#[test]
fn what_is_no_expression_says_where_and_why() {
    for (text, expected) in [
        ("", "column 1: an operand is missing"),
        ("x +", "column 4: an operand is missing"),
        ("x x", "column 3: 'x' is not expected here"),
        ("1.2.3", "column 1: \"1.2.3\" is not a number"),
        ("2 * y", "column 5: \"y\" is not known; the variable is `x`"),
        ("random(1)", "column 1: \"random\" is not known; the variable is `x`"),
        ("(x", "column 3: `)` is missing"),
        ("abs x", "column 5: `(` is missing"),
        ("pow(x)", "column 1: `pow` does not take 1 arguments"),
        ("if(x, 1)", "column 1: `if` does not take 2 arguments"),
        ("x ? 1", "column 6: `:` is missing"),
        ("größe", "column 1: \"größe\" is not known; the variable is `x`"),
        ("x $ 1", "column 3: '$' is not expected here"),
        ("xor", "column 1: \"xor\" is not known; the variable is `x`"),
        ("x andy", "column 3: 'a' is not expected here"),
    ] {
        assert_eq!(Math::parse(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn length_depth_and_size_are_bounded() {
    let deep = |n: usize| format!("{}x{}", "(".repeat(n), ")".repeat(n));
    assert!(Math::parse(&deep(10)).is_ok());
    for text in [
        deep(100),
        "-".repeat(500),
        format!("x{}", "+x".repeat(400)),
        " ".repeat(2000),
        format!("x{}", "?x:x".repeat(100)),
    ] {
        assert_eq!(Math::parse(&text).unwrap_err().cause, MathFault::TooComplex);
    }
    // A long sum is wide, not deep.
    assert_eq!(eval(&format!("x{}", "+x".repeat(100)), 1.0), Some(101.0));
}

fn text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x".to_owned()),
        (0..100u32).prop_map(|n| n.to_string()),
        (0..100u32).prop_map(|n| format!("{n}.5"))
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (
                inner.clone(),
                prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "<", " and ", " or "]),
                inner.clone()
            )
                .prop_map(|(a, op, b)| format!("({a}){op}({b})")),
            inner.clone().prop_map(|a| format!("abs({a})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[x0-9+*/%^()., a-z<>=?:-]{0,60}", x in any::<f64>()) {
        if let Ok(math) = Math::parse(&text) {
            prop_assert!(math.eval(x).is_none_or(f64::is_finite));
        }
    }

    #[test]
    fn brackets_around_the_whole_change_nothing(text in text(), x in -1e6..1e6) {
        let plain = Math::parse(&text).unwrap().eval(x);
        let wrapped = Math::parse(&format!(" ( {text} ) ")).unwrap().eval(x);
        prop_assert_eq!(plain.map(f64::to_bits), wrapped.map(f64::to_bits));
    }
}
