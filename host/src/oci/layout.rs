//! How a component lies in a registry: the layout of the CNCF's TAG Runtime, and the layers of those who came before
//! it.

use super::image;
use oci_client::manifest::OciDescriptor;
use serde::Serialize;

/// The type of the configuration that makes an artifact one of WebAssembly.
pub(super) const CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// The type of the one layer, the component.
pub(super) const LAYER: &str = "application/wasm";
/// What else a component's layer may be called: by wasm-to-oci, Spin and Kubewarden; by Envoy, Istio and wasmCloud; by
/// runwasi.
const EARLIER_LAYERS: [&str; 3] = [
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.module.wasm.content.layer.v1+wasm",
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
];

/// What is told of a component beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// When it was made, as RFC 3339 has it.
    pub created: String,
    /// The names that it imports.
    pub imports: Vec<String>,
    /// The names that it exports.
    pub exports: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: &'a str,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [&'a str; 1],
    component: Component<'a>,
}

#[derive(Serialize)]
struct Component<'a> {
    exports: &'a [String],
    imports: &'a [String],
}

/// The configuration of an artifact whose layer has this digest.
///
/// # Errors
/// When the description cannot be encoded as JSON.
pub(super) fn config(description: &Description, layer_digest: &str) -> serde_json::Result<Vec<u8>> {
    let Description { created, imports, exports } = description;
    let component = Component { exports, imports };
    // A component is of WASI 0.2, whether it imports any of it or not.
    let config = Config { created, architecture: "wasm", os: "wasip2", layer_digests: [layer_digest], component };
    serde_json::to_vec(&config)
}

/// The layer that is the component: the only one of a type that says so. Others, of other types, may lie beside it. Without
/// such a one, the only layer of a container image, and that the component is packed into it.
///
/// # Errors
/// When no layer is a component, or several are.
pub(super) fn component_layer(layers: &[OciDescriptor]) -> Result<(&OciDescriptor, bool), String> {
    let of = |is: fn(&str) -> bool| layers.iter().filter(move |layer| is(&layer.media_type)).collect::<Vec<_>>();
    let is_wasm = |media_type: &str| media_type == LAYER || EARLIER_LAYERS.contains(&media_type);
    match (&of(is_wasm)[..], &of(|media_type| image::LAYERS.contains(&media_type))[..]) {
        ([layer], _) => Ok((layer, false)),
        ([_, ..], _) => {
            Err(format!("the artifact has {} WebAssembly layers: push one component alone", of(is_wasm).len()))
        }
        ([], [layer]) => Ok((layer, true)),
        ([], [_, ..]) => Err(format!(
            "the image has {} layers: build one `FROM scratch` with the component alone, or push that with \
             `tidegate plugin push`",
            layers.len()
        )),
        ([], []) => {
            let types: Vec<_> = layers.iter().map(|layer| layer.media_type.as_str()).collect();
            Err(format!(
                "the artifact holds no WebAssembly, but [{}]: push a component with `tidegate plugin push`",
                types.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(media_type: &str) -> OciDescriptor {
        OciDescriptor { media_type: media_type.to_owned(), ..OciDescriptor::default() }
    }

    fn found(layers: &[OciDescriptor]) -> Result<(&str, bool), String> {
        component_layer(layers).map(|(layer, is_packed)| (layer.media_type.as_str(), is_packed))
    }

    #[test]
    fn the_component_is_the_one_webassembly_layer() {
        for media_type in EARLIER_LAYERS.into_iter().chain([LAYER]) {
            let layers = [layer("text/plain"), layer(media_type)];
            assert_eq!(found(&layers), Ok((media_type, false)));
        }
        for media_type in image::LAYERS {
            assert_eq!(found(&[layer(media_type)]), Ok((media_type, true)));
            assert_eq!(found(&[layer(media_type), layer(LAYER)]), Ok((LAYER, false)));
            let two = [layer(media_type), layer(media_type)];
            assert!(component_layer(&two).unwrap_err().contains("the image has 2 layers"));
        }
        assert!(component_layer(&[]).unwrap_err().contains("holds no WebAssembly, but []"));
        assert!(component_layer(&[layer("a/b")]).unwrap_err().contains("but [a/b]"));
        assert!(component_layer(&[layer(LAYER), layer(LAYER)]).unwrap_err().contains("2 WebAssembly layers"));
    }

    #[test]
    fn the_configuration_is_that_of_the_layout() {
        let description = Description {
            created: "2026-01-01T00:00:00Z".to_owned(),
            imports: vec!["wasi:random/random@0.2.6".to_owned()],
            exports: vec!["tidegate:plugin/transform@0.1.0".to_owned()],
        };
        let config: serde_json::Value = serde_json::from_slice(&config(&description, "sha256:00").unwrap()).unwrap();
        let expected = serde_json::json!({
            "created": "2026-01-01T00:00:00Z", "architecture": "wasm", "os": "wasip2", "layerDigests": ["sha256:00"],
            "component": {
                "exports": ["tidegate:plugin/transform@0.1.0"], "imports": ["wasi:random/random@0.2.6"]
            },
        });
        assert_eq!(config, expected);
    }
}
