//! The flags of the configuration, made from the declarations of its keys.

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{FlagValues, Key, SECTIONS};

/// Every flag that sets a key, and `--config`.
#[derive(Debug, Clone, Default)]
pub struct Flags(pub FlagValues);

fn flagged() -> impl Iterator<Item = (&'static Key, &'static str)> {
    SECTIONS.iter().flat_map(|section| section.keys).filter_map(|key| Some((key, key.flag?)))
}

fn argument(key: &'static Key, flag: &'static str) -> Arg {
    let default = (key.default)().map_or(String::new(), |value| format!(" [default: {value}]"));
    let env = key.env.first().map_or(String::new(), |name| format!(" [env: {name}]"));
    let action = if key.list { ArgAction::Append } else { ArgAction::Set };
    Arg::new(flag)
        .long(flag)
        .value_name(key.kind)
        .action(action)
        .help(format!("{}{default}{env}", key.doc.trim()))
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config").long("config").value_name("FILE").help("Configuration file (TOML)");
        command.arg(config).args(flagged().map(|(key, flag)| argument(key, flag)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let values = flagged().filter_map(|(key, flag)| {
            let given: Vec<&str> = matches.get_many::<String>(flag)?.map(String::as_str).collect();
            Some((key, given.join(",")))
        });
        Ok(Flags(FlagValues { config: matches.get_one("config").cloned(), values: values.collect() }))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
