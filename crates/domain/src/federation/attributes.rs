//! What the attributes of a SAML assertion say about a session.

use berth_federation::saml::Claims;

use super::FederationError;

const PREFIX: &str = "https://aws.amazon.com/SAML/Attributes/";

/// The shortest and the longest session that `SessionDuration` may ask for, in seconds.
const DURATIONS: std::ops::RangeInclusive<u64> = 900..=43_200;

/// What an assertion asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// `RoleSessionName`: the session's name.
    pub(super) session_name: String,
    /// `SessionDuration`, in seconds.
    pub(super) longest: Option<u64>,
    /// `PrincipalTag:KEY`: session tags.
    pub(super) tags: Vec<(String, String)>,
    /// `TransitiveTagKeys`.
    pub(super) transitive: Vec<String>,
    /// `SourceIdentity`.
    pub(super) source_identity: Option<String>,
}

impl Asked {
    /// Reads the attributes ("Configure SAML assertions for the authentication response").
    pub(super) fn read(claims: &Claims) -> Result<Self, FederationError> {
        let name = single(claims, "RoleSessionName")?;
        let name = name.ok_or_else(|| invalid("RoleSessionName is required in AuthnResponse"))?;
        Ok(Self {
            session_name: word("RoleSessionName", name)?,
            longest: single(claims, "SessionDuration")?.map(|value| duration(&value)).transpose()?,
            tags: tags(claims)?,
            transitive: claims.values(&named("TransitiveTagKeys")).map(str::to_owned).collect(),
            source_identity: single(claims, "SourceIdentity")?.map(|who| word("SourceIdentity", who)).transpose()?,
        })
    }
}

fn named(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn invalid(message: impl Into<String>) -> FederationError {
    FederationError::InvalidToken(message.into())
}

/// The value of an attribute that may have one.
fn single(claims: &Claims, name: &str) -> Result<Option<String>, FederationError> {
    let named = named(name);
    let mut values = claims.values(&named).map(str::to_owned);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(invalid(format!("{name} in AuthnResponse must have one value"))),
    }
}

/// Names of sessions and of who is behind them: `[\w+=,.@-]{2,64}`.
fn word(name: &str, value: String) -> Result<String, FederationError> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if (2..=64).contains(&value.len()) && value.bytes().all(is_fine) {
        return Ok(value);
    }
    Err(invalid(format!("{name} in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{{2,64}}")))
}

fn duration(value: &str) -> Result<u64, FederationError> {
    let seconds = value.parse().ok().filter(|seconds| DURATIONS.contains(seconds));
    seconds.ok_or_else(|| invalid("SessionDuration in AuthnResponse must be 900 to 43200 seconds"))
}

fn tags(claims: &Claims) -> Result<Vec<(String, String)>, FederationError> {
    let prefix = named("PrincipalTag:");
    let mut tags = Vec::new();
    for attribute in &claims.attributes {
        let Some(key) = attribute.name.strip_prefix(&prefix) else { continue };
        let [value] = &attribute.values[..] else {
            return Err(invalid(format!("PrincipalTag:{key} in AuthnResponse must have one value")));
        };
        let (longest_key, longest_value) = (128, 256);
        if key.is_empty() || key.chars().count() > longest_key || value.chars().count() > longest_value {
            return Err(invalid("a PrincipalTag in AuthnResponse is too long, or has no key"));
        }
        tags.push((key.to_owned(), value.clone()));
    }
    Ok(tags)
}

/// Whether one of the values of `Role` is this role with this provider, in either order.
pub(super) fn names_pair(claims: &Claims, role: &str, provider: &str) -> bool {
    let named = named("Role");
    claims.values(&named).any(|value| {
        let parts: Vec<&str> = value.split(',').map(str::trim).collect();
        parts == [role, provider] || parts == [provider, role]
    })
}

/// Attributes that trust policies may ask for, by the names that directories give them.
const DIRECTORY: &[(&str, &str)] = &[
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", "edupersonaffiliation"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.2", "edupersonnickname"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.3", "edupersonorgdn"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.4", "edupersonorgunitdn"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.5", "edupersonprimaryaffiliation"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "edupersonprincipalname"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.7", "edupersonentitlement"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.8", "edupersonprimaryorgunitdn"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.9", "edupersonscopedaffiliation"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.10", "edupersontargetedid"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.11", "edupersonassurance"),
    ("urn:oid:2.5.4.3", "cn"),
    ("urn:oid:2.5.4.3", "commonname"),
    ("urn:oid:2.5.4.4", "surname"),
    ("urn:oid:2.5.4.42", "givenname"),
    ("urn:oid:2.5.4.45", "x500uniqueidentifier"),
    ("urn:oid:0.9.2342.19200300.100.1.1", "uid"),
    ("urn:oid:0.9.2342.19200300.100.1.3", "mail"),
    ("urn:oid:0.9.2342.19200300.100.1.45", "organizationstatus"),
];

/// The condition keys of attributes, with all their values.
pub(super) fn condition_keys(claims: &Claims) -> Vec<(String, Vec<String>)> {
    let values = |name| claims.values(name).map(str::to_owned).collect::<Vec<_>>();
    let all = DIRECTORY.iter().map(|(name, key)| (format!("saml:{key}"), values(name)));
    all.filter(|(_, values)| !values.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_federation::saml::Attribute;

    fn claims(attributes: &[(&str, &[&str])]) -> Claims {
        let attribute = |(name, values): &(&str, &[&str])| Attribute {
            name: if name.contains(':') && !name.starts_with("PrincipalTag") {
                (*name).to_owned()
            } else {
                named(name)
            },
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        Claims {
            subject: "alice".to_owned(),
            subject_format: None,
            issuer: "i".to_owned(),
            audience: "a".to_owned(),
            recipient: "r".to_owned(),
            assertion_id: "x".to_owned(),
            attributes: attributes.iter().map(attribute).collect(),
            usable_until: 0,
            session_until: None,
        }
    }

    #[test]
    fn attributes_say_what_the_session_is_like() {
        let asked = Asked::read(&claims(&[
            ("RoleSessionName", &["alice@example.com"]),
            ("SessionDuration", &["900"]),
            ("PrincipalTag:team", &["blue"]),
            ("PrincipalTag:site", &[""]),
            ("TransitiveTagKeys", &["team", "site"]),
            ("SourceIdentity", &["alice"]),
            ("urn:other", &["x"]),
        ]));
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let expected = Asked {
            session_name: "alice@example.com".to_owned(),
            longest: Some(900),
            tags: vec![pair("team", "blue"), pair("site", "")],
            transitive: vec!["team".to_owned(), "site".to_owned()],
            source_identity: Some("alice".to_owned()),
        };
        assert_eq!(asked, Ok(expected));
    }

    #[test]
    fn attributes_that_make_no_session_are_refused() {
        let name: (&str, &[&str]) = ("RoleSessionName", &["alice"]);
        let cases: [&[(&str, &[&str])]; 9] = [
            &[],
            &[("RoleSessionName", &["a"])],
            &[("RoleSessionName", &["a b"])],
            &[("RoleSessionName", &["alice", "bob"])],
            &[name, ("SessionDuration", &["899"])],
            &[name, ("SessionDuration", &["43201"])],
            &[name, ("SessionDuration", &["1h"])],
            &[name, ("PrincipalTag:team", &["a", "b"])],
            &[name, ("SourceIdentity", &["*"])],
        ];
        for attributes in cases {
            assert!(
                matches!(Asked::read(&claims(attributes)), Err(FederationError::InvalidToken(_))),
                "{attributes:?}"
            );
        }
    }

    #[test]
    fn the_pair_must_be_among_the_roles() {
        let claims = claims(&[("Role", &["r1,p1", "p2 , r2", "r3", "r4,p4,r5"])]);
        let cases = [
            ("r1", "p1", true),
            ("r2", "p2", true),
            ("r1", "p2", false),
            ("r3", "r3", false),
            ("r4", "p4", false),
            ("r5", "p4", false),
        ];
        for (role, provider, expected) in cases {
            assert_eq!(names_pair(&claims, role, provider), expected, "{role} {provider}");
        }
    }

    #[test]
    fn directories_give_condition_keys() {
        let claims =
            claims(&[("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", &["staff", "member"]), ("urn:oid:2.5.4.999", &["x"])]);
        assert_eq!(
            condition_keys(&claims),
            [("saml:edupersonaffiliation".to_owned(), vec!["staff".to_owned(), "member".to_owned()])]
        );
    }
}
