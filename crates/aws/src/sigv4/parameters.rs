//! The parameters of a query string, as sent and as decoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// All but the unreserved characters of RFC 3986, section 2.3.
pub(super) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One parameter.
pub(super) struct Parameter<'a> {
    pair: &'a str,
    /// Its name, decoded.
    pub(super) name: Vec<u8>,
    /// Its value, decoded.
    pub(super) value: Vec<u8>,
}

impl<'a> Parameter<'a> {
    fn read(pair: &'a str) -> Self {
        let (name, value) = split(pair);
        Self { pair, name: decode(name), value: decode(value) }
    }

    /// Whether it is the one of this name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name.as_bytes()
    }
}

/// All parameters, in the order in which they came.
pub(super) fn parameters(query: Option<&str>) -> Vec<Parameter<'_>> {
    query
        .filter(|query| !query.is_empty())
        .map_or_else(Vec::new, |query| query.split('&').map(Parameter::read).collect())
}

/// Encodes a text for a query string.
pub(super) fn encode(text: &[u8]) -> String {
    percent_encode(text, RESERVED).to_string()
}

/// The canonical query string as AWS documents it: each name and value encoded anew, then sorted.
pub(super) fn canonical(parameters: &[Parameter<'_>]) -> String {
    let given = parameters.iter().filter(|p| !p.pair.is_empty());
    join(given.map(|p| (encode(&p.name), encode(&p.value))).collect())
}

/// The canonical query string of a signer that takes names and values as they stand in the URL. `None` where they hold
/// what no URI may hold.
pub(super) fn as_sent(parameters: &[Parameter<'_>]) -> Option<String> {
    let sound = parameters.iter().all(|p| p.pair.bytes().all(|b| b.is_ascii_graphic()));
    sound.then(|| join(parameters.iter().map(|p| split(p.pair)).collect()))
}

fn split(pair: &str) -> (&str, &str) {
    pair.split_once('=').unwrap_or((pair, ""))
}

fn join<T: AsRef<str> + Ord>(mut pairs: Vec<(T, T)>) -> String {
    pairs.sort();
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", name.as_ref(), value.as_ref())).collect();
    pairs.join("&")
}

fn decode(text: &str) -> Vec<u8> {
    let spaced: Vec<u8> = text.bytes().map(|b| if b == b'+' { b' ' } else { b }).collect();
    percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_made_canonical() {
        let cases = [
            ("", "", Some("")),
            ("a", "a=", Some("a=")),
            ("b=2&a=1", "a=1&b=2", Some("a=1&b=2")),
            ("a=2&a=1&a=10", "a=1&a=10&a=2", Some("a=1&a=10&a=2")),
            ("a=b+c", "a=b%20c", Some("a=b+c")),
            ("a=b%2bc", "a=b%2Bc", Some("a=b%2bc")),
            ("a=b=c/d:e", "a=b%3Dc%2Fd%3Ae", Some("a=b=c/d:e")),
            ("a=%zz%", "a=%25zz%25", Some("a=%zz%")),
            ("a=%ff", "a=%FF", Some("a=%ff")),
            ("a=1&&b=2&=", "=&a=1&b=2", Some("=&=&a=1&b=2")),
            ("=x", "=x", Some("=x")),
            ("ሴ=b", "%E1%88%B4=b", None),
            // Sorted by the encoded name, and by the name before the value.
            ("a-=1&a=2&B=3&%C3%A9=4", "%C3%A9=4&B=3&a=2&a-=1", Some("%C3%A9=4&B=3&a=2&a-=1")),
        ];
        for (query, expected, sent) in cases {
            let parameters = parameters(Some(query));
            assert_eq!(canonical(&parameters), expected, "{query}");
            assert_eq!(as_sent(&parameters).as_deref(), sent, "{query}");
        }
        assert_eq!(as_sent(&parameters(Some("a=\n"))), None);
    }

    #[test]
    fn names_are_compared_decoded() {
        let given = parameters(Some("X%2DAmz-Date=1"));
        assert!(given.iter().all(|p| p.is("X-Amz-Date") && p.value == b"1"));
    }
}
