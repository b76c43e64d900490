//! How a repository is encrypted at rest.

use super::invalid::{Exception, Invalid};
use super::shapes as s;

/// What people are told who ask for a key of KMS.
const NOT_YET: &str =
    "Berth does not encrypt at rest with KMS keys yet. Leave encryptionConfiguration out or use AES256.";

/// Checks the encryption of a new repository: AES256, which takes no key.
///
/// `KmsException` for KMS and `KMS_DSSE`, which are not there yet; nobody shall believe that their key guards the bytes.
pub fn check(configuration: &s::EncryptionConfiguration) -> Result<(), Invalid> {
    if configuration.encryption_type != "AES256" {
        return Err(Invalid::new(Exception::Kms, NOT_YET));
    }
    without_key(configuration.kms_key.as_deref())
}

/// The same for a template of repositories, whose operations know no `KmsException`: `InvalidParameterException`.
pub fn check_of_template(
    configuration: &s::EncryptionConfigurationForRepositoryCreationTemplate,
) -> Result<(), Invalid> {
    if configuration.encryption_type != "AES256" {
        return Err(Invalid::parameter("encryptionConfiguration", NOT_YET));
    }
    // The pattern of the model takes an empty key for none.
    without_key(configuration.kms_key.as_deref().filter(|key| !key.is_empty()))
}

fn without_key(key: Option<&str>) -> Result<(), Invalid> {
    match key {
        None => Ok(()),
        Some(_) => Err(Invalid::parameter(
            "encryptionConfiguration",
            "kmsKey goes with the encryption type KMS or KMS_DSSE only, and the type is AES256",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd";

    #[test]
    fn aes256_is_all_there_is() {
        let table = [
            ("AES256", None, None),
            ("AES256", Some(KEY), Some(Exception::InvalidParameter)),
            ("KMS", None, Some(Exception::Kms)),
            ("KMS", Some(KEY), Some(Exception::Kms)),
            ("KMS_DSSE", Some("alias/mine"), Some(Exception::Kms)),
        ];
        for (encryption_type, key, expected) in table {
            let configuration =
                s::EncryptionConfiguration { encryption_type: encryption_type.into(), kms_key: key.map(str::to_owned) };
            let found = check(&configuration).err();
            assert_eq!(found.as_ref().map(|error| error.exception), expected, "{encryption_type} {key:?}");
            let not_yet =
                found.is_some_and(|error| error.message.contains("does not encrypt at rest with KMS keys yet"));
            assert_eq!(not_yet, encryption_type != "AES256");
        }
    }

    #[test]
    fn a_template_may_leave_the_key_empty() {
        let table = [
            ("AES256", None, true),
            ("AES256", Some(""), true),
            ("AES256", Some(KEY), false),
            ("KMS", None, false),
            ("KMS_DSSE", Some(KEY), false),
        ];
        for (encryption_type, key, good) in table {
            let configuration = s::EncryptionConfigurationForRepositoryCreationTemplate {
                encryption_type: encryption_type.into(),
                kms_key: key.map(str::to_owned),
            };
            let found = check_of_template(&configuration);
            assert_eq!(found.is_ok(), good, "{encryption_type} {key:?}");
        }
    }
}
