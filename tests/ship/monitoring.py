"""Holds the scrape configuration, the alerts and the dashboard to Prometheus itself, which scrapes a real host.

usage: monitoring.py TIDEGATE PLUGIN DEPLOY, the built binary, a component and the folder host/deploy
"""

import json
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

from waiting import wait_for

LISTENING = re.compile(r"Listening on.*?(127\.0\.0\.1:\d+)")
METRIC = re.compile(r"\btidegate_[a-z0-9_]+")


def expressions(dashboard: dict) -> list[str]:
    """The queries of all panels and annotations, with what Grafana puts in place of its variables."""
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    queries += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    return [query.replace("$instance", ".*").replace("$__rate_interval", "1m") for query in queries]


def ask(server: str, query: str) -> list:
    """What Prometheus answers to a query now."""
    path = f"http://{server}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(path, timeout=10) as answer:
        return json.load(answer)["data"]["result"]


def main() -> None:
    tidegate, plugin, deploy = (Path(argument).resolve() for argument in sys.argv[1:])
    rules = deploy / "prometheus"
    subprocess.run(["promtool", "check", "config", rules / "prometheus.yml"], check=True)
    subprocess.run(["promtool", "test", "rules", rules / "alerts_test.yml"], check=True)
    queries = expressions(json.loads((deploy / "grafana/tidegate.json").read_text()))
    with tempfile.TemporaryDirectory() as work:
        none = ["--publish", "tcp://127.0.0.1:0", "--frontend", "none"]
        command = [tidegate, "--plugin", plugin, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", *none]
        log, running = Path(work, "prometheus.log"), []
        try:
            running.append(subprocess.Popen(command, cwd=work, stdout=subprocess.PIPE, text=True))
            lines = list(iter(running[0].stdout.readline, "ready\n"))
            surfaces = dict(line.split() for line in lines if " " in line)
            urllib.request.urlopen(f"{surfaces['http']}/{plugin.stem}/?param=x", timeout=10).read()
            config = (rules / "prometheus.yml").read_text()
            config = config.replace("127.0.0.1:5001", surfaces["admin"].removeprefix("http://"))
            config = config.replace("alerts.yml", str(rules / "alerts.yml"))
            Path(work, "prometheus.yml").write_text("global: {scrape_interval: 1s, evaluation_interval: 1s}\n" + config)
            command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
            with log.open("w") as output:
                listen = "--web.listen-address=127.0.0.1:0"
                running.append(subprocess.Popen([*command, listen], cwd=work, stdout=output, stderr=output))
            found = wait_for("Prometheus to listen", lambda: LISTENING.search(log.read_text()))
            server = found.group(1)
            wait_for("two scrapes", lambda: ask(server, "rate(tidegate_hop_in_total[1m])"))
            # An error in a query ends the check; a query may well have nothing to tell of a host at rest.
            told = [query for query in queries if ask(server, query)]
            known = {row["metric"]["__name__"] for row in ask(server, '{job="tidegate"}')}
            # The counters by reason have no series before they count.
            known |= set(METRIC.findall((deploy / "../../docs/reference.md").read_text()))
            text = (rules / "alerts.yml").read_text() + "".join(queries)
            unknown = {name for name in METRIC.findall(text) if name not in known}
            if unknown:
                sys.exit(f"no such metrics: {unknown}")
            firing = ask(server, 'ALERTS{alertstate="firing"}')
            if firing:
                sys.exit(f"a host at rest raises alerts: {firing}")
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait()
    print(f"{len(queries)} queries, of which {len(told)} tell something of a host at rest")


main()
