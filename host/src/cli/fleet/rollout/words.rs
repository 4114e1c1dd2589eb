//! The words of a rolling change: what it is for, what is seen and done at a host, and how each stands.

use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// What every host is to serve.
#[derive(Clone, Debug)]
pub(in crate::cli::fleet) enum Goal {
    /// A component that is handed in, of this digest.
    Load(String),
    /// What each finds in its own source, which has to be this one.
    LoadSource(String),
    /// What served before: of the digest that begins so, else what the first host would go back to that can.
    RollBack(Option<String>),
}

/// What has to hold before the next host is changed.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::fleet) struct Terms {
    /// For so long a host has to be well.
    pub(in crate::cli::fleet) watch: Duration,
    /// Within this time it has to become so, and a host that goes back has to have done that.
    pub(in crate::cli::fleet) patience: Duration,
}

/// What one look at a host has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli::fleet) struct Sight {
    /// The plugin; none if the host has none of that name.
    pub(in crate::cli::fleet) plugin: Option<PluginSight>,
    /// The checks that keep the host from being ready, by name.
    pub(in crate::cli::fleet) failing: BTreeSet<String>,
}

/// What a host tells of the plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli::fleet) struct PluginSight {
    /// What serves; none if nothing does.
    pub(in crate::cli::fleet) digest: Option<String>,
    /// Where it is loaded from.
    pub(in crate::cli::fleet) source: String,
    /// Nothing calls it at present.
    pub(in crate::cli::fleet) is_paused: bool,
    /// Its operator has paused it.
    pub(in crate::cli::fleet) is_held: bool,
    /// Calls that failed by the plugin's own fault, of all generations.
    pub(in crate::cli::fleet) own_failures: u64,
    /// Calls of the generation that serves that failed by anybody's fault.
    pub(in crate::cli::fleet) generation_failures: u64,
    /// What there is to go back to, by generation and digest, the latest first.
    pub(in crate::cli::fleet) previous: Vec<(u64, String)>,
    /// What is not as it should be.
    pub(in crate::cli::fleet) notice: Option<String>,
}

impl Sight {
    /// The digest of what serves.
    pub(super) fn serving(&self) -> Option<&str> {
        self.plugin.as_ref()?.digest.as_deref()
    }

    /// The generation of this digest that there is to go back to.
    pub(super) fn kept(&self, digest: &str) -> Option<u64> {
        let previous = &self.plugin.as_ref()?.previous;
        previous.iter().find(|(_, kept)| kept == digest).map(|(generation, _)| *generation)
    }
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::fleet) enum Step {
    /// All hosts are looked at.
    LookAtAll,
    /// This one is.
    Look(usize),
    /// This one is changed.
    Change(usize, Change),
    /// A little while passes.
    Rest,
    /// There is nothing more to do.
    End,
}

/// How a host is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::fleet) enum Change {
    /// It loads the component, or its source.
    Load,
    /// It goes forward to a generation that served before.
    RollBack(u64),
    /// It goes back to this generation, from what was loaded.
    GoBack(u64),
    /// It goes back to having nothing there.
    Unload,
}

/// What has come of a step.
#[derive(Clone, Debug)]
pub(in crate::cli::fleet) enum Came {
    /// Nothing was done yet.
    Nothing,
    /// What was seen of all.
    Sights(Vec<Result<Sight, String>>),
    /// What was seen of one.
    Sight(Result<Sight, String>),
    /// What serves after a change, if that is known.
    Changed(Result<Option<String>, Trouble>),
    /// The little while has passed.
    Rested,
}

/// Why a host did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::fleet) enum Trouble {
    /// It said no, and is as it was.
    Refused(String),
    /// It did not say anything: what it did is not known.
    Silent(String),
}

/// How a host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli::fleet) enum Standing {
    /// Its turn has not come.
    Untouched,
    /// It could not be looked at, and was not changed.
    Unreachable,
    /// It cannot do what is wanted, as the look before anything was changed has shown.
    Unfit,
    /// It served that already.
    Already,
    /// It has changed, and was well for as long as it was watched.
    Changed,
    /// It has changed, and the user ended the command before it was watched for long enough.
    Unwatched,
    /// It refused, and is as it was.
    Refused,
    /// It has changed, or may have, and is not well.
    Unwell,
    /// It serves again what it did before.
    Back,
    /// It does not, or that is not known.
    NotBack,
}

/// How a rolling change has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli::fleet) enum End {
    /// All hosts serve what they are to.
    Done,
    /// Nothing was changed: a host could not be looked at.
    Unreachable,
    /// Nothing was changed: a host cannot do it.
    Unfit,
    /// One refused or was not well, and all are as they were.
    Stopped,
    /// One refused or was not well, and not all are as they were.
    Mixed,
    /// The user ended the command.
    Interrupted,
}
