"""The command line: one module per command group. Composes the packages below it, which never import each other."""
