"""The runbook's sections by kind of alert: each kind of check brings its own, and those about PoM itself are here."""

from functools import cache

from pom_cli import checks
from pom_cli.checks.steps import Section, Step

OWN: dict[str, Section] = {
    "peer-missing": Section(
        "Peer Missing",
        "Peer ({instances}) unreachable for 3+ consecutive heartbeats (3+ minutes).",
        (
            Step(
                "If a token is refused, or an answer is not authenticated: make POM_API_TOKEN the same in {env_here} "
                "here and in {env} there (OLD on one and NEW,OLD on the other will do), then on both:",
                ("{peer_sudo:whole}systemctl restart pom",),
                having="doubt",
            ),
            Step(
                "If another instance answers there, and it was reinstalled: accept it (if not, find out who answers):",
                ("{pom_here:whole} mesh --accept {peer}",),
                having="doubt",
            ),
            Step("SSH into the peer:", ("ssh {peer_ssh}",)),
            Step("Check PoM service:", ("systemctl status pom",), lacking="refused"),
            Step("Check {vpn} connectivity:", ("{vpn_ping:whole} {peer_host}",), lacking="refused"),
            Step("If PoM is down:", ("{peer_sudo:whole}systemctl restart pom",), lacking="refused"),
            Step(
                "If {vpn} is down:",
                ("{peer_sudo:whole}systemctl restart {vpn_unit}",),
                having="vpn_unit",
                lacking="refused",
            ),
            Step("If {vpn} is down: restart it", lacking="vpn_unit refused"),
        ),
    ),
    "monitoring-offline": Section(
        "Monitoring Offline (All Targets Unreachable)",
        "All monitored targets are down simultaneously.",
        (
            Step("This almost certainly means PoM's own network is down, not all targets"),
            Step("Check the PoM instance's network:", ("ping 1.1.1.1", "{vpn_status:whole}")),
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
            Step("If timers are active: check disk and clock", ("df -h {data_dir}", "timedatectl")),
            Step("Confirm:", ("{pom:whole} doctor",)),
        ),
        plural="kinds",
    ),
    "delivery-failed": Section(
        "Delivery Failed",
        "An alert was permanently refused: bad token, unconfirmed sender or inactive recipient.",
        (
            Step("SSH into {peer_host}:", ("ssh {peer_ssh}",)),
            Step("See what is undelivered, and why:", ("{pom:whole} alerts",)),
            Step("If the token is refused: check the channel's token or password in {env}"),
            Step(
                "If the sender is unconfirmed: confirm it with the mail provider, or change alerts.from in PoM config"
            ),
            Step("If a recipient is inactive: reactivate it with the mail provider, or change alerts.to in PoM config"),
            Step("Send what was held back:", ("{pom:whole} alerts retry",)),
            Step("Confirm with a real message:", ("{pom:whole} alerts test",)),
        ),
        plural="recipients",
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
    "store-failed": Section(
        "Store Failed",
        "PoM's database cannot be written; what the checks find is kept in a spare one meanwhile.",
        (
            Step("See what is wrong:", ("{pom:whole} doctor",)),
            Step("If the disk is full: see what fills it, and free some space:", ("df -h {data_dir}",)),
            Step("PoM can delete old history:", ("{pom:whole} prune",)),
            Step(
                "If the file or its folder is read-only: check the owner and the mode, and how the disk is mounted",
                ("ls -la {data_dir}", "findmnt --target {data_dir}"),
            ),
            Step("If another process holds it: see which", ("fuser -v {data_dir}/pom.db",)),
            Step("If it is damaged: it was set aside beside the new one; see what can be recovered from it"),
            Step("Confirm:", ("{pom:whole} check health",), "What the spare holds is then taken over."),
        ),
    ),
    "clock-wrong": Section(
        "Clock Wrong",
        "This host's clock differs by more than 2 minutes from those of the sites and peers that answer it.",
        (
            Step("Check the clock and its synchronisation:", ("timedatectl",)),
            Step("If it is not synchronised: switch that on", ("timedatectl set-ntp true",)),
            Step("If it stays wrong: check the time service", ("systemctl status systemd-timesyncd chrony ntpsec",)),
            Step("Confirm:", ("{pom:whole} check health",)),
            Step("If the clock is right, the sites' own clocks are wrong: compare them", ("curl -sI {url}",)),
        ),
    ),
}


@cache
def section(alert: str) -> Section | None:
    """The section about this kind of alert; None for a kind that is not known."""
    kind = checks.kind_of(alert)
    return checks.load(kind).RUNBOOK[alert] if kind else OWN.get(alert)


def plural(alert: str) -> str:
    """What several subjects of this alert are called."""
    found = section(alert)
    return found.plural if found else "subjects"
