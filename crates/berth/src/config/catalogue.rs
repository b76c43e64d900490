//! Every setting there is.

use std::path::PathBuf;
use std::time::Duration;

use berth_aws::registry_host::HostTemplate;
use berth_aws::{AccountId, Region};
use berth_domain::settings::CreateOnPush;
use berth_domain::throttle::{Profile, RateRule};

use super::effective::Values;
use super::kinds::{
    Challenge, ClientRule, DatabaseUrl, Endpoint, FormerStore, KeyFile, ListenAddress, LogFilter, LogFormat, Network,
    Pattern, ProxyProtocol, PublicUrl, Share, Size, TlsVersion,
};
use super::listeners::Listener;
use super::problem::Problem;
use super::setting::Setting;

/// Makes a struct per section, [`Settings`] of them all, and the tables [`SECTIONS`] and [`SETTINGS`].
macro_rules! settings {
    ($(
        #[doc = $about:literal]
        $section:ident: $group:ident {
            $(
                $(#[doc = $doc:literal])+
                $name:ident: $kind:ty = $default:literal $(, $extra:ident($argument:literal))*;
            )+
        }
    )+) => {
        $(
            #[doc = $about]
            #[derive(Debug, Clone)]
            pub struct $group {
                $( $(#[doc = $doc])+ pub $name: $kind, )+
            }

            impl $group {
                fn read(values: &Values) -> Result<Self, Problem> {
                    Ok(Self { $( $name: values.read(concat!(stringify!($section), ".", stringify!($name)))?, )+ })
                }
            }
        )+

        /// The effective configuration.
        #[derive(Debug, Clone)]
        pub struct Settings {
            $( #[doc = $about] pub $section: $group, )+
            /// Further listeners, in the order of their names.
            pub listeners: Vec<Listener>,
        }

        impl Settings {
            /// Reads each value as the type that its setting declares.
            pub fn read(values: &Values) -> Result<Self, Problem> {
                Ok(Self { $( $section: $group::read(values)?, )+ listeners: Listener::read_all(values)? })
            }
        }

        /// Each section's name and what it is about, in the order in which they are printed.
        pub const SECTIONS: &[(&str, &str)] = &[ $( (stringify!($section), $about), )+ ];

        /// Each setting, in the order in which they are printed.
        pub const SETTINGS: &[Setting] = &[ $( $(
            Setting::new::<$kind>(
                stringify!($section),
                stringify!($name),
                concat!(stringify!($section), ".", stringify!($name)),
                &[$($doc),+],
                $default,
            )$(.$extra($argument))*,
        )+ )+ ];
    };
}

settings! {
    /// Where and how the registry listens.
    server: Server {
        /// Addresses to listen on: `host:port`, `[::1]:port` or `unix:/path`. Port 0 takes a free one.
        listen: Vec<ListenAddress> = "127.0.0.1:5000", serve_flag("listen");
        /// The address that clients reach the registry at, `https://registry.example.org`. Empty: upload locations are
        /// relative, which suits most clients.
        public_url: Option<PublicUrl> = "", serve_flag("public-url");
        /// Networks of proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed. Nobody else's are.
        trusted_proxies: Vec<Network> = "";
        /// Whether connections begin with a header of the PROXY protocol, version 1 or 2: `off`, `accept` (trusted proxies may
        /// send one), or `require` (connections of others, and without one, are closed). TLS comes behind it.
        proxy_protocol: ProxyProtocol = "off";
        /// File with the certificate chain, PEM. Read again when it changes.
        tls_cert: Option<PathBuf> = "", serve_flag("tls-cert");
        /// File with the certificate's private key, PEM. Read again when it changes.
        tls_key: Option<PathBuf> = "", serve_flag("tls-key");
        /// Versions of TLS that are spoken.
        tls_versions: Vec<TlsVersion> = "1.2,1.3";
        /// Whether clients are asked for a certificate: `off`, `optional` (those who show none come in too), or `required`.
        client_certificates: ClientRule = "off";
        /// File with the certificates of the authorities that clients' certificates must come from, PEM. Read again when it
        /// changes.
        client_ca: Option<PathBuf> = "";
        /// Names of which a client's certificate must bear one: its subject (`CN=robot,O=Example`), its common name, or an
        /// alternative name (DNS, mail, URI, address). Empty: any certificate of the authorities will do.
        client_names: Vec<String> = "";
        /// How long a client may take to send a request's header.
        header_timeout: Duration = "10s", at_least("1s");
        /// How long a body may stand still, in either direction.
        body_timeout: Duration = "30s", at_least("1s");
        /// How long a connection may stay open without a request.
        idle_timeout: Duration = "1m15s", at_least("1s");
        /// Bytes per second that a body must reach, averaged over 30 seconds, in either direction. 0: no such limit.
        minimum_rate: Size = "1KiB";
        /// Connections open at the same time; more are answered with 503 and closed.
        max_connections: u32 = "10000", at_least("1");
        /// The largest header of a request, its first line included.
        max_header_bytes: Size = "64KiB", at_least("8KiB");
        /// How long requests may go on after SIGTERM.
        shutdown_timeout: Duration = "30s";
    }
    /// Figures for Prometheus.
    metrics: Metrics {
        /// Counts requests and what else there are figures of. Without it nothing is counted and `/metrics` is not there.
        enabled: bool = "true";
        /// Address of a listener that serves `/metrics` and nothing else, without login: a loopback one is recommended.
        /// Empty: `/metrics` is served by the main listener, to logins that may `berth:GetMetrics`.
        listen: Option<ListenAddress> = "";
    }
    /// The APIs of AWS: STS, IAM and ECR.
    api: Api {
        /// Address of a listener that serves these APIs and nothing else. They are on the main listener in any case.
        listen: Option<ListenAddress> = "";
    }
    /// Where content is kept.
    storage: Storage {
        /// Folder of the database, the blobs and the server key. It is made where it is missing.
        data_dir: PathBuf = "./berth-data", flag_everywhere("data-dir");
        /// Pushes are refused when the disk of the blobs or that of the database has less room than this.
        free_space_minimum: Size = "512MiB";
        /// Blobs up to this size are kept in the database, as manifests are: they need no file, and no sync beside that of
        /// the database. 64KiB counts at most; 0: all blobs are files or objects.
        inline_blobs: Size = "16KiB";
        /// Where blobs were kept before, while `berth migrate-store` moves them to where they are to be: `files` for those of
        /// the data folder, or `s3://bucket/prefix`, which is reached as the settings of `s3` say. Empty: nowhere else.
        move_from: Option<FormerStore> = "";
        /// Refuses every push and deletion; pulls go on.
        read_only: bool = "false", serve_flag("read-only");
    }
    /// Where facts are kept: repositories, tags, manifests, who may do what.
    database: DatabaseUse {
        /// PostgreSQL instead of a file, for several nodes: `postgres://user@host:5432/database`, without the password,
        /// which `BERTH_DATABASE_PASSWORD` or the file that `BERTH_DATABASE_PASSWORD_FILE` names gives. Servers on other
        /// machines are asked for TLS unless `?sslmode=disable` is added. Empty: `berth.db` in the data folder.
        url: Option<DatabaseUrl> = "";
        /// Connections to PostgreSQL that this node opens at most.
        pool: u32 = "16", at_least("2");
        /// The longest that one statement may take on PostgreSQL.
        statement_timeout: Duration = "30s", at_least("1s");
        /// File with the certificates of the authorities that PostgreSQL's certificate may come from, PEM. Empty: those
        /// that the system trusts.
        tls_ca: Option<PathBuf> = "";
    }
    /// A bucket of S3, or of anything that speaks its protocol, instead of files.
    s3: ObjectStorage {
        /// The bucket's name. Credentials come from where AWS's tools look: `AWS_ACCESS_KEY_ID` and
        /// `AWS_SECRET_ACCESS_KEY`, a web identity, a profile in `~/.aws`, the metadata service. Empty: blobs are files in
        /// the data folder.
        bucket: String = "";
        /// The server's address, such as `http://127.0.0.1:8333`. Empty: AWS.
        endpoint: Option<PublicUrl> = "";
        /// The region. Empty: what `AWS_REGION` or the profile says, else `us-east-1`.
        region: String = "";
        /// What the names of all objects begin with.
        prefix: String = "";
        /// Whether the bucket is a part of the server's host name rather than of the path.
        virtual_hosted_style: bool = "false";
        /// File with the certificates of further authorities, PEM.
        tls_ca: Option<PathBuf> = "";
        /// Whether pulls of blobs are sent to the bucket, by addresses that are good for a quarter of an hour. Clients must
        /// reach it.
        redirect: bool = "false";
        /// Memory that all uploads of this node buffer at most.
        buffer_budget: Size = "128MiB", at_least("16MiB");
    }
    /// How much may be stored.
    limits: Limits {
        /// The largest layer.
        layer_bytes: Size = "52000MiB";
        /// The most that one repository may hold. 0: no limit.
        repository_bytes: Size = "0";
        /// The most that an account may hold in one region. 0: no limit.
        account_bytes: Size = "0";
        /// Uploads that an account may have open at the same time.
        open_uploads: u64 = "5000", at_least("1");
        /// Repositories that the registry may have. 0: no limit.
        repositories: u64 = "100000";
        /// Repository creation templates that the registry may have. 0: no limit.
        creation_templates: u64 = "50";
        /// Pull-through cache rules that the registry may have. 0: no limit.
        pull_through_rules: u64 = "50";
        /// Principals whose pulls may be excluded from what counts as an image's last pull. 0: no limit.
        pull_time_exclusions: u64 = "100";
        /// Images that one repository may hold, indexes and what is about others included. 0: no limit.
        images_per_repository: u64 = "100000";
        /// Tags that one image may have. 0: no limit.
        tags_per_image: u64 = "1000";
        /// Parts that the API of ECR may send of one layer. 0: no limit.
        upload_parts: u64 = "4200";
    }
    /// What the registry is and allows.
    registry: Registry {
        /// The account that content belongs to: 12 digits, as AWS has them. Its administrators administer the server.
        account: AccountId = "000000000000";
        /// The region that content belongs to.
        region: Region = "us-east-1";
        /// What the hosts of registries are called: `{account}.dkr.ecr.{region}.example.org`. Requests to such a host are about
        /// the registry of that account in that region; to any other, about the one that `account` and `region` name. Empty:
        /// there is that one only, under whatever name clients reach it.
        host: Option<HostTemplate> = "";
        /// Regions beside `region` in which every account has a registry. Needs a `host` with `{region}`.
        regions: Vec<Region> = "";
        /// Whether a manifest may name content that the repository does not hold: an index images of other
        /// platforms, an image its layers. Pulls of what is missing fail, and `berth verify` does not look for it.
        allow_sparse_indexes: bool = "false";
    }
    /// How repositories come to be.
    repositories: Repositories {
        /// Whether a push makes the repository that it names: `true`, `false`, or `template`: only where a repository creation
        /// template for `CREATE_ON_PUSH` fits, and whoever pushes has the right to `ecr:CreateRepository`, as in ECR.
        create_on_push: CreateOnPush = "true";
    }
    /// Who may do what.
    auth: Auth {
        /// Repositories, of every registry, that anybody may pull from without login. `*` stands for any characters, `/`
        /// included.
        anonymous_pull: Vec<Pattern> = "", serve_flag("anonymous-pull");
        /// What clients that show nothing are asked for: `basic` (a name and a password), `bearer` (a token, which the registry
        /// hands out at `/token`), or `auto`: `bearer` where `anonymous_pull` opens anything, else `basic`.
        challenge: Challenge = "auto";
        /// How far the clocks of clients that sign requests may be off.
        clock_skew: Duration = "15m", at_least("1s");
        /// Log-ins of one access key id that may fail from one address, before more of them are refused with 429 for a while. One
        /// comes back every half minute. From other addresses the key works all the time.
        failed_logins: u32 = "10", at_least("1");
        /// Log-ins that may fail from one address, before every further failure is answered with 429. One comes back every three
        /// seconds. Right credentials pass all the time.
        failed_logins_of_address: u32 = "100", at_least("1");
    }
    /// How many calls a second are served, of an account or of one principal.
    throttle: Throttle {
        /// The quotas that hold where `rates` sets no other: `ecr`, those that ECR documents for an account, or `off`: calls are
        /// not counted at all.
        profile: Profile = "off";
        /// Quotas: `[account:|principal:]OPERATION=RATE[/BURST]`. `OPERATION` is `PutImage`, `iam:CreateUser`, `ecr:*` or `*`; `RATE`
        /// the calls per second, `0` for no quota; `BURST` those at once, one second's worth where it is left out.
        rates: Vec<RateRule> = "";
    }
    /// Whoever comes in by what an identity provider says.
    federation: Federation {
        /// How long the keys of an issuer of tokens that cannot be reached are still used.
        stale_keys: Duration = "24h";
        /// Issuers whose keys are in a file, as `https://issuer.example.org=/etc/berth/keys.json`: such an issuer is never asked. The
        /// files are key sets (JWKS), and read again when they change.
        key_files: Vec<KeyFile> = "";
        /// Audiences that SAML assertions for this service may name.
        saml_audiences: Vec<String> = "urn:amazon:webservices,https://signin.aws.amazon.com/saml";
        /// Addresses that SAML assertions for this service are sent to (`Recipient`). `/saml` at `server.public_url` is one too.
        saml_recipients: Vec<String> = "https://signin.aws.amazon.com/saml";
    }
    /// Servers that the registry asks at addresses that people give, such as issuers of tokens.
    outbound: Outbound {
        /// Networks that may be asked beside the public internet: no loopback, link-local or private address is otherwise.
        allowed_networks: Vec<Network> = "";
        /// File with the certificates of further authorities, PEM, beside those of the system.
        tls_ca: Option<PathBuf> = "";
    }
    /// Unfinished uploads.
    uploads: Uploads {
        /// How long an upload may lie untouched before it is removed.
        ttl: Duration = "24h", at_least("1m");
    }
    /// The background check of stored blobs.
    scrub: Scrub {
        /// Whether stored blobs are hashed again in the background.
        enabled: bool = "true";
        /// Bytes per second that it reads at most.
        rate: Size = "16MiB", at_least("64KiB");
        /// Each blob is hashed again once in so long, as far as the rate allows.
        interval: Duration = "24h", at_least("1m");
    }
    /// Garbage collection: space comes back by itself.
    gc: Gc {
        /// Whether what nothing needs any more is removed in the background.
        enabled: bool = "true";
        /// How long content that no manifest names is kept: pushes that began must end within half of it.
        grace: Duration = "24h", at_least("10s");
        /// How long after the beginning of one collection the next one begins.
        interval: Duration = "1h", at_least("1s");
    }
    /// Records of calls: who did what, when and from where.
    audit: Audit {
        /// Whether calls are recorded.
        enabled: bool = "true";
        /// Which share of the reads that were answered is recorded, `0` to `1`, or `off`. Changes and refusals always are.
        reads: Share = "1";
        /// How long records are kept.
        retention: Duration = "90d", at_least("1h");
        /// How long records of reads are kept.
        reads_retention: Duration = "14d", at_least("1h");
        /// Folder in which the records are written as files, as CloudTrail writes them into a bucket. It must be there; with
        /// several nodes it is the same for all of them. Empty: they are in the database alone.
        export_dir: Option<PathBuf> = "";
        /// How often new records are written there.
        export_interval: Duration = "5m", at_least("1s");
        /// Bytes of rows, as the database holds them, after which a new file begins.
        export_size: Size = "16MiB", at_least("1");
    }
    /// What is logged, on standard error.
    log: Log {
        /// `error`, `warn`, `info`, `debug`, `trace` or `off`; single parts may differ: `info,berth_http=debug`.
        level: LogFilter = "info", flag_everywhere("log-level");
        /// `text` for people, `json` for machines: one object per line.
        format: LogFormat = "text", flag_everywhere("log-format");
    }
    /// Traces for OpenTelemetry.
    telemetry: Telemetry {
        /// Collector that takes OTLP over HTTP in protobuf, `http://127.0.0.1:4318`; `/v1/traces` is added where no path is
        /// given. Empty: no traces are sent.
        otlp_endpoint: Option<Endpoint> = "";
    }
}
