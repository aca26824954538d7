"""One file per family; every `Scenario` at the top level of a module here is found by itself."""
