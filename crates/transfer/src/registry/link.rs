//! Where the next page is (RFC 8288).

use super::scan::Scanner;

/// A `Link` header that cannot be read: the listing may go on, nobody knows where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Link header cannot be read")]
pub struct LinkError;

/// The target of the first link to a next page, as it stands there: it may be relative.
pub fn next(value: &str) -> Result<Option<&str>, LinkError> {
    let mut scanner = Scanner::new(value);
    let mut found = None;
    loop {
        while scanner.space() || scanner.take(',') {}
        if scanner.is_done() {
            return Ok(found);
        }
        let (target, is_next) = link(&mut scanner).ok_or(LinkError)?;
        found = found.or(is_next.then_some(target));
    }
}

fn link<'t>(scanner: &mut Scanner<'t>) -> Option<(&'t str, bool)> {
    scanner.take('<').then_some(())?;
    let target = scanner.run(|b| b != b'>').unwrap_or_default();
    scanner.take('>').then_some(())?;
    // Only the first `rel` of a link counts (RFC 8288 section 3.3).
    let mut relation: Option<bool> = None;
    loop {
        scanner.space();
        if !scanner.take(';') {
            let ended = scanner.is_done() || scanner.rest().starts_with(',');
            return ended.then_some((target, relation.unwrap_or(false)));
        }
        scanner.space();
        if let Some(name) = scanner.token() {
            let words = value(scanner)?;
            let is_next = words.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"));
            relation = if name.eq_ignore_ascii_case("rel") { relation.or(Some(is_next)) } else { relation };
        }
    }
}

/// The value of a parameter, empty where it has none; `None` where it cannot be read.
fn value(scanner: &mut Scanner<'_>) -> Option<String> {
    scanner.space();
    if !scanner.take('=') {
        return Some(String::new());
    }
    scanner.space();
    scanner.word()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_next_page_is_found() {
        let table = [
            ("</v2/_catalog?last=b&n=2>; rel=\"next\"", Ok(Some("/v2/_catalog?last=b&n=2"))),
            ("<a>;rel=next", Ok(Some("a"))),
            ("<a> ; REL = \"NEXT\"", Ok(Some("a"))),
            ("<a>; rel=\"last next\"", Ok(Some("a"))),
            ("<a>; rel=\"first\", <b>; rel=\"next\"", Ok(Some("b"))),
            ("<a>; title=\"x, <c>; rel=next\"; rel=\"first\"", Ok(None)),
            ("<a>; rel=\"first\"; rel=\"next\"", Ok(None)),
            ("<a>; nofollow; rel=next", Ok(Some("a"))),
            ("<a>;;rel=next;", Ok(Some("a"))),
            ("<>; rel=next", Ok(Some(""))),
            ("<a>; rel=next, <b>; rel=next", Ok(Some("a"))),
            ("", Ok(None)),
            (" , ", Ok(None)),
            ("a; rel=next", Err(LinkError)),
            ("<a; rel=next", Err(LinkError)),
            ("<a>; rel=\"next", Err(LinkError)),
            ("<a> rel=next", Err(LinkError)),
            ("<a>; rel=next, b", Err(LinkError)),
        ];
        for (value, expected) in table {
            assert_eq!(next(value), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in prop_oneof![".{0,80}", "[<>;, =\"relnxta]{0,40}"]) {
            if let Ok(Some(target)) = next(&text) {
                prop_assert!(text.contains(target));
            }
        }

        #[test]
        fn what_our_own_server_writes_is_read(last in "[^\\p{Cc}]{0,30}") {
            let header = berth_oci::query::link_next("/v2/a/tags/list", &[("last", &last), ("n", "2")]);
            let target = next(&header).unwrap().unwrap();
            let query = berth_oci::query::Query::parse(target.split_once('?').unwrap().1).unwrap();
            prop_assert_eq!(query.first("last"), Some(last.as_str()));
        }
    }
}
