//! Type-check: the component's exports are those of a version of the contract that the host knows, and its imports are
//! ones that the contract offers.

use super::LoadError;
use crate::plugin::roles::ROLES;
use crate::plugin::roles::http_handler::HttpHandler;
use crate::plugin::roles::role::{Export, InterfaceVersion, Role, RoleKind};
use crate::plugin::roles::transform::Transform;
use crate::plugin::run::guest::Guest;
use crate::plugin::run::runtime::Runtime;
use wasmtime::component::types::{Component as ComponentType, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

/// A component that can be linked, with the roles that its exports give it.
pub(super) struct TypeChecked {
    pub(super) component: InstancePre<Guest>,
    pub(super) functions: Vec<(&'static RoleKind, ComponentExportIndex)>,
    pub(super) imports: Vec<String>,
}

impl TypeChecked {
    /// # Errors
    /// When the component exports no role, two that exclude each other, or an unknown version, or imports more than the
    /// contract offers.
    pub(super) fn new(runtime: &Runtime, component: &Component) -> Result<Self, LoadError> {
        let engine = &runtime.wasmtime;
        let refused = |error: wasmtime::Error| LoadError::TypeCheck(format!("{error:#}"));
        let exports = component.component_type();
        let mut roles = Vec::new();
        for kind in &ROLES {
            roles.extend(exported(engine, &exports, &kind.export)?.map(|interface| (kind, interface)));
        }
        let has_role = |role| roles.iter().any(|(kind, _)| kind.name == role);
        let is_handler = has_role(HttpHandler::NAME);
        if is_handler && has_role(Transform::NAME) {
            let [transform, handler] = [Transform::EXPORT, HttpHandler::EXPORT].map(|export| export.interface);
            return Err(LoadError::TypeCheck(format!(
                "exports both {transform} and {handler}, and /NAME/ can be only one of them: make two components"
            )));
        }
        if roles.is_empty() {
            let interfaces = ROLES.iter().map(|kind| kind.export.to_string()).collect::<Vec<_>>().join(" nor ");
            return Err(LoadError::TypeCheck(format!(
                "exports neither {interfaces}: build it against the world transform-plugin or reply-policy-plugin in \
                 wit/, or as a handler of wasi:http"
            )));
        }
        let imports = imports(engine, &exports);
        let is_offered = |import: &str| is_offered(import) || (is_handler && import.starts_with("wasi:http/"));
        if let Some(import) = imports.iter().find(|import| !is_offered(import)) {
            let remedy = remedy(import);
            return Err(LoadError::TypeCheck(format!("imports {import}, which the contract does not offer: {remedy}")));
        }
        let linked = runtime.linker.instantiate_pre(component).map_err(refused)?;
        let functions = roles.into_iter().map(|(kind, interface)| {
            let name = kind.export.function;
            let index = component.get_export_index(None, interface);
            let index = index.and_then(|index| component.get_export_index(Some(&index), name));
            index.map(|index| (kind, index)).ok_or_else(|| format!("exports {interface} without its function {name}"))
        });
        let functions = functions.collect::<Result<_, _>>().map_err(LoadError::TypeCheck)?;
        Ok(Self { component: linked, functions, imports })
    }
}

/// The interface of a function as the component exports it, if it does; a version that the host does not speak is an
/// error.
fn exported<'a>(
    engine: &'a wasmtime::Engine,
    component: &'a ComponentType,
    export: &Export,
) -> Result<Option<&'a str>, LoadError> {
    let Export { interface, version, .. } = export;
    let exported = component.exports(engine).find_map(|(export, _)| {
        let rest = export.strip_prefix(interface)?;
        Some((export, if rest.is_empty() { rest } else { rest.strip_prefix('@')? }))
    });
    let Some((export, exported)) = exported else { return Ok(None) };
    if version.includes(exported) {
        return Ok(Some(export));
    }
    let remedy = match version {
        InterfaceVersion::Exactly(known) if is_newer(exported, known) => {
            "upgrade the host, or rebuild the plugin against its wit/"
        }
        InterfaceVersion::Exactly(_) => "rebuild the plugin against wit/",
        InterfaceVersion::Any(line) => &format!("build it against {line}"),
    };
    Err(LoadError::TypeCheck(format!(
        "exports {interface} in version `{exported}`, and this host speaks {}: {remedy}",
        version.as_str()
    )))
}

/// Whether a version is later than the one that this host knows.
fn is_newer(version: &str, known: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        let release = text.split(['-', '+']).next().unwrap_or_default();
        release.split('.').map(|number| number.parse().ok()).collect()
    };
    numbers(version) > numbers(known)
}

/// What a world of the contract offers, by the beginning of the import's name.
const OFFERED: [&str; 9] = [
    "tidegate:plugin/types@",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:config/store@",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:logging/logging@",
    "wasi:random/",
    "wasi:sockets/",
];

fn is_offered(import: &str) -> bool {
    OFFERED.iter().any(|offered| import.starts_with(offered))
}

/// What would give the plugin what it looks for.
fn remedy(import: &str) -> &'static str {
    match import.split('/').next().unwrap_or_default() {
        "wasi:http" => "only a handler, which exports wasi:http/incoming-handler, may send requests",
        "wasi:keyvalue" | "wasi:blobstore" | "wasi:sql" => {
            "a plugin keeps nothing between calls; settings come by wasi:config/store from [plugins.NAME.settings]"
        }
        "wasi:messaging" => "a plugin sends nothing itself; what it returns is sent by the host",
        "tidegate:plugin" => "a plugin exports the roles of tidegate:plugin and imports its types alone",
        _ => {
            "build it against a world in wit/, which has WASI 0.2 (clocks and randomness, the rest empty and denied), \
             wasi:config/store and wasi:logging/logging"
        }
    }
}

/// The imports that can do something: an instance that holds types alone is no capability.
fn imports(engine: &wasmtime::Engine, component: &ComponentType) -> Vec<String> {
    let able = |item: &ComponentItem| match item {
        ComponentItem::ComponentInstance(instance) => instance.exports(engine).any(|(_, item)| {
            matches!(item.ty, ComponentItem::ComponentFunc(_) | ComponentItem::CoreFunc(_) | ComponentItem::Resource(_))
        }),
        ComponentItem::Type(_) => false,
        _ => true,
    };
    component.imports(engine).filter(|(_, item)| able(&item.ty)).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for newer in ["0.1.1", "0.2.0", "0.10.0", "1.0.0", "1.0.0-rc.1"] {
            assert!(is_newer(newer, "0.1.0"), "{newer}");
        }
        for other in ["", "0.0.9", "0.1.0", "garbage"] {
            assert!(!is_newer(other, "0.1.0"), "{other}");
        }
    }
}
