//! The oracle: clients that write down what they ask and what was answered, and a check that everything so is.
//!
//! Each [`Pusher`] works on repositories of its own. Before a call it appends the intent to its log, after the call the answer,
//! or that there was none; the log lies outside of what may fail. [`Model`] is a fold over such events: it knows what must be in
//! the registry, what must not, and what may be. A check reads the log from disk into a fresh model and compares the registry
//! with it; everything acknowledged is pulled and hashed.
//!
//! [`Oracle`] keeps several pushers together:
//!
//! ```no_run
//! # use berth_testkit::{Server, oracle::{Oracle, Settings}};
//! # let mut server = Server::builder("berth").start();
//! let mut oracle = Oracle::new(&Settings::seeded(7));
//! oracle.work_until_gone(&server.client(), || server.kill9());
//! server.restart();
//! oracle.settled();
//! oracle.check_all(&server.client());
//! ```

mod check;
mod event;
mod group;
mod judge;
mod model;
mod operations;
mod possible;
mod pusher;
mod record;

pub use event::{Answer, Call, Event, Sight, What};
pub use group::{Oracle, Settings};
pub use model::{Blob, Manifest, Model, Repository, Upload};
pub use possible::Possible;
pub use pusher::{Figures, Pusher};
pub use record::Record;
