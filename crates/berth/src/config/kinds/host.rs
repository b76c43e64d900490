//! Hosts of registries.

use berth_aws::registry_host::HostTemplate;
use serde_json::Value;

use crate::config::setting::Kind;

impl Kind for HostTemplate {
    fn expected() -> String {
        "a host in lower case, maybe with a port, in which {account} and {region} may stand once each: \
         {account}.dkr.ecr.{region}.example.org"
            .to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn show(&self) -> Value {
        Value::from(self.as_str())
    }
}
