//! The symbolic links on the path to a file. Replacing any of them replaces the file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// How many symbolic links one path may go through, as in the system's own lookup.
const LINKS_MAX: usize = 40;

/// A cache, for one look, of which paths are links and where they lead: the path to a directory with a thousand files
/// is looked up once.
#[derive(Default)]
pub(super) struct Links(HashMap<PathBuf, Option<PathBuf>>);

impl Links {
    /// The entries of directories that lead to a file: every symbolic link on the way, and the file itself.
    pub(super) fn entries_to(&mut self, file: &Path) -> Vec<PathBuf> {
        let mut entries = Vec::new();
        let Ok(mut path) = std::path::absolute(file) else { return entries };
        'links: for _ in 0..LINKS_MAX {
            for prefix in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
                let Some(target) = self.target(prefix) else { continue };
                let parent = prefix.parent().unwrap_or(Path::new("/"));
                entries.push(prefix.to_owned());
                let rest = path.strip_prefix(prefix).unwrap_or(Path::new(""));
                // An absolute target replaces the parent; an empty rest would add a slash.
                path = if rest.as_os_str().is_empty() { parent.join(target) } else { parent.join(target).join(rest) };
                continue 'links;
            }
            break;
        }
        entries.push(path);
        entries
    }

    /// Where a link leads to; none for what is no link.
    fn target(&mut self, path: &Path) -> Option<&PathBuf> {
        if !self.0.contains_key(path) {
            self.0.insert(path.to_owned(), std::fs::read_link(path).ok());
        }
        self.0.get(path)?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_entries_that_lead_to_a_file_are_those_of_every_link() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let plugins = root.join("plugins");
        std::fs::create_dir_all(plugins.join("..1")).unwrap();
        symlink("..1", plugins.join("..data")).unwrap();
        symlink("..data/x.wasm", plugins.join("x.wasm")).unwrap();
        symlink(&plugins, root.join("current")).unwrap();

        let entries = Links::default().entries_to(&root.join("current/x.wasm"));
        let expected = ["current", "plugins/x.wasm", "plugins/..data", "plugins/..1/x.wasm"];
        assert_eq!(entries, expected.map(|entry| root.join(entry)));
        let directories: BTreeSet<_> = entries.iter().filter_map(|entry| entry.parent()).collect();
        assert_eq!(directories, BTreeSet::from([&*root, &*plugins, &*plugins.join("..1")]));
    }

    #[test]
    fn a_circle_of_links_ends() {
        let root = tempfile::tempdir().unwrap();
        symlink("b", root.path().join("a")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        assert!(Links::default().entries_to(&root.path().join("a")).len() <= LINKS_MAX + 1);
    }
}
