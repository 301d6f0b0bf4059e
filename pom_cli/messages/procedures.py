"""The operators' runbook as a table: a title, symptoms and step templates for each kind of alert.

The words and their order are the runbook's own for the ten alerts that it names. `runbook.py` fills them in.
"""

from dataclasses import replace

from pom_cli.frozen import dataclass
from pom_cli.model import DEGRADED, ERROR, UNREACHABLE, Status


@dataclass(frozen=True)
class Step:
    """One step. `{field}` is a fact; what stands behind a colon in it says which shells will read it: `{field}` the one
    here, `{field:remote}` also the one at the other end of ssh, `{field:'}` and `{field:"}` the same where the remote
    command stands in such quotes, `{field:whole}` none: it is a command line of the config's own."""

    text: str
    commands: tuple[str, ...] = ()
    after: str = ""  # prose that goes on behind the commands
    when: tuple[Status, ...] = ()  # the statuses now that it is for; empty: any
    having: str = ""  # it is for those only who have this fact
    lacking: str = ""  # it is for those only who lack this fact


@dataclass(frozen=True)
class Section:
    """The runbook's section about one kind of alert."""

    title: str
    symptoms: str
    steps: tuple[Step, ...]


# The remote shell splits again: without the outer quotes it would see --since 10.
_LOGS = """ssh {ssh} '{sudo:whole}journalctl -u {unit:'} --since "10 minutes ago"'"""

_PREFLIGHT = "curl -si -X OPTIONS {cors_url} -H {origin_header} -H {method_header}"
_ALLOWED = "and look at the Access-Control-Allow lines"

_RUN_TESTS = (
    Step("SSH into {test_host} and run tests manually:", ("ssh {test_ssh} {test_command}",)),
    Step("Run tests manually:", ("{test_command:whole}",), lacking="test_ssh"),
)

_WRONG_CERTIFICATE = Step("If Caddy is serving wrong cert: verify cert paths in /etc/caddy/Caddyfile")
_CADDY_STATUS = Step("Check Caddy status:", ("ssh {ssh} systemctl status caddy",))
_CADDY_RESTART = Step("If Caddy is down, restart:", ("ssh {ssh} {sudo:whole}systemctl restart caddy",))

SECTIONS: dict[str, Section] = {
    "health": Section(
        "Health Status Change (Operational -> Error/Unreachable)",
        "Email alert with target status change.",
        (
            Step("Verify manually:", ("curl -v {health_url}",)),
            Step("If Unreachable: check network (Tailscale, firewall, DNS resolution)", when=(UNREACHABLE,)),
            Step(
                "If Error (5xx): SSH into the target server, check application logs",
                (_LOGS,),
                when=(ERROR,),
            ),
            Step(
                "If Degraded (2xx but unexpected body): check application state, database connectivity",
                when=(DEGRADED,),
            ),
            # A health alert covers `tls-failed`: where no HTTPS came about at all, its mail is the only one.
            *(replace(step, having="unsecured") for step in (_CADDY_STATUS, _CADDY_RESTART)),
            replace(_WRONG_CERTIFICATE, having="unsecured", when=(ERROR,)),
            Step("Restart the service if needed:", ("ssh {ssh} {sudo:whole}systemctl restart {unit:remote}",)),
        ),
    ),
    "latency-drift": Section(
        "Latency Drift",
        "Sustained response time increase (>2x the 7-day baseline).",
        (
            Step("Check server load:", ("ssh {ssh} top -bn1 | head -5",)),
            Step(
                "Check PostgreSQL:",
                ("""ssh {ssh} "psql -c 'SELECT count(*) FROM pg_stat_activity;' {database:"}\"""",),
            ),
            Step(
                "Check for slow queries:",
                (
                    r'ssh {ssh} "psql -c \"SELECT query, calls, mean_exec_time FROM pg_stat_statements '
                    r'ORDER BY mean_exec_time DESC LIMIT 5;\" {database:"}"',
                ),
            ),
            Step("Check disk I/O:", ("ssh {ssh} iostat -x 1 3",)),
            Step("If database-related: consider VACUUM ANALYZE on affected tables"),
        ),
    ),
    "tls-expiry": Section(
        "TLS Certificate Expiry",
        "Alert when certificate expires within 14 days.",
        (
            Step("Verify:", ("openssl s_client -connect {connect} 2>/dev/null | openssl x509 -noout -dates",)),
            Step(
                "Cloudflare Origin CA certs (15-year): no renewal needed. If alert fires, check Caddy config.",
            ),
            _WRONG_CERTIFICATE,
            Step("For custom domains (on-demand TLS): Caddy auto-renews via ACME. Check Caddy logs."),
        ),
    ),
    "tls-failed": Section(
        "TLS Check Failed",
        "Handshake timeout, certificate parse failure, or connection refused.",
        (
            Step("Verify:", ("openssl s_client -connect {connect} -servername {name}",)),
            _CADDY_STATUS,
            Step("Check if port {port} is open:", ("ssh {ssh} ss -tlnp | grep {port}",)),
            _CADDY_RESTART,
        ),
    ),
    "route": Section(
        "Route Failure",
        "Specific paths (e.g., /login, /docs) returning non-2xx.",
        (
            Step("Verify:", ("curl -sI {route}",)),
            Step("If 502/503: application is down or Caddy can't reach it"),
            Step("If 404: route may have been removed in a deploy -- check recent deploys"),
            Step("If 500: application error -- check logs with", (_LOGS,), having="ssh"),
            Step("If 500: application error -- check logs with", ("journalctl -u {unit}",), lacking="ssh"),
        ),
    ),
    "dns": Section(
        "DNS Mismatch",
        "DNS records don't match expected values.",
        (
            Step("Verify:", ("dig {a_record} +short", "dig {record} {type} +short"), "and compare with expected"),
            Step("Check Cloudflare DNS dashboard for unexpected changes"),
            Step("If propagation issue: wait 5-10 minutes and recheck", ("{pom:whole} check dns {target}",)),
            Step("If intentional change: update PoM config to match new expected values"),
        ),
    ),
    "whois-expiry": Section(
        "WHOIS Domain Expiry",
        "Domain registration expires within 30 days.",
        (
            Step("Verify:", ("whois {domain} | grep -i expir",)),
            Step("Renew domain with registrar ({registrar} for {domain})"),
            Step("Renew domain with registrar", lacking="registrar"),
            Step("Confirm renewal: re-run WHOIS check", ("{pom:whole} check whois {target}",)),
        ),
    ),
    "whois-unknown": Section(
        "WHOIS Expiry Unknown",
        "No expiry date could be read for 7 days; the last known one still counts down.",
        (
            Step("Verify:", ("whois {domain} | grep -i expir",)),
            Step("If the registry limits or refuses queries: wait an hour and recheck"),
            Step("If it publishes no date: look it up at the registrar and declare it as expires_on in PoM config"),
            Step("If lookups fail on this host only: check network (firewall, port 43, DNS resolution)"),
            Step("Confirm: re-run WHOIS check", ("{pom:whole} check whois {target}",)),
        ),
    ),
    "cors": Section(
        "CORS Refused",
        "A configured origin is not allowed, or one that must be refused is.",
        (
            Step("Verify:", (f"{_PREFLIGHT} -H {{headers_header}}",), _ALLOWED, having="headers_header"),
            Step("Verify:", (_PREFLIGHT,), _ALLOWED, lacking="headers_header"),
            Step("If there are none: check CORS settings of the application and of /etc/caddy/Caddyfile"),
            Step("If 404/405: OPTIONS is not routed -- check recent deploys"),
            Step("If an origin is allowed that must not be: look for a wildcard or an origin echoed unchecked"),
            Step("If intentional change: update PoM config to match"),
            Step("Confirm: re-run CORS check", ("{pom:whole} check cors {target}",)),
        ),
    ),
    "test-failed": Section(
        "Test Run Failed",
        "The newest test run has failing tests, or did not end within its time.",
        (
            *_RUN_TESTS,
            Step("If tests fail: investigate failures, check recent deploys, fix, re-run"),
            Step("If tests pass: suspect a flaky test or a shared resource (database, port, disk)"),
            Step("If it timed out: find the test that hangs, or raise its timeout in PoM config"),
            Step(
                "Store a new run, which ends this alert when it passes:",
                ("{pom:whole} test {target}",),
                lacking="tests_elsewhere",
            ),
            Step("Record a new run (pom test record), which ends this alert when it passes", having="tests_elsewhere"),
        ),
    ),
    "test-stale": Section(
        "Test Run Stale",
        "No test run recorded in 7+ days.",
        (
            *_RUN_TESTS,
            Step("If tests fail: investigate failures, fix, re-run"),
            Step("If SSH test execution fails: check SSH key, connectivity, permissions"),
            Step("Store a new run, which ends this alert:", ("{pom:whole} test {target}",), lacking="tests_elsewhere"),
            Step("Record a new run (pom test record), which ends this alert", having="tests_elsewhere"),
        ),
    ),
    "peer-missing": Section(
        "Peer Missing",
        "Peer (astra or hetzner) unreachable for 3+ consecutive heartbeats (3+ minutes).",
        (
            Step("SSH into the peer:", ("ssh {peer_ssh}",)),
            Step("Check PoM service:", ("systemctl status pom",)),
            Step("Check Tailscale connectivity:", ("tailscale ping {peer_host}",)),
            Step("If PoM is down:", ("{peer_sudo:whole}systemctl restart pom",)),
            Step("If Tailscale is down:", ("{peer_sudo:whole}systemctl restart tailscaled",)),
        ),
    ),
    "monitoring-offline": Section(
        "Monitoring Offline (All Targets Unreachable)",
        "All monitored targets are down simultaneously.",
        (
            Step("This almost certainly means PoM's own network is down, not all targets"),
            Step("Check the PoM instance's network:", ("ping 1.1.1.1", "tailscale status")),
            Step("Check DNS resolution:", ("dig {host}",)),
            Step("If network is fine, check if all targets actually are down (unlikely but possible)"),
        ),
    ),
    "checks-overdue": Section(
        "Checks Overdue",
        "A kind of check has not run for twice its interval plus a minute.",
        (
            Step("SSH into {peer_host}:", ("ssh {peer_ssh}",)),
            Step("Check PoM's timers:", ("systemctl list-timers --all 'pom*'",)),
            Step("Check for failed runs:", ("systemctl list-units --failed 'pom*'",)),
            Step("Check their logs:", ("""journalctl -u 'pom*' --since "1 hour ago\"""",)),
            Step("If timers are inactive:", ("{peer_sudo:whole}systemctl restart pom",)),
            Step("If timers are active: check disk and clock", ("df -h /var/lib/pom", "timedatectl")),
            Step("Confirm:", ("{pom:whole} doctor",)),
        ),
    ),
    "delivery-failed": Section(
        "Delivery Failed",
        "An alert was refused for good: bad token, unconfirmed sender or inactive recipient.",
        (
            Step("SSH into {peer_host}:", ("ssh {peer_ssh}",)),
            Step("See what is undelivered, and why:", ("{pom:whole} alerts",)),
            Step("If the token is refused: check the channel's token or password in /etc/pom/env"),
            Step(
                "If the sender is unconfirmed: confirm it with the mail provider, or change alerts.from in PoM config"
            ),
            Step("If a recipient is inactive: reactivate it with the mail provider, or change alerts.to in PoM config"),
            Step("Send what was held back:", ("{pom:whole} alerts retry",)),
            Step("Confirm with a real message:", ("{pom:whole} alerts test",)),
        ),
    ),
    "config-broken": Section(
        "Config Broken",
        "A timer's run met a config that does not load; the last good copy is in use.",
        (
            Step("See every mistake at once:", ("{pom:whole} config check",)),
            Step("Correct them in {config}, or put its last version back"),
            Step("Correct them in PoM config, or put its last version back", lacking="config"),
            Step("If {config} cannot be read: check that it exists and its owner and mode", ("ls -l {config}",)),
            Step("Confirm:", ("{pom:whole} config check",), "The next timer's run then uses it."),
        ),
    ),
}
