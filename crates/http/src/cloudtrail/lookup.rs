//! `LookupEvents`: what was done, newest first.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_aws::cloudtrail::shapes::{self, LookupEventsRequest, LookupEventsResponse};
use berth_aws::protocol::{Operation, json, parse_json, render_json};
use berth_domain::audit::{Event, LookupAttribute, LookupEvents};
use berth_domain::{Caller, Domain};
use berth_store::Timestamp;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::Failure;
use crate::audit;
use crate::aws::Call;

/// Events of a page for which no number is given, and the most that one has.
const MOST: usize = 50;
/// The only category that can be asked for by name. Nothing here finds insights.
const INSIGHT: &str = "insight";
/// The longest value of an attribute, in characters.
const LONGEST_VALUE: usize = 2000;

pub(super) async fn events(
    domain: &Domain,
    caller: &Caller,
    call: &Call,
    operation: &Operation,
) -> Result<String, Failure> {
    // Its own exceptions come before what is said of any shape.
    check(&json::read_tree(operation, &call.body)?)?;
    let request: LookupEventsRequest = parse_json(operation, &call.body)?;
    audit::asked(operation, &request);
    let insight = request.event_category.as_deref() == Some(INSIGHT);
    let registry = crate::registry::for_api(domain, caller, call, None).await?;
    let asked = asked(request)?;
    let question = fingerprint(&asked);
    let page = registry.lookup_events(caller, asked).await.map_err(Failure::of_lookup)?;
    let (events, next) = if insight { (Vec::new(), None) } else { (page.events, page.next) };
    let events = Some(events.into_iter().map(rendered).collect());
    let next_token = next.map(|next| format!("{question}{next}"));
    Ok(render_json(operation, &LookupEventsResponse { events, next_token })?)
}

/// What a token begins with, so that it is good for the same question only.
fn fingerprint(asked: &LookupEvents) -> String {
    let LookupEvents { attribute, start, end, .. } = asked;
    let text = format!("{attribute:?} {start:?} {end:?}");
    let hash = digest(&SHA256, text.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..9).unwrap_or_default())
}

/// What is wrong with a request beyond the types of its values.
fn check(tree: &Value) -> Result<(), Failure> {
    if let Some(most) = tree["MaxResults"].as_i64().filter(|most| !(1..=50).contains(most)) {
        return Err(Failure::MaxResults(most));
    }
    if tree["EventCategory"].as_str().is_some_and(|category| category != INSIGHT) {
        return Err(Failure::EventCategory);
    }
    let attributes = tree["LookupAttributes"].as_array().map_or(&[][..], Vec::as_slice);
    if attributes.len() > 1 {
        return Err(Failure::LookupAttributes("LookupAttributes may hold one attribute.".to_owned()));
    }
    attributes.iter().try_for_each(|attribute| {
        let text = |name: &str| attribute[name].as_str().unwrap_or_default();
        attribute_named(text("AttributeKey"))?;
        value_of(text("AttributeValue")).map(|_| ())
    })
}

fn asked(request: LookupEventsRequest) -> Result<LookupEvents, Failure> {
    let time = |time: Option<berth_aws::protocol::Timestamp>| time.map(|time| Timestamp::from_millis(time.0));
    let (start, end) = (time(request.start_time), time(request.end_time));
    if start.zip(end).is_some_and(|(start, end)| start > end) {
        return Err(Failure::TimeRange);
    }
    let attribute = request.lookup_attributes.unwrap_or_default().first().map(attribute).transpose()?;
    let most = request.max_results.and_then(|most| usize::try_from(most).ok()).unwrap_or(MOST);
    let asked = LookupEvents { attribute, start, end, most, next: None };
    let question = fingerprint(&asked);
    let next =
        request.next_token.map(|token| token.strip_prefix(&question).map(str::to_owned).ok_or(Failure::NextToken));
    Ok(LookupEvents { next: next.transpose()?, ..asked })
}

fn attribute(given: &shapes::LookupAttribute) -> Result<(LookupAttribute, String), Failure> {
    let key = attribute_named(&given.attribute_key)?;
    Ok((key, value_of(&given.attribute_value)?.to_owned()))
}

fn attribute_named(key: &str) -> Result<LookupAttribute, Failure> {
    Ok(match key {
        "EventId" => LookupAttribute::EventId,
        "EventName" => LookupAttribute::EventName,
        "ReadOnly" => LookupAttribute::ReadOnly,
        "Username" => LookupAttribute::Username,
        "ResourceType" => LookupAttribute::ResourceType,
        "ResourceName" => LookupAttribute::ResourceName,
        "EventSource" => LookupAttribute::EventSource,
        "AccessKeyId" => LookupAttribute::AccessKeyId,
        _ => return Err(Failure::LookupAttributes("There is no attribute with this AttributeKey.".to_owned())),
    })
}

fn value_of(value: &str) -> Result<&str, Failure> {
    if value.is_empty() || value.chars().count() > LONGEST_VALUE {
        let text = format!("AttributeValue must have 1 to {LONGEST_VALUE} characters.");
        return Err(Failure::LookupAttributes(text));
    }
    Ok(value)
}

/// An event as it is answered.
pub fn rendered(event: Event) -> shapes::Event {
    let resources = event
        .resources
        .into_iter()
        .map(|resource| shapes::Resource { resource_type: Some(resource.kind), resource_name: Some(resource.name) });
    shapes::Event {
        event_id: Some(event.id),
        event_name: Some(event.name),
        read_only: Some(event.read_only.to_string()),
        access_key_id: event.access_key_id,
        event_time: Some(berth_aws::protocol::Timestamp(event.time.as_millis())),
        event_source: Some(event.source),
        username: event.username,
        resources: Some(resources.collect()),
        cloud_trail_event: Some(event.json),
    }
}

#[cfg(test)]
mod tests {
    use berth_aws::cloudtrail::shapes::operations::LOOKUP_EVENTS;
    use berth_aws::protocol::Kind;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(body: &str) -> Result<LookupEvents, Failure> {
        check(&json::read_tree(&LOOKUP_EVENTS, body.as_bytes())?)?;
        asked(parse_json(&LOOKUP_EVENTS, body.as_bytes())?)
    }

    #[test]
    fn every_attribute_is_asked_for_by_its_name() {
        let Kind::String { enumeration, .. } = key_shape() else { panic!("the shape of AttributeKey is no text") };
        assert_eq!(enumeration.len(), 8);
        for name in enumeration.iter().copied() {
            let body = json!({ "LookupAttributes": [{ "AttributeKey": name, "AttributeValue": "v" }] });
            let (key, value) = read(&body.to_string()).unwrap().attribute.unwrap();
            assert_eq!((format!("{key:?}").as_str(), value.as_str()), (name, "v"));
        }
    }

    fn key_shape() -> &'static Kind {
        let list = LOOKUP_EVENTS.input.members().iter().find(|member| member.name == "LookupAttributes").unwrap();
        let Kind::List { member, .. } = &list.shape.kind else { panic!("LookupAttributes is no list") };
        &member.members().iter().find(|member| member.name == "AttributeKey").unwrap().shape.kind
    }

    #[test]
    fn what_is_asked_for_arrives() {
        let asked = read(r#"{"StartTime":1700000000.25,"EndTime":1700000001,"MaxResults":7}"#).unwrap();
        let times = [asked.start, asked.end].map(|time| time.unwrap().as_millis());
        assert_eq!(times, [1_700_000_000_250, 1_700_000_001_000]);
        assert_eq!((asked.most, asked.attribute.is_none()), (7, true));
        assert_eq!(read("").unwrap().most, 50);
    }

    #[test]
    fn tokens_are_good_for_their_question_alone() {
        let token = format!("{}rest", fingerprint(&read("{}").unwrap()));
        let with = |more: &str| read(&format!(r#"{{{more}"NextToken":"{token}"}}"#));
        assert_eq!(with("").unwrap().next.as_deref(), Some("rest"));
        assert_eq!(with(r#""MaxResults":3,"#).unwrap().next.as_deref(), Some("rest"));
        for more in [r#""StartTime":1,"#, r#""EndTime":1,"#] {
            assert_eq!(with(more).unwrap_err().told().0, "InvalidNextTokenException", "{more}");
        }
    }

    #[test]
    fn what_is_wrong_has_its_exception() {
        let one = r#"{"AttributeKey":"EventName","AttributeValue":"a"}"#;
        for (body, code) in [
            (r#"{"MaxResults":0}"#.to_owned(), "InvalidMaxResultsException"),
            (r#"{"MaxResults":51}"#.to_owned(), "InvalidMaxResultsException"),
            (r#"{"MaxResults":-1}"#.to_owned(), "InvalidMaxResultsException"),
            (r#"{"MaxResults":"1"}"#.to_owned(), "SerializationException"),
            (r#"{"NextToken":""}"#.to_owned(), "InvalidNextTokenException"),
            (r#"{"NextToken":"nonsense"}"#.to_owned(), "InvalidNextTokenException"),
            (r#"{"EventCategory":"data"}"#.to_owned(), "InvalidEventCategoryException"),
            (r#"{"StartTime":2,"EndTime":1}"#.to_owned(), "InvalidTimeRangeException"),
            (format!(r#"{{"LookupAttributes":[{one},{one}]}}"#), "InvalidLookupAttributesException"),
            (r#"{"LookupAttributes":[{}]}"#.to_owned(), "InvalidLookupAttributesException"),
            (r#"{"LookupAttributes":[null]}"#.to_owned(), "InvalidLookupAttributesException"),
            (one.replace("EventName", "Colour"), ""),
            (
                format!(r#"{{"LookupAttributes":[{}]}}"#, one.replace("EventName", "Colour")),
                "InvalidLookupAttributesException",
            ),
            (
                format!(r#"{{"LookupAttributes":[{}]}}"#, one.replace("\"a\"", "\"\"")),
                "InvalidLookupAttributesException",
            ),
            (
                format!(r#"{{"LookupAttributes":[{}]}}"#, one.replace("\"a\"", &format!("\"{}\"", "x".repeat(2001)))),
                "InvalidLookupAttributesException",
            ),
        ] {
            let code_of = read(&body).map_or_else(|failure| failure.told().0, |_| "");
            assert_eq!(code_of, code, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_brings_it_down(body in "\\PC{0,60}") {
            let _ = read(&body);
        }

        #[test]
        fn whatever_is_in_its_members_neither(
            key in "\\PC{0,12}", value in "\\PC{0,12}", most: i64, start: f64, end: i64, token in "\\PC{0,12}",
        ) {
            let attribute = json!([{ "AttributeKey": key, "AttributeValue": value }]);
            let body = json!({
                "LookupAttributes": attribute, "MaxResults": most, "StartTime": start, "EndTime": end, "NextToken": token,
            });
            let _ = read(&body.to_string());
        }
    }
}
