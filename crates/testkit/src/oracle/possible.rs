//! A value that may be uncertain.

use std::collections::BTreeSet;

/// What something may be now, and what a call whose end nobody knows may still make of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Possible<V: Ord> {
    now: BTreeSet<V>,
    // A part of `now`.
    late: BTreeSet<V>,
}

impl<V: Ord + Clone> Possible<V> {
    /// Certainly this.
    pub fn new(value: V) -> Self {
        Self { now: BTreeSet::from([value]), late: BTreeSet::new() }
    }

    /// It was seen or made to be this. What is still under way may change it again.
    pub fn becomes(&mut self, value: V) {
        self.now = self.late.clone();
        self.now.insert(value);
    }

    /// A call that would make it this may have worked, may not, or may work later.
    pub fn may_become(&mut self, value: V) {
        self.now.insert(value.clone());
        self.late.insert(value);
    }

    /// Nothing is under way any more.
    pub fn settle(&mut self) {
        self.late.clear();
    }

    /// Wherever it may be `from` now, it is `to` instead.
    pub fn replace(&mut self, from: &V, to: V) {
        if self.now.remove(from) {
            self.now.insert(to);
            self.now.extend(self.late.iter().cloned());
        }
    }

    /// Whether it is certainly this.
    pub fn is(&self, value: &V) -> bool {
        self.may_be(value) && self.is_certain()
    }

    /// Whether it may be this.
    pub fn may_be(&self, value: &V) -> bool {
        self.now.contains(value)
    }

    /// Whether it can be one thing only.
    pub fn is_certain(&self) -> bool {
        self.now.len() == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_may_come_after_what_was_acknowledged() {
        let mut tag = Possible::new(0);
        assert!(tag.is(&0) && !tag.may_be(&1));
        tag.may_become(1);
        assert!(!tag.is(&0) && tag.may_be(&0) && tag.may_be(&1));
        tag.becomes(2);
        assert!(!tag.may_be(&0) && tag.may_be(&1) && tag.may_be(&2), "{tag:?}");
        tag.settle();
        assert!(tag.may_be(&1) && !tag.is_certain());
        tag.becomes(2);
        assert!(tag.is(&2));
    }

    #[test]
    fn one_value_is_replaced() {
        let mut tag = Possible::new(0);
        tag.replace(&1, 5);
        assert!(tag.is(&0));
        tag.replace(&0, 5);
        assert!(tag.is(&5));
        tag.may_become(6);
        tag.replace(&6, 5);
        assert!(tag.may_be(&6), "it may still come: {tag:?}");
    }
}
