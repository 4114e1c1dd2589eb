//! A component as a file: written at once, its custom sections, and its names.

use std::fs::{File, OpenOptions, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Writes under another name first, which nobody else writes to, in this process or in one that shares the directory:
/// whoever watches the file must not see half of it.
///
/// # Errors
/// When the path has no file name, or the file cannot be written; then what was there before stays.
pub fn write_at_once(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    write(path, bytes, None, File::sync_all)
}

/// As [`write_at_once`], for what not everybody may read. Only a plain file is written over, and no link is followed or
/// replaced.
///
/// # Errors
/// As there, and when something else than a plain file is there.
pub fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => Err(std::io::Error::other("it is no plain file: name another one")),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => write(path, bytes, Some(mode), File::sync_all),
    }
}

/// As [`write_at_once`], for what may be damaged after a crash of the system.
///
/// # Errors
/// As there.
pub(super) fn write_unsynced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    write(path, bytes, None, |_| Ok(()))
}

fn write(
    path: &Path,
    bytes: &[u8],
    mode: Option<u32>,
    sync: impl FnOnce(&File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut name = path.file_name().ok_or(std::io::ErrorKind::InvalidFilename)?.to_owned();
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    // Processes in two containers have the same id.
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    name.push(format!(".{:x}-{}.tmp", *PROCESS, NUMBER.fetch_add(1, Ordering::Relaxed)));
    let temporary = path.with_file_name(name);
    // Nobody else may read it even before the mode is set, which the umask of the process would narrow here.
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode.map_or(0o666, |_| 0o600)).open(&temporary);
    opened
        .and_then(|mut file| {
            file.write_all(bytes)?;
            mode.map_or(Ok(()), |mode| file.set_permissions(Permissions::from_mode(mode)))?;
            sync(&file)
        })
        .and_then(|()| std::fs::rename(&temporary, path))
        .inspect_err(|_| drop(std::fs::remove_file(&temporary)))
}

/// Removes what a host left behind that was killed while it wrote.
pub(crate) fn remove_unfinished(directory: &Path) {
    const STALE: Duration = Duration::from_secs(3_600);
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let is_temporary = entry.path().extension().is_some_and(|extension| extension == "tmp");
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let age = modified.and_then(|modified| modified.elapsed().ok());
        if is_temporary && age.is_some_and(|age| age > STALE) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Removes files of this extension from a directory until the rest fits: the ones that were not used for longest first,
/// but those that `is_needed` last. Returns how many bytes are left.
pub(super) fn make_room(directory: &Path, extension: &str, bytes_max: u64, is_needed: impl Fn(&Path) -> bool) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let mut files: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|found| found == extension))
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((is_needed(&entry.path()), metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect();
    files.sort();
    let mut bytes: u64 = files.iter().map(|(_, _, bytes, _)| bytes).sum();
    for (_, _, size, path) in files {
        if bytes <= bytes_max {
            break;
        }
        let _ = std::fs::remove_file(path);
        bytes -= size;
    }
    bytes
}

/// Whether a file looks like one that somebody is still writing: it is empty, or what its beginning announces is not
/// all there. Blocks. A file that cannot be read does not look so, nor one over its bound, which is refused in any
/// case.
pub(crate) fn is_unfinished(path: &Path, bytes_max: u64) -> bool {
    // Looked at before it is opened: opening a FIFO would wait for a writer.
    let length = std::fs::metadata(path).ok().filter(|metadata| metadata.is_file()).map(|metadata| metadata.len());
    length.is_some_and(|length| length <= bytes_max)
        && File::open(path).and_then(|file| ends_early(&mut BufReader::new(file))).unwrap_or(false)
}

/// Reads only the head of each section; the reader buffers, so that many small sections cost few reads.
fn ends_early(file: &mut BufReader<File>) -> std::io::Result<bool> {
    const HEADER: [u8; 4] = *b"\0asm";
    const HEADER_BYTES: u64 = 8;
    let length = file.get_ref().metadata()?.len();
    let header = read_at(file, 0, HEADER_BYTES)?;
    if header.iter().all(|byte| *byte == 0) {
        // Also a file whose space was reserved before anything was written.
        return Ok(true);
    }
    let announced = header.len().min(HEADER.len());
    if header[..announced] != HEADER[..announced] {
        return is_open_text(file, length);
    }
    let (mut end, mut position) = (HEADER_BYTES, header.len() as u64);
    while end < length {
        // Its number, and its size in at most five bytes.
        file.seek_relative(end.cast_signed() - position.cast_signed())?;
        let mut head = Vec::with_capacity(6);
        Read::take(&mut *file, 6).read_to_end(&mut head)?;
        position = end + head.len() as u64;
        let (Some(&id), Some((size, size_bytes))) = (head.first(), head.get(1..).and_then(leb128)) else {
            return Ok(head.len() < 6);
        };
        if (id, size) == (0, 0) {
            return Ok(true);
        }
        end += 1 + size_bytes + u64::from(size);
    }
    Ok(end > length || length < HEADER_BYTES)
}

/// A number as WebAssembly writes it, and how many bytes that takes; none if it does not end.
fn leb128(bytes: &[u8]) -> Option<(u32, u64)> {
    let last = bytes.iter().position(|byte| byte & 0x80 == 0)?;
    let value = bytes[..=last].iter().rev().fold(0_u64, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((u32::try_from(value).ok()?, last as u64 + 1))
}

/// Whether a component in its text form lacks its end.
fn is_open_text(file: &mut BufReader<File>, length: u64) -> std::io::Result<bool> {
    const PART_BYTES: u64 = 1 << 10;
    let head = read_at(file, 0, PART_BYTES)?;
    let tail = read_at(file, length.saturating_sub(PART_BYTES), PART_BYTES)?;
    Ok(head.trim_ascii_start().starts_with(b"(") && !tail.trim_ascii_end().ends_with(b")"))
}

fn read_at(file: &mut BufReader<File>, position: u64, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(position))?;
    Read::take(file, bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
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

/// Whether a component, or any module in it, has DWARF.
pub(super) fn has_debug_info(bytes: &[u8]) -> bool {
    wasmparser::Parser::new(0).parse_all(bytes).map_while(Result::ok).any(|payload| match payload {
        wasmparser::Payload::CustomSection(section) => section.name() == ".debug_line",
        _ => false,
    })
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
    use super::{component_names, is_unfinished, remove_unfinished};

    #[test]
    fn only_old_temporary_files_are_left_behind_ones() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["old.tmp", "new.tmp", "old.wasm"] {
            std::fs::write(path(name), "x").unwrap();
        }
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7_200);
        for name in ["old.tmp", "old.wasm"] {
            std::fs::File::options().write(true).open(path(name)).unwrap().set_modified(long_ago).unwrap();
        }
        remove_unfinished(directory.path());
        assert_eq!(["old.tmp", "new.tmp", "old.wasm"].map(|name| path(name).exists()), [false, true, true]);
    }

    #[test]
    fn a_file_is_unfinished_until_its_last_byte() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.wasm");
        let is = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            is_unfinished(&path, 100_000)
        };
        let text = "(component (core module (memory 2)) (component (core module (memory 300))))";
        let whole = wat::parse_str(text).unwrap();
        assert!(!is(&whole) && !is(text.as_bytes()));
        // Between two sections a shorter component ends.
        let ends: Vec<usize> = (0..whole.len()).filter(|&end| !is(&whole[..end])).collect();
        assert!(ends.len() <= 4 && ends.iter().all(|&end| end >= 8), "{ends:?}");
        assert!(is(&text.as_bytes()[..20]));
        // Room was made for it before anything was written.
        for written in [0, 20] {
            let mut bytes = vec![0; whole.len()];
            bytes[..written].copy_from_slice(&whole[..written]);
            assert!(is(&bytes), "{written}");
        }
        for other in [&b"garbage"[..], b"\0asm\x0d\0\x01\0\x01\xff\xff\xff\xff\xff\xff", b"\x7fELF"] {
            assert!(!is(other), "{other:?}");
        }
        // Sections without end, over the bound and within it.
        let sections = [&whole[..8], &[1, 0].repeat(50_000)[..]].concat();
        assert!(!is(&sections) && is(&sections[..99_999]) && !is(&[&sections[..], &[1]].concat()));
        assert!(!is_unfinished(directory.path(), 1) && !is_unfinished(&directory.path().join("none"), 1));
    }

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
