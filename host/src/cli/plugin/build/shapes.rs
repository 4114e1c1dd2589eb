//! What the functions that a world exports return, as data for the guards of Python and JavaScript, which tell of a wrong
//! type by its field.

use super::world::World;
use serde_json::{Map, Value, json};
use wit_bindgen_core::wit_parser::{Function, FunctionKind, Resolve, Type, TypeDefKind, WorldItem, WorldKey};

/// The functions of one interface, or those that the world exports itself.
pub(super) struct Exported {
    /// As WIT calls it, without package and version; none is the world itself.
    pub(super) name: Option<String>,
    /// With package and version.
    pub(super) id: String,
    /// By their names, what each returns and what its error is. Holds no `null` and no booleans, so that it is a literal
    /// of both languages.
    pub(super) functions: Map<String, Value>,
}

/// All that the world exports.
pub(super) fn exported(World { resolve, id }: &World) -> Vec<Exported> {
    let mut own = Map::new();
    let mut exported = Vec::new();
    for (key, item) in &resolve.worlds[*id].exports {
        match item {
            WorldItem::Function(function) => own.extend(shape_of(resolve, function)),
            WorldItem::Interface { id, .. } => {
                let name = match key {
                    WorldKey::Name(name) => Some(name.clone()),
                    WorldKey::Interface(_) => resolve.interfaces[*id].name.clone(),
                };
                let functions = resolve.interfaces[*id].functions.values().flat_map(|each| shape_of(resolve, each));
                exported.push(Exported { name, id: resolve.name_world_key(key), functions: functions.collect() });
            }
            WorldItem::Type { .. } => {}
        }
    }
    if !own.is_empty() {
        exported.push(Exported { name: None, id: String::new(), functions: own });
    }
    exported
}

/// Nothing for those of resources and for asynchronous ones: no contract has them.
fn shape_of(resolve: &Resolve, function: &Function) -> Option<(String, Value)> {
    if !matches!(function.kind, FunctionKind::Freestanding) {
        return None;
    }
    let kind = match function.result {
        Some(Type::Id(id)) => Some(&resolve.types[id].kind),
        _ => None,
    };
    let (returns, error) = match kind {
        Some(TypeDefKind::Result(result)) => (optional(resolve, result.ok), optional(resolve, result.err)),
        _ => (optional(resolve, function.result), json!(["none"])),
    };
    Some((function.name.clone(), json!({ "returns": returns, "error": error })))
}

fn optional(resolve: &Resolve, of: Option<Type>) -> Value {
    of.map_or_else(|| json!(["none"]), |of| shape(resolve, of))
}

/// A kind and its parts. What the languages write in several ways, or what is no plain data, may be `any`.
fn shape(resolve: &Resolve, of: Type) -> Value {
    let Type::Id(id) = of else { return json!([primitive(of)]) };
    let definition = &resolve.types[id];
    let name = definition.name.as_deref().unwrap_or_default();
    let of = |of: &Type| shape(resolve, *of);
    match &definition.kind {
        TypeDefKind::Type(other) => of(other),
        TypeDefKind::List(Type::U8) => json!(["bytes"]),
        TypeDefKind::List(element) => json!(["list", of(element)]),
        TypeDefKind::Option(inner) => match of(inner) {
            // An option within another is wrapped.
            inner if inner[0] == "option" => json!(["any"]),
            inner => json!(["option", inner]),
        },
        TypeDefKind::Tuple(tuple) => {
            Value::Array(std::iter::once(json!("tuple")).chain(tuple.types.iter().map(of)).collect())
        }
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter().map(|field| json!([field.name, of(&field.ty)]));
            json!(["record", name, fields.collect::<Vec<_>>()])
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter().map(|case| json!([case.name, optional(resolve, case.ty)]));
            json!(["variant", name, cases.collect::<Vec<_>>()])
        }
        TypeDefKind::Enum(cases) => {
            json!(["enum", name, cases.cases.iter().map(|case| &case.name).collect::<Vec<_>>()])
        }
        _ => json!(["any"]),
    }
}

fn primitive(of: Type) -> &'static str {
    match of {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext | Type::Id(_) => "any",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported_by(wit: &str) -> Vec<Exported> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("wit")).unwrap();
        std::fs::write(directory.path().join("wit/world.wit"), wit).unwrap();
        exported(&World::of(directory.path()).unwrap())
    }

    #[test]
    fn shapes_follow_the_types() {
        let found = exported_by(
            "package a:b; interface i { variant why { no, text(string) } enum colour { red }
             type bodies = list<list<u8>>; record r { a-b: u32, c: option<tuple<bool, colour>>, d: bodies }
             f: func() -> result<r, why>; g: func(a: u8); h: func() -> option<option<s64>>; }
             world w { export i; export alone: func() -> char; }",
        );
        assert_eq!((found[0].name.as_deref(), found[0].id.as_str()), (Some("i"), "a:b/i"));
        let r = json!([
            "record",
            "r",
            [
                ["a-b", ["u32"]],
                ["c", ["option", ["tuple", ["bool"], ["enum", "colour", ["red"]]]]],
                ["d", ["list", ["bytes"]]],
            ]
        ]);
        let why = json!(["variant", "why", [["no", ["none"]], ["text", ["string"]]]]);
        assert_eq!(found[0].functions["f"], json!({ "returns": r, "error": why }));
        assert_eq!(found[0].functions["g"], json!({ "returns": ["none"], "error": ["none"] }));
        assert_eq!(found[0].functions["h"]["returns"], json!(["any"]));
        assert_eq!((found[1].name.as_deref(), &found[1].functions["alone"]["returns"]), (None, &json!(["char"])));
        assert_eq!(found.len(), 2);
    }
}
