//! Mutation within the sections of a component, whose lengths stay right: random changes of bytes would nearly always
//! be refused for a wrong length, before any other code is reached.

const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE_IN_COMPONENT: u8 = 1;
const COMPONENT_IN_COMPONENT: u8 = 4;
const CODE_IN_MODULE: u8 = 10;

/// The component or module with one change; none if the bytes are neither, or for one seed in eight.
pub fn mutated(bytes: &[u8], size_max: usize, seed: u32) -> Option<Vec<u8>> {
    let mut chance = Chance(seed.into());
    if chance.below(8) == 0 {
        return None;
    }
    // The text form is converted to the binary form, which has sections.
    let bytes = wat::parse_bytes(bytes).ok()?;
    let room = size_max.checked_sub(bytes.len())?;
    mutated_sections(&bytes, room, &mut chance)
}

struct Section {
    id: u8,
    content: Vec<u8>,
}

fn mutated_sections(bytes: &[u8], room: usize, chance: &mut Chance) -> Option<Vec<u8>> {
    let is_component = bytes.starts_with(COMPONENT);
    if !is_component && !bytes.starts_with(MODULE) {
        return None;
    }
    let (header, mut rest) = bytes.split_at(MODULE.len());
    let mut sections = Vec::new();
    while let Some((&id, after)) = rest.split_first() {
        let content;
        (content, rest) = sized(after)?;
        sections.push(Section { id, content: content.to_vec() });
    }
    let count = sections.len();
    let index = (count > 0).then(|| chance.below(count))?;
    match chance.below(12) {
        0 => drop(sections.remove(index)),
        1 => {
            let Section { id, ref content } = sections[index];
            let copy = Section { id, content: content.clone() };
            sections.insert(chance.below(count + 1), copy);
        }
        2 => sections.swap(index, chance.below(count)),
        _ => {
            let Section { id, content } = &mut sections[index];
            *content = match (is_component, *id) {
                (true, MODULE_IN_COMPONENT | COMPONENT_IN_COMPONENT) => mutated_sections(content, room, chance)?,
                (false, CODE_IN_MODULE) => mutated_code(content, room, chance)?,
                _ => mutated_bytes(content, room),
            };
        }
    }
    let mut bytes = header.to_vec();
    for Section { id, content } in sections {
        bytes.push(id);
        push_sized(&mut bytes, &content);
    }
    Some(bytes)
}

/// Mutates the body of one function.
fn mutated_code(code: &[u8], room: usize, chance: &mut Chance) -> Option<Vec<u8>> {
    let (count, mut rest) = number(code)?;
    let mut bodies = Vec::new();
    while !rest.is_empty() {
        let body;
        (body, rest) = sized(rest)?;
        bodies.push(body.to_vec());
    }
    let index = (!bodies.is_empty()).then(|| chance.below(bodies.len()))?;
    bodies[index] = mutated_bytes(&bodies[index], room);
    let mut code = Vec::new();
    push_number(&mut code, count);
    for body in bodies {
        push_sized(&mut code, &body);
    }
    Some(code)
}

fn mutated_bytes(bytes: &[u8], room: usize) -> Vec<u8> {
    let mut mutated = bytes.to_vec();
    // The encoding of the length may become longer, too.
    mutated.resize(bytes.len() + room.saturating_sub(16).min(256), 0);
    let (size, size_max) = (bytes.len(), mutated.len());
    if size_max > 0 {
        let size = libfuzzer_sys::fuzzer_mutate(&mut mutated, size, size_max);
        mutated.truncate(size);
    }
    mutated
}

/// Splits off a length-prefixed part. Returns it and the rest.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(bytes)?;
    rest.split_at_checked(length.try_into().ok()?)
}

/// Splits off a number in LEB128. Returns it and the rest.
fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        number |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}

fn push_sized(bytes: &mut Vec<u8>, content: &[u8]) {
    push_number(bytes, u32::try_from(content.len()).expect("no input is so long"));
    bytes.extend_from_slice(content);
}

fn push_number(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^= number >> 31;
        usize::try_from(number % bound as u64).expect("below a usize")
    }
}
