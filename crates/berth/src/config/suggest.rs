//! "Did you mean": the known name nearest to a wrong one.

/// Longer names are not compared: nobody mistypes them.
const LONGEST: usize = 64;

/// The nearest of `known`, where it is near enough to be meant.
pub(super) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if wrong.len() > LONGEST {
        return None;
    }
    let wrong = wrong.to_lowercase();
    let near = known.into_iter().map(|name| (distance(&wrong, &name.to_lowercase()), name));
    let (edits, name) = near.min_by_key(|(edits, _)| *edits)?;
    (edits <= wrong.chars().count().max(3) / 3).then_some(name)
}

/// `; did you mean X?`, or nothing.
pub(super) fn hint<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, known).map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

/// Levenshtein's distance: how many characters to insert, delete or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let table = [("", "", 0), ("a", "", 1), ("", "ab", 2), ("listn", "listen", 1), ("kitten", "sitting", 3)];
        for (a, b, edits) in table {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["server.listen", "server.tls_cert", "log.level"];
        assert_eq!(nearest("server.listn", known), Some("server.listen"));
        assert_eq!(nearest("Server.Listen", known), Some("server.listen"));
        assert_eq!(nearest("log.levels", known), Some("log.level"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest(&"x".repeat(10_000), known), None);
    }
}
