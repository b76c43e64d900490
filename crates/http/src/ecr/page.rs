//! Pages of listings (`nextToken`, `maxResults`). A token holds the key of the last item that was shown, so that a page begins
//! behind it even where that item is gone, and the listing that it came from.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Answer;
use super::context::invalid;

/// What every token begins with, so that other texts are not taken for one.
const PREFIX: &str = "e1:";

/// Which part of a listing is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paging {
    /// The operation, and the repository where it is about one.
    listing: String,
    /// The key of the last item that the client has; empty where it begins.
    pub(super) last: String,
    /// Items wanted.
    pub(super) limit: u64,
}

impl Paging {
    /// Reads the parameters of a request, whose shapes were checked; `default` is the size of a page for which none is given.
    pub(super) fn read(
        listing: impl Into<String>,
        token: Option<&str>,
        max_results: Option<i32>,
        default: u64,
    ) -> Answer<Self> {
        let listing = listing.into();
        let last = token.map(|token| decode(&listing, token)).transpose()?.unwrap_or_default();
        let limit = max_results.and_then(|items| u64::try_from(items).ok()).unwrap_or(default);
        Ok(Self { listing, last, limit })
    }

    /// Refuses a page of what was asked for by name: there are no pages of that.
    pub(super) fn refuse_with(member: &str, token: Option<&str>, max_results: Option<i32>) -> Answer<()> {
        let given = if token.is_some() { "nextToken" } else { "maxResults" };
        if token.is_none() && max_results.is_none() {
            return Ok(());
        }
        Err(invalid(given, format_args!("cannot be used together with {member}")))
    }

    /// The token of the next page, which begins behind this key.
    pub(super) fn next(&self, last: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{PREFIX}{}:{last}", self.listing))
    }

    /// The token of the next page where there is one.
    pub(super) fn next_of<T>(&self, items: &[T], more: bool, key: impl Fn(&T) -> String) -> Option<String> {
        items.last().filter(|_| more).map(|item| self.next(&key(item)))
    }
}

fn decode(listing: &str, token: &str) -> Answer<String> {
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let key = text.as_deref().and_then(|text| text.strip_prefix(PREFIX)?.strip_prefix(listing)?.strip_prefix(':'));
    let key = key.filter(|key| !key.is_empty() && !key.contains('\0'));
    key.map(str::to_owned)
        .ok_or_else(|| invalid("nextToken", "Invalid token: use the one of the answer before, unchanged"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(token: &str) -> Answer<Paging> {
        Paging::read("ListImages", Some(token), Some(7), 100)
    }

    #[test]
    fn a_token_leads_behind_what_was_shown() {
        let first = Paging::read("ListImages", None, None, 100).unwrap();
        assert_eq!((first.last.as_str(), first.limit), ("", 100));
        let next = first.next_of(&["a", "b:c"], true, |item| (*item).to_owned()).unwrap();
        assert_eq!(read(&next).unwrap(), Paging { listing: "ListImages".to_owned(), last: "b:c".to_owned(), limit: 7 });
        assert_eq!(first.next_of(&["a"], false, |item| (*item).to_owned()), None);
        assert_eq!(first.next_of::<&str>(&[], true, |item| (*item).to_owned()), None);
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let other = Paging::read("DescribeImages", None, None, 100).unwrap().next("a");
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let bad = [
            String::new(),
            "a".to_owned(),
            "%".to_owned(),
            "é".to_owned(),
            other,
            encode(b"e1:ListImages:"),
            encode(b"e1:ListImages:a\0b"),
            encode(b"e1:ListImages:\xff"),
        ];
        for token in bad {
            let failure = read(&token).unwrap_err().to_string();
            assert!(failure.contains("'nextToken'"), "{token}: {failure}");
        }
    }

    #[test]
    fn what_has_a_name_has_no_pages() {
        Paging::refuse_with("imageIds", None, None).unwrap();
        for (token, results) in [(Some("t"), None), (None, Some(1)), (Some("t"), Some(1))] {
            Paging::refuse_with("imageIds", token, results).unwrap_err();
        }
    }
}
