//! The settings of an account: `GetAccountSetting` and `PutAccountSetting`.

use super::Invalid;
use super::invalid::shown;

/// A setting of an account in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setting {
    /// `BASIC_SCAN_TYPE_VERSION`: which scanner basic scanning uses.
    BasicScanTypeVersion,
    /// `REGISTRY_POLICY_SCOPE`: which actions the registry's policy decides.
    RegistryPolicyScope,
    /// `BLOB_MOUNTING`: whether a push may mount a layer of another repository.
    BlobMounting,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::BasicScanTypeVersion, Self::RegistryPolicyScope, Self::BlobMounting];

    /// Reads a name as the API has it. `ValidationException` for any other.
    pub fn parse(name: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|setting| setting.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Invalid::validation("name", format!("'{}' is no account setting, allowed are: {names}", shown(name)))
        })
    }

    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BasicScanTypeVersion => "BASIC_SCAN_TYPE_VERSION",
            Self::RegistryPolicyScope => "REGISTRY_POLICY_SCOPE",
            Self::BlobMounting => "BLOB_MOUNTING",
        }
    }

    /// What holds where nothing was set. Blob mounting is on, for clients of the OCI distribution specification expect
    /// their mounts to be made.
    pub const fn default_value(self) -> &'static str {
        match self {
            Self::BasicScanTypeVersion => "AWS_NATIVE",
            Self::RegistryPolicyScope => "V2",
            Self::BlobMounting => "ENABLED",
        }
    }

    /// The values that it takes.
    pub const fn allowed(self) -> &'static [&'static str] {
        match self {
            Self::BasicScanTypeVersion => &["AWS_NATIVE"],
            Self::RegistryPolicyScope => &["V2"],
            Self::BlobMounting => &["ENABLED", "DISABLED"],
        }
    }

    /// Checks a new value. `ValidationException` for one that the setting does not take; values that it took once
    /// are told apart.
    pub fn check(self, value: &str) -> Result<&'static str, Invalid> {
        if let Some(allowed) = self.allowed().iter().find(|allowed| **allowed == value) {
            return Ok(allowed);
        }
        let why = match (self, value) {
            (Self::BasicScanTypeVersion, "CLAIR") => "CLAIR is deprecated and is not there any more".to_owned(),
            (Self::RegistryPolicyScope, "V1") => {
                "V1, in which the registry policy decides three actions only, cannot be set any more".to_owned()
            }
            (_, other) => format!("'{}' is no value of {}", shown(other), self.name()),
        };
        let allowed = self.allowed().join(", ");
        Err(Invalid::validation("value", format!("{why}, allowed for {}: {allowed}", self.name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecr::Exception;

    #[test]
    fn names_are_read_back() {
        for setting in Setting::ALL {
            assert_eq!(Setting::parse(setting.name()), Ok(setting));
            assert_eq!(setting.check(setting.default_value()), Ok(setting.default_value()));
        }
    }

    #[test]
    fn unknown_names_are_refused_and_the_known_ones_told() {
        for name in ["", "blob_mounting", "SOMETHING"] {
            let error = Setting::parse(name).unwrap_err();
            assert_eq!(error.exception, Exception::Validation);
            assert!(error.message.contains("BASIC_SCAN_TYPE_VERSION, REGISTRY_POLICY_SCOPE, BLOB_MOUNTING"));
        }
    }

    #[test]
    fn values_are_checked() {
        let refused = [
            (Setting::BasicScanTypeVersion, "CLAIR", "CLAIR is deprecated"),
            (Setting::RegistryPolicyScope, "V1", "three actions"),
            (Setting::RegistryPolicyScope, "V3", "'V3' is no value of REGISTRY_POLICY_SCOPE"),
            (Setting::BlobMounting, "enabled", "allowed for BLOB_MOUNTING: ENABLED, DISABLED"),
            (Setting::BlobMounting, "V1", "'V1' is no value"),
        ];
        for (setting, value, text) in refused {
            let error = setting.check(value).unwrap_err();
            assert_eq!(error.exception, Exception::Validation);
            assert!(error.message.contains(text), "{error}");
        }
        assert_eq!(Setting::BlobMounting.check("DISABLED"), Ok("DISABLED"));
    }
}
