//! What a host writes down of its messages, in files of its own.

pub mod capture;
pub mod dead_letters;
