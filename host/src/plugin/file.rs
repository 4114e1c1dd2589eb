//! A component as a file: written at once, and its custom sections.

use std::io::Write;
use std::path::Path;

/// Writes under another name first: whoever watches the file must not see half of it.
pub fn write_at_once(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().ok_or(std::io::ErrorKind::InvalidFilename)?.to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    std::fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path))
        .inspect_err(|_| drop(std::fs::remove_file(&temporary)))
}

/// The custom sections of a module, or of the outermost component.
pub fn custom_sections(bytes: &[u8]) -> impl Iterator<Item = (String, &[u8])> {
    let mut depth = 0_u32;
    wasmparser::Parser::new(0).parse_all(bytes).map_while(Result::ok).filter_map(move |payload| {
        use wasmparser::Payload;
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 => return Some((section.name().to_owned(), section.data())),
            _ => {}
        }
        None
    })
}

/// The last custom section of this name.
pub fn custom_section<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    custom_sections(bytes).filter(|(found, _)| found == name).last().map(|(_, data)| data)
}
