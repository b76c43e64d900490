//! Challenges: what a registry wants of those who ask (RFC 9110 section 11, formerly RFC 7235).

use super::scan::Scanner;

/// One challenge of a `WWW-Authenticate` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme, in lower case.
    pub scheme: String,
    /// Its parameters: names in lower case, values without quotes.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The first value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Reads the challenges of one header value. What cannot be read ends it; what stood before counts.
pub fn parse(value: &str) -> Vec<Challenge> {
    let mut scanner = Scanner::new(value);
    let mut challenges = Vec::new();
    loop {
        while scanner.space() || scanner.take(',') {}
        let Some(challenge) = challenge(&mut scanner) else { return challenges };
        challenges.push(challenge);
    }
}

fn challenge(scanner: &mut Scanner<'_>) -> Option<Challenge> {
    let scheme = scanner.token()?.to_ascii_lowercase();
    let mut challenge = Challenge { scheme, parameters: Vec::new() };
    if !scanner.space() {
        let ended = scanner.is_done() || scanner.rest().starts_with(',');
        return ended.then_some(challenge);
    }
    while let Some(parameter) = parameter(scanner) {
        challenge.parameters.push(parameter);
    }
    skip_token68(scanner);
    Some(challenge)
}

/// The next `name=value` of this challenge; nothing is taken where another challenge begins.
fn parameter(scanner: &mut Scanner<'_>) -> Option<(String, String)> {
    let mut ahead = *scanner;
    while ahead.space() || ahead.take(',') {}
    let name = ahead.token()?.to_ascii_lowercase();
    ahead.space();
    if !ahead.take('=') {
        return None;
    }
    ahead.space();
    let value = ahead.word()?;
    *scanner = ahead;
    Some((name, value))
}

/// Schemes such as Negotiate carry one opaque word, which nobody here wants.
fn skip_token68(scanner: &mut Scanner<'_>) {
    let mut ahead = *scanner;
    let word = ahead.run(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b)).is_some();
    ahead.space();
    if word && (ahead.is_done() || ahead.rest().starts_with(',')) {
        *scanner = ahead;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(value: &str) -> String {
        let one = |challenge: &Challenge| {
            let parameters: Vec<String> =
                challenge.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}({})", challenge.scheme, parameters.join(";"))
        };
        parse(value).iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn challenges_are_read() {
        let table = [
            ("Basic realm=\"berth\"", "basic(realm=berth)"),
            ("BASIC Realm=berth", "basic(realm=berth)"),
            (
                "Bearer realm=\"https://a.example/token\",service=\"a.example\",scope=\"repository:a/b:pull,push\"",
                "bearer(realm=https://a.example/token;service=a.example;scope=repository:a/b:pull,push)",
            ),
            ("Bearer realm=\"x\" , service = \"y\"", "bearer(realm=x;service=y)"),
            ("Basic realm=\"a\", Bearer realm=\"b\",scope=\"c\"", "basic(realm=a) bearer(realm=b;scope=c)"),
            ("Negotiate, Basic realm=\"a\"", "negotiate() basic(realm=a)"),
            ("Negotiate YWJj==, Basic realm=\"a\"", "negotiate() basic(realm=a)"),
            ("Basic realm=\"a \\\"quoted\\\" word\"", "basic(realm=a \"quoted\" word)"),
            (", , Basic realm=a,,charset=\"UTF-8\"", "basic(realm=a;charset=UTF-8)"),
            ("Basic", "basic()"),
            ("", ""),
            (" , ", ""),
            ("Basic realm=\"never ends", "basic()"),
            ("Basic realm=\"ends in a backslash\\", "basic()"),
            ("=\"a\"", ""),
            ("Basic\u{7f} realm=a", ""),
            ("Bearer realm=\"é\"", "bearer(realm=é)"),
        ];
        for (value, expected) in table {
            assert_eq!(told(value), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_end(text in prop_oneof![".{0,80}", "[Ba =\",\\\\;]{0,40}"]) {
            for challenge in parse(&text) {
                prop_assert!(!challenge.scheme.is_empty());
            }
        }

        #[test]
        fn what_is_written_is_read(values in prop::collection::vec("[^\\p{Cc}]{0,20}", 1..4)) {
            let quoted = |value: &String| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
            let parameters: Vec<String> = values.iter().map(|value| format!("p={}", quoted(value))).collect();
            let challenges = parse(&format!("Basic {}", parameters.join(", ")));
            prop_assert_eq!(challenges.len(), 1);
            let read: Vec<&String> = challenges[0].parameters.iter().map(|(_, value)| value).collect();
            prop_assert_eq!(read, values.iter().collect::<Vec<_>>());
        }
    }
}
