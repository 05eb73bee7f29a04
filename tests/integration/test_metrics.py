"""`twinit metrics`: what promtool, node_exporter and Prometheus read, and what its numbers are of a real stack."""

import re
import subprocess
from pathlib import Path

from clients import fpm_post
from rolling import give
from support import SECONDS, redis_command, wait_until

MONITORING = Path(__file__).resolve().parents[2] / "doc" / "monitoring"
SAMPLE = re.compile(r'^(\w+)(?:\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\})? ([0-9.]+)$')


def metrics(site, *options):
    """The output of `twinit metrics`."""
    code, text = give(site, "metrics", *options)
    assert code == 0, text
    return text


def values(text):
    """{(name, labels): number} of all samples; each line must be a comment or a sample, none twice."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        sample = SAMPLE.match(line)
        assert sample, "no sample: %r" % line
        key = (sample[1], sample[2] or "")
        assert key not in found, "twice: %r" % line
        found[key] = float(sample[3])
    return found


def of(text, name, **labels):
    """The sum of all samples of a name that have these labels."""
    wanted = ['%s="%s"' % item for item in labels.items()]
    chosen = [number for (one, has), number in values(text).items()
              if one == name and all(label in has.split(",") for label in wanted)]
    assert chosen, "no %s%s in\n%s" % (name, labels, text)
    return sum(chosen)


def promtool(*words, said=None):
    """What promtool says of it; it must be content."""
    done = subprocess.run(["promtool", *words], input=said, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    assert done.returncode == 0 and "no help text" not in done.stdout, done.stdout
    return done.stdout


def families(text):
    """[(name, kind, names of its samples)] in their order."""
    found = []
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            found.append((*line.split()[2:], set()))
        elif not line.startswith("#"):
            found[-1][2].add(re.match(r"\w+", line)[0])
    return found


def test_promtool_has_nothing_to_say_about_metrics_and_rules(site):
    assert give(site, "restart")[0] == 0
    assert promtool("check", "metrics", said=metrics(site)) == ""
    assert "SUCCESS" in promtool("check", "rules", str(MONITORING / "alerts.yml"))


ALERTS = """\
rule_files: [%s]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'twinit_healthy{instance="ill"}', values: "0x30"}
      - {series: 'twinit_healthy{instance="well"}', values: "1x30"}
      - {series: 'twinit_replicas_wanted{app="ill"}', values: "2x30"}
      - {series: 'twinit_replicas_wanted{app="well"}', values: "2x30"}
      - {series: 'twinit_replicas{app="ill",group="active",state="ready"}', values: "1x30"}
      - {series: 'twinit_replicas{app="ill",group="old",state="ready"}', values: "1x30"}
      - {series: 'twinit_replicas{app="well",group="active",state="ready"}', values: "2x30"}
      - {series: 'twinit_workers{app="ill",pool="a",replica="1",state="idle"}', values: "0x30"}
      - {series: 'twinit_workers{app="ill",pool="a",replica="2",state="idle"}', values: "0x30"}
      - {series: 'twinit_workers{app="well",pool="a",replica="1",state="idle"}', values: "0x30"}
      - {series: 'twinit_workers{app="well",pool="a",replica="2",state="idle"}', values: "1x30"}
      - {series: 'twinit_listen_queue{app="ill"}', values: "3x30"}
      - {series: 'twinit_listen_queue{app="well"}', values: "3x30"}
      - {series: 'twinit_restarts_total{app="ill"}', values: "0+1x30"}
      - {series: 'twinit_restarts_total{app="well"}', values: "5x30"}
    promql_expr_test:
      - expr: 'count by (alertname, app, instance) (ALERTS{alertstate="firing"})'
        eval_time: 20m
        exp_samples:
          - {labels: '{alertname="TwinitUnhealthy", instance="ill"}', value: 1}
          - {labels: '{alertname="TwinitReplicasMissing", app="ill"}', value: 1}
          - {labels: '{alertname="TwinitWorkersExhausted", app="ill"}', value: 1}
          - {labels: '{alertname="TwinitReplicasCrash", app="ill"}', value: 1}
"""


def test_alerts_are_for_those_who_are_ill(tmp_path):
    (tmp_path / "test.yml").write_text(ALERTS % (MONITORING / "alerts.yml"))
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "test.yml"))


def test_open_metrics_has_families_as_its_standard_wants_them(site):
    text = metrics(site, "--openmetrics")
    assert text.endswith("\n# EOF\n") and text.count("# EOF") == 1
    found = families(text)
    names = [name for name, _, _ in found]
    assert len(set(names)) == len(names)
    for name, kind, samples in found:
        assert samples == {name + "_total" if kind == "counter" else name}, (name, kind, samples)
        assert not name.endswith("_total")
    assert values(text).keys() == values(metrics(site)).keys()


def test_alerts_and_the_readme_name_only_what_there_is(site):
    assert give(site, "restart")[0] == 0
    there = {name for name, _ in values(metrics(site))}
    # What is seen in the container's PID namespace only.
    there.add("twinit_replica_memory_bytes")
    for file in "alerts.yml", "README.md":
        named = set(re.findall(r"\btwinit_\w+", (MONITORING / file).read_text()))
        assert named - there == set(), "%s names what is not there" % file
    assert len(re.findall(r"\btwinit_\w+", (MONITORING / "alerts.yml").read_text())) >= 11


def test_the_numbers_follow_what_happens(site):
    assert of(metrics(site), "twinit_rolls_total") == 0
    before = of(metrics(site), "twinit_requests_total")
    for _ in range(10):
        fpm_post(site.task.address, "/ping.php")
    text = metrics(site)
    assert of(text, "twinit_requests_total") == before + 10
    assert of(text, "twinit_replicas", group="active", state="ready") == 2 == of(text, "twinit_replica_up")
    assert of(text, "twinit_sessions_up") == 1 and of(text, "twinit_sessions_members") == 1
    assert 0 < of(text, "twinit_sessions_latency_seconds") < 5
    site.roll_to(2)
    site.current("no-such-release")
    assert give(site, "restart")[0] == 1
    text = metrics(site)
    assert (of(text, "twinit_rolls_total", outcome="done"), of(text, "twinit_rolls_total", outcome="refused")) == (1, 1)
    assert of(text, "twinit_last_roll_done") == 0 and of(text, "twinit_healthy") == 1
    site.current(2)
    assert give(site, "restart")[0] == 0
    text = metrics(site)
    assert of(text, "twinit_last_roll_done") == 1
    assert 0 < of(text, "twinit_last_roll_phase_seconds", phase="build") <= of(text, "twinit_last_roll_duration_seconds")
    assert of(text, "twinit_replicas", group="active", state="ready") == 2


def test_a_store_that_hangs_does_not_hold_metrics_up(make_site):
    site = make_site(env={"TWINIT_SESSIONS_EVERY": "1s"})
    redis_command(site, "CLIENT", "PAUSE", "20000", "ALL")
    wait_until("the store is lost", SECONDS, lambda: of(metrics(site), "twinit_sessions_up"), lambda up: up == 0)
