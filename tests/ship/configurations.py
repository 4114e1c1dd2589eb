"""Has the binary accept what is configured and called in manifests and compose files, and compares their parts.

usage: configurations.py TIDEGATE DEPLOY
TIDEGATE is the binary, DEPLOY the directory with what ships it. Configurations of NATS go through `nats-server -t`. Takes
PyYAML. Prints what was accepted, one per line.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import yaml

BINARY, DEPLOY = (Path(argument).resolve() for argument in sys.argv[1:3])
# A wish to connect to every address of a name, wherever it stands.
EVERY_ADDRESS = re.compile(r"dns\+tcp://([a-z0-9-]+):(\d+)")


def run(*command, **environment):
    """What a command prints. It has to succeed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    command = [str(part) for part in command]
    told = subprocess.run(command, env=clean | environment, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, f"{command}: {told.stdout}{told.stderr}"
    return told.stdout


def accept_configuration(name, text, arguments=()):
    """Has whoever reads a file accept it, and returns what the binary makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, name)
        file.write_text(text)
        if name.endswith(".conf"):
            return run("nats-server", "-t", "-c", file, POD_NAME="nats-0")
        return tomllib.loads(run(BINARY, "--config", file, *arguments, "--print-config"))


def accept_command(arguments):
    """Has the binary read the arguments of a subcommand: `--help` comes behind all of them, so it is not carried out."""
    flags = arguments[: arguments.index("--")] if "--" in arguments else arguments
    told = run(BINARY, *flags, "--help")
    assert told.startswith(run(BINARY, flags[0], "--help")[:40]), told


def shut_down_in_time(what, seconds, pause, configuration):
    """Whoever kills what does not end has to have more patience than the host."""
    needed = pause + configuration["shutdown"]["grace_ms"] / 1000
    assert seconds > needed, f"{what} is killed after {seconds} s, and may take {needed} s"


def workers_end_in_time(configuration):
    """What a worker has in hand when the host is told to end is answered in its grace period."""
    for name, pool in configuration.get("workers", {}).items():
        deadline, grace = pool["deadline_ms"], configuration["shutdown"]["grace_ms"]
        assert deadline < grace, f"workers.{name}.deadline_ms is {deadline}, and shutdown.grace_ms is {grace}"


def chosen_pods(part):
    """The labels by which policies choose pods, wherever they stand."""
    if isinstance(part, dict) and "matchLabels" in part:
        yield part["matchLabels"]
    elif isinstance(part, (dict, list)):
        for each in part.values() if isinstance(part, dict) else part:
            yield from chosen_pods(each)


def check_pods(manifest, maps):
    """What the pods of a Deployment or a StatefulSet run, with the files of their ConfigMaps, and how they end."""
    spec, pod = manifest["spec"], manifest["spec"]["template"]["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items(), manifest["metadata"]
    (container,) = pod["containers"]
    arguments = container.get("args", [])
    if arguments[:1] and not arguments[0].startswith("--"):
        accept_command(arguments)
        print(f"arguments of {manifest['kind']} {manifest['metadata']['name']}")
    mounted = [maps[volume["configMap"]["name"]] for volume in pod.get("volumes", []) if "configMap" in volume]
    for name, text in [file for data in mounted for file in data.items()]:
        configuration = accept_configuration(name, text, arguments)
        if name.endswith(".toml"):
            pause = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])[1]
            shut_down_in_time(name, pod["terminationGracePeriodSeconds"], float(pause), configuration)
            if spec["replicas"] > 1:
                workers_end_in_time(configuration)
        print(f"{name} of {manifest['kind']} {manifest['metadata']['name']}")


def check_manifests(files):
    """All of one folder, as `kubectl apply -f` takes it."""
    manifests = [manifest for file in files for manifest in yaml.safe_load_all(file.read_text())]
    kinds = {}
    for manifest in manifests:
        kinds.setdefault(manifest["kind"], []).append(manifest)
    maps = {manifest["metadata"]["name"]: manifest["data"] for manifest in kinds["ConfigMap"]}
    services = {manifest["metadata"]["name"]: manifest["spec"] for manifest in kinds["Service"]}
    owners = kinds.get("Deployment", []) + kinds.get("StatefulSet", [])
    for owner in owners:
        check_pods(owner, maps)
        assert owner["spec"].get("serviceName", "") in {"", *services}, owner["metadata"]
    templates = [owner["spec"]["template"] for owner in owners]
    choosing = kinds.get("NetworkPolicy", []) + kinds.get("PodDisruptionBudget", [])
    for labels in [*(service["selector"] for service in services.values()), *chosen_pods(choosing)]:
        assert any(labels.items() <= template["metadata"]["labels"].items() for template in templates), f"nobody has {labels}"
    for name, port in EVERY_ADDRESS.findall(yaml.safe_dump_all(manifests)):
        assert services[name].get("clusterIP") == "None", f"{name} has one address"
        assert int(port) in [each["port"] for each in services[name]["ports"]], f"{name} has no port {port}"


def check_compose(file):
    """The services of one compose file, with the configuration that is mounted into them, else the image's."""
    services = yaml.safe_load(file.read_text())["services"]
    networks = [service.get("networks", {}).get("default", {}) for service in services.values()]
    names = {*services, *(alias for network in networks for alias in network.get("aliases", []))}
    for name, service in services.items():
        if service["image"] != "tidegate":
            continue
        if command := service.get("command"):
            accept_command(command)
        else:
            mounts = [volume.split(":") for volume in service.get("volumes", [])]
            (source,) = [source for source, target, *_ in mounts if target == "/etc/tidegate/tidegate.toml"] or ["tidegate.toml"]
            configuration = accept_configuration("tidegate.toml", (file.parent / source).read_text())
            shut_down_in_time(name, float(service["stop_grace_period"].removesuffix("s")), 0, configuration)
        print(f"{name} of {file.relative_to(DEPLOY)}")
    for name, _ in EVERY_ADDRESS.findall(file.read_text()):
        assert name in names, f"{file}: no service is called {name}"


def main():
    for folder in sorted({file.parent for file in DEPLOY.rglob("kubernetes/*.yaml")}):
        check_manifests(sorted(folder.glob("*.yaml")))
    for file in sorted(DEPLOY.rglob("compose*.yaml")):
        check_compose(file)


main()
