//! The sections of a core module, to which items can be added at their ends: what stood there before keeps its index and its
//! bytes.

use std::borrow::Cow;
use wasm_encoder::{Encode, Module, RawSection, SectionId};

/// The order in which sections come; custom ones may come anywhere.
const ORDER: [SectionId; 13] = [
    SectionId::Type,
    SectionId::Import,
    SectionId::Function,
    SectionId::Table,
    SectionId::Memory,
    SectionId::Tag,
    SectionId::Global,
    SectionId::Export,
    SectionId::Start,
    SectionId::Element,
    SectionId::DataCount,
    SectionId::Code,
    SectionId::Data,
];

/// Sections by their numbers, in their order.
#[derive(Clone, Default)]
pub(crate) struct Sections<'a>(Vec<(u8, Cow<'a, [u8]>)>);

impl<'a> Sections<'a> {
    pub(crate) fn push(&mut self, id: u8, bytes: &'a [u8]) {
        self.0.push((id, bytes.into()));
    }

    /// Adds items, of which `items` holds `count`, at the end of a section.
    pub(crate) fn add(&mut self, id: SectionId, count: u32, items: &[u8]) {
        let section = self.section(id);
        let (before, rest) = leading_number(section);
        let mut bytes = Vec::with_capacity(section.len() + items.len() + 1);
        (before + count).encode(&mut bytes);
        bytes.extend_from_slice(rest);
        bytes.extend_from_slice(items);
        *section = bytes.into();
    }

    /// Says how many segments of data there are, which those who name one in their code have to know before.
    pub(crate) fn set_data_count(&mut self, count: u32) {
        let mut bytes = Vec::new();
        count.encode(&mut bytes);
        *self.section(SectionId::DataCount) = bytes.into();
    }

    /// The section with this number, made at its place if there is none.
    fn section(&mut self, id: SectionId) -> &mut Cow<'a, [u8]> {
        let rank = |id: u8| ORDER.iter().position(|known| *known as u8 == id);
        let index = self.0.iter().position(|(known, _)| *known == id as u8).unwrap_or_else(|| {
            let later = |(known, _): &(u8, _)| rank(*known).is_some_and(|rank_known| Some(rank_known) > rank(id as u8));
            let index = self.0.iter().position(later).unwrap_or(self.0.len());
            self.0.insert(index, (id as u8, Cow::Borrowed(&[0])));
            index
        });
        &mut self.0[index].1
    }

    pub(crate) fn module(&self) -> Module {
        let mut module = Module::new();
        for (id, data) in &self.0 {
            module.section(&RawSection { id: *id, data });
        }
        module
    }
}

/// The number in LEB128 with which a section begins, and what follows.
fn leading_number(bytes: &[u8]) -> (u32, &[u8]) {
    let mut number = 0;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        number |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return (number, &bytes[index + 1..]);
        }
    }
    (0, bytes)
}
