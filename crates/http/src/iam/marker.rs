//! Pages of listings (`Marker`, `MaxItems`, `IsTruncated`). A marker holds the key of the last item that was shown, so that
//! a page begins behind it even where that item is gone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_domain::identity::IdentityError;
use berth_domain::repositories::Page;
use berth_oci::digest::{Algorithm, Digest};

use super::Answer;

/// Items of a page where the request does not say how many ("`MaxItems`": 100).
const DEFAULT: u64 = 100;
/// What every marker begins with, so that other texts are not taken for one.
const PREFIX: &str = "m1:";
/// Bytes of a key that are kept as they are. A marker may have 320 characters.
const LONGEST: usize = 200;

/// Which part of a listing is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paging {
    /// The key of the last item that the client has; empty where it begins.
    pub(super) last: String,
    /// Items wanted.
    pub(super) limit: u64,
}

/// A part of a listing, as answers give it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut<T> {
    pub(super) items: Vec<T>,
    pub(super) is_truncated: Option<bool>,
    pub(super) marker: Option<String>,
}

impl Paging {
    /// Reads the parameters of a request, whose shapes were checked.
    pub(super) fn read(marker: Option<&str>, max_items: Option<i32>) -> Answer<Self> {
        let last = marker.map(decode).transpose()?.unwrap_or_default();
        let limit = max_items.and_then(|items| u64::try_from(items).ok()).unwrap_or(DEFAULT);
        Ok(Self { last, limit })
    }

    /// A page that the domain cut, whose items have these keys.
    pub(super) fn page<T>(page: Page<T>, key: impl Fn(&T) -> String) -> Cut<T> {
        let last = page.items.last().filter(|_| page.more).map(key);
        Cut { is_truncated: Some(page.more), marker: last.map(|last| encode(&last)), items: page.items }
    }

    /// The page of a short list that is wholly here, in the order of keys that no two items share.
    pub(super) fn of_list<T>(&self, items: Vec<T>, key: impl Fn(&T) -> String) -> Cut<T> {
        let key = |item: &T| shortened(key(item));
        let mut items = items;
        items.retain(|item| self.last.is_empty() || key(item) > self.last);
        items.sort_by_cached_key(key);
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        Self::page(Page { items, more }, key)
    }
}

impl<T> Cut<T> {
    /// The items in other words.
    pub(super) fn map<U>(self, convert: impl FnMut(T) -> U) -> Cut<U> {
        let items = self.items.into_iter().map(convert).collect();
        Cut { items, is_truncated: self.is_truncated, marker: self.marker }
    }
}

/// A key that fits into a marker: of a long one its beginning and its digest.
fn shortened(key: String) -> String {
    if key.len() <= LONGEST {
        return key;
    }
    let beginning: String = key.chars().take(LONGEST / 8).collect();
    beginning + &Digest::of(Algorithm::Sha256, key.as_bytes()).to_string()
}

fn encode(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{PREFIX}{key}"))
}

fn decode(marker: &str) -> Answer<String> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let key = text.as_deref().and_then(|text| text.strip_prefix(PREFIX));
    let key = key.filter(|key| !key.is_empty() && !key.contains('\0'));
    Ok(key.map(str::to_owned).ok_or_else(|| IdentityError::Validation("Invalid Marker.".to_owned()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(items: &[String], limit: i32) -> Vec<Vec<String>> {
        let (mut pages, mut marker) = (Vec::new(), None);
        loop {
            let paging = Paging::read(marker.as_deref(), Some(limit)).unwrap();
            let cut = paging.of_list(items.to_vec(), Clone::clone);
            assert_eq!(cut.is_truncated, Some(cut.marker.is_some()));
            pages.push(cut.items);
            match cut.marker {
                Some(next) => marker = Some(next),
                None => return pages,
            }
        }
    }

    #[test]
    fn lists_are_walked_whole_and_in_order() {
        let items: Vec<String> = ["c", "a", "ä b", "b", "/"].map(str::to_owned).to_vec();
        assert_eq!(walk(&items, 2), [vec!["/", "a"], vec!["b", "c"], vec!["ä b"]]);
        assert_eq!(walk(&items, 5).len(), 1);
        assert_eq!(walk(&items, 1000)[0].len(), 5);
        assert_eq!(walk(&[], 1), [Vec::<String>::new()]);
    }

    #[test]
    fn long_keys_fit_into_a_marker() {
        let items: Vec<String> = ["x", "y", "z"].iter().map(|last| format!("{}{last}", "𐐀".repeat(127))).collect();
        let mut seen: Vec<String> = walk(&items, 1).concat();
        seen.sort();
        assert_eq!(seen, items);
        let marker = encode(&shortened("𐐀".repeat(512)));
        assert!(marker.len() <= 320 && encode(&"k".repeat(LONGEST)).len() <= 320, "{}", marker.len());
    }

    #[test]
    fn a_page_begins_behind_what_is_gone() {
        let paging = Paging { last: "b".to_owned(), limit: 1 };
        assert_eq!(paging.of_list(vec!["a", "c", "d"], |item| (*item).to_owned()).items, ["c"]);
    }

    #[test]
    fn other_texts_are_no_markers() {
        assert_eq!(Paging::read(None, None).unwrap(), Paging { last: String::new(), limit: 100 });
        assert_eq!(Paging::read(Some(&encode("a")), Some(7)).unwrap(), Paging { last: "a".to_owned(), limit: 7 });
        let nul = encode("a\0b");
        let no_text = URL_SAFE_NO_PAD.encode(b"m1:\xff");
        for bad in ["", "a", "alice", "YWxpY2U", "%", "é", &encode(""), &nul, &no_text] {
            let failure = Paging::read(Some(bad), None).unwrap_err();
            assert_eq!(failure.to_string(), "Invalid Marker.", "{bad}");
        }
    }
}
