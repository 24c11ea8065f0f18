"""What is deployed holds to what is promised of it: nobody's root, read-only, settings that exist.

These files are read here, not run: there is no engine for them in a test.
"""

from __future__ import annotations

import re

import pytest
import yaml

from app.cli.server import HEADER_TIMEOUT_MS
from app.settings import PREFIX, Settings
from tests.support.installation import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
NODES = ("node1", "node2", "node3")
OURS = (*NODES, "setup")


def read(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


@pytest.fixture(scope="module")
def compose():
    text = (ROOT / "compose.yaml").read_text()
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    return yaml.safe_load(re.sub(r"\$\{\w+:\?[^}]*\}", "password", text))


@pytest.fixture(scope="module")
def manifests():
    return [document for path in sorted(KUBERNETES.glob("*.yaml")) for document in read(path)]


@pytest.fixture(scope="module")
def of_kind(manifests):
    def find(kind):
        (found,) = [document for document in manifests if document["kind"] == kind]
        return found

    return find


@pytest.fixture(params=["Deployment", "Job"])
def pod(request, of_kind):
    return of_kind(request.param)["spec"]["template"]["spec"]


def settings_of(environ):
    """Read as the server would; a variable that does not exist stops the start."""
    assert all(name.startswith(PREFIX) for name in environ)
    return Settings.from_env(environ)


def is_command(installation, arguments):
    command = installation.app.cli.get_command(None, arguments[0])
    command.make_context(arguments[0], [str(one) for one in arguments[1:]])


# Dockerfile ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dockerfile():
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    return [line.split(None, 1) for line in text.splitlines() if line and line[0] not in "# "]


def test_the_image_runs_as_nobody_in_particular(dockerfile):
    *_, user = [rest for word, rest in dockerfile if word == "USER"]
    assert re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", user)


def test_the_image_is_built_in_stages_from_a_slim_python(dockerfile):
    stages = [rest for word, rest in dockerfile if word == "FROM"]
    assert len(stages) == 2
    assert ["ARG", "PYTHON=3.11-slim-bookworm"] in dockerfile


def test_the_image_holds_what_is_pinned(dockerfile):
    (install,) = [rest for word, rest in dockerfile if "pip install" in rest]
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install


def test_the_image_is_asked_for_its_health(dockerfile):
    (check,) = [rest for word, rest in dockerfile if word == "HEALTHCHECK"]
    assert "http://127.0.0.1:8000/health'" in check


def test_what_the_image_runs_is_a_command(dockerfile, installation):
    (command,) = [rest for word, rest in dockerfile if word == "CMD"]
    is_command(installation, yaml.safe_load(command))


def test_what_is_copied_is_let_in_and_nothing_else(dockerfile):
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {line[1:] for line in rules if line.startswith("!")}
    copied = {
        source.rstrip("/")
        for word, rest in dockerfile
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


# compose.yaml -------------------------------------------------------------------------------


def test_every_service_is_hardened(compose):
    for name, service in compose["services"].items():
        if name == "postgres":  # its image makes its directories itself, as root
            continue
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
    for name in OURS:
        assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", compose["services"][name]["user"])


def test_settings_of_the_nodes(compose):
    for name in OURS:
        settings = settings_of(compose["services"][name]["environment"])
        assert settings.redis_url
        assert settings.database_url.startswith("postgresql")
    (proxy,) = settings.trusted_proxies
    address = compose["services"]["nginx"]["networks"]["inside"]["ipv4_address"]
    assert str(proxy) == f"{address}/32"


def test_each_node_has_a_journal_of_its_own_and_keys_it_cannot_change(compose):
    journals = set()
    for name in NODES:
        volumes = dict(reversed(one.split(":", 1)) for one in compose["services"][name]["volumes"])
        assert volumes.pop("/srv/keyturn/keys:ro") == "keys"
        journals.add(volumes.pop("/srv/keyturn/instance"))
        assert not volumes
    assert len(journals) == len(NODES)
    assert journals | {"keys"} <= set(compose["volumes"])


def test_commands_of_the_services(compose, installation):
    is_command(installation, compose["services"]["setup"]["command"])


def test_nginx_asks_the_nodes_that_there_are(compose):
    conf = (ROOT / "deploy" / "nginx.conf").read_text()
    assert tuple(re.findall(r"server (\w+):8000", conf)) == NODES
    assert "./deploy/nginx.conf:/etc/nginx/nginx.conf:ro" in compose["services"]["nginx"]["volumes"]


def test_nothing_is_open_to_the_network(compose):
    ports = [one for service in compose["services"].values() for one in service.get("ports", ())]
    assert ports == ["127.0.0.1:8080:8080"]


def test_nginx_lets_go_of_a_connection_before_we_do():
    conf = (ROOT / "deploy" / "nginx.conf").read_text()
    upstream = conf[conf.index("upstream keyturn") : conf.index("limit_conn_zone")]
    (seconds,) = re.findall(r"keepalive_timeout (\d+)s;", upstream)
    assert int(seconds) * 1000 < HEADER_TIMEOUT_MS


# Kubernetes ---------------------------------------------------------------------------------


def test_every_manifest_is_listed(of_kind):
    listed = set(of_kind("Kustomization")["resources"])
    there = {path.name for path in KUBERNETES.glob("*.yaml")}
    assert there - listed == {"kustomization.yaml", "secret.example.yaml"}
    assert listed <= there


def test_pods_are_restricted(pod):
    """The profile `restricted` of the Pod Security Standards, and a read-only root."""
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["requests"]
        assert container["resources"]["limits"]["memory"]


def test_no_variables_of_kubernetes_among_our_settings(pod):
    """A service called keyturn would put KEYTURN_PORT into every pod, and stop the start."""
    assert pod["enableServiceLinks"] is False


def test_commands_of_the_pods(pod, installation):
    for container in pod["containers"]:
        is_command(installation, container["args"])


def test_the_writable_places_are_those_of_the_image(pod, dockerfile):
    (mounts,) = [one["volumeMounts"] for one in pod["containers"]]
    assert {one["mountPath"] for one in mounts} == {"/srv/keyturn/instance", "/tmp"}
    assert {one["name"] for one in mounts} == {one["name"] for one in pod["volumes"]}
    (volumes,) = [rest for word, rest in dockerfile if word == "VOLUME"]
    assert "/srv/keyturn/instance" in yaml.safe_load(volumes)


def test_probes_are_pages_that_exist(of_kind, installation):
    (container,) = of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
    paths = {
        probe: container[probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths["livenessProbe"] == paths["startupProbe"] == "/health"
    assert paths["readinessProbe"] == "/health/ready"
    for path in paths.values():
        assert installation.http.get(path).status_code == 200
    assert container["ports"] == [{"name": "http", "containerPort": 8000}]


def test_settings_of_the_pods(of_kind):
    environ = of_kind("ConfigMap")["data"] | of_kind("Secret")["stringData"]
    environ = {
        name: value.replace("at least sixteen ", "a" * 16) for name, value in environ.items()
    }
    settings = settings_of(environ)
    assert settings.issuer.startswith("https://")


def test_selectors_find_the_pods(of_kind):
    deployment = of_kind("Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"].items()
    for selector in (
        deployment["selector"]["matchLabels"],
        of_kind("Service")["spec"]["selector"],
        of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels
    job = of_kind("Job")["spec"]["template"]["metadata"]["labels"]
    assert not of_kind("Service")["spec"]["selector"].items() <= job.items()


def test_one_pod_at_a_time_goes_away(of_kind):
    assert of_kind("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    deployment = of_kind("Deployment")["spec"]
    assert deployment["replicas"] >= 3
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pause = int(
        deployment["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][
            1
        ]
    )
    assert deployment["template"]["spec"]["terminationGracePeriodSeconds"] >= pause + 20


def test_traffic_is_let_in_to_one_port_and_out_to_few(of_kind):
    policy = of_kind("NetworkPolicy")["spec"]
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert [one["port"] for rule in policy["ingress"] for one in rule["ports"]] == ["http"]
    assert {one["port"] for rule in policy["egress"] for one in rule["ports"]} == {53, 5432, 6379}


def test_no_secret_is_committed(manifests):
    """The example's values are no secrets, and the example is not applied."""
    (secret,) = [one for one in manifests if one["kind"] == "Secret"]
    assert "32 bytes" in secret["stringData"]["KEYTURN_MASTER_KEY"]
