//! The audit trail: what waits in the queue is written, rows are chained, the oldest go.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use berth_domain::audit::Head;
use berth_domain::{Domain, Error};

/// What waits in the queue is written so often, and sooner where it is a row's worth.
const FLUSH: Duration = Duration::from_secs(1);
/// How often rows are chained.
const CHAIN: Duration = Duration::from_secs(1);
/// How often the oldest go.
const RETAIN: Duration = Duration::from_mins(10);
/// The most steps that are done in a row: others want the database, too.
const STEPS: usize = 100;

/// Where the head of the chain is kept outside of the database.
pub trait Heads: Send + Sync + 'static {
    /// The head that was kept last.
    fn load(&self) -> io::Result<Option<Head>>;
    /// Keeps a head in its place.
    fn store(&self, head: &Head) -> io::Result<()>;
}

/// Does all of it for ever.
pub async fn run(domain: Arc<Domain>, heads: Arc<dyn Heads>) {
    tokio::join!(flush(&domain), chain(&domain, &heads), retain(&domain));
}

/// Writes and chains what there is, before the end.
pub async fn finish(domain: &Domain, heads: &Arc<dyn Heads>) {
    let mut step = Step::default();
    step.note("written", domain.flush_audit().await);
    step.chain(domain, heads).await;
}

async fn flush(domain: &Domain) {
    let mut step = Step::default();
    loop {
        // Whichever comes first.
        let _ = tokio::time::timeout(FLUSH, domain.audit_filled()).await;
        let flushed = domain.flush_audit().await;
        if flushed.is_err() {
            tokio::time::sleep(FLUSH).await;
        }
        step.note("written", flushed);
    }
}

async fn chain(domain: &Domain, heads: &Arc<dyn Heads>) {
    let mut step = Step::default();
    loop {
        tokio::time::sleep(CHAIN).await;
        step.chain(domain, heads).await;
    }
}

async fn retain(domain: &Domain) {
    let mut step = Step::default();
    loop {
        for _ in 0..STEPS {
            match domain.retain_audit().await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    step.note("taken away", Err(error));
                    break;
                }
            }
        }
        tokio::time::sleep(RETAIN).await;
    }
}

/// One of these works, and what it remembers.
#[derive(Default)]
struct Step {
    is_failing: bool,
    kept: Option<Head>,
    is_cut: bool,
}

impl Step {
    /// Says what went wrong, once until it goes well again.
    fn note(&mut self, what: &str, done: Result<(), Error>) {
        match done {
            Ok(()) => self.is_failing = false,
            Err(error) if self.is_failing => tracing::debug!(%error, "records of calls still could not be {what}"),
            Err(error) => {
                self.is_failing = true;
                tracing::warn!(%error, "records of calls could not be {what}; trying again");
            }
        }
    }

    async fn chain(&mut self, domain: &Domain, heads: &Arc<dyn Heads>) {
        for _ in 0..STEPS {
            let chained = domain.chain_audit().await;
            let (is_full, head) = match chained {
                Ok(chained) => (chained.is_full, chained.head),
                Err(error) => return self.note("chained", Err(error)),
            };
            if let Some(head) = head.filter(|head| self.kept.as_ref() != Some(head)) {
                let kept = self.keep(domain, heads, head).await;
                self.note("chained", kept);
            }
            if !is_full {
                break;
            }
        }
    }

    /// Keeps the head, unless the one that was kept is no longer in the chain: whoever verifies is to find that.
    async fn keep(&mut self, domain: &Domain, heads: &Arc<dyn Heads>, head: Head) -> Result<(), Error> {
        if self.kept.is_none() {
            let heads = Arc::clone(heads);
            let loaded = tokio::task::spawn_blocking(move || heads.load()).await;
            match loaded {
                Ok(Ok(loaded)) => self.kept = loaded,
                Ok(Err(error)) => {
                    self.cannot_keep(&error);
                    return Ok(());
                }
                Err(_) => return Ok(()),
            }
        }
        if let Some(kept) = &self.kept
            && !domain.audit_head_stands(kept).await?
        {
            if !std::mem::replace(&mut self.is_cut, true) {
                tracing::error!(
                    link = kept.number,
                    "the chain of records was cut or changed: verify it. After a restore, delete `audit.head`"
                );
            }
            return Ok(());
        }
        let (heads, stored) = (Arc::clone(heads), head.clone());
        match tokio::task::spawn_blocking(move || heads.store(&stored)).await {
            Ok(Err(error)) => self.cannot_keep(&error),
            _ => self.kept = Some(head),
        }
        Ok(())
    }

    fn cannot_keep(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(%error, "the head of the chain of records cannot be kept");
        }
    }
}
