"""DNS on the wire: records, questions, answers, and the zone's own servers."""
