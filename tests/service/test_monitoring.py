"""The alert rules, the dashboard and the table of metrics speak of what `/metrics` tells."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

import service
from service.web import create_app
from tests.service.exposed import exposed
from tests.test_readme import headings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from tests.conftest import Valkey
    from tests.service.exposed import Exposed
    from workers.settings import Settings

REPOSITORY = Path(__file__).parents[2]
SERVICE = Path(service.__file__).parent
MONITORING = SERVICE / "monitoring"
OF_PROMETHEUS = {"instance", "job", "le"}
NAMES = re.compile(r"\bdispatcher_\w+")
SELECTORS = re.compile(r"(dispatcher_\w+)\{([^}]*)\}")
MATCHERS = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPINGS = re.compile(r"\b(?:by|without|on)\s*\(([^)]*)\)")


@pytest.fixture
def metrics(settings: Settings, valkey: Valkey, redis: Redis) -> dict[str, Exposed]:
    return exposed(create_app(settings), settings, valkey, redis)


def yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


def alerts() -> list[dict[str, Any]]:
    groups = yaml(MONITORING / "alerts.yml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return json.loads((MONITORING / "grafana" / "dashboard.json").read_text())["panels"]


def expressions() -> Iterator[tuple[str, str]]:
    """Each with what it is of."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def series(metrics: dict[str, Exposed]) -> dict[str, Exposed]:
    return {name: metric for metric in metrics.values() for name in metric.series}


def test_every_metric_that_is_asked_for_is_told(metrics: dict[str, Exposed]) -> None:
    told = series(metrics)
    asked = {(of, name) for of, expr in expressions() for name in NAMES.findall(expr)}
    assert len(asked) > 40
    assert {(of, name) for of, name in asked if name not in told} == set()


def test_every_label_that_is_asked_for_is_of_its_metric(metrics: dict[str, Exposed]) -> None:
    told = series(metrics)
    wrong = [
        (of, name, label)
        for of, expr in expressions()
        for name, matchers in SELECTORS.findall(expr)
        for label in MATCHERS.findall(matchers)
        if label not in told[name].labels | OF_PROMETHEUS
    ]
    assert wrong == []


def test_every_grouping_is_by_labels_that_exist(metrics: dict[str, Exposed]) -> None:
    for of, expr in expressions():
        known = OF_PROMETHEUS.union(*(series(metrics)[name].labels for name in NAMES.findall(expr)))
        for names in GROUPINGS.findall(expr):
            assert {name.strip() for name in names.split(",")} <= known, of


def test_what_is_told_of_the_fleet_is_not_summed_over_its_web_processes() -> None:
    of_a_process = {
        "dispatcher_webhooks_total", "dispatcher_webhook_seconds_bucket", "dispatcher_redis_up",
        "dispatcher_rules_load_failed", "dispatcher_reconcile_interval_seconds",
    }  # fmt: skip
    for of, expr in expressions():
        for name in set(NAMES.findall(expr)) - of_a_process:
            inside = re.findall(rf"max without \(instance\) \(\s*(?:\w+\(\s*)?{name}\b", expr)
            assert len(inside) == len(re.findall(rf"\b{name}\b", expr)), (of, name)


def test_every_metric_is_on_the_dashboard_or_in_an_alert(metrics: dict[str, Exposed]) -> None:
    asked = {name for _, expr in expressions() for name in NAMES.findall(expr)}
    unseen = {name for name, metric in metrics.items() if not metric.series & asked}
    assert unseen == {
        "dispatcher_build_info", "dispatcher_rules_info", "dispatcher_rules_loaded",
        "dispatcher_reconcile_duration_seconds",
    }  # fmt: skip


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert "\n" not in rule["annotations"]["summary"]
    path, _, heading = rule["annotations"]["runbook"].partition("#")
    assert heading in headings(REPOSITORY / path)


def test_every_alert_is_tried() -> None:
    tests = yaml(MONITORING / "alerts_test.yml")["tests"]
    tried = [each for test in tests for each in test["alert_rule_test"]]
    fired = {each["alertname"] for each in tried if each["exp_alerts"]}
    silent = {each["alertname"] for each in tried if not each["exp_alerts"]}
    names = {rule["alert"] for rule in alerts()}
    assert (fired, silent) == (names, names)


def test_the_alerts_that_documents_name_are_those_there_are() -> None:
    named = {
        page: set(re.findall(r"`(Dispatcher[A-Z]\w+)`", (SERVICE / "docs" / page).read_text()))
        for page in ("metrics.md", "operating.md")
    }
    names = {rule["alert"] for rule in alerts()}
    assert named["metrics.md"] == names
    assert named["operating.md"] <= names


def test_what_does_not_answer_is_known_by_the_name_of_its_job() -> None:
    [job] = yaml(MONITORING / "prometheus.yml")["scrape_configs"]
    [down] = [rule["expr"] for rule in alerts() if rule["alert"] == "DispatcherDown"]
    assert down == f'up{{job="{job["job_name"]}"}} == 0'


def promtool() -> str:
    found = shutil.which("promtool") or shutil.which(str(REPOSITORY / ".promtool" / "promtool"))
    if found is None:
        pytest.skip("there is no promtool: `make promtool` builds it, and needs Go")
    return found


@pytest.mark.parametrize(
    "words",
    [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml"),
     ("check", "config", "prometheus.yml")],
    ids=" ".join,
)  # fmt: skip
def test_prometheus_takes_them(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [promtool(), *words], cwd=MONITORING, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_expression_of_the_dashboard_is_one(tmp_path: Path) -> None:
    tool, rules = promtool(), []
    for number, (_, expr) in enumerate(expressions()):
        plain = expr.replace("$__rate_interval", "5m").replace("$job", "x")
        rules.append({"record": f"each:{number}", "expr": plain})
    every = tmp_path / "every.yml"
    every.write_text(json.dumps({"groups": [{"name": "every", "rules": rules}]}))
    done = subprocess.run(
        [tool, "check", "rules", str(every)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_prometheus_scrapes_is_the_compose_files_web_process() -> None:
    compose = yaml(REPOSITORY / "docker-compose.yml")
    [job] = yaml(MONITORING / "prometheus.yml")["scrape_configs"]
    [target] = job["static_configs"][0]["targets"]
    host, _, port = target.partition(":")
    assert compose["services"][host]["environment"]["DISPATCHER_PORT"] == port
    assert yaml(MONITORING / "prometheus.yml")["rule_files"] == ["alerts.yml"]


def test_the_dashboard_stands_on_its_own() -> None:
    dashboard = json.loads((MONITORING / "grafana" / "dashboard.json").read_text())
    assert dashboard["uid"] == "livekit-dispatcher"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    assert {p["datasource"]["uid"] for p in panels() if "datasource" in p} == {"${datasource}"}
    [provider] = yaml(MONITORING / "grafana/provisioning/dashboards/livekit-dispatcher.yml")[
        "providers"
    ]
    assert provider["type"] == "file"
    taken = [tuple(panel["gridPos"][k] for k in "xywh") for panel in dashboard["panels"]]
    cells = [(x + i, y + j) for x, y, w, h in taken for i in range(w) for j in range(h)]
    assert len(cells) == len(set(cells)), "panels lie over each other"
    assert max(x for x, _ in cells) < 24


def test_the_table_of_metrics_is_that_of_the_code(metrics: dict[str, Exposed]) -> None:
    text = (SERVICE / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(dispatcher_\w+)` \| (\w+) \|([^|]*)\| (.+) \|$", text, re.MULTILINE)
    told = {
        name: (kind, frozenset(re.findall(r"`(\w+)`", labels)), about)
        for name, kind, labels, about in rows
    }
    assert len(rows) == len(told)
    assert told == {
        name: (metric.kind, metric.labels, metric.told) for name, metric in metrics.items()
    }
