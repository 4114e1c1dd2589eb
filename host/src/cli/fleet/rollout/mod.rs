//! A rolling change of one plugin over many hosts: the plan without I/O, who carries it out, and what is told of it.

mod back;
mod core;
mod drive;
mod report;
#[cfg(test)]
mod simulation;
mod survey;
mod watching;
mod words;

pub(super) use self::drive::{Loading, Watch, drive};
pub(super) use self::words::Goal;
