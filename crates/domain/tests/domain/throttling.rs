//! Quotas of calls, at one node and at several that share a database.

use std::time::Duration;

use berth_domain::throttle::{Profile, RateRule, Rules};
use berth_domain::{Caller, Circumstances, Domain, Error};

use crate::registry::TestRegistry;

async fn with_rates(rates: &[&str]) -> TestRegistry {
    let rates = rates.iter().map(|rate| RateRule::parse(rate).unwrap()).collect();
    TestRegistry::with(|settings| settings.throttle = Rules { profile: Profile::Ecr, rates }).await
}

/// How many of so many calls are served.
fn served(domain: &Domain, caller: &Caller, operation: &str, asked: usize) -> usize {
    (0..asked).filter(|_| domain.throttle(caller, operation).is_ok()).count()
}

fn from(address: &str) -> Caller {
    let source_ip = Some(address.parse().unwrap());
    Caller::anonymous().under(Circumstances { source_ip, ..Circumstances::default() })
}

#[tokio::test]
async fn nothing_is_counted_by_default() {
    let registry = TestRegistry::new().await;
    let alice = registry.user("alice", None).await;
    assert_eq!(served(&registry.domain, &alice, "ecr:PutImage", 10_000), 10_000);
    registry.domain.share_quotas().await.unwrap();
    assert_eq!(rows(&registry, "nodes").await, 0);
}

#[tokio::test]
async fn the_profile_has_the_quotas_of_ecr() {
    let registry = with_rates(&[]).await;
    let alice = registry.user("alice", None).await;
    for (operation, burst) in
        [("ecr:PutImage", 10), ("ecr:InitiateLayerUpload", 100), ("ecr:GetDownloadUrlForLayer", 3_000)]
    {
        assert_eq!(served(&registry.domain, &alice, operation, 5_000), burst, "{operation}");
    }
    assert_eq!(served(&registry.domain, &alice, "ecr:DescribeImages", 5_000), 5_000);
    assert_eq!(served(&registry.domain, &alice, "iam:CreateUser", 5_000), 5_000);
    // Whoever holds the data folder is not counted.
    assert_eq!(served(&registry.domain, &registry.admin, "ecr:PutImage", 100), 100);
    let refused = registry.domain.throttle(&alice, "ecr:PutImage").unwrap_err();
    assert!(matches!(refused, Error::Throttled { retry_after } if retry_after == Duration::from_secs(1)), "{refused}");
    registry.clock.advance(Duration::from_secs(1));
    assert!(registry.domain.throttle(&alice, "ecr:PutImage").is_ok());
}

#[tokio::test]
async fn accounts_principals_and_addresses_have_buckets_of_their_own() {
    let registry = with_rates(&["*=50", "principal:*=20"]).await;
    let alice = registry.user("alice", None).await;
    let bob = registry.user("bob", None).await;
    let domain = &registry.domain;
    // A principal has its own quota, and the account that of all together.
    assert_eq!(served(domain, &alice, "iam:GetUser", 100), 20);
    assert_eq!(served(domain, &bob, "iam:GetUser", 100), 20);
    assert_eq!(served(domain, &alice, "iam:ListUsers", 100), 20);
    // Nobody in particular is counted by address, a network of IPv6 as one.
    for (address, left) in
        [("192.0.2.1", 50), ("192.0.2.1", 0), ("192.0.2.2", 50), ("2001:db8::1", 50), ("2001:db8::2", 0)]
    {
        assert_eq!(served(domain, &from(address), "sts:AssumeRoleWithWebIdentity", 100), left, "{address}");
    }
}

#[tokio::test]
async fn a_principal_that_asks_too_much_does_not_keep_another_out() {
    let registry = with_rates(&["PutImage=10"]).await;
    let noisy = registry.user("noisy", None).await;
    let calm = registry.user("calm", None).await;
    let (mut of_noisy, mut of_calm) = (0, 0);
    for moment in 0..3_000 {
        of_noisy += served(&registry.domain, &noisy, "ecr:PutImage", 5);
        if moment % 25 == 0 {
            of_calm += served(&registry.domain, &calm, "ecr:PutImage", 1);
        }
        registry.clock.advance(Duration::from_millis(10));
    }
    // Thirty seconds: the noisy one asked 500 times a second, the calm one four times.
    assert_eq!(of_calm, 120, "of 120");
    assert!((170..=190).contains(&of_noisy), "{of_noisy} of what is left of 310");
}

#[tokio::test]
async fn a_million_addresses_cost_no_more_than_some() {
    let registry = with_rates(&["*=5"]).await;
    for number in 0..1_000_000_u32 {
        let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
        assert!(registry.domain.throttle(&from(&address.to_string()), "ecr:BatchGetImage").is_ok());
    }
    registry.domain.share_quotas().await.unwrap();
}

/// Rows of a table.
async fn rows(registry: &TestRegistry, table: &'static str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let read = move |txn: &mut dyn berth_store::Transaction| txn.query(&sql, &[])?[0].integer(0);
    registry.database().await.read(read).await.unwrap()
}

/// Nodes that are asked so often in each tenth of a second, for so many seconds: how many calls each served. They tell each other once
/// a second, one after the other.
async fn run(registry: &TestRegistry, nodes: &[(&Domain, usize)], caller: &Caller, seconds: usize) -> Vec<usize> {
    let mut counts = vec![0; nodes.len()];
    for tenth in 0..seconds * 10 {
        for (nth, (node, asked)) in nodes.iter().enumerate() {
            counts[nth] += served(node, caller, "ecr:PutImage", *asked);
            if tenth % 10 == 3 * nth {
                node.share_quotas().await.unwrap();
            }
        }
        registry.clock.advance(Duration::from_millis(100));
    }
    counts
}

fn sum(counts: &[usize]) -> usize {
    counts.iter().sum()
}

#[tokio::test]
async fn nodes_keep_to_the_quota_together() {
    let registry = with_rates(&["PutImage=100"]).await;
    let alice = registry.user("alice", None).await;
    let (one, two) = (&registry.domain, &registry.node("two").await);
    for node in [one, two, one] {
        node.share_quotas().await.unwrap();
    }
    // Twenty times the quota at each: both together no more than burst and rate.
    let even = run(&registry, &[(one, 200), (two, 200)], &alice, 30).await;
    assert!((2_900..=3_100).contains(&sum(&even)), "{even:?}");
    assert!(even[0].abs_diff(even[1]) < 300, "{even:?}");
    // Nearly everything goes to one node: the quota is not halved.
    let uneven = run(&registry, &[(one, 200), (two, 1)], &alice, 30).await;
    assert!((2_850..=3_100).contains(&sum(&uneven)), "{uneven:?}");
    assert_eq!(uneven[1], 300, "{uneven:?}");
    // It turns round.
    let turned = run(&registry, &[(one, 0), (two, 200)], &alice, 30).await;
    assert!((2_500..=3_100).contains(&turned[1]), "{turned:?}");
}

#[tokio::test]
async fn what_is_asked_for_less_than_its_quota_is_served_however_uneven() {
    let registry = with_rates(&["PutImage=100"]).await;
    let alice = registry.user("alice", None).await;
    let (one, two) = (&registry.domain, &registry.node("two").await);
    for node in [one, two, one] {
        node.share_quotas().await.unwrap();
    }
    // Eighty per second at one node, which begins with fifty.
    run(&registry, &[(one, 8), (two, 0)], &alice, 5).await;
    assert_eq!(run(&registry, &[(one, 8), (two, 0)], &alice, 20).await, [1_600, 0]);
    assert_eq!(rows(&registry, "throttle_use").await, 1);
}

#[tokio::test]
async fn a_node_that_dies_leaves_its_part_to_the_others() {
    let registry = with_rates(&["PutImage=100"]).await;
    let alice = registry.user("alice", None).await;
    let (one, two) = (&registry.domain, registry.node("two").await);
    for node in [one, &two, one] {
        node.share_quotas().await.unwrap();
    }
    let both = run(&registry, &[(one, 200), (&two, 200)], &alice, 10).await;
    assert!(both[0] < 650, "{both:?}");
    drop(two);
    run(&registry, &[(one, 200)], &alice, 20).await;
    let alone = run(&registry, &[(one, 200)], &alice, 10).await;
    assert!((990..=1_010).contains(&alone[0]), "{alone:?}");
    // Of what it is asked for, a node says nothing where nobody is to hear it.
    assert_eq!(rows(&registry, "nodes").await, 2);
}

#[tokio::test]
async fn nodes_that_cannot_tell_each_other_go_on_with_what_they_had() {
    let registry = with_rates(&["PutImage=100"]).await;
    let alice = registry.user("alice", None).await;
    let (one, two) = (&registry.domain, &registry.node("two").await);
    for node in [one, two, one] {
        node.share_quotas().await.unwrap();
    }
    run(&registry, &[(one, 200), (two, 2)], &alice, 10).await;
    let database = registry.database().await;
    let rename = |from: &'static str, to: &'static str| {
        let sql = format!("ALTER TABLE {from} RENAME TO {to}");
        database.write(move |txn| txn.execute(&sql, &[]))
    };
    rename("throttle_use", "away").await.unwrap();
    let mut counts = 0;
    for _ in 0..10 {
        assert!(one.share_quotas().await.is_err());
        counts += served(one, &alice, "ecr:PutImage", 200);
        registry.clock.advance(Duration::from_secs(1));
    }
    // Of a hundred, seven eighths and what goes with demand: with an even share it were 500.
    assert!((750..=1_000).contains(&counts), "{counts}");
    rename("away", "throttle_use").await.unwrap();
    one.share_quotas().await.unwrap();
}

#[tokio::test]
async fn nothing_is_written_where_nothing_is_asked_for_much() {
    let registry = with_rates(&["PutImage=100"]).await;
    let alice = registry.user("alice", None).await;
    let (one, two) = (&registry.domain, &registry.node("two").await);
    run(&registry, &[(one, 1), (two, 1)], &alice, 5).await;
    assert_eq!((rows(&registry, "nodes").await, rows(&registry, "throttle_use").await), (2, 0));
    run(&registry, &[(one, 20), (two, 20)], &alice, 5).await;
    assert_eq!(rows(&registry, "throttle_use").await, 2);
    // What has cooled down is taken back.
    run(&registry, &[(one, 1), (two, 1)], &alice, 10).await;
    assert_eq!(rows(&registry, "throttle_use").await, 0);
}
