//! A call that was made once, as a file of captured traffic has it, to be made again.

use crate::buckets::BucketLog;
use crate::flow::Message;
use crate::plugin::RoleName;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A call that is to be made again.
pub(crate) struct CapturedCall {
    /// Its place among all records of the file, from 1.
    pub(crate) number: u64,
    pub(crate) role: CapturedRole,
    pub(crate) message: Message,
    pub(crate) seed: CapturedSeed,
}

/// What the random numbers of the call derived from, and what it found in buckets.
pub(crate) struct CapturedSeed {
    /// The host's seed.
    pub(crate) value: u64,
    /// The component that was called, as SHA-256 in hexadecimal; none where none was reached.
    pub(crate) digest: Option<Arc<str>>,
    /// What that component calls its role; none where it is not known.
    pub(crate) role: Option<RoleName>,
    /// The number of the call at its hop.
    pub(crate) number: u64,
    /// What buckets told it; nothing where that is not known.
    pub(crate) buckets: Arc<BucketLog>,
}

/// The role that was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CapturedRole {
    /// Of messages, in whichever version of the contract.
    Processor,
    /// Of requests of the broker's clients.
    ReplyPolicy,
}

/// What a file has, one after another.
#[expect(clippy::large_enum_variant, reason = "most are calls, and there is one at a time")]
pub(crate) enum Entry {
    /// A call of the plugin of this name.
    Call { plugin: String, call: CapturedCall },
    /// Something else.
    Skipped(Skip),
}

/// Why something in the file is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Skip {
    /// It is a call of another plugin.
    OtherPlugin,
    /// It went into several plugins, and what went into each is not known.
    SeveralPlugins,
    /// It is no call: a reply, or a message that no plugin was called for.
    NoCall,
    /// It is a request of HTTP to a handler, whose calls are not made again.
    Handler,
    /// Neither component has its role.
    NoRole,
    /// It cannot be read.
    Broken,
}

impl Skip {
    /// What is said of so many.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::OtherPlugin => "of other plugins",
            Self::SeveralPlugins => "that went into several plugins",
            Self::NoCall => "without a call of a plugin",
            Self::Handler => "of handlers of HTTP",
            Self::NoRole => "in a role that neither has",
            Self::Broken => "that cannot be read",
        }
    }
}

/// Where it is said what of a file cannot be read, beside how much that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Where a command says such things.
    OnStderr,
    /// Nowhere.
    Nowhere,
}

/// A file of captured traffic.
pub(crate) trait CallSource: Send {
    /// Hands on what is in it, in its order, for as long as more is wanted.
    ///
    /// # Errors
    /// When it cannot be read any further.
    fn each_until(&self, found: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<(), String>;

    /// Hands on all that is in it, in its order.
    ///
    /// # Errors
    /// When it cannot be read any further.
    fn each(&self, found: &mut dyn FnMut(Entry)) -> Result<(), String> {
        self.each_until(&mut |entry| {
            found(entry);
            ControlFlow::Continue(())
        })
    }
}

/// The digest of the call before: most calls of a file are of one component, and share its name.
#[derive(Default)]
pub(crate) struct Digests(Option<Arc<str>>);

impl Digests {
    pub(crate) fn of(&mut self, digest: &str) -> Arc<str> {
        match &self.0 {
            Some(last) if **last == *digest => Arc::clone(last),
            _ => Arc::clone(self.0.insert(digest.into())),
        }
    }
}
