//! The types that settings have, one file each. Every `parse` is total: any text gives a value or `None`.

mod challenge;
mod create_on_push;
mod database;
mod duration;
mod entrance;
mod former_store;
mod host;
mod key_file;
mod listen;
mod log;
mod network;
mod pattern;
mod plain;
mod several;
mod share;
mod size;
mod throttle;
mod url;

use serde_json::Value;

use super::setting::Setting;

pub use challenge::Challenge;
pub use database::DatabaseUrl;
pub use entrance::{Apis, ClientRule, EndpointId, ProxyProtocol, TlsVersion};
pub use former_store::{BucketUrl, FormerStore};
pub use key_file::KeyFile;
pub use listen::ListenAddress;
pub use log::{LogFilter, LogFormat};
pub use network::Network;
pub use pattern::Pattern;
pub use share::Share;
pub use size::Size;
pub use url::{Endpoint, PublicUrl};

/// A setting's default as it is printed. A test holds the catalogue to defaults that parse.
pub(super) fn parsed_default(setting: &Setting) -> Value {
    let text = Value::from(setting.default);
    setting.canonical(&text).unwrap_or(text)
}

#[cfg(test)]
mod tests;
