//! What no tracked file may say: marks of unfinished work, paths of one machine, hosts of package registries.

use super::Finding;
use crate::house::House;

/// Each banned text and what is wrong with it. They are cut in two so that this file passes its own check.
const BANNED: &[(&str, &str)] = &[
    (concat!("FIX", "ME"), UNFINISHED),
    (concat!("TO", "DO"), UNFINISHED),
    (concat!("XX", "X"), UNFINISHED),
    (concat!("/wo", "rk/"), MACHINE),
    (concat!("/ro", "ot/"), MACHINE),
    (concat!("/fa", "rm/"), MACHINE),
    (concat!("/tmp/be", "rth/"), MACHINE),
    (concat!(".cargo/regi", "stry"), MACHINE),
    (concat!("index.crates", ".io"), HOST),
    (concat!("static.crates", ".io"), HOST),
    (concat!("pypi", ".org"), HOST),
    (concat!("pythonhosted", ".org"), HOST),
    (concat!("npmjs", ".org"), HOST),
    (concat!("proxy.golang", ".org"), HOST),
    (concat!("sum.golang", ".org"), HOST),
    (concat!(".debian", ".org"), HOST),
];
const UNFINISHED: &str = "marks unfinished work; finish it or open an issue";
const MACHINE: &str = "is a path of one machine";
const HOST: &str = "is a host of a package registry; leave the choice to whoever builds";

pub fn check(house: &House) -> Vec<Finding> {
    house.files.iter().flat_map(|(path, text)| of_file(path, text)).collect()
}

fn of_file(path: &str, text: &str) -> Vec<Finding> {
    let numbered = text.lines().enumerate();
    numbered.flat_map(|(index, line)| of_line(line).map(move |message| Finding::at(path, index + 1, message))).collect()
}

fn of_line(line: &str) -> impl Iterator<Item = String> {
    BANNED.iter().filter(|(word, _)| says(line, word)).map(|(word, why)| format!("`{word}` {why}"))
}

/// Whether a line holds a banned text as a word by itself: what begins or ends in a letter must not go on in letters
/// or digits. (A secret in base64 may well hold three capitals in a row.)
fn says(line: &str, word: &str) -> bool {
    let inside = |near: Option<char>, edge: Option<char>| {
        near.is_some_and(|c| c.is_alphanumeric() || c == '_') && edge.is_some_and(char::is_alphanumeric)
    };
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !inside(before, word.chars().next()) && !inside(after, word.chars().next_back())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_by_themselves_are_found() {
        let cases = [
            (concat!("// TO", "DO: later"), true),
            (concat!("aTO", "DOs"), false),
            (concat!("mktemp -d berth.XX", "XXXX"), false),
            (concat!("cd /wo", "rk/main"), true),
            ("a network/worker", false),
            (concat!("see https://pypi", ".org/x"), true),
            ("registry+https://github.com/rust-lang/crates.io-index", false),
        ];
        for (line, found) in cases {
            assert_eq!(of_line(line).next().is_some(), found, "{line}");
        }
    }

    #[test]
    fn findings_name_the_line() {
        let text = concat!("one\ntwo FIX", "ME\n");
        let findings = check(&House::of(&[("a.rs", text)]));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].to_string().starts_with("a.rs:2: "), "{}", findings[0]);
    }
}
