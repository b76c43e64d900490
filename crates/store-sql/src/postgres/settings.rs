//! Where the database is and how it is used.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::error::describe;

/// How to reach PostgreSQL and how much of it to use.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// The server, the database and who asks.
    pub url: PostgresUrl,
    /// Connections that one node opens at most.
    pub connections: usize,
    /// The longest that one statement may take.
    pub statement_timeout: Duration,
    /// File with the certificates of authorities, PEM. `None`: those that the system trusts.
    pub tls_ca: Option<PathBuf>,
}

/// A connection string: `postgres://user:password@host:port/database`. It is never printed whole.
#[derive(Clone, PartialEq)]
pub struct PostgresUrl {
    pub(super) config: Config,
}

/// Why a text is no connection string. It does not repeat the text.
#[derive(Debug, thiserror::Error)]
#[error("not a PostgreSQL connection string ({0}): postgres://USER:PASSWORD@HOST:5432/DATABASE")]
pub struct UrlError(String);

impl PostgresUrl {
    /// The same, with a password, which takes the place of one in the url.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }

    /// Whether the url itself holds a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// Reads a connection string. `sslmode` may be `disable`, `require`, or `verify-full` (the same as `require` here:
    /// where TLS is used, the server's certificate is always checked). Without it, TLS is required of servers on other
    /// machines and not asked of those on this one.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(UrlError("it does not begin with postgres://".to_owned()));
        }
        let plain = text.replace("sslmode=verify-full", "sslmode=require");
        let mut config = Config::from_str(&plain).map_err(|error| UrlError(describe(&error)))?;
        if config.get_hosts().is_empty() {
            return Err(UrlError("it names no host".to_owned()));
        }
        if !text.contains("sslmode=") {
            let here = config.get_hosts().iter().all(is_here);
            config.ssl_mode(if here { SslMode::Disable } else { SslMode::Require });
        }
        Ok(Self { config })
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) if name == "localhost" => true,
        Host::Tcp(name) => name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()),
    }
}

impl fmt::Display for PostgresUrl {
    /// Hosts and database: enough to know which one it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let hosts: Vec<_> = self.config.get_hosts().iter().map(host).collect();
        write!(f, "postgres://{}/{}", hosts.join(","), self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(text: &str) -> SslMode {
        PostgresUrl::parse(text).unwrap().config.get_ssl_mode()
    }

    #[test]
    fn tls_is_required_of_other_machines() {
        for here in ["localhost", "127.0.0.1", "%2Frun%2Fpostgresql"] {
            assert_eq!(mode(&format!("postgres://u@{here}/db")), SslMode::Disable, "{here}");
        }
        assert_eq!(mode("postgres://u@db.example.org/db"), SslMode::Require);
        assert_eq!(mode("postgres://u@localhost,db.example.org/db"), SslMode::Require);
        assert_eq!(mode("postgres://u@db.example.org/db?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://u@localhost/db?sslmode=verify-full"), SslMode::Require);
    }

    #[test]
    fn what_is_printed_holds_no_password() {
        let url = PostgresUrl::parse("postgres://berth:s3cret@db.example.org:5433/registry").unwrap();
        assert_eq!(format!("{url} {url:?}"), "postgres://db.example.org/registry postgres://db.example.org/registry");
    }

    #[test]
    fn what_is_refused_is_not_repeated() {
        for text in ["", "s3cret", "mysql://u:s3cret@h/d", "postgres://u:s3cret@h:port/d", "postgres:///d?x=s3cret"] {
            let told = PostgresUrl::parse(text).unwrap_err().to_string();
            assert!(!told.contains("s3cret"), "{told}");
        }
    }
}
