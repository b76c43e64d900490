//! `berth audit search`.

use std::process::ExitCode;

use berth_aws::AccountId;
use berth_aws::cloudtrail::CLOUD_TRAIL;
use berth_aws::cloudtrail::shapes::{Event, LookupAttribute, LookupEventsRequest, LookupEventsResponse};
use berth_aws::protocol;
use berth_domain::audit::LookupEvents;
use berth_domain::{Caller, Domain};
use berth_store::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};

use super::moment;
use super::wanted::{Wanted, wire_name};
use crate::config::Settings;
use crate::config::effective::Given;
use crate::config::flags::OperatorFlags;
use crate::failure::Failure;
use crate::identity::{Answer, Remote};
use crate::remote::client::Client;
use crate::{opened, output};

/// Events of one request.
const PAGE: usize = 50;

/// Which events, and where.
#[derive(clap::Args)]
pub struct Search {
    #[command(flatten)]
    wanted: Wanted,
    /// How far back to look: `90m`, `24h`, `7d`.
    #[arg(long, value_name = "SPAN", conflicts_with = "start")]
    since: Option<String>,
    /// The earliest time: `2026-11-29`, `2026-11-29T08:00:00Z`, or how long ago it was.
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// The latest time, written in the same way.
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// Events at most; 0 for all.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    remote: Remote,
    /// The account whose events are looked for in the data folder; the registry's own without.
    #[arg(long, value_name = "ID", help_heading = "Server")]
    account: Option<String>,
    #[command(flatten)]
    flags: OperatorFlags,
}

/// Who answers.
enum Place {
    Server(Box<Client>),
    Folder(Box<Domain>, Box<Caller>),
}

/// Prints what is found: a table, or the records as lines of JSON; gives the exit code.
pub async fn run(
    mut search: Search,
    configure: impl FnOnce(Vec<Given>) -> Result<Settings, Failure>,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let (start, end) = search.times(SystemClock.now())?;
    let place = search.place(configure).await?;
    let mut rows = Vec::new();
    let (mut found, mut next) = (0, None);
    loop {
        let attribute = search.wanted.attribute();
        let page = place.page(LookupEvents { attribute, start, end, most: PAGE, next }).await?;
        for event in page.events.into_iter().flatten() {
            let line = event.cloud_trail_event.as_deref().unwrap_or_default();
            let record: Value = serde_json::from_str(line).unwrap_or_default();
            if !search.wanted.fits(&event, &record) || (search.limit > 0 && found == search.limit) {
                continue;
            }
            found += 1;
            if as_json {
                output::result(line);
            } else {
                rows.push(row(&event, &record));
            }
        }
        next = page.next_token;
        if next.is_none() || (search.limit > 0 && found == search.limit) {
            break;
        }
    }
    if !as_json {
        output::result(&table(rows));
    }
    Ok(ExitCode::SUCCESS)
}

impl Search {
    fn times(&self, now: Timestamp) -> Result<(Option<Timestamp>, Option<Timestamp>), Failure> {
        let read = |flag: &str, text: Option<&String>| {
            let read = text.map(|text| moment::parse(text, now)).transpose();
            read.map_err(|error| Failure::Usage(format!("--{flag}: {error}")))
        };
        let start = match &self.since {
            Some(since) => read("since", Some(since))?,
            None => read("start", self.start.as_ref())?,
        };
        let end = read("end", self.end.as_ref())?;
        match start.zip(end) {
            Some((start, end)) if start > end => Err(Failure::Usage("--end lies before the beginning".to_owned())),
            _ => Ok((start, end)),
        }
    }

    async fn place(
        &mut self,
        configure: impl FnOnce(Vec<Given>) -> Result<Settings, Failure>,
    ) -> Result<Place, Failure> {
        let flags = std::mem::take(&mut self.flags.0);
        if self.remote.is_given() {
            if self.account.is_some() || !flags.is_empty() {
                let text = "--account and the settings of a data folder go without --endpoint-url, --profile and --region: \
                            the credentials tell the account";
                return Err(Failure::Usage(text.to_owned()));
            }
            return Ok(Place::Server(Box::new(self.remote.connect().await?)));
        }
        let account = self.account.as_deref().map(AccountId::parse).transpose();
        let account = account.map_err(|error| Failure::Usage(format!("--account: {error}")))?;
        let domain = opened::existing(&configure(flags)?).await?;
        let caller = account.map_or_else(|| domain.administrator(), |account| domain.operator_of(&account));
        Ok(Place::Folder(Box::new(domain), Box::new(caller)))
    }
}

impl Place {
    async fn page(&self, asked: LookupEvents) -> Result<LookupEventsResponse, Failure> {
        match self {
            Self::Folder(domain, caller) => {
                let page = domain.lookup_events(caller, asked).await?;
                let events = Some(page.events.into_iter().map(berth_http::cloudtrail::rendered).collect());
                Ok(LookupEventsResponse { events, next_token: page.next })
            }
            Self::Server(client) => ask(client, asked).await,
        }
    }
}

async fn ask(client: &Client, asked: LookupEvents) -> Result<LookupEventsResponse, Failure> {
    let LookupEvents { attribute, start, end, most, next } = asked;
    let time = |time: Option<Timestamp>| time.map(|time| protocol::Timestamp(time.as_millis()));
    let attribute = attribute
        .map(|(key, value)| vec![LookupAttribute { attribute_key: wire_name(key).to_owned(), attribute_value: value }]);
    let request = LookupEventsRequest {
        lookup_attributes: attribute,
        start_time: time(start),
        end_time: time(end),
        max_results: i32::try_from(most).ok(),
        next_token: next,
        event_category: None,
    };
    client.json(&CLOUD_TRAIL, "cloudtrail", "LookupEvents", &json!(request)).await
}

fn row(event: &Event, record: &Value) -> Value {
    let time = event.event_time.and_then(protocol::Timestamp::to_iso8601);
    let resources = event.resources.iter().flatten().filter_map(|resource| resource.resource_name.clone());
    json!({
        "time": time,
        "event": event.event_name,
        "who": event.username,
        "from": record["sourceIPAddress"],
        "what": resources.collect::<Vec<_>>(),
        "error": record["errorCode"],
    })
}

fn table(rows: Vec<Value>) -> String {
    let columns =
        [("TIME", "time"), ("EVENT", "event"), ("WHO", "who"), ("FROM", "from"), ("WHAT", "what"), ("ERROR", "error")];
    Answer::table(&columns, rows).text
}
