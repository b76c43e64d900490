//! A88: what is open, and to whom.

use std::collections::HashSet;
use std::net::TcpListener;

use berth_testkit::{ADMIN_ID, Client, Server};

use crate::support::{attack, attack_on, builder};

const DOORS: [&str; 9] = [
    "/debug",
    "/debug/pprof/",
    "/debug/vars",
    "/admin",
    "/admin/",
    "/actuator",
    "/api/v1/admin",
    "/metrics/x",
    "/server-status",
];

#[test]
fn a88_metrics_need_a_login_and_there_is_no_debug_door() {
    attack(|server| {
        server.anonymous().get("/metrics").expect(401);
        Client::login(server.addr(), ADMIN_ID, "wrong").get("/metrics").expect(401);
        let metrics = server.client().get("/metrics").expect(200).text();
        assert!(metrics.contains("# TYPE"), "{metrics}");
        for path in DOORS {
            for caller in [server.anonymous(), server.client()] {
                for method in ["GET", "POST", "PUT", "DELETE"] {
                    caller.request(method, path, &[], &[]).expect_any(&[401, 404, 405]);
                }
            }
        }
        for method in ["TRACE", "CONNECT", "OPTIONS", "PROPFIND", "PURGE"] {
            let reply = server.anonymous().request(method, "/v2/", &[], &[]);
            assert!(matches!(reply.status, 400 | 401 | 404 | 405 | 501), "{method}: {reply:?}");
        }
    });
}

#[test]
fn a88_a_metrics_listener_serves_nothing_else_and_the_main_one_no_metrics() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    attack_on(builder().setting("metrics.listen", &free.to_string()), |server| {
        for caller in [server.anonymous(), server.client()] {
            caller.get("/metrics").expect_any(&[401, 404]);
        }
        let metrics = Client::anonymous(free);
        assert!(metrics.get("/metrics").expect(200).text().contains("# TYPE"));
        for path in ["/v2/", "/v2/_catalog", "/"].into_iter().chain(DOORS) {
            metrics.get(path).expect(404);
        }
        assert_eq!(listening(server), HashSet::from([server.addr().to_string(), free.to_string()]));
    });
}

#[test]
fn a88_nothing_listens_beyond_what_was_asked_for() {
    attack(|server| assert_eq!(listening(server), HashSet::from([server.addr().to_string()])));
}

/// The IPv4 addresses on which the process listens, from `/proc/net/tcp` (`proc(5)`); any on IPv6 as `ipv6`.
fn listening(server: &Server) -> HashSet<String> {
    let own = sockets_of(server.pid());
    let mut addresses = HashSet::new();
    for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let table = std::fs::read_to_string(file).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let is_listening = fields[3] == "0A";
            if is_listening && own.contains(fields[9]) {
                addresses.insert(readable(fields[1]));
            }
        }
    }
    addresses
}

/// `0100007F:1388` is `127.0.0.1:5000`.
fn readable(hex: &str) -> String {
    let (address, port) = hex.split_once(':').unwrap();
    let Ok(address) = u32::from_str_radix(address, 16) else { return format!("ipv6 {hex}") };
    let address = std::net::Ipv4Addr::from(address.swap_bytes());
    format!("{address}:{}", u16::from_str_radix(port, 16).unwrap())
}

/// Inode numbers of the sockets that a process holds.
fn sockets_of(pid: u32) -> HashSet<String> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect()
}
