"""The runbook's steps: in its own words for its own example, and never with a hole or a broken command."""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.config.runbook import Tools
from pom_cli.messages import runbook, tools
from pom_cli.model import Status

FACTS: dict[str, Any] = {
    "target": "makenotwork",
    "url": "https://makenot.work",
    "health_url": "https://makenot.work/api/health",
    "host": "makenot.work",
    "port": 443,
    "ssh": "root@100.120.174.96",
    "unit": "makenotwork",
    "database": "makenotwork",
    "domain": "makenot.work",
    "subjects": {"routes": ["/login"], "dns": ["makenot.work A"]},
    "peer_ssh": "max@100.106.221.39",
    "peer_host": "100.106.221.39",
    "test_ssh": "max@100.106.221.39",
    "test_host": "astra",
    "test_command": "/home/max/staging/run-tests.sh",
    "config": "/etc/pom/pom.toml",
    "origin": "https://app.example.com",
    "cors_url": "https://makenot.work/api/health",
    **tools.facts(Tools()),
}

# Line for line what the operators' runbook says, with its backticks. `NOTE` marks where ours differs, and why.
PAGE = {
    "health": [
        "Verify manually: `curl -v https://makenot.work/api/health`",
        "If Unreachable: check network (Tailscale, firewall, DNS resolution)",
        "If Error (5xx): SSH into the target server, check application logs "
        # NOTE the page has no quotes around the remote command; without them --since gets only the word 10
        """`ssh root@100.120.174.96 'journalctl -u makenotwork --since "10 minutes ago"'`""",
        "If Degraded (2xx but unexpected body): check application state, database connectivity",
        "Restart the service if needed: `ssh root@100.120.174.96 systemctl restart makenotwork`",
    ],
    "tls-expiry": [
        "Verify: `openssl s_client -connect makenot.work:443 2>/dev/null | openssl x509 -noout -dates`",
        "Cloudflare Origin CA certs (15-year): no renewal needed. If alert fires, check Caddy config.",
        "If Caddy is serving wrong cert: verify cert paths in `/etc/caddy/Caddyfile`",
        "For custom domains (on-demand TLS): Caddy auto-renews via ACME. Check Caddy logs.",
    ],
    "tls-failed": [
        "Verify: `openssl s_client -connect makenot.work:443 -servername makenot.work`",
        "Check Caddy status: `ssh root@100.120.174.96 systemctl status caddy`",
        "Check if port 443 is open: `ssh root@100.120.174.96 ss -tlnp | grep 443`",
        "If Caddy is down, restart: `ssh root@100.120.174.96 systemctl restart caddy`",
    ],
    "peer-missing": [
        "SSH into the peer: `ssh max@100.106.221.39`",  # NOTE the page lists both peers; ours names the missing one
        "Check PoM service: `systemctl status pom`",
        "Check Tailscale connectivity: `tailscale ping 100.106.221.39`",  # NOTE <peer-ip> on the page
        # NOTE sudo, as the page itself writes for max elsewhere
        "If PoM is down: `sudo systemctl restart pom`",
        "If Tailscale is down: `sudo systemctl restart tailscaled`",  # NOTE tailscored on the page is a slip
    ],
    "latency-drift": [
        "Check server load: `ssh root@100.120.174.96 top -bn1 | head -5`",
        "Check PostgreSQL: "
        """`ssh root@100.120.174.96 "psql -c 'SELECT count(*) FROM pg_stat_activity;' makenotwork"`""",
        r'Check for slow queries: `ssh root@100.120.174.96 "psql -c \"SELECT query, calls, mean_exec_time '
        r'FROM pg_stat_statements ORDER BY mean_exec_time DESC LIMIT 5;\" makenotwork"`',
        "Check disk I/O: `ssh root@100.120.174.96 iostat -x 1 3`",
        "If database-related: consider `VACUUM ANALYZE` on affected tables",
    ],
    "route": [
        "Verify: `curl -sI https://makenot.work/login`",
        "If 502/503: application is down or Caddy can't reach it",
        "If 404: route may have been removed in a deploy -- check recent deploys",
        # NOTE over ssh, to be pasted as it is, and the last minutes alone
        "If 500: application error -- check logs with "
        """`ssh root@100.120.174.96 'journalctl -u makenotwork --since "10 minutes ago"'`""",
    ],
    "dns": [
        "Verify: `dig makenot.work +short` and compare with expected",
        "Check Cloudflare DNS dashboard for unexpected changes",
        # NOTE the command is ours: how to recheck
        "If propagation issue: wait 5-10 minutes and recheck `pom check dns makenotwork`",
        "If intentional change: update PoM config to match new expected values",
    ],
    "whois-expiry": [
        "Verify: `whois makenot.work | grep -i expir`",
        "Renew domain with registrar (Cloudflare Registrar for makenot.work)",
        # NOTE the command is ours: how to re-run
        "Confirm renewal: re-run WHOIS check `pom check whois makenotwork`",
    ],
    "monitoring-offline": [
        "This almost certainly means PoM's own network is down, not all targets",
        "Check the PoM instance's network: `ping 1.1.1.1` `tailscale status`",
        "Check DNS resolution: `dig makenot.work`",
        "If network is fine, check if all targets actually are down (unlikely but possible)",
    ],
    "test-stale": [
        "SSH into astra and run tests manually: "
        # NOTE one line to paste: the page leaves the ssh in front to the reader
        "`ssh max@100.106.221.39 /home/max/staging/run-tests.sh`",
        "If tests fail: investigate failures, fix, re-run",
        "If SSH test execution fails: check SSH key, connectivity, permissions",
        # NOTE this step is ours: a run by hand is not recorded
        "Store a new run, which ends this alert: `pom test makenotwork`",
    ],
}


def commands(alert: str, **facts: Any) -> list[str]:
    lines = "\n".join(runbook.steps(alert, {**FACTS, **facts})).split("\n")
    return [line.removeprefix("    ") for line in lines if line.startswith("    ")]


def test_the_kinds_of_alert_stand_in_the_products_order() -> None:
    assert (
        *("health", "latency-drift", "tls-expiry", "tls-failed", "route", "dns", "whois-expiry", "whois-unknown"),
        *("cors", "port", "test-failed", "test-stale", "peer-missing", "monitoring-offline", "checks-overdue"),
        *("delivery-failed", "store-failed", "config-broken", "clock-wrong"),
    ) == runbook.ALERTS


@pytest.mark.parametrize("alert", PAGE)
def test_the_page_comes_out_word_for_word_for_its_own_example(alert: str) -> None:
    ours = [" ".join(step.split()) for step in runbook.steps(alert, FACTS)]
    assert ours == [line.replace("`", "") for line in PAGE[alert]]


@pytest.mark.parametrize("alert", PAGE)
def test_each_command_stands_on_a_line_of_its_own_to_be_copied(alert: str) -> None:
    quoted = [span for line in PAGE[alert] for span in line.split("`")[1::2]]
    assert commands(alert) == [span for span in quoted if span not in ("VACUUM ANALYZE", "/etc/caddy/Caddyfile")]


def test_who_is_not_root_on_the_host_gets_sudo_where_root_is_needed() -> None:
    assert "ssh deploy@192.0.2.7 sudo systemctl restart makenotwork" in commands("health", ssh="deploy@192.0.2.7")
    logs = """ssh deploy@192.0.2.7 'sudo journalctl -u makenotwork --since "10 minutes ago"'"""
    assert logs in commands("health", ssh="deploy@192.0.2.7") and logs in commands("route", ssh="deploy@192.0.2.7")
    assert "systemctl restart pom" in commands("peer-missing", peer_ssh="root@192.0.2.7")
    assert "systemctl restart pom" in commands("peer-missing", peer_ssh="astra")  # ~/.ssh/config names the user


def test_without_ssh_the_logs_are_those_of_this_machine() -> None:
    assert "journalctl -u makenotwork" in commands("route", ssh="")


def test_health_goes_on_with_the_web_server_where_no_https_connection_was_made() -> None:
    usual, unsecured = commands("health"), commands("health", unsecured="yes", status=Status.UNREACHABLE)
    assert not [command for command in usual if "caddy" in command]
    assert unsecured[-3:] == [
        "ssh root@100.120.174.96 systemctl status caddy",
        "ssh root@100.120.174.96 systemctl restart caddy",
        "ssh root@100.120.174.96 systemctl restart makenotwork",
    ]


SEEN = {"certificate": "wrong host", "certificate_names": "other.example.com", "status": Status.ERROR}


@pytest.mark.parametrize("alert", ["health", "tls-failed"])
def test_a_certificates_fault_gets_the_certificates_steps_and_no_restart(alert: str) -> None:
    steps = runbook.steps(alert, {**FACTS, "unsecured": "yes", **SEEN})
    assert steps[1:] == (
        "See which certificate is served:\n"
        "    echo | openssl s_client -connect makenot.work:443 -servername makenot.work 2>/dev/null"
        " | openssl x509 -noout -subject -issuer -dates -ext subjectAltName",
        "It is issued for other.example.com; it should be for makenot.work",
        "If Caddy is serving wrong cert: verify cert paths in /etc/caddy/Caddyfile",
        "For custom domains (on-demand TLS): Caddy auto-renews via ACME. Check Caddy logs.",
    )


def test_a_chain_that_is_not_trusted_is_a_matter_of_intermediates() -> None:
    steps = runbook.steps("tls-failed", {**FACTS, "certificate": "unknown authority", "untrusted": "yes"})
    assert [step for step in steps if "intermediates" in step]
    assert not [step for step in steps if "issued for" in step]


def with_tools(alert: str, **named: str) -> str:
    own = {key: value for key, value in FACTS.items() if key not in tools.facts(Tools())}
    return "\n".join(runbook.steps(alert, {**own, "unsecured": "yes", **tools.facts(Tools()._replace(**named))}))


@pytest.mark.parametrize("alert", runbook.ALERTS)
def test_a_tool_that_is_not_used_is_not_named(alert: str) -> None:
    text = with_tools(alert, web_server="", vpn="", dns="", registrar="")
    assert not any(word in text.lower() for word in ("caddy", "tailscale", "cloudflare")), text


def test_another_web_server_has_its_own_unit_and_files() -> None:
    assert "ssh root@100.120.174.96 systemctl restart nginx" in with_tools("tls-failed", web_server="nginx")
    text = with_tools("tls-expiry", web_server="nginx")
    assert "If nginx is serving wrong cert: verify cert paths in /etc/nginx/nginx.conf" in text
    assert "If an ACME client renews it" in text and "on-demand" not in text
    assert "If lighttpd is serving wrong cert: verify its cert paths" in with_tools("tls-expiry", web_server="lighttpd")


def test_another_vpn_is_tried_with_its_own_commands() -> None:
    assert "ping -c 3 100.106.221.39" in with_tools("peer-missing", vpn="wireguard")
    assert "If WireGuard is down: restart it" in with_tools("peer-missing", vpn="wireguard")
    assert "wg show" in with_tools("monitoring-offline", vpn="wireguard")
    assert "Check zerotier connectivity" in with_tools("peer-missing", vpn="zerotier")
    assert "check network (firewall, DNS resolution)" in with_tools("health", vpn="")


def test_another_dns_provider_has_no_origin_certificates() -> None:
    assert "Check Hetzner DNS dashboard for unexpected changes" in with_tools("dns", dns="Hetzner")
    assert "Origin CA" not in with_tools("tls-expiry", dns="Hetzner")


def test_a_peer_whose_answer_is_not_accepted_has_the_tokens_steps_first() -> None:
    seen = {**FACTS, "peer": "astra", "doubt": "token", "env_here": "/srv/env", "pom_here": "pom"}
    steps = runbook.steps("peer-missing", seen)
    assert "make POM_API_TOKEN the same in /srv/env here and in /etc/pom/env there" in steps[0]
    assert steps[1].endswith("pom mesh --accept astra")
    assert steps[2:] == runbook.steps("peer-missing", FACTS)


def test_paths_are_those_of_this_installation() -> None:
    own = {"env": "/srv/pom/env", "data_dir": "/srv/pom/data"}
    assert any("password in /srv/pom/env" in step for step in runbook.steps("delivery-failed", own))
    assert any("df -h /srv/pom/data" in step for step in runbook.steps("checks-overdue", own))
    assert any("password in /etc/pom/env" in step for step in runbook.steps("delivery-failed", {}))


@pytest.mark.parametrize(
    ("pom", "line"),
    [
        ("pom", "ssh hetzner pom ack shop"),
        ("pom --config /srv/pom.toml", "ssh hetzner pom --config /srv/pom.toml ack shop"),
        ("pom --config '/srv/my pom.toml'", """ssh hetzner 'pom --config '"'"'/srv/my pom.toml'"'"' ack shop'"""),
    ],
)
def test_the_line_that_acknowledges_can_be_pasted(pom: str, line: str) -> None:
    assert runbook.acknowledge("shop", {"instance": "hetzner", "pom_here": pom}) == line
    assert shlex.split(" ".join(shlex.split(line)[2:]))[-2:] == ["ack", "shop"]
    assert runbook.acknowledge("", {"instance": "hetzner"}) == "", "what is about this monitor itself has no target"


def test_titles_and_symptoms_are_the_pages() -> None:
    assert runbook.title("health") == "Health Status Change (Operational -> Error/Unreachable)"
    assert runbook.title("monitoring-offline") == "Monitoring Offline (All Targets Unreachable)"
    peers = "Peer (astra or hetzner) unreachable for 3+ consecutive heartbeats (3+ minutes)."
    assert runbook.symptoms("peer-missing", {"instances": "astra or hetzner"}) == peers
    assert runbook.symptoms("peer-missing") == peers.replace(" (astra or hetzner)", "")
    assert runbook.symptoms("latency-drift") == "Sustained response time increase (>2x the 7-day baseline)."


def test_an_alert_that_the_runbook_does_not_know_has_no_steps() -> None:
    assert runbook.steps("weather", FACTS) == ()
    assert (runbook.title("weather"), runbook.symptoms("weather")) == ("weather", "")


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        ("unreachable", ["If Unreachable"]),
        ("error", ["If Error"]),
        (Status.DEGRADED, ["If Degraded"]),
        ("operational", ["If Unreachable", "If Error", "If Degraded"]),
        (None, ["If Unreachable", "If Error", "If Degraded"]),
    ],
)
def test_of_the_steps_that_hang_on_the_status_only_those_for_the_status_now_are_kept(status: Any, kept: list) -> None:
    steps = runbook.steps("health", {**FACTS, "status": status})
    assert [step.split(" (")[0].split(":")[0] for step in steps if step.startswith("If ")] == kept
    assert steps[0].startswith("Verify manually") and steps[-1].startswith("Restart the service if needed")


@pytest.mark.parametrize("alert", runbook.ALERTS)
@pytest.mark.parametrize("absent", [*FACTS, "everything"])
def test_an_absent_fact_leaves_no_hole(alert: str, absent: str) -> None:
    facts = {key: value for key, value in FACTS.items() if absent not in (key, "everything")}
    blank = {key: None for key in FACTS if key not in facts}
    for given_facts in (facts, facts | blank, facts | dict.fromkeys(blank, "")):
        steps = runbook.steps(alert, given_facts)
        page = "\n".join(steps)
        assert steps
        assert not any(hole in page for hole in ("<", "None", "{", "}", "  \n", "''", ":\n\n"))
        assert not any(step.rstrip().endswith((":", " with")) for step in steps)


def test_prose_stays_where_its_command_cannot_be_filled_in() -> None:
    assert "Check server load" in runbook.steps("latency-drift", {})
    assert "If 500: application error -- check logs" in runbook.steps("route", {})
    assert "Verify and compare with expected" in runbook.steps("dns", {})
    assert not [step for step in runbook.steps("tls-failed", {}) if step.startswith("Verify")]


def test_every_failing_path_record_and_host_gets_its_command_up_to_five() -> None:
    assert commands("route", subjects={"routes": ["/a", "/b?x=1"]})[:2] == [
        "curl -sI https://makenot.work/a",
        "curl -sI 'https://makenot.work/b?x=1'",
    ]
    records = ["makenot.work A", "makenot.work MX", "_sip._tcp.makenot.work SRV"]
    assert commands("dns", subjects={"dns": records})[:3] == [
        "dig makenot.work +short",
        "dig makenot.work MX +short",
        "dig _sip._tcp.makenot.work SRV +short",
    ]
    assert commands("tls-failed", subjects={"tls": ["shop.example:8443", "[2001:db8::1]:443"]})[:2] == [
        "openssl s_client -connect shop.example:8443 -servername shop.example",
        "openssl s_client -connect '[2001:db8::1]:443' -servername 2001:db8::1",
    ]
    assert (
        len([line for line in commands("route", subjects={"routes": [f"/{n}" for n in range(40)]}) if "curl" in line])
        == 5
    )


def test_the_port_is_that_of_the_host_that_fails() -> None:
    steps = runbook.steps("tls-failed", {**FACTS, "subjects": {"tls": ["shop.example:8443"]}})
    assert "Check if port 8443 is open:\n    ssh root@100.120.174.96 ss -tlnp | grep 8443" in steps


def test_paths_belong_to_the_root_of_the_site() -> None:
    assert (
        commands("route", url="https://makenot.work/app/", subjects={"routes": ["/x"]})[0]
        == "curl -sI https://makenot.work/x"
    )


def test_without_paths_or_a_health_url_the_sites_own_url_is_asked() -> None:
    assert commands("route", subjects={})[0] == "curl -sI https://makenot.work"
    assert commands("health", health_url=None)[0] == "curl -v https://makenot.work"


def test_tests_that_run_here_need_no_ssh() -> None:
    steps = runbook.steps("test-failed", {"test_command": "cd /srv/app && make test"})
    assert steps[0] == "Run tests manually:\n    cd /srv/app && make test"
    there = runbook.steps("test-failed", {"test_command": "cd /srv/app && make test", "test_ssh": "ci@192.0.2.7"})
    assert there[0] == "SSH into 192.0.2.7 and run tests manually:\n    ssh ci@192.0.2.7 'cd /srv/app && make test'"


@pytest.mark.parametrize("alert", ["test-failed", "test-stale"])
def test_tests_that_pom_has_no_command_for_are_recorded(alert: str) -> None:
    steps = runbook.steps(alert, {"target": "shop", "tests_elsewhere": "yes"})
    assert "pom test shop" not in "\n".join(steps)
    assert steps[-1].startswith("Record a new run (pom test record), which ends this alert")


def test_a_config_elsewhere_is_named_in_poms_own_commands() -> None:
    assert commands("config-broken", config="/srv/pom.toml")[0] == "pom --config /srv/pom.toml config check"
    assert commands("config-broken")[0] == "pom config check"


def test_the_registrar_that_was_seen_is_named_and_none_is_invented() -> None:
    assert "Renew domain with registrar (Gandi SAS for example.com)" in runbook.steps(
        "whois-expiry", {"domain": "example.com", "registrar": "Gandi SAS"}
    )
    assert "Renew domain with registrar" in runbook.steps("whois-expiry", {"domain": "example.com"})


def test_an_overdue_peer_is_visited_and_ones_own_timers_are_looked_at_here() -> None:
    assert runbook.steps("checks-overdue", FACTS)[0] == "SSH into 100.106.221.39:\n    ssh max@100.106.221.39"
    assert runbook.steps("checks-overdue", {})[0].startswith("Check PoM's timers:")


def test_a_peer_is_visited_for_its_mail_and_its_timers_and_gets_sudo_where_root_is_needed() -> None:
    assert "sudo systemctl restart pom" in commands("checks-overdue")
    mail = commands("delivery-failed")
    assert mail == ["ssh max@100.106.221.39", "pom alerts", "pom alerts retry", "pom alerts test"]
    assert runbook.steps("delivery-failed", {})[0] == "See what is undelivered, and why:\n    pom alerts"


def test_a_preflight_asks_for_the_headers_that_the_config_names() -> None:
    asked = "-H 'Access-Control-Request-Headers: authorization,x-trace'"
    assert commands("cors", headers="authorization,x-trace")[0].endswith(asked)
    assert "Request-Headers" not in commands("cors")[0]


@pytest.mark.parametrize("value", ["-oProxyCommand=x", "@192.0.2.1", "+trace", "a\nb", "\x1b[2J", "x" * 501, "a  b"])
def test_what_a_program_would_take_for_an_option_or_a_terminal_for_a_command_is_left_out(value: str) -> None:
    assert not [line for line in commands("health", ssh=value) if line.startswith("ssh")]
    assert value not in "\n".join(runbook.steps("dns", {"subjects": {"dns": [value]}}))


def test_steps_are_numbered_and_only_endless_prose_is_wrapped() -> None:
    lines = runbook.numbered((*runbook.steps("latency-drift", FACTS), "word " * 100)).split("\n")
    assert lines[:2] == ["1. Check server load:", "    ssh root@100.120.174.96 top -bn1 | head -5"]
    assert all(len(line) <= runbook.WIDTH for line in lines if not line.startswith("    "))
    assert lines[-1].startswith("   word") and any(len(line) > 150 for line in lines)


def test_prose_behind_a_command_goes_on_under_the_same_number() -> None:
    assert runbook.numbered(runbook.steps("dns", FACTS)).startswith(
        "1. Verify:\n    dig makenot.work +short\n   and compare with expected\n2. "
    )


odd = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@given(odd)
def test_through_ssh_every_value_reaches_its_program_as_one_word(value: str) -> None:
    """ssh joins its arguments with spaces; the shell at the other end splits the line again."""
    for alert in ("health", "latency-drift"):
        for command in commands(alert, unit=value, database=value):
            if value[0] not in "-+@" and command.startswith("ssh ") and ("psql" in command or "ctl" in command):
                remote = " ".join(shlex.split(command)[2:])
                assert value in shlex.split(remote)


@given(odd)
def test_a_value_in_a_local_command_is_one_word(value: str) -> None:
    path = "/" + value
    assert shlex.split(commands("route", subjects={"routes": [path]})[0])[2] == "https://makenot.work" + path


def test_real_shells_hand_over_what_is_meant(tmp_path: Path) -> None:
    """With an `ssh` that does what ssh does, and programs that show their arguments."""
    (tmp_path / "ssh").write_text('#!/bin/sh\nshift\nexec sh -c "$*"\n')
    for program in ("journalctl", "psql"):
        (tmp_path / program).write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    for program in tmp_path.iterdir():
        program.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def run(command: str) -> str:
        return subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, check=True).stdout

    name = """a'b"c$(id) d"""
    for word in ("makenotwork", name):
        logs, *_ = (line for line in commands("health", unit=word) if "journalctl" in line)
        assert run(logs) == f"-u|{word}|--since|10 minutes ago|"
        activity, slow = (line for line in commands("latency-drift", database=word) if "psql" in line)
        assert run(activity) == f"-c|SELECT count(*) FROM pg_stat_activity;|{word}|"
        assert run(slow).endswith(f"mean_exec_time DESC LIMIT 5;|{word}|")
