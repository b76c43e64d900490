//! Query strings, page sizes, and links to next pages (RFC 8288).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Longer query strings are refused.
const MAX_LENGTH: usize = 16 * 1024;
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':');

/// A decoded query string: its pairs in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query(Vec<(String, String)>);

/// Why a query string cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Longer than 16 KiB.
    #[error("the query string is longer than 16 KiB")]
    TooLong,
    /// A percent sign without two hexadecimal digits.
    #[error(
        "the query string has a percent sign without two hexadecimal digits behind it: write %25 for the sign itself"
    )]
    Escape,
    /// Not UTF-8 when decoded.
    #[error("the query string is not UTF-8 when decoded")]
    NotUtf8,
    /// A control character, such as a line end.
    #[error("the query string has a control character")]
    Control,
    /// `n` is no number of items.
    #[error("n is a number of items, 0 or more, in digits")]
    PageSize,
}

/// How many items a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageSize {
    /// It does not say.
    Absent,
    /// So many.
    Items(u64),
}

impl Query {
    /// Reads what stands behind the `?` of a URL.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        if text.len() > MAX_LENGTH {
            return Err(QueryError::TooLong);
        }
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.map(|(key, value)| Ok((decode(key)?, decode(value)?))).collect::<Result<_, _>>().map(Self)
    }

    /// All pairs in their order, decoded.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The first value of a key.
    pub fn first(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == key).map(|(_, value)| value.as_str())
    }

    /// All values of a key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == key).map(|(_, value)| value.as_str())
    }

    /// The value of `n`.
    pub fn page_size(&self) -> Result<PageSize, QueryError> {
        let Some(text) = self.first("n").filter(|text| !text.is_empty()) else { return Ok(PageSize::Absent) };
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(QueryError::PageSize);
        }
        Ok(PageSize::Items(text.parse().unwrap_or(u64::MAX)))
    }
}

/// Undoes percent-encoding (RFC 3986). A plus sign stays one: no value of the API has spaces, and clients send
/// `application/vnd.x+json` as it is.
fn decode(text: &str) -> Result<String, QueryError> {
    let digits = |escape: &str| escape.bytes().take(2).filter(u8::is_ascii_hexdigit).count();
    if text.split('%').skip(1).any(|escape| digits(escape) < 2) {
        return Err(QueryError::Escape);
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| QueryError::NotUtf8)?;
    if decoded.chars().any(char::is_control) {
        return Err(QueryError::Control);
    }
    Ok(decoded.into_owned())
}

/// The value of a `Link` header to the next page of `path`, which must have no characters that URLs do not have; those of
/// the parameters are escaped.
pub fn link_next(path: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(key, value)| format!("{}={}", utf8_percent_encode(key, KEPT), utf8_percent_encode(value, KEPT)))
        .collect();
    format!("<{path}?{}>; rel=\"next\"", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pairs_are_decoded_in_order() {
        let query = Query::parse("tag=a&tag=b%2Fc&n=5&empty&artifactType=application/vnd.x+json&last=a+b%2Bc").unwrap();
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["a", "b/c"]);
        assert_eq!(query.first("artifactType"), Some("application/vnd.x+json"));
        assert_eq!(query.first("last"), Some("a+b+c"));
        assert_eq!(query.first("empty"), Some(""));
        assert_eq!(query.first("absent"), None);
        assert_eq!(query.page_size(), Ok(PageSize::Items(5)));
    }

    #[test]
    fn what_could_split_a_header_is_refused() {
        assert_eq!(Query::parse("from=a%0d%0aSet-Cookie:x"), Err(QueryError::Control));
        assert_eq!(Query::parse("from=a%00"), Err(QueryError::Control));
        assert_eq!(Query::parse("from=a\r\n"), Err(QueryError::Control));
        assert_eq!(Query::parse("from=%ff"), Err(QueryError::NotUtf8));
        for bad in ["from=%", "from=%2", "from=%zz", "%4=a", "a=%é1"] {
            assert_eq!(Query::parse(bad), Err(QueryError::Escape), "{bad}");
        }
        assert_eq!(Query::parse(&"a".repeat(MAX_LENGTH + 1)), Err(QueryError::TooLong));
    }

    #[test]
    fn page_sizes_are_digits() {
        let size = |text: &str| Query::parse(text).unwrap().page_size();
        assert_eq!(size(""), Ok(PageSize::Absent));
        assert_eq!(size("n=0"), Ok(PageSize::Items(0)));
        assert_eq!(size("n=99999999999999999999999"), Ok(PageSize::Items(u64::MAX)));
        for bad in ["n=-1", "n=abc", "n=1e9999", "n=1.5", "n=+1", "n=%201", "n=0x1"] {
            assert_eq!(size(bad), Err(QueryError::PageSize), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_link_reads_back(value in "[^\\p{Cc}]{0,40}") {
            let link = link_next("/v2/_catalog", &[("last", &value)]);
            prop_assert!(link.is_ascii() && link.matches(['<', '>', '"', ' ']).count() == 5, "{}", link);
            let query = link.strip_prefix("</v2/_catalog?").unwrap().strip_suffix(">; rel=\"next\"").unwrap();
            let query = Query::parse(query).unwrap();
            prop_assert_eq!(query.first("last"), Some(value.as_str()));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = Query::parse(&text);
        }
    }
}
