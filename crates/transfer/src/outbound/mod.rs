//! Asking servers whose addresses people give to the registry: issuers of tokens, and whoever else is called at an address that
//! is a setting or a parameter.
//!
//! Whoever may name an address must not reach with it what only the registry's machine can: [`AddressRules`] says which addresses
//! may be connected to. A name is resolved once, every answer is judged, and the connection goes to what was judged. Only `https`,
//! no redirect is followed, and what comes back is bounded in size and time.

mod addresses;
mod error;
mod fetch;
mod resolve;
mod tls;

pub use addresses::{AddressRules, Network};
pub use error::OutboundError;
pub use fetch::{Closed, Fetch, Outbound};
pub use resolve::{Resolve, SystemResolver};
