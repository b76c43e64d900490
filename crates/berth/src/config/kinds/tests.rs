use std::path::PathBuf;
use std::time::Duration;

use berth_aws::AccountId;
use berth_aws::registry_host::HostTemplate;
use berth_domain::settings::CreateOnPush;
use berth_domain::throttle::{Profile, RateRule};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::SETTINGS;
use crate::config::setting::Kind;

fn shown<K: Kind>(text: &str) -> Option<Value> {
    K::parse(text).map(|value| value.show())
}

/// Each row: text, and what it is printed as; nothing where it is refused.
fn check<K: Kind>(table: &[(&str, Option<Value>)]) {
    for (text, expected) in table {
        assert_eq!(&shown::<K>(text), expected, "{text:?}");
    }
}

#[test]
fn sizes() {
    check::<Size>(&[
        ("0", Some(json!(0))),
        ("1", Some(json!(1))),
        ("1023", Some(json!(1023))),
        ("1024", Some(json!("1KiB"))),
        ("65536", Some(json!("64KiB"))),
        ("512MiB", Some(json!("512MiB"))),
        ("512 mib", Some(json!("512MiB"))),
        ("52000MiB", Some(json!("52000MiB"))),
        ("1GB", Some(json!("1GB"))),
        ("1500B", Some(json!(1500))),
        ("3000", Some(json!("3kB"))),
        ("8388607TiB", Some(json!("8388607TiB"))),
        ("8388608TiB", None),
        ("9223372036854775808", None),
        ("99999999999999999999999", None),
        ("", None),
        ("MiB", None),
        ("-1", None),
        ("+1", None),
        ("1.5GiB", None),
        ("1 2", None),
        ("1MiBs", None),
        ("１KiB", None),
    ]);
    assert_eq!(Size::read(&json!(2048)), Some(Size(2048)));
    for wrong in [json!(-1), json!(1.5), json!(true), json!([1]), Value::Null] {
        assert_eq!(Size::read(&wrong), None, "{wrong}");
    }
}

#[test]
fn pushes_that_make_repositories() {
    check::<CreateOnPush>(&[
        ("true", Some(json!(true))),
        ("false", Some(json!(false))),
        ("template", Some(json!("template"))),
        ("TRUE", None),
        ("", None),
    ]);
    assert_eq!(CreateOnPush::read(&json!(false)), Some(CreateOnPush::Never));
    for wrong in [json!(1), json!(["template"]), Value::Null] {
        assert_eq!(CreateOnPush::read(&wrong), None, "{wrong}");
    }
}

#[test]
fn quotas() {
    check::<Profile>(&[("off", Some(json!("off"))), ("ecr", Some(json!("ecr"))), ("on", None), ("", None)]);
    check::<RateRule>(&[
        ("PutImage=20/40", Some(json!("ecr:PutImage=20/40"))),
        ("principal:*=0.5", Some(json!("principal:*=0.5"))),
        ("PushImage=20", None),
        ("", None),
    ]);
}

#[test]
fn durations() {
    check::<Duration>(&[
        ("30s", Some(json!("30s"))),
        ("75s", Some(json!("1m15s"))),
        ("1h30m", Some(json!("1h30m"))),
        ("24h", Some(json!("1d"))),
        ("25h", Some(json!("25h"))),
        ("500ms", Some(json!("500ms"))),
        ("0s", Some(json!("0s"))),
        ("1m1m", Some(json!("2m"))),
        ("36500d", Some(json!("36500d"))),
        ("36501d", None),
        ("99999999999999999999d", None),
        ("30", None),
        ("", None),
        ("s", None),
        ("30 s", None),
        ("1h30", None),
        ("-1s", None),
        ("1y", None),
    ]);
    assert_eq!(Duration::read(&json!(30)), None);
}

#[test]
fn key_files() {
    check::<KeyFile>(&[
        ("https://issuer.example=/etc/keys.json", Some(json!("https://issuer.example=/etc/keys.json"))),
        ("https://issuer.example/a=keys=1.json", Some(json!("https://issuer.example/a=keys=1.json"))),
        ("http://issuer.example=/etc/keys.json", None),
        ("https://=/etc/keys.json", None),
        ("https://issuer.example=", None),
        ("https://issuer.example", None),
        ("https://issuer.example?a=/b", None),
        ("", None),
    ]);
}

#[test]
fn networks() {
    check::<Network>(&[
        ("10.0.0.0/8", Some(json!("10.0.0.0/8"))),
        ("10.0.0.1", Some(json!("10.0.0.1/32"))),
        ("::1", Some(json!("::1/128"))),
        ("fd00::/8", Some(json!("fd00::/8"))),
        ("10.0.0.0/33", None),
        ("::/129", None),
        ("10.0.0.0/", None),
        ("10.0.0.0/+8", None),
        ("10.0.0/8", None),
        ("example.org/8", None),
    ]);
}

#[test]
fn addresses() {
    check::<ListenAddress>(&[
        ("127.0.0.1:5000", Some(json!("127.0.0.1:5000"))),
        ("[::1]:0", Some(json!("[::1]:0"))),
        ("localhost:80", Some(json!("localhost:80"))),
        ("unix:/run/berth.sock", Some(json!("unix:/run/berth.sock"))),
        ("unix:", None),
        ("5000", None),
        (":5000", None),
        ("127.0.0.1", None),
        ("127.0.0.1:", None),
        ("127.0.0.1:65536", None),
        ("127.0.0.1:+1", None),
        ("::1:5000", None),
        ("[::1:5000", None),
        ("[localhost]:5000", None),
        ("http://127.0.0.1:5000", None),
        ("a b:1", None),
    ]);
    let local = |text: &str| ListenAddress::parse(text).unwrap().is_local();
    assert!(local("127.0.0.1:1") && local("[::1]:1") && local("localhost:1") && local("unix:/x"));
    assert!(!local("0.0.0.0:1") && !local("[::]:1") && !local("example.org:1"));
}

#[test]
fn urls() {
    check::<PublicUrl>(&[
        ("https://registry.example.org", Some(json!("https://registry.example.org"))),
        ("http://127.0.0.1:5000/", Some(json!("http://127.0.0.1:5000"))),
        ("https://[::1]:5000", Some(json!("https://[::1]:5000"))),
        ("https://a/b", None),
        ("https://", None),
        ("https://user@a", None),
        ("https://a:0", None),
        ("https://a:x", None),
        ("https://a\r\nb", None),
        ("ftp://a", None),
        ("a", None),
    ]);
    let traces = |text: &str| Endpoint::parse(text).map(|endpoint| endpoint.traces_url());
    assert_eq!(traces("http://127.0.0.1:4318").unwrap(), "http://127.0.0.1:4318/v1/traces");
    assert_eq!(traces("http://127.0.0.1:4318/").unwrap(), "http://127.0.0.1:4318/v1/traces");
    assert_eq!(traces("http://otel/custom/traces").unwrap(), "http://otel/custom/traces");
    for wrong in ["https://a", "http://", "http://user:password@a", "http://a/b?c", "a:4318"] {
        assert_eq!(traces(wrong), None, "{wrong}");
    }
}

#[test]
fn hosts_of_registries() {
    check::<Option<HostTemplate>>(&[
        ("", Some(json!(""))),
        ("{account}.dkr.ecr.{region}.example.org", Some(json!("{account}.dkr.ecr.{region}.example.org"))),
        ("{account}.registry.example.org:8443", Some(json!("{account}.registry.example.org:8443"))),
        ("registry.example.org", Some(json!("registry.example.org"))),
        ("{account}.{account}.example.org", None),
        ("{name}.example.org", None),
        ("https://{account}.example.org", None),
        ("{account}.example.org:https", None),
        ("{account}", Some(json!("{account}"))),
    ]);
}

#[test]
fn lists_and_nothing() {
    check::<Vec<Pattern>>(&[
        ("", Some(json!([]))),
        ("a/*", Some(json!(["a/*"]))),
        ("a/*, b", Some(json!(["a/*", "b"]))),
        ("a,,b", None),
        ("A", None),
    ]);
    assert!(Vec::<Pattern>::read(&json!(["a", 1])).is_none());
    check::<Option<PathBuf>>(&[("", Some(json!(""))), ("/a", Some(json!("/a"))), ("a\0b", None)]);
    check::<LogFilter>(&[
        ("info", Some(json!("info"))),
        ("warn,berth_http=debug", Some(json!("warn,berth_http=debug"))),
        ("inof", None),
        ("", None),
        ("info,", None),
        ("=info", None),
        ("a=1", None),
    ]);
    check::<Challenge>(&[("auto", Some(json!("auto"))), ("bearer", Some(json!("bearer"))), ("Basic", None)]);
    check::<LogFormat>(&[("text", Some(json!("text"))), ("json", Some(json!("json"))), ("yaml", None)]);
    check::<ClientRule>(&[("required", Some(json!("required"))), ("Off", None), ("", None)]);
    check::<ProxyProtocol>(&[("require", Some(json!("require"))), ("v1", None)]);
    check::<TlsVersion>(&[("1.3", Some(json!("1.3"))), ("1.1", None), ("1.20", None)]);
    check::<Apis>(&[("aws", Some(json!("aws"))), ("AWS", None)]);
    let long = format!("vpce-{}", "a".repeat(65));
    check::<EndpointId>(&[("vpce-0a-1", Some(json!("vpce-0a-1"))), ("vpce-", None), ("vpce-A", None), (&long, None)]);
    check::<bool>(&[("true", Some(json!(true))), ("false", Some(json!(false))), ("yes", None), ("", None)]);
    check::<u64>(&[("007", Some(json!(7))), ("", None), ("9223372036854775808", None), ("-1", None), ("1e3", None)]);
    check::<u32>(&[("4294967295", Some(json!(4_294_967_295_u32))), ("4294967296", None)]);
    assert!(<AccountId as Kind>::read(&json!(123_456_789_012_u64)).is_none());
}

#[test]
fn every_default_is_a_value_of_its_setting() {
    for setting in SETTINGS {
        assert!(setting.canonical(&Value::from(setting.default)).is_some(), "{}", setting.key);
    }
}

proptest! {
    /// What is printed is read back as the same, and no text panics.
    #[test]
    fn any_text(text in "(\\PC*|[0-9]{1,20}(KiB|MB|[hms]|:[0-9]+|/[0-9]+)?)", which in 0..SETTINGS.len()) {
        let setting = &SETTINGS[which];
        if let Some(canonical) = setting.canonical(&Value::from(text)) {
            prop_assert_eq!(setting.canonical(&canonical), Some(canonical));
        }
    }

    #[test]
    fn sizes_and_durations_survive_printing(bytes in 0..=i64::MAX as u64, millis in 0..=3_153_600_000_000_u64) {
        prop_assert_eq!(Size::read(&Size(bytes).show()), Some(Size(bytes)));
        let span = Duration::from_millis(millis);
        prop_assert_eq!(Duration::read(&span.show()), Some(span));
    }
}
