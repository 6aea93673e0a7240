"""Who may see and do what: local accounts, roles, sessions, tokens and one-time links."""
