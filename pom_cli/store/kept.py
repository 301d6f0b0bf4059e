"""What a channel last delivered on each alert that is still open."""

import json
import sqlite3

from pom_cli.model import Mail


def open_alerts(db: sqlite3.Connection, channel: str) -> list[Mail]:
    """The newest message that this channel delivered about each open alert, with the notice of that alert alone."""
    rows = db.execute(
        "SELECT notices.id, recipient, subject, body, payload, max(outbox.id) FROM alerts"
        " JOIN notices USING (target, alert) JOIN outbox USING (message) JOIN messages ON messages.id = outbox.message"
        " WHERE alerts.since IS NOT NULL AND alerts.ended_at IS NULL AND channel = ? AND state = 'delivered'"
        " GROUP BY target, alert",
        (channel,),
    )
    found = []
    for notice, recipient, subject, body, payload, _ in rows:
        told = json.loads(payload)
        own = [one for one in told["notices"] if one["id"] == notice]
        found.append(Mail(notice, recipient, subject, body, {**told, "notices": own}))
    return found
