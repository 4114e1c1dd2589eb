//! Reads the host's sources: documentation, and tables that are written as `match`.

use crate::harness::root;
use syn::{Attribute, Expr, File, ImplItem, Item, ItemEnum, Lit, Meta, Pat};

/// A file below `host/src`.
pub fn file(path: &str) -> File {
    let path = root().join("host/src").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A doc comment as one paragraph that can stand in the cell of a table.
pub fn docs(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
        let Meta::NameValue(doc) = &attribute.meta else { return None };
        let Expr::Lit(literal) = &doc.value else { return None };
        let Lit::Str(line) = &literal.lit else { return None };
        Some(line.value().trim().to_owned())
    });
    cell(&lines.collect::<Vec<_>>().join(" "))
}

/// A text that can stand in the cell of a table; a link to an item of the code becomes its name.
pub fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("[`", "`").replace("`]", "`").replace('|', "\\|")
}

/// An enum by its name.
pub fn enumeration(file: &File, name: &str) -> ItemEnum {
    let mut enums = file.items.iter().filter_map(|item| match item {
        Item::Enum(item) if item.ident == name => Some(item.clone()),
        _ => None,
    });
    enums.next().unwrap_or_else(|| panic!("there is no enum {name}"))
}

/// The documentation of a variant.
pub fn variant(item: &ItemEnum, name: &str) -> String {
    let variant = item.variants.iter().find(|variant| variant.ident == name);
    docs(&variant.unwrap_or_else(|| panic!("{} has no {name}", item.ident)).attrs)
}

/// A method whose body is one `match`, as pairs of a variant and what it is mapped to. A variant in another one, as in
/// `Self::Call(CallError::Rejected(_))`, is told as `["Call", "Rejected"]`.
pub fn table(file: &File, of: &str, method: &str) -> Vec<(Vec<String>, Expr)> {
    let methods = file.items.iter().filter_map(|item| match item {
        Item::Impl(item) if item.trait_.is_none() && name_of(&item.self_ty) == of => Some(&item.items),
        _ => None,
    });
    let body = methods.flatten().find_map(|item| match item {
        ImplItem::Fn(function) if function.sig.ident == method => function.block.stmts.last(),
        _ => None,
    });
    let Some(syn::Stmt::Expr(Expr::Match(table), None)) = body else { panic!("{of}::{method} is no match") };
    let mut pairs = Vec::new();
    for arm in &table.arms {
        let mut variants = Vec::new();
        named(&arm.pat, &[], &mut variants);
        pairs.extend(variants.into_iter().map(|variant| (variant, (*arm.body).clone())));
    }
    pairs
}

fn named(pattern: &Pat, way: &[String], found: &mut Vec<Vec<String>>) {
    let longer = |path: &syn::Path| [way, &[path.segments.last().unwrap().ident.to_string()]].concat();
    match pattern {
        Pat::Or(or) => or.cases.iter().for_each(|case| named(case, way, found)),
        Pat::TupleStruct(tuple) => {
            let (way, before) = (longer(&tuple.path), found.len());
            tuple.elems.iter().for_each(|inner| named(inner, &way, found));
            if found.len() == before {
                found.push(way);
            }
        }
        Pat::Struct(item) => found.push(longer(&item.path)),
        Pat::Path(item) => found.push(longer(&item.path)),
        _ => {}
    }
}

/// The last name of a type's path.
pub fn name_of(ty: &syn::Type) -> String {
    match ty {
        syn::Type::Path(path) => path.path.segments.last().unwrap().ident.to_string(),
        _ => String::new(),
    }
}

/// What a type holds: `T` of `Option<T>`, the last one of several.
pub fn held(ty: &syn::Type) -> Option<&syn::Type> {
    let syn::Type::Path(path) = ty else { return None };
    let syn::PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    match arguments.args.last()? {
        syn::GenericArgument::Type(ty) => Some(ty),
        _ => None,
    }
}

/// The last name of a path, such as the `BAD_REQUEST` of `StatusCode::BAD_REQUEST`.
pub fn last_name(expression: &Expr) -> String {
    match expression {
        Expr::Path(path) => path.path.segments.last().unwrap().ident.to_string(),
        Expr::Block(block) => match block.block.stmts.last() {
            Some(syn::Stmt::Expr(expression, None)) => last_name(expression),
            _ => panic!("no name"),
        },
        _ => panic!("no name"),
    }
}

/// The value of a constant expression of numbers; `of` knows the names.
pub fn number(expression: &Expr, of: &dyn Fn(&str) -> Option<u64>) -> u64 {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.base10_parse().expect("a number"),
            _ => panic!("no number"),
        },
        Expr::Path(_) => of(&last_name(expression)).expect("a number that was named before"),
        Expr::Binary(both) => {
            let (left, right) = (number(&both.left, of), number(&both.right, of));
            match both.op {
                syn::BinOp::Shl(_) => left << right,
                syn::BinOp::Mul(_) => left * right,
                _ => panic!("an operator that is not known here"),
            }
        }
        _ => panic!("no number"),
    }
}

/// A number of what its name says: bytes in the largest unit that leaves no rest, and with `ms` behind a time.
pub fn amount(name: &str, number: u64) -> String {
    let name = name.to_lowercase();
    let part = |part: &str| name.split('_').any(|word| word == part);
    if part("ms") {
        return format!("{number} ms");
    }
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.iter().find(|(size, _)| part("bytes") && number >= *size && number.is_multiple_of(*size));
    unit.map_or_else(|| number.to_string(), |(size, unit)| format!("{} {unit}", number / size))
}
