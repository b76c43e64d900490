//! Patterns of repository names, as settings have them.

/// Whether a pattern, in which `*` stands for any characters, covers a whole text. Linear in both for one `*`, and never
/// worse than their product.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star_p, star_t)) = star {
            star = Some((star_p, star_t + 1));
            p = star_p + 1;
            t = star_t + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_cover_whole_names() {
        let table = [
            ("*", "a/b", true),
            ("public/*", "public/a/b", true),
            ("public/*", "public", false),
            ("public", "public", true),
            ("public", "publicity", false),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcd", false),
            ("", "a", false),
            ("**", "", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
