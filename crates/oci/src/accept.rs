//! The `Accept` header (RFC 9110, section 12.5.1), as far as manifests need it.

use crate::media_type::MediaType;

/// What a client accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept(Vec<(String, bool)>);

impl Accept {
    /// Reads all values of the header.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let ranges = values.into_iter().flat_map(|value| value.split(','));
        Self(ranges.map(str::trim).filter(|range| !range.is_empty()).map(range).collect())
    }

    /// Whether the client takes this type; without any header it takes all. The most precise range decides.
    pub fn accepts(&self, media_type: &MediaType) -> bool {
        let (kind, _) = media_type.as_str().split_once('/').unwrap_or_default();
        let whole_kind = format!("{kind}/*");
        let said = [media_type.as_str(), &whole_kind, "*/*"]
            .into_iter()
            .find_map(|range| self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(range)));
        self.0.is_empty() || said.is_some_and(|(_, wanted)| *wanted)
    }
}

fn range(text: &str) -> (String, bool) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_owned();
    let refused = parts.filter_map(|part| part.split_once('=')).any(|(key, value)| {
        key.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|quality| quality <= 0.0)
    });
    (name, !refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_most_precise_range_decides() {
        let json = MediaType::parse("application/json").unwrap();
        let table: &[(&[&str], bool)] = &[
            (&[], true),
            (&["*/*"], true),
            (&["application/*"], true),
            (&["text/html", "application/json; charset=utf-8"], true),
            (&["text/html, application/JSON;q=0.5"], true),
            (&["text/html"], false),
            (&["*/*, application/json;q=0"], false),
            (&["text/*"], false),
            (&[""], true),
            (&[",", " , "], true),
            (&["*/*;q=0"], false),
            (&["*/*;q=0.000, application/json;q=0.001"], true),
            (&["application/*; q = 0, */*"], false),
            (&["application/json;q=nonsense"], true),
            (&["nonsense"], false),
        ];
        for (values, expected) in table {
            assert_eq!(Accept::parse(values.iter().copied()).accepts(&json), *expected, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn naming_a_type_accepts_it(before in "[^,]{0,20}", text in "[a-z]{1,9}/[a-z]{1,9}") {
            let media_type = MediaType::parse(&text).unwrap();
            prop_assume!(!before.to_lowercase().contains(&text));
            prop_assert!(Accept::parse([before.as_str(), text.as_str()]).accepts(&media_type));
        }
    }
}
