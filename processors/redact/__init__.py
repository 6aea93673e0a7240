"""The worker `redact`: verdicts for anybody, coarse, late, and under ids that cannot be linked."""
