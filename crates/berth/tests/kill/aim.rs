//! Where in a start its migration is.

use std::time::Duration;

use crate::run::Run;

/// A migration is a small part of a start, so that moments by chance mostly miss it. Every second one is near the place where
/// the kills before it found the change from before to after.
pub struct Aim {
    whole: Duration,
    change: Duration,
    near: bool,
}

/// How far from the change the near ones are, at most.
const NEAR: Duration = Duration::from_millis(4);
const STEP: Duration = Duration::from_millis(1);

impl Aim {
    /// At a start that takes so long.
    pub fn within(whole: Duration) -> Self {
        Self { whole, change: whole / 2, near: false }
    }

    /// When to kill.
    pub fn moment(&mut self, run: &mut Run) -> Duration {
        self.near = !self.near;
        if self.near { self.change.saturating_sub(NEAR / 2) + run.moment(NEAR) } else { run.moment(self.whole) }
    }

    /// Whether the last near one came before the migration.
    pub fn learn(&mut self, was_before: bool) {
        match (self.near, was_before) {
            (false, _) => {}
            (true, true) => self.change += STEP,
            (true, false) => self.change = self.change.saturating_sub(STEP),
        }
    }
}
