//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use berth_domain::Domain;
use berth_oci::name::RepositoryName;
use clap::{Parser, Subcommand};
use serde_json::{Value, json};

use crate::audit::Audit;
use crate::backup::Backup;
use crate::config::effective::Given;
use crate::config::flags::{OperatorFlags, ServeFlags};
use crate::config::kinds::LogFormat;
use crate::config::{Settings, example, load, print, reference};
use crate::failure::Failure;
use crate::helpers::Helper;
use crate::identity::Noun;
use crate::import::Import;
use crate::login::Login;
use crate::restore::Restore;
use crate::telemetry::Traces;
use crate::verify::Verify;
use crate::{
    audit, backup, gc, helpers, identity, import, logging, login, migrate_store, opened, output, restore, serve, verify,
};

const PAGE: u64 = 500;

/// A self-hosted container registry, in one binary.
#[derive(Parser)]
#[command(name = "berth", version, about, propagate_version = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
    /// The configuration file; else `BERTH_CONFIG`, ./berth.toml or /etc/berth/berth.toml.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Prints results and errors as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the registry.
    Serve {
        #[command(flatten)]
        flags: ServeFlags,
    },
    /// Prints the configuration in force, and where each value came from.
    Config {
        #[command(flatten)]
        flags: ServeFlags,
        /// Prints the reference of all settings instead, as Markdown.
        #[arg(long)]
        reference: bool,
        /// Prints an example file instead: every setting with its default, commented out.
        #[arg(long, conflicts_with = "reference")]
        example: bool,
    },
    /// What only an administrator may do.
    #[command(subcommand)]
    Admin(Admin),
    /// Sizes of repositories, or of the images of one.
    Stats {
        #[command(flatten)]
        flags: OperatorFlags,
        /// The repository.
        repository: Option<String>,
    },
    /// Brings in images that are elsewhere. Exit code 1 where some were left out; running it again goes on.
    #[command(subcommand)]
    Import(Import),
    /// Removes what nothing needs any more, as the server does by itself from time to time.
    Gc {
        #[command(flatten)]
        flags: OperatorFlags,
        /// Only tells what would go, and why.
        #[arg(long)]
        dry_run: bool,
    },
    /// Hashes every blob again and looks for what is missing. Exit code 1 where something is wrong.
    Verify(Verify),
    /// Copies everything into a folder or bucket while the registry serves; of blobs only those that are not there yet.
    Backup(Backup),
    /// Brings a backup into an empty database and a blob store.
    Restore(Restore),
    /// Moves all blobs from the store that `storage.move_from` names to the present one, while the registry serves.
    MigrateStore {
        #[command(flatten)]
        flags: OperatorFlags,
    },
    /// What was done, by whom, and whether it was allowed.
    #[command(subcommand)]
    Audit(Audit),
    /// Logs a person in by an identity provider, and writes a session of a role into a profile.
    Login(Box<Login>),
    /// Hands logins to programs that ask for them, by their protocols.
    #[command(subcommand)]
    CredentialHelper(Helper),
    #[command(flatten)]
    Identity(Noun),
}

#[derive(Subcommand)]
enum Admin {
    /// Makes a new access key for the administrator; the old one stops working within seconds.
    ResetKey {
        #[command(flatten)]
        flags: OperatorFlags,
    },
}

/// Runs what the command line says.
pub fn run() -> ExitCode {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let as_json = line.json;
    let done = execute(line);
    logging::finish();
    match done {
        Ok(code) => code,
        Err(failure) => {
            report(&failure, as_json);
            ExitCode::from(failure.code())
        }
    }
}

fn report(failure: &Failure, as_json: bool) {
    if as_json {
        output::notice(&failure.json().to_string());
    } else {
        output::notice(&format!("berth: {failure}"));
    }
}

fn execute(line: Line) -> Result<ExitCode, Failure> {
    let configured = |flags: Vec<Given>| configure(line.config.as_deref(), flags);
    let done = Ok(ExitCode::SUCCESS);
    match line.command {
        Command::Serve { flags } => {
            let settings = load(line.config.as_deref(), environment(), flags.0)?.settings;
            let traces = Traces::start(&settings.telemetry)?;
            let access = logging::start(&settings.log, traces.as_ref());
            let served = block_on(serve::run(&settings, access));
            traces.into_iter().for_each(Traces::finish);
            logging::finish();
            served.map_or_else(
                |failure| {
                    // Whoever reads the log as JSON can read its last line too.
                    report(&failure, line.json || settings.log.format == LogFormat::Json);
                    Ok(ExitCode::from(failure.code()))
                },
                |()| done,
            )
        }
        Command::Config { reference: true, .. } => {
            let text = if line.json { reference::json().to_string() } else { reference::page() };
            output::result(text.trim_end());
            done
        }
        Command::Config { example: true, .. } => {
            output::result(example::file().trim_end());
            done
        }
        Command::Config { flags, .. } => {
            let effective = load(line.config.as_deref(), environment(), flags.0)?;
            let text = if line.json { print::json(&effective).to_string() } else { print::toml(&effective) };
            output::result(text.trim_end());
            done
        }
        Command::Admin(Admin::ResetKey { flags }) => block_on(reset_key(&configured(flags.0)?, line.json)).and(done),
        Command::Stats { flags, repository } => {
            block_on(stats(&configured(flags.0)?, repository.as_deref(), line.json)).and(done)
        }
        Command::Import(mut from) => {
            let settings = configured(from.flags())?;
            block_on(import::run(&settings, &from, line.json))
        }
        Command::Gc { flags, dry_run } => block_on(gc::run(&configured(flags.0)?, dry_run, line.json)).and(done),
        Command::Verify(mut verify) => {
            let settings = configured(verify.flags())?;
            block_on(verify::run(&settings, &verify, line.json))
        }
        Command::Backup(mut backup) => {
            let settings = configured(backup.flags())?;
            block_on(backup::run(&settings, &backup, line.json))
        }
        Command::Restore(mut restore) => {
            let settings = configured(restore.flags())?;
            block_on(restore::run(&settings, &restore, line.json))
        }
        Command::Audit(what) => block_on(audit::run(what, configured, line.json)),
        Command::Login(asked) => block_on(login::run(&asked, line.json)).and(done),
        Command::CredentialHelper(helper) => Ok(helpers::run(&helper)),
        Command::Identity(noun) => block_on(identity::run(noun, configured, line.json)),
        Command::MigrateStore { flags } => block_on(migrate_store::run(&configured(flags.0)?, line.json)).and(done),
    }
}

#[allow(clippy::disallowed_methods, reason = "this is where configuration reads the environment")]
fn environment() -> impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)> {
    std::env::vars_os()
}

fn configure(file: Option<&std::path::Path>, flags: Vec<Given>) -> Result<Settings, Failure> {
    let settings = load(file, environment(), flags)?.settings;
    logging::start(&settings.log, None);
    Ok(settings)
}

fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime()?.block_on(future)
}

/// What futures run on.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(64)
        .enable_all()
        .build()
        .map_err(|error| Failure::doing("the runtime cannot start", error))
}

async fn reset_key(settings: &Settings, as_json: bool) -> Result<(), Failure> {
    let domain = opened::existing(settings).await?;
    let key = domain.reset_administrator_key().await?;
    let (id, secret) = (key.id.as_str(), key.secret.reveal());
    output::result(&if as_json {
        json!({ "access_key_id": id, "secret_access_key": secret }).to_string()
    } else {
        format!("access key id      {id}\nsecret access key  {secret}")
    });
    Ok(())
}

async fn stats(settings: &Settings, repository: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let domain = opened::existing(settings).await?;
    let (heading, rows) = match repository {
        None => ("REPOSITORY", repository_rows(&domain).await?),
        Some(name) => {
            let name = RepositoryName::parse(name).map_err(|error| Failure::Usage(error.to_string()))?;
            ("IMAGE", image_rows(&domain, &name).await?)
        }
    };
    output::result(&if as_json { Value::from(rows).to_string() } else { table(heading, &rows) });
    Ok(())
}

async fn repository_rows(domain: &Domain) -> Result<Vec<Value>, Failure> {
    let mut rows = Vec::new();
    let mut after = String::new();
    loop {
        let page = domain.repository_sizes(&domain.administrator(), &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(rows) };
        last.repository.as_str().clone_into(&mut after);
        rows.extend(page.iter().map(|row| {
            let (name, sizes) = (row.repository.as_str(), row.sizes);
            json!({ "name": name, "images": row.images, "total": sizes.total, "unique": sizes.unique, "shared": sizes.shared })
        }));
    }
}

async fn image_rows(domain: &Domain, name: &RepositoryName) -> Result<Vec<Value>, Failure> {
    let mut rows = Vec::new();
    let mut after = 0;
    loop {
        let page = domain.image_sizes(&domain.administrator(), name, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(rows) };
        after = last.id;
        rows.extend(page.iter().map(|row| {
            let (digest, sizes) = (row.digest.to_string(), row.sizes);
            json!({ "name": digest, "tags": row.tags, "total": sizes.total, "unique": sizes.unique, "shared": sizes.shared })
        }));
    }
}

fn table(heading: &str, rows: &[Value]) -> String {
    let width = rows.iter().filter_map(|row| row["name"].as_str()).map(str::len).max().unwrap_or(0).max(heading.len());
    let line = |name: &str, total: &str, unique: &str, shared: &str, rest: &str| {
        format!("{name:<width$}  {total:>14}  {unique:>14}  {shared:>14}  {rest}").trim_end().to_owned()
    };
    let mut lines =
        vec![line(heading, "TOTAL", "UNIQUE", "SHARED", if heading == "IMAGE" { "TAGS" } else { "IMAGES" })];
    lines.extend(rows.iter().map(|row| {
        let tags = row["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(",");
        let rest = if row["images"].is_null() { tags } else { row["images"].to_string() };
        let name = row["name"].as_str().unwrap_or_default();
        line(name, &row["total"].to_string(), &row["unique"].to_string(), &row["shared"].to_string(), &rest)
    }));
    lines.join("\n")
}
