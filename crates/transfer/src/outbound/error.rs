//! Why a server was not asked, or gave nothing. Never holds what it answered: whoever named the address may be shown this.

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// No address that is called: not `https`, or with a user, or unreadable.
    #[error("only https:// addresses without user and password are asked")]
    Address,
    /// The host is, or resolves to, what may not be reached. Names the host.
    #[error("{0} is at an address that is not reached from here: outbound.allowed_networks names those that are")]
    Refused(String),
    /// The name has no address.
    #[error("the name {0} cannot be resolved")]
    Unresolved(String),
    /// No connection, or it broke.
    #[error("{0} cannot be reached")]
    Unreachable(String),
    /// The certificate is not that of the host, or of nobody who is trusted.
    #[error(
        "TLS with {0} fails: its certificate must be for that name, by an authority of the system or of outbound.tls_ca"
    )]
    Tls(String),
    /// It sends elsewhere.
    #[error("{0} redirects, which is not followed")]
    Redirected(String),
    /// Another status than 200.
    #[error("{host} answers with the status {status}")]
    Status {
        /// The host.
        host: String,
        /// The status.
        status: u16,
    },
    /// More than was asked for.
    #[error("{0} answers with too much")]
    TooLarge(String),
    /// Not in time.
    #[error("{0} does not answer in time")]
    Timeout(String),
    /// No server is asked from here.
    #[error("no server is asked from here")]
    Closed,
}
