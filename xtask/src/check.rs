//! The list of checks.

mod floors;
mod length;
mod links;
mod lint_exceptions;
mod manifests;
mod pages;
mod reference;
mod words;

use std::fmt;

use crate::house::House;

/// One check of the house.
pub struct Check {
    /// The name to call it by.
    pub name: &'static str,
    /// What it wants, in a line.
    pub about: &'static str,
    /// Looks, and tells what is wrong.
    pub run: fn(&House) -> Vec<Finding>,
}

/// All checks, in the order in which they run.
pub const CHECKS: &[Check] = &[
    Check { name: "floors", about: "each crate uses only the floors above it", run: floors::check },
    Check {
        name: "manifests",
        about: "each crate has full metadata, the lints and shared versions",
        run: manifests::check,
    },
    Check {
        name: "links",
        about: "links, anchors and paths named in the documentation lead somewhere",
        run: links::check,
    },
    Check {
        name: "pages",
        about: "every page of docs/ is found from the README, decisions are numbered",
        run: pages::check,
    },
    Check {
        name: "reference",
        about: "the reference pages list the metrics, error codes, tables and operations that there are",
        run: reference::check,
    },
    Check { name: "words", about: "no unfinished marks, machine paths or package hosts", run: words::check },
    Check { name: "exceptions", about: "every lint that is switched off says why", run: lint_exceptions::check },
    Check { name: "length", about: "no source file over 600 lines without a reason", run: length::check },
];

/// Something that a check wants otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    place: String,
    message: String,
}

impl Finding {
    /// A finding about a whole file or crate.
    pub fn new(place: &str, message: impl Into<String>) -> Self {
        Self { place: place.to_owned(), message: message.into() }
    }

    /// A finding at a line, counted from 1.
    pub fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self::new(&format!("{path}:{line}"), message)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}
