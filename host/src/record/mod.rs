//! What a host writes down of its messages, in files of its own, and what is compared with that or made of it again.

pub mod capture;
pub mod choice;
pub mod compare;
pub mod dead_letters;
pub mod replay;
pub mod traffic;
