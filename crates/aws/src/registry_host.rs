//! How the host of a registry is called: a template such as `{account}.dkr.ecr.{region}.example.org`, after the hosts that ECR
//! has (`aws_account_id.dkr.ecr.region.amazonaws.com`, "Private registry authentication in Amazon ECR").

use std::fmt;

use crate::{AccountId, Region};

/// The digits of an account id.
const ACCOUNT_CHARACTERS: usize = 12;
/// Characters of a host, filled in with the longest region (RFC 1035, 2.3.4).
const LONGEST: usize = 253;
/// Characters between two dots.
const LONGEST_LABEL: usize = 63;
/// Characters of a region's name.
const LONGEST_REGION: usize = 32;

/// A host, and maybe a port, in which an account id and a region may be left open.
#[derive(Clone, PartialEq, Eq)]
pub struct HostTemplate {
    text: String,
    pieces: Vec<Piece>,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Account,
    Region,
}

/// What a host fills a template with; `None` for what the template has not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filled {
    /// The account.
    pub account: Option<AccountId>,
    /// The region.
    pub region: Option<Region>,
}

impl HostTemplate {
    /// Reads a template: a host name in lower case, maybe with a port, in which `{account}` and `{region}` stand at most once
    /// each. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(read_port(port)?)),
            None => (text, None),
        };
        let pieces = read_pieces(host)?;
        let times = |kind: &Piece| pieces.iter().filter(|piece| *piece == kind).count();
        if times(&Piece::Account) > 1 || times(&Piece::Region) > 1 {
            return None;
        }
        let template = Self { text: text.to_owned(), pieces, port };
        let longest = template.host(&"0".repeat(ACCOUNT_CHARACTERS), &"a".repeat(LONGEST_REGION));
        is_host(&longest).then_some(template)
    }

    /// The template.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it leaves the account open.
    pub fn has_account(&self) -> bool {
        self.pieces.contains(&Piece::Account)
    }

    /// Whether it leaves the region open.
    pub fn has_region(&self) -> bool {
        self.pieces.contains(&Piece::Region)
    }

    /// The host of a registry, with the port where the template has one.
    pub fn fill(&self, account: &AccountId, region: &Region) -> String {
        let host = self.host(account.as_str(), region.as_str());
        self.port.map_or(host.clone(), |port| format!("{host}:{port}"))
    }

    /// What a host, maybe with a port, fills the template with; `None` where it is none of its hosts. Letters count in either
    /// case. Where the template has a port it must be the host's, which leaves out those that schemes imply; else any will do.
    pub fn match_host(&self, authority: &str) -> Option<Filled> {
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(read_port(port)?)),
            None => (authority, None),
        };
        let port_fits = self.port.is_none_or(|own| port.map_or(matches!(own, 80 | 443), |port| port == own));
        if !port_fits || host.len() > LONGEST || !host.is_ascii() {
            return None;
        }
        self.match_pieces(host)
    }

    fn match_pieces(&self, host: &str) -> Option<Filled> {
        let fixed = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Account => ACCOUNT_CHARACTERS,
            Piece::Region => 0,
        });
        // All pieces but the region have one length, so the rest is the region's.
        let region_length = host.len().checked_sub(fixed.sum())?;
        if region_length > 0 && !self.has_region() {
            return None;
        }
        let (mut rest, mut filled) = (host, Filled::default());
        for piece in &self.pieces {
            let length = match piece {
                Piece::Text(text) => text.len(),
                Piece::Account => ACCOUNT_CHARACTERS,
                Piece::Region => region_length,
            };
            let (here, behind) = rest.split_at_checked(length)?;
            rest = behind;
            match piece {
                Piece::Text(text) if !text.eq_ignore_ascii_case(here) => return None,
                Piece::Text(_) => {}
                Piece::Account => filled.account = Some(AccountId::parse(here).ok()?),
                Piece::Region => filled.region = Some(Region::parse(&here.to_ascii_lowercase()).ok()?),
            }
        }
        Some(filled)
    }

    fn host(&self, account: &str, region: &str) -> String {
        let mut host = String::new();
        for piece in &self.pieces {
            host.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Account => account,
                Piece::Region => region,
            });
        }
        host
    }
}

impl fmt::Debug for HostTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostTemplate({})", self.text)
    }
}

fn read_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port > 0)
}

fn read_pieces(host: &str) -> Option<Vec<Piece>> {
    let (mut pieces, mut rest) = (Vec::new(), host);
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, behind) = behind.split_once('}')?;
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        pieces.push(match name {
            "account" => Piece::Account,
            "region" => Piece::Region,
            _ => return None,
        });
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Some(pieces)
}

/// A name of labels in lower case (RFC 1123, 2.1).
fn is_host(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_label = |label: &str| {
        let ends_well = !label.starts_with('-') && !label.ends_with('-');
        (1..=LONGEST_LABEL).contains(&label.len()) && label.bytes().all(plain) && ends_well
    };
    text.len() <= LONGEST && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECR: &str = "{account}.dkr.ecr.{region}.example.org";

    fn template(text: &str) -> HostTemplate {
        HostTemplate::parse(text).unwrap()
    }

    fn matched(text: &str, host: &str) -> Option<(Option<String>, Option<String>)> {
        let filled = template(text).match_host(host)?;
        Some((filled.account.map(|id| id.to_string()), filled.region.map(|region| region.to_string())))
    }

    #[test]
    fn templates_are_read() {
        for good in [
            ECR,
            "r.example.org",
            "{account}.r.org:8443",
            "r-{account}-{region}.org",
            "{region}",
            "{account}{region}.org",
        ] {
            assert_eq!(template(good).as_str(), good);
        }
        let long = format!("{}.{ECR}", "a".repeat(64));
        let longer = format!("{}{ECR}", "a.".repeat(110));
        for bad in [
            "",
            "{account}.{account}.org",
            "{region}-{region}.org",
            "{Account}.org",
            "{}.org",
            "{account.org",
            "account}.org",
            "{{account}}.org",
            "{account}..org",
            ".org",
            "{account}.org.",
            "{account}.Org",
            "{account}_r.org",
            "-{account}.org",
            "{account}-.org",
            "{account}.org:",
            "{account}.org:0",
            "{account}.org:+1",
            "{account}.org:65536",
            "{account}.org:{region}",
            "https://{account}.org",
            "{account}.org/a",
            "[::1]:5000",
            "caf\u{e9}.org",
            "r-{account}-{region}-aaaaaaaaaaaaaaaaaaa.org",
            &long,
            &longer,
        ] {
            assert_eq!(HostTemplate::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_host_gives_account_and_region() {
        let found =
            |account: Option<&str>, region: Option<&str>| Some((account.map(str::to_owned), region.map(str::to_owned)));
        let (a, r) = (Some("012345678901"), Some("eu-west-1"));
        for (text, host, expected) in [
            (ECR, "012345678901.dkr.ecr.eu-west-1.example.org", found(a, r)),
            (ECR, "012345678901.DKR.ecr.EU-west-1.Example.ORG:1234", found(a, r)),
            ("{account}.r.org:8443", "012345678901.r.org:8443", found(a, None)),
            ("{account}.r.org:443", "012345678901.r.org", found(a, None)),
            ("{region}.r.org", "eu-west-1.r.org", found(None, r)),
            ("r-{region}-{account}.org", "r-eu-west-1-012345678901.org", found(a, r)),
            ("{account}{region}.org", "012345678901eu-west-1.org", found(a, r)),
            ("r.org", "R.org:1", found(None, None)),
        ] {
            assert_eq!(matched(text, host), expected, "{text} {host}");
        }
    }

    #[test]
    fn other_hosts_give_nothing() {
        for host in [
            "",
            ".",
            ":",
            ":80",
            "012345678901.dkr.ecr.eu-west-1.example.org.",
            "012345678901.dkr.ecr.eu-west-1.example.org:",
            "012345678901.dkr.ecr.eu-west-1.example.org:0",
            "012345678901.dkr.ecr.eu-west-1.example.org:99999",
            "012345678901.dkr.ecr.eu-west-1.example.org:1:2",
            "012345678901.dkr.ecr..example.org",
            "012345678901.dkr.ecr.a.b.example.org",
            "01234567890.dkr.ecr.eu-west-1.example.org",
            "0123456789012.dkr.ecr.eu-west-1.example.org",
            "01234567890a.dkr.ecr.eu-west-1.example.org",
            "x012345678901.dkr.ecr.eu-west-1.example.org",
            "012345678901.dkr.ecr.eu_west.example.org",
            "012345678901.dkr.ecr.eu-west-1.example.org.evil.org",
            "[::1]:5000",
            "[::1]",
            "127.0.0.1:5000",
            "..",
            "user@012345678901.dkr.ecr.eu-west-1.example.org",
            "\u{661}12345678901.dkr.ecr.eu-west-1.example.org",
            &"a".repeat(100_000),
            &format!("012345678901.dkr.ecr.{}.example.org", "a".repeat(33)),
        ] {
            assert_eq!(template(ECR).match_host(host), None, "{host:.80}");
        }
        for (text, host) in [
            ("{account}.r.org:8443", "012345678901.r.org"),
            ("{account}.r.org:8443", "012345678901.r.org:443"),
            ("{account}.r.org", "0123456789011.r.org"),
            ("r.org", "r.orga"),
        ] {
            assert_eq!(template(text).match_host(host), None, "{text} {host}");
        }
    }

    #[test]
    fn what_is_filled_in_is_found_again() {
        let (account, region) = (AccountId::parse("000000000001").unwrap(), Region::parse("eu-central-1").unwrap());
        for text in [ECR, "{account}.r.org:8443", "r-{account}-{region}.org", "{region}.org", "r.org"] {
            let template = template(text);
            let filled = template.match_host(&template.fill(&account, &region)).unwrap();
            assert_eq!(filled.account, template.has_account().then(|| account.clone()), "{text}");
            assert_eq!(filled.region, template.has_region().then(|| region.clone()), "{text}");
        }
        assert_eq!(template(ECR).fill(&account, &region), "000000000001.dkr.ecr.eu-central-1.example.org");
        assert_eq!(template("{account}.r.org:8443").fill(&account, &region), "000000000001.r.org:8443");
    }
}
