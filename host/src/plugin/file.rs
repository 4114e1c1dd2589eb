//! A component as a file: written at once, its custom sections, and its names.

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

/// Removes files of this extension from a directory, the ones that were not used for longest first, until the rest fits.
pub(super) fn make_room(directory: &Path, extension: &str, bytes_max: u64) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let mut files: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|found| found == extension))
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect();
    files.sort();
    let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, size, path) in files {
        if bytes <= bytes_max {
            return;
        }
        let _ = std::fs::remove_file(path);
        bytes -= size;
    }
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

/// What a component imports and exports, by name; none if the bytes are no component.
pub fn component_names(bytes: &[u8]) -> Option<(Vec<String>, Vec<String>)> {
    use wasmparser::{Encoding, Payload};
    let mut depth = 0_u32;
    let (mut is_component, mut imports, mut exports) = (false, Vec::new(), Vec::new());
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        match payload.ok()? {
            Payload::Version { encoding, .. } if depth == 0 => is_component = encoding == Encoding::Component,
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(section.into_iter().map_while(Result::ok).map(|import| import.name.name.to_owned()));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                exports.extend(section.into_iter().map_while(Result::ok).map(|export| export.name.name.to_owned()));
            }
            _ => {}
        }
    }
    is_component.then_some((imports, exports))
}

#[cfg(test)]
mod tests {
    use super::component_names;

    #[test]
    fn a_component_is_told_from_a_module_and_by_its_own_names_alone() {
        let names = |text| component_names(&wat::parse_str(text).unwrap());
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let text = r#"(component
            (import "a:b/c@0.1.0" (instance $i))
            (component (import "x:y/z" (instance $i)) (export "inner" (instance $i)))
            (export "d:e/f@1.0.0" (instance $i)))"#;
        assert_eq!(names(text), Some((list(&["a:b/c@0.1.0"]), list(&["d:e/f@1.0.0"]))));
        assert_eq!(names("(module (memory 1))"), None);
        assert_eq!(component_names(b"text"), None);
    }
}
