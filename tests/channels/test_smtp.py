import base64
import socket
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import cast

import pytest
from certificates import authority, issue
from smtp_server import DRIP, DROP, ENDLESS, HANG, SmtpServer

from pom_cli.channels import smtp
from pom_cli.model import Mail, Outcome
from pom_cli.toml.table import Table

PASSWORD = "hunter2-secret"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


STAGES = ["CONNECT", "EHLO", "RSET", "MAIL", "RCPT", "DATA", "DOT"]


def mail(number: int = 1, recipient: str = "") -> Mail:
    return Mail(f"0f8c-{number}", recipient or f"ops{number}@example.com", f"[PoM a] shop {number}", "down\n")


def send(
    server: SmtpServer,
    *given: Mail,
    timeout: float = 10,
    sender: str = "pom@example.com",
    password: str = "",
    **changed: object,
) -> list[Outcome]:
    settings = smtp.Settings(**({"host": "127.0.0.1", "port": server.port} | changed))  # type: ignore[arg-type]
    outcomes = smtp.send(given, settings, sender, password, timeout)
    assert [outcome.mail_id for outcome in outcomes] == [m.id for m in given]
    assert not any(PASSWORD in repr(outcome) for outcome in outcomes)
    return outcomes


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server's certificate that this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority().write_public(tmp_path / "root.pem")))
    return issue(authority()).write(tmp_path / "server.pem")


@pytest.fixture
def unknown(tmp_path: Path) -> Path:
    return issue(authority("nobody knows it")).write(tmp_path / "server.pem")


def test_a_mail_arrives_and_the_servers_reply_is_its_id() -> None:
    with SmtpServer() as server:
        assert send(server, mail()) == [Outcome("0f8c-1", provider_id="250 2.0.0 Ok: queued as 1")]
    [received] = server.received
    assert (received.sender, received.recipients) == ("pom@example.com", ("ops1@example.com",))
    message = cast(EmailMessage, message_from_bytes(received.content, policy=policy.default))
    assert message["Subject"] == "[PoM a] shop 1"
    assert message.get_content() == "down\r\n"


def test_all_mails_go_over_one_connection_each_with_an_answer_of_its_own() -> None:
    with SmtpServer() as server:
        outcomes = send(server, mail(1), mail(2), mail(3))
    assert [o.provider_id for o in outcomes] == [f"250 2.0.0 Ok: queued as {number}" for number in (1, 2, 3)]
    assert server.connections == 1
    assert [m.recipients for m in server.received] == [(f"ops{number}@example.com",) for number in (1, 2, 3)]


def test_a_sender_with_a_name_is_bare_in_the_envelope() -> None:
    with SmtpServer() as server:
        send(server, mail(), sender="PoM at Example <pom@example.com>")
    assert server.received[0].sender == "pom@example.com"
    assert b"From: PoM at Example <pom@example.com>\r\n" in server.received[0].content


def test_lines_that_begin_with_a_dot_arrive_and_end_nothing() -> None:
    text = ".\n..two\n. \nQUIT\n"
    with SmtpServer() as server:
        [outcome] = send(server, Mail("0f8c-1", "ops@example.com", "dots", text))
    assert outcome.provider_id
    assert message_from_bytes(server.received[0].content).get_payload() == ".\r\n..two\r\n.\r\nQUIT\r\n"


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize(("code", "permanent"), [(550, True), (451, False)])
def test_a_refusal_is_for_one_mail_and_permanent_where_it_says_so(stage: str, code: int, permanent: bool) -> None:
    with SmtpServer(answers={stage: [f"{code}-5.1.1 No\n{code} 5.1.1 \x1b[1msuch user"]}) as server:
        first, second = send(server, mail(1), mail(2))
    assert first == Outcome("0f8c-1", error=f"127.0.0.1: {code} 5.1.1 No 5.1.1 [1msuch user", permanent=permanent)
    assert second.provider_id == "250 2.0.0 Ok: queued as 1"
    assert [m.recipients for m in server.received] == [("ops2@example.com",)]
    assert server.connections == 1


def test_a_server_that_closes_with_421_costs_one_mail_its_try_and_no_other() -> None:
    with SmtpServer(answers={"RCPT": ["421 4.7.0 Too many"]}) as server:
        first, second = send(server, mail(1), mail(2))
    assert (first.error, first.permanent) == ("127.0.0.1: 421 4.7.0 Too many", False)
    assert second.provider_id
    assert server.connections == 2


def test_a_mail_that_makes_the_server_hang_up_each_time_does_not_hold_up_the_others() -> None:
    with SmtpServer(answers={"RCPT ops1@example.com": [DROP]}) as server:
        first, second = send(server, mail(1), mail(2))
    assert first == Outcome("0f8c-1", error="127.0.0.1: the connection was lost")
    assert second.provider_id


@pytest.mark.parametrize("stage", STAGES)
def test_only_a_connection_lost_after_the_last_line_leaves_doubt(stage: str) -> None:
    with SmtpServer(answers={stage: [DROP]}) as server:
        [outcome] = send(server, mail())
    assert outcome == Outcome("0f8c-1", error="127.0.0.1: the connection was lost", unsure=stage == "DOT")


@pytest.mark.parametrize(
    ("stage", "how"),
    [(stage, HANG) for stage in STAGES] + [(s, how) for s in ("CONNECT", "EHLO", "DOT") for how in (DRIP, ENDLESS)],
)
def test_a_server_that_hangs_or_drips_or_never_ends_is_left_at_the_deadline(stage: str, how: str) -> None:
    with SmtpServer(answers={stage: [how] * 9}) as server:
        first, second = send(server, mail(1), mail(2), timeout=0.4)
    assert (first.error, first.permanent) == ("127.0.0.1: no answer within 0.4 s", False)
    assert first.unsure == (stage == "DOT")
    assert second == Outcome("0f8c-2", error="127.0.0.1: no answer within 0.4 s")


@pytest.mark.parametrize("stage", ["CONNECT", "MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize("reply", ["hello", "000 zero", "600 and more", "", "9" * 9000])
def test_a_reply_that_makes_no_sense_passes_and_is_never_taken_for_a_no(stage: str, reply: str) -> None:
    with SmtpServer(answers={stage: [reply]}) as server:
        [outcome] = send(server, mail())
    assert outcome.provider_id is None
    assert (outcome.permanent, outcome.unsure) == (False, stage == "DOT")


@pytest.mark.parametrize(("code", "permanent"), [(554, True), (421, False), (454, False)])
@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "STARTTLS", "AUTH"])
def test_a_no_before_the_first_mail_is_for_all_of_them_and_permanent_where_it_says_so(
    stage: str, code: int, permanent: bool, trusted: Path
) -> None:
    no = f"{code} 5.7.1 not you"
    with SmtpServer(certificate=trusted, login=("pom", PASSWORD), answers={stage: [no]}) as server:
        outcomes = send(server, mail(1), mail(2), host="localhost", starttls=True, username="pom", password=PASSWORD)
    says = f"localhost: {'login refused: ' if stage == 'AUTH' else ''}{no}"
    assert {(o.error, o.permanent, o.unsure) for o in outcomes} == {(says, permanent, False)}
    assert (server.received, server.connections) == ([], 1)


def test_an_old_server_that_refuses_helo_as_well_is_a_permanent_fault() -> None:
    with SmtpServer(answers={"EHLO": ["502 5.5.2 What?"], "HELO": ["550 5.7.1 not you"]}) as server:
        assert send(server, mail()) == [Outcome("0f8c-1", error="127.0.0.1: 550 5.7.1 not you", permanent=True)]


def test_a_refused_connection_passes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    [outcome] = smtp.send([mail()], smtp.Settings("127.0.0.1", port), "pom@example.com", "", 5)
    assert outcome == Outcome("0f8c-1", error="127.0.0.1: connection refused")


def test_a_login_is_made_where_a_user_is_named() -> None:
    with SmtpServer(login=("pom", PASSWORD)) as server:
        [outcome] = send(server, mail(), username="pom", password=PASSWORD)
    assert outcome.provider_id
    assert any(command.startswith("AUTH PLAIN") for command in server.commands)


def test_a_wrong_login_is_permanent_for_every_mail() -> None:
    with SmtpServer(login=("pom", "another")) as server:
        outcomes = send(server, mail(1), mail(2), username="pom", password=PASSWORD)
    says = "127.0.0.1: login refused: 535 5.7.8 Authentication credentials invalid"
    assert {(o.error, o.permanent) for o in outcomes} == {(says, True)}
    assert server.connections == 1


@pytest.mark.parametrize("echo", [PASSWORD, PASSWORD.upper(), b64(PASSWORD), b64(f"\0pom\0{PASSWORD}")])
@pytest.mark.parametrize("stage", ["AUTH", "MAIL", "DOT"])
@pytest.mark.parametrize("code", [235, 250, 535])
def test_a_server_that_repeats_the_password_does_not_get_it_shown(stage: str, echo: str, code: int) -> None:
    with SmtpServer(login=("pom", PASSWORD), answers={stage: [f"{code} no user with {echo}"]}) as server:
        [outcome] = send(server, mail(), username="pom", password=PASSWORD)
    if (stage, code) == ("AUTH", 535):
        assert outcome.error and outcome.error.startswith("127.0.0.1: login refused: 535 no user with (hidden)")
    assert echo.rstrip("=") not in repr(outcome)


def test_a_way_to_log_in_that_the_server_offers_and_refuses_is_not_the_last_one_tried() -> None:
    answers = {"AUTH": ["504 5.5.4 not really"]}
    with SmtpServer(login=("pom", PASSWORD), mechanisms="CRAM-MD5 LOGIN PLAIN", answers=answers) as server:
        answers["AUTH"].append("235 2.7.0 Welcome")
        assert send(server, mail(), username="pom", password=PASSWORD)[0].provider_id
    assert [command.split()[1] for command in server.commands if command.startswith("AUTH")] == ["PLAIN", "LOGIN"]


def test_a_refused_login_after_which_the_server_hangs_up_is_permanent() -> None:
    refused = "535 5.7.8 no"
    with SmtpServer(login=("pom", ""), mechanisms="PLAIN LOGIN", answers={"AUTH": [refused, DROP]}) as server:
        [outcome] = send(server, mail(), username="pom", password=PASSWORD)
    assert outcome == Outcome("0f8c-1", error=f"127.0.0.1: login refused: {refused}", permanent=True)


def test_a_challenge_that_cannot_be_read_passes() -> None:
    with SmtpServer(login=("pom", ""), mechanisms="CRAM-MD5", answers={"AUTH": ["334 x"]}) as server:
        [outcome] = send(server, mail(), username="pom", password=PASSWORD)
    assert outcome.error and outcome.error.startswith("127.0.0.1: the login broke off: ")
    assert not outcome.permanent


def test_a_server_that_offers_no_way_to_log_in_that_is_known_is_a_permanent_fault() -> None:
    with SmtpServer(login=("pom", PASSWORD), mechanisms="XOAUTH2") as server:
        assert send(server, mail(), username="pom", password=PASSWORD)[0].permanent


def test_a_password_does_not_cross_a_network_unencrypted() -> None:
    settings = smtp.Settings("mail.example.com", 25, username="pom")
    [outcome] = smtp.send([mail()], settings, "pom@example.com", PASSWORD, 5)
    says = "mail.example.com: a password goes over TLS alone; set smtp.starttls = true"
    assert outcome == Outcome("0f8c-1", error=says, permanent=True)


def test_a_login_that_cannot_be_checked_just_now_passes() -> None:
    with SmtpServer(login=("pom", PASSWORD), answers={"AUTH": ["454 4.7.0 Temporary failure"]}) as server:
        [outcome] = send(server, mail(), username="pom", password=PASSWORD)
    assert not outcome.permanent


def test_a_server_without_login_is_a_permanent_fault_where_one_is_demanded() -> None:
    with SmtpServer() as server:
        [outcome] = send(server, mail(), username="pom", password=PASSWORD)
    assert outcome.permanent
    assert server.received == []


@pytest.mark.parametrize("password", ["", "pässword"])
def test_a_password_that_cannot_be_used_is_a_permanent_fault(password: str) -> None:
    with SmtpServer(login=("pom", PASSWORD)) as server:
        [outcome] = send(server, mail(), username="pom", password=password)
    assert outcome.permanent
    assert outcome.error and outcome.error.startswith("127.0.0.1: POM_SMTP_PASSWORD ")
    assert server.connections == 0


def test_with_starttls_the_mail_and_the_password_go_encrypted(trusted: Path) -> None:
    with SmtpServer(certificate=trusted, login=("pom", PASSWORD)) as server:
        [outcome] = send(server, mail(), host="localhost", starttls=True, username="pom", password=PASSWORD)
    assert outcome.provider_id
    assert server.received[0].encrypted
    assert server.commands.index("STARTTLS") < next(i for i, c in enumerate(server.commands) if c.startswith("AUTH"))


@pytest.mark.parametrize("implicit", [False, True])
def test_a_certificate_that_is_not_trusted_gets_no_mail(
    unknown: Path, implicit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SmtpServer(certificate=unknown, implicit=implicit, login=("pom", PASSWORD)) as server:
        monkeypatch.setattr(smtp, "IMPLICIT_TLS_PORT", server.port if implicit else 465)
        [outcome] = send(server, mail(), host="localhost", starttls=True, username="pom", password=PASSWORD)
    assert outcome.error and outcome.error.startswith("localhost: certificate")
    assert (outcome.permanent, outcome.unsure) == (False, False)
    assert server.received == []
    assert not any(command.startswith("AUTH") for command in server.commands)


def test_a_server_that_takes_starttls_back_gets_no_mail_in_the_clear() -> None:
    with SmtpServer() as server:
        outcomes = send(server, mail(1), mail(2), starttls=True)
    says = "127.0.0.1: STARTTLS is configured, and the server does not offer it"
    assert {(o.error, o.permanent) for o in outcomes} == {(says, True)}
    assert server.received == []


@pytest.mark.parametrize("implicit", [False, True])
def test_an_internal_server_s_own_authority_is_trusted_where_ca_file_names_it(
    tmp_path: Path, implicit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = authority("an internal one")
    ca_file = str(private.write_public(tmp_path / "mail-ca.pem"))
    certificate = issue(private).write(tmp_path / "server.pem")
    with SmtpServer(certificate=certificate, implicit=implicit) as server:
        monkeypatch.setattr(smtp, "IMPLICIT_TLS_PORT", server.port if implicit else 465)
        refused, taken = (
            send(server, mail(), host="localhost", starttls=True, ca_file=file)[0] for file in (None, ca_file)
        )
    assert refused.error and refused.error.startswith("localhost: certificate")
    assert taken.provider_id
    assert [message.encrypted for message in server.received] == [True]


@pytest.mark.parametrize(("text", "says"), [(None, "no such file or directory"), ("", "no certificate or crl found")])
def test_a_ca_file_that_is_gone_or_empty_is_told_and_gets_no_mail(
    tmp_path: Path, trusted: Path, text: str | None, says: str
) -> None:
    ca_file = tmp_path / "mail-ca.pem"
    if text is not None:
        ca_file.write_text(text)
    with SmtpServer(certificate=trusted) as server:
        [outcome] = send(server, mail(), host="localhost", starttls=True, ca_file=str(ca_file))
    assert outcome.error and outcome.error.startswith(f"localhost: ca_file {ca_file} cannot be used: ")
    assert outcome.error.endswith(says)
    assert server.received == []


@pytest.mark.parametrize(
    ("how", "says"), [(DROP, "connection was lost"), ("454 4.7.0 No TLS now", "454"), (HANG, "no")]
)
def test_a_starttls_that_fails_passes(trusted: Path, how: str, says: str) -> None:
    with SmtpServer(certificate=trusted, answers={"STARTTLS": [how]}) as server:
        [outcome] = send(server, mail(), starttls=True, timeout=0.3)
    assert outcome.error and says in outcome.error
    assert not outcome.permanent
    assert server.received == []


def test_what_was_said_before_the_encryption_counts_for_nothing(trusted: Path) -> None:
    injected = "220 Ready\n250-injected\n250 AUTH PLAIN"
    with SmtpServer(certificate=trusted, answers={"STARTTLS": [injected]}) as server:
        [outcome] = send(server, mail(), starttls=True, username="pom", password=PASSWORD)
    assert outcome.provider_id is None
    assert not any(command.startswith("AUTH") for command in server.commands)


def test_on_the_port_for_it_tls_comes_first(trusted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SmtpServer(certificate=trusted, implicit=True) as server:
        monkeypatch.setattr(smtp, "IMPLICIT_TLS_PORT", server.port)
        [outcome] = send(server, mail(), host="localhost")
    assert outcome.provider_id
    assert server.received[0].encrypted


def test_an_address_beyond_ascii_is_delivered_where_the_server_takes_it() -> None:
    with SmtpServer() as server:
        [outcome] = send(server, mail(recipient="jürgen@example.com"))
    assert outcome.provider_id
    assert server.received[0].recipients == ("jürgen@example.com",)
    assert "SMTPUTF8" in server.received[0].options
    assert "To: jürgen@example.com\r\n".encode() in server.received[0].content


def test_a_domain_beyond_ascii_needs_nothing_of_the_server() -> None:
    with SmtpServer(offers=()) as server:
        [outcome] = send(server, mail(recipient="ops@bücher.example"), sender="PoM <pom@faß.example>")
    assert outcome.provider_id
    [received] = server.received
    assert (received.sender, received.recipients) == ("pom@xn--fa-hia.example", ("ops@xn--bcher-kva.example",))
    assert b"To: ops@xn--bcher-kva.example\r\n" in received.content


def test_an_address_beyond_ascii_is_given_up_where_it_does_not_and_the_others_are_not() -> None:
    with SmtpServer(offers=()) as server:
        first, second = send(server, mail(1, "jürgen@example.com"), mail(2))
    assert first.permanent
    assert first.error and first.error.endswith("it does not offer SMTPUTF8")
    assert second.provider_id
    assert server.connections == 1


@pytest.mark.parametrize("recipient", ["a@example.com\r\nRCPT TO:<x@evil.example>", "a@example.com>\nDATA"])
def test_an_address_cannot_say_a_command(recipient: str) -> None:
    with SmtpServer() as server:
        first, second = send(server, mail(1, recipient), mail(2))
    assert first.permanent
    assert first.error and first.error.endswith("is not an address")
    assert second.provider_id
    assert [command for command in server.commands if "evil" in command] == []


def test_an_old_server_that_knows_only_helo_will_do() -> None:
    with SmtpServer(answers={"EHLO": ["502 5.5.2 What?"]}) as server:
        assert send(server, mail())[0].provider_id


def test_the_config_has_a_server_with_defaults_and_an_empty_user() -> None:
    problems: list[str] = []
    assert smtp.parse(Table({}, "alerts.smtp", problems)) == smtp.Settings("localhost", 25, False, "", None)
    table = Table({"host": "[::1]", "port": 587, "starttls": True, "username": ""}, "alerts.smtp", problems)
    assert smtp.parse(table) == smtp.Settings("::1", 587, True, "")
    assert smtp.parse(Table({"host": "faß.example"}, "", problems)).host == "xn--fa-hia.example"
    assert problems == []


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("host", "mail example", "alerts.smtp.host: 'mail example' is not a host name or an IP address"),
        (
            "ca_file",
            "/none.pem",
            "alerts.smtp.ca_file: '/none.pem' is not a file that can be read (No such file or directory)",
        ),
        ("host", "", "alerts.smtp.host: '' is not a host name or an IP address"),
        ("port", 0, "alerts.smtp.port: 0 is not a whole number from 1 to 65535"),
        ("starttls", "yes", "alerts.smtp.starttls: 'yes' is not true or false"),
        ("username", "a\nb", "alerts.smtp.username: 'a\\nb' is not a user name in ASCII, or empty for no login"),
        ("user", "pom", "alerts.smtp.user: unknown key; did you mean 'username'?"),
    ],
)
def test_mistakes_of_the_config_are_told_with_path_and_value(key: str, value: object, problem: str) -> None:
    problems: list[str] = []
    smtp.parse(Table({key: value}, "alerts.smtp", problems))
    assert problems == [problem]


def test_there_is_a_row_for_each_address() -> None:
    assert smtp.recipients(smtp.Settings(), ["a@example.com", "b@example.com"]) == ("a@example.com", "b@example.com")


@pytest.mark.parametrize("answer", [DROP, HANG, DRIP, ENDLESS, "554 go away"])
def test_a_probe_ends_in_time_and_says_what_is_wrong(answer: str) -> None:
    with SmtpServer(answers={"CONNECT": [answer]}) as server:
        settings = smtp.Settings(host="127.0.0.1", port=server.port)
        assert smtp.probe(settings, "", 0.5).startswith("127.0.0.1: ")
        assert smtp.probe(settings, "", 5) == "", "the server is well again"
    assert server.received == []


def test_a_probe_without_the_password_that_is_needed_says_so() -> None:
    settings = smtp.Settings(host="127.0.0.1", port=1, username="pom")
    assert smtp.probe(settings, "", 1) == "127.0.0.1: POM_SMTP_PASSWORD is not set, and there is a username"
