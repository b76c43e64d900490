//! Every system call of a running process, as it is made: counted, named, and on wish made to fail or to be the last one.
//!
//! A [`Tracer`] attaches to a process with all its threads and those to come, and stops each at the entry and exit of every
//! call. Calls on files, folders and sockets get names that are the same in every run, as `pwrite64 berth.db-wal #3` or
//! `fsync blobs/… #1`: paths are below a root, random keys are an ellipsis, and the number counts calls of that name over all
//! threads. A plan looks at each at its entry and may choose a [`Fault`].
//!
//! A process that is killed leaves what its calls left, nothing more and nothing less. So the entries of all calls that
//! change something are all the distinct moments at which it can be killed.
//!
//! What was written, and which of it was synced, is kept too: a [`Journal`] gives the folder as a power cut might leave it.

mod journal;
mod point;
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod table;
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod thread;
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod tracer;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
#[path = "elsewhere.rs"]
mod tracer;

pub use journal::Journal;
pub use point::{Class, Fault, Plan, Point, Seen, never};
pub use tracer::{Stopped, Tracer};
