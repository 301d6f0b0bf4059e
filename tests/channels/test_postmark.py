import socket
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import responses
from certificates import authority, issue
from hypothesis import given, settings
from hypothesis import strategies as st
from postmark_server import (
    ACCEPT,
    ACCEPT_THEN_DRIP,
    ACCEPT_THEN_DROP,
    ACCEPT_THEN_GARBAGE,
    ACCEPT_THEN_HANG,
    BAD_TOKEN,
    DROP,
    GARBAGE,
    HANG,
    SERVER_ERROR,
    PostmarkServer,
    Step,
    answer,
    error,
    rate_limit,
)
from web_server import WebServer, json

from pom_cli.channels import postmark
from pom_cli.model import Mail, Outcome
from pom_cli.toml.table import Table

TOKEN = "b7e1f0a2-secret-token"


def mail(number: int = 1, recipient: str = "ops@example.com", unsure: bool = False) -> Mail:
    return Mail(f"0f8c-{number}", recipient, f"[PoM a] shop {number}", "what was seen →\n  indented\n", unsure=unsure)


def mails(count: int) -> list[Mail]:
    return [mail(number, f"ops{number}@example.com") for number in range(1, count + 1)]


def send(server: PostmarkServer, *given_mails: Mail, timeout: float = 10, token: str = TOKEN) -> list[Outcome]:
    to = postmark.Settings(url=server.url)
    outcomes = postmark.send(given_mails, to, "pom@example.com", token, timeout)
    assert [outcome.mail_id for outcome in outcomes] == [m.id for m in given_mails]
    assert not any(TOKEN in repr(outcome) for outcome in outcomes)
    return outcomes


@pytest.fixture
def server():
    with PostmarkServer(token=TOKEN) as stand_in:
        yield stand_in


def test_every_mail_of_a_batch_arrives_and_has_postmarks_id(server: PostmarkServer) -> None:
    outcomes = send(server, *mails(3))
    assert [o.provider_id for o in outcomes] == [m["MessageID"] for m in server.accepted]
    assert [o.error for o in outcomes] == [None] * 3
    assert len(server.posts()) == 1


def test_a_mail_arrives_as_it_was_written_with_its_id_and_without_tracking(server: PostmarkServer) -> None:
    send(server, mail(7))
    message = server.accepted[0]
    assert {name: value for name, value in message.items() if name != "MessageID"} == {
        "From": "pom@example.com",
        "To": "ops@example.com",
        "Subject": "[PoM a] shop 7",
        "TextBody": "what was seen →\n  indented\n",
        "MessageStream": "outbound",
        "TrackOpens": False,
        "TrackLinks": "None",
        "Metadata": {"pom-id": "0f8c-7"},
    }


def test_a_mail_refers_to_its_incident(server: PostmarkServer) -> None:
    send(server, replace(mail(), thread="7-1732430415000"))
    first = "<incident-7-1732430415000@pom.invalid>"
    assert server.accepted[0]["Headers"] == [
        {"Name": "References", "Value": first},
        {"Name": "In-Reply-To", "Value": first},
    ]


def test_an_inactive_recipient_is_given_up_and_the_others_are_not(server: PostmarkServer) -> None:
    server.inactive = {"ops2@example.com"}
    first, second, third = send(server, *mails(3))
    assert first.provider_id and third.provider_id
    assert second.permanent and not second.unsure
    assert second.error and second.error.startswith("Postmark error 406: You tried to send to recipient(s)")


def test_more_mails_than_a_batch_takes_go_in_several(server: PostmarkServer) -> None:
    outcomes = send(server, *mails(501))
    assert [len(call.messages) for call in server.posts()] == [500, 1]
    assert len({o.provider_id for o in outcomes}) == 501


@pytest.mark.parametrize("step", [ACCEPT_THEN_HANG, ACCEPT_THEN_DROP, ACCEPT_THEN_DRIP, ACCEPT_THEN_GARBAGE])
def test_a_mail_that_was_taken_without_an_answer_is_found_and_not_sent_twice(
    server: PostmarkServer, step: Step
) -> None:
    server.script = [step]
    [first] = send(server, mail(), timeout=0.5)
    assert (first.provider_id, first.permanent, first.unsure) == (None, False, True)
    [second] = send(server, replace(mail(), unsure=first.unsure))
    assert second == Outcome("0f8c-1", provider_id=server.accepted[0]["MessageID"])
    assert len(server.accepted) == 1


@pytest.mark.parametrize("step", [HANG, DROP, GARBAGE, SERVER_ERROR])
def test_a_mail_that_was_not_taken_and_without_an_answer_is_looked_for_and_then_sent(
    server: PostmarkServer, step: Step
) -> None:
    server.script = [step]
    [first] = send(server, mail(), timeout=0.5)
    assert (first.provider_id, first.permanent, first.unsure) == (None, False, True)
    [second] = send(server, replace(mail(), unsure=True))
    assert second.provider_id == server.accepted[0]["MessageID"]
    assert len(server.accepted) == 1


def test_the_look_up_is_made_in_the_mails_own_stream(server: PostmarkServer) -> None:
    to = postmark.Settings(stream="broadcast", url=server.url + "/")
    send_there = partial(postmark.send, settings=to, sender="pom@example.com", secret=TOKEN, timeout=10)
    send_there([mail()])
    [outcome] = send_there([mail(unsure=True)])
    assert outcome.provider_id == server.accepted[0]["MessageID"]
    assert [message["MessageStream"] for message in server.accepted] == ["broadcast"]


def test_a_refused_connection_is_certain_not_to_have_delivered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    to = postmark.Settings(url=f"http://127.0.0.1:{port}")
    outcomes = postmark.send(mails(2), to, "pom@example.com", TOKEN, 5)
    assert {(o.error, o.permanent, o.unsure) for o in outcomes} == {
        ("no answer from Postmark: connection refused", False, False)
    }


def test_once_unsure_a_mail_stays_so_when_it_could_not_be_sent_again(server: PostmarkServer) -> None:
    server.script = [rate_limit(5)]
    [outcome] = send(server, mail(unsure=True))
    assert (outcome.permanent, outcome.unsure, outcome.retry_after_s) == (False, True, 5)


@pytest.mark.parametrize(("seconds", "waits"), [(7, 7), (0, 0), (99999, 3600)])
def test_a_rate_limit_makes_every_mail_wait_as_long_as_asked_but_an_hour_at_most(
    server: PostmarkServer, seconds: int, waits: int
) -> None:
    server.script = [rate_limit(seconds)]
    outcomes = send(server, *mails(501))
    assert {(o.permanent, o.unsure, o.retry_after_s) for o in outcomes} == {(False, False, waits)}
    assert len(server.posts()) == 1, "whoever is asked to wait does not go on"


def test_maintenance_passes_and_is_no_reason_to_doubt(server: PostmarkServer) -> None:
    server.script = [error(503, 100, "Maintenance")]
    [outcome] = send(server, mail())
    assert outcome == Outcome("0f8c-1", error="Postmark error 100: Maintenance (HTTP 503)")


def test_a_wrong_token_is_permanent_for_all(server: PostmarkServer) -> None:
    outcomes = send(server, *mails(501), token="another")
    assert all(o.permanent and not o.unsure for o in outcomes)
    assert outcomes[0].error and outcomes[0].error.startswith("Postmark error 10: The Server Token")
    assert len(server.posts()) == 1


def test_the_token_is_hidden_should_postmark_repeat_it(server: PostmarkServer) -> None:
    server.script = [error(401, 10, f"{'x' * 180} the token {TOKEN.upper()} is unknown")]
    [outcome] = send(server, mail())
    assert outcome.error
    assert "B7E1" not in outcome.error
    server.script = [answer(200, [{"ErrorCode": 300, "Message": f"no {TOKEN}"}])]
    assert send(server, mail())[0].error == "Postmark error 300: no (hidden)"


@pytest.mark.parametrize("code", [10, 400, 401, 405])
def test_what_is_wrong_with_token_sender_or_account_is_asked_only_once(server: PostmarkServer, code: int) -> None:
    server.script = [error(422, code, "No")]
    assert all(o.permanent for o in send(server, *mails(4)))
    assert len(server.posts()) == 1


@pytest.mark.parametrize("code", [300, 406, 412, 413])
def test_a_whole_answer_about_one_message_condemns_that_one_alone(server: PostmarkServer, code: int) -> None:
    server.spoilers = {"ops3@example.com": error(422, code, "Bad")}
    outcomes = send(server, *mails(7))
    assert [o.permanent for o in outcomes] == [False, False, True, False, False, False, False]
    assert len(server.accepted) == 6
    assert outcomes[2].error == f"Postmark error {code}: Bad (HTTP 422)"


@pytest.mark.parametrize("step", [error(422, 403, "Invalid request field(s)"), answer(413), answer(403, b"<html>")])
def test_one_message_that_spoils_every_batch_does_not_hold_up_the_others(server: PostmarkServer, step: Step) -> None:
    server.spoilers = {"ops1@example.com": step}
    outcomes = send(server, *mails(4))
    assert [bool(o.provider_id) for o in outcomes] == [False, True, True, True]
    assert not outcomes[0].permanent and not outcomes[0].unsure


def test_of_a_batch_that_is_divided_a_fault_of_the_network_strikes_only_what_it_struck(server: PostmarkServer) -> None:
    server.script = [error(422, 300, "Bad"), ACCEPT, DROP]
    first, second = send(server, *mails(2))
    assert first.provider_id
    assert second.unsure and not second.permanent


@pytest.mark.parametrize(("code", "permanent"), [(406, True), (412, True), (1235, False), (100, False), (9999, False)])
def test_only_the_codes_known_as_permanent_give_a_message_up(
    server: PostmarkServer, code: int, permanent: bool
) -> None:
    server.script = [answer(200, [{"ErrorCode": code, "Message": "\x1b[31mNo\r\nway"}])]
    [outcome] = send(server, mail())
    assert outcome == Outcome("0f8c-1", error=f"Postmark error {code}: [31mNo way", permanent=permanent)


@pytest.mark.parametrize(
    "body",
    [
        [],
        [{"ErrorCode": 0, "MessageID": "a"}] * 2,
        [{}],
        [None],
        [{"ErrorCode": 0}],
        [{"ErrorCode": 0, "MessageID": ""}],
        [{"ErrorCode": "0", "MessageID": "a"}],
        [{"ErrorCode": False, "MessageID": "a"}],
        {"MessageID": "a"},
        b"[" * 100_000,
        b"[" + b" " * 3_000_000,
        b"",
    ],
)
def test_an_answer_that_cannot_be_read_leaves_doubt(server: PostmarkServer, body: object) -> None:
    server.script = [answer(200, body)]
    [outcome] = send(server, mail())
    assert outcome == Outcome("0f8c-1", error="Postmark's answer could not be read", unsure=True)


def test_a_packed_answer_is_not_unpacked(server: PostmarkServer) -> None:
    server.script = [answer(200, b"\x1f\x8b", Content_Encoding="gzip")]
    assert send(server, mail())[0].unsure


def test_a_redirect_is_not_followed_with_the_token(server: PostmarkServer) -> None:
    with PostmarkServer(token=TOKEN) as other:
        server.script = [answer(307, Location=f"{other.url}/email/batch")]
        [outcome] = send(server, mail())
        assert outcome == Outcome("0f8c-1", error="Postmark answered HTTP 307")
        assert other.calls == []


@pytest.mark.parametrize("step", [SERVER_ERROR, GARBAGE, DROP, HANG, rate_limit(3), error(422, 300), answer(404)])
def test_when_the_look_up_fails_the_mail_waits_and_stays_unsure(server: PostmarkServer, step: Step) -> None:
    server.lookup_script = [step]
    [outcome] = send(server, mail(unsure=True), timeout=0.5)
    assert outcome.provider_id is None
    assert outcome.unsure
    assert server.posts() == []


def test_a_look_up_that_is_refused_for_the_token_is_permanent(server: PostmarkServer) -> None:
    server.lookup_script = [BAD_TOKEN]
    outcomes = send(server, mail(1, unsure=True), mail(2, unsure=True))
    assert all(o.permanent and o.unsure for o in outcomes)
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"TotalCount": 1, "Messages": []},
        {"TotalCount": 1, "Messages": [{"Metadata": {"pom-id": "0f8c-1"}}]},
        {"TotalCount": 1, "Messages": "many"},
        {"Messages": []},
    ],
)
def test_a_look_up_that_says_nothing_clear_is_no_leave_to_send(server: PostmarkServer, body: object) -> None:
    server.lookup_script = [answer(200, body)]
    [outcome] = send(server, mail(unsure=True))
    assert outcome == Outcome("0f8c-1", error="Postmark's answer could not be read", unsure=True)
    assert server.posts() == []


def test_a_look_up_that_shows_another_message_does_not_lose_the_mail(server: PostmarkServer) -> None:
    other = {"MessageID": "b", "Metadata": {"pom-id": "another"}}
    server.lookup_script = [answer(200, {"TotalCount": 900, "Messages": [other]})]
    [outcome] = send(server, mail(unsure=True))
    assert outcome.provider_id == server.accepted[0]["MessageID"]


def test_a_look_up_that_shows_no_metadata_is_trusted(server: PostmarkServer) -> None:
    server.lookup_script = [answer(200, {"TotalCount": 1, "Messages": [{"MessageID": "b"}]})]
    assert send(server, mail(unsure=True)) == [Outcome("0f8c-1", provider_id="b")]


def test_new_mails_do_not_wait_for_the_look_ups_of_old_ones(server: PostmarkServer) -> None:
    server.lookup_script = [HANG]
    old, new = send(server, mail(1, unsure=True), mail(2), timeout=1)
    assert new.provider_id
    assert old.unsure and not old.permanent


def test_many_doubtful_mails_are_each_looked_for_and_sent_where_missing(server: PostmarkServer) -> None:
    send(server, *mails(25))
    outcomes = send(server, *(replace(m, unsure=True) for m in mails(50)))
    assert all(o.provider_id for o in outcomes)
    assert len(server.accepted) == 50
    assert len(server.lookups()) == 50


def test_without_time_nothing_is_sent_and_nothing_is_in_doubt(server: PostmarkServer) -> None:
    [outcome] = send(server, mail(), timeout=0)
    assert outcome == Outcome("0f8c-1", error="no answer from Postmark: no time was left to ask")
    assert server.calls == []


@pytest.mark.parametrize(("token", "says"), [("", "is not set"), (f"{TOKEN}\nX: y", "is not a token"), ("é", "is not")])
def test_a_token_that_is_none_is_a_permanent_fault_and_is_not_shown(
    server: PostmarkServer, token: str, says: str
) -> None:
    [outcome] = send(server, mail(), token=token)
    assert outcome.permanent
    assert outcome.error and outcome.error.startswith(f"POM_POSTMARK_TOKEN {says}")
    assert server.calls == []


def test_no_mails_make_no_call(server: PostmarkServer) -> None:
    assert send(server) == []
    assert server.calls == []


def test_a_certificate_that_is_not_trusted_stops_the_token_and_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with WebServer(tls=issue(authority())) as server:
        to = postmark.Settings(url=server.url("", host="localhost"))
        [outcome] = postmark.send([mail()], to, "pom@example.com", TOKEN, 5)
        assert server.requests == []
    assert outcome.error and outcome.error.startswith("no answer from Postmark: certificate")
    assert (outcome.permanent, outcome.unsure) == (False, False)


def test_over_tls_it_delivers_to_a_certificate_that_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = authority()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(root.write_public(tmp_path / "root.pem")))
    with WebServer(tls=issue(root)) as server:
        server.on("/email/batch", json('[{"ErrorCode": 0, "MessageID": "m-1"}]'))
        to = postmark.Settings(url=server.url("", host="localhost"))
        assert postmark.send([mail()], to, "pom@example.com", TOKEN, 5) == [Outcome("0f8c-1", provider_id="m-1")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1300) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["ErrorCode", "Message", "MessageID", "TotalCount", "Messages"]), inner)
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.integers(200, 599), JSON, st.booleans())
def test_whatever_comes_back_every_mail_has_one_outcome_and_none_is_delivered_by_mistake(
    status: int, body: object, unsure: bool
) -> None:
    batch = [mail(1, unsure=unsure), mail(2), mail(3)]
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add(responses.POST, "https://api.postmarkapp.com/email/batch", json=body, status=status)
        mock.add(responses.GET, "https://api.postmarkapp.com/messages/outbound", json=body, status=status)
        outcomes = postmark.send(batch, postmark.Settings(), "pom@example.com", TOKEN, 5)
    assert [o.mail_id for o in outcomes] == [m.id for m in batch]
    for outcome in outcomes:
        assert (outcome.provider_id is None) == bool(outcome.error)
        assert not (outcome.provider_id and (outcome.permanent or outcome.unsure or status >= 300))


def test_the_config_has_a_stream_and_a_url_with_defaults() -> None:
    problems: list[str] = []
    assert postmark.parse(Table({}, "alerts.postmark", problems)) == postmark.Settings()
    given_table = {"stream": "alerts", "url": "https://eu.example.com"}
    assert postmark.parse(Table(given_table, "alerts.postmark", problems)) == postmark.Settings(
        "alerts", "https://eu.example.com"
    )
    assert problems == []


def test_mistakes_of_the_config_are_told_with_path_and_value() -> None:
    problems: list[str] = []
    postmark.parse(Table({"steam": "a", "url": "ftp://x"}, "alerts.postmark", problems))
    assert problems == [
        "alerts.postmark.url: 'ftp://x' is not a URL like https://api.postmarkapp.com",
        "alerts.postmark.steam: unknown key (its value: 'a'); did you mean 'stream'?",
    ]


def test_there_is_a_row_for_each_address() -> None:
    assert postmark.recipients(postmark.Settings(), ["a@example.com", "b@example.com"]) == (
        "a@example.com",
        "b@example.com",
    )


def test_a_probe_asks_for_the_server_of_the_token_and_sends_nothing(server: PostmarkServer) -> None:
    to = postmark.Settings(url=server.url)
    assert postmark.probe(to, TOKEN, 10) == ""
    assert "Postmark error 10" in postmark.probe(to, "wrong", 10)
    assert postmark.probe(to, "", 10) == "POM_POSTMARK_TOKEN is not set"
    server.lookup_script = [SERVER_ERROR, DROP]
    assert "HTTP 500" in postmark.probe(to, TOKEN, 10)
    assert "no answer from Postmark" in postmark.probe(to, TOKEN, 10)
    assert server.posts() == []
