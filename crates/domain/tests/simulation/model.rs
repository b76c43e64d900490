//! The reference model: what clients were told, and what must therefore be true.
//!
//! It knows when every operation began and ended, never what the registry did in between. An operation whose answer was
//! lost may or may not have happened. So each fact is a register with concurrent writes: a read may see the value of any
//! write that no later, certain one had surely replaced.

use std::collections::BTreeMap;

use berth_oci::digest::Digest;

/// A place in the order in which operations began and ended.
pub type Moment = u64;

/// One write to a register.
struct Write<V> {
    begin: Moment,
    end: Option<Moment>,
    certain: bool,
    value: V,
}

/// A fact that operations change.
pub struct Register<V> {
    writes: Vec<Write<V>>,
}

impl<V: Clone + PartialEq> Register<V> {
    fn new(initial: V) -> Self {
        Self { writes: vec![Write { begin: 0, end: Some(0), certain: true, value: initial }] }
    }

    fn begin(&mut self, now: Moment, value: V) {
        self.writes.push(Write { begin: now, end: None, certain: false, value });
    }

    fn end(&mut self, begun: Moment, now: Moment, outcome: Outcome) {
        if outcome == Outcome::Refused {
            self.writes.retain(|write| write.begin != begun);
        }
        for write in self.writes.iter_mut().filter(|write| write.begin == begun) {
            (write.end, write.certain) = (Some(now), outcome == Outcome::Done);
        }
    }

    /// What a read between these moments may see.
    fn possible(&self, from: Moment, to: Moment) -> Vec<V> {
        let replaced = |write: &Write<V>| {
            let Some(end) = write.end else { return false };
            let after =
                |other: &Write<V>| other.certain && other.begin > end && other.end.is_some_and(|end| end < from);
            self.writes.iter().any(after)
        };
        let may = self.writes.iter().filter(|write| write.begin < to && !replaced(write));
        may.map(|write| write.value.clone()).collect()
    }

    fn is_surely(&self, value: &V, from: Moment, to: Moment) -> bool {
        self.possible(from, to).iter().all(|possible| possible == value)
    }
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was acknowledged.
    Done,
    /// It was refused by a rule, and changed nothing.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// An answer that promised a blob for a time.
struct Promise {
    begun: Moment,
    made: Moment,
    until: i64,
}

/// A deletion of a blob that somebody asked for.
struct Removal {
    begun: Moment,
    ended: Option<Moment>,
}

type Place<T> = (usize, T);

/// What clients were told.
#[derive(Default)]
pub struct Model {
    moment: Moment,
    manifests: BTreeMap<Place<String>, Register<bool>>,
    tags: BTreeMap<Place<&'static str>, Register<Option<Digest>>>,
    promises: BTreeMap<Place<String>, Vec<Promise>>,
    removals: BTreeMap<Place<String>, Vec<Removal>>,
    violation: Option<String>,
}

impl Model {
    /// The next moment.
    pub fn tick(&mut self) -> Moment {
        self.moment += 1;
        self.moment
    }

    /// Something is not as it must be; the first such thing is kept.
    pub fn violated(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    pub fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    fn manifest(&mut self, repository: usize, digest: &Digest) -> &mut Register<bool> {
        self.manifests.entry((repository, digest.to_string())).or_insert_with(|| Register::new(false))
    }

    fn tag(&mut self, repository: usize, tag: &'static str) -> &mut Register<Option<Digest>> {
        self.tags.entry((repository, tag)).or_insert_with(|| Register::new(None))
    }

    pub fn begin_put(&mut self, repository: usize, digest: &Digest, tags: &[&'static str]) -> Moment {
        let now = self.tick();
        self.manifest(repository, digest).begin(now, true);
        for tag in tags {
            self.tag(repository, tag).begin(now, Some(digest.clone()));
        }
        now
    }

    pub fn end_put(&mut self, repository: usize, digest: &Digest, tags: &[&'static str], begun: Moment, how: Outcome) {
        let now = self.tick();
        self.manifest(repository, digest).end(begun, now, how);
        for tag in tags {
            self.tag(repository, tag).end(begun, now, how);
        }
    }

    /// A manifest's deletion takes its tags along, wherever they point: for a tag that is a write that may be none.
    pub fn begin_delete(&mut self, repository: usize, digest: &Digest, tags: &[&'static str]) -> Moment {
        let now = self.tick();
        self.manifest(repository, digest).begin(now, false);
        for tag in tags {
            self.tag(repository, tag).begin(now, None);
        }
        now
    }

    pub fn end_delete(
        &mut self,
        repository: usize,
        digest: &Digest,
        tags: &[&'static str],
        begun: Moment,
        how: Outcome,
    ) {
        let now = self.tick();
        self.manifest(repository, digest).end(begun, now, how);
        let at_most = if how == Outcome::Done { Outcome::Unknown } else { how };
        for tag in tags {
            self.tag(repository, tag).end(begun, now, at_most);
        }
    }

    pub fn begin_untag(&mut self, repository: usize, tag: &'static str) -> Moment {
        let now = self.tick();
        self.tag(repository, tag).begin(now, None);
        now
    }

    pub fn end_untag(&mut self, repository: usize, tag: &'static str, begun: Moment, how: Outcome) {
        let now = self.tick();
        self.tag(repository, tag).end(begun, now, how);
    }

    pub fn begin_removal(&mut self, repository: usize, digest: &Digest) -> Moment {
        let begun = self.tick();
        let removals = self.removals.entry((repository, digest.to_string())).or_default();
        removals.push(Removal { begun, ended: None });
        begun
    }

    pub fn end_removal(&mut self, repository: usize, digest: &Digest, begun: Moment, how: Outcome) {
        let now = self.tick();
        let removals = self.removals.entry((repository, digest.to_string())).or_default();
        if how == Outcome::Refused {
            removals.retain(|removal| removal.begun != begun);
        }
        for removal in removals.iter_mut().filter(|removal| removal.begun == begun) {
            removal.ended = Some(now);
        }
    }

    /// An answer promised a blob, until a time in milliseconds.
    pub fn promise(&mut self, repository: usize, digest: &Digest, begun: Moment, until: i64) {
        let made = self.tick();
        self.promises.entry((repository, digest.to_string())).or_default().push(Promise { begun, made, until });
    }

    fn is_promised(&self, repository: usize, digest: &Digest, from: Moment, now: i64) -> bool {
        let place = (repository, digest.to_string());
        let none = Vec::new();
        let removals = self.removals.get(&place);
        let removed = |promise: &Promise| {
            let after = |removal: &Removal| removal.ended.is_none_or(|ended| ended > promise.begun);
            removals.is_some_and(|removals| removals.iter().any(after))
        };
        let holds = |promise: &Promise| promise.made < from && promise.until >= now && !removed(promise);
        self.promises.get(&place).unwrap_or(&none).iter().any(holds)
    }

    /// Whether a repository must have had a blob all the time between two moments, the second at time `now`.
    pub fn must_have_blob(
        &mut self,
        repository: usize,
        digest: &Digest,
        used_by: &[Digest],
        span: (Moment, Moment),
        now: i64,
    ) -> bool {
        self.is_promised(repository, digest, span.0, now)
            || used_by.iter().any(|manifest| self.must_have_manifest(repository, manifest, span))
    }

    pub fn must_have_manifest(&mut self, repository: usize, digest: &Digest, span: (Moment, Moment)) -> bool {
        self.manifest(repository, digest).is_surely(&true, span.0, span.1)
    }

    pub fn must_lack_manifest(&mut self, repository: usize, digest: &Digest, span: (Moment, Moment)) -> bool {
        self.manifest(repository, digest).is_surely(&false, span.0, span.1)
    }

    /// What a tag may point to.
    pub fn tag_may_be(&mut self, repository: usize, tag: &'static str, span: (Moment, Moment)) -> Vec<Option<Digest>> {
        self.tag(repository, tag).possible(span.0, span.1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Register};

    #[test]
    fn a_register_gives_what_no_certain_write_replaced() {
        let mut register = Register::new('a');
        register.begin(1, 'b');
        assert_eq!(register.possible(2, 3), ['a', 'b']);
        register.end(1, 4, Outcome::Done);
        assert_eq!(register.possible(5, 6), ['b']);
        register.begin(7, 'c');
        register.end(7, 8, Outcome::Unknown);
        assert_eq!(register.possible(9, 10), ['b', 'c']);
        register.begin(11, 'd');
        register.end(11, 12, Outcome::Refused);
        register.begin(13, 'e');
        register.end(13, 15, Outcome::Done);
        // A read that began before the write ended may see either.
        assert_eq!(register.possible(14, 16), ['b', 'c', 'e']);
        assert!(register.is_surely(&'e', 16, 17));
    }
}
