//! The keys of the configuration, with their documentation, defaults and ranges.

use super::source;
use crate::harness::root;
use crate::structure::rust_files;
use std::collections::BTreeMap;
use std::fmt::Write;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, Ident, Item, LitStr, Token, Type};
use tidegate::config::Config;

const PREFACE: &str = "
## Configuration

A TOML file, given by `--config`; every key may be left out. `tidegate --print-config` writes all of them with what is in force, and
a key or value that is wrong, or does not fit with the others, is refused with its line. Over any bound the whole call, request or load fails: nothing is clamped.
";

/// A section of each kind that has a name, with nothing in it but what has to be there.
const ONE_OF_EACH: &str = "[plugins.NAME.gate]\non = 'FILE'\n[plugins.NAME.buckets.BUCKET]\n[sockets.NAME]\ntype = 'pub'\n[flows.NAME]\nfrom = []\nto = []\n[routes.NAME]\n";

/// What the structures of the configuration are made of.
#[derive(Default)]
struct Sources {
    structures: BTreeMap<String, Vec<Key>>,
    enumerations: BTreeMap<String, syn::ItemEnum>,
}

/// One key of a section.
#[derive(Clone)]
struct Key {
    name: String,
    docs: String,
    ty: Type,
    /// The function that checks what is read, with its range.
    check: Option<String>,
    /// Whether it has to be there.
    is_required: bool,
}

pub fn section() -> String {
    let sources = Sources::read();
    let complete: Config = toml::from_str(ONE_OF_EACH).expect("a configuration");
    let defaults: toml::Table = complete.to_toml().expect("it is written").parse().expect("it is read");
    let mut text = PREFACE.to_owned();
    for key in &sources.structures["Config"] {
        let ty = source::name_of(inner(&key.ty));
        let default = defaults.get(&key.name);
        let Some(keys) = sources.structures.get(&ty) else {
            write!(text, "\n### `{}`\n\n{}\n", key.name, key.docs).unwrap();
            continue;
        };
        let (title, default) = match source::name_of(&key.ty).as_str() {
            "BTreeMap" => (format!("{}.NAME", key.name), default.and_then(|sections| sections.get("NAME"))),
            _ => (key.name.clone(), default),
        };
        write!(text, "\n### `[{title}]`\n\n{}\n", key.docs).unwrap();
        text.push_str("\n| key | default | may be | what |\n| --- | --- | --- | --- |\n");
        for key in keys {
            sources.row(key, default.and_then(|section| section.get(&key.name)), &mut text);
        }
        for key in keys {
            sources.section_of(&title, key, default, &mut text);
        }
    }
    text
}

/// Of an `Option<T>` or a map, what it holds.
fn inner(ty: &Type) -> &Type {
    match source::name_of(ty).as_str() {
        "Option" | "BTreeMap" => source::held(ty).expect("it holds something"),
        _ => ty,
    }
}

impl Sources {
    fn read() -> Self {
        let mut sources = Self::default();
        let source = root().join("host/src");
        let mut files = vec![source.join("config.rs")];
        rust_files(&source.join("config"), &mut files);
        let files = files.iter().map(|file| file.strip_prefix(&source).expect("it is below").display().to_string());
        for item in files.flat_map(|file| source::file(&file).items) {
            match item {
                Item::Struct(item) => {
                    let has_defaults = SerdeWords::of(&item.attrs).default;
                    let keys = item.fields.iter().filter_map(|field| {
                        let SerdeWords { check, name, default } = SerdeWords::of(&field.attrs);
                        let name = name.unwrap_or(field.ident.as_ref()?.to_string());
                        let (docs, is_required) = (source::docs(&field.attrs), !has_defaults && !default);
                        Some(Key { name, docs, ty: field.ty.clone(), check, is_required })
                    });
                    sources.structures.insert(item.ident.to_string(), keys.collect());
                }
                Item::Enum(item) => {
                    sources.enumerations.insert(item.ident.to_string(), item);
                }
                Item::Macro(item) if item.mac.path.is_ident("limits") => {
                    let limits: Limits = item.mac.parse_body().expect("the list of limits");
                    sources.structures.insert("LimitsLayer".to_owned(), limits.0);
                }
                _ => {}
            }
        }
        sources
    }

    /// The keys of a section that a key of another one is, if it is one.
    fn section_of(&self, title: &str, key: &Key, outer: Option<&toml::Value>, text: &mut String) {
        let is_section = ["BTreeMap", "Option"].contains(&&*source::name_of(&key.ty));
        let (ty, is_map) = (source::name_of(inner(&key.ty)), source::name_of(&key.ty) == "BTreeMap");
        let Some(keys) = self.structures.get(&ty).filter(|keys| is_section && keys.len() > 1) else { return };
        let mut default = outer.and_then(|section| section.get(&key.name));
        let mut title = format!("{title}.{}", key.name);
        if is_map {
            default = default.and_then(|sections| sections.get("BUCKET"));
            title += ".BUCKET";
        }
        write!(text, "\n### `[{title}]`\n\n{}\n", key.docs).unwrap();
        text.push_str("\n| key | default | may be | what |\n| --- | --- | --- | --- |\n");
        for key in keys {
            self.row(key, default.and_then(|section| section.get(&key.name)), text);
        }
    }

    fn row(&self, key: &Key, default: Option<&toml::Value>, text: &mut String) {
        let default = match default {
            _ if key.is_required => "required".to_owned(),
            // What is a section of its own.
            Some(toml::Value::Table(_)) => String::new(),
            Some(toml::Value::Integer(number)) => source::amount(&key.name, (*number).try_into().expect("no debt")),
            Some(value) => format!("`{value}`"),
            None if source::name_of(&key.ty) == "bool" => "`false`".to_owned(),
            None => "none".to_owned(),
        };
        let ty = inner(&key.ty);
        let ty = match source::name_of(ty).as_str() {
            "Vec" => source::held(ty).map(source::name_of).unwrap_or_default() + "s",
            name => name.to_owned(),
        };
        let mut docs = key.docs.clone();
        let allowed =
            match self.enumerations.get(&ty).filter(|item| item.variants.iter().all(|it| it.fields.is_empty())) {
                Some(item) => {
                    for variant in &item.variants {
                        write!(docs, " `{}`: {}", kebab(&variant.ident), source::docs(&variant.attrs)).unwrap();
                    }
                    let names = item.variants.iter().map(|variant| format!("`\"{}\"`", kebab(&variant.ident)));
                    names.collect::<Vec<_>>().join(", ")
                }
                None => key.check.as_deref().map_or_else(|| kind(&ty).to_owned(), |check| range(&key.name, check)),
            };
        writeln!(text, "| `{}` | {default} | {allowed} | {docs} |", key.name).unwrap();
    }
}

/// What may be said for a key that is no number.
fn kind(ty: &str) -> &'static str {
    match ty {
        "bool" => "`true`, `false`",
        "Address" => "an address, `\"none\"`",
        "CollectorEndpoint" => "a URL",
        "Endpoint" => "an endpoint, `\"none\"`",
        "IpcMode" => "three octal digits",
        "PathBuf" => "a path",
        "Place" => "a path, `oci://…`",
        "LimitsLayer" => "as in `[limits]`",
        "Gate" => "a section of its own",
        "Bucket" => "sections of their own",
        "DifferenceBound" => "a number, a share",
        "Endpoints" => "a list of endpoints",
        "Strings" | "Networks" | "Grants" | "JsonPaths" => "a list of texts",
        _ => "text",
    }
}

/// From `number::<_, _, 1, 1_000>`.
fn range(name: &str, check: &str) -> String {
    if check == "ratio" {
        return "0 to 1".to_owned();
    }
    if check == "file" {
        return "a path".to_owned();
    }
    let Some((_, arguments)) = check.split_once("::<") else { return "a list of texts".to_owned() };
    let bounds: Vec<u64> = arguments
        .trim_end_matches('>')
        .split(',')
        .filter_map(|argument| argument.trim().replace('_', "").parse().ok())
        .collect();
    let [min, max] = bounds[..] else { panic!("{check} has no two bounds") };
    format!("{} to {}", source::amount(name, min), source::amount(name, max))
}

/// As serde writes the names of variants.
fn kebab(name: &Ident) -> String {
    let mut kebab = String::new();
    for letter in name.to_string().chars() {
        if letter.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

/// What serde is told of a structure or a field.
#[derive(Default)]
struct SerdeWords {
    /// What checks the value of a field.
    check: Option<String>,
    /// What it is called in the file.
    name: Option<String>,
    /// Whether it may be left out.
    default: bool,
}

impl SerdeWords {
    fn of(attributes: &[Attribute]) -> Self {
        let mut words = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            // Other words of serde's stand here too, some with a value.
            attribute
                .parse_nested_meta(|meta| {
                    let value = meta.value().ok().map(|value| value.parse::<LitStr>()).transpose()?;
                    let value = value.map(|value| value.value());
                    if meta.path.is_ident("deserialize_with") {
                        words.check = value;
                    } else if meta.path.is_ident("rename") {
                        words.name = value;
                    } else if meta.path.is_ident("default") {
                        words.default = true;
                    }
                    Ok(())
                })
                .expect("attributes of serde");
        }
        words
    }
}

/// What stands in `limits! { … }`: documentation, name, type, default and check of each.
struct Limits(Vec<Key>);

impl Parse for Limits {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut keys = Vec::new();
        while !input.is_empty() {
            let docs = source::docs(&input.call(Attribute::parse_outer)?);
            let name: Ident = input.parse()?;
            input.parse::<Token![:]>()?;
            let ty = input.parse()?;
            input.parse::<Token![=]>()?;
            input.parse::<Expr>()?;
            input.parse::<Token![,]>()?;
            let check = Some(input.parse::<LitStr>()?.value());
            input.parse::<Token![;]>()?;
            keys.push(Key { name: name.to_string(), docs, ty, check, is_required: false });
        }
        Ok(Self(keys))
    }
}
