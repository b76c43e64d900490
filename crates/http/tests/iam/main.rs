//! The door of IAM: every operation by the forms that clients send, on a registry over `SQLite`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod account;
mod door;
mod keys;
mod own;
mod policies;
mod principals;
mod providers;
mod refusals;
mod simulate;

use std::collections::BTreeSet;

use berth_aws::iam::IAM;
use berth_http::iam::berth::BERTH;

use door::Door;

#[tokio::test]
async fn every_operation_is_answered() {
    let door = Door::new().await;
    principals::users(&door).await;
    principals::groups(&door).await;
    principals::roles(&door).await;
    policies::managed(&door).await;
    policies::attached(&door).await;
    policies::inline(&door).await;
    policies::boundaries(&door).await;
    keys::keys(&door).await;
    account::summary_and_alias(&door).await;
    account::details(&door).await;
    providers::issuers(&door).await;
    providers::saml(&door).await;
    simulate::simulations(&door).await;
    own::accounts(&door).await;
    own::explanations(&door).await;
    let all: BTreeSet<_> = IAM.operations.iter().chain(BERTH.operations).map(|operation| operation.name).collect();
    let answered = door.answered();
    assert_eq!(all.difference(&answered).collect::<Vec<_>>(), Vec::<&&str>::new());
}
