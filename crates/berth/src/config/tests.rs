//! Sources over one another, and what is told of those that are wrong.

use std::ffi::OsString;
use std::path::Path;

use clap::FromArgMatches as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::effective::{Effective, FileText, Given};
use super::flags::ServeFlags;
use super::problem::Problem;
use super::setting::Setting;
use super::{LISTENER_SETTINGS, SETTINGS, environment, load, print};

type Env<'a> = &'a [(&'a str, &'a str)];

fn variables(table: Env<'_>) -> Vec<(OsString, OsString)> {
    table.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn flags(arguments: &[&str]) -> Vec<Given> {
    let command = <ServeFlags as clap::Args>::augment_args(clap::Command::new("serve").no_binary_name(true));
    ServeFlags::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap().0
}

fn resolve(file: &str, env: Env<'_>, arguments: &[&str]) -> Result<Effective, Vec<Problem>> {
    let (mut given, problems) = environment::read(variables(env));
    given.extend(flags(arguments));
    let file = (!file.is_empty()).then(|| FileText { path: "berth.toml".into(), text: file.to_owned() });
    Effective::resolve(file, given, problems)
}

fn told(file: &str, env: Env<'_>) -> Vec<String> {
    let problems = resolve(file, env, &[]).map(|_| ()).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

fn entry(effective: &Effective, key: &str) -> (Value, String) {
    let entry = effective.values.iter().find(|entry| entry.key() == key).unwrap();
    (entry.value.clone(), entry.origin.to_string())
}

#[test]
fn the_later_source_counts() {
    let file = "[log]\n# text by default\nformat = \"json\"\n";
    let env: &[_] = &[("BERTH_LOG__FORMAT", "text")];
    let table: [(&str, Env<'_>, &[&str], &str, &str); 8] = [
        ("", &[], &[], "text", "default"),
        (file, &[], &[], "json", "berth.toml:3"),
        ("", env, &[], "text", "env BERTH_LOG__FORMAT"),
        (file, env, &[], "text", "env BERTH_LOG__FORMAT"),
        ("", &[], &["--log-format", "json"], "json", "flag --log-format"),
        (file, &[], &["--log-format", "text"], "text", "flag --log-format"),
        ("", env, &["--log-format", "json"], "json", "flag --log-format"),
        (file, env, &["--log-format", "json"], "json", "flag --log-format"),
    ];
    for (file, env, arguments, value, origin) in table {
        let effective = resolve(file, env, arguments).unwrap();
        assert_eq!(entry(&effective, "log.format"), (json!(value), origin.to_owned()), "{file} {env:?} {arguments:?}");
    }
}

/// A value that differs from the default, for every setting there is.
fn other_value(setting: &Setting) -> String {
    let fits = |candidate: &&&str| {
        let canonical = setting.canonical(&Value::from(**candidate));
        canonical.is_some() && canonical != setting.canonical(&Value::from(setting.default))
    };
    let candidates = ["true", "false", "123", "123KiB", "123s", "123m", "10.0.0.0/8", "127.0.0.1:1", "json", "warn"];
    let more = [
        "https://a.example",
        "http://a.example",
        "123456789012",
        "eu-west-1",
        "/a/path",
        "a/*",
        "postgres://a@b/c",
        "s3://a/b",
        "bearer",
        "accept",
        "required",
        "1.3",
        "vpce-1",
        "oci",
        "ecr",
        "ecr:PutImage=5",
        "0.5",
        "https://a.example=/a/path",
    ];
    (*candidates.iter().chain(&more).find(fits).unwrap_or_else(|| panic!("no value for {}", setting.key))).to_owned()
}

#[test]
fn every_setting_comes_from_file_environment_and_its_flag() {
    for setting in SETTINGS {
        let (key, text, variable) = (setting.key, other_value(setting), setting.variable());
        let value = setting.canonical(&Value::from(text.as_str())).unwrap();
        // Half of the TLS settings alone are refused, and so are regions without hosts, what nobody is asked for, and quotas
        // that count nothing.
        let beside = match key {
            "server.tls_cert" => "[server]\ntls_key = \"/pair\"\n",
            "server.tls_key" => "[server]\ntls_cert = \"/pair\"\n",
            "server.client_certificates" => "[server]\ntls_cert = \"/a\"\ntls_key = \"/b\"\nclient_ca = \"/c\"\n",
            "server.client_ca" => "[server]\ntls_cert = \"/a\"\ntls_key = \"/b\"\nclient_certificates = \"required\"\n",
            "server.client_names" => {
                "[server]\ntls_cert = \"/a\"\ntls_key = \"/b\"\nclient_ca = \"/c\"\nclient_certificates = \"required\"\n"
            }
            "server.proxy_protocol" => "[server]\ntrusted_proxies = [\"10.0.0.1\"]\n",
            "registry.regions" => "[registry]\nhost = \"{region}.example.org\"\n",
            "throttle.rates" => "[throttle]\nprofile = \"ecr\"\n",
            _ => "",
        };
        let head = if beside.is_empty() { format!("[{}]\n", setting.section) } else { beside.to_owned() };
        let effective = resolve(&(head + &print::assignment(setting.name, &value)), &[], &[]).unwrap();
        assert_eq!(entry(&effective, key).0, value, "{key} from the file");
        let effective = resolve(beside, &[(&variable, &text)], &[]).unwrap();
        assert_eq!(entry(&effective, key), (value.clone(), format!("env {variable}")), "{key}");
        if let Some(name) = setting.flag_name() {
            let effective = resolve(beside, &[], &[&format!("--{name}={text}")]).unwrap();
            assert_eq!(entry(&effective, key), (value, format!("flag --{name}")), "{key}");
        }
    }
}

#[test]
fn quotas_need_a_profile() {
    let rates = "[throttle]\nrates = [\"PutImage=5\"]\n";
    let expected =
        "berth.toml:2: throttle.rates: is set but throttle.profile is off, which counts no calls; set it to ecr";
    assert_eq!(told(rates, &[]), [expected]);
    let effective = resolve(&format!("{rates}profile = \"ecr\"\n"), &[], &[]).unwrap();
    assert_eq!(entry(&effective, "throttle.rates").0, json!(["ecr:PutImage=5"]));
}

#[test]
fn further_regions_need_hosts_that_tell_them() {
    let regions = "[registry]\nregions = [\"eu-west-1\"]\n";
    let expected = "berth.toml:2: registry.regions: is set but registry.host has no {region}; images of other regions could \
                    not be pushed or pulled";
    assert_eq!(told(regions, &[]), [expected]);
    let host = |host: &str| format!("{regions}host = \"{host}\"\n");
    assert_eq!(told(&host("{account}.example.org"), &[]), [expected]);
    let effective = resolve(&host("{account}.{region}.example.org"), &[], &[]).unwrap();
    assert_eq!(entry(&effective, "registry.regions").0, json!(["eu-west-1"]));
    let refused = told(&host("{account}.{account}.example.org"), &[]);
    assert!(refused[0].contains("registry.host: got ") && refused[0].contains("once each"), "{refused:?}");
}

#[test]
fn lists_are_commas_arrays_and_repeated_flags() {
    let expected = json!(["127.0.0.1:1", "[::1]:2"]);
    let table: [(&str, Env<'_>, &[&str]); 3] = [
        ("[server]\nlisten = [\"127.0.0.1:1\", \"[::1]:2\"]", &[], &[]),
        ("", &[("BERTH_SERVER__LISTEN", "127.0.0.1:1, [::1]:2")], &[]),
        ("", &[], &["--listen", "127.0.0.1:1", "--listen", "[::1]:2"]),
    ];
    for (file, env, arguments) in table {
        let effective = resolve(file, env, arguments).unwrap();
        assert_eq!(entry(&effective, "server.listen").0, expected, "{file} {env:?} {arguments:?}");
    }
    let switched = |arguments: &[&str]| entry(&resolve("", &[], arguments).unwrap(), "storage.read_only").0;
    assert_eq!(
        (switched(&["--read-only"]), switched(&["--read-only=false"]), switched(&[])),
        (json!(true), json!(false), json!(false))
    );
}

#[test]
fn mistakes_in_the_file_are_told_with_line_and_nearest_name() {
    let table: &[(&str, &[&str])] = &[
        (
            "[server]\n\nlistn = [\"127.0.0.1:1\"]",
            &["berth.toml:3: server.listn is not a setting; did you mean server.listen?"],
        ),
        (
            "[log]\nlevel = \"inof\"",
            &[
                "berth.toml:2: log.level: got \"inof\", expected error, warn, info, debug, trace or off, or a list such as info,berth_http=debug",
            ],
        ),
        ("[sever]\nlisten = []", &["berth.toml:1: [sever] is not a section; did you mean server?"]),
        ("listen = []", &["berth.toml:1: listen is not a setting; did you mean server.listen?"]),
        ("log = 1", &["berth.toml:1: log is a section: write [log] and its settings below"]),
        (
            "[limits]\nopen_uploads = 0",
            &["berth.toml:2: limits.open_uploads: got 0, expected a whole number, at least 1"],
        ),
        (
            "[uploads]\nttl = 2026-11-24",
            &["berth.toml:2: uploads.ttl: got 2026-11-24, expected a duration such as 30s, 24h or 1h30m, at least 1m"],
        ),
        ("[server]\nlisten = []", &["berth.toml:2: server.listen: is empty; name an address"]),
        (
            "[server]\ntls_cert = \"a\"",
            &["berth.toml:2: server.tls_cert: is set but server.tls_key is not; TLS needs both"],
        ),
        // All of them at once, those of values that another source overrides included.
        (
            "[log]\nlevel = 1\nformat = 2",
            &[
                "berth.toml:2: log.level: got 1, expected error, warn, info, debug, trace or off, or a list such as info,berth_http=debug",
                "berth.toml:3: log.format: got 2, expected text or json",
            ],
        ),
    ];
    for (file, expected) in table {
        assert_eq!(told(file, &[]), *expected, "{file}");
    }
    for broken in ["[server", "[server]\nlisten = [", "[log]\nlevel = \"a\nb\"", "[log]\n[log]\n"] {
        let told = told(broken, &[]);
        assert!(told.len() == 1 && told[0].starts_with("berth.toml:") && told[0].contains("not TOML"), "{told:?}");
    }
}

#[test]
fn mistakes_in_the_environment_are_told_by_name() {
    let table: &[(&str, &[&str])] = &[
        ("BERTH_SERVER__LISTN", &["env BERTH_SERVER__LISTN: is not a setting; did you mean BERTH_SERVER__LISTEN?"]),
        (
            "BERTH_SERVER_LISTEN",
            &[
                "env BERTH_SERVER_LISTEN: is not a setting; did you mean BERTH_SERVER__LISTEN? (two underscores behind the section)",
            ],
        ),
        ("BERTH_NOTHING__LIKE__IT", &["env BERTH_NOTHING__LIKE__IT: is not a setting"]),
        (
            "BERTH_STORAGE__READ_ONLY",
            &["env BERTH_STORAGE__READ_ONLY: storage.read_only: got \"?\", expected true or false"],
        ),
    ];
    for (name, expected) in table {
        assert_eq!(told("", &[(name, "?")]), *expected);
    }
    for left_alone in
        ["BERTH_SERVER_KEY", "BERTH_ADMIN_SECRET_ACCESS_KEY", "BERTH_PORT_5000_TCP", "PATH", "berth_log__level"]
    {
        assert!(resolve("", &[(left_alone, "?")], &[]).is_ok(), "{left_alone}");
    }
}

#[test]
fn no_secret_is_printed() {
    let secrets = variables(&[
        ("BERTH_SERVER_KEY", "hunter2"),
        ("BERTH_ADMIN_SECRET_ACCESS_KEY", "hunter2"),
        ("BERTH_IMPORT_PASSWORD", "hunter2"),
    ]);
    let effective = load(Some(Path::new("/dev/null")), secrets, Vec::new()).unwrap();
    let printed = format!("{} {} {effective:?}", print::toml(&effective), print::json(&effective));
    assert!(!printed.contains("hunter2"), "{printed}");
    for (file, variable) in [
        ("[server]\npublic_url = \"https://me:hunter2@a.example\"", "BERTH_SERVER__PUBLIC_URL"),
        ("[telemetry]\notlp_endpoint = \"http://me:hunter2@a.example\"", "BERTH_TELEMETRY__OTLP_ENDPOINT"),
    ] {
        let told = [told(file, &[]), told("", &[(variable, "http://me:hunter2@a.example")])].concat();
        assert!(told.len() == 2 && told.iter().all(|told| !told.contains("hunter2")), "{told:?}");
    }
    // A line that is not TOML is not repeated either.
    assert!(!told("[admin]\nsecret = hunter2", &[])[0].contains("hunter2"));
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let missing = Path::new("/nowhere/berth.toml");
    let by_flag = load(Some(missing), Vec::new(), Vec::new()).unwrap_err();
    assert_eq!(by_flag[0].to_string(), "flag --config: cannot read /nowhere/berth.toml: there is no such file");
    let by_variable = load(None, variables(&[("BERTH_CONFIG", "/nowhere/berth.toml")]), Vec::new()).unwrap_err();
    assert_eq!(by_variable[0].to_string(), "env BERTH_CONFIG: cannot read /nowhere/berth.toml: there is no such file");
}

proptest! {
    /// What `berth config` prints is a file that means the same.
    #[test]
    fn printed_values_are_read_back(which in 0..SETTINGS.len(), text in "\\PC{0,40}") {
        let setting = &SETTINGS[which];
        let Ok(effective) = resolve("", &[(&setting.variable(), &text)], &[]) else { return Ok(()) };
        let again = resolve(&print::toml(&effective), &[], &[]).unwrap();
        prop_assert_eq!(entry(&effective, setting.key).0, entry(&again, setting.key).0);
    }
}

const LISTENER: &str = "[listener.private]\nlisten = [\"127.0.0.1:1\"]\n";

#[test]
fn every_setting_of_a_listener_comes_from_file_and_environment() {
    for setting in LISTENER_SETTINGS {
        let (name, text) = (setting.name, other_value(setting));
        let key = format!("listener.private.{name}");
        let value = setting.canonical(&Value::from(text.as_str())).unwrap();
        let tls = "tls_cert = \"/a\"\ntls_key = \"/b\"\n";
        let beside = match name {
            "tls_cert" => "tls_key = \"/b\"\n".to_owned(),
            "tls_key" => "tls_cert = \"/a\"\n".to_owned(),
            "client_certificates" => format!("{tls}client_ca = \"/c\"\n"),
            "client_ca" => format!("{tls}client_certificates = \"required\"\n"),
            "client_names" => format!("{tls}client_ca = \"/c\"\nclient_certificates = \"optional\"\n"),
            "proxy_protocol" => "trusted_proxies = [\"10.0.0.1\"]\n".to_owned(),
            _ => String::new(),
        };
        let (listen, without) = if name == "listen" { ("[listener.private]\n", "") } else { (LISTENER, LISTENER) };
        let effective = resolve(&format!("{listen}{beside}{}", print::assignment(name, &value)), &[], &[]).unwrap();
        assert_eq!(entry(&effective, &key).0, value, "{key} from the file");
        let variable = format!("BERTH_LISTENER__PRIVATE__{}", name.to_uppercase());
        let effective = resolve(&format!("{without}{beside}"), &[(&variable, &text)], &[]).unwrap();
        assert_eq!(entry(&effective, &key), (value, format!("env {variable}")), "{key}");
        let again = resolve(&print::toml(&effective), &[], &[]).unwrap();
        assert_eq!(entry(&effective, &key).0, entry(&again, &key).0);
    }
}

#[test]
fn listeners_are_told_by_their_names() {
    let file =
        format!("[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\n{LISTENER}[listener.b2]\nlisten = [\"127.0.0.1:2\"]\n");
    let env: &[_] = &[
        ("BERTH_LISTENER__B2__TRUSTED_PROXIES", ""),
        ("BERTH_LISTENER__VPC_A__LISTEN", "127.0.0.1:3"),
        ("BERTH_LISTENER__VPC_A__ENDPOINT_ID", "vpce-3"),
    ];
    let effective = resolve(&file, env, &[]).unwrap();
    let names: Vec<&str> = effective.settings.listeners.iter().map(|listener| listener.name.as_str()).collect();
    assert_eq!(names, ["b2", "private", "vpc-a"]);
    // Those who say nothing of proxies trust those of the server.
    let proxies: Vec<usize> = effective.settings.listeners.iter().map(|own| own.trusted_proxies.len()).collect();
    assert_eq!(proxies, [0, 1, 1]);
    assert_eq!(entry(&effective, "listener.private.trusted_proxies"), (json!(["10.0.0.0/8"]), "default".to_owned()));
    let printed = print::toml(&effective);
    assert!(printed.contains("\n[listener.vpc-a]\nlisten ") && printed.contains("# env BERTH_LISTENER__VPC_A__LISTEN"));
    let again = resolve(&printed, &[], &[]).unwrap();
    let values = |effective: &Effective| {
        effective.values.iter().map(|entry| (entry.key().into_owned(), entry.value.clone())).collect::<Vec<_>>()
    };
    assert_eq!(values(&effective), values(&again));
    assert_eq!(print::json(&effective)["settings"]["listener.vpc-a.endpoint_id"]["value"], json!("vpce-3"));
}

#[test]
fn mistakes_about_listeners_are_told_with_line_and_nearest_name() {
    let tls = "tls_cert = \"/a\"\ntls_key = \"/b\"\n";
    let table: &[(String, &str)] = &[
        (
            format!("{LISTENER}tls_crt = \"/a\""),
            "berth.toml:3: listener.private.tls_crt is not a setting; did you mean listener.private.tls_cert?",
        ),
        ("[listener.private]".to_owned(), "berth.toml:1: [listener.private] is empty; name an address with listen"),
        (
            "[listener.private]\napis = \"oci\"".to_owned(),
            "berth.toml:0: listener.private.listen: is empty; name an address",
        ),
        (
            "[listener]\nlisten = []".to_owned(),
            "berth.toml:2: listener.listen is no section: write [listener.NAME] and its settings below",
        ),
        (
            "listener = 1".to_owned(),
            "berth.toml:1: listener is no section: write [listener.NAME] and its settings below",
        ),
        (
            "[listener.Private]".to_owned(),
            "berth.toml:1: [listener.Private]: a listener's name has lower-case letters, digits and -, at most 63 of them",
        ),
        ("[listners.a]".to_owned(), "berth.toml:1: [listners] is not a section; did you mean listener?"),
        (
            format!("{LISTENER}endpoint_id = \"eni-1\""),
            "berth.toml:3: listener.private.endpoint_id: got \"eni-1\", expected an id such as vpce-1a2b3c4d: vpce- and \
             lower-case letters, digits and dashes, or nothing",
        ),
        (
            format!("{LISTENER}tls_cert = \"/a\""),
            "berth.toml:3: listener.private.tls_cert: is set but listener.private.tls_key is not; TLS needs both",
        ),
        (
            format!("{LISTENER}client_certificates = \"required\""),
            "berth.toml:3: listener.private.client_certificates: is set but listener.private.client_ca is not",
        ),
        (
            format!("{LISTENER}client_certificates = \"optional\"\nclient_ca = \"/c\""),
            "berth.toml:3: listener.private.client_certificates: is set but listener.private.tls_cert is not",
        ),
        (
            format!("{LISTENER}{tls}client_ca = \"/c\""),
            "berth.toml:5: listener.private.client_ca: is set but listener.private.client_certificates is off; nobody is \
             asked for one",
        ),
        (
            format!("{LISTENER}proxy_protocol = \"require\""),
            "berth.toml:3: listener.private.proxy_protocol: is set but listener.private.trusted_proxies is empty; nobody may \
             send such a header",
        ),
        (
            format!("{LISTENER}tls_versions = []"),
            "berth.toml:3: listener.private.tls_versions: is empty; name 1.2, 1.3 or both",
        ),
        (
            format!("{LISTENER}tls_versions = [\"1.1\"]"),
            "berth.toml:3: listener.private.tls_versions: got [\"1.1\"], expected a list of: 1.2 or 1.3",
        ),
        (
            "[server]\nclient_certificates = \"required\"".to_owned(),
            "berth.toml:2: server.client_certificates: is set but server.client_ca is not",
        ),
    ];
    for (file, expected) in table {
        // A setting that nobody gave has no line.
        let expected = expected.replace("berth.toml:0", "default");
        assert_eq!(told(file, &[]), [expected], "{file}");
    }
    let table = [
        ("BERTH_LISTENER__PRIVATE__LISTN", "; did you mean BERTH_LISTENER__PRIVATE__LISTEN?"),
        ("BERTH_LISTENER__PRIVATE", ""),
        ("BERTH_LISTENER____LISTEN", ""),
    ];
    for (name, hint) in table {
        let told = told("", &[(name, "x")]);
        assert!(told.len() == 1 && told[0].starts_with(&format!("env {name}: is not a setting{hint}")), "{told:?}");
    }
    assert_eq!(
        told("", &[("BERTH_LISTENER__PRIVATE__APIS", "none")]),
        ["env BERTH_LISTENER__PRIVATE__APIS: listener.private.apis: got \"none\", expected all, oci or aws"]
    );
}
