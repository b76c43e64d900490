//! How a server comes to its end: first it drains, then it cuts.

use tokio::sync::watch;

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Everything is served.
    Running,
    /// Nothing new is accepted; requests under way are finished.
    Draining,
    /// Connections are cut.
    Cutting,
}

/// Listens for the end.
#[derive(Debug, Clone)]
pub(crate) struct PhaseWatch(watch::Receiver<Phase>);

/// Brings the end.
pub(crate) fn phases() -> (watch::Sender<Phase>, PhaseWatch) {
    let (sender, receiver) = watch::channel(Phase::Running);
    (sender, PhaseWatch(receiver))
}

impl PhaseWatch {
    /// Waits until the phase is reached. A server that is simply gone counts as cutting.
    pub(crate) async fn reached(&mut self, phase: Phase) {
        let _ = self.0.wait_for(|current| *current >= phase).await;
    }
}
