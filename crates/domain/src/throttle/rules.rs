//! What quotas there are: those of a profile, and those that the operator sets instead.

use std::fmt;

use berth_aws::protocol::Service;
use berth_aws::{cloudtrail::CLOUD_TRAIL, ecr::ECR, iam::IAM, sts::STS};

use super::bucket::Limit;

/// The quotas that ECR documents for an account, in calls per second ("Amazon ECR service quotas", user guide). AWS gives no
/// bursts with them; one second's worth is taken.
const OF_ECR: [(&str, u64); 8] = [
    ("BatchCheckLayerAvailability", 1_000),
    ("BatchGetImage", 2_000),
    ("CompleteLayerUpload", 100),
    ("GetAuthorizationToken", 500),
    ("GetDownloadUrlForLayer", 3_000),
    ("InitiateLayerUpload", 100),
    ("PutImage", 10),
    ("UploadLayerPart", 500),
];
/// The highest rate and burst that can be set: more is no limit.
const MOST: u64 = 1_000_000;
/// The services, by the prefix of their actions.
static SERVICES: [(&str, &Service); 4] = [("ecr", &ECR), ("iam", &IAM), ("sts", &STS), ("cloudtrail", &CLOUD_TRAIL)];

/// Which quotas hold where nothing else is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Nothing is limited.
    #[default]
    Off,
    /// Those that ECR documents.
    Ecr,
}

/// Whose calls are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Those of all principals of an account, or of one address where nobody is logged in.
    Account,
    /// Those of one user or role.
    Principal,
}

/// One quota as an operator sets it: `[account:|principal:]OPERATION=RATE[/BURST]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateRule {
    scope: Scope,
    /// `ecr`; `None` for all services.
    service: Option<String>,
    /// `PutImage`; `None` for all operations.
    operation: Option<String>,
    /// `None` for no limit.
    limit: Option<Limit>,
}

/// All quotas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// What holds where nothing else is set.
    pub profile: Profile,
    /// What is set.
    pub rates: Vec<RateRule>,
}

impl Rules {
    /// Whether nothing is limited at all.
    pub fn is_off(&self) -> bool {
        self.profile == Profile::Off
    }

    /// The quota of an operation such as `ecr`, `PutImage`; `None` where it has none. What names the operation goes before what
    /// names its service, and that before what names all; of two that are alike the last holds.
    pub fn limit(&self, scope: Scope, service: &str, operation: &str) -> Option<Limit> {
        let fits = |rule: &&RateRule| rule.scope == scope && rule.fits(service, operation);
        let set = self.rates.iter().filter(fits).max_by_key(|rule| rule.is_about());
        match (set, scope) {
            (Some(rule), _) => rule.limit,
            (None, Scope::Account) => self.of_profile(service, operation),
            (None, Scope::Principal) => None,
        }
    }

    fn of_profile(&self, service: &str, operation: &str) -> Option<Limit> {
        if self.profile == Profile::Off || service != "ecr" {
            return None;
        }
        OF_ECR.iter().find(|(name, _)| *name == operation).map(|(_, rate)| Limit::per_second(*rate))
    }
}

impl RateRule {
    /// Reads a quota; `None` where the text is none, or names an operation that is not served.
    pub fn parse(text: &str) -> Option<Self> {
        let (what, limit) = text.split_once('=')?;
        let (scope, what) = match what.split_once(':') {
            Some(("account", rest)) => (Scope::Account, rest),
            Some(("principal", rest)) => (Scope::Principal, rest),
            _ => (Scope::Account, what),
        };
        let (service, operation) = match what.split_once(':') {
            Some((service, operation)) => (Some(service), operation),
            None if what == "*" => (None, what),
            None => (Some("ecr"), what),
        };
        let operation = Some(operation).filter(|operation| *operation != "*");
        if let Some(service) = service {
            let (_, served) = SERVICES.iter().find(|(name, _)| *name == service)?;
            let is_served = |name: &str| served.operations.iter().any(|operation| operation.name == name);
            operation.is_none_or(is_served).then_some(())?;
        }
        let limit = parse_limit(limit)?;
        Some(Self { scope, service: service.map(str::to_owned), operation: operation.map(str::to_owned), limit })
    }

    fn fits(&self, service: &str, operation: &str) -> bool {
        self.service.as_deref().is_none_or(|own| own == service)
            && self.operation.as_deref().is_none_or(|own| own == operation)
    }

    /// How closely it says what it is about.
    fn is_about(&self) -> u8 {
        u8::from(self.service.is_some()) + u8::from(self.operation.is_some())
    }
}

impl fmt::Display for RateRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = if self.scope == Scope::Principal { "principal:" } else { "" };
        let service = self.service.as_deref().map(|service| format!("{service}:")).unwrap_or_default();
        write!(f, "{scope}{service}{}=", self.operation.as_deref().unwrap_or("*"))?;
        let Some(Limit { rate, burst }) = self.limit else { return f.write_str("0") };
        write!(f, "{}", rate / 1000)?;
        if rate % 1000 > 0 {
            write!(f, ".{}", format!("{:03}", rate % 1000).trim_end_matches('0'))?;
        }
        if burst == default_burst(rate) { Ok(()) } else { write!(f, "/{burst}") }
    }
}

/// `RATE[/BURST]`: calls per second, with up to three decimal places, and calls at once.
#[allow(clippy::option_option, reason = "a quota that cannot be read is another thing than none")]
fn parse_limit(text: &str) -> Option<Option<Limit>> {
    let (rate, burst) = text.split_once('/').map_or((text, None), |(rate, burst)| (rate, Some(burst)));
    let rate = thousandths(rate)?;
    let burst = burst.map_or(Some(default_burst(rate)), number).filter(|burst| (1..=MOST).contains(burst))?;
    Some((rate > 0).then_some(Limit { rate, burst }))
}

/// One second's worth of calls.
fn default_burst(rate: u64) -> u64 {
    rate.div_ceil(1000).max(1)
}

fn thousandths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    if part.is_empty() || part.len() > 3 {
        return None;
    }
    let whole = number(whole).filter(|whole| *whole <= MOST)?;
    Some(whole * 1000 + number(&format!("{part:0<3}"))?)
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rates: &[&str]) -> Rules {
        let rates = rates.iter().map(|rate| RateRule::parse(rate).unwrap()).collect();
        Rules { profile: Profile::Ecr, rates }
    }

    #[test]
    fn a_rate_is_read_and_shown() {
        for (text, shown) in [
            ("PutImage=10", "ecr:PutImage=10"),
            ("account:ecr:PutImage=10/10", "ecr:PutImage=10"),
            ("principal:ecr:*=5/100", "principal:ecr:*=5/100"),
            ("*=0", "*=0"),
            ("principal:*=0.5", "principal:*=0.5"),
            ("sts:AssumeRoleWithWebIdentity=0.025/3", "sts:AssumeRoleWithWebIdentity=0.025/3"),
            ("iam:CreateUser=1000000/1000000", "iam:CreateUser=1000000"),
            ("cloudtrail:LookupEvents=2", "cloudtrail:LookupEvents=2"),
        ] {
            let read = RateRule::parse(text).unwrap();
            assert_eq!(read.to_string(), shown);
            assert_eq!(RateRule::parse(shown).unwrap(), read);
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in [
            "",
            "=",
            "PutImage",
            "PutImage=",
            "=5",
            "PutImage=-1",
            "PutImage=+1",
            "PutImage=1e3",
            "PutImage=1.2345",
            "PutImage=1.",
            "PutImage=.5",
            "PutImage=5/0",
            "PutImage=5/",
            "PutImage=5/1/1",
            "PutImage=1000001",
            "PutImage=99999999999999999999999",
            "putimage=5",
            "PushImage=5",
            "s3:GetObject=5",
            "*:PutImage=5",
            "ecr:Put*=5",
            "iam:PutImage=5",
            "account:principal:PutImage=5",
            "somebody:ecr:PutImage=5",
        ] {
            assert_eq!(RateRule::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_set_goes_before_the_profile_and_the_closer_before_the_wider() {
        let limit = |rates: &[&str], scope, service: &str, operation: &str| {
            rules(rates).limit(scope, service, operation).map(|limit| (limit.rate, limit.burst))
        };
        let account = |rates: &[&str], service: &str, operation: &str| limit(rates, Scope::Account, service, operation);
        assert_eq!(account(&[], "ecr", "PutImage"), Some((10_000, 10)));
        assert_eq!(account(&[], "ecr", "GetDownloadUrlForLayer"), Some((3_000_000, 3_000)));
        assert_eq!(account(&[], "ecr", "DescribeImages"), None);
        assert_eq!(account(&[], "iam", "PutImage"), None);
        assert_eq!(account(&["*=7"], "ecr", "PutImage"), Some((7_000, 7)));
        assert_eq!(account(&["ecr:*=8", "*=7"], "ecr", "PutImage"), Some((8_000, 8)));
        assert_eq!(account(&["PutImage=9/2", "ecr:*=8", "*=7"], "ecr", "PutImage"), Some((9_000, 2)));
        assert_eq!(account(&["PutImage=0", "*=7"], "ecr", "PutImage"), None);
        assert_eq!(account(&["PutImage=1", "PutImage=2"], "ecr", "PutImage"), Some((2_000, 2)));
        assert_eq!(account(&["principal:*=7"], "ecr", "PutImage"), Some((10_000, 10)));
        assert_eq!(limit(&["principal:*=7"], Scope::Principal, "iam", "GetUser"), Some((7_000, 7)));
        assert_eq!(limit(&["*=7"], Scope::Principal, "iam", "GetUser"), None);
    }

    #[test]
    fn every_quota_of_the_profile_is_an_operation() {
        for (name, _) in OF_ECR {
            assert!(ECR.operations.iter().any(|operation| operation.name == name), "{name}");
        }
    }
}
