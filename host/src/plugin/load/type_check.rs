//! Type-check: the component's exports are those of a version of the contract that the host knows, and its imports are
//! ones that the contract offers.

use super::LoadError;
use crate::plugin::role::Contract;
use crate::plugin::roles::FUNCTIONS;
use crate::plugin::roles::http_handler::HttpHandler;
use crate::plugin::roles::processor::Processor;
use crate::plugin::roles::role::{FunctionKind, InterfaceVersion, Role};
use crate::plugin::run::guest::{Guest, keyvalue};
use crate::plugin::run::plugin_state::PluginState;
use crate::plugin::run::runtime::Runtime;
use wasmtime::component::types::{Component as ComponentType, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

/// A component that can be linked, with the roles that its exports give it.
pub(super) struct TypeChecked {
    pub(super) component: InstancePre<Guest>,
    pub(super) functions: Vec<(&'static FunctionKind, ComponentExportIndex)>,
    pub(super) imports: Vec<String>,
}

impl TypeChecked {
    /// # Errors
    /// When the component exports no role, two that exclude each other, or an unknown version, or imports more than the
    /// contract offers, or buckets without having been granted any.
    pub(super) fn new(runtime: &Runtime, component: &Component, plugin_state: &PluginState) -> Result<Self, LoadError> {
        let engine = &runtime.wasmtime;
        let refused = |error: wasmtime::Error| LoadError::TypeCheck(format!("{error:#}"));
        let exports = component.component_type();
        let exported: Vec<Exported> = exports.exports(engine).map(|(name, _)| Exported::new(name)).collect();
        let mut roles: Vec<(&FunctionKind, &str)> = Vec::new();
        for kind in &FUNCTIONS {
            let served = exported.iter().find(|export| export.is_of(kind));
            if roles.iter().all(|(known, _)| known.role != kind.role) {
                roles.extend(served.map(|export| (kind, export.name)));
            }
        }
        if let Some(unknown) = exported.iter().find_map(|export| export.unknown_version(&exported)) {
            return Err(LoadError::TypeCheck(unknown));
        }
        let interface_of =
            |role| roles.iter().find(|(kind, _)| kind.role == role).map(|(kind, _)| kind.export.interface);
        let handler = interface_of(HttpHandler::NAME);
        let is_handler = handler.is_some();
        if let (Some(processor), Some(handler)) = (interface_of(Processor::NAME), handler) {
            return Err(LoadError::TypeCheck(format!(
                "exports both {processor} and {handler}, and /NAME/ can be only one of them: make two components"
            )));
        }
        if roles.is_empty() {
            let interfaces = FUNCTIONS.iter().map(|kind| kind.export.to_string()).collect::<Vec<_>>().join(" nor ");
            return Err(LoadError::TypeCheck(format!(
                "exports neither {interfaces}: build it against the world processor-plugin or reply-policy-plugin in \
                 wit/, or as a handler of wasi:http"
            )));
        }
        let imports = imports(engine, &exports);
        let is_offered = |import: &str| {
            is_offered(import)
                || keyvalue::INTERFACES.contains(&import)
                || (is_handler && import.starts_with("wasi:http/"))
        };
        if let Some(import) = imports.iter().find(|import| !is_offered(import)) {
            let remedy = remedy(import);
            return Err(LoadError::TypeCheck(format!("imports {import}, which the contract does not offer: {remedy}")));
        }
        if let Some(import) = imports.iter().find(|import| import.starts_with(keyvalue::PACKAGE)) {
            check_buckets(import, plugin_state)?;
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

/// The package of the contract, and the one interface of it that serves no role.
const PACKAGE: &str = "tidegate:plugin/";
const TYPES: &str = "tidegate:plugin/types";

/// Something that a component exports.
struct Exported<'a> {
    name: &'a str,
    interface: &'a str,
    version: &'a str,
}

impl<'a> Exported<'a> {
    fn new(name: &'a str) -> Self {
        let (interface, version) = name.split_once('@').unwrap_or((name, ""));
        Self { name, interface, version }
    }

    fn is_of(&self, kind: &FunctionKind) -> bool {
        self.interface == kind.export.interface && kind.export.version.includes(self.version)
    }

    /// What is said of an interface in a version that the host does not speak, unless the component has it in one that
    /// the host does.
    fn unknown_version(&self, all: &[Self]) -> Option<String> {
        let kinds = || FUNCTIONS.iter().filter(|kind| kind.export.interface == self.interface);
        if all.iter().any(|other| kinds().any(|kind| other.is_of(kind))) {
            return None;
        }
        let line = kinds().find_map(|kind| match kind.export.version {
            InterfaceVersion::Any(line) => Some(line),
            InterfaceVersion::Exactly(_) => None,
        });
        let (spoken, remedy) = match line {
            Some(line) => (line.to_owned(), format!("build it against {line}")),
            None if self.interface.starts_with(PACKAGE) && self.interface != TYPES => {
                let known = Contract::ALL.map(Contract::as_str);
                let is_newer = known.iter().all(|known| is_newer(self.version, known));
                let remedy =
                    if is_newer { "upgrade the host, or rebuild the plugin against its wit/" } else { REBUILD };
                (format!("the contract in {}", known.join(" and ")), remedy.to_owned())
            }
            None => return None,
        };
        let Self { interface, version, .. } = self;
        Some(format!("exports {interface} in version `{version}`, and this host speaks {spoken}: {remedy}"))
    }
}

const REBUILD: &str = "rebuild the plugin against wit/, which says what each version has";

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
        "wasi:keyvalue" => "build it against store, atomics and batch of wasi:keyvalue@0.2.0-draft2, as in host/wit",
        "wasi:blobstore" | "wasi:sql" => {
            "a plugin keeps nothing between calls but in buckets, by wasi:keyvalue; settings come by wasi:config/store from \
             [plugins.NAME.settings]"
        }
        "wasi:messaging" => "a plugin sends nothing itself; what it returns is sent by the host",
        "tidegate:plugin" => "a plugin exports the roles of tidegate:plugin and imports its types alone",
        _ => {
            "build it against a world in wit/, which has WASI 0.2 (clocks and randomness, the rest empty and denied), \
             wasi:config/store and wasi:logging/logging"
        }
    }
}

/// # Errors
/// When the plugin has been granted no bucket.
fn check_buckets(import: &str, plugin_state: &PluginState) -> Result<(), LoadError> {
    if plugin_state.buckets.has_any() {
        return Ok(());
    }
    let name = &plugin_state.name;
    Err(LoadError::TypeCheck(format!(
        "imports {import}, and the plugin {name} is granted no bucket: grant it those that it opens, such as \
         [plugins.{name}.buckets] seen = {{}}"
    )))
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
