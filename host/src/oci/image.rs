//! Compat images: a component as a file in the one layer of a container image, as `docker build` makes them `FROM scratch`.

use flate2::read::GzDecoder;
use std::io::{self, ErrorKind, Read};
use std::path::{Component, Path};

/// What the layer of such an image may be called: by OCI, and by docker before it.
pub(super) const LAYERS: [&str; 2] =
    ["application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip"];
/// More files than one that holds a plugin has.
const ENTRIES_MAX: usize = 1_000;
/// What an archive may have beside the component: heads, padding, and files such as a notice.
const BESIDE_BYTES_MAX: u64 = 1 << 20;
/// The longest path that is told.
const PATH_LETTERS_MAX: usize = 100;

/// The component in such a layer: the one regular file whose name ends in `.wasm`. Nothing is written anywhere, and no more is
/// unpacked than a component of `bytes_max` bytes and a little beside it.
///
/// # Errors
/// When the layer is no gzipped archive or ends in the middle, names a path outside of the image, holds no component or
/// several, or one that is larger.
pub(super) fn component(layer: &[u8], bytes_max: u64) -> Result<Vec<u8>, String> {
    let unpacked = Bounded { left: bytes_max.saturating_add(BESIDE_BYTES_MAX), inner: GzDecoder::new(layer) };
    let mut archive = tar::Archive::new(unpacked);
    let broken = |error: io::Error| match error.kind() {
        ErrorKind::FileTooLarge => format!(
            "the image's layer unpacks to more than component_bytes_max {bytes_max} and {BESIDE_BYTES_MAX} bytes beside it"
        ),
        _ => format!("the image's layer is no gzipped archive, or is not whole: {error}"),
    };
    let mut found: Option<(String, Vec<u8>)> = None;
    for (number, entry) in archive.entries().map_err(broken)?.enumerate() {
        let mut entry = entry.map_err(broken)?;
        if number >= ENTRIES_MAX {
            return Err(format!(
                "the image's layer has more than {ENTRIES_MAX} entries: build one of the component alone"
            ));
        }
        let bytes = entry.path_bytes().into_owned();
        let path = String::from_utf8_lossy(&bytes);
        let told: String = path.chars().take(PATH_LETTERS_MAX).collect();
        let is_within = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !Path::new(&*path).components().all(is_within) {
            return Err(format!("the image's layer names the path `{told}` outside of the image"));
        }
        if !path.ends_with(".wasm") || entry.header().entry_type().is_dir() {
            continue;
        }
        if !entry.header().entry_type().is_file() {
            return Err(format!("the image's `{told}` is a link or a device: put the component itself there"));
        }
        if let Some((other, _)) = found {
            return Err(format!("the image holds `{other}` and `{told}`: build one of one component alone"));
        }
        if entry.size() > bytes_max {
            return Err(format!("the image's `{told}` is larger than component_bytes_max {bytes_max}"));
        }
        let mut component = Vec::new();
        entry.read_to_end(&mut component).map_err(broken)?;
        if component.len() as u64 != entry.size() {
            return Err(format!("the image's layer is not whole: `{told}` ends in the middle"));
        }
        found = Some((told, component));
    }
    // The end of the gzip stream has the sum over all of it.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(broken)?;
    found.map(|(_, component)| component).ok_or_else(|| {
        "the image's layer has no file whose name ends in .wasm: push a component with `tidegate plugin push`"
            .to_owned()
    })
}

/// Gives an error in place of what is over its bound, which an archive that ends there does not.
struct Bounded<R> {
    left: u64,
    inner: R,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::from(ErrorKind::FileTooLarge))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;
    use tar::{Builder, EntryType, Header};

    /// An archive with these entries: kind, path, content.
    fn archive(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (kind, path, content) in entries {
            let mut header = Header::new_gnu();
            // Any path, also one that no builder would write.
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(content.len() as u64);
            header.set_entry_type(*kind);
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn layer(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
        gzip(&archive(entries))
    }

    const FILE: EntryType = EntryType::Regular;

    #[test]
    fn the_component_is_the_one_file_that_is_called_so() {
        let folder = (EntryType::Directory, "app/", &b""[..]);
        for path in ["plugin.wasm", "./plugin.wasm", "app/x.wasm"] {
            let layer = layer(&[folder, (FILE, "NOTICE", b"n"), (FILE, path, b"abc")]);
            assert_eq!(component(&layer, 3).as_deref(), Ok(&b"abc"[..]), "{path}");
        }
        // A long path is in a head of its own.
        let mut builder = Builder::new(Vec::new());
        let path = format!("{}/plugin.wasm", "folder".repeat(40));
        let mut header = Header::new_ustar();
        header.set_size(3);
        header.set_entry_type(FILE);
        let long = [("path", path.as_bytes())];
        builder.append_pax_extensions(long).unwrap();
        header.set_cksum();
        builder.append(&header, &b"abc"[..]).unwrap();
        assert_eq!(component(&gzip(&builder.into_inner().unwrap()), 3).as_deref(), Ok(&b"abc"[..]));
    }

    #[test]
    fn what_is_no_such_layer_is_refused_with_its_reason() {
        let whole = layer(&[(FILE, "plugin.wasm", &[7; 100_000])]);
        let archive = archive(&[(FILE, "plugin.wasm", &[7; 100_000])]);
        for (layer, words) in [
            (b"\0asm".to_vec(), "no gzipped archive"),
            (Vec::new(), "no gzipped archive"),
            (whole[..whole.len() - 10].to_vec(), "not whole"),
            (whole[..whole.len() / 2].to_vec(), "not whole"),
            (gzip(&archive[..50_000]), "not whole"),
            (gzip(&archive[..100]), "not whole"),
            (gzip(&[9; 4_096]), "no gzipped archive"),
            (layer(&[]), "no file whose name ends in .wasm"),
            (layer(&[(FILE, "wasm", b"a")]), "no file whose name ends in .wasm"),
            (layer(&[(FILE, "a.wasm", b"a"), (FILE, "b.wasm", b"b")]), "holds `a.wasm` and `b.wasm`"),
            (layer(&[(FILE, "/plugin.wasm", b"a")]), "path `/plugin.wasm` outside of the image"),
            (layer(&[(FILE, "a/../../plugin.wasm", b"a")]), "outside of the image"),
            (layer(&[(EntryType::Symlink, "plugin.wasm", b"")]), "a link or a device"),
            (layer(&[(FILE, "plugin.wasm", &[7; 200_001])]), "larger than component_bytes_max 200000"),
            (layer(&vec![(FILE, "x", &b""[..]); ENTRIES_MAX + 1]), "more than 1000 entries"),
        ] {
            let why = component(&layer, 200_000).unwrap_err();
            assert!(why.contains(words), "{words}: {why}");
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let zeros = vec![0; 4 << 20];
        let bombs = [
            // Beside the component.
            layer(&[(FILE, "big", &zeros), (FILE, "plugin.wasm", b"a")]),
            // Behind the end of the archive.
            gzip(&[archive(&[(FILE, "plugin.wasm", b"a")]), zeros.clone()].concat()),
            // In a head.
            layer(&[(EntryType::XHeader, "pax", &zeros), (FILE, "plugin.wasm", b"a")]),
            layer(&[(EntryType::GNULongName, "long", &zeros), (FILE, "plugin.wasm", b"a")]),
        ];
        for (number, bomb) in bombs.iter().enumerate() {
            assert!(bomb.len() < 10_000);
            let why = component(bomb, 100).unwrap_err();
            assert!(why.contains("unpacks to more than component_bytes_max 100"), "{number}: {why}");
        }
    }
}
