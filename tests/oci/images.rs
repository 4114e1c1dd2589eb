//! Container images with a component in their one layer, as `docker build` makes them: read, within bounds, or refused.

use super::registry::Registry;
use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

const OCI: [&str; 3] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.oci.image.layer.v1.tar+gzip",
];
const DOCKER: [&str; 3] = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
];

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Pushes an image with these layers under a tag.
fn image(registry: &Registry, tag: &str, [manifest, config, layer]: [&str; 3], layers: &[Vec<u8>]) {
    let place =
        |kind: &str, blob: &[u8]| json!({"mediaType": kind, "digest": registry.put_blob(blob), "size": blob.len()});
    let layers: Vec<_> = layers.iter().map(|bytes| place(layer, bytes)).collect();
    let config =
        place(config, br#"{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}"#);
    let annotations = json!({"module.wasm.image/variant": "compat"});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": manifest, "config": config, "layers": layers, "annotations": annotations,
    });
    registry.put_manifest(tag, &manifest);
}

#[test]
fn a_component_in_an_image_is_pulled_and_served() {
    let Some(mut registry) = registry() else { return };
    let packed = |name: &str| gzip(&archive(&[("./plugin.wasm", &bytes(name))]));
    image(&registry, "oci", OCI, &[packed("downcase")]);
    image(&registry, "docker", DOCKER, &[packed("downcase")]);
    let directory = tempfile::tempdir().unwrap();
    let (file, text) = path(directory.path(), "pulled.wasm");
    let pinned = ["oci", "docker"].map(|tag| {
        let pinned = stdout_of(&["pull", &registry.reference(tag), "--force", "-o", &text]);
        assert_eq!(std::fs::read(&file).unwrap(), bytes("downcase"), "{tag}");
        pinned
    });
    let digest = tidegate::plugin::digest(&bytes("downcase"));
    let mut host = host_of(&registry.reference("oci")).with(&[&format!("--plugin=y={}", pinned[1])]).start();
    let by_tag = answer(&host);
    assert_eq!((by_tag.text(), by_tag.header("tidegate-digest")), (DOWN, digest.as_str()));
    assert_eq!(by_tag.header("tidegate-artifact"), pinned[0].split_once('@').unwrap().1);
    assert_eq!(host.get("/y/?param=AbC").header("tidegate-digest"), digest);
    image(&registry, "oci", OCI, &[packed("upcase")]);
    wait_for_generation(&host, 2, UP);
    // An image that is none changes nothing, and the next one is taken.
    image(&registry, "oci", OCI, &[gzip(b"no archive")]);
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["not loaded", "pull: ", "no gzipped archive"]);
    image(&registry, "oci", OCI, &[packed("downcase")]);
    wait_for_generation(&host, 3, DOWN);
    registry.kill();
    let (code, _) = host.stop_and_tell();
    assert_eq!(code, 0);
    // The copy of the layer stands in.
    let host = Setup::after(&mut host).with(&[&format!("--plugin={}", registry.reference("oci"))]).start();
    assert_eq!(answer(&host).text(), DOWN);
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_image_that_holds_no_one_component_is_refused() {
    let Some(registry) = registry() else { return };
    let component = bytes("downcase");
    let whole = gzip(&archive(&[("plugin.wasm", &component)]));
    let zeros = vec![0; 4 << 20];
    for (number, (layers, words)) in [
        (vec![gzip(&archive(&[("a.wasm", &component), ("b.wasm", &component)]))], "holds `a.wasm` and `b.wasm`"),
        (vec![gzip(&archive(&[("NOTICE", b"n")]))], "no file whose name ends in .wasm"),
        (vec![gzip(&archive(&[("/plugin.wasm", &component)]))], "path `/plugin.wasm` outside of the image"),
        (vec![gzip(&archive(&[("../plugin.wasm", &component)]))], "path `../plugin.wasm` outside of the image"),
        (vec![whole[..whole.len() / 2].to_vec()], "is not whole"),
        (vec![component.clone()], "no gzipped archive"),
        (vec![gzip(&archive(&[("plugin.wasm", &zeros)]))], "larger than component_bytes_max 100000"),
        (vec![gzip(&archive(&[("zeros", &zeros), ("plugin.wasm", &component)]))], "unpacks to more than"),
        (vec![whole.clone(), whole.clone()], "the image has 2 layers"),
    ]
    .into_iter()
    .enumerate()
    {
        let tag = format!("bad-{number}");
        image(&registry, &tag, OCI, &layers);
        let setup = setup().with(&[&format!("--plugin={}", registry.reference(&tag))]);
        let output = setup.config("[limits]\ncomponent_bytes_max = 100000").command().output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && stderr.contains(words), "{words}: {stderr}");
    }
    image(&registry, "two", OCI, &[gzip(&archive(&[("a.wasm", &component), ("b.wasm", &component)]))]);
    refused(&["pull", &registry.reference("two")], &[], &["holds `a.wasm` and `b.wasm`"]);
}
