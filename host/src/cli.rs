//! The command line: with no subcommand it runs the host.

mod capture;
mod clients;
mod compile_cache;
mod completions;
mod dead_letters;
mod fleet;
mod flow;
mod health;
mod keygen;
mod ledger;
mod log;
mod man;
mod output;
pub mod plugin;
mod replay;
mod serve;
mod top;
mod traffic;
mod workers;

use self::clients::{request, subscribe, worker};
use crate::plugin::{COMPILER_SUBCOMMAND, CompilerFlags, run_compiler};
use crate::system::output::{note, unless_unread};
use crate::system::{environment, exit_code};
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// What the binary is called.
const NAME: &str = "tidegate";

/// A WebAssembly-plugin host between HTTP and ZeroMQ.
#[derive(Debug, Parser)]
#[command(name = NAME, version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print and log what is published
    Subscribe(subscribe::Args),
    /// Send requests to a frontend and print the replies
    Request(request::Args),
    /// Make a program a worker of a host's pool
    Worker(worker::Args),
    /// Make a CURVE key pair, for a host or for a client
    Keygen(keygen::Args),
    /// Build and check plugins, and swap those of a running host
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Try the flows of a configuration, and see and change those of a running host
    #[command(subcommand)]
    Flow(flow::Flow),
    /// See many running hosts side by side, and change a plugin on one after the other
    #[command(subcommand)]
    Fleet(fleet::Fleet),
    /// See who works in the pools of a running host, and let one go
    #[command(subcommand)]
    Workers(workers::Workers),
    /// See what was lost, and try it again
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLetters),
    /// Write down what goes through a running host, and read it again
    #[command(subcommand)]
    Capture(capture::Capture),
    /// Send again what came in, from a capture or dead letters, or put it through a flow
    Replay(replay::Args),
    /// Show what a running host has counted
    Ledger(ledger::Ledger),
    /// Watch a running host: its plugins, hops, flows, workers, peers, shadows and captures
    Top(top::Top),
    /// Ask a running host whether it is ready
    Health(health::Args),
    /// Write the completions of a shell
    Completions(completions::Args),
    /// Write the manual pages
    Man(man::Args),
    /// Compiles the component on stdin, under limits; the host starts this for itself
    #[command(hide = true, name = COMPILER_SUBCOMMAND)]
    Compile {
        memory_bytes_max: u64,
        cpu_seconds_max: u64,
        #[command(flatten)]
        flags: CompilerFlags,
    },
}

/// The whole command line.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Does what the command line says, and gives the exit code, one of [`exit_code`].
pub fn run() -> ExitCode {
    environment::forget_empty();
    if let Some(exit_code) = completions::answer() {
        return exit_code;
    }
    let result = Cli::try_parse().map_or_else(|said| answer(&with_variable(with_plugin_flag(said))), Cli::run);
    result.unwrap_or_else(|error| {
        note(format_args!("error: {error:#}"));
        ExitCode::from(exit_code::FAILURE)
    })
}

/// Writes what clap has to say of a command line: the help or the version, else what is wrong with it.
fn answer(said: &clap::Error) -> anyhow::Result<ExitCode> {
    let code = ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(exit_code::USAGE));
    let written = said.print();
    // Of what is wrong there is no other place to tell.
    if !said.use_stderr() {
        unless_unread(written)?;
    }
    Ok(code)
}

/// Names the flag where a component stands in the place of a subcommand.
fn with_plugin_flag(mut said: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue};
    let is_component = |text: &str| text.ends_with(".wasm") || text.starts_with("oci://");
    let found =
        [ContextKind::InvalidSubcommand, ContextKind::InvalidArg].into_iter().find_map(|kind| match said.get(kind) {
            Some(ContextValue::String(text)) if is_component(text) => Some(text.clone()),
            _ => None,
        });
    if let Some(component) = found {
        said.remove(ContextKind::SuggestedSubcommand);
        let told = format!("did you mean --plugin {component}?");
        said.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![told.into()]));
    }
    said
}

/// Names the variable too where a wrong value came from the environment: clap speaks of the flag alone.
fn with_variable(mut said: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue};
    let text = |kind| match said.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let mut built = command();
    built.build();
    if let (Some(flag), Some(value)) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue))
        && let Some(name) = variable_of(&built, &flag)
        && std::env::var(&name).is_ok_and(|held| held == value || held.split(',').any(|part| part == value))
        && !std::env::args_os()
            .any(|argument| argument.to_string_lossy().split(['=', ' ']).next() == flag.split(['=', ' ']).next())
    {
        let told = format!("this is the value of the variable {name}");
        said.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![told.into()]));
    }
    said
}

/// The variable that stands in for a flag, of a command or of one below it.
fn variable_of(command: &clap::Command, flag: &str) -> Option<String> {
    let named = command.get_arguments().find(|argument| argument.to_string() == flag).and_then(clap::Arg::get_env);
    let own = named.map(|name| name.to_string_lossy().into_owned());
    own.or_else(|| command.get_subcommands().find_map(|command| variable_of(command, flag)))
}

impl Cli {
    fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            None => Ok(self.serve.run()),
            Some(Command::Subscribe(args)) => subscribe::run(args),
            Some(Command::Request(args)) => request::run(args),
            Some(Command::Worker(args)) => worker::run(args),
            Some(Command::Keygen(args)) => keygen::run(args),
            Some(Command::Plugin(plugin)) => plugin.run(),
            Some(Command::Flow(flow)) => flow.run(),
            Some(Command::Fleet(fleet)) => fleet.run(),
            Some(Command::Workers(workers)) => workers.run(),
            Some(Command::DeadLetters(dead_letters)) => dead_letters.run(),
            Some(Command::Capture(capture)) => capture.run(),
            Some(Command::Replay(args)) => replay::run(args),
            Some(Command::Ledger(ledger)) => ledger.run(),
            Some(Command::Top(top)) => top.run(),
            Some(Command::Health(args)) => health::run(args),
            Some(Command::Completions(args)) => completions::run(args),
            Some(Command::Man(args)) => man::run(args),
            Some(Command::Compile { memory_bytes_max, cpu_seconds_max, flags }) => {
                Ok(ExitCode::from(run_compiler(memory_bytes_max, cpu_seconds_max, flags)))
            }
        }
    }
}
