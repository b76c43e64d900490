//! Bringing in images that are elsewhere.
//!
//! What is read from a source goes through the operations that a push goes through, so that every check, limit and record
//! is the same. Nothing is remembered about an import itself: what the repository holds already is not read again, which
//! makes running it once more the way to go on.

mod graph;
mod layers;
mod outcome;
#[cfg(test)]
mod tests;

use berth_oci::name::RepositoryName;
use berth_transfer::{Entry, Retry, Source, SourceError};
use futures_util::StreamExt as _;
use tokio::sync::watch;

use crate::Domain;
use crate::caller::Caller;
use crate::pattern::matches;
pub use outcome::{ImportError, Imported, LeftOut};

/// Becomes `true` when an import is to end early.
pub type Stop = watch::Receiver<bool>;

/// What to bring in, and where to.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only repositories whose name in the source this covers; `*` stands for any characters.
    pub repository: Option<String>,
    /// Put before the names of the source, with a slash between.
    pub into: Option<RepositoryName>,
    /// How often to go on with a blob whose source breaks off.
    pub retry: Retry,
}

/// Hears what an import does.
pub trait Progress: Send + Sync {
    /// A repository's turn has come.
    fn repository(&self, name: &RepositoryName);
    /// So many more bytes of blobs were read.
    fn read(&self, bytes: u64);
    /// One more manifest is in the repository, or was there.
    fn image(&self);
    /// Something will not come.
    fn left_out(&self, left_out: &LeftOut);
}

impl Domain {
    /// Brings in the images of a source. What was brought is told even where the import ends early.
    pub async fn import(
        &self,
        caller: &Caller,
        source: &dyn Source,
        options: &Options,
        progress: &dyn Progress,
        stop: Stop,
    ) -> (Imported, Result<(), ImportError>) {
        let imported = Imported::default();
        let mut run = Run { domain: self, caller, source, options, progress, stop, imported };
        let outcome = run.all().await;
        (run.imported, outcome)
    }
}

/// One import under way.
struct Run<'i> {
    domain: &'i Domain,
    caller: &'i Caller,
    source: &'i dyn Source,
    options: &'i Options,
    progress: &'i dyn Progress,
    stop: Stop,
    imported: Imported,
}

impl Run<'_> {
    async fn all(&mut self) -> Result<(), ImportError> {
        self.domain.allow_administration(self.caller, "berth:Import")?;
        self.domain.ensure_writable().await?;
        let source = self.source;
        let mut repositories = source.repositories();
        let mut matched = false;
        while let Some(entry) = unless_stopped(&self.stop, repositories.next()).await? {
            match entry? {
                Entry::Is(name) if !self.is_wanted(name.as_str()) => {}
                Entry::Unusable { name, .. } if !self.is_wanted(&name) => {}
                Entry::Is(name) => {
                    matched = true;
                    self.repository(&name).await?;
                }
                Entry::Unusable { name, reason } => {
                    matched = true;
                    self.leave_out(LeftOut { repository: name, digest: None, tag: None, reason });
                }
            }
        }
        match &self.options.repository {
            Some(pattern) if !matched => Err(ImportError::NothingMatches(pattern.clone())),
            _ => Ok(()),
        }
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.options.repository.as_ref().is_none_or(|pattern| matches(pattern, name))
    }

    /// The name that a repository of the source gets here.
    fn target(&self, name: &RepositoryName) -> Result<RepositoryName, String> {
        match &self.options.into {
            None => Ok(name.clone()),
            Some(into) => RepositoryName::parse(&format!("{into}/{name}")).map_err(|error| error.to_string()),
        }
    }

    async fn repository(&mut self, name: &RepositoryName) -> Result<(), ImportError> {
        self.progress.repository(name);
        let left_out = |reason| LeftOut { repository: name.to_string(), digest: None, tag: None, reason };
        match self.target(name) {
            Ok(target) => {
                self.imported.repositories += 1;
                graph::Walk::new(self, name, &target).roots().await
            }
            Err(reason) => {
                self.leave_out(left_out(reason));
                Ok(())
            }
        }
    }

    fn leave_out(&mut self, left_out: LeftOut) {
        self.progress.left_out(&left_out);
        self.imported.leave_out(left_out);
    }

    /// What a question to the source came to: an answer, or why this one thing will not come.
    async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<Result<T, String>, ImportError> {
        match unless_stopped(&self.stop, question).await? {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) if error.is_fatal() => Err(error.into()),
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}

/// Waits for something of the source's, but no longer than the import goes on. Operations of our own are not cut off.
async fn unless_stopped<T>(stop: &Stop, wanted: impl Future<Output = T>) -> Result<T, ImportError> {
    let mut stop = stop.clone();
    let stopped = async {
        if stop.wait_for(|stop| *stop).await.is_err() {
            // Nobody is left who could stop it.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = stopped => Err(ImportError::Stopped),
        answer = wanted => Ok(answer),
    }
}
