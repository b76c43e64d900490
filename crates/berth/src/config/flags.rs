//! Flags of the settings, made from the catalogue.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use serde_json::Value;

use super::SETTINGS;
use super::effective::Given;
use super::origin::Origin;
use super::setting::{Flag, Setting};

/// Flags of `serve` and `config`: every setting that has one.
#[derive(Debug, Clone, Default)]
pub struct ServeFlags(pub Vec<Given>);

/// Flags of the other commands: where the data is and what is logged.
#[derive(Debug, Clone, Default)]
pub struct OperatorFlags(pub Vec<Given>);

/// The same flags for commands with commands below them, which take them too.
#[derive(Debug, Clone, Default)]
pub struct GroupFlags(pub Vec<Given>);

fn for_serve(setting: &Setting) -> bool {
    setting.flag != Flag::None
}

fn for_operators(setting: &Setting) -> bool {
    matches!(setting.flag, Flag::Everywhere(_))
}

fn augment(command: Command, wanted: fn(&Setting) -> bool, is_global: bool) -> Command {
    let settings: Vec<&'static Setting> = SETTINGS.iter().filter(|setting| wanted(setting)).collect();
    settings.into_iter().fold(command, |command, setting| match setting.flag_name() {
        Some(name) => command.arg(argument(setting, name).global(is_global)),
        None => command,
    })
}

fn argument(setting: &'static Setting, name: &'static str) -> Arg {
    let argument = Arg::new(setting.key).long(name).help(help(setting)).help_heading("Settings");
    match (setting.is_list, setting.is_switch) {
        (true, _) => argument.value_name(value_name(setting)).action(ArgAction::Append),
        (_, true) => {
            argument.value_name("true|false").num_args(0..=1).require_equals(true).default_missing_value("true")
        }
        _ => argument.value_name(value_name(setting)),
    }
}

const fn value_name(setting: &Setting) -> &'static str {
    setting.name
}

/// The first sentence of its description, and its default.
fn help(setting: &Setting) -> String {
    let doc = setting.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    let more = if setting.is_list { "; may be repeated" } else { "" };
    let default = if setting.default.is_empty() { String::new() } else { format!(" [default: {}]", setting.default) };
    format!("{}{more}{default}", doc.trim_end_matches('.'))
}

fn given(matches: &ArgMatches, wanted: fn(&Setting) -> bool) -> Vec<Given> {
    SETTINGS.iter().filter(|setting| wanted(setting)).filter_map(|setting| of(setting, matches)).collect()
}

fn of(setting: &'static Setting, matches: &ArgMatches) -> Option<Given> {
    let texts: Vec<&String> = matches.get_many::<String>(setting.key)?.collect();
    let value = match texts.as_slice() {
        [one] => Value::from(one.as_str()),
        several => several.iter().map(|text| Value::from(text.as_str())).collect(),
    };
    Some(Given { setting, listener: None, value, origin: Origin::Flag(setting.flag_name()?) })
}

macro_rules! arguments {
    ($type:ident, $wanted:ident, $is_global:literal) => {
        impl FromArgMatches for $type {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self(given(matches, $wanted)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                self.0 = given(matches, $wanted);
                Ok(())
            }
        }

        impl Args for $type {
            fn augment_args(command: Command) -> Command {
                augment(command, $wanted, $is_global)
            }

            fn augment_args_for_update(command: Command) -> Command {
                augment(command, $wanted, $is_global)
            }
        }
    };
}

arguments!(ServeFlags, for_serve, false);
arguments!(OperatorFlags, for_operators, false);
arguments!(GroupFlags, for_operators, true);
