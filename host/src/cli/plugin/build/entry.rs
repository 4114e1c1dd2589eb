//! The module that stands between the host and a guest in Python or JavaScript: it has the guard check what the guest
//! returns, by what its world says.

use super::shapes::{Exported, exported};
use super::world::World;
use anyhow::Context;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// In the guest's folder, where no source is looked for.
const FOLDER: &str = "build/entry";
const PYTHON_GUARD: &str = include_str!("guard.py");
const JAVASCRIPT_GUARD: &str = include_str!("guard.js");
/// What the guards of Python are named after.
pub(super) const PYTHON_MODULE: &str = "tidegate_guard";

/// Files of the folder, and what is in them.
pub(super) struct Entry(Vec<(String, String)>);

impl Entry {
    /// Of the module `app`.
    pub(super) fn in_python(world: &World) -> Self {
        let shapes = exported(world).into_iter().map(|Exported { name, functions, .. }| {
            // Functions of the world itself are methods of the class WitWorld.
            (name.unwrap_or_else(|| "wit-world".to_owned()), Value::Object(functions))
        });
        let shapes = Value::Object(shapes.collect());
        Self(vec![
            (format!("{PYTHON_MODULE}.py"), PYTHON_GUARD.to_owned()),
            ("tidegate_shapes.py".to_owned(), format!("SHAPES = {shapes}\n")),
        ])
    }

    /// Of the file `source`, as seen from the guest's folder.
    pub(super) fn in_javascript(world: &World, source: &str) -> Self {
        let source = Value::from(format!("../../{source}"));
        let mut text = format!("import * as guest from {source};\nimport {{ guarded }} from './guard.js';\n");
        for (index, Exported { name, id, functions }) in exported(world).into_iter().enumerate() {
            let names: Vec<_> = functions.keys().map(|name| lower_camel(name)).collect();
            let shapes = Value::Object(functions);
            text += &match name {
                Some(name) => format!(
                    "const export{index} = guarded(guest[\"{id}\"] ?? guest.{}, {shapes});\n\
                     export {{ export{index} as '{id}' }};\n",
                    lower_camel(&name)
                ),
                // Functions of the world itself.
                None => format!("export const {{ {} }} = guarded(guest, {shapes});\n", names.join(", ")),
            };
        }
        Self(vec![("entry.js".to_owned(), text), ("guard.js".to_owned(), JAVASCRIPT_GUARD.to_owned())])
    }

    /// All that is in it.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Writes it into the guest's folder, and tells where.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn write(&self, directory: &Path) -> anyhow::Result<PathBuf> {
        let folder = directory.join(FOLDER);
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        for (name, text) in &self.0 {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(folder)
    }
}

/// As the language calls it.
fn lower_camel(name: &str) -> String {
    let mut words = name.split('-').map(str::to_lowercase);
    let first = words.next().unwrap_or_default();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        name + &letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default() + letters.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_language() {
        assert_eq!(lower_camel("transform"), "transform");
        assert_eq!(lower_camel("reply-policy"), "replyPolicy");
        assert_eq!(lower_camel("get-HTTP-v-2"), "getHttpV2");
    }

    #[test]
    fn each_export_is_guarded() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("wit")).unwrap();
        let wit = "package a:b; interface get-it { f: func() -> u8; }
                   world w { export get-it; export own-one: func() -> string; }";
        std::fs::write(directory.path().join("wit/world.wit"), wit).unwrap();
        let world = World::of(directory.path()).unwrap();
        let text = Entry::in_javascript(&world, "src/app.js").text();
        for part in [
            r#"from "../../src/app.js""#,
            r#"guarded(guest["a:b/get-it"] ?? guest.getIt, {"f":{"error":["none"],"returns":["u8"]}})"#,
            "as 'a:b/get-it'",
            "export const { ownOne } = guarded(guest, ",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let text = Entry::in_python(&world).text();
        for part in [r#""get-it":{"f":"#, r#""wit-world":{"own-one":"#] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
