"""What carries envelopes from one bus to another: one module per scheme."""
