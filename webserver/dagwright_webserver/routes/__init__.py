"""HTTP routes by noun; each module has the JSON handlers of its noun in `router`."""
