//! How clients come in at a listener.

use serde_json::Value;

use crate::config::Kind;

/// Makes a kind of a few words.
macro_rules! words {
    ($(#[$doc:meta])+ $name:ident, $expected:literal { $($(#[$of:meta])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$of])+ $variant,)+
        }

        impl Kind for $name {
            fn expected() -> String {
                $expected.to_owned()
            }

            fn parse(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn show(&self) -> Value {
                Value::from(match self {
                    $(Self::$variant => $word,)+
                })
            }
        }
    };
}

words! {
    /// Whether clients show certificates.
    ClientRule, "off, optional or required" {
        /// They are not asked.
        Off = "off",
        /// They are asked, and come in without one too.
        Optional = "optional",
        /// Nobody comes in without one.
        Required = "required",
    }
}

words! {
    /// Whether proxies say by the PROXY protocol who is behind them.
    ProxyProtocol, "off, accept or require" {
        /// They do not.
        Off = "off",
        /// Trusted ones may.
        Accept = "accept",
        /// Every connection is a trusted one's, and begins so.
        Require = "require",
    }
}

words! {
    /// A version of TLS.
    TlsVersion, "1.2 or 1.3" {
        /// RFC 5246.
        V1_2 = "1.2",
        /// RFC 8446.
        V1_3 = "1.3",
    }
}

words! {
    /// What a listener serves.
    Apis, "all, oci or aws" {
        /// Everything.
        All = "all",
        /// The OCI distribution API and its tokens.
        Oci = "oci",
        /// The APIs of AWS.
        Aws = "aws",
    }
}

/// The id of an endpoint, in AWS's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointId(String);

impl EndpointId {
    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Kind for EndpointId {
    fn expected() -> String {
        "an id such as vpce-1a2b3c4d: vpce- and lower-case letters, digits and dashes".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("vpce-")?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        (!rest.is_empty() && rest.len() <= 64 && rest.bytes().all(plain)).then(|| Self(text.to_owned()))
    }

    fn show(&self) -> Value {
        Value::from(self.as_str())
    }
}
