//! Finding records again (CloudTrail `LookupEvents`): newest first, by time and one attribute, those of the caller's account only.
//!
//! A page reads a bounded number of rows, so it may be short, or empty, and still have a next one. Rows reach over at most
//! five seconds ([`LONGEST_SPAN`]), so their records can be put in order across rows.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_aws::AccountId;
use berth_store::Timestamp;
use berth_store::audit::{self as store, AuditRow};
use serde::Deserialize;

use super::queue::LONGEST_SPAN;
use super::{id, rows};
use crate::Domain;
use crate::access::{Question, Surroundings};
use crate::caller::Caller;
use crate::error::Error;
use crate::identity::IdentityError;

/// The most events of a page.
const MOST: usize = 50;
/// Rows read at once.
const ROWS: u64 = 100;
/// After so many rows, or records in them, a page ends where it can.
const ROWS_PER_PAGE: usize = 1000;
const RECORDS_PER_PAGE: usize = 40_000;
/// What rows that reach over the beginning of a page are bounded by.
const REACHING: u64 = 1000;
/// What pages' tokens are signed for.
const TOKEN: &[u8] = b"audit page";

/// What is searched for.
#[derive(Debug, Clone, Default)]
pub struct LookupEvents {
    /// An attribute and its value.
    pub attribute: Option<(LookupAttribute, String)>,
    /// Nothing before.
    pub start: Option<Timestamp>,
    /// Nothing after.
    pub end: Option<Timestamp>,
    /// The most events of a page: 1 to 50; others are brought into these bounds.
    pub most: usize,
    /// Where the page before ended.
    pub next: Option<String>,
}

/// By what events are searched for (CloudTrail `LookupAttributeKey`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupAttribute {
    /// The event's id.
    EventId,
    /// The operation.
    EventName,
    /// `true` or `false`.
    ReadOnly,
    /// The user's name, or that of the role's session.
    Username,
    /// The type of something that it is about.
    ResourceType,
    /// The name or ARN of something that it is about.
    ResourceName,
    /// The service.
    EventSource,
    /// The access key id of the caller.
    AccessKeyId,
}

/// A page of events, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// Where to go on, where there may be more.
    pub next: Option<String>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// The operation.
    pub name: String,
    /// Whether it only reads.
    pub read_only: bool,
    /// The caller's access key id.
    pub access_key_id: Option<String>,
    /// When it was, to the millisecond.
    pub time: Timestamp,
    /// The service.
    pub source: String,
    /// The user's name, or that of the role's session.
    pub username: Option<String>,
    /// What it is about.
    pub resources: Vec<Resource>,
    /// The record: one line of JSON.
    pub json: String,
}

/// Something that an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its type, such as `AWS::ECR::Repository`.
    pub kind: String,
    /// Its ARN.
    pub name: String,
}

/// Everything before this, in the order of time and then of ids, is still to be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    at: i64,
    id: String,
}

/// Behind every id.
const LAST: &str = "~";

impl Domain {
    /// The events of the caller's account that match, newest first (CloudTrail `LookupEvents`).
    pub async fn lookup_events(&self, caller: &Caller, asked: LookupEvents) -> Result<EventPage, Error> {
        let account = caller.account().unwrap_or(&self.home.account).clone();
        self.judge(caller, &Question::new("cloudtrail:LookupEvents", "*", &account), Surroundings::default())?;
        let sought = Sought::new(account, &asked);
        let begin = match &asked.next {
            Some(token) => self.opened(token)?,
            None => sought.beginning(),
        };
        let (events, rest) = self.search(&sought, begin, asked.most.clamp(1, MOST)).await?;
        Ok(EventPage { events, next: rest.map(|rest| self.token(&rest)) })
    }

    /// Events before a position, and where to go on.
    async fn search(
        &self,
        sought: &Sought,
        begin: Position,
        most: usize,
    ) -> Result<(Vec<Event>, Option<Position>), Error> {
        let mut page = Page { found: BTreeMap::new(), events: Vec::new(), begin: begin.clone(), most };
        let at = Timestamp::from_millis(begin.at);
        let reaching = self
            .database
            .read(move |txn| store::reaching_over(txn, at, at.after(LONGEST_SPAN), REACHING).map_err(Error::from));
        for row in reaching.await? {
            page.take(sought, &row)?;
        }
        let mut behind = (at, LAST.to_owned());
        let (mut read, mut records) = (0, 0);
        loop {
            let (place, from) = (behind.clone(), sought.start);
            let rows = self
                .database
                .read(move |txn| store::latest_before(txn, (place.0, &place.1), from, ROWS).map_err(Error::from));
            let rows = rows.await?;
            let is_last = (rows.len() as u64) < ROWS;
            for row in rows {
                let latest = row.digested.last_at;
                // What is behind every row that is still to come is in order.
                if page.settle(latest) {
                    return Ok(page.full());
                }
                if (read >= ROWS_PER_PAGE || records >= RECORDS_PER_PAGE) && latest.as_millis() < begin.at {
                    let rest = Position { at: latest.as_millis(), id: LAST.to_owned() };
                    return Ok((page.events, Some(rest)));
                }
                read += 1;
                records += usize::try_from(row.digested.records).unwrap_or(usize::MAX);
                page.take(sought, &row)?;
                behind = (latest, row.digested.id);
            }
            if is_last {
                page.settle(Timestamp::from_millis(i64::MIN));
                return Ok(if page.is_full() && !page.found.is_empty() { page.full() } else { (page.events, None) });
            }
        }
    }

    fn token(&self, position: &Position) -> String {
        let text = format!("{}.{}", position.at, position.id);
        let signature = self.server_key.sign(&[TOKEN, text.as_bytes()]);
        URL_SAFE_NO_PAD.encode([&signature[..16], text.as_bytes()].concat())
    }

    fn opened(&self, token: &str) -> Result<Position, Error> {
        let wrong = || IdentityError::Validation("The NextToken is not one that was given here.".to_owned());
        let bytes = URL_SAFE_NO_PAD.decode(token.get(..512).unwrap_or(token)).map_err(|_| wrong())?;
        let (signature, text) = bytes.split_at_checked(16).ok_or_else(wrong)?;
        if self.server_key.sign(&[TOKEN, text])[..16] != *signature {
            return Err(wrong().into());
        }
        let text = std::str::from_utf8(text).map_err(|_| wrong())?;
        let (at, id) = text.split_once('.').ok_or_else(wrong)?;
        Ok(Position { at: at.parse().map_err(|_| wrong())?, id: id.to_owned() })
    }
}

/// Records that matched, until it is known that no later one is still to come.
struct Page {
    found: BTreeMap<Position, Event>,
    events: Vec<Event>,
    begin: Position,
    most: usize,
}

impl Page {
    fn is_full(&self) -> bool {
        self.events.len() >= self.most
    }

    /// Takes the matching records of a row that are before the page's beginning.
    fn take(&mut self, sought: &Sought, row: &AuditRow) -> Result<(), Error> {
        let Some(lines) = rows::lines(row)? else { return Ok(()) };
        for line in lines.lines().filter(|line| sought.may_match(line)) {
            let Some(event) = sought.read(line) else { continue };
            let position = Position { at: event.time.as_millis(), id: event.id.clone() };
            if position < self.begin {
                self.found.insert(position, event);
            }
        }
        Ok(())
    }

    /// Moves what is later than `at` into the page, latest first; whether it is full and more was found.
    fn settle(&mut self, at: Timestamp) -> bool {
        while let Some(entry) = self.found.last_entry().filter(|entry| entry.key().at > at.as_millis()) {
            if self.events.len() >= self.most {
                return true;
            }
            self.events.push(entry.remove());
        }
        false
    }

    fn full(self) -> (Vec<Event>, Option<Position>) {
        let rest = self.events.last().map(|event| Position { at: event.time.as_millis(), id: event.id.clone() });
        (self.events, rest)
    }
}

/// What is searched for, ready to be compared.
struct Sought {
    account: AccountId,
    attribute: Option<(LookupAttribute, String)>,
    /// What a line that matches contains.
    needles: Vec<String>,
    start: Timestamp,
    end: Option<Timestamp>,
}

impl Sought {
    fn new(account: AccountId, asked: &LookupEvents) -> Self {
        let start = asked.start.unwrap_or(Timestamp::from_millis(i64::MIN));
        // The times of CloudTrail are of whole seconds, and so are those that are asked for: the last one counts whole.
        let end = asked.end.map(|end| Timestamp::from_millis(end.as_millis().div_euclid(1000).saturating_mul(1000)));
        let end = end.map(|end| end.after(std::time::Duration::from_millis(999)));
        let mut needles = vec![format!("ccountId\":\"{account}\"")];
        if let Some((attribute, value)) = &asked.attribute {
            needles.extend(needle(*attribute, value));
        }
        Self { account, attribute: asked.attribute.clone(), needles, start, end }
    }

    fn beginning(&self) -> Position {
        // An event's id bears its time: whoever looks for one need not look elsewhere.
        let of_id = match &self.attribute {
            Some((LookupAttribute::EventId, id)) => id::moment(id),
            _ => None,
        };
        let at = of_id.into_iter().chain(self.end).min().map_or(i64::MAX, Timestamp::as_millis);
        Position { at, id: LAST.to_owned() }
    }

    fn may_match(&self, line: &str) -> bool {
        self.needles.iter().all(|needle| line.contains(needle.as_str()))
    }

    /// The event of a record, where it matches.
    fn read(&self, line: &str) -> Option<Event> {
        let record: Record<'_> = serde_json::from_str(line).ok()?;
        let is_own = record.recipient_account_id == self.account.as_str()
            || record.user_identity.account_id.as_deref() == Some(self.account.as_str());
        let event = record.event(line)?;
        let in_time = event.time >= self.start && self.end.is_none_or(|end| event.time <= end);
        let matches = self.attribute.as_ref().is_none_or(|(attribute, value)| event.has(*attribute, value));
        (is_own && in_time && matches).then_some(event)
    }
}

/// What a line contains where the attribute has the value; nothing where that is not sure.
fn needle(attribute: LookupAttribute, value: &str) -> Option<String> {
    let quoted = serde_json::to_string(value).ok()?;
    match attribute {
        LookupAttribute::EventId => Some(format!("\"eventID\":{quoted}")),
        LookupAttribute::EventName => Some(format!("\"eventName\":{quoted}")),
        LookupAttribute::EventSource => Some(format!("\"eventSource\":{quoted}")),
        LookupAttribute::ReadOnly => Some(format!("\"readOnly\":{value}")),
        LookupAttribute::AccessKeyId => Some(format!("\"accessKeyId\":{quoted}")),
        LookupAttribute::ResourceType => Some(format!("\"type\":{quoted}")),
        // A name is a part of an ARN, or of a longer name.
        LookupAttribute::Username | LookupAttribute::ResourceName => Some(quoted.trim_matches('"').to_owned()),
    }
}

/// What of a record a search looks at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    user_identity: Asker<'a>,
    #[serde(rename = "eventID")]
    event_id: &'a str,
    event_source: &'a str,
    event_name: String,
    read_only: bool,
    recipient_account_id: &'a str,
    #[serde(default)]
    resources: Vec<About>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asker<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    account_id: Option<String>,
    access_key_id: Option<String>,
    user_name: Option<String>,
    arn: Option<String>,
}

#[derive(Deserialize)]
struct About {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "ARN")]
    arn: String,
}

impl Record<'_> {
    fn event(self, line: &str) -> Option<Event> {
        let session = || {
            let arn = self.user_identity.arn.as_deref().filter(|_| self.user_identity.kind == "AssumedRole")?;
            arn.rsplit('/').next().map(str::to_owned)
        };
        let resources = self.resources.into_iter().map(|about| Resource { kind: about.kind, name: about.arn });
        Some(Event {
            id: self.event_id.to_owned(),
            name: self.event_name,
            read_only: self.read_only,
            username: self.user_identity.user_name.clone().or_else(session),
            access_key_id: self.user_identity.access_key_id,
            time: id::moment(self.event_id)?,
            source: self.event_source.to_owned(),
            resources: resources.collect(),
            json: line.to_owned(),
        })
    }
}

impl Event {
    fn has(&self, attribute: LookupAttribute, value: &str) -> bool {
        match attribute {
            LookupAttribute::EventId => self.id == value,
            LookupAttribute::EventName => self.name == value,
            LookupAttribute::EventSource => self.source == value,
            LookupAttribute::ReadOnly => value == if self.read_only { "true" } else { "false" },
            LookupAttribute::Username => self.username.as_deref() == Some(value),
            LookupAttribute::AccessKeyId => self.access_key_id.as_deref() == Some(value),
            LookupAttribute::ResourceType => self.resources.iter().any(|about| about.kind == value),
            LookupAttribute::ResourceName => self.resources.iter().any(|about| about.is_called(value)),
        }
    }
}

impl Resource {
    /// By its ARN, or by what stands in it behind the type: `team/app` of `arn:aws:ecr:R:A:repository/team/app`.
    fn is_called(&self, name: &str) -> bool {
        let own = self.name.splitn(6, ':').nth(5).unwrap_or_default();
        self.name == name || own.split_once('/').is_some_and(|(_, rest)| rest == name)
    }
}
