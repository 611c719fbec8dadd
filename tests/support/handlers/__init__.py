"""Which handlers of the gateway tests execute."""
