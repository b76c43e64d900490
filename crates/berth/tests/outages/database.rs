//! PostgreSQL ends, comes back, or cannot be reached.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use berth_testkit::postgres::Postgres;
use berth_testkit::proxy::{Direction, Fault, Proxy};
use berth_testkit::{Client, Random, seed_from_environment, within};

use crate::prober::{Heard, await_push, probe};
use crate::support::{SOON, TellErrors, assert_whole, await_rest, builder, database_behind, oracle, time};

/// Connections that the node may have.
const POOL: usize = 6;

/// What goes wrong with the database.
#[derive(Clone, Copy, Debug)]
enum Outage {
    Killed,
    Stopped,
    Cut,
    BlackHole,
    HalfAnswers,
    Slow,
}

const OUTAGES: [Outage; 6] =
    [Outage::Killed, Outage::Stopped, Outage::Cut, Outage::BlackHole, Outage::HalfAnswers, Outage::Slow];

#[test]
fn a_database_that_goes_away_is_told_and_found_again() {
    let seed = seed_from_environment();
    println!("BERTH_TEST_SEED={seed} BERTH_TEST_SECONDS={}", time().as_secs());
    let mut postgres = Postgres::start();
    let proxy = Proxy::tcp(postgres.port(), seed);
    let (database, url) = database_behind(&postgres, &proxy);
    let node = builder().setting("database.url", &url).setting("database.pool", &POOL.to_string());
    let node = node.setting("database.statement_timeout", "2s").start();
    let _tell = TellErrors(&node);
    let mut oracle = oracle(seed);
    let heard = oracle.work_until(&[node.client()], || harm(&mut postgres, &proxy, &node.client(), seed));
    await_rest(&postgres, &database);
    oracle.settled();
    println!("{:?}; a prober heard {heard:?}", oracle.figures());
    println!("what went wrong: {:?}", proxy.befell());
    assert!(heard.refused() > 0, "nobody noticed anything");
    assert!(heard.0[&201] > 0, "nothing was pushed");
    oracle.check_all(&node.client());
    assert_whole(&node);
    const CONNECTIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'berth'";
    let connections = || postgres.sql("postgres", CONNECTIONS).parse::<usize>().unwrap();
    assert!(within(SOON, || connections() <= POOL), "{} connections are open", connections());
}

/// One outage after the other, in an order by the seed, each until pushes work again.
fn harm(postgres: &mut Postgres, proxy: &Proxy, client: &Client, seed: u64) -> Heard {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (prober, ended) = (client.clone(), &is_over);
        let probing = scope.spawn(move || probe(&prober, ended));
        let mut random = Random::seeded(seed);
        let (began, first) = (Instant::now(), random.below(OUTAGES.len()));
        for turn in 0.. {
            // All of them at least once.
            if turn >= OUTAGES.len() && began.elapsed() > time() {
                break;
            }
            let outage = OUTAGES[(first + turn) % OUTAGES.len()];
            strike(outage, postgres, proxy, Duration::from_millis(random.word() % 1500));
            let back = await_push(client, SOON);
            println!("{outage:?}: pushes work again {back:?} after its end");
        }
        is_over.store(true, Ordering::Relaxed);
        probing.join().unwrap()
    })
}

fn strike(outage: Outage, postgres: &mut Postgres, proxy: &Proxy, time: Duration) {
    match outage {
        Outage::Killed => postgres.kill9(),
        Outage::Stopped => postgres.stop(),
        Outage::Cut => proxy.set(Fault::Cut),
        Outage::BlackHole => proxy.set(Fault::BlackHole),
        Outage::HalfAnswers => proxy.set(Fault::CutAfter(Direction::ToClient, 20_000)),
        Outage::Slow => proxy.set(Fault::Delay(Duration::from_millis(30))),
    }
    // Longer than a transaction is tried again, or an answer waited for.
    let least = match outage {
        Outage::Killed | Outage::Stopped | Outage::Cut => 6,
        Outage::BlackHole => 8,
        Outage::HalfAnswers | Outage::Slow => 2,
    };
    std::thread::sleep(Duration::from_secs(least) + time);
    match outage {
        Outage::Killed | Outage::Stopped => postgres.restart(),
        _ => proxy.set(Fault::None),
    }
}
