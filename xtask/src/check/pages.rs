//! Every page of `docs/` can be reached from the README, and decisions carry a number each.

use std::collections::BTreeSet;

use super::Finding;
use crate::house::House;
use crate::markdown;

const DECISIONS: &str = "docs/adr/";

pub fn check(house: &House) -> Vec<Finding> {
    let reached = reach(house, "README.md");
    let pages = house.ending(&[".md"]).map(|(path, _)| path).filter(|path| path.starts_with("docs/"));
    let lost = pages.filter(|path| !reached.contains(*path));
    let lost = lost.map(|path| Finding::new(path, "cannot be reached by links from README.md"));
    lost.chain(decisions(house)).collect()
}

/// The pages that links lead to, from `start` on.
fn reach(house: &House, start: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![start.to_owned()];
    while let Some(page) = waiting.pop() {
        let Some(text) = house.files.get(&page) else { continue };
        if reached.insert(page.clone()) {
            let links = markdown::prose(text).into_iter().flat_map(|(_, line)| markdown::links(line));
            waiting.extend(links.map(|link| super::links::resolve(&page, link.split('#').next().unwrap_or(link))));
        }
    }
    reached
}

/// Decisions are numbered from 0001 without gaps.
fn decisions(house: &House) -> Vec<Finding> {
    let names = house.ending(&[".md"]).filter_map(|(path, _)| path.strip_prefix(DECISIONS));
    let numbered: Vec<&str> = names.filter(|name| *name != "README.md").collect();
    let wrong = |(index, name): (usize, &&str)| {
        let expected = format!("{:04}-", index + 1);
        let message = format!("should begin with {expected}: decisions are numbered without gaps");
        (!name.starts_with(&expected)).then(|| Finding::new(&format!("{DECISIONS}{name}"), message))
    };
    numbered.iter().enumerate().filter_map(wrong).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_reached_through_other_pages() {
        let house = House::of(&[
            ("README.md", "[docs](docs/README.md#top)"),
            ("docs/README.md", "[a](how-to/a.md) [b](https://example.org/docs/lost.md)"),
            ("docs/how-to/a.md", "[back](../README.md)"),
            ("docs/lost.md", ""),
            ("tests/README.md", ""),
        ]);
        let places: Vec<String> = check(&house).iter().map(ToString::to_string).collect();
        assert_eq!(places, ["docs/lost.md: cannot be reached by links from README.md"]);
    }

    #[test]
    fn decisions_have_no_gaps() {
        let index = ("README.md", "[1](docs/adr/0001-a.md) [2](docs/adr/0002-b.md) [3](docs/adr/0003-b.md)");
        let cases: [(&[&str], usize); 3] = [
            (&["docs/adr/0001-a.md", "docs/adr/0002-b.md"], 0),
            (&["docs/adr/0001-a.md", "docs/adr/0003-b.md"], 1),
            (&["docs/adr/0002-b.md"], 1),
        ];
        for (paths, findings) in cases {
            let mut files = vec![index];
            files.extend(paths.iter().map(|path| (*path, "")));
            assert_eq!(check(&House::of(&files)).len(), findings, "{paths:?}");
        }
    }
}
