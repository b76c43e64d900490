//! Which events are looked for: one attribute is asked for, as CloudTrail takes no more, and the others are compared here.

use berth_aws::cloudtrail::shapes::Event;
use berth_domain::audit::LookupAttribute;
use serde_json::Value;

/// Flags that an event must fit, all of them.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Wanted {
    /// The operation, such as `DeleteRepository`.
    #[arg(long, value_name = "NAME")]
    pub event_name: Option<String>,
    /// Who did it: the name of a user, or of a role's session.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// What it was done to: a repository or another ARN.
    #[arg(long, value_name = "NAME")]
    pub resource: Option<String>,
    /// The access key that it was asked with.
    #[arg(long, value_name = "ID")]
    pub access_key: Option<String>,
    /// The event itself.
    #[arg(long, value_name = "ID")]
    pub event_id: Option<String>,
    /// The service: `ecr.amazonaws.com`, `iam.amazonaws.com`, `sts.amazonaws.com`, `cloudtrail.amazonaws.com`.
    #[arg(long, value_name = "HOST")]
    pub source: Option<String>,
    /// Only what read.
    #[arg(long, conflicts_with = "changes")]
    pub read_only: bool,
    /// Only what changed something, or would have.
    #[arg(long)]
    pub changes: bool,
    /// Only what was refused or failed.
    #[arg(long)]
    pub refused: bool,
}

impl Wanted {
    /// The attribute that leaves the fewest events.
    pub fn attribute(&self) -> Option<(LookupAttribute, String)> {
        let named = [
            (LookupAttribute::EventId, &self.event_id),
            (LookupAttribute::ResourceName, &self.resource),
            (LookupAttribute::AccessKeyId, &self.access_key),
            (LookupAttribute::Username, &self.user),
            (LookupAttribute::EventName, &self.event_name),
            (LookupAttribute::EventSource, &self.source),
        ];
        let found = named.into_iter().find_map(|(key, value)| Some((key, value.clone()?)));
        found.or_else(|| self.reads().map(|reads| (LookupAttribute::ReadOnly, reads.to_string())))
    }

    /// Whether an event, whose record is `record`, fits all flags.
    pub fn fits(&self, event: &Event, record: &Value) -> bool {
        let same = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let mut resources = event.resources.iter().flatten().filter_map(|resource| resource.resource_name.as_deref());
        same(&self.event_id, &event.event_id)
            && same(&self.access_key, &event.access_key_id)
            && same(&self.user, &event.username)
            && same(&self.event_name, &event.event_name)
            && same(&self.source, &event.event_source)
            && self.resource.as_deref().is_none_or(|wanted| resources.any(|found| is_called(found, wanted)))
            && self.reads().is_none_or(|reads| event.read_only.as_deref() == Some(if reads { "true" } else { "false" }))
            && (!self.refused || record["errorCode"].is_string())
    }

    fn reads(&self) -> Option<bool> {
        (self.read_only || self.changes).then_some(self.read_only)
    }
}

/// Whether an ARN is meant by a name: the ARN itself, or what stands in it behind the type.
fn is_called(arn: &str, name: &str) -> bool {
    let own = arn.splitn(6, ':').nth(5).unwrap_or_default();
    arn == name || own.split_once('/').is_some_and(|(_, rest)| rest == name)
}

/// The name of an attribute on the wire.
pub const fn wire_name(attribute: LookupAttribute) -> &'static str {
    match attribute {
        LookupAttribute::EventId => "EventId",
        LookupAttribute::EventName => "EventName",
        LookupAttribute::ReadOnly => "ReadOnly",
        LookupAttribute::Username => "Username",
        LookupAttribute::ResourceType => "ResourceType",
        LookupAttribute::ResourceName => "ResourceName",
        LookupAttribute::EventSource => "EventSource",
        LookupAttribute::AccessKeyId => "AccessKeyId",
    }
}

#[cfg(test)]
mod tests {
    use berth_aws::cloudtrail::shapes::Resource;
    use serde_json::json;

    use super::*;

    fn event() -> Event {
        let text = |text: &str| Some(text.to_owned());
        Event {
            event_id: text("1"),
            event_name: text("PutImage"),
            read_only: text("false"),
            access_key_id: text("AKIA"),
            event_source: text("ecr.amazonaws.com"),
            username: text("alice"),
            resources: Some(vec![Resource {
                resource_type: None,
                resource_name: text("arn:aws:ecr:r:1:repository/team/a"),
            }]),
            ..Event::default()
        }
    }

    fn wanted(set: impl FnOnce(&mut Wanted)) -> Wanted {
        let mut wanted = Wanted::default();
        set(&mut wanted);
        wanted
    }

    #[test]
    fn every_flag_counts() {
        let text = |text: &str| Some(text.to_owned());
        let record = json!({ "errorCode": "AccessDenied" });
        assert!(Wanted::default().fits(&event(), &json!({})));
        let fitting = [
            wanted(|w| w.event_id = text("1")),
            wanted(|w| w.event_name = text("PutImage")),
            wanted(|w| w.user = text("alice")),
            wanted(|w| w.resource = text("arn:aws:ecr:r:1:repository/team/a")),
            wanted(|w| w.resource = text("team/a")),
            wanted(|w| w.access_key = text("AKIA")),
            wanted(|w| w.source = text("ecr.amazonaws.com")),
            wanted(|w| w.changes = true),
            wanted(|w| w.refused = true),
        ];
        let others = [
            wanted(|w| w.event_id = text("2")),
            wanted(|w| w.event_name = text("putimage")),
            wanted(|w| w.user = text("bob")),
            wanted(|w| w.resource = text("a")),
            wanted(|w| w.access_key = text("AKIB")),
            wanted(|w| w.source = text("iam.amazonaws.com")),
            wanted(|w| w.read_only = true),
        ];
        assert!(fitting.iter().all(|wanted| wanted.fits(&event(), &record)));
        assert!(!others.iter().any(|wanted| wanted.fits(&event(), &record)));
        assert!(!wanted(|w| w.refused = true).fits(&event(), &json!({})));
    }

    #[test]
    fn the_rarest_attribute_is_asked_for() {
        let text = |text: &str| Some(text.to_owned());
        for (wanted, expected) in [
            (Wanted::default(), None),
            (wanted(|w| (w.event_name, w.user) = (text("n"), text("u"))), Some((LookupAttribute::Username, "u"))),
            (wanted(|w| (w.event_id, w.changes) = (text("i"), true)), Some((LookupAttribute::EventId, "i"))),
            (wanted(|w| w.changes = true), Some((LookupAttribute::ReadOnly, "false"))),
            (wanted(|w| w.read_only = true), Some((LookupAttribute::ReadOnly, "true"))),
            (wanted(|w| w.refused = true), None),
        ] {
            let got = wanted.attribute();
            assert_eq!(
                got.as_ref().map(|(key, value)| (wire_name(*key), value.as_str())),
                expected.map(|(key, value)| (wire_name(key), value))
            );
        }
    }
}
