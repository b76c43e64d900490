//! Where files lie: as CloudTrail has them in a bucket.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html> (file names) and
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html>.

use berth_aws::{AccountId, Region};
use berth_store::Timestamp;
use ring::digest::{SHA256, digest};

/// An account in a region: each has files of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The account, 12 digits.
    pub account: String,
    /// The region.
    pub region: String,
}

/// The two files of a range and a scope, below the folder of the export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHMMZ_UNIQUE.json.gz`.
    pub records: String,
    /// The digest file: the same with `CloudTrail-Digest` in both places and `.json` at the end.
    pub digest: String,
}

/// A range of links whose files are planned and not settled: some are there, perhaps, and the others are being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub(super) links: (u64, u64),
    pub(super) chained_at: Timestamp,
    pub(super) hash: Vec<u8>,
}

impl Pending {
    /// Where the files of a scope are going to lie.
    pub fn place(&self, scope: &Scope) -> Place {
        scope.place(self.links, self.chained_at, &self.hash)
    }
}

impl Scope {
    /// A scope of the texts that a record has; `None` where they are not what an account and a region can be, so that no record
    /// leads out of the folder.
    pub fn parse(account: &str, region: &str) -> Option<Self> {
        let (account, region) = (AccountId::parse(account).ok()?, Region::parse(region).ok()?);
        Some(Self { account: account.as_str().to_owned(), region: region.as_str().to_owned() })
    }

    /// The property that holds its latest digest file.
    pub(super) fn property(&self) -> String {
        format!("{}{}/{}", super::OF_SCOPE, self.account, self.region)
    }

    /// Where the files of the links `first` to `last` lie: by when the last of them was made, and named by their numbers and the
    /// last one's hash, so that the same range has the same name and another chain another one.
    pub fn place(&self, (first, last): (u64, u64), chained_at: Timestamp, hash: &[u8]) -> Place {
        let Self { account, region } = self;
        let text = chained_at.to_string();
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or("00");
        let (year, month, day, hour, minute) = (part(0, 4), part(5, 7), part(8, 10), part(11, 13), part(14, 16));
        let unique = unique(&format!("{account}/{region}/{first}/{last}/{}", hex::encode(hash)));
        let path = |kind: &str, end: &str| {
            format!(
                "AWSLogs/{account}/{kind}/{region}/{year}/{month}/{day}/\
                 {account}_{kind}_{region}_{year}{month}{day}T{hour}{minute}Z_{unique}{end}"
            )
        };
        Place { records: path("CloudTrail", ".json.gz"), digest: path("CloudTrail-Digest", ".json") }
    }
}

/// Sixteen letters and digits, as CloudTrail's names have.
fn unique(of: &str) -> String {
    let mut text = hex::encode_upper(digest(&SHA256, of.as_bytes()));
    text.truncate(16);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lie_where_cloudtrail_puts_them() {
        let scope = Scope::parse("123456789012", "us-east-1").unwrap();
        let at = Timestamp::from_millis(1_700_000_000_250);
        let place = scope.place((3, 7), at, &[1; 32]);
        let unique = place.records.rsplit_once('_').unwrap().1.strip_suffix(".json.gz").unwrap();
        let begins =
            "AWSLogs/123456789012/CloudTrail/us-east-1/2023/11/14/123456789012_CloudTrail_us-east-1_20231114T2213Z_";
        assert_eq!(place.records, format!("{begins}{unique}.json.gz"));
        assert_eq!(place.digest, format!("{}{unique}.json", begins.replace("CloudTrail", "CloudTrail-Digest")));
        assert_eq!((unique.len(), unique.bytes().all(|byte| byte.is_ascii_alphanumeric())), (16, true));
        assert_eq!(scope.place((3, 7), at, &[1; 32]), place);
        for other in
            [scope.place((3, 8), at, &[1; 32]), scope.place((2, 7), at, &[1; 32]), scope.place((3, 7), at, &[2; 32])]
        {
            assert_ne!(other, place);
        }
    }

    #[test]
    fn no_record_leads_out_of_the_folder() {
        for (account, region) in [
            ("../../../etc", "us-east-1"),
            ("", "us-east-1"),
            ("123456789012", ".."),
            ("123456789012", "a/b"),
            ("1", ""),
        ] {
            assert_eq!(Scope::parse(account, region), None, "{account} {region}");
        }
    }
}
