"""The house as a table: which room may include which. docs/architecture.md says why.

You may only call downstairs. A room may always include itself and the public headers.
"""

LEFT = {"base", "os", "alloc", "map", "record", "heap", "track", "check", "preload"}
RIGHT = {"symbols", "types", "space", "profile", "report"}

MAY_INCLUDE = {
    "base": set(),
    "os": {"base"},
    "alloc": {"base", "os"},
    "map": {"base", "os"},
    "record": {"base", "os"},
    "heap": {"base", "os", "alloc"},
    "track": {"base", "os", "alloc", "record", "heap"},
    "check": {"base", "os", "alloc", "heap", "track"},
    "preload": LEFT - {"preload"},
    "symbols": {"base", "os", "alloc"},
    "types": {"base", "os", "alloc", "symbols"},
    "space": {"base", "os", "alloc", "heap", "symbols", "record"},
    "profile": {"base", "os", "alloc", "record", "symbols"},
    "report": {"base", "os", "alloc", "profile", "types", "space"},
    "cli": RIGHT | {"base", "os", "alloc", "map", "record", "heap"},
}
