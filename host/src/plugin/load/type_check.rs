//! Type-check: the component's exports are those of a version of the contract that the host knows, and its imports are
//! ones that the contract offers.

use super::LoadError;
use crate::plugin::role::Role;
use crate::plugin::roles::v0_1_0::{self, Adapter};
use crate::plugin::roles::wasi_http::{self, Handler};
use crate::plugin::run::guest::Guest;
use crate::plugin::run::runtime::Runtime;
use wasmtime::component::types::{Component as ComponentType, ComponentItem};
use wasmtime::component::{Component, InstancePre};

/// A component that can be linked, with the roles that its exports give it.
pub(super) struct TypeChecked {
    pub(super) component: InstancePre<Guest>,
    pub(super) roles: Vec<Role>,
    pub(super) imports: Vec<String>,
    pub(super) adapter: Adapter,
    pub(super) handler: Option<Handler>,
}

impl TypeChecked {
    pub(super) fn new(runtime: &Runtime, component: &Component) -> Result<Self, LoadError> {
        let engine = &runtime.wasmtime;
        let refused = |error: wasmtime::Error| LoadError::TypeCheck(format!("{error:#}"));
        let exports = component.component_type();
        let mut roles = Vec::new();
        for role in [Role::Transform, Role::ReplyPolicy] {
            if exports_role(engine, &exports, role)? {
                roles.push(role);
            }
        }
        let is_handler = is_handler(engine, &exports)?;
        if is_handler && roles.contains(&Role::Transform) {
            return Err(LoadError::TypeCheck(format!(
                "exports both tidegate:plugin/transform and {}, and /NAME/ can be only one of them: make two components",
                wasi_http::INTERFACE
            )));
        }
        if is_handler {
            roles.push(Role::HttpHandler);
        }
        let version = v0_1_0::VERSION;
        if roles.is_empty() {
            return Err(LoadError::TypeCheck(format!(
                "exports neither tidegate:plugin/transform@{version} nor tidegate:plugin/reply-policy@{version} nor \
                 {}@{}: build it against the world transform-plugin or reply-policy-plugin in wit/, or as a handler of \
                 wasi:http",
                wasi_http::INTERFACE,
                wasi_http::VERSION
            )));
        }
        let imports = imports(engine, &exports);
        let is_offered = |import: &str| is_offered(import) || (is_handler && import.starts_with("wasi:http/"));
        if let Some(import) = imports.iter().find(|import| !is_offered(import)) {
            let remedy = remedy(import);
            return Err(LoadError::TypeCheck(format!("imports {import}, which the contract does not offer: {remedy}")));
        }
        let component = runtime.linker.instantiate_pre(component).map_err(refused)?;
        let adapter = Adapter::new(&component, &roles).map_err(refused)?;
        let handler = is_handler.then(|| Handler::new(&component)).transpose().map_err(refused)?;
        Ok(Self { component, roles, imports, adapter, handler })
    }
}

/// Whether the component exports the interface of a role; a version of it that the host does not know is an error.
fn exports_role(engine: &wasmtime::Engine, component: &ComponentType, role: Role) -> Result<bool, LoadError> {
    let interface = format!("tidegate:plugin/{role}");
    match exported_version(engine, component, &interface) {
        None => Ok(false),
        Some(v0_1_0::VERSION) => Ok(true),
        Some(version) => Err(LoadError::TypeCheck(format!(
            "exports {interface} in version `{version}`, and this host speaks {}: {}",
            v0_1_0::VERSION,
            if is_newer(version) {
                "upgrade the host, or rebuild the plugin against its wit/"
            } else {
                "rebuild the plugin against wit/"
            }
        ))),
    }
}

/// Whether the component exports a handler of wasi:http; a line of versions that the host does not know is an error.
fn is_handler(engine: &wasmtime::Engine, component: &ComponentType) -> Result<bool, LoadError> {
    let (interface, line) = (wasi_http::INTERFACE, wasi_http::VERSION);
    match exported_version(engine, component, interface) {
        None => Ok(false),
        Some(version) if version.strip_prefix(line).is_some_and(|rest| rest.starts_with('.')) => Ok(true),
        Some(version) => Err(LoadError::TypeCheck(format!(
            "exports {interface} in version `{version}`, and this host speaks {line}: build it against {line}"
        ))),
    }
}

/// In which version the component exports an interface.
fn exported_version<'a>(
    engine: &'a wasmtime::Engine,
    component: &'a ComponentType,
    interface: &str,
) -> Option<&'a str> {
    component.exports(engine).find_map(|(name, _)| {
        let rest = name.strip_prefix(interface)?;
        if rest.is_empty() { Some("") } else { rest.strip_prefix('@') }
    })
}

/// Whether a version is later than the last one that this host knows.
fn is_newer(version: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        let release = text.split(['-', '+']).next().unwrap_or_default();
        release.split('.').map(|number| number.parse().ok()).collect()
    };
    numbers(version) > numbers(v0_1_0::VERSION)
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
            assert!(is_newer(newer), "{newer}");
        }
        for other in ["", "0.0.9", "0.1.0", "garbage"] {
            assert!(!is_newer(other), "{other}");
        }
    }
}
