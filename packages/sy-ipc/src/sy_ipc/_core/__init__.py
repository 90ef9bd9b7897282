"""What decides: routing, correlation, back-pressure. Nothing here does input or output."""
