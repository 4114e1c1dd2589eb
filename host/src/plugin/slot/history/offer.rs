//! A plugin that is offered to a slot, and what comes of that.

use crate::flow::ServedBy;
use crate::plugin::load::candidate::StillWanted;
use crate::plugin::load::gate::Judgement;
use std::sync::Arc;

/// What there is to know of a plugin that is to serve.
pub(in crate::plugin::slot) struct Offer<'a> {
    /// The digest of another component that differs from it in its examples alone, if one does.
    pub(in crate::plugin::slot) same_code_as: Option<&'a str>,
    /// Someone wants it.
    pub(in crate::plugin::slot) asked: bool,
    /// Asked at the last moment; none if it is wanted whatever serves by then.
    pub(in crate::plugin::slot) still_wanted: Option<StillWanted>,
    /// How it came through the gate.
    pub(in crate::plugin::slot) judgement: Judgement,
}

/// What came of an offer.
pub(in crate::plugin::slot) enum Swapped {
    /// It serves, as a generation that may have served before.
    #[allow(missing_docs)]
    Serves { served_by: Arc<ServedBy>, changed: bool },
    /// Nothing has changed: something else serves than it was compared with.
    OtherServes,
}
