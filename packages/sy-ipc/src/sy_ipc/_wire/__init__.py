"""What travels: subjects, payloads, envelopes. Nothing here knows an event loop."""
